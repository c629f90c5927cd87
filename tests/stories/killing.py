"""What the stories of kills share (kill.py, intake_kill.py): the daemon is started and killed by hand, and
sinks are served that outlive it.
"""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time

TOCSIN = os.environ["TOCSIN"]
DEADLINE_S = 100
started = []


def fail(why):
    print("FAILED:", why)
    with open("run.log", encoding="utf-8") as log:
        print("-- run.log", *log.readlines()[-15:], sep="\n")
    sys.exit(1)


def wait_for(what, condition):
    until = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > until:
            fail(f"waited in vain until {what}")
        time.sleep(0.01)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *of):
        self.lock, self.busy = threading.Lock(), 0
        super().__init__(*of)

    def process_request(self, request, client_address):
        with self.lock:
            self.busy += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.lock:
                self.busy -= 1

    def work_off(self):
        """What one that was killed had sent is taken by then, and not some time after its next life has asked what
        there is (the settle time of D3). Connections are taken in their order, so this one is the last."""
        with socket.create_connection(self.server_address) as last:
            last.shutdown(socket.SHUT_WR)
            last.recv(1)
        wait_for("what it had sent is taken", lambda: self.busy == 0)

    def handle_error(self, request, client_address):
        pass  # whoever asked was killed


def begin(command, **more):
    process = subprocess.Popen(command, **more)
    started.append(process)
    return process


def start_daemon(program=TOCSIN, **more):
    with open("run.log", "w", encoding="utf-8") as log:
        return begin([program, "run", "--config", "tocsin.yaml"], stderr=log, **more)


def start_killed(step, **more):
    """One that dies at this step (tests/tocsin_killed.c); at none without one. What else is said goes
    to its environment."""
    program = os.path.join(os.path.dirname(TOCSIN), "tests", "tocsin_killed")
    at = {} if step is None else {"TOCSIN_KILL_AT": step}
    return start_daemon(program, env={**os.environ, **at, **more})


def run(*command):
    done = subprocess.run([TOCSIN, *command], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if done.returncode != 0:
        fail(f"{command}: code {done.returncode}: {done.stderr}")
    return done.stdout

"""What the stories of kills share (kill.py, intake_kill.py): the daemon is started and killed by hand, and
sinks are served that outlive it.
"""

import http.server
import os
import subprocess
import sys
import time

TOCSIN = os.environ["TOCSIN"]
DEADLINE_S = 60
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

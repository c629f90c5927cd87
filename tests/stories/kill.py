"""Aim (D1, D3, C7): SIGKILL at any moment loses no incident and opens none twice; what the journal says
was told is what an undisturbed run over the same records tells (X1b). Method: the real daemon with a data
directory is killed KILLS times at random moments while events stream into three partitions; its sink
folds repeats by key as a pager does, writes down every request, and sometimes fails before or after it
has taken one. Then it is started for good, until all is told. The seed is printed; a second
argument sets it.
"""

import http.server
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

TOCSIN = os.environ["TOCSIN"]
KILLS = int(sys.argv[1])
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else int.from_bytes(os.urandom(4), "little")
DEADLINE_S = 60
HOSTS = 12
dice = random.Random(SEED)
print(f"seed {SEED}")
started = []


def fail(why):
    print("FAILED:", why)
    for name in ("run.log",):
        with open(name, encoding="utf-8") as log:
            print(f"-- {name}", *log.readlines()[-15:], sep="\n")
    sys.exit(1)


def wait_for(what, condition):
    until = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > until:
            fail(f"waited in vain until {what}")
        time.sleep(0.01)


class Pager:
    """One ticket for each key while it is open: what a sink of class A promises."""

    def __init__(self):
        self.lock = threading.Lock()
        self.dice = random.Random(SEED + 1)
        self.requests = []  # (incident, number, kind), of all that were taken, in order
        self.tickets = {}  # incident -> times that a ticket was opened
        self.open = set()
        self.taken = set()  # ids of ops, which is what is folded by

    def take(self, op, incident):
        key = incident["id"]
        self.requests.append((key, op["number"], op["kind"]))
        if op["id"] in self.taken:
            return
        self.taken.add(op["id"])
        if op["kind"] == "open":
            self.tickets[key] = self.tickets.get(key, 0) + 1
            self.open.add(key)
        elif op["kind"] == "resolve":
            self.open.discard(key)


pager = Pager()


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with pager.lock:
            fate = pager.dice.random()
            if fate >= 0.1:
                pager.take(body["op"], body["incident"])
        if 0.1 <= fate < 0.2:  # taken, but nobody hears of it
            self.close_connection = True
            return
        self.send_response(503 if fate < 0.1 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # whoever asked was killed


def begin(command, **more):
    process = subprocess.Popen(command, **more)
    started.append(process)
    return process


def start_daemon():
    with open("run.log", "w", encoding="utf-8") as log:
        return begin([TOCSIN, "run", "--config", "tocsin.yaml"], stderr=log)


def run(*command):
    done = subprocess.run([TOCSIN, *command], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if done.returncode != 0:
        fail(f"{command}: code {done.returncode}: {done.stderr}")
    return done.stdout


def log_has(text):
    with open("run.log", encoding="utf-8") as log:
        return text in log.read()


def lines_of(path):
    with open(path, encoding="utf-8") as lines:
        return lines.read().splitlines()


def write_files(port, broker):
    with open("rules.yaml", "w", encoding="utf-8") as to:
        to.write("""rules:
  - id: down
    where: check == "down"
    by: [tenant, host]
    window: 1h
    when: count() >= 1
    incident: {title: "{host} is down", priority: P1}
    close: cleared()
  - id: pair
    where: check != ""
    by: [tenant, host]
    window: 1h
    when: distinct(check) >= 2
    incident: {title: "{host} in trouble", priority: P2}
    close: cleared()
""")
    with open("tocsin.yaml", "w", encoding="utf-8") as to:
        to.write(f"""input: {{brokers: "{broker}", start: earliest}}
rules: [rules.yaml]
data: {{dir: data}}
outbox: {{flush: 30s}}
admin: {{listen: "off"}}
sinks:
  - name: pager
    type: webhook
    options: {{url: "http://127.0.0.1:{port}/", idempotent: "true", rate_per_minute: "60000"}}
""")


class Stream(threading.Thread):
    """Events of hosts that go down and come back, by kcat, until it is told to stop."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self.kcat = begin(["kcat", "-P", "-b", broker, "-t", "events", "-K", "\t", "-X", "linger.ms=1"],
                          stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.dice = random.Random(SEED + 2)
        self.must_stop = threading.Event()
        self.count = 0

    def put(self, host, check, state):
        event = {"tenant": "acme", "source": "s", "resource": f"h{host}", "check": check,
                 "severity": "critical", "state": state}
        self.kcat.stdin.write(f"h{host}\t{json.dumps(event)}\n")
        self.kcat.stdin.flush()
        self.count += 1

    def run(self):
        while not self.must_stop.wait(self.dice.random() * 0.02):
            self.put(self.dice.randrange(HOSTS), self.dice.choice(["down", "slow", "full"]),
                     self.dice.choice(["problem", "problem", "clear"]))

    def end(self):
        self.must_stop.set()
        self.join()
        for host in range(HOSTS):  # the last word on each: all of it is over
            for check in ("down", "slow", "full"):
                self.put(host, check, "clear")
        self.kcat.stdin.close()
        if self.kcat.wait(DEADLINE_S) != 0:
            fail("kcat could not write")


def all_read(stream):
    ledger = json.loads(run("ledger", "data"))
    return ledger["engine"].get("closed_events", 0) >= stream.count


def tell_the_same():
    """The journal's log against that of a replay of the same records: what came to both ends."""
    broker = lines_of("broker.port")[0]
    run("record", "--brokers", broker, "--topic", "events", "--from", "earliest", "--to", "latest",
        "--output", "all.trec", "--quiet")
    run("replay", "--config", "tocsin.yaml", "--incidents", "replayed.log", "--ledger", "off", "--quiet", "all.trec")
    run("digest", "data", "--incidents", "told.log")
    told, replayed = lines_of("told.log"), lines_of("replayed.log")
    if told != replayed:
        at = next((i for i, (a, b) in enumerate(zip(told, replayed)) if a != b), min(len(told), len(replayed)))
        fail(f"line {at + 1} of {len(told)} and {len(replayed)}:\n{told[at:at + 1]}\n{replayed[at:at + 1]}")
    return told


def main():
    server = Server(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open("broker.log", "w", encoding="utf-8") as log:
        begin([TOCSIN, "broker", "--topic", "events:3", "--port-file", "broker.port"], stdout=log, stderr=log)
    wait_for("the broker listens", lambda: os.path.exists("broker.port") and os.path.getsize("broker.port") > 0)
    broker = lines_of("broker.port")[0]
    write_files(server.server_port, broker)
    stream = Stream(broker)
    stream.start()
    early = 0
    for _ in range(KILLS):
        daemon = start_daemon()
        time.sleep(dice.choice([0.05, 0.2, 0.6]) + dice.random() * 0.5)  # the moment of the kill
        if daemon.poll() is not None:
            fail(f"the daemon ended by itself with {daemon.returncode}")
        early += not log_has("event=recovered")
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    stream.end()
    daemon = start_daemon()
    wait_for("all is read", lambda: daemon.poll() is not None or all_read(stream))
    if daemon.poll() is not None:
        fail(f"the daemon ended by itself with {daemon.returncode}")
    daemon.send_signal(signal.SIGTERM)
    if daemon.wait(DEADLINE_S) != 0:
        fail(f"exit code {daemon.returncode}")

    told = [json.loads(line) for line in tell_the_same()]
    ledger = json.loads(run("ledger", "data"))
    ops = ledger["ops"]
    if ops["all"] != ops["done"] + ops["superseded"]:
        fail(f"not all was delivered: {ops}")
    opened = {line["incident"] for line in told if line.get("change") == "opened"}
    closed = {line["incident"] for line in told if line.get("change") == "closed"}
    if not opened:
        fail("nothing was told")
    lost = opened - set(pager.tickets)
    twice = {key: count for key, count in pager.tickets.items() if count > 1}
    invented = set(pager.tickets) - opened
    if lost or twice or invented or pager.open != opened - closed:
        fail(f"lost {lost}, twice {twice}, invented {invented}, still open {pager.open - (opened - closed)}, "
             f"closed early {opened - closed - pager.open}")
    last = {}
    for key, number, _ in pager.requests:  # O2, O8: never back
        if number < last.get(key, 0):
            fail(f"op {number} of {key} came after {last[key]}")
        last[key] = number
    repeats = len(pager.requests) - len(pager.taken)
    print(f"{KILLS} kills, {early} of them before the recovery was over; {stream.count} events, {len(opened)} "
          f"incidents, {len(pager.requests)} requests of which {repeats} repeats, all folded; {run('fsck', 'data')}")


try:
    main()
finally:
    for process in started:
        if process.poll() is None:
            process.kill()

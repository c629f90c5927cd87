"""Aim (D1, D3, C7): SIGKILL at any moment loses no incident and opens none twice; what the journal says
was told is what an undisturbed run over the same records tells (X1b). Method: the real daemon with a data
directory is killed KILLS times at random moments while events stream into three partitions. It has three
sinks: a pager that folds repeats by key (class A), a desk whose records are found late (class C), and a
hook that does neither (class D). All write down every request, and sometimes fail before or after they
have taken one. Then it is started for good, until all is told. The seed is printed; a second argument
sets it. With --switch the rules change before each start and while the daemon runs (X5): what was told is
then held against the journal by each recovery alone. With --steps it is not killed at random moments, but
within durable steps (H3, tests/tocsin_killed.c): before, in the middle of and after a write, a sync, a
rename, of the journal's groups as of everything else. Each life begins with the recovery of the one
before, so a step of low number lies within a recovery, and several of these follow each other.
"""

import contextlib
import http.server
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.parse

TOCSIN = os.environ["TOCSIN"]
SWITCHES = "--switch" in sys.argv
STEPS = "--steps" in sys.argv
numbers = [word for word in sys.argv[1:] if not word.startswith("--")]
KILLS = int(numbers[0])
SEED = int(numbers[1]) if len(numbers) > 1 else int.from_bytes(os.urandom(4), "little")
DEADLINE_S = 60
HOSTS = 12
SETTLE_MS = 300
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


class Hook:
    """Takes every delivery for a new one."""

    def __init__(self):
        self.taken = {}  # op id -> whether each delivery said that it may be a repeat

    def take(self, body):
        self.taken.setdefault(body["op"]["id"], []).append(body["op"]["possible_repeat"])


class Desk:
    """Any number of records for one incident; a new one is not found for a while."""

    def __init__(self):
        self.records = []  # {sys_id, number, state, correlation_id}, and when it can be found

    def find(self, key):
        now = time.monotonic()
        return [record for record, at in self.records if record["correlation_id"] == key and at <= now]

    def create(self, body):
        number = len(self.records) + 1
        record = {"sys_id": f"{number:032x}", "number": f"INC{number}", "state": "1",
                  "correlation_id": body["correlation_id"], "sys_created_on": f"{number:020}"}
        self.records.append((record, time.monotonic() + pager.dice.random() * 0.8 * SETTLE_MS / 1000))
        return record

    def change(self, sys_id, body):
        record = self.records[int(sys_id, 16) - 1][0]
        record.update({key: body[key] for key in ("state", "close_code") if key in body})
        return record


pager, hook, desk = Pager(), Hook(), Desk()
is_calm = threading.Event()  # nothing fails any more: what was put off is not put off again


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def taken(self, body):
        """The request takes effect; what is answered."""
        path = urllib.parse.urlsplit(self.path)
        if path.path == "/pager":
            return pager.take(body["op"], body["incident"])
        if path.path == "/hook":
            return hook.take(body)
        if self.command == "GET":
            query = urllib.parse.parse_qs(path.query)["sysparm_query"][0]
            return desk.find(query.removeprefix("correlation_id=").split("^")[0])
        if self.command == "POST":
            return desk.create(body)
        return desk.change(path.path.rsplit("/", 1)[1], body)

    def answer(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        with pager.lock:
            fate = 1 if is_calm.is_set() else pager.dice.random()
            result = self.taken(body) if fate >= 0.1 else None
        if 0.1 <= fate < 0.2:  # taken, but nobody hears of it
            self.close_connection = True
            return
        text = json.dumps({"result": result}).encode() if fate >= 0.1 else b""
        self.send_response(503 if fate < 0.1 else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = answer

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


def start_daemon(program=TOCSIN, **more):
    with open("run.log", "w", encoding="utf-8") as log:
        return begin([program, "run", "--config", "tocsin.yaml"], stderr=log, **more)


def steps():
    """Where it is killed; the syncs of the journal are the gates of classes C and D, so these first."""
    while True:
        for step in ("sync", "write", "sync", "sync", "rename", "sync", "write", "sync_dir"):
            when = dice.choice(["before", "after", "half"] if step == "write" else ["before", "after"])
            yield step, when, dice.randint(1, 25 if step in ("sync", "write") else 2)


def live_to(step):
    """One life, up to this step; whether it came to it."""
    daemon = start_daemon(os.path.join(os.path.dirname(TOCSIN), "tests", "tocsin_killed"),
                          env={**os.environ, "TOCSIN_KILL_AT": "{}:{}:{}".format(*step)})
    try:
        code = daemon.wait(1.5)
    except subprocess.TimeoutExpired:  # it had nothing to write, or not as often
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        return False
    if code != -signal.SIGKILL:
        fail(f"the daemon ended by itself with {code}")
    return True


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


DOWN = """
  - id: down
    where: check == "down"
    by: [tenant, host]
    window: 1h
    when: count() >= 1
    incident: {title: "{host} is down", priority: P1}
    close: cleared()
"""
PAIR = """
  - id: pair
    where: check != ""
    by: [tenant, host]
    window: 1h
    when: distinct(check) >= 2
    incident: {title: "{host} in trouble", priority: P2}
    close: cleared()
"""
# What is different: a rule that goes, one whose form changes, what an incident is called.
RULES = (DOWN + PAIR, DOWN, DOWN + PAIR.replace("1h", "2s"), DOWN.replace("is down", "fell") + PAIR)


def write_rules(text):
    with open("rules.new", "w", encoding="utf-8") as to:
        to.write("rules:" + text)
    os.replace("rules.new", "rules.yaml")


def write_files(port, broker):
    write_rules(RULES[0])
    with open("tocsin.yaml", "w", encoding="utf-8") as to:
        to.write(f"""input: {{brokers: "{broker}", start: earliest}}
rules: [rules.yaml]
data: {{dir: data}}
outbox: {{flush: 30s}}
admin: {{listen: "off"}}
sinks:
  - name: pager
    type: webhook
    options: {{url: "http://127.0.0.1:{port}/pager", idempotent: "true", rate_per_minute: "60000"}}
  - name: hook
    type: webhook
    options: {{url: "http://127.0.0.1:{port}/hook", rate_per_minute: "60000"}}
  - name: desk
    type: servicenow
    options: {{url: "http://127.0.0.1:{port}", user: u, password: p, settle_ms: "{SETTLE_MS}", rate_per_minute: "60000"}}
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
    run("digest", "data", "--incidents", "told.log")
    if SWITCHES:
        return lines_of("told.log")
    run("record", "--brokers", broker, "--topic", "events", "--from", "earliest", "--to", "latest",
        "--output", "all.trec", "--quiet")
    run("replay", "--config", "tocsin.yaml", "--incidents", "replayed.log", "--ledger", "off", "--quiet", "all.trec")
    told, replayed = lines_of("told.log"), lines_of("replayed.log")
    if told != replayed:
        at = next((i for i, (a, b) in enumerate(zip(told, replayed)) if a != b), min(len(told), len(replayed)))
        fail(f"line {at + 1} of {len(told)} and {len(replayed)}:\n{told[at:at + 1]}\n{replayed[at:at + 1]}")
    return told


def rows_of_history():
    """All that it holds, and its columns by table."""
    with contextlib.closing(sqlite3.connect("file:data/history.db?mode=ro", uri=True)) as db:
        return {table: sorted(db.execute(f'SELECT * FROM "{table}"'))
                for table in ("incident", "change", "member", "notification")}


def remember_the_same(told):
    """The history, written behind every life of the daemon, against the journal and against one made
    anew from it."""
    lived = rows_of_history()
    changes = [line for line in told if "change" in line]
    ops = [line for line in told if "change" not in line]
    in_journal = sorted((bytes.fromhex(line["incident"]), line["n"]) for line in changes)
    if [row[:2] for row in lived["change"]] != in_journal:
        fail(f"the history has {len(lived['change'])} changes, the journal {len(changes)}")
    if len(lived["notification"]) != len(ops) or len(lived["incident"]) != len({line["incident"] for line in changes}):
        fail(f"the history has {len(lived['notification'])} ops and {len(lived['incident'])} incidents")
    states = {row[7] for row in lived["notification"]}
    if not states <= {"done", "superseded"}:
        fail(f"the history says that ops are {states}")
    run("history", "--data", "data", "--rebuild")
    anew = rows_of_history()
    for table, rows in lived.items():
        if rows != anew[table]:
            fail(f"{table} made anew is another: {[row for row in rows if row not in anew[table]][:3]}")


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
    early = reached = 0
    for _, step in zip(range(KILLS if STEPS else 0), steps()):
        reached += live_to(step)
        early += not log_has("event=recovered")
    if STEPS:
        print(f"{reached} of {KILLS} steps were come to")
        if reached < KILLS / 3:
            fail("these are too few")
    for _ in range(0 if STEPS else KILLS):
        if SWITCHES:
            write_rules(dice.choice(RULES))
        daemon = start_daemon()
        time.sleep(dice.choice([0.05, 0.2, 0.6]) + dice.random() * 0.5)  # the moment of the kill
        if SWITCHES and log_has("event=started"):
            write_rules(dice.choice(RULES))
            daemon.send_signal(signal.SIGHUP)
            time.sleep(dice.random())
        if daemon.poll() is not None:
            fail(f"the daemon ended by itself with {daemon.returncode}")
        early += not log_has("event=recovered")
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    stream.end()
    is_calm.set()
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
    records = {}
    for record, _ in desk.records:
        records.setdefault(record["correlation_id"], []).append(record)
    twice = {key: of for key, of in records.items() if len(of) > 1}
    wrong = [key for key, of in records.items() if (of[0]["state"] == "6") != (key in closed)]
    if set(records) != opened or twice or wrong:
        fail(f"desk: lost {opened - set(records)}, invented {set(records) - opened}, twice {twice}, "
             f"in another state {wrong}")
    marked = [op for op, repeats in hook.taken.items() if not all(repeats[1:])]
    if marked:
        fail(f"hook: second deliveries that do not say so: {marked}")
    last = {}
    for key, number, _ in pager.requests:  # O2, O8: never back
        if number < last.get(key, 0):
            fail(f"op {number} of {key} came after {last[key]}")
        last[key] = number
    remember_the_same(told)
    repeats = len(pager.requests) - len(pager.taken)
    print(f"{KILLS} kills, {early} of them before the recovery was over; {stream.count} events, {len(opened)} "
          f"incidents, {len(pager.requests)} requests of which {repeats} repeats, all folded; {run('fsck', 'data')}")


try:
    main()
finally:
    for process in started:
        if process.poll() is None:
            process.kill()

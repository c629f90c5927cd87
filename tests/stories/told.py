"""What is told, and to whom (kill.py, take_over.py): a stream of events, two rules, three sinks, and the
judgement that no incident was lost or told twice. A pager folds repeats by key (class A), a desk has records
that are found late (class C), a hook does neither (class D). All write down every request, and sometimes
fail before or after they have taken one.
"""

import http.server
import json
import random
import subprocess
import threading
import time
import urllib.parse

from killing import DEADLINE_S, Server, begin, fail, run

HOSTS = 12

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

def lines_of(path):
    with open(path, encoding="utf-8") as lines:
        return lines.read().splitlines()


def replayed_like(told, data):
    """The incident log of a replay of all.trec, without the marks of the run (X1b). Where it is not what was told, the
    clock may have moved events, as when kcat stood still for longer than the disorder while it held some: then it is
    that of a replay with the marks of the run's directory (X1)."""
    def replay(*marks):
        run("replay", "--config", "tocsin.yaml", "--incidents", "replayed.log", "--ledger", "replayed.json", "--json",
            "--quiet", *marks, "all.trec")
        return lines_of("replayed.log")

    lines = replay()
    if lines[len(lines) - len(told):] == told:
        return lines
    marked = replay("--marks", data)
    with open("replayed.json", encoding="utf-8") as ledger:
        moved = json.load(ledger)["times"]
    if moved["late_by_seal"] + moved["capped"] == 0:
        return lines
    print(f"held against a replay with marks, for the clock moved events: {moved}")
    return marked


class Pager:
    """One ticket for each key while it is open: what a sink of class A promises."""

    def __init__(self):
        self.requests = []  # (incident, number, kind), of all that were taken, in order
        self.first = []  # the same without repeats
        self.tickets = {}  # incident -> times that a ticket was opened
        self.open = set()
        self.taken = set()  # ids of ops, which is what is folded by

    def take(self, op, incident):
        key = incident["id"]
        self.requests.append((key, op["number"], op["kind"]))
        if op["id"] in self.taken:
            return
        self.first.append(self.requests[-1])
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

    def __init__(self, late_s):
        self.records = []  # {sys_id, number, state, correlation_id}, and when it can be found
        self.late_s = late_s  # a function: how long that lasts

    def find(self, key):
        now = time.monotonic()
        return [record for record, at in self.records if record["correlation_id"] == key and at <= now]

    def create(self, body):
        number = len(self.records) + 1
        record = {"sys_id": f"{number:032x}", "number": f"INC{number}", "state": "1",
                  "correlation_id": body["correlation_id"], "sys_created_on": f"{number:020}"}
        self.records.append((record, time.monotonic() + self.late_s()))
        return record

    def change(self, sys_id, body):
        record = self.records[int(sys_id, 16) - 1][0]
        record.update({key: body[key] for key in ("state", "close_code") if key in body})
        return record


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sinks = None

    def taken(self, body):
        """The request takes effect; what is answered."""
        path = urllib.parse.urlsplit(self.path)
        if path.path == "/pager":
            return self.sinks.pager.take(body["op"], body["incident"])
        if path.path == "/hook":
            return self.sinks.hook.take(body)
        if self.command == "GET":
            query = urllib.parse.parse_qs(path.query)["sysparm_query"][0]
            return self.sinks.desk.find(query.removeprefix("correlation_id=").split("^")[0])
        if self.command == "POST":
            return self.sinks.desk.create(body)
        return self.sinks.desk.change(path.path.rsplit("/", 1)[1], body)

    def answer(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        with self.sinks.lock:
            fate = 1 if self.sinks.is_calm.is_set() else self.sinks.dice.random()
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


class Sinks:
    """The three of them behind one port, and what the configuration says of them. Self-alerts are not for them: a
    machine that stands still may raise one, and the incident log, which they are held against, knows none."""

    def __init__(self, seed, settle_ms):
        self.lock = threading.Lock()
        self.dice = random.Random(seed + 1)
        self.settle_ms = settle_ms
        self.is_calm = threading.Event()  # nothing fails any more: what was put off is not put off again
        self.pager, self.hook = Pager(), Hook()
        self.desk = Desk(lambda: self.dice.random() * 0.8 * settle_ms / 1000)
        self.port, self.server = 0, None

    def serve(self):
        self.server = Server(("127.0.0.1", 0), type("OurDoor", (Door,), {"sinks": self}))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_port

    def config(self):
        return f"""sinks:
  - name: pager
    type: webhook
    options: {{url: "http://127.0.0.1:{self.port}/pager", idempotent: "true", self_alerts: "false", rate_per_minute: "60000"}}
  - name: hook
    type: webhook
    options: {{url: "http://127.0.0.1:{self.port}/hook", self_alerts: "false", rate_per_minute: "60000"}}
  - name: desk
    type: servicenow
    options: {{url: "http://127.0.0.1:{self.port}", user: u, password: p, settle_ms: "{self.settle_ms}", self_alerts: "false", rate_per_minute: "60000"}}
"""

    def judge(self, told, tells_again=False):
        """Nothing lost, nothing twice; `told` is the incident log of all that was. Returns how many incidents.
        `tells_again`: who goes on may not know what was done, and repeats it from an earlier op on."""
        opened = {line["incident"] for line in told if line.get("change") == "opened"}
        closed = {line["incident"] for line in told if line.get("change") == "closed"}
        if not opened:
            fail("nothing was told")
        lost = opened - set(self.pager.tickets)
        twice = {key: count for key, count in self.pager.tickets.items() if count > 1}
        invented = set(self.pager.tickets) - opened
        if lost or twice or invented or self.pager.open != opened - closed:
            fail(f"lost {lost}, twice {twice}, invented {invented}, still open {self.pager.open - (opened - closed)}, "
                 f"closed early {opened - closed - self.pager.open}")
        records = {}
        for record, _ in self.desk.records:
            records.setdefault(record["correlation_id"], []).append(record)
        twice = {key: of for key, of in records.items() if len(of) > 1}
        wrong = [key for key, of in records.items() if (of[0]["state"] == "6") != (key in closed)]
        if set(records) != opened or twice or wrong:
            fail(f"desk: lost {opened - set(records)}, invented {set(records) - opened}, twice {twice}, "
                 f"in another state {wrong}")
        marked = [op for op, repeats in self.hook.taken.items() if not all(repeats[1:])]
        if marked:
            fail(f"hook: second deliveries that do not say so: {marked}")
        last = {}
        for key, number, _ in self.pager.first if tells_again else self.pager.requests:  # O2, O8: never back
            if number < last.get(key, 0):
                fail(f"op {number} of {key} came after {last[key]}")
            last[key] = number
        return len(opened)


class Stream(threading.Thread):
    """Events of hosts that go down and come back, by kcat, until it is told to stop. After a while other hosts
    take their place: what changes too often counts as flapping, and tells nothing more."""

    OF_A_KIND = 200

    def __init__(self, broker, seed, topic="events"):
        super().__init__(daemon=True)
        self.command = ["kcat", "-P", "-b", broker, "-t", topic, "-K", "\t", "-X", "linger.ms=1"]
        self.open()
        self.dice = random.Random(seed + 2)
        self.must_stop = threading.Event()
        self.at_it = threading.Lock()  # held for as long as nothing is to be put
        self.count = self.kind = 0

    def open(self):
        self.kcat = begin(self.command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def flush(self):
        """kcat keeps what does not fill its buffer until its end."""
        self.kcat.stdin.close()
        if self.kcat.wait(DEADLINE_S) != 0:
            fail("kcat could not write")

    def put(self, host, check, state):
        event = {"tenant": "acme", "source": "s", "resource": f"h{self.kind}-{host}", "check": check,
                 "severity": "critical", "state": state}
        self.kcat.stdin.write(f"h{host}\t{json.dumps(event)}\n")
        self.kcat.stdin.flush()
        self.count += 1

    def clear(self):
        for host in range(HOSTS):  # the last word on each: all of it is over
            for check in ("down", "slow", "full"):
                self.put(host, check, "clear")

    def run(self):
        while not self.must_stop.wait(self.dice.random() * 0.02):
            with self.at_it:
                self.put(self.dice.randrange(HOSTS), self.dice.choice(["down", "slow", "full"]),
                         self.dice.choice(["problem", "problem", "clear"]))
                if self.count // self.OF_A_KIND > self.kind:
                    self.clear()
                    self.kind = self.count // self.OF_A_KIND

    def end(self):
        self.must_stop.set()
        self.join()
        self.clear()
        self.flush()

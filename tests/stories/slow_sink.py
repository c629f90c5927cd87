"""Aim (O3, O7, F5): a sink that is ten times too slow loses nothing and fills no memory: at 80 % of the
outbox's bound the other sink is told, at the bound no step is begun, the other sink has all that was let in, and
when the slow one can keep up everything drains in order. Method: a webhook that takes one op at a time, DELAY
seconds each, and a fast one; ten times as many incidents as it can take come for SECONDS, each of which opens
and ends; then it is fast. slow_sink.py SECONDS DELAY
"""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

import killing
from free_port import free_port
from killing import DEADLINE_S, TOCSIN, Server, begin, fail, run, started, wait_for

SECONDS, DELAY_S = float(sys.argv[1]), float(sys.argv[2])
BOUND = 120
INCIDENTS = max(int(10 * SECONDS / DELAY_S), 2 * BOUND)
BATCHES = 10

told = {"slow": [], "fast": []}  # (kind, key, check), in order of coming
at_once = {"slow": 0, "most": 0}
is_slow = True
lock = threading.Lock()


class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.strip("/")
        if name == "slow":
            with lock:
                at_once["slow"] += 1
                at_once["most"] = max(at_once.values())
            time.sleep(DELAY_S if is_slow else 0)  # the behaviour itself
            with lock:
                at_once["slow"] -= 1
        told[name].append((body["op"]["kind"], body["incident"]["key"], body["incident"]["rule"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def metrics():
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
        return answer.read().decode()


def metric(name):
    """Sum over all labels."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in metrics().splitlines()
               if line.startswith((name + "{", name + " ")))


def publish(first, last, state):
    with open("events.jsonl", "w", encoding="utf-8") as events:
        for i in range(first, last):
            events.write(json.dumps({"resource": f"r{i:06}", "check": "down", "state": state}) + "\n")
    run("publish", "--brokers", broker, "--topic", "events", "events.jsonl")


def resident(daemon):
    with open(f"/proc/{daemon.pid}/status", encoding="utf-8") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


try:
    server = Server(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    begin([TOCSIN, "broker", "--topic", "events:1", "--port-file", "broker.port"], stdout=subprocess.DEVNULL)
    wait_for("the broker listens", lambda: os.path.exists("broker.port") and os.path.getsize("broker.port") > 0)
    with open("broker.port", encoding="utf-8") as at:
        broker = at.read().strip()
    admin = free_port()
    with open("rules.yaml", "w", encoding="utf-8") as rules:
        rules.write("""rules:
  - {id: down, where: check == "down", by: [resource], window: 1m, when: count() >= 1, incident: {title: t}, close: cleared()}
""")
    with open("tocsin.yaml", "w", encoding="utf-8") as config:
        config.write(f"""input:
  brokers: "{broker}"
  start: earliest
  topics: [{{topic: events, disorder: 0ms}}]
engine: {{expire: 1h}}
outbox: {{ops.max: {BOUND}}}
admin: {{listen: "127.0.0.1:{admin}"}}
data: {{dir: data}}
rules: [rules.yaml]
sinks:
  - {{name: slow, type: webhook, options: {{url: "http://127.0.0.1:{server.server_port}/slow", idempotent: "true",
      in_flight_max: "1", rate_per_minute: "0"}}}}
  - {{name: fast, type: webhook, options: {{url: "http://127.0.0.1:{server.server_port}/fast", idempotent: "true",
      rate_per_minute: "0"}}}}
""")
    daemon = killing.start_daemon()
    wait_for("it answers", lambda: "event=ready" in open("run.log", encoding="utf-8").read())
    begun, rss = time.monotonic(), []
    for batch in range(BATCHES):
        first, last = (INCIDENTS * n // BATCHES for n in (batch, batch + 1))
        publish(first, last, "problem")
        publish(first, last, "clear")
        if batch >= BATCHES // 2:
            wait_for("the outbox is full", lambda: metric("tocsin_outbox_fill_ratio") >= 0.99)
            rss.append(resident(daemon))
        time.sleep(max(0.0, begun + SECONDS * (batch + 1) / BATCHES - time.monotonic()))  # the load's pace
    if ("open", "outbox") not in {(kind, key.split("resource=")[-1]) for kind, key, rule in told["fast"]
                                  if rule == "outbox-filling"}:
        fail(f"the other sink was not told: {[entry for entry in told['fast'] if 'filling' in entry[2]]}")
    let_in = len([entry for entry in told["fast"] if entry[2] == "down"])
    # How many ops there are beyond the bound hangs on how much was closed when a step began.
    if let_in < len(told["slow"]):
        fail(f"the fast sink has {let_in} ops of {2 * INCIDENTS}, and the slow one {len(told['slow'])}")
    rss.append(resident(daemon))
    is_slow = False
    wait_for("all is told", lambda: min(sum(entry[2] == "down" for entry in told[name]) for name in told) == 2 * INCIDENTS)
    wait_for("it is over", lambda: any(entry[0] == "resolve" and entry[2] == "outbox-filling" for entry in told["fast"]))
    if metric("tocsin_partition_lag_records") != 0 or metric("tocsin_sink_dead_total") != 0:
        fail("something was left, or given up")
    daemon.terminate()
    if daemon.wait(DEADLINE_S) != 0:
        fail("the daemon did not stop")
    for name, entries in told.items():
        opens = [key for kind, key, rule in entries if kind == "open" and rule == "down"]
        if opens != sorted(opens) and name == "slow":
            fail("the slow sink was not told in the order in which incidents opened")
        for kind in ("open", "resolve"):
            keys = [key for what, key, rule in entries if what == kind and rule == "down"]
            if len(keys) != INCIDENTS or len(set(keys)) != INCIDENTS:
                fail(f"{name} was told {len(keys)} times of a {kind}, of {len(set(keys))} incidents")
        seen = set()
        for kind, key, rule in entries:
            if kind == "resolve" and key not in seen:
                fail(f"{name}: the end of {key} before its beginning")
            seen.add(key)
    if at_once["most"] > 1:
        fail(f"{at_once['most']} ops at once")
    # From half of the load on nothing grows that would not stop. Buffers of threads that come to work late are some
    # MiB at once, and stay: 2.6 MiB mostly, 8 once.
    if max(rss) > 1.05 * rss[0] + 16384:
        fail(f"resident memory grew while the outbox was full: {rss} KiB")
    print(f"{INCIDENTS} incidents, {let_in} ops let in at the end of the load, KiB resident while full: {rss}, "
          f"{time.monotonic() - begun:.1f} s")
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
sys.exit(0)

"""Aim (F7, F8, O7, D1): ten times more comes than sinks take, and far more than the memory budget holds: what is
resident stays within the budget, nothing is lost, and afterwards everything drains. Method: a real Kafka with four
partitions, one of which gets nine tenths of all; a webhook that takes an op in DELAY seconds, one at a time, and ten
times as many incidents as it can take; each of their events comes among many that repeat what is known, so that what
waits is several times the budget. /proc says all the while what is resident. Then the sink is fast, and the ledger
has to account for each record, and each incident to be told once. overload.py SECONDS DELAY MEGABYTES
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
from killing import Server, fail, run, started, wait_for

SECONDS, DELAY_S, MEGABYTES = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
BUDGET_MIB, BOUND, PARTITIONS, BATCHES, TEXT_BYTES = 128, 100, 4, 10, 900
INCIDENTS = max(int(10 * SECONDS / DELAY_S / 2), 4 * BOUND)  # each is opened and closed
EVENTS = max(MEGABYTES * 1000000 // (TEXT_BYTES + 100), 4 * INCIDENTS)
MORE = "x" * TEXT_BYTES
killing.DEADLINE_S = 240  # of a machine that does other things, too

told = []  # (kind, incident, check), in order of coming
is_slow = True
lock = threading.Lock()


class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            if is_slow:
                time.sleep(DELAY_S)  # the behaviour itself
            told.append((body["op"]["kind"], body["incident"]["id"], body["incident"]["rule"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Resident(threading.Thread):
    """Looks all the time at what is resident, and keeps the most."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.most, self.looks = process, 0, 0

    def run(self):
        while self.process.poll() is None:
            try:
                with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
                    now = [int(line.split()[1]) for line in status if line.startswith("VmRSS")]
            except OSError:
                return
            self.most, self.looks = max([self.most, *now]), self.looks + 1
            time.sleep(0.02)


def metric(name):
    """Sum over all labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith((name + "{", name + " ")))


def publish(batch):
    """A tenth of all events: of each incident of its share the begin and the end, and repeats of one alert."""
    first, last = (INCIDENTS * n // BATCHES for n in (batch, batch + 1))
    lines = [[] for _ in range(PARTITIONS)]
    for n, i in enumerate(range(first, last)):
        for state in ("problem", "clear"):
            lines[0 if n % 10 else 1 + n % 3].append({"resource": f"r{i:06}", "check": "down", "state": state})
    for n in range(EVENTS // BATCHES):
        lines[0 if n % 10 else 1 + n // 10 % 3].append({"resource": "busy", "check": "talks", "message": MORE})
    names = [f"events.{p}.jsonl" for p in range(PARTITIONS)]
    for name, of in zip(names, lines):
        with open(name, "w", encoding="utf-8") as events:
            events.writelines(json.dumps(event) + "\n" for event in of)
    run("publish", "--brokers", os.environ["TOCSIN_KAFKA"], "--topic", topic, *names)
    return sum(len(of) for of in lines)


try:
    topic = f"{os.environ['STORY']}.{os.getpid()}"
    tree = os.environ["TOCSIN_TREE"]
    kafka = os.path.dirname(os.path.dirname(os.environ["TOCSIN_KAFKA_CA"]))
    subprocess.run([f"{tree}/tests/kafka/kafka", "topic", kafka, topic, str(PARTITIONS)], check=True, timeout=60)
    server = Server(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    admin = free_port()
    with open("rules.yaml", "w", encoding="utf-8") as rules:
        rules.write("""rules:
  - {id: down, where: check == "down", by: [resource], window: 1m, when: count() >= 1, incident: {title: t}, close: cleared()}
""")
    with open("tocsin.yaml", "w", encoding="utf-8") as config:
        config.write(f"""input:
  brokers: "{os.environ['TOCSIN_KAFKA']}"
  start: earliest
  topics: [{{topic: {topic}, disorder: 0ms}}]
memory: {{budget: {BUDGET_MIB}MiB}}
engine: {{expire: 10s, workers: 2}}
outbox: {{ops.max: {BOUND}, flush: 60s}}
admin: {{listen: "127.0.0.1:{admin}"}}
data: {{dir: data}}
rules: [rules.yaml]
sinks:
  - {{name: desk, type: webhook, options: {{url: "http://127.0.0.1:{server.server_port}/", idempotent: "true",
      in_flight_max: "1", rate_per_minute: "0"}}}}
""")
    daemon = killing.start_daemon()
    wait_for("it answers", lambda: "event=ready" in open("run.log", encoding="utf-8").read())
    resident = Resident(daemon)
    resident.start()
    begun, records = time.monotonic(), 0
    for n in range(BATCHES):
        records += publish(n)
        time.sleep(max(0.0, begun + SECONDS * (n + 1) / BATCHES - time.monotonic()))  # the load's pace
    wait_for("input waits for the sink", lambda: metric("tocsin_outbox_fill_ratio") >= 0.99)
    taken = len(told)
    if taken * 5 > 2 * INCIDENTS:
        fail(f"that was no overload: the sink had {taken} ops of {2 * INCIDENTS} already")
    behind = metric("tocsin_partition_lag_records")
    under_load, is_slow = resident.most, False
    wait_for("all is told", lambda: sum(rule == "down" for _, _, rule in told) >= 2 * INCIDENTS)
    wait_for("all is read", lambda: metric("tocsin_input_records_total") == records)
    wait_for("nothing waits", lambda: metric("tocsin_events_waiting") == 0 and metric("tocsin_sink_waiting") == 0)
    short = metric("tocsin_memory_pauses_total")
    daemon.terminate()
    if daemon.wait(killing.DEADLINE_S) != 0:
        fail("the daemon did not stop")
    resident.join()
    ledger = json.loads(run("ledger", "data"))
    if ledger["ops"]["all"] != ledger["ops"]["done"] + ledger["ops"]["superseded"]:
        fail(f"not all was delivered: {ledger['ops']}")
    if ledger["engine"]["closed_events"] != records:
        fail(f"{records} records were published, the ledger has {ledger['engine']['closed_events']} events")
    for kind in ("open", "resolve"):
        of = [incident for what, incident, rule in told if what == kind and rule == "down"]
        if len(of) != INCIDENTS or len(set(of)) != INCIDENTS:
            fail(f"the sink was told {len(of)} times of a {kind}, of {len(set(of))} of {INCIDENTS} incidents")
    run("fsck", "data")
    if resident.most > 1.05 * BUDGET_MIB * 1024:
        fail(f"{resident.most} KiB were resident ({under_load} under load), the budget is {BUDGET_MIB} MiB")
    print(f"{records} records of {records * (TEXT_BYTES + 60) >> 20} MiB, {INCIDENTS} incidents; the sink had {taken} ops "
          f"and {behind:.0f} records waited when it became fast; at most {resident.most} KiB of {BUDGET_MIB * 1024} resident "
          f"in {resident.looks} looks ({under_load} under load), {short:.0f} pauses, {time.monotonic() - begun:.1f} s")
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
sys.exit(0)

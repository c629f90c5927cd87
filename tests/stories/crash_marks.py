"""Aim (F2, D1): a record at which the daemon died twice of a fault of its own is left out from the third
start on, once and for all, with a self-alert; all other records are told of. SIGKILL at a record never
counts, however often. Method: tests/tocsin_killed dies of records that say so (tests/tocsin_killed.c): while
it decodes, and while it asks the rules about an event of an earlier record. What is told goes to the
incident log of one data directory.
"""

import json
import os
import signal
import subprocess
import sys

import killing
from killing import DEADLINE_S, TOCSIN, begin, fail, run, started, wait_for

KILLED = os.path.join(os.path.dirname(TOCSIN), "tests", "tocsin_killed")


def publish(lines):
    with open("events.jsonl", "w", encoding="utf-8") as events:
        for line in lines:
            events.write(json.dumps(line) + "\n")
    run("publish", "--brokers", broker, "--topic", "events", "events.jsonl")


def event(host, message=""):
    return {"resource": host, "check": "down", "message": message}


def life(expected):
    """Runs until it dies by this signal."""
    daemon = killing.start_daemon(KILLED)
    code = daemon.wait(DEADLINE_S)
    if code != -expected:
        fail(f"the daemon ended with {code}, not by signal {expected}")


def opened():
    """Keys of incidents that were opened, in order, and how often."""
    if not os.path.exists("incidents.log"):
        return []
    with open("incidents.log", encoding="utf-8") as log:
        lines = [json.loads(line) for line in log if line.endswith("\n")]
    return [line["key"].split("resource=")[1] for line in lines if line.get("change") == "opened"]


def deaths():
    with open("data/crashes", encoding="utf-8") as crashes:
        return crashes.read()


try:
    begin([TOCSIN, "broker", "--topic", "events:1", "--port-file", "broker.port"], stdout=subprocess.DEVNULL)
    wait_for("the broker listens", lambda: os.path.exists("broker.port") and os.path.getsize("broker.port") > 0)
    with open("broker.port", encoding="utf-8") as at:
        broker = at.read().strip()
    with open("rules.yaml", "w", encoding="utf-8") as rules:
        rules.write("""rules:
  - {id: down, where: check == "down", by: [resource], window: 1m, when: count() >= 1, incident: {title: "{message}"}, close: cleared()}
  - {id: self, where: check == "record-crashed", by: [resource], window: 1m, when: count() >= 1, incident: {title: "{message}"}, close: cleared()}
""")
    with open("tocsin.yaml", "w", encoding="utf-8") as config:
        config.write(f"""input:
  brokers: "{broker}"
  start: earliest
  topics: [{{topic: events, disorder: 0ms}}]
engine: {{workers: 2}}
admin: {{listen: off}}
incident_log: {{path: incidents.log}}
quarantine: {{path: refused.log}}
data: {{dir: data}}
rules: [rules.yaml]
""")
    # SIGKILL: each life dies at the record, and none of them counts.
    publish([event("a"), event("killer", "die-decode-kill"), event("b")])
    for _ in range(10):
        life(signal.SIGKILL)
    if deaths() != "":
        fail(f"SIGKILL was counted: {deaths()}")
    # A program that does not die of it reads it.
    daemon = killing.start_daemon()
    wait_for("all three are told", lambda: opened() == ["a", "killer", "b"])
    daemon.terminate()
    if daemon.wait(DEADLINE_S) != 0:
        fail("the daemon did not stop")
    os.rename("data", "data.killer")
    os.rename("incidents.log", "incidents.killer")

    begin([TOCSIN, "broker", "--topic", "events:1", "--port-file", "broker2.port"], stdout=subprocess.DEVNULL)
    wait_for("it listens", lambda: os.path.exists("broker2.port") and os.path.getsize("broker2.port") > 0)
    with open("broker2.port", encoding="utf-8") as at:
        again = at.read().strip()
    with open("tocsin.yaml", encoding="utf-8") as config:
        text = config.read().replace(broker, again)
    with open("tocsin.yaml", "w", encoding="utf-8") as config:
        config.write(text)
    broker = again
    # A write through a wild pointer, and an assertion: two lives each.
    publish([event("a"), event("first", "die-decode-segv"), event("b"), event("second", "die-match-abrt"), event("c")])
    for number in (signal.SIGSEGV, signal.SIGSEGV, signal.SIGABRT, signal.SIGABRT):
        life(number)
    if deaths() != "11 0 1 events\n" * 2 + "6 0 3 events\n" * 2:
        fail(f"the deaths are written down otherwise: {deaths()}")
    daemon = killing.start_daemon(KILLED)
    wait_for("the rest is told", lambda: len(opened()) == 5)
    publish([event("d")])
    wait_for("it goes on", lambda: "d" in opened())
    daemon.kill()
    daemon.wait()
    os.remove("data/crashes")  # the journal's marks say it alone
    daemon = killing.start_daemon(KILLED)
    publish([event("e")])
    wait_for("the next start goes on", lambda: "e" in opened())
    daemon.terminate()
    if daemon.wait(DEADLINE_S) != 0:
        fail("the daemon did not stop")
    told = opened()
    if len(told) != len(set(told)) or set(told) != {"a", "b", "c", "d", "e", "events/0/1", "events/0/3"}:
        fail(f"opened {told}")
    counts = run("ledger", "data")
    print(counts)
    with open("refused.log", encoding="utf-8") as refused:
        reasons = [json.loads(line)["reason"] for line in refused]
    if set(reasons) != {"crash"}:
        fail(f"refused for {reasons}")
    print(f"{len(told)} incidents, {len(reasons)} refusals in 3 starts")
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
sys.exit(0)

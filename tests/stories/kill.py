"""Aim (D1, D3, C7): SIGKILL at any moment loses no incident and opens none twice; what the journal says
was told is what an undisturbed run over the same records tells (X1b). Method: the real daemon with a data
directory is killed KILLS times at random moments while events stream into three partitions. It has three
sinks: a pager that folds repeats by key (class A), a desk whose records are found late (class C), and a
hook that does neither (class D). All write down every request, and sometimes fail before or after they
have taken one. Then it is started for good, until all is told. The seed is printed; a second argument
sets it. With --switch the rules change before each start and while the daemon runs, and how records are
read changes between two lives (X5): what was told is then held against the journal by each recovery alone. With --steps it is not killed at random moments, but
within durable steps (H3, tests/tocsin_killed.c): before, in the middle of and after a write, a sync, a
rename, of the journal's groups as of everything else. Each life begins with the recovery of the one
before, so a step of low number lies within a recovery, and several of these follow each other. With
--every it is killed before, within and after the first step of each kind, then the second, and so on.
With --recycle segments of the journal are small, and it lets go of them behind each snapshot (C5): what
was told is then in the incident log, and its number is the one that the directory says. With --memory the
system gives it no more memory from some allocation on (F7): then it ends by itself, with 71.
"""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

from killing import DEADLINE_S, TOCSIN, begin, fail, run, start_daemon, start_killed, started, wait_for
from random_seed import random_seed
from told import DOWN, PAIR, Sinks, Stream, lines_of, replayed_like

SWITCHES = "--switch" in sys.argv
EVERY = "--every" in sys.argv
RECYCLE = "--recycle" in sys.argv
SMALL = {"TOCSIN_SEGMENT_BYTES": str(64 << 10)} if RECYCLE else {}
MEMORY = "--memory" in sys.argv
STEPS = "--steps" in sys.argv or EVERY or MEMORY
numbers = [word for word in sys.argv[1:] if not word.startswith("--")]
KILLS = int(numbers[0])
SEED = random_seed(*numbers[1:2])
SETTLE_MS = 300
FLUSH_S = 630  # what is owed by then may be thousands of requests, on a machine with other work
dice = random.Random(SEED)


sinks = Sinks(SEED, SETTLE_MS)


def start():
    return start_killed(None, **SMALL) if RECYCLE else start_daemon()


def steps():
    """Where it is killed; the syncs of the journal are the gates of classes C and D, so these first. A
    segment that is let go of is renamed, or removed, and then the folder is synced."""
    number = 0
    while MEMORY:  # a start makes a thousand, and then each change of an incident some
        yield "alloc", "fail", int(10 ** dice.uniform(2.5, 4))
    while EVERY:
        number += 1
        for step in ("sync", "write", "rename", "sync_dir", "unlink"):
            for when in ("before", "half", "after") if step == "write" else ("before", "after"):
                if step in ("sync", "write") or number <= 3:
                    yield step, when, number
    while RECYCLE:
        for step in ("rename", "sync_dir", "unlink", "sync", "rename", "sync_dir", "write"):
            when = dice.choice(["before", "after", "half"] if step == "write" else ["before", "after"])
            yield step, when, dice.randint(1, 60 if step in ("sync", "write") else 14)
    while True:
        for step in ("sync", "write", "sync", "sync", "rename", "sync", "write", "sync_dir"):
            when = dice.choice(["before", "after", "half"] if step == "write" else ["before", "after"])
            yield step, when, dice.randint(1, 25 if step in ("sync", "write") else 2)


def live_to(step, limit_s):
    """One life, up to this step; whether it came to it."""
    daemon = start_killed("{}:{}:{}".format(*step), **SMALL)
    try:
        code = daemon.wait(limit_s)
    except subprocess.TimeoutExpired:  # it had nothing to write, or not as often
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        sinks.server.work_off()
        return False
    sinks.server.work_off()
    if code != (71 if MEMORY else -signal.SIGKILL):
        fail(f"the daemon ended by itself with {code}")
    if MEMORY and not log_has("out of memory"):
        fail("it ended without a word")
    return True


def log_has(text):
    with open("run.log", encoding="utf-8") as log:
        return text in log.read()


# What is different: a rule that goes, one whose form changes, what an incident is called.
RULES = (DOWN + PAIR, DOWN, DOWN + PAIR.replace("1h", "2s"), DOWN.replace("is down", "fell") + PAIR)


def write_rules(text):
    with open("rules.new", "w", encoding="utf-8") as to:
        to.write("rules:" + text)
    os.replace("rules.new", "rules.yaml")


# How records are read, and whether a snapshot makes it unnecessary to read them again.
SETTINGS = (("0ms", "200ms", "2s"), ("1d", "1h"), ("5s", "1s"), ("200ms", "5m"))


def write_settings(broker):
    disorder, past, behind, every = (dice.choice(values) for values in SETTINGS)
    with open("tocsin.yaml", "w", encoding="utf-8") as to:
        to.write(f"""input: {{brokers: "{broker}", start: earliest, topics: [{{topic: events, disorder: {disorder}}}]}}
rules: [rules.yaml]
engine: {{past: {past}, behind: {behind}}}
data: {{dir: data, snapshot: {{every: {every}}}}}
incident_log: {{path: lived.log}}
outbox: {{flush: 10m}}
admin: {{listen: "off"}}
{sinks.config()}""")


def write_files(broker):
    write_rules(RULES[0])
    with open("tocsin.yaml", "w", encoding="utf-8") as to:
        to.write(f"""input: {{brokers: "{broker}", start: earliest}}
rules: [rules.yaml]
data: {{dir: data, snapshot: {{every: 200ms}}{", journal: {bytes: {max: 1}}" if RECYCLE else ""}}}
incident_log: {{path: lived.log}}
outbox: {{flush: 10m}}
admin: {{listen: "off"}}
{sinks.config()}""")


def lets_go():
    return "journal: it begins with frame" in run("fsck", "data")


def says_from_when_on():
    """What asks the journal about the past says from when on it can tell."""
    asked = subprocess.run([TOCSIN, "replay", "--config", "tocsin.yaml", "--data", "data", "--from", "earliest",
                            "--to", "latest", "--incidents", "off", "--ledger", "off"],
                           capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if asked.returncode != 0 or "note: the journal has no marks of before 2" not in asked.stderr + asked.stdout:
        fail(f"replay --data: code {asked.returncode}: {asked.stdout} {asked.stderr}")
    written = subprocess.run([TOCSIN, "digest", "data", "--incidents", "late.log"],
                             capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if written.returncode != 0 or "note: the journal begins with frame" not in written.stderr:
        fail(f"digest --incidents: code {written.returncode}: {written.stdout} {written.stderr}")
    told, late = lines_of("told.log"), lines_of("late.log")
    if late != told[len(told) - len(late):]:
        fail("what the journal still has is not the end of what was told")


def all_read(stream):
    ledger = json.loads(run("ledger", "data"))
    return ledger["engine"].get("closed_events", 0) >= stream.count


def tell_the_same():
    """The journal's log against that of a replay of the same records: what came to both ends."""
    broker = lines_of("broker.port")[0]
    if RECYCLE:
        os.replace("lived.log", "told.log")
    else:
        run("digest", "data", "--incidents", "told.log")
    if run("digest", "data") != run("digest", "told.log"):
        fail(f"the directory says {run('digest', 'data')}, its lines {run('digest', 'told.log')}")
    if SWITCHES:
        return lines_of("told.log")
    run("record", "--brokers", broker, "--topic", "events", "--from", "earliest", "--to", "latest",
        "--output", "all.trec", "--quiet")
    told = lines_of("told.log")
    replayed = replayed_like(told, "data")
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
    rebuilt = run("history", "--data", "data", "--rebuild")
    if RECYCLE and "the journal begins with frame" not in rebuilt:
        fail(f"a rebuild does not say what is missing: {rebuilt}")
    anew = rows_of_history()
    for table, rows in lived.items():
        if rows != anew[table]:
            fail(f"{table} made anew is another: {[row for row in rows if row not in anew[table]][:3]}")


def main():
    sinks.serve()
    with open("broker.log", "w", encoding="utf-8") as log:
        begin([TOCSIN, "broker", "--topic", "events:3", "--port-file", "broker.port"], stdout=log, stderr=log)
    wait_for("the broker listens", lambda: os.path.exists("broker.port") and os.path.getsize("broker.port") > 0)
    broker = lines_of("broker.port")[0]
    write_files(broker)
    stream = Stream(broker, SEED)
    stream.start()
    early = reached = 0
    ways = steps()
    for _, step in zip(range(KILLS if STEPS else 0), ways):
        reached += live_to(step, 1.5)
        early += not log_has("event=recovered")
    if STEPS:
        # Few lives have a third rename, and on a busy machine each comes less far: those have more time.
        more = 0
        while reached < KILLS / 8 and more < 20:
            reached += live_to(next(ways), 10)
            more += 1
        print(f"{reached} of {KILLS} and {more} steps were come to")
        if reached < KILLS / 8:
            fail("these are too few")
    for _ in range(0 if STEPS else KILLS):
        if SWITCHES:
            write_rules(dice.choice(RULES))
            write_settings(broker)
        daemon = start()
        time.sleep(dice.choice([0.05, 0.2, 0.6]) + dice.random() * 0.5)  # the moment of the kill
        if SWITCHES and log_has("event=started"):
            write_rules(dice.choice(RULES))
            daemon.send_signal(signal.SIGHUP)
            time.sleep(dice.random())
        if daemon.poll() is not None or log_has("event=giving_up"):
            fail(f"the daemon ended by itself with {daemon.returncode}")
        early += not log_has("event=recovered")
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        sinks.server.work_off()
    daemon = start()
    if RECYCLE:
        wait_for("the journal lets go of a segment", lambda: daemon.poll() is not None or lets_go())
    stream.end()
    sinks.is_calm.set()
    wait_for("all is read", lambda: daemon.poll() is not None or all_read(stream))
    if daemon.poll() is not None:
        fail(f"the daemon ended by itself with {daemon.returncode}")
    daemon.send_signal(signal.SIGTERM)
    if daemon.wait(FLUSH_S) != 0:
        fail(f"exit code {daemon.returncode}")

    told = [json.loads(line) for line in tell_the_same()]
    if RECYCLE:
        says_from_when_on()
    ledger = json.loads(run("ledger", "data"))
    ops = ledger["ops"]
    if ops["all"] != ops["done"] + ops["superseded"]:
        fail(f"not all was delivered: {ops}")
    incidents = sinks.judge(told)
    remember_the_same(told)
    repeats = len(sinks.pager.requests) - len(sinks.pager.taken)
    print(f"{KILLS} kills, {early} of them before the recovery was over; {stream.count} events, {incidents} "
          f"incidents, {len(sinks.pager.requests)} requests of which {repeats} repeats, all folded; {run('fsck', 'data')}")


try:
    main()
finally:
    for process in started:
        if process.poll() is None:
            process.kill()

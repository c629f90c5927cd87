"""Aim (S1 to S4, F4): another daemon goes on with the unit of one that was killed or frozen, from a directory of
its own and a real Redis, and nothing is lost or told twice. Method: two daemons share a unit while events stream
into three partitions; their sinks are those of kill.py. TAKE_OVERS times one fault strikes the owner: it is killed,
or frozen past its lease and woken, or the Redis stops for a while or past the lease, comes back empty or as it was,
loads for a while, takes nothing, wants another password, or has lost the last of what it was told while the other
one has nothing at all. Of many take-overs 99 in 100 must be done within the lease and five seconds; who
was frozen must find out and end with code 75. Meanwhile events are pushed to whoever owns the unit, each for
a host of its own: what was answered is told once, whoever owns it then. Then all is told, and what came by Kafka held
against a replay of the same records. The seed is printed; a second argument sets it. --faults=NAME,... says
which strike, in turn; --kafka reads a real Kafka instead of the mock one;
with --images snapshots are taken all the time, who takes over goes on from one in the Redis, and that lets go
of what was pushed first.
"""

import datetime
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import killing
from free_port import free_port
from killing import DEADLINE_S, TOCSIN, begin, fail, run, started, wait_for
from random_seed import random_seed
from told import DOWN, PAIR, Sinks, Stream, lines_of, replayed_like

words = [word for word in sys.argv[1:] if not word.startswith("--")]
TAKE_OVERS = int(words[0])
SEED = random_seed(*words[1:2])
FAULTS = [word.split("=")[1].split(",") for word in sys.argv[1:] if word.startswith("--faults=")]
FAULTS = FAULTS[0] if FAULTS else ["kill", "redis-away", "freeze", "wipe", "read-only", "kill-torn", "password",
                                   "loading", "kill-stale"]
IMAGES = "--images" in sys.argv
PUSHES = FAULTS[0] != "lost" and not IMAGES
TOPIC = f"{os.environ['STORY']}.{os.getpid()}" if "--kafka" in sys.argv else "events"
LEASE_S = 8  # a machine that stands still for five seconds does not lose it
SETTLE_MS = 300
FLUSH_S = 250  # what is owed by then may be hundreds of requests, on a machine with other work
UNREACHABLE_S = LEASE_S if FAULTS == ["kill"] else 30  # less than anybody has stood by
LATE_S = 5  # beyond the lease, of 99 in 100
ENOUGH = 50  # so many say something of a machine that does other things as well
PASSWORD = "open sesame"
dice = random.Random(SEED)


class Redis:
    """A server of our own, without files, unless it is told to save: what it held is gone with it."""

    def __init__(self):
        self.port = free_port()
        self.process = None
        self.password = PASSWORD

    def start(self, *more):
        with open("redis.log", "a", encoding="utf-8") as log:
            self.process = begin(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                                  "--appendonly", "no", "--requirepass", PASSWORD, *more], stdout=log, stderr=log)
        if not more:
            wait_for("Redis answers", lambda: self.ask("PING") == "PONG")

    def save(self):
        if self.ask("SAVE") != "OK":
            fail("Redis cannot save")

    def start_empty(self):
        if os.path.exists("dump.rdb"):
            os.unlink("dump.rdb")
        self.start()

    def ask(self, *command):
        done = subprocess.run(["redis-cli", "-p", str(self.port), "--no-auth-warning", "-a", self.password, *command],
                              capture_output=True, text=True, errors="replace", timeout=DEADLINE_S, check=False)
        return done.stdout.strip()

    def end(self):
        """Number of the last frame of the journal that it has."""
        return int(self.ask("GET", "tocsin:{main}:end").split()[0])

    def kill(self):
        self.process.kill()
        self.process.wait()


class Daemon:
    """One of the two: a folder with a configuration and a data directory."""

    def __init__(self, name):
        self.name = name
        self.port = free_port()
        self.process = None
        os.mkdir(name)

    def configure(self, broker, redis):
        with open(f"{self.name}/rules.yaml", "w", encoding="utf-8") as to:
            to.write("rules:" + DOWN + PAIR)
        with open(f"{self.name}/tocsin.yaml", "w", encoding="utf-8") as to:
            to.write(f"""input: {{brokers: "{broker}", start: earliest, topics: [{{topic: "{TOPIC}"}}], unreachable: {UNREACHABLE_S}s}}
rules: [rules.yaml]
data: {{dir: data, snapshot: {{every: {"200ms" if IMAGES else "0s"}}}}}
intake: {{body: {{max: 1KiB}}, keep: 1s, bytes: {{max: 64KiB}}}}
shared:
  address: "127.0.0.1:{redis.port}"
  lease: {LEASE_S}s
  options: {{password: env:REDIS_PASSWORD}}
outbox: {{flush: 10m}}
admin: {{listen: "127.0.0.1:{self.port}"}}
{sinks.config()}""")

    def start(self):
        with open(f"{self.name}/run.log", "w", encoding="utf-8") as log:
            self.process = begin([TOCSIN, "run", "--config", "tocsin.yaml"], stderr=log, cwd=self.name,
                                 env={**os.environ, "REDIS_PASSWORD": PASSWORD})

    def log_lines(self, text):
        with open(f"{self.name}/run.log", encoding="utf-8") as log:
            return sum(text in line for line in log)

    def time_of(self, event):
        """When the log first says it, or None."""
        with open(f"{self.name}/run.log", encoding="utf-8") as log:
            times = [line[len("time="):].split("Z")[0] for line in log if f" event={event} " in line]
        return datetime.datetime.fromisoformat(times[0]) if times else None

    def answers(self, path, body=None, patience_s=5):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", body, timeout=patience_s) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def is_ready(self):
        return self.answers("/readyz")[0] == 200

    def stands_by(self):
        code, text = self.answers("/readyz")
        return code == 503 and text.startswith("standing by: ")

    def ended_with(self, code):
        if self.process.poll() is None:
            return False
        if self.process.returncode != code:
            give_up(self, f"{self.name} ended with {self.process.returncode}, not {code}")
        return True

    def ledger(self):
        done = subprocess.run([TOCSIN, "ledger", f"{self.name}/data"], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}


def give_up(daemon, why):
    os.unlink("run.log")
    os.symlink(f"{daemon.name}/run.log", "run.log")
    fail(why)


def wait_ready(daemon, what):
    until = time.monotonic() + DEADLINE_S
    while not daemon.is_ready():
        if daemon.process.poll() is not None:
            give_up(daemon, f"{daemon.name} ended with {daemon.process.returncode}: {what}")
        if time.monotonic() > until:
            give_up(daemon, f"waited in vain until {what}")
        time.sleep(0.01)


class Pusher(threading.Thread):
    """Pushes an event at a time to whoever takes it, until it is told to stop."""

    def __init__(self, daemons):
        super().__init__(daemon=True)
        self.daemons = daemons
        self.answered = set()  # resources
        self.refused = 0
        self.must_stop = threading.Event()
        self.at_it = threading.Lock()  # held for as long as nothing is to be pushed

    def push(self, daemon, number, state="problem", patience_s=5):
        event = {"tenant": "pushed", "source": "s", "resource": f"p{number}", "check": "down",
                 "severity": "critical", "state": state}
        return daemon.answers("/events", json.dumps(event).encode(), patience_s)[0] == 200

    def run(self):
        number = 0
        while not self.must_stop.wait(0.02):
            with self.at_it:
                number += 1
                if any(self.push(daemon, number) for daemon in self.daemons):
                    self.answered.add(f"p{number}")
                else:
                    self.refused += 1

    def end(self, owner):
        """All of them are over, also those of which nobody was told that they were taken."""
        self.must_stop.set()
        if self.ident is not None:
            self.join()
        for number in range(1, len(self.answered) + self.refused + 1):
            if not self.push(owner, number, "clear", DEADLINE_S):
                give_up(owner, "a push is refused though nothing is wrong")


sinks = Sinks(SEED, SETTLE_MS)
redis = Redis()
daemons = []
stream = None
pusher = Pusher(daemons)
times = []


def take_over(owner, other, began):
    """The other one becomes the owner in time."""
    wait_ready(other, f"{other.name} has taken over from {owner.name}")
    took = time.monotonic() - began
    times.append(took)
    # Who stood by read nothing, which is no input that is lost.
    wait_for("it has looked at its input", lambda: other.time_of("ready"))
    lost = other.time_of("input_lost")
    if lost and lost - other.time_of("started") < datetime.timedelta(seconds=UNREACHABLE_S - 1):
        give_up(other, "it says that its input is lost before that can be")
    return other, owner


def stand_by_again(daemon):
    daemon.start()
    wait_for(f"{daemon.name} stands by, and has what there is", lambda: daemon.log_lines("event=following") > 0)
    if not daemon.stands_by():
        give_up(daemon, f"{daemon.name} stands by, and says {daemon.answers('/readyz')}")


def strike_kill(owner, other):
    owner.process.kill()
    began = time.monotonic()
    owner.process.wait()
    owner, other = take_over(owner, other, began)
    stand_by_again(other)
    return owner, other


def strike_kill_fresh(owner, other):
    """The owner dies, and the one that takes over has an empty disk."""
    other.process.kill()
    other.process.wait()
    shutil.rmtree(f"{other.name}/data")
    owner.process.kill()
    began = time.monotonic()
    owner.process.wait()
    other.start()
    owner, other = take_over(owner, other, began)
    if IMAGES and owner.log_lines("event=recovering") == owner.log_lines("snapshot=0"):
        give_up(owner, "it did not go on from an image")
    stand_by_again(other)
    return owner, other


def strike_freeze(owner, other):
    owner.process.send_signal(signal.SIGSTOP)
    owner, other = take_over(owner, other, time.monotonic())
    other.process.send_signal(signal.SIGCONT)
    wait_for("who was frozen finds out", lambda: other.ended_with(75))
    if not other.log_lines("event=unit_overtaken"):
        give_up(other, "it does not say why it ended")
    stand_by_again(other)
    return owner, other


def keep_their_places(owner, other):
    if not owner.is_ready() or not other.stands_by():
        give_up(owner, f"a store that was away changed the owner: {owner.answers('/readyz')}, "
                       f"{other.answers('/readyz')}")


def goes_on_without(owner, other):
    """Nobody takes over, and sinks that fold repeats are told."""
    wait_for("the owner notices", lambda: owner.log_lines("event=shared_store_away") > 0)
    told = len(sinks.pager.requests)
    wait_for("sinks that fold repeats are told", lambda: len(sinks.pager.requests) > told + 3)
    keep_their_places(owner, other)


def comes_back(owner, other, times_before):
    wait_for("it is back", lambda: owner.log_lines("event=shared_store_back") > times_before)
    # What was answered without it is on one disk alone until it has it.
    wait_for("it has what it missed", lambda: "\ntocsin_shared_owed_frames 0\n" in owner.answers("/metrics")[1])
    keep_their_places(owner, other)
    return owner, other


def strike_redis_away(owner, other):
    """It stops, for longer than the lease or not."""
    before = owner.log_lines("event=shared_store_back")
    redis.process.send_signal(signal.SIGSTOP)
    goes_on_without(owner, other)
    time.sleep(dice.random() * 3)
    redis.process.send_signal(signal.SIGCONT)
    return comes_back(owner, other, before)


def strike_redis_frozen(owner, other):
    """It stands still for longer than the lease, and wakes with all that it was asked in its sockets. The owner, who
    answers pushes all the time, stays it: who stood by does not know whether it lives until it had time to say so."""
    before = owner.log_lines("event=shared_store_back")
    until = time.monotonic() + LEASE_S + 1 + dice.random() * 2
    redis.process.send_signal(signal.SIGSTOP)
    answered = len(pusher.answered)
    goes_on_without(owner, other)
    wait_for("pushes are answered without it", lambda: len(pusher.answered) > answered + 3)
    time.sleep(max(0, until - time.monotonic()))
    redis.process.send_signal(signal.SIGCONT)
    owner, other = comes_back(owner, other, before)
    wait_for("the lease is the owner's again", lambda: not redis.ask("GET", "tocsin:{main}:lease") == "")
    keep_their_places(owner, other)
    return owner, other


def strike_read_only(owner, other):
    """As a replica that was not promoted: it answers, and takes nothing."""
    before = owner.log_lines("event=shared_store_back")
    redis.ask("REPLICAOF", "127.0.0.1", "1")
    goes_on_without(owner, other)
    redis.ask("REPLICAOF", "NO", "ONE")
    return comes_back(owner, other, before)


def strike_password(owner, other):
    before = owner.log_lines("event=shared_store_back")
    redis.ask("CONFIG", "SET", "requirepass", "another")
    redis.password = "another"
    redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    goes_on_without(owner, other)
    wait_for("it says why", lambda: owner.log_lines(f"port {redis.port} refuses the password") > 0)
    redis.ask("CONFIG", "SET", "requirepass", PASSWORD)
    redis.password = PASSWORD
    return comes_back(owner, other, before)


def strike_wipe(owner, other):
    """It dies and comes back empty: it gets the unit anew, and the other one can still go on from there."""
    before = owner.log_lines("event=shared_store_back")
    redis.kill()
    redis.start_empty()
    return comes_back(owner, other, before)


def strike_loading(owner, other):
    """It dies, and is a while at reading what it had saved, which is not all that it was told."""
    before = owner.log_lines("event=shared_store_back")
    redis.save()
    shown = redis.end()
    wait_for("more is told", lambda: redis.end() > shown + 3)
    redis.kill()
    # Half a second a key, and it answers meanwhile.
    redis.start("--key-load-delay", "500000", "--loading-process-events-interval-bytes", "1024")
    wait_for("it loads", lambda: "LOADING" in redis.ask("GET", "tocsin:{main}:end"))
    goes_on_without(owner, other)
    wait_for("it has loaded", lambda: redis.ask("PING") == "PONG")
    redis.ask("CONFIG", "SET", "key-load-delay", "0")
    return comes_back(owner, other, before)


def strike_kill_stale(owner, other):
    """It comes back as it was some time ago, and the owner never does. What was pushed since then is gone with both
    of them, so nothing is; what came by Kafka is there to be read again."""
    with pusher.at_it:
        redis.save()
        shown = redis.end()
        wait_for("more is told", lambda: redis.end() > shown + 3)
        redis.kill()
        owner.process.kill()
        began = time.monotonic()
        owner.process.wait()
        redis.start()
        owner, other = take_over(owner, other, began)
    stand_by_again(other)
    return owner, other


def strike_kill_torn(owner, other):
    """The owner dies, the last five groups are missing from what it left, and nobody else has them (S1)."""
    other.process.kill()
    other.process.wait()
    shutil.rmtree(f"{other.name}/data")
    owner.process.kill()
    began = time.monotonic()
    owner.process.wait()
    end = redis.end()
    kept = end - min(5, end - 1)
    chain = redis.ask("XRANGE", "tocsin:{main}:journal", f"{kept}-0", f"{kept}-0").split("\n")
    redis.ask("SET", "tocsin:{main}:end", f"{kept} {chain[chain.index('chain') + 1]}")
    for number in range(kept + 1, end + 1):
        redis.ask("XDEL", "tocsin:{main}:journal", f"{number}-0")
    redis.ask("XSETID", "tocsin:{main}:journal", f"{kept}-0")
    other.start()
    owner, other = take_over(owner, other, began)
    stand_by_again(other)
    return owner, other


def is_at_rest(daemon):
    """No op waits."""
    ops = daemon.ledger().get("ops", {"made": 1})
    return all(ops.get(state, 0) == 0 for state in ("owed", "intent", "retry", "uncertain", "made"))


def strike_lost(owner, other):
    """Both directories are gone, and the Redis comes back empty (S4): the past is read again, and what was over
    before is told to nobody. To be the first strike, for what was pushed is gone as well."""
    with stream.at_it:
        sinks.is_calm.set()
        stream.put("last", "down", "problem")
        stream.flush()
        stream.open()
        wait_for("the last is open", lambda: "-last" in owner.answers("/incidents?open=1")[1])
        wait_for("all is told", lambda: is_at_rest(owner))
        told, still_open = len(sinks.pager.requests), set(sinks.pager.open)
        for daemon in (owner, other):
            daemon.process.kill()
            daemon.process.wait()
            shutil.rmtree(f"{daemon.name}/data")
        redis.kill()
        redis.start_empty()
        other.start()
        wait_for("the past is caught up with", lambda: other.log_lines("event=caught_up") > 0)
        wait_for("what is open is told", lambda: {key for key, *_ in sinks.pager.requests[told:]} >= still_open)
        wait_for("and nothing else is left to tell", lambda: is_at_rest(other))
        again = {key for key, *_ in sinks.pager.requests[told:]} - still_open
        if again or not still_open:
            give_up(other, f"told again though it was over: {again}; {len(still_open)} were open")
        sinks.is_calm.clear()
        stream.put("last", "down", "clear")
    stand_by_again(owner)
    return other, owner


STRIKES = {"kill": strike_kill, "freeze": strike_freeze, "redis-away": strike_redis_away, "wipe": strike_wipe,
           "redis-frozen": strike_redis_frozen,
           "read-only": strike_read_only, "password": strike_password, "kill-torn": strike_kill_torn,
           "loading": strike_loading, "kill-stale": strike_kill_stale, "lost": strike_lost, "kill-fresh": strike_kill_fresh}


def open_of(daemon):
    code, text = daemon.answers("/incidents?open=1")
    if code != 200:
        give_up(daemon, f"/incidents of one that stands by: {code} {text}")
    return {line["incident"] for line in json.loads(text)["open"]}


def open_broker():
    """Where the topic is, with three partitions."""
    if "--kafka" in sys.argv:
        folder = os.path.join(os.path.dirname(os.environ["TOCSIN_KAFKA_CA"]), "..")
        subprocess.run([os.environ["TOCSIN_TREE"] + "/tests/kafka/kafka", "topic", folder, TOPIC, "3"], check=True,
                       timeout=DEADLINE_S)
        return os.environ["TOCSIN_KAFKA"]
    with open("broker.log", "w", encoding="utf-8") as log:
        begin([TOCSIN, "broker", "--topic", f"{TOPIC}:3", "--port-file", "broker.port"], stdout=log, stderr=log)
    wait_for("the broker listens", lambda: os.path.exists("broker.port") and os.path.getsize("broker.port") > 0)
    return lines_of("broker.port")[0]


def main():
    sinks.serve()
    broker = open_broker()
    redis.start_empty()
    owner, other = Daemon("a"), Daemon("b")
    daemons.extend([owner, other])
    for daemon in (owner, other):
        daemon.configure(broker, redis)
    shutil.copy("a/tocsin.yaml", "tocsin.yaml")
    shutil.copy("a/rules.yaml", "rules.yaml")
    os.symlink("a/run.log", "run.log")
    owner.start()
    wait_ready(owner, "the first owns the unit")
    stand_by_again(other)
    global stream
    stream = Stream(broker, SEED, TOPIC)
    stream.start()
    wait_for("something is told", lambda: len(sinks.pager.requests) > 3)
    if PUSHES:
        pusher.start()
    silence = b'{"where": "host == \\"nobody\\"", "for": "2h"}'
    code, text = owner.answers("/silences/add", silence, DEADLINE_S)
    if code != 200:
        give_up(owner, f"a silence by hand: {code} {text}")
    # What is open is there for everyone: of one that stands by it can be asked.
    wait_for("it shows what is open", lambda: sinks.pager.open & open_of(other))
    wait_for("anybody can read it", lambda: sinks.pager.open & {
        line["incident"] for line in json.loads(run("incidents", "--config", "tocsin.yaml", "--json"))["open"]})
    wait_for("a line for each", lambda: "(tenant=acme host=" in run("incidents", "--config", "tocsin.yaml"))
    for at in range(TAKE_OVERS):
        time.sleep(dice.random() * 0.8)  # the moment of the fault
        fault = FAULTS[at % len(FAULTS)]
        owner, other = STRIKES[fault](owner, other)
    stream.end()
    sinks.is_calm.set()
    if IMAGES and PUSHES:  # what is pushed goes on until then
        wait_for("the Redis lets go of what was pushed first", lambda: first_pushed(redis) > 1)
    pusher.end(owner)
    if PUSHES and json.loads(text)["id"] not in owner.answers("/silences")[1]:
        give_up(owner, f"the silence {text} was made, and now there is {owner.answers('/silences')}")
    wait_for("all is read", lambda: owner.ledger().get("engine", {}).get("closed_events", 0) >=
             stream.count + 2 * len(pusher.answered) + pusher.refused)
    owner.process.send_signal(signal.SIGTERM)
    if owner.process.wait(FLUSH_S) != 0:
        give_up(owner, f"exit code {owner.process.returncode}")
    told = tell_the_same(owner, broker)
    incidents = sinks.judge([json.loads(line) for line in (lines_of("replayed.log") if IMAGES else told)],
                            tells_again=True)
    opened = [line["key"].split("host=")[1] for line in map(json.loads, told)
              if line.get("change") == "opened" and is_pushed(line)]
    if len(opened) != len(set(opened)) or not pusher.answered <= set(opened):
        give_up(owner, f"pushed, answered and not told: {pusher.answered - set(opened)}; {len(opened)} told")

    # Let go in good order: the other one need not wait for the lease, and has all of it.
    wait_ready(other, "the unit that was let go is taken")
    other.process.send_signal(signal.SIGTERM)
    if other.process.wait(DEADLINE_S) != 0:
        give_up(other, f"exit code {other.process.returncode}")
    if tell_the_same(other, broker) != told and not IMAGES:
        give_up(other, "the other directory tells something else")
    if any(line != "" for line in redis.ask("HKEYS", "tocsin:{main}:open").split("\n")):
        give_up(other, f"still open there: {redis.ask('HKEYS', 'tocsin:{main}:open')}")
    times.sort()
    if len(times) >= ENOUGH and times[len(times) * 99 // 100] > LEASE_S + LATE_S:
        give_up(owner, f"at a lease of {LEASE_S} s the slowest took {times[-3:]} s to take over")
    print(f"{TAKE_OVERS} faults ({', '.join(FAULTS)}), {len(times)} take-overs at a lease of {LEASE_S} s"
          + (f": {times[0]:.2f} to {times[-1]:.2f} s, half within {times[len(times) // 2]:.2f} s, 99 % within "
             f"{times[min(len(times) - 1, len(times) * 99 // 100)]:.2f} s" if times else "")
          + f"; {stream.count} events, {incidents} incidents, {len(sinks.pager.requests)} requests; "
            f"{len(pusher.answered)} pushes answered, {pusher.refused} refused")


def first_pushed(redis):
    """Frame with which the intake log begins there."""
    found = re.match(r"(\d+)-0", redis.ask("XRANGE", "tocsin:{main}:intake", "-", "+", "COUNT", "1"))
    return int(found[1]) if found else 0


def tell_the_same(daemon, broker):
    run("digest", f"{daemon.name}/data", "--incidents", "told.log")
    if not os.path.exists("all.trec"):
        run("record", "--brokers", broker, "--topic", TOPIC, "--from", "earliest", "--to", "latest",
            "--output", "all.trec", "--quiet")
    whole = lines_of("told.log")
    pushed = {line["incident"] for line in map(json.loads, whole) if line.get("change") == "opened" and is_pushed(line)}
    told = [line for line in whole if json.loads(line)["incident"] not in pushed]
    replayed = replayed_like(told, f"{daemon.name}/data")
    if IMAGES:  # a journal that begins with an image tells what came since
        replayed = replayed[len(replayed) - len(told):]
    if told != replayed:
        at = next((i for i, (a, b) in enumerate(zip(told, replayed)) if a != b), min(len(told), len(replayed)))
        give_up(daemon, f"line {at + 1} of {len(told)} and {len(replayed)}:\n{told[at:at + 1]}\n{replayed[at:at + 1]}")
    return whole


def is_pushed(line):
    return line["tenant"] == "pushed"


os.environ["REDIS_PASSWORD"] = PASSWORD  # for commands that read the configuration
try:
    main()
finally:
    for process in started:
        if process.poll() is None:
            process.kill()

"""Aim (C3, D1, X1): SIGKILL at any moment, also between the sync of what was pushed and its answer, loses
nothing that was answered and opens nothing twice; what was kept and not answered comes to its incident,
too. Method: four senders push one event each after the other, every one of a host of its own, while the
real daemon is killed KILLS times at random moments; a webhook writes down what it is told. In the end each
host that the audit has was told once, and no other; each answer names the position at which it stands. The
seed is printed; a second argument sets it. With --steps it is killed within durable steps instead (H3,
tests/tocsin_killed.c): before, in the middle of and after a write, before and after a sync. With
--recycle segments are small and intake.bytes.max is reached all the time, and it is killed as the log lets
go of a segment and as a checkpoint is written (C5): a silence made by hand holds on, what the audit begins
with moves on, and what it still has is as above.
"""

import http.client
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

from free_port import free_port
from killing import DEADLINE_S, TOCSIN, Server, begin, fail, run, start_daemon, start_killed, started, wait_for
from random_seed import random_seed

STEPS = "--steps" in sys.argv
RECYCLE = "--recycle" in sys.argv
SMALL = {"TOCSIN_SEGMENT_BYTES": str(64 << 10), "TOCSIN_KILL_IN": "/intake"} if RECYCLE else {}
PAD = "x" * 4000 if RECYCLE else ""
numbers = [word for word in sys.argv[1:] if not word.startswith("--")]
KILLS = int(numbers[0])
SEED = random_seed(*numbers[1:2])
SENDERS = 4
dice = random.Random(SEED)

opens = {}  # host -> ids of the ops that opened something for it
opens_lock = threading.Lock()


class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["op"]["kind"] == "open":
            host = body["incident"]["key"].split("host=")[1]
            with opens_lock:
                opens.setdefault(host, set()).add(body["op"]["id"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def live_to(step):
    """One life, up to this step."""
    daemon = start_killed(step, **SMALL)
    code = daemon.wait(DEADLINE_S)
    if code != -signal.SIGKILL:
        fail(f"the daemon ended by itself with {code}")


def live_for_a_while():
    daemon = start_daemon()
    before = len(answered)
    wait_for("something is answered", lambda: len(answered) > before)
    time.sleep(dice.random() * 0.5)
    daemon.kill()
    daemon.wait()


def audited():
    """What the audit has of pushes: host -> position."""
    kept = {}
    for line in run("audit", "--json", "data").splitlines():
        record = json.loads(line)
        host = json.loads(record["body"]).get("resource")
        if host is not None:
            kept[host] = int(record["position"].split("/")[1])
    return kept


def kept_unanswered():
    kept = set(audited())
    with answered_lock:
        return kept & unanswered


def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", ADMIN, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        fail(f"{method} {path}: {answer.status} {text}")
    return json.loads(text)


def is_ready():
    try:
        connection = http.client.HTTPConnection("127.0.0.1", ADMIN, timeout=10)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def start_whole():
    return start_killed(None, **SMALL) if RECYCLE else start_daemon()


def check_silence():
    """Made by hand in the first life; a checkpoint says it where its record has gone."""
    listed = json.dumps(ask("GET", "/silences"))
    if '"id": "by-hand-1"' not in listed:
        fail(f"the silence is gone: {listed}")


def release_steps():
    """Calls of a log that lets go (tests/tocsin_killed.c), and which of a life it is."""
    while True:
        for step in ("release", "release_sync", "checkpoint", "checkpoint_sync"):
            for when in ("before", "half", "after") if step == "checkpoint" else ("before", "after"):
                yield f"{step}:{when}:{dice.randint(1, 4)}"


answered = {}  # host -> position
unanswered = set()
answered_lock = threading.Lock()
is_over = threading.Event()


def send(sender):
    """Pushes until the end; whoever is not answered goes on with another host."""
    number = 0
    connection = None
    while not is_over.is_set():
        number += 1
        host = f"h{sender}-{number}"
        event = {"tenant": "acme", "source": "s", "resource": host, "check": "down", "severity": "critical",
                 "summary": PAD}
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", ADMIN, timeout=10)
                connection.connect()
            connection.request("POST", "/events", json.dumps(event))
            answer = connection.getresponse()
            text = answer.read()
            with answered_lock:
                if answer.status == 200:
                    answered[host] = int(json.loads(text)["position"].split("/")[1])
                else:
                    unanswered.add(host)
        except (OSError, http.client.HTTPException):
            with answered_lock:
                unanswered.add(host)
            connection = None
            time.sleep(0.01)


ADMIN = free_port()
server = Server(("127.0.0.1", 0), Hook)
threading.Thread(target=server.serve_forever, daemon=True).start()
try:
    begin([TOCSIN, "broker", "--topic", "events:2", "--port-file", "broker.port"], stdout=subprocess.DEVNULL)
    wait_for("the broker listens", lambda: os.path.exists("broker.port") and os.path.getsize("broker.port") > 0)
    with open("broker.port", encoding="utf-8") as at:
        broker = at.read().strip()
    with open("rules.yaml", "w", encoding="utf-8") as rules:
        rules.write("""rules:
  - id: down
    where: check == "down"
    by: [tenant, host]
    window: 1m
    when: count() >= 1
    incident: {title: "{host} is down", priority: P1}
    close: cleared()
""")
    with open("tocsin.yaml", "w", encoding="utf-8") as config:
        config.write(f"""input:
  brokers: "{broker}"
  start: earliest
  topics: [{{topic: events, disorder: 0ms}}]
engine: {{expire: 1h}}
admin: {{listen: "127.0.0.1:{ADMIN}"}}
incident_log: {{path: incidents.log}}
rules: [rules.yaml]
data: {{dir: data{", snapshot: {every: 100ms}" if RECYCLE else ""}}}
{"intake: {body: {max: 8192}, bytes: {max: 256KiB}}" if RECYCLE else ""}
sinks:
  - {{name: hook, type: webhook, options: {{url: "http://127.0.0.1:{server.server_port}/", idempotent: "true", rate_per_minute: "0"}}}}
""")
    senders = [threading.Thread(target=send, args=(i,), daemon=True) for i in range(SENDERS)]
    for thread in senders:
        thread.start()
    if RECYCLE:
        daemon = start_whole()
        wait_for("it is ready", is_ready)
        if ask("POST", "/silences/add", '{"where": "host == \\"quiet\\"", "for": "9h"}').get("id") != "by-hand-1":
            fail("the first silence has another id")
        daemon.kill()
        daemon.wait()
    points = release_steps()
    for kill in range(KILLS):
        if RECYCLE:
            live_to(next(points))
        elif STEPS:
            step = ("sync:after", "write:half", "write:after", "sync:before", "write:before")[kill % 5]
            live_to(f"{step}:{dice.randint(5, 60)}")
        else:
            live_for_a_while()
    # Which of them were on their way then is chance: as long as none of what was kept went without an answer
    # there are more.
    for kill in range(40):
        if not STEPS or kept_unanswered():
            break
        live_to(f"write:after:{dice.randint(5, 60)}")
    is_over.set()
    for thread in senders:
        thread.join()
    daemon = start_whole()
    if RECYCLE:
        wait_for("it is ready", is_ready)
        check_silence()
    kept = audited()
    first = min(kept.values())
    if RECYCLE and first == 0:
        fail("nothing has gone")
    if not RECYCLE and sorted(kept.values()) != list(range(len(kept))):
        fail("positions are not one after the other")
    for host, position in answered.items():
        if kept.get(host) != position and position >= first:
            fail(f"{host} was answered at {position}, and the audit has it at {kept.get(host)}")
    owed = set(kept) | set(answered)  # what has gone from the audit was told all the same
    wait_for("all that was kept is told", lambda: owed <= set(opens))
    daemon.send_signal(signal.SIGTERM)
    if daemon.wait(timeout=DEADLINE_S) != 0:
        fail(f"exit code {daemon.returncode}")
    if RECYCLE:  # what was kept, went without an answer, and has gone from the audit
        owed |= set(opens) & unanswered
    if set(opens) != owed or any(len(ids) != 1 for ids in opens.values()):
        fail(f"told besides: {set(opens) - owed}, not told: {owed - set(opens)}, "
             f"twice: {[host for host, ids in opens.items() if len(ids) != 1]}")
    run("digest", "--incidents", "told", "data")
    with open("told", encoding="utf-8") as told, open("incidents.log", encoding="utf-8") as log:
        # A file that was empty at a start begins there: what a kill kept from it is not written again.
        written = log.read()
        if not written or not told.read().endswith(written):
            fail("the incident log is not what the journal says")
    if STEPS and not unanswered & set(kept):
        fail("nothing was kept and not answered")
    print(f"{KILLS} kills: {len(answered)} answered, {len(unanswered & set(kept))} kept and not answered, "
          f"{len(unanswered - set(kept))} neither")
finally:
    for process in started:
        if process.poll() is None:
            process.kill()

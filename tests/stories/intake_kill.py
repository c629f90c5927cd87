"""Aim (C3, D1, X1): SIGKILL at any moment, also between the sync of what was pushed and its answer, loses
nothing that was answered and opens nothing twice; what was kept and not answered comes to its incident,
too. Method: four senders push one event each after the other, every one of a host of its own, while the
real daemon is killed KILLS times at random moments; a webhook writes down what it is told. In the end each
host that the audit has was told once, and no other; each answer names the position at which it stands. The
seed is printed; a second argument sets it. With --steps it is killed within durable steps instead (H3,
tests/tocsin_killed.c): before, in the middle of and after a write, before and after a sync.
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
numbers = [word for word in sys.argv[1:] if word != "--steps"]
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
    daemon = start_killed(step)
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


def kept_unanswered():
    kept = {json.loads(json.loads(line)["body"])["resource"] for line in run("audit", "--json", "data").splitlines()}
    with answered_lock:
        return kept & unanswered


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
        event = {"tenant": "acme", "source": "s", "resource": host, "check": "down", "severity": "critical"}
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
data: {{dir: data}}
sinks:
  - {{name: hook, type: webhook, options: {{url: "http://127.0.0.1:{server.server_port}/", idempotent: "true", rate_per_minute: "0"}}}}
""")
    senders = [threading.Thread(target=send, args=(i,), daemon=True) for i in range(SENDERS)]
    for thread in senders:
        thread.start()
    for kill in range(KILLS):
        if STEPS:
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
    daemon = start_daemon()
    kept = {}
    for line in run("audit", "--json", "data").splitlines():
        record = json.loads(line)
        kept[json.loads(record["body"])["resource"]] = int(record["position"].split("/")[1])
    if sorted(kept.values()) != list(range(len(kept))):
        fail("positions are not one after the other")
    for host, position in answered.items():
        if kept.get(host) != position:
            fail(f"{host} was answered at {position}, and the audit has it at {kept.get(host)}")
    wait_for("all that was kept is told", lambda: len(opens) >= len(kept))
    daemon.send_signal(signal.SIGTERM)
    if daemon.wait(timeout=DEADLINE_S) != 0:
        fail(f"exit code {daemon.returncode}")
    if set(opens) != set(kept) or any(len(ids) != 1 for ids in opens.values()):
        fail(f"told besides: {set(opens) - set(kept)}, not told: {set(kept) - set(opens)}, "
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

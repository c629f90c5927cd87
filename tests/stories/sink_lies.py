"""Aim (D3, O1, O5, O6): however a sink of class A, B or C lies, over real HTTP and TLS, each incident has
one ticket there, never a second one, and it is closed in the end. Method: the real daemon with 51 sinks, one
for each way of lying at each of ServiceNow, Zendesk and PagerDuty, which one fake server plays, and four
incidents; of the n-th incident that a sink hears of, its n-th request is lied about, so that each lie meets
look-up, creation, second look-up and change. ServiceNow's index shows a record 300 ms after it was made. A
redirect leads to a server that must not be asked; the certificate that is bad is of another authority.
"""

import http.server
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from email.utils import formatdate

import killing
from free_port import free_port
from killing import DEADLINE_S, TOCSIN, begin, fail, run, started, wait_for

# How, whether the thing is done all the same, and what is answered.
LIES = {
    "lost": True,  # the connection is reset in place of an answer
    "lost-before": False,
    "html": False,  # a log-in page with 200
    "html-done": True,
    "empty-200": True,
    "broken-json": True,
    "garbage": True,  # no HTTP at all
    "cut-short": True,  # fewer bytes than it announced
    "oversized": True,  # a good answer with 3 MiB of blanks before its end
    "500": False,
    "500-done": True,
    "429-seconds": False,
    "429-date": False,
    "slow-body": True,  # the answer goes on beyond the time-out
    "slow-head": True,  # byte by byte, and never ends
    "redirect": False,
    "bad-certificate": False,
}
TYPES = ["snow", "zen", "pager"]
INCIDENTS = 4
LAG_S = 0.3
HTML = b"<html><body>please log in</body></html>"

lock = threading.Lock()
tickets = []  # of all sinks: {"sink", "incident", "ref", "request_key", "open", "made"}
turns = {}  # (sink, incident) -> requests so far
order = {}  # sink -> incidents in the order in which it heard of them
told = {}  # lie -> how often
stolen = []  # requests that came to the wrong host, or to one that could not show who it is


def find(sink, **what):
    return [t for t in tickets if t["sink"] == sink and all(t[name] == value for name, value in what.items())]


def create(sink, incident, request_key=""):
    ticket = {"sink": sink, "incident": incident, "ref": f"{len(tickets) + 1:032x}" if "snow" in sink else
              str(len(tickets) + 1), "request_key": request_key, "open": True, "made": time.monotonic()}
    tickets.append(ticket)
    return ticket


def snow_record(ticket):
    return {"sys_id": ticket["ref"], "number": f"INC{ticket['ref'][-4:]}", "state": "2" if ticket["open"] else "6",
            "correlation_id": ticket["incident"], "sys_created_on": "2026-02-01 10:00:00"}


def zen_ticket(ticket):
    return {"id": int(ticket["ref"]), "status": "open" if ticket["open"] else "solved",
            "external_id": ticket["incident"], "created_at": "2026-02-01T10:00:00Z"}


def incident_of(sink, method, path, body):
    if "pager" in sink:
        return body["dedup_key"]
    if method == "GET":
        return re.search(r"(?:correlation_id%3D|external_id=)(\w{32})", path).group(1)
    if method == "POST":
        return body["correlation_id"] if "snow" in sink else body["ticket"]["external_id"]
    return find(sink, ref=re.search(r"(\w+)(\.json)?$", path).group(1))[0]["incident"]


def act(sink, method, incident, body, request_key):
    """What an honest system does: status and answer."""
    if "pager" in sink:
        now_open = find(sink, incident=incident, open=True)
        if body["event_action"] == "trigger" and not now_open:
            create(sink, incident)
        elif body["event_action"] == "resolve":
            for ticket in now_open:
                ticket["open"] = False
        return 202, {"status": "success", "message": "Event processed", "dedup_key": incident}
    one, form = ("result", snow_record) if "snow" in sink else ("ticket", zen_ticket)
    if method == "GET":
        seen = [t for t in find(sink, incident=incident) if t["made"] + LAG_S <= time.monotonic()]
        return 200, {"result" if "snow" in sink else "tickets": [form(t) for t in seen]}
    if method == "POST":
        again = find(sink, request_key=request_key) if request_key else []
        return 201, {one: form(again[0] if again else create(sink, incident, request_key))}
    ticket = find(sink, incident=incident)[0]
    if body.get("state") == "6" or body.get("ticket", {}).get("status") == "solved":
        ticket["open"] = False
    return 200, {one: form(ticket)}


class Desk(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def any(self):
        sink = self.path.split("/")[1]
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size)) if size else {}
        lie = sink.split("-", 1)[1]
        if getattr(self.connection, "context", None) is bad:
            stolen.append(self.path)
        with lock:
            incident = incident_of(sink, self.command, self.path, body)
            seen = order.setdefault(sink, [])
            if incident not in seen:
                seen.append(incident)
            turn = turns.get((sink, incident), 0)
            turns[sink, incident] = turn + 1
            is_lie = turn == seen.index(incident) and lie != "bad-certificate"
            if is_lie:
                told[lie] = told.get(lie, 0) + 1
            status, answer = 200, {}
            if not is_lie or LIES[lie]:
                status, answer = act(sink, self.command, incident, body, self.headers.get("Idempotency-Key", ""))
        answer = json.dumps(answer).encode()
        if is_lie:
            self.lie(lie, status, answer)
        else:
            self.answer(status, answer)

    do_GET = do_POST = do_PUT = do_PATCH = any

    def answer(self, status, answer, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def lie(self, lie, status, answer):
        if lie in ("lost", "lost-before"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif lie in ("html", "html-done"):
            self.answer(200, HTML, Content_Type="text/html")
        elif lie == "empty-200":
            self.answer(200, b"")
        elif lie == "broken-json":
            self.answer(status, answer[: len(answer) // 2])
        elif lie == "garbage":
            self.wfile.write(b"\x00\xff\x16\x03 220 mail.example ESMTP\r\n" * 3)
        elif lie == "cut-short":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + answer)
        elif lie == "oversized":
            self.answer(status, answer[:-1] + b" " * (3 << 20) + answer[-1:])
        elif lie in ("500", "500-done"):
            self.answer(500, HTML)
        elif lie == "429-seconds":
            self.answer(429, b"", Retry_After="1")
        elif lie == "429-date":
            self.answer(429, b"", Retry_After=formatdate(time.time() + 2, usegmt=True))
        elif lie == "slow-body":
            self.wfile.write(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (status, len(answer)))
            self.drip(answer[:-1])
        elif lie == "slow-head":
            self.drip(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 1000)
        elif lie == "redirect":
            self.answer(307, b"", Location=f"http://127.0.0.1:{thief.server_port}{self.path}")
        self.close_connection = True

    def drip(self, what):
        """Until the other side has had enough."""
        try:
            for byte in what:
                self.wfile.write(bytes([byte]))
                time.sleep(0.25)  # the behaviour itself
        except OSError:
            pass

    def log_message(self, *args):
        pass


class Thief(http.server.BaseHTTPRequestHandler):
    def any(self):
        stolen.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = any

    def log_message(self, *args):
        pass


class Server(killing.Server):
    request_queue_size = 128


class TlsServer(Server):
    """The first INCIDENTS connections see a certificate of an authority that nobody trusts."""

    connections = 0

    def get_request(self):
        connection, address = super().get_request()
        self.connections += 1
        is_bad = self.connections <= INCIDENTS
        told["bad-certificate"] = told.get("bad-certificate", 0) + is_bad
        return (bad if is_bad else good).wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address


def make_certificates():
    """Two authorities, and a certificate for this machine by each."""
    for name in ("good", "bad"):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        subprocess.run(["openssl", "req", "-x509", *key, "-subj", f"/CN={name}", "-keyout", f"{name}-ca.key", "-out",
                        f"{name}-ca.pem"], check=True, capture_output=True)
        subprocess.run(["openssl", "req", "-x509", *key, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-addext", "basicConstraints=critical,CA:FALSE", "-CA", f"{name}-ca.pem", "-CAkey",
                        f"{name}-ca.key", "-keyout", f"{name}.key", "-out", f"{name}.pem"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{name}.pem", f"{name}.key")
        yield context


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def sink_text(kind, lie, base):
    url = f"{base}/{kind}-{lie}"
    ca = ', ca_file: "good-ca.pem"' if lie == "bad-certificate" else ""
    options = {"snow": f'url: "{url}", user: u, password: p, settle_ms: 1500',
               "zen": f'url: "{url}", user: "a@b.example", api_token: t',
               "pager": f'url: "{url}", routing_key: "0123456789abcdef0123456789abcdef"'}[kind]
    return (f"  - {{name: {kind}-{lie}, type: {({'snow': 'servicenow', 'zen': 'zendesk', 'pager': 'pagerduty'})[kind]}, "
            f"options: {{{options}, timeout_ms: 6000{ca}}}}}\n")


def metric(text, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + "{"))


def metrics():
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
        return answer.read().decode()


def publish(state):
    with open("events.jsonl", "w", encoding="utf-8") as events:
        for i in range(INCIDENTS):
            events.write(json.dumps({"resource": f"r{i}", "check": "down", "state": state}) + "\n")
    run("publish", "--brokers", broker, "--topic", "events", "events.jsonl")


def check_tickets():
    for kind in TYPES:
        for lie in LIES:
            sink = f"{kind}-{lie}"
            made = [len(find(sink, incident=incident)) for incident in order[sink]]
            if made != [1] * INCIDENTS or any(ticket["open"] for ticket in find(sink)):
                fail(f"{sink}: {made} tickets of its incidents, {len(find(sink, open=True))} of them open")


try:
    good, bad = make_certificates()
    desk = serve(Server(("127.0.0.1", 0), Desk))
    thief = serve(Server(("127.0.0.1", 0), Thief))
    tls_desks = {kind: serve(TlsServer(("127.0.0.1", 0), Desk)) for kind in TYPES}
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
admin: {{listen: "127.0.0.1:{admin}"}}
data: {{dir: data}}
rules: [rules.yaml]
sinks:
""")
        for kind in TYPES:
            for lie in LIES:
                config.write(sink_text(kind, lie, f"https://127.0.0.1:{tls_desks[kind].server_port}"
                                       if lie == "bad-certificate" else f"http://127.0.0.1:{desk.server_port}"))
    begun = time.monotonic()
    publish("problem")
    daemon = killing.start_daemon()
    sinks = len(TYPES) * len(LIES)
    wait_for("every sink has a ticket of every incident", lambda: len(tickets) >= sinks * INCIDENTS)
    publish("clear")
    wait_for("all tickets are closed",
             lambda: len(tickets) > sinks * INCIDENTS or not any(ticket["open"] for ticket in tickets))
    check_tickets()
    wait_for("nothing waits", lambda: metric(metrics(), "tocsin_sink_waiting") == 0)
    text = metrics()
    daemon.terminate()
    if daemon.wait(DEADLINE_S) != 0:
        fail("the daemon did not stop")
    check_tickets()
    if stolen:
        fail(f"strangers were told: {stolen}")
    if set(told) != set(LIES) or min(told.values()) < 3:
        fail(f"told too few lies: {told}")
    for name in ("dead_total", "duplicates_total", "possible_repeats_total", "unseen_total"):
        if metric(text, f"tocsin_sink_{name}") != 0:
            fail(f"tocsin_sink_{name} is {metric(text, f'tocsin_sink_{name}')}")
    print(f"{len(tickets)} tickets at {sinks} sinks, {sum(told.values())} lies in {time.monotonic() - begun:.1f} s: {told}")
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
sys.exit(0)

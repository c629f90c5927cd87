"""The receiver answers as the services it plays, and counts what it is told.

Every answer is checked by status and, for PagerDuty, by the words of its API; the
counts it prints at its end are those of the requests made here.
"""
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time

SECRET = "of the story"


def start(*options):
    process = subprocess.Popen([os.environ["TOCSIN"], "receive", "--port", "0", *options],
                               stdout=subprocess.PIPE, text=True)
    port = re.match(r"receiving pages on http://127\.0\.0\.1:(\d+) ", process.stdout.readline())
    return process, int(port.group(1))


def end(process):
    process.send_signal(signal.SIGTERM)
    said = process.stdout.read()
    assert process.wait() == 0
    return said


def send(port, path, body, headers=None, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def pagerduty(action, key="inc-1", change=1, cause="rule"):
    event = {"routing_key": "0" * 32, "event_action": action, "dedup_key": key}
    if action == "trigger":
        event["payload"] = {
            "summary": "rack r1: 12 hosts \u001b[31m down", "source": "r1", "severity": "critical",
            "custom_details": {"priority": "P1", "change": change,
                               "change_cause": cause, "why": "12 hosts (needs 4)",
                               "rule": "rack-power", "key": "tenant=a rack=r1"}}
    return json.dumps(event)


def signed(body, secret=SECRET, age_s=0):
    stamp = str(int(time.time()) - age_s)
    mac = hmac.new(secret.encode(), f"{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"Tocsin-Timestamp": stamp, "Tocsin-Signature": mac}


def webhook(kind="open", incident="inc-1"):
    return json.dumps({"version": 1, "op": {"kind": kind},
                       "incident": {"id": incident, "change_number": 1, "title": "rack r1",
                                    "priority": "P1"}})


def plays_pagerduty():
    process, port = start("--secret", SECRET, "--out", "pages")
    status, text = send(port, "/v2/enqueue", pagerduty("trigger"))
    assert status == 202, status
    assert json.loads(text) == {"status": "success", "message": "Event processed",
                                "dedup_key": "inc-1"}, text
    assert send(port, "/v2/enqueue", pagerduty("trigger"))[0] == 202
    assert send(port, "/v2/enqueue", pagerduty("trigger", change=2))[0] == 202
    status, text = send(port, "/v2/enqueue", pagerduty("acknowledge"))
    assert status == 202 and json.loads(text)["dedup_key"] == "inc-1", (status, text)
    assert send(port, "/v2/enqueue", pagerduty("resolve"))[0] == 202
    # Muted till its third change: told by an op `open`, which is a trigger as any.
    for change in (3, 3, 4):
        assert send(port, "/v2/enqueue", pagerduty("trigger", "late", change, "unmuted"))[0] == 202
    assert send(port, "/v2/enqueue", pagerduty("resolve", "late"))[0] == 202
    for wrong in ("{", "[]", pagerduty("page"), '{"event_action":"resolve","dedup_key":"x"}',
                  pagerduty("trigger").replace("critical", "")):
        status, text = send(port, "/v2/enqueue", wrong)
        assert status == 400 and json.loads(text)["status"] == "invalid event", (wrong, text)
    assert send(port, "/v2/enqueue", "", method="GET")[0] == 405
    assert send(port, "/elsewhere", "{}")[0] == 404

    body = webhook()
    assert send(port, "/webhook", body, signed(body))[0] == 202
    assert send(port, "/webhook", body, signed(body, secret="another"))[0] == 401
    assert send(port, "/webhook", body, signed(body, age_s=3600))[0] == 401
    assert send(port, "/webhook", body)[0] == 401
    assert send(port, "/webhook", "{}", signed("{}"))[0] == 400

    said = end(process)
    assert "pager    9 pages: 2 opened, 2 updated, 1 acknowledged, 2 resolved, 2 repeats" in said, said
    assert "webhook  1 page: 1 opened, 0 updated, 0 acknowledged, 0 resolved, 0 repeats" in said, said
    assert "webhook signatures: 2 right, 3 wrong" in said, said
    assert re.search(r"  pager    P1 OPEN +rack r1: 12 hosts \?\[31m down", said), said
    assert re.search(r"  webhook  P1 OPEN +rack r1\n", said), said
    assert "why: 12 hosts (needs 4)" in said, said
    assert re.search(r"P1 ACKED +rack r1: 12 hosts", said), said
    assert len(re.findall(r"P1 RESOLVED +rack r1: .* after \d+\.\d s", said)) == 2, said
    assert re.search(r"P1 OPEN +rack r1: .*  unmuted\n", said), said
    assert "\x1b" not in said, "control characters of a page reached the terminal"
    kept = [json.loads(line) for line in open("pages")]
    assert [page["kind"] for page in kept] == ["open", "update", "ack", "resolve", "open", "update", "resolve",
                                                  "open"], kept


def says_whose_page_it_is():
    """Where those for both sinks stand beside each other; of one alone that is known."""
    for show in ("all", "pager", "webhook"):
        process, port = start("--show", show)
        assert send(port, "/v2/enqueue", pagerduty("trigger"))[0] == 202
        assert send(port, "/webhook", webhook())[0] == 202
        lines = [line.split()[1:3] for line in end(process).splitlines() if "OPEN" in line]
        assert lines == {"all": [["pager", "P1"], ["webhook", "P1"]], "pager": [["P1", "OPEN"]],
                         "webhook": [["P1", "OPEN"]]}[show], lines


def fails_on_purpose():
    process, port = start("--fail", "0.5", "--seed", "3", "--show", "none")
    codes = [send(port, "/v2/enqueue", pagerduty("trigger", key=f"k{n}"))[0] for n in range(400)]
    taken, busy, lost = codes.count(202), codes.count(503), codes.count(500)
    assert taken + busy + lost == 400, codes
    # Each of 400 draws fails with 0.5: 200 +- 10 is one standard deviation.
    assert 150 < taken < 250 and 50 < busy < 150 and 50 < lost < 150, (taken, busy, lost)
    said = end(process)
    assert f"pager    {taken + lost} pages: {taken + lost} opened" in said, said
    assert f"answered with an error on purpose: {busy + lost}" in said, said


def takes_no_port_twice():
    process, port = start()
    second = subprocess.run([os.environ["TOCSIN"], "receive", "--port", str(port)],
                            capture_output=True, text=True)
    assert second.returncode == 69 and str(port) in second.stderr, second
    end(process)


plays_pagerduty()
says_whose_page_it_is()
fails_on_purpose()
takes_no_port_twice()
sys.exit(0)

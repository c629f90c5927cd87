"""Random events: a few conditions that are reported again and again, as tocsin's own JSON or as Alertmanager sends them."""
import datetime
import json

from generate_world import World
from write import payload_of, time_text


class Events(World):
    changes = 0.12  # share of events with which what is reported changes

    def alerts(self):
        """The conditions that this world has; each is reported again and again."""
        r = self.random
        pool = []
        for _ in range(r.choice([40, 150, 400] if self.big else [1, 2, 4, 4, 7, 10])):
            hosts = [f"h{i}" for i in range(60)] if self.big else ["h1", "h1", "h2", "h1/sda", "h3/x"]
            alert = {"resource": r.choice(hosts),
                     "check": r.choice(["c1", "c2", "c3", "d1", "e1", "\u00fc\"1"])}
            if self.chance(0.8):
                alert["source"] = r.choice(["s1", "s2"])
            if self.chance(0.2):
                alert["dedup_key"] = f"k{r.randint(1, 50 if self.big else 2)}"
            if len(self.tenants) > 1 or self.chance(0.2):
                alert["tenant"] = r.choice(self.tenants)
            if self.chance(0.03):
                alert["check"] = "c" + "\u00e9" * r.choice([100, 126, 127, 128, 149, 150, 151])
            self.new_attributes(alert)
            pool.append(alert)
        return pool

    def new_attributes(self, alert):
        r = self.random
        alert["severity"] = r.choice(["debug", "info", "warning", "minor", "major", "critical"])
        alert["labels"] = {}
        if self.chance(0.6):
            alert["labels"]["rack"] = r.choice(["r1", "r1", "r2", "r2", "r3", "", "=" * 90, " \U0001f525"])
        if self.chance(0.3):
            alert["labels"]["ms"] = r.choice(["1", "2.5", "17", "-4", "0.1", "fast"])
        if self.chance(0.15):
            alert["labels"]["host"] = r.choice(["h1", "h9"])
        if alert.get("dedup_key") and self.chance(0.3):
            alert["check"] = r.choice(["c1", "c2"])

    def event(self, pool, state_of):
        r = self.random
        i = int(len(pool) * r.random() ** (3 if self.big else 1))
        if self.chance(self.changes):
            self.new_attributes(pool[i])
        event = json.loads(json.dumps(pool[i]))
        turn = 0.75 if self.flappy else 0.4
        is_problem = not state_of[i] if self.chance(turn) else state_of[i]
        state_of[i] = is_problem
        event["state"] = "problem" if is_problem else "clear"
        if self.chance(0.4):
            event["message"] = r.choice(["x", "y", "fault x", "x\t\"\\/\u0001\u007f", "\u20ac" * 99])
        if self.chance(0.4):
            event["value"] = r.choice([1.0, 2.5, 4.0, -3.0, 0.1, 1e-9, 33.333, 1e15 / 3, 1e300])
        return event

    def own_time(self, clock, disorder, past):
        r = self.random
        kind = r.random()
        if kind < 0.55:
            return clock
        if kind < 0.75:
            return clock - r.randint(0, disorder)
        if kind < 0.9:
            return clock - disorder - self.on_grid(r.randint(0, 1500))
        if kind < 0.94:
            return clock + r.choice([50, 100, 101, 999, 1001, 90000]) if self.chance(0.9) else r.choice([86400000, 253402300799999])
        return clock - past - r.choice([-1, 0, 1, 5000]) if past < 10000 else clock

    def record(self, topic, clock, pool, state_of, past):
        """Without its offset; the payload of what is refused."""
        r = self.random
        if self.chance(0.04):
            reason, payload = r.choice([("parse", "{\"resource\":"), ("parse", ""), ("schema", "[7}"),
                                        ("schema", "{\"resource\":7,\"check\":\"c\"}"),
                                        ("schema", "{\"check\":\"c1\"}"),
                                        ("depth", "{\"x\":" + "[" * 40 + "]" * 40 + "}")])
            return {"log_time": clock, "rejected": reason}, payload
        events = []
        for _ in range(r.choice([1, 1, 1, 1, 1, 1, 2, 3])):
            event = self.event(pool, state_of)
            if self.chance(0.8):
                event["time"] = self.own_time(clock, topic["disorder_ms"], past)
            events.append(event)
        return {"log_time": clock, "events": events}, None

    def alertmanager(self, events):
        """The same events as the body of Alertmanager's webhook, or None where it cannot say them;
        what it adds (identity, labels) goes into the events."""
        if not all("time" in e and "value" not in e and "tenant" not in e for e in events):
            return None
        url = self.random.choice(["http://am:9093", ""])
        alerts = []
        for event in events:
            labels = dict(event["labels"], severity=event["severity"])
            if self.chance(0.9):
                labels["alertname"] = event["check"]
            place = self.random.choice(["instance", "instance", "host", "node", "job"])
            if place != "host" or "host" not in labels:
                labels[place] = event["resource"]
            labels = {name: labels[name] for name in self.random.sample(sorted(labels), len(labels))}
            alert = {"status": "firing" if event["state"] == "problem" else "resolved",
                     "labels": labels,
                     "startsAt" if event["state"] == "problem" else "endsAt": time_text(event["time"])}
            if event["state"] == "problem":
                alert["endsAt"] = "0001-01-01T00:00:00Z"
            else:
                alert["startsAt"] = time_text(event["time"] - 1000)
            if event.get("message"):
                alert["annotations"] = {self.random.choice(["summary", "description"]): event["message"]}
            if self.chance(0.7):
                alert["fingerprint"] = event.get("dedup_key") or "%016x" % self.random.randrange(9)
            alerts.append(alert)
            event.clear()
            event.update(event_of_alert(alert, url or "web"))
        body = {"version": "4", "status": "firing", "receiver": "web", "externalURL": url,
                "alerts": alerts, "truncatedAlerts": 0}
        return {name: body[name] for name in self.random.sample(sorted(body), len(body))}

    def payload(self, events):
        if self.chance(0.15):
            body = self.alertmanager(events)
            if body is not None:
                self.forms["alertmanager"] += 1
                return json.dumps(body, ensure_ascii=self.chance(0.5))
        payload = [payload_of(e) for e in events]
        return json.dumps(payload if len(payload) > 1 or self.chance(0.1) else payload[0],
                          ensure_ascii=self.chance(0.5))


# ---- what Alertmanager sends ----


def fingerprint_of(labels):
    """Prometheus' number for a set of labels: FNV-1a over names and values, each ended by 0xff."""
    number = 14695981039346656037
    for name in sorted(labels, key=lambda n: n.encode()):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            number = (number ^ byte) * 1099511628211 % (1 << 64)
    return "%016x" % number


def event_of_alert(alert, source):
    """docs/events.md, section Alertmanager."""
    labels = alert["labels"]
    problem = alert["status"] == "firing"
    places = ["instance", "host", "hostname", "node", "pod", "service", "job"]
    severity = labels.get("severity", "warning")
    event = {"source": source, "check": labels.get("alertname", ""),
             "resource": next((labels[p] for p in places if labels.get(p)), ""),
             "dedup_key": alert.get("fingerprint") or fingerprint_of(labels),
             "severity": severity, "state": "problem" if problem else "clear", "labels": dict(labels),
             "time": ms_of(alert["startsAt" if problem else "endsAt"])}
    message = next((alert["annotations"][n] for n in ("summary", "description")
                    if alert.get("annotations", {}).get(n)), None)
    if message:
        event["message"] = message
    return event


def ms_of(text):
    """Of what time_text() wrote."""
    epoch = datetime.datetime(1970, 1, 1)
    return (datetime.datetime.fromisoformat(text.removesuffix("Z")) - epoch) // datetime.timedelta(milliseconds=1)

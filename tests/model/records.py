"""Events as rules see them, and when they count: docs/correlation.md, section 1."""
import collections

from values import Duration, Severity, SEVERITIES, Time, Undefined, computed, member

NEVER = -(1 << 62)


class Event:
    def __init__(self, raw, tenant, topic, partition, offset, sub):
        self.tenant = raw.get("tenant") or tenant
        self.source, self.resource, self.check, self.dedup_key, self.message = (
            raw.get(name, "") for name in ("source", "resource", "check", "dedup_key", "message"))
        self.value = raw.get("value")
        self.severity = SEVERITIES.index(raw["severity"])
        self.state = raw["state"]
        self.labels = dict(raw.get("labels", {}))
        self.topic = topic
        self.place = (topic, partition, offset, sub)
        self.position = "/".join(map(str, self.place))
        self.ts, self.et = raw.get("time"), None
        self.sent = self            # as it was before enrichment
        self.goes_nowhere = False   # a repeat that no rule is told of
        self.of_incident = False    # made of a change of an incident, for composite rules

    @property
    def is_problem(self):
        return self.state == "problem"

    def identity(self):
        """The alert it belongs to; compares in the order of the section "Bound"."""
        if self.dedup_key:
            return (self.tenant, 0, self.dedup_key, bool(self.of_incident))
        return (self.tenant, 1, self.source, self.resource, self.check)

    def is_self_alert(self):
        return self.topic == "@derived" and not self.of_incident

    def attributes(self):
        """Of the event as it was sent."""
        sent = self.sent
        return (sent.severity, sent.labels, self.dedup_key and (self.source, self.resource, self.check))

    def field(self, name):
        if name.startswith("labels."):
            return member(self.labels, name[len("labels."):])
        if name == "host":
            return self.labels["host"] if "host" in self.labels else self.resource.split("/")[0]
        if name == "value":
            if self.value is None:
                raise Undefined
            return float(self.value)
        kinds = {"severity": lambda: Severity(self.severity), "ts": lambda: Time(self.ts),
                 "age": lambda: Duration(self.et - self.ts)}
        return kinds.get(name, lambda: getattr(self, name))()

    def has(self, name):
        return name[len("labels."):] in self.labels if name.startswith("labels.") else self.text(name) != ""

    def text(self, name):
        """As keys have it: what is absent is empty."""
        return computed(("string", ("field", name)), self) or ""

    def order(self):
        return (self.et, *self.place)


class Recording:
    """All events with their et, in counting order, and when the recording ends."""

    def __init__(self, model, scenario):
        self.config, self.count = model.config, model.count
        self.marks = scenario["marks"]
        self.topics = {topic["topic"]: topic for topic in scenario["topics"]}
        self.events, reached, self.begins, self.parts = [], [], [], {}
        joined = {mark["member"] for mark in self.marks if mark["kind"] == "join"}
        for number, part in enumerate(scenario["partitions"]):
            if "script" in scenario and number not in joined:
                continue
            place = (part["topic"], part["partition"])
            # In a live run the marks name the membership; a recording has one of each partition.
            reached.append(self.read(part, [m for m in self.marks if m.get("member", number) == number
                                            and (m.get("topic"), m.get("partition")) == place]))
        if "script" in scenario:  # a replay caps nothing itself
            self.count("capped", sum(mark["kind"] == "cap" for mark in self.marks))
        round_ms = self.config["round_ms"]
        ends = [reach // round_ms * round_ms + round_ms for reach in reached if reach is not None]
        # Partitions without events may have carried a live run further than that.
        self.end = max(ends + [scenario[name] for name in ("watermark",) if scenario.get(name) is not None],
                       default=None)
        # The first watermark; a live run says it by a mark, which a replay goes by at the latest.
        self.begin = min(self.begins + [m["value"] for m in self.marks if m["kind"] == "begin"], default=None)
        self.blind = self.spells()
        if self.end is not None:
            self.events += self.blind_alerts()
        self.events.sort(key=Event.order)

    def read(self, part, marks):
        """Reads a partition, or one membership of it; returns the largest M + L or V, if it had an event."""
        past, future, behind = (self.config[name] for name in ("past_ms", "future_ms", "behind_ms"))
        topic = self.topics[part["topic"]]
        disorder = topic["disorder_ms"]
        # A partition that joins begins with V at the watermark: a seal from its first offset on.
        seals = [m for m in marks if m["kind"] in ("seal", "join") and m["value"] is not None]
        leave = next((m for m in marks if m["kind"] == "leave"), None)
        caps = {m["offset"]: m["value"] for m in marks if m["kind"] == "cap"}
        latest, kt, has_log_time, had_event, after = NEVER, None, False, False, None
        counts = self.parts.setdefault((part["topic"], part["partition"]), collections.Counter())
        for record in part["records"]:
            if leave and record["offset"] >= leave["offset"]:
                break  # not read any more
            self.count("records")
            counts["records"] += 1
            counts["gaps"] += record["offset"] - after if after is not None else 0
            after = record["offset"] + 1
            events = self.decode(part, topic, record, counts)
            if record["log_time"] is not None:
                kt, has_log_time = record["log_time"], True
            elif not has_log_time and events and events[0].ts is not None:
                kt = events[0].ts
            if record["offset"] in caps:
                kt = caps[record["offset"]]
            seal = max((m["value"] for m in seals if m["offset"] <= record["offset"]), default=NEVER)
            for event in events:
                event.ts = kt if event.ts is None else event.ts
                is_near = kt - past <= event.ts <= kt + future
                c = min(event.ts, kt) if is_near else kt
                self.count("time_clamped", not is_near)
                if topic["log_append_time"]:
                    latest = max(latest, kt - behind)
                event.et = max(c, latest - disorder, seal)
                if event.et > c:
                    self.count("late_by_seal" if max(c, latest - disorder) < event.et else "late")
                latest = max(latest, c)
                if not had_event:
                    had_event = True
                    self.begins.append(max(latest - disorder, seal))
                if leave and (leave["value"] is None or event.et >= leave["value"]):
                    self.count("left")
                else:
                    self.events.append(event)
        return max([latest + disorder] + [m["value"] for m in seals]) if had_event else None

    def decode(self, part, topic, record, counts):
        """The record's events; none where it is refused."""
        events = [Event(raw, topic["tenant"], part["topic"], part["partition"], record["offset"], sub)
                  for sub, raw in enumerate(record.get("events", []))]
        is_foreign = topic["tenant_fixed"] and any(event.tenant != topic["tenant"] for event in events)
        reason = record.get("rejected") or ("tenant" if is_foreign else None)
        self.count("events", 1 if reason else len(events))
        if reason:
            self.count("rejected")
            counts["rejected"] += 1
        return [] if reason else events

    # Blind spells, from their marks.

    def spells(self):
        """(topic, partition) -> [(value, is it a begin)] in order."""
        spells = collections.defaultdict(list)
        for mark in self.marks:
            if mark["kind"] in ("blind-begin", "blind-end"):
                at = -(-mark["value"] // self.config["round_ms"]) * self.config["round_ms"]
                spells[mark["topic"], mark["partition"]].append((at, mark["kind"] == "blind-begin"))
        for marks in spells.values():
            marks.sort(key=lambda mark: mark[0])  # stable: those of one time in the order made
        return spells

    def is_blind(self, place, now):
        before = [begins for at, begins in self.blind[place] if at <= now]
        return bool(before) and before[-1]

    def sight_since(self, place, now):
        """When its last spell before now ended."""
        return max((at for at, begins in self.blind[place] if at <= now and not begins), default=NEVER)

    def blind_alerts(self):
        round_ms = self.config["round_ms"]
        reminder = max(1, self.config["expire_ms"] // 2 // round_ms) * round_ms
        told = {}  # (time, partition) -> is it a problem
        for place, marks in self.blind.items():
            for (at, begins), (until, _) in zip(marks, marks[1:] + [(self.end, False)]):
                told.update({(t, place): True for t in range(at, until, reminder) if begins})
                told[at, place] = begins
        subs = collections.Counter()
        for at, place in sorted(key for key in told if key[0] < self.end):
            begins, name = told[at, place], f"{place[0]}/{place[1]}"
            says = "cannot be read: what it holds is not correlated" if begins else "can be read again"
            self.count("derived")
            yield self_alert(at, 32768 + subs[at], name, "input-blind", "critical", f"{name} {says}",
                             "problem" if begins else "clear")
            subs[at] += 1


def self_alert(at, sub, resource, check, severity, message, state="problem", of_incident=False, **more):
    raw = {"tenant": "@tocsin", "source": "tocsin", "resource": resource, "check": check, "severity": severity,
           "state": state, "message": message, **more}
    event = Event(raw, None, "@derived", -1, at, sub)
    event.et = event.ts = at
    event.of_incident = of_incident
    return event

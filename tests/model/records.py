"""Events as rules see them, and when they count: docs/correlation.md, section 1."""
import collections
import math

from values import Duration, Severity, SEVERITIES, Time, checked, computed, member

NEVER = -(1 << 62)
TEXTS = ("source", "resource", "check", "dedup_key", "message")
KINDS = {"severity": Severity, "value": float, "ts": Time, "age": Duration}  # of fields that are no texts


class Event:
    goes_nowhere = False  # a repeat that no rule is told of
    of_incident = False   # made of a change of an incident, for composite rules

    def __init__(self, raw, tenant, *place):
        self.__dict__.update(dict.fromkeys(TEXTS, "") | {"value": None, "labels": {}} | raw)
        self.topic, self.place, self.position = place[0], place, "/".join(map(str, place))
        self.tenant, self.ts = raw.get("tenant") or tenant, raw.get("time")
        self.severity, self.is_problem = SEVERITIES.index(raw["severity"]), raw["state"] == "problem"
        self.sent = self  # as it was before enrichment

    def identity(self):
        """The alert it belongs to; compares in the order of the section "Bound"."""
        if self.dedup_key:
            return (self.tenant, 0, self.dedup_key, bool(self.of_incident))
        return (self.tenant, 1, self.source, self.resource, self.check)

    def attributes(self):
        """Of the event as it was sent."""
        return self.sent.severity, self.sent.labels, self.dedup_key and (self.source, self.resource, self.check)

    def is_self_alert(self):
        return self.topic == "@derived" and not self.of_incident

    def order(self):
        return (self.et, *self.place)

    # What expressions ask.

    def field(self, name):
        if name.startswith("labels."):
            return member(self.labels, name.removeprefix("labels."))
        if name == "host":
            return self.labels.get("host", self.resource.split("/")[0])
        got = self.et - self.ts if name == "age" else getattr(self, name)
        return KINDS.get(name, str)(checked(got, got is not None))

    def text(self, name):
        """As keys have it: what is absent is empty."""
        return computed(("string", ("field", name)), self) or ""

    def has(self, name):
        return name.removeprefix("labels.") in self.labels if name.startswith("labels.") else self.text(name) != ""


class Recording:
    """All events with their effective times, in counting order, and when the recording begins and ends."""

    def __init__(self, model, scenario):
        self.config, self.count = model.config, model.count
        self.topics = {topic["topic"]: topic for topic in scenario["topics"]}
        self.events, self.begins, self.ends, marks = [], [], [], scenario["marks"]
        joined = {mark["member"] for mark in marks if mark["kind"] == "join"}
        for number, part in enumerate(scenario["partitions"]):
            # In a live run the marks name the membership; a recording has one of each partition.
            if "script" not in scenario or number in joined:
                self.read(part, [mark for mark in marks if mark.get("member", number) == number
                                 and (mark.get("topic"), mark.get("partition")) == (part["topic"], part["partition"])])
        if "script" in scenario:  # a replay caps nothing itself
            self.count("capped", sum(mark["kind"] == "cap" for mark in marks))
        # The first watermark; a live run says it by a mark, which a replay goes by at the latest.
        self.begin = min(self.begins + [mark["value"] for mark in marks if mark["kind"] == "begin"], default=None)
        # Partitions without events may have carried a live run further than those with.
        round_ms, carried = self.config["round_ms"], scenario.get("watermark")
        ends = [end // round_ms * round_ms + round_ms for end in self.ends] + ([] if carried is None else [carried])
        self.end = max(ends, default=None)
        self.blind = collections.defaultdict(list)  # (topic, partition) -> [(value, is it a begin)] in order
        for mark in marks:
            if mark["kind"] in ("blind-begin", "blind-end"):
                at = -(-mark["value"] // round_ms) * round_ms
                self.blind[mark["topic"], mark["partition"]].append((at, mark["kind"] == "blind-begin"))
        for spells in self.blind.values():
            spells.sort(key=lambda spell: spell[0])  # stable: those of one time in the order made
        self.events += [] if self.end is None else self.blind_alerts()
        self.events.sort(key=Event.order)

    def read(self, part, marks):
        """Reads a partition, or one membership of it."""
        topic, place = self.topics[part["topic"]], (part["topic"], part["partition"])
        past, future, behind = (self.config[name] for name in ("past_ms", "future_ms", "behind_ms"))
        # A partition that joins begins with V at the watermark: a seal from its first offset on.
        seals = [mark for mark in marks if mark["kind"] in ("seal", "join") and mark["value"] is not None]
        leave = next((mark for mark in marks if mark["kind"] == "leave"), None)
        caps = {mark["offset"]: mark["value"] for mark in marks if mark["kind"] == "cap"}
        latest, kt, has_log_time, next_offset, had_event = NEVER, None, False, None, False
        for record in part["records"]:
            offset = record["offset"]
            if leave and offset >= leave["offset"]:
                break  # not read any more
            self.count("records", 1, place)
            self.count("gaps", 0 if next_offset is None else offset - next_offset, place)
            next_offset = offset + 1
            events = self.decode(topic, record, place)
            if record["log_time"] is not None:
                kt, has_log_time = record["log_time"], True
            elif not has_log_time and events and events[0].ts is not None:
                kt = events[0].ts
            kt = caps.get(offset, kt)
            seal = max((mark["value"] for mark in seals if mark["offset"] <= offset), default=NEVER)
            for event in events:
                event.ts = kt if event.ts is None else event.ts
                is_near = kt - past <= event.ts <= kt + future
                self.count("time_clamped", not is_near)
                c = min(event.ts, kt) if is_near else kt
                if topic["log_append_time"]:
                    latest = max(latest, kt - behind)
                in_order = latest - topic["disorder_ms"]
                event.et = max(c, in_order, seal)
                self.count("late_by_seal" if max(c, in_order) < event.et else "late", event.et > c)
                latest = max(latest, c)
                self.begins += [] if had_event else [max(latest - topic["disorder_ms"], seal)]
                had_event = True
                if leave and (leave["value"] is None or event.et >= leave["value"]):
                    self.count("left")
                else:
                    self.events.append(event)
        if had_event:
            self.ends.append(max([latest + topic["disorder_ms"]] + [mark["value"] for mark in seals]))

    def decode(self, topic, record, place):
        """The record's events; none where it is rejected."""
        events = [Event(raw, topic["tenant"], *place, record["offset"], sub)
                  for sub, raw in enumerate(record.get("events", []))]
        is_foreign = topic["tenant_fixed"] and any(event.tenant != topic["tenant"] for event in events)
        is_rejected = "rejected" in record or is_foreign
        self.count("events", 1 if is_rejected else len(events))
        self.count("rejected", is_rejected, place)
        return [] if is_rejected else events

    # Blind spells.

    def sight_since(self, now, topic=None):
        """When the last spell of the partitions of a topic, or of all, ended before now; never while one goes on."""
        past = [[spell for spell in spells if spell[0] <= now]
                for (of, _), spells in self.blind.items() if topic in (None, of)]
        if any(spells[-1][1] for spells in past if spells):
            return math.inf
        return max((at for spells in past for at, begins in spells if not begins), default=NEVER)

    def blind_alerts(self):
        round_ms = self.config["round_ms"]
        reminder = max(1, self.config["expire_ms"] // 2 // round_ms) * round_ms
        told = {}  # (time, partition) -> is it a problem
        for place, marks in self.blind.items():
            for (at, begins), (until, _) in zip(marks, marks[1:] + [(self.end, False)]):
                told.update({(t, place): True for t in range(at, until, reminder) if begins})
                told[at, place] = begins
        subs = collections.Counter()
        for (at, (topic, number)), begins in sorted(told.items()):
            if at < self.end:
                self.count("derived")
                says = "cannot be read: what it holds is not correlated" if begins else "can be read again"
                yield self_alert(at, 32768 + subs[at], f"{topic}/{number}", "input-blind", "critical",
                                 f"{topic}/{number} {says}", state="problem" if begins else "clear")
                subs[at] += 1


def self_alert(at, sub, resource, check, severity, message, of_incident=False, **more):
    raw = {"tenant": "@tocsin", "source": "tocsin", "resource": resource, "check": check, "severity": severity,
           "state": "problem", "message": message, **more}
    event = Event(raw, None, "@derived", -1, at, sub)
    event.et, event.ts, event.of_incident = at, at, of_incident
    return event

"""Events as rules see them, and when they count: docs/correlation.md, section 1."""
import itertools
import math

from frame import words
from frame.scenario import blind_spells, parts_read
from values import SEVERITIES, Duration, Severity, Time, checked, computed

NEVER = -(1 << 62)
KINDS = {"severity": Severity, "value": float, "ts": Time, "age": Duration}  # of fields that are no texts


class Event:
    """What the scenario says of it, by the same names."""
    source = resource = check = dedup_key = message = ""
    time = value = None
    labels = {}
    goes_nowhere = False  # a repeat that no rule is told of
    of_incident = False   # made of a change of an incident, for composite rules

    def __init__(self, said, place):
        self.__dict__.update(said)
        self.topic, self.place, self.ts, self.sent = place[0], place, self.time, self  # a copy has what was sent, too
        self.severity, self.is_problem = SEVERITIES.index(self.severity), self.state == "problem"

    def identity(self):
        """The alert it belongs to; compares in the order of the section "Bound"."""
        if self.dedup_key:
            return (self.tenant, 0, self.dedup_key, bool(self.of_incident))
        return (self.tenant, 1, self.source, self.resource, self.check)

    def attributes(self):
        """Of the event as it was sent."""
        return self.sent.severity, self.sent.labels, self.dedup_key and (self.source, self.resource, self.check)

    def order(self):
        return (self.et, *self.place)

    def field(self, name):
        if name.startswith("labels."):
            return self.labels[name.removeprefix("labels.")]
        if name == "host":
            return self.labels.get("host", self.resource.split("/")[0])
        got = self.et - self.ts if name == "age" else getattr(self, name)
        return KINDS.get(name, str)(checked(got, got is not None))

    def text(self, name):
        """As keys have it: what is absent is empty."""
        return computed(("string", ("field", name)), self) or ""

    def has(self, name):
        return name.removeprefix("labels.") in self.labels if name.startswith("labels.") else self.text(name) != ""


def derived_event(at, sub, **said):
    said = {"tenant": "@tocsin", "source": "tocsin", "state": "problem", "time": at, "et": at, **said}
    return Event(said, ("@derived", -1, at, sub))


class Shedding:
    """What a partition leaves out while it is behind, by its marks, and what is told of that."""

    def __init__(self, part, count):
        self.part, self.count, self.left_out, self.told_at = part, count, 0, None
        self.behind = self.below = 0

    def turn(self, offset):
        self.behind, self.below = divmod(next((v for at, v in reversed(self.part.sheds) if at <= offset), 0), 8)

    def leaves_out(self, event):
        return event.is_problem and event.severity < self.below

    def told(self, event, sub):
        self.count("derived")
        place, offset = "{}/{}".format(*self.part.place), event.place[2]
        told = derived_event(event.et, sub, resource=place, check="input-shed", severity="major", value=self.left_out,
                             state="problem" if self.below else "clear",
                             message=words.of_shedding(place, self.behind, self.below, self.left_out))
        told.place = (*self.part.place, offset, sub)
        return told

    def run(self, events):
        """Of the events of a record, which have their times, those that count, and what is told."""
        for event in events:
            if not self.leaves_out(event):
                yield event
                continue
            self.left_out += 1
            self.count("rejected", 1, self.part.place)
            if self.told_at is None or event.et - self.told_at >= 60000:
                self.told_at = event.et
                yield self.told(event, event.place[3])
        if events and not self.below and self.told_at is not None:
            yield self.told(events[-1], 4160)
            self.left_out, self.told_at = 0, None


class Recording:
    """All events with their effective times, in counting order, and when the recording begins and ends."""

    def __init__(self, config, count, scenario):
        self.config, self.count, self.round_ms = config, count, config["round_ms"]
        self.events, begins, ends = [], [], []
        for part in parts_read(scenario, count):
            self.read(part, begins, ends)
        # The first watermark; a live run says it by a mark, which a replay goes by at the latest.
        begins += [mark["value"] for mark in scenario["marks"] if mark["kind"] == "begin"]
        self.begin = min(begins, default=None)
        # Partitions without events may have carried a live run further than those with.
        carried = [] if scenario.get("watermark") is None else [scenario["watermark"]]
        self.end = max([(at // self.round_ms + 1) * self.round_ms for at in ends] + carried, default=None)
        self.blind = blind_spells(scenario["marks"], self.round_ms)
        self.events += [] if self.end is None else self.blind_alerts()
        self.events.sort(key=Event.order)

    def read(self, part, begins, ends):
        """Reads a partition, or one membership of it."""
        disorder, past, future = part.topic["disorder_ms"], self.config["past_ms"], self.config["future_ms"]
        latest, kt, has_log_time, passed, shedding = NEVER, None, False, [], Shedding(part, self.count)
        for record in part.records:
            events = [Event(*said) for said in part.decode(record)]
            if record["log_time"] is not None:
                kt, has_log_time = record["log_time"], True
            elif not has_log_time and events and events[0].ts is not None:
                kt = events[0].ts
            kt = part.caps.get(record["offset"], kt)
            shedding.turn(record["offset"])
            seal = max((value for offset, value in part.seals if offset <= record["offset"]), default=NEVER)
            for event in events:
                event.ts = kt if event.ts is None else event.ts
                is_near = kt - past <= event.ts <= kt + future
                counts = not shedding.leaves_out(event)
                self.count("time_clamped", counts and not is_near)
                c = min(event.ts, kt) if is_near else kt
                if part.topic["log_append_time"]:
                    latest = max(latest, kt - self.config["behind_ms"])
                in_order = max(c, latest - disorder)
                event.et = max(in_order, seal)
                self.count("late_by_seal" if in_order < event.et else "late", counts and event.et > c)
                latest = max(latest, c)
                passed.append(max(latest - disorder, seal))
            for event in shedding.run(events):
                self.count("left", event.et >= part.left_at)
                self.events += [event] if event.et < part.left_at else []
        if passed:
            begins.append(passed[0])
            ends += [latest + disorder] + [value for _, value in part.seals]

    def sight_since(self, now, topic=None):
        """When the last spell of the partitions of a topic, or of all, ended before now; never while one goes on."""
        past = [[spell for spell in spells if spell[0] <= now]
                for (of, _), spells in self.blind.items() if topic in (None, of)]
        if any(spells[-1][1] for spells in past if spells):
            return math.inf
        return max((at for spells in past for at, begins in spells if not begins), default=NEVER)

    def blind_alerts(self):
        reminder = max(1, self.config["expire_ms"] // 2 // self.round_ms) * self.round_ms
        told = {}  # (time, partition) -> is it a problem
        for place, spells in self.blind.items():
            for (at, begins), (until, _) in itertools.pairwise(spells + [(self.end, False)]):
                told.update({(t, place): begins for t in (range(at, until, reminder) if begins else [at])})
        for at, told_then in itertools.groupby(sorted(told.items()), key=lambda row: row[0][0]):
            for sub, ((_, (topic, number)), begins) in enumerate(told_then if at < self.end else ()):
                self.count("derived")
                yield derived_event(at, 32768 + sub, resource=f"{topic}/{number}", check="input-blind",
                                    severity="critical", state="problem" if begins else "clear",
                                    message=words.of_blindness(f"{topic}/{number}", begins))

"""What tocsin must compute, written a second time: slow, obvious, single-threaded.

Reads one scenario (JSON: configuration, rules, records per partition, marks, and rule sets that
replace the first) and prints the incident log and the ledger. It follows docs/correlation.md section by section and
shares no code and no idea of speed with the daemon: every step looks at everything.

    oracle.py scenario.json          incident log, then one line with the ledger
    oracle.py --counts scenario.json the same and how often each feature occurred
"""
import collections
import copy
import fractions
import json
import math
import sys

import expression
from mutes import Mutes
import steps
from xxh3 import xxh3_128_hex

SEVERITIES = ["ok", "debug", "info", "warning", "minor", "major", "critical"]
NEVER = -(1 << 62)
TITLE_BYTES, WHY_BYTES, WHY_VALUES = 255, 300, 5

# Order of what happens at one time: the round end, a switch of rules, mutes that begin or end, timers
# of alerts, timers of rules, events.
ROUND_END, SWITCH, MUTE, ALERT_TIMER, KEY_TIMER, EVENT = range(6)


def text_key(text):
    return text.encode("utf-8")


def cut(text, limit):
    """At most `limit` bytes of the text, whole characters."""
    data = text.encode("utf-8")[:limit]
    return data.decode("utf-8", "ignore")


def duration(ms):
    parts = []
    for unit, size in (("h", 3600000), ("m", 60000), ("s", 1000), ("ms", 1)):
        if ms // size:
            parts.append(f"{ms // size}{unit}")
        ms %= size
    return "".join(parts) or "0ms"


def exact(number):
    """A whole multiple of 2**-40, ties to even; None for what is too large to be added."""
    if number is None or abs(number) >= 2.0 ** 68:
        return None
    return round(fractions.Fraction(number) * 2 ** 40)


def real(number):
    return float(number) / 2.0 ** 40


def rate(rows):
    """Of (time, exact number): increase per second; what fell began again at 0."""
    seconds = (rows[-1][0] - rows[0][0]) / 1000 if rows else 0
    if not seconds:
        return None
    increase = sum(now - before if now >= before else max(now, 0)
                   for (_, before), (_, now) in zip(rows, rows[1:]))
    return real(increase) / seconds


def number_aggregate(kind, rows, share=None):
    """Of (time, number) of the entries that have one; None where there is no answer."""
    rows = [(time, number) for time, number in rows if exact(number) is not None]
    numbers = [number for _, number in rows]
    whole = [exact(number) for number in numbers]
    if kind == "sum":
        return real(sum(whole))
    if kind == "rate":
        return rate([(time, exact(number)) for time, number in rows])
    if not rows:
        return None
    if kind == "avg":
        return real(sum(whole)) / len(rows)
    if kind == "stddev":
        spread = len(rows) * sum(m * m for m in whole) - sum(whole) ** 2
        return math.sqrt(float(spread)) / len(rows) * 2.0 ** -40
    if kind == "quantile":
        return sorted(numbers)[max(math.ceil(share * len(rows)), 1) - 1]
    return {"min": min(numbers), "max": max(numbers), "first": numbers[0],
            "last": numbers[-1]}[kind]


def number_text(number):
    """As short as reads back the same; whole ones without a point."""
    if number is None:
        return "nothing"
    if abs(number) < 1e15 and number == int(number):
        return str(int(number))
    return next(text for text in (f"{number:.{digits}g}" for digits in (15, 16, 17))
                if float(text) == number)


def compare(op, a, b):
    return {"==": a == b, "!=": a != b, ">=": a >= b, ">": a > b, "<=": a <= b, "<": a < b}[op]


# ---- events as rules see them ----


class Event:
    """One decoded event with its position and times."""

    def __init__(self, raw, tenant, topic, partition, offset, sub):
        self.tenant = raw.get("tenant") or tenant
        self.source = raw.get("source", "")
        self.resource = raw.get("resource", "")
        self.check = raw.get("check", "")
        self.dedup_key = raw.get("dedup_key", "")
        self.message = raw.get("message", "")
        self.value = raw.get("value")
        self.severity = SEVERITIES.index(raw["severity"])
        self.is_problem = raw["state"] == "problem"
        self.labels = dict(raw.get("labels", {}))
        self.time = raw.get("time")
        self.topic, self.partition, self.offset, self.sub = topic, partition, offset, sub
        self.ts = self.et = None

    def identity(self):
        """The alert it belongs to; compares in the order of the section "Bound"."""
        if self.dedup_key:
            fields = (self.tenant, self.dedup_key)
            return (text_key(fields[0]), 0, text_key(fields[1]))
        return (text_key(self.tenant), 1, text_key(self.source), text_key(self.resource),
                text_key(self.check))

    def attributes(self):
        fields = (self.source, self.resource, self.check) if self.dedup_key else ()
        return (self.severity, sorted(self.labels.items()), fields)

    def field(self, name):
        if name.startswith("labels."):
            return self.labels.get(name[len("labels."):], "")
        if name == "host":
            return self.labels["host"] if "host" in self.labels else self.resource.split("/")[0]
        if name == "severity":
            return SEVERITIES[self.severity]
        return getattr(self, name)

    def number(self, name):
        """The value, or what a label says; None without one."""
        if name == "value":
            return self.value
        try:
            return float(self.labels[name[len("labels."):]])
        except (KeyError, ValueError):
            return None

    def position(self):
        return f"{self.topic}/{self.partition}/{self.offset}/{self.sub}"

    def order(self):
        return (self.et, text_key(self.topic), self.partition, self.offset, self.sub)


# ---- rules ----


def aggregate_text(aggregate):
    kind, *args = aggregate
    return f"{kind}({', '.join(map(str, args))})"


def where_holds(tree, event):
    """True, False, or None for an evaluation error; errors are absorbed as in CEL."""
    op, *args = tree
    if op == "expression":
        try:
            return expression.value(args[0], event)
        except expression.Undefined:
            return None
    if op == "and":
        got = [where_holds(a, event) for a in args]
        return False if False in got else None if None in got else True
    if op == "or":
        got = [where_holds(a, event) for a in args]
        return True if True in got else None if None in got else False
    if op == "not":
        got = where_holds(args[0], event)
        return None if got is None else not got
    if op == "severity":
        return compare(args[0], event.severity, SEVERITIES.index(args[1]))
    if op == "value":
        return None if event.value is None else compare(args[0], event.value, args[1])
    if op == "age":
        return compare(args[0], event.et - event.ts, args[1])
    name = args[0]
    if op == "has":
        return name[len("labels."):] in event.labels
    if name.startswith("labels.") and name[len("labels."):] not in event.labels:
        return None
    text = event.field(name)
    if op == "startsWith":
        return text.startswith(args[1])
    if op == "contains":
        return args[1] in text
    return compare(op, text, args[1])


def where_reads_message(tree):
    op, *args = tree
    if op == "expression":
        return expression.reads(args[0], expression.UNSTABLE)
    if op in ("and", "or", "not"):
        return any(where_reads_message(a) for a in args)
    return op in ("value", "age") or args[0] in ("message", "ts")


class Rule:
    def __init__(self, raw):
        self.id = raw["id"]
        self.on_events = raw.get("on", "alerts") == "events"
        self.on_flapping = raw.get("on") == "flapping"
        self.steps = raw.get("steps")  # a sequence, or the conditions of `all`
        self.in_order = raw.get("in_order", False)
        self.is_strict, self.to_next = raw.get("strict", False), raw.get("to_next", False)
        self.expect = raw.get("expect")  # {"every_ms", "severity"}
        self.where = steps.where_of(raw) if self.steps else raw["where"]
        self.by = raw["by"] if raw["by"][:1] == ["tenant"] else ["tenant"] + raw["by"]
        self.window_kind = raw.get("window", "sliding")  # sliding, tumbling, session, open
        self.window = raw.get("window_ms", 0)
        self.session_max = raw.get("session_max_ms", 0)
        self.looks_at_end = raw.get("look", "gain") == "end"
        self.hold = raw.get("for_ms", 0)
        self.when = raw.get("when")
        self.close = raw["close"]
        self.title = raw["title"]
        self.priority = raw.get("priority", "P3")
        self.team = raw.get("team", "")
        self.max_keys = raw.get("max_keys", 100000)
        self.max_members = raw.get("max_members", 1000)
        self.aggregates = []  # (kind, field), in order of first appearance
        self.quiets = set()
        self.fewers, self.lasts = [], []  # of close: (touches, ms), names of numbers
        if self.when:
            self.walk_when(self.when)
        self.walk_close(self.close)
        # What decides whether its windows carry on when another rule set takes its place.
        self.form = json.dumps([self.on_events, self.on_flapping, self.where, self.by, self.window_kind, self.window,
                                self.session_max, self.looks_at_end, self.hold, self.when,
                                [[step["where"], step.get("not")] for step in self.steps or []],
                                self.in_order, self.is_strict, self.to_next,
                                self.expect and self.expect["every_ms"]])

    def is_of_alerts(self):
        return not self.expect and not self.on_flapping

    def walk_when(self, tree):
        if tree[0] in ("and", "or"):
            for part in tree[1:]:
                self.walk_when(part)
            return
        aggregate = tuple(tree[1])
        if aggregate not in self.aggregates:
            self.aggregates.append(aggregate)

    def walk_close(self, tree):
        if tree[0] in ("and", "or"):
            for part in tree[1:]:
                self.walk_close(part)
        elif tree[0] == "quiet":
            self.quiets.add(tree[1])
        elif tree[0] == "fewer":
            self.fewers.append((tree[1], tree[2]))
        elif tree[0] == "last":
            self.lasts.append(tree[2])

    def when_holds(self, values, tree=None):
        tree = tree or self.when
        got = [self.when_holds(values, part) for part in tree[1:]] if tree[0] in ("and", "or") else []
        if tree[0] == "and":
            return False if False in got else None if None in got else True
        if tree[0] == "or":
            return True if True in got else None if None in got else False
        value = values[tuple(tree[1])]
        return None if value is None else compare(tree[0], value, tree[2])

    def bearing(self, values, tree=None):
        """The comparisons for which `when` is true."""
        tree = tree or self.when
        if tree[0] not in ("and", "or"):
            return [tree]
        return [leaf for part in tree[1:] if tree[0] == "and" or self.when_holds(values, part)
                for leaf in self.bearing(values, part)]

    def close_holds(self, inc, now, tree=None):
        """True, False, or None for an error, as `when`."""
        tree = tree or self.close
        if tree[0] in ("and", "or"):
            got = [self.close_holds(inc, now, part) for part in tree[1:]]
            if tree[0] == "and":
                return False if False in got else None if None in got else True
            return True if True in got else None if None in got else False
        if tree[0] == "quiet":
            return now - inc.last_touch >= tree[1]
        if tree[0] == "fewer":
            return now >= inc.fewer_from(tree[1], tree[2])
        if tree[0] == "last":
            number = inc.last_number.get(tree[2])
            return None if number is None else compare(tree[1], number, tree[3])
        return inc.is_cleared()

    def key_values(self, event):
        return tuple(event.field(name) for name in self.by)

    def key_text(self, values):
        return " ".join(f"{name}={value}" for name, value in zip(self.by, values))


# ---- state ----


class Alert:
    def __init__(self, identity):
        self.identity = identity
        self.is_open = False
        self.last = NEVER
        self.problem = None   # the last problem event that was not a repeat
        self.changes = []     # times, newest last
        self.is_flapping = False
        self.told_open = False
        self.told_problem = None
        self.routes = []      # (slot, key values): what the rules were told
        self.flap_routes = [] # the same of rules of flapping alerts, while it flaps
        self.is_stale = False # rules were switched since its routes were made


class Entry:
    def __init__(self, time, identity, event, values):
        self.time = time
        self.identity = identity
        self.severity = event.severity
        self.ts = event.ts
        self.values = values
        self.is_cleared = False
        self.is_counted = False  # with an earlier incident


class Key:
    def __init__(self):
        self.entries = []     # oldest first
        self.begun = None     # when the first of them came
        self.true_since = None  # a rule with `for`: since when `when` is true
        self.expected = None  # of a rule with expect
        self.steps = None     # of a rule made of steps; on `skip: to_next` also beside an incident
        self.incident = None
        self.last_touch = NEVER  # of any kind

    def pending(self):
        held = self.steps.held() if self.steps else []
        return len(self.entries) + sum(not seen.is_counted for seen in held)

    def is_empty(self):
        return not self.expected and not self.entries and not (self.steps and self.steps.held())


class Incident:
    def __init__(self):
        self.members = {}     # alert identity -> is it open
        self.untracked_open = 0
        self.has_resumed = False  # of a rule with expect: a sign of life has come
        self.alerts = 0
        self.events = 0
        self.first = None
        self.severity = 0
        self.last_touch = NEVER
        self.quiets_done = set()
        self.joined = []          # times of RAISE, CHANGE and REPEAT since the opening
        self.looked = NEVER       # when close was looked at for fewer()
        self.last_number = {}
        self.is_lost = False      # "no longer watched"
        self.is_lost_now = False  # and the update for it is still to come
        self.number = 0
        self.op_numbers = collections.Counter()
        self.is_forgotten = False  # its key is gone
        self.is_told = False       # its `open` op was made
        self.is_behind = False     # told, and an update was withheld since
        self.matched_severity = 0  # as mutes know it
        self.roles = {}            # by inhibition: ((is target, is source), since when)
        self.logged_severity = 0
        self.logged_alerts = 0

    def told_state(self):
        return "untold" if not self.is_told else "behind" if self.is_behind else "told"

    def fewer_from(self, touches, ms):
        since = self.joined[-touches] if len(self.joined) >= touches else self.opened
        return since + ms

    def note(self, event):
        for name in self.rule.lasts:
            number = event.number(name)
            if number is not None:
                self.last_number[name] = number

    def open_count(self):
        return sum(self.members.values()) + self.untracked_open

    def is_cleared(self):
        return self.open_count() == 0 and not self.is_lost


class Oracle:
    def __init__(self, scenario):
        self.config = scenario["config"]
        self.topics = {t["topic"]: t for t in scenario["topics"]}
        self.sinks = scenario["sinks"]
        self.partitions = scenario["partitions"]
        self.marks = scenario["marks"]
        self.is_live = "script" in scenario
        self.watermark = scenario.get("watermark")  # where a live run ended
        self.switches = list(scenario.get("switches", []))  # in order of their time
        self.rules = []       # by slot: one for each form that a rule id ever had
        self.current = []     # slots of the set in force, by rule id
        self.take_rules(scenario["rules"])
        self.alerts = {}
        self.keys = {}        # (slot, key values) -> Key
        self.made = None      # touches of the event under work, or None: they count at once
        self.now = NEVER         # the time that mutes are looked at
        self.next_mute = None    # the next at which one begins or ends, once looked up
        self.lines = []
        self.ledger = collections.Counter()
        self.seen = collections.Counter()  # features, for the generator's coverage
        self.mutes = Mutes(scenario.get("mutes"), self.seen)

    # ---- rule sets ----

    def take_rules(self, raw):
        """A rule whose form is unchanged keeps its slot, any other gets a new one."""
        old = {self.rules[slot].id: slot for slot in self.current}
        self.current = []
        for rule in sorted(map(Rule, raw), key=lambda r: text_key(r.id)):
            slot = old.get(rule.id)
            if slot is not None and self.rules[slot].form == rule.form:
                self.rules[slot] = rule
            else:
                slot = len(self.rules)
                self.rules.append(rule)
            self.current.append(slot)
        self.reads_message = any(where_reads_message(self.rules[slot].where)
                                 for slot in self.current if self.rules[slot].is_of_alerts())

    def switch(self, raw):
        self.take_rules(raw)
        for alert in self.alerts.values():
            alert.is_stale = True
        self.seen["rules switched"] += 1
        self.seen["rule drains"] += len(set(i for i, _ in self.keys) - set(self.current)) > 0

    def place(self, slot):
        """The order of rules: by id, an older form first."""
        return (text_key(self.rules[slot].id), slot)

    # ---- section 1: effective time ----

    def timed_events(self):
        """Every event with its et, in counting order; and the end of the recording."""
        events, passed = [], []
        joined = set(m["member"] for m in self.marks if m["kind"] == "join")
        for number, part in enumerate(self.partitions):
            if self.is_live and number not in joined:
                continue
            topic = self.topics[part["topic"]]
            place = (part["topic"], part["partition"])
            # In a live run the marks name the membership; a recording has one of each partition.
            marks = [m for m in self.marks if (m["member"] == number if "member" in m
                                               else (m["topic"], m["partition"]) == place)]
            got, reach = self.partition_events(part, topic, marks)
            events += got
            if reach is not None:
                passed.append(reach)
        round_ms = self.config["round_ms"]
        end = (max(passed) // round_ms + 1) * round_ms if passed else None
        # Partitions without events may have carried a live run further than that.
        if self.watermark is not None and (end is None or end < self.watermark):
            end = self.watermark
        if end is not None:
            events += self.blind_alerts(end)
        events.sort(key=Event.order)
        return events, end

    def partition_events(self, part, topic, marks):
        past, future = self.config["past_ms"], self.config["future_ms"]
        behind, disorder = self.config["behind_ms"], topic["disorder_ms"]
        # A partition that joins begins with V at the watermark: a seal from its first offset on.
        seals = [m for m in marks if m["kind"] in ("seal", "join") and m["value"] is not None]
        leave = next((m for m in marks if m["kind"] == "leave"), None)
        caps = {m["offset"]: m["value"] for m in marks if m["kind"] == "cap"}
        latest, last_kt, has_log_time = NEVER, None, False
        got = []
        had_event = False
        for record in part["records"]:
            if leave and record["offset"] >= leave["offset"]:
                break  # not read any more
            self.ledger["records"] += 1
            events = self.decode(part, topic, record)
            if record["log_time"] is not None:
                kt, has_log_time = record["log_time"], True
            elif not has_log_time and events and events[0].time is not None:
                kt = events[0].time
            else:
                kt = last_kt
            if record["offset"] in caps:
                kt = caps[record["offset"]]
                self.seen["capped"] += 1
            last_kt = kt
            if events is None:
                continue
            assert kt is not None, "the daemon's clock has no place in a scenario"
            seal = max([m["value"] for m in seals if m["offset"] <= record["offset"]], default=NEVER)
            for event in events:
                event.ts = kt if event.time is None else event.time
                if kt - past <= event.ts <= kt + future:
                    c = min(event.ts, kt)
                else:
                    c = kt
                    self.ledger["time_clamped"] += 1
                if topic["log_append_time"]:
                    latest = max(latest, kt - behind)
                event.et = max(c, latest - disorder, seal)
                if event.et > c:
                    self.ledger["late_by_seal" if max(c, latest - disorder) < event.et else "late"] += 1
                latest = max(latest, c)
                had_event = True
                if leave and (leave["value"] is None or event.et >= leave["value"]):
                    self.ledger["left"] += 1
                    self.seen["dropped with a leave"] += 1
                else:
                    got.append(event)
        self.seen["joined late"] += any(m["kind"] == "join" and m["value"] is not None
                                        for m in marks)
        reach = max([latest + disorder] + [m["value"] for m in seals]) if had_event else None
        return got, reach

    def decode(self, part, topic, record):
        """The record's events; None where it is refused."""
        reason = record.get("rejected")
        events = [Event(raw, topic["tenant"], part["topic"], part["partition"], record["offset"], i)
                  for i, raw in enumerate(record.get("events", []))]
        if not reason and topic["tenant_fixed"] and any(e.tenant != topic["tenant"] for e in events):
            reason = "tenant"
        if reason:
            self.ledger["events"] += 1
            self.ledger["rejected"] += 1
            self.seen["rejected " + reason] += 1
            return None
        self.ledger["events"] += len(events)
        return events

    def blind_alerts(self, end):
        """Self-alerts of partitions that cannot be read, from the marks of their blind spells."""
        round_ms = self.config["round_ms"]
        reminder = max(1, self.config["expire_ms"] // 2 // round_ms) * round_ms
        spells = collections.defaultdict(list)  # (topic, partition) -> [(value, is a begin)]
        for mark in self.marks:
            if mark["kind"] in ("blind-begin", "blind-end"):
                place = (text_key(mark["topic"]), mark["partition"])
                at = -(-mark["value"] // round_ms) * round_ms
                spells[place].append((at, mark["kind"] == "blind-begin"))
        times = set()
        for marks in spells.values():
            marks.sort(key=lambda m: m[0])  # stable: those of one time in the order made
            for i, (at, begins) in enumerate(marks):
                until = marks[i + 1][0] if i + 1 < len(marks) else end
                times.update(range(at, until, reminder) if begins else [at])
                times.add(at)
        got = []
        for at in sorted(t for t in times if t < end):
            sub = 32768
            for place in sorted(spells):
                before = [m for m in spells[place] if m[0] <= at]
                value, begins = before[-1] if before else (None, False)
                if value == at or begins and (at - value) % reminder == 0:
                    got.append(self.blind_alert(place, at, begins, sub))
                    sub += 1
        return got

    def blind_alert(self, place, at, begins, sub):
        name = f"{place[0].decode()}/{place[1]}"
        message = ("cannot be read: what it holds is not correlated" if begins
                   else "can be read again")
        event = Event({"tenant": "@tocsin", "source": "tocsin", "resource": name,
                       "check": "input-blind", "severity": "critical",
                       "state": "problem" if begins else "clear", "message": f"{name} {message}"},
                      None, "@derived", -1, at, sub)
        event.et = event.ts = at
        self.seen["blind begin" if begins else "blind end"] += 1
        self.ledger["derived"] += 1
        return event

    # ---- the order of everything ----

    def run(self):
        events, end = self.timed_events()
        if end is None:
            return
        position = 0
        round_ms = self.config["round_ms"]
        next_round = None  # nothing has happened yet that a round end could see
        while True:
            due = [(end, ROUND_END)]  # the last thing that happens
            if next_round is not None:
                due.append((next_round, ROUND_END))
            if position < len(events):
                due.append((events[position].et, EVENT))
            due += [(t, ALERT_TIMER, a.identity) for a in self.alerts.values()
                    for t in self.alert_timers(a)]
            if self.switches:
                due.append((self.switches[0]["at"], SWITCH))
            if self.next_mute is None and self.mutes.open:
                self.next_mute = self.mutes.boundary(self.now)
            if self.next_mute is not None:
                due.append((self.next_mute, MUTE))
            due += [(t, KEY_TIMER, self.place(i), self.key_order(values))
                    for (i, values), key in self.keys.items() for t in self.key_timers(i, key)]
            first = min(due)
            now, what = first[0], first[1]
            if what == ROUND_END and now == end and now % round_ms != 0:
                break
            if what == ROUND_END:
                self.now = now - 1
                derived = self.round_end(now)
                next_round = None
                if now == end:
                    break
                self.ledger["derived"] += len(derived)
                events = sorted(events[position:] + derived, key=Event.order)
                position = 0
                continue
            self.now = now
            if what == SWITCH:
                switch = self.switches.pop(0)
                self.switch(switch["rules"])
                self.switch_mutes(switch.get("mutes"), now)
            elif what == MUTE:
                self.next_mute = None
                self.tell_freed(now, now, None)
            elif what == ALERT_TIMER:
                self.alert_timer(self.alerts[first[2]], now)
            elif what == KEY_TIMER:
                slot, values = next((i, v) for i, v in self.keys
                                    if self.place(i) == first[2] and self.key_order(v) == first[3])
                self.key_timer(slot, values, now)
            else:
                self.event(events[position])
                position += 1
            next_round = (now // round_ms + 1) * round_ms
        self.ledger["pending"] = sum(k.pending() for k in self.keys.values())
        self.ledger["open"] = self.ledger["opened"] - self.ledger["closed"]

    @staticmethod
    def key_order(values):
        return tuple(text_key(v) for v in values)

    # ---- section 2: alerts ----

    def match(self, event):
        return [(i, self.rules[i].key_values(event)) for i in self.current
                if self.rules[i].is_of_alerts() and where_holds(self.rules[i].where, event) is True]

    def by_rule(self, happens, *args):
        """Touches of one event or timer count by rule, whatever made them: alerts know nothing
        of rules."""
        self.made = []
        happens(*args)
        made, self.made = self.made, None
        for touch in sorted(made, key=lambda touch: self.place(touch[1])):
            self.touch(*touch)

    def event(self, event):
        self.by_rule(self.event_touches, event)

    def event_touches(self, event):
        self.alert_event(event)
        for i in self.current:
            rule = self.rules[i]
            if rule.expect and where_holds(rule.where, event) is True:
                self.touch("BEAT", i, rule.key_values(event), None, event, event.et, "event")

    def alert_event(self, event):
        alert = self.alerts.get(event.identity())
        if alert is None and not event.is_problem:
            self.ledger["unmatched"] += 1
            self.seen["clear of no alert"] += 1
            return
        if alert is None:
            alert = self.alerts[event.identity()] = Alert(event.identity())
            alert.last = event.et
            self.change(alert, event)
            return
        alert.last = event.et
        if event.is_problem != alert.is_open:
            self.seen["re-fire" if event.is_problem else "clear"] += 1
            self.change(alert, event)
        elif not event.is_problem:
            self.ledger["duplicate"] += 1
        elif alert.is_stale and not alert.is_flapping and self.has_same(alert, event):
            self.repeat_after_switch(alert, event)
        elif self.is_repeat(alert, event):
            self.repeat(alert, event)
        else:
            alert.problem = event
            if alert.is_flapping:
                self.fold()
            else:
                self.seen["other attributes"] += 1
                self.count_routed(self.tell_attributes(alert, event.et, "event", event))

    @staticmethod
    def has_same(alert, event):
        return event.attributes() == alert.problem.attributes()

    def repeat_after_switch(self, alert, event):
        """Rules are matched anew; to those that hold still it is a repeat."""
        old, new = alert.routes, self.match(event)
        alert.routes, alert.is_stale = new, False
        touches = [(self.place(i), "CLEAR", i, values) for i, values in old if (i, values) not in new]
        touches += [(self.place(i), "REPEAT" if (i, values) in old else "RAISE", i, values)
                    for i, values in new if (i, values) not in old or self.rules[i].on_events]
        for _, kind, i, values in sorted(touches):
            self.seen["switched " + kind] += 1
            self.touch(kind, i, values, alert, None if kind == "CLEAR" else event, event.et, "event")
        self.ledger["routed" if touches else "duplicate"] += 1

    def is_repeat(self, alert, event):
        if not self.has_same(alert, event):
            return False
        return not self.reads_message or alert.is_flapping or self.match(event) == alert.routes

    def repeat(self, alert, event):
        routes = [r for r in alert.routes if self.rules[r[0]].on_events]
        if alert.is_flapping and event.attributes() != alert.told_problem.attributes():
            self.seen["repeat of what was not told"] += 1
            routes = []
        for i, values in routes:
            self.touch("REPEAT", i, values, alert, event, event.et, "event")
        self.ledger["routed" if routes else "duplicate"] += 1
        self.seen["repeat routed" if routes else "repeat folded"] += 1
        self.seen["repeat while flapping"] += alert.is_flapping

    def count_routed(self, touches):
        self.ledger["routed" if touches else "unmatched"] += 1

    def fold(self):
        self.ledger["duplicate"] += 1
        self.ledger["flap_folded"] += 1

    def change(self, alert, event):
        """An open alert closes or a closed one opens."""
        was_flapping = alert.is_flapping
        alert.is_open = event.is_problem
        if event.is_problem:
            alert.problem = event
        start, window = self.config["flap_start"], self.config["flap_window_ms"]
        alert.changes = (alert.changes + [event.et])[-start:]
        if not was_flapping and sum(t > event.et - window for t in alert.changes) >= start:
            alert.is_flapping = True
            self.seen["flap begun"] += 1
            self.tell_flapping(alert, event)
        if was_flapping:
            self.fold()
        elif event.is_problem:
            self.count_routed(self.tell_raise(alert, event.et, "event", event))
        else:
            self.count_routed(self.tell_clear(alert, event.et))

    def tell_flapping(self, alert, event):
        words = copy.copy(alert.problem)
        words.et = event.et  # `age` is that at the change
        alert.flap_routes = [(i, self.rules[i].key_values(words)) for i in self.current
                             if self.rules[i].on_flapping
                             and where_holds(self.rules[i].where, words) is True]
        # Positions are those of the event: it opens what opens.
        words.topic, words.partition, words.offset, words.sub = (
            event.topic, event.partition, event.offset, event.sub)
        for i, values in alert.flap_routes:
            self.seen["flapping told"] += 1
            self.touch("RAISE", i, values, alert, words, event.et, "event")

    def tell_flapping_end(self, alert, kind, now):
        for i, values in alert.flap_routes:
            self.touch(kind, i, values, alert, None, now, None)
        alert.flap_routes = []

    def tell_raise(self, alert, now, opener, event):
        alert.told_open, alert.told_problem = True, alert.problem
        alert.routes, alert.is_stale = self.match(alert.problem), False
        for i, values in alert.routes:
            self.touch("RAISE", i, values, alert, event, now, opener)
        return len(alert.routes)

    def tell_clear(self, alert, now):
        alert.told_open = False
        routes, alert.routes = alert.routes, []
        for i, values in routes:
            self.touch("CLEAR", i, values, alert, None, now, None)
        return len(routes)

    def tell_attributes(self, alert, now, opener, event):
        """The row "other attributes": each rule by id, CLEAR of the old key first."""
        alert.told_problem = alert.problem
        old, new = alert.routes, self.match(alert.problem)
        alert.routes, alert.is_stale = new, False
        touches = [(self.place(i), 0, "CLEAR", i, values)
                   for i, values in old if (i, values) not in new]
        touches += [(self.place(i), 1, "CHANGE" if (i, values) in old else "RAISE", i, values)
                    for i, values in new]
        for _, _, kind, i, values in sorted(touches):
            self.seen["attributes " + kind] += 1
            self.touch(kind, i, values, alert, None if kind == "CLEAR" else event, now, opener)
        return len(touches)

    def alert_timers(self, alert):
        timers = [alert.last + self.config["expire_ms"]]
        if alert.is_flapping:
            newest = alert.changes[-(self.config["flap_stop"] + 1)]
            timers.append(newest + self.config["flap_window_ms"])
        return timers

    def alert_timer(self, alert, now):
        self.by_rule(self.alert_timer_touches, alert, now)

    def alert_timer_touches(self, alert, now):
        if alert.last + self.config["expire_ms"] == now:
            del self.alerts[alert.identity]
            self.ledger["alerts_expired"] += alert.is_open
            self.seen["expired open" if alert.is_open else "expired closed"] += 1
            self.seen["expired while flapping"] += alert.is_flapping
            self.tell_flapping_end(alert, "CLEAR", now)
            self.tell_clear(alert, now)
            return
        alert.is_flapping = False
        self.tell_flapping_end(alert, "CLEAR", now)
        if alert.told_open and not alert.is_open:
            self.seen["flap ended CLEAR"] += 1
            self.tell_clear(alert, now)
        elif alert.is_open and not alert.told_open:
            self.seen["flap ended RAISE"] += 1
            self.tell_raise(alert, now, "timer", alert.problem)
        elif alert.is_open and alert.told_problem.attributes() != alert.problem.attributes():
            self.seen["flap ended other attributes"] += 1
            self.tell_attributes(alert, now, "timer", alert.problem)
        else:
            self.seen["flap ended same"] += 1

    def evict_alerts(self, now):
        for alert in sorted(self.alerts.values(), key=lambda a: (a.last, a.identity)):
            if len(self.alerts) <= self.config["alerts_max"]:
                break
            del self.alerts[alert.identity]
            self.seen["alert evicted"] += 1
            self.tell_flapping_end(alert, "EVICT", now)
            for i, values in alert.routes:
                self.touch("EVICT", i, values, alert, None, now, None)

    # ---- section 3: rules ----

    def touch(self, kind, i, values, alert, event, now, opener):
        if self.made is not None:
            self.made.append((kind, i, values, alert, event, now, opener))
            return
        self.ledger["touches"] += 1
        raises = kind in ("BEAT", "RAISE", "CHANGE", "REPEAT")
        key = self.keys.get((i, values))
        if key is None and not raises:
            self.ledger["retired"] += 1
            self.seen["clear of no key"] += 1
            return
        if key is None:
            key = self.keys[(i, values)] = Key()
        key.last_touch = now
        if kind == "BEAT":
            self.beat(i, values, key, event, now)
        elif key.incident and raises:
            self.join(key.incident.rule, key.incident, kind, alert, event, now)
            if key.incident.rule.lasts and key.incident.rule.close_holds(key.incident, now):
                self.close(i, values, key, now, "value")
            elif key.steps:
                self.take_step_open(key, alert, event, now)
        elif key.incident:
            self.leave(i, values, key, kind, alert, now)
        elif self.rules[i].steps:
            self.watch_steps(i, values, key, raises, alert, event, now, opener)
        elif raises:
            self.watch(i, values, key, kind, alert, event, now, opener)
        else:
            self.unwatch(i, values, key, alert, now)

    def watch(self, i, values, key, kind, alert, event, now, opener):
        rule = self.rules[i]
        if rule.window_kind == "sliding":
            self.slide(rule, key, now)
        distinct = {a: event.number(a[1]) if a[0] not in ("count", "distinct") else
                       event.field(a[1]) for a in rule.aggregates if a[0] != "count"}
        own = [e for e in key.entries if e.identity == alert.identity]
        if own and (kind == "CHANGE" or rule.window_kind == "open"):
            own[-1].severity, own[-1].values = event.severity, distinct
            self.ledger["retired"] += 1
            self.seen["entry changed"] += 1
        else:
            if not key.entries:
                key.begun, key.true_since = now, None
            key.entries.append(Entry(now, alert.identity, event, distinct))
        if len(key.entries) > rule.max_members:
            key.entries.pop(0)
            self.ledger["evicted"] += 1
            self.seen["entry evicted"] += 1
        if rule.hold:
            self.hold(rule, key, now)
        elif not rule.looks_at_end and self.is_true(rule, key):
            self.open_window(i, values, key, event, now, opener)

    def open_window(self, i, values, key, event, now, opener):
        counts = self.aggregates(self.rules[i], key)
        entries, key.entries = key.entries, []
        self.open(i, values, key, entries, event, counts, self.why(self.rules[i], entries, counts),
                  now, opener)

    @staticmethod
    def aggregates(rule, key):
        return {a: len(key.entries) if a[0] == "count"
                else len({e.values[a] for e in key.entries}) if a[0] == "distinct"
                else number_aggregate(a[0], [(e.time, e.values[a]) for e in key.entries], *a[2:])
                for a in rule.aggregates}

    def is_true(self, rule, key):
        got = rule.when_holds(self.aggregates(rule, key))
        self.seen["when an error"] += got is None
        return got is True

    def hold(self, rule, key, now):
        """After each touch of a rule with `for`."""
        if not self.is_true(rule, key):
            self.seen["hold broken"] += key.true_since is not None
            key.true_since = None
        elif key.true_since is None:
            key.true_since = now

    def unwatch(self, i, values, key, alert, now):
        """CLEAR or EVICT of a key that watches."""
        rule = self.rules[i]
        self.ledger["retired"] += 1
        if rule.window_kind != "open":
            for entry in key.entries:
                entry.is_cleared |= entry.identity == alert.identity
            return
        left = [e for e in key.entries if e.identity != alert.identity]
        if len(left) == len(key.entries):
            return
        self.seen["open no more"] += 1
        self.ledger["expired"] += 1
        key.entries = left
        if not left:
            del self.keys[(i, values)]
        elif rule.hold:
            self.hold(rule, key, now)

    # Rules with expect: who has shown a sign of life owes another.

    def beat(self, i, values, key, event, now):
        inc = key.incident
        rule = inc.rule if inc else self.rules[i]
        key.expected = {"last": now, "due": now + rule.expect["every_ms"], "topic": event.topic}
        if not inc or inc.has_resumed:
            self.ledger["retired"] += 1
            return
        self.ledger["correlated"] += 1
        self.seen["silence ended"] += 1
        inc.has_resumed, inc.untracked_open = True, 0
        inc.events += 1
        if inc.is_cleared() and rule.close_holds(inc, now):
            self.close(i, values, key, now, "cleared")

    def silence(self, i, values, key, now):
        rule, expected = self.rules[i], key.expected
        if i not in self.current:  # nobody tells it of a sign of life any more
            self.seen["silence of a rule that drains"] += 1
            del self.keys[(i, values)]
            return
        spells = [self.spells_before(mark, now) for mark in self.spells(expected["topic"])]
        if any(is_blind for is_blind, _ in spells):
            expected["due"] = now + 10000
            self.seen["silence while blind"] += 1
            return
        over = max((end for _, end in spells if end is not None), default=None)
        if over is not None and now < over + 60000:
            expected["due"] = over + 60000 + rule.expect["every_ms"]
            self.seen["silence after blindness"] += 1
            return
        self.seen["silence"] += 1
        why = (f"nothing for {duration(now - expected['last'])} "
               f"(expects an event every {duration(rule.expect['every_ms'])})")
        self.open(i, values, key, [], None, {}, why, now, "timer")

    def spells(self, topic):
        """Blind marks of each partition of the topic, in order: [[(time, is a begin)]]."""
        spells = collections.defaultdict(list)
        for mark in self.marks:
            if mark["kind"] in ("blind-begin", "blind-end") and mark["topic"] == topic:
                at = -(-mark["value"] // self.config["round_ms"]) * self.config["round_ms"]
                spells[mark["partition"]].append((at, mark["kind"] == "blind-begin"))
        return [sorted(marks, key=lambda m: m[0]) for marks in spells.values()]

    @staticmethod
    def spells_before(marks, now):
        """Is it blind, and when did it last end to be."""
        before = [m for m in marks if m[0] <= now]
        ends = [at for at, begins in before if not begins]
        return bool(before and before[-1][1]), ends[-1] if ends else None

    # Rules made of steps: a touch that is not held any more counts by what let it go.

    def watch_steps(self, i, values, key, raises, alert, event, now, opener):
        rule = self.rules[i]
        if not raises:
            for seen in key.steps.held():
                seen.is_cleared |= seen.identity == alert.identity
            self.ledger["retired"] += 1
            return
        if key.steps is None:
            key.steps = (steps.Sequence if rule.in_order else steps.All)(rule)
        before = key.steps.held()
        seen, at = self.new_seen(key, alert, event, now, False)
        match = key.steps.take(seen, at)
        self.seen["step taken" if seen in key.steps.held() else "step of no chain"] += 1
        if match:
            self.open_steps(i, values, key, match, event, now, opener)
        self.let_go(key, before | {seen}, "retired")
        if not key.incident and key.is_empty():
            del self.keys[(i, values)]

    def new_seen(self, key, alert, event, now, is_counted):
        seen = steps.Seen(key.steps.made, now, alert.identity, event, is_counted)
        key.steps.made += 1
        return seen, {n for n, step in enumerate(key.steps.rule.steps)
                      if where_holds(step["where"], event) is True}

    def let_go(self, key, before, counted):
        held = key.steps.held() if key.steps else set()
        self.ledger[counted] += sum(not s.is_counted for s in before - held)

    def open_steps(self, i, values, key, match, event, now, opener):
        key.steps.skip(match)
        seen = sorted(set(match) | key.steps.held(), key=lambda s: s.number)
        self.seen["sequence opened" if key.steps.rule.in_order else "all opened"] += 1
        self.seen["sequence lives on"] += bool(key.steps.held())
        why = key.steps.why(match, duration)
        if not key.steps.rule.to_next:
            key.steps = None
        self.open(i, values, key, seen, event, {}, why, now, opener)
        for s in seen:
            s.is_counted = True

    def take_step_open(self, key, alert, event, now):
        key.steps.expire(now, True)
        match = key.steps.take(*self.new_seen(key, alert, event, now, True))
        if match:
            key.steps.skip(match)

    def step_timer(self, i, values, key, now):
        before = key.steps.held()
        match = key.steps.expire(now)
        self.let_go(key, before - set(match), "expired")
        if match:
            self.seen["sequence ended by absence"] += 1
            before = key.steps.held()
            self.open_steps(i, values, key, match, match[-1].event, now, "timer")
            self.let_go(key, before | set(match), "retired")
        if not key.incident and key.is_empty():
            del self.keys[(i, values)]

    def slide(self, rule, key, now):
        while key.entries and key.entries[0].time <= now - rule.window:
            key.entries.pop(0)
            self.ledger["expired"] += 1

    def open(self, i, values, key, entries, event, counts, why, now, opener):
        """`event` is None where none did it: a window's end, or what held for long enough."""
        rule, inc = self.rules[i], Incident()
        inc.rule, inc.tenant, inc.key_text = rule, values[0], rule.key_text(values)
        inc.key_values = values
        position = event.position() if opener == "event" else str(now)
        inc.id = xxh3_128_hex("\0".join([inc.tenant, rule.id, inc.key_text, opener, position]).encode())
        inc.opened = inc.last_touch = inc.looked = now
        if event:
            inc.note(event)
        for entry in entries:
            inc.members[entry.identity] = not entry.is_cleared
        inc.alerts = len(inc.members)
        inc.events = len(entries)
        if rule.expect:  # what is missing counts as an alert
            inc.alerts = inc.untracked_open = 1
            inc.first = key.expected["last"]
            inc.severity = SEVERITIES.index(rule.expect.get("severity", "major"))
        else:
            inc.first = min(e.ts for e in entries)
            inc.severity = max(e.severity for e in entries)
        inc.title = cut(self.title(rule, values, event or self.key_event(rule, values, now), counts),
                        TITLE_BYTES)
        inc.why = cut(why, WHY_BYTES)
        self.ledger["correlated"] += sum(not e.is_counted for e in entries)
        self.ledger["opened"] += 1
        self.seen["opened by " + opener] += 1
        self.seen["opened with cleared member"] += inc.open_count() < inc.alerts
        key.incident = inc
        self.log_change(inc, now, "opened", "rule")

    @staticmethod
    def key_event(rule, values, now):
        """What an opening without an event has for one: the values of `by`, and nothing else."""
        raw = {"severity": "ok", "state": "problem", "labels": {}}
        for name, value in zip(rule.by, values):
            if name.startswith("labels.") or name == "host":
                raw["labels"].setdefault(name.removeprefix("labels."), value)
            else:
                raw[name] = value
        event = Event(raw, "", "", 0, 0, 0)
        event.ts = event.et = now
        return event

    @staticmethod
    def shown(part, event, counts):
        """A piece of text, or an expression; what cannot be computed is nothing."""
        if type(part) is str:
            return part
        try:
            return expression.text_of(expression.value(part, event, counts))
        except expression.Undefined:
            return ""

    @staticmethod
    def title(rule, values, event, counts):
        if type(rule.title) is list:
            return "".join(Oracle.shown(part, event, counts) for part in rule.title)
        out, rest = "", rule.title
        while "{" in rest:
            before, _, rest = rest.partition("{")
            name, _, rest = rest.partition("}")
            numbers = {aggregate_text(a): n if n is None or a[0] in ("count", "distinct")
                       else number_text(n) for a, n in counts.items()}
            numbers = {name: "" if n is None else n for name, n in numbers.items()}
            named = dict(zip(rule.by, values))
            out += before + str(numbers[name] if name in numbers
                                else named[name] if name in named else event.field(name))
        return out + rest

    @staticmethod
    def why(rule, entries, counts):
        parts = []
        words = {">=": "{0}", ">": "{1}", "<": "fewer than {0}", "<=": "fewer than {1}", "==": "exactly {0}", "!=": "other than {0}"}
        bearing = rule.bearing(counts)
        for aggregate in rule.aggregates:
            needs = [words[leaf[0]].format(leaf[2], leaf[2] + 1) for leaf in bearing if tuple(leaf[1]) == aggregate]
            if not needs:
                continue
            n = counts[aggregate]
            frame = {"open": "open now", "session": "in a session with gaps below "}.get(
                rule.window_kind, "in ")
            frame += duration(rule.window) if rule.window else ""
            if aggregate[0] not in ("count", "distinct"):
                parts.append(f"{aggregate_text(aggregate)} is {number_text(n)} {frame}")
                continue
            frame += f" (needs {', '.join(dict.fromkeys(needs))})"
            if aggregate[0] == "count":
                noun = "event" if rule.on_events else "alert"
                parts.append(f"{n} {noun}{'' if n == 1 else 's'} {frame}")
                continue
            different = list(dict.fromkeys(e.values[aggregate] for e in entries))
            shown = [v or "(none)" for v in different[:WHY_VALUES]]
            shown += ["..."] if len(different) > WHY_VALUES else []
            parts.append(f"{n} different values of {aggregate[1]} {frame}: " + ", ".join(shown))
        return "; ".join(parts + ([f"held for {duration(rule.hold)}"] if rule.hold else []))

    def join(self, rule, inc, kind, alert, event, now):
        if alert.identity in inc.members:
            inc.members[alert.identity] = True
        elif len(inc.members) < rule.max_members:
            inc.members[alert.identity] = True
            inc.alerts += 1
        elif kind == "RAISE":
            inc.alerts += 1
            inc.untracked_open += 1
            self.seen["untracked alert"] += 1
        inc.events += 1
        inc.first = min(inc.first, event.ts)
        inc.severity = max(inc.severity, event.severity)
        inc.last_touch, inc.quiets_done = now, set()
        inc.joined.append(now)
        inc.looked = now
        inc.note(event)
        self.ledger["correlated"] += 1
        self.seen["joined by " + kind] += 1

    def leave(self, i, values, key, kind, alert, now):
        inc = key.incident
        if inc.members.get(alert.identity):
            inc.members[alert.identity] = False
        elif alert.identity not in inc.members and inc.untracked_open > 0:
            inc.untracked_open -= 1
        else:
            self.ledger["retired"] += 1
            self.seen["retired from incident"] += 1
            return
        inc.events += 1
        self.ledger["correlated"] += 1
        if kind == "EVICT":
            self.seen["evicted from incident"] += 1
            inc.is_lost_now |= not inc.is_lost
            inc.is_lost = True
        elif inc.is_cleared() and inc.rule.close_holds(inc, now):
            self.close(i, values, key, now, "cleared")

    def close(self, i, values, key, now, cause):
        self.ledger["closed"] += 1
        self.seen["closed " + cause] += 1
        self.log_change(key.incident, now, "closed", cause)
        if key.expected and (i not in self.current or not key.incident.has_resumed):
            key.expected = None  # forgotten until its next sign of life
        elif key.expected and key.expected["due"] <= now:
            key.expected["due"] = now + self.rules[i].expect["every_ms"]
        key.incident = None
        if key.steps:
            key.steps.expire(now, True)
            self.seen["sequence goes on"] += not key.is_empty()
        if key.is_empty():
            del self.keys[(i, values)]  # watching again, with no entry

    def key_timers(self, i, key):
        rule = key.incident.rule if key.incident else self.rules[i]
        if not key.incident and key.expected:
            return [key.expected["due"]]
        if not key.incident and key.steps:
            return key.steps.ends()
        if not key.incident:
            return self.window_timers(rule, key)
        inc = key.incident
        fewers = [inc.fewer_from(*fewer) for fewer in rule.fewers]
        return ([inc.last_touch + q for q in rule.quiets if q not in inc.quiets_done]
                + [t for t in fewers if t > inc.looked])

    @staticmethod
    def window_timers(rule, key):
        if rule.window_kind == "sliding":
            return [key.entries[0].time + rule.window]
        if rule.window_kind == "tumbling":
            return [(key.begun // rule.window + 1) * rule.window]
        if rule.window_kind == "session":
            return [min(key.entries[-1].time + rule.window, key.begun + rule.session_max)]
        return [] if key.true_since is None else [key.true_since + rule.hold]

    def window_end(self, i, values, key, now):
        rule = self.rules[i]
        if rule.hold or rule.looks_at_end and self.is_true(rule, key):
            self.seen["opened by " + ("hold" if rule.hold else "the end of a window")] += 1
            self.open_window(i, values, key, None, now, "timer")
            return
        self.seen[rule.window_kind + " ended"] += 1
        self.ledger["expired"] += len(key.entries)
        del self.keys[(i, values)]

    def key_timer(self, i, values, now):
        key = self.keys[(i, values)]
        rule = key.incident.rule if key.incident else self.rules[i]
        if not key.incident and key.expected:
            self.silence(i, values, key, now)
            return
        if not key.incident and key.steps:
            self.step_timer(i, values, key, now)
            return
        if not key.incident and rule.window_kind != "sliding":
            self.window_end(i, values, key, now)
            return
        if not key.incident:
            self.slide(rule, key, now)
            self.seen["entry expired"] += 1
            if not key.entries:
                del self.keys[(i, values)]
            return
        inc = key.incident
        is_quiet = any(inc.last_touch + q == now for q in rule.quiets)
        inc.quiets_done |= {q for q in rule.quiets if inc.last_touch + q == now}
        inc.looked = now
        if rule.close_holds(inc, now):
            self.close(i, values, key, now, "quiet" if is_quiet else "fewer")
        else:
            self.seen["quiet but not closed"] += 1

    # ---- round ends ----

    def round_end(self, now):
        """Returns the self-alerts, events of the next round's start."""
        self.evict_alerts(now)
        incidents = [(self.place(i), self.key_order(v), k.incident)
                     for (i, v), k in self.keys.items() if k.incident]  # before keys go
        given_up = self.evict_keys()
        lost = collections.Counter()  # by rule
        for place, _, inc in sorted(incidents, key=lambda row: row[:2]):
            if inc.is_lost_now:
                cause = "evicted"
                lost[place] += 1
            elif inc.severity > inc.logged_severity:
                cause = "severity"
            elif inc.alerts >= 2 * inc.logged_alerts:
                cause = "grew"
            else:
                continue
            inc.is_lost_now = False
            self.seen["updated " + cause] += 1
            self.log_change(inc, now, "updated", cause)
        told = [("no-longer-watched", place, self.how_many(lost[place], "incident", place, "is", "are")
                 + " no longer watched: a bound was reached") for place in sorted(lost)]
        told += [("keys-evicted", place, self.how_many(given_up[place], "key", place, "was", "were")
                  + " given up: max_keys was reached") for place in sorted(given_up)]
        return [self.self_alert(now, check, self.rules[place[1]], message, sub)
                for sub, (check, place, message) in enumerate(told)]

    def how_many(self, count, noun, place, one, many):
        rule = self.rules[place[1]]
        return f"{count} {noun}{'' if count == 1 else 's'} of rule {rule.id} {one if count == 1 else many}"

    def self_alert(self, now, check, rule, message, sub):
        event = Event({"tenant": "@tocsin", "source": "tocsin", "resource": rule.id,
                       "check": check, "severity": "warning", "state": "problem",
                       "message": message},
                      None, "@derived", -1, now, sub)
        event.et = event.ts = now
        self.seen["self-alert " + check] += 1
        return event

    def evict_keys(self):
        """Returns how many keys without an incident went, by rule."""
        given_up = collections.Counter()
        for i in self.current:  # old forms drain: nothing bounds them
            rule = self.rules[i]
            held = [(key.incident is not None, key.last_touch, self.key_order(values), values)
                    for (j, values), key in self.keys.items() if j == i]
            for has_incident, _, _, values in sorted(held)[:max(0, len(held) - rule.max_keys)]:
                key = self.keys.pop((i, values))
                self.ledger["evicted"] += 0 if has_incident else key.pending()
                self.seen["key evicted with incident" if has_incident else "key evicted"] += 1
                if has_incident:
                    key.incident.is_lost = key.incident.is_lost_now = True
                    key.incident.is_forgotten = True
                else:
                    given_up[self.place(i)] += 1
        return given_up

    # ---- section 4: the incident log ----

    def write(self, fields):
        self.lines.append(json.dumps(fields, ensure_ascii=False, separators=(",", ":")))

    def log_change(self, inc, now, change, cause):
        """`self.now` is the time that mutes are looked at: the one before, at a round's end."""
        is_last = change == "closed" or inc.is_forgotten
        if change == "opened":
            self.mutes.open.append(inc)
        if not is_last:
            inc.matched_severity = inc.severity
            self.mutes.take_roles(inc, change == "opened")
        names = [] if inc.is_forgotten else self.mutes.of(inc, self.now)
        inc.logged = {"severity": SEVERITIES[inc.severity], "events": inc.events,
                      "alerts": inc.alerts, "open": inc.open_count()}
        inc.logged_severity, inc.logged_alerts = inc.severity, inc.alerts
        inc.logged_first = inc.first
        if change == "closed":
            op = "resolve" if inc.is_told else None
            self.seen["closed untold" if not inc.is_told else "resolved while muted" if names
                      else "resolved"] += 1
        else:
            op = None if names else "update" if inc.is_told else "open"
        for name in names:
            self.seen[f"{change} under {name.split()[0]}"] += 1
        self.seen["forgotten untold"] += inc.is_forgotten and not inc.is_told
        self.seen["update tells"] += change == "updated" and op == "open"
        self.tell(inc, now, change, cause, names, op)
        if is_last:
            self.mutes.open.remove(inc)
        self.tell_freed(self.now, now, inc)
        self.next_mute = None

    def tell_freed(self, looked_at, now, but):
        """Those that nothing mutes any more and that have something to tell."""
        for inc in self.mutes.open:
            if inc is but or inc.told_state() == "told" or self.mutes.of(inc, looked_at):
                continue
            self.seen["unmuted " + inc.told_state()] += 1
            self.tell(inc, now, "updated", "unmuted", [], "update" if inc.is_told else "open")

    def switch_mutes(self, raw, now):
        self.mutes.take(raw)
        for inc in self.mutes.open:
            inc.roles = {}
            self.mutes.take_roles(inc, True)
        self.tell_freed(now, now, None)
        self.next_mute = None

    def tell(self, inc, now, change, cause, names, op):
        inc.number += 1
        if op:
            inc.is_told, inc.is_behind = True, False
        else:
            inc.is_behind |= inc.is_told
        line = {"at": now, "change": change, "cause": cause, "incident": inc.id, "n": inc.number,
                "tenant": inc.tenant, "rule": inc.rule.id, "key": inc.key_text,
                "priority": inc.rule.priority, **inc.logged,
                "opened": inc.opened, "first": inc.logged_first, "title": inc.title, "why": inc.why}
        if names:
            line["muted_by"] = self.mutes.text(names)
        self.write(line)
        for sink in self.sinks if op else []:
            if inc.rule.priority > sink.get("priority", "P5"):
                self.seen["op withheld"] += 1
                continue
            inc.op_numbers[sink["name"]] += 1
            number = inc.op_numbers[sink["name"]]
            op_id = xxh3_128_hex("\0".join([inc.id, sink["name"], str(number)]).encode())
            self.write({"at": now, "op": op, "incident": inc.id, "sink": sink["name"],
                        "number": number, "id": op_id})


LEDGER = ["records", "events", "derived", "left", "rejected", "duplicate", "unmatched", "routed", "touches", "correlated",
          "expired", "evicted", "retired", "pending", "opened", "closed", "open", "time_clamped",
          "late", "late_by_seal", "alerts_expired", "flap_folded"]


def run(scenario):
    """The lines of the incident log, the ledger's line last; and the oracle for its counts."""
    oracle = Oracle(scenario)
    oracle.run()
    ledger = oracle.ledger
    assert ledger["events"] + ledger["derived"] == (ledger["rejected"] + ledger["duplicate"] + ledger["unmatched"]
                                + ledger["routed"] + ledger["left"]), "L2"
    assert ledger["touches"] == (ledger["correlated"] + ledger["expired"] + ledger["evicted"]
                                 + ledger["retired"] + ledger["pending"]), "L3"
    oracle.write({"ledger": {name: ledger[name] for name in LEDGER}})
    return oracle.lines, oracle


def main():
    with open(sys.argv[-1], encoding="utf-8") as file:
        scenario = json.load(file)
    lines, oracle = run(scenario)
    print("\n".join(lines))
    if "--counts" in sys.argv:
        for name, count in sorted(oracle.seen.items()):
            print(f"{count:8} {name}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""What tocsin must compute, written a second time: slow, obvious, single-threaded.

Reads one scenario (JSON: configuration, rules, records per partition, marks, and rule sets that replace the first) and
prints the incident log and the ledger. It follows docs/correlation.md section by section and the expressions of
docs/rules.md, and shares no code and no idea of speed with the daemon: every step looks at everything.

    model.py scenario.json           incident log, then one line with the ledger
    model.py --counts scenario.json  the same, and how often each feature occurred
"""
import collections
import copy
import dataclasses
import fractions
import itertools
import json
import math
import sys

import xxhash

import calendars
from records import NEVER, Event, Recording, self_alert
from values import (SEVERITIES, Severity, Undefined, duration_text, frozen, is_true, is_volatile, member, number_text,
                    parts_of, text_of, to_double, value)

TITLE_BYTES, WHY_BYTES, WHY_VALUES, MUTES_NAMED = 255, 300, 5, 5

# The order of what happens at one time.
ROUND_END, SWITCH, MUTE, ALERT_TIMER, KEY_TIMER, EVENT = range(6)


def cut(text, limit):
    """At most `limit` bytes of the text, whole characters."""
    return text.encode()[:limit].decode("utf-8", "ignore")


def hash_of(*parts):
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode())


# ---- section 2: alerts ----


@dataclasses.dataclass
class Touch:
    kind: str      # RAISE, CHANGE, REPEAT, CLEAR, EVICT or BEAT
    place: tuple   # of the rule: its id, and which of its forms
    values: tuple  # of the key
    alert: tuple   # its identity
    event: Event
    time: int
    opener: str = "event"

    @property
    def raises(self):
        return self.kind not in ("CLEAR", "EVICT")


class Alert:
    def __init__(self, identity):
        self.identity = identity
        self.is_open = self.is_flapping = self.told_open = False
        self.last = NEVER
        self.problem = None    # the last problem event that was not a repeat
        self.told = None       # the one that the rules were told last
        self.changes = []      # their times, newest last
        self.routes = []       # (place, key values): what the rules were told
        self.flap_routes = []  # the same of rules of flapping alerts
        self.is_stale = False  # rules were switched since its routes were made


class Alerts:
    """What happens to an alert comes back as the touches that it makes."""

    def __init__(self, model):
        self.model, self.config, self.count = model, model.config, model.count
        self.table = {}

    def match(self, event, forms=("alerts", "events")):
        return [(place, rule.key_values(event)) for place, rule in self.model.current()
                if rule.on in forms and is_true(rule.where, event)]

    def event(self, event):
        identity = event.identity()
        if identity not in self.table and not event.is_problem:
            self.count("unmatched")
            return []
        alert = self.table.setdefault(identity, Alert(identity))
        alert.last = event.et
        if event.is_problem != alert.is_open:
            return self.change(alert, event)
        if not event.is_problem:
            self.count("duplicate")
            return []
        if event.attributes() == alert.problem.attributes():
            if alert.is_stale and not alert.is_flapping:
                return self.repeat_after_switch(alert, event)
            if alert.is_flapping or not self.model.reads_volatile or self.match(event) == alert.routes:
                return self.repeat(alert, event)
        alert.problem = event
        if alert.is_flapping:
            return self.fold()
        return self.counted(self.tell_attributes(alert, event.et))

    def counted(self, touches, otherwise="unmatched"):
        self.count("routed" if touches else otherwise)
        return touches

    def fold(self):
        self.count("duplicate")
        self.count("flap_folded")
        return []

    def change(self, alert, event):
        """An open alert closes or a closed one opens."""
        alert.is_open = event.is_problem
        alert.problem = event if event.is_problem else alert.problem
        alert.changes = (alert.changes + [event.et])[-self.config["flap_start"]:]
        if alert.is_flapping:
            return self.fold()
        told = self.tell_raise(alert, event.et) if event.is_problem else self.tell_clear(alert, event.et)
        touches = self.counted(told)
        since = event.et - self.config["flap_window_ms"]
        if sum(t > since for t in alert.changes) >= self.config["flap_start"]:
            alert.is_flapping = True
            touches += self.tell_flapping(alert, event)
        return touches

    def tell_flapping(self, alert, event):
        words = copy.copy(alert.problem)
        words.et, words.position = event.et, event.position  # it opens what opens; `age` is that at the change
        alert.flap_routes = self.match(words, ("flapping",))
        return [Touch("RAISE", *route, alert.identity, words, event.et) for route in alert.flap_routes]

    def tell_flapping_end(self, alert, kind, now):
        routes, alert.flap_routes = alert.flap_routes, []
        return [Touch(kind, *route, alert.identity, None, now) for route in routes]

    def tell_raise(self, alert, now, opener="event"):
        alert.told_open, alert.told = True, alert.problem
        alert.routes, alert.is_stale = self.match(alert.problem), False
        return [Touch("RAISE", *route, alert.identity, alert.problem, now, opener) for route in alert.routes]

    def tell_clear(self, alert, now, kind="CLEAR"):
        alert.told_open = False
        routes, alert.routes = alert.routes, []
        return [Touch(kind, *route, alert.identity, None, now) for route in routes]

    def tell_anew(self, alert, event, now, kind, opener="event"):
        """Rules are matched anew: CLEAR, RAISE, and what `kind` says of a route that holds still."""
        old, alert.routes, alert.is_stale = alert.routes, self.match(event), False
        touches = [Touch("CLEAR", *route, alert.identity, None, now) for route in old if route not in alert.routes]
        for route in alert.routes:
            of_kind = kind(route) if route in old else "RAISE"
            if of_kind:
                touches.append(Touch(of_kind, *route, alert.identity, event, now, opener))
        return touches

    def tell_attributes(self, alert, now, opener="event"):
        alert.told = alert.problem
        touches = self.tell_anew(alert, alert.problem, now, lambda route: "CHANGE", opener)
        return touches

    def repeat_after_switch(self, alert, event):
        touches = self.tell_anew(alert, event, event.et, lambda route: self.model.rules[route[0]].repeats and "REPEAT")
        return self.counted(touches, "duplicate")

    def repeat(self, alert, event):
        routes = [route for route in alert.routes if self.model.rules[route[0]].repeats]
        if alert.is_flapping and event.attributes() != alert.told.attributes():
            routes = []  # of what the rules were not told
        return self.counted([Touch("REPEAT", *route, alert.identity, event, event.et) for route in routes],
                            "duplicate")

    def timers(self, alert):
        if alert.is_flapping:
            yield alert.changes[-1 - self.config["flap_stop"]] + self.config["flap_window_ms"]
        yield alert.last + self.config["expire_ms"]

    def timer(self, alert, now):
        if alert.last + self.config["expire_ms"] == now:
            del self.table[alert.identity]
            self.count("alerts_expired", alert.is_open)
            return self.tell_flapping_end(alert, "CLEAR", now) + self.tell_clear(alert, now)
        alert.is_flapping = False
        touches = self.tell_flapping_end(alert, "CLEAR", now)
        if not alert.is_open:
            return touches + (self.tell_clear(alert, now) if alert.told_open else [])
        if not alert.told_open:
            return touches + self.tell_raise(alert, now, "timer")
        if alert.told.attributes() != alert.problem.attributes():
            return touches + self.tell_attributes(alert, now, "timer")
        return touches

    def evict(self, now):
        oldest = sorted(self.table.values(), key=lambda alert: (alert.last, alert.identity))
        for alert in oldest[:max(0, len(oldest) - self.config["alerts_max"])]:
            del self.table[alert.identity]
            yield from self.tell_flapping_end(alert, "EVICT", now)
            yield from self.tell_clear(alert, now, "EVICT")


# ---- section 3: rules ----


class Rule:
    def __init__(self, raw):
        raw = frozen(raw)
        self.id, self.on = raw["id"], "beats" if "expect" in raw else raw.get("on", "alerts")
        self.repeats = self.on == "events"
        self.listed = raw.get("expect", {}).get("keys", ())  # keys that are watched, and no others
        self.steps = raw.get("steps")  # of a sequence, or the conditions of `all`
        self.in_order, self.is_strict, self.to_next = (bool(raw.get(n)) for n in ("in_order", "strict", "to_next"))
        self.expect = raw.get("expect")
        self.where = raw["where"] if not self.steps else self.where_of_steps(raw.get("own_where"))
        self.by = raw["by"] if raw["by"][:1] == ("tenant",) else ("tenant",) + raw["by"]
        self.kind = raw.get("window", "sliding")  # sliding, tumbling, session, open
        self.window, self.session_max = raw.get("window_ms", 0), raw.get("session_max_ms", 0)
        self.looks_at_end, self.hold = raw.get("look") == "end", raw.get("for_ms", 0)
        self.when, self.close, self.title = raw.get("when"), raw["close"], raw["title"]
        self.priority, self.team = raw.get("priority", "P3"), raw.get("team", "")
        self.max_keys, self.max_members = raw.get("max_keys", 100000), raw.get("max_members", 1000)
        self.aggregates = list(dict.fromkeys(part for part in parts_of(self.when or ()) if part[:1] == ("aggregate",)))
        of_close = list(parts_of(self.close))
        self.quiets = {part[1] for part in of_close if part[0] == "quiet"}
        self.fewers = {part[1:] for part in of_close if part[0] == "fewer"}
        self.lasts = {part[1] for part in of_close if part[0] == "last"}
        # What decides whether its windows carry on when another rule set takes its place.
        self.form = (self.on, self.where, self.by, self.kind, self.window, self.session_max, self.looks_at_end,
                     self.hold, self.when, [(s["where"], s.get("not")) for s in self.steps or ()], self.in_order,
                     self.is_strict, self.to_next, self.expect and self.expect["every_ms"])

    def where_of_steps(self, own):
        any_step = ("or", *(step["where"] for step in self.steps))
        return own if self.is_strict else ("and", own, any_step) if own else any_step

    def key_values(self, event):
        return tuple(map(event.text, self.by))

    def key_event(self, values, now):
        """What an opening without an event has for one: the values of `by`, and nothing else."""
        raw = {"severity": "ok", "state": "problem", "labels": {}}
        for name, text in zip(self.by, values):
            if name.startswith("labels.") or name == "host":
                raw["labels"].setdefault(name.removeprefix("labels."), text)
            else:
                raw[name] = text
        event = Event(raw, "", "", 0, 0, 0)
        event.ts = event.et = now
        return event


class Entry:
    """A touch that a key holds."""
    serials = itertools.count()

    def __init__(self, touch, is_counted=False):
        self.serial = next(self.serials)
        self.time, self.alert, self.event = touch.time, touch.alert, touch.event
        self.ts, self.severity = touch.event.ts, touch.event.severity
        self.is_cleared = False
        self.is_counted = is_counted  # in the ledger, with an incident

    def change(self, event):
        self.event, self.severity = event, event.severity

    def said(self):
        return f"{self.event.check or '(none)'} on {self.event.resource or '(none)'}"

    def number(self, tree):
        """What the tree gives for its event; None for nothing."""
        try:
            return to_double(value(tree, self.event))
        except Undefined:
            return None


# Numbers: sums are exact, in steps of 2**-40.

STEP = 2 ** 40


def exact(number):
    """A whole number of steps, ties to even."""
    return round(fractions.Fraction(number) * STEP)


def real(steps):
    return float(steps) / STEP


def rate(_share, times, whole_ones):
    seconds = (times[-1] - times[0]) / 1000 if times else 0
    if not seconds:
        return None
    rises = (b - a if b >= a else max(b, 0) for a, b in zip(whole_ones, whole_ones[1:]))
    return real(sum(rises)) / seconds


def stddev(m):
    return math.sqrt(float(len(m) * sum(x * x for x in m) - sum(m) ** 2)) / len(m) / STEP


NUMBERS = {  # of: the numbers, in order; the same in steps; a share
    "sum": lambda v, m, q: real(sum(m)), "avg": lambda v, m, q: real(sum(m)) / len(m),
    "stddev": lambda v, m, q: stddev(m), "min": lambda v, m, q: min(v), "max": lambda v, m, q: max(v),
    "first": lambda v, m, q: v[0], "last": lambda v, m, q: v[-1],
    "quantile": lambda v, m, q: sorted(v)[max(1, math.ceil(q * len(v))) - 1],
}


def aggregate(entries, _op, _text, kind, tree=None, share=None):
    """Its value, None where there is none."""
    if kind == "count":
        return len(entries)
    if kind == "distinct":
        return len({entry.event.text(tree[1]) for entry in entries})
    rows = [(entry.time, entry.number(tree)) for entry in entries]
    rows = [(at, number) for at, number in rows if number is not None and abs(number) < 2.0 ** 68]
    numbers, steps = [number for _, number in rows], [exact(number) for _, number in rows]
    if kind == "rate":
        return rate(share, [at for at, _ in rows], steps)
    return NUMBERS[kind](numbers, steps, share) if rows or kind == "sum" else None


class Counted:
    """An event and what was counted: the world of `when` and of titles."""

    def __init__(self, counts, event=None):
        self.counts, self.event = counts, event
        self.labels = event.labels if event else {}

    def field(self, name):
        return self.event.field(name)

    def has(self, name):
        return self.event.has(name)

    def aggregate(self, *tree):
        if self.counts[("aggregate", *tree)] is None:
            raise Undefined
        return self.counts[("aggregate", *tree)]


# What bears a `when` that is true.

RELATIONS = {  # turned round; with its sides exchanged
    "<": (">=", ">"), "<=": (">", ">="), ">": ("<=", "<"), ">=": ("<", "<="), "==": ("!=", "=="), "!=": ("==", "!=")}


def truth(tree, world):
    try:
        return value(tree, world)
    except Undefined:
        return None


def bearing(tree, world, turned=False):
    """Its leaves that bear it, or with `turned` its being false; and whether they are turned round."""
    if tree[0] == "not":
        yield from bearing(tree[1], world, not turned)
    elif tree[0] in ("and", "or"):
        for side in tree[1:]:
            if (tree[0] == "and") is not turned or truth(side, world) is (not turned):
                yield from bearing(side, world, turned)
    else:
        yield tree, turned


def need(leaf, turned, counted):
    """What a leaf asks of an aggregate, in words; None where it is no comparison of it with a constant."""
    op, *sides = leaf
    if op in RELATIONS and sides[0][0] == "const":
        op, sides = RELATIONS[op][1], sides[::-1]
    if op not in RELATIONS or sides[0] != counted or sides[1][0] != "const":
        return None
    op, n = RELATIONS[op][0] if turned else op, sides[1][2]
    if op in ("==", "!="):
        return f"{'exactly' if op == '==' else 'other than'} {int(n)}" if n == int(n) else None
    least = math.ceil(n) if op in (">=", "<") else math.floor(n) + 1
    return f"{'fewer than ' if op[0] == '<' else ''}{least}"


class Form:
    """What a key holds while it watches; each form of rule has its own."""

    def __init__(self, key):
        self.key, self.count = key, key.model.count
        self.entries = []

    @property
    def rule(self):
        return self.key.rule

    def held(self):
        return self.entries

    def is_empty(self):
        return not self.held()

    def drop(self, touch):
        """CLEAR or EVICT of a key that watches."""
        self.count("retired")
        for entry in self.held():
            entry.is_cleared |= entry.alert == touch.alert

    def take_open(self, touch):
        """A touch that has joined the open incident."""

    def closed(self, now, inc):
        """Its incident has closed."""


class Window(Form):
    begun = None       # when the first of its entries came
    true_since = None  # with `for`: since when `when` is true

    def look(self):
        self.counts = {part: aggregate(self.entries, *part) for part in self.rule.aggregates}
        try:
            return value(self.rule.when, Counted(self.counts))
        except Undefined:
            return False

    def take(self, touch):
        now = touch.time
        if self.rule.kind == "sliding":
            self.slide(now)
        own = [entry for entry in self.entries if entry.alert == touch.alert]
        if own and (touch.kind == "CHANGE" or self.rule.kind == "open"):
            own[-1].change(touch.event)
            self.count("retired")
        else:
            if not self.entries:
                self.begun, self.true_since = now, None
            self.entries.append(Entry(touch))
        if len(self.entries) > self.rule.max_members:
            self.entries.pop(0)
            self.count("evicted")
            self.key.model.pushed[self.key.place] += 1
        if self.rule.hold:
            self.look_for_long(now)
        elif not self.rule.looks_at_end and self.look():
            self.open(touch.event, now, touch.opener)

    def look_for_long(self, now):
        if not self.look():
            self.true_since = None
        elif self.true_since is None:
            self.true_since = now

    def drop(self, touch):
        super().drop(touch)
        left = [entry for entry in self.entries if entry.alert != touch.alert]
        if self.rule.kind == "open" and len(left) < len(self.entries):
            self.count("expired")
            self.entries = left
            if left and self.rule.hold:
                self.look_for_long(touch.time)

    def slide(self, now):
        left = [entry for entry in self.entries if entry.time > now - self.rule.window]
        self.count("expired", len(self.entries) - len(left))
        self.entries = left

    def timers(self):
        rule = self.rule
        return {"sliding": lambda: self.entries[0].time + rule.window,
                "tumbling": lambda: (self.begun // rule.window + 1) * rule.window,
                "session": lambda: min(self.entries[-1].time + rule.window, self.begun + rule.session_max),
                "open": lambda: None if self.true_since is None else self.true_since + rule.hold}[rule.kind]()

    def timer(self, now):
        if self.rule.kind == "sliding":
            self.slide(now)
        elif self.rule.hold or self.rule.looks_at_end and self.look():
            self.look()
            self.open(None, now, "timer")
        else:
            self.count("expired", len(self.entries))
            self.entries = []

    def open(self, event, now, opener):
        entries, self.entries = self.entries, []
        self.key.open(entries, event, self.why(entries), now, opener, self.counts)

    def why(self, entries):
        rule, parts = self.rule, []
        frame = {"open": "open now", "session": "in a session with gaps below "}.get(rule.kind, "in ")
        frame += duration_text(rule.window) if rule.window else ""
        leaves = list(bearing(rule.when, Counted(self.counts)))
        bear = [part for part in rule.aggregates if any(part in parts_of(leaf) for leaf, _ in leaves)]
        for part in bear or rule.aggregates:
            (_, text, kind, *args), n = part, self.counts[part]
            needed = list(dict.fromkeys(filter(None, (need(leaf, turned, part) for leaf, turned in leaves))))
            needs = f" (needs {', '.join(needed)})" if needed else ""
            if kind == "count":
                parts.append(f"{n} {'event' if rule.repeats else 'alert'}{'' if n == 1 else 's'} {frame}{needs}")
            elif kind == "distinct":
                different = list(dict.fromkeys(entry.event.text(args[0][1]) for entry in entries))
                shown = [text or "(none)" for text in different[:WHY_VALUES]] + ["..."] * (len(different) > WHY_VALUES)
                parts.append(f"{n} different values of {args[0][1]} {frame}{needs}: " + ", ".join(shown))
            else:
                parts.append(f"{text} is {'nothing' if n is None else number_text(n)} {frame}")
        return "; ".join(parts + [f"held for {duration_text(rule.hold)}"] * (rule.hold > 0))


class Steps(Form):
    """A sequence: of each step that comes, but the last, the chain that leads to it. Or `all`: its conditions."""

    def __init__(self, key):
        super().__init__(key)
        steps = self.rule.steps
        self.come = [i for i, step in enumerate(steps) if not step.get("not")]
        self.waits = bool(steps[-1].get("not"))  # for its timer, with all that comes
        self.chains = [()] * len(self.come)

    def held(self):
        return list(dict.fromkeys(entry for chain in self.chains for entry in chain))

    def steps_of(self, event):
        return {i for i, step in enumerate(self.rule.steps) if is_true(step["where"], event)}

    def advance(self, entry, steps):
        """Returns the match, or ()."""
        if not self.rule.in_order:
            self.chains = [(entry,) if i in steps else chain for i, chain in enumerate(self.chains)]
            return tuple(entry for chain in self.chains for entry in chain) if all(self.chains) else ()
        last, made, match = len(self.come) - 1, set(), ()
        for i, _ in enumerate(self.chains):
            end = self.come[i + 1] if i < last else len(self.rule.steps)
            if steps & set(range(self.come[i] + 1, end)):
                self.chains[i] = ()
        for i in reversed(range(len(self.come))):
            if self.come[i] not in steps or i > 0 and not self.chains[i - 1]:
                continue
            chain = (self.chains[i - 1] if i > 0 else ()) + (entry,)
            if i == last and not self.waits:
                match = chain
            elif i < last or not self.chains[i] or self.rule.is_strict:
                self.chains[i] = chain
                made.add(i)
        if self.rule.is_strict:
            self.chains = [chain if i in made else () for i, chain in enumerate(self.chains)]
        return match

    def skip(self, match):
        """What a match leaves."""
        self.chains = [chain if self.rule.to_next and chain and chain[0].time > match[0].time else ()
                       for chain in self.chains]

    def take(self, touch):
        before, entry = self.held(), Entry(touch)
        match = self.advance(entry, self.steps_of(touch.event))
        if match:
            self.open(match, touch.event, touch.time, touch.opener)
        self.let_go(before + [entry], "retired")

    def let_go(self, before, counted):
        self.count(counted, sum(not entry.is_counted for entry in set(before) - set(self.held())))

    def take_open(self, touch):
        if self.rule.to_next:
            self.end_chains(touch.time)
            match = self.advance(Entry(touch, True), self.steps_of(touch.event))
            if match:
                self.skip(match)

    def closed(self, now, inc):
        self.end_chains(now)

    def end_chains(self, now):
        """Those whose time is over; returns the one that waited for it, or ()."""
        over = [bool(chain) and chain[0].time + self.rule.window <= now for chain in self.chains]
        waited = self.chains[-1] if self.waits and over[-1] else ()
        self.chains = [() if is_over else chain for is_over, chain in zip(over, self.chains)]
        return waited

    def timers(self):
        return min((chain[0].time + self.rule.window for chain in self.chains if chain), default=None)

    def timer(self, now):
        before = self.held()
        match = self.end_chains(now)
        self.let_go([entry for entry in before if entry not in match], "expired")
        if match:
            before = self.held() + list(match)
            self.open(match, match[-1].event, now, "timer")
            self.let_go(before, "retired")

    def open(self, match, event, now, opener):
        self.skip(match)
        entries = sorted({*match, *self.held()}, key=lambda entry: entry.serial)
        self.key.open(entries, event, self.why(match), now, opener, {})

    def why(self, match):
        steps = self.rule.steps
        said = [f"{steps[i]['name']}: {entry.said()}" for i, entry in zip(self.come, match)]
        if self.rule.in_order:
            said[1:] = [f"{text} {duration_text(b.time - a.time)} later" for text, a, b in zip(said[1:], match, match[1:])]
            said += ["no " + steps[-1]["name"]] * self.waits
        return (", then " if self.rule.in_order else " and ").join(said) + f" (within {duration_text(self.rule.window)})"


class Expect(Form):
    """Absence: who has shown a sign of life, or is listed, owes another."""
    last = due = topic = listed = None

    def is_empty(self):
        return self.due is None

    def list(self, now):
        self.listed, self.due = now, now + self.rule.expect["every_ms"]

    def sign(self, touch):
        self.last, self.due, self.topic = touch.time, touch.time + self.rule.expect["every_ms"], touch.event.topic

    def take(self, touch):
        self.sign(touch)
        self.count("retired")

    def take_open(self, touch):
        self.sign(touch)
        inc = self.key.incident
        if inc.has_resumed:
            self.count("retired")
            return
        self.count("correlated")
        inc.has_resumed, inc.untracked_open = True, 0
        inc.events += 1
        if inc.cleared() and inc.may_close(touch.time):
            self.key.close(touch.time, "cleared")

    def timers(self):
        return self.due

    def timer(self, now):
        recording, every = self.key.model.recording, self.rule.expect["every_ms"]
        places = [place for place in recording.blind if self.topic in (place[0], None)]
        over = max((recording.sight_since(place, now) for place in places), default=NEVER)
        if self.key.unlisted is not None or self.key.drains():
            self.due = None  # nobody would tell it of a sign of life
        elif any(recording.is_blind(place, now) for place in places):
            self.due = now + 10000
        elif now < over + 60000:
            self.due = over + 60000 + every
        else:
            said = (f"nothing since it was listed, {duration_text(now - self.listed)} ago" if self.last is None
                    else f"nothing for {duration_text(now - self.last)}")
            self.key.open([], None, f"{said} (expects an event every {duration_text(every)})", now, "timer", {})

    def closed(self, now, inc):
        is_listed = self.key.values in self.rule.listed
        if self.key.drains() or self.key.unlisted is not None or not (inc.has_resumed or is_listed):
            self.due = None  # forgotten until its next sign of life
        elif self.due <= now:
            self.due = now + self.rule.expect["every_ms"]


class Key:
    """Of a rule: watching, or with an open incident."""

    def __init__(self, model, place, values):
        self.model, self.place, self.values = model, place, values
        self.incident = None
        self.last_touch = NEVER  # of any kind
        self.unlisted = None     # when a switch took it from the keys that are listed
        self.form = (Expect if self.rule.expect else Steps if self.rule.steps else Window)(self)

    @property
    def rule(self):
        return self.model.rules[self.place]

    def drains(self):
        """Its rule is gone or was changed."""
        return self.place not in self.model.in_force

    def touch(self, touch):
        self.last_touch = touch.time
        if self.incident is None:
            (self.form.take if touch.raises else self.form.drop)(touch)
        elif touch.kind == "BEAT":
            self.form.take_open(touch)
        elif touch.raises:
            self.incident.join(touch)
            if self.incident.rule.lasts and self.incident.may_close(touch.time):
                self.close(touch.time, "value")
            else:
                self.form.take_open(touch)
        elif self.incident.leave(touch) and self.incident.cleared() and self.incident.may_close(touch.time):
            self.close(touch.time, "cleared")

    def timers(self):
        if self.unlisted is not None:
            return self.unlisted
        return self.incident.timers() if self.incident else self.form.timers()

    def timer(self, now):
        if self.unlisted is not None and self.incident:
            self.close(now, "unlisted")
        elif self.incident is None:
            self.form.timer(now)
        else:
            self.close_by_timer(now)

    def close_by_timer(self, now):
        is_quiet = any(self.incident.last_touch + quiet == now for quiet in self.incident.rule.quiets)
        self.incident.looked = now
        if self.incident.may_close(now):
            self.close(now, "quiet" if is_quiet else "fewer")

    def open(self, entries, event, why, now, opener, counts):
        """`event` is None where none did it."""
        self.incident = Incident(self, entries, event, why, now, opener, counts)
        self.model.log.change(self.incident, now, "opened", "rule")

    def close(self, now, cause):
        inc, self.incident = self.incident, None
        self.model.log.change(inc, now, "closed", cause)
        self.form.closed(now, inc)


class Incident:
    """Also the world of `close`, and of the matchers of mutes."""

    def __init__(self, key, entries, event, why, now, opener, counts):
        self.rule, self.count = key.rule, key.model.count
        self.key_values, self.opened = dict(zip(self.rule.by, key.values)), now
        self.tenant = key.values[0]
        self.key_text = " ".join(f"{name}={text}" for name, text in self.key_values.items())
        self.id = hash_of(self.tenant, self.rule.id, self.key_text, opener,
                          event.position if opener == "event" else str(now))
        self.members = {}          # alert -> is it open
        self.untracked_open = 0
        for entry in entries:
            self.members[entry.alert] = not entry.is_cleared
        self.alerts, self.events = len(self.members), len(entries)
        self.has_resumed = False   # of a rule with expect: a sign of life has come
        if self.rule.expect:       # what is missing counts as an alert
            self.alerts = self.untracked_open = 1
            self.first = key.form.listed if key.form.last is None else key.form.last
            self.severity = SEVERITIES.index(self.rule.expect.get("severity", "major"))
        else:
            self.first = min(entry.ts for entry in entries)
            self.severity = max(entry.severity for entry in entries)
        shown = Counted(counts, event or self.rule.key_event(key.values, now))
        self.title = cut("".join(self.shown(part, shown) for part in self.rule.title), TITLE_BYTES)
        self.why = cut(why, WHY_BYTES)
        self.last_touch = self.looked = now
        self.joined = []           # times of RAISE, CHANGE and REPEAT since the opening
        self.last_numbers = {}
        self.note_numbers(event)
        self.is_lost = self.is_lost_now = False  # "no longer watched"; and its update is to come
        self.is_forgotten = False  # its key is gone
        self.is_told = self.is_behind = False    # to sinks
        self.number, self.op_numbers = 0, collections.Counter()
        self.roles = {}            # by inhibition: ((is target, is source), since when)
        self.count("correlated", sum(not entry.is_counted for entry in entries))
        self.count("opened")
        for entry in entries:
            entry.is_counted = True

    @staticmethod
    def shown(part, world):
        """A piece of text, or an expression; what cannot be computed is nothing."""
        try:
            return part if isinstance(part, str) else text_of(value(part, world))
        except Undefined:
            return ""

    def note_numbers(self, event):
        for tree in self.rule.lasts if event else ():
            try:
                self.last_numbers[tree] = to_double(value(tree, event))
            except Undefined:
                pass

    def join(self, touch):
        if touch.alert in self.members or len(self.members) < self.rule.max_members:
            self.alerts += touch.alert not in self.members
            self.members[touch.alert] = True
        elif touch.kind == "RAISE":
            self.alerts += 1
            self.untracked_open += 1
        self.events += 1
        self.first = min(self.first, touch.event.ts)
        self.severity = max(self.severity, touch.event.severity)
        self.last_touch = self.looked = touch.time
        self.joined.append(touch.time)
        self.note_numbers(touch.event)
        self.count("correlated")

    def leave(self, touch):
        """CLEAR or EVICT; whether it may close the incident."""
        if self.members.get(touch.alert):
            self.members[touch.alert] = False
        elif touch.alert not in self.members and self.untracked_open > 0:
            self.untracked_open -= 1
        else:
            self.count("retired")
            return False
        self.events += 1
        self.count("correlated")
        if touch.kind == "EVICT":
            self.is_lost_now |= not self.is_lost
            self.is_lost = True
        return touch.kind == "CLEAR"

    def open_count(self):
        return sum(self.members.values()) + self.untracked_open

    # What `close` asks, and when it is asked by a timer.

    def may_close(self, now):
        self.now = now
        return is_true(self.rule.close, self)

    def cleared(self):
        return self.open_count() == 0 and not self.is_lost

    def quiet(self, ms):
        return self.now - self.last_touch >= ms

    def fewer(self, touches, ms):
        return self.now >= self.fewer_from(touches, ms)

    def fewer_from(self, touches, ms):
        return (self.joined[-touches] if len(self.joined) >= touches else self.opened) + ms

    def last(self, tree):
        return member(self.last_numbers, tree)

    def timers(self):
        due = [self.last_touch + quiet for quiet in self.rule.quiets]
        due += [self.fewer_from(*fewer) for fewer in self.rule.fewers]
        return min((t for t in due if t > self.looked), default=None)

    # What matchers ask.

    def field(self, name):
        own = {"rule": self.rule.id, "priority": self.rule.priority, "team": self.rule.team,
               "severity": Severity(self.matched_severity)}
        return own[name] if name in own else self.key_values.get(name, "")

    def has(self, name):
        return self.field(name) != ""


# ---- section 4: the incident log; section 5: muting ----


class Log:
    def __init__(self, model, scenario):
        self.model, self.count = model, model.count
        self.sinks, self.lines = scenario["sinks"], []
        self.open = []         # incidents, in the order of their openings
        self.role_number = 0
        self.take_mutes(scenario.get("mutes"))

    def take_mutes(self, raw):
        sets = frozen(raw or {})
        self.silences, self.windows, self.inhibits = (
            sorted(sets.get(kind, ()), key=lambda mute: mute["id"]) for kind in ("silences", "maintenance", "inhibit"))

    def take_roles(self, inc, anew):
        """What the incident is to each inhibition, and since when."""
        for rule in self.inhibits:
            role = (value(rule["target"], inc), value(rule["source"], inc))
            if anew or inc.roles[rule["id"]][0] != role:
                self.role_number += 1
                inc.roles[rule["id"]] = (role, self.role_number)

    def inhibitors(self, rule, inc):
        """The open incidents that mute this one by the rule, each with since when."""
        (is_target, is_source), _ = inc.roles[rule["id"]]
        for other in self.open:
            (other_is_target, other_is_source), since = other.roles[rule["id"]]
            two_sided = is_source and is_target and other_is_source and other_is_target
            if (is_target and other_is_source and not (is_source and other_is_target) and other is not inc
                    and all(inc.field(name) == other.field(name) for name in ("tenant", *rule["equal"]))):
                yield since, other.id

    def muted_by(self, inc, now):
        """The names of all that mutes the incident at that time."""
        names = [f"silence {mute['id']}" for mute in self.silences
                 if mute.get("from", now) <= now < mute["to"] and value(mute["where"], inc)]
        names += [f"maintenance {mute['id']}" for mute in self.windows
                  if value(mute["where"], inc) and calendars.open_at(mute, now)]
        for rule in self.inhibits:
            sources = sorted(self.inhibitors(rule, inc))
            names += [f"inhibit {rule['id']} by {sources[0][1]}"] if sources else []
        return names

    def boundary(self, now):
        """A time later than `now`, at or before the next at which a silence or window begins or ends for somebody."""
        if all(inc.is_told and not inc.is_behind for inc in self.open):
            return None
        times = [mute[name] for mute in self.silences for name in ("from", "to") if name in mute]
        times += [edge for mute in self.windows for edge in (calendars.next_edge(mute, now),) if edge is not None]
        return min((t for t in times if t > now), default=None)

    def change(self, inc, now, change, cause):
        """`model.now` is the time that mutes are looked at: the one before, at a round's end."""
        is_last = change == "closed" or inc.is_forgotten
        if change == "opened":
            self.open.append(inc)
        if not is_last:
            inc.matched_severity = inc.severity
            self.take_roles(inc, change == "opened")
        names = [] if inc.is_forgotten else self.muted_by(inc, self.model.now)
        inc.logged = {"severity": SEVERITIES[inc.severity], "events": inc.events, "alerts": inc.alerts,
                      "open": inc.open_count(), "opened": inc.opened, "first": inc.first}
        inc.logged_severity = inc.severity
        if change == "closed":
            op = "resolve" if inc.is_told else None
            self.count("closed")
        else:
            op = None if names else "update" if inc.is_told else "open"
        self.tell(inc, now, change, cause, names, op)
        if is_last:
            self.open.remove(inc)
        self.tell_freed(self.model.now, now, inc)

    def tell_freed(self, looked_at, now, but=None):
        """Those that nothing mutes any more and that have something to tell."""
        for inc in self.open:
            if inc is not but and (inc.is_behind or not inc.is_told) and not self.muted_by(inc, looked_at):
                self.tell(inc, now, "updated", "unmuted", [], "update" if inc.is_told else "open")
        self.model.next_mute = None

    def switch(self, raw, now):
        self.take_mutes(raw)
        for inc in self.open:
            inc.roles = {}
            self.take_roles(inc, True)
        self.tell_freed(now, now)

    def tell(self, inc, now, change, cause, names, op):
        inc.number += 1
        inc.is_behind = inc.is_told and not op
        inc.is_told |= op is not None
        counts = dict(inc.logged)
        line = {"at": now, "change": change, "cause": cause, "incident": inc.id, "n": inc.number, "tenant": inc.tenant,
                "rule": inc.rule.id, "key": inc.key_text, "priority": inc.rule.priority, **counts,
                "title": inc.title, "why": inc.why}
        if names:
            line["muted_by"] = ", ".join(names[:MUTES_NAMED] + ["..."] * (len(names) > MUTES_NAMED))
        self.write(line)
        for sink in self.sinks if op else []:
            if inc.rule.priority > sink.get("priority", "P5"):
                continue
            inc.op_numbers[sink["name"]] += 1
            number = inc.op_numbers[sink["name"]]
            self.write({"at": now, "op": op, "incident": inc.id, "sink": sink["name"], "number": number,
                        "id": hash_of(inc.id, sink["name"], str(number))})

    def write(self, line):
        self.lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")))


# ---- the order of everything ----


class Model:
    def __init__(self, scenario):
        self.config = scenario["config"]
        self.ledger = collections.Counter()
        self.recording = Recording(self, scenario)
        self.switches = list(scenario.get("switches", []))  # in order of their time
        self.rules = {}       # place -> rule: an id, and a number for each form that the id ever had
        self.in_force = []    # places of the set in force
        self.take_rules(scenario["rules"])
        self.alerts = Alerts(self)
        self.keys = {}        # (place, values) -> Key
        self.pushed = collections.Counter()  # by place: entries that max_members pushed out in this minute
        self.now = NEVER      # the time that mutes are looked at
        self.next_mute = None # the next at which one begins or ends, once looked up
        self.log = Log(self, scenario)

    def count(self, name, times=1):
        self.ledger[name] += times

    def current(self):
        return [(place, self.rules[place]) for place in self.in_force]

    def take_rules(self, raw):
        """A rule whose form is unchanged keeps its place, any other gets a new one."""
        old = {place[0]: place for place in self.in_force}
        self.in_force = []
        for rule in sorted(map(Rule, raw), key=lambda rule: rule.id):
            place = old.get(rule.id)
            if place is None or self.rules[place].form != rule.form:
                place = (rule.id, len(self.rules))
            self.rules[place] = rule
            self.in_force.append(place)
        self.reads_volatile = any(is_volatile(rule.where) for _, rule in self.current()
                                  if rule.on in ("alerts", "events"))

    def run(self):
        events, end, round_ms = self.recording.events, self.recording.end, self.config["round_ms"]
        minute = -(-60000 // round_ms) * round_ms
        next_round = None  # nothing has happened yet that a round end could see
        if end is not None:
            self.list_keys(self.recording.begin // round_ms * round_ms)
        while end is not None:
            due = [(end, ROUND_END)]  # the last thing that happens
            due += [(next_round, ROUND_END)] if next_round is not None else []
            due += [((self.now // minute + 1) * minute, ROUND_END)] if self.pushed else []
            due += [(switch["at"], SWITCH) for switch in self.switches[:1]]
            if self.next_mute is None:
                self.next_mute = self.log.boundary(self.now)
            due += [(self.next_mute, MUTE)] if self.next_mute is not None else []
            due += [(t, ALERT_TIMER, alert.identity) for alert in self.alerts.table.values()
                    for t in self.alerts.timers(alert)]
            due += [(t, KEY_TIMER, *name) for name, key in self.keys.items() for t in (key.timers(),) if t is not None]
            due += [(event.et, EVENT) for event in events[:1]]
            now, what, *which = min(due)
            if what == ROUND_END:
                self.now = now - 1
                derived = self.round_end(now, now % minute == 0)
                if now == end:
                    break
                next_round = None
                self.count("derived", len(derived))
                if derived:
                    events = sorted(events + derived, key=Event.order)
                continue
            self.now = now
            if what == SWITCH:
                self.switch(self.switches.pop(0))
            elif what == MUTE:
                self.log.tell_freed(now, now)
            elif what == ALERT_TIMER:
                self.touch_all(self.alerts.timer(self.alerts.table[which[0]], now))
            elif what == KEY_TIMER:
                self.keys[tuple(which)].timer(now)
                self.forget(tuple(which))
            else:
                event = events.pop(0)
                self.touch_all(self.alerts.event(event) + self.beats(event))
            next_round = (now // round_ms + 1) * round_ms
        self.ledger["pending"] = sum(not entry.is_counted for key in self.keys.values() for entry in key.form.held())
        self.ledger["open"] = self.ledger["opened"] - self.ledger["closed"]

    def beats(self, event):
        return [Touch("BEAT", *route, None, event, event.et) for route in self.alerts.match(event, ("beats",))]

    def touch_all(self, touches):
        """Touches of one event or timer count by rule."""
        for touch in sorted(touches, key=lambda touch: touch.place):
            name = (touch.place, touch.values)
            self.count("touches")
            listed = self.rules[touch.place].listed
            if name not in self.keys and (not touch.raises or listed and touch.values not in listed):
                self.count("retired")
                continue
            if name not in self.keys:
                self.keys[name] = Key(self, *name)
            self.keys[name].touch(touch)
            self.forget(name)

    def list_keys(self, now):
        """Those that rules list are there without a touch; those that they list no more go by a timer of this time."""
        for place, rule in self.current():
            for name in [name for name in self.keys if name[0] == place and rule.listed]:
                self.keys[name].unlisted = now if name[1] not in rule.listed else None
            for name in [(place, values) for values in rule.listed if (place, values) not in self.keys]:
                self.keys[name] = Key(self, *name)
                self.keys[name].form.list(now)

    def forget(self, name):
        """A key that watches and holds nothing leaves the table."""
        if self.keys[name].incident is None and self.keys[name].form.is_empty():
            del self.keys[name]

    def switch(self, switch):
        self.take_rules(switch["rules"])
        for alert in self.alerts.table.values():
            alert.is_stale = True
        self.log.switch(switch.get("mutes"), switch["at"])
        self.list_keys(switch["at"])

    def round_end(self, now, ends_minute):
        """Returns the self-alerts, events of the next round's start."""
        for touch in self.alerts.evict(now):
            self.touch_all([touch])
        open_ones = sorted((name, key.incident) for name, key in self.keys.items() if key.incident)  # before keys go
        given_up, lost = self.evict_keys(), collections.Counter()  # by rule
        for (place, _), inc in open_ones:
            lost[place] += inc.is_lost_now
            cause = ("evicted" if inc.is_lost_now else "severity" if inc.severity > inc.logged_severity
                     else "grew" if inc.alerts >= 2 * inc.logged["alerts"] else None)
            inc.is_lost_now = False
            if cause:
                self.log.change(inc, now, "updated", cause)
        told = [("no-longer-watched", place, n, "incident is", "incidents are", "no longer watched: a bound was reached")
                for place, n in sorted(lost.items()) if n]
        told += [("keys-evicted", place, n, "key was", "keys were", "given up: max_keys was reached")
                 for place, n in sorted(given_up.items())]
        if ends_minute:
            told += [("members-evicted", place, self.pushed[place], "entry was", "entries were",
                      "pushed out: max_members was reached") for place, _ in self.current() if self.pushed[place]]
            self.pushed.clear()
        return [self_alert(now, sub, rule, check, "warning", f"{n} {noun} of rule {rule} {verb} {says}")
                for sub, (check, (rule, _), n, one, many, says) in enumerate(told)
                for noun, verb in [(one if n == 1 else many).split()]]

    def evict_keys(self):
        """Returns how many keys without an incident went, by rule."""
        given_up = collections.Counter()
        for place, rule in self.current():  # old forms drain: nothing bounds them
            held = sorted((key.incident is not None, key.last_touch, name) for name, key in self.keys.items()
                          if name[0] == place)
            for has_incident, _, name in held[:max(0, len(held) - rule.max_keys)]:
                key = self.keys.pop(name)
                if has_incident:
                    key.incident.is_lost = key.incident.is_lost_now = key.incident.is_forgotten = True
                else:
                    self.count("evicted", sum(not entry.is_counted for entry in key.form.held()))
                    given_up[place] += 1
        return given_up


LEDGER = ["records", "events", "derived", "left", "rejected", "duplicate", "unmatched", "routed", "touches",
          "correlated", "expired", "evicted", "retired", "pending", "opened", "closed", "open", "time_clamped", "late",
          "late_by_seal", "alerts_expired", "flap_folded"]


def run(scenario):
    """The lines of the incident log, the ledger's line last."""
    model = Model(scenario)
    model.run()
    ledger = model.ledger
    assert ledger["events"] + ledger["derived"] == sum(
        ledger[name] for name in ("rejected", "duplicate", "unmatched", "routed", "left")), "L2"
    assert ledger["touches"] == sum(
        ledger[name] for name in ("correlated", "expired", "evicted", "retired", "pending")), "L3"
    model.log.write({"ledger": {name: ledger[name] for name in LEDGER}})
    return model.log.lines


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as scenario_file:
        print("\n".join(run(json.load(scenario_file))))

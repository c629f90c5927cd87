"""What a key of a rule holds while it watches, by the form of the rule: docs/correlation.md, section 3."""
import fractions
import functools
import itertools
import math

from records import NEVER
from values import Undefined, computed, duration_text, is_true, number_text

WHY_VALUES = 5


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
        return computed(("double", tree), self.event)


# Numbers: sums are exact, in steps of 2**-40.

STEP = 2 ** 40


@functools.cache
def exact(number):
    """A whole number of steps, ties to even."""
    return round(fractions.Fraction(number) * STEP)


def real(steps):
    return float(steps) / STEP


def fits(number):
    return abs(number) < 2.0 ** 68


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
    rows = [(at, number) for at, number in rows if number is not None and fits(number)]
    numbers, steps = [number for _, number in rows], [exact(number) for _, number in rows]
    if kind == "rate":
        return rate(share, [at for at, _ in rows], steps)
    return NUMBERS[kind](numbers, steps, share) if rows or kind == "sum" else None


class Counted:
    """An event and what was counted: the world of `when` and of titles."""

    def __init__(self, counts, event=None):
        self.counts, self.event = counts, event

    def __getattr__(self, name):
        return getattr(self.event, name)

    def aggregate(self, *tree):
        if self.counts[("aggregate", *tree)] is None:
            raise Undefined
        return self.counts[("aggregate", *tree)]


# What bears a `when` that is true.

RELATIONS = {  # turned round; with its sides exchanged
    "<": (">=", ">"), "<=": (">", ">="), ">": ("<=", "<"), ">=": ("<", "<="), "==": ("!=", "=="), "!=": ("==", "!=")}


def bearing(tree, world, turned=False):
    """Its leaves that bear it, or with `turned` its being false; and whether they are turned round."""
    if tree[0] == "not":
        yield from bearing(tree[1], world, not turned)
    elif tree[0] in ("and", "or"):
        for side in tree[1:]:
            if (tree[0] == "and") is not turned or computed(side, world) is (not turned):
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


def aggregates_in(tree, inner=True):
    """In order of first appearance, and with `inner` those that a deviation is of, before it."""
    if tree[0] != "aggregate":
        return [found for part in tree if type(part) is tuple for found in aggregates_in(part, inner)]
    return (aggregates_in(tree[3]) if inner and tree[2] == "deviation" else []) + [tree]


class Form:
    """What a key holds while it watches; each form of rule has its own."""

    def __init__(self, key):
        self.key, self.count = key, key.count
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

    def hear(self, touch):
        """A touch of a key whose incident is open."""

    def take_open(self, touch):
        """A touch that has joined the open incident and did not close it."""

    def closed(self, now, inc):
        """Its incident has closed."""


class Window(Form):
    begun = None       # when the first of its entries came
    true_since = None  # with `for`: since when `when` is true

    def look(self):
        self.counts = {part: aggregate(self.entries, *part) for part in self.rule.aggregates}
        return is_true(self.rule.when, Counted(self.counts))

    def take(self, touch):
        now = touch.time
        if self.rule.window == "sliding":
            self.slide(now)
        own = [entry for entry in self.entries if entry.alert == touch.alert]
        if own and (touch.kind == "CHANGE" or self.rule.window == "open"):
            own[-1].change(touch.event)
            self.count("retired")
        else:
            if not self.entries:
                self.begun, self.true_since = now, None
            own = [Entry(touch)]
            self.entries += own
        self.count("numbers_unfit", self.unfit(own[-1]))
        if len(self.entries) > self.rule.max_members:
            self.entries.pop(0)
            self.count("evicted")
            if not touch.event.is_self_alert():
                self.key.model.pushed[self.key.place] += 1
        if self.rule.for_ms:
            self.look_for_long(now)
        elif self.rule.look != "end" and self.look():
            self.open(touch.event, now, touch.opener)

    def unfit(self, entry):
        """How many numbers of it no aggregate takes."""
        numbers = map(entry.number, {part[3] for part in self.rule.aggregates if part[2] in NUMBERS or part[2] == "rate"})
        return sum(number is not None and not fits(number) for number in numbers)

    def look_for_long(self, now):
        if not self.look():
            self.true_since = None
        elif self.true_since is None:
            self.true_since = now

    def drop(self, touch):
        super().drop(touch)
        left = [entry for entry in self.entries if entry.alert != touch.alert]
        if self.rule.window == "open" and len(left) < len(self.entries):
            self.count("expired")
            self.entries = left
            if left and self.rule.for_ms:
                self.look_for_long(touch.time)

    def slide(self, now):
        left = [entry for entry in self.entries if entry.time > now - self.rule.window_ms]
        self.count("expired", len(self.entries) - len(left))
        self.entries = left

    def timers(self):
        rule = self.rule
        return {"sliding": lambda: self.entries[0].time + rule.window_ms,
                "tumbling": lambda: (self.begun // rule.window_ms + 1) * rule.window_ms,
                "session": lambda: min(self.entries[-1].time + rule.window_ms, self.begun + rule.session_max_ms),
                "open": lambda: None if self.true_since is None else self.true_since + rule.for_ms}[rule.window]()

    def timer(self, now):
        if self.rule.window == "sliding":
            self.slide(now)
        elif self.rule.for_ms or self.rule.look == "end" and self.look():
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
        frame = {"open": "open now", "session": "in a session with gaps below "}.get(rule.window, "in ")
        frame += duration_text(rule.window_ms) if rule.window_ms else ""
        leaves = list(bearing(rule.when, Counted(self.counts)))
        bear = [part for part in rule.aggregates if any(part in aggregates_in(leaf, False) for leaf, _ in leaves)]
        for part in bear or rule.aggregates:
            (_, text, kind, *args), n = part, self.counts[part]
            needed = list(dict.fromkeys(filter(None, (need(leaf, turned, part) for leaf, turned in leaves))))
            needs = f" (needs {', '.join(needed)})" if needed else ""
            if kind == "count":
                noun = {"events": "event", "incidents": "incident", "flapping": "flapping alert"}.get(rule.on, "alert")
                parts.append(f"{n} {noun}{'' if n == 1 else 's'} {frame}{needs}")
            elif kind == "distinct":
                different = list(dict.fromkeys(entry.event.text(args[0][1]) for entry in entries))
                shown = [text or "(none)" for text in different[:WHY_VALUES]] + ["..."] * (len(different) > WHY_VALUES)
                parts.append(f"{n} different value{'' if n == 1 else 's'} of {args[0][1]} {frame}{needs}: " + ", ".join(shown))
            elif kind == "deviation":
                parts.append(self.why_unusual(part, frame))
            else:
                parts.append(f"{text} is {'nothing' if n is None else number_text(n)} {frame}")
        return "; ".join(parts + [f"held for {duration_text(rule.for_ms)}"] * (rule.for_ms > 0))


class Baseline(Window):
    """A tumbling window that is looked at each time it ends, and learns what is usual in its slot of the season."""

    def __init__(self, key):
        super().__init__(key)
        self.due = self.last = None  # the next end; the last touch
        self.closed_at = NEVER       # when the last incident closed
        self.learned = {}            # (deviation, slot) -> (windows, their mean, sum of squared distances)

    def is_empty(self):
        return self.due is None

    def take(self, touch):
        super().take(touch)
        self.last = touch.time
        self.due = self.due or (touch.time // self.rule.window_ms + 1) * self.rule.window_ms

    def hear(self, touch):
        self.last = touch.time

    def closed(self, now, inc):
        self.closed_at = now
        self.due = None if self.key.drains() else (now // self.rule.window_ms + 1) * self.rule.window_ms

    def timers(self):
        return self.due

    def timer(self, now):
        recording, begin = self.key.model.recording, now - self.rule.window_ms
        self.due = now + self.rule.window_ms
        self.now = now
        is_blind = any(recording.is_blind(place, now) or recording.sight_since(place, now) + 60000 > begin
                       for place in recording.blind)
        if self.key.drains() or now - self.last >= self.rule.forget:
            self.due = None
        elif self.closed_at <= begin and not is_blind:
            is_unusual = self.look()
            if is_unusual and (self.entries or any(x is not None for x in self.numbers.values())):
                self.open(None, now, "timer")
            elif not is_unusual:
                self.learn()
        self.count("expired", len(self.entries))
        self.entries = []

    def look(self):
        """Numbers of deviations, and what is known of them, are as the window finds them."""
        self.counts, self.numbers, self.known = {}, {}, {}
        for part in self.rule.aggregates:
            if part[2] != "deviation":
                is_zero = not self.entries and part[2] == "rate"
                self.counts[part] = 0.0 if is_zero else aggregate(self.entries, *part)
                continue
            x, slot = self.counts[part[3]], (self.now // self.rule.window_ms - 1) % self.rule.slots
            self.numbers[part] = None if x is None else float(x)
            self.known[part] = self.learned.get((part, slot), (0, 0.0, 0.0))
            self.counts[part] = self.deviation(self.numbers[part], *self.known[part])
        return is_true(self.rule.when, Counted(self.counts))

    def deviation(self, x, k, mean, q):
        if x is None or k < self.rule.learn:
            return None
        if x == mean or q == 0:
            return 0.0 if x == mean else math.copysign(1e6, x - mean)
        return max(-1e6, min(1e6, (x - mean) / math.sqrt(q / k)))

    def learn(self):
        for part, x in self.numbers.items():
            if x is not None:
                k, mean, q = self.known[part]
                step = x - mean
                mean += step / (k + 1)
                slot = (self.now // self.rule.window_ms - 1) % self.rule.slots
                self.learned[part, slot] = (k + 1, mean, q + step * (x - mean))

    def why_unusual(self, part, frame):
        x, (k, mean, _), n = self.numbers[part], self.known[part], self.counts[part]
        said = f"{part[3][1]} is {'nothing' if x is None else number_text(x)} {frame}, "
        if n is None:
            return f"{said}{k}{'' if k > self.rule.learn else f' of {self.rule.learn}'} seasons known"
        n, mean = (number_text(float(f"{number:.4g}")) for number in (n, mean))
        return f"{said}{n} standard deviations from its mean {mean} of {k} seasons"


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
            elif i < last or not self.chains[i] or self.rule.strict:
                self.chains[i] = chain
                made.add(i)
        if self.rule.strict:
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
        over = [bool(chain) and chain[0].time + self.rule.window_ms <= now for chain in self.chains]
        waited = self.chains[-1] if self.waits and over[-1] else ()
        self.chains = [() if is_over else chain for is_over, chain in zip(over, self.chains)]
        return waited

    def timers(self):
        return min((chain[0].time + self.rule.window_ms for chain in self.chains if chain), default=None)

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
        return (", then " if self.rule.in_order else " and ").join(said) + f" (within {duration_text(self.rule.window_ms)})"


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

"""What a key of a rule holds and does, by the form of the rule: docs/correlation.md, section 3."""
import functools
import math

from aggregates import NUMBERS, Counted, aggregate, aggregates_in, bearing, fits, need
from incident import Incident
from log import listed
from records import NEVER
from values import computed, duration_text, is_true, number_text

WHY_VALUES = 5
SINGLE_MAX = 1000  # that stand before an entry which a full window gives up
NOUNS = {"alerts": "alert", "events": "event", "incidents": "incident", "flapping": "flapping alert"}


def shown(number):
    return "nothing" if number is None else number_text(number)


class Key:
    """It watches and holds touches as entries, or has an open incident. The class of a form of rule says what it does
    while it watches (take, clear), when by itself (due, pass_time), and beside an incident (take_open, closed)."""
    entries, counts = [], {}
    incident = last_raise = None
    last_touch = NEVER
    due_at = math.inf    # of forms that owe themselves a look
    unlisted = math.inf  # when a switch took it from the keys that are listed

    def __init__(self, model, place, values):
        self.model, self.place, self.values = model, place, values
        self.count = functools.partial(model.count, of=place)

    @property
    def rule(self):
        return self.model.rules[self.place]

    def drains(self):
        """Its rule is gone or was changed."""
        return self.place not in self.model.in_force

    def is_empty(self):
        return not self.entries and self.due_at == math.inf

    def due(self):
        return self.due_at

    def touch(self, touch):
        self.last_touch = touch.time
        self.last_raise = touch if touch.raises else self.last_raise
        if self.incident:
            self.touch_open(touch, self.incident)
        elif touch.raises:
            self.take(touch)
        else:
            self.count("retired")
            self.clear(touch)

    def touch_open(self, touch, inc):
        if touch.kind in ("CLEAR", "EVICT", "BEAT"):
            if inc.leave(touch) and inc.may_close(touch.time):
                self.close(touch.time, "cleared")
            return
        inc.join(touch)
        if inc.rule.lasts and inc.may_close(touch.time):
            self.close(touch.time, "value")
        else:
            self.take_open(touch)

    def take_open(self, touch):
        """A touch that has joined the open incident and did not close it."""

    def clear(self, touch):
        """CLEAR or EVICT of a key that watches."""
        for entry in self.entries:
            entry.is_cleared |= entry.alert == touch.alert

    def timer_at(self):
        return min(self.unlisted, self.incident.timer_at() if self.incident else self.due())

    def timer(self, now):
        inc = self.incident
        if inc is None:
            self.pass_time(now)
        elif self.unlisted == now:
            self.close(now, "unlisted")
        else:
            cause, inc.looked = "quiet" if now in inc.quiet_ends() else "fewer", now
            if inc.may_close(now):
                self.close(now, cause)

    def open(self, entries, event, why, now, opener="timer", bare=(None, "ok")):
        self.incident = Incident(self, entries, event, why, now, opener, bare)
        self.model.log.change(self.incident, now, "opened", "rule")

    def close(self, now, cause):
        inc, self.incident = self.incident, None
        self.model.log.change(inc, now, "closed", cause)
        self.closed(now, inc)

    def closed(self, now, inc):
        """Its incident has closed: it watches again."""


class Window(Key):
    begun = NEVER          # when the first of its entries came
    true_since = math.inf  # with `for`: since when `when` is true

    def look(self):
        self.counts = {}
        for part in self.rule.aggregates:
            self.counts[part] = self.aggregate(part)
        return is_true(self.rule.when, Counted(self.counts))

    def aggregate(self, part):
        return aggregate(self.entries, *part)

    def keep(self, entries, counted="expired"):
        self.count(counted, len(self.entries) - len(entries))
        self.entries = entries

    def slide(self, now):
        self.keep([entry for entry in self.entries if entry.time > now - self.rule.window_ms])

    def take(self, touch):
        rule, now = self.rule, touch.time
        if rule.window == "sliding":
            self.slide(now)
        own = [entry for entry in self.entries if entry.alert == touch.alert]
        if own and (touch.kind == "CHANGE" or rule.window == "open"):
            own[-1].event = touch.event
            self.count("retired")
        else:
            if not self.entries:
                self.begun, self.true_since = now, math.inf
            self.entries = self.entries + [touch]
        arguments = {part[3] for part in rule.aggregates if part[2] in NUMBERS}
        numbers = [computed(("double", argument), touch.event) for argument in arguments]
        self.count("numbers_unfit", sum(number is not None and not fits(number) for number in numbers))
        if len(self.entries) > rule.max_members:
            goes = self.first_to_go()
            self.keep(self.entries[:goes] + self.entries[goes + 1:], "evicted")
            self.model.take("members-evicted", self.place, touch)
        if rule.for_ms:
            self.look_for_long(now)
        elif rule.look != "end" and self.look():
            self.open_with(touch.event, now, touch.opener)

    def first_to_go(self):
        """Which entry a full window gives up."""
        others = [part for part in self.rule.aggregates if part[2] != "count"]
        if [part[2] for part in others] == ["distinct"]:
            texts = [entry.event.text(others[0][3][1]) for entry in self.entries]
            return next((at for at, text in enumerate(texts[:SINGLE_MAX]) if text in texts[at + 1:]), 0)
        return 0

    def clear(self, touch):
        super().clear(touch)
        if self.rule.window == "open" and any(entry.is_cleared for entry in self.entries):
            self.keep([entry for entry in self.entries if not entry.is_cleared])
            if self.rule.for_ms:
                self.look_for_long(touch.time)

    def look_for_long(self, now):
        self.true_since = min(self.true_since, now) if self.look() else math.inf

    def due(self):
        rule, length = self.rule, self.rule.window_ms
        if rule.window == "open":
            return self.true_since + rule.for_ms
        return {"sliding": self.entries[0].time + length, "tumbling": (self.begun // length + 1) * length,
                "session": min(self.entries[-1].time + length, self.begun + rule.session_max_ms)}[rule.window]

    def pass_time(self, now):
        if self.rule.window == "sliding":
            self.slide(now)
        elif self.rule.for_ms or self.rule.look == "end" and self.look():
            self.open_with(None, now)
        else:
            self.keep([])

    def open_with(self, event, now, opener="timer", bare=(None, "ok")):
        why, entries, self.entries = self.why(), self.entries, []
        self.open(entries, event, why, now, opener, bare)

    def why(self):
        rule = self.rule
        leaves = list(bearing(rule.when, Counted(self.counts)))
        bear = [part for part in rule.aggregates if any(part in aggregates_in(leaf, False) for leaf, _ in leaves)]
        said = []
        for part in bear or rule.aggregates:
            needs = list(dict.fromkeys(filter(None, (need(leaf, turned, part) for leaf, turned in leaves))))
            said.append(self.said(part, self.counts[part], f" (needs {', '.join(needs)})" if needs else ""))
        return "; ".join(said + [f"held for {duration_text(rule.for_ms)}"] * (rule.for_ms > 0))

    def said(self, part, n, needs):
        (_, text, kind, *over), plural = part, "" if n == 1 else "s"
        if kind == "count":
            return f"{n} {NOUNS[self.rule.on]}{plural} {self.rule.frame}{needs}"
        if kind == "distinct":
            field = over[0][1]
            texts = [text or "(none)" for text in dict.fromkeys(entry.event.text(field) for entry in self.entries)]
            return f"{n} different value{plural} of {field} {self.rule.frame}{needs}: {listed(texts, WHY_VALUES)}"
        return f"{text} is {shown(n)} {self.rule.frame}{needs}"


class Baseline(Window):
    """A tumbling window that is looked at each time it ends, and learns what is usual in its slot of the season."""
    due = Key.due  # the end of the window, also where it holds no entry

    def __init__(self, *of):
        super().__init__(*of)
        self.closed_at = NEVER
        self.learned = {}  # (deviation, slot) -> (windows, their mean, sum of squared distances)
        self.known = {}    # deviation -> (what it is of now, and what was learned of that)

    def end_after(self, now):
        return (now // self.rule.window_ms + 1) * self.rule.window_ms

    def take(self, touch):
        super().take(touch)
        self.due_at = min(self.due_at, self.end_after(touch.time))  # one of this very time is still to come

    def closed(self, now, inc):
        self.closed_at, self.due_at = now, math.inf if self.drains() else self.end_after(now)

    def pass_time(self, now):
        begin, self.due_at = now - self.rule.window_ms, self.end_after(now)
        self.slot = begin // self.rule.window_ms % self.rule.slots
        if self.drains() or now - self.last_raise.time >= self.rule.forget:
            self.due_at = math.inf
        elif self.closed_at <= begin and self.model.recording.sight_since(now) + 60000 <= begin:
            if not self.look():
                self.learn()
            elif self.entries or any(x is not None for x, *_ in self.known.values()):
                self.open_with(None, now, bare=(begin, "warning"))
        self.keep([])

    def aggregate(self, part):
        if part[2] != "deviation":
            return 0.0 if part[2] == "rate" and not self.entries else super().aggregate(part)
        x = self.counts[part[3]]
        x, (k, mean, q) = None if x is None else float(x), self.learned.get((part, self.slot), (0, 0.0, 0.0))
        self.known[part] = x, k, mean, q
        if x is None or k < self.rule.learn:
            return None
        if x == mean or q == 0:
            return 0.0 if x == mean else math.copysign(1e6, x - mean)
        return max(-1e6, min(1e6, (x - mean) / math.sqrt(q / k)))

    def learn(self):
        for part, (x, k, mean, q) in self.known.items():
            if x is not None:
                new_mean = mean + (x - mean) / (k + 1)
                self.learned[part, self.slot] = (k + 1, new_mean, q + (x - mean) * (x - new_mean))

    def said(self, part, n, needs):
        if part[2] != "deviation":
            return super().said(part, n, needs)
        x, k, mean, _ = self.known[part]
        said = f"{part[3][1]} is {shown(x)} {self.rule.frame}, "
        if n is None:
            return f"{said}{k}{'' if k > self.rule.learn else f' of {self.rule.learn}'} seasons known"
        n, mean = (number_text(float(f"{number:.4g}")) for number in (n, mean))
        return f"{said}{n} standard deviations{needs} from its mean {mean} of {k} seasons"


class Steps(Key):
    """A sequence: of each step that comes, but the last, the chain that leads to it. Or `all`: its conditions."""

    def __init__(self, *of):
        super().__init__(*of)
        self.come = [i for i, step in enumerate(self.rule.steps) if not step.get("not")]
        self.waits = self.come[-1] < len(self.rule.steps) - 1  # for its timer, with all that comes
        self.chains = [()] * len(self.come)

    def keep(self, chains, counted):
        held = list(dict.fromkeys(entry for chain in chains for entry in chain))
        self.count(counted, sum(not entry.is_counted for entry in self.entries if entry not in held))
        self.chains, self.entries = chains, held

    def advance(self, touch):
        """The match, or (), and the chains that there are then."""
        is_step = [is_true(step["where"], touch.event) for step in self.rule.steps]
        if not self.rule.in_order:
            chains = [(touch,) if here else chain for here, chain in zip(is_step, self.chains)]
            return sum(chains, ()) if all(chains) else (), chains
        ends = self.come[1:] + [len(is_step)]
        before = [() if any(is_step[at + 1:end]) else chain for chain, at, end in zip(self.chains, self.come, ends)]
        match, after = (), [() if self.rule.strict else chain for chain in before]
        for i, at in enumerate(self.come):
            if is_step[at] and (i == 0 or before[i - 1]):
                chain = (before[i - 1] if i > 0 else ()) + (touch,)
                if at == self.come[-1] and not self.waits:
                    match = chain
                elif at != self.come[-1] or self.rule.strict or not before[i]:
                    after[i] = chain
        return match, after

    def left_by(self, match, chains):
        return [chain if self.rule.to_next and chain and chain[0].time > match[0].time else () for chain in chains]

    def in_time(self, now):
        return [chain if chain and chain[0].time + self.rule.window_ms > now else () for chain in self.chains]

    def take(self, touch):
        self.entries = self.entries + [touch]
        match, chains = self.advance(touch)
        if match:
            chains = self.open_with(match, chains, touch.event, touch.time, touch.opener)
        self.keep(chains, "retired")

    def take_open(self, touch):
        if self.rule.to_next:
            touch.is_counted = True
            self.keep(self.in_time(touch.time), "expired")
            match, chains = self.advance(touch)
            self.keep(self.left_by(match, chains) if match else chains, "retired")

    def closed(self, now, inc):
        self.keep(self.in_time(now), "expired")

    def due(self):
        return min(chain[0].time + self.rule.window_ms for chain in self.chains if chain)

    def pass_time(self, now):
        in_time = chains = self.in_time(now)
        waited = self.chains[-1] if self.waits and not in_time[-1] else ()
        if waited:
            chains = self.open_with(waited, in_time, waited[-1].event, now, "timer")
        self.keep(in_time, "expired")
        self.keep(chains, "retired")

    def open_with(self, match, chains, event, now, opener):
        """Returns the chains that are left."""
        left = self.left_by(match, chains)
        entries = sorted({*match, *(entry for chain in left for entry in chain)}, key=lambda entry: entry.serial)
        self.open(entries, event, self.why(match), now, opener)
        return left

    def why(self, match):
        rule, steps = self.rule, self.rule.steps
        said = [f"{steps[i]['name']}: {entry.event.check or '(none)'} on {entry.event.resource or '(none)'}"
                for i, entry in zip(self.come, match)]
        if rule.in_order:
            said[1:] = [f"{text} {duration_text(after.time - before.time)} later"
                        for text, before, after in zip(said[1:], match, match[1:])]
            said += [f"no {steps[-1]['name']}"] * self.waits
        return (", then " if rule.in_order else " and ").join(said) + f" (within {duration_text(rule.window_ms)})"


class Expect(Key):
    """Absence: who has shown a sign of life, or is listed, owes another."""
    listed = None  # when it was, where a rule lists it

    def list(self, now):
        self.listed, self.due_at = now, now + self.rule.expect["every_ms"]

    def touch(self, touch):
        self.due_at = touch.time + self.rule.expect["every_ms"]
        super().touch(touch)

    def take(self, touch):
        self.count("retired")

    def pass_time(self, now):
        last, every = self.last_raise, self.rule.expect["every_ms"]
        seen = self.model.recording.sight_since(now, last and last.event.topic)
        if self.unlisted == now or self.drains():
            self.due_at = math.inf  # nobody would tell it of a sign of life
        elif seen == math.inf:
            self.due_at = now + 10000
        elif now < seen + 60000:
            self.due_at = seen + 60000 + every
        else:
            since = last.time if last else self.listed
            said = f"nothing for {duration_text(now - since)}" if last else (
                f"nothing since it was listed, {duration_text(now - since)} ago")
            self.open([], None, f"{said} (expects an event every {duration_text(every)})", now,
                      bare=(since, self.rule.expect.get("severity", "major")))

    def closed(self, now, inc):
        if self.drains() or self.unlisted == now or inc.open_count() > 0 and self.values not in self.rule.listed:
            self.due_at = math.inf  # forgotten until its next sign of life
        elif self.due_at <= now:
            self.due_at = now + self.rule.expect["every_ms"]

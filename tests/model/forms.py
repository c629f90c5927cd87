"""What a key of a rule holds and does, by the form of the rule: docs/correlation.md, section 3."""
import math

from events import NEVER
from frame import words
from incidents import Incident
from values import aggregate, checked, computed, is_true

SINGLE_MAX = 1000  # that stand before an entry which a full window gives up


class Key:
    """It watches and holds touches as entries, or has an open incident. The class of a form of rule says what it does
    while it watches (take, cleared), when by itself (due, pass_time), and once an incident has ended (closed)."""
    incident = last_raise = aggregate = None
    last_touch, due_at = NEVER, math.inf  # the latter of forms that owe themselves a look

    def __init__(self, model, place, values):
        self.model, self.place, self.values, self.entries = model, place, values, []

    @property
    def rule(self):
        return self.model.rules[self.place]

    def is_unlisted(self):
        """Its rule lists the keys that it watches, and since a switch it does not list this one. An open incident goes
        by the form in force, whichever form opened it."""
        listed = (self.model.heirs.get(self.rule.family, self.rule) if self.incident else self.rule).listed
        return listed and self.values not in listed

    def drains(self):
        """Nobody tells it anything new: its rule is gone, was changed, or does not list it any more."""
        return self.rule not in self.model.in_force or self.is_unlisted()

    def is_empty(self):
        return not self.incident and not self.entries and self.due_at == math.inf

    def keep(self, entries, fate="expired"):
        for entry in set(self.entries).difference(entries):
            entry.counts_as(fate)
        self.entries = entries

    def touch(self, touch):
        inc, self.last_touch = self.incident, touch.time
        self.last_raise = touch if touch.raises else self.last_raise
        if inc and touch.kind in ("CLEAR", "EVICT", "BEAT"):
            if inc.leave(touch) and inc.may_close(touch.time):
                self.close(touch.time, "cleared")
        elif inc:
            inc.join(touch)
            if inc.rule.asks["last"] and inc.may_close(touch.time):
                self.close(touch.time, "value")
            elif self.rule.to_next and touch.place == self.place:
                self.take(touch)
        elif touch.raises:
            self.take(touch)
        else:
            touch.counts_as("retired")
            for entry in self.entries:
                entry.is_cleared |= entry.alert == touch.alert
            self.cleared(touch.time)

    def cleared(self, now):
        """Entries may have been marked so, while it watches."""

    def due(self):
        return self.due_at

    def timer_at(self):
        return self.model.now if self.is_unlisted() else (self.incident or self).due()

    def timer(self, now):
        inc = self.incident
        if inc is None:
            self.pass_time(now)
        elif self.is_unlisted():
            self.close(now, "unlisted")
        elif inc.may_close(now):
            self.close(now, "quiet" if now in inc.quiet_ends() else "fewer")

    def open(self, entries, event, why, now, bare=(None, "ok")):
        self.incident = Incident(self, entries, event, why, now, bare)
        self.model.telling.change(self.incident, now, "opened", "rule")

    def close(self, now, cause):
        inc, self.incident = self.incident, None
        self.model.telling.change(inc, now, "closed", cause)
        self.closed(now, inc)

    def closed(self, now, inc):
        """Its incident has closed: it watches again."""


class Window(Key):
    begun = NEVER          # when the first of its entries came
    true_since = math.inf  # with `for`: since when `when` is true

    def look(self):
        return is_true(self.rule.when, self)

    def aggregate(self, *of):
        return aggregate(self.entries, *of)

    def leaves_at(self, entry):
        length, begun = self.rule.window_ms, self.begun
        return {"sliding": lambda: entry.time + length, "tumbling": lambda: (begun // length + 1) * length,
                "session": lambda: min(self.entries[-1].time + length, begun + self.rule.session_max_ms),
                "open": lambda: math.inf}[self.rule.window]()

    def due(self):
        return min(self.true_since + self.rule.for_ms, self.leaves_at(self.entries[0]))

    def pass_time(self, now):
        if now == self.true_since + self.rule.for_ms or self.rule.look == "end" and self.look():
            self.open_with(None, now)
        else:
            self.keep([entry for entry in self.entries if self.leaves_at(entry) > now])

    def take(self, touch):
        rule, now = self.rule, touch.time
        if rule.window == "sliding":
            self.keep([entry for entry in self.entries if self.leaves_at(entry) > now])
        own = [entry for entry in self.entries if entry.alert == touch.alert]
        if own and (touch.kind == "CHANGE" or rule.window == "open"):
            own[-1].event = touch.event
            touch.counts_as("retired")
        else:
            if not self.entries:
                self.begun, self.true_since = now, math.inf
            self.entries = self.entries + [touch]
        self.model.ledger.count_unfit(rule, touch.event)
        if len(self.entries) > rule.max_members:
            goes = self.first_to_go()
            self.keep([entry for entry in self.entries if entry is not goes], "evicted")
            self.model.take("members-evicted", self.place, touch)
        self.look_for_long(now)
        if not rule.for_ms and rule.look != "end" and self.look():
            self.open_with(touch.event, now)

    def first_to_go(self):
        """Which entry a full window gives up."""
        others, again = [part for part in self.rule.aggregates if part[2] != "count"], []
        if [part[2] for part in others] == ["distinct"]:
            texts = [entry.event.text(others[0][3][1]) for entry in self.entries]
            again = [entry for at, entry in enumerate(self.entries[:SINGLE_MAX]) if texts[at] in texts[at + 1:]]
        return (again or self.entries)[0]

    def cleared(self, now):
        if self.rule.window == "open":
            self.keep([entry for entry in self.entries if not entry.is_cleared])
            self.look_for_long(now)

    def look_for_long(self, now):
        self.true_since = min(self.true_since, now) if self.rule.for_ms and self.look() else math.inf

    def open_with(self, event, now, bare=(None, "ok")):
        self.open(self.entries, event, words.of_window(self), now, bare)
        self.keep([])


class Baseline(Window):
    """A tumbling window that is looked at each time it ends, and learns what is usual in its slot of the season."""
    due = Key.due  # the end of the window, also where it holds no entry
    closed_at = NEVER
    learned = {}  # (what a deviation is of, slot) -> (windows, their mean, sum of squared distances)

    def end_after(self, now):
        return (now // self.rule.window_ms + 1) * self.rule.window_ms

    def take(self, touch):
        super().take(touch)
        self.due_at = min(self.due_at, self.end_after(touch.time))  # one of this very time is still to come

    def closed(self, now, inc):
        self.closed_at, self.due_at = now, math.inf if self.drains() else self.end_after(now)

    def pass_time(self, now):
        begin, self.due_at = now - self.rule.window_ms, self.end_after(now)
        self.slot = begin % self.rule.baseline["season_ms"]
        if self.drains() or now - self.last_raise.time >= self.rule.baseline["forget_ms"]:
            self.due_at = math.inf
        elif self.closed_at <= begin and self.model.recording.sight_since(now) + 60000 <= begin:
            if not self.look():
                for tree in self.rule.deviations:
                    self.learn(tree, *self.known(tree))
            elif self.entries or any(x is not None for x, *_ in map(self.known, self.rule.deviations)):
                self.open_with(None, now, bare=(begin, "warning"))
        self.keep([])

    def known(self, tree):
        """What it is now, None where it has no value, and what was learned of it."""
        x = computed(tree, self)
        return (None if x is None else float(x), *self.learned.get((tree, self.slot), (0, 0.0, 0.0)))

    def aggregate(self, text, kind, *over):
        if kind != "deviation":
            return 0.0 if kind == "rate" and not self.entries else super().aggregate(text, kind, *over)
        x, k, mean, q = self.known(*over)
        checked(x, x is not None and k >= self.rule.baseline["learn"])
        if x == mean or q == 0:
            return 0.0 if x == mean else math.copysign(1e6, x - mean)
        return max(-1e6, min(1e6, (x - mean) / math.sqrt(q / k)))

    def learn(self, tree, x, k, mean, q):
        if x is not None:
            new_mean = mean + (x - mean) / (k + 1)
            self.learned = self.learned | {(tree, self.slot): (k + 1, new_mean, q + (x - mean) * (x - new_mean))}


class Steps(Key):
    """A sequence: of each step that comes, but the last, the chain that leads to it. Or `all`: its conditions."""

    def __init__(self, *of):
        super().__init__(*of)
        self.come = [i for i, step in enumerate(self.rule.steps) if not step.get("not")]
        self.waits = self.come[-1] < len(self.rule.steps) - 1  # for its timer, with all that comes
        self.chains = [()] * len(self.come)

    def hold(self, chains, fate):
        self.chains = chains
        self.keep([entry for entry in self.entries if any(entry in chain for chain in chains)], fate)

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

    def in_time(self, now):
        return [chain if chain and chain[0].time + self.rule.window_ms > now else () for chain in self.chains]

    def take(self, touch):
        """Also beside an open incident, with `skip: to_next`."""
        if self.incident:
            self.hold(self.in_time(touch.time), "expired")
        self.entries = self.entries + [touch]
        match, chains = self.advance(touch)
        self.hold(self.matched(match, chains, touch.event, touch.time) if match else chains, "retired")

    def matched(self, match, chains, event, now):
        """The chains that are left."""
        left = [chain if self.rule.to_next and chain and chain[0].time > match[0].time else () for chain in chains]
        if not self.incident:
            members = [entry for entry in self.entries if any(entry in chain for chain in (match, *left))]
            self.open(members, event, words.of_steps(self.rule, match), now)
        return left

    def closed(self, now, inc):
        self.hold(self.in_time(now), "expired")

    def due(self):
        return min(chain[0].time + self.rule.window_ms for chain in self.chains if chain)

    def pass_time(self, now):
        in_time = chains = self.in_time(now)
        if self.waits and self.chains[-1] and not in_time[-1]:
            chains = self.matched(self.chains[-1], in_time, self.chains[-1][-1].event, now)
        self.hold(in_time, "expired")
        self.hold(chains, "retired")


class Expect(Key):
    """Absence: who has shown a sign of life, or is listed, owes another."""
    since = None  # its last sign of life; before that, when it was listed

    def touch(self, touch):
        self.since, self.due_at = touch.time, touch.time + self.rule.expect["every_ms"]
        super().touch(touch)

    def take(self, touch):
        touch.counts_as("retired")

    def pass_time(self, now):
        last, every = self.last_raise, self.rule.expect["every_ms"]
        seen = self.model.recording.sight_since(now, last and last.event.topic)
        if self.drains():
            self.closed(now, None)
        elif seen == math.inf:
            self.due_at = now + 10000
        elif now < seen + 60000:
            self.due_at = seen + 60000 + every
        else:
            self.open([], None, words.of_absence(every, self.since, last is None, now), now,
                      bare=(self.since, self.rule.expect.get("severity", "major")))

    def closed(self, now, inc):
        """From now on it is a key of the form in force; also where its own would open an incident, but is not."""
        self.place = self.model.heirs.get(self.rule.family, self.rule).place
        self.due_at = self.since + self.rule.expect["every_ms"]
        if self.drains() or (inc.is_open() if inc else not self.last_raise) and self.values not in self.rule.listed:
            self.due_at = math.inf  # forgotten until its next sign of life
        elif self.due_at <= now:
            self.due_at = now + self.rule.expect["every_ms"] if inc else now

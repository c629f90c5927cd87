"""An incident, open or closed, who is told of it, and what mutes it: docs/correlation.md, section 3 from "Open" on, and
sections 4 and 5."""
import bisect
import itertools
import math

import calendars
from frame.lines import Writer, counts_of, cut, hash_of
from frame.trees import frozen
from values import SEVERITIES, Counted, Severity, checked, computed, is_true, value

TITLE_BYTES, WHY_BYTES = 255, 300
KINDS = {"silence": "silences", "maintenance": "maintenance", "inhibit": "inhibit"}  # of mutes, in their order


class Incident:
    """Also the world of `close`, and of the matchers of mutes."""
    is_lost = is_lost_now = False       # "no longer watched"; and its update is to come
    is_forgotten = False                # its key is gone
    is_told_on = False                  # to composite rules
    is_told = is_behind = False         # to sinks
    number = 0                          # of lines

    def __init__(self, key, entries, event, why, now, bare):
        """`event` is None where none opened it; `bare` is first and severity of an incident without touches."""
        self.rule, self.count = key.rule, key.count
        self.by = dict(zip(self.rule.by, key.values))
        self.tenant, self.key_text = self.by["tenant"], " ".join(f"{name}={text}" for name, text in self.by.items())
        # What a timer brings about may carry an event, one of before.
        opener = ("event", "/".join(map(str, event.place))) if event and event.et == now else ("timer", str(now))
        self.id = hash_of(self.tenant, self.rule.id, self.key_text, *opener)
        self.members = {entry.alert: not entry.is_cleared for entry in entries}  # alert -> is it open
        self.untracked_open = 1 if self.rule.expect else 0  # beyond max_members; what is missing counts as an alert
        self.alerts, self.events = len(self.members) + self.untracked_open, len(entries)
        self.first = min((entry.ts for entry in entries), default=bare[0])
        self.severity = max((entry.event.severity for entry in entries), default=SEVERITIES.index(bare[1]))
        self.opened = self.last_touch = self.looked = now
        self.joined = []  # times of RAISE, CHANGE and REPEAT since the opening
        self.heard = [event] if event else []  # the one that opened it, and those of these touches
        world = Counted(key.counts, event or self.rule.key_event(key.values, now))
        # Pieces of text, and expressions; what cannot be computed is nothing.
        self.title = cut("".join(part if isinstance(part, str) else computed(("string", part), world) or ""
                                 for part in self.rule.title), TITLE_BYTES)
        self.why = cut(why, WHY_BYTES)
        self.roles = {}  # by inhibition: ((is target, is source), since when)
        self.count("correlated", sum(not entry.is_counted for entry in entries))
        for entry in entries:
            entry.is_counted = True

    def join(self, touch):
        if touch.alert in self.members or len(self.members) < self.rule.max_members:
            self.alerts += touch.alert not in self.members
            self.members[touch.alert] = True
        elif touch.kind == "RAISE":
            self.alerts += 1
            self.untracked_open += 1
        self.events += 1
        self.first, self.severity = min(self.first, touch.ts), max(self.severity, touch.event.severity)
        self.last_touch = self.looked = touch.time
        self.joined.append(touch.time)
        self.heard.append(touch.event)
        self.count("correlated")

    def leave(self, touch):
        """CLEAR, EVICT, or the BEAT that was missing; whether nothing is open now."""
        if self.members.get(touch.alert):
            self.members[touch.alert] = False
        elif touch.alert not in self.members and self.untracked_open > 0:
            self.untracked_open -= 1
        else:
            self.count("retired")
            return False
        self.events += 1
        self.count("correlated")
        if self.open_count() == 0 and touch.kind != "BEAT":
            self.last_touch = touch.time
        if touch.kind == "EVICT":
            self.is_lost_now |= not self.is_lost
            self.is_lost = True
        return self.cleared()

    def open_count(self):
        return sum(self.members.values()) + self.untracked_open

    # What `close` asks, and when it is asked by a timer.

    def may_close(self, now):
        self.now = now
        return is_true(self.rule.close, self)

    def cleared(self):
        return self.open_count() == 0 and not self.is_lost

    def quiet_from(self):
        """While an open alert still comes, for ever; what is missing does not."""
        return math.inf if self.open_count() > 0 and not self.rule.expect else self.last_touch

    def fewer_from(self, touches):
        return self.joined[-touches] if len(self.joined) >= touches else self.opened

    def quiet(self, ms):
        return self.now >= self.quiet_from() + ms

    def fewer(self, touches, ms):
        return self.now >= self.fewer_from(touches) + ms

    def last(self, tree):
        numbers = [computed(("double", tree), event) for event in self.heard]
        numbers = [number for number in numbers if number is not None]
        return checked(numbers, numbers)[-1]

    def quiet_ends(self):
        return [self.quiet_from() + ms for (ms,) in self.rule.asks["quiet"]]

    def timer_at(self):
        due = self.quiet_ends() + [self.fewer_from(touches) + ms for touches, ms in self.rule.asks["fewer"]]
        return min((at for at in due if at > self.looked), default=math.inf)

    # What matchers ask.

    def field(self, name):
        return {**self.by, "tenant": self.tenant, "rule": self.rule.id, "priority": self.rule.priority,
                "team": self.rule.team, "severity": Severity(self.shown_severity)}.get(name, "")

    def has(self, name):
        return self.field(name) != ""


class Mute:
    """What the scenario says of it; `spells` are the (begin, end) of silences and windows in the recording."""
    spells = ()

    def __init__(self, kind, said, recording):
        self.__dict__.update(said)
        self.kind, self.name = kind, (kind, self.id)
        if kind == "silence":
            self.spells = [(said.get("from", -math.inf), self.to)]
        elif kind == "maintenance" and recording.end is not None:
            self.spells = calendars.spells(said, recording.begin, recording.end)


class Telling:
    def __init__(self, model, scenario):
        self.model, self.writer = model, Writer(scenario["sinks"], model.count)
        self.open = []  # incidents, in the order of their openings
        self.role_numbers = itertools.count()
        self.take_mutes(scenario.get("mutes"))

    def take_mutes(self, said):
        self.mutes = [Mute(kind, mute, self.model.recording) for kind, name in KINDS.items()
                      for mute in sorted(frozen(said or {}).get(name, ()), key=lambda mute: mute["id"])]
        self.edges = sorted({edge for mute in self.mutes for spell in mute.spells for edge in spell}) + [math.inf]

    # Who is muted.

    def take_roles(self, inc):
        """What the incident is to each inhibition, (is it a target, a source), and since when."""
        for mute in self.mutes:
            if mute.kind == "inhibit":
                role = (value(mute.target, inc), value(mute.source, inc))
                if inc.roles.get(mute.id, (None,))[0] != role:
                    inc.roles[mute.id] = (role, next(self.role_numbers))

    def inhibitors(self, mute, inc):
        """The open incidents that mute this one by an inhibition, that which has done so for the longest first."""
        (is_target, is_source), _ = inc.roles[mute.id]
        for other in sorted(self.open, key=lambda other: other.roles[mute.id][1]):
            other_is_target, other_is_source = other.roles[mute.id][0]
            if (is_target and other_is_source and not (is_source and other_is_target) and other is not inc
                    and all(inc.field(name) == other.field(name) for name in ("tenant", *mute.equal))):
                yield other

    def muted_by(self, inc):
        """(name, what else is said of it) of all that mutes the incident, at a round's end just before it."""
        for mute in self.mutes:
            if mute.kind == "inhibit":
                yield from [(mute.name, f" by {other.id}") for other in self.inhibitors(mute, inc)][:1]
            elif value(mute.where, inc) and any(begin <= self.model.mutes_at < end for begin, end in mute.spells):
                yield mute.name, ""

    def next_edge(self):
        """When a silence or window begins or ends next."""
        return self.edges[bisect.bisect_right(self.edges, self.model.mutes_at)]

    # What is told.

    def change(self, inc, now, change, cause):
        is_last = change == "closed" or inc.is_forgotten
        if change == "opened":
            self.open.append(inc)
        if not is_last:
            inc.shown_severity = inc.severity
            self.take_roles(inc)
        inc.last_line = counts_of(inc)
        self.tell(inc, now, change, cause, [] if inc.is_forgotten else list(self.muted_by(inc)))
        if change != "updated" or cause == "severity" or inc.is_forgotten:
            self.tell_composites(inc, change)
        if is_last:
            self.open.remove(inc)
            self.writer.count_muting(inc, set())
        self.tell_freed(now, inc)

    def tell_freed(self, now, but=None):
        """Those that nothing mutes any more and that have something to tell."""
        for inc in self.open:
            muting = list(self.muted_by(inc))
            if not muting and inc is not but and (inc.is_behind or not inc.is_told):
                self.tell(inc, now, "updated", "unmuted", [])
            self.writer.count_muting(inc, {name for name, _ in muting})

    def tell(self, inc, now, change, cause, muting):
        if change == "closed":
            op = "resolve" if inc.is_told else None
        else:
            op = None if muting else "update" if inc.is_told else "open"
        inc.is_behind = inc.is_told and not op
        inc.is_told |= op is not None
        inc.number += 1
        self.writer.write(inc, now, change, cause, muting, op)

    def tell_composites(self, inc, change):
        """What composite rules will see of it at the next round start."""
        composites = self.model.composites()
        inc.is_told_on |= any(inc.rule.id in rule.of for rule in composites)
        if composites and inc.is_told_on:
            labels = {name.removeprefix("labels."): text for name, text in inc.by.items()
                      if text and name not in ("tenant", "source", "resource", "check")}
            self.model.told_on.append(dict(
                tenant=inc.tenant, source=inc.by.get("source") or "tocsin", check=inc.rule.id, labels=labels,
                resource=inc.by.get("resource") or inc.key_text, dedup_key=inc.id, message=inc.title,
                severity=SEVERITIES[inc.severity], state="clear" if change == "closed" else "problem",
                of_incident="given up" if inc.is_forgotten else True))

    def switch(self, said, now):
        self.take_mutes(said)
        for inc in self.open:
            inc.roles = {}
            self.take_roles(inc)
        self.tell_freed(now)

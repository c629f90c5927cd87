"""An incident, open or closed, who is told of it, and what mutes it: docs/correlation.md, section 3 from "Open" on, and
sections 4 and 5."""
import math
import re

import calendars
from frame import words
from frame.lines import Writer, counts_of, cut, hash_of
from frame.trees import frozen
from values import SEVERITIES, Severity, computed, is_true, value


class Incident:
    """Also the world of `close`, and of the matchers of mutes."""
    lost = None                         # "no longer watched": "now" until its update has come, then "before"
    is_forgotten = is_told_on = False   # its key is gone; composite rules know of it
    is_told = is_behind = False         # to sinks
    number = 0                          # of lines

    def __init__(self, key, entries, event, why, now, bare):
        """`event` is None where none opened it; `bare` is first and severity of an incident without touches."""
        self.rule, self.place = key.rule, key.place
        self.by = dict(zip(self.rule.by, key.values))
        self.tenant, self.key_text = self.by["tenant"], " ".join(f"{name}={text}" for name, text in self.by.items())
        # What a timer brings about may carry an event, one of before.
        timer = str(now) if self.rule in key.model.in_force else f"{now}/former"
        opener = ("event", "/".join(map(str, event.place))) if event and event.et == now else ("timer", timer)
        escaped = " ".join(name + "=" + re.sub(r"([ \\])", r"\\\1", text) for name, text in self.by.items())
        self.id = hash_of(self.tenant, self.rule.id, escaped, *opener)
        self.members = {entry.alert: not entry.is_cleared for entry in entries}  # alert -> is it open
        self.untracked = [True] if self.rule.expect else []  # beyond max_members; what is missing counts as an alert
        self.events, self.first = len(entries), min((entry.ts for entry in entries), default=bare[0])
        self.severity = max((entry.event.severity for entry in entries), default=SEVERITIES.index(bare[1]))
        self.opened = self.last_touch = self.looked = now
        self.event, self.joined = event, []  # that opened it; RAISE, CHANGE and REPEAT since
        self.title = words.title_of(key, event or self.rule.key_event(key.values, now))
        self.why = cut(why, words.WHY_BYTES)
        for entry in entries:
            entry.counts_as("correlated")

    def join(self, touch):
        if touch.alert in self.members or len(self.members) < self.rule.max_members:
            self.members[touch.alert] = True
        elif touch.kind == "RAISE" or touch.kind == "MOVE" and touch.place == self.place:
            self.untracked.append(True)
        self.events += 1
        self.first, self.severity = min(self.first, touch.ts), max(self.severity, touch.event.severity)
        self.last_touch = self.looked = touch.time
        self.joined.append(touch)
        touch.counts_as("correlated")

    def leave(self, touch):
        """CLEAR, EVICT, or the BEAT that was missing; whether nothing is open now."""
        if self.members.get(touch.alert):
            self.members[touch.alert] = False
        elif touch.alert not in self.members and True in self.untracked:
            self.untracked[self.untracked.index(True)] = False
        else:
            touch.counts_as("retired")
            return False
        self.events += 1
        touch.counts_as("correlated")
        if not self.is_open() and touch.kind != "BEAT":
            self.last_touch = touch.time
        if touch.kind == "EVICT":
            self.lost = self.lost or "now"
        return self.cleared()

    def alerts(self):
        """Whether they are open, of all that ever were in it."""
        return [*self.members.values(), *self.untracked]

    def is_open(self):
        return any(self.alerts())

    # What `close` asks, and when it is asked by a timer.

    def may_close(self, now):
        self.looked = now
        return is_true(self.rule.close, self)

    def cleared(self):
        return not self.is_open() and not self.lost

    def quiet_at(self, ms):
        """Never while an open alert still comes; what is missing does not."""
        return math.inf if self.is_open() and not self.rule.expect else self.last_touch + ms

    def fewer_at(self, touches, ms):
        return (self.joined[-touches].time if len(self.joined) >= touches else self.opened) + ms

    def quiet(self, ms):
        return self.looked >= self.quiet_at(ms)

    def fewer(self, touches, ms):
        return self.looked >= self.fewer_at(touches, ms)

    def last(self, tree):
        events = [self.event] * bool(self.event) + [touch.event for touch in self.joined]
        return [number for number in (computed(("double", tree), event) for event in events) if number is not None][-1]

    def quiet_ends(self):
        return [self.quiet_at(*asked) for asked in self.rule.asks["quiet"]]

    def due(self):
        due = self.quiet_ends() + [self.fewer_at(*asked) for asked in self.rule.asks["fewer"]]
        return min((at for at in due if at > self.looked), default=math.inf)

    # What matchers ask.

    def field(self, name):
        return {**self.by, "tenant": self.tenant, "rule": self.rule.id, "priority": self.rule.priority,
                "team": self.rule.team, "severity": Severity(self.shown_severity)}.get(name, "")

    def has(self, name):
        return self.field(name) != ""


class Mute:
    """What the scenario says of it. `spells` are the (begin, end) of silences and windows in the recording; `roles`
    what incidents are to an inhibition, (a target, a source), in the order in which they became so."""

    def __init__(self, kind, said, recording):
        self.__dict__.update(said)
        self.kind, self.name, self.spells, self.roles = kind, (kind, self.id), [], {}
        if kind == "silence":
            self.spells = [(said.get("from", -math.inf), self.to)]
        elif kind == "maintenance" and recording.end is not None:
            self.spells = calendars.spells(said, recording.begin, recording.end)

    def holds(self, inc, at, others):
        """What is said of it where it mutes the incident, else None."""
        if self.kind != "inhibit":
            return "" if value(self.where, inc) and any(begin <= at < end for begin, end in self.spells) else None
        is_target, is_source = self.roles[inc]
        by = [f" by {other.id}" for other, (other_is_target, other_is_source) in self.roles.items()
              if is_target and other_is_source and not (is_source and other_is_target) and other is not inc
              and other in others and all(inc.field(name) == other.field(name) for name in ("tenant", *self.equal))]
        return by[0] if by else None  # that has done so for the longest


class Telling:
    def __init__(self, model, scenario):
        self.model, self.writer = model, Writer(scenario["sinks"], model.count)
        self.open = []  # incidents, in the order of their openings
        self.take_mutes(scenario.get("mutes"))

    def take_mutes(self, said):
        kinds = {"silence": "silences", "maintenance": "maintenance", "inhibit": "inhibit"}  # in their order
        self.mutes = [Mute(kind, mute, self.model.recording) for kind, name in kinds.items()
                      for mute in sorted(frozen(said or {}).get(name, ()), key=lambda mute: mute["id"])]
        for inc in self.open:
            self.take_roles(inc)

    def take_roles(self, inc):
        for mute in self.mutes:
            role = mute.kind == "inhibit" and (value(mute.target, inc), value(mute.source, inc))
            if mute.roles.get(inc) != role:
                mute.roles.pop(inc, None)
                mute.roles[inc] = role

    def muted_by(self, inc):
        """name -> what else is said of it, of all that mutes the incident; at a round's end just before it."""
        said = {mute.name: mute.holds(inc, self.model.mutes_at, self.open) for mute in self.mutes}
        return {name: by for name, by in said.items() if by is not None}

    def change(self, inc, now, change, cause):
        is_last = change == "closed" or inc.is_forgotten
        if change == "opened":
            self.open.append(inc)
        if not is_last:
            inc.shown_severity = inc.severity
            self.take_roles(inc)
        inc.last_line = counts_of(inc)
        self.tell(inc, now, change, cause, {} if inc.is_forgotten else self.muted_by(inc))
        if change != "updated" or cause == "severity" or inc.is_forgotten:
            self.tell_composites(inc, change)
        if is_last:
            self.open.remove(inc)
            self.writer.count_muting(inc, set())
        self.tell_freed(now, inc)

    def tell_freed(self, now, but=None):
        """Those that nothing mutes any more and that have something to tell."""
        for inc in self.open:
            muting = self.muted_by(inc)
            if not muting and inc is not but and (inc.is_behind or not inc.is_told):
                self.tell(inc, now, "updated", "unmuted", {})
            self.writer.count_muting(inc, set(muting))

    def tell(self, inc, now, change, cause, muting):
        first, next_op = (None, "resolve") if change == "closed" else (None, None) if muting else ("open", "update")
        op = next_op if inc.is_told else first
        inc.is_behind = inc.is_told and not op
        inc.is_told |= op is not None
        inc.number += 1
        self.writer.write(inc, now, change, cause, muting, op)

    def tell_composites(self, inc, change):
        """What composite rules will see of it at the next round start."""
        inc.is_told_on |= any(inc.rule.id in rule.of for rule in self.model.composites)
        if self.model.composites and inc.is_told_on:
            labels = {name.removeprefix("labels."): text for name, text in inc.by.items()
                      if text and name not in ("tenant", "source", "resource", "check")}
            self.model.told_on.append(dict(
                tenant=inc.tenant, source=inc.by.get("source") or "tocsin", check=inc.rule.id, labels=labels,
                resource=inc.by.get("resource") or inc.key_text, dedup_key=inc.id, message=inc.title,
                severity=SEVERITIES[inc.severity], state="clear" if change == "closed" else "problem",
                of_incident="given up" if inc.is_forgotten else True))

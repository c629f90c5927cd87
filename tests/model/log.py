"""The incident log, and who is told: docs/correlation.md, sections 4 and 5."""
import itertools
import json
import math

import xxhash

import calendars
from values import SEVERITIES, frozen, value

KINDS = {"silence": "silences", "maintenance": "maintenance", "inhibit": "inhibit"}  # of mutes, in their order
MUTES_NAMED = 5


def hash_of(*parts):
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode())


def listed(names, limit):
    return ", ".join(names[:limit] + ["..."] * (len(names) > limit))


class Log:
    def __init__(self, model, scenario):
        self.model, self.count = model, model.count
        self.sinks, self.lines = scenario["sinks"], []
        self.open = []  # incidents, in the order of their openings
        self.role_numbers = itertools.count()
        self.take_mutes(scenario.get("mutes"))

    def take_mutes(self, raw):
        sets = frozen(raw or {})
        self.mutes = [(kind, mute) for kind, name in KINDS.items()
                      for mute in sorted(sets.get(name, ()), key=lambda mute: mute["id"])]

    # Who is muted.

    def take_roles(self, inc):
        """What the incident is to each inhibition, (is it a target, a source), and since when."""
        for kind, mute in self.mutes:
            if kind == "inhibit":
                role = (value(mute["target"], inc), value(mute["source"], inc))
                if inc.roles.get(mute["id"], (None,))[0] != role:
                    inc.roles[mute["id"]] = (role, next(self.role_numbers))

    def inhibitors(self, mute, inc):
        """The open incidents that mute this one by an inhibition, that which has done so for the longest first."""
        (is_target, is_source), _ = inc.roles[mute["id"]]
        for other in sorted(self.open, key=lambda other: other.roles[mute["id"]][1]):
            other_is_target, other_is_source = other.roles[mute["id"]][0]
            if (is_target and other_is_source and not (is_source and other_is_target) and other is not inc
                    and all(inc.field(name) == other.field(name) for name in ("tenant", *mute["equal"]))):
                yield other

    def muted_by(self, inc):
        """(kind, id, what else is said of it) of all that mutes the incident, at a round's end just before it."""
        now = self.model.mutes_at
        for kind, mute in self.mutes:
            if kind == "inhibit":
                yield from [(kind, mute["id"], f" by {other.id}") for other in self.inhibitors(mute, inc)][:1]
            elif value(mute["where"], inc) and {
                    "silence": lambda: mute.get("from", now) <= now < mute["to"],
                    "maintenance": lambda: calendars.open_at(mute, now)}[kind]():
                yield kind, mute["id"], ""

    def boundary(self, now):
        """A time later than `now`, at or before the next at which a silence or window begins or ends for somebody."""
        times = [mute.get(name, now) for kind, mute in self.mutes for name in ("from", "to") if kind == "silence"]
        times += [calendars.next_edge(mute, now) for kind, mute in self.mutes if kind == "maintenance" and self.open]
        return min((at for at in times if self.open and at > now), default=math.inf)

    # What is written.

    def change(self, inc, now, change, cause):
        is_last = change == "closed" or inc.is_forgotten
        if change == "opened":
            self.open.append(inc)
        if not is_last:
            inc.logged_severity = inc.severity
            self.take_roles(inc)
        muting = [] if inc.is_forgotten else list(self.muted_by(inc))
        inc.logged = {"severity": SEVERITIES[inc.severity], "events": inc.events, "alerts": inc.alerts,
                      "open": inc.open_count(), "opened": inc.opened, "first": inc.first}
        if change == "closed":
            inc.count("closed")
            inc.count("open", -1)
            self.tell(inc, now, change, cause, muting, "resolve" if inc.is_told else None)
        else:
            self.tell(inc, now, change, cause, muting, None if muting else "update" if inc.is_told else "open")
        if change != "updated" or cause == "severity" or inc.is_forgotten:
            self.tell_composites(inc, change)
        if is_last:
            self.open.remove(inc)
            self.count("unmuted", len(inc.muting) > 0)
        self.tell_freed(now, inc)

    def tell_freed(self, now, but=None):
        """Those that nothing mutes any more and that have something to tell."""
        for inc in self.open:
            muting = list(self.muted_by(inc))
            if not muting and inc is not but and (inc.is_behind or not inc.is_told):
                self.tell(inc, now, "updated", "unmuted", [], "update" if inc.is_told else "open")
            before, inc.muting = inc.muting, {(kind, name) for kind, name, _ in muting}
            self.count("muted", len(before) == 0 < len(inc.muting))
            self.count("unmuted", len(before) > 0 == len(inc.muting))
            for mute in inc.muting - before:
                self.count("total", 1, mute)
        self.model.next_mute = None

    def tell(self, inc, now, change, cause, muting, op):
        self.count("updates", change == "updated")
        self.count("withheld", not op)
        inc.number += 1
        inc.is_behind = inc.is_told and not op
        inc.is_told |= op is not None
        muted = {"muted_by": listed([f"{kind} {name}{by}" for kind, name, by in muting], MUTES_NAMED)} if muting else {}
        self.write({"at": now, "change": change, "cause": cause, "incident": inc.id, "n": inc.number,
                    "tenant": inc.tenant, "rule": inc.rule.id, "key": inc.key_text, "priority": inc.rule.priority,
                    **inc.logged, "title": inc.title, "why": inc.why, **muted})
        for sink in self.sinks if op else []:
            if inc.rule.priority <= sink.get("priority", "P5"):
                self.count("ops")
                inc.op_numbers[sink["name"]] += 1
                number = inc.op_numbers[sink["name"]]
                self.write({"at": now, "op": op, "incident": inc.id, "sink": sink["name"], "number": number,
                            "id": hash_of(inc.id, sink["name"], str(number))})

    def write(self, line):
        self.lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")))

    def tell_composites(self, inc, change):
        """What composite rules will see of it at the next round start."""
        composites = self.model.composites()
        inc.is_told_on |= any(inc.rule.id in rule.of for rule in composites)
        if composites and inc.is_told_on:
            labels = {name.removeprefix("labels."): text for name, text in inc.key.items()
                      if text and name not in ("tenant", "source", "resource", "check")}
            self.model.told_on.append(dict(
                tenant=inc.tenant, source=inc.key.get("source") or "tocsin", check=inc.rule.id, labels=labels,
                resource=inc.key.get("resource") or inc.key_text, dedup_key=inc.id, message=inc.title,
                severity=SEVERITIES[inc.severity], state="clear" if change == "closed" else "problem",
                of_incident="given up" if inc.is_forgotten else True))

    def switch(self, raw, now):
        self.take_mutes(raw)
        for inc in self.open:
            inc.roles = {}
            self.take_roles(inc)
        self.tell_freed(now)

"""The incident log, and who is told: docs/correlation.md, sections 4 and 5."""
import collections
import json

import xxhash

import calendars
from values import SEVERITIES, frozen, value

MUTES_NAMED = 5


def hash_of(*parts):
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode())


class Log:
    def __init__(self, model, scenario):
        self.model, self.count = model, model.count
        self.sinks, self.lines = scenario["sinks"], []
        self.open = []         # incidents, in the order of their openings
        self.mute_counts = collections.Counter()  # by (kind, id): incidents that it began to mute
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
        if not self.open:
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
            inc.count("closed")
        else:
            op = None if names else "update" if inc.is_told else "open"
        self.tell(inc, now, change, cause, names, op)
        if change != "updated" or cause == "severity" or inc.is_forgotten:
            self.tell_composites(inc, change)
        if is_last:
            self.open.remove(inc)
            self.count("unmuted", inc.muting != [])
        self.tell_freed(self.model.now, now, inc)

    def tell_composites(self, inc, change):
        """What composite rules will see of it at the next round start."""
        composites = self.model.composites()
        inc.is_told_on |= any(inc.rule.id in rule.of for rule in composites)
        if composites and inc.is_told_on:
            labels = {name.removeprefix("labels."): text for name, text in inc.key_values.items()
                      if name not in ("tenant", "source", "resource", "check") and text}
            self.model.told_on.append(dict(
                tenant=inc.tenant, source=inc.key_values.get("source") or "tocsin", check=inc.rule.id,
                resource=inc.key_values.get("resource") or inc.key_text, dedup_key=inc.id, message=inc.title, labels=labels,
                severity=SEVERITIES[inc.severity], state="clear" if change == "closed" else "problem",
                of_incident="given up" if inc.is_forgotten else True))

    def tell_freed(self, looked_at, now, but=None):
        """Those that nothing mutes any more and that have something to tell."""
        for inc in self.open:
            if inc is not but and (inc.is_behind or not inc.is_told) and not self.muted_by(inc, looked_at):
                self.tell(inc, now, "updated", "unmuted", [], "update" if inc.is_told else "open")
            self.count_muting(inc, looked_at)
        self.model.next_mute = None

    def count_muting(self, inc, now):
        """Who mutes it by now."""
        before, inc.muting = inc.muting, [tuple(name.split()[:2]) for name in self.muted_by(inc, now)]
        self.count("muted", before == [] != inc.muting)
        self.count("unmuted", before != [] == inc.muting)
        self.mute_counts.update(set(inc.muting) - set(before))

    def switch(self, raw, now):
        self.take_mutes(raw)
        for inc in self.open:
            inc.roles = {}
            self.take_roles(inc, True)
        self.tell_freed(now, now)

    def tell(self, inc, now, change, cause, names, op):
        self.count("updates", change == "updated")
        self.count("withheld", not op)
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
            self.count("ops")
            inc.op_numbers[sink["name"]] += 1
            number = inc.op_numbers[sink["name"]]
            self.write({"at": now, "op": op, "incident": inc.id, "sink": sink["name"], "number": number,
                        "id": hash_of(inc.id, sink["name"], str(number))})

    def write(self, line):
        self.lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")))

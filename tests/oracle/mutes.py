"""Silences, maintenance windows and inhibitions: docs/correlation.md, section 5, for the oracle.

A set of mutes is {"silences": [...], "maintenance": [...], "inhibit": [...]}; see generate.py. Every
question is answered by looking at all open incidents and all mutes.
"""
import calendars

NAMED = 5
SEVERITIES = ["ok", "debug", "info", "warning", "minor", "major", "critical"]


class Mutes:
    """What is in force, and the open incidents in the order of their openings."""

    def __init__(self, raw, seen):
        self.seen = seen
        self.open = []
        self.counter = 0  # of roles, as they are taken
        self.take(raw)

    def take(self, raw):
        raw = raw or {}
        def by_id(kind):
            return sorted(raw.get(kind, []), key=lambda m: m["id"].encode())
        self.silences, self.windows, self.inhibits = map(by_id, ("silences", "maintenance", "inhibit"))

    # ---- incidents as mutes see them ----

    @staticmethod
    def fields(inc):
        fields = dict(zip(inc.rule.by, inc.key_values))
        fields.update(rule=inc.rule.id, priority=inc.rule.priority, team=inc.rule.team)
        return fields

    def holds(self, tree, inc):
        op, *args = tree
        if op == "and":
            return all(self.holds(a, inc) for a in args)
        if op == "or":
            return any(self.holds(a, inc) for a in args)
        if op == "not":
            return not self.holds(args[0], inc)
        if op == "severity":
            worst, limit = inc.matched_severity, SEVERITIES.index(args[1])
            return {">=": worst >= limit, "<": worst < limit, "==": worst == limit}[args[0]]
        text = self.fields(inc).get(args[0], "")
        if op == "has":
            return text != ""
        if op == "startsWith":
            return text.startswith(args[1])
        if op == "in":
            return text in args[1]
        return {"==": text == args[1], "!=": text != args[1]}[op]

    def take_roles(self, inc, anew):
        """What the incident is to each inhibition, and since when."""
        for rule in self.inhibits:
            role = (self.holds(rule["target"], inc), self.holds(rule["source"], inc))
            if anew or inc.roles.get(rule["id"], (None,))[0] != role:
                inc.roles[rule["id"]] = (role, self.counter)
                self.counter += 1

    def equal(self, rule, a, b):
        fields, others = self.fields(a), self.fields(b)
        return all(fields.get(n, "") == others.get(n, "") for n in ["tenant"] + rule["equal"])

    def inhibitors(self, rule, inc):
        """Open incidents that mute this one by the rule, the longest source first."""
        (is_target, is_source), _ = inc.roles[rule["id"]]
        got = []
        for other in self.open:
            (other_is_target, other_is_source), since = other.roles[rule["id"]]
            if (is_target and other_is_source and other is not inc and self.equal(rule, inc, other)
                    and not (is_source and other_is_target)):
                got.append((since, other))
            elif is_source and is_target and other_is_source and other_is_target and other is not inc:
                self.seen["two-sided pair"] += 1
        return [other for _, other in sorted(got, key=lambda pair: pair[0])]

    # ---- what mutes one ----

    def of(self, inc, now):
        """The names of all that mutes the incident at that time."""
        names = [f"silence {s['id']}" for s in self.silences
                 if s.get("from", now) <= now < s["to"] and self.holds(s["where"], inc)]
        names += [f"maintenance {w['id']}" for w in self.windows
                  if self.holds(w["where"], inc) and calendars.open_at(w, now)]
        for rule in self.inhibits:
            sources = self.inhibitors(rule, inc)
            if sources:
                names.append(f"inhibit {rule['id']} by {sources[0].id}")
        return names

    @staticmethod
    def text(names):
        return ", ".join(names[:NAMED] + (["..."] if len(names) > NAMED else []))

    # ---- when that changes by itself ----

    def boundary(self, now):
        """The next time later than `now` at which a silence or window begins or ends."""
        if not any(inc.told_state() != "told" for inc in self.open):
            return None
        times = [t for s in self.silences for t in (s.get("from"), s["to"]) if t is not None]
        times += [t for w in self.windows for t in (calendars.next_edge(w, now),) if t is not None]
        return min((t for t in times if t > now), default=None)


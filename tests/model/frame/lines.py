"""The lines of the incident log, byte for byte, and the ids in them: docs/correlation.md, section 4."""
import collections
import json

import xxhash

from values import SEVERITIES

MUTES_NAMED = 5


def hash_of(*parts):
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode())


def cut(text, limit):
    """At most `limit` bytes of the text, whole characters."""
    return text.encode()[:limit].decode("utf-8", "ignore")


def listed(names, limit):
    return ", ".join(names[:limit] + ["..."] * (len(names) > limit))


def canonical(line):
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def counts_of(inc):
    """What a change says of the incident; it is said again where only a mute has gone."""
    return {"severity": SEVERITIES[inc.severity], "events": inc.events, "alerts": len(inc.alerts()),
            "open": sum(inc.alerts()), "opened": inc.opened, "first": inc.first}


class Writer:
    """Also counts what it writes, and by which incidents are muted."""

    def __init__(self, sinks, count):
        self.sinks, self.count, self.lines = sinks, count, []
        self.numbers = collections.Counter()  # of ops, by incident and sink
        self.muting = {}                      # incident -> names of the mutes that mute it

    def write(self, inc, now, change, cause, muting, op):
        """A change of an incident, and its ops."""
        named = listed([f"{kind} {name}{by}" for (kind, name), by in muting.items()], MUTES_NAMED)
        self.lines.append(canonical({
            "at": now, "change": change, "cause": cause, "incident": inc.id, "n": inc.number, "tenant": inc.tenant,
            "rule": inc.rule.id, "key": inc.key_text, "priority": inc.rule.priority, **inc.last_line,
            "title": inc.title, "why": inc.why, **({"muted_by": named} if muting else {})}))
        self.count({"opened": "opened", "closed": "closed", "updated": "updates"}[change], 1, inc.place)
        self.count("open", {"opened": 1, "closed": -1, "updated": 0}[change], inc.place)
        self.count("withheld", not op)
        for sink in self.sinks if op else []:
            if inc.rule.priority <= sink.get("priority", "P5"):
                self.count("ops")
                self.numbers[inc, sink["name"]] += 1
                number = self.numbers[inc, sink["name"]]
                self.lines.append(canonical({"at": now, "op": op, "incident": inc.id, "sink": sink["name"],
                                             "number": number, "id": hash_of(inc.id, sink["name"], str(number))}))

    def count_muting(self, inc, names):
        before, self.muting[inc] = self.muting.get(inc, set()), names
        self.count("muted", len(before) == 0 < len(names))
        self.count("unmuted", len(before) > 0 == len(names))
        for name in names - before:
            self.count("total", 1, name)

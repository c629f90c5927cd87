"""A scenario's JSON as what the model works with: rules with all their fields, parts of a recording; and the words and
tables that its rules may look things up in."""
import collections
import math

from frame.trees import aggregates_in, frozen, parts_of

SETS = {"core": ["h1", "s1", "c1", "r2"], "few": ["2", "4.0", "-3", "1e0"]}
TABLES = {"owners": {"h1": {"name": "h1", "team": "db", "rank": "3"}, "c1": {"name": "c1", "team": "web"},
                     "s2": {"name": "s2", "rank": "x"}, "r1": {"name": "r1", "team": "a \"b\", c", "rank": "-12"}}}
SEVERITY_WORDS = {word: severity for severity, words in enumerate((  # docs/events.md
    "ok,clear,cleared,normal,resolved,recovery,recovered,up,success", "debug,trace,verbose,sev4",
    "info,information,informational,notice,not classified,none,lowest,p5,sev3",
    "warning,warn,low,unknown,indeterminate,unusual,p4,sev2", "minor,average,medium,moderate,p3",
    "major,error,err,high,unreachable,p2,sev1",
    "critical,crit,emergency,emerg,panic,alert,fatal,disaster,urgent,severe,page,highest,down,p1,sev0",
)) for word in words.split(",")}
SEVERITIES = ["ok", "debug", "info", "warning", "minor", "major", "critical"]
RULE_DEFAULTS = {
    "where": None, "own_where": None, "when": (), "steps": (), "expect": {}, "baseline": None, "of": (),
    "on": "alerts", "window": "sliding", "look": "always", "window_ms": 0, "session_max_ms": 0, "for_ms": 0,
    "in_order": False, "strict": False, "to_next": False,
    "priority": "P3", "team": "", "max_keys": 100000, "max_members": 1000}


def rule_fields(said):
    """All that a rule may say, with what holds where it does not, and what to look for in its expressions."""
    rule = RULE_DEFAULTS | frozen(said)
    rule["by"] = ("tenant", *(name for name in rule["by"] if name != "tenant"))
    rule["listed"] = rule["expect"].get("keys", ())  # keys that are watched, and no others
    if rule["baseline"]:
        rule["baseline"] = {"learn": 3, "forget_ms": 2 * rule["baseline"]["season_ms"]} | rule["baseline"]
    rule["aggregates"] = list(dict.fromkeys(aggregates_in(rule["when"])))
    rule["deviations"] = {part[3] for part in rule["aggregates"] if part[2] == "deviation"}
    rule["asks"] = {name: {part[1:] for part in parts_of(rule["close"]) if part[0] == name}
                    for name in ("quiet", "fewer", "last")}
    return rule


class Part:
    """The records of a partition, or of one membership of it, and its marks."""

    def __init__(self, topic, part, marks, count):
        self.topic, self.place, self.count = topic, (part["topic"], part["partition"]), count
        # A partition that joins begins with V at the watermark: a seal from its first offset on.
        self.seals = [(mark["offset"], mark["value"]) for mark in marks
                      if mark["kind"] in ("seal", "join") and mark["value"] is not None]
        self.caps = {mark["offset"]: mark["value"] for mark in marks if mark["kind"] == "cap"}
        self.sheds = [(mark["offset"], mark["value"]) for mark in marks if mark["kind"] == "shed"]
        never = {"offset": math.inf, "value": math.inf}
        leave = next((mark for mark in marks if mark["kind"] == "leave"), never)
        self.records = [record for record in part["records"] if record["offset"] < leave["offset"]]
        self.left_at = -math.inf if leave["value"] is None else leave["value"]

    def decode(self, record):
        """What its events say, each with its place; none where the record is rejected."""
        events = [({**event, "tenant": event.get("tenant") or self.topic["tenant"]},
                   (*self.place, record["offset"], sub)) for sub, event in enumerate(record.get("events", []))]
        is_foreign = self.topic["tenant_fixed"] and any(event["tenant"] != self.topic["tenant"] for event, _ in events)
        is_rejected = "rejected" in record or is_foreign
        self.count("records", 1, self.place)
        self.count("events", 1 if is_rejected else len(events))
        self.count("rejected", is_rejected, self.place)
        return [] if is_rejected else events


def parts_read(scenario, count):
    """In a live run the marks name the membership; a recording has one of each partition."""
    topics, marks = {topic["topic"]: topic for topic in scenario["topics"]}, scenario["marks"]
    joined = {mark["member"] for mark in marks if mark["kind"] == "join"}
    for number, part in enumerate(scenario["partitions"]):
        if "script" not in scenario or number in joined:
            own = [mark for mark in marks if mark.get("member", number) == number
                   and (mark.get("topic"), mark.get("partition")) == (part["topic"], part["partition"])]
            yield Part(topics[part["topic"]], part, own, count)


def blind_spells(marks, round_ms):
    """(topic, partition) -> [(time, does one begin)] in order; the values of marks are rounded up to the round."""
    blind = collections.defaultdict(list)
    for mark in marks:
        if mark["kind"] in ("blind-begin", "blind-end"):
            at = -(-mark["value"] // round_ms) * round_ms
            blind[mark["topic"], mark["partition"]].append((at, mark["kind"] == "blind-begin"))
    # Sorting is stable: those of one time stay in the order made.
    return {place: sorted(spells, key=lambda spell: spell[0]) for place, spells in blind.items()}

"""A scenario's JSON as what the model works with: rules with all their fields, parts of a recording; and the words and
tables that its rules may look things up in."""
import collections

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
    "where": None, "own_where": None, "when": (), "steps": (), "expect": None, "baseline": None, "of": (),
    "on": "alerts", "window": "sliding", "look": "always", "window_ms": 0, "session_max_ms": 0, "for_ms": 0,
    "in_order": False, "strict": False, "to_next": False,
    "priority": "P3", "team": "", "max_keys": 100000, "max_members": 1000}


class RuleFields:
    """All that a rule may say, with what holds where it does not, and what to look for in its expressions."""

    def __init__(self, said):
        self.__dict__.update(RULE_DEFAULTS | frozen(said))
        self.by = ("tenant",) + tuple(name for name in self.by if name != "tenant")
        self.listed = self.expect.get("keys", ()) if self.expect else ()  # keys that are watched, and no others
        if self.baseline:
            self.baseline = {"learn": 3, "forget_ms": 2 * self.baseline["season_ms"]} | self.baseline
        self.aggregates = list(dict.fromkeys(aggregates_in(self.when)))
        self.asks = {name: {part[1:] for part in parts_of(self.close) if part[0] == name}
                     for name in ("quiet", "fewer", "last")}


class EventFields:
    """What is said of an event, by the names of the scenario."""
    source = resource = check = dedup_key = message = ""
    time = value = None
    labels = {}

    def __init__(self, said, place):
        self.__dict__.update(said)
        self.topic, self.place, self.ts = place[0], place, self.time
        self.severity, self.is_problem = SEVERITIES.index(self.severity), self.state == "problem"


class Part:
    """The records of a partition, or of one membership of it, and its marks."""

    def __init__(self, topic, part, marks, count):
        self.topic, self.records, self.place = topic, part["records"], (part["topic"], part["partition"])
        self.count, self.next_offset = count, None
        # A partition that joins begins with V at the watermark: a seal from its first offset on.
        self.seals = [(mark["offset"], mark["value"]) for mark in marks
                      if mark["kind"] in ("seal", "join") and mark["value"] is not None]
        self.caps = {mark["offset"]: mark["value"] for mark in marks if mark["kind"] == "cap"}
        self.leave = next((mark for mark in marks if mark["kind"] == "leave"), None)

    def decode(self, record):
        """What its events say, each with its place; none where the record is rejected."""
        events = [({**event, "tenant": event.get("tenant") or self.topic["tenant"]},
                   (*self.place, record["offset"], sub)) for sub, event in enumerate(record.get("events", []))]
        is_foreign = self.topic["tenant_fixed"] and any(event["tenant"] != self.topic["tenant"] for event, _ in events)
        is_rejected = "rejected" in record or is_foreign
        self.count("records", 1, self.place)
        self.count("gaps", 0 if self.next_offset is None else record["offset"] - self.next_offset, self.place)
        self.next_offset = record["offset"] + 1
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
    if "script" in scenario:  # a replay caps nothing itself
        count("capped", sum(mark["kind"] == "cap" for mark in marks))


def blind_spells(marks, round_ms):
    """(topic, partition) -> [(time, does one begin)] in order; the values of marks are rounded up to the round."""
    blind = collections.defaultdict(list)
    for mark in marks:
        if mark["kind"] in ("blind-begin", "blind-end"):
            at = -(-mark["value"] // round_ms) * round_ms
            blind[mark["topic"], mark["partition"]].append((at, mark["kind"] == "blind-begin"))
    # Sorting is stable: those of one time stay in the order made.
    return {place: sorted(spells, key=lambda spell: spell[0]) for place, spells in blind.items()}

"""What tocsin must compute, written a second time: slow, obvious, single-threaded.

Reads one scenario (JSON: configuration, rules, records per partition, marks, and rule sets that replace the first) and
prints the incident log and the ledger. It follows docs/correlation.md section by section and the expressions of
docs/rules.md, and shares no code and no idea of speed with the daemon: every step looks at everything.

    model.py scenario.json       the incident log, then lines with what was counted

Section 1 is records.py, section 2 alerts.py and enrich.py, section 3 this file and forms.py, sections 4 and 5 log.py; values.py
computes expressions, calendars.py maintenance windows, and ledger.py sums up.
"""
import collections
import json
import sys

import ledger
from alerts import Alerts, Touch
from enrich import Enrichment
from forms import Baseline, Counted, Expect, Steps, Window, aggregates_in
from log import Log, hash_of
from records import NEVER, Event, Recording, self_alert
from values import SEVERITIES, Severity, Undefined, computed, duration_text, frozen, is_true, is_volatile, parts_of

TITLE_BYTES, WHY_BYTES = 255, 300

# The order of what happens at one time.
ROUND_END, SWITCH, MUTE, ALERT_TIMER, KEY_TIMER, EVENT = range(6)


def cut(text, limit):
    """At most `limit` bytes of the text, whole characters."""
    return text.encode()[:limit].decode("utf-8", "ignore")


# ---- section 3: rules, their keys and incidents ----


class Rule:
    """What the scenario says of it, by the same names, and what follows from that."""
    defaults = dict.fromkeys(["where", "own_where", "when", "steps", "expect", "baseline"]) | {
        "on": "alerts", "of": (), "window": "sliding", "window_ms": 0, "session_max_ms": 0, "for_ms": 0, "look": "always",
        "in_order": False, "strict": False, "to_next": False, "priority": "P3", "team": "", "max_keys": 100000,
        "max_members": 1000}

    def __init__(self, raw):
        self.__dict__.update(self.defaults, **frozen(raw))
        self.on = "beats" if self.expect else self.on
        self.repeats = self.on == "events"
        self.listed = self.expect.get("keys", ()) if self.expect else ()  # keys that are watched, and no others
        self.by = self.by if self.by[:1] == ("tenant",) else ("tenant",) + self.by
        if self.steps:
            any_step = ("or", *(step["where"] for step in self.steps))
            self.where = self.both(self.own_where, None if self.strict else any_step)
        if self.of:  # the rules whose incidents it is made of
            self.where = self.both(("in", ("field", "check"), *(("const", "text", name) for name in self.of)), self.where)
        self.aggregates = list(dict.fromkeys(aggregates_in(self.when))) if self.when else []
        if self.baseline:
            self.look, season = "end", self.baseline["season_ms"]
            self.slots, self.learn = season // self.window_ms, self.baseline.get("learn", 3)
            self.forget = self.baseline.get("forget_ms", 2 * season)
        of_close = list(parts_of(self.close))
        self.quiets = {part[1] for part in of_close if part[0] == "quiet"}
        self.fewers = {part[1:] for part in of_close if part[0] == "fewer"}
        self.lasts = {part[1] for part in of_close if part[0] == "last"}
        # What decides whether its windows carry on when another rule set takes its place.
        self.form = (self.on, self.where, self.by, self.window, self.window_ms, self.session_max_ms, self.look, self.for_ms,
                     self.baseline and (self.aggregates, season, self.learn, self.forget) or self.when, self.in_order,
                     self.strict, self.to_next, [(step["where"], step.get("not")) for step in self.steps or ()],
                     self.expect and self.expect["every_ms"])

    @staticmethod
    def both(a, b):
        return ("and", a, b) if a and b else a or b

    def key_values(self, event):
        return tuple(map(event.text, self.by))

    def key_event(self, values, now):
        """What an opening without an event has for one: the values of `by`, and nothing else."""
        raw = {"severity": "ok", "state": "problem", "labels": {}}
        for name, text in zip(self.by, values):
            if name.startswith("labels.") or name == "host":
                raw["labels"].setdefault(name.removeprefix("labels."), text)
            else:
                raw[name] = text
        event = Event(raw, "", "", 0, 0, 0)
        event.ts = event.et = now
        return event


class Key:
    """Of a rule: watching, or with an open incident."""

    def __init__(self, model, place, values):
        self.model, self.place, self.values = model, place, values
        self.incident = None
        self.last_touch = NEVER  # of any kind
        self.is_self_touched = False  # by a self-alert, the last that was no CLEAR or EVICT
        self.unlisted = None     # when a switch took it from the keys that are listed
        forms = {"expect": Expect, "steps": Steps, "baseline": Baseline}
        self.form = next((forms[name] for name in forms if getattr(self.rule, name)), Window)(self)

    @property
    def rule(self):
        return self.model.rules[self.place]

    def count(self, name, times=1):
        """In the ledger, and for its rule."""
        self.model.count(name, times)
        self.model.rule_counts[self.place][name] += times

    def drains(self):
        """Its rule is gone or was changed."""
        return self.place not in self.model.in_force

    def touch(self, touch):
        self.last_touch = touch.time
        if touch.raises:
            self.is_self_touched = touch.event.is_self_alert()
        if self.incident is None:
            (self.form.take if touch.raises else self.form.drop)(touch)
        elif touch.kind == "BEAT":
            self.form.take_open(touch)
        elif touch.raises:
            self.form.hear(touch)
            self.incident.join(touch)
            if self.incident.rule.lasts and self.incident.may_close(touch.time):
                self.close(touch.time, "value")
            else:
                self.form.take_open(touch)
        elif self.incident.leave(touch) and self.incident.cleared() and self.incident.may_close(touch.time):
            self.close(touch.time, "cleared")

    def timers(self):
        if self.unlisted is not None:
            return self.unlisted
        return self.incident.timers() if self.incident else self.form.timers()

    def timer(self, now):
        if self.unlisted is not None and self.incident:
            self.close(now, "unlisted")
        elif self.incident is None:
            self.form.timer(now)
        else:
            self.close_by_timer(now)

    def close_by_timer(self, now):
        is_quiet = now in self.incident.quiet_ends()
        self.incident.looked = now
        if self.incident.may_close(now):
            self.close(now, "quiet" if is_quiet else "fewer")

    def open(self, entries, event, why, now, opener, counts):
        """`event` is None where none did it."""
        self.incident = Incident(self, entries, event, why, now, opener, counts)
        self.model.log.change(self.incident, now, "opened", "rule")

    def close(self, now, cause):
        inc, self.incident = self.incident, None
        self.model.log.change(inc, now, "closed", cause)
        self.form.closed(now, inc)


class Incident:
    """Also the world of `close`, and of the matchers of mutes."""

    def __init__(self, key, entries, event, why, now, opener, counts):
        self.rule, self.count = key.rule, key.count
        self.key_values, self.opened = dict(zip(self.rule.by, key.values)), now
        self.tenant = key.values[0]
        self.key_text = " ".join(f"{name}={text}" for name, text in self.key_values.items())
        self.id = hash_of(self.tenant, self.rule.id, self.key_text, opener,
                          event.position if opener == "event" else str(now))
        self.members = {}          # alert -> is it open
        self.untracked_open = 0
        for entry in entries:
            self.members[entry.alert] = not entry.is_cleared
        self.alerts, self.events = len(self.members), len(entries)
        self.has_resumed = False   # of a rule with expect: a sign of life has come
        if self.rule.expect:       # what is missing counts as an alert
            self.alerts = self.untracked_open = 1
            self.first = key.form.listed if key.form.last is None else key.form.last
            self.severity = SEVERITIES.index(self.rule.expect.get("severity", "major"))
        else:                      # only the window of a baseline may be empty
            self.first = min((entry.ts for entry in entries), default=now - self.rule.window_ms)
            self.severity = max((entry.severity for entry in entries), default=SEVERITIES.index("warning"))
        shown = Counted(counts, event or self.rule.key_event(key.values, now))
        # Pieces of text, and expressions; what cannot be computed is nothing.
        pieces = [part if isinstance(part, str) else computed(("string", part), shown) or "" for part in self.rule.title]
        self.title = cut("".join(pieces), TITLE_BYTES)
        self.why = cut(why, WHY_BYTES)
        self.last_touch = self.looked = now
        self.joined = []           # times of RAISE, CHANGE and REPEAT since the opening
        self.heard = [event] if event else []  # the one that opened it, and those of these touches
        self.is_lost = self.is_lost_now = False  # "no longer watched"; and its update is to come
        self.is_forgotten = False  # its key is gone
        self.is_told_on = False    # to composite rules
        self.is_told = self.is_behind = False    # to sinks
        self.number, self.op_numbers = 0, collections.Counter()
        self.muting = []           # (kind, id) of what mutes it
        self.roles = {}            # by inhibition: ((is target, is source), since when)
        self.count("correlated", sum(not entry.is_counted for entry in entries))
        self.count("opened")
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
        self.first = min(self.first, touch.event.ts)
        self.severity = max(self.severity, touch.event.severity)
        self.last_touch = self.looked = touch.time
        self.joined.append(touch.time)
        self.heard.append(touch.event)
        self.count("correlated")

    def leave(self, touch):
        """CLEAR or EVICT; whether it may close the incident."""
        if self.members.get(touch.alert):
            self.members[touch.alert] = False
        elif touch.alert not in self.members and self.untracked_open > 0:
            self.untracked_open -= 1
        else:
            self.count("retired")
            return False
        self.events += 1
        self.count("correlated")
        if self.open_count() == 0:
            self.last_touch = touch.time
        if touch.kind == "EVICT":
            self.is_lost_now |= not self.is_lost
            self.is_lost = True
        return touch.kind == "CLEAR"

    def open_count(self):
        return sum(self.members.values()) + self.untracked_open

    # What `close` asks, and when it is asked by a timer.

    def may_close(self, now):
        self.now = now
        return is_true(self.rule.close, self)

    def cleared(self):
        return self.open_count() == 0 and not self.is_lost

    def is_heard(self):
        """An open alert still comes; what is missing does not."""
        return self.open_count() > 0 and not self.rule.expect

    def quiet(self, ms):
        return not self.is_heard() and self.now - self.last_touch >= ms

    def quiet_ends(self):
        return [] if self.is_heard() else [self.last_touch + quiet for quiet in self.rule.quiets]

    def fewer(self, touches, ms):
        return self.now >= self.fewer_from(touches, ms)

    def fewer_from(self, touches, ms):
        return (self.joined[-touches] if len(self.joined) >= touches else self.opened) + ms

    def last(self, tree):
        numbers = [number for number in (computed(("double", tree), event) for event in self.heard) if number is not None]
        if not numbers:
            raise Undefined
        return numbers[-1]

    def timers(self):
        due = self.quiet_ends() + [self.fewer_from(*fewer) for fewer in self.rule.fewers]
        return min((t for t in due if t > self.looked), default=None)

    # What matchers ask.

    def field(self, name):
        own = {"rule": self.rule.id, "priority": self.rule.priority, "team": self.rule.team,
               "severity": Severity(self.matched_severity)}
        return own[name] if name in own else self.key_values.get(name, "")

    def has(self, name):
        return self.field(name) != ""


# ---- the order of everything ----


class Model:
    def __init__(self, scenario):
        self.config = scenario["config"]
        self.ledger = collections.Counter()
        self.rule_counts = collections.defaultdict(collections.Counter)  # by place
        self.recording = Recording(self, scenario)
        self.switches = list(scenario.get("switches", []))  # in order of their time
        self.rules = {}       # place -> rule: an id, and a number for each form that the id ever had
        self.in_force = []    # places of the set in force
        self.take_rules(scenario["rules"], scenario.get("enrich"))
        self.alerts = Alerts(self)
        self.told_on = []     # events of changes of incidents, for composite rules
        self.keys = {}        # (place, values) -> Key
        # By place: incidents no longer watched, keys given up and entries pushed out in this minute.
        self.lost, self.given_up, self.pushed = collections.Counter(), collections.Counter(), collections.Counter()
        self.now = NEVER      # the time that mutes are looked at
        self.next_mute = None # the next at which one begins or ends, once looked up
        self.log = Log(self, scenario)

    def count(self, name, times=1):
        self.ledger[name] += times

    def composites(self):
        return [rule for _, rule in self.current() if rule.of]

    def current(self):
        return [(place, self.rules[place]) for place in self.in_force]

    def take_rules(self, raw, enrich):
        """A rule whose form is unchanged keeps its place, any other gets a new one."""
        old = {place[0]: place for place in self.in_force}
        self.in_force = []
        for rule in sorted(map(Rule, raw), key=lambda rule: rule.id):
            place = old.get(rule.id)
            if place is None or self.rules[place].form != rule.form:
                place = (rule.id, len(self.rules))
            self.rules[place] = rule
            self.in_force.append(place)
        self.enrichment = Enrichment(frozen(enrich or []))
        self.reads_volatile = any(step.is_volatile for step in self.enrichment.steps) or any(
            is_volatile(rule.where) for _, rule in self.current() if rule.on in ("alerts", "events", "incidents"))

    def run(self):
        events, end, round_ms = self.recording.events, self.recording.end, self.config["round_ms"]
        minute = self.minute = -(-60000 // round_ms) * round_ms
        next_round = None  # nothing has happened yet that a round end could see
        while end is not None and self.switches and self.switches[0]["at"] <= self.recording.begin:
            self.switch(self.switches.pop(0))  # what it replaces was never in force
        if end is not None and end > self.recording.begin:
            self.list_keys(self.recording.begin // round_ms * round_ms)
        while end is not None:
            due = [(end, ROUND_END)]  # the last thing that happens
            due += [(next_round, ROUND_END)] if next_round is not None else []
            due += [((self.now // minute + 1) * minute, ROUND_END)] if self.lost or self.pushed or self.given_up else []
            due += [(switch["at"], SWITCH) for switch in self.switches[:1]]
            if self.next_mute is None:
                self.next_mute = self.log.boundary(self.now)
            due += [(self.next_mute, MUTE)] if self.next_mute is not None else []
            due += [(t, ALERT_TIMER, alert.identity) for alert in self.alerts.table.values()
                    for t in self.alerts.timers(alert)]
            due += [(t, KEY_TIMER, *name) for name, key in self.keys.items() for t in (key.timers(),) if t is not None]
            due += [(event.et, EVENT) for event in events[:1]]
            now, what, *which = min(due)
            if what == ROUND_END:
                self.now = now - 1
                derived = self.round_end(now, now % minute == 0)
                if now == end:
                    break
                next_round = None
                self.count("derived", len(derived))
                if derived:
                    events = sorted(events + derived, key=Event.order)
                continue
            self.now = now
            if what == SWITCH:
                self.switch(self.switches.pop(0))
                self.list_keys(now)
            elif what == MUTE:
                self.log.tell_freed(now, now)
            elif what == ALERT_TIMER:
                self.touch_all(self.alerts.timer(self.alerts.table[which[0]], now))
            elif what == KEY_TIMER:
                self.keys[tuple(which)].timer(now)
                self.forget(tuple(which))
            else:
                self.take_event(events.pop(0))
            next_round = (now // round_ms + 1) * round_ms

    def take_event(self, sent):
        event = self.enrichment.run(sent)
        if event:
            self.touch_all(self.alerts.event(event) + self.beats(event))
        else:
            self.count("dropped")
        # What nobody looks at is not enriched.
        ran_all = event and (event.is_problem and not event.goes_nowhere or any(rule.expect for _, rule in self.current()))
        self.count("enrich_errors", self.enrichment.count(ran_all))

    def beats(self, event):
        return [Touch("BEAT", *route, None, event, event.et) for route in self.alerts.match(event, ("beats",))]

    def touch_all(self, touches):
        """Touches of one event or timer count by rule."""
        for touch in sorted(touches, key=lambda touch: touch.place):
            name = (touch.place, touch.values)
            self.count("touches")
            self.rule_counts[touch.place]["touches"] += 1
            listed = self.rules[touch.place].listed
            if name not in self.keys and (not touch.raises or listed and touch.values not in listed):
                self.count("retired")
                continue
            if name not in self.keys:
                self.keys[name] = Key(self, *name)
            self.keys[name].touch(touch)
            self.forget(name)

    def list_keys(self, now):
        """Those that rules list are there without a touch; those that they list no more go by a timer of this time."""
        for place, rule in self.current():
            for name in [name for name in self.keys if name[0] == place and rule.listed]:
                self.keys[name].unlisted = now if name[1] not in rule.listed else None
            for name in [(place, values) for values in rule.listed if (place, values) not in self.keys]:
                self.keys[name] = Key(self, *name)
                self.keys[name].form.list(now)

    def forget(self, name):
        """A key that watches and holds nothing leaves the table."""
        if self.keys[name].incident is None and self.keys[name].form.is_empty():
            del self.keys[name]

    def switch(self, switch):
        self.alerts.settle(switch["at"])
        self.take_rules(switch["rules"], switch.get("enrich"))
        for alert in self.alerts.table.values():
            alert.is_stale = True
            alert.is_given_up |= not self.composites()
        self.log.switch(switch.get("mutes"), switch["at"])

    def round_end(self, now, ends_minute):
        """Returns the self-alerts, events of the next round's start."""
        for touch in self.alerts.evict(now):
            self.touch_all([touch])
        open_ones = sorted((name, key, key.incident) for name, key in self.keys.items() if key.incident)  # before keys go
        self.evict_keys()
        for (place, _), key, inc in open_ones:
            if inc.is_lost_now and not key.is_self_touched:
                self.lost[place] += 1
            cause = ("evicted" if inc.is_lost_now else "severity" if inc.severity > inc.logged_severity
                     else "grew" if inc.alerts > inc.logged["alerts"] and inc.alerts >= 2 * inc.logged["alerts"] else None)
            inc.is_lost_now = False
            if cause:
                self.log.change(inc, now, "updated", cause)
        told = []
        if ends_minute:
            within = f"within {duration_text(self.minute)}"
            told += [("no-longer-watched", place, n, "incident is", "incidents are", "no longer watched: a bound was reached")
                     for place, n in sorted(self.lost.items())]
            told += [("keys-evicted", place, self.given_up[place], "key was", "keys were",
                      f"given up {within}: max_keys was reached") for place, _ in self.current() if self.given_up[place]]
            told += [("members-evicted", place, self.pushed[place], "entry was", "entries were",
                      f"pushed out {within}: max_members was reached") for place, _ in self.current() if self.pushed[place]]
            self.lost.clear()
            self.given_up.clear()
            self.pushed.clear()
        told_on, self.told_on = self.told_on, []
        return [self_alert(now, sub, rule, check, "warning", f"{n} {noun} of rule {rule} {verb} {says}")
                for sub, (check, (rule, _), n, one, many, says) in enumerate(told)
                for noun, verb in [(one if n == 1 else many).split()]] + [
                    self_alert(now, 36864 + i, **words) for i, words in enumerate(told_on)]

    def evict_keys(self):
        for place, rule in self.current():  # old forms drain: nothing bounds them
            held = sorted((key.incident is not None, key.last_touch, name) for name, key in self.keys.items()
                          if name[0] == place)
            for has_incident, _, name in held[:max(0, len(held) - rule.max_keys)]:
                key = self.keys.pop(name)
                self.count("keys_evicted")
                if has_incident:
                    key.incident.is_lost = key.incident.is_lost_now = key.incident.is_forgotten = True
                else:
                    key.count("evicted", sum(not entry.is_counted for entry in key.form.held()))
                    if not key.is_self_touched:
                        self.given_up[place] += 1


def run(scenario):
    """The lines of the incident log, the ledger's line, and in a recording the rows of its parts."""
    model = Model(scenario)
    model.run()
    model.log.write(ledger.totals(model))
    for row in ledger.rows(model) if "script" not in scenario else ():
        model.log.write(row)
    return model.log.lines


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as scenario_file:
        print("\n".join(run(json.load(scenario_file))))

"""What tocsin must compute, written a second time: slow, obvious, single-threaded.

Reads one scenario (JSON: configuration, rules, records per partition, marks, rule sets that replace the first) and
prints the incident log and the ledger. It follows docs/correlation.md section by section and the expressions of
docs/rules.md, and shares no code and no idea of speed with the daemon: every step looks at everything.

    model.py scenario.json       the incident log, then lines with what was counted

Section 1 is records.py, section 2 alerts.py and enrich.py, section 3 this file, forms.py (keys of rules),
aggregates.py and incident.py, sections 4 and 5 log.py; values.py computes expressions, calendars.py maintenance
windows, and ledger.py sums up.
"""
import collections
import functools
import json
import math
import sys

import ledger
from aggregates import aggregates_in
from alerts import Alerts, Touch
from enrich import Enrichment
from forms import Baseline, Expect, Steps, Window
from log import Log
from records import NEVER, Event, Recording, self_alert
from values import duration_text, frozen, is_volatile, parts_of

# The order of what happens at one time.
ROUND_END, SWITCH, MUTE, ALERT_TIMER, KEY_TIMER, EVENT = range(6)
SELF_ALERTS = {  # for one, for more, and what is said of them
    "no-longer-watched": ("incident of rule {} is", "incidents of rule {} are",
                          "no longer watched: a bound was reached"),
    "keys-evicted": ("key of rule {} was", "keys of rule {} were", "given up within {}: max_keys was reached"),
    "members-evicted": ("entry of rule {} was", "entries of rule {} were",
                        "pushed out within {}: max_members was reached")}


def both(a, b):
    return ("and", a, b) if a and b else a or b


class Rule:
    """What the scenario says of it, by the same names, and what follows from that."""
    where = own_where = when = steps = expect = baseline = None
    on, of, window, look, priority, team = "alerts", (), "sliding", "always", "P3", ""
    window_ms = session_max_ms = for_ms = 0
    in_order = strict = to_next = False
    max_keys, max_members = 100000, 1000

    def __init__(self, raw):
        self.__dict__.update(frozen(raw))
        self.on = "beats" if self.expect else self.on
        self.listed = self.expect.get("keys", ()) if self.expect else ()  # keys that are watched, and no others
        self.by = ("tenant",) + tuple(name for name in self.by if name != "tenant")
        if self.steps:
            any_step = ("or", *(step["where"] for step in self.steps))
            self.where = both(self.own_where, None if self.strict else any_step)
        if self.of:  # the rules whose incidents it is made of
            self.where = both(("in", ("field", "check"), *(("const", "text", name) for name in self.of)), self.where)
        self.aggregates = list(dict.fromkeys(aggregates_in(self.when))) if self.when else []
        if self.baseline:
            self.look, season = "end", self.baseline["season_ms"]
            self.slots, self.learn = season // self.window_ms, self.baseline.get("learn", 3)
            self.forget = self.baseline.get("forget_ms", 2 * season)
        self.frame = {"open": "open now", "session": "in a session with gaps below "}.get(self.window, "in ")
        self.frame += duration_text(self.window_ms) if self.window_ms else ""
        self.quiets, self.fewers, self.lasts = (
            {part[1:] for part in parts_of(self.close) if part[0] == name} for name in ("quiet", "fewer", "last"))
        # What decides whether its windows carry on when another rule set takes its place.
        names = "on where by window window_ms session_max_ms look for_ms in_order strict to_next".split()
        self.form = ([getattr(self, name) for name in names], self.expect and self.expect["every_ms"],
                     self.baseline and (self.aggregates, season, self.learn, self.forget) or self.when,
                     [(step["where"], step.get("not")) for step in self.steps or ()])
        self.key_class = Expect if self.expect else Steps if self.steps else Baseline if self.baseline else Window

    def key_values(self, event):
        return tuple(map(event.text, self.by))

    def key_event(self, values, now):
        """What an opening without an event has for one: the values of `by`, and nothing else."""
        fields = dict(zip(self.by, values))
        labels = {name.removeprefix("labels."): text for name, text in reversed(fields.items())
                  if name == "host" or name.startswith("labels.")}
        event = Event({"severity": "ok", "state": "problem", **fields, "labels": labels}, "", "")
        event.ts = event.et = now
        return event


class Model:
    def __init__(self, scenario):
        self.config, self.switches = scenario["config"], list(scenario.get("switches", []))  # in order of their time
        self.counts = collections.Counter()  # by name, and by what it is of and name
        self.rules = {}       # place -> rule: an id, and a number for each form that the id ever had
        self.in_force = []    # places of the set in force, by id
        self.take_rules(scenario["rules"], scenario.get("enrich"))
        self.recording = Recording(self, scenario)
        self.events, self.alerts = self.recording.events, Alerts(self)
        self.told_on = []     # events of changes of incidents, for composite rules
        self.keys = {}        # (place, values) -> Key
        self.taken = collections.Counter()  # what bounds took in this minute, by (self-alert, place)
        self.round_ms = self.config["round_ms"]
        self.minute = -(-60000 // self.round_ms) * self.round_ms
        self.now = self.mutes_at = NEVER  # the time, and that at which mutes are looked at
        self.next_round = math.inf  # nothing has happened yet that a round end could see
        self.next_mute = None # the next at which one begins or ends, once looked up
        self.log = Log(self, scenario)

    def count(self, name, times=1, of=None):
        """In all; and of a rule, partition, step or mute."""
        self.counts[name] += times
        self.counts[of, name] += times

    def current(self):
        return [(place, self.rules[place]) for place in self.in_force]

    def composites(self):
        return [rule for _, rule in self.current() if rule.of]

    def take_rules(self, raw, enrich):
        """A rule whose form is unchanged keeps its place, any other gets a new one."""
        old, self.in_force = {place[0]: place for place in self.in_force}, []
        for rule in sorted(map(Rule, raw), key=lambda rule: rule.id):
            place = old.get(rule.id)
            if place is None or self.rules[place].form != rule.form:
                place = (rule.id, len(self.rules))
            self.rules[place] = rule
            self.in_force.append(place)
        self.enrichment = Enrichment(self, frozen(enrich or []))
        self.reads_volatile = self.enrichment.is_volatile or any(
            is_volatile((rule.where, *(step["where"] for step in rule.steps or ())))
            for _, rule in self.current() if rule.on in ("alerts", "events", "incidents"))

    def due(self):
        """All that may come next: when, its place at that time, whose it is, and what does it."""
        yield self.recording.end, ROUND_END, (), self.round_end  # the last thing that happens
        yield self.next_round, ROUND_END, (), self.round_end
        if self.taken:
            yield (self.now // self.minute + 1) * self.minute, ROUND_END, (), self.round_end
        yield from [(switch["at"], SWITCH, (), self.switch) for switch in self.switches[:1]]
        self.next_mute = self.next_mute or self.log.boundary(self.mutes_at)
        yield self.next_mute, MUTE, (), self.log.tell_freed
        for alert in self.alerts.table.values():
            act = functools.partial(self.alert_timer, alert)
            yield from [(at, ALERT_TIMER, alert.identity, act) for at in self.alerts.timers(alert)]
        for name, key in self.keys.items():
            yield key.timer_at(), KEY_TIMER, name, functools.partial(self.key_timer, key)
        yield from [(event.et, EVENT, (), self.next_event) for event in self.events[:1]]

    def run(self):
        begin, end = self.recording.begin, self.recording.end
        if end is None:
            return  # nothing was read
        while self.switches and self.switches[0]["at"] <= begin:
            self.switch(begin)  # what it replaces was never in force
        if end > begin:
            self.list_keys(begin // self.round_ms * self.round_ms)
        what = None
        while (what, self.now) != (ROUND_END, end):
            self.now, what, _, act = min(self.due(), key=lambda due: due[:3])
            self.mutes_at = self.now - (what == ROUND_END)
            self.next_round = math.inf if what == ROUND_END else (self.now // self.round_ms + 1) * self.round_ms
            act(self.now)

    def next_event(self, now):
        sent = self.events.pop(0)
        event, beats = self.enrichment.run(sent), []
        if event:
            beats = [Touch("BEAT", *route, None, event, now) for route in self.alerts.match(event, ("beats",))]
            self.touch_all(self.alerts.event(event) + beats)
        else:
            self.count("dropped")
        # What nobody looks at is not enriched.
        self.enrichment.count(event and (event.is_problem and not event.goes_nowhere
                                         or any(rule.expect for _, rule in self.current())))

    def alert_timer(self, alert, now):
        self.touch_all(self.alerts.timer(alert, now))

    def key_timer(self, key, now):
        key.timer(now)
        self.forget(key)

    def touch_all(self, touches):
        """Touches of one event or timer count by rule."""
        for touch in sorted(touches, key=lambda touch: touch.place):
            name, rule = (touch.place, touch.values), self.rules[touch.place]
            self.count("touches", 1, touch.place)
            if name not in self.keys and (not touch.raises or rule.listed and touch.values not in rule.listed):
                self.count("retired")
                continue
            key = self.keys[name] = self.keys.get(name) or rule.key_class(self, *name)
            key.touch(touch)
            self.forget(key)

    def forget(self, key):
        """A key that watches and holds nothing leaves the table."""
        if key.incident is None and key.is_empty():
            del self.keys[key.place, key.values]

    def list_keys(self, now):
        """Those that rules list are there without a touch; those that they list no more go by a timer of this time."""
        for place, rule in self.current():
            for key in [key for key in self.keys.values() if key.place == place and rule.listed]:
                key.unlisted = math.inf if key.values in rule.listed else now
            for name in [(place, values) for values in rule.listed if (place, values) not in self.keys]:
                self.keys[name] = Expect(self, *name)
                self.keys[name].list(now)

    def switch(self, now):
        new = self.switches.pop(0)
        self.alerts.settle(now)
        self.take_rules(new["rules"], new.get("enrich"))
        for alert in self.alerts.table.values():
            alert.is_stale, alert.is_given_up = True, alert.is_given_up or not self.composites()
        self.log.switch(new.get("mutes"), now)
        if now > self.recording.begin:
            self.list_keys(now)

    def round_end(self, now):
        """Bounds, updates, and the self-alerts, events of the next round's start."""
        for touch in self.alerts.evict(now):
            self.touch_all([touch])
        open_ones = sorted((name, key, key.incident) for name, key in self.keys.items() if key.incident)
        self.evict_keys()
        for _, key, inc in open_ones:
            if inc.is_lost_now:
                self.take("no-longer-watched", key.place, key.last_raise)
            told = inc.logged["alerts"]
            cause = ("evicted" if inc.is_lost_now else "severity" if inc.severity > inc.logged_severity
                     else "grew" if inc.alerts > told and inc.alerts >= 2 * told else None)
            inc.is_lost_now = False
            if cause:
                self.log.change(inc, now, "updated", cause)
        alerts = self.bound_alerts(now) if now % self.minute == 0 else []
        alerts += [self_alert(now, 36864 + i, **words) for i, words in enumerate(self.told_on)]
        self.told_on = []
        if now < self.recording.end:
            self.count("derived", len(alerts))
            self.events = sorted(self.events + alerts, key=Event.order)

    def take(self, check, place, touch):
        """A bound took something; what a self-alert brought about is not told."""
        self.taken[check, place] += not (touch and touch.event.is_self_alert())

    def bound_alerts(self, now):
        alerts, minute = [], duration_text(self.minute)
        for check, (one, many, says) in SELF_ALERTS.items():
            for (_, place), n in sorted((row, n) for row, n in self.taken.items() if row[0] == check and n):
                if place in self.in_force or check == "no-longer-watched":
                    message = f"{n} {one if n == 1 else many} {says}".format(place[0], minute)
                    alerts.append(self_alert(now, len(alerts), place[0], check, "warning", message))
        self.taken.clear()
        return alerts

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
                    key.count("evicted", sum(not entry.is_counted for entry in key.entries))
                    self.take("keys-evicted", place, key.last_raise)


def run(scenario):
    """The lines of the incident log, the ledger's line, and in a recording the rows of its parts."""
    model = Model(scenario)
    model.run()
    model.log.write(ledger.totals(model))
    for row in [] if "script" in scenario else ledger.rows(model, scenario):
        model.log.write(row)
    return model.log.lines


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as scenario_file:
        print("\n".join(run(json.load(scenario_file))))

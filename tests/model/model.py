"""What tocsin must compute, written a second time: slow, obvious, single-threaded.

A scenario (configuration, rules, records per partition, marks, rule sets that replace the first) becomes the lines of
the incident log. It follows docs/correlation.md section by section and the expressions of docs/rules.md, and shares no
code and no idea of speed with the daemon: every step looks at everything. run_scenario.py runs one.

Section 1 is events.py, section 2 alerts.py and enrich.py, section 3 this file and forms.py (keys of rules), its
incidents and sections 4 and 5 incidents.py; values.py computes expressions, calendars.py maintenance windows.
What stands around the rules' meaning is in frame/: reading a scenario, writing lines, words of `why`, sums.
"""
import collections
import functools
import math

from alerts import Alerts, Touch
from enrich import Enrichment
from events import NEVER, Event, Recording, derived_event
from forms import Baseline, Expect, Steps, Window
from frame.ledger import Ledger
from frame.scenario import RuleFields
from frame.trees import frozen
from incidents import Telling
from values import duration_text, is_volatile

# The order of what happens at one time.
ROUND_END, SWITCH, MUTE, ALERT_TIMER, KEY_TIMER, EVENT = range(6)
SELF_ALERTS = {  # of one and of more, and what is said of them
    "no-longer-watched": ("incident {} is", "incidents {} are", "no longer watched: a bound was reached"),
    "keys-evicted": ("key {} was", "keys {} were", "given up within {}: max_keys was reached"),
    "members-evicted": ("entry {} was", "entries {} were", "pushed out within {}: max_members was reached")}


class Rule(RuleFields):
    """What the scenario says of it, by the same names, and what follows from that."""

    def __init__(self, said):
        super().__init__(said)
        self.on = "beats" if self.expect else self.on
        self.look = "end" if self.baseline else self.look
        any_step = self.steps and not self.strict and ("or", *(step["where"] for step in self.steps))
        any_rule = self.of and ("in", ("field", "check"), *(("const", "text", name) for name in self.of))
        self.where = ("and", *filter(None, (self.where, self.own_where, any_step, any_rule)))
        # What decides whether its windows carry on when another rule set takes its place.
        names = "on where by window window_ms session_max_ms look for_ms in_order strict to_next baseline".split()
        self.form = ([getattr(self, name) for name in names], self.aggregates if self.baseline else self.when,
                     self.expect and self.expect["every_ms"], [(step["where"], step.get("not")) for step in self.steps])
        self.key_class = Expect if self.expect else Steps if self.steps else Baseline if self.baseline else Window

    def key_values(self, event):
        return tuple(map(event.text, self.by))

    def key_event(self, values, now):
        """What an opening without an event has for one: the values of `by`, and nothing else."""
        fields = dict(zip(self.by, values))
        labels = {name.removeprefix("labels."): text for name, text in reversed(fields.items())
                  if name == "host" or name.startswith("labels.")}
        event = Event({"severity": "ok", "state": "problem", **fields, "labels": labels}, ("",))
        event.ts = event.et = now
        return event


class Model:
    def __init__(self, scenario):
        self.config, self.switches = scenario["config"], list(scenario.get("switches", []))  # in order of their time
        self.ledger = Ledger()
        self.count = self.ledger.count
        self.rules = {}       # place -> rule: an id, and a number for each form that the id ever had
        self.in_force = []    # places of the set in force, by id
        self.take_rules(scenario)
        self.recording = Recording(self.config, self.count, scenario)
        self.events, self.alerts = self.recording.events, Alerts(self)
        self.told_on = []     # what is said of changes of incidents, for composite rules
        self.keys = {}        # (place, values) -> Key
        self.taken = collections.Counter()  # what bounds took in this minute, by (self-alert, place)
        self.round_ms = self.config["round_ms"]
        self.minute = -(-60000 // self.round_ms) * self.round_ms
        self.now = self.mutes_at = NEVER  # the time, and that at which mutes are looked at
        self.next_round = math.inf  # nothing has happened yet that a round end could see
        self.telling = Telling(self, scenario)

    def current(self):
        return [(place, self.rules[place]) for place in self.in_force]

    def composites(self):
        return [rule for _, rule in self.current() if rule.of]

    def take_rules(self, said):
        """A rule whose form is unchanged keeps its place, any other gets a new one."""
        old, self.in_force = {place[0]: place for place in self.in_force}, []
        for rule in sorted(map(Rule, said["rules"]), key=lambda rule: rule.id):
            place = old.get(rule.id)
            if place is None or self.rules[place].form != rule.form:
                place = (rule.id, len(self.rules))
            self.rules[place] = rule
            self.in_force.append(place)
        self.enrichment = Enrichment(frozen(said.get("enrich") or []))
        self.reads_volatile = self.enrichment.is_volatile or any(
            is_volatile((rule.where, *(step["where"] for step in rule.steps)))
            for _, rule in self.current() if rule.on in ("alerts", "events", "incidents"))

    def due(self):
        """All that may come next: when, its place at that time, whose it is, and what does it."""
        yield self.recording.end, ROUND_END, (), self.round_end  # the last thing that happens
        yield self.next_round, ROUND_END, (), self.round_end
        if self.taken:
            yield (self.now // self.minute + 1) * self.minute, ROUND_END, (), self.round_end
        yield from [(switch["at"], SWITCH, (), self.switch) for switch in self.switches[:1]]
        yield self.telling.next_edge(), MUTE, (), self.telling.tell_freed
        for alert in self.alerts.table.values():
            yield self.alerts.timer_at(alert), ALERT_TIMER, alert.identity, functools.partial(self.alert_timer, alert)
        for name, key in self.keys.items():
            yield key.timer_at(), KEY_TIMER, name, key.timer
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
            self.keys = {name: key for name, key in self.keys.items() if not key.is_empty()}

    def alert_timer(self, alert, now):
        self.touch_all(self.alerts.timer(alert, now))

    def next_event(self, now):
        event = self.enrichment.run(self.events.pop(0))
        if event:
            beats = [Touch("BEAT", *route, None, event, now) for route in self.alerts.match(event, ("beats",))]
            self.touch_all(self.alerts.event(event) + beats)
        self.ledger.count_enriched(self, event)

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

    def list_keys(self, now):
        """Those that rules list are there without a touch; those that they list no more go by a timer of this time."""
        for place, rule in self.current():
            for key in [key for key in self.keys.values() if key.place == place and rule.listed]:
                key.unlisted = math.inf if key.values in rule.listed else now
            for name in [(place, values) for values in rule.listed if (place, values) not in self.keys]:
                key = self.keys[name] = Expect(self, *name)
                key.listed = now
                key.owes_from(now)

    def switch(self, now):
        said = self.switches.pop(0)
        self.alerts.settle(now)
        self.take_rules(said)
        for alert in self.alerts.table.values():
            alert.is_stale, alert.is_given_up = True, alert.is_given_up or not self.composites()
        self.telling.switch(said.get("mutes"), now)
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
            told = inc.last_line["alerts"]
            cause = ("evicted" if inc.is_lost_now else "severity" if inc.severity > inc.shown_severity
                     else "grew" if inc.alerts > told and inc.alerts >= 2 * told else None)
            inc.is_lost_now = False
            if cause:
                self.telling.change(inc, now, "updated", cause)
        events = self.bound_alerts(now) if now % self.minute == 0 else []
        events += [derived_event(now, 36864 + i, **said) for i, said in enumerate(self.told_on)]
        self.told_on = []
        if now < self.recording.end:
            self.count("derived", len(events))
            self.events = sorted(self.events + events, key=Event.order)

    def take(self, check, place, touch):
        """A bound took something; what a self-alert brought about is not told."""
        self.taken[check, place] += not (touch and touch.event.is_self_alert())

    def bound_alerts(self, now):
        events, minute = [], duration_text(self.minute)
        for check, (one, many, says) in SELF_ALERTS.items():
            for (_, place), n in sorted((row, n) for row, n in self.taken.items() if row[0] == check and n):
                if place in self.in_force or check == "no-longer-watched":
                    message = f"{n} {one if n == 1 else many} {says}".format("of rule " + place[0], minute)
                    events.append(derived_event(now, len(events), resource=place[0], check=check, severity="warning",
                                                message=message))
        self.taken.clear()
        return events

    def evict_keys(self):
        for place, rule in self.current():  # old forms drain: nothing bounds them
            held = sorted((key.incident is not None, key.last_touch, name) for name, key in self.keys.items()
                          if name[0] == place and not key.is_empty())
            for has_incident, _, name in held[:max(0, len(held) - rule.max_keys)]:
                key = self.keys.pop(name)
                self.count("keys_evicted")
                if has_incident:
                    key.incident.is_lost = key.incident.is_lost_now = key.incident.is_forgotten = True
                else:
                    key.keep([], "evicted")
                    self.take("keys-evicted", place, key.last_raise)

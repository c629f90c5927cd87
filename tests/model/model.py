"""What tocsin must compute, written a second time: slow, obvious, single-threaded.

A scenario (configuration, rules, records per partition, marks, rule sets that replace the first) becomes the lines of
the incident log. It follows docs/correlation.md section by section and the expressions of docs/rules.md, and shares no
code and no idea of speed with the daemon: every step looks at everything. run_scenario.py runs one.

Section 1 is events.py, section 2 alerts.py and enrich.py, section 3 this file and forms.py (keys of rules), its
incidents and sections 4 and 5 incidents.py; values.py computes expressions, calendars.py maintenance windows.
What stands around the rules' meaning is in frame/: reading a scenario, writing lines, what is said in words, sums.
"""
import collections
import math

from alerts import Alert, Touch
from enrich import Enrichment
from events import NEVER, Event, Recording, derived_event
from forms import Baseline, Expect, Steps, Window
from frame import words
from frame.ledger import Ledger
from frame.scenario import rule_fields
from frame.trees import frozen
from incidents import Telling
from values import is_true, is_volatile

# The order of what happens at one time.
ROUND_END, SWITCH, MUTE, ALERT_TIMER, KEY_TIMER, EVENT = range(6)


class Rule:
    """What the scenario says of it, by the same names, and what follows from that."""

    def __init__(self, said):
        self.__dict__.update(rule_fields(said))
        self.on, self.look = "beats" if self.expect else self.on, "end" if self.baseline else self.look
        any_step = self.steps and not self.strict and ("or", *(step["where"] for step in self.steps))
        any_rule = self.of and ("in", ("field", "check"), *(("const", "text", name) for name in self.of))
        self.where = ("and", *filter(None, (self.where, self.own_where, any_step, any_rule)))
        # What decides whether its windows carry on when another rule set takes its place.
        names = "on where by window window_ms session_max_ms look for_ms in_order strict to_next baseline".split()
        self.form = ([getattr(self, name) for name in names], self.aggregates if self.baseline else self.when,
                     self.expect.get("every_ms"), [(step["where"], step.get("not")) for step in self.steps])
        self.family = (self.id, tuple(self.by), bool(self.expect))  # its forms that share keys
        self.key_class = Expect if self.expect else Steps if self.steps else Baseline if self.baseline else Window

    def key_event(self, values, now):
        """What an opening without an event has for one: the values of `by`, and nothing else."""
        fields = dict(zip(self.by, values))
        labels = {"host": ""} | {name.removeprefix("labels."): text for name, text in reversed(fields.items())
                                 if name == "host" or name.startswith("labels.")}
        return derived_event(now, 0, **({"source": "", "severity": "ok"} | fields | {"labels": labels}))


class Model:
    def __init__(self, scenario):
        self.config, self.switches = scenario["config"], list(scenario.get("switches", []))  # in order of their time
        self.ledger = Ledger()
        self.count = self.ledger.count
        self.rules = {}       # place -> rule: an id, and a number for each form that the id ever had
        self.in_force = []  # the rules of the set in force, by id
        self.take_rules(scenario)
        self.recording = Recording(self.config, self.count, scenario)
        self.events = self.recording.events
        self.alerts, self.keys = {}, {}      # by identity; by family and values
        self.touches, self.told_on = [], []  # all that rules were told; of changes of incidents, for composite rules
        self.taken = collections.Counter()  # what bounds took in this minute, by (self-alert, place)
        self.round_ms = self.config["round_ms"]
        self.minute = -(-60000 // self.round_ms) * self.round_ms
        self.now = self.mutes_at = NEVER  # the time, and that at which mutes are looked at
        self.next_round = math.inf  # nothing has happened yet that a round end could see
        self.telling = Telling(self, scenario)

    def take_rules(self, said):
        """A rule whose form is unchanged keeps its place, any other gets a new one."""
        old = {rule.id: rule for rule in self.in_force}
        self.in_force = sorted(map(Rule, said["rules"]), key=lambda rule: rule.id)
        for rule in self.in_force:
            stays = (same := old.get(rule.id)) and same.form == rule.form
            rule.place = same.place if stays else (rule.id, len(self.rules))
            self.rules[rule.place] = rule
        self.heirs = {rule.family: rule for rule in self.in_force}
        self.composites = [rule for rule in self.in_force if rule.of]
        self.enrichment = Enrichment(frozen(said.get("enrich") or []))
        self.reads_volatile = self.enrichment.is_volatile or any(
            is_volatile((rule.where, *(step["where"] for step in rule.steps)))
            for rule in self.in_force if rule.on in ("alerts", "events", "incidents"))

    def due(self):
        """All that may come next: when, its place at that time, whose it is, and what does it."""
        minute = (self.now // self.minute + 1) * self.minute if self.taken else math.inf
        # The end of the recording is the last thing that happens.
        yield min(self.next_round, minute, self.recording.end), ROUND_END, (), self.round_end
        yield from [(switch["at"], SWITCH, (), self.switch) for switch in self.switches[:1]]
        edges = {edge for mute in self.telling.mutes for spell in mute.spells for edge in spell}
        yield min((at for at in edges if at > self.mutes_at), default=math.inf), MUTE, (), self.telling.tell_freed
        yield from [(alert.timer_at(), ALERT_TIMER, name, alert.timer) for name, alert in self.alerts.items()]
        yield from [(key.timer_at(), KEY_TIMER, (key.place, key.values), key.timer) for key in self.keys.values()]
        yield from [(event.et, EVENT, (), self.next_event) for event in self.events[:1]]

    def run(self):
        begin, end, what = self.recording.begin, self.recording.end, None
        if end is None:
            return  # nothing was read
        while self.switches and self.switches[0]["at"] <= begin:
            self.switch(begin)  # what it replaces was never in force
        if end > begin:
            self.list_keys(begin // self.round_ms * self.round_ms)
        while (what, self.now) != (ROUND_END, end):
            self.now, what, _, act = min(self.due())
            self.mutes_at = self.now - (what == ROUND_END)
            self.next_round = math.inf if what == ROUND_END else (self.now // self.round_ms + 1) * self.round_ms
            for alert in self.alerts.values():
                alert.last_to(self.now)
            act(self.now)
            self.keys = {name: key for name, key in self.keys.items() if not key.is_empty()}

    def match(self, event, forms=("alerts", "events")):
        """The routes of an event: (place, values of the key) of each rule of these forms whose `where` is true."""
        if event.of_incident:
            forms = ("incidents",) if "alerts" in forms else ()
        return [(rule.place, tuple(map(event.text, rule.by))) for rule in self.in_force
                if rule.on in forms and is_true(rule.where, event)]

    def next_event(self, now):
        event = self.enrichment.run(self.events.pop(0))
        if event:
            beats = [Touch("BEAT", *route, None, event, now) for route in self.match(event, ("beats",))]
            alert = self.alerts.get(event.identity()) or Alert(self, event.identity())
            self.touch_all(alert.event(event) + beats)
        self.ledger.count_enriched(self, event)

    def touch_all(self, touches):
        """Touches of one event or timer count by rule."""
        for touch in sorted(touches, key=lambda touch: touch.place):
            rule = self.rules[touch.place]
            key = self.holder(rule, touch.values, touch.raises and rule in self.in_force)
            self.touches.append(touch)
            if key and not key.is_unlisted() and (key.place == touch.place or key.place < touch.place and key.incident):
                key.touch(touch)
            else:
                touch.counts_as("retired")

    def holder(self, rule, values, takes):
        """The key, whichever form has it: a former one lets it go to the one in force unless its incident is open."""
        key = self.keys.get((rule.family, values))
        if takes and not (key and (key.place == rule.place or key.incident)):
            if key:
                key.keep([], "retired")
            key = self.keys[rule.family, values] = rule.key_class(self, rule.place, values)
        return key

    def list_keys(self, now):
        """Those that rules list are there without a touch, and go over from a former form that watches them."""
        for rule, values in [(rule, values) for rule in self.in_force for values in rule.listed]:
            least = key.due_at if (key := self.keys.get((rule.family, values))) else NEVER
            key = key or self.holder(rule, values, takes=True)
            key.since = key.since or now
            if not key.incident:
                key.place, key.due_at = rule.place, max(least, key.since + rule.expect["every_ms"])

    def switch(self, now):
        said = self.switches.pop(0)
        self.take_rules(said)
        self.keys = {name: key for name, key in self.keys.items()
                     if key.incident or not key.rule.expect or name[0] in self.heirs}
        for alert in self.alerts.values():
            alert.is_stale, alert.is_given_up = True, alert.is_given_up or not self.composites
        self.telling.take_mutes(said.get("mutes"))
        self.telling.tell_freed(now)
        if now > self.recording.begin:
            self.list_keys(now)

    def round_end(self, now):
        """Bounds, updates, and the self-alerts, events of the next round's start."""
        for *_, alert in beyond(self.config["alerts_max"], [(a.last, a.identity, a) for a in self.alerts.values()]):
            self.count("alerts_evicted")
            self.touch_all(alert.end(now, "EVICT"))
        open_ones = sorted((key.place, key.values, key, key.incident) for key in self.keys.values() if key.incident)
        self.evict_keys()
        for *_, key, inc in open_ones:
            cause = ("evicted" if inc.lost == "now" else "severity" if inc.severity > inc.shown_severity
                     else "grew" if len(inc.alerts()) >= max(1, 2 * inc.last_line["alerts"]) else None)
            if cause == "evicted":
                inc.lost = "before"
                self.take("no-longer-watched", key.place, key.last_raise)
            if cause:
                self.telling.change(inc, now, "updated", cause)
        events = self.bound_alerts(now) if now % self.minute == 0 else []
        events += [derived_event(now, 36864 + i, **said) for i, said in enumerate(self.told_on)]
        self.told_on = []
        self.count("derived", len(events) if now < self.recording.end else 0)
        self.events = sorted(self.events + events, key=Event.order)

    def evict_keys(self):
        for rule in self.in_force:  # old forms drain: nothing bounds them
            held = [(key.incident is not None, key.last_touch, name) for name, key in self.keys.items()
                    if key.rule is rule and not key.is_empty()]
            for has_incident, _, name in beyond(rule.max_keys, held):
                key = self.keys.pop(name)
                waits = not has_incident and any(entry.fate == "pending" for entry in key.entries)
                self.ledger.counts.update({"keys_evicted": 1, (key.place, "evicted"): not waits})
                if has_incident:
                    key.incident.lost, key.incident.is_forgotten = "now", True
                else:
                    key.keep([], "evicted")
                    self.take("keys-evicted", rule.place, key.last_raise)

    def take(self, check, place, touch):
        """A bound took something; what a self-alert brought about is not told."""
        self.taken[check, place] += not (touch and touch.event.topic == "@derived" and not touch.event.of_incident)

    def bound_alerts(self, now):
        told, self.taken = self.taken, collections.Counter()
        rows = [(check, place, told[check, place]) for check in words.SELF_ALERTS for place in sorted(self.rules)
                if self.rules[place] in self.in_force or check == "no-longer-watched"]
        return [derived_event(now, sub, resource=place[0], check=check, severity="warning",
                              message=words.of_bound(check, place[0], n, self.minute))
                for sub, (check, place, n) in enumerate(row for row in rows if row[2])]


def beyond(bound, held):
    """What has to go that no more is held than a bound allows: the smallest."""
    return sorted(held)[:max(0, len(held) - bound)]

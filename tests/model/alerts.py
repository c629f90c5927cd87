"""Which events are one alert, and what rules are told of it: docs/correlation.md, section 2."""
import copy
import dataclasses
import math

from events import NEVER, Event
from values import is_true


@dataclasses.dataclass(eq=False)
class Touch:
    """What a rule is told; while its key watches, it is held as an entry."""
    kind: str      # RAISE, CHANGE, REPEAT, CLEAR, EVICT or BEAT
    place: tuple   # of the rule: its id, and which of its forms
    values: tuple  # of the key
    alert: tuple   # its identity
    event: Event   # a CHANGE replaces that of an entry
    time: int
    is_cleared: bool = False  # its alert has been, since
    is_counted: bool = False  # in the ledger, with an incident

    def __post_init__(self):
        self.ts = self.event and self.event.ts
        self.raises = self.kind not in ("CLEAR", "EVICT")


class Alert:
    is_open = is_flapping = False
    is_given_up = False           # the key of the incident that it is was evicted
    is_stale = False              # rules were switched since its routes were made
    last = NEVER
    problem = told = None         # the last that was not a repeat; that which rules were told last, None: told closed
    changes = ()                  # their times, newest last
    routes = flap_routes = ()     # (place, key values): what the rules were told, and those of flapping alerts

    def __init__(self, identity):
        self.identity = identity


class Alerts:
    """What happens to an alert comes back as the touches that it makes."""

    def __init__(self, model):
        self.model, self.config, self.count, self.table = model, model.config, model.count, {}

    def match(self, event, forms=("alerts", "events")):
        if event.of_incident:
            forms = ("incidents",) if "alerts" in forms else ()
        return [(place, rule.key_values(event)) for place, rule in self.model.current()
                if rule.on in forms and is_true(rule.where, event)]

    def event(self, event):
        alert = self.table.get(event.identity()) or Alert(event.identity())
        touches, otherwise = self.row(alert, event)
        self.count("routed" if touches else otherwise)
        return touches + self.begin_flapping(alert, event)

    def row(self, alert, event):
        """What the table says: the touches, and what the event counts as where there are none."""
        is_new, is_problem = alert.last == NEVER, event.is_problem
        if is_new and not is_problem:
            return [], "unmatched"
        self.table[alert.identity], alert.last = alert, event.et
        alert.is_given_up |= event.of_incident == "given up"
        if is_problem != alert.is_open:
            self.count("alerts_opened" if is_new else "alerts_refired" if is_problem else "alerts_cleared")
            alert.is_open = is_problem
            alert.changes = [*alert.changes, event.et][-self.config["flap_start"]:]
        elif not is_problem:
            return [], "duplicate"
        elif event.attributes() == alert.problem.attributes():
            if alert.is_stale and not alert.is_flapping:
                return self.tell(alert, event.et, repeated=event), "duplicate"
            if alert.is_flapping or not self.model.reads_volatile or (
                    self.match(event) == alert.routes and event.severity == alert.problem.severity):
                return self.repeat(alert, event), "duplicate"
        alert.problem = event if is_problem else alert.problem
        self.count("flap_folded", alert.is_flapping)
        return ([], "duplicate") if alert.is_flapping else (self.tell(alert, event.et), "unmatched")

    def repeat(self, alert, event):
        routes = [(place, values) for place, values in alert.routes if self.model.rules[place].on == "events"]
        if alert.is_flapping and alert.told and event.attributes() != alert.told.attributes():
            routes = []  # of what the rules were not told
        event.goes_nowhere = not routes and not alert.is_flapping and not self.model.reads_volatile
        return [Touch("REPEAT", *route, alert.identity, event, event.et) for route in routes]

    def begin_flapping(self, alert, event):
        """Of a change that was one too many."""
        recent = [at for at in alert.changes if at > event.et - self.config["flap_window_ms"]]
        if alert.is_flapping or len(recent) < self.config["flap_start"]:
            return []
        alert.is_flapping = True
        self.count("flap_begun")
        words = copy.copy(alert.problem)
        words.et, words.place = event.et, event.place  # it opens what opens; `age` is that at the change
        alert.flap_routes = self.match(words, ("flapping",))
        return [Touch("RAISE", *route, alert.identity, words, event.et) for route in alert.flap_routes]

    def tell(self, alert, now, gone="CLEAR", repeated=None):
        """Rules are told of the alert as it is now: touches of routes that are gone, new, or hold still."""
        event, old = repeated or alert.problem, alert.routes
        alert.routes, alert.told = (self.match(event), alert.problem) if alert.is_open else ([], None)
        alert.is_stale = False
        kinds = [(gone, route) for route in old if route not in alert.routes]
        kinds += [("RAISE", route) for route in alert.routes if route not in old]
        for route in alert.routes:
            on_events = self.model.rules[route[0]].on == "events"
            if route in old and (on_events or not repeated):
                kinds.append(("REPEAT" if on_events else "CHANGE", route))
        return [Touch(kind, *route, alert.identity, event, now) for kind, route in kinds]

    def end(self, alert, now, kind="CLEAR"):
        """The alert is over."""
        del self.table[alert.identity]
        touches, alert.is_open = self.end_flapping(alert, now, kind), False
        return touches + self.tell(alert, now, gone=kind)

    def end_flapping(self, alert, now, kind="CLEAR"):
        self.count("flap_ended", alert.is_flapping)
        routes, alert.flap_routes, alert.is_flapping = alert.flap_routes, [], False
        return [Touch(kind, *route, alert.identity, None, now) for route in routes]

    def lasts(self, alert):
        """Alerts that are incidents do not expire while these are open."""
        is_incident = alert.identity[-1] is True
        return is_incident and alert.is_open and not alert.is_given_up and self.model.composites()

    def timer_at(self, alert):
        calm = alert.is_flapping and alert.changes[-1 - self.config["flap_stop"]] + self.config["flap_window_ms"]
        return min(calm or math.inf, math.inf if self.lasts(alert) else alert.last + self.config["expire_ms"])

    def settle(self, now):
        """What `last` of those that last has become before `now`."""
        for alert in filter(self.lasts, self.table.values()):
            alert.last += (now - 1 - alert.last) // self.config["expire_ms"] * self.config["expire_ms"]

    def timer(self, alert, now):
        if alert.last + self.config["expire_ms"] > now or self.lasts(alert):
            touches, problem = self.end_flapping(alert, now), alert.problem if alert.is_open else None
            was, is_now = (event and event.attributes() for event in (alert.told, problem))
            return touches + (self.tell(alert, now) if was != is_now else [])
        self.count("alerts_expired", alert.is_open)
        return self.end(alert, now)

    def evict(self, now):
        self.settle(now)
        oldest = sorted(self.table.values(), key=lambda alert: (alert.last, alert.identity))
        for alert in oldest[:max(0, len(oldest) - self.config["alerts_max"])]:
            self.count("alerts_evicted")
            yield from self.end(alert, now, "EVICT")

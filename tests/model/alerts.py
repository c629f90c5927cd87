"""Which events are one alert, and what rules are told of it: docs/correlation.md, section 2."""
import copy
import dataclasses

from records import NEVER, Event
from values import is_true


@dataclasses.dataclass
class Touch:
    kind: str      # RAISE, CHANGE, REPEAT, CLEAR, EVICT or BEAT
    place: tuple   # of the rule: its id, and which of its forms
    values: tuple  # of the key
    alert: tuple   # its identity
    event: Event
    time: int
    opener: str = "event"

    @property
    def raises(self):
        return self.kind not in ("CLEAR", "EVICT")


class Alert:
    def __init__(self, identity):
        self.identity = identity
        self.is_open = self.is_flapping = False
        self.last = NEVER
        self.problem = None    # the last problem event that was not a repeat
        self.told = None       # the one that the rules were told last; None: told closed
        self.changes = []      # their times, newest last
        self.routes = []       # (place, key values): what the rules were told
        self.flap_routes = []  # the same of rules of flapping alerts
        self.is_given_up = False  # the key of the incident that it is was evicted
        self.is_stale = False  # rules were switched since its routes were made


class Alerts:
    """What happens to an alert comes back as the touches that it makes."""

    def __init__(self, model):
        self.model, self.config, self.count = model, model.config, model.count
        self.table = {}

    def match(self, event, forms=("alerts", "events")):
        if event.of_incident:
            forms = ("incidents",) if "alerts" in forms else ()
        return [(place, rule.key_values(event)) for place, rule in self.model.current()
                if rule.on in forms and is_true(rule.where, event)]

    def event(self, event):
        identity = event.identity()
        if identity not in self.table and not event.is_problem:
            self.count("unmatched")
            return []
        self.count("alerts_opened", identity not in self.table)
        self.count("alerts_refired", event.is_problem and identity in self.table and not self.table[identity].is_open)
        alert = self.table.setdefault(identity, Alert(identity))
        alert.last = event.et
        alert.is_given_up |= event.of_incident == "given up"
        if event.is_problem != alert.is_open:
            return self.change(alert, event)
        if not event.is_problem:
            self.count("duplicate")
            return []
        if event.attributes() == alert.problem.attributes():
            if alert.is_stale and not alert.is_flapping:
                return self.counted(self.tell(alert, self.match(event), event, event.et, kept=self.repeats), "duplicate")
            if alert.is_flapping or not self.model.reads_volatile or (
                    self.match(event) == alert.routes and event.severity == alert.problem.severity):
                return self.repeat(alert, event)
        alert.problem = event
        return self.fold() if alert.is_flapping else self.counted(self.tell_problem(alert, event.et))

    def counted(self, touches, otherwise="unmatched"):
        self.count("routed" if touches else otherwise)
        return touches

    def fold(self):
        self.count("duplicate")
        self.count("flap_folded")
        return []

    def change(self, alert, event):
        """An open alert closes or a closed one opens."""
        self.count("alerts_cleared", alert.is_open)
        alert.is_open = event.is_problem
        alert.problem = event if event.is_problem else alert.problem
        alert.changes = (alert.changes + [event.et])[-self.config["flap_start"]:]
        if alert.is_flapping:
            return self.fold()
        told = self.tell_problem(alert, event.et) if event.is_problem else self.tell_clear(alert, event.et)
        touches = self.counted(told)
        since = event.et - self.config["flap_window_ms"]
        if sum(t > since for t in alert.changes) >= self.config["flap_start"]:
            alert.is_flapping = True
            self.count("flap_begun")
            touches += self.tell_flapping(alert, event)
        return touches

    def tell(self, alert, routes, event, now, opener="event", kept=None, gone="CLEAR"):
        """These are its routes from now on: touches of those that are gone, are new, or hold still (what `kept` says)."""
        old, alert.routes, alert.is_stale = alert.routes, routes, False
        kinds = [(gone, route) for route in old if route not in routes]
        kinds += [(kept(route) if route in old else "RAISE", route) for route in routes]
        return [Touch(kind, *route, alert.identity, event, now, opener) for kind, route in kinds if kind]

    def repeats(self, route):
        return "REPEAT" if self.model.rules[route[0]].repeats else None

    def tell_problem(self, alert, now, opener="event"):
        """As it is now; nobody may have been told of it before."""
        alert.told = alert.problem
        return self.tell(alert, self.match(alert.problem), alert.problem, now, opener,
                         lambda route: self.repeats(route) or "CHANGE")

    def tell_clear(self, alert, now, kind="CLEAR"):
        alert.told = None
        return self.tell(alert, [], None, now, gone=kind)

    def tell_flapping(self, alert, event):
        words = copy.copy(alert.problem)
        words.et, words.position = event.et, event.position  # it opens what opens; `age` is that at the change
        alert.flap_routes = self.match(words, ("flapping",))
        return [Touch("RAISE", *route, alert.identity, words, event.et) for route in alert.flap_routes]

    def tell_flapping_end(self, alert, kind, now):
        routes, alert.flap_routes = alert.flap_routes, []
        return [Touch(kind, *route, alert.identity, None, now) for route in routes]

    def repeat(self, alert, event):
        routes = list(filter(self.repeats, alert.routes))
        if alert.is_flapping and alert.told and event.attributes() != alert.told.attributes():
            routes = []  # of what the rules were not told
        event.goes_nowhere = not routes and not alert.is_flapping and not self.model.reads_volatile
        return self.counted([Touch("REPEAT", *route, alert.identity, event, event.et) for route in routes], "duplicate")

    def lasts(self, alert):
        """Alerts that are incidents do not expire while these are open."""
        return alert.is_open and alert.identity[-1] is True and not alert.is_given_up and self.model.composites()

    def settle(self, now):
        """What `last` of those that last has become before `now`."""
        for alert in filter(self.lasts, self.table.values()):
            alert.last += (now - 1 - alert.last) // self.config["expire_ms"] * self.config["expire_ms"]

    def timers(self, alert):
        if alert.is_flapping:
            yield alert.changes[-1 - self.config["flap_stop"]] + self.config["flap_window_ms"]
        if not self.lasts(alert):
            yield alert.last + self.config["expire_ms"]

    def timer(self, alert, now):
        self.count("flap_ended", alert.is_flapping)
        if alert.last + self.config["expire_ms"] == now and not self.lasts(alert):
            del self.table[alert.identity]
            self.count("alerts_expired", alert.is_open)
            return self.tell_flapping_end(alert, "CLEAR", now) + self.tell_clear(alert, now)
        alert.is_flapping = False
        touches = self.tell_flapping_end(alert, "CLEAR", now)
        if not alert.is_open:
            return touches + (self.tell_clear(alert, now) if alert.told else [])
        if alert.told is None or alert.told.attributes() != alert.problem.attributes():
            return touches + self.tell_problem(alert, now, "timer")
        return touches

    def evict(self, now):
        self.settle(now)
        oldest = sorted(self.table.values(), key=lambda alert: (alert.last, alert.identity))
        for alert in oldest[:max(0, len(oldest) - self.config["alerts_max"])]:
            del self.table[alert.identity]
            self.count("alerts_evicted")
            self.count("flap_ended", alert.is_flapping)
            yield from self.tell_flapping_end(alert, "EVICT", now)
            yield from self.tell_clear(alert, now, "EVICT")

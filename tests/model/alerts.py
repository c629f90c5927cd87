"""Which events are one alert, and what rules are told of it: docs/correlation.md, section 2."""
import copy
import dataclasses
import itertools

from records import NEVER, Event
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
    opener: str = "event"
    is_cleared: bool = False  # its alert has been, since
    is_counted: bool = False  # in the ledger, with an incident
    serial: int = dataclasses.field(default_factory=itertools.count().__next__)

    def __post_init__(self):
        self.ts = self.event and self.event.ts
        self.raises = self.kind not in ("CLEAR", "EVICT")


class Alert:
    is_open = is_flapping = False
    is_given_up = False    # the key of the incident that it is was evicted
    is_stale = False       # rules were switched since its routes were made
    last = NEVER
    problem = None         # the last problem event that was not a repeat
    told = None            # the one that the rules were told last; None: told closed
    changes = []           # their times, newest last
    routes = flap_routes = []  # (place, key values): what the rules were told, and those of flapping alerts

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
        """The rows of the table."""
        identity, is_problem = event.identity(), event.is_problem
        is_new = identity not in self.table
        if is_new and not is_problem:
            return self.counted([])
        alert = self.table.setdefault(identity, Alert(identity))
        self.count("alerts_opened", is_new)
        self.count("alerts_refired", is_problem and not is_new and not alert.is_open)
        alert.last = event.et
        alert.is_given_up |= event.of_incident == "given up"
        if is_problem != alert.is_open:
            return self.change(alert, event)
        if not is_problem:
            return self.counted([], "duplicate")
        if event.attributes() == alert.problem.attributes():
            if alert.is_stale and not alert.is_flapping:
                return self.counted(self.tell(alert, event.et, repeated=event), "duplicate")
            if alert.is_flapping or not self.model.reads_volatile or (
                    self.match(event) == alert.routes and event.severity == alert.problem.severity):
                return self.repeats(alert, event)
        alert.problem = event
        return self.told_nothing() if alert.is_flapping else self.counted(self.tell(alert, event.et))

    def counted(self, touches, otherwise="unmatched"):
        self.count("routed" if touches else otherwise)
        return touches

    def told_nothing(self):
        self.count("flap_folded")
        return self.counted([], "duplicate")

    def change(self, alert, event):
        """An open alert closes or a closed one opens."""
        self.count("alerts_cleared", alert.is_open)
        alert.is_open, alert.problem = event.is_problem, event if event.is_problem else alert.problem
        alert.changes = (alert.changes + [event.et])[-self.config["flap_start"]:]
        if alert.is_flapping:
            return self.told_nothing()
        touches = self.counted(self.tell(alert, event.et))
        if sum(at > event.et - self.config["flap_window_ms"] for at in alert.changes) >= self.config["flap_start"]:
            alert.is_flapping = True
            self.count("flap_begun")
            words = copy.copy(alert.problem)
            words.et, words.position = event.et, event.position  # it opens what opens; `age` is that at the change
            alert.flap_routes = self.match(words, ("flapping",))
            touches += [Touch("RAISE", *route, alert.identity, words, event.et) for route in alert.flap_routes]
        return touches

    def repeats(self, alert, event):
        routes = list(filter(self.repeat, alert.routes))
        if alert.is_flapping and alert.told and event.attributes() != alert.told.attributes():
            routes = []  # of what the rules were not told
        event.goes_nowhere = not routes and not alert.is_flapping and not self.model.reads_volatile
        return self.counted([Touch("REPEAT", *route, alert.identity, event, event.et) for route in routes], "duplicate")

    def repeat(self, route):
        return "REPEAT" if self.model.rules[route[0]].on == "events" else None

    def tell(self, alert, now, opener="event", gone="CLEAR", repeated=None):
        """Rules are told of the alert as it is now: touches of routes that are gone, new, or hold still."""
        event = repeated or alert.problem
        old, routes = alert.routes, self.match(event) if alert.is_open else []
        alert.routes, alert.told, alert.is_stale = routes, alert.problem if alert.is_open else None, False
        kinds = [(gone, route) for route in old if route not in routes]
        kinds += [("RAISE", route) for route in routes if route not in old]
        kinds += [(self.repeat(route) or not repeated and "CHANGE", route) for route in routes if route in old]
        return [Touch(kind, *route, alert.identity, event, now, opener) for kind, route in kinds if kind]

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
        if alert.last + self.config["expire_ms"] == now and not self.lasts(alert):
            self.count("alerts_expired", alert.is_open)
            return self.end(alert, now)
        was, is_now = (event and event.attributes() for event in (alert.told, alert.is_open and alert.problem or None))
        return self.end_flapping(alert, now) + (self.tell(alert, now, "timer") if was != is_now else [])

    def evict(self, now):
        self.settle(now)
        oldest = sorted(self.table.values(), key=lambda alert: (alert.last, alert.identity))
        for alert in oldest[:max(0, len(oldest) - self.config["alerts_max"])]:
            self.count("alerts_evicted")
            yield from self.end(alert, now, "EVICT")

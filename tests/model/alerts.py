"""Which events are one alert, and what rules are told of it: docs/correlation.md, section 2."""
import copy
import math

from events import NEVER


class Touch:
    """RAISE, MOVE, CHANGE, REPEAT, CLEAR or EVICT: what the rule of a place is told of an alert for a key; or
    BEAT, a sign of life. While the key watches, it is held as an entry, with the event of the last CHANGE."""
    is_cleared = False  # its alert has been, since
    fate = "pending"    # what it counts as; once correlated, expired, evicted or retired it stays so

    def __init__(self, kind, place, values, alert, event, time):
        self.kind, self.place, self.values, self.alert, self.event, self.time = kind, place, values, alert, event, time
        self.ts, self.raises = event and event.ts, kind not in ("CLEAR", "EVICT")

    def counts_as(self, fate):
        self.fate = fate if self.fate == "pending" else self.fate


class Alert:
    """What happens to it comes back as the touches that it makes."""
    # Given up: the key of the incident that it is was evicted. Stale: rules were switched since its routes were made.
    is_open = is_flapping = is_given_up = is_stale = False
    last = NEVER
    problem = told = None         # the last that was not a repeat; that which rules were told last, None: told closed
    changes = ()                  # their times, newest last
    routes = flap_routes = ()     # (place, key values): what the rules were told, and those of flapping alerts

    def __init__(self, model, identity):
        self.model, self.config, self.count, self.identity = model, model.config, model.count, identity

    def touches(self, kind, routes, event, now):
        return [Touch(kind, *route, self.identity, event, now) for route in routes]

    def event(self, event):
        touches, otherwise = self.row(event)
        self.count("routed" if touches else otherwise)
        return touches + self.begin_flapping(event)

    def row(self, event):
        """What the table says: the touches, and what the event counts as where there are none."""
        is_new, is_problem = self.last == NEVER, event.is_problem
        if is_new and not is_problem:
            return [], "unmatched"
        self.model.alerts[self.identity], self.last = self, event.et
        self.is_given_up |= event.of_incident == "given up"
        if is_problem != self.is_open:
            self.count("alerts_opened" if is_new else "alerts_refired" if is_problem else "alerts_cleared")
            self.is_open, self.changes = is_problem, [*self.changes, event.et][-self.config["flap_start"]:]
        elif not is_problem:
            return [], "duplicate"
        elif event.attributes() == self.problem.attributes():
            if self.is_stale and not self.is_flapping:
                return self.tell(event.et, repeated=event), "duplicate"
            if self.is_flapping or not self.model.reads_volatile or (
                    self.model.match(event) == self.routes and event.severity == self.problem.severity):
                return self.repeat(event), "duplicate"
        self.problem = event if is_problem else self.problem
        self.count("flap_folded", self.is_flapping)
        return ([], "duplicate") if self.is_flapping else (self.tell(event.et), "unmatched")

    def repeat(self, event):
        is_told = not self.is_flapping or not self.told or event.attributes() == self.told.attributes()
        routes = self.on_events(self.routes) if is_told else []
        event.goes_nowhere = not routes and not self.is_flapping and not self.model.reads_volatile
        return self.touches("REPEAT", routes, event, event.et)

    def on_events(self, routes):
        return [(place, values) for place, values in routes if self.model.rules[place].on == "events"]

    def begin_flapping(self, event):
        """Of a change that was one too many."""
        recent = [at for at in self.changes if at > event.et - self.config["flap_window_ms"]]
        if self.is_flapping or len(recent) < self.config["flap_start"]:
            return []
        self.is_flapping = True
        self.count("flap_begun")
        words = copy.copy(self.problem)
        words.et, words.place = event.et, event.place  # it opens what opens; `age` is that at the change
        self.flap_routes = self.model.match(words, ("flapping",))
        return self.touches("RAISE", self.flap_routes, words, event.et)

    def tell(self, now, gone="CLEAR", repeated=None):
        """Rules are told of the alert as it is now: touches of routes that are gone, new, or hold still."""
        event, old, self.is_stale = repeated or self.problem, self.routes, False
        self.routes, self.told = (self.model.match(event), self.problem) if self.is_open else ([], None)
        kept = [route for route in self.routes if route in old]
        changed = [] if repeated else [route for route in kept if route not in self.on_events(kept)]
        before, after = ({(self.model.rules[place].family, values): (place, values) for place, values in routes}
                         for routes in (old, self.routes))
        return (self.touches(gone, [route for key, route in before.items() if key not in after], event, now)
                + self.touches("RAISE", [route for key, route in after.items() if key not in before], event, now)
                + self.touches("MOVE", [after[key] for key in before if after.get(key) not in (None, *old)], event, now)
                + self.touches("REPEAT", self.on_events(kept), event, now)
                + self.touches("CHANGE", changed, event, now))

    def end(self, now, kind="CLEAR"):
        """The alert is over."""
        del self.model.alerts[self.identity]
        touches, self.is_open = self.end_flapping(now, kind), False
        return touches + self.tell(now, gone=kind)

    def end_flapping(self, now, kind="CLEAR"):
        self.count("flap_ended", self.is_flapping)
        routes, self.flap_routes, self.is_flapping = self.flap_routes, [], False
        return self.touches(kind, routes, None, now)

    def lasts(self):
        """Alerts that are incidents do not expire while these are open."""
        return self.identity[-1] is True and self.is_open and not self.is_given_up and self.model.composites

    def last_to(self, now):
        """Of one that lasts: at each `last` + expire that becomes its `last`."""
        if self.lasts():
            self.last += max(0, now - 1 - self.last) // self.config["expire_ms"] * self.config["expire_ms"]

    def expires_at(self):
        return self.last + self.config["expire_ms"]

    def timer_at(self):
        calm = self.is_flapping and self.changes[-1 - self.config["flap_stop"]] + self.config["flap_window_ms"]
        return min(calm or math.inf, math.inf if self.lasts() else self.expires_at())

    def timer(self, now):
        if now == self.expires_at() and not self.lasts():
            self.count("alerts_expired", self.is_open)
            self.model.touch_all(self.end(now))
        else:
            touches, problem = self.end_flapping(now), self.problem if self.is_open else None
            was, is_now = (event and event.attributes() for event in (self.told, problem))
            self.model.touch_all(touches + (self.tell(now) if was != is_now else []))

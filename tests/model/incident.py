"""An incident, open or closed: docs/correlation.md, section 3, "Open" and what follows it."""
import collections
import math

from aggregates import Counted
from log import hash_of
from values import SEVERITIES, Severity, checked, computed, is_true

TITLE_BYTES, WHY_BYTES = 255, 300


def cut(text, limit):
    """At most `limit` bytes of the text, whole characters."""
    return text.encode()[:limit].decode("utf-8", "ignore")


class Incident:
    """Also the world of `close`, and of the matchers of mutes."""
    is_lost = is_lost_now = False       # "no longer watched"; and its update is to come
    is_forgotten = False                # its key is gone
    is_told_on = False                  # to composite rules
    is_told = is_behind = False         # to sinks
    number, muting = 0, frozenset()     # of lines; (kind, id) of what mutes it

    def __init__(self, holder, entries, event, why, now, opener, bare):
        """`event` is None where none opened it; `bare` is first and severity of an incident without touches."""
        self.rule, self.count, self.key = holder.rule, holder.count, dict(zip(holder.rule.by, holder.values))
        self.tenant, self.key_text = self.key["tenant"], " ".join(f"{name}={text}" for name, text in self.key.items())
        self.id = hash_of(self.tenant, self.rule.id, self.key_text, opener,
                          event.position if opener == "event" else str(now))
        self.members = {entry.alert: not entry.is_cleared for entry in entries}  # alert -> is it open
        self.untracked_open = 1 if self.rule.expect else 0  # beyond max_members; what is missing counts as an alert
        self.alerts, self.events = len(self.members) + self.untracked_open, len(entries)
        self.first = min((entry.ts for entry in entries), default=bare[0])
        self.severity = max((entry.event.severity for entry in entries), default=SEVERITIES.index(bare[1]))
        self.opened = self.last_touch = self.looked = now
        self.joined = []  # times of RAISE, CHANGE and REPEAT since the opening
        self.heard = [event] if event else []  # the one that opened it, and those of these touches
        world = Counted(holder.counts, event or self.rule.key_event(holder.values, now))
        # Pieces of text, and expressions; what cannot be computed is nothing.
        self.title = cut("".join(part if isinstance(part, str) else computed(("string", part), world) or ""
                                 for part in self.rule.title), TITLE_BYTES)
        self.why = cut(why, WHY_BYTES)
        self.op_numbers = collections.Counter()
        self.roles = {}  # by inhibition: ((is target, is source), since when)
        self.count("correlated", sum(not entry.is_counted for entry in entries))
        self.count("opened")
        self.count("open")
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
        self.first, self.severity = min(self.first, touch.ts), max(self.severity, touch.event.severity)
        self.last_touch = self.looked = touch.time
        self.joined.append(touch.time)
        self.heard.append(touch.event)
        self.count("correlated")

    def leave(self, touch):
        """CLEAR, EVICT, or the BEAT that was missing; whether nothing is open now."""
        if self.members.get(touch.alert):
            self.members[touch.alert] = False
        elif touch.alert not in self.members and self.untracked_open > 0:
            self.untracked_open -= 1
        else:
            self.count("retired")
            return False
        self.events += 1
        self.count("correlated")
        if self.open_count() == 0 and touch.kind != "BEAT":
            self.last_touch = touch.time
        if touch.kind == "EVICT":
            self.is_lost_now |= not self.is_lost
            self.is_lost = True
        return self.cleared()

    def open_count(self):
        return sum(self.members.values()) + self.untracked_open

    # What `close` asks, and when it is asked by a timer.

    def may_close(self, now):
        self.now = now
        return is_true(self.rule.close, self)

    def cleared(self):
        return self.open_count() == 0 and not self.is_lost

    def quiet_from(self):
        """While an open alert still comes, for ever; what is missing does not."""
        return math.inf if self.open_count() > 0 and not self.rule.expect else self.last_touch

    def fewer_from(self, touches):
        return self.joined[-touches] if len(self.joined) >= touches else self.opened

    def quiet(self, ms):
        return self.now >= self.quiet_from() + ms

    def fewer(self, touches, ms):
        return self.now >= self.fewer_from(touches) + ms

    def last(self, tree):
        numbers = [computed(("double", tree), event) for event in self.heard]
        numbers = [number for number in numbers if number is not None]
        return checked(numbers, numbers)[-1]

    def quiet_ends(self):
        return [self.quiet_from() + ms for (ms,) in self.rule.quiets]

    def timer_at(self):
        due = self.quiet_ends() + [self.fewer_from(touches) + ms for touches, ms in self.rule.fewers]
        return min((at for at in due if at > self.looked), default=math.inf)

    # What matchers ask.

    def field(self, name):
        return {**self.key, "tenant": self.tenant, "rule": self.rule.id, "priority": self.rule.priority,
                "team": self.rule.team, "severity": Severity(self.logged_severity)}.get(name, "")

    def has(self, name):
        return self.field(name) != ""

"""Random silences, maintenance windows and inhibitions, and the matchers they are made of."""
import calendars
import impossible
from generate_trees import among, compare, is_text
from generate_world import ZONES, World


class Mutes(World):
    def matcher(self, depth=0):
        tree = self.any_matcher(depth)
        while impossible.is_impossible(tree):
            tree = self.any_matcher(depth)
        return tree

    def any_matcher(self, depth):
        r = self.random
        simple = [is_text("==", "rule", r.choice(["a", "ab", "b", "zz"])), is_text("!=", "rule", "a"),
                  ["has", "tenant"], compare("<", "severity", "severity", r.choice(["minor", "critical"])),
                  among("rule", r.sample(["a", "ab", "b", "r-1", "r-10", "zz"], 3)),
                  is_text("startsWith", "rule", "r-"), is_text("==", "tenant", self.tenants[0]),
                  compare(r.choice([">=", "<", "=="]), "severity", "severity", r.choice(["info", "warning", "major"])),
                  is_text("==", "host", "h1"), ["has", "host"], is_text("==", "labels.rack", r.choice(["r1", ""])),
                  is_text("==", "team", r.choice(["net", ""])), among("priority", ["P1", "P3"]),
                  is_text("startsWith", "check", "c")]
        if depth < 2 and self.chance(0.3):
            op = r.choice(["and", "or", "not"])
            return [op] + [self.matcher(depth + 1) for _ in range(1 if op == "not" else 2)]
        return r.choice(simple)

    def window_times(self):
        """A time from which on something mutes, and how long."""
        r = self.random
        at = self.start + self.on_grid(r.choice([r.randint(-2000, 15000), r.randint(0, 4000)])) + r.choice([0, 0, 0, 1])
        return at, r.choice([100, 400, 1000, 3000, 10000, 3600000, 86400000])

    def maintenance(self, name):
        r = self.random
        at, duration = self.window_times()
        window = {"id": name, "where": self.matcher()}
        kind = r.random()
        if kind < 0.25:
            window["timezone"] = r.choice(ZONES)
            interval = {"times": [r.choice([["00:00", "24:00"], ["00:00", "12:00"],
                                            ["12:00", "24:00"], ["22:00", "22:15"]])]}
            if self.chance(0.5):
                interval["weekdays"] = [r.choice(["monday:friday", "tuesday", "sunday"])]
            if self.chance(0.3):
                interval["days_of_month"] = [r.choice(["1:15", "-20:-10"])]
            window["time_intervals"] = [interval]
            return window
        zone = r.choice(ZONES)
        local = calendars.local_at(at, zone)
        window.update(timezone=zone, start=local.isoformat(), duration_ms=duration)
        if kind < 0.85:
            seconds = sorted(r.sample(range(60), r.randint(1, 20)))
            window["rrule"] = "FREQ=" + r.choice(["DAILY", "WEEKLY", "MONTHLY"])
            if self.chance(0.7):
                window["rrule"] += ";BYSECOND=" + ",".join(map(str, seconds))
            if self.chance(0.2):
                window["rrule"] += f";COUNT={r.randint(1, 9)}"
            elif self.chance(0.1):
                window["except"] = [local.date().isoformat()]
        return window

    def mutes(self):
        r = self.random
        if self.chance(0.25):
            return {}
        silences, windows, inhibits = [], [], []
        for name in r.sample(["s", "s-1", "s.2"], r.choice([0, 1, 1, 2, 3])):
            at, length = self.window_times()
            silences.append({"id": name, "where": self.matcher(), "to": at + length})
            if self.chance(0.8):
                silences[-1]["from"] = at
        for name in r.sample(["w", "w2"], r.choice([0, 0, 1, 2])):
            windows.append(self.maintenance(name))
        for name in r.sample(["i", "i2", "i3", "s"], r.choice([0, 0, 1, 1, 2, 3])):
            equal = r.sample(["host", "labels.rack", "rule", "check", "team", "tenant"],
                             r.choice([0, 0, 1, 1, 2]))
            inhibits.append({"id": name, "source": self.matcher(), "target": self.matcher(),
                             "equal": equal})
        return {"silences": silences, "maintenance": windows, "inhibit": inhibits}

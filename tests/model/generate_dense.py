"""Random recordings whose windows hold 17 to 200 entries, for what the engine keeps of large windows instead of looking
through them: entries that come, are pushed out, slide out, change in place and leave from the middle.

A rule opens when a rare value comes or a number crosses a limit near those it takes, and its title tells every aggregate:
one wrong look shows there."""
from generate_recording import Recording
from generate_trees import COUNT, at_least, distinct

RARE = 1e20  # fits into sums, which end at 2 to the 68th
VALUES = [1.0, 2.5, 2.5, 4.0, -3.0, 0.1, 17.0, 33.333, 1e15 / 3, 1e-9]
UNFIT = [1e300, 2.0 ** 68, -1e25]


class Dense(Recording):
    composites = False
    changes = 0.3

    def config(self):
        self.tight = self.flappy = False
        self.window = self.random.choice([1000, 3000, 10000])
        self.tenants = ["acme"]
        self.expire = self.random.choice([3000, 300000, 300000])
        self.forms["dense"] += 1
        return dict(super().config(), flap_start=6 if self.chance(0.1) else 1000)

    def topics(self):
        return [dict(topic, disorder_ms=self.random.choice([0, 50])) for topic in super().topics()[:1]]

    def step(self, config):
        """Nearly all in one or two windows' time."""
        return self.on_grid(self.random.choice([0, 1, 10, 20, 50, 100])) if self.chance(0.99) else self.window

    def record_count(self):
        return self.random.choice([60, 120, 200, 300])

    def alerts(self):
        r = self.random
        pool = super().alerts() + super().alerts()
        for _ in range(r.choice([0, 10, 40, 80])):
            alert = dict(r.choice(pool), check=f"c{r.randint(1, 200)}")
            alert.pop("dedup_key", None)
            self.new_attributes(alert)
            pool.append(alert)
        return pool

    def event(self, pool, state_of):
        event = super().event(pool, state_of)
        r = self.random
        if self.chance(0.85):
            event["value"] = r.choice(VALUES + UNFIT + [RARE] + [r.randint(-5, 5) * 0.5] * 90)
        return event

    def rules(self):
        r = self.random
        self.unstable = self.chance(0.5)
        return [self.dense_rule(name) for name in r.sample(["a", "ab", "b"], r.choice([1, 1, 2]))]

    def dense_rule(self, name):
        r = self.random
        size = r.choice([18, 25, 25, 40, 80])
        rule = {"id": name, "where": self.where() if self.chance(0.15) else ["has", "resource"], "priority": "P2",
                "by": r.choice([["tenant"]] * 4 + [["tenant", "host"]]), "window_ms": self.window * r.choice([1, 1, 3]),
                "max_members": r.choice([size, size, 2 * size, 200])}
        if self.chance(0.65):
            rule["on"] = "events"
        kind = r.choice(["sliding", "sliding", "sliding", "session", "tumbling", "open", "open"])
        if kind != "sliding":
            rule["window"] = kind
        if kind == "session":
            rule["window_ms"], rule["session_max_ms"] = 1000, 10000
        if kind == "open":
            del rule["window_ms"]
            rule.pop("on", None)
            if self.chance(0.2):
                rule["for_ms"] = r.choice([10, 100])
        aggregates = [self.number() for _ in range(r.choice([1, 2, 4]))]
        aggregates += [distinct(r.choice(["check", "resource", "severity", "message", "labels.rack"]))] * r.choice([0, 1])
        rare = [">=", ["aggregate", "last(value)", "last", ["field", "value"]], ["const", "real", RARE]]
        limits = [["and", at_least(COUNT, r.choice([17, size * 3 // 4, size])), self.limit(aggregate)]
                  for aggregate in aggregates]
        rule["when"] = ["and", at_least(COUNT, r.choice([1, 17, 17, 17])), ["or", rare, *limits]]
        rule["title"] = [part for aggregate in [COUNT, *aggregates] for part in (" ", aggregate)]
        # At once, or nearly so: what is open does not count.
        rule["close"] = r.choice([["fewer", 1000, 1], ["fewer", 1000, 10], ["or", ["fewer", 3, 100], ["cleared"]],
                                  ["<", ["last", ["field", "value"]], ["const", "real", 1e10]]])
        return rule

    def limit(self, aggregate):
        """One that is seldom reached, or never: a title tells what `when` names."""
        far = {"sum": [(">", 30.0), (">", 80.0), ("<", -20.0)], "avg": [(">", 1.0), ("<", -1.0)], "min": [("<", -2.5)],
               "max": [(">", 30.0)], "stddev": [(">", 9.0)], "rate": [(">", 50.0), (">", 500.0)], "first": [(">", 4.0)],
               "last": [(">", 4.0)], "quantile": [(">", 2.0), ("<", -2.0)], "distinct": [(">=", 2.0), (">", 3.5)]}
        relation, number = self.random.choice(far[aggregate[2]] + [(">", 1e9)] * (aggregate[2] != "distinct"))
        return [relation, aggregate, ["const", "real", number]]


class Loud(Dense):
    """Rules that ask for about as many different values as their windows hold, and few values that come often."""
    changes = 0.1

    def event(self, pool, state_of):
        event = super().event(pool, state_of)
        event["state"] = "problem" if self.chance(0.9) else "clear"
        event["message"] = f"m{int(self.spread * self.random.random() ** self.skew)}"
        return event

    def rules(self):
        self.forms["loud"] += 1
        self.spread, self.skew = self.random.choice([3, 5, 8, 30]), self.random.choice([2, 5, 5, 10])
        return super().rules()

    def dense_rule(self, name):
        r = self.random
        rule = dict(super().dense_rule(name), by=["tenant"], on="events")
        values = distinct(r.choice(["message", "message", "message", "check"]))
        many = r.choice([3, 3, 4, 5, 6, 9, 17, 20])
        rule["max_members"] = many + r.choice([0, 0, 1, 2, 15])
        asks, count = at_least(values, many), at_least(COUNT, r.randint(1, rule["max_members"]))
        rule["when"] = r.choice([["and", count, asks], ["and", at_least(COUNT, 1), asks]])
        rule["title"] = [" ", COUNT, " ", values]
        if self.chance(0.3) and rule.get("window") in ("session", "tumbling"):
            rule["look"] = "end"
        return rule

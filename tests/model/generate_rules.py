"""Random rules of every form."""
from generate_conditions import Conditions
from generate_trees import COUNT, aggregates_of, at_least, compare, distinct, is_text, parts_of, reachable, rule_by


class Rules(Conditions):
    composites = True

    def rules(self):
        r = self.random
        self.unstable = self.chance(0.3)
        rules = []
        for name in r.sample(["a", "ab", "b", "r-1", "r-10", "zz"], r.choice([1, 2, 2, 3, 5])):
            by = r.sample(["host", "resource", "check", "source", "labels.rack"], r.choice([0, 1, 1, 2]))
            rule = {"id": name, "where": self.where(), "window_ms": self.window, "when": self.when(by),
                    "by": ["tenant"] + by if not by or self.chance(0.5) else by, "close": self.close()}
            if self.chance(0.3):
                rule["on"] = "events"
            elif self.chance(0.2 if self.flappy else 0.02):
                rule["on"] = "flapping"
            if name in ("a", "zz"):
                rule["team"] = "net"
            if self.chance(0.8):
                rule["priority"] = r.choice(["P1", "P2", "P3", "P4", "P5"])
            titles = ["{host}: {check}", "fault on {resource}", "plain", "{check} {message}", "{" + rule_by(rule)[-1] + "} is ill"]
            aggregates = aggregates_of(rule["when"])
            if self.chance(0.13):
                self.make_expect(rule)
            elif self.chance(0.25):
                self.make_steps(rule)
            elif self.chance(0.15):
                self.make_baseline(rule)
                aggregates = aggregates_of(rule["when"])
                titles.append([r.choice(aggregates), " is unusual"])
            else:
                self.other_window(rule)
                if self.chance(0.1):
                    self.make_values(rule)
                    aggregates = aggregates_of(rule["when"])
                chosen = r.choice(aggregates)
                titles.append([chosen, " seen"])
            rule["title"] = parts_of(r.choice(titles))
            if self.chance(0.15):
                self.forms["computed title"] += 1
                counted = [a for a in aggregates if a[2] in ("count", "distinct")]
                rule["title"] = self.title(counted if "when" in rule else [])
            if "expect" in rule:  # no event opens it
                rule["title"] = parts_of("{" + rule_by(rule)[-1] + "} is silent")
            if "when" in rule and self.chance(0.15):
                self.forms["variables"] += 1
                rule["vars"] = True
            if "max_members" not in rule and (self.tight or self.chance(0.2)):
                rule["max_members"] = r.choice([5, 9, 40] if self.big else [2, 3, 4])
                if "when" in rule:
                    rule["when"] = reachable(rule["when"], rule["max_members"])
            if self.tight or self.chance(0.1):
                rule["max_keys"] = max(r.choice([3, 10, 30] if self.big else [1, 2, 2, 3]),
                                       len(rule.get("expect", {}).get("keys", [])))
            rules.append(rule)
        for rule in sorted(rules, key=lambda rule: rule["id"])[1:]:
            if self.composites and self.chance(0.12) and "expect" not in rule and "baseline" not in rule:
                self.make_composite(rule, sorted(other["id"] for other in rules if other["id"] < rule["id"]))
        return rules

    def make_values(self, rule):
        """It asks for about as many different values as a window may hold."""
        r = self.random
        self.forms["values"] += 1
        if self.chance(0.7):  # nearly all comes to one key, and stays
            rule["by"], rule["where"] = ["tenant"], ["has", "resource"]
            if "window" not in rule:
                rule["window_ms"] = self.window * r.choice([1, 10, 100])
        fields = ["check", "check", "resource", "source", "message", "labels.rack"]
        values = distinct(r.choice([field for field in fields if field not in rule["by"]]))
        many = r.choice([2, 3, 3, 4, 5, 6])
        rule["max_members"] = many + r.choice([0, 0, 0, 1, 2])
        asks = at_least(values, many)
        rule["when"] = r.choice([asks, asks, ["and", asks, at_least(COUNT, r.randint(1, rule["max_members"]))],
                                 ["or", asks, at_least(COUNT, rule["max_members"])],
                                 ["and", asks, at_least(distinct("severity"), 1)]])
        if self.chance(0.6):
            rule["on"] = "events"

    def make_composite(self, rule, others):
        """Over incidents of rules that stand before it by id, so that no circle is made."""
        r = self.random
        self.forms["composite"] += 1
        rule["on"], rule["of"] = "incidents", r.sample(others, r.randint(1, len(others)))
        rule.pop("vars", None)
        if self.chance(0.5):
            rule["by"] = ["tenant"]
        conditions = [["has", "labels.rack"], is_text("==", "check", rule["of"][0]),
                      is_text("==", "source", "tocsin"), compare(">=", "severity", "severity", "warning"),
                      ["matches", ["field", "resource"], "tenant=[ab]"], is_text(">=", "check", "")]
        if "steps" in rule:
            for step in rule["steps"]:
                step["where"] = r.choice(conditions[:2] + [is_text("==", "check", r.choice(rule["of"]))] * 2)
            rule["own_where"] = r.choice(conditions[3:]) if rule.get("strict") else None
            return
        rule["where"] = r.choice(conditions + [None] * 3)
        if self.chance(0.6):
            high = rule.get("max_members", 3)
            rule["when"] = r.choice([at_least(COUNT, 1), at_least(COUNT, min(2, high)), at_least(distinct("check"), 1),
                                     at_least(distinct("check"), min(2, high, len(rule["of"])))])
            rule["title"] = parts_of("{check}: {message} of {resource}") + [r.choice([" ", COUNT])] if (
                rule["when"][1] == COUNT) else parts_of("{check}: {message} of {resource}")

    def make_expect(self, rule):
        """In place of the window: a sign of life every so often."""
        r = self.random
        for name in ("when", "window_ms", "on"):
            rule.pop(name, None)
        rule["window_ms"], rule["close"] = 0, self.close(hears=False)
        rule["expect"] = {"every_ms": r.choice([200, 1000, 3000, 30000])}
        if self.chance(0.5):
            self.forms["listed keys"] += 1
            rule["expect"]["keys"] = self.listed_keys(rule_by(rule))
        if self.chance(0.5):
            rule["expect"]["severity"] = r.choice(["info", "minor", "critical"])

    def make_baseline(self, rule):
        """A window that is compared with those of earlier seasons."""
        r = self.random
        self.forms["baseline"] += 1
        length, slots = r.choice([1000, 1000, 2000]), r.choice([1, 1, 2, 3])
        rule.update(window="tumbling", window_ms=length, baseline={"season_ms": length * slots})
        if self.chance(0.8):
            rule["baseline"]["learn"] = r.choice([2, 2, 3, 4])
        if self.chance(0.6):
            rule["baseline"]["forget_ms"] = length * slots * r.choice([1, 3, 10, 10])
        if self.chance(0.5) and rule.get("on") != "flapping":
            rule["on"] = "events"
        unusual = [self.deviation(), self.deviation()]
        rule["when"] = r.choice([unusual[0], unusual[0], ["or", *unusual], ["and", *unusual], ["not", unusual[0]],
                                 ["or", unusual[0], at_least(COUNT, 3)], ["and", unusual[0], self.number_comparison()],
                                 ["or", at_least(distinct("message"), 2), unusual[0]],
                                 [">", ["+", unusual[0][1], COUNT], ["const", "real", 2.5]],
                                 ["?:", at_least(COUNT, 2), *unusual]])

    def deviation(self):
        r = self.random
        of = r.choice([COUNT, COUNT, distinct(r.choice(["check", "resource", "message"])), self.number(), self.number()])
        return [r.choice([">", ">=", "<", "<=", ">", ">"]), ["aggregate", f"deviation({of[1]})", "deviation", of],
                r.choice([["const", "real", r.choice([0.5, 1.5, 2.5])], ["const", "int", r.choice([0, 1, 2])],
                          ["const", "real", -0.5]])]

    def listed_keys(self, by):
        r = self.random
        words = {"tenant": self.tenants + self.tenants + ["default"], "host": ["h1", "h2", "h3"], "resource": ["h1", "h2", "h1/sda"],
                 "check": ["c1", "c2", "d1", "\u00fc\"1"], "source": ["s1", "s2"], "labels.rack": ["r1", "r2", "r3"]}
        by = sorted(by, key=lambda name: name != "tenant")
        keys = [[r.choice(words[name]) for name in by] for _ in range(r.choice([1, 2, 3]))]
        return [key for i, key in enumerate(keys) if key not in keys[:i]]

    def title(self, aggregates):
        """Pieces of text and expressions, some of them over what `when` counts."""
        r = self.random
        parts = []
        for _ in range(r.randint(1, 3)):
            make = self.expressions(ages=False)  # an age is that at the opening
            tree = make.one_of(lambda: make.text(2), lambda: make.number(2), lambda: make.real(2),
                               lambda: make.truth(1))
            if aggregates and self.chance(0.5):
                tree = [r.choice("+*/%"), r.choice(aggregates), make.number(1)]
            parts += [r.choice(["of ", " {} ", "}{", ": "]), tree]
        return parts

    def make_steps(self, rule):
        """In place of the window: a sequence, or conditions in any order."""
        r = self.random
        own = rule.pop("where")
        del rule["when"]
        rule["in_order"] = self.chance(0.7)
        count = r.choice([2, 2, 2, 3, 3, 4, 8])
        rule["steps"] = [{"where": self.where(1), "name": f"s{n}" if self.chance(0.5) else f"step {n + 1}"}
                         for n in range(count)]
        rule["window_ms"] = r.choice([self.window, 3000, 10000])
        if rule["in_order"]:
            for step in rule["steps"][1:]:
                if self.chance(0.5 if step is rule["steps"][-1] else 0.3):
                    step["not"] = True
            rule["strict"], rule["to_next"] = self.chance(0.2), self.chance(0.5)
        rule["own_where"] = own if rule.get("strict") or self.chance(0.3) else None

    def other_window(self, rule):
        """A window that does not slide, for five rules of ten."""
        r = self.random
        kind = r.choice(["sliding"] * 5 + ["tumbling", "session", "open", "open", "open"])
        if kind == "sliding":
            return
        rule["window"] = kind
        if kind == "open":
            del rule["window_ms"]
            if self.chance(0.7):
                rule["for_ms"] = r.choice([100, 300, 1000])
            return
        if kind == "session":
            rule["window_ms"] = r.choice([100, 300, 1000])
            rule["session_max_ms"] = rule["window_ms"] * r.choice([1, 2, 3, 10])
        if self.chance(0.5):
            rule["look"] = "end"

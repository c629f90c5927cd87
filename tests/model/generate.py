"""Small random scenarios that press on the edges: equal times, disorder, late records, seals,
tight bounds, timers that meet events. One number makes one scenario.

    generate.py SEED FOLDER      writes scenario.json, rules.yaml and log.tlog
    generate.py SEED FOLDER big  the same, with hundreds of alerts and events
    generate.py SEED FOLDER live a script on virtual time (live_runner.c) instead of a recording
"""
import collections
import datetime
import json
import math
import random
import re
import sys

import calendars
import generate_expression
import impossible
import model
from forms import RELATIONS
from write import payload_of, time_text, write

LIVE_START = 1_000_000_000_000  # where the clock of live_runner.c begins: BENCH_T0
START = 1_700_000_000_000  # a multiple of every round length below


EXTRACTS = [r"(?P<rack>r[0-9])", r"^(?P<word>[a-z]+)(?P<n>\d)?", "(?P<rack>x|y)", "(?P<rack>.*?)1", "(?P<word>c|c1)(?P<n>1?)",
            r"(?i)(?P<word>FAULT) (?P<host>.)", "(?P<ms>[0-9.]+)|(?P<word>debug|fast|INFO)", "(?P<n>a*)", "^$(?P<rack>)",
            "(?P<word>minor|Error|[a-z]{4,})$"]


class Generator:
    start = START
    composites = True
    computes = True  # in `when`; some of it is impossible, and refused

    def __init__(self, seed, big=False):
        self.random = random.Random(seed)
        self.big = big
        r = self.random
        self.forms = collections.Counter()
        self.tight = r.random() < 0.45
        self.flappy = r.random() < 0.42
        self.tenants = r.choice([["acme"], ["acme"], ["acme", "blue"]])
        self.window = r.choice([100, 500, 1000, 3000])
        self.expire = r.choice([3000, 30000, 300000] if big else
                               [400, 400, 1000, 1000, 3000, 3000, 300000, 300000, 2592000000])
        self.grid = r.choice([1, 50, 100, 100, 200])

    def chance(self, share):
        return self.random.random() < share

    # ---- settings ----

    def config(self):
        r = self.random
        start = r.choice([2, 3, 4, 6])
        return {
            "round_ms": r.choice([200, 200, 200, 400, 1000]),
            "past_ms": r.choice([86400000, 86400000, 2000]),
            "future_ms": r.choice([1000, 100]), "behind_ms": r.choice([5000, 300]),
            "alerts_max": r.choice([50, 90] if self.big else [2, 4])
                          if self.tight and self.chance(0.7) else 1000,
            "expire_ms": self.expire, "flap_window_ms": r.choice([300, 1000, 3000]),
            "flap_start": start if self.flappy or self.chance(0.3) else 6,
            "flap_stop": r.randrange(start),
        }

    def topics(self):
        r = self.random
        return [{"topic": name, "disorder_ms": r.choice([0, 50, 500, 500]),
                 "log_append_time": self.chance(0.25), "tenant": r.choice(self.tenants),
                 "tenant_fixed": self.chance(0.1)}
                for name in r.sample(["a", "a.b", "raw", "zeta"], r.choice([1, 1, 2, 3]))]

    def sinks(self):
        sinks = [{"name": "page"}, {"name": "hook", "priority": self.random.choice(["P1", "P2", "P3"])},
                 {"name": "all of it"}]
        return self.random.sample(sinks, self.random.choice([1, 1, 2, 3]))

    # ---- rules ----

    def expressions(self, ages=True):
        return generate_expression.Expressions(self.random, self.unstable, ages)

    def where(self, depth=0):
        """Rules that no event can match are refused."""
        tree = self.any_where(depth)
        while impossible.is_impossible(tree):
            tree = self.any_where(depth)
        return tree

    def any_where(self, depth):
        r = self.random
        if self.chance(0.2):
            self.forms["expression"] += 1
            tree = self.expressions().truth(r.choice([0, 1, 2, 3]))
            # Most are false of most events: a rule should see some.
            return r.choice([tree, ["or", tree, is_text("==", "check", "c1")], ["not", tree]])
        simple = [compare(">=", "severity", "severity", r.choice(["debug", "warning", "major", "critical"])),
                  is_text(">=", "check", ""), is_text(">=", "check", ""),
                  is_text("==", "check", r.choice("cde") + "1"), is_text("startsWith", "check", r.choice("cd")),
                  is_text("!=", "source", "s2"), is_text("==", "labels.rack", r.choice(["r1", "r2"])),
                  ["has", "labels.rack"], is_text("==", "host", "h1")]
        if self.unstable:
            simple += [compare(">", "value", "real", 2.5), is_text("contains", "message", "x"),
                       compare("<=", "age", "duration", 100)] * 2
        if depth < 2 and self.chance(0.3):
            op = r.choice(["and", "or", "not"])
            return [op] + [self.where(depth + 1) for _ in range(1 if op == "not" else 2)]
        return r.choice(simple)

    def when(self):
        r = self.random
        high = 2 if self.tight and self.chance(0.5) else 15 if self.big else 4
        count = at_least(COUNT, r.randint(1, high), r.choice([">=", ">=", ">"]))
        field = r.choice(["check", "check", "resource", "source", "host", "labels.rack", "severity",
                          "message"])
        different = at_least(distinct(field), r.randint(1, 3))
        other = at_least(distinct(r.choice(["check", "source", "message"])), r.randint(1, 2))
        if self.chance(0.2):
            return self.computed_when(count, different)
        if self.chance(0.3):
            number = self.number_comparison()
            return r.choice([number, number, ["and", count, number], ["or", number, different],
                             ["and", number, self.number_comparison()]])
        return r.choice([count, count, different, ["and", count, different], ["or", count, different],
                         [r.choice(["and", "or"]), different, other],
                         ["or", ["and", count, different], at_least(COUNT, high + 2)]])

    def computed_when(self, count, different):
        """Conditions that compute with what they count."""
        r = self.random
        self.forms["computed when"] += 1
        several = at_least(different[1], r.randint(2, 3))
        fewer = [r.choice(["<", "<="]), r.choice([COUNT, different[1]]), ["const", "int", r.randint(2, 4)]]
        whole = [r.choice([COUNT, different[1]]), ["const", "int", r.randint(1, 3)]]
        r.shuffle(whole)
        number = r.choice([self.number(), COUNT, different[1]])
        computed = r.choice([
            [r.choice(["+", "-", "*", "%", "/"]), *whole],
            [r.choice(["+", "-", "*", "/"]), self.number(), r.choice([COUNT, self.number(), ["const", "real", 1.5]])],
            ["?:", fewer, COUNT, ["-", different[1], COUNT]]])
        relation = r.choice([">", ">=", "<", "<=", "==", "!="])
        possible = [
            ["not", ["<", fewer[1], ["const", "int", 2]]], ["or", ["not", several], self.number_comparison()],
            ["?:", fewer, self.number_comparison(), r.choice([count, different])], ["not", ["and", fewer, several]],
            ["or", fewer, ["not", ["or", count, self.number_comparison()]]],
            [RELATIONS[count[0]][1], count[2], count[1]]]
        return r.choice(possible if not self.computes else possible + [
            [relation, computed, r.choice([["const", "int", 1], ["const", "real", 2.5], number])],
            [relation, computed, number], ["or", [">=", COUNT, ["const", "real", 1.5]], ["==", *whole]]])

    def number_comparison(self):
        r = self.random
        number = self.number()
        return [r.choice([">", ">=", "<", "<="]), number, ["const", "real", r.choice(
            [0.5, 1.0, 2.5, 3.0, 10.0] if number[2] != "stddev" else [0.0, 0.5, 1.5])]]

    def number(self):
        r = self.random
        kind = r.choice(["sum", "avg", "min", "max", "stddev", "rate", "first", "last", "quantile"])
        of = r.choice(["value", "value", "labels.ms"])
        share = [r.choice([0.05, 0.5, 0.5, 0.95])] if kind == "quantile" else []
        return ["aggregate", f"{kind}({', '.join(map(str, [of] + share))})", kind, ["field", of]] + share

    def close(self):
        r = self.random
        quiet = ["quiet", r.choice([100, 300, 1000, 2000])]
        cleared = ["cleared"]
        if self.chance(0.25):
            fewer = ["fewer", r.randint(1, 4), r.choice([100, 300, 1000, 3000])]
            relation, of = r.choice(["<", "<="]), r.choice(["value", "labels.ms"])
            last = [relation, ["last", ["field", of]], ["const", "real", r.choice([0.5, 2.5, 4.0])]]
            return r.choice([fewer, ["or", fewer, cleared], ["and", fewer, quiet], last,
                             ["or", last, quiet], ["and", last, fewer], ["and", last, cleared]])
        return r.choice([quiet, cleared, ["or", quiet, cleared], ["or", quiet, cleared],
                         ["and", quiet, cleared], ["or", ["and", quiet, cleared], ["quiet", 4000]]])

    def rules(self):
        r = self.random
        self.unstable = self.chance(0.3)
        rules = []
        for name in r.sample(["a", "ab", "b", "r-1", "r-10", "zz"], r.choice([1, 2, 2, 3, 5])):
            by = r.sample(["host", "resource", "check", "source", "labels.rack"], r.choice([0, 1, 1, 2]))
            rule = {"id": name, "where": self.where(), "window_ms": self.window, "when": self.when(),
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
            if self.tight or self.chance(0.2):
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
                                     at_least(distinct("check"), min(2, high))])
            rule["title"] = parts_of("{check}: {message} of {resource}") + [r.choice([" ", COUNT])] if (
                rule["when"][1] == COUNT) else parts_of("{check}: {message} of {resource}")

    def make_expect(self, rule):
        """In place of the window: a sign of life every so often."""
        r = self.random
        for name in ("when", "window_ms", "on"):
            rule.pop(name, None)
        rule["window_ms"] = 0
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
                                 ["or", at_least(distinct("check"), 2), unusual[0]],
                                 [">", ["+", unusual[0][1], COUNT], ["const", "real", 2.5]],
                                 ["?:", at_least(COUNT, 2), *unusual]])

    def deviation(self):
        r = self.random
        of = r.choice([COUNT, COUNT, distinct(r.choice(["check", "resource", "message"])), self.number(), self.number()])
        return [r.choice([">", ">=", "<", "<=", ">", ">"]), ["aggregate", f"deviation({of[1]})", "deviation", of],
                r.choice([["const", "real", r.choice([0.5, 1.5, 2.5])], ["const", "int", r.choice([0, 1, 2])],
                          ["neg", ["const", "real", 0.5]]])]

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

    # ---- enrich ----

    def enrich(self):
        r = self.random
        if self.chance(0.7):
            return []
        self.forms["enrich"] += 1
        steps = []
        for name in r.sample(["e1", "e2", "e3", "e4"], r.choice([1, 1, 2, 4])):
            step = {"id": name}
            is_drop = self.chance(0.2)
            if is_drop or self.chance(0.6):
                step["where"] = self.where(1)
            steps.append(step)
            if is_drop:
                step["drop"] = True
                continue
            make = self.expressions()
            texts = [["field", name] for name in ("check", "resource", "host", "labels.rack", "labels.ms")]
            texts += [["field", "message"]] * 2 if self.unstable else []
            if self.chance(0.5):
                step["extract"] = [[r.choice(texts + [make.text(1)]), r.choice(EXTRACTS)]
                                   for _ in range(r.choice([1, 1, 2]))]
            words = ["?:", make.truth(1), ["const", "text", r.choice(["P1", "Not_Classified", "up"])], r.choice(texts)]
            values = {"severity": lambda: r.choice([
                          ["?:", make.truth(1), ["const", "severity", "critical"], ["field", "severity"]],
                          ["severity_of", r.choice(texts + [["field", "labels.word"], words])], ["const", "severity", "info"]]),
                      "value": lambda: make.one_of(lambda: make.real(1), lambda: make.number(1),
                                                   lambda: ["double", ["field", "labels.n"]])}
            names = r.sample(["severity", "value", "message", "labels.rack", "labels.rack", "host", "labels.ms",
                              "labels.new"], r.randint(0 if "extract" in step else 1, 3))
            step["set"] = [[name, values.get(name, lambda: make.one_of(
                lambda: make.text(2), lambda: make.number(1), lambda: make.truth(1), make.word))()]
                for name in dict.fromkeys(names)]
            if self.chance(0.3):
                step["remove"] = r.sample(["labels.rack", "host", "labels.new", "labels.word"], r.randint(1, 2))
        return steps

    # ---- mutes ----

    def matcher(self, depth=0):
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
            window["timezone"] = r.choice(calendars.ZONES)
            interval = {"times": [r.choice([["00:00", "24:00"], ["00:00", "12:00"],
                                            ["12:00", "24:00"], ["22:00", "22:15"]])]}
            if self.chance(0.5):
                interval["weekdays"] = [r.choice(["monday:friday", "tuesday", "sunday"])]
            if self.chance(0.3):
                interval["days_of_month"] = [r.choice(["1:15", "-20:-10"])]
            window["time_intervals"] = [interval]
            return window
        zone = r.choice(calendars.ZONES)
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

    # ---- records ----

    def alerts(self):
        """The conditions that this world has; each is reported again and again."""
        r = self.random
        pool = []
        for _ in range(r.choice([40, 150, 400] if self.big else [1, 2, 4, 4, 7, 10])):
            hosts = [f"h{i}" for i in range(60)] if self.big else ["h1", "h1", "h2", "h1/sda", "h3/x"]
            alert = {"resource": r.choice(hosts),
                     "check": r.choice(["c1", "c2", "c3", "d1", "e1", "\u00fc\"1"])}
            if self.chance(0.8):
                alert["source"] = r.choice(["s1", "s2"])
            if self.chance(0.2):
                alert["dedup_key"] = f"k{r.randint(1, 50 if self.big else 2)}"
            if len(self.tenants) > 1 or self.chance(0.2):
                alert["tenant"] = r.choice(self.tenants)
            if self.chance(0.03):
                alert["check"] = "c" + "\u00e9" * r.choice([100, 126, 127, 128, 149, 150, 151])
            self.new_attributes(alert)
            pool.append(alert)
        return pool

    def new_attributes(self, alert):
        r = self.random
        alert["severity"] = r.choice(["debug", "info", "warning", "minor", "major", "critical"])
        alert["labels"] = {}
        if self.chance(0.6):
            alert["labels"]["rack"] = r.choice(["r1", "r1", "r2", "r2", "r3", "", "=" * 90, " \U0001f525"])
        if self.chance(0.3):
            alert["labels"]["ms"] = r.choice(["1", "2.5", "17", "-4", "0.1", "fast"])
        if self.chance(0.15):
            alert["labels"]["host"] = r.choice(["h1", "h9"])
        if alert.get("dedup_key") and self.chance(0.3):
            alert["check"] = r.choice(["c1", "c2"])

    def event(self, pool, state_of):
        r = self.random
        i = int(len(pool) * r.random() ** (3 if self.big else 1))
        if self.chance(0.12):
            self.new_attributes(pool[i])
        event = json.loads(json.dumps(pool[i]))
        turn = 0.75 if self.flappy else 0.4
        is_problem = not state_of[i] if self.chance(turn) else state_of[i]
        state_of[i] = is_problem
        event["state"] = "problem" if is_problem else "clear"
        if self.chance(0.4):
            event["message"] = r.choice(["x", "y", "fault x", "x\t\"\\/\u0001\u007f", "\u20ac" * 99])
        if self.chance(0.4):
            event["value"] = r.choice([1.0, 2.5, 4.0, -3.0, 0.1, 1e-9, 33.333, 1e15 / 3, 1e300])
        return event

    def own_time(self, clock, disorder, past):
        r = self.random
        kind = r.random()
        if kind < 0.55:
            return clock
        if kind < 0.75:
            return clock - r.randint(0, disorder)
        if kind < 0.9:
            return clock - disorder - self.on_grid(r.randint(0, 1500))
        if kind < 0.94:
            return clock + r.choice([50, 100, 101, 999, 1001, 90000]) if self.chance(0.9) else r.choice([86400000, 253402300799999])
        return clock - past - r.choice([-1, 0, 1, 5000]) if past < 10000 else clock

    def on_grid(self, ms):
        return ms // self.grid * self.grid

    def step(self, config):
        r = self.random
        kind = r.random()
        if kind < (0.7 if self.big else 0.3):
            return 0
        if kind > 0.995:
            # A rule whose bound is reached may be told so each round, as by an event of its own; keys that are listed
            # are missed again and again.
            idle = [60000] * 5 + ([] if self.bounded else [3600000] * 5 + [172800000, 4320000000])
            return r.choice(idle) + r.choice([0, 1, 77])
        if kind < 0.75:
            return self.on_grid(r.choice([1, 20, 50, 100, 100, 200, 300]))
        if kind < 0.9:
            return self.on_grid(r.randint(0, 1500))
        return r.choice([self.window, min(self.expire, 3000), config["round_ms"],
                         config["flap_window_ms"], 2000, 4000]) - r.choice([0, 0, 0, 1])

    def record(self, topic, clock, pool, state_of, past):
        """Without its offset; the payload of what is refused."""
        r = self.random
        if self.chance(0.04):
            reason, payload = r.choice([("parse", "{\"resource\":"), ("parse", ""), ("schema", "[7}"),
                                        ("schema", "{\"resource\":7,\"check\":\"c\"}"),
                                        ("schema", "{\"check\":\"c1\"}"),
                                        ("depth", "{\"x\":" + "[" * 40 + "]" * 40 + "}")])
            return {"log_time": clock, "rejected": reason}, payload
        events = []
        for _ in range(r.choice([1, 1, 1, 1, 1, 1, 2, 3])):
            event = self.event(pool, state_of)
            if self.chance(0.8):
                event["time"] = self.own_time(clock, topic["disorder_ms"], past)
            events.append(event)
        return {"log_time": clock, "events": events}, None

    def alertmanager(self, events):
        """The same events as the body of Alertmanager's webhook, or None where it cannot say them;
        what it adds (identity, labels) goes into the events."""
        if not all("time" in e and "value" not in e and "tenant" not in e for e in events):
            return None
        url = self.random.choice(["http://am:9093", ""])
        alerts = []
        for event in events:
            labels = dict(event["labels"], severity=event["severity"])
            if self.chance(0.9):
                labels["alertname"] = event["check"]
            place = self.random.choice(["instance", "instance", "host", "node", "job"])
            if place != "host" or "host" not in labels:
                labels[place] = event["resource"]
            labels = {name: labels[name] for name in self.random.sample(sorted(labels), len(labels))}
            alert = {"status": "firing" if event["state"] == "problem" else "resolved",
                     "labels": labels,
                     "startsAt" if event["state"] == "problem" else "endsAt": time_text(event["time"])}
            if event["state"] == "problem":
                alert["endsAt"] = "0001-01-01T00:00:00Z"
            else:
                alert["startsAt"] = time_text(event["time"] - 1000)
            if event.get("message"):
                alert["annotations"] = {self.random.choice(["summary", "description"]): event["message"]}
            if self.chance(0.7):
                alert["fingerprint"] = event.get("dedup_key") or "%016x" % self.random.randrange(9)
            alerts.append(alert)
            event.clear()
            event.update(event_of_alert(alert, url or "web"))
        body = {"version": "4", "status": "firing", "receiver": "web", "externalURL": url,
                "alerts": alerts, "truncatedAlerts": 0}
        return {name: body[name] for name in self.random.sample(sorted(body), len(body))}

    def payload(self, events):
        if self.chance(0.15):
            body = self.alertmanager(events)
            if body is not None:
                self.forms["alertmanager"] += 1
                return json.dumps(body, ensure_ascii=self.chance(0.5))
        payload = [payload_of(e) for e in events]
        return json.dumps(payload if len(payload) > 1 or self.chance(0.1) else payload[0],
                          ensure_ascii=self.chance(0.5))

    def partitions(self, topics, config):
        r = self.random
        parts = []
        for topic in topics:
            for number in r.sample([0, 1, 2, 10], 4 if self.big else r.choice([1, 1, 2])):
                parts.append({"topic": topic["topic"], "partition": number, "records": [],
                              "next": r.choice([0, 0, 100]), "config": topic,
                              "log_times": r.choice(["all"] * 6 + ["some", "none"])})
        silent = parts[r.randrange(len(parts))] if len(parts) > 1 and self.chance(0.3) else None
        pool = self.alerts()
        state_of = [False] * len(pool)
        marks, clock = [], self.start + r.choice([0, 1, 150, 7777])
        count = r.choice([300, 900] if self.big else [1, 5, 20, 40, 40, 80])
        for _ in range(count):
            clock += self.step(config)
            part = r.choice([p for p in parts if p is not silent])
            record, payload = self.record(part["config"], clock, pool, state_of, config["past_ms"])
            if self.chance(0.05):
                record["log_time"] += self.on_grid(r.randint(-800, 300))
            self.finish_record(part, record, clock, marks)
            if payload is None:
                payload = self.payload(record["events"])
            part["records"].append(dict(record, offset=part["next"], payload=payload))
            part["next"] += 1
            if self.chance(0.05):
                if self.chance(0.3):  # of a record that never came: it caps no other
                    marks.append({"kind": "cap", "topic": part["topic"],
                                  "partition": part["partition"], "offset": part["next"],
                                  "value": clock - 700})
                part["next"] += r.randint(1, 5)
            if self.chance(0.1):
                self.seal(r.choice(parts), clock, marks)
        if self.chance(0.1):
            self.seal(r.choice(parts), clock + r.choice([700, 3000]), marks)  # behind the last record
        return parts, marks

    def finish_record(self, part, record, clock, marks):
        lacks_time = any("time" not in e for e in record.get("events", []))
        if part["log_times"] == "none" or part["log_times"] == "some" and self.chance(0.3):
            # A first record that has no time at all would take the daemon's.
            if part["records"] and "events" in part["records"][0] \
                    or "time" in record.get("events", [{}])[0] and not part["config"]["tenant_fixed"]:
                record["log_time"] = None
                for event in record.get("events", []):  # which may be the partition's clock
                    event.update({"time": min(event["time"], clock + 90000)} if "time" in event else {})
            elif lacks_time:
                record["events"][0]["time"] = clock
        elif self.chance(0.03):
            marks.append({"kind": "cap", "topic": part["topic"], "partition": part["partition"],
                          "offset": part["next"], "value": record["log_time"]})
            record["log_time"] += self.random.choice([1, 5000, 1000000])

    def seal(self, part, clock, marks):
        before = [m["value"] for m in marks if m["kind"] == "seal"
                  and (m["topic"], m["partition"]) == (part["topic"], part["partition"])]
        value = clock - self.on_grid(self.random.choice([0, 50, 50, 100, 500, -200]))
        if self.chance(0.1):
            value -= 2000  # V never falls
        if not before or value > max(before) or self.chance(0.3):
            marks.append({"kind": "seal", "topic": part["topic"], "partition": part["partition"],
                          "offset": part["next"], "value": value})

    def scenario(self):
        config, topics = self.config(), self.topics()
        rules = self.rules()
        self.bounded = config["alerts_max"] < 1000 or any(
            "max_keys" in rule or "keys" in rule.get("expect", {}) for rule in rules)
        parts, marks = self.partitions(topics, config)
        for part in parts:
            del part["next"], part["config"], part["log_times"]
        return {"config": config, "topics": topics, "sinks": self.sinks(), "rules": rules,
                "partitions": parts, "marks": marks, "forms": self.forms, "mutes": self.mutes(), "enrich": self.enrich()}


class LiveGenerator(Generator):
    """A script for live_runner.c, on virtual time: what a recording cannot hold."""

    start = LIVE_START
    computes = False  # in `when`: a live run cannot go on without its rules

    def rules(self):
        """Each further set is the last one with something changed."""
        sets = [super().rules()]
        self.rule_sets = sets
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            sets.append(self.changed_rules(sets[-1]))
        return sets[0]

    def changed_rules(self, rules):
        fresh = super().rules()
        names = [rule["id"] for rule in fresh]
        changed = []
        for rule in json.loads(json.dumps(rules)):
            kind = self.random.random()
            if kind < 0.3:
                changed.append(rule)
            elif kind < 0.6:  # of the same form: windows and incidents carry on
                rule["title"] = parts_of("anew" if "expect" in rule else "{resource}, anew")
                rule["close"] = self.close()
                if "keys" in rule.get("expect", {}):
                    rule["expect"]["keys"] = self.listed_keys(rule_by(rule))
                if self.tight:
                    rule["max_keys"] = self.random.choice([3, 4] if "expect" in rule else [1, 2, 3])
                changed.append(rule)
            elif kind < 0.8 and rule["id"] in names:
                changed.append(fresh[names.index(rule["id"])])
        held = [rule["id"] for rule in changed]
        changed += [rule for rule in fresh if rule["id"] not in held and self.chance(0.5)]
        return self.with_parts(changed) or [rule for rule in fresh if "of" not in rule] or self.changed_rules(rules)

    @staticmethod
    def with_parts(rules):
        """Composites name rules that are there."""
        for rule in sorted(rules, key=lambda rule: rule["id"]):
            if "of" in rule:
                rule["of"] = [name for name in rule["of"] if any(other["id"] == name for other in rules)]
                rules = rules if rule["of"] else [other for other in rules if other is not rule]
        return rules

    def scenario(self):
        config, topics = self.config(), self.topics()
        rules = self.rules()
        self.config_now, self.clock, self.script = config, self.start, []
        self.pool = self.alerts()
        self.state_of = [False] * len(self.pool)
        self.members = []
        self.inside = []       # memberships that joined and have not left
        self.dark = set()      # of these, those that cannot be read or get no answers
        for topic in topics:
            for number in self.random.sample([0, 1, 2, 10], self.random.choice([1, 1, 2])):
                self.member(topic, number, self.chance(0.2) and len(self.members) > 0)
        for _ in range(self.random.choice([5, 20, 40, 60])):
            self.live_step()
        self.script += [{"settle": True}]
        mute_sets = [self.mutes() for _ in self.rule_sets]
        enrich_sets = [self.enrich() for _ in self.rule_sets]
        return {"config": config, "topics": topics, "sinks": self.sinks(), "rules": rules,
                "mutes": mute_sets[0], "mute_sets": mute_sets[1:], "enrich": enrich_sets[0], "enrich_sets": enrich_sets[1:], "rule_sets": self.rule_sets[1:], "script": self.script, "marks": [], "forms": self.forms,
                "partitions": [{name: value for name, value in member.items() if name != "config"}
                               for member in self.members]}

    def member(self, topic, number, joins, start=0):
        self.members.append({"topic": topic["topic"], "partition": number, "start": start,
                             "joins": bool(joins), "records": [], "config": topic})
        if not joins:
            self.inside.append(len(self.members) - 1)

    def pass_time(self, ms):
        self.clock += ms
        self.script.append({"pass": ms})

    def live_step(self):
        r = self.random
        if self.chance(0.7):
            self.pass_time(r.choice([1, 10, 20, 50, 50, 100, 200, 300]))
        elif self.chance(0.3):
            self.pass_time(r.choice([self.window, min(self.expire, 3000), 1500, 2000, 5000]))
        if self.chance(0.3):
            self.script.append({"settle": True})
        what = r.random()
        if what < 0.1:
            self.membership_step()
        elif what < 0.16:
            self.reach_step()
        elif what < 0.22 and len(self.rule_sets) > 1 + self.switched():
            self.script += [{"settle": True}, {"switch": f"rules-{self.switched() + 1}.yaml"},
                            {"pass": 10}, {"settle": True}]
            self.clock += 10
        elif self.inside:
            self.put(r.choice(self.inside))

    def switched(self):
        return sum("switch" in step for step in self.script)

    def put(self, number):
        member = self.members[number]
        record, payload = self.record(member["config"], self.clock, self.pool, self.state_of,
                                      self.config_now["past_ms"])
        if self.chance(0.1):
            record["log_time"] += self.on_grid(self.random.randint(-800, 3000))
        if payload is None:
            payload = self.payload(record["events"])
        place = (member["topic"], member["partition"])
        offset = member["start"]
        for other in self.members:
            if (other["topic"], other["partition"]) == place and other["records"]:
                offset = max(offset, other["records"][-1]["offset"] + 1)
        record = dict(record, offset=offset, payload=payload)
        member["records"].append(record)
        self.script.append({"put": number, **{name: record[name]
                                              for name in ("offset", "log_time", "payload")}})

    def membership_step(self):
        """One comes, one goes, or one that went comes again and reads a part once more."""
        r = self.random
        outside = [i for i in range(len(self.members)) if i not in self.inside]
        calm = [i for i in self.inside if i not in self.dark]
        if outside and self.chance(0.6):
            number = r.choice(outside)
            member = self.members[number]
            if "left" in member:
                again = [i for i in self.inside if self.place(i) == self.place(number)]
                if again or len(self.members) > 12:
                    return
                records = member["records"][r.randint(0, len(member["records"])):]
                start = records[0]["offset"] if records else member["next"]
                self.member(member["config"], member["partition"], True, start)
                number = len(self.members) - 1
                self.members[number]["records"] = json.loads(json.dumps(records))
                self.script += [{"put": number, **{n: record[n] for n in ("offset", "log_time", "payload")}}
                                for record in records]
            self.inside.append(number)
            self.script.append({"join": number})
        elif len(calm) > 1 and not self.dark:
            number = r.choice(calm)
            self.inside.remove(number)
            member = self.members[number]
            member["left"] = True
            member["next"] = member["records"][-1]["offset"] + 1 if member["records"] else member["start"]
            self.script += [{"settle": True}, {"leave": number}]
        self.script += [{"pass": 20}, {"settle": True}]
        self.clock += 20

    def place(self, number):
        return (self.members[number]["topic"], self.members[number]["partition"])

    def reach_step(self):
        """A partition that cannot be read for a while, or whose fetches are not answered."""
        r = self.random
        if self.dark:
            for number in sorted(self.dark):
                self.script += [{"readable": number, "is": True}, {"answers": number, "is": True}]
            self.dark.clear()
        elif self.inside:
            chosen = self.inside if self.chance(0.2) else [r.choice(self.inside)]
            for number in chosen:
                self.script.append({r.choice(["readable", "readable", "answers"]): number, "is": False})
                self.dark.add(number)
            if self.chance(0.7):
                for _ in range(r.choice([2, 11, 11, 25])):
                    self.pass_time(1000)
                    self.script.append({"settle": True})


# ---- trees ----


COUNT = ["aggregate", "count()", "count"]


def distinct(field):
    return ["aggregate", f"distinct({field})", "distinct", ["field", field]]


def compare(relation, field, kind, constant):
    return [relation, ["field", field], ["const", kind, constant]]


def is_text(relation, field, constant):
    return compare(relation, field, "text", constant)


def among(field, words):
    return ["in", ["field", field]] + [["const", "text", word] for word in words]


def at_least(aggregate, number, relation=">="):
    return [relation, aggregate, ["const", "int", number]]


def aggregates_of(tree):
    """In order of first appearance."""
    if tree[0] == "aggregate" and tree[2] == "deviation":
        return aggregates_of(tree[3]) + [tree]
    found = [tree] if tree[0] == "aggregate" else [a for part in tree[1:] if isinstance(part, list)
                                                   for a in aggregates_of(part)]
    return [a for i, a in enumerate(found) if a not in found[:i]]


def parts_of(title):
    """Of a title: pieces of text, and fields where names stand in braces."""
    if isinstance(title, list):
        return title
    parts = [["field", part[1:-1]] if part[0] == "{" else part for part in re.findall(r"\{[^}]*\}|[^{]+", title)]
    return parts


def reachable(tree, members):
    """The same condition with numbers that a window of so many entries can show: a rule that can
    never fire is refused."""
    op, *args = tree
    if op in (">=", ">") and is_count(args[0]) and args[1][0] == "const":
        return [op, args[0], ["const", "int", min(math.ceil(args[1][2]), members - (op == ">"))]]
    if op in ("<=", "<") and is_count(args[1]) and args[0][0] == "const":
        return [op, ["const", "int", min(math.ceil(args[0][2]), members - (op == "<"))], args[1]]
    return [reachable(arg, members) if isinstance(arg, list) and arg[0] != "const" else arg for arg in tree]


def is_count(tree):
    return tree[0] == "aggregate" and tree[2] in ("count", "distinct")


def rule_by(rule):
    return rule["by"] if "tenant" in rule["by"] else ["tenant"] + rule["by"]


# ---- what Alertmanager sends ----


def fingerprint_of(labels):
    """Prometheus' number for a set of labels: FNV-1a over names and values, each ended by 0xff."""
    number = 14695981039346656037
    for name in sorted(labels, key=lambda n: n.encode()):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            number = (number ^ byte) * 1099511628211 % (1 << 64)
    return "%016x" % number


def event_of_alert(alert, source):
    """docs/events.md, section Alertmanager."""
    labels = alert["labels"]
    problem = alert["status"] == "firing"
    places = ["instance", "host", "hostname", "node", "pod", "service", "job"]
    severity = labels.get("severity", "warning")
    event = {"source": source, "check": labels.get("alertname", ""),
             "resource": next((labels[p] for p in places if labels.get(p)), ""),
             "dedup_key": alert.get("fingerprint") or fingerprint_of(labels),
             "severity": severity, "state": "problem" if problem else "clear", "labels": dict(labels),
             "time": ms_of(alert["startsAt" if problem else "endsAt"])}
    message = next((alert["annotations"][n] for n in ("summary", "description")
                    if alert.get("annotations", {}).get(n)), None)
    if message:
        event["message"] = message
    return event


def ms_of(text):
    """Of what time_text() wrote."""
    epoch = datetime.datetime(1970, 1, 1)
    return (datetime.datetime.fromisoformat(text.removesuffix("Z")) - epoch) // datetime.timedelta(milliseconds=1)


def scenario_of(seed, big=False, live=False):
    return LiveGenerator(seed).scenario() if live else Generator(seed, big).scenario()


if __name__ == "__main__":
    write(scenario_of(int(sys.argv[1]), "big" in sys.argv[3:], "live" in sys.argv[3:]), sys.argv[2])

"""Random expressions of the rule language, as trees of values.py, over the words of generate_events.py.

No part is constant as a whole: such parts are computed when rules are read, where an impossible
one is refused. Fields that differ from repeat to repeat are used where the caller wants them.
"""

PATTERNS = ["^c", "[12]$", "h[0-9]", "(?i)FAULT", "x|y", "^[a-d]\\d$", "s1|s2", "r.", "^$", "\\bh1\\b", "c{1,2}1"]
WORDS = ["c", "c1", "d1", "h1", "h", "s1", "s2", "r1", "r2", "x", "1", "", "C1", "H1/SDA"]
ZONES = [None, None, 0, 120, -570]


class Expressions:
    def __init__(self, random, unstable, ages=True):
        self.random = random
        self.unstable = unstable
        self.ages = ages

    def one_of(self, *makers):
        return self.random.choice(makers)()

    def word(self):
        return ["const", "text", self.random.choice(WORDS)]

    def text(self, depth):
        r = self.random
        plain = [["field", name] for name in ("check", "check", "host", "resource", "source", "tenant")]
        plain += [["field", "labels.rack"], ["field", "labels.host"]]
        if self.unstable:
            plain += [["field", "message"]] * 3
        if depth <= 0 or r.random() < 0.4:
            return r.choice(plain)
        timed = [lambda: ["string", r.choice([self.time(), self.duration()])]] * 2 if self.unstable else []
        return self.one_of(
            *timed, lambda: [r.choice(["lower", "upper"]), self.text(depth - 1)],
            lambda: ["+", self.text(depth - 1), r.choice([self.word(), self.text(depth - 1)])],
            lambda: ["?:", self.truth(depth - 1), self.text(depth - 1), r.choice([self.word(), self.text(depth - 1)])],
            lambda: ["string", self.one_of(lambda: self.number(depth - 1), lambda: self.real(depth - 1),
                                           lambda: self.truth(depth - 1), lambda: ["field", "severity"])],
            lambda: ["label of", ["?:", self.truth(depth - 1), ["const", "text", r.choice(["rack", "host", "none"])],
                                  self.text(depth - 1)]],
            lambda: ["cell", "owners", self.text(depth - 1), r.choice(["team", "rank", "name"])])

    def number(self, depth):
        r = self.random
        if depth <= 0 or r.random() < 0.3:
            return r.choice([["size", self.text(0)], ["labels"]])
        other = lambda: r.choice([["const", "int", r.choice([1, 2, 3, -2, 5])], self.number(depth - 1)])
        choices = [lambda: [r.choice("+-*"), self.number(depth - 1), other()],
                   lambda: [r.choice("/%"), self.number(depth - 1), other()],
                   lambda: [r.choice("/%"), ["const", "int", r.choice([7, -7, 100])], self.number(depth - 1)],
                   lambda: ["neg", self.number(depth - 1)],
                   lambda: ["int", r.choice([self.text(depth - 1), self.real(depth - 1),
                                             ["cell", "owners", self.text(0), "rank"]])],
                   lambda: ["*", self.number(depth - 1), ["const", "int", (1 << 62) + r.choice([0, 12345])]],
                   lambda: ["?:", self.truth(depth - 1), self.number(depth - 1), other()]]
        if self.unstable:
            choices += [self.part] * 3
        return self.one_of(*choices)

    def part(self):
        """Of a duration or of a time."""
        r = self.random
        names = ["getHours", "getMinutes", "getSeconds", "getMilliseconds"]
        if r.random() < 0.3:
            return ["part", r.choice(names), None, self.duration()]
        names += ["getDate", "getMonth", "getFullYear", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"]
        return ["part", r.choice(names), r.choice(ZONES), self.time()]

    def real(self, depth):
        r = self.random
        base = [["double", self.number(depth - 1)]] + ([["field", "value"]] * 3 if self.unstable else [])
        if depth <= 0 or r.random() < 0.4:
            return r.choice(base)
        other = lambda: r.choice([["const", "real", r.choice([2.5, 0.1, -3.0, 1e20, 1e20])], self.number(depth - 1),
                                  self.real(depth - 1)])
        return self.one_of(lambda: [r.choice("+-*/"), self.real(depth - 1), other()],
                           lambda: ["double", self.text(depth - 1)],
                           lambda: ["*", ["double", ["+", self.digits(), ["const", "text", "e300"]]], r.choice([["const", "real", 1e20], other()])],
                           lambda: ["/", self.real(depth - 1), ["-", self.number(0), ["const", "int", r.choice([0, 1, 2])]]],
                           lambda: ["neg", self.real(depth - 1)])

    def digits(self):
        """Text that is often empty or a digit."""
        return ["string", ["-", self.number(0), ["const", "int", self.random.choice([0, 1, 2])]]]

    def duration(self):
        r = self.random
        steps = ["const", "duration", r.choice([0, 100, 1500, 3600000, 90061001])]
        if not self.ages:
            return ["-", self.time(), ["field", "ts"]]
        return r.choice([["field", "age"], ["+", ["field", "age"], steps], ["-", steps, ["field", "age"]],
                         ["neg", ["field", "age"]], ["-", self.time(), ["field", "ts"]]])

    def time(self):
        r = self.random
        steps = ["const", "duration", r.choice([0, 1, 86400000, 31622400000, 300000000000000])]
        return r.choice([["field", "ts"], [r.choice("+-"), ["field", "ts"], steps], ["+", steps, ["field", "ts"]]])

    def truth(self, depth):
        r = self.random
        relation = r.choice(["==", "!=", "<", "<=", ">", ">="])
        # Beside a real number others are real; whole ones are compared with it exactly.
        choices = [
            lambda: [relation, self.text(depth - 1), r.choice([self.word(), self.text(depth - 1)])],
            lambda: [relation, self.number(depth - 1), r.choice([["const", "int", r.choice([0, 1, 2, 3, 4, 8])],
                                                                 self.number(depth - 1)])],
            lambda: [relation, self.real(depth - 1), r.choice([["const", "real", 2.5], self.number(depth - 1),
                                                               self.real(depth - 1)])],
            lambda: [r.choice(["startsWith", "endsWith", "contains"]), self.text(depth - 1),
                     r.choice([self.word(), self.text(depth - 1)])],
            lambda: ["matches", self.text(depth - 1), r.choice(PATTERNS)],
            lambda: ["in", self.text(depth - 1)] + [r.choice([self.word(), self.text(depth - 1)])
                                                    for _ in range(r.randint(1, 4))],
            lambda: ["in", self.number(depth - 1), ["const", "int", 2], ["const", "real", 3.0], self.number(depth - 1)],
            lambda: ["in set", self.text(depth - 1), r.choice(["core", "few"])],
            lambda: ["in set", r.choice([self.number(depth - 1), self.real(depth - 1)]), "few"],
            lambda: ["in table", "owners", self.text(depth - 1)],
            lambda: ["has cell", "owners", self.text(depth - 1), r.choice(["team", "rank"])],
            lambda: ["in labels", self.text(depth - 1)],
            lambda: ["has", r.choice(["labels.rack", "labels.host"])],
            lambda: [relation, ["field", "severity"], ["?:", self.truth(depth - 1), ["const", "severity", "minor"],
                                                       ["const", "severity", "major"]]],
        ]
        if self.unstable:
            choices += [lambda: [relation, self.part(), ["const", "int", r.choice([0, 1, 5, 13, 300, 2023])]],
                        lambda: [relation, self.duration(), self.duration()],
                        lambda: [relation, self.time(), r.choice([self.time(), ["const", "time", 1700000000000]])]] * 2
        if depth > 0 and r.random() < 0.35:
            choices = [lambda: [r.choice(["and", "or"]), self.truth(depth - 1), self.truth(depth - 1)],
                       lambda: ["not", self.truth(depth - 1)],
                       lambda: [r.choice(["==", "!="]), self.truth(depth - 1), self.truth(depth - 1)],
                       lambda: ["?:", self.truth(depth - 1), self.truth(depth - 1), self.truth(depth - 1)]]
        return self.one_of(*choices)

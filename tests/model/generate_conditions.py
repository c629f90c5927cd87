"""Random conditions of rules: which events they see, when they open and when they close an incident."""
import generate_expression
import impossible
from frame.words import RELATIONS
from generate_trees import COUNT, at_least, compare, distinct, is_text
from generate_world import World


class Conditions(World):
    computes = True  # in `when`; some of it is impossible, and refused

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

    def when(self, by=()):
        """By is what keys are made of: of such fields there is one value."""
        r = self.random
        high = 2 if self.tight and self.chance(0.5) else 15 if self.big else 4
        count = at_least(COUNT, r.randint(1, high), r.choice([">=", ">=", ">"]))
        fields = ["check", "check", "resource", "source", "host", "labels.rack", "severity", "message"]
        field = r.choice([name for name in fields if name not in by])
        different = at_least(distinct(field), r.randint(1, 3))
        other = at_least(distinct(r.choice([name for name in ("check", "source", "message") if name not in by])), r.randint(1, 2))
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
            [0.5, 1.0, 2.5, 3.0, 10.0] if number[2] != "stddev" else [0.5, 1.5])]]

    def number(self):
        r = self.random
        kind = r.choice(["sum", "avg", "min", "max", "stddev", "rate", "first", "last", "quantile"])
        of = r.choice(["value", "value", "labels.ms"])
        share = [r.choice([0.05, 0.5, 0.5, 0.95])] if kind == "quantile" else []
        return ["aggregate", f"{kind}({', '.join(map(str, [of] + share))})", kind, ["field", of]] + share

    def close(self, hears=True):
        """Of a rule that hears events: what does not come has no number."""
        r = self.random
        quiet = ["quiet", r.choice([100, 300, 1000, 2000])]
        cleared = ["cleared"]
        if self.chance(0.25) and hears:
            fewer = ["fewer", r.randint(1, 4), r.choice([100, 300, 1000, 3000])]
            relation, of = r.choice(["<", "<="]), r.choice(["value", "labels.ms"])
            last = [relation, ["last", ["field", of]], ["const", "real", r.choice([0.5, 2.5, 4.0])]]
            return r.choice([fewer, ["or", fewer, cleared], ["and", fewer, quiet], last,
                             ["or", last, quiet], ["and", last, fewer], ["and", last, cleared]])
        return r.choice([quiet, cleared, ["or", quiet, cleared], ["or", quiet, cleared],
                         ["and", quiet, cleared], ["or", ["and", quiet, cleared], ["quiet", 4000]]])

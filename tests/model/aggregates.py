"""What `when` counts over the entries of a window, and what bears it: docs/correlation.md, "Numbers" and `why`.

An aggregate is a tree: ("aggregate", how the rule writes it, kind, what it is over, share of a quantile).
"""
import fractions
import functools
import math

from values import checked, computed, number_text

STEP = 2 ** 40  # sums are exact, in steps of 1 / STEP


@functools.cache
def exact(number):
    """A whole number of steps, ties to even."""
    return round(fractions.Fraction(number) * STEP)


def real(steps):
    return float(steps) / STEP


def fits(number):
    return number is not None and abs(number) < 2.0 ** 68


def rate(times, m):
    seconds = (times[-1] - times[0]) / 1000
    return real(sum(b - a if b >= a else max(b, 0) for a, b in zip(m, m[1:]))) / seconds if seconds else None


NUMBERS = {  # of: the times of the entries with a number, in order; their numbers; the same in steps; a share
    "sum": lambda t, v, m, q: real(sum(m)), "avg": lambda t, v, m, q: real(sum(m)) / len(m),
    "stddev": lambda t, v, m, q: math.sqrt(float(len(m) * sum(x * x for x in m) - sum(m) ** 2)) / len(m) / STEP,
    "min": lambda t, v, m, q: min(v), "max": lambda t, v, m, q: max(v),
    "first": lambda t, v, m, q: v[0], "last": lambda t, v, m, q: v[-1], "rate": lambda t, v, m, q: rate(t, m),
    "quantile": lambda t, v, m, q: sorted(v)[max(1, math.ceil(q * len(v))) - 1],
}


def aggregate(entries, _op, _text, kind, over=None, share=None):
    """Its value, None where there is none."""
    if kind == "count":
        return len(entries)
    if kind == "distinct":
        return len({entry.event.text(over[1]) for entry in entries})
    numbers = [(entry.time, number) for entry in entries for number in (computed(("double", over), entry.event),)
               if fits(number)]
    times, values = [at for at, _ in numbers], [number for _, number in numbers]
    return NUMBERS[kind](times, values, list(map(exact, values)), share) if numbers or kind == "sum" else None


def aggregates_in(tree, inner=True):
    """In order of first appearance, and with `inner` those that a deviation is of, before it."""
    if tree[0] != "aggregate":
        return [found for part in tree if type(part) is tuple for found in aggregates_in(part, inner)]
    return (aggregates_in(tree[3]) if inner and tree[2] == "deviation" else []) + [tree]


class Counted:
    """An event and what was counted: the world of `when` and of titles."""

    def __init__(self, counts, event=None):
        self.counts, self.event = counts, event

    def __getattr__(self, name):
        return getattr(self.event, name)

    def aggregate(self, *tree):
        got = self.counts[("aggregate", *tree)]
        return checked(got, got is not None)


# What bears a `when` that is true.

RELATIONS = {  # turned round; with its sides exchanged
    "<": (">=", ">"), "<=": (">", ">="), ">": ("<=", "<"), ">=": ("<", "<="), "==": ("!=", "=="), "!=": ("==", "!=")}
ASKED = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most", "==": "exactly", "!=": "other than"}


def bearing(tree, world, turned=False):
    """Its leaves that bear it, or with `turned` its being false; and whether they are turned round."""
    if tree[0] == "not":
        yield from bearing(tree[1], world, not turned)
    elif tree[0] in ("and", "or"):
        for side in tree[1:]:
            if (tree[0] == "and") is not turned or computed(side, world) is (not turned):
                yield from bearing(side, world, turned)
    else:
        yield tree, turned


def need(leaf, turned, counted):
    """What a leaf asks of an aggregate, in words; None where it is no comparison of it with a constant."""
    op, *sides = leaf
    if op in RELATIONS and sides[0][0] == "const":
        op, sides = RELATIONS[op][1], sides[::-1]
    if op not in RELATIONS or sides[0] != counted or sides[1][0] != "const":
        return None
    op, n = RELATIONS[op][0] if turned else op, sides[1][2]
    if counted[2] not in ("count", "distinct"):
        return f"{ASKED[op]} {number_text(n)}"
    if op in ("==", "!="):
        return f"{'exactly' if op == '==' else 'other than'} {int(n)}" if n == int(n) else None
    least = math.ceil(n) if op in (">=", "<") else math.floor(n) + 1
    return f"{'fewer than ' if op[0] == '<' else ''}{least}"

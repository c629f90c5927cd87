"""The values of expressions, as docs/rules.md has them, and of aggregates: docs/correlation.md, "Numbers".

A tree is a tuple: an operation and its operands. What cannot be computed raises Undefined or what Python raises for a
division by zero and for what is not in a table; `and` and `or` absorb it.
An aggregate is ("aggregate", how the rule writes it, kind, what it is over, share of a quantile).
"""
import functools
import math
import operator
import re
import time

from frame.scenario import SETS, SEVERITIES, SEVERITY_WORDS, TABLES
from frame.trees import parts_of

TIME_MIN, TIME_MAX = -62135596800000, 253402300799999  # years 1 to 9999


class Undefined(ArithmeticError):
    """There is no value."""


class Duration(int):
    """In milliseconds."""


class Time(int):
    """In milliseconds since 1970."""


class Severity(int):
    """An index of SEVERITIES."""


def checked(got, has_value):
    if not has_value:
        raise Undefined
    return got


def whole(number):
    return checked(number, -(1 << 63) <= number < 1 << 63)


def finite(number):
    return checked(number, math.isfinite(number))


def arithmetic(op, a, b):
    if isinstance(a, str):
        return a + b
    if float in (type(a), type(b)):
        return finite(op(float(a), float(b)))
    if op in (operator.truediv, operator.mod):  # towards zero
        quotient = whole(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))
        return quotient if op is operator.truediv else a - quotient * b
    got = whole(op(int(a), int(b)))
    if Time in (type(a), type(b)):
        return Duration(got) if type(a) is type(b) else checked(Time(got), TIME_MIN <= got <= TIME_MAX)
    return type(a)(got)


def number_text(number):
    """As short as reads back the same; whole ones without a point."""
    if abs(number) < 1e15 and number == int(number):
        return str(int(number))
    return next(text for text in (f"{number:.{digits}g}" for digits in (15, 16, 17)) if float(text) == number)


def duration_text(ms):
    parts = (abs(ms) // 3600000, "h"), (abs(ms) // 60000 % 60, "m"), (abs(ms) // 1000 % 60, "s"), (abs(ms) % 1000, "ms")
    return "-" * (ms < 0) + "".join(f"{n}{unit}" for n, unit in parts if n) if ms else "0ms"


def time_text(ms):
    fraction = f".{ms % 1000:03}" if ms % 1000 else ""
    return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*time.gmtime(ms // 1000)) + fraction + "Z"


def text_of(got):
    return {bool: lambda truth: "true" if truth else "false", Severity: SEVERITIES.__getitem__,
            Duration: duration_text, Time: time_text, float: number_text}.get(type(got), str)(got)


def to_int(got):
    if isinstance(got, str):
        checked(got, re.fullmatch(r"[+-]?[0-9]+", got))
    return got // 1000 if type(got) is Time else whole(int(got))


def to_double(got):
    if isinstance(got, str):
        checked(got, re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", got) and len(got) <= 100)
    return finite(float(got))


def part_of(name, zone, of):
    """A part of a time, as clocks of a zone have it, or of a duration."""
    if type(of) is Duration:
        size = {"getHours": 3600000, "getMinutes": 60000, "getSeconds": 1000}.get(name)
        return (-1 if of < 0 else 1) * (abs(of) // size if size else abs(of) % 1000)
    clock = time.gmtime(of // 1000 + (zone or 0) * 60)
    return {"getFullYear": clock.tm_year, "getMonth": clock.tm_mon - 1, "getDate": clock.tm_mday,
            "getDayOfMonth": clock.tm_mday - 1, "getHours": clock.tm_hour, "getMinutes": clock.tm_min,
            "getSeconds": clock.tm_sec, "getMilliseconds": of % 1000, "getDayOfWeek": (clock.tm_wday + 1) % 7,
            "getDayOfYear": clock.tm_yday - 1}[name]


def logic(decisive, world, *parts):
    found = [computed(part, world) for part in parts]
    return decisive if decisive in found else checked(not decisive, None not in found)


CONSTANTS = {"duration": Duration, "time": Time, "severity": lambda name: Severity(SEVERITIES.index(name))}
# These see the world and compute what operands they need.
LAZY = {
    "const": lambda _, kind, got: CONSTANTS.get(kind, type(got))(got),
    "and": functools.partial(logic, False), "or": functools.partial(logic, True),
    "?:": lambda world, c, a, b: value(a if value(c, world) else b, world),
    "has cell": lambda world, table, key, column: column in TABLES[table].get(computed(key, world), {}),
    "labels": lambda world: len(world.labels),
    "label of": lambda world, name: world.labels[value(name, world)],
    "in labels": lambda world, name: value(name, world) in world.labels,
}
# These compute all of them first.
STRICT = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    **{sign: functools.partial(arithmetic, op) for sign, op in (
        ("+", operator.add), ("-", operator.sub), ("*", operator.mul), ("/", operator.truediv), ("%", operator.mod))},
    "neg": lambda a: -a if isinstance(a, float) else type(a)(whole(-a)), "not": operator.not_,
    "size": len, "int": to_int, "double": to_double, "string": text_of, "part": part_of,
    "lower": lambda a: re.sub("[A-Z]+", lambda found: found[0].lower(), a),
    "upper": lambda a: re.sub("[a-z]+", lambda found: found[0].upper(), a),
    "in": lambda a, *items: a in items,
    "in set": lambda a, name: a in (SETS[name] if isinstance(a, str) else list(map(float, SETS[name]))),
    "in table": lambda name, a: a in TABLES[name],
    "cell": lambda name, key, column: TABLES[name][key][column],
    "startsWith": str.startswith, "endsWith": str.endswith, "contains": operator.contains,
    "matches": lambda a, pattern: re.search(pattern, a, re.ASCII) is not None,
    "severity_of": lambda a: Severity(SEVERITY_WORDS[re.sub("[-_]", " ", STRICT["lower"](a))]),
}


def value(tree, world):
    op, *args = tree
    if op in LAZY:
        return LAZY[op](world, *args)
    if op in STRICT:
        return STRICT[op](*[value(arg, world) if type(arg) is tuple else arg for arg in args])
    return getattr(world, op)(*args)  # what only the world knows: field, has, aggregate, quiet ...


def attempt(function, *args):
    """What it returns, or None."""
    try:
        return function(*args)
    except (ArithmeticError, LookupError):
        return None


computed = functools.partial(attempt, value)


def is_true(tree, world):
    return computed(tree, world) is True


def is_volatile(tree):
    """Whether it reads what may differ in a repeat."""
    return any(part[:1] == ("field",) and part[1] in ("message", "value", "ts", "age") for part in parts_of(tree))


# What `when` counts over the entries of a window.

STEP = 2 ** 40  # sums are exact, in steps of 1 / STEP


def fits(number):
    return number is not None and abs(number) < 2.0 ** 68


def rate(times, m):
    seconds = (times[-1] - times[0]) / 1000
    return sum(b - a if b >= a else max(b, 0) for a, b in zip(m, m[1:])) / STEP / seconds


NUMBERS = {  # of: the times of the entries with a number, in order; their numbers; the same in steps; a share
    "sum": lambda t, v, m, q: sum(m) / STEP, "avg": lambda t, v, m, q: sum(m) / STEP / len(m),
    "stddev": lambda t, v, m, q: math.sqrt(float(len(m) * sum(x * x for x in m) - sum(m) ** 2)) / len(m) / STEP,
    "min": lambda t, v, m, q: sorted(v)[0], "max": lambda t, v, m, q: sorted(v)[-1],
    "first": lambda t, v, m, q: v[0], "last": lambda t, v, m, q: v[-1], "rate": lambda t, v, m, q: rate(t, m),
    "quantile": lambda t, v, m, q: sorted(v)[max(1, math.ceil(q * len(v))) - 1],
}


def aggregate(entries, _text, kind, over=None, share=None):
    if kind == "count":
        return len(entries)
    if kind == "distinct":
        return len({entry.event.text(over[1]) for entry in entries})
    numbers = [(entry.time, number) for entry in entries for number in (computed(("double", over), entry.event),)
               if fits(number)]
    times, values = [at for at, _ in numbers], [number for _, number in numbers]
    steps = [round(number * STEP) for number in values]  # exact before it is rounded, ties to even
    return NUMBERS[kind](times, values, steps, share)

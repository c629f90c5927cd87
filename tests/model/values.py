"""The values of expressions, as docs/rules.md has them.

A tree is a tuple: an operation and its operands. What cannot be computed raises Undefined, which `and` and `or` absorb.
"""
import datetime
import functools
import math
import operator
import re

SEVERITIES = ["ok", "debug", "info", "warning", "minor", "major", "critical"]
SEVERITY_WORDS = {word: severity for severity, words in enumerate((  # docs/events.md
    "ok,clear,cleared,normal,resolved,recovery,recovered,up,success", "debug,trace,verbose,sev4",
    "info,information,informational,notice,not classified,none,lowest,p5,sev3",
    "warning,warn,low,unknown,indeterminate,unusual,p4,sev2", "minor,average,medium,moderate,p3",
    "major,error,err,high,unreachable,p2,sev1",
    "critical,crit,emergency,emerg,panic,alert,fatal,disaster,urgent,severe,page,highest,down,p1,sev0",
)) for word in words.split(",")}
DAY_MS = 86400000
TIME_MIN, TIME_MAX = -62135596800000, 253402300799999  # years 1 to 9999

# What the rules of every scenario may look up.
SETS = {"core": ["h1", "s1", "c1", "r2"], "few": ["2", "4.0", "-3", "1e0"]}
TABLES = {"owners": {"h1": {"name": "h1", "team": "db", "rank": "3"}, "c1": {"name": "c1", "team": "web"},
                     "s2": {"name": "s2", "rank": "x"}, "r1": {"name": "r1", "team": "a \"b\", c", "rank": "-12"}}}


def lower(text):
    return re.sub("[A-Z]+", lambda found: found[0].lower(), text)


def frozen(tree):
    """Lists, which JSON has, as tuples, which can be keys."""
    if isinstance(tree, dict):
        return {name: frozen(part) for name, part in tree.items()}
    return tuple(map(frozen, tree)) if isinstance(tree, (list, tuple)) else tree


class Undefined(Exception):
    """There is no value."""


class Duration(int):
    pass


class Time(int):
    pass


class Severity(int):
    pass


def whole(number):
    if not -(1 << 63) <= number < 1 << 63:
        raise Undefined
    return number


def finite(number):
    if not math.isfinite(number):
        raise Undefined
    return number


def time(ms):
    if not TIME_MIN <= ms <= TIME_MAX:
        raise Undefined
    return Time(ms)


def arithmetic(op, a, b):
    if isinstance(a, str):
        return a + b
    if float in (type(a), type(b)):
        if op is operator.truediv and b == 0:
            raise Undefined
        return finite(op(float(a), float(b)))
    if op in (operator.truediv, operator.mod):
        if b == 0:
            raise Undefined
        quotient = whole(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))
        return quotient if op is operator.truediv else a - quotient * b
    got = whole(op(int(a), int(b)))
    if Time in (type(a), type(b)):
        return Duration(got) if type(a) is type(b) else time(got)
    return Duration(got) if type(a) is Duration else got


def negative(a):
    return -a if isinstance(a, float) else type(a)(whole(-a))


def number_text(number):
    """As short as reads back the same; whole ones without a point."""
    if abs(number) < 1e15 and number == int(number):
        return str(int(number))
    return next(text for text in (f"{number:.{digits}g}" for digits in (15, 16, 17)) if float(text) == number)


def duration_text(ms):
    out, left = "-" if ms < 0 else "", abs(ms)
    for unit, size in (("h", 3600000), ("m", 60000), ("s", 1000), ("ms", 1)):
        out += f"{left // size}{unit}" if left // size else ""
        left %= size
    return out if ms else "0ms"


def civil(ms):
    """The year and the date of a time; 400 years are a whole number of weeks."""
    centuries, days = divmod(ms // DAY_MS, 146097)
    date = datetime.date(1970, 1, 1) + datetime.timedelta(days)
    return date.year + 400 * centuries, date


def time_text(ms):
    (year, date), rest = civil(ms), ms % DAY_MS
    fraction = f".{rest % 1000:03}" if rest % 1000 else ""
    return (f"{year:04}-{date.month:02}-{date.day:02}T{rest // 3600000:02}:{rest // 60000 % 60:02}:"
            f"{rest // 1000 % 60:02}{fraction}Z")


def text_of(value):
    writers = {bool: lambda b: "true" if b else "false", Severity: SEVERITIES.__getitem__, Duration: duration_text,
               Time: time_text, float: number_text}
    return writers.get(type(value), str)(value)


def to_int(value):
    if isinstance(value, str):
        if not re.fullmatch(r"[+-]?[0-9]+", value):
            raise Undefined
        return whole(int(value))
    return value // 1000 if type(value) is Time else whole(int(value))


def to_double(value):
    if isinstance(value, str):
        if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", value) or len(value) > 100:
            raise Undefined
    return finite(float(value))


def part_of(name, zone, of):
    """A part of a time, as clocks of a zone have it, or of a duration."""
    if type(of) is Duration:
        size = {"getHours": 3600000, "getMinutes": 60000, "getSeconds": 1000}.get(name)
        return (-1 if of < 0 else 1) * (abs(of) // size if size else abs(of) % 1000)
    of += (zone or 0) * 60000
    year, date = civil(of)
    return {"getFullYear": year, "getMonth": date.month - 1, "getDate": date.day, "getDayOfMonth": date.day - 1,
            "getHours": of // 3600000 % 24, "getMinutes": of // 60000 % 60, "getSeconds": of // 1000 % 60,
            "getMilliseconds": of % 1000, "getDayOfWeek": date.isoweekday() % 7,
            "getDayOfYear": date.timetuple().tm_yday - 1}[name]


def member(got, name):
    if name not in got:
        raise Undefined
    return got[name]


def logic(decisive, world, *parts):
    was_undefined = False
    for part in parts:
        try:
            if value(part, world) == decisive:
                return decisive
        except Undefined:
            was_undefined = True
    if was_undefined:
        raise Undefined
    return not decisive


def has_cell(world, table, key, column):
    return column in TABLES[table].get(computed(key, world), {})


def constant(_world, kind, got):
    return {"duration": Duration, "time": Time, "severity": lambda name: Severity(SEVERITIES.index(name))}.get(
        kind, type(got))(got)


# These see the world and compute what operands they need.
LAZY = {
    "const": constant,
    "and": functools.partial(logic, False), "or": functools.partial(logic, True),
    "?:": lambda world, c, a, b: value(a if value(c, world) else b, world),
    "has cell": has_cell,
    "labels": lambda world: len(world.labels),
    "label of": lambda world, name: member(world.labels, value(name, world)),
    "in labels": lambda world, name: value(name, world) in world.labels,
}
# These compute all of them first.
STRICT = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "+": functools.partial(arithmetic, operator.add), "-": functools.partial(arithmetic, operator.sub),
    "*": functools.partial(arithmetic, operator.mul), "/": functools.partial(arithmetic, operator.truediv),
    "%": functools.partial(arithmetic, operator.mod), "neg": negative, "not": operator.not_,
    "size": len, "int": to_int, "double": to_double, "string": text_of, "part": part_of,
    "lower": lower,
    "upper": lambda a: re.sub("[a-z]+", lambda found: found[0].upper(), a),
    "in": lambda a, *items: a in items,
    "in set": lambda a, name: a in (SETS[name] if isinstance(a, str) else list(map(float, SETS[name]))),
    "in table": lambda name, a: a in TABLES[name],
    "cell": lambda name, key, column: member(member(TABLES[name], key), column),
    "startsWith": str.startswith, "endsWith": str.endswith, "contains": operator.contains,
    "matches": lambda a, pattern: re.search(pattern, a, re.ASCII) is not None,
    "severity_of": lambda a: Severity(member(SEVERITY_WORDS, lower(a).replace("-", " ").replace("_", " "))),
}


def value(tree, world):
    op, *args = tree
    if op in LAZY:
        return LAZY[op](world, *args)
    if op in STRICT:
        return STRICT[op](*(value(arg, world) if type(arg) is tuple else arg for arg in args))
    return getattr(world, op)(*args)  # what only the world knows: field, has, aggregate, quiet ...


def computed(tree, world):
    """Its value, or None."""
    try:
        return value(tree, world)
    except Undefined:
        return None


def is_true(tree, world):
    return computed(tree, world) is True


def parts_of(tree):
    """The tree and all trees in it."""
    yield tree
    for arg in tree:
        if type(arg) is tuple:
            yield from parts_of(arg)


def is_volatile(tree):
    """Whether it reads what may differ in a repeat."""
    return any(part[0] == "field" and part[1] in ("message", "value", "ts", "age") for part in parts_of(tree))

"""The values of expressions, written a second time, and their text as rules have them.

A tree is a list: an operation and its operands. What cannot be computed raises Undefined, which
`and` and `or` absorb as CEL has it. See docs/rules.md, "Expressions".
"""
import csv
import io
import json
import re

SEVERITIES = ["ok", "debug", "info", "warning", "minor", "major", "critical"]
UNSTABLE = ("message", "value", "ts", "age")
TIME_MIN, TIME_MAX = -62135596800000, 253402300799999

# What the rules of every scenario may look up.
SETS = {"core": ["h1", "s1", "c1", "r2"], "few": ["2", "4.0", "-3", "1e0"]}
TABLES = {"owners": [{"name": "h1", "team": "db", "rank": "3"}, {"name": "c1", "team": "web"},
                     {"name": "s2", "rank": "x"}, {"name": "r1", "team": "a \"b\", c", "rank": "-12"}]}


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


def real(number):
    if number != number or number in (float("inf"), float("-inf")):
        raise Undefined
    return number


def time(ms):
    if not TIME_MIN <= ms <= TIME_MAX:
        raise Undefined
    return Time(ms)


def is_number(value):
    return type(value) in (int, float)


def arithmetic(op, a, b):
    if type(a) is str:
        return a + b
    if is_number(a) and (type(a) is float or type(b) is float):
        if op == "/" and b == 0:
            raise Undefined
        a, b = float(a), float(b)
        return real({"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b}[op]())
    if op in "/%":
        if b == 0:
            raise Undefined
        quotient = whole(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))
        return quotient if op == "/" else a - quotient * b
    got = whole({"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[op])
    if Time in (type(a), type(b)):
        return Duration(got) if type(a) is type(b) else time(got)
    return Duration(got) if type(a) is Duration else got


def number_text(number):
    if abs(number) < 1e15 and number == int(number):
        return str(int(number))
    for digits in (15, 16, 17):
        text = "%.*g" % (digits, number)
        if float(text) == number:
            break
    return text


def duration_text(ms):
    out, left = "-" if ms < 0 else "", abs(ms)
    for unit, size in (("h", 3600000), ("m", 60000), ("s", 1000), ("ms", 1)):
        if left // size:
            out += f"{left // size}{unit}"
        left %= size
    return out if ms else "0ms"


def civil(ms):
    """Year, month, day, hour, minute, second, millisecond, day of the week and of the year."""
    days, rest = divmod(ms, 86400000)
    year = 1970 + days // 366 - 1 if days >= 0 else 1970 + days // 365 - 1
    while first_day(year + 1) <= days:
        year += 1
    month, day = 0, days - first_day(year)
    in_year = day
    lengths = [31, 29 if is_leap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    while day >= lengths[month]:
        day -= lengths[month]
        month += 1
    return (year, month, day, rest // 3600000, rest // 60000 % 60, rest // 1000 % 60, rest % 1000,
            (days + 4) % 7, in_year)


def is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def first_day(year):
    """Of a year, in days since 1970."""
    y = year - 1
    return y * 365 + y // 4 - y // 100 + y // 400 - 719162


def time_text(ms):
    year, month, day, hour, minute, second, milli, _, _ = civil(ms)
    fraction = ".%03d" % milli if milli else ""
    return "%04d-%02d-%02dT%02d:%02d:%02d%sZ" % (year, month + 1, day + 1, hour, minute, second, fraction)


def text_of(value):
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is Severity:
        return SEVERITIES[value]
    if type(value) is Duration:
        return duration_text(value)
    if type(value) is Time:
        return time_text(value)
    return number_text(value) if type(value) is float else str(value)


def convert(op, value):
    if op == "string":
        return text_of(value)
    if op == "int":
        if type(value) is str:
            if not re.fullmatch(r"[+-]?[0-9]+", value):
                raise Undefined
            return whole(int(value))
        return value // 1000 if type(value) is Time else whole(int(value))
    if type(value) is str:
        if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", value) or len(value) > 100:
            raise Undefined
    return real(float(value))


def find_row(table, key):
    return next((row for row in TABLES[table] if row["name"] == key), None)


def part_of(name, value):
    if type(value) is Duration:
        size = {"getHours": 3600000, "getMinutes": 60000, "getSeconds": 1000}.get(name)
        sign = -1 if value < 0 else 1
        return sign * (abs(value) // size if size else abs(value) % 1000)
    year, month, day, hour, minute, second, milli, of_week, of_year = civil(value)
    return {"getFullYear": year, "getMonth": month, "getDate": day + 1, "getDayOfMonth": day,
            "getHours": hour, "getMinutes": minute, "getSeconds": second, "getMilliseconds": milli,
            "getDayOfWeek": of_week, "getDayOfYear": of_year}[name]


def field(name, event):
    if name == "value":
        if event.value is None:
            raise Undefined
        return float(event.value)
    if name == "severity":
        return Severity(event.severity)
    if name in ("ts", "age"):
        return Time(event.ts) if name == "ts" else Duration(event.et - event.ts)
    return event.field(name)


def logic(op, parts, event, counts):
    decisive, was_undefined = op == "or", False
    for part in parts:
        try:
            if value(part, event, counts) == decisive:
                return decisive
        except Undefined:
            was_undefined = True
    if was_undefined:
        raise Undefined
    return not decisive


CASES = {"lower": str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"),
         "upper": str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def value(tree, event, counts=None):
    op, *args = tree
    if op == "field":
        return field(args[0], event)
    if op == "label":
        if args[0] not in event.labels:
            raise Undefined
        return event.labels[args[0]]
    if op == "count":
        return counts[tuple(args[0])]
    if op == "const":
        kind, number = args
        return {"duration": Duration, "time": Time}.get(kind, type(number))(number)
    if op == "severity":
        return Severity(SEVERITIES.index(args[0]))
    if op in ("and", "or"):
        return logic(op, args, event, counts)
    if op == "has":
        return args[0] in event.labels
    if op == "labels":
        return len(event.labels)
    if op == "?:":
        return value(args[1] if value(args[0], event, counts) else args[2], event, counts)
    if op == "has cell":
        try:
            row = find_row(args[0], value(args[1], event, counts))
        except Undefined:
            return False
        return row is not None and args[2] in row
    # All others compute their operands first.
    got = [value(arg, event, counts) if type(arg) is list else arg for arg in args]
    if op == "not":
        return not got[0]
    if op in ("==", "!=", "<", "<=", ">", ">="):
        a, b = got
        return {"==": a == b, "!=": a != b, ">=": a >= b, ">": a > b, "<=": a <= b, "<": a < b}[op]
    if op in ("+", "-", "*", "/", "%"):
        return arithmetic(op, *got)
    if op == "neg":
        return type(got[0])(whole(-got[0]) if type(got[0]) is not float else -got[0])
    if op == "size":
        return len(got[0])
    if op in ("int", "double", "string"):
        return convert(op, got[0])
    if op in CASES:
        return got[0].translate(CASES[op])
    if op == "label of":
        if got[0] not in event.labels:
            raise Undefined
        return event.labels[got[0]]
    if op == "in labels":
        return got[0] in event.labels
    if op == "in":
        return got[0] in got[1:]
    if op == "in set":
        words = SETS[got[1]]
        return got[0] in (words if type(got[0]) is str else [float(word) for word in words])
    if op == "in table":
        return find_row(got[0], got[1]) is not None
    if op == "cell":
        row = find_row(got[0], got[1])
        if row is None or got[2] not in row:
            raise Undefined
        return row[got[2]]
    if op == "startsWith":
        return got[0].startswith(got[1])
    if op == "endsWith":
        return got[0].endswith(got[1])
    if op == "contains":
        return got[1] in got[0]
    if op == "matches":
        return re.search(got[1], got[0], re.ASCII) is not None
    if op == "part":
        name, zone, of = got
        return part_of(name, of + zone * 60000 if type(of) is Time else of) if zone is not None else part_of(name, of)
    raise AssertionError(op)


def reads(tree, names):
    """Whether a field of these is read."""
    if tree[0] == "field":
        return tree[1] in names
    return any(reads(arg, names) for arg in tree[1:] if type(arg) is list)


# ---- as rules write it ----


def constant_text(kind, number):
    if kind == "text":
        return json.dumps(number)
    if kind == "duration":
        return duration_text(number)
    if kind == "time":
        return f"timestamp({json.dumps(time_text(number))})"
    return json.dumps(number)


def zone_text(minutes):
    return "UTC" if minutes == 0 else "%s%02d:%02d" % ("-" if minutes < 0 else "+", *divmod(abs(minutes), 60))


def text(tree):
    op, *args = tree
    if op == "field":
        return args[0]
    if op == "label":
        return f"labels.{args[0]}"
    if op == "count":
        return "count()" if args[0][0] == "count" else f"distinct({args[0][1]})"
    if op == "const":
        return constant_text(*args)
    if op == "severity":
        return args[0].upper()
    if op == "has":
        return f"has(labels.{args[0]})"
    if op == "labels":
        return "size(labels)"
    got = [text(arg) if type(arg) is list else arg for arg in args]
    if op == "not":
        return f"!({got[0]})"
    if op == "neg":
        return f"-({got[0]})"
    if op in ("and", "or"):
        return "(" + (" && " if op == "and" else " || ").join(got) + ")"
    if op == "?:":
        return "(%s ? %s : %s)" % tuple(got)
    if op == "has cell":
        return f"has({got[0]}[{got[1]}].{got[2]})"
    if op == "cell":
        return f"{got[0]}[{got[1]}].{got[2]}"
    if op == "in table":
        return f"({got[1]} in {got[0]})"
    if op == "in set":
        return f"({got[0]} in {got[1]})"
    if op == "in labels":
        return f"({got[0]} in labels)"
    if op == "in":
        return f"({got[0]} in [{', '.join(got[1:])}])"
    if op == "label of":
        return f"labels[{got[0]}]"
    if op in ("size", "int", "double", "string"):
        return f"{op}({got[0]})"
    if op in CASES:
        return f"({got[0]}).{op}Ascii()"
    if op in ("startsWith", "endsWith", "contains"):
        return f"({got[0]}).{op}({got[1]})"
    if op == "matches":
        return f"({got[0]}).matches({json.dumps(got[1])})"
    if op == "part":
        return f"({got[2]}).{got[0]}({'' if got[1] is None else json.dumps(zone_text(got[1]))})"
    return f"({got[0]} {op} {got[1]})"


def lookups_yaml():
    """Their definitions; the tables lie in files beside the rules."""
    lines = ["sets:"]
    lines += [f"  {name}: {json.dumps(words)}" for name, words in SETS.items()]
    lines += ["tables:"] + [f"  {name}: {{file: {name}.csv, key: name}}" for name in TABLES]
    return lines


def table_files():
    for name, rows in TABLES.items():
        out = io.StringIO()
        columns = sorted({column for row in rows for column in row})
        writer = csv.DictWriter(out, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
        yield f"{name}.csv", out.getvalue()

"""Which random conditions are refused because nothing can meet them: two sides of an `and` over one
field or label that exclude each other. See docs/rules.md, "What can never be true"."""
import operator

from values import SEVERITIES

COMPARE = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
           ">=": operator.ge}


def chain(tree):
    return [side for part in tree[1:] for side in chain(part)] if tree[0] == "and" else [tree]


def constant_of(tree):
    """The value of a constant, None for what is none."""
    if tree[0] != "const":
        return None
    return SEVERITIES.index(tree[2]) if tree[1] == "severity" else tree[2]


def test_of(tree):
    """(field, relation, the constants that it is compared with), or None."""
    op = tree[0]
    if op not in COMPARE and op not in ("in", "startsWith") or tree[1][0] != "field":
        return None
    constants = [constant_of(item) for item in tree[2:]]
    return None if None in constants else (tree[1][1], op, constants)


def meets(value, test):
    _, op, items = test
    if op == "in":
        return value in items
    return value.startswith(items[0]) if op == "startsWith" else COMPARE[op](value, items[0])


def exclude(a, b):
    for exact, other in ((a, b), (b, a)):
        if exact[1] in ("==", "in"):
            return not any(meets(value, other) for value in exact[2])
    if "startsWith" in (a[1], b[1]):
        x, y = a[2][0], b[2][0]
        return a[1] == b[1] and not x.startswith(y) and not y.startswith(x)
    if a[1][0] == b[1][0] or "!=" in (a[1], b[1]):
        return False
    low, high = (a, b) if a[1][0] == ">" else (b, a)
    if low[2][0] == high[2][0]:
        return ">" == low[1] or "<" == high[1]
    return low[2][0] > high[2][0]


def is_impossible(tree):
    if not isinstance(tree, list) or not tree:
        return False
    if tree == ["not", [">=", ["field", "check"], ["const", "text", ""]]]:
        return True
    if tree[0] == "and":
        tests = [test for test in map(test_of, chain(tree)) if test]
        for i, a in enumerate(tests):
            if any(a[0] == b[0] and exclude(a, b) for b in tests[:i]):
                return True
    return any(is_impossible(part) for part in tree[1:])

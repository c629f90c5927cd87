"""Which random conditions are refused because nothing can meet them: two sides of an `and` over one
field or label that exclude each other. See docs/rules.md, "What can never be true"."""
import oracle


def chain(tree):
    if tree[0] == "and":
        return [side for part in tree[1:] for side in chain(part)]
    if tree[0] == "expression":
        return chain(tree[1])
    return [tree]


def test_of(tree):
    """(field, what holds of a value, the values that it names or None, bounds), or None."""
    op = tree[0]
    if op in ("severity", "value", "age"):
        relation, constant = tree[1], tree[2]
        if op == "severity":
            constant = oracle.SEVERITIES.index(constant)
        return op, relation, [constant]
    if op == "in":
        subject, items = subject_of(tree[1]), tree[2:]
        if subject and all(item[0] == "const" for item in items):
            return subject, "in", [item[2] for item in items]
        return None
    if op in ("==", "!=", "<", "<=", ">", ">=", "startsWith"):
        if type(tree[1]) is str:
            return tree[1], op, [tree[2]]
        subject = subject_of(tree[1])
        if subject and tree[2][0] == "const":
            return subject, op, [tree[2][2]]
    return None


def subject_of(tree):
    return tree[1] if tree[0] == "field" else "labels." + tree[1] if tree[0] == "label" else None


def meets(value, test):
    _, op, items = test
    if op == "in":
        return value in items
    if op == "startsWith":
        return value.startswith(items[0])
    return oracle.compare(op, value, items[0])


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
    if tree[0] == "and":
        tests = [test for test in map(test_of, chain(tree)) if test]
        for i, a in enumerate(tests):
            if any(a[0] == b[0] and exclude(a, b) for b in tests[:i]):
                return True
    return any(is_impossible(part) for part in tree[1:])

"""`why` of an opening, the words of the incident log that say what brought it about: docs/correlation.md, section 4.

Nothing else reads them.
"""
import math

from frame.lines import listed
from frame.trees import aggregates_in
from values import Counted, computed, duration_text, number_text

WHY_VALUES = 5
NOUNS = {"alerts": "alert", "events": "event", "incidents": "incident", "flapping": "flapping alert"}
RELATIONS = {  # turned round; with its sides exchanged
    "<": (">=", ">"), "<=": (">", ">="), ">": ("<=", "<"), ">=": ("<", "<="), "==": ("!=", "=="), "!=": ("==", "!=")}
ASKED = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most", "==": "exactly", "!=": "other than"}


def bearing(tree, world, turned=False):
    """The leaves that bear a tree that is true, or with `turned` its being false; and whether they are turned round."""
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


def shown(number):
    return "nothing" if number is None else number_text(number)


def within(rule):
    frame = {"open": "open now", "session": "in a session with gaps below "}.get(rule.window, "in ")
    return frame + (duration_text(rule.window_ms) if rule.window_ms else "")


def of_aggregate(window, part, needs):
    (_, text, kind, *over), rule, n = part, window.rule, window.counts[part]
    plural = "" if n == 1 else "s"
    if kind == "count":
        return f"{n} {NOUNS[rule.on]}{plural} {within(rule)}{needs}"
    if kind == "distinct":
        field = over[0][1]
        texts = [text or "(none)" for text in dict.fromkeys(entry.event.text(field) for entry in window.entries)]
        return f"{n} different value{plural} of {field} {within(rule)}{needs}: {listed(texts, WHY_VALUES)}"
    if kind == "deviation":
        return of_deviation(window, part, n, needs)
    return f"{text} is {shown(n)} {within(rule)}{needs}"


def of_deviation(window, part, n, needs):
    (x, k, mean, _), learn = window.known[part], window.rule.baseline["learn"]
    said = f"{part[3][1]} is {shown(x)} {within(window.rule)}, "
    if n is None:
        return f"{said}{k}{'' if k > learn else f' of {learn}'} seasons known"
    n, mean = (number_text(float(f"{number:.4g}")) for number in (n, mean))
    return f"{said}{n} standard deviations{needs} from its mean {mean} of {k} seasons"


def of_window(window):
    rule, said = window.rule, []
    leaves = list(bearing(rule.when, Counted(window.counts)))
    bear = [part for part in rule.aggregates if any(part in aggregates_in(leaf, False) for leaf, _ in leaves)]
    for part in bear or rule.aggregates:
        needs = list(dict.fromkeys(filter(None, (need(leaf, turned, part) for leaf, turned in leaves))))
        said.append(of_aggregate(window, part, f" (needs {', '.join(needs)})" if needs else ""))
    return "; ".join(said + [f"held for {duration_text(rule.for_ms)}"] * (rule.for_ms > 0))


def of_steps(rule, match):
    came = [step["name"] for step in rule.steps if not step.get("not")]
    said = [f"{name}: {entry.event.check or '(none)'} on {entry.event.resource or '(none)'}"
            for name, entry in zip(came, match)]
    if rule.in_order:
        said[1:] = [f"{text} {duration_text(after.time - before.time)} later"
                    for text, before, after in zip(said[1:], match, match[1:])]
        said += [f"no {rule.steps[-1]['name']}"] * bool(rule.steps[-1].get("not"))
    return (", then " if rule.in_order else " and ").join(said) + f" (within {duration_text(rule.window_ms)})"


def of_absence(every_ms, since, is_listing, now):
    missed = duration_text(now - since)
    said = f"nothing since it was listed, {missed} ago" if is_listing else f"nothing for {missed}"
    return f"{said} (expects an event every {duration_text(every_ms)})"

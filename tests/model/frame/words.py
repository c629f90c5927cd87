"""Words of the incident log, docs/correlation.md, section 4: titles, and `why`, what brought an opening about, which
nothing reads; and the messages of self-alerts."""
import copy
import math

from frame.lines import cut, listed
from frame.trees import aggregates_in
from values import SEVERITIES, computed, duration_text, number_text

TITLE_BYTES, WHY_BYTES, WHY_VALUES = 255, 300, 5
NOUNS = {"alerts": "alert", "events": "event", "incidents": "incident", "flapping": "flapping alert"}
RELATIONS = {  # turned round; with its sides exchanged
    "<": (">=", ">"), "<=": (">", ">="), ">": ("<=", "<"), ">=": ("<", "<="), "==": ("!=", "=="), "!=": ("==", "!=")}
SELF_ALERTS = {  # of one and of more, and what is said of them
    "no-longer-watched": ("incident {} is", "incidents {} are", "no longer watched: a bound was reached"),
    "keys-evicted": ("key {} was", "keys {} were", "given up within {}: max_keys was reached"),
    "members-evicted": ("entry {} was", "entries {} were", "pushed out within {}: max_members was reached")}
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
    (_, text, kind, *over), rule, n = part, window.rule, computed(part, window)
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
    (x, k, mean, _), learn = window.known(part[3]), window.rule.baseline["learn"]
    said = f"{part[3][1]} is {shown(x)} {within(window.rule)}, "
    if n is None:
        return f"{said}{k}{'' if k > learn else f' of {learn}'} seasons known"
    n, mean = (number_text(float(f"{number:.4g}")) for number in (n, mean))
    return f"{said}{n} standard deviations{needs} from its mean {mean} of {k} seasons"


def of_window(window):
    rule, said = window.rule, []
    leaves = list(bearing(rule.when, window))
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


def title_of(key, event):
    """Pieces of text, and expressions over the event and what its key counts; what cannot be computed is nothing."""
    world = copy.copy(event)
    world.aggregate = key.aggregate
    pieces = [part if isinstance(part, str) else computed(("string", part), world) or "" for part in key.rule.title]
    return cut("".join(pieces), TITLE_BYTES)


def of_bound(check, rule_id, n, minute):
    one, many, says = SELF_ALERTS[check]
    return f"{n} {one if n == 1 else many} {says}".format("of rule " + rule_id, duration_text(minute))


def of_shedding(place, behind, below, count):
    if below:
        what = f"events of severity below {SEVERITIES[below]} are left out, but for clears"
        return f"{place} is {duration_text(behind)} behind: {what}"
    return f"{place} is read in full again: {count} event{'s were' if count != 1 else ' was'} left out"


def of_blindness(place, begins):
    return f"{place} {'cannot be read: what it holds is not correlated' if begins else 'can be read again'}"

"""Conditions and titles of random rules, as trees of values.py: short ways to write them, and what can be said of them."""
import math
import re


COUNT = ["aggregate", "count()", "count"]


def distinct(field):
    return ["aggregate", f"distinct({field})", "distinct", ["field", field]]


def compare(relation, field, kind, constant):
    return [relation, ["field", field], ["const", kind, constant]]


def is_text(relation, field, constant):
    return compare(relation, field, "text", constant)


def among(field, words):
    return ["in", ["field", field]] + [["const", "text", word] for word in words]


def at_least(aggregate, number, relation=">="):
    return [relation, aggregate, ["const", "int", number]]


def aggregates_of(tree):
    """In order of first appearance."""
    if tree[0] == "aggregate" and tree[2] == "deviation":
        return aggregates_of(tree[3]) + [tree]
    found = [tree] if tree[0] == "aggregate" else [a for part in tree[1:] if isinstance(part, list)
                                                   for a in aggregates_of(part)]
    return [a for i, a in enumerate(found) if a not in found[:i]]


def parts_of(title):
    """Of a title: pieces of text, and fields where names stand in braces."""
    if isinstance(title, list):
        return title
    parts = [["field", part[1:-1]] if part[0] == "{" else part for part in re.findall(r"\{[^}]*\}|[^{]+", title)]
    return parts


def reachable(tree, members):
    """The same condition with numbers that a window of so many entries can show: a rule that can
    never fire is refused."""
    op, *args = tree
    if op in (">=", ">") and is_count(args[0]) and args[1][0] == "const":
        return [op, args[0], ["const", "int", min(math.ceil(args[1][2]), members - (op == ">"))]]
    if op in ("<=", "<") and is_count(args[1]) and args[0][0] == "const":
        return [op, ["const", "int", min(math.ceil(args[0][2]), members - (op == "<"))], args[1]]
    return [reachable(arg, members) if isinstance(arg, list) and arg[0] != "const" else arg for arg in tree]


def is_count(tree):
    return tree[0] == "aggregate" and tree[2] in ("count", "distinct")


def rule_by(rule):
    return rule["by"] if "tenant" in rule["by"] else ["tenant"] + rule["by"]

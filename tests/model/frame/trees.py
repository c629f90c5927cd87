"""Trees of expressions: lists of JSON as tuples, which can be keys, and what is in them."""


def frozen(tree):
    if isinstance(tree, dict):
        return {name: frozen(part) for name, part in tree.items()}
    return tuple(map(frozen, tree)) if isinstance(tree, (list, tuple)) else tree


def parts_of(tree):
    """The tree and all trees in it."""
    yield tree
    for arg in tree:
        if type(arg) is tuple:
            yield from parts_of(arg)


def aggregates_in(tree, inner=True):
    """In order of first appearance, and with `inner` those that a deviation is of, before it."""
    if tree[:1] != ("aggregate",):
        return [found for part in tree if type(part) is tuple for found in aggregates_in(part, inner)]
    return (aggregates_in(tree[3]) if inner and tree[2] == "deviation" else []) + [tree]

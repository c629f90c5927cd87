/* order_tree.c - see order_tree.h. Recursion is as deep as the tree: 2.4 times log2 of its size. */
#include "correlate/order_tree.h"

#include <assert.h>
#include <string.h>

enum { NODES_MIN = 32 };

static uint64_t weight(const struct order_node *nodes, uint32_t node)
{
    return (uint64_t)nodes[node].size + 1;
}

static void size_set(struct order_node *nodes, uint32_t node)
{
    nodes[node].size = 1 + nodes[nodes[node].left].size + nodes[nodes[node].right].size;
}

static uint32_t rotate_left(struct order_node *nodes, uint32_t node)
{
    uint32_t up = nodes[node].right;

    nodes[node].right = nodes[up].left;
    nodes[up].left = node;
    size_set(nodes, node);
    size_set(nodes, up);
    return up;
}

static uint32_t rotate_right(struct order_node *nodes, uint32_t node)
{
    uint32_t up = nodes[node].left;

    nodes[node].left = nodes[up].right;
    nodes[up].right = node;
    size_set(nodes, node);
    size_set(nodes, up);
    return up;
}

/* One of the sides has changed by one node. Returns the new root. */
static uint32_t balance(struct order_node *nodes, uint32_t node)
{
    uint32_t left = nodes[node].left, right = nodes[node].right;

    if (weight(nodes, right) > 3 * weight(nodes, left)) {
        if (weight(nodes, nodes[right].left) >= 2 * weight(nodes, nodes[right].right))
            nodes[node].right = rotate_right(nodes, right);
        return rotate_left(nodes, node);
    }
    if (weight(nodes, left) > 3 * weight(nodes, right)) {
        if (weight(nodes, nodes[left].right) >= 2 * weight(nodes, nodes[left].left))
            nodes[node].left = rotate_left(nodes, left);
        return rotate_right(nodes, node);
    }
    size_set(nodes, node);
    return node;
}

static uint32_t add(struct order_node *nodes, uint32_t at, uint32_t node)
{
    if (at == 0)
        return node;
    if (nodes[node].number < nodes[at].number)
        nodes[at].left = add(nodes, nodes[at].left, node);
    else
        nodes[at].right = add(nodes, nodes[at].right, node);
    return balance(nodes, at);
}

/* Takes the smallest out of the tree at `at`, into *least. */
static uint32_t take_least(struct order_node *nodes, uint32_t at, uint32_t *least)
{
    if (nodes[at].left == 0) {
        *least = at;
        return nodes[at].right;
    }
    nodes[at].left = take_least(nodes, nodes[at].left, least);
    return balance(nodes, at);
}

static uint32_t take(struct order_node *nodes, uint32_t at, double number, uint32_t *taken)
{
    assert(at != 0);
    if (number < nodes[at].number) {
        nodes[at].left = take(nodes, nodes[at].left, number, taken);
    } else if (number > nodes[at].number) {
        nodes[at].right = take(nodes, nodes[at].right, number, taken);
    } else {
        uint32_t left = nodes[at].left, right = nodes[at].right, up;
        *taken = at;
        if (left == 0 || right == 0)
            return left + right;
        right = take_least(nodes, right, &up);
        nodes[up].left = left;
        nodes[up].right = right;
        return balance(nodes, up);
    }
    return balance(nodes, at);
}

static void grow(struct order_tree *tree, struct slab *slab)
{
    uint32_t room = tree->room > 0 ? tree->room * 2 : NODES_MIN;
    struct order_node *nodes = slab_alloc(slab, room * sizeof(*nodes));

    if (tree->room > 0)
        memcpy(nodes, tree->nodes, tree->room * sizeof(*nodes));
    else
        nodes[0] = (struct order_node){0};
    slab_free(slab, tree->nodes, tree->room * sizeof(*nodes));
    tree->nodes = nodes;
    tree->used = tree->room > 0 ? tree->used : 1;
    tree->room = room;
}

void order_tree_add(struct order_tree *tree, double number, struct slab *slab)
{
    uint32_t node = tree->free;

    if (node != 0) {
        tree->free = tree->nodes[node].left;
    } else {
        if (tree->used == tree->room)
            grow(tree, slab);
        node = tree->used++;
    }
    tree->nodes[node] = (struct order_node){.number = number, .size = 1};
    tree->root = add(tree->nodes, tree->root, node);
}

void order_tree_take(struct order_tree *tree, double number)
{
    uint32_t taken = 0;

    tree->root = take(tree->nodes, tree->root, number, &taken);
    tree->nodes[taken].left = tree->free;
    tree->free = taken;
}

double order_tree_at(const struct order_tree *tree, uint32_t rank)
{
    const struct order_node *nodes = tree->nodes;
    uint32_t at = tree->root;

    assert(rank >= 1);
    assert(rank <= order_tree_count(tree));
    for (;;) {
        uint32_t before = nodes[nodes[at].left].size;
        if (rank <= before) {
            at = nodes[at].left;
        } else if (rank == before + 1) {
            return nodes[at].number;
        } else {
            rank -= before + 1;
            at = nodes[at].right;
        }
    }
}

void order_tree_free(struct order_tree *tree, struct slab *slab)
{
    slab_free(slab, tree->nodes, tree->room * sizeof(*tree->nodes));
}

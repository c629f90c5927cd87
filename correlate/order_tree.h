/*
 * order_tree.h - numbers in order, to ask for the k-th smallest: every operation is O(log n).
 *
 * A binary search tree whose nodes know how many are below them, kept in balance by these sizes:
 * neither side of a node weighs more than three times the other. Nothing in it is random, so no
 * input makes it deep. Equal numbers are nodes of their own.
 *
 * Source: Y. Hirai, K. Yamamoto, "Balancing weight-balanced trees", Journal of Functional
 * Programming 21(3), 2011: the ratios 3 and 2 are proven there.
 *
 * Owner:  its nodes lie in one block of the worker's slab, which grows by doubling.
 * Thread: the owner of the slab.
 */
#ifndef CORRELATE_ORDER_TREE_H
#define CORRELATE_ORDER_TREE_H

#include <stdint.h>
#include "base/slab.h"

struct order_node {
    double number;
    uint32_t left, right; /* 0: none; of a free node `left` is the next free one */
    uint32_t size;        /* of the tree whose root it is */
};

/* All zero: empty. */
struct order_tree {
    struct order_node *nodes; /* node 0 stands for none */
    uint32_t root, free, used, room;
};

void order_tree_add(struct order_tree *tree, double number, struct slab *slab);

/* Takes out one that was added. */
void order_tree_take(struct order_tree *tree, double number);

static inline uint32_t order_tree_count(const struct order_tree *tree)
{
    return tree->root == 0 ? 0 : tree->nodes[tree->root].size;
}

/* The number of that rank, from 1 to the count, in ascending order. */
double order_tree_at(const struct order_tree *tree, uint32_t rank);

void order_tree_free(struct order_tree *tree, struct slab *slab);

#endif

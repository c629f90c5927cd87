/*
 * import_expr.h - a condition under construction, and its text in the rule language.
 *
 * The rule language takes the comparison of an absent label for an error, and so is its
 * negation; in Sigma and Alertmanager an absent field is simply unequal, and its negation
 * holds. Where a term stands under a `!` it is therefore printed with the test that the
 * field is there: `!(has(labels.a) && labels.a == "x")`. Without a `!` above it an error
 * and a false mean the same, and the test is left away.
 *
 * Joining simplifies: what is always true or false goes, nested `&&` and `||` become one.
 * A condition of more than EXPR_NODES_MAX nodes is cut and marked (`is_full`): the rule
 * language takes 16 KiB, which that many terms pass.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_IMPORT_EXPR_H
#define DAEMON_IMPORT_EXPR_H

#include "daemon/import_text.h"

enum {
    EXPR_NODES_MAX = 2000,
    EXPR_NODE_BYTES = 8, /* a long term counts as one node for each of these */
};

enum expr_kind { EXPR_TRUE, EXPR_FALSE, EXPR_TERM, EXPR_NOT, EXPR_AND, EXPR_OR };

struct expr {
    enum expr_kind kind;
    const char *text;  /* of a term */
    const char *guard; /* tests that the field of a term is there; NULL: not needed */
    bool is_call;      /* a term that needs no parentheses below `!` */
    struct expr *first, *last, *next;
};

struct expr_build {
    struct import_pool *pool;
    uint32_t nodes;
    bool is_full;
};

struct expr *expr_constant(struct expr_build *build, bool is_true);

/* A comparison, `a == "b"`; or, with `is_call`, something like `has(a)`. Both texts are borrowed
 * for as long as the tree lives. */
struct expr *expr_term(struct expr_build *build, const char *text, const char *guard, bool is_call);

struct expr *expr_not(struct expr_build *build, struct expr *expr);

/* AND or OR of two; either may be NULL and then is not there. Takes both. */
struct expr *expr_join(struct expr_build *build, enum expr_kind kind, struct expr *a,
                       struct expr *b);

/* The text; with `indent` above 0 the parts of an outermost && or || stand on lines of their own
 * where one line would be long. */
void expr_print(const struct expr *expr, struct import_text *text, unsigned indent);

#endif

/*
 * unicode.h - sets of characters by what Unicode says of them: \p{Greek}, \pL, and what (?i) makes
 * the same.
 *
 * Categories and scripts are those that RE2 knows (https://github.com/google/re2/wiki/Syntax);
 * folding is the simple one of Unicode, as there: one character for one.
 *
 * Memory:  a set is large (some 100 KiB) and lies where its caller says; nothing is allocated.
 * Thread:  the tables are constant.
 */
#ifndef RULES_UNICODE_H
#define RULES_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    UNICODE_CHARACTER_MAX = 0x10ffff,
    /* A joined set has at most as many ranges as there are runs of categories and scripts, some
     * 5,600, and those of a pattern's class; folding adds some thousand at most before they are
     * joined again. */
    UNICODE_SET_MAX = 12000,
    UNICODE_RING_MAX = 4, /* characters that fold to the same */
};

struct unicode_range {
    uint32_t low, high;
};

/* Written up to `count`. */
struct unicode_set {
    uint32_t count;
    struct unicode_range range[UNICODE_SET_MAX];
};

/* Is there a category, a script or "Any" of this name? */
bool unicode_has_property(const char *name, uint32_t bytes);

void unicode_set_add(struct unicode_set *set, uint32_t low, uint32_t high);

/* Adds all that have the property, which there is. */
void unicode_set_add_property(struct unicode_set *set, const char *name, uint32_t bytes);

/* Puts the ranges in order and joins those that touch. */
void unicode_set_join(struct unicode_set *set);

/* Of a set that is joined, and stays so: adds what folds to the same as something in it; turns it
 * into all others. */
void unicode_set_fold(struct unicode_set *set);
void unicode_set_negate(struct unicode_set *set);

/* The character, and those that fold to the same; how many. */
uint32_t unicode_fold_ring(uint32_t character, uint32_t ring[UNICODE_RING_MAX]);

#endif

/*
 * pattern_kinds.h - which characters a program (rules/capture.h) can tell apart, and what its
 * assertions see of those beside a place: for automaton.c and positions.c, which have a row for
 * each kind instead of one for each character.
 *
 *   program: "link [0-9]+"   kinds: l, i, n, k, the space, digits, all others
 *
 * Thread:  kinds are immutable once they are found.
 */
#ifndef RULES_PATTERN_KINDS_H
#define RULES_PATTERN_KINDS_H

#include "rules/capture_program.h"

enum {
    /* More than a pattern of PATTERN_BYTES_MAX bytes has characters. */
    PATTERN_KINDS_MAX = 640,
    PATTERN_KIND_WORDS = PATTERN_KINDS_MAX / 64,
    PATTERN_ASCII = 0x80,
    PATTERN_RANGES_MAX = 8000, /* of characters beyond ASCII that the program tells apart */
    PATTERN_ATOMS_MAX = PATTERN_ASCII + PATTERN_RANGES_MAX,
};

/* What stands next to a place, as far as assertions ask. */
enum pattern_around { AROUND_EDGE, AROUND_LINE_END, AROUND_WORD, AROUND_OTHER, AROUND_COUNT };

struct pattern_kind_set {
    uint64_t bits[PATTERN_KIND_WORDS];
};

static inline bool pattern_kind_set_has(const struct pattern_kind_set *set, uint32_t kind)
{
    return set->bits[kind / 64] >> kind % 64 & 1;
}

static inline void pattern_kind_set_put(struct pattern_kind_set *set, uint32_t kind)
{
    set->bits[kind / 64] |= (uint64_t)1 << kind % 64;
}

struct pattern_kinds {
    bool asks_words, asks_lines; /* do assertions ask for them? */
    uint32_t count, work;        /* kinds; steps that it took to find them */
    uint32_t atom_count;
    uint32_t atom[PATTERN_ATOMS_MAX]; /* characters: all of ASCII, then the first of each range */
    uint16_t atom_kind[PATTERN_ATOMS_MAX];
    struct pattern_kind_set class_kinds[CAPTURE_PROGRAM_MAX]; /* by class: those that are in it */
    /* What each is to assertions, and of which there is any. */
    uint8_t around[PATTERN_KINDS_MAX]; /* enum pattern_around */
    bool has_around[AROUND_COUNT];
};

/* False: the program tells too many apart. */
bool pattern_kinds_find(const struct capture *program, struct pattern_kinds *out);

bool pattern_assertion_holds(enum capture_assertion assertion, enum pattern_around before,
                             enum pattern_around here);

/* The place in ascending `range`, whose first is PATTERN_ASCII, of a character beyond ASCII. */
static inline uint32_t pattern_range_of(const uint32_t *range, uint32_t count, uint32_t character)
{
    uint32_t low = 0;

    /* No branch on what is found: it would be mispredicted half the time. */
    for (uint32_t left = count; left > 1; left -= left / 2)
        low += range[low + left / 2] <= character ? left / 2 : 0;
    return low;
}

#endif

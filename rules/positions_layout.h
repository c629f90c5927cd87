/*
 * positions_layout.h - how positions lie in memory: what positions_make.c makes and positions.c
 * follows; nobody else includes it.
 */
#ifndef RULES_POSITIONS_LAYOUT_H
#define RULES_POSITIONS_LAYOUT_H

#include "rules/pattern_kinds.h"
#include "rules/positions.h"

enum {
    POSITIONS_MAX = CAPTURE_PROGRAM_MAX,
    POSITIONS_WORDS_MAX = (POSITIONS_MAX + 63) / 64,
    POSITIONS_SHIFTS_MAX = 12,
    POSITIONS_LINKS_MAX = 16, /* there are at most as many answers of assertions */
};

/* Words that are not all zero, of a set of positions. */
struct positions_span {
    const uint64_t *words;
    uint8_t first, count;
};

/* Where a position leads that no shift covers. */
struct positions_exit {
    struct positions_span to;
    uint16_t chain;
};

struct positions_shift {
    int distance;         /* -63 to 63 */
    const uint64_t *from; /* with a word of zeros before and behind */
};

/* A chain whose positions all lead to the same ones. */
struct positions_jump {
    struct positions_span from, to;
};

/* What follows what between two characters, for one set of answers of assertions. */
struct positions_link {
    struct positions_span found; /* from here the pattern is found */
    uint32_t shift_count;
    struct positions_shift *shift;
    /* Positions that need not be: where one of them may come next, the one behind it may, too.
     * NULL: there are none. */
    const uint64_t *skips;
    uint32_t jump_count;
    const struct positions_jump *jump;
    const uint64_t *exits;             /* positions that have one */
    const struct positions_exit *exit; /* by position; NULL: there are none */
    uint32_t chain_count;
    const struct positions_span *chain; /* its positions */
};

struct positions {
    uint32_t words;
    uint32_t range_count;
    uint16_t ascii[PATTERN_ASCII]; /* kinds */
    const uint32_t *range;         /* where each begins, ascending */
    const uint16_t *range_kind;
    const uint8_t *kind_around; /* enum pattern_around */
    const uint64_t *takes;      /* by kind: positions that take it */
    const struct positions_link *link[AROUND_COUNT][AROUND_COUNT]; /* before, here */
    /* What need not be followed: texts and, in their order, kinds that all matches hold; the kinds
     * that a match can begin with. */
    struct text prefix, part;
    const struct pattern_kind_set *required;
    uint32_t required_count;
    struct pattern_kind_set first_kinds;
    bool has_first;         /* else it may be empty */
    bool at_start;          /* it can match at the beginning of the text alone */
    bool splits_characters; /* found between the bytes of any character beyond ASCII */
};

/* What a step by this link takes at most when all positions are set, as measured of a hundred
 * patterns: a look at a word, a word of a shift, a chain. */
static inline uint32_t positions_link_ns(const struct positions_link *link, uint32_t words)
{
    uint32_t tenths = 180 + 15 * words + link->shift_count * (15 + 4 * words) +
                      (link->skips != NULL ? 5 * words : 0) + 25 * link->jump_count +
                      link->chain_count * (100 + 10 * words);

    return tenths / 10;
}

#endif

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

/* What follows what between two characters, for one set of answers of assertions. */
struct positions_link {
    struct positions_span found; /* from here the pattern is found */
    uint32_t shift_count;
    struct {
        int distance; /* -63 to 63 */
        const uint64_t *from;
    } shift[POSITIONS_SHIFTS_MAX];
    const uint64_t *exits;             /* positions that have one */
    const struct positions_exit *exit; /* by position; NULL: there are none */
    uint32_t chain_count;
    const struct positions_span *chain; /* its positions */
};

struct positions {
    uint32_t words;
    uint32_t range_count;
    uint8_t ascii[PATTERN_ASCII]; /* kinds */
    const uint32_t *range;        /* where each begins, ascending */
    const uint8_t *range_kind;
    uint8_t kind_around[PATTERN_KINDS_MAX]; /* enum pattern_around */
    const uint64_t *takes;                  /* by kind: positions that take it */
    const struct positions_link *link[AROUND_COUNT][AROUND_COUNT]; /* before, here */
    /* What need not be followed: texts and, in their order, kinds that all matches hold; the kinds
     * that a match can begin with. */
    struct text prefix, part;
    const uint64_t *required;
    uint32_t required_count;
    uint64_t first_kinds; /* 0: it may be empty */
    bool at_start;        /* it can match at the beginning of the text alone */
};

/* What a step by this link takes at most when all positions are set, as measured of a hundred
 * patterns: a look at a word, a word of a shift, a chain. */
static inline uint32_t positions_link_ns(const struct positions_link *link, uint32_t words)
{
    return 10 + words * (3 + link->shift_count) + words * link->shift_count / 4 +
           13 * link->chain_count;
}

#endif

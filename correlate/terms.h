/*
 * terms.h - what of the configuration shows in what stages D to I make of closed time: part of a
 * switch, as the rule set is (semantics X5).
 *
 * How records are read, which ingest goes by, is not among it: it changes between two records of a
 * partition (struct engine_inputs).
 */
#ifndef CORRELATE_TERMS_H
#define CORRELATE_TERMS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/hash.h"

struct engine_terms {
    struct id128 id;        /* what whoever asks for them calls them; nothing goes by it */
    uint32_t alerts_max;    /* bound of the alert table (X4) */
    int64_t expire_ms;      /* an alert silent for this long is over */
    int64_t flap_window_ms; /* changes are counted over this long */
    unsigned flap_start;    /* so many begin flapping; 0: nothing flaps */
    unsigned flap_stop;     /* so many end it; below flap_start */
};

/* Whatever they are called. */
static inline bool engine_terms_equal(const struct engine_terms *a, const struct engine_terms *b)
{
    return a->alerts_max == b->alerts_max && a->expire_ms == b->expire_ms &&
           a->flap_window_ms == b->flap_window_ms && a->flap_start == b->flap_start &&
           a->flap_stop == b->flap_stop;
}

#endif

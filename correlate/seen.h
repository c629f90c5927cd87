/*
 * seen.h - touches that a key of steps holds on to: those of a sequence's chains, and those of
 * the conditions of `all`.
 *
 * One touch may stand in several places of one key, so it counts who holds it. It keeps the
 * words of its event, because an incident says step by step what came.
 *
 * Ledger: a touch is pending from the moment it is held first, and counts once more when it
 * is let go: expired by a timer, retired by another touch, correlated by an incident. What an
 * incident has counted is let go in silence.
 *
 * Thread: the worker that owns the key's lane.
 */
#ifndef CORRELATE_SEEN_H
#define CORRELATE_SEEN_H

#include "correlate/correlation.h"

struct seen {
    int64_t at_ms;
    struct id128 alert;
    struct event_text *words; /* slab */
    uint32_t number;          /* counts up in one key: which came first */
    uint16_t holders;
    uint8_t severity;
    bool is_cleared; /* its alert has cleared since */
    bool is_counted; /* correlated with an incident already */
};

/* Held by the caller alone. `is_counted`: the touch has joined an open incident. */
struct seen *seen_make(struct correlation *c, const struct key_state *key,
                       const struct touch *touch, uint32_t number, bool is_counted);

/* One holder less; the last one counts it as `as`: &c->expired or &c->retired. */
void seen_let_go(struct correlation *c, const struct key_state *key, struct seen *seen,
                 uint64_t *as);

/* Adds touches to an incident that opens, each once, in the order in which they came: the newest
 * of an alert says whether it is open. Reorders `seen`. */
void seen_correlate(struct correlation *c, const struct key_state *key, struct open_incident *open,
                    struct seen **seen, uint32_t count);

/* One holder less, without a word to the ledger: the key itself goes. */
void seen_forget(struct seen *seen, struct slab *slab);

/* Into an image and out of it, where nobody holds it yet; NULL when the image is none. */
void seen_save(const struct seen *seen, struct image_out *out);
struct seen *seen_load(struct image_in *in, struct slab *slab);
enum { SEEN_BYTES_LEAST = 40 }; /* of one in an image */

/* Which of `seen` it is; added at the end where it is none of them. */
uint32_t seen_number(const struct seen *seen, const struct seen **known, uint32_t *count);

/* The event as rules see it. */
struct event_view seen_view(const struct seen *seen);

/* "link-down on sw1/ge0" */
void seen_put(struct text_buffer *to, const struct seen *seen);

#endif

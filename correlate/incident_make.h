/*
 * incident_make.h - builds the snapshots that leave the correlation: ids, texts, copies.
 *
 * Thread: any; nothing is shared.
 */
#ifndef CORRELATE_INCIDENT_MAKE_H
#define CORRELATE_INCIDENT_MAKE_H

#include "correlate/key.h"
#include "correlate/touch.h"

/* What an opening is made of; all borrowed. */
struct opening {
    const struct rule *rule;
    const struct key_text *key;
    const struct window *window; /* the entries that made the condition true */
    const struct touch *touch;   /* the one that did */
    const char *topic;           /* of its event's partition; unused for a timer */
    int32_t partition;
    int64_t value[RULE_AGGREGATES_MAX];           /* exact */
    uint32_t distinct_index[RULE_AGGREGATES_MAX]; /* of an aggregate among an entry's values */
};

/* A snapshot with id, title, why and all texts; counts are left zero.
 * Returns owned, one reference. */
struct incident *incident_make(const struct opening *opening);

/* A copy of `from` to be changed before it is shown. Returns owned. */
struct incident *incident_copy(const struct incident *from);

struct id128 op_id_make(struct id128 incident, const char *sink, uint32_t number);

#endif

/*
 * ordered_source.h - another source, whose partitions are told in an order that is given, and only
 * once all of these are there: a run that goes on after another one calls them by the numbers that
 * marks name them by, and closes no time before each of them is read (semantics T8).
 *
 *   inner: t/1, u/0, t/0, t/2      given: t/0, t/1      told: t/0, t/1, u/0, t/2
 *
 * Thread: as struct source; ordered_source_waits() by any.
 */
#ifndef INGEST_ORDERED_SOURCE_H
#define INGEST_ORDERED_SOURCE_H

#include "ingest/source.h"

struct source_part {
    const char *topic;
    int32_t partition;
};

/* Takes `inner`; borrows the parts.
 * Owner:  the caller, until ops->close().
 * Errors: NULL when memory is short; `inner` stays the caller's. */
struct source *ordered_source_create(struct source *inner, const struct source_part *parts,
                                     size_t part_count);

/* The first part that has not come; NULL: all have. */
const struct source_part *ordered_source_waits(const struct source *source);

#endif

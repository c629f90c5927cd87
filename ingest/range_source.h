/*
 * range_source.h - a stretch of another source, as a source that ends; at its own speed if wanted.
 *
 *   any source --> [from ... to) of each partition --> held back until due --> who reads
 *
 * Each partition begins with its first record that is not before `from` and ends before its first
 * record that is not before `to`, both by log time or both by offset; from there on order decides
 * and nothing is filtered. A live source (Kafka) ends at the latest where its logs stood when
 * the range was opened.
 *
 * The time of a record without log time is the one that it counts by (docs/correlation.md): that
 * of its partition's last record where log times have been seen; before that, in a plain file, its
 * first event's own, else the last record's. What has no time yet lies before every `from`
 * and before every `to`. The record itself stays as it is.
 *
 * Paced, a record is given out when its log time, counted from the earliest of all partitions,
 * has passed at the given speed on the monotonic clock. A record whose log time lies in the
 * future of the wall clock is not waited for: no true log time does.
 *
 * Marks (base/mark.h) of a record beyond the end of its partition may not take effect: they are
 * made void when the end is found, by the thread that reads the partition, which is also the
 * one that looks at them.
 *
 * Thread: as ingest/source.h; open by setup.
 */
#ifndef INGEST_RANGE_SOURCE_H
#define INGEST_RANGE_SOURCE_H

#include "base/mark.h"
#include "ingest/source.h"

enum range_kind {
    RANGE_ANY,    /* from the first record, to the last */
    RANGE_TIME,   /* log time, ms since 1970 */
    RANGE_OFFSET, /* the same offset in every partition */
};

struct range_bound {
    enum range_kind kind;
    int64_t value;
};

enum { RANGE_SPEED_ONE = 1000 };

struct range_config {
    struct range_bound from, to;
    uint32_t speed;            /* thousandths of the true speed; 0: as fast as it goes */
    bool lends_time;           /* events lend their time to records without log time: these are
                                * decoded here too, where a bound is a time */
    const char *const *topics; /* live sources: each has to show a partition; NULL: finite.
                                * Borrowed by the opening */
    size_t topic_count;
    /* A range source of the same topics, opened before: this one ends where that one does, and has
     * to begin there too. NULL: none. */
    const struct source *like;
};

/* Takes `inner`, also when it fails. Reads up to the first record of each partition where the
 * bounds or the pace ask for it, and waits for a live source to show its partitions.
 * Owner:  the caller, until source->ops->close().
 * Errors: -EINVAL (a pace without log times), -ENOMEM, -ETIMEDOUT (a live source shows nothing),
 *         -EIO (it cannot be read, or not as `like` can), with a sentence. */
int range_source_open(struct source *inner, const struct range_config *config, struct source **out,
                      struct error *err);

/* The marks that go with the source from now on; `part` counts feeds as changes() tells them.
 * Owner: the caller, who keeps them as long as the source. */
void range_source_own_marks(struct source *base, struct mark *marks, size_t count);

#endif

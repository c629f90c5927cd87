/*
 * quota.h - how much one tenant may send on one partition (semantics L7): so many events a second
 * of effective time, and a burst at once.
 *
 *   event --et--> bucket of its tenant --a token left--> bin
 *                        |                --none-------> rejected{quota}
 *                        +-- first refused, each minute of it, a minute without: a self-alert
 *
 * A bucket is a function of the partition's events before and of their effective times, and of
 * nothing else: no clock, no other partition. So a replay refuses the same events, and what has
 * to be kept is how the buckets stand between two records (part_image.h).
 *
 * Per partition, because partitions are read apart from each other: one count over all of them
 * would have to wait until the epoch closes, that is until what is too much lies in memory.
 *
 * A clear is never refused, because an alert whose clear is lost stays open; it takes a token where
 * there is one. Events that tocsin makes and what people do go past the buckets.
 *
 * Bounded: `tenants_max` buckets besides those of tenants that the configuration names. When all
 * are taken, those that are full again are given up: they say nothing that a new one would not say.
 * While there is none of these either, further tenants share one bucket, of the limit of all.
 *
 * Thread: the partition's owner; before it joins, the sequencer role.
 */
#ifndef CORRELATE_QUOTA_H
#define CORRELATE_QUOTA_H

#include "base/vector.h"
#include "correlate/engine.h"
#include "correlate/image.h"

enum {
    QUOTA_NAME_BYTES = ENGINE_TENANT_BYTES, /* of a tenant as it is shown; a longer name is cut */
    QUOTA_QUIET_MS = 60000,
};

struct quota_bucket {
    struct id128 tenant; /* seeded hash of its name; 0: what all others share */
    uint64_t tokens;     /* thousandths of an event */
    int64_t at_ms;       /* as of which; effective time */
    uint32_t limit;      /* 0: that of all; else 1 + index of the tenant's own */
    uint32_t row;        /* of what is shown (quota_tell.h), 0: none yet. Not kept */
    uint64_t rate, most; /* what it gains a millisecond and holds at most; not kept */
    bool is_cut;
    int64_t cut_ms, told_ms;     /* the last refusal, and the last that was told */
    uint64_t refused;            /* since it began to be cut */
    char name[QUOTA_NAME_BYTES]; /* of who is cut, with a zero byte */
};

/* A bucket as it was before the record under work. */
struct quota_undo {
    uint32_t index;
    struct quota_bucket was;
};

struct quota {
    const struct quota_config *config; /* borrowed; outlives the partition */
    uint64_t seed;
    VECTOR_OF(struct quota_bucket) buckets; /* the first is what others share */
    uint32_t *slot;                         /* 1 + index by hash, 0: free */
    uint32_t slot_mask;
    uint32_t last;       /* index of the tenant before, whose name is */
    uint32_t last_bytes; /* 0: none */
    char last_name[QUOTA_NAME_BYTES];
    int64_t now_ms;       /* the greatest effective time of an event */
    int64_t sweep_due_ms; /* before, nothing is given up again */
    uint32_t cut_count;   /* tenants that are cut now */
    int64_t quiet_due_ms; /* the least time at which one is cut no longer; INT64_MAX: none is cut */
    VECTOR_OF(struct quota_undo) undo; /* of a record with several events */
    uint32_t count_before;             /* buckets there were before it */
    int64_t now_before_ms;
};

/* How they stand between two records; filled by quota_stand(). */
struct quota_stand {
    VECTOR_OF(struct quota_bucket) buckets;
    int64_t now_ms, sweep_due_ms;
};

/* What comes of an event. */
enum quota_verdict {
    QUOTA_ADMITTED,
    QUOTA_REFUSED,
    QUOTA_REFUSED_FIRST, /* its tenant begins to be cut */
    QUOTA_REFUSED_STILL, /* a minute after it was told last */
};

/* Whether the configuration limits anybody. */
bool quota_is_wanted(const struct quota_config *config);
bool quota_equal(const struct quota_config *a, const struct quota_config *b);

/* From now on by `config`: who was counted stays so, by the limit that he has now. *quota may be
 * NULL before, and is so after where nobody is limited and nobody was. */
void quota_set(struct quota **quota, const struct quota_config *config, uint64_t seed);
void quota_destroy(struct quota *quota);

/* Before each record. */
void quota_record(struct quota *quota);

/* An event of this tenant at this time; `bucket` is its tenant's afterwards, and lives until the
 * next call. `is_one_of_many`: its record holds others. */
enum quota_verdict quota_take(struct quota *quota, struct text tenant, int64_t et_ms, bool is_clear,
                              bool is_one_of_many, struct quota_bucket **bucket);

/* One whose last refusal lies QUOTA_QUIET_MS before: it is not cut any more. NULL: there is none.
 * In the order of their last refusals, one a call, behind a record's last event. Valid until the
 * next call. */
const struct quota_bucket *quota_quiet(struct quota *quota, int64_t et_ms);

/* What the bucket's tenant may send. */
struct quota_tenant quota_limit(const struct quota *quota, const struct quota_bucket *bucket);

/* How they stood before the record under work if `is_within`, else as they stand. `quota` may be
 * NULL. */
void quota_stand(const struct quota *quota, bool is_within, struct quota_stand *out);
void quota_stand_release(struct quota_stand *stand);

/* Whether it is the bucket of those for whom there is none of their own. */
static inline bool quota_is_shared(const struct quota *quota, const struct quota_bucket *bucket)
{
    return bucket == quota->buckets.at;
}

void quota_save(const struct quota_stand *stand, struct image_out *out);
/* *quota is made where buckets are there; it lacks its configuration until quota_set(). */
void quota_load(struct quota **quota, struct image_in *in);

#endif

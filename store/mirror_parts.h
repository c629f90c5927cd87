/*
 * mirror_parts.h - what the files of the mirror share (store/mirror.h is their door).
 *
 *   mirror.c        states, lease, frames, and the thread
 *   mirror_image.c  images
 *   mirror_open.c   open incidents
 */
#ifndef STORE_MIRROR_PARTS_H
#define STORE_MIRROR_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/slab.h"
#include "store/journal_recall.h"
#include "store/lease_watch.h"
#include "store/mirror.h"
#include "store/shared_image.h"

/* A snapshot that was told of. */
struct told_image {
    char *path; /* NULL: none was */
    uint64_t number, known, frame, intake;
    struct id128 *blobs;
    size_t blob_count;
};

/* On its way into the store. */
struct upload {
    struct told_image from; /* path NULL: none is */
    struct shared_image image;
    int fd;
    uint32_t chunk; /* the next one */
    size_t blob;    /* the same */
    uint64_t began_ns;
};

/* Incidents that a frame changes: their records lie in one buffer until it is whole. */
struct changes {
    VECTOR_OF(struct shared_open) open;
    VECTOR_OF(size_t) at; /* where the record of each begins */
    struct mirror_record records;
};

/* What an image knows of open incidents, on its way into a store that begins with that image. */
struct listing {
    struct journal_recall *recall; /* NULL: nothing is on its way */
    size_t next;                   /* of those that it knows */
};

struct mirror {
    struct mirror_config config;
    pthread_t thread;
    int waker; /* of the mirror thread */

    /* mirror thread */
    struct shared_store *store;
    struct segment_walk *walk[SHARED_LOGS]; /* NULL: to be begun behind `ends` */
    struct unit_ends ends;                  /* of what the store has */
    struct changes changes;
    struct listing listing;
    uint64_t next_renewal_ns, next_try_ns;
    char away_why[200];       /* that was told; "": none since it was up */
    unsigned aways_told;      /* since it was up */
    bool is_alone;            /* it has not been asked yet */
    struct lease_watch watch; /* of one that is alone */
    bool has_compared;        /* one that is alone, while the watch was unsure */
    bool has_asked_again;     /* since the lease ended without an answer */
    bool must_take;           /* it was to be taken anew, and nobody knows whether it was */
    bool must_begin;  /* the store has nothing, and our journal does not begin with frame 1 */
    bool is_owed;     /* an image, without which what the store has is of no use */
    bool was_image;   /* the last turn was one */
    char *chunk_room; /* SHARED_CHUNK_BYTES */
    struct upload upload;
    uint64_t next_image_ns, image_count;
    /* Frames before which the store has none, or need not. */
    uint64_t trimmed[SHARED_LOGS], trim_to[SHARED_LOGS];
    /* That the image that is there stands behind: its place in the journal, and the first of the
     * intake log that it needs; 0: none is there. */
    uint64_t known[SHARED_LOGS];

    pthread_mutex_t lock;
    pthread_cond_t moved; /* `put` or `state` changed */
    /* Under the lock: */
    uint64_t durable[SHARED_LOGS], put[SHARED_LOGS];
    enum mirror_state state;
    bool must_stop;
    struct told_image told; /* the newest */
    bool has_told;          /* it is not on its way yet */
    uint64_t floor[SHARED_LOGS];
    struct mirror_counters counters;

    /* Read by the outbox for each op: relaxed is enough, it is one number that only its reader
     * compares with the clock. */
    _Atomic uint64_t lease_until_ns;
    _Atomic bool is_fenced, is_up;
    _Atomic bool is_settled; /* relaxed: a flag by itself */
};

static inline uint64_t mirror_ns_of(uint64_t ms)
{
    return ms * UINT64_C(1000000);
}

/* All below: thread mirror. */

/* The store has all up to there; who waits for it hears of it, unless an image is owed. */
void mirror_ends_are(struct mirror *mirror, const struct unit_ends *ends);

/* ---- mirror_image.c ---- */

/* A snapshot that is not on its way waits; and one was told of at all. */
bool mirror_has_told(struct mirror *mirror);
bool mirror_is_told(struct mirror *mirror);
/* Something can be done for an image now, and a step of it: a chunk, a blob, a few frames that go.
 */
bool mirror_has_image_turn(struct mirror *mirror, uint64_t now_ns);
enum shared_verdict mirror_image_turn(struct mirror *mirror, struct error *err);
/* The store has of a log nothing that is before this frame. */
void mirror_trim_to(struct mirror *mirror, enum shared_log which, uint64_t frame);
/* The image that is there is gone, or was never whole: the newest goes there again. */
void mirror_image_again(struct mirror *mirror);
/* At the end. */
void mirror_upload_end(struct mirror *mirror);
void mirror_told_release(struct told_image *told);

/* ---- mirror_open.c ---- */

/* Changes of a frame, one after the other; behind the last one they have their records. */
void mirror_changes_begin(struct changes *changes);
void mirror_changes_add(struct mirror *mirror, const struct incident *incident);
void mirror_changes_end(struct changes *changes);
void mirror_changes_release(struct changes *changes);

/* The store begins anew, behind `ends` of the journal, and an image is told of. Where nothing can
 * be learned of it, it is said, and nothing is on its way. */
void mirror_listing_begin(struct mirror *mirror);
/* Some of them; at the last one nothing is on its way any more. */
enum shared_verdict mirror_listing_put(struct mirror *mirror, struct error *err);
void mirror_listing_end(struct mirror *mirror);

#endif

/*
 * unit_join.h - brings a data directory to where its unit stands: what the shared store has more of
 * the journal and of the intake log comes home before anything of it is read (S3, S4).
 *
 *   ours    1 2 3 4            the shared store's    1 2 3 4 5 6   5 and 6 are fetched
 *           1 2 3 4 5 6                              1 2 3 4       5 and 6 are owed to it
 *           1 2 3 4 5'                               1 2 3 4 5 6   we have gone on alone, and so
 *                                                                  has another: ours is put aside
 *           1 2 3 4                                  (nothing)     it has forgotten the unit: all
 *                                                                  is owed
 *
 * Each log is judged by itself, but what a journal says behind the end of the unit's rests on our
 * own intake log: where that one is put aside, such a journal is as well. A frame of the journal is
 * never there without the frames of the intake log that it goes by.
 *
 * Of the intake log the store may have let go of its beginning, up to what its image needs. A
 * directory whose intake log does not reach that far begins it with the first frame that there is;
 * its journal goes by what is missing, so that begins with the image, too.
 *
 * Where the store has an image (store/shared_image.h) a journal that cannot go on from its own end
 * begins with the last frame that the image knows. One that is followed takes each newer image, and
 * lets go of what lies before it: so neither the journal nor what a start reads again grows.
 *
 * To be called by the owner of the directory's lock. What it writes are logs like any other; broken
 * off, it goes on the next time.
 *
 * Thread: setup.
 */
#ifndef STORE_UNIT_JOIN_H
#define STORE_UNIT_JOIN_H

#include "store/data_dir.h"
#include "store/journal_keep.h"
#include "store/segment_log.h"
#include "store/shared_store.h"

/* By log. */
struct unit_ends {
    struct shared_end of[SHARED_LOGS];
};

struct unit_joined {
    struct unit_ends ends;         /* of our logs now */
    struct unit_ends theirs;       /* of what the shared store has */
    uint64_t fetched[SHARED_LOGS]; /* frames that came home */
    uint64_t image;                /* frame of the journal behind which it goes on from an image
                                      that came home; 0: none did */
    uint64_t owed[SHARED_LOGS];    /* frames that the shared store has yet to get */
    bool is_forgotten;             /* it knew nothing of the unit */
    bool is_disk_failed; /* with SHARED_DAMAGED: the disk is full, or has failed, and the next start
                          * goes on from what it has (C9) */
    char aside[DATA_DIR_PATH_BYTES]; /* where our own logs went; "": they stand */
    bool is_aside[SHARED_LOGS];      /* which of them */
};

struct unit_join_config {
    const struct segment_config *log[SHARED_LOGS]; /* of the directory */
    const char *blobs;                             /* folder of kept files */
    struct journal_keep keep[SHARED_LOGS]; /* what is before an image: as data.journal, intake */
    /* Our frames up to this one came from the store, and may go; 0: nobody knows. */
    uint64_t copied[SHARED_LOGS];
    unsigned lease_ms; /* the lease is kept meanwhile; 0: it is another's, who is followed */
    uint64_t *kept_ns; /* since when it counts: set on entry, moved on */
    bool (*must_stop)(void *self); /* NULL: it goes on to its end */
    void *self;
};

/* Where a log of ours counts its chain from, and how far that is: behind frame out->number. {0, 0}:
 * it begins with the first frame. Errors: a negative errno with a sentence. */
int unit_log_base(const struct segment_config *log, struct shared_end *out, struct error *err);

/* SHARED_AWAY also when it had to stop, and where the store came back older under who owns it. Who
 * stands by calls it now and then, without a lease, so that little is left to fetch when the unit
 * becomes its own: nobody else writes the directory, and what the store has is the same for
 * everyone. SHARED_FINE, or a sentence; SHARED_DAMAGED also for what is wrong with the directory.
 */
enum shared_verdict unit_join(struct shared_store *store, const struct unit_join_config *config,
                              struct unit_joined *out, struct error *err);

/* For who has gone on without an answer, and now has one: whether what the store has is a beginning
 * of our logs, and where these end. SHARED_APART: the unit has gone on elsewhere. Our frames up to
 * `durable` are looked at. */
enum shared_verdict unit_join_compare(struct shared_store *store,
                                      const struct unit_join_config *config,
                                      const uint64_t durable[SHARED_LOGS], struct unit_ends *out,
                                      struct error *err);

#endif

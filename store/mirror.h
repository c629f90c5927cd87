/*
 * mirror.h - keeps the shared store up with the journal and the intake log, and the ownership of
 * the unit: a thread that follows both as far as they are durable (S1, S2).
 *
 *   journal thread --mirror_durable(frame)--> mirror thread --frames, open incidents--> store
 *   intake thread --------+   ^                    |  ^
 *         ^                   +--mirror_settle(frame)  +---- the logs' own files
 *         +-----------------------------------------+
 *
 * Frames of the intake log go first: the journal never says in the store what was read of one that
 * is not there.
 *
 * States:
 *   up      the store answers: nothing leaves before it is there (S1), also not while frames that
 *           it missed are made up for
 *   away    it does not: what is durable leaves without it, and frames are owed
 *   fenced  another owner has been there: nothing leaves any more, the run has to end
 *
 * Snapshots go there as images (store/shared_image.h), a chunk between two frames, and the store
 * forgets what the journal has before, and of the intake log what no start from them needs: so it
 * holds two images at most, and what came since. They take a small share of the time.
 *
 * A store that has forgotten the unit, or holds something else, gets everything anew from the first
 * frames that the logs have, or the journal from the newest snapshot on with its image: as long as
 * nobody else has taken the unit, ours is the truth. With an image owed nothing is there yet. What
 * was open by that image is put there before the frames, which say the rest.
 *
 * The lease is counted from before the question that renews it, by the clock that no one sets, so
 * that its owner never believes in it for longer than the store does. A process that was asleep
 * finds it over when it wakes.
 *
 * One that had to begin without an answer is away, and has no lease. When the store answers it
 * takes the unit, unless another has it, or what is there has gone on elsewhere: then it is fenced.
 *
 * Bounds:  one frame in memory, or one chunk; the store's answers by its own limits.
 * Thread:  as each function says.
 */
#ifndef STORE_MIRROR_H
#define STORE_MIRROR_H

#include "base/incident.h"
#include "base/vector.h"
#include "store/segment_log.h"
#include "store/unit_join.h"

struct mirror;

enum mirror_state { MIRROR_UP, MIRROR_AWAY, MIRROR_FENCED };

const char *mirror_state_name(enum mirror_state state);

enum mirror_change {
    MIRROR_CHANGE_AWAY,  /* it does not answer, or not as it should */
    MIRROR_CHANGE_EMPTY, /* it has forgotten the unit, or holds something else: all goes there anew
                          */
    MIRROR_CHANGE_UNLISTED, /* it begins with an image that does not say what is open: incidents of
                             * before the frames that there are are listed with their next change */
    MIRROR_CHANGE_BACK,
};

struct mirror_record {
    VECTOR_OF(char) bytes;
};

struct mirror_config {
    const struct segment_config *log[SHARED_LOGS]; /* outlive the mirror */
    const char *blobs;                             /* folder of kept files; outlives the mirror */
    struct unit_ends from;                         /* what the store has of them */
    bool is_alone; /* nobody knows: the store did not answer, and the unit was not taken */
    uint64_t durable[SHARED_LOGS]; /* frames that there are */
    unsigned lease_ms;             /* [10 s] */
    unsigned retry_ms;             /* [1 s] between questions to a store that is away */
    unsigned hold_ms;              /* [10 min] S2 */
    void *self;
    /* Adds what others are to read of an open incident. Thread: mirror. */
    void (*write)(void *self, const struct incident *incident, struct mirror_record *to);
    /* Once: the unit has another owner. Thread: mirror. */
    void (*fenced)(void *self, const char *why);
    /* What became of the store, and why: nothing with BACK. AWAY also where the reason is another
     * one by now, a few times. Thread: mirror. */
    void (*changed)(void *self, enum mirror_change change, const char *why);
};

/* Takes the store, of which it is the owner since `taken_ns` (monotonic, read before it took it),
 * or which it asks from then on.
 * Owner:  the caller, until mirror_destroy(). Thread: setup.
 * Errors: a negative errno with a sentence; the store stays the caller's. */
int mirror_create(const struct mirror_config *config, struct shared_store *store, uint64_t taken_ns,
                  struct mirror **out, struct error *err);

/* Brings what is durable there if the store answers, lets the unit go, and ends the thread. NULL is
 * allowed. Thread: setup. */
void mirror_destroy(struct mirror *mirror);

/* Frames of a log up to this number are durable. Thread: that of the log. */
void mirror_durable(struct mirror *mirror, enum shared_log which, uint64_t frame);

/* Nothing is in doubt any more of what a former owner told (shared_store_settle()). Thread: any. */
void mirror_settled(struct mirror *mirror);

/* Returns when they are in the store as well, or it is away. False: another owner has been there,
 * and nothing of it may leave. Thread: any. */
bool mirror_settle(struct mirror *mirror, enum shared_log which, uint64_t frame);

/* A snapshot of the directory, from which whoever takes the unit over is to go on. */
struct mirror_image {
    const char *path;
    uint64_t number;           /* of the snapshot */
    uint64_t known;            /* frame of the journal up to which it knows it */
    uint64_t frame;            /* it rests on frames up to this one, which are durable */
    uint64_t intake;           /* the first frame of the intake log that a start from it needs;
                                  0: all of it */
    const struct id128 *blobs; /* that a start from it needs */
    size_t blob_count;
};
/* It is the newest; all are copied. Thread: any. */
void mirror_image(struct mirror *mirror, const struct mirror_image *image);

/* The first frame of a log that the mirror needs; 0: all of it. Thread: any. */
uint64_t mirror_floor(struct mirror *mirror, enum shared_log which);

/* Whether an op may be sent now (S2). */
enum mirror_leave {
    MIRROR_LEAVE,        /* the unit is ours for as long as a look-up and a create take */
    MIRROR_LEAVE_LATER,  /* it may be another's */
    MIRROR_LEAVE_REPEAT, /* it may be, and has been for so long that it is better sent twice */
    MIRROR_LEAVE_NEVER,  /* it is another's */
};
/* `folds`: to a sink that folds repeats (classes A and B), which is told whoever the owner may be,
 * except in the moment in which one that was asleep does not know yet. Thread: any. */
enum mirror_leave mirror_may_leave(const struct mirror *mirror, bool folds);

struct mirror_counters {
    enum mirror_state state;
    uint64_t frames, bytes;      /* that it was given, of both logs */
    uint64_t owed;               /* frames */
    uint64_t renewals, aways;    /* of the lease; times that it went away */
    uint64_t anews;              /* times that it got everything anew */
    uint64_t images;             /* that it was given */
    uint64_t first[SHARED_LOGS]; /* frame before which this run let go of all that is in it */
    uint64_t held[SHARED_LOGS];  /* frames that are in it, by that */
    uint64_t open;               /* incidents that were put there as open, and taken out */
    int64_t lease_left_ms;       /* negative: over for so long */
    uint64_t fence;
};
/* Thread: any. */
void mirror_counters(const struct mirror *mirror, struct mirror_counters *out);

#endif

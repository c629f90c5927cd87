/*
 * shared_store.h - what a unit keeps in the shared store, so that another machine can go on with
 * it: who owns the unit, its journal and its intake log, and its open incidents for everyone to
 * read (S1 to S4).
 *
 *   tocsin:{UNIT}:lease    "<fence> <owner>", gone a lease time after it was last kept
 *   tocsin:{UNIT}:fence    number of the ownership: one more each time that the owner changes
 *   tocsin:{UNIT}:owner    who owned it last; with a * as long as what another told before is in
 *                          doubt; "-" once it has been let go in good order
 *   tocsin:{UNIT}:end      "<number> <chain>" of the last frame of the journal
 *   tocsin:{UNIT}:journal  stream, entry <number>-0: kind, chain, fence, payload
 *   tocsin:{UNIT}:intake-end, tocsin:{UNIT}:intake  the same of the intake log
 *   tocsin:{UNIT}:open     hash: incident id -> its record
 *   tocsin:{UNIT}:blob:H   what the journal names by its hash
 *
 * Each command that changes anything carries the fence and is one script, so that it is refused in
 * the same step in which it would be carried out once another owner has been there. A frame names
 * the end behind which it goes; one that comes again, because its answer was lost, is taken for
 * the one that is there. The braces keep the keys of a unit on one node of a cluster.
 *
 * Thread: one at a time, as its link.
 */
#ifndef STORE_SHARED_STORE_H
#define STORE_SHARED_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/incident.h"
#include "store/shared_link.h"

struct shared_store;

enum shared_verdict {
    SHARED_FINE,
    SHARED_AWAY,    /* no answer, or one that it cannot serve now; may be tried again */
    SHARED_TAKEN,   /* another owner has the lease */
    SHARED_FENCED,  /* another owner has been there since */
    SHARED_LOST,    /* it has forgotten the unit: emptied, or an older state of it */
    SHARED_APART,   /* its journal does not end where ours does */
    SHARED_DAMAGED, /* what it holds is not what was put there */
    SHARED_UNKEPT,  /* our own disk could not take what came of it */
    SHARED_UNSURE,  /* nobody has the lease, and its last owner may live (store/lease_watch.h) */
};

const char *shared_verdict_name(enum shared_verdict verdict);

enum { SHARED_UNIT_BYTES = 64, SHARED_OWNER_BYTES = 96 };

/* The logs of a unit. */
enum shared_log { SHARED_JOURNAL, SHARED_INTAKE, SHARED_LOGS };

/* What it is called in sentences: "journal". */
const char *shared_log_name(enum shared_log which);

/* Where a log ends: the number of its last frame, 0 for none, and the checksum over all. */
struct shared_end {
    uint64_t number;
    uint32_t chain;
};

struct shared_frame {
    uint64_t number;
    uint32_t kind;
    struct text payload;
};

/* The end behind `frame`, which comes after `end`. */
struct shared_end shared_end_after(struct shared_end end, const struct shared_frame *frame);

/* Takes the link. `unit` and `owner` are words without spaces; the owner's is that of its data
 * directory and, behind a dot, of its place, so that one that comes back need not wait for itself,
 * and a copy of it does.
 * Owner: the caller, until shared_store_destroy(). Errors: -EINVAL with a sentence. */
int shared_store_create(struct shared_link *link, const char *unit, const char *owner,
                        struct shared_store **out, struct error *err);
void shared_store_destroy(struct shared_store *store);

/* What all functions down to the end give: a sentence with everything but SHARED_FINE. */

/* Becomes the owner for `lease_ms` from the moment of the call, behind the ownership of number
 * `seen` (or SHARED_ANY_FENCE). SHARED_TAKEN: another has the lease, or has been there since. */
#define SHARED_ANY_FENCE UINT64_MAX
enum shared_verdict shared_store_take(struct shared_store *store, unsigned lease_ms, uint64_t seen,
                                      struct error *err);
/* Stays it. */
enum shared_verdict shared_store_keep(struct shared_store *store, unsigned lease_ms,
                                      struct error *err);
/* Lets it go, so that nobody waits for it. `in_order`: all that was told is there; what another
 * told before stays in doubt, unless that was settled. */
enum shared_verdict shared_store_leave(struct shared_store *store, bool in_order,
                                       struct error *err);
/* What a former owner may have told is known by now: from the next shared_store_keep() on a start
 * of this owner's own need not ask for it again. */
void shared_store_settle(struct shared_store *store);
/* Number of the ownership; 0 before the first shared_store_take(). */
uint64_t shared_store_fence(const struct shared_store *store);

/* Who had been the owner. */
enum shared_former {
    SHARED_FORMER_UNKNOWN, /* nobody, or the store has forgotten */
    SHARED_FORMER_LEFT,    /* one that let it go when all it had told was there */
    SHARED_FORMER_SELF,
    SHARED_FORMER_DOUBT, /* the same, and what another told before it was in doubt still */
    SHARED_FORMER_COPY,  /* another, whose directory was the same once */
    SHARED_FORMER_OTHER, /* one that may have told more than is there */
};
/* When it was taken. */
enum shared_former shared_store_former(const struct shared_store *store);

struct shared_ownership {
    bool is_free;            /* nobody else has the lease */
    int64_t left_ms;         /* of another's */
    uint64_t fence;          /* number of the ownership; 0: there has been none */
    enum shared_former last; /* of one that is free */
};
/* Whose it is, without a change to anything. SHARED_TAKEN, with who: another has the lease; `*out`
 * is filled then, too. */
enum shared_verdict shared_store_whose(struct shared_store *store, struct shared_ownership *out,
                                       struct error *err);

/* Where a log of it ends. SHARED_LOST: there is none. */
enum shared_verdict shared_store_end(struct shared_store *store, enum shared_log which,
                                     struct shared_end *out, struct error *err);

/* An incident that is open, or, with a record of no bytes, is not any more. */
struct shared_open {
    struct id128 id;
    struct text record;
};

/* Puts the frame behind `end`, and what it changes of open incidents, in one step.
 * SHARED_APART: it ends elsewhere. */
enum shared_verdict shared_store_put(struct shared_store *store, enum shared_log which,
                                     struct shared_end end, const struct shared_frame *frame,
                                     const struct shared_open *open, size_t open_count,
                                     struct error *err);

/* Frames behind `*before` up to number `to`, at most a few; all are read when none comes any more.
 * `*before` is checked on, and moved. The frames live until the next call. */
enum shared_verdict shared_store_read(struct shared_store *store, enum shared_log which,
                                      struct shared_end *before, uint64_t to,
                                      void (*take)(void *user, const struct shared_frame *frame),
                                      void *user, struct error *err);

/* Frame `number`, which lives until the next call, and the end as it was behind it, which is not
 * checked. SHARED_LOST: it is not there. */
enum shared_verdict shared_store_frame(struct shared_store *store, enum shared_log which,
                                       uint64_t number, struct shared_frame *out,
                                       struct shared_end *after, struct error *err);

/* The end as it was behind frame `number`. SHARED_LOST: that frame is not there. */
enum shared_verdict shared_store_end_at(struct shared_store *store, enum shared_log which,
                                        uint64_t number, struct shared_end *out, struct error *err);

/* Forgets both logs, open incidents and image: the owner's own are to be put there instead. */
enum shared_verdict shared_store_clear(struct shared_store *store, struct error *err);

/* The same, and the journal begins with this frame, behind which its end is `after`: an image
 * stands for what was before (store/shared_image.h). */
enum shared_verdict shared_store_begin(struct shared_store *store, const struct shared_frame *frame,
                                       struct shared_end after, struct error *err);

/* A log begins with this frame, behind which its end is `after`: what was before is not needed.
 * Behind shared_store_clear() or shared_store_begin(). */
enum shared_verdict shared_store_begin_log(struct shared_store *store, enum shared_log which,
                                           const struct shared_frame *frame,
                                           struct shared_end after, struct error *err);

/* Number of the first frame that is there. SHARED_LOST: none is. */
enum shared_verdict shared_store_first(struct shared_store *store, enum shared_log which,
                                       uint64_t *out, struct error *err);

/* Forgets frames before `number`: a snapshot stands for them. */
enum shared_verdict shared_store_trim(struct shared_store *store, enum shared_log which,
                                      uint64_t number, struct error *err);

/* SHARED_LOST: none of that name. */
enum shared_verdict shared_store_has_blob(struct shared_store *store, struct id128 hash,
                                          struct error *err);

/* Bytes under the hash of their content. */
enum shared_verdict shared_store_put_blob(struct shared_store *store, struct id128 hash,
                                          struct text bytes, struct error *err);
/* SHARED_LOST: none of that name. `out` lives until the next call. */
enum shared_verdict shared_store_blob(struct shared_store *store, struct id128 hash,
                                      struct text *out, struct error *err);

/* Puts incidents that are open, of which no frame in the store says so; all have a record. */
enum shared_verdict shared_store_put_open(struct shared_store *store,
                                          const struct shared_open *open, size_t count,
                                          struct error *err);

/* Every open incident, in any order; for any instance, owner or not. */
enum shared_verdict shared_store_open_list(struct shared_store *store,
                                           void (*take)(void *user, const struct shared_open *),
                                           void *user, struct error *err);

/* Fine when what the store was told stays there: SHARED_DAMAGED with a sentence where its memory
 * policy would throw keys away. */
enum shared_verdict shared_store_check(struct shared_store *store, struct error *err);

#endif

/*
 * unit_join.c - see unit_join.h.
 */
#include "store/unit_join.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "store/journal_format.h"
#include "store/segment_walk.h"
#include "store/shared_files.h"

/* Journals that were put aside and are still there: beyond these a person has to look. */
enum { ASIDE_MAX = 100, RENEWALS_PER_LEASE = 3 };

/* A frame that came, until it is written. */
struct held_frame {
    struct shared_frame frame;
    char *payload;
};

struct join {
    struct shared_store *store;
    const struct segment_config *journal;
    const char *blobs;
    unsigned lease_ms;
    uint64_t *kept_ns;
    bool (*must_stop)(void *self);
    void *self;
    enum shared_verdict lease; /* what became of it while we were at it */
    struct unit_joined *out;
    struct error *err;
    struct shared_end theirs;
    uint32_t chain_there; /* of our journal where theirs ends */
    struct segment_walk *walk;
    struct segment_log *log;
    VECTOR_OF(struct held_frame) held;
    VECTOR_OF(struct id128) lists; /* that they name */
};

/* A long journal takes longer than a lease. False: it is not ours any more, or nobody knows. */
static bool stay_owner(struct join *join)
{
    uint64_t now_ns = host_mono_ns();

    if (join->must_stop != NULL && join->must_stop(join->self)) {
        error_set(join->err, "stopped before the journal was here");
        join->lease = SHARED_AWAY;
        return false;
    }
    if (join->lease_ms == 0 ||
        now_ns - *join->kept_ns < join->lease_ms * UINT64_C(1000000) / RENEWALS_PER_LEASE)
        return true;
    join->lease = shared_store_keep(join->store, join->lease_ms, join->err);
    if (join->lease == SHARED_FINE)
        *join->kept_ns = now_ns;
    return join->lease == SHARED_FINE;
}

/* What went wrong: with the lease, or with the directory. */
static enum shared_verdict verdict_of(const struct join *join)
{
    return join->lease != SHARED_FINE ? join->lease : SHARED_DAMAGED;
}

/* ---- ours ---- */

/* Walks our journal up to frame `last`. */
static int walk_ours(struct join *join, uint64_t last)
{
    enum segment_refusal why;
    struct segment_frame frame;
    int rc;

    segment_walk_destroy(join->walk);
    join->walk = NULL;
    join->out->end = (struct shared_end){0, 0};
    rc = segment_walk_create(join->journal, &join->walk, &why, join->err);
    if (rc != 0)
        return rc;
    while (join->out->end.number < last &&
           (rc = segment_walk_next(join->walk, &frame, join->err)) == 1) {
        const struct shared_frame same = {frame.number, frame.kind, {frame.payload, frame.bytes}};
        join->out->end = shared_end_after(join->out->end, &same);
        if (frame.number == join->theirs.number)
            join->chain_there = join->out->end.chain;
        if (!stay_owner(join))
            return -ECANCELED;
    }
    return rc < 0 ? rc : 0;
}

/* `folder` goes under the name of `aside`, and an empty one takes its place. */
static int exchange(const char *folder, const char *aside)
{
    int rc = host()->rename(host()->self, folder, aside);

    return rc == 0 ? host()->mkdir(host()->self, folder, 0700) : rc;
}

/* Snapshots rest on the journal, so they go first: without them it is only read from further back.
 */
static int put_snapshots_aside(const struct join *join)
{
    char folder[DATA_DIR_PATH_BYTES + 16], aside[DATA_DIR_PATH_BYTES + 16];
    int rc;

    snprintf(folder, sizeof(folder), "%.4000s/../snapshots", join->journal->folder);
    snprintf(aside, sizeof(aside), "%.4000s/snapshots", join->out->aside);
    rc = exchange(folder, aside);
    return rc == -ENOENT ? 0 : rc;
}

/* Our journal goes under another name, and an empty one takes its place. */
static int put_aside(struct join *join)
{
    const char *folder = join->journal->folder;
    char parent[DATA_DIR_PATH_BYTES], journal[DATA_DIR_PATH_BYTES + 16];
    int rc = -EEXIST;

    segment_walk_destroy(join->walk);
    join->walk = NULL;
    for (int i = 1; i <= ASIDE_MAX && (rc == -EEXIST || rc == -ENOTEMPTY); i++) {
        snprintf(join->out->aside, sizeof(join->out->aside), "%.4000s.aside.%d", folder, i);
        rc = host()->mkdir(host()->self, join->out->aside, 0700);
    }
    snprintf(journal, sizeof(journal), "%.4000s/journal", join->out->aside);
    if (rc == 0)
        rc = put_snapshots_aside(join);
    if (rc == 0)
        rc = exchange(folder, journal);
    snprintf(parent, sizeof(parent), "%s/..", folder);
    if (rc == 0)
        rc = host()->sync_dir(host()->self, join->out->aside);
    if (rc == 0)
        rc = host()->sync_dir(host()->self, parent);
    if (rc != 0)
        error_set(join->err, "%s: cannot be put aside as %.1000s: %s", folder, join->out->aside,
                  strerror(-rc));
    return rc;
}

/* ---- theirs ---- */

/* Which lists of files a frame of the journal names. */
static void note_lists(struct join *join, const struct shared_frame *frame)
{
    struct journal_cursor cursor = {frame->payload.at, frame->payload.at + frame->payload.len,
                                    (frame->kind & JOURNAL_FRAME_FIRST) == 0};
    struct journal_record record;
    struct error ignored; /* what makes no sense is said by who reads the journal */

    while (journal_get(&cursor, &record, &ignored) == 1)
        if (record.kind == JOURNAL_RULES) {
            vector_add(&join->lists) = record.rules.set;
            vector_add(&join->lists) = record.rules.settings;
        }
}

/* The reply that the frame lies in is gone with the next question. */
static void hold(void *user, const struct shared_frame *frame)
{
    struct join *join = user;
    struct held_frame held = {*frame, memory_alloc(frame->payload.len + 1)};

    memcpy(held.payload, frame->payload.at, frame->payload.len);
    held.frame.payload.at = held.payload;
    vector_add(&join->held) = held;
    note_lists(join, frame);
}

static void let_go(struct join *join)
{
    for (size_t i = 0; i < join->held.count; i++)
        free(join->held.at[i].payload);
    join->held.count = join->lists.count = 0;
}

static bool write_held(struct join *join)
{
    for (size_t i = 0; i < join->held.count; i++) {
        const struct shared_frame *frame = &join->held.at[i].frame;
        uint64_t number;
        if (segment_log_append(join->log, frame->kind, frame->payload.at, frame->payload.len,
                               &number, join->err) != 0 ||
            segment_log_sync(join->log, join->err) != 0)
            return false;
        join->out->fetched++;
    }
    return stay_owner(join);
}

/* What a frame names is there before the frame is. */
static enum shared_verdict fetch(struct join *join)
{
    enum shared_verdict verdict;

    if (segment_log_open(join->journal, segment_walk_end(join->walk), &join->log, join->err) != 0)
        return SHARED_DAMAGED;
    do {
        let_go(join);
        verdict = shared_store_read(join->store, &join->out->end, hold, join, join->err);
        for (size_t i = 0; verdict == SHARED_FINE && i < join->lists.count; i++)
            verdict = shared_files_get(join->store, join->blobs, join->lists.at[i], join->err);
        if (verdict == SHARED_FINE && !write_held(join))
            verdict = verdict_of(join);
    } while (verdict == SHARED_FINE && join->held.count > 0);
    /* Whoever is followed goes on meanwhile. */
    bool is_longer = join->lease_ms == 0 && join->out->end.number > join->theirs.number;
    if (verdict == SHARED_FINE && !is_longer &&
        (join->out->end.number != join->theirs.number ||
         join->out->end.chain != join->theirs.chain)) {
        error_set(join->err,
                  "the unit's journal in the shared store ends behind frame %" PRIu64
                  ", and should behind %" PRIu64,
                  join->out->end.number, join->theirs.number);
        verdict = SHARED_DAMAGED;
    }
    return verdict;
}

/* ---- both ---- */

/* Whether theirs begins with all of ours. */
static enum shared_verdict they_go_on(struct join *join, bool *out)
{
    struct shared_end there = {0, 0};
    enum shared_verdict verdict = SHARED_FINE;

    if (join->out->end.number > 0)
        verdict = shared_store_end_at(join->store, join->out->end.number, &there, join->err);
    *out = verdict == SHARED_FINE && there.chain == join->out->end.chain;
    return verdict == SHARED_LOST ? SHARED_FINE : verdict;
}

static enum shared_verdict bring_together(struct join *join)
{
    struct unit_joined *out = join->out;
    enum shared_verdict verdict = shared_store_end(join->store, &join->theirs, join->err);
    bool is_ours = true;

    if (verdict != SHARED_FINE && verdict != SHARED_LOST)
        return verdict;
    out->is_forgotten = verdict == SHARED_LOST;
    out->theirs = join->theirs;
    if (walk_ours(join, UINT64_MAX) != 0)
        return verdict_of(join);
    if (join->theirs.number <= out->end.number) {
        out->owed = out->end.number - join->theirs.number;
        if (join->theirs.number == 0 || join->chain_there == join->theirs.chain)
            return SHARED_FINE;
        is_ours = false;
    } else {
        verdict = they_go_on(join, &is_ours);
        if (verdict != SHARED_FINE)
            return verdict;
    }
    out->owed = 0;
    if (!is_ours && (put_aside(join) != 0 || walk_ours(join, UINT64_MAX) != 0))
        return verdict_of(join);
    return fetch(join);
}

static struct join begin(struct shared_store *store, const struct unit_join_config *config,
                         struct unit_joined *out, struct error *err)
{
    *out = (struct unit_joined){.end = {0, 0}};
    return (struct join){.store = store,
                         .journal = config->journal,
                         .blobs = config->blobs,
                         .lease_ms = config->lease_ms,
                         .kept_ns = config->kept_ns,
                         .must_stop = config->must_stop,
                         .self = config->self,
                         .out = out,
                         .err = err};
}

static void end(struct join *join)
{
    let_go(join);
    free(join->held.at);
    free(join->lists.at);
    segment_log_destroy(join->log);
    segment_walk_destroy(join->walk);
}

enum shared_verdict unit_join(struct shared_store *store, const struct unit_join_config *config,
                              struct unit_joined *out, struct error *err)
{
    struct join join = begin(store, config, out, err);
    enum shared_verdict verdict = bring_together(&join);

    end(&join);
    return verdict;
}

enum shared_verdict unit_join_compare(struct shared_store *store,
                                      const struct unit_join_config *config, uint64_t durable,
                                      struct shared_end *out, struct error *err)
{
    struct unit_joined ours;
    struct join join = begin(store, config, &ours, err);
    enum shared_verdict verdict = shared_store_end(store, &join.theirs, err);

    *out = join.theirs;
    if (verdict == SHARED_FINE && join.theirs.number <= durable &&
        walk_ours(&join, join.theirs.number) != 0)
        verdict = verdict_of(&join);
    if (verdict == SHARED_FINE &&
        (join.theirs.number > durable || (durable > 0 && join.chain_there != join.theirs.chain))) {
        error_set(err,
                  "the unit has gone on elsewhere, up to frame %" PRIu64
                  " of its journal, while this one had no answer",
                  join.theirs.number);
        verdict = SHARED_APART;
    }
    end(&join);
    return verdict;
}

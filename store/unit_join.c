/*
 * unit_join.c - see unit_join.h.
 */
#include "store/unit_join.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "store/intake_log.h"
#include "store/journal_format.h"
#include "store/segment_walk.h"
#include "store/shared_files.h"
#include "store/unit_image.h"

/* Logs that were put aside and are still there: beyond these a person has to look. */
enum { ASIDE_MAX = 100, RENEWALS_PER_LEASE = 3, FORMAT_BYTES_MAX = 4096 };

/* Of a store that lacks something. */
#define WAY_OUT                                                                                    \
    "where the directory of a daemon has the whole journal of the unit, delete the unit's keys "   \
    "in the Redis and start that one first"

/* A frame that came, until it is written. */
struct held_frame {
    struct shared_frame frame;
    char *payload;
};

struct join {
    struct shared_store *store;
    const struct unit_join_config *config;
    const char *blobs;
    enum shared_verdict lease; /* what became of it while we were at it */
    struct unit_joined *out;
    struct error *err;
    bool has_image;
    struct shared_image image;              /* that is there */
    struct shared_end base[SHARED_LOGS];    /* of ours: unit_log_base() */
    uint64_t first_intake;                  /* frame with which theirs begins; 0: it has none */
    bool skips_intake;                      /* ours ends before that, and begins with it */
    enum shared_log emptied;                /* whose folder is */
    int not_emptied;                        /* why a file of it is still there, or 0 */
    bool knows_crc;                         /* our journal has the frame of the image */
    uint32_t crc;                           /* then: its own */
    uint32_t chain_there[SHARED_LOGS];      /* of ours where theirs ends */
    struct segment_walk *walk[SHARED_LOGS]; /* over ours */
    struct segment_log *log;                /* that is written */
    VECTOR_OF(struct held_frame) held;
    VECTOR_OF(struct id128) lists; /* that they name */
};

/* A long log takes longer than a lease. False: it is not ours any more, or nobody knows. */
static bool stay_owner(struct join *join)
{
    const struct unit_join_config *config = join->config;
    uint64_t now_ns = host_mono_ns();

    if (config->must_stop != NULL && config->must_stop(config->self)) {
        error_set(join->err, "stopped before the journal was here");
        join->lease = SHARED_AWAY;
        return false;
    }
    if (config->lease_ms == 0 ||
        now_ns - *config->kept_ns < config->lease_ms * UINT64_C(1000000) / RENEWALS_PER_LEASE)
        return true;
    join->lease = shared_store_keep(join->store, config->lease_ms, join->err);
    if (join->lease == SHARED_FINE)
        *config->kept_ns = now_ns;
    if (join->lease == SHARED_LOST)
        join->lease = SHARED_AWAY; /* it came back older, or empty: for another try */
    return join->lease == SHARED_FINE;
}

/* False: a call on our own disk has failed. */
static bool is_done(struct join *join, int rc)
{
    join->out->is_disk_failed |= rc == -EIO || rc == -ENOSPC;
    return rc == 0;
}

/* What went wrong: with the lease, or with the directory. */
static enum shared_verdict verdict_of(const struct join *join)
{
    return join->lease != SHARED_FINE ? join->lease : SHARED_DAMAGED;
}

/* ---- ours ---- */

int unit_log_base(const struct segment_config *log, struct shared_end *out, struct error *err)
{
    enum segment_refusal why;
    struct segment_walk *walk;
    uint64_t first;
    int rc = segment_walk_create(log, &walk, &why, err);

    *out = (struct shared_end){0, 0};
    if (rc != 0)
        return rc;
    first = segment_walk_first(walk);
    segment_walk_destroy(walk);
    if (first == 1)
        return 0;
    rc = unit_anchor_read(log, out, err);
    if (rc == 0 && out->number + 1 < first) /* let go of before there was a unit */
        *out = (struct shared_end){first - 1, 0};
    return rc;
}

/* A frame is counted into the end of its log. */
static void count_in(struct join *join, enum shared_log which, const struct segment_frame *frame)
{
    const struct shared_frame same = {frame->number, frame->kind, {frame->payload, frame->bytes}};
    struct shared_end *end = &join->out->ends.of[which];

    if (which == SHARED_JOURNAL && join->has_image && frame->number == join->image.known.number) {
        join->knows_crc = true;
        join->crc = frame->crc;
    }
    if (frame->number <= join->base[which].number)
        *end = (struct shared_end){frame->number, join->base[which].chain};
    else
        *end = shared_end_after(*end, &same);
    if (frame->number == join->out->theirs.of[which].number &&
        frame->number >= join->base[which].number)
        join->chain_there[which] = end->chain;
}

/* Walks our log up to frame `last`. */
static int walk_to(struct join *join, enum shared_log which, uint64_t last)
{
    struct shared_end *end = &join->out->ends.of[which];
    struct segment_walk **walk = &join->walk[which];
    enum segment_refusal why;
    struct segment_frame frame;
    int rc = 0;

    segment_walk_destroy(*walk);
    *walk = NULL;
    *end = (struct shared_end){0, 0};
    if (which == SHARED_JOURNAL)
        join->knows_crc = false;
    rc = unit_log_base(join->config->log[which], &join->base[which], join->err);
    if (rc == 0)
        rc = segment_walk_create(join->config->log[which], walk, &why, join->err);
    if (rc != 0)
        return rc;
    while (end->number < last && (rc = segment_walk_next(*walk, &frame, join->err)) == 1) {
        count_in(join, which, &frame);
        if (!stay_owner(join))
            return -ECANCELED;
    }
    return rc < 0 ? rc : 0;
}

static int walk_ours(struct join *join, enum shared_log which, uint64_t last)
{
    int rc = walk_to(join, which, last);

    is_done(join, rc);
    return rc;
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

    snprintf(folder, sizeof(folder), "%.4000s/../snapshots",
             join->config->log[SHARED_JOURNAL]->folder);
    snprintf(aside, sizeof(aside), "%.4000s/snapshots", join->out->aside);
    rc = exchange(folder, aside);
    return rc == -ENOENT ? 0 : rc;
}

/* So that fsck and audit can read what is put aside, whose id it has: FORMAT, where there is one.
 */
static int copy_format(const char *folder, const char *aside)
{
    const struct host *h = host();
    char path[DATA_DIR_PATH_BYTES + 16], text[FORMAT_BYTES_MAX];
    ssize_t bytes;
    int fd;

    snprintf(path, sizeof(path), "%.4000s/../FORMAT", folder);
    fd = h->open(h->self, path, O_RDONLY, 0);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    bytes = h->pread(h->self, fd, text, sizeof(text), 0);
    h->close(h->self, fd);
    return bytes < 0 ? (int)bytes : host_replace_file(aside, "FORMAT", text, (size_t)bytes);
}

static void see_aside(void *user, const char *name)
{
    bool *is_used = user;

    *is_used |= name[0] != '.' && strncmp(name, "FORMAT", 6) != 0;
}

/* A join that failed before it had put anything there has made it. Else a disk that is full would
 * be given one by each start, until there are too many. */
static bool is_unused(const char *aside)
{
    bool is_used = false;

    return host()->list(host()->self, aside, see_aside, &is_used) == 0 && !is_used;
}

/* A folder for what is put aside by this join. */
static int make_aside(struct join *join)
{
    const char *folder = join->config->log[SHARED_JOURNAL]->folder;
    int rc = -EEXIST;

    if (join->out->aside[0] != '\0')
        return 0;
    for (int i = 1; i <= ASIDE_MAX && (rc == -EEXIST || rc == -ENOTEMPTY); i++) {
        snprintf(join->out->aside, sizeof(join->out->aside), "%.4000s.aside.%d", folder, i);
        rc = host()->mkdir(host()->self, join->out->aside, 0700);
        if (rc == -EEXIST && is_unused(join->out->aside))
            rc = 0;
    }
    return rc == 0 ? copy_format(folder, join->out->aside) : rc;
}

/* Our log goes under another name, and an empty one takes its place. */
static int put_aside(struct join *join, enum shared_log which)
{
    static const char *const names[SHARED_LOGS] = {
        [SHARED_JOURNAL] = "journal", [SHARED_INTAKE] = "intake"};
    const char *folder = join->config->log[which]->folder;
    char parent[DATA_DIR_PATH_BYTES], aside[DATA_DIR_PATH_BYTES + 16];
    int rc = make_aside(join);

    segment_walk_destroy(join->walk[which]);
    join->walk[which] = NULL;
    snprintf(aside, sizeof(aside), "%.4000s/%s", join->out->aside, names[which]);
    if (rc == 0 && which == SHARED_JOURNAL)
        rc = put_snapshots_aside(join);
    if (rc == 0)
        rc = exchange(folder, aside);
    snprintf(parent, sizeof(parent), "%s/..", folder);
    if (rc == 0)
        rc = host()->sync_dir(host()->self, join->out->aside);
    if (rc == 0)
        rc = host()->sync_dir(host()->self, parent);
    join->out->is_aside[which] = rc == 0;
    if (!is_done(join, rc))
        error_set(join->err, "%s: cannot be put aside as %.1000s: %s", folder, join->out->aside,
                  strerror(-rc));
    return rc != 0 ? rc : walk_ours(join, which, UINT64_MAX);
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
}

static void let_go(struct join *join)
{
    for (size_t i = 0; i < join->held.count; i++)
        free(join->held.at[i].payload);
    join->held.count = join->lists.count = 0;
}

static bool write_held(struct join *join, enum shared_log which)
{
    for (size_t i = 0; i < join->held.count; i++) {
        const struct shared_frame *frame = &join->held.at[i].frame;
        uint64_t number;
        if (!is_done(join, segment_log_append(join->log, frame->kind, frame->payload.at,
                                              frame->payload.len, &number, join->err)) ||
            !is_done(join, segment_log_sync(join->log, join->err)))
            return false;
        join->out->fetched[which]++;
    }
    return stay_owner(join);
}

/* What frames of the journal name is there before they are. */
static enum shared_verdict fetch_lists(struct join *join)
{
    enum shared_verdict verdict = SHARED_FINE;

    for (size_t i = 0; i < join->held.count; i++)
        note_lists(join, &join->held.at[i].frame);
    for (size_t i = 0; verdict == SHARED_FINE && i < join->lists.count; i++)
        verdict = shared_files_get(join->store, join->blobs, join->lists.at[i], join->err);
    return verdict;
}

/* ---- from an image ---- */

static void see_file(void *user, const char *name)
{
    struct join *join = user;
    char path[DATA_DIR_PATH_BYTES + 256];
    int rc;

    if (name[0] == '.')
        return;
    snprintf(path, sizeof(path), "%.4000s/%.200s", join->config->log[join->emptied]->folder, name);
    rc = host()->unlink(host()->self, path);
    if (rc != 0)
        join->not_emptied = rc;
}

/* A log that is a copy of what the store had, or has no frame, goes without a trace. */
static int empty_log(struct join *join, enum shared_log which)
{
    const char *folder = join->config->log[which]->folder;
    int rc;

    segment_walk_destroy(join->walk[which]);
    join->walk[which] = NULL;
    join->emptied = which;
    join->not_emptied = 0;
    rc = host()->list(host()->self, folder, see_file, join);
    if (rc == 0)
        rc = join->not_emptied;
    if (rc == 0)
        rc = host()->sync_dir(host()->self, folder);
    if (!is_done(join, rc))
        error_set(join->err, "%s: it cannot be emptied: %s", folder, strerrordesc_np(-rc));
    return rc != 0 ? rc : walk_ours(join, which, UINT64_MAX);
}

/* Ours is empty, and theirs begins later than with the first frame: ours does so, too. */
static enum shared_verdict begin_intake(struct join *join)
{
    const struct segment_config *intake = join->config->log[SHARED_INTAKE];
    const struct segment_end beginning = {.next_frame = join->first_intake};
    struct shared_frame frame;
    struct shared_end there;
    enum shared_verdict verdict;

    if (join->out->ends.of[SHARED_INTAKE].number > 0 || join->first_intake <= 1)
        return SHARED_FINE;
    if (segment_walk_end(join->walk[SHARED_INTAKE])->place_count > 0 &&
        empty_log(join, SHARED_INTAKE) != 0)
        return verdict_of(join);
    let_go(join);
    verdict = shared_store_frame(join->store, SHARED_INTAKE, join->first_intake, &frame, &there,
                                 join->err);
    if (verdict == SHARED_LOST && join->config->lease_ms == 0)
        return SHARED_AWAY; /* its owner has let go of more meanwhile: for another try */
    if (verdict != SHARED_FINE)
        return verdict;
    hold(join, &frame);
    if (!is_done(join, unit_anchor_write(intake, there, join->err)) ||
        !is_done(join, segment_log_open(intake, &beginning, &join->log, join->err)))
        return SHARED_DAMAGED;
    if (!write_held(join, SHARED_INTAKE))
        verdict = verdict_of(join);
    segment_log_destroy(join->log);
    join->log = NULL;
    if (verdict == SHARED_FINE && walk_ours(join, SHARED_INTAKE, UINT64_MAX) != 0)
        verdict = verdict_of(join);
    return verdict;
}

/* The first frame of our journal, in an empty folder, as the store has it: what it says has to be
 * known before the image is one of ours, and it must not be there before that is. */
static enum shared_verdict begin_at_held(struct join *join)
{
    const struct shared_frame *frame = &join->held.at[0].frame;
    const struct shared_end known = join->image.known;
    const struct segment_config *journal = join->config->log[SHARED_JOURNAL];
    const struct segment_end beginning = {.next_frame = known.number};
    enum shared_verdict verdict;

    if (!is_done(join, unit_anchor_write(journal, known, join->err)))
        return SHARED_DAMAGED;
    verdict = unit_image_fetch(join->store, journal, join->blobs, &join->image,
                               segment_frame_crc(journal, frame->number, frame->kind, 0,
                                                 frame->payload.at, frame->payload.len),
                               join->err);
    if (verdict != SHARED_FINE)
        return verdict;
    if (!is_done(join, segment_log_open(journal, &beginning, &join->log, join->err)))
        return SHARED_DAMAGED;
    if (!write_held(join, SHARED_JOURNAL))
        verdict = verdict_of(join);
    segment_log_destroy(join->log);
    join->log = NULL;
    join->out->image = known.number;
    return verdict;
}

/* What our journal would need to go on is not there any more, or far away: it begins with the last
 * frame that the image knows. */
static enum shared_verdict begin_from_image(struct join *join)
{
    const struct shared_end known = join->image.known;
    struct shared_frame frame;
    struct shared_end there;
    enum shared_verdict verdict;

    if (segment_walk_end(join->walk[SHARED_JOURNAL])->place_count > 0 &&
        empty_log(join, SHARED_JOURNAL) != 0)
        return verdict_of(join);
    let_go(join);
    verdict =
        shared_store_frame(join->store, SHARED_JOURNAL, known.number, &frame, &there, join->err);
    if (verdict == SHARED_FINE && there.chain != known.chain) {
        error_set(join->err,
                  "the unit's image in the shared store is not of its journal, which has another "
                  "frame %" PRIu64 "; " WAY_OUT,
                  known.number);
        verdict = SHARED_DAMAGED;
    }
    if (verdict != SHARED_FINE)
        return verdict;
    hold(join, &frame);
    verdict = begin_at_held(join);
    if (verdict == SHARED_FINE && walk_ours(join, SHARED_JOURNAL, UINT64_MAX) != 0)
        verdict = verdict_of(join);
    return verdict;
}

/* What the store has let go of, as far as nobody here wants it. */
static enum shared_verdict trim_intake(struct join *join)
{
    const struct segment_config *intake = join->config->log[SHARED_INTAKE];
    struct shared_end there, anchor;
    enum shared_verdict verdict;
    uint64_t before = 0;
    bool is_good;

    if (join->first_intake <= 1 || join->first_intake > join->out->ends.of[SHARED_INTAKE].number)
        return SHARED_FINE;
    if (!is_done(join, unit_anchor_read(intake, &anchor, join->err)))
        return SHARED_DAMAGED;
    if (anchor.number >= join->first_intake)
        return SHARED_FINE;
    verdict =
        shared_store_end_at(join->store, SHARED_INTAKE, join->first_intake, &there, join->err);
    if (verdict != SHARED_FINE) /* it has let go of more meanwhile: the next time */
        return verdict == SHARED_LOST ? SHARED_FINE : verdict;
    is_good =
        is_done(join, unit_anchor_write(intake, there, join->err)) &&
        is_done(join, segment_log_open(intake, segment_walk_end(join->walk[SHARED_INTAKE]),
                                       &join->log, join->err)) &&
        is_done(join, intake_keep_before(intake, &join->config->keep[SHARED_INTAKE], there.number,
                                         host_wall_ms(), &before, join->err)) &&
        (before == 0 || is_done(join, segment_log_release_before(join->log, before, join->err)));
    segment_log_destroy(join->log);
    join->log = NULL;
    if (!is_good || walk_ours(join, SHARED_INTAKE, UINT64_MAX) != 0)
        return verdict_of(join);
    return SHARED_FINE;
}

/* One that is followed takes what is newer than its own, and lets go of the journal before it. */
static enum shared_verdict take_image(struct join *join)
{
    const struct segment_config *journal = join->config->log[SHARED_JOURNAL];
    enum shared_verdict verdict =
        unit_image_fetch(join->store, journal, join->blobs, &join->image, join->crc, join->err);
    uint64_t before = 0;
    bool is_good;

    if (verdict == SHARED_LOST)
        return SHARED_FINE; /* the next one is taken the next time */
    if (verdict != SHARED_FINE)
        return verdict;
    is_good =
        is_done(join, unit_anchor_write(journal, join->image.known, join->err)) &&
        is_done(join, segment_log_open(journal, segment_walk_end(join->walk[SHARED_JOURNAL]),
                                       &join->log, join->err)) &&
        is_done(join, journal_keep_before(journal, &join->config->keep[SHARED_JOURNAL],
                                          join->image.known.number, host_wall_ms(), &before,
                                          join->err)) &&
        (before == 0 || is_done(join, segment_log_release_before(join->log, before, join->err)));
    segment_log_destroy(join->log);
    join->log = NULL;
    join->out->image = join->image.known.number;
    if (!is_good || walk_ours(join, SHARED_JOURNAL, UINT64_MAX) != 0)
        return verdict_of(join);
    return trim_intake(join);
}

/* Before frames are fetched. */
static enum shared_verdict use_image(struct join *join)
{
    const struct shared_end ours = join->out->ends.of[SHARED_JOURNAL];
    struct shared_end anchor;

    if (!join->has_image)
        return SHARED_FINE;
    if (ours.number == 0)
        return begin_from_image(join);
    if (join->config->lease_ms != 0 || !join->knows_crc || join->image.frame > ours.number)
        return SHARED_FINE;
    if (!is_done(join, unit_anchor_read(join->config->log[SHARED_JOURNAL], &anchor, join->err)))
        return SHARED_DAMAGED;
    return anchor.number < join->image.known.number ? take_image(join) : SHARED_FINE;
}

/* What was read does not end where it had said. It may have come back older meanwhile, which is for
 * another try; else something of it is gone. */
static enum shared_verdict ends_elsewhere(struct join *join, enum shared_log which,
                                          const struct shared_end *end, struct shared_end theirs)
{
    struct shared_end again = {0, 0};
    enum shared_verdict verdict = shared_store_end(join->store, which, &again, join->err);

    if (verdict == SHARED_AWAY)
        return verdict;
    error_set(join->err,
              "the unit's %s in the shared store ends with frame %" PRIu64
              ", and should end with frame %" PRIu64 "; " WAY_OUT,
              shared_log_name(which), end->number, theirs.number);
    return again.number != theirs.number || again.chain != theirs.chain ? SHARED_AWAY
                                                                        : SHARED_DAMAGED;
}

/* Theirs goes on where ours ends: up to where it did when it was asked. */
static enum shared_verdict fetch(struct join *join, enum shared_log which)
{
    const struct shared_end theirs = join->out->theirs.of[which];
    struct shared_end *end = &join->out->ends.of[which];
    enum shared_verdict verdict = SHARED_FINE;

    if (end->number >= theirs.number)
        return SHARED_FINE;
    if (!is_done(join,
                 segment_log_open(join->config->log[which], segment_walk_end(join->walk[which]),
                                  &join->log, join->err)))
        return SHARED_DAMAGED;
    do {
        let_go(join);
        verdict = shared_store_read(join->store, which, end, theirs.number, hold, join, join->err);
        if (verdict == SHARED_FINE && which == SHARED_JOURNAL)
            verdict = fetch_lists(join);
        if (verdict == SHARED_FINE && !write_held(join, which))
            verdict = verdict_of(join);
    } while (verdict == SHARED_FINE && join->held.count > 0);
    segment_log_destroy(join->log);
    join->log = NULL;
    if (verdict == SHARED_FINE && (end->number != theirs.number || end->chain != theirs.chain))
        verdict = ends_elsewhere(join, which, end, theirs);
    return verdict;
}

/* ---- both ---- */

/* Whether one of the two begins with all of the other. */
static enum shared_verdict is_same(struct join *join, enum shared_log which, bool *out)
{
    const struct shared_end ours = join->out->ends.of[which], theirs = join->out->theirs.of[which];
    struct shared_end there = {0, 0};
    enum shared_verdict verdict;

    *out = theirs.number == 0 || ours.number == 0 ||
           (theirs.number <= ours.number && join->chain_there[which] == theirs.chain);
    if (*out || theirs.number <= ours.number)
        return SHARED_FINE;
    verdict = shared_store_end_at(join->store, which, ours.number, &there, join->err);
    *out = verdict == SHARED_FINE && there.chain == ours.chain;
    return verdict == SHARED_LOST ? SHARED_FINE : verdict;
}

/* Where they end. The journal is asked first: its frames go by those of the intake log that there
 * are by then. */
static enum shared_verdict ask_ends(struct join *join, struct unit_ends *out, bool *is_forgotten)
{
    static const enum shared_log order[SHARED_LOGS] = {SHARED_JOURNAL, SHARED_INTAKE};

    *is_forgotten = true;
    for (int i = 0; i < SHARED_LOGS; i++) {
        enum shared_verdict verdict =
            shared_store_end(join->store, order[i], &out->of[order[i]], join->err);
        if (verdict != SHARED_FINE && verdict != SHARED_LOST)
            return verdict;
        *is_forgotten &= verdict == SHARED_LOST;
    }
    return SHARED_FINE;
}

/* One that rests on frames that are not there any more, as in a store of before that was written to
 * by hand, is none. */
static enum shared_verdict ask_image(struct join *join)
{
    enum shared_verdict verdict = shared_image_find(join->store, &join->image, join->err);

    join->has_image =
        verdict == SHARED_FINE && join->image.frame <= join->out->theirs.of[SHARED_JOURNAL].number;
    return verdict == SHARED_LOST ? SHARED_FINE : verdict;
}

/* It is no more than what was fetched before, and the store has let go of it since. */
static bool is_copy(const struct join *join, enum shared_log which)
{
    uint64_t ours = join->out->ends.of[which].number;

    return ours <= join->config->copied[which] &&
           (join->skips_intake ||
            (which == SHARED_JOURNAL && join->has_image && ours < join->image.known.number));
}

/* With which frame the store's intake log begins. */
static enum shared_verdict ask_intake(struct join *join)
{
    enum shared_verdict verdict = SHARED_FINE;

    if (join->out->theirs.of[SHARED_INTAKE].number > 0)
        verdict = shared_store_first(join->store, SHARED_INTAKE, &join->first_intake, join->err);
    return verdict == SHARED_LOST ? SHARED_DAMAGED : verdict;
}

/* Whether ours ends before what the store has of the intake log: then what our journal says behind
 * that rests on records that are nowhere, and only an image stands for them. */
static enum shared_verdict look_for_gap(struct join *join, bool is_ours[SHARED_LOGS])
{
    const uint64_t intake = is_ours[SHARED_INTAKE] ? join->out->ends.of[SHARED_INTAKE].number : 0;

    join->skips_intake = join->first_intake > 1 && intake == 0;
    if (!join->skips_intake)
        return SHARED_FINE;
    is_ours[SHARED_JOURNAL] = false;
    if (join->has_image)
        return SHARED_FINE;
    error_set(join->err,
              "the unit's intake log in the shared store begins with frame %" PRIu64
              ", and there is no image that stands for what was before; " WAY_OUT,
              join->first_intake);
    return SHARED_DAMAGED;
}

/* A join that failed between the two steps of exchange() has left one of them out. */
static int make_folders(struct join *join)
{
    char snapshots[DATA_DIR_PATH_BYTES + 16];
    const char *const folders[] = {join->config->log[SHARED_JOURNAL]->folder,
                                   join->config->log[SHARED_INTAKE]->folder, snapshots};
    int rc = 0;

    snprintf(snapshots, sizeof(snapshots), "%.4000s/../snapshots", folders[0]);
    for (size_t i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
        rc = host()->mkdir(host()->self, folders[i], 0700);
        if (rc == -EEXIST)
            rc = 0;
        if (!is_done(join, rc))
            error_set(join->err, "%s: it cannot be made: %s", folders[i], strerrordesc_np(-rc));
    }
    return rc;
}

static enum shared_verdict bring_together(struct join *join)
{
    struct unit_joined *out = join->out;
    enum shared_verdict verdict = ask_ends(join, &out->theirs, &out->is_forgotten);
    bool is_ours[SHARED_LOGS];

    if (verdict == SHARED_FINE && make_folders(join) != 0)
        return SHARED_DAMAGED;
    if (verdict == SHARED_FINE)
        verdict = ask_image(join);
    for (enum shared_log which = 0; which < SHARED_LOGS; which++) {
        if (verdict == SHARED_FINE && walk_ours(join, which, UINT64_MAX) != 0)
            return verdict_of(join);
        if (verdict == SHARED_FINE)
            verdict = is_same(join, which, &is_ours[which]);
    }
    if (verdict == SHARED_FINE)
        verdict = ask_intake(join);
    if (verdict == SHARED_FINE)
        verdict = look_for_gap(join, is_ours);
    if (verdict != SHARED_FINE)
        return verdict;
    is_ours[SHARED_JOURNAL] &= is_ours[SHARED_INTAKE] || out->ends.of[SHARED_JOURNAL].number <=
                                                             out->theirs.of[SHARED_JOURNAL].number;
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        if (!is_ours[which] && out->ends.of[which].number > 0 &&
            (is_copy(join, which) ? empty_log(join, which) : put_aside(join, which)) != 0)
            return verdict_of(join);
    /* The intake log first: broken off behind the image, nothing is missing that it goes by. */
    verdict = begin_intake(join);
    if (verdict == SHARED_FINE)
        verdict = use_image(join);
    if (verdict == SHARED_FINE)
        verdict = fetch(join, SHARED_INTAKE);
    if (verdict == SHARED_FINE)
        verdict = fetch(join, SHARED_JOURNAL);
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        out->owed[which] = out->ends.of[which].number - out->theirs.of[which].number;
    return verdict;
}

static struct join begin(struct shared_store *store, const struct unit_join_config *config,
                         struct unit_joined *out, struct error *err)
{
    *out = (struct unit_joined){.is_forgotten = false};
    return (struct join){
        .store = store, .config = config, .blobs = config->blobs, .out = out, .err = err};
}

static void end(struct join *join)
{
    let_go(join);
    free(join->held.at);
    free(join->lists.at);
    shared_image_release(&join->image);
    segment_log_destroy(join->log);
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        segment_walk_destroy(join->walk[which]);
}

/* Whether the store has what it had when it was asked first; only its owner changes it. */
static bool is_as_it_was(struct join *join)
{
    const struct unit_ends *theirs = &join->out->theirs;
    struct shared_image image = {.frame = 0};
    struct unit_ends again = {.of = {{0, 0}}};
    bool is_forgotten, is_same, has_image;

    if (ask_ends(join, &again, &is_forgotten) != SHARED_FINE)
        return false;
    has_image = shared_image_find(join->store, &image, join->err) == SHARED_FINE;
    is_same = !join->has_image || (has_image && strcmp(image.name, join->image.name) == 0);
    shared_image_release(&image);
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        is_same &= again.of[which].number == theirs->of[which].number &&
                   again.of[which].chain == theirs->of[which].chain;
    return is_same;
}

/* A store that came back older, or empty, while it was read lacks what it had said that it has:
 * that is no damage, and for another try. */
static enum shared_verdict judge_lack(struct join *join, enum shared_verdict verdict)
{
    const struct error why = *join->err;
    bool may_lack =
        verdict == SHARED_LOST || (verdict == SHARED_DAMAGED && !join->out->is_disk_failed);

    if (!may_lack || join->config->lease_ms == 0 || join->lease != SHARED_FINE)
        return verdict;
    if (!is_as_it_was(join))
        verdict = SHARED_AWAY;
    *join->err = why;
    return verdict;
}

enum shared_verdict unit_join(struct shared_store *store, const struct unit_join_config *config,
                              struct unit_joined *out, struct error *err)
{
    struct join join = begin(store, config, out, err);
    enum shared_verdict verdict = judge_lack(&join, bring_together(&join));

    end(&join);
    return verdict;
}

/* Whether theirs is a beginning of ours. */
static enum shared_verdict compare(struct join *join, enum shared_log which, uint64_t durable)
{
    const struct shared_end theirs = join->out->theirs.of[which];

    if (theirs.number == 0)
        return SHARED_FINE;
    if (theirs.number <= durable && walk_ours(join, which, theirs.number) != 0)
        return verdict_of(join);
    if (theirs.number <= durable && join->chain_there[which] == theirs.chain)
        return SHARED_FINE;
    error_set(join->err,
              "the unit has gone on elsewhere, up to frame %" PRIu64
              " of its %s, while this one had no answer",
              theirs.number, shared_log_name(which));
    return SHARED_APART;
}

enum shared_verdict unit_join_compare(struct shared_store *store,
                                      const struct unit_join_config *config,
                                      const uint64_t durable[SHARED_LOGS], struct unit_ends *out,
                                      struct error *err)
{
    struct unit_joined ours;
    struct join join = begin(store, config, &ours, err);
    bool is_forgotten;
    enum shared_verdict verdict = ask_ends(&join, &ours.theirs, &is_forgotten);

    *out = ours.theirs;
    for (enum shared_log which = 0; verdict == SHARED_FINE && which < SHARED_LOGS; which++)
        verdict = compare(&join, which, durable[which]);
    if (verdict == SHARED_FINE && is_forgotten) {
        error_set(err, "the shared store has forgotten the unit");
        verdict = SHARED_LOST;
    }
    end(&join);
    return verdict;
}

/*
 * journal.c - see journal.h.
 *
 * The incident role writes the records of a step into a buffer of its own and takes the lock when
 * the step is whole, to hang them behind the open group. So a group never holds half a step, and
 * what the lock protects is a copy of bytes.
 */
#include "store/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"

enum { PREPARE_BYTES = 1 << 20, FULL_RETRY_MS = 200, MARKS_MAX = 8192 };

/* What one group holds. Two of them take turns: one is open, one is written. */
struct group {
    struct journal_buffer body; /* of its steps, and states of ops; the head is not in it */
    VECTOR_OF(struct op) ops;
    VECTOR_OF(const char *) sinks;
    VECTOR_OF(struct journal_position) positions; /* as of its last step */
    struct journal_counts counts;
    bool has_step;
    bool is_urgent; /* an op, or the state of one */
    int64_t from_ms, to_ms, n_ms, r_ms;
    uint64_t began_ns; /* of the first thing in it; 0: empty */
    uint64_t ticket;
    uint64_t frame; /* its last one, once it is written */
};

struct journal {
    struct journal_config config;
    struct journal_hooks hooks;
    struct segment_log *log; /* journal thread */
    pthread_t thread;
    bool is_joined; /* by who stops it */

    /* incident role */
    struct journal_buffer step;
    VECTOR_OF(struct op) step_ops;
    VECTOR_OF(const char *) step_sinks;
    VECTOR_OF(struct journal_position) last_positions; /* of the last step with content */
    struct journal_counts last_counts;

    pthread_mutex_t lock;
    pthread_cond_t done; /* a group was committed, or it broke */
    int waker;           /* of the journal thread */
    /* Under the lock: */
    struct group groups[2];
    int open;                               /* which of the two */
    VECTOR_OF(struct journal_record) marks; /* parts, rules and marks that no group has yet */
    bool has_news;                          /* there are others than seals among them */
    size_t seal_at[JOURNAL_PARTS_MAX]; /* 1 + where the last one of a part stands; 0: nowhere */
    uint64_t next_ticket, durable_ticket;
    uint64_t flush_asked, flushed;
    uint64_t release_before, released; /* frames */
    bool is_writing, is_broken, must_stop, is_full;
    char why[ERROR_TEXT_BYTES];
    struct journal_counters counters;
};

/* ---- collecting ---- */

static struct group *open_group(struct journal *journal)
{
    return &journal->groups[journal->open];
}

/* All parts and marks there are become part of the group. */
static void take_marks(struct journal *journal, struct group *group)
{
    for (size_t i = 0; i < journal->marks.count; i++)
        journal_put(&group->body, &journal->marks.at[i]);
    journal->marks.count = 0;
    journal->has_news = false;
    memset(journal->seal_at, 0, sizeof(journal->seal_at));
}

/* Something comes into it; steps without content that are in it were closed behind marks. */
static void group_touch(struct journal *journal, struct group *group)
{
    if (group->began_ns != 0)
        return;
    group->began_ns = host_mono_ns();
    if (group->has_step)
        take_marks(journal, group);
}

static void add_news(struct journal *journal, const struct journal_record *record)
{
    vector_add(&journal->marks) = *record;
    journal->has_news = true;
}

void journal_part(struct journal *journal, const struct journal_part *part)
{
    pthread_mutex_lock(&journal->lock);
    add_news(journal, &(struct journal_record){.kind = JOURNAL_PART, .part = *part});
    pthread_mutex_unlock(&journal->lock);
}

void journal_rules(struct journal *journal, const struct journal_rules *rules)
{
    pthread_mutex_lock(&journal->lock);
    add_news(journal, &(struct journal_record){.kind = JOURNAL_RULES, .rules = *rules});
    pthread_mutex_unlock(&journal->lock);
}

/* A seal that only moves the one before it, at the same record, takes its place. */
static bool replaces_seal(struct journal *journal, const struct mark *mark)
{
    size_t at = mark->part < JOURNAL_PARTS_MAX ? journal->seal_at[mark->part] : 0;

    if (mark->kind != MARK_SEAL || at == 0 || journal->marks.at[at - 1].mark.offset != mark->offset)
        return false;
    journal->marks.at[at - 1].mark = *mark;
    return true;
}

void journal_mark(struct journal *journal, const struct mark *mark)
{
    pthread_mutex_lock(&journal->lock);
    if (!replaces_seal(journal, mark)) {
        vector_add(&journal->marks) = (struct journal_record){.kind = JOURNAL_MARK, .mark = *mark};
        journal->has_news |= mark->kind != MARK_SEAL;
        if (mark->kind == MARK_SEAL && mark->part < JOURNAL_PARTS_MAX)
            journal->seal_at[mark->part] = journal->marks.count;
    }
    if (journal->marks.count >= MARKS_MAX) {
        group_touch(journal, open_group(journal));
        take_marks(journal, open_group(journal));
    }
    pthread_mutex_unlock(&journal->lock);
}

bool journal_room(struct journal *journal)
{
    bool room;

    pthread_mutex_lock(&journal->lock);
    room =
        !journal->is_broken && open_group(journal)->body.bytes.count < journal->config.open_bytes;
    journal->counters.full += !room;
    pthread_mutex_unlock(&journal->lock);
    return room;
}

void journal_change(struct journal *journal, const struct incident *incident)
{
    struct journal_record record = {.kind = JOURNAL_CHANGE};

    /* A view of what it says: the count of references is not copied. */
    memcpy(&record.change, incident, sizeof(*incident));
    journal_put(&journal->step, &record);
}

void journal_member(struct journal *journal, const struct journal_member *member)
{
    const struct journal_record record = {.kind = JOURNAL_MEMBER, .member = *member};

    journal_put(&journal->step, &record);
}

void journal_op(struct journal *journal, const struct op *op, const char *sink)
{
    const struct journal_record record = {.kind = JOURNAL_OP,
                                          .op = {.id = op->id,
                                                 .incident = op->incident->id,
                                                 .number = op->number,
                                                 .kind = op->kind,
                                                 .sink = sink}};

    journal_put(&journal->step, &record);
    vector_add(&journal->step_ops) = *op;
    vector_add(&journal->step_sinks) = sink;
}

/* What was told becomes part of the group. */
static void take_told(struct journal *journal, struct group *group)
{
    const struct journal_buffer *from = &journal->step;

    group_touch(journal, group);
    take_marks(journal, group);
    vector_reserve(&group->body.bytes, from->bytes.count);
    if (from->bytes.count > 0)
        memcpy(group->body.bytes.at + group->body.bytes.count, from->bytes.at, from->bytes.count);
    group->body.bytes.count += from->bytes.count;
    for (size_t i = 0; i < journal->step_ops.count; i++) {
        vector_add(&group->ops) = journal->step_ops.at[i];
        vector_add(&group->sinks) = journal->step_sinks.at[i];
    }
    group->is_urgent |= journal->step_ops.count > 0;
}

/* It is in the group; the lock is not held. */
static void forget_told(struct journal *journal, bool is_urgent)
{
    journal->step.bytes.count = journal->step_ops.count = journal->step_sinks.count = 0;
    if (is_urgent)
        host()->waker_wake(host()->self, journal->waker);
}

static bool counts_equal(const struct journal_counts *a, const struct journal_counts *b)
{
    return a->count == b->count && memcmp(a->value, b->value, a->count * sizeof(a->value[0])) == 0;
}

/* Records were read or closed, or something was counted, since the last step of which this was so.
 */
static bool has_moved(struct journal *journal, const struct journal_step *step)
{
    const struct journal_position *last = journal->last_positions.at;
    bool moved = journal->last_positions.count != step->position_count ||
                 !counts_equal(&journal->last_counts, step->counts);

    for (size_t i = 0; !moved && i < step->position_count; i++)
        moved = last[i].part != step->positions[i].part || last[i].low != step->positions[i].low ||
                last[i].read != step->positions[i].read;
    if (!moved)
        return false;
    journal->last_counts = *step->counts;
    journal->last_positions.count = 0;
    for (size_t i = 0; i < step->position_count; i++)
        vector_add(&journal->last_positions) = step->positions[i];
    return true;
}

static void pass(struct journal *journal, int64_t to_ms)
{
    if (journal->hooks.passed != NULL)
        journal->hooks.passed(journal->hooks.self, to_ms);
}

/* Everything that was told is durable. Under the lock. */
static bool is_at_rest(struct journal *journal)
{
    return open_group(journal)->began_ns == 0 && !journal->is_writing && !journal->is_broken;
}

void journal_step(struct journal *journal, const struct journal_step *step)
{
    bool has_content = has_moved(journal, step) || journal->step.bytes.count > 0;
    struct group *group;
    bool is_urgent, is_passed;

    pthread_mutex_lock(&journal->lock);
    group = open_group(journal);
    if (has_content || journal->has_news || group->began_ns != 0)
        take_told(journal, group);
    else
        journal->counters.silent++;
    if (!group->has_step)
        group->from_ms = step->from_ms;
    group->has_step = true;
    group->to_ms = step->to_ms;
    group->n_ms = step->n_ms;
    group->r_ms = step->r_ms;
    group->counts = *step->counts;
    group->positions.count = 0;
    for (size_t i = 0; i < step->position_count; i++)
        vector_add(&group->positions) = step->positions[i];
    is_urgent = group->is_urgent || group->body.bytes.count >= journal->config.group_bytes;
    is_passed = is_at_rest(journal);
    pthread_mutex_unlock(&journal->lock);
    forget_told(journal, is_urgent);
    if (is_passed) /* a later end comes from this role alone */
        pass(journal, step->to_ms);
}

void journal_aside(struct journal *journal)
{
    bool is_urgent;

    if (journal->step.bytes.count == 0)
        return;
    pthread_mutex_lock(&journal->lock);
    take_told(journal, open_group(journal));
    is_urgent = open_group(journal)->is_urgent;
    pthread_mutex_unlock(&journal->lock);
    forget_told(journal, is_urgent);
}

uint64_t journal_op_state(struct journal *journal, const struct journal_op_state *state)
{
    const struct journal_record record = {.kind = JOURNAL_OP_STATE, .op_state = *state};
    struct group *group;
    uint64_t ticket;

    pthread_mutex_lock(&journal->lock);
    group = open_group(journal);
    group_touch(journal, group);
    journal_put(&group->body, &record);
    group->is_urgent = true;
    ticket = group->ticket = ++journal->next_ticket;
    pthread_mutex_unlock(&journal->lock);
    host()->waker_wake(host()->self, journal->waker);
    return ticket;
}

void journal_keep_marks(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    if (journal->marks.count > 0 || open_group(journal)->has_step) {
        group_touch(journal, open_group(journal));
        take_marks(journal, open_group(journal));
    }
    pthread_mutex_unlock(&journal->lock);
}

void journal_release_before(struct journal *journal, uint64_t frame)
{
    pthread_mutex_lock(&journal->lock);
    if (frame > journal->release_before)
        journal->release_before = frame;
    pthread_mutex_unlock(&journal->lock);
}

/* ---- writing ---- */

/* The open group has to be closed now; if not, `wait_ns` says when to look again. */
static bool is_due(struct journal *journal, uint64_t *wait_ns)
{
    struct group *group = open_group(journal);
    uint64_t age, limit = (uint64_t)journal->config.group_ms * 1000000u;

    *wait_ns = limit;
    if (group->began_ns == 0)
        return false;
    if (group->is_urgent || journal->flush_asked > journal->flushed || journal->must_stop ||
        group->body.bytes.count >= journal->config.group_bytes)
        return true;
    age = host_mono_ns() - group->began_ns;
    *wait_ns = age < limit ? limit - age : 0;
    return age >= limit;
}

/* Head, body, then positions and counts: these may be of partitions that the body introduces. */
static void put_all(struct journal_buffer *to, const struct group *group)
{
    journal_put(to, &(struct journal_record){.kind = JOURNAL_GROUP,
                                             .group = {.from_ms = group->from_ms,
                                                       .to_ms = group->to_ms,
                                                       .n_ms = group->n_ms,
                                                       .r_ms = group->r_ms,
                                                       .engine = JOURNAL_ENGINE}});
    vector_reserve(&to->bytes, group->body.bytes.count);
    if (group->body.bytes.count > 0)
        memcpy(to->bytes.at + to->bytes.count, group->body.bytes.at, group->body.bytes.count);
    to->bytes.count += group->body.bytes.count;
    if (!group->has_step)
        return;
    for (size_t i = 0; i < group->positions.count; i++)
        journal_put(to, &(struct journal_record){.kind = JOURNAL_POSITION,
                                                 .position = group->positions.at[i]});
    journal_put(to, &(struct journal_record){.kind = JOURNAL_COUNTS, .counts = group->counts});
}

/* One frame and its sync. A full disk is waited for: the next segment is all that needs room. */
static int put_frame(struct journal *journal, uint32_t kind, const char *from, size_t bytes,
                     uint64_t *number, struct error *err)
{
    int rc;

    for (;;) {
        uint64_t began;
        rc = segment_log_append(journal->log, kind, from, bytes, number, err);
        if (rc == -ENOSPC && !segment_log_is_broken(journal->log)) {
            bool must_stop;
            pthread_mutex_lock(&journal->lock);
            journal->is_full = true;
            pthread_cond_broadcast(&journal->done); /* whoever does not wait for room */
            must_stop = journal->must_stop;
            pthread_mutex_unlock(&journal->lock);
            if (must_stop)
                return rc;
            host()->waker_sleep(host()->self, journal->waker, FULL_RETRY_MS * 1000000ull);
            continue;
        }
        if (rc != 0)
            return rc;
        began = host_mono_ns();
        rc = segment_log_sync(journal->log, err);
        pthread_mutex_lock(&journal->lock);
        journal->is_full = false;
        journal->counters.syncs++;
        journal->counters.bytes += bytes;
        journal->counters.sync_ns_last = host_mono_ns() - began;
        if (journal->counters.sync_ns_last > journal->counters.sync_ns_max)
            journal->counters.sync_ns_max = journal->counters.sync_ns_last;
        segment_log_counters(journal->log, &journal->counters.log);
        pthread_mutex_unlock(&journal->lock);
        return rc;
    }
}

/* The group as one frame, or as several, cut between records. */
static int put_group(struct journal *journal, struct group *group, struct error *err)
{
    struct journal_buffer all = {0};
    size_t most = FRAME_PAYLOAD_MAX, room = segment_log_payload_max(journal->log);
    const char *at, *end;
    uint32_t first = JOURNAL_FRAME_FIRST;
    int rc = 0;

    most = room < most ? room : most;
    put_all(&all, group);
    at = all.bytes.at;
    end = at + all.bytes.count;
    while (rc == 0 && at < end) {
        const char *cut = at;
        while (cut < end && (size_t)(journal_record_end(cut) - at) <= most)
            cut = journal_record_end(cut);
        if (cut == at) {
            error_set(err, "a record of %zu bytes is too large for the journal",
                      (size_t)(journal_record_end(at) - at));
            rc = -EMSGSIZE;
            break;
        }
        rc = put_frame(journal, first | (cut == end ? JOURNAL_FRAME_LAST : 0), at,
                       (size_t)(cut - at), &group->frame, err);
        first = 0;
        at = cut;
    }
    journal_buffer_release(&all);
    return rc;
}

static void group_reset(struct group *group)
{
    group->body.bytes.count = group->ops.count = group->sinks.count = group->positions.count = 0;
    group->has_step = group->is_urgent = false;
    group->from_ms = group->to_ms;
    group->began_ns = 0;
}

/* What is not committed never happened: its ops are made again at the next start. */
static void ops_drop(struct group *group)
{
    for (size_t i = 0; i < group->ops.count; i++)
        incident_unref(group->ops.at[i].incident);
    group->ops.count = 0;
}

static void commit(struct journal *journal, struct group *group)
{

    const struct journal_commit told = {.to_ms = group->to_ms,
                                        .ops = group->ops.at,
                                        .sinks = group->sinks.at,
                                        .op_count = group->ops.count,
                                        .positions = group->positions.at,
                                        .position_count = group->positions.count,
                                        .ticket = group->ticket,
                                        .frame = group->frame,
                                        .records = group->body.bytes.at,
                                        .record_bytes = group->body.bytes.count};

    if (journal->hooks.committed != NULL)
        journal->hooks.committed(journal->hooks.self, &told);
}

/* Steps without content that came while it was written are told of before the next may tell of
 * itself. The lock is held before and after. */
static void pass_silent(struct journal *journal, const struct group *next, int64_t to_ms)
{
    while (next->began_ns == 0 && next->to_ms > to_ms) {
        to_ms = next->to_ms;
        pthread_mutex_unlock(&journal->lock);
        pass(journal, to_ms);
        pthread_mutex_lock(&journal->lock);
    }
}

/* One group from open to committed; the lock is held before and after. */
static void write_group(struct journal *journal)
{
    struct group *group = open_group(journal);
    struct group *next = &journal->groups[1 - journal->open];
    uint64_t flush = journal->flush_asked;
    struct error err = {""};
    int rc;

    next->to_ms = next->from_ms = group->to_ms;
    next->n_ms = group->n_ms;
    next->r_ms = group->r_ms;
    next->counts = group->counts;
    next->ticket = group->ticket;
    journal->open = 1 - journal->open;
    journal->is_writing = true;
    pthread_mutex_unlock(&journal->lock);
    rc = put_group(journal, group, &err);
    if (rc == 0) {
        commit(journal, group);
        pass(journal, group->to_ms);
    } else {
        ops_drop(group);
    }
    pthread_mutex_lock(&journal->lock);
    if (rc == 0)
        pass_silent(journal, next, group->to_ms);
    journal->is_writing = false;
    if (rc == 0) {
        journal->counters.groups++;
        journal->durable_ticket = group->ticket;
        if (journal->flushed < flush)
            journal->flushed = flush;
    } else {
        journal->is_broken = true;
        snprintf(journal->why, sizeof(journal->why), "%s", err.text);
    }
    group_reset(group);
    if (rc != 0 && journal->hooks.broken != NULL) {
        pthread_mutex_unlock(&journal->lock);
        journal->hooks.broken(journal->hooks.self, err.text);
        pthread_mutex_lock(&journal->lock);
    }
    pthread_cond_broadcast(&journal->done);
}

/* Segments that nobody needs any more go; the lock is held before and after. A failure harms
 * nothing: they lie there until the next start. */
static void release(struct journal *journal)
{
    uint64_t before = journal->release_before;
    const struct journal_hooks *hooks = &journal->hooks;
    struct error err = {""};
    int rc = -EBUSY;

    pthread_mutex_unlock(&journal->lock);
    if (hooks->may_release == NULL || hooks->may_release(hooks->self))
        rc = segment_log_release_before(journal->log, before, &err);
    pthread_mutex_lock(&journal->lock);
    journal->released = before;
    journal->counters.release_failures += rc != 0;
    segment_log_counters(journal->log, &journal->counters.log);
}

static void *run(void *arg)
{
    struct journal *journal = arg;
    uint64_t wait_ns;

    pthread_mutex_lock(&journal->lock);
    while (!journal->is_broken) {
        if (is_due(journal, &wait_ns)) {
            write_group(journal);
            continue;
        }
        if (journal->flush_asked > journal->flushed) { /* nothing is open */
            journal->flushed = journal->flush_asked;
            pthread_cond_broadcast(&journal->done);
        }
        if (journal->must_stop)
            break;
        if (journal->release_before > journal->released) {
            release(journal);
            continue;
        }
        pthread_mutex_unlock(&journal->lock);
        /* The next segment is made while there is time for it. */
        if (!segment_log_prepare(journal->log, PREPARE_BYTES))
            host()->waker_sleep(host()->self, journal->waker, wait_ns);
        pthread_mutex_lock(&journal->lock);
    }
    pthread_mutex_unlock(&journal->lock);
    return NULL;
}

static bool flush(struct journal *journal, bool waits_for_room)
{
    uint64_t asked;
    bool is_flushed;

    pthread_mutex_lock(&journal->lock);
    asked = ++journal->flush_asked;
    host()->waker_wake(host()->self, journal->waker);
    while (journal->flushed < asked && !journal->is_broken && (waits_for_room || !journal->is_full))
        pthread_cond_wait(&journal->done, &journal->lock);
    is_flushed = journal->flushed >= asked;
    pthread_mutex_unlock(&journal->lock);
    return is_flushed;
}

void journal_flush(struct journal *journal)
{
    flush(journal, true);
}

bool journal_flush_now(struct journal *journal)
{
    return flush(journal, false);
}

/* ---- begin and end ---- */

int journal_create(const struct journal_config *config, struct segment_log *log,
                   const struct journal_hooks *hooks, struct journal **out, struct error *err)
{
    struct journal *journal = calloc(1, sizeof(*journal));
    int rc = -ENOMEM;

    if (journal == NULL) {
        error_set(err, "out of memory for the journal");
        return rc;
    }
    journal->config = *config;
    journal->hooks = *hooks;
    journal->log = log;
    for (int i = 0; i < 2; i++)
        journal->groups[i].r_ms = INT64_MIN;
    pthread_mutex_init(&journal->lock, NULL);
    pthread_cond_init(&journal->done, NULL);
    journal->waker = host()->waker_create(host()->self);
    rc =
        journal->waker < 0 ? journal->waker : -pthread_create(&journal->thread, NULL, run, journal);
    if (rc != 0) {
        error_set(err, "the journal's thread cannot be started: %s", strerrordesc_np(-rc));
        if (journal->waker >= 0)
            host()->close(host()->self, journal->waker);
        pthread_cond_destroy(&journal->done);
        pthread_mutex_destroy(&journal->lock);
        free(journal);
        return rc;
    }
    *out = journal;
    return 0;
}

void journal_stop(struct journal *journal)
{
    if (journal->is_joined)
        return;
    pthread_mutex_lock(&journal->lock);
    journal->must_stop = true;
    pthread_mutex_unlock(&journal->lock);
    host()->waker_wake(host()->self, journal->waker);
    pthread_join(journal->thread, NULL);
    journal->is_joined = true;
}

void journal_destroy(struct journal *journal)
{
    if (journal == NULL)
        return;
    journal_stop(journal);
    for (int i = 0; i < 2; i++) {
        struct group *group = &journal->groups[i];
        ops_drop(group);
        free(group->ops.at);
        free(group->sinks.at);
        free(group->positions.at);
        journal_buffer_release(&group->body);
    }
    for (size_t i = 0; i < journal->step_ops.count; i++)
        incident_unref(journal->step_ops.at[i].incident);
    free(journal->step_ops.at);
    free(journal->step_sinks.at);
    free(journal->last_positions.at);
    journal_buffer_release(&journal->step);
    free(journal->marks.at);
    host()->close(host()->self, journal->waker);
    pthread_cond_destroy(&journal->done);
    pthread_mutex_destroy(&journal->lock);
    segment_log_destroy(journal->log);
    free(journal);
}

void journal_counters(struct journal *journal, struct journal_counters *out)
{
    pthread_mutex_lock(&journal->lock);
    *out = journal->counters;
    out->open_bytes = open_group(journal)->body.bytes.count;
    out->is_broken = journal->is_broken;
    out->is_waiting_for_disk = journal->is_full;
    pthread_mutex_unlock(&journal->lock);
}

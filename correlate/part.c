/*
 * part.c - see part.h.
 */
#include "correlate/part.h"

#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "correlate/blind.h"
#include "correlate/crash.h"
#include "correlate/in_place.h"
#include "correlate/mark.h"
#include "correlate/recovery.h"
#include "ingest/intake_source.h"

enum { CHANGES_MAX = 64 };
#define CHANGES_EVERY_NS 20000000u

/* One that left and joined again comes before its later self. */
static int part_order(const void *one, const void *other)
{
    const struct part *a = *(struct part *const *)one, *b = *(struct part *const *)other;
    int order = strcmp(a->name, b->name);

    if (order != 0)
        return order;
    return a->number != b->number ? (a->number > b->number) - (a->number < b->number)
                                  : (a->id > b->id) - (a->id < b->id);
}

/* Ranks of all partitions by (topic, partition): a new immutable array where there are new ones,
 * because steps under way still read the old one. */
void part_ranks(struct engine *engine)
{
    unsigned count = part_total(engine);
    uint16_t *rank = memory_alloc(count * sizeof(*rank));
    struct part *sorted[PARTS_MAX];

    memcpy(sorted, engine->parts, count * sizeof(struct part *));
    qsort(sorted, count, sizeof(struct part *), part_order);
    for (unsigned i = 0; i < count; i++)
        rank[sorted[i]->id] = (uint16_t)i;
    vector_add(&engine->old_ranks) = rank;
    engine->rank = rank;
}

/* What is pushed is in the order of its stamps, which are ours. */
static const struct topic_config intake_topic = {
    .topic = INTAKE_TOPIC, .format = FORMAT_AUTO, .log_append_time = true, .tenant = "default"};

static const struct topic_config *topic_of(const struct engine *engine, const char *name)
{
    if (strcmp(name, INTAKE_TOPIC) == 0)
        return &intake_topic;
    for (size_t i = 0; i < engine->topic_count; i++)
        if (engine->topics[i].topic != NULL && strcmp(engine->topics[i].topic, name) == 0)
            return &engine->topics[i];
    return &engine->any_topic;
}

/* The inputs that the mark names; those of the configuration where no run before had them. */
static const struct engine_inputs *inputs_named(const struct engine *engine, int64_t value)
{
    const struct engine_recovery *recovery = &engine->config.recovery;

    for (size_t i = 0; i < recovery->input_count; i++)
        if (recovery->inputs[i].value == value)
            return &recovery->inputs[i];
    return NULL;
}

static const struct topic_config *row_of(const struct engine_inputs *inputs, const char *name)
{
    for (size_t i = 0; i < inputs->topic_count; i++)
        if (inputs->topics[i].topic != NULL && strcmp(inputs->topics[i].topic, name) == 0)
            return &inputs->topics[i];
    return NULL;
}

/* Whether holes are told is of this run alone, and shows in nothing but what is said of them. */
static void part_read_as(const struct engine *engine, struct part *part,
                         const struct engine_inputs *inputs)
{
    const struct topic_config *now = topic_of(engine, part->name);

    part->topic = *now;
    part->past_ms = engine->config.past_ms;
    part->future_ms = engine->config.future_ms;
    part->behind_ms = engine->config.behind_ms;
    quota_set(&part->quota, inputs != NULL ? &inputs->quotas : &engine->config.quotas,
              engine->config.seed);
    quota_cut_note(part);
    in_place_note_limits(part); /* shedding, too: what an image knows of it is there by now */
    if (inputs == NULL)
        return;
    part->past_ms = inputs->past_ms;
    part->future_ms = inputs->future_ms;
    part->behind_ms = inputs->behind_ms;
    if (now == &intake_topic)
        return;
    const struct topic_config *then = row_of(inputs, part->name);
    for (size_t i = 0; then == NULL && i < inputs->topic_count; i++)
        if (inputs->topics[i].topic == NULL)
            then = &inputs->topics[i];
    if (then == NULL)
        return;
    part->topic = *then;
    part->topic.gaps_expected = now->gaps_expected;
    if (part->topic.tenant == NULL)
        part->topic.tenant = "default";
}

/* As it stands at its first record: by the marks of those before it, but none of this one. */
static void part_read_first(const struct engine *engine, struct part *part)
{
    const struct engine_recovery *recovery = &engine->config.recovery;
    const struct engine_inputs *inputs = NULL;

    if (part->id <= recovery->read_count && recovery->input_count > 0) {
        inputs = &recovery->inputs[0];
        for (size_t i = recovery->input_count; i > 0; i--)
            if (row_of(&recovery->inputs[i - 1], part->name) != NULL)
                inputs = &recovery->inputs[i - 1];
        for (size_t i = part->mark_at; i < part->mark_end; i++) {
            const struct mark *mark = &engine->config.marks[i];
            if (mark->part == part->id - 1 && mark->kind == MARK_INPUT &&
                mark->offset < part->next_offset)
                inputs = inputs_named(engine, mark->value_ms);
        }
    }
    part_read_as(engine, part, inputs);
}

void part_turn(const struct engine *engine, struct part *part, int64_t value)
{
    int64_t passed = part->max_c != INT64_MIN ? part->max_c - part->topic.disorder_ms : INT64_MIN;

    if (passed > part->sealed) /* and stays so, however large the disorder is from now on */
        part->sealed = passed;
    part_read_as(engine, part, inputs_named(engine, value));
}

static struct part *part_alloc(const char *topic, int32_t number)
{
    struct part *part = aligned_alloc(64, (sizeof(*part) + 63) / 64 * 64);

    if (part == NULL)
        part = memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    memset((void *)part, 0, sizeof(*part));
    part->name = memory_alloc(strlen(topic) + 1);
    strcpy(part->name, topic);
    part->number = number;
    atomic_init(&part->left_epoch, INT64_MAX);
    part->remind_ms = INT64_MAX;
    part->blind_end_ms = INT64_MIN;
    return part;
}

/* Partition 0 of the table stands for derived events: a name and a rank, no feed. */
static void part_derived(struct engine *engine)
{
    engine->parts[0] = part_alloc("@derived", -1);
    engine->parts[0]->dropped = true;
    atomic_store_explicit(&engine->parts[0]->reach, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&engine->part_count, 1, memory_order_relaxed);
}

/* A place that the same partition left before, once nothing points at its events any
 * more: rebalances come and go, places do not run out. */
static struct part *part_reusable(struct engine *engine, const struct feed *feed)
{
    int64_t epoch = atomic_load_explicit(&engine->done_epoch, memory_order_relaxed);

    for (unsigned i = 1; i < part_total(engine); i++) {
        struct part *part = engine->parts[i];
        if (part->dropped && engine->steps_seen >= part->dropped_step && epoch > part->low_epoch &&
            part->number == feed->partition && strcmp(part->name, feed->topic) == 0)
            return part;
    }
    return NULL;
}

struct part *part_add(struct engine *engine, const char *topic, int32_t number)
{
    if (part_total(engine) == 0)
        part_derived(engine);
    unsigned count = part_total(engine);

    if (count == PARTS_MAX)
        return NULL;
    struct part *part = part_alloc(topic, number);
    part->id = (uint16_t)count;
    part->owner = (uint16_t)(count % engine->worker_count);
    struct worker *owner = &engine->workers[part->owner];
    uint32_t owned = atomic_load_explicit(&owner->part_count, memory_order_relaxed);
    owner->parts[owned] = part;
    engine->parts[count] = part;
    /* C, release end: for readers of counters; workers learn of it through their own list (J)
     * or through a step (S). */
    atomic_store_explicit(&engine->part_count, count + 1, memory_order_release);
    /* J, release end: the place in the list; it is no member yet. */
    atomic_store_explicit(&owner->part_count, owned + 1, memory_order_release);
    return part;
}

/* A partition begins: nothing is known of it but the watermark. */
static void part_begin(struct engine *engine, struct part *part, int64_t wm)
{
    int64_t start = part->feed->start_offset;

    part->had_event = part->had_log_time = false;
    part->max_c = part->last_kt = part->again_until = part->again_epoch = INT64_MIN;
    part->read_until = recovery_join(engine, part, &wm);
    part->sealed = wm; /* INT64_MIN before the start */
    part->next_offset = start;
    /* relaxed: published by the release of `membership` behind it. */
    atomic_store_explicit(&part->passed, wm, memory_order_relaxed);
    atomic_store_explicit(&part->seen_max_c, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&part->reach, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&part->first_ms, INT64_MAX, memory_order_relaxed);
    atomic_store_explicit(&part->start_offset, start, memory_order_relaxed);
    atomic_store_explicit(&part->read_offset, start, memory_order_relaxed);
    atomic_store_explicit(&part->seen_offset, start, memory_order_relaxed);
    atomic_store_explicit(&part->low_offset, start, memory_order_relaxed);
    atomic_store_explicit(&part->records, 0, memory_order_relaxed);
    atomic_store_explicit(&part->gaps, 0, memory_order_relaxed);
    atomic_store_explicit(&part->redelivered, 0, memory_order_relaxed);
    atomic_store_explicit(&part->rejected, 0, memory_order_relaxed);
    atomic_store_explicit(&part->seen_records, 0, memory_order_relaxed);
}

/* One that an image knows goes on from where it stood there, as if it had never gone. */
static void part_go_on(struct engine *engine, struct part *part)
{
    int64_t wm = atomic_load_explicit(&engine->watermark_ms, memory_order_relaxed);

    int64_t disorder = part->topic.disorder_ms;

    part->is_awaited = false;
    part->again_epoch = engine->planned_epoch;
    part->read_until = recovery_join(engine, part, &wm);
    int64_t least = part->had_event ? part->max_c - disorder : INT64_MIN;
    int64_t passed = part->sealed > least ? part->sealed : least;
    /* As its owner will say: see passed_publish(). */
    if (!part->had_event && engine->config.seal_ms == 0)
        passed = INT64_MIN;
    int64_t reach = part->had_event ? part->max_c + disorder : INT64_MIN;
    /* relaxed: published by the release of `membership` behind it. */
    atomic_store_explicit(&part->passed, passed, memory_order_relaxed);
    atomic_store_explicit(&part->reach,
                          part->had_event && part->sealed > reach ? part->sealed : reach,
                          memory_order_relaxed);
}

/* The member of an image that the feed belongs to, or NULL. */
static struct part *part_awaited(const struct engine *engine, const struct feed *feed)
{
    for (unsigned i = 1; i < part_total(engine); i++)
        if (engine->parts[i]->is_awaited && engine->parts[i]->number == feed->partition &&
            strcmp(engine->parts[i]->name, feed->topic) == 0)
            return engine->parts[i];
    return NULL;
}

/* Where its marks stand among those of the run before. */
static void marks_find(const struct engine *engine, struct part *part)
{
    part->mark_at = part->mark_end = 0;
    for (size_t i = 0; i < engine->config.mark_count; i++) {
        if (engine->config.marks[i].part != part->id - 1)
            continue;
        if (part->mark_end == 0)
            part->mark_at = i;
        part->mark_end = i + 1;
    }
}

/* An earlier life of the partition has not ended yet. */
static bool part_is_leaving(const struct engine *engine, const struct feed *feed)
{
    for (unsigned i = 1; i < part_total(engine); i++) {
        const struct part *part = engine->parts[i];
        if (!part->dropped && !part_is_member(part) && part->number == feed->partition &&
            strcmp(part->name, feed->topic) == 0)
            return true;
    }
    return false;
}

static void part_join(struct engine *engine, struct feed *feed)
{
    int64_t wm = atomic_load_explicit(&engine->watermark_ms, memory_order_relaxed);

    struct part *part = part_awaited(engine, feed);
    bool goes_on = part != NULL;
    if (part == NULL)
        part = part_reusable(engine, feed);
    if (part == NULL)
        part = part_add(engine, feed->topic, feed->partition);
    if (part == NULL) {
        tally_add(&engine->incident_tally.parts_refused, 1);
        return;
    }
    engine->memberships++;
    part->feed = feed;
    part->dropped = part->held = part->finished = false;
    part->cap_ms = INT64_MIN;
    engine->empty_epoch = INT64_MIN; /* its events may lie where there were none */
    part->low_count = 0;
    part->proof_used = 0;
    part->records_at_seal = 0;
    marks_find(engine, part);
    if (!goes_on) {
        part->next_offset = feed->start_offset;
        quota_destroy(part->quota); /* of its life before */
        part->quota = NULL;
        part->shed = (struct shed){.below = SEVERITY_OK};
    }
    part->shed_watch = (struct shed_watch){.is_turning = false};
    /* relaxed: published by the release of `membership` below. */
    atomic_store_explicit(&part->shed_below, part->shed.below, memory_order_relaxed);
    atomic_store_explicit(&part->behind_seen_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&part->shed_events, 0, memory_order_relaxed);
    atomic_store_explicit(&part->shed_spells, 0, memory_order_relaxed);
    part->first_offset = part->next_offset;
    part_read_first(engine, part);
    /* G is the largest L of what is read, by now or from a mark on; topics that are only configured
     * do not count. */
    int64_t disorder = topic_of(engine, feed->topic)->disorder_ms;
    disorder = part->topic.disorder_ms > disorder ? part->topic.disorder_ms : disorder;
    if (disorder > engine->slack_ms)
        engine->slack_ms = disorder;
    if (goes_on)
        part_go_on(engine, part);
    else
        part_begin(engine, part, wm);
    wm = part->sealed; /* a recovery may know better */
    /* relaxed: published by the release of `membership` below. */
    atomic_store_explicit(&part->seal_request, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&part->left_epoch, INT64_MAX, memory_order_relaxed);
    atomic_store_explicit(&part->proof_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&part->blind, false, memory_order_relaxed);
    atomic_store_explicit(&part->state, FEED_LIVE, memory_order_relaxed);
    part->leader_epoch = -1;
    part->again_run = 0;
    rejoin_begin(engine, part);
    blind_join(engine, part);
    crash_join(engine, part);
    clock_look_join(part);
    int waker = engine->workers[part->owner].waker;
    engine->source->ops->wake_on(engine->source, feed, waker);
    /* J, release end: the owner may read the feed. */
    atomic_store_explicit(&part->membership, PART_MEMBER, memory_order_release);
    host()->waker_wake(host()->self, waker);
    if (!goes_on)
        mark_tell(engine, &(struct mark){.kind = MARK_JOIN,
                                         .part = part->id,
                                         .offset = feed->start_offset,
                                         .value_ms = wm});
    crash_tell(engine, part);
}

static void part_leave(struct engine *engine, struct feed *feed)
{
    for (unsigned i = 0; i < part_total(engine); i++) {
        struct part *part = engine->parts[i];
        if (part->feed != feed || !part_is_member(part))
            continue;
        engine->memberships++;
        blind_leave(engine, part, host_mono_ns());
        /* Its events in epochs that no step has yet are dropped unread: another unit
         * reads them again from the low position. relaxed: published by S. */
        atomic_store_explicit(&part->left_epoch, engine->planned_epoch, memory_order_relaxed);
        /* J, release end: which of its events are dropped. unseen by tsan: an atomic alone. */
        atomic_store_explicit(&part->membership, PART_LEAVING, memory_order_release);
        mark_tell(engine, &(struct mark){.kind = MARK_LEAVE,
                                         .part = part->id,
                                         .offset = atomic_load_explicit(&part->read_offset,
                                                                        memory_order_relaxed),
                                         .value_ms = atomic_load_explicit(&engine->watermark_ms,
                                                                          memory_order_relaxed)});
    }
}

/* One whose earlier life has not ended waits for that, and all others with it: none may be ahead
 * of those that came back together. */
static void part_join_soon(struct engine *engine, struct feed *feed)
{
    if (engine->joins_wait.count > 0 || part_is_leaving(engine, feed))
        vector_add(&engine->joins_wait) = feed;
    else
        part_join(engine, feed);
}

static bool parts_join_waiting(struct engine *engine)
{
    size_t count = engine->joins_wait.count;

    for (size_t i = 0; i < count; i++)
        if (part_is_leaving(engine, engine->joins_wait.at[i]))
            return false;
    for (size_t i = 0; i < count; i++)
        part_join(engine, engine->joins_wait.at[i]);
    engine->joins_wait.count = 0;
    return count > 0;
}

/* True when the feed goes before it has joined. */
static bool part_waits_no_more(struct engine *engine, struct feed *feed)
{
    size_t i = 0, count = engine->joins_wait.count;

    while (i < count && engine->joins_wait.at[i] != feed)
        i++;
    if (i == count)
        return false;
    memmove(&engine->joins_wait.at[i], &engine->joins_wait.at[i + 1],
            (count - i - 1) * sizeof(struct feed *));
    engine->joins_wait.count--;
    if (engine->source->ops->drop != NULL)
        engine->source->ops->drop(engine->source, feed);
    return true;
}

bool parts_poll(struct engine *engine, uint64_t now_ns)
{
    struct source_change change[CHANGES_MAX];
    unsigned total = part_total(engine);
    bool changed = false;
    size_t count;

    if (now_ns < engine->changes_due_ns)
        return false;
    engine->changes_due_ns = now_ns + CHANGES_EVERY_NS;
    /* All that there are: time may begin as soon as those that have joined show some. */
    do {
        count = engine->source->ops->changes(engine->source, change, CHANGES_MAX);
        for (size_t i = 0; i < count; i++) {
            if (change[i].kind == SOURCE_JOIN)
                part_join_soon(engine, change[i].feed);
            else if (!part_waits_no_more(engine, change[i].feed))
                part_leave(engine, change[i].feed);
        }
        changed = changed || count > 0;
    } while (count == CHANGES_MAX);
    changed = parts_join_waiting(engine) || changed;
    /* Nobody asks for the rank of a new one before a step has its events, and steps are cut by this
     * role. */
    if (part_total(engine) != total)
        part_ranks(engine);
    for (unsigned i = 0; i < part_total(engine); i++) {
        struct part *part = engine->parts[i];
        if (part->dropped)
            continue;
        /* K, acquire end: the owner does not touch the feed any more. */
        if (atomic_load_explicit(&part->membership, memory_order_acquire) == PART_GONE) {
            /* relaxed: known through K. Its place may get a new life, which would forget it. */
            int64_t reach = atomic_load_explicit(&part->reach, memory_order_relaxed);
            engine->left_reach_ms = reach > engine->left_reach_ms ? reach : engine->left_reach_ms;
            part->dropped = true;
            engine->memberships++;
            part->dropped_step = atomic_load_explicit(&engine->step_count, memory_order_relaxed);
            if (engine->source->ops->drop != NULL)
                engine->source->ops->drop(engine->source, part->feed);
            part->feed = NULL;
        } else if (part_is_member(part) && engine->source->ops->position != NULL) {
            engine->source->ops->position(
                engine->source, part->feed,
                atomic_load_explicit(&part->low_offset, memory_order_relaxed));
        }
    }
    return changed;
}

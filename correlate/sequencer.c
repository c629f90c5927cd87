/*
 * sequencer.c - the role that decides what is closed: the watermark, seals by the
 * clock, partitions that come and go, rule switches, and the cut of closed epochs
 * into steps (semantics T3, T4, T8, X5, X7).
 *
 * One thread at a time holds the role; the others walk past. It reads what ingest
 * threads publish and writes steps; it never waits.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "correlate/core.h"

enum { CHANGES_MAX = 64 };
#define CHANGES_EVERY_NS 20000000u
#define GATHER_NS 2000000u
#define BLIND_AFTER_NS 10000000000u

static unsigned part_total(const struct engine *engine)
{
    /* relaxed: this role is its only writer. */
    return atomic_load_explicit(&engine->part_count, memory_order_relaxed);
}

static bool part_is_member(const struct part *part)
{
    return !part->dropped && !atomic_load_explicit(&part->leaving, memory_order_relaxed);
}

/* Outside the engine partitions are counted from 0 in the order of their joins. */
static void mark_tell(struct engine *engine, const struct mark *mark)
{
    struct mark told = *mark;

    told.part = (uint16_t)(mark->part > 0 ? mark->part - 1 : 0);
    if (engine->listener.mark != NULL)
        engine->listener.mark(engine->listener.self, &told);
}

/* --- partitions come and go (T8) ------------------------------------------------------- */

/* True when `a` comes before `b`; one that left and joined again before its later self. */
static bool part_before(const struct part *a, const struct part *b)
{
    int order = strcmp(a->name, b->name);

    if (order != 0)
        return order < 0;
    return a->number != b->number ? a->number < b->number : a->id < b->id;
}

/* Ranks of all partitions by (topic, partition): a new immutable array per change,
 * because steps under way still read the old one. */
static void ranks_renew(struct engine *engine)
{
    unsigned count = part_total(engine);
    uint16_t *rank = memory_alloc((count > 0 ? count : 1) * sizeof(*rank));

    for (unsigned i = 0; i < count; i++) {
        unsigned before = 0;
        for (unsigned j = 0; j < count; j++)
            before += part_before(engine->parts[j], engine->parts[i]);
        rank[i] = (uint16_t)before;
    }
    vector_add(&engine->old_ranks) = rank;
    engine->rank = rank;
}

static const struct topic_config *topic_of(const struct engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->topic_count; i++)
        if (engine->topics[i].topic != NULL && strcmp(engine->topics[i].topic, name) == 0)
            return &engine->topics[i];
    return &engine->any_topic;
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
    uint64_t done = atomic_load_explicit(&engine->steps_done, memory_order_acquire); /* F */
    int64_t epoch = atomic_load_explicit(&engine->done_epoch, memory_order_relaxed);

    for (unsigned i = 1; i < part_total(engine); i++) {
        struct part *part = engine->parts[i];
        if (part->dropped && done >= part->dropped_step && epoch > part->low_epoch &&
            part->number == feed->partition && strcmp(part->name, feed->topic) == 0)
            return part;
    }
    return NULL;
}

/* A new place at the end of the table and of its owner's list; NULL when both are full. */
static struct part *part_add(struct engine *engine, const struct feed *feed)
{
    unsigned count = part_total(engine);

    if (count == PARTS_MAX)
        return NULL;
    struct part *part = part_alloc(feed->topic, feed->partition);
    part->id = (uint16_t)count;
    part->owner = (uint16_t)(count % engine->worker_count);
    atomic_store_explicit(&part->leaving, true, memory_order_relaxed);
    atomic_store_explicit(&part->let_go, true, memory_order_relaxed);
    struct worker *owner = &engine->workers[part->owner];
    uint32_t owned = atomic_load_explicit(&owner->part_count, memory_order_relaxed);
    owner->parts[owned] = part;
    engine->parts[count] = part;
    /* C, release end: for readers of counters; workers learn of it through their own list (J)
     * or through a step (S). */
    atomic_store_explicit(&engine->part_count, count + 1, memory_order_release);
    atomic_store_explicit(&owner->part_count, owned + 1, memory_order_release); /* J */
    return part;
}

static void part_join(struct engine *engine, struct feed *feed)
{
    int64_t wm = atomic_load_explicit(&engine->watermark_ms, memory_order_relaxed);

    if (part_total(engine) == 0)
        part_derived(engine);
    struct part *part = part_reusable(engine, feed);
    if (part == NULL)
        part = part_add(engine, feed);
    if (part == NULL) {
        tally_add(&engine->incident_tally.parts_refused, 1);
        return;
    }
    part->feed = feed;
    part->topic = topic_of(engine, feed->topic);
    /* G is the largest L of what is read; topics that are only configured do not count. */
    if (part->topic->disorder_ms > engine->slack_ms)
        engine->slack_ms = part->topic->disorder_ms;
    part->dropped = part->held = part->had_event = part->had_log_time = part->finished = false;
    part->max_c = part->last_kt = part->cap_ms = INT64_MIN;
    part->sealed = wm; /* INT64_MIN before the start */
    part->next_offset = feed->start_offset;
    part->low_count = 0;
    part->proof_used = 0;
    part->mark_at = part->mark_end = 0;
    /* relaxed: published by the release of `leaving` below. */
    atomic_store_explicit(&part->passed, wm, memory_order_relaxed);
    atomic_store_explicit(&part->seen_max_c, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&part->reach, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&part->start_offset, feed->start_offset, memory_order_relaxed);
    atomic_store_explicit(&part->read_offset, feed->start_offset, memory_order_relaxed);
    atomic_store_explicit(&part->low_offset, feed->start_offset, memory_order_relaxed);
    atomic_store_explicit(&part->seal_request, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&part->left_epoch, INT64_MAX, memory_order_relaxed);
    atomic_store_explicit(&part->proof_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&part->blind, false, memory_order_relaxed);
    for (size_t i = 0; i < engine->config.mark_count; i++) {
        if (engine->config.marks[i].part != part->id - 1)
            continue;
        if (part->mark_end == 0)
            part->mark_at = i;
        part->mark_end = i + 1;
    }
    ranks_renew(engine);
    int waker = engine->workers[part->owner].waker;
    engine->source->ops->wake_on(engine->source, feed, waker);
    /* J, release end: the owner may read the feed. `let_go` falls after `leaving`, and the
     * owner looks at it first: whoever sees it fallen sees a partition that does not leave, or
     * one that leaves again. The other way round an owner that still saw the old `leaving`
     * would let the new feed go. */
    atomic_store_explicit(&part->leaving, false, memory_order_release);
    atomic_store_explicit(&part->let_go, false, memory_order_release); /* J */
    host()->waker_wake(host()->self, waker);
    mark_tell(engine, &(struct mark){.kind = MARK_JOIN,
                                     .part = part->id,
                                     .offset = feed->start_offset,
                                     .value_ms = wm});
}

static void part_leave(struct engine *engine, struct feed *feed)
{
    for (unsigned i = 0; i < part_total(engine); i++) {
        struct part *part = engine->parts[i];
        if (part->feed != feed || !part_is_member(part))
            continue;
        /* Its events in epochs that no step has yet are dropped unread: another unit
         * reads them again from the low position. relaxed: published by S and J. */
        atomic_store_explicit(&part->left_epoch, engine->planned_epoch, memory_order_relaxed);
        /* J, release end: whoever sees it leave sees `let_go` fallen. */
        atomic_store_explicit(&part->leaving, true, memory_order_release);
        mark_tell(engine, &(struct mark){.kind = MARK_LEAVE,
                                         .part = part->id,
                                         .offset = atomic_load_explicit(&part->read_offset,
                                                                        memory_order_relaxed)});
    }
}

static bool changes_poll(struct engine *engine, uint64_t now_ns)
{
    struct source_change change[CHANGES_MAX];
    size_t count;

    if (now_ns < engine->changes_due_ns)
        return false;
    engine->changes_due_ns = now_ns + CHANGES_EVERY_NS;
    count = engine->source->ops->changes(engine->source, change, CHANGES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (change[i].kind == SOURCE_JOIN)
            part_join(engine, change[i].feed);
        else
            part_leave(engine, change[i].feed);
    }
    for (unsigned i = 0; i < part_total(engine); i++) {
        struct part *part = engine->parts[i];
        /* K, acquire end: the owner does not touch the feed any more. */
        if (part->dropped)
            continue;
        if (atomic_load_explicit(&part->let_go, memory_order_acquire)) {
            part->dropped = true;
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
    return count > 0;
}

/* --- seals by the clock (T4) ------------------------------------------------------------- */

static void blind_look(struct engine *engine, struct part *part, uint64_t now_ns, bool others)
{
    bool unreadable = atomic_load_explicit(&part->state, memory_order_relaxed) >= FEED_UNREADABLE;
    bool blind = atomic_load_explicit(&part->blind, memory_order_relaxed);
    int64_t offset = atomic_load_explicit(&part->read_offset, memory_order_relaxed);

    if (!unreadable)
        part->unreadable_since = 0;
    else if (part->unreadable_since == 0)
        part->unreadable_since = now_ns;
    if (unreadable && !blind && others && now_ns - part->unreadable_since >= BLIND_AFTER_NS) {
        atomic_store_explicit(&part->blind, true, memory_order_relaxed);
        mark_tell(engine, &(struct mark){.kind = MARK_BLIND_BEGIN,
                                         .part = part->id,
                                         .offset = offset,
                                         .value_ms = engine->r_ms});
    } else if (!unreadable && blind) {
        /* Until it is within B of the others it is sealed on like before. */
        int64_t max_c = atomic_load_explicit(&part->seen_max_c, memory_order_relaxed);
        if (max_c == INT64_MIN || max_c >= engine->r_ms - engine->config.behind_ms) {
            atomic_store_explicit(&part->blind, false, memory_order_relaxed);
            mark_tell(engine, &(struct mark){.kind = MARK_BLIND_END,
                                             .part = part->id,
                                             .offset = offset,
                                             .value_ms = engine->r_ms});
        }
    }
}

/*
 * One seal round. R is the least M of the partitions that had records since the last
 * round and are not far behind; without any it goes on from the last R by the
 * monotonic clock, but only up to the oldest of the answers that prove something.
 *
 * Once a seal was made, "far behind" is also measured from the last R: V never falls, so
 * an R that followed old records down (a month published again into a quiet topic)
 * would close nothing until the clock had caught up with V.
 */
static void seal_round(struct engine *engine, uint64_t now_ns)
{
    unsigned count = part_total(engine);
    int64_t largest = INT64_MIN, least = INT64_MAX;
    uint64_t oldest_proof = UINT64_MAX;
    bool readable = false, proven = false;

    for (unsigned i = 0; i < count; i++) {
        struct part *part = engine->parts[i];
        int64_t max_c = atomic_load_explicit(&part->seen_max_c, memory_order_relaxed);
        if (!part_is_member(part))
            continue;
        readable |= atomic_load_explicit(&part->state, memory_order_relaxed) < FEED_UNREADABLE;
        if (max_c > largest)
            largest = max_c;
    }
    if (!engine->r_known) {
        engine->r_ms = engine->wall_at_start;
        engine->r_ns = engine->mono_at_start;
        engine->r_known = true;
    }
    int64_t reference = engine->r_used && engine->r_ms > largest ? engine->r_ms : largest;
    for (unsigned i = 0; i < count; i++) {
        struct part *part = engine->parts[i];
        if (!part_is_member(part))
            continue;
        uint64_t records = atomic_load_explicit(&part->seen_records, memory_order_relaxed);
        int64_t max_c = atomic_load_explicit(&part->seen_max_c, memory_order_relaxed);
        if (records != part->records_at_seal && max_c != INT64_MIN &&
            max_c >= reference - engine->config.behind_ms && max_c < least)
            least = max_c;
        part->records_at_seal = records;
        blind_look(engine, part, now_ns, readable);
        uint64_t proof = atomic_load_explicit(&part->proof_ns, memory_order_relaxed);
        if (proof > part->proof_used) {
            proven = true;
            oldest_proof = proof < oldest_proof ? proof : oldest_proof;
        }
    }
    if (least != INT64_MAX) {
        engine->r_ms = least;
        engine->r_ns = now_ns;
    } else if (proven && oldest_proof > engine->r_ns) {
        engine->r_ms += (int64_t)((oldest_proof - engine->r_ns) / 1000000u);
        engine->r_ns += (oldest_proof - engine->r_ns) / 1000000u * 1000000u;
    }
    if (!readable)
        return; /* T9: with no reachable input nothing closes */
    for (unsigned i = 0; i < count; i++) {
        struct part *part = engine->parts[i];
        if (!part_is_member(part))
            continue;
        uint64_t proof = atomic_load_explicit(&part->proof_ns, memory_order_relaxed);
        bool blind = atomic_load_explicit(&part->blind, memory_order_relaxed);
        if (proof <= part->proof_used && !blind)
            continue;
        part->proof_used = proof;
        engine->r_used = true;
        /* relaxed: the value is all that is handed over. The owner applies it at its read
         * position. */
        atomic_store_explicit(&part->seal_request, engine->r_ms - engine->slack_ms,
                              memory_order_relaxed);
    }
    tally_add(&engine->incident_tally.seals, 1);
}

/* Marks made by ingest threads (seals applied, caps) go to the listener. */
void sequencer_marks_drain(struct engine *engine)
{
    for (unsigned w = 0; w < engine->worker_count; w++) {
        struct mark_ring *ring = &engine->workers[w].marks;
        /* relaxed: this role is its only writer. M, acquire end: the marks below head. */
        uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == head)
            continue;
        for (; tail != head; tail++)
            mark_tell(engine, &ring->at[tail % MARKS]);
        /* M, release end: the slots below tail have been read. */
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
    }
}

/* --- the watermark --------------------------------------------------------------------------- */

/* What all input partitions have passed; INT64_MIN: not known yet, INT64_MAX: all have ended. */
static int64_t passed_by_all(const struct engine *engine)
{
    int64_t least = INT64_MAX;
    bool any = false;

    for (unsigned i = 0; i < part_total(engine); i++) {
        const struct part *part = engine->parts[i];
        if (!part_is_member(part))
            continue;
        any = true;
        /* W, acquire end: every event of a closed epoch is in its bin. */
        int64_t passed = atomic_load_explicit(&part->passed, memory_order_acquire);
        least = passed < least ? passed : least;
    }
    return any ? least : INT64_MIN;
}

/* Where the watermark goes when all recordings have ended (X7). */
static int64_t end_of_all(const struct engine *engine)
{
    int64_t reach = INT64_MIN;
    int64_t round = (int64_t)engine->config.round_ms;

    for (unsigned i = 0; i < part_total(engine); i++) {
        int64_t at = atomic_load_explicit(&engine->parts[i]->reach, memory_order_relaxed);
        reach = at > reach ? at : reach;
    }
    return reach == INT64_MIN ? INT64_MIN : (floor_div(reach, round) + 1) * round;
}

/* --- steps -------------------------------------------------------------------------------------
 */

static uint64_t events_in(const struct engine *engine, int64_t epoch)
{
    uint64_t count = 0;

    for (unsigned t = 0; t <= engine->worker_count; t++) {
        int64_t reach;
        const struct bins *bins = engine_bins(engine, t, &reach);
        if (epoch < reach && bins_slot(bins, epoch)->epoch == epoch)
            count += bins_slot(bins, epoch)->count;
    }
    return count;
}

/*
 * How many more alerts and keys can come before some bound could be reached; below
 * zero when one may be over already. An event makes at most one alert, and one key per
 * rule; the end of flapping makes a key without an event.
 */
static int64_t headroom(const struct engine *engine, const struct rules_version *rules)
{
    int64_t flapping = 0, room = (int64_t)engine->config.alerts_max;

    for (unsigned w = 0; w < engine->worker_count; w++) {
        room -= (int64_t)tally_get(&engine->workers[w].alerts);
        flapping += (int64_t)tally_get(&engine->workers[w].flapping);
    }
    for (uint32_t i = 0; i < rules->rule_count; i++) {
        const struct rule_slot *slot = &rules->slots[rules->slot_of[i]];
        int64_t left = (int64_t)slot->rule->max_keys - flapping;
        for (unsigned w = 0; w < engine->worker_count; w++)
            left -= (int64_t)tally_get(&slot->tally[w].keys);
        room = left < room ? left : room;
    }
    return room;
}

/* The earliest timer; valid when no step is under way. */
static int64_t next_due(const struct engine *engine)
{
    int64_t due = INT64_MAX;

    for (unsigned w = 0; w < engine->worker_count; w++) {
        int64_t at = atomic_load_explicit(&engine->workers[w].next_due, memory_order_relaxed);
        due = at < due ? at : due;
    }
    return due;
}

static void watermark_set(struct engine *engine, int64_t epoch)
{
    engine->planned_epoch = epoch;
    /* relaxed: for metrics and joins. */
    atomic_store_explicit(&engine->watermark_ms, epoch * (int64_t)engine->config.epoch_ms,
                          memory_order_relaxed);
}

/* Epochs whose steps are done: their bins are free. */
static void done_publish(struct engine *engine)
{
    uint64_t done = atomic_load_explicit(&engine->steps_done, memory_order_acquire); /* F */
    uint64_t seq = atomic_load_explicit(&engine->step_count, memory_order_relaxed);
    int64_t epoch =
        done == seq ? engine->planned_epoch : engine->steps[done & (STEPS - 1)].epoch_from;

    /* relaxed load: this role is its only writer. F, release end for ingest threads. */
    if (engine->planned_epoch != INT64_MIN &&
        atomic_load_explicit(&engine->done_epoch, memory_order_relaxed) != epoch) {
        atomic_store_explicit(&engine->done_epoch, epoch, memory_order_release);
        engine_wake(engine, true);
    }
}

/* --- derived events (X6)
 * --------------------------------------------------------------------------- */

static int slot_by_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* One self-alert: `count` incidents of the rule are no longer watched. */
static void derived_put(struct engine *engine, const struct step *step, const struct rule *rule,
                        size_t count, uint16_t sub)
{
    char message[256];
    int len = snprintf(message, sizeof(message),
                       "%zu incident%s of rule %s %s no longer watched: a bound was reached", count,
                       count == 1 ? "" : "s", rule->id, count == 1 ? "is" : "are");
    struct event_draft draft = {.severity = SEVERITY_WARNING,
                                .state = EVENT_PROBLEM,
                                .has_time = true,
                                .time_ms = step->to_ms};

    draft.field[FIELD_TENANT] = (struct text){"@tocsin", 7};
    draft.field[FIELD_SOURCE] = (struct text){"tocsin", 6};
    draft.field[FIELD_RESOURCE] = (struct text){rule->id, (uint32_t)strlen(rule->id)};
    draft.field[FIELD_CHECK] = (struct text){"no-longer-watched", 17};
    draft.field[FIELD_MESSAGE] = (struct text){message, (uint32_t)len};
    struct bin_slot *slot = bins_claim(&engine->derived, step->epoch_to);
    void *room = bins_text(&engine->derived, slot, event_text_bytes(&draft));
    const struct event_text *text = event_text_pack(room, &draft, step->to_ms);
    struct id128 fingerprint = event_fingerprint(text, engine->config.seed);
    uint8_t lane = (uint8_t)(fingerprint.hi >> 56);
    *bins_event(&engine->derived, slot, lane_owner(engine, lane)) = (struct event){
        .fingerprint = fingerprint,
        .attr_hash = event_attr_hash(text, draft.severity, draft.state, engine->config.seed),
        .et_ms = step->to_ms,
        .ts_ms = step->to_ms,
        .offset = step->to_ms,
        .text = text,
        .part = 0,
        .sub = sub,
        .lane = lane,
        .severity = draft.severity,
        .state = draft.state,
        .flags = EVENT_DERIVED};
    tally_add(&engine->incident_tally.derived, 1);
    tally_add(&engine->incident_tally.binned, 1);
}

/* After a bounded step: what it stopped watching is told at the start of the next round,
 * one event per rule, by rule id. Every worker has passed the step (F). */
static void derived_make(struct engine *engine, const struct step *step)
{
    const struct rules_version *rules = step->rules;
    VECTOR_OF(uint32_t) orders = {0};
    uint16_t sub = 0;

    bins_free_until(&engine->derived, step->epoch_to);
    /* B, release end. */
    atomic_store_explicit(&engine->derived_reach, step->epoch_to + engine->derived.slot_count,
                          memory_order_release);
    for (unsigned w = 0; w < engine->worker_count; w++)
        for (size_t i = 0; i < engine->workers[w].lost.count; i++)
            vector_add(&orders) = rules->slots[engine->workers[w].lost.at[i]].order;
    if (orders.count > 1)
        qsort(orders.at, orders.count, sizeof(uint32_t), slot_by_order);
    for (size_t i = 0; i < orders.count;) {
        size_t end = i + 1;
        uint32_t s = 0;
        while (end < orders.count && orders.at[end] == orders.at[i])
            end++;
        while (rules->slots[s].order != orders.at[i])
            s++;
        derived_put(engine, step, rules->slots[s].rule, end - i, sub++);
        i = end;
    }
    free(orders.at);
}

/* Cuts the next step out of [planned_epoch, closed). False when there is none to cut now. */
static bool step_plan(struct engine *engine, int64_t closed)
{
    const int64_t d = (int64_t)engine->config.epoch_ms;
    const int64_t per_round = (int64_t)engine->config.round_ms / d;
    /* relaxed: this role is the only writer of step_count. F, acquire end: places in the
     * ring, and counts, of finished steps. */
    uint64_t seq = atomic_load_explicit(&engine->step_count, memory_order_relaxed);
    uint64_t done = atomic_load_explicit(&engine->steps_done, memory_order_acquire);
    int64_t from = engine->planned_epoch, to = from;
    int64_t last = from + STEP_SPAN_MS / d;
    struct rules_version *rules = engine->newest_rules;

    if (seq - done >= STEPS || (engine->draining != 0 && done < engine->draining))
        return false;
    if (engine->draining != 0)
        derived_make(engine, &engine->steps[(engine->draining - 1) & (STEPS - 1)]);
    engine->draining = 0;
    if (engine->pending_rules != NULL) {
        if (from >= engine->pending_epoch) {
            engine->newest_rules = rules = engine->pending_rules;
            engine->pending_rules = NULL;
            mark_tell(engine, &(struct mark){.kind = MARK_SWITCH, .value_ms = from * d});
        } else if (closed > engine->pending_epoch) {
            closed = engine->pending_epoch; /* steps do not straddle a switch */
        }
    }
    if (closed > last)
        closed = last;
    /* What steps under way will add is bounded by their events: as if each made an alert
     * and a key, and began flapping. */
    int64_t room = headroom(engine, rules);
    for (uint64_t s = done; s < seq; s++)
        room -= 2 * (int64_t)engine->steps[s & (STEPS - 1)].events;
    /*
     * Calm: no bound can be reached inside, so the step may span rounds. Tight: the
     * step ends with its round at the latest, and if it ends there, holds the bounds.
     */
    uint64_t events = 0;
    int64_t round_end = (floor_div(from, per_round) + 1) * per_round;
    bool tight = engine->tight || room < 0;
    while (!tight && to < closed && events < STEP_EVENTS) {
        if (to - from >= engine->slot_count) {
            to = closed; /* bins reach no further */
            break;
        }
        uint64_t more = events_in(engine, to);
        if (2 * (int64_t)(events + more) > room) {
            tight = to == from;
            break;
        }
        events += more;
        to++;
    }
    while (tight && to < closed && to < round_end && events < STEP_EVENTS)
        events += events_in(engine, to++);
    if (events == 0 && !tight) {
        if (seq != done)
            return false; /* its timers are not known before the others are done */
        if (next_due(engine) >= to * d) {
            watermark_set(engine, to);
            done_publish(engine);
            return true;
        }
    }
    struct step *step = &engine->steps[seq & (STEPS - 1)];
    *step = (struct step){.epoch_from = from,
                          .epoch_to = to,
                          .from_ms = from * d,
                          .to_ms = to * d,
                          .events = events,
                          .bounded = tight && to == round_end,
                          .rank = engine->rank,
                          .rules = rules};
    engine->tight = tight && to < round_end;
    tally_add(&engine->incident_tally.rounds,
              (uint64_t)(floor_div(to, per_round) - floor_div(from, per_round)));
    if (step->bounded)
        engine->draining = seq + 1;
    watermark_set(engine, to);
    /* S, release end: the step is complete. */
    atomic_store_explicit(&engine->step_count, seq + 1, memory_order_release);
    engine_wake(engine, false);
    return true;
}

/* A new rule set takes effect at the first round later than any binned event (X5). */
static void switch_poll(struct engine *engine)
{
    if (engine->pending_rules != NULL ||
        atomic_load_explicit(&engine->switch_request, memory_order_relaxed) == NULL)
        return;
    /* X, acquire end: the set is complete. */
    struct rule_set *set =
        atomic_exchange_explicit(&engine->switch_request, NULL, memory_order_acquire);
    int64_t per_round = (int64_t)(engine->config.round_ms / engine->config.epoch_ms);
    int64_t highest = engine->planned_epoch != INT64_MIN ? engine->planned_epoch - 1 : INT64_MIN;

    for (unsigned w = 0; w < engine->worker_count; w++) {
        /* relaxed: an event binned in this moment may use either set; the mark says which. */
        int64_t at = atomic_load_explicit(&engine->workers[w].highest_bin, memory_order_relaxed);
        highest = at > highest ? at : highest;
    }
    engine->pending_rules = rules_version_create(set, engine->newest_rules, engine->worker_count);
    engine->last_rules = engine->pending_rules;
    /* C, release end: the version is complete. */
    atomic_store_explicit(&engine->shown_rules, engine->pending_rules, memory_order_release);
    engine->pending_epoch =
        highest == INT64_MIN ? INT64_MIN : (floor_div(highest, per_round) + 1) * per_round;
}

static void finish(struct engine *engine)
{
    /* E, release end: what the incident role told, known through F, comes before. */
    atomic_store_explicit(&engine->finished, true, memory_order_release);
}

static bool poll_role(struct engine *engine)
{
    uint64_t now_ns = host_mono_ns();
    bool worked = changes_poll(engine, now_ns);
    bool at_end = false;
    int64_t passed, closed;

    sequencer_marks_drain(engine);
    switch_poll(engine);
    done_publish(engine);
    if (engine->config.seal_ms > 0 && now_ns >= engine->seal_due_ns) {
        engine->seal_due_ns = now_ns + (uint64_t)engine->config.seal_ms * 1000000u;
        seal_round(engine, now_ns);
        worked = true;
    }
    passed = passed_by_all(engine);
    if (passed == INT64_MIN) {
        /* A replay of nothing is over at once; a live source may get partitions later. */
        if (part_total(engine) == 0 && engine->config.seal_ms == 0)
            finish(engine);
        return worked;
    }
    if (passed == INT64_MAX) {
        passed = end_of_all(engine);
        at_end = true;
        if (passed == INT64_MIN) { /* no event at all: nothing closes */
            finish(engine);
            return worked;
        }
    }
    closed = floor_div(passed, (int64_t)engine->config.epoch_ms);
    if (engine->planned_epoch == INT64_MIN) {
        /* The first watermark: from here on bins have a place. */
        watermark_set(engine, closed);
        atomic_store_explicit(&engine->done_epoch, closed, memory_order_release); /* F */
        engine_wake(engine, true);
        return true;
    }
    /* A step has a fixed price (a look at all lanes, a meeting of all workers), so closed
     * epochs are let to gather for a moment, unless bins would stop filling meanwhile. */
    bool defer = !at_end && now_ns - engine->planned_ns < GATHER_NS &&
                 closed - engine->planned_epoch < engine->slot_count / 2;
    atomic_store_explicit(&engine->deferred, defer, memory_order_relaxed);
    while (!defer && engine->planned_epoch < closed && step_plan(engine, closed)) {
        engine->planned_ns = now_ns;
        worked = true;
    }
    if (at_end && engine->planned_epoch >= closed &&
        atomic_load_explicit(&engine->steps_done, memory_order_acquire) ==
            atomic_load_explicit(&engine->step_count, memory_order_relaxed)) {
        done_publish(engine);
        finish(engine);
    }
    return worked;
}

bool sequencer_poll(struct engine *engine)
{
    bool worked;

    /* relaxed: only a hint; the exchange decides. R, acquire end. */
    if (atomic_load_explicit(&engine->sequencer_taken, memory_order_relaxed) ||
        atomic_exchange_explicit(&engine->sequencer_taken, true, memory_order_acquire))
        return false;
    worked = poll_role(engine);
    atomic_store_explicit(&engine->sequencer_taken, false, memory_order_release); /* R */
    return worked;
}

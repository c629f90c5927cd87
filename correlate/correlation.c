/*
 * correlation.c - stage R: touches in order, and what is due between them
 * (docs/correlation.md, section 3).
 *
 * Keys do not depend on each other: each has its touches in order, and whatever was
 * due between two of them (timers of the rule's form, quiet timers, updates at
 * round ends) is made up for by key_advance() before the next one counts. What is due by
 * the end of the step in keys without touches comes from the lane's heap. The order
 * of the changes is restored by sorting them in stage I.
 */
#include <stdlib.h>
#include "correlate/correlation.h"
#include "correlate/key_queue.h"
#include "correlate/listed_keys.h"
#include "correlate/rule_trace.h"
#include "correlate/sort.h"
#include "correlate/step_report.h"

enum {
    PREFETCH_AHEAD = 8,
    STATE_AHEAD = 5,
    BODY_AHEAD = 2,
    TIMERS_SPARE = 64,
    TIMERS_TOGETHER = 16,
    INDEX_BITS = SORT_INDEX_BITS,
    RANK_BITS = 16,
    CLASS_BITS = 2
};

/* --- time passes for a key ------------------------------------------------------------- */

int64_t correlation_next_due(const struct correlation *c, const struct key_state *key)
{
    return key->is_open ? incident_due(key) : correlation_form(c, key)->due(c, key);
}

/* A key that watches and holds nothing leaves. False when it did. */
static bool keep_watching(struct correlation *c, struct key_lane *lane, uint32_t number)
{
    const struct key_state *key = key_at(lane, number);

    if (key->is_open || !correlation_form(c, key)->is_empty(c, key))
        return true;
    rule_key_remove(c, lane, number);
    return false;
}

/* One timer at `due_ms`. False when the key left the table. */
static bool timer_run(struct correlation *c, struct key_lane *lane, uint32_t number, int64_t due_ms)
{
    struct key_state *key = key_at(lane, number);
    const uint32_t slot = key->slot;

    if (key->is_open)
        return incident_timer(c, lane, number, due_ms);
    correlation_form(c, key)->timer(c, key, due_ms);
    if (key->slot != slot)
        key_queue_note(c->worker, key, number, key_last_ms(key));
    rule_trace_timer(c, key, due_ms);
    return keep_watching(c, lane, number);
}

/* When an update may be made of the key's incident; INT64_MAX: it was not touched. */
static int64_t update_due(const struct correlation *c, const struct key_state *key)
{
    return key->is_open && key_open(key)->dirty_round != INT64_MIN
               ? round_end_ms(c, key_open(key)->dirty_round)
               : INT64_MAX;
}

/*
 * Runs timers up to `timers_ms` and round ends up to `rounds_ms`, both included, in
 * the order of their times, a round end before a timer. False when the key left.
 */
static bool key_advance(struct correlation *c, struct key_lane *lane, uint32_t number,
                        int64_t timers_ms, int64_t rounds_ms)
{
    struct key_state *key = key_at(lane, number);

    for (;;) {
        int64_t due = correlation_next_due(c, key);
        int64_t end = update_due(c, key);
        if (end <= rounds_ms && end <= due) {
            incident_update(c, key, end);
        } else if (due <= timers_ms) {
            if (!timer_run(c, lane, number, due))
                return false;
        } else {
            return true;
        }
    }
}

/* An entry is of a key that is there, and not one that a sooner one replaced. */
static bool is_timer_valid(const struct key_lane *lane, struct key_timer timer)
{
    const struct key_state *key = key_at(lane, timer.number);

    return key->used && key->has_timer && key->timer == timer.due;
}

/* Keys that went before their time leave their entries: of a rule that is over its bound there
 * would be as many as keys come within its window. */
static void lane_timers_tidy(struct key_lane *lane)
{
    struct key_timers *timers = &lane->timers;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < timers->count; i++)
        if (is_timer_valid(lane, timers->at[i])) {
            key_at(lane, timers->at[i].number)->has_timer = false; /* one is enough */
            timers->at[kept++] = timers->at[i];
        }
    timers->count = kept;
    for (uint32_t i = 0; i < kept; i++)
        key_at(lane, timers->at[i].number)->has_timer = true;
    key_timers_order(timers);
}

void correlation_timer_keep(const struct correlation *c, struct key_lane *lane, uint32_t number)
{
    struct key_state *key = key_at(lane, number);
    int64_t due_ms = correlation_next_due(c, key), ahead_ms = c->step->to_ms + KEY_TIMER_AHEAD_MS;

    if (due_ms == INT64_MAX)
        return;
    uint32_t due = (uint32_t)(due_ms < ahead_ms ? due_ms : ahead_ms);
    if (key->has_timer && !key_timer_before(due, key->timer))
        return;
    key->has_timer = true;
    key->timer = due;
    key_timers_push(&lane->timers, (struct key_timer){due, number});
    if (lane->timers.count > 2 * lane->count + TIMERS_SPARE)
        lane_timers_tidy(lane);
}

/* The round that a touch belongs to: an EVICT at a round's end belongs to that round. */
static int64_t touch_round(const struct correlation *c, const struct touch *touch)
{
    int64_t at = touch->order.at_ms - (touch->order.class == ORDER_ROUND_END);

    return floor_div(at, (int64_t)c->config->round_ms);
}

/* --- the phase ------------------------------------------------------------------------- */

void correlation_mark_dirty(struct correlation *c, struct key_lane *lane, uint32_t number,
                            const struct touch *touch)
{
    struct key_state *key = key_at(lane, number);

    key_open(key)->dirty_round = touch_round(c, touch);
    if (!key->is_listed) {
        key->is_listed = true;
        vector_add(&lane->dirty) = number;
    }
}

/* False when the key left. */
static bool touch_open(struct correlation *c, struct key_lane *lane, uint32_t number,
                       const struct touch *touch)
{
    struct key_state *key = key_at(lane, number);
    const struct rule_form *form = correlation_form(c, key);

    if (form->touch_open != NULL)
        return form->touch_open(c, lane, number, touch);
    if (touch->kind > TOUCH_REPEAT)
        return incident_leave(c, lane, number, touch);
    return incident_join(c, lane, number, touch);
}

/* The touch's key, with all done that is due before the touch; UINT32_MAX: there is none. */
static uint32_t key_ready(struct correlation *c, struct key_lane *lane, const struct touch *touch)
{
    uint32_t number = key_find(lane, touch->key);
    int64_t at = touch->order.at_ms;

    if (number != UINT32_MAX &&
        !key_advance(c, lane, number, touch->order.class == ORDER_EVENT ? at : at - 1,
                     touch->order.class == ORDER_ROUND_END ? at - 1 : at))
        return UINT32_MAX;
    return number;
}

static void touch_run(struct correlation *c, const struct touch *touch)
{
    struct key_lane *lane = &c->worker->engine->key_lanes[touch->lane];
    uint32_t number = key_ready(c, lane, touch);
    bool raises = touch->kind <= TOUCH_REPEAT;

    if (touch->kind == TOUCH_CLOSE) {
        if (number != UINT32_MAX)
            incident_close_by_hand(c, lane, number, touch);
        return;
    }
    tally_add(&c->rules->slots[touch->slot].tally[c->worker->index].touches, 1);
    if (number != UINT32_MAX && key_at(lane, number)->slot != touch->slot) {
        if (key_touch_other(c, lane, number, touch))
            return;
        number = UINT32_MAX;
    }
    if (number == UINT32_MAX) {
        const struct rule_slot *slot = &c->rules->slots[touch->slot];
        if (!raises || slot->is_listed || !slot->current) {
            c->retired++;
            return;
        }
        number = rule_key_make(c, lane, touch);
    }
    struct key_state *key = key_at(lane, number);
    key->last_any = TIME_PACK(touch->order.at_ms);
    if (raises)
        key->is_self_touched = touch->text->is_self_alert;
    if (!key->is_open) {
        if (raises)
            correlation_form(c, key)->raise(c, key, touch);
        else
            correlation_form(c, key)->clear(c, key, touch);
        if (!keep_watching(c, lane, number))
            return;
    } else {
        if (!touch_open(c, lane, number, touch))
            return;
        if (key->is_open)
            correlation_mark_dirty(c, lane, number, touch);
    }
    correlation_timer_keep(c, lane, number);
}

/* touch_run(), and what it did told from the outside: results cannot depend on it. */
static void touch_traced(struct correlation *c, const struct touch *touch)
{
    struct key_lane *lane = &c->worker->engine->key_lanes[touch->lane];
    struct rule_trace before;

    rule_trace_begin(&before, c, touch, lane, key_ready(c, lane, touch));
    touch_run(c, touch);
    rule_trace_end(&before, c, touch, lane, key_find(lane, touch->key));
}

static int touch_order(const void *a, const void *b)
{
    const struct touch *const *x = a, *const *y = b;

    return order_compare(&(*x)->order, &(*y)->order);
}

/* What worker `w` made for this one. */
static const struct touch_list *touches_of(const struct correlation *c, unsigned w)
{
    const struct worker *from = &c->worker->engine->workers[w];

    return &from->touches_out[c->seq & (STEPS - 1)][c->worker->index];
}

/* It was worked off before its place was put into the image that the run began from. */
static bool is_known(const struct correlation *c, const struct touch *touch)
{
    if (!c->step->is_silent)
        return false;
    int64_t from_ms = lane_times_at(&c->worker->engine->key_lanes[touch->lane].times, touch->key);
    /* What bounds took at that very moment had been worked off, too: a round's end comes first. */
    return touch->order.at_ms < from_ms ||
           (touch->order.at_ms == from_ms && touch->order.class == ORDER_ROUND_END);
}

/* More than the keys have numbers for, as of events that thousands of rules ask for. */
static size_t touches_sort_many(struct correlation *c, size_t count)
{
    struct worker *worker = c->worker;
    const struct touch **sorted;

    worker->sort_scratch.count = 0;
    vector_reserve(&worker->sort_scratch, count);
    sorted = (const struct touch **)(void *)worker->sort_scratch.at;
    count = 0;
    for (unsigned w = 0; w < worker->engine->worker_count; w++)
        for (size_t i = 0; i < touches_of(c, w)->count; i++)
            if (!is_known(c, &touches_of(c, w)->at[i]))
                sorted[count++] = &touches_of(c, w)->at[i];
    if (count > 1)
        qsort(sorted, count, sizeof(*sorted), touch_order);
    return count;
}

/* Collects what all workers made for this one and puts it in order. */
static size_t touches_collect(struct correlation *c)
{
    struct worker *worker = c->worker;
    struct engine *engine = worker->engine;
    size_t count = 0;

    for (unsigned w = 0; w < engine->worker_count; w++)
        count += touches_of(c, w)->count;
    if (count > engine->config.sort_max)
        return touches_sort_many(c, count);
    count = 0;
    worker->touches_in.count = worker->sort_key.count = 0;
    for (unsigned w = 0; w < engine->worker_count; w++) {
        const struct touch_list *list = touches_of(c, w);
        vector_reserve(&worker->touches_in, list->count);
        vector_reserve(&worker->sort_key, list->count);
        for (size_t i = 0; i < list->count; i++) {
            const struct touch *touch = &list->at[i];
            if (is_known(c, touch))
                continue;
            uint64_t time = (uint64_t)(touch->order.at_ms - c->step->from_ms);
            uint64_t order = (time << CLASS_BITS | touch->order.class) << RANK_BITS |
                             (touch->order.class == ORDER_EVENT ? touch->order.rank : 0u);
            worker->touches_in.at[count] = touch;
            worker->sort_key.at[count] = order << INDEX_BITS | (uint64_t)count;
            count++;
            worker->touches_in.count = worker->sort_key.count = count;
        }
    }
    worker->sort_scratch.count = 0;
    vector_reserve(&worker->sort_scratch, count);
    sort_keys(worker->sort_key.at, worker->sort_scratch.at, count, INDEX_BITS);
    /* What the key cannot tell apart (one time and partition, one time's timers) is
     * compared in full; such runs are short. */
    const struct touch **sorted = (const struct touch **)(void *)worker->sort_scratch.at;
    const uint64_t index_mask = ((uint64_t)1 << INDEX_BITS) - 1;
    for (size_t i = 0; i < count; i++)
        sorted[i] = worker->touches_in.at[worker->sort_key.at[i] & index_mask];
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count &&
               worker->sort_key.at[end] >> INDEX_BITS == worker->sort_key.at[i] >> INDEX_BITS)
            end++;
        if (end - i > 1)
            qsort(sorted + i, end - i, sizeof(*sorted), touch_order);
        i = end;
    }
    return count;
}

/* Takes some that are due out of the heap, and has what they stand for fetched; none of them brings
 * another that is due. */
static unsigned timers_take(const struct correlation *c, struct key_lane *lane,
                            struct key_timer *due)
{
    const int64_t last_ms = c->step->to_ms - 1;
    unsigned count = 0;

    while (count < TIMERS_TOGETHER && key_timers_due(&lane->timers, last_ms) <= last_ms) {
        due[count] = key_timers_pop(&lane->timers);
        __builtin_prefetch(key_at(lane, due[count++].number), 1);
    }
    for (unsigned i = 0; i < count; i++) {
        if (!is_timer_valid(lane, due[i]))
            continue;
        const struct key_state *key = key_at(lane, due[i].number);
        __builtin_prefetch(key_body(key));
        __builtin_prefetch(key_words(key));
    }
    return count;
}

static void lane_timers_run(struct correlation *c, struct key_lane *lane)
{
    const int64_t last_ms = c->step->to_ms - 1;
    struct key_timer due[TIMERS_TOGETHER];
    unsigned count;

    while ((count = timers_take(c, lane, due)) > 0)
        for (unsigned i = 0; i < count; i++) {
            if (!is_timer_valid(lane, due[i]))
                continue;
            key_at(lane, due[i].number)->has_timer = false;
            if (key_advance(c, lane, due[i].number, last_ms, last_ms))
                correlation_timer_keep(c, lane, due[i].number);
        }
}

void correlation_lane_updates(struct correlation *c, struct key_lane *lane)
{
    size_t kept = 0;

    for (size_t i = 0; i < lane->dirty.count; i++) {
        uint32_t number = lane->dirty.at[i];
        struct key_state *key = key_at(lane, number);
        int64_t end = key->used ? update_due(c, key) : INT64_MAX;
        if (end < INT64_MAX) {
            if (end > c->step->to_ms) {
                lane->dirty.at[kept++] = number;
                continue;
            }
            incident_update(c, key, end);
        }
        key->is_listed = false;
    }
    lane->dirty.count = kept;
}

void correlation_end(struct correlation *c)
{
    struct tally *tally = &c->worker->tally;

    tally_add(&tally->correlated, c->correlated);
    tally_add(&tally->expired, c->expired);
    tally_add(&tally->evicted, c->evicted);
    tally_add(&tally->retired, c->retired);
    c->worker->so_far.flapping = tally_get(&c->worker->flapping);
    c->worker->step_end[c->seq & (STEPS - 1)] = c->worker->so_far;
    if (c->worker->engine->listener.step != NULL)
        step_report_count(c->worker, c->seq);
}

void correlation_publish_due(const struct correlation *c)
{
    struct worker *worker = c->worker;
    struct engine *engine = worker->engine;
    int64_t due = INT64_MAX;

    for (unsigned l = worker->index; l < LANES; l += engine->worker_count) {
        int64_t alert = alert_lane_due(&engine->alert_lanes[l]);
        int64_t key = key_timers_due(&engine->key_lanes[l].timers, c->step->to_ms);
        due = alert < due ? alert : due;
        due = key < due ? key : due;
        for (size_t i = 0; i < engine->key_lanes[l].dirty.count; i++) {
            const struct key_state *dirty =
                key_at(&engine->key_lanes[l], engine->key_lanes[l].dirty.at[i]);
            int64_t end = dirty->used ? update_due(c, dirty) : INT64_MAX;
            /* A step that ends with the round makes the update. */
            due = end - 1 < due ? end - 1 : due;
        }
    }
    /* relaxed: published by the end of the phase (T). */
    atomic_store_explicit(&worker->next_due, due, memory_order_relaxed);
}

/* What a touch will look at, a while before: its key's place and its rule's slot, then the state
 * and what the slot points at, then what these two point at. Of ten thousand rules no cache holds
 * much. */
static void prefetch_far(const struct correlation *c, const struct touch *touch)
{
    key_prefetch(&c->worker->engine->key_lanes[touch->lane], touch->key);
    __builtin_prefetch(&c->rules->slots[touch->slot]);
}

static void prefetch_near(const struct correlation *c, const struct touch *touch)
{
    const struct rule_slot *slot = &c->rules->slots[touch->slot];

    key_prefetch_state(&c->worker->engine->key_lanes[touch->lane], touch->key);
    __builtin_prefetch(&slot->tally[c->worker->index], 1);
    rule_prefetch(slot->rule);
}

static void prefetch_next(const struct correlation *c, const struct touch *touch)
{
    key_prefetch_body(&c->worker->engine->key_lanes[touch->lane], touch->key);
    rule_prefetch_when(c->rules->slots[touch->slot].rule);
}

void rules_phase(struct worker *worker, uint64_t seq, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct correlation c = correlation_begin(worker, seq, step);
    size_t count = touches_collect(&c);
    const struct touch **touches = (const struct touch **)(void *)worker->sort_scratch.at;

    if (worker->listed_generation != c.rules->generation)
        listed_keys_apply(&c);
    worker->listed_generation = c.rules->generation;
    for (size_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count)
            prefetch_far(&c, touches[i + PREFETCH_AHEAD]);
        if (i + STATE_AHEAD < count)
            prefetch_near(&c, touches[i + STATE_AHEAD]);
        if (i + BODY_AHEAD < count)
            prefetch_next(&c, touches[i + BODY_AHEAD]);
        /* Of timers the partition is 0: no record's. */
        worker_at(worker, touches[i]->order.part, touches[i]->order.offset);
        if (c.trace == NULL || touches[i]->kind == TOUCH_CLOSE)
            touch_run(&c, touches[i]);
        else
            touch_traced(&c, touches[i]);
    }
    worker_at(worker, 0, 0);
    for (unsigned l = worker->index; l < LANES; l += engine->worker_count)
        lane_timers_run(&c, &engine->key_lanes[l]);
    if (!step->bounded) {
        for (unsigned l = worker->index; l < LANES; l += engine->worker_count)
            correlation_lane_updates(&c, &engine->key_lanes[l]);
        correlation_publish_due(&c);
    }
    correlation_end(&c);
}

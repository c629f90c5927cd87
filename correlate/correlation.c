/*
 * correlation.c - stage R: windows that watch, incidents that open, grow and close
 * (docs/correlation.md, section 3).
 *
 * Keys do not depend on each other: each has its touches in order, and whatever was
 * due between two of them (entries that slide out, quiet timers, updates at round
 * ends) is made up for by key_advance() before the next one counts. What is due by
 * the end of the step in keys without touches comes from the lane's heap. The order
 * of the changes is restored by sorting them in stage I.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "correlate/core.h"
#include "correlate/incident_make.h"
#include "correlate/sort.h"

enum { PREFETCH_AHEAD = 8, INDEX_BITS = 24, RANK_BITS = 16, CLASS_BITS = 2 };

struct correlation {
    struct worker *worker;
    const struct engine_config *config;
    const struct step *step;
    const struct rules_version *rules;
    uint64_t seq;
    uint64_t correlated, expired, evicted, retired;
};

static struct rule_tally *tally_of(const struct correlation *c, const struct key_state *key)
{
    return &c->rules->slots[key->slot].tally[c->worker->index];
}

static struct order key_order(const struct correlation *c, const struct key_state *key,
                              int64_t at_ms, enum order_class class, enum order_stage stage)
{
    return (struct order){.at_ms = at_ms,
                          .class = (uint8_t) class,
                          .stage = (uint8_t)stage,
                          .rule = c->rules->slots[key->slot].order,
                          .key = key->text};
}

/* --- changes --------------------------------------------------------------------------- */

/* Logs one change of the key's open incident: a snapshot becomes the latest. */
static void change(struct correlation *c, struct key_state *key, const struct order *order,
                   enum incident_change what, enum incident_cause cause)
{
    struct open_incident *open = key->open;
    struct incident *incident =
        what == INCIDENT_OPENED ? incident_ref(open->latest) : incident_copy(open->latest);

    incident->change = what;
    incident->cause = cause;
    incident->at_ms = order->at_ms;
    incident->change_number++;
    incident->first_ts_ms = open->first_ts_ms;
    incident->severity = open->severity;
    incident->event_count = open->event_count;
    incident->alert_count = open->alert_count;
    incident->open_count = open->open_count;
    open->severity_told = open->severity;
    open->alert_count_told = open->alert_count;
    if (what != INCIDENT_OPENED) {
        incident_unref(open->latest);
        open->latest = incident_ref(incident);
    }
    worker_change(c->worker, c->seq, order, incident);
    if (what == INCIDENT_OPENED) {
        tally_add(&c->worker->tally.opened, 1);
        tally_add(&tally_of(c, key)->opened, 1);
    } else if (what == INCIDENT_CLOSED) {
        tally_add(&c->worker->tally.closed, 1);
        tally_add(&tally_of(c, key)->closed, 1);
    } else {
        tally_add(&c->worker->tally.updates, 1);
    }
}

/* The key leaves the table; its words wait for the end of the step. */
static void remove_key(struct correlation *c, struct key_lane *lane, uint32_t number)
{
    struct key_state *key = key_at(lane, number);

    tally_add(&tally_of(c, key)->keys, UINT64_MAX);
    worker_bury(c->worker, c->seq, key->text, key->text->bytes);
    key_remove(lane, &c->worker->slab, number);
}

/* --- time passes for a key ------------------------------------------------------------- */

static int64_t next_due(const struct key_state *key)
{
    int64_t due = INT64_MAX;

    if (key->open == NULL)
        return key->window.count > 0 ? window_at(&key->window, 0)->at_ms + key->rule->window_ms
                                     : INT64_MAX;
    for (uint32_t i = 0; i < key->rule->quiet_count; i++) {
        int64_t quiet = key->open->last_touch_ms + key->rule->quiet_ms[i];
        if (quiet > key->open->quiet_checked_ms && quiet < due)
            due = quiet;
    }
    return due;
}

/* Entries older than the window leave. */
static void slide(struct correlation *c, struct key_state *key, int64_t now_ms)
{
    while (key->window.count > 0 &&
           window_at(&key->window, 0)->at_ms <= now_ms - key->rule->window_ms) {
        window_pop(&key->window, &c->worker->slab);
        c->expired++;
        tally_add(&tally_of(c, key)->expired, 1);
        tally_add(&tally_of(c, key)->pending, UINT64_MAX);
    }
}

static bool is_cleared(const struct open_incident *open)
{
    return open->open_count == 0 && !open->member_evicted;
}

/* The update that the round owes, if any. */
static void update(struct correlation *c, struct key_state *key, int64_t at_ms)
{
    struct open_incident *open = key->open;
    struct order order = key_order(c, key, at_ms, ORDER_ROUND_END, ORDER_UPDATE);

    key->dirty_round = INT64_MIN;
    if (open->evicted_now)
        change(c, key, &order, INCIDENT_UPDATED, CAUSE_EVICTED);
    else if (open->severity > open->severity_told)
        change(c, key, &order, INCIDENT_UPDATED, CAUSE_SEVERITY);
    else if (open->alert_count >= 2 * open->alert_count_told)
        change(c, key, &order, INCIDENT_UPDATED, CAUSE_GREW);
    open->evicted_now = false;
}

static int64_t round_end(const struct correlation *c, int64_t round)
{
    return (round + 1) * (int64_t)c->config->round_ms;
}

/* One timer at `due_ms`. False when the key left the table. */
static bool timer_run(struct correlation *c, struct key_lane *lane, uint32_t number, int64_t due_ms)
{
    struct key_state *key = key_at(lane, number);

    if (key->open == NULL) {
        slide(c, key, due_ms);
        if (key->window.count > 0)
            return true;
        remove_key(c, lane, number);
        return false;
    }
    if (rule_close(key->rule, due_ms - key->open->last_touch_ms, is_cleared(key->open))) {
        struct order order = key_order(c, key, due_ms, ORDER_TIMER, ORDER_RULE);
        change(c, key, &order, INCIDENT_CLOSED, CAUSE_QUIET);
        remove_key(c, lane, number);
        return false;
    }
    key->open->quiet_checked_ms = due_ms;
    return true;
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
        int64_t due = next_due(key);
        int64_t end = key->dirty_round != INT64_MIN ? round_end(c, key->dirty_round) : INT64_MAX;
        if (end <= rounds_ms && end <= due) {
            update(c, key, end);
        } else if (due <= timers_ms) {
            if (!timer_run(c, lane, number, due))
                return false;
        } else {
            return true;
        }
    }
}

/* The heap holds an entry at or before the key's next timer. */
static void timer_keep(struct key_lane *lane, uint32_t number)
{
    struct key_state *key = key_at(lane, number);
    int64_t due = next_due(key);

    if (due < key->timer_ms) {
        key->timer_ms = due;
        timer_heap_push(
            &lane->timers,
            (struct timer){.due_ms = due, .owner = number, .generation = key->generation});
    }
}

/* --- watching ---------------------------------------------------------------------------- */

static struct window_values *values_make(struct correlation *c, const struct rule *rule,
                                         const struct event_view *view)
{
    struct text text[RULE_AGGREGATES_MAX];
    char scratch[RULE_AGGREGATES_MAX][32];
    size_t bytes = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        if (rule->aggregate[i].kind != AGGREGATE_DISTINCT)
            continue;
        text[count] = rule_aggregate_value(rule, i, view, scratch[count]);
        bytes += text[count].len < VALUE_TEXT_BYTES ? text[count].len : VALUE_TEXT_BYTES;
        count++;
    }
    if (count == 0)
        return NULL;
    bytes += sizeof(struct window_values) + count * sizeof(struct window_value);
    struct window_values *values = slab_alloc(&c->worker->slab, bytes);
    values->bytes = (uint32_t)bytes;
    values->count = count;
    char *to = (char *)(values->value + count);
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len = text[i].len < VALUE_TEXT_BYTES ? text[i].len : VALUE_TEXT_BYTES;
        values->value[i] = (struct window_value){
            .hash = hash64(text[i].at, text[i].len, c->config->seed ^ hash_mix(text[i].len + 1)),
            .at = at,
            .len = len};
        if (len > 0)
            memcpy(to + at, text[i].at, len);
        at += len;
    }
    return values;
}

/* How many different values of distinct `index` are in the window; counting stops
 * above `enough`, which is all that a comparison with a constant can tell apart. */
static int64_t distinct(const struct window *window, uint32_t index, int64_t enough)
{
    enum { SEEN = 64 };
    uint64_t few[SEEN], *seen = few;
    int64_t count = 0, room = enough + 1 < SEEN ? enough + 1 : window->count;

    if (room > SEEN)
        seen = memory_alloc((size_t)room * sizeof(*seen));
    for (uint32_t e = window->count; e-- > 0 && count <= enough;) {
        uint64_t hash = window_at(window, e)->values->value[index].hash;
        int64_t i = 0;
        while (i < count && seen[i] != hash)
            i++;
        if (i == count)
            seen[count++] = hash;
    }
    if (seen != few)
        free(seen);
    return count;
}

static void aggregate(const struct key_state *key, bool exact, int64_t value[RULE_AGGREGATES_MAX],
                      uint32_t index[RULE_AGGREGATES_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < key->rule->aggregate_count; i++) {
        const struct rule_aggregate *agg = &key->rule->aggregate[i];
        index[i] = 0;
        if (agg->kind == AGGREGATE_COUNT) {
            value[i] = key->window.count;
        } else {
            index[i] = count++;
            value[i] = distinct(&key->window, index[i], exact ? key->window.count : agg->limit);
        }
    }
}

static void open_incident(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    struct slab *slab = &c->worker->slab;
    struct open_incident *open = slab_alloc(slab, sizeof(*open));
    struct window *window = &key->window;
    struct opening opening = {
        .rule = key->rule, .key = key->text, .window = window, .touch = touch};

    aggregate(key, true, opening.value, opening.distinct_index);
    if (touch->order.class == ORDER_EVENT) {
        const struct part *part = c->worker->engine->parts[touch->order.part];
        opening.topic = part->name;
        opening.partition = part->number;
    }
    *open = (struct open_incident){.latest = incident_make(&opening),
                                   .last_touch_ms = touch->order.at_ms,
                                   .quiet_checked_ms = INT64_MIN,
                                   .first_ts_ms = INT64_MAX,
                                   .event_count = window->count};
    open->latest->opened_ms = touch->order.at_ms;
    for (uint32_t i = 0; i < window->count; i++) {
        const struct window_entry *entry = window_at(window, i);
        struct member *member = members_find(&open->members, entry->alert);
        if (member == NULL) {
            member = members_add(&open->members, slab, entry->alert);
            open->alert_count++;
        } else if (member->state == MEMBER_OPEN) {
            open->open_count--;
        }
        member->state = entry->cleared ? MEMBER_CLEARED : MEMBER_OPEN; /* the newest decides */
        open->open_count += !entry->cleared;
        if (entry->ts_ms < open->first_ts_ms)
            open->first_ts_ms = entry->ts_ms;
        if (entry->severity > open->severity)
            open->severity = entry->severity;
    }
    c->correlated += window->count;
    tally_add(&tally_of(c, key)->pending, (uint64_t)0 - window->count);
    window_release(window, slab);
    key->open = open;
    change(c, key, &touch->order, INCIDENT_OPENED, CAUSE_RULE);
}

static void watch(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    const struct event_view view = {.text = touch->text,
                                    .severity = touch->severity,
                                    .state = EVENT_PROBLEM,
                                    .et_ms = touch->order.at_ms};
    struct window *window = &key->window;
    struct window_entry *entry = NULL;
    int64_t value[RULE_AGGREGATES_MAX];
    uint32_t index[RULE_AGGREGATES_MAX];

    slide(c, key, touch->order.at_ms);
    if (touch->kind == TOUCH_CHANGE) {
        for (uint32_t i = window->count; entry == NULL && i-- > 0;)
            if (id128_equal(window_at(window, i)->alert, touch->alert))
                entry = window_at(window, i);
    }
    if (entry != NULL) {
        if (entry->values != NULL)
            slab_free(&c->worker->slab, entry->values, entry->values->bytes);
        entry->severity = touch->severity;
        entry->values = values_make(c, key->rule, &view);
        c->retired++;
    } else {
        entry = window_push(window, &c->worker->slab);
        *entry = (struct window_entry){.at_ms = touch->order.at_ms,
                                       .ts_ms = touch->text->ts_ms,
                                       .alert = touch->alert,
                                       .values = values_make(c, key->rule, &view),
                                       .severity = touch->severity};
        tally_add(&tally_of(c, key)->pending, 1);
        if (window->count > key->rule->max_members) {
            window_pop(window, &c->worker->slab);
            c->evicted++;
            tally_add(&tally_of(c, key)->evicted, 1);
            tally_add(&tally_of(c, key)->pending, UINT64_MAX);
        }
    }
    aggregate(key, false, value, index);
    if (rule_when(key->rule, value))
        open_incident(c, key, touch);
}

static void watch_cleared(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    for (uint32_t i = 0; i < key->window.count; i++) {
        struct window_entry *entry = window_at(&key->window, i);
        if (id128_equal(entry->alert, touch->alert))
            entry->cleared = true;
    }
    c->retired++;
}

/* --- an open incident ---------------------------------------------------------------------- */

static void join(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    struct open_incident *open = key->open;
    struct member *member = members_find(&open->members, touch->alert);

    if (member != NULL) {
        open->open_count += member->state != MEMBER_OPEN;
        member->state = MEMBER_OPEN;
    } else if (open->members.count < key->rule->max_members) {
        members_add(&open->members, &c->worker->slab, touch->alert)->state = MEMBER_OPEN;
        open->alert_count++;
        open->open_count++;
    } else if (touch->kind == TOUCH_RAISE) {
        open->alert_count++;
        open->untracked_open++;
        open->open_count++;
    }
    open->event_count++;
    if (touch->text->ts_ms < open->first_ts_ms)
        open->first_ts_ms = touch->text->ts_ms;
    if (touch->severity > open->severity)
        open->severity = touch->severity;
    open->last_touch_ms = touch->order.at_ms;
    open->quiet_checked_ms = INT64_MIN;
    c->correlated++;
}

/* False when the incident closed and the key left. */
static bool leave(struct correlation *c, struct key_lane *lane, uint32_t number,
                  const struct touch *touch)
{
    struct key_state *key = key_at(lane, number);
    struct open_incident *open = key->open;
    struct member *member = members_find(&open->members, touch->alert);

    if (member != NULL && member->state == MEMBER_OPEN) {
        member->state = MEMBER_CLEARED;
    } else if (member == NULL && open->untracked_open > 0) {
        open->untracked_open--;
    } else {
        c->retired++;
        return true;
    }
    open->open_count--;
    open->event_count++;
    c->correlated++;
    if (touch->kind == TOUCH_EVICT) {
        if (!open->member_evicted)
            vector_add(&c->worker->lost) = key->slot;
        open->evicted_now |= !open->member_evicted;
        open->member_evicted = true;
    } else if (is_cleared(open) &&
               rule_close(key->rule, touch->order.at_ms - open->last_touch_ms, true)) {
        change(c, key, &touch->order, INCIDENT_CLOSED, CAUSE_CLEARED);
        remove_key(c, lane, number);
        return false;
    }
    return true;
}

/* The round that a touch belongs to: an EVICT at a round's end belongs to that round. */
static int64_t touch_round(const struct correlation *c, const struct touch *touch)
{
    int64_t at = touch->order.at_ms - (touch->order.class == ORDER_ROUND_END);

    return floor_div(at, (int64_t)c->config->round_ms);
}

/* --- the phase ------------------------------------------------------------------------------ */

static uint32_t make_key(struct correlation *c, struct key_lane *lane, const struct touch *touch)
{
    const struct rule *rule = c->rules->slots[touch->slot].rule;
    const struct event_view view = {.text = touch->text,
                                    .severity = touch->severity,
                                    .state = EVENT_PROBLEM,
                                    .et_ms = touch->order.at_ms};
    struct text value[RULE_BY_MAX];
    size_t bytes = sizeof(struct key_text) + rule->by_count * sizeof(uint32_t);
    uint32_t number = key_add(lane, touch->key);
    struct key_state *key = key_at(lane, number);

    rule_by_values(rule, &view, value);
    for (uint32_t i = 0; i < rule->by_count; i++)
        bytes += value[i].len;
    struct key_text *text = slab_alloc(&c->worker->slab, bytes);
    text->count = rule->by_count;
    text->bytes = (uint32_t)bytes;
    char *data = (char *)(text->end + text->count);
    uint32_t at = 0;
    for (uint32_t i = 0; i < rule->by_count; i++) {
        if (value[i].len > 0)
            memcpy(data + at, value[i].at, value[i].len);
        at += value[i].len;
        text->end[i] = at;
    }
    key->text = text;
    key->slot = touch->slot;
    key->rule = rule;
    tally_add(&tally_of(c, key)->keys, 1);
    return number;
}

static void touch_run(struct correlation *c, const struct touch *touch)
{
    struct key_lane *lane = &c->worker->engine->key_lanes[touch->lane];
    uint32_t number = key_find(lane, touch->key);
    int64_t at = touch->order.at_ms;
    bool raises = touch->kind <= TOUCH_REPEAT;

    tally_add(&c->rules->slots[touch->slot].tally[c->worker->index].touches, 1);
    if (number != UINT32_MAX &&
        !key_advance(c, lane, number, touch->order.class == ORDER_EVENT ? at : at - 1,
                     touch->order.class == ORDER_ROUND_END ? at - 1 : at))
        number = UINT32_MAX;
    if (number == UINT32_MAX) {
        if (!raises) {
            c->retired++;
            return;
        }
        number = make_key(c, lane, touch);
    }
    struct key_state *key = key_at(lane, number);
    key->last_any_ms = at;
    if (key->open == NULL) {
        key->rule = c->rules->slots[key->slot].rule;
        if (raises)
            watch(c, key, touch);
        else
            watch_cleared(c, key, touch);
    } else {
        if (raises)
            join(c, key, touch);
        else if (!leave(c, lane, number, touch))
            return;
        key->dirty_round = touch_round(c, touch);
        if (!key->listed) {
            key->listed = true;
            vector_add(&lane->dirty) = number;
        }
    }
    timer_keep(lane, number);
}

static int touch_order(const void *a, const void *b)
{
    const struct touch *const *x = a, *const *y = b;

    return order_compare(&(*x)->order, &(*y)->order);
}

/* Collects what all workers made for this one and puts it in order. */
static size_t touches_collect(struct correlation *c)
{
    struct worker *worker = c->worker;
    struct engine *engine = worker->engine;
    size_t count = 0;

    worker->touches_in.count = worker->sort_key.count = 0;
    for (unsigned w = 0; w < engine->worker_count; w++) {
        const struct touch_list *list =
            &engine->workers[w].touches_out[c->seq & (STEPS - 1)][worker->index];
        vector_reserve(&worker->touches_in, list->count);
        vector_reserve(&worker->sort_key, list->count);
        for (size_t i = 0; i < list->count; i++) {
            const struct touch *touch = &list->at[i];
            uint64_t time = (uint64_t)(touch->order.at_ms - c->step->from_ms);
            uint64_t order = (time << CLASS_BITS | touch->order.class) << RANK_BITS |
                             (touch->order.class == ORDER_EVENT ? touch->order.rank : 0u);
            assert(count < (size_t)1 << INDEX_BITS);
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

static void lane_timers_run(struct correlation *c, struct key_lane *lane)
{
    int64_t last_ms = c->step->to_ms - 1;

    while (timer_heap_due(&lane->timers) <= last_ms) {
        struct timer timer = timer_heap_pop(&lane->timers);
        struct key_state *key = key_at(lane, timer.owner);
        if (!key->used || key->generation != timer.generation || key->timer_ms != timer.due_ms)
            continue; /* of a key that is gone, or an entry that a sooner one replaced */
        key->timer_ms = INT64_MAX;
        if (key_advance(c, lane, timer.owner, last_ms, last_ms))
            timer_keep(lane, timer.owner);
    }
}

/* Updates of the rounds that end with the step or before. */
static void lane_updates_run(struct correlation *c, struct key_lane *lane)
{
    size_t kept = 0;

    for (size_t i = 0; i < lane->dirty.count; i++) {
        uint32_t number = lane->dirty.at[i];
        struct key_state *key = key_at(lane, number);
        if (key->used && key->open != NULL && key->dirty_round != INT64_MIN) {
            int64_t end = round_end(c, key->dirty_round);
            if (end > c->step->to_ms) {
                lane->dirty.at[kept++] = number;
                continue;
            }
            update(c, key, end);
        }
        key->listed = false;
    }
    lane->dirty.count = kept;
}

static void tally_store(struct correlation *c)
{
    struct tally *tally = &c->worker->tally;

    tally_add(&tally->correlated, c->correlated);
    tally_add(&tally->expired, c->expired);
    tally_add(&tally->evicted, c->evicted);
    tally_add(&tally->retired, c->retired);
}

static struct correlation correlation_begin(struct worker *worker, uint64_t seq,
                                            const struct step *step)
{
    return (struct correlation){.worker = worker,
                                .config = &worker->engine->config,
                                .step = step,
                                .rules = step->rules,
                                .seq = seq};
}

/* What is due next in the worker's lanes, for the sequencer to skip idle time. */
static void publish_due(struct worker *worker)
{
    struct engine *engine = worker->engine;
    int64_t due = INT64_MAX;

    for (unsigned l = worker->index; l < LANES; l += engine->worker_count) {
        int64_t alert = timer_heap_due(&engine->alert_lanes[l].timers);
        int64_t key = timer_heap_due(&engine->key_lanes[l].timers);
        due = alert < due ? alert : due;
        due = key < due ? key : due;
        for (size_t i = 0; i < engine->key_lanes[l].dirty.count; i++) {
            const struct key_state *dirty =
                key_at(&engine->key_lanes[l], engine->key_lanes[l].dirty.at[i]);
            int64_t end = dirty->used && dirty->dirty_round != INT64_MIN
                              ? (dirty->dirty_round + 1) * (int64_t)engine->config.round_ms
                              : INT64_MAX;
            /* A step that ends with the round makes the update. */
            due = end - 1 < due ? end - 1 : due;
        }
    }
    /* relaxed: published by the end of the phase (T). */
    atomic_store_explicit(&worker->next_due, due, memory_order_relaxed);
}

void rules_phase(struct worker *worker, uint64_t seq, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct correlation c = correlation_begin(worker, seq, step);
    size_t count = touches_collect(&c);
    const struct touch **touches = (const struct touch **)(void *)worker->sort_scratch.at;

    for (size_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count)
            key_prefetch(&engine->key_lanes[touches[i + PREFETCH_AHEAD]->lane],
                         touches[i + PREFETCH_AHEAD]->key);
        touch_run(&c, touches[i]);
    }
    for (unsigned l = worker->index; l < LANES; l += engine->worker_count)
        lane_timers_run(&c, &engine->key_lanes[l]);
    if (!step->bounded) {
        for (unsigned l = worker->index; l < LANES; l += engine->worker_count)
            lane_updates_run(&c, &engine->key_lanes[l]);
        publish_due(worker);
    }
    tally_store(&c);
}

/* --- the bound (X4) ----------------------------------------------------------------------------
 */

/* Keys that a rule holds beyond its bound. */
static uint64_t excess(const struct correlation *c, uint32_t slot)
{
    const struct rule_slot *s = &c->rules->slots[slot];
    uint64_t keys = 0;

    if (!s->current)
        return 0;
    for (unsigned w = 0; w < c->worker->engine->worker_count; w++)
        keys += tally_get(&s->tally[w].keys);
    return keys > s->rule->max_keys ? keys - s->rule->max_keys : 0;
}

static int candidate_order(const void *a, const void *b)
{
    const struct key_candidate *x = a, *y = b;

    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    if (x->open != y->open)
        return x->open ? 1 : -1;
    if (x->last_ms != y->last_ms)
        return x->last_ms < y->last_ms ? -1 : 1;
    return key_text_compare(x->text, y->text);
}

/* While this phase runs no count changes, so every worker sees the same excess. The
 * candidates of a rule over its bound are all its keys: a rule that overflows costs a
 * pass over the worker's keys per round. */
void rules_candidates_phase(struct worker *worker, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct correlation c = correlation_begin(worker, 0, step);
    bool any = false;

    worker->key_candidates.count = 0;
    worker->key_excess.count = 0;
    vector_reserve(&worker->key_excess, c.rules->slot_count);
    for (uint32_t s = 0; s < c.rules->slot_count; s++) {
        worker->key_excess.at[s] = excess(&c, s);
        any |= worker->key_excess.at[s] > 0;
    }
    for (unsigned l = worker->index; any && l < LANES; l += engine->worker_count) {
        const struct key_lane *lane = &engine->key_lanes[l];
        for (uint32_t n = 0; n < lane->used; n++) {
            const struct key_state *key = key_at(lane, n);
            if (key->used && worker->key_excess.at[key->slot] > 0)
                vector_add(&worker->key_candidates) =
                    (struct key_candidate){.open = key->open != NULL,
                                           .last_ms = key->last_any_ms,
                                           .text = key->text,
                                           .slot = key->slot,
                                           .number = n,
                                           .lane = (uint8_t)l};
        }
    }
    if (worker->key_candidates.count > 0)
        qsort(worker->key_candidates.at, worker->key_candidates.count, sizeof(struct key_candidate),
              candidate_order);
}

static void evict(struct correlation *c, const struct key_candidate *candidate)
{
    struct key_lane *lane = &c->worker->engine->key_lanes[candidate->lane];
    struct key_state *key = key_at(lane, candidate->number);

    if (key->open != NULL) {
        struct order order = key_order(c, key, c->step->to_ms, ORDER_ROUND_END, ORDER_UPDATE);
        change(c, key, &order, INCIDENT_UPDATED, CAUSE_EVICTED);
        if (!key->open->evicted_now) /* else it was counted when an alert of it went */
            vector_add(&c->worker->lost) = key->slot;
    }
    c->evicted += key->window.count;
    tally_add(&tally_of(c, key)->evicted, key->window.count);
    tally_add(&tally_of(c, key)->pending, (uint64_t)0 - key->window.count);
    tally_add(&c->worker->tally.keys_evicted, 1);
    remove_key(c, lane, candidate->number);
}

void rules_evict_phase(struct worker *worker, uint64_t seq, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct correlation c = correlation_begin(worker, seq, step);
    size_t at[WORKERS_MAX] = {0};

    for (;;) {
        const struct key_candidate *least = NULL;
        unsigned least_worker = 0;
        for (unsigned w = 0; w < engine->worker_count; w++) {
            const struct worker *other = &engine->workers[w];
            if (at[w] == other->key_candidates.count)
                continue;
            const struct key_candidate *candidate = &other->key_candidates.at[at[w]];
            if (least == NULL || candidate_order(candidate, least) < 0) {
                least = candidate;
                least_worker = w;
            }
        }
        if (least == NULL)
            break;
        at[least_worker]++;
        if (worker->key_excess.at[least->slot] == 0)
            continue;
        worker->key_excess.at[least->slot]--;
        if (least_worker == worker->index)
            evict(&c, least);
    }
    for (unsigned l = worker->index; l < LANES; l += engine->worker_count)
        lane_updates_run(&c, &engine->key_lanes[l]);
    publish_due(worker);
    tally_store(&c);
}

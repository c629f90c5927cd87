/*
 * dedup.c - stage D: folds repeats, pairs problems with clears, damps flapping,
 * expires silent alerts; tells the rules what is left (docs/correlation.md, 2).
 *
 * The loop over a batch does one thing per repeat: compare and count in a slot that
 * was prefetched. Everything else is off the straight line, in the functions below.
 * Alerts do not depend on each other, so timers of an alert are looked at when an
 * event of it comes, and those of all others at the end of the step; the order of
 * the touches is restored by sorting them in stage R.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "correlate/core.h"
#include "correlate/sort.h"
#include "correlate/trace.h"

enum { PREFETCH_AHEAD = 16, INDEX_BITS = 24, RANK_BITS = 16 };

/* What the functions of one phase share. */
struct dedup {
    struct worker *worker;
    const struct engine_config *config;
    const struct step *step;
    const struct rules_version *rules;
    const struct engine_trace *trace; /* NULL: nobody asks */
    uint64_t seq;
    uint64_t duplicate, unmatched, routed, touches, folded;
};

static struct order event_order(const struct dedup *d, const struct event *ev)
{
    return (struct order){.at_ms = ev->et_ms,
                          .offset = ev->offset,
                          .rank = d->step->rank[ev->part],
                          .sub = ev->sub,
                          .part = ev->part,
                          .class = ORDER_EVENT};
}

static struct order alert_order(int64_t at_ms, enum order_class class,
                                const struct event_text *text)
{
    return (struct order){
        .at_ms = at_ms, .class = (uint8_t) class, .stage = ORDER_DEDUP, .identity = text};
}

/* Which steps of a rule made of steps the event is: here, where its own et is known, because of
 * `age`. What a timer tells is what the alert was. */
static uint8_t steps_of(const struct rule *rule, const struct order *order,
                        const struct alert_cold *cold, const struct event_text *text)
{
    const struct event_view view = {.text = text,
                                    .severity = cold->severity,
                                    .state = EVENT_PROBLEM,
                                    .et_ms = order->class == ORDER_EVENT ? order->at_ms
                                                                         : cold->problem_et};

    return (uint8_t)rule_steps(rule, &view);
}

static void emit(struct dedup *d, struct order order, const struct route *route,
                 enum touch_kind kind, const struct alert_cold *cold, const struct event_text *text)
{
    const struct rule_slot *slot = &d->rules->slots[route->slot];
    struct worker *worker = d->worker;
    unsigned to = lane_owner(worker->engine, route->lane);
    struct touch_list *out = &worker->touches_out[d->seq & (STEPS - 1)][to];
    bool has_steps = slot->rule->step_count > 0 && kind <= TOUCH_REPEAT;

    order.rule = slot->order;
    order.second = kind != TOUCH_CLEAR;
    vector_add(out) =
        (struct touch){.order = order,
                       .key = route->key,
                       .alert = cold->fingerprint,
                       .text = text,
                       .slot = route->slot,
                       .kind = (uint8_t)kind,
                       .severity = cold->severity,
                       .lane = route->lane,
                       .steps = has_steps ? steps_of(slot->rule, &order, cold, text) : 0};
    d->touches++;
}

static void emit_all(struct dedup *d, const struct order *order, const struct alert_cold *cold,
                     enum touch_kind kind, const struct event_text *text)
{
    for (unsigned i = 0; i < cold->route_count; i++)
        emit(d, *order, &cold->routes[i], kind, cold, text);
}

/* --- matching ----------------------------------------------------------------------- */

static struct route route_make(const struct dedup *d, uint32_t index, const struct event_view *view)
{
    const struct rule *rule = rule_set_rule(d->rules->set, index);
    uint32_t slot = d->rules->slot_of[index];
    struct text value[RULE_BY_MAX];
    struct id128 key = {hash_mix(slot + 1), d->config->seed};

    rule_by_values(rule, view, value);
    for (uint32_t i = 0; i < rule->by_count; i++)
        key = hash128(value[i].at, value[i].len, hash_mix(key.hi ^ value[i].len) ^ key.lo);
    return (struct route){.key = key, .slot = slot, .lane = (uint8_t)(key.hi >> 56)};
}

static bool is_of_alerts(enum rule_input input)
{
    return input <= RULE_INPUT_EVENTS;
}

static bool is_of_flapping(enum rule_input input)
{
    return input == RULE_INPUT_FLAPPING;
}

/* Fills worker->routes with the rules of such an input that match `text`, by rule id. */
static void match_input(struct dedup *d, const struct event_text *text, uint8_t severity,
                        int64_t et_ms, bool (*takes)(enum rule_input))
{
    struct worker *worker = d->worker;
    const struct event_view view = {
        .text = text, .severity = severity, .state = EVENT_PROBLEM, .et_ms = et_ms};
    size_t count = rule_set_match(d->rules->set, &view, worker->match.at, worker->match.room);

    worker->routes.count = 0;
    vector_reserve(&worker->routes, count);
    for (size_t i = 0; i < count && worker->routes.count < UINT16_MAX; i++)
        if (takes(rule_set_rule(d->rules->set, worker->match.at[i])->input))
            worker->routes.at[worker->routes.count++] = route_make(d, worker->match.at[i], &view);
}

static void match(struct dedup *d, const struct event_text *text, uint8_t severity, int64_t et_ms)
{
    match_input(d, text, severity, et_ms, is_of_alerts);
}

/* Tells the rules that take every event, whatever becomes of it otherwise. */
static void beat(struct dedup *d, const struct event *ev)
{
    struct worker *worker = d->worker;
    const struct event_view view = {
        .text = ev->text, .severity = ev->severity, .state = ev->state, .et_ms = ev->et_ms};
    size_t count = rule_set_match(d->rules->set, &view, worker->match.at, worker->match.room);

    for (size_t i = 0; i < count; i++) {
        if (rule_set_rule(d->rules->set, worker->match.at[i])->input != RULE_INPUT_ALL)
            continue;
        struct route route = route_make(d, worker->match.at[i], &view);
        struct touch_list *out =
            &worker->touches_out[d->seq & (STEPS - 1)][lane_owner(worker->engine, route.lane)];
        struct order order = event_order(d, ev);
        order.rule = d->rules->slots[route.slot].order;
        order.second = 1;
        vector_add(out) = (struct touch){.order = order,
                                         .key = route.key,
                                         .alert = ev->fingerprint,
                                         .text = ev->text,
                                         .slot = route.slot,
                                         .kind = TOUCH_BEAT,
                                         .severity = ev->severity,
                                         .lane = route.lane};
        d->touches++;
    }
}

/* Is the route's rule one that says `on: events`? */
static bool takes_events(const struct dedup *d, const struct route *route)
{
    return d->rules->slots[route->slot].rule->input == RULE_INPUT_EVENTS;
}

static bool route_equal(const struct route *a, const struct route *b)
{
    return a->slot == b->slot && id128_equal(a->key, b->key);
}

static bool route_in(const struct route *route, const struct route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (route_equal(route, &routes[i]))
            return true;
    return false;
}

/* worker->routes become the alert's. */
static void routes_store(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold)
{
    struct slab *slab = &d->worker->slab;
    uint16_t count = (uint16_t)d->worker->routes.count;

    if (count > cold->route_room) {
        slab_free(slab, cold->routes, cold->route_room * sizeof(struct route));
        cold->routes = slab_alloc(slab, count * sizeof(struct route));
        cold->route_room = count;
    }
    if (count > 0)
        memcpy(cold->routes, d->worker->routes.at, count * sizeof(struct route));
    cold->route_count = count;
    slot->bits &= ~(uint32_t)(ALERT_EVENT_ROUTES | ALERT_STALE);
    for (uint16_t i = 0; i < count; i++)
        if (takes_events(d, &cold->routes[i]))
            slot->bits |= ALERT_EVENT_ROUTES;
}

/* --- words and changes -------------------------------------------------------------- */

static void text_store(struct dedup *d, struct alert_cold *cold, const struct event *ev)
{
    struct event_text *text = slab_alloc(&d->worker->slab, ev->text->bytes);

    memcpy(text, ev->text, ev->text->bytes);
    if (cold->text != NULL)
        worker_bury(d->worker, d->seq, cold->text, cold->text->bytes);
    cold->text = text;
    cold->problem_et = ev->et_ms;
    cold->severity = ev->severity;
}

/* The i-th newest change, 0 the newest. */
static int64_t change_at(const struct alert_cold *cold, unsigned i, unsigned max)
{
    if (cold->changes == NULL)
        return cold->first_change;
    return cold->changes[(cold->change_next + max - 1 - i) % max];
}

static void change_record(struct dedup *d, struct alert_cold *cold, int64_t et_ms)
{
    unsigned max = d->config->flap_start;

    if (max == 0)
        return; /* flap detection is off */
    if (cold->change_count == 0 && max > 1) {
        cold->first_change = et_ms; /* most alerts open once and expire: no ring for them */
        cold->change_count = 1;
        return;
    }
    if (cold->changes == NULL) {
        cold->changes = slab_alloc(&d->worker->slab, max * sizeof(int64_t));
        cold->change_next = 0;
        if (cold->change_count == 1)
            cold->changes[cold->change_next++] = cold->first_change;
    }
    cold->changes[cold->change_next] = et_ms;
    cold->change_next = (uint16_t)((cold->change_next + 1) % max);
    if (cold->change_count < max)
        cold->change_count++;
}

/* When flapping ends if nothing more changes. */
static int64_t flap_end(const struct dedup *d, const struct alert_cold *cold)
{
    return change_at(cold, d->config->flap_stop, d->config->flap_start) + d->config->flap_window_ms;
}

static void timer_push(struct alert_lane *lane, const struct alert_slot *slot,
                       enum alert_timer kind, int64_t due_ms)
{
    uint32_t number = alert_slot_cold(slot);

    timer_heap_push(&lane->timers,
                    (struct timer){.due_ms = due_ms,
                                   .owner = number,
                                   .generation = alert_cold(lane, number)->generation,
                                   .kind = (uint16_t)kind});
}

/* Rules of flapping alerts are told that it has begun. Their routes are apart: others do not
 * know of flapping. */
static void flap_tell(struct dedup *d, const struct order *order, struct alert_cold *cold)
{
    const struct worker *worker = d->worker;

    if (!d->rules->takes_flapping)
        return;
    match_input(d, cold->text, cold->severity, order->at_ms, is_of_flapping);
    size_t bytes = worker->routes.count * sizeof(struct route);
    if (bytes == 0)
        return;
    cold->flap_routes = slab_alloc(&d->worker->slab, bytes);
    memcpy(cold->flap_routes, worker->routes.at, bytes);
    cold->flap_route_count = (uint16_t)worker->routes.count;
    for (unsigned i = 0; i < cold->flap_route_count; i++)
        emit(d, *order, &cold->flap_routes[i], TOUCH_RAISE, cold, cold->text);
}

/* And that it is over. */
static void flap_tell_end(struct dedup *d, const struct order *order, struct alert_cold *cold,
                          enum touch_kind kind)
{
    for (unsigned i = 0; i < cold->flap_route_count; i++)
        emit(d, *order, &cold->flap_routes[i], kind, cold, cold->text);
    slab_free(&d->worker->slab, cold->flap_routes, cold->flap_route_count * sizeof(struct route));
    cold->flap_routes = NULL;
    cold->flap_route_count = 0;
}

/* After a recorded change: begins flapping, or moves its end. */
static void flap_look(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                      struct alert_cold *cold, const struct order *order)
{
    unsigned start = d->config->flap_start;

    if (start == 0)
        return;
    if ((slot->bits & ALERT_FLAPPING) != 0) {
        cold->flap_end_ms = flap_end(d, cold); /* its timer is a lower bound */
        return;
    }
    if (cold->change_count < start ||
        change_at(cold, start - 1, start) <= order->at_ms - d->config->flap_window_ms)
        return;
    slot->bits |= ALERT_FLAPPING;
    cold->flap_end_ms = flap_end(d, cold);
    timer_push(lane, slot, ALERT_TIMER_FLAP, cold->flap_end_ms);
    tally_add(&d->worker->tally.flap_begun, 1);
    tally_add(&d->worker->flapping, 1);
    flap_tell(d, order, cold);
}

static void flap_clear(struct dedup *d, struct alert_slot *slot)
{
    if ((slot->bits & ALERT_FLAPPING) != 0) {
        slot->bits &= ~(uint32_t)ALERT_FLAPPING;
        tally_add(&d->worker->tally.flap_ended, 1);
        tally_add(&d->worker->flapping, UINT64_MAX); /* minus one, modulo 2^64 */
    }
}

/* --- what the rules are told --------------------------------------------------------- */

/* The alert is told as open with fresh routes: RAISE to all. */
static void tell_open(struct dedup *d, const struct order *order, struct alert_slot *slot,
                      struct alert_cold *cold, const struct event_text *text)
{
    match(d, text, cold->severity, cold->problem_et);
    routes_store(d, slot, cold);
    emit_all(d, order, cold, TOUCH_RAISE, text);
    cold->told_open = true;
    cold->told_attr = slot->attr_hash;
}

static void tell_closed(struct dedup *d, const struct order *order, struct alert_slot *slot,
                        struct alert_cold *cold, const struct event_text *text)
{
    emit_all(d, order, cold, TOUCH_CLEAR, text);
    cold->told_open = false;
    cold->route_count = 0;
    slot->bits &= ~(uint32_t)ALERT_EVENT_ROUTES;
}

/* worker->routes have been matched: the difference to the alert's. A route that holds still gets
 * `held`: a CHANGE, or, where only the rules are new, what a repeat brings. True if any touch
 * was made. */
static bool tell_changed(struct dedup *d, const struct order *order, struct alert_slot *slot,
                         struct alert_cold *cold, const struct event_text *text,
                         enum touch_kind held)
{
    const struct route *fresh = d->worker->routes.at;
    size_t fresh_count = d->worker->routes.count;
    uint64_t before = d->touches;

    for (unsigned i = 0; i < cold->route_count; i++)
        if (!route_in(&cold->routes[i], fresh, fresh_count))
            emit(d, *order, &cold->routes[i], TOUCH_CLEAR, cold, text);
    for (size_t i = 0; i < fresh_count; i++) {
        if (!route_in(&fresh[i], cold->routes, cold->route_count))
            emit(d, *order, &fresh[i], TOUCH_RAISE, cold, text);
        else if (held != TOUCH_REPEAT || takes_events(d, &fresh[i]))
            emit(d, *order, &fresh[i], held, cold, text);
    }
    routes_store(d, slot, cold);
    cold->told_attr = slot->attr_hash;
    return d->touches > before;
}

/* --- timers --------------------------------------------------------------------------- */

static void trace_ended(const struct dedup *d, const struct alert_slot *slot,
                        const struct alert_cold *cold, enum trace_ending what, int64_t at_ms)
{
    if (d->trace == NULL || d->trace->ended == NULL)
        return;
    const struct trace_alert alert = {.what = what,
                                      .at_ms = at_ms,
                                      .alert = cold->fingerprint,
                                      .text = cold->text,
                                      .open = (slot->bits & ALERT_OPEN) != 0};
    d->trace->ended(d->trace->self, &alert);
}

static void flap_end_now(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                         int64_t at_ms)
{
    struct order order = alert_order(at_ms, ORDER_TIMER, cold->text);
    bool is_open = (slot->bits & ALERT_OPEN) != 0;

    trace_ended(d, slot, cold, TRACE_FLAP_ENDED, at_ms);
    flap_clear(d, slot);
    flap_tell_end(d, &order, cold, TOUCH_CLEAR);
    if (cold->told_open && !is_open) {
        tell_closed(d, &order, slot, cold, cold->text);
    } else if (!cold->told_open && is_open) {
        tell_open(d, &order, slot, cold, cold->text);
    } else if (is_open && cold->told_attr != slot->attr_hash) {
        match(d, cold->text, cold->severity, cold->problem_et);
        tell_changed(d, &order, slot, cold, cold->text, TOUCH_CHANGE);
    }
}

/* The alert is over. Its slot and cold record stay for whoever called. */
static void expire_now(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                       int64_t at_ms)
{
    struct order order = alert_order(at_ms, ORDER_TIMER, cold->text);

    trace_ended(d, slot, cold, TRACE_EXPIRED, at_ms);
    flap_clear(d, slot);
    flap_tell_end(d, &order, cold, TOUCH_CLEAR);
    if (cold->route_count > 0)
        tell_closed(d, &order, slot, cold, cold->text);
    if ((slot->bits & ALERT_OPEN) != 0)
        tally_add(&d->worker->tally.alerts_expired, 1);
}

/* Frees what a cold record holds; words wait for the end of the step. */
static void cold_clear(struct dedup *d, struct alert_cold *cold)
{
    struct slab *slab = &d->worker->slab;

    if (cold->text != NULL)
        worker_bury(d->worker, d->seq, cold->text, cold->text->bytes);
    slab_free(slab, cold->routes, cold->route_room * sizeof(struct route));
    slab_free(slab, cold->changes, d->config->flap_start * sizeof(int64_t));
    *cold = (struct alert_cold){.fingerprint = cold->fingerprint, .generation = cold->generation};
}

static void alert_drop(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot)
{
    cold_clear(d, alert_cold(lane, alert_slot_cold(slot)));
    alert_remove(lane, slot);
    tally_add(&d->worker->alerts, UINT64_MAX);
}

/* The alert's own timers that are due at or before `et_ms`. True if it is over. */
static bool timers_run(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                       int64_t et_ms)
{
    int64_t over_ms = alert_slot_last(slot, et_ms) + d->config->expire_ms;

    if ((slot->bits & ALERT_FLAPPING) != 0 && cold->flap_end_ms <= et_ms &&
        cold->flap_end_ms < over_ms)
        flap_end_now(d, slot, cold, cold->flap_end_ms);
    if (over_ms > et_ms)
        return false;
    expire_now(d, slot, cold, over_ms);
    return true;
}

/* What is due in a lane before the end of the step. */
static void lane_timers_run(struct dedup *d, struct alert_lane *lane)
{
    int64_t end_ms = d->step->to_ms;

    while (timer_heap_due(&lane->timers) < end_ms) {
        struct timer timer = timer_heap_pop(&lane->timers);
        struct alert_cold *cold = alert_cold(lane, timer.owner);
        if (cold->generation != timer.generation)
            continue; /* of an alert that is gone */
        struct alert_slot *slot = alert_find(lane, cold->fingerprint);
        assert(slot != NULL);
        /* Times relative to the step's end: every `last` lies before it. */
        int64_t over_ms = alert_slot_last(slot, end_ms) + d->config->expire_ms;
        if (timer.kind == ALERT_TIMER_FLAP) {
            if ((slot->bits & ALERT_FLAPPING) == 0)
                continue; /* it has ended */
            /* Later than this step, `last` may have moved and it does not expire first. */
            if (cold->flap_end_ms >= end_ms)
                timer_push(lane, slot, ALERT_TIMER_FLAP, cold->flap_end_ms);
            else if (cold->flap_end_ms < over_ms)
                flap_end_now(d, slot, cold, cold->flap_end_ms);
        } else if (over_ms >= end_ms) {
            timer_push(lane, slot, ALERT_TIMER_EXPIRE, over_ms);
        } else {
            if ((slot->bits & ALERT_FLAPPING) != 0 && cold->flap_end_ms < over_ms)
                flap_end_now(d, slot, cold, cold->flap_end_ms);
            expire_now(d, slot, cold, over_ms);
            alert_drop(d, lane, slot);
        }
    }
}

/* --- events ----------------------------------------------------------------------------- */

static void count_touched(struct dedup *d, bool touched)
{
    if (touched)
        d->routed++;
    else
        d->unmatched++;
}

static void count_folded(struct dedup *d)
{
    d->duplicate++;
    d->folded++;
}

static void open_alert(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                       struct alert_cold *cold, const struct event *ev)
{
    struct order order = event_order(d, ev);

    slot->attr_hash = ev->attr_hash;
    slot->bits |= ALERT_OPEN;
    text_store(d, cold, ev);
    change_record(d, cold, ev->et_ms);
    if ((slot->bits & ALERT_FLAPPING) != 0) {
        flap_look(d, lane, slot, cold, &order);
        count_folded(d);
        return;
    }
    tell_open(d, &order, slot, cold, ev->text);
    count_touched(d, cold->route_count > 0);
    flap_look(d, lane, slot, cold, &order);
}

static void repeat_alert(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                         const struct event *ev)
{
    struct order order = event_order(d, ev);

    bool told = (slot->bits & ALERT_FLAPPING) == 0 || cold->told_attr == slot->attr_hash;

    if ((slot->bits & ALERT_EVENT_ROUTES) == 0 || !told) {
        d->duplicate++;
        return;
    }
    for (unsigned i = 0; i < cold->route_count; i++)
        if (takes_events(d, &cold->routes[i]))
            emit(d, order, &cold->routes[i], TOUCH_REPEAT, cold, ev->text);
    d->routed++;
}

/* worker->routes are those of the alert. */
static bool routes_hold(const struct dedup *d, const struct alert_cold *cold)
{
    bool hold = d->worker->routes.count == cold->route_count;

    for (unsigned i = 0; hold && i < cold->route_count; i++)
        hold = route_equal(&d->worker->routes.at[i], &cold->routes[i]);
    return hold;
}

/* A problem event for an open alert. */
static void again_alert(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                        const struct event *ev)
{
    struct order order = event_order(d, ev);
    bool same = slot->attr_hash == ev->attr_hash;
    bool stale = (slot->bits & ALERT_STALE) != 0;
    bool flapping = (slot->bits & ALERT_FLAPPING) != 0;

    if (same && (flapping || !(stale || d->rules->reads_message))) {
        repeat_alert(d, slot, cold, ev);
        return;
    }
    if (flapping) {
        slot->attr_hash = ev->attr_hash;
        text_store(d, cold, ev);
        count_folded(d);
        return;
    }
    match(d, ev->text, ev->severity, ev->et_ms);
    if (same && routes_hold(d, cold)) {
        slot->bits &= ~(uint32_t)ALERT_STALE;
        repeat_alert(d, slot, cold, ev);
        return;
    }
    if (same && stale) {
        /* Nothing new happened but a switch: what an unchanged rule knows may not move, a
         * reload is no reason for its incidents to stay open longer. */
        if (tell_changed(d, &order, slot, cold, ev->text, TOUCH_REPEAT))
            d->routed++;
        else
            d->duplicate++;
        return;
    }
    slot->attr_hash = ev->attr_hash;
    text_store(d, cold, ev);
    count_touched(d, tell_changed(d, &order, slot, cold, ev->text, TOUCH_CHANGE));
}

static void close_alert(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                        struct alert_cold *cold, const struct event *ev)
{
    struct order order = event_order(d, ev);

    slot->bits &= ~(uint32_t)ALERT_OPEN;
    change_record(d, cold, ev->et_ms);
    if ((slot->bits & ALERT_FLAPPING) != 0) {
        flap_look(d, lane, slot, cold, &order);
        count_folded(d);
        return;
    }
    count_touched(d, cold->route_count > 0);
    tell_closed(d, &order, slot, cold, ev->text);
    tally_add(&d->worker->tally.alerts_cleared, 1);
    flap_look(d, lane, slot, cold, &order);
}

static void event_full(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                       const struct event *ev)
{
    struct alert_cold *cold = slot != NULL ? alert_cold(lane, alert_slot_cold(slot)) : NULL;

    if (slot != NULL && timers_run(d, slot, cold, ev->et_ms)) {
        if (ev->state == EVENT_CLEAR) {
            alert_drop(d, lane, slot);
            slot = NULL;
        } else {
            /* The old alert is over, a new one begins in its place; the heap entry stays. */
            cold_clear(d, cold);
            slot->bits &= ~(uint32_t)(ALERT_FLAGS | ALERT_COUNT_MAX << ALERT_COUNT_SHIFT);
            tally_add(&d->worker->tally.alerts_opened, 1);
            cold->count = 1;
            slot->last32 = (uint32_t)ev->et_ms;
            open_alert(d, lane, slot, cold, ev);
            return;
        }
    }
    if (slot == NULL) {
        if (ev->state == EVENT_CLEAR) {
            d->unmatched++;
            return;
        }
        slot = alert_add(lane, ev->fingerprint);
        cold = alert_cold(lane, alert_slot_cold(slot));
        cold->count = 1;
        slot->last32 = (uint32_t)ev->et_ms;
        timer_push(lane, slot, ALERT_TIMER_EXPIRE, ev->et_ms + d->config->expire_ms);
        tally_add(&d->worker->alerts, 1);
        tally_add(&d->worker->tally.alerts_opened, 1);
        open_alert(d, lane, slot, cold, ev);
        return;
    }
    slot->last32 = (uint32_t)ev->et_ms;
    cold->count++;
    if (ev->state == EVENT_CLEAR) {
        if ((slot->bits & ALERT_OPEN) != 0)
            close_alert(d, lane, slot, cold, ev);
        else
            d->duplicate++;
    } else if ((slot->bits & ALERT_OPEN) != 0) {
        again_alert(d, slot, cold, ev);
    } else {
        tally_add(&d->worker->tally.alerts_refired, 1);
        open_alert(d, lane, slot, cold, ev);
    }
}

/* --- for somebody who asks why ------------------------------------------------------------ */

/* What an event for this alert comes to, told from what it finds. */
static enum trace_outcome outcome_of(const struct event *ev, bool exists, bool open, bool matched)
{
    if (ev->state == EVENT_CLEAR)
        return !exists ? TRACE_CLEAR_OF_NONE : open ? TRACE_CLEARED : TRACE_CLEAR_OF_CLOSED;
    return !exists ? TRACE_NEW : !open ? TRACE_REFIRED : matched ? TRACE_CHANGED : TRACE_REPEATED;
}

/* event_full(), and what it did told from the outside: results cannot depend on it. */
static void event_traced(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                         const struct event *ev)
{
    const struct part *part = d->worker->engine->parts[ev->part];
    struct trace_decision decision = {.event = ev,
                                      .topic = part->name,
                                      .partition = part->number,
                                      .expire_ms = ev->et_ms + d->config->expire_ms,
                                      .rules = d->rules};
    uint64_t duplicate = d->duplicate, unmatched = d->unmatched;
    bool exists = slot != NULL && alert_slot_last(slot, ev->et_ms) + d->config->expire_ms >
                                      ev->et_ms; /* else its timer comes first */
    bool open = exists && (slot->bits & ALERT_OPEN) != 0;
    bool flapping = exists && (slot->bits & ALERT_FLAPPING) != 0 &&
                    alert_cold(lane, alert_slot_cold(slot))->flap_end_ms > ev->et_ms;
    bool changed = exists && slot->attr_hash != ev->attr_hash;

    event_full(d, lane, slot, ev);
    decision.counted = d->duplicate > duplicate   ? TRACE_DUPLICATE
                       : d->unmatched > unmatched ? TRACE_UNMATCHED
                                                  : TRACE_ROUTED;
    decision.outcome = outcome_of(ev, exists, open, changed);
    slot = alert_find(lane, ev->fingerprint);
    if (slot != NULL) {
        const struct alert_cold *cold = alert_cold(lane, alert_slot_cold(slot));
        decision.flapping = flapping;
        decision.flap_begun = !flapping && (slot->bits & ALERT_FLAPPING) != 0;
        decision.calm_ms = cold->flap_end_ms;
        decision.routes = cold->routes;
        decision.route_count = cold->route_count;
    }
    if (d->trace->decided != NULL)
        d->trace->decided(d->trace->self, &decision);
}

/* --- the phase ------------------------------------------------------------------------- */

/* Collects the worker's events of the step and sorts them by (et, partition, offset, sub). */
static size_t batch_collect(struct worker *worker, const struct step *step)
{
    struct engine *engine = worker->engine;
    size_t count = 0;

    worker->batch.count = worker->sort_key.count = 0;
    for (unsigned t = 0; t <= engine->worker_count; t++) {
        int64_t reach;
        const struct bins *bins = engine_bins(engine, t, &reach);
        int64_t to = reach < step->epoch_to ? reach : step->epoch_to;
        for (int64_t e = step->epoch_from; step->events > 0 && e < to; e++) {
            const struct bin_slot *slot = bins_slot(bins, e);
            if (slot->epoch != e)
                continue;
            for (const struct event_chunk *c = slot->worker[worker->index].first; c != NULL;
                 c = c->next) {
                vector_reserve(&worker->batch, c->count);
                vector_reserve(&worker->sort_key, c->count);
                for (uint32_t i = 0; i < c->count; i++) {
                    const struct event *ev = &c->event[i];
                    const struct part *part = engine->parts[ev->part];
                    /* relaxed: written before the step was published (S). */
                    if (e >= atomic_load_explicit(&part->left_epoch, memory_order_relaxed)) {
                        tally_add(&worker->tally.left_events, 1);
                        continue;
                    }
                    uint64_t time = (uint64_t)(ev->et_ms - step->from_ms);
                    uint64_t rank = step->rank[ev->part];
                    assert(count < (size_t)1 << INDEX_BITS);
                    worker->sort_key.at[count] =
                        (time << RANK_BITS | rank) << INDEX_BITS | (uint64_t)count;
                    worker->batch.at[count++] = ev;
                    worker->batch.count = worker->sort_key.count = count;
                }
            }
        }
    }
    worker->sort_scratch.count = 0;
    vector_reserve(&worker->sort_scratch, count);
    sort_keys(worker->sort_key.at, worker->sort_scratch.at, count, INDEX_BITS);
    return count;
}

static void batch_run(struct dedup *d, size_t count)
{
    struct worker *worker = d->worker;
    struct alert_lane *lanes = worker->engine->alert_lanes;
    const struct event **batch = worker->batch.at;
    const uint64_t *key = worker->sort_key.at;
    const uint64_t index_mask = ((uint64_t)1 << INDEX_BITS) - 1;
    const uint32_t expire = (uint32_t)d->config->expire_ms;
    const bool traced = d->trace != NULL, takes_all = d->rules->takes_all;
    /* With a tracer nothing is straight: no flags are equal to this. */
    const uint32_t straight = d->rules->reads_message || traced ? UINT32_MAX : ALERT_OPEN;
    uint64_t duplicate = 0;

    for (size_t i = 0; i < count && i < PREFETCH_AHEAD; i++) {
        const struct event *ev = batch[key[i] & index_mask];
        alert_prefetch(&lanes[ev->lane], ev->fingerprint);
    }
    for (size_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count) {
            const struct event *ahead = batch[key[i + PREFETCH_AHEAD] & index_mask];
            alert_prefetch(&lanes[ahead->lane], ahead->fingerprint);
        }
        const struct event *ev = batch[key[i] & index_mask];
        struct alert_lane *lane = &lanes[ev->lane];
        struct alert_slot *slot = alert_find(lane, ev->fingerprint);
        if (takes_all)
            beat(d, ev);
        /* The straight line: a repeat of an open, calm alert that no rule wants to see. */
        if (slot != NULL && ev->state == EVENT_PROBLEM && slot->attr_hash == ev->attr_hash &&
            (slot->bits & ALERT_FLAGS) == straight &&
            (uint32_t)((uint32_t)ev->et_ms - slot->last32) < expire) {
            slot->last32 = (uint32_t)ev->et_ms;
            if ((slot->bits >> ALERT_COUNT_SHIFT & ALERT_COUNT_MAX) == ALERT_COUNT_MAX) {
                alert_cold(lane, alert_slot_cold(slot))->count += ALERT_COUNT_MAX + 1;
                slot->bits &= ~(uint32_t)(ALERT_COUNT_MAX << ALERT_COUNT_SHIFT);
            } else {
                slot->bits += 1u << ALERT_COUNT_SHIFT;
            }
            duplicate++;
            continue;
        }
        if (traced)
            event_traced(d, lane, slot, ev);
        else
            event_full(d, lane, slot, ev);
    }
    d->duplicate += duplicate;
}

/* After a switch every alert is to be matched anew at its next event. */
static void lane_stale(struct alert_lane *lane, uint32_t generation)
{
    for (uint32_t i = 0; i <= lane->mask; i++)
        if (lane->slots[i].bits != 0)
            lane->slots[i].bits |= ALERT_STALE;
    lane->generation = generation;
}

static void tally_store(struct dedup *d)
{
    struct tally *tally = &d->worker->tally;

    tally_add(&tally->duplicate, d->duplicate);
    tally_add(&tally->unmatched, d->unmatched);
    tally_add(&tally->routed, d->routed);
    tally_add(&tally->touches, d->touches);
    tally_add(&tally->flap_folded, d->folded);
}

static struct dedup dedup_begin(struct worker *worker, uint64_t seq, const struct step *step)
{
    return (struct dedup){.worker = worker,
                          .config = &worker->engine->config,
                          .step = step,
                          .rules = step->rules,
                          .trace = worker->engine->listener.trace,
                          .seq = seq};
}

void dedup_phase(struct worker *worker, uint64_t seq, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct dedup d = dedup_begin(worker, seq, step);

    /* The step that used this place before is done (F): what it pointed at may go. */
    struct remains *remains = worker->remains[seq & (STEPS - 1)].at;
    for (size_t i = 0; i < worker->remains[seq & (STEPS - 1)].count; i++)
        slab_free(&worker->slab, remains[i].block, remains[i].bytes);
    worker->remains[seq & (STEPS - 1)].count = 0;
    for (unsigned w = 0; w < engine->worker_count; w++)
        worker->touches_out[seq & (STEPS - 1)][w].count = 0;
    worker->changes[seq & (STEPS - 1)].count = 0;
    worker->joins[seq & (STEPS - 1)].count = 0;
    worker->lost.count = worker->given_up.count = 0;
    worker->match.count = 0;
    vector_reserve(&worker->match, step->rules->rule_count);

    for (unsigned lane = worker->index; lane < LANES; lane += engine->worker_count)
        if (engine->alert_lanes[lane].generation != step->rules->generation)
            lane_stale(&engine->alert_lanes[lane], step->rules->generation);
    size_t count = batch_collect(worker, step);
    batch_run(&d, count);
    for (unsigned lane = worker->index; lane < LANES; lane += engine->worker_count)
        lane_timers_run(&d, &engine->alert_lanes[lane]);
    tally_add(&worker->tally.closed_events, count);
    tally_store(&d);
    /* relaxed: published by the end of the phase (T). */
    atomic_store_explicit(&worker->alerts_at_phase, tally_get(&worker->alerts),
                          memory_order_relaxed);
}

/* --- the bound (X4) ---------------------------------------------------------------------- */

static uint64_t excess(const struct engine *engine)
{
    uint64_t alerts = 0;

    for (unsigned w = 0; w < engine->worker_count; w++)
        alerts += atomic_load_explicit(&engine->workers[w].alerts_at_phase, memory_order_relaxed);
    return alerts > engine->config.alerts_max ? alerts - engine->config.alerts_max : 0;
}

static int candidate_order(const void *a, const void *b)
{
    const struct alert_candidate *x = a, *y = b;

    if (x->last_ms != y->last_ms)
        return x->last_ms < y->last_ms ? -1 : 1;
    return identity_compare(x->identity, y->identity);
}

/*
 * Every alert has one expiry entry in its lane's heap, due at or before last +
 * expire: popping the heaps gives the alerts by `last` without another index.
 * Entries of candidates that stay are pushed back by the next phase.
 */
void dedup_candidates_phase(struct worker *worker, const struct step *step)
{
    struct engine *engine = worker->engine;
    uint64_t wanted = excess(engine);
    VECTOR_OF(struct timer) aside = {0};

    worker->alert_candidates.count = 0;
    while (wanted > 0) {
        struct alert_lane *lane = NULL;
        unsigned lane_number = 0;
        for (unsigned l = worker->index; l < LANES; l += engine->worker_count) {
            struct alert_lane *at = &engine->alert_lanes[l];
            if (lane == NULL || timer_heap_due(&at->timers) < timer_heap_due(&lane->timers)) {
                lane = at;
                lane_number = l;
            }
        }
        size_t have = worker->alert_candidates.count;
        if (lane == NULL || timer_heap_due(&lane->timers) == INT64_MAX)
            break;
        /* All of one `last` are needed: the identity decides among them. */
        if (have >= wanted &&
            timer_heap_due(&lane->timers) >
                worker->alert_candidates.at[have - 1].last_ms + engine->config.expire_ms)
            break;
        struct timer timer = timer_heap_pop(&lane->timers);
        struct alert_cold *cold = alert_cold(lane, timer.owner);
        if (cold->generation != timer.generation)
            continue;
        struct alert_slot *slot = alert_find(lane, cold->fingerprint);
        if (timer.kind == ALERT_TIMER_FLAP) {
            vector_add(&aside) = timer;
            aside.at[aside.count - 1].kind = (uint16_t)lane_number; /* kept for the way back */
            continue;
        }
        int64_t last_ms = alert_slot_last(slot, step->to_ms);
        if (last_ms + engine->config.expire_ms > timer.due_ms) {
            timer_push(lane, slot, ALERT_TIMER_EXPIRE, last_ms + engine->config.expire_ms);
            continue;
        }
        vector_add(&worker->alert_candidates) =
            (struct alert_candidate){.last_ms = last_ms,
                                     .identity = cold->text,
                                     .cold = timer.owner,
                                     .lane = (uint8_t)lane_number};
    }
    for (size_t i = 0; i < aside.count; i++) {
        struct timer timer = aside.at[i];
        struct alert_lane *lane = &engine->alert_lanes[timer.kind];
        timer.kind = ALERT_TIMER_FLAP;
        timer_heap_push(&lane->timers, timer);
    }
    free(aside.at);
    if (worker->alert_candidates.count > 0)
        qsort(worker->alert_candidates.at, worker->alert_candidates.count,
              sizeof(struct alert_candidate), candidate_order);
}

static void evict(struct dedup *d, const struct alert_candidate *candidate)
{
    struct alert_lane *lane = &d->worker->engine->alert_lanes[candidate->lane];
    struct alert_cold *cold = alert_cold(lane, candidate->cold);
    struct alert_slot *slot = alert_find(lane, cold->fingerprint);

    struct order order = alert_order(d->step->to_ms, ORDER_ROUND_END, cold->text);

    trace_ended(d, slot, cold, TRACE_ALERT_EVICTED, d->step->to_ms);
    flap_clear(d, slot);
    flap_tell_end(d, &order, cold, TOUCH_EVICT);
    emit_all(d, &order, cold, TOUCH_EVICT, cold->text);
    alert_drop(d, lane, slot);
    tally_add(&d->worker->tally.alerts_evicted, 1);
}

void dedup_evict_phase(struct worker *worker, uint64_t seq, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct dedup d = dedup_begin(worker, seq, step);
    uint64_t wanted = excess(engine);
    size_t at[WORKERS_MAX] = {0};

    /* Every worker merges all lists, and so comes to the same cut, and acts on its own. */
    for (; wanted > 0; wanted--) {
        const struct alert_candidate *least = NULL;
        unsigned least_worker = 0;
        for (unsigned w = 0; w < engine->worker_count; w++) {
            const struct worker *other = &engine->workers[w];
            if (at[w] == other->alert_candidates.count)
                continue;
            const struct alert_candidate *c = &other->alert_candidates.at[at[w]];
            if (least == NULL || candidate_order(c, least) < 0) {
                least = c;
                least_worker = w;
            }
        }
        if (least == NULL)
            break;
        at[least_worker]++;
        if (least_worker == worker->index)
            evict(&d, least);
    }
    for (size_t i = at[worker->index]; i < worker->alert_candidates.count; i++) {
        const struct alert_candidate *stays = &worker->alert_candidates.at[i];
        struct alert_lane *lane = &engine->alert_lanes[stays->lane];
        struct alert_slot *slot = alert_find(lane, alert_cold(lane, stays->cold)->fingerprint);
        timer_push(lane, slot, ALERT_TIMER_EXPIRE, stays->last_ms + engine->config.expire_ms);
    }
    tally_store(&d);
}

/* dedup_tell.c - which rules an alert is told to, and what: routes and touches. See dedup_parts.h.
 */
#include "correlate/dedup_parts.h"

#include <string.h>
#include "base/hash.h"

/* Which steps of a rule made of steps the event is: here, where its own et is known, because of
 * `age`. What a timer tells is what the alert was. */
static uint8_t steps_of(const struct rule *rule, const struct order *order,
                        const struct alert_cold *cold, struct told told)
{
    const struct event_view view = {.text = told.text,
                                    .severity = told.severity,
                                    .state = EVENT_PROBLEM,
                                    .et_ms = order->class == ORDER_EVENT ? order->at_ms
                                                                         : cold->problem_et};

    return (uint8_t)rule_steps(rule, &view);
}

void dedup_emit(struct dedup *d, struct order order, const struct route *route,
                enum touch_kind kind, const struct alert_cold *cold, struct told told)
{
    const struct rule_slot *slot = &d->rules->slots[route->slot];
    struct worker *worker = d->worker;
    unsigned to = lane_owner(worker->engine, route->lane);
    struct touch_list *out = &worker->touches_out[d->seq & (STEPS - 1)][to];
    bool has_steps = slot->has_steps && kind <= TOUCH_REPEAT;

    order.rule = slot->order;
    order.second = kind != TOUCH_CLEAR;
    vector_add(out) =
        (struct touch){.order = order,
                       .key = route->key,
                       .alert = cold->fingerprint,
                       .text = told.text,
                       .slot = route->slot,
                       .kind = (uint8_t)kind,
                       .severity = told.severity,
                       .lane = route->lane,
                       .steps = has_steps ? steps_of(slot->rule, &order, cold, told) : 0};
    d->touches++;
}

void dedup_emit_all(struct dedup *d, const struct order *order, const struct alert_cold *cold,
                    enum touch_kind kind, const struct event_text *text)
{
    for (unsigned i = 0; i < cold->route_count; i++)
        dedup_emit(d, *order, &cold->routes[i], kind, cold, (struct told){text, cold->severity});
}

/* --- matching ----------------------------------------------------------------------- */

static struct route route_make(const struct dedup *d, uint32_t index, const struct event_view *view)
{
    const struct rule *rule = rule_set_rule(d->rules->set, index);
    uint32_t slot = d->rules->slot_of[index];
    struct text value[RULE_BY_MAX];

    __builtin_prefetch(&d->rules->slots[slot]); /* for dedup_emit() */
    rule_by_values(rule, view, value);
    struct id128 key = key_id(d->rules->family_of[index], d->config->seed, value, rule->by_count);
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

static bool is_of_incidents(enum rule_input input)
{
    return input == RULE_INPUT_INCIDENTS;
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
        if (takes(d->rules->input_of[worker->match.at[i]]))
            worker->routes.at[worker->routes.count++] = route_make(d, worker->match.at[i], &view);
}

void dedup_match(struct dedup *d, const struct alert_slot *slot, const struct event_text *text,
                 uint8_t severity, int64_t et_ms)
{
    bool is_incident = (slot->bits & ALERT_INCIDENT) != 0;

    match_input(d, text, severity, et_ms, is_incident ? is_of_incidents : is_of_alerts);
}

void dedup_match_flapping(struct dedup *d, const struct event_text *text, uint8_t severity,
                          int64_t et_ms)
{
    match_input(d, text, severity, et_ms, is_of_flapping);
}

void dedup_beat(struct dedup *d, const struct event *ev)
{
    struct worker *worker = d->worker;
    const struct event_view view = {
        .text = ev->text, .severity = ev->severity, .state = ev->state, .et_ms = ev->et_ms};
    size_t count = rule_set_match(d->rules->set, &view, worker->match.at, worker->match.room);

    for (size_t i = 0; i < count; i++) {
        if (d->rules->input_of[worker->match.at[i]] != RULE_INPUT_ALL)
            continue;
        struct route route = route_make(d, worker->match.at[i], &view);
        struct touch_list *out =
            &worker->touches_out[d->seq & (STEPS - 1)][lane_owner(worker->engine, route.lane)];
        struct order order = dedup_event_order(d, ev);
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

bool dedup_takes_events(const struct dedup *d, const struct route *route)
{
    return d->rules->slots[route->slot].input == RULE_INPUT_EVENTS;
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

/* It led to the same key as another form of the rule has it. */
static bool is_moved(const struct route *route, const struct route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (routes[i].slot != route->slot && id128_equal(routes[i].key, route->key))
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
        if (dedup_takes_events(d, &cold->routes[i]))
            slot->bits |= ALERT_EVENT_ROUTES;
}

void dedup_tell_open(struct dedup *d, const struct order *order, struct alert_slot *slot,
                     struct alert_cold *cold, const struct event_text *text)
{
    dedup_match(d, slot, text, cold->severity, cold->problem_et);
    routes_store(d, slot, cold);
    dedup_emit_all(d, order, cold, TOUCH_RAISE, text);
    cold->told_open = true;
    cold->told_attr = slot->attr_hash;
}

void dedup_tell_closed(struct dedup *d, const struct order *order, struct alert_slot *slot,
                       struct alert_cold *cold, const struct event_text *text)
{
    dedup_emit_all(d, order, cold, TOUCH_CLEAR, text);
    cold->told_open = false;
    cold->route_count = 0;
    slot->bits &= ~(uint32_t)ALERT_EVENT_ROUTES;
}

bool dedup_tell_changed(struct dedup *d, const struct order *order, struct alert_slot *slot,
                        struct alert_cold *cold, struct told told, enum touch_kind held)
{
    const struct route *fresh = d->worker->routes.at;
    size_t fresh_count = d->worker->routes.count;
    uint64_t before = d->touches;

    for (unsigned i = 0; i < cold->route_count; i++)
        if (!route_in(&cold->routes[i], fresh, fresh_count) &&
            !is_moved(&cold->routes[i], fresh, fresh_count))
            dedup_emit(d, *order, &cold->routes[i], TOUCH_CLEAR, cold, told);
    for (size_t i = 0; i < fresh_count; i++) {
        if (!route_in(&fresh[i], cold->routes, cold->route_count))
            dedup_emit(d, *order, &fresh[i],
                       is_moved(&fresh[i], cold->routes, cold->route_count) ? TOUCH_MOVE
                                                                            : TOUCH_RAISE,
                       cold, told);
        else if (dedup_takes_events(d, &fresh[i]))
            dedup_emit(d, *order, &fresh[i], TOUCH_REPEAT, cold, told); /* one more event */
        else if (held != TOUCH_REPEAT)
            dedup_emit(d, *order, &fresh[i], held, cold, told);
    }
    routes_store(d, slot, cold);
    cold->told_attr = slot->attr_hash;
    return d->touches > before;
}

bool dedup_routes_hold(const struct dedup *d, const struct alert_cold *cold)
{
    bool hold = d->worker->routes.count == cold->route_count;

    for (unsigned i = 0; hold && i < cold->route_count; i++)
        hold = route_equal(&d->worker->routes.at[i], &cold->routes[i]);
    return hold;
}

/*
 * rules_switch.c - see rules_switch.h.
 */
#include "correlate/rules_switch.h"

#include <stdlib.h>
#include "correlate/mark.h"
#include "correlate/recovery.h"
#include "correlate/rules_retire.h"

static void prepare(struct engine *engine, struct rule_set *set, const struct engine_terms *terms,
                    int64_t epoch)
{
    engine->pending_rules =
        rules_version_create(set, terms, engine->newest_rules, engine->worker_count);
    /* C, release end: the version is complete. */
    atomic_store_explicit(&engine->shown_rules, engine->pending_rules, memory_order_release);
    engine->pending_epoch = epoch;
}

void rules_switch_poll(struct engine *engine)
{
    if (engine->pending_rules != NULL || rules_retire_is_ending(engine) ||
        recovery_is_under_way(engine) ||
        atomic_load_explicit(&engine->switch_request, memory_order_relaxed) == NULL)
        return;
    /* X, acquire end: the set is complete. */
    struct switch_wish *wish =
        atomic_exchange_explicit(&engine->switch_request, NULL, memory_order_acquire);
    int64_t per_round = (int64_t)(engine->config.round_ms / engine->config.epoch_ms);
    int64_t highest = engine->planned_epoch != INT64_MIN ? engine->planned_epoch - 1 : INT64_MIN;

    for (unsigned w = 0; w < engine->worker_count; w++) {
        /* relaxed: an event binned in this moment may use either set; the mark says which. */
        int64_t at = atomic_load_explicit(&engine->workers[w].highest_bin, memory_order_relaxed);
        highest = at > highest ? at : highest;
    }
    prepare(engine, wish->set, wish->has_terms ? &wish->terms : &engine->newest_rules->terms,
            highest == INT64_MIN ? INT64_MIN : (floor_div(highest, per_round) + 1) * per_round);
    free(wish);
}

static void put_in_force(struct engine *engine, int64_t from)
{
    const int64_t from_ms = from * (int64_t)engine->config.epoch_ms;

    if (!engine_terms_equal(&engine->pending_rules->terms, &engine->newest_rules->terms))
        engine->pending_rules->terms_from_ms = from_ms;
    rules_retire_add(engine, engine->newest_rules);
    engine->newest_rules = engine->pending_rules;
    engine->pending_rules = NULL;
    engine->newest_rules->from_ms = from_ms;
    if (engine->listener.switched != NULL)
        engine->listener.switched(engine->listener.self, engine->newest_rules->set,
                                  &engine->newest_rules->terms, from_ms);
    mark_tell(engine, &(struct mark){.kind = MARK_SWITCH, .value_ms = from_ms});
}

struct rules_version *rules_switch_at(struct engine *engine, int64_t from, int64_t *closed)
{
    int64_t before = recovery_switch_epoch(engine);

    while (before <= from) {
        struct engine_terms terms = engine->newest_rules->terms;
        struct rule_set *set = recovery_switch_rules(engine, &terms);
        if (set == NULL)
            return NULL;
        prepare(engine, set, &terms, from);
        put_in_force(engine, from);
        before = recovery_switch_epoch(engine);
    }
    if (engine->pending_rules != NULL && from >= engine->pending_epoch)
        put_in_force(engine, from);
    if (engine->pending_rules != NULL && engine->pending_epoch < before)
        before = engine->pending_epoch;
    if (*closed > before)
        *closed = before;
    return engine->newest_rules;
}

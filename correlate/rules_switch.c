/*
 * rules_switch.c - see rules_switch.h.
 */
#include "correlate/rules_switch.h"

#include "correlate/mark.h"
#include "correlate/rules_retire.h"

void rules_switch_poll(struct engine *engine)
{
    if (engine->pending_rules != NULL || rules_retire_is_ending(engine) ||
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
    /* C, release end: the version is complete. */
    atomic_store_explicit(&engine->shown_rules, engine->pending_rules, memory_order_release);
    engine->pending_epoch =
        highest == INT64_MIN ? INT64_MIN : (floor_div(highest, per_round) + 1) * per_round;
}

struct rules_version *rules_switch_at(struct engine *engine, int64_t from, int64_t *closed)
{
    if (engine->pending_rules == NULL)
        return engine->newest_rules;
    if (from >= engine->pending_epoch) {
        rules_retire_add(engine, engine->newest_rules);
        engine->newest_rules = engine->pending_rules;
        engine->pending_rules = NULL;
        engine->newest_rules->from_ms = from * (int64_t)engine->config.epoch_ms;
        mark_tell(engine, &(struct mark){.kind = MARK_SWITCH,
                                         .value_ms = from * (int64_t)engine->config.epoch_ms});
    } else if (*closed > engine->pending_epoch) {
        *closed = engine->pending_epoch;
    }
    return engine->newest_rules;
}

/*
 * recovery.c - see recovery.h.
 */
#include "correlate/recovery.h"

#include "correlate/away.h"
#include "correlate/part.h"

/* The largest that divides both. */
static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

unsigned recovery_epoch_ms(const struct engine_config *config)
{
    const struct engine_recovery *recovery = &config->recovery;
    int64_t epoch_ms = config->epoch_ms;

    if (recovery->is_wanted && recovery->until_ms != INT64_MIN)
        epoch_ms = common_divisor(epoch_ms, recovery->until_ms);
    return (unsigned)common_divisor(epoch_ms, recovery->image_epoch_ms);
}

void recovery_load(struct engine *engine)
{
    const struct engine_recovery *recovery = &engine->config.recovery;

    engine->recover_epoch = INT64_MIN;
    if (!recovery->is_wanted)
        return;
    if (recovery->until_ms != INT64_MIN)
        engine->recover_epoch = floor_div(recovery->until_ms, (int64_t)engine->config.epoch_ms);
    if (recovery->n_ms > engine->wall_at_start)
        engine->wall_at_start = recovery->n_ms;
}

int64_t recovery_switch_epoch(const struct engine *engine)
{
    const struct engine_recovery *recovery = &engine->config.recovery;

    return engine->switch_at < recovery->switch_count
               ? floor_div(recovery->switch_ms[engine->switch_at], (int64_t)engine->config.epoch_ms)
               : INT64_MAX;
}

struct rule_set *recovery_switch_rules(struct engine *engine, struct engine_terms *terms)
{
    struct rule_set *set =
        engine->listener.rules_before(engine->listener.self, engine->switch_at++, terms);

    engine->is_stuck = set == NULL;
    return set;
}

int64_t recovery_join(const struct engine *engine, const struct part *part, int64_t *wm)
{
    const struct engine_recovery *recovery = &engine->config.recovery;

    if (!recovery->is_wanted)
        return INT64_MIN;
    if (part->id <= recovery->read_count)
        return recovery->read[part->id - 1];
    if (recovery->until_ms > *wm)
        *wm = recovery->until_ms;
    return INT64_MIN;
}

void recovery_check(struct engine *engine)
{
    for (unsigned i = 1; engine->recover_epoch != INT64_MIN && !engine->short_told &&
                         engine->listener.short_of != NULL && i < part_total(engine);
         i++) {
        const struct part *part = engine->parts[i];
        int64_t at;
        if (!part_is_member(part) || part->read_until == INT64_MIN ||
            atomic_load_explicit(&part->proof_ns, memory_order_relaxed) == 0)
            continue;
        /* relaxed: the proof came behind what it had read, so an old one is only too careful. */
        at = atomic_load_explicit(&part->seen_offset, memory_order_relaxed);
        if (at >= part->read_until)
            continue;
        engine->short_told = true;
        engine->listener.short_of(engine->listener.self, (uint16_t)(i - 1), at, part->read_until);
    }
}

bool recovery_look(struct engine *engine, int64_t *closed)
{
    if (engine->recover_epoch == INT64_MIN)
        return true;
    if (engine->planned_epoch < engine->recover_epoch) {
        if (*closed > engine->recover_epoch)
            *closed = engine->recover_epoch;
        return true;
    }
    if (engine->steps_seen != atomic_load_explicit(&engine->step_count, memory_order_relaxed))
        return false;
    engine->recover_epoch = INT64_MIN;
    away_recovered(engine);
    if (engine->listener.recovered != NULL)
        engine->listener.recovered(engine->listener.self);
    return true;
}

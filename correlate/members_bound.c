/* members_bound.c - see members_bound.h. */
#include "correlate/members_bound.h"

#include "correlate/derived.h"

#define PERIOD_MS INT64_C(60000)

void members_pushed(struct worker *worker, uint32_t slot)
{
    while (worker->pushed.count <= slot)
        vector_add(&worker->pushed) = 0;
    worker->pushed.at[slot]++;
    worker->so_far.pushed++;
}

int64_t members_period(const struct engine *engine)
{
    int64_t round_ms = (int64_t)engine->config.round_ms;
    int64_t rounds = (PERIOD_MS + round_ms - 1) / round_ms;

    return rounds * round_ms / (int64_t)engine->config.epoch_ms;
}

/* F: what the workers showed at the end of the last step that is known to be done. */
static const struct step_end *ended(const struct engine *engine, unsigned worker)
{
    return engine->steps_seen > 0
               ? &engine->workers[worker].step_end[(engine->steps_seen - 1) & (STEPS - 1)]
               : NULL;
}

static uint64_t pushed_ever(const struct engine *engine)
{
    uint64_t pushed = 0;

    for (unsigned w = 0; w < engine->worker_count; w++)
        if (ended(engine, w) != NULL)
            pushed += ended(engine, w)->pushed;
    return pushed;
}

int64_t members_room(const struct engine *engine, const struct rules_version *rules)
{
    /* relaxed: this role is the only writer of step_count. */
    uint64_t end = atomic_load_explicit(&engine->step_count, memory_order_relaxed);
    int64_t least = rules->members_least, fullest = 0, coming = 0;

    for (unsigned w = 0; w < engine->worker_count; w++) {
        const struct step_end *at = ended(engine, w);
        if (at == NULL)
            continue;
        fullest = (int64_t)at->fullest > fullest ? (int64_t)at->fullest : fullest;
        coming += (int64_t)at->flapping;
    }
    /* As if each event went to the fullest key, and once more at the end of flapping. */
    for (uint64_t s = engine->steps_seen; s < end; s++) {
        const struct step *step = &engine->steps[s & (STEPS - 1)];
        coming += 2 * (int64_t)step->events;
        least = step->rules->members_least < least ? step->rules->members_least : least;
    }
    return least - fullest - coming;
}

int64_t members_limit(const struct engine *engine, int64_t epoch, int64_t room)
{
    int64_t period = members_period(engine);

    if (room > 0 && pushed_ever(engine) == engine->pushed_told)
        return INT64_MAX;
    return (floor_div(epoch, period) + 1) * period;
}

/* Entries that a rule's windows gave up since they were last told of. */
static uint64_t untold(const struct engine *engine, uint32_t slot)
{
    uint64_t count = 0;

    for (unsigned w = 0; w < engine->worker_count; w++)
        if (slot < engine->workers[w].pushed.count)
            count += engine->workers[w].pushed.at[slot];
    return count;
}

bool members_tell(struct engine *engine, int64_t epoch, uint16_t sub)
{
    const struct rules_version *rules = engine->newest_rules;
    uint64_t pushed = pushed_ever(engine);
    bool busy =
        engine->steps_seen != atomic_load_explicit(&engine->step_count, memory_order_relaxed);

    if (epoch % members_period(engine) != 0)
        return true;
    if (busy)
        return pushed == engine->pushed_told && members_room(engine, rules) > 0;
    if (pushed == engine->pushed_told)
        return true;
    derived_make_room(engine, epoch);
    for (uint32_t i = 0; i < rules->rule_count; i++) {
        uint64_t count = untold(engine, rules->slot_of[i]);
        if (count > 0 && sub < DERIVED_SUBS)
            derived_tell_members(engine, epoch, rule_set_rule(rules->set, i), count, sub++);
    }
    for (unsigned w = 0; w < engine->worker_count; w++)
        for (size_t s = 0; s < engine->workers[w].pushed.count; s++)
            engine->workers[w].pushed.at[s] = 0;
    engine->pushed_told = pushed;
    return true;
}

void members_forget(struct engine *engine, uint32_t slot)
{
    for (unsigned w = 0; w < engine->worker_count; w++)
        if (slot < engine->workers[w].pushed.count)
            engine->workers[w].pushed.at[slot] = 0;
}

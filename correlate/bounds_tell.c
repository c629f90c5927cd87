/* bounds_tell.c - see bounds_tell.h. */
#include "correlate/bounds_tell.h"

#include <stdlib.h>
#include "correlate/crash.h"
#include "correlate/derived.h"

#define PERIOD_MS INT64_C(60000)
enum { SUBS = DERIVED_SUBS - CRASHES_TOLD_MAX };

static struct untold *untold_at(struct worker *worker, uint32_t slot)
{
    while (worker->untold.count <= slot)
        vector_add(&worker->untold) = (struct untold){0};
    worker->so_far.untold++;
    return &worker->untold.at[slot];
}

void bounds_pushed(struct worker *worker, uint32_t slot, const struct touch *touch)
{
    if (!touch->text->is_self_alert)
        untold_at(worker, slot)->entries++;
}

void bounds_gave_up(struct worker *worker, const struct key_state *key)
{
    if (!key->is_self_touched)
        untold_at(worker, key->slot)->keys++;
}

void bounds_lost(struct worker *worker, const struct key_state *key)
{
    if (!key->is_self_touched)
        untold_at(worker, key->slot)->incidents++;
}

int64_t bounds_period(const struct engine *engine)
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

static uint64_t gone_ever(const struct engine *engine)
{
    uint64_t gone = 0;

    for (unsigned w = 0; w < engine->worker_count; w++)
        if (ended(engine, w) != NULL)
            gone += ended(engine, w)->untold;
    return gone;
}

int64_t bounds_room(const struct engine *engine, const struct rules_version *rules)
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

int64_t bounds_limit(const struct engine *engine, int64_t epoch, int64_t room)
{
    int64_t period = bounds_period(engine);

    if (room > 0 && gone_ever(engine) == engine->gone_told)
        return INT64_MAX;
    return (floor_div(epoch, period) + 1) * period;
}

/* What went of a rule since it was last told of. */
static struct untold untold_of(const struct engine *engine, uint32_t slot)
{
    struct untold sum = {0};

    for (unsigned w = 0; w < engine->worker_count; w++) {
        if (slot >= engine->workers[w].untold.count)
            continue;
        sum.incidents += engine->workers[w].untold.at[slot].incidents;
        sum.keys += engine->workers[w].untold.at[slot].keys;
        sum.entries += engine->workers[w].untold.at[slot].entries;
    }
    return sum;
}

bool bounds_owes(const struct engine *engine, uint32_t slot)
{
    return untold_of(engine, slot).incidents > 0;
}

/* Slots that stand for rules by these, of two forms of one id the older first. */
struct owed {
    uint32_t order, slot;
};

static int owed_order(const void *a, const void *b)
{
    const struct owed *x = a, *y = b;

    return (x->order > y->order) - (x->order < y->order);
}

/* Of rules that are gone, too: their incidents are open still. Returns the next sub. */
static uint16_t tell_lost(struct engine *engine, int64_t epoch)
{
    const struct rules_version *rules = engine->newest_rules;
    VECTOR_OF(struct owed) owed = {0};
    uint16_t sub = 0;

    for (uint32_t s = 0; s < rules->slot_count; s++)
        if (rules->slots[s].rule != NULL && bounds_owes(engine, s))
            vector_add(&owed) = (struct owed){rules->slots[s].order, s};
    if (owed.count > 1)
        qsort(owed.at, owed.count, sizeof(struct owed), owed_order);
    for (size_t i = 0; i < owed.count && sub < SUBS; i++)
        derived_tell_gone(engine, epoch, rules->slots[owed.at[i].slot].rule, DERIVED_INCIDENTS,
                          untold_of(engine, owed.at[i].slot).incidents, 0, sub++);
    free(owed.at);
    return sub;
}

bool bounds_tell(struct engine *engine, int64_t epoch)
{
    const struct rules_version *rules = engine->newest_rules;
    uint64_t gone = gone_ever(engine);
    bool busy =
        engine->steps_seen != atomic_load_explicit(&engine->step_count, memory_order_relaxed);

    if (epoch % bounds_period(engine) != 0)
        return true;
    if (busy)
        return gone == engine->gone_told && bounds_room(engine, rules) > 0;
    if (gone == engine->gone_told)
        return true;
    int64_t within_ms = bounds_period(engine) * (int64_t)engine->config.epoch_ms;
    derived_make_room(engine, epoch);
    uint16_t sub = tell_lost(engine, epoch);
    for (unsigned of_entries = 0; of_entries < 2; of_entries++)
        for (uint32_t i = 0; i < rules->rule_count; i++) {
            const struct untold untold = untold_of(engine, rules->slot_of[i]);
            uint64_t count = of_entries ? untold.entries : untold.keys;
            if (count > 0 && sub < SUBS)
                derived_tell_gone(engine, epoch, rule_set_rule(rules->set, i),
                                  of_entries ? DERIVED_ENTRIES : DERIVED_KEYS, count, within_ms,
                                  sub++);
        }
    for (unsigned w = 0; w < engine->worker_count; w++)
        for (size_t s = 0; s < engine->workers[w].untold.count; s++)
            engine->workers[w].untold.at[s] = (struct untold){0};
    engine->gone_told = gone;
    return true;
}

void bounds_forget(struct engine *engine, uint32_t slot)
{
    for (unsigned w = 0; w < engine->worker_count; w++)
        if (slot < engine->workers[w].untold.count)
            engine->workers[w].untold.at[slot] = (struct untold){0};
}

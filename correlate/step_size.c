/*
 * step_size.c - see step_size.h.
 */
#include "correlate/step_size.h"

#include "correlate/core.h"

_Static_assert(ENGINE_TOUCH_BYTES == STEPS * sizeof(struct touch), "as engine.h says");

/* A step has a fixed price, so it is not worth less than some events. */
enum { EVENTS_LEAST = 64 };

static uint64_t within_limits(uint64_t events)
{
    if (events > STEP_EVENTS)
        return STEP_EVENTS;
    return events < EVENTS_LEAST ? EVENTS_LEAST : events;
}

void step_size_look(struct engine *engine, const struct rules_version *rules)
{
    struct step_size *size = &engine->step_size;
    const uint64_t aim = engine->config.step_touches;

    for (; size->step < engine->steps_seen; size->step++) {
        const unsigned at = size->step & (STEPS - 1);
        const uint64_t events = engine->steps[at].events;
        uint64_t touches = 0, most = 2 * size->events;
        for (unsigned w = 0; w < engine->worker_count; w++)
            touches += engine->workers[w].step_end[at].touches;
        uint64_t made = touches - size->touches;
        size->touches = touches;
        /* Far below, a few timers of many alerts would tell nothing of events. */
        uint64_t fit = made > aim / 4 ? events * aim / made : most;
        size->events = within_limits(fit < most ? fit : most);
    }
    /* Of new rules nothing is known but how many they are. */
    if (size->generation != rules->generation) {
        uint64_t worst = within_limits(aim / (rules->rule_count > 0 ? rules->rule_count : 1));
        size->events = size->generation == 0 || worst < size->events ? worst : size->events;
        size->generation = rules->generation;
    }
}

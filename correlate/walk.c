/*
 * walk.c - see walk.h.
 */
#include "correlate/walk.h"

#include <inttypes.h>
#include "correlate/correlation.h"

struct kept {
    uint64_t keys, open, pending;
};

static struct kept lane_walk(struct engine *engine, unsigned l)
{
    const struct step step = {.rules = engine->newest_rules};
    const struct correlation c =
        correlation_begin(&engine->workers[lane_owner(engine, l)], 0, &step);
    const struct key_lane *lane = &engine->key_lanes[l];
    struct kept kept = {0};

    for (uint32_t n = 0; n < lane->used; n++) {
        const struct key_state *key = key_at(lane, n);
        if (!key->used)
            continue;
        kept.keys++;
        if (key->is_open)
            kept.open++;
        else
            kept.pending += correlation_form(&c, key)->pending(&c, key);
    }
    return kept;
}

void walk_lane_begin(struct engine *engine, unsigned l)
{
    const struct kept kept = lane_walk(engine, l);

    engine->key_lanes[l].open = kept.open;
    engine->key_lanes[l].pending = kept.pending;
}

/* The same by the tallies. */
static struct kept tallied(const struct engine *engine)
{
    struct engine_counters c;

    engine_counters(engine, &c);
    return (struct kept){c.keys, c.open - c.lost, c.pending};
}

static bool differ(struct error *err, const char *what, uint64_t walked, uint64_t counted)
{
    if (walked != counted)
        error_set(err, "L6 does not hold: %s is %" PRIu64 ", and %" PRIu64 " are there", what,
                  counted, walked);
    return walked != counted;
}

static bool equal(const struct kept *walked, const struct kept *counted, struct error *err)
{
    return !differ(err, "pending", walked->pending, counted->pending) &&
           !differ(err, "open, of those that are watched,", walked->open, counted->open) &&
           !differ(err, "keys", walked->keys, counted->keys);
}

static void mismatch(struct engine *engine)
{
    tally_add(&engine->walk_mismatches, 1);
}

/* As each lane says of itself. */
static struct kept of_lanes(const struct engine *engine)
{
    struct kept sum = {0};

    for (unsigned l = 0; l < LANES; l++) {
        sum.keys += engine->key_lanes[l].count;
        sum.open += engine->key_lanes[l].open;
        sum.pending += engine->key_lanes[l].pending;
    }
    return sum;
}

void walk_poll(struct engine *engine)
{
    /* relaxed: a wish. */
    uint64_t asked = atomic_load_explicit(&engine->walk_asked, memory_order_relaxed);
    struct error err;

    if (engine->walk_done == asked || engine->rerun != NULL ||
        engine->steps_seen != atomic_load_explicit(&engine->step_count, memory_order_relaxed))
        return;
    if (engine->walk_lane < LANES) {
        const struct key_lane *lane = &engine->key_lanes[engine->walk_lane];
        const struct kept walked = lane_walk(engine, engine->walk_lane++);
        const struct kept said = {lane->count, lane->open, lane->pending};
        if (!equal(&walked, &said, &err))
            mismatch(engine);
        return;
    }
    const struct kept walked = of_lanes(engine), counted = tallied(engine);
    if (!equal(&walked, &counted, &err))
        mismatch(engine);
    engine->walk_lane = 0;
    engine->walk_done = asked;
    tally_add(&engine->walks, 1);
}

void engine_ask_walk(struct engine *engine)
{
    /* relaxed: nothing is handed over; one that is not done yet is the same. */
    atomic_fetch_add_explicit(&engine->walk_asked, 1, memory_order_relaxed);
}

bool engine_check_walk(struct engine *engine, struct error *err)
{
    const struct kept counted = tallied(engine), said = of_lanes(engine);
    struct kept walked = {0};

    if (engine->rerun != NULL ||
        /* relaxed: no thread is left. */
        atomic_load_explicit(&engine->steps_done, memory_order_relaxed) !=
            atomic_load_explicit(&engine->step_count, memory_order_relaxed))
        return true; /* a step was left in its middle */
    for (unsigned l = 0; l < LANES; l++) {
        const struct kept lane = lane_walk(engine, l);
        walked.keys += lane.keys;
        walked.open += lane.open;
        walked.pending += lane.pending;
    }
    return equal(&walked, &counted, err) && equal(&walked, &said, err);
}

/* memory.c - see memory.h. */
#include "correlate/memory.h"

/* A look goes through 512 tables, most of them not in the cache: 20 us, a five-thousandth. */
#define LOOK_NS UINT64_C(100000000)

static uint64_t alert_lane_bytes(const struct alert_lane *lane)
{
    return (lane->mask + UINT64_C(1)) * sizeof(*lane->slots) +
           (uint64_t)lane->page_count * ALERT_PAGE * sizeof(struct alert_cold) +
           (lane->cold_free.room + lane->untimed.room + lane->away.room) * sizeof(uint32_t) +
           alert_timers_bytes(&lane->timers);
}

static uint64_t key_lane_bytes(const struct key_lane *lane)
{
    return (uint64_t)lane->room * sizeof(*lane->slots) +
           (uint64_t)lane->page_count * KEY_PAGE * sizeof(struct key_state) +
           lane->timers.room * sizeof(struct key_timer) +
           lane->dirty.room * sizeof(lane->dirty.at[0]);
}

static uint64_t touches_bytes(const struct worker *worker)
{
    uint64_t places = 0;

    for (int s = 0; s < STEPS; s++)
        for (unsigned w = 0; w < worker->engine->worker_count; w++)
            places += worker->touches_out[s][w].room;
    return places * sizeof(struct touch);
}

void memory_look(struct worker *worker, uint64_t now_ns)
{
    const struct engine *engine = worker->engine;
    uint64_t bytes = 0;

    if (now_ns < worker->held_due_ns)
        return;
    worker->held_due_ns = now_ns + LOOK_NS;
    bytes = worker->key_queue_bytes;
    bytes += worker->alert_line.all.room * sizeof(struct alert_candidate);
    bytes += worker->alert_candidates.room * sizeof(struct alert_candidate);
    for (unsigned lane = worker->index; lane < LANES; lane += engine->worker_count)
        bytes +=
            alert_lane_bytes(&engine->alert_lanes[lane]) + key_lane_bytes(&engine->key_lanes[lane]);
    /* relaxed: figures, nothing is published with them. */
    atomic_store_explicit(&worker->table_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&worker->touch_bytes, touches_bytes(worker), memory_order_relaxed);
}

uint64_t engine_held_bytes(const struct engine *engine)
{
    uint64_t bytes = tally_get(&engine->derived.bytes) + tally_get(&engine->mute_slab.bytes);

    for (unsigned w = 0; w < engine->worker_count; w++) {
        const struct worker *worker = &engine->workers[w];
        bytes += tally_get(&worker->bins.bytes) + tally_get(&worker->slab.bytes) +
                 tally_get(&worker->table_bytes) + tally_get(&worker->touch_bytes);
    }
    return bytes;
}

bool memory_is_short(const struct engine *engine)
{
    uint64_t most = tally_get(&engine->memory_max);

    return most != UINT64_MAX && engine_held_bytes(engine) > most;
}

void engine_limit_memory(struct engine *engine, uint64_t bytes)
{
    atomic_store_explicit(&engine->memory_max, bytes, memory_order_relaxed);
}

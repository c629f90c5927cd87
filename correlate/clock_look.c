/*
 * clock_look.c - see clock_look.h.
 */
#include "correlate/clock_look.h"

#include "correlate/core.h"
#include "ingest/intake_source.h"

enum {
    HOUR_MS = 3600 * 1000,
    FAR_COUNT =
        100, /* before others speak as well, one machine with a wrong clock seldom says more */
};

static const uint64_t far_spell_ns = UINT64_C(60000000000);

static int64_t clock_at(const struct engine *engine, uint64_t at_ns)
{
    int64_t since_ms =
        at_ns >= engine->mono_at_start ? (int64_t)((at_ns - engine->mono_at_start) / 1000000u) : 0;

    return engine->wall_at_start + since_ms;
}

/* The log times of the batch; false: none has one. */
static bool times_of(const struct part *part, int64_t *least, int64_t *largest)
{
    *least = INT64_MAX;
    *largest = INT64_MIN;
    for (size_t i = 0; i < part->batch_count; i++) {
        int64_t at = part->batch[i].log_time_ms;
        if (at == LOG_TIME_NONE || at < -TIME_MS_MAX || at > TIME_MS_MAX)
            continue;
        *least = at < *least ? at : *least;
        *largest = at > *largest ? at : *largest;
    }
    return *least <= *largest;
}

/* All that came since the proof was stamped since then. */
static void look_at_broker(struct clock_look *look, int64_t least, int64_t largest,
                           int64_t proof_ms, int64_t now_ms)
{
    int64_t off_ms = 0;

    if (largest - now_ms > HOUR_MS)
        off_ms = largest - now_ms;
    else if (least - proof_ms < -HOUR_MS)
        off_ms = least - proof_ms;
    else
        atomic_store_explicit(&look->is_near, true, memory_order_relaxed);
    atomic_store_explicit(&look->off_ms, off_ms, memory_order_relaxed);
}

static void look_at_producers(struct clock_look *look, const struct part *part, int64_t now_ms,
                              uint64_t now_ns)
{
    uint64_t count = atomic_load_explicit(&look->far_count, memory_order_relaxed);
    int64_t nearest =
        count > 0 ? atomic_load_explicit(&look->least_ms, memory_order_relaxed) : INT64_MAX;

    for (size_t i = 0; i < part->batch_count; i++) {
        int64_t at = part->batch[i].log_time_ms;
        if (at == LOG_TIME_NONE || at > TIME_MS_MAX || at < now_ms - HOUR_MS)
            continue; /* what is old says nothing */
        if (at <= now_ms + HOUR_MS) {
            atomic_store_explicit(&look->is_near, true, memory_order_relaxed);
            return;
        }
        nearest = at - now_ms < nearest ? at - now_ms : nearest;
        if (count++ == 0)
            atomic_store_explicit(&look->far_ns, now_ns, memory_order_relaxed);
    }
    atomic_store_explicit(&look->least_ms, nearest, memory_order_relaxed);
    atomic_store_explicit(&look->far_count, count, memory_order_relaxed);
}

void clock_look_take(const struct engine *engine, struct part *part, uint64_t now_ns)
{
    /* relaxed: the owner's own. */
    uint64_t proof_ns = atomic_load_explicit(&part->proof_ns, memory_order_relaxed);
    int64_t least, largest;

    if (engine->config.seal_ms == 0 || proof_ns == 0 || part->number == INTAKE_PARTITION ||
        part->batch[0].offset < part->read_until)
        return; /* a recording, a backlog, what we stamped, or what is read again */
    if (part->topic.log_append_time) {
        if (times_of(part, &least, &largest))
            look_at_broker(&part->clock, least, largest, clock_at(engine, proof_ns),
                           clock_at(engine, now_ns));
    } else if (!atomic_load_explicit(&part->clock.is_near, memory_order_relaxed)) {
        look_at_producers(&part->clock, part, clock_at(engine, now_ns), now_ns);
    }
}

void clock_look_join(struct part *part)
{
    /* relaxed: published by the release of `membership` behind. */
    atomic_store_explicit(&part->clock.is_near, false, memory_order_relaxed);
    atomic_store_explicit(&part->clock.off_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&part->clock.far_count, 0, memory_order_relaxed);
    atomic_store_explicit(&part->clock.far_ns, 0, memory_order_relaxed);
}

static int64_t size_of(int64_t off_ms)
{
    return off_ms < 0 ? -off_ms : off_ms;
}

int64_t clock_look_off(const struct engine *engine, uint64_t now_ns)
{
    /* C, acquire end: the parts below the count are set up. */
    unsigned count = atomic_load_explicit(&engine->part_count, memory_order_acquire);
    int64_t off_ms = 0, least_ms = INT64_MAX;
    uint64_t far_count = 0, far_ns = UINT64_MAX;
    bool is_near = false;

    for (unsigned i = 1; i < count; i++) { /* 0 is @derived */
        const struct part *part = engine->parts[i];
        const struct clock_look *look = &part->clock;
        int64_t part_off_ms = atomic_load_explicit(&look->off_ms, memory_order_relaxed);
        int64_t part_least_ms = atomic_load_explicit(&look->least_ms, memory_order_relaxed);
        uint64_t part_count = atomic_load_explicit(&look->far_count, memory_order_relaxed);
        uint64_t part_ns = atomic_load_explicit(&look->far_ns, memory_order_relaxed);
        if (atomic_load_explicit(&part->membership, memory_order_relaxed) != PART_MEMBER)
            continue;
        off_ms = size_of(part_off_ms) > size_of(off_ms) ? part_off_ms : off_ms;
        is_near |= atomic_load_explicit(&look->is_near, memory_order_relaxed);
        if (part_count == 0 || part_ns == 0)
            continue;
        far_count += part_count;
        far_ns = part_ns < far_ns ? part_ns : far_ns;
        least_ms = part_least_ms < least_ms ? part_least_ms : least_ms;
    }
    if (off_ms != 0 || is_near || far_count < FAR_COUNT || now_ns < far_ns + far_spell_ns)
        return off_ms;
    return least_ms;
}

/* shed_look.c - see shed_look.h. */
#include "correlate/shed_look.h"

#include "correlate/core.h"
#include "correlate/mark.h"

enum { UNKNOWN = -1 };

/* The newest log time of the batch; INT64_MIN: no record has one. */
static int64_t newest_of(const struct part *part)
{
    int64_t newest = INT64_MIN;

    for (size_t i = 0; i < part->batch_count; i++) {
        int64_t at = part->batch[i].log_time_ms;
        if (at > newest && at >= -TIME_MS_MAX && at <= TIME_MS_MAX)
            newest = at;
    }
    return newest;
}

/* How far the partition is behind; UNKNOWN: this take does not say. `least_ms`: less than this is
 * as good as nothing, and whether more waits need not be asked for, which costs a lock. */
static int64_t behind_of(const struct part *part, int64_t now_ms, int64_t least_ms)
{
    int64_t newest = newest_of(part), behind = UNKNOWN;

    if (newest != INT64_MIN)
        behind = newest < now_ms ? now_ms - newest : 0;
    if (behind >= 0 && behind <= least_ms)
        return behind;
    return part->feed->ops->lag != NULL && part->feed->ops->lag(part->feed) == 0 ? 0 : behind;
}

static void listener_tell(const struct worker *worker, const struct part *part, int64_t behind_ms,
                          enum severity below, uint64_t count)
{
    const struct engine_listener *listener = &worker->engine->listener;
    const struct engine_shed_word word = {
        .topic = part->name,
        .partition = part->number,
        .offset = part->next_offset,
        .behind_ms = behind_ms,
        .waiting = part->feed->ops->lag != NULL ? part->feed->ops->lag(part->feed) : -1,
        .below = below,
        .count = count};

    if (listener->shed != NULL)
        listener->shed(listener->self, &word);
}

/* Where the mark cannot be noted now nothing changes: the next look asks for it again. */
static void turn(struct worker *worker, struct part *part, int64_t behind_ms, enum severity below)
{
    const struct mark mark = {.kind = MARK_SHED,
                              .part = part->id,
                              .offset = part->next_offset,
                              .value_ms = mark_shed_value(behind_ms, below)};

    const uint64_t count = part->shed.count;

    if (!mark_push(worker, &mark))
        return;
    shed_turn(part, mark.value_ms);
    listener_tell(worker, part, behind_ms, below, count);
    part->shed_watch.is_turning = false;
}

/* True once it has been beyond for that long. */
static bool has_lasted(struct shed_watch *watch, bool is_beyond, int64_t for_ms, uint64_t now_ns)
{
    if (!is_beyond || !watch->is_turning)
        watch->since_ns = now_ns;
    watch->is_turning = is_beyond;
    return is_beyond && now_ns - watch->since_ns >= (uint64_t)for_ms * 1000000u;
}

void shed_look(struct worker *worker, struct part *part, uint64_t now_ns)
{
    const struct engine *engine = worker->engine;
    const struct shed_config *config = &engine->config.shedding;
    const bool is_wanted = config->behind_ms > 0, sheds = part->shed.below != SEVERITY_OK;

    if (engine->config.seal_ms == 0 || part->next_offset < part->read_until)
        return; /* a replay, or what is read again: their marks are there */
    int64_t bound_ms = sheds ? config->until_ms : config->behind_ms;
    int64_t behind_ms = behind_of(part, engine_clock_ms(engine), bound_ms);
    if (behind_ms != UNKNOWN) /* relaxed: a report */
        atomic_store_explicit(&part->behind_seen_ms, behind_ms, memory_order_relaxed);
    if (sheds && (!is_wanted || part->shed.below != (uint8_t)config->below)) {
        /* Of a run before, which was told otherwise. */
        turn(worker, part, behind_ms != UNKNOWN ? behind_ms : part->shed.behind_ms,
             is_wanted ? config->below : SEVERITY_OK);
        return;
    }
    if (behind_ms == UNKNOWN)
        return;
    if (sheds && has_lasted(&part->shed_watch, behind_ms <= bound_ms, SHED_END_MS, now_ns))
        turn(worker, part, behind_ms, SEVERITY_OK);
    else if (!sheds && has_lasted(&part->shed_watch, behind_ms > bound_ms, config->for_ms, now_ns))
        turn(worker, part, behind_ms, config->below);
}

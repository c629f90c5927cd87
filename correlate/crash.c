/*
 * crash.c - see crash.h.
 */
#include "correlate/crash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "correlate/derived.h"
#include "correlate/mark.h"
#include "correlate/part.h"

static int64_t round_at_or_after(const struct engine *engine, int64_t ms)
{
    int64_t round = (int64_t)engine->config.round_ms;

    return ms == INT64_MIN ? INT64_MIN : -floor_div(-ms, round) * round;
}

static int by_time(const void *a, const void *b)
{
    const struct crash_mark *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->made > y->made) - (x->made < y->made);
}

static void told_add(struct engine *engine, const struct mark *mark, uint16_t part)
{
    vector_add(&engine->crashes) =
        (struct crash_mark){.at_ms = round_at_or_after(engine, mark->value_ms),
                            .made = engine->crashes.count,
                            .offset = mark->offset,
                            .part = part};
}

void crash_load(struct engine *engine)
{
    for (size_t i = 0; i < engine->config.mark_count; i++)
        if (engine->config.marks[i].kind == MARK_CRASH)
            told_add(engine, &engine->config.marks[i],
                     (uint16_t)(engine->config.marks[i].part + 1));
    if (engine->crashes.count > 1)
        qsort(engine->crashes.at, engine->crashes.count, sizeof(struct crash_mark), by_time);
}

void crash_pass(struct engine *engine, int64_t now_ms)
{
    while (engine->crash_at < engine->crashes.count &&
           engine->crashes.at[engine->crash_at].at_ms < now_ms)
        engine->crash_at++;
}

static void offset_add(struct part *part, int64_t offset, bool is_told)
{
    if (!crash_is_at(part, offset))
        vector_add(&part->crashes) = (struct part_crash){offset, is_told};
}

void crash_join(const struct engine *engine, struct part *part)
{
    const struct engine_config *config = &engine->config;

    part->crashes.count = 0;
    for (size_t i = 0; i < config->mark_count; i++)
        if (config->marks[i].kind == MARK_CRASH && config->marks[i].part == part->id - 1)
            offset_add(part, config->marks[i].offset, true);
    for (size_t i = 0; i < config->crash_count; i++)
        /* What lies behind where it goes on was told of, and its mark may be forgotten. */
        if (config->crashes[i].partition == part->number &&
            config->crashes[i].offset >= part->next_offset &&
            strcmp(config->crashes[i].topic, part->name) == 0)
            offset_add(part, config->crashes[i].offset, false);
}

void crash_tell(struct engine *engine, struct part *part)
{
    const struct engine_recovery *recovery = &engine->config.recovery;
    int64_t at_ms = atomic_load_explicit(&engine->watermark_ms, memory_order_relaxed);

    if (recovery->is_wanted && recovery->until_ms > at_ms)
        at_ms = recovery->until_ms;
    for (size_t i = 0; i < part->crashes.count; i++) {
        struct part_crash *crash = &part->crashes.at[i];
        const struct mark mark = {MARK_CRASH, part->id, crash->offset, at_ms};
        if (crash->is_told)
            continue;
        crash->is_told = true;
        mark_tell(engine, &mark);
        told_add(engine, &mark, part->id);
    }
}

/* --- marks become events ------------------------------------------------------------------- */

static void event_put(struct engine *engine, const struct crash_mark *crash, int64_t at_ms,
                      uint16_t sub)
{
    const struct part *part = engine->parts[crash->part];
    char resource[300], message[500];

    snprintf(resource, sizeof(resource), "%s/%" PRId32 "/%" PRId64, part->name, part->number,
             crash->offset);
    snprintf(message, sizeof(message),
             "the record at offset %" PRId64 " of %s/%" PRId32
             " is left out: two processes died at it",
             crash->offset, part->name, part->number);
    derived_put(engine, &(struct derived){.at_ms = at_ms,
                                          .resource = resource,
                                          .check = "record-crashed",
                                          .message = message,
                                          .severity = SEVERITY_CRITICAL,
                                          .state = EVENT_PROBLEM,
                                          .sub = sub});
}

/* The epoch of the next event; INT64_MAX: there is none. */
static int64_t due(const struct engine *engine, int64_t from)
{
    int64_t epoch_ms = (int64_t)engine->config.epoch_ms, at_ms;

    if (engine->crash_at == engine->crashes.count)
        return INT64_MAX;
    at_ms = engine->crashes.at[engine->crash_at].at_ms;
    if (at_ms < from * epoch_ms) /* known before there was any time */
        at_ms = round_at_or_after(engine, from * epoch_ms);
    return floor_div(at_ms, epoch_ms);
}

bool crash_at(struct engine *engine, int64_t from, bool busy, int64_t *closed)
{
    int64_t at_ms = from * (int64_t)engine->config.epoch_ms;
    uint16_t sub = DERIVED_SUBS - CRASHES_TOLD_MAX;

    if (due(engine, from) <= from) {
        if (busy)
            return false;
        derived_make_room(engine, from);
        while (due(engine, from) <= from) {
            const struct crash_mark *crash = &engine->crashes.at[engine->crash_at++];
            if (crash->part < part_total(engine) && sub < DERIVED_SUBS)
                event_put(engine, crash, at_ms, sub++);
        }
    }
    if (*closed > due(engine, from))
        *closed = due(engine, from);
    return true;
}

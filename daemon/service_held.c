/*
 * service_held.c - a sink that refuses our credentials is noted before the others are told, so that
 * a later process tells them the end (O6, daemon/refusals.h). See service_parts.h.
 */
#include "daemon/service_parts.h"

#include <stdio.h>
#include <string.h>
#include "base/slab.h"

struct outbox_hold *service_fill_holds(struct service *service, struct outbox_config *config)
{
    struct refusals *refusals = &service->refusals;
    struct outbox_hold *list = memory_alloc((refusals->held.count + 1) * sizeof(*list));

    for (size_t i = 0; i < refusals->held.count; i++) {
        struct refusal *from = &refusals->held.at[i];
        from->ending = (int)i;
        list[i] = (struct outbox_hold){.sink = from->sink, .since_ms = from->since_ms};
        memcpy(list[i].why, from->why, sizeof(from->why));
    }
    config->holds = list;
    config->hold_count = refusals->held.count;
    config->notes_holds = service->config->data.dir[0] != '\0';
    return list;
}

static size_t sink_count(const struct service *service)
{
    size_t count = service->config->sinks.count;

    return count < METRICS_SINKS_MAX ? count : METRICS_SINKS_MAX;
}

static bool is_configured(const struct service *service, const char *sink)
{
    for (size_t i = 0; i < sink_count(service); i++)
        if (strcmp(service->seen.sinks[i].name, sink) == 0)
            return true;
    return false;
}

/* Those that are over, at sinks of before and of now. */
static bool forget_ended(struct service *service, const struct outbox *outbox)
{
    struct refusals *refusals = &service->refusals;
    bool has_changed = false;

    for (size_t i = refusals->held.count; i > 0; i--) {
        const struct refusal *at = &refusals->held.at[i - 1];
        if (is_configured(service, at->sink) || at->ending < 0 ||
            !outbox_hold_over(outbox, (size_t)at->ending))
            continue;
        refusals_free(refusals, i - 1);
        has_changed = true;
    }
    return has_changed;
}

/* What is noted of one sink, made what its counters say. */
static bool note(struct service *service, const struct sink_counters *sink)
{
    struct refusals *refusals = &service->refusals;
    const struct refusal *noted = refusals_find_held(refusals, sink->name);

    if (sink->held_since_ms == (noted != NULL ? noted->since_ms : 0))
        return false;
    if (sink->held_since_ms == 0)
        refusals_free(refusals, (size_t)(noted - refusals->held.at));
    else
        refusals_hold(refusals, sink->name, sink->held_since_ms, sink->last_error);
    return true;
}

void service_watch_holds(struct service *service, struct outbox *outbox)
{
    bool has_changed;

    if (outbox == NULL || service->config->data.dir[0] == '\0')
        return;
    has_changed = forget_ended(service, outbox);
    for (size_t i = 0; i < sink_count(service); i++)
        has_changed |= note(service, &service->seen.sinks[i]);
    if (!has_changed)
        return;
    service_write_refusals(service);
    for (size_t i = 0; i < sink_count(service); i++)
        outbox_note_hold(outbox, i, service->seen.sinks[i].held_since_ms);
}

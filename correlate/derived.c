/*
 * derived.c - see derived.h.
 */
#include "correlate/derived.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int slot_by_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* One self-alert: `count` incidents of the rule are no longer watched. */
static void derived_put(struct engine *engine, const struct step *step, const struct rule *rule,
                        size_t count, uint16_t sub)
{
    char message[256];
    int len = snprintf(message, sizeof(message),
                       "%zu incident%s of rule %s %s no longer watched: a bound was reached", count,
                       count == 1 ? "" : "s", rule->id, count == 1 ? "is" : "are");
    struct event_draft draft = {.severity = SEVERITY_WARNING,
                                .state = EVENT_PROBLEM,
                                .has_time = true,
                                .time_ms = step->to_ms};

    draft.field[FIELD_TENANT] = (struct text){"@tocsin", 7};
    draft.field[FIELD_SOURCE] = (struct text){"tocsin", 6};
    draft.field[FIELD_RESOURCE] = (struct text){rule->id, (uint32_t)strlen(rule->id)};
    draft.field[FIELD_CHECK] = (struct text){"no-longer-watched", 17};
    draft.field[FIELD_MESSAGE] = (struct text){message, (uint32_t)len};
    struct bin_slot *slot = bins_claim(&engine->derived, step->epoch_to);
    void *room = bins_text(&engine->derived, slot, event_text_bytes(&draft));
    const struct event_text *text = event_text_pack(room, &draft, step->to_ms);
    struct id128 fingerprint = event_fingerprint(text, engine->config.seed);
    uint8_t lane = (uint8_t)(fingerprint.hi >> 56);
    *bins_event(&engine->derived, slot, lane_owner(engine, lane)) = (struct event){
        .fingerprint = fingerprint,
        .attr_hash = event_attr_hash(text, draft.severity, draft.state, engine->config.seed),
        .et_ms = step->to_ms,
        .ts_ms = step->to_ms,
        .offset = step->to_ms,
        .text = text,
        .part = 0,
        .sub = sub,
        .lane = lane,
        .severity = draft.severity,
        .state = draft.state,
        .flags = EVENT_DERIVED};
    tally_add(&engine->incident_tally.derived, 1);
    tally_add(&engine->incident_tally.binned, 1);
}

void derived_make(struct engine *engine, const struct step *step)
{
    const struct rules_version *rules = step->rules;
    VECTOR_OF(uint32_t) orders = {0};
    uint16_t sub = 0;

    bins_free_until(&engine->derived, step->epoch_to);
    /* B, release end. */
    atomic_store_explicit(&engine->derived_reach, step->epoch_to + engine->derived.slot_count,
                          memory_order_release);
    for (unsigned w = 0; w < engine->worker_count; w++)
        for (size_t i = 0; i < engine->workers[w].lost.count; i++)
            vector_add(&orders) = rules->slots[engine->workers[w].lost.at[i]].order;
    if (orders.count > 1)
        qsort(orders.at, orders.count, sizeof(uint32_t), slot_by_order);
    for (size_t i = 0; i < orders.count;) {
        size_t end = i + 1;
        uint32_t s = 0;
        while (end < orders.count && orders.at[end] == orders.at[i])
            end++;
        while (rules->slots[s].order != orders.at[i])
            s++;
        derived_put(engine, step, rules->slots[s].rule, end - i, sub++);
        i = end;
    }
    free(orders.at);
}

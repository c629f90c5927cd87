/*
 * composite.c - see composite.h.
 */
#include "correlate/composite.h"

#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "correlate/derived.h"

/* Behind self-alerts of rules, and of as many partitions as there can be. */
enum { SUB_FIRST = DERIVED_SUBS + PARTS_MAX, EVENTS_MAX = (1 << 16) - SUB_FIRST };

static bool is_round_start(const struct engine *engine, int64_t epoch)
{
    return epoch % (int64_t)(engine->config.round_ms / engine->config.epoch_ms) == 0;
}

static bool any_waits(const struct engine *engine)
{
    return engine->incident_event_at < engine->incident_events.count;
}

/* What a set without composites inherits is told as well. */
bool composite_holds(const struct engine *engine, int64_t epoch, bool busy)
{
    const struct rules_version *stepped = engine->stepped_rules;

    return busy && is_round_start(engine, epoch) &&
           (engine->newest_rules->takes_incidents || engine->incidents_wait ||
            (stepped != NULL && stepped->takes_incidents));
}

/* ---- one event ---- */

/* The next length-prefixed text of struct incident's fields. */
static struct text field_next(const char **at)
{
    struct text text;

    memcpy(&text.len, *at, sizeof(text.len));
    text.at = *at + sizeof(text.len);
    *at = text.at + text.len;
    return text;
}

static void label_add(struct event_draft *draft, struct event_label *label, struct text name,
                      struct text value)
{
    for (uint32_t i = 0; i < draft->label_count; i++)
        if (label[i].name.len == name.len && memcmp(label[i].name.at, name.at, name.len) == 0)
            return;
    label[draft->label_count++] = (struct event_label){name, value};
}

/* The values of `by`: some are fields of the event, the others labels. */
static void draft_key(struct event_draft *draft, struct event_label *label,
                      const struct incident_event *event)
{
    const char *at = event->incident->fields;

    for (uint32_t i = 0; i < event->incident->field_count; i++) {
        struct text by = field_next(&at), value = field_next(&at), name;
        if (value.len == 0)
            continue;
        if (rule_by_label(event->rule, i, &name))
            label_add(draft, label, name, value);
        else if (by.len == 6 && memcmp(by.at, "source", 6) == 0)
            draft->field[FIELD_SOURCE] = value;
        else if (by.len == 8 && memcmp(by.at, "resource", 8) == 0)
            draft->field[FIELD_RESOURCE] = value;
    }
}

static void event_put(struct engine *engine, const struct incident_event *event, int64_t at_ms,
                      uint16_t sub)
{
    const struct incident *incident = event->incident;
    struct event_label label[RULE_BY_MAX];
    char id[ID128_TEXT_BYTES];
    struct event_draft draft = {.severity = incident->severity,
                                .state = incident->change == INCIDENT_CLOSED ? EVENT_CLEAR
                                                                             : EVENT_PROBLEM,
                                .has_time = true,
                                .time_ms = at_ms,
                                .labels = label};
    uint8_t flags = EVENT_OF_INCIDENT | (incident->is_forgotten ? EVENT_LAST_WORD : 0);

    id128_format(incident->id, id);
    draft.field[FIELD_TENANT] = text_of(incident->tenant);
    draft.field[FIELD_SOURCE] = text_of("tocsin");
    draft.field[FIELD_RESOURCE] = text_of(incident->key);
    draft.field[FIELD_CHECK] = text_of(incident->rule_id);
    draft.field[FIELD_DEDUP_KEY] = text_of(id);
    draft.field[FIELD_MESSAGE] = text_of(incident->title);
    draft_key(&draft, label, event);
    derived_bin(engine, &draft, sub, flags);
}

bool composite_enter(struct engine *engine, int64_t epoch, bool busy)
{
    if (busy) /* the incident role may be adding some; those of a set with composites enter later */
        return engine->incidents_wait;
    if (any_waits(engine) && is_round_start(engine, epoch)) {
        derived_make_room(engine, epoch);
        for (uint32_t i = 0; i < EVENTS_MAX && any_waits(engine); i++) {
            struct incident_event *event = &engine->incident_events.at[engine->incident_event_at++];
            event_put(engine, event, epoch * (int64_t)engine->config.epoch_ms,
                      (uint16_t)(SUB_FIRST + i));
            incident_unref(event->incident);
        }
        if (!any_waits(engine))
            engine->incident_events.count = engine->incident_event_at = 0;
    }
    engine->incidents_wait = any_waits(engine);
    return engine->incidents_wait;
}

void composite_release(struct engine *engine)
{
    for (size_t i = engine->incident_event_at; i < engine->incident_events.count; i++)
        incident_unref(engine->incident_events.at[i].incident);
    free(engine->incident_events.at);
}

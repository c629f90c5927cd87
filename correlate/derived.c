/*
 * derived.c - see derived.h.
 */
#include "correlate/derived.h"

#include <string.h>
#include "base/text.h"
#include "correlate/snapshot.h"

/* Any number: apart from fingerprints of other events. */
#define OF_INCIDENT UINT64_C(0x9ae16a3b2f90404f)

void derived_make_room(struct engine *engine, int64_t epoch)
{
    bins_free_until(&engine->derived, epoch);
    engine->derived_reach = epoch + engine->derived.slot_count;
}

void derived_draft_fill(struct event_draft *draft, const char *resource, const char *check,
                        const char *message)
{
    draft->field[FIELD_TENANT] = text_of("@tocsin");
    draft->field[FIELD_SOURCE] = text_of("tocsin");
    draft->field[FIELD_RESOURCE] = text_of(resource);
    draft->field[FIELD_CHECK] = text_of(check);
    draft->field[FIELD_MESSAGE] = text_of(message);
}

void derived_put(struct engine *engine, const struct derived *derived)
{
    struct event_draft draft = {.severity = (uint8_t)derived->severity,
                                .state = (uint8_t)derived->state,
                                .has_time = true,
                                .time_ms = derived->at_ms};

    derived_draft_fill(&draft, derived->resource, derived->check, derived->message);
    derived_bin(engine, &draft, derived->sub, 0);
}

void derived_bin(struct engine *engine, const struct event_draft *draft, uint16_t sub,
                 uint8_t flags)
{
    int64_t at_ms = draft->time_ms;
    snapshot_disturb(engine);
    struct bin_slot *slot =
        bins_claim(&engine->derived, floor_div(at_ms, (int64_t)engine->config.epoch_ms));
    size_t bytes = event_text_bytes(draft);
    void *room = bins_text(&engine->derived, slot, bytes);
    struct event_text *text = event_text_pack(room, bytes, draft, at_ms);
    text->of_incident = (flags & EVENT_OF_INCIDENT) != 0;
    text->is_self_alert = !text->of_incident;
    /* An event from outside that names the id of an incident is no word about that incident. */
    uint64_t seed = engine->config.seed ^ ((flags & EVENT_OF_INCIDENT) != 0 ? OF_INCIDENT : 0);
    struct id128 fingerprint = event_fingerprint(text, seed);
    uint8_t lane = (uint8_t)(fingerprint.hi >> 56);
    *bins_event(&engine->derived, slot, lane_owner(engine, lane)) = (struct event){
        .fingerprint = fingerprint,
        .attr_hash = event_attr_hash(text, draft->severity, draft->state, engine->config.seed),
        .et_ms = at_ms,
        .ts_ms = at_ms,
        .offset = at_ms,
        .text = text,
        .part = 0,
        .sub = sub,
        .lane = lane,
        .severity = draft->severity,
        .state = draft->state,
        .flags = (uint8_t)(EVENT_DERIVED | flags)};
    tally_add(&engine->incident_tally.derived, 1);
    tally_add(&engine->incident_tally.binned, 1);
}

/* What a bound took from one rule, in words. */
struct taken {
    const char *check, *noun[2], *is[2], *what, *why; /* of one, of several */
};

static const struct taken gone[] = {
    [DERIVED_INCIDENTS] = {"no-longer-watched",
                           {"incident", "incidents"},
                           {"is", "are"},
                           "no longer watched",
                           "a bound was reached"},
    [DERIVED_KEYS] =
        {"keys-evicted", {"key", "keys"}, {"was", "were"}, "given up", "max_keys was reached"},
    [DERIVED_ENTRIES] = {"members-evicted",
                         {"entry", "entries"},
                         {"was", "were"},
                         "pushed out",
                         "max_members was reached"},
};

const char *derived_gone_check(enum derived_gone what)
{
    return gone[what].check;
}

void derived_gone_message(struct text_buffer *message, const char *rule_id, enum derived_gone what,
                          uint64_t count, int64_t within_ms)
{
    const struct taken *taken = &gone[what];

    text_put_number(message, (int64_t)count);
    text_put_string(message, " ");
    text_put_string(message, taken->noun[count != 1]);
    text_put_string(message, " of rule ");
    text_put_string(message, rule_id);
    text_put_string(message, " ");
    text_put_string(message, taken->is[count != 1]);
    text_put_string(message, " ");
    text_put_string(message, taken->what);
    if (what != DERIVED_INCIDENTS) { /* these are what they are from then on */
        text_put_string(message, " within ");
        text_put_duration(message, within_ms);
    }
    text_put_string(message, ": ");
    text_put_string(message, taken->why);
}

void derived_tell_gone(struct engine *engine, int64_t epoch, const struct rule *rule,
                       enum derived_gone what, uint64_t count, int64_t within_ms, uint16_t sub)
{
    struct text_buffer message;

    text_begin(&message);
    derived_gone_message(&message, rule->id, what, count, within_ms);
    derived_put(engine, &(struct derived){.at_ms = epoch * (int64_t)engine->config.epoch_ms,
                                          .resource = rule->id,
                                          .check = gone[what].check,
                                          .message = message.at,
                                          .severity = SEVERITY_WARNING,
                                          .state = EVENT_PROBLEM,
                                          .sub = sub});
    text_end(&message);
}

/* in_place.c - see in_place.h. */
#include "correlate/in_place.h"

#include "correlate/core.h"

void in_place_note_limits(struct part *part)
{
    part->is_limited = part->quota != NULL || shed_is_on(&part->shed);
}

/* As an event of the partition itself, and made by tocsin. */
static void bin_put(struct worker *worker, const struct part *part, const struct in_place *place,
                    const struct event_draft *draft)
{
    struct engine *engine = worker->engine;
    struct bin_slot *slot = bins_claim(&worker->bins, place->epoch);
    size_t bytes = event_text_bytes(draft);
    void *room = bins_text(&worker->bins, slot, bytes);
    struct event_text *text = event_text_pack(room, bytes, draft, place->et_ms);
    text->is_self_alert = true;
    struct id128 fingerprint = event_fingerprint(text, engine->config.seed);
    uint8_t lane = (uint8_t)(fingerprint.hi >> 56);

    *bins_event(&worker->bins, slot, lane_owner(engine, lane)) = (struct event){
        .fingerprint = fingerprint,
        .attr_hash = event_attr_hash(text, draft->severity, draft->state, engine->config.seed),
        .et_ms = place->et_ms,
        .ts_ms = place->et_ms,
        .offset = place->record->offset,
        .text = text,
        .part = part->id,
        .sub = (uint16_t)place->sub,
        .lane = lane,
        .severity = draft->severity,
        .state = draft->state,
        .flags = EVENT_DERIVED};
}

void in_place_put(struct worker *worker, struct part *part, const struct in_place *place,
                  struct event_draft *draft)
{
    draft->has_time = true;
    draft->time_ms = place->et_ms;
    if (place->epoch >= part->again_epoch)
        bin_put(worker, part, place, draft);
    part->counts.told++;
    part->before.told++;
    tally_add(&worker->tally.derived, 1);
    tally_add(&worker->tally.binned, 1);
}

void in_place_reject(struct worker *worker, struct part *part, const struct in_place *place,
                     const char *why)
{
    const struct engine_listener *listener = &worker->engine->listener;

    tally_add(&worker->tally.rejected[REJECT_QUOTA], 1);
    tally_add(&worker->tally.events, 1);
    tally_add(&part->rejected, 1);
    part->counts.rejected[REJECT_QUOTA]++;
    part->before.rejected++;
    if (listener->rejected != NULL)
        listener->rejected(listener->self, part->name, part->number, place->record, REJECT_QUOTA,
                           place->sub, why);
}

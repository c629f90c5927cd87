/*
 * by_hand.c - what somebody does to an incident, on its way through the stages (base/act.h).
 *
 *   stage D   every slot of the incident's rule has a key of these values, perhaps: each is told of
 *             a close. The act itself goes to stage I, where all open incidents are known by id
 *   stage R   the key that has the incident closes it
 *   stage I   an acknowledgement is a change (mute_stage.c); what came of an act is told
 *
 * So an act has its place among events, and its result depends on nothing else.
 */
#include "base/text.h"
#include "correlate/correlation.h"
#include "correlate/dedup_parts.h"

static void touch_slot(struct dedup *d, const struct event *ev, struct id128 incident,
                       uint32_t slot)
{
    const struct rule *rule = d->rules->slots[slot].rule;
    struct order order = dedup_event_order(d, ev);
    struct text value[RULE_BY_MAX];
    struct id128 key;

    for (uint32_t i = 0; i < rule->by_count; i++)
        value[i] = event_text_label(ev->text, i).value;
    key = key_id(d->rules->slots[slot].family, d->config->seed, value, rule->by_count);
    order.rule = d->rules->slots[slot].order;
    uint8_t lane = (uint8_t)(key.hi >> 56);
    unsigned to = lane_owner(d->worker->engine, lane);
    vector_add(&d->worker->touches_out[d->seq & (STEPS - 1)][to]) =
        (struct touch){.order = order,
                       .key = key,
                       .alert = incident,
                       .text = ev->text,
                       .slot = slot,
                       .kind = TOUCH_CLOSE,
                       .lane = lane};
}

static struct id128 incident_of(const struct event_text *text)
{
    struct text words = event_text_field(text, FIELD_DEDUP_KEY);
    char digits[ID128_TEXT_BYTES] = "";
    struct id128 id = {0, 0};

    memcpy(digits, words.at, words.len < sizeof(digits) ? words.len : sizeof(digits) - 1);
    id128_parse(digits, &id);
    return id;
}

void dedup_by_hand(struct dedup *d, const struct event *ev)
{
    struct order order = dedup_event_order(d, ev);
    bool closes = ev->state == EVENT_CLEAR;
    struct text id = event_text_field(ev->text, FIELD_CHECK);

    d->acts++;
    for (uint32_t slot = 0; closes && slot < d->rules->slot_count; slot++) {
        const struct rule *rule = d->rules->slots[slot].rule;
        if (rule != NULL && rule->by_count == ev->text->label_count &&
            texts_equal(text_of(rule->id), id))
            touch_slot(d, ev, incident_of(ev->text), slot);
    }
    order.rule = UINT32_MAX; /* behind the change that it makes */
    worker_change(d->worker, d->seq,
                  &(struct change){.order = order, .by_hand = ev->text, .closes = closes});
}

void incident_close_by_hand(struct correlation *c, struct key_lane *lane, uint32_t number,
                            const struct touch *touch)
{
    const struct key_state *key = key_at(lane, number);

    if (key->is_open && id128_equal(key_open(key)->latest->id, touch->alert)) {
        c->by_hand = touch->text;
        bool watches = incident_close(c, lane, number, &touch->order, CAUSE_BY_HAND);
        c->by_hand = NULL;
        if (!watches)
            return;
    }
    correlation_timer_keep(c, lane, number);
}

/* ---- stage I ---- */

bool incident_act(struct engine *engine, const struct change *act)
{
    struct id128 id = incident_of(act->by_hand);

    /* A close has closed it just now, by the change before. */
    return act->closes ? id128_equal(engine->closed_by_hand, id)
                       : mute_stage_acknowledge(&engine->mutes, &act->order, id, act->by_hand);
}

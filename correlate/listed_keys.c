/*
 * listed_keys.c - see listed_keys.h.
 *
 * Each worker goes through all rows of a list and takes those of its lanes: a hash per row and
 * worker, once per list that is new. What is taken is marked with the version's generation, so a
 * key without the mark is listed no more.
 *
 * A pass over all keys is made only where a list is new, or a rule that expects has gone.
 */
#include "correlate/listed_keys.h"

#include <stdlib.h>
#include "correlate/key_queue.h"
#include "correlate/rule_trace.h"

/* The slot's rule has a list that this worker has not gone by yet. */
static bool is_new(const struct correlation *c, uint32_t slot)
{
    const struct rule_slot *s = &c->rules->slots[slot];

    return s->current && s->rule->listed_count > 0 &&
           s->tally[c->worker->index].listed != s->rule->listed_digest.lo;
}

/* When the version took effect. That is a round's start, but for the first watermark, which is cut
 * down to one: how long an epoch is may not show. */
static int64_t from_ms(const struct correlation *c)
{
    int64_t round_ms = (int64_t)c->config->round_ms;

    return floor_div(c->step->from_ms, round_ms) * round_ms;
}

static void key_take(struct correlation *c, uint32_t slot, const struct text *value)
{
    const struct rule *rule = c->rules->slots[slot].rule;
    struct engine *engine = c->worker->engine;
    struct id128 id =
        key_id(c->rules->slots[slot].family, engine->config.seed, value, rule->by_count);
    unsigned l = (unsigned)(id.hi >> 56);

    if (lane_owner(engine, l) != c->worker->index)
        return;
    struct key_lane *lane = &engine->key_lanes[l];
    uint32_t number = key_find(lane, id);
    const bool is_former = number != UINT32_MAX && key_at(lane, number)->slot != slot &&
                           !key_at(lane, number)->is_open;
    if (number == UINT32_MAX) {
        number = rule_key_add(c, lane, id, slot, value);
        key_at(lane, number)->last_any = TIME_PACK(from_ms(c));
    } else if (is_former) { /* with an open incident it stays so, and the note is for its end */
        struct key_state *key = key_at(lane, number);
        expect_take_over(c, key, slot);
        key_queue_note(c->worker, key, number, key_last_ms(key));
    }
    expect_list(c, key_at(lane, number), from_ms(c));
    if (is_former)
        rule_trace_timer(c, key_at(lane, number), c->step->from_ms);
    correlation_timer_keep(c, lane, number);
}

/* What becomes of a slot's keys that are not listed, or no longer. */
enum sweep {
    SWEEP_NOTHING,
    SWEEP_OPEN,     /* incidents of a former form close; what watches leaves at its timer */
    SWEEP_WATCHING, /* those without an open incident leave */
    SWEEP_ALL
};

static void lane_sweep(struct correlation *c, struct key_lane *lane, const enum sweep *swept)
{
    for (uint32_t n = 0; n < lane->used; n++) {
        struct key_state *key = key_at(lane, n);
        const enum sweep sweep = key->used ? swept[key->slot] : SWEEP_NOTHING;
        if (sweep == SWEEP_NOTHING || !expect_unlist(c, key) ||
            sweep == (key->is_open ? SWEEP_WATCHING : SWEEP_OPEN))
            continue;
        if (!key->is_open) {
            rule_key_remove(c, lane, n);
        } else {
            struct order order = correlation_order(c, key, from_ms(c), ORDER_TIMER, ORDER_RULE);
            incident_close(c, lane, n, &order, CAUSE_UNLISTED);
        }
    }
}

/* Of a former form. Where the form in force lists other keys nobody would ever end their absences.
 * With no form in force nobody hears of signs of life, so a silence means nothing, also when the
 * rule comes back. */
static enum sweep sweep_of(const struct correlation *c, uint32_t slot, const enum sweep *swept)
{
    const uint32_t heir = rules_version_heir(c->rules, slot);

    if (heir == UINT32_MAX)
        return SWEEP_WATCHING;
    return swept[heir] == SWEEP_ALL ? SWEEP_OPEN : SWEEP_NOTHING;
}

void listed_keys_apply(struct correlation *c)
{
    const struct engine *engine = c->worker->engine;
    enum sweep *swept = memory_alloc((c->rules->slot_count + 1) * sizeof(*swept));
    bool any = false;

    for (uint32_t s = 0; s < c->rules->slot_count; s++) {
        const struct rule_slot *slot = &c->rules->slots[s];
        swept[s] = is_new(c, s) ? SWEEP_ALL : SWEEP_NOTHING;
        if (swept[s] == SWEEP_NOTHING)
            continue;
        any = true;
        for (uint32_t i = 0; i < slot->rule->listed_count; i++)
            key_take(c, s, &slot->rule->listed[(size_t)i * slot->rule->by_count]);
        slot->tally[c->worker->index].listed = slot->rule->listed_digest.lo;
    }
    for (uint32_t s = 0; c->rules->drain_count > 0 && s < c->rules->slot_count; s++) {
        const struct rule_slot *slot = &c->rules->slots[s];
        if (slot->rule == NULL || slot->current || slot->rule->form_kind != FORM_EXPECT)
            continue;
        swept[s] = sweep_of(c, s, swept);
        any |= swept[s] != SWEEP_NOTHING;
    }
    for (unsigned l = c->worker->index; any && l < LANES; l += engine->worker_count)
        lane_sweep(c, &engine->key_lanes[l], swept);
    free(swept);
}

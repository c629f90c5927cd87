/* rule_key.c - a key comes with its first touch and goes when it holds nothing. */
#include "correlate/correlation.h"
#include "correlate/key_queue.h"

uint32_t rule_key_add(struct correlation *c, struct key_lane *lane, struct id128 id, uint32_t slot,
                      const struct text *value)
{
    const struct rule *rule = c->rules->slots[slot].rule;
    uint32_t number = key_add(lane, id);
    struct key_state *key = key_at(lane, number);

    struct key_text *text = slab_alloc(&c->worker->slab, key_text_need(value, rule->by_count));
    key_text_pack(text, value, rule->by_count);
    key_set_words(key, text);
    key->slot = slot;
    key_queue_note(c->worker, key, number, c->step->from_ms);
    tally_add(&correlation_tally(c, key)->keys, 1);
    c->worker->so_far.keys_made++;
    return number;
}

uint32_t rule_key_make(struct correlation *c, struct key_lane *lane, const struct touch *touch)
{
    const struct event_view view = touch_view(touch);
    struct text value[RULE_BY_MAX];

    rule_by_values(c->rules->slots[touch->slot].rule, &view, value);
    return rule_key_add(c, lane, touch->key, touch->slot, value);
}

struct id128 rule_key_id(const struct correlation *c, const struct key_state *key)
{
    const struct key_text *words = key_words(key);
    struct text value[RULE_BY_MAX];

    for (uint32_t i = 0; i < words->count; i++)
        value[i] = key_text_value(words, i);
    return key_id(c->rules->slots[key->slot].family, c->config->seed, value, words->count);
}

void rule_key_let_go(struct correlation *c, struct key_lane *lane, uint32_t number)
{
    const struct key_state *key = key_at(lane, number);
    const uint32_t pending = correlation_form(c, key)->pending(c, key);

    c->retired += pending;
    correlation_hold(c, key, (uint64_t)0 - pending);
    rule_key_remove(c, lane, number);
}

void rule_key_inherit(struct correlation *c, struct key_state *key, uint32_t heir)
{
    tally_add(&correlation_tally(c, key)->keys, UINT64_MAX);
    c->worker->so_far.keys_gone++;
    key->slot = heir;
    key->is_queued = key->is_queued_open = false; /* in lines of the other form */
    tally_add(&correlation_tally(c, key)->keys, 1);
    c->worker->so_far.keys_made++;
}

/* Frees what a key holds, but for its words. */
static void key_free(struct key_state *key, const struct rule *rule, struct slab *slab)
{
    const struct rule_form *form = rule_forms[rule->form_kind];

    if (key->is_open) {
        struct open_incident *open = key_open(key);
        key_set_body(key, open->body);
        open_incident_free(open, slab);
    }
    if (key_body(key) != NULL)
        form->release(rule, key, slab);
    key_set_body(key, NULL);
}

void rule_keys_release(struct key_lane *lane, const struct rules_version *rules, struct slab *slab)
{
    for (uint32_t n = 0; n < lane->used; n++) {
        struct key_state *key = key_at(lane, n);
        if (!key->used)
            continue;
        slab_free(slab, key_words(key), key_text_bytes(key_words(key)));
        key_free(key, rules->slots[key->slot].rule, slab);
    }
    key_lane_release(lane);
}

void rule_key_remove(struct correlation *c, struct key_lane *lane, uint32_t number)
{
    struct key_state *key = key_at(lane, number);
    const struct id128 id = rule_key_id(c, key);

    tally_add(&correlation_tally(c, key)->keys, UINT64_MAX);
    c->worker->so_far.keys_gone++;
    worker_bury(c->worker, c->seq, key_words(key), key_text_bytes(key_words(key)));
    key_free(key, correlation_rule(c, key), &c->worker->slab);
    key_remove(lane, number, id);
}

/* rule_key.c - a key comes with its first touch and goes when it holds nothing. */
#include <string.h>
#include "correlate/correlation.h"

uint32_t rule_key_make(struct correlation *c, struct key_lane *lane, const struct touch *touch)
{
    const struct rule *rule = c->rules->slots[touch->slot].rule;
    const struct event_view view = touch_view(touch);
    struct text value[RULE_BY_MAX];
    size_t bytes = sizeof(struct key_text) + rule->by_count * sizeof(uint32_t);
    uint32_t number = key_add(lane, touch->key);
    struct key_state *key = key_at(lane, number);

    rule_by_values(rule, &view, value);
    for (uint32_t i = 0; i < rule->by_count; i++)
        bytes += value[i].len;
    struct key_text *text = slab_alloc(&c->worker->slab, bytes);
    text->count = rule->by_count;
    text->bytes = (uint32_t)bytes;
    char *data = (char *)(text->end + text->count);
    uint32_t at = 0;
    for (uint32_t i = 0; i < rule->by_count; i++) {
        if (value[i].len > 0)
            memcpy(data + at, value[i].at, value[i].len);
        at += value[i].len;
        text->end[i] = at;
    }
    key->text = text;
    key->slot = touch->slot;
    key->rule = rule;
    tally_add(&correlation_tally(c, key)->keys, 1);
    return number;
}

void rule_key_remove(struct correlation *c, struct key_lane *lane, uint32_t number)
{
    struct key_state *key = key_at(lane, number);

    tally_add(&correlation_tally(c, key)->keys, UINT64_MAX);
    worker_bury(c->worker, c->seq, key->text, key->text->bytes);
    key_remove(lane, &c->worker->slab, number);
}

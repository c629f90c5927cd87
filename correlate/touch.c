/* touch.c - the order of touches and changes. See touch.h. */
#include "correlate/touch.h"

static int text_compare(struct text a, struct text b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static size_t head_bytes(bool is_wide, uint32_t count)
{
    return sizeof(struct key_text) + count * (is_wide ? sizeof(uint32_t) : 1u);
}

struct text key_text_value(const struct key_text *key, uint32_t i)
{
    const char *at = (const char *)key + head_bytes(key->is_wide, key->count);

    for (uint32_t v = 0; v < i; v++)
        at += key_text_length(key, v);
    return (struct text){at, key_text_length(key, i)};
}

size_t key_text_bytes(const struct key_text *key)
{
    size_t bytes = head_bytes(key->is_wide, key->count);

    for (uint32_t i = 0; i < key->count; i++)
        bytes += key_text_length(key, i);
    return bytes;
}

static bool needs_wide(const struct text *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (values[i].len > UINT8_MAX)
            return true;
    return false;
}

size_t key_text_need(const struct text *values, uint32_t count)
{
    size_t bytes = head_bytes(needs_wide(values, count), count);

    for (uint32_t i = 0; i < count; i++)
        bytes += values[i].len;
    return bytes;
}

void key_text_pack(struct key_text *at, const struct text *values, uint32_t count)
{
    at->count = (uint8_t)count;
    at->is_wide = needs_wide(values, count);
    unsigned char *to = (unsigned char *)at + head_bytes(at->is_wide, count);
    for (uint32_t i = 0; i < count; i++) {
        if (at->is_wide)
            memcpy(at->bytes + i * sizeof(uint32_t), &values[i].len, sizeof(uint32_t));
        else
            at->bytes[i] = (unsigned char)values[i].len;
        if (values[i].len > 0)
            memcpy(to, values[i].at, values[i].len);
        to += values[i].len;
    }
}

int identity_compare(const struct event_text *a, const struct event_text *b)
{
    struct text key_a = event_text_field(a, FIELD_DEDUP_KEY);
    struct text key_b = event_text_field(b, FIELD_DEDUP_KEY);
    int order = text_compare(event_text_field(a, FIELD_TENANT), event_text_field(b, FIELD_TENANT));

    if (order != 0)
        return order;
    if ((key_a.len > 0) != (key_b.len > 0))
        return key_a.len > 0 ? -1 : 1;
    if (key_a.len > 0)
        return text_compare(key_a, key_b);
    for (int f = FIELD_SOURCE; f <= FIELD_CHECK && order == 0; f++)
        order = text_compare(event_text_field(a, (enum event_field)f),
                             event_text_field(b, (enum event_field)f));
    return order;
}

int key_text_compare(const struct key_text *a, const struct key_text *b)
{
    uint32_t common = a->count < b->count ? a->count : b->count;

    for (uint32_t i = 0; i < common; i++) {
        int order = text_compare(key_text_value(a, i), key_text_value(b, i));
        if (order != 0)
            return order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

#define ORDER_BY(x, y)                                                                             \
    if ((x) != (y))                                                                                \
    return (x) < (y) ? -1 : 1

int order_compare(const struct order *a, const struct order *b)
{
    ORDER_BY(a->at_ms, b->at_ms);
    ORDER_BY(a->class, b->class);
    if (a->class == ORDER_EVENT) {
        ORDER_BY(a->rank, b->rank);
        ORDER_BY(a->offset, b->offset);
        ORDER_BY(a->sub, b->sub);
        ORDER_BY(a->rule, b->rule);
        ORDER_BY(a->second, b->second);
        return 0;
    }
    ORDER_BY(a->stage, b->stage);
    if (a->stage == ORDER_DEDUP) {
        int order = identity_compare(a->identity, b->identity);
        if (order != 0)
            return order;
        ORDER_BY(a->rule, b->rule);
        ORDER_BY(a->second, b->second);
        return 0;
    }
    ORDER_BY(a->rule, b->rule);
    return key_text_compare(a->key, b->key);
}

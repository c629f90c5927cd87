/*
 * incident_make.c - see incident_make.h. Formats are those of docs/correlation.md,
 * section 4.
 */
#include "correlate/incident_make.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/slab.h"

enum { TITLE_BYTES = 255, WHY_BYTES = 300, WHY_VALUES = 5, DETAIL_BYTES = 4096 };

/* The largest length <= max at which the text can be cut between characters. */
static size_t cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

/* --- a growing piece of text, on the stack as long as it is short ---------------------- */

struct buffer {
    char *at;
    size_t used, room;
    char first[1024];
};

static void buffer_begin(struct buffer *buffer)
{
    buffer->at = buffer->first;
    buffer->used = 0;
    buffer->room = sizeof(buffer->first);
    buffer->first[0] = '\0';
}

static void buffer_end(struct buffer *buffer)
{
    if (buffer->at != buffer->first)
        free(buffer->at);
}

static void put(struct buffer *to, const char *text, size_t len)
{
    if (to->used + len + 1 > to->room) {
        bool is_first = to->at == to->first;
        to->room = (to->used + len + 1) * 2;
        to->at = memory_grow(is_first ? NULL : to->at, to->room);
        if (is_first)
            memcpy(to->at, to->first, to->used + 1);
    }
    if (len > 0)
        memcpy(to->at + to->used, text, len);
    to->used += len;
    to->at[to->used] = '\0';
}

static void put_string(struct buffer *to, const char *text)
{
    put(to, text, strlen(text));
}

static void put_number(struct buffer *to, int64_t number)
{
    char text[32];
    put(to, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, number));
}

/* 10m, 1m30s, 1h30m, 250ms */
static void put_duration(struct buffer *to, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms / units[i].ms > 0) {
            put_number(to, ms / units[i].ms);
            put_string(to, units[i].unit);
            ms %= units[i].ms;
        }
    }
}

/* --- key, why, id ---------------------------------------------------------------------- */

static void put_key(struct buffer *to, const struct rule *rule, const struct key_text *key)
{
    for (uint32_t i = 0; i < rule->by_count; i++) {
        struct text value = key_text_value(key, i);
        if (i > 0)
            put(to, " ", 1);
        put_string(to, rule->by_name[i]);
        put(to, "=", 1);
        put(to, value.at, value.len);
    }
}

/* The different values of one distinct, in the order of their first appearance. */
static void put_values(struct buffer *to, const struct window *window, uint32_t index)
{
    uint64_t shown[WHY_VALUES];
    unsigned count = 0;

    for (uint32_t e = 0; e < window->count; e++) {
        const struct window_values *values = window_at(window, e)->values;
        uint64_t hash = values->value[index].hash;
        unsigned i = 0;
        while (i < count && shown[i] != hash)
            i++;
        if (i < count)
            continue;
        if (count == WHY_VALUES) {
            put_string(to, ", ...");
            return;
        }
        struct text text = window_value_text(values, index);
        put_string(to, count > 0 ? ", " : ": ");
        if (text.len > 0)
            put(to, text.at, text.len);
        else
            put_string(to, "(none)");
        shown[count++] = hash;
    }
}

static void put_why(struct buffer *to, const struct opening *o)
{
    const struct rule *rule = o->rule;

    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        const struct rule_aggregate *aggregate = &rule->aggregate[i];
        if (i > 0)
            put_string(to, "; ");
        put_number(to, o->value[i]);
        if (aggregate->kind == AGGREGATE_COUNT) {
            put_string(to, rule->input == RULE_INPUT_EVENTS ? " event" : " alert");
            put_string(to, o->value[i] == 1 ? " in " : "s in ");
        } else {
            /* aggregate->text is "distinct(field)" */
            size_t len = strlen(aggregate->text);
            put_string(to, " different values of ");
            put(to, aggregate->text + 9, len - 10);
            put_string(to, " in ");
        }
        put_duration(to, rule->window_ms);
        put_string(to, " (needs ");
        put_number(to, aggregate->limit);
        put(to, ")", 1);
        if (aggregate->kind == AGGREGATE_DISTINCT)
            put_values(to, o->window, o->distinct_index[i]);
    }
    assert(to->at != NULL); /* a rule counts something: when needs an aggregate */
    to->used = cut(to->at, to->used, WHY_BYTES);
    to->at[to->used] = '\0';
}

static struct id128 id_make(const struct opening *o, const char *key, size_t key_len)
{
    struct buffer text;
    struct text tenant = key_text_value(o->key, 0);
    const struct order *order = &o->touch->order;

    buffer_begin(&text);
    put(&text, tenant.at, tenant.len);
    put(&text, "", 1);
    put_string(&text, o->rule->id);
    put(&text, "", 1);
    put(&text, key, key_len);
    if (order->class == ORDER_EVENT) {
        put(&text, "\0event\0", 7);
        put_string(&text, o->topic);
        put(&text, "/", 1);
        put_number(&text, o->partition);
        put(&text, "/", 1);
        put_number(&text, order->offset);
        put(&text, "/", 1);
        put_number(&text, order->sub);
    } else {
        put(&text, "\0timer\0", 7);
        put_number(&text, order->at_ms);
    }
    struct id128 id = hash128(text.at, text.used, 0);
    buffer_end(&text);
    return id;
}

struct id128 op_id_make(struct id128 incident, const char *sink, uint32_t number)
{
    char hex[ID128_TEXT_BYTES];
    struct buffer text;

    buffer_begin(&text);
    id128_format(incident, hex);
    put(&text, hex, sizeof(hex)); /* its zero byte is the border */
    put_string(&text, sink);
    put(&text, "", 1);
    put_number(&text, number);
    struct id128 id = hash128(text.at, text.used, 0);
    buffer_end(&text);
    return id;
}

/* --- the block ---------------------------------------------------------------------------- */

enum {
    TENANT,
    RULE,
    KEY,
    TITLE,
    TIER,
    RUNBOOK,
    TEAM,
    WHY,
    SOURCE,
    RESOURCE,
    CHECK,
    MESSAGE,
    HOST,
    STRINGS
};

static const size_t string_at[STRINGS] = {
    offsetof(struct incident, tenant), offsetof(struct incident, rule_id),
    offsetof(struct incident, key),    offsetof(struct incident, title),
    offsetof(struct incident, tier),   offsetof(struct incident, runbook),
    offsetof(struct incident, team),   offsetof(struct incident, why),
    offsetof(struct incident, source), offsetof(struct incident, resource),
    offsetof(struct incident, check),  offsetof(struct incident, message),
    offsetof(struct incident, host),
};

static const char **string_of(struct incident *incident, int which)
{
    return (const char **)(void *)((char *)incident + string_at[which]);
}

static struct text of_string(const char *text)
{
    return (struct text){text, (uint32_t)strlen(text)};
}

static struct text detail(struct text text)
{
    return (struct text){text.at, (uint32_t)cut(text.at, text.len, DETAIL_BYTES)};
}

struct incident *incident_make(const struct opening *o)
{
    const struct touch *touch = o->touch;
    const struct event_view view = {.text = touch->text,
                                    .severity = touch->severity,
                                    .state = EVENT_PROBLEM,
                                    .et_ms = touch->order.at_ms};
    struct buffer key, why;
    char title[TITLE_BYTES + 1];
    struct text texts[STRINGS];
    size_t bytes = sizeof(struct incident);

    buffer_begin(&key);
    buffer_begin(&why);
    put_key(&key, o->rule, o->key);
    put_why(&why, o);
    rule_title(o->rule, &view, o->value, title, sizeof(title));
    texts[TENANT] = key_text_value(o->key, 0);
    texts[RULE] = of_string(o->rule->id);
    texts[KEY] = (struct text){key.at, (uint32_t)key.used};
    texts[TITLE] = of_string(title);
    texts[TIER] = of_string(o->rule->tier);
    texts[RUNBOOK] = of_string(o->rule->runbook);
    texts[TEAM] = of_string(o->rule->team);
    texts[WHY] = (struct text){why.at, (uint32_t)why.used};
    texts[SOURCE] = detail(event_text_field(touch->text, FIELD_SOURCE));
    texts[RESOURCE] = detail(event_text_field(touch->text, FIELD_RESOURCE));
    texts[CHECK] = detail(event_text_field(touch->text, FIELD_CHECK));
    texts[MESSAGE] = detail(event_text_field(touch->text, FIELD_MESSAGE));
    texts[HOST] = detail(event_text_host(touch->text));
    for (int i = 0; i < STRINGS; i++)
        bytes += texts[i].len + 1u;

    struct incident *incident = memory_alloc(bytes);
    memset(incident, 0, sizeof(*incident));
    incident->block_bytes = (uint32_t)bytes;
    char *to = (char *)(incident + 1);
    for (int i = 0; i < STRINGS; i++) {
        *string_of(incident, i) = to;
        if (texts[i].len > 0)
            memcpy(to, texts[i].at, texts[i].len);
        to += texts[i].len;
        *to++ = '\0';
    }
    assert((size_t)(to - (char *)incident) == bytes);
    incident->id = id_make(o, key.at, key.used);
    incident->priority = o->rule->priority;
    atomic_init(&incident->refs, 1);
    buffer_end(&key);
    buffer_end(&why);
    return incident;
}

struct incident *incident_copy(const struct incident *from)
{
    struct incident *copy = memory_alloc(from->block_bytes);

    /* All but the count of references, which others may be changing now. */
    const size_t skip = offsetof(struct incident, block_bytes);
    memcpy((char *)copy + skip, (const char *)from + skip, from->block_bytes - skip);
    atomic_init(&copy->refs, 1);
    for (int i = 0; i < STRINGS; i++) {
        const char **string = string_of(copy, i);
        *string = (const char *)copy + (*string - (const char *)from);
    }
    return copy;
}

/*
 * incident_make.c - see incident_make.h. Formats are those of docs/correlation.md,
 * section 4.
 */
#include "correlate/incident_make.h"

#include <assert.h>
#include <string.h>
#include "base/hash.h"
#include "base/slab.h"
#include "base/text.h"
#include "correlate/image.h"

enum { TITLE_BYTES = 255, WHY_BYTES = 300, DETAIL_BYTES = 4096 };

/* --- key, id ---------------------------------------------------------------------- */

static void put_plain(struct text_buffer *to, struct text value)
{
    text_put(to, value.at, value.len);
}

static void put_key(struct text_buffer *to, const struct rule *rule, const struct key_text *key,
                    void (*put_value)(struct text_buffer *to, struct text value))
{
    for (uint32_t i = 0; i < rule->by_count; i++) {
        if (i > 0)
            text_put(to, " ", 1);
        text_put_string(to, rule->by_name[i]);
        text_put(to, "=", 1);
        put_value(to, key_text_value(key, i));
    }
}

static void put_sized(struct text_buffer *to, struct text text)
{
    text_put(to, (const char *)&text.len, sizeof(text.len));
    text_put(to, text.at, text.len);
}

/* See struct incident. */
static void put_fields(struct text_buffer *to, const struct rule *rule, const struct key_text *key)
{
    for (uint32_t i = 0; i < key->count; i++) {
        put_sized(to, text_of(rule->by_name[i]));
        put_sized(to, key_text_value(key, i));
    }
}

/* A blank within a value is not the one between two: whoever writes events must not be able to
 * write two keys that read alike, and so incidents of one id. */
static void put_escaped(struct text_buffer *to, struct text value)
{
    for (uint32_t from = 0, at = 0; at <= value.len; at++) {
        if (at < value.len && value.at[at] != ' ' && value.at[at] != '\\')
            continue;
        text_put(to, value.at + from, at - from);
        if (at < value.len)
            text_put(to, "\\", 1);
        from = at;
    }
}

static struct id128 id_make(const struct opening *o)
{
    struct text_buffer text;
    struct text tenant = key_text_value(o->key, 0);
    const struct order *order = o->order;

    text_begin(&text);
    text_put(&text, tenant.at, tenant.len);
    text_put(&text, "", 1);
    text_put_string(&text, o->rule->id);
    text_put(&text, "", 1);
    put_key(&text, o->rule, o->key, put_escaped);
    if (order->class == ORDER_EVENT) {
        text_put(&text, "\0event\0", 7);
        text_put_string(&text, o->topic);
        text_put(&text, "/", 1);
        text_put_number(&text, o->partition);
        text_put(&text, "/", 1);
        text_put_number(&text, order->offset);
        text_put(&text, "/", 1);
        text_put_number(&text, order->sub);
    } else {
        text_put(&text, "\0timer\0", 7);
        text_put_number(&text, order->at_ms);
        text_put_string(&text, o->is_former ? "/former" : "");
    }
    struct id128 id = hash128(text.at, text.used, 0);
    text_end(&text);
    return id;
}

struct id128 op_id_make(struct id128 incident, const char *sink, uint32_t number)
{
    char hex[ID128_TEXT_BYTES];
    struct text_buffer text;

    text_begin(&text);
    id128_format(incident, hex);
    text_put(&text, hex, sizeof(hex)); /* its zero byte is the border */
    text_put_string(&text, sink);
    text_put(&text, "", 1);
    text_put_number(&text, number);
    struct id128 id = hash128(text.at, text.used, 0);
    text_end(&text);
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
    MUTED_BY,
    ACKED_BY,
    BY,
    COMMENT,
    FIELDS,
    STRINGS
};

static const size_t string_at[STRINGS] = {
    offsetof(struct incident, tenant),   offsetof(struct incident, rule_id),
    offsetof(struct incident, key),      offsetof(struct incident, title),
    offsetof(struct incident, tier),     offsetof(struct incident, runbook),
    offsetof(struct incident, team),     offsetof(struct incident, why),
    offsetof(struct incident, source),   offsetof(struct incident, resource),
    offsetof(struct incident, check),    offsetof(struct incident, message),
    offsetof(struct incident, host),     offsetof(struct incident, muted_by),
    offsetof(struct incident, acked_by), offsetof(struct incident, by),
    offsetof(struct incident, comment),  offsetof(struct incident, fields),
};

static const char **string_of(struct incident *incident, int which)
{
    return (const char **)(void *)((char *)incident + string_at[which]);
}

static struct text detail(struct text text)
{
    return (struct text){text.at, (uint32_t)text_cut(text.at, text.len, DETAIL_BYTES)};
}

/* A snapshot of such texts, all else zero. Returns owned, one reference. */
static struct incident *block_make(const struct text texts[STRINGS])
{
    size_t bytes = sizeof(struct incident);

    for (int i = 0; i < STRINGS; i++)
        bytes += texts[i].len + 1u;
    struct incident *incident = incident_alloc(bytes);
    char *to = (char *)(incident + 1);
    for (int i = 0; i < STRINGS; i++) {
        *string_of(incident, i) = to;
        if (texts[i].len > 0)
            memcpy(to, texts[i].at, texts[i].len);
        to += texts[i].len;
        *to++ = '\0';
    }
    assert((size_t)(to - (char *)incident) == bytes);
    return incident;
}

struct incident *incident_make(const struct opening *o)
{
    const struct event_text *event = o->view.text;
    struct text_buffer key, why, fields;
    char title[TITLE_BYTES + 1];
    struct text texts[STRINGS];

    text_begin(&key);
    text_begin(&why);
    text_begin(&fields);
    put_fields(&fields, o->rule, o->key);
    put_key(&key, o->rule, o->key, put_plain);
    o->put_why(&why, o);
    why.used = text_cut(why.at, why.used, WHY_BYTES);
    why.at[why.used] = '\0';
    rule_title(o->rule, &o->view, o->value, title, sizeof(title));
    texts[TENANT] = key_text_value(o->key, 0);
    texts[RULE] = text_of(o->rule->id);
    texts[KEY] = (struct text){key.at, (uint32_t)key.used};
    texts[TITLE] = text_of(title);
    texts[TIER] = text_of(o->rule->tier);
    texts[RUNBOOK] = text_of(o->rule->runbook);
    texts[TEAM] = text_of(o->rule->team);
    texts[WHY] = (struct text){why.at, (uint32_t)why.used};
    texts[SOURCE] = detail(event_text_field(event, FIELD_SOURCE));
    texts[RESOURCE] = detail(event_text_field(event, FIELD_RESOURCE));
    texts[CHECK] = detail(event_text_field(event, FIELD_CHECK));
    texts[MESSAGE] = detail(event_text_field(event, FIELD_MESSAGE));
    texts[HOST] = detail(event_text_host(event));
    texts[MUTED_BY] = texts[ACKED_BY] = texts[BY] = texts[COMMENT] = text_of("");
    texts[FIELDS] = (struct text){fields.at, (uint32_t)fields.used};

    struct incident *incident = block_make(texts);
    incident->id = id_make(o);
    incident->priority = o->rule->priority;
    incident->field_count = (uint8_t)o->key->count;
    text_end(&key);
    text_end(&why);
    text_end(&fields);
    return incident;
}

struct incident *incident_copy(const struct incident *from)
{
    struct incident *to = incident_alloc(from->block_bytes);

    /* All but the count of references, which others may be changing now. */
    const size_t skip = offsetof(struct incident, block_bytes);
    memcpy((char *)to + skip, (const char *)from + skip, from->block_bytes - skip);
    for (int i = 0; i < STRINGS; i++) {
        const char **string = string_of(to, i);
        *string = (const char *)to + (*string - (const char *)from);
    }
    return to;
}

/* Bytes of all fields: texts with their lengths before them. */
static size_t fields_bytes(const struct incident *incident)
{
    const char *at = incident->fields;

    for (unsigned i = 0; i < 2u * incident->field_count; i++) {
        uint32_t len;
        memcpy(&len, at, sizeof(len));
        at += sizeof(len) + len;
    }
    return (size_t)(at - incident->fields);
}

static struct text string_text(const struct incident *incident, int which)
{
    const char *text = *string_of((struct incident *)(uintptr_t)incident, which);
    size_t len = which == FIELDS ? fields_bytes(incident) : strlen(text);

    return (struct text){text, (uint32_t)len};
}

/* All but the texts, which the block has its own of. */
static void head_copy(struct incident *to, const struct incident *from)
{
    const size_t at = offsetof(struct incident, id), end = offsetof(struct incident, tenant);

    memcpy((char *)to + at, (const char *)from + at, end - at);
}

struct incident *incident_copy_with(const struct incident *from, const struct incident_words *words)
{
    struct text texts[STRINGS];
    struct incident *to;

    for (int i = 0; i < STRINGS; i++)
        texts[i] = string_text(from, i);
    texts[MUTED_BY] = words->muted_by;
    if (words->acked_by.at != NULL)
        texts[ACKED_BY] = words->acked_by;
    texts[BY] = words->by;
    texts[COMMENT] = words->comment;
    to = block_make(texts);
    head_copy(to, from);
    return to;
}

/* --- images --------------------------------------------------------------------------------- */

static bool fields_are_whole(struct text fields, unsigned count)
{
    size_t used = 0;

    for (unsigned i = 0; i < 2 * count; i++) {
        uint32_t len;
        if (fields.len - used < sizeof(len))
            return false;
        memcpy(&len, fields.at + used, sizeof(len));
        used += sizeof(len);
        if (fields.len - used < len)
            return false;
        used += len;
    }
    return used == fields.len;
}

void incident_save(const struct incident *incident, struct image_out *out)
{
    image_put_id(out, incident->id);
    image_put_u32(out, incident->change);
    image_put_u32(out, incident->cause);
    image_put_i64(out, incident->at_ms);
    image_put_i64(out, incident->opened_ms);
    image_put_i64(out, incident->first_ts_ms);
    image_put_u32(out, incident->change_number);
    image_put_u32(out, incident->severity);
    image_put_u32(out, incident->priority);
    image_put_u64(out, incident->event_count);
    image_put_u32(out, incident->alert_count);
    image_put_u32(out, incident->open_count);
    image_put_u32(out, incident->is_forgotten);
    image_put_u32(out, incident->field_count);
    for (int i = 0; i < STRINGS; i++)
        image_put_text(out, string_text(incident, i));
}

struct incident *incident_load(struct image_in *in)
{
    struct incident head = {.id = image_take_id(in)};
    struct text texts[STRINGS];

    head.change =
        (enum incident_change)image_take_below(in, INCIDENT_CLOSED + 1, "there is no such change");
    head.cause =
        (enum incident_cause)image_take_below(in, INCIDENT_CAUSE_COUNT, "there is no such cause");
    head.at_ms = image_take_time(in);
    head.opened_ms = image_take_time(in);
    head.first_ts_ms = image_take_i64(in); /* what a sender says */
    head.change_number = image_take_u32(in);
    head.severity = (uint8_t)image_take_below(in, SEVERITY_COUNT, "there is no such severity");
    head.priority = (uint8_t)image_take_below(in, PRIORITY_P5 + 1, "there is no such priority");
    head.event_count = image_take_u64(in);
    head.alert_count = image_take_u32(in);
    head.open_count = image_take_u32(in);
    head.is_forgotten = image_take_flag(in);
    head.field_count = (uint8_t)image_take_below(in, RULE_BY_MAX + 1, "a key has too many values");
    for (int i = 0; i < STRINGS; i++)
        texts[i] = image_take_text(in);
    if (in->fault == NULL && !fields_are_whole(texts[FIELDS], head.field_count))
        image_fail(in, "the key of an incident is cut");
    if (in->fault != NULL)
        return NULL;
    struct incident *incident = block_make(texts);
    head_copy(incident, &head);
    return incident;
}

/* event.c - packing of events and the names of their scales. See event.h. */
#include "base/event.h"

#include <assert.h>
#include <string.h>
#include "base/hash.h"

static const char *const severity_names[SEVERITY_COUNT] = {"ok",    "debug", "info",    "warning",
                                                           "minor", "major", "critical"};
static const char *const state_names[] = {"problem", "clear"};
static const char *const reject_names[REJECT_REASON_COUNT] = {
    "none", "parse", "size", "depth", "utf8", "schema", "tenant", "quota", "crash"};
static const char *const field_names[EVENT_FIELD_COUNT] = {"tenant", "source",    "resource",
                                                           "check",  "dedup_key", "message"};

const char *severity_name(enum severity severity)
{
    return (unsigned)severity < SEVERITY_COUNT ? severity_names[severity] : "unknown";
}

const char *event_state_name(enum event_state state)
{
    return (unsigned)state < 2 ? state_names[state] : "unknown";
}

const char *reject_reason_name(enum reject_reason reason)
{
    return (unsigned)reason < REJECT_REASON_COUNT ? reject_names[reason] : "unknown";
}

const char *event_field_name(enum event_field field)
{
    return (unsigned)field < EVENT_FIELD_COUNT ? field_names[field] : "unknown";
}

static int text_compare(struct text a, struct text b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

struct text event_text_find_label(const struct event_text *text, struct text name)
{
    for (uint32_t i = 0; i < text->label_count; i++) {
        struct event_label label = event_text_label(text, i);
        if (label.name.len == name.len && memcmp(label.name.at, name.at, name.len) == 0)
            return label.value;
    }
    return (struct text){NULL, 0};
}

size_t event_text_bytes(const struct event_draft *draft)
{
    size_t bytes = sizeof(struct event_text) + 2 * sizeof(uint32_t) * (size_t)draft->label_count;

    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        bytes += draft->field[f].len;
    for (uint32_t i = 0; i < draft->label_count; i++)
        bytes += (size_t)draft->labels[i].name.len + draft->labels[i].value.len;
    return (bytes + 7) & ~(size_t)7;
}

static char *put(char *at, struct text text)
{
    /* Most words are short: a loop of eight beats the call for them, and the
     * allocation is rounded up to eight, but the next word follows directly,
     * so plain memcpy keeps within bounds. */
    if (text.len > 0)
        memcpy(at, text.at, text.len);
    return at + text.len;
}

struct event_text *event_text_pack(void *at, const struct event_draft *draft, int64_t ts_ms)
{
    struct event_text *text = at;
    uint16_t order[RECORD_FIELDS_MAX];
    uint32_t count = draft->label_count;
    char *data, *to;

    assert(count <= RECORD_FIELDS_MAX);
    text->ts_ms = ts_ms;
    text->label_count = (uint16_t)count;
    text->has_value = draft->has_value;
    text->reserved = 0;
    text->value = draft->value;
    data = to = (char *)(text->label_end + 2 * (size_t)count);
    for (int f = 0; f < EVENT_FIELD_COUNT; f++) {
        to = put(to, draft->field[f]);
        text->field_end[f] = (uint32_t)(to - data);
    }
    /* Insertion sort: labels are few and mostly come in the same order. */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = i;
        while (j > 0 && text_compare(draft->labels[order[j - 1]].name, draft->labels[i].name) > 0) {
            order[j] = order[j - 1];
            j--;
        }
        order[j] = (uint16_t)i;
    }
    for (uint32_t i = 0; i < count; i++) {
        to = put(to, draft->labels[order[i]].name);
        text->label_end[2 * i] = (uint32_t)(to - data);
        to = put(to, draft->labels[order[i]].value);
        text->label_end[2 * i + 1] = (uint32_t)(to - data);
    }
    text->bytes = (uint32_t)(((size_t)(to - (char *)text) + 7) & ~(size_t)7);
    return text;
}

struct id128 event_fingerprint(const struct event_text *text, uint64_t seed)
{
    const char *data = event_text_data(text);
    const uint32_t *end = text->field_end;

    if (end[FIELD_DEDUP_KEY] > end[FIELD_CHECK]) {
        /* (tenant, dedup key): two stretches, the hash of the first seeds the second. */
        uint64_t tenant = hash64(data, end[FIELD_TENANT], seed ^ 0x9e3779b97f4a7c15ULL);
        return hash128(data + end[FIELD_CHECK], end[FIELD_DEDUP_KEY] - end[FIELD_CHECK], tenant);
    }
    uint64_t borders = (uint64_t)end[FIELD_TENANT] | (uint64_t)end[FIELD_SOURCE] << 20 |
                       (uint64_t)end[FIELD_RESOURCE] << 40;
    return hash128(data, end[FIELD_CHECK], seed ^ hash_mix(borders + 1));
}

uint64_t event_attr_hash(const struct event_text *text, uint8_t severity, uint8_t state,
                         uint64_t seed)
{
    const char *data = event_text_data(text);
    uint64_t hash = seed ^ hash_mix((uint64_t)severity << 8 | state | 0x10000u);

    if (text->field_end[FIELD_DEDUP_KEY] > text->field_end[FIELD_CHECK]) {
        /* With a dedup key the identity fields are attributes too. */
        hash = hash64(text->field_end, 4 * sizeof(uint32_t), hash);
        hash = hash64(data, text->field_end[FIELD_DEDUP_KEY], hash);
    }
    if (text->label_count > 0) {
        uint32_t from = text->field_end[FIELD_MESSAGE];
        uint32_t to = text->label_end[2 * text->label_count - 1];
        uint32_t first = text->label_end[0] - from;
        /* Borders count relative to the labels' start: a longer message is no change. */
        uint64_t borders = first;
        for (uint32_t i = 1; i < 2u * text->label_count; i++)
            borders = borders * 0x9e3779b97f4a7c15ULL + (text->label_end[i] - from);
        hash = hash64(data + from, to - from, hash ^ hash_mix(borders + text->label_count));
    }
    return hash;
}

struct text event_text_host(const struct event_text *text)
{
    struct text host = event_text_find_label(text, (struct text){"host", 4});

    if (host.at == NULL) {
        host = event_text_field(text, FIELD_RESOURCE);
        const char *slash = host.len > 0 ? memchr(host.at, '/', host.len) : NULL;
        if (slash != NULL)
            host.len = (uint32_t)(slash - host.at);
    }
    return host;
}

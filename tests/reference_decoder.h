/*
 * reference_decoder.h - docs/events.md a second time: slow, obvious, over a tree of jansson.
 *
 * Shared by tests/test_decoder.c and tests/fuzz/fuzz_decoder.c. It uses nothing of
 * the decoder but the table of words. Where jansson cannot tell what the decoder
 * tells, the comparison says how close it must be:
 *   - numbers in labels keep their text; jansson gives the double of it;
 *   - times that are no whole number go through a double: to the millisecond.
 * What jansson 2.14 does that is worth knowing: a zero byte behind a number or a
 * literal is stepped over, where RFC 8259 refuses it (so do we); \u0000 is refused (no
 * JSON_ALLOW_NUL); a whole number beyond 64 bits is refused unless JSON_DECODE_INT_AS_REAL, which
 * is used here; a number that overflows a double is refused, one that underflows is 0.
 */
#ifndef TESTS_REFERENCE_DECODER_H
#define TESTS_REFERENCE_DECODER_H

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "ingest/decoder.h"
#include "base/severity.h"

struct ref_event {
    json_t *object; /* borrowed from the tree */
    json_t *exact;  /* the same object in the tree with whole numbers; may be NULL */
    const char *field[EVENT_FIELD_COUNT]; /* borrowed from the tree, or `made` */
    json_t *labels;                       /* NULL: none */
    int severity, state;
    bool has_time, time_is_exact, has_value, is_unsure;
    double time_ms, value;
    int64_t time_ms_exact;
    char made[17];
};

struct ref_result {
    bool is_accepted;
    bool is_unsure;           /* a number matters whose spelling the tree does not tell */
    json_t *tree, *exact;     /* owned */
    struct ref_event *events; /* owned */
    size_t count;
};

static bool ref_text(json_t *object, const char *name, const char **text)
{
    json_t *value = json_object_get(object, name);

    *text = "";
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return false;
    *text = json_string_value(value);
    return true;
}

static bool ref_limits(json_t *value, int depth, int *names)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_string(value))
        return json_string_length(value) <= RECORD_STRING_BYTES_MAX;
    if (!json_is_object(value) && !json_is_array(value))
        return true;
    if (depth + 1 > RECORD_DEPTH_MAX)
        return false;
    json_object_foreach (value, key, item) {
        ++*names;
        if (strlen(key) > RECORD_STRING_BYTES_MAX || !ref_limits(item, depth + 1, names))
            return false;
    }
    json_array_foreach (value, i, item)
        if (!ref_limits(item, depth + 1, names))
            return false;
    return true;
}

static bool ref_same_word(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        int x = *a == '-' || *a == '_' ? ' ' : *a >= 'A' && *a <= 'Z' ? *a + 32 : *a;
        if (x != *b)
            return false;
    }
    return *a == *b;
}

static int ref_severity(const char *word)
{
    enum severity severity;

    for (size_t n = 0; severity_table_word(n, &severity) != NULL; n++) {
        char row[17] = "";
        memcpy(row, severity_table_word(n, &severity), 16);
        if (ref_same_word(word, row))
            return (int)severity;
    }
    return -1;
}

static int ref_state(const char *word)
{
    enum event_state state;

    for (size_t n = 0; event_state_table_word(n, &state) != NULL; n++) {
        char row[17] = "";
        memcpy(row, event_state_table_word(n, &state), 16);
        if (ref_same_word(word, row))
            return (int)state;
    }
    return -1;
}

/* 1: a time, 0: none, -1: bad. */
static int ref_time_number(const json_t *number, struct ref_event *event)
{
    double x = json_number_value(number);

    if (x >= 0 && x < 0.001)
        return 0;
    event->is_unsure |= x == 0.001;
    /* A double may have been rounded over the border between two units. */
    if (!json_is_integer(number) && (x == 1e11 || x == 1e14 || x == 1e17 || x == 1e19))
        event->is_unsure = true;
    if (x < 0 || x >= 1e19)
        return -1;
    event->time_ms = x < 1e11 ? x * 1e3 : x < 1e14 ? x : x < 1e17 ? x / 1e3 : x / 1e6;
    if (json_is_integer(number)) {
        json_int_t n = json_integer_value(number);
        event->time_is_exact = true;
        event->time_ms_exact = n < 100000000000         ? n * 1000
                               : n < 100000000000000    ? n
                               : n < 100000000000000000 ? n / 1000
                                                        : n / 1000000;
    }
    return 1;
}

static int ref_number_of(const char *s, size_t from, size_t count)
{
    int n = 0;

    for (size_t i = from; i < from + count; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        n = n * 10 + s[i] - '0';
    }
    return n;
}

static int ref_time_date(const char *s, char gap, struct ref_event *event)
{
    size_t len = strlen(s), at = 19;
    int part[6] = {ref_number_of(s, 0, 4),  ref_number_of(s, 5, 2),  ref_number_of(s, 8, 2),
                   ref_number_of(s, 11, 2), ref_number_of(s, 14, 2), ref_number_of(s, 17, 2)};
    int64_t ms = 0, offset = 0;
    struct tm tm = {0};

    for (int i = 0; i < 6; i++)
        if (part[i] < 0)
            return -1;
    if (s[4] != gap || s[7] != gap || strchr("Tt ", s[10]) == NULL || s[13] != ':' || s[16] != ':')
        return -1;
    if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 ||
        part[4] > 59 || part[5] > 60)
        return -1;
    tm.tm_year = part[0] - 1900;
    tm.tm_mon = part[1] - 1;
    tm.tm_mday = part[2];
    int64_t days = (int64_t)timegm(&tm);
    if (tm.tm_mday != part[2])
        return -1; /* the library moved it to the next month: no such day */
    if (s[at] == '.') {
        int scale = 100;
        size_t digits = 0;
        for (at++; isdigit((unsigned char)s[at]); at++, digits++, scale /= 10)
            ms += (s[at] - '0') * scale;
        if (digits == 0 || digits > 9)
            return -1;
    }
    if (s[at] == 'Z' || s[at] == 'z') {
        at++;
    } else if (s[at] == '+' || s[at] == '-') {
        bool colon = len - at == 6;
        if (len - at != 6 && len - at != 5)
            return -1;
        int h = ref_number_of(s, at + 1, 2), m = ref_number_of(s, at + (colon ? 4 : 3), 2);
        if (h < 0 || m < 0 || h > 23 || m > 59 || (colon && s[at + 3] != ':'))
            return -1;
        offset = (h * 60 + m) * (s[at] == '-' ? -1 : 1);
        at = len;
    }
    if (at != len)
        return -1;
    if (part[0] <= 1)
        return 0;
    event->time_is_exact = true;
    event->time_ms_exact =
        (days + part[3] * 3600 + part[4] * 60 + part[5]) * 1000 - offset * 60000 + ms;
    return event->time_ms_exact != 0;
}

static int ref_time_text(const char *s, struct ref_event *event)
{
    size_t len = strlen(s);
    json_t *number;
    int kind = -1;

    if (len == 0)
        return 0;
    if (len >= 19 && s[4] == '-')
        return ref_time_date(s, '-', event);
    if (len == 19 && s[4] == '.' && s[7] == '.')
        return ref_time_date(s, '.', event);
    if (!isdigit((unsigned char)s[len - 1]) || (s[0] != '-' && !isdigit((unsigned char)s[0])))
        return -1;
    number = json_loadb(s, len, JSON_DECODE_ANY, NULL);
    if (number == NULL)
        number = json_loadb(s, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    if (json_is_number(number))
        kind = ref_time_number(number, event);
    json_decref(number);
    return kind;
}

static bool ref_label_kinds(json_t *labels)
{
    const char *key;
    json_t *value;

    json_object_foreach (labels, key, value)
        if (json_is_object(value) || json_is_array(value) || key[0] == '\0')
            return false;
    return true;
}

static bool ref_native(struct ref_event *event, const char *tenant)
{
    static const char *const names[EVENT_FIELD_COUNT] = {"tenant", "source",    "resource",
                                                         "check",  "dedup_key", "message"};
    const char *text;
    json_t *value;
    int time = 0;

    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        if (!ref_text(event->object, names[f], &event->field[f]))
            return false;
    if (event->field[FIELD_TENANT][0] == '\0')
        event->field[FIELD_TENANT] = tenant;
    if (event->field[FIELD_DEDUP_KEY][0] == '\0' &&
        (event->field[FIELD_RESOURCE][0] == '\0' || event->field[FIELD_CHECK][0] == '\0'))
        return false;

    value = json_object_get(event->object, "state");
    event->state = EVENT_PROBLEM;
    if (json_is_number(value)) {
        /* "1.0" is no state; only the tree with whole numbers tells it from 1. */
        event->is_unsure |= event->exact == NULL;
        if (event->exact != NULL && !json_is_integer(json_object_get(event->exact, "state")))
            return false;
        double x = json_number_value(value);
        if ((x != 0 && x != 1) || (x == 0 && signbit(x)))
            return false;
        event->state = x == 1 ? EVENT_PROBLEM : EVENT_CLEAR;
    } else {
        if (!ref_text(event->object, "state", &text))
            return false;
        if (text[0] != '\0' && (event->state = ref_state(text)) < 0)
            return false;
    }
    if (!ref_text(event->object, "severity", &text))
        return false;
    if (text[0] == '\0') {
        event->severity = event->state == EVENT_CLEAR ? SEVERITY_OK : SEVERITY_WARNING;
    } else {
        event->severity = ref_severity(text);
        if (event->severity < 0)
            return false;
        if (event->severity == SEVERITY_OK)
            event->state = EVENT_CLEAR;
    }
    value = json_object_get(event->object, "time");
    if (json_is_number(value)) {
        json_t *exact = event->exact ? json_object_get(event->exact, "time") : NULL;
        time = ref_time_number(exact != NULL ? exact : value, event);
    } else {
        if (!ref_text(event->object, "time", &text))
            return false;
        time = ref_time_text(text, event);
    }
    if (time < 0)
        return false;
    event->has_time = time == 1;
    value = json_object_get(event->object, "value");
    if (value != NULL && !json_is_null(value)) {
        if (!json_is_number(value))
            return false;
        event->has_value = true;
        event->value = json_number_value(value);
    }
    event->labels = json_object_get(event->object, "labels");
    if (json_is_null(event->labels))
        event->labels = NULL;
    return event->labels == NULL ||
           (json_is_object(event->labels) && ref_label_kinds(event->labels));
}

static int ref_compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* FNV-1a over sorted labels. `raw` numbers cannot be had from jansson: false then. */
static bool ref_fingerprint(json_t *labels, char *digits)
{
    const char *names[RECORD_FIELDS_MAX];
    size_t count = 0;
    uint64_t hash = 14695981039346656037ULL;
    const char *key;
    json_t *value;

    json_object_foreach (labels, key, value) {
        if (json_is_number(value))
            return false;
        if (!json_is_null(value))
            names[count++] = key;
    }
    qsort(names, count, sizeof(names[0]), ref_compare_names);
    for (size_t i = 0; i < count; i++) {
        value = json_object_get(labels, names[i]);
        const char *text = json_is_string(value) ? json_string_value(value)
                           : json_is_true(value) ? "true"
                                                 : "false";
        const char *part[2] = {names[i], text};
        for (int p = 0; p < 2; p++) {
            for (const char *c = part[p]; *c != '\0'; c++)
                hash = (hash ^ (unsigned char)*c) * 1099511628211ULL;
            hash = (hash ^ 0xff) * 1099511628211ULL;
        }
    }
    snprintf(digits, 17, "%016llx", (unsigned long long)hash);
    return true;
}

/* A label's text where it matters for the mapping. NULL: a number, not comparable. */
static const char *ref_label(json_t *labels, const char *name)
{
    json_t *value = json_object_get(labels, name);

    return value == NULL || json_is_null(value) ? ""
           : json_is_string(value)              ? json_string_value(value)
           : json_is_true(value)                ? "true"
           : json_is_false(value)               ? "false"
                                                : NULL;
}

static bool ref_alert(struct ref_event *event, const char *tenant, const char *source)
{
    static const char *const about[] = {"instance", "host",    "hostname", "node",
                                        "pod",      "service", "job"};
    static const char *const said[] = {"summary", "description", "message"};
    struct ref_event end = {0};
    const char *status, *starts, *ends, *text;
    json_t *notes;

    if (!ref_text(event->object, "status", &status) ||
        !ref_text(event->object, "startsAt", &starts) ||
        !ref_text(event->object, "endsAt", &ends) ||
        !ref_text(event->object, "fingerprint", &event->field[FIELD_DEDUP_KEY]))
        return false;
    event->labels = json_object_get(event->object, "labels");
    if (json_is_null(event->labels))
        event->labels = NULL;
    if (event->labels != NULL &&
        (!json_is_object(event->labels) || !ref_label_kinds(event->labels)))
        return false;
    notes = json_object_get(event->object, "annotations");
    if (notes != NULL && !json_is_null(notes) && !json_is_object(notes))
        return false;
    event->field[FIELD_TENANT] = tenant;
    event->field[FIELD_SOURCE] = source;
    event->field[FIELD_CHECK] = ref_label(event->labels, "alertname");
    event->field[FIELD_RESOURCE] = "";
    for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++) {
        text = ref_label(event->labels, about[i]);
        event->field[FIELD_RESOURCE] = text;
        if (text == NULL || text[0] != '\0')
            break;
    }
    event->field[FIELD_MESSAGE] = "";
    for (int i = 2; i >= 0; i--) {
        if (!ref_text(notes, said[i], &text))
            return false;
        if (text[0] != '\0')
            event->field[FIELD_MESSAGE] = text;
    }
    if (event->field[FIELD_DEDUP_KEY][0] == '\0')
        event->field[FIELD_DEDUP_KEY] =
            ref_fingerprint(event->labels, event->made) ? event->made : NULL;
    if (strcmp(status, "firing") == 0)
        event->state = EVENT_PROBLEM;
    else if (strcmp(status, "resolved") == 0)
        event->state = EVENT_CLEAR;
    else
        return false;
    int start_kind = ref_time_text(starts, event), end_kind = ref_time_text(ends, &end);
    event->is_unsure |= end.is_unsure;
    if (start_kind < 0 || end_kind < 0)
        return false;
    event->has_time = start_kind == 1;
    if (event->state == EVENT_CLEAR && end_kind == 1) {
        event->has_time = true;
        event->time_is_exact = end.time_is_exact;
        event->time_ms = end.time_ms;
        event->time_ms_exact = end.time_ms_exact;
    }
    text = ref_label(event->labels, "severity");
    event->severity = text != NULL ? ref_severity(text) : -1;
    if (event->severity < 0)
        event->severity = SEVERITY_WARNING;
    if (event->severity == SEVERITY_OK && event->state == EVENT_PROBLEM)
        event->severity = SEVERITY_INFO;
    return true;
}

static bool ref_room(struct ref_result *result, size_t count)
{
    result->events = calloc(count + 1, sizeof(*result->events));
    result->count = count;
    return count > 0 && count <= RECORD_EVENTS_MAX;
}

static bool ref_decode_native(struct ref_result *result, const char *tenant)
{
    bool is_array = json_is_array(result->tree);

    if (!ref_room(result, is_array ? json_array_size(result->tree) : 1))
        return false;
    for (size_t i = 0; i < result->count; i++) {
        struct ref_event *event = &result->events[i];
        int names = 0;
        event->object = is_array ? json_array_get(result->tree, i) : result->tree;
        event->exact = is_array ? json_array_get(result->exact, i) : result->exact;
        if (!json_is_object(event->object) || !ref_limits(event->object, is_array, &names) ||
            names > RECORD_FIELDS_MAX || !ref_native(event, tenant))
            return false;
    }
    return true;
}

static bool ref_decode_alertmanager(struct ref_result *result, const char *tenant)
{
    json_t *alerts = json_object_get(result->tree, "alerts");
    json_t *exact = json_object_get(result->exact, "alerts");
    json_t *truncated = json_object_get(result->tree, "truncatedAlerts");
    const char *url, *receiver;
    json_t *item;
    size_t i;
    int all = 0, inner = 0;

    if (!json_is_object(result->tree) || !json_is_array(alerts) ||
        !ref_text(result->tree, "externalURL", &url) ||
        !ref_text(result->tree, "receiver", &receiver))
        return false;
    if (truncated != NULL && !json_is_null(truncated)) {
        double x = json_number_value(truncated);
        if (!json_is_number(truncated) || signbit(x) || x != floor(x) || x > 4294967295.0)
            return false;
        result->is_unsure |= result->exact == NULL;
        if (result->exact != NULL &&
            !json_is_integer(json_object_get(result->exact, "truncatedAlerts")))
            return false;
    }
    if (!ref_limits(result->tree, 0, &all) || !ref_room(result, json_array_size(alerts)))
        return false;
    json_array_foreach (alerts, i, item) {
        struct ref_event *event = &result->events[i];
        int names = 0;
        event->object = item;
        event->exact = json_array_get(exact, i);
        if (!json_is_object(item) || !ref_limits(item, 2, &names) || names > RECORD_FIELDS_MAX ||
            !ref_alert(event, tenant, url[0] != '\0' ? url : receiver))
            return false;
        inner += names;
    }
    return all - inner <= RECORD_FIELDS_MAX;
}

static struct ref_result ref_decode(enum event_format format, const char *record, size_t bytes,
                                    const char *tenant)
{
    struct ref_result result = {0};
    size_t flags = JSON_REJECT_DUPLICATES;

    /* A zero byte is nowhere legal in JSON; jansson 2.14 steps over one that
     * follows a number or a literal. */
    if (bytes == 0 || bytes > RECORD_BYTES_MAX || memchr(record, '\0', bytes) != NULL)
        return result;
    result.tree = json_loadb(record, bytes, flags | JSON_DECODE_INT_AS_REAL, NULL);
    if (result.tree == NULL)
        return result;
    result.exact = json_loadb(record, bytes, flags, NULL);
    if (format == FORMAT_AUTO)
        format =
            json_object_get(result.tree, "alerts") != NULL ? FORMAT_ALERTMANAGER : FORMAT_NATIVE;
    result.is_accepted = format == FORMAT_NATIVE ? ref_decode_native(&result, tenant)
                                                 : ref_decode_alertmanager(&result, tenant);
    for (size_t i = 0; i < result.count; i++)
        result.is_unsure |= result.events[i].is_unsure;
    return result;
}

static void ref_release(struct ref_result *result)
{
    json_decref(result->tree);
    json_decref(result->exact);
    free(result->events);
}

static bool ref_same_text(const char *want, struct text text)
{
    return text.len == strlen(want) && (text.len == 0 || memcmp(text.at, want, text.len) == 0);
}

/* Where an order of labels comes with them, is it that of their names, all of them? */
static bool ref_is_ordered(const struct event_draft *draft)
{
    for (uint32_t i = 1; draft->label_order != NULL && i < draft->label_count; i++) {
        struct text a = draft->labels[draft->label_order[i - 1]].name;
        struct text b = draft->labels[draft->label_order[i]].name;
        int way = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
        /* No name comes twice: what rises throughout leaves none out. */
        if (way > 0 || (way == 0 && a.len >= b.len))
            return false;
    }
    return true;
}

/* What differs, NULL when nothing does. */
static const char *ref_compare_event(const struct ref_event *event, const struct event_draft *draft)
{
    uint32_t count = 0;
    const char *key;
    json_t *value;

    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        if (event->field[f] != NULL && !ref_same_text(event->field[f], draft->field[f]))
            return event_field_name((enum event_field)f);
    if (event->severity != draft->severity)
        return "severity";
    if (event->state != draft->state)
        return "state";
    if (event->has_time != draft->has_time)
        return "presence of time";
    if (event->has_time && event->time_is_exact && event->time_ms_exact != draft->time_ms)
        return "time";
    if (event->has_time && !event->time_is_exact &&
        fabs(event->time_ms - (double)draft->time_ms) > 1.001)
        return "time that is no whole number";
    if (event->has_value != draft->has_value || (event->has_value && event->value != draft->value))
        return "value";
    json_object_foreach (event->labels, key, value) {
        if (json_is_null(value))
            continue;
        if (count == draft->label_count)
            return "number of labels";
        struct text name = draft->labels[count].name, text = draft->labels[count].value;
        char copy[RECORD_STRING_BYTES_MAX + 1];
        count++;
        if (!ref_same_text(key, name))
            return "name of a label";
        if (json_is_number(value)) {
            if (text.len < sizeof(copy)) {
                memcpy(copy, text.at, text.len);
                copy[text.len] = '\0';
                if (strtod(copy, NULL) != json_number_value(value))
                    return "number in a label";
            }
            continue;
        }
        const char *want = json_is_string(value) ? json_string_value(value)
                           : json_is_true(value) ? "true"
                                                 : "false";
        if (!ref_same_text(want, text))
            return "value of a label";
    }
    if (!ref_is_ordered(draft))
        return "order of labels";
    return count == draft->label_count ? NULL : "number of labels";
}

static const char *ref_compare(const struct ref_result *want, const struct decode_result *got)
{
    if (want->is_unsure)
        return NULL;
    if (want->is_accepted != (got->reason == REJECT_NONE))
        return want->is_accepted ? "refused what the reference accepts"
                                 : "accepted what the reference refuses";
    if (!want->is_accepted)
        return NULL;
    if (want->count != got->draft_count)
        return "number of events";
    for (size_t i = 0; i < want->count; i++) {
        const char *what = ref_compare_event(&want->events[i], &got->drafts[i]);
        if (what != NULL)
            return what;
    }
    return NULL;
}

#endif

/*
 * settings_text.c - see settings_text.h.
 */
#include "daemon/settings_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/incident.h"
#include "base/vector.h"
#include "correlate/quota.h"
#include "daemon/units.h"

struct lines {
    VECTOR_OF(char) bytes;
};

__attribute__((format(printf, 2, 3))) static void add(struct lines *to, const char *form, ...)
{
    va_list args, again;
    int bytes;

    va_start(args, form);
    va_copy(again, args);
    bytes = vsnprintf(NULL, 0, form, args);
    vector_reserve(&to->bytes, (size_t)bytes + 1);
    vsnprintf(to->bytes.at + to->bytes.count, (size_t)bytes + 1, form, again);
    to->bytes.count += (size_t)bytes;
    va_end(again);
    va_end(args);
}

static void add_duration(struct lines *to, const char *key, int64_t ms)
{
    char text[UNIT_TEXT_BYTES];

    add(to, "%s %s\n", key, unit_format_duration(ms, text));
}

static const char *format_name(enum event_format format)
{
    switch (format) {
    case FORMAT_AUTO:
        return "auto";
    case FORMAT_NATIVE:
        return "native";
    case FORMAT_ALERTMANAGER:
        break;
    }
    return "alertmanager";
}

static const char *limit_name(uint8_t priority)
{
    return priority != PRIORITY_NONE ? priority_name((enum priority)priority) : "all";
}

static const char *answer(bool is_so)
{
    return is_so ? "true" : "false";
}

static void add_terms(struct lines *to, const struct engine_terms *terms)
{
    add(to, "engine.alerts.max %" PRIu32 "\n", terms->alerts_max);
    add_duration(to, "engine.expire", terms->expire_ms);
    add_duration(to, "engine.flap.window", terms->flap_window_ms);
    add(to, "engine.flap.start %u\nengine.flap.stop %u\n", terms->flap_start, terms->flap_stop);
}

/* Their keys end by a colon, so a name has none; nor the sign that stands for it. */
static void add_name(struct lines *to, const char *name)
{
    for (; *name != '\0'; name++)
        if (*name == ':' || *name == '%')
            add(to, "%%%02x", (unsigned)*name);
        else
            add(to, "%c", *name);
}

/* Where nobody is limited nothing is said, as by a version that knew no quotas. */
static void add_quotas(struct lines *to, const struct quota_config *quotas)
{
    if (!quota_is_wanted(quotas))
        return;
    add(to, "quotas: events %" PRIu32 ", burst %" PRIu32 ", tracked %" PRIu32 "\n", quotas->events,
        quotas->burst, quotas->tenants_max);
    for (size_t i = 0; i < quotas->tenant_count; i++) {
        add(to, "quotas ");
        add_name(to, quotas->tenants[i].tenant);
        add(to, ": events %" PRIu32 ", burst %" PRIu32 "\n", quotas->tenants[i].events,
            quotas->tenants[i].burst);
    }
}

char *settings_text(const struct engine_config *engine)
{
    const struct engine_terms terms = engine_terms_of(engine);
    struct lines to = {.bytes = {0}};
    char disorder[UNIT_TEXT_BYTES];

    add_duration(&to, "engine.round", engine->round_ms);
    add_duration(&to, "engine.past", engine->past_ms);
    add_duration(&to, "engine.future", engine->future_ms);
    add_duration(&to, "engine.behind", engine->behind_ms);
    add_terms(&to, &terms);
    for (size_t i = 0; i < engine->topic_count; i++) {
        const struct topic_config *topic = &engine->topics[i];
        add(&to,
            "input.topics %s: format %s, disorder %s, log_append_time %s, tenant %s, "
            "tenant_fixed %s\n",
            topic->topic != NULL ? topic->topic : "(others)", format_name(topic->format),
            unit_format_duration(topic->disorder_ms, disorder), answer(topic->log_append_time),
            topic->tenant != NULL ? topic->tenant : "", answer(topic->tenant_fixed));
    }
    add_quotas(&to, &engine->quotas);
    for (size_t i = 0; i < engine->sink_count; i++)
        add(&to, "sinks %s: priority %s\n", engine->sink_names[i],
            limit_name(engine->sink_priority_max != NULL ? engine->sink_priority_max[i]
                                                         : PRIORITY_NONE));
    return to.bytes.at;
}

/* ---- what may change between two runs ---- */

/* The line at `at`, without its end; `at` is behind it then. */
static struct text line_take(const char **at)
{
    struct text line = {*at, (uint32_t)strcspn(*at, "\n")};

    *at += line.len + ((*at)[line.len] == '\n');
    return line;
}

static bool begins(struct text line, const char *with)
{
    return line.len >= strlen(with) && memcmp(line.at, with, strlen(with)) == 0;
}

/* What the line is of: all before the first space of a key, or the colon of a list. */
static size_t key_bytes(struct text line)
{
    const char *end = memchr(line.at, begins(line, "engine.") ? ' ' : ':', line.len);

    return end != NULL ? (size_t)(end - line.at) : line.len;
}

/* The line of `text` with the same key; none: one of no bytes at the end of the text. */
static struct text line_of_key(const char *text, struct text like)
{
    while (*text != '\0') {
        struct text line = line_take(&text);
        if (key_bytes(line) == key_bytes(like) && memcmp(line.at, like.at, key_bytes(like)) == 0)
            return line;
    }
    return (struct text){text, 0};
}

/* They decide which marks are made, and marks are kept. Older directories list them. */
static bool is_of_marks(struct text line)
{
    return begins(line, "engine.epoch ") || begins(line, "engine.slack ");
}

/* A round is the grid on which everything lies that was told, and a recovery has to read again what
 * was read: all else may. `there` is the line of the other text, empty where it has none. */
static bool may_change(struct text line, struct text there, const struct settings_reader *reader)
{
    const size_t key = key_bytes(line), topic = strlen("input.topics ");

    if (begins(line, "engine.round "))
        return false;
    return !begins(line, "input.topics ") || there.len > 0 ||
           !reader->has_read(reader->self, (struct text){line.at + topic, (uint32_t)(key - topic)});
}

/* Looks for lines of `text` that the other one has not. False: one of them may not change. */
static bool look_through(const char *text, const char *other, const struct settings_reader *reader,
                         bool *differ, struct text *fixed)
{
    while (*text != '\0') {
        struct text line = line_take(&text), there = line_of_key(other, line);
        if ((line.len == there.len && memcmp(line.at, there.at, line.len) == 0) ||
            is_of_marks(line))
            continue;
        *differ = true;
        *fixed = line;
        if (!may_change(line, there, reader))
            return false;
    }
    return true;
}

/* Ops of one change are told in the order of sinks, so what stays keeps its order. */
static bool sinks_keep_order(const char *before, const char *now)
{
    const char *last = now;

    while (*before != '\0') {
        struct text line = line_take(&before), there = line_of_key(now, line);
        if (!begins(line, "sinks ") || there.len == 0)
            continue;
        if (there.at < last)
            return false;
        last = there.at;
    }
    return true;
}

enum settings_change settings_compare(const char *before, const char *now,
                                      const struct settings_reader *reader, struct error *what)
{
    bool differ = false;
    struct text fixed, then, is;

    if (look_through(before, now, reader, &differ, &fixed) &&
        look_through(now, before, reader, &differ, &fixed)) {
        if (sinks_keep_order(before, now))
            return differ ? SETTINGS_SWITCH : SETTINGS_EQUAL;
        error_set(what, "the sinks stand in another order");
        return SETTINGS_FIXED;
    }
    then = line_of_key(before, fixed);
    is = line_of_key(now, fixed);
    if (then.len == 0)
        then = (struct text){"nothing", strlen("nothing")};
    if (is.len == 0)
        is = (struct text){"nothing", strlen("nothing")};
    error_set(what, "then \"%.*s\", now \"%.*s\"", (int)then.len, then.at, (int)is.len, is.at);
    return SETTINGS_FIXED;
}

/* The limit that a line's end names. */
static uint8_t limit_of(struct text name)
{
    uint8_t limit = PRIORITY_NONE;

    while (limit < PRIORITY_P5 && (name.len != strlen(limit_name(limit)) ||
                                   memcmp(name.at, limit_name(limit), name.len) != 0))
        limit++;
    return limit;
}

uint8_t settings_sink_priority(const char *text, const char *sink)
{
    const size_t key = strlen("sinks "), bytes = strlen(sink), middle = strlen(": priority ");
    const size_t before = key + bytes + middle;

    while (*text != '\0') {
        struct text line = line_take(&text);
        if (begins(line, "sinks ") && key_bytes(line) == key + bytes && line.len > before &&
            memcmp(line.at + key, sink, bytes) == 0)
            return limit_of((struct text){line.at + before, line.len - (uint32_t)before});
    }
    return SETTINGS_NO_SINK;
}

/* ---- texts of texts ---- */

char *settings_text_with(const char *text, const struct engine_terms *terms)
{
    struct lines to = {.bytes = {0}}, named = {.bytes = {0}};
    bool are_added = false;

    add_terms(&named, terms);
    while (*text != '\0') {
        struct text line = line_take(&text);
        if (line_of_key(named.bytes.at, line).len == 0)
            add(&to, "%.*s\n", (int)line.len, line.at);
        else if (!are_added)
            add(&to, "%s", named.bytes.at);
        are_added |= line_of_key(named.bytes.at, line).len > 0;
    }
    free(named.bytes.at);
    return to.bytes.at;
}

static void add_difference(struct lines *to, struct text then, struct text now)
{
    static const struct text nothing = {"nothing", 7};

    then = then.len > 0 ? then : nothing;
    now = now.len > 0 ? now : nothing;
    add(to, "then \"%.*s\", now \"%.*s\"\n", (int)then.len, then.at, (int)now.len, now.at);
}

char *settings_differences(const char *before, const char *now)
{
    struct lines to = {.bytes = {0}};
    const char *at = before;

    add(&to, "%s", "");
    while (*at != '\0') {
        struct text line = line_take(&at), there = line_of_key(now, line);
        if (!is_of_marks(line) &&
            (line.len != there.len || memcmp(line.at, there.at, line.len) != 0))
            add_difference(&to, line, there);
    }
    while (*now != '\0') {
        struct text line = line_take(&now);
        if (line_of_key(before, line).len == 0)
            add_difference(&to, (struct text){"", 0}, line);
    }
    return to.bytes.at;
}

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

char *settings_text(const struct engine_config *engine)
{
    struct lines to = {.bytes = {0}};
    char disorder[UNIT_TEXT_BYTES];

    add_duration(&to, "engine.round", engine->round_ms);
    add_duration(&to, "engine.past", engine->past_ms);
    add_duration(&to, "engine.future", engine->future_ms);
    add(&to, "engine.alerts.max %" PRIu32 "\n", engine->alerts_max);
    add_duration(&to, "engine.expire", engine->expire_ms);
    add_duration(&to, "engine.flap.window", engine->flap_window_ms);
    add(&to, "engine.flap.start %u\nengine.flap.stop %u\n", engine->flap_start, engine->flap_stop);
    for (size_t i = 0; i < engine->topic_count; i++) {
        const struct topic_config *topic = &engine->topics[i];
        add(&to,
            "input.topics %s: format %s, disorder %s, log_append_time %s, tenant %s, "
            "tenant_fixed %s\n",
            topic->topic != NULL ? topic->topic : "(others)", format_name(topic->format),
            unit_format_duration(topic->disorder_ms, disorder), answer(topic->log_append_time),
            topic->tenant != NULL ? topic->tenant : "", answer(topic->tenant_fixed));
    }
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
    return begins(line, "engine.epoch ") || begins(line, "engine.behind ") ||
           begins(line, "engine.slack ");
}

static bool may_change(struct text line, const struct settings_reader *reader)
{
    const size_t key = key_bytes(line), topic = strlen("input.topics ");

    if (begins(line, "sinks "))
        return true;
    return begins(line, "input.topics ") &&
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
        if (!may_change(line, reader))
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

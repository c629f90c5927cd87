/*
 * settings_text.c - see settings_text.h.
 */
#include "daemon/settings_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/vector.h"

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

char *settings_text(const struct engine_config *engine)
{
    struct lines to = {.bytes = {0}};

    add(&to, "engine.epoch %ums\nengine.round %ums\n", engine->epoch_ms, engine->round_ms);
    add(&to, "engine.past %" PRId64 "ms\nengine.future %" PRId64 "ms\n", engine->past_ms,
        engine->future_ms);
    add(&to, "engine.behind %" PRId64 "ms\nengine.slack %" PRId64 "ms\n", engine->behind_ms,
        engine->slack_ms);
    add(&to, "engine.alerts.max %" PRIu32 "\nengine.expire %" PRId64 "ms\n", engine->alerts_max,
        engine->expire_ms);
    add(&to, "engine.flap.window %" PRId64 "ms\nengine.flap.start %u\nengine.flap.stop %u\n",
        engine->flap_window_ms, engine->flap_start, engine->flap_stop);
    for (size_t i = 0; i < engine->topic_count; i++) {
        const struct topic_config *topic = &engine->topics[i];
        add(&to,
            "input.topics %s: format %d, disorder %" PRId64
            "ms, log_append_time %d, tenant %s, tenant_fixed %d\n",
            topic->topic != NULL ? topic->topic : "(others)", (int)topic->format,
            topic->disorder_ms, topic->log_append_time, topic->tenant != NULL ? topic->tenant : "",
            topic->tenant_fixed);
    }
    for (size_t i = 0; i < engine->sink_count; i++)
        add(&to, "sinks %s: priority %d\n", engine->sink_names[i],
            engine->sink_priority_max != NULL ? engine->sink_priority_max[i] : 0);
    return to.bytes.at;
}

static int line_of(const char *at)
{
    return (int)strcspn(at, "\n");
}

void settings_differ(const char *before, const char *now, struct error *out)
{
    while (*before != '\0' && *now != '\0' && line_of(before) == line_of(now) &&
           memcmp(before, now, (size_t)line_of(now)) == 0) {
        before += line_of(before) + (before[line_of(before)] == '\n');
        now += line_of(now) + (now[line_of(now)] == '\n');
    }
    error_set(out, "then \"%.*s\", now \"%.*s\"", *before != '\0' ? line_of(before) : 7,
              *before != '\0' ? before : "nothing", *now != '\0' ? line_of(now) : 7,
              *now != '\0' ? now : "nothing");
}

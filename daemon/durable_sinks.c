/*
 * durable_sinks.c - which sinks are told of an incident, where sinks came and went between two
 * runs. See durable.h.
 *
 * A sink is told of an incident that opened when it was configured for it, while it is configured.
 * That hangs on times of the incident alone, so a recovery comes to the same. The engine makes ops
 * for all sinks that there are now, at the widest limit that each ever had; the others are left out
 * here, before they count.
 */
#include "daemon/durable_parts.h"

#include <stdlib.h>
#include <string.h>
#include "daemon/command.h"
#include "daemon/settings_text.h"

static struct sinks_then *add(struct durable *durable, int64_t from_ms, const char *text)
{
    const struct engine_config *engine = durable->options.engine;
    struct sinks_then *to = &durable->sinks_then[durable->sinks_then_count++];

    to->from_ms = from_ms;
    to->priority_max = memory_alloc(engine->sink_count + 1);
    for (size_t i = 0; i < engine->sink_count; i++)
        to->priority_max[i] = settings_sink_priority(text, engine->sink_names[i]);
    return to;
}

static void widen(uint8_t *widest, uint8_t other)
{
    if (other != SETTINGS_NO_SINK && *widest != PRIORITY_NONE &&
        (other == PRIORITY_NONE || other > *widest))
        *widest = other;
}

int durable_load_sinks(struct durable *durable, const char *now, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    const size_t sinks = durable->options.engine->sink_count;
    struct id128 last = {0, 0};

    durable->sinks_then = memory_alloc((past->rules_count + 1) * sizeof(*durable->sinks_then));
    for (size_t i = 0; i < past->rules_count; i++) {
        struct kept_files kept;
        if (i > 0 && id128_equal(past->rules[i].settings, last))
            continue;
        last = past->rules[i].settings;
        if (kept_files_load(durable->blobs, last, &kept, err) != 0)
            return EXIT_DATA;
        add(durable, past->rules[i].from_ms, kept.file.count > 0 ? kept.file.at[0].at : "");
        kept_files_release(&kept);
    }
    if (past->rules_count == 0 || !id128_equal(last, durable->settings))
        add(durable, past->to_ms, now);
    durable->priority_widest = memory_alloc(sinks + 1);
    memcpy(durable->priority_widest,
           durable->sinks_then[durable->sinks_then_count - 1].priority_max, sinks);
    for (size_t v = 0; v < durable->sinks_then_count; v++)
        for (size_t i = 0; i < sinks; i++)
            widen(&durable->priority_widest[i], durable->sinks_then[v].priority_max[i]);
    return EXIT_OK;
}

void durable_release_sinks(struct durable *durable)
{
    for (size_t v = 0; v < durable->sinks_then_count; v++)
        free(durable->sinks_then[v].priority_max);
    free(durable->sinks_then);
    free(durable->priority_widest);
}

/* As it was configured at this time. What is done at the end of a round belongs to it, and the end
 * of the last one is where a run with other sinks goes on: it was told by those of before. */
static uint8_t priority_at(const struct durable *durable, size_t sink, int64_t ms)
{
    size_t v = durable->sinks_then_count - 1;

    while (v > 0 && durable->sinks_then[v].from_ms >= ms)
        v--;
    return durable->sinks_then[v].priority_max[sink];
}

bool durable_takes(const struct durable *durable, size_t sink, const struct journal_about *about)
{
    uint8_t max = priority_at(durable, sink, about->opened_ms);

    if (max == SETTINGS_NO_SINK || priority_at(durable, sink, about->at_ms) == SETTINGS_NO_SINK)
        return false;
    return max == PRIORITY_NONE || (about->priority != PRIORITY_NONE && about->priority <= max);
}

bool durable_is_told(void *self, const struct journal_about *about, const char *sink)
{
    const struct durable *durable = self;
    const struct engine_config *engine = durable->options.engine;

    for (size_t i = 0; i < engine->sink_count; i++)
        if (strcmp(engine->sink_names[i], sink) == 0)
            return durable_takes(durable, i, about);
    return false;
}

/*
 * scenario.h - what the programs that run scenarios of tests/model/generate.py share: settings out
 * of scenario.json, and the ledger in the model's form.
 */
#ifndef TESTS_MODEL_SCENARIO_H
#define TESTS_MODEL_SCENARIO_H

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "correlate/engine.h"

enum { TOPICS_MAX = 8, SINKS_MAX = 8 };

/* Settings that the configuration of an engine points into; borrowed from the scenario. */
struct settings {
    const char *sink[SINKS_MAX];
    uint8_t sink_priority[SINKS_MAX];
    struct topic_config topic[TOPICS_MAX];
};

/* One run, as a line of standard input states it. */
struct form {
    char folder[990];
    unsigned workers, epoch_ms;
    size_t take;
    uint64_t shuffle, seed;
};

/* FOLDER WORKERS TAKE EPOCH_MS SHUFFLE SEED */
static inline bool form_read(const char *line, struct form *form)
{
    return sscanf(line, "%989s %u %zu %u %" SCNu64 " %" SCNu64, form->folder, &form->workers,
                  &form->take, &form->epoch_ms, &form->shuffle, &form->seed) == 6;
}

static inline void form_apply(const struct form *form, struct engine_config *config)
{
    config->workers = form->workers;
    config->take_max = form->take;
    config->epoch_ms = form->epoch_ms;
    config->shuffle = form->shuffle;
    config->seed = form->seed;
}

static inline int64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert(json_is_integer(value));
    return json_integer_value(value);
}

/* "P3" -> PRIORITY_P3; absent: no limit. */
static inline uint8_t priority_of(const json_t *text)
{
    return json_is_string(text) ? (uint8_t)(json_string_value(text)[1] - '0') : PRIORITY_NONE;
}

static inline void scenario_read(const json_t *scenario, struct settings *to,
                                 struct engine_config *config)
{
    const json_t *settings = json_object_get(scenario, "config");
    const json_t *topics = json_object_get(scenario, "topics");
    const json_t *sinks = json_object_get(scenario, "sinks");

    config->round_ms = (unsigned)number(settings, "round_ms");
    config->past_ms = number(settings, "past_ms");
    config->future_ms = number(settings, "future_ms");
    config->behind_ms = number(settings, "behind_ms");
    config->alerts_max = (uint32_t)number(settings, "alerts_max");
    config->expire_ms = number(settings, "expire_ms");
    config->flap_window_ms = number(settings, "flap_window_ms");
    config->flap_start = (unsigned)number(settings, "flap_start");
    config->flap_stop = (unsigned)number(settings, "flap_stop");
    config->seal_ms = 0;

    config->topics = to->topic;
    config->topic_count = json_array_size(topics);
    assert(config->topic_count <= TOPICS_MAX);
    for (size_t i = 0; i < config->topic_count; i++) {
        const json_t *topic = json_array_get(topics, i);
        to->topic[i] = (struct topic_config){
            .topic = json_string_value(json_object_get(topic, "topic")),
            .format = FORMAT_AUTO,
            .disorder_ms = number(topic, "disorder_ms"),
            .log_append_time = json_is_true(json_object_get(topic, "log_append_time")),
            .tenant = json_string_value(json_object_get(topic, "tenant")),
            .tenant_fixed = json_is_true(json_object_get(topic, "tenant_fixed")),
            .gaps_expected = true,
        };
    }
    config->sink_names = to->sink;
    config->sink_priority_max = to->sink_priority;
    config->sink_count = json_array_size(sinks);
    assert(config->sink_count <= SINKS_MAX);
    for (size_t i = 0; i < config->sink_count; i++) {
        const json_t *sink = json_array_get(sinks, i);
        to->sink[i] = json_string_value(json_object_get(sink, "name"));
        to->sink_priority[i] = priority_of(json_object_get(sink, "priority"));
    }
}

static inline void ledger_print(const struct engine_counters *c)
{
    uint64_t rejected = 0;

    for (int i = 0; i < REJECT_REASON_COUNT; i++)
        rejected += c->rejected[i];
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {
        {"records", c->records},
        {"events", c->events},
        {"derived", c->derived},
        {"left", c->left},
        {"rejected", rejected},
        {"dropped", c->dropped},
        {"duplicate", c->duplicate},
        {"unmatched", c->unmatched},
        {"routed", c->routed},
        {"touches", c->touches},
        {"correlated", c->correlated},
        {"expired", c->expired},
        {"evicted", c->evicted},
        {"retired", c->retired},
        {"pending", c->pending},
        {"opened", c->opened},
        {"closed", c->closed},
        {"open", c->open},
        {"time_clamped", c->time_clamped},
        {"late", c->late},
        {"late_by_seal", c->late_by_seal},
        {"alerts_expired", c->alerts_expired},
        {"flap_folded", c->flap_folded},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf("%s\"%s\":%" PRIu64, i == 0 ? "{\"ledger\":{" : ",", rows[i].name, rows[i].count);
    printf("}}\n");
}

#endif

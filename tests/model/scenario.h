/*
 * scenario.h - what the programs that run scenarios of tests/model/generate.py share: settings out
 * of settings.json, and the ledger in the model's form.
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
            .gaps_expected = false, /* they are counted */
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

struct count {
    const char *name;
    uint64_t count;
};

static inline void counts_print(const struct count *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s\"%s\":%" PRIu64, i == 0 ? "" : ",", rows[i].name, rows[i].count);
}

/* One line: what L2 to L4 name, and what else is the same however the engine runs. */
static inline void ledger_print(const struct engine_counters *c)
{
    uint64_t rejected = 0;

    for (int i = 0; i < REJECT_REASON_COUNT; i++)
        rejected += c->rejected[i];
    const struct count rows[] = {
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
        {"capped", c->capped},
        {"alerts", c->alerts},
        {"alerts_opened", c->alerts_opened},
        {"alerts_refired", c->alerts_refired},
        {"alerts_cleared", c->alerts_cleared},
        {"alerts_evicted", c->alerts_evicted},
        {"flap_begun", c->flap_begun},
        {"flap_ended", c->flap_ended},
        {"keys", c->keys},
        {"keys_evicted", c->keys_evicted},
        {"enrich_errors", c->enrich_errors},
        {"numbers_unfit", c->numbers_unfit},
        {"updates", c->updates},
        {"ops", c->ops},
        {"muted", c->muted},
        {"unmuted", c->unmuted},
        {"withheld", c->withheld},
    };
    printf("{\"ledger\":{");
    counts_print(rows, sizeof(rows) / sizeof(rows[0]));
    printf("}}\n");
}

/* A line for each rule, in the order of their ids, each enrich step and mute of the set, and each
 * partition of the recording. */
static inline void rows_print(const struct engine *engine)
{
    enum { ROWS_MAX = 64 };
    static struct engine_rule_counters rule[ROWS_MAX];
    static struct engine_mute_counters mute[ROWS_MAX];
    static struct engine_enrich_counters step[ROWS_MAX];
    static struct engine_part_counters part[ROWS_MAX];
    size_t count = engine_rule_counters(engine, rule, ROWS_MAX);

    assert(count <= ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct count rows[] = {
            {"touches", rule[i].touches}, {"opened", rule[i].opened},
            {"closed", rule[i].closed},   {"open", rule[i].open},
            {"keys", rule[i].keys},       {"evicted", rule[i].evicted},
            {"expired", rule[i].expired}, {"pending", rule[i].pending},
        };
        printf("{\"counts of rule\":\"%s\",", rule[i].rule_id);
        counts_print(rows, sizeof(rows) / sizeof(rows[0]));
        printf("}\n");
    }
    count = engine_enrich_counters(engine, step, ROWS_MAX);
    assert(count <= ROWS_MAX);
    for (size_t i = 0; i < count; i++)
        printf("{\"counts of step\":\"%s\",\"applied\":%" PRIu64 ",\"errors\":%" PRIu64 "}\n",
               step[i].step, step[i].applied, step[i].errors);
    count = engine_mute_counters(engine, mute, ROWS_MAX);
    assert(count <= ROWS_MAX);
    for (size_t i = 0; i < count; i++)
        printf("{\"counts of %s\":\"%s\",\"incidents\":%" PRIu64 ",\"total\":%" PRIu64 "}\n",
               mute[i].kind, mute[i].id, mute[i].incidents, mute[i].total);
    count = engine_part_counters(engine, part, ROWS_MAX);
    assert(count <= ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct count rows[] = {{"records", part[i].records},
                                     {"gaps", part[i].gaps},
                                     {"redelivered", part[i].redelivered},
                                     {"rejected", part[i].rejected}};
        printf("{\"counts of partition\":\"%s/%d\",", part[i].topic, (int)part[i].partition);
        counts_print(rows, sizeof(rows) / sizeof(rows[0]));
        printf("}\n");
    }
}

#endif

/*
 * engine_runner.c - runs scenarios of tests/oracle/generate.py through the engine.
 *
 * One process does many runs, so that a thousand scenarios in several configurations take a
 * minute and not an hour. Each line of standard input is one run:
 *
 *   FOLDER WORKERS TAKE EPOCH_MS SHUFFLE SEED
 *
 * and is answered by the incident log, one line with the ledger, and "done". SHUFFLE other than
 * 0 also makes the listener refuse every third offer of an op, as a full outbox does.
 * A run that does not finish within RUN_MS ends the process: its threads cannot be trusted.
 */
#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "correlate/engine.h"
#include "daemon/incident_log.h"
#include "ingest/tlog_source.h"
#include "rules/rule_set.h"

enum { RUN_MS = 60000, LINE_BYTES = 256 << 10, PATH_BYTES = 1024, TOPICS_MAX = 8, SINKS_MAX = 8 };

struct run {
    const char *sink[SINKS_MAX]; /* borrowed from the scenario */
    uint8_t sink_priority[SINKS_MAX];
    struct topic_config topic[TOPICS_MAX];
    bool refuses;
    unsigned offers;
};

static char line[LINE_BYTES]; /* the listener's calls come one at a time */

static void print_line(size_t bytes)
{
    assert(bytes < sizeof(line));
    line[bytes] = '\n';
    fwrite(line, 1, bytes + 1, stdout);
}

static void on_incident(void *self, struct incident *incident)
{
    (void)self;
    print_line(incident_log_change(incident, line, sizeof(line)));
}

static bool on_op(void *self, const struct op *op)
{
    struct run *run = self;

    if (run->refuses && ++run->offers % 3 == 0)
        return false;
    print_line(incident_log_op(op, run->sink[op->sink], line, sizeof(line)));
    incident_unref(op->incident);
    return true;
}

static int64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert(json_is_integer(value));
    return json_integer_value(value);
}

/* "P3" -> PRIORITY_P3; absent: no limit. */
static uint8_t priority_of(const json_t *text)
{
    return json_is_string(text) ? (uint8_t)(json_string_value(text)[1] - '0') : PRIORITY_NONE;
}

static void read_scenario(const json_t *scenario, struct run *run, struct engine_config *config)
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

    config->topics = run->topic;
    config->topic_count = json_array_size(topics);
    assert(config->topic_count <= TOPICS_MAX);
    for (size_t i = 0; i < config->topic_count; i++) {
        const json_t *topic = json_array_get(topics, i);
        run->topic[i] = (struct topic_config){
            .topic = json_string_value(json_object_get(topic, "topic")),
            .format = FORMAT_AUTO,
            .disorder_ms = number(topic, "disorder_ms"),
            .log_append_time = json_is_true(json_object_get(topic, "log_append_time")),
            .tenant = json_string_value(json_object_get(topic, "tenant")),
            .tenant_fixed = json_is_true(json_object_get(topic, "tenant_fixed")),
            .gaps_expected = true,
        };
    }
    config->sink_names = run->sink;
    config->sink_priority_max = run->sink_priority;
    config->sink_count = json_array_size(sinks);
    assert(config->sink_count <= SINKS_MAX);
    for (size_t i = 0; i < config->sink_count; i++) {
        const json_t *sink = json_array_get(sinks, i);
        run->sink[i] = json_string_value(json_object_get(sink, "name"));
        run->sink_priority[i] = priority_of(json_object_get(sink, "priority"));
    }
}

static void print_ledger(const struct engine_counters *c)
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
        {"rejected", rejected},
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

/* Runs the engine; false with a sentence when it could not be done. */
static bool run_engine(const struct engine_config *config, struct source *source,
                       struct rule_set *rules, struct run *run, struct error *err)
{
    struct engine_listener listener = {.self = run, .incident = on_incident, .op = on_op};
    struct engine_counters counters;
    struct engine *engine;

    if (engine_create(config, source, rules, &listener, &engine, err) != 0)
        return false;
    if (engine_start(engine, err) != 0) {
        engine_destroy(engine);
        return false;
    }
    if (!engine_wait_finished(engine, RUN_MS)) {
        printf("not finished after %d s\ndone\n", RUN_MS / 1000);
        exit(3);
    }
    engine_stop(engine);
    engine_counters(engine, &counters);
    print_ledger(&counters);
    engine_destroy(engine);
    return true;
}

static bool run_line(const char *text, struct error *err)
{
    char folder[PATH_BYTES - 32], path[PATH_BYTES];
    struct engine_config config;
    struct run run = {0};
    unsigned workers, epoch_ms;
    uint64_t shuffle, seed;
    size_t take;
    json_error_t fault;
    json_t *scenario = NULL; /* ours */
    struct source *source = NULL;
    struct rule_set *rules = NULL;
    bool ok = false;

    if (sscanf(text, "%990s %u %zu %u %" SCNu64 " %" SCNu64, folder, &workers, &take, &epoch_ms,
               &shuffle, &seed) != 6) {
        error_set(err, "a run is FOLDER WORKERS TAKE EPOCH_MS SHUFFLE SEED");
        return false;
    }
    engine_config_init(&config);
    snprintf(path, sizeof(path), "%s/scenario.json", folder);
    scenario = json_load_file(path, 0, &fault);
    if (scenario == NULL) {
        error_set(err, "%s:%d: %s", path, fault.line, fault.text);
        goto out;
    }
    read_scenario(scenario, &run, &config);
    run.refuses = shuffle != 0;
    config.workers = workers;
    config.take_max = take;
    config.epoch_ms = epoch_ms;
    config.shuffle = shuffle;
    config.seed = seed;
    snprintf(path, sizeof(path), "%s/log.tlog", folder);
    if (tlog_source_open(path, &source, &config.marks, &config.mark_count, err) != 0)
        goto out;
    snprintf(path, sizeof(path), "%s/rules.yaml", folder);
    if (rule_set_load((const char *[]){path}, 1, &rules, err) != 0)
        goto out;
    ok = run_engine(&config, source, rules, &run, err);
out:
    rule_set_destroy(rules);
    if (source != NULL)
        source->ops->close(source);
    json_decref(scenario);
    return ok;
}

int main(void)
{
    static char buffer[1 << 20];
    char text[PATH_BYTES + 128];
    struct error err;

    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    while (fgets(text, sizeof(text), stdin) != NULL) {
        err.text[0] = '\0';
        if (!run_line(text, &err))
            printf("%s\n", err.text);
        printf("done\n");
        fflush(stdout);
    }
    return 0;
}

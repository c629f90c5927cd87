/*
 * rule_test_run.c - one rule test through the real engine.
 *
 * One worker, on the thread that calls: a test is a handful of events, and starting threads would
 * cost more than they do. An epoch is as long as a round, which shows in no result and makes the
 * virtual hours between two events cheap. Nothing depends on the machine: the hash seed is
 * fixed, and no clock is read for anything that shows.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test.h"
#include "daemon/rule_test_record.h"
#include "daemon/rule_test_watch.h"

/* A test that takes longer than this is not a test any more. */
enum { RUN_LIMIT_MS = 600000 };

/* Of changes, of who joined, and of bodies. A test is read into memory whole, so a rule that opens
 * incidents by the clock would take all there is: `expect` of each millisecond does, within hours
 * of the test's time. A change takes some 300 bytes and a microsecond. */
#define KEPT_BYTES_MAX ((size_t)RULE_TEST_KEPT_MIB_MAX << 20)

/* Of an incident beside its changes: its row, which growing may double, room for its first changes,
 * and its place in the index. */
#define INCIDENT_BYTES (2 * sizeof(struct rule_test_incident) + 4 * sizeof(void *) + 16)

/* A test's engine lives for a moment, and a failed one asks for several: places for epochs that it
 * does not come to would be most of what they cost. */
enum { BIN_EPOCHS = 256 };

struct running {
    const struct rule_test_file *file;
    struct rule_test_run *run;
    struct rule_test_source *source;
    struct engine *engine;
    size_t kept_bytes;
    struct error error; /* the first */
    int rc;
};

/* The run ends, and what it still tells on its way is not kept. */
static void fail(struct running *running, int rc, const char *why)
{
    if (running->rc == 0)
        error_set(&running->error, "%s", why);
    running->rc = running->rc != 0 ? running->rc : rc;
    engine_give_up(running->engine);
}

/* False when nothing more may be kept. */
static bool may_keep(struct running *running, size_t bytes)
{
    if (running->rc != 0)
        return false;
    running->kept_bytes += bytes;
    if (running->kept_bytes <= KEPT_BYTES_MAX)
        return true;
    fail(running, -E2BIG,
         "the changes of its incidents, the alerts in them and what sinks would be sent take more "
         "than the 256 MiB that a test may have: let it end earlier (until), or its rules open "
         "fewer");
    _Static_assert((int)RULE_TEST_KEPT_MIB_MAX == 256, "the sentence says it");
    return false;
}

/* Room for one more; NULL when memory is short. */
static void *grow(void *array, uint32_t count, uint32_t *room, size_t item_bytes)
{
    uint32_t wanted = *room == 0 ? 4 : 2 * *room;
    void *larger;

    if (count < *room)
        return array;
    larger = realloc(array, wanted * item_bytes);
    if (larger != NULL)
        *room = wanted;
    return larger;
}

/* Where the incident of an id is, or would be, in the index: a table of at least twice as many
 * places as incidents, looked through from the place that the id names. */
static uint32_t place_of(const struct rule_test_run *run, struct id128 id)
{
    uint32_t place = (uint32_t)id.lo & (run->index_room - 1);

    while (run->index[place] != 0 &&
           !id128_equal(run->incident[run->index[place] - 1].change[0]->id, id))
        place = (place + 1) & (run->index_room - 1);
    return place;
}

static struct rule_test_incident *find(const struct rule_test_run *run, struct id128 id)
{
    uint32_t number = run->index_room > 0 ? run->index[place_of(run, id)] : 0;

    return number > 0 ? &run->incident[number - 1] : NULL;
}

const struct rule_test_incident *rule_test_run_find(const struct rule_test_run *run,
                                                    struct id128 id)
{
    return find(run, id);
}

/* Room for one more incident in the index. */
static bool index_grow(struct rule_test_run *run)
{
    uint32_t room = run->index_room == 0 ? 8 : 2 * run->index_room;
    uint32_t *larger;

    if (2 * (run->incident_count + 1) <= run->index_room)
        return true;
    larger = calloc(room, sizeof(*larger));
    if (larger == NULL)
        return false;
    free(run->index);
    run->index = larger;
    run->index_room = room;
    for (uint32_t i = 0; i < run->incident_count; i++)
        run->index[place_of(run, run->incident[i].change[0]->id)] = i + 1;
    return true;
}

/* An incident without changes yet, and not in the index: it counts when it has its first. */
static struct rule_test_incident *add_incident(struct rule_test_run *run)
{
    struct rule_test_incident *grown =
        grow(run->incident, run->incident_count, &run->incident_room, sizeof(*run->incident));

    if (grown == NULL)
        return NULL;
    run->incident = grown;
    run->incident[run->incident_count] = (struct rule_test_incident){0};
    return index_grow(run) ? &run->incident[run->incident_count] : NULL;
}

static void on_incident(void *self, struct incident *incident)
{
    struct running *running = self;
    struct rule_test_incident *own = find(running->run, incident->id);
    bool is_new = own == NULL;
    struct incident **grown;

    if (!may_keep(running, incident->block_bytes + (is_new ? INCIDENT_BYTES : sizeof(incident))))
        return;
    if (is_new)
        own = add_incident(running->run);
    grown = own != NULL ? grow(own->change, own->change_count, &own->change_room, sizeof(*grown))
                        : NULL;
    if (grown == NULL) {
        fail(running, -ENOMEM, "out of memory");
        return;
    }
    own->change = grown;
    own->change[own->change_count++] = incident_ref(incident);
    if (is_new)
        running->run->index[place_of(running->run, incident->id)] = ++running->run->incident_count;
}

/* The body that the sink's own code makes of the op; owned by the caller. */
static char *render(const struct rule_test_file *file, const struct op *op, struct error *err)
{
    const struct sink *sink = file->sinks[op->sink].sink;
    const struct sink_remote remote = {.ref = "0", .label = "0"};
    struct sink_attempt attempt = {.op = op,
                                   .number = 1,
                                   .wall_ms = op->incident->at_ms,
                                   .step = sink_step_of(sink, (enum op_kind)op->kind),
                                   .remote = &remote};
    struct sink_request request = {0};
    char *body = NULL;

    if (sink->type->build(sink, &attempt, &request, err) == 0) {
        body = request.body;
        request.body = NULL;
    }
    sink_request_release(&request);
    return body;
}

static bool on_op(void *self, const struct op *op)
{
    struct running *running = self;
    struct rule_test_incident *own = running->rc == 0 ? find(running->run, op->incident->id) : NULL;
    struct rule_test_op *grown =
        own != NULL ? grow(own->op, own->op_count, &own->op_room, sizeof(*grown)) : NULL;
    struct error err = {"out of memory"};
    char *body = grown != NULL ? render(running->file, op, &err) : NULL;

    if (grown != NULL)
        own->op = grown;
    if (body == NULL)
        fail(running, -EINVAL, err.text);
    else if (may_keep(running, sizeof(*grown) + strlen(body)))
        own->op[own->op_count++] = (struct rule_test_op){op->sink, body, NULL};
    else
        free(body);
    incident_unref(op->incident);
    return true;
}

static void on_joined(void *self, const struct engine_joined *joined)
{
    struct running *running = self;
    struct rule_test_incident *own;
    struct rule_test_member *grown;

    if (!may_keep(running, sizeof(*grown)))
        return;
    own = find(running->run, joined->incident);
    grown = own != NULL ? grow(own->member, own->member_count, &own->member_room, sizeof(*grown))
                        : NULL;
    if (grown == NULL) {
        fail(running, -ENOMEM, "out of memory");
        return;
    }
    own->member = grown;
    own->member[own->member_count++] = (struct rule_test_member){
        joined->alert, joined->at_ms, rule_test_watch_name(running->run->watch, joined->alert)};
}

static void on_rejected(void *self, const char *topic, int32_t partition,
                        const struct record *record, enum reject_reason reason, uint32_t at,
                        const char *why)
{
    struct running *running = self;
    struct rule_test_run *run = running->run;

    (void)topic;
    if (run->refused[0] != '\0')
        return;
    run->refused_event = rule_test_source_event(running->source, partition, record->offset);
    snprintf(run->refused, sizeof(run->refused), "%s at byte %" PRIu32 ": %s",
             reject_reason_name(reason), at, why != NULL ? why : "");
}

/* ---- the engine ---- */

void rule_test_engine_config(const struct rule_test *test, struct topic_config *topic,
                             struct engine_config *config)
{
    const struct rule_test_settings *settings = &test->settings;

    *topic = (struct topic_config){.format = FORMAT_AUTO,
                                   .disorder_ms = settings->disorder_ms,
                                   .log_append_time = settings->log_append_time,
                                   .tenant = settings->tenant};
    engine_config_init(config);
    config->workers = 1;
    config->seal_ms = 0;
    config->seed = 1;
    config->bin_epochs = BIN_EPOCHS;
    config->epoch_ms = config->round_ms = (unsigned)settings->round_ms;
    config->past_ms = settings->past_ms;
    config->future_ms = settings->future_ms;
    config->expire_ms = settings->expire_ms;
    config->flap_window_ms = settings->flap_window_ms;
    config->flap_start = (unsigned)settings->flap_start;
    config->flap_stop = (unsigned)settings->flap_stop;
    config->alerts_max = (uint32_t)settings->alerts_max;
    if (settings->disorder_ms > config->slack_ms)
        config->slack_ms = settings->disorder_ms;
    config->topics = topic;
    config->topic_count = 1;
}

static int keep_counters(struct engine *engine, const struct rule_set *rules,
                         struct rule_test_run *run)
{
    uint32_t rule_count = rule_set_count(rules);

    run->set = rules;
    engine_counters(engine, &run->counters);
    run->rules = calloc(rule_count + 1, sizeof(*run->rules));
    if (run->rules == NULL)
        return -ENOMEM;
    run->rule_count = engine_rule_counters(engine, run->rules, rule_count);
    return 0;
}

static int work_off(struct engine *engine, struct error *err)
{
    if (engine_work_off(engine, RUN_LIMIT_MS))
        return 0;
    error_set(err, "the test has not ended after %d s", RUN_LIMIT_MS / 1000);
    return -ETIMEDOUT;
}

int rule_test_run_for(const struct rule_test *test, const struct engine_config *config,
                      struct rule_set *rules, const struct engine_listener *listener,
                      struct error *err)
{
    struct rule_test_source *source = rule_test_source_create(test, config->slack_ms);
    struct engine_config own = *config;
    struct engine *engine = NULL;
    int rc;

    if (source == NULL) {
        error_set(err, "out of memory for the test's records");
        return -ENOMEM;
    }
    own.marks = rule_test_source_marks(source, &own.mark_count);
    rc = engine_create(&own, rule_test_source_base(source), rules, listener, &engine, err);
    if (rc == 0)
        rc = work_off(engine, err);
    engine_destroy(engine);
    rule_test_source_destroy(source);
    return rc;
}

int rule_test_run(const struct rule_test_file *file, const struct rule_test *test,
                  struct rule_set *rules, const bool *asked, struct rule_test_run *run,
                  struct error *err)
{
    struct running running = {.file = file, .run = run};
    struct engine_listener listener = {
        .self = &running, .incident = on_incident, .op = on_op, .rejected = on_rejected};
    struct topic_config topic;
    const char *sink_names[RULE_TEST_SINKS_MAX];
    uint8_t priorities[RULE_TEST_SINKS_MAX];
    struct engine_config config;
    struct engine *engine = NULL;
    int rc;

    *run = (struct rule_test_run){0};
    rule_test_engine_config(test, &topic, &config);
    /* Bodies that nobody looks at are not made: who asks why has compared them before. */
    const uint32_t sink_count = test->looks_at_bodies && asked == NULL ? file->sink_count : 0;
    for (uint32_t i = 0; i < sink_count; i++) {
        sink_names[i] = file->sinks[i].name;
        priorities[i] = file->sinks[i].priority_max;
    }
    config.sink_names = sink_names;
    config.sink_priority_max = priorities;
    config.sink_count = sink_count;
    running.source = rule_test_source_create(test, config.slack_ms);
    if (running.source == NULL) {
        error_set(err, "out of memory for the test's records");
        return -ENOMEM;
    }
    if (asked != NULL || test->looks_at_members) {
        run->watch = rule_test_watch_create(test, rules, asked);
        if (run->watch == NULL) {
            rule_test_source_destroy(running.source);
            error_set(err, "out of memory");
            return -ENOMEM;
        }
        rule_test_watch_begin(run->watch, running.source);
        listener.trace = rule_test_watch_trace(run->watch);
        listener.joined = on_joined;
    }
    config.marks = rule_test_source_marks(running.source, &config.mark_count);
    rc = engine_create(&config, rule_test_source_base(running.source), rules, &listener, &engine,
                       err);
    running.engine = engine;
    if (rc == 0)
        rc = work_off(engine, err);
    if (running.rc != 0) {
        *err = running.error;
        rc = running.rc;
    }
    if (rc == 0) {
        rc = keep_counters(engine, rules, run);
        if (rc != 0)
            error_set(err, "out of memory");
    }
    engine_destroy(engine);
    rule_test_source_destroy(running.source);
    return rc;
}

void rule_test_run_release(struct rule_test_run *run)
{
    for (uint32_t i = 0; i < run->incident_count; i++) {
        struct rule_test_incident *incident = &run->incident[i];
        for (uint32_t c = 0; c < incident->change_count; c++)
            incident_unref(incident->change[c]);
        for (uint32_t o = 0; o < incident->op_count; o++) {
            free(incident->op[o].body);
            json_decref(incident->op[o].json);
        }
        free(incident->change);
        free(incident->op);
        free(incident->member);
    }
    free(run->incident);
    free(run->index);
    rule_test_watch_destroy(run->watch);
    free(run->rules);
    *run = (struct rule_test_run){0};
}

/* service.c - see service.h. */
#include "daemon/service.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "correlate/engine.h"
#include "daemon/admin.h"
#include "daemon/command.h"
#include "daemon/config.h"
#include "daemon/dead_ops.h"
#include "daemon/health.h"
#include "daemon/incident_log.h"
#include "daemon/input.h"
#include "daemon/ledger.h"
#include "daemon/line_writer.h"
#include "daemon/log.h"
#include "daemon/mark_log.h"
#include "daemon/metrics.h"
#include "daemon/packs.h"
#include "daemon/quarantine.h"
#include "daemon/rules_preview.h"
#include "daemon/waiting_ops.h"
#include "sinks/outbox.h"

enum { LINE_BYTES = 64 << 10, WHY_BYTES = 512 };

struct service {
    struct service_options options;
    struct config *config; /* in force since the start; borrowed by engine and outbox */
    struct engine_config engine_config;
    struct rule_set *rules; /* of the start; borrowed by the engine */
    struct source *source;
    struct engine *engine;
    struct admin *admin;
    struct quarantine *quarantine;    /* NULL: none */
    struct line_writer *incident_log; /* NULL: none, or failed; incident role */
    atomic_bool must_reopen;          /* set by a reload, taken by the incident role */
    struct mark_log *marks;           /* NULL: none; sequencer role. Closed under lock */
    struct health health;
    int64_t flush_ms; /* as of the last reload */
    bool is_filling;  /* the outbox, as last logged */
    bool is_lost;     /* the input, as last logged and told to the outbox */
    uint64_t read_ns; /* when some of the input could last be read */

    /* One reload at a time, from a signal or the admin server. Before `lock`. */
    pthread_mutex_t reload_lock;
    struct rules_running loaded; /* the set that was loaded last */

    /* What the metrics thread and the stop thread share with the main thread. */
    pthread_mutex_t lock;
    struct outbox *outbox; /* NULL: no sinks, or already flushed */
    struct daemon_counters counters;
    struct metrics seen; /* of the last tick: sinks, parts */
};

/* ---- what the engine reports ---- */

static void incident_log_failed(struct service *service, int rc)
{
    log_event(LOG_ERROR, "incident_log_failed",
              log_text("path", service->config->incident_log.path), log_text("why", strerror(-rc)),
              log_text("next", "incidents go on without the file"));
    line_writer_close(service->incident_log);
    service->incident_log = NULL;
    pthread_mutex_lock(&service->lock);
    service->counters.incident_log_failed++;
    pthread_mutex_unlock(&service->lock);
}

/* After a reload: the file may have been renamed, to be kept. */
static void reopen_incident_log(struct service *service)
{
    struct error err = {{0}};
    struct line_writer *fresh =
        line_writer_open(service->config->incident_log.path, LINE_WRITER_APPEND, &err);

    if (fresh == NULL) {
        log_event(LOG_ERROR, "incident_log_not_reopened", log_text("why", err.text),
                  log_text("next", "the file that is open is written on"));
        return;
    }
    line_writer_close(service->incident_log);
    service->incident_log = fresh;
}

static void write_line(struct service *service, const char *line, size_t bytes)
{
    int rc;

    /* relaxed: the flag says nothing about other memory; the path never changes. */
    if (atomic_load_explicit(&service->must_reopen, memory_order_relaxed) &&
        atomic_exchange_explicit(&service->must_reopen, false, memory_order_relaxed))
        reopen_incident_log(service);
    line_writer_add(service->incident_log, line, bytes < LINE_BYTES ? bytes : LINE_BYTES - 1);
    rc = line_writer_flush(service->incident_log);
    if (rc != 0)
        incident_log_failed(service, rc);
}

static void on_incident(void *self, struct incident *incident)
{
    struct service *service = self;
    char line[LINE_BYTES];

    if (service->incident_log != NULL)
        write_line(service, line, incident_log_change(incident, line, sizeof(line)));
}

static bool on_op(void *self, const struct op *op)
{
    struct service *service = self;
    char line[LINE_BYTES];
    size_t bytes = 0;

    /* Rendered first: once submitted, the incident may be gone. */
    if (service->incident_log != NULL)
        bytes =
            incident_log_op(op, service->engine_config.sink_names[op->sink], line, sizeof(line));
    if (!outbox_submit(service->outbox, op))
        return false;
    if (bytes > 0)
        write_line(service, line, bytes);
    return true;
}

static void on_mark(void *self, const struct mark *mark)
{
    struct service *service = self;
    const char *topic = NULL;
    int32_t partition = -1;

    if (mark->kind != MARK_SWITCH)
        topic = engine_part_name(service->engine, mark->part, &partition);
    mark_log_add(service->marks, mark, topic, partition);
}

static void on_rejected(void *self, const char *topic, int32_t partition,
                        const struct record *record, enum reject_reason reason, uint32_t at,
                        const char *why)
{
    struct service *service = self;

    log_event(LOG_WARNING, "record_rejected", log_text("topic", topic),
              log_text("reason", reject_reason_name(reason)), log_text("why", why),
              log_number("partition", partition), log_number("offset", record->offset),
              log_number("byte", at));
    if (service->quarantine != NULL)
        quarantine_add(service->quarantine, topic, partition, record, reason, at, why);
}

/* ---- what the admin server asks ---- */

static void write_metrics(void *self, FILE *to)
{
    struct service *service = self;
    struct metrics metrics;

    if (!metrics_init(&metrics)) {
        fputs("# out of memory\n", to);
        return;
    }
    engine_counters(service->engine, &metrics.engine);
    metrics.rule_count = engine_rule_counters(service->engine, metrics.rules, METRICS_RULES_MAX);
    metrics_sum_forms(&metrics);
    metrics.mute_count = engine_mute_counters(service->engine, metrics.mutes, MUTES_MAX);
    metrics.part_count = engine_part_counters(service->engine, metrics.parts, METRICS_PARTS_MAX);
    kafka_source_counters(service->source, &metrics.kafka);
    metrics_read_process(&metrics.process);
    log_counters(&metrics.log);
    quarantine_counters(service->quarantine, &metrics.quarantine);
    pthread_mutex_lock(&service->lock);
    if (service->outbox != NULL) {
        metrics.sink_count = outbox_counters(service->outbox, metrics.sinks, METRICS_SINKS_MAX);
        service->counters.outbox_fill = outbox_fill(service->outbox);
    }
    mark_log_counters(service->marks, &metrics.marks);
    metrics.daemon = service->counters;
    pthread_mutex_unlock(&service->lock);
    int64_t watermark_ms = engine_watermark(service->engine);
    bool has_watermark = watermark_ms > 0;
    metrics.daemon.watermark_seconds = has_watermark ? (double)watermark_ms / 1000 : NAN;
    metrics.daemon.watermark_delay_seconds =
        has_watermark ? (double)(host_wall_ms() - watermark_ms) / 1000 : NAN;
    metrics.daemon.is_ready = health_is_ready(&service->health, &(struct error){{0}});
    metrics_render(&metrics, to);
    metrics_release(&metrics);
}

static bool is_healthy(void *self, struct error *why)
{
    struct service *service = self;

    return health_is_alive(&service->health, host_mono_ns(), why);
}

static bool is_ready(void *self, struct error *why)
{
    struct service *service = self;

    return health_is_ready(&service->health, why);
}

/* The lock keeps a stop from taking the outbox away meanwhile. */
static int list_dead(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct service *service = self;
    int rc;

    pthread_mutex_lock(&service->lock);
    rc = dead_ops_list(service->outbox, pick, to, err);
    pthread_mutex_unlock(&service->lock);
    return rc;
}

static int list_waiting(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct service *service = self;
    int rc;

    pthread_mutex_lock(&service->lock);
    rc = waiting_ops_list(service->outbox, pick, to, err);
    pthread_mutex_unlock(&service->lock);
    return rc;
}

static int redrive_dead(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct service *service = self;
    int rc;

    pthread_mutex_lock(&service->lock);
    rc = dead_ops_redrive(service->outbox, pick, to, err);
    pthread_mutex_unlock(&service->lock);
    return rc;
}

static int write_json(json_t *root, FILE *to, struct error *err)
{
    char *text = json_dumps(root, JSON_COMPACT);

    json_decref(root);
    if (text == NULL) {
        error_set(err, "out of memory");
        return -ENOMEM;
    }
    fprintf(to, "%s\n", text);
    free(text);
    return 0;
}

static int list_rules(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct service *service = self;
    struct rules_running running;
    json_t *json = NULL;
    int rc;

    (void)pick;
    pthread_mutex_lock(&service->reload_lock);
    rc = rules_running_count(&service->loaded, service->engine, &running, err);
    if (rc == 0) {
        json = rules_running_json(&running);
        rules_running_release(&running);
    }
    pthread_mutex_unlock(&service->reload_lock);
    return rc == 0 ? write_json(json, to, err) : rc;
}

static int reload_by_admin(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct rules_preview preview;
    int rc = service_reload(self, &preview, err);

    (void)pick;
    if (rc != 0)
        return rc;
    rc = write_json(rules_preview_json(&preview), to, err);
    rules_preview_release(&preview);
    return rc;
}

/* ---- start ---- */

/* Reads and checks; opens nothing. */
static int load(const struct service_options *options, struct config **config,
                struct rule_set **rules, struct error *err)
{
    if (config_load(options->config_path, CONFIG_SECRETS_NEEDED, config, err) != 0)
        return EXIT_CONFIG;
    if (input_check(*config, err) == 0 &&
        packs_load_configured(*config, options->rules, rules, err) == 0)
        return EXIT_OK;
    config_destroy(*config);
    *config = NULL;
    return EXIT_CONFIG;
}

static int open_files(struct service *service, struct error *err)
{
    const struct config *config = service->config;

    if (config->quarantine.path[0] != '\0') {
        service->quarantine =
            quarantine_open(config->quarantine.path, config->quarantine.bytes_max, err);
        if (service->quarantine == NULL)
            return EXIT_IO;
    }
    if (config->incident_log.path[0] != '\0') {
        service->incident_log =
            line_writer_open(config->incident_log.path, LINE_WRITER_APPEND, err);
        if (service->incident_log == NULL)
            return EXIT_IO;
    }
    if (config->marks.path[0] != '\0') {
        service->marks = mark_log_create(config->marks.path, MARK_LOG_BYTES_MAX, err);
        if (service->marks == NULL)
            return EXIT_IO;
    }
    return EXIT_OK;
}

static int create_outbox(struct service *service, struct error *err)
{
    struct outbox_config config = {0};

    if (service->config->sinks.count == 0)
        return EXIT_OK;
    if (config_fill_outbox(service->config, &config) != 0) {
        error_set(err, "out of memory for the sinks");
        return EXIT_SYSTEM;
    }
    return outbox_create(&config, &service->outbox, err) == 0 ? EXIT_OK : EXIT_SYSTEM;
}

static int create_engine(struct service *service, struct error *err)
{
    struct engine_listener listener = {
        .self = service, .incident = on_incident, .op = on_op, .rejected = on_rejected};

    if (service->marks != NULL)
        listener.mark = on_mark;

    engine_config_init(&service->engine_config);
    host()->random(host()->self, &service->engine_config.seed, sizeof(service->engine_config.seed));
    if (config_fill_engine(service->config, &service->engine_config) != 0) {
        error_set(err, "out of memory for the engine's configuration");
        return EXIT_SYSTEM;
    }
    if (input_open(service->config, &service->source, err) != 0)
        return EXIT_SYSTEM;
    return engine_create(&service->engine_config, service->source, service->rules, &listener,
                         &service->engine, err) == 0
               ? EXIT_OK
               : EXIT_SYSTEM;
}

static int create_admin(struct service *service, struct error *err)
{
    struct admin_config config = {
        .listen = service->config->admin.listen,
        .connections_max = (unsigned)service->config->admin.connections_max,
        .self = service,
        .metrics = write_metrics,
        .healthy = is_healthy,
        .ready = is_ready,
        .dead = list_dead,
        .waiting = list_waiting,
        .redrive = redrive_dead,
        .rules = list_rules,
        .reload = reload_by_admin,
    };

    if (strcmp(config.listen, "off") == 0)
        return EXIT_OK;
    return admin_create(&config, &service->admin, err) == 0 ? EXIT_OK : EXIT_SYSTEM;
}

int service_create(const struct service_options *options, struct service **out, struct error *err)
{
    struct service *service = calloc(1, sizeof(*service));
    int code = EXIT_SYSTEM;

    if (service == NULL || !metrics_init(&service->seen)) {
        error_set(err, "out of memory");
        free(service);
        return EXIT_SYSTEM;
    }
    service->options = *options;
    pthread_mutex_init(&service->lock, NULL);
    pthread_mutex_init(&service->reload_lock, NULL);
    service->read_ns = host_mono_ns();
    health_init(&service->health, service->read_ns);
    code = load(options, &service->config, &service->rules, err);
    if (code == EXIT_OK && config_check_files(service->config, err) != 0)
        code = EXIT_CONFIG;
    if (code == EXIT_OK) {
        log_configure((enum log_level)service->config->log.level,
                      (enum log_format)service->config->log.format);
        service->flush_ms = service->config->outbox.flush_ms;
        service->counters.rules_loaded = rule_set_count(service->rules);
        code = rules_running_of_set(service->rules, &service->loaded, err) == 0
                   ? open_files(service, err)
                   : EXIT_SYSTEM;
    }
    if (code == EXIT_OK)
        code = create_outbox(service, err);
    if (code == EXIT_OK)
        code = create_engine(service, err);
    if (code == EXIT_OK)
        code = create_admin(service, err);
    if (code == EXIT_OK && engine_start(service->engine, err) != 0)
        code = EXIT_SYSTEM;
    if (code != EXIT_OK) {
        service_destroy(service);
        return code;
    }
    log_event(LOG_INFO, "started", log_text("version", TOCSIN_VERSION),
              log_text("config", service->config->path),
              log_text("brokers", service->config->input.brokers),
              log_text("admin", service->config->admin.listen),
              log_number("rules", (int64_t)service->counters.rules_loaded),
              log_number("sinks", (int64_t)service->config->sinks.count),
              log_number("workers", service->engine_config.workers));
    *out = service;
    return EXIT_OK;
}

/* ---- the look once a second ---- */

/* Says what changed about the sinks since the last look. */
static void watch_sinks(struct service *service)
{
    struct sink_counters now[METRICS_SINKS_MAX];
    size_t count = 0;

    pthread_mutex_lock(&service->lock);
    if (service->outbox != NULL)
        count = outbox_counters(service->outbox, now, METRICS_SINKS_MAX);
    pthread_mutex_unlock(&service->lock);
    for (size_t i = 0; i < count; i++) {
        struct sink_counters *before = &service->seen.sinks[i];
        if (now[i].held != before->held)
            log_event(now[i].held ? LOG_ERROR : LOG_INFO, now[i].held ? "sink_held" : "sink_free",
                      log_text("sink", now[i].name), log_text("why", now[i].last_error),
                      log_number("waiting", (int64_t)now[i].waiting));
        if (now[i].breaker_open != before->breaker_open)
            log_event(now[i].breaker_open ? LOG_WARNING : LOG_INFO,
                      now[i].breaker_open ? "sink_down" : "sink_up", log_text("sink", now[i].name),
                      log_text("why", now[i].breaker_open ? now[i].last_error : ""),
                      log_number("waiting", (int64_t)now[i].waiting));
        if (now[i].dead > before->dead)
            log_event(LOG_ERROR, "sink_gave_up", log_text("sink", now[i].name),
                      log_text("why", now[i].last_error),
                      log_number("changes", (int64_t)(now[i].dead - before->dead)),
                      log_text("next", "kept for `tocsin redrive`"));
        *before = now[i];
    }
}

/* The log's side of the self-alert that the outbox gives its sinks. */
static void watch_fill(struct service *service, double fill)
{
    bool was_filling = service->is_filling;

    if (fill >= OUTBOX_FILLING)
        service->is_filling = true;
    else if (fill < OUTBOX_DRAINED)
        service->is_filling = false;
    if (service->is_filling != was_filling)
        log_event(service->is_filling ? LOG_ERROR : LOG_INFO,
                  service->is_filling ? "outbox_filling" : "outbox_drained",
                  log_number("percent", (int64_t)(100 * fill)),
                  log_text("next", service->is_filling ? "at 100 input pauses" : ""));
}

/* Whether some of the input can be read. A member that stands by need not read. */
static bool can_read(const struct kafka_counters *kafka)
{
    if (kafka->silent)
        return false;
    return !kafka->owner || kafka->unreadable + kafka->stopped < kafka->feeds;
}

/* With no input at all the engine's time stands still and no rule can tell of it: the outbox
 * does. A spell begins when nothing could be read for input.unreachable. */
static void watch_input(struct service *service, uint64_t now_ns, const char *why)
{
    struct kafka_counters kafka;
    bool was_lost = service->is_lost;

    kafka_source_counters(service->source, &kafka);
    if (can_read(&kafka)) {
        service->read_ns = now_ns;
        service->is_lost = false;
    } else if (now_ns - service->read_ns >=
               (uint64_t)service->config->input.unreachable_ms * 1000000u) {
        service->is_lost = true;
    }
    if (service->is_lost == was_lost)
        return;
    if (why[0] == '\0')
        why = "no partition can be read";
    log_event(service->is_lost ? LOG_ERROR : LOG_INFO,
              service->is_lost ? "input_lost" : "input_back",
              log_text("why", service->is_lost ? why : ""));
    pthread_mutex_lock(&service->lock);
    if (service->outbox != NULL)
        outbox_tell_input(service->outbox, service->is_lost ? why : NULL);
    pthread_mutex_unlock(&service->lock);
}

/* Records behind the reading position, where known, and events in bins. */
static uint64_t count_waiting(struct service *service, const struct engine_counters *counters)
{
    struct metrics *seen = &service->seen;
    uint64_t waiting = counters->in_bins;

    seen->part_count = engine_part_counters(service->engine, seen->parts, METRICS_PARTS_MAX);
    for (size_t i = 0; i < seen->part_count; i++)
        if (seen->parts[i].lag > 0)
            waiting += (uint64_t)seen->parts[i].lag;
    return waiting;
}

void service_tick(struct service *service)
{
    struct engine_counters counters;
    struct error source_why = {{0}}, why = {{0}};
    struct health_view view = {.now_ns = host_mono_ns()};

    engine_counters(service->engine, &counters);
    view.progress =
        counters.steps + counters.sleeps + counters.records + counters.seals + counters.rounds;
    view.watermark_ms = engine_watermark(service->engine);
    view.waiting = count_waiting(service, &counters);
    view.source_ready = service->source->ops->ready(service->source, &source_why);
    view.source_why = source_why.text;
    pthread_mutex_lock(&service->lock);
    view.outbox_fill = service->outbox != NULL ? outbox_fill(service->outbox) : 0;
    pthread_mutex_unlock(&service->lock);
    if (health_see(&service->health, &view)) {
        if (health_is_ready(&service->health, &why))
            log_event(LOG_INFO, "ready",
                      log_number("partitions", (int64_t)service->seen.part_count));
        else
            log_event(LOG_WARNING, "not_ready", log_text("why", why.text));
    }
    watch_sinks(service);
    watch_fill(service, view.outbox_fill);
    watch_input(service, view.now_ns, source_why.text);
    log_flush(false);
}

/* ---- reload ---- */

static void reload_failed(struct service *service, const struct error *err)
{
    log_event(LOG_ERROR, "reload_refused", log_text("why", err->text),
              log_text("next", "nothing was changed"));
    pthread_mutex_lock(&service->lock);
    service->counters.reloads_failed++;
    pthread_mutex_unlock(&service->lock);
}

/* What the set will do to the one that was loaded before it, which it replaces in `loaded`. Changes
 * nothing when it fails. */
static int preview_switch(struct service *service, const struct rule_set *rules,
                          struct rules_preview *preview, struct error *err)
{
    struct rules_running running = {.rules = NULL}, loaded = {.rules = NULL};
    int rc = rules_running_count(&service->loaded, service->engine, &running, err);

    if (rc == 0)
        rc = rules_running_of_set(rules, &loaded, err);
    if (rc == 0)
        rc = rules_preview_make(&running, &loaded, preview, err);
    rules_running_release(&running);
    if (rc != 0) {
        rules_running_release(&loaded);
        return rc;
    }
    rules_running_release(&service->loaded);
    service->loaded = loaded;
    return 0;
}

/* Under reload_lock. */
static int reload(struct service *service, struct rules_preview *preview, struct error *err)
{
    struct config *config = NULL;
    struct rule_set *rules = NULL;
    char names[WHY_BYTES];
    uint32_t count;
    int rc;

    if (load(&service->options, &config, &rules, err) != EXIT_OK)
        return -EINVAL;
    rc = preview_switch(service, rules, preview, err);
    if (rc != 0) {
        rule_set_destroy(rules);
        config_destroy(config);
        return rc;
    }
    if (config_restart_keys(service->config, config, names, sizeof(names)) > 0)
        log_event(LOG_WARNING, "reload_needs_restart", log_text("keys", names),
                  log_text("next", "the old values stay in force"));
    log_configure((enum log_level)config->log.level, (enum log_format)config->log.format);
    count = rule_set_count(rules);
    engine_switch_rules(service->engine, rules); /* taken */
    atomic_store_explicit(&service->must_reopen, true, memory_order_relaxed);
    quarantine_reopen(service->quarantine);
    pthread_mutex_lock(&service->lock);
    service->flush_ms = config->outbox.flush_ms;
    service->counters.reloads_done++;
    service->counters.rules_loaded = count;
    pthread_mutex_unlock(&service->lock);
    log_event(LOG_INFO, "reloaded", log_text("config", config->path), log_number("rules", count),
              log_number("rules_changed", (int64_t)preview->rules_changed),
              log_number("mutes_changed", (int64_t)preview->mutes_changed));
    config_destroy(config);
    return 0;
}

int service_reload(struct service *service, struct rules_preview *preview, struct error *err)
{
    int rc;

    pthread_mutex_lock(&service->reload_lock);
    rc = reload(service, preview, err);
    if (rc != 0)
        reload_failed(service, err);
    pthread_mutex_unlock(&service->reload_lock);
    return rc;
}

/* ---- stop ---- */

static int check_ledger(struct service *service)
{
    struct ledger ledger = {.parts = service->seen.parts};
    struct error err = {{0}};

    engine_counters(service->engine, &ledger.engine);
    ledger.part_count = engine_part_counters(service->engine, ledger.parts, METRICS_PARTS_MAX);
    for (size_t i = 0; i < service->engine_config.topic_count; i++)
        ledger.gaps_expected |= service->engine_config.topics[i].gaps_expected;
    if (ledger_check(&ledger, &err))
        return EXIT_OK;
    log_event(LOG_ERROR, "ledger_mismatch", log_text("why", err.text));
    return EXIT_INTERNAL;
}

int service_stop(struct service *service)
{
    struct outbox *outbox;
    struct engine_counters counters;
    size_t undelivered = 0;
    int64_t flush_ms;
    int code, rc;

    health_stop(&service->health);
    engine_stop(service->engine);
    pthread_mutex_lock(&service->lock);
    outbox = service->outbox;
    service->outbox = NULL;
    flush_ms = service->flush_ms;
    pthread_mutex_unlock(&service->lock);
    if (outbox != NULL)
        undelivered = outbox_destroy(outbox, (unsigned)flush_ms);
    code = check_ledger(service);
    pthread_mutex_lock(&service->lock);
    rc = mark_log_close(service->marks);
    service->marks = NULL;
    pthread_mutex_unlock(&service->lock);
    if (rc != 0)
        log_event(LOG_ERROR, "marks_failed", log_text("path", service->config->marks.path),
                  log_text("why", strerror(-rc)),
                  log_text("next", "a replay of this run may give other results"));
    engine_counters(service->engine, &counters);
    log_event(undelivered > 0 ? LOG_WARNING : LOG_INFO, "stopped",
              log_number("undelivered", (int64_t)undelivered),
              log_number("events", (int64_t)counters.events),
              log_number("opened", (int64_t)counters.opened),
              log_number("open", (int64_t)counters.open));
    return code;
}

/* A close on a thread of its own, so that it can be left behind. */
struct closing {
    struct source *source;
    int waker;
    atomic_bool is_done; /* relaxed: what the close did is visible after the join */
};

static void *close_it(void *self)
{
    struct closing *closing = self;
    const struct host *h = host();

    closing->source->ops->close(closing->source);
    atomic_store_explicit(&closing->is_done, true, memory_order_relaxed);
    h->waker_wake(h->self, closing->waker);
    return NULL;
}

static bool close_source(struct source *source)
{
    const struct host *h = host();
    struct closing *closing = calloc(1, sizeof(*closing));
    uint64_t end_ns = host_mono_ns() + SOURCE_CLOSE_MS * UINT64_C(1000000);
    pthread_t thread;

    if (closing == NULL || (closing->waker = h->waker_create(h->self)) < 0) {
        free(closing);
        source->ops->close(source);
        return true;
    }
    closing->source = source;
    if (pthread_create(&thread, NULL, close_it, closing) != 0) {
        close_it(closing);
    } else {
        while (!atomic_load_explicit(&closing->is_done, memory_order_relaxed)) {
            uint64_t now_ns = host_mono_ns();
            if (now_ns >= end_ns) {
                pthread_detach(thread);
                return false; /* what `closing` holds goes with the process */
            }
            h->waker_sleep(h->self, closing->waker, end_ns - now_ns);
        }
        pthread_join(thread, NULL);
    }
    h->close(h->self, closing->waker);
    free(closing);
    return true;
}

bool service_destroy(struct service *service)
{
    bool is_closed = true;

    if (service == NULL)
        return true;
    admin_destroy(service->admin);
    engine_destroy(service->engine);
    if (service->outbox != NULL)
        outbox_destroy(service->outbox, 0);
    if (service->source != NULL)
        is_closed = close_source(service->source);
    if (!is_closed)
        log_event(LOG_WARNING, "kafka_left_open",
                  log_text("why", "the client waits for a broker that does not answer"),
                  log_text("next", "leaving without it"));
    line_writer_close(service->incident_log);
    mark_log_close(service->marks);
    quarantine_close(service->quarantine);
    rule_set_destroy(service->rules);
    config_destroy(service->config);
    metrics_release(&service->seen);
    health_release(&service->health);
    rules_running_release(&service->loaded);
    pthread_mutex_destroy(&service->reload_lock);
    pthread_mutex_destroy(&service->lock);
    log_flush(true);
    free(service);
    return is_closed;
}

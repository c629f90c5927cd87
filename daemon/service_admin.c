/* service_admin.c - what the admin server asks of the daemon; on its thread. See service_parts.h.
 */
#include "daemon/json_print.h"
#include "daemon/service_parts.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/command.h"
#include "daemon/config_running.h"
#include "daemon/dead_ops.h"
#include "daemon/history_answer.h"
#include "daemon/log.h"
#include "daemon/mark_log.h"
#include "daemon/quarantine.h"
#include "daemon/rules_running.h"
#include "daemon/waiting_ops.h"
#include "ingest/kafka_source.h"
#include "store/history_writer.h"
#include "store/journal.h"

static void read_history(const struct durable *durable, struct daemon_counters *to)
{
    struct history_writer_counters counters;

    if (!durable_history_counters(durable, &counters))
        return;
    to->history_rows = counters.rows;
    to->history_lag = counters.lag;
    to->history_removed = counters.removed;
    to->history_missed = counters.missed;
    to->history_aside = counters.aside;
    to->history_failures = counters.failures;
    to->history_bytes = counters.bytes;
    to->is_history_paused = counters.is_paused;
}

static void read_journal(struct durable *durable, struct daemon_counters *to)
{
    struct journal_counters counters;

    durable_counters(durable, &counters);
    to->journal_groups = counters.groups;
    to->journal_bytes = counters.bytes;
    to->journal_silent = counters.silent;
    to->journal_full = counters.full;
    to->journal_segments = counters.log.segments;
    to->journal_recycled = counters.log.recycled + counters.log.removed;
    to->journal_recycle_failures = counters.release_failures;
    to->journal_sync_seconds = (double)counters.sync_ns_last / 1e9;
    to->journal_sync_seconds_max = (double)counters.sync_ns_max / 1e9;
    to->is_journal_waiting = counters.is_waiting_for_disk;
}

static void read_snapshots(struct durable *durable, struct daemon_counters *to)
{
    struct durable_snapshot_counters counters;

    durable_snapshot_counters(durable, &counters);
    to->snapshots_taken = counters.taken;
    to->snapshot_failures = counters.failures;
    to->snapshots_passed_over = counters.passed_over;
    to->snapshot_bytes = counters.bytes;
    if (counters.is_there)
        to->snapshot_age_seconds = (double)(host_mono_ns() - counters.begun_ns) / 1e9;
    to->snapshot_seconds = (double)counters.took_ns / 1e9;
    to->snapshot_hold_seconds_max = (double)counters.hold_ns_max / 1e9;
    to->is_snapshot_off = counters.is_off;
}

static void read_intake(struct intake *intake, struct daemon_counters *to)
{
    struct intake_counters counters;

    intake_counters(intake, &counters);
    to->intake_pushes = counters.pushes;
    to->intake_events = counters.push_events;
    to->intake_acts = counters.acts;
    to->intake_bytes = counters.log.bytes;
    to->intake_refused_bad = counters.refused_bad;
    to->intake_refused_full = counters.refused_full;
    to->intake_backlog_bytes = counters.backlog_bytes;
    to->intake_waiting = counters.waiting;
    to->intake_segments = counters.log.log.segments;
    to->intake_recycled = counters.log.log.recycled + counters.log.log.removed;
    to->intake_release_faults = counters.log.release_faults;
    to->intake_checkpoints = counters.checkpoints;
    to->intake_first_seconds = (double)counters.log.first_wall_ms / 1e3;
    to->is_intake_full = counters.log.is_full;
}

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
    metrics.quota_count = engine_quota_counters(service->engine, metrics.quotas, ENGINE_QUOTA_ROWS);
    metrics.part_count = engine_part_counters(service->engine, metrics.parts, METRICS_PARTS_MAX);
    kafka_source_counters(service->kafka, &metrics.kafka);
    metrics_read_process(&metrics.process);
    log_counters(&metrics.log);
    quarantine_counters(service->quarantine, &metrics.quarantine);
    pthread_mutex_lock(&service->lock);
    service->counters.incident_bytes = incident_bytes_held();
    if (service->outbox != NULL) {
        service->counters.outbox_bytes = outbox_bytes(service->outbox);
        metrics.sink_count = outbox_counters(service->outbox, metrics.sinks, METRICS_SINKS_MAX);
        service->counters.outbox_fill = outbox_fill(service->outbox);
    }
    metrics_sum_walks(&metrics);
    mark_log_counters(service->marks, &metrics.marks);
    metrics.daemon = service->counters;
    if (service->durable != NULL) {
        read_journal(service->durable, &metrics.daemon);
        read_snapshots(service->durable, &metrics.daemon);
        read_history(service->durable, &metrics.daemon);
    }
    pthread_mutex_unlock(&service->lock);
    if (service->intake != NULL)
        read_intake(service->intake, &metrics.daemon);
    service_read_unit(service->unit, &metrics.daemon);
    int64_t watermark_ms = engine_watermark(service->engine);
    bool has_watermark = watermark_ms > 0;
    metrics.daemon.watermark_seconds = has_watermark ? (double)watermark_ms / 1000 : NAN;
    int64_t begin_ms = engine_begin(service->engine);
    metrics.daemon.watermark_begin_seconds = begin_ms > 0 ? (double)begin_ms / 1000 : NAN;
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

/* The file stays where it is when the run stops meanwhile. */
static int list_incidents(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct service *service = self;
    char path[DATA_DIR_PATH_BYTES];
    struct id128 directory;
    int64_t as_of_ms = INT64_MIN;
    bool is_kept;

    pthread_mutex_lock(&service->lock);
    is_kept = service->durable != NULL &&
              durable_history_place(service->durable, path, &directory, &as_of_ms);
    pthread_mutex_unlock(&service->lock);
    if (is_kept)
        return history_answer(path, directory, as_of_ms, pick, to, err);
    error_set(err, "no history is kept: that takes data.dir, and history.enabled");
    return -ENOENT;
}

static int write_json(json_t *root, FILE *to, struct error *err)
{
    if (json_print(root, JSON_COMPACT, to))
        return 0;
    error_set(err, "out of memory");
    return -ENOMEM;
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
        json_object_set_new(json, "config", config_running_json(service->config));
        json_object_set_new(json, "engine", terms_json(&service->terms));
        rules_running_release(&running);
    }
    pthread_mutex_unlock(&service->reload_lock);
    return rc == 0 ? write_json(json, to, err) : rc;
}

/* What the rules were read from is for those who may change them. */
static int list_rules_past(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct service *service = self;
    char who[SERVICE_WHO_BYTES];
    struct id128 set = {0, 0};
    json_t *json;
    int rc;

    if (service->shelf == NULL) {
        error_set(err, "the rule sets of then are in data.dir");
        return -ENOENT;
    }
    if (pick->set == NULL)
        return write_json(rules_shelf_list(service->shelf, host_mono_ns()), to, err);
    rc = service_authorize(service, pick, who, err);
    if (rc != 0)
        return rc;
    if (!id128_parse(pick->set, &set)) {
        error_set(err, "set takes the 32 digits of a rule set");
        return -EINVAL;
    }
    pthread_mutex_lock(&service->reload_lock);
    json = rules_shelf_files(service->shelf, set, &service->read.files, err);
    pthread_mutex_unlock(&service->reload_lock);
    return json != NULL ? write_json(json, to, err) : -ENOENT;
}

static int reload_by_admin(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct rules_preview preview;
    int rc;

    if (!pick->dry)
        return service_reload_by(self, pick, to, err);
    rc = service_preview(self, &preview, err);
    if (rc != 0)
        return rc;
    rc = write_json(rules_preview_json(&preview), to, err);
    rules_preview_release(&preview);
    return rc;
}

int service_create_admin(struct service *service, struct error *err)
{
    struct admin_config config = {
        .listen = service->config->admin.listen,
        .connections_max = (unsigned)service->config->admin.connections_max,
        .body_max = (size_t)service->config->intake.body_max,
        .self = service,
        .metrics = write_metrics,
        .healthy = is_healthy,
        .ready = is_ready,
        .dead = list_dead,
        .waiting = list_waiting,
        .incidents = list_incidents,
        .redrive = service_redrive_by,
        .acknowledge = service_acknowledge,
        .close_incident = service_close_incident,
        .silences = service_list_silences,
        .silence_add = service_add_silence,
        .silence_end = service_end_silence,
        .events = service_take_events,
        .alertmanager = service_take_alertmanager,
        .rules = list_rules,
        .rules_past = list_rules_past,
        .reload = reload_by_admin,
    };

    if (strcmp(config.listen, "off") == 0)
        return EXIT_OK;
    return admin_create(&config, &service->admin, err) == 0 ? EXIT_OK : EXIT_SYSTEM;
}

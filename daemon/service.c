/* service.c - see service.h. */
#include "daemon/service_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/isa.h"
#include "daemon/command.h"
#include "daemon/input.h"
#include "daemon/ledger.h"
#include "daemon/line_writer.h"
#include "daemon/log.h"
#include "daemon/mark_log.h"
#include "daemon/packs.h"
#include "daemon/past_rules.h"
#include "daemon/quarantine.h"
#include "ingest/intake_source.h"

/* ---- start ---- */

static int load_rules(const struct service_options *options, const struct config *config,
                      struct rule_set **rules, struct rules_read *read, struct error *refused,
                      struct error *err)
{
    int rc;

    if (refused != NULL)
        return past_rules_load(config, options->rules, read, rules, refused, err);
    rules_read_begin(read);
    rc = packs_load_configured(config, options->rules, rules, err);
    rules_read_end(read);
    return rc;
}

int service_load(const struct service_options *options, struct config **config,
                 struct rule_set **rules, struct rules_read *read, struct error *refused,
                 struct error *err)
{
    int code = EXIT_CONFIG, rc;

    if (config_load(options->config_path, CONFIG_SECRETS_NEEDED, config, err) != 0)
        return EXIT_CONFIG;
    if (input_check(*config, err) == 0) {
        rc = load_rules(options, *config, rules, read, refused, err);
        if (rc == 0)
            return EXIT_OK;
        code = packs_exit_code(rc);
    }
    config_destroy(*config);
    *config = NULL;
    return code;
}

void service_say_passed_over(const struct rule_set *rules)
{
    const char *path = rule_set_passed_over(rules);

    if (path != NULL)
        log_event(LOG_WARNING, "rule_file_passed_over", log_text("path", path),
                  log_text("next", "it is not read: of a folder those files are that end with "
                                   ".yaml"));
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
    struct outbox_refusal *refusals;
    struct outbox_hold *holds;
    int rc;

    if (service->config->sinks.count == 0)
        return EXIT_OK;
    if (config_fill_outbox(service->config, &config) != 0) {
        error_set(err, "out of memory for the sinks");
        return EXIT_SYSTEM;
    }
    if (config.bytes_max > service->budget.outbox_bytes)
        config.bytes_max = service->budget.outbox_bytes;
    if (service->durable != NULL) {
        int code = durable_fill_outbox(service->durable, &config, err);
        if (code != EXIT_OK)
            return code;
    }
    if (service->unit != NULL) {
        config.may_leave = unit_may_leave;
        config.may_leave_self = service->unit;
        if (config.taken_over_ms == 0)
            config.taken_over_ms = unit_taken_over_ms(service->unit);
    }
    refusals = service_fill_refusals(service, &config);
    holds = service_fill_holds(service, &config);
    rc = outbox_create(&config, &service->outbox, err);
    free(refusals);
    free(holds);
    return rc == 0 ? EXIT_OK : EXIT_SYSTEM;
}

static int fill_engine(struct service *service, struct error *err)
{
    engine_config_init(&service->engine_config);
    host()->random(host()->self, &service->engine_config.seed, sizeof(service->engine_config.seed));
    if (config_fill_engine(service->config, &service->engine_config) != 0) {
        error_set(err, "out of memory for the engine's configuration");
        return EXIT_SYSTEM;
    }
    service->terms = engine_terms_of(&service->engine_config);
    memory_budget_find(service->config->memory.budget, service->engine_config.workers,
                       &service->budget);
    service->engine_config.bins_bytes_max = service->budget.bins_bytes;
    service->engine_config.step_touches = service->budget.step_touches;
    return EXIT_OK;
}

/* With a data directory nothing leaves before it is there to stay. */
static int open_durable(struct service *service, const struct rules_read *read, struct error *err)
{
    const struct history_limits history = {.keep_ms = service->config->history.keep_ms,
                                           .bytes_max =
                                               (uint64_t)service->config->history.bytes_max};
    const struct durable_options options = {
        .dir = &service->dir,
        .unit = service->unit,
        .engine = &service->engine_config,
        .rules = rule_set_hash(service->rules),
        .read = read,
        .history = service->config->history.enabled ? &history : NULL,
        .snapshot_every_ms = service->config->data.snapshot_every_ms,
        .keep = {.keep_ms = service->config->data.journal_keep_ms,
                 .bytes_max = (uint64_t)service->config->data.journal_bytes_max},
        .accept_loss = service->options.accept_loss,
        .trust = service->options.trust_journal,
        .committed = service_committed,
        .committed_to = service_committed_to,
        .keep_committed = service_keep_committed,
        .refused = &service->options.refused,
        .has_intake = service->intake != NULL,
        .intake_next = service->intake != NULL ? intake_next(service->intake) : 0,
        .intake_floor = service_intake_floor,
        .intake_release = service_intake_release,
        .self = service};
    int code;

    if (service->config->data.dir[0] == '\0') {
        log_event(LOG_INFO, "nothing_is_kept", log_text("key", "data.dir"),
                  log_text("next", "a restart begins anew: it may repeat pages, and forgets what "
                                   "is open"));
        return EXIT_OK;
    }
    code = durable_open(&options, &service->durable, err);
    if (code != EXIT_OK)
        return code;
    code = intake_begin(service->intake, err);
    if (code != EXIT_OK)
        return code;
    durable_fill_engine(service->durable, &service->engine_config);
    if (crash_log_open(&service->dir, &service->crashes, err) != 0)
        return EXIT_IO;
    service->engine_config.crash_count =
        crash_log_refused(service->crashes, &service->engine_config.crashes);
    if (service->incident_log != NULL && strcmp(service->config->incident_log.path, "-") != 0)
        durable_mend_log(service->durable, service->config->incident_log.path,
                         service->incident_log);
    return durable_begin_rules(service->durable, &service->rules, &service->next_rules, err);
}

static int open_source(struct service *service, struct error *err)
{
    struct input_past past = {.queued_mb = (unsigned)(service->budget.fetched_bytes >> 20)};

    if (service->durable != NULL) {
        past.began_at = durable_began_at;
        past.self = service->durable;
        past.is_lost = service->unit != NULL && unit_is_lost(service->unit);
    }
    if (input_open(service->config, past, &service->kafka, err) != 0)
        return EXIT_SYSTEM;
    service->source = service->kafka;
    if (service->intake != NULL) {
        int64_t first = 0;
        bool is_known = durable_began_at(service->durable, INTAKE_TOPIC, INTAKE_PARTITION, &first);
        int code =
            intake_source_over(service->intake, is_known ? &(uint64_t){(uint64_t)first} : NULL,
                               service->kafka, &service->source, err);
        if (code != EXIT_OK)
            return code;
    }
    if (service->durable != NULL)
        service->source = durable_source(service->durable, service->source);
    if (service->source != NULL)
        return EXIT_OK;
    service->source = service->kafka;
    error_set(err, "out of memory for the input");
    return EXIT_SYSTEM;
}

static int create_engine(struct service *service, struct error *err)
{
    struct engine_listener listener = service_listener(service);
    int code;

    if (service->durable != NULL)
        durable_begin(service->durable, service->outbox);
    if (service->durable == NULL) {
        service->shelf = rules_shelf_create(rule_set_hash(service->rules), &service->terms);
        if (service->shelf == NULL) {
            error_set(err, "out of memory");
            return EXIT_SYSTEM;
        }
    }
    code = open_source(service, err);
    if (code != EXIT_OK)
        return code;
    if (engine_create(&service->engine_config, service->source, service->rules, &listener,
                      &service->engine, err) != 0)
        return EXIT_SYSTEM;
    if (service->durable != NULL) {
        code = durable_load_image(service->durable, service->engine, service->rules, err);
        if (code == EXIT_OK)
            code = durable_last_switch(service->durable, service->engine, &service->next_rules,
                                       &service->terms, err);
        if (code != EXIT_OK)
            return code;
    }
    if (service->next_rules != NULL)
        engine_switch(service->engine, service->next_rules, &service->terms); /* taken */
    service->next_rules = NULL;
    return EXIT_OK;
}

/* What begins to run, once the directory is ours. */
static int go_on(struct service *service, struct error *err)
{
    int code = service_open_intake(service, err);

    service->counters.rules_loaded = rule_set_count(service->rules);
    if (code == EXIT_OK && rules_running_of_set(service->rules, &service->loaded, err) != 0)
        code = EXIT_SYSTEM;
    if (code == EXIT_OK)
        code = open_durable(service, &service->read, err);
    if (code == EXIT_OK && service->durable != NULL)
        service_say_switched(service);
    if (code == EXIT_OK)
        code = create_outbox(service, err);
    if (code == EXIT_OK)
        code = create_engine(service, err);
    if (code == EXIT_OK && service->intake != NULL &&
        intake_start(service->intake, service->engine, err) != 0)
        code = EXIT_SYSTEM;
    admin_destroy(service->admin); /* of one that stood by */
    service->admin = NULL;
    if (code == EXIT_OK)
        code = service_create_admin(service, err);
    if (code == EXIT_OK && service->crashes != NULL)
        crash_log_arm(service->crashes);
    if (code == EXIT_OK && engine_start(service->engine, err) != 0)
        code = EXIT_SYSTEM;
    if (code == EXIT_OK && service->durable != NULL)
        code = durable_snapshots_begin(service->durable, service->engine, err);
    if (code != EXIT_OK)
        return code;
    log_event(LOG_INFO, "started", log_text("version", TOCSIN_VERSION),
              log_text("isa", isa_name(isa_chosen())),
              log_text("config", service->config->path),
              log_text("brokers", service->config->input.brokers),
              log_text("admin", service->config->admin.listen),
              log_number("rules", (int64_t)service->counters.rules_loaded),
              log_number("sinks", (int64_t)service->config->sinks.count),
              log_number("workers", service->engine_config.workers));
    service_say_budget(service);
    /* Nothing was to be read before, however long it stood by or gathered what the directory has.
     */
    service->read_ns = host_mono_ns();
    health_begin(&service->health, service->read_ns);
    return EXIT_OK;
}

/* The image of a snapshot whose checksums are right makes no sense: all begins anew, from the one
 * before it. What a start does before it loads one can be done again; the unit is given back for
 * it, so who else stands by may take it, with files of its own. Where the client of Kafka stays
 * open it holds on to the directory. */
static int create_before(struct service *service, const struct durable_refused *refused,
                         struct service **out, struct error *err)
{
    struct service_options again = service->options;

    again.refused = *refused;
    log_event(LOG_WARNING, "start_begins_anew", log_text("why", err->text),
              log_text("next", "the snapshot before it is gone on from"));
    return service_destroy(service) ? service_create(&again, out, err) : EXIT_DATA;
}

int service_create(const struct service_options *options, struct service **out, struct error *err)
{
    struct service *service = calloc(1, sizeof(*service));
    struct durable_refused refused;
    struct error rules_refused;
    bool is_of_dir; /* what comes to be refused is no file that people write */
    int code = EXIT_SYSTEM;

    if (service == NULL || !metrics_init(&service->seen)) {
        error_set(err, "out of memory");
        free(service);
        return EXIT_SYSTEM;
    }
    service->options = *options;
    service->dir = (struct data_dir)DATA_DIR_CLOSED;
    pthread_mutex_init(&service->lock, NULL);
    pthread_mutex_init(&service->reload_lock, NULL);
    service->read_ns = host_mono_ns();
    health_init(&service->health, service->read_ns);
    code = service_load(options, &service->config, &service->rules, &service->read, &rules_refused,
                        err);
    if (code == EXIT_OK && config_check_files(service->config, err) != 0)
        code = EXIT_CONFIG;
    if (code == EXIT_OK && service_read_tokens(service, err) != 0)
        code = EXIT_CONFIG;
    is_of_dir = code == EXIT_OK;
    if (code == EXIT_OK)
        code = service_lock(service, err);
    if (code == EXIT_OK) {
        log_configure((enum log_level)service->config->log.level,
                      (enum log_format)service->config->log.format);
        service_say_passed_over(service->rules);
        if (rules_refused.text[0] != '\0')
            log_event(LOG_WARNING, "rules_refused", log_text("why", rules_refused.text),
                      log_text("next", "they were in force before, and stay so; a reload will "
                                       "refuse them"));
        service->flush_ms = service->config->outbox.flush_ms;
        service->counters.rules_loaded = rule_set_count(service->rules);
        code = open_files(service, err);
    }
    if (code == EXIT_OK)
        code = fill_engine(service, err);
    if (code == EXIT_OK)
        code = service->config->shared.address[0] != '\0' ? service_stand_by(service, err)
                                                          : go_on(service, err);
    if (code == EXIT_DATA && service->durable != NULL &&
        durable_refused_image(service->durable, &refused))
        return create_before(service, &refused, out, err);
    if (code == EXIT_DATA && is_of_dir)
        service_tell_refusal(service, err);
    if (code != EXIT_OK) {
        service_destroy(service);
        return code;
    }
    *out = service;
    return EXIT_OK;
}

int service_go_on(struct service **at, struct error *err)
{
    struct service *service = *at;
    struct durable_refused refused;
    struct error waits_for;
    int code;

    /* It may be one that began anew, and is woken for the one before it. */
    if (!service->stands_by || unit_stand(service->unit, &waits_for) == UNIT_STANDS_BY)
        return EXIT_OK;
    code = service_has_unit(service, err);
    if (code == EXIT_OK)
        code = go_on(service, err);
    if (code == EXIT_DATA && service->durable != NULL &&
        durable_refused_image(service->durable, &refused)) {
        *at = NULL;
        return create_before(service, &refused, at, err);
    }
    /* Settings that cannot go on with the unit as well: nobody else has it. */
    if (code == EXIT_DATA || code == EXIT_CONFIG)
        service_tell_refusal(service, err);
    service->stands_by = code != EXIT_OK;
    return code;
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
    if (ledger_check(&ledger, &err) && engine_check_walk(service->engine, &err))
        return EXIT_OK;
    log_event(LOG_ERROR, "ledger_mismatch", log_text("why", err.text));
    return EXIT_INTERNAL;
}

int service_stop(struct service *service)
{
    struct outbox *outbox;
    struct engine_counters counters;
    struct error why = {{0}};
    size_t undelivered = 0;
    int64_t flush_ms;
    int code, rc, verdict;

    health_stop(&service->health);
    if (service->engine == NULL) {
        log_event(LOG_INFO, "stopped", log_text("was", "standing by"));
        return EXIT_OK;
    }
    intake_stop(service->intake);
    if (service->durable != NULL)
        durable_snapshots_end(service->durable, true);
    engine_stop(service->engine);
    if (service->durable != NULL)
        durable_flush(service->durable);
    pthread_mutex_lock(&service->lock);
    outbox = service->outbox;
    service->outbox = NULL;
    flush_ms = service->flush_ms;
    pthread_mutex_unlock(&service->lock);
    if (service->unit != NULL && unit_verdict(service->unit, &why) != EXIT_OK)
        flush_ms = 0; /* another owner tells the sinks */
    if (outbox != NULL) {
        service_watch_sinks(service, outbox);
        service_watch_holds(service, outbox);
        undelivered =
            service->durable != NULL && durable_verdict(service->durable, &why) == EXIT_DATA
                ? service_stop_refused(service, outbox, (unsigned)flush_ms, &why)
                : outbox_stop(outbox, (unsigned)flush_ms);
        service_note_endings(service, outbox);
        service_watch_sinks(service, outbox);
        service_watch_holds(service, outbox);
    }
    /* What became of ops in the last moment is written down before the outbox goes. */
    verdict = service_verdict(service, &why);
    if (service->durable != NULL)
        durable_stop(service->durable);
    if (service->unit != NULL)
        unit_stop(service->unit);
    outbox_destroy(outbox, 0);
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
    return verdict != EXIT_OK ? verdict : code;
}

int service_verdict(struct service *service, struct error *why)
{
    int code = service->unit != NULL ? unit_verdict(service->unit, why) : EXIT_OK;

    if (code == EXIT_OK && service->intake != NULL)
        code = intake_verdict(service->intake, why);
    if (code != EXIT_OK)
        return code;
    return service->durable != NULL ? durable_verdict(service->durable, why) : EXIT_OK;
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
    unsigned looks = 0;
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
            /* Looks, and not the time: where a machine stands still, so does the client. */
            if (looks++ == SOURCE_CLOSE_MS / SOURCE_LOOK_MS) {
                pthread_detach(thread);
                return false; /* what `closing` holds goes with the process */
            }
            h->waker_sleep(h->self, closing->waker, SOURCE_LOOK_MS * UINT64_C(1000000));
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
    intake_stop(service->intake); /* all answers are given */
    admin_destroy(service->admin);
    crash_log_close(service->crashes);
    if (service->durable != NULL)
        durable_snapshots_end(service->durable, false);
    engine_destroy(service->engine);
    if (service->outbox != NULL)
        outbox_stop(service->outbox, 0);
    if (service->durable != NULL)
        durable_stop(service->durable);
    outbox_destroy(service->outbox, 0);
    unit_destroy(service->unit);
    if (service->source != NULL)
        is_closed = close_source(service->source);
    intake_close(service->intake);
    data_dir_close(&service->dir);
    if (is_closed)
        durable_close(service->durable);
    else
        log_event(LOG_WARNING, "kafka_left_open",
                  log_text("why", "the client waits for a broker that does not answer"),
                  log_text("next", "leaving without it"));
    line_writer_close(service->incident_log);
    mark_log_close(service->marks);
    quarantine_close(service->quarantine);
    rule_set_destroy(service->rules);
    rule_set_destroy(service->next_rules);
    config_destroy(service->config);
    service_release_tokens(service);
    rules_read_release(&service->read);
    rules_shelf_destroy(service->shelf);
    metrics_release(&service->seen);
    health_release(&service->health);
    refusals_release(&service->refusals);
    rules_running_release(&service->loaded);
    pthread_mutex_destroy(&service->reload_lock);
    pthread_mutex_destroy(&service->lock);
    log_flush(true);
    free(service);
    return is_closed;
}

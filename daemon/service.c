/* service.c - see service.h. */
#include "daemon/service_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/command.h"
#include "daemon/incident_log.h"
#include "daemon/input.h"
#include "daemon/ledger.h"
#include "daemon/line_writer.h"
#include "daemon/log.h"
#include "daemon/mark_log.h"
#include "daemon/packs.h"
#include "daemon/quarantine.h"
#include "ingest/intake_source.h"

/* A sink's name has at most 100 bytes, of which a byte may become six. */
enum { OP_LINE_BYTES = 1 << 10, WHY_BYTES = 512 };

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

static void before_line(struct service *service)
{
    /* relaxed: the flag says nothing about other memory; the path never changes. */
    if (atomic_load_explicit(&service->must_reopen, memory_order_relaxed) &&
        atomic_exchange_explicit(&service->must_reopen, false, memory_order_relaxed))
        reopen_incident_log(service);
}

static void after_line(struct service *service)
{
    int rc = line_writer_flush(service->incident_log);

    if (rc != 0)
        incident_log_failed(service, rc);
}

static void write_change(struct service *service, const struct incident *incident)
{
    if (service->incident_log == NULL)
        return;
    before_line(service);
    incident_log_add_change(service->incident_log, incident);
    after_line(service);
}

static void write_op(struct service *service, const struct op *op, const char *sink)
{
    char line[OP_LINE_BYTES];

    if (service->incident_log == NULL)
        return;
    before_line(service);
    line_writer_add(service->incident_log, line, incident_log_op(op, sink, line, sizeof(line)));
    after_line(service);
}

static void on_incident(void *self, struct incident *incident)
{
    struct service *service = self;

    if (service->durable != NULL)
        durable_incident(service->durable, incident);
    else
        write_change(service, incident);
}

static bool on_op(void *self, const struct op *op)
{
    struct service *service = self;
    char line[OP_LINE_BYTES];
    size_t bytes = 0;

    if (service->durable != NULL)
        return durable_op(service->durable, op);
    /* Rendered first: once submitted, the incident may be gone. */
    if (service->incident_log != NULL)
        bytes =
            incident_log_op(op, service->engine_config.sink_names[op->sink], line, sizeof(line));
    if (!outbox_submit(service->outbox, op))
        return false;
    if (bytes > 0) {
        before_line(service);
        line_writer_add(service->incident_log, line, bytes);
        after_line(service);
    }
    return true;
}

/* What leaves only when its group is durable. Thread: journal. */
static void on_committed(void *self, const struct incident *incident, const struct op *op,
                         const char *sink)
{
    struct service *service = self;

    if (incident != NULL)
        write_change(service, incident);
    else
        write_op(service, op, sink);
}

static void on_committed_to(void *self, int64_t to_ms)
{
    struct service *service = self;

    if (service->intake != NULL)
        intake_committed(service->intake, to_ms);
    if (service->unit != NULL)
        unit_committed(service->unit, to_ms);
}

static bool on_room(void *self)
{
    return durable_room(((struct service *)self)->durable);
}

static void on_step(void *self, const struct engine_step *step)
{
    struct service *service = self;

    durable_step(service->durable, step);
    if (!durable_is_recovered(service->durable))
        return;
    if (service->intake != NULL)
        intake_stepped(service->intake, step->to_ms);
    if (service->unit != NULL)
        unit_stepped(service->unit, step->to_ms);
}

static void on_joined(void *self, const struct engine_joined *joined)
{
    durable_joined(((struct service *)self)->durable, joined);
}

static void on_acted(void *self, const struct engine_acted *acted)
{
    intake_acted(((struct service *)self)->intake, acted);
}

static void on_short_of(void *self, uint16_t part, int64_t at, int64_t read)
{
    durable_short_of(((struct service *)self)->durable, part, at, read);
}

static void on_recovered(void *self)
{
    durable_recovered(((struct service *)self)->durable);
}

static void on_switched(void *self, const struct rule_set *rules, const struct engine_terms *terms,
                        int64_t at_ms)
{
    struct service *service = self;

    if (service->durable != NULL)
        durable_switched(service->durable, rules, terms);
    else
        rules_shelf_switched(service->shelf, rule_set_hash(rules), at_ms, host_mono_ns());
    atomic_store_explicit(&service->in_force, rule_set_hash(rules).hi, memory_order_relaxed);
}

static struct rule_set *on_rules_before(void *self, size_t index, struct engine_terms *terms)
{
    return durable_rules_before(((struct service *)self)->durable, index, terms);
}

static void on_image(void *self, const struct engine_image *image)
{
    durable_image(((struct service *)self)->durable, image);
}

static void on_mark(void *self, const struct mark *mark)
{
    struct service *service = self;
    const char *topic = NULL;
    int32_t partition = -1;

    if (mark->kind != MARK_SWITCH && mark->kind != MARK_BEGIN)
        topic = engine_part_name(service->engine, mark->part, &partition);
    if (service->durable != NULL)
        durable_mark(service->durable, mark, topic, partition);
    if (service->marks != NULL)
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

/* ---- start ---- */

/* Reads and checks; opens nothing. What the rules were read from goes to `read`, whatever comes of
 * it. */
static int load(const struct service_options *options, struct config **config,
                struct rule_set **rules, struct rules_read *read, struct error *err)
{
    int code = EXIT_CONFIG, rc;

    if (config_load(options->config_path, CONFIG_SECRETS_NEEDED, config, err) != 0)
        return EXIT_CONFIG;
    if (input_check(*config, err) == 0) {
        rules_read_begin(read);
        rc = packs_load_configured(*config, options->rules, rules, err);
        rules_read_end(read);
        if (rc == 0)
            return EXIT_OK;
        code = packs_exit_code(rc);
    }
    config_destroy(*config);
    *config = NULL;
    return code;
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
        config.taken_over_ms = unit_taken_over_ms(service->unit);
    }
    return outbox_create(&config, &service->outbox, err) == 0 ? EXIT_OK : EXIT_SYSTEM;
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
        .committed = on_committed,
        .committed_to = on_committed_to,
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
        int64_t first = 0; /* of a directory that knows nothing of it: all of it */
        durable_began_at(service->durable, INTAKE_TOPIC, INTAKE_PARTITION, &first);
        if (intake_source_over(service->intake, (uint64_t)first, service->kafka, &service->source,
                               err) != 0)
            return EXIT_SYSTEM;
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
    struct engine_listener listener = {.self = service,
                                       .incident = on_incident,
                                       .op = on_op,
                                       .switched = on_switched,
                                       .rejected = on_rejected};
    int code;

    if (service->marks != NULL || service->durable != NULL)
        listener.mark = on_mark;
    if (service->durable != NULL) {
        listener.room = on_room;
        listener.step = on_step;
        listener.acted = on_acted;
        if (service->config->history.enabled)
            listener.joined = on_joined;
        listener.recovered = on_recovered;
        listener.short_of = on_short_of;
        listener.rules_before = on_rules_before;
        listener.image = on_image;
        durable_begin(service->durable, service->outbox);
    }
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
              log_text("config", service->config->path),
              log_text("brokers", service->config->input.brokers),
              log_text("admin", service->config->admin.listen),
              log_number("rules", (int64_t)service->counters.rules_loaded),
              log_number("sinks", (int64_t)service->config->sinks.count),
              log_number("workers", service->engine_config.workers));
    service_say_budget(service);
    return EXIT_OK;
}

/* Where what is kept cannot be gone on from nobody is paged by this daemon any more, and that is what
 * the sinks are told (semantics D4): once in a start, for as long as a stop would wait for them. */
static void tell_refusal(struct service *service, const struct error *why)
{
    struct outbox_config config = {0};
    struct outbox *own = NULL, *outbox = service->outbox;
    struct error err;
    size_t undelivered;

    if (outbox == NULL) {
        if (service->config->sinks.count == 0 || config_fill_outbox(service->config, &config) != 0 ||
            outbox_create(&config, &own, &err) != 0)
            return;
        outbox = own;
    }
    outbox_tell_refusal(outbox, why->text);
    undelivered = outbox_stop(outbox, (unsigned)service->config->outbox.flush_ms);
    outbox_destroy(own, 0);
    log_event(undelivered == 0 ? LOG_INFO : LOG_WARNING, "refusal_told",
              log_number("sinks", (int64_t)service->config->sinks.count),
              log_number("undelivered", (int64_t)undelivered));
}

int service_create(const struct service_options *options, struct service **out, struct error *err)
{
    struct service *service = calloc(1, sizeof(*service));
    bool is_of_dir; /* what comes to be refused is no file that people write */
    int code = EXIT_SYSTEM;

    if (service == NULL || !metrics_init(&service->seen)) {
        error_set(err, "out of memory");
        free(service);
        return EXIT_SYSTEM;
    }
    service->options = *options;
    service->dir.lock_fd = -1;
    pthread_mutex_init(&service->lock, NULL);
    pthread_mutex_init(&service->reload_lock, NULL);
    service->read_ns = host_mono_ns();
    health_init(&service->health, service->read_ns);
    code = load(options, &service->config, &service->rules, &service->read, err);
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
        service->flush_ms = service->config->outbox.flush_ms;
        service->counters.rules_loaded = rule_set_count(service->rules);
        code = open_files(service, err);
    }
    if (code == EXIT_OK)
        code = fill_engine(service, err);
    if (code == EXIT_OK)
        code = service->config->shared.address[0] != '\0' ? service_stand_by(service, err)
                                                          : go_on(service, err);
    if (code == EXIT_DATA && is_of_dir)
        tell_refusal(service, err);
    if (code != EXIT_OK) {
        service_destroy(service);
        return code;
    }
    *out = service;
    return EXIT_OK;
}

int service_go_on(struct service *service, struct error *err)
{
    int code = EXIT_OK;

    if (!service->stands_by)
        return EXIT_OK;
    code = service_has_unit(service, err);
    if (code == EXIT_OK)
        code = go_on(service, err);
    if (code == EXIT_DATA)
        tell_refusal(service, err);
    service->stands_by = code != EXIT_OK;
    return code;
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

/* What the set would do to the one that was loaded before it, and `loaded` as it would be then,
 * which is to be released. */
static int preview_switch(struct service *service, const struct rule_set *rules,
                          const struct engine_terms *terms, struct rules_running *loaded, struct rules_preview *preview,
                          struct error *err)
{
    struct rules_running running = {.rules = NULL};
    int rc = rules_running_count(&service->loaded, service->engine, &running, err);

    *loaded = (struct rules_running){.rules = NULL};
    if (rc == 0)
        rc = rules_running_of_set(rules, loaded, err);
    if (rc == 0)
        rc = rules_preview_make(&running, loaded, preview, err);
    if (rc == 0) {
        preview->set = rule_set_hash(rules);
        rules_preview_terms(preview, &service->terms, terms);
    }
    rules_running_release(&running);
    if (rc != 0)
        rules_running_release(loaded);
    return rc;
}

/* Where memory is short the answer does without them; the log has those of a reload. */
static void preview_restart(struct rules_preview *preview, const char *names)
{
    if (!rules_preview_needs_restart(preview, names))
        preview->restart = "";
}

/* With a data directory a set is there to stay before it takes effect. */
static int keep_rules(struct service *service, const struct rule_set *rules,
                      const struct rules_read *read, struct error *err)
{
    if (service->durable == NULL || durable_has_rules(service->durable, rules))
        return 0;
    return durable_keep_rules(service->durable, rules, read, err);
}

/* Takes the set. One that was asked for last already, with the same terms, makes no switch, which a
 * data directory would have to keep. */
static void switch_rules(struct service *service, struct rule_set *rules,
                         const struct engine_terms *terms)
{
    if (service->durable != NULL && durable_has_rules(service->durable, rules) &&
        durable_has_terms(service->durable, terms)) {
        rule_set_destroy(rules);
        return;
    }
    if (service->durable != NULL)
        durable_asked_for(service->durable, rules, terms);
    service->terms = *terms;
    engine_switch(service->engine, rules, terms);
}

void service_switch_drop(struct service_switch *to)
{
    rule_set_destroy(to->rules);
    rules_read_release(&to->read);
    rules_running_release(&to->loaded);
    rules_preview_release(&to->preview);
    *to = (struct service_switch){.rules = NULL};
}

/* The same of terms. */
static int keep_terms(struct service *service, struct engine_terms *terms, struct error *err)
{
    if (service->durable == NULL || durable_has_terms(service->durable, terms)) {
        terms->id = service->terms.id;
        return 0;
    }
    return durable_keep_terms(service->durable, terms, err);
}

int service_switch_prepare(struct service *service, struct service_switch *to, struct error *err)
{
    int rc = keep_rules(service, to->rules, &to->read, err);

    if (rc == 0)
        rc = keep_terms(service, &to->terms, err);
    if (rc == 0)
        rc = preview_switch(service, to->rules, &to->terms, &to->loaded, &to->preview, err);
    if (rc != 0) {
        to->preview = (struct rules_preview){.rules_changed = 0};
        service_switch_drop(to);
    }
    return rc;
}

void service_switch_make(struct service *service, struct service_switch *to)
{
    rules_running_release(&service->loaded);
    service->loaded = to->loaded;
    if (service->shelf != NULL)
        rules_shelf_ask(service->shelf, rule_set_hash(to->rules), &to->terms,
                        &service->read.files);
    rules_read_release(&service->read);
    service->read = to->read;
    pthread_mutex_lock(&service->lock);
    service->counters.rules_loaded = rule_set_count(to->rules);
    pthread_mutex_unlock(&service->lock);
    switch_rules(service, to->rules, &to->terms);
    to->rules = NULL;
    to->loaded = (struct rules_running){.rules = NULL};
    to->read = (struct rules_read){.files = {{0}}};
}

/* Reads configuration and rules, with the silences made by hand. Under reload_lock. */
static int load_again(struct service *service, struct config **config, struct service_switch *to,
                      struct error *err)
{
    int rc;

    *to = (struct service_switch){.rules = NULL};
    if (load(&service->options, config, &to->rules, &to->read, err) != EXIT_OK) {
        rules_read_release(&to->read);
        return -EINVAL;
    }
    to->terms = config_terms(*config);
    if (!engine_terms_are_fine(&to->terms, err)) {
        error_prefix(err, "engine: ");
        service_switch_drop(to);
        config_destroy(*config);
        return -EINVAL;
    }
    rc = service_add_silences(service, &to->rules, &to->read, err);
    if (rc == 0)
        return 0;
    service_switch_drop(to);
    config_destroy(*config);
    return rc;
}

/* Under reload_lock. */
static int reload(struct service *service, struct rules_preview *preview, struct error *err)
{
    struct config *config = NULL;
    struct service_switch to;
    char names[RESTART_KEYS_BYTES], terms[TERMS_NAMES_BYTES];
    uint32_t count;
    int rc = load_again(service, &config, &to, err);

    if (rc != 0)
        return rc;
    rc = service_switch_prepare(service, &to, err);
    if (rc != 0) {
        config_destroy(config);
        return rc;
    }
    if (config_restart_keys(service->config, config, names, sizeof(names)) > 0) {
        log_event(LOG_WARNING, "reload_needs_restart", log_text("keys", names),
                  log_text("next", "the old values stay in force"));
        preview_restart(&to.preview, names);
    }
    log_configure((enum log_level)config->log.level, (enum log_format)config->log.format);
    count = rule_set_count(to.rules);
    service_switch_make(service, &to);
    *preview = to.preview;
    atomic_store_explicit(&service->must_reopen, true, memory_order_relaxed);
    quarantine_reopen(service->quarantine);
    pthread_mutex_lock(&service->lock);
    service->flush_ms = config->outbox.flush_ms;
    service->counters.reloads_done++;
    pthread_mutex_unlock(&service->lock);
    log_event(LOG_INFO, "reloaded", log_text("config", config->path), log_number("rules", count),
              log_number("rules_changed", (int64_t)preview->rules_changed),
              log_number("mutes_changed", (int64_t)preview->mutes_changed),
              log_number("enrich_steps_changed", (int64_t)preview->steps.changed),
              log_text("engine_changed",
                       terms_changes_print(preview->terms, preview->term_count, terms)));
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

int service_preview(struct service *service, struct rules_preview *preview, struct error *err)
{
    struct config *config = NULL;
    struct service_switch to;
    char names[RESTART_KEYS_BYTES];
    int rc;

    pthread_mutex_lock(&service->reload_lock);
    rc = load_again(service, &config, &to, err);
    if (rc == 0) {
        rc = preview_switch(service, to.rules, &to.terms, &to.loaded, preview, err);
        if (rc == 0 && config_restart_keys(service->config, config, names, sizeof(names)) > 0)
            preview_restart(preview, names);
        service_switch_drop(&to);
        config_destroy(config);
    }
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
    if (outbox != NULL)
        undelivered = outbox_stop(outbox, (unsigned)flush_ms);
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
    rules_running_release(&service->loaded);
    pthread_mutex_destroy(&service->reload_lock);
    pthread_mutex_destroy(&service->lock);
    log_flush(true);
    free(service);
    return is_closed;
}

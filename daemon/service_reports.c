/* service_reports.c - what the engine and the journal report to the daemon, and where that goes.
 * See service_parts.h. */
#include "daemon/service_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/incident_log.h"
#include "daemon/line_writer.h"
#include "daemon/log.h"
#include "daemon/mark_log.h"
#include "daemon/quarantine.h"

/* A sink's name has at most 100 bytes, of which a byte may become six. */
enum { OP_LINE_BYTES = 1 << 10, WHY_BYTES = 512 };

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

int service_keep_committed(void *self)
{
    struct service *service = self;

    return service->incident_log != NULL ? line_writer_sync(service->incident_log) : 0;
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

void service_committed(void *self, const struct incident *incident, const struct op *op,
                       const char *sink)
{
    struct service *service = self;

    if (incident != NULL)
        write_change(service, incident);
    else
        write_op(service, op, sink);
}

void service_committed_to(void *self, int64_t to_ms)
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

/* What is pushed has none. */
static struct log_field log_partition(int32_t partition)
{
    return partition < 0 ? log_text("partition", "-") : log_number("partition", partition);
}

static void on_rejected(void *self, const char *topic, int32_t partition,
                        const struct record *record, enum reject_reason reason, uint32_t at,
                        const char *why)
{
    struct service *service = self;

    if (reason == REJECT_QUOTA) /* nothing is wrong with the record, and of these there are many */
        return;
    log_event(LOG_WARNING, "record_rejected", log_text("topic", topic),
              log_text("reason", reject_reason_name(reason)), log_text("why", why),
              log_partition(partition), log_number("offset", record->offset),
              log_number("byte", at));
    if (service->quarantine != NULL)
        quarantine_add(service->quarantine, topic, partition, record, reason, at, why);
}

static void on_quota(void *self, const struct engine_quota_word *word)
{
    (void)self;
    if (word->is_cut)
        log_event(LOG_WARNING, "tenant_over_quota", log_text("tenant", word->tenant),
                  log_text("topic", word->topic), log_partition(word->partition),
                  log_number("offset", word->offset), log_number("events_per_second", word->events),
                  log_number("burst", word->burst),
                  log_text("next", "what is over it is rejected and counted, but for clears"));
    else
        log_event(LOG_INFO, "tenant_within_quota", log_text("tenant", word->tenant),
                  log_text("topic", word->topic), log_partition(word->partition),
                  log_number("offset", word->offset),
                  log_number("rejected", (int64_t)word->refused));
}

static void on_shed(void *self, const struct engine_shed_word *word)
{
    const bool sheds = word->below != SEVERITY_OK;
    (void)self;

    log_event(sheds ? LOG_WARNING : LOG_INFO, sheds ? "shedding_begins" : "shedding_ends",
              log_text("topic", word->topic), log_partition(word->partition),
              log_number("offset", word->offset), log_number("behind_ms", word->behind_ms),
              log_number("waiting", word->waiting), log_number("shed", (int64_t)word->count),
              log_text("below", sheds ? severity_name(word->below) : "-"),
              log_text("next", sheds ? "events of severities below this are left out and counted, "
                                       "but for clears"
                                     : "all events of the partition count again"));
}

struct engine_listener service_listener(struct service *service)
{
    struct engine_listener listener = {.self = service,
                                       .incident = on_incident,
                                       .op = on_op,
                                       .switched = on_switched,
                                       .rejected = on_rejected,
                                       .quota = on_quota,
                                       .shed = on_shed};

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
    }
    return listener;
}

/* service_watch.c - the look once a second: health, and what the log says of sinks and input that
 * come and go. See service_parts.h. */
#include "daemon/service_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/host.h"
#include "daemon/log.h"
#include "daemon/sink_watch.h"
#include "ingest/kafka_source.h"

enum { WHY_BYTES = 256 };
#define WALK_NS UINT64_C(60000000000)

/* Says what changed about the sinks since the last look. */
void service_watch_sinks(struct service *service, struct outbox *outbox)
{
    struct sink_counters now[METRICS_SINKS_MAX];
    size_t count = 0;

    pthread_mutex_lock(&service->lock);
    if (outbox != NULL)
        count = outbox_counters(outbox, now, METRICS_SINKS_MAX);
    pthread_mutex_unlock(&service->lock);
    for (size_t i = 0; i < count; i++)
        sink_watch_see(&service->seen.sinks[i], &now[i]);
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

    kafka_source_counters(service->kafka, &kafka);
    if (service->durable != NULL)
        durable_snapshots_within(service->durable, kafka.snapshot_ms);
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

/* Results go by N alone, so nothing fails where it is hours off: it is told instead (T6). */
static void watch_clock(struct service *service)
{
    int64_t off_s = engine_clock_off(service->engine) / 1000;
    bool is_off = off_s != 0;
    char why[WHY_BYTES] = "";

    pthread_mutex_lock(&service->lock);
    service->counters.clock_off_seconds = (double)off_s;
    pthread_mutex_unlock(&service->lock);
    if (is_off == service->is_clock_off)
        return;
    service->is_clock_off = is_off;
    if (off_s > 0)
        snprintf(why, sizeof(why),
                 "this run's clock is %" PRId64 " s behind that of the records that come in",
                 off_s);
    else if (off_s < 0)
        snprintf(why, sizeof(why), "this run's clock is %" PRId64 " s ahead of that of the brokers",
                 -off_s);
    log_event(
        is_off ? LOG_ERROR : LOG_INFO, is_off ? "clock_off" : "clock_agrees", log_text("why", why),
        log_text("next", is_off ? "it goes on by its own clock until it is started again" : ""));
    pthread_mutex_lock(&service->lock);
    if (service->outbox != NULL)
        outbox_tell_clock(service->outbox, is_off ? why : NULL);
    pthread_mutex_unlock(&service->lock);
}

/* All state is gone through each minute (L6), a few keys at a time. */
static void watch_ledger(struct service *service, const struct engine_counters *counters,
                         uint64_t now_ns)
{
    char why[WHY_BYTES];

    if (now_ns - service->walk_ns >= WALK_NS) {
        service->walk_ns = now_ns;
        engine_ask_walk(service->engine);
    }
    if (counters->walk_mismatches == service->walk_mismatches)
        return;
    service->walk_mismatches = counters->walk_mismatches;
    snprintf(why, sizeof(why),
             "%" PRIu64 " counts of open incidents, of touches in windows or of keys are not what "
             "is there",
             counters->walk_mismatches);
    log_event(LOG_ERROR, "ledger_mismatch", log_text("why", why),
              log_text("next", "it goes on; this is a mistake of tocsin"));
    pthread_mutex_lock(&service->lock);
    if (service->outbox != NULL)
        outbox_tell_ledger(service->outbox, why);
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

/* What is behind the watermark is on its way to the outbox, or there: a step takes a moment. */
enum { STEP_MS = 500 };

void service_tick(struct service *service)
{
    struct engine_counters counters;
    struct error source_why = {{0}}, why = {{0}};
    struct health_view view = {.now_ns = host_mono_ns()};

    if (service->engine == NULL) { /* it stands by */
        log_flush(false);
        return;
    }
    engine_counters(service->engine, &counters);
    view.progress =
        counters.steps + counters.sleeps + counters.records + counters.seals + counters.rounds;
    view.watermark_ms = engine_watermark(service->engine);
    view.waiting = count_waiting(service, &counters);
    view.source_ready = service->source->ops->ready(service->source, &source_why);
    if (view.source_ready && service->durable != NULL && !durable_is_recovered(service->durable)) {
        view.source_ready = false;
        error_set(&source_why, "what was told before the start is gone through again");
    }
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
    if (service->durable != NULL)
        durable_look(service->durable);
    service_watch_sinks(service, service->outbox);
    watch_fill(service, view.outbox_fill);
    if (service->unit != NULL)
        unit_look(service->unit, engine_told(service->engine),
                  view.source_ready ? engine_input_end(service->engine) : INT64_MIN,
                  view.outbox_fill);
    watch_input(service, view.now_ns, source_why.text);
    watch_ledger(service, &counters, view.now_ns);
    watch_clock(service);
    service_watch_memory(service, &counters);
    service_watch_refusals(service);
    service_watch_holds(service, service->outbox);
    log_flush(false);
}

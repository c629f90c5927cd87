/*
 * service_memory.c - the memory budget over all parts (semantics F7). See service_parts.h.
 *
 * What counts is what the process has in memory, since that is what a limit of the system counts,
 * and what no part can be asked for lies in libraries. Once a second the engine is told how much of
 * the budget the others have left to it; in between it goes by its own count.
 */
#include "daemon/service_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/incident.h"
#include "daemon/log.h"
#include "ingest/kafka_source.h"

enum { WHY_BYTES = 400, ALERT_BYTES = 300 };

static int64_t mib(uint64_t bytes)
{
    return (int64_t)(bytes >> 20);
}

void service_say_budget(const struct service *service)
{
    const struct memory_budget *budget = &service->budget;
    const struct config *config = service->config;
    uint64_t alerts = (uint64_t)config->engine.alerts_max * ALERT_BYTES;

    if (budget->bytes == 0) {
        log_event(LOG_WARNING, "no_memory_budget", log_text("why", budget->reason),
                  log_text("next", "nothing waits for memory; set memory.budget"));
        return;
    }
    log_event(LOG_INFO, "memory_budget", log_number("mib", mib(budget->bytes)),
              log_text("from", budget->reason), log_number("fetched", mib(budget->fetched_bytes)),
              log_number("bins", mib(budget->bins_bytes * service->engine_config.workers)),
              log_number("outbox", mib(budget->outbox_bytes)));
    if (budget->limit_bytes == 0 && memory_limit_of_cgroup() > 0 &&
        memory_limit_of_cgroup() < budget->bytes)
        log_event(LOG_WARNING, "memory_budget_above_limit",
                  log_number("limit_mib", mib(memory_limit_of_cgroup())),
                  log_text("next", "the system may end the process before its budget is used up"));
    if (alerts > budget->bytes / 2)
        log_event(LOG_WARNING, "memory_bound_too_large", log_text("key", "engine.alerts.max"),
                  log_number("mib", mib(alerts)),
                  log_text("next", "so many alerts would take more than half of the budget; "
                                   "lower it, or raise memory.budget"));
    if ((uint64_t)config->outbox.bytes_max > budget->outbox_bytes)
        log_event(LOG_INFO, "outbox_bound_lowered", log_number("mib", mib(budget->outbox_bytes)),
                  log_text("why", "a quarter of the memory budget"));
}

static void describe(struct service *service, const struct engine_counters *counters, uint64_t used,
                     char why[WHY_BYTES])
{
    struct kafka_counters kafka;
    uint64_t ops;

    kafka_source_counters(service->kafka, &kafka);
    pthread_mutex_lock(&service->lock);
    ops = service->outbox != NULL ? outbox_bytes(service->outbox) : 0;
    pthread_mutex_unlock(&service->lock);
    snprintf(why, WHY_BYTES,
             "%" PRId64 " of %" PRId64 " MiB (%s) are used: alerts, keys and windows %" PRId64
             ", decoded events %" PRId64 ", touches %" PRId64 ", changes of incidents %" PRId64
             ", ops for sinks %" PRId64 ", fetched records about %" PRId64,
             mib(used), mib(service->budget.bytes), service->budget.reason,
             mib(counters->state_bytes + counters->table_bytes), mib(counters->bins_bytes),
             mib(counters->touch_bytes), mib(incident_bytes_held()), mib(ops),
             mib(kafka.queued_bytes));
}

static void tell(struct service *service, const char *why)
{
    log_event(
        service->is_short ? LOG_ERROR : LOG_INFO,
        service->is_short ? "memory_short" : "memory_enough",
        log_text("why", why != NULL ? why : ""),
        log_text("next", service->is_short ? "partitions that are ahead of others wait" : ""));
    pthread_mutex_lock(&service->lock);
    if (service->outbox != NULL)
        outbox_tell_memory(service->outbox, why);
    pthread_mutex_unlock(&service->lock);
}

void service_watch_memory(struct service *service, const struct engine_counters *counters)
{
    double budget = (double)service->budget.bytes;
    uint64_t used = memory_resident(), held = engine_held_bytes(service->engine);
    uint64_t most = (uint64_t)(MEMORY_SHORT * budget), others = used > held ? used - held : 0;
    bool was_short = service->is_short;
    char why[WHY_BYTES];

    if (service->budget.bytes == 0 || used == 0)
        return;
    engine_limit_memory(service->engine, most > others ? most - others : 0);
    if ((double)used >= MEMORY_SHORT * budget)
        service->is_short = true;
    else if ((double)used < MEMORY_ENOUGH * budget)
        service->is_short = false;
    pthread_mutex_lock(&service->lock);
    service->counters.memory_budget = service->budget.bytes;
    service->counters.memory_used = used;
    service->counters.is_memory_short = service->is_short;
    pthread_mutex_unlock(&service->lock);
    if (service->is_short == was_short)
        return;
    if (service->is_short)
        describe(service, counters, used, why);
    tell(service, service->is_short ? why : NULL);
}

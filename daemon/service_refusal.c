/*
 * service_refusal.c - a start that is refused is told to the sinks, and the next one that is not
 * tells them that it is over (semantics D4, daemon/refusals.h). See service_parts.h.
 */
#include "daemon/service_parts.h"

#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/slab.h"
#include "daemon/command.h"
#include "daemon/log.h"

/* What cannot be kept is told all the same: a sink that hears too much is better than one that
 * hears nothing. */
void service_write_refusals(struct service *service)
{
    struct error err;

    if (refusals_write(service->config->data.dir, &service->refusals, &err) != 0)
        log_event(LOG_WARNING, "refusals_not_noted", log_text("why", err.text),
                  log_text("next", "sinks may not hear that tocsin runs again, or hear it twice"));
}

static void read_them(struct service *service)
{
    struct error err;

    refusals_release(&service->refusals);
    if (service->config->data.dir[0] != '\0' &&
        refusals_read(service->config->data.dir, &service->refusals, &err) != 0)
        log_event(LOG_WARNING, "refusals_unreadable", log_text("why", err.text),
                  log_text("next", "sinks that were told of a refused start do not hear its end: "
                                   "close what they show by hand"));
}

/* As the outbox counts them; -1: no sink has this name. */
static int sink_index(const struct service *service, const char *name)
{
    const struct config_sinks *sinks = &service->config->sinks;

    for (size_t i = 0; i < sinks->count; i++)
        if (strcmp(sinks->item[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* ---- a start that is refused, or a recovery that differs from the journal ---- */

/* Before they are told; what each has heard of it before goes to `hearings`. */
static void note_all(struct service *service, const char *why, struct outbox_hearing *hearings)
{
    const struct config_sinks *sinks = &service->config->sinks;
    const int64_t now_ms = host_wall_ms();
    bool has_changed = false;

    for (size_t i = 0; i < sinks->count; i++)
        hearings[i] = refusals_hearing(&service->refusals, sinks->item[i].name, why, now_ms);
    if (service->config->data.dir[0] == '\0')
        return;
    for (size_t i = 0; i < sinks->count; i++)
        has_changed |= refusals_add(&service->refusals, sinks->item[i].name, now_ms, why);
    if (has_changed)
        service_write_refusals(service);
}

/* Behind the last attempt: who has confirmed it, and of those who had not heard of it who cannot
 * know: it was held, could not be reached, or is not to be told. How many have confirmed it. */
static size_t note_told(struct service *service, const struct outbox *outbox, const char *why,
                        const struct outbox_hearing *hearings)
{
    struct refusals *refusals = &service->refusals;
    const struct config_sinks *sinks = &service->config->sinks;
    size_t told = 0;
    bool has_changed = false;

    for (size_t i = 0; i < sinks->count; i++) {
        struct refusal *note = refusals_find(refusals, sinks->item[i].name, why);
        bool is_confirmed = outbox_refusal_confirmed(outbox, i);
        told += is_confirmed;
        if (note == NULL)
            continue;
        if (is_confirmed) {
            note->told_ms = host_wall_ms();
            has_changed = true;
        } else if (hearings[i].heard == OUTBOX_HEARD_NOTHING && !outbox_refusal_told(outbox, i)) {
            refusals_remove(refusals, (size_t)(note - refusals->at.at));
            has_changed = true;
        }
    }
    if (has_changed)
        service_write_refusals(service);
    return told;
}

static size_t count_knowing(const struct service *service, const struct outbox_hearing *hearings)
{
    size_t count = 0;

    for (size_t i = 0; i < service->config->sinks.count; i++)
        count += hearings[i].heard == OUTBOX_HEARD_IT;
    return count;
}

size_t service_stop_refused(struct service *service, struct outbox *outbox, unsigned flush_ms,
                            const struct error *err)
{
    /* One more than needed: there may be none. */
    struct outbox_hearing *hearings =
        memory_alloc((service->config->sinks.count + 1) * sizeof(*hearings));
    char why[OUTBOX_WHY_BYTES];
    size_t undelivered, told;

    refusals_sentence(err->text, why);
    note_all(service, why, hearings);
    outbox_tell_refusal(outbox, why, hearings);
    undelivered = outbox_stop(outbox, flush_ms);
    told = note_told(service, outbox, why, hearings);
    log_event(undelivered == 0 ? LOG_INFO : LOG_WARNING, "refusal_told",
              log_number("sinks", (int64_t)told),
              log_number("known", (int64_t)count_knowing(service, hearings)),
              log_number("undelivered", (int64_t)undelivered));
    free(hearings);
    return undelivered;
}

void service_tell_refusal(struct service *service, const struct error *err)
{
    struct outbox_config config = {0};
    struct outbox *own = NULL, *outbox = service->outbox;
    struct outbox_hold *holds = NULL;
    struct error ignored;
    int rc;

    if (outbox == NULL) {
        if (service->config->sinks.count == 0 || config_fill_outbox(service->config, &config) != 0)
            return;
        read_them(service);
        holds = service_fill_holds(service, &config);
        rc = outbox_create(&config, &own, &ignored);
        free(holds);
        if (rc != 0)
            return;
        outbox = own;
    }
    service_stop_refused(service, outbox, (unsigned)service->config->outbox.flush_ms, err);
    if (service->seen.sinks != NULL) { /* one that was held may have taken it */
        service_watch_sinks(service, outbox);
        service_watch_holds(service, outbox);
    }
    outbox_destroy(own, 0);
}

/* ---- one that is not ---- */

struct outbox_refusal *service_fill_refusals(struct service *service, struct outbox_config *config)
{
    struct refusals *refusals = &service->refusals;
    struct outbox_refusal *list;
    size_t count = 0;

    read_them(service);
    list = memory_alloc((refusals->at.count + 1) * sizeof(*list));
    for (size_t i = 0; i < refusals->at.count; i++) {
        struct refusal *from = &refusals->at.at[i];
        int sink = sink_index(service, from->sink);
        from->ending = -1;
        if (sink < 0)
            continue; /* it may be configured again some day */
        from->ending = (int)count;
        list[count] = (struct outbox_refusal){.sink = (uint16_t)sink, .since_ms = from->since_ms};
        memcpy(list[count++].why, from->why, sizeof(from->why));
    }
    config->refusals = list;
    config->refusal_count = count;
    return list;
}

void service_note_endings(struct service *service, const struct outbox *outbox)
{
    struct refusals *refusals = &service->refusals;
    const size_t before = refusals->at.count;

    for (size_t i = before; i > 0; i--) {
        int ending = refusals->at.at[i - 1].ending;
        if (ending >= 0 && outbox_refusal_ended(outbox, (size_t)ending))
            refusals_remove(refusals, i - 1);
    }
    if (refusals->at.count == before)
        return;
    service_write_refusals(service);
    log_event(LOG_INFO, "refusal_over", log_number("told", (int64_t)(before - refusals->at.count)),
              log_number("owed", (int64_t)refusals->at.count));
}

void service_watch_refusals(struct service *service)
{
    if (service->refusals.at.count == 0 || service->outbox == NULL ||
        (service->durable != NULL && !durable_is_recovered(service->durable)))
        return;
    outbox_end_refusals(service->outbox);
    service_note_endings(service, service->outbox);
}

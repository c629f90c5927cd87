/*
 * estate.c - lays the estate out and makes the stream of its events.
 *
 * The stream merges three clocks: background noise at an exact rate, alerts that
 * toggle by their own timers, and the script of planned faults. Noise is drawn
 * per event and costs a few nanoseconds; faults are rare and are planned whole.
 */
#include "daemon/estate_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ACT_MS_MAX = 600000,    /* bounds what a plan holds */
    ACT_MS_ENDLESS = 60000, /* `faults` are per minute then */
};

void estate_config_init(struct estate_config *config)
{
    *config = (struct estate_config){
        .seed = 1,
        .start_ms = 1769904000000, /* 2026-02-01T00:00:00Z */
        .duration_ms = 60000,
        .rate = 2000,
        .tenants = 1,
        .sites = 2,
        .racks = 16,
        .hosts = 192,
        .services = 24,
        .faults = 7,
        .storm_events = 6000,
        .repeat_ms = 2000,
        .disorder_ms = 0,
    };
}

const char *estate_fault_kind_name(enum estate_fault_kind kind)
{
    static const char *const names[ESTATE_FAULT_KIND_COUNT] = {
        [FAULT_RACK_POWER] = "rack power loss", [FAULT_LINK] = "link failure",
        [FAULT_SERVICE] = "service outage",     [FAULT_DISK] = "disk degradation",
        [FAULT_HOST_CRASH] = "host crash",      [FAULT_DISK_FULL] = "disk full",
        [FAULT_STORM] = "event storm",
    };
    return names[kind];
}

const char *estate_cause_name(enum estate_cause cause)
{
    static const char *const names[ESTATE_CAUSE_COUNT] = {
        [STREAM_STANDING] = "repeats of standing alerts",
        [STREAM_OK] = "checks that are fine",
        [STREAM_RESTART] = "restarts, for information",
        [STREAM_PASSING] = "alerts that come and go",
        [STREAM_FLAPPING] = "flapping checks",
        [STREAM_FAULT] = "problems and clears of faults",
        [STREAM_FAULT_REPEAT] = "repeats of these",
        [STREAM_STORM] = "storms",
    };
    return names[cause];
}

static int config_check(const struct estate_config *config, struct error *err)
{
    static const struct {
        const char *many, *few;
        size_t many_at, few_at;
    } rows[] = {
        {"sites", "tenants", offsetof(struct estate_config, sites),
         offsetof(struct estate_config, tenants)},
        {"racks", "sites", offsetof(struct estate_config, racks),
         offsetof(struct estate_config, sites)},
        {"hosts", "racks", offsetof(struct estate_config, hosts),
         offsetof(struct estate_config, racks)},
        {"services", "tenants", offsetof(struct estate_config, services),
         offsetof(struct estate_config, tenants)},
    };

    if (config->rate == 0 || config->tenants == 0) {
        error_set(err, "an estate needs a rate and a tenant of at least one");
        return -EINVAL;
    }
    if (config->duration_ms < 0) {
        error_set(err, "an estate cannot run for less than no time");
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t many, few;
        memcpy(&many, (const char *)config + rows[i].many_at, sizeof(many));
        memcpy(&few, (const char *)config + rows[i].few_at, sizeof(few));
        if (many < few || many > 10000000) {
            error_set(err,
                      "%u %s do not fit with %u %s: at least as many are needed, at most ten "
                      "million",
                      many, rows[i].many, few, rows[i].few);
            return -EINVAL;
        }
    }
    return 0;
}

static void lay_out_racks(struct estate *estate)
{
    static const char *const cities[] = {"ams", "fra", "lon", "nyc", "sfo", "sin", "syd", "gru"};
    enum { CITIES = sizeof(cities) / sizeof(cities[0]) };
    const struct estate_config *config = &estate->config;
    uint32_t host = 0;

    for (uint32_t r = 0; r < config->racks; r++) {
        struct estate_rack *rack = &estate->racks[r];
        uint32_t site = r % config->sites;
        uint32_t number = r / config->sites + 1;

        rack->tenant = site % config->tenants;
        snprintf(rack->site, sizeof(rack->site), "%s%u", cities[site % CITIES], site / CITIES + 1);
        snprintf(rack->name, sizeof(rack->name), "%.16s-r%02u", rack->site, number);
        snprintf(rack->link, sizeof(rack->link), "%.30s-uplink", rack->name);
        snprintf(rack->port_near, sizeof(rack->port_near), "%.30s-sw/uplink", rack->name);
        snprintf(rack->port_far, sizeof(rack->port_far), "%.16s-core/r%02u", rack->site, number);
        rack->first_host = host;
        rack->host_count = config->hosts / config->racks + (r < config->hosts % config->racks);
        for (uint32_t h = 0; h < rack->host_count; h++, host++) {
            struct estate_host *to = &estate->hosts[host];
            to->name_bytes =
                (uint32_t)snprintf(to->name, sizeof(to->name), "%.30s-h%02u", rack->name, h + 1);
            to->rack = r;
            to->tenant = rack->tenant;
        }
    }
    assert(host == config->hosts);
}

/* Instances of a service stand in different racks of its tenant, as anyone would
 * place them: the loss of a rack costs each service one instance at most. */
static void lay_out_service(struct estate *estate, struct estate_random *random, uint32_t index)
{
    static const char *const names[] = {"gateway",  "login",    "sessions", "ledger",  "inventory",
                                        "pricing",  "catalog",  "search",   "cart",    "payments",
                                        "checkout", "shipping", "mail",     "reviews", "ranking",
                                        "media",    "accounts", "invoices", "returns", "coupons",
                                        "stock",    "profiles", "feeds",    "reports"};
    enum { NAMES = sizeof(names) / sizeof(names[0]) };
    struct estate_service *service = &estate->services[index];
    const struct estate_config *config = &estate->config;
    uint32_t first = estate_random_below(random, config->racks);

    service->tenant = index % config->tenants;
    service->name_bytes =
        (uint32_t)snprintf(service->name, sizeof(service->name), index < NAMES ? "%s" : "%s-%u",
                           names[index % NAMES], index / NAMES + 1);
    for (uint32_t i = 0; i < config->racks && service->host_count < SERVICE_HOSTS_MAX; i++) {
        const struct estate_rack *rack = &estate->racks[(first + i) % config->racks];
        if (rack->tenant == service->tenant)
            service->host[service->host_count++] =
                rack->first_host + estate_random_below(random, rack->host_count);
    }
    /* It needs up to three services of its tenant that were laid out before. */
    for (uint32_t i = 0; i < SERVICE_NEEDS_MAX && index >= config->tenants; i++) {
        uint32_t before = estate_random_below(random, index / config->tenants);
        uint32_t need = before * config->tenants + service->tenant;
        bool is_new = true;
        for (uint32_t n = 0; n < service->need_count; n++)
            is_new = is_new && service->need[n] != need;
        if (is_new)
            service->need[service->need_count++] = need;
    }
}

static void shuffle(struct estate_random *random, uint32_t *order, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = estate_random_below(random, i);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

static void toggling_sink(struct estate *estate, uint32_t at)
{
    struct estate_noise *heap = estate->toggling;

    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < estate->toggling_count && heap[child].toggle_ms < heap[least].toggle_ms)
                least = child;
        if (least == at)
            return;
        struct estate_noise kept = heap[at];
        heap[at] = heap[least];
        heap[least] = kept;
        at = least;
    }
}

/* Every fourth host has a standing alert, every sixth one that comes and goes,
 * every sixtieth one that flaps. They are of few kinds and mild, as in life. */
static void lay_out_noise(struct estate *estate)
{
    static const uint8_t kinds[] = {SYMPTOM_CPU, SYMPTOM_MEMORY, SYMPTOM_VAR_FULL,
                                    SYMPTOM_PROBE_LATENCY};
    struct estate_random *random = &estate->random;
    const struct estate_config *config = &estate->config;

    uint32_t service = 0;

    for (uint32_t h = 0; h < config->hosts; h++) {
        struct estate_noise noise = {
            .host = h,
            .symptom = kinds[estate_random_below(random, 4)],
            .severity = h % 3 == 0 ? SEVERITY_MINOR : SEVERITY_WARNING,
        };
        if (noise.symptom == SYMPTOM_PROBE_LATENCY) {
            /* One slow instance per service at most: more would be a fault. */
            if (service < config->services &&
                estate->services[service].tenant == estate->hosts[h].tenant)
                noise.service = service++;
            else
                noise.symptom = SYMPTOM_CPU;
        }
        if (h % 4 == 1) {
            noise.cause = STREAM_STANDING;
            noise.is_open = true;
            estate->hosts[h].is_noisy = true;
            estate->standing[estate->standing_count++] = noise;
        } else if (h % 60 == 2 || h % 6 == 4) {
            bool flaps = h % 60 == 2;
            estate->hosts[h].is_noisy = true;
            noise.cause = flaps ? STREAM_FLAPPING : STREAM_PASSING;
            noise.period_ms = flaps ? 1000 : estate_random_between(random, 8000, 30000);
            noise.toggle_ms =
                config->start_ms + estate_random_between(random, 0, noise.period_ms - 1);
            estate->toggling[estate->toggling_count++] = noise;
        }
    }
    for (uint32_t i = estate->toggling_count / 2; i > 0; i--)
        toggling_sink(estate, i - 1);
}

static void *array(size_t count, size_t bytes)
{
    return calloc(count > 0 ? count : 1, bytes);
}

static bool allocate(struct estate *estate)
{
    const struct estate_config *config = &estate->config;

    estate->tenants = array(config->tenants, sizeof(estate->tenants[0]));
    estate->racks = array(config->racks, sizeof(estate->racks[0]));
    estate->hosts = array(config->hosts, sizeof(estate->hosts[0]));
    estate->services = array(config->services, sizeof(estate->services[0]));
    estate->standing = array(config->hosts / 4 + 1, sizeof(estate->standing[0]));
    estate->toggling = array(config->hosts / 4 + 2, sizeof(estate->toggling[0]));
    estate->rack_order = array(config->racks, sizeof(estate->rack_order[0]));
    estate->rack_busy_ms = array(config->racks, sizeof(estate->rack_busy_ms[0]));
    estate->service_order = array(config->services, sizeof(estate->service_order[0]));
    estate->service_busy_ms = array(config->services, sizeof(estate->service_busy_ms[0]));
    return estate->tenants && estate->racks && estate->hosts && estate->services &&
           estate->standing && estate->toggling && estate->rack_order && estate->rack_busy_ms &&
           estate->service_order && estate->service_busy_ms;
}

static void lay_out_acts(struct estate *estate)
{
    const struct estate_config *config = &estate->config;

    if (config->duration_ms == 0) {
        estate->act_ms = ACT_MS_ENDLESS;
    } else {
        estate->act_count = (uint32_t)((config->duration_ms + ACT_MS_MAX - 1) / ACT_MS_MAX);
        estate->act_ms = config->duration_ms / estate->act_count;
    }
    estate->act_start_ms = config->start_ms;
}

int estate_create(const struct estate_config *config, struct estate **out, struct error *err)
{
    static const char *const names[] = {"acme", "globex", "initech", "umbrella"};
    struct estate_random layout;
    struct estate *estate;
    int rc = config_check(config, err);

    if (rc != 0)
        return rc;
    estate = calloc(1, sizeof(*estate));
    if (estate == NULL)
        goto short_of_memory;
    estate->config = *config;
    /* Three streams of numbers, so that a change of one leaves the others alone. */
    layout.state = config->seed;
    estate->random.state = estate_random_next(&layout);
    estate->plan_random.state = estate_random_next(&layout);
    if (!allocate(estate))
        goto short_of_memory;
    for (uint32_t t = 0; t < config->tenants; t++)
        snprintf(estate->tenants[t].name, sizeof(estate->tenants[t].name),
                 t < 4 ? "%s" : "tenant%.0s-%u", t < 4 ? names[t] : "", t + 1);
    lay_out_racks(estate);
    for (uint32_t s = 0; s < config->services; s++)
        lay_out_service(estate, &layout, s);
    lay_out_noise(estate);
    lay_out_acts(estate);
    shuffle(&estate->plan_random, estate->rack_order, config->racks);
    shuffle(&estate->plan_random, estate->service_order, config->services);
    estate->kind_turn = estate_random_below(&estate->plan_random, ESTATE_FAULT_KIND_COUNT);
    estate->noise_ns = config->start_ms * 1000000;
    if (!estate_text_prepare(estate) || !estate_plan_act(estate))
        goto short_of_memory;
    *out = estate;
    return 0;

short_of_memory:
    estate_destroy(estate);
    error_set(err, "out of memory for an estate of %u hosts and %u services", config->hosts,
              config->services);
    return -ENOMEM;
}

void estate_destroy(struct estate *estate)
{
    if (estate == NULL)
        return;
    estate_text_release(estate);
    estate_script_release(&estate->script);
    free(estate->tenants);
    free(estate->racks);
    free(estate->hosts);
    free(estate->services);
    free(estate->standing);
    free(estate->toggling);
    free(estate->rack_order);
    free(estate->rack_busy_ms);
    free(estate->service_order);
    free(estate->service_busy_ms);
    free(estate->waiting);
    free(estate);
}

/* Moves the noise clock by exactly one event: whole nanoseconds, and the rest of
 * the division carried, so that no rate drifts. */
static void noise_clock_step(struct estate *estate)
{
    uint32_t rate = estate->config.rate;

    estate->noise_ns += 1000000000u / rate;
    estate->noise_rest += 1000000000u % rate;
    if (estate->noise_rest >= rate) {
        estate->noise_rest -= rate;
        estate->noise_ns++;
    }
}

static void noise_draw(struct estate *estate, int64_t now_ms, struct estate_event *out)
{
    uint64_t draw = estate_random_next(&estate->random);
    uint32_t hundred = (uint32_t)(((draw & 0xffffffff) * 100) >> 32);
    uint32_t pick = (uint32_t)(draw >> 32);
    const struct estate_config *config = &estate->config;

    *out = (struct estate_event){.time_ms = now_ms, .value_tenths = (uint16_t)(900 + pick % 97)};
    if (hundred < 65 && estate->standing_count > 0 && config->repeat_ms > 0) {
        const struct estate_noise *noise =
            &estate->standing[((uint64_t)pick * estate->standing_count) >> 32];
        out->entity = noise->host;
        out->service = noise->service;
        out->symptom = noise->symptom;
        out->severity = noise->severity;
        out->cause = STREAM_STANDING;
        return;
    }
    out->entity = (uint32_t)(((uint64_t)pick * config->hosts) >> 32);
    if (hundred < 97) {
        /* On a noisy host another check says so: these must not clear its alert. */
        static const uint8_t kinds[] = {SYMPTOM_CPU, SYMPTOM_MEMORY, SYMPTOM_VAR_FULL, SYMPTOM_CPU};
        out->symptom = estate->hosts[out->entity].is_noisy ? SYMPTOM_CLOCK : kinds[pick & 3];
        out->severity = SEVERITY_OK;
        out->state = EVENT_CLEAR;
        out->cause = STREAM_OK;
        return;
    }
    out->symptom = SYMPTOM_RESTART;
    out->severity = SEVERITY_INFO;
    out->cause = STREAM_RESTART;
}

static void toggle_take(struct estate *estate, struct estate_event *out)
{
    struct estate_noise *noise = &estate->toggling[0];

    noise->is_open = !noise->is_open;
    *out = (struct estate_event){
        .time_ms = noise->toggle_ms,
        .entity = noise->host,
        .service = noise->service,
        .symptom = noise->symptom,
        .severity = noise->is_open ? noise->severity : SEVERITY_OK,
        .state = noise->is_open ? EVENT_PROBLEM : EVENT_CLEAR,
        .value_tenths = 925,
        .cause = noise->cause,
    };
    noise->toggle_ms += noise->period_ms;
    toggling_sink(estate, 0);
}

/* The next event in the order of its own time. False at the end of the stream. */
static bool stream_next(struct estate *estate, struct estate_event *out)
{
    struct estate_script *script = &estate->script;
    int64_t noise_ms = estate->noise_ns / 1000000;
    int64_t toggle_ms = estate->toggling_count > 0 ? estate->toggling[0].toggle_ms : INT64_MAX;
    int64_t now_ms = noise_ms < toggle_ms ? noise_ms : toggle_ms;
    int64_t end_ms = estate->config.start_ms + estate->config.duration_ms;

    if (script->next < script->count && script->events[script->next].time_ms <= now_ms) {
        *out = script->events[script->next++];
        return true;
    }
    if (now_ms >= estate->act_start_ms) {
        if (estate->act_count > 0 && now_ms >= end_ms)
            return false;
        if (estate->act_count == 0 || estate->act_number < estate->act_count) {
            if (!estate_plan_act(estate))
                return false;
            return stream_next(estate, out);
        }
    }
    if (toggle_ms <= noise_ms) {
        toggle_take(estate, out);
    } else {
        noise_draw(estate, noise_ms, out);
        noise_clock_step(estate);
    }
    return true;
}

static bool waits_longer(const struct estate_waiting *a, const struct estate_waiting *b)
{
    return a->event.emit_ms != b->event.emit_ms ? a->event.emit_ms > b->event.emit_ms
                                                : a->number > b->number;
}

static bool waiting_add(struct estate *estate, const struct estate_event *event)
{
    size_t at = estate->waiting_count;

    if (at == estate->waiting_size) {
        size_t size = at > 0 ? 2 * at : 1024;
        struct estate_waiting *grown = realloc(estate->waiting, size * sizeof(*grown));
        if (grown == NULL)
            return false;
        estate->waiting = grown;
        estate->waiting_size = size;
    }
    estate->waiting_count++;
    struct estate_waiting added = {*event, estate->waiting_number++};
    while (at > 0 && waits_longer(&estate->waiting[(at - 1) / 2], &added)) {
        estate->waiting[at] = estate->waiting[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    estate->waiting[at] = added;
    return true;
}

static void waiting_take(struct estate *estate, struct estate_event *out)
{
    struct estate_waiting *heap = estate->waiting;
    struct estate_waiting last = heap[--estate->waiting_count];
    size_t at = 0;

    *out = heap[0].event;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= estate->waiting_count)
            break;
        if (child + 1 < estate->waiting_count && waits_longer(&heap[child], &heap[child + 1]))
            child++;
        if (!waits_longer(&last, &heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
}

/* With disorder: each event takes its own time to the wire, up to disorder_ms. It
 * is held back until nothing that reaches the wire earlier can come any more. */
static bool disordered_next(struct estate *estate, struct estate_event *out)
{
    while (!estate->is_drained) {
        struct estate_event event;
        if (!stream_next(estate, &event)) {
            estate->is_drained = true;
            break;
        }
        event.emit_ms =
            event.time_ms + estate_random_between(&estate->random, 0, estate->config.disorder_ms);
        if (!waiting_add(estate, &event))
            return false;
        if (estate->waiting[0].event.emit_ms <= event.time_ms)
            break;
    }
    if (estate->waiting_count == 0)
        return false;
    waiting_take(estate, out);
    return true;
}

bool estate_next(struct estate *estate, struct estate_event *out)
{
    if (estate->config.disorder_ms > 0)
        return disordered_next(estate, out);
    if (!stream_next(estate, out))
        return false;
    out->emit_ms = out->time_ms;
    return true;
}

const struct estate_fault *estate_fault_next(struct estate *estate)
{
    struct estate_script *script = &estate->script;

    return script->fault_next < script->fault_count ? &script->faults[script->fault_next++] : NULL;
}

uint32_t estate_faults_skipped(const struct estate *estate)
{
    return estate->faults_skipped;
}

/*
 * estate_plan.c - plans the faults of an act: every event of each, and its truth.
 *
 *   start ... onset ............ hold ............ recovery .. end
 *   first     the symptoms       open alerts       clears, the root's first
 *   symptom   spread             are repeated
 *
 * Two faults never touch the same alert: those of racks, links and hosts are of
 * different racks at a time, those of services of different services, and the
 * two kinds tell of services through different sources.
 */
#include "daemon/estate_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which rules of rules/packs/demo.yaml are to find a fault, and by which key. */
struct fault_row {
    const char *root_kind;
    const char *rules[ESTATE_RULES_MAX];
    const char *key_name; /* of `by`, behind the tenant */
};

static const struct fault_row fault_rows[ESTATE_FAULT_KIND_COUNT] = {
    [FAULT_RACK_POWER] = {"rack", {"rack-power"}, "labels.rack"},
    [FAULT_LINK] = {"link", {"link-down"}, "labels.link"},
    [FAULT_SERVICE] = {"service", {"service-outage"}, "labels.service"},
    [FAULT_DISK] = {"host", {"disk-degrading"}, "host"},
    [FAULT_HOST_CRASH] = {"host", {"host-down"}, "host"},
    [FAULT_DISK_FULL] = {"host", {"disk-full"}, "host"},
    [FAULT_STORM] = {"host", {"event-storm"}, "host"},
};

/* How long the phases of a fault take; a longer act has slower faults. */
struct phases {
    int64_t onset_ms;
    int64_t hold_ms;
    int64_t recovery_ms;
};

enum { BUSY_GAP_MS = 5000 }; /* between two faults of one rack or service */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static struct phases phases_of_act(int64_t act_ms)
{
    return (struct phases){
        .onset_ms = clamp(act_ms / 12, 1500, 10000),
        .hold_ms = clamp(act_ms / 5, 3000, 120000),
        .recovery_ms = clamp(act_ms / 20, 800, 5000),
    };
}

/* What is being planned: the fault and the times of its phases. */
struct plan {
    struct estate *estate;
    struct estate_script *script;
    struct estate_fault *fault;
    struct phases phases;
    int64_t start_ms;
    int64_t recover_ms; /* when the root is mended; clears follow */
    size_t first_event;
    size_t first_word;
};

static int64_t between(const struct plan *plan, int64_t from, int64_t to)
{
    return estate_random_between(&plan->estate->plan_random, from, to);
}

/* Makes room for one more; growth doubles. False when memory is short. */
static bool grow(void **items, size_t *size, size_t count, size_t bytes)
{
    if (count < *size)
        return true;
    size_t wanted = *size > 0 ? 2 * *size : 256;
    void *grown = realloc(*items, wanted * bytes);
    if (grown == NULL)
        return false;
    *items = grown;
    *size = wanted;
    return true;
}

static void script_add(struct plan *plan, const struct estate_event *event)
{
    struct estate_script *script = plan->script;
    void *events = script->events;

    if (!grow(&events, &script->size, script->count, sizeof(*event))) {
        script->short_of_memory = true;
        return;
    }
    script->events = events;
    script->events[script->count] = *event;
    script->events[script->count++].fault = plan->fault->number;
}

static void script_add_word(struct plan *plan, const char *kind, const char *name)
{
    struct estate_script *script = plan->script;
    char text[2 * ESTATE_NAME_BYTES];
    void *words = script->words;

    snprintf(text, sizeof(text), "%s:%s", kind, name);
    for (size_t i = plan->first_word; i < script->word_count; i++)
        if (strcmp(script->words[i], text) == 0)
            return;
    if (!grow(&words, &script->word_size, script->word_count, sizeof(char *))) {
        script->short_of_memory = true;
        return;
    }
    script->words = words;
    script->words[script->word_count] = strdup(text);
    if (script->words[script->word_count] == NULL)
        script->short_of_memory = true;
    else
        script->word_count++;
}

/* An alert from `raise_ms` to `clear_ms`: its problem, its repeats, its clear. */
static void plan_alert(struct plan *plan, struct estate_event event, int64_t raise_ms,
                       int64_t clear_ms)
{
    int64_t repeat_ms = plan->estate->config.repeat_ms;

    event.state = EVENT_PROBLEM;
    event.cause = STREAM_FAULT;
    event.time_ms = raise_ms;
    if (event.value_tenths == 0)
        event.value_tenths = (uint16_t)between(plan, 250, 990);
    script_add(plan, &event);
    event.cause = STREAM_FAULT_REPEAT;
    for (int64_t at = raise_ms + repeat_ms; repeat_ms > 0 && at < clear_ms; at += repeat_ms) {
        event.time_ms = at;
        event.value_tenths = (uint16_t)(event.value_tenths + 1);
        script_add(plan, &event);
    }
    event.cause = STREAM_FAULT;
    event.state = EVENT_CLEAR;
    event.severity = SEVERITY_OK;
    event.time_ms = clear_ms;
    script_add(plan, &event);
    if (clear_ms > plan->fault->end_ms)
        plan->fault->end_ms = clear_ms;
}

static int64_t clear_time(const struct plan *plan)
{
    return plan->recover_ms + between(plan, plan->phases.recovery_ms / 3, plan->phases.recovery_ms);
}

/* The instances that run on `host` are told of by their load balancer. */
static void plan_instances(struct plan *plan, uint32_t host, uint8_t symptom, uint8_t severity,
                           int64_t raise_ms)
{
    const struct estate *estate = plan->estate;

    for (uint32_t s = 0; s < estate->config.services; s++) {
        const struct estate_service *service = &estate->services[s];
        for (uint32_t i = 0; i < service->host_count; i++) {
            if (service->host[i] != host)
                continue;
            plan_alert(plan,
                       (struct estate_event){
                           .entity = host, .service = s, .symptom = symptom, .severity = severity},
                       raise_ms + between(plan, 200, plan->phases.onset_ms / 3), clear_time(plan));
            script_add_word(plan, "service", service->name);
        }
    }
}

static void plan_rack_power(struct plan *plan, uint32_t r)
{
    const struct estate_rack *rack = &plan->estate->racks[r];

    for (int feed = 0; feed < 2; feed++)
        plan_alert(plan,
                   (struct estate_event){.entity = r,
                                         .symptom = (uint8_t)(SYMPTOM_FEED_A + feed),
                                         .severity = SEVERITY_CRITICAL},
                   plan->start_ms + (feed == 0 ? 0 : between(plan, 50, 300)),
                   plan->recover_ms + between(plan, 0, 100));
    for (uint32_t h = rack->first_host; h < rack->first_host + rack->host_count; h++) {
        int64_t down_ms = plan->start_ms + between(plan, 400, plan->phases.onset_ms / 2);
        plan_alert(plan,
                   (struct estate_event){
                       .entity = h, .symptom = SYMPTOM_HOST_DOWN, .severity = SEVERITY_CRITICAL},
                   down_ms, clear_time(plan));
        script_add_word(plan, "host", plan->estate->hosts[h].name);
        plan_instances(plan, h, SYMPTOM_INSTANCE_ERRORS, SEVERITY_MAJOR, down_ms);
    }
    script_add_word(plan, "rack", rack->name);
}

static void plan_link(struct plan *plan, uint32_t r)
{
    const struct estate_rack *rack = &plan->estate->racks[r];
    int64_t down_ms = plan->start_ms + plan->phases.onset_ms / 3;

    for (int end = 0; end < 2; end++) {
        plan_alert(plan,
                   (struct estate_event){.entity = r,
                                         .symptom = (uint8_t)(SYMPTOM_LINK_ERRORS_NEAR + end),
                                         .severity = SEVERITY_MAJOR},
                   plan->start_ms + (end == 0 ? 0 : between(plan, 50, 300)),
                   plan->recover_ms + between(plan, 0, 200));
        plan_alert(plan,
                   (struct estate_event){.entity = r,
                                         .symptom = (uint8_t)(SYMPTOM_LINK_DOWN_NEAR + end),
                                         .severity = SEVERITY_CRITICAL},
                   down_ms + between(plan, 0, 200), plan->recover_ms + between(plan, 0, 200));
    }
    for (uint32_t h = rack->first_host; h < rack->first_host + rack->host_count; h++)
        plan_instances(plan, h, SYMPTOM_INSTANCE_LATENCY, SEVERITY_WARNING, down_ms);
    script_add_word(plan, "link", rack->link);
    script_add_word(plan, "rack", rack->name);
}

static bool service_needs(const struct estate_service *service, uint32_t need)
{
    for (uint32_t n = 0; n < service->need_count; n++)
        if (service->need[n] == need)
            return true;
    return false;
}

static void plan_service(struct plan *plan, uint32_t s)
{
    const struct estate *estate = plan->estate;
    const struct estate_service *service = &estate->services[s];

    for (uint32_t i = 0; i < service->host_count; i++) {
        struct estate_event event = {.entity = service->host[i], .service = s};
        int64_t deploy_ms = plan->start_ms + (i == 0 ? 0 : between(plan, 0, 300));
        event.symptom = SYMPTOM_DEPLOY;
        event.severity = SEVERITY_INFO;
        plan_alert(plan, event, deploy_ms, clear_time(plan));
        event.symptom = SYMPTOM_SERVICE_ERRORS;
        event.severity = SEVERITY_CRITICAL;
        plan_alert(plan, event, deploy_ms + between(plan, 200, plan->phases.onset_ms / 2),
                   clear_time(plan));
        script_add_word(plan, "host", estate->hosts[service->host[i]].name);
    }
    script_add_word(plan, "service", service->name);
    for (uint32_t d = s + 1; d < estate->config.services; d++) {
        const struct estate_service *dependant = &estate->services[d];
        if (!service_needs(dependant, s))
            continue;
        for (uint32_t i = 0; i < dependant->host_count; i++)
            plan_alert(plan,
                       (struct estate_event){.entity = dependant->host[i],
                                             .service = d,
                                             .symptom = SYMPTOM_SERVICE_LATENCY,
                                             .severity = SEVERITY_WARNING},
                       plan->start_ms +
                           between(plan, plan->phases.onset_ms / 2, plan->phases.onset_ms),
                       clear_time(plan));
        script_add_word(plan, "service", dependant->name);
    }
}

static void plan_disk(struct plan *plan, uint32_t host)
{
    for (int i = 0; i < 4; i++)
        plan_alert(plan,
                   (struct estate_event){.entity = host,
                                         .symptom = (uint8_t)(SYMPTOM_SMART_REALLOCATED + i),
                                         .severity = i == 3 ? SEVERITY_MAJOR : SEVERITY_WARNING,
                                         .value_tenths = (uint16_t)(80 * (i + 1))},
                   plan->start_ms + i * plan->phases.onset_ms / 4, clear_time(plan));
    script_add_word(plan, "host", plan->estate->hosts[host].name);
}

static void plan_host_crash(struct plan *plan, uint32_t host)
{
    plan_alert(plan,
               (struct estate_event){
                   .entity = host, .symptom = SYMPTOM_HOST_DOWN, .severity = SEVERITY_CRITICAL},
               plan->start_ms, plan->recover_ms);
    plan_alert(plan,
               (struct estate_event){
                   .entity = host, .symptom = SYMPTOM_HOST_HUNG, .severity = SEVERITY_CRITICAL},
               plan->start_ms + between(plan, 200, plan->phases.onset_ms / 3), plan->recover_ms);
    plan_instances(plan, host, SYMPTOM_INSTANCE_ERRORS, SEVERITY_MAJOR, plan->start_ms);
    script_add_word(plan, "host", plan->estate->hosts[host].name);
}

/* One alert that gets worse: 86 %, 93 %, 98 %. */
static void plan_disk_full(struct plan *plan, uint32_t host)
{
    static const uint8_t severities[] = {SEVERITY_WARNING, SEVERITY_MAJOR, SEVERITY_CRITICAL};
    static const uint16_t tenths[] = {860, 930, 980};
    struct estate_event event = {
        .entity = host, .symptom = SYMPTOM_DISK_FULL, .cause = STREAM_FAULT};

    for (int i = 0; i < 2; i++) {
        event.severity = severities[i];
        event.value_tenths = tenths[i];
        event.time_ms = plan->start_ms + i * plan->phases.onset_ms / 3;
        script_add(plan, &event);
    }
    event.severity = severities[2];
    event.value_tenths = tenths[2];
    plan_alert(plan, event, plan->start_ms + 2 * plan->phases.onset_ms / 3, plan->recover_ms);
    script_add_word(plan, "host", plan->estate->hosts[host].name);
}

/* Thousands of repeats within the onset's time, at a steady pace. */
static void plan_storm(struct plan *plan, uint32_t entity, uint8_t symptom)
{
    struct estate_event event = {
        .entity = entity, .symptom = symptom, .severity = SEVERITY_WARNING, .cause = STREAM_STORM};
    uint32_t count = plan->estate->config.storm_events;
    int64_t storm_ms = plan->phases.onset_ms;

    for (uint32_t i = 0; i < count; i++) {
        event.time_ms = plan->start_ms + (int64_t)i * storm_ms / count;
        event.value_tenths = (uint16_t)(i % 900);
        script_add(plan, &event);
    }
    event.state = EVENT_CLEAR;
    event.severity = SEVERITY_OK;
    event.time_ms = plan->start_ms + storm_ms + plan->phases.recovery_ms;
    script_add(plan, &event);
    plan->fault->end_ms = event.time_ms;
}

/* The next rack in turn that no fault touches from `start_ms` on; `racks` if none. */
static uint32_t take_rack(struct estate *estate, int64_t start_ms, int64_t end_ms)
{
    for (uint32_t i = 0; i < estate->config.racks; i++) {
        uint32_t at = (estate->rack_turn + i) % estate->config.racks;
        uint32_t rack = estate->rack_order[at];
        if (estate->rack_busy_ms[rack] >= start_ms)
            continue;
        estate->rack_busy_ms[rack] = end_ms + BUSY_GAP_MS;
        estate->rack_turn = at + 1;
        return rack;
    }
    return estate->config.racks;
}

static bool has_dependants(const struct estate *estate, uint32_t s)
{
    for (uint32_t d = s + 1; d < estate->config.services; d++)
        if (service_needs(&estate->services[d], s))
            return true;
    return false;
}

/* A service can fail when neither it nor a dependant is touched by another fault,
 * and when it has enough instances to be told from the loss of a host. */
static bool service_is_free(const struct estate *estate, uint32_t s, int64_t start_ms)
{
    if (estate->services[s].host_count < 3 || estate->service_busy_ms[s] >= start_ms)
        return false;
    for (uint32_t d = s + 1; d < estate->config.services; d++)
        if (service_needs(&estate->services[d], s) && estate->service_busy_ms[d] >= start_ms)
            return false;
    return true;
}

/* The next service in turn that can fail; one that others need, if there is any,
 * because its failure shows more. */
static uint32_t take_service(struct estate *estate, int64_t start_ms, int64_t end_ms)
{
    uint32_t count = estate->config.services;

    for (uint32_t i = 0; i < 2 * count; i++) {
        uint32_t at = (estate->service_turn + i) % count;
        uint32_t s = estate->service_order[at];
        if (!service_is_free(estate, s, start_ms) || (i < count && !has_dependants(estate, s)))
            continue;
        estate->service_busy_ms[s] = end_ms + BUSY_GAP_MS;
        for (uint32_t d = s + 1; d < count; d++)
            if (service_needs(&estate->services[d], s))
                estate->service_busy_ms[d] = end_ms + BUSY_GAP_MS;
        estate->service_turn = at + 1;
        return s;
    }
    return count;
}

/* A host's worker that dies and is restarted, or the port of a rack's switch. */
static const char *plan_host_or_switch_storm(struct plan *plan, uint32_t r, uint32_t host,
                                             char switch_name[ESTATE_NAME_BYTES])
{
    const struct estate_rack *rack = &plan->estate->racks[r];

    if (between(plan, 0, 1) == 0) {
        plan_storm(plan, host, SYMPTOM_STORM_HOST);
        script_add_word(plan, "host", plan->estate->hosts[host].name);
        return plan->estate->hosts[host].name;
    }
    plan_storm(plan, r, SYMPTOM_STORM_LINK);
    snprintf(switch_name, ESTATE_NAME_BYTES, "%.*s", (int)strcspn(rack->port_near, "/"),
             rack->port_near);
    script_add_word(plan, "host", switch_name);
    script_add_word(plan, "link", rack->link);
    return switch_name;
}

/* Plans the symptoms of one fault; its root is a rack, or lies in it. */
static void plan_symptoms(struct plan *plan, uint32_t entity)
{
    struct estate *estate = plan->estate;
    struct estate_fault *fault = plan->fault;
    const struct fault_row *row = &fault_rows[fault->kind];
    const struct estate_rack *rack = &estate->racks[entity];
    char switch_name[ESTATE_NAME_BYTES];
    const char *root;
    uint32_t tenant;
    uint32_t host = 0;

    if (fault->kind != FAULT_SERVICE)
        host = rack->first_host + estate_random_below(&estate->plan_random, rack->host_count);
    switch (fault->kind) {
    case FAULT_RACK_POWER:
        root = rack->name;
        plan_rack_power(plan, entity);
        break;
    case FAULT_LINK:
        root = rack->link;
        plan_link(plan, entity);
        break;
    case FAULT_SERVICE:
        root = estate->services[entity].name;
        plan_service(plan, entity);
        break;
    case FAULT_DISK:
        root = estate->hosts[host].name;
        plan_disk(plan, host);
        break;
    case FAULT_HOST_CRASH:
        root = estate->hosts[host].name;
        plan_host_crash(plan, host);
        break;
    case FAULT_DISK_FULL:
        root = estate->hosts[host].name;
        plan_disk_full(plan, host);
        break;
    default:
        root = plan_host_or_switch_storm(plan, entity, host, switch_name);
        break;
    }
    tenant = fault->kind == FAULT_SERVICE ? estate->services[entity].tenant : rack->tenant;
    fault->tenant = estate->tenants[tenant].name;
    fault->root_kind = row->root_kind;
    memcpy(fault->rules, row->rules, sizeof(fault->rules));
    snprintf(fault->root, sizeof(fault->root), "%s", root);
    snprintf(fault->key, sizeof(fault->key), "tenant=%s %s=%s", fault->tenant, row->key_name, root);
}

static void plan_fault(struct estate *estate, const struct phases *phases, int64_t start_ms)
{
    struct estate_script *script = &estate->script;
    enum estate_fault_kind kind =
        (enum estate_fault_kind)(estate->kind_turn++ % ESTATE_FAULT_KIND_COUNT);
    struct plan plan = {.estate = estate,
                        .script = script,
                        .phases = *phases,
                        .start_ms = start_ms,
                        .first_event = script->count,
                        .first_word = script->word_count};
    int64_t hold_ms = between(&plan, phases->hold_ms * 3 / 4, phases->hold_ms * 5 / 4);
    uint32_t entity, none;
    void *faults = script->faults;

    plan.recover_ms = start_ms + phases->onset_ms + hold_ms;
    if (kind == FAULT_SERVICE) {
        entity = take_service(estate, start_ms, plan.recover_ms + phases->recovery_ms);
        none = estate->config.services;
    } else {
        entity = take_rack(estate, start_ms, plan.recover_ms + phases->recovery_ms);
        none = estate->config.racks;
    }
    if (entity == none) {
        estate->faults_skipped++;
        return;
    }
    if (!grow(&faults, &script->fault_size, script->fault_count, sizeof(struct estate_fault))) {
        script->short_of_memory = true;
        return;
    }
    assert(faults != NULL); /* there is room */
    script->faults = faults;
    plan.fault = &script->faults[script->fault_count++];
    *plan.fault =
        (struct estate_fault){.number = ++estate->fault_number, .kind = kind, .start_ms = start_ms};
    plan_symptoms(&plan, entity);
    plan.fault->event_count = (uint32_t)(script->count - plan.first_event);
    plan.fault->affected_count = (uint32_t)(script->word_count - plan.first_word);
}

/* By time; events of one time stay in the order of planning. */
struct sort_item {
    struct estate_event event;
    size_t number;
};

static int sort_compare(const void *left, const void *right)
{
    const struct sort_item *a = left, *b = right;

    if (a->event.time_ms != b->event.time_ms)
        return a->event.time_ms < b->event.time_ms ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

static bool script_sort(struct estate_script *script)
{
    struct sort_item *items = malloc((script->count + 1) * sizeof(*items));

    if (items == NULL)
        return false;
    for (size_t i = 0; i < script->count; i++)
        items[i] = (struct sort_item){script->events[i], i};
    qsort(items, script->count, sizeof(*items), sort_compare);
    for (size_t i = 0; i < script->count; i++)
        script->events[i] = items[i].event;
    free(items);
    return true;
}

void estate_script_release(struct estate_script *script)
{
    for (size_t i = 0; i < script->word_count; i++)
        free(script->words[i]);
    free(script->words);
    free(script->events);
    free(script->faults);
    *script = (struct estate_script){0};
}

/* How many faults begin in this act: all acts together have config.faults. */
static uint32_t faults_of_act(const struct estate *estate)
{
    uint64_t faults = estate->config.faults;
    uint64_t act = estate->act_number;

    if (estate->act_count == 0)
        return estate->config.faults;
    return (uint32_t)(faults * (act + 1) / estate->act_count - faults * act / estate->act_count);
}

bool estate_plan_act(struct estate *estate)
{
    struct estate_script *script = &estate->script;
    const struct phases phases = phases_of_act(estate->act_ms);
    uint32_t faults = faults_of_act(estate);
    int64_t first_ms = estate->act_start_ms + estate->act_ms / 12;
    int64_t longest_ms = phases.onset_ms + phases.hold_ms * 5 / 4 + phases.recovery_ms;
    int64_t last_ms = estate->act_start_ms + estate->act_ms - longest_ms - 500;
    uint32_t words = 0;

    estate_script_release(script);
    if (last_ms < first_ms) {
        estate->faults_skipped += faults;
        faults = 0;
    }
    for (uint32_t i = 0; i < faults; i++) {
        int64_t slot_ms = (last_ms - first_ms) / faults;
        plan_fault(estate, &phases,
                   first_ms + i * (last_ms - first_ms) / faults +
                       estate_random_between(&estate->plan_random, 0, slot_ms * 2 / 3));
    }
    /* The words have stopped moving: the faults can point at theirs. */
    for (size_t i = 0; i < script->fault_count; i++) {
        script->faults[i].affected = (const char *const *)script->words + words;
        words += script->faults[i].affected_count;
    }
    estate->act_start_ms += estate->act_ms;
    estate->act_number++;
    return !script->short_of_memory && script_sort(script);
}

/*
 * estate_text.c - the words of the estate's events.
 *
 * An event is written by copying: what all events of a symptom, of a tenant and
 * of an entity share is rendered once, so that only names, time and value are
 * put together per event. That is what lets one core write millions of events
 * per second without a printf.
 */
#include "daemon/estate_parts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/units.h"

enum { TIME_SECOND_CHARS = 20 }; /* "2026-02-01T10:00:00." */

/* What is told of one symptom. A message is `problem`, then the value with its
 * `unit` where there is one. */
struct symptom_row {
    const char *check;
    const char *source;
    enum estate_entity entity;
    bool has_service; /* resource "host/service" and a label */
    bool has_dedup_key;
    const char *suffix; /* of the resource */
    const char *problem;
    const char *unit; /* NULL: no value */
    const char *clear;
};

static const struct symptom_row symptom_rows[ESTATE_SYMPTOM_COUNT] = {
    [SYMPTOM_FEED_A] = {"power.feed", "pdu", ENTITY_RACK, false, false, "/feed-a",
                        "feed A has no voltage", NULL, "feed A is back"},
    [SYMPTOM_FEED_B] = {"power.feed", "pdu", ENTITY_RACK, false, false, "/feed-b",
                        "feed B has no voltage", NULL, "feed B is back"},
    [SYMPTOM_HOST_DOWN] = {"host.down", "ping", ENTITY_HOST, false, false, "",
                           "no answer to three pings", NULL, "answers again"},
    [SYMPTOM_HOST_HUNG] = {"host.down", "bmc", ENTITY_HOST, false, false, "",
                           "power is on, the system does not answer", NULL, "system answers"},
    [SYMPTOM_SERVICE_ERRORS] = {"service.errors", "apm", ENTITY_HOST, true, true, "",
                                "requests that fail: ", " %", "requests succeed"},
    [SYMPTOM_SERVICE_LATENCY] = {"service.latency", "apm", ENTITY_HOST, true, true, "",
                                 "p99 over its limit, times ", "x", "p99 is back in its limit"},
    [SYMPTOM_INSTANCE_ERRORS] = {"service.errors", "balancer", ENTITY_HOST, true, false, "",
                                 "instance taken out of rotation", NULL, "instance in rotation"},
    [SYMPTOM_INSTANCE_LATENCY] = {"service.latency", "balancer", ENTITY_HOST, true, false, "",
                                  "instance answers slowly, times ", "x", "instance is fast again"},
    [SYMPTOM_DEPLOY] = {"process.restart", "systemd", ENTITY_HOST, true, false, "",
                        "restarted by a deploy", NULL, "runs"},
    [SYMPTOM_LINK_DOWN_NEAR] = {"link.down", "snmp", ENTITY_LINK_NEAR, false, false, "",
                                "no carrier", NULL, "carrier is back"},
    [SYMPTOM_LINK_DOWN_FAR] = {"link.down", "snmp", ENTITY_LINK_FAR, false, false, "", "no carrier",
                               NULL, "carrier is back"},
    [SYMPTOM_LINK_ERRORS_NEAR] = {"link.errors", "snmp", ENTITY_LINK_NEAR, false, false, "",
                                  "frames with a wrong checksum: ", " per second",
                                  "no more errors"},
    [SYMPTOM_LINK_ERRORS_FAR] = {"link.errors", "snmp", ENTITY_LINK_FAR, false, false, "",
                                 "frames with a wrong checksum: ", " per second", "no more errors"},
    [SYMPTOM_SMART_REALLOCATED] = {"disk.smart", "smartd", ENTITY_HOST, false, false,
                                   "/sda/reallocated", "reallocated sectors: ", "",
                                   "disk replaced"},
    [SYMPTOM_SMART_PENDING] = {"disk.smart", "smartd", ENTITY_HOST, false, false, "/sda/pending",
                               "sectors waiting for reallocation: ", "", "disk replaced"},
    [SYMPTOM_SMART_CRC] = {"disk.smart", "smartd", ENTITY_HOST, false, false, "/sda/crc",
                           "interface checksum errors: ", "", "disk replaced"},
    [SYMPTOM_SMART_WEAR] = {"disk.smart", "smartd", ENTITY_HOST, false, false, "/sda/wear",
                            "life used up: ", " %", "disk replaced"},
    [SYMPTOM_DISK_FULL] = {"disk.full", "node", ENTITY_HOST, false, false, "/data",
                           "/data is used to ", " %", "/data has room"},
    [SYMPTOM_STORM_HOST] = {"process.restart", "systemd", ENTITY_HOST, false, false, "/worker",
                            "worker died from signal 11 after ", " ms", "worker stays up"},
    [SYMPTOM_STORM_LINK] = {"link.errors", "syslog", ENTITY_LINK_NEAR, false, false, "",
                            "late collisions: ", " per second", "no more errors"},
    [SYMPTOM_CPU] = {"cpu.high", "node", ENTITY_HOST, false, false, "", "cpu is busy to ", " %",
                     "cpu is fine"},
    [SYMPTOM_MEMORY] = {"memory.pressure", "node", ENTITY_HOST, false, false, "",
                        "time stalled for memory: ", " %", "memory is fine"},
    [SYMPTOM_RESTART] = {"process.restart", "systemd", ENTITY_HOST, false, false, "/agent",
                         "agent was restarted", NULL, "agent runs"},
    [SYMPTOM_VAR_FULL] = {"disk.full", "node", ENTITY_HOST, false, false, "/var",
                          "/var is used to ", " %", "/var has room"},
    [SYMPTOM_PROBE_LATENCY] = {"service.latency", "probe", ENTITY_HOST, true, false, "",
                               "probe was slow, times ", "x", "probe is fast"},
    [SYMPTOM_CLOCK] = {"clock.offset", "node", ENTITY_HOST, false, false, "", "clock is off by ",
                       " ms", "clock is in step"},
};

/* What all events of one symptom share, in the order in which it is copied. */
struct estate_words {
    struct {
        struct fragment source;                /* pdu","resource":" */
        struct fragment suffix;                /* "/feed-a" */
        struct fragment facts[SEVERITY_COUNT]; /* ","check": up to the time; OK is a clear */
        struct fragment dedup;                 /* ","dedup_key":"power.feed/ or nothing */
        struct fragment message[2];            /* by state, up to the value */
        struct fragment message_end[2];        /* unit, and the name of the value */
        bool has_value[2];
        bool has_service;
        enum estate_entity entity;
    } of[ESTATE_SYMPTOM_COUNT];
};

static void fragment_set(struct fragment *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fragment_set(struct fragment *to, const char *format, ...)
{
    va_list args;
    int bytes;

    va_start(args, format);
    bytes = vsnprintf(to->text, sizeof(to->text), format, args);
    va_end(args);
    assert(bytes >= 0 && (size_t)bytes < sizeof(to->text));
    to->bytes = (uint32_t)bytes;
}

static void words_prepare(struct estate_words *words)
{
    for (int i = 0; i < ESTATE_SYMPTOM_COUNT; i++) {
        const struct symptom_row *row = &symptom_rows[i];
        bool has_value = row->unit != NULL;

        fragment_set(&words->of[i].source, "%s\",\"resource\":\"", row->source);
        fragment_set(&words->of[i].suffix, "%s", row->suffix);
        for (int s = 0; s < SEVERITY_COUNT; s++)
            fragment_set(&words->of[i].facts[s],
                         "\",\"check\":\"%s\",\"severity\":\"%s\",\"state\":\"%s\",\"time\":\"",
                         row->check, severity_name((enum severity)s),
                         event_state_name(s == SEVERITY_OK ? EVENT_CLEAR : EVENT_PROBLEM));
        if (row->has_dedup_key)
            fragment_set(&words->of[i].dedup, "\",\"dedup_key\":\"%s/", row->check);
        fragment_set(&words->of[i].message[EVENT_PROBLEM], "\",\"message\":\"%s", row->problem);
        fragment_set(&words->of[i].message[EVENT_CLEAR], "\",\"message\":\"%s", row->clear);
        fragment_set(&words->of[i].message_end[EVENT_PROBLEM], "%s\"%s", has_value ? row->unit : "",
                     has_value ? ",\"value\":" : "");
        fragment_set(&words->of[i].message_end[EVENT_CLEAR], "\"");
        words->of[i].has_value[EVENT_PROBLEM] = has_value;
        words->of[i].has_service = row->has_service;
        words->of[i].entity = row->entity;
    }
}

bool estate_text_prepare(struct estate *estate)
{
    const struct estate_config *config = &estate->config;

    estate->words = calloc(1, sizeof(*estate->words));
    if (estate->words == NULL)
        return false;
    words_prepare(estate->words);
    estate->text_second = INT64_MIN;
    for (uint32_t i = 0; i < config->tenants; i++)
        fragment_set(&estate->tenants[i].head, "{\"tenant\":\"%s\",\"source\":\"",
                     estate->tenants[i].name);
    for (uint32_t i = 0; i < config->racks; i++) {
        struct estate_rack *rack = &estate->racks[i];
        fragment_set(&rack->labels, ",\"labels\":{\"site\":\"%s\",\"rack\":\"%s\"", rack->site,
                     rack->name);
        fragment_set(&rack->link_labels,
                     ",\"labels\":{\"site\":\"%s\",\"rack\":\"%s\",\"link\":\"%s\"", rack->site,
                     rack->name, rack->link);
    }
    for (uint32_t i = 0; i < config->hosts; i++) {
        struct estate_host *host = &estate->hosts[i];
        const struct estate_rack *rack = &estate->racks[host->rack];
        fragment_set(&host->labels, ",\"labels\":{\"site\":\"%s\",\"rack\":\"%s\",\"host\":\"%s\"",
                     rack->site, rack->name, host->name);
    }
    return true;
}

void estate_text_release(struct estate *estate)
{
    free(estate->words);
    estate->words = NULL;
}

static void digits(char *to, int count, unsigned number)
{
    for (int i = count - 1; i >= 0; i--, number /= 10)
        to[i] = (char)('0' + number % 10);
}

/* Renders the second only when it changes: "2026-02-01T10:00:00." */
static void text_second_set(struct estate *estate, int64_t second)
{
    char text[UNIT_TEXT_BYTES];

    unit_format_time(second * 1000, text);
    memcpy(estate->text_time, text, TIME_SECOND_CHARS);
    estate->text_second = second;
}

static inline char *put(char *to, const char *text, size_t bytes)
{
    memcpy(to, text, bytes);
    return to + bytes;
}

enum { FRAGMENT_COPY_BYTES = 64 };

/* Most fragments are short: copying a fixed length saves the call of memcpy.
 * What is copied too much is overwritten by what follows. */
static inline char *put_fragment(char *to, const struct fragment *from)
{
    memcpy(to, from->text, FRAGMENT_COPY_BYTES);
    if (from->bytes > FRAGMENT_COPY_BYTES)
        memcpy(to + FRAGMENT_COPY_BYTES, from->text + FRAGMENT_COPY_BYTES,
               from->bytes - FRAGMENT_COPY_BYTES);
    return to + from->bytes;
}

static char *put_value(char *to, unsigned tenths)
{
    char text[12];
    int at = sizeof(text);
    unsigned whole = tenths / 10;

    text[--at] = (char)('0' + tenths % 10);
    text[--at] = '.';
    do {
        text[--at] = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole > 0);
    return put(to, text + at, sizeof(text) - (size_t)at);
}

/* The two words of an event that depend on the kind of its entity. */
struct entity_words {
    const char *name;
    size_t name_bytes;
    const struct fragment *labels;
    uint32_t tenant;
};

static struct entity_words entity_words(const struct estate *estate,
                                        const struct estate_event *event)
{
    const struct estate_rack *rack;

    switch (estate->words->of[event->symptom].entity) {
    case ENTITY_HOST: {
        const struct estate_host *host = &estate->hosts[event->entity];
        return (struct entity_words){host->name, host->name_bytes, &host->labels, host->tenant};
    }
    case ENTITY_LINK_NEAR:
        rack = &estate->racks[event->entity];
        return (struct entity_words){rack->port_near, strlen(rack->port_near), &rack->link_labels,
                                     rack->tenant};
    case ENTITY_LINK_FAR:
        rack = &estate->racks[event->entity];
        return (struct entity_words){rack->port_far, strlen(rack->port_far), &rack->link_labels,
                                     rack->tenant};
    default:
        rack = &estate->racks[event->entity];
        return (struct entity_words){rack->name, strlen(rack->name), &rack->labels, rack->tenant};
    }
}

size_t estate_event_write(struct estate *estate, const struct estate_event *event, char *to)
{
    const struct entity_words entity = entity_words(estate, event);
    const struct estate_service *service = &estate->services[event->service];
    int64_t second = event->time_ms / 1000;
    char *at = to;
    const char *resource;
    size_t resource_bytes;

    if (second != estate->text_second)
        text_second_set(estate, second);
    at = put_fragment(at, &estate->tenants[entity.tenant].head);
    at = put_fragment(at, &estate->words->of[event->symptom].source);
    resource = at;
    at = put(at, entity.name, entity.name_bytes);
    if (estate->words->of[event->symptom].has_service) {
        *at++ = '/';
        at = put(at, service->name, service->name_bytes);
    }
    at = put_fragment(at, &estate->words->of[event->symptom].suffix);
    resource_bytes = (size_t)(at - resource);
    if (estate->words->of[event->symptom].dedup.bytes > 0) {
        at = put_fragment(at, &estate->words->of[event->symptom].dedup);
        at = put(at, resource, resource_bytes);
    }
    at = put_fragment(at, &estate->words->of[event->symptom].facts[event->severity]);
    at = put(at, estate->text_time, TIME_SECOND_CHARS);
    digits(at, 3, (unsigned)(event->time_ms - second * 1000));
    at[3] = 'Z';
    at += 4;
    at = put_fragment(at, &estate->words->of[event->symptom].message[event->state]);
    if (estate->words->of[event->symptom].has_value[event->state]) {
        at = put_value(at, event->value_tenths);
        at = put_fragment(at, &estate->words->of[event->symptom].message_end[event->state]);
        at = put_value(at, event->value_tenths);
    } else {
        at = put_fragment(at, &estate->words->of[event->symptom].message_end[event->state]);
    }
    at = put_fragment(at, entity.labels);
    if (estate->words->of[event->symptom].has_service) {
        at = put(at, ",\"service\":\"", 12);
        at = put(at, service->name, service->name_bytes);
        *at++ = '"';
    }
    *at++ = '}';
    *at++ = '}';
    assert(at - to <= ESTATE_EVENT_BYTES_MAX - FRAGMENT_COPY_BYTES);
    return (size_t)(at - to);
}

struct text estate_event_key(const struct estate *estate, const struct estate_event *event)
{
    if (symptom_rows[event->symptom].entity == ENTITY_HOST) {
        const struct estate_host *host = &estate->hosts[event->entity];
        return (struct text){host->name, host->name_bytes};
    }
    const char *name = estate->racks[event->entity].name;
    return (struct text){name, (uint32_t)strlen(name)};
}

size_t estate_fault_write(const struct estate_fault *fault, char *to, size_t bytes)
{
    size_t used = 0;
    int n;

#define ADD(...)                                                                                   \
    do {                                                                                           \
        n = snprintf(used < bytes ? to + used : NULL, used < bytes ? bytes - used : 0,             \
                     __VA_ARGS__);                                                                 \
        assert(n >= 0);                                                                            \
        used += (size_t)n;                                                                         \
    } while (0)

    ADD("{\"fault\":%u,\"kind\":\"%s\",\"tenant\":\"%s\",\"root_kind\":\"%s\",\"root\":\"%s\"",
        fault->number, estate_fault_kind_name(fault->kind), fault->tenant, fault->root_kind,
        fault->root);
    ADD(",\"start\":%lld,\"end\":%lld,\"events\":%u,\"rules\":[", (long long)fault->start_ms,
        (long long)fault->end_ms, fault->event_count);
    for (int i = 0; i < ESTATE_RULES_MAX && fault->rules[i] != NULL; i++)
        ADD("%s\"%s\"", i > 0 ? "," : "", fault->rules[i]);
    ADD("],\"key\":\"%s\",\"affected\":[", fault->key);
    for (uint32_t i = 0; i < fault->affected_count; i++)
        ADD("%s\"%s\"", i > 0 ? "," : "", fault->affected[i]);
    ADD("]}");
#undef ADD
    return used;
}

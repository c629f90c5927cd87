/*
 * sink_fixture.h - what the tests of sinks share: incidents, a clock that moves
 * only when told, and a transport that answers only when told.
 */
#ifndef TESTS_SINK_FIXTURE_H
#define TESTS_SINK_FIXTURE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/incident.h"
#include "sinks/outbox.h"
#include "sinks/sink.h"
#include "sinks/transport.h"

/* ---- incidents ---- */

/* An incident whose every field says something. Strings are literals. */
static inline struct incident *fixture_incident(uint64_t number)
{
    struct incident *inc = calloc(1, sizeof(*inc));

    assert(inc != NULL);
    atomic_init(&inc->refs, 1);
    inc->id = (struct id128){0x0123456789abcdefu, number};
    inc->change = INCIDENT_OPENED;
    inc->cause = CAUSE_RULE;
    inc->at_ms = 1769940005250; /* 2026-02-01T10:00:05.250Z */
    inc->opened_ms = 1769940005250;
    inc->first_ts_ms = 1769940000000; /* 2026-02-01T10:00:00.000Z */
    inc->change_number = 1;
    inc->severity = SEVERITY_MAJOR;
    inc->priority = PRIORITY_P2;
    inc->event_count = 7;
    inc->alert_count = 3;
    inc->open_count = 2;
    inc->tenant = "acme";
    inc->rule_id = "disk-full";
    inc->key = "tenant=acme host=db01";
    inc->title = "3 alerts on db01";
    inc->tier = "gold";
    inc->runbook = "https://wiki.example/disk";
    inc->team = "dba";
    inc->why = "3 alerts in 10m (needs 3)";
    inc->source = "zabbix";
    inc->resource = "db01/sda";
    inc->check = "disk";
    inc->message = "disk 97% full";
    inc->host = "db01";
    inc->muted_by = inc->acked_by = inc->by = inc->comment = "";
    return inc;
}

/* An op on a fresh snapshot of incident `number`; takes nothing, owns its incident. */
static inline struct op fixture_op(uint64_t number, uint32_t op_number, enum op_kind kind,
                                   uint16_t sink)
{
    struct op op = {
        .id = {0xfeedfacecafebeefu, number << 16 | op_number},
        .number = op_number,
        .sink = sink,
        .kind = (uint8_t)kind,
        .incident = fixture_incident(number),
    };

    op.incident->change_number = op_number;
    op.incident->change = kind == OP_OPEN      ? INCIDENT_OPENED
                          : kind == OP_RESOLVE ? INCIDENT_CLOSED
                                               : INCIDENT_UPDATED;
    return op;
}

/* ---- a host on virtual time ---- */

static uint64_t fixture_mono_ns = 1000000000;
static int64_t fixture_wall_ms = 1769940000000;
static uint64_t fixture_seed = 1;

static inline uint64_t fixture_mono(void *self)
{
    (void)self;
    return fixture_mono_ns;
}

static inline int64_t fixture_wall(void *self)
{
    (void)self;
    return fixture_wall_ms;
}

static inline uint64_t fixture_next_random(void)
{
    fixture_seed ^= fixture_seed << 13;
    fixture_seed ^= fixture_seed >> 7;
    fixture_seed ^= fixture_seed << 17;
    return fixture_seed;
}

static inline void fixture_random(void *self, void *to, size_t bytes)
{
    (void)self;
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)to)[i] = (unsigned char)(fixture_next_random() >> 24);
}

static struct host fixture_host;

static inline void fixture_host_install(void)
{
    fixture_host = *host();
    fixture_host.mono_ns = fixture_mono;
    fixture_host.wall_ms = fixture_wall;
    fixture_host.random = fixture_random;
    host_set(&fixture_host);
}

static inline void fixture_advance_ms(uint64_t ms)
{
    fixture_mono_ns += ms * 1000000;
    fixture_wall_ms += (int64_t)ms;
}

/* ---- a transport that keeps what was sent ---- */

enum { FIXTURE_SENT_MAX = 200000, FIXTURE_HEADERS_MAX = 40 };

struct fixture_sent {
    char *url;
    char *body;
    char *headers[FIXTURE_HEADERS_MAX];
    size_t header_count;
    bool may_reuse;
    uint64_t at_ns;
    transport_done done; /* NULL once answered */
    void *arg;
    bool (*may_leave)(void *self);
    void *may_leave_self;
};

static struct fixture_sent fixture_sent[FIXTURE_SENT_MAX];
static size_t fixture_sent_count;

static inline int fixture_send(void *self, const struct transport_request *request,
                               transport_done done, void *arg)
{
    struct fixture_sent *sent = &fixture_sent[fixture_sent_count++];

    (void)self;
    assert(fixture_sent_count <= FIXTURE_SENT_MAX);
    assert(request->header_count <= FIXTURE_HEADERS_MAX);
    sent->url = strdup(request->url);
    sent->body = strdup(request->body);
    for (size_t i = 0; i < request->header_count; i++)
        sent->headers[i] = strdup(request->headers[i]);
    sent->header_count = request->header_count;
    sent->may_reuse = request->may_reuse_connection;
    sent->at_ns = fixture_mono_ns;
    sent->done = done;
    sent->arg = arg;
    sent->may_leave = request->may_leave;
    sent->may_leave_self = request->may_leave_self;
    return 0;
}

static const struct transport fixture_transport = {.self = NULL, .send = fixture_send};

static inline void fixture_sent_clear(void)
{
    for (size_t i = 0; i < fixture_sent_count; i++) {
        free(fixture_sent[i].url);
        free(fixture_sent[i].body);
        for (size_t j = 0; j < fixture_sent[i].header_count; j++)
            free(fixture_sent[i].headers[j]);
    }
    memset(fixture_sent, 0, fixture_sent_count * sizeof(fixture_sent[0]));
    fixture_sent_count = 0;
}

static inline void fixture_complete(size_t index, const struct transport_answer *answer)
{
    struct fixture_sent *sent = &fixture_sent[index];
    transport_done done = sent->done;

    assert(index < fixture_sent_count);
    assert(done != NULL);
    sent->done = NULL;
    done(sent->arg, answer);
}

static inline void fixture_answer(size_t index, int status, const char *body,
                                  const char *retry_after)
{
    struct transport_answer answer = {
        .result = TRANSPORT_ANSWERED,
        .status = status,
        .retry_after = retry_after,
        .body = body,
        .body_bytes = strlen(body),
        .detail = "",
    };

    fixture_complete(index, &answer);
}

static inline void fixture_fail(size_t index, enum transport_result result)
{
    struct transport_answer answer = {
        .result = result, .retry_after = "", .body = "", .detail = "the line is dead"};

    fixture_complete(index, &answer);
}

#endif

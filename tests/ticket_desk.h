/*
 * ticket_desk.h - three systems that take incidents, on virtual time, and lie as a test asks.
 *
 *   snow.example  ServiceNow's table API: no constraint on the key, look-ups may lag
 *   zen.example   Zendesk: remembers Idempotency-Keys for two hours, look-ups may lag
 *   pager.example PagerDuty: folds by dedup_key while an alert is open
 *
 * Each is a transport: a request is acted on when it is sent, and its answer comes 50 ms later. A
 * lie is set for the n-th request of a run, counted from 0 over all systems.
 */
#ifndef TESTS_TICKET_DESK_H
#define TESTS_TICKET_DESK_H

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/hash.h"
#include "sink_fixture.h"
#include "sinks/outbox_core.h"

enum lie {
    HONEST,
    LIE_LOST,        /* acted on, then the connection is reset */
    LIE_LOST_BEFORE, /* the connection is reset and nothing is done */
    LIE_HTML,        /* a log-in page with 200, nothing is done */
    LIE_HTML_DONE,   /* the same, but it is done */
    LIE_429_SECONDS, /* with a Retry-After in seconds */
    LIE_429_DATE,    /* and as a date */
    LIE_429_BARE,    /* and without one */
    LIE_500,         /* nothing is done */
    LIE_500_DONE,    /* done all the same */
    LIE_SLOW_BODY,   /* done, but its answer does not end before the time-out */
    LIE_REDIRECT,    /* to another host */
    LIE_BAD_CERT,    /* no TLS session */
    LIE_409,         /* two requests met */
    LIE_COUNT
};

enum { DESK_TICKETS_MAX = 4096, DESK_ANSWERS_MAX = 64, DESK_LIES_MAX = 4096, DESK_LOG_MAX = 4096 };

struct desk_ticket {
    char host[16];
    char key[40], ref[40], label[32], request_key[40], state[16], link[40];
    uint64_t body; /* hash of the creation's */
    uint64_t created_ns;
    int64_t created_ms;
    unsigned changes;
    bool is_open;
    bool was_shown; /* by a look-up */
};

struct desk_answer {
    transport_done done; /* NULL: free */
    void *arg;
    uint64_t due_ns;
    enum transport_result result;
    int status;
    char *body; /* owned */
    char retry_after[64];
};

struct desk {
    struct desk_ticket ticket[DESK_TICKETS_MAX];
    size_t ticket_count;
    struct desk_answer answer[DESK_ANSWERS_MAX];
    enum lie lie[DESK_LIES_MAX]; /* by number of the request */
    size_t request_count;
    char log[DESK_LOG_MAX][8]; /* methods, in order */
    uint64_t lag_ns;           /* so long a ticket is missing from look-ups */
    int refuse_create;         /* not 0: creations are refused with this status */
    int refuse_change;
};

#ifdef DESK_OUTLIVES /* the process that asks it: where it is, the includer knows */
static struct desk *desk_there;
#define desk (*desk_there)
#else
static struct desk desk;
#endif

static inline void desk_reset(void)
{
    for (size_t i = 0; i < DESK_ANSWERS_MAX; i++)
        free(desk.answer[i].body);
    memset(&desk, 0, sizeof(desk));
}

static inline struct desk_ticket *desk_find(const char *ref, size_t bytes)
{
    for (size_t i = 0; i < desk.ticket_count; i++)
        if (strlen(desk.ticket[i].ref) == bytes && memcmp(desk.ticket[i].ref, ref, bytes) == 0)
            return &desk.ticket[i];
    return NULL;
}

/* Tickets of the host that were ever made, and those that are open. */
static inline size_t desk_count(const char *host, bool only_open)
{
    size_t count = 0;

    for (size_t i = 0; i < desk.ticket_count; i++)
        count += strcmp(desk.ticket[i].host, host) == 0 && (desk.ticket[i].is_open || !only_open);
    return count;
}

static inline const char *desk_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static inline struct desk_ticket *desk_create(const char *host, const char *key,
                                              const char *request_key, const char *body)
{
    struct desk_ticket *ticket = &desk.ticket[desk.ticket_count++];

    assert(desk.ticket_count <= DESK_TICKETS_MAX);
    *ticket = (struct desk_ticket){.created_ns = fixture_mono_ns,
                                   .created_ms = fixture_wall_ms,
                                   .is_open = true,
                                   .body = hash64(body, strlen(body), 0)};
    snprintf(ticket->host, sizeof(ticket->host), "%s", host);
    snprintf(ticket->key, sizeof(ticket->key), "%s", key);
    snprintf(ticket->request_key, sizeof(ticket->request_key), "%s", request_key);
    snprintf(ticket->label, sizeof(ticket->label), "INC%04zu", desk.ticket_count);
    if (strcmp(host, "snow.example") == 0)
        snprintf(ticket->ref, sizeof(ticket->ref), "%032zx", desk.ticket_count);
    else
        snprintf(ticket->ref, sizeof(ticket->ref), "%zu", 100 + desk.ticket_count);
    snprintf(ticket->state, sizeof(ticket->state), "%s", host[0] == 's' ? "1" : "new");
    return ticket;
}

/* New reference. */
static inline json_t *desk_show(const struct desk_ticket *ticket)
{
    time_t seconds = (time_t)(ticket->created_ms / 1000);
    char created[32];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    if (strcmp(ticket->host, "snow.example") == 0) {
        strftime(created, sizeof(created), "%Y-%m-%d %H:%M:%S", &tm);
        return json_pack("{s:s,s:s,s:s,s:s,s:s}", "sys_id", ticket->ref, "number", ticket->label,
                         "state", ticket->state, "correlation_id", ticket->key, "sys_created_on",
                         created);
    }
    strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_pack("{s:I,s:s,s:s,s:s}", "id", (json_int_t)atoll(ticket->ref), "status",
                     ticket->state, "external_id", ticket->key, "created_at", created);
}

static inline char *desk_wrap(const char *name, json_t *value)
{
    json_t *root = json_pack("{s:o}", name, value);
    char *text = json_dumps(root, JSON_COMPACT);

    json_decref(root);
    return text;
}

static inline char *desk_list(const char *host, const char *name, const char *key)
{
    json_t *list = json_array();

    for (size_t i = 0; i < desk.ticket_count; i++) {
        struct desk_ticket *ticket = &desk.ticket[i];
        if (strcmp(ticket->host, host) != 0 || strncmp(ticket->key, key, 32) != 0 ||
            ticket->created_ns + desk.lag_ns > fixture_mono_ns)
            continue;
        json_array_append_new(list, desk_show(ticket));
        ticket->was_shown = true;
    }
    return desk_wrap(name, list);
}

/* What an honest system does and answers. */
static inline char *desk_snow(const struct transport_request *request, json_t *body, int *status)
{
    const char *at = strstr(request->url, "correlation_id%3D"), *state;
    struct desk_ticket *ticket;

    *status = 200;
    if (strcmp(request->method, "GET") == 0) {
        assert(at != NULL);
        return desk_list("snow.example", "result", at + strlen("correlation_id%3D"));
    }
    if (strcmp(request->method, "POST") == 0) {
        *status = desk.refuse_create != 0 ? desk.refuse_create : 201;
        if (desk.refuse_create != 0)
            return strdup("{\"error\":{\"message\":\"no\"}}");
        ticket = desk_create("snow.example", desk_text(body, "correlation_id"), "", request->body);
        return desk_wrap("result", desk_show(ticket));
    }
    assert(strcmp(request->method, "PATCH") == 0);
    at = strrchr(request->url, '/') + 1;
    ticket = desk_find(at, strlen(at));
    *status = ticket == NULL ? 404 : desk.refuse_change != 0 ? desk.refuse_change : 200;
    if (*status != 200)
        return strdup("{\"error\":{\"message\":\"no\"}}");
    ticket->changes++;
    state = desk_text(body, "state");
    if (state[0] != '\0')
        snprintf(ticket->state, sizeof(ticket->state), "%s", state);
    snprintf(ticket->link, sizeof(ticket->link), "%s", desk_text(body, "parent_incident"));
    ticket->is_open = atoi(ticket->state) < 6;
    return desk_wrap("result", desk_show(ticket));
}

static inline const char *desk_header(const struct transport_request *request, const char *name)
{
    size_t bytes = strlen(name);

    for (size_t i = 0; i < request->header_count; i++)
        if (strncmp(request->headers[i], name, bytes) == 0 && request->headers[i][bytes] == ':')
            return request->headers[i] + bytes + 2;
    return "";
}

static inline char *desk_zen(const struct transport_request *request, json_t *body, int *status)
{
    const json_t *given = json_object_get(body, "ticket");
    const char *at = strstr(request->url, "external_id="), *key, *state;
    struct desk_ticket *ticket;

    *status = 200;
    if (strcmp(request->method, "GET") == 0) {
        assert(at != NULL);
        return desk_list("zen.example", "tickets", at + strlen("external_id="));
    }
    if (strcmp(request->method, "POST") == 0) {
        *status = desk.refuse_create != 0 ? desk.refuse_create : 201;
        if (desk.refuse_create != 0)
            return strdup("{\"error\":\"RecordInvalid\"}");
        key = desk_header(request, "Idempotency-Key");
        assert(key[0] != '\0');
        for (size_t i = 0; i < desk.ticket_count; i++) {
            ticket = &desk.ticket[i];
            if (strcmp(ticket->request_key, key) != 0 ||
                ticket->created_ns + UINT64_C(7200000000000) <= fixture_mono_ns)
                continue;
            if (ticket->body == hash64(request->body, strlen(request->body), 0))
                return desk_wrap("ticket", desk_show(ticket));
            *status = 400;
            return strdup("{\"error\":\"IdempotentRequestError\"}");
        }
        ticket = desk_create("zen.example", desk_text(given, "external_id"), key, request->body);
        return desk_wrap("ticket", desk_show(ticket));
    }
    assert(strcmp(request->method, "PUT") == 0);
    at = strrchr(request->url, '/') + 1;
    ticket = desk_find(at, strcspn(at, "."));
    *status = ticket == NULL ? 404 : desk.refuse_change != 0 ? desk.refuse_change : 200;
    if (*status != 200)
        return strdup("{\"error\":\"RecordInvalid\"}");
    ticket->changes++;
    state = desk_text(given, "status");
    if (state[0] != '\0')
        snprintf(ticket->state, sizeof(ticket->state), "%s", state);
    ticket->is_open = strcmp(ticket->state, "solved") != 0;
    return desk_wrap("ticket", desk_show(ticket));
}

static inline char *desk_pager(const struct transport_request *request, json_t *body, int *status)
{
    const char *action = desk_text(body, "event_action"), *key = desk_text(body, "dedup_key");
    struct desk_ticket *open = NULL;

    (void)request;
    for (size_t i = 0; i < desk.ticket_count; i++)
        if (strcmp(desk.ticket[i].host, "pager.example") == 0 && desk.ticket[i].is_open &&
            strcmp(desk.ticket[i].key, key) == 0)
            open = &desk.ticket[i];
    if (strcmp(action, "trigger") == 0 && open == NULL)
        desk_create("pager.example", key, "", "");
    else if (open != NULL)
        open->changes++;
    if (strcmp(action, "resolve") == 0 && open != NULL)
        open->is_open = false;
    *status = 202;
    return strdup("{\"status\":\"success\"}");
}

static inline char *desk_act(const struct transport_request *request, int *status)
{
    json_t *body = json_loads(request->body, 0, NULL);
    char *answer;

    assert((body == NULL) == (strcmp(request->method, "GET") == 0));
    if (strncmp(request->url, "https://snow.example/", 21) == 0)
        answer = desk_snow(request, body, status);
    else if (strncmp(request->url, "https://zen.example/", 20) == 0)
        answer = desk_zen(request, body, status);
    else
        answer = desk_pager(request, body, status);
    json_decref(body);
    return answer;
}

/* Which lies are told after the thing was done. */
static inline bool desk_is_done(enum lie lie)
{
    return lie == HONEST || lie == LIE_LOST || lie == LIE_HTML_DONE || lie == LIE_500_DONE ||
           lie == LIE_SLOW_BODY;
}

static inline void desk_lie(struct desk_answer *answer, enum lie lie, unsigned timeout_ms)
{
    static const int status[LIE_COUNT] = {
        [LIE_HTML] = 200,     [LIE_HTML_DONE] = 200, [LIE_429_SECONDS] = 429,
        [LIE_429_DATE] = 429, [LIE_429_BARE] = 429,  [LIE_500] = 500,
        [LIE_500_DONE] = 500, [LIE_REDIRECT] = 302,  [LIE_409] = 409};
    time_t later = (time_t)(fixture_wall_ms / 1000 + 40);
    struct tm tm;

    if (lie == HONEST)
        return;
    free(answer->body);
    answer->status = status[lie];
    answer->body = strdup(lie == LIE_HTML || lie == LIE_HTML_DONE ? "<html>log in</html>" : "");
    if (lie == LIE_LOST || lie == LIE_LOST_BEFORE || lie == LIE_SLOW_BODY)
        answer->result = TRANSPORT_AFTER_FIRST_BYTE;
    if (lie == LIE_BAD_CERT)
        answer->result = TRANSPORT_TLS;
    if (lie == LIE_SLOW_BODY)
        answer->due_ns = fixture_mono_ns + timeout_ms * UINT64_C(1000000);
    gmtime_r(&later, &tm);
    if (lie == LIE_429_SECONDS)
        snprintf(answer->retry_after, sizeof(answer->retry_after), "40");
    if (lie == LIE_429_DATE)
        strftime(answer->retry_after, sizeof(answer->retry_after), "%a, %d %b %Y %H:%M:%S GMT",
                 &tm);
}

static inline int desk_send(void *self, const struct transport_request *request,
                            transport_done done, void *arg)
{
    size_t number = desk.request_count++;
    enum lie lie = number < DESK_LIES_MAX ? desk.lie[number] : HONEST;
    struct desk_answer *answer = desk.answer;

    (void)self;
    assert(number < DESK_LOG_MAX);
    snprintf(desk.log[number], sizeof(desk.log[0]), "%s", request->method);
    while (answer->done != NULL)
        answer++;
    assert(answer < desk.answer + DESK_ANSWERS_MAX);
    *answer = (struct desk_answer){.done = done,
                                   .arg = arg,
                                   .due_ns = fixture_mono_ns + 50 * UINT64_C(1000000),
                                   .result = TRANSPORT_ANSWERED};
    if (desk_is_done(lie))
        answer->body = desk_act(request, &answer->status);
    desk_lie(answer, lie, request->timeout_ms);
    return 0;
}

static const struct transport desk_transport = {.self = NULL, .send = desk_send};

static inline uint64_t desk_due_ns(void)
{
    uint64_t due_ns = UINT64_MAX;

    for (size_t i = 0; i < DESK_ANSWERS_MAX; i++)
        if (desk.answer[i].done != NULL && desk.answer[i].due_ns < due_ns)
            due_ns = desk.answer[i].due_ns;
    return due_ns;
}

static inline void desk_answer_due(void)
{
    for (size_t i = 0; i < DESK_ANSWERS_MAX; i++) {
        struct desk_answer given = desk.answer[i];
        struct transport_answer answer = {.result = given.result,
                                          .status = given.status,
                                          .retry_after = given.retry_after,
                                          .body = given.body != NULL ? given.body : "",
                                          .detail = "the line is dead"};
        if (given.done == NULL || given.due_ns > fixture_mono_ns)
            continue;
        answer.body_bytes = strlen(answer.body);
        desk.answer[i] = (struct desk_answer){0};
        given.done(given.arg, &answer);
        free(given.body);
    }
}

/* Lets time pass until nothing waits, at most `limit_ms`. Returns whether nothing does. */
static inline bool desk_run(struct outbox_core *core, uint64_t limit_ms)
{
    uint64_t end_ns = fixture_mono_ns + limit_ms * 1000000;

    for (;;) {
        uint64_t due_ns, answer_ns;
        outbox_core_run(core);
        if (outbox_core_waiting(core) == 0)
            return true;
        due_ns = outbox_core_due_ns(core);
        answer_ns = desk_due_ns();
        if (answer_ns < due_ns)
            due_ns = answer_ns;
        if (due_ns > end_ns)
            due_ns = end_ns;
        if (due_ns > fixture_mono_ns) {
            fixture_wall_ms += (int64_t)((due_ns - fixture_mono_ns) / 1000000);
            fixture_mono_ns = due_ns;
        }
        desk_answer_due();
        if (fixture_mono_ns >= end_ns)
            return outbox_core_waiting(core) == 0;
    }
}

#endif

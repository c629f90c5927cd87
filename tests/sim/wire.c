/* wire.c - see wire.h. */
#include "sim/wire.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/desk.h"
#include "sim/world.h"
#include "sinks/transport_curl.h"

struct transport_curl {
    struct event_base *loop;
    struct transport table;
    struct exchange *exchanges;
};

/* One request, from its sending to its answer. */
struct exchange {
    struct transport_curl *wire;
    struct event *timer;
    uint32_t id, lie;
    bool has_come;
    uint64_t began_ns;
    unsigned timeout_ms;
    transport_done done;
    void *arg;
    struct desk_reply reply;
    char *body;
    struct exchange *next;
};

static struct wire_plan plan;
static uint32_t last_id;

void wire_begin(const struct wire_plan *given)
{
    plan = *given;
    last_id = 0;
}

static void put_all(const void *from, size_t bytes)
{
    const char *at = from;

    while (bytes > 0) {
        ssize_t put = write(plan.fd, at, bytes);
        if (put <= 0)
            world_end(70, "the desk does not listen");
        at += put;
        bytes -= (size_t)put;
    }
}

static void get_all(void *to, size_t bytes)
{
    char *at = to;

    while (bytes > 0) {
        ssize_t got = read(plan.fd, at, bytes);
        if (got <= 0)
            world_end(70, "the desk does not answer");
        at += got;
        bytes -= (size_t)got;
    }
}

static void exchange_free(struct exchange *exchange)
{
    struct exchange **at = &exchange->wire->exchanges;

    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    event_free(exchange->timer);
    free(exchange->body);
    free(exchange);
}

static void set_timer(struct exchange *exchange, uint64_t ns)
{
    const struct timeval after = {.tv_sec = (time_t)(ns / SECOND_NS),
                                  .tv_usec = (suseconds_t)(ns % SECOND_NS / 1000)};

    event_add(exchange->timer, &after);
}

static uint64_t until_timeout(const struct exchange *exchange)
{
    uint64_t end_ns = exchange->began_ns + exchange->timeout_ms * MILLI_NS;

    return end_ns > world->now_ns ? end_ns - world->now_ns : 0;
}

static bool is_calm(void)
{
    return world->now_ns >= plan.calm_ns;
}

/* It has come to the system; the answer sets out. */
static void arrive(struct exchange *exchange)
{
    const struct desk_message message = {
        .kind = DESK_ACT, .id = exchange->id, .lie = exchange->lie, .now_ns = world->now_ns};
    uint64_t back_ns = dice_below(&world->wire, plan.way_ns + 1);

    exchange->has_come = true;
    put_all(&message, sizeof(message));
    get_all(&exchange->reply, sizeof(exchange->reply));
    exchange->body = calloc(1, exchange->reply.body_bytes + 1u);
    assert(exchange->body != NULL);
    get_all(exchange->body, exchange->reply.body_bytes);
    if (!is_calm())
        back_ns += dice_below(&world->wire, plan.slow_ns + 1);
    if (exchange->reply.is_late || back_ns > until_timeout(exchange)) {
        exchange->reply.result = TRANSPORT_AFTER_FIRST_BYTE;
        exchange->reply.status = 0;
        back_ns = until_timeout(exchange);
    }
    world_note("desk", "%u lie %u: result %d status %d", exchange->id, exchange->lie,
               exchange->reply.result, exchange->reply.status);
    set_timer(exchange, back_ns);
}

static void answer(struct exchange *exchange)
{
    const bool is_answered = exchange->reply.result == TRANSPORT_ANSWERED;
    const struct transport_answer given = {
        .result = (enum transport_result)exchange->reply.result,
        .status = is_answered ? exchange->reply.status : 0,
        .retry_after = is_answered ? exchange->reply.retry_after : "",
        .body = is_answered ? exchange->body : "",
        .body_bytes = is_answered ? exchange->reply.body_bytes : 0,
        .detail = is_answered ? "" : "the line is dead"};

    exchange->done(exchange->arg, &given);
    exchange_free(exchange);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct exchange *exchange = arg;

    (void)fd, (void)what;
    if (exchange->has_come)
        answer(exchange);
    else
        arrive(exchange);
}

static void post(const struct exchange *exchange, const struct transport_request *request)
{
    struct desk_message message = {.kind = DESK_POST,
                                   .id = exchange->id,
                                   .timeout_ms = request->timeout_ms,
                                   .now_ns = world->now_ns,
                                   .method_bytes = (uint32_t)strlen(request->method),
                                   .url_bytes = (uint32_t)strlen(request->url),
                                   .body_bytes = (uint32_t)request->body_bytes};
    char headers[DESK_HEADERS];
    size_t used = 0;

    for (size_t i = 0; i < request->header_count; i++)
        used +=
            (size_t)snprintf(headers + used, sizeof(headers) - used, "%s\n", request->headers[i]);
    assert(used < sizeof(headers));
    message.headers_bytes = (uint32_t)used;
    put_all(&message, sizeof(message));
    put_all(request->method, message.method_bytes);
    put_all(request->url, message.url_bytes);
    put_all(headers, message.headers_bytes);
    if (request->body_bytes > 0)
        put_all(request->body, request->body_bytes);
}

static int send_request(void *self, const struct transport_request *request, transport_done done,
                        void *arg)
{
    struct transport_curl *wire = self;
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    assert(exchange != NULL);
    *exchange = (struct exchange){.wire = wire,
                                  .id = ++last_id,
                                  .began_ns = world->now_ns,
                                  .timeout_ms = request->timeout_ms,
                                  .done = done,
                                  .arg = arg,
                                  .next = wire->exchanges};
    wire->exchanges = exchange;
    exchange->timer = evtimer_new(wire->loop, on_timer, exchange);
    assert(exchange->timer != NULL);
    if (!is_calm() && dice_percent(&world->wire, plan.lies))
        exchange->lie = desk_throw_lie(request->url, plan.has_refusals, &world->wire);
    world_note("wire", "%u %s %s %.300s", exchange->id, request->method, request->url,
               request->body_bytes > 0 ? request->body : "");
    post(exchange, request);
    set_timer(exchange, dice_below(&world->wire, plan.way_ns + 1));
    return 0;
}

/* ---- in place of libcurl's ---- */

struct transport_curl *__wrap_transport_curl_create(struct event_base *loop, struct error *err);
struct transport_curl *__wrap_transport_curl_create(struct event_base *loop, struct error *err)
{
    struct transport_curl *wire = calloc(1, sizeof(*wire));

    (void)err;
    assert(wire != NULL);
    wire->loop = loop;
    wire->table = (struct transport){wire, send_request};
    return wire;
}

void __wrap_transport_curl_destroy(struct transport_curl *wire);
void __wrap_transport_curl_destroy(struct transport_curl *wire)
{
    if (wire == NULL)
        return;
    while (wire->exchanges != NULL)
        exchange_free(wire->exchanges);
    free(wire);
}

const struct transport *__wrap_transport_curl_table(const struct transport_curl *wire);
const struct transport *__wrap_transport_curl_table(const struct transport_curl *wire)
{
    return &wire->table;
}

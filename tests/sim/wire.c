/* wire.c - see wire.h. */
#include "sim/wire.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/desk.h"
#include "sim/fibers.h"
#include "sim/pair.h"
#include "sim/world.h"
#include "sinks/transport_curl.h"

struct transport_curl {
    struct event_base *loop;
    struct transport table;
    struct exchange *exchanges;
    struct transport_curl *next;
};

/* One request, from its sending to its answer. */
struct exchange {
    struct transport_curl *wire;
    struct event *timer;
    uint32_t id, lie;
    bool has_left, has_come;
    struct transport_request request; /* as long as it has not left */
    uint64_t began_ns;
    unsigned timeout_ms;
    transport_done done;
    void *arg;
    struct desk_reply reply;
    struct exchange *next;
};

static struct wire_plan plan;
static struct transport_curl *wires;
static uint32_t last_id;

void wire_begin(const struct wire_plan *given)
{
    plan = *given;
    last_id = world->machine * 1000000;
}

static void exchange_free(struct exchange *exchange)
{
    struct exchange **at = &exchange->wire->exchanges;

    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    event_free(exchange->timer);
    free(exchange->reply.body);
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
    uint64_t back_ns = dice_below(&world->wire, plan.way_ns + 1);

    exchange->has_come = true;
    if (pair_is_apart(APART_SINKS))
        exchange->lie = desk_loss();
    desk_act_on(exchange->id, exchange->lie, &exchange->reply);
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
    const char *body = is_answered && exchange->reply.body != NULL ? exchange->reply.body : "";
    const struct transport_answer given = {.result = exchange->reply.result,
                                           .status = is_answered ? exchange->reply.status : 0,
                                           .retry_after =
                                               is_answered ? exchange->reply.retry_after : "",
                                           .body = body,
                                           .body_bytes = strlen(body),
                                           .detail = is_answered ? "" : "the line is dead"};

    exchange->done(exchange->arg, &given);
    exchange_free(exchange);
}

/* An owner that cannot know that it is not one tells sinks that fold repeats (S2). What it says may
 * come behind what the unit's owner said. */
static void note_stray(const struct transport_request *request)
{
    static const char name[] = "\"dedup_key\":\"";
    struct world_folds *strays = &world->pair.strays;
    const char *key = request->body_bytes > 0 ? strstr(request->body, name) : NULL;

    if (key == NULL || !pair_has_other() || world->pair.owner == world->machine ||
        strays->count == WORLD_FOLDS_MAX)
        return;
    strays->op[strays->count++] = hash64(key + sizeof(name) - 1, 32, 0);
}

static void leave(struct exchange *exchange, const struct transport_request *request)
{
    exchange->has_left = true;
    if (!is_calm() && dice_percent(&world->wire, plan.lies))
        exchange->lie = desk_throw_lie(request->url, plan.has_refusals, &world->wire);
    world_note("wire", "%u %s %s %.300s", exchange->id, request->method, request->url,
               request->body_bytes > 0 ? request->body : "");
    desk_post(exchange->id, request);
    note_stray(request);
    if (++world->report.sent == world->plan.die_sent)
        world_die("as a request leaves");
    set_timer(exchange, dice_below(&world->wire, plan.way_ns + 1));
}

static void give_up(struct exchange *exchange, enum transport_result result)
{
    exchange->reply.result = result;
    answer(exchange);
}

/* Sinks that could be told twice are told by the owner of the unit alone (S2). */
static void check_owner(const struct transport_request *request)
{
    bool could_be_twice = strncmp(request->url, "https://hook.", 13) == 0 ||
                          strncmp(request->url, "https://snow.", 13) == 0;

    if (could_be_twice && world->pair.is_lasting && world->pair.owner != world->machine)
        world_end(LIFE_IS_ASTRAY, "S2: %s is told by machine %u, and the unit has another owner",
                  request->url, world->machine);
}

/* There is a connection: the last moment at which nothing has left. */
static void connected(struct exchange *exchange)
{
    const struct transport_request *request = &exchange->request;
    uint64_t thaws = world->pair.thaws;

    if (pair_is_apart(APART_SINKS)) {
        give_up(exchange, TRANSPORT_CONNECT);
        return;
    }
    if (!request->may_leave(request->may_leave_self)) {
        give_up(exchange, TRANSPORT_BEFORE_FIRST_BYTE);
        return;
    }
    if (thaws == world->pair.thaws)
        check_owner(request);
    if (world->plan.freeze_ns > 0 && world->report.sent + 1 == world->plan.freeze_sent)
        fibers_freeze();
    leave(exchange, request);
}

void wire_flush(void)
{
    for (struct transport_curl *wire = wires; wire != NULL; wire = wire->next)
        for (struct exchange *at = wire->exchanges; at != NULL; at = at->next)
            if (at->has_left && !at->has_come)
                arrive(at);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct exchange *exchange = arg;

    (void)fd, (void)what;
    if (exchange->has_come)
        answer(exchange);
    else if (exchange->has_left)
        arrive(exchange);
    else
        connected(exchange);
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
    if (pair_has_other() && request->may_leave != NULL) {
        exchange->request = *request;
        set_timer(exchange, dice_below(&world->wire, plan.way_ns + 1));
    } else {
        leave(exchange, request);
    }
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
    wire->next = wires;
    wires = wire;
    return wire;
}

void __wrap_transport_curl_destroy(struct transport_curl *wire);
void __wrap_transport_curl_destroy(struct transport_curl *wire)
{
    struct transport_curl **at = &wires;

    if (wire == NULL)
        return;
    while (*at != wire)
        at = &(*at)->next;
    *at = wire->next;
    while (wire->exchanges != NULL)
        exchange_free(wire->exchanges);
    free(wire);
}

const struct transport *__wrap_transport_curl_table(const struct transport_curl *wire);
const struct transport *__wrap_transport_curl_table(const struct transport_curl *wire)
{
    return &wire->table;
}

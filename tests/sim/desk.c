/* desk.c - see desk.h. */
#include "sim/desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "sim/redis_desk.h"
#include "sim/world.h"
#define DESK_OUTLIVES
#include "ticket_desk.h"

enum {
    WAY_MAX = 256,
    TOLD_MAX = 16384,
    HEADERS_MAX = 32,
    LETTER_BYTES = TRANSPORT_BODY_BYTES_MAX + 8192
};

/* On its way. */
struct letter {
    uint32_t id; /* 0: free */
    unsigned machine, timeout_ms;
    const char *method, *url, *body; /* in the text, as the headers */
    const char *header[HEADERS_MAX];
    size_t header_count;
    char text[LETTER_BYTES];
};

/* In memory that all lives share. */
static struct desk_room {
    typeof(desk) systems;
    struct letter letter[WAY_MAX];
    struct desk_told told[TOLD_MAX];
    size_t told_count;
} * room;

void desk_map(void)
{
    void *at = mmap(NULL, sizeof(*room), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED) {
        perror("tocsin_sim: no memory for a desk");
        exit(70);
    }
    room = at;
    desk_there = &room->systems;
    redis_desk_create();
}

/* Refusals for good are the last two: what they meet is given up, and waits for a person. */
uint32_t desk_throw_lie(const char *url, bool has_refusals, struct dice *dice)
{
    static const uint32_t lies[] = {LIE_LOST,        LIE_LOST_BEFORE, LIE_HTML,     LIE_HTML_DONE,
                                    LIE_429_SECONDS, LIE_429_DATE,    LIE_429_BARE, LIE_500,
                                    LIE_500_DONE,    LIE_SLOW_BODY,   LIE_BAD_CERT, LIE_REDIRECT,
                                    LIE_409};
    uint64_t count = sizeof(lies) / sizeof(lies[0]) - (has_refusals ? 0 : 2);
    uint32_t lie = lies[dice_below(dice, count)];

    /* A hook asks for a status alone, and is believed: it would mean what it says. */
    if (strncmp(url, "https://hook.", 13) == 0)
        lie = lie == LIE_HTML ? LIE_HTML_DONE : lie == LIE_500_DONE ? LIE_500 : lie;
    return lie;
}

uint32_t desk_loss(void)
{
    return LIE_LOST_BEFORE;
}

void desk_begin(uint64_t lag_ns)
{
    desk_reset();
    desk.lag_ns = lag_ns;
    room->told_count = 0;
    redis_desk_begin();
}

static void set_time(uint64_t now_ns)
{
    fixture_mono_ns = now_ns;
    fixture_wall_ms = WORLD_WALL_MS + (int64_t)(now_ns / MILLI_NS);
}

/* A system that folds nothing: what it was told is all that there is. */
static char *act_as_hook(const json_t *body, int *status)
{
    const json_t *op = json_object_get(body, "op");
    struct desk_told *to = &room->told[room->told_count];

    assert(room->told_count < TOLD_MAX);
    room->told_count++;
    snprintf(to->op, sizeof(to->op), "%s", desk_text(op, "id"));
    snprintf(to->incident, sizeof(to->incident), "%s",
             desk_text(json_object_get(body, "incident"), "id"));
    snprintf(to->kind, sizeof(to->kind), "%s", desk_text(op, "kind"));
    to->number = (unsigned)json_integer_value(json_object_get(op, "number"));
    to->may_repeat = json_is_true(json_object_get(op, "possible_repeat"));
    *status = 200;
    return strdup("ok");
}

static char *act(const struct letter *letter, int *status)
{
    const struct transport_request request = {.method = letter->method,
                                              .url = letter->url,
                                              .headers = letter->header,
                                              .header_count = letter->header_count,
                                              .body = letter->body,
                                              .body_bytes = strlen(letter->body)};
    json_t *body;
    char *answer;

    if (strncmp(letter->url, "https://hook.example/", 21) != 0)
        return desk_act(&request, status);
    body = json_loads(letter->body, 0, NULL);
    assert(body != NULL);
    answer = act_as_hook(body, status);
    json_decref(body);
    return answer;
}

static const char *put_text(struct letter *letter, size_t *used, const char *text, size_t bytes)
{
    char *to = letter->text + *used;

    assert(*used + bytes + 1 <= sizeof(letter->text));
    if (bytes > 0)
        memcpy(to, text, bytes);
    to[bytes] = '\0';
    *used += bytes + 1;
    return to;
}

void desk_post(uint32_t id, const struct transport_request *request)
{
    struct letter *letter = room->letter;
    size_t used = 0;

    while (letter < room->letter + WAY_MAX && letter->id != 0)
        letter++;
    assert(letter < room->letter + WAY_MAX && request->header_count <= HEADERS_MAX);
    letter->id = id;
    letter->machine = world->machine;
    letter->timeout_ms = request->timeout_ms;
    letter->method = put_text(letter, &used, request->method, strlen(request->method));
    letter->url = put_text(letter, &used, request->url, strlen(request->url));
    letter->body = put_text(letter, &used, request->body, request->body_bytes);
    letter->header_count = request->header_count;
    for (size_t i = 0; i < request->header_count; i++)
        letter->header[i] =
            put_text(letter, &used, request->headers[i], strlen(request->headers[i]));
}

void desk_act_on(uint32_t id, uint32_t lie, struct desk_reply *reply)
{
    struct desk_answer answer = {.result = TRANSPORT_ANSWERED};
    struct letter *letter = room->letter;

    while (letter < room->letter + WAY_MAX && letter->id != id)
        letter++;
    assert(letter < room->letter + WAY_MAX);
    set_time(world->now_ns);
    if (desk_is_done((enum lie)lie))
        answer.body = act(letter, &answer.status);
    desk_lie(&answer, (enum lie)lie, letter->timeout_ms);
    *reply = (struct desk_reply){.result = answer.result,
                                 .status = answer.status,
                                 .body = answer.body,
                                 .is_late = answer.due_ns > fixture_mono_ns};
    snprintf(reply->retry_after, sizeof(reply->retry_after), "%s", answer.retry_after);
    letter->id = 0;
}

void desk_deliver(struct dice *dice)
{
    for (struct letter *letter = room->letter; letter < room->letter + WAY_MAX; letter++) {
        int status = 0;
        if (letter->id == 0 || letter->machine != world->machine)
            continue;
        set_time(world->now_ns);
        if (dice_percent(dice, 50))
            free(act(letter, &status));
        letter->id = 0;
    }
}

struct desk_found desk_find_tickets(const char *host, const char *incident)
{
    struct desk_found found = {0};

    for (size_t i = 0; i < desk.ticket_count; i++) {
        const struct desk_ticket *ticket = &desk.ticket[i];
        if (strcmp(ticket->host, host) != 0 || strncmp(ticket->key, incident, 32) != 0)
            continue;
        found.made++;
        found.open += ticket->is_open;
        found.linked += ticket->link[0] != '\0';
        found.unseen += ticket->is_open && !ticket->was_shown;
    }
    return found;
}

bool desk_ticket(size_t i, const char **host, const char **incident)
{
    if (i >= desk.ticket_count)
        return false;
    *host = desk.ticket[i].host;
    *incident = desk.ticket[i].key;
    return true;
}

unsigned desk_tickets(const char *host)
{
    unsigned count = 0;

    for (size_t i = 0; i < desk.ticket_count; i++)
        count += strcmp(desk.ticket[i].host, host) == 0;
    return count;
}

const struct desk_told *desk_told(size_t *count)
{
    *count = room->told_count;
    return room->told;
}

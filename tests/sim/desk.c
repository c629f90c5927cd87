/* desk.c - see desk.h. */
#include "sim/desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/world.h"
#include "ticket_desk.h"

enum { WAY_MAX = 256, TOLD_MAX = 16384 };

/* On its way. */
struct letter {
    uint32_t id; /* 0: free */
    uint32_t timeout_ms;
    char *method, *url, *headers, *body; /* the first one's allocation */
};

static struct letter letters[WAY_MAX];
static struct desk_told told[TOLD_MAX];
static size_t told_count;

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

void desk_begin(uint64_t lag_ns)
{
    desk_reset();
    desk.lag_ns = lag_ns;
    told_count = 0;
}

static bool read_all(int fd, void *to, size_t bytes)
{
    char *at = to;

    while (bytes > 0) {
        ssize_t got = read(fd, at, bytes);
        if (got <= 0)
            return false;
        at += got;
        bytes -= (size_t)got;
    }
    return true;
}

static void write_all(int fd, const void *from, size_t bytes)
{
    const char *at = from;

    while (bytes > 0) {
        ssize_t put = write(fd, at, bytes);
        if (put <= 0)
            return; /* nobody is there any more */
        at += put;
        bytes -= (size_t)put;
    }
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
    struct desk_told *to = &told[told_count];

    assert(told_count < TOLD_MAX);
    told_count++;
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
    const char *headers[32];
    size_t count = 0;
    char *copy = strdup(letter->headers), *rest = copy, *answer;
    struct transport_request request = {.method = letter->method,
                                        .url = letter->url,
                                        .headers = headers,
                                        .body = letter->body,
                                        .body_bytes = strlen(letter->body)};

    for (char *line; count < 32 && (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0')
            headers[count++] = line;
    request.header_count = count;
    if (strncmp(letter->url, "https://hook.example/", 21) == 0) {
        json_t *body = json_loads(letter->body, 0, NULL);
        assert(body != NULL);
        answer = act_as_hook(body, status);
        json_decref(body);
    } else {
        answer = desk_act(&request, status);
    }
    free(copy);
    return answer;
}

static void take_letter(int fd, const struct desk_message *message)
{
    size_t bytes[4] = {message->method_bytes, message->url_bytes, message->headers_bytes,
                       message->body_bytes};
    struct letter *letter = letters;
    char *text = malloc(bytes[0] + bytes[1] + bytes[2] + bytes[3] + 4);
    char **part[4];

    while (letter < letters + WAY_MAX && letter->id != 0)
        letter++;
    assert(letter < letters + WAY_MAX && text != NULL);
    *letter = (struct letter){.id = message->id, .timeout_ms = message->timeout_ms};
    part[0] = &letter->method, part[1] = &letter->url;
    part[2] = &letter->headers, part[3] = &letter->body;
    for (int i = 0; i < 4; i++) {
        *part[i] = text;
        if (!read_all(fd, text, bytes[i]))
            text[0] = '\0';
        text[bytes[i]] = '\0';
        text += bytes[i] + 1;
    }
}

static void letter_drop(struct letter *letter)
{
    free(letter->method);
    *letter = (struct letter){0};
}

static void answer_letter(int fd, const struct desk_message *message)
{
    struct desk_answer answer = {.result = TRANSPORT_ANSWERED};
    struct desk_reply reply = {0};
    struct letter *letter = letters;

    while (letter < letters + WAY_MAX && letter->id != message->id)
        letter++;
    assert(letter < letters + WAY_MAX);
    set_time(message->now_ns);
    if (desk_is_done((enum lie)message->lie))
        answer.body = act(letter, &answer.status);
    desk_lie(&answer, (enum lie)message->lie, letter->timeout_ms);
    reply.result = (int32_t)answer.result;
    reply.status = answer.status;
    reply.is_late = answer.due_ns > fixture_mono_ns;
    reply.body_bytes = answer.body != NULL ? (uint32_t)strlen(answer.body) : 0;
    snprintf(reply.retry_after, sizeof(reply.retry_after), "%s", answer.retry_after);
    write_all(fd, &reply, sizeof(reply));
    if (reply.body_bytes > 0)
        write_all(fd, answer.body, reply.body_bytes);
    free(answer.body);
    letter_drop(letter);
}

void desk_serve(int fd, struct dice *dice)
{
    struct desk_message message;

    while (read_all(fd, &message, sizeof(message))) {
        if (message.kind == DESK_POST)
            take_letter(fd, &message);
        else
            answer_letter(fd, &message);
    }
    for (struct letter *letter = letters; letter < letters + WAY_MAX; letter++) {
        int status = 0;
        if (letter->id == 0)
            continue;
        set_time(world->now_ns);
        if (dice_percent(dice, 50))
            free(act(letter, &status));
        letter_drop(letter);
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
    *count = told_count;
    return told;
}

/*
 * cmd_receive.c - `tocsin receive`: a pager to look at, on this machine.
 *
 * Speaks what PagerDuty's Events API v2 and tocsin's signed webhook speak, shows
 * each page as it arrives, and remembers which it has seen: a page that comes
 * twice is answered as a real service would answer it, and counted as a repeat.
 * One thread, libevent's HTTP server.
 */
#include "daemon/commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/host.h"
#include "base/plural.h"
#include "base/text.h"
#include "daemon/options.h"
#include "daemon/page.h"
#include "daemon/plain.h"
#include "daemon/units.h"

enum {
    BODY_BYTES_MAX = 1 << 20,
    HEADERS_BYTES_MAX = 16 << 10,
    SEEN_SLOTS = 1 << 17, /* of remembered pages and incidents; emptied at half of it */
    SIGNATURE_AGE_S_MAX = 300,
    SIGNATURE_CHARS = 64,
    INDENT = 25, /* of titles: behind time, priority and kind */
    WHY_INDENT = 12,
    CHANNEL_COLUMNS = 9,
    NOTE_BYTES = 48,
};

enum { SHOW_ALL, SHOW_PAGER, SHOW_WEBHOOK, SHOW_NONE };
enum { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct receive {
    int64_t port;
    const char *secret;
    const char *out;
    const char *fail;
    int64_t seed;
    int64_t show;
    int64_t colour;
    int64_t width;
};

#define FIELD(name) offsetof(struct receive, name)

static const struct option_row rows[] = {
    {"--port", OPTION_COUNT, FIELD(port), "P", "8081",
     "Port on 127.0.0.1; 0 takes a free one and says which.", .min = 0, .max = 65535},
    {"--secret", OPTION_TEXT, FIELD(secret), "TEXT", "",
     "Key of the webhook's signature; empty: signatures are not looked at.", .min = 0},
    {"--out", OPTION_TEXT, FIELD(out), "FILE", NULL,
     "Writes each page that is not a repeat as a JSON line.", .min = 0},
    {"--fail", OPTION_TEXT, FIELD(fail), "SHARE", "0",
     "Answers this share of requests with an error: half of them unread, half after the page was "
     "taken.",
     .min = 0},
    {"--seed", OPTION_COUNT, FIELD(seed), "N", "1", "Decides which requests fail.", .min = 0},
    {"--show", OPTION_CHOICE, FIELD(show), "WHAT", "all",
     "Pages that are printed: all, those for the pager, those for the webhook, or none.",
     .choices = "all pager webhook none"},
    {"--colour", OPTION_CHOICE, FIELD(colour), "WHEN", "auto",
     "Colours: auto is only where a person looks.", .choices = "auto always never"},
    {"--width", OPTION_COUNT, FIELD(width), "N", "110", "Longer lines are cut.", .min = 40,
     .max = 1000},
};

static const struct option_table table = {
    .command = "receive",
    .usage = "[options]",
    .about =
        "Receives pages on this machine and shows them as they arrive: PagerDuty Events v2 at\n"
        "/v2/enqueue, the signed webhook at /webhook.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 64 69 71 74",
};

/* A page or an incident that was seen; slot free where the id is zero. */
struct seen {
    struct id128 id;
    int64_t opened_ms;
    char priority[4];
    char title[200];
};

struct receiver {
    struct receive options;
    double fail_share;
    bool has_colour;
    struct event_base *base;
    struct evhttp *http;
    struct event *on_int, *on_term;
    int out_fd; /* -1: no file */
    int out_error;
    uint64_t draws; /* state of the failure draws */
    struct seen *seen;
    size_t seen_count;
    uint64_t requests, refused, failed;
    struct {
        uint64_t pages, repeats, opened, updated, acked, resolved;
    } of[PAGE_CHANNEL_COUNT];
    uint64_t signatures_right, signatures_wrong;
};

/* Finds the id, or adds it; *is_new says which. Bounded: a full table forgets all
 * it saw, so that an old repeat would count as new, which is the milder lie. */
static struct seen *seen_find(struct receiver *receiver, struct id128 id, bool *is_new)
{
    if (receiver->seen_count >= SEEN_SLOTS / 2) {
        memset(receiver->seen, 0, SEEN_SLOTS * sizeof(*receiver->seen));
        receiver->seen_count = 0;
    }
    id.lo |= 1; /* never the id of a free slot */
    for (size_t at = id.hi & (SEEN_SLOTS - 1);; at = (at + 1) & (SEEN_SLOTS - 1)) {
        struct seen *slot = &receiver->seen[at];
        *is_new = slot->id.lo == 0;
        if (*is_new) {
            slot->id = id;
            receiver->seen_count++;
        }
        if (id128_equal(slot->id, id))
            return slot;
    }
}

static struct id128 name_of(enum page_channel channel, const char *what, const char *id,
                            int64_t number)
{
    char text[256];
    int bytes =
        snprintf(text, sizeof(text), "%d/%s/%.120s/%" PRId64, (int)channel, what, id, number);

    return hash128(text, (size_t)bytes, 0);
}

/* splitmix64, as in estate_parts.h: failures follow from the seed too. */
static double draw(struct receiver *receiver)
{
    return (double)(hash_mix(receiver->draws += 0x9e3779b97f4a7c15u) >> 11) / 9007199254740992.0;
}

static const char *colour(const struct receiver *receiver, const char *code)
{
    return receiver->has_colour ? code : "";
}

static void show_time(const struct receiver *receiver, int64_t ms)
{
    char text[UNIT_TEXT_BYTES];

    unit_format_time(ms, text);
    printf("%s%.10s%s  ", colour(receiver, "\033[2m"), strlen(text) > 20 ? text + 11 : text,
           colour(receiver, "\033[0m"));
}

/* Prints at most `columns` characters of received text. */
static void show_text(const char *text, int columns)
{
    struct text rest = text_of(text);
    bool is_plain;

    for (int column = 0; rest.len > 0; column++) {
        uint32_t bytes = plain_character(rest, &is_plain);
        if (column >= columns - 1 && rest.len > bytes) {
            fputs("…", stdout);
            return;
        }
        plain_print_text((struct text){rest.at, bytes}, stdout);
        rest = (struct text){rest.at + bytes, rest.len - bytes};
    }
}

static const char *priority_colour(const char *priority)
{
    switch (priority[0] != '\0' ? priority[1] : '\0') {
    case '1':
        return "\033[1;31m";
    case '2':
        return "\033[1;33m";
    case '3':
        return "\033[36m";
    default:
        return "\033[37m";
    }
}

/* What a line says behind the title: what is new, or how long it took. */
static void page_note(const struct page *page, const struct seen *incident, char to[NOTE_BYTES])
{
    to[0] = '\0';
    if (page->kind == PAGE_RESOLVE && incident->opened_ms > 0)
        snprintf(to, NOTE_BYTES, "  after %.1f s",
                 (double)(page->received_ms - incident->opened_ms) / 1000);
    else if (page->kind == PAGE_UPDATE && strcmp(page->cause, "severity") == 0)
        snprintf(to, NOTE_BYTES, "  now %s", page->severity);
    else if (page->kind == PAGE_UPDATE && strcmp(page->cause, "grew") == 0)
        snprintf(to, NOTE_BYTES, "  now %" PRId64 " alert%s", page->alerts,
                 plural((uint64_t)page->alerts));
    else if (page->kind == PAGE_UPDATE || (page->kind == PAGE_OPEN && page->change > 1))
        snprintf(to, NOTE_BYTES, "  %s", page->cause);
}

static void show_page(const struct receiver *receiver, const struct page *page,
                      const struct seen *incident)
{
    static const char *const words[] = {[PAGE_OPEN] = "OPEN",
                                        [PAGE_UPDATE] = "UPDATE",
                                        [PAGE_ACK] = "ACKED",
                                        [PAGE_RESOLVE] = "RESOLVED"};
    const char *accent =
        page->kind == PAGE_RESOLVE ? "\033[32m" : priority_colour(incident->priority);
    const char *title = incident->title[0] != '\0' ? incident->title : "not seen opening";
    /* Where those for both are shown, two sinks tell the same in the same words. */
    const int before = receiver->options.show == SHOW_ALL ? CHANNEL_COLUMNS : 0;
    const int width = (int)receiver->options.width - before;
    char note[NOTE_BYTES];

    page_note(page, incident, note);
    show_time(receiver, page->received_ms);
    printf("%-*s", before, before > 0 ? page_channel_name(page->channel) : "");
    printf("%s%-2.3s %-8s%s  %s", colour(receiver, accent), incident->priority, words[page->kind],
           colour(receiver, "\033[0m"), colour(receiver, page->kind == PAGE_OPEN ? "\033[1m" : ""));
    show_text(title, width - INDENT - (int)strlen(note));
    printf("%s%s", colour(receiver, "\033[0m"), colour(receiver, "\033[2m"));
    plain_print(note, stdout);
    printf("%s\n", colour(receiver, "\033[0m"));
    if (page->kind == PAGE_OPEN && page->why[0] != '\0') {
        printf("%*s%swhy: ", WHY_INDENT + before, "", colour(receiver, "\033[2m"));
        show_text(page->why, width - WHY_INDENT - 5);
        printf("%s\n", colour(receiver, "\033[0m"));
    }
    fflush(stdout);
}

static bool is_shown(const struct receiver *receiver, enum page_channel channel)
{
    switch (receiver->options.show) {
    case SHOW_ALL:
        return true;
    case SHOW_PAGER:
        return channel == PAGE_BY_PAGER;
    case SHOW_WEBHOOK:
        return channel == PAGE_BY_WEBHOOK;
    default:
        return false;
    }
}

static void keep_page(struct receiver *receiver, const struct page *page)
{
    char *line;

    if (receiver->out_fd < 0)
        return;
    line = page_to_line(page);
    int rc = line != NULL ? host_write_all(receiver->out_fd, line, strlen(line)) : -ENOMEM;
    if (rc != 0 && receiver->out_error == 0)
        receiver->out_error = rc;
    free(line);
}

/* Counts, shows and keeps a page. */
static void take_page(struct receiver *receiver, struct page *page)
{
    bool is_new, is_new_incident;
    struct seen *incident;

    seen_find(receiver, name_of(page->channel, page_kind_name(page->kind), page->id, page->change),
              &is_new);
    receiver->of[page->channel].pages++;
    if (!is_new) {
        receiver->of[page->channel].repeats++;
        return;
    }
    incident =
        seen_find(receiver, name_of(page->channel, "incident", page->id, 0), &is_new_incident);
    /* As PagerDuty has it: the first trigger opens, whatever change of the incident it tells of
     * (one that was muted till then, or that becomes serious enough for the sink). */
    if (page->channel == PAGE_BY_PAGER && page->kind == PAGE_UPDATE && incident->opened_ms == 0)
        page->kind = PAGE_OPEN;
    if (page->title[0] != '\0') {
        snprintf(incident->title, sizeof(incident->title), "%s", page->title);
        snprintf(incident->priority, sizeof(incident->priority), "%.3s", page->priority);
    }
    if (page->kind == PAGE_OPEN)
        incident->opened_ms = page->received_ms;
    receiver->of[page->channel].opened += page->kind == PAGE_OPEN;
    receiver->of[page->channel].updated += page->kind == PAGE_UPDATE;
    receiver->of[page->channel].acked += page->kind == PAGE_ACK;
    receiver->of[page->channel].resolved += page->kind == PAGE_RESOLVE;
    keep_page(receiver, page);
    if (is_shown(receiver, page->channel))
        show_page(receiver, page, incident);
}

static void answer(struct evhttp_request *request, int code, const char *body)
{
    struct evbuffer *buffer = evbuffer_new();

    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "application/json");
    if (buffer != NULL)
        evbuffer_add(buffer, body, strlen(body));
    evhttp_send_reply(request, code, code < 300 ? "Accepted" : "Error", buffer);
    if (buffer != NULL)
        evbuffer_free(buffer);
}

/* The body of a POST as one string that the caller frees; NULL with an answer sent. */
static char *read_body(struct evhttp_request *request, size_t *bytes)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    char *body;

    if (evhttp_request_get_command(request) != EVHTTP_REQ_POST) {
        answer(request, 405, "{\"status\":\"only POST is taken here\"}");
        return NULL;
    }
    *bytes = evbuffer_get_length(input);
    body = malloc(*bytes + 1);
    if (body == NULL) {
        answer(request, 500, "{\"status\":\"out of memory\"}");
        return NULL;
    }
    evbuffer_remove(input, body, *bytes);
    body[*bytes] = '\0';
    return body;
}

/* True: this request is to fail before it is read; an answer was sent. */
static bool fails_unread(struct receiver *receiver, struct evhttp_request *request,
                         bool *fails_later)
{
    double at = draw(receiver);

    receiver->requests++;
    *fails_later = at < receiver->fail_share / 2;
    receiver->failed += at < receiver->fail_share;
    if (at >= receiver->fail_share || *fails_later)
        return false;
    answer(request, 503, "{\"status\":\"busy\"}");
    return true;
}

/* PagerDuty's own answers: 202 with the key, or 400 with what is wrong. */
static void answer_pagerduty(struct evhttp_request *request, const struct page *page,
                             const char *mistake)
{
    json_t *root = mistake == NULL
                       ? json_pack("{s:s, s:s, s:s}", "status", "success", "message",
                                   "Event processed", "dedup_key", page->id)
                       : json_pack("{s:s, s:s, s:[s]}", "status", "invalid event", "message",
                                   "Event object is invalid", "errors", mistake);
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;

    answer(request, text == NULL ? 500 : mistake == NULL ? 202 : 400, text != NULL ? text : "");
    free(text);
    json_decref(root);
}

static void on_enqueue(struct evhttp_request *request, void *self)
{
    struct receiver *receiver = self;
    struct page page;
    struct error err = {""};
    bool fails_later;
    size_t bytes;
    char *body;

    if (fails_unread(receiver, request, &fails_later))
        return;
    body = read_body(request, &bytes);
    if (body == NULL)
        return;
    if (page_from_pagerduty(&page, body, bytes, &err) != 0) {
        receiver->refused++;
        answer_pagerduty(request, NULL, err.text);
    } else {
        page.received_ms = host_wall_ms();
        take_page(receiver, &page);
        if (fails_later)
            answer(request, 500, "{\"status\":\"taken, but the answer got lost\"}");
        else
            answer_pagerduty(request, &page, NULL);
    }
    free(body);
}

/* Checks "<seconds>:<body>" against the signature header, in constant time, and
 * the age of the seconds. */
static bool signature_is_right(const struct receiver *receiver, struct evhttp_request *request,
                               const char *body, size_t bytes)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const char *stamp = evhttp_find_header(headers, "Tocsin-Timestamp");
    const char *signature = evhttp_find_header(headers, "Tocsin-Signature");
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[SIGNATURE_CHARS + 1];
    unsigned digest_bytes = 0;
    int64_t seconds, age_s;
    size_t stamp_bytes;
    struct error err;
    char *input;

    if (stamp == NULL || signature == NULL || strlen(signature) != SIGNATURE_CHARS ||
        unit_parse_count(stamp, &seconds, &err) != 0)
        return false;
    age_s = host_wall_ms() / 1000 - seconds;
    if (age_s > SIGNATURE_AGE_S_MAX || age_s < -SIGNATURE_AGE_S_MAX)
        return false;
    stamp_bytes = strlen(stamp);
    input = malloc(stamp_bytes + 1 + bytes);
    if (input == NULL)
        return false;
    memcpy(input, stamp, stamp_bytes);
    input[stamp_bytes] = ':';
    memcpy(input + stamp_bytes + 1, body, bytes);
    HMAC(EVP_sha256(), receiver->options.secret, (int)strlen(receiver->options.secret),
         (const unsigned char *)input, stamp_bytes + 1 + bytes, digest, &digest_bytes);
    free(input);
    for (unsigned i = 0; i < digest_bytes && i < SIGNATURE_CHARS / 2; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    return digest_bytes == SIGNATURE_CHARS / 2 &&
           CRYPTO_memcmp(hex, signature, SIGNATURE_CHARS) == 0;
}

static void on_webhook(struct evhttp_request *request, void *self)
{
    struct receiver *receiver = self;
    struct page page;
    struct error err = {""};
    bool fails_later;
    size_t bytes;
    char *body;

    if (fails_unread(receiver, request, &fails_later))
        return;
    body = read_body(request, &bytes);
    if (body == NULL)
        return;
    if (receiver->options.secret[0] != '\0') {
        bool is_right = signature_is_right(receiver, request, body, bytes);
        receiver->signatures_right += is_right;
        receiver->signatures_wrong += !is_right;
        if (!is_right) {
            answer(request, 401, "{\"status\":\"the signature is wrong or missing\"}");
            goto out;
        }
    }
    if (page_from_webhook(&page, body, bytes, &err) != 0) {
        receiver->refused++;
        answer(request, 400, "{\"status\":\"not a document that is known here\"}");
        goto out;
    }
    page.received_ms = host_wall_ms();
    take_page(receiver, &page);
    if (fails_later)
        answer(request, 500, "{\"status\":\"taken, but the answer got lost\"}");
    else
        answer(request, 202, "{\"status\":\"taken\"}");
out:
    free(body);
}

static void on_other(struct evhttp_request *request, void *self)
{
    struct receiver *receiver = self;

    receiver->refused++;
    answer(request, 404, "{\"status\":\"pages go to /v2/enqueue or /webhook\"}");
}

static void on_signal(evutil_socket_t number, short what, void *self)
{
    struct receiver *receiver = self;

    (void)number;
    (void)what;
    event_base_loopbreak(receiver->base);
}

static void print_counts(const struct receiver *receiver)
{
    for (int i = 0; i < PAGE_CHANNEL_COUNT; i++)
        if (receiver->of[i].pages > 0)
            printf("%-7s  %" PRIu64 " page%s: %" PRIu64 " opened, %" PRIu64 " updated, %" PRIu64
                   " acknowledged, %" PRIu64 " resolved, %" PRIu64 " repeat%s\n",
                   page_channel_name((enum page_channel)i), receiver->of[i].pages,
                   plural(receiver->of[i].pages), receiver->of[i].opened, receiver->of[i].updated,
                   receiver->of[i].acked, receiver->of[i].resolved, receiver->of[i].repeats,
                   plural(receiver->of[i].repeats));
    if (receiver->options.secret[0] != '\0')
        printf("webhook signatures: %" PRIu64 " right, %" PRIu64 " wrong\n",
               receiver->signatures_right, receiver->signatures_wrong);
    if (receiver->refused > 0 || receiver->failed > 0)
        printf("refused as wrong: %" PRIu64 "; answered with an error on purpose: %" PRIu64 "\n",
               receiver->refused, receiver->failed);
    fflush(stdout);
}

/* Binds, and prints where: the first line that a starter waits for. */
static int listen_on(struct receiver *receiver, struct error *err)
{
    struct evhttp_bound_socket *bound;
    struct sockaddr_in address = {0};
    socklen_t bytes = sizeof(address);

    bound = evhttp_bind_socket_with_handle(receiver->http, "127.0.0.1",
                                           (uint16_t)receiver->options.port);
    if (bound == NULL ||
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &bytes) != 0) {
        error_set(err, "port %" PRId64 " on 127.0.0.1 cannot be taken: %s", receiver->options.port,
                  strerror(errno));
        return -EADDRINUSE;
    }
    printf("receiving pages on http://127.0.0.1:%u (times are UTC)\n",
           (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    return 0;
}

static int receiver_prepare(struct receiver *receiver, int *code, struct error *err)
{
    *code = EXIT_SYSTEM;
    error_set(err, "out of memory");
    receiver->seen = calloc(SEEN_SLOTS, sizeof(*receiver->seen));
    receiver->base = event_base_new();
    receiver->http = receiver->base != NULL ? evhttp_new(receiver->base) : NULL;
    if (receiver->seen == NULL || receiver->http == NULL)
        return -ENOMEM;
    receiver->on_int = evsignal_new(receiver->base, SIGINT, on_signal, receiver);
    receiver->on_term = evsignal_new(receiver->base, SIGTERM, on_signal, receiver);
    if (receiver->on_int == NULL || receiver->on_term == NULL)
        return -ENOMEM;
    event_add(receiver->on_int, NULL);
    event_add(receiver->on_term, NULL);
    evhttp_set_max_body_size(receiver->http, BODY_BYTES_MAX);
    evhttp_set_max_headers_size(receiver->http, HEADERS_BYTES_MAX);
    evhttp_set_allowed_methods(receiver->http, EVHTTP_REQ_POST | EVHTTP_REQ_GET);
    evhttp_set_cb(receiver->http, "/v2/enqueue", on_enqueue, receiver);
    evhttp_set_cb(receiver->http, "/webhook", on_webhook, receiver);
    evhttp_set_gencb(receiver->http, on_other, receiver);
    if (receiver->options.out != NULL) {
        *code = EXIT_IO;
        receiver->out_fd =
            host()->open(host()->self, receiver->options.out, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (receiver->out_fd < 0) {
            error_set(err, "%s: %s", receiver->options.out, strerror(-receiver->out_fd));
            return receiver->out_fd;
        }
    }
    *code = EXIT_UNAVAILABLE;
    return listen_on(receiver, err);
}

static void receiver_release(struct receiver *receiver)
{
    if (receiver->on_int != NULL)
        event_free(receiver->on_int);
    if (receiver->on_term != NULL)
        event_free(receiver->on_term);
    if (receiver->http != NULL)
        evhttp_free(receiver->http);
    if (receiver->base != NULL)
        event_base_free(receiver->base);
    if (receiver->out_fd >= 0)
        host()->close(host()->self, receiver->out_fd);
    free(receiver->seen);
}

int cmd_receive(int argc, char **argv)
{
    struct receiver receiver = {.out_fd = -1};
    struct error err = {""};
    int code = EXIT_OK;

    if (!options_read(&table, argc, argv, &receiver.options, &code))
        return code;
    if (unit_parse_share(receiver.options.fail, &receiver.fail_share, &err) != 0) {
        fprintf(stderr, "tocsin receive: --fail: %s\n", err.text);
        return EXIT_USAGE;
    }
    receiver.draws = (uint64_t)receiver.options.seed;
    receiver.has_colour = receiver.options.colour == COLOUR_ALWAYS ||
                          (receiver.options.colour == COLOUR_AUTO && isatty(STDOUT_FILENO));
    signal(SIGPIPE, SIG_IGN);
    if (receiver_prepare(&receiver, &code, &err) == 0) {
        event_base_dispatch(receiver.base);
        print_counts(&receiver);
        code = EXIT_OK;
        if (receiver.out_error != 0) {
            error_set(&err, "%s: %s", receiver.options.out, strerror(-receiver.out_error));
            code = EXIT_IO;
        }
    }
    if (code != EXIT_OK)
        fprintf(stderr, "tocsin receive: %s\n", err.text);
    receiver_release(&receiver);
    return code;
}

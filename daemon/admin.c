/*
 * admin.c - see admin.h.
 *
 * libevent 2.1 cannot bound the connections of its HTTP server, and tells nobody
 * when one ends. A reference to each connection's bufferevent is held instead: freeing
 * takes its callbacks away, which a sweep sees, and only then the descriptor is
 * closed. At the bound the listener rests. (A filter with a free callback would be
 * told at once, but the server does not drive filters over sockets.)
 */
#include "daemon/admin.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/host.h"
#include "base/nearest.h"
#include "base/text.h"
#include "daemon/admin_request.h"
#include "daemon/units.h"

enum {
    HEADER_BYTES_MAX = 8 << 10,
    INCIDENT_BYTES = 128, /* of a path; a longer one is cut, and is none */
    SILENCE_S_MAX = 10,
    SWEEP_US = 20000 /* how long an ended connection counts at most */
};

struct admin {
    struct admin_config config; /* `listen` is not kept */
    struct event_base *base;
    struct evhttp *http;
    struct evconnlistener *listener; /* owned by http */
    struct event *stop;              /* readable waker: the thread ends */
    struct event *sweep;             /* runs while there are connections */
    int waker;
    struct event *owed; /* readable answer_waker: answers have been given */
    int answer_waker;
    pthread_mutex_t lock;
    struct admin_reply *given, **given_last; /* under the lock */
    pthread_t thread;
    bool is_running;
    struct bufferevent **connection; /* open now, references; admin thread */
    unsigned connection_count;
    uint16_t port;
};

/* ---- connections ---- */

static void sweep_connections(evutil_socket_t fd, short what, void *self)
{
    struct admin *admin = self;
    unsigned kept = 0;

    (void)fd;
    (void)what;
    for (unsigned i = 0; i < admin->connection_count; i++) {
        bufferevent_event_cb on_event = NULL;
        bufferevent_getcb(admin->connection[i], NULL, NULL, &on_event, NULL);
        if (on_event != NULL)
            admin->connection[kept++] = admin->connection[i];
        else
            bufferevent_decref(admin->connection[i]);
    }
    if (kept < admin->config.connections_max)
        evconnlistener_enable(admin->listener);
    if (kept == 0)
        event_del(admin->sweep);
    admin->connection_count = kept;
}

static struct bufferevent *connection_made(struct event_base *base, void *self)
{
    struct admin *admin = self;
    struct bufferevent *connection = NULL;
    const struct timeval pause = {.tv_usec = SWEEP_US};

    /* A listener that was disabled while it accepts stops at once, so there is room. */
    if (admin->connection_count < admin->config.connections_max)
        connection = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection == NULL)
        return NULL;
    bufferevent_incref(connection);
    admin->connection[admin->connection_count++] = connection;
    if (admin->connection_count == 1)
        event_add(admin->sweep, &pause);
    if (admin->connection_count == admin->config.connections_max)
        evconnlistener_disable(admin->listener);
    return connection;
}

/* ---- answers ---- */

/* Takes `text`. */
static void answer(struct evhttp_request *request, int code, const char *type, char *text,
                   size_t bytes)
{
    struct evbuffer *body = evbuffer_new();
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    if (body != NULL && text != NULL)
        evbuffer_add(body, text, bytes);
    evhttp_send_reply(request, text != NULL ? code : HTTP_INTERNAL, NULL, body);
    if (body != NULL)
        evbuffer_free(body);
    free(text);
}

static const char plain_text[] = "text/plain; charset=utf-8";

/* One sentence. */
static void answer_state(struct evhttp_request *request, int code, const char *sentence)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (to != NULL) {
        fprintf(to, "%s\n", sentence);
        fclose(to);
    }
    answer(request, code, plain_text, text, bytes);
}

/* The code that says what is wrong with a request. */
int admin_code(int rc)
{
    switch (rc) {
    case -EINVAL:
        return HTTP_BADREQUEST;
    case -EACCES:
        return 401;
    case -EPERM:
        return 403;
    case -ENOENT:
        return HTTP_NOTFOUND;
    case -EEXIST:
        return 409;
    case -EMSGSIZE:
        return 413;
    case -ENOSYS:
        return HTTP_NOTIMPLEMENTED;
    default:
        return HTTP_SERVUNAVAIL;
    }
}

static void answer_error(struct evhttp_request *request, int rc, const struct error *err)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

    if (rc == -EACCES)
        evhttp_add_header(headers, "WWW-Authenticate", "Bearer");
    answer_state(request, admin_code(rc), err->text);
}

/* ---- answers that are owed ---- */

struct admin_reply {
    struct admin *admin;
    struct evhttp_request *request;
    int code;
    const char *type;
    char *text;
    size_t bytes;
    struct admin_reply *next;
};

void admin_answer(struct admin_reply *reply, int code, const char *type, char *text, size_t bytes)
{
    struct admin *admin = reply->admin;

    reply->code = code;
    reply->type = type;
    reply->text = text;
    reply->bytes = bytes;
    reply->next = NULL;
    pthread_mutex_lock(&admin->lock);
    *admin->given_last = reply;
    admin->given_last = &reply->next;
    pthread_mutex_unlock(&admin->lock);
    host()->waker_wake(host()->self, admin->answer_waker);
}

void admin_answer_sentence(struct admin_reply *reply, int code, const char *sentence)
{
    size_t bytes = strlen(sentence) + 1;
    char *text = malloc(bytes + 1);

    if (text != NULL)
        snprintf(text, bytes + 1, "%s\n", sentence);
    admin_answer(reply, code, plain_text, text, bytes);
}

/* Sends what has been given. A request whose sender is gone goes by that. Thread: admin's, or the
 * last one. */
static void send_given(struct admin *admin)
{
    struct admin_reply *reply;

    pthread_mutex_lock(&admin->lock);
    reply = admin->given;
    admin->given = NULL;
    admin->given_last = &admin->given;
    pthread_mutex_unlock(&admin->lock);
    while (reply != NULL) {
        struct admin_reply *next = reply->next;
        struct evkeyvalq *headers = evhttp_request_get_output_headers(reply->request);
        if (reply->code == HTTP_SERVUNAVAIL)
            evhttp_add_header(headers, "Retry-After", "1");
        if (reply->code == 401)
            evhttp_add_header(headers, "WWW-Authenticate", "Bearer");
        answer(reply->request, reply->code, reply->type, reply->text, reply->bytes);
        free(reply);
        reply = next;
    }
}

static void on_given(evutil_socket_t fd, short what, void *self)
{
    struct admin *admin = self;

    (void)fd;
    (void)what;
    host()->waker_sleep(host()->self, admin->answer_waker, 0); /* takes the wakes */
    send_given(admin);
}

/* True for a request that only reads; others get their answer here. */
static bool is_reading(struct evhttp_request *request)
{
    enum evhttp_cmd_type command = evhttp_request_get_command(request);

    if (command == EVHTTP_REQ_GET || command == EVHTTP_REQ_HEAD)
        return true;
    evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
    answer_state(request, HTTP_BADMETHOD, "this can only be read");
    return false;
}

/* True for a POST that no web page made, and whose body can be read. */
static bool is_commanding(struct evhttp_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const char *encoding = evhttp_find_header(headers, "Content-Encoding");

    if (evhttp_request_get_command(request) != EVHTTP_REQ_POST) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "POST");
        answer_state(request, HTTP_BADMETHOD, "this is done by POST");
        return false;
    }
    if (evhttp_find_header(headers, "Origin") != NULL) {
        answer_state(request, 403, "requests from web pages are refused");
        return false;
    }
    if (encoding == NULL || strcasecmp(encoding, "identity") == 0)
        return true;
    answer_state(request, 415, "a body in a Content-Encoding is not taken: send it as it is");
    return false;
}

/* ---- endpoints ---- */

static void serve_health(struct evhttp_request *request, struct admin *admin,
                         const struct admin_pick *pick)
{
    struct error why = {{0}};
    bool is_good = admin->config.healthy(admin->config.self, &why);

    (void)pick;
    answer_state(request, is_good ? HTTP_OK : HTTP_SERVUNAVAIL, is_good ? "ok" : why.text);
}

static void serve_ready(struct evhttp_request *request, struct admin *admin,
                        const struct admin_pick *pick)
{
    struct error why = {{0}};
    bool is_good = admin->config.ready(admin->config.self, &why);

    (void)pick;
    answer_state(request, is_good ? HTTP_OK : HTTP_SERVUNAVAIL, is_good ? "ok" : why.text);
}

static void serve_metrics(struct evhttp_request *request, struct admin *admin,
                          const struct admin_pick *pick)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    (void)pick;
    if (to != NULL) {
        admin->config.metrics(admin->config.self, to);
        fclose(to);
    }
    answer(request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, bytes);
}

typedef int (*pick_answer)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);

/* Answers with what `fill` writes, or with its sentence. */
static void answer_pick(struct evhttp_request *request, void *self, const struct admin_pick *pick,
                        pick_answer fill)
{
    struct error err = {{0}};
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    int rc = -ENOMEM;

    error_set(&err, "out of memory");
    if (to != NULL)
        rc = fill(self, pick, to, &err);
    if (to != NULL && fclose(to) != 0)
        rc = -ENOMEM;
    if (rc == 0) {
        answer(request, HTTP_OK, ADMIN_JSON, text, bytes);
        return;
    }
    free(text);
    answer_error(request, rc, &err);
}

static void serve_dead(struct evhttp_request *request, struct admin *admin,
                       const struct admin_pick *pick)
{
    answer_pick(request, admin->config.self, pick, admin->config.dead);
}

static void serve_waiting(struct evhttp_request *request, struct admin *admin,
                          const struct admin_pick *pick)
{
    answer_pick(request, admin->config.self, pick, admin->config.waiting);
}

static void serve_redrive(struct evhttp_request *request, struct admin *admin,
                          const struct admin_pick *pick)
{
    answer_pick(request, admin->config.self, pick, admin->config.redrive);
}

static void serve_rules(struct evhttp_request *request, struct admin *admin,
                        const struct admin_pick *pick)
{
    answer_pick(request, admin->config.self, pick, admin->config.rules);
}

static void serve_rules_past(struct evhttp_request *request, struct admin *admin,
                             const struct admin_pick *pick)
{
    answer_pick(request, admin->config.self, pick, admin->config.rules_past);
}

static void serve_reload(struct evhttp_request *request, struct admin *admin,
                         const struct admin_pick *pick)
{
    answer_pick(request, admin->config.self, pick, admin->config.reload);
}

static void serve_incidents(struct evhttp_request *request, struct admin *admin,
                            const struct admin_pick *pick)
{
    answer_pick(request, admin->config.self, pick, admin->config.incidents);
}

static void serve_silences(struct evhttp_request *request, struct admin *admin,
                           const struct admin_pick *pick)
{
    answer_pick(request, admin->config.self, pick, admin->config.silences);
}

static void
serve_later(struct evhttp_request *request, struct admin *admin, const struct admin_pick *pick,
            void (*take)(void *self, const struct admin_pick *pick, struct admin_reply *reply))
{
    struct admin_reply *reply = malloc(sizeof(*reply));

    if (reply == NULL) {
        answer_state(request, HTTP_SERVUNAVAIL, "out of memory");
        return;
    }
    *reply = (struct admin_reply){.admin = admin, .request = request};
    take(admin->config.self, pick, reply);
}

static void serve_acknowledge(struct evhttp_request *request, struct admin *admin,
                              const struct admin_pick *pick)
{
    serve_later(request, admin, pick, admin->config.acknowledge);
}

static void serve_close(struct evhttp_request *request, struct admin *admin,
                        const struct admin_pick *pick)
{
    serve_later(request, admin, pick, admin->config.close_incident);
}

static void serve_silence_add(struct evhttp_request *request, struct admin *admin,
                              const struct admin_pick *pick)
{
    serve_later(request, admin, pick, admin->config.silence_add);
}

static void serve_silence_end(struct evhttp_request *request, struct admin *admin,
                              const struct admin_pick *pick)
{
    serve_later(request, admin, pick, admin->config.silence_end);
}

static void serve_events(struct evhttp_request *request, struct admin *admin,
                         const struct admin_pick *pick)
{
    serve_later(request, admin, pick, admin->config.events);
}

static void serve_alertmanager(struct evhttp_request *request, struct admin *admin,
                               const struct admin_pick *pick)
{
    serve_later(request, admin, pick, admin->config.alertmanager);
}

static void serve_index(struct evhttp_request *request, struct admin *admin,
                        const struct admin_pick *pick);

static const struct admin_endpoint endpoints[] = {
    {"/", false, NULL, 0, BODY_NONE, serve_index},
    {"/metrics", false, NULL, 0, BODY_NONE, serve_metrics},
    {"/healthz", false, NULL, 0, BODY_NONE, serve_health},
    {"/readyz", false, NULL, 0, BODY_NONE, serve_ready},
    {"/outbox/dead", false, NULL, PARAMETER_SINK | PARAMETER_INCIDENT | PARAMETER_ALL, BODY_NONE,
     serve_dead},
    {"/outbox/waiting", false, NULL, PARAMETER_INCIDENT, BODY_NONE, serve_waiting},
    {"/outbox/redrive", true, NULL, PARAMETER_SINK | PARAMETER_INCIDENT | PARAMETER_ALL, BODY_NONE,
     serve_redrive},
    {"/rules", false, NULL, 0, BODY_NONE, serve_rules},
    {"/rules/past", false, NULL, PARAMETER_SET, BODY_NONE, serve_rules_past},
    {"/reload", true, NULL, PARAMETER_DRY, BODY_NONE, serve_reload},
    {"/incidents", false, NULL,
     PARAMETER_OPEN | PARAMETER_FROM | PARAMETER_TO | PARAMETER_RULE | PARAMETER_TENANT |
         PARAMETER_KEY | PARAMETER_LIMIT,
     BODY_NONE, serve_incidents},
    {"/incidents/", true, "/acknowledge", 0, BODY_SMALL, serve_acknowledge},
    {"/incidents/", true, "/close", 0, BODY_SMALL, serve_close},
    {"/incidents/", false, "", 0, BODY_NONE, serve_incidents},
    {"/silences", false, NULL, 0, BODY_NONE, serve_silences},
    {"/silences/add", true, NULL, 0, BODY_SMALL, serve_silence_add},
    {"/silences/end", true, NULL, 0, BODY_SMALL, serve_silence_end},
    {"/events", true, NULL, PARAMETER_WAIT, BODY_PUSHED, serve_events},
    {"/alertmanager", true, NULL, PARAMETER_WAIT, BODY_PUSHED, serve_alertmanager},
};

enum { ENDPOINTS = sizeof(endpoints) / sizeof(endpoints[0]) };

/* The list of the others. */
static void serve_index(struct evhttp_request *request, struct admin *admin,
                        const struct admin_pick *pick)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    (void)admin;
    (void)pick;
    if (to != NULL) {
        fputs("tocsin " TOCSIN_VERSION "\n\n", to);
        for (size_t i = 1; i < ENDPOINTS; i++)
            fprintf(to, "%s%s%s%s\n", endpoints[i].path, endpoints[i].tail != NULL ? "ID" : "",
                    endpoints[i].tail != NULL ? endpoints[i].tail : "",
                    endpoints[i].is_command ? " (POST)" : "");
        fclose(to);
    }
    answer(request, HTTP_OK, plain_text, text, bytes);
}

/* Fills `incident` where the path names one. */
static bool is_path(const struct admin_endpoint *endpoint, const char *path,
                    char incident[INCIDENT_BYTES])
{
    size_t length = strlen(endpoint->path);
    size_t tail, rest;

    if (endpoint->tail == NULL)
        return strcmp(path, endpoint->path) == 0;
    tail = strlen(endpoint->tail);
    if (strncmp(path, endpoint->path, length) != 0)
        return false;
    rest = strlen(path + length);
    if (rest <= tail || strcmp(path + length + rest - tail, endpoint->tail) != 0)
        return false;
    snprintf(incident, INCIDENT_BYTES, "%.*s", (int)(rest - tail), path + length);
    return true;
}

/* However it was asked: that a path cannot be posted to would say that there is one. */
static void answer_nothing(struct evhttp_request *request, const char *path)
{
    const char *paths[ENDPOINTS];
    char hint[NEAREST_HINT_BYTES], sentence[NEAREST_HINT_BYTES + 64];
    size_t count = 0;

    for (size_t i = 1; i < ENDPOINTS; i++)
        if (endpoints[i].tail == NULL)
            paths[count++] = endpoints[i].path;
    nearest_hint(text_of(path), paths, count, hint);
    snprintf(sentence, sizeof(sentence), "there is nothing here%s",
             hint[0] != '\0' ? hint : "; see /");
    answer_state(request, HTTP_NOTFOUND, sentence);
}

static void on_request(struct evhttp_request *request, void *self)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    const struct admin_endpoint *endpoint = NULL;
    struct evkeyvalq pairs = {NULL, &pairs.tqh_first};
    struct admin_pick pick = {.sink = NULL};
    struct error err = {{0}};
    char from[ADMIN_FROM_BYTES], incident[INCIDENT_BYTES];
    int rc;

    if (path == NULL || path[0] == '\0')
        path = "/";
    for (size_t i = 0; i < ENDPOINTS && endpoint == NULL; i++)
        if (is_path(&endpoints[i], path, incident))
            endpoint = &endpoints[i];
    if (endpoint == NULL) {
        answer_nothing(request, path);
        return;
    }
    if (!(endpoint->is_command ? is_commanding(request) : is_reading(request)))
        return;
    if (endpoint->tail != NULL)
        pick.incident = incident;
    admin_read_sender(request, from, &pick);
    rc = admin_read_request(endpoint, request, &pairs, &pick, &err);
    if (rc == 0)
        endpoint->serve(request, self, &pick);
    else
        answer_error(request, rc, &err);
    evhttp_clear_headers(&pairs);
}

/* ---- life ---- */

static void on_stop(evutil_socket_t fd, short what, void *self)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(self);
}

static void *serve(void *self)
{
    struct admin *admin = self;

    pthread_setname_np(pthread_self(), "tocsin-admin");
    event_base_dispatch(admin->base);
    return NULL;
}

/* Splits "host:port"; brackets around an IPv6 address go. False when it is neither. */
static bool split_address(const char *address, char *name, size_t bytes, uint16_t *port)
{
    const char *colon = strrchr(address, ':');
    size_t length = colon != NULL ? (size_t)(colon - address) : 0;
    int64_t number;

    if (length == 0 || unit_parse_count(colon + 1, &number, NULL) != 0 || number > 65535)
        return false;
    if (address[0] == '[' && address[length - 1] == ']') {
        address++;
        length -= 2;
    }
    if (length == 0 || length >= bytes)
        return false;
    memcpy(name, address, length);
    name[length] = '\0';
    *port = (uint16_t)number;
    return true;
}

static int bind_to(struct admin *admin, const char *address, struct error *err)
{
    struct evhttp_bound_socket *bound;
    struct sockaddr_storage at = {0};
    struct sockaddr_in v4; /* its port lies where that of the other family does */
    socklen_t at_bytes = sizeof(at);
    char name[256];
    uint16_t port;

    if (!split_address(address, name, sizeof(name), &port)) {
        error_set(err, "admin.listen: '%s' is not an address: write it like 127.0.0.1:9099",
                  address);
        return -EINVAL;
    }
    errno = 0;
    bound = evhttp_bind_socket_with_handle(admin->http, name, port);
    if (bound == NULL) {
        int why = errno != 0 ? errno : EADDRNOTAVAIL;
        error_set(err, "admin.listen: %s cannot be listened on: %s", address, strerror(why));
        return -why;
    }
    admin->listener = evhttp_bound_socket_get_listener(bound);
    if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &at_bytes) == 0) {
        memcpy(&v4, &at, sizeof(v4));
        admin->port = ntohs(v4.sin_port);
    }
    return 0;
}

static bool server_prepare(struct admin *admin)
{
    admin->waker = host()->waker_create(host()->self);
    admin->answer_waker = host()->waker_create(host()->self);
    admin->connection = calloc(admin->config.connections_max, sizeof(struct bufferevent *));
    admin->base = event_base_new();
    admin->http = admin->base != NULL ? evhttp_new(admin->base) : NULL;
    if (admin->waker < 0 || admin->answer_waker < 0 || admin->connection == NULL ||
        admin->http == NULL)
        return false;
    evhttp_set_allowed_methods(admin->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
    evhttp_set_max_headers_size(admin->http, HEADER_BYTES_MAX);
    /* Beyond what a push may have, so that it is refused with a sentence and counted. */
    evhttp_set_max_body_size(admin->http,
                             (ev_ssize_t)(admin->config.body_max + ADMIN_BODY_BYTES_MAX));
    evhttp_set_timeout(admin->http, SILENCE_S_MAX);
    evhttp_set_bevcb(admin->http, connection_made, admin);
    evhttp_set_gencb(admin->http, on_request, admin);
    admin->stop = event_new(admin->base, admin->waker, EV_READ, on_stop, admin->base);
    admin->owed =
        event_new(admin->base, admin->answer_waker, EV_READ | EV_PERSIST, on_given, admin);
    admin->sweep = event_new(admin->base, -1, EV_PERSIST, sweep_connections, admin);
    return admin->sweep != NULL && admin->stop != NULL && admin->owed != NULL &&
           event_add(admin->stop, NULL) == 0 && event_add(admin->owed, NULL) == 0;
}

int admin_create(const struct admin_config *config, struct admin **out, struct error *err)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    int rc = -ENOMEM;

    if (admin != NULL) {
        admin->config = *config;
        admin->config.listen = NULL;
        admin->waker = admin->answer_waker = -1;
        admin->given_last = &admin->given;
        pthread_mutex_init(&admin->lock, NULL);
    }
    if (admin == NULL || !server_prepare(admin)) {
        error_set(err, "the admin server cannot start: out of memory or descriptors");
        goto out;
    }
    rc = bind_to(admin, config->listen, err);
    if (rc != 0)
        goto out;
    rc = -pthread_create(&admin->thread, NULL, serve, admin);
    if (rc != 0) {
        error_set(err, "the admin server cannot start a thread: %s", strerror(-rc));
        goto out;
    }
    admin->is_running = true;
    *out = admin;
    admin = NULL;
out:
    admin_destroy(admin);
    return rc;
}

void admin_destroy(struct admin *admin)
{
    const struct host *h = host();

    if (admin == NULL)
        return;
    if (admin->is_running) {
        h->waker_wake(h->self, admin->waker);
        pthread_join(admin->thread, NULL);
    }
    send_given(admin); /* so that these requests are the server's again */
    if (admin->http != NULL)
        evhttp_free(admin->http);
    for (unsigned i = 0; i < admin->connection_count; i++)
        bufferevent_decref(admin->connection[i]);
    free(admin->connection);
    if (admin->sweep != NULL)
        event_free(admin->sweep);
    if (admin->stop != NULL)
        event_free(admin->stop);
    if (admin->owed != NULL)
        event_free(admin->owed);
    if (admin->base != NULL)
        event_base_free(admin->base);
    if (admin->waker >= 0)
        h->close(h->self, admin->waker);
    if (admin->answer_waker >= 0)
        h->close(h->self, admin->answer_waker);
    pthread_mutex_destroy(&admin->lock);
    free(admin);
}

uint16_t admin_port(const struct admin *admin)
{
    return admin->port;
}

/*
 * transport_curl.c - see transport_curl.h. The only file that knows libcurl.
 *
 * libcurl says through two callbacks which sockets it waits for and how long; both
 * become libevent events, and their firing goes back into the multi handle. An
 * exchange is one easy handle; connections are kept by the multi handle.
 *
 * Whether a byte of a request left is read off two figures: pretransfer time is
 * set once connection, proxy tunnel and TLS stand, request size grows with what was
 * handed to the kernel. Only both together say that the sink may know of the op.
 */
#include "sinks/transport_curl.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_KEPT_MAX = 64 };

struct exchange {
    struct transport_curl *owner;
    struct exchange *next, *before;
    CURL *easy;
    struct curl_slist *headers;
    transport_done done;
    void *arg;
    bool (*may_leave)(void *self);
    void *may_leave_self;
    char *body;
    size_t body_bytes, body_room;
    bool body_is_cut;
    char retry_after[TRANSPORT_RETRY_AFTER_BYTES];
    char detail[CURL_ERROR_SIZE];
};

struct transport_curl {
    struct transport table;
    struct event_base *loop;
    struct event *timer;
    CURLM *multi;
    struct exchange *exchanges;
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_rc;

static void global_init(void)
{
    global_rc = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void exchange_destroy(struct exchange *ex)
{
    if (ex == NULL)
        return;
    if (ex->easy != NULL)
        curl_easy_cleanup(ex->easy);
    curl_slist_free_all(ex->headers);
    free(ex->body);
    free(ex);
}

static void exchange_unlink(struct exchange *ex)
{
    if (ex->before != NULL)
        ex->before->next = ex->next;
    else
        ex->owner->exchanges = ex->next;
    if (ex->next != NULL)
        ex->next->before = ex->before;
}

/* ---- what comes back ---- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *ex = arg;
    size_t bytes = size * count, left = TRANSPORT_BODY_BYTES_MAX - ex->body_bytes;

    /* Whoever sends more has answered as well; returning less ends the transfer. */
    if (bytes > left) {
        bytes = left;
        ex->body_is_cut = true;
    }
    if (ex->body_bytes + bytes + 1 > ex->body_room) {
        size_t room = 2 * (ex->body_bytes + bytes + 1);
        char *larger = realloc(ex->body, room);
        if (larger == NULL)
            return 0;
        ex->body = larger;
        ex->body_room = room;
    }
    memcpy(ex->body + ex->body_bytes, data, bytes);
    ex->body_bytes += bytes;
    return ex->body_is_cut ? 0 : bytes;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    static const char name[] = "retry-after:";
    struct exchange *ex = arg;
    size_t bytes = size * count, from = sizeof(name) - 1, end = bytes;

    if (bytes >= 5 && memcmp(data, "HTTP/", 5) == 0)
        ex->retry_after[0] = '\0'; /* a later answer of the same exchange, after a 1xx */
    if (bytes < from || strncasecmp(data, name, from) != 0)
        return bytes;
    while (end > from && strchr(" \t\r\n", data[end - 1]) != NULL)
        end--;
    while (from < end && (data[from] == ' ' || data[from] == '\t'))
        from++;
    if (end - from < sizeof(ex->retry_after)) {
        memcpy(ex->retry_after, data + from, end - from);
        ex->retry_after[end - from] = '\0';
    }
    return bytes;
}

static bool has_sent(const struct exchange *ex)
{
    curl_off_t pretransfer_us = 0;
    long request_bytes = 0;

    curl_easy_getinfo(ex->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
    curl_easy_getinfo(ex->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    return pretransfer_us > 0 && request_bytes > 0;
}

static enum transport_result result_of(const struct exchange *ex, CURLcode code)
{
    curl_off_t connect_us = 0;
    long connect_status = 0;

    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && ex->body_is_cut))
        return TRANSPORT_ANSWERED;
    if (has_sent(ex))
        return TRANSPORT_AFTER_FIRST_BYTE;
    curl_easy_getinfo(ex->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (connect_status == 407)
        return TRANSPORT_PROXY_REFUSED;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return TRANSPORT_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return TRANSPORT_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        curl_easy_getinfo(ex->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
        return connect_us == 0 ? TRANSPORT_CONNECT : TRANSPORT_BEFORE_FIRST_BYTE;
    default:
        return TRANSPORT_BEFORE_FIRST_BYTE;
    }
}

static void exchange_finish(struct exchange *ex, CURLcode code)
{
    struct transport_answer answer = {
        .result = result_of(ex, code),
        .retry_after = ex->retry_after,
        .body = ex->body != NULL ? ex->body : "",
        .body_bytes = ex->body_bytes,
        .detail = "",
    };
    long status = 0;

    if (ex->body != NULL)
        ex->body[ex->body_bytes] = '\0';
    if (answer.result == TRANSPORT_ANSWERED) {
        curl_easy_getinfo(ex->easy, CURLINFO_RESPONSE_CODE, &status);
        answer.status = (int)status;
    } else {
        answer.detail = ex->detail[0] != '\0' ? ex->detail : curl_easy_strerror(code);
    }
    curl_multi_remove_handle(ex->owner->multi, ex->easy);
    exchange_unlink(ex);
    ex->done(ex->arg, &answer);
    exchange_destroy(ex);
}

static void finish_ended(struct transport_curl *curl)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(curl->multi, &left)) != NULL) {
        struct exchange *ex = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&ex);
        exchange_finish(ex, message->data.result);
    }
}

/* ---- sockets and the timer of the multi handle ---- */

static void on_socket_event(evutil_socket_t fd, short what, void *arg)
{
    struct transport_curl *curl = arg;
    int flags =
        ((what & EV_READ) ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0);
    int running;

    curl_multi_socket_action(curl->multi, fd, flags, &running);
    finish_ended(curl);
}

static void on_timer_event(evutil_socket_t fd, short what, void *arg)
{
    struct transport_curl *curl = arg;
    int running;

    (void)fd;
    (void)what;
    curl_multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_ended(curl);
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    struct transport_curl *curl = arg;
    struct event *event = socket;
    short wish = (short)(EV_PERSIST | ((what & CURL_POLL_IN) ? EV_READ : 0) |
                         ((what & CURL_POLL_OUT) ? EV_WRITE : 0));

    (void)easy;
    if (event != NULL)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        event = event_new(curl->loop, fd, wish, on_socket_event, curl);
        if (event == NULL || event_add(event, NULL) != 0)
            return -1; /* libcurl fails the exchange */
    }
    curl_multi_assign(curl->multi, fd, event);
    return 0;
}

static int on_timer_wish(CURLM *multi, long timeout_ms, void *arg)
{
    struct transport_curl *curl = arg;
    struct timeval delay = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    (void)multi;
    if (timeout_ms < 0)
        return event_del(curl->timer);
    return event_add(curl->timer, &delay);
}

/* ---- sending ---- */

static int on_connected(void *self, char *ip, char *local_ip, int port, int local_port)
{
    const struct exchange *ex = self;

    (void)ip;
    (void)local_ip;
    (void)port;
    (void)local_port;
    return ex->may_leave(ex->may_leave_self) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static CURLcode set_request(struct exchange *ex, const struct transport_request *request)
{
    CURL *easy = ex->easy;
    CURLcode rc = CURLE_OK;

/* The first option that fails decides. */
#define SET(option, value) (rc = rc == CURLE_OK ? curl_easy_setopt(easy, option, value) : rc)
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    if (strcmp(request->method, "GET") == 0) {
        SET(CURLOPT_HTTPGET, 1L);
    } else {
        SET(CURLOPT_CUSTOMREQUEST, request->method);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        SET(CURLOPT_POSTFIELDS, request->body); /* borrowed until done */
    }
    SET(CURLOPT_HTTPHEADER, ex->headers);
    SET(CURLOPT_USERAGENT, "tocsin/" TOCSIN_VERSION);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (request->ca_file[0] != '\0') {
        SET(CURLOPT_CAINFO, request->ca_file);
        SET(CURLOPT_CAPATH, NULL); /* the system's folder would be trusted as well */
        SET(CURLOPT_PROXY_CAINFO, request->ca_file);
        SET(CURLOPT_PROXY_CAPATH, NULL);
    }
    if (request->client_cert[0] != '\0') {
        SET(CURLOPT_SSLCERT, request->client_cert);
        SET(CURLOPT_SSLKEY, request->client_key[0] != '\0' ? request->client_key : NULL);
        SET(CURLOPT_KEYPASSWD, request->client_key_password);
    }
    /* Both, also when empty: NULL would let the environment decide. */
    SET(CURLOPT_PROXY, request->proxy);
    SET(CURLOPT_NOPROXY, request->no_proxy);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    if (!request->may_reuse_connection) {
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
    }
    if (request->may_leave != NULL) {
        SET(CURLOPT_PREREQFUNCTION, on_connected);
        SET(CURLOPT_PREREQDATA, ex);
    }
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, ex);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, ex);
    SET(CURLOPT_ERRORBUFFER, ex->detail);
    SET(CURLOPT_PRIVATE, ex);
#undef SET
    return rc;
}

static int add_header(struct exchange *ex, const char *line)
{
    struct curl_slist *list = curl_slist_append(ex->headers, line);

    if (list == NULL)
        return -ENOMEM;
    ex->headers = list;
    return 0;
}

static int send_request(void *self, const struct transport_request *request, transport_done done,
                        void *arg)
{
    struct transport_curl *curl = self;
    struct exchange *ex = calloc(1, sizeof(*ex));
    int rc = -ENOMEM;
    CURLcode code;

    if (ex == NULL)
        return -ENOMEM;
    ex->owner = curl;
    ex->done = done;
    ex->arg = arg;
    ex->may_leave = request->may_leave;
    ex->may_leave_self = request->may_leave_self;
    ex->easy = curl_easy_init();
    /* No "Expect: 100-continue": bodies are small, and it costs a round trip. */
    if (ex->easy == NULL || add_header(ex, "Expect:") != 0)
        goto out;
    for (size_t i = 0; i < request->header_count; i++)
        if (add_header(ex, request->headers[i]) != 0)
            goto out;
    code = set_request(ex, request);
    if (code != CURLE_OK) {
        rc = code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
        goto out;
    }
    ex->next = curl->exchanges;
    if (ex->next != NULL)
        ex->next->before = ex;
    curl->exchanges = ex;
    if (curl_multi_add_handle(curl->multi, ex->easy) == CURLM_OK)
        return 0;
    exchange_unlink(ex);
out:
    exchange_destroy(ex);
    return rc;
}

struct transport_curl *transport_curl_create(struct event_base *loop, struct error *err)
{
    struct transport_curl *curl;

    pthread_once(&global_once, global_init);
    if (global_rc != CURLE_OK) {
        error_set(err, "libcurl cannot start: %s", curl_easy_strerror(global_rc));
        return NULL;
    }
    curl = calloc(1, sizeof(*curl));
    if (curl == NULL)
        goto out;
    curl->table = (struct transport){.self = curl, .send = send_request};
    curl->loop = loop;
    curl->timer = evtimer_new(loop, on_timer_event, curl);
    curl->multi = curl_multi_init();
    if (curl->timer == NULL || curl->multi == NULL)
        goto out;
    curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
    curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
    curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
    curl_multi_setopt(curl->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT_MAX);
    return curl;
out:
    error_set(err, "out of memory for the HTTP client");
    transport_curl_destroy(curl);
    return NULL;
}

void transport_curl_destroy(struct transport_curl *curl)
{
    if (curl == NULL)
        return;
    while (curl->exchanges != NULL) {
        struct exchange *ex = curl->exchanges;
        curl_multi_remove_handle(curl->multi, ex->easy);
        exchange_unlink(ex);
        assert(curl->exchanges != ex);
        exchange_destroy(ex);
    }
    if (curl->multi != NULL)
        curl_multi_cleanup(curl->multi);
    if (curl->timer != NULL)
        event_free(curl->timer);
    free(curl);
}

const struct transport *transport_curl_table(const struct transport_curl *curl)
{
    return &curl->table;
}

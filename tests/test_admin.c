/*
 * Aim: monitoring gets its answers, and nobody who connects can take the server away
 * from it. Method: a real server on a free port of the loopback, plain sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/admin.h"

enum { CONNECTIONS_MAX = 4, PATIENCE_MS = 60000 };

static bool is_ready;

static void write_metrics(void *self, FILE *to)
{
    (void)self;
    fputs("a_total 1\n", to);
}

static bool say_healthy(void *self, struct error *why)
{
    (void)self;
    (void)why;
    return true;
}

static bool say_ready(void *self, struct error *why)
{
    (void)self;
    error_set(why, "no broker has answered");
    return is_ready;
}

/* What the callbacks were asked. */
static char asked[256];

static int note(const char *what, const struct admin_pick *pick, FILE *to)
{
    snprintf(asked, sizeof(asked), "%s sink=%s incident=%s%s%s%s%s%s", what,
             pick->sink != NULL ? pick->sink : "", pick->incident != NULL ? pick->incident : "",
             pick->all ? " all" : "", pick->dry ? " dry" : "", pick->open ? " open" : "",
             pick->limit != NULL ? " limit=" : "", pick->limit != NULL ? pick->limit : "");
    fputs("{}\n", to);
    return 0;
}

static int note_redrive(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    (void)self;
    (void)err;
    return note("redrive", pick, to);
}

static int note_reload(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    (void)self;
    (void)err;
    return note("reload", pick, to);
}

static int note_incidents(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    (void)self;
    (void)err;
    return note("incidents", pick, to);
}

static void note_silence(void *self, const struct admin_pick *pick, struct admin_reply *reply)
{
    (void)self;
    snprintf(asked, sizeof(asked), "silence %.*s%s%s%s", (int)pick->bytes, pick->body,
             pick->is_local ? " local" : "", pick->token != NULL ? " token " : "",
             pick->token != NULL ? pick->token : "");
    admin_answer(reply, 200, ADMIN_JSON, strdup("{}\n"), 3);
}

/* An answer that the test owes. */
static pthread_mutex_t owed_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t owed_came = PTHREAD_COND_INITIALIZER;
static struct admin_reply *owed;

static void owe(void *self, const struct admin_pick *pick, struct admin_reply *reply)
{
    (void)self;
    snprintf(asked, sizeof(asked), "%.*s wait=%s", (int)pick->bytes, pick->body,
             pick->wait != NULL ? pick->wait : "no");
    pthread_mutex_lock(&owed_lock);
    owed = reply;
    pthread_cond_signal(&owed_came);
    pthread_mutex_unlock(&owed_lock);
}

static struct admin_reply *take_owed(void)
{
    struct admin_reply *reply;

    pthread_mutex_lock(&owed_lock);
    while (owed == NULL)
        pthread_cond_wait(&owed_came, &owed_lock);
    reply = owed;
    owed = NULL;
    pthread_mutex_unlock(&owed_lock);
    return reply;
}

static struct admin *start(void)
{
    struct admin_config config = {.listen = "127.0.0.1:0",
                                  .connections_max = CONNECTIONS_MAX,
                                  .body_max = 1 << 20,
                                  .metrics = write_metrics,
                                  .silence_add = note_silence,
                                  .events = owe,
                                  .alertmanager = owe,
                                  .healthy = say_healthy,
                                  .ready = say_ready,
                                  .redrive = note_redrive,
                                  .reload = note_reload,
                                  .incidents = note_incidents};
    struct admin *admin = NULL;
    struct error err;
    assert_int_equal(admin_create(&config, &admin, &err), 0);
    assert_true(admin_port(admin) != 0);
    return admin;
}

static int dial(const struct admin *admin)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(admin_port(admin))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

/* Sends `request` and reads until the other side closes. */
static const char *talk(int fd, const char *request, size_t bytes)
{
    static char text[65536];
    size_t used = 0;
    while (bytes > 0) {
        ssize_t put = send(fd, request, bytes, MSG_NOSIGNAL);
        if (put < 0)
            break; /* refused before we were done: the answer says so */
        request += put;
        bytes -= (size_t)put;
    }
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        assert_true(poll(&wait, 1, PATIENCE_MS) > 0);
        ssize_t got = recv(fd, text + used, sizeof(text) - 1 - used, 0);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    close(fd);
    return text;
}

static const char *get(const struct admin *admin, const char *path)
{
    char request[256];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             path);
    return talk(dial(admin), request, strlen(request));
}

static void assert_answer(const char *answer, int code, const char *body)
{
    int got = 0;
    const char *end = strstr(answer, "\r\n\r\n");
    assert_int_equal(sscanf(answer, "HTTP/1.1 %d", &got), 1);
    assert_int_equal(got, code);
    assert_non_null(end);
    assert_string_equal(end + 4, body);
}

static void each_endpoint_answers(void **state)
{
    (void)state;
    struct admin *admin = start();
    const char *answer = get(admin, "/metrics");
    assert_answer(answer, 200, "a_total 1\n");
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
    assert_answer(get(admin, "/healthz"), 200, "ok\n");
    is_ready = false;
    assert_answer(get(admin, "/readyz"), 503, "no broker has answered\n");
    is_ready = true;
    assert_answer(get(admin, "/readyz"), 200, "ok\n");
    assert_answer(get(admin, "/"), 200,
                  "tocsin " TOCSIN_VERSION "\n\n/metrics\n/healthz\n/readyz\n/outbox/dead\n"
                  "/outbox/waiting\n/outbox/redrive (POST)\n/rules\n/rules/past\n/reload "
                  "(POST)\n/incidents\n/incidents/ID/acknowledge (POST)\n/incidents/ID/close "
                  "(POST)\n/incidents/ID\n"
                  "/silences\n/silences/add (POST)\n/silences/end (POST)\n"
                  "/events (POST)\n/alertmanager (POST)\n");
    assert_answer(get(admin, "/etc/passwd"), 404, "there is nothing here; see /\n");
    admin_destroy(admin);
}

static const char *post(const struct admin *admin, const char *path, const char *body)
{
    char request[256];
    snprintf(request, sizeof(request),
             "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
             path, strlen(body), body);
    return talk(dial(admin), request, strlen(request));
}

static void a_path_that_is_not_there_is_told_however_it_is_asked(void **state)
{
    (void)state;
    struct admin *admin = start();
    assert_answer(post(admin, "/event", "{}"), 404,
                  "there is nothing here; did you mean \"/events\"?\n");
    assert_answer(get(admin, "/silence"), 404,
                  "there is nothing here; did you mean \"/silences\"?\n");
    assert_answer(post(admin, "/etc/passwd", ""), 404, "there is nothing here; see /\n");
    assert_answer(post(admin, "/incidents/", ""), 404,
                  "there is nothing here; did you mean \"/incidents\"?\n");
    assert_answer(post(admin, "/metrics", ""), 405, "this can only be read\n");
    assert_answer(get(admin, "/events"), 405, "this is done by POST\n");
    admin_destroy(admin);
}

static void incidents_are_asked_for_by_what_they_are_of_or_by_their_id(void **state)
{
    (void)state;
    struct admin *admin = start();
    assert_answer(get(admin, "/incidents?open=1&limit=7"), 200, "{}\n");
    assert_string_equal(asked, "incidents sink= incident= open limit=7");
    assert_answer(get(admin, "/incidents/0abc"), 200, "{}\n");
    assert_string_equal(asked, "incidents sink= incident=0abc");
    asked[0] = '\0';
    assert_answer(get(admin, "/incidents/"), 404,
                  "there is nothing here; did you mean \"/incidents\"?\n");
    assert_answer(get(admin, "/incidents/0abc?open=1"), 400,
                  "/incidents/ has no parameter 'open'; it takes none\n");
    assert_answer(get(admin, "/incidents?sink=x"), 400,
                  "/incidents has no parameter 'sink'; it takes open, from, to, rule, tenant, key, "
                  "limit\n");
    assert_string_equal(asked, "");
    admin_destroy(admin);
}

static void what_is_not_understood_is_refused_and_not_done(void **state)
{
    static const struct {
        const char *path, *body;
        int code;
        const char *answer, *asked;
    } cases[] = {
        {"/reload", "", 200, "{}\n", "reload sink= incident="},
        {"/reload?", "", 200, "{}\n", "reload sink= incident="},
        {"/reload?dry=1", "", 200, "{}\n", "reload sink= incident= dry"},
        {"/reload?dry=1&dry=1", "", 400, "dry is given twice\n", ""},
        {"/reload?dry=true", "", 400, "write dry=1, or leave it out\n", ""},
        {"/reload?dry=0", "", 400, "write dry=1, or leave it out\n", ""},
        {"/reload?dry", "", 400, "the query cannot be read: write name=value&name=value\n", ""},
        {"/reload?dri=1", "", 400, "/reload has no parameter 'dri'; it takes dry\n", ""},
        {"/reload?all=1", "", 400, "/reload has no parameter 'all'; it takes dry\n", ""},
        {"/reload?dry=1&abcdefghijklmnopqrstuvwxyzabcdefghijkl=1", "", 400,
         "/reload has no parameter 'abcdefghijklmnopqrstuvwxyzabcde'; it takes dry\n", ""},
        {"/reload", "dry=1", 400,
         "a body is not read: what /reload is to do stands behind a ? of its path\n", ""},
        {"/outbox/redrive?sink=a%20b&incident=0f", "", 200, "{}\n", "redrive sink=a b incident=0f"},
        {"/outbox/redrive?all=1", "", 200, "{}\n", "redrive sink= incident= all"},
        {"/outbox/redrive?sink=a&sink=b", "", 400, "sink is given twice\n", ""},
        {"/outbox/redrive?dry=1&all=1", "", 400,
         "/outbox/redrive has no parameter 'dry'; it takes sink, incident, all\n", ""},
    };
    static const char *const reading[] = {"/",      "/metrics",     "/healthz",       "/readyz",
                                          "/rules", "/outbox/dead", "/outbox/waiting"};

    (void)state;
    struct admin *admin = start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        asked[0] = '\0';
        assert_answer(post(admin, cases[i].path, cases[i].body), cases[i].code, cases[i].answer);
        assert_string_equal(asked, cases[i].asked);
    }
    for (size_t i = 0; i < sizeof(reading) / sizeof(reading[0]); i++) {
        char path[64], sentence[128];
        snprintf(path, sizeof(path), "%s?verbose=1", reading[i]);
        snprintf(sentence, sizeof(sentence), "%s has no parameter 'verbose'; it takes %s\n",
                 reading[i],
                 strcmp(reading[i], "/outbox/dead") == 0      ? "sink, incident, all"
                 : strcmp(reading[i], "/outbox/waiting") == 0 ? "incident"
                                                              : "none");
        assert_answer(get(admin, path), 400, sentence);
    }
    admin_destroy(admin);
}

/* C3: who pushes is answered when somebody else says so, and others are served meanwhile. */
static void answers_that_are_owed_are_given_by_any_thread(void **state)
{
    struct admin *admin = start();
    char request[256];
    int fd;

    (void)state;
    for (int i = 0; i < 2; i++) {
        snprintf(request, sizeof(request),
                 "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
                 i == 0 ? "/events?wait" : "/alertmanager?wait=3s");
        fd = dial(admin);
        assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
        struct admin_reply *reply = take_owed();
        assert_string_equal(asked, i == 0 ? "{} wait=" : "{} wait=3s");
        assert_answer(get(admin, "/healthz"), 200, "ok\n");
        if (i == 0)
            admin_answer(reply, 200, ADMIN_JSON, strdup("{1}\n"), 4);
        else
            admin_answer_sentence(reply, 503, "the disk is full");
        const char *answer = talk(fd, "", 0);
        assert_answer(answer, i == 0 ? 200 : 503, i == 0 ? "{1}\n" : "the disk is full\n");
        assert_int_equal(strstr(answer, "Retry-After: 1\r\n") != NULL, i == 1);
    }
    admin_destroy(admin);
}

static void an_answer_for_one_who_is_gone_goes_too(void **state)
{
    static const char request[] = "POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    struct admin *admin = start();
    struct admin_reply *reply;
    int fd = dial(admin);

    (void)state;
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    reply = take_owed();
    close(fd);
    /* By then the server has seen the end of that connection. */
    for (int i = 0; i < 5; i++)
        assert_answer(get(admin, "/healthz"), 200, "ok\n");
    admin_answer_sentence(reply, 503, "too late");
    assert_answer(get(admin, "/healthz"), 200, "ok\n");
    /* One that is given while the server ends. */
    fd = dial(admin);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    admin_answer_sentence(take_owed(), 200, "just in time");
    admin_destroy(admin);
    close(fd);
}

static void a_small_body_is_read_with_who_sends_it(void **state)
{
    static char request[80 << 10];
    struct admin *admin = start();
    int head;

    (void)state;
    snprintf(request, sizeof(request),
             "POST /silences/add HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
             "Authorization: bearer 0123\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
    assert_answer(talk(dial(admin), request, strlen(request)), 200, "{}\n");
    assert_string_equal(asked, "silence {\"a\":1} local token 0123");
    asked[0] = '\0';
    head = snprintf(request, sizeof(request),
                    "POST /silences/add HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                    "Content-Length: %d\r\n\r\n",
                    ADMIN_BODY_BYTES_MAX + 1);
    memset(request + head, ' ', ADMIN_BODY_BYTES_MAX + 1);
    assert_answer(talk(dial(admin), request, (size_t)head + ADMIN_BODY_BYTES_MAX + 1), 413,
                  "the body of /silences/add has at most 65536 bytes\n");
    assert_string_equal(asked, "");
    admin_destroy(admin);
}

static void requests_beyond_the_limits_are_refused(void **state)
{
    (void)state;
    static char request[32768];
    struct admin *admin = start();
    int code = 0;
    const char *answer;
    snprintf(request, sizeof(request),
             "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
             "Content-Length: 0\r\n\r\n");
    answer = talk(dial(admin), request, strlen(request));
    assert_int_equal(sscanf(answer, "HTTP/1.1 %d", &code), 1);
    assert_true(code >= 400);
    /* A header without end. */
    int head = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: ");
    memset(request + head, 'a', sizeof(request) - (size_t)head);
    answer = talk(dial(admin), request, sizeof(request));
    assert_true(answer[0] == '\0' || strncmp(answer, "HTTP/1.1 4", 10) == 0);
    /* No HTTP at all. */
    answer = talk(dial(admin), "\x16\x03\x01 what\r\n\r\n", 12);
    assert_true(answer[0] == '\0' || strncmp(answer, "HTTP/1.1 4", 10) == 0);
    assert_answer(get(admin, "/healthz"), 200, "ok\n");
    admin_destroy(admin);
}

static void silent_connections_wait_their_turn_and_free_it(void **state)
{
    (void)state;
    struct admin *admin = start();
    int silent[CONNECTIONS_MAX], fd;
    const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct pollfd wait;
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        silent[i] = dial(admin);
    /* One more: accepted by the kernel, but not served while the others stay. Half a second
     * is far more than an answer takes; the bound lasts until the 10 s of silence are over. */
    fd = dial(admin);
    assert_true(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0);
    wait = (struct pollfd){.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 500), 0);
    close(silent[0]);
    assert_true(poll(&wait, 1, 9000) > 0);
    close(fd);
    for (int i = 1; i < CONNECTIONS_MAX; i++)
        close(silent[i]);
    assert_answer(get(admin, "/healthz"), 200, "ok\n");
    admin_destroy(admin);
}

static void many_connections_in_turn_leave_nothing_behind(void **state)
{
    (void)state;
    struct admin *admin = start();
    for (int i = 0; i < 20 * CONNECTIONS_MAX; i++) {
        if (i % 3 == 0)
            close(dial(admin));
        else
            assert_answer(get(admin, "/healthz"), 200, "ok\n");
    }
    admin_destroy(admin);
}

static void a_taken_port_is_one_sentence(void **state)
{
    (void)state;
    struct admin *admin = start(), *second = NULL;
    char listen_at[32], sentence[128];
    struct error err = {{0}};
    struct admin_config config = {
        .connections_max = 1, .metrics = write_metrics, .healthy = say_healthy, .ready = say_ready};
    snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%u", admin_port(admin));
    snprintf(sentence, sizeof(sentence),
             "admin.listen: %s cannot be listened on: Address already in use", listen_at);
    config.listen = listen_at;
    assert_int_equal(admin_create(&config, &second, &err), -EADDRINUSE);
    assert_null(second);
    assert_string_equal(err.text, sentence);
    admin_destroy(admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_endpoint_answers),
        cmocka_unit_test(a_path_that_is_not_there_is_told_however_it_is_asked),
        cmocka_unit_test(incidents_are_asked_for_by_what_they_are_of_or_by_their_id),
        cmocka_unit_test(what_is_not_understood_is_refused_and_not_done),
        cmocka_unit_test(answers_that_are_owed_are_given_by_any_thread),
        cmocka_unit_test(an_answer_for_one_who_is_gone_goes_too),
        cmocka_unit_test(a_small_body_is_read_with_who_sends_it),
        cmocka_unit_test(requests_beyond_the_limits_are_refused),
        cmocka_unit_test(silent_connections_wait_their_turn_and_free_it),
        cmocka_unit_test(many_connections_in_turn_leave_nothing_behind),
        cmocka_unit_test(a_taken_port_is_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

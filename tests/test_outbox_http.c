/*
 * Aim: the outbox with its thread, libcurl and real sockets delivers through every
 * way in which a server can misbehave, and tells apart what may have been taken from
 * what cannot. Method: a server on loopback that follows a script (fake_sink.h);
 * waiting is for a counter or a request, with a deadline.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/event.h>
#include <stdio.h>
#include "fake_sink.h"
#include "sink_fixture.h"
#include "sinks/transport_curl.h"

enum { DEADLINE_S = 60 };

static struct fake_sink fake, other;
static char url[64], other_url[64];

static void start(const struct fake_step *steps, size_t count)
{
    fake_start(&fake, steps, count);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/in", fake.port);
}

static struct outbox *open_outbox(const char *const options[][2], size_t count, size_t ops_max,
                                  size_t bytes_max)
{
    struct sink_config config = {.name = "hook", .type = "webhook"};
    struct outbox_config outbox_config = {
        .sinks = &config, .sink_count = 1, .ops_max = ops_max, .bytes_max = bytes_max};
    struct outbox *outbox = NULL;
    struct error err = {""};

    config.option[0].key = "url";
    config.option[0].value = url;
    for (size_t i = 0; i < count; i++) {
        config.option[i + 1].key = options[i][0];
        config.option[i + 1].value = options[i][1];
    }
    config.option_count = count + 1;
    if (outbox_create(&outbox_config, &outbox, &err) != 0)
        fail_msg("%s", err.text);
    return outbox;
}

static void submit(struct outbox *outbox, uint64_t incident, uint32_t number, enum op_kind kind,
                   uint16_t sink)
{
    struct op op = fixture_op(incident, number, kind, sink);

    assert_true(outbox_submit(outbox, &op));
}

static struct sink_counters counters(const struct outbox *outbox)
{
    struct sink_counters c[2];

    assert_true(outbox_counters(outbox, c, 2) >= 1);
    assert_int_equal(c[0].ops + c[0].redriven,
                     c[0].done + c[0].dead + c[0].superseded + c[0].waiting);
    return c[0];
}

/* Waits until the server has seen `count` requests. */
static void wait_requests(struct fake_sink *server, size_t count)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&server->lock);
    while (server->request_count < count)
        if (pthread_cond_timedwait(&server->changed, &server->lock, &deadline) != 0)
            fail_msg("%zu of %zu requests came", server->request_count, count);
    pthread_mutex_unlock(&server->lock);
}

/* Between two looks at a condition: leaves the core to the outbox for a while. */
static bool is_past(uint64_t deadline_ns)
{
    usleep(2000);
    return host_mono_ns() > deadline_ns;
}

/* Waits until nothing waits any more. */
static struct sink_counters wait_delivered(const struct outbox *outbox)
{
    uint64_t deadline_ns = host_mono_ns() + DEADLINE_S * UINT64_C(1000000000);
    struct sink_counters c = counters(outbox);

    while (c.waiting > 0 && !is_past(deadline_ns))
        c = counters(outbox);
    assert_int_equal(c.waiting, 0);
    return c;
}

static void ops_of_an_incident_arrive_once_in_order(void **state)
{
    static const struct fake_step steps[] = {{FAKE_ANSWER, FAKE_200}};
    struct outbox *outbox;

    (void)state;
    start(steps, 1);
    outbox = open_outbox(NULL, 0, 0, 0);
    submit(outbox, 7, 1, OP_OPEN, 0);
    wait_requests(&fake, 1);
    submit(outbox, 7, 2, OP_UPDATE, 0);
    wait_requests(&fake, 2);
    submit(outbox, 7, 3, OP_RESOLVE, 0);
    wait_requests(&fake, 3);
    wait_delivered(outbox);
    assert_int_equal(outbox_destroy(outbox, 1000), 0);
    assert_int_equal(fake.request_count, 3);
    assert_int_equal(strncmp(fake.requests[0], "POST /in HTTP/1.1\r\n", 19), 0);
    assert_non_null(strstr(fake.requests[0], "\"number\":1,\"kind\":\"open\""));
    assert_non_null(strstr(fake.requests[1], "\"number\":2,\"kind\":\"update\""));
    assert_non_null(strstr(fake.requests[2], "\"number\":3,\"kind\":\"resolve\""));
    fake_stop(&fake);
}

static void bad_answers_are_retried_until_a_good_one(void **state)
{
    static const struct fake_step steps[] = {
        {FAKE_ANSWER, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"},
        {FAKE_ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>"},
        {FAKE_ANSWER_CLOSE, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n"},
        {FAKE_DRIP, FAKE_200},
    };
    static const char *const options[][2] = {{"expect_body", "ok"}};
    struct outbox *outbox;
    struct sink_counters c;

    (void)state;
    start(steps, 4);
    outbox = open_outbox(options, 1, 0, 0);
    submit(outbox, 7, 1, OP_OPEN, 0);
    c = wait_delivered(outbox);
    assert_int_equal(c.done, 1);
    assert_int_equal(c.retries, 3);
    assert_int_equal(c.uncertain, 0);
    assert_int_equal(outbox_destroy(outbox, 0), 0);
    assert_int_equal(fake.request_count, 4);
    assert_null(strstr(fake.requests[3], "/elsewhere")); /* not followed */
    fake_stop(&fake);
}

static void O6_what_is_lost_after_the_request_left_is_uncertain(void **state)
{
    static const struct fake_step steps[] = {
        {FAKE_HANG_UP, NULL},
        {FAKE_STALL, NULL},
        {FAKE_ANSWER_CLOSE, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"},
        {FAKE_ANSWER, FAKE_200},
    };
    /* Long enough for a busy machine to answer, short for the one that stalls. */
    static const char *const options[][2] = {{"timeout_ms", "6000"}};
    struct outbox *outbox;
    struct sink_counters c;

    (void)state;
    start(steps, 4);
    outbox = open_outbox(options, 1, 0, 0);
    submit(outbox, 7, 1, OP_OPEN, 0);
    c = wait_delivered(outbox);
    assert_int_equal(c.done, 1);
    assert_int_equal(c.uncertain, 3);
    assert_int_equal(c.possible_repeats, 3);
    outbox_destroy(outbox, 0);
    assert_int_equal(fake.request_count, 4); /* every request is ours: no hidden repeat */
    assert_non_null(strstr(fake.requests[0], "\"possible_repeat\":false"));
    assert_non_null(strstr(fake.requests[1], "\"possible_repeat\":true"));
    fake_stop(&fake);
}

static void O6_a_hang_up_inside_the_request_is_uncertain_as_well(void **state)
{
    static const struct fake_step steps[] = {{FAKE_HANG_UP_IN_BODY, NULL}, {FAKE_ANSWER, FAKE_200}};
    struct outbox *outbox;
    struct sink_counters c;

    (void)state;
    start(steps, 2);
    outbox = open_outbox(NULL, 0, 0, 0);
    submit(outbox, 7, 1, OP_OPEN, 0);
    c = wait_delivered(outbox);
    assert_int_equal(c.uncertain, 1);
    outbox_destroy(outbox, 0);
    fake_stop(&fake);
}

static void O6_a_kept_connection_that_dies_causes_no_hidden_repeat(void **state)
{
    /* The first answer keeps the connection; the second request is read and the
     * connection closed: a client that reused it would send again by itself. */
    static const struct fake_step steps[] = {
        {FAKE_ANSWER, FAKE_200}, {FAKE_HANG_UP, NULL}, {FAKE_ANSWER, FAKE_200}};
    struct outbox *outbox;
    struct sink_counters c;

    (void)state;
    start(steps, 3);
    outbox = open_outbox(NULL, 0, 0, 0);
    submit(outbox, 7, 1, OP_OPEN, 0);
    wait_delivered(outbox);
    submit(outbox, 8, 1, OP_OPEN, 0);
    c = wait_delivered(outbox);
    assert_int_equal(c.uncertain, 1);
    assert_int_equal(c.possible_repeats, 1);
    outbox_destroy(outbox, 0);
    assert_int_equal(fake.request_count, 3);
    assert_non_null(strstr(fake.requests[2], "\"possible_repeat\":true"));
    fake_stop(&fake);
}

static void connections_are_kept_where_repeats_are_harmless(void **state)
{
    static const struct fake_step steps[] = {{FAKE_ANSWER, FAKE_200}};
    static const char *const options[][2] = {{"idempotent", "true"}, {"in_flight_max", "1"}};
    struct outbox *outbox;

    (void)state;
    start(steps, 1);
    outbox = open_outbox(options, 2, 0, 0);
    for (uint64_t i = 1; i <= 5; i++) {
        submit(outbox, i, 1, OP_OPEN, 0);
        wait_delivered(outbox);
    }
    outbox_destroy(outbox, 0);
    assert_int_equal(fake.request_count, 5);
    assert_int_equal(fake.connection_count, 1);
    fake_stop(&fake);
}

static void O5_a_throttle_is_obeyed(void **state)
{
    static const struct fake_step steps[] = {
        {FAKE_ANSWER, "HTTP/1.1 429 Slow down\r\nretry-AFTER:  2 \r\nContent-Length: 0\r\n\r\n"},
        {FAKE_ANSWER, FAKE_200}};
    struct outbox *outbox;

    (void)state;
    start(steps, 2);
    outbox = open_outbox(NULL, 0, 0, 0);
    submit(outbox, 7, 1, OP_OPEN, 0);
    wait_requests(&fake, 2);
    /* Two seconds from the answer, which went out behind the moment that stands for its request. */
    const struct timespec *at = fake.came_at;
    int64_t between_ns =
        (int64_t)(at[1].tv_sec - at[0].tv_sec) * 1000000000 + (at[1].tv_nsec - at[0].tv_nsec);
    assert_true(between_ns >= 2000000000);
    wait_delivered(outbox);
    outbox_destroy(outbox, 0);
    fake_stop(&fake);
}

static void a_dead_op_is_listed_and_sent_again_from_another_thread(void **state)
{
    static const struct fake_step steps[] = {
        {FAKE_ANSWER, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"}, {FAKE_ANSWER, FAKE_200}};
    const struct outbox_pick pick = {.sink = 0};
    struct outbox_redriven redriven;
    struct outbox_dead_row row;
    struct outbox *outbox;
    struct sink_counters c;

    (void)state;
    start(steps, 2);
    outbox = open_outbox(NULL, 0, 0, 0);
    assert_int_equal(outbox_sink_find(outbox, "hook"), 0);
    assert_int_equal(outbox_sink_find(outbox, "hoo"), -1);
    assert_int_equal(outbox_dead(outbox, &pick, &row, 1), 0);
    submit(outbox, 7, 1, OP_OPEN, 0);
    assert_int_equal(wait_delivered(outbox).dead, 1);
    assert_int_equal(outbox_dead(outbox, &pick, &row, 1), 1);
    assert_string_equal(row.error, "HTTP 404");
    outbox_redrive(outbox, &pick, &redriven);
    assert_int_equal(redriven.redriven, 1);
    wait_requests(&fake, 2);
    c = wait_delivered(outbox);
    assert_int_equal(c.done, 1);
    assert_true(outbox_fill(outbox) == 0);
    assert_int_equal(outbox_destroy(outbox, 0), 0);
    fake_stop(&fake);
}

static void O3_a_stalled_sink_delays_no_other_sink(void **state)
{
    static const struct fake_step stall[] = {{FAKE_STALL, NULL}},
                                  good[] = {{FAKE_ANSWER, FAKE_200}};
    struct sink_config configs[2] = {{.name = "slow", .type = "webhook", .option_count = 2},
                                     {.name = "good", .type = "webhook", .option_count = 2}};
    struct outbox_config config = {.sinks = configs, .sink_count = 2};
    struct outbox *outbox;
    struct error err = {""};
    struct sink_counters c[2];

    (void)state;
    start(stall, 1);
    fake_start(&other, good, 1);
    snprintf(other_url, sizeof(other_url), "http://127.0.0.1:%u/", other.port);
    for (size_t i = 0; i < 2; i++) {
        configs[i].option[0].key = "url";
        configs[i].option[0].value = i == 0 ? url : other_url;
        configs[i].option[1].key = "timeout_ms";
        configs[i].option[1].value = "60000";
    }
    assert_int_equal(outbox_create(&config, &outbox, &err), 0);
    for (uint64_t i = 1; i <= 40; i++) {
        submit(outbox, i, 1, OP_OPEN, 0);
        submit(outbox, i, 1, OP_OPEN, 1);
    }
    wait_requests(&other, 40);
    assert_int_equal(outbox_counters(outbox, c, 2), 2);
    assert_int_equal(c[0].done, 0);
    assert_int_equal(c[0].waiting, 40);
    /* Forty are stuck: the end does not wait for them longer than it was told. */
    assert_int_equal(outbox_destroy(outbox, 50), 40);
    fake_stop(&other);
    fake_stop(&fake);
}

static void O7_at_the_bound_nothing_more_is_taken_and_nothing_dropped(void **state)
{
    struct outbox *outbox;
    struct op op = fixture_op(99, 1, OP_OPEN, 0);

    (void)state;
    snprintf(url, sizeof(url), "http://127.0.0.1:1/"); /* nobody listens */
    outbox = open_outbox(NULL, 0, 10, 0);
    assert_true(outbox_fill(outbox) == 0);
    for (uint64_t i = 1; i <= 10; i++)
        submit(outbox, i, 1, OP_OPEN, 0);
    assert_true(outbox_fill(outbox) == 1);
    assert_false(outbox_submit(outbox, &op));
    assert_int_equal(counters(outbox).waiting, 10);
    assert_int_equal(outbox_destroy(outbox, 0), 10);
    outbox = open_outbox(NULL, 0, 0, 2000); /* by memory: an incident takes hundreds of bytes */
    for (unsigned i = 0; i < 5 && op.incident != NULL; i++) {
        op.incident->id.lo = 1000 + i;
        if (outbox_submit(outbox, &op))
            op = fixture_op(99, 1, OP_OPEN, 0);
        else {
            incident_unref(op.incident); /* still ours */
            op.incident = NULL;
        }
    }
    assert_null(op.incident);
    assert_true(outbox_fill(outbox) == 1);
    outbox_destroy(outbox, 0);
}

static void many_incidents_from_another_thread_all_arrive(void **state)
{
    enum { INCIDENTS = 200 };
    static const struct fake_step steps[] = {{FAKE_ANSWER, FAKE_200}};
    static const char *const options[][2] = {{"rate_per_minute", "0"},
                                             {"idempotent", "true"},
                                             {"in_flight_max", "1"},
                                             {"timeout_ms", "60000"}};
    struct sink_config config = {.name = "hook", .type = "webhook", .option_count = 5};
    struct outbox_config outbox_config = {.sinks = &config, .sink_count = 1};
    struct outbox *outbox;
    struct error err = {""};

    (void)state;
    start(steps, 1);
    config.option[0].key = "url";
    config.option[0].value = url;
    for (size_t i = 0; i < 4; i++) {
        config.option[i + 1].key = options[i][0];
        config.option[i + 1].value = options[i][1];
    }
    assert_int_equal(outbox_create(&outbox_config, &outbox, &err), 0);
    for (uint64_t i = 1; i <= INCIDENTS; i++) {
        submit(outbox, i, 1, OP_OPEN, 0);
        submit(outbox, i, 2, OP_RESOLVE, 0);
    }
    assert_int_equal(outbox_destroy(outbox, DEADLINE_S * 1000), 0);
    assert_int_equal(fake.request_count, 2 * INCIDENTS);
    fake_stop(&fake);
}

/* The sixth attempt and later ones are seconds away: a breaker is open. A stop has less than the
 * least delay, a second: by itself nothing would be due in that time. A machine that stands still
 * meanwhile shows nothing, and it is tried again. */
static bool stop_tries_once_more(void)
{
    static const struct fake_step steps[] = {
        {FAKE_ANSWER, "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"},
        {FAKE_ANSWER, "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"},
        {FAKE_ANSWER, "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"},
        {FAKE_ANSWER, "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"},
        {FAKE_ANSWER, "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"},
        {FAKE_ANSWER, FAKE_200},
    };
    uint64_t deadline_ns = host_mono_ns() + DEADLINE_S * UINT64_C(1000000000);
    struct outbox *outbox;

    start(steps, 6);
    outbox = open_outbox(NULL, 0, 0, 0);
    for (uint64_t i = 1; i <= 5; i++)
        submit(outbox, i, 1, OP_OPEN, 0);
    while (!counters(outbox).breaker_open && !is_past(deadline_ns))
        continue;
    bool all_wait = counters(outbox).waiting == 5;
    size_t left = outbox_destroy(outbox, 900);
    fake_stop(&fake);
    return all_wait && left == 0;
}

static void a_stop_tries_once_more_what_a_sink_that_was_down_did_not_take(void **state)
{
    bool tries = false;

    (void)state;
    for (int i = 0; i < 10 && !tries; i++)
        tries = stop_tries_once_more();
    assert_true(tries);
}

static void a_server_that_cannot_be_trusted_gets_nothing(void **state)
{
    /* It speaks plain HTTP on a port that is expected to speak TLS. */
    static const struct fake_step steps[] = {{FAKE_ANSWER_CLOSE, "HTTP/1.1 400 Bad\r\n\r\n"}};
    struct outbox *outbox;
    struct sink_counters c;
    uint64_t deadline_ns = host_mono_ns() + DEADLINE_S * UINT64_C(1000000000);

    (void)state;
    start(steps, 1);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", fake.port);
    outbox = open_outbox(NULL, 0, 0, 0);
    submit(outbox, 7, 1, OP_OPEN, 0);
    do
        c = counters(outbox);
    while (c.retries == 0 && !is_past(deadline_ns));
    assert_true(c.retries > 0);
    assert_int_equal(c.uncertain, 0); /* no byte of the request left */
    assert_int_equal(c.bytes_sent, 0);
    assert_true(c.last_error[0] != '\0');
    assert_int_equal(outbox_destroy(outbox, 0), 1);
    fake_stop(&fake);
}

struct asked {
    struct event_base *loop;
    unsigned times;
    enum transport_result result;
};

static bool no_more(void *self)
{
    ((struct asked *)self)->times++;
    return false;
}

static void on_done(void *self, const struct transport_answer *answer)
{
    struct asked *asked = self;

    asked->result = answer->result;
    event_base_loopbreak(asked->loop);
}

/* The last look is behind the connection, where a process may have slept for long. */
static void S2_what_may_not_leave_any_more_stops_at_its_first_byte(void **state)
{
    static const struct fake_step steps[] = {{FAKE_ANSWER_CLOSE, "HTTP/1.1 200 OK\r\n\r\n"}};
    static const struct timeval limit = {.tv_sec = DEADLINE_S};
    struct asked asked = {.loop = event_base_new(), .result = TRANSPORT_RESULT_COUNT};
    struct transport_curl *curl;
    struct error err;

    (void)state;
    start(steps, 1);
    const struct transport_request request = {.method = "POST",
                                              .url = url,
                                              .body = "{}",
                                              .body_bytes = 2,
                                              .connect_timeout_ms = 10000,
                                              .timeout_ms = 10000,
                                              .proxy = "",
                                              .no_proxy = "",
                                              .ca_file = "",
                                              .client_cert = "",
                                              .client_key = "",
                                              .client_key_password = "",
                                              .may_leave = no_more,
                                              .may_leave_self = &asked};
    curl = transport_curl_create(asked.loop, &err);
    assert_non_null(curl);
    const struct transport *transport = transport_curl_table(curl);
    assert_int_equal(transport->send(transport->self, &request, on_done, &asked), 0);
    event_base_loopexit(asked.loop, &limit);
    event_base_dispatch(asked.loop);
    assert_int_equal(asked.result, TRANSPORT_BEFORE_FIRST_BYTE);
    assert_int_equal(asked.times, 1);
    transport_curl_destroy(curl);
    event_base_free(asked.loop);
    fake_stop(&fake);
    assert_int_equal(fake.request_count, 0);
}

static void a_broken_configuration_starts_nothing(void **state)
{
    struct sink_config configs[2] = {
        {.name = "a", .type = "webhook", .option = {{"url", "http://x/"}}, .option_count = 1},
        {.name = "a", .type = "webhook", .option = {{"url", "http://y/"}}, .option_count = 1}};
    struct outbox_config config = {.sinks = configs, .sink_count = 2};
    struct outbox *outbox;
    struct error err = {""};

    (void)state;
    assert_true(outbox_create(&config, &outbox, &err) < 0);
    assert_string_equal(err.text, "sink a: there are two sinks of this name");
    configs[1].name = "b";
    configs[1].type = "pager";
    assert_true(outbox_create(&config, &outbox, &err) < 0);
    assert_non_null(strstr(err.text, "sink b: unknown type \"pager\""));
}

/* ---- tickets, and the doors of the journal ---- */

#define SYS_ID "00000000000000000000000000000001"
#define JSON(status, bytes, body) "HTTP/1.1 " status "\r\nContent-Length: " bytes "\r\n\r\n" body
#define RECORD                                                                                     \
    "{\"sys_id\":\"" SYS_ID "\",\"number\":\"INC1\",\"state\":\"1\","                              \
    "\"correlation_id\":\"0123456789abcdef0000000000000007\"}"

/* What is told of moves; kept until the test opens its gate. */
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static void *told_gate;
static enum op_state told_last;
static size_t told_count;

static bool on_moved(void *self, const struct outbox_move *move)
{
    (void)self;
    pthread_mutex_lock(&told_lock);
    told_count++;
    told_last = move->state;
    if (move->gate != NULL)
        told_gate = move->gate;
    pthread_mutex_unlock(&told_lock);
    return move->gate != NULL;
}

/* Waits for the next gate, and opens it. */
static void open_next_gate(struct outbox *outbox)
{
    uint64_t deadline_ns = host_mono_ns() + DEADLINE_S * UINT64_C(1000000000);
    void *gate = NULL;

    while (gate == NULL && !is_past(deadline_ns)) {
        pthread_mutex_lock(&told_lock);
        gate = told_gate;
        told_gate = NULL;
        pthread_mutex_unlock(&told_lock);
    }
    assert_non_null(gate);
    outbox_permit(outbox, gate);
}

static struct outbox *open_servicenow(struct outbox_resumed *resumed, size_t count)
{
    static char base[64];
    struct sink_config config = {
        .name = "snow",
        .type = "servicenow",
        .option = {{"url", base}, {"user", "tocsin"}, {"password", "x"}, {"settle_ms", "100"}},
        .option_count = 4};
    struct outbox_config outbox_config = {.sinks = &config,
                                          .sink_count = 1,
                                          .moved = on_moved,
                                          .resumed = resumed,
                                          .resumed_count = count};
    struct outbox *outbox = NULL;
    struct error err = {""};

    snprintf(base, sizeof(base), "http://127.0.0.1:%u", fake.port);
    told_gate = NULL;
    told_count = 0;
    if (outbox_create(&outbox_config, &outbox, &err) != 0)
        fail_msg("%s", err.text);
    return outbox;
}

static void assert_request(size_t index, const char *line)
{
    if (strncmp(fake.requests[index], line, strlen(line)) != 0)
        fail_msg("request %zu is %.120s", index, fake.requests[index]);
}

static void a_ticket_is_looked_up_made_looked_up_and_changed(void **state)
{
    static const struct fake_step steps[] = {
        {FAKE_ANSWER_CLOSE, JSON("200 OK", "13", "{\"result\":[]}")},
        {FAKE_HANG_UP, NULL}, /* 200 then lost */
        {FAKE_ANSWER_CLOSE, JSON("200 OK", "138", "{\"result\":[" RECORD "]}")},
        {FAKE_ANSWER_CLOSE, JSON("200 OK", "136", "{\"result\":" RECORD "}")},
    };
    struct outbox *outbox;
    struct sink_counters c;

    (void)state;
    start(steps, 4);
    outbox = open_servicenow(NULL, 0);
    submit(outbox, 7, 1, OP_OPEN, 0);
    open_next_gate(outbox);
    wait_requests(&fake, 3);
    submit(outbox, 7, 2, OP_RESOLVE, 0);
    open_next_gate(outbox);
    wait_requests(&fake, 4);
    c = wait_delivered(outbox);
    assert_int_equal(c.done, 2);
    assert_int_equal(c.uncertain, 1);
    assert_int_equal(outbox_destroy(outbox, 1000), 0);
    assert_request(0,
                   "GET /api/now/table/incident?sysparm_query=correlation_id%3D0123456789abcdef");
    assert_request(1, "POST /api/now/table/incident HTTP/1.1\r\n");
    assert_request(2, "GET /api/now/table/incident?");
    assert_request(3, "PATCH /api/now/table/incident/" SYS_ID " HTTP/1.1\r\n");
    assert_null(strcasestr(fake.requests[0], "Content-Length"));
    assert_non_null(strstr(fake.requests[0], "Authorization: Basic dG9jc2luOng=\r\n"));
    assert_non_null(strstr(fake.requests[3], "\"state\":\"6\""));
    fake_stop(&fake);
}

static void O1_ops_of_a_former_process_go_on_and_count(void **state)
{
    static const struct fake_step steps[] = {
        {FAKE_ANSWER, JSON("200 OK", "136", "{\"result\":" RECORD "}")},
    };
    struct outbox_resumed left[2] = {
        {.state = OP_DONE, .op = {.number = 1}, .remote = {SYS_ID, "INC1"}},
        {.state = OP_PENDING, .op = fixture_op(7, 2, OP_RESOLVE, 0)},
    };
    struct outbox *outbox;
    struct sink_counters c;

    (void)state;
    left[0].incident = left[1].incident = left[1].op.incident->id;
    start(steps, 1);
    outbox = open_servicenow(left, 2);
    assert_true(outbox_fill(outbox) > 0);
    open_next_gate(outbox);
    c = wait_delivered(outbox);
    assert_int_equal(c.ops, 1);
    assert_int_equal(c.done, 1);
    assert_true(outbox_fill(outbox) == 0);
    assert_int_equal(outbox_destroy(outbox, 1000), 0);
    assert_int_equal(told_count, 2);
    assert_int_equal(told_last, OP_DONE);
    assert_request(0, "PATCH /api/now/table/incident/" SYS_ID " HTTP/1.1\r\n");
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_of_an_incident_arrive_once_in_order),
        cmocka_unit_test(bad_answers_are_retried_until_a_good_one),
        cmocka_unit_test(O6_what_is_lost_after_the_request_left_is_uncertain),
        cmocka_unit_test(O6_a_hang_up_inside_the_request_is_uncertain_as_well),
        cmocka_unit_test(O6_a_kept_connection_that_dies_causes_no_hidden_repeat),
        cmocka_unit_test(connections_are_kept_where_repeats_are_harmless),
        cmocka_unit_test(O5_a_throttle_is_obeyed),
        cmocka_unit_test(a_dead_op_is_listed_and_sent_again_from_another_thread),
        cmocka_unit_test(O3_a_stalled_sink_delays_no_other_sink),
        cmocka_unit_test(O7_at_the_bound_nothing_more_is_taken_and_nothing_dropped),
        cmocka_unit_test(many_incidents_from_another_thread_all_arrive),
        cmocka_unit_test(a_stop_tries_once_more_what_a_sink_that_was_down_did_not_take),
        cmocka_unit_test(a_server_that_cannot_be_trusted_gets_nothing),
        cmocka_unit_test(S2_what_may_not_leave_any_more_stops_at_its_first_byte),
        cmocka_unit_test(a_broken_configuration_starts_nothing),
        cmocka_unit_test(a_ticket_is_looked_up_made_looked_up_and_changed),
        cmocka_unit_test(O1_ops_of_a_former_process_go_on_and_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

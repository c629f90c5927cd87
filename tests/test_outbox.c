/*
 * Aim: the outbox keeps O1 to O8. Method: the core is driven on virtual time with a
 * transport that records what was sent and answers when the test says so; each
 * statement has a test named after it, and one run of random answers checks order,
 * sums and O8 together. The thread around the core is tested in test_outbox_http.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "sink_fixture.h"
#include "sinks/outbox_core.h"

static const char pd_ok[] = "{\"status\":\"success\"}";

static struct sink *sinks[2];
static struct outbox_core *core;
static uint64_t finished_ops, finished_bytes, changes;

enum { OPS_MAX = 100000 };

static void on_finished(void *self, uint64_t bytes)
{
    (void)self;
    finished_ops++;
    finished_bytes += bytes;
}

static void on_changed(void *self)
{
    (void)self;
    changes++;
}

/* Two webhook sinks, "one" with the extra options, "two" plain. Rates unlimited. */
static void begin_world(const char *const extra[][2], size_t extra_count)
{
    const struct outbox_core_hooks hooks = {NULL, on_finished, on_changed};
    struct sink_config one = {.name = "one", .type = "webhook"};
    struct sink_config two = {.name = "two", .type = "webhook"};
    struct error err = {""};

    one.option[0].key = two.option[0].key = "url";
    one.option[0].value = "http://one.example/";
    two.option[0].value = "http://two.example/";
    two.option[1].key = "rate_per_minute";
    two.option[1].value = "0";
    one.option_count = 1;
    two.option_count = 2;
    for (size_t i = 0; i < extra_count; i++) {
        one.option[one.option_count].key = extra[i][0];
        one.option[one.option_count++].value = extra[i][1];
    }
    if (extra_count == 0 || strcmp(extra[0][0], "rate_per_minute") != 0)
        one.option[one.option_count++] = two.option[1];
    finished_ops = finished_bytes = changes = 0;
    assert_int_equal(sink_create(&one, true, &sinks[0], &err), 0);
    assert_int_equal(sink_create(&two, true, &sinks[1], &err), 0);
    core = outbox_core_create(sinks, 2, &fixture_transport, OPS_MAX, &hooks);
    assert_non_null(core);
}

static int set_up(void **state)
{
    (void)state;
    fixture_host_install();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    outbox_core_destroy(core);
    core = NULL;
    sink_destroy(sinks[0]);
    sink_destroy(sinks[1]);
    sinks[0] = sinks[1] = NULL;
    fixture_sent_clear();
    host_set(NULL);
    return 0;
}

static void submit(uint64_t incident, uint32_t number, enum op_kind kind, uint16_t sink)
{
    struct op op = fixture_op(incident, number, kind, sink);

    outbox_core_take(core, outbox_op_create(&op));
}

static void submit_priority(uint64_t incident, uint32_t number, enum op_kind kind,
                            enum priority priority)
{
    struct op op = fixture_op(incident, number, kind, 0);

    op.incident->priority = (uint8_t)priority;
    outbox_core_take(core, outbox_op_create(&op));
}

static struct sink_counters counters(size_t sink)
{
    struct sink_counters c;

    outbox_core_counters(core, sink, &c);
    assert_int_equal(c.ops, c.done + c.dead + c.superseded + c.waiting); /* L5, always */
    return c;
}

/* A number out of a sent body: the first `"name":` in it. */
static unsigned long long sent_number(size_t index, const char *name)
{
    char pattern[64];
    const char *at;

    snprintf(pattern, sizeof(pattern), "\"%s\":", name);
    at = strstr(fixture_sent[index].body, pattern);
    assert_non_null(at);
    return strtoull(at + strlen(pattern), NULL, 10);
}

static bool sent_has(size_t index, const char *text)
{
    return strstr(fixture_sent[index].body, text) != NULL;
}

static uint64_t incident_of(size_t index)
{
    const char *at = strstr(fixture_sent[index].body, "\"incident\":{\"id\":\"");

    assert_non_null(at);
    return strtoull(at + strlen("\"incident\":{\"id\":\"") + 16, NULL, 16);
}

/* Moves time to the next due time of the core and runs it; at most `limit_ms`. */
static void run_next(uint64_t limit_ms)
{
    uint64_t due_ns = outbox_core_due_ns(core), limit_ns = fixture_mono_ns + limit_ms * 1000000;
    uint64_t to_ns = due_ns < limit_ns ? due_ns : limit_ns;

    if (to_ns > fixture_mono_ns) {
        fixture_wall_ms += (int64_t)((to_ns - fixture_mono_ns) / 1000000);
        fixture_mono_ns = to_ns;
    }
    outbox_core_run(core);
}

/* Runs until one more request than `count` was sent, within `limit_ms`. */
static bool run_until_sent(size_t count, uint64_t limit_ms)
{
    uint64_t end_ns = fixture_mono_ns + limit_ms * 1000000;

    while (fixture_sent_count <= count && fixture_mono_ns < end_ns)
        run_next((end_ns - fixture_mono_ns) / 1000000 + 1);
    return fixture_sent_count > count;
}

/* ---- O1 ---- */

static void O1_an_op_is_pending_then_intent_then_done(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    assert_int_equal(counters(0).waiting, 1);
    assert_int_equal(fixture_sent_count, 0); /* nothing leaves before run() */
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_int_equal(outbox_core_in_flight(core), 1);
    assert_int_equal(counters(0).waiting, 1);
    assert_int_equal(outbox_core_due_ns(core), UINT64_MAX);
    fixture_answer(0, 200, "", "");
    assert_int_equal(changes, 1);
    assert_int_equal(counters(0).done, 1);
    assert_int_equal(outbox_core_waiting(core), 0);
    assert_int_equal(outbox_core_in_flight(core), 0);
    assert_int_equal(finished_ops, 1);
    assert_int_equal(counters(0).bytes_sent, strlen(fixture_sent[0].body));
}

static void O1_an_attempt_that_fails_goes_through_retry_and_keeps_its_id(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 503, "busy", "");
    assert_int_equal(counters(0).retries, 1);
    assert_string_equal(counters(0).last_error, "HTTP 503: busy");
    assert_true(run_until_sent(1, 10000));
    assert_string_equal(fixture_sent[0].body, fixture_sent[1].body);
    assert_string_equal(fixture_sent[0].headers[1], fixture_sent[1].headers[1]);
    assert_string_equal(fixture_sent[0].headers[2], "Tocsin-Attempt: 1");
    assert_string_equal(fixture_sent[1].headers[2], "Tocsin-Attempt: 2");
    fixture_answer(1, 204, "", "");
    assert_int_equal(counters(0).done, 1);
}

/* ---- O2 ---- */

static void O2_one_op_in_flight_per_incident_in_order(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    submit(1, 2, OP_UPDATE, 0);
    submit(1, 3, OP_ACK, 0);
    submit(1, 4, OP_RESOLVE, 0);
    for (uint32_t i = 0; i < 4; i++) {
        outbox_core_run(core);
        assert_int_equal(fixture_sent_count, i + 1);
        assert_int_equal(sent_number(i, "number"), i + 1);
        fixture_answer(i, 200, "", "");
    }
    assert_int_equal(counters(0).done, 4);
    assert_int_equal(counters(0).superseded, 0);
}

static void O2_a_retry_keeps_later_ops_of_the_incident_waiting(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    submit(1, 2, OP_RESOLVE, 0);
    fixture_answer(0, 500, "", "");
    assert_true(run_until_sent(1, 10000));
    assert_int_equal(sent_number(1, "number"), 1);
    fixture_answer(1, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(sent_number(2, "number"), 2);
}

static void O2_incidents_do_not_wait_for_each_other(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 5; i++)
        submit(i, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 5);
    fixture_answer(2, 200, "", "");
    submit(3, 2, OP_RESOLVE, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 6); /* although four opens are still out */
    assert_true(sent_has(5, "\"kind\":\"resolve\""));
}

static void O2_the_rate_budget_is_shared_by_all_incidents(void **state)
{
    static const char *const options[][2] = {{"rate_per_minute", "60"}, {"burst", "3"}};
    uint64_t from_ns;

    (void)state;
    begin_world(options, 2);
    for (uint64_t i = 1; i <= 6; i++)
        submit(i, 1, OP_OPEN, 0);
    from_ns = fixture_mono_ns;
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 3); /* the burst */
    for (size_t i = 3; i < 6; i++) {
        assert_true(run_until_sent(i, 5000));
        assert_int_equal(fixture_sent_count, i + 1);
        /* then one a second: 60 a minute */
        assert_int_equal(fixture_sent[i].at_ns - from_ns, (i - 2) * 1000000000);
    }
}

static void O2_attempts_under_way_are_bounded(void **state)
{
    static const char *const options[][2] = {{"in_flight_max", "2"}};

    (void)state;
    begin_world(options, 1);
    for (uint64_t i = 1; i <= 4; i++)
        submit(i, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 2);
    fixture_answer(1, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 3);
}

/* ---- O3 ---- */

static void O3_a_stalled_sink_delays_no_other_sink(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 50; i++) {
        submit(i, 1, OP_OPEN, 0);
        submit(i, 1, OP_OPEN, 1);
    }
    for (size_t done = 0; done < 50;) { /* sink one never answers */
        outbox_core_run(core);
        for (size_t i = 0; i < fixture_sent_count; i++)
            if (fixture_sent[i].done != NULL &&
                strcmp(fixture_sent[i].url, "http://two.example/") == 0) {
                fixture_answer(i, 200, "", "");
                done++;
            }
    }
    assert_int_equal(counters(1).done, 50);
    assert_int_equal(counters(0).done, 0);
    assert_int_equal(counters(0).waiting, 50);
}

static void O3_a_breaker_opens_for_its_sink_alone_and_closes_by_a_probe(void **state)
{
    size_t sent;

    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 20; i++)
        submit(i, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 8); /* in_flight_max */
    for (size_t i = 0; i < 8; i++)
        fixture_fail(i, TRANSPORT_CONNECT);
    assert_true(counters(0).breaker_open);
    assert_false(counters(1).breaker_open);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 8); /* nothing while it is open */
    submit(1, 1, OP_OPEN, 1);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 9);
    fixture_answer(8, 200, "", "");
    assert_true(run_until_sent(9, 60000));
    assert_int_equal(fixture_sent_count, 10); /* one probe, though many ops are due */
    fixture_fail(9, TRANSPORT_CONNECT);
    assert_true(run_until_sent(10, 60000));
    sent = fixture_sent_count;
    assert_int_equal(sent, 11);
    fixture_answer(10, 200, "", "");
    assert_false(counters(0).breaker_open);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, sent + 8); /* everyone again, at once */
}

static void O3_what_waited_for_a_dead_sink_leaves_when_it_answers_again(void **state)
{
    for (unsigned round = 0; round < 20; round++) {
        tear_down(state);
        set_up(state);
        begin_world(NULL, 0);
        submit(1, 1, OP_OPEN, 0);
        outbox_core_run(core);
        for (size_t i = 0; i < 12; i++) { /* its delays grow beyond those of the breaker */
            fixture_fail(i, TRANSPORT_CONNECT);
            assert_true(run_until_sent(i + 1, 400000));
        }
        submit(2, 1, OP_OPEN, 0); /* never tried yet, so it will be a probe soon */
        while (incident_of(fixture_sent_count - 1) == 1) {
            fixture_fail(fixture_sent_count - 1, TRANSPORT_CONNECT);
            assert_true(run_until_sent(fixture_sent_count, 61000));
        }
        fixture_answer(fixture_sent_count - 1, 200, "", "");
        outbox_core_run(core);
        /* At once, and not when its own delay of up to five minutes has passed. */
        assert_int_equal(incident_of(fixture_sent_count - 1), 1);
        assert_int_equal(outbox_core_in_flight(core), 1);
    }
}

/* ---- O4 ---- */

static void O4_updates_merge_into_what_has_not_been_sent(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    submit(1, 2, OP_UPDATE, 0);
    submit(1, 3, OP_UPDATE, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_true(sent_has(0, "\"kind\":\"open\"")); /* an open stays an open */
    assert_int_equal(sent_number(0, "number"), 1);
    assert_int_equal(sent_number(0, "change_number"), 3); /* and tells the newest state */
    assert_int_equal(counters(0).superseded, 2);
    fixture_answer(0, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_int_equal(counters(0).waiting, 0);
    assert_int_equal(finished_ops, 3);
}

static void O4_an_update_after_the_first_byte_is_an_op_of_its_own(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    submit(1, 2, OP_UPDATE, 0); /* the open is under way */
    submit(1, 3, OP_UPDATE, 0); /* this one merges into the first update */
    assert_int_equal(counters(0).superseded, 1);
    fixture_answer(0, 500, "", ""); /* sent and answered, if only with an error */
    submit(1, 4, OP_UPDATE, 0);
    assert_int_equal(counters(0).superseded, 2);
    assert_true(run_until_sent(1, 10000));
    assert_int_equal(sent_number(1, "number"), 1);
    assert_int_equal(sent_number(1, "change_number"), 1);
    fixture_answer(1, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(sent_number(2, "number"), 2);
    assert_int_equal(sent_number(2, "change_number"), 4);
}

static void O4_an_op_that_was_answered_takes_no_update_in(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 503, "", "");
    submit(1, 2, OP_UPDATE, 0); /* the sink has seen the open as it was */
    assert_int_equal(counters(0).superseded, 0);
    assert_true(run_until_sent(1, 10000));
    assert_int_equal(sent_number(1, "change_number"), 1);
}

static void O4_an_op_that_never_left_still_takes_updates_in(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_fail(0, TRANSPORT_CONNECT);
    submit(1, 2, OP_UPDATE, 0);
    assert_int_equal(counters(0).superseded, 1);
    assert_true(run_until_sent(1, 10000));
    assert_int_equal(sent_number(1, "change_number"), 2);
}

static void O4_opens_and_resolves_never_vanish(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    submit(1, 2, OP_UPDATE, 0);
    submit(1, 3, OP_RESOLVE, 0);
    outbox_core_run(core);
    assert_true(sent_has(0, "\"kind\":\"open\""));
    fixture_answer(0, 200, "", "");
    outbox_core_run(core);
    assert_true(sent_has(1, "\"kind\":\"resolve\""));
    assert_int_equal(counters(0).superseded, 1);
}

static void O4_fold_resolved_drops_an_incident_of_which_nothing_was_sent(void **state)
{
    static const char *const options[][2] = {{"fold_resolved", "true"}};

    (void)state;
    begin_world(options, 1);
    submit(1, 1, OP_OPEN, 0); /* waits */
    submit(1, 2, OP_UPDATE, 0);
    submit(1, 3, OP_RESOLVE, 0);
    assert_int_equal(counters(0).superseded, 3);
    assert_int_equal(counters(0).waiting, 0);
    submit(2, 1, OP_OPEN, 0); /* was refused a connection */
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    fixture_fail(0, TRANSPORT_CONNECT);
    submit(2, 2, OP_RESOLVE, 0);
    assert_int_equal(counters(0).superseded, 5);
    submit(3, 1, OP_OPEN, 0); /* is under way: must be resolved */
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 2);
    submit(3, 2, OP_RESOLVE, 0);
    assert_int_equal(counters(0).superseded, 5);
    fixture_answer(1, 500, "", ""); /* answered, so something was sent */
    assert_true(run_until_sent(2, 10000));
    fixture_answer(2, 200, "", "");
    outbox_core_run(core);
    assert_true(sent_has(3, "\"kind\":\"resolve\""));
}

/* ---- O5 ---- */

static void O5_delays_grow_from_a_second_to_five_minutes_with_jitter(void **state)
{
    enum { TRIES = 300 };
    uint64_t longest = 0, shortest_late = UINT64_MAX;

    (void)state;
    begin_world(NULL, 0);
    submit_priority(1, 1, OP_OPEN, PRIORITY_P1);
    outbox_core_run(core);
    for (size_t i = 0; i < TRIES; i++) {
        uint64_t gap, ceiling = i < 8 ? 2000u << i : 300000;
        assert_int_equal(fixture_sent_count, i + 1);
        fixture_fail(i, TRANSPORT_CONNECT);
        assert_true(run_until_sent(i + 1, 400000));
        gap = (fixture_sent[i + 1].at_ns - fixture_sent[i].at_ns) / 1000000;
        assert_true(gap >= 1000);
        /* From the fifth failure on the breaker may hold the attempt up to a minute. */
        assert_true(gap <= (i >= 4 && ceiling < 60000 ? 60000 : ceiling) + 1);
        if (gap > longest)
            longest = gap;
        if (i > 20 && gap < shortest_late)
            shortest_late = gap;
    }
    /* Drawn evenly from 1 s to 300 s, 280 times: neither end can be missed by far. */
    assert_true(longest > 270000);
    assert_true(shortest_late < 70000);
}

static void O5_retry_after_is_honoured_in_seconds(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 429, "", "120");
    submit(2, 1, OP_OPEN, 0); /* the sink's limit: other incidents wait as well */
    assert_true(run_until_sent(1, 200000));
    assert_int_equal(fixture_sent[1].at_ns - fixture_sent[0].at_ns, 120 * UINT64_C(1000000000));
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 3);
    fixture_answer(1, 503, "", "77"); /* this op's own */
    submit(3, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 4);
}

static void O5_retry_after_is_honoured_as_a_date(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    fixture_wall_ms = 784111777000 - 90000; /* 90 s before Sun, 06 Nov 1994 08:49:37 GMT */
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 503, "", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_true(run_until_sent(1, 200000));
    assert_int_equal(fixture_sent[1].at_ns - fixture_sent[0].at_ns, 90 * UINT64_C(1000000000));
    fixture_wall_ms = 1769940000000;
}

/* Fails every attempt for `hours`; how many were made. */
static size_t fail_for_hours(unsigned hours)
{
    uint64_t end_ns = fixture_mono_ns + hours * UINT64_C(3600000000000);

    outbox_core_run(core);
    while (fixture_mono_ns < end_ns && outbox_core_waiting(core) > 0) {
        for (size_t i = 0; i < fixture_sent_count; i++)
            if (fixture_sent[i].done != NULL)
                fixture_answer(i, 500, "", "");
        if (outbox_core_waiting(core) > 0)
            run_next((end_ns - fixture_mono_ns) / 1000000 + 1);
    }
    return fixture_sent_count;
}

static void O5_an_op_is_dead_after_72_hours(void **state)
{
    uint64_t from_ns = fixture_mono_ns, age_s;
    size_t tries;

    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    tries = fail_for_hours(71);
    assert_int_equal(counters(0).dead, 0);
    assert_true(tries > 71 * 12); /* at least every five minutes */
    fail_for_hours(2);
    assert_int_equal(counters(0).dead, 1);
    assert_int_equal(counters(0).waiting, 0);
    age_s = (fixture_mono_ns - from_ns) / UINT64_C(1000000000);
    assert_true(age_s >= 72 * 3600);
    assert_true(age_s <= 72 * 3600 + 60); /* the breaker's longest pause may end it later */
}

static void O5_a_P1_is_tried_for_ever(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit_priority(1, 1, OP_OPEN, PRIORITY_P1);
    fail_for_hours(400);
    assert_int_equal(counters(0).dead, 0);
    assert_int_equal(counters(0).waiting, 1);
}

static void O5_ops_behind_a_closed_gate_grow_old_as_well(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 100; i++) /* only probes leave, so most are never tried */
        submit(i, 1, OP_OPEN, 0);
    fail_for_hours(73);
    assert_int_equal(counters(0).dead, 100);
    assert_int_equal(counters(0).waiting, 0);
}

/* ---- O6 ---- */

static void O6_each_status_has_its_class(void **state)
{
    static const struct {
        int status;
        bool done, dead, held;
    } rows[] = {
        {200, true, false, false},  {201, true, false, false},  {202, true, false, false},
        {204, true, false, false},  {301, false, false, false}, {302, false, false, false},
        {400, false, true, false},  {401, false, false, true},  {403, false, false, true},
        {404, false, true, false},  {408, false, false, false}, {409, false, true, false},
        {410, false, true, false},  {413, false, true, false},  {422, false, true, false},
        {425, false, false, false}, {429, false, false, false}, {500, false, false, false},
        {501, false, false, false}, {502, false, false, false}, {503, false, false, false},
        {504, false, false, false}, {599, false, false, false},
    };

    (void)state;
    begin_world(NULL, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sink_counters before, after;
        tear_down(NULL);
        set_up(NULL);
        begin_world(NULL, 0);
        submit(1, 1, OP_OPEN, 0);
        outbox_core_run(core);
        before = counters(0);
        fixture_answer(0, rows[i].status, "", "");
        after = counters(0);
        assert_int_equal(after.done - before.done, rows[i].done);
        assert_int_equal(after.dead - before.dead, rows[i].dead);
        assert_int_equal(after.held, rows[i].held);
        assert_int_equal(after.retries, !rows[i].done && !rows[i].dead);
        assert_int_equal(after.uncertain, 0);
    }
}

static void O6_a_refused_credential_holds_the_whole_sink_and_kills_nothing(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 401, "no", "");
    assert_true(counters(0).held);
    assert_false(counters(1).held);
    submit(2, 1, OP_OPEN, 0);
    submit(2, 1, OP_OPEN, 1);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 2); /* the other sink's alone */
    fixture_answer(1, 200, "", "");
    assert_false(run_until_sent(2, 299000));
    for (unsigned probes = 0; probes < 12 * 100; probes++) { /* one in five minutes: 100 h */
        size_t last = fixture_sent_count;
        assert_true(run_until_sent(last, 302000));
        assert_int_equal(fixture_sent_count, last + 1);
        fixture_answer(last, 403, "", "");
    }
    assert_int_equal(counters(0).dead, 0);
    assert_int_equal(counters(0).waiting, 2);
    assert_true(run_until_sent(fixture_sent_count, 302000));
    fixture_answer(fixture_sent_count - 1, 200, "", "");
    assert_false(counters(0).held);
    outbox_core_run(core);
    fixture_answer(fixture_sent_count - 1, 200, "", "");
    assert_int_equal(counters(0).done, 2);
}

static void O6_an_uncertain_attempt_is_marked_at_a_sink_that_folds_nothing(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_false(fixture_sent[0].may_reuse); /* no hidden repeat by the client */
    assert_true(sent_has(0, "\"possible_repeat\":false"));
    fixture_fail(0, TRANSPORT_AFTER_FIRST_BYTE);
    assert_int_equal(counters(0).uncertain, 1);
    assert_int_equal(counters(0).possible_repeats, 0); /* not before it is sent again */
    assert_true(run_until_sent(1, 10000));
    assert_true(sent_has(1, "\"possible_repeat\":true"));
    assert_int_equal(counters(0).possible_repeats, 1);
    fixture_answer(1, 200, "", "");
    submit(1, 2, OP_RESOLVE, 0);
    outbox_core_run(core);
    assert_true(sent_has(2, "\"possible_repeat\":false")); /* another op, not in doubt */
}

static void O6_an_uncertain_attempt_goes_out_unmarked_where_repeats_are_folded(void **state)
{
    static const char *const options[][2] = {{"idempotent", "true"}};

    (void)state;
    begin_world(options, 1);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_true(fixture_sent[0].may_reuse);
    fixture_fail(0, TRANSPORT_AFTER_FIRST_BYTE);
    assert_true(run_until_sent(1, 10000));
    assert_string_equal(fixture_sent[0].headers[1], fixture_sent[1].headers[1]); /* same key */
    assert_true(sent_has(1, "\"possible_repeat\":false"));
    assert_int_equal(counters(0).uncertain, 1);
    assert_int_equal(counters(0).possible_repeats, 0);
}

static void O6_a_failure_before_the_first_byte_is_certain(void **state)
{
    static const enum transport_result results[] = {TRANSPORT_CONNECT, TRANSPORT_TLS,
                                                    TRANSPORT_BEFORE_FIRST_BYTE};

    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    for (size_t i = 0; i < 3; i++) {
        fixture_fail(i, results[i]);
        assert_true(run_until_sent(i + 1, 60000));
        assert_true(sent_has(i + 1, "\"possible_repeat\":false"));
    }
    assert_int_equal(counters(0).uncertain, 0);
    assert_int_equal(counters(0).retries, 3);
}

static void O6_a_2xx_without_the_expected_body_is_not_delivered(void **state)
{
    static const char *const options[][2] = {{"expect_body", "accepted"}};

    (void)state;
    begin_world(options, 1);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 200, "<html>please log in</html>", "");
    assert_int_equal(counters(0).done, 0);
    assert_true(run_until_sent(1, 10000));
    fixture_answer(1, 200, "{\"accepted\":true}", "");
    assert_int_equal(counters(0).done, 1);
}

/* ---- O7: the bound itself is kept by outbox.c; what it counts comes from here ---- */

static void O7_what_was_taken_is_given_back_to_the_byte(void **state)
{
    uint64_t bytes = 0;

    (void)state;
    begin_world(NULL, 0);
    for (uint32_t i = 1; i <= 10; i++) {
        struct op op = fixture_op(1, i, i == 1 ? OP_OPEN : OP_UPDATE, 0);
        struct outbox_op *copy;
        op.incident->title = i % 2 == 0 ? "a longer title than before" : "short";
        copy = outbox_op_create(&op);
        bytes += outbox_op_bytes(copy);
        outbox_core_take(core, copy);
    }
    outbox_core_run(core);
    fixture_answer(0, 200, "", "");
    assert_int_equal(finished_ops, 10);
    assert_int_equal(finished_bytes, bytes);
}

/* ---- O8, with everything at once ---- */

enum { INCIDENTS = 60, STEPS = 30000 };

struct model {
    uint32_t submitted; /* op number */
    uint32_t done;      /* highest number that was answered 2xx */
    int in_flight;      /* index of the request, -1 for none */
    bool is_resolved;
};

/* Looks at requests that were not looked at before. */
static void check_new_requests(struct model *models, size_t *seen)
{
    for (; *seen < fixture_sent_count; (*seen)++) {
        struct model *model = &models[incident_of(*seen)];
        assert_int_equal(model->in_flight, -1);                  /* O2 */
        assert_true(sent_number(*seen, "number") > model->done); /* O2, O8 */
        if (model->done > 0)
            assert_false(sent_has(*seen, "\"kind\":\"open\"")); /* O8 */
        model->in_flight = (int)*seen;
    }
}

static void answer_at_random(struct model *model)
{
    size_t index = (size_t)model->in_flight;
    uint32_t number = (uint32_t)sent_number(index, "number");

    model->in_flight = -1;
    switch (fixture_next_random() % 8) {
    case 0:
        fixture_fail(index, TRANSPORT_AFTER_FIRST_BYTE);
        break;
    case 1:
        fixture_fail(index, TRANSPORT_CONNECT);
        break;
    case 2:
        fixture_answer(index, 503, "", "");
        break;
    case 3:
        fixture_answer(index, 429, "", "3");
        break;
    case 4:
        fixture_answer(index, fixture_next_random() % 50 == 0 ? 401 : 500, "", "");
        break;
    default:
        fixture_answer(index, 200, "", "");
        model->done = number;
    }
}

static void submit_at_random(struct model *model, uint64_t incident)
{
    enum op_kind kind = model->submitted == 0 ? OP_OPEN : OP_UPDATE;

    if (model->is_resolved)
        return;
    if (model->submitted > 0 && fixture_next_random() % 6 == 0) {
        kind = OP_RESOLVE;
        model->is_resolved = true;
    }
    submit(incident, ++model->submitted, kind, 0);
}

static void O8_an_open_is_never_sent_again_once_a_later_op_is_done(void **state)
{
    static struct model models[INCIDENTS];
    size_t seen = 0;
    uint64_t ops = 0;

    (void)state;
    fixture_seed = 20260201;
    printf("seed %llu\n", (unsigned long long)fixture_seed);
    begin_world(NULL, 0);
    for (size_t i = 0; i < INCIDENTS; i++)
        models[i] = (struct model){.in_flight = -1};
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t i = fixture_next_random() % INCIDENTS;
        if (fixture_next_random() % 20 == 0)
            submit_at_random(&models[i], i);
        else if (models[i].in_flight >= 0)
            answer_at_random(&models[i]);
        fixture_advance_ms(fixture_next_random() % 2000);
        outbox_core_run(core);
        check_new_requests(models, &seen);
        counters(0);
    }
    for (size_t i = 0; i < INCIDENTS; i++) {
        while (!models[i].is_resolved)
            submit_at_random(&models[i], i);
        ops += models[i].submitted;
    }
    while (outbox_core_waiting(core) > 0) {
        for (size_t i = 0; i < INCIDENTS; i++)
            if (models[i].in_flight >= 0)
                answer_at_random(&models[i]);
        run_next(400000);
        check_new_requests(models, &seen);
    }
    for (size_t i = 0; i < INCIDENTS; i++)
        assert_int_equal(models[i].done, models[i].submitted); /* each resolve was taken */
    assert_int_equal(counters(0).done + counters(0).superseded, ops);
    assert_int_equal(counters(0).dead, 0);
    assert_int_equal(finished_ops, ops);
}

static void a_2xx_of_pagerduty_counts_only_with_its_own_words(void **state)
{
    const struct outbox_core_hooks hooks = {NULL, on_finished, on_changed};
    struct sink_config config = {.name = "pd", .type = "pagerduty"};
    struct error err = {""};

    (void)state;
    begin_world(NULL, 0);
    outbox_core_destroy(core);
    sink_destroy(sinks[0]);
    config.option[0].key = "routing_key";
    config.option[0].value = "0123456789abcdef0123456789abcdef";
    config.option_count = 1;
    assert_int_equal(sink_create(&config, true, &sinks[0], &err), 0);
    core = outbox_core_create(sinks, 2, &fixture_transport, OPS_MAX, &hooks);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 200, "<html>log in</html>", "");
    assert_int_equal(counters(0).done, 0);
    assert_int_equal(counters(0).retries, 1);
    assert_true(run_until_sent(1, 10000));
    fixture_answer(1, 202, pd_ok, "");
    assert_int_equal(counters(0).done, 1);
    submit(2, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(2, 400,
                   "{\"status\":\"invalid event\",\"errors\":[\"'routing_key' "
                   "0123456789abcdef0123456789abcdef is invalid\"]}",
                   "");
    assert_true(counters(0).held);
    assert_null(strstr(counters(0).last_error, "0123456789abcdef"));
    assert_int_equal(counters(0).dead, 0);
}

static void ops_left_at_the_end_are_released(void **state)
{
    (void)state;
    begin_world(NULL, 0); /* what is left in every place: the sanitizer sees a leak */
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    submit(1, 2, OP_UPDATE, 0);
    submit(2, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_fail(1, TRANSPORT_CONNECT);
    submit(3, 1, OP_OPEN, 1);
    assert_int_equal(outbox_core_waiting(core), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(O1_an_op_is_pending_then_intent_then_done),
        TEST(O1_an_attempt_that_fails_goes_through_retry_and_keeps_its_id),
        TEST(O2_one_op_in_flight_per_incident_in_order),
        TEST(O2_a_retry_keeps_later_ops_of_the_incident_waiting),
        TEST(O2_incidents_do_not_wait_for_each_other),
        TEST(O2_the_rate_budget_is_shared_by_all_incidents),
        TEST(O2_attempts_under_way_are_bounded),
        TEST(O3_a_stalled_sink_delays_no_other_sink),
        TEST(O3_a_breaker_opens_for_its_sink_alone_and_closes_by_a_probe),
        TEST(O3_what_waited_for_a_dead_sink_leaves_when_it_answers_again),
        TEST(O4_updates_merge_into_what_has_not_been_sent),
        TEST(O4_an_update_after_the_first_byte_is_an_op_of_its_own),
        TEST(O4_an_op_that_was_answered_takes_no_update_in),
        TEST(O4_an_op_that_never_left_still_takes_updates_in),
        TEST(O4_opens_and_resolves_never_vanish),
        TEST(O4_fold_resolved_drops_an_incident_of_which_nothing_was_sent),
        TEST(O5_delays_grow_from_a_second_to_five_minutes_with_jitter),
        TEST(O5_retry_after_is_honoured_in_seconds),
        TEST(O5_retry_after_is_honoured_as_a_date),
        TEST(O5_an_op_is_dead_after_72_hours),
        TEST(O5_a_P1_is_tried_for_ever),
        TEST(O5_ops_behind_a_closed_gate_grow_old_as_well),
        TEST(O6_each_status_has_its_class),
        TEST(O6_a_refused_credential_holds_the_whole_sink_and_kills_nothing),
        TEST(O6_an_uncertain_attempt_is_marked_at_a_sink_that_folds_nothing),
        TEST(O6_an_uncertain_attempt_goes_out_unmarked_where_repeats_are_folded),
        TEST(O6_a_failure_before_the_first_byte_is_certain),
        TEST(O6_a_2xx_without_the_expected_body_is_not_delivered),
        TEST(O7_what_was_taken_is_given_back_to_the_byte),
        TEST(O8_an_open_is_never_sent_again_once_a_later_op_is_done),
        TEST(a_2xx_of_pagerduty_counts_only_with_its_own_words),
        TEST(ops_left_at_the_end_are_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

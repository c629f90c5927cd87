/*
 * Aim: what an answer means and when an op is tried again is as O5 and O6 say. Method:
 * the core on virtual time (outbox_world.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/hash.h"
#include "outbox_world.h"

enum { HOUR_MS = 3600000 };

static const char pd_ok[] = "{\"status\":\"success\"}";

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

/* Of many that wait each goes at its own time, however the others lie around it. */
static void O5_many_that_wait_go_when_each_is_due(void **state)
{
    enum { MANY = 100 };
    uint64_t at_ns[2 * MANY + 1] = {0}, incident, due_s;
    char seconds[16];

    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 2 * MANY; i++)
        submit(i, 1, OP_OPEN, 0);
    for (size_t sent = 0; sent < 2 * MANY; sent++) {
        assert_true(fixture_sent_count > sent || run_until_sent(sent, 1000));
        incident = incident_of(sent);
        assert_in_range(incident, 1, 2 * MANY);
        if (incident % 2 == 0) { /* so that the sink is not taken for dead */
            fixture_answer(sent, 200, "", "");
            continue;
        }
        due_s = 10 + hash_mix(incident) % 250;
        at_ns[incident] = fixture_mono_ns + due_s * UINT64_C(1000000000);
        snprintf(seconds, sizeof(seconds), "%d", (int)due_s);
        fixture_answer(sent, 503, "", seconds);
    }
    for (size_t sent = 2 * MANY; sent < 3 * MANY; sent++) {
        assert_true(fixture_sent_count > sent || run_until_sent(sent, 300000));
        assert_true(fixture_sent[sent].at_ns == at_ns[incident_of(sent)]);
        fixture_answer(sent, 200, "", "");
    }
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

/* An op of a webhook as a former process left it. */
static void resume(uint64_t incident, enum op_state was, uint32_t attempts, int64_t age_ms)
{
    struct outbox_resumed left = {.op = fixture_op(incident, 1, OP_OPEN, 0),
                                  .state = was,
                                  .attempts = attempts,
                                  .age_ms = age_ms};
    uint64_t bytes;

    left.incident = left.op.incident->id;
    assert_true(outbox_core_resume(core, &left, &bytes));
}

/* How long it takes to give up what a former process left; no attempt is taken. */
static uint64_t dead_in_ms(uint32_t attempts, int64_t age_ms, struct outbox_dead_row *row)
{
    uint64_t from_ns = fixture_mono_ns;
    size_t tries = 0;

    begin_world(NULL, 0);
    resume(1, OP_RETRY, attempts, age_ms);
    outbox_core_run(core);
    while (counters(0).dead == 0) {
        if (tries < fixture_sent_count)
            fixture_answer(tries++, 503, "", "");
        else
            run_next(HOUR_MS);
    }
    assert_int_equal(outbox_core_dead(core, &(struct outbox_pick){.sink = -1}, row, 1), 1);
    assert_int_equal(row->attempts, attempts + tries);
    return (fixture_mono_ns - from_ns) / 1000000;
}

static void O5_what_a_former_process_left_has_the_rest_of_its_time(void **state)
{
    struct outbox_dead_row row;
    uint64_t ms;

    (void)state;
    ms = dead_in_ms(3, 70 * HOUR_MS, &row);
    assert_in_range(ms, 2 * HOUR_MS, 2 * HOUR_MS + 60000); /* as O5_an_op_is_dead_after_72_hours */
}

/* It had all its time, as where retry_hours was made less. */
static void O5_what_a_former_process_left_is_tried_before_it_is_given_up(void **state)
{
    struct outbox_dead_row row;
    uint64_t ms;

    (void)state;
    ms = dead_in_ms(900, 100 * HOUR_MS, &row);
    assert_in_range(ms, 300000, 360000);
    assert_true(row.attempts > 905);
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
    /* Nor does the time of the hold count once it is over: 100 h are more than retry_hours. */
    fixture_answer(fixture_sent_count - 1, 503, "", "");
    assert_int_equal(counters(0).dead, 0);
    assert_true(run_until_sent(fixture_sent_count, 10000));
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

/* Killed between the intent and its end: the sink may have it, and nobody there would know a repeat
 * for one. What had no intent yet has not left. */
static void O1_an_intent_found_at_start_is_marked_at_a_sink_that_folds_nothing(void **state)
{
    static const enum op_state states[] = {OP_INTENT, OP_UNCERTAIN, OP_PENDING};
    uint64_t bytes;

    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 0; i < 3; i++) {
        struct outbox_resumed left = {.op = fixture_op(i, 1, OP_OPEN, 0), .state = states[i]};
        left.incident = left.op.incident->id;
        assert_true(outbox_core_resume(core, &left, &bytes));
        assert_true(fixture_sent_count > i || run_until_sent(i, 10000));
        assert_int_equal(incident_of(i), i);
        assert_int_equal(sent_has(i, "\"possible_repeat\":true"), states[i] != OP_PENDING);
        fixture_answer(i, 200, "", "");
    }
    assert_int_equal(counters(0).uncertain, 2);
    assert_int_equal(counters(0).possible_repeats, 2);
    assert_int_equal(counters(0).done, 3);
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

static void a_2xx_of_pagerduty_counts_only_with_its_own_words(void **state)
{
    const struct outbox_core_hooks hooks = {NULL, on_finished, on_changed, NULL, NULL};
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
    core = outbox_core_create(sinks, 2, &fixture_transport, &bounds, &hooks);
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

/* ---- the last error ---- */

static void the_last_error_shows_no_secret_of_the_sink(void **state)
{
    static const char *const options[][2] = {{"secret", "hunter2-hunter2"}};

    (void)state;
    begin_world(options, 1);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 500, "no signature with hunter2-hunter2 here", "");
    assert_string_equal(counters(0).last_error, "HTTP 500: no signature with *** here");
}

static void of_a_longer_last_error_nothing_stays_behind_a_shorter_one(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 503, "busy until the end of the week", "");
    assert_string_equal(counters(0).last_error, "HTTP 503: busy until the end of the week");
    assert_true(run_until_sent(1, 10000));
    fixture_answer(1, 500, "", "");
    assert_string_equal(counters(0).last_error, "HTTP 500");
}

/* --- what of an incident is still to be sent ----------------------------------------------- */

static const struct id128 first_incident = {0x0123456789abcdefu, 1}; /* fixture_incident() */

static void each_waiting_op_says_what_it_waits_for(void **state)
{
    struct outbox_waiting_row row[4];

    (void)state;
    begin_world(NULL, 0);
    assert_int_equal(outbox_core_waits(core, first_incident, row, 4), 0);
    submit(1, 1, OP_OPEN, 0);
    submit(1, 1, OP_OPEN, 1);
    submit(2, 1, OP_OPEN, 0); /* of another incident: not listed */
    assert_int_equal(outbox_core_waits(core, first_incident, row, 4), 2);
    assert_string_equal(row[0].reason, "it is its turn");
    assert_int_equal(row[0].sink, 0);
    assert_int_equal(row[1].sink, 1);
    assert_int_equal(row[0].number, 1);
    outbox_core_run(core);
    submit(1, 2, OP_UPDATE, 0);
    assert_int_equal(outbox_core_waits(core, first_incident, row, 4), 3);
    assert_string_equal(row[0].reason, "it is on its way: an answer is awaited");
    assert_string_equal(row[1].reason, "an earlier change of the incident goes first");
    assert_int_equal(row[1].number, 2);
    /* The first request is the open for sink one. */
    fixture_answer(0, 503, "busy", "");
    assert_int_equal(outbox_core_waits(core, first_incident, row, 1), 3);
    assert_string_equal(row[0].reason, "it failed and is tried again");
    assert_string_equal(row[0].error, "HTTP 503: busy");
    assert_int_equal(row[0].attempts, 1);
    assert_true(row[0].delay_ms > 0);
}

static void a_sink_that_is_held_says_so_of_what_waits(void **state)
{
    struct outbox_waiting_row row[2];

    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 401, "who are you", "");
    assert_true(counters(0).held);
    assert_int_equal(outbox_core_waits(core, first_incident, row, 2), 1);
    assert_string_equal(row[0].reason, "the sink refuses our credentials: it is held");
    assert_string_equal(row[0].error, "HTTP 401: who are you");
    assert_true(row[0].delay_ms > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_waiting_op_says_what_it_waits_for),
        TEST(a_sink_that_is_held_says_so_of_what_waits),
        TEST(O5_delays_grow_from_a_second_to_five_minutes_with_jitter),
        TEST(O5_retry_after_is_honoured_in_seconds),
        TEST(O5_many_that_wait_go_when_each_is_due),
        TEST(O5_retry_after_is_honoured_as_a_date),
        TEST(O5_an_op_is_dead_after_72_hours),
        TEST(O5_a_P1_is_tried_for_ever),
        TEST(O5_what_a_former_process_left_has_the_rest_of_its_time),
        TEST(O5_what_a_former_process_left_is_tried_before_it_is_given_up),
        TEST(O5_ops_behind_a_closed_gate_grow_old_as_well),
        TEST(O6_each_status_has_its_class),
        TEST(O6_a_refused_credential_holds_the_whole_sink_and_kills_nothing),
        TEST(O6_an_uncertain_attempt_is_marked_at_a_sink_that_folds_nothing),
        TEST(O6_an_uncertain_attempt_goes_out_unmarked_where_repeats_are_folded),
        TEST(O1_an_intent_found_at_start_is_marked_at_a_sink_that_folds_nothing),
        TEST(O6_a_failure_before_the_first_byte_is_certain),
        TEST(O6_a_2xx_without_the_expected_body_is_not_delivered),
        TEST(a_2xx_of_pagerduty_counts_only_with_its_own_words),
        TEST(the_last_error_shows_no_secret_of_the_sink),
        TEST(of_a_longer_last_error_nothing_stays_behind_a_shorter_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

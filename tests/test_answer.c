/*
 * Aim: Retry-After is read in both its forms and never makes tocsin wait too long or
 * backwards; answers become one printable line. Method: rows with dates worked out by
 * hand (RFC 9110 gives one instant in its three forms: 784111777 s).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "sinks/answer.h"

#define INSTANT_MS INT64_C(784111777000) /* Sun, 06 Nov 1994 08:49:37 GMT */

static void retry_after_is_read_in_all_its_forms(void **state)
{
    static const struct {
        const char *header;
        bool is_read;
        uint64_t ms; /* with now one minute before the instant */
    } rows[] = {
        {"0", true, 0},
        {"120", true, 120000},
        {" \t120 ", true, 120000},
        {"3600", true, 3600000},
        {"3601", true, 3600000},
        {"99999999999999999999999999", true, 3600000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", true, 60000},
        {"Sunday, 06-Nov-94 08:49:37 GMT", true, 60000},
        {"Sun Nov  6 08:49:37 1994", true, 60000},
        {"Sun, 06 Nov 1994 08:47:37 GMT", true, 0}, /* a minute ago */
        {"Sun, 06 Nov 2094 08:49:37 GMT", true, 3600000},
        {"", false, 0},
        {"-5", false, 0},
        {"5s", false, 0},
        {"1.5", false, 0},
        {"soon", false, 0},
        {"Sun, 06 Nov 1994 08:49:37", false, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT x", false, 0},
        {"Sun, 36 Nov 1994 08:49:37 GMT", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t ms = 0;
        bool is_read = answer_retry_after_ms(rows[i].header, INSTANT_MS - 60000, &ms);
        if (is_read != rows[i].is_read || (is_read && ms != rows[i].ms))
            fail_msg("\"%s\": read %d as %llu ms", rows[i].header, is_read, (unsigned long long)ms);
    }
}

static void a_throttle_needs_a_time_that_can_be_read(void **state)
{
    struct transport_answer answer = {
        .result = TRANSPORT_ANSWERED, .status = 429, .retry_after = "60", .body = ""};

    (void)state;
    assert_int_equal(answer_verdict(&answer), SINK_THROTTLED);
    answer.retry_after = "in a while";
    assert_int_equal(answer_verdict(&answer), SINK_RETRY);
    answer.retry_after = "";
    assert_int_equal(answer_verdict(&answer), SINK_RETRY);
}

static void an_answer_is_described_in_one_printable_line(void **state)
{
    struct transport_answer answer = {.result = TRANSPORT_ANSWERED,
                                      .status = 503,
                                      .retry_after = "",
                                      .body = "over\nloaded \x1b[1m\xc3\xa4",
                                      .body_bytes = 17,
                                      .detail = ""};
    char line[300], tiny[9];

    (void)state;
    answer_describe(&answer, line, sizeof(line));
    assert_string_equal(line, "HTTP 503: over loaded  [1m??");
    answer_describe(&answer, tiny, sizeof(tiny));
    assert_string_equal(tiny, "HTTP 503");
    answer.result = TRANSPORT_AFTER_FIRST_BYTE;
    answer.detail = "timed out";
    answer_describe(&answer, line, sizeof(line));
    assert_string_equal(line, "timed out (may have been taken)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_after_is_read_in_all_its_forms),
        cmocka_unit_test(a_throttle_needs_a_time_that_can_be_read),
        cmocka_unit_test(an_answer_is_described_in_one_printable_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

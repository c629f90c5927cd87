/*
 * Aim: every line can be read back whatever was put into it, and a flood of equal
 * lines becomes a few and a count. Method: lines go to a pipe; the clock is ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "base/host.h"
#include "daemon/log.h"
#include "tests/log_pipe.h"

static struct host fake;
static uint64_t mono_ns;

static uint64_t fake_mono_ns(void *self)
{
    (void)self;
    return mono_ns;
}

static int64_t fake_wall_ms(void *self)
{
    (void)self;
    return INT64_C(951868800001); /* 2000-03-01T00:00:00.001Z, see test_options.c */
}

static int setup(void **state)
{
    (void)state;
    fake = *host();
    fake.mono_ns = fake_mono_ns;
    fake.wall_ms = fake_wall_ms;
    host_set(&fake);
    return log_pipe_open();
}

static int teardown(void **state)
{
    (void)state;
    log_flush(true);
    host_set(NULL);
    log_pipe_close();
    return 0;
}

static void a_line_says_when_what_and_to_which_object(void **state)
{
    (void)state;
    log_event(LOG_WARNING, "sink_held", log_text("sink", "pager"), log_number("waiting", -7));
    assert_string_equal(log_pipe_text(),
                        "time=2000-03-01T00:00:00.001Z level=warning event=sink_held "
                        "sink=pager waiting=-7\n");
}

static void text_from_outside_cannot_break_a_line(void **state)
{
    (void)state;
    log_event(LOG_INFO, "x", log_text("why", "a \"b\"\nlevel=error\x01\xff\xc3\xa9\\"),
              log_text("none", ""), log_text("pair", "a=b"));
    assert_string_equal(log_pipe_text(),
                        "time=2000-03-01T00:00:00.001Z level=info event=x "
                        "why=\"a \\\"b\\\"\\nlevel=error\\u0001\xef\xbf\xbd\xc3\xa9\\\\\" "
                        "none=\"\" pair=\"a=b\"\n");
}

static void json_lines_are_json(void **state)
{
    (void)state;
    static char large[2 * LOG_LINE_BYTES_MAX];
    memset(large, 'x', sizeof(large) - 1);
    log_configure(LOG_INFO, LOG_JSON);
    log_event(LOG_ERROR, "x", log_text("why", "a \"b\"\n\x02\xf0\x28"), log_number("n", 3));
    json_t *line = json_loads(log_pipe_text(), 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "error");
    assert_string_equal(json_string_value(json_object_get(line, "why")),
                        "a \"b\"\n\x02\xef\xbf\xbd\x28");
    assert_int_equal(json_integer_value(json_object_get(line, "n")), 3);
    json_decref(line);
    /* A line that is cut is still one object, and says that it was cut. */
    log_event(LOG_ERROR, "x", log_text("why", large), log_number("n", 3));
    line = json_loads(log_pipe_text(), 0, NULL);
    assert_non_null(line);
    assert_int_equal(json_integer_value(json_object_get(line, "cut")), 1);
    json_decref(line);
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    log_event(LOG_DEBUG, "x", log_number("n", 1));
    assert_string_equal(log_pipe_text(), "");
    log_configure(LOG_DEBUG, LOG_TEXT);
    log_event(LOG_DEBUG, "x", log_number("n", 1));
    assert_string_not_equal(log_pipe_text(), "");
}

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void repeated_lines_are_held_back_and_counted(void **state)
{
    (void)state;
    struct log_counters before, after;
    log_counters(&before);
    for (int i = 0; i < 100; i++)
        log_event(LOG_WARNING, "refused", log_text("sink", "a"), log_number("n", i));
    assert_int_equal(count_lines(log_pipe_text()), LOG_BURST);
    /* Another sink is another kind of line. */
    log_event(LOG_WARNING, "refused", log_text("sink", "b"), log_number("n", 1));
    assert_int_equal(count_lines(log_pipe_text()), 1);
    mono_ns += LOG_INTERVAL_MS * UINT64_C(1000000);
    log_event(LOG_WARNING, "refused", log_text("sink", "a"), log_number("n", 100));
    assert_string_equal(log_pipe_text(),
                        "time=2000-03-01T00:00:00.001Z level=warning event=refused "
                        "held_back=95 sink=a n=100\n");
    log_counters(&after);
    assert_int_equal(after.held_back - before.held_back, 100 - LOG_BURST);
    assert_int_equal(after.lines[LOG_WARNING] - before.lines[LOG_WARNING], LOG_BURST + 2);
}

static void a_flood_that_ends_is_still_told(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++)
        log_event(LOG_WARNING, "refused", log_text("sink", "a"));
    log_pipe_text();
    log_flush(false);
    assert_string_equal(log_pipe_text(), "");
    mono_ns += LOG_INTERVAL_MS * UINT64_C(1000000);
    log_flush(false);
    assert_string_equal(log_pipe_text(),
                        "time=2000-03-01T00:00:00.001Z level=warning event=refused "
                        "held_back=3\n");
    log_flush(true);
    assert_string_equal(log_pipe_text(), "");
}

static void more_kinds_than_are_remembered_lose_no_count(void **state)
{
    (void)state;
    struct log_counters before, after;
    char name[16];
    log_counters(&before);
    for (int i = 0; i < 2 * LOG_KINDS_MAX; i++) {
        mono_ns += 1000000;
        snprintf(name, sizeof(name), "sink%d", i);
        log_event(LOG_WARNING, "refused", log_text("sink", name));
        assert_int_equal(count_lines(log_pipe_text()), 1);
    }
    log_counters(&after);
    assert_int_equal(after.lines[LOG_WARNING] - before.lines[LOG_WARNING], 2 * LOG_KINDS_MAX);
    assert_int_equal(after.held_back, before.held_back);
}

static void *write_many(void *name)
{
    for (int i = 0; i < 100; i++) {
        char text[24];
        snprintf(text, sizeof(text), "%s-%d", (const char *)name, i);
        log_event(LOG_INFO, "x", log_text("who", text), log_number("n", i));
    }
    return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
    (void)state;
    pthread_t threads[3];
    const char *names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, (void *)names[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    const char *at = log_pipe_text();
    assert_int_equal(count_lines(at), 300);
    for (; *at != '\0'; at = strchr(at, '\n') + 1)
        assert_ptr_equal(strstr(at, "time=2000-03-01T00:00:00.001Z level=info event=x who="), at);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_line_says_when_what_and_to_which_object),
        TEST(text_from_outside_cannot_break_a_line),
        TEST(json_lines_are_json),
        TEST(what_is_below_the_level_is_not_written),
        TEST(repeated_lines_are_held_back_and_counted),
        TEST(a_flood_that_ends_is_still_told),
        TEST(more_kinds_than_are_remembered_lose_no_count),
        TEST(lines_of_several_threads_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

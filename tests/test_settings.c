/*
 * Aim (X5): settings that change between two runs either take effect from the end of what was told
 * on, or are refused with the one that may not change. Method: texts of two configurations are
 * compared, line by line what is said of them is written beside; and each incident of a table is
 * asked of the sinks that came and went around it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/durable_parts.h"
#include "daemon/settings_text.h"

/* Of "alerts" records were read. */
static bool has_read(void *self, struct text topic)
{
    (void)self;
    return topic.len == strlen("alerts") && memcmp(topic.at, "alerts", topic.len) == 0;
}

static const struct settings_reader reader = {NULL, has_read};

#define ALERTS                                                                                     \
    "input.topics alerts: format 0, disorder 500ms, log_append_time 0, tenant a, tenant_fixed 0\n"
#define OTHERS                                                                                     \
    "input.topics (others): format 0, disorder 500ms, log_append_time 0, tenant a, tenant_fixed "  \
    "0\n"
#define LOGS                                                                                       \
    "input.topics logs: format 0, disorder 500ms, log_append_time 0, tenant a, tenant_fixed 0\n"

static void what_may_change_and_what_may_not(void **state)
{
    static const struct {
        const char *before, *now;
        enum settings_change change;
        const char *what; /* of FIXED */
    } rows[] = {
        {"engine.round 200ms\n" ALERTS "sinks p: priority 0\n",
         "engine.round 200ms\n" ALERTS "sinks p: priority 0\n", SETTINGS_EQUAL, NULL},
        {"sinks p: priority 0\n", "sinks p: priority 2\n", SETTINGS_SWITCH, NULL},
        {"sinks p: priority 0\n", "sinks p: priority 0\nsinks pq: priority 0\n", SETTINGS_SWITCH,
         NULL},
        {"sinks p: priority 0\nsinks q: priority 0\n", "sinks q: priority 0\n", SETTINGS_SWITCH,
         NULL},
        {"sinks p: priority 0\nsinks q: priority 0\n", "sinks q: priority 0\nsinks p: priority 0\n",
         SETTINGS_FIXED, "the sinks stand in another order"},
        {"sinks p: priority 0\nsinks q: priority 0\n",
         "sinks a: priority 0\nsinks p: priority 1\nsinks b: priority 0\nsinks q: priority 0\n",
         SETTINGS_SWITCH, NULL},
        {ALERTS, ALERTS LOGS, SETTINGS_SWITCH, NULL},
        {ALERTS LOGS, ALERTS, SETTINGS_SWITCH, NULL},
        {ALERTS OTHERS, LOGS ALERTS OTHERS, SETTINGS_SWITCH, NULL},
        {ALERTS LOGS, LOGS, SETTINGS_FIXED,
         "then \"input.topics alerts: format 0, disorder 500ms, log_append_time 0, tenant a, "
         "tenant_fixed 0\", now \"nothing\""},
        {"input.topics alerts: format 1\n", "input.topics alerts: format 0\n", SETTINGS_FIXED,
         "then \"input.topics alerts: format 1\", now \"input.topics alerts: format 0\""},
        {"input.topics logs: format 1\n", "input.topics logs: format 0\n", SETTINGS_SWITCH, NULL},
        {"engine.expire 1ms\n", "engine.expire 2ms\n", SETTINGS_FIXED,
         "then \"engine.expire 1ms\", now \"engine.expire 2ms\""},
        {"engine.expire 1ms\nsinks p: priority 0\n", "engine.expire 2ms\n", SETTINGS_FIXED,
         "then \"engine.expire 1ms\", now \"engine.expire 2ms\""},
        {"engine.round 1ms\n", "engine.round 1ms\nengine.past 2ms\n", SETTINGS_FIXED,
         "then \"nothing\", now \"engine.past 2ms\""},
        /* as older directories list them */
        {"engine.epoch 20ms\nengine.behind 5000ms\nengine.slack 50ms\nengine.round 1ms\n",
         "engine.round 1ms\n", SETTINGS_EQUAL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error what = {""};
        if (settings_compare(rows[i].before, rows[i].now, &reader, &what) != rows[i].change)
            fail_msg("row %zu: %s", i, what.text);
        if (rows[i].what != NULL)
            assert_string_equal(what.text, rows[i].what);
    }
}

/* The text of a configuration is read by what compares two. */
static void the_text_is_what_is_compared(void **state)
{
    static const struct topic_config topics[] = {{.topic = "alerts", .tenant = "a"},
                                                 {.topic = NULL, .disorder_ms = 500}};
    static const char *const sinks[] = {"pager", "page"};
    static const uint8_t limits[] = {PRIORITY_P2, PRIORITY_NONE};
    struct engine_config config;
    struct error what = {""};
    char *before, *now;

    (void)state;
    engine_config_init(&config);
    config.topics = topics;
    config.topic_count = 2;
    config.sink_names = sinks;
    config.sink_priority_max = limits;
    config.sink_count = 2;
    before = settings_text(&config);
    assert_non_null(strstr(before, "engine.expire 5m\n"));
    assert_non_null(strstr(before, "input.topics alerts: format auto, disorder 0, "
                                   "log_append_time false, tenant a, tenant_fixed false\n"));
    assert_int_equal(settings_sink_priority(before, "pager"), PRIORITY_P2);
    assert_int_equal(settings_sink_priority(before, "page"), PRIORITY_NONE);
    assert_int_equal(settings_sink_priority(before, "pag"), SETTINGS_NO_SINK);
    config.sink_count = 1;
    config.behind_ms++;
    config.slack_ms++;
    config.epoch_ms *= 2;
    now = settings_text(&config);
    assert_int_equal(settings_compare(before, now, &reader, &what), SETTINGS_SWITCH);
    assert_int_equal(settings_sink_priority(now, "page"), SETTINGS_NO_SINK);
    free(now);
    config.flap_stop++;
    now = settings_text(&config);
    assert_int_equal(settings_compare(before, now, &reader, &what), SETTINGS_FIXED);
    assert_non_null(strstr(what.text, "engine.flap.stop"));
    free(now);
    free(before);
}

/* Sinks p, q and r; times 0, 100 and 200 at which settings changed. */
static void a_sink_is_told_of_what_opens_while_it_is_there(void **state)
{
    enum { NO = SETTINGS_NO_SINK };
    static uint8_t first[] = {PRIORITY_NONE, PRIORITY_P2, NO};
    static uint8_t second[] = {PRIORITY_NONE, PRIORITY_P1, PRIORITY_P3};
    static uint8_t third[] = {NO, PRIORITY_NONE, PRIORITY_P3};
    static struct sinks_then then[] = {{INT64_MIN, first}, {100, second}, {200, third}};
    static const struct {
        struct journal_about about;
        bool p, q, r;
    } rows[] = {
        {{50, 50, PRIORITY_P2}, true, true, false},
        {{50, 150, PRIORITY_P2}, true, true, false}, /* as when it opened, to its end */
        {{50, 250, PRIORITY_P3}, false, false, false},
        {{99, 99, PRIORITY_NONE}, true, false, false},
        {{100, 100, PRIORITY_P2}, true, false, true},
        {{150, 199, PRIORITY_P1}, true, true, true},
        {{150, 200, PRIORITY_P1}, false, true, true},
        {{200, 200, PRIORITY_NONE}, false, true, false},
        {{300, 300, PRIORITY_P4}, false, true, false},
    };
    static const char *const names[] = {"p", "q", "r"};
    const struct engine_config engine = {.sink_names = names, .sink_count = 3};
    struct durable durable = {
        .options = {.engine = &engine}, .sinks_then = then, .sinks_then_count = 3};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (durable_takes(&durable, 0, &rows[i].about) != rows[i].p ||
            durable_takes(&durable, 1, &rows[i].about) != rows[i].q ||
            durable_takes(&durable, 2, &rows[i].about) != rows[i].r)
            fail_msg("row %zu", i);
        assert_int_equal(durable_is_told(&durable, &rows[i].about, "r"), rows[i].r);
        assert_false(durable_is_told(&durable, &rows[i].about, "s"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_change_and_what_may_not),
        cmocka_unit_test(the_text_is_what_is_compared),
        cmocka_unit_test(a_sink_is_told_of_what_opens_while_it_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

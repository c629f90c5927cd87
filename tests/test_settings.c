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
#include "correlate/quota.h"
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
        {"input.topics alerts: format 1\n", "input.topics alerts: format 0\n", SETTINGS_SWITCH,
         NULL},
        {"input.topics logs: format 1\n", "input.topics logs: format 0\n", SETTINGS_SWITCH, NULL},
        {"engine.expire 1ms\n", "engine.expire 2ms\n", SETTINGS_SWITCH, NULL},
        {"engine.round 1ms\nsinks p: priority 0\n", "engine.round 2ms\n", SETTINGS_FIXED,
         "then \"engine.round 1ms\", now \"engine.round 2ms\""},
        {"engine.round 1ms\n", "engine.round 1ms\nengine.past 2ms\n", SETTINGS_SWITCH, NULL},
        {"engine.past 2ms\n", "engine.past 2ms\nengine.round 1ms\n", SETTINGS_FIXED,
         "then \"nothing\", now \"engine.round 1ms\""},
        /* as older directories list them */
        {"engine.epoch 20ms\nengine.slack 50ms\nengine.round 1ms\n", "engine.round 1ms\n",
         SETTINGS_EQUAL, NULL},
        {"engine.behind 5000ms\nengine.round 1ms\n", "engine.round 1ms\n", SETTINGS_SWITCH, NULL},
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
    config.slack_ms++;
    config.epoch_ms *= 2;
    now = settings_text(&config);
    assert_int_equal(settings_compare(before, now, &reader, &what), SETTINGS_SWITCH);
    assert_int_equal(settings_sink_priority(now, "page"), SETTINGS_NO_SINK);
    free(now);
    config.flap_stop++;
    now = settings_text(&config);
    assert_int_equal(settings_compare(before, now, &reader, &what), SETTINGS_SWITCH);
    free(now);
    config.round_ms++;
    now = settings_text(&config);
    assert_int_equal(settings_compare(before, now, &reader, &what), SETTINGS_FIXED);
    assert_non_null(strstr(what.text, "engine.round"));
    free(now);
    free(before);
}

/* What a text says is what it was made of: terms, and how each topic is read. */
static void X5_what_was_in_force_is_read_from_its_text(void **state)
{
    static const struct topic_config topics[] = {
        {.topic = "alerts",
         .format = FORMAT_ALERTMANAGER,
         .disorder_ms = 1500,
         .tenant = "a, tenant_fixed true, tenant b",
         .tenant_fixed = true},
        {.topic = "logs", .format = FORMAT_NATIVE, .log_append_time = true, .tenant = "default"},
        {.topic = NULL, .disorder_ms = 500, .tenant = "default"}};
    struct engine_config config, other;
    struct engine_terms terms;
    struct settings_inputs then, now;
    char *text, *differences;

    (void)state;
    engine_config_init(&config);
    config.topics = topics;
    config.topic_count = 3;
    config.alerts_max = 77;
    config.expire_ms = 90000;
    config.flap_start = 9;
    config.flap_stop = 4;
    config.past_ms = 7200000;
    text = settings_text(&config);
    engine_config_init(&other);
    terms = engine_terms_of(&other);
    terms.flap_window_ms = 1;
    settings_terms(text, &terms);
    const struct engine_terms wanted = engine_terms_of(&config);
    assert_true(engine_terms_equal(&terms, &wanted));
    settings_inputs(text, &other, &then);
    assert_int_equal(then.inputs.past_ms, 7200000);
    assert_int_equal(then.inputs.topic_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct topic_config *row = &then.inputs.topics[i];
        if (topics[i].topic == NULL)
            assert_null(row->topic);
        else
            assert_string_equal(row->topic, topics[i].topic);
        assert_string_equal(row->tenant, topics[i].tenant);
        assert_int_equal(row->format, topics[i].format);
        assert_int_equal(row->disorder_ms, topics[i].disorder_ms);
        assert_int_equal(row->log_append_time, topics[i].log_append_time);
        assert_int_equal(row->tenant_fixed, topics[i].tenant_fixed);
    }
    assert_true(settings_lists(&then.inputs, "logs"));
    assert_false(settings_lists(&then.inputs, "others"));
    /* Other terms in the same text, and nothing else. */
    terms.expire_ms = 91000;
    char *changed = settings_text_with(text, &terms);
    differences = settings_differences(text, changed);
    assert_string_equal(differences, "then \"engine.expire 90s\", now \"engine.expire 91s\"\n");
    free(differences);
    settings_inputs(changed, &other, &now);
    assert_int_not_equal(then.inputs.value, now.inputs.value);
    assert_true(settings_read_alike(&then.inputs, &now.inputs, "alerts"));
    settings_inputs_release(&now);
    free(changed);
    /* A text that says nothing of a topic leaves it to the row for all others. */
    settings_inputs("input.topics (others): format auto, disorder 500ms, log_append_time false, "
                    "tenant default, tenant_fixed false\nengine.past 2h\n",
                    &other, &now);
    assert_true(settings_read_alike(&then.inputs, &now.inputs, "some"));
    assert_false(settings_read_alike(&then.inputs, &now.inputs, "alerts"));
    assert_true(settings_read_alike(&then.inputs, &now.inputs, "@intake"));
    settings_inputs_release(&now);
    settings_inputs("", &other, &now);
    assert_int_equal(now.inputs.topic_count, 0);
    assert_false(settings_read_alike(&then.inputs, &now.inputs, "alerts"));
    settings_inputs_release(&now);
    settings_inputs_release(&then);
    free(text);
}

/* L7: quotas are read back with any name, and what says nothing of them limits nobody. */
static void L7_quotas_are_read_from_their_text(void **state)
{
    static const struct quota_tenant tenants[] = {
        {"acme", 500, 9000}, {"a: events 1, burst 2", 7, 7}, {"100%3a", 0, 1}};
    struct engine_config config, other;
    struct settings_inputs then, now;

    (void)state;
    engine_config_init(&config);
    engine_config_init(&other);
    config.quotas = (struct quota_config){
        .events = 10, .burst = 20, .tenants_max = 30, .tenants = tenants, .tenant_count = 3};
    char *text = settings_text(&config), *plain = settings_text(&other);
    assert_null(strstr(plain, "quotas"));
    settings_inputs(text, &other, &then);
    assert_true(quota_equal(&then.inputs.quotas, &config.quotas));
    settings_inputs(plain, &config, &now);
    assert_false(quota_is_wanted(&now.inputs.quotas));
    assert_false(settings_read_alike(&then.inputs, &now.inputs, "@intake"));
    settings_inputs_release(&now);
    config.quotas.tenant_count = 2;
    char *fewer = settings_text(&config), *differences = settings_differences(text, fewer);
    assert_string_equal(differences,
                        "then \"quotas 100%253a: events 0, burst 1\", now \"nothing\"\n");
    free(differences);
    free(fewer);
    free(plain);
    free(text);
    settings_inputs_release(&then);
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
        {{100, 100, PRIORITY_P2}, true, true, false}, /* what a round's end does is told with it */
        {{101, 101, PRIORITY_P2}, true, false, true},
        {{150, 200, PRIORITY_P1}, true, true, true},
        {{150, 201, PRIORITY_P1}, false, true, true},
        {{200, 200, PRIORITY_NONE}, true, false, false},
        {{201, 201, PRIORITY_NONE}, false, true, false},
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
        cmocka_unit_test(L7_quotas_are_read_from_their_text),
        cmocka_unit_test(X5_what_was_in_force_is_read_from_its_text),
        cmocka_unit_test(a_sink_is_told_of_what_opens_while_it_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

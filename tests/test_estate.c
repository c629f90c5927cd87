/*
 * Aim: the estate is a function of its configuration, its events are valid and in
 * order, and its truth says neither more nor less than its events. Method: whole
 * streams are read back, every line by jansson, and held against the truth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "daemon/estate.h"

enum { FAULTS_MAX = 64 };

static struct estate *create(const struct estate_config *config)
{
    struct estate *estate = NULL;
    struct error err = {""};

    assert_int_equal(estate_create(config, &estate, &err), 0);
    return estate;
}

/* A hash over all bytes of the stream, and how many events it has. */
static uint64_t stream_hash(const struct estate_config *config, uint64_t *events)
{
    struct estate *estate = create(config);
    struct estate_event event;
    char line[ESTATE_EVENT_BYTES_MAX];
    uint64_t hash = 0;

    for (*events = 0; estate_next(estate, &event); ++*events)
        hash = hash64(line, estate_event_write(estate, &event, line), hash);
    estate_destroy(estate);
    return hash;
}

static void same_configuration_gives_same_bytes_and_another_seed_others(void **state)
{
    (void)state;
    struct estate_config config;
    uint64_t first_count, second_count, other_count;

    estate_config_init(&config);
    config.duration_ms = 30000;
    uint64_t first = stream_hash(&config, &first_count);
    assert_true(stream_hash(&config, &second_count) == first);
    assert_int_equal(first_count, second_count);
    config.seed++;
    assert_true(stream_hash(&config, &other_count) != first);
}

static void noise_comes_at_exactly_its_rate(void **state)
{
    (void)state;
    /* 7 does not divide a second: an inexact clock would drift by then. */
    struct estate_config config;
    struct estate_event event;
    uint64_t noise = 0;

    estate_config_init(&config);
    config.rate = 7;
    config.faults = 0;
    config.duration_ms = 3600000;
    struct estate *estate = create(&config);
    while (estate_next(estate, &event))
        noise += event.cause <= STREAM_RESTART;
    assert_int_equal(noise, 7 * 3600);
    estate_destroy(estate);
}

static void every_line_is_an_event_with_all_its_fields(void **state)
{
    (void)state;
    static const char *const texts[] = {"tenant",   "source", "resource", "check",
                                        "severity", "state",  "time",     "message"};
    struct estate_config config;
    struct estate_event event;
    char line[ESTATE_EVENT_BYTES_MAX];
    bool seen[ESTATE_CAUSE_COUNT] = {false};

    estate_config_init(&config);
    config.rate = 200;
    config.storm_events = 100;
    struct estate *estate = create(&config);
    while (estate_next(estate, &event)) {
        size_t bytes = estate_event_write(estate, &event, line);
        json_error_t at;
        json_t *root = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &at);
        assert_non_null(root);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
            assert_true(json_is_string(json_object_get(root, texts[i])));
        assert_int_equal(strlen(json_string_value(json_object_get(root, "time"))), 24);
        assert_string_equal(json_string_value(json_object_get(root, "severity")),
                            severity_name((enum severity)event.severity));
        assert_string_equal(json_string_value(json_object_get(root, "state")),
                            event.state == EVENT_CLEAR ? "clear" : "problem");
        assert_true(json_is_string(json_object_get(json_object_get(root, "labels"), "rack")));
        seen[event.cause] = true;
        json_decref(root);
    }
    for (int i = 0; i < ESTATE_CAUSE_COUNT; i++)
        assert_true(seen[i]);
    estate_destroy(estate);
}

static void times_are_written_as_dates(void **state)
{
    (void)state;
    /* Worked out with `date -u -d @N`. */
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "\"1970-01-01T00:00:00.000Z\""},
        {951782399999, "\"2000-02-28T23:59:59.999Z\""},
        {951782400000, "\"2000-02-29T00:00:00.000Z\""},
        {1769904000123, "\"2026-02-01T00:00:00.123Z\""},
        {4107542400007, "\"2100-03-01T00:00:00.007Z\""},
    };
    struct estate_config config;
    struct estate_event event;
    char line[ESTATE_EVENT_BYTES_MAX + 1];

    estate_config_init(&config);
    struct estate *estate = create(&config);
    assert_true(estate_next(estate, &event));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        event.time_ms = rows[i].ms;
        line[estate_event_write(estate, &event, line)] = '\0';
        assert_non_null(strstr(line, rows[i].text));
    }
    estate_destroy(estate);
}

/* What the stream showed of one fault. */
struct seen {
    struct estate_fault fault;
    char **affected;
    int64_t first_ms, last_clear_ms;
    uint32_t events;
    bool is_known;
};

static void remember_faults(struct estate *estate, struct seen *seen, uint32_t *count)
{
    const struct estate_fault *fault;

    while ((fault = estate_fault_next(estate)) != NULL) {
        assert_true(fault->number < FAULTS_MAX);
        struct seen *to = &seen[fault->number];
        to->fault = *fault;
        to->is_known = true;
        to->affected = calloc(fault->affected_count, sizeof(char *));
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): a failed assertion ends the test */
        for (uint32_t i = 0; i < fault->affected_count; i++)
            to->affected[i] = strdup(fault->affected[i]);
        ++*count;
    }
}

static bool names(const struct seen *seen, const char *kind, const char *name)
{
    char text[160];

    snprintf(text, sizeof(text), "%s:%s", kind, name);
    for (uint32_t i = 0; i < seen->fault.affected_count; i++)
        if (strcmp(seen->affected[i], text) == 0)
            return true;
    return false;
}

/* An event of a fault must be about something that the truth names. */
static void check_is_affected(struct estate *estate, const struct estate_event *event,
                              const struct seen *seen)
{
    char line[ESTATE_EVENT_BYTES_MAX];
    json_t *root = json_loadb(line, estate_event_write(estate, event, line), 0, NULL);
    json_t *labels = json_object_get(root, "labels"); /* borrowed */
    bool is_named = false;

    for (void *at = json_object_iter(labels); at != NULL; at = json_object_iter_next(labels, at))
        is_named = is_named || names(seen, json_object_iter_key(at),
                                     json_string_value(json_object_iter_value(at)));
    assert_true(is_named);
    json_decref(root);
}

static void play(const struct estate_config *config, struct seen seen[FAULTS_MAX], uint32_t *count)
{
    struct estate *estate = create(config);
    struct estate_event event;
    int64_t last_emit_ms = INT64_MIN;

    memset(seen, 0, FAULTS_MAX * sizeof(*seen));
    *count = 0;
    for (;;) {
        remember_faults(estate, seen, count);
        if (!estate_next(estate, &event))
            break;
        assert_true(event.emit_ms >= last_emit_ms);
        assert_true(event.emit_ms >= event.time_ms);
        assert_true(event.emit_ms <= event.time_ms + config->disorder_ms);
        last_emit_ms = event.emit_ms;
        if (event.fault == 0)
            continue;
        struct seen *of = &seen[event.fault];
        remember_faults(estate, seen, count);
        assert_true(of->is_known); /* the truth comes first */
        if (of->events++ == 0 || event.time_ms < of->first_ms)
            of->first_ms = event.time_ms;
        if (event.state == EVENT_CLEAR && event.time_ms > of->last_clear_ms)
            of->last_clear_ms = event.time_ms;
        check_is_affected(estate, &event, of);
    }
    estate_destroy(estate);
}

static void check_truth(const struct estate_config *config)
{
    struct seen seen[FAULTS_MAX];
    uint32_t count;

    play(config, seen, &count);
    assert_int_equal(count, config->faults);
    for (uint32_t i = 1; i <= count; i++) {
        const struct estate_fault *fault = &seen[i].fault;
        assert_int_equal(seen[i].events, fault->event_count);
        assert_int_equal(seen[i].first_ms, fault->start_ms);
        assert_int_equal(seen[i].last_clear_ms, fault->end_ms);
        assert_true(fault->start_ms < fault->end_ms);
        assert_true(fault->end_ms < config->start_ms + config->duration_ms);
        assert_true(names(&seen[i], fault->root_kind, fault->root));
        assert_non_null(fault->rules[0]);
        assert_non_null(strstr(fault->key, fault->root));
        for (uint32_t a = 0; a < fault->affected_count; a++)
            free(seen[i].affected[a]);
        free(seen[i].affected);
    }
}

static void truth_and_events_agree_for_every_fault(void **state)
{
    (void)state;
    static const struct {
        uint32_t faults, tenants, disorder_ms;
        int64_t duration_ms;
    } rows[] = {
        {7, 1, 0, 20000},   {7, 1, 0, 45000},    {7, 2, 400, 60000},
        {14, 2, 0, 600000}, {40, 2, 0, 3600000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct estate_config config;
        estate_config_init(&config);
        config.rate = 50;
        config.storm_events = 500;
        config.faults = rows[i].faults;
        config.tenants = rows[i].tenants;
        config.disorder_ms = rows[i].disorder_ms;
        config.duration_ms = rows[i].duration_ms;
        config.seed = 100 + i;
        check_truth(&config);
    }
}

static void endless_stream_plans_new_faults_each_minute(void **state)
{
    (void)state;
    struct estate_config config;
    struct estate_event event;
    uint32_t faults = 0;

    estate_config_init(&config);
    config.duration_ms = 0;
    config.rate = 100;
    struct estate *estate = create(&config);
    do {
        assert_true(estate_next(estate, &event));
        while (estate_fault_next(estate) != NULL)
            faults++;
    } while (event.time_ms < config.start_ms + 10 * 60000 - 100);
    assert_int_equal(faults + estate_faults_skipped(estate), 10 * config.faults);
    assert_true(faults >= 9 * config.faults);
    estate_destroy(estate);
}

static void numbers_that_do_not_fit_are_refused_with_a_sentence(void **state)
{
    (void)state;
    struct estate_config config;
    struct estate *estate = NULL;
    struct error err = {""};

    estate_config_init(&config);
    config.hosts = config.racks - 1;
    assert_int_equal(estate_create(&config, &estate, &err), -EINVAL);
    assert_non_null(strstr(err.text, "hosts"));
    assert_null(estate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_configuration_gives_same_bytes_and_another_seed_others),
        cmocka_unit_test(noise_comes_at_exactly_its_rate),
        cmocka_unit_test(every_line_is_an_event_with_all_its_fields),
        cmocka_unit_test(times_are_written_as_dates),
        cmocka_unit_test(truth_and_events_agree_for_every_fault),
        cmocka_unit_test(endless_stream_plans_new_faults_each_minute),
        cmocka_unit_test(numbers_that_do_not_fit_are_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * outbox_world.h - the core of the outbox on virtual time, with two webhook sinks and
 * a transport that records what was sent and answers when the test says so.
 *
 * Each test of these files runs between set_up() and tear_down(), and begins with
 * begin_world().
 */
#ifndef TESTS_OUTBOX_WORLD_H
#define TESTS_OUTBOX_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "sink_fixture.h"
#include "sinks/outbox_core.h"

static struct sink *sinks[2];
static struct outbox_core *core;
static uint64_t finished_ops, finished_bytes, changes;

enum { OPS_MAX = 100000, DEAD_MAX = 1000 };

static struct outbox_bounds bounds = {OPS_MAX, UINT64_C(1) << 40, DEAD_MAX, UINT64_C(1) << 30, 0,
                                      0};

static inline void on_finished(void *self, uint64_t bytes)
{
    (void)self;
    finished_ops++;
    finished_bytes += bytes;
}

static inline void on_changed(void *self)
{
    (void)self;
    changes++;
}

/* Whether sink two hears of troubles with sink one: only the tests of that want it. */
static bool two_is_told;

/* Two webhook sinks, "one" with the extra options, "two" plain. Rates unlimited. */
static inline void begin_world(const char *const extra[][2], size_t extra_count)
{
    const struct outbox_core_hooks hooks = {NULL, on_finished, on_changed, NULL, NULL};
    struct sink_config one = {.name = "one", .type = "webhook"};
    struct sink_config two = {.name = "two", .type = "webhook"};
    struct error err = {""};

    one.option[0].key = two.option[0].key = "url";
    one.option[0].value = "http://one.example/";
    two.option[0].value = "http://two.example/";
    two.option[1].key = "rate_per_minute";
    two.option[1].value = "0";
    one.option_count = 1;
    two.option[2].key = "self_alerts";
    two.option[2].value = two_is_told ? "true" : "false";
    two.option_count = 3;
    for (size_t i = 0; i < extra_count; i++) {
        one.option[one.option_count].key = extra[i][0];
        one.option[one.option_count++].value = extra[i][1];
    }
    if (extra_count == 0 || strcmp(extra[0][0], "rate_per_minute") != 0)
        one.option[one.option_count++] = two.option[1];
    finished_ops = finished_bytes = changes = 0;
    assert_int_equal(sink_create(&one, true, &sinks[0], &err), 0);
    assert_int_equal(sink_create(&two, true, &sinks[1], &err), 0);
    core = outbox_core_create(sinks, 2, &fixture_transport, &bounds, &hooks);
    assert_non_null(core);
}

static inline int set_up(void **state)
{
    (void)state;
    fixture_host_install();
    return 0;
}

static inline int tear_down(void **state)
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

static inline void submit(uint64_t incident, uint32_t number, enum op_kind kind, uint16_t sink)
{
    struct op op = fixture_op(incident, number, kind, sink);

    outbox_core_take(core, outbox_op_create(&op));
}

static inline void submit_priority(uint64_t incident, uint32_t number, enum op_kind kind,
                                   enum priority priority)
{
    struct op op = fixture_op(incident, number, kind, 0);

    op.incident->priority = (uint8_t)priority;
    outbox_core_take(core, outbox_op_create(&op));
}

static inline struct sink_counters counters(size_t sink)
{
    struct sink_counters c;
    struct error err;

    outbox_core_counters(core, sink, &c);
    assert_int_equal(c.ops + c.redriven, c.done + c.dead + c.superseded + c.waiting); /* L5 */
    if (!outbox_core_check_walk(core, &err))                                          /* L6 */
        fail_msg("%s", err.text);
    assert_int_equal(c.dead, c.dead_kept + c.redriven + c.overtaken + c.forgotten);
    return c;
}

/* A number out of a sent body: the first `"name":` in it. */
static inline unsigned long long sent_number(size_t index, const char *name)
{
    char pattern[64];
    const char *at;

    snprintf(pattern, sizeof(pattern), "\"%s\":", name);
    at = strstr(fixture_sent[index].body, pattern);
    assert_non_null(at);
    return strtoull(at + strlen(pattern), NULL, 10);
}

static inline bool sent_has(size_t index, const char *text)
{
    return strstr(fixture_sent[index].body, text) != NULL;
}

static inline uint64_t incident_of(size_t index)
{
    const char *at = strstr(fixture_sent[index].body, "\"incident\":{\"id\":\"");

    assert_non_null(at);
    return strtoull(at + strlen("\"incident\":{\"id\":\"") + 16, NULL, 16);
}

/* Moves time to the next due time of the core and runs it; at most `limit_ms`. */
static inline void run_next(uint64_t limit_ms)
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
static inline bool run_until_sent(size_t count, uint64_t limit_ms)
{
    uint64_t end_ns = fixture_mono_ns + limit_ms * 1000000;

    while (fixture_sent_count <= count && fixture_mono_ns < end_ns)
        run_next((end_ns - fixture_mono_ns) / 1000000 + 1);
    return fixture_sent_count > count;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

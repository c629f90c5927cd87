/*
 * Aim: the memory edges of the engine (correlate/core.h) carry what they are said to carry.
 * Method: many events over six partitions with four workers and tables so small that all phases
 * run, and the incident log compared with that of one worker (X1); then a live run with seals,
 * partitions that come and go and rule sets that are switched. Built with ThreadSanitizer this
 * is the test that tests/weaken_orders.py weakens orders against. So nothing here may order the
 * engine's threads: feeds and listeners take no lock, and the host's wakers are no descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "correlate/engine.h"
#include "daemon/incident_log.h"
#include "rules/rule_set.h"
#include "tests/bench_rules.h"
#include "tests/wakerless_host.h"

enum {
    PARTS = 6,
    RECORDS = 1500, /* per partition */
    PAYLOAD = 128,
    LOG_BYTES = 16 << 20,
    LIMIT_MS = 60000,
    MARKS_SEEN = 1 << 16,
};

static const char rules_text[] = RULES_STORM("16", "    max_keys: 4\n");

/* --- a source and a host without locks
 * ------------------------------------------------------------ */

struct lone_feed {
    struct feed feed;
    struct record record[RECORDS];
    char payload[RECORDS][PAYLOAD];
    size_t taken;            /* the owner's */
    bool out;                /* taken and not released */
    int waker;               /* the sequencer's, and the test's behind the end */
    _Atomic bool is_dropped; /* relaxed: says that, and orders nothing */
    bool is_live;
};

static struct lone_feed *feeds[PARTS];
static struct source_change changes[2 * PARTS];
static _Atomic size_t change_count;
static size_t change_at; /* the sequencer's */

static size_t take(struct feed *feed, const struct record **out, size_t max)
{
    struct lone_feed *self = (struct lone_feed *)feed;
    size_t left = RECORDS - self->taken, count = left < max ? left : max;

    *out = self->record + self->taken;
    self->taken += count;
    self->out = count > 0;
    return count;
}

static void release(struct feed *feed)
{
    ((struct lone_feed *)feed)->out = false;
}

static enum feed_state state_of(struct feed *feed)
{
    return ((struct lone_feed *)feed)->is_live ? FEED_LIVE : FEED_FINISHED;
}

static bool end_proof(struct feed *feed, uint64_t *proof_ns)
{
    *proof_ns = host_mono_ns();
    return ((struct lone_feed *)feed)->taken == RECORDS;
}

static size_t take_changes(struct source *source, struct source_change *out, size_t max)
{
    size_t count = 0;

    (void)source;
    while (count < max && change_at < atomic_load_explicit(&change_count, memory_order_acquire))
        out[count++] = changes[change_at++];
    return count;
}

/* The feed is the source's again: it may be emptied. */
static void drop(struct source *source, struct feed *feed)
{
    struct lone_feed *self = (struct lone_feed *)feed;

    (void)source;
    self->taken = RECORDS;
    self->out = false;
    atomic_store_explicit(&self->is_dropped, true, memory_order_relaxed);
}

static void wake_on(struct source *source, struct feed *feed, int waker)
{
    (void)source;
    ((struct lone_feed *)feed)->waker = waker;
}

static const struct host *real;

static void yield_sleep(void *self, int waker, uint64_t timeout_ns)
{
    (void)self;
    (void)waker;
    (void)timeout_ns;
    sched_yield();
}

static struct host yielding_host;

static int setup(void **state)
{
    (void)state;
    real = host();
    yielding_host = wakerless_host();
    yielding_host.waker_sleep = yield_sleep;
    host_set(&yielding_host);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_set(NULL);
    return 0;
}

/* --- listener
 * ----------------------------------------------------------------------------------------- */

struct log {
    char *at;
    size_t used;
    size_t mark_count;
    struct mark last[MARK_KIND_COUNT];
};

static void on_incident(void *self, struct incident *incident)
{
    struct log *log = self;

    if (log->used + 8192 < LOG_BYTES) {
        log->used += incident_log_change(incident, log->at + log->used, 8192);
        log->at[log->used++] = '\n';
        log->at[log->used] = '\0';
    }
}

static bool on_op(void *self, const struct op *op)
{
    struct log *log = self;

    if (log->used + 8192 < LOG_BYTES) {
        log->used += incident_log_op(op, "sink", log->at + log->used, 8192);
        log->at[log->used++] = '\n';
        log->at[log->used] = '\0';
    }
    incident_unref(op->incident);
    return true;
}

static void on_mark(void *self, const struct mark *mark)
{
    struct log *log = self;

    log->mark_count++;
    log->last[mark->kind] = *mark;
}

/* --- records
 * -------------------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    return hash_mix(random_state) % n;
}

static void feeds_fill(bool live, int64_t start_ms)
{
    random_state = 42;
    for (int p = 0; p < PARTS; p++) {
        struct lone_feed *feed = feeds[p];
        int64_t at = start_ms;
        for (int r = 0; r < RECORDS; r++) {
            uint64_t resource = random_below(120);
            at += (int64_t)random_below(30);
            int bytes = snprintf(feed->payload[r], PAYLOAD,
                                 "{\"resource\":\"r%" PRIu64 "\",\"check\":\"%s\",\"state\":\"%s\","
                                 "\"severity\":\"%s\",\"labels\":{\"rack\":\"%" PRIu64 "\"}}",
                                 resource, random_below(4) != 0 ? "down" : "slow",
                                 random_below(3) != 0 ? "problem" : "clear",
                                 random_below(2) != 0 ? "major" : "warning", resource % 12);
            feed->record[r] = (struct record){.offset = r,
                                              .log_time_ms = at,
                                              .payload = feed->payload[r],
                                              .bytes = (uint32_t)bytes,
                                              .leader_epoch = -1};
        }
        feed->taken = 0;
        feed->is_live = live;
        atomic_init(&feed->is_dropped, false);
    }
}

static const struct feed_ops feed_ops = {
    .take = take, .release = release, .state = state_of, .end_proof = end_proof};
static const struct source_ops source_ops = {
    .changes = take_changes, .drop = drop, .wake_on = wake_on};
static struct source source = {.ops = &source_ops};

static void feeds_make(void)
{
    for (int p = 0; p < PARTS; p++) {
        feeds[p] = calloc(1, sizeof(*feeds[p]));
        assert_non_null(feeds[p]);
        feeds[p]->feed =
            (struct feed){.ops = &feed_ops, .topic = p < 3 ? "alpha" : "beta", .partition = p % 3};
        changes[p] = (struct source_change){SOURCE_JOIN, &feeds[p]->feed};
    }
    change_at = 0;
    atomic_store_explicit(&change_count, PARTS, memory_order_relaxed);
}

static void feeds_free(void)
{
    for (int p = 0; p < PARTS; p++)
        free(feeds[p]);
}

static struct rule_set *rules_make(void)
{
    struct rule_set *rules;
    struct error err = {""};

    if (rule_set_parse("rules.yaml", rules_text, strlen(rules_text), &rules, &err) != 0)
        fail_msg("%s", err.text);
    return rules;
}

static void config_fill(struct engine_config *config, unsigned workers)
{
    static const char *const sinks[] = {"sink"};

    engine_config_init(config);
    config->workers = workers;
    config->take_max = 16;
    config->seal_ms = 0;
    config->alerts_max = 60;
    config->expire_ms = 4000;
    config->flap_window_ms = 5000;
    config->seed = 3;
    config->sink_names = sinks;
    config->sink_count = 1;
}

/* --- tests
 * -------------------------------------------------------------------------------------------------
 */

static void log_make(struct log *log)
{
    *log = (struct log){.at = malloc(LOG_BYTES)};
    assert_non_null(log->at);
    log->at[0] = '\0';
}

static void replay(unsigned workers, struct log *log, struct engine_counters *counters)
{
    struct engine_listener listener = {
        .self = log, .incident = on_incident, .op = on_op, .mark = on_mark};
    struct engine_config config;
    struct rule_set *rules = rules_make();
    struct engine *engine;
    struct error err = {""};

    feeds_make();
    feeds_fill(false, INT64_C(1000000015000)); /* what bounds took is told 5 s later */
    config_fill(&config, workers);
    log_make(log);
    assert_int_equal(engine_create(&config, &source, rules, &listener, &engine, &err), 0);
    assert_int_equal(engine_start(engine, &err), 0);
    assert_true(engine_wait_finished(engine, LIMIT_MS));
    /* All has been told, though the threads go on. */
    char last = log->used > 0 ? log->at[log->used - 1] : '\0';
    assert_int_equal(last, '\n');
    engine_stop(engine);
    for (int p = 0; p < PARTS; p++)
        assert_int_equal(feeds[p]->waker, -1); /* the source goes on, and wakes nobody */
    engine_counters(engine, counters);
    engine_destroy(engine);
    rule_set_destroy(rules);
    feeds_free();
}

static void X1_four_workers_tell_what_one_tells(void **state)
{
    (void)state;
    struct log one, four;
    struct engine_counters counters, again;

    replay(4, &four, &again);
    replay(1, &one, &counters);
    assert_string_equal(four.at, one.at);
    assert_int_equal(counters.records, PARTS * RECORDS);
    /* All phases had work. */
    assert_true(counters.alerts_evicted > 100);
    assert_true(counters.keys_evicted > 100);
    assert_true(counters.derived > 2);
    assert_true(counters.updates > 10);
    assert_true(counters.opened > 100);
    assert_int_equal(again.alerts_evicted, counters.alerts_evicted);
    assert_int_equal(again.keys_evicted, counters.keys_evicted);
    assert_int_equal(again.derived, counters.derived);
    free(one.at);
    free(four.at);
}

struct switcher {
    struct engine *engine;
    struct rule_set *sets[8];
};

static void *switch_often(void *arg)
{
    struct switcher *switcher = arg;

    for (int i = 0; i < 8; i++) {
        engine_switch_rules(switcher->engine, switcher->sets[i]);
        sched_yield();
    }
    return NULL;
}

static bool is_over(struct engine *engine, const struct engine_counters *counters)
{
    (void)engine;
    return counters->records == PARTS * RECORDS && counters->in_bins == 0;
}

static void seals_joins_leaves_and_switches_are_handed_over(void **state)
{
    (void)state;
    struct log log;
    struct engine_listener listener = {
        .self = &log, .incident = on_incident, .op = on_op, .mark = on_mark};
    struct engine_config config;
    struct rule_set *rules = rules_make();
    struct engine *engine;
    struct engine_counters counters;
    struct engine_rule_counters rule_row[64];
    struct engine_part_counters part_row[PARTS];
    struct switcher switcher;
    struct error err = {""};
    pthread_t thread;
    uint64_t touches = 0, until = host_mono_ns() + LIMIT_MS * (uint64_t)1000000;

    feeds_make();
    feeds_fill(true, host_wall_ms() - 600000);
    /* Two join at the start, the others under way; those that have been read leave. */
    atomic_store_explicit(&change_count, 2, memory_order_relaxed);
    config_fill(&config, 4);
    config.seal_ms = 1;
    log_make(&log);
    assert_int_equal(engine_create(&config, &source, rules, &listener, &engine, &err), 0);
    switcher.engine = engine;
    for (int i = 0; i < 8; i++)
        switcher.sets[i] = rules_make();
    struct rule_set *mine[8];
    for (int i = 0; i < 8; i++)
        mine[i] = rules_make();
    assert_int_equal(engine_start(engine, &err), 0);
    assert_int_equal(pthread_create(&thread, NULL, switch_often, &switcher), 0);
    for (int i = 0; i < 8; i++) {
        engine_switch_rules(engine, mine[i]);
        sched_yield();
    }
    atomic_store_explicit(&change_count, PARTS, memory_order_relaxed);
    do {
        engine_counters(engine, &counters);
        size_t rows = engine_rule_counters(engine, rule_row, 64);
        for (size_t i = 0; i < rows; i++)
            touches += rule_row[i].touches + strlen(rule_row[i].rule_id);
        size_t parts = engine_part_counters(engine, part_row, PARTS);
        for (size_t i = 0; i < parts; i++)
            touches += strlen(part_row[i].topic);
        sched_yield();
    } while (!is_over(engine, &counters) && host_mono_ns() < until);
    assert_true(is_over(engine, &counters));
    for (int p = 0; p < PARTS; p++)
        changes[PARTS + p] = (struct source_change){SOURCE_LEAVE, &feeds[p]->feed};
    atomic_store_explicit(&change_count, 2 * PARTS, memory_order_release);
    for (int p = 0; p < PARTS; p++)
        while (!atomic_load_explicit(&feeds[p]->is_dropped, memory_order_relaxed) &&
               host_mono_ns() < until)
            sched_yield();
    pthread_join(thread, NULL);
    engine_stop(engine);
    assert_true(touches > 0);
    assert_true(log.last[MARK_SEAL].value_ms > 0);
    assert_int_equal(log.last[MARK_JOIN].part, PARTS - 1);
    for (int p = 0; p < PARTS; p++)
        assert_true(atomic_load_explicit(&feeds[p]->is_dropped, memory_order_relaxed));
    engine_destroy(engine);
    rule_set_destroy(rules);
    free(log.at);
    feeds_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(X1_four_workers_tell_what_one_tells),
        cmocka_unit_test(seals_joins_leaves_and_switches_are_handed_over),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

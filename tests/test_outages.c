/*
 * Aim: while tocsin cannot see or cannot write, nothing that it misses is taken for silence
 * (semantics T4, F6; case 5). Method: a rule that expects a sign of life each minute, and another
 * one whose incidents have to be told, on virtual time; for ten minutes the broker is gone, the
 * disk is full, or both, or the process is stopped. In the end there is a real silence, which shows
 * that the rule still watches.
 */
#include "tests/engine_bench.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, OUTAGE = 10 * MINUTE, BEAT = 20 * SECOND };

static const char rules[] =
    "rules:\n"
    "  - id: alive\n    where: check == \"hb\"\n    by: [resource]\n    expect: {every: 1m}\n"
    "    incident: {title: \"{resource} is silent\"}\n    close: cleared()\n"
    "  - id: down\n    where: check == \"down\"\n    by: [resource]\n    window: 1m\n"
    "    when: count() >= 1\n    incident: {title: \"{resource} is down\"}\n    close: cleared()\n";

struct outage {
    const char *name;
    bool broker; /* nothing can be read, nor written there */
    bool disk;   /* nothing can be told: input waits */
    bool stop;   /* the process stands still, and the machine's clock does not */
};

/* Signs of life up to `until_ms`, as long as somebody takes them. */
static void live(struct bench *bench, struct bench_feed *feed[2], int64_t *now_ms, int64_t until_ms,
                 bool is_written)
{
    while (*now_ms < until_ms) {
        for (int f = 0; f < 2 && is_written; f++)
            bench_put(feed[f], *now_ms, f == 0 ? "a" : "b", "hb", "");
        bench_settle(bench);
        bench_pass(bench, BEAT, BEAT / 8);
        *now_ms += BEAT;
    }
}

static void outage_begin(struct bench *bench, struct bench_feed *feed[2],
                         const struct outage *outage, int64_t now_ms)
{
    if (outage->disk) {
        atomic_store(&bench->is_full, true);
        bench_put(feed[0], now_ms, "c", "down", ""); /* what cannot be told */
        bench_settle(bench);
        bench_pass(bench, SECOND, 100); /* it counts, and now input waits */
    }
    for (int f = 0; f < 2 && outage->broker; f++)
        bench_blind(feed[f]);
}

static void outage_end(struct bench *bench, struct bench_feed *feed[2], const struct outage *outage)
{
    atomic_store(&bench->is_full, false);
    for (int f = 0; f < 2 && outage->broker; f++)
        bench_see(feed[f]);
    bench_settle(bench);
}

static void T4_ten_minutes_without_broker_disk_or_process_fire_no_absence(void **state)
{
    (void)state;
    static const struct outage outages[] = {
        {"broker", true, false, false},
        {"disk", false, true, false},
        {"both", true, true, false},
        {"process", false, false, true},
    };
    static const char *const sink = "s";
    static const uint8_t all = PRIORITY_NONE;

    for (size_t i = 0; i < sizeof(outages) / sizeof(outages[0]); i++) {
        const struct outage *outage = &outages[i];
        struct bench *bench = bench_create(rules);
        struct bench_feed *feed[2];
        int64_t now_ms = 0;

        bench->config.sink_names = &sink;
        bench->config.sink_priority_max = &all;
        bench->config.sink_count = 1;
        bench_go_live(bench);
        bench->config.future_ms = INT64_C(24) * 3600 * 1000;
        for (int f = 0; f < 2; f++)
            feed[f] = bench_feed(bench, "t", f);
        bench_start(bench);
        bench_settle(bench);
        live(bench, feed, &now_ms, 2 * MINUTE, true);
        outage_begin(bench, feed, outage, now_ms);
        if (outage->stop) {
            /* What came meanwhile lies there when it goes on. It is put there while time stands, so
             * no answer of before may say of one feed that it has ended once the other has more. */
            for (int f = 0; f < 2; f++)
                bench_answers_set(feed[f], false);
            bench_pass(bench, 20, 20);
            for (int64_t at = now_ms; at < now_ms + OUTAGE; at += BEAT)
                for (int f = 0; f < 2; f++)
                    bench_put(feed[f], at, f == 0 ? "a" : "b", "hb", "");
            bench_clock_move(bench, OUTAGE);
            for (int f = 0; f < 2; f++)
                bench_answers_set(feed[f], true);
            now_ms += OUTAGE;
            bench_settle(bench);
        } else {
            live(bench, feed, &now_ms, now_ms + OUTAGE, !outage->broker);
        }
        if (strstr(bench->brief, "alive") != NULL)
            fail_msg("%s: told while it lasts: %s", outage->name, bench->brief);
        outage_end(bench, feed, outage);
        live(bench, feed, &now_ms, now_ms + 3 * MINUTE, true);
        if (strstr(bench->brief, "alive") != NULL)
            fail_msg("%s: told behind it: %s", outage->name, bench->brief);
        assert_int_equal(strstr(bench->brief, "opened rule down resource=c") != NULL, outage->disk);
        live(bench, feed, &now_ms, now_ms + 3 * MINUTE, false); /* this is silence */
        if (strstr(bench->brief, "opened rule alive resource=a") == NULL ||
            strstr(bench->brief, "opened rule alive resource=b") == NULL)
            fail_msg("%s: it does not watch any more: %s", outage->name, bench->brief);
        bench_stop(bench);
        bench_destroy(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T4_ten_minutes_without_broker_disk_or_process_fire_no_absence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

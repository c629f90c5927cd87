/*
 * time_bench.h - the bench of the tests of time: one topic of 500 ms of disorder, and a rule that
 * opens at the first event, so that each event's effective time shows in its line.
 */
#ifndef TESTS_TIME_BENCH_H
#define TESTS_TIME_BENCH_H

#include "tests/engine_bench.h"

static struct topic_config any_topic = {.disorder_ms = 500, .tenant = "default"};

static inline struct bench *time_bench(struct topic_config *topic)
{
    struct bench *bench = bench_create(BENCH_RULE_ONE);

    bench->config.topics = topic;
    bench->config.topic_count = 1;
    return bench;
}

/* On virtual time. */
static inline struct bench *live_bench(void)
{
    struct bench *bench = time_bench(&any_topic);

    bench_go_live(bench);
    /* Test clocks are set, not lived through: log times may be far from N. */
    bench->config.future_ms = INT64_C(24) * 3600 * 1000;
    return bench;
}

#endif

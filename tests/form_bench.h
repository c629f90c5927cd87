/*
 * form_bench.h - live runs in which a reload gives a rule another form, told event by event.
 *
 *   struct life life = life_begin(ANY("count() >= 1", "cleared()", "former"), workers);
 *   put(&life, 0, "a", "down", "");
 *   change_rules(&life, ANY("count() > 0", "cleared()", "new"));
 *   put(&life, 2000, "a", "down", "");        a repeat, so many milliseconds after the start
 *   life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n");
 *
 * Time is virtual; it goes on to what is put.
 *
 * Thread: the test's.
 */
#ifndef TESTS_FORM_BENCH_H
#define TESTS_FORM_BENCH_H

#include "engine_bench.h"

#define FORM(by, window, when, close, title, more)                                                 \
    "rules:\n  - id: one\n    where: check == \"down\"\n    by: [" by "]\n    window: " window     \
    "\n    when: " when "\n    incident: {title: " title "}\n    close: " close "\n" more
#define ANY(when, close, title) FORM("resource", "1m", when, close, title, "")
#define BEATS(expect, close, title)                                                                \
    "rules:\n  - id: one\n    where: check == \"hb\"\n    by: [resource]\n    expect: {" expect    \
    "}\n    incident: {title: " title "}\n    close: " close "\n"
#define OTHER                                                                                      \
    "rules:\n  - id: other\n    where: check == \"x\"\n    window: 1m\n    when: count() >= 9\n"   \
    "    incident: {title: t}\n    close: quiet(1m)\n"

enum { FORMS = 2 };
static const unsigned worker_counts[FORMS] = {1, 4};

struct life {
    struct bench *bench;
    struct bench_feed *feed;
    int64_t now_ms;
};

static inline struct life life_begin(const char *rules, unsigned workers)
{
    struct life life = {.bench = bench_create(rules)};

    life.bench->config.workers = workers;
    bench_go_live(life.bench);
    life.feed = bench_feed(life.bench, "t", 0);
    bench_start(life.bench);
    bench_settle(life.bench);
    return life;
}

static inline void pass_to(struct life *life, int64_t at_ms)
{
    bench_settle(life->bench);
    bench_pass(life->bench, at_ms - life->now_ms, 100);
    life->now_ms = at_ms;
}

static inline void put(struct life *life, int64_t at_ms, const char *resource, const char *check,
                       const char *more)
{
    pass_to(life, at_ms);
    bench_put(life->feed, at_ms, resource, check, more);
    bench_settle(life->bench);
}

/* In force before anything later is put. */
static inline void change_rules(struct life *life, const char *rules)
{
    bench_settle(life->bench);
    bench_switch(life->bench, rules);
    pass_to(life, life->now_ms + 1000);
}

/* When the last rules took effect, after the start. */
static inline int64_t last_switch_ms(const struct life *life)
{
    return bench_mark(life->bench, MARK_SWITCH).value_ms - BENCH_T0;
}

/* Ends it; `brief` and the sums (L3) have to come out. */
static inline void life_end(struct life *life, const char *brief)
{
    struct bench *bench = life->bench;
    const struct engine_counters *sums = &bench->counters;

    pass_to(life, life->now_ms + 1000);
    bench_stop(bench);
    assert_string_equal(bench->brief, brief);
    assert_int_equal(sums->touches, sums->correlated + sums->expired + sums->evicted +
                                        sums->retired + sums->pending);
    bench_destroy(bench);
}

static inline size_t count_of(const struct life *life, const char *what)
{
    size_t count = 0;

    for (const char *at = life->bench->log.at; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

#endif

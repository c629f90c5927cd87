/*
 * bench_windows.c - what an event costs in a window that holds 10, 1,000 or 99,999 entries, for
 * each aggregate. (100,000 is the most that a rule may ask for, so it is what `when` waits for.)
 *
 * Unit: one event that comes to a full window, so that the oldest entry goes and `when` is looked
 * at. Workload: stage R alone, one key, an event each millisecond; values from a thousand different
 * ones, a twentieth of the events without. Clock: CPU around the phases, once the window is full;
 * as many steps of 256 events as take 20 ms, 200 at most. Runs: all aggregates and sizes in turns,
 * round by round; figures are medians. Answer check: one key, nothing opened, and as many entries
 * gone as came beyond what the window holds.
 *
 *   bench_windows [ROUNDS, 5]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/text.h"
#include "bench/result.h"
#include "bench/stage.h"

enum { EVENTS = 4096, TEXT_BYTES = 256, BATCH = 256, STEPS_MAX = 200, SIZES = 3, ROUNDS_MAX = 32 };

static const uint32_t sizes[SIZES] = {10, 1000, 99999};
static const struct {
    const char *name, *never;
} aggregates[] = {
    {"count()", "count() >= 100000"},
    {"distinct(check)", "distinct(check) >= 100000"},
    {"sum(value)", "sum(value) < 0"},
    {"avg(value)", "avg(value) < 0"},
    {"stddev(value)", "stddev(value) > 1000000"},
    {"min(value)", "min(value) < 0"},
    {"max(value)", "max(value) < 0"},
    {"first(value)", "first(value) < 0"},
    {"last(value)", "last(value) < 0"},
    {"rate(value)", "rate(value) > 1000000"},
    {"quantile(value, 0.95)", "quantile(value, 0.95) < 0"},
};
enum { AGGREGATES = sizeof(aggregates) / sizeof(aggregates[0]) };

static _Alignas(8) char texts[EVENTS][TEXT_BYTES];
static const struct event_text *text_at[EVENTS];

static void events_make(void)
{
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint64_t dice = hash_mix(i + 1);
        char check[32];
        snprintf(check, sizeof(check), "check-%04u", (unsigned)(dice % 500));
        struct event_draft draft = {.field = {text_of("acme"), text_of("node"), text_of("web-1"),
                                              text_of(check), text_of(""), text_of("")},
                                    .severity = SEVERITY_MAJOR,
                                    .has_value = (dice >> 20) % 20 != 0,
                                    .value = (double)((dice >> 32) % 1000) / 8};
        text_at[i] = event_text_pack(texts[i], event_text_bytes(&draft), &draft, 1000);
    }
}

struct course {
    struct engine *engine;
    uint64_t seq, came;
};

static void step(struct course *course, uint32_t count)
{
    struct touch *touch = stage_touches(course->engine, course->seq, count);
    struct id128 key = hash128("key", 3, 1);
    int64_t from_ms = 1000000 + (int64_t)course->came;

    for (uint32_t i = 0; i < count; i++, course->came++)
        touch[i] = (struct touch){.order = {.at_ms = from_ms + i, .class = ORDER_EVENT},
                                  .key = key,
                                  .alert = {hash_mix(course->came), course->came},
                                  .text = text_at[course->came % EVENTS],
                                  .kind = TOUCH_RAISE,
                                  .severity = SEVERITY_MAJOR,
                                  .lane = (uint8_t)(key.hi >> 56)};
    stage_run(course->engine, course->seq++, from_ms, from_ms + count);
}

/* Nanoseconds of CPU per event; exits on a wrong answer. */
static double run(uint32_t aggregate, uint32_t size)
{
    char text[512];
    struct rule_set *set;
    struct error err;
    struct course course = {0};

    snprintf(text, sizeof(text),
             "rules:\n  - id: bench\n    where: severity >= MAJOR\n    by: [resource]\n"
             "    on: events\n    window: %ums\n    max_members: 100000\n    when: '%s'\n"
             "    incident: {title: t}\n    close: quiet(5m)\n",
             size, aggregates[aggregate].never);
    if (rule_set_parse("bench", text, strlen(text), &set, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    course.engine = stage_make(set);
    while (course.came < size)
        step(&course, size - (uint32_t)course.came < BATCH ? size - (uint32_t)course.came : BATCH);
    step(&course, BATCH);
    double begin = stage_cpu_s(), spent = 0;
    uint64_t before = course.came;
    for (int s = 0; s < STEPS_MAX && spent < 0.02; s++) {
        step(&course, BATCH);
        spent = stage_cpu_s() - begin;
    }
    double ns = spent * 1e9 / (double)(course.came - before);
    const struct tally *tally = &course.engine->workers->tally;
    uint64_t keys = 0;
    for (int l = 0; l < LANES; l++)
        keys += course.engine->key_lanes[l].count;
    if (keys != 1 || tally_get(&tally->opened) != 0 ||
        tally_get(&tally->expired) != course.came - size) {
        fprintf(stderr, "%s: %" PRIu64 " keys, %" PRIu64 " entries gone of %" PRIu64 "\n",
                aggregates[aggregate].name, keys, tally_get(&tally->expired), course.came);
        exit(1);
    }
    stage_free(course.engine);
    rule_set_destroy(set);
    return ns;
}

int main(int argc, char **argv)
{
    static double ns[AGGREGATES][SIZES][ROUNDS_MAX];
    int rounds = argc > 1 ? atoi(argv[1]) : 5;

    if (rounds < 1 || rounds > ROUNDS_MAX)
        return 2;
    result_begin("windows", "one key, events into a full window, CPU");
    events_make();
    for (int r = 0; r < rounds; r++)
        for (uint32_t s = 0; s < SIZES; s++)
            for (uint32_t a = 0; a < AGGREGATES; a++)
                ns[a][s][r] = run(a, sizes[s]);
    for (uint32_t a = 0; a < AGGREGATES; a++)
        for (uint32_t s = 0; s < SIZES; s++) {
            char id[32], what[64];
            snprintf(id, sizeof(id), "cpu.%u.%u", a, sizes[s]);
            snprintf(what, sizeof(what), "%s, %u entries", aggregates[a].name, sizes[s]);
            result_figure(id, what, "ns/event", ns[a][s], rounds);
        }
    return result_answer(true, "one key, nothing opened, and as many entries went as came");
}

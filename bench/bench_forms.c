/*
 * bench_forms.c - what an event costs with a rule of each form, against a plain threshold rule.
 *
 * Unit:   one event of a replay of JSON lines: read, decoded, deduplicated, matched, correlated.
 * Input:  hosts in cycles of a minute, spread evenly: ten checks c0 ... c9 fail a second apart,
 * with values 1 ... 10, and ten seconds after its failure each is clear again; then 40 s of
 *         nothing. Written before the clock starts.
 * Rules:  one rule per run. Each but the last opens one incident per host and cycle, and closes it
 *         before the next, so that openings cost the same for all; of a composite the rule below
 *         opens another. Where something mutes, it mutes each of them: they open all the same.
 *         The last learns what a host's cycle is like, and opens once, when it is another.
 * Clock:  CPU of the process from the first record read until 99 % of the events are in closed
 *         epochs; one worker, pinned.
 * Runs:   each form beside a run of the threshold rule, round by round; a ratio is that of the two
 *         neighbours. On a busy machine the ratio of the least times says more than their median.
 * Check:  the number of incidents of each run and of muted ones, worked out, and the ledger.
 *
 * usage: bench_forms [rounds, 5] [hosts, 2000] [cycles, 5, at least 4] [part of a form's name]
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench/engine_run.h"
#include "bench/result.h"
#include "ingest/file_source.h"

enum {
    ROUNDS_MAX = 32,
    CYCLE_MS = 60000,
    CHECKS = 10,
    STEP_MS = 1000,
    CYCLES_MIN = 4,  /* three to learn from */
    END_MS = 180000, /* one more event this long after the last cycle: all timers are due by then */
};

/* What most rules begin with and end with. */
#define WATCHED "    where: severity >= MAJOR\n    by: [resource]\n"
#define CLOSED "    close: cleared() || quiet(20s)\n"
#define WINDOW(window, when) WATCHED "    window: " window "\n    when: " when "\n" CLOSED
#define STEPS(more) "    by: [resource]\n" more CLOSED

enum opens { EACH_CYCLE, TWICE_EACH_CYCLE, ONCE };

static const struct form {
    const char *name;
    const char *rule; /* without id and incident */
    enum opens opens;
    bool flaps;        /* alerts flap from the second change in 30 s on */
    const char *below; /* another rule, or NULL */
    const char *mutes; /* sections behind the rules, or NULL */
} forms[] = {
    {"threshold: count() in 30s", WINDOW("30s", "count() >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"on: events", "    on: events\n" WINDOW("30s", "count() >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"distinct()", WINDOW("30s", "distinct(check) >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"tumbling", WINDOW("{tumbling: 20s}", "count() >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"tumbling, look: end", "    look: end\n" WINDOW("{tumbling: 20s}", "count() >= 5"), EACH_CYCLE,
     false, NULL, NULL},
    {"session", WINDOW("{session: 5s, max: 1m}", "count() >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"session, look: end", "    look: end\n" WINDOW("{session: 5s, max: 1m}", "count() >= 10"),
     EACH_CYCLE, false, NULL, NULL},
    {"open", WINDOW("open", "count() >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"open, for: 3s (hold)", "    for: 3s\n" WINDOW("open", "count() >= 5"), EACH_CYCLE, false,
     NULL, NULL},
    {"sum()", WINDOW("30s", "sum(value) >= 15"), EACH_CYCLE, false, NULL, NULL},
    {"avg()", WINDOW("30s", "avg(value) >= 3"), EACH_CYCLE, false, NULL, NULL},
    {"stddev()", WINDOW("30s", "stddev(value) >= 1.4"), EACH_CYCLE, false, NULL, NULL},
    {"min()", WINDOW("30s", "min(value) <= 1 && count() >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"max()", WINDOW("30s", "max(value) >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"quantile()", WINDOW("30s", "quantile(value, 0.5) >= 3"), EACH_CYCLE, false, NULL, NULL},
    {"rate()", WINDOW("30s", "rate(value) >= 1 && count() >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"first()", WINDOW("30s", "first(value) == 1 && count() >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"last()", WINDOW("30s", "last(value) >= 5"), EACH_CYCLE, false, NULL, NULL},
    {"hysteresis: close by last()",
     WATCHED "    window: 30s\n    when: count() >= 5\n"
             "    close: last(value) >= 10 || quiet(20s)\n",
     EACH_CYCLE, false, NULL, NULL},
    {"hysteresis: close by fewer()",
     WATCHED "    window: 30s\n    when: count() >= 5\n    close: fewer(1, 12s)\n", EACH_CYCLE,
     false, NULL, NULL},
    {"sequence of three",
     STEPS("    sequence: [{where: check == \"c1\"}, {where: check == \"c4\"},\n"
           "               {where: check == \"c7\"}]\n    within: 30s\n"),
     EACH_CYCLE, false, NULL, NULL},
    /* Any three: each failure begins a chain, ends one and is in the middle of one. */
    {"sequence of any three",
     STEPS("    where: severity >= MAJOR\n"
           "    sequence: [{where: 'true'}, {where: 'true'}, {where: 'true'}]\n    within: 30s\n"),
     EACH_CYCLE, false, NULL, NULL},
    {"sequence of any three, skip: to_next",
     STEPS("    where: severity >= MAJOR\n"
           "    sequence: [{where: 'true'}, {where: 'true'}, {where: 'true'}]\n    within: 30s\n"
           "    skip: to_next\n"),
     EACH_CYCLE, false, NULL, NULL},
    {"sequence, strict",
     STEPS("    where: severity >= MAJOR\n"
           "    sequence: [{where: check == \"c3\"}, {where: check == \"c4\"}]\n"
           "    contiguity: strict\n    within: 30s\n"),
     EACH_CYCLE, false, NULL, NULL},
    {"sequence, then not",
     STEPS("    sequence: [{where: check == \"c2\"}, {not: check == \"fixed\"}]\n"
           "    within: 5s\n"),
     EACH_CYCLE, false, NULL, NULL},
    {"all of three",
     STEPS("    all: [{where: check == \"c1\"}, {where: check == \"c5\"},\n"
           "          {where: check == \"c8\"}]\n    within: 30s\n"),
     EACH_CYCLE, false, NULL, NULL},
    {"expect", WATCHED "    expect: {every: 15s}\n    close: cleared()\n", EACH_CYCLE, false, NULL,
     NULL},
    {"on: flapping", "    on: flapping\n" WINDOW("30s", "count() >= 10"), EACH_CYCLE, true, NULL,
     NULL},
    {"composite of threshold, and it",
     "    on: incidents\n    of: [below]\n    by: [resource]\n    window: 30s\n"
     "    when: count() >= 1\n" CLOSED,
     TWICE_EACH_CYCLE, false, WINDOW("30s", "count() >= 5"), NULL},
    {"muted: by inhibition", WINDOW("30s", "count() >= 5"), TWICE_EACH_CYCLE, false,
     WINDOW("30s", "count() >= 3"),
     "inhibit:\n  - {id: i, source: 'rule == \"below\"', target: 'rule == \"bench\"', equal: "
     "[resource]}\n"},
    {"not muted: the same two rules", WINDOW("30s", "count() >= 5"), TWICE_EACH_CYCLE, false,
     WINDOW("30s", "count() >= 3"), NULL},
    {"muted: by a silence", WINDOW("30s", "count() >= 5"), EACH_CYCLE, false, NULL,
     "silences:\n  - {id: s, where: 'rule == \"bench\"', to: \"2030-01-01T00:00:00Z\"}\n"},
    {"muted: by maintenance", WINDOW("30s", "count() >= 5"), EACH_CYCLE, false, NULL,
     "maintenance:\n  - {id: m, where: 'rule == \"bench\"', start: "
     "2026-01-01T00:00, duration: 1d, rrule: FREQ=DAILY}\n"},
    {"deviation()",
     WATCHED "    window: {tumbling: 1m}\n    baseline: {season: 1m, learn: 2}\n"
             "    when: deviation(sum(labels.load)) > 4\n    close: quiet(10m)\n",
     ONCE, false, NULL, NULL},
};
enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

/* --- input ----------------------------------------------------------------------------------- */

struct happening {
    int64_t at_ms;
    uint32_t host;
    uint8_t number; /* 0 ... 9 a failure, 10 ... 19 the clear of it */
    bool is_unlike; /* of the last cycle */
};

static int happening_order(const void *a, const void *b)
{
    const struct happening *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->host > y->host) - (x->host < y->host);
}

static void line_write(FILE *file, int64_t at_ms, const char *resource, const char *more)
{
    fprintf(file,
            "{\"time\":\"2026-01-01T%02d:%02d:%02d.%03dZ\",\"tenant\":\"acme\",\"source\":\"node\","
            "\"resource\":\"%s\",\"message\":\"request took longer than it should\",%s}\n",
            (int)(at_ms / 3600000), (int)(at_ms / 60000 % 60), (int)(at_ms / 1000 % 60),
            (int)(at_ms % 1000), resource, more);
}

/* Returns how many lines. */
static uint64_t lines_write(const char *path, uint32_t hosts, uint32_t cycles)
{
    size_t count = (size_t)hosts * cycles * 2 * CHECKS, n = 0;
    struct happening *all = malloc(count * sizeof(*all));
    FILE *file = fopen(path, "w");
    char resource[32], more[256];

    if (all == NULL || file == NULL)
        exit(1);
    for (uint32_t c = 0; c < cycles; c++)
        for (uint32_t h = 0; h < hosts; h++)
            for (uint8_t i = 0; i < 2 * CHECKS; i++)
                all[n++] = (struct happening){
                    (int64_t)c * CYCLE_MS + (int64_t)h * CYCLE_MS / hosts + (int64_t)i * STEP_MS, h,
                    i, c == cycles - 1};
    qsort(all, count, sizeof(*all), happening_order);
    for (size_t i = 0; i < count; i++) {
        const struct happening *what = &all[i];
        snprintf(resource, sizeof(resource), "host-%05u", what->host);
        snprintf(more, sizeof(more),
                 "\"check\":\"c%d\",\"severity\":\"major\",\"state\":\"%s\",\"value\":%d,"
                 "\"labels\":{\"site\":\"fra1\",\"os\":\"linux\",\"load\":\"%d\"}",
                 what->number % CHECKS, what->number < CHECKS ? "problem" : "clear",
                 what->number % CHECKS + 1, what->is_unlike ? 100 : 1);
        line_write(file, what->at_ms, resource, more);
    }
    line_write(file, (int64_t)cycles * CYCLE_MS + END_MS, "end",
               "\"check\":\"end\",\"severity\":\"info\"");
    free(all);
    if (fclose(file) != 0)
        exit(1);
    return count + 1;
}

/* --- runs ------------------------------------------------------------------------------------- */

static struct rule_set *rules_read(const struct form *form)
{
    char text[2048];
    struct rule_set *set = NULL;
    struct error err = {""};

    snprintf(text, sizeof(text), "rules:\n  - id: bench\n    incident: {title: t}\n%s%s%s%s",
             form->rule, form->below != NULL ? "  - id: below\n    incident: {title: t}\n" : "",
             form->below != NULL ? form->below : "", form->mutes != NULL ? form->mutes : "");
    if (rule_set_parse(form->name, text, strlen(text), &set, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return set;
}

/* CPU per event in ns; false when an answer is wrong. */
static bool run(const struct form *form, const char *path, uint64_t lines, uint64_t expected,
                uint64_t muted, double *ns)
{
    const struct file_input input = {.path = path, .topic = "events"};
    struct engine_config config;
    struct error err = {""};
    struct engine_run run = {
        .config = &config, .rules = rules_read(form), .records = lines, .share = 0.99};

    engine_config_init(&config);
    config.workers = 1;
    config.seal_ms = 0;
    config.flap_start = form->flaps ? 2 : 0;
    config.flap_stop = 1;
    config.flap_window_ms = 30000;
    if (file_source_open(&input, 1, &run.source, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    engine_run(&run);
    run.source->ops->close(run.source);
    rule_set_destroy(run.rules);
    *ns = run.cpu_ns_event;
    if (run.why[0] == '\0' && run.opened == expected && run.counters.muted == muted)
        return true;
    printf("%s: WRONG: %llu incidents instead of %llu, %llu muted instead of %llu %s\n", form->name,
           (unsigned long long)run.opened, (unsigned long long)expected,
           (unsigned long long)run.counters.muted, (unsigned long long)muted, run.why);
    return false;
}

int main(int argc, char **argv)
{
    static double ns[FORMS][ROUNDS_MAX], ratio[FORMS][ROUNDS_MAX];
    double least = 1e18; /* of the threshold rule: what a busy machine adds is never negative */
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    uint32_t hosts = argc > 2 ? (uint32_t)atoi(argv[2]) : 2000;
    uint32_t cycles = argc > 3 ? (uint32_t)atoi(argv[3]) : 5;
    const char *only = argc > 4 ? argv[4] : "";
    char path[] = "/tmp/bench-forms-XXXXXX";
    bool is_right = true;
    cpu_set_t one_core;

    if (rounds < 1 || rounds > ROUNDS_MAX || hosts < 1 || hosts > 50000 || cycles < CYCLES_MIN ||
        cycles > 60 || close(mkstemp(path)) != 0) {
        fprintf(stderr, "usage: bench_forms [rounds] [hosts] [cycles] [part of a form's name]\n");
        return 2;
    }
    CPU_ZERO(&one_core);
    CPU_SET(0, &one_core);
    if (sched_setaffinity(0, sizeof(one_core), &one_core) != 0)
        fprintf(stderr, "not pinned: the kernel refuses\n");
    uint64_t lines = lines_write(path, hosts, cycles);
    result_begin("forms", "%llu events, one worker, a rule of each form in turns, CPU",
                 (unsigned long long)lines);
    for (int r = 0; r < rounds; r++)
        for (int f = 0; f < FORMS; f++) {
            uint64_t each = (uint64_t)hosts * cycles;
            uint64_t expected = forms[f].opens == EACH_CYCLE         ? each
                                : forms[f].opens == TWICE_EACH_CYCLE ? 2 * each
                                                                     : hosts;
            double plain;
            if (strstr(forms[f].name, only) == NULL)
                continue;
            is_right = run(&forms[0], path, lines, each, 0, &plain) && is_right;
            is_right = run(&forms[f], path, lines, expected, forms[f].mutes != NULL ? each : 0,
                           &ns[f][r]) &&
                       is_right;
            ratio[f][r] = ns[f][r] / plain;
            least = plain < least ? plain : least;
        }
    unlink(path);
    for (int f = 0; f < FORMS; f++) {
        if (strstr(forms[f].name, only) == NULL)
            continue;
        char id[24], what[96];
        snprintf(id, sizeof(id), "cpu.%02d", f);
        result_figure(id, forms[f].name, "ns/event", ns[f], rounds);
        snprintf(id, sizeof(id), "ratio.%02d", f);
        snprintf(what, sizeof(what), "%s / threshold", forms[f].name);
        result_figure(id, what, "", ratio[f], rounds);
        double form_least = ns[f][0];
        for (int r = 1; r < rounds; r++)
            form_least = ns[f][r] < form_least ? ns[f][r] : form_least;
        snprintf(id, sizeof(id), "least.%02d", f);
        snprintf(what, sizeof(what), "%s / threshold, least of both", forms[f].name);
        result_one(id, what, "", form_least / least);
    }
    return result_answer(is_right, "incidents of each run, and those that were muted");
}

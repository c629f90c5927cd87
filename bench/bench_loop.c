/*
 * bench_loop - a replay on one core, beside a plain loop that was written for the one job (G5).
 *
 * Unit:      one event of peers_list.h as a JSON line of 205 bytes in the page cache: read,
 *            decoded, deduplicated, counted by host.
 * Ours:      the engine over the file with one worker: the job's one rule, and that rule together
 *            with the demo's, which the loop is spared.
 * Yardstick: bench/yardsticks/plain_loop.h, simdjson's on-demand parser and two tables.
 * Clock:     CPU of the engine's threads, of the loop's thread, each over the whole list but ours
 *            from its first record on and to 95 % of it.
 * Method:    all three in turns, a round each.
 * Check:     500 incidents, 5,000 alerts and all else repeats, of the loop and of ours; with the
 *            demo's rules every event accounted for and the same incidents in each round.
 *
 * usage: bench_loop [rounds, 7] [events, 2000000]
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "bench/engine_run.h"
#include "bench/peers_list.h"
#include "bench/result.h"
#include "bench/yardsticks/plain_loop.h"
#include "ingest/file_source.h"

enum { ROUNDS_MAX = 32, JOB = 0, WITH_DEMO = 1, KINDS = 2 };

#define LIST "list.jsonl"

static double thread_cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void ours(int kind, uint64_t events, struct engine_run *run)
{
    const struct file_input input = {.path = LIST, .topic = "events"};
    const char *const rules[] = {PEERS "/tocsin/host-five.yaml", RULES_FILE};
    struct engine_config config;
    struct error err = {""};

    engine_config_init(&config);
    config.workers = 1;
    config.seal_ms = 0;
    *run = (struct engine_run){.config = &config, .records = events, .share = 0.95};
    if (file_source_open(&input, 1, &run->source, &err) != 0 ||
        rule_set_load(rules, kind == WITH_DEMO ? 2 : 1, &run->rules, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    engine_run(run);
    run->source->ops->close(run->source);
    rule_set_destroy(run->rules);
}

static bool loop_is_right(const struct plain_loop_answer *answer, uint64_t events)
{
    return answer->events == events && answer->refused == 0 && answer->alerts == LIST_ALERTS &&
           answer->repeats == events - LIST_ALERTS && answer->incidents == LIST_INCIDENTS;
}

/* With the job's rule alone. */
static bool is_right(const struct engine_run *run, uint64_t events)
{
    return run->opened == LIST_INCIDENTS && run->counters.duplicate == events - LIST_ALERTS;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    long events = argc > 2 ? atol(argv[2]) : 2000000;
    char folder[] = "/tmp/bench-loop-XXXXXX";
    double own[KINDS][ROUNDS_MAX], loop[ROUNDS_MAX], ratio[KINDS][ROUNDS_MAX], text, json;
    uint64_t opened[KINDS] = {0, 0};
    bool is_wrong = false;
    cpu_set_t one;

    if (rounds < 1 || rounds > ROUNDS_MAX || events < LIST_ALERTS) {
        fprintf(stderr, "usage: bench_loop [rounds, 1 to %d] [events, %d or more]\n", ROUNDS_MAX,
                LIST_ALERTS);
        return 2;
    }
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return 1;
    list_write(events, 0, &text, &json);
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0)
        fprintf(stderr, "not pinned: the kernel refuses\n");
    result_begin("loop", "%ld JSON lines of %.0f bytes, one core", events, json);
    for (int r = 0; r < rounds; r++) {
        double began = thread_cpu_s();
        struct plain_loop_answer answer = plain_loop_run(LIST);
        loop[r] = (thread_cpu_s() - began) / (double)events * 1e9;
        is_wrong |= !loop_is_right(&answer, (uint64_t)events);
        for (int k = 0; k < KINDS; k++) {
            struct engine_run run;
            ours(k, (uint64_t)events, &run);
            own[k][r] = run.own_ns_event;
            ratio[k][r] = loop[r] / own[k][r];
            is_wrong |= run.why[0] != '\0' || (r > 0 && run.opened != opened[k]) ||
                        (k == JOB && !is_right(&run, (uint64_t)events));
            opened[k] = run.opened;
            if (run.why[0] != '\0')
                fprintf(stderr, "%s\n", run.why);
        }
    }
    unlink(LIST);
    unlink("list.txt");
    if (chdir("/") != 0 || rmdir(folder) != 0)
        perror(folder);
    result_figure("loop", "CPU of the plain loop", "ns/event", loop, rounds);
    result_figure("cpu", "CPU, the job's rule", "ns/event", own[JOB], rounds);
    result_figure("cpu-demo", "CPU, with the demo's rules", "ns/event", own[WITH_DEMO], rounds);
    result_figure("ratio", "rate by CPU, ours / the loop", "", ratio[JOB], rounds);
    result_figure("ratio-demo", "rate by CPU, ours with the demo's rules / the loop", "",
                  ratio[WITH_DEMO], rounds);
    return result_answer(!is_wrong,
                         "%d incidents, %d alerts, all else repeats; every event accounted for",
                         LIST_INCIDENTS, LIST_ALERTS);
}

/*
 * bench_replay - events per second of a replay of JSON lines with the demo's rules.
 *
 * Unit:   one event: read from a file in the page cache, decoded, packed, deduplicated,
 *         matched, correlated, accounted.
 * Clock:  from the first record read until 95 % of the events are in closed epochs.
 * Input:  `tocsin generate` with a fixed seed, written before the clock starts: lines of one file,
 *         and a recording of eight partitions.
 * Runs:   one worker pinned to one core, and, where there are two, two workers on two cores.
 *         CPU per event is the process's. Allocations, sleeps, wakes and futex calls are those of
 *         the engine's threads in the second half of each run, per million events;
 *         also of a run without faults, where no incident changes.
 * Scale:  rates of two workers against one's. By CPU: what one worker takes for an event, against
 *         the busier of two; that is what the rates would be on two cores that nobody else uses,
 *         if neither waited for the other.
 * Check:  the ledger adds up, every record is accounted, and each run opens the same
 *         number of incidents.
 *
 * usage: bench_replay [rounds, 7] [noise events per second of the estate, 40000]
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench/engine_run.h"
#include "bench/result.h"
#include "ingest/file_source.h"
#include "ingest/recording_source.h"

enum { ROUNDS_MAX = 64 };

static void pin(unsigned cores)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (unsigned c = 0; c < cores; c++)
        CPU_SET(c, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        fprintf(stderr, "not pinned: the kernel refuses\n");
}

static uint64_t lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    uint64_t lines = 0;
    static char buffer[1 << 20];
    size_t got;

    while (file != NULL && (got = fread(buffer, 1, sizeof(buffer), file)) > 0)
        for (const char *at = buffer; (at = memchr(at, '\n', (size_t)(buffer + got - at))) != NULL;
             at++)
            lines++;
    if (file != NULL)
        fclose(file);
    return lines;
}

static bool generate(const char *tool, const char *to, const char *path, const char *rate,
                     const char *more)
{
    char command[8192];

    snprintf(command, sizeof(command),
             "'%s' generate --%s %s --duration 60s --rate %s --seed 7 --quiet %s", tool, to, path,
             rate, more);
    return system(command) == 0;
}

static void one(const char *path, bool is_recording, uint64_t lines, unsigned workers,
                struct engine_run *run)
{
    const struct file_input input = {.path = path, .topic = "events"};
    int rc;
    const char *rules = RULES_FILE;
    struct engine_config config;
    struct error err = {""};

    engine_config_init(&config);
    config.workers = workers;
    config.seal_ms = 0;
    *run = (struct engine_run){.config = &config, .records = lines, .share = 0.95};
    rc = is_recording ? recording_source_open(&path, 1, &run->source, &err)
                      : file_source_open(&input, 1, &run->source, &err);
    if (rc != 0 || rule_set_load(&rules, 1, &run->rules, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    engine_run(run);
    run->source->ops->close(run->source);
    rule_set_destroy(run->rules);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    const char *rate = argc > 2 ? argv[2] : "40000";
    char path[] = "/tmp/bench-replay-XXXXXX", parts[64], tool[4096];
    double rate_of[2][ROUNDS_MAX], cpu[2][ROUNDS_MAX], allocations[2][ROUNDS_MAX];
    double wakes[2][ROUNDS_MAX], futexes[2][ROUNDS_MAX], scale[ROUNDS_MAX], scale_cpu[ROUNDS_MAX];
    double parts_scale[ROUNDS_MAX], parts_scale_cpu[ROUNDS_MAX];
    const char *no_futexes = NULL;
    uint64_t opened = 0;
    int bad = 0;

    ssize_t got = readlink("/proc/self/exe", tool, sizeof(tool) - 64);
    if (got < 0 || rounds < 1 || rounds > ROUNDS_MAX || close(mkstemp(path)) != 0)
        return 1;
    tool[got] = '\0';
    strcpy(strrchr(tool, '/'), "/../tocsin");
    snprintf(parts, sizeof(parts), "%s.trec", path); /* a recording is not written over */
    if (!generate(tool, "output", path, rate, "") || !generate(tool, "recording", parts, rate, ""))
        return 1;
    uint64_t lines = lines_of(path);
    unsigned cores = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1;
    result_begin("replay", "%llu JSON lines, the demo's rules", (unsigned long long)lines);
    for (int r = 0; r < rounds; r++) {
        double alone_ns = 0, parts_alone_ns = 0, parts_alone_s = 0;
        for (unsigned w = 1; w <= cores; w++) {
            struct engine_run run, of_parts;
            pin(w);
            one(path, false, lines, w, &run);
            rate_of[w - 1][r] = 0.95 * (double)lines / run.seconds / 1e6;
            cpu[w - 1][r] = run.cpu_ns_event;
            allocations[w - 1][r] = run.steady_allocations;
            wakes[w - 1][r] = run.steady_wakes;
            futexes[w - 1][r] = run.steady_futexes;
            no_futexes = run.no_futexes;
            one(parts, true, lines, w, &of_parts);
            if (w == 1) {
                alone_ns = run.own_ns_event;
                parts_alone_ns = of_parts.own_ns_event;
                parts_alone_s = of_parts.seconds;
            } else {
                scale_cpu[r] = alone_ns / run.busiest_ns_event;
                parts_scale_cpu[r] = parts_alone_ns / of_parts.busiest_ns_event;
                parts_scale[r] = parts_alone_s / of_parts.seconds;
            }
            if (run.why[0] != '\0' || of_parts.why[0] != '\0' || of_parts.opened != run.opened ||
                (opened != 0 && run.opened != opened)) {
                printf("WRONG: %s %s (%llu and %llu incidents)\n", run.why, of_parts.why,
                       (unsigned long long)run.opened, (unsigned long long)of_parts.opened);
                bad = 1;
            }
            opened = run.opened;
        }
        if (cores > 1)
            scale[r] = rate_of[1][r] / rate_of[0][r];
    }
    /* Steady state: alerts come and go, and no fault changes an incident. */
    struct engine_run steady;
    if (!generate(tool, "output", path, rate, "--faults 0"))
        return 1;
    pin(1);
    one(path, false, lines_of(path), 1, &steady);
    bad |= steady.why[0] != '\0';
    unlink(path);
    unlink(parts);
    for (unsigned w = 1; w <= cores; w++) {
        static const char *const workers[] = {"one worker", "two workers"};
        const struct {
            const char *id, *what, *unit;
            const double *samples;
        } figures[] = {
            {"rate", "rate", "M events/s", rate_of[w - 1]},
            {"cpu", "CPU", "ns/event", cpu[w - 1]},
            {"allocations", "allocations", "per million events", allocations[w - 1]},
            {"wakes", "sleeps and wakes", "per million events", wakes[w - 1]},
            {"futexes", "futex calls", "per million events", futexes[w - 1]},
        };
        for (size_t f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
            char id[32], what[64];
            snprintf(id, sizeof(id), "%s-%u", figures[f].id, w);
            snprintf(what, sizeof(what), "%s, %s", figures[f].what, workers[w - 1]);
            if (figures[f].samples == futexes[w - 1] && no_futexes != NULL)
                result_absent(id, what, no_futexes);
            else
                result_figure(id, what, figures[f].unit, figures[f].samples, rounds);
        }
    }
    const struct {
        const char *id, *what;
        const double *samples;
    } scales[] = {
        {"scale", "rate, two workers / one", scale},
        {"scale-cpu", "CPU, one worker / the busier of two", scale_cpu},
        {"scale-parts", "rate, two workers / one, eight partitions", parts_scale},
        {"scale-parts-cpu", "CPU, one / the busier of two, eight partitions", parts_scale_cpu},
    };
    for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++)
        if (cores > 1)
            result_figure(scales[i].id, scales[i].what, "", scales[i].samples, rounds);
        else
            result_absent(scales[i].id, scales[i].what, "there is one core");
    result_one("allocations-steady", "allocations, one worker, no faults", "per million events",
               steady.steady_allocations);
    result_one("wakes-steady", "sleeps and wakes, one worker, no faults", "per million events",
               steady.steady_wakes);
    return result_answer(!bad, "%llu incidents in every run, every record accounted",
                         (unsigned long long)opened);
}

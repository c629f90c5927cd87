/*
 * bench_workloads.c - what the daemon does with inputs of many kinds, and whether it accounts for
 * all of them (G16).
 *
 * Unit:      one event on its way from a broker through the daemon, which is in a process of its
 *            own, without a data directory; the kinds are the rows of bench/workloads.csv, and
 *            bench/workload.h says what they are made of.
 * Clock:     from when the daemon is first seen to have read something until it has read the last,
 *            by what came between; a sender in another process puts it all there as fast as the
 * broker has room for it: before the daemon starts, as far as there is room. CPU is the daemon's
 * process's, all its threads, until the last epoch is closed; resident is the most that it ever
 * took. Check:     of each row: as many events are accounted as were sent, none was rejected, lost
 * or skipped; as many alerts came to be, incidents were opened and events counted as late as the
 * generator put in; the daemon's sums hold when it stops (exit code 0).
 *
 *   bench_workloads [long | NAME...] [--small N] [--kafka HOST:PORT] [--ait FOLDER]
 *
 * `long` takes in the rows that say so; names choose some. --small: a share of 1/N of the events.
 * --kafka: of a Kafka there, the row must be one, and the topic `events` have as many partitions
 * and no records. --ait: replays of real data as well, from that folder (bench/real_data.h); as
 * the only argument, these alone.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include "bench/daemon_run.h"
#include "bench/figures.h"
#include "bench/real_data.h"
#include "bench/result.h"
#include "bench/workload.h"

enum { ROWS_MAX = 64, LOOK_MS = 5, LINE_BYTES = 512 };

static const char config[] = "input.topics: [{topic: events, disorder: 500ms}]\n"
                             "rules: [rules.yaml]\n"
                             "engine: {alerts: {max: 20000000}, expire: 1d}\n";

struct took {
    double seconds, cpu_s, resident_mb;
    double events; /* that were read while the clocks ran */
};

static size_t read_rows(struct workload *rows)
{
    FILE *from = fopen(WORKLOADS_FILE, "r");
    char line[LINE_BYTES];
    size_t count = 0;

    if (from == NULL || fgets(line, sizeof(line), from) == NULL) {
        fprintf(stderr, "bench_workloads: %s cannot be read\n", WORKLOADS_FILE);
        exit(2);
    }
    while (count < ROWS_MAX && fgets(line, sizeof(line), from) != NULL) {
        struct workload *row = &rows[count++];
        if (sscanf(line, "%23[^,],%23[^,],%ld,%ld,%d,%d,%23[^,],%d,%23[^,\n]", row->name, row->when,
                   &row->events, &row->alerts, &row->bytes, &row->partitions, row->codec,
                   &row->rules, row->shape) != 9 ||
            row->partitions > PARTITIONS_MAX) {
            fprintf(stderr, "bench_workloads: %s, row %zu: not a workload\n", WORKLOADS_FILE,
                    count + 1);
            exit(2);
        }
    }
    fclose(from);
    return count;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
}

/* It has ended in good order, or goes on. */
static bool sender_is_well(int sender, bool *has_ended)
{
    int status = 0;

    if (*has_ended || waitpid(sender, &status, WNOHANG) != sender)
        return true;
    *has_ended = true;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static double resident_mb(pid_t pid)
{
    char path[64], line[256];
    long kb = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *from = fopen(path, "r");
    while (from != NULL && fgets(line, sizeof(line), from) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (from != NULL)
        fclose(from);
    return (double)kb / 1024;
}

/* What is not as the generator says; NULL: everything is. */
static const char *fault_of(const struct workload_counts *counts)
{
    static char text[256];
    const struct {
        const char *metric;
        double want;
    } must[] = {
        {"tocsin_events_total", (double)counts->events},
        {"tocsin_events_rejected_total", 0},
        {"tocsin_kafka_lost_total", 0},
        {"tocsin_kafka_skipped_total", 0},
        {"tocsin_events_late_total", (double)counts->late}, /* by others of their partition */
        {"tocsin_alerts_opened_total", (double)counts->alerts},
        {"tocsin_alerts_evicted_total", 0},
        {"tocsin_keys_evicted_total", 0},
        {"tocsin_incidents_opened_total", (double)counts->faults}};

    for (size_t i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
        double is = daemon_metric(must[i].metric);
        if (is == must[i].want || (is < 0 && must[i].want == 0))
            continue;
        snprintf(text, sizeof(text), "%s is %.0f, and not %.0f", must[i].metric, is, must[i].want);
        return text;
    }
    return NULL;
}

static const char *run_one(const struct workload *load, const char *kafka, struct took *took)
{
    static const char *const run[] = {"run", "--config", "tocsin.yaml", NULL};
    static char group[WORD_BYTES + 16];
    const char *brokers = kafka, *fault;
    bool has_ended = false, is_well = true;
    int sender;

    if (kafka != NULL)
        daemon_use_broker(kafka);
    else
        brokers = daemon_broker(load->partitions);
    workload_rules(load);
    snprintf(group, sizeof(group), "workload-%s", load->name);
    daemon_config(group, config);
    struct workload_counts *counts = workload_send(load, brokers, &sender);
    while (is_well && !atomic_load(&counts->is_full) && !atomic_load(&counts->is_over)) {
        is_well = sender_is_well(sender, &has_ended);
        nap();
    }
    pid_t pid = daemon_begin("run.log", run);
    if (is_well)
        daemon_await(pid, "tocsin_events_total", 1, 1);
    double began = bench_now_s(), cpu = daemon_cpu_s(pid);
    double before = is_well ? daemon_metric("tocsin_events_total") : 0;
    while (is_well && !(atomic_load(&counts->is_over) &&
                        daemon_metric("tocsin_events_total") >= (double)counts->events)) {
        is_well = sender_is_well(sender, &has_ended);
        atomic_store(&counts->taken, (long)daemon_metric("tocsin_events_total"));
        nap();
    }
    took->seconds = bench_now_s() - began;
    took->events = (double)counts->events - before;
    for (int i = 0; is_well && daemon_closed() < (double)counts->events && i < 60000 / LOOK_MS; i++)
        nap();
    took->cpu_s = daemon_cpu_s(pid) - cpu;
    took->resident_mb = resident_mb(pid);
    fault = is_well ? fault_of(counts) : "the sender failed";
    kill(pid, SIGTERM);
    if (daemon_end(pid) != 0 && fault == NULL)
        fault = "the daemon's sums do not hold, or it could not stop: see run.log";
    if (!has_ended)
        waitpid(sender, NULL, 0);
    if (kafka == NULL)
        daemon_broker_end();
    return fault;
}

static void tell(const struct workload *load, const struct took *took)
{
    char id[64], what[128];
    const struct {
        const char *id, *what, *unit;
        double value;
    } figures[] = {{"rate", "rate", "k events/s", took->events / took->seconds / 1e3},
                   {"cpu", "CPU", "ns/event", took->cpu_s / took->events * 1e9},
                   {"resident", "resident", "MB", took->resident_mb}};

    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        snprintf(id, sizeof(id), "%s.%.20s", figures[i].id, load->name);
        snprintf(what, sizeof(what), "%.20s: %s", load->name, figures[i].what);
        result_one(id, what, figures[i].unit, figures[i].value);
    }
}

static bool is_chosen(const struct workload *row, int argc, char **argv, bool is_long)
{
    bool any = false;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            i++;
            continue;
        }
        any = any || strcmp(argv[i], "long") != 0;
        if (strcmp(argv[i], row->name) == 0)
            return true;
    }
    return !any && (is_long || strcmp(row->when, "always") == 0);
}

int main(int argc, char **argv)
{
    static struct workload rows[ROWS_MAX];
    const char *kafka = NULL, *ait = NULL, *fault = NULL, *faulty = "";
    bool is_long = false;
    long small = 1, runs = 0;
    size_t count;

    for (int i = 1; i < argc; i++) {
        is_long = is_long || strcmp(argv[i], "long") == 0;
        if (strcmp(argv[i], "--small") == 0 && i + 1 < argc)
            small = strtol(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--kafka") == 0 && i + 1 < argc)
            kafka = argv[i + 1];
        if (strcmp(argv[i], "--ait") == 0 && i + 1 < argc)
            ait = realpath(argv[i + 1], NULL); /* for as long as the bench runs */
        if (strcmp(argv[i], "--ait") == 0 && ait == NULL) {
            fprintf(stderr, "bench_workloads: --ait names a folder that is there\n");
            return 64;
        }
    }
    if (small < 1)
        return 64;
    daemon_folder();
    count = read_rows(rows);
    result_begin("workloads", "rows of bench/workloads.csv%s, %s", is_long ? ", long ones too" : "",
                 kafka != NULL ? "Kafka" : "a mock broker");
    for (size_t i = 0; i < count; i++) {
        struct took took = {0};
        if ((ait != NULL && argc == 3) || !is_chosen(&rows[i], argc, argv, is_long))
            continue;
        rows[i].events /= small;
        const char *why = run_one(&rows[i], kafka, &took);
        if (took.events > 0)
            tell(&rows[i], &took);
        runs++;
        if (why != NULL) {
            printf("  WRONG: %s: %s\n", rows[i].name, why);
            fault = fault != NULL ? fault : why;
            faulty = faulty[0] != '\0' ? faulty : rows[i].name;
        }
    }
    if (ait != NULL) {
        fault = fault != NULL ? fault : real_data_run(ait);
        runs++;
    }
    if (runs == 0)
        return 64;
    result_one("wrong", "workloads with a loss, or another answer", "", fault != NULL);
    return result_answer(fault == NULL, "%s%s%s", faulty, fault != NULL ? ": " : "",
                         fault != NULL ? fault
                                       : "every event accounted, every alert, incident and late "
                                         "event as the generator says");
}

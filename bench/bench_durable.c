/*
 * bench_durable.c - what a data directory costs (G11): Kafka to incidents with everything journaled
 * and synced before it leaves, against the same without.
 *
 * Unit:      one event of about 300 bytes of JSON, in 128 partitions of a mock broker.
 * Yardstick: the same daemon without `data.dir`: nothing is kept.
 * Ours:      with it: commit groups with their syncs, the history behind them, and a snapshot where
 *            one is due.
 * Clock:     CPU of the daemon's process, and the wall, from its first event until every one is in
 * a closed epoch, looked at every 20 ms. What a start costs, three segments that are filled with
 * zeros among it, is not in it. Method:    both take turns, each time from the beginning of the
 * topic and with a new directory; the ratio of each round is kept, throughput with the directory
 * against without. Check:     every event is accounted, and both open the same number of incidents.
 *
 *   bench_durable [ROUNDS] [EVENTS]      [7] [800000]
 *
 * Goal: 0.90.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include "bench/daemon_run.h"
#include "bench/figures.h"
#include "bench/result.h"

enum { PARTITIONS = 128, ROUNDS_MAX = 64, LOOK_MS = 20, PER_SECOND = 20000 };

struct took {
    double cpu_s, wall_s, opened;
};

/* Fills the topic with about so many; how many they are. */
static double fill(const char *broker, long events)
{
    char duration[32];
    const char *const generate[] = {"generate", "--recording", "events.trec", "--partitions",
                                    "128",      "--rate",      "20000",       "--duration",
                                    duration,   "--hosts",     "4000",        "--racks",
                                    "100",      "--faults",    "20",          NULL};
    const char *const publish[] = {"publish", "--brokers",   broker,    "--topic",
                                   "events",  "events.trec", "--quiet", NULL};

    snprintf(duration, sizeof(duration), "%ldms", events * 1000 / PER_SECOND);
    if (daemon_end(daemon_begin("generate.log", generate)) != 0 ||
        daemon_end(daemon_begin("publish.log", publish)) != 0) {
        fprintf(stderr, "the broker cannot be filled: see publish.log\n");
        exit(2);
    }
    FILE *log = fopen("generate.log", "r");
    long made = 0;
    if (log == NULL || fscanf(log, "generated %ld events", &made) != 1) {
        fprintf(stderr, "nobody knows how many events were made\n");
        exit(2);
    }
    fclose(log);
    return (double)made;
}

/* The daemon from the beginning of the topic to its end. */
static struct took run_once(const char *config, double events)
{
    static const char *const run[] = {"run", "--config", "tocsin.yaml", NULL};
    static int runs;
    struct took took;
    char group[32];
    pid_t pid;

    snprintf(group, sizeof(group), "durable-%d", ++runs);
    daemon_config(group, config);
    pid = daemon_begin("run.log", run);
    daemon_await(pid, "tocsin_events_total", 1, 1);
    double began = bench_now_s(), cpu = daemon_cpu_s(pid);
    daemon_await(pid, "tocsin_events_total", events, LOOK_MS);
    while (daemon_closed() < events)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    took.wall_s = bench_now_s() - began;
    took.cpu_s = daemon_cpu_s(pid) - cpu;
    took.opened = daemon_metric("tocsin_incidents_opened_total");
    if (daemon_metric("tocsin_events_total") != events) {
        fprintf(stderr, "%.0f events, and not %.0f\n", daemon_metric("tocsin_events_total"),
                events);
        exit(1);
    }
    kill(pid, SIGKILL);
    daemon_end(pid);
    return took;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 7;
    long wanted = argc > 2 ? strtol(argv[2], NULL, 10) : 800000;
    double cpu[ROUNDS_MAX], wall[ROUNDS_MAX], cpu_with[ROUNDS_MAX], cpu_without[ROUNDS_MAX];
    double rate_with[ROUNDS_MAX], rate_without[ROUNDS_MAX], opened = 0;
    const char *broker;

    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    daemon_folder();
    broker = daemon_broker(PARTITIONS);
    double events = fill(broker, wanted);
    result_begin("durable", "%.0f events of about 300 bytes, %d partitions, the demo's rules",
                 events, PARTITIONS);
    for (int i = 0; i < rounds; i++) {
        char durable[128];
        struct took with, without;
        snprintf(durable, sizeof(durable), "rules: [demo]\ndata: {dir: data%d}\n", i);
        if (i % 2 == 0) {
            with = run_once(durable, events);
            without = run_once("rules: [demo]\n", events);
        } else {
            without = run_once("rules: [demo]\n", events);
            with = run_once(durable, events);
        }
        cpu[i] = without.cpu_s / with.cpu_s;
        wall[i] = without.wall_s / with.wall_s;
        cpu_with[i] = with.cpu_s / events * 1e9;
        cpu_without[i] = without.cpu_s / events * 1e9;
        rate_with[i] = events / with.wall_s / 1e6;
        rate_without[i] = events / without.wall_s / 1e6;
        opened = with.opened;
        if (with.opened != without.opened)
            return result_answer(false, "%.0f incidents with a data directory, %.0f without",
                                 with.opened, without.opened);
    }
    result_figure("cpu-with", "CPU with a data directory", "ns/event", cpu_with, rounds);
    result_figure("cpu-without", "CPU without", "ns/event", cpu_without, rounds);
    result_figure("rate-with", "rate with a data directory", "M events/s", rate_with, rounds);
    result_figure("rate-without", "rate without", "M events/s", rate_without, rounds);
    result_figure("ratio-cpu", "throughput by CPU, with / without", "", cpu, rounds);
    result_figure("ratio", "throughput by the clock, with / without", "", wall, rounds);
    return result_answer(true, "%.0f incidents in every run, every event counted", opened);
}

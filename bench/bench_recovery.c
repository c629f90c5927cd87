/*
 * bench_recovery.c - how long a daemon with a million alerts takes to be ready after kill -9 (C10).
 *
 * Unit:     one start. Workload: ALERTS hosts with one problem each, each with an alert and a
 * rule's key that watches, in 64 partitions of a mock broker; one snapshot that holds them; then
 *           MORE further events, which repeat what is known, so that they are read again. The
 *           daemon is the whole of it, in a process of its own, and is killed when it has counted
 *           the last of them.
 * Clock:    from the fork of the next start until /readyz answers 200, looked at every 5 ms: the
 *           data directory is opened, the snapshot loaded, the rest read again and compared.
 * Check:    it is killed, recovers from the snapshot, and knows as many alerts.
 *
 *   bench_recovery [STARTS] [ALERTS] [MORE]      [5] [1000000] [400000]
 *
 * Goal: 8 s (C10).
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include "bench/daemon_run.h"
#include "bench/figures.h"
#include "bench/result.h"

enum { PARTITIONS = 64, STARTS_MAX = 64, LOOK_MS = 5 };

#define CONFIG(every)                                                                              \
    "rules: [rules.yaml]\n"                                                                        \
    "engine: {alerts: {max: 4000000}, expire: 6h}\n"                                               \
    "data: {dir: data, snapshot: {every: " every "}}\n"
static const char rules_text[] = "rules:\n"
                                 "  - id: bench\n"
                                 "    where: severity >= MAJOR\n"
                                 "    by: [tenant, host]\n"
                                 "    window: 1h\n"
                                 "    when: count() >= 50\n"
                                 "    incident: {title: t}\n"
                                 "    close: quiet(2h)\n"
                                 "    max_keys: 10000000\n";

static void write_text(const char *path, const char *text)
{
    FILE *to = daemon_write(path);

    fputs(text, to);
    fclose(to);
}

/* Of hosts 0 to `hosts`, spread over the partitions; events are dated by when they are sent. */
static void publish(const char *broker, long hosts, long count)
{
    const char *arguments[PARTITIONS + 8] = {"publish", "--brokers", broker,
                                             "--topic", "events",    "--quiet"};
    char name[PARTITIONS][16];

    for (int p = 0; p < PARTITIONS; p++) {
        snprintf(name[p], sizeof(name[p]), "p%02d.jsonl", p);
        FILE *to = daemon_write(name[p]);
        for (long i = p; i < count; i += PARTITIONS)
            fprintf(to,
                    "{\"tenant\":\"acme\",\"source\":\"node\",\"resource\":\"host-%07ld\","
                    "\"check\":\"disk\",\"severity\":\"major\",\"message\":\"disk is full\"}\n",
                    i % hosts);
        fclose(to);
        arguments[6 + p] = name[p];
    }
    if (daemon_end(daemon_begin("publish.log", arguments)) != 0) {
        fprintf(stderr, "publish failed: see publish.log\n");
        exit(2);
    }
}

/* One that was begun after this moment. */
static void await_snapshot(double after_s)
{
    for (;;) {
        double age_s = daemon_metric("tocsin_snapshot_age_seconds");
        if (age_s > 0 && age_s < bench_now_s() - after_s)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
}

int main(int argc, char **argv)
{
    static const char *const run[] = {"run", "--config", "tocsin.yaml", NULL};
    int starts = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
    long alerts = argc > 2 ? strtol(argv[2], NULL, 10) : 1000000;
    long more = argc > 3 ? strtol(argv[3], NULL, 10) : 400000;
    double took[STARTS_MAX];
    const char *broker;
    pid_t pid;

    starts = starts < 1 ? 1 : starts > STARTS_MAX ? STARTS_MAX : starts;
    daemon_folder();
    write_text("rules.yaml", rules_text);
    result_begin("recovery", "%ld alerts and rule keys, %ld events read again, kill -9", alerts,
                 more);
    broker = daemon_broker(PARTITIONS);
    daemon_config("recovery", CONFIG("1s"));
    publish(broker, alerts, alerts);
    pid = daemon_begin("run.log", run);
    daemon_await(pid, "tocsin_alerts", (double)alerts, 50);
    await_snapshot(bench_now_s());
    kill(pid, SIGKILL);
    daemon_end(pid);
    daemon_config("recovery", CONFIG("1h")); /* what comes now is in no snapshot */
    pid = daemon_begin("run.log", run);
    daemon_await_ready(pid, LOOK_MS);
    double bytes = daemon_metric("tocsin_snapshot_bytes");
    publish(broker, alerts, more);
    daemon_await(pid, "tocsin_events_duplicate_total", (double)more, 50);
    for (int i = 0; i < starts; i++) {
        kill(pid, SIGKILL);
        if (daemon_end(pid) != -SIGKILL)
            return 2;
        double began = bench_now_s();
        pid = daemon_begin("run.log", run);
        daemon_await_ready(pid, LOOK_MS);
        took[i] = bench_now_s() - began;
        daemon_await(pid, "tocsin_events_duplicate_total", (double)more, 50);
        if (daemon_metric("tocsin_alerts") != (double)alerts ||
            daemon_metric("tocsin_snapshots_passed_over_total") != 0 || bytes <= 0 ||
            daemon_metric("tocsin_snapshot_bytes") != bytes) {
            kill(pid, SIGKILL);
            return result_answer(false, "%.0f alerts are there, and not %ld, or another snapshot",
                                 daemon_metric("tocsin_alerts"), alerts);
        }
    }
    kill(pid, SIGKILL);
    daemon_end(pid);
    result_figure("ready", "from kill -9 to ready", "s", took, starts);
    result_one("snapshot", "the snapshot", "MB", bytes / 1e6);
    return result_answer(true, "every start knows %ld alerts from the snapshot", alerts);
}

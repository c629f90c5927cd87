/*
 * bench_resident - what a tracked alert takes in memory, everything in (G8).
 *
 * Unit:      one alert that is known: its place in the table, its record, its words, what it was
 *            told to, its timer, and its share of a rule key that watches.
 * Workload:  a million alerts in memory, four for each host, 100 a millisecond; one rule by host
 *            whose window holds them all. Words are those of an event of about 300 bytes of JSON.
 * Measured:  growth of the process' resident pages (/proc/self/statm), from before the engine is
 *            made to when all is worked off: bins, lists of touches and all that is held in spare
 *            are in it. Each number of alerts runs in a process of its own.
 * Check:     as many alerts and keys as came, and no incident.
 *
 * usage: bench_resident [alerts, 1000000]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/text.h"
#include "bench/pipeline.h"
#include "bench/result.h"

enum { STRETCH = 1 << 14, HOST_ALERTS = 4, PER_MS = 100 };
#define T0 INT64_C(1700000000000)

static const char rules_text[] = "rules:\n"
                                 "  - id: bench\n"
                                 "    where: severity >= MAJOR\n"
                                 "    by: [tenant, host]\n"
                                 "    window: 1h\n"
                                 "    when: count() >= 5\n"
                                 "    incident: {title: t}\n"
                                 "    close: quiet(5m)\n"
                                 "    max_keys: 10000000\n";

static double resident_bytes(void)
{
    unsigned long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%lu %lu", &all, &resident) != 2)
        exit(2);
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* Returns the bytes of its words. */
static size_t decode(struct pipeline *pipeline, uint32_t i)
{
    static const char *const checks[HOST_ALERTS] = {"disk.full", "cpu.high", "link.errors",
                                                    "memory.pressure"};
    const char *check = checks[i % HOST_ALERTS];
    char host[48], resource[64], message[96];

    snprintf(host, sizeof(host), "web-%06u.dc1.example.net", i / HOST_ALERTS);
    snprintf(resource, sizeof(resource), "%s/sda", host);
    snprintf(message, sizeof(message), "%s on %s is out of its range", check, host);
    const struct event_label labels[] = {{text_of("host"), text_of(host)},
                                         {text_of("site"), text_of("dc1")},
                                         {text_of("service"), text_of("checkout")}};
    const struct event_draft draft = {.field = {text_of("acme"), text_of("node-exporter"),
                                                text_of(resource), text_of(check), text_of(""),
                                                text_of(message)},
                                      .labels = labels,
                                      .label_count = 3,
                                      .severity = SEVERITY_MAJOR,
                                      .state = EVENT_PROBLEM,
                                      .has_time = true,
                                      .time_ms = T0 + i / PER_MS};
    pipeline_decode(pipeline, 0, &draft, draft.time_ms);
    return event_text_bytes(&draft);
}

struct outcome {
    double bytes, words; /* of an alert */
    bool is_right;
};

static struct outcome run(uint32_t alerts)
{
    struct rule_set *set;
    struct error err;
    struct outcome outcome = {0};

    if (rule_set_parse("bench", rules_text, strlen(rules_text), &set, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    double before = resident_bytes();
    struct pipeline *pipeline = pipeline_make(
        &(struct pipeline_config){.workers = 1, .expire_ms = 300000, .alerts_max = 100000000}, set);
    for (uint32_t i = 0; i < alerts;) {
        for (uint32_t end = i + STRETCH < alerts ? i + STRETCH : alerts; i < end; i++)
            outcome.words += (double)decode(pipeline, i);
        pipeline_run(pipeline, i == alerts);
    }
    const struct engine_counters c = pipeline_counters(pipeline);
    outcome.bytes = (resident_bytes() - before) / alerts;
    outcome.words /= alerts;
    outcome.is_right = c.alerts == alerts && c.keys == alerts / HOST_ALERTS && c.opened == 0 &&
                       c.routed == alerts && c.in_bins == 0;
    if (!outcome.is_right)
        printf("WRONG: %llu alerts and %llu keys of %u alerts, %llu incidents\n",
               (unsigned long long)c.alerts, (unsigned long long)c.keys, alerts,
               (unsigned long long)c.opened);
    pipeline_free(pipeline);
    rule_set_destroy(set);
    return outcome;
}

/* In a process of its own: what another has left behind would be in the figure. */
static struct outcome run_apart(uint32_t alerts)
{
    struct outcome *outcome =
        mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 1;

    if (outcome == MAP_FAILED)
        exit(2);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        *outcome = run(alerts);
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        exit(2);
    struct outcome got = *outcome;
    munmap(outcome, sizeof(*outcome));
    return got;
}

int main(int argc, char **argv)
{
    uint32_t alerts = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;

    alerts -= alerts % (10 * HOST_ALERTS);
    if (alerts == 0) {
        fprintf(stderr, "usage: bench_resident [alerts >= %d]\n", 10 * HOST_ALERTS);
        return 64;
    }
    result_begin("resident", "%u alerts in memory, four for each rule key", alerts);
    /* Tables double: the air in them depends on how many there are. */
    struct outcome all = run_apart(alerts), less = run_apart(alerts / 10 * 7);
    result_one("bytes", "resident, everything in", "bytes/alert", all.bytes);
    result_one("bytes-less", "the same with seven tenths of the alerts", "bytes/alert", less.bytes);
    result_one("words", "of it the words of the last event", "bytes/alert", all.words);
    return result_answer(all.is_right && less.is_right, "as many alerts and keys, no incident");
}

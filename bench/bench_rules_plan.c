/*
 * bench_rules_plan.c - what ten thousand rules cost, against ten.
 *
 * Workload: rules as people write them, 30 % one check, 20 % a common check of one service, 10 %
 * each a prefix, a text in the message, a regular expression over the message, a number of one
 * service, and a list of hosts of one tenant. A set of n holds the first n of the same ten thousand
 * rules. Events: 20 % meant for one of the first ten rules, 50 % for any of the ten thousand, 30 %
 * for none; so an event matches 0 to 3 rules of either set.
 *
 * matching: unit is one rule_set_match() call over 16,384 events; the clock runs around whole
 * passes. replay:   unit is one event on its way from JSON lines in the page cache to incidents
 *           (engine_run.h), one worker on one core; read, decoded, deduplicated, matched,
 * correlated. Runs:     the sizes in turns, round by round; ratios are those of neighbours in a
 * round. Check:    of 2,000 events every rule is evaluated in plain C as well.
 *
 * usage: bench_rules_plan [rounds, 7] [events of the replay, 400000] [--write DIR]
 *        --write leaves rules-N.yaml and events.jsonl in DIR, for `tocsin replay`, and measures
 * nothing.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/text.h"
#include "bench/engine_run.h"
#include "bench/result.h"
#include "rules/rule_set.h"

enum {
    RULES = 10000,
    EVENTS = 16384,
    SIZES = 4,
    ROUNDS_MAX = 64,
    TEXT_BYTES = 768,
    CHECKED = 2000
};

static const uint32_t sizes[SIZES] = {10, 100, 1000, RULES};
static const char *const kind_names[] = {"check",  "check", "check", "service", "service",
                                         "prefix", "text",  "regex", "number",  "hosts"};
static uint64_t random_state = 11;

static uint32_t below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

/* What an event says; n is the rule that it is meant for, or one that does not exist. */
struct saying {
    char tenant[16], host[24], resource[40], check[40], service[24], message[160];
    double value;
    enum severity severity;
};

static const char *const severity_words[] = {"ok",    "debug", "info",    "warning",
                                             "minor", "major", "critical"};

static void say(struct saying *saying, uint32_t n)
{
    snprintf(saying->tenant, sizeof(saying->tenant), "tenant-%02u", below(50));
    snprintf(saying->host, sizeof(saying->host), "host-%04u", below(5000));
    snprintf(saying->check, sizeof(saying->check), "common.check-%02u", below(20));
    snprintf(saying->service, sizeof(saying->service), "svc-%u", 100000 + below(20000));
    snprintf(saying->message, sizeof(saying->message),
             "worker %u of pool %u: request took %u ms, retry in %u s", below(64), below(900),
             below(5000), below(60));
    saying->value = below(9000) / 100.0;
    saying->severity = (enum severity)(SEVERITY_WARNING + below(4));
    switch (n % 10) {
    case 0:
    case 1:
    case 2:
        snprintf(saying->check, sizeof(saying->check), "check-%u.state", n);
        break;
    case 3:
    case 4:
        snprintf(saying->check, sizeof(saying->check), "common.check-%02u", n / 10 % 20);
        snprintf(saying->service, sizeof(saying->service), "svc-%u", n);
        break;
    case 5:
        snprintf(saying->check, sizeof(saying->check), "app-%u.latency", n);
        break;
    case 6:
        snprintf(saying->message, sizeof(saying->message),
                 "job %u on pool %u ended with E-%06u, nothing was retried", below(900), below(64),
                 n);
        break;
    case 7:
        snprintf(saying->message, sizeof(saying->message),
                 "upstream up-%u answered code=%u after %u ms", n, 500 + below(5), below(5000));
        break;
    case 8:
        snprintf(saying->service, sizeof(saying->service), "svc-%u", n);
        saying->value = 90 + below(1000) / 100.0;
        break;
    default:
        snprintf(saying->tenant, sizeof(saying->tenant), "tenant-%02u", n / 10 % 50);
        snprintf(saying->host, sizeof(saying->host), "db-%05u-%c", n, "abc"[below(3)]);
        break;
    }
    snprintf(saying->resource, sizeof(saying->resource), "%s/disk-%u", saying->host, below(4));
}

static uint32_t meant_for(void)
{
    uint32_t dice = below(10);

    return dice < 4 ? below(10) : dice < 6 ? below(RULES) : RULES + below(8 * RULES);
}

static void where_write(char *where, uint32_t n)
{
    switch (n % 10) {
    case 0:
    case 1:
    case 2:
        sprintf(where, "check == \"check-%u.state\" && severity >= MINOR", n);
        break;
    case 3:
    case 4:
        sprintf(where, "check == \"common.check-%02u\" && labels.service == \"svc-%u\"",
                n / 10 % 20, n);
        break;
    case 5:
        sprintf(where, "check.startsWith(\"app-%u.\") && severity >= MINOR", n);
        break;
    case 6:
        sprintf(where, "message.contains(\"E-%06u\")", n);
        break;
    case 7:
        sprintf(where, "message.matches(r\"up-%u answered code=5[0-9]+ after [0-9]+ ms\")", n);
        break;
    case 8:
        sprintf(where, "labels.service == \"svc-%u\" && value > 95", n);
        break;
    default:
        sprintf(where, "tenant == \"tenant-%02u\" && host in [\"db-%05u-a\", \"db-%05u-b\"]",
                n / 10 % 50, n, n);
        break;
    }
}

static bool holds(const struct saying *saying, uint32_t n)
{
    char a[80], b[80];

    switch (n % 10) {
    case 0:
    case 1:
    case 2:
        snprintf(a, sizeof(a), "check-%u.state", n);
        return strcmp(saying->check, a) == 0 && saying->severity >= SEVERITY_MINOR;
    case 3:
    case 4:
        snprintf(a, sizeof(a), "common.check-%02u", n / 10 % 20);
        snprintf(b, sizeof(b), "svc-%u", n);
        return strcmp(saying->check, a) == 0 && strcmp(saying->service, b) == 0;
    case 5:
        snprintf(a, sizeof(a), "app-%u.", n);
        return strncmp(saying->check, a, strlen(a)) == 0 && saying->severity >= SEVERITY_MINOR;
    case 6:
        snprintf(a, sizeof(a), "E-%06u", n);
        return strstr(saying->message, a) != NULL;
    case 7: /* nothing else says "up-n answered" */
        snprintf(a, sizeof(a), "up-%u answered", n);
        return strstr(saying->message, a) != NULL;
    case 8:
        snprintf(a, sizeof(a), "svc-%u", n);
        return strcmp(saying->service, a) == 0 && saying->value > 95;
    default:
        snprintf(a, sizeof(a), "tenant-%02u", n / 10 % 50);
        snprintf(b, sizeof(b), "db-%05u-", n);
        return strcmp(saying->tenant, a) == 0 && strncmp(saying->host, b, strlen(b)) == 0 &&
               saying->host[strlen(saying->host) - 1] != 'c';
    }
}

/* ---- rules ---- */

static char *rules_write(uint32_t count)
{
    char *text = malloc((size_t)count * 400 + 100), *at = text, where[200];

    at += sprintf(at, "rules:\n");
    for (uint32_t n = 0; n < count; n++) {
        where_write(where, n);
        at += sprintf(at,
                      "- id: %s-%05u\n  where: |\n    %s\n  by: [host]\n  window: 5m\n"
                      "  when: count() >= 3\n  incident: {title: \"{host}\"}\n  close: quiet(5m)\n",
                      kind_names[n % 10], n, where);
    }
    return text;
}

static struct rule_set *rules_read(uint32_t count)
{
    char *text = rules_write(count);
    struct rule_set *set = NULL;
    struct error err = {""};

    if (rule_set_parse("bench", text, strlen(text), &set, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    free(text);
    return set;
}

/* ---- matching ---- */

struct one {
    struct event_view view;
    struct saying saying;
    _Alignas(8) char text[TEXT_BYTES];
};

static struct one events[EVENTS];

static void events_make(void)
{
    for (int i = 0; i < EVENTS; i++) {
        struct one *one = &events[i];
        struct saying *saying = &one->saying;
        say(saying, meant_for());
        struct event_label labels[] = {{text_of("service"), text_of(saying->service)},
                                       {text_of("site"), text_of("fra1")},
                                       {text_of("os"), text_of("linux")}};
        struct event_draft draft = {
            .field = {text_of(saying->tenant), text_of("node"), text_of(saying->resource),
                      text_of(saying->check), text_of(""), text_of(saying->message)},
            .labels = labels,
            .label_count = 3,
            .has_value = true,
            .value = saying->value,
        };
        one->view = (struct event_view){
            .text = event_text_pack(one->text, event_text_bytes(&draft), &draft, 1000),
            .severity = (uint8_t)saying->severity,
            .et_ms = 1000};
    }
}

static double match_ns(const struct rule_set *set, uint64_t *matches)
{
    uint32_t out[64];
    uint64_t found = 0;
    double start = bench_cpu_s();

    for (int e = 0; e < EVENTS; e++)
        found += rule_set_match(set, &events[e].view, out, 64);
    *matches = found;
    return (bench_cpu_s() - start) * 1e9 / EVENTS;
}

/* Rule ids are not in the order of n. */
static bool answers_right(const struct rule_set *set, uint32_t count, size_t *most)
{
    uint32_t out[64];

    *most = 0;
    for (int e = 0; e < CHECKED; e++) {
        size_t found = rule_set_match(set, &events[e].view, out, 64), expected = 0;
        for (uint32_t n = 0; n < count; n++)
            expected += holds(&events[e].saying, n);
        for (size_t i = 0; i < found; i++)
            if (!holds(&events[e].saying,
                       (uint32_t)atoi(strchr(rule_set_rule(set, out[i])->id, '-') + 1)))
                return false;
        if (found != expected)
            return false;
        *most = found > *most ? found : *most;
    }
    return true;
}

static int matching(int rounds)
{
    struct rule_set *set[SIZES];
    double ns[SIZES][ROUNDS_MAX], ratio[SIZES][ROUNDS_MAX], load_s[SIZES];
    uint64_t matches[SIZES];
    size_t most[SIZES];
    bool is_right = true;

    events_make();
    for (int s = 0; s < SIZES; s++) {
        double start = bench_cpu_s();
        set[s] = rules_read(sizes[s]);
        load_s[s] = bench_cpu_s() - start;
        is_right = is_right && answers_right(set[s], sizes[s], &most[s]);
    }
    for (int r = 0; r < rounds; r++)
        for (int s = 0; s < SIZES; s++) {
            match_ns(set[s], &matches[s]); /* its own caches, as in a run with this set */
            ns[s][r] = match_ns(set[s], &matches[s]);
            ratio[s][r] = ns[0][r] / ns[s][r];
        }
    for (int s = 0; s < SIZES; s++) {
        char id[32], what[96];
        snprintf(id, sizeof(id), "load.%u", sizes[s]);
        snprintf(what, sizeof(what), "%u rules read and built", sizes[s]);
        result_one(id, what, "s of CPU", load_s[s]);
        snprintf(id, sizeof(id), "match.%u", sizes[s]);
        snprintf(what, sizeof(what), "%u rules, %.2f matches an event, at most %zu", sizes[s],
                 (double)matches[s] / EVENTS, most[s]);
        result_figure(id, what, "ns/event", ns[s], rounds);
        snprintf(id, sizeof(id), "match-ratio.%u", sizes[s]);
        snprintf(what, sizeof(what), "rate of matching, %u rules / 10", sizes[s]);
        result_figure(id, what, "", ratio[s], rounds);
        rule_set_destroy(set[s]);
    }
    return is_right ? 0 : 1;
}

/* ---- replay ---- */

static void lines_write(const char *path, uint32_t count)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        exit(1);
    random_state = 23;
    for (uint32_t i = 0; i < count; i++) {
        struct saying saying;
        say(&saying, meant_for());
        fprintf(
            file,
            "{\"time\":\"2026-01-01T%02u:%02u:%02u.%03uZ\",\"tenant\":\"%s\",\"source\":\"node\","
            "\"resource\":\"%s\",\"check\":\"%s\",\"severity\":\"%s\",\"value\":%.2f,"
            "\"message\":\"%s\",\"labels\":{\"service\":\"%s\",\"site\":\"fra1\",\"os\":"
            "\"linux\"}}\n",
            i / 72000000 % 24, i / 1200000 % 60, i / 20000 % 60, i / 20 % 1000, saying.tenant,
            saying.resource, saying.check, severity_words[saying.severity], saying.value,
            saying.message, saying.service);
    }
    fclose(file);
}

static int write_files(const char *folder, uint32_t lines)
{
    char path[4096];

    for (int s = 0; s < SIZES; s++) {
        char *text = rules_write(sizes[s]);
        snprintf(path, sizeof(path), "%s/rules-%u.yaml", folder, sizes[s]);
        FILE *file = fopen(path, "w");
        if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
            return 1;
        free(text);
    }
    snprintf(path, sizeof(path), "%s/events.jsonl", folder);
    lines_write(path, lines);
    return 0;
}

/* Nanoseconds of CPU per event, as `tocsin replay` tells them; they begin when the rules are read.
 */
static double replay_one(const char *tool, const char *folder, uint32_t lines, uint32_t rules,
                         double *rate)
{
    char command[9000], line[512];
    double ns = 0;
    unsigned long long seen = 0;

    snprintf(command, sizeof(command),
             "'%s' replay --incidents off --ledger off --workers 1 --rules %s/rules-%u.yaml "
             "%s/events.jsonl 2>&1",
             tool, folder, rules, folder);
    FILE *output = popen(command, "r");
    while (output != NULL && fgets(line, sizeof(line), output) != NULL)
        if (strncmp(line, "replayed ", 9) == 0)
            sscanf(line, "replayed %llu events in %*f s with 1 worker: %lf events/s, %lf", &seen,
                   rate, &ns);
    if (output == NULL || pclose(output) != 0 || seen != lines || ns <= 0) {
        fprintf(stderr, "the replay went wrong: %s\n", command);
        exit(1);
    }
    return ns;
}

static int replay(int rounds, uint32_t lines)
{
    char folder[] = "/tmp/bench-rules-XXXXXX", tool[4096], command[100];
    double ns[2][ROUNDS_MAX], rate[2][ROUNDS_MAX], ratio[ROUNDS_MAX], rate_ratio[ROUNDS_MAX];
    ssize_t got = readlink("/proc/self/exe", tool, sizeof(tool) - 64);

    if (got < 0 || mkdtemp(folder) == NULL || write_files(folder, lines) != 0)
        return 1;
    tool[got] = '\0';
    strcpy(strrchr(tool, '/'), "/../tocsin");
    for (int r = 0; r < rounds; r++) {
        for (int s = 0; s < 2; s++)
            ns[s][r] = replay_one(tool, folder, lines, s == 0 ? 10 : RULES, &rate[s][r]);
        ratio[r] = ns[0][r] / ns[1][r];
        rate_ratio[r] = rate[1][r] / rate[0][r];
    }
    snprintf(command, sizeof(command), "rm -r %s", folder);
    if (system(command) != 0)
        return 1;
    result_figure("replay.10", "replay with 10 rules", "ns/event", ns[0], rounds);
    result_figure("replay.10000", "replay with 10,000 rules", "ns/event", ns[1], rounds);
    result_figure("replay-ratio-cpu", "throughput by CPU, 10,000 rules / 10", "", ratio, rounds);
    result_figure("replay-ratio", "throughput by the clock, 10,000 rules / 10", "", rate_ratio,
                  rounds);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    uint32_t lines = argc > 2 ? (uint32_t)atoi(argv[2]) : 400000;
    cpu_set_t one_core;

    if (rounds < 1 || rounds > ROUNDS_MAX || lines < 1000)
        return 1;
    if (argc > 4 && strcmp(argv[3], "--write") == 0)
        return write_files(argv[4], lines);
    CPU_ZERO(&one_core);
    CPU_SET(0, &one_core);
    if (sched_setaffinity(0, sizeof(one_core), &one_core) != 0)
        fprintf(stderr, "not pinned: the kernel refuses\n");
    result_begin("rules_plan", "%d events matched; %u lines replayed, one worker on one core",
                 EVENTS, lines);
    int bad = matching(rounds);
    bad |= replay(rounds, lines);
    return result_answer(bad == 0, "each event matches the rules that it was made for");
}

/*
 * bench_keys.c - what a rule key that watches costs in memory, and in time.
 *
 * Unit: one key with one entry. Workload: stage R alone, one worker, no deduplication before it,
 * so that nothing but keys grows: one touch each of a million hosts, in steps of 32,768 touches,
 * for each rule below. Memory is the growth of the process' resident pages (/proc/self/statm)
 * divided by the keys, the first eight steps left out (their lists stay and are used again); each
 * rule runs in a process of its own. The clock runs around the phases; the second time is that of
 * a second touch of every key, in another order. A third and a fourth touch follow for the rule
 * that counts to five: what entries beyond the first cost, those of one alert and those of an alert
 * each. Answer check: the number of keys, and that nothing opened.
 *
 *   bench_keys [KEYS]   [1000000]; fails when a key of the first rule ever takes over 128 bytes
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/text.h"
#include "bench/result.h"
#include "bench/stage.h"

enum { BATCH = 32768, WARM = STEPS * BATCH, TEXT_BYTES = 192, GOAL_BYTES = 128, ENTRIES_MAX = 4 };

static const struct {
    const char *name, *form;
    uint32_t entries; /* of each key at the end, two or more */
    bool alerts_differ;
} rules[] = {
    {"count() >= 5 in 10m by host", "    window: 10m\n    when: count() >= 5\n", 4, false},
    {"the same, each entry another alert", "    window: 10m\n    when: count() >= 5\n", 4, true},
    {"distinct(check) >= 2 in 10m by host", "    window: 10m\n    when: distinct(check) >= 2\n", 2,
     false},
    {"deviation(count()) in 1h of 1d by host",
     "    window: {tumbling: 1h}\n    baseline: {season: 1d}\n    when: deviation(count()) > 3\n",
     2, false},
};

static _Alignas(8) char texts[BATCH][TEXT_BYTES];
static const struct event_text *text_at[BATCH];

static uint64_t resident_bytes(void)
{
    unsigned long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%lu %lu", &all, &resident) != 2)
        exit(2);
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A step in which hosts [from, from + count) have a problem each, hosts taken in strides; `alert`
 * tells the problems of a host apart. */
static double step_run(struct engine *engine, uint64_t seq, int64_t at_ms, uint32_t from,
                       uint32_t count, uint32_t stride, uint32_t hosts, uint32_t alert)
{
    struct touch *touch = stage_touches(engine, seq, count);

    for (uint32_t i = 0; i < count; i++) {
        char host[32];
        snprintf(host, sizeof(host), "host-%07u",
                 (uint32_t)(((uint64_t)from + i) * stride % hosts));
        struct event_draft draft = {.field = {text_of("acme"), text_of("node"), text_of(host),
                                              text_of("disk"), text_of(""), text_of("")},
                                    .severity = SEVERITY_MAJOR};
        text_at[i] = event_text_pack(texts[i], event_text_bytes(&draft), &draft, at_ms);
        const struct text by[] = {text_of("acme"), text_of(host)};
        struct id128 id = key_id(0, engine->config.seed, by, 2);
        touch[i] = (struct touch){.order = {.at_ms = at_ms, .offset = i, .class = ORDER_EVENT},
                                  .key = id,
                                  .alert = hash128(host, strlen(host), alert),
                                  .text = text_at[i],
                                  .kind = TOUCH_RAISE,
                                  .severity = SEVERITY_MAJOR,
                                  .lane = (uint8_t)(id.hi >> 56)};
    }
    double begin = seconds();
    stage_run(engine, seq, at_ms, at_ms + 200);
    return seconds() - begin;
}

static uint64_t keys_count(const struct engine *engine)
{
    uint64_t keys = 0;

    for (int l = 0; l < LANES; l++)
        keys += engine->key_lanes[l].count;
    return keys;
}

/* False when a key takes more than GOAL_BYTES; exits on a wrong answer. */
static bool rule_run(size_t number, const char *name, const char *form, uint32_t most,
                     bool alerts_differ, uint32_t keys)
{
    char text[512];
    struct rule_set *set;
    struct error err;
    double first = 0, second = 0;
    uint64_t seq = 0, before = 0;
    int64_t at_ms = 1000000;

    snprintf(text, sizeof(text),
             "rules:\n  - id: bench\n    where: severity >= MAJOR\n    by: [tenant, host]\n%s"
             "    incident: {title: t}\n    close: quiet(5m)\n    max_keys: 10000000\n",
             form);
    if (rule_set_parse("bench", text, strlen(text), &set, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    struct engine *engine = stage_make(set);
    for (uint32_t from = 0; from < keys; from += BATCH, at_ms += 200) {
        uint32_t count = keys - from < BATCH ? keys - from : BATCH;
        first += step_run(engine, seq++, at_ms, from, count, 1, keys, 1);
        if (seq == STEPS)
            before = resident_bytes();
    }
    double bytes = (double)(resident_bytes() - before) / (keys - WARM), more[ENTRIES_MAX] = {0};
    double largest = bytes;
    uint64_t with_one = resident_bytes();
    for (uint32_t entries = 2; entries <= most; entries++) {
        double spent = 0;
        for (uint32_t from = 0; from < keys; from += BATCH, at_ms += 200) {
            uint32_t count = keys - from < BATCH ? keys - from : BATCH;
            spent += step_run(engine, seq++, at_ms, from, count, 611953, keys,
                              alerts_differ ? entries : 1);
        }
        second = entries == 2 ? spent : second;
        more[entries - 1] = bytes + ((double)resident_bytes() - (double)with_one) / keys;
        largest = more[entries - 1] > largest ? more[entries - 1] : largest;
    }
    if (keys_count(engine) != keys || tally_get(&engine->workers->tally.opened) != 0) {
        fprintf(stderr, "%s: %" PRIu64 " keys instead of %u, or an incident\n", name,
                keys_count(engine), keys);
        exit(1);
    }
    more[0] = bytes;
    for (uint32_t entries = 1; entries <= most; entries++) {
        char id[32], what[96];
        snprintf(id, sizeof(id), "bytes.%zu.%u", number, entries);
        snprintf(what, sizeof(what), "%s, entries: %u", name, entries);
        result_one(id, what, "bytes/key", more[entries - 1]);
    }
    char id[32];
    snprintf(id, sizeof(id), "new.%zu", number);
    result_one(id, "  a new key", "ns", first * 1e9 / keys);
    snprintf(id, sizeof(id), "second.%zu", number);
    result_one(id, "  a second entry", "ns", second * 1e9 / keys);
    stage_free(engine);
    rule_set_destroy(set);
    return largest <= GOAL_BYTES;
}

int main(int argc, char **argv)
{
    uint32_t keys = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;

    if (keys <= 2 * WARM) {
        fprintf(stderr, "bench_keys: more than %d keys\n", 2 * WARM);
        return 2;
    }
    result_begin("keys", "stage R alone, %u keys, resident pages", keys);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        pid_t child = fork();
        int status = 1;
        if (child == 0)
            exit(rule_run(i, rules[i].name, rules[i].form, rules[i].entries, rules[i].alerts_differ,
                          keys)
                     ? 0
                     : 3);
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
            return 2;
        if (WEXITSTATUS(status) != 0 && (i == 0 || WEXITSTATUS(status) != 3)) {
            return result_answer(false, "%s: too many bytes, or not as many keys", rules[i].name);
        }
    }
    return result_answer(true,
                         "as many keys as came, nothing opened, 128 bytes at most of the first");
}

/*
 * bench_bound.c - what a rule costs that is over its bound: a storm of keys that never were there.
 *
 * Unit: one touch. Workload: stage R alone, one worker, steps of a round with 20,000 touches and a
 * round's end that holds the bound; one rule, count() in an hour by host. In turn: hosts that are
 * new while the rule is below its bound; touches of hosts that are there, at random; ten times the
 * bound in hosts that are new, each of which pushes out another; the same with as many touches of
 * hosts that are there between them; and again a storm, of hosts whose keys would all lie in one of
 * the 256 lanes if their hash had no seed (a small part of the bound: they are found by trying).
 * Clock: CPU of the thread, around the phases. Check: keys held, keys evicted, and how often keys
 * were looked at for it.
 *
 *   bench_bound [BOUND]   [1000000]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/text.h"
#include "bench/result.h"
#include "bench/stage.h"

enum { BATCH = 20000, TEXT_BYTES = 192, ROUND_MS = 200, NAME_BYTES = 24 };

static _Alignas(8) char texts[STEPS][BATCH][TEXT_BYTES];

static struct engine *engine;
static uint64_t seq, random_state;
static int64_t at_ms = 1000000;

static uint64_t below(uint64_t n)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    return hash_mix(random_state) % n;
}

static struct id128 name_id(char name[NAME_BYTES], uint64_t host, uint64_t seed)
{
    snprintf(name, NAME_BYTES, "host-%09" PRIu64, host);
    const struct text by[] = {text_of("acme"), text_of(name)};
    return key_id(0, seed, by, 2);
}

static void touch_make(struct touch *touch, uint32_t i, uint64_t host)
{
    char name[NAME_BYTES], *text = texts[seq & (STEPS - 1)][i];
    struct id128 id = name_id(name, host, engine->config.seed);
    struct event_draft draft = {.field = {text_of("acme"), text_of("node"), text_of(name),
                                          text_of("disk"), text_of(""), text_of("")},
                                .severity = SEVERITY_MAJOR};
    int64_t now_ms = at_ms + (int64_t)i * ROUND_MS / BATCH;

    *touch = (struct touch){.order = {.at_ms = now_ms, .offset = i, .class = ORDER_EVENT},
                            .key = id,
                            .alert = hash128(name, strlen(name), 1),
                            .text = event_text_pack(text, event_text_bytes(&draft), &draft, now_ms),
                            .kind = TOUCH_RAISE,
                            .severity = SEVERITY_MAJOR,
                            .lane = (uint8_t)(id.hi >> 56)};
}

/* CPU of the round. */
static double round_run(uint32_t count)
{
    struct worker *worker = engine->workers;
    struct step step = {.from_ms = at_ms,
                        .to_ms = at_ms + ROUND_MS,
                        .events = count,
                        .bounded = true,
                        .rules = engine->newest_rules};
    uint64_t s = seq & (STEPS - 1);
    double begin = stage_cpu_s();

    rules_phase(worker, seq, &step);
    rules_candidates_phase(worker, &step);
    rules_evict_phase(worker, seq, &step);
    double spent = stage_cpu_s() - begin;
    worker->touches_out[s]->count = 0;
    for (size_t i = 0; i < worker->remains[s].count; i++)
        slab_free(&worker->slab, worker->remains[s].at[i].block, worker->remains[s].at[i].bytes);
    worker->remains[s].count = 0;
    seq++;
    at_ms += ROUND_MS;
    return spent;
}

/* `count` touches: of the hosts of `list`, or from *newest on; `old` of a hundred of hosts that are
 * there. Nanoseconds for each. */
static double touches_run(uint64_t count, uint64_t *newest, const uint64_t *list, unsigned old,
                          uint64_t bound)
{
    double spent = 0;

    for (uint64_t done = 0; done < count;) {
        uint32_t n = count - done < BATCH ? (uint32_t)(count - done) : BATCH;
        struct touch *touch = stage_touches(engine, seq, n);
        for (uint32_t i = 0; i < n; i++) {
            if (below(100) < old)
                touch_make(&touch[i], i, *newest - 1 - below(bound));
            else
                touch_make(&touch[i], i, list != NULL ? list[done + i] : (*newest)++);
        }
        spent += round_run(n);
        done += n;
    }
    return spent * 1e9 / (double)count;
}

static uint64_t keys_held(void)
{
    uint64_t keys = 0;

    for (int l = 0; l < LANES; l++)
        keys += engine->key_lanes[l].count;
    return keys;
}

static struct rule_set *rules_read(uint64_t bound)
{
    char text[512];
    struct rule_set *set;
    struct error err;

    snprintf(text, sizeof(text),
             "rules:\n  - id: bench\n    where: severity >= MAJOR\n    by: [tenant, host]\n"
             "    on: events\n    window: 1h\n    when: count() >= 1000\n"
             "    incident: {title: t}\n    close: quiet(5m)\n    max_keys: %" PRIu64 "\n",
             bound);
    if (rule_set_parse("bench", text, strlen(text), &set, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    return set;
}

int main(int argc, char **argv)
{
    uint64_t bound = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, newest = 0, evicted = 0;
    uint64_t crowd = bound / 25, *list = malloc((crowd + 1) * sizeof(*list));
    char name[NAME_BYTES];

    if (bound < 1000 || bound > 10000000 || list == NULL) {
        fprintf(stderr, "usage: bench_bound [BOUND, 1000 to 10000000]\n");
        return 2;
    }
    result_begin("bound", "stage R alone, one rule with max_keys of %" PRIu64 ", CPU", bound);
    struct rule_set *set = rules_read(bound);
    engine = stage_make(set);
    engine->config.seed = 0x5eed;
    double fill = touches_run(bound, &newest, NULL, 0, bound);
    double there = touches_run(2 * bound, &newest, NULL, 100, bound);
    double storm = touches_run(10 * bound, &newest, NULL, 0, bound);
    bool is_right = keys_held() == bound;
    evicted = tally_get(&engine->workers->tally.keys_evicted);
    is_right = is_right && evicted == 10 * bound;
    double mixed = touches_run(2 * bound, &newest, NULL, 50, bound);
    for (uint64_t n = 0, host = 1000000000 - 256 * bound; n < crowd; host++)
        if (name_id(name, host, 0).hi >> 56 == 0)
            list[n++] = host;
    double crowded = touches_run(crowd, &newest, list, 0, bound);
    evicted = tally_get(&engine->workers->tally.keys_evicted);
    is_right = is_right && keys_held() == bound;
    double looks = (double)engine->workers->key_looks / (double)evicted;
    result_one("new", "touch of a new key, below the bound", "ns", fill);
    result_one("there", "touch of a key that is there", "ns", there);
    result_one("storm", "touch of a new key, over the bound, ten times the bound", "ns", storm);
    result_one("half", "touch, half of new keys over the bound", "ns", mixed);
    result_one("crowd", "touch of a new key, over it, of one lane without seed", "ns", crowded);
    result_one("storm-ratio", "CPU, over the bound / below it", "", storm / fill);
    result_one("crowd-ratio", "rate, keys of one lane without seed / others", "", storm / crowded);
    result_one("looks", "looks at keys for each that goes", "", looks);
    stage_free(engine);
    rule_set_destroy(set);
    free(list);
    return result_answer(is_right && looks < 8, "%" PRIu64 " keys held, %" PRIu64 " evicted", bound,
                         evicted);
}

/*
 * bench_pipeline - events that are decoded, through deduplication, windows and rules, against
 * what this memory allows (G4), and on two cores against one (G15).
 *
 * Unit:      one event. Ours: an event of 64 bytes goes from an array into its bin; then
 *            all that the engine does with it (watermark, steps, stages D, R and I), one
 *            rule by host with a window of 60 s. Decoding, packing and hashing are before
 *            the clock (bench_decode).
 * Yardstick: bench/yardsticks/pipeline_limit.h, whose lines are fetched ahead, over the
 *            same events.
 * Keys:      a million alerts that are known throughout, and
 *              known  every event is a repeat
 *              fresh  one of four is of an alert that expired before: half of the million
 *                     is heard of again and again, the other half every 333 s; five at a
 *                     time of one host are an incident
 *              hot    nine of ten are of one alert
 * Clock:     CPU of the thread for the ratios; of two cores the time from when all threads
 *            were there until all was worked off.
 * Method:    stretches of 16 Ki events, yardstick and ours in turns over each; a round is
 *            64 of them, and a ratio is that of a round. Two workers and one take turns
 *            too, over longer stretches, and gather closed epochs as they do at work: a step
 *            for every 512 events would be all meetings.
 * Check:     as many alerts opened as the yardstick had fresh keys, as many repeats, as
 *            many incidents as faults were put in, and every event accounted for.
 *
 * usage: bench_pipeline [rounds, 7] [keys, 1000000] [part: table | known | fresh | hot | cores]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/text.h"
#include "bench/figures.h"
#include "bench/pipeline.h"
#include "bench/result.h"
#include "bench/yardsticks/hash_table.h"
#include "bench/yardsticks/pipeline_limit.h"

enum { ROUNDS_MAX = 32, STRETCH = 1 << 14, STRETCHES = 64, KEYS_LEAST = 100000 };
enum { FAULT_EVERY = 5000, FAULT_ALERTS = 5, HOST_ALERTS = 4, EXPIRE_MS = 300000 };
#define T0 INT64_C(1700000000000)

static const char rules_text[] = "rules:\n"
                                 "  - id: bench\n"
                                 "    where: severity >= MAJOR\n"
                                 "    by: [tenant, host]\n"
                                 "    window: 60s\n"
                                 "    when: count() >= 5\n"
                                 "    incident: {title: t}\n"
                                 "    close: cleared() || quiet(1d)\n"
                                 "    max_keys: 10000000\n";

/* --- what comes
 * ----------------------------------------------------------------------------------- */

enum kind { KNOWN, FRESH, HOT, KINDS };

static const struct {
    const char *id, *what;
} kinds[KINDS] = {{"known", "all known"}, {"fresh", "one of four fresh"}, {"hot", "one hot key"}};

/* The events of a kind, by their number: nothing is drawn, so every run has the same. */
struct stream {
    enum kind kind;
    uint32_t keys, known; /* of which so many are heard of again and again */
    double per_ms;        /* events */
    uint64_t warm;        /* until each key has come, and timers lie as they will from then on */
    uint64_t stretch;     /* events that are in the clock together */
};

struct item {
    uint32_t key;
    uint32_t rotating; /* place among those that expire, plus one; 0: it is a known one */
    int64_t at_ms;
};

static struct stream stream_of(enum kind kind, uint32_t keys)
{
    struct stream stream = {.kind = kind, .keys = keys};

    stream.known = kind == FRESH ? keys / 2 : keys;
    /* All known ones within 100 s, 111 s and 250 s; the others every 333 s. */
    stream.per_ms = (kind == KNOWN ? 10.0 : kind == FRESH ? 6.0 : 40.0) * keys / 1e6;
    stream.warm = (uint64_t)keys * (kind == KNOWN ? 6 : kind == FRESH ? 2 : 10);
    const uint64_t reach = (uint64_t)(stream.per_ms * 60000); /* bins hold 80 s */
    stream.stretch = reach < STRETCH ? reach : STRETCH;
    return stream;
}

/* The n-th of a cycle through `count` keys, each once, neighbours far from each other. */
static uint32_t nth_of(uint64_t n, uint32_t count)
{
    const uint32_t stride = 611953; /* a prime, and no divisor of a count below */

    return (uint32_t)(n % count * stride % count);
}

static struct item item_of(const struct stream *stream, uint64_t n)
{
    struct item item = {.at_ms = T0 + (int64_t)((double)n / stream->per_ms)};
    const uint32_t rotating = stream->keys - stream->known;

    if (stream->kind == FRESH && n % 4 == 3) {
        item.rotating = (uint32_t)(n / 4 % rotating) + 1;
        item.key = stream->known + item.rotating - 1;
    } else if (stream->kind == HOT && n % 10 != 0) {
        item.key = 0;
    } else {
        uint64_t own = stream->kind == FRESH ? n / 4 * 3 + n % 4 : stream->kind == HOT ? n / 10 : n;
        item.key = nth_of(own, stream->known);
    }
    return item;
}

/* Faults have five alerts of one host one after the other; else a host has four, far apart. */
static bool is_fault(const struct item *item)
{
    return item->rotating > 0 && (item->rotating - 1) % FAULT_EVERY < FAULT_ALERTS;
}

static struct limit_event limit_event_of(const struct item *item)
{
    return (struct limit_event){.key = hash_table_key(item->key),
                                .at_ms = item->at_ms,
                                .host = item->key / HOST_ALERTS,
                                .severity = SEVERITY_MAJOR,
                                .value = item->key};
}

static void decode(struct pipeline *pipeline, unsigned worker, const struct stream *stream,
                   const struct item *item)
{
    static const char *const checks[] = {"disk.full", "cpu.high", "link.errors", "memory.pressure",
                                         "service.latency"};
    const uint32_t place = item->rotating - 1, rotating = stream->keys - stream->known;
    char host[48], resource[64], message[96];
    uint32_t check;

    if (is_fault(item)) {
        snprintf(host, sizeof(host), "fault-%06u.dc1.example.net", place / FAULT_EVERY);
        check = place % FAULT_EVERY;
    } else if (item->rotating > 0) { /* its alerts come a quarter of the cycle apart */
        snprintf(host, sizeof(host), "batch-%06u.dc1.example.net",
                 place % (rotating / HOST_ALERTS));
        check = place / (rotating / HOST_ALERTS);
    } else {
        snprintf(host, sizeof(host), "web-%06u.dc1.example.net", item->key / HOST_ALERTS);
        check = item->key % HOST_ALERTS;
    }
    snprintf(resource, sizeof(resource), "%s/sd%c", host, 'a' + (int)(check % 5));
    snprintf(message, sizeof(message), "%s on %s is out of its range", checks[check % 5], host);
    const struct event_label labels[] = {{text_of("host"), text_of(host)},
                                         {text_of("site"), text_of("dc1")},
                                         {text_of("service"), text_of("checkout")}};
    const struct event_draft draft = {.field = {text_of("acme"), text_of("node-exporter"),
                                                text_of(resource), text_of(checks[check % 5]),
                                                text_of(""), text_of(message)},
                                      .labels = labels,
                                      .label_count = 3,
                                      .severity = SEVERITY_MAJOR,
                                      .state = EVENT_PROBLEM,
                                      .has_time = true,
                                      .time_ms = item->at_ms};
    pipeline_decode(pipeline, worker, &draft, item->at_ms);
}

/* --- the parties
 * ------------------------------------------------------------------------------------ */

static double thread_cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct pipeline *make(const struct stream *stream, unsigned workers, bool gathers,
                             struct rule_set *set)
{
    return pipeline_make(&(struct pipeline_config){.workers = workers,
                                                   .gathers = gathers,
                                                   .expire_ms = EXPIRE_MS,
                                                   .alerts_max = 8 * stream->keys},
                         set);
}

static void decode_stretch(struct pipeline *pipeline, unsigned workers, const struct stream *stream,
                           uint64_t from, uint64_t count)
{
    for (uint64_t n = from; n < from + count; n++) {
        struct item item = item_of(stream, n);
        decode(pipeline, (unsigned)(n % workers), stream, &item);
    }
}

/* The yardstick over the same events, of which one array is made. Returns CPU seconds. */
static double limit_stretch(struct pipeline_limit *limit, const struct stream *stream,
                            uint64_t from, uint64_t count, bool ahead)
{
    static struct limit_event events[STRETCH];

    for (uint64_t i = 0; i < count; i++) {
        struct item item = item_of(stream, from + i);
        events[i] = limit_event_of(&item);
    }
    double begin = thread_cpu_s();
    pipeline_limit_run(limit, events, count, ahead);
    return thread_cpu_s() - begin;
}

/* What a kind has to come to: its events from the first on. */
struct expected {
    uint64_t events, faults;
};

static void expect(struct expected *expected, const struct stream *stream, uint64_t from,
                   uint64_t count)
{
    for (uint64_t n = from; n < from + count; n++) {
        struct item item = item_of(stream, n);
        expected->faults +=
            is_fault(&item) && (item.rotating - 1) % FAULT_EVERY == FAULT_ALERTS - 1;
    }
    expected->events += count;
}

static bool is_right(const struct pipeline *pipeline, const struct expected *expected,
                     struct limit_answer limit, const char *what)
{
    const struct engine_counters c = pipeline_counters(pipeline);
    const bool right = c.events == expected->events && c.in_bins == 0 && c.left == 0 &&
                       c.duplicate == limit.repeats && c.routed == limit.fresh &&
                       c.unmatched == 0 && c.dropped == 0 && c.alerts_opened == limit.fresh &&
                       c.opened == expected->faults;

    if (!right)
        printf("WRONG, %s: %llu of %llu events, %llu repeats of %llu, %llu alerts of %llu (%llu "
               "routed), %llu incidents of %llu\n",
               what, (unsigned long long)c.events, (unsigned long long)expected->events,
               (unsigned long long)c.duplicate, (unsigned long long)limit.repeats,
               (unsigned long long)c.alerts_opened, (unsigned long long)limit.fresh,
               (unsigned long long)c.routed, (unsigned long long)c.opened,
               (unsigned long long)expected->faults);
    return right;
}

/* --- one core, against the limit
 * ---------------------------------------------------------------------- */

static bool run_kind(const struct stream *stream, struct rule_set *set, int rounds)
{
    struct pipeline *pipeline = make(stream, 1, false, set);
    struct pipeline_limit *limit = pipeline_limit_create(stream->keys, EXPIRE_MS);
    double ours[ROUNDS_MAX], bare[ROUNDS_MAX], plain[ROUNDS_MAX], ratio[ROUNDS_MAX];
    const double events = (double)stream->stretch * STRETCHES;
    struct expected expected = {0};
    uint64_t n = 0;

    for (; n < stream->warm; n += stream->stretch) {
        limit_stretch(limit, stream, n, stream->stretch, true);
        decode_stretch(pipeline, 1, stream, n, stream->stretch);
        pipeline_run(pipeline, false);
    }
    expect(&expected, stream, 0, n);
    for (int r = 0; r < rounds; r++) {
        ours[r] = bare[r] = plain[r] = 0;
        for (int s = 0; s < STRETCHES; s++, n += stream->stretch) {
            /* Without its look ahead now and then: what that is worth. */
            const bool ahead = s % 4 != 3;
            *(ahead ? &bare[r] : &plain[r]) +=
                limit_stretch(limit, stream, n, stream->stretch, ahead);
            decode_stretch(pipeline, 1, stream, n, stream->stretch);
            ours[r] += pipeline_run(pipeline, false).cpu_s;
            expect(&expected, stream, n, stream->stretch);
        }
        ours[r] *= 1e9 / events;
        bare[r] *= 1e9 / (events / 4 * 3);
        plain[r] *= 1e9 / (events / 4);
        ratio[r] = bare[r] / ours[r];
    }
    pipeline_run(pipeline, true);
    bool right =
        is_right(pipeline, &expected, pipeline_limit_answer(limit), kinds[stream->kind].id);
    const struct {
        const char *id, *what, *unit;
        const double *samples;
    } figures[] = {{"ours", "CPU", "ns/event", ours},
                   {"limit", "CPU of the limit", "ns/event", bare},
                   {"plain", "CPU of the limit without a look ahead", "ns/event", plain},
                   {"ratio", "rate by CPU, ours / limit", "", ratio}};
    for (size_t f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
        char id[32], what[80];
        snprintf(id, sizeof(id), "%s.%s", figures[f].id, kinds[stream->kind].id);
        snprintf(what, sizeof(what), "%s: %s", kinds[stream->kind].what, figures[f].what);
        result_figure(id, what, figures[f].unit, figures[f].samples, rounds);
    }
    pipeline_free(pipeline);
    pipeline_limit_destroy(limit);
    return right;
}

/* --- the table alone
 * ------------------------------------------------------------------------------------ */

static bool run_table(uint32_t keys, int rounds)
{
    static const char *const names[] = {"dependent", "independent", "ahead"};
    struct hash_table *table = hash_table_create(keys, true);
    uint64_t *order = malloc(keys * sizeof(*order)), sum = 0;
    double ns[3][ROUNDS_MAX];
    bool right = true;

    if (order == NULL)
        abort();
    for (uint32_t i = 0; i < keys; i++) {
        order[i] = hash_table_key(nth_of(i, keys));
        sum += (uint64_t)i + 1;
    }
    for (int r = 0; r < rounds; r++)
        for (int look = LOOK_DEPENDENT; look <= LOOK_AHEAD; look++) {
            double begin = thread_cpu_s();
            right &= hash_table_run(table, order, keys, (enum hash_look)look) == sum;
            ns[look][r] = (thread_cpu_s() - begin) * 1e9 / keys;
        }
    for (int look = LOOK_DEPENDENT; look <= LOOK_AHEAD; look++) {
        char id[32], what[80];
        snprintf(id, sizeof(id), "table.%s", names[look]);
        snprintf(what, sizeof(what), "a bare table, looks that are %s", names[look]);
        result_figure(id, what, "ns", ns[look], rounds);
    }
    free(order);
    hash_table_destroy(table);
    return right;
}

/* --- one core and two
 * ------------------------------------------------------------------------------------ */

/* Both worker counts in turns; stretches are longer, so that their ends do not count. */
static bool run_cores(const struct stream *stream, struct rule_set *set, int rounds)
{
    struct pipeline *pipeline[2] = {make(stream, 1, true, set), make(stream, 2, true, set)};
    struct pipeline_limit *limit = pipeline_limit_create(stream->keys, EXPIRE_MS);
    const uint64_t fit = (uint64_t)(stream->per_ms * 60000) / stream->stretch;
    const uint64_t stretch = (fit < 32 ? fit : 32) * stream->stretch;
    double rate[2][ROUNDS_MAX], cpu[2][ROUNDS_MAX], scale[ROUNDS_MAX];
    struct expected expected = {0};
    uint64_t n = 0;
    bool right = true;

    for (int r = -1; r < rounds; r++) {
        uint64_t end = r < 0 ? stream->warm : n + stretch;
        double seconds[2] = {0}, cpu_s[2] = {0};
        const uint64_t from = n;
        for (uint64_t step; n < end; n += step) {
            step = stretch;
            for (uint64_t at = n; at < n + step; at += stream->stretch)
                limit_stretch(limit, stream, at, stream->stretch, true);
            for (unsigned w = 1; w <= 2; w++) {
                decode_stretch(pipeline[w - 1], w, stream, n, step);
                struct pipeline_cost cost = pipeline_run(pipeline[w - 1], false);
                seconds[w - 1] += cost.seconds;
                cpu_s[w - 1] += cost.cpu_s;
            }
        }
        expect(&expected, stream, from, n - from);
        for (unsigned w = 1; w <= 2 && r >= 0; w++) {
            rate[w - 1][r] = (double)(n - from) / seconds[w - 1] / 1e6;
            cpu[w - 1][r] = cpu_s[w - 1] * 1e9 / (double)(n - from);
        }
        if (r >= 0)
            scale[r] = rate[1][r] / rate[0][r];
    }
    for (unsigned w = 1; w <= 2; w++) {
        char id[32], what[80];
        pipeline_run(pipeline[w - 1], true);
        snprintf(what, sizeof(what), "%s, %u workers", kinds[stream->kind].id, w);
        right &= is_right(pipeline[w - 1], &expected, pipeline_limit_answer(limit), what);
        snprintf(id, sizeof(id), "rate-%u.%s", w, kinds[stream->kind].id);
        snprintf(what, sizeof(what), "%s: rate, %s", kinds[stream->kind].what,
                 w == 1 ? "one worker" : "two workers on two cores");
        result_figure(id, what, "M events/s", rate[w - 1], rounds);
        snprintf(id, sizeof(id), "cpu-%u.%s", w, kinds[stream->kind].id);
        snprintf(what, sizeof(what), "%s: CPU, %s", kinds[stream->kind].what,
                 w == 1 ? "one worker" : "two workers on two cores");
        result_figure(id, what, "ns/event", cpu[w - 1], rounds);
        pipeline_free(pipeline[w - 1]);
    }
    char id[32], what[80];
    snprintf(id, sizeof(id), "scale.%s", kinds[stream->kind].id);
    snprintf(what, sizeof(what), "%s: rate, two workers / one", kinds[stream->kind].what);
    result_figure(id, what, "", scale, rounds);
    pipeline_limit_destroy(limit);
    return right;
}

static bool is_wanted(const char *part, const char *name)
{
    return part == NULL || strcmp(part, name) == 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    uint32_t keys = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000;
    const char *part = argc > 3 ? argv[3] : NULL;
    struct rule_set *set;
    struct error err;
    bool right = true;

    keys -= keys % (4 * FAULT_EVERY); /* so that cycles have whole faults, and hosts whole sets */
    if (rounds < 1 || rounds > ROUNDS_MAX || keys < KEYS_LEAST) {
        fprintf(stderr, "usage: bench_pipeline [rounds 1..%d] [keys >= %d]\n", ROUNDS_MAX,
                KEYS_LEAST);
        return 64;
    }
    result_begin("pipeline", "%u keys, rounds of %d events in memory, one rule by host", keys,
                 STRETCH * STRETCHES);
    if (rule_set_parse("bench", rules_text, strlen(rules_text), &set, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    if (is_wanted(part, "table"))
        right &= run_table(keys, rounds);
    for (int kind = KNOWN; kind < KINDS; kind++) {
        struct stream stream = stream_of((enum kind)kind, keys);
        if (is_wanted(part, kinds[kind].id))
            right &= run_kind(&stream, set, rounds);
    }
    for (int kind = KNOWN; kind <= FRESH && is_wanted(part, "cores"); kind++) {
        struct stream stream = stream_of((enum kind)kind, keys);
        if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
            right &= run_cores(&stream, set, rounds);
        } else {
            result_absent(kind == KNOWN ? "scale.known" : "scale.fresh", "rate, two workers / one",
                          "there is one core");
        }
    }
    rule_set_destroy(set);
    return result_answer(right, "each alert, repeat and incident, every event accounted for");
}

/*
 * bench_snapshot.c - what an image of the engine costs (correlate/snapshot.h): how long nothing is
 * planned while it is taken, how large it is, and how long a fresh engine takes to load it.
 *
 * Unit: one alert with one rule key that watches. Workload: a stream of hosts with one problem
 * each, ten in a millisecond of their time, read by one thread. When the table has a million alerts
 * images are asked for, one after the other, while the stream goes on as its time does, 10,000 a
 * second: at work     the table grows at a bound  it is full: at each round's end as many alerts go
 * as came (X4) The first clock runs while the sequencer role goes through some lanes, which is when
 * nothing is planned; the second around engine_load_image(). Answer check: the fresh engine has
 * about as many alerts as were asked for, and the bound was held.
 *
 * How much of it is the machine's: before each image as long a while goes by without one, in which
 * the same thread computes, as often and for as long of its CPU time as the image before took at
 * its median moment, and touches no memory. What the clock says of that is the floor. And a record
 * waits from the moment at which it is there until the engine takes it; a thread wakes the engine
 * each millisecond, so half a millisecond of that is the bench's.
 *
 *   bench_snapshot [ALERTS] [TIMES]          [1000000] [3]
 *
 * How fast an image is taken is held against bench/yardsticks/redis_blobs.h, which sends its bytes
 * to a Redis, where there is one.
 *
 * Goal: a hold of 5 ms at p99, and half of that rate (G12).
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/host.h"
#include "bench/result.h"
#include "bench/yardsticks/redis_blobs.h"
#include "correlate/engine.h"
#include "rules/rule_set.h"

enum { TAKE = 512, PAYLOAD_BYTES = 160, PER_MS = 10, TIMES_MAX = 32 };
#define T0 INT64_C(1700000000000)

static const char rules_text[] = "rules:\n"
                                 "  - id: bench\n"
                                 "    where: severity >= MAJOR\n"
                                 "    by: [tenant, host]\n"
                                 "    window: 10m\n"
                                 "    when: count() >= 5\n"
                                 "    incident: {title: t}\n"
                                 "    close: quiet(5m)\n"
                                 "    max_keys: 10000000\n";

/* --- figures ------------------------------------------------------------------------------- */

enum { PHASE_NONE, PHASE_FLOOR, PHASE_IMAGE, PHASES };

struct figures {
    uint64_t ns[1 << 21];
    size_t count;
};

static struct figures waited[PHASES], computed;
static atomic_int phase, phase_seen; /* that is wanted; that the engine's thread is in */
static _Atomic uint64_t moment_ns;   /* at the median of the image before */
static uint64_t next_moment_ns;      /* of the floor */
static atomic_bool has_floor;        /* computed has as many as there were moments */
static struct engine_image taken;

static void figures_add(struct figures *figures, uint64_t ns)
{
    if (figures->count < sizeof(figures->ns) / sizeof(figures->ns[0]))
        figures->ns[figures->count++] = ns;
}

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Milliseconds at a share of the figures, which are sorted. */
static double ms_at(const struct figures *figures, double share)
{
    return figures->count > 0
               ? (double)figures->ns[(size_t)((double)(figures->count - 1) * share)] / 1e6
               : 0;
}

static uint64_t thread_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* On the engine's thread: as long as a moment of an image, and with as much time between. */
static void compute(void)
{
    uint64_t begin_ns = host_mono_ns(), until_ns = thread_ns() + atomic_load(&moment_ns);

    if (begin_ns < next_moment_ns || atomic_load(&has_floor))
        return;
    while (thread_ns() < until_ns)
        ;
    uint64_t spent_ns = host_mono_ns() - begin_ns;
    figures_add(&computed, spent_ns);
    next_moment_ns = begin_ns + 4 * spent_ns;
    if (computed.count >= taken.moments)
        atomic_store(&has_floor, true);
}

/* --- a recording that is made as it is read ------------------------------------------------- */

static uint32_t host_count, told;
static _Atomic uint64_t full_ns; /* when host_count were told; 0: they come as fast as it goes */
static atomic_bool is_over;      /* nothing more comes */
static bool has_joined;
static struct record record[TAKE];
static char payload[TAKE][PAYLOAD_BYTES];

static size_t take(struct feed *feed, const struct record **out, size_t max)
{
    size_t count = 0;

    (void)feed;
    uint64_t since_ns = atomic_load(&full_ns);
    uint32_t end = host_count;
    if (since_ns != 0)
        end += (uint32_t)((host_mono_ns() - since_ns) / 1000000 * PER_MS);
    for (; count < max && count < TAKE && told < end && !atomic_load(&is_over); count++, told++) {
        int bytes =
            snprintf(payload[count], PAYLOAD_BYTES,
                     "{\"tenant\":\"acme\",\"source\":\"node\",\"resource\":\"host-%07u\","
                     "\"check\":\"disk\",\"severity\":\"major\",\"message\":\"disk is full\"}",
                     told);
        record[count] = (struct record){.offset = told,
                                        .log_time_ms = T0 + told / PER_MS,
                                        .payload = payload[count],
                                        .bytes = (uint32_t)bytes,
                                        .leader_epoch = -1};
    }
    *out = record;
    const int now = atomic_load(&phase);
    atomic_store(&phase_seen, now);
    const uint64_t now_ns = host_mono_ns();
    for (size_t i = 0; now != PHASE_NONE && since_ns != 0 && i < count; i++) {
        const uint64_t number = (uint64_t)record[i].offset - host_count;
        figures_add(&waited[now], now_ns - since_ns - (number / PER_MS + 1) * 1000000);
    }
    if (now == PHASE_FLOOR)
        compute();
    return count;
}

static void release(struct feed *feed)
{
    (void)feed;
}

static enum feed_state state_of(struct feed *feed)
{
    (void)feed;
    return atomic_load(&is_over) ? FEED_FINISHED : FEED_LIVE;
}

static bool end_proof(struct feed *feed, uint64_t *proof_ns)
{
    (void)feed;
    (void)proof_ns;
    return false;
}

static const struct feed_ops feed_ops = {
    .take = take, .release = release, .state = state_of, .end_proof = end_proof};
static struct feed feed = {.ops = &feed_ops, .topic = "bench"};

static size_t changes(struct source *source, struct source_change *out, size_t max)
{
    (void)source;
    (void)max;
    if (has_joined)
        return 0;
    has_joined = true;
    *out = (struct source_change){SOURCE_JOIN, &feed};
    return 1;
}

static _Atomic int waker_of_engine = -1;
static atomic_bool no_more_wakes;

static void wake_on(struct source *source, struct feed *of, int waker)
{
    (void)source;
    (void)of;
    atomic_store(&waker_of_engine, waker);
}

/* Records come, each millisecond. */
static void *wakes(void *unused)
{
    (void)unused;
    while (!atomic_load(&no_more_wakes)) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        const int waker = atomic_load(&waker_of_engine);
        if (waker >= 0)
            host()->waker_wake(host()->self, waker);
    }
    return NULL;
}

static const struct source_ops source_ops = {.changes = changes, .wake_on = wake_on};
static struct source source = {.ops = &source_ops};

/* --- the runs -------------------------------------------------------------------------------- */

static void *got;
static size_t got_bytes;
static double taking_ms;
static atomic_bool is_there;

/* The pieces are put together by who asked: the engine's thread does not wait for that. */
static void on_image(void *self, const struct engine_image *image)
{
    (void)self;
    taken = *image;
    atomic_store(&is_there, true);
}

static struct engine *make(struct rule_set *rules, uint32_t alerts_max)
{
    static const struct engine_listener listener = {.image = on_image};
    struct engine_config config;
    struct engine *engine;
    struct error err;

    engine_config_init(&config);
    config.workers = 1;
    config.seal_ms = 0;
    config.alerts_max = alerts_max;
    config.seed = 1; /* an image is gone on from with the seed that it was made with */
    told = 0;
    has_joined = false;
    atomic_store(&is_over, false);
    atomic_store(&full_ns, 0);
    if (engine_create(&config, &source, rules, &listener, &engine, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    return engine;
}

static struct engine_counters counters_of(const struct engine *engine)
{
    struct engine_counters counters;

    engine_counters(engine, &counters);
    return counters;
}

static double ms_since(uint64_t begin_ns)
{
    return (double)(host_mono_ns() - begin_ns) / 1e6;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void start(struct engine *engine)
{
    struct error err;

    if (engine_start(engine, &err) != 0)
        exit(2);
    while (counters_of(engine).records < host_count)
        nap();
    atomic_store(&full_ns, host_mono_ns());
}

static void phase_set(int to)
{
    atomic_store(&phase, to);
    while (atomic_load(&phase_seen) != to)
        nap();
}

static void take_image(struct engine *engine)
{
    uint64_t begin_ns = host_mono_ns();

    phase_set(PHASE_IMAGE);
    atomic_store(&is_there, false);
    engine_ask_image(engine);
    while (!atomic_load(&is_there))
        nap();
    taking_ms = ms_since(begin_ns);
    phase_set(PHASE_NONE);
    free(got);
    got = engine_image_join(&taken, &got_bytes);
}

static void take_floor(void)
{
    computed.count = 0;
    atomic_store(&moment_ns, taken.taking_ns_p50);
    atomic_store(&has_floor, false);
    phase_set(PHASE_FLOOR);
    while (!atomic_load(&has_floor))
        nap();
    phase_set(PHASE_NONE);
}

/* What each image comes to, in milliseconds unless another unit is given. */
enum {
    HOLD_P50,
    HOLD_P99,
    HOLD_MOST,
    FLOOR_P99,
    WAIT_P99,
    WAIT_FLOOR_P99,
    TAKING,
    SIZE,
    RATE,
    BLOBS, /* from here on with a Redis alone */
    BLOBS_RATIO,
    FIGURES
};

static const struct {
    const char *id, *what, *unit;
} figure_of[FIGURES] = {
    [HOLD_P50] = {"hold-p50", "nothing is planned, p50", "ms"},
    [HOLD_P99] = {"hold-p99", "nothing is planned, p99", "ms"},
    [HOLD_MOST] = {"hold-most", "nothing is planned, most", "ms"},
    [FLOOR_P99] = {"floor-p99", "the same beside no image, p99", "ms"},
    [WAIT_P99] = {"wait-p99", "a record waits, p99", "ms"},
    [WAIT_FLOOR_P99] = {"wait-floor-p99", "the same beside no image, p99", "ms"},
    [TAKING] = {"taking", "an image takes", "ms"},
    [SIZE] = {"size", "an image has", "bytes/alert"},
    [RATE] = {"rate", "an image is taken at", "MB/s"},
    [BLOBS] = {"blobs", "its bytes go into a Redis at", "MB/s"},
    [BLOBS_RATIO] = {"blobs-ratio", "rate, an image / its bytes into a Redis", ""},
};

static void take_images(struct engine *engine, const char *when, const char *id, int times)
{
    static double samples[FIGURES][TIMES_MAX];
    const char *no_redis = NULL;
    struct redis_blobs *redis = redis_blobs_start(&no_redis);

    take_image(engine); /* how long its moments are */
    for (int i = 0; i < times; i++) {
        struct figures *const all[] = {&computed, &waited[PHASE_IMAGE], &waited[PHASE_FLOOR]};
        waited[PHASE_FLOOR].count = 0;
        take_floor();
        waited[PHASE_IMAGE].count = 0;
        take_image(engine);
        for (size_t f = 0; f < sizeof(all) / sizeof(all[0]); f++)
            qsort(all[f]->ns, all[f]->count, sizeof(all[f]->ns[0]), by_size);
        samples[HOLD_P50][i] = (double)taken.taking_ns_p50 / 1e6;
        samples[HOLD_P99][i] = (double)taken.taking_ns_p99 / 1e6;
        samples[HOLD_MOST][i] = (double)taken.taking_ns / 1e6;
        samples[FLOOR_P99][i] = ms_at(&computed, 0.99);
        samples[WAIT_P99][i] = ms_at(&waited[PHASE_IMAGE], 0.99);
        samples[WAIT_FLOOR_P99][i] = ms_at(&waited[PHASE_FLOOR], 0.99);
        samples[TAKING][i] = taking_ms;
        samples[SIZE][i] = (double)got_bytes / (double)counters_of(engine).alerts;
        samples[RATE][i] = (double)got_bytes / 1e3 / taking_ms;
        if (redis == NULL)
            continue;
        samples[BLOBS][i] = (double)got_bytes / 1e6 / redis_blobs_send(redis, got, got_bytes);
        samples[BLOBS_RATIO][i] = samples[RATE][i] / samples[BLOBS][i];
    }
    for (int f = 0; f < FIGURES; f++) {
        char name[48], what[96];
        snprintf(name, sizeof(name), "%s.%s", figure_of[f].id, id);
        snprintf(what, sizeof(what), "%s: %s", when, figure_of[f].what);
        if (f < BLOBS || redis != NULL)
            result_figure(name, what, figure_of[f].unit, samples[f], times);
        else
            result_absent(name, what, no_redis);
    }
    redis_blobs_stop(redis);
}

static void finish(struct engine *engine)
{
    atomic_store(&waker_of_engine, -1);
    atomic_store(&is_over, true);
    while (!engine_wait_finished(engine, 100))
        ;
    engine_stop(engine);
    engine_destroy(engine);
}

static double load_ms[2];
static int loads;

/* The last image into a fresh engine. */
static void load(struct rule_set *rules, uint32_t alerts_max)
{
    struct engine *engine = make(rules, alerts_max);
    uint64_t begin_ns = host_mono_ns();
    struct engine_counters counters;
    struct error err;

    if (engine_load_image(engine, got, got_bytes, &rules, 1, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    counters = counters_of(engine);
    load_ms[loads++] = ms_since(begin_ns);
    /* Lanes are of several moments, which a run that goes on from them makes one. */
    if (counters.alerts < host_count / 10 * 9 || counters.keys < host_count / 10 * 9) {
        fprintf(stderr, "%" PRIu64 " alerts and %" PRIu64 " keys, and not %" PRIu32 "\n",
                counters.alerts, counters.keys, host_count);
        exit(1);
    }
    engine_destroy(engine);
}

int main(int argc, char **argv)
{
    struct rule_set *rules;
    struct engine *engine;
    struct error err;
    pthread_t waking;
    int times;

    host_count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    times = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 3;
    times = times < 1 ? 1 : times > TIMES_MAX ? TIMES_MAX : times;
    result_begin("snapshot", "%u alerts with a rule key each, a stream of 10,000 a second",
                 host_count);
    if (rule_set_parse("bench", rules_text, strlen(rules_text), &rules, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    if (pthread_create(&waking, NULL, wakes, NULL) != 0)
        return 2;
    engine = make(rules, 10000000);
    start(engine);
    take_images(engine, "at work", "work", times);
    finish(engine);
    load(rules, 10000000);

    engine = make(rules, host_count);
    start(engine);
    while (counters_of(engine).alerts_evicted == 0)
        nap();
    take_images(engine, "at a bound", "bound", times);
    if (counters_of(engine).alerts_evicted == 0) {
        fprintf(stderr, "the bound was not held\n");
        return 1;
    }
    finish(engine);
    load(rules, host_count);
    atomic_store(&no_more_wakes, true);
    pthread_join(waking, NULL);
    free(got);
    rule_set_destroy(rules);
    result_figure("load", "an image loaded into a fresh engine", "ms", load_ms, loads);
    return result_answer(true, "a fresh engine has as many alerts, and the bound was held");
}

/*
 * bench_snapshot.c - what an image of the engine costs (correlate/snapshot.h): how long nothing is
 * planned while it is taken, how large it is, and how long a fresh engine takes to load it.
 *
 * Unit: one alert with one rule key that watches. Workload: a recording of a million hosts with one
 * problem each, within 100 s of their time, read by one thread to its end; then an image is asked
 * for. The first clock runs while the sequencer role goes through the lanes, the second around
 * engine_load_image(). Answer check: the fresh engine has as many alerts and keys.
 *
 *   bench_snapshot [ALERTS] [TIMES]          [1000000] [3]
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/host.h"
#include "correlate/engine.h"
#include "rules/rule_set.h"

enum { TAKE = 512, PAYLOAD_BYTES = 160, PER_MS = 10 };
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

/* --- a recording that is made as it is read ------------------------------------------------- */

static uint32_t host_count, told;
static bool has_joined;
static struct record record[TAKE];
static char payload[TAKE][PAYLOAD_BYTES];

static size_t take(struct feed *feed, const struct record **out, size_t max)
{
    size_t count = 0;

    (void)feed;
    for (; count < max && count < TAKE && told < host_count; count++, told++) {
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
    return count;
}

static void release(struct feed *feed)
{
    (void)feed;
}

static enum feed_state state_of(struct feed *feed)
{
    (void)feed;
    return told == host_count ? FEED_FINISHED : FEED_LIVE;
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

static void wake_on(struct source *source, struct feed *of, int waker)
{
    (void)source;
    (void)of;
    (void)waker;
}

static const struct source_ops source_ops = {.changes = changes, .wake_on = wake_on};
static struct source source = {.ops = &source_ops};

/* --- the runs -------------------------------------------------------------------------------- */

static void *got;
static size_t got_bytes;
static unsigned moments;
static uint64_t longest_ns;
static atomic_bool is_there;

static void on_image(void *self, const struct engine_image *image)
{
    (void)self;
    got = engine_image_join(image, &got_bytes);
    moments = image->moments;
    longest_ns = image->taking_ns;
    atomic_store(&is_there, true);
}

static struct engine *make(struct rule_set *rules)
{
    static const struct engine_listener listener = {.image = on_image};
    struct engine_config config;
    struct engine *engine;
    struct error err;

    engine_config_init(&config);
    config.workers = 1;
    config.seal_ms = 0;
    config.alerts_max = 10000000;
    told = 0;
    has_joined = false;
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

int main(int argc, char **argv)
{
    struct rule_set *rules;
    struct error err;

    host_count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    unsigned times = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 3;
    if (rule_set_parse("bench", rules_text, strlen(rules_text), &rules, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    struct engine *engine = make(rules);
    uint64_t begin_ns = host_mono_ns();
    if (engine_start(engine, &err) != 0 || !engine_wait_finished(engine, 0))
        return 2;
    printf("%u alerts read in %.0f ms\n", host_count, ms_since(begin_ns));
    for (unsigned i = 0; i < times; i++) {
        free(got);
        got = NULL;
        atomic_store(&is_there, false);
        engine_ask_image(engine);
        while (!atomic_load(&is_there))
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        printf("image of %zu bytes (%.0f per alert): nothing was planned for %.1f ms at most, "
               "%u times\n",
               got_bytes, (double)got_bytes / host_count, (double)longest_ns / 1e6, moments);
    }
    const struct engine_counters before = counters_of(engine);
    engine_stop(engine);
    engine_destroy(engine);
    engine = make(rules);
    begin_ns = host_mono_ns();
    if (engine_load_image(engine, got, got_bytes, &rules, 1, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("loaded in %.1f ms\n", ms_since(begin_ns));
    const struct engine_counters after = counters_of(engine);
    if (after.alerts != before.alerts || after.keys != before.keys || after.keys != host_count) {
        fprintf(stderr, "%" PRIu64 " alerts and %" PRIu64 " keys, and not %u\n", after.alerts,
                after.keys, host_count);
        return 1;
    }
    engine_destroy(engine);
    free(got);
    rule_set_destroy(rules);
    return 0;
}

/*
 * broker.c - see broker.h.
 *
 * A partition is fetched every few milliseconds; what came since shows at the next fetch alone, as
 * does that nothing did, which is the proof of an end. Partitions join one by one, in any order.
 */
#include "sim/broker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/input.h"
#include "sim/fibers.h"
#include "sim/pair.h"
#include "sim/world.h"

enum { FETCH_MS_MAX = 8, TAKE_MAX = 512 };

struct sim_feed {
    struct feed feed; /* first */
    uint32_t next;    /* record that is taken next */
    uint32_t fetched; /* records that have been fetched */
    uint64_t fetched_ns, next_fetch_ns;
    bool is_told;
    int waker; /* -1: nobody's */
    struct record out[TAKE_MAX];
};

struct sim_source {
    struct source source; /* first */
    struct sim_feed *feed[WORLD_PARTITIONS_MAX];
    unsigned count, told;
};

static struct sim_feed *feed_of(struct feed *base)
{
    return (struct sim_feed *)base;
}

static const struct world_partition *partition_of(const struct sim_feed *feed)
{
    return &world->partition[feed->feed.partition];
}

/* partition -1: whether none can be read. */
static bool is_out(int32_t partition)
{
    if (pair_is_apart(APART_KAFKA))
        return true;
    return world->now_ns >= world->outage_from_ns && world->now_ns < world->outage_to_ns &&
           (world->outage_partition < 0 || world->outage_partition == partition);
}

static void fetch(struct sim_feed *feed)
{
    const struct world_partition *partition = partition_of(feed);

    if (world->now_ns < feed->next_fetch_ns || is_out(feed->feed.partition))
        return;
    while (feed->fetched < partition->count &&
           partition->record[feed->fetched].at_ns <= world->now_ns)
        feed->fetched++;
    feed->fetched_ns = world->now_ns;
    feed->next_fetch_ns = world->now_ns + dice_between(&world->fetches, 1, FETCH_MS_MAX) * MILLI_NS;
}

static size_t take(struct feed *base, const struct record **out, size_t max)
{
    struct sim_feed *feed = feed_of(base);
    const struct world_partition *partition = partition_of(feed);
    size_t count;

    fibers_turn();
    fetch(feed);
    count = feed->fetched - feed->next;
    if (count > max)
        count = max;
    if (count > TAKE_MAX)
        count = TAKE_MAX;
    if (count > 1 && dice_percent(&world->fetches, 30))
        count = 1 + dice_below(&world->fetches, count);
    for (size_t i = 0; i < count; i++) {
        const struct world_record *record = &partition->record[feed->next + i];
        feed->out[i] = (struct record){.offset = (int64_t)(feed->next + i),
                                       .log_time_ms = record->log_time_ms,
                                       .payload = world->text + record->from,
                                       .bytes = record->bytes,
                                       .leader_epoch = -1};
    }
    feed->next += (uint32_t)count;
    *out = feed->out;
    if (count > 0)
        world_hash((uint64_t)feed->feed.partition << 32 | feed->next);
    return count;
}

static void release(struct feed *base)
{
    (void)base;
}

static enum feed_state state(struct feed *base)
{
    return is_out(base->partition) ? FEED_UNREADABLE : FEED_LIVE;
}

static bool end_proof(struct feed *base, uint64_t *proof_ns)
{
    struct sim_feed *feed = feed_of(base);

    fetch(feed);
    if (feed->next < feed->fetched || feed->fetched_ns == 0 || feed->fetched_ns < world->began_ns)
        return false;
    *proof_ns = feed->fetched_ns - world->began_ns + world->plan.mono_ns;
    return true;
}

static int64_t lag(struct feed *base)
{
    const struct sim_feed *feed = feed_of(base);

    return (int64_t)(feed->fetched - feed->next);
}

static size_t changes(struct source *base, struct source_change *out, size_t max)
{
    struct sim_source *self = (struct sim_source *)base;
    size_t count = 0;

    fibers_turn();
    while (count < max && self->told < self->count && dice_percent(&world->fetches, 60)) {
        unsigned i = (unsigned)dice_below(&world->fetches, self->count);
        while (self->feed[i]->is_told)
            i = (i + 1) % self->count;
        self->feed[i]->is_told = true;
        self->told++;
        out[count++] = (struct source_change){SOURCE_JOIN, &self->feed[i]->feed};
    }
    return count;
}

static void drop(struct source *base, struct feed *feed)
{
    (void)base, (void)feed; /* none ever leaves */
}

static void wake_on(struct source *base, struct feed *feed, int waker)
{
    (void)base;
    feed_of(feed)->waker = waker;
}

static bool ready(struct source *base, struct error *why)
{
    (void)base;
    if (is_out(-1) && why != NULL)
        error_set(why, "no broker answers");
    return !is_out(-1);
}

static void close_all(struct source *base)
{
    struct sim_source *self = (struct sim_source *)base;

    for (unsigned i = 0; i < self->count; i++)
        free(self->feed[i]);
    free(self);
}

uint64_t broker_records(void)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < world->partition_count; i++)
        count += world->partition[i].count;
    return count;
}

/* ---- in place of Kafka ---- */

int __wrap_input_open(const struct config *config, struct input_past past, struct source **out,
                      struct error *err);
int __wrap_input_open(const struct config *config, struct input_past past, struct source **out,
                      struct error *err)
{
    static const struct feed_ops feed_ops = {take, release, state, end_proof, lag};
    static const struct source_ops ops = {
        .changes = changes, .drop = drop, .wake_on = wake_on, .ready = ready, .close = close_all};
    struct sim_source *self = calloc(1, sizeof(*self));

    (void)config, (void)err;
    assert(self != NULL);
    self->source.ops = &ops;
    self->count = world->partition_count;
    for (unsigned i = 0; i < self->count; i++) {
        struct sim_feed *feed = calloc(1, sizeof(*feed));
        int64_t start = 0;
        assert(feed != NULL);
        if (past.began_at != NULL)
            past.began_at(past.self, BROKER_TOPIC, (int32_t)i, &start);
        feed->feed = (struct feed){.ops = &feed_ops,
                                   .topic = BROKER_TOPIC,
                                   .partition = (int32_t)i,
                                   .start_offset = start};
        feed->next = feed->fetched = (uint32_t)start;
        feed->next_fetch_ns = world->now_ns + dice_below(&world->fetches, 50) * MILLI_NS;
        feed->waker = -1;
        self->feed[i] = feed;
    }
    *out = &self->source;
    return 0;
}

int __wrap_input_check(const struct config *config, struct error *err);
int __wrap_input_check(const struct config *config, struct error *err)
{
    (void)config, (void)err;
    return 0;
}

void __wrap_kafka_source_counters(const struct source *source, struct kafka_counters *out);
void __wrap_kafka_source_counters(const struct source *source, struct kafka_counters *out)
{
    (void)source;
    *out = (struct kafka_counters){
        .owner = true, .silent = is_out(-1), .feeds = world->partition_count};
}

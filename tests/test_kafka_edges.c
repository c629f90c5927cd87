/*
 * Aim: a feed of the Kafka source is freed after its reader's last look at it (edge N,
 * ingest/kafka_internal.h). Method: the reader's and the service thread's calls in turns
 * (tests/turns.h), on a feed without a client: an empty take takes no lock, so the drop is all that
 * orders it before the end. tests/weaken_orders.py weakens the orders of ingest/ against it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "ingest/kafka_internal.h"
#include "tests/turns.h"

enum { READER, SERVICE, THREADS };

static struct kafka_source source;
static struct kafka_feed *feed;
static size_t taken;
static bool freed_early, freed;

static void takes_and_drops(unsigned self)
{
    const struct record *records;

    (void)self;
    taken = kafka_feed_ops.take(&feed->feed, &records, 16);
    kafka_feed_drop(feed);
}

static bool free_dropped(void)
{
    bool is_over = kafka_feed_dropped(feed) && kafka_feed_end(feed);

    if (is_over)
        kafka_feed_destroy(feed);
    return is_over;
}

static void sweeps_early(unsigned self)
{
    (void)self;
    freed_early = free_dropped();
}

static void sweeps(unsigned self)
{
    (void)self;
    freed = free_dropped();
}

static void a_feed_is_freed_after_its_readers_last_look(void **state)
{
    (void)state;
    feed = kafka_feed_create(&source, "events", 0);
    assert_non_null(feed);
    kafka_feed_set_waker(feed, 1);
    turns_begin(THREADS);
    turn(SERVICE, sweeps_early);
    turn(READER, takes_and_drops);
    turn(SERVICE, sweeps);
    turns_end();
    assert_int_equal(taken, 0);
    assert_false(freed_early);
    assert_true(freed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_feed_is_freed_after_its_readers_last_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

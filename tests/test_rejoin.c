/*
 * Aim: a partition that is lost and comes back counts each event once, wherever reading begins
 * again (semantics D2, T8). Method: the bench, live; partition t/1 leaves, and joins again as a
 * feed of its own that begins at a position in what was read. Every event is of a resource of its
 * own, so that the opened incidents show which counted; then the same with random positions.
 */
#include "tests/engine_bench.h"

static struct topic_config any_topic = {.disorder_ms = 500, .tenant = "default"};

/* Two partitions; `lost` is to go. */
struct world {
    struct bench *bench;
    struct bench_feed *stays, *lost;
};

static struct world world_make(unsigned workers)
{
    struct world world = {.bench = bench_create(BENCH_RULE_ONE)};

    world.bench->config.topics = &any_topic;
    world.bench->config.topic_count = 1;
    bench_go_live(world.bench);
    world.bench->config.workers = workers;
    /* Test clocks are set, not lived through: log times may be far from N. */
    world.bench->config.future_ms = INT64_C(24) * 3600 * 1000;
    world.stays = bench_feed(world.bench, "t", 0);
    world.lost = bench_feed(world.bench, "t", 1);
    return world;
}

/* The records of the world's partition in [offset, end), as a member fetches them that gets it. */
static struct bench_feed *come_back_for(struct world *world, int64_t offset, int64_t end)
{
    const struct bench_feed *log = world->lost;
    struct bench_feed *again = bench_feed_unjoined(world->bench, "t", 1);

    again->feed.start_offset = again->next_offset = offset;
    again->feed.is_continued = true;
    for (size_t i = 0; i < log->count; i++)
        if (log->records[i].offset >= offset && log->records[i].offset < end)
            bench_put_text(again, log->records[i].log_time_ms - BENCH_T0, log->records[i].payload);
    return again;
}

static struct bench_feed *come_back(struct world *world, int64_t offset)
{
    return come_back_for(world, offset, INT64_MAX);
}

static void leave(struct world *world, struct bench_feed *feed)
{
    bench_change(feed, SOURCE_LEAVE);
    bench_pass(world->bench, 40, 20);
    assert_true(feed->dropped);
}

/* Joins, and all of it counts. */
static void join(struct world *world, struct bench_feed *feed)
{
    bench_change(feed, SOURCE_JOIN);
    bench_pass(world->bench, 20, 20);
    bench_settle(world->bench);
}

/* What is told to lag tools of the partition; `otherwise` while it is no member. */
static int64_t low_of(const struct world *world, int64_t otherwise)
{
    struct engine_part_counters parts[8];
    size_t count = engine_part_counters(world->bench->engine, parts, 8);

    for (size_t i = 0; i < count; i++)
        if (parts[i].partition == 1)
            return parts[i].low_offset;
    return otherwise;
}

/* Past all that was put. */
static void end(struct world *world)
{
    bench_pass(world->bench, 8000, 500);
    bench_stop(world->bench);
    assert_int_equal(world->bench->counters.in_bins, 0);
}

static unsigned opened(const struct bench *bench, const char *resource)
{
    char line[64];
    unsigned count = 0;

    snprintf(line, sizeof(line), " opened rule one resource=%s ", resource);
    for (const char *at = strstr(bench->brief, line); at != NULL; at = strstr(at + 1, line))
        count++;
    return count;
}

/* a, its clear and d have counted when the partition is lost: the watermark is at 3500 by the other
 * partition. b and e wait in bins, beyond it. Closed epochs gather for a moment behind a step, so
 * the clock moves once before anybody says that they have run. */
static void put_and_lose(struct world *world)
{
    bench_start(world->bench);
    bench_settle(world->bench);
    bench_put(world->lost, 100, "a", "down", "");
    bench_put(world->lost, 200, "a", "down", BENCH_CLEAR);
    bench_put(world->lost, 3900, "b", "down", "");
    bench_put(world->lost, 3450, "d", "down", "");
    bench_put(world->lost, 5000, "e", "down", "");
    bench_put(world->stays, 4000, "x", "x", "");
    bench_pass(world->bench, 20, 20);
    assert_int_equal(opened(world->bench, "a") + opened(world->bench, "d"), 2);
    leave(world, world->lost);
}

static void
D2_what_counted_before_a_partition_was_lost_does_not_count_when_it_comes_back(void **state)
{
    (void)state;
    struct world world = world_make(1);

    put_and_lose(&world);
    bench_put(world.lost, 5100, "new", "down", "");
    join(&world, come_back(&world, 0));
    end(&world);
    /* Not even a, whose clear had come: it would have been an incident of its own. */
    static const char *const resources[] = {"a", "b", "d", "e", "new"};
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
        assert_int_equal(opened(world.bench, resources[i]), 1);
    assert_int_equal(world.bench->counters.opened, 5);
    assert_int_equal(world.bench->counters.duplicate, 0);
    assert_int_equal(world.bench->counters.redelivered, 3); /* a, its clear, d */
    assert_int_equal(world.bench->counters.left, 2);        /* b, e */
    assert_int_equal(world.bench->counters.events, 6 + 3);  /* and the two again, and new */
    bench_destroy(world.bench);
}

/* L7: what was refused has counted, though the bins held what was told of it, at its place. */
static void D2_L7_what_was_over_a_quota_is_not_read_again(void **state)
{
    (void)state;
    struct world world = world_make(1);
    struct bench *bench = world.bench;

    bench->config.quotas = (struct quota_config){.events = 1, .burst = 1, .tenants_max = 10};
    bench_start(bench);
    bench_settle(bench);
    bench_put(world.lost, 100, "a", "down", "");
    bench_put(world.lost, 3900, "b", "down", "");
    bench_put(world.lost, 3900, "c", "down", ""); /* refused */
    bench_put(world.stays, 4000, "x", "x", "");
    bench_pass(bench, 20, 20);
    leave(&world, world.lost);
    bench_put(world.lost, 5100, "new", "down", "");
    join(&world, come_back(&world, 0));
    end(&world);
    assert_int_equal(opened(bench, "a") + opened(bench, "b") + opened(bench, "new"), 3);
    assert_int_equal(opened(bench, "c"), 0);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 1);
    assert_int_equal(bench->counters.derived, 1);
    assert_int_equal(bench->counters.left, 2);       /* b, and what was told of c */
    assert_int_equal(bench->counters.events, 4 + 2); /* and b again, and new */
    bench_destroy(bench);
}

/* L7: the same of what was shed; and one that comes back is not behind until it is seen to be. */
static void D2_L7_what_was_shed_is_not_read_again(void **state)
{
    (void)state;
    struct world world = world_make(1);
    struct bench *bench = world.bench;

    bench->config.shedding = (struct shed_config){
        .behind_ms = 1000, .for_ms = 1000, .until_ms = 500, .below = SEVERITY_WARNING};
    bench_clock_move(bench, 10000);
    bench_start(bench);
    bench_wait_behind(world.lost, 9);
    bench_put(world.lost, 100, "a", "down", "");
    bench_pass(bench, 1000, 20);
    bench_put(world.lost, 3900, "b", "down", "");
    bench_put(world.lost, 3900, "c", "down", ",\"severity\":\"info\"");
    bench_put(world.stays, 4000, "x", "x", "");
    bench_pass(bench, 20, 20);
    assert_int_equal(bench_marks(bench, MARK_SHED), 1);
    leave(&world, world.lost);
    bench_put(world.lost, 5100, "new", "down", ",\"severity\":\"info\"");
    join(&world, come_back(&world, 0));
    end(&world);
    assert_int_equal(opened(bench, "a") + opened(bench, "b") + opened(bench, "new"), 3);
    assert_int_equal(opened(bench, "c"), 0);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 1);
    assert_int_equal(bench->counters.derived, 1);
    assert_int_equal(bench->counters.left, 2);       /* b, and what was told of c */
    assert_int_equal(bench->counters.events, 4 + 2); /* and b again, and new */
    bench_destroy(bench);
}

/* L1: what is passed over is neither read nor a gap. */
static void D2_L1_the_ledger_of_one_that_came_back_adds_up(void **state)
{
    (void)state;
    struct world world = world_make(1);
    struct engine_part_counters parts[8];

    put_and_lose(&world);
    join(&world, come_back(&world, 1));
    bench_pass(world.bench, 8000, 500);
    size_t count = engine_part_counters(world.bench->engine, parts, 8);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(parts[i].read_offset - parts[i].start_offset,
                         parts[i].records + parts[i].gaps);
    bench_stop(world.bench);
    bench_destroy(world.bench);
}

/* The second member's reading came to b alone, which waits in a bin again. */
static void D2_a_partition_that_is_lost_again_in_the_middle_of_it_counts_once(void **state)
{
    (void)state;
    struct world world = world_make(1);

    put_and_lose(&world);
    struct bench_feed *again = come_back_for(&world, 0, 3);
    join(&world, again);
    leave(&world, again);
    join(&world, come_back(&world, 1));
    end(&world);
    assert_int_equal(world.bench->counters.opened, 4);
    assert_int_equal(world.bench->counters.duplicate, 0);
    bench_destroy(world.bench);
}

/* The first event of a record has counted, the second waits in a bin, and the third is beyond the
 * reach of the bins. */
static void D2_of_a_record_that_counted_in_part_the_rest_counts(void **state)
{
    (void)state;
    struct world world = world_make(1);

    bench_start(world.bench);
    bench_settle(world.bench);
    bench_put(world.stays, 4000, "x", "x", "");
    bench_put_text(
        world.lost, 80000000,
        "[{\"resource\":\"one\",\"check\":\"down\",\"time\":\"2001-09-09T01:46:40.100Z\"},"
        "{\"resource\":\"two\",\"check\":\"down\",\"time\":\"2001-09-09T01:46:44.500Z\"},"
        "{\"resource\":\"three\",\"check\":\"down\",\"time\":\"2001-09-09T23:46:40Z\"}]");
    bench_pass(world.bench, 20, 20);
    assert_int_equal(opened(world.bench, "one"), 1);
    leave(&world, world.lost);
    join(&world, come_back(&world, 0));
    end(&world);
    assert_int_equal(opened(world.bench, "one"), 1);
    assert_int_equal(world.bench->counters.duplicate, 0);
    assert_int_equal(world.bench->counters.left, 1);
    bench_destroy(world.bench);
}

/* Records of the same positions that are others count. */
static void D2_what_comes_in_the_place_of_a_lost_log_counts(void **state)
{
    (void)state;
    enum { BEGUN_ANEW, GONE, YOUNGER_LEADER, KINDS };

    for (int kind = 0; kind < KINDS; kind++) {
        struct world world = world_make(1);
        if (kind == GONE)
            world.lost->feed.is_gone = true;
        bench_start(world.bench);
        bench_settle(world.bench);
        bench_hold(world.bench); /* nobody reads before the leader is written */
        bench_put(world.lost, 100, "a", "down", "");
        world.lost->records[0].leader_epoch = 3;
        atomic_store(&world.bench->is_held, false);
        bench_put(world.lost, 200, "b", "down", "");
        bench_put(world.stays, 4000, "x", "x", "");
        bench_put(world.lost, 4000, "x", "x", "");
        bench_pass(world.bench, 20, 20);
        assert_int_equal(opened(world.bench, "a"), 1);
        leave(&world, world.lost);
        struct bench_feed *again = bench_feed_unjoined(world.bench, "t", 1);
        again->feed.is_continued = kind != BEGUN_ANEW;
        bench_put(again, 4000, "other", "down", "");
        again->records[0].leader_epoch = kind == YOUNGER_LEADER ? 4 : 3;
        join(&world, again);
        end(&world);
        assert_int_equal(opened(world.bench, "other"), 1);
        bench_destroy(world.bench);
    }
}

/* A position that lies behind what was read: another member had it meanwhile. */
static void D2_behind_what_another_member_read_all_counts(void **state)
{
    (void)state;
    struct world world = world_make(1);

    put_and_lose(&world);
    bench_put(world.lost, 5100, "theirs", "down", "");
    bench_put(world.lost, 5200, "ours", "down", "");
    join(&world, come_back(&world, 6));
    end(&world);
    assert_int_equal(opened(world.bench, "theirs"), 0);
    assert_int_equal(opened(world.bench, "ours"), 1);
    assert_int_equal(world.bench->counters.redelivered, 0);
    bench_destroy(world.bench);
}

/* Leaves and joins told together: the second life waits for the end of the first. It begins at the
 * low position of some moment before, or some records before that. */
static void D2_a_partition_that_comes_back_at_once_counts_once(void **state)
{
    (void)state;
    uint64_t passed_over = 0;

    for (uint64_t round = 1; round <= 6; round++) {
        uint64_t random = round * 0x9e3779b97f4a7c15ULL;
        struct world world = world_make(1 + (unsigned)(round % 3));
        struct bench_feed *now = world.lost;
        int64_t put = 0;
        bench_start(world.bench);
        bench_settle(world.bench);
        for (int64_t at = 0; at < 6000; at += 20) {
            char name[16];
            random = random * 6364136223846793005u + 1442695040888963407u;
            snprintf(name, sizeof(name), "r%d", (int)put++);
            int64_t late = (int64_t)(random >> 33) % 400;
            bench_put(world.lost, at + 400 - late, name, "down", "");
            if (now != world.lost)
                bench_put(now, at + 400 - late, name, "down", "");
            snprintf(name, sizeof(name), "x%d", (int)put);
            bench_put(world.stays, at, name, "down", "");
            bench_clock_move(world.bench, 20);
            if ((random >> 50) % 16 != 0)
                continue;
            bench_settle(world.bench);
            int64_t low = low_of(&world, now->feed.start_offset) - (int64_t)(random >> 40) % 4;
            int64_t from = low > now->feed.start_offset ? low : now->feed.start_offset;
            bench_change(now, SOURCE_LEAVE);
            now = come_back(&world, from);
            bench_change(now, SOURCE_JOIN);
        }
        end(&world);
        for (int64_t i = 0; i < put; i++) {
            char name[16];
            snprintf(name, sizeof(name), "r%d", (int)i);
            if (opened(world.bench, name) != 1)
                fail_msg("round %d: %s counted %u times", (int)round, name,
                         opened(world.bench, name));
        }
        assert_int_equal(world.bench->counters.duplicate, 0);
        assert_int_equal(world.bench->counters.gaps, 0);
        passed_over += world.bench->counters.redelivered;
        bench_destroy(world.bench);
    }
    assert_true(passed_over > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            D2_what_counted_before_a_partition_was_lost_does_not_count_when_it_comes_back),
        cmocka_unit_test(D2_L7_what_was_over_a_quota_is_not_read_again),
        cmocka_unit_test(D2_L7_what_was_shed_is_not_read_again),
        cmocka_unit_test(D2_L1_the_ledger_of_one_that_came_back_adds_up),
        cmocka_unit_test(D2_a_partition_that_is_lost_again_in_the_middle_of_it_counts_once),
        cmocka_unit_test(D2_of_a_record_that_counted_in_part_the_rest_counts),
        cmocka_unit_test(D2_what_comes_in_the_place_of_a_lost_log_counts),
        cmocka_unit_test(D2_behind_what_another_member_read_all_counts),
        cmocka_unit_test(D2_a_partition_that_comes_back_at_once_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

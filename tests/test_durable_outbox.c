/*
 * Aim (O1, O5): what became of an op is in the journal before a kill can take it: how often it was
 * tried, that it was given up, and how old it is; and what a start finds owed leaves, however far
 * that start is. Method: lives on a disk in memory
 * (tests/durable_world.h), each ended by a power cut, with one attempt at each of two sinks, for no
 * time passes in a life but the first one, which only makes the op.
 */
#include "tests/durable_world.h"
#include "tests/fake_sink.h"

enum { TRIES = 3, SINKS = 2 };

static const char rules[] = "rules:\n"
                            "  - id: one\n    where: check == \"down\"\n    by: [resource]\n"
                            "    window: 1m\n    when: count() >= 1\n"
                            "    incident: {title: \"{resource} is down\"}\n    close: cleared()\n";

static struct world world;

static void start(unsigned port)
{
    if (world_start(&world, rules, port) != EXIT_OK)
        fail_msg("%s", world.why.text);
}

/* All that was told of is durable, and nothing after. */
static void kill_it(void)
{
    durable_sync(world.durable);
    atomic_store(&sim.crash_at, 1);
    world_stop(&world);
    sim_disk_cut();
    bench_clock_move(world.bench, 3000); /* longer than the first delay between two attempts */
}

/* The op of the one incident, as the journal knows it at this start. */
static const struct journal_recalled_op *known(size_t sink)
{
    assert_int_equal(world.durable->past.op_count, SINKS);
    assert_string_equal(world.durable->past.ops[sink].sink, world_sinks[sink]);
    return &world.durable->past.ops[sink];
}

/* Until each sink was tried, and it is told what came of it. */
static void wait_until_told(bool is_dead)
{
    struct sink_counters counters[SINKS];
    bool is_told;

    do {
        is_told = true;
        outbox_counters(world.outbox, counters, SINKS);
        for (int i = 0; i < SINKS; i++)
            is_told = is_told && (is_dead ? counters[i].dead : counters[i].retries) > 0;
        usleep(1000);
    } while (!is_told);
}

static void O1_tries_and_the_end_of_an_op_outlive_a_kill(void **state)
{
    static const struct fake_step steps[2 * TRIES + 1] = {
        [0 ... 2 * TRIES - 1] = {FAKE_ANSWER_CLOSE,
                                 "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"},
        {FAKE_ANSWER_CLOSE, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}};
    struct outbox_dead_row row[SINKS + 1];
    struct fake_sink sink;

    (void)state;
    sim_disk_begin(1);
    world_create(&world);
    fake_start(&sink, steps, 2 * TRIES + 1);
    start(0);
    bench_put(world.bench->feed[0], 0, "r1", "down", "");
    bench_settle(world.bench);
    bench_pass(world.bench, 180000, 1000);
    world_sync(&world);
    bench_put(world.bench->feed[0], 180000, "r1", "calm", ""); /* the journal's clock goes on */
    bench_settle(world.bench);
    bench_pass(world.bench, 2000, 50);
    world_sync(&world);
    kill_it();

    for (uint32_t tries = 0; tries < TRIES; tries++) {
        start(sink.port);
        for (size_t i = 0; i < SINKS; i++) {
            assert_int_equal(known(i)->fate, tries > 0 ? JOURNAL_FATE_RETRY : JOURNAL_FATE_OWED);
            assert_int_equal(known(i)->attempts, tries);
            assert_in_range(known(i)->age_ms, 170000, 190000);
        }
        wait_until_told(false);
        kill_it();
    }
    start(sink.port);
    wait_until_told(true);
    kill_it();

    for (int life = 0; life < 2; life++) {
        start(sink.port);
        for (size_t i = 0; i < SINKS; i++) {
            assert_int_equal(known(i)->fate, JOURNAL_FATE_DEAD);
            assert_int_equal(known(i)->attempts, TRIES);
        }
        assert_int_equal(outbox_dead(world.outbox, &(struct outbox_pick){.sink = -1}, row, 3), 2);
        for (size_t i = 0; i < SINKS; i++)
            assert_int_equal(row[i].attempts, TRIES);
        if (!world_recover(&world))
            fail_msg("%s", world.why.text);
        kill_it();
    }
    assert_int_equal(sink.request_count, SINKS * (TRIES + 1)); /* nobody tries a dead one */
    fake_stop(&sink);
    world_destroy(&world);
    sim_disk_end();
}

/* The other sink, which waits for nothing, is told in the same turn: when that is durable, so is
 * the intent, and nothing else is told whose commit would let it go. */
static void wait_for_commit(struct world *of)
{
    struct sink_counters counters[SINKS];

    do {
        usleep(1000);
        outbox_counters(of->outbox, counters, SINKS);
    } while (counters[1].done == 0);
    durable_sync(of->durable);
}

static void O1_an_intent_that_is_durable_before_its_start_is_over_leaves(void **state)
{
    static const struct fake_step steps[] = {{FAKE_ANSWER_CLOSE, FAKE_200}};
    struct sink_counters counters[SINKS];
    struct fake_sink sink;

    (void)state;
    sim_disk_begin(1);
    world_create(&world);
    fake_start(&sink, steps, 1);
    start(0);
    bench_put(world.bench->feed[0], 0, "r1", "down", "");
    bench_settle(world.bench);
    bench_pass(world.bench, 2000, 50);
    world_sync(&world);
    kill_it();
    world.on_outbox = wait_for_commit;
    start(sink.port);
    world.on_outbox = NULL;
    do {
        usleep(1000);
        outbox_counters(world.outbox, counters, SINKS);
    } while (counters[0].done + counters[1].done < SINKS);
    if (world_stop(&world) != EXIT_OK)
        fail_msg("%s", world.why.text);
    fake_stop(&sink);
    world_destroy(&world);
    sim_disk_end();
}

static bool were_sent[SINKS];

static void see_resumed(struct world *of)
{
    assert_int_equal(of->durable->resumed_count, SINKS);
    for (size_t i = 0; i < SINKS; i++)
        were_sent[i] = of->durable->resumed[i].may_exist;
}

/* A request went out whole, and what came of it nobody knows: the next life knows that. */
static void D3_what_may_have_been_taken_is_known_behind_a_kill(void **state)
{
    static const struct fake_step steps[] = {{FAKE_HANG_UP, NULL}};
    struct fake_sink sink;

    (void)state;
    sim_disk_begin(1);
    world_create(&world);
    fake_start(&sink, steps, 1);
    start(0);
    bench_put(world.bench->feed[0], 0, "r1", "down", "");
    bench_settle(world.bench);
    bench_pass(world.bench, 2000, 50);
    world_sync(&world);
    kill_it();
    world.on_outbox = see_resumed;
    start(sink.port);
    assert_false(were_sent[0] || were_sent[1]);
    wait_until_told(false);
    kill_it();
    start(sink.port);
    assert_true(were_sent[0] && were_sent[1]);
    world.on_outbox = NULL;
    if (!world_recover(&world))
        fail_msg("%s", world.why.text);
    kill_it();
    fake_stop(&sink);
    world_destroy(&world);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(O1_an_intent_that_is_durable_before_its_start_is_over_leaves),
        cmocka_unit_test(O1_tries_and_the_end_of_an_op_outlive_a_kill),
        cmocka_unit_test(D3_what_may_have_been_taken_is_known_behind_a_kill),
    };
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

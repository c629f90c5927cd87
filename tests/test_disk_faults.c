/*
 * Aim (C9, F6, D1): whichever call to the disk fails, once or from then on, with an I/O error or
 * for want of room, is cut short or broken off by a signal: the run goes on or ends with 74 and a
 * sentence, nothing that was committed or answered is lost, and the next start goes on from what
 * the disk really holds. Method: a small life of the daemon's parts (tests/durable_world.h), in
 * which each call in turn fails each way; then a start without faults, where half of the time the
 * power has been cut in between. Every eleventh in the short form, by turns of a seed, which is
 * printed; a second argument sets it.
 */
#include "tests/durable_load.h"

enum { LIFE_TURNS = 8 };

static uint64_t seed, every = 11;

static const struct kind {
    const char *name;
    int error;
    bool for_ever, is_short;
    bool must_pass; /* nobody hears of it */
} kinds[] = {
    {"I/O error, once", -EIO, false, false, false},
    {"I/O errors from then on", -EIO, true, false, false},
    {"no room, once", -ENOSPC, false, false, false},
    {"no room from then on", -ENOSPC, true, false, false},
    {"a signal", -EINTR, false, false, true},
    {"cut short", 0, false, true, true},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static uint64_t went_on, gave_up, refused, calls_of_life;

static void turns(void)
{
    char push[16];

    for (int turn = 0; turn < LIFE_TURNS && world_verdict(&world) == 0; turn++) {
        put_some(world.bench);
        snprintf(push, sizeof(push), "p%d", turn);
        if (turn % 2 == 1)
            world_push(&world, push, "down");
        if (turn == 4)
            world_switch(&world, rule_texts[2]); /* or the old ones stay */
        bench_pass(world.bench, (int64_t)draw(240) + 1, 240);
    }
    bench_pass(world.bench, 900, 300);
}

/* One life in which call `at` fails so; 0: none does. Its code, and what it promised. */
static int live_with(const struct kind *kind, uint64_t at)
{
    int code;

    dice = 4711; /* the same life each time */
    /* Every other one writes snapshots, and lets go of what they do not need. */
    world.snapshot_every_ms = at / every % 2 == 0 ? 200 : 0;
    world.recycles = world.snapshot_every_ms > 0;
    world.takes_last = true;
    sim_disk_begin(at);
    sim.fault_errno = kind->error;
    sim.fault_for_ever = kind->for_ever;
    sim.fault_is_short = kind->is_short;
    sim.fault_at = at;
    code = world_start(&world, rule_texts[0], 0);
    if (code != EXIT_OK) {
        refused++;
        return code;
    }
    turns();
    code = world_stop(&world);
    calls_of_life = sim.calls;
    if (code == EXIT_OK)
        went_on++;
    else
        gave_up++;
    return code;
}

static void start_again(const struct kind *kind, uint64_t at)
{
    size_t told_bytes = world.told.used, kept = world.kept.count;
    char *told = memory_alloc(told_bytes + 1);
    int code;

    memcpy(told, world.told.at != NULL ? world.told.at : "", told_bytes);
    told[told_bytes] = '\0';
    sim.fault_at = 0;
    held.was_told = told;
    if (at % 2 == 0)
        sim_disk_cut();
    look();
    assert_begins(held.told.at, held.told.used, told, told_bytes, kind->name);
    for (size_t i = 0; i < kept; i++)
        assert_true(world.kept.at[i] < held.pushes);
    code = world_start(&world, rule_texts[0], 0);
    if (code != EXIT_OK || !world_recover(&world))
        fail_msg("%s at call %" PRIu64 ": the next start: %d: %s", kind->name, at, code,
                 world.why.text);
    code = world_stop(&world);
    if (code != EXIT_OK)
        fail_msg("%s at call %" PRIu64 ": the next run: %d: %s", kind->name, at, code,
                 world.why.text);
    free(told);
}

static void a_fault_at_any_call_loses_nothing(void **state)
{
    uint64_t calls;

    (void)state;
    world_create(&world);
    assert_int_equal(live_with(&kinds[0], 0), EXIT_OK);
    calls = calls_of_life;
    assert_true(world.told.used > 1000);
    assert_true(world.kept.count == LIFE_TURNS / 2);
    start_again(&kinds[0], 0);
    sim_disk_end();
    for (uint64_t at = 1 + seed % every; at <= calls; at += every)
        for (size_t k = 0; k < KINDS; k++) {
            int code = live_with(&kinds[k], at);
            if (code != EXIT_OK && (code != EXIT_IO || world.why.text[0] == '\0'))
                fail_msg("%s at call %" PRIu64 ": code %d: '%s'", kinds[k].name, at, code,
                         world.why.text);
            if (code != EXIT_OK && kinds[k].must_pass)
                fail_msg("%s at call %" PRIu64 ": code %d: %s", kinds[k].name, at, code,
                         world.why.text);
            if (kinds[k].must_pass)
                assert_int_equal(world.kept.count, LIFE_TURNS / 2);
            start_again(&kinds[k], at);
            sim_disk_end();
        }
    print_message("%" PRIu64 " calls, every %" PRIu64 ", seed %" PRIu64 ": %" PRIu64
                  " lives went on, %" PRIu64 " ended with 74, %" PRIu64 " did not start\n",
                  calls, every, seed, went_on, gave_up, refused);
    world_destroy(&world);
    forget_held();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_at_any_call_loses_nothing),
    };

    every = argc > 1 && strcmp(argv[1], "long") == 0 ? 1 : every;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

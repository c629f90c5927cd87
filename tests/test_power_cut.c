/*
 * Aim (C2, C3, C7, C8, D1, O1): whenever the power goes, a start on what the disk then holds goes
 * on from there: what was committed and what was answered is there, nothing is told that the run
 * before would not have told, and an op of which a byte has left is known to have been sent.
 * Method: runs of random records, pushes and switches of rules, with the daemon's own parts on a
 * disk in memory and sinks that are real (tests/durable_world.h). Every call that reaches the disk
 * is kept; images of the disk are made behind any of them (tests/sim_disk.h), and each is started
 * on, many of them twice, as the power goes again while the first start is at it. Of three loads one
 * writes no snapshots, one does, and one lets its journal go where they allow it (C6). The seed is
 * printed; a second argument sets it.
 */
#include "tests/durable_load.h"

static uint64_t seed, images;
static bool is_long;

/* The image of the first `count` calls, before anybody starts on it. */
static void judge_image(size_t count)
{
    struct promise promised = {0};

    for (size_t i = 0; i < load.promises.count; i++)
        if (load.promises.at[i].at <= count)
            promised = load.promises.at[i];
    held.was_told = load.told;
    look();
    assert_begins(load.told, load.told_bytes, held.told.at, held.told.used,
                  "it says what was never told");
    assert_begins(held.told.at, held.told.used, load.told, promised.told_bytes,
                  "what was committed is lost");
    for (size_t i = 0; i < promised.kept; i++)
        assert_true(load.kept[i] < held.pushes);
    for (size_t i = 0; i < load.sent_count; i++) {
        int fate = fate_of(load.sent[i].op);
        if (load.sent[i].at <= count && fate == JOURNAL_FATE_OWED &&
            (!held.begins_late || has_op(load.sent[i].op)))
            fail_msg("an op was sent, and nothing says so");
        if (load.sent[i].at > count && fate == JOURNAL_FATE_DONE)
            fail_msg("an op is done, and was not sent");
    }
}

/* ---- starts ---- */

static char *before;
static uint64_t logs_lost;
static size_t before_bytes;

/* What the disk holds by now, and `more` that was committed since, is there from now on. */
static void remember(const char *more, size_t bytes)
{
    before = memory_grow(before, held.told.used + bytes + 1);
    if (held.told.used > 0)
        memcpy(before, held.told.at, held.told.used);
    memcpy(before + held.told.used, more, bytes);
    before_bytes = held.told.used + bytes;
    before[before_bytes] = '\0';
    held.was_told = before;
}

/* Every op that is not at its end is handed to the outbox again. */
static void assert_owed(void)
{
    for (size_t i = 0; i < held.ops.count; i++) {
        int fate = fate_of(held.ops.at[i]);
        bool is_known = false;
        for (size_t r = 0; r < world.durable->resumed_count; r++)
            is_known |= id128_equal(world.durable->resumed[r].op.id, held.ops.at[i]);
        if (!is_known && fate != JOURNAL_FATE_DONE && fate != JOURNAL_FATE_TAKEN_IN)
            fail_msg("an op that is owed is forgotten, fate %d", fate);
    }
}

/* The incident log ends as the journal says, whatever of it the power had taken; but for a file
 * whose beginning is gone, of which nobody knows where it began: that is said at each start. */
static void assert_log(void)
{
    const struct sim_file *file = sim_disk_file(WORLD_LOG);
    size_t bytes = file != NULL ? file->now_bytes : 0;

    if (bytes == 0 || file->now[0] == '\0') {
        logs_lost++;
        return;
    }
    assert_true(bytes <= held.told.used);
    assert_memory_equal(file->now, held.told.at + held.told.used - bytes, bytes);
}

static void start_on_image(bool goes_on)
{
    int code = world_start(&world, load.last_rules, 0);

    if (code != EXIT_OK)
        fail_msg("%d: %s", code, world.why.text);
    assert_owed();
    if (!world_recover(&world))
        fail_msg("it does not recover: %s", world.why.text);
    if (goes_on) {
        for (int t = 0; t < 100 && engine_watermark(world.bench->engine) < load.watermark; t++)
            bench_pass(world.bench, 20, 20);
        bench_pass(world.bench, HORIZON_MS, 500);
    }
    world_sync(&world);
    code = world_stop(&world);
    if (code != EXIT_OK)
        fail_msg("%d: %s", code, world.why.text);
    remember(world.told.at != NULL ? world.told.at : "", world.told.used);
    look();
    assert_begins(held.told.at, held.told.used, before, before_bytes, "what went on is lost");
    assert_int_equal(held.told.used, before_bytes);
    if (goes_on && load.is_plain && load.late_by_seal == 0 && world.late_by_seal == 0)
        assert_begins(before, before_bytes, load.told, load.told_bytes, "it goes on otherwise");
    assert_log();
}

/* A start during which the power goes again. */
static void start_and_cut(void)
{
    sim.crash_at = sim.calls + 1 + draw(160);
    if (world_start(&world, load.last_rules, 0) == EXIT_OK) {
        if (world_recover(&world))
            world_sync(&world);
        world_stop(&world);
    }
    sim_disk_cut();
    remember(world.told.at != NULL ? world.told.at : "", world.told.used);
    look();
    assert_begins(held.told.at, held.told.used, before, before_bytes,
                  "what was committed after the first cut is lost");
    if (load.is_plain && load.late_by_seal == 0)
        assert_begins(load.told, load.told_bytes, held.told.at, held.told.used,
                      "it says otherwise");
}

static void a_start_on_any_image_goes_on_from_what_was_promised(void **state)
{
    uint64_t count = is_long ? 30000 : images, per_load = is_long ? 250 : (count + 5) / 6;
    uint64_t done = 0, twice = 0, virgin = 0;

    (void)state;
    for (uint64_t of = 0; done < count; of++) {
        live(seed + of);
        for (uint64_t i = 0; i < per_load && done < count; i++, done++) {
            size_t calls;
            dice = hash_mix(seed + 1000003 * of + i);
            calls = draw(load.trace.count + 1);
            sim_disk_image(&load.trace, calls, draw(UINT64_MAX));
            judge_image(calls);
            virgin += !held.is_there;
            remember("", 0);
            if (draw(2) == 0) {
                start_and_cut();
                twice++;
            }
            start_on_image(draw(4) == 0);
            sim_disk_end();
        }
        print_message("run %" PRIu64 ": %zu calls, %zu bytes told, %zu sent, %zu pushes kept, %s, "
                      "%" PRIu64 " snapshots%s\n",
                      of, load.trace.count, load.told_bytes, (size_t)load.sent_count,
                      load.kept_count, load.is_plain ? "plain" : "with switches", load.snapshots,
                      world.recycles ? ", what they do not need goes" : "");
        forget_load();
    }
    print_message("%" PRIu64 " images, seed %" PRIu64 ": %" PRIu64 " were cut twice, %" PRIu64
                  " before there was anything, %" PRIu64 " incident logs lost their beginning\n",
                  done, seed, twice, virgin, logs_lost);
    forget_held();
    free(before);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_on_any_image_goes_on_from_what_was_promised),
    };

    is_long = argc > 1 && strcmp(argv[1], "long") == 0;
    images = argc > 1 && !is_long ? strtoull(argv[1], NULL, 10) : 96;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Aim: the intake log lets go of nothing that a start needs: neither what its snapshot stands
 * before, nor what no checkpoint stands for, nor an act of which nobody knows yet what came of it;
 * and a checkpoint is written where it is worth it, and not again and again. Method: a log on a
 * disk in memory (tests/sim_disk.h), read as a start reads it, and its records handed over by the
 * test; of a unit the test says what it needs (the link takes unit_release_floor() away).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/intake_keep.h"
#include "daemon/log.h"
#include "daemon/silences.h"
#include "daemon/unit.h"
#include "ingest/intake_act.h"
#include "tests/sim_disk.h"

enum { SEGMENT = 64 << 10, BODY_BYTES = 6000, WORTH = SEGMENT / 64 };

static const struct intake_log_config config = {.segments = {.folder = "data/intake",
                                                             .kind = "intake",
                                                             .directory = {5, 6},
                                                             .segment_bytes = SEGMENT},
                                                .waiting_bytes_max = 64 << 20};

static struct {
    struct owed_acts *owed;
    struct intake_keep *keep;
    struct intake_log *log;
    uint64_t unit_floor;
} world;

uint64_t __wrap_unit_release_floor(struct unit *unit, enum shared_log which);

uint64_t __wrap_unit_release_floor(struct unit *unit, enum shared_log which)
{
    assert_non_null(unit);
    assert_int_equal(which, SHARED_INTAKE);
    return world.unit_floor;
}

static int64_t on_stamp(void *self)
{
    static _Atomic int64_t now_ms = 1000;

    (void)self;
    return now_ms++;
}

static void on_kept(void *self, char *payload, size_t bytes)
{
    (void)self;
    if (payload != NULL && world.keep != NULL)
        intake_keep_kept(world.keep, payload, bytes);
    free(payload);
}

static struct intake_post *on_own(void *self)
{
    (void)self;
    return world.keep != NULL ? intake_keep_own(world.keep) : NULL;
}

static const struct intake_hooks hooks = {.stamp_ms = on_stamp, .kept = on_kept, .own = on_own};

static void on_record(void *self, const struct intake_record *record)
{
    (void)self;
    if (world.keep != NULL)
        intake_keep_read(world.keep, record);
    if (world.owed != NULL)
        owed_acts_read(world.owed, record);
}

static void open_log(void)
{
    enum segment_refusal why;
    struct error err = {""};

    if (intake_log_open(&config, on_record, NULL, &world.log, &why, &err) != 0)
        fail_msg("%s", err.text);
}

static void start_log(void)
{
    struct error err = {""};

    assert_int_equal(intake_log_start(world.log, &hooks, &err), 0);
}

/* A frame of its own; its position. */
static uint64_t post(enum intake_kind kind, const char *what, const char *body, size_t bytes)
{
    struct intake_post *post = intake_post_create();
    struct error err = {""};
    uint64_t position;

    intake_post_add(post, &(struct intake_record){.kind = kind,
                                                  .who = {"ada", 3},
                                                  .what = {what, (uint32_t)strlen(what)},
                                                  .body = {body, (uint32_t)bytes}});
    if (intake_log_post_wait(world.log, post, &err) != 0)
        fail_msg("%s", err.text);
    position = post->first;
    intake_post_destroy(post);
    return position;
}

static uint64_t post_events(void)
{
    static const char body[BODY_BYTES];

    return post(INTAKE_EVENTS, "events", body, sizeof(body));
}

static uint64_t post_act(void)
{
    static const char body[] = "{\"id\":\"00000000000000010000000000000002\",\"rule\":\"down\","
                               "\"key\":[\"acme\",\"h1\"]}";

    return post(INTAKE_ACT, ACT_CLOSE, body, strlen(body));
}

static uint64_t post_checkpoint(void)
{
    static const char body[] = "{\"made\":0,\"silences\":[]}";

    return post(INTAKE_CHECKPOINT, INTAKE_CHECKPOINT_WHAT, body, strlen(body));
}

static void begin(const struct journal_keep *keep, bool has_unit)
{
    world.owed = owed_acts_create();
    world.keep = intake_keep_create(
        &(struct intake_keep_options){.segments = &config.segments,
                                      .keep = *keep,
                                      .unit = has_unit ? (struct unit *)(uintptr_t) "unit" : NULL,
                                      .owed = world.owed});
    open_log();
    intake_keep_begin(world.keep, world.log);
}

static void end(void)
{
    intake_log_destroy(world.log);
    intake_keep_destroy(world.keep);
    owed_acts_destroy(world.owed);
    memset(&world, 0, sizeof(world));
}

static const struct journal_keep all = {0, 0};

/* ---- what is needed ---- */

static void a_log_without_a_checkpoint_is_needed_whole(void **state)
{
    (void)state;
    sim_disk_begin(1);
    open_log();
    start_log();
    for (int i = 0; i < 20; i++)
        post_events();
    end();
    begin(&all, false);
    for (uint64_t low = 0; low < 25; low++)
        assert_int_equal(intake_keep_floor(world.keep, low), 0);
    end();
    sim_disk_end();
}

/* Each of the three by itself is the first that is needed. */
static void what_is_before_snapshot_checkpoint_and_owed_acts_may_go(void **state)
{
    (void)state;
    sim_disk_begin(1);
    open_log();
    start_log();
    for (int i = 0; i < 10; i++)
        post_events();
    const uint64_t act = post_act();
    for (int i = 0; i < 10; i++)
        post_events();
    const uint64_t first = post_checkpoint();
    for (int i = 0; i < 10; i++)
        post_events();
    const uint64_t checkpoint = post_checkpoint();
    for (int i = 0; i < 10; i++)
        post_events();
    end();
    begin(&all, false);
    owed_acts_begin(world.owed, 0, intake_log_next(world.log));
    /* Each is where a frame of its own is known. */
    assert_true(intake_log_frame_of(world.log, act) < intake_log_frame_of(world.log, first));
    assert_true(intake_log_frame_of(world.log, first) < intake_log_frame_of(world.log, checkpoint));
    assert_true(intake_log_frame_of(world.log, checkpoint) <
                intake_log_frame_of(world.log, checkpoint + 5));

    assert_int_equal(owed_acts_oldest(world.owed), act);
    assert_int_equal(intake_keep_floor(world.keep, act - 5),
                     intake_log_frame_of(world.log, act - 5));
    for (uint64_t low = act; low < checkpoint + 8; low += 4)
        assert_int_equal(intake_keep_floor(world.keep, low), intake_log_frame_of(world.log, act));
    owed_acts_read(world.owed, &(struct intake_record){.kind = INTAKE_OUTCOME, .of = act});
    assert_int_equal(intake_keep_floor(world.keep, act + 3),
                     intake_log_frame_of(world.log, act + 3));
    assert_int_equal(intake_keep_floor(world.keep, first), intake_log_frame_of(world.log, first));
    assert_int_equal(intake_keep_floor(world.keep, checkpoint - 3),
                     intake_log_frame_of(world.log, checkpoint - 3));
    for (uint64_t low = checkpoint; low < checkpoint + 10; low += 3)
        assert_int_equal(intake_keep_floor(world.keep, low),
                         intake_log_frame_of(world.log, checkpoint));
    assert_int_equal(intake_keep_floor(world.keep, 0), 0); /* a start that reads all of it */
    end();
    sim_disk_end();
}

/* ---- when a checkpoint is written ---- */

static struct intake_record record_of(enum intake_kind kind, const char *body, size_t bytes)
{
    static uint64_t position;

    return (struct intake_record){.kind = kind,
                                  .position = position++,
                                  .what = text_of(INTAKE_CHECKPOINT_WHAT),
                                  .body = {body, (uint32_t)bytes}};
}

/* Whether one is due when so much has come; it is not written. */
static bool is_due(void)
{
    struct intake_post *post;

    intake_keep_floor(world.keep, 0);
    post = intake_keep_own(world.keep);
    if (post != NULL)
        intake_post_destroy(post);
    assert_null(intake_keep_own(world.keep)); /* asked for once */
    return post != NULL;
}

/* So many bytes of records more, of which some have no body. */
static void read_bytes(size_t bytes)
{
    enum { FRONT = 40, WHAT = sizeof(INTAKE_CHECKPOINT_WHAT) - 1 };
    static const char body[WORTH];
    const struct intake_record record =
        record_of(INTAKE_EVENTS, body, bytes > FRONT + WHAT ? bytes - FRONT - WHAT : 0);

    intake_keep_read(world.keep, &record);
}

static void read_checkpoint(const char *body, size_t bytes)
{
    const struct intake_record record = record_of(INTAKE_CHECKPOINT, body, bytes);

    intake_keep_read(world.keep, &record);
}

static void a_checkpoint_is_due_when_enough_has_come_behind_the_last(void **state)
{
    static const char small[] = "{\"made\":0,\"silences\":[]}";
    char large[512] = "{\"made\":0,\"silences\":[]}";

    (void)state;
    sim_disk_begin(1);
    begin(&all, false);
    assert_false(is_due());
    read_bytes(WORTH - 100);
    assert_false(is_due());
    read_bytes(100);
    assert_true(is_due());
    assert_true(is_due()); /* nobody wrote it */
    read_checkpoint(small, strlen(small));
    assert_false(is_due()); /* all that came before it does not count any more */
    read_bytes(WORTH - 100);
    assert_false(is_due());
    read_bytes(100);
    assert_true(is_due());

    /* A large one is an eighth of what comes between two. */
    memset(large + strlen(large), ' ', sizeof(large) - strlen(large));
    read_checkpoint(large, sizeof(large));
    read_bytes(WORTH);
    assert_false(is_due());
    for (size_t bytes = WORTH; bytes < 8 * sizeof(large); bytes += WORTH)
        read_bytes(WORTH);
    assert_true(is_due());
    end();
    sim_disk_end();
}

/* An idle daemon writes nothing, however often a snapshot asks. */
static void a_checkpoint_is_written_once(void **state)
{
    (void)state;
    sim_disk_begin(1);
    begin(&all, false);
    start_log();
    const uint64_t last = post_events();
    assert_int_equal(intake_keep_floor(world.keep, last), 0); /* asks for it */
    while (intake_keep_checkpoints(world.keep) == 0)
        usleep(1000);
    const uint64_t act = post_act();
    assert_int_equal(act, last + 2);
    assert_int_equal(intake_keep_floor(world.keep, act), intake_log_frame_of(world.log, last + 1));
    for (int i = 0; i < 3; i++) {
        intake_keep_floor(world.keep, act);
        assert_int_equal(post_act(), act + 1 + (uint64_t)i);
    }
    assert_int_equal(intake_keep_checkpoints(world.keep), 1);
    end();
    sim_disk_end();
}

/* ---- what goes ---- */

/* Position of the first record behind a release; the thread lets go before the next post. */
static uint64_t first_behind(uint64_t low)
{
    struct intake_log_counters counters;

    intake_keep_release(world.keep, low, 10000000);
    post_events();
    post_events();
    intake_log_counters(world.log, &counters);
    return counters.first;
}

static void it_lets_go_up_to_what_is_needed(void **state)
{
    static const struct journal_keep least = {0, 1};
    uint64_t low = 0, first;

    (void)state;
    sim_disk_begin(1);
    begin(&least, true);
    start_log();
    world.unit_floor = UINT64_MAX;
    for (int i = 0; i < 60; i++)
        low = post_events();
    assert_int_equal(first_behind(low), 0); /* no checkpoint stands for it: one was asked for */
    assert_int_equal(intake_keep_checkpoints(world.keep), 1);
    for (int i = 0; i < 60; i++)
        low = post_events();
    world.unit_floor = 0; /* the unit's store needs all of it */
    assert_int_equal(first_behind(low), 0);
    world.unit_floor = 25; /* or some of it */
    first = first_behind(low);
    assert_in_range(first, 10, 24);
    world.unit_floor = UINT64_MAX;
    first = first_behind(low);
    assert_in_range(first, low - 15, low);
    end();
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_without_a_checkpoint_is_needed_whole),
        cmocka_unit_test(what_is_before_snapshot_checkpoint_and_owed_acts_may_go),
        cmocka_unit_test(a_checkpoint_is_due_when_enough_has_come_behind_the_last),
        cmocka_unit_test(a_checkpoint_is_written_once),
        cmocka_unit_test(it_lets_go_up_to_what_is_needed),
    };
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

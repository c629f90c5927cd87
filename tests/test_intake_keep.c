/*
 * Aim: an intake log that lets go of its oldest segments holds, after any power cut, all that was
 * answered from the first record that is there on, never begins behind what somebody needs, and has
 * a checkpoint that stands for what has gone. Method: the log's real thread on a disk in memory
 * (tests/sim_disk.h), with a power cut at any call; what is on it is read back as a start does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "store/intake_log.h"
#include "tests/sim_disk.h"

enum { LIVES = 40, POSTS = 30, BODY_BYTES = 6000 };

static const struct intake_log_config config = {.segments = {.folder = "data/intake",
                                                             .kind = "intake",
                                                             .directory = {5, 6},
                                                             .segment_bytes = 64 << 10},
                                                .waiting_bytes_max = 64 << 20};

/* Counted by the log's thread in the order of the log, as what is in force is. */
static struct {
    _Atomic int64_t clock_ms;
    _Atomic bool is_wanted;
    _Atomic uint64_t checkpoint; /* position of the last durable one, and one more; 0: none is */
    uint64_t records;            /* that were kept: the thread's */
} world;

static int64_t on_stamp(void *self)
{
    (void)self;
    return world.clock_ms;
}

static void on_kept(void *self, char *payload, size_t bytes)
{
    struct intake_cursor cursor;
    struct intake_record record;
    struct error err;

    (void)self;
    if (payload == NULL)
        return;
    assert_int_equal(intake_frame_begin(&cursor, payload, bytes, &err), 0);
    while (intake_frame_next(&cursor, &record, &err) == 1)
        world.records = record.position + 1;
    free(payload);
}

static void on_checkpoint(void *self, struct intake_post *post)
{
    (void)self;
    if (post->rc == 0)
        atomic_store(&world.checkpoint, post->first + 1);
    intake_post_destroy(post);
}

/* It says how many records there were before it. */
static struct intake_post *on_own(void *self)
{
    struct intake_post *post;
    char body[32];

    (void)self;
    if (!atomic_exchange(&world.is_wanted, false))
        return NULL;
    post = intake_post_create();
    snprintf(body, sizeof(body), "%" PRIu64, world.records);
    intake_post_add(post, &(struct intake_record){.kind = INTAKE_CHECKPOINT,
                                                  .what = {"checkpoint", 10},
                                                  .body = {body, (uint32_t)strlen(body)}});
    post->done = on_checkpoint;
    return post;
}

static const struct intake_hooks hooks = {.stamp_ms = on_stamp, .kept = on_kept, .own = on_own};

/* What the disk holds. */
static struct {
    uint64_t first, next, events, checkpoint; /* the last: as in the world */
    bool has_any;
} held;

static void on_record(void *self, const struct intake_record *record)
{
    (void)self;
    if (!held.has_any)
        held.first = record->position;
    else
        assert_int_equal(record->position, held.next);
    held.has_any = true;
    held.next = record->position + 1;
    held.events += record->kind == INTAKE_EVENTS;
    if (record->kind == INTAKE_CHECKPOINT) {
        char body[32] = "";
        assert_true(record->body.len < sizeof(body));
        memcpy(body, record->body.at, record->body.len);
        assert_int_equal(strtoull(body, NULL, 10), record->position); /* it counts all before it */
        held.checkpoint = record->position + 1;
    }
}

static void read_disk(void)
{
    enum segment_refusal why;
    struct error err = {""};

    memset(&held, 0, sizeof(held));
    if (intake_log_read(&config.segments, on_record, NULL, NULL, &why, &err) != 0)
        fail_msg("%s", err.text);
}

static struct intake_log *begin(void)
{
    struct intake_log *log = NULL;
    enum segment_refusal why;
    struct error err = {""};

    if (intake_log_open(&config, NULL, NULL, &log, &why, &err) != 0)
        fail_msg("%s", err.text);
    world.records = intake_log_next(log);
    if (intake_log_start(log, &hooks, &err) != 0)
        fail_msg("%s", err.text);
    return log;
}

/* One record of some KiB: ten make a segment. *next goes on where it was answered. */
static bool push(struct intake_log *log, uint64_t *next)
{
    static char body[BODY_BYTES];
    struct intake_post *post = intake_post_create();
    struct error err;
    bool is_kept;

    intake_post_add(post,
                    &(struct intake_record){.kind = INTAKE_EVENTS, .body = {body, sizeof(body)}});
    is_kept = intake_log_post_wait(log, post, &err) == 0;
    if (is_kept)
        *next = post->first + 1;
    intake_post_destroy(post);
    return is_kept;
}

static void start(uint64_t seed)
{
    sim_disk_begin(seed);
    world.clock_ms = 1000;
    world.is_wanted = false;
    world.checkpoint = 0;
    world.records = 0;
}

static void checkpoint_now(struct intake_log *log, uint64_t *next)
{
    uint64_t before = atomic_load(&world.checkpoint);

    atomic_store(&world.is_wanted, true);
    while (atomic_load(&world.checkpoint) == before) /* it goes before the next post */
        assert_true(push(log, next));
}

/* A post behind it: the thread lets go of segments before it takes the next. */
static void release(struct intake_log *log, uint64_t position, uint64_t *next)
{
    intake_log_release_before(log, intake_log_frame_of(log, position));
    assert_true(push(log, next));
    assert_true(push(log, next));
}

static void a_log_goes_on_where_it_begins_later(void **state)
{
    struct intake_log_counters counters;
    struct intake_log *log;
    uint64_t next = 0;

    (void)state;
    start(1);
    log = begin();
    for (int i = 0; i < 60; i++)
        assert_true(push(log, &next));
    checkpoint_now(log, &next);
    for (int i = 0; i < 60; i++)
        assert_true(push(log, &next));
    release(log, atomic_load(&world.checkpoint) - 1, &next);
    intake_log_counters(log, &counters);
    assert_true(counters.first > 40);
    assert_true(counters.first < atomic_load(&world.checkpoint));
    intake_log_destroy(log);
    read_disk();
    assert_int_equal(held.first, counters.first);
    assert_int_equal(held.next, next);
    assert_int_equal(held.checkpoint, atomic_load(&world.checkpoint));
    log = begin(); /* positions go on */
    assert_int_equal(intake_log_first(log), counters.first);
    assert_true(push(log, &next));
    assert_int_equal(next, held.next + 1);
    /* What was before is not known, and of what is there a frame at or before it. */
    assert_int_equal(intake_log_frame_of(log, counters.first - 1), 0);
    assert_true(intake_log_frame_of(log, counters.first) > 0);
    assert_true(intake_log_frame_of(log, next) >= intake_log_frame_of(log, next - 5));
    intake_log_destroy(log);
    sim_disk_end();
}

static void a_power_cut_leaves_all_behind_what_was_let_go_of(void **state)
{
    unsigned trimmed = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= LIVES; seed++) {
        uint64_t next = 0, needed = 0;
        start(seed);
        for (int life = 0; life < 4; life++) {
            struct intake_log *log = begin();
            bool is_going = true;
            sim.crash_at = sim.calls + 40 + sim_random() % 200;
            for (int i = 0; is_going && i < POSTS; i++) {
                uint64_t checkpoint = atomic_load(&world.checkpoint);
                world.clock_ms += 5;
                is_going = push(log, &next);
                if (sim_random() % 8 == 0)
                    atomic_store(&world.is_wanted, true);
                if (checkpoint > 0 && sim_random() % 4 == 0) {
                    uint64_t to = sim_random() % (next + 1);
                    to = to < checkpoint - 1 ? to : checkpoint - 1;
                    intake_log_release_before(log, intake_log_frame_of(log, to));
                    needed = to > needed ? to : needed;
                }
            }
            intake_log_destroy(log);
            sim_disk_cut();
            read_disk();
            assert_true(held.next >= next); /* all that was answered */
            assert_true(held.first <= needed);
            if (held.first > 0)
                assert_true(held.checkpoint > 0); /* it says what was in force before */
            trimmed += held.first > 0;
            next = held.next;
            atomic_store(&world.checkpoint, held.checkpoint);
        }
        sim_disk_end();
    }
    assert_true(trimmed > LIVES / 4);
}

/* Of small records few have a place of their own: that with which a segment begins has one. */
static void a_log_of_small_records_knows_with_which_it_begins(void **state)
{
    static char body[100];
    struct intake_log_counters counters;
    struct intake_log *log;
    uint64_t last = 0;
    struct error err;

    (void)state;
    start(1);
    log = begin();
    for (int i = 0; i < 1500; i++) {
        struct intake_post *post = intake_post_create();
        intake_post_add(
            post, &(struct intake_record){.kind = INTAKE_EVENTS, .body = {body, sizeof(body)}});
        assert_int_equal(intake_log_post_wait(log, post, &err), 0);
        last = post->first;
        intake_post_destroy(post);
    }
    for (uint64_t to = last / 2; to <= last; to += last / 2) {
        uint64_t next;
        release(log, to, &next);
        intake_log_counters(log, &counters);
        assert_in_range(counters.first, 1, to);
        assert_int_equal(intake_log_frame_of(log, counters.first - 1), 0);
        read_disk();
        assert_int_equal(held.first, counters.first);
    }
    intake_log_destroy(log);
    sim_disk_end();
}

/* Which segments may go, by age and by size. */
static void what_is_needed_or_young_stays(void **state)
{
    static const struct {
        uint64_t keep_ms, bytes_max, age_ms;
        bool is_needed, goes;
    } rows[] = {
        {1000, 0, 2000000, false, true}, {1000000, 0, 0, false, false},
        {0, 0, 2000000, false, false},   {0, 3 << 16, 0, false, true},
        {1000, 0, 2000000, true, false}, {0, 3 << 16, 0, true, false},
    };
    struct intake_log *log;
    uint64_t next = 0, last;

    (void)state;
    start(1);
    log = begin();
    for (int i = 0; i < 100; i++, world.clock_ms += 10)
        assert_true(push(log, &next));
    last = intake_log_frame_of(log, next);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct journal_keep keep = {(int64_t)rows[i].keep_ms, rows[i].bytes_max};
        uint64_t before = 77;
        struct error err;
        assert_int_equal(intake_keep_before(&config.segments, &keep, rows[i].is_needed ? 1 : last,
                                            world.clock_ms + (int64_t)rows[i].age_ms, &before,
                                            &err),
                         0);
        assert_int_equal(before > 0, rows[i].goes);
        assert_true(before <= last);
    }
    intake_log_destroy(log);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_goes_on_where_it_begins_later),
        cmocka_unit_test(a_power_cut_leaves_all_behind_what_was_let_go_of),
        cmocka_unit_test(a_log_of_small_records_knows_with_which_it_begins),
        cmocka_unit_test(what_is_needed_or_young_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Aim: what a post was told to be kept is on the disk after any power cut, in order, in one piece,
 * under stamps that never fall; what was refused is not half there; who comes while a sync is under
 * way shares the next. Method: the log's real thread on a disk in memory (tests/sim_disk.h); what
 * is on it is read back as the audit does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include "store/intake_log.h"
#include "tests/sim_disk.h"

enum { LIVES = 60, POSTS_MAX = 4000, WORD_BYTES = 32 };

static const struct intake_log_config config = {.segments = {.folder = "data/intake",
                                                             .kind = "intake",
                                                             .directory = {3, 4},
                                                             .segment_bytes = 64 << 10},
                                                .waiting_bytes_max = 1 << 20};

static struct {
    _Atomic int64_t clock_ms;
    uint64_t kept_bytes, nothing;
    _Atomic unsigned broken;
    _Atomic bool is_shut; /* the log's thread waits before it writes a frame */
} world;

static int64_t on_stamp(void *self)
{
    (void)self;
    while (atomic_load(&world.is_shut))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return world.clock_ms;
}

static void on_kept(void *self, char *payload, size_t bytes)
{
    (void)self;
    world.kept_bytes += bytes;
    world.nothing += payload == NULL;
    free(payload);
}

static void on_broken(void *self, const char *why)
{
    (void)self, (void)why;
    atomic_fetch_add(&world.broken, 1);
}

static const struct intake_hooks hooks = {
    .stamp_ms = on_stamp, .kept = on_kept, .broken = on_broken};

/* What the disk holds: the body of each record is a number. */
static struct {
    uint32_t number[POSTS_MAX * 4];
    size_t count;
    int64_t at_ms;
} held;

static void on_record(void *self, const struct intake_record *record)
{
    (void)self;
    assert_int_equal(record->position, held.count);
    assert_true(record->at_ms >= held.at_ms);
    assert_int_equal(record->body.len, sizeof(uint32_t));
    held.at_ms = record->at_ms;
    memcpy(&held.number[held.count++], record->body.at, sizeof(uint32_t));
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

    if (intake_log_open(&config, NULL, NULL, &log, &why, &err) != 0 ||
        intake_log_start(log, &hooks, &err) != 0)
        fail_msg("%s", err.text);
    return log;
}

static struct intake_post *post_of(uint32_t first, uint32_t count)
{
    struct intake_post *post = intake_post_create();

    assert_non_null(post);
    for (uint32_t i = first; i < first + count; i++)
        intake_post_add(post, &(struct intake_record){.kind = INTAKE_EVENTS,
                                                      .who = {"ops", 3},
                                                      .from = {"192.0.2.7:1", 11},
                                                      .what = {"events", 6},
                                                      .body = {(const char *)&i, sizeof(i)}});
    return post;
}

/* Thread: the log's; the test looks when the log has been stopped. */
static struct {
    uint32_t kept[POSTS_MAX]; /* first positions, by order of answers */
    size_t count, refused;
    int rc;
} answers;

static void on_done(void *self, struct intake_post *post)
{
    (void)self;
    if (post->rc == 0)
        answers.kept[answers.count++] = (uint32_t)post->first;
    else
        answers.refused++;
    answers.rc = post->rc != 0 ? post->rc : answers.rc;
    intake_post_destroy(post);
}

static int offer(struct intake_log *log, struct intake_post *post)
{
    struct error err = {""};
    int rc;

    post->done = on_done;
    rc = intake_log_post(log, post, &err);
    if (rc != 0) {
        assert_true(err.text[0] != '\0');
        intake_post_destroy(post);
    }
    return rc;
}

static void start(uint64_t seed)
{
    sim_disk_begin(seed);
    memset(&world, 0, sizeof(world));
    memset(&answers, 0, sizeof(answers));
    world.clock_ms = 1000;
}

static void C3_a_record_says_who_sent_what_from_where_and_when(void **state)
{
    struct intake_post *post = intake_post_create();
    struct intake_cursor cursor;
    struct intake_record record;
    struct error err = {""};
    char payload[256];
    const uint64_t front[2] = {41, 2};
    const struct intake_record act = {.kind = INTAKE_ACT,
                                      .who = {"ada", 3},
                                      .from = {"[::1]:9", 7},
                                      .what = {"reload", 6},
                                      .body = {"{}", 2}};
    const struct intake_record outcome = {.kind = INTAKE_OUTCOME,
                                          .of = 41,
                                          .who = {"", 0},
                                          .what = {"reload", 6},
                                          .body = {"{1}", 3}};

    (void)state;
    intake_post_add(post, &act);
    intake_post_add(post, &outcome);
    assert_int_equal(post->bytes.count % 8, 0);
    memcpy(payload, front, sizeof(front));
    memcpy(payload + sizeof(front), post->bytes.at, post->bytes.count);
    assert_int_equal(intake_frame_begin(&cursor, payload, sizeof(front) + post->bytes.count, &err),
                     0);
    assert_int_equal(intake_frame_next(&cursor, &record, &err), 1);
    assert_int_equal(record.position, 41);
    assert_int_equal(record.kind, INTAKE_ACT);
    assert_memory_equal(record.who.at, "ada", 3);
    assert_memory_equal(record.from.at, "[::1]:9", 7);
    assert_memory_equal(record.what.at, "reload", 6);
    assert_int_equal(record.body.len, 2);
    assert_int_equal(intake_frame_next(&cursor, &record, &err), 1);
    assert_int_equal(record.position, 42);
    assert_int_equal(record.of, 41);
    assert_int_equal(record.who.len, 0);
    assert_memory_equal(record.body.at, "{1}", 3);
    assert_int_equal(intake_frame_next(&cursor, &record, &err), 0);
    intake_post_destroy(post);
}

/* Each length, and each byte set to each of a few values: refused, or read inside of its bounds
 * (the sanitizers look). */
static void a_frame_of_any_bytes_is_safe(void **state)
{
    static const unsigned char values[] = {0, 1, 3, 0x7f, 0x80, 0xff};
    struct intake_post *post = post_of(7, 3);
    size_t bytes = 16 + post->bytes.count, refused = 0;
    char *whole = calloc(1, bytes);

    (void)state;
    whole[8] = 3;
    memcpy(whole + 16, post->bytes.at, post->bytes.count);
    for (size_t cut = 0; cut <= bytes; cut++)
        for (size_t i = 0; i < cut; i++)
            for (size_t v = 0; v < (cut == bytes ? sizeof(values) : 1); v++) {
                char *copy = malloc(cut); /* so that a byte behind it is found */
                struct intake_cursor cursor;
                struct intake_record record;
                struct error err = {""};
                int rc;
                memcpy(copy, whole, cut);
                copy[i] = (char)values[v];
                rc = intake_frame_begin(&cursor, copy, cut, &err);
                while (rc == 0 && (rc = intake_frame_next(&cursor, &record, &err)) == 1)
                    rc = record.kind < INTAKE_KIND_COUNT ? 0 : 2;
                assert_true(rc == 0 || rc == -EBADMSG);
                assert_true(rc == 0 || err.text[0] != '\0');
                refused += rc != 0;
                free(copy);
            }
    assert_true(refused > bytes);
    free(whole);
    intake_post_destroy(post);
}

/* Whole frames that do not follow each other are damage, and nothing is told from there on. */
static void C8_positions_follow_each_other(void **state)
{
    static const struct {
        uint64_t first[2];
        uint32_t count;
        const char *said;
    } cases[] = {
        {{0, 2}, 2, NULL},
        {{0, 3}, 2, "record 3 is not the next one"},
        {{1, 3}, 2, "record 1 is not the next one"},
        {{0, 2}, 3, "record 2 is cut off"},
        {{0, 2}, 1, "record 1 is not counted"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct intake_post *post = post_of(0, 2);
        const struct segment_end empty = {.next_frame = 1};
        struct segment_log *log;
        enum segment_refusal why;
        struct error err = {""};
        char payload[512];
        start(1);
        assert_int_equal(segment_log_open(&config.segments, &empty, &log, &err), 0);
        for (int f = 0; f < 2; f++) {
            const uint64_t front[2] = {cases[i].first[f], cases[i].count};
            memcpy(payload, front, sizeof(front));
            memcpy(payload + sizeof(front), post->bytes.at, post->bytes.count);
            assert_int_equal(
                segment_log_append(log, 1, payload, sizeof(front) + post->bytes.count, NULL, &err),
                0);
            assert_int_equal(segment_log_sync(log, &err), 0);
        }
        segment_log_destroy(log);
        memset(&held, 0, sizeof(held));
        int rc = intake_log_read(&config.segments, on_record, NULL, NULL, &why, &err);
        assert_int_equal(rc, cases[i].said == NULL ? 0 : -EBADMSG);
        if (rc != 0) {
            assert_int_equal(why, SEGMENT_REFUSED_DAMAGED);
            assert_non_null(strstr(err.text, ".seg: byte "));
            assert_non_null(strstr(err.text, cases[i].said));
        }
        intake_post_destroy(post);
        sim_disk_end();
    }
}

static void C3_what_was_answered_is_there_after_any_power_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LIVES; seed++) {
        uint32_t next = 0;
        size_t kept_before = 0;
        start(seed);
        for (int life = 0; life < 3; life++) {
            struct intake_log *log = begin();
            memset(&answers, 0, sizeof(answers));
            sim.crash_at = sim.calls + 1 + sim_random() % 40;
            for (int i = 0; i < 40; i++) {
                uint32_t count = 1 + (uint32_t)(sim_random() % 4);
                world.clock_ms += 5;
                if (offer(log, post_of(next, count)) == 0)
                    next += count;
            }
            intake_log_destroy(log);
            sim_disk_cut();
            read_disk();
            /* All that was answered, in its place; the post that was under way wholly or not. */
            assert_true(held.count >= kept_before);
            for (size_t i = 0; i < answers.count; i++)
                assert_true(answers.kept[i] < held.count);
            for (size_t i = kept_before + 1; i < held.count; i++)
                assert_int_equal(held.number[i], held.number[i - 1] + 1);
            kept_before = held.count;
        }
        sim_disk_end();
    }
}

static void F6_on_a_full_disk_a_post_is_refused_whole_and_later_ones_are_kept(void **state)
{
    struct intake_log_counters counters;
    struct intake_log *log;
    uint32_t next = 0;
    size_t kept;

    (void)state;
    start(1);
    log = begin();
    sim.bytes_max = 3 * (64 << 10); /* the log's segment, and not one more than its spares */
    while (answers.refused == 0 && next < POSTS_MAX * 4) {
        struct intake_post *post = post_of(next, 200);
        struct error err = {""};
        if (intake_log_post_wait(log, post, &err) == 0) {
            next += 200;
        } else {
            assert_int_equal(post->rc, -ENOSPC);
            answers.refused++;
        }
        intake_post_destroy(post);
    }
    assert_int_equal(answers.refused, 1);
    intake_log_counters(log, &counters);
    assert_true(counters.is_full);
    assert_false(counters.is_broken);
    assert_int_equal(world.nothing, 1);
    kept = next;
    sim.bytes_max = 0;
    assert_int_equal(offer(log, post_of(next, 4)), 0);
    intake_log_destroy(log);
    assert_int_equal(answers.count, 1);
    assert_int_equal(answers.kept[0], kept);
    read_disk();
    assert_int_equal(held.count, kept + 4);
    assert_int_equal(atomic_load(&world.broken), 0);
    sim_disk_end();
}

/* Whatever it failed with: a post that may be there is not said to be gone. */
static void fails_at_a_sync(int fault)
{
    struct intake_log *log;
    struct error err = {""};

    start(1);
    log = begin();
    assert_int_equal(offer(log, post_of(0, 1)), 0);
    intake_log_stop(log);
    intake_log_destroy(log);
    log = begin();
    for (struct intake_log_counters counters = {0}; counters.log.spares == 0;)
        intake_log_counters(log, &counters), sched_yield();
    sim.fault_errno = fault;
    sim.fault_at = sim.calls + 2; /* the write, then the sync */
    struct intake_post *post = post_of(1, 1);
    assert_int_equal(intake_log_post_wait(log, post, &err), -EIO);
    assert_int_equal(intake_log_post_wait(log, post, &err), -EIO);
    assert_non_null(strstr(err.text, "syncing failed"));
    intake_post_destroy(post);
    intake_log_destroy(log);
    assert_int_equal(atomic_load(&world.broken), 1);
    assert_int_equal(world.nothing, 1);
    sim_disk_end();
}

static void C9_after_a_failed_sync_nothing_is_kept_any_more(void **state)
{
    (void)state;
    fails_at_a_sync(-EIO);
    fails_at_a_sync(-ENOSPC);
}

static void C3_stamps_never_fall(void **state)
{
    struct intake_log *log;

    (void)state;
    start(1);
    for (int life = 0; life < 3; life++) {
        struct error err = {""};
        struct intake_post *post = post_of((uint32_t)life, 1);
        world.clock_ms = 5000 - 1000 * life; /* a clock that was set back */
        log = begin();
        assert_int_equal(intake_log_post_wait(log, post, &err), 0);
        assert_int_equal(post->at_ms, 5000);
        assert_int_equal(post->first, life);
        intake_post_destroy(post);
        intake_log_destroy(log);
    }
    read_disk();
    assert_int_equal(held.count, 3);
    sim_disk_end();
}

static void posts_that_wait_share_a_sync(void **state)
{
    struct intake_log_counters counters;
    struct intake_log *log;

    (void)state;
    start(1);
    log = begin();
    atomic_store(&world.is_shut, true);
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(offer(log, post_of(i, 1)), 0);
    atomic_store(&world.is_shut, false);
    intake_log_stop(log);
    intake_log_counters(log, &counters);
    assert_int_equal(counters.records, 500);
    assert_int_equal(answers.count, 500);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(answers.kept[i], i);
    assert_in_range(counters.syncs, 1, 3); /* what the thread had taken before, and the rest */
    assert_int_equal(counters.waiting_bytes, 0);
    intake_log_destroy(log);
    sim_disk_end();
}

static void what_waits_is_bounded_and_a_post_has_to_fit_a_segment(void **state)
{
    struct intake_log_config small = config;
    struct intake_log *log = NULL;
    enum segment_refusal why;
    struct error err = {""};
    struct intake_post *post = post_of(0, 2000);
    size_t refused = 0;

    (void)state;
    start(1);
    small.waiting_bytes_max = 300;
    assert_int_equal(intake_log_open(&small, NULL, NULL, &log, &why, &err), 0);
    assert_int_equal(intake_log_post(log, post, &err), -EMSGSIZE);
    intake_post_destroy(post);
    assert_int_equal(offer(log, post_of(0, 1)), -ESHUTDOWN);
    assert_int_equal(intake_log_start(log, &hooks, &err), 0);
    atomic_store(&world.is_shut, true);
    for (uint32_t i = 0; i < 2000; i++) {
        int rc = offer(log, post_of(i, 1));
        assert_true(rc == 0 || rc == -EAGAIN);
        refused += rc != 0;
    }
    atomic_store(&world.is_shut, false);
    intake_log_stop(log);
    assert_in_range(refused, 1980, 1999); /* some 100 bytes each */
    assert_int_equal(answers.count + refused, 2000);
    assert_int_equal(offer(log, post_of(0, 1)), -ESHUTDOWN);
    intake_log_destroy(log);
    sim_disk_end();
}

/* Bytes of what was in memory before do not go to the disk, nor to the unit's store. */
static void behind_a_record_are_zeros(void **state)
{
    enum { ROOM = 256, FRONT = 40 };
    struct intake_post *post = intake_post_create();

    (void)state;
    vector_reserve(&post->bytes, ROOM);
    memset(post->bytes.at, 0xff, ROOM);
    for (uint32_t body = 0; body < 9; body++) {
        const size_t from = post->bytes.count;
        uint32_t bytes;
        intake_post_add(post, &(struct intake_record){.kind = INTAKE_EVENTS,
                                                      .what = {"", 0},
                                                      .body = {"\1\1\1\1\1\1\1\1", body}});
        memcpy(&bytes, post->bytes.at + from, sizeof(bytes));
        assert_int_equal(bytes, post->bytes.count - from);
        assert_int_equal(bytes, (FRONT + body + 7) / 8 * 8);
        for (size_t at = FRONT; at < bytes; at++)
            assert_int_equal(post->bytes.at[from + at], at < FRONT + body ? 1 : 0);
        if (post->bytes.count > ROOM - 64)
            post->bytes.count = 0;
    }
    intake_post_destroy(post);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behind_a_record_are_zeros),
        cmocka_unit_test(C3_a_record_says_who_sent_what_from_where_and_when),
        cmocka_unit_test(a_frame_of_any_bytes_is_safe),
        cmocka_unit_test(C8_positions_follow_each_other),
        cmocka_unit_test(C3_what_was_answered_is_there_after_any_power_cut),
        cmocka_unit_test(F6_on_a_full_disk_a_post_is_refused_whole_and_later_ones_are_kept),
        cmocka_unit_test(C9_after_a_failed_sync_nothing_is_kept_any_more),
        cmocka_unit_test(C3_stamps_never_fall),
        cmocka_unit_test(posts_that_wait_share_a_sync),
        cmocka_unit_test(what_waits_is_bounded_and_a_post_has_to_fit_a_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

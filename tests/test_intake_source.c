/*
 * Aim: what was pushed comes to the engine once, in order, first from the disk and then from
 * memory; its partition is told behind others, and its end proves nothing while something is being
 * stamped. Method: a log on a disk in memory (tests/sim_disk.h), a source that the test drives, and
 * frames as the log makes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "ingest/intake_act.h"
#include "ingest/intake_source.h"
#include "store/intake_log.h"
#include "tests/sim_disk.h"

static const struct segment_config segments = {
    .folder = "data/intake", .kind = "intake", .directory = {3, 4}, .segment_bytes = 64 << 10};

static struct {
    struct source source;
    struct feed feed;
    bool is_there, is_told, is_closed;
} inner;

static size_t inner_changes(struct source *source, struct source_change *out, size_t max)
{
    (void)source;
    if (!inner.is_there || inner.is_told || max == 0)
        return 0;
    inner.is_told = true;
    out[0] = (struct source_change){SOURCE_JOIN, &inner.feed};
    return 1;
}

static bool inner_ready(struct source *source, struct error *why)
{
    (void)source;
    (void)why;
    return true;
}

static void inner_close(struct source *source)
{
    (void)source;
    inner.is_closed = true;
}

static int64_t on_stamp(void *self)
{
    (void)self;
    return 1000;
}

static struct source *live; /* what the log gives to */

static void on_kept(void *self, char *payload, size_t bytes)
{
    (void)self;
    if (live != NULL)
        intake_source_give(live, payload, bytes);
    else
        free(payload);
}

static void keep(struct intake_log *log, enum intake_kind kind, const char *body)
{
    struct intake_post *post = intake_post_create();
    struct error err = {""};

    intake_post_add(post, &(struct intake_record){.kind = kind,
                                                  .who = {"ops", 3},
                                                  .what = {"events", 6},
                                                  .body = {body, (uint32_t)strlen(body)}});
    assert_int_equal(intake_log_post_wait(log, post, &err), 0);
    intake_post_destroy(post);
}

/* In one frame. */
static void keep_two(struct intake_log *log, const char *one, const char *two)
{
    struct intake_post *post = intake_post_create();
    struct error err = {""};

    for (int i = 0; i < 2; i++)
        intake_post_add(post, &(struct intake_record){.kind = INTAKE_EVENTS,
                                                      .who = {"ops", 3},
                                                      .what = {"events", 6},
                                                      .body = {i == 0 ? one : two, 1}});
    assert_int_equal(intake_log_post_wait(log, post, &err), 0);
    intake_post_destroy(post);
}

static struct intake_log *open_log(void)
{
    static const struct intake_hooks hooks = {.stamp_ms = on_stamp, .kept = on_kept};
    const struct intake_log_config config = {.segments = segments, .waiting_bytes_max = 1 << 20};
    struct intake_log *log = NULL;
    enum segment_refusal why;
    struct error err = {""};

    if (intake_log_open(&config, NULL, NULL, &log, &why, &err) != 0 ||
        intake_log_start(log, &hooks, &err) != 0)
        fail_msg("%s", err.text);
    return log;
}

static struct source *open_from(uint64_t first, uint64_t next)
{
    static const struct source_ops ops = {.changes = inner_changes, .close = inner_close};
    const struct intake_source_config config = {.segments = segments, .next = next, .first = first};
    struct source *source = NULL;
    struct error err = {""};

    memset(&inner, 0, sizeof(inner));
    inner.source.ops = &ops;
    if (intake_source_create(&inner.source, &config, &source, &err) != 0)
        fail_msg("%s", err.text);
    return source;
}

static struct source *open_source(uint64_t next)
{
    return open_from(0, next);
}

static struct feed *join(struct source *source)
{
    struct source_change out[4];

    inner.is_there = true;
    assert_int_equal(source->ops->changes(source, out, 4), 2);
    assert_ptr_equal(out[0].feed, &inner.feed);
    assert_string_equal(out[1].feed->topic, INTAKE_TOPIC);
    assert_int_equal(out[1].feed->partition, -1);
    return out[1].feed;
}

/* Takes all there is, at most `max` at once; bodies and positions into `to`. */
static void take_all(struct feed *feed, size_t max, char *to, int64_t *next)
{
    const struct record *records;
    size_t count;

    to[0] = '\0';
    while ((count = feed->ops->take(feed, &records, max)) > 0) {
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(records[i].offset, (*next)++);
            assert_int_equal(records[i].log_time_ms, 1000);
            if (records[i].payload != NULL)
                strncat(to, records[i].payload, records[i].bytes);
            else
                strcat(to, "-");
        }
        feed->ops->release(feed);
    }
}

static void its_partition_is_told_behind_the_first_of_others(void **state)
{
    struct source *source;
    struct source_change out[4];

    (void)state;
    sim_disk_begin(1);
    source = open_source(0);
    assert_int_equal(source->ops->changes(source, out, 4), 0);
    join(source);
    assert_int_equal(source->ops->changes(source, out, 4), 0);
    source->ops->close(source);
    assert_true(inner.is_closed);
    /* Where the room is taken by the others it follows. */
    source = open_source(0);
    inner.is_there = true;
    assert_int_equal(source->ops->changes(source, out, 1), 1);
    assert_ptr_equal(out[0].feed, &inner.feed);
    assert_int_equal(source->ops->changes(source, out, 1), 1);
    assert_string_equal(out[0].feed->topic, INTAKE_TOPIC);
    source->ops->close(source);
    sim_disk_end();
}

static void X1_what_was_kept_before_comes_from_the_disk_and_then_what_is_kept_now(void **state)
{
    struct intake_log *log;
    struct source *source;
    struct feed *feed;
    char text[64];
    int64_t next = 0;
    uint64_t proof;

    (void)state;
    sim_disk_begin(1);
    live = NULL;
    log = open_log();
    keep(log, INTAKE_EVENTS, "a");
    keep(log, INTAKE_ACT, "x"); /* takes its place, and is no payload */
    keep(log, INTAKE_OUTCOME, "y");
    keep(log, INTAKE_EVENTS, "b");
    intake_log_destroy(log);

    log = open_log();
    assert_int_equal(intake_log_next(log), 4);
    source = open_source(intake_log_next(log));
    feed = join(source);
    live = source;
    keep(log, INTAKE_EVENTS, "c"); /* on the disk behind the others, and in memory: comes once */
    assert_false(feed->ops->end_proof(feed, &proof));
    take_all(feed, 3, text, &next);
    assert_string_equal(text, "a--bc");
    assert_true(feed->ops->end_proof(feed, &proof));
    assert_int_equal(intake_source_backlog(source), 0);
    keep(log, INTAKE_EVENTS, "d");
    assert_true(intake_source_backlog(source) > 0);
    assert_false(feed->ops->end_proof(feed, &proof));
    take_all(feed, 100, text, &next);
    assert_string_equal(text, "d");
    assert_int_equal(feed->ops->state(feed), FEED_LIVE);
    intake_log_destroy(log);
    live = NULL;
    source->ops->close(source);
    sim_disk_end();
}

/* A run that goes on from an image of it wants the rest alone. */
static void C7_records_before_the_first_wanted_one_are_passed_over(void **state)
{
    struct intake_log *log;
    struct source *source;
    struct feed *feed;
    char text[64];
    int64_t next = 2;

    (void)state;
    sim_disk_begin(1);
    live = NULL;
    log = open_log();
    keep(log, INTAKE_EVENTS, "a");
    keep(log, INTAKE_EVENTS, "b");
    keep(log, INTAKE_EVENTS, "c");
    keep(log, INTAKE_EVENTS, "d");
    source = open_from(2, intake_log_next(log));
    intake_log_destroy(log);
    feed = join(source);
    assert_int_equal(feed->start_offset, 2);
    take_all(feed, 10, text, &next);
    assert_string_equal(text, "cd");
    source->ops->close(source);
    sim_disk_end();
}

/* As a command reads it again: a stretch, in the middle of frames, and then nothing; told at once.
 */
static void a_finite_one_ends_where_it_is_told_to(void **state)
{
    static const struct source_ops ops = {
        .changes = inner_changes, .ready = inner_ready, .close = inner_close};
    const struct intake_source_config config = {
        .segments = segments, .first = 1, .next = 3, .is_finite = true};
    struct source_change out[4];
    struct intake_log *log;
    struct source *source;
    struct error err = {""};
    char text[64];
    int64_t next = 1;

    (void)state;
    sim_disk_begin(1);
    live = NULL;
    log = open_log();
    keep_two(log, "a", "b");
    keep_two(log, "c", "d");
    intake_log_destroy(log);
    memset(&inner, 0, sizeof(inner));
    inner.source.ops = &ops;
    if (intake_source_create(&inner.source, &config, &source, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(source->ops->changes(source, out, 4), 1); /* it waits for no other */
    struct feed *feed = out[0].feed;
    assert_int_equal(feed->ops->state(feed), FEED_LIVE);
    take_all(feed, 1, text, &next);
    assert_string_equal(text, "bc");
    assert_int_equal(feed->ops->state(feed), FEED_FINISHED);
    assert_true(source->ops->ready(source, &err));
    source->ops->close(source);
    sim_disk_end();
}

/* What somebody does to an incident comes with its record; what names none does not. */
static void an_act_says_what_it_does_and_to_which_key(void **state)
{
    static const char body[] = "{\"id\":\"00000000000000010000000000000002\",\"comment\":\"x\","
                               "\"rule\":\"r\",\"key\":[\"acme\",\"a\\u0000b\"]}";
    static const struct {
        const char *what, *body;
    } none[] = {{"reload", body},
                {"incident.close", "{\"id\":\"00000000000000010000000000000002\"}"},
                {"incident.close", "{\"id\":\"1\",\"rule\":\"r\",\"key\":[\"a\"]}"},
                {"incident.close", "no JSON"},
                {"incident.close", "[]"},
                {"incident.acknowledge",
                 "{\"id\":\"00000000000000010000000000000002\",\"rule\":\"r\",\"key\":[1]}"}};
    struct intake_record record = {.kind = INTAKE_ACT,
                                   .who = {"ada", 3},
                                   .what = {"incident.close", 14},
                                   .body = {body, sizeof(body) - 1}};

    (void)state;
    struct intake_act_read *read = intake_act_read(&record);
    assert_non_null(read);
    const struct act *act = intake_act_of(read);
    assert_true(act->closes && act->incident.hi == 1 && act->incident.lo == 2);
    assert_int_equal(act->key_count, 2);
    assert_int_equal(act->key[1].len, 3);
    assert_memory_equal(act->key[1].at, "a\0b", 3);
    assert_memory_equal(act->who.at, "ada", 3);
    intake_act_free(read);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        record.what = (struct text){none[i].what, (uint32_t)strlen(none[i].what)};
        record.body = (struct text){none[i].body, (uint32_t)strlen(none[i].body)};
        assert_null(intake_act_read(&record));
    }
}

/* What is stamped may lie before the proof, and would be late by a seal that went by it (T4a). */
static void T4_the_end_proves_nothing_while_something_is_stamped(void **state)
{
    struct source *source;
    struct feed *feed;
    uint64_t proof = 0;

    (void)state;
    sim_disk_begin(1);
    source = open_source(0);
    feed = join(source);
    assert_true(feed->ops->end_proof(feed, &proof));
    assert_true(proof > 0);
    intake_source_expect(source);
    assert_false(feed->ops->end_proof(feed, &proof));
    intake_source_give(source, NULL, 0);
    assert_true(feed->ops->end_proof(feed, &proof));
    source->ops->close(source);
    sim_disk_end();
}

static void what_the_disk_does_not_give_any_more_stops_the_partition(void **state)
{
    const struct record *records;
    struct intake_log *log;
    struct source *source;
    struct feed *feed;
    uint64_t proof;

    (void)state;
    sim_disk_begin(1);
    live = NULL;
    log = open_log();
    keep(log, INTAKE_EVENTS, "a");
    intake_log_destroy(log);
    source = open_source(2); /* one more than there is */
    feed = join(source);
    assert_int_equal(feed->ops->take(feed, &records, 10), 1);
    feed->ops->release(feed);
    assert_int_equal(feed->ops->take(feed, &records, 10), 0);
    assert_int_equal(feed->ops->state(feed), FEED_STOPPED);
    assert_false(feed->ops->end_proof(feed, &proof));
    source->ops->close(source);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_partition_is_told_behind_the_first_of_others),
        cmocka_unit_test(X1_what_was_kept_before_comes_from_the_disk_and_then_what_is_kept_now),
        cmocka_unit_test(C7_records_before_the_first_wanted_one_are_passed_over),
        cmocka_unit_test(a_finite_one_ends_where_it_is_told_to),
        cmocka_unit_test(an_act_says_what_it_does_and_to_which_key),
        cmocka_unit_test(T4_the_end_proves_nothing_while_something_is_stamped),
        cmocka_unit_test(what_the_disk_does_not_give_any_more_stops_the_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
        cmocka_unit_test(T4_the_end_proves_nothing_while_something_is_stamped),
        cmocka_unit_test(what_the_disk_does_not_give_any_more_stops_the_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

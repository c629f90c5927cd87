/*
 * Aim: a range gives out exactly the records between its bounds, says where each partition begins
 * and that it ends, voids what marks say of later records, and holds a record back until its log
 * time has passed. Method: small logs written as text, and a clock that the test turns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "ingest/range_source.h"
#include "ingest/tlog_source.h"

static char folder[] = "/tmp/tocsin_test_range_XXXXXX";
static const char path[] = "case.tlog";
static struct host fake;
static uint64_t now_ns = 1;
static int64_t now_wall_ms = 1000000;

static uint64_t fake_mono(void *self)
{
    (void)self;
    return now_ns;
}

static int64_t fake_wall(void *self)
{
    (void)self;
    return now_wall_ms;
}

static int enter_folder(void **state)
{
    (void)state;
    fake = *host();
    fake.mono_ns = fake_mono;
    fake.wall_ms = fake_wall;
    host_set(&fake);
    return mkdtemp(folder) != NULL ? chdir(folder) : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    host_set(NULL);
    return unlink(path) != 0 || chdir("/") != 0 ? -1 : rmdir(folder);
}

/* Partition 0: offsets 10 to 15 at 100, 200, 150, 300, 400, 500 ms; partition 1: offset 3 at 250.
 */
static const char log_text[] =
    "{\"topic\":\"t\",\"partition\":0,\"offset\":10,\"log_time\":100,\"payload\":\"a\"}\n"
    "{\"topic\":\"t\",\"partition\":0,\"offset\":11,\"log_time\":200,\"payload\":\"b\"}\n"
    "{\"topic\":\"t\",\"partition\":0,\"offset\":12,\"log_time\":150,\"payload\":\"c\"}\n"
    "{\"topic\":\"t\",\"partition\":0,\"offset\":13,\"log_time\":300,\"payload\":\"d\"}\n"
    "{\"topic\":\"t\",\"partition\":0,\"offset\":14,\"log_time\":400,\"payload\":\"e\"}\n"
    "{\"topic\":\"t\",\"partition\":0,\"offset\":15,\"log_time\":500,\"payload\":\"f\"}\n"
    "{\"topic\":\"t\",\"partition\":1,\"offset\":3,\"log_time\":250,\"payload\":\"g\"}\n"
    "{\"mark\":\"seal\",\"topic\":\"t\",\"partition\":0,\"offset\":11,\"value\":90}\n"
    "{\"mark\":\"seal\",\"topic\":\"t\",\"partition\":0,\"offset\":13,\"value\":290}\n"
    "{\"mark\":\"seal\",\"topic\":\"t\",\"partition\":0,\"offset\":14,\"value\":390}\n"
    "{\"mark\":\"seal\",\"topic\":\"t\",\"partition\":1,\"offset\":4,\"value\":390}\n";

struct range {
    struct source *source;
    struct feed *feed[4];
    size_t feed_count;
    const struct mark *marks;
    size_t mark_count;
};

static int range_open(struct range *range, const char *text, const struct range_config *config,
                      struct error *err)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct source_change changes[4];
    struct source *inner;
    int rc;

    assert_true(fd >= 0);
    assert_int_equal(host_write_all(fd, text, strlen(text)), 0);
    h->close(h->self, fd);
    assert_int_equal(tlog_source_open(path, &inner, &range->marks, &range->mark_count, err), 0);
    rc = range_source_open(inner, config, &range->source, err);
    if (rc != 0)
        return rc;
    range->feed_count = range->source->ops->changes(range->source, changes, 4);
    for (size_t i = 0; i < range->feed_count; i++)
        range->feed[i] = changes[i].feed;
    return 0;
}

static void range_close(struct range *range)
{
    range->source->ops->close(range->source);
}

/* Takes all that is there, `max` at a time; the payloads as one text. */
static const char *take_all(struct feed *feed, size_t max)
{
    static char text[64];
    size_t used = 0, count;
    const struct record *records;

    while ((count = feed->ops->take(feed, &records, max)) > 0) {
        for (size_t i = 0; i < count; i++)
            text[used++] = records[i].payload[0];
        feed->ops->release(feed);
    }
    text[used] = '\0';
    return text;
}

static void each_partition_begins_and_ends_at_its_first_record_of_the_time(void **state)
{
    (void)state;
    struct range_config config = {.from = {RANGE_TIME, 200}, .to = {RANGE_TIME, 400}};
    struct error err = {""};

    for (size_t max = 1; max < 8; max++) {
        struct range range;
        assert_int_equal(range_open(&range, log_text, &config, &err), 0);
        assert_int_equal(range.feed_count, 2);
        assert_int_equal(range.feed[0]->start_offset, 11);
        assert_int_equal(range.feed[1]->start_offset, 3);
        assert_int_equal(range.feed[0]->ops->state(range.feed[0]), FEED_LIVE);
        /* c is of an earlier time, but comes after b: order decides. */
        assert_string_equal(take_all(range.feed[0], max), "bcd");
        assert_string_equal(take_all(range.feed[1], max), "g");
        assert_int_equal(range.feed[0]->ops->state(range.feed[0]), FEED_FINISHED);
        assert_int_equal(range.feed[1]->ops->state(range.feed[1]), FEED_FINISHED);
        range_close(&range);
    }
}

static void offsets_are_the_same_in_every_partition(void **state)
{
    (void)state;
    struct range_config config = {.from = {RANGE_OFFSET, 4}, .to = {RANGE_OFFSET, 12}};
    struct error err = {""};
    struct range range;

    assert_int_equal(range_open(&range, log_text, &config, &err), 0);
    assert_int_equal(range.feed[0]->start_offset, 10);
    assert_int_equal(range.feed[0]->ops->lag(range.feed[0]), 2);
    assert_string_equal(take_all(range.feed[0], 8), "ab");
    assert_int_equal(range.feed[0]->ops->lag(range.feed[0]), 0);
    assert_string_equal(take_all(range.feed[1], 8), "");
    assert_int_equal(range.feed[1]->start_offset, 4); /* behind its only record */
    assert_int_equal(range.feed[1]->ops->state(range.feed[1]), FEED_FINISHED);
    range_close(&range);
}

static void a_stretch_begins_behind_a_hole(void **state)
{
    (void)state;
    struct range_config config = {.from = {RANGE_OFFSET, 2}};
    struct error err = {""};
    struct range range;

    assert_int_equal(
        range_open(&range,
                   "{\"topic\":\"t\",\"partition\":0,\"offset\":1,\"payload\":\"a\"}\n"
                   "{\"topic\":\"t\",\"partition\":0,\"offset\":5,\"payload\":\"b\"}\n",
                   &config, &err),
        0);
    assert_int_equal(range.feed[0]->start_offset, 5); /* 2 to 4 are not missing: they never were */
    assert_string_equal(take_all(range.feed[0], 8), "b");
    range_close(&range);
}

static void marks_of_records_beyond_the_end_are_void(void **state)
{
    (void)state;
    struct range_config config = {.to = {RANGE_TIME, 300}};
    struct mark marks[8];
    struct error err = {""};
    struct range range;

    assert_int_equal(range_open(&range, log_text, &config, &err), 0);
    assert_int_equal(range.mark_count, 4);
    memcpy(marks, range.marks, sizeof(marks[0]) * 4);
    range_source_own_marks(range.source, marks, 4);
    assert_string_equal(take_all(range.feed[0], 8), "abc"); /* ends before offset 13 */
    assert_string_equal(take_all(range.feed[1], 8), "g");   /* ends by itself */
    for (int i = 0; i < 4; i++) {
        bool is_beyond = marks[i].part == 0 && marks[i].offset == 14;
        assert_int_equal(marks[i].kind, is_beyond ? MARK_KIND_COUNT : MARK_SEAL);
    }
    range_close(&range);
}

/* A run that began within the range was watching all of it. */
static void the_mark_of_a_beginning_before_the_range_is_void(void **state)
{
    (void)state;
    static const struct {
        struct range_bound from;
        int64_t begin;
        bool is_void;
    } rows[] = {
        {{RANGE_ANY, 0}, -5, false},
        {{RANGE_TIME, 200}, 199, true},
        {{RANGE_TIME, 200}, 200, false},
        {{RANGE_OFFSET, 11}, 900, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct range_config config = {.from = rows[i].from};
        struct mark mark = {.kind = MARK_BEGIN, .value_ms = rows[i].begin};
        struct error err = {""};
        struct range range;
        assert_int_equal(range_open(&range, log_text, &config, &err), 0);
        range_source_own_marks(range.source, &mark, 1);
        assert_int_equal(mark.kind, rows[i].is_void ? MARK_KIND_COUNT : MARK_BEGIN);
        range_close(&range);
    }
}

static void a_record_is_held_back_until_its_log_time_has_passed(void **state)
{
    (void)state;
    struct range_config config = {.speed = 2 * RANGE_SPEED_ONE};
    struct error err = {""};
    struct range range;

    now_ns = 5000000;
    assert_int_equal(range_open(&range, log_text, &config, &err), 0);
    assert_string_equal(take_all(range.feed[0], 8), "a"); /* the earliest of all */
    assert_string_equal(take_all(range.feed[1], 8), "");
    now_ns += 49 * 1000000; /* 98 ms of log time: up to 198 */
    assert_string_equal(take_all(range.feed[0], 8), "");
    now_ns += 1000000; /* up to 200; c is overdue then */
    assert_string_equal(take_all(range.feed[0], 8), "bc");
    now_ns += 25 * 1000000; /* up to 250 */
    assert_string_equal(take_all(range.feed[1], 8), "g");
    assert_string_equal(take_all(range.feed[0], 8), "");
    assert_int_equal(range.feed[0]->ops->state(range.feed[0]), FEED_LIVE);
    now_ns += 1000 * 1000000;
    assert_string_equal(take_all(range.feed[0], 8), "def");
    assert_int_equal(range.feed[0]->ops->state(range.feed[0]), FEED_FINISHED);
    range_close(&range);
}

static void a_time_in_the_future_is_not_waited_for(void **state)
{
    (void)state;
    struct range_config config = {.speed = RANGE_SPEED_ONE};
    struct error err = {""};
    struct range range;

    assert_int_equal(
        range_open(
            &range,
            "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"log_time\":100,\"payload\":\"a\"}\n"
            "{\"topic\":\"t\",\"partition\":0,\"offset\":1,\"log_time\":1000001,\"payload\":\"b\"}"
            "\n"
            "{\"topic\":\"t\",\"partition\":0,\"offset\":2,\"log_time\":101,\"payload\":\"c\"}\n",
            &config, &err),
        0);
    assert_string_equal(take_all(range.feed[0], 8), "ab");
    range_close(&range);
}

static void a_pace_needs_log_times(void **state)
{
    (void)state;
    struct range_config config = {.speed = RANGE_SPEED_ONE};
    struct error err = {""};
    struct range range;

    assert_int_equal(
        range_open(&range, "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"payload\":\"a\"}\n",
                   &config, &err),
        -EINVAL);
    assert_string_equal(err.text, "t/0: a pace goes by log times, and the records have none");
}

/* Events at 1000, 3000, 2000 and 4000 ms; the line at offset 1 is none, that at 4 has no time. */
#define TIMELESS(offset, payload)                                                                  \
    "{\"topic\":\"t\",\"partition\":0,\"offset\":" offset                                          \
    ",\"log_time\":null,\"payload\":\"" payload "\"}\n"
#define EVENT(more)                                                                                \
    "{\\\"resource\\\":\\\"r\\\",\\\"check\\\":\\\"c\\\",\\\"severity\\\":\\\"critical\\\"" more "}"
#define AT(second) ",\\\"time\\\":\\\"1970-01-01T00:00:0" second "Z\\\""
static const char timeless_text[] =
    TIMELESS("0", EVENT(AT("1"))) TIMELESS("1", "none") TIMELESS("2", EVENT(AT("3")))
        TIMELESS("3", EVENT(AT("2"))) TIMELESS("4", EVENT("")) TIMELESS("5", EVENT(AT("4")));

/* The offsets that are given out, as digits. */
static const char *offsets_of(struct feed *feed)
{
    static char text[16];
    size_t used = 0, count;
    const struct record *records;

    while ((count = feed->ops->take(feed, &records, 2)) > 0) {
        for (size_t i = 0; i < count; i++) {
            assert_true(records[i].log_time_ms == LOG_TIME_NONE);
            text[used++] = (char)('0' + records[i].offset);
        }
        feed->ops->release(feed);
    }
    text[used] = '\0';
    return text;
}

/* Behind a log time a record without one is of that time, whatever its event says. */
static void behind_log_times_events_lend_none(void **state)
{
    (void)state;
    struct range_config config = {.to = {RANGE_TIME, 5000}, .lends_time = true};
    struct error err = {""};
    struct range range;
    const struct record *records;

    assert_int_equal(range_open(&range,
                                "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"log_time\":1000,"
                                "\"payload\":\"a\"}\n" TIMELESS("1", EVENT(AT("9")))
                                    TIMELESS("2", "a"),
                                &config, &err),
                     0);
    assert_int_equal(range.feed[0]->ops->take(range.feed[0], &records, 9), 3);
    range.feed[0]->ops->release(range.feed[0]);
    range_close(&range);
}

static void events_lend_their_time_to_records_without_log_time(void **state)
{
    (void)state;
    static const struct {
        struct range_bound from, to;
        const char *offsets;
    } cases[] = {
        {{RANGE_TIME, 1000}, {RANGE_TIME, 4000}, "01234"},
        /* 1 is of the time of 0, and 4 of that of 3; order decides behind the first. */
        {{RANGE_TIME, 1001}, {RANGE_ANY, 0}, "2345"},
        {{RANGE_TIME, 3001}, {RANGE_ANY, 0}, "5"},
        {{RANGE_TIME, 4001}, {RANGE_ANY, 0}, ""},
        {{RANGE_ANY, 0}, {RANGE_TIME, 3000}, "01"},
        {{RANGE_ANY, 0}, {RANGE_TIME, 1000}, ""},
        {{RANGE_OFFSET, 1}, {RANGE_TIME, 3001}, "1234"},
    };
    struct error err = {""};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct range_config config = {.from = cases[i].from, .to = cases[i].to, .lends_time = true};
        struct range range;
        assert_int_equal(range_open(&range, timeless_text, &config, &err), 0);
        assert_string_equal(offsets_of(range.feed[0]), cases[i].offsets);
        range_close(&range);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_partition_begins_and_ends_at_its_first_record_of_the_time),
        cmocka_unit_test(events_lend_their_time_to_records_without_log_time),
        cmocka_unit_test(behind_log_times_events_lend_none),
        cmocka_unit_test(offsets_are_the_same_in_every_partition),
        cmocka_unit_test(a_stretch_begins_behind_a_hole),
        cmocka_unit_test(marks_of_records_beyond_the_end_are_void),
        cmocka_unit_test(the_mark_of_a_beginning_before_the_range_is_void),
        cmocka_unit_test(a_record_is_held_back_until_its_log_time_has_passed),
        cmocka_unit_test(a_time_in_the_future_is_not_waited_for),
        cmocka_unit_test(a_pace_needs_log_times),
    };

    return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}

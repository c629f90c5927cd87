/*
 * Aim: every line of a file is one record with its number, whatever the sizes of reads
 * and takes; memory stays bounded; a failing disk never passes half a line for a whole.
 * Method: small files in a host table that reads from memory, a few bytes at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "ingest/file_source.h"

/* A file in memory. */
static const char *content;
static size_t content_bytes, content_at, read_max, fail_at;

static int fake_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)flags, (void)mode;
    return strcmp(path, "missing") == 0 ? -ENOENT : 1000;
}

static ssize_t fake_read(void *self, int fd, void *to, size_t bytes)
{
    (void)self, (void)fd;
    size_t left = content_bytes - content_at;
    size_t count = bytes < read_max ? bytes : read_max;
    if (content_at >= fail_at)
        return -EIO;
    count = count < left ? count : left;
    memcpy(to, content + content_at, count);
    content_at += count;
    return (ssize_t)count;
}

static int fake_close(void *self, int fd)
{
    (void)self, (void)fd;
    return 0;
}

static struct source *open_text(const char *text, size_t bytes, size_t at_once)
{
    static struct host fake;
    struct file_input input = {.path = "events.json"};
    struct source *source;
    struct error err = {""};

    host_set(NULL);
    fake = *host();
    fake.open = fake_open;
    fake.read = fake_read;
    fake.close = fake_close;
    host_set(&fake);
    content = text;
    content_bytes = bytes;
    content_at = 0;
    read_max = at_once;
    fail_at = SIZE_MAX;
    if (file_source_open(&input, 1, &source, &err) != 0)
        fail_msg("%s", err.text);
    return source;
}

static struct feed *only_feed(struct source *source)
{
    struct source_change changes[2];

    assert_int_equal(source->ops->changes(source, changes, 2), 1);
    assert_int_equal(changes[0].kind, SOURCE_JOIN);
    assert_int_equal(source->ops->changes(source, changes, 2), 0);
    return changes[0].feed;
}

/* Reads to the end, checks against `lines`, and returns how many records came. */
static size_t expect_lines(struct feed *feed, size_t take, const char *const *lines, size_t count)
{
    const struct record *records = NULL;
    size_t seen = 0;

    for (int idle = 0; feed->ops->state(feed) == FEED_LIVE && idle < 3;) {
        size_t got = feed->ops->take(feed, &records, take);
        assert_true(got <= take);
        idle = got == 0 ? idle + 1 : 0;
        for (size_t i = 0; i < got; i++, seen++) {
            assert_true(seen < count);
            assert_int_equal(records[i].offset, seen);
            assert_int_equal(records[i].log_time_ms, LOG_TIME_NONE);
            assert_non_null(records[i].payload);
            /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): a failed assertion ends it */
            assert_int_equal(records[i].bytes, strlen(lines[seen]));
            assert_memory_equal(records[i].payload, lines[seen], records[i].bytes);
        }
        feed->ops->release(feed);
    }
    return seen;
}

static void each_line_is_a_record_for_all_sizes_of_reads_and_takes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *lines[5];
        size_t count;
    } rows[] = {
        {"", {NULL}, 0},
        {"\n", {""}, 1},
        {"a", {"a"}, 1},
        {"a\n", {"a"}, 1},
        {"a\nbb", {"a", "bb"}, 2},
        {"a\n\nccc\n", {"a", "", "ccc"}, 3},
        {"\n\n\n", {"", "", ""}, 3},
        {"{\"x\":1}\r\n{}\n", {"{\"x\":1}\r", "{}"}, 2},
        {"one\ntwo\nthree\nfour\nfive", {"one", "two", "three", "four", "five"}, 5},
    };
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
        for (size_t at_once = 1; at_once < 30; at_once += 3)
            for (size_t take = 1; take < 7; take++) {
                struct source *source = open_text(rows[row].text, strlen(rows[row].text), at_once);
                struct feed *feed = only_feed(source);
                size_t seen = expect_lines(feed, take, rows[row].lines, rows[row].count);
                assert_int_equal(seen, rows[row].count);
                assert_int_equal(feed->ops->state(feed), FEED_FINISHED);
                assert_true(source->ops->ready(source, NULL));
                source->ops->close(source);
            }
    host_set(NULL);
}

/* Lines of RECORD_BYTES_MAX - 1, that, that + 1 and several MiB between small ones. */
static void a_line_beyond_the_limit_is_one_cut_record(void **state)
{
    (void)state;
    static const size_t sizes[] = {3, RECORD_BYTES_MAX - 1, 3, RECORD_BYTES_MAX,
                                   3, RECORD_BYTES_MAX + 1, 3, 5 * RECORD_BYTES_MAX + 7,
                                   3};
    enum { LINES = sizeof(sizes) / sizeof(sizes[0]) };
    size_t bytes = 0;
    for (size_t i = 0; i < LINES; i++)
        bytes += sizes[i] + 1;
    char *text = malloc(bytes), *at = text;
    for (size_t i = 0; i < LINES; i++, *at++ = '\n') {
        memset(at, 'a' + (int)i, sizes[i]);
        at += sizes[i];
    }
    for (int last_newline = 0; last_newline < 2; last_newline++)
        for (size_t at_once = 100001; at_once < 2000000; at_once *= 4) {
            struct source *source = open_text(text, bytes - 1 + (size_t)last_newline, at_once);
            struct feed *feed = only_feed(source);
            const struct record *records;
            size_t seen = 0;
            while (feed->ops->state(feed) == FEED_LIVE) {
                size_t got = feed->ops->take(feed, &records, 4);
                for (size_t i = 0; i < got; i++, seen++) {
                    size_t expected =
                        sizes[seen] > RECORD_BYTES_MAX ? RECORD_BYTES_MAX + 1 : sizes[seen];
                    assert_int_equal(records[i].offset, seen);
                    assert_int_equal(records[i].bytes, expected);
                    assert_int_equal(records[i].payload[0], 'a' + (int)seen);
                    assert_int_equal(records[i].payload[expected - 1], 'a' + (int)seen);
                }
                feed->ops->release(feed);
            }
            assert_int_equal(seen, LINES);
            source->ops->close(source);
        }
    host_set(NULL);
    free(text);
}

static void a_failed_read_stops_the_feed_and_says_where(void **state)
{
    (void)state;
    static const char *const lines[] = {"one", "two"};
    struct source *source = open_text("one\ntwo\nthree\n", 14, 10);
    struct feed *feed = only_feed(source);
    struct error why = {""};

    fail_at = 10; /* in the middle of the third line */
    assert_int_equal(expect_lines(feed, 8, lines, 2), 2);
    assert_int_equal(feed->ops->state(feed), FEED_STOPPED);
    assert_false(source->ops->ready(source, &why));
    assert_string_equal(why.text, "events.json: line 3: reading failed: Input/output error");
    source->ops->close(source);
    host_set(NULL);
}

static void missing_files_and_equal_names_are_refused(void **state)
{
    (void)state;
    struct file_input missing = {.path = "missing"};
    struct file_input same[] = {{.path = "a", .topic = "t"}, {.path = "b", .topic = "t"}};
    struct source *source;
    struct error err = {""};

    source = open_text("", 0, 1);
    source->ops->close(source);
    assert_int_equal(file_source_open(&missing, 1, &source, &err), -ENOENT);
    assert_string_equal(err.text, "missing: No such file or directory");
    assert_int_equal(file_source_open(same, 2, &source, &err), -EINVAL);
    assert_string_equal(err.text, "b: is the same input as a: t/0");
    host_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_a_record_for_all_sizes_of_reads_and_takes),
        cmocka_unit_test(a_line_beyond_the_limit_is_one_cut_record),
        cmocka_unit_test(a_failed_read_stops_the_feed_and_says_where),
        cmocka_unit_test(missing_files_and_equal_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

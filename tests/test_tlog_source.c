/*
 * Aim: a written-down log comes out as the feeds, records and marks that its lines say, and a
 * line that says nothing sensible is refused with its number. Method: files of a few lines in
 * a folder of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "ingest/tlog_source.h"

static char folder[] = "/tmp/tocsin_test_tlog_XXXXXX"; /* the working folder of all cases */
static const char path[] = "case.tlog";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? chdir(folder) : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return unlink(path) != 0 || chdir("/") != 0 ? -1 : rmdir(folder);
}

static void write_case(const char *text)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(host_write_all(fd, text, strlen(text)), 0);
    h->close(h->self, fd);
}

static void lines_become_feeds_sorted_by_topic_and_partition(void **state)
{
    (void)state;
    struct source *source;
    struct source_change change[4];
    const struct record *record;
    const struct mark *marks;
    size_t mark_count;
    struct error err;

    write_case(
        "{\"topic\":\"b\",\"partition\":0}\n"
        "{\"topic\":\"a\",\"partition\":10,\"offset\":7,\"log_time\":-5,\"payload\":\"x\\u0000y\"}"
        "\n"
        "\n"
        "{\"mark\":\"seal\",\"topic\":\"a\",\"partition\":10,\"offset\":8,\"value\":99}\n"
        "{\"mark\":\"cap\",\"topic\":\"a\",\"partition\":2,\"offset\":0,\"value\":3}\n"
        "{\"mark\":\"blind-end\",\"topic\":\"b\",\"partition\":0,\"offset\":1,\"value\":400}\n"
        "{\"topic\":\"a\",\"partition\":10,\"offset\":9,\"payload_hex\":\"ff00\"}\n"
        "{\"mark\":\"blind-begin\",\"topic\":\"b\",\"partition\":0,\"offset\":0,\"value\":200}\n"
        "{\"mark\":\"shed\",\"topic\":\"a\",\"partition\":10,\"offset\":9,\"value\":803}\n"
        "{\"topic\":\"a\",\"partition\":10,\"offset\":10,\"log_time\":null,\"payload\":null}");
    assert_int_equal(tlog_source_open(path, &source, &marks, &mark_count, &err), 0);
    assert_int_equal(source->ops->changes(source, change, 2), 2);
    assert_int_equal(source->ops->changes(source, change + 2, 2), 1);
    assert_int_equal(source->ops->changes(source, change + 3, 1), 0);
    assert_string_equal(change[0].feed->topic, "a");
    assert_int_equal(change[0].feed->partition, 2);
    assert_int_equal(change[1].feed->partition, 10);
    assert_string_equal(change[2].feed->topic, "b");

    assert_int_equal(mark_count, 5);
    assert_int_equal(marks[4].kind, MARK_SHED);
    assert_int_equal(marks[4].value_ms, 803);
    assert_int_equal(marks[0].kind, MARK_SEAL);
    assert_int_equal(marks[0].part, 1);
    assert_int_equal(marks[0].offset, 8);
    assert_int_equal(marks[0].value_ms, 99);
    assert_int_equal(marks[1].kind, MARK_CAP);
    assert_int_equal(marks[1].part, 0);
    assert_int_equal(marks[2].kind, MARK_BLIND_END); /* in the order of the file */
    assert_int_equal(marks[2].part, 2);
    assert_int_equal(marks[2].value_ms, 400);
    assert_int_equal(marks[3].kind, MARK_BLIND_BEGIN);

    struct feed *feed = change[1].feed;
    assert_int_equal(feed->start_offset, 7);
    assert_int_equal(feed->ops->lag(feed), 3);
    assert_int_equal(feed->ops->take(feed, &record, 2), 2);
    assert_int_equal(record[0].log_time_ms, -5);
    assert_int_equal(record[0].bytes, 3);
    assert_memory_equal(record[0].payload, "x\0y", 3);
    assert_int_equal(record[1].offset, 9);
    assert_int_equal(record[1].log_time_ms, LOG_TIME_NONE);
    assert_memory_equal(record[1].payload, "\xff\0", 2);
    feed->ops->release(feed);
    assert_int_equal(feed->ops->state(feed), FEED_LIVE);
    assert_int_equal(feed->ops->take(feed, &record, 2), 1);
    assert_null(record[0].payload);
    feed->ops->release(feed);
    assert_int_equal(feed->ops->state(feed), FEED_FINISHED);
    assert_int_equal(change[2].feed->ops->state(change[2].feed), FEED_FINISHED);
    source->ops->close(source);
}

static void a_line_that_makes_no_sense_is_refused_with_its_number(void **state)
{
    (void)state;
    static const struct {
        const char *line, *sentence;
    } bad[] = {
        {"{", "case.tlog:2: column 1: "},
        {"{\"partition\":0}", "case.tlog:2: each line names its topic"},
        {"{\"topic\":\"a\",\"partition\":-2}", "case.tlog:2: each line names its topic"},
        {"{\"topic\":\"a\",\"partition\":0,\"offset\":-1,\"payload\":\"\"}",
         "case.tlog:2: offset must"},
        {"{\"topic\":\"a\",\"partition\":0,\"offset\":5,\"payload\":\"\"}",
         "case.tlog:2: offset 5 does not come after 5"},
        {"{\"topic\":\"a\",\"partition\":0,\"offset\":6}", "case.tlog:2: a record has one of"},
        {"{\"topic\":\"a\",\"partition\":0,\"offset\":6,\"payload\":\"\",\"payload_hex\":\"\"}",
         "case.tlog:2: a record has one of"},
        {"{\"topic\":\"a\",\"partition\":0,\"offset\":6,\"payload_hex\":\"f\"}",
         "case.tlog:2: payload_hex is pairs"},
        {"{\"topic\":\"a\",\"partition\":0,\"offset\":6,\"payload_hex\":\"fg\"}",
         "case.tlog:2: payload_hex is pairs"},
        {"{\"topic\":\"a\",\"partition\":0,\"offset\":6,\"payload\":\"\",\"log_time\":\"x\"}",
         "case.tlog:2: log_time must"},
        {"{\"topic\":\"a\",\"partition\":0,\"mark\":\"switch\",\"offset\":6,\"value\":1}",
         "case.tlog:2: mark must"},
        {"{\"topic\":\"a\",\"partition\":0,\"mark\":\"seal\",\"offset\":6}",
         "case.tlog:2: a mark has"},
        {"{\"topic\":\"a\",\"partition\":0,\"mark\":\"cap\",\"offset\":6,"
         "\"value\":9007199254740993}",
         "case.tlog:2: the value 9007199254740993 of this mark is no time"},
        {"{\"topic\":\"a\",\"partition\":0,\"mark\":\"shed\",\"offset\":6,\"value\":807}",
         "case.tlog:2: the value 807 of this mark is none of shedding: eight times how many ms"},
    };
    struct source *source;
    const struct mark *marks;
    size_t mark_count;
    struct error err;
    char text[512];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        strcpy(text, "{\"topic\":\"a\",\"partition\":0,\"offset\":5,\"payload\":\"\"}\n");
        write_case(strcat(text, bad[i].line));
        err.text[0] = '\0';
        assert_int_not_equal(tlog_source_open(path, &source, &marks, &mark_count, &err), 0);
        assert_memory_equal(err.text, bad[i].sentence, strlen(bad[i].sentence));
    }
    assert_int_not_equal(tlog_source_open("absent.tlog", &source, &marks, &mark_count, &err), 0);
    assert_memory_equal(err.text, "absent.tlog: No such file", 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_feeds_sorted_by_topic_and_partition),
        cmocka_unit_test(a_line_that_makes_no_sense_is_refused_with_its_number),
    };
    return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}

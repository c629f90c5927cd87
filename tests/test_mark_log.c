/*
 * Aim: marks that a run wrote are read as they were meant, seals that changed nothing are not
 * written, and a file that is no list of marks is refused with its line. Method: files in a folder
 * of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "daemon/mark_log.h"

static char folder[] = "/tmp/tocsin_test_marks_XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/marks", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static const struct mark_part parts[] = {{"a", 0, 7}, {"b", 1, 3}};

static struct mark_list read_marks(void)
{
    struct mark_list list;
    struct error err = {{0}};
    if (mark_log_read(path, parts, 2, &list, &err) != 0)
        fail_msg("%s", err.text);
    return list;
}

static void add(struct mark_log *log, enum mark_kind kind, uint16_t part, int64_t offset,
                int64_t value)
{
    struct mark mark = {kind, part, offset, value};
    mark_log_add(log, &mark, kind == MARK_SWITCH ? NULL : part == 0 ? "b" : "a", part == 0 ? 1 : 0);
}

static void is_mark(const struct mark *mark, enum mark_kind kind, uint16_t part, int64_t offset,
                    int64_t value)
{
    assert_int_equal(mark->kind, kind);
    assert_int_equal(mark->part, part);
    assert_int_equal(mark->offset, offset);
    assert_int_equal(mark->value_ms, value);
}

/* The run counted b/1 first, the replay counts a/0 first. */
static void the_last_seal_before_a_record_is_kept_under_the_readers_numbers(void **state)
{
    (void)state;
    struct error err = {{0}};
    struct mark_log *log = mark_log_create(path, MARK_LOG_BYTES_MAX, &err);
    struct mark_list list;

    assert_non_null(log);
    add(log, MARK_SEAL, 0, 5, 100);
    add(log, MARK_SEAL, 1, 9, 100);
    add(log, MARK_SEAL, 0, 5, 110); /* replaces the first: no record came between */
    add(log, MARK_CAP, 0, 5, 500);  /* of record 5: after its seal */
    add(log, MARK_SEAL, 0, 6, 120);
    assert_int_equal(mark_log_close(log), 0);
    list = read_marks();
    assert_int_equal(list.count, 4);
    is_mark(&list.marks[0], MARK_SEAL, 1, 5, 110);
    is_mark(&list.marks[1], MARK_CAP, 1, 5, 500);
    is_mark(&list.marks[2], MARK_SEAL, 1, 6, 120); /* held back until the close, by part */
    is_mark(&list.marks[3], MARK_SEAL, 0, 9, 100);
    free(list.marks);
}

/* a/0 begins at 7 in the input, b/1 at 3. Only where the run began to read a partition counts. */
static void what_the_run_had_not_read_is_told(void **state)
{
    (void)state;
    static const struct {
        int64_t b, a;
        size_t late, part;
        int64_t offset;
    } cases[] = {
        {3, 7, 0, 0, 0}, {2, 6, 0, 0, 0}, {4, 7, 1, 1, 4}, {3, 8, 1, 0, 8}, {4, 9, 2, 1, 4}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {{0}};
        struct mark_log *log = mark_log_create(path, MARK_LOG_BYTES_MAX, &err);
        assert_non_null(log);
        add(log, MARK_JOIN, 0, cases[i].b, INT64_MIN);
        add(log, MARK_JOIN, 1, cases[i].a, 700);
        add(log, MARK_LEAVE, 0, 20, 0);
        add(log, MARK_JOIN, 0, 20, 900); /* it came back: nothing is told of it twice */
        assert_int_equal(mark_log_close(log), 0);
        struct mark_list list = read_marks();
        assert_int_equal(list.late, cases[i].late);
        assert_int_equal(list.late_part, cases[i].part);
        assert_int_equal(list.late_offset, cases[i].offset);
        free(list.marks);
    }
}

static void blind_spells_are_kept_in_the_order_of_their_making(void **state)
{
    (void)state;
    struct error err = {{0}};
    struct mark_log *log = mark_log_create(path, MARK_LOG_BYTES_MAX, &err);
    struct mark_list list;

    assert_non_null(log);
    add(log, MARK_SEAL, 1, 5, 100);
    add(log, MARK_BLIND_BEGIN, 1, 4, 200);
    add(log, MARK_BLIND_BEGIN, 0, 9, 200);
    add(log, MARK_SEAL, 1, 5, 300);
    add(log, MARK_BLIND_END, 1, 5, 400);
    assert_int_equal(mark_log_close(log), 0);
    list = read_marks();
    assert_int_equal(list.count, 5);
    is_mark(&list.marks[0], MARK_SEAL, 0, 5, 100);
    is_mark(&list.marks[1], MARK_BLIND_BEGIN, 0, 4, 200);
    is_mark(&list.marks[2], MARK_BLIND_BEGIN, 1, 9, 200);
    is_mark(&list.marks[3], MARK_SEAL, 0, 5, 300);
    is_mark(&list.marks[4], MARK_BLIND_END, 0, 5, 400);
    free(list.marks);
}

static void a_late_join_is_a_seal_and_what_cannot_be_applied_is_counted(void **state)
{
    (void)state;
    struct error err = {{0}};
    struct mark_log *log = mark_log_create(path, MARK_LOG_BYTES_MAX, &err);
    struct mark other = {MARK_SEAL, 2, 1, 1};
    struct mark_list list;

    assert_non_null(log);
    add(log, MARK_JOIN, 0, 3, INT64_MIN); /* at the start: nothing was closed */
    add(log, MARK_JOIN, 1, 4, 700);
    add(log, MARK_LEAVE, 1, 8, 0);
    add(log, MARK_SWITCH, 0, 0, 1000);
    mark_log_add(log, &other, "c", 0);
    /* The intake is no part of a recording: to which nothing was pushed is not missing there. */
    mark_log_add(log, &(struct mark){MARK_SEAL, 3, 0, 1}, "@intake", -1);
    assert_int_equal(mark_log_close(log), 0);
    list = read_marks();
    assert_int_equal(list.count, 1);
    is_mark(&list.marks[0], MARK_SEAL, 0, 4, 700);
    assert_int_equal(list.leaves, 1);
    assert_int_equal(list.switches, 1);
    assert_int_equal(list.foreign, 1);
    free(list.marks);
    log = mark_log_create(path, MARK_LOG_BYTES_MAX, &err);
    mark_log_add(log, &(struct mark){MARK_SEAL, 3, 1, 1}, "@intake", -1);
    assert_int_equal(mark_log_close(log), 0);
    list = read_marks();
    assert_int_equal(list.foreign, 1);
    free(list.marks);
}

static void write_file(const char *text)
{
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    fputs(text, to);
    fclose(to);
}

static void what_is_no_mark_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char good[] =
        "{\"mark\":\"seal\",\"topic\":\"a\",\"partition\":0,\"offset\":1,\"value\":2}\n";
    static const struct {
        const char *line, *wanted;
    } rows[] = {
        {"{\"mark\":\n", ":2: column"},
        {"{\"mark\":\"whale\",\"topic\":\"a\",\"partition\":0,\"offset\":1,\"value\":2}\n",
         ":2: there is no such mark"},
        {"{\"mark\":\"seal\",\"topic\":\"a\",\"partition\":\"0\",\"offset\":1,\"value\":2}\n",
         ":2: a mark has a topic"},
        {"[]\n", ":2: there is no such mark"},
        {"{\"mark\":\"seal\",\"topic\":\"a\",\"partition\":0,\"offset\":1,"
         "\"value\":9007199254740993}\n",
         ":2: the value 9007199254740993 of this mark is no time"},
        {"{\"mark\":\"begin\",\"topic\":\"\",\"partition\":-1,\"offset\":0,"
         "\"value\":-9223372036854775808}\n",
         ":2: the value -9223372036854775808 of this mark is no time"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct mark_list list;
        struct error err = {{0}};
        snprintf(text, sizeof(text), "%s%s", good, rows[i].line);
        write_file(text);
        assert_true(mark_log_read(path, parts, 2, &list, &err) < 0);
        if (strstr(err.text, rows[i].wanted) == NULL)
            fail_msg("%s instead of %s", err.text, rows[i].wanted);
    }
}

static void a_line_that_a_crash_cut_off_is_left_out(void **state)
{
    (void)state;
    write_file("{\"mark\":\"seal\",\"topic\":\"a\",\"partition\":0,\"offset\":1,\"value\":2}\n"
               "{\"mark\":\"seal\",\"top");
    struct mark_list list = read_marks();
    assert_int_equal(list.count, 1);
    free(list.marks);
}

/* One that was known before there was any time has none. */
static void F2_records_that_kill_are_known_to_a_replay(void **state)
{
    (void)state;
    struct error err = {{0}};
    struct mark_log *log = mark_log_create(path, MARK_LOG_BYTES_MAX, &err);
    struct mark_list list;

    add(log, MARK_CRASH, 1, 7, INT64_MIN);
    add(log, MARK_CRASH, 1, 3, 800);
    assert_int_equal(mark_log_close(log), 0);
    list = read_marks();
    assert_int_equal(list.count, 2);
    is_mark(&list.marks[0], MARK_CRASH, 0, 7, INT64_MIN);
    is_mark(&list.marks[1], MARK_CRASH, 0, 3, 800);
    free(list.marks);
}

/* L7: each counts, also those of one offset; one that says no severity is refused. */
static void L7_what_was_shed_is_known_to_a_replay(void **state)
{
    (void)state;
    struct error err = {{0}};
    struct mark_log *log = mark_log_create(path, MARK_LOG_BYTES_MAX, &err);
    struct mark_list list;

    add(log, MARK_SHED, 1, 7, mark_shed_value(90000, SEVERITY_MINOR));
    add(log, MARK_SHED, 1, 7, mark_shed_value(0, SEVERITY_OK));
    assert_int_equal(mark_log_close(log), 0);
    list = read_marks();
    assert_int_equal(list.count, 2);
    is_mark(&list.marks[0], MARK_SHED, 0, 7, 90000 * 8 + SEVERITY_MINOR);
    is_mark(&list.marks[1], MARK_SHED, 0, 7, 0);
    free(list.marks);
    write_file("{\"mark\":\"shed\",\"topic\":\"a\",\"partition\":0,\"offset\":1,\"value\":7}\n");
    assert_true(mark_log_read(path, parts, 2, &list, &err) < 0);
    assert_non_null(strstr(err.text, "the value 7 of this mark is none of shedding: eight times"));
}

static void beyond_the_bound_marks_are_counted_and_not_written(void **state)
{
    (void)state;
    struct error err = {{0}};
    const char line[] =
        "{\"mark\":\"cap\",\"topic\":\"b\",\"partition\":1,\"offset\":1,\"value\":2}\n";
    /* Room for two lines and a half. */
    struct mark_log *log = mark_log_create(path, 5 * strlen(line) / 2, &err);
    struct mark_counters counters;
    struct mark_list list;

    for (int i = 1; i <= 5; i++)
        add(log, MARK_CAP, 0, i, 2);
    mark_log_counters(log, &counters);
    assert_int_equal(counters.written, 2);
    assert_int_equal(counters.dropped, 3);
    assert_false(counters.failed);
    assert_int_equal(mark_log_close(log), 0);
    list = read_marks();
    assert_int_equal(list.count, 2);
    free(list.marks);
    mark_log_counters(NULL, &counters);
    assert_int_equal(counters.written, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_seal_before_a_record_is_kept_under_the_readers_numbers),
        cmocka_unit_test(blind_spells_are_kept_in_the_order_of_their_making),
        cmocka_unit_test(a_late_join_is_a_seal_and_what_cannot_be_applied_is_counted),
        cmocka_unit_test(what_the_run_had_not_read_is_told),
        cmocka_unit_test(what_is_no_mark_is_refused_with_its_line),
        cmocka_unit_test(a_line_that_a_crash_cut_off_is_left_out),
        cmocka_unit_test(F2_records_that_kill_are_known_to_a_replay),
        cmocka_unit_test(L7_what_was_shed_is_known_to_a_replay),
        cmocka_unit_test(beyond_the_bound_marks_are_counted_and_not_written),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

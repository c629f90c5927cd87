/*
 * Aim: whatever lies where the file of the history should be, and whatever the journal has given
 * up, nothing is lost that the journal holds and nothing is told that is not so; what it is bounded
 * by goes and nothing else. Method: as tests/test_history.c, with files that were spoilt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/history_support.h"

/* ---- what may lie in its place ---- */

static void overwrite(const char *path, int64_t at, const char *bytes, size_t count)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, count, at), (ssize_t)count);
    close(fd);
}

static void run_sql(const char *path, const char *text)
{
    struct sql *sql;
    struct error err = {""};

    if (sql_open(path, SQL_WRITE, &sql, &err) != 0 || sql_run(sql, text, &err) != 0)
        fail_msg("%s", err.text);
    sql_close(sql);
}

static void spoil_text(void)
{
    overwrite(HISTORY_PATH, 0, "this is a shopping list\n", 24);
}

static void spoil_cut(void)
{
    assert_int_equal(truncate(HISTORY_PATH, 5000), 0);
}

static void spoil_page(void)
{
    char zeros[4096] = {0};

    overwrite(HISTORY_PATH, 4096, zeros, sizeof(zeros));
    overwrite(HISTORY_PATH, 2 * 4096, zeros, sizeof(zeros));
}

static void spoil_stranger(void)
{
    run_sql(HISTORY_PATH, "PRAGMA application_id = 99");
}

static void spoil_newer(void)
{
    run_sql(HISTORY_PATH, "PRAGMA user_version = 3");
}

static void spoil_directory(void)
{
    run_sql(HISTORY_PATH, "UPDATE place SET directory = x'00000000000000000000000000000009'");
}

static void spoil_place(void)
{
    run_sql(HISTORY_PATH, "DELETE FROM place");
}

static void spoil_trigger(void)
{
    run_sql(HISTORY_PATH, "CREATE TRIGGER t AFTER INSERT ON incident BEGIN "
                          "DELETE FROM notification; END");
}

static void spoil_ahead(void)
{
    run_sql(HISTORY_PATH, "UPDATE place SET frame = 4000");
}

static void spoil_other_journal(void)
{
    run_sql(HISTORY_PATH, "UPDATE place SET crc = crc + 1");
}

static void what_cannot_be_gone_on_with_is_kept_aside_and_made_anew(void **unused)
{
    static const struct {
        void (*spoil)(void);
        const char *sentence;
    } rows[] = {
        {spoil_text, "file is not a database"},
        {spoil_cut, ""},
        {spoil_page, ""},
        {spoil_stranger, "this is not the history of a tocsin"},
        {spoil_newer,
         "version 3 was written by another tocsin, and this one reads up to version 2"},
        {spoil_directory, "it is the history of another data directory"},
        {spoil_place, "it does not say whose history it is"},
        {spoil_trigger, "its tables are not those of a tocsin's history"},
        {spoil_ahead, "frame 4000 of the journal, which was the last one in it, is not there"},
        {spoil_other_journal, "of the journal, which was the last one in it, is not there or is"},
    };
    struct history_writer *writer;
    char *good, *again;

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_begin();
        for (uint64_t n = 1; n <= 40; n++)
            whole_incident(n, 1000 * (int64_t)n);
        write_all(no_limits);
        good = rows_of_file(HISTORY_PATH);
        rows[i].spoil();
        writer = writer_of(history_frame, no_limits);
        WAIT_FOR(counters_of(writer).aside == 1);
        WAIT_FOR(counters_of(writer).frame == history_frame);
        history_writer_destroy(writer, 0);
        again = rows_of_file(HISTORY_PATH);
        assert_string_equal(again, good);
        if (strstr(said[HISTORY_NEWS_ASIDE], rows[i].sentence) == NULL)
            fail_msg("%s", said[HISTORY_NEWS_ASIDE]);
        assert_non_null(strstr(said[HISTORY_NEWS_ASIDE], "it is kept as history.db.aside.1"));
        assert_int_equal(access("history.db.aside.1", F_OK), 0);
        free(good);
        free(again);
        world_end();
    }
}

/* Lists all and tells one, as far as that goes. */
static void look_at_it(void)
{
    const struct history_filter all = {INT64_MIN, INT64_MIN, NULL, NULL, NULL, false, 100};
    struct history_reader *reader;
    enum history_refusal why;
    struct error err = {""};
    char *text = NULL;
    size_t bytes;
    bool more;
    FILE *to = open_memstream(&text, &bytes);
    const struct history_story story = {to, put_incident, put_change, put_told, put_member};

    if (history_reader_open(HISTORY_PATH, history_journal.directory, &reader, &why, &err) == 0) {
        history_reader_deadline(reader, host_mono_ns() + 1000000000u);
        history_list(reader, &all, put_incident, to, &more, &err);
        history_tell(reader, "abc0000000000004", 100, &story, &more, &err);
        history_reader_close(reader);
    }
    fclose(to);
    free(text);
}

static void bytes_that_are_others_anywhere_harm_nobody(void **unused)
{
    enum { READS = 300, WRITES = 5, FLIPS = 20 };
    uint64_t random = 11;
    char *whole = malloc(1 << 20), *spoilt = malloc(1 << 20);
    ssize_t bytes;
    int fd;

    (void)unused;
    world_begin();
    for (uint64_t i = 1; i <= 20; i++)
        whole_incident(i, 1000 * (int64_t)i);
    write_all(no_limits);
    fd = open(HISTORY_PATH, O_RDONLY);
    bytes = read(fd, whole, 1 << 20);
    close(fd);
    assert_true(bytes > 8 * 4096);
    for (int round = 0; round < READS + WRITES; round++) {
        memcpy(spoilt, whole, (size_t)bytes);
        for (int i = 0; i < FLIPS; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            /* Heads of pages are where it hurts. */
            size_t at = (random >> 20) % (size_t)bytes;
            at = i % 2 == 0 ? at : at / 4096 * 4096 + at % 64;
            spoilt[at] = (char)(random >> 56);
        }
        overwrite(HISTORY_PATH, 0, spoilt, (size_t)bytes);
        if (round < READS) {
            look_at_it();
            continue;
        }
        /* It is gone on with, moved aside, or waited for. */
        whole_incident(20 + (uint64_t)round, 1000000 * (int64_t)round);
        struct history_writer *writer = writer_of(history_frame, no_limits);
        WAIT_FOR(counters_of(writer).frame >= history_frame || counters_of(writer).is_paused);
        history_writer_destroy(writer, 0);
        host()->list(host()->self, (char[]){"."}, forget_file, (char[]){"."});
    }
    free(whole);
    free(spoilt);
    world_end();
}

static void a_file_that_cannot_be_moved_aside_any_more_stays_where_it_is(void **unused)
{
    struct history_writer *writer;
    char name[64];

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    for (int i = 1; i <= HISTORY_ASIDE_MAX; i++) {
        snprintf(name, sizeof(name), "history.db.aside.%d", i);
        overwrite(name, 0, "x", 1);
    }
    spoil_text();
    writer = writer_of(history_frame, no_limits);
    WAIT_FOR(counters_of(writer).is_paused);
    WAIT_FOR(atomic_load(&news_count[HISTORY_NEWS_PAUSED]) == 1);
    assert_non_null(strstr(said[HISTORY_NEWS_PAUSED], "9 such files are kept beside it already"));
    history_writer_destroy(writer, 0);
    assert_int_equal(access("history.db", F_OK), 0);
    world_end();
}

static void a_log_that_a_file_of_the_same_name_left_is_not_taken_for_its_own(void **unused)
{
    (void)unused;
    struct history_writer *writer;
    char *log;
    ssize_t bytes;
    int fd;

    world_begin();
    for (uint64_t i = 1; i <= 40; i++)
        whole_incident(i, 1000 * (int64_t)i);
    writer = writer_of(history_frame, no_limits);
    WAIT_FOR(counters_of(writer).frame == history_frame);
    fd = open("history.db-wal", O_RDONLY);
    log = malloc(1 << 20);
    bytes = read(fd, log, 1 << 20);
    close(fd);
    assert_true(bytes > 4096); /* 40 incidents, in whole pages */
    history_writer_destroy(writer, 0);
    world_end();
    world_begin();
    whole_incident(50, 1000);
    overwrite("history.db-wal", 0, log, (size_t)bytes);
    free(log);
    write_all(no_limits);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 1);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM change"), 2);
    world_end();
}

static void who_reads_refuses_what_is_not_the_history_and_leaves_it(void **unused)
{
    struct history_reader *reader;
    enum history_refusal why;
    struct error err = {""};

    (void)unused;
    world_begin();
    assert_int_equal(
        history_reader_open(HISTORY_PATH, history_journal.directory, &reader, &why, &err), -ENOENT);
    assert_int_equal(why, HISTORY_MISSING);
    assert_int_equal(access("history.db", F_OK), -1);
    spoil_text();
    assert_int_not_equal(
        history_reader_open(HISTORY_PATH, history_journal.directory, &reader, &why, &err), 0);
    assert_int_equal(why, HISTORY_DAMAGED);
    world_end();
}

/* ---- retention ---- */

static void what_ended_longer_ago_than_it_is_kept_goes_and_what_is_open_stays(void **unused)
{
    const struct history_limits days = {.keep_ms = 2 * WORLD_DAY_MS};
    struct history_writer *writer;

    (void)unused;
    world_begin();
    group(0, 20);
    change(9, 1, INCIDENT_OPENED, 10); /* open ever since */
    op(9, 1, OP_OPEN, "pager");
    commit();
    whole_incident(1, 1000);                          /* ended at 1030 */
    whole_incident(2, WORLD_DAY_MS);                  /* a day later */
    group(2 * WORLD_DAY_MS, 2 * WORLD_DAY_MS + 1030); /* 1 is two days old, to the millisecond */
    commit();
    write_all(days);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 3);
    group(2 * WORLD_DAY_MS, 2 * WORLD_DAY_MS + 1031);
    commit();
    writer = writer_of(history_frame, days);
    WAIT_FOR(counters_of(writer).removed == 1);
    history_writer_destroy(writer, 0);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 2);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM change"), 3);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM notification"), 3);
    assert_int_equal(ask(HISTORY_PATH, "SELECT min(opened_ms) FROM incident"), 10);
    assert_int_equal(ask(HISTORY_PATH, "SELECT removed FROM place"), 1);
    assert_as_made_anew(days);
    world_end();
}

static void beyond_its_size_what_ended_first_goes(void **unused)
{
    const struct history_limits small = {.bytes_max = 200 << 10};
    struct history_writer *writer;
    int64_t left;

    (void)unused;
    world_begin();
    for (uint64_t i = 1; i <= 500; i++) /* some 500 KiB */
        whole_incident(i, 1000 * (int64_t)i);
    writer = writer_of(history_frame, small);
    WAIT_FOR(counters_of(writer).frame == history_frame);
    WAIT_FOR(counters_of(writer).bytes <= small.bytes_max);
    history_writer_destroy(writer, 0);
    left = ask(HISTORY_PATH, "SELECT count(*) FROM incident");
    assert_true(left > 60 && left < 300);
    assert_int_equal(ask(HISTORY_PATH, "SELECT min(opened_ms) FROM incident"), 1000 * (501 - left));
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM change"), 2 * left);
    assert_int_equal(ask(HISTORY_PATH, "SELECT removed FROM place"), 500 - left);
    world_end();
}

/* ---- when the journal has given up its beginning ---- */

static void made_anew_it_keeps_what_the_journal_does_not_hold_any_more(void **unused)
{
    struct history_rebuilt rebuilt;
    char *before, *after;

    (void)unused;
    world_begin();
    group(0, 20);
    change(500, 1, INCIDENT_OPENED, 10);
    op(500, 1, OP_OPEN, "pager");
    commit();
    for (uint64_t i = 1; i <= 200; i++)
        whole_incident(i, 1000 * (int64_t)i);
    group(300000, 300000);
    state(500, 1, JOURNAL_FATE_RETRY, 300000, "", ""); /* of an op that will be taken over */
    commit();
    write_all(no_limits);
    give_up_before(history_frame);
    before = rows_of_file(HISTORY_PATH);
    rebuild(no_limits, &rebuilt);
    after = rows_of_file(HISTORY_PATH);
    assert_true(rebuilt.before > 1 && rebuilt.has_taken_over);
    assert_int_equal(rebuilt.incidents, 201);
    assert_string_equal(after, before);
    assert_int_equal(ask(HISTORY_PATH, "SELECT missed FROM place"), 0);
    free(before);
    free(after);
    /* And the writer goes on where it ends. */
    whole_incident(201, 300020);
    write_all(no_limits);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 202);
    world_end();
}

static void while_somebody_reads_it_it_is_not_replaced(void **unused)
{
    struct history_rebuilt rebuilt;
    struct history_writer *writer;
    struct history_reader *reader;
    enum history_refusal why;
    struct error err = {""};

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    writer = writer_of(history_frame, no_limits);
    WAIT_FOR(counters_of(writer).frame == history_frame);
    if (history_reader_open(HISTORY_PATH, history_journal.directory, &reader, &why, &err) != 0)
        fail_msg("%s", err.text);
    history_writer_destroy(writer, 0);
    whole_incident(2, 2000);
    assert_int_equal(history_rebuild(HISTORY_PATH, &history_journal, &no_limits, &rebuilt, &err),
                     -EAGAIN);
    assert_string_equal(err.text, HISTORY_PATH ": somebody reads it; try again when that is over");
    assert_int_equal(access("history.db.new", F_OK), -1);
    history_reader_close(reader);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 1);
    rebuild(no_limits, &rebuilt);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 2);
    world_end();
}

/* Each of 20 groups takes three frames; a segment holds some of them, and begins anywhere. */
static void a_journal_that_begins_inside_of_a_group_begins_with_the_next_one(void **unused)
{
    struct history_rebuilt rebuilt;
    struct journal_reader *reader;
    struct journal_record record;
    struct journal_place place = {0, 0};
    enum journal_seek seek;
    enum segment_refusal why;
    struct error err = {""};
    uint64_t first;

    (void)unused;
    world_begin();
    for (uint64_t i = 1; i <= 20; i++) {
        group(1000 * (int64_t)i, 1000 * (int64_t)i + 20);
        for (uint32_t part = 0; part < 3; part++) {
            for (uint32_t n = 0; n < 27; n++) /* some 7 KiB */
                change(i, 1 + 27 * part + n, INCIDENT_UPDATED, 1000 * (int64_t)i);
            commit_as(part == 0 ? JOURNAL_FRAME_FIRST : part == 2 ? JOURNAL_FRAME_LAST : 0);
        }
    }
    give_up_before(history_frame);
    assert_int_equal(
        journal_reader_create_at(&history_journal, &place, UINT64_MAX, &seek, &reader, &why, &err),
        0);
    assert_int_equal(seek, JOURNAL_SEEK_LATER);
    first = journal_reader_first(reader);
    assert_int_not_equal(first % 3, 1); /* not where a group begins */
    assert_int_equal(journal_reader_next(reader, &record, NULL, &err), 1);
    assert_int_equal(record.kind, JOURNAL_GROUP);
    assert_int_equal(record.group.from_ms, 1000 * (int64_t)((first + 1) / 3 + 1));
    journal_reader_destroy(reader);
    rebuild(no_limits, &rebuilt);
    assert_int_equal(rebuilt.groups, 20 - (first + 1) / 3);
    assert_false(rebuilt.has_taken_over);
    world_end();
}

static void what_was_given_up_before_it_was_written_is_missed_and_counted(void **unused)
{
    struct history_writer *writer;

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    write_all(no_limits);
    for (uint64_t i = 2; i <= 200; i++)
        whole_incident(i, 1000 * (int64_t)i);
    give_up_before(history_frame);
    writer = writer_of(history_frame, no_limits);
    WAIT_FOR(counters_of(writer).frame == history_frame);
    assert_true(counters_of(writer).missed > 0);
    history_writer_destroy(writer, 0);
    assert_string_equal(said[HISTORY_NEWS_ASIDE], "");
    assert_int_equal(atomic_load(&news_count[HISTORY_NEWS_MISSED]), 1);
    assert_non_null(strstr(said[HISTORY_NEWS_MISSED], "what happened in them is missing"));
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident WHERE opened_ms = 1000"), 1);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_gone_on_with_is_kept_aside_and_made_anew),
        cmocka_unit_test(bytes_that_are_others_anywhere_harm_nobody),
        cmocka_unit_test(a_file_that_cannot_be_moved_aside_any_more_stays_where_it_is),
        cmocka_unit_test(a_log_that_a_file_of_the_same_name_left_is_not_taken_for_its_own),
        cmocka_unit_test(who_reads_refuses_what_is_not_the_history_and_leaves_it),
        cmocka_unit_test(what_ended_longer_ago_than_it_is_kept_goes_and_what_is_open_stays),
        cmocka_unit_test(beyond_its_size_what_ended_first_goes),
        cmocka_unit_test(made_anew_it_keeps_what_the_journal_does_not_hold_any_more),
        cmocka_unit_test(while_somebody_reads_it_it_is_not_replaced),
        cmocka_unit_test(a_journal_that_begins_inside_of_a_group_begins_with_the_next_one),
        cmocka_unit_test(what_was_given_up_before_it_was_written_is_missed_and_counted),
    };
    return cmocka_run_group_tests(tests, world_folder, NULL);
}

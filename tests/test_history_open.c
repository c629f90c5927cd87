/*
 * Aim: what is open is in the history, also where the journal begins later than it opened, or has
 * let go of what was not in the file yet; and nothing is open there that is over. Method: journals
 * as in tests/test_history.c that let go of their beginning, and what a recall of the whole journal
 * says is open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/history_support.h"

enum { FILLERS = 200 };

/* What is open by the whole journal up to where it is durable. */
static struct journal_recall *know(struct journal_recall *recall, struct journal_place *place,
                                   struct journal_summary *sum)
{
    const struct journal_span span = {.from = *place, .to = history_frame};
    struct journal_reader *reader;
    struct error err = {""};

    if (recall == NULL)
        recall = journal_recall_begin();
    if (journal_reader_create_span(&history_journal, &span, &reader, &err) != 0 ||
        journal_recall_read(recall, reader, NULL, &err) != 0)
        fail_msg("%s", err.text);
    *place = journal_reader_place(reader);
    journal_reader_destroy(reader);
    journal_recall_summary(recall, sum);
    return recall;
}

static void one(uint64_t number, uint32_t of, enum incident_change what, int64_t at_ms)
{
    group(at_ms, at_ms + 20);
    change(number, of, what, at_ms);
    commit();
}

static void fill(uint64_t from)
{
    for (uint64_t i = from; i < from + FILLERS; i++)
        whole_incident(i, 1000 * (int64_t)i);
}

static void write_knowing(const struct journal_summary *sum)
{
    history_writer_destroy(writer_knowing(history_frame, no_limits, sum), WAIT_S * 1000000000ull);
}

/* One line about each incident from 10 to 19. */
static char *few(void)
{
    struct error err = {""};
    enum history_refusal why;
    struct history *history;
    struct sql_query *query;
    char *lines = NULL;
    size_t bytes;
    FILE *to = open_memstream(&lines, &bytes);

    if (history_open(HISTORY_PATH, history_journal.directory, HISTORY_READ, &history, &why, &err) !=
            0 ||
        sql_prepare(history_sql(history),
                    "SELECT title, changes, ifnull(ended_ms, 'open'), last, "
                    "(SELECT group_concat(number, '+') FROM (SELECT number FROM change c "
                    "WHERE c.incident = i.id ORDER BY number)) FROM incident i "
                    "WHERE title GLOB 'db1? is *' ORDER BY title",
                    &query, &err) != 0)
        fail_msg("%s", err.text);
    while (sql_step(query, &err) == 1)
        fprintf(to, "%s, %s changes, %s, %s: %s\n", sql_text(query, 0), sql_text(query, 1),
                sql_text(query, 2), sql_text(query, 3), sql_text(query, 4));
    sql_query_release(query);
    history_close(history);
    fclose(to);
    return lines;
}

static void assert_few(const char *expected)
{
    char *lines = few();

    assert_string_equal(lines, expected);
    free(lines);
}

/* 10 opened and grew, 11 came and went, 12 opened and closes later, 13 opened and grows later. */
static void begin_later(void)
{
    one(10, 1, INCIDENT_OPENED, 1000);
    history_acked_by = "kim";
    one(10, 2, INCIDENT_UPDATED, 1030);
    history_acked_by = "";
    one(11, 1, INCIDENT_OPENED, 1060);
    one(11, 2, INCIDENT_CLOSED, 1090);
    one(12, 1, INCIDENT_OPENED, 1120);
    one(13, 1, INCIDENT_OPENED, 1150);
    fill(100);
}

static void add_lacking(void *to, const struct history_incident *incident)
{
    fprintf(to, "%s lacks %" PRId64 ", acknowledged by \"%s\"\n", incident->title,
            incident->lacking, incident->acked_by);
}

/* What a list says of those that are open. */
static void assert_open(const char *expected)
{
    const struct history_filter filter = {
        .from_ms = INT64_MIN, .to_ms = INT64_MIN, .open_only = true, .rows_max = 100};
    struct history_reader *reader;
    enum history_refusal why;
    struct error err = {""};
    char *lines = NULL;
    size_t bytes;
    bool more;
    FILE *to = open_memstream(&lines, &bytes);

    if (history_reader_open(HISTORY_PATH, history_journal.directory, &reader, &why, &err) != 0 ||
        history_list(reader, &filter, add_lacking, to, &more, &err) != 0)
        fail_msg("%s", err.text);
    history_reader_close(reader);
    fclose(to);
    assert_string_equal(lines, expected);
    free(lines);
}

static void a_history_that_begins_later_has_what_is_open(void **unused)
{
    static const char all[] = "db10 is full: 2, 2 changes, open, grew: 2\n"
                              "db12 is full: 2, 2 changes, 900000, cleared: 2\n"
                              "db13 is full: 2, 2 changes, open, grew: 2\n";
    struct journal_place place = {0, 0};
    struct journal_summary sum;
    struct journal_recall *recall;
    struct history_rebuilt rebuilt;

    (void)unused;
    world_begin();
    begin_later();
    recall = know(NULL, &place, &sum);
    fill(300);
    know(recall, &place, &sum);
    give_up_before(history_frame);
    group(900000, 900020);
    change(12, 2, INCIDENT_CLOSED, 900000);
    change(13, 2, INCIDENT_UPDATED, 900010);
    commit();
    know(recall, &place, &sum);
    assert_int_equal(sum.open_count, 2);
    assert_true(sum.knows_open);
    write_all(no_limits); /* which says nothing of what is open */
    assert_few(strchr(all, '\n') + 1);
    write_knowing(&sum); /* goes on with a file that lacks it, */
    assert_few(all);
    unlink(HISTORY_PATH);
    write_knowing(&sum); /* and begins one */
    assert_few(all);
    assert_open("db13 is full: 2 lacks 1, acknowledged by \"\"\n"
                "db10 is full: 2 lacks 1, acknowledged by \"kim\"\n");
    write_knowing(&sum);
    assert_few(all);
    rebuild(no_limits, &rebuilt);
    assert_true(rebuilt.has_taken_over);
    assert_few(all);
    journal_recall_destroy(recall);
    world_end();
}

/* Of 10 to 13 the file knows the beginning; 14 opened and 10 and 13 closed in what it missed. */
static void what_ended_unseen_is_not_open(void **unused)
{
    struct journal_place place = {0, 0};
    struct journal_summary sum, former;
    struct journal_recall *recall;

    (void)unused;
    world_begin();
    begin_later();
    write_all(no_limits);
    one(10, 3, INCIDENT_CLOSED, 400000);
    one(14, 1, INCIDENT_OPENED, 400060);
    one(13, 2, INCIDENT_CLOSED, 400090);
    recall = know(NULL, &place, &sum);
    fill(500);
    know(recall, &place, &sum);
    give_up_before(history_frame);
    one(12, 2, INCIDENT_CLOSED, 900000);
    know(recall, &place, &sum);
    assert_int_equal(sum.open_count, 1);
    former = sum;
    former.knows_open = false; /* as of a snapshot that did not say it */
    write_knowing(&former);
    assert_int_equal(atomic_load(&news_count[HISTORY_NEWS_MISSED]), 1);
    assert_few("db10 is full: 2, 2 changes, open, grew: 1+2\n"
               "db11 is full: 2, 2 changes, 1090, cleared: 1+2\n"
               "db12 is full: 2, 2 changes, 900000, cleared: 1+2\n"
               "db13 is full: 1, 1 changes, open, rule: 1\n"
               "db14 is full: 1, 1 changes, open, rule: 1\n");
    write_knowing(&sum);
    assert_few("db10 is full: 2, 2 changes, 900020, unseen: 1+2\n"
               "db11 is full: 2, 2 changes, 1090, cleared: 1+2\n"
               "db12 is full: 2, 2 changes, 900000, cleared: 1+2\n"
               "db13 is full: 1, 1 changes, 900020, unseen: 1\n"
               "db14 is full: 1, 1 changes, open, rule: 1\n");
    one(14, 2, INCIDENT_CLOSED, 900090); /* it is not held against what was open before */
    write_knowing(&sum);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident WHERE ended_ms IS NULL"), 0);
    assert_int_equal(ask(HISTORY_PATH, "SELECT ended_ms FROM incident WHERE title = "
                                       "'db14 is full: 2'"),
                     900090);
    journal_recall_destroy(recall);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_that_begins_later_has_what_is_open),
        cmocka_unit_test(what_ended_unseen_is_not_open),
    };
    return cmocka_run_group_tests(tests, world_folder, NULL);
}

/*
 * Aim: the history holds what the journal says, each row once, whatever ends its writer, and made
 * anew it is the same. Method: journals are written with the journal's own encoder on the real
 * disk; small ones whose rows are worked out, and larger ones of which the file that is written is
 * held against one that is made at once. The writer runs as its thread, and as a process that is
 * killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "tests/history_support.h"

/* ---- what is in it ---- */

static char *story_text;
static size_t story_bytes;

static int tell(const char *digits, struct error *err)
{
    struct history_reader *reader;
    enum history_refusal why;
    bool more;
    int rc;

    free(story_text);
    story_text = NULL;
    FILE *to = open_memstream(&story_text, &story_bytes);
    const struct history_story story = {to, put_incident, put_change, put_told, put_member};
    if (history_reader_open(HISTORY_PATH, history_journal.directory, &reader, &why, err) != 0)
        fail_msg("%s", err->text);
    rc = history_tell(reader, digits, 100, &story, &more, err);
    history_reader_close(reader);
    fclose(to);
    return rc;
}

static void an_incident_is_told_with_its_changes_and_who_was_told(void **unused)
{
    struct error err = {""};

    (void)unused;
    world_begin();
    whole_incident(4, 1000);
    group(1040, 1040);
    state(4, 1, JOURNAL_FATE_DONE, 1022, "", ""); /* its ticket's name was said before */
    state(4, 2, JOURNAL_FATE_DEAD, 1099, "", "it said no");
    commit();
    write_all(no_limits);
    assert_int_equal(tell("abc0000000000004", &err), 0);
    assert_string_equal(
        story_text,
        "abc00000000000040000000000000004 opened 1000 ended 1030 rule link-down tenant acme key "
        "tenant=acme host=db4 critical P2 \"db4 is full: 2\" team storage 2 changes 4 events "
        "2 alerts 0 open, told 1 owed 0 dead 1 tickets pager INC12 last cleared\n"
        "1 at 1000 opened rule \"db4 is full: 1\" 5 events in 10m (needs 5)\n"
        "2 at 1030 closed cleared \"db4 is full: 2\" 5 events in 10m (needs 5)\n"
        "1 pager open at 1000: done at 1022 INC12 sys9 1 retries \n"
        "2 pager resolve at 1030: dead at 1099   0 retries it said no\n"
        "warning of prom db4 disk  on db4.example.org at 1000\n"
        "warning of prom db4 inodes  on db4.example.org at 1010\n");
    world_end();
}

static void an_incident_is_found_by_the_first_digits_of_its_id(void **unused)
{
    struct error err = {""};

    (void)unused;
    world_begin();
    whole_incident(0x11, 1000);
    whole_incident(0x12, 2000);
    write_all(no_limits);
    assert_int_equal(tell("abc000000000001", &err), -EEXIST);
    assert_string_equal(err.text, "several incidents begin with abc000000000001: give more digits");
    assert_int_equal(tell("abc0000000000012", &err), 0);
    assert_non_null(strstr(story_text, "host=db18"));
    assert_int_equal(tell("ff", &err), -ENOENT);
    assert_string_equal(err.text, "there is no incident ff in the history");
    assert_int_equal(tell("host", &err), -EINVAL);
    assert_int_equal(tell("", &err), -EINVAL);
    world_end();
}

static void list(struct history_filter filter, const char *expected, bool expect_more)
{
    struct history_reader *reader;
    enum history_refusal why;
    struct error err = {""};
    char *text = NULL, *at;
    size_t bytes;
    bool more;
    FILE *to = open_memstream(&text, &bytes);

    if (history_reader_open(HISTORY_PATH, history_journal.directory, &reader, &why, &err) != 0 ||
        history_list(reader, &filter, put_incident, to, &more, &err) != 0)
        fail_msg("%s", err.text);
    history_reader_close(reader);
    fclose(to);
    char hosts[256] = "";
    for (at = text; (at = strstr(at, "host=db")) != NULL; at++)
        snprintf(hosts + strlen(hosts), sizeof(hosts) - strlen(hosts), "%.1s", at + 7);
    free(text);
    assert_string_equal(hosts, expected);
    assert_int_equal(more, expect_more);
}

/* 1 and 2 have ended at 1030 and 2030, 3 is open since 3000. */
static void incidents_are_listed_by_time_rule_key_and_whether_they_are_open(void **unused)
{
    const struct history_filter all = {INT64_MIN, INT64_MIN, NULL, NULL, NULL, false, 10};
    struct history_filter filter = all;

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    whole_incident(2, 2000);
    group(3000, 3020);
    change(3, 1, INCIDENT_OPENED, 3000);
    commit();
    write_all(no_limits);
    list(all, "321", false);
    filter.rows_max = 2;
    list(filter, "32", true);
    filter = all;
    filter.from_ms = 1030; /* it was open up to then */
    list(filter, "321", false);
    filter.from_ms = 1031;
    list(filter, "32", false);
    filter.to_ms = 3000;
    list(filter, "2", false);
    filter = all;
    filter.rule = "link-down";
    list(filter, "1", false);
    filter = all;
    filter.tenant = "other";
    list(filter, "", false);
    filter = all;
    filter.key = "host=db2";
    list(filter, "2", false);
    filter = all;
    filter.open_only = true;
    list(filter, "3", false);
    world_end();
}

static void an_answer_that_takes_too_long_is_given_up(void **unused)
{
    const struct history_filter all = {INT64_MIN, INT64_MIN, NULL, NULL, NULL, false, 1000};
    struct history_reader *reader;
    enum history_refusal why;
    struct error err = {""};
    char *text = NULL;
    size_t bytes;
    bool more;
    FILE *to = open_memstream(&text, &bytes);

    (void)unused;
    world_begin();
    for (uint64_t i = 1; i <= 300; i++)
        whole_incident(i, 1000 * (int64_t)i);
    write_all(no_limits);
    if (history_reader_open(HISTORY_PATH, history_journal.directory, &reader, &why, &err) != 0)
        fail_msg("%s", err.text);
    history_reader_deadline(reader, host_mono_ns());
    assert_int_equal(history_list(reader, &all, put_incident, to, &more, &err), -ETIMEDOUT);
    assert_string_equal(err.text, HISTORY_PATH ": it took too long, and was given up");
    history_reader_deadline(reader, 0);
    assert_int_equal(history_list(reader, &all, put_incident, to, &more, &err), 0);
    history_reader_close(reader);
    fclose(to);
    free(text);
    world_end();
}

/* ---- the writer ---- */

static void the_writer_follows_the_journal_and_never_gets_ahead_of_it(void **unused)
{
    struct history_writer *writer;
    uint64_t told;

    (void)unused;
    world_begin();
    writer = writer_of(0, no_limits);
    whole_incident(1, 1000);
    told = history_frame;
    history_writer_tell(writer, told);
    whole_incident(2, 2000); /* written, and not yet known to be durable */
    WAIT_FOR(counters_of(writer).frame == told);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 1);
    assert_int_equal(counters_of(writer).lag, 0);
    assert_int_equal(counters_of(writer).rows, 11); /* 2 changes of 2 rows, 2 ops, 2 states, 3
                                                     * members of which one comes again */
    assert_int_equal(history_writer_floor(writer), told + 1);
    history_writer_tell(writer, history_frame);
    WAIT_FOR(counters_of(writer).frame == history_frame);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 2);
    history_writer_destroy(writer, 0);
    world_end();
}

static void a_group_of_several_frames_and_one_that_was_never_ended_are_read_as_such(void **unused)
{
    struct history_writer *writer;

    (void)unused;
    world_begin();
    group(0, 20);
    change(1, 1, INCIDENT_OPENED, 10);
    commit_as(JOURNAL_FRAME_FIRST); /* never goes on */
    writer = writer_of(history_frame, no_limits);
    group(0, 20);
    change(2, 1, INCIDENT_OPENED, 10);
    commit_as(JOURNAL_FRAME_FIRST);
    history_writer_tell(writer, history_frame); /* in the middle of it */
    WAIT_FOR(counters_of(writer).lag == 0);
    op(2, 1, OP_OPEN, "pager");
    commit_as(JOURNAL_FRAME_LAST);
    history_writer_tell(writer, history_frame);
    WAIT_FOR(counters_of(writer).frame == history_frame);
    assert_int_equal(counters_of(writer).failures, 0);
    history_writer_destroy(writer, 0);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 1);
    assert_int_equal(ask(HISTORY_PATH, "SELECT change FROM notification"), 1);
    assert_as_made_anew(no_limits);
    world_end();
}

static void groups_with_nothing_to_say_cost_a_transaction_a_second(void **unused)
{
    struct history_writer *writer;

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    writer = writer_of(history_frame, no_limits);
    WAIT_FOR(counters_of(writer).frame == 3);
    for (int i = 0; i < 10; i++) {
        group(1100 + 20 * i, 1120 + 20 * i);
        commit();
    }
    history_writer_tell(writer, history_frame);
    WAIT_FOR(counters_of(writer).lag == 0);
    assert_int_equal(counters_of(writer).frame, 3);
    assert_int_equal(ask(HISTORY_PATH, "SELECT frame FROM place"), 3);
    assert_int_equal(ask(HISTORY_PATH, "SELECT now_ms FROM place"), 1040);
    /* The daemon's clock has gone on by a second: who asks sees that. */
    group(2020, 2040);
    commit();
    history_writer_tell(writer, history_frame);
    WAIT_FOR(counters_of(writer).frame == 14);
    assert_int_equal(ask(HISTORY_PATH, "SELECT now_ms FROM place"), 2040);
    group(2040, 2060);
    commit();
    history_writer_tell(writer, history_frame);
    WAIT_FOR(counters_of(writer).lag == 0);
    assert_int_equal(counters_of(writer).frame, 14);
    history_writer_destroy(writer, WAIT_S * 1000000000ull);
    assert_int_equal(ask(HISTORY_PATH, "SELECT frame FROM place"), 15);
    world_end();
}

static int64_t noted_clock(void)
{
    return ask(HISTORY_PATH, "SELECT now_ms FROM place");
}

/* Between two events a daemon with nothing to do closes no group for minutes. */
static void the_clock_of_a_quiet_daemon_goes_on(void **unused)
{
    struct history_writer_config config = {
        .path = HISTORY_PATH, .journal = &history_journal, .now_ms = 5000, .note_ms = 20};
    struct history_writer *writer;
    struct error err = {""};
    int64_t first;

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    assert_int_equal(history_writer_create(&config, history_frame, &writer, &err), 0);
    WAIT_FOR(counters_of(writer).frame == 3 && noted_clock() >= 5000);
    first = noted_clock();
    WAIT_FOR(noted_clock() >= first + 20);
    assert_int_equal(counters_of(writer).frame, 3);
    assert_true(history_writer_clock(writer) >= first + 20);
    history_writer_destroy(writer, WAIT_S * 1000000000ull);
    world_end();
}

/* C1: to note the clock is a sync; who asks the daemon hears of it all the same, and the end notes
 * it. */
static void C1_an_idle_history_writes_nothing(void **unused)
{
    struct history_writer_config config = {
        .path = HISTORY_PATH, .journal = &history_journal, .now_ms = 5000};
    struct history_writer *writer;
    struct error err = {""};
    int64_t noted, shown;

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    assert_int_equal(history_writer_create(&config, history_frame, &writer, &err), 0);
    WAIT_FOR(counters_of(writer).frame == 3 && history_writer_clock(writer) != INT64_MIN);
    noted = noted_clock();
    shown = history_writer_clock(writer);
    WAIT_FOR(history_writer_clock(writer) >= shown + 2500); /* no condition tells of what is not */
    shown = noted_clock(); /* or the machine stood still for a minute */
    assert_true(shown == noted || history_writer_clock(writer) >= noted + 60000);
    shown = history_writer_clock(writer);
    history_writer_destroy(writer, WAIT_S * 1000000000ull);
    assert_true(noted_clock() >= shown);
    world_end();
}

static void the_journal_goes_on_in_segments_that_are_made_while_it_is_followed(void **unused)
{
    struct history_writer *writer;

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    writer = writer_of(history_frame, no_limits);
    WAIT_FOR(counters_of(writer).frame == history_frame); /* it knows of the first one alone */
    for (uint64_t i = 2; i <= 300; i++) {                 /* some 270 KiB in segments of 64 */
        whole_incident(i, 1000 * (int64_t)i);
        history_writer_tell(writer, history_frame);
    }
    WAIT_FOR(counters_of(writer).frame == history_frame);
    history_writer_destroy(writer, 0);
    assert_int_equal(access("journal/0000000000000003.seg", F_OK), 0);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 300);
    assert_as_made_anew(no_limits);
    world_end();
}

/* In its own process, with transactions of a few groups, and up to this frame: who kills it may
 * come late. */
static void write_until_killed(uint64_t durable)
{
    struct history_writer_config config = {
        .path = HISTORY_PATH, .journal = &history_journal, .batch_rows = 24};
    struct history_writer *writer;
    struct error err = {""};

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive a test that fails */
    if (history_writer_create(&config, durable, &writer, &err) != 0)
        _exit(1);
    for (;;)
        pause();
}

static uint64_t place_of_file(void)
{
    enum history_refusal why;
    struct history_state state = {.place = {0, 0}};
    struct history *history;
    struct error err;

    if (history_open(HISTORY_PATH, history_journal.directory, HISTORY_READ, &history, &why, &err) ==
        0) {
        history_state(history, &state);
        history_close(history);
    }
    return state.place.frame;
}

static void a_writer_that_is_killed_neither_loses_nor_doubles_a_row(void **unused)
{
    enum { INCIDENTS = 400, KILLS = 12, BEYOND = 50 };
    uint64_t random = 7, killed_at = 0;
    int middle = 0;

    (void)unused;
    world_begin();
    for (uint64_t i = 1; i <= INCIDENTS; i++)
        whole_incident(i, 1000 * (int64_t)i);
    for (int kill_ = 0; kill_ < KILLS; kill_++) {
        uint64_t until;
        random = random * 6364136223846793005u + 1442695040888963407u;
        until = killed_at + (random >> 33) % (2 * history_frame / KILLS);
        until = until < history_frame ? until : history_frame;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_until_killed(until + BEYOND < history_frame ? until + BEYOND : history_frame);
        WAIT_FOR(place_of_file() >= until);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        killed_at = place_of_file();
        middle += killed_at > 0 && killed_at < history_frame;
    }
    assert_true(middle >= KILLS / 4); /* it was being written */
    write_all(no_limits);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), INCIDENTS);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM change"), 2 * INCIDENTS);
    assert_int_equal(ask(HISTORY_PATH, "SELECT sum(retries) FROM notification"), INCIDENTS);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM notification"), 2 * INCIDENTS);
    assert_as_made_anew(no_limits);
    world_end();
}

static void a_reader_sees_one_moment_while_the_writer_goes_on(void **unused)
{
    enum history_refusal why;
    struct history_writer *writer;
    struct history *history;
    struct error err = {""};
    int64_t count;

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    writer = writer_of(history_frame, no_limits);
    WAIT_FOR(counters_of(writer).frame == history_frame);
    if (history_open(HISTORY_PATH, history_journal.directory, HISTORY_READ, &history, &why, &err) !=
            0 ||
        sql_run(history_sql(history), "BEGIN", &err) != 0 ||
        sql_ask_int(history_sql(history), "SELECT count(*) FROM incident", -1, &count, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(count, 1);
    whole_incident(2, 2000);
    history_writer_tell(writer, history_frame);
    WAIT_FOR(counters_of(writer).frame == history_frame); /* it does not wait for the reader */
    assert_int_equal(
        sql_ask_int(history_sql(history), "SELECT count(*) FROM incident", -1, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(sql_run(history_sql(history), "DELETE FROM incident", &err), -EROFS);
    history_close(history);
    history_writer_destroy(writer, 0);
    assert_int_equal(ask(HISTORY_PATH, "SELECT count(*) FROM incident"), 2);
    world_end();
}

static void a_disk_that_takes_no_more_pauses_the_history_alone(void **unused)
{
    const struct rlimit full = {100 << 10, RLIM_INFINITY}, room = {RLIM_INFINITY, RLIM_INFINITY};
    struct history_writer *writer;

    (void)unused;
    world_begin();
    for (uint64_t i = 1; i <= 200; i++)
        whole_incident(i, 1000 * (int64_t)i);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    writer = writer_of(history_frame, no_limits);
    WAIT_FOR(counters_of(writer).is_paused);
    WAIT_FOR(atomic_load(&news_count[HISTORY_NEWS_PAUSED]) == 1);
    assert_non_null(strstr(said[HISTORY_NEWS_PAUSED], HISTORY_PATH ": "));
    assert_true(counters_of(writer).lag > 0);
    assert_true(history_writer_floor(writer) <= counters_of(writer).frame + 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &room), 0);
    WAIT_FOR(counters_of(writer).frame == history_frame);
    WAIT_FOR(!counters_of(writer).is_paused);
    history_writer_destroy(writer, 0);
    assert_int_equal(atomic_load(&news_count[HISTORY_NEWS_PAUSED]), 1);
    assert_int_equal(atomic_load(&news_count[HISTORY_NEWS_GOES_ON]), 1);
    assert_as_made_anew(no_limits);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_incident_is_told_with_its_changes_and_who_was_told),
        cmocka_unit_test(an_incident_is_found_by_the_first_digits_of_its_id),
        cmocka_unit_test(incidents_are_listed_by_time_rule_key_and_whether_they_are_open),
        cmocka_unit_test(an_answer_that_takes_too_long_is_given_up),
        cmocka_unit_test(the_writer_follows_the_journal_and_never_gets_ahead_of_it),
        cmocka_unit_test(a_group_of_several_frames_and_one_that_was_never_ended_are_read_as_such),
        cmocka_unit_test(groups_with_nothing_to_say_cost_a_transaction_a_second),
        cmocka_unit_test(the_clock_of_a_quiet_daemon_goes_on),
        cmocka_unit_test(C1_an_idle_history_writes_nothing),
        cmocka_unit_test(the_journal_goes_on_in_segments_that_are_made_while_it_is_followed),
        cmocka_unit_test(a_writer_that_is_killed_neither_loses_nor_doubles_a_row),
        cmocka_unit_test(a_reader_sees_one_moment_while_the_writer_goes_on),
        cmocka_unit_test(a_disk_that_takes_no_more_pauses_the_history_alone),
    };
    return cmocka_run_group_tests(tests, world_folder, NULL);
}

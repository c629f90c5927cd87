/*
 * Aim: the history holds what the journal says, each row once, whatever ends its writer and
 * whatever lies where its file should be; what it is bounded by goes and nothing else; and made
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
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "store/history_files.h"
#include "store/history_query.h"
#include "store/history_writer.h"
#include "tests/history_world.h"

static const struct history_limits no_limits = {0, 0};

/* ---- a writer, and what it said ---- */

static char said[4][ERROR_TEXT_BYTES]; /* by enum history_news: the last sentence */
static _Atomic int news_count[4];

static void on_news(void *self, enum history_news news, const char *sentence)
{
    (void)self;
    snprintf(said[news], sizeof(said[news]), "%s", sentence);
    atomic_fetch_add(&news_count[news], 1);
}

static struct history_writer *writer_of(uint64_t durable, struct history_limits limits)
{
    const struct history_writer_config config = {.path = HISTORY_PATH,
                                                 .journal = &history_journal,
                                                 .limits = limits,
                                                 .retry_ms = 100,
                                                 .news = on_news};
    struct history_writer *writer;
    struct error err = {""};

    memset(said, 0, sizeof(said));
    for (int i = 0; i < 4; i++)
        atomic_store(&news_count[i], 0);
    if (history_writer_create(&config, durable, &writer, &err) != 0)
        fail_msg("%s", err.text);
    return writer;
}

#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        time_t end_ = time(NULL) + WAIT_S;                                                         \
        while (!(condition)) {                                                                     \
            if (time(NULL) > end_)                                                                 \
                fail_msg("waited in vain for %s", #condition);                                     \
            short_rest();                                                                          \
        }                                                                                          \
    } while (0)

static struct history_writer_counters counters_of(const struct history_writer *writer)
{
    struct history_writer_counters counters;

    history_writer_counters(writer, &counters);
    return counters;
}

/* Writes all that is durable, and ends. */
static void write_all(struct history_limits limits)
{
    history_writer_destroy(writer_of(history_frame, limits), WAIT_S * 1000000000ull);
}

static void rebuild(struct history_limits limits, struct history_rebuilt *out)
{
    struct error err = {""};

    if (history_rebuild(HISTORY_PATH, &history_journal, &limits, out, &err) != 0)
        fail_msg("%s", err.text);
}

/* The file as it is, and as it is when it is made anew, are the same. */
static void assert_as_made_anew(struct history_limits limits)
{
    struct history_rebuilt rebuilt;
    char *live = rows_of_file(HISTORY_PATH), *anew;

    rebuild(limits, &rebuilt);
    anew = rows_of_file(HISTORY_PATH);
    assert_string_equal(live, anew);
    free(live);
    free(anew);
}

/* ---- what is in it ---- */

static char *story_text;
static size_t story_bytes;

static void put_incident(void *to, const struct history_incident *inc)
{
    char ended[32] = "open";

    if (inc->ended_ms != INT64_MIN)
        snprintf(ended, sizeof(ended), "%" PRId64, inc->ended_ms);
    fprintf(
        to,
        "%016" PRIx64 "%016" PRIx64 " opened %" PRId64 " ended %s rule %s tenant %s key %s "
        "%s %s \"%s\" team %s %" PRId64 " changes %" PRId64 " events %" PRId64 " alerts %" PRId64
        " open, told %" PRId64 " owed %" PRId64 " dead %" PRId64 " tickets %s last %s\n",
        inc->id.hi, inc->id.lo, inc->opened_ms, ended, inc->rule, inc->tenant, inc->key,
        inc->severity, inc->priority, inc->title, inc->team, inc->changes, inc->events, inc->alerts,
        inc->open_alerts, inc->told, inc->owed, inc->dead, inc->tickets, inc->last);
}

static void put_change(void *to, const struct history_change *change)
{
    fprintf(to, "%" PRId64 " at %" PRId64 " %s %s \"%s\" %s\n", change->number, change->at_ms,
            change->change, change->cause, change->title, change->why);
}

static void put_told(void *to, const struct history_notification *told)
{
    fprintf(to,
            "%" PRId64 " %s %s at %" PRId64 ": %s at %" PRId64 " %s %s %" PRId64 " retries %s\n",
            told->change, told->sink, told->kind, told->at_ms, told->state, told->state_ms,
            told->label, told->reference, told->retries, told->reason);
}

static void put_member(void *to, const struct history_member *member)
{
    fprintf(to, "%s of %s %s %s %s on %s at %" PRId64 "\n", member->severity, member->source,
            member->resource, member->check, member->dedup_key, member->host, member->at_ms);
}

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

static void groups_with_nothing_to_say_cost_no_transaction_until_the_end(void **unused)
{
    struct history_writer *writer;

    (void)unused;
    world_begin();
    whole_incident(1, 1000);
    writer = writer_of(history_frame, no_limits);
    WAIT_FOR(counters_of(writer).frame == 3);
    for (int i = 0; i < 10; i++) {
        group(2000 + 20 * i, 2020 + 20 * i);
        commit();
    }
    history_writer_tell(writer, history_frame);
    WAIT_FOR(counters_of(writer).lag == 0);
    assert_int_equal(counters_of(writer).frame, 3);
    assert_int_equal(ask(HISTORY_PATH, "SELECT frame FROM place"), 3);
    history_writer_destroy(writer, WAIT_S * 1000000000ull);
    assert_int_equal(ask(HISTORY_PATH, "SELECT frame FROM place"), 13);
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

/* In its own process, with transactions of a few groups. */
static void write_until_killed(void)
{
    struct history_writer_config config = {
        .path = HISTORY_PATH, .journal = &history_journal, .batch_rows = 24};
    struct history_writer *writer;
    struct error err = {""};

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive a test that fails */
    if (history_writer_create(&config, history_frame, &writer, &err) != 0)
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
    enum { INCIDENTS = 400, KILLS = 12 };
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
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_until_killed();
        WAIT_FOR(place_of_file() >= (until < history_frame ? until : history_frame));
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
    run_sql(HISTORY_PATH, "PRAGMA user_version = 2");
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
        {spoil_newer, "version 2 was written by another tocsin, and this one reads version 1"},
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

static void give_up_before(uint64_t frame)
{
    struct error err = {""};

    if (segment_log_release_before(history_log, frame, &err) != 0)
        fail_msg("%s", err.text);
}

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
        cmocka_unit_test(an_incident_is_told_with_its_changes_and_who_was_told),
        cmocka_unit_test(an_incident_is_found_by_the_first_digits_of_its_id),
        cmocka_unit_test(incidents_are_listed_by_time_rule_key_and_whether_they_are_open),
        cmocka_unit_test(an_answer_that_takes_too_long_is_given_up),
        cmocka_unit_test(the_writer_follows_the_journal_and_never_gets_ahead_of_it),
        cmocka_unit_test(a_group_of_several_frames_and_one_that_was_never_ended_are_read_as_such),
        cmocka_unit_test(groups_with_nothing_to_say_cost_no_transaction_until_the_end),
        cmocka_unit_test(the_journal_goes_on_in_segments_that_are_made_while_it_is_followed),
        cmocka_unit_test(a_writer_that_is_killed_neither_loses_nor_doubles_a_row),
        cmocka_unit_test(a_reader_sees_one_moment_while_the_writer_goes_on),
        cmocka_unit_test(a_disk_that_takes_no_more_pauses_the_history_alone),
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

/*
 * Aim (F2): a record at which processes died twice of a fault of their own is refused, with a mark
 * and a self-alert, and a run that knows the mark alone does the same. Method: the engine on the
 * bench; the file of deaths by hand; children that die of each signal, of their own or of somebody
 * else's. The whole way, in a daemon that dies of what it reads, is the story crash_marks.
 */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fault.h"
#include "daemon/crash_log.h"
#include "tests/engine_bench.h"

static const char rules[] = BENCH_RULE_ONE RULE_SELF("1m", "cleared()");
static struct topic_config any_topic = {.disorder_ms = 0, .tenant = "default"};
static const struct engine_crash crashes[] = {{"t", 1, 1}, {"t", 7, 0}, {"u", 0, 0}};

#define TOLD "the record at offset 1 of t/1 is left out: two processes died at it"

/* Each second record of t/1 is one at which something died. */
static void fill(struct bench_feed **feed)
{
    bench_put(feed[0], 10, "a", "down", "");
    bench_put(feed[1], 20, "b", "down", "");
    bench_put(feed[1], 30, "bad", "down", "");
    bench_put(feed[1], 40, "c", "down", "");
}

static size_t count_of(const char *log, const char *what)
{
    size_t count = 0;

    for (const char *at = log; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static void F2_a_record_at_which_processes_died_is_refused_with_a_mark(void **state)
{
    (void)state;
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed[2];
    struct mark marks[BENCH_MARKS];

    bench->config.topics = &any_topic;
    bench->config.topic_count = 1;
    bench->config.crashes = crashes;
    bench->config.crash_count = 3;
    bench_go_live(bench);
    bench->config.future_ms = INT64_C(3600) * 1000;
    feed[0] = bench_feed(bench, "t", 0);
    feed[1] = bench_feed(bench, "t", 1);
    fill(feed);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 2000, 10);
    bench_stop(bench);
    assert_int_equal(bench_marks(bench, MARK_CRASH), 1); /* the others are of nobody here */
    assert_string_equal(bench->rejected.at, "t/1/1 crash at 0\n");
    assert_int_equal(bench->counters.rejected[REJECT_CRASH], 1);
    assert_int_equal(bench->counters.derived, 1);
    assert_int_equal(count_of(bench->log.at, TOLD), 1);
    assert_null(strstr(bench->brief, "resource=bad"));
    for (int i = 0; i < 3; i++)
        assert_non_null(strstr(bench->brief, ((const char *[]){"one resource=a", "one resource=b",
                                                               "one resource=c"})[i]));

    /* X1: the marks alone say it, for any number of workers and any epoch. */
    char *live = strdup(bench->log.at);
    size_t mark_count = bench->mark_count;
    memcpy(marks, bench->mark, mark_count * sizeof(*marks));
    bench->config.marks = marks;
    bench->config.mark_count = mark_count;
    bench->config.crash_count = 0;
    for (unsigned workers = 1; workers <= 4; workers++) {
        bench_rewind(bench, true);
        bench->config.workers = workers;
        bench->config.epoch_ms = workers % 2 == 0 ? 200 : 20;
        bench_run(bench);
        assert_memory_equal(bench->log.at, live, strlen(live));
        assert_int_equal(bench->counters.rejected[REJECT_CRASH], 1);
        assert_int_equal(bench->counters.derived, 1);
        assert_int_equal(bench_marks(bench, MARK_CRASH), 0); /* it has been made */
    }
    free(live);
    bench_destroy(bench);
}

/* A mark that the run before had not made durable, or had: both are told once, at their time. */
static void F2_what_is_known_at_a_later_start_is_told_behind_what_was_told(void **state)
{
    (void)state;
    static const struct mark made[] = {{MARK_CRASH, 1, 0, BENCH_T0 + 250}};
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed[2];
    const int64_t read[] = {0, 0};

    bench->config.topics = &any_topic;
    bench->config.topic_count = 1;
    bench->config.crashes = crashes;
    bench->config.crash_count = 1;
    bench->config.marks = made;
    bench->config.mark_count = 1;
    bench_go_live(bench);
    bench->config.future_ms = INT64_C(3600) * 1000;
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = BENCH_T0 + 790,
                                                      .read = read,
                                                      .read_count = 2,
                                                      .n_ms = INT64_MIN,
                                                      .r_ms = INT64_MIN};
    feed[0] = bench_feed(bench, "t", 0);
    feed[1] = bench_feed(bench, "t", 1);
    fill(feed);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 3000, 10);
    bench_stop(bench);
    assert_string_equal(bench->rejected.at, "t/1/0 crash at 0\nt/1/1 crash at 0\n");
    assert_int_equal(bench_marks(bench, MARK_CRASH), 1);
    /* Rounds are 200 ms: 250 is told at 400, and 790, up to which all had been told, at 800. */
    assert_non_null(strstr(bench->brief,
                           "400 opened rule self tenant=@tocsin resource=t/1/0 n=1 alerts=1\n"
                           "800 opened rule self tenant=@tocsin resource=t/1/1 n=1 alerts=1\n"));
    bench_destroy(bench);
}

/* The file of deaths outlives the marks: what is not read again is not told again. */
static void F2_what_lies_behind_a_start_is_not_told_again(void **state)
{
    (void)state;
    static const struct engine_crash known[] = {{"t", 0, 4}, {"t", 0, 5}};
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed;

    bench->config.crashes = known;
    bench->config.crash_count = 2;
    bench_go_live(bench);
    feed = bench_feed(bench, "t", 0);
    feed->next_offset = feed->feed.start_offset = 5;
    bench_put(feed, 10, "bad", "down", "");
    bench_put(feed, 20, "a", "down", "");
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 2000, 10);
    bench_stop(bench);
    assert_int_equal(bench_marks(bench, MARK_CRASH), 1);
    assert_string_equal(bench->rejected.at, "t/0/5 crash at 0\n");
    assert_int_equal(bench->counters.derived, 1);
    bench_destroy(bench);
}

/* ---- the file ---- */

static void open_dir(struct data_dir *dir)
{
    *dir = (struct data_dir)DATA_DIR_CLOSED;
    strcpy(dir->path, "crash.XXXXXX");
    assert_non_null(mkdtemp(dir->path));
}

static void write_crashes(const struct data_dir *dir, const char *text)
{
    char path[DATA_DIR_PATH_BYTES];

    data_dir_folder(dir, "crashes", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_dir(const struct data_dir *dir)
{
    char path[DATA_DIR_PATH_BYTES];

    data_dir_folder(dir, "crashes", path);
    unlink(path);
    assert_int_equal(rmdir(dir->path), 0);
}

static struct crash_log *open_log(const struct data_dir *dir)
{
    struct crash_log *log = NULL;
    struct error err = {""};

    if (crash_log_open(dir, &log, &err) != 0)
        fail_msg("%s", err.text);
    return log;
}

static void F2_two_deaths_at_one_record_refuse_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t refused;
        struct engine_crash first;
    } rows[] = {
        {"", 0, {NULL, 0, 0}},
        {"11 3 47 alerts\n", 0, {NULL, 0, 0}},
        {"11 3 47 alerts\n6 3 47 alerts\n", 1, {"alerts", 3, 47}},
        {"11 3 47 alerts\n11 4 47 alerts\n11 3 48 alerts\n11 3 47 other\n", 0, {NULL, 0, 0}},
        {"11 3 47 alerts\n11 0 1 x\n11 3 47 alerts\n", 1, {"alerts", 3, 47}},
        {"11 -1 9 @intake\n11 -1 9 @intake\n11 -1 9 @intake\n", 1, {"@intake", -1, 9}},
        /* Not the end of a line, and none at all. */
        {"11 3 47 alerts\n11 3 47 alerts", 0, {NULL, 0, 0}},
        {"11 3 47 alerts\n11 3 47 alerts x\n11 3 alerts\n\n?\n", 0, {NULL, 0, 0}},
        {"11 3 4711 3 47 alerts\n11 3 47 alerts\n11 3 47 alerts\n", 1, {"alerts", 3, 47}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct engine_crash *refused;
        struct data_dir dir;
        open_dir(&dir);
        write_crashes(&dir, rows[i].text);
        struct crash_log *log = open_log(&dir);
        assert_int_equal(crash_log_refused(log, &refused), rows[i].refused);
        if (rows[i].refused > 0) {
            assert_string_equal(refused->topic, rows[i].first.topic);
            assert_int_equal(refused->partition, rows[i].first.partition);
            assert_int_equal(refused->offset, rows[i].first.offset);
        }
        crash_log_close(log);
        remove_dir(&dir);
    }
}

/* 6,000 deaths at a record each are 100 KiB: the newest 512 are kept, with how often. */
static void F2_the_file_of_deaths_is_bounded(void **state)
{
    (void)state;
    const struct engine_crash *refused;
    char path[DATA_DIR_PATH_BYTES];
    struct data_dir dir;
    struct stat now;

    open_dir(&dir);
    data_dir_folder(&dir, "crashes", path);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 6000; i++)
        fprintf(file, "11 3 %d alerts\n%s", i, i == 5900 ? "11 3 5900 alerts\n" : "");
    fclose(file);
    for (int start = 0; start < 2; start++) {
        struct crash_log *log = open_log(&dir);
        assert_int_equal(crash_log_refused(log, &refused), 1);
        assert_int_equal(refused->offset, 5900);
        crash_log_close(log);
    }
    assert_int_equal(stat(path, &now), 0);
    assert_int_equal(now.st_size, 513 * (off_t)strlen("11 3 5900 alerts\n"));
    assert_int_equal(now.st_mode & 0777, 0600);
    remove_dir(&dir);
}

/* ---- deaths ---- */

static size_t words(int signal, char to[FAULT_WORDS_BYTES])
{
    return (size_t)snprintf(to, FAULT_WORDS_BYTES, "%d\n", signal);
}

static volatile bool is_deep_enough; /* never */
static volatile uintptr_t wild = 16;

static void overflow(volatile char *from)
{
    volatile char room[4096];

    room[0] = from[0];
    if (!is_deep_enough)
        overflow(room); /* NOLINT(misc-no-recursion) */
    room[1] = room[0];
}

enum death { DEATH_WRITE, DEATH_ABORT, DEATH_RAISE, DEATH_STACK, DEATH_TOLD };

static void die(enum death how, int signal)
{
    char at[1] = {1};

    fault_stack_use();
    switch (how) {
    case DEATH_WRITE:
        *(volatile int *)wild = 1;
        break;
    case DEATH_ABORT:
        abort();
    case DEATH_RAISE:
        raise(signal);
        break;
    case DEATH_STACK:
        overflow(at);
        break;
    case DEATH_TOLD: /* by the parent */
        for (;;)
            pause();
    }
    _exit(0);
}

/* SIGKILL, and any signal from outside, are not the process's own fault. */
static void F2_only_faults_of_the_process_itself_are_written_down(void **state)
{
    (void)state;
    static const struct {
        enum death how;
        int signal;
        const char *said;
    } rows[] = {
        {DEATH_WRITE, SIGSEGV, "11\n"}, {DEATH_ABORT, SIGABRT, "6\n"},
        {DEATH_RAISE, SIGFPE, "8\n"},   {DEATH_RAISE, SIGILL, "4\n"},
        {DEATH_RAISE, SIGBUS, "7\n"},   {DEATH_STACK, SIGSEGV, "11\n"},
        {DEATH_TOLD, SIGKILL, ""},      {DEATH_TOLD, SIGSEGV, ""},
        {DEATH_TOLD, SIGABRT, ""},      {DEATH_TOLD, SIGTERM, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int ends[2], ready[2], status;
        char said[64] = "", byte = 1;
        assert_int_equal(pipe(ends) | pipe(ready), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(rows[i].signal, SIG_DFL); /* the test's own, and a sanitizer's */
            fault_catch(ends[1], words);
            if (write(ready[1], &byte, 1) == 1)
                die(rows[i].how, rows[i].signal);
            _exit(1);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        if (rows[i].how == DEATH_TOLD)
            kill(child, rows[i].signal);
        assert_int_equal(waitpid(child, &status, 0), child);
        close(ends[1]);
        ssize_t bytes = read(ends[0], said, sizeof(said) - 1);
        assert_true(bytes >= 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), rows[i].signal);
        assert_string_equal(said, rows[i].said);
        close(ends[0]);
        close(ready[0]);
        close(ready[1]);
    }
}

/* Where no record is worked on there is nothing to say. */
static void F2_a_death_between_records_is_nobodys(void **state)
{
    (void)state;
    struct engine_crash at;

    assert_false(engine_place_now(&at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F2_a_record_at_which_processes_died_is_refused_with_a_mark),
        cmocka_unit_test(F2_what_is_known_at_a_later_start_is_told_behind_what_was_told),
        cmocka_unit_test(F2_what_lies_behind_a_start_is_not_told_again),
        cmocka_unit_test(F2_two_deaths_at_one_record_refuse_it),
        cmocka_unit_test(F2_the_file_of_deaths_is_bounded),
        cmocka_unit_test(F2_only_faults_of_the_process_itself_are_written_down),
        cmocka_unit_test(F2_a_death_between_records_is_nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

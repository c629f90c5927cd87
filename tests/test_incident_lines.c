/*
 * Aim (C5, C7): where the journal has let go of its beginning, what was told still has its one
 * number, and the incident log gets the lines that a crash has kept from it, also where its last
 * one is of what was let go of; a file of something else gets none. Method: journals of a few
 * changes that are written by hand, on a disk in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include "daemon/incident_lines.h"
#include "daemon/incident_log.h"
#include "daemon/incident_log_mend.h"
#include "tests/sim_disk.h"

enum { SEGMENT = SEGMENT_BYTES_MIN, CHANGES = 6, LINE = 64 << 10 };
#define LOG "incidents.log"

static const struct segment_config config = {
    .folder = "data/journal", .kind = "journal", .directory = {1, 2}, .segment_bytes = SEGMENT};
static struct journal_place place_of[CHANGES + 1]; /* behind each, from 1 */
static char *line_of[CHANGES + 1];

/* So large that a segment has room for one. */
static struct incident change_of(uint32_t number)
{
    static char message[40000];
    struct incident inc;

    memset((void *)&inc, 0, sizeof(inc));
    memset(message, 'm', sizeof(message) - 1);
    inc.id = (struct id128){7, number};
    inc.change_number = 1;
    inc.at_ms = inc.opened_ms = 1000 * number;
    inc.tenant = inc.rule_id = inc.key = inc.title = inc.tier = inc.runbook = "";
    inc.team = inc.why = inc.source = inc.resource = inc.check = "";
    inc.host = inc.muted_by = inc.fields = inc.acked_by = inc.by = inc.comment = "";
    inc.message = message;
    return inc;
}

static struct segment_end end_of(struct segment_walk **walk)
{
    enum segment_refusal why;
    struct segment_frame frame;
    struct error err = {""};

    assert_int_equal(segment_walk_create(&config, walk, &why, &err), 0);
    while (segment_walk_next(*walk, &frame, &err) == 1)
        place_of[frame.number] = (struct journal_place){frame.number, frame.crc};
    return *segment_walk_end(*walk);
}

static struct segment_log *open_log(void)
{
    struct segment_walk *walk;
    const struct segment_end end = end_of(&walk);
    struct segment_log *log;
    struct error err = {""};

    assert_int_equal(segment_log_open(&config, &end, &log, &err), 0);
    segment_walk_destroy(walk);
    return log;
}

/* A journal of CHANGES groups with a change each; frames before `first` have been let go of. */
static void journal_make(uint64_t first)
{
    const struct host *h;
    struct segment_log *log;
    struct segment_walk *walk;
    struct error err = {""};

    sim_disk_begin(1);
    h = host();
    h->mkdir(h->self, "data", 0700);
    h->mkdir(h->self, "data/journal", 0700);
    h->sync_dir(h->self, ".");
    h->sync_dir(h->self, "data");
    log = open_log();
    for (uint32_t i = 1; i <= CHANGES; i++) {
        struct journal_buffer group = {.bytes = {.at = NULL}};
        struct journal_record record = {.kind = JOURNAL_CHANGE};
        const struct incident change = change_of(i);
        journal_put(&group, &(struct journal_record){.kind = JOURNAL_GROUP,
                                                     .group = {i, i + 1, i, i, JOURNAL_ENGINE}});
        memcpy((void *)&record.change, (const void *)&change, sizeof(change));
        journal_put(&group, &record);
        assert_int_equal(segment_log_append(log, JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST,
                                            group.bytes.at, group.bytes.count, NULL, &err),
                         0);
        assert_int_equal(segment_log_sync(log, &err), 0);
        journal_buffer_release(&group);
        free(line_of[i]);
        line_of[i] = memory_alloc(2 * LINE);
        assert_true(incident_log_change(&change, line_of[i], 2 * LINE) < 2 * LINE);
    }
    end_of(&walk);
    segment_walk_destroy(walk);
    assert_int_equal(segment_log_release_before(log, first, &err), 0);
    segment_log_destroy(log);
}

/* Of the first `count` lines. */
static struct snapshot_lines lines_of(uint32_t count)
{
    struct snapshot_lines lines = {.count = 0};

    for (uint32_t i = 1; i <= count; i++)
        incident_lines_add(&lines, line_of[i], strlen(line_of[i]));
    return lines;
}

static void a_number_goes_on_where_the_journal_begins_later(void **state)
{
    const struct journal_span behind_4 = {.from = {4, 0}, .to = UINT64_MAX};
    struct journal_span span = behind_4;
    struct snapshot_lines lines, whole;
    struct error err = {""};

    (void)state;
    journal_make(4);
    span.from = place_of[4];
    lines = lines_of(4);
    if (incident_lines_go_on(&config, &span, &lines, &err) != 0)
        fail_msg("%s", err.text);
    whole = lines_of(CHANGES);
    assert_memory_equal(&lines, &whole, sizeof(whole));
    /* What it was of is not there any more. */
    span.from = place_of[2];
    assert_true(incident_lines_go_on(&config, &span, &lines, &err) < 0);
    sim_disk_end();
}

/* The file has lines `from` to `to`, then `more`; what does it have behind the mending? */
static struct incident_log_mended mend(uint32_t from, uint32_t to, const char *more,
                                       const struct incident_log_known *known)
{
    struct incident_log_mended mended;
    struct line_writer *writer;
    struct error err = {""};

    host()->unlink(host()->self, LOG);
    writer = line_writer_open(LOG, LINE_WRITER_TRUNCATE, &err);
    for (uint32_t i = from; i <= to; i++)
        line_writer_add(writer, line_of[i], strlen(line_of[i]));
    if (more[0] != '\0')
        line_writer_add(writer, more, strlen(more));
    assert_int_equal(line_writer_close(writer), 0);
    writer = line_writer_open(LOG, LINE_WRITER_APPEND, &err);
    if (incident_log_mend(LOG, &config, known, writer, &mended, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(line_writer_close(writer), 0);
    return mended;
}

static void assert_log_has(uint32_t from, uint32_t to)
{
    const struct sim_file *file = sim_disk_file(LOG);
    size_t at = 0;

    for (uint32_t i = from; i <= to; i++) {
        size_t bytes = strlen(line_of[i]);
        assert_true(at + bytes < file->now_bytes);
        assert_memory_equal(file->now + at, line_of[i], bytes);
        assert_int_equal(file->now[at + bytes], '\n');
        at += bytes + 1;
    }
    assert_int_equal(at, file->now_bytes);
}

static void lines_are_mended_behind_one_that_was_let_go_of(void **state)
{
    struct incident_log_known known;
    struct incident_log_mended mended;

    (void)state;
    journal_make(4);
    known = (struct incident_log_known){place_of[4], lines_of(4).last};
    /* The snapshot's last line is the file's. */
    mended = mend(1, 4, "", &known);
    assert_true(mended.is_known);
    assert_int_equal(mended.lines, 2);
    assert_log_has(1, CHANGES);
    /* The file ends behind it. */
    mended = mend(3, 5, "", &known);
    assert_true(mended.is_known);
    assert_int_equal(mended.lines, 1);
    assert_log_has(3, CHANGES);
    mended = mend(1, CHANGES, "", &known);
    assert_true(mended.is_known);
    assert_int_equal(mended.lines, 0);
    /* It has lost more than the snapshot's last, and what it ends with is gone. */
    mended = mend(1, 3, "", &known);
    assert_false(mended.is_known);
    assert_int_equal(mended.lines, 0);
    mended = mend(1, 1, "a line of something else", &known);
    assert_false(mended.is_known);
    assert_int_equal(mended.lines, 0);
    sim_disk_end();
}

/* It lies before the snapshot, and the journal still has it. */
static void lines_are_mended_behind_one_that_is_still_there(void **state)
{
    struct incident_log_known known;
    struct incident_log_mended mended;

    (void)state;
    journal_make(3);
    known = (struct incident_log_known){place_of[5], lines_of(5).last};
    mended = mend(1, 3, "", &known);
    assert_true(mended.is_known);
    assert_int_equal(mended.lines, 3);
    assert_log_has(1, CHANGES);
    /* A file that was begun anew gets nothing. */
    mended = mend(1, 0, "", &known);
    assert_true(mended.is_known);
    assert_int_equal(mended.lines, 0);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_goes_on_where_the_journal_begins_later),
        cmocka_unit_test(lines_are_mended_behind_one_that_was_let_go_of),
        cmocka_unit_test(lines_are_mended_behind_one_that_is_still_there),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    for (int i = 1; i <= CHANGES; i++)
        free(line_of[i]);
    return failed;
}

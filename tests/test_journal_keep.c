/*
 * Aim (C5): of the oldest segments those go, and only those, that nobody needs any more, and that
 * are old enough or too many; a journal that is let go of behind snapshots stays within its bound
 * however long it is written, uses its files again, and is whole for whoever reads from there on,
 * whenever the power goes. Method: journals whose clocks are made up, on a disk in memory; what may
 * go is worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include "store/journal_format.h"
#include "store/journal_keep.h"
#include "store/journal_read.h"
#include "tests/sim_disk.h"

enum { SEGMENT = SEGMENT_BYTES_MIN, GROUP_BYTES = 12000, PER_SEGMENT = 5 };

static const struct segment_config config = {
    .folder = "data/journal", .kind = "journal", .directory = {1, 2}, .segment_bytes = SEGMENT};

static struct segment_log *open_log(void)
{
    enum segment_refusal why;
    struct segment_walk *walk;
    struct segment_frame frame;
    struct segment_log *log;
    struct error err = {""};
    int rc;

    if (segment_walk_create(&config, &walk, &why, &err) != 0)
        fail_msg("%s", err.text);
    while ((rc = segment_walk_next(walk, &frame, &err)) == 1)
        ;
    if (rc != 0 || segment_log_open(&config, segment_walk_end(walk), &log, &err) != 0)
        fail_msg("%s", err.text);
    segment_walk_destroy(walk);
    return log;
}

static struct segment_log *begin(void)
{
    const struct host *h;

    sim_disk_begin(1);
    h = host();
    h->mkdir(h->self, "data", 0700);
    h->mkdir(h->self, "data/journal", 0700);
    h->sync_dir(h->self, ".");
    h->sync_dir(h->self, "data");
    return open_log();
}

/* One group that fills a fifth of a segment, and holds a millisecond before `to_ms` or, where that
 * is 0, states of ops alone; its frame. */
static uint64_t put_group_of(struct segment_log *log, int64_t to_ms)
{
    int64_t from_ms = to_ms > 0 ? to_ms - 1 : 0;
    struct journal_buffer group = {.bytes = {.at = NULL}};
    char topic[GROUP_BYTES];
    struct error err = {""};
    uint64_t number = 0;

    memset(topic, 't', sizeof(topic) - 1);
    topic[sizeof(topic) - 1] = '\0';
    journal_put(&group, &(struct journal_record){.kind = JOURNAL_GROUP,
                                                 .group = {.from_ms = from_ms,
                                                           .to_ms = to_ms,
                                                           .n_ms = from_ms,
                                                           .r_ms = from_ms,
                                                           .engine = JOURNAL_ENGINE}});
    journal_put(&group, &(struct journal_record){.kind = JOURNAL_PART, .part = {0, 0, topic}});
    if (segment_log_append(log, JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST, group.bytes.at,
                           group.bytes.count, &number, &err) != 0 ||
        segment_log_sync(log, &err) != 0)
        fail_msg("%s", err.text);
    journal_buffer_release(&group);
    return number;
}

/* The same, of this clock. */
static uint64_t put_group(struct segment_log *log, int64_t n_ms)
{
    return put_group_of(log, n_ms + 1);
}

static void what_is_needed_or_young_stays(void **state)
{
    static const struct {
        uint64_t needed;
        int64_t now_ms, keep_ms;
        uint64_t bytes_max, before;
    } rows[] = {
        /* Segments begin with frames 1, 6, 11, 16 and 21; frame N has the clock N seconds. */
        {25, 100000, 1, 0, 21},                    /* all are old; the last is written on */
        {20, 100000, 1, 0, 16},                    /* 16 to 20 hold what is needed */
        {16, 100000, 1, 0, 16},                    /* 15 is the last that is not */
        {15, 100000, 1, 0, 11},                    /* 11 to 15 hold it */
        {5, 100000, 1, 0, 0},                      /* so does the first */
        {0, 100000, 1, 0, 0},                      /* nobody knows what is needed */
        {25, 26000, 10000, 0, 16},                 /* 16 is 10 s old, 21 is 5 */
        {25, 26000, 10001, 0, 11},                 /* a little younger */
        {25, 26000, 60000, 0, 0},                  /* all are young */
        {25, 26000, 0, 0, 0},                      /* whatever their age */
        {25, 26000, 60000, 5 * SEGMENT, 0},        /* young, and they fit */
        {25, 26000, 60000, 5 * SEGMENT - 1, 6},    /* one too many */
        {25, 26000, 0, 2 * SEGMENT, 16},           /* three too many */
        {12, 26000, 0, 1, 11},                     /* too many, and needed */
        {25, INT64_MIN, 10000, 0, 0},              /* nobody knows what time it is */
        {25, 26000, 20000, 4 * SEGMENT + 1000, 6}, /* size takes one, and age none */
        {25, 26000, 20000, 5 * SEGMENT, 6},        /* age takes one: 6 is 20 s old */
    };
    struct segment_log *log = begin();
    struct error err = {""};
    uint64_t before;

    (void)state;
    for (uint64_t i = 1; i <= 5 * PER_SEGMENT; i++)
        assert_int_equal(put_group(log, (int64_t)i * 1000), i);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct journal_keep keep = {rows[i].keep_ms, rows[i].bytes_max};
        if (journal_keep_before(&config, &keep, rows[i].needed, rows[i].now_ms, &before, &err) != 0)
            fail_msg("row %zu: %s", i, err.text);
        if (before != rows[i].before)
            fail_msg("row %zu: before %" PRIu64 ", not %" PRIu64, i, before, rows[i].before);
    }
    segment_log_destroy(log);
    sim_disk_end();
}

/* Behind a start ops are told before the first step, and the clock of such groups is none. */
static void groups_of_ops_alone_do_not_make_a_segment_old(void **state)
{
    const struct journal_keep keep = {.keep_ms = 10000};
    struct segment_log *log = begin();
    struct error err = {""};
    uint64_t before;

    (void)state;
    for (uint64_t i = 1; i <= 5 * PER_SEGMENT; i++)
        assert_int_equal(put_group_of(log, i % PER_SEGMENT == 1 ? 0 : (int64_t)i * 1000), i);
    /* Segments begin with 6, 11, 16 and 21; 12 is 14 s old, and 17 is 9. */
    assert_int_equal(journal_keep_before(&config, &keep, 25, 26000, &before, &err), 0);
    assert_int_equal(before, 11);
    segment_log_destroy(log);
    sim_disk_end();
}

/* Groups of the journal from the first that is whole; the last clock. */
static size_t read_all(uint64_t *begin_frame, int64_t *last_ms)
{
    struct journal_reader *reader;
    struct journal_record record;
    enum segment_refusal why;
    struct error err = {""};
    size_t groups = 0;
    int rc;

    if (journal_reader_create(&config, &reader, &why, &err) != 0)
        fail_msg("%s", err.text);
    *begin_frame = journal_reader_begin(reader);
    while ((rc = journal_reader_next(reader, &record, NULL, &err)) == 1)
        if (record.kind == JOURNAL_GROUP) {
            *last_ms = record.group.n_ms;
            groups++;
        }
    if (rc != 0)
        fail_msg("%s", err.text);
    journal_reader_destroy(reader);
    return groups;
}

static uint64_t bytes_on_disk(void)
{
    uint64_t bytes = 0;

    for (int i = 0; i < SIM_FILES; i++)
        if (sim.now[i].path[0] != '\0' && sim.now[i].file < SIM_FILES)
            bytes += sim.files[sim.now[i].file].now_bytes;
    return bytes;
}

/* Snapshots come every `PER_SNAPSHOT` groups; two stay. */
static void a_thousand_segments_stay_within_the_bound(void **state)
{
    enum { GROUPS = 5000, PER_SNAPSHOT = 23, KEPT = 4 };
    const struct journal_keep keep = {.keep_ms = 0, .bytes_max = KEPT * SEGMENT};
    struct segment_log *log = begin();
    struct segment_counters counters;
    uint64_t newest = 0, older = 0, before, first = 0, most = 0;
    int64_t last_ms = 0;
    struct error err = {""};

    (void)state;
    for (uint64_t i = 1; i <= GROUPS; i++) {
        uint64_t frame = put_group(log, (int64_t)i);
        while (segment_log_prepare(log, SEGMENT))
            ;
        if (i % PER_SNAPSHOT == 0) {
            older = newest;
            newest = frame;
            assert_int_equal(journal_keep_before(&config, &keep, older, (int64_t)i, &before, &err),
                             0);
            if (before > 0)
                assert_int_equal(segment_log_release_before(log, before, &err), 0);
        }
        if (i > 10 * PER_SNAPSHOT && bytes_on_disk() > most)
            most = bytes_on_disk();
    }
    segment_log_counters(log, &counters);
    assert_int_equal(counters.recycled + counters.removed + counters.segments,
                     GROUPS / PER_SEGMENT);
    assert_true(counters.recycled > 100);
    /* What a start may need are up to 3 snapshots' groups over 14 segments and a part of one. */
    assert_true(most <= (3 * PER_SNAPSHOT / PER_SEGMENT + 2 + SPARES_MAX + 1) * SEGMENT);
    segment_log_destroy(log);
    log = open_log();
    assert_true(read_all(&first, &last_ms) >= GROUPS - older);
    assert_int_equal(last_ms, GROUPS);
    assert_true(first > 1 && first <= older);
    segment_log_destroy(log);
    sim_disk_end();
}

/* What a crash at any call leaves is whole from the older snapshot on. */
static void a_power_cut_while_segments_go_leaves_all_that_is_needed(void **state)
{
    enum { GROUPS = 32, NEEDED = 23 };
    const struct journal_keep keep = {.keep_ms = 1, .bytes_max = 0};

    (void)state;
    for (uint64_t crash = 1; crash < 60; crash++)
        for (uint64_t dice = 1; dice <= 4; dice++) {
            struct segment_log *log = begin();
            uint64_t before = 0;
            struct error err = {""};
            for (int64_t i = 1; i <= GROUPS; i++)
                put_group(log, i);
            assert_int_equal(journal_keep_before(&config, &keep, NEEDED, 1000, &before, &err), 0);
            assert_int_equal(before, 21);
            sim.random = crash * 100 + dice;
            sim.crash_at = sim.calls + crash;
            if (segment_log_release_before(log, before, &err) == 0 &&
                !segment_log_prepare(log, SEGMENT))
                for (int64_t i = 1; i <= 3 && sim.calls < sim.crash_at; i++) {
                    char payload[GROUP_BYTES] = {0}; /* the spares are used again */
                    if (segment_log_append(log, 0, payload, sizeof(payload), NULL, &err) != 0 ||
                        segment_log_sync(log, &err) != 0)
                        break;
                }
            segment_log_destroy(log);
            sim_disk_cut();
            log = open_log();
            segment_log_destroy(log);
            struct journal_place place = {NEEDED, 0};
            struct journal_reader *reader;
            enum journal_seek seek;
            enum segment_refusal why;
            if (journal_reader_create_at(&config, &place, GROUPS, &seek, &reader, &why, &err) != 0)
                fail_msg("crash %" PRIu64 ": %s", crash, err.text);
            /* The checksum is another one: that frame itself was found. */
            assert_int_equal(seek, JOURNAL_SEEK_OTHER);
            journal_reader_destroy(reader);
            sim_disk_end();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_needed_or_young_stays),
        cmocka_unit_test(groups_of_ops_alone_do_not_make_a_segment_old),
        cmocka_unit_test(a_thousand_segments_stay_within_the_bound),
        cmocka_unit_test(a_power_cut_while_segments_go_leaves_all_that_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

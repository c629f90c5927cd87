/*
 * Aim: what is recorded is read back byte for byte; a file that was cut anywhere gives all
 * whole blocks before the cut; a byte that was changed anywhere is noticed, with the
 * place, or changes nothing. Method: a small recording is made on disk, read into memory,
 * and every damaged copy is read through a host table that serves it from memory.
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
#include <unistd.h>
#include "base/event.h"
#include "base/host.h"
#include "daemon/replay_input.h"
#include "ingest/recording_source.h"
#include "tests/memory_host.h"
#include "store/recording.h"
#include "store/recording_format.h"

enum { RECORDS = 300, PARTS = 3 };

static char folder[] = "/tmp/tocsin_test_recording_XXXXXX"; /* the working folder of all cases */
static const char path[] = "test.recording";

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

/* Record i of a part: made from its number alone, so that a reader knows what to expect. */
static struct recorded expected(int part, int i, char *room)
{
    int bytes = sprintf(room, "{\"part\":%d,\"record\":%d,\"fill\":\"%0*d\"}", part, i,
                        1 + (i * 7919) % 60, i);
    struct recorded recorded = {
        .offset = 1000 * part + i + (i > 100 ? 5 : 0), /* a hole */
        .time_ms = part == 2 ? RECORDING_NO_TIME : 1700000000000 + i * 10 - (i % 7) * 3,
        .key = i % 3 == 0 ? "key" : NULL,
        .key_bytes = i % 3 == 0 ? 3 : 0,
        .payload = i % 50 == 49 ? NULL : room,
        .bytes = i % 50 == 49 ? 0 : (uint32_t)bytes,
        .leader_epoch = i < 200 ? 4 : 5,
    };
    if (i % 50 == 48)
        recorded.bytes = 0; /* empty, as opposed to absent */
    return recorded;
}

static struct recording_writer *begin(void)
{
    static const char *const topics[PARTS] = {"alerts", "alerts", "other"};
    struct recording_writer *writer;
    struct error err = {""};

    unlink(path);
    if (recording_writer_create(path, &writer, &err) != 0)
        fail_msg("%s", err.text);
    for (int part = 0; part < PARTS; part++)
        assert_int_equal(
            recording_writer_add_part(writer, topics[part], part % 2, 1000 * part, &err), part);
    return writer;
}

static void add_all(struct recording_writer *writer, int from, int to)
{
    struct error err = {""};
    char room[256];

    for (int i = from; i < to; i++)
        for (int part = 0; part < PARTS; part++) {
            struct recorded recorded = expected(part, i, room);
            assert_int_equal(recording_writer_add(writer, part, &recorded, &err), 0);
        }
}

static const struct mark marks[] = {
    {MARK_JOIN, 0, 0, INT64_MIN},
    {MARK_SEAL, 2, 2007, 1700000000123},
    {MARK_CAP, 1, 1005, 1700000000000},
};

/* Makes the recording: several blocks per part, marks between. */
static void make(bool finish)
{
    struct recording_writer *writer = begin();
    struct error err = {""};

    for (int i = 0; i < RECORDS; i += 100) {
        add_all(writer, i, i + 100);
        assert_int_equal(recording_writer_add_mark(writer, &marks[i / 100], &err), 0);
        assert_int_equal(recording_writer_sync(writer, &err), 0);
    }
    if (finish)
        assert_int_equal(recording_writer_finish(writer, &err), 0);
    recording_writer_destroy(writer);
}

/* Reads one part and checks each record. Returns how many, or -1 with *err. */
static int read_part(const struct recording *recording, int part, struct error *err)
{
    struct recording_cursor *cursor = recording_cursor_create(recording, (size_t)part);
    struct recorded got[17];
    char room[256];
    ptrdiff_t count;
    int seen = 0;

    while ((count = recording_cursor_next(cursor, got, 17, err)) > 0)
        for (ptrdiff_t i = 0; i < count; i++, seen++) {
            struct recorded want = expected(part, seen, room);
            assert_int_equal(got[i].offset, want.offset);
            assert_int_equal(got[i].time_ms, want.time_ms);
            assert_int_equal(got[i].leader_epoch, want.leader_epoch);
            assert_int_equal(got[i].key_bytes, want.key_bytes);
            assert_int_equal(got[i].bytes, want.bytes);
            assert_int_equal(got[i].key == NULL, want.key == NULL);
            assert_int_equal(got[i].payload == NULL, want.payload == NULL);
            if (want.key_bytes > 0)
                assert_memory_equal(got[i].key, want.key, want.key_bytes);
            if (want.bytes > 0)
                assert_memory_equal(got[i].payload, want.payload, want.bytes);
        }
    recording_cursor_destroy(cursor);
    return count < 0 ? -1 : seen;
}

static void what_was_recorded_is_read_back(void **state)
{
    (void)state;
    for (int finish = 0; finish < 2; finish++) {
        struct recording *recording;
        struct error err = {""};
        uint64_t torn;
        size_t mark_count;

        make(finish == 1);
        if (recording_open(path, &recording, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(recording_is_complete(recording, &torn), finish == 1);
        assert_int_equal(torn, 0);
        assert_string_equal(recording_engine(recording), "tocsin " TOCSIN_VERSION);
        assert_int_equal(recording_part_count(recording), PARTS);
        for (int part = 0; part < PARTS; part++) {
            const struct recording_part *info = recording_part(recording, (size_t)part);
            assert_string_equal(info->topic, part == 2 ? "other" : "alerts");
            assert_int_equal(info->partition, part % 2);
            assert_int_equal(info->start_offset, 1000 * part);
            assert_int_equal(info->record_count, RECORDS);
            assert_int_equal(read_part(recording, part, &err), RECORDS);
        }
        const struct mark *got = recording_marks(recording, &mark_count);
        assert_int_equal(mark_count, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(got[i].kind, marks[i].kind);
            assert_int_equal(got[i].part, marks[i].part);
            assert_int_equal(got[i].offset, marks[i].offset);
            assert_int_equal(got[i].value_ms, marks[i].value_ms);
        }
        recording_destroy(recording);
    }
}

/* The file in memory, and a host that serves a damaged copy. */
static char *bytes, *copy;
static size_t byte_count;

static void serve_from_memory(bool finish)
{
    make(finish);
    assert_int_equal(host_read_file(path, 1 << 24, &bytes, &byte_count), 0);
    copy = malloc(byte_count);
    memcpy(copy, bytes, byte_count);
    memory_host_file = copy;
    memory_host_bytes = byte_count;
    memory_host_begin();
}

static void serve_no_more(void)
{
    host_set(NULL);
    free(bytes);
    free(copy);
}

/* Records in whole blocks before `end`, by a walk of its own over the undamaged bytes. */
static int whole_records_before(size_t end, size_t *whole_bytes)
{
    size_t at = sizeof(struct file_head);
    int records = 0;

    for (;;) {
        struct block_head head;
        *whole_bytes = at;
        if (at + sizeof(head) > end)
            return records;
        memcpy(&head, bytes + at, sizeof(head));
        at += sizeof(head) + head.packed_bytes;
        if (head.magic != BLOCK_MAGIC || at > end)
            return records;
        if (head.kind == BLOCK_RECORDS)
            records += (int)head.count;
    }
}

static void a_file_cut_anywhere_gives_all_whole_blocks(void **state)
{
    (void)state;
    serve_from_memory(true);
    for (memory_host_bytes = sizeof(struct file_head); memory_host_bytes < byte_count;
         memory_host_bytes++) {
        struct recording *recording;
        struct error err = {""};
        uint64_t torn;
        size_t whole;
        int want = whole_records_before(memory_host_bytes, &whole), seen = 0;

        if (recording_open(path, &recording, &err) != 0)
            fail_msg("cut at %zu: %s", memory_host_bytes, err.text);
        assert_false(recording_is_complete(recording, &torn));
        assert_int_equal(torn, memory_host_bytes - whole);
        for (size_t part = 0; part < recording_part_count(recording); part++)
            seen += read_part(recording, (int)part, &err);
        assert_int_equal(seen, want);
        recording_destroy(recording);
    }
    for (memory_host_bytes = 0; memory_host_bytes < sizeof(struct file_head); memory_host_bytes++) {
        struct recording *recording;
        struct error err = {""};
        assert_int_equal(recording_open(path, &recording, &err), -EBADMSG);
        assert_string_equal(err.text, "test.recording: byte 0: this is no recording");
    }
    serve_no_more();
}

/* Each byte in turn. Reading must name the file and a byte at or before the damage, or
 * give everything unchanged (read_part checks each record). */
static void a_changed_byte_is_noticed_or_changes_nothing(void **state)
{
    (void)state;
    for (int finish = 0; finish < 2; finish++) {
        size_t noticed = 0;
        serve_from_memory(finish == 1);
        for (size_t at = 0; at < byte_count; at++) {
            struct recording *recording;
            struct error err = {""};
            int seen = 0;
            bool is_bad = false;
            uint64_t torn = 0;

            copy[at] = (char)(copy[at] ^ (1 << (at % 8)));
            if (recording_open(path, &recording, &err) != 0) {
                is_bad = true;
            } else {
                recording_is_complete(recording, &torn);
                for (size_t part = 0; part < recording_part_count(recording); part++) {
                    int count = read_part(recording, (int)part, &err);
                    is_bad = is_bad || count < 0;
                    seen += count;
                }
                recording_destroy(recording);
            }
            if (is_bad) {
                unsigned long long where;
                assert_int_equal(sscanf(err.text, "test.recording: byte %llu: ", &where), 1);
                assert_true(where <= at);
                noticed++;
            } else if (seen != PARTS * RECORDS) {
                /* Only damage behind which no block stands may pass for a torn end. */
                size_t whole;
                assert_int_equal(finish, 0);
                assert_true(torn > 0);
                assert_int_equal(seen, whole_records_before(at, &whole));
                assert_int_equal(whole, byte_count - torn);
            }
            copy[at] = bytes[at];
        }
        assert_true(noticed > byte_count / 2);
        serve_no_more();
    }
}

static void an_existing_file_is_never_overwritten(void **state)
{
    (void)state;
    struct recording_writer *writer;
    struct error err = {""};

    make(true);
    assert_int_equal(recording_writer_create(path, &writer, &err), -EEXIST);
    assert_string_equal(err.text, "test.recording: the recording cannot be made: File exists");
}

static void a_replay_knows_it_by_its_first_bytes(void **state)
{
    (void)state;
    const char *const recording[] = {path}, *const lines[] = {"test.lines"};
    struct replay_input *input = NULL;
    struct error err = {""};
    size_t mark_count;
    FILE *file;

    make(true);
    assert_int_equal(replay_input_open(recording, 1, "events", NULL, &input, &err), 0);
    replay_input_marks(input, &mark_count);
    assert_int_equal(mark_count, 3); /* lines have none */
    replay_input_close(input);

    file = fopen(lines[0], "w");
    assert_non_null(file);
    fputs("TOCSINR and so on\n", file);
    fclose(file);
    assert_false(recording_begins(lines[0]));
    assert_false(recording_begins("no such file"));
    assert_false(recording_begins("."));
    unlink(lines[0]);
}

static void a_mark_whose_value_is_no_time_is_refused(void **state)
{
    static const struct mark beyond[] = {
        {MARK_SEAL, 0, 0, ((int64_t)1 << 53) + 1},
        {MARK_BLIND_BEGIN, 0, 0, -((int64_t)1 << 53) - 1},
        {MARK_SHED, 0, 0, 807},       /* of no severity */
        {MARK_SEAL, 0, 0, INT64_MIN}, /* a partition joins there, and is sealed nowhere before */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        struct recording_writer *writer = begin();
        struct recording *recording = NULL;
        struct error err = {""};
        assert_int_equal(recording_writer_add_mark(writer, &beyond[i], &err), 0);
        assert_int_equal(recording_writer_finish(writer, &err), 0);
        recording_writer_destroy(writer);
        assert_int_not_equal(recording_open(path, &recording, &err), 0);
        assert_non_null(strstr(err.text, "the value of a mark is no time"));
    }
}

static void a_newer_format_is_refused_by_name(void **state)
{
    (void)state;
    struct recording *recording;
    struct error err = {""};
    struct file_head head;

    serve_from_memory(true);
    memcpy(&head, copy, sizeof(head));
    head.version = RECORDING_VERSION + 1;
    head.hash = hash64(&head, offsetof(struct file_head, hash), 0);
    memcpy(copy, &head, sizeof(head));
    assert_int_equal(recording_open(path, &recording, &err), -EBADMSG);
    assert_string_equal(err.text, "test.recording: this recording has format 2; this program "
                                  "reads up to format 1");
    serve_no_more();
}

static void payloads_beyond_the_limit_are_cut_so_that_they_are_refused(void **state)
{
    (void)state;
    struct recording_writer *writer = begin();
    struct recording *recording;
    struct error err = {""};
    struct recorded out[2];
    char *big = malloc(3 << 20);

    memset(big, 'x', 3 << 20);
    for (int i = 0; i < 2; i++) {
        struct recorded recorded = {.offset = i,
                                    .time_ms = 5,
                                    .payload = big,
                                    .bytes = i == 0 ? RECORD_BYTES_MAX : 3 << 20,
                                    .leader_epoch = -1};
        assert_int_equal(recording_writer_add(writer, 0, &recorded, &err), 0);
    }
    assert_int_equal(recording_writer_finish(writer, &err), 0);
    recording_writer_destroy(writer);
    assert_int_equal(recording_open(path, &recording, &err), 0);
    struct recording_cursor *cursor = recording_cursor_create(recording, 0);
    assert_int_equal(recording_cursor_next(cursor, out, 2, &err), 1); /* a block each */
    assert_int_equal(out[0].bytes, RECORD_BYTES_MAX);
    assert_int_equal(recording_cursor_next(cursor, out, 2, &err), 1);
    assert_int_equal(out[0].bytes, RECORD_BYTES_MAX + 1);
    assert_int_equal(recording_cursor_next(cursor, out, 2, &err), 0);
    recording_cursor_destroy(cursor);
    recording_destroy(recording);
    free(big);
}

static void as_a_source_it_has_a_feed_per_partition_that_finishes(void **state)
{
    (void)state;
    const char *const paths[] = {path, path};
    struct source *source;
    struct source_change changes[8];
    struct error err = {""};
    size_t mark_count;

    make(true);
    assert_int_equal(recording_source_open(paths, 1, &source, &err), 0);
    assert_int_equal(source->ops->changes(source, changes, 8), PARTS);
    for (int part = 0; part < PARTS; part++) {
        struct feed *feed = changes[part].feed;
        const struct record *records;
        char room[256];
        size_t seen = 0, got;

        assert_int_equal(feed->partition, part % 2);
        assert_int_equal(feed->start_offset, 1000 * part);
        assert_int_equal(feed->ops->lag(feed), RECORDS);
        while ((got = feed->ops->take(feed, &records, 7)) > 0) {
            assert_int_equal(feed->ops->state(feed), FEED_LIVE);
            for (size_t i = 0; i < got; i++, seen++) {
                struct recorded want = expected(part, (int)seen, room);
                assert_int_equal(records[i].offset, want.offset);
                assert_int_equal(records[i].log_time_ms, want.time_ms);
                assert_int_equal(records[i].bytes, want.bytes);
            }
            feed->ops->release(feed);
        }
        assert_int_equal(seen, RECORDS);
        assert_int_equal(feed->ops->state(feed), FEED_FINISHED);
        assert_int_equal(feed->ops->lag(feed), 0);
    }
    recording_source_marks(source, &mark_count);
    assert_int_equal(mark_count, 3);
    assert_true(source->ops->ready(source, &err));
    source->ops->close(source);

    assert_int_equal(recording_source_open(paths, 2, &source, &err), -EINVAL);
    assert_string_equal(err.text, "test.recording: alerts/0 is in an earlier recording already");
}

static void a_damaged_block_stops_its_feed_and_no_other(void **state)
{
    (void)state;
    const char *const paths[] = {path};
    struct source *source;
    struct source_change changes[8];
    struct error err = {""};

    serve_from_memory(true);
    /* The first block of records belongs to part 0; behind three parts. */
    size_t at = sizeof(struct file_head);
    for (struct block_head head;; at += sizeof(head) + head.packed_bytes) {
        memcpy(&head, copy + at, sizeof(head));
        if (head.kind == BLOCK_RECORDS)
            break;
    }
    copy[at + sizeof(struct block_head) + 10] ^= 1;
    assert_int_equal(recording_source_open(paths, 1, &source, &err), 0);
    assert_int_equal(source->ops->changes(source, changes, 8), PARTS);
    for (int part = 0; part < PARTS; part++) {
        struct feed *feed = changes[part].feed;
        const struct record *records;
        size_t got, seen = 0;
        while ((got = feed->ops->take(feed, &records, 100)) > 0) {
            seen += got;
            feed->ops->release(feed);
        }
        assert_int_equal(seen, part == 0 ? 0 : RECORDS);
        assert_int_equal(feed->ops->state(feed), part == 0 ? FEED_STOPPED : FEED_FINISHED);
    }
    char want[200];
    snprintf(want, sizeof(want),
             "test.recording: byte %zu: the checksum of this block does not hold", at);
    assert_false(source->ops->ready(source, &err));
    assert_string_equal(err.text, want);
    source->ops->close(source);
    serve_no_more();
}

/* Events at 10, 20 and 30 s of a producer that stamps nothing; the second line has no time. */
static void record_timeless(void)
{
    static const char *const events[] = {
        "{\"resource\":\"r\",\"check\":\"c\",\"severity\":\"major\",\"time\":\"1970-01-01T00:00:"
        "10Z\"}",
        "{\"resource\":\"r\",\"check\":\"c\",\"severity\":\"major\"}",
        "{\"resource\":\"r\",\"check\":\"c\",\"severity\":\"major\",\"time\":\"1970-01-01T00:00:"
        "20Z\"}",
        "{\"resource\":\"r\",\"check\":\"c\",\"severity\":\"major\",\"time\":\"1970-01-01T00:00:"
        "30Z\"}",
    };
    struct recording_writer *writer;
    struct error err = {""};

    unlink(path);
    assert_int_equal(recording_writer_create(path, &writer, &err), 0);
    assert_int_equal(recording_writer_add_part(writer, "t", 0, 0, &err), 0);
    for (int i = 0; i < 4; i++) {
        struct recorded recorded = {.offset = i,
                                    .time_ms = RECORDING_NO_TIME,
                                    .payload = events[i],
                                    .bytes = (uint32_t)strlen(events[i])};
        assert_int_equal(recording_writer_add(writer, 0, &recorded, &err), 0);
    }
    assert_int_equal(recording_writer_finish(writer, &err), 0);
    recording_writer_destroy(writer);
}

/* A stretch of a recording without log times goes by its events' own, as one of JSON lines does. */
static void a_stretch_of_records_without_log_times_goes_by_their_events(void **state)
{
    (void)state;
    static const struct {
        int64_t from_ms, to_ms;
        const char *offsets;
    } cases[] = {
        {10000, 30000, "012"},
        {10001, 30001, "23"}, /* 1 is of the time of 0 */
        {30001, 40000, ""},
    };
    const char *const paths[] = {path};

    record_timeless();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct range_config config = {.from = {RANGE_TIME, cases[i].from_ms},
                                      .to = {RANGE_TIME, cases[i].to_ms}};
        struct replay_input *input;
        struct source_change change;
        struct error err = {""};
        const struct record *records;
        char offsets[8];
        size_t used = 0, count;
        if (replay_input_open(paths, 1, "events", &config, &input, &err) != 0)
            fail_msg("%s", err.text);
        struct source *source = replay_input_source(input);
        assert_int_equal(source->ops->changes(source, &change, 1), 1);
        while ((count = change.feed->ops->take(change.feed, &records, 2)) > 0) {
            for (size_t r = 0; r < count; r++)
                offsets[used++] = (char)('0' + records[r].offset);
            change.feed->ops->release(change.feed);
        }
        offsets[used] = '\0';
        assert_string_equal(offsets, cases[i].offsets);
        replay_input_close(input);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stretch_of_records_without_log_times_goes_by_their_events),
        cmocka_unit_test(what_was_recorded_is_read_back),
        cmocka_unit_test(a_file_cut_anywhere_gives_all_whole_blocks),
        cmocka_unit_test(a_changed_byte_is_noticed_or_changes_nothing),
        cmocka_unit_test(an_existing_file_is_never_overwritten),
        cmocka_unit_test(a_replay_knows_it_by_its_first_bytes),
        cmocka_unit_test(a_mark_whose_value_is_no_time_is_refused),
        cmocka_unit_test(a_newer_format_is_refused_by_name),
        cmocka_unit_test(payloads_beyond_the_limit_are_cut_so_that_they_are_refused),
        cmocka_unit_test(as_a_source_it_has_a_feed_per_partition_that_finishes),
        cmocka_unit_test(a_damaged_block_stops_its_feed_and_no_other),
    };
    return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}

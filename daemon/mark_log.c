/*
 * mark_log.c - see mark_log.h. The form of a line is that of a .tlog file.
 */
#include "daemon/mark_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "daemon/command.h"
#include "daemon/data_look.h"
#include "daemon/line_writer.h"
#include "daemon/log.h"
#include "ingest/intake_source.h"
#include "store/journal_recall.h"

enum { LINE_BYTES = 512 }; /* a topic's name has at most 249 bytes */
#define FLUSH_EVERY_NS 1000000000u

/* The newest seal of a partition, held back because the next may replace it. */
struct held {
    struct mark mark;
    const char *topic; /* NULL: none is held */
    int32_t partition;
};

struct mark_log {
    struct line_writer *writer;
    VECTOR_OF(struct held) parts; /* by part */
    uint64_t bytes, bytes_max;
    uint64_t flushed_ns;
    bool is_full;
    /* Written by the sequencer's listener, read by anyone: relaxed, they say nothing of
     * other memory. */
    atomic_uint_fast64_t written, dropped;
    atomic_bool failed;
};

struct mark_log *mark_log_create(const char *path, uint64_t bytes_max, struct error *err)
{
    struct mark_log *log = calloc(1, sizeof(*log));

    if (log == NULL) {
        error_set(err, "%s: out of memory", path);
        return NULL;
    }
    log->writer = line_writer_open(path, LINE_WRITER_TRUNCATE, err);
    if (log->writer == NULL) {
        free(log);
        return NULL;
    }
    log->bytes_max = bytes_max;
    log->flushed_ns = host_mono_ns();
    return log;
}

static void count(atomic_uint_fast64_t *counter)
{
    /* One writer: its own last store plus one. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void write_mark(struct mark_log *log, const struct mark *mark, const char *topic,
                       int32_t partition)
{
    char line[LINE_BYTES];
    int length = snprintf(line, sizeof(line),
                          "{\"mark\":\"%s\",\"topic\":\"%s\",\"partition\":%" PRId32
                          ",\"offset\":%" PRId64 ",\"value\":%" PRId64 "}",
                          mark_kind_name(mark->kind), topic != NULL ? topic : "", partition,
                          mark->offset, mark->value_ms);

    if (!log->is_full && log->bytes + (uint64_t)length + 1 > log->bytes_max) {
        log->is_full = true;
        log_event(LOG_WARNING, "marks_full", log_number("bytes", (int64_t)log->bytes),
                  log_text("next", "no more marks are written; the run goes on"));
    }
    if (log->is_full) {
        count(&log->dropped);
        return;
    }
    count(&log->written);
    log->bytes += (uint64_t)length + 1;
    line_writer_add(log->writer, line, (size_t)length);
}

/* The held seal of a part goes first: it took effect before what comes now. */
static void let_out(struct mark_log *log, struct held *held)
{
    if (held->topic != NULL)
        write_mark(log, &held->mark, held->topic, held->partition);
    held->topic = NULL;
}

void mark_log_add(struct mark_log *log, const struct mark *mark, const char *topic,
                  int32_t partition)
{
    uint64_t now_ns = host_mono_ns();

    if (topic == NULL) {
        write_mark(log, mark, topic, partition);
    } else {
        struct held *held;
        while (log->parts.count <= mark->part)
            vector_add(&log->parts) = (struct held){.topic = NULL};
        held = &log->parts.at[mark->part];
        if (mark->kind != MARK_SEAL || mark->offset != held->mark.offset)
            let_out(log, held);
        if (mark->kind == MARK_SEAL)
            *held = (struct held){*mark, topic, partition};
        else
            write_mark(log, mark, topic, partition);
    }
    if (now_ns - log->flushed_ns > FLUSH_EVERY_NS) {
        log->flushed_ns = now_ns;
        /* A failure stays with the writer, for the close. */
        atomic_store_explicit(&log->failed, line_writer_flush(log->writer) != 0,
                              memory_order_relaxed);
    }
}

void mark_log_counters(const struct mark_log *log, struct mark_counters *out)
{
    *out = (struct mark_counters){0};
    if (log == NULL)
        return;
    out->written = atomic_load_explicit(&log->written, memory_order_relaxed);
    out->dropped = atomic_load_explicit(&log->dropped, memory_order_relaxed);
    out->failed = atomic_load_explicit(&log->failed, memory_order_relaxed);
}

int mark_log_close(struct mark_log *log)
{
    int rc;

    if (log == NULL)
        return 0;
    for (size_t i = 0; i < log->parts.count; i++)
        let_out(log, &log->parts.at[i]);
    rc = line_writer_close(log->writer);
    free(log->parts.at);
    free(log);
    return rc;
}

/* ---- reading ---- */

static size_t find_part(const struct mark_part *parts, size_t count, const char *topic,
                        json_int_t partition)
{
    size_t i = 0;

    while (i < count && (parts[i].partition != partition || strcmp(parts[i].topic, topic) != 0))
        i++;
    return i;
}

static bool kind_of(const char *name, enum mark_kind *kind)
{
    for (int i = 0; name != NULL && i < MARK_KIND_COUNT; i++)
        if (strcmp(name, mark_kind_name((enum mark_kind)i)) == 0) {
            *kind = (enum mark_kind)i;
            return true;
        }
    return false;
}

struct reader {
    const struct mark_part *parts;
    size_t part_count;
    bool *has_joined; /* of each part */
    struct mark_list list;
    size_t room;
};

static void keep(struct reader *reader, struct mark mark)
{
    struct mark_list *list = &reader->list;

    if (list->count == reader->room) {
        reader->room = reader->room == 0 ? 1024 : 2 * reader->room;
        list->marks = memory_grow(list->marks, reader->room * sizeof(*list->marks));
    }
    list->marks[list->count++] = mark;
}

/* Where a partition joined for the first time there the run began to read it. */
static void note_join(struct reader *reader, size_t part, int64_t offset)
{
    if (part == reader->part_count || reader->has_joined[part])
        return;
    reader->has_joined[part] = true;
    if (offset <= reader->parts[part].start_offset)
        return;
    if (reader->list.late++ == 0) {
        reader->list.late_part = part;
        reader->list.late_offset = offset;
    }
}

/* One that was made, of this topic and partition. */
static void take(struct reader *reader, struct mark mark, const char *topic, int64_t partition)
{
    size_t part;

    if (mark.kind == MARK_SWITCH) {
        reader->list.switches++;
        return;
    }
    if (mark.kind == MARK_LEAVE) {
        reader->list.leaves++;
        return;
    }
    if (mark.kind == MARK_BEGIN) {
        keep(reader, mark);
        return;
    }
    part = find_part(reader->parts, reader->part_count, topic, partition);
    if (mark.kind == MARK_JOIN) {
        note_join(reader, part, mark.offset);
        if (mark.value_ms == INT64_MIN) /* from the start: nothing had been closed */
            return;
        mark.kind = MARK_SEAL;
    }
    if (mark.kind != MARK_SEAL && mark.kind != MARK_CAP && mark.kind != MARK_BLIND_BEGIN &&
        mark.kind != MARK_BLIND_END && mark.kind != MARK_CRASH && mark.kind != MARK_INPUT &&
        mark.kind != MARK_SHED && mark.kind != MARK_AWAY_BEGIN && mark.kind != MARK_AWAY_END)
        return;
    if (mark.kind == MARK_INPUT && part == reader->part_count)
        return; /* nothing is read by it */
    if (part == reader->part_count) {
        /* A run with a data directory reads the intake; a recording lacks what was pushed, if
         * anything was. */
        reader->list.foreign += strcmp(topic, INTAKE_TOPIC) != 0 || mark.offset > 0;
        return;
    }
    mark.part = (uint16_t)part;
    keep(reader, mark);
}

static int read_line(const char *at, size_t bytes, struct reader *reader, struct error *err)
{
    json_error_t fault;
    json_t *line = json_loadb(at, bytes, JSON_REJECT_DUPLICATES, &fault); /* ours */
    const char *topic;
    const json_t *partition, *offset, *value;
    struct mark mark = {.part = 0};
    int rc = -EINVAL;

    if (line == NULL) {
        error_set(err, "column %d: %s", fault.column, fault.text);
        return -EINVAL;
    }
    topic = json_string_value(json_object_get(line, "topic"));
    partition = json_object_get(line, "partition");
    offset = json_object_get(line, "offset");
    value = json_object_get(line, "value");
    if (!kind_of(json_string_value(json_object_get(line, "mark")), &mark.kind)) {
        error_set(err, "there is no such mark; it is seal, cap, blind-begin, blind-end, join, "
                       "leave, switch or another word that a run writes");
        goto out;
    }
    if (topic == NULL || !json_is_integer(partition) || !json_is_integer(offset) ||
        !json_is_integer(value)) {
        error_set(err, "a mark has a topic, and numbers for partition, offset and value");
        goto out;
    }
    mark.offset = json_integer_value(offset);
    mark.value_ms = json_integer_value(value);
    rc = mark.kind == MARK_SWITCH || mark.kind == MARK_LEAVE || mark_is_possible(&mark) ? 0
                                                                                        : -EINVAL;
    if (rc != 0)
        error_set(err,
                  mark.kind == MARK_SHED
                      ? "the value %lld of this mark is none of shedding: eight times how many ms "
                        "the partition was behind, and the number of a severity"
                      : "the value %lld of this mark is no time",
                  (long long)mark.value_ms);
    else
        take(reader, mark, topic, json_integer_value(partition));
out:
    json_decref(line);
    return rc;
}

static int read_lines(const char *path, struct reader *reader, struct error *err)
{
    char *text = NULL;
    size_t bytes = 0, number = 0;
    int rc = host_read_file(path, MARK_LOG_BYTES_MAX, &text, &bytes);

    if (rc != 0) {
        error_set(err, "%s: %s", path, host_read_why(rc));
        return rc;
    }
    for (const char *at = text, *end; at < text + bytes; at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + bytes - at));
        number++;
        if (end == NULL)
            break; /* cut off by a crash in the middle of a line: not a mark yet */
        rc = end > at ? read_line(at, (size_t)(end - at), reader, err) : 0;
        if (rc != 0) {
            error_prefix(err, "%s:%zu: ", path, number);
            break;
        }
    }
    free(text);
    return rc;
}

static void take_all(struct reader *reader, const struct journal_summary *past)
{
    for (size_t i = 0; i < past->mark_count; i++) {
        const struct mark *mark = &past->marks[i];
        bool has_part = mark->part < past->part_count;
        take(reader, *mark, has_part ? past->parts[mark->part].topic : "",
             has_part ? past->parts[mark->part].partition : 0);
    }
}

/* Where the journal has let go of its beginning, partitions have the numbers that the snapshot
 * knows. */
static int recall_late(struct data_look *look, struct journal_reader *journal,
                       struct journal_recall **recall, int64_t *since_ms, struct error *err)
{
    struct data_look_known known;
    struct data_look_begin begin;
    int code = data_look_begin(look, &begin, err), rc;

    if (code == EXIT_OK)
        code = data_look_recall(look, &known, err);
    if (code != EXIT_OK)
        return code == EXIT_IO ? -EIO : -EBADMSG;
    /* What is left may be of ops alone, told behind the last step. */
    *since_ms = begin.n_ms != INT64_MIN ? begin.n_ms : known.sum.n_ms;
    rc = journal_recall_create_late(journal, &known.sum, recall, err);
    snapshot_recalled_release(&known.recalled);
    return rc;
}

/* Those of the journal of a data directory: of all that it holds, for a snapshot knows only those
 * that it needs itself. */
static int read_journal(struct data_look *look, struct reader *reader, struct error *err)
{
    struct journal_recall *recall = NULL;
    struct journal_reader *journal = NULL;
    struct journal_summary past;
    enum segment_refusal why;
    int64_t since_ms = INT64_MIN;
    int rc = journal_reader_create(&look->segments, &journal, &why, err);

    if (rc == 0 && journal_reader_begin(journal) > 1)
        rc = recall_late(look, journal, &recall, &since_ms, err);
    else if (rc == 0)
        rc = journal_recall_create(journal, NULL, &recall, err);
    if (rc == 0) {
        journal_recall_summary(recall, &past);
        take_all(reader, &past);
        reader->list.since_ms = since_ms;
    }
    journal_recall_destroy(recall);
    journal_reader_destroy(journal);
    return rc;
}

/* Also while a daemon writes it. */
static int read_directory(const char *path, struct reader *reader, struct error *err)
{
    struct data_look look;
    int code = data_look_open(&look, path, err), rc;

    if (code != EXIT_OK)
        return code == EXIT_NO_INPUT ? -ENOENT : code == EXIT_IO ? -EIO : -EBADMSG;
    do
        rc = read_journal(&look, reader, err);
    while (rc != 0 && data_look_again(&look));
    return rc;
}

static bool is_directory(const char *path)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_RDONLY | O_DIRECTORY, 0);

    if (fd >= 0)
        h->close(h->self, fd);
    return fd >= 0;
}

int mark_log_read(const char *path, const struct mark_part *parts, size_t part_count,
                  struct mark_list *out, struct error *err)
{
    struct reader reader = {
        .parts = parts, .part_count = part_count, .list = {.since_ms = INT64_MIN}};
    int rc;

    reader.has_joined = memory_alloc((part_count + 1) * sizeof(bool));
    memset(reader.has_joined, 0, (part_count + 1) * sizeof(bool));
    rc = is_directory(path) ? read_directory(path, &reader, err) : read_lines(path, &reader, err);
    free(reader.has_joined);
    if (rc != 0) {
        free(reader.list.marks);
        return rc;
    }
    *out = reader.list;
    return 0;
}

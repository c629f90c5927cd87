/*
 * incident_log_mend.c - see incident_log_mend.h.
 *
 * No two lines of a journal are the same: a change has its number, and so has an op.
 */
#include "daemon/incident_log_mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/slab.h"
#include "daemon/incident_log.h"
#include "store/journal_read.h"

enum { TAIL_BYTES = 1 << 20, LINE_BYTES = 64 << 10 };

/* How a file ends: its last whole line, and what stands behind that. */
struct tail {
    char *text;
    const char *line, *rest; /* in it; "" where there is none */
    size_t line_bytes, rest_bytes;
};

static int tail_read(const char *path, struct tail *out, struct error *err)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_RDONLY | O_NONBLOCK, 0), rc = 0;
    int64_t size = fd < 0 ? fd : h->size(h->self, fd);
    size_t bytes = size > TAIL_BYTES ? TAIL_BYTES : size > 0 ? (size_t)size : 0;
    const char *end, *at;

    *out = (struct tail){.text = memory_alloc(bytes + 1), .line = "", .rest = ""};
    if (size < 0)
        rc = (int)size;
    else
        rc = host_pread_all(fd, out->text, bytes, size - (int64_t)bytes);
    if (fd >= 0)
        h->close(h->self, fd);
    if (rc != 0) {
        error_set(err, "%s: it cannot be read: %s", path, strerrordesc_np(-rc));
        return rc;
    }
    end = memrchr(out->text, '\n', bytes);
    if (end == NULL) {
        out->rest = out->text;
        out->rest_bytes = bytes;
        return 0;
    }
    out->rest = end + 1;
    out->rest_bytes = bytes - (size_t)(out->rest - out->text);
    at = memrchr(out->text, '\n', (size_t)(end - out->text));
    out->line = at == NULL ? out->text : at + 1;
    out->line_bytes = (size_t)(end - out->line);
    return 0;
}

struct mending {
    struct tail tail;
    struct line_writer *writer;
    struct incident_log_mended *out;
    bool is_behind; /* the file's last line has been passed, or its only one is come to */
};

static void take_line(struct mending *mending, const char *line, size_t bytes)
{
    const struct tail *tail = &mending->tail;

    if (!mending->is_behind && tail->line_bytes > 0) {
        mending->is_behind =
            bytes == tail->line_bytes && memcmp(line, tail->line, tail->line_bytes) == 0;
        return;
    }
    if (!mending->is_behind &&
        (bytes < tail->rest_bytes || memcmp(line, tail->rest, tail->rest_bytes) != 0))
        return;
    mending->is_behind = true;
    /* One that was cut off is gone on with; what is no part of it stands on a line of its own. */
    if (mending->out->lines == 0 && tail->rest_bytes > 0) {
        if (bytes >= tail->rest_bytes && memcmp(line, tail->rest, tail->rest_bytes) == 0) {
            line += tail->rest_bytes;
            bytes -= tail->rest_bytes;
        } else {
            line_writer_add(mending->writer, "", 0);
        }
    }
    line_writer_add(mending->writer, line, bytes);
    mending->out->lines++;
}

static int take_all(struct mending *mending, struct journal_reader *reader, struct error *err)
{
    struct journal_record record;
    struct incident incident;
    struct op op = {.incident = &incident};
    char *line = memory_alloc(LINE_BYTES);
    size_t room = LINE_BYTES, bytes;
    int rc;

    while ((rc = journal_reader_next(reader, &record, NULL, err)) == 1) {
        if (record.kind == JOURNAL_CHANGE) {
            memcpy((void *)&incident, (const void *)&record.change, sizeof(incident));
            bytes = incident_log_change(&incident, line, room);
            if (bytes >= room) {
                room = bytes + 1;
                line = memory_grow(line, room);
                incident_log_change(&incident, line, room);
            }
        } else if (record.kind == JOURNAL_OP) {
            op.id = record.op.id;
            op.number = record.op.number;
            op.kind = record.op.kind;
            bytes = incident_log_op(&op, record.op.sink, line, room);
        } else {
            continue;
        }
        take_line(mending, line, bytes);
    }
    free(line);
    return rc;
}

int incident_log_mend(const char *path, const struct segment_config *journal,
                      struct line_writer *writer, struct incident_log_mended *out,
                      struct error *err)
{
    struct mending mending = {.writer = writer, .out = out};
    struct journal_reader *reader = NULL;
    enum segment_refusal why;
    int rc;

    *out = (struct incident_log_mended){.is_known = true};
    rc = tail_read(path, &mending.tail, err);
    if (rc == 0 && mending.tail.line_bytes + mending.tail.rest_bytes > 0) {
        rc = journal_reader_create(journal, &reader, &why, err);
        if (rc == 0)
            rc = take_all(&mending, reader, err);
        journal_reader_destroy(reader);
        out->is_known = mending.is_behind;
        if (rc == 0) {
            rc = line_writer_flush(writer);
            if (rc != 0)
                line_writer_say(path, rc, err);
        }
    }
    free(mending.tail.text);
    return rc;
}

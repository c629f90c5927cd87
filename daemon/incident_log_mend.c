/*
 * incident_log_mend.c - see incident_log_mend.h.
 *
 * No two lines of a journal are the same: a change has its number, and so has an op.
 *
 * The file is not synced, so a power cut may take any part of what was written last, and leaves
 * zeros there, which no line has. What the journal says belongs there, and behind it, is what was
 * there: so it is written over them in place, and not added.
 */
#include "daemon/incident_log_mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/slab.h"
#include "base/vector.h"
#include "daemon/incident_lines.h"

enum { TAIL_BYTES = 1 << 20, HELD_BYTES = 256 << 10 };

/* How a file ends, or where its first hole begins: the last whole line before, and what stands
 * behind that. */
struct tail {
    char *text;
    int64_t hole_at; /* -1: none */
    int64_t size;
    const char *line, *rest; /* in it; "" where there is none */
    size_t line_bytes, rest_bytes;
};

static int tail_read(const char *path, struct tail *out, struct error *err)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_RDONLY | O_NONBLOCK, 0), rc = 0;
    int64_t size = fd < 0 ? fd : h->size(h->self, fd);
    size_t bytes = size > TAIL_BYTES ? TAIL_BYTES : size > 0 ? (size_t)size : 0;
    const char *end, *at, *hole;

    *out = (struct tail){
        .text = memory_alloc(bytes + 1), .hole_at = -1, .size = size, .line = "", .rest = ""};
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
    hole = memchr(out->text, '\0', bytes);
    if (hole != NULL) {
        out->hole_at = size - (int64_t)bytes + (hole - out->text);
        bytes = (size_t)(hole - out->text);
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
    int fd;         /* where there is a hole: the file; else -1 */
    int64_t at;     /* of what is written there next */
    VECTOR_OF(char) held;
    int rc; /* of the first write there that failed */
};

static void flush_held(struct mending *mending)
{
    if (mending->rc == 0 && mending->held.count > 0)
        mending->rc =
            host_pwrite_all(mending->fd, mending->held.at, mending->held.count, mending->at);
    mending->at += (int64_t)mending->held.count;
    mending->held.count = 0;
}

static void put_line(struct mending *mending, const char *line, size_t bytes)
{
    if (mending->fd < 0) {
        line_writer_add(mending->writer, line, bytes);
        return;
    }
    vector_reserve(&mending->held, bytes + 1);
    memcpy(mending->held.at + mending->held.count, line, bytes);
    mending->held.at[mending->held.count + bytes] = '\n';
    mending->held.count += bytes + 1;
    if (mending->held.count >= HELD_BYTES)
        flush_held(mending);
}

static void take_line(void *self, const char *line, size_t bytes)
{
    struct mending *mending = self;
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
            put_line(mending, "", 0);
        }
    }
    put_line(mending, line, bytes);
    mending->out->lines++;
}

/* The lines of the journal, from its beginning or from behind the place. */
static int take_all(struct mending *mending, const struct segment_config *journal,
                    const struct journal_place *behind, struct error *err)
{
    struct journal_reader *reader;
    enum segment_refusal why;
    int rc = journal_reader_create(journal, &reader, &why, err);

    if (rc != 0)
        return rc;
    journal_reader_skip(reader, behind);
    rc = incident_lines_read(reader, take_line, mending, err);
    journal_reader_destroy(reader);
    return rc;
}

/* Most files end with what the journal said last, so what is behind the snapshot is looked at
 * first; what the journal had let go of by then is known by its id alone. */
static int find_and_take(struct mending *mending, const struct segment_config *journal,
                         const struct incident_log_known *known, struct error *err)
{
    static const struct journal_place beginning = {0, 0};
    const struct tail *tail = &mending->tail;
    int rc = 0;

    if (known->place.frame > 0 && tail->line_bytes > 0) {
        mending->is_behind =
            id128_equal(incident_line_id(tail->line, tail->line_bytes), known->last);
        rc = take_all(mending, journal, &known->place, err);
    }
    if (rc == 0 && !mending->is_behind)
        rc = take_all(mending, journal, &beginning, err);
    return rc;
}

static int open_hole(const char *path, struct mending *mending, struct error *err)
{
    mending->at = mending->tail.hole_at;
    mending->fd = host()->open(host()->self, path, O_WRONLY | O_NONBLOCK, 0);
    if (mending->fd < 0)
        line_writer_say(path, mending->fd, err);
    return mending->fd < 0 ? mending->fd : 0;
}

static int end_writing(const char *path, struct mending *mending, struct error *err)
{
    int rc;

    if (mending->fd >= 0) {
        flush_held(mending);
        rc = mending->rc;
        /* Less than there was: it is not all of this journal. */
        if (mending->at < mending->tail.size)
            mending->out->is_known = false;
    } else {
        rc = line_writer_flush(mending->writer);
    }
    if (rc != 0)
        line_writer_say(path, rc, err);
    return rc;
}

int incident_log_mend(const char *path, const struct segment_config *journal,
                      const struct incident_log_known *known, struct line_writer *writer,
                      struct incident_log_mended *out, struct error *err)
{
    struct mending mending = {.writer = writer, .out = out};
    int rc;

    *out = (struct incident_log_mended){.is_known = true};
    mending.fd = -1;
    rc = tail_read(path, &mending.tail, err);
    if (rc == 0 && mending.tail.hole_at >= 0)
        rc = open_hole(path, &mending, err);
    if (rc == 0 && mending.tail.line_bytes + mending.tail.rest_bytes > 0) {
        rc = find_and_take(&mending, journal, known, err);
        out->is_known = mending.is_behind;
        if (rc == 0)
            rc = end_writing(path, &mending, err);
    } else {
        out->is_known = mending.tail.hole_at < 0;
    }
    if (mending.fd >= 0)
        host()->close(host()->self, mending.fd);
    free(mending.held.at);
    free(mending.tail.text);
    return rc;
}

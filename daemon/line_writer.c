/* line_writer.c - see line_writer.h. */
#include "daemon/line_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"

enum { BUFFER_BYTES = 256 << 10 };

struct line_writer {
    int fd;
    int rc; /* of the first write that failed */
    size_t used;
    char buffer[BUFFER_BYTES];
};

struct line_writer *line_writer_open(const char *path, enum line_writer_mode mode,
                                     struct error *err)
{
    const struct host *h = host();
    struct line_writer *writer = malloc(sizeof(*writer));

    if (writer == NULL) {
        error_set(err, "%s: out of memory", path);
        return NULL;
    }
    writer->rc = 0;
    writer->used = 0;
    writer->fd = STDOUT_FILENO;
    if (strcmp(path, "-") != 0)
        writer->fd =
            h->open(h->self, path,
                    O_CREAT | O_WRONLY | (mode == LINE_WRITER_APPEND ? O_APPEND : O_TRUNC), 0600);
    if (writer->fd < 0) {
        error_set(err, "%s cannot be written: %s", path, strerror(-writer->fd));
        free(writer);
        return NULL;
    }
    return writer;
}

static void write_out(struct line_writer *writer, const char *from, size_t bytes)
{
    if (writer->rc == 0)
        writer->rc = host_write_all(writer->fd, from, bytes);
}

void line_writer_add(struct line_writer *writer, const char *line, size_t bytes)
{
    if (writer->used + bytes + 1 > BUFFER_BYTES)
        line_writer_flush(writer);
    if (bytes + 1 > BUFFER_BYTES) {
        write_out(writer, line, bytes);
        write_out(writer, "\n", 1);
        return;
    }
    memcpy(writer->buffer + writer->used, line, bytes);
    writer->buffer[writer->used + bytes] = '\n';
    writer->used += bytes + 1;
}

int line_writer_flush(struct line_writer *writer)
{
    if (writer->used > 0)
        write_out(writer, writer->buffer, writer->used);
    writer->used = 0;
    return writer->rc;
}

int line_writer_sync(struct line_writer *writer)
{
    const struct host *h = host();
    int rc = line_writer_flush(writer), synced;

    if (writer->fd == STDOUT_FILENO)
        return rc;
    synced = h->sync(h->self, writer->fd);
    return rc != 0 || synced == -EINVAL || synced == -EROFS ? rc : synced;
}

int line_writer_close(struct line_writer *writer)
{
    const struct host *h = host();
    int rc;

    if (writer == NULL)
        return 0;
    rc = line_writer_sync(writer);
    if (writer->fd != STDOUT_FILENO)
        h->close(h->self, writer->fd);
    free(writer);
    return rc;
}

void line_writer_say(const char *path, int rc, struct error *err)
{
    error_set(err, "%s cannot be written: %s", strcmp(path, "-") == 0 ? "standard output" : path,
              strerror(-rc));
}

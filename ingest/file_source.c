/*
 * file_source.c - see file_source.h.
 *
 *   buffer: [ taken lines | lines not taken yet | part of a line | free ]
 *           0             from                                  used   BUFFER_BYTES
 *
 * Records point into the buffer. Bytes are moved only when no whole line is left, and then
 * it is only the part of a line. Pieces of 256 KiB are read: large enough that the system
 * call vanishes, small enough that the decoder finds the bytes in the cache.
 */
#include "ingest/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/standard_files.h"
#include "ingest/finite_source.h"

enum {
    PIECE_BYTES = 256 << 10,
    BUFFER_BYTES = RECORD_BYTES_MAX + 1 + 4 * PIECE_BYTES,
    STDIN_DESCRIPTOR = 0,
};

struct file_feed {
    struct finite_feed base; /* first */
    struct file_source *source;
    char *path, *topic;
    int fd;
    char *buffer;
    size_t from, used;
    int64_t next;     /* number of the next line */
    bool is_at_end;   /* nothing more can be read */
    bool is_skipping; /* the rest of an oversized line */
    struct record *records;
    size_t room;
};

struct file_source {
    struct finite_source base; /* first */
    struct file_feed *feeds;
    size_t feed_count;
};

static void note_failure(struct file_feed *feed, int rc)
{
    struct error why;

    error_set(&why, "%s: line %" PRId64 ": reading failed: %s", feed->path, feed->next + 1,
              strerror(-rc));
    finite_feed_stop(&feed->source->base, &feed->base, &why);
}

/* Moves the unread bytes to the front and reads a piece behind them. False when there
 * is nothing new now. */
static bool fill(struct file_feed *feed)
{
    ssize_t got;

    if (feed->is_at_end)
        return false;
    if (feed->from > 0) {
        memmove(feed->buffer, feed->buffer + feed->from, feed->used - feed->from);
        feed->used -= feed->from;
        feed->from = 0;
    }
    got = host()->read(host()->self, feed->fd, feed->buffer + feed->used, PIECE_BYTES);
    if (got == -EINTR || got == -EAGAIN)
        return false;
    if (got < 0) {
        note_failure(feed, (int)got);
        feed->is_at_end = true;
        feed->used = 0; /* the part of a line that is there may not pass for a whole one */
        return false;
    }
    feed->is_at_end = got == 0;
    feed->used += (size_t)got;
    return true;
}

/* Passes over the rest of an oversized line. True when its end was found. */
static bool skip_line(struct file_feed *feed)
{
    char *end = memchr(feed->buffer + feed->from, '\n', feed->used - feed->from);

    feed->from = end != NULL ? (size_t)(end - feed->buffer) + 1 : feed->used;
    feed->is_skipping = end == NULL && !feed->is_at_end;
    return end != NULL;
}

static void add(struct file_feed *feed, size_t *count, size_t bytes)
{
    feed->records[(*count)++] = (struct record){
        .offset = feed->next++,
        .log_time_ms = LOG_TIME_NONE,
        .payload = feed->buffer + feed->from,
        .bytes = (uint32_t)bytes,
        .leader_epoch = -1,
    };
}

static size_t split_lines(struct file_feed *feed, size_t max)
{
    size_t count = 0;

    while (count < max && feed->from < feed->used) {
        size_t left = feed->used - feed->from;
        char *begin = feed->buffer + feed->from;
        char *end = memchr(begin, '\n', left);
        size_t bytes = end != NULL ? (size_t)(end - begin) : left;

        if (bytes > RECORD_BYTES_MAX) {
            add(feed, &count, RECORD_BYTES_MAX + 1);
            feed->from += bytes;
            if (end != NULL) {
                feed->from++;
            } else {
                feed->is_skipping = !feed->is_at_end;
                break; /* the buffer must keep what was handed out until its release */
            }
            continue;
        }
        if (end == NULL && !feed->is_at_end)
            break;
        add(feed, &count, bytes);
        feed->from += bytes + (end != NULL);
    }
    return count;
}

static void finish_at_end(struct file_feed *feed)
{
    if (feed->is_at_end && feed->from == feed->used)
        finite_feed_finish(&feed->base);
}

static size_t feed_take(struct feed *base, const struct record **out, size_t max)
{
    struct file_feed *feed = (struct file_feed *)base;
    size_t count = 0;

    if (max > feed->room) {
        struct record *larger = realloc(feed->records, max * sizeof(*larger));
        if (larger == NULL)
            return 0;
        feed->records = larger;
        feed->room = max;
    }
    do {
        if (feed->is_skipping && !skip_line(feed))
            continue;
        count = split_lines(feed, max);
    } while (count == 0 && max > 0 && fill(feed));
    if (count == 0)
        finish_at_end(feed);
    *out = feed->records;
    return count;
}

static void feed_release(struct feed *base)
{
    finish_at_end((struct file_feed *)base);
}

static int64_t feed_lag(struct feed *base)
{
    (void)base;
    return -1;
}

static const struct feed_ops file_feed_ops = {
    .take = feed_take,
    .release = feed_release,
    .state = finite_feed_state,
    .end_proof = finite_feed_end_proof,
    .lag = feed_lag,
};

static void source_close(struct source *base)
{
    struct file_source *source = (struct file_source *)base;

    if (source == NULL)
        return;
    for (size_t i = 0; source->feeds != NULL && i < source->feed_count; i++) {
        struct file_feed *feed = &source->feeds[i];
        if (feed->fd > STDIN_DESCRIPTOR)
            host()->close(host()->self, feed->fd);
        free(feed->path);
        free(feed->topic);
        free(feed->buffer);
        free(feed->records);
    }
    free(source->feeds);
    finite_source_release(&source->base);
    free(source);
}

static const struct source_ops file_source_ops = {
    .changes = finite_source_changes,
    .drop = finite_source_drop,
    .wake_on = finite_source_wake_on,
    .ready = finite_source_ready,
    .close = source_close,
};

static int open_feed(struct file_source *source, const struct file_input *input, struct error *err)
{
    char nothing;
    struct file_feed *feed = &source->feeds[source->feed_count++];

    feed->fd = -1;
    feed->source = source;
    feed->path = strdup(input->path);
    feed->topic = strdup(input->topic != NULL ? input->topic : input->path);
    feed->buffer = malloc(BUFFER_BYTES);
    if (feed->path == NULL || feed->topic == NULL || feed->buffer == NULL) {
        error_set(err, "%s: out of memory", input->path);
        return -ENOMEM;
    }
    feed->base.feed =
        (struct feed){.ops = &file_feed_ops, .topic = feed->topic, .partition = input->partition};
    const struct finite_feed *same =
        finite_source_find(&source->base, feed->topic, input->partition);
    if (same != NULL) {
        error_set(err, "%s: is the same input as %s: %s/%" PRId32, input->path,
                  ((const struct file_feed *)same)->path, feed->topic, input->partition);
        return -EINVAL;
    }
    if (!finite_source_add(&source->base, &feed->base)) {
        error_set(err, "%s: out of memory", input->path);
        return -ENOMEM;
    }
    if (strcmp(input->path, "-") == 0 && !standard_input_take()) {
        error_set(err, "-: " STANDARD_INPUT_TAKEN);
        return -EALREADY;
    }
    feed->fd = strcmp(input->path, "-") == 0 ? STDIN_DESCRIPTOR
                                             : host()->open(host()->self, input->path, O_RDONLY, 0);
    if (feed->fd < 0) {
        error_set(err, "%s: %s", input->path, strerror(-feed->fd));
        return feed->fd;
    }
    /* Of no bytes: it takes nothing, and tells a folder. */
    if (host()->read(host()->self, feed->fd, &nothing, 0) == -EISDIR) {
        error_set(err, "%s: %s", input->path, strerror(EISDIR));
        return -EISDIR;
    }
    return 0;
}

int file_source_open(const struct file_input *inputs, size_t count, struct source **out,
                     struct error *err)
{
    struct file_source *source = calloc(1, sizeof(*source));
    int rc = 0;

    if (source != NULL) {
        finite_source_init(&source->base, &file_source_ops);
        source->feeds = calloc(count + 1, sizeof(*source->feeds));
    }
    if (source == NULL || source->feeds == NULL) {
        error_set(err, "out of memory for %zu files", count);
        rc = -ENOMEM;
    }
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = open_feed(source, &inputs[i], err);
    if (rc != 0) {
        source_close(source != NULL ? &source->base.source : NULL);
        return rc;
    }
    *out = &source->base.source;
    return 0;
}

/* quarantine.c - see quarantine.h. */
#include "daemon/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/log.h"
#include "daemon/units.h"

/* Every byte of a text may become \u00XX. A topic has at most 249 bytes. */
enum {
    ESCAPED_BYTES = 6,
    TOPIC_BYTES_MAX = 249,
    WHY_BYTES_MAX = 200,
    LINE_BYTES = 512 + ESCAPED_BYTES * (QUARANTINE_HEAD_BYTES + TOPIC_BYTES_MAX + WHY_BYTES_MAX)
};

struct quarantine {
    char *path;
    char *path_old; /* FILE.1 */
    int64_t bytes_max;
    pthread_mutex_t lock; /* of everything below */
    int fd;               /* -1 after a failure: nothing more is written */
    int64_t bytes;        /* in the file */
    uint64_t records;     /* in the file, as far as we wrote them */
    uint64_t records_old; /* in FILE.1 */
    struct quarantine_counters counters;
};

static int open_file(struct quarantine *quarantine, int flags)
{
    const struct host *h = host();

    return h->open(h->self, quarantine->path, O_CREAT | O_WRONLY | O_APPEND | flags, 0600);
}

struct quarantine *quarantine_open(const char *path, int64_t bytes_max, struct error *err)
{
    const struct host *h = host();
    struct quarantine *quarantine = calloc(1, sizeof(*quarantine));
    size_t length = strlen(path);

    if (quarantine != NULL) {
        quarantine->fd = -1;
        quarantine->bytes_max = bytes_max;
        pthread_mutex_init(&quarantine->lock, NULL);
        quarantine->path = strdup(path);
        quarantine->path_old = malloc(length + 3);
    }
    if (quarantine == NULL || quarantine->path == NULL || quarantine->path_old == NULL) {
        error_set(err, "%s: out of memory", path);
        quarantine_close(quarantine);
        return NULL;
    }
    memcpy(quarantine->path_old, path, length);
    memcpy(quarantine->path_old + length, ".1", 3);
    quarantine->fd = open_file(quarantine, 0);
    if (quarantine->fd < 0) {
        error_set(err, "the quarantine log %s cannot be written: %s", path,
                  strerror(-quarantine->fd));
        quarantine_close(quarantine);
        return NULL;
    }
    quarantine->bytes = h->size(h->self, quarantine->fd);
    return quarantine;
}

void quarantine_close(struct quarantine *quarantine)
{
    const struct host *h = host();

    if (quarantine == NULL)
        return;
    if (quarantine->fd >= 0)
        h->close(h->self, quarantine->fd);
    pthread_mutex_destroy(&quarantine->lock);
    free(quarantine->path);
    free(quarantine->path_old);
    free(quarantine);
}

/* JSON string contents of up to `bytes_max` bytes: what is not printable ASCII
 * becomes \u00XX. `to` has room for ESCAPED_BYTES times as many, and one. */
static void escape(const char *from, size_t bytes, size_t bytes_max, char *to)
{
    for (size_t i = 0; i < bytes && i < bytes_max; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = (char)c;
        } else if (c >= 0x20 && c < 0x7f) {
            *to++ = (char)c;
        } else {
            snprintf(to, ESCAPED_BYTES + 1, "\\u%04x", c);
            to += ESCAPED_BYTES;
        }
    }
    *to = '\0';
}

static void fail(struct quarantine *quarantine, int rc)
{
    const struct host *h = host();

    log_event(LOG_ERROR, "quarantine_failed", log_text("path", quarantine->path),
              log_text("why", strerror(-rc)),
              log_text("next", "rejected records are only counted"));
    if (quarantine->fd >= 0)
        h->close(h->self, quarantine->fd);
    quarantine->fd = -1;
}

static void rotate(struct quarantine *quarantine)
{
    const struct host *h = host();
    int rc;

    h->close(h->self, quarantine->fd);
    quarantine->fd = -1;
    rc = h->rename(h->self, quarantine->path, quarantine->path_old);
    if (rc == 0)
        rc = quarantine->fd = open_file(quarantine, O_TRUNC);
    if (rc < 0) {
        fail(quarantine, rc);
        return;
    }
    quarantine->counters.dropped += quarantine->records_old;
    quarantine->records_old = quarantine->records;
    quarantine->records = 0;
    quarantine->bytes = 0;
}

void quarantine_reopen(struct quarantine *quarantine)
{
    const struct host *h = host();
    int fd;

    if (quarantine == NULL)
        return;
    pthread_mutex_lock(&quarantine->lock);
    fd = open_file(quarantine, 0);
    if (fd < 0) {
        log_event(LOG_ERROR, "quarantine_not_reopened", log_text("path", quarantine->path),
                  log_text("why", strerror(-fd)),
                  log_text("next", "the file that is open is written on"));
    } else {
        if (quarantine->fd >= 0)
            h->close(h->self, quarantine->fd);
        quarantine->fd = fd;
        quarantine->bytes = h->size(h->self, fd);
        if (quarantine->bytes == 0)
            quarantine->records = 0;
    }
    pthread_mutex_unlock(&quarantine->lock);
}

void quarantine_add(struct quarantine *quarantine, const char *topic, int32_t partition,
                    const struct record *record, enum reject_reason reason, uint32_t at,
                    const char *why)
{
    char line[LINE_BYTES], when[UNIT_TEXT_BYTES];
    char head[ESCAPED_BYTES * QUARANTINE_HEAD_BYTES + 1];
    char topic_text[ESCAPED_BYTES * TOPIC_BYTES_MAX + 1];
    char why_text[ESCAPED_BYTES * WHY_BYTES_MAX + 1];
    int length, rc;

    escape(record->payload, record->payload == NULL ? 0 : record->bytes, QUARANTINE_HEAD_BYTES,
           head);
    escape(topic, strlen(topic), TOPIC_BYTES_MAX, topic_text);
    escape(why != NULL ? why : "", why != NULL ? strlen(why) : 0, WHY_BYTES_MAX, why_text);
    length = snprintf(line, sizeof(line),
                      "{\"at\":\"%s\",\"topic\":\"%s\",\"partition\":%" PRId32
                      ",\"offset\":%" PRId64 ",\"reason\":\"%s\",\"byte\":%" PRIu32
                      ",\"why\":\"%s\",\"bytes\":%" PRIu32 ",\"head\":\"%s\"}\n",
                      unit_format_time(host_wall_ms(), when), topic_text, partition, record->offset,
                      reject_reason_name(reason), at, why_text, record->bytes, head);
    if (length >= (int)sizeof(line))
        length = sizeof(line) - 1; /* cannot be: the parts are bounded above */
    pthread_mutex_lock(&quarantine->lock);
    if (quarantine->fd >= 0 && quarantine->bytes + length > quarantine->bytes_max / 2)
        rotate(quarantine);
    if (quarantine->fd >= 0) {
        rc = host_write_all(quarantine->fd, line, (size_t)length);
        if (rc != 0)
            fail(quarantine, rc);
    }
    if (quarantine->fd >= 0) {
        quarantine->bytes += length;
        quarantine->records++;
        quarantine->counters.written++;
    } else {
        quarantine->counters.failed++;
    }
    pthread_mutex_unlock(&quarantine->lock);
}

void quarantine_counters(struct quarantine *quarantine, struct quarantine_counters *out)
{
    *out = (struct quarantine_counters){0};
    if (quarantine == NULL)
        return;
    pthread_mutex_lock(&quarantine->lock);
    *out = quarantine->counters;
    pthread_mutex_unlock(&quarantine->lock);
}

/*
 * crash_log.c - see crash_log.h.
 */
#include "daemon/crash_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/fault.h"
#include "base/host.h"
#include "base/vector.h"

enum {
    FILE_BYTES = 64 << 10,     /* beyond it is written anew */
    FILE_BYTES_MAX = 16 << 20, /* 60,000 deaths since the last start that could do so */
    FILE_MODE = 0600,
    TOPIC_BYTES = 250, /* Kafka's are no longer than 249 */
    NUMBER_BYTES = 24,
};

struct death_place {
    char topic[TOPIC_BYTES];
    int32_t partition;
    int64_t offset;
    int signal; /* of the last death */
    unsigned deaths;
};

struct crash_log {
    char path[DATA_DIR_PATH_BYTES];
    int fd;
    VECTOR_OF(struct death_place *) places; /* by the last death */
    VECTOR_OF(struct engine_crash) refused;
};

/* ---- the last words ---- */

/* printf() is not to be called by a handler. */
static size_t put_number(char *to, int64_t value)
{
    char digits[NUMBER_BYTES];
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    size_t count = 0, bytes = 0;

    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        to[bytes++] = '-';
    while (count > 0)
        to[bytes++] = digits[--count];
    to[bytes++] = ' ';
    return bytes;
}

static size_t last_words(int signal, char to[FAULT_WORDS_BYTES])
{
    struct engine_crash at;
    size_t bytes = 0, topic = 0;

    if (!engine_place_now(&at))
        return 0;
    bytes += put_number(to + bytes, signal);
    bytes += put_number(to + bytes, at.partition);
    bytes += put_number(to + bytes, at.offset);
    while (at.topic[topic] != '\0' && topic < TOPIC_BYTES - 1)
        to[bytes++] = at.topic[topic++];
    to[bytes++] = '\n';
    return bytes;
}

/* ---- the file ---- */

static int fail(const char *path, int rc, const char *what, struct error *err)
{
    error_set(err, "%s: %s: %s", path, what, strerrordesc_np(-rc));
    return rc;
}

static void note_death(struct crash_log *log, const struct death_place *death)
{
    struct death_place *place = NULL;
    size_t i = 0;

    while (i < log->places.count && (log->places.at[i]->partition != death->partition ||
                                     log->places.at[i]->offset != death->offset ||
                                     strcmp(log->places.at[i]->topic, death->topic) != 0))
        i++;
    if (i < log->places.count) {
        place = log->places.at[i];
        log->places.count--;
        memmove(&log->places.at[i], &log->places.at[i + 1],
                (log->places.count - i) * sizeof(struct death_place *));
    } else {
        place = memory_alloc(sizeof(*place));
        *place = *death;
    }
    place->signal = death->signal;
    place->deaths++;
    vector_add(&log->places) = place;
    if (log->places.count > CRASH_LOG_PLACES_MAX) {
        free(log->places.at[0]);
        log->places.count--;
        memmove(&log->places.at[0], &log->places.at[1],
                log->places.count * sizeof(struct death_place *));
    }
}

static void read_line(struct crash_log *log, const char *line)
{
    struct death_place death = {.deaths = 0};
    int end = -1;

    if (sscanf(line, "%d %" SCNd32 " %" SCNd64 " %249s%n", &death.signal, &death.partition,
               &death.offset, death.topic, &end) == 4 &&
        line[end] == '\0')
        note_death(log, &death);
}

static void read_lines(struct crash_log *log, char *text)
{
    char *end;

    for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        *end = '\0';
        read_line(log, text);
    }
}

/* Two lines say as much as more of them. */
static int write_anew(const struct crash_log *log, struct error *err)
{
    const struct host *h = host();
    char fresh[DATA_DIR_PATH_BYTES + 8], line[FAULT_WORDS_BYTES];
    int fd, rc;

    snprintf(fresh, sizeof(fresh), "%s.new", log->path);
    fd = h->open(h->self, fresh, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE);
    rc = fd < 0 ? fd : 0;
    for (size_t i = 0; i < log->places.count && rc == 0; i++) {
        const struct death_place *place = log->places.at[i];
        int bytes = snprintf(line, sizeof(line), "%d %" PRId32 " %" PRId64 " %s\n", place->signal,
                             place->partition, place->offset, place->topic);
        for (unsigned d = 0; d < place->deaths && d < CRASH_LOG_DEATHS && rc == 0; d++)
            rc = host_write_all(fd, line, (size_t)bytes);
    }
    if (rc == 0)
        rc = host_sync(fd);
    if (fd >= 0)
        h->close(h->self, fd);
    if (rc == 0)
        rc = h->rename(h->self, fresh, log->path);
    return rc != 0 ? fail(fresh, rc, "it cannot be written", err) : 0;
}

static int read_file(struct crash_log *log, struct error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    int rc = host_read_file(log->path, FILE_BYTES_MAX, &text, &bytes);

    if (rc == -ENOENT)
        return 0;
    if (rc != 0) {
        error_set(err, "%s: %s; it only says at which records the daemon died, and may be removed",
                  log->path, host_read_why(rc));
        return rc;
    }
    read_lines(log, text);
    free(text);
    return bytes > FILE_BYTES ? write_anew(log, err) : 0;
}

int crash_log_open(const struct data_dir *dir, struct crash_log **out, struct error *err)
{
    struct crash_log *log = calloc(1, sizeof(*log));
    int rc;

    if (log == NULL) {
        error_set(err, "%s: out of memory", dir->path);
        return -ENOMEM;
    }
    log->fd = -1;
    data_dir_folder(dir, "crashes", log->path);
    rc = read_file(log, err);
    if (rc == 0) {
        log->fd = host()->open(host()->self, log->path, O_WRONLY | O_CREAT | O_APPEND, FILE_MODE);
        if (log->fd < 0)
            rc = fail(log->path, log->fd, "it cannot be opened", err);
    }
    if (rc != 0) {
        crash_log_close(log);
        return rc;
    }
    for (size_t i = 0; i < log->places.count; i++) {
        const struct death_place *place = log->places.at[i];
        if (place->deaths >= CRASH_LOG_DEATHS)
            vector_add(&log->refused) =
                (struct engine_crash){place->topic, place->partition, place->offset};
    }
    *out = log;
    return 0;
}

size_t crash_log_refused(const struct crash_log *log, const struct engine_crash **out)
{
    *out = log->refused.at;
    return log->refused.count;
}

void crash_log_arm(struct crash_log *log)
{
    fault_catch(log->fd, last_words);
}

void crash_log_close(struct crash_log *log)
{
    if (log == NULL)
        return;
    if (log->fd >= 0) {
        fault_forget();
        host()->close(host()->self, log->fd);
    }
    for (size_t i = 0; i < log->places.count; i++)
        free(log->places.at[i]);
    free(log->places.at);
    free(log->refused.at);
    free(log);
}

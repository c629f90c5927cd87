/*
 * segment_log.c - see segment_log.h.
 *
 * Order of the writes at a change of segment, so that a power cut at any point leaves a log that
 * reads well: the head of the spare is written and synced, then it gets its name, then the folder
 * is synced, and only then a frame goes into it. A segment that is released gets a spare's name and
 * the folder is synced before its head may be written over: otherwise the old name could come back
 * with the new head.
 */
#include "store/segment_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "store/segment_format.h"
#include "store/segment_walk.h"

enum { PATH_BYTES = 4096, ZEROS_BYTES = 256 << 10, FILE_MODE = 0600 };

struct segment_log {
    char *folder;
    char kind[SEGMENT_KIND_BYTES];
    struct id128 directory;
    uint32_t segment_bytes;

    int fd;              /* of the last segment; -1: none is open */
    uint64_t file_bytes; /* its size */
    uint64_t at;         /* where the next frame goes */
    uint64_t next_frame;
    uint32_t chain;
    bool must_sync;                         /* a frame was appended */
    VECTOR_OF(struct segment_place) places; /* the oldest first; the last is written to */

    bool spare[SPARES_MAX]; /* "spare.0", "spare.1" are there, whole */
    int filling_fd;         /* the spare that is being made; -1: none is */
    uint64_t filled;

    char *frame; /* room for the next frame */
    size_t frame_room;
    char *zeros;
    int broken; /* the first failure; nothing is written after it */
    struct segment_counters counters;
};

static void path_of(const struct segment_log *log, const char *name, char *to)
{
    snprintf(to, PATH_BYTES, "%s/%s", log->folder, name);
}

static void segment_path(const struct segment_log *log, uint64_t sequence, char *to)
{
    snprintf(to, PATH_BYTES, "%s/%016" PRIu64 ".seg", log->folder, sequence);
}

static void spare_path(const struct segment_log *log, int spare, char *to)
{
    snprintf(to, PATH_BYTES, "%s/spare.%d", log->folder, spare);
}

static int fail(const char *path, int rc, const char *what, struct error *err)
{
    error_set(err, "%s: %s: %s", path, what, strerrordesc_np(-rc));
    return rc;
}

/* From now on nothing is written. */
static int break_down(struct segment_log *log, int rc)
{
    if (log->broken == 0)
        log->broken = rc;
    return rc;
}

static int already_broken(const struct segment_log *log, struct error *err)
{
    error_set(err, "%s: an earlier write failed (%s), so nothing more is written before a restart",
              log->folder, strerrordesc_np(-log->broken));
    return log->broken;
}

static int zero(struct segment_log *log, int fd, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t bytes = to - from < ZEROS_BYTES ? to - from : ZEROS_BYTES;
        int rc = host_pwrite_all(fd, log->zeros, (size_t)bytes, (int64_t)from);
        if (rc != 0)
            return rc;
        from += bytes;
    }
    return 0;
}

/* One stretch of memory, so that a frame is one write. */
static bool make_room(struct segment_log *log, size_t bytes)
{
    size_t room = log->frame_room > 0 ? log->frame_room : 64 << 10;
    char *larger;

    if (bytes <= log->frame_room)
        return true;
    while (room < bytes)
        room *= 2;
    larger = realloc(log->frame, room);
    if (larger == NULL)
        return false;
    log->frame = larger;
    log->frame_room = room;
    return true;
}

/* ---- spares ---- */

static int spare_count(const struct segment_log *log)
{
    int count = 0;

    for (int i = 0; i < SPARES_MAX; i++)
        count += log->spare[i];
    return count;
}

static int free_spare(const struct segment_log *log)
{
    for (int i = 0; i < SPARES_MAX; i++)
        if (!log->spare[i])
            return i;
    return -1;
}

static void filling_drop(struct segment_log *log)
{
    char path[PATH_BYTES];

    if (log->filling_fd < 0)
        return;
    host()->close(host()->self, log->filling_fd);
    log->filling_fd = -1;
    path_of(log, "spare.new", path);
    host()->unlink(host()->self, path);
}

/* Works on a new spare, which has its name only once it is whole. 0: done, or -EAGAIN: not yet. */
static int fill(struct segment_log *log, uint64_t bytes_max)
{
    const struct host *h = host();
    char from[PATH_BYTES], to[PATH_BYTES];
    uint64_t end;
    int rc, spare = free_spare(log);

    if (spare < 0)
        return 0;
    path_of(log, "spare.new", from);
    if (log->filling_fd < 0) {
        int fd = h->open(h->self, from, O_RDWR | O_CREAT | O_TRUNC, FILE_MODE);
        if (fd < 0)
            return fd;
        log->filling_fd = fd;
        log->filled = 0;
    }
    end =
        log->segment_bytes - log->filled < bytes_max ? log->segment_bytes : log->filled + bytes_max;
    rc = zero(log, log->filling_fd, log->filled, end);
    if (rc != 0)
        goto out;
    log->filled = end;
    if (end < log->segment_bytes)
        return -EAGAIN;
    rc = host_sync(log->filling_fd);
    if (rc != 0)
        goto out;
    h->close(h->self, log->filling_fd);
    log->filling_fd = -1;
    spare_path(log, spare, to);
    rc = h->rename(h->self, from, to);
    if (rc == 0)
        rc = h->sync_dir(h->self, log->folder);
    log->spare[spare] = rc == 0;
out:
    if (rc != 0)
        filling_drop(log);
    return rc;
}

/* The folder's names: whole spares are kept, what is no spare any more goes. */
struct names {
    struct segment_log *log;
    bool spare[SPARES_MAX];
};

static void see_name(void *user, const char *name)
{
    struct names *names = user;
    int spare, end = 0;

    if (sscanf(name, "spare.%d%n", &spare, &end) == 1 && name[end] == '\0' && spare >= 0 &&
        spare < SPARES_MAX)
        names->spare[spare] = true;
}

static int find_spares(struct segment_log *log, struct error *err)
{
    const struct host *h = host();
    struct names names = {.log = log};
    char path[PATH_BYTES];
    int rc;

    rc = h->list(h->self, log->folder, see_name, &names);
    if (rc != 0)
        return fail(log->folder, rc, "its files cannot be listed", err);
    for (int i = 0; i < SPARES_MAX; i++) {
        int fd;
        if (!names.spare[i])
            continue;
        spare_path(log, i, path);
        fd = h->open(h->self, path, O_RDWR, 0);
        if (fd < 0)
            return fail(path, fd, "it cannot be opened", err);
        log->spare[i] = h->size(h->self, fd) == (int64_t)log->segment_bytes;
        h->close(h->self, fd);
        if (!log->spare[i]) {
            rc = h->unlink(h->self, path); /* made under another segment size */
            if (rc != 0)
                return fail(path, rc, "it cannot be removed", err);
        }
    }
    return 0;
}

/* ---- segments ---- */

/* A spare becomes the next segment. */
static int next_segment(struct segment_log *log, struct error *err)
{
    const struct host *h = host();
    struct segment_head head = {.magic = SEGMENT_MAGIC,
                                .version = SEGMENT_VERSION,
                                .directory = log->directory,
                                .first_frame = log->next_frame,
                                .chain = log->chain,
                                .bytes = log->segment_bytes};
    char from[PATH_BYTES], to[PATH_BYTES];
    int fd = -1, rc = 0, spare = 0;

    if (spare_count(log) == 0) {
        rc = fill(log, log->segment_bytes);
        if (rc != 0)
            return fail(log->folder, rc, "a new segment cannot be made", err);
    }
    while (!log->spare[spare])
        spare++;
    head.sequence = log->places.count > 0 ? log->places.at[log->places.count - 1].sequence + 1 : 1;
    memcpy(head.kind, log->kind, sizeof(head.kind));
    snprintf(head.engine, sizeof(head.engine), "tocsin " TOCSIN_VERSION);
    head.crc = segment_head_crc(&head);

    spare_path(log, spare, from);
    segment_path(log, head.sequence, to);
    fd = h->open(h->self, from, O_RDWR, 0);
    rc = fd < 0 ? fd : host_pwrite_all(fd, &head, sizeof(head), 0);
    if (rc == 0)
        rc = host_sync(fd);
    if (rc == 0)
        rc = h->rename(h->self, from, to);
    if (rc == 0)
        rc = h->sync_dir(h->self, log->folder);
    if (rc != 0) {
        if (fd >= 0)
            h->close(h->self, fd);
        return fail(to, break_down(log, rc), "a new segment cannot be begun", err);
    }
    log->spare[spare] = false;
    if (log->fd >= 0)
        h->close(h->self, log->fd);
    log->fd = fd;
    log->file_bytes = log->segment_bytes;
    log->at = SEGMENT_HEAD_BYTES;
    vector_add(&log->places) = (struct segment_place){head.sequence, head.first_frame, head.bytes};
    return 0;
}

/* What is behind an accepted loss goes: later segments, and later frames in the last one. */
static int wipe_behind(struct segment_log *log, const struct segment_end *end, struct error *err)
{
    const struct host *h = host();
    char path[PATH_BYTES];
    int rc = 0;

    for (uint64_t sequence = end->last_sequence;
         sequence > end->places[end->place_count - 1].sequence; sequence--) {
        segment_path(log, sequence, path);
        rc = h->unlink(h->self, path);
        if (rc != 0 && rc != -ENOENT)
            return fail(path, rc, "it cannot be removed", err);
    }
    rc = h->sync_dir(h->self, log->folder);
    if (rc == 0)
        rc = zero(log, log->fd, log->at, log->file_bytes);
    if (rc == 0)
        rc = host_sync(log->fd);
    return rc != 0 ? fail(log->folder, rc, "what was given up cannot be wiped", err) : 0;
}

/* The last frame becomes durable, whatever it was. */
static int write_again(struct segment_log *log, uint64_t from, struct error *err)
{
    uint64_t bytes = log->at - from;
    int rc = -ENOMEM;

    if (make_room(log, (size_t)bytes))
        rc = host_pread_all(log->fd, log->frame, (size_t)bytes, (int64_t)from);
    if (rc == 0)
        rc = host_pwrite_all(log->fd, log->frame, (size_t)bytes, (int64_t)from);
    if (rc == 0)
        rc = host_sync(log->fd);
    return rc != 0 ? fail(log->folder, rc, "its last frame cannot be made durable", err) : 0;
}

/* The segment that is written on. */
static int open_last(struct segment_log *log, const struct segment_end *end, struct error *err)
{
    const struct segment_place *last = &end->places[end->place_count - 1];
    char path[PATH_BYTES];
    int rc = 0;

    for (size_t i = 0; i < end->place_count; i++)
        vector_add(&log->places) = end->places[i];
    segment_path(log, last->sequence, path);
    log->fd = host()->open(host()->self, path, O_RDWR, 0);
    if (log->fd < 0)
        return fail(path, log->fd, "it cannot be opened for writing", err);
    log->file_bytes = last->bytes;
    log->at = end->at;
    if (end->must_wipe)
        rc = wipe_behind(log, end, err);
    return rc == 0 && end->last_at > 0 ? write_again(log, end->last_at, err) : rc;
}

int segment_log_open(const struct segment_config *config, const struct segment_end *end,
                     struct segment_log **out, struct error *err)
{
    struct segment_log *log = calloc(1, sizeof(*log));
    int rc = -ENOMEM;

    assert(config->segment_bytes >= SEGMENT_BYTES_MIN);
    assert(config->segment_bytes <= SEGMENT_BYTES_MAX);
    assert(config->segment_bytes % SEGMENT_HEAD_BYTES == 0);
    assert(strlen(config->kind) < SEGMENT_KIND_BYTES);
    if (log != NULL) {
        log->fd = log->filling_fd = -1;
        log->folder = strdup(config->folder);
        log->zeros = calloc(1, ZEROS_BYTES);
    }
    if (log == NULL || log->folder == NULL || log->zeros == NULL) {
        error_set(err, "%s: out of memory", config->folder);
        goto out;
    }
    snprintf(log->kind, sizeof(log->kind), "%s", config->kind);
    log->directory = config->directory;
    log->segment_bytes = config->segment_bytes;
    log->next_frame = end->next_frame;
    log->chain = end->chain;
    rc = find_spares(log, err);
    if (rc == 0)
        rc = end->place_count > 0 ? open_last(log, end, err) : next_segment(log, err);
out:
    if (rc != 0) {
        segment_log_destroy(log);
        return rc;
    }
    *out = log;
    return 0;
}

void segment_log_destroy(struct segment_log *log)
{
    if (log == NULL)
        return;
    if (log->filling_fd >= 0)
        filling_drop(log);
    if (log->fd >= 0)
        host()->close(host()->self, log->fd);
    free(log->places.at);
    free(log->frame);
    free(log->zeros);
    free(log->folder);
    free(log);
}

/* ---- frames ---- */

uint32_t segment_frame_crc(const struct segment_config *config, uint64_t number, uint32_t kind,
                           uint32_t chain, const void *payload, size_t bytes)
{
    static const char zeros[8];
    struct frame_head head = {.magic = FRAME_MAGIC,
                              .kind = kind,
                              .directory = config->directory,
                              .number = number,
                              .bytes = (uint32_t)bytes,
                              .chain = chain};
    uint32_t crc;

    head.crc = frame_head_crc(&head);
    crc = crc32c(crc32c(0, &head, sizeof(head)), payload, bytes);
    return crc32c(crc, zeros,
                  (size_t)frame_span(bytes) - sizeof(head) - bytes - sizeof(struct frame_tail));
}

int segment_log_append(struct segment_log *log, uint32_t kind, const void *payload, size_t bytes,
                       uint64_t *number, struct error *err)
{
    struct frame_head head = {.magic = FRAME_MAGIC,
                              .kind = kind,
                              .directory = log->directory,
                              .number = log->next_frame,
                              .bytes = (uint32_t)bytes};
    struct frame_tail tail = {.bytes = (uint32_t)bytes};
    uint64_t span = frame_span(bytes);
    int rc;

    if (log->broken != 0)
        return already_broken(log, err);
    assert(!log->must_sync);
    if (bytes > FRAME_PAYLOAD_MAX || span > log->segment_bytes - SEGMENT_HEAD_BYTES) {
        error_set(err, "%s: %zu bytes are too many for one frame", log->folder, bytes);
        return -EMSGSIZE;
    }
    if (!make_room(log, (size_t)span)) {
        error_set(err, "%s: out of memory for a frame of %zu bytes", log->folder, bytes);
        return -ENOMEM;
    }
    if (log->at + span > log->file_bytes) {
        log->counters.waits += spare_count(log) == 0;
        rc = next_segment(log, err);
        if (rc != 0)
            return rc;
    }
    head.chain = log->chain;
    head.crc = frame_head_crc(&head);
    memcpy(log->frame, &head, sizeof(head));
    if (bytes > 0)
        memcpy(log->frame + sizeof(head), payload, bytes);
    memset(log->frame + sizeof(head) + bytes, 0, (size_t)span - sizeof(head) - bytes);
    tail.crc = crc32c(0, log->frame, (size_t)span - sizeof(tail));
    memcpy(log->frame + span - sizeof(tail), &tail, sizeof(tail));

    rc = host_pwrite_all(log->fd, log->frame, (size_t)span, (int64_t)log->at);
    if (rc != 0)
        return fail(log->folder, break_down(log, rc), "writing failed", err);
    if (number != NULL)
        *number = log->next_frame;
    log->next_frame++;
    log->must_sync = true;
    log->chain = tail.crc;
    log->at += span;
    log->counters.frames++;
    log->counters.bytes += span;
    return 0;
}

int segment_log_sync(struct segment_log *log, struct error *err)
{
    int rc;

    if (log->broken != 0)
        return already_broken(log, err);
    rc = host_sync(log->fd);
    if (rc != 0)
        return fail(log->folder, break_down(log, rc), "syncing failed", err);
    log->must_sync = false;
    log->counters.syncs++;
    return 0;
}

/* ---- room ---- */

int segment_log_release_before(struct segment_log *log, uint64_t number, struct error *err)
{
    const struct host *h = host();
    char from[PATH_BYTES], to[PATH_BYTES];
    size_t gone = 0;
    int rc = 0;

    /* A segment is done with when the one after it begins at or before `number`. */
    while (gone + 1 < log->places.count && log->places.at[gone + 1].first_frame <= number) {
        bool fits = log->places.at[gone].bytes == log->segment_bytes;
        int spare = fits && log->filling_fd < 0 ? free_spare(log) : -1;
        segment_path(log, log->places.at[gone].sequence, from);
        spare_path(log, spare, to);
        rc = spare >= 0 ? h->rename(h->self, from, to) : h->unlink(h->self, from);
        if (rc != 0) {
            fail(from, rc, "it cannot be released", err);
            break;
        }
        if (spare >= 0)
            log->spare[spare] = true;
        log->counters.recycled += spare >= 0;
        log->counters.removed += spare < 0;
        gone++;
    }
    if (gone == 0)
        return rc;
    log->places.count -= gone;
    memmove(log->places.at, log->places.at + gone, log->places.count * sizeof(log->places.at[0]));
    if (h->sync_dir(h->self, log->folder) != 0) {
        /* The names of before may come back, so their heads must stay as they are. */
        memset(log->spare, 0, sizeof(log->spare));
        error_set(err, "%s: the folder cannot be synced", log->folder);
        return -EIO;
    }
    return rc;
}

bool segment_log_prepare(struct segment_log *log, uint64_t bytes_max)
{
    if (log->broken != 0 || spare_count(log) > 0)
        return false;
    return fill(log, bytes_max) == -EAGAIN;
}

uint64_t segment_log_room(const struct segment_log *log)
{
    uint64_t room = log->file_bytes - log->at;

    if (log->broken != 0)
        return 0;
    if (spare_count(log) > 0)
        room = log->segment_bytes - SEGMENT_HEAD_BYTES;
    room = room > frame_span(0) ? (room - frame_span(0)) & ~(uint64_t)7 : 0;
    return room < FRAME_PAYLOAD_MAX ? room : FRAME_PAYLOAD_MAX;
}

uint64_t segment_log_payload_max(const struct segment_log *log)
{
    uint64_t most = log->segment_bytes - SEGMENT_HEAD_BYTES - frame_span(0);

    return most < FRAME_PAYLOAD_MAX ? most : FRAME_PAYLOAD_MAX;
}

uint64_t segment_log_first_frame(const struct segment_log *log)
{
    return log->places.count > 0 ? log->places.at[0].first_frame : log->next_frame;
}

uint64_t segment_log_segment_begins(const struct segment_log *log)
{
    return log->places.count > 0 ? log->places.at[log->places.count - 1].first_frame
                                 : log->next_frame;
}

bool segment_log_is_broken(const struct segment_log *log)
{
    return log->broken != 0;
}

uint64_t segment_log_next_frame(const struct segment_log *log)
{
    return log->next_frame;
}

void segment_log_counters(const struct segment_log *log, struct segment_counters *out)
{
    *out = log->counters;
    out->segments = log->places.count;
    out->spares = (uint64_t)spare_count(log);
}

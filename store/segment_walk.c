/*
 * segment_walk.c - see segment_walk.h.
 *
 * Why a later head is proof of damage: a frame is synced before the next one is written, so when
 * the head of frame N + 1 is on the disk, frame N was there whole. A head alone is enough, which
 * keeps the search for one linear whatever a file claims.
 */
#include "store/segment_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "store/segment_format.h"

enum { PATH_BYTES = 4096, SCAN_BYTES = 1 << 20, SEGMENTS_MAX = 1 << 20 };

struct segment_walk {
    char *folder;
    char kind[SEGMENT_KIND_BYTES];
    struct id128 directory;

    VECTOR_OF(uint64_t) sequences;          /* of the names there are, ascending */
    VECTOR_OF(struct segment_place) places; /* of those whose heads were read, up to this one */
    size_t next_name;                       /* which of `sequences` comes then */
    uint64_t listed;                        /* names up to this one are known */
    char path[PATH_BYTES];                  /* of the place that is read */
    int fd;                                 /* the same; -1: none */
    uint64_t at, last_at;
    uint64_t next_frame;
    uint32_t chain;

    char *buffer; /* of the frame that was read last */
    size_t room;
    bool is_live; /* segments may be made while it reads */
    bool ended;
    bool loss_accepted;
    int rc; /* once it was refused */
    enum segment_refusal refusal;
    struct error err;
    struct segment_end end;
};

/* ---- what went wrong ---- */

static int refuse(struct segment_walk *walk, enum segment_refusal why, int rc)
{
    walk->refusal = why;
    walk->rc = rc;
    return rc;
}

static int refuse_world(struct segment_walk *walk, int rc, const char *what)
{
    error_set(&walk->err, "%s: %s: %s", walk->path, what, strerrordesc_np(-rc));
    return refuse(walk, SEGMENT_REFUSED_WORLD, rc);
}

static int refuse_memory(struct segment_walk *walk)
{
    error_set(&walk->err, "%s: out of memory", walk->folder);
    return refuse(walk, SEGMENT_REFUSED_WORLD, -ENOMEM);
}

/* ---- heads ---- */

bool segment_name_read(const char *name, uint64_t *sequence)
{
    uint64_t value = 0;

    for (int i = 0; i < 16; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        value = 10 * value + (uint64_t)(name[i] - '0');
    }
    *sequence = value;
    return value > 0 && strcmp(name + 16, ".seg") == 0;
}

/* 1: the head is good; 0: it is damaged, with a sentence; a negative errno. */
static int head_judge(struct segment_walk *walk, const struct segment_head *head, int64_t size,
                      uint64_t sequence)
{
    if (memcmp(head->magic, SEGMENT_MAGIC, sizeof(head->magic)) != 0) {
        error_set(&walk->err, "%s: byte 0: this is no segment", walk->path);
        return 0;
    }
    if (head->version > SEGMENT_VERSION) {
        error_set(&walk->err,
                  "%s: byte 8: format %" PRIu32 " was written by a newer tocsin; this one reads up "
                  "to %d",
                  walk->path, head->version, SEGMENT_VERSION);
        return refuse(walk, SEGMENT_REFUSED_NEWER, -EINVAL);
    }
    if (head->crc != segment_head_crc(head) || head->version == 0) {
        error_set(&walk->err, "%s: byte 0: the checksum of the head is wrong", walk->path);
        return 0;
    }
    if (memcmp(&head->directory, &walk->directory, sizeof(head->directory)) != 0 ||
        strncmp(head->kind, walk->kind, sizeof(head->kind)) != 0) {
        error_set(&walk->err, "%s: byte 16: this is a segment of another %s", walk->path,
                  strncmp(head->kind, walk->kind, sizeof(head->kind)) != 0 ? "log"
                                                                           : "data directory");
        return refuse(walk, SEGMENT_REFUSED_FOREIGN, -EINVAL);
    }
    if (head->sequence != sequence) {
        error_set(&walk->err, "%s: byte 80: this is segment %" PRIu64 " under another's name",
                  walk->path, head->sequence);
        return 0;
    }
    if (size != (int64_t)head->bytes) {
        error_set(&walk->err, "%s: the file has %" PRId64 " bytes and should have %" PRIu32,
                  walk->path, size, head->bytes);
        return 0;
    }
    return 1;
}

/* Opens the next segment there is a name for. 1: it is read from now on; 0: it is damaged, with
 * a sentence; a negative errno. */
static int open_next(struct segment_walk *walk)
{
    const struct host *h = host();
    uint64_t sequence = walk->sequences.at[walk->next_name];
    struct segment_head head;
    int fd, rc;

    snprintf(walk->path, sizeof(walk->path), "%s/%016" PRIu64 ".seg", walk->folder, sequence);
    fd = h->open(h->self, walk->path, O_RDONLY, 0);
    if (fd < 0)
        return refuse_world(walk, fd, "it cannot be opened");
    rc = host_pread_all(fd, &head, sizeof(head), 0);
    if (rc == -EIO) {
        error_set(&walk->err, "%s: the file ends inside of its head, or cannot be read",
                  walk->path);
        rc = 0;
    } else if (rc < 0) {
        rc = refuse_world(walk, rc, "it cannot be read");
    } else {
        rc = head_judge(walk, &head, h->size(h->self, fd), sequence);
    }
    if (rc == 1 && walk->places.count > 0 &&
        (sequence != walk->places.at[walk->places.count - 1].sequence + 1 ||
         head.first_frame != walk->next_frame || head.chain != walk->chain)) {
        error_set(&walk->err,
                  "%s: it begins with frame %" PRIu64 ", but the frame before it is %" PRIu64,
                  walk->path, head.first_frame, walk->next_frame - 1);
        rc = 0;
    }
    if (rc != 1) {
        h->close(h->self, fd);
        return rc;
    }
    if (walk->fd >= 0)
        h->close(h->self, walk->fd);
    walk->fd = fd;
    walk->at = SEGMENT_HEAD_BYTES;
    walk->last_at = 0;
    if (walk->places.count == 0) {
        walk->next_frame = head.first_frame;
        walk->chain = head.chain;
    }
    vector_add(&walk->places) = (struct segment_place){sequence, head.first_frame, head.bytes};
    walk->next_name++;
    return 1;
}

/* ---- frames ---- */

static bool head_is_ours(const struct segment_walk *walk, const struct frame_head *head)
{
    return head->magic == FRAME_MAGIC &&
           memcmp(&head->directory, &walk->directory, sizeof(head->directory)) == 0 &&
           head->crc == frame_head_crc(head);
}

/* Reads the frame at walk->at into the buffer. 1: it is good; 0: there is none; a negative errno.
 * `torn` is its length where its head stands alone. */
static int read_frame(struct segment_walk *walk, struct frame_head *head, uint64_t *torn)
{
    uint64_t left = walk->places.at[walk->places.count - 1].bytes - walk->at, span;
    struct frame_tail tail;
    int rc;

    *torn = 0;
    if (left < frame_span(0))
        return 0;
    rc = host_pread_all(walk->fd, head, sizeof(*head), (int64_t)walk->at);
    if (rc != 0)
        return refuse_world(walk, rc, "it cannot be read");
    if (!head_is_ours(walk, head) || head->number != walk->next_frame ||
        head->chain != walk->chain || head->bytes > FRAME_PAYLOAD_MAX ||
        frame_span(head->bytes) > left)
        return 0;
    span = frame_span(head->bytes);
    *torn = span;
    if (span > walk->room) {
        char *larger = realloc(walk->buffer, (size_t)span);
        if (larger == NULL)
            return refuse_memory(walk);
        walk->buffer = larger;
        walk->room = (size_t)span;
    }
    rc = host_pread_all(walk->fd, walk->buffer, (size_t)span, (int64_t)walk->at);
    if (rc != 0)
        return refuse_world(walk, rc, "it cannot be read");
    memcpy(&tail, walk->buffer + span - sizeof(tail), sizeof(tail));
    if (tail.bytes != head->bytes ||
        tail.crc != crc32c(0, walk->buffer, (size_t)span - sizeof(tail)))
        return 0;
    *torn = 0;
    walk->chain = tail.crc;
    return 1;
}

/* Where behind walk->at the head of a later frame stands. 1: at `found`; 0: nowhere, and `used` is
 * where the last byte is that is not zero, from walk->at; a negative errno. */
static int find_later(struct segment_walk *walk, uint64_t *found, uint64_t *number, uint64_t *used)
{
    uint64_t end = walk->places.at[walk->places.count - 1].bytes;
    struct frame_head head;
    char *chunk = malloc(SCAN_BYTES);
    int rc = 0;

    if (chunk == NULL)
        return refuse_memory(walk);
    /* Chunks overlap by one head, so that none is cut. */
    for (uint64_t from = walk->at; rc == 0 && from + sizeof(head) <= end;
         from += SCAN_BYTES - sizeof(head)) {
        size_t bytes = end - from < SCAN_BYTES ? (size_t)(end - from) : SCAN_BYTES;
        rc = host_pread_all(walk->fd, chunk, bytes, (int64_t)from);
        if (rc != 0) {
            refuse_world(walk, rc, "it cannot be read");
            break;
        }
        for (size_t i = 0; i + sizeof(head) <= bytes; i += 8) {
            uint32_t magic;
            memcpy(&magic, chunk + i, sizeof(magic));
            if (magic != 0)
                *used = from + i + sizeof(magic) - walk->at;
            if (magic != FRAME_MAGIC)
                continue;
            memcpy(&head, chunk + i, sizeof(head));
            if (!head_is_ours(walk, &head) || head.number <= walk->next_frame)
                continue;
            *found = from + i;
            *number = head.number;
            rc = 1;
            break;
        }
    }
    free(chunk);
    return rc;
}

/* ---- the end ---- */

/* The log goes no further than here. */
static int end_here(struct segment_walk *walk, uint64_t torn, bool given_up)
{
    walk->ended = true;
    walk->end = (struct segment_end){
        .places = walk->places.at,
        .place_count = walk->places.count,
        .last_sequence =
            walk->sequences.count > 0 ? walk->sequences.at[walk->sequences.count - 1] : 0,
        .must_wipe = given_up,
        .at = walk->at,
        .last_at = walk->last_at,
        .next_frame = walk->next_frame,
        .chain = walk->chain,
        .torn_bytes = torn,
    };
    return 0;
}

/* No frame stands at walk->at, and no segment comes after. */
static int end_or_damage(struct segment_walk *walk, uint64_t torn)
{
    uint64_t found = 0, number = 0, used = 0;
    int rc = find_later(walk, &found, &number, &used);

    if (rc < 0)
        return rc;
    /* Zeros follow the last frame, but for a segment that was used before: none was yet while the
     * first is still there. */
    if (rc == 0 && torn == 0 && walk->places.at[0].first_frame == 1)
        torn = used;
    if (rc == 0)
        return end_here(walk, torn, false);
    error_set(&walk->err,
              "%s: byte %" PRIu64 ": frame %" PRIu64 " is damaged: frame %" PRIu64
              " at byte %" PRIu64 " was written after it",
              walk->path, walk->at, walk->next_frame, number, found);
    return refuse(walk, SEGMENT_REFUSED_DAMAGED, -EBADMSG);
}

/* No frame stands at walk->at, but there is a later segment. 1: it goes on there. */
static int go_on_or_damage(struct segment_walk *walk)
{
    char path[PATH_BYTES];
    uint64_t at = walk->at;
    int rc;

    memcpy(path, walk->path, sizeof(path));
    rc = open_next(walk);
    if (rc != 0)
        return rc;
    /* Its own sentence says what is wrong with it; it may be that only the frame before is. */
    error_prefix(&walk->err, "%s: byte %" PRIu64 ": frame %" PRIu64 " is not there; ", path, at,
                 walk->next_frame);
    return refuse(walk, SEGMENT_REFUSED_DAMAGED, -EBADMSG);
}

/* ---- what is made while it reads ---- */

static int list_names(struct segment_walk *walk);

/* Whether there is one, looked for again where one may have been made. */
static bool has_next_segment(struct segment_walk *walk)
{
    if (walk->next_name == walk->sequences.count && walk->is_live)
        list_names(walk);
    return walk->next_name < walk->sequences.count;
}

/* The folder held no segment at the beginning. 1: one is read now; 0: there is none; a negative
 * errno. */
static int open_first_made(struct segment_walk *walk)
{
    int rc;

    if (!has_next_segment(walk))
        return 0;
    rc = open_next(walk);
    return rc == 0 ? refuse(walk, SEGMENT_REFUSED_DAMAGED, -EBADMSG) : rc;
}

uint64_t segment_walk_next_number(const struct segment_walk *walk)
{
    return walk->next_frame;
}

int segment_walk_next(struct segment_walk *walk, struct segment_frame *out, struct error *err)
{
    struct frame_head head;
    uint64_t torn = 0;
    int rc;

    if (walk->ended)
        return 0;
    if (walk->rc != 0) {
        error_set(err, "%s", walk->err.text);
        return walk->rc;
    }
    if (walk->fd < 0) {
        rc = open_first_made(walk);
        if (rc == 0)
            return end_here(walk, 0, false);
        if (rc < 0)
            error_set(err, "%s", walk->err.text);
        if (rc < 0)
            return walk->rc;
    }
    do {
        rc = read_frame(walk, &head, &torn);
        if (rc == 0)
            rc = has_next_segment(walk) ? 2 * go_on_or_damage(walk) : end_or_damage(walk, torn);
    } while (rc == 2);
    if (rc < 0)
        error_set(err, "%s", walk->err.text);
    if (rc <= 0)
        return rc < 0 ? walk->rc : 0;
    *out = (struct segment_frame){.kind = head.kind,
                                  .number = head.number,
                                  .payload = walk->buffer + sizeof(head),
                                  .bytes = head.bytes,
                                  .crc = walk->chain,
                                  .file = walk->path,
                                  .at = walk->at};
    walk->last_at = walk->at;
    walk->at += frame_span(head.bytes);
    walk->next_frame++;
    return 1;
}

uint64_t segment_walk_first(const struct segment_walk *walk)
{
    return walk->places.count > 0 ? walk->places.at[0].first_frame : 1;
}

void segment_walk_accept_loss(struct segment_walk *walk)
{
    assert(walk->refusal == SEGMENT_REFUSED_DAMAGED);
    walk->rc = 0;
    walk->refusal = SEGMENT_REFUSED_NOT;
    end_here(walk, 0, true);
}

/* ---- beginning ---- */

static void see_name(void *user, const char *name)
{
    struct segment_walk *walk = user;
    uint64_t sequence;

    if (segment_name_read(name, &sequence) && sequence > walk->listed &&
        walk->sequences.count < SEGMENTS_MAX)
        vector_add(&walk->sequences) = sequence;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Adds the names of segments behind those that were listed before. */
static int list_names(struct segment_walk *walk)
{
    size_t before = walk->sequences.count;
    int rc;

    walk->listed = before > 0 ? walk->sequences.at[before - 1] : 0;
    rc = host()->list(host()->self, walk->folder, see_name, walk);
    if (walk->sequences.count > before)
        qsort(walk->sequences.at + before, walk->sequences.count - before, sizeof(uint64_t),
              by_number);
    return rc;
}

/* Whether the head of the segment can be read and says that it begins at or before `frame`. What
 * cannot be read is judged when its turn comes. */
static bool begins_before(const struct segment_walk *walk, uint64_t sequence, uint64_t frame)
{
    const struct host *h = host();
    struct segment_head head;
    char path[PATH_BYTES];
    bool does = false;
    int fd;

    snprintf(path, sizeof(path), "%s/%016" PRIu64 ".seg", walk->folder, sequence);
    fd = h->open(h->self, path, O_RDONLY, 0);
    if (fd < 0)
        return false;
    if (host_pread_all(fd, &head, sizeof(head), 0) == 0)
        does = head.crc == segment_head_crc(&head) && head.first_frame <= frame;
    h->close(h->self, fd);
    return does;
}

/* Which of the names holds the frame; the first where none does. */
static size_t name_of_frame(const struct segment_walk *walk, uint64_t frame)
{
    size_t at = walk->sequences.count;

    while (at > 1 && !begins_before(walk, walk->sequences.at[at - 1], frame))
        at--;
    return at > 0 ? at - 1 : 0;
}

static int walk_create(const struct segment_config *config, bool is_live, uint64_t frame,
                       struct segment_walk **out, enum segment_refusal *why, struct error *err)
{
    struct segment_walk *walk = calloc(1, sizeof(*walk));
    int rc;

    *why = SEGMENT_REFUSED_WORLD;
    if (walk != NULL) {
        walk->fd = -1;
        walk->next_frame = 1;
        walk->folder = strdup(config->folder);
    }
    if (walk == NULL || walk->folder == NULL) {
        error_set(err, "%s: out of memory", config->folder);
        rc = -ENOMEM;
        goto out;
    }
    snprintf(walk->kind, sizeof(walk->kind), "%s", config->kind);
    snprintf(walk->path, sizeof(walk->path), "%s", config->folder);
    walk->directory = config->directory;
    walk->is_live = is_live;
    rc = list_names(walk);
    if (rc != 0) {
        error_set(err, "%s: its files cannot be listed: %s", config->folder, strerrordesc_np(-rc));
        goto out;
    }
    if (walk->sequences.count > 0) {
        walk->next_name = is_live ? name_of_frame(walk, frame) : 0;
        rc = open_next(walk);
        if (rc == 0)
            rc = refuse(walk, SEGMENT_REFUSED_DAMAGED, -EBADMSG);
        if (rc < 0) {
            *why = walk->refusal;
            error_set(err, "%s", walk->err.text);
            goto out;
        }
        rc = 0;
    }
out:
    if (rc != 0) {
        segment_walk_destroy(walk);
        return rc;
    }
    *why = SEGMENT_REFUSED_NOT;
    *out = walk;
    return 0;
}

int segment_walk_create(const struct segment_config *config, struct segment_walk **out,
                        enum segment_refusal *why, struct error *err)
{
    return walk_create(config, false, 0, out, why, err);
}

int segment_walk_create_at(const struct segment_config *config, uint64_t frame,
                           struct segment_walk **out, enum segment_refusal *why, struct error *err)
{
    return walk_create(config, true, frame, out, why, err);
}

void segment_walk_destroy(struct segment_walk *walk)
{
    if (walk == NULL)
        return;
    if (walk->fd >= 0)
        host()->close(host()->self, walk->fd);
    free(walk->sequences.at);
    free(walk->places.at);
    free(walk->buffer);
    free(walk->folder);
    free(walk);
}

enum segment_refusal segment_walk_refusal(const struct segment_walk *walk)
{
    return walk->refusal;
}

const struct segment_end *segment_walk_end(const struct segment_walk *walk)
{
    assert(walk->ended);
    return &walk->end;
}

/*
 * recording_read.c - opens a recording and unpacks its blocks. See recording.h.
 *
 * Two ways to learn where the blocks are: the index, when the trailer stands at the
 * end of the file and its checksum holds; otherwise a walk from head to head. A walk
 * that meets something that is no block looks whether a valid block follows: then the
 * file is damaged and refused; if none does, it was torn off there and the rest is counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "store/pack.h"
#include "store/recording_format.h"

struct block_ref {
    uint64_t at;
    uint32_t packed_bytes;
    uint32_t count;
};

struct part_reader {
    struct recording_part part; /* topic is owned */
    struct block_ref *blocks;
    size_t block_count, block_room;
};

struct recording {
    int fd;
    char *path;
    uint64_t size;
    char engine[32];
    struct part_reader *parts;
    size_t part_count, part_room;
    struct mark *marks;
    size_t mark_count;
    bool is_complete;
    uint64_t torn;
};

struct recording_cursor {
    const struct recording *recording;
    const struct part_reader *part;
    size_t next_block;
    struct body_walk walk;
    uint32_t left; /* records of this block that are still to come */
    uint64_t at;   /* of this block, for messages */
    struct unpacker *unpacker;
    char *packed, *raw;
    size_t packed_room, raw_room;
};

static int refuse(const struct recording *recording, uint64_t at, const char *why,
                  struct error *err)
{
    error_set(err, "%s: byte %" PRIu64 ": %s", recording->path, at, why);
    return -EBADMSG;
}

/* Exactly `bytes`, or -ENODATA where the file ends before. */
static int read_at(const struct recording *recording, void *to, size_t bytes, uint64_t at,
                   struct error *err)
{
    char *next = to;

    while (bytes > 0) {
        ssize_t got = host()->pread(host()->self, recording->fd, next, bytes, (int64_t)at);
        if (got == -EINTR)
            continue;
        if (got < 0) {
            error_set(err, "%s: byte %" PRIu64 ": reading failed: %s", recording->path, at,
                      strerror((int)-got));
            return (int)got;
        }
        if (got == 0)
            return -ENODATA;
        next += got;
        bytes -= (size_t)got;
        at += (uint64_t)got;
    }
    return 0;
}

static bool head_is_valid(const struct block_head *head)
{
    return head->magic == BLOCK_MAGIC && head->head_hash == block_head_hash(head) &&
           head->kind > 0 && head->kind < BLOCK_KIND_COUNT && head->raw_bytes <= BLOCK_RAW_MAX &&
           head->packed_bytes <= head->raw_bytes && head->count <= head->raw_bytes + 1;
}

static bool grow(char **buffer, size_t *room, size_t bytes)
{
    char *larger;

    if (bytes <= *room)
        return true;
    larger = realloc(*buffer, bytes);
    if (larger == NULL)
        return false;
    *buffer = larger;
    *room = bytes;
    return true;
}

/* A place for blocks to be read into. */
struct scratch {
    struct unpacker *unpacker;
    char *packed, *raw;
    size_t packed_room, raw_room;
};

static void scratch_release(struct scratch *scratch)
{
    unpacker_destroy(scratch->unpacker);
    free(scratch->packed);
    free(scratch->raw);
}

/* Reads, checks and unpacks the block at `at` into scratch->raw. -ENODATA: the file
 * ends inside it. */
static int read_block(const struct recording *recording, uint64_t at, struct block_head *head,
                      struct scratch *scratch, struct error *err)
{
    int rc = read_at(recording, head, sizeof(*head), at, err);

    if (rc != 0)
        return rc;
    if (!head_is_valid(head))
        return refuse(recording, at, "here should be a block, and its head is damaged", err);
    if (scratch->unpacker == NULL)
        scratch->unpacker = unpacker_create();
    if (scratch->unpacker == NULL ||
        !grow(&scratch->packed, &scratch->packed_room, head->packed_bytes) ||
        !grow(&scratch->raw, &scratch->raw_room, (size_t)head->raw_bytes + 1)) {
        error_set(err, "%s: out of memory", recording->path);
        return -ENOMEM;
    }
    bool is_packed = (head->flags & BLOCK_PACKED) != 0;
    char *body = is_packed ? scratch->packed : scratch->raw;
    if (!is_packed && head->packed_bytes != head->raw_bytes)
        return refuse(recording, at, "the sizes in the head of this block disagree", err);
    rc = read_at(recording, body, head->packed_bytes, at + sizeof(*head), err);
    if (rc != 0)
        return rc;
    if (hash64(body, head->packed_bytes, 0) != head->body_hash)
        return refuse(recording, at, "the checksum of this block does not hold", err);
    if (is_packed &&
        !unpack(scratch->unpacker, scratch->raw, head->raw_bytes, body, head->packed_bytes))
        return refuse(recording, at, "this block does not unpack", err);
    return 0;
}

static int out_of_memory(const struct recording *recording, struct error *err)
{
    error_set(err, "%s: out of memory", recording->path);
    return -ENOMEM;
}

static int add_part(struct recording *recording, const struct block_head *head, uint64_t at,
                    const char *topic, struct error *err)
{
    if (head->part != recording->part_count || recording->part_count == RECORDING_PARTS_MAX)
        return refuse(recording, at, "the partitions are not numbered in order", err);
    if (recording->part_count == recording->part_room) {
        size_t room = recording->part_room != 0 ? 2 * recording->part_room : 16;
        struct part_reader *larger = realloc(recording->parts, room * sizeof(*larger));
        if (larger == NULL)
            return out_of_memory(recording, err);
        recording->parts = larger;
        recording->part_room = room;
    }
    char *name = strndup(topic, head->raw_bytes);
    if (name == NULL)
        return out_of_memory(recording, err);
    recording->parts[recording->part_count++] = (struct part_reader){
        .part = {.topic = name,
                 .partition = (int32_t)head->last_offset,
                 .start_offset = head->first_offset},
    };
    return 0;
}

static int add_records(struct recording *recording, uint32_t part, uint64_t at, uint32_t count,
                       uint32_t packed_bytes, struct error *err)
{
    struct part_reader *reader;

    if (part >= recording->part_count)
        return refuse(recording, at, "records of a partition that was not named before", err);
    reader = &recording->parts[part];
    if (reader->block_count == reader->block_room) {
        size_t room = reader->block_room != 0 ? 2 * reader->block_room : 64;
        struct block_ref *larger = realloc(reader->blocks, room * sizeof(*larger));
        if (larger == NULL)
            return out_of_memory(recording, err);
        reader->blocks = larger;
        reader->block_room = room;
    }
    reader->blocks[reader->block_count++] =
        (struct block_ref){.at = at, .packed_bytes = packed_bytes, .count = count};
    reader->part.record_count += count;
    return 0;
}

static int add_marks(struct recording *recording, const struct block_head *head, uint64_t at,
                     const char *body, struct error *err)
{
    struct mark *larger;

    if ((uint64_t)head->count * sizeof(struct mark_entry) != head->raw_bytes)
        return refuse(recording, at, "a block of marks has a wrong size", err);
    if (head->count == 0)
        return 0;
    larger = realloc(recording->marks, (recording->mark_count + head->count) * sizeof(*larger));
    if (larger == NULL)
        return out_of_memory(recording, err);
    recording->marks = larger;
    for (uint32_t i = 0; i < head->count; i++) {
        struct mark_entry entry;
        memcpy(&entry, body + i * sizeof(entry), sizeof(entry));
        if (entry.kind >= MARK_KIND_COUNT || entry.part > UINT16_MAX)
            return refuse(recording, at, "a mark of a kind that this version does not know", err);
        recording->marks[recording->mark_count++] = (struct mark){
            .kind = (enum mark_kind)entry.kind,
            .part = (uint16_t)entry.part,
            .offset = entry.offset,
            .value_ms = entry.value_ms,
        };
        if (!mark_is_possible(&recording->marks[recording->mark_count - 1]))
            return refuse(recording, at, "the value of a mark is no time", err);
    }
    return 0;
}

/* Notes what a block holds; blocks of records are read later, by cursors. */
static int note_block(struct recording *recording, const struct block_head *head, uint64_t at,
                      const char *body, struct error *err)
{
    switch (head->kind) {
    case BLOCK_PART:
        return add_part(recording, head, at, body, err);
    case BLOCK_MARKS:
        return add_marks(recording, head, at, body, err);
    case BLOCK_RECORDS:
        return add_records(recording, head->part, at, head->count, head->packed_bytes, err);
    default:
        return 0;
    }
}

/* 1: there is no (valid) trailer. */
static int open_by_index(struct recording *recording, struct scratch *scratch, struct error *err)
{
    struct file_trailer trailer;
    struct block_head head;
    struct scratch body = {0};
    uint64_t at, end, left;
    int rc;

    if (recording->size < sizeof(struct file_head) + sizeof(trailer))
        return 1;
    end = recording->size - sizeof(trailer);
    rc = read_at(recording, &trailer, sizeof(trailer), end, err);
    if (rc != 0)
        return rc;
    if (memcmp(trailer.magic, RECORDING_TRAILER_MAGIC, sizeof(trailer.magic)) != 0 ||
        trailer.hash != hash64(&trailer, offsetof(struct file_trailer, hash), 0))
        return 1;
    left = trailer.block_count;
    for (at = trailer.index_at; rc == 0 && left > 0; at += sizeof(head) + head.packed_bytes) {
        rc = read_block(recording, at, &head, scratch, err);
        if (rc == -ENODATA)
            rc = refuse(recording, at, "the file ends inside its index", err);
        if (rc != 0)
            break;
        if (head.kind != BLOCK_INDEX || head.count == 0 || head.count > left ||
            (uint64_t)head.count * sizeof(struct index_entry) != head.raw_bytes) {
            rc = refuse(recording, at, "the index is damaged", err);
            break;
        }
        for (uint32_t i = 0; rc == 0 && i < head.count; i++) {
            struct index_entry entry;
            struct block_head named;
            memcpy(&entry, scratch->raw + i * sizeof(entry), sizeof(entry));
            if (entry.kind == BLOCK_RECORDS) {
                rc = add_records(recording, entry.part, entry.at, entry.count, entry.packed_bytes,
                                 err);
                continue;
            }
            rc = read_block(recording, entry.at, &named, &body, err);
            if (rc == -ENODATA)
                rc = refuse(recording, entry.at, "the index points past the file's end", err);
            if (rc == 0)
                rc = note_block(recording, &named, entry.at, body.raw, err);
        }
        left -= head.count;
    }
    scratch_release(&body);
    recording->is_complete = rc == 0;
    return rc;
}

/* True when a valid block head stands somewhere behind `at`. */
static bool block_follows(const struct recording *recording, uint64_t at)
{
    enum { PIECE = 1 << 20 };
    char *piece = malloc(PIECE + sizeof(struct block_head));
    bool found = false;

    for (at++; piece != NULL && !found && at + sizeof(struct block_head) <= recording->size;
         at += PIECE) {
        uint64_t bytes = recording->size - at;
        if (bytes > PIECE + sizeof(struct block_head))
            bytes = PIECE + sizeof(struct block_head);
        if (read_at(recording, piece, bytes, at, NULL) != 0)
            break;
        for (size_t i = 0; !found && i + sizeof(struct block_head) <= bytes; i++) {
            struct block_head head;
            uint32_t magic;
            memcpy(&magic, piece + i, sizeof(magic));
            if (magic != BLOCK_MAGIC)
                continue;
            memcpy(&head, piece + i, sizeof(head));
            found = head_is_valid(&head);
        }
    }
    free(piece);
    return found;
}

static int open_by_walk(struct recording *recording, struct scratch *scratch, struct error *err)
{
    uint64_t at = sizeof(struct file_head);

    while (at < recording->size) {
        struct block_head head;
        struct error why = {""};
        int rc = read_block(recording, at, &head, scratch, &why);

        if (rc == -ENODATA || rc == -EBADMSG) {
            /* A block's head can be whole and its body torn off, too. */
            if (rc == -EBADMSG && block_follows(recording, at)) {
                error_set(err, "%s", why.text);
                return rc;
            }
            break;
        }
        if (rc == 0)
            rc = note_block(recording, &head, at, scratch->raw, &why);
        if (rc != 0) {
            error_set(err, "%s", why.text);
            return rc;
        }
        at += sizeof(head) + head.packed_bytes;
    }
    recording->torn = recording->size - at;
    return 0;
}

static int check_head(struct recording *recording, struct error *err)
{
    struct file_head head;
    int rc = read_at(recording, &head, sizeof(head), 0, err);

    if (rc == -ENODATA || (rc == 0 && memcmp(head.magic, RECORDING_HEAD_MAGIC, 8) != 0))
        return refuse(recording, 0, "this is no recording", err);
    if (rc != 0)
        return rc;
    if (head.hash != hash64(&head, offsetof(struct file_head, hash), 0))
        return refuse(recording, 0, "the head of this recording is damaged", err);
    if (head.version > RECORDING_VERSION) {
        error_set(err,
                  "%s: this recording has format %" PRIu32 "; this program reads up to format %d",
                  recording->path, head.version, RECORDING_VERSION);
        return -EBADMSG;
    }
    memcpy(recording->engine, head.engine, sizeof(recording->engine));
    recording->engine[sizeof(recording->engine) - 1] = '\0';
    return 0;
}

bool recording_begins(const char *path)
{
    const struct host *h = host();
    char magic[sizeof(RECORDING_HEAD_MAGIC) - 1];
    int fd = h->open(h->self, path, O_PATH, 0);
    int64_t size = fd < 0 ? 0 : h->size(h->self, fd);
    bool begins;

    if (fd >= 0)
        h->close(h->self, fd);
    /* To open a pipe and close it again would end who writes to it: a pipe has no size. */
    if (size < (int64_t)sizeof(magic))
        return false;
    fd = h->open(h->self, path, O_RDONLY, 0);
    if (fd < 0)
        return false;
    begins = h->pread(h->self, fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
             memcmp(magic, RECORDING_HEAD_MAGIC, sizeof(magic)) == 0;
    h->close(h->self, fd);
    return begins;
}

int recording_open(const char *path, struct recording **out, struct error *err)
{
    struct recording *recording = calloc(1, sizeof(*recording));
    struct scratch scratch = {0};
    int64_t size;
    int rc;

    if (recording == NULL) {
        error_set(err, "%s: out of memory", path);
        return -ENOMEM;
    }
    recording->fd = -1;
    recording->path = strdup(path);
    if (recording->path == NULL) {
        error_set(err, "%s: out of memory", path);
        rc = -ENOMEM;
        goto out;
    }
    recording->fd = host()->open(host()->self, path, O_RDONLY, 0);
    size = recording->fd < 0 ? recording->fd : host()->size(host()->self, recording->fd);
    if (size < 0) {
        rc = (int)size;
        error_set(err, "%s: %s", path, strerror(-rc));
        goto out;
    }
    recording->size = (uint64_t)size;
    rc = check_head(recording, err);
    if (rc == 0)
        rc = open_by_index(recording, &scratch, err);
    if (rc == 1)
        rc = open_by_walk(recording, &scratch, err);
out:
    scratch_release(&scratch);
    if (rc != 0) {
        recording_destroy(recording);
        return rc;
    }
    *out = recording;
    return 0;
}

void recording_destroy(struct recording *recording)
{
    if (recording == NULL)
        return;
    if (recording->fd >= 0)
        host()->close(host()->self, recording->fd);
    for (size_t i = 0; i < recording->part_count; i++) {
        free((char *)recording->parts[i].part.topic);
        free(recording->parts[i].blocks);
    }
    free(recording->parts);
    free(recording->marks);
    free(recording->path);
    free(recording);
}

size_t recording_part_count(const struct recording *recording)
{
    return recording->part_count;
}

const struct recording_part *recording_part(const struct recording *recording, size_t part)
{
    return &recording->parts[part].part;
}

const struct mark *recording_marks(const struct recording *recording, size_t *count)
{
    *count = recording->mark_count;
    return recording->marks;
}

const char *recording_engine(const struct recording *recording)
{
    return recording->engine;
}

bool recording_is_complete(const struct recording *recording, uint64_t *torn)
{
    *torn = recording->torn;
    return recording->is_complete;
}

struct recording_cursor *recording_cursor_create(const struct recording *recording, size_t part)
{
    struct recording_cursor *cursor = calloc(1, sizeof(*cursor));

    assert(part < recording->part_count);
    if (cursor == NULL)
        return NULL;
    cursor->recording = recording;
    cursor->part = &recording->parts[part];
    return cursor;
}

void recording_cursor_destroy(struct recording_cursor *cursor)
{
    if (cursor == NULL)
        return;
    unpacker_destroy(cursor->unpacker);
    free(cursor->packed);
    free(cursor->raw);
    free(cursor);
}

static int next_block(struct recording_cursor *cursor, struct error *err)
{
    const struct block_ref *ref = &cursor->part->blocks[cursor->next_block++];
    struct scratch scratch = {cursor->unpacker, cursor->packed, cursor->raw, cursor->packed_room,
                              cursor->raw_room};
    struct block_head head;
    int rc = read_block(cursor->recording, ref->at, &head, &scratch, err);

    cursor->unpacker = scratch.unpacker;
    cursor->packed = scratch.packed;
    cursor->raw = scratch.raw;
    cursor->packed_room = scratch.packed_room;
    cursor->raw_room = scratch.raw_room;
    if (rc == -ENODATA)
        rc = refuse(cursor->recording, ref->at, "the file ends inside this block", err);
    if (rc == 0 && (head.kind != BLOCK_RECORDS || head.count != ref->count))
        rc = refuse(cursor->recording, ref->at, "the index and this block disagree", err);
    if (rc != 0) {
        cursor->next_block = cursor->part->block_count;
        return rc;
    }
    cursor->at = ref->at;
    cursor->left = head.count;
    cursor->walk = (struct body_walk){
        .at = cursor->raw,
        .end = cursor->raw + head.raw_bytes,
        .offset = (int64_t)((uint64_t)head.first_offset - 1),
        .time_ms = head.first_time_ms,
        .has_times = (head.flags & BLOCK_NO_TIMES) == 0,
        .leader_epoch = head.leader_epoch,
    };
    return 0;
}

bool body_walk_next(struct body_walk *walk, struct recorded *out)
{
    uint64_t offset, time = 0, key, payload;
    const char *at = varint_get(walk->at, walk->end, &offset);

    if (at != NULL && walk->has_times)
        at = varint_get(at, walk->end, &time);
    if (at != NULL)
        at = varint_get(at, walk->end, &key);
    if (at != NULL)
        at = varint_get(at, walk->end, &payload);
    if (at == NULL)
        return false;
    uint64_t key_bytes = key > 0 ? key - 1 : 0;
    uint64_t bytes = payload > 0 ? payload - 1 : 0;
    uint64_t room = (uint64_t)(walk->end - at);
    if (key_bytes > room || bytes > room - key_bytes)
        return false;
    /* Unsigned: hostile numbers wrap instead of overflowing. */
    walk->offset = (int64_t)((uint64_t)walk->offset + 1 + (uint64_t)unzigzag(offset));
    walk->time_ms = (int64_t)((uint64_t)walk->time_ms + (uint64_t)unzigzag(time));
    *out = (struct recorded){
        .offset = walk->offset,
        .time_ms = walk->has_times ? walk->time_ms : RECORDING_NO_TIME,
        .key = key > 0 ? at : NULL,
        .key_bytes = (uint32_t)key_bytes,
        .payload = payload > 0 ? at + key_bytes : NULL,
        .bytes = (uint32_t)bytes,
        .leader_epoch = walk->leader_epoch,
    };
    walk->at = at + key_bytes + bytes;
    return true;
}

ptrdiff_t recording_cursor_next(struct recording_cursor *cursor, struct recorded *out, size_t max,
                                struct error *err)
{
    size_t count = 0;

    while (cursor->left == 0) {
        int rc;
        if (cursor->next_block == cursor->part->block_count)
            return 0;
        rc = next_block(cursor, err);
        if (rc != 0)
            return rc;
    }
    for (; count < max && cursor->left > 0; count++, cursor->left--) {
        if (!body_walk_next(&cursor->walk, &out[count])) {
            cursor->left = 0;
            cursor->next_block = cursor->part->block_count;
            return refuse(cursor->recording, cursor->at, "the records in this block are damaged",
                          err);
        }
    }
    return (ptrdiff_t)count;
}

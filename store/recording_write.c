/*
 * recording_write.c - fills one block per part and packs it when it is full.
 *
 * Level 3 of zstd: on monitoring events as JSON it packs and unpacks as fast as the lower
 * levels, and smaller (figures in docs/recording.md), so that a recorder keeps up with a
 * consumer and a replay is not held up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/event.h"
#include "base/host.h"
#include "store/pack.h"
#include "store/recording_format.h"

enum { ZSTD_LEVEL = 3, NUMBERS_BYTES_MAX = 40, MARKS_PENDING_MAX = 4096 };

struct part_writer {
    struct block_head head; /* of the block that is being filled; count 0: empty */
    int64_t time_ms;        /* of its last record */
    char *raw;
    size_t room, used;
};

struct recording_writer {
    int fd;
    char *path;
    uint64_t at; /* bytes written so far */
    struct part_writer *parts;
    size_t part_count, part_room;
    struct mark_entry marks[MARKS_PENDING_MAX];
    size_t mark_count;
    struct index_entry *index;
    size_t index_count, index_room;
    struct packer *packer;
    char *packed;
    size_t packed_room;
    int failed; /* the first failure; nothing is written after it */
};

static int fail(struct recording_writer *writer, int rc, const char *what, struct error *err)
{
    error_set(err, "%s: %s: %s", writer->path, what, strerror(-rc));
    if (writer->failed == 0)
        writer->failed = rc;
    return rc;
}

static int put(struct recording_writer *writer, const void *from, size_t bytes, struct error *err)
{
    int rc = host_write_all(writer->fd, from, bytes);

    if (rc != 0)
        return fail(writer, rc, "writing failed", err);
    writer->at += bytes;
    return 0;
}

/* Writes one block; packs the body if that makes it smaller. */
static int put_block(struct recording_writer *writer, struct block_head *head, const char *raw,
                     size_t bytes, struct error *err)
{
    size_t room = pack_bound(bytes);
    const char *body = raw;
    size_t packed;
    int rc;

    if (writer->failed != 0)
        return fail(writer, writer->failed, "an earlier write failed", err);
    if (room > writer->packed_room) {
        char *larger = realloc(writer->packed, room);
        if (larger == NULL)
            return fail(writer, -ENOMEM, "packing a block", err);
        writer->packed = larger;
        writer->packed_room = room;
    }
    packed = pack(writer->packer, writer->packed, writer->packed_room, raw, bytes);
    head->magic = BLOCK_MAGIC;
    head->raw_bytes = head->packed_bytes = (uint32_t)bytes;
    if (packed > 0) {
        head->flags |= BLOCK_PACKED;
        head->packed_bytes = (uint32_t)packed;
        body = writer->packed;
    }
    head->body_hash = hash64(body, head->packed_bytes, 0);
    head->head_hash = block_head_hash(head);

    if (head->kind != BLOCK_INDEX) {
        if (writer->index_count == writer->index_room) {
            size_t more = writer->index_room != 0 ? 2 * writer->index_room : 256;
            struct index_entry *larger = realloc(writer->index, more * sizeof(*larger));
            if (larger == NULL)
                return fail(writer, -ENOMEM, "growing the index", err);
            writer->index = larger;
            writer->index_room = more;
        }
        writer->index[writer->index_count++] = (struct index_entry){
            .at = writer->at,
            .first_offset = head->first_offset,
            .part = head->part,
            .count = head->count,
            .kind = head->kind,
            .packed_bytes = head->packed_bytes,
        };
    }
    rc = put(writer, head, sizeof(*head), err);
    return rc != 0 ? rc : put(writer, body, head->packed_bytes, err);
}

int recording_writer_create(const char *path, struct recording_writer **out, struct error *err)
{
    struct recording_writer *writer = calloc(1, sizeof(*writer));
    struct file_head head = {.magic = RECORDING_HEAD_MAGIC, .version = RECORDING_VERSION};
    int rc;

    if (writer == NULL) {
        error_set(err, "%s: out of memory", path);
        return -ENOMEM;
    }
    writer->fd = -1;
    writer->path = strdup(path);
    writer->packer = packer_create(ZSTD_LEVEL);
    if (writer->path == NULL || writer->packer == NULL) {
        error_set(err, "%s: out of memory", path);
        rc = -ENOMEM;
        goto out;
    }
    writer->fd = host()->open(host()->self, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (writer->fd < 0) {
        rc = fail(writer, writer->fd, "the recording cannot be made", err);
        goto out;
    }
    head.created_ms = host_wall_ms();
    snprintf(head.engine, sizeof(head.engine), "tocsin " TOCSIN_VERSION);
    head.hash = hash64(&head, offsetof(struct file_head, hash), 0);
    rc = put(writer, &head, sizeof(head), err);
out:
    if (rc != 0) {
        recording_writer_destroy(writer);
        return rc;
    }
    *out = writer;
    return 0;
}

void recording_writer_destroy(struct recording_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->fd >= 0)
        host()->close(host()->self, writer->fd);
    for (size_t i = 0; i < writer->part_count; i++)
        free(writer->parts[i].raw);
    free(writer->parts);
    free(writer->index);
    free(writer->packed);
    packer_destroy(writer->packer);
    free(writer->path);
    free(writer);
}

int recording_writer_add_part(struct recording_writer *writer, const char *topic, int32_t partition,
                              int64_t start_offset, struct error *err)
{
    struct block_head head = {.kind = BLOCK_PART,
                              .first_offset = start_offset,
                              .last_offset = partition,
                              .part = (uint32_t)writer->part_count};
    int rc;

    if (writer->part_count == RECORDING_PARTS_MAX)
        return fail(writer, -E2BIG, "too many partitions", err);
    if (writer->part_count == writer->part_room) {
        size_t room = writer->part_room != 0 ? 2 * writer->part_room : 16;
        struct part_writer *larger = realloc(writer->parts, room * sizeof(*larger));
        if (larger == NULL)
            return fail(writer, -ENOMEM, "a new partition", err);
        writer->parts = larger;
        writer->part_room = room;
    }
    rc = put_block(writer, &head, topic, strlen(topic), err);
    if (rc != 0)
        return rc;
    writer->parts[writer->part_count] = (struct part_writer){0};
    return (int)writer->part_count++;
}

static int flush_part(struct recording_writer *writer, size_t index, struct error *err)
{
    struct part_writer *part = &writer->parts[index];
    int rc;

    if (part->head.count == 0)
        return 0;
    rc = put_block(writer, &part->head, part->raw, part->used, err);
    part->head = (struct block_head){0};
    part->used = 0;
    return rc;
}

static bool make_room(struct part_writer *part, size_t bytes)
{
    size_t room = part->room != 0 ? part->room : 64 << 10;
    char *larger;

    if (part->used + bytes <= part->room)
        return true;
    while (room < part->used + bytes)
        room *= 2;
    larger = realloc(part->raw, room);
    if (larger == NULL)
        return false;
    part->raw = larger;
    part->room = room;
    return true;
}

int recording_writer_add(struct recording_writer *writer, int index,
                         const struct recorded *recorded, struct error *err)
{
    struct part_writer *part = &writer->parts[index];
    bool has_time = recorded->time_ms != RECORDING_NO_TIME;
    uint32_t key_bytes = recorded->key_bytes < KEY_BYTES_MAX ? recorded->key_bytes : KEY_BYTES_MAX;
    uint32_t bytes = recorded->bytes <= RECORD_BYTES_MAX ? recorded->bytes : RECORD_BYTES_MAX + 1;
    size_t need = NUMBERS_BYTES_MAX + key_bytes + bytes;
    uint16_t flags = has_time ? 0 : BLOCK_NO_TIMES;
    int rc = 0;

    assert(index >= 0);
    assert((size_t)index < writer->part_count);
    if (part->head.count > 0 &&
        (part->used + need > BLOCK_TARGET_BYTES || part->head.flags != flags ||
         part->head.leader_epoch != recorded->leader_epoch))
        rc = flush_part(writer, (size_t)index, err);
    if (rc != 0)
        return rc;
    if (!make_room(part, need))
        return fail(writer, -ENOMEM, "a record", err);
    if (part->head.count == 0) {
        part->head = (struct block_head){
            .kind = BLOCK_RECORDS,
            .flags = flags,
            .part = (uint32_t)index,
            .first_offset = recorded->offset,
            .last_offset = recorded->offset - 1,
            .first_time_ms = has_time ? recorded->time_ms : 0,
            .max_time_ms = has_time ? recorded->time_ms : 0,
            .leader_epoch = recorded->leader_epoch,
        };
        part->time_ms = part->head.first_time_ms;
    }
    assert(recorded->offset > part->head.last_offset);

    char *at = part->raw + part->used;
    at = varint_put(at, zigzag(recorded->offset - part->head.last_offset - 1));
    if (has_time)
        at = varint_put(at, zigzag(recorded->time_ms - part->time_ms));
    at = varint_put(at, recorded->key != NULL ? (uint64_t)key_bytes + 1 : 0);
    at = varint_put(at, recorded->payload != NULL ? (uint64_t)bytes + 1 : 0);
    if (recorded->key != NULL && key_bytes > 0)
        memcpy(at, recorded->key, key_bytes);
    at += recorded->key != NULL ? key_bytes : 0;
    if (recorded->payload != NULL && bytes > 0)
        memcpy(at, recorded->payload, bytes);
    at += recorded->payload != NULL ? bytes : 0;

    part->used = (size_t)(at - part->raw);
    part->head.last_offset = recorded->offset;
    part->head.count++;
    if (has_time) {
        part->time_ms = recorded->time_ms;
        if (recorded->time_ms > part->head.max_time_ms)
            part->head.max_time_ms = recorded->time_ms;
    }
    return 0;
}

static int flush_marks(struct recording_writer *writer, struct error *err)
{
    struct block_head head = {.kind = BLOCK_MARKS, .count = (uint32_t)writer->mark_count};
    int rc;

    if (writer->mark_count == 0)
        return 0;
    rc = put_block(writer, &head, (const char *)writer->marks,
                   writer->mark_count * sizeof(writer->marks[0]), err);
    writer->mark_count = 0;
    return rc;
}

int recording_writer_add_mark(struct recording_writer *writer, const struct mark *mark,
                              struct error *err)
{
    int rc = writer->mark_count == MARKS_PENDING_MAX ? flush_marks(writer, err) : 0;

    if (rc == 0)
        writer->marks[writer->mark_count++] = (struct mark_entry){
            .kind = mark->kind,
            .part = mark->part,
            .offset = mark->offset,
            .value_ms = mark->value_ms,
        };
    return rc;
}

static int flush_all(struct recording_writer *writer, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < writer->part_count; i++)
        rc = flush_part(writer, i, err);
    return rc != 0 ? rc : flush_marks(writer, err);
}

static int sync_file(struct recording_writer *writer, struct error *err)
{
    int rc = host()->sync(host()->self, writer->fd);

    return rc != 0 ? fail(writer, rc, "writing to the disk failed", err) : 0;
}

int recording_writer_sync(struct recording_writer *writer, struct error *err)
{
    int rc = flush_all(writer, err);

    return rc != 0 ? rc : sync_file(writer, err);
}

int recording_writer_finish(struct recording_writer *writer, struct error *err)
{
    struct file_trailer trailer = {.magic = RECORDING_TRAILER_MAGIC};
    struct block_head head = {.kind = BLOCK_INDEX};
    int rc = flush_all(writer, err);

    /* The index is split like everything else; the trailer points at its first block. */
    trailer.index_at = writer->at;
    trailer.block_count = writer->index_count;
    size_t each = BLOCK_TARGET_BYTES / sizeof(struct index_entry);
    for (size_t from = 0; rc == 0 && from < writer->index_count; from += each) {
        size_t count = writer->index_count - from < each ? writer->index_count - from : each;
        head.count = (uint32_t)count;
        head.flags = 0;
        rc = put_block(writer, &head, (const char *)(writer->index + from),
                       count * sizeof(struct index_entry), err);
    }
    trailer.hash = hash64(&trailer, offsetof(struct file_trailer, hash), 0);
    if (rc == 0)
        rc = put(writer, &trailer, sizeof(trailer), err);
    return rc != 0 ? rc : sync_file(writer, err);
}

uint64_t recording_writer_bytes(const struct recording_writer *writer)
{
    return writer->at;
}

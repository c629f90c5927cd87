/*
 * journal_read.c - see journal_read.h.
 */
#include "store/journal_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/vector.h"

struct journal_reader {
    struct segment_walk *walk;
    VECTOR_OF(char) group; /* all frames of one, put together */
    struct journal_cursor cursor;
    bool is_open; /* the group's last frame has not come */
    uint64_t unfinished;
    bool is_damaged; /* a group that is whole says what none can */
    uint64_t limit;  /* no frame behind this one is read */
    bool has_ahead;  /* the next frame has been read already: */
    struct segment_frame ahead;
    bool may_begin_inside; /* frames of a group whose beginning is gone are passed over */
    struct journal_place place;
    struct journal_place skip; /* up to here groups are passed over */
    bool has_skipped;          /* it was come to */
    bool has_begun;            /* a frame was read */
    struct error err;
};

int journal_reader_create(const struct segment_config *config, struct journal_reader **out,
                          enum segment_refusal *why, struct error *err)
{
    struct journal_reader *reader = calloc(1, sizeof(*reader));
    int rc;

    *why = SEGMENT_REFUSED_WORLD;
    if (reader == NULL) {
        error_set(err, "%s: out of memory", config->folder);
        return -ENOMEM;
    }
    reader->cursor.began = true; /* at the end of a group that is empty */
    reader->limit = UINT64_MAX;
    rc = segment_walk_create(config, &reader->walk, why, err);
    if (rc != 0) {
        free(reader);
        return rc;
    }
    *out = reader;
    return 0;
}

/* Passes over all up to the place. */
static int seek_to(struct journal_reader *reader, const struct journal_place *place,
                   enum journal_seek *seek, struct error *err)
{
    struct segment_frame *frame = &reader->ahead;
    int rc = 0;

    *seek = place->frame == 0 ? JOURNAL_SEEK_THERE : JOURNAL_SEEK_OTHER;
    if (place->frame > reader->limit)
        return 0;
    while (segment_walk_next_number(reader->walk) <= reader->limit &&
           (rc = segment_walk_next(reader->walk, frame, err)) == 1) {
        if (frame->number == place->frame) {
            *seek = frame->crc == place->crc ? JOURNAL_SEEK_THERE : JOURNAL_SEEK_OTHER;
            return 0;
        }
        if (frame->number < place->frame)
            continue;
        reader->has_ahead = true;
        *seek = JOURNAL_SEEK_THERE;
        if (frame->number > place->frame + 1) {
            *seek = JOURNAL_SEEK_LATER;
            reader->may_begin_inside = true;
        }
        return 0;
    }
    return rc < 0 ? rc : 0;
}

int journal_reader_create_at(const struct segment_config *config, const struct journal_place *place,
                             uint64_t limit, enum journal_seek *seek, struct journal_reader **out,
                             enum segment_refusal *why, struct error *err)
{
    struct journal_reader *reader = calloc(1, sizeof(*reader));
    int rc;

    *why = SEGMENT_REFUSED_WORLD;
    if (reader == NULL) {
        error_set(err, "%s: out of memory", config->folder);
        return -ENOMEM;
    }
    reader->cursor.began = true;
    reader->limit = limit;
    reader->place = *place;
    rc = segment_walk_create_at(config, place->frame, &reader->walk, why, err);
    if (rc == 0) {
        rc = seek_to(reader, place, seek, err);
        *why = segment_walk_refusal(reader->walk);
    }
    if (rc != 0) {
        journal_reader_destroy(reader);
        return rc;
    }
    *out = reader;
    return 0;
}

int journal_reader_create_span(const struct segment_config *config, const struct journal_span *span,
                               struct journal_reader **out, struct error *err)
{
    enum segment_refusal why;
    enum journal_seek seek;
    int rc = journal_reader_create_at(config, &span->from, span->to, &seek, out, &why, err);

    if (rc != 0 || seek == JOURNAL_SEEK_THERE)
        return rc;
    error_set(err, "%s: frame %" PRIu64 " is not there, behind which is told again", config->folder,
              span->from.frame);
    journal_reader_destroy(*out);
    *out = NULL;
    return -EBADMSG;
}

void journal_reader_limit(struct journal_reader *reader, uint64_t limit)
{
    reader->limit = limit;
}

uint64_t journal_reader_first(const struct journal_reader *reader)
{
    return reader->ahead.number;
}

uint64_t journal_reader_begin(const struct journal_reader *reader)
{
    return segment_walk_first(reader->walk);
}

struct journal_place journal_reader_place(const struct journal_reader *reader)
{
    return reader->place;
}

void journal_reader_destroy(struct journal_reader *reader)
{
    if (reader == NULL)
        return;
    segment_walk_destroy(reader->walk);
    free(reader->group.at);
    free(reader);
}

/* 1 and the next frame up to the limit; 0 at the end of the log; -EAGAIN at the limit. */
static int next_frame(struct journal_reader *reader, struct segment_frame *frame, struct error *err)
{
    if (reader->has_ahead) {
        *frame = reader->ahead;
        reader->has_ahead = false;
        return 1;
    }
    if (segment_walk_next_number(reader->walk) > reader->limit)
        return -EAGAIN;
    return segment_walk_next(reader->walk, frame, err);
}

void journal_reader_skip(struct journal_reader *reader, const struct journal_place *place)
{
    reader->skip = *place;
    reader->has_skipped = place->frame == 0;
}

bool journal_reader_has_skipped(const struct journal_reader *reader)
{
    return reader->has_skipped;
}

/* Whether the frame is one of those that are passed over. */
static bool is_skipped(struct journal_reader *reader, const struct segment_frame *frame)
{
    reader->may_begin_inside |= !reader->has_begun && frame->number > 1;
    reader->has_begun = true;
    if (frame->number > reader->skip.frame)
        return false;
    reader->has_skipped |= frame->number == reader->skip.frame && frame->crc == reader->skip.crc;
    reader->place = (struct journal_place){frame->number, frame->crc};
    reader->may_begin_inside = false;
    return true;
}

/* Collects the frames of the next whole group. 1, 0 at the end, or a negative errno. */
static int next_group(struct journal_reader *reader, struct error *err)
{
    struct segment_frame frame;
    int rc;

    while ((rc = next_frame(reader, &frame, err)) == 1) {
        bool is_first = (frame.kind & JOURNAL_FRAME_FIRST) != 0;
        if (is_skipped(reader, &frame))
            continue;
        if (is_first) {
            reader->unfinished += reader->is_open;
            reader->group.count = 0;
            reader->is_open = true;
            reader->may_begin_inside = false;
        } else if (!reader->is_open && reader->may_begin_inside) {
            continue;
        } else if (!reader->is_open) {
            error_set(err,
                      "%s: byte %" PRIu64 ": frame %" PRIu64 " goes on with a group that was "
                      "never begun",
                      frame.file, frame.at, frame.number);
            return -EBADMSG;
        }
        vector_reserve(&reader->group, frame.bytes + 1u); /* there is a place, even for nothing */
        memcpy(reader->group.at + reader->group.count, frame.payload, frame.bytes);
        reader->group.count += frame.bytes;
        error_set(&reader->err, "%s: byte %" PRIu64, frame.file, frame.at);
        if ((frame.kind & JOURNAL_FRAME_LAST) == 0)
            continue;
        reader->is_open = false;
        reader->place = (struct journal_place){frame.number, frame.crc};
        reader->cursor = (struct journal_cursor){reader->group.at,
                                                 reader->group.at + reader->group.count, false};
        return 1;
    }
    if (rc == -EAGAIN)
        return 0;
    if (rc == 0 && reader->is_open) {
        reader->unfinished++;
        reader->is_open = false;
    }
    return rc;
}

int journal_reader_next(struct journal_reader *reader, struct journal_record *out, struct text *raw,
                        struct error *err)
{
    const char *from;
    int rc;

    if (reader->is_damaged) {
        error_set(err, "%s", reader->err.text);
        return -EBADMSG;
    }
    while (reader->cursor.began && reader->cursor.at == reader->cursor.end) {
        rc = next_group(reader, err);
        if (rc != 1)
            return rc;
    }
    from = reader->cursor.at;
    rc = journal_get(&reader->cursor, out, err);
    if (rc < 0) {
        error_prefix(err, "%s: ", reader->err.text);
        error_set(&reader->err, "%s", err->text);
        reader->is_damaged = true;
        return rc;
    }
    if (raw != NULL)
        *raw = (struct text){from, (uint32_t)(reader->cursor.at - from)};
    return 1;
}

enum segment_refusal journal_reader_refusal(const struct journal_reader *reader)
{
    return reader->is_damaged ? SEGMENT_REFUSED_DAMAGED : segment_walk_refusal(reader->walk);
}

void journal_reader_accept_loss(struct journal_reader *reader)
{
    segment_walk_accept_loss(reader->walk);
}

const struct segment_end *journal_reader_end(const struct journal_reader *reader)
{
    return segment_walk_end(reader->walk);
}

uint64_t journal_reader_unfinished(const struct journal_reader *reader)
{
    return reader->unfinished;
}

/*
 * intake_frame.c - see intake_frame.h.
 */
#include "store/intake_frame.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct frame_front {
    uint64_t first;
    uint32_t count;
    uint32_t pad;
};

struct record_front {
    uint32_t bytes; /* of the whole record, zeros behind it included */
    uint16_t kind;
    uint16_t who_bytes;
    int64_t at_ms, wall_ms;
    uint64_t of;
    uint16_t from_bytes, what_bytes;
    uint32_t body_bytes;
};

_Static_assert(sizeof(struct frame_front) == INTAKE_FRONT_BYTES, "written to files");
_Static_assert(sizeof(struct record_front) == 40, "written to files");

/* ---- frames ---- */

static int damaged(struct error *err, uint64_t position, const char *what)
{
    error_set(err, "record %" PRIu64 " %s", position, what);
    return -EBADMSG;
}

void intake_frame_front(char out[INTAKE_FRONT_BYTES], uint64_t first, uint32_t count)
{
    const struct frame_front front = {.first = first, .count = count};

    memcpy(out, &front, sizeof(front));
}

int intake_frame_begin(struct intake_cursor *cursor, const char *payload, size_t bytes,
                       struct error *err)
{
    struct frame_front front;

    if (bytes < sizeof(front))
        return damaged(err, 0, "is cut off");
    memcpy(&front, payload, sizeof(front));
    *cursor =
        (struct intake_cursor){payload + sizeof(front), payload + bytes, front.first, front.count};
    return 0;
}

int intake_frame_next(struct intake_cursor *cursor, struct intake_record *out, struct error *err)
{
    size_t room = (size_t)(cursor->end - cursor->at);
    struct record_front front;
    const char *at;
    uint64_t needed;

    if (cursor->left == 0)
        return room == 0 ? 0 : damaged(err, cursor->position, "is not counted");
    if (room < sizeof(front))
        return damaged(err, cursor->position, "is cut off");
    memcpy(&front, cursor->at, sizeof(front));
    needed = sizeof(front) + (uint64_t)front.who_bytes + front.from_bytes + front.what_bytes +
             front.body_bytes;
    if (front.bytes > room || front.bytes % 8 != 0 || needed > front.bytes ||
        front.bytes - needed >= 8)
        return damaged(err, cursor->position, "has lengths that do not fit");
    if (front.kind == 0 || front.kind >= INTAKE_KIND_COUNT)
        return damaged(err, cursor->position, "is of a kind that is not known here");
    at = cursor->at + sizeof(front);
    *out = (struct intake_record){
        .position = cursor->position,
        .at_ms = front.at_ms,
        .wall_ms = front.wall_ms,
        .of = front.of,
        .kind = (enum intake_kind)front.kind,
        .who = {at, front.who_bytes},
        .from = {at + front.who_bytes, front.from_bytes},
        .what = {at + front.who_bytes + front.from_bytes, front.what_bytes},
        .body = {at + front.who_bytes + front.from_bytes + front.what_bytes, front.body_bytes}};
    cursor->at += front.bytes;
    cursor->position++;
    cursor->left--;
    return 1;
}

void intake_frame_stamp(char *payload, size_t bytes, int64_t at_ms, int64_t wall_ms)
{
    size_t at = sizeof(struct frame_front);

    while (at < bytes) {
        struct record_front front;
        memcpy(&front, payload + at, sizeof(front));
        front.at_ms = at_ms;
        front.wall_ms = wall_ms;
        memcpy(payload + at, &front, sizeof(front));
        at += front.bytes;
    }
}

/* ---- posts ---- */

struct intake_post *intake_post_create(void)
{
    return calloc(1, sizeof(struct intake_post));
}

void intake_post_destroy(struct intake_post *post)
{
    if (post == NULL)
        return;
    free(post->bytes.at);
    free(post);
}

static void add_text(struct intake_post *post, struct text text)
{
    if (text.len > 0)
        memcpy(post->bytes.at + post->bytes.count, text.at, text.len);
    post->bytes.count += text.len;
}

static struct text cut(struct text text, uint32_t most)
{
    return text.len > most ? (struct text){text.at, most} : text;
}

void intake_post_add(struct intake_post *post, const struct intake_record *record)
{
    struct text who = cut(record->who, INTAKE_WORD_BYTES_MAX);
    struct text from = cut(record->from, INTAKE_WORD_BYTES_MAX);
    struct text what = cut(record->what, INTAKE_WORD_BYTES_MAX);
    size_t used = sizeof(struct record_front) + who.len + from.len + what.len + record->body.len;
    size_t bytes = (used + 7) & ~(size_t)7;
    const struct record_front front = {.bytes = (uint32_t)bytes,
                                       .kind = (uint16_t)record->kind,
                                       .who_bytes = (uint16_t)who.len,
                                       .of = record->of,
                                       .from_bytes = (uint16_t)from.len,
                                       .what_bytes = (uint16_t)what.len,
                                       .body_bytes = record->body.len};

    assert(record->body.len <= INTAKE_BODY_BYTES_MAX);
    vector_reserve(&post->bytes, bytes);
    memcpy(post->bytes.at + post->bytes.count, &front, sizeof(front));
    post->bytes.count += sizeof(front);
    add_text(post, who);
    add_text(post, from);
    add_text(post, what);
    add_text(post, record->body);
    memset(post->bytes.at + post->bytes.count, 0, bytes - used);
    post->bytes.count += bytes - used;
    post->count++;
}

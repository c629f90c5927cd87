/*
 * image.h - the state of a run as a row of bytes, and back (correlate/snapshot.h).
 *
 *   out   the owner of some state puts what it holds: numbers, ids, texts; never an address, never
 *         the order of a table
 *   in    its twin takes the same things in the same order, and builds its tables anew
 *
 * Numbers are as the machine has them. What is taken is not believed: a reader knows its end, and
 * whoever takes something that cannot be says so, once, with the place. From then on everything
 * that is taken is zero or nothing, so that loops end by themselves; state that stands half built
 * is whole enough to be freed.
 *
 * Thread: each image belongs to its caller.
 */
#ifndef CORRELATE_IMAGE_H
#define CORRELATE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/event.h"
#include "base/slab.h"
#include "base/vector.h"
#include "correlate/touch.h"

struct image_out {
    VECTOR_OF(unsigned char) bytes;
};

struct image_in {
    const unsigned char *at;
    size_t bytes, used;
    uint32_t version;  /* of the image, once its head has been read */
    const char *fault; /* what cannot be; NULL: nothing yet */
    size_t fault_at;
};

/* Makes room for so many more bytes than there is room for. */
void image_out_grow(struct image_out *out, size_t bytes);

static inline void image_put(struct image_out *out, const void *from, size_t bytes)
{
    if (out->bytes.room - out->bytes.count < bytes)
        image_out_grow(out, bytes);
    if (bytes > 0)
        memcpy(out->bytes.at + out->bytes.count, from, bytes);
    out->bytes.count += bytes;
}

/* Something that cannot be, where the reader stands now; only the first is kept. */
void image_fail(struct image_in *in, const char *fault);

/* The next bytes, or zeros when there are not as many. */
void image_take(struct image_in *in, void *to, size_t bytes);

static inline size_t image_left(const struct image_in *in)
{
    return in->fault != NULL ? 0 : in->bytes - in->used;
}

#define IMAGE_NUMBER(name, type)                                                                   \
    static inline void image_put_##name(struct image_out *out, type number)                        \
    {                                                                                              \
        image_put(out, &number, sizeof(number));                                                   \
    }                                                                                              \
    static inline type image_take_##name(struct image_in *in)                                      \
    {                                                                                              \
        type number;                                                                               \
        image_take(in, &number, sizeof(number));                                                   \
        return number;                                                                             \
    }
IMAGE_NUMBER(u8, uint8_t)
IMAGE_NUMBER(u16, uint16_t)
IMAGE_NUMBER(u32, uint32_t)
IMAGE_NUMBER(u64, uint64_t)
IMAGE_NUMBER(i64, int64_t)
IMAGE_NUMBER(real, double)
IMAGE_NUMBER(id, struct id128)
#undef IMAGE_NUMBER

/* How many things follow, each of at least `least` bytes: more than there can be is a fault. */
uint32_t image_take_count(struct image_in *in, size_t least);

/* 0 or 1. */
bool image_take_flag(struct image_in *in);

/* Below `limit`. */
uint32_t image_take_below(struct image_in *in, uint32_t limit, const char *fault);

/* A time to compute with: sums of two stay far inside of 64 bits. */
int64_t image_take_time(struct image_in *in);
/* The same, or INT64_MIN, or INT64_MAX. */
int64_t image_take_any_time(struct image_in *in);

/* A word that says what follows. */
void image_put_mark(struct image_out *out, const char mark[4]);
void image_take_mark(struct image_in *in, const char mark[4]);

/* A stretch of text, any bytes. Taken it is borrowed from the image. */
void image_put_text(struct image_out *out, struct text text);
struct text image_take_text(struct image_in *in);

/* The words of an event; NULL when they are not. Returns owned, of the slab, `bytes` long. */
void image_put_event(struct image_out *out, const struct event_text *text);
struct event_text *image_take_event(struct image_in *in, struct slab *slab);

/* The values of a key; how many. */
void image_put_key(struct image_out *out, const struct key_text *key);
uint32_t image_take_key(struct image_in *in, struct text value[RULE_BY_MAX]);

#endif

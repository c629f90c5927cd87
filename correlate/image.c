/* image.c - see image.h. */
#include "correlate/image.h"

/* Beyond it no time of a run lies: log times end at 2^53 ms, and no rule waits for longer. */
#define TIME_LIMIT ((int64_t)1 << 54)

void image_out_grow(struct image_out *out, size_t bytes)
{
    vector_reserve(&out->bytes, bytes);
}

void image_fail(struct image_in *in, const char *fault)
{
    if (in->fault != NULL)
        return;
    in->fault = fault;
    in->fault_at = in->used;
}

/* The next bytes, borrowed; NULL when there are not as many. */
static const unsigned char *borrow(struct image_in *in, size_t bytes)
{
    const unsigned char *at = in->at + in->used;

    if (in->fault == NULL && in->bytes - in->used < bytes)
        image_fail(in, "it ends too early");
    if (in->fault != NULL)
        return NULL;
    in->used += bytes;
    return at;
}

void image_take(struct image_in *in, void *to, size_t bytes)
{
    const unsigned char *at = borrow(in, bytes);

    if (at != NULL)
        memcpy(to, at, bytes);
    else
        memset(to, 0, bytes);
}

uint32_t image_take_count(struct image_in *in, size_t least)
{
    uint32_t count = image_take_u32(in);

    if (count > image_left(in) / least) {
        image_fail(in, "more is announced than there can be");
        return 0;
    }
    return count;
}

bool image_take_flag(struct image_in *in)
{
    return image_take_below(in, 2, "a flag is neither 0 nor 1") == 1;
}

uint32_t image_take_below(struct image_in *in, uint32_t limit, const char *fault)
{
    uint32_t number = image_take_u32(in);

    if (number < limit)
        return number;
    image_fail(in, fault);
    return 0;
}

int64_t image_take_time(struct image_in *in)
{
    int64_t ms = image_take_i64(in);

    if (ms > -TIME_LIMIT && ms < TIME_LIMIT)
        return ms;
    image_fail(in, "a time lies beyond all times");
    return 0;
}

int64_t image_take_any_time(struct image_in *in)
{
    int64_t ms = image_take_i64(in);

    if (ms == INT64_MIN || ms == INT64_MAX || (ms > -TIME_LIMIT && ms < TIME_LIMIT))
        return ms;
    image_fail(in, "a time lies beyond all times");
    return 0;
}

void image_put_mark(struct image_out *out, const char mark[4])
{
    image_put(out, mark, 4);
}

void image_take_mark(struct image_in *in, const char mark[4])
{
    char found[4];
    size_t at = in->used;

    image_take(in, found, sizeof(found));
    if (in->fault != NULL || memcmp(found, mark, sizeof(found)) == 0)
        return;
    in->used = at;
    image_fail(in, "something else stands here than what has to");
}

void image_put_text(struct image_out *out, struct text text)
{
    image_put_u32(out, text.len);
    image_put(out, text.at, text.len);
}

struct text image_take_text(struct image_in *in)
{
    uint32_t len = image_take_count(in, 1);
    const unsigned char *at = borrow(in, len);

    return at != NULL ? (struct text){(const char *)at, len} : (struct text){"", 0};
}

void image_put_event(struct image_out *out, const struct event_text *text)
{
    image_put_u32(out, text->bytes);
    image_put(out, text, text->bytes);
}

/* Do all fields and labels lie inside, one behind the other? */
static bool event_is_whole(const struct event_text *text, uint32_t bytes)
{
    size_t head = sizeof(*text) + 2 * sizeof(uint32_t) * (size_t)text->label_count;
    uint32_t before = 0;

    if (text->bytes != bytes || head > bytes)
        return false;
    for (int f = 0; f < EVENT_FIELD_COUNT; f++) {
        if (text->field_end[f] < before)
            return false;
        before = text->field_end[f];
    }
    for (uint32_t i = 0; i < 2u * text->label_count; i++) {
        if (text->label_end[i] < before)
            return false;
        before = text->label_end[i];
    }
    return before <= bytes - head;
}

struct event_text *image_take_event(struct image_in *in, struct slab *slab)
{
    uint32_t bytes = image_take_count(in, 1);

    if (in->fault == NULL && (bytes < sizeof(struct event_text) || bytes % 8 != 0))
        image_fail(in, "the words of an event have an impossible size");
    if (in->fault != NULL)
        return NULL;
    struct event_text *text = slab_alloc(slab, bytes);
    image_take(in, text, bytes);
    if (event_is_whole(text, bytes))
        return text;
    image_fail(in, "the words of an event overlap or lie outside of it");
    slab_free(slab, text, bytes);
    return NULL;
}

void image_put_key(struct image_out *out, const struct key_text *key)
{
    image_put_u32(out, key->count);
    for (uint32_t i = 0; i < key->count; i++)
        image_put_text(out, key_text_value(key, i));
}

uint32_t image_take_key(struct image_in *in, struct text value[RULE_BY_MAX])
{
    uint32_t count = image_take_below(in, RULE_BY_MAX + 1, "a key has too many values");

    for (uint32_t i = 0; i < count; i++)
        value[i] = image_take_text(in);
    return in->fault == NULL ? count : 0;
}

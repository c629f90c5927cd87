/* window.c - see window.h. */
#include "correlate/window.h"

#include <string.h>
#include "correlate/exact_sum.h"
#include "correlate/image.h"
#include "correlate/window_sums.h"

enum { RING_MIN = 2 };

static size_t ring_bytes(uint32_t room, uint32_t stride, bool has_sums)
{
    return sizeof(struct window_ring) + (size_t)room * stride +
           (has_sums ? sizeof(struct window_sums *) : 0);
}

static size_t block_bytes(const struct window *window)
{
    return window->is_ring ? ring_bytes(window->mask + 1, window->stride, window->has_sums)
                           : window->stride;
}

/* first and count are kept in the block, the rest of the key. */
static void store(const struct window *window)
{
    if (window->is_ring) {
        struct window_ring *ring = window->block;
        ring->first = window->first;
        ring->count = window->count;
    }
}

static void make_bare(struct window *window, struct slab *slab)
{
    window->block = window->entries = slab_alloc(slab, window->stride);
    window->first = window->mask = 0;
    window->is_ring = false;
}

static void make_ring(struct window *window, struct slab *slab)
{
    uint32_t room = window->is_ring ? (window->mask + 1) * 2 : RING_MIN;
    bool has_sums =
        window->has_sums || (room >= WINDOW_SUMS_ROOM && window_sums_wanted(window->rule));
    struct window_ring *ring = slab_alloc(slab, ring_bytes(room, window->stride, has_sums));

    ring->room = room;
    ring->has_sums = has_sums;
    if (has_sums)
        *window_ring_sums(ring, window->stride) = window->sums;
    ring->since_ms = window->since_ms;
    for (uint32_t i = 0; i < window->count; i++)
        memcpy(ring->entries + (size_t)i * window->stride, window_at(window, i), window->stride);
    if (window->block != NULL)
        slab_free(slab, window->block, block_bytes(window));
    window->block = ring;
    window->entries = ring->entries;
    window->first = 0;
    window->mask = room - 1;
    window->is_ring = true;
    window->has_sums = has_sums;
}

struct window_entry *window_push(struct window *window, struct slab *slab)
{
    if (window->block == NULL && window->rule->hold_ms == 0)
        make_bare(window, slab);
    else if (window->block == NULL)
        make_ring(window, slab);
    else if (window->count > window->mask)
        make_ring(window, slab);
    window->count++;
    store(window);
    return window_at(window, window->count - 1);
}

void window_values_free(const struct window *window, struct window_entry *entry, struct slab *slab)
{
    if (!window->rule->has_distinct)
        return;
    slab_free(slab, entry->word[0].values, entry->word[0].values->bytes);
}

static void free_block(struct window *window, struct slab *slab)
{
    window_sums_free(window, slab);
    slab_free(slab, window->block, block_bytes(window));
    *window = (struct window){.rule = window->rule, .stride = window->stride};
}

void window_pop(struct window *window, struct slab *slab)
{
    window_sums_pop(window, slab);
    window_values_free(window, window_at(window, 0), slab);
    window->first = (window->first + 1) & window->mask;
    window->count--;
    if (window->count == 0)
        free_block(window, slab);
    else
        store(window);
}

void window_remove(struct window *window, uint32_t i, struct slab *slab)
{
    window_sums_remove(window, i, slab);
    window_values_free(window, window_at(window, i), slab);
    if (i < window->count / 2) {
        for (; i > 0; i--)
            memcpy(window_at(window, i), window_at(window, i - 1), window->stride);
        window->first = (window->first + 1) & window->mask;
    } else {
        for (; i + 1 < window->count; i++)
            memcpy(window_at(window, i), window_at(window, i + 1), window->stride);
    }
    window->count--;
    if (window->count == 0)
        free_block(window, slab);
    else
        store(window);
}

void window_release(struct window *window, struct slab *slab)
{
    for (uint32_t i = 0; i < window->count; i++)
        window_values_free(window, window_at(window, i), slab);
    if (window->block != NULL)
        free_block(window, slab);
}

/* ---- images ---- */

enum { ENTRY_BYTES_LEAST = 40, VALUE_BYTES_LEAST = 12 };

static void values_put(struct image_out *out, const struct window_values *values)
{
    image_put_u32(out, values->count);
    for (uint32_t i = 0; i < values->count; i++) {
        image_put_u64(out, values->value[i].hash);
        image_put_text(out, window_value_text(values, i));
    }
}

void window_save(const struct window *window, struct image_out *out)
{
    const struct rule *rule = window->rule;

    image_put_u32(out, window->count);
    if (window->count == 0)
        return;
    image_put_i64(out, window->since_ms);
    for (uint32_t i = 0; i < window->count; i++) {
        const struct window_entry *entry = window_at(window, i);
        image_put_id(out, entry->alert);
        image_put_i64(out, entry->ts_ms);
        image_put_i64(out, time_unpack(entry->at));
        image_put_u32(out, (uint32_t)(entry->severity << 1 | entry->cleared));
        if (rule->has_distinct)
            values_put(out, entry->word[0].values);
        for (uint32_t n = 0; n < rule->argument_count; n++)
            image_put_real(out, entry->word[rule->has_distinct + n].number);
    }
}

/* Returns owned; never NULL, so that what is half built can be freed. */
static struct window_values *values_take(const struct rule *rule, struct image_in *in,
                                         struct slab *slab)
{
    struct window_value value[RULE_AGGREGATES_MAX];
    struct text text[RULE_AGGREGATES_MAX];
    uint32_t count = image_take_count(in, VALUE_BYTES_LEAST), wanted = 0, at = 0;

    for (uint32_t i = 0; i < rule->aggregate_count; i++)
        wanted += rule->aggregate[i].kind == AGGREGATE_DISTINCT;
    if (count != wanted)
        image_fail(in, "an entry has other values than its rule counts");
    count = in->fault == NULL ? count : 0;
    for (uint32_t i = 0; i < count; i++) {
        value[i].hash = image_take_u64(in);
        text[i] = image_take_text(in);
        if (text[i].len > VALUE_TEXT_BYTES)
            image_fail(in, "a value is too long");
        value[i].at = at;
        value[i].len = in->fault == NULL ? text[i].len : 0;
        at += value[i].len;
    }
    size_t bytes = sizeof(struct window_values) + count * sizeof(struct window_value) + at;
    struct window_values *values = slab_alloc(slab, bytes);
    values->bytes = (uint32_t)bytes;
    values->count = count;
    for (uint32_t i = 0; i < count; i++) {
        values->value[i] = value[i];
        if (value[i].len > 0)
            memcpy((char *)(values->value + count) + value[i].at, text[i].at, value[i].len);
    }
    return values;
}

static double number_take(struct image_in *in)
{
    double number = image_take_real(in);

    if (number == number && !exact_fits(number))
        image_fail(in, "a number is too large to be added");
    return in->fault == NULL ? number : 0;
}

void window_load(struct window *window, struct slab *slab, struct image_in *in)
{
    const struct rule *rule = window->rule;
    uint32_t count = image_take_count(in, ENTRY_BYTES_LEAST);
    int64_t before_ms = INT64_MIN, since_ms = 0;

    if (count > 0)
        since_ms = rule->hold_ms > 0 ? image_take_any_time(in) : image_take_time(in);
    if (since_ms == INT64_MIN)
        image_fail(in, "a window has no beginning");

    for (uint32_t i = 0; i < count && in->fault == NULL; i++) {
        struct id128 alert = image_take_id(in);
        int64_t ts_ms = image_take_i64(in), at_ms = image_take_time(in);
        uint32_t rest = image_take_below(in, 2 * SEVERITY_COUNT, "there is no such severity");
        struct window_values *values = rule->has_distinct ? values_take(rule, in, slab) : NULL;
        if (at_ms < before_ms)
            image_fail(in, "the entries of a window are not in order");
        before_ms = at_ms;
        /* A bare entry has no other beginning than its own. */
        if (i == 0 && count == 1 && since_ms != at_ms)
            make_ring(window, slab);
        struct window_entry *entry = window_push(window, slab);
        *entry = (struct window_entry){.alert = alert,
                                       .ts_ms = ts_ms,
                                       .at = TIME_PACK(at_ms),
                                       .severity = rest >> 1 & 0xfu,
                                       .cleared = rest & 1};
        if (values != NULL)
            entry->word[0].values = values;
        for (uint32_t n = 0; n < rule->argument_count; n++)
            entry->word[rule->has_distinct + n].number = number_take(in);
        if (in->fault == NULL) /* of a window that is given up nothing is asked */
            window_sums_put(window, window->count - 1, slab);
    }
    window->since_ms = since_ms;
    window_keep_since(window);
}

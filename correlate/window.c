/* window.c - see window.h. */
#include "correlate/window.h"

#include <string.h>
#include "correlate/exact_sum.h"
#include "correlate/image.h"
#include "correlate/window_index.h"
#include "correlate/window_pack.h"
#include "correlate/window_sums.h"

static size_t ring_bytes(uint32_t room, uint32_t stride, bool has_sums)
{
    return sizeof(struct window_ring) + (size_t)room * stride +
           (room >= WINDOW_INDEX_ROOM ? sizeof(struct window_index *) : 0) +
           (has_sums ? sizeof(struct window_sums *) : 0);
}

static size_t block_bytes(const struct window *window)
{
    return window->is_ring ? ring_bytes(window->mask + 1, window->stride, window->has_sums)
                           : window_pack_bytes(window);
}

/* first and count are kept in the block, the rest of the key. */
static void store(const struct window *window)
{
    struct window_ring *ring = window->block;

    ring->first = window->first;
    ring->count = window->count;
}

static void put(struct window_ring_entry *to, const struct window_entry *entry)
{
    to->alert = entry->alert;
    to->ts_ms = entry->ts_ms;
    to->bits = (uint64_t)entry->at_ms << 8 | (entry->severity & 15u) << 4 |
               (entry->cleared ? WINDOW_RING_CLEARED : 0);
}

/* A ring of so much room, in which the entries stand side by side. */
static void make_ring(struct window *window, uint32_t room, struct slab *slab)
{
    struct window old = *window;
    bool has_sums = old.has_sums || (room >= WINDOW_SUMS_ROOM && window_sums_wanted(window->rule));
    struct window_ring *ring = slab_alloc(slab, ring_bytes(room, old.stride, has_sums));

    ring->room = room;
    ring->has_sums = has_sums;
    if (has_sums)
        *window_ring_sums(ring, old.stride) = old.sums;
    ring->since_ms = old.since_ms;
    window->block = ring;
    window->entries = window_ring_entries(ring);
    window->first = window->span = 0;
    window->mask = room - 1;
    window->is_ring = true;
    window->has_sums = has_sums;
    window->index = NULL;
    if (room >= WINDOW_INDEX_ROOM)
        *window_ring_index(ring) = NULL;
    for (uint32_t i = 0; i < old.span; i++) {
        if (window_is_gone(&old, i))
            continue;
        const struct window_entry entry = window_get(&old, i);
        uint32_t to = window->span++;
        put(window_ring_at(window, to), &entry);
        memcpy(window_words(window, to), window_words(&old, i),
               old.rule->entry_words * sizeof(union window_word));
    }
    store(window);
    if (old.index != NULL && room >= WINDOW_INDEX_ROOM)
        window_index_make(window, slab);
    if (old.span > old.count)
        window_sums_again(window, slab);
    if (old.block != NULL) {
        window_index_free(&old, slab);
        slab_free(slab, old.block, block_bytes(&old));
    }
}

static uint32_t room_above(uint32_t count)
{
    uint32_t room = 1;

    while (room <= count)
        room *= 2;
    return room;
}

/* No place is empty any more. */
static void close_gaps(struct window *window, struct slab *slab)
{
    uint32_t to = 0;

    for (uint32_t i = 0; i < window->span; i++) {
        if (window_is_gone(window, i))
            continue;
        if (to < i)
            memcpy(window_ring_at(window, to), window_ring_at(window, i), window->stride);
        to++;
    }
    window->span = to;
    window_index_again(window);
    window_sums_again(window, slab);
}

/* All places are taken: those that are gone are used again, where they are many. */
static void make_room(struct window *window, struct slab *slab)
{
    if (window->span - window->count > window->mask / 4)
        close_gaps(window, slab);
    else
        make_ring(window, room_above(window->count), slab);
}

void window_push(struct window *window, const struct window_entry *entry, struct slab *slab)
{
    if (!window->is_ring && window_pack_push(window, entry, slab))
        return;
    if (window->block == NULL)
        window->since_ms = entry->at_ms;
    if (!window->is_ring)
        make_ring(window, room_above(window->count), slab);
    else if (window->span > window->mask)
        make_room(window, slab);
    window->count++;
    window->span++;
    store(window);
    put(window_ring_at(window, window->span - 1), entry);
    if (window->index != NULL)
        window_index_push(window);
}

struct window_entry window_get(const struct window *window, uint32_t i)
{
    if (window->is_ring) {
        const struct window_ring_entry *entry = window_ring_at(window, i);
        return (struct window_entry){.alert = entry->alert,
                                     .at_ms = window_at_ms(window, i),
                                     .ts_ms = entry->ts_ms,
                                     .severity = (uint8_t)(entry->bits >> 4 & 15),
                                     .cleared = (entry->bits & WINDOW_RING_CLEARED) != 0};
    }
    uint64_t mark = window_mark(window, i);
    int64_t at_ms = window_mark_at_ms(mark, window->since_ms);
    return (struct window_entry){.alert = *window_alert(window, i),
                                 .at_ms = at_ms,
                                 .ts_ms = at_ms + window_mark_lead_ms(mark),
                                 .severity = window_mark_severity(mark),
                                 .cleared = (mark & WINDOW_MARK_CLEARED) != 0};
}

void window_set_severity(const struct window *window, uint32_t i, uint8_t severity)
{
    if (!window->is_ring) {
        window_pack_set_severity(window, i, severity);
        return;
    }
    struct window_ring_entry *entry = window_ring_at(window, i);
    entry->bits = (entry->bits & ~(uint64_t)0xf0) | (severity & 15u) << 4;
}

void window_set_cleared(const struct window *window, uint32_t i)
{
    if (window->is_ring)
        window_ring_at(window, i)->bits |= WINDOW_RING_CLEARED;
    else
        window_pack_set_cleared(window, i);
}

void window_values_free(const struct window *window, uint32_t i, struct slab *slab)
{
    if (!window->rule->has_distinct)
        return;
    struct window_values *values = window_words(window, i)->values;
    slab_free(slab, values, values->bytes);
}

static void free_block(struct window *window, struct slab *slab)
{
    window_sums_free(window, slab);
    window_index_free(window, slab);
    slab_free(slab, window->block, block_bytes(window));
    *window =
        (struct window){.rule = window->rule, .stride = window->stride, .looks = window->looks};
}

static char *place_at(const struct window *window, uint32_t place)
{
    return window->entries + (size_t)place * window->stride;
}

/* The entries before `i` move one place on, as many at once as lie side by side. */
static void move_older(const struct window *window, uint32_t i)
{
    while (i > 0) {
        uint32_t to = (window->first + i) & window->mask;
        uint32_t run = to == 0 ? 1 : i < to ? i : to;
        uint32_t from = to == 0 ? window->mask : to - run;
        memmove(place_at(window, to == 0 ? 0 : from + 1), place_at(window, from),
                (size_t)run * window->stride);
        i -= run;
    }
}

/* Those behind it move one place back. */
static void move_younger(const struct window *window, uint32_t i)
{
    while (i + 1 < window->count) {
        uint32_t to = (window->first + i) & window->mask, behind = window->count - 1 - i;
        uint32_t side = window->mask - to, run = side == 0 ? 1 : behind < side ? behind : side;
        memmove(place_at(window, to), place_at(window, side == 0 ? 0 : to + 1),
                (size_t)run * window->stride);
        i += run;
    }
}

static void ring_close_up(struct window *window, uint32_t i)
{
    if (i < window->count / 2) {
        move_older(window, i);
        window->first = (window->first + 1) & window->mask;
    } else {
        move_younger(window, i);
    }
    window->count--;
    window->span--;
    store(window);
}

/* Place `i` holds nothing any more but what the others need to stand where they do. */
static void mark_gone(const struct window *window, uint32_t i, uint32_t number)
{
    const struct rule *rule = window->rule;
    union window_word *word = window_words(window, i);

    window_ring_at(window, i)->bits |= WINDOW_RING_GONE;
    if (rule->has_distinct)
        (word++)->number_gone = number;
    for (uint32_t n = 0; n < rule->argument_count; n++)
        word[n].number = __builtin_nan("");

    uint32_t before = i > 0 && window_is_gone(window, i - 1) ? window_gone_run(window, i - 1) : 0;
    uint32_t behind =
        i + 1 < window->span && window_is_gone(window, i + 1) ? window_gone_run(window, i + 1) : 0;
    window_ring_at(window, i)->ts_ms = before + 1 + behind;
    window_ring_at(window, i - before)->ts_ms = before + 1 + behind;
    window_ring_at(window, i + behind)->ts_ms = before + 1 + behind;
}

/* The first and the last place hold an entry again. */
static void trim(struct window *window)
{
    uint32_t old = 0;

    while (window_is_gone(window, old))
        old++;
    window->first = (window->first + old) & window->mask;
    window->span -= old;
    window->index->gone -= old;
    for (; window_is_gone(window, window->span - 1); window->span--)
        window->index->gone--;
    window_sums_trimmed(window, old);
}

/* Entry `i` of several leaves a ring with an index; its values have been freed. */
static void ring_leave(struct window *window, uint32_t i, uint32_t number, struct slab *slab)
{
    window_index_leave(window, i);
    mark_gone(window, i, number);
    window->index->gone++;
    window->count--;
    trim(window);
    store(window);
    if ((uint64_t)window->count * 8 <= window->mask)
        make_ring(window, room_above(2 * window->count), slab);
    else if (window->index->gone > window->count)
        close_gaps(window, slab);
}

/* Entry `i` leaves; the sums know. */
static void leave(struct window *window, uint32_t i, struct slab *slab)
{
    uint32_t number = window->rule->keeps_values ? window_values(window, i)->number : 0;

    window_values_free(window, i, slab);
    if (window->count == 1)
        free_block(window, slab);
    else if (window->index != NULL)
        ring_leave(window, i, number, slab);
    else if (window->is_ring)
        ring_close_up(window, i);
    else
        window_pack_remove(window, i, slab);
}

void window_pop(struct window *window, struct slab *slab)
{
    if (window->index == NULL)
        window_sums_pop(window, slab);
    else
        window_sums_gone(window, 0, slab);
    leave(window, 0, slab);
}

void window_remove(struct window *window, uint32_t i, struct slab *slab)
{
    if (window->index == NULL)
        window_sums_remove(window, i, slab);
    else
        window_sums_gone(window, i, slab);
    leave(window, i, slab);
}

uint32_t window_gone(const struct window_index *index)
{
    return index->gone;
}

uint32_t window_find(struct window *window, struct id128 alert, struct slab *slab)
{
    if (window->index == NULL && window->count > WINDOW_INDEX_LEAST)
        window_index_make(window, slab);
    if (window->index != NULL)
        return window_index_find(window, alert);
    for (uint32_t i = window->span; i-- > 0;) {
        window->looks++;
        if (id128_equal(*window_alert(window, i), alert))
            return i;
    }
    return window->span;
}

void window_clear_alert(struct window *window, struct id128 alert, struct slab *slab)
{
    uint32_t i = window_find(window, alert, slab);

    if (window->index != NULL) {
        for (; i < window->span && !window_get(window, i).cleared;
             i = window_index_older(window, i))
            window_set_cleared(window, i);
        return;
    }
    for (; i < window->span; i--) { /* which ends below 0 */
        window->looks++;
        if (id128_equal(*window_alert(window, i), alert))
            window_set_cleared(window, i);
    }
}

void window_release(struct window *window, struct slab *slab)
{
    for (uint32_t i = 0; i < window->span; i++)
        if (!window_is_gone(window, i))
            window_values_free(window, i, slab);
    if (window->block != NULL)
        free_block(window, slab);
}

/* ---- images ---- */

/* Of an entry without words, and of a value without text. */
enum { ENTRY_BYTES_LEAST = 36, VALUE_BYTES_LEAST = 12 };

static void values_put(struct image_out *out, const struct window_values *values)
{
    image_put_u32(out, values->count);
    for (uint32_t i = 0; i < values->count; i++) {
        image_put_u64(out, values->value[i].hash);
        image_put_text(out, window_value_text(values, i));
    }
}

/* Somebody asks for since_ms. */
static bool has_beginning(const struct rule *rule)
{
    return rule->hold_ms > 0 || window_has_beginning(rule);
}

void window_save(const struct window *window, struct image_out *out)
{
    const struct rule *rule = window->rule;

    image_put_u32(out, window->count);
    if (window->count == 0)
        return;
    image_put_i64(out, has_beginning(rule) ? window->since_ms : window_at_ms(window, 0));
    for (uint32_t i = 0; i < window->span; i++) {
        if (window_is_gone(window, i))
            continue;
        const struct window_entry entry = window_get(window, i);
        const union window_word *word = window_words(window, i);
        image_put_id(out, entry.alert);
        image_put_i64(out, entry.ts_ms);
        image_put_i64(out, entry.at_ms);
        image_put_u32(out, (uint32_t)entry.severity << 1 | entry.cleared);
        if (rule->has_distinct)
            values_put(out, word->values);
        for (uint32_t n = 0; n < rule->argument_count; n++)
            image_put_real(out, word[rule->has_distinct + n].number);
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
    values->bytes = (uint16_t)bytes;
    values->count = (uint16_t)count;
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
        /* A pack begins with its first entry; an older beginning is one whose entries left. */
        if (i == 0 && has_beginning(rule) && since_ms != at_ms)
            make_ring(window, 1, slab);
        const struct window_entry entry = {.alert = alert,
                                           .at_ms = at_ms,
                                           .ts_ms = ts_ms,
                                           .severity = (uint8_t)(rest >> 1),
                                           .cleared = rest & 1};
        window_push(window, &entry, slab);
        union window_word *word = window_words(window, i);
        if (values != NULL)
            word->values = values;
        for (uint32_t n = 0; n < rule->argument_count; n++)
            word[rule->has_distinct + n].number = number_take(in);
        if (in->fault == NULL) /* of a window that is given up nothing is asked */
            window_sums_put(window, window->count - 1, slab);
    }
    if (window->is_ring)
        window_set_since(window, since_ms);
}

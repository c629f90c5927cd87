/* window_pack.c - see window_pack.h. */
#include "correlate/window_pack.h"

#include <string.h>

enum { NARROW_BITS = 24, AT_BITS = 32, LEAD_BITS = 24, BASE_BITS = 48, SEVERITY_SHIFT = 24 };
enum { ALERT_SHIFT = 28, AT_HIGH_SHIFT = 32, LEAD_SHIFT = 40, ROOM_SHIFT = 57 };
_Static_assert(SEVERITY_COUNT <= 8, "a severity is three bits of a mark");
_Static_assert(WINDOW_PACK_ENTRIES <= 16, "counts are four bits of a head");
_Static_assert(WINDOW_PACK_BYTES_MAX / 8 < 128, "the room is seven bits of a head");

/* What decides where things lie in a block. */
struct shape {
    uint32_t entries, alerts;
    bool is_wide;
};

static bool fits(int64_t number, int bits)
{
    return number >= -((int64_t)1 << (bits - 1)) && number < (int64_t)1 << (bits - 1);
}

static struct shape shape_of(const struct window *window)
{
    return (struct shape){window->count, window->alert_count, window->is_wide};
}

static size_t words_at(struct shape shape)
{
    return sizeof(struct window_pack) + shape.alerts * sizeof(struct id128);
}

static size_t words_bytes(const struct rule *rule, struct shape shape)
{
    return (size_t)shape.entries * rule->entry_words * sizeof(union window_word);
}

static size_t mark_bytes(struct shape shape)
{
    return shape.is_wide ? sizeof(uint64_t) : sizeof(uint32_t);
}

static size_t shape_bytes(const struct rule *rule, struct shape shape)
{
    return words_at(shape) + words_bytes(rule, shape) + shape.entries * mark_bytes(shape);
}

static struct window_pack *pack_of(const struct window *window)
{
    return window->block;
}

size_t window_pack_bytes(const struct window *window)
{
    return (size_t)(pack_of(window)->head >> ROOM_SHIFT) * 8;
}

static void set_mark(const struct window *window, uint32_t i, uint64_t mark)
{
    void *marks = window->entries;

    if (window->is_wide)
        ((uint64_t *)marks)[i] = mark;
    else
        ((uint32_t *)marks)[i] = (uint32_t)mark;
}

void window_pack_set_severity(const struct window *window, uint32_t i, uint8_t severity)
{
    uint64_t mark = window_mark(window, i) & ~((uint64_t)7 << SEVERITY_SHIFT);

    set_mark(window, i, mark | (uint64_t)(severity & 7u) << SEVERITY_SHIFT);
}

void window_pack_set_cleared(const struct window *window, uint32_t i)
{
    set_mark(window, i, window_mark(window, i) | WINDOW_MARK_CLEARED);
}

/* The block of so many bytes says what the window is; it lies where the block says. */
static void store(struct window *window, size_t room)
{
    pack_of(window)->head = ((uint64_t)window->since_ms & (((uint64_t)1 << BASE_BITS) - 1)) |
                            (uint64_t)(window->count - 1) << 48 |
                            (uint64_t)(window->alert_count - 1) << 52 |
                            (uint64_t)window->is_wide << 56 | (uint64_t)(room / 8) << ROOM_SHIFT;
    window->entries = (char *)window->block + words_at(shape_of(window)) +
                      words_bytes(window->rule, shape_of(window));
    window->span = window->count;
}

/* The entries, which lie in `from`, come to lie in the window's block, at places for a shape that
 * is nowhere smaller. If that is the same block, what lies behind has to move first. */
static void spread(struct window *window, struct window_pack *from, struct shape shape)
{
    const struct shape was = shape_of(window);
    const char *marks = window->entries;
    size_t words = words_bytes(window->rule, was);
    char *to = window->block;

    window->is_wide = shape.is_wide;
    window->entries = to + words_at(shape) + words_bytes(window->rule, shape);
    if (window->entries == marks && shape.is_wide == was.is_wide)
        return; /* there is room at the end */
    if (shape.is_wide == was.is_wide)
        memmove(window->entries, marks, was.entries * mark_bytes(was));
    else
        for (uint32_t i = was.entries; i-- > 0;)
            set_mark(window, i, ((const uint32_t *)(const void *)marks)[i]);
    if (words > 0)
        memmove(to + words_at(shape), (char *)from + words_at(was), words);
    if (window->block != from)
        memcpy(pack_of(window)->alert, from->alert, was.alerts * sizeof(struct id128));
}

/* The base follows the oldest entry, where nobody asks when the window began. */
static void follow(struct window *window)
{
    int64_t oldest_ms = window_at_ms(window, 0);

    if (window_has_beginning(window->rule))
        return;
    for (uint32_t i = 0; i < window->count; i++) {
        uint64_t at = (uint64_t)(window_at_ms(window, i) - oldest_ms);
        uint64_t mark = window_mark(window, i);
        mark &= ~(((uint64_t)1 << NARROW_BITS) - 1) & ~((uint64_t)0xff << AT_HIGH_SHIFT);
        mark |= (at & 0xffffff) | (at >> NARROW_BITS & 0xff) << AT_HIGH_SHIFT;
        set_mark(window, i, mark);
    }
    window->since_ms = oldest_ms;
    store(window, window_pack_bytes(window));
}

static uint32_t find_alert(const struct window *window, struct id128 alert)
{
    uint32_t i = 0;

    while (i < window->alert_count && !id128_equal(pack_of(window)->alert[i], alert))
        i++;
    return i;
}

bool window_pack_push(struct window *window, const struct window_entry *entry, struct slab *slab)
{
    const struct rule *rule = window->rule;
    bool is_new = window->block == NULL;
    int64_t at, lead;

    if (rule->hold_ms > 0 || window->count == WINDOW_PACK_ENTRIES)
        return false;
    if (is_new ? !fits(entry->at_ms, BASE_BITS) : entry->at_ms < window->since_ms)
        return false;
    if (!is_new && entry->at_ms - window->since_ms >= (int64_t)1 << NARROW_BITS)
        follow(window);
    at = is_new ? 0 : entry->at_ms - window->since_ms;
    if (at >= (int64_t)1 << AT_BITS || __builtin_sub_overflow(entry->ts_ms, entry->at_ms, &lead) ||
        !fits(lead, LEAD_BITS))
        return false;

    uint32_t alert = find_alert(window, entry->alert);
    struct shape shape = {window->count + 1, window->alert_count + (alert == window->alert_count),
                          window->is_wide || lead != 0 || at >= (int64_t)1 << NARROW_BITS};
    size_t bytes = shape_bytes(rule, shape);
    if (bytes > WINDOW_PACK_BYTES_MAX)
        return false;
    size_t room = is_new ? 0 : window_pack_bytes(window), had = room;
    struct window_pack *old = window->block;
    if (bytes > room) {
        room = slab_fit(bytes);
        window->block = slab_alloc(slab, room);
    }
    if (is_new) {
        window->since_ms = entry->at_ms;
        window->is_wide = shape.is_wide;
    } else {
        spread(window, old, shape);
    }
    if (!is_new && room > had)
        slab_free(slab, old, had);
    window->count = shape.entries;
    window->alert_count = shape.alerts;
    pack_of(window)->alert[alert] = entry->alert;
    store(window, room);
    set_mark(window, window->count - 1,
             ((uint64_t)at & 0xffffff) | (uint64_t)entry->severity << SEVERITY_SHIFT |
                 (entry->cleared ? WINDOW_MARK_CLEARED : 0) | (uint64_t)alert << ALERT_SHIFT |
                 (uint64_t)at >> NARROW_BITS << AT_HIGH_SHIFT | (uint64_t)lead << LEAD_SHIFT);
    return true;
}

/* No entry is of that alert any more: those behind it move up. */
static void drop_alert(struct window *window, uint32_t alert)
{
    struct id128 *at = pack_of(window)->alert;

    memmove(at + alert, at + alert + 1, (window->alert_count - alert - 1) * sizeof(*at));
    for (uint32_t i = 0; i < window->count; i++) {
        uint64_t mark = window_mark(window, i);
        if (window_mark_alert(mark) > alert)
            set_mark(window, i, mark - ((uint64_t)1 << ALERT_SHIFT));
    }
    window->alert_count--;
}

void window_pack_remove(struct window *window, uint32_t i, struct slab *slab)
{
    const struct shape was = shape_of(window);
    uint32_t alert = window_mark_alert(window_mark(window, i)), behind = window->count - i - 1;
    size_t words = window->rule->entry_words * sizeof(union window_word);
    size_t mark = mark_bytes(was);
    char *at = (char *)window->block, *word = at + words_at(was);

    memmove(word + i * words, word + (i + 1) * words, behind * words);
    memmove(window->entries + i * mark, window->entries + (i + 1) * mark, behind * mark);
    window->count--;
    uint32_t e = 0;
    while (e < window->count && window_mark_alert(window_mark(window, e)) != alert)
        e++;
    if (e == window->count)
        drop_alert(window, alert);

    const struct shape is = shape_of(window);
    const char *marks = window->entries;
    memmove(at + words_at(is), word, words_bytes(window->rule, is));
    memmove(at + words_at(is) + words_bytes(window->rule, is), marks, window->count * mark);
    size_t bytes = shape_bytes(window->rule, is), room = window_pack_bytes(window);
    size_t fit = slab_fit(bytes);
    if (fit * 2 <= room) {
        struct window_pack *smaller = slab_alloc(slab, fit);
        memcpy(smaller->alert, pack_of(window)->alert, bytes - sizeof(*smaller));
        slab_free(slab, window->block, room);
        window->block = smaller;
        room = fit;
    }
    store(window, room);
}

/*
 * window.h - the entries of a key that watches, oldest first.
 *
 * A million keys with few entries each are the ordinary case of a large estate, so few entries
 * are packed (window_pack.h); many, and those of a rule with `for`, lie in a ring:
 *
 *   pack   [ base, counts | alert ... | words ... | mark ... ]
 *   ring   [ since | first | count | room | index | entry entry ... | sums ]  room: a power of 2
 *
 * `index` is there in a ring of WINDOW_INDEX_ROOM places or more (window_index.h), `sums` where a
 * window that large is kept with them (window_sums.h). A pack becomes a ring when it is full or an
 * entry does not fit in; a ring stays one until it is empty.
 *
 * In a ring with an index entries that left from the middle keep their places: `count` entries are
 * there, in `span` places, of which those that window_is_gone() says are none. The first and the
 * last place always hold an entry. Without an index all places do.
 *
 * `since` is the form's: when the window began, or since when it has been as it is.
 *
 * An entry has words of its rule's: the different values that `distinct` looks at
 * (a pointer), and one number for each thing that other aggregates look at. How many, says
 * rule->entry_words; every entry of a window has as many.
 *
 * Entries are read and written through the functions below alone: who does need not know how they
 * are kept.
 *
 * Owner:  what the window holds lies in the worker's slab.
 * Thread: the owner of the lane.
 */
#ifndef CORRELATE_WINDOW_H
#define CORRELATE_WINDOW_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"
#include "base/slab.h"
#include "correlate/touch.h"
#include "rules/rule_set.h"

struct image_in; /* correlate/image.h */
struct image_out;
struct window_sums;  /* correlate/window_sums.h */
struct window_index; /* correlate/window_index.h */

/* What an entry remembers of the fields that `distinct` counts: a hash to compare,
 * and the text, cut to what an explanation can show. */
enum { VALUE_TEXT_BYTES = 300 };

struct window_values {
    uint16_t bytes; /* of this record, for the slab */
    uint16_t count;
    uint32_t number; /* of the entry, in the order in which they came; where the sums keep it */
    struct window_value {
        uint64_t hash;
        uint32_t at, len; /* in the text behind the values */
    } value[];
};

_Static_assert(sizeof(struct window_values) +
                       RULE_AGGREGATES_MAX * (sizeof(struct window_value) + VALUE_TEXT_BYTES) <=
                   UINT16_MAX,
               "the bytes of a record are a number of 16 bits");

static inline struct text window_value_text(const struct window_values *values, uint32_t i)
{
    return (struct text){(const char *)(values->value + values->count) + values->value[i].at,
                         values->value[i].len};
}

/* An entry, but for its words. */
struct window_entry {
    struct id128 alert;
    int64_t at_ms; /* when it came: effective time */
    int64_t ts_ms; /* of its event, by its own words */
    uint8_t severity;
    bool cleared;
};

union window_word {
    struct window_values *values; /* the first word of a rule with distinct */
    double number;                /* NaN: the event has none */
    uint64_t number_gone;         /* of the values, of an entry that is gone */
};

/* An entry in a ring; its words follow. */
struct window_ring_entry {
    struct id128 alert;
    int64_t ts_ms;
    uint64_t bits; /* 56 of at_ms, 4 of severity, 4 of flags; one word, as it is read soon */
    union window_word word[];
};
#define WINDOW_RING_CLEARED ((uint64_t)1)
#define WINDOW_RING_GONE ((uint64_t)2)
_Static_assert(sizeof(struct window_ring_entry) == 32, "an entry without words is half a line");

struct window_ring {
    int64_t since_ms;
    uint32_t first, count, room;
    uint32_t has_sums; /* behind the entries */
    _Alignas(8) char rest[];
};

/* A ring of so many places may get an index. */
enum { WINDOW_INDEX_ROOM = 128 };

/* window_pack.h draws it. The head is read and written as one word, as it is read right after it
 * was written:
 *
 *   bit 0     48                 52                56        57
 *     | base | entries minus one | alerts minus one | is wide | bytes of the block / 8 |
 */
struct window_pack {
    uint64_t head;
    struct id128 alert[];
};

/* A key's window, while it is worked on. */
struct window {
    const struct rule *rule;
    void *block;                /* NULL: empty */
    char *entries;              /* of a ring; of a pack their marks, which lie behind the words */
    struct window_sums *sums;   /* NULL: not kept, or not yet */
    struct window_index *index; /* NULL: not kept, or not yet */
    int64_t since_ms;           /* of a pack also what the times of its marks count from */
    uint32_t first, count, mask;
    uint32_t span;        /* places from the oldest to the newest: `count`, and what is gone */
    uint32_t stride;      /* bytes of an entry in a ring */
    uint32_t alert_count; /* of a pack: different ones */
    uint64_t looks;       /* at entries, to find those of an alert, since it was read */
    bool is_ring;
    bool has_sums;
    bool is_wide;
};

/* Where a ring of WINDOW_INDEX_ROOM places keeps its index. */
static inline struct window_index **window_ring_index(struct window_ring *ring)
{
    return (struct window_index **)(void *)ring->rest;
}

static inline char *window_ring_entries(struct window_ring *ring)
{
    return ring->rest + (ring->room >= WINDOW_INDEX_ROOM ? sizeof(struct window_index *) : 0);
}

/* Where a ring with sums keeps them. */
static inline struct window_sums **window_ring_sums(struct window_ring *ring, uint32_t stride)
{
    return (struct window_sums **)(void *)(window_ring_entries(ring) + (size_t)ring->room * stride);
}

/* How many entries of an index are gone. */
uint32_t window_gone(const struct window_index *index);

static inline struct window window_read(void *block, bool is_ring, const struct rule *rule)
{
    struct window window = {.rule = rule,
                            .block = block,
                            .stride = (uint32_t)sizeof(struct window_ring_entry) +
                                      (uint32_t)sizeof(union window_word) * rule->entry_words,
                            .is_ring = is_ring};

    if (is_ring) {
        struct window_ring *ring = block;
        assert(ring != NULL);
        window.entries = window_ring_entries(ring);
        window.since_ms = ring->since_ms;
        window.first = ring->first;
        window.count = window.span = ring->count;
        window.mask = ring->room - 1;
        if (ring->room >= WINDOW_INDEX_ROOM)
            window.index = *window_ring_index(ring);
        if (window.index != NULL)
            window.span += window_gone(window.index);
        window.has_sums = ring->has_sums != 0;
        if (window.has_sums)
            window.sums = *window_ring_sums(ring, window.stride);
    } else if (block != NULL) {
        struct window_pack *pack = block;
        window.since_ms = (int64_t)(pack->head << 16) >> 16;
        window.count = window.span = (uint32_t)(pack->head >> 48 & 15) + 1;
        window.alert_count = (uint32_t)(pack->head >> 52 & 15) + 1;
        window.is_wide = (pack->head >> 56 & 1) != 0;
        window.entries = (char *)(pack->alert + window.alert_count) +
                         (size_t)window.count * rule->entry_words * sizeof(union window_word);
    }
    return window;
}

static inline struct window_ring_entry *window_ring_at(const struct window *window, uint32_t i)
{
    uint32_t at = (window->first + i) & window->mask;

    return (struct window_ring_entry *)(void *)(window->entries + (size_t)at * window->stride);
}

/* Place `i` holds no entry any more: nothing but its alert, when it came, and of its words that no
 * number is there. */
static inline bool window_is_gone(const struct window *window, uint32_t i)
{
    return window->index != NULL && (window_ring_at(window, i)->bits & WINDOW_RING_GONE) != 0;
}

/* How many such places lie side by side, of one at either end of them: who looks for a neighbour
 * steps over all at once. */
static inline uint32_t window_gone_run(const struct window *window, uint32_t i)
{
    return (uint32_t)window_ring_at(window, i)->ts_ms;
}

/* The rule asks when a window began; of others a pack's base follows the oldest entry. */
static inline bool window_has_beginning(const struct rule *rule)
{
    return rule->window_kind == WINDOW_TUMBLING || rule->window_kind == WINDOW_SESSION;
}

/* What a pack says of entry `i`, as if all marks were wide. */
static inline uint64_t window_mark(const struct window *window, uint32_t i)
{
    const void *marks = window->entries;

    return window->is_wide ? ((const uint64_t *)marks)[i] : ((const uint32_t *)marks)[i];
}

/*
 * A mark: of the whole eight bytes, the upper four are zero where entries come with the time that
 * they name, hours after the base at most; then they are left out.
 *
 *   bit 0        24         27        28      32         40
 *     | at, low | severity | cleared | alert | at, high | ts - at, signed |
 */
#define WINDOW_MARK_CLEARED ((uint64_t)1 << 27)

static inline int64_t window_mark_at_ms(uint64_t mark, int64_t base_ms)
{
    return base_ms + (int64_t)((mark & 0xffffff) | (mark >> 32 & 0xff) << 24);
}

static inline uint32_t window_mark_alert(uint64_t mark)
{
    return (uint32_t)(mark >> 28) & 15;
}

static inline uint8_t window_mark_severity(uint64_t mark)
{
    return (uint8_t)(mark >> 24 & 7);
}

static inline int64_t window_mark_lead_ms(uint64_t mark)
{
    return (int64_t)mark >> 40;
}

/* When entry `i` came. */
static inline int64_t window_at_ms(const struct window *window, uint32_t i)
{
    return window->is_ring ? (int64_t)window_ring_at(window, i)->bits >> 8
                           : window_mark_at_ms(window_mark(window, i), window->since_ms);
}

/* Whose it is. Stands until the window changes. */
static inline const struct id128 *window_alert(const struct window *window, uint32_t i)
{
    if (window->is_ring)
        return &window_ring_at(window, i)->alert;
    return &((const struct window_pack *)window->block)
                ->alert[window_mark_alert(window_mark(window, i))];
}

/* Its words; they may be written. Stand until an entry comes or goes. */
static inline union window_word *window_words(const struct window *window, uint32_t i)
{
    if (window->is_ring)
        return window_ring_at(window, i)->word;
    union window_word *first =
        (void *)(((struct window_pack *)window->block)->alert + window->alert_count);
    return first + (size_t)i * window->rule->entry_words;
}

/* The values of a rule with distinct. */
static inline const struct window_values *window_values(const struct window *window, uint32_t i)
{
    return window_words(window, i)->values;
}

struct window_entry window_get(const struct window *window, uint32_t i);

/* Other values of entry `i`. */
void window_set_severity(const struct window *window, uint32_t i, uint8_t severity);
void window_set_cleared(const struct window *window, uint32_t i);

/* One column of numbers of a window; NaN where the entry has none. */
struct window_column {
    const struct window *window;
    uint32_t word;
};

static inline double window_number(const struct window_column *column, uint32_t i)
{
    return window_words(column->window, i)[column->word].number;
}

/* Another since_ms, of a rule with `for`. */
static inline void window_set_since(struct window *window, int64_t since_ms)
{
    assert(window->is_ring);
    window->since_ms = since_ms;
    ((struct window_ring *)window->block)->since_ms = since_ms;
}

/* A new entry at the young end, not before those that are there. Its words are undefined: once
 * they are filled, window_sums_put() is owed. The window may move. Of an empty one since_ms is the
 * entry's time. */
void window_push(struct window *window, const struct window_entry *entry, struct slab *slab);

/* The oldest leaves; with the last one the block does. */
void window_pop(struct window *window, struct slab *slab);

/* Entry `i` leaves, wherever it stands. In a ring without an index those on the side that has fewer
 * move up; with one any may be at another place afterwards. */
void window_remove(struct window *window, uint32_t i, struct slab *slab);

/* The newest entry of the alert; window->span: it has none. A large window gets an index. */
uint32_t window_find(struct window *window, struct id128 alert, struct slab *slab);

/* All entries of the alert are marked as cleared. So those that are older than a marked one are
 * marked already, and none is looked at twice where there is an index. */
void window_clear_alert(struct window *window, struct id128 alert, struct slab *slab);

void window_release(struct window *window, struct slab *slab);

/* The entries, and back: the sums are made anew. Into a window that is empty. */
void window_save(const struct window *window, struct image_out *out);
void window_load(struct window *window, struct slab *slab, struct image_in *in);

/* Frees the values of `distinct` that entry `i` holds. */
void window_values_free(const struct window *window, uint32_t i, struct slab *slab);

#endif

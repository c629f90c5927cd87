/* unicode.c - see unicode.h. */
#include "rules/unicode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "rules/unicode_tables.h"

enum {
    CATEGORY_SHIFT = 5,
    SCRIPT_SHIFT = 8,
    NONE = UINT32_MAX,
    FEW_ADDED = 16, /* ranges that are put in their places one by one */
};

/* ---- properties ---- */

/* The first of each list stands for what has none. */
static uint32_t find_name(const char *const *names, uint32_t count, const char *name,
                          uint32_t bytes)
{
    for (uint32_t i = 1; i < count; i++)
        if (strlen(names[i]) == bytes && memcmp(names[i], name, bytes) == 0)
            return i;
    return NONE;
}

static bool is_any(const char *name, uint32_t bytes)
{
    return bytes == 3 && memcmp(name, "Any", 3) == 0;
}

/* Those that are meant, a bit each: "Lu" is one, "L" are all that begin with it. */
static uint32_t find_categories(const char *name, uint32_t bytes)
{
    uint32_t bits = 0;

    for (uint32_t i = 1; i < unicode_category_name_count && bytes >= 1 && bytes <= 2; i++)
        bits |= (uint32_t)(memcmp(unicode_category_name[i], name, bytes) == 0) << i;
    return bits;
}

bool unicode_has_property(const char *name, uint32_t bytes)
{
    return is_any(name, bytes) || find_categories(name, bytes) != 0 ||
           find_name(unicode_script_name, unicode_script_name_count, name, bytes) != NONE;
}

static void add_categories(struct unicode_set *set, uint32_t bits)
{
    const uint32_t mask = (1u << CATEGORY_SHIFT) - 1;

    for (uint32_t i = 0, end; i < unicode_category_run_count; i = end) {
        for (end = i; end < unicode_category_run_count &&
                      (bits >> (unicode_category_run[end] & mask) & 1) != 0;)
            end++;
        if (end == i) {
            end++;
            continue;
        }
        unicode_set_add(set, unicode_category_run[i] >> CATEGORY_SHIFT,
                        end < unicode_category_run_count
                            ? (unicode_category_run[end] >> CATEGORY_SHIFT) - 1
                            : UNICODE_CHARACTER_MAX);
    }
}

static void add_script(struct unicode_set *set, uint32_t script)
{
    const uint32_t mask = (1u << SCRIPT_SHIFT) - 1;

    for (uint32_t i = 0; i < unicode_script_run_count; i++)
        if ((unicode_script_run[i] & mask) == script)
            unicode_set_add(set, unicode_script_run[i] >> SCRIPT_SHIFT,
                            i + 1 < unicode_script_run_count
                                ? (unicode_script_run[i + 1] >> SCRIPT_SHIFT) - 1
                                : UNICODE_CHARACTER_MAX);
}

void unicode_set_add_property(struct unicode_set *set, const char *name, uint32_t bytes)
{
    uint32_t bits = find_categories(name, bytes);

    assert(unicode_has_property(name, bytes));
    if (is_any(name, bytes))
        unicode_set_add(set, 0, UNICODE_CHARACTER_MAX);
    else if (bits != 0)
        add_categories(set, bits);
    else
        add_script(set, find_name(unicode_script_name, unicode_script_name_count, name, bytes));
}

/* ---- sets ---- */

void unicode_set_add(struct unicode_set *set, uint32_t low, uint32_t high)
{
    assert(set->count < UNICODE_SET_MAX);
    set->range[set->count++] = (struct unicode_range){low, high};
}

static int order_ranges(const void *a, const void *b)
{
    const struct unicode_range *x = a, *y = b;

    return (x->low > y->low) - (x->low < y->low);
}

static bool is_joined(const struct unicode_set *set)
{
    for (uint32_t i = 1; i < set->count; i++)
        if (set->range[i].low <= set->range[i - 1].high + 1)
            return false;
    return true;
}

static void join_ordered(struct unicode_set *set)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        struct unicode_range *last = kept > 0 ? &set->range[kept - 1] : NULL;
        if (last != NULL && set->range[i].low <= last->high + 1)
            last->high = last->high > set->range[i].high ? last->high : set->range[i].high;
        else
            set->range[kept++] = set->range[i];
    }
    set->count = kept;
}

void unicode_set_join(struct unicode_set *set)
{
    if (is_joined(set))
        return;
    qsort(set->range, set->count, sizeof(set->range[0]), order_ranges);
    join_ordered(set);
}

/* The range at `from` among those before it, which are in order: most of what is folded adds one
 * or two to hundreds. */
static void put_in_order(struct unicode_set *set, uint32_t from)
{
    struct unicode_range range = set->range[from];

    for (; from > 0 && set->range[from - 1].low > range.low; from--)
        set->range[from] = set->range[from - 1];
    set->range[from] = range;
}

void unicode_set_negate(struct unicode_set *set)
{
    uint32_t from = 0, kept = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        struct unicode_range range = set->range[i]; /* what is written may lie on it */
        if (range.low > from)
            set->range[kept++] = (struct unicode_range){from, range.low - 1};
        from = range.high + 1;
    }
    if (from <= UNICODE_CHARACTER_MAX)
        set->range[kept++] = (struct unicode_range){from, UNICODE_CHARACTER_MAX};
    set->count = kept;
}

/* ---- folding ---- */

/* The first fold that ends at `character` or behind it. */
static uint32_t fold_at(uint32_t character)
{
    uint32_t low = 0, high = unicode_fold_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (unicode_fold[middle].high < character)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Are all from `low` to `high` in one of the first `count` ranges, which are joined? */
static bool has_all(const struct unicode_set *set, uint32_t count, uint32_t low, uint32_t high)
{
    uint32_t from = 0, to = count;

    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (set->range[middle].high < low)
            from = middle + 1;
        else
            to = middle;
    }
    return from < count && set->range[from].low <= low && high <= set->range[from].high;
}

/* Where the ring goes on from each of `low` to `high`, which lie in `fold`. */
static struct unicode_range next_in_ring(const struct unicode_fold *fold, uint32_t low,
                                         uint32_t high)
{
    if (fold->step != 0)
        return (struct unicode_range){(uint32_t)((int32_t)low + fold->step),
                                      (uint32_t)((int32_t)high + fold->step)};
    return (struct unicode_range){low - ((low - fold->low) & 1),
                                  high + (((high - fold->low) & 1) == 0)};
}

/* One step around the rings of all in ranges [from, to). Those before `known` are joined. */
static void fold_once(struct unicode_set *set, uint32_t known, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        struct unicode_range range = set->range[i];
        for (uint32_t f = fold_at(range.low);
             f < unicode_fold_count && unicode_fold[f].low <= range.high; f++) {
            const struct unicode_fold *fold = &unicode_fold[f];
            struct unicode_range next =
                next_in_ring(fold, range.low > fold->low ? range.low : fold->low,
                             range.high < fold->high ? range.high : fold->high);
            if ((next.low < range.low || next.high > range.high) &&
                !has_all(set, known, next.low, next.high))
                unicode_set_add(set, next.low, next.high);
        }
    }
}

void unicode_set_fold(struct unicode_set *set)
{
    uint32_t known = set->count, from = 0;

    for (int step = 1; step < UNICODE_RING_MAX && from < set->count; step++) {
        uint32_t to = set->count;
        fold_once(set, known, from, to);
        from = to;
    }
    if (set->count > known + FEW_ADDED) {
        unicode_set_join(set);
        return;
    }
    for (; known < set->count; known++)
        put_in_order(set, known);
    join_ordered(set);
}

uint32_t unicode_fold_ring(uint32_t character, uint32_t ring[UNICODE_RING_MAX])
{
    uint32_t count = 0, next = character;

    do {
        uint32_t f = fold_at(next);
        ring[count++] = next;
        if (f < unicode_fold_count && unicode_fold[f].low <= next) {
            const struct unicode_fold *fold = &unicode_fold[f];
            next = fold->step != 0 ? (uint32_t)((int32_t)next + fold->step)
                                   : next + 1 - 2 * ((next - fold->low) & 1);
        }
    } while (next != character);
    return count;
}

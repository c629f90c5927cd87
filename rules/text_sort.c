/*
 * text_sort.c - see text_sort.h.
 *
 * A chunk is seven bytes of a text, filled up with zeros, and the number of bytes that are left of
 * it there, 8 for more: so a text that ends has another chunk than one that goes on with zeros, and
 * who is equal in a chunk below 8 is equal to the end.
 */
#include "rules/text_sort.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 7,
    DIGITS = 8,        /* of a chunk, 256 values each */
    FEW = 24,          /* so many are sorted by inserting */
    DIGITS_FROM = 512, /* so many by digits: below, counting 2,048 numbers costs more */
};

struct item {
    uint64_t chunk;
    uint32_t row;
};

struct sorting {
    const struct text *rows;
    uint32_t width;
    struct item *items, *other; /* `other` is as large, for passing them to and fro */
    uint32_t *twice;
};

static int by_chunk(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->chunk != y->chunk)
        return x->chunk < y->chunk ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static void sort_few(struct item *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct item item = items[i];
        uint32_t at = i;
        for (; at > 0 && items[at - 1].chunk > item.chunk; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* The least digit first; each pass keeps the order of what it finds equal. A digit that is the same
 * in all takes none. */
static void sort_by_digits(struct item *items, struct item *other, uint32_t count)
{
    uint32_t of_digit[DIGITS][256] = {{0}};
    struct item *from = items, *to = other, *former;

    for (uint32_t i = 0; i < count; i++)
        for (int d = 0; d < DIGITS; d++)
            of_digit[d][items[i].chunk >> (8 * d) & 0xff]++;
    for (int d = 0; d < DIGITS; d++) {
        uint32_t *place = of_digit[d], before = 0;
        if (place[items[0].chunk >> (8 * d) & 0xff] == count)
            continue;
        for (int v = 0; v < 256; v++) {
            uint32_t here = place[v];
            place[v] = before;
            before += here;
        }
        for (uint32_t i = 0; i < count; i++)
            to[place[from[i].chunk >> (8 * d) & 0xff]++] = from[i];
        former = from;
        from = to;
        to = former;
    }
    if (from != items)
        memcpy(items, from, count * sizeof(*items));
}

/* Items of a stretch have their rows in order when they come, so each way keeps that of equals. */
static void sort_chunks(struct item *items, struct item *other, uint32_t count)
{
    if (count <= FEW)
        sort_few(items, count);
    else if (count < DIGITS_FROM)
        qsort(items, count, sizeof(*items), by_chunk);
    else
        sort_by_digits(items, other, count);
}

static uint64_t chunk_of(struct text text, uint32_t at)
{
    uint32_t left = text.len - at, bytes = left < CHUNK_BYTES ? left : CHUNK_BYTES;
    uint64_t chunk = 0;

    for (uint32_t i = 0; i < bytes; i++)
        chunk |= (uint64_t)(unsigned char)text.at[at + i] << (56 - 8 * i);
    return chunk | (left <= CHUNK_BYTES ? left : CHUNK_BYTES + 1);
}

/* Fetches the chunk at a byte of a column, for rows that are the same before it. */
static void fetch(const struct sorting *sorting, uint32_t from, uint32_t to, uint32_t column,
                  uint32_t at)
{
    for (uint32_t i = from; i < to; i++)
        sorting->items[i].chunk =
            chunk_of(sorting->rows[(size_t)sorting->items[i].row * sorting->width + column], at);
}

/* Where those end that are the same as `from` in their chunk. */
static uint32_t same_until(const struct sorting *sorting, uint32_t from, uint32_t to)
{
    uint64_t chunk = sorting->items[from++].chunk;

    while (from < to && sorting->items[from].chunk == chunk)
        from++;
    return from;
}

/* What follows the chunk of an item in its row; false when the row ends with it. */
static bool next_chunk(const struct sorting *sorting, uint32_t i, uint32_t *column, uint32_t *at)
{
    if ((sorting->items[i].chunk & 0xff) > CHUNK_BYTES) {
        *at += CHUNK_BYTES;
        return true;
    }
    *at = 0;
    return ++*column < sorting->width;
}

/* Calls itself for parts of a stretch only, so that the texts of one deep in it are many, and long:
 * 4 MiB of texts come to some thousand calls, cells of 1,024 bytes to 147 a column. */
static void sort_rows(const struct sorting *sorting, uint32_t from, uint32_t to, uint32_t column,
                      uint32_t at)
{
    if (to - from < 2)
        return;
    fetch(sorting, from, to, column, at);
    while (same_until(sorting, from, to) == to && next_chunk(sorting, from, &column, &at))
        fetch(sorting, from, to, column, at);
    sort_chunks(sorting->items + from, sorting->other, to - from);
    for (uint32_t i = from, end; i < to; i = end) {
        uint32_t next_column = column, next_at = at;
        end = same_until(sorting, i, to);
        if (end == i + 1)
            continue;
        if (next_chunk(sorting, i, &next_column, &next_at))
            sort_rows(sorting, i, end, next_column, next_at);
        else if (*sorting->twice == UINT32_MAX)
            *sorting->twice = sorting->items[i + 1].row;
    }
}

static bool sorting_begin(struct sorting *sorting, uint32_t count)
{
    sorting->items = malloc(((size_t)count + 1) * sizeof(*sorting->items));
    sorting->other = malloc(((size_t)count + 1) * sizeof(*sorting->other));
    return sorting->items != NULL && sorting->other != NULL;
}

static void sorting_end(struct sorting *sorting)
{
    free(sorting->items);
    free(sorting->other);
}

bool text_sort_rows(const struct text *rows, uint32_t width, uint32_t count, uint32_t *order,
                    uint32_t *twice)
{
    struct sorting sorting = {.rows = rows, .width = width, .twice = twice};
    bool is_begun = sorting_begin(&sorting, count);

    if (is_begun) {
        *twice = UINT32_MAX;
        for (uint32_t i = 0; i < count; i++)
            sorting.items[i].row = i;
        sort_rows(&sorting, 0, count, 0, 0);
        for (uint32_t i = 0; i < count; i++)
            order[i] = sorting.items[i].row;
    }
    sorting_end(&sorting);
    return is_begun;
}

bool text_sort_by_length(struct text *texts, uint32_t count)
{
    uint32_t twice = UINT32_MAX;
    struct sorting sorting = {.rows = texts, .width = 1, .twice = &twice};
    struct text *sorted = malloc(((size_t)count + 1) * sizeof(*sorted));
    bool is_begun = sorting_begin(&sorting, count) && sorted != NULL;

    if (is_begun) {
        for (uint32_t i = 0; i < count; i++)
            sorting.items[i] = (struct item){texts[i].len, i};
        sort_chunks(sorting.items, sorting.other, count);
        for (uint32_t i = 0, end; i < count; i = end) {
            uint32_t len = texts[sorting.items[i].row].len;
            for (end = i + 1; end < count && sorting.items[end].chunk == len;)
                end++;
            sort_rows(&sorting, i, end, 0, 0);
        }
        for (uint32_t i = 0; i < count; i++)
            sorted[i] = texts[sorting.items[i].row];
        if (count > 0)
            memcpy(texts, sorted, count * sizeof(*texts));
    }
    free(sorted);
    sorting_end(&sorting);
    return is_begun;
}

/* ---- numbers: as they are, their bits turned so that they are in the order of their values ----
 */

static const uint64_t sign = (uint64_t)1 << 63;

bool text_sort_whole(int64_t *numbers, uint32_t count)
{
    struct sorting sorting = {.width = 1};
    bool is_begun = sorting_begin(&sorting, count);

    if (is_begun) {
        for (uint32_t i = 0; i < count; i++)
            sorting.items[i] = (struct item){(uint64_t)numbers[i] ^ sign, i};
        sort_chunks(sorting.items, sorting.other, count);
        for (uint32_t i = 0; i < count; i++)
            numbers[i] = (int64_t)(sorting.items[i].chunk ^ sign);
    }
    sorting_end(&sorting);
    return is_begun;
}

bool text_sort_reals(double *reals, uint32_t count)
{
    struct sorting sorting = {.width = 1};
    bool is_begun = sorting_begin(&sorting, count);
    uint64_t bits;

    if (is_begun) {
        for (uint32_t i = 0; i < count; i++) {
            memcpy(&bits, &reals[i], sizeof(bits));
            sorting.items[i] = (struct item){(bits & sign) != 0 ? ~bits : bits | sign, i};
        }
        sort_chunks(sorting.items, sorting.other, count);
        for (uint32_t i = 0; i < count; i++) {
            bits = sorting.items[i].chunk;
            bits = (bits & sign) != 0 ? bits ^ sign : ~bits;
            memcpy(&reals[i], &bits, sizeof(bits));
        }
    }
    sorting_end(&sorting);
    return is_begun;
}

/*
 * name_table.h - the names that came lately: a number for each, and their order.
 *
 * Events write the same few names again and again, in any order. A name that is known
 * has a row, which stays its number, and a rank among the known ones. So a name that
 * comes twice finds a bit set, and labels are put in order by a bit for each rank
 * instead of by comparing names, however much of these is the same.
 *
 *   known, by rank   0 "job"   1 "rack"   2 "site"   3 "team"
 *   {"team":..,"job":..,"site":..}  ->  bits 1011, item[] {1, -, 2, 0}  ->  order 1, 2, 0
 *
 * Nothing here holds for a name that has a zero in it; JSON has none that we accept.
 * A name that is longer than a row, or for which no row is left, is a stranger: the
 * reader goes the long way with it, and labels among which it is are sorted by whoever
 * packs them. Once strangers have come often enough to pay for it, all names are
 * forgotten at the start of an object, and those that come then are known; the first
 * `kept` rows stay, which are names that mean something.
 *
 * Owner:  plain storage, all of it inside; zeros are a table that knows no name.
 * Thread: one.
 */
#ifndef INGEST_NAME_TABLE_H
#define INGEST_NAME_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/bytes.h"

enum {
    NAME_TABLE_ROWS = 256,
    NAME_TABLE_BYTES = 32, /* of the longest name that has a row */
    NAME_TABLE_SLOT_BITS = 10,
    NAME_TABLE_STRANGER = NAME_TABLE_ROWS, /* no row */
};

/* Half a name: compared at once. */
typedef uint64_t name_half __attribute__((vector_size(16), may_alias));

struct name_table {
    /* Row 0 is no name's, so that an empty slot needs no question of its own. A name holds no zero,
     * so zeros behind it tell its length too. */
    struct name_row {
        char name[NAME_TABLE_BYTES]; /* zeros behind a shorter one */
        uint32_t rank;
        uint32_t spare[7]; /* a row is a line of the cache */
    } row[NAME_TABLE_ROWS];
    uint16_t slot[1 << NAME_TABLE_SLOT_BITS]; /* an open hash table of rows; 0: empty */
    uint16_t by_rank[NAME_TABLE_ROWS];        /* rows */
    uint32_t count;                           /* names: they have the rows 1 .. count */
    uint32_t kept;                            /* of them those that are never forgotten */
    uint32_t strangers;                       /* since names were forgotten */
    /* Of the object that is being read: a bit for each rank, and the item that has the name. */
    uint64_t seen[NAME_TABLE_ROWS / 64];
    uint16_t item[NAME_TABLE_ROWS];
};

/* Bytes NAME_TABLE_BYTES - len to 2 * NAME_TABLE_BYTES - len keep the first `len` of a name. */
extern const char name_table_mask[2 * NAME_TABLE_BYTES];

/* Ends and length choose the slot; the middle is left to the comparison. `head` and `tail`: the
 * first and the last eight bytes, both the whole name of a shorter one with zeros behind it. */
static inline uint32_t name_table_slot(uint64_t head, uint64_t tail, uint32_t len)
{
    uint64_t hash = (head ^ len) * 0x9e3779b97f4a7c15ULL + tail * 0xd6e8feb86659fd93ULL;

    return (uint32_t)(hash >> (64 - NAME_TABLE_SLOT_BITS));
}

/* Learns names that are always known, from row 1 on, into an empty table. */
void name_table_keep(struct name_table *table, const char *const *names, uint32_t count);

/* Starts an object whose names are told apart. */
void name_table_start(struct name_table *table);

/* The row of a name whose slot holds nothing or another one, learned if there is room. */
uint32_t name_table_look(struct name_table *table, const char *at, uint32_t len, uint32_t slot);

static inline name_half name_table_half(const void *at)
{
    name_half half;

    memcpy(&half, at, sizeof(half));
    return half;
}

/* The row of a name of one to NAME_TABLE_BYTES at `at`, where NAME_TABLE_BYTES can be read, or
 * NAME_TABLE_STRANGER. */
static inline uint32_t name_table_row_quick(struct name_table *table, const char *at, uint32_t len)
{
    const char *mask = name_table_mask + NAME_TABLE_BYTES - len;
    uint64_t first = bytes_load64(mask), head = bytes_load64(at) & first;
    /* 8 or more: no branch, names of both kinds come in any order. */
    uint32_t to_tail = (len - 8) & (((len - 8) >> 31) - 1);
    uint64_t tail = bytes_load64(at + to_tail) & first;
    uint32_t slot = name_table_slot(head, tail, len), row = table->slot[slot];
    const char *name = table->row[row].name;
    name_half differs =
        ((name_table_half(at) & name_table_half(mask)) ^ name_table_half(name)) |
        ((name_table_half(at + 16) & name_table_half(mask + 16)) ^ name_table_half(name + 16));

    if (__builtin_expect((differs[0] | differs[1]) != 0, 0))
        return name_table_look(table, at, len, slot);
    return row;
}

/* The same of any name. */
static inline uint32_t name_table_row(struct name_table *table, const char *at, uint32_t len)
{
    if (len - 1 >= NAME_TABLE_BYTES)
        return NAME_TABLE_STRANGER;
    uint64_t head = bytes_load_short(at, len), tail = len > 8 ? bytes_load64(at + len - 8) : head;
    uint32_t slot = name_table_slot(head, tail, len), row = table->slot[slot];
    const char *name = table->row[row].name;
    if (len <= 8 && bytes_load64(name) == head && name[8] == '\0')
        return row;
    return name_table_look(table, at, len, slot);
}

/* Item `item` of the object has the name of this row. False: one before has it. */
static inline bool name_table_see(struct name_table *table, uint32_t row, uint32_t item)
{
    uint32_t rank = table->row[row].rank;
    uint64_t bit = 1ULL << rank % 64, seen = table->seen[rank / 64];

    table->seen[rank / 64] = seen | bit;
    table->item[rank] = (uint16_t)item;
    return (seen & bit) == 0;
}

/* Writes the items that were seen in the order of their names. */
void name_table_order(const struct name_table *table, uint16_t *order);

#endif

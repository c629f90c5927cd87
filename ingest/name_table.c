/* name_table.c - see name_table.h. */
#include "ingest/name_table.h"

#include <assert.h>

/* Learning all rows anew costs what as many strangers cost several times over. */
enum { STRANGERS_MAX = 16 * NAME_TABLE_ROWS, SLOT_MASK = (1 << NAME_TABLE_SLOT_BITS) - 1 };

_Static_assert(4 * NAME_TABLE_ROWS <= 1 << NAME_TABLE_SLOT_BITS, "most slots are empty");
_Static_assert(NAME_TABLE_BYTES == 2 * sizeof(name_half), "a row is compared by halves");

#define KEEP_8 "\xff\xff\xff\xff\xff\xff\xff\xff"
const char name_table_mask[2 * NAME_TABLE_BYTES] = KEEP_8 KEEP_8 KEEP_8 KEEP_8;

_Static_assert(sizeof(struct name_row) == 64, "a row is a line of the cache");
_Static_assert(NAME_TABLE_STRANGER == NAME_TABLE_ROWS, "a stranger has no row");

/* All that goes by rank moves up by one from `rank` on. */
static void make_rank(struct name_table *table, uint32_t rank)
{
    uint32_t behind = table->count - rank;

    memmove(&table->by_rank[rank + 1], &table->by_rank[rank], behind * sizeof(table->by_rank[0]));
    memmove(&table->item[rank + 1], &table->item[rank], behind * sizeof(table->item[0]));
    for (uint32_t r = table->count; r > rank; r--) {
        uint64_t below = table->seen[(r - 1) / 64] >> (r - 1) % 64 & 1;
        table->seen[r / 64] &= ~(1ULL << r % 64);
        table->seen[r / 64] |= below << r % 64;
        table->row[table->by_rank[r]].rank = r;
    }
    table->seen[rank / 64] &= ~(1ULL << rank % 64);
}

static uint32_t learn(struct name_table *table, const char *at, uint32_t len, uint32_t slot)
{
    uint32_t from = 0, to = table->count, row = table->count + 1;
    struct name_row *it = &table->row[row];

    memset(it->name, 0, sizeof(it->name));
    memcpy(it->name, at, len);
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        /* What stands behind a shorter name is lower than any byte of a name. */
        if (memcmp(table->row[table->by_rank[middle]].name, it->name, sizeof(it->name)) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    make_rank(table, from);
    it->rank = from;
    table->by_rank[from] = (uint16_t)row;
    table->slot[slot] = (uint16_t)row;
    table->count++;
    return row;
}

uint32_t name_table_look(struct name_table *table, const char *at, uint32_t len, uint32_t slot)
{
    for (; table->slot[slot] != 0; slot = (slot + 1) & SLOT_MASK) {
        const char *name = table->row[table->slot[slot]].name;
        if (memcmp(name, at, len) == 0 && (len == NAME_TABLE_BYTES || name[len] == '\0'))
            return table->slot[slot];
    }
    if (table->count < NAME_TABLE_ROWS - 1)
        return learn(table, at, len, slot);
    table->strangers++;
    return NAME_TABLE_STRANGER;
}

void name_table_keep(struct name_table *table, const char *const *names, uint32_t count)
{
    assert(table->count == 0);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = name_table_row(table, names[i], (uint32_t)strlen(names[i]));
        assert(row == i + 1);
        (void)row;
    }
    table->kept = count;
}

static void forget(struct name_table *table)
{
    memset(table->slot, 0, sizeof(table->slot));
    table->count = table->strangers = 0;
    for (uint32_t i = 1; i <= table->kept; i++) {
        struct name_row it = table->row[i];
        name_table_row(table, it.name, (uint32_t)strnlen(it.name, sizeof(it.name)));
    }
}

void name_table_start(struct name_table *table)
{
    if (__builtin_expect(table->strangers >= STRANGERS_MAX, 0))
        forget(table);
    memset(table->seen, 0, sizeof(table->seen));
}

void name_table_order(const struct name_table *table, uint16_t *order)
{
    for (uint32_t at = 0; at < table->count; at += 64)
        for (uint64_t left = table->seen[at / 64]; left != 0; left &= left - 1)
            *order++ = table->item[at + (uint32_t)__builtin_ctzll(left)];
}

/* match_table.c - see match_table.h. */
#include "rules/match_table.h"
#include "base/text.h"

#include <assert.h>
#include <string.h>

enum { LINE_BYTES = 64 };

/* The texts stand behind the rules. */
struct record {
    uint16_t kind, other_column;
    uint32_t column;
    uint32_t text_bytes, other_bytes;
    uint32_t rule_count;
    uint32_t rules[];
};

struct match_filling {
    struct match_table *table;
    struct arena *arena;
    uint64_t *filter;
    struct match_slot *slots;
    char *records;
    /* By slot: */
    struct match_key *keys;
    uint32_t *counts;
    uint32_t *last; /* rule counted or entered last, from 1 */
};

/* Slots and words take the hash from bit 22 and bit 0 on; tags are mostly of neither. */
static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

/* ---- filling ---- */

struct match_filling *match_table_fill(struct match_table *table, uint64_t term_count,
                                       struct arena *arena, struct arena *scratch)
{
    struct match_filling *filling = arena_alloc(scratch, sizeof(*filling));
    uint32_t room = 16;

    while (room < 2 * term_count)
        room *= 2;
    if (filling == NULL)
        return NULL;
    *filling = (struct match_filling){
        .table = table,
        .arena = arena,
        /* 8 bits a term at least: of a hundred that are not there four pass at most. */
        .filter = arena_alloc_many(arena, room / 16, sizeof(uint64_t)),
        .slots = arena_alloc_many(arena, room, sizeof(struct match_slot)),
        .keys = arena_alloc_many(scratch, room, sizeof(struct match_key)),
        .counts = arena_alloc_many(scratch, room, sizeof(uint32_t)),
        .last = arena_alloc_many(scratch, room, sizeof(uint32_t)),
    };
    *table = (struct match_table){.filter_mask = room / 16 - 1,
                                  .filter = filling->filter,
                                  .slot_mask = room - 1,
                                  .slots = filling->slots};
    return filling->filter != NULL && filling->slots != NULL && filling->keys != NULL &&
                   filling->counts != NULL && filling->last != NULL
               ? filling
               : NULL;
}

static bool is_same_key(const struct match_key *a, const struct match_key *b)
{
    return a->kind == b->kind && a->column == b->column && a->other_column == b->other_column &&
           texts_equal(a->text, b->text) && texts_equal(a->other, b->other);
}

/* The slot of a key, or the free one where it would stand. */
static uint32_t slot_find(const struct match_filling *filling, uint64_t hash,
                          const struct match_key *key)
{
    uint32_t at = match_table_home(filling->table, hash);

    while (filling->counts[at] != 0 &&
           (filling->slots[at].tag != tag_of(hash) || !is_same_key(&filling->keys[at], key)))
        at = (at + 1) & filling->table->slot_mask;
    return at;
}

void match_table_count(struct match_filling *filling, uint64_t hash, const struct match_key *key,
                       uint32_t rule)
{
    uint32_t at = slot_find(filling, hash, key);

    if (filling->last[at] == rule + 1)
        return;
    filling->last[at] = rule + 1;
    filling->slots[at].tag = tag_of(hash);
    filling->filter[hash & filling->table->filter_mask] |= match_filter_bits(hash);
    filling->keys[at] = *key;
    filling->counts[at]++;
}

static size_t record_bytes(const struct match_key *key, uint32_t rules)
{
    size_t bytes =
        sizeof(struct record) + rules * sizeof(uint32_t) + key->text.len + key->other.len;

    return (bytes + MATCH_RECORD_UNIT - 1) / MATCH_RECORD_UNIT * MATCH_RECORD_UNIT;
}

/* Behind `end`, and in one cache line if it fits into one. */
static size_t record_start(size_t end, size_t bytes)
{
    size_t left = LINE_BYTES - end % LINE_BYTES;

    return bytes <= LINE_BYTES && bytes > left ? end + left : end;
}

static void record_write(char *at, const struct match_key *key, uint32_t rules)
{
    struct record *record = (struct record *)(void *)at;
    char *texts = (char *)(record->rules + rules);

    *record = (struct record){.kind = (uint16_t)key->kind,
                              .other_column = (uint16_t)key->other_column,
                              .column = key->column,
                              .text_bytes = key->text.len,
                              .other_bytes = key->other.len};
    if (key->text.len > 0)
        memcpy(texts, key->text.at, key->text.len);
    if (key->other.len > 0)
        memcpy(texts + key->text.len, key->other.at, key->other.len);
}

bool match_table_place(struct match_filling *filling)
{
    const uint32_t slot_count = filling->table->slot_mask + 1;
    size_t end = MATCH_RECORD_UNIT; /* no record has place 0 */

    for (uint32_t i = 0; i < slot_count; i++) {
        if (filling->counts[i] == 0)
            continue;
        size_t bytes = record_bytes(&filling->keys[i], filling->counts[i]);
        end = record_start(end, bytes);
        if (end / MATCH_RECORD_UNIT > UINT32_MAX)
            return false;
        filling->slots[i].place = (uint32_t)(end / MATCH_RECORD_UNIT);
        end += bytes;
    }
    filling->records = arena_alloc(filling->arena, end + LINE_BYTES);
    if (filling->records == NULL)
        return false;
    filling->records += -(uintptr_t)filling->records % LINE_BYTES;
    filling->table->records = filling->records;
    for (uint32_t i = 0; i < slot_count; i++) {
        if (filling->counts[i] != 0)
            record_write(filling->records + (size_t)filling->slots[i].place * MATCH_RECORD_UNIT,
                         &filling->keys[i], filling->counts[i]);
        filling->last[i] = 0;
    }
    return true;
}

void match_table_enter(struct match_filling *filling, uint64_t hash, const struct match_key *key,
                       uint32_t rule)
{
    uint32_t at = slot_find(filling, hash, key);
    struct record *record =
        (struct record *)(void *)(filling->records +
                                  (size_t)filling->slots[at].place * MATCH_RECORD_UNIT);

    assert(filling->counts[at] != 0);
    if (filling->last[at] == rule + 1)
        return;
    filling->last[at] = rule + 1;
    assert(record->rule_count < filling->counts[at]);
    record->rules[record->rule_count++] = rule;
}

/* ---- finding ---- */

static const struct record *record_at(const struct match_table *table, uint32_t place)
{
    return (const struct record *)(const void *)(table->records +
                                                 (size_t)place * MATCH_RECORD_UNIT);
}

void match_table_prefetch_record(const struct match_table *table, uint64_t hash)
{
    uint32_t at = match_table_home(table, hash);

    while (table->slots[at].place != 0 && table->slots[at].tag != tag_of(hash))
        at = (at + 1) & table->slot_mask;
    if (table->slots[at].place != 0)
        __builtin_prefetch(record_at(table, table->slots[at].place));
}

static bool is_record_of(const struct record *record, const struct match_key *key)
{
    const char *texts = (const char *)(record->rules + record->rule_count);

    return record->kind == key->kind && record->column == key->column &&
           record->other_column == key->other_column &&
           texts_equal((struct text){texts, record->text_bytes}, key->text) &&
           texts_equal((struct text){texts + record->text_bytes, record->other_bytes}, key->other);
}

const uint32_t *match_table_find(const struct match_table *table, uint64_t hash,
                                 const struct match_key *key, uint32_t *count)
{
    uint32_t at = match_table_home(table, hash);

    for (; table->slots[at].place != 0; at = (at + 1) & table->slot_mask) {
        if (table->slots[at].tag != tag_of(hash))
            continue;
        const struct record *record = record_at(table, table->slots[at].place);
        if (is_record_of(record, key)) {
            *count = record->rule_count;
            return record->rules;
        }
    }
    return NULL;
}

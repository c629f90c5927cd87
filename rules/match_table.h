/*
 * match_table.h - the terms by which rules are found, and the rules of each.
 *
 *   filter           slots, 8 bytes     records, in the order of the slots
 *   3 bits a term -> [tag, place]    -> [kind, columns, texts, rules of one term]
 *
 * Made for thousands of terms of which an event holds few or none, so it is laid out by what is
 * read: what is not there is told by one word of the filter, which stays in the nearest cache; what
 * is there costs a slot and a record, which is one cache line unless the term is long or has many
 * rules. Both are fetched ahead by whoever has other things to do meanwhile.
 *
 * Filling takes two rounds over the same terms: counted, placed, then entered.
 *
 * Thread: immutable once filled.
 */
#ifndef RULES_MATCH_TABLE_H
#define RULES_MATCH_TABLE_H

#include "base/arena.h"
#include "rules/match_guard.h"

/* A term as it is compared. `column` of a pattern is its id. */
struct match_key {
    enum term_kind kind;
    uint32_t column, other_column;
    struct text text, other;
};

struct match_slot {
    uint32_t tag;   /* of the hash */
    uint32_t place; /* of the record, in RECORD_UNIT bytes; 0: free */
};

struct match_table {
    uint64_t filter_mask; /* words */
    const uint64_t *filter;
    uint32_t slot_mask;
    const struct match_slot *slots;
    const char *records;
};

enum { MATCH_RECORD_UNIT = 8 };

/* ---- filling ---- */

struct match_filling;

/* For at most `term_count` terms. What stays is in `arena`, what only filling needs in `scratch`;
 * texts are borrowed until match_table_place(). NULL when memory is short. */
struct match_filling *match_table_fill(struct match_table *table, uint64_t term_count,
                                       struct arena *arena, struct arena *scratch);

/* Counts the term for `rule`, once however often the rule has it. Rules come in order. */
void match_table_count(struct match_filling *filling, uint64_t hash, const struct match_key *key,
                       uint32_t rule);

/* Lays the records out, with room for what was counted. False when memory is short. */
bool match_table_place(struct match_filling *filling);

/* Enters what was counted, term by term in the same order. */
void match_table_enter(struct match_filling *filling, uint64_t hash, const struct match_key *key,
                       uint32_t rule);

/* ---- finding ---- */

/* Places of a term's bits in its word, from parts of the hash that choose neither word nor slot. */
static inline uint64_t match_filter_bits(uint64_t hash)
{
    return (uint64_t)1 << (hash >> 46 & 63) | (uint64_t)1 << (hash >> 52 & 63) |
           (uint64_t)1 << (hash >> 58 & 63);
}

/* False when no term has the hash. */
static inline bool match_table_may_hold(const struct match_table *table, uint64_t hash)
{
    uint64_t bits = match_filter_bits(hash);

    return (table->filter[hash & table->filter_mask] & bits) == bits;
}

static inline uint32_t match_table_home(const struct match_table *table, uint64_t hash)
{
    return (uint32_t)(hash >> 22) & table->slot_mask;
}

/* Fetches the slot; later, when it has come, the record. */
static inline void match_table_prefetch_slot(const struct match_table *table, uint64_t hash)
{
    __builtin_prefetch(&table->slots[match_table_home(table, hash)]);
}
void match_table_prefetch_record(const struct match_table *table, uint64_t hash);

/* The rules of the term, and how many; NULL: it is not in the table. */
const uint32_t *match_table_find(const struct match_table *table, uint64_t hash,
                                 const struct match_key *key, uint32_t *count);

#endif

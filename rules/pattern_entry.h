/*
 * pattern_entry.h - what pattern_table.c collects, pattern_choice.c decides about and pattern_set.c
 * builds of; nobody else includes it.
 */
#ifndef RULES_PATTERN_ENTRY_H
#define RULES_PATTERN_ENTRY_H

#include "rules/pattern_table.h"

struct automaton;
struct positions;
struct text_pieces;

struct pattern_entry {
    uint32_t id;
    struct text column, text; /* the pattern as written, or the literal */
    enum pattern_shape shape;
    bool is_wanted;      /* the plan finds rules by it: the column's database has to hold it */
    bool is_literal;     /* made by the plan, not a pattern of a rule */
    struct text literal; /* of a plain shape; else what all that is matched begins with */
    uint32_t places;
    /* That answers in place of a database (pattern_choice.h); both NULL: none. */
    const struct automaton *automaton;
    const struct positions *positions;
    uint32_t part_count; /* texts that all that is matched holds */
    struct text *parts;
    struct span span;
    struct pattern_entry *next; /* in its slot */
};

enum { PATTERN_TABLE_SLOTS = 1 << 12 };

struct pattern_table {
    struct arena *arena;
    uint32_t count, room;
    uint32_t literal_count;         /* of them, those that the plan made */
    struct pattern_entry **entries; /* by id */
    struct pattern_entry *slots[PATTERN_TABLE_SLOTS];
    struct text_pieces *part_pieces; /* of the parts, once the first part is asked for */
    struct load_work work;           /* of the rest of the set */
};

/* Has it a database? */
static inline bool pattern_entry_is_built(const struct pattern_entry *entry)
{
    return entry->automaton == NULL && entry->positions == NULL;
}

/* Whose database holds it: that of its column if the plan wants it, else ("") one of its own. */
static inline struct text pattern_entry_home(const struct pattern_entry *entry)
{
    return entry->is_wanted ? entry->column : (struct text){"", 0};
}

#endif

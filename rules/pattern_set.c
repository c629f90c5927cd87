/* pattern_set.c - see pattern_set.h. */
#include "rules/pattern_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "rules/pattern_choice.h"
#include "rules/pattern_columns.h"
#include "rules/pattern_database.h"
#include "rules/pattern_lane.h"
#include "rules/positions.h"
#include "rules/text_pieces.h"

enum {
    /* A literal is looked for by at most this many of its last bytes, or by its rarest piece:
     * vectorscan finds literals by their last bytes, and checks one by one those that agree in them
     * ("... on link"). */
    TAIL_BYTES = 32,
};

struct building {
    const struct pattern_table *table;
    struct arena *arena;
    struct diagnostics *diag;
    struct pattern_set *set;
    uint32_t word_count;
    struct pattern_choosing choosing;
    struct pattern_entry **sorted; /* those that stand in columns */
    struct pattern_sources sources;
    struct text_pieces *pieces; /* of the literals of one column */
};

/* ---- what a database is made of ---- */

/* The bytes by which a literal is looked for. */
static struct text factor_of(const struct pattern_entry *entry, const struct text_pieces *pieces)
{
    struct text literal = entry->literal;
    uint32_t count;

    if (entry->shape == PATTERN_ENDS) {
        uint32_t bytes = literal.len < TAIL_BYTES ? literal.len : TAIL_BYTES;
        return (struct text){literal.at + literal.len - bytes, bytes};
    }
    return text_pieces_rarest(pieces, literal, &count);
}

/* A literal as a regular expression, each byte by its number. NULL when memory is short. */
static const char *literal_written(struct building *building, const struct pattern_entry *entry)
{
    static const char digits[] = "0123456789abcdef";
    struct text factor = factor_of(entry, building->pieces);
    char *text = arena_alloc(building->table->arena, 4 * (size_t)factor.len + 3), *at = text;

    if (text == NULL)
        return NULL;
    for (uint32_t i = 0; i < factor.len; i++) {
        unsigned char byte = (unsigned char)factor.at[i];
        *at++ = '\\';
        *at++ = 'x';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    if (entry->shape == PATTERN_ENDS)
        memcpy(at, "\\z", 2);
    return text;
}

static bool source_put(struct building *building, const struct pattern_entry *entry,
                       uint32_t position)
{
    struct pattern pattern;
    struct pattern_fault fault;
    bool is_wide = false;
    const char *text;

    if (entry->is_literal) {
        text = literal_written(building, entry);
    } else {
        bool is_good = pattern_read(entry->text, &pattern, &fault);
        assert(is_good);
        (void)is_good;
        is_wide = pattern.is_wide;
        text = arena_copy(building->table->arena, pattern.written, pattern.bytes);
    }
    if (text != NULL)
        pattern_sources_put(&building->sources, position, text, is_wide, entry->span);
    return text != NULL;
}

static struct pattern_database *build_database(struct building *building,
                                               struct pattern_entry *const *entries, uint32_t count)
{
    memset(building->pieces, 0, sizeof(*building->pieces));
    for (uint32_t i = 0; i < count; i++)
        if (entries[i]->is_literal)
            text_pieces_count(building->pieces, entries[i]->literal);
    for (uint32_t i = 0; i < count; i++)
        if (!source_put(building, entries[i], i))
            return diagnose_memory(building->diag);
    return pattern_database_take(&building->sources, count, building->diag);
}

/* ---- columns ---- */

/* Side by side what has the same home, and there first what its database is to hold; within, an
 * order that is the same whatever the order of the rules. */
static int order_entries(const void *a, const void *b)
{
    const struct pattern_entry *x = *(struct pattern_entry *const *)a;
    const struct pattern_entry *y = *(struct pattern_entry *const *)b;
    struct text home = pattern_entry_home(x), other = pattern_entry_home(y);
    int order = home.len != other.len ? (home.len > other.len ? 1 : -1)
                                      : memcmp(home.at, other.at, home.len);

    if (order == 0)
        order = pattern_entry_is_built(y) - pattern_entry_is_built(x);
    if (order == 0 && x->text.len != y->text.len)
        order = x->text.len > y->text.len ? 1 : -1;
    if (order == 0)
        order = memcmp(x->text.at, y->text.at, x->text.len);
    return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

/* One column of `entries`, which stand side by side. */
static bool build_column(struct building *building, struct pattern_entry *const *entries,
                         uint32_t count)
{
    struct pattern_set *set = building->set;
    struct pattern_column *column = &set->columns[set->column_count];
    bool is_kept = pattern_entry_home(entries[0]).len > 0 && set->kept_count < PATTERN_COLUMNS_MAX;

    column->ids = arena_alloc_many(building->arena, count, sizeof(*column->ids));
    if (column->ids == NULL)
        return diagnose_memory(building->diag) != NULL;
    while (column->built < count && pattern_entry_is_built(entries[column->built]))
        column->built++;
    if (column->built > 0)
        column->database = build_database(building, entries, column->built);
    if (column->built > 0 && column->database == NULL)
        return false;
    column->count = count;
    column->kept = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        column->ids[i] = entries[i]->id;
        set->asked[entries[i]->id].column = set->column_count;
        set->asked[entries[i]->id].position = i;
    }
    if (is_kept) {
        column->kept = set->kept_count++;
        column->first_word = building->word_count;
        building->word_count += (count + 63) / 64;
    }
    set->column_count++; /* from here on it is given back with the set */
    /* Scratch grows to what the largest needs. */
    if (column->database != NULL && !pattern_lanes_fit(set->lanes, column->database))
        return diagnose_memory(building->diag) != NULL;
    return true;
}

static bool build_columns(struct building *building, uint32_t count)
{
    struct pattern_entry **sorted = building->sorted;

    if (count == 0)
        return true;
    qsort(sorted, count, sizeof(*sorted), order_entries);
    for (uint32_t i = 0, end; i < count; i = end) {
        /* Those that stand alone come first. */
        for (end = i + 1;
             end < count && pattern_entry_home(sorted[i]).len > 0 &&
             texts_equal(pattern_entry_home(sorted[i]), pattern_entry_home(sorted[end]));
             end++)
            ;
        if (!build_column(building, sorted + i, end - i))
            return false;
    }
    return true;
}

/* ---- the set ---- */

static bool building_start(struct building *building)
{
    struct arena *scratch = building->table->arena;
    struct pattern_set *set = building->set;
    uint32_t room = building->table->count + 1;

    building->sorted = arena_alloc_many(scratch, room, sizeof(*building->sorted));
    building->pieces = arena_alloc(scratch, sizeof(*building->pieces));
    set->asked = arena_alloc_many(building->arena, room, sizeof(*set->asked));
    set->columns = arena_alloc_many(building->arena, room, sizeof(*set->columns));
    set->count = building->table->count;
    return pattern_choosing_init(&building->choosing, building->table, building->arena,
                                 building->diag) &&
           building->sorted != NULL && building->pieces != NULL && set->asked != NULL &&
           set->columns != NULL && pattern_sources_create(&building->sources, room, scratch);
}

static bool asked_fill(struct building *building, struct pattern_entry *entry)
{
    struct pattern_asked *asked = &building->set->asked[entry->id];

    *asked = (struct pattern_asked){.shape = (uint8_t)entry->shape,
                                    .is_literal = entry->is_literal,
                                    .is_computed = entry->column.len == 0,
                                    .column = UINT32_MAX};
    if (!text_keep(building->arena, entry->literal, &asked->literal))
        return diagnose_memory(building->diag) != NULL;
    if (entry->shape == PATTERN_SEARCHES && !pattern_choose(&building->choosing, entry))
        return false;
    asked->automaton = entry->automaton;
    asked->positions = entry->positions;
    return true;
}

static bool build(struct building *building)
{
    const struct pattern_table *table = building->table;
    uint32_t count = 0;

    if (!building_start(building))
        return diagnose_memory(building->diag) != NULL;
    for (uint32_t i = 0; i < table->count; i++) {
        struct pattern_entry *entry = table->entries[i];
        if (!asked_fill(building, entry))
            return false;
        if (entry->is_wanted || (entry->shape == PATTERN_SEARCHES && pattern_entry_is_built(entry)))
            building->sorted[count++] = entry;
    }
    return build_columns(building, count);
}

bool pattern_set_build(const struct pattern_table *table, struct arena *arena,
                       struct diagnostics *diag, struct pattern_set **out)
{
    struct building building = {.table = table, .arena = arena, .diag = diag};

    *out = NULL;
    if (table->count == 0)
        return true;
    building.set = arena_alloc(arena, sizeof(*building.set));
    if (building.set == NULL || (building.set->lanes = pattern_lanes_create()) == NULL)
        return diagnose_memory(diag) != NULL;
    bool is_built = build(&building);
    pattern_choosing_release(&building.choosing);
    if (!is_built) {
        pattern_set_destroy(building.set);
        return false;
    }
    assert(building.word_count <= PATTERN_WORDS_MAX);
    *out = building.set;
    return true;
}

void pattern_set_destroy(struct pattern_set *set)
{
    if (set == NULL)
        return;
    for (uint32_t i = 0; i < set->column_count; i++)
        pattern_database_put(set->columns[i].database);
    pattern_lanes_destroy(set->lanes);
}

uint32_t pattern_set_column(const struct pattern_set *set, uint32_t id)
{
    return set->asked[id].column;
}

uint64_t pattern_set_ns(const struct pattern_set *set, uint32_t text_bytes)
{
    enum { OTHERS_NS = 5 }; /* of a byte: tables, texts */
    uint64_t ns = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        const struct positions *positions = set->asked[i].positions;
        ns += positions != NULL ? positions_ns_per_character(positions) : OTHERS_NS;
    }
    return ns * text_bytes;
}

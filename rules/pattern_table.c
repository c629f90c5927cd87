/* pattern_table.c - see pattern_table.h. */
#include "rules/pattern_table.h"

#include "base/hash.h"
#include "base/text.h"
#include "rules/pattern_entry.h"
#include "rules/text_pieces.h"

struct pattern_table *pattern_table_create(struct arena *arena)
{
    struct pattern_table *table = arena_alloc(arena, sizeof(*table));

    if (table != NULL)
        table->arena = arena;
    return table;
}

void pattern_table_know_work(struct pattern_table *table, const struct load_work *work)
{
    table->work = *work;
}

static struct pattern_entry **slot_of(struct pattern_table *table, struct text column,
                                      struct text text)
{
    return &table->slots[hash64(text.at, text.len, hash_mix(column.len + 1)) % PATTERN_TABLE_SLOTS];
}

static struct pattern_entry *entry_add(struct pattern_table *table, struct text column,
                                       struct text text)
{
    struct pattern_entry *entry = arena_alloc(table->arena, sizeof(*entry));
    struct pattern_entry **slot = slot_of(table, column, text);

    if (table->count == table->room) {
        uint32_t room = table->room == 0 ? 64 : 2 * table->room;
        struct pattern_entry **entries = arena_alloc_many(table->arena, room, sizeof(*entries));
        if (entries == NULL)
            return NULL;
        if (table->count > 0)
            memcpy(entries, table->entries, table->count * sizeof(struct pattern_entry *));
        table->entries = entries;
        table->room = room;
    }
    if (entry == NULL || !text_keep(table->arena, column, &entry->column) ||
        !text_keep(table->arena, text, &entry->text))
        return NULL;
    entry->id = table->count;
    entry->next = *slot;
    *slot = entry;
    table->entries[table->count++] = entry;
    return entry;
}

static enum pattern_shape shape_of(const struct pattern *pattern)
{
    if (!pattern->is_literal)
        return PATTERN_SEARCHES;
    if (pattern->at_start)
        return pattern->at_end ? PATTERN_EQUALS : PATTERN_BEGINS;
    return pattern->at_end ? PATTERN_ENDS : PATTERN_CONTAINS;
}

static bool parts_keep(struct arena *arena, const struct pattern *pattern,
                       struct pattern_entry *entry)
{
    entry->part_count = pattern->part_count;
    entry->parts = arena_alloc_many(arena, pattern->part_count + 1u, sizeof(struct text));
    for (uint32_t i = 0; entry->parts != NULL && i < pattern->part_count; i++)
        if (!text_keep(
                arena,
                (struct text){pattern->parts + pattern->part[i].from, pattern->part[i].bytes},
                &entry->parts[i]))
            return false;
    return entry->parts != NULL;
}

bool pattern_table_is_empty(const struct pattern_table *table)
{
    return table->count == 0;
}

static bool has_room(const struct pattern_table *table, struct span span, struct diagnostics *diag)
{
    if (table->count - table->literal_count < PATTERNS_MAX)
        return true;
    diagnose(diag, span, "a set holds at most %d different patterns", PATTERNS_MAX);
    return false;
}

bool pattern_table_add(struct pattern_table *table, struct text column, struct text pattern,
                       struct span span, struct diagnostics *diag, uint32_t *id)
{
    struct pattern read;
    struct pattern_fault fault;
    struct pattern_entry *entry = *slot_of(table, column, pattern);

    while (entry != NULL && (entry->is_literal || !texts_equal(entry->column, column) ||
                             !texts_equal(entry->text, pattern)))
        entry = entry->next;
    if (entry == NULL) {
        if (!has_room(table, span, diag))
            return false;
        if (!pattern_read(pattern, &read, &fault)) {
            diagnose(diag, span, "%s", fault.why);
            return false;
        }
        entry = entry_add(table, column, pattern);
        if (entry == NULL || !parts_keep(table->arena, &read, entry) ||
            !text_keep(table->arena, (struct text){read.literal, read.literal_bytes},
                       &entry->literal))
            return diagnose_memory(diag) != NULL;
        entry->span = span;
        entry->shape = shape_of(&read);
        if (entry->shape == PATTERN_SEARCHES) {
            entry->places = read.places;
            if (!read.at_start)
                entry->literal.len = 0; /* it may stand anywhere */
        }
    }
    *id = entry->id;
    return true;
}

bool pattern_table_add_literal(struct pattern_table *table, struct text column, struct text literal,
                               bool is_at_end, uint32_t *id)
{
    enum pattern_shape shape = is_at_end ? PATTERN_ENDS : PATTERN_CONTAINS;
    struct pattern_entry *entry = *slot_of(table, column, literal);

    while (entry != NULL &&
           (!entry->is_literal || entry->shape != shape || !texts_equal(entry->column, column) ||
            !texts_equal(entry->text, literal)))
        entry = entry->next;
    if (entry == NULL) {
        if (table->count == PATTERN_IDS_MAX)
            return false;
        entry = entry_add(table, column, literal);
        if (entry == NULL)
            return false;
        entry->literal = entry->text;
        entry->shape = shape;
        entry->is_wanted = entry->is_literal = true;
        table->literal_count++;
    }
    *id = entry->id;
    return true;
}

void pattern_table_want(struct pattern_table *table, uint32_t id)
{
    table->entries[id]->is_wanted = true;
}

struct text pattern_table_prefix(const struct pattern_table *table, uint32_t id)
{
    const struct pattern_entry *entry = table->entries[id];

    return entry->shape == PATTERN_CONTAINS || entry->shape == PATTERN_ENDS ? (struct text){"", 0}
                                                                            : entry->literal;
}

enum pattern_shape pattern_table_shape(const struct pattern_table *table, uint32_t id,
                                       struct text *literal)
{
    *literal = table->entries[id]->literal;
    return table->entries[id]->shape;
}

/* Counts those of all patterns read so far: the plan is made when all are. */
static bool count_parts(struct pattern_table *table)
{
    if (table->part_pieces != NULL)
        return true;
    table->part_pieces = arena_alloc(table->arena, sizeof(*table->part_pieces));
    for (uint32_t e = 0; table->part_pieces != NULL && e < table->count; e++)
        for (uint32_t i = 0; i < table->entries[e]->part_count; i++)
            text_pieces_count(table->part_pieces, table->entries[e]->parts[i]);
    return table->part_pieces != NULL;
}

bool pattern_table_part(struct pattern_table *table, uint32_t id, struct text *part)
{
    const struct pattern_entry *entry = table->entries[id];
    uint32_t least = UINT32_MAX, count;

    if (entry->part_count == 0 || !count_parts(table))
        return false;
    for (uint32_t i = 0; i < entry->part_count; i++) {
        text_pieces_rarest(table->part_pieces, entry->parts[i], &count);
        /* A few bytes occur in texts that no rule speaks of. */
        count += entry->parts[i].len < 5 ? 8 : 0;
        if (count < least || (count == least && entry->parts[i].len > part->len)) {
            least = count;
            *part = entry->parts[i];
        }
    }
    return true;
}

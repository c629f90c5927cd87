/* pattern_set.c - see pattern_set.h. */
#include "rules/pattern_set.h"

#include <assert.h>
#include <hs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "rules/automaton.h"
#include "rules/capture_program.h"

enum {
    /* A literal is looked for by at most this many of its bytes, those that the fewest others
     * share: vectorscan finds literals by their last bytes, and checks one by one those that agree
     * in them ("... on link"). */
    FACTOR_BYTES = 8,
    TAIL_BYTES = 32,
    FACTOR_SLOTS = 1 << 14,
    TABLE_SLOTS = 1 << 12,
    LANES = 64,
    /* Of one that has no table: vectorscan takes 0.2 s for "user .{1,100}failed". */
    LARGE_PLACES_MAX = 125,
    /* From then on tables of those as large are not tried. */
    FAILED_COST_MAX = 100000,
};

/* ---- what is collected while loading ---- */

struct entry {
    uint32_t id;
    struct text column, text; /* the pattern as written, or the literal */
    enum pattern_shape shape;
    bool is_wanted;      /* the plan finds rules by it: the column's database has to hold it */
    bool is_literal;     /* made by the plan, not a pattern of a rule */
    struct text literal; /* of a plain shape; else what all that is matched begins with */
    uint32_t places;
    /* That answers in place of a database; both NULL: none. */
    const struct automaton *automaton;
    const struct capture *program;
    uint32_t part_count; /* texts that all that is matched holds */
    struct text *parts;
    struct span span;
    struct entry *next; /* in its slot */
};

struct pattern_table {
    struct arena *arena;
    uint32_t count, room;
    struct entry **entries; /* by id */
    struct entry *slots[TABLE_SLOTS];
    uint32_t *part_counts; /* of windows of the parts, once the first part is asked for */
};

struct pattern_table *pattern_table_create(struct arena *arena)
{
    struct pattern_table *table = arena_alloc(arena, sizeof(*table));

    if (table != NULL)
        table->arena = arena;
    return table;
}

static bool texts_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static struct entry **slot_of(struct pattern_table *table, struct text column, struct text text)
{
    return &table->slots[hash64(text.at, text.len, hash_mix(column.len + 1)) % TABLE_SLOTS];
}

static bool text_keep(struct arena *arena, struct text text, struct text *out)
{
    out->at = arena_copy(arena, text.len > 0 ? text.at : "", text.len);
    out->len = text.len;
    return out->at != NULL;
}

static struct entry *entry_add(struct pattern_table *table, struct text column, struct text text)
{
    struct entry *entry = arena_alloc(table->arena, sizeof(*entry));
    struct entry **slot = slot_of(table, column, text);

    if (table->count == table->room) {
        uint32_t room = table->room == 0 ? 64 : 2 * table->room;
        struct entry **entries = arena_alloc_many(table->arena, room, sizeof(*entries));
        if (entries == NULL)
            return NULL;
        if (table->count > 0)
            memcpy(entries, table->entries, table->count * sizeof(struct entry *));
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

static bool parts_keep(struct arena *arena, const struct pattern *pattern, struct entry *entry)
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

static bool has_room(const struct pattern_table *table, struct span span, struct diagnostics *diag)
{
    if (table->count < PATTERNS_MAX)
        return true;
    diagnose(diag, span, "a set holds at most %d different patterns", PATTERNS_MAX);
    return false;
}

bool pattern_table_add(struct pattern_table *table, struct text column, struct text pattern,
                       struct span span, struct diagnostics *diag, uint32_t *id)
{
    struct pattern read;
    struct pattern_fault fault;
    struct entry *entry = *slot_of(table, column, pattern);

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
    struct entry *entry = *slot_of(table, column, literal);

    while (entry != NULL &&
           (!entry->is_literal || entry->shape != shape || !texts_equal(entry->column, column) ||
            !texts_equal(entry->text, literal)))
        entry = entry->next;
    if (entry == NULL) {
        if (table->count == PATTERNS_MAX)
            return false;
        entry = entry_add(table, column, literal);
        if (entry == NULL)
            return false;
        entry->literal = entry->text;
        entry->shape = shape;
        entry->is_wanted = entry->is_literal = true;
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
    const struct entry *entry = table->entries[id];

    return entry->shape == PATTERN_CONTAINS || entry->shape == PATTERN_ENDS ? (struct text){"", 0}
                                                                            : entry->literal;
}

enum pattern_shape pattern_table_shape(const struct pattern_table *table, uint32_t id,
                                       struct text *literal)
{
    *literal = table->entries[id]->literal;
    return table->entries[id]->shape;
}

/* ---- parts: by which of its texts a pattern is told from the others ---- */

static uint32_t window_bytes(struct text text)
{
    return text.len < FACTOR_BYTES ? text.len : FACTOR_BYTES;
}

static uint32_t window_slot(const char *at, uint32_t bytes)
{
    return (uint32_t)(hash64(at, bytes, bytes) % FACTOR_SLOTS);
}

static void count_windows(struct text text, uint32_t *counts)
{
    for (uint32_t i = 0, bytes = window_bytes(text); i + bytes <= text.len; i++)
        counts[window_slot(text.at + i, bytes)]++;
}

/* The window of `text` that occurs least, and how often that is. */
static const char *rarest_window(struct text text, const uint32_t *counts, uint32_t *count)
{
    const char *best = text.at;

    *count = UINT32_MAX;
    for (uint32_t i = 0, bytes = window_bytes(text); i + bytes <= text.len; i++) {
        uint32_t seen = counts[window_slot(text.at + i, bytes)];
        if (seen < *count) {
            *count = seen;
            best = text.at + i;
        }
    }
    return best;
}

/* Counts those of all patterns read so far: the plan is made when all are. */
static bool count_parts(struct pattern_table *table)
{
    if (table->part_counts != NULL)
        return true;
    table->part_counts = arena_alloc_many(table->arena, FACTOR_SLOTS, sizeof(uint32_t));
    for (uint32_t e = 0; table->part_counts != NULL && e < table->count; e++)
        for (uint32_t i = 0; i < table->entries[e]->part_count; i++)
            count_windows(table->entries[e]->parts[i], table->part_counts);
    return table->part_counts != NULL;
}

bool pattern_table_part(struct pattern_table *table, uint32_t id, struct text *part)
{
    const struct entry *entry = table->entries[id];
    uint32_t least = UINT32_MAX, count;

    if (entry->part_count == 0 || !count_parts(table))
        return false;
    for (uint32_t i = 0; i < entry->part_count; i++) {
        rarest_window(entry->parts[i], table->part_counts, &count);
        /* A few bytes occur in texts that no rule speaks of. */
        count += entry->parts[i].len < 5 ? 8 : 0;
        if (count < least || (count == least && entry->parts[i].len > part->len)) {
            least = count;
            *part = entry->parts[i];
        }
    }
    return true;
}

/* ---- databases, shared by the sets that hold the same ---- */

struct database {
    hs_database_t *hs;
    size_t bytes;
    struct id128 key;
    uint32_t users;
    struct database *next;
};

static pthread_mutex_t shelf_lock = PTHREAD_MUTEX_INITIALIZER;
static struct database *shelf; /* all of the process; under shelf_lock, as are next and users */

static struct database *database_find(struct id128 key)
{
    struct database *database;

    pthread_mutex_lock(&shelf_lock);
    database = shelf;
    while (database != NULL && !id128_equal(database->key, key))
        database = database->next;
    if (database != NULL)
        database->users++;
    pthread_mutex_unlock(&shelf_lock);
    return database;
}

static void database_free(struct database *database)
{
    hs_free_database(database->hs);
    free(database);
}

static void database_put(struct database *database)
{
    struct database **at = &shelf;

    pthread_mutex_lock(&shelf_lock);
    if (--database->users > 0) {
        database = NULL;
    } else {
        while (*at != database)
            at = &(*at)->next;
        *at = database->next;
    }
    pthread_mutex_unlock(&shelf_lock);
    if (database != NULL)
        database_free(database);
}

/* Takes `hs`. Two loads at once may put the same on the shelf twice, which costs memory only. */
static struct database *database_keep(hs_database_t *hs, struct id128 key)
{
    struct database *database = calloc(1, sizeof(*database));

    if (database == NULL) {
        hs_free_database(hs);
        return NULL;
    }
    database->hs = hs;
    database->key = key;
    database->users = 1;
    if (hs_database_size(hs, &database->bytes) != HS_SUCCESS)
        database->bytes = 0;
    pthread_mutex_lock(&shelf_lock);
    database->next = shelf;
    shelf = database;
    pthread_mutex_unlock(&shelf_lock);
    return database;
}

/* ---- building ---- */

/* A pattern as it is asked. */
struct asked {
    uint8_t shape;                     /* enum pattern_shape */
    const struct automaton *automaton; /* NULL, as is the next: none, or a database tells */
    const struct capture *program;
    bool is_literal;   /* made by the plan: what is found may be a part of it */
    bool is_computed;  /* its text is another one at each call */
    uint32_t column;   /* of the databases; UINT32_MAX: none */
    uint32_t position; /* in its column */
    struct text literal;
};

struct column {
    struct database *database; /* NULL: tables and programs answer for all of it */
    uint32_t count, built;     /* the first `built` are in the database, the others have those */
    uint32_t kept;             /* its bit in `known` of a scan; UINT32_MAX: answers are not kept */
    uint32_t first_word;       /* of its bits in a scan */
    uint32_t *ids;             /* by position */
};

/* Scratch of one thread, or of those that share its number. The lock is free but when more than
 * LANES threads scan; it orders what the threads do to the scratch. */
struct lane {
    _Alignas(64) pthread_mutex_t lock;
    hs_scratch_t *scratch;     /* NULL until the first scan; of lane 0 only without databases */
    struct capture_room *room; /* the same, with programs */
};

struct pattern_set {
    struct lane *lanes; /* LANES of them */
    uint32_t count;
    struct asked *asked; /* by id */
    uint32_t column_count, kept_count;
    struct column *columns;
};

struct building {
    const struct pattern_table *table;
    struct arena *arena;
    struct diagnostics *diag;
    struct pattern_set *set;
    uint32_t word_count;
    uint64_t cost, column_cost; /* PATTERN_SET_COST_MAX, PATTERN_COLUMN_COST_MAX */
    uint64_t failed_cost;       /* of tables that came to nothing: FAILED_COST_MAX */
};

/* What one database is made of. */
struct source {
    const char **text;
    unsigned *flags;
    unsigned *ids;
    uint32_t *factor_counts;
};

/* The bytes by which a literal is looked for. */
static struct text factor_of(const struct entry *entry, const uint32_t *counts)
{
    struct text literal = entry->literal;
    uint32_t count;

    if (entry->shape == PATTERN_ENDS) {
        uint32_t bytes = literal.len < TAIL_BYTES ? literal.len : TAIL_BYTES;
        return (struct text){literal.at + literal.len - bytes, bytes};
    }
    return (struct text){rarest_window(literal, counts, &count), window_bytes(literal)};
}

static void count_factors(struct entry *const *entries, uint32_t count, uint32_t *counts)
{
    memset(counts, 0, FACTOR_SLOTS * sizeof(*counts));
    for (uint32_t e = 0; e < count; e++)
        if (entries[e]->is_literal)
            count_windows(entries[e]->literal, counts);
}

/* Once per scan and pattern is enough. A dot is any character, the reader has seen to the rest. */
static unsigned flags_of(bool is_wide)
{
    return HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | HS_FLAG_DOTALL |
           (is_wide ? HS_FLAG_UTF8 : 0u);
}

/* An entry as vectorscan reads it. NULL when memory is short. */
static const char *source_text(struct building *building, const struct entry *entry,
                               const uint32_t *counts, unsigned *flags)
{
    static const char digits[] = "0123456789abcdef";
    struct pattern pattern;
    struct pattern_fault fault;
    struct text factor;
    char *text, *at;

    *flags = flags_of(false);
    if (!entry->is_literal) {
        bool is_good = pattern_read(entry->text, &pattern, &fault);
        assert(is_good);
        (void)is_good;
        *flags = flags_of(pattern.is_wide);
        return arena_copy(building->table->arena, pattern.written, pattern.bytes);
    }
    factor = factor_of(entry, counts);
    text = at = arena_alloc(building->table->arena, 4 * (size_t)factor.len + 3);
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

static struct id128 source_key(const struct source *source, uint32_t count)
{
    struct id128 key = {count, 0};

    for (uint32_t i = 0; i < count; i++)
        key = hash128(source->text[i], strlen(source->text[i]) + 1,
                      hash_mix(key.hi + source->flags[i]) ^ key.lo);
    return key;
}

/* "... at index 5." means places in the new form, of which nobody knows. */
static void diagnose_build(struct building *building, struct entry *const *entries,
                           const hs_compile_error_t *error)
{
    const struct entry *entry = entries[error->expression >= 0 ? error->expression : 0];
    const char *end = strstr(error->message, " at index");
    int bytes = (int)(end != NULL ? (size_t)(end - error->message) : strlen(error->message));

    if (bytes > 0 && error->message[bytes - 1] == '.')
        bytes--;
    diagnose(building->diag, entry->span, "the pattern cannot be built: %.*s", bytes,
             error->message);
}

static struct database *build_database(struct building *building, struct entry *const *entries,
                                       uint32_t count, struct source *source)
{
    hs_database_t *hs = NULL;
    hs_compile_error_t *error = NULL;
    struct database *database;
    struct id128 key;

    count_factors(entries, count, source->factor_counts);
    for (uint32_t i = 0; i < count; i++) {
        source->text[i] =
            source_text(building, entries[i], source->factor_counts, &source->flags[i]);
        source->ids[i] = i;
        if (source->text[i] == NULL)
            return diagnose_memory(building->diag);
    }
    key = source_key(source, count);
    database = database_find(key);
    if (database != NULL)
        return database;
    switch (hs_compile_multi(source->text, source->flags, source->ids, count, HS_MODE_BLOCK, NULL,
                             &hs, &error)) {
    case HS_SUCCESS:
        database = database_keep(hs, key);
        return database != NULL ? database : diagnose_memory(building->diag);
    case HS_COMPILER_ERROR:
        diagnose_build(building, entries, error);
        hs_free_compile_error(error);
        return NULL;
    default:
        return diagnose_memory(building->diag);
    }
}

/* Whose database holds it: that of its column if the plan wants it, else one of its own. */
static struct text home_of(const struct entry *entry)
{
    return entry->is_wanted ? entry->column : (struct text){"", 0};
}

static bool is_unbuilt(const struct entry *entry)
{
    return entry->automaton != NULL || entry->program != NULL;
}

static int order_entries(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
    struct text home = home_of(x), other = home_of(y);
    int order = home.len != other.len ? (home.len > other.len ? 1 : -1)
                                      : memcmp(home.at, other.at, home.len);

    if (order == 0)
        order = is_unbuilt(x) - is_unbuilt(y);
    if (order == 0 && x->text.len != y->text.len)
        order = x->text.len > y->text.len ? 1 : -1;
    if (order == 0)
        order = memcmp(x->text.at, y->text.at, x->text.len);
    return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

/* One column of `entries`, which stand side by side. */
static bool build_column(struct building *building, struct entry *const *entries, uint32_t count,
                         struct source *source)
{
    struct pattern_set *set = building->set;
    struct column *column = &set->columns[set->column_count];
    bool is_kept = home_of(entries[0]).len > 0 && set->kept_count < PATTERN_COLUMNS_MAX;

    column->ids = arena_alloc_many(building->arena, count, sizeof(*column->ids));
    if (column->ids == NULL)
        return diagnose_memory(building->diag) != NULL;
    while (column->built < count && !is_unbuilt(entries[column->built]))
        column->built++;
    if (column->built > 0)
        column->database = build_database(building, entries, column->built, source);
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
    if (column->database != NULL &&
        hs_alloc_scratch(column->database->hs, &set->lanes[0].scratch) != HS_SUCCESS)
        return diagnose_memory(building->diag) != NULL;
    return true;
}

static bool build_columns(struct building *building, struct entry **sorted, uint32_t count,
                          struct source *source)
{
    for (uint32_t i = 0, end; i < count; i = end) {
        /* Those that stand alone come first. */
        for (end = i + 1; end < count && home_of(sorted[i]).len > 0 &&
                          texts_equal(home_of(sorted[i]), home_of(sorted[end]));
             end++)
            ;
        if (!build_column(building, sorted + i, end - i, source))
            return false;
    }
    return true;
}

/* What building takes at most, in microseconds, by what was measured of many random patterns and of
 * those that are known to be the worst: reading a pattern and working at its table; vectorscan with
 * a pattern that has one, less if its ways hardly ever differ, and with one that has none. */
static uint64_t table_cost(uint32_t work)
{
    return 25 + work / 400;
}

static uint64_t small_cost(const struct entry *entry, const struct automaton *automaton,
                           uint32_t work)
{
    if (automaton_state_count(automaton) <= entry->places + 3)
        return 500 + 100 * (uint64_t)entry->places;
    return 500 + 2 * (uint64_t)work + 200 * (uint64_t)entry->places;
}

static uint64_t large_cost(const struct entry *entry)
{
    return 1000 + 1000 * (uint64_t)entry->places;
}

/* Anchors in the middle, "(a|^b)c", are beyond it. */
static bool vectorscan_takes(const struct entry *entry)
{
    struct pattern pattern;
    struct pattern_fault fault;
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *error = NULL;
    bool is_good = pattern_read(entry->text, &pattern, &fault);

    assert(is_good);
    is_good =
        hs_expression_info(pattern.written, flags_of(pattern.is_wide), &info, &error) == HS_SUCCESS;
    hs_free_compile_error(error);
    free(info);
    return is_good;
}

/* One that has no table for its states would be too many is followed through the text, state by
 * state, if its characters are known here. NULL: they are not. */
static const struct capture *follow_program(struct building *building, const struct entry *entry)
{
    struct pattern_fault fault;
    const struct capture *program = capture_program_create(entry->text, building->arena, &fault);

    for (uint32_t i = 0; program != NULL && i < program->code_count; i++)
        if (program->code[i].op == CAPTURE_ASSERT &&
            program->code[i].first == ASSERT_NO_WORD_BORDER)
            return NULL;
    return program;
}

static bool holds(struct text text, const char *part)
{
    return memmem(text.at, text.len, part, strlen(part)) != NULL;
}

/* Does it negate a class under (?i), as far as its text tells? RE2 folds a class and negates that,
 * vectorscan the other way round: its (?i)\W and (?i)[^k] take the sign of Kelvin, which is a k. */
static bool negates_folded(struct text text)
{
    bool folds = false;

    for (uint32_t i = 0; i + 2 < text.len && !folds; i++)
        if (text.at[i] == '(' && text.at[i + 1] == '?')
            for (uint32_t f = i + 2; f < text.len && strchr("imsU-", text.at[f]) != NULL; f++)
                folds = folds || text.at[f] == 'i';
    return folds && (holds(text, "\\W") || holds(text, "[^"));
}

/* Shall vectorscan have it, though others can do it? */
static bool can_build(struct building *building, const struct entry *entry,
                      const struct automaton *automaton, uint32_t work)
{
    bool is_alone = home_of(entry).len == 0;
    uint64_t cost = automaton != NULL ? small_cost(entry, automaton, work) : large_cost(entry);

    if ((automaton != NULL ? is_alone : entry->places > LARGE_PLACES_MAX) ||
        negates_folded(entry->text))
        return false;
    if (building->column_cost + cost > PATTERN_COLUMN_COST_MAX || !vectorscan_takes(entry))
        return false;
    building->column_cost += cost;
    return true;
}

static const struct automaton *try_table(struct building *building, const struct entry *entry,
                                         uint32_t *work)
{
    const struct automaton *automaton;

    if (building->cost + table_cost(AUTOMATON_WORK_MAX) > PATTERN_SET_COST_MAX ||
        (building->failed_cost > FAILED_COST_MAX && entry->places > LARGE_PLACES_MAX))
        return NULL;
    automaton = automaton_create(entry->text, building->arena, building->table->arena, work);
    building->cost += table_cost(*work);
    building->failed_cost += automaton == NULL ? table_cost(*work) : 0;
    return automaton;
}

/* Decides who answers for a regular expression. A table does for what only confirms, or where that
 * would be too large its program; of those by which rules are found in a column, vectorscan looks
 * for as many at once as it can build in time. What nobody else knows is left to it at any cost. */
static bool choose(struct building *building, struct entry *entry)
{
    uint32_t work = 0;
    const struct automaton *automaton = try_table(building, entry, &work);
    const struct capture *program = NULL;

    if (automaton == NULL)
        program = follow_program(building, entry);
    if (automaton == NULL && program == NULL && negates_folded(entry->text)) {
        diagnose(building->diag, entry->span,
                 "a negated class under (?i) does not go with \\B, with properties, letters beyond "
                 "ASCII under (?i) or more than 600 steps: write it outside of (?i)");
        return false;
    }
    if (automaton == NULL && program == NULL) {
        building->cost += large_cost(entry);
    } else if (!can_build(building, entry, automaton, work)) {
        entry->automaton = automaton;
        entry->program = program;
    }
    if (automaton != NULL && !automaton_can_find(automaton)) {
        diagnose(building->diag, entry->span, "the pattern can never match");
        return false;
    }
    if (building->cost > PATTERN_SET_COST_MAX) {
        diagnose(building->diag, entry->span,
                 "the regular expressions up to here take too long to build: fewer, or simpler "
                 "ones");
        return false;
    }
    return true;
}

static bool room_create(struct lane *lane)
{
    if (lane->room == NULL) /* zeroed: what it remembers is looked at before it is written */
        lane->room = calloc(1, capture_room_bytes());
    return lane->room != NULL;
}

static bool build(struct building *building)
{
    const struct pattern_table *table = building->table;
    struct pattern_set *set = building->set;
    size_t room = (size_t)table->count + 1;
    struct entry **sorted = arena_alloc_many(table->arena, room, sizeof(struct entry *));
    struct source source = {
        arena_alloc_many(table->arena, room, sizeof(char *)),
        arena_alloc_many(table->arena, room, sizeof(unsigned)),
        arena_alloc_many(table->arena, room, sizeof(unsigned)),
        arena_alloc_many(table->arena, FACTOR_SLOTS, sizeof(uint32_t)),
    };
    uint32_t count = 0;

    set->asked = arena_alloc_many(building->arena, room, sizeof(*set->asked));
    set->columns = arena_alloc_many(building->arena, room, sizeof(*set->columns));
    if (sorted == NULL || source.text == NULL || source.flags == NULL || source.ids == NULL ||
        source.factor_counts == NULL || set->asked == NULL || set->columns == NULL)
        return diagnose_memory(building->diag) != NULL;
    set->count = table->count;
    for (uint32_t i = 0; i < table->count; i++) {
        struct entry *entry = table->entries[i];
        set->asked[i] = (struct asked){.shape = (uint8_t)entry->shape,
                                       .is_literal = entry->is_literal,
                                       .is_computed = entry->column.len == 0,
                                       .column = UINT32_MAX};
        if (!text_keep(building->arena, entry->literal, &set->asked[i].literal))
            return diagnose_memory(building->diag) != NULL;
        if (entry->shape == PATTERN_SEARCHES && !choose(building, entry))
            return false;
        set->asked[i].automaton = entry->automaton;
        set->asked[i].program = entry->program;
        if (entry->program != NULL && !room_create(&set->lanes[0]))
            return diagnose_memory(building->diag) != NULL;
        if (entry->is_wanted || (entry->shape == PATTERN_SEARCHES && !is_unbuilt(entry)))
            sorted[count++] = entry;
    }
    if (count == 0)
        return true;
    if (hs_valid_platform() != HS_SUCCESS) {
        diagnose(building->diag, sorted[0]->span,
                 "text patterns need a processor with SSE 4.2, which this one lacks");
        return false;
    }
    qsort(sorted, count, sizeof(struct entry *), order_entries);
    return build_columns(building, sorted, count, &source);
}

static bool lanes_create(struct pattern_set *set)
{
    set->lanes = aligned_alloc(_Alignof(struct lane), LANES * sizeof(struct lane));
    if (set->lanes == NULL)
        return false;
    memset(set->lanes, 0, LANES * sizeof(struct lane));
    for (int i = 0; i < LANES; i++)
        pthread_mutex_init(&set->lanes[i].lock, NULL);
    return true;
}

bool pattern_set_build(const struct pattern_table *table, struct arena *arena,
                       struct diagnostics *diag, struct pattern_set **out)
{
    struct building building = {.table = table, .arena = arena, .diag = diag};

    *out = NULL;
    if (table->count == 0)
        return true;
    building.set = arena_alloc(arena, sizeof(*building.set));
    if (building.set == NULL || !lanes_create(building.set))
        return diagnose_memory(diag) != NULL;
    if (!build(&building)) {
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
        if (set->columns[i].database != NULL)
            database_put(set->columns[i].database);
    for (int i = 0; i < LANES; i++) {
        pthread_mutex_destroy(&set->lanes[i].lock);
        hs_free_scratch(set->lanes[i].scratch);
        free(set->lanes[i].room);
    }
    free(set->lanes);
}

size_t pattern_set_bytes(const struct pattern_set *set)
{
    size_t bytes = 0;

    if (set == NULL || set->lanes[0].scratch == NULL ||
        hs_scratch_size(set->lanes[0].scratch, &bytes) != HS_SUCCESS)
        bytes = 0;
    for (uint32_t i = 0; set != NULL && i < set->column_count; i++)
        bytes += set->columns[i].database != NULL ? set->columns[i].database->bytes : 0;
    return bytes;
}

/* ---- scanning ---- */

static struct lane *lane_of_thread(const struct pattern_set *set)
{
    static _Atomic uint32_t threads;
    static _Thread_local uint32_t number; /* of this thread, from 1 */

    if (number == 0) /* relaxed: any different numbers do */
        number = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % LANES;
    return &set->lanes[number - 1];
}

static struct lane *lane_take(const struct pattern_set *set)
{
    struct lane *lane = lane_of_thread(set);

    pthread_mutex_lock(&lane->lock);
    if (lane->scratch != NULL)
        return lane;
    pthread_mutex_unlock(&lane->lock);
    /* Cloned under the lock of the first, which nobody may be using meanwhile. */
    pthread_mutex_lock(&set->lanes[0].lock);
    hs_scratch_t *scratch = NULL;
    if (hs_clone_scratch(set->lanes[0].scratch, &scratch) != HS_SUCCESS)
        return &set->lanes[0];
    pthread_mutex_unlock(&set->lanes[0].lock);
    pthread_mutex_lock(&lane->lock);
    if (lane->scratch == NULL)
        lane->scratch = scratch;
    else
        hs_free_scratch(scratch);
    return lane;
}

static bool program_search(const struct pattern_set *set, const struct capture *program,
                           struct text text)
{
    struct text none[PATTERN_GROUPS_MAX];
    struct lane *lane = lane_of_thread(set);
    bool is_found;

    pthread_mutex_lock(&lane->lock);
    if (!room_create(lane)) {
        pthread_mutex_unlock(&lane->lock);
        lane = &set->lanes[0];
        pthread_mutex_lock(&lane->lock);
    }
    is_found = capture_search(program, text, lane->room, none);
    pthread_mutex_unlock(&lane->lock);
    return is_found;
}

/* Asks for one that has a table or a program. */
static bool unbuilt_search(const struct pattern_set *set, const struct asked *asked,
                           struct text text)
{
    return asked->automaton != NULL ? automaton_search(asked->automaton, text)
                                    : program_search(set, asked->program, text);
}

static bool literal_in(const struct asked *asked, struct text text)
{
    struct text literal = asked->literal;

    if (text.len < literal.len)
        return false;
    switch ((enum pattern_shape)asked->shape) {
    case PATTERN_CONTAINS:
        return memmem(text.at, text.len, literal.at, literal.len) != NULL;
    case PATTERN_ENDS:
        return memcmp(text.at + text.len - literal.len, literal.at, literal.len) == 0;
    default:
        return (asked->shape == PATTERN_BEGINS || text.len == literal.len) &&
               memcmp(text.at, literal.at, literal.len) == 0;
    }
}

/* One scan: answers go into bits from the column's first on. */
struct scanning {
    const struct pattern_set *set;
    const struct column *column;
    struct text text;
    uint64_t *bits; /* NULL: only `wanted` is asked for */
    uint32_t wanted;
    bool is_found;
    void (*visit)(void *self, uint32_t id);
    void *self;
};

static int take_found(unsigned position, unsigned long long from, unsigned long long to,
                      unsigned flags, void *context)
{
    struct scanning *scanning = context;
    uint32_t id = scanning->column->ids[position];
    const struct asked *asked = &scanning->set->asked[id];

    (void)from;
    (void)to;
    (void)flags;
    if (asked->is_literal && !literal_in(asked, scanning->text))
        return 0; /* a part of it only */
    if (scanning->bits != NULL)
        scanning->bits[position / 64] |= (uint64_t)1 << position % 64;
    if (scanning->visit != NULL)
        scanning->visit(scanning->self, id);
    if (position == scanning->wanted)
        scanning->is_found = true;
    return 0;
}

static void scan_database(struct scanning *scanning)
{
    struct lane *lane = lane_take(scanning->set);
    hs_error_t rc =
        hs_scan(scanning->column->database->hs, scanning->text.len > 0 ? scanning->text.at : "",
                scanning->text.len, 0, lane->scratch, take_found, scanning);

    pthread_mutex_unlock(&lane->lock);
    assert(rc == HS_SUCCESS);
    (void)rc;
}

static void scan_text(struct scanning *scanning)
{
    const struct column *column = scanning->column;

    if (column->database != NULL)
        scan_database(scanning);
    for (uint32_t i = column->built; i < column->count; i++)
        if (unbuilt_search(scanning->set, &scanning->set->asked[column->ids[i]], scanning->text))
            take_found(i, 0, 0, 0, scanning);
}

/* Scans for a column whose answers are kept, unless they are there. */
static void fill(struct pattern_scan *scan, const struct column *column, struct text text,
                 void (*visit)(void *self, uint32_t id), void *self)
{
    struct scanning scanning = {.set = scan->set,
                                .column = column,
                                .text = text,
                                .bits = scan->bits + column->first_word,
                                .wanted = UINT32_MAX,
                                .visit = visit,
                                .self = self};

    memset(scanning.bits, 0, (column->count + 63) / 64 * sizeof(uint64_t));
    scan->known[column->kept / 64] |= (uint64_t)1 << column->kept % 64;
    scan_text(&scanning);
}

static bool is_known(const struct pattern_scan *scan, const struct column *column)
{
    return scan->known[column->kept / 64] >> column->kept % 64 & 1;
}

/* A pattern with a table, a program or a database of its own. */
static bool search_alone(const struct pattern_set *set, uint32_t id, struct text text)
{
    const struct asked *asked = &set->asked[id];
    struct scanning scanning = {.set = set, .text = text};

    if (asked->automaton != NULL || asked->program != NULL)
        return unbuilt_search(set, asked, text);
    scanning.column = &set->columns[asked->column];
    scanning.wanted = asked->position;
    scan_text(&scanning);
    return scanning.is_found;
}

/* The same asked of a field or label: once for an event. */
static bool test_alone(struct pattern_scan *scan, uint32_t id, struct text text)
{
    uint32_t word = id / 64;
    uint64_t bit = (uint64_t)1 << id % 64;

    if (!(scan->alone_used[word / 64] >> word % 64 & 1)) {
        scan->alone_used[word / 64] |= (uint64_t)1 << word % 64;
        scan->alone_known[word] = scan->alone_found[word] = 0;
    }
    if (!(scan->alone_known[word] & bit)) {
        scan->alone_known[word] |= bit;
        scan->alone_found[word] |= search_alone(scan->set, id, text) ? bit : 0;
    }
    return scan->alone_found[word] & bit;
}

bool pattern_scan_test(struct pattern_scan *scan, uint32_t id, struct text text)
{
    const struct asked *asked = &scan->set->asked[id];
    const struct column *column;

    if (asked->shape != PATTERN_SEARCHES)
        return literal_in(asked, text);
    column = asked->automaton != NULL || asked->program != NULL
                 ? NULL
                 : &scan->set->columns[asked->column];
    if (column == NULL || column->kept == UINT32_MAX) {
        bool is_alone = column == NULL || column->count == 1;
        return is_alone && !asked->is_computed ? test_alone(scan, id, text)
                                               : search_alone(scan->set, id, text);
    }
    if (!is_known(scan, column))
        fill(scan, column, text, NULL, NULL);
    return scan->bits[column->first_word + asked->position / 64] >> asked->position % 64 & 1;
}

uint32_t pattern_set_column(const struct pattern_set *set, uint32_t id)
{
    return set->asked[id].column;
}

void pattern_scan_visit(struct pattern_scan *scan, uint32_t column_index, struct text text,
                        void (*visit)(void *self, uint32_t id), void *self)
{
    const struct column *column = &scan->set->columns[column_index];

    if (column->kept == UINT32_MAX) {
        struct scanning scanning = {.set = scan->set,
                                    .column = column,
                                    .text = text,
                                    .wanted = UINT32_MAX,
                                    .visit = visit,
                                    .self = self};
        scan_text(&scanning);
    } else if (!is_known(scan, column)) {
        fill(scan, column, text, visit, self);
    } else {
        for (uint32_t i = 0; i < column->count; i++)
            if (scan->bits[column->first_word + i / 64] >> i % 64 & 1)
                visit(self, column->ids[i]);
    }
}

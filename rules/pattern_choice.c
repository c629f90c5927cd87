/* pattern_choice.c - see pattern_choice.h. */
#include "rules/pattern_choice.h"

#include <assert.h>
#include <string.h>
#include "rules/automaton.h"
#include "rules/capture_program.h"
#include "rules/pattern_database.h"
#include "rules/positions.h"

enum {
    /* Of one that has no table: vectorscan takes 0.2 s for "user .{1,100}failed". */
    LARGE_PLACES_MAX = 125,
    /* From then on tables of those as large are not tried. */
    FAILED_COST_MAX = 100000,
};

/* What building takes at most, in microseconds, by what was measured of many random patterns and of
 * those that are known to be the worst: reading a pattern and working at its table; vectorscan with
 * a pattern that has one, less if its ways hardly ever differ, and with one that has none. */
static uint64_t table_cost(uint32_t work)
{
    return 25 + work / 400;
}

static uint64_t small_cost(const struct pattern_entry *entry, const struct automaton *automaton,
                           uint32_t work)
{
    if (automaton_state_count(automaton) <= entry->places + 3)
        return 500 + 100 * (uint64_t)entry->places;
    return 500 + 2 * (uint64_t)work + 200 * (uint64_t)entry->places;
}

static uint64_t large_cost(const struct pattern_entry *entry)
{
    return 1000 + 1000 * (uint64_t)entry->places;
}

static bool vectorscan_takes(const struct pattern_entry *entry)
{
    struct pattern pattern;
    struct pattern_fault fault;
    bool is_good = pattern_read(entry->text, &pattern, &fault);

    assert(is_good);
    (void)is_good;
    return pattern_database_accepts(pattern.written, pattern.is_wide);
}

/* The program of one whose characters are known here. NULL: they are not. */
static const struct capture *read_program(const struct pattern_entry *entry, struct arena *arena)
{
    struct pattern_fault fault;
    const struct capture *program = capture_program_create(entry->text, arena, &fault);

    for (uint32_t i = 0; program != NULL && i < program->code_count; i++)
        if (program->code[i].op == CAPTURE_ASSERT &&
            program->code[i].first == ASSERT_NO_WORD_BORDER)
            return NULL;
    return program;
}

/* One that has no table, for its states would be too many, is followed through the text: by its
 * positions, or, when they or all before it take too long to make, by its program. */
static void follow(struct pattern_choosing *choosing, struct pattern_entry *entry)
{
    const struct capture *program;
    uint32_t work;

    if (choosing->positions_cost < PATTERN_POSITIONS_COST_MAX) {
        program = read_program(entry, choosing->scratch);
        if (program == NULL)
            return;
        entry->positions = positions_create(program, choosing->arena, &work);
        choosing->positions_cost += table_cost(work);
    }
    if (entry->positions != NULL)
        return;
    program = read_program(entry, choosing->arena);
    if (program != NULL && program->code_count <= CAPTURE_CODE_MAX)
        entry->program = program;
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
static bool can_build(struct pattern_choosing *choosing, const struct pattern_entry *entry,
                      const struct automaton *automaton, uint32_t work)
{
    bool is_alone = pattern_entry_home(entry).len == 0;
    uint64_t cost = automaton != NULL ? small_cost(entry, automaton, work) : large_cost(entry);

    if ((automaton != NULL ? is_alone : entry->places > LARGE_PLACES_MAX) ||
        negates_folded(entry->text))
        return false;
    if (choosing->column_cost + cost > PATTERN_COLUMN_COST_MAX || !vectorscan_takes(entry))
        return false;
    choosing->column_cost += cost;
    return true;
}

static const struct automaton *try_table(struct pattern_choosing *choosing,
                                         const struct pattern_entry *entry, uint32_t *work)
{
    const struct automaton *automaton;

    if (choosing->cost + table_cost(AUTOMATON_WORK_MAX) > PATTERN_SET_COST_MAX ||
        (choosing->failed_cost > FAILED_COST_MAX && entry->places > LARGE_PLACES_MAX))
        return NULL;
    automaton = automaton_create(entry->text, choosing->arena, choosing->scratch, work);
    choosing->cost += table_cost(*work);
    choosing->failed_cost += automaton == NULL ? table_cost(*work) : 0;
    return automaton;
}

bool pattern_choose(struct pattern_choosing *choosing, struct pattern_entry *entry)
{
    uint32_t work = 0;
    const struct automaton *automaton = try_table(choosing, entry, &work);

    entry->automaton = automaton;
    if (automaton == NULL)
        follow(choosing, entry);
    if (pattern_entry_is_built(entry) && negates_folded(entry->text)) {
        diagnose(choosing->diag, entry->span,
                 "a negated class under (?i) does not go with \\B, with properties, letters beyond "
                 "ASCII under (?i) or very large patterns: write it outside of (?i)");
        return false;
    }
    if (pattern_entry_is_built(entry)) {
        choosing->cost += large_cost(entry);
    } else if (can_build(choosing, entry, automaton, work)) {
        entry->automaton = NULL;
        entry->positions = NULL;
        entry->program = NULL;
    }
    if (automaton != NULL && !automaton_can_find(automaton)) {
        diagnose(choosing->diag, entry->span, "the pattern can never match");
        return false;
    }
    if (choosing->cost > PATTERN_SET_COST_MAX) {
        diagnose(choosing->diag, entry->span,
                 "the regular expressions up to here take too long to build: fewer, or simpler "
                 "ones");
        choosing->cost -= large_cost(entry); /* who goes on does without it */
        return false;
    }
    return true;
}

/* Only an assertion or a negated class can make a pattern that never matches. */
static bool may_never_match(struct text text)
{
    static const char *const signs[] = {"^", "$", "\\A", "\\z", "\\b"};

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (holds(text, signs[i]))
            return true;
    return false;
}

/* What only vectorscan knows it may still refuse when it builds it. */
static bool can_be_built(const struct pattern_choosing *choosing, const struct pattern_entry *entry)
{
    struct pattern_sources sources;
    struct pattern_database *database;
    struct pattern pattern;
    struct pattern_fault fault;
    bool is_good = pattern_read(entry->text, &pattern, &fault);

    assert(is_good);
    (void)is_good;
    if (!pattern_sources_create(&sources, 1, choosing->scratch))
        return diagnose_memory(choosing->diag) != NULL;
    pattern_sources_put(&sources, 0, pattern.written, pattern.is_wide, entry->span);
    database = pattern_database_take(&sources, 1, choosing->diag);
    pattern_database_put(database);
    return database != NULL;
}

static bool may_need_vectorscan(struct pattern_choosing *choosing,
                                const struct pattern_entry *entry)
{
    const struct capture *program = read_program(entry, choosing->scratch);

    return program == NULL || program->code_count > CAPTURE_CODE_MAX;
}

bool pattern_choices_check(const struct pattern_table *table, struct arena *arena,
                           struct diagnostics *diag)
{
    struct pattern_choosing choosing = {.arena = arena, .scratch = table->arena, .diag = diag};
    bool needs_vectorscan = false, is_good = true;

    for (uint32_t i = 0; i < table->count && !needs_vectorscan; i++)
        needs_vectorscan = table->entries[i]->shape == PATTERN_SEARCHES &&
                           may_need_vectorscan(&choosing, table->entries[i]);
    for (uint32_t i = 0; i < table->count; i++) {
        struct pattern_entry *entry = table->entries[i];
        if (entry->shape != PATTERN_SEARCHES ||
            (!needs_vectorscan && !may_never_match(entry->text)))
            continue;
        uint64_t before = choosing.cost; /* a table costs less than anything of vectorscan's */
        if (!pattern_choose(&choosing, entry))
            is_good = false;
        else if (choosing.cost - before >= large_cost(entry))
            is_good = can_be_built(&choosing, entry) && is_good;
    }
    return is_good;
}

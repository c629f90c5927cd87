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
    /* A program of no more has positions that cost less than is allowed. */
    CHEAP_STEPS_MAX = 40,
    /* Of the largest pattern there is. */
    SCRATCH_BYTES_MAX = 64 << 20,
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

/* Of one that pattern_check() accepted. */
static void read_again(const struct pattern_entry *entry, struct pattern *out)
{
    struct pattern_fault fault;
    bool is_good = pattern_read(entry->text, out, &fault);

    assert(is_good);
    (void)is_good;
}

static bool vectorscan_takes(const struct pattern_entry *entry)
{
    struct pattern pattern;

    read_again(entry, &pattern);
    return !pattern.ends_at_line_begin &&
           pattern_database_accepts(pattern.written, pattern.is_wide);
}

static uint64_t positions_cost(uint32_t work)
{
    return 10 + work / 150;
}

/* The program of one whose characters are known here. NULL: they are not. */
static const struct capture *read_program(const struct pattern_choosing *choosing,
                                          const struct pattern_entry *entry)
{
    struct pattern_fault fault;
    const struct capture *program = capture_program_create(entry->text, choosing->scratch, &fault);

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

/* Of one that only vectorscan knows: does it take it for what it is? If not, a diagnosis is made.
 */
static bool is_same_to_vectorscan(struct pattern_choosing *choosing,
                                  const struct pattern_entry *entry)
{
    static const char with[] =
        "\\B, with properties, letters beyond ASCII under (?i) or very large "
        "patterns";
    struct pattern pattern;

    read_again(entry, &pattern);
    if (negates_folded(entry->text))
        diagnose(choosing->diag, entry->span,
                 "a negated class under (?i) does not go with %s: write it outside of (?i)", with);
    else if (pattern.ends_at_line_begin)
        diagnose(choosing->diag, entry->span,
                 "^ under (?m) behind which nothing has to stand does not go with %s", with);
    else
        return true;
    return false;
}

/* Shall vectorscan have it, though others can do it? */
static bool can_build(struct pattern_choosing *choosing, const struct pattern_entry *entry,
                      uint32_t work)
{
    const struct automaton *automaton = entry->automaton;
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

static void make_table(struct pattern_choosing *choosing, struct pattern_entry *entry,
                       const struct capture *program, uint32_t *work)
{
    entry->automaton = automaton_create(program, choosing->arena, work);
    choosing->cost += table_cost(*work);
    choosing->failed_cost += entry->automaton == NULL ? table_cost(*work) : 0;
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

static bool may_have_table(const struct pattern_choosing *choosing,
                           const struct pattern_entry *entry)
{
    uint64_t most = may_never_match(entry->text) ? PATTERN_SET_COST_MAX : PATTERN_TABLES_COST_MAX;

    return choosing->cost + table_cost(AUTOMATON_WORK_MAX) <= most &&
           (choosing->failed_cost <= FAILED_COST_MAX || entry->places <= LARGE_PLACES_MAX);
}

/* One that has no table is followed through the text by its positions, unless that may take too
 * long; one that was given none for want of time has one then, or it would depend on the others
 * whether it is refused. Errors: false, with a diagnosis. */
static bool follow(struct pattern_choosing *choosing, struct pattern_entry *entry,
                   const struct capture *program, bool table_was_tried, uint32_t *table_work)
{
    const struct positions *positions;
    uint32_t work, ns;

    positions = positions_create(program, choosing->arena, choosing->scratch, &work);
    choosing->positions_cost += positions_cost(work);
    ns = positions != NULL ? positions_ns_per_character(positions) : 0;
    if (ns <= PATTERN_NS_MAX) {
        entry->positions = positions;
        return true;
    }
    if (!table_was_tried)
        make_table(choosing, entry, program, table_work);
    if (entry->automaton != NULL)
        return true;
    diagnose(choosing->diag, entry->span,
             "the pattern may take %u ns for each character of a text, more than %d, which is 5 ms "
             "for 64 KiB: repeat less of what has several ways, or write + or * where the number "
             "does not matter",
             ns, PATTERN_NS_MAX);
    return false;
}

bool pattern_choose(struct pattern_choosing *choosing, struct pattern_entry *entry)
{
    const struct capture *program;
    bool tries_table;
    uint32_t work = 0;

    arena_reset(choosing->scratch);
    program = read_program(choosing, entry);
    tries_table = program != NULL && may_have_table(choosing, entry);
    if (tries_table)
        make_table(choosing, entry, program, &work);
    if (program != NULL && entry->automaton == NULL &&
        choosing->positions_cost < PATTERN_POSITIONS_COST_MAX &&
        !follow(choosing, entry, program, tries_table, &work))
        return false;
    const struct automaton *automaton = entry->automaton;
    if (automaton != NULL && !automaton_can_find(automaton)) {
        diagnose(choosing->diag, entry->span, "the pattern can never match");
        return false;
    }
    if (pattern_entry_is_built(entry) && !is_same_to_vectorscan(choosing, entry))
        return false;
    if (pattern_entry_is_built(entry)) {
        choosing->cost += large_cost(entry);
    } else if (can_build(choosing, entry, work)) {
        entry->automaton = NULL;
        entry->positions = NULL;
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

bool pattern_choosing_init(struct pattern_choosing *choosing, struct arena *arena,
                           struct diagnostics *diag)
{
    *choosing = (struct pattern_choosing){
        .arena = arena, .scratch = arena_create(SCRATCH_BYTES_MAX), .diag = diag};
    return choosing->scratch != NULL;
}

void pattern_choosing_release(struct pattern_choosing *choosing)
{
    arena_destroy(choosing->scratch);
}

/* What only vectorscan knows it may still refuse when it builds it. */
static bool can_be_built(const struct pattern_choosing *choosing, const struct pattern_entry *entry)
{
    struct pattern_sources sources;
    struct pattern_database *database;
    struct pattern pattern;

    read_again(entry, &pattern);
    if (!pattern_sources_create(&sources, 1, choosing->scratch))
        return diagnose_memory(choosing->diag) != NULL;
    pattern_sources_put(&sources, 0, pattern.written, pattern.is_wide, entry->span);
    database = pattern_database_take(&sources, 1, choosing->diag);
    pattern_database_put(database);
    return database != NULL;
}

/* May it be refused, if only for what it costs? */
static bool may_be_refused(struct pattern_choosing *choosing, const struct pattern_entry *entry)
{
    const struct capture *program;

    if (may_never_match(entry->text))
        return true;
    arena_reset(choosing->scratch);
    program = read_program(choosing, entry);
    return program == NULL || program->code_count > CHEAP_STEPS_MAX;
}

/* Can it be built with those before it? */
static bool check_one(struct pattern_choosing *choosing, struct pattern_entry *entry)
{
    uint64_t before = choosing->cost; /* a table costs less than anything of vectorscan's */

    if (!pattern_choose(choosing, entry))
        return false;
    return choosing->cost - before < large_cost(entry) || can_be_built(choosing, entry);
}

bool pattern_choices_check(const struct pattern_table *table, struct arena *arena,
                           struct diagnostics *diag)
{
    struct pattern_choosing choosing;
    bool is_good = true;

    if (!pattern_choosing_init(&choosing, arena, diag))
        return diagnose_memory(diag) != NULL;
    for (uint32_t i = 0; i < table->count; i++)
        if (table->entries[i]->shape == PATTERN_SEARCHES &&
            may_be_refused(&choosing, table->entries[i]))
            is_good = check_one(&choosing, table->entries[i]) && is_good;
    pattern_choosing_release(&choosing);
    return is_good;
}

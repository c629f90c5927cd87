/* pattern_choice.c - see pattern_choice.h. */
#include "rules/pattern_choice.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "rules/automaton.h"
#include "rules/capture_program.h"
#include "rules/pattern_database.h"
#include "rules/positions.h"

enum {
    /* When making tables has been in vain so long, those that are larger are not tried. */
    FAILED_COST_MAX = 100000,
    LARGE_PLACES_MAX = 125,
    /* A program of no more has positions that cost less than is allowed. */
    CHEAP_STEPS_MAX = 40,
    CHEAP_PROGRAM_COST = 10,
    /* Of the largest pattern there is. */
    SCRATCH_BYTES_MAX = 64 << 20,
};

/* A bound, or as much less as there is for all patterns. */
static uint64_t bound_of(const struct pattern_choosing *choosing, uint64_t bound)
{
    return bound * choosing->most / PATTERN_SET_COST_MAX;
}

/* With what the patterns have cost. */
static struct load_work work_of(const struct pattern_choosing *choosing)
{
    struct load_work work = choosing->work;

    load_work_add(&work, LOAD_PATTERNS,
                  LOAD_PATTERN_COST_NS *
                      (choosing->cost + choosing->positions_cost + choosing->column_cost));
    return work;
}

/* What building takes at most, in microseconds, by what was measured of many random patterns and of
 * those that are known to be the worst: reading a pattern and working at its table; vectorscan with
 * a pattern that has one, less if its ways hardly ever differ. */
static uint64_t table_cost(uint32_t work)
{
    return 25 + work / 400;
}

/* Of the program of a pattern, beyond what any takes. */
static uint64_t program_cost(const struct capture *program)
{
    return program->work / 30;
}

static uint64_t small_cost(const struct pattern_entry *entry, uint32_t work)
{
    if (automaton_state_count(entry->automaton) <= entry->places + 3)
        return 500 + 100 * (uint64_t)entry->places;
    return 500 + 2 * (uint64_t)work + 200 * (uint64_t)entry->places;
}

/* Of one that pattern_check() accepted. */
static void read_again(const struct pattern_entry *entry, struct pattern *out)
{
    struct pattern_fault fault;
    bool is_good = pattern_read(entry->text, out, &fault);

    assert(is_good);
    (void)is_good;
}

/* What asks Unicode it may know of another year, and takes long to build; and it finds \B between
 * characters alone. */
static bool vectorscan_takes(const struct pattern_entry *entry)
{
    struct pattern pattern;

    read_again(entry, &pattern);
    return !pattern.ends_at_line_begin && !pattern.asks_unicode && !pattern.asks_no_border &&
           pattern_database_accepts(pattern.written, pattern.is_wide);
}

static uint64_t positions_cost(uint32_t work)
{
    return 10 + work / 150;
}

/* NULL, with a diagnosis: it is too large, or memory is short. */
static const struct capture *read_program(const struct pattern_choosing *choosing,
                                          const struct pattern_entry *entry)
{
    struct pattern_fault fault;
    const struct capture *program = capture_program_create(entry->text, choosing->scratch, &fault);

    if (program == NULL && fault.why[0] == '\0')
        diagnose_memory(choosing->diag);
    else if (program == NULL)
        diagnose(choosing->diag, entry->span,
                 "the pattern is too large: written out it takes more than %d steps",
                 CAPTURE_PROGRAM_MAX);
    return program;
}

static bool holds(struct text text, const char *part)
{
    return memmem(text.at, text.len, part, strlen(part)) != NULL;
}

/* Shall vectorscan have it, though its table can do it? Of what has none it would take 0.2 s to
 * build some, and up to 12 ms to look for others in 64 KiB. */
static bool can_build(struct pattern_choosing *choosing, const struct pattern_entry *entry,
                      uint32_t work)
{
    bool is_alone = pattern_entry_home(entry).len == 0;
    uint64_t cost;

    if (entry->automaton == NULL || is_alone)
        return false;
    cost = small_cost(entry, work);
    if (choosing->column_cost + cost > bound_of(choosing, PATTERN_COLUMN_COST_MAX) ||
        !vectorscan_takes(entry))
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
    uint64_t bound = may_never_match(entry->text) ? PATTERN_SET_COST_MAX : PATTERN_TABLES_COST_MAX;

    return choosing->cost + table_cost(AUTOMATON_WORK_MAX) <= bound_of(choosing, bound) &&
           (choosing->failed_cost <= FAILED_COST_MAX || entry->places <= LARGE_PLACES_MAX);
}

static bool too_long(struct pattern_choosing *choosing, const struct pattern_entry *entry)
{
    struct load_work work = work_of(choosing);

    if (choosing->most < PATTERN_SET_COST_MAX || load_work_left(&work) == 0)
        return load_work_refuse(&work, choosing->diag, entry->span);
    diagnose(choosing->diag, entry->span,
             "the regular expressions up to here take too long to build: fewer, or simpler ones");
    return false;
}

/* One that has no table is followed through the text by its positions, unless that may take too
 * long; one that was given none for want of time has one then, or it would depend on the others
 * whether it is refused. Errors: false, with a diagnosis. */
static bool follow(struct pattern_choosing *choosing, struct pattern_entry *entry,
                   const struct capture *program, bool table_was_tried, uint32_t *table_work)
{
    const struct positions *positions;
    uint32_t work, ns;

    if (choosing->positions_cost >= bound_of(choosing, PATTERN_POSITIONS_COST_MAX))
        return too_long(choosing, entry);
    positions = positions_create(program, choosing->arena, choosing->scratch, &work);
    choosing->positions_cost += positions_cost(work);
    ns = positions != NULL ? positions_ns_per_character(positions) : 0;
    if (positions != NULL && ns <= PATTERN_NS_MAX) {
        entry->positions = positions;
        return true;
    }
    if (!table_was_tried)
        make_table(choosing, entry, program, table_work);
    if (entry->automaton != NULL)
        return true;
    if (positions == NULL)
        diagnose(choosing->diag, entry->span,
                 "the pattern is too large to be followed: repeat less of what has several ways, "
                 "or write + or * where the number does not matter");
    else
        diagnose(choosing->diag, entry->span,
                 "the pattern may take %u ns for each character of a text, more than %d, which is "
                 "5 ms for 64 KiB: repeat less of what has several ways, or write + or * where the "
                 "number does not matter",
                 ns, PATTERN_NS_MAX);
    return false;
}

/* Decides by the program, which lies in scratch. */
static bool choose(struct pattern_choosing *choosing, struct pattern_entry *entry,
                   const struct capture *program)
{
    bool tries_table;
    uint32_t work = 0;
    struct load_work all;

    choosing->cost += program_cost(program);
    all = work_of(choosing);
    if (choosing->cost > PATTERN_SET_COST_MAX || load_work_left(&all) == 0)
        return too_long(choosing, entry);
    tries_table = may_have_table(choosing, entry);
    if (tries_table)
        make_table(choosing, entry, program, &work);
    if (entry->automaton == NULL && !follow(choosing, entry, program, tries_table, &work))
        return false;
    if (entry->automaton != NULL && !automaton_can_find(entry->automaton)) {
        diagnose(choosing->diag, entry->span, "the pattern can never match");
        return false;
    }
    if (can_build(choosing, entry, work)) {
        entry->automaton = NULL;
        entry->positions = NULL;
    }
    return true;
}

bool pattern_choose(struct pattern_choosing *choosing, struct pattern_entry *entry)
{
    const struct capture *program;

    arena_reset(choosing->scratch);
    program = read_program(choosing, entry);
    return program != NULL && choose(choosing, entry, program);
}

/* How much is left tells how much each kind of answer may take. */
static void know_work(struct pattern_choosing *choosing, const struct load_work *work)
{
    uint64_t left = load_work_left(work) / LOAD_PATTERN_COST_NS;

    choosing->work = *work;
    choosing->most = left < PATTERN_SET_COST_MAX ? left : (uint64_t)PATTERN_SET_COST_MAX;
}

bool pattern_choosing_init(struct pattern_choosing *choosing, const struct pattern_table *table,
                           struct arena *arena, struct diagnostics *diag)
{
    *choosing = (struct pattern_choosing){
        .arena = arena, .scratch = arena_create(SCRATCH_BYTES_MAX), .diag = diag};
    know_work(choosing, &table->work);
    return choosing->scratch != NULL;
}

void pattern_choosing_release(struct pattern_choosing *choosing)
{
    arena_destroy(choosing->scratch);
}

/* May it be refused, if only for what it costs? */
static bool may_be_refused(const struct pattern_entry *entry, const struct capture *program)
{
    return may_never_match(entry->text) || program->code_count > CHEAP_STEPS_MAX ||
           program_cost(program) > CHEAP_PROGRAM_COST;
}

static bool check_one(struct pattern_choosing *choosing, struct pattern_entry *entry)
{
    const struct capture *program;

    arena_reset(choosing->scratch);
    program = read_program(choosing, entry);
    return program != NULL && (!may_be_refused(entry, program) || choose(choosing, entry, program));
}

static struct id128 key_of(const struct pattern_entry *entry)
{
    return hash128(entry->text.at, entry->text.len, 0);
}

static int order_keys(const void *a, const void *b)
{
    const struct id128 *x = a, *y = b;

    return x->hi != y->hi ? (x->hi > y->hi) - (x->hi < y->hi) : (x->lo > y->lo) - (x->lo < y->lo);
}

static bool is_known_as_good(const struct pattern_memory *memory, const struct pattern_entry *entry)
{
    struct id128 key = key_of(entry);

    return memory != NULL && memory->is_filled &&
           (memory->count == 0 ||
            bsearch(&key, memory->refused, memory->count, sizeof(key), order_keys) == NULL);
}

static void take_up(struct pattern_choosing *choosing, const struct pattern_memory *memory)
{
    choosing->cost = memory->cost;
    choosing->positions_cost = memory->positions_cost;
    choosing->failed_cost = memory->failed_cost;
    choosing->column_cost = memory->column_cost;
    know_work(choosing, &memory->work);
}

static void remember(struct pattern_memory *memory, const struct pattern_choosing *choosing)
{
    memory->is_filled = true;
    memory->cost = choosing->cost;
    memory->positions_cost = choosing->positions_cost;
    memory->failed_cost = choosing->failed_cost;
    memory->column_cost = choosing->column_cost;
    memory->work = choosing->work;
    if (memory->count > 0)
        qsort(memory->refused, memory->count, sizeof(*memory->refused), order_keys);
}

static bool check_all(struct pattern_choosing *choosing, const struct pattern_table *table,
                      struct pattern_memory *memory)
{
    bool is_good = true, fills = memory != NULL && !memory->is_filled;

    if (fills && (memory->refused = calloc(table->count + 1, sizeof(*memory->refused))) == NULL)
        return diagnose_memory(choosing->diag) != NULL;
    if (memory != NULL && memory->is_filled)
        take_up(choosing, memory);
    for (uint32_t i = 0; i < table->count; i++) {
        struct pattern_entry *entry = table->entries[i];
        if (entry->shape != PATTERN_SEARCHES || is_known_as_good(memory, entry) ||
            check_one(choosing, entry))
            continue;
        is_good = false;
        if (fills)
            memory->refused[memory->count++] = key_of(entry);
    }
    if (fills)
        remember(memory, choosing);
    return is_good;
}

bool pattern_choices_check(const struct pattern_table *table, struct pattern_memory *memory,
                           struct arena *arena, struct diagnostics *diag)
{
    struct pattern_choosing choosing;
    bool is_good;

    if (!pattern_choosing_init(&choosing, table, arena, diag))
        return diagnose_memory(diag) != NULL;
    is_good = check_all(&choosing, table, memory);
    pattern_choosing_release(&choosing);
    return is_good;
}

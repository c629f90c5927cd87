/*
 * impossible.c - see impossible.h.
 *
 * A condition is a row of sides that all have to hold. Whether they can is asked of all at once;
 * only where they cannot it is looked for a few that are to blame, by leaving out one after the
 * other. Sides of `where` come first: what follows from them is a mistake of what stands later.
 */
#include "rules/impossible.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "rules/conjunctions.h"
#include "rules/facts_text.h"
#include "base/nearest.h"
#include "rules/rule_reader.h"

/* Of one condition: as many looks as it is large, and some. A mistake has to be explained, too. */
enum { SIDES_MAX = 128, LOOKS = 1500, LOOKS_EACH = 2, LOOKS_TO_EXPLAIN = 400000 };

struct side {
    const struct ast *ast;
    const struct ast *shown; /* with the ! before it */
    bool want, shown_want;
    bool is_where; /* of ground->where, of which a window or close is made */
    bool is_left_out;
};

struct sides {
    uint32_t count;
    struct side side[SIDES_MAX];
};

/* One load's question. */
struct question {
    const struct ground *ground;
    struct work work;
    bool is_explaining; /* sides are left out */
    bool is_of_key;     /* each condition is met by an event of its own, all of one key */
    struct aggregate_bound bound[RULE_AGGREGATES_MAX];
};

static bool is_window(const struct ground *ground)
{
    return ground->kind == GROUND_WINDOW || ground->kind == GROUND_CLOSE;
}

/* ---- sides ---- */

static void add_sides(struct sides *sides, struct side side)
{
    const struct ast *ast = side.ast;

    if (ast->kind == AST_NOT) {
        side.ast = ast->first;
        side.want = !side.want;
        add_sides(sides, side);
    } else if (ast->kind == (side.want ? AST_AND : AST_OR)) {
        side.shown_want = side.want;
        for (const struct ast *child = ast->first; child != NULL; child = child->next) {
            side.ast = side.shown = child;
            add_sides(sides, side);
        }
    } else if (sides->count < SIDES_MAX) {
        sides->side[sides->count++] = side;
    }
}

static struct side side_of(const struct ast *ast, bool is_where)
{
    return (struct side){
        .ast = ast, .shown = ast, .want = true, .shown_want = true, .is_where = is_where};
}

/* The sides that are in, plain ones first: they rule out ways early. */
static const struct goal *goals_of(const struct sides *sides, bool of_where,
                                   struct goal goals[SIDES_MAX])
{
    const struct goal *first = NULL;
    uint32_t count = 0;

    for (int is_plain = 0; is_plain < 2; is_plain++)
        for (uint32_t i = sides->count; i-- > 0;) {
            const struct side *side = &sides->side[i];
            if (side->is_left_out || side->is_where != of_where ||
                goal_is_plain(side->ast, side->want) != (is_plain == 1))
                continue;
            goals[count] = (struct goal){side->ast, side->want, false, first};
            first = &goals[count++];
        }
    return first;
}

/* ---- what `where` and `by` say of a window ---- */

/* Gathered over the ways in which an event can meet `where`. */
struct gathering {
    struct question *question;
    bool is_first;
    uint32_t values[RULE_AGGREGATES_MAX]; /* of a distinct(): how many; above the maximum: many */
    struct value value[RULE_AGGREGATES_MAX][FACT_VALUES_MAX];
    struct interval number[RULE_AGGREGATES_MAX];
};

static void add_values(struct gathering *gathering, uint32_t index, const struct facts *facts,
                       const struct ast *field)
{
    struct value more[FACT_VALUES_MAX];
    uint32_t count = facts_values(facts, field, more), *known = &gathering->values[index];

    for (uint32_t i = 0; i < count && count <= FACT_VALUES_MAX; i++) {
        uint32_t k = 0;
        while (k < *known && *known <= FACT_VALUES_MAX &&
               value_order(&gathering->value[index][k], &more[i]) != 0)
            k++;
        if (k < *known)
            continue;
        if (*known < FACT_VALUES_MAX)
            gathering->value[index][*known] = more[i];
        ++*known;
    }
    if (count > FACT_VALUES_MAX)
        *known = FACT_VALUES_MAX + 1;
}

static void gather(void *self, const struct facts *facts)
{
    struct gathering *gathering = self;
    const struct ground *ground = gathering->question->ground;

    for (uint32_t i = 0; i < ground->aggregate_count; i++) {
        const struct aggregate *aggregate = &ground->aggregate[i];
        if (aggregate->argument == NULL)
            continue;
        if (aggregate->kind == AGGREGATE_DISTINCT) {
            add_values(gathering, i, facts, aggregate->argument);
            continue;
        }
        struct interval number = facts_range(facts, aggregate->argument);
        gathering->number[i] =
            gathering->is_first ? number : interval_join(gathering->number[i], number);
    }
    gathering->is_first = false;
}

static bool is_by(const struct compiled_rule *rule, const struct ast *field)
{
    for (uint32_t i = 0; i < rule->open.by_count; i++) {
        const struct operand *by = &rule->by[i];
        if (field->field == RULE_FIELD_LABEL
                ? by->kind == OPERAND_LABEL && by->text.len == field->text.len &&
                      memcmp(by->text.at, field->text.at, field->text.len) == 0
                : by->kind == OPERAND_FIELD && by->field == field->field)
            return true;
    }
    return false;
}

bool impossible_is_fixed(const struct ast *ast, const struct compiled_rule *rule)
{
    if (ast->meaning == MEANS_FIELD)
        return is_by(rule, ast);
    if (ast->meaning == MEANS_LABELS || ast->meaning == MEANS_LABEL_OF)
        return false;
    if (ast->receiver != NULL && !impossible_is_fixed(ast->receiver, rule))
        return false;
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        if (!impossible_is_fixed(child, rule))
            return false;
    return true;
}

/* An average is rounded: first each number, then the division. Neither passes zero. */
static struct interval rounded(struct interval a)
{
    const long double step = 0x1p-40L, share = 0x1p-50L;
    long double lo = a.lo - step - fabsl(a.lo) * share, hi = a.hi + step + fabsl(a.hi) * share;

    return (struct interval){.lo = a.lo >= 0 && lo < 0 ? 0 : lo,
                             .hi = a.hi <= 0 && hi > 0 ? 0 : hi};
}

/* Of up to `count` numbers, or of none. */
static struct interval sum_of(struct interval a, uint32_t count)
{
    a = rounded(a);
    a.lo = a.lo < 0 ? a.lo * count - fabsl(a.lo) : 0;
    a.hi = a.hi > 0 ? a.hi * count + fabsl(a.hi) : 0;
    return a;
}

static struct interval at_least(long double lo)
{
    struct interval range = interval_all(TYPE_DOUBLE);

    range.lo = lo;
    return range;
}

static struct aggregate_bound bound_of(const struct ground *ground, uint32_t index,
                                       const struct gathering *gathering)
{
    const struct aggregate *aggregate = &ground->aggregate[index];
    const struct rule *rule = &ground->rule->open;
    /* A window with a baseline is looked at when it holds nothing, too. */
    int64_t least = rule->form_kind == FORM_BASELINE ? 0 : 1, most = rule->max_members;
    struct interval number = gathering->number[index];

    switch (aggregate->kind) {
    case AGGREGATE_COUNT:
        return (struct aggregate_bound){interval_whole(least, most), "max_members"};
    case AGGREGATE_DISTINCT:
        if (is_by(ground->rule, aggregate->argument))
            return (struct aggregate_bound){interval_whole(least, 1), "it is in `by`"};
        if (gathering->values[index] <= FACT_VALUES_MAX && gathering->values[index] < most)
            return (struct aggregate_bound){interval_whole(least, gathering->values[index]), NULL};
        return (struct aggregate_bound){interval_whole(least, most), "max_members"};
    case AGGREGATE_SUM:
        return (struct aggregate_bound){sum_of(number, rule->max_members), NULL};
    case AGGREGATE_AVG:
        return (struct aggregate_bound){rounded(number), NULL};
    case AGGREGATE_STDDEV:
    case AGGREGATE_RATE:
        return (struct aggregate_bound){at_least(0), NULL};
    case AGGREGATE_DEVIATION:
        return (struct aggregate_bound){interval_whole(-1000000, 1000000), NULL};
    default:
        return (struct aggregate_bound){number, NULL};
    }
}

static void bound_aggregates(struct question *question, const struct sides *sides)
{
    const struct ground events = {.kind = GROUND_EVENT,
                                  .sees_clears = question->ground->sees_clears};
    struct gathering gathering = {.question = question, .is_first = true};
    struct goal goals[SIDES_MAX];
    struct search search = {
        .ground = &events, .work = &question->work, .each = gather, .self = &gathering};
    bool is_known = !search_goals(&search, goals_of(sides, true, goals)) && !gathering.is_first;

    for (uint32_t i = 0; i < question->ground->aggregate_count; i++) {
        if (!is_known) {
            gathering.values[i] = FACT_VALUES_MAX + 1;
            gathering.number[i] = interval_all(TYPE_DOUBLE);
        }
        question->bound[i] = bound_of(question->ground, i, &gathering);
        question->bound[i].range.is_whole =
            question->ground->aggregate[i].kind <= AGGREGATE_DISTINCT;
    }
}

/* ---- can it be? ---- */

static bool is_possible(struct question *question, const struct sides *sides)
{
    struct goal goals[SIDES_MAX];
    struct search search = {.ground = question->ground,
                            .work = &question->work,
                            .key = question->is_of_key ? question->ground->rule : NULL};

    if (is_window(question->ground)) {
        if (question->is_explaining)
            bound_aggregates(question, sides);
        search.bound = question->bound;
    }
    return search_goals(&search, goals_of(sides, false, goals));
}

/* ---- who is to blame ---- */

/* Leaves out all that is not needed for the sides to be impossible. The last that is left is the
 * one that makes them so. False when that took too long. */
static bool find_culprits(struct question *question, struct sides *sides)
{
    uint32_t all = sides->count, count = 0;

    question->work.left = LOOKS_TO_EXPLAIN;
    question->is_explaining = true;
    do
        sides->count = ++count;
    while (count < all && is_possible(question, sides));
    for (uint32_t i = 0; i + 1 < count; i++) {
        sides->side[i].is_left_out = true;
        sides->side[i].is_left_out = !is_possible(question, sides);
    }
    return question->work.left > 0 && !is_possible(question, sides);
}

/* What a span says, on one line. */
static struct text words_of(struct span span)
{
    struct text text = {span.script->text + span.from, span.to - span.from};
    const char *end = memchr(text.at, '\n', text.len);

    if (end != NULL)
        text.len = (uint32_t)(end - text.at);
    if (text.len > 80)
        text.len = 80;
    while (text.len > 0 && ((unsigned char)text.at[text.len] & 0xc0) == 0x80)
        text.len--;
    return text;
}

enum { NUMBER_BYTES = 64, RANGE_BYTES = 160, WORDS_BYTES = 512, DOMAIN_MAX = 8 };

static void print_number(long double number, enum value_type type, char to[NUMBER_BYTES])
{
    uint32_t len = type == TYPE_DURATION ? duration_print((int64_t)number, to)
                                         : number_print((double)number, to);

    to[len] = '\0';
}

/* "from 0 to 23" */
static void print_range(struct interval range, enum value_type type, char to[RANGE_BYTES])
{
    struct interval all = interval_all(type);
    char low[NUMBER_BYTES], high[NUMBER_BYTES];

    print_number(range.lo, type, low);
    print_number(range.hi, type, high);
    if (interval_is_point(&range))
        snprintf(to, RANGE_BYTES, "always %s", low);
    else if (range.hi >= all.hi)
        snprintf(to, RANGE_BYTES, "%s %s", range.lo_open ? "above" : "at least", low);
    else if (range.lo <= all.lo)
        snprintf(to, RANGE_BYTES, "%s %s", range.hi_open ? "below" : "at most", high);
    else
        snprintf(to, RANGE_BYTES, "from %s to %s", low, high);
}

/* 10.5 lies where whole numbers do, and is none: their range says nothing. */
static bool names_number_of(const struct test *test, struct interval range)
{
    for (const struct ast *item = test->constant; item != NULL; item = test_next(test, item)) {
        struct value value = value_of_constant(item);
        struct interval point = interval_of(&value);
        if ((test->is_list || test->relation == RELATION_EQ) && interval_holds(&range, point.lo))
            return true;
    }
    return false;
}

/* Whether a side could be true of a clear. */
static bool is_of_clears(struct question *question, const struct side *side)
{
    const struct goal goal = {side->ast, side->want, false, NULL};
    struct ground ground = *question->ground;
    struct search search = {.ground = &ground, .bound = question->bound, .work = &question->work};

    ground.sees_clears = true;
    return !question->ground->sees_clears && search_goals(&search, &goal);
}

/* The one of the domain that was meant: P3 of p3. Of P9 all are as near, and none is. */
static const char *meant_of(struct text text, const char *const *domain, size_t count)
{
    const char *nearest = nearest_name(text, domain, count), *others[DOMAIN_MAX];
    size_t kept = 0;

    if (nearest == NULL ||
        (strlen(nearest) == text.len && strncasecmp(nearest, text.at, text.len) == 0))
        return nearest;
    for (size_t i = 0; i < count && i < DOMAIN_MAX; i++)
        if (domain[i] != nearest)
            others[kept++] = domain[i];
    return nearest_name(text, others, kept) == NULL ? nearest : NULL;
}

/* ": priority is "P1", ... or "P5"; did you mean "P3"?" False: it may be any text. */
static bool explain_texts(const struct ground *ground, const struct test *test,
                          char to[WORDS_BYTES])
{
    const char *const *domain = facts_domain(ground, test->subject);
    struct text subject = words_of(test->subject->span);
    const char *meant;
    size_t count = 0, used;

    if (domain == NULL)
        return false;
    while (domain[count] != NULL)
        count++;
    used = (size_t)snprintf(to, WORDS_BYTES, ": %.*s is ", subject.len < 60 ? (int)subject.len : 60,
                            subject.at);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(to + used, WORDS_BYTES - used, "%s\"%s\"",
                                 i == 0           ? ""
                                 : i + 1 == count ? " or "
                                                  : ", ",
                                 domain[i]);
    meant = meant_of(test->constant->text, domain, count);
    if (meant != NULL)
        snprintf(to + used, WORDS_BYTES - used, "; did you mean \"%s\"?", meant);
    return true;
}

/* What the subject of a comparison can be by itself, for the end of the sentence; empty where that
 * is not what makes it impossible. */
static void explain_range(struct question *question, const struct side *side, char to[WORDS_BYTES])
{
    const struct conjunction nothing = {.count = 0};
    struct interval range, all;
    char words[RANGE_BYTES];
    const char *why = NULL;
    struct facts facts;
    struct test test;

    to[0] = '\0';
    if (!test_of(side->ast, question->ground, &test))
        return;
    if (test.subject->meaning == MEANS_FIELD && test.subject->field == RULE_FIELD_STATE &&
        !question->ground->sees_clears) {
        snprintf(to, WORDS_BYTES, ": what it sees are problems, state is always \"problem\"");
        return;
    }
    if (explain_texts(question->ground, &test, to))
        return;
    if (test.subject->type < TYPE_INT || test.subject->type > TYPE_SEVERITY ||
        test.subject->type == TYPE_TIME)
        return;
    if (test.subject->type == TYPE_SEVERITY && side->shown_want) {
        snprintf(to, WORDS_BYTES, "%s",
                 is_of_clears(question, side) ? ": what it sees are problems, none of them is OK"
                                              : ": there is no such severity");
        return;
    }
    facts_gather(&facts, question->ground, question->bound, &nothing, &question->work);
    range = facts_range(&facts, test.subject);
    all = interval_all(test.subject->type);
    if ((range.lo <= all.lo && range.hi >= all.hi) || test.subject->type == TYPE_SEVERITY ||
        names_number_of(&test, range))
        return;
    if (test.subject->meaning == MEANS_AGGREGATE)
        why = question->bound[test.subject->number].why;
    print_range(range, test.subject->type, words);
    struct text subject = words_of(test.subject->span);
    snprintf(to, WORDS_BYTES, ": %.*s is %s%s%s%s", (int)subject.len, subject.at, words,
             why != NULL ? " (" : "", why != NULL ? why : "", why != NULL ? ")" : "");
}

/* " beside value > 5 at 3:12 and ..." */
static void explain_others(const struct sides *sides, char to[WORDS_BYTES])
{
    uint32_t told = 0;
    size_t used = 0;

    to[0] = '\0';
    for (uint32_t i = 0; i + 1 < sides->count; i++) {
        const struct side *side = &sides->side[i];
        struct text words = words_of(side->shown->span);
        struct place place = script_place(side->shown->span.script, side->shown->span.from);
        if (side->is_left_out)
            continue;
        if (told++ == 2) {
            snprintf(to + used, WORDS_BYTES - used, " and more");
            return;
        }
        used += (size_t)snprintf(to + used, WORDS_BYTES - used, "%s%.*s%s at %u:%u",
                                 told == 1 ? " beside " : " and ", (int)words.len, words.at,
                                 side->shown_want ? "" : ", which has to be false,",
                                 (unsigned)place.line, (unsigned)place.column);
    }
}

/* Returns whether to go on. */
static bool explain(struct question *question, struct sides *sides, const struct ast *dead,
                    struct diagnostics *diag)
{
    char words[WORDS_BYTES];
    const struct side *side;

    /* What is not shown is counted, and needs no words. */
    if (diag->full || !find_culprits(question, sides))
        return diagnose_sense(diag, dead->span, "this can never be true");
    side = &sides->side[sides->count - 1];
    explain_others(sides, words);
    if (words[0] == '\0')
        explain_range(question, side, words);
    return diagnose_sense(
        diag, side->shown->span, "this can never be %s%s%s", side->shown_want ? "true" : "false",
        words,
        question->is_of_key ? ": events of one key have the same values of what `by` names" : "");
}

/* ---- the walk ---- */

/* What is wrong with a condition. */
struct finding {
    const struct ast *dead; /* can never be true */
    const struct ast *idle; /* true as such, which makes the sides beside it idle */
    struct sides sides;     /* of what is dead */
};

static bool check_sides(struct question *question, const struct ast *ast, bool is_whole,
                        struct finding *finding)
{
    const struct ast *where = question->ground->where;

    finding->sides.count = 0;
    if (where != NULL && (is_whole || is_window(question->ground)))
        add_sides(&finding->sides, side_of(where, is_window(question->ground)));
    add_sides(&finding->sides, side_of(ast, false));
    if (is_possible(question, &finding->sides))
        return true;
    finding->dead = ast;
    return false;
}

/* A constant among sides: what was computed may be false by mistake, `true ||` leaves nothing to
 * ask for. */
static bool check_constant(const struct ast *ast, const struct ast *parent, struct finding *finding)
{
    bool is_true = ast->number != 0;

    if (!is_true && ast->is_folded && (parent == NULL || parent->type == TYPE_BOOL))
        finding->dead = ast;
    else if (is_true && parent != NULL && parent->kind == AST_OR)
        finding->idle = ast;
    else
        return true;
    finding->sides.count = 0;
    return false;
}

/* Within && each side is looked at with all of them, and !!x is x. */
static bool stands_alone(const struct ast *ast, const struct ast *parent)
{
    return ast->type == TYPE_BOOL && ast->kind != AST_OR &&
           (parent == NULL ||
            (parent->kind != AST_AND && (parent->kind != AST_NOT || ast->kind != AST_NOT)));
}

/* From the leaves up, so that the smallest part that is wrong is told. */
static bool walk(struct question *question, const struct ast *ast, const struct ast *parent,
                 struct finding *finding)
{
    if (ast->meaning == MEANS_CONSTANT)
        return ast->type != TYPE_BOOL || check_constant(ast, parent, finding);
    if (ast->meaning == MEANS_AGGREGATE || ast->meaning == MEANS_FIELD)
        return true;
    if (ast->receiver != NULL && !walk(question, ast->receiver, ast, finding))
        return false;
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        if (!walk(question, child, ast, finding))
            return false;
    return !stands_alone(ast, parent) || check_sides(question, ast, parent == NULL, finding);
}

static void begin(struct question *question, const struct ast *ast, struct finding *finding)
{
    const struct ast *where = question->ground->where;
    struct sides *sides = &finding->sides;

    finding->dead = finding->idle = NULL;
    sides->count = 0;
    question->work.left =
        LOOKS + LOOKS_EACH * (tree_weight(ast) + (where != NULL ? tree_weight(where) : 0));
    if (is_window(question->ground)) {
        if (where != NULL)
            add_sides(sides, side_of(where, true));
        bound_aggregates(question, sides);
    }
}

static bool find(struct question *question, const struct ast *ast, struct finding *finding)
{
    const struct ast *where = question->ground->where;

    begin(question, ast, finding);
    if (!walk(question, ast, NULL, finding))
        return true;
    /* || as a whole has not been asked beside `where` yet. */
    return ast->kind == AST_OR && where != NULL && !check_sides(question, ast, true, finding);
}

bool impossible_check(const struct ast *ast, const struct ground *ground, struct diagnostics *diag)
{
    struct question question = {.ground = ground};
    struct finding finding;

    if (diag->is_past || !find(&question, ast, &finding))
        return true;
    if (finding.idle != NULL)
        return diagnose_sense(diag, finding.idle->span,
                              "this is always true, so the other sides of || make no difference");
    if (finding.sides.count == 0)
        return diagnose_sense(diag, finding.dead->span, "this can never be true");
    return explain(&question, &finding.sides, finding.dead, diag);
}

bool impossible_check_key(const struct ast *const *conditions, uint32_t count,
                          const struct ground *ground, struct diagnostics *diag)
{
    struct question question = {.ground = ground, .is_of_key = true};
    struct sides sides = {.count = 0};
    const struct ast *where = ground->where;

    question.work.left = LOOKS + LOOKS_EACH * (where != NULL ? tree_weight(where) : 0);
    if (where != NULL)
        add_sides(&sides, side_of(where, false));
    for (uint32_t i = 0; i < count; i++) {
        question.work.left += LOOKS_EACH * tree_weight(conditions[i]);
        add_sides(&sides, side_of(conditions[i], false));
    }
    if (count < 2 || diag->is_past || is_possible(&question, &sides))
        return true;
    return explain(&question, &sides, conditions[count - 1], diag);
}

/* Whether nothing makes `where` true and `other` what is wanted. */
static bool is_alone(const struct ast *where, const struct ast *other, bool want,
                     const struct ground *ground, uint64_t *looks)
{
    const uint64_t allowed = *looks < LOOKS ? *looks : LOOKS;
    struct question question = {.ground = ground, .work = {.left = allowed}};
    struct side beside = side_of(other, false);
    struct sides sides = {.count = 0};
    bool is_possible_so;

    beside.want = beside.shown_want = want;
    add_sides(&sides, side_of(where, false));
    add_sides(&sides, beside);
    is_possible_so = is_possible(&question, &sides);
    *looks -= allowed - question.work.left;
    return !is_possible_so;
}

bool impossible_is_within(const struct ast *where, const struct ast *other,
                          const struct ground *ground, uint64_t *looks)
{
    return is_alone(where, other, false, ground, looks);
}

bool impossible_is_apart(const struct ast *where, const struct ast *other,
                         const struct ground *ground, uint64_t *looks)
{
    return is_alone(where, other, true, ground, looks);
}

bool impossible_can_be_true(const struct ast *ast, const struct ground *ground)
{
    struct question question = {.ground = ground};
    struct finding finding;

    begin(&question, ast, &finding);
    return check_sides(&question, ast, true, &finding);
}

const struct ast *impossible_find(const struct ast *ast, const struct ground *ground)
{
    struct question question = {.ground = ground};
    struct finding finding;

    return find(&question, ast, &finding) ? finding.dead : NULL;
}

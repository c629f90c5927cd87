/* match_guard.c - see match_guard.h. */
#include "rules/match_guard.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include "base/hash.h"
#include "base/text.h"
#include "rules/match_range.h"
#include "rules/printer.h"
#include "rules/severities.h"

#define GUARD_NONE UINT32_MAX

enum {
    /* Costs are the estimated part of all events for which a term holds, in 1/20000. */
    COST_ALL = 20000,
    COST_PRESENT = 6000,
    COST_RANGE = 4000, /* open at one side */
    COST_INTERVAL = 2000,
    COST_PATTERN = 800,
    COST_SHORT_LITERAL = 1500,
    COST_LITERAL = 400,
    /* A text is looked up together with a second one when as many rules ask for it: below that,
     * being a candidate in vain costs less than another table to look into. */
    PAIR_RULES_MIN = 8,
    PAIR_TERMS_MAX = 64,
    LIST_COUNTED_MAX = 64, /* lists longer than this are not counted item by item */
};

/* How often a text is asked for in a column. */
struct tally {
    uint64_t hash; /* 0: free */
    uint32_t count;
};

struct guard_survey {
    struct pattern_table *patterns;
    uint32_t column_count;
    struct operand column[GUARD_COLUMNS_MAX];
    uint32_t asked[GUARD_COLUMNS_MAX]; /* by how many terms of all rules */
    uint32_t pair_count;
    uint16_t pair[GUARD_PAIRS_MAX][2];
    uint32_t tally_mask;
    struct tally *tallies;
};

enum way { WAY_NONE, WAY_OWN, WAY_ALL_SIDES, WAY_SIDE, WAY_PAIR, WAY_RANGE };

struct guard_choice {
    uint32_t cost;          /* GUARD_NONE: there is no guard */
    uint8_t way;            /* enum way */
    uint8_t number;         /* of WAY_RANGE */
    uint32_t first, second; /* the side of WAY_SIDE, the two of WAY_PAIR */
};

/* ---- columns ---- */

static bool is_same_column(const struct operand *a, const struct operand *b)
{
    assert(a != NULL && b != NULL);
    if (a->kind != b->kind)
        return false;
    if (a->kind == OPERAND_FIELD)
        return a->field == b->field;
    return a->text.len == b->text.len && memcmp(a->text.at, b->text.at, a->text.len) == 0;
}

uint32_t guard_column(const struct guard_survey *survey, const struct operand *operand)
{
    uint32_t i = 0;

    while (i < survey->column_count && !is_same_column(&survey->column[i], operand))
        i++;
    return i < survey->column_count ? i : GUARD_COLUMNS_MAX;
}

uint32_t guard_column_count(const struct guard_survey *survey)
{
    return survey->column_count;
}

const struct operand *guard_column_operand(const struct guard_survey *survey, uint32_t column)
{
    return &survey->column[column];
}

struct text guard_pattern_column(const struct operand *operand, struct arena *arena)
{
    const char *name = operand->kind == OPERAND_LABEL
                           ? label_print(operand->text, arena)
                           : field_row((enum rule_field)operand->field)->name;

    return name != NULL ? text_of(name) : (struct text){NULL, 0};
}

static bool is_text_operand(const struct operand *operand)
{
    return operand->kind == OPERAND_LABEL ||
           (operand->kind == OPERAND_FIELD &&
            (operand->field < EVENT_FIELD_COUNT || operand->field == RULE_FIELD_HOST));
}

static bool is_message(const struct operand *operand)
{
    return operand->kind == OPERAND_FIELD && operand->field == RULE_FIELD_MESSAGE;
}

/* ---- terms of one test ---- */

/* A message is long and always another one: a table of whole ones would rarely be hit, so it is
 * looked up by how it begins. */
static struct term text_term(enum term_kind kind, const struct operand *operand, struct text text)
{
    struct term term = {.kind = kind, .operand = operand, .text = text};

    if (kind == TERM_EQUALS && is_message(operand) && text.len > 0)
        term.kind = TERM_PREFIX;
    return term;
}

/* The label that has to be there for the test to be true; false when it names none. */
static bool present_term(const struct instruction *at, struct term *term)
{
    bool is_mirrored = at->op == OP_COMPARE_TEXT && at->left.kind == OPERAND_CONSTANT;

    *term = (struct term){.kind = TERM_PRESENT, .operand = is_mirrored ? &at->right : &at->left};
    switch ((enum opcode)at->op) {
    case OP_COMPARE_TEXT:
    case OP_IN_TEXT:
    case OP_HAS:
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
    case OP_CONTAINS:
    case OP_MATCHES:
        return term->operand->kind == OPERAND_LABEL;
    default:
        return false;
    }
}

/* A pattern as the simplest term that says the same, or as much as an index can. */
static bool pattern_term(const struct guard_survey *survey, const struct instruction *at,
                         struct term *term)
{
    struct text literal, prefix;
    enum pattern_shape shape;

    if (survey->patterns == NULL)
        return false;
    shape = pattern_table_shape(survey->patterns, at->right.index, &literal);
    *term = (struct term){.kind = TERM_LITERAL, .operand = &at->left, .text = literal};
    switch (shape) {
    case PATTERN_EQUALS:
        *term = text_term(TERM_EQUALS, &at->left, literal);
        return true;
    case PATTERN_BEGINS:
        term->kind = TERM_PREFIX;
        return true;
    case PATTERN_ENDS:
        term->is_at_end = true;
        return true;
    case PATTERN_CONTAINS:
        return true;
    case PATTERN_SEARCHES:
        break;
    }
    prefix = pattern_table_prefix(survey->patterns, at->right.index);
    if (prefix.len >= 3) {
        *term = text_term(TERM_PREFIX, &at->left, prefix);
        return true;
    }
    /* A text in it that few others hold; the pattern itself confirms. */
    if (pattern_table_part(survey->patterns, at->right.index, &term->text))
        return true;
    term->kind = TERM_PATTERN;
    term->pattern = at->right.index;
    return true;
}

/* The terms of one test that looks at a text; false when it has none. */
static bool text_terms(const struct guard_survey *survey, const struct instruction *at,
                       term_visit visit, void *self)
{
    struct term term;
    bool is_mirrored = at->op == OP_COMPARE_TEXT && at->left.kind == OPERAND_CONSTANT;
    const struct operand *operand = is_mirrored ? &at->right : &at->left;
    const struct operand *constant = is_mirrored ? &at->left : &at->right;

    if (!is_text_operand(operand))
        return false;
    switch ((enum opcode)at->op) {
    case OP_COMPARE_TEXT:
        if (at->relation != RELATION_EQ || constant->kind != OPERAND_CONSTANT)
            break;
        term = text_term(TERM_EQUALS, operand, constant->text);
        return visit(self, &term);
    case OP_IN_TEXT:
        for (uint32_t i = 0; i < at->list.count; i++) {
            term = text_term(TERM_EQUALS, operand, at->list.texts[i]);
            if (!visit(self, &term))
                return false;
        }
        return true;
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
    case OP_CONTAINS:
        if (constant->kind != OPERAND_CONSTANT || constant->text.len == 0)
            break;
        term = (struct term){.kind = at->op == OP_STARTS_WITH ? TERM_PREFIX : TERM_LITERAL,
                             .operand = operand,
                             .text = constant->text,
                             .is_at_end = at->op == OP_ENDS_WITH};
        return visit(self, &term);
    case OP_MATCHES:
        if (!pattern_term(survey, at, &term))
            break;
        return visit(self, &term);
    default:
        break;
    }
    return present_term(at, &term) && visit(self, &term);
}

/* The numbers for which a comparison with a constant is true, as keys. False when it is none, or
 * not one stretch of numbers. */
static bool range_term(const struct instruction *at, struct term *term)
{
    bool is_real = at->op == OP_COMPARE_REAL, is_mirrored = at->left.kind == OPERAND_CONSTANT;
    const struct operand *operand = is_mirrored ? &at->right : &at->left;
    const struct operand *constant = is_mirrored ? &at->left : &at->right;
    enum relation relation = (enum relation)at->relation;
    int64_t key;

    *term = (struct term){
        .kind = TERM_RANGE, .number = NUMBER_VALUE, .low = INT64_MIN, .high = INT64_MAX};
    if (at->op == OP_HAS)
        return at->left.kind == OPERAND_FIELD && at->left.field == RULE_FIELD_VALUE;
    if ((!is_real && at->op != OP_COMPARE_NUMBER) || operand->kind != OPERAND_FIELD ||
        constant->kind != OPERAND_CONSTANT)
        return false;
    if (operand->field == RULE_FIELD_VALUE && is_real && !isnan(constant->real))
        key = match_range_key(constant->real);
    else if ((operand->field == RULE_FIELD_AGE || operand->field == RULE_FIELD_TS) && !is_real)
        key = constant->number;
    else
        return false;
    term->number = operand->field == RULE_FIELD_VALUE ? NUMBER_VALUE
                   : operand->field == RULE_FIELD_AGE ? NUMBER_AGE
                                                      : NUMBER_TS;
    if (is_mirrored) /* 90 < value is value > 90 */
        relation = relation == RELATION_LT   ? RELATION_GT
                   : relation == RELATION_LE ? RELATION_GE
                   : relation == RELATION_GT ? RELATION_LT
                   : relation == RELATION_GE ? RELATION_LE
                                             : relation;
    /* At the ends of the scale nothing is beyond; such a test is left to be evaluated. */
    if (relation == RELATION_NE || key == INT64_MIN || key == INT64_MAX)
        return false;
    if (relation == RELATION_EQ || relation == RELATION_GE || relation == RELATION_GT)
        term->low = key + (relation == RELATION_GT);
    if (relation == RELATION_EQ || relation == RELATION_LE || relation == RELATION_LT)
        term->high = key - (relation == RELATION_LT);
    return true;
}

static bool own_terms(const struct guard_survey *survey, const struct instruction *at,
                      term_visit visit, void *self)
{
    struct term term;

    if (range_term(at, &term))
        return visit(self, &term);
    return text_terms(survey, at, visit, self);
}

/* ---- survey ---- */

static uint64_t tally_hash(uint32_t column, const struct term *term)
{
    return hash64(term->text.at, term->text.len, hash_mix(column * 4 + (uint32_t)term->kind + 1)) |
           1;
}

static struct tally *tally_of(const struct guard_survey *survey, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> 32) & survey->tally_mask;

    while (survey->tallies[at].hash != 0 && survey->tallies[at].hash != hash)
        at = (at + 1) & survey->tally_mask;
    return &survey->tallies[at];
}

static bool is_looked_up(const struct term *term)
{
    return term->kind == TERM_EQUALS || term->kind == TERM_PREFIX;
}

static bool count_column(void *self, const struct term *term)
{
    struct guard_survey *survey = self;
    uint32_t column;

    if (term->operand == NULL)
        return true;
    column = guard_column(survey, term->operand);
    if (column == GUARD_COLUMNS_MAX && survey->column_count < GUARD_COLUMNS_MAX)
        survey->column[column = survey->column_count++] = *term->operand;
    if (column < GUARD_COLUMNS_MAX)
        survey->asked[column]++;
    return true;
}

static bool count_term(void *self, const struct term *term)
{
    struct guard_survey *survey = self;
    uint32_t column = is_looked_up(term) ? guard_column(survey, term->operand) : GUARD_COLUMNS_MAX;

    if (column < GUARD_COLUMNS_MAX) {
        struct tally *tally = tally_of(survey, tally_hash(column, term));
        tally->hash = tally_hash(column, term);
        tally->count++;
    }
    return true;
}

/* Whether the items of a test are counted one by one. */
static bool is_counted(const struct instruction *at)
{
    return at->op != OP_IN_TEXT || at->list.count <= LIST_COUNTED_MAX;
}

struct guard_survey *guard_survey_create(const struct program *programs, uint32_t count,
                                         struct pattern_table *patterns, struct arena *scratch)
{
    struct guard_survey *survey = arena_alloc(scratch, sizeof(*survey));
    uint64_t terms = 0;
    uint32_t room = 16;

    if (survey == NULL)
        return NULL;
    survey->patterns = patterns;
    for (uint32_t p = 0; p < count; p++)
        for (uint32_t i = 0; i < programs[p].count; i++) {
            const struct instruction *at = &programs[p].code[i];
            if (!is_counted(at)) { /* the column alone */
                struct term term = {.kind = TERM_EQUALS, .operand = &at->left};
                count_column(survey, &term);
                continue;
            }
            own_terms(survey, at, count_column, survey);
            terms += at->op == OP_IN_TEXT ? at->list.count : 1;
        }
    while (room < 2 * terms)
        room *= 2;
    survey->tally_mask = room - 1;
    survey->tallies = arena_alloc_many(scratch, room, sizeof(struct tally));
    if (survey->tallies == NULL)
        return NULL;
    for (uint32_t p = 0; p < count; p++)
        for (uint32_t i = 0; i < programs[p].count; i++)
            if (is_counted(&programs[p].code[i]))
                own_terms(survey, &programs[p].code[i], count_term, survey);
    return survey;
}

/* ---- weights ---- */

struct weight {
    const struct guard_survey *survey;
    uint64_t cost;
    uint32_t terms;
    uint32_t rules; /* that ask for the most common of the texts */
    bool is_list;   /* too long to look at each item */
};

/* Tenant and source say little, however few rules name them. */
static bool is_broad(const struct operand *operand)
{
    return operand->kind == OPERAND_FIELD &&
           (operand->field == RULE_FIELD_TENANT || operand->field == RULE_FIELD_SOURCE);
}

static uint32_t term_cost(const struct guard_survey *survey, const struct term *term,
                          uint32_t rules)
{
    uint32_t column = term->operand != NULL ? guard_column(survey, term->operand) : 0;
    uint32_t share, base = 1;

    switch (term->kind) {
    case TERM_PRESENT:
        return COST_PRESENT;
    case TERM_PATTERN:
        return COST_PATTERN;
    case TERM_LITERAL:
        return term->text.len < 4 ? COST_SHORT_LITERAL : COST_LITERAL;
    case TERM_RANGE:
        return term->low == term->high                             ? 100
               : term->low == INT64_MIN && term->high == INT64_MAX ? COST_PRESENT
               : term->low == INT64_MIN || term->high == INT64_MAX ? COST_RANGE
                                                                   : COST_INTERVAL;
    case TERM_PREFIX:
        base = 50;
        break;
    default:
        break;
    }
    share = (uint32_t)((uint64_t)COST_ALL * rules / (survey->asked[column] + 100u));
    return base + share + (is_broad(term->operand) ? COST_ALL / 4 : 0);
}

static bool weigh_term(void *self, const struct term *term)
{
    struct weight *weight = self;
    uint32_t rules = 1;

    if (term->operand != NULL && guard_column(weight->survey, term->operand) == GUARD_COLUMNS_MAX)
        return false;
    if (is_looked_up(term) && !weight->is_list)
        rules =
            tally_of(weight->survey, tally_hash(guard_column(weight->survey, term->operand), term))
                ->count;
    weight->rules = rules > weight->rules ? rules : weight->rules;
    weight->cost += term_cost(weight->survey, term, rules);
    return ++weight->terms <= GUARD_TERMS_MAX;
}

/* A long list weighs what its length says. */
static bool weigh_test(const struct guard_survey *survey, const struct instruction *at,
                       struct weight *weight)
{
    *weight = (struct weight){.survey = survey, .is_list = !is_counted(at)};
    if (!weight->is_list)
        return own_terms(survey, at, weigh_term, weight);
    weight->terms = at->list.count;
    weight->cost = (uint64_t)at->list.count;
    return is_text_operand(&at->left) && at->list.count <= GUARD_TERMS_MAX &&
           guard_column(survey, &at->left) < GUARD_COLUMNS_MAX;
}

static struct guard_choice weigh_sides(const struct guard *guard, uint32_t index)
{
    const struct instruction *code = guard->program->code;
    uint64_t sum = 0;

    for (uint32_t i = index + 1; i < code[index].end; i = code[i].end) {
        if (guard->choices[i].cost == GUARD_NONE)
            return (struct guard_choice){.cost = GUARD_NONE};
        sum += guard->choices[i].cost;
    }
    return (struct guard_choice){.cost = sum < GUARD_NONE ? (uint32_t)sum : GUARD_NONE - 1,
                                 .way = WAY_ALL_SIDES};
}

/* Can the test be one side of a pair: a few texts that one field or label may equal. */
static bool is_pair_side(const struct guard_survey *survey, const struct instruction *at,
                         struct weight *weight)
{
    if (at->op != OP_COMPARE_TEXT && at->op != OP_IN_TEXT && at->op != OP_MATCHES)
        return false;
    return weigh_test(survey, at, weight) && !weight->is_list && weight->terms <= 8;
}

struct pair_side {
    struct text text[8];
    const struct operand *operand;
    uint32_t count;
    bool is_equality;
};

static bool take_pair_term(void *self, const struct term *term)
{
    struct pair_side *side = self;

    side->is_equality = term->kind == TERM_EQUALS && (side->count == 0 || side->is_equality);
    side->operand = term->operand;
    side->text[side->count++] = term->text;
    return side->count < 8;
}

static bool read_pair_side(const struct guard_survey *survey, const struct instruction *at,
                           struct pair_side *side)
{
    struct weight weight;

    *side = (struct pair_side){.count = 0};
    if (!is_pair_side(survey, at, &weight) || weight.terms > 7)
        return false;
    own_terms(survey, at, take_pair_term, side);
    return side->is_equality;
}

static bool pair_fits(struct guard_survey *survey, const struct operand *a, const struct operand *b)
{
    uint32_t x = guard_column(survey, a), y = guard_column(survey, b);
    uint16_t low = (uint16_t)(x < y ? x : y), high = (uint16_t)(x < y ? y : x);

    if (low == high || high >= GUARD_COLUMNS_MAX)
        return false;
    for (uint32_t i = 0; i < survey->pair_count; i++)
        if (survey->pair[i][0] == low && survey->pair[i][1] == high)
            return true;
    if (survey->pair_count == GUARD_PAIRS_MAX)
        return false;
    survey->pair[survey->pair_count][0] = low;
    survey->pair[survey->pair_count++][1] = high;
    return true;
}

/* The two cheapest sides that equal texts of different columns, when the cheapest alone is asked
 * for by many rules. */
static void try_pair(struct guard_survey *survey, const struct guard *guard, uint32_t index,
                     struct guard_choice *choice)
{
    const struct instruction *code = guard->program->code;
    uint32_t best[2] = {0, 0}, cost[2] = {GUARD_NONE, GUARD_NONE};
    struct pair_side side[2];
    struct weight weight;

    for (uint32_t i = index + 1; i < code[index].end; i = code[i].end) {
        uint32_t own = guard->choices[i].cost;
        if (own >= cost[1] || !read_pair_side(survey, &code[i], &side[0]))
            continue;
        int at = own < cost[0] ? 0 : 1;
        if (best[0] != 0 && read_pair_side(survey, &code[best[0]], &side[1]) &&
            is_same_column(side[0].operand, side[1].operand))
            continue; /* twice the same column is no pair */
        if (at == 0) {
            best[1] = best[0];
            cost[1] = cost[0];
        }
        best[at] = i;
        cost[at] = own;
    }
    if (best[1] == 0 || cost[0] > choice->cost || !weigh_test(survey, &code[best[0]], &weight) ||
        weight.rules < PAIR_RULES_MIN || !read_pair_side(survey, &code[best[0]], &side[0]) ||
        !read_pair_side(survey, &code[best[1]], &side[1]) ||
        side[0].count * side[1].count > PAIR_TERMS_MAX ||
        !pair_fits(survey, side[0].operand, side[1].operand))
        return;
    choice->cost = 1 + (uint32_t)((uint64_t)cost[0] * cost[1] / COST_ALL);
    choice->way = WAY_PAIR;
    choice->first = best[0];
    choice->second = best[1];
}

/* What all comparisons of one number below a conjunction leave; false when there are none. */
static bool joint_range(const struct program *program, uint32_t index, enum guard_number number,
                        struct term *out)
{
    const struct instruction *code = program->code;
    bool is_found = false;

    *out = (struct term){.kind = TERM_RANGE, .number = number, .low = INT64_MIN, .high = INT64_MAX};
    for (uint32_t i = index + 1; i < code[index].end; i = code[i].end) {
        struct term term;
        if (!range_term(&code[i], &term) || term.number != number)
            continue;
        is_found = true;
        out->low = term.low > out->low ? term.low : out->low;
        out->high = term.high < out->high ? term.high : out->high;
    }
    return is_found && out->low <= out->high;
}

static struct guard_choice weigh_conjunction(struct guard_survey *survey, const struct guard *guard,
                                             uint32_t index)
{
    const struct instruction *code = guard->program->code;
    struct guard_choice choice = {.cost = GUARD_NONE};

    for (uint32_t i = index + 1; i < code[index].end; i = code[i].end)
        if (guard->choices[i].cost < choice.cost)
            choice =
                (struct guard_choice){.cost = guard->choices[i].cost, .way = WAY_SIDE, .first = i};
    for (unsigned number = 0; number < NUMBER_COUNT; number++) {
        struct term term;
        uint32_t cost;
        if (!joint_range(guard->program, index, (enum guard_number)number, &term))
            continue;
        cost = term_cost(survey, &term, 1);
        if (cost <= choice.cost)
            choice =
                (struct guard_choice){.cost = cost, .way = WAY_RANGE, .number = (uint8_t)number};
    }
    try_pair(survey, guard, index, &choice);
    return choice;
}

bool guard_choose(struct guard_survey *survey, const struct program *program, struct arena *scratch,
                  struct guard *out)
{
    *out = (struct guard){survey, program,
                          arena_alloc_many(scratch, program->count, sizeof(struct guard_choice))};
    if (out->choices == NULL)
        return false;
    /* Children stand behind their parent, so from the end. */
    for (uint32_t i = program->count; i-- > 0;) {
        const struct instruction *at = &program->code[i];
        struct weight weight;
        if (at->op == OP_AND)
            out->choices[i] = weigh_conjunction(survey, out, i);
        else if (at->op == OP_OR)
            out->choices[i] = weigh_sides(out, i);
        else if (weigh_test(survey, at, &weight))
            out->choices[i] = (struct guard_choice){
                .cost = weight.cost < GUARD_NONE ? (uint32_t)weight.cost : GUARD_NONE - 1,
                .way = WAY_OWN};
        else
            out->choices[i].cost = GUARD_NONE;
    }
    return true;
}

bool guard_exists(const struct guard *guard)
{
    return guard->choices[0].cost != GUARD_NONE;
}

/* ---- the terms chosen ---- */

static bool visit_pair(const struct guard *guard, const struct guard_choice *choice,
                       term_visit visit, void *self)
{
    struct pair_side side[2];
    const struct instruction *code = guard->program->code;
    uint32_t low = 0;

    read_pair_side(guard->survey, &code[choice->first], &side[0]);
    read_pair_side(guard->survey, &code[choice->second], &side[1]);
    if (guard_column(guard->survey, side[0].operand) > guard_column(guard->survey, side[1].operand))
        low = 1;
    for (uint32_t i = 0; i < side[low].count; i++)
        for (uint32_t j = 0; j < side[1 - low].count; j++) {
            struct term term = {.kind = TERM_PAIR,
                                .operand = side[low].operand,
                                .other = side[1 - low].operand,
                                .text = side[low].text[i],
                                .other_text = side[1 - low].text[j]};
            if (!visit(self, &term))
                return false;
        }
    return true;
}

static bool visit_at(const struct guard *guard, uint32_t index, term_visit visit, void *self)
{
    const struct guard_choice *choice = &guard->choices[index];
    const struct instruction *code = guard->program->code;
    struct term term;

    switch ((enum way)choice->way) {
    case WAY_OWN:
        return own_terms(guard->survey, &code[index], visit, self);
    case WAY_SIDE:
        return visit_at(guard, choice->first, visit, self);
    case WAY_PAIR:
        return visit_pair(guard, choice, visit, self);
    case WAY_RANGE:
        joint_range(guard->program, index, (enum guard_number)choice->number, &term);
        return visit(self, &term);
    case WAY_ALL_SIDES:
        for (uint32_t i = index + 1; i < code[index].end; i = code[i].end)
            if (!visit_at(guard, i, visit, self))
                return false;
        return true;
    case WAY_NONE:
        break;
    }
    return false;
}

bool guard_visit(const struct guard *guard, term_visit visit, void *self)
{
    return visit_at(guard, 0, visit, self);
}

/* ---- what guard and severities leave to be evaluated ---- */

enum extent {
    EXTENT_SEVERITY, /* true exactly at the possible severities */
    EXTENT_GUARD,    /* true exactly when a term of the guard holds */
    EXTENT_BOTH,     /* true exactly when both say so */
    EXTENT_MORE,     /* has to be evaluated */
};

struct exactness {
    const struct instruction *at;
    enum pattern_shape shape; /* of matches() */
    bool is_exact;
};

/* Does the term say all that its test says? */
static bool look_at_term(void *self, const struct term *term)
{
    struct exactness *exactness = self;
    enum opcode op = (enum opcode)exactness->at->op;
    bool is_exact = true;

    if (term->kind == TERM_PREFIX) /* or a part of a message, or of a pattern */
        is_exact = term->text.len <= GUARD_PREFIX_BYTES_MAX && op == OP_STARTS_WITH;
    else if (term->kind == TERM_PRESENT)
        is_exact = op == OP_HAS;
    else if (term->kind == TERM_LITERAL && op == OP_MATCHES) /* or a part of what is matched */
        is_exact = exactness->shape != PATTERN_SEARCHES;
    exactness->is_exact = exactness->is_exact && is_exact;
    return true;
}

static enum extent test_extent(const struct guard *guard, uint32_t index)
{
    const struct instruction *at = &guard->program->code[index];
    struct exactness exactness = {at, PATTERN_SEARCHES, true};
    struct text literal;

    if (severities_decide(at))
        return EXTENT_SEVERITY;
    if (guard->choices[index].cost == GUARD_NONE)
        return EXTENT_MORE;
    if (at->op == OP_MATCHES)
        exactness.shape = pattern_table_shape(guard->survey->patterns, at->right.index, &literal);
    own_terms(guard->survey, at, look_at_term, &exactness);
    return exactness.is_exact ? EXTENT_GUARD : EXTENT_MORE;
}

/* Is this side of a conjunction part of the guard chosen for it? */
static bool is_chosen(const struct guard *guard, const struct guard_choice *choice, uint32_t side)
{
    struct term term;

    if (choice->way == WAY_RANGE)
        return range_term(&guard->program->code[side], &term) && term.number == choice->number;
    return (choice->way == WAY_SIDE || choice->way == WAY_PAIR) &&
           (side == choice->first || (choice->way == WAY_PAIR && side == choice->second));
}

static enum extent extent_of(const struct guard *guard, uint32_t index)
{
    const struct instruction *code = guard->program->code, *at = &code[index];
    const struct guard_choice *choice = &guard->choices[index];
    uint32_t sides = 0, of_severity = 0, of_guard = 0, left = 0;

    if (at->op != OP_AND && at->op != OP_OR)
        return test_extent(guard, index);
    for (uint32_t i = index + 1; i < at->end; i = code[i].end, sides++) {
        enum extent extent = extent_of(guard, i);
        of_severity += extent == EXTENT_SEVERITY;
        of_guard += extent == EXTENT_GUARD;
        /* Of several guarded sides the guard holds but the chosen one. */
        left +=
            extent == EXTENT_MORE || (extent != EXTENT_SEVERITY && !is_chosen(guard, choice, i));
    }
    if (of_severity == sides)
        return EXTENT_SEVERITY;
    if (at->op == OP_OR)
        return of_guard == sides ? EXTENT_GUARD : EXTENT_MORE;
    return left == 0 ? EXTENT_BOTH : EXTENT_MORE;
}

bool guard_is_all(const struct guard *guard)
{
    enum extent extent = extent_of(guard, 0);

    return extent == EXTENT_SEVERITY || (guard_exists(guard) && extent != EXTENT_MORE);
}

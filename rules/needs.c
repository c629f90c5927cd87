/* needs.c - see needs.h. */
#include "rules/needs.h"

#include <math.h>
#include <string.h>
#include "rules/operands.h"
#include "rules/rule_reader.h"

/* Of numbers: as near as one is that is not enough. */
#define NEARLY 0.999999

struct walk {
    const struct program *program;
    struct program_input input; /* unused where all is asked for */
    const struct rule *rule;
    struct rule_needs *out;
    bool takes_all;
};

static void walk_begin(struct walk *walk, const struct rule *rule, const int64_t *value)
{
    const struct compiled_rule *compiled = (const struct compiled_rule *)(const void *)rule;

    walk->program = &compiled->when;
    walk->rule = rule;
    walk->out = NULL;
    walk->takes_all = value == NULL;
    program_input_start(&walk->input, NULL);
    walk->input.aggregate = value;
    walk->input.aggregate_real = (const double *)(const void *)value; /* the bits of those */
}

static enum relation turned_round(enum relation relation)
{
    static const enum relation others[] = {
        [RELATION_EQ] = RELATION_NE, [RELATION_NE] = RELATION_EQ, [RELATION_LT] = RELATION_GE,
        [RELATION_GE] = RELATION_LT, [RELATION_LE] = RELATION_GT, [RELATION_GT] = RELATION_LE};

    return others[relation];
}

static enum relation mirrored(enum relation relation)
{
    static const enum relation others[] = {
        [RELATION_EQ] = RELATION_EQ, [RELATION_NE] = RELATION_NE, [RELATION_LT] = RELATION_GT,
        [RELATION_GT] = RELATION_LT, [RELATION_LE] = RELATION_GE, [RELATION_GE] = RELATION_LE};

    return others[relation];
}

/* The two sides of a comparison, wherever they stand: in the instruction, or as its subtrees. */
static bool sides_of(const struct walk *walk, uint32_t index, const struct operand **left,
                     const struct operand **right, bool *is_real)
{
    const struct instruction *code = walk->program->code, *at = &code[index];
    const struct instruction *first = at + 1, *second;

    *is_real = at->op == OP_COMPARE_REAL;
    if (at->op == OP_COMPARE_NUMBER || at->op == OP_COMPARE_REAL) {
        *left = &at->left;
        *right = &at->right;
        return true;
    }
    if (at->op != OP_COMPARE)
        return false;
    second = &code[first->end];
    if (first->op != OP_LOAD || second->op != OP_LOAD)
        return false;
    *left = &first->left;
    *right = &second->left;
    /* One of the two is a count, whose constant may be real. */
    *is_real = (first->left.kind == OPERAND_CONSTANT ? first : second)->type == TYPE_DOUBLE;
    return true;
}

/* The comparison with a real constant, as the one with a whole number that means the same. */
static bool make_whole(double real, struct rule_need *need)
{
    bool is_whole = real >= floor(real) && real <= floor(real);

    if (!(real > -9e15 && real < 9e15))
        return false;
    need->bound =
        (int64_t)(need->relation == RELATION_GT || need->relation == RELATION_LE ? floor(real)
                                                                                 : ceil(real));
    return is_whole || (need->relation != RELATION_EQ && need->relation != RELATION_NE);
}

/* An aggregate compared with a constant, which stands on the right then. */
struct comparison {
    const struct operand *aggregate, *constant;
    enum relation relation;
    bool is_real; /* the constant is */
};

static bool read_comparison(const struct walk *walk, uint32_t index, bool is_negated,
                            struct comparison *out)
{
    enum relation relation = (enum relation)walk->program->code[index].relation;

    if (!sides_of(walk, index, &out->aggregate, &out->constant, &out->is_real))
        return false;
    if (out->aggregate->kind == OPERAND_CONSTANT) {
        const struct operand *constant = out->aggregate;
        out->aggregate = out->constant;
        out->constant = constant;
        relation = mirrored(relation);
    }
    out->relation = is_negated ? turned_round(relation) : relation;
    return out->aggregate->kind == OPERAND_AGGREGATE && out->constant->kind == OPERAND_CONSTANT;
}

/* A number that is not a count. */
static bool read_real_need(const struct walk *walk, uint32_t index, bool is_negated,
                           struct rule_real_need *need)
{
    struct comparison found;

    if (!read_comparison(walk, index, is_negated, &found) || !found.is_real ||
        !aggregate_is_real(walk->rule->aggregate[found.aggregate->index].kind))
        return false;
    *need = (struct rule_real_need){(uint8_t)found.aggregate->index, found.relation,
                                    found.constant->real};
    return true;
}

/* A count. */
static bool read_need(const struct walk *walk, uint32_t index, bool is_negated,
                      struct rule_need *need)
{
    struct comparison found;

    if (!read_comparison(walk, index, is_negated, &found) ||
        aggregate_is_real(walk->rule->aggregate[found.aggregate->index].kind))
        return false;
    need->aggregate = (uint8_t)found.aggregate->index;
    need->relation = found.relation;
    need->bound = found.constant->number;
    if (found.is_real && !make_whole(found.constant->real, need))
        return false;
    if (need->relation == RELATION_GT || need->relation == RELATION_LE) {
        need->relation = need->relation == RELATION_GT ? RELATION_GE : RELATION_LT;
        need->bound++;
    }
    return true;
}

static void add_need(struct rule_needs *out, const struct rule_need *need)
{
    for (uint32_t i = 0; i < out->count; i++)
        if (out->need[i].aggregate == need->aggregate && out->need[i].relation == need->relation &&
            out->need[i].bound == need->bound)
            return;
    if (out->count < RULE_NEEDS_MAX)
        out->need[out->count++] = *need;
}

static void add_real_need(struct rule_needs *out, const struct rule_real_need *need)
{
    for (uint32_t i = 0; i < out->real_count; i++) {
        const struct rule_real_need *other = &out->real[i];
        if (other->aggregate == need->aggregate && other->relation == need->relation &&
            other->bound >= need->bound && other->bound <= need->bound)
            return;
    }
    if (out->real_count < RULE_NEEDS_MAX)
        out->real[out->real_count++] = *need;
}

static void add_operand(const struct walk *walk, const struct operand *operand)
{
    if (operand->kind == OPERAND_AGGREGATE)
        walk->out->aggregates |= 1u << operand->index;
}

static void add_leaf(const struct walk *walk, uint32_t index, bool is_negated)
{
    const struct instruction *code = walk->program->code;
    struct rule_real_need real;
    struct rule_need need;

    for (uint32_t i = index; i < code[index].end; i++) {
        const struct operands operands = operands_of(&code[i]);
        for (uint32_t k = 0; k < operands.count; k++)
            add_operand(walk, operands.at[k]);
    }
    if (read_need(walk, index, is_negated, &need))
        add_need(walk->out, &need);
    else if (read_real_need(walk, index, is_negated, &real))
        add_real_need(walk->out, &real);
}

static void add_bearing(struct walk *walk, uint32_t index, bool is_negated)
{
    const struct instruction *code = walk->program->code, *at = &code[index];
    bool all_bear = walk->takes_all || (at->op == OP_AND) != is_negated;

    if (at->op == OP_NOT) {
        add_bearing(walk, index + 1, !is_negated);
        return;
    }
    if (at->op != OP_AND && at->op != OP_OR) {
        add_leaf(walk, index, is_negated);
        return;
    }
    for (uint32_t i = index + 1; i < at->end; i = code[i].end)
        if (all_bear ||
            program_test(walk->program, i, &walk->input) == (is_negated ? TRUTH_FALSE : TRUTH_TRUE))
            add_bearing(walk, i, is_negated);
}

void rule_when_bears(const struct rule *rule, const int64_t value[RULE_AGGREGATES_MAX],
                     struct rule_needs *out)
{
    struct walk walk;

    walk_begin(&walk, rule, value);
    walk.out = out;
    out->aggregates = out->count = out->real_count = 0;
    add_bearing(&walk, 0, false);
    if (out->aggregates == 0) /* true whatever they are */
        out->aggregates = (1u << rule->aggregate_count) - 1;
}

void rule_when_needs(const struct rule *rule, struct rule_needs *out)
{
    struct walk walk;

    walk_begin(&walk, rule, NULL);
    walk.out = out;
    out->aggregates = out->count = out->real_count = 0;
    add_bearing(&walk, 0, false);
}

/* --- how near ---------------------------------------------------------------------------- */

static double share(int64_t part, int64_t whole)
{
    return part >= whole ? 1 : part <= 0 ? 0 : (double)part / (double)whole;
}

static double near_need(const struct rule_need *need, int64_t value)
{
    switch (need->relation) {
    case RELATION_GE:
        return share(value, need->bound);
    case RELATION_LT:
        return value < need->bound ? 1 : share(need->bound, value + 1);
    case RELATION_EQ:
        return value < need->bound ? share(value, need->bound) : share(need->bound, value);
    default:
        return value != need->bound;
    }
}

/* A number that is NAN, for there is none, is nowhere near. Only what is true is 1. */
static double near_real(const struct rule_real_need *need, double value)
{
    double scale = need->bound != 0 ? fabs(need->bound) : 1, lacks;

    switch (need->relation) {
    case RELATION_GT:
    case RELATION_GE:
        lacks = (need->bound - value) / scale;
        break;
    case RELATION_LT:
    case RELATION_LE:
        lacks = (value - need->bound) / scale;
        break;
    case RELATION_EQ:
        lacks = fabs(value - need->bound) / scale;
        break;
    default:
        return 0;
    }
    return lacks < 0 ? NEARLY : lacks < 1 ? NEARLY * (1 - lacks) : 0;
}

static double near_tree(struct walk *walk, uint32_t index, bool is_negated)
{
    const struct instruction *code = walk->program->code, *at = &code[index];
    bool takes_least = (at->op == OP_AND) != is_negated;
    struct rule_real_need real;
    struct rule_need need;
    double near = -1;

    if (at->op == OP_NOT)
        return near_tree(walk, index + 1, !is_negated);
    if (at->op == OP_AND || at->op == OP_OR) {
        for (uint32_t i = index + 1; i < at->end; i = code[i].end) {
            double side = near_tree(walk, i, is_negated);
            if (near < 0 || (takes_least ? side < near : side > near))
                near = side;
        }
        return near;
    }
    if (read_need(walk, index, is_negated, &need))
        return near_need(&need, walk->input.aggregate[need.aggregate]);
    if (program_test(walk->program, index, &walk->input) == (is_negated ? TRUTH_FALSE : TRUTH_TRUE))
        return 1;
    if (read_real_need(walk, index, is_negated, &real))
        return near_real(&real, walk->input.aggregate_real[real.aggregate]);
    return 0;
}

double rule_when_near(const struct rule *rule, const int64_t value[RULE_AGGREGATES_MAX])
{
    struct walk walk;

    walk_begin(&walk, rule, value);
    return near_tree(&walk, 0, false);
}

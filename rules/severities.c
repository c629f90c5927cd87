/* severities.c - see severities.h. */
#include "rules/severities.h"

enum { EVERY_SEVERITY = (1 << SEVERITY_COUNT) - 1 };

static uint8_t severities_of(const struct instruction *at)
{
    bool is_left = at->left.kind == OPERAND_FIELD;
    uint8_t mask = 0;

    for (int64_t severity = 0; severity < SEVERITY_COUNT; severity++) {
        int64_t a = is_left ? severity : at->left.number, b = is_left ? at->right.number : severity;
        bool is_true = at->relation == RELATION_EQ   ? a == b
                       : at->relation == RELATION_NE ? a != b
                       : at->relation == RELATION_LT ? a < b
                       : at->relation == RELATION_LE ? a <= b
                       : at->relation == RELATION_GT ? a > b
                                                     : a >= b;
        mask |= (uint8_t)(is_true << severity);
    }
    return mask;
}

static bool is_severity(const struct operand *operand)
{
    return operand->kind == OPERAND_FIELD && operand->field == RULE_FIELD_SEVERITY;
}

/* One side is the field, the other a constant. */
static bool compares_severity(const struct instruction *at)
{
    return is_severity(&at->left) != is_severity(&at->right) &&
           (at->left.kind == OPERAND_CONSTANT || at->right.kind == OPERAND_CONSTANT);
}

bool severities_decide(const struct instruction *at)
{
    return at->op == OP_CONSTANT || (at->op == OP_COMPARE_NUMBER && compares_severity(at)) ||
           (at->op == OP_IN_NUMBER && is_severity(&at->left));
}

/* The severities at which one test can be true. */
static uint8_t test_severities(const struct instruction *at)
{
    uint8_t mask = 0;

    switch ((enum opcode)at->op) {
    case OP_CONSTANT:
        return at->left.number != 0 ? EVERY_SEVERITY : 0;
    case OP_COMPARE_NUMBER:
        return compares_severity(at) ? severities_of(at) : EVERY_SEVERITY;
    case OP_IN_NUMBER:
        if (!is_severity(&at->left))
            return EVERY_SEVERITY;
        for (uint32_t i = 0; i < at->list.count; i++)
            mask |= (uint8_t)(1u << at->list.numbers[i]);
        return mask;
    default:
        return EVERY_SEVERITY;
    }
}

/* The severities at which the whole can be true: all must allow it below &&, one
 * below ||; of a negation nothing is said. */
static uint8_t possible_severities(const struct program *program, uint32_t index)
{
    const struct instruction *at = &program->code[index];
    uint8_t mask = at->op == OP_AND ? EVERY_SEVERITY : 0;

    if (at->op != OP_AND && at->op != OP_OR)
        return test_severities(at);
    for (uint32_t i = index + 1; i < at->end; i = program->code[i].end) {
        uint8_t side = possible_severities(program, i);
        mask = at->op == OP_AND ? mask & side : mask | side;
    }
    return mask;
}

uint8_t severities_possible(const struct program *program)
{
    return possible_severities(program, 0);
}

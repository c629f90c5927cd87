/* fixed_value.c - see fixed_value.h. */
#include "rules/fixed_value.h"

#include "base/text.h"

static bool is_same(const struct operand *a, const struct operand *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == OPERAND_LABEL   ? texts_equal(a->text, b->text)
           : a->kind == OPERAND_FIELD ? a->field == b->field
                                      : false;
}

/* All sides of && have to be true, so each of them may tell. */
static bool fixed_at(const struct program *program, uint32_t index, const struct operand *of,
                     struct text *value)
{
    const struct instruction *at = &program->code[index];
    const struct operand *other;

    for (uint32_t i = index + 1; at->op == OP_AND && i < at->end; i = program->code[i].end)
        if (fixed_at(program, i, of, value))
            return true;
    if (at->op != OP_COMPARE_TEXT || at->relation != RELATION_EQ)
        return false;
    other = is_same(&at->left, of) ? &at->right : is_same(&at->right, of) ? &at->left : NULL;
    if (other == NULL || other->kind != OPERAND_CONSTANT || other->text.len == 0)
        return false;
    *value = other->text;
    return true;
}

bool fixed_value(const struct program *program, const struct operand *of, struct text *value)
{
    return fixed_at(program, 0, of, value);
}

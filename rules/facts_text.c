/* facts_text.c - see facts_text.h. */
#include "rules/facts_text.h"

#include <string.h>

/* ---- tests ---- */

struct value value_of_constant(const struct ast *constant)
{
    struct value value = {.type = (uint8_t)constant->type, .number = constant->number};

    if (constant->type == TYPE_TEXT)
        value.text = constant->text;
    else if (constant->type == TYPE_DOUBLE)
        value.real = constant->real;
    return value;
}

static enum relation mirrored(enum relation relation)
{
    static const enum relation mirror[] = {RELATION_EQ, RELATION_NE, RELATION_GT,
                                           RELATION_GE, RELATION_LT, RELATION_LE};

    return mirror[relation];
}

static bool is_constant(const struct ast *ast)
{
    return ast->meaning == MEANS_CONSTANT;
}

static bool is_constant_list(const struct ast *list)
{
    if (list->kind != AST_LIST)
        return false;
    for (const struct ast *item = list->first; item != NULL; item = item->next)
        if (!is_constant(item))
            return false;
    return true;
}

/* has(check) says that it is not empty; of a label it says that it is there, but to mutes. */
static bool has_of(const struct ast *of, const struct ground *ground, struct test *out)
{
    static const struct ast empty = {
        .kind = AST_LITERAL, .type = TYPE_TEXT, .meaning = MEANS_CONSTANT, .text = {"", 0}};

    if (of->meaning != MEANS_FIELD || of->type != TYPE_TEXT ||
        (of->field == RULE_FIELD_LABEL && ground->kind != GROUND_INCIDENT))
        return false;
    *out = (struct test){
        .how = TEST_COMPARE, .subject = of, .constant = &empty, .relation = RELATION_NE};
    return true;
}

static bool comparison_of(const struct ast *ast, struct test *out)
{
    bool is_mirrored = is_constant(ast->first);

    if (is_constant(ast->first) == is_constant(ast->last) || ast->first->type == TYPE_BOOL)
        return false;
    *out = (struct test){.how = TEST_COMPARE,
                         .subject = is_mirrored ? ast->last : ast->first,
                         .constant = is_mirrored ? ast->first : ast->last,
                         .relation = is_mirrored ? mirrored(ast->relation) : ast->relation};
    return true;
}

bool test_of(const struct ast *ast, const struct ground *ground, struct test *out)
{
    if (ast->kind == AST_COMPARE)
        return comparison_of(ast, out);
    if (ast->meaning == MEANS_HAS)
        return has_of(ast->first, ground, out);
    if (ast->kind == AST_IN) {
        *out = (struct test){
            .how = TEST_IN, .subject = ast->first, .constant = ast->last->first, .is_list = true};
        return !is_constant(ast->first) && is_constant_list(ast->last);
    }
    if (ast->kind != AST_CALL || ast->meaning < MEANS_STARTS_WITH ||
        ast->meaning > MEANS_CONTAINS || is_constant(ast->receiver) || !is_constant(ast->first))
        return false;
    *out = (struct test){.how = ast->meaning == MEANS_STARTS_WITH ? TEST_PREFIX
                                : ast->meaning == MEANS_ENDS_WITH ? TEST_SUFFIX
                                                                  : TEST_PART,
                         .subject = ast->receiver,
                         .constant = ast->first};
    return true;
}

static bool holds(enum relation relation, int order)
{
    return relation == RELATION_EQ   ? order == 0
           : relation == RELATION_NE ? order != 0
           : relation == RELATION_LT ? order < 0
           : relation == RELATION_LE ? order <= 0
           : relation == RELATION_GT ? order > 0
                                     : order >= 0;
}

static bool begins(struct text text, struct text part)
{
    return text.len >= part.len && (part.len == 0 || memcmp(text.at, part.at, part.len) == 0);
}

static bool ends(struct text text, struct text part)
{
    return text.len >= part.len &&
           (part.len == 0 || memcmp(text.at + text.len - part.len, part.at, part.len) == 0);
}

static bool contains(struct text text, struct text part)
{
    return part.len == 0 ||
           (text.len >= part.len && memmem(text.at, text.len, part.at, part.len) != NULL);
}

bool test_meets(const struct test *test, const struct value *value, struct work *work)
{
    struct value constant;

    if (test->how == TEST_PREFIX)
        return begins(value->text, test->constant->text);
    if (test->how == TEST_SUFFIX)
        return ends(value->text, test->constant->text);
    if (test->how == TEST_PART)
        return contains(value->text, test->constant->text);
    for (const struct ast *item = test->constant; item != NULL; item = test_next(test, item)) {
        constant = value_of_constant(item);
        if (holds(test->is_list ? RELATION_EQ : test->relation, value_order(value, &constant)))
            return true;
        if (!work_take(work, 1))
            return true;
    }
    return false;
}

enum relation test_relation(const struct test *test)
{
    static const enum relation opposite[] = {RELATION_NE, RELATION_EQ, RELATION_GE,
                                             RELATION_GT, RELATION_LE, RELATION_LT};

    return test->want ? test->relation : opposite[test->relation];
}

/* ---- texts ---- */

bool text_can_come_of(const struct ast *subject, struct text text)
{
    char first = subject->meaning == MEANS_LOWER ? 'A' : 'a';

    if (subject->meaning != MEANS_LOWER && subject->meaning != MEANS_UPPER)
        return true;
    for (uint32_t i = 0; i < text.len; i++)
        if (text.at[i] >= first && text.at[i] <= first + ('Z' - 'A'))
            return false;
    return true;
}

bool text_test_is_possible(const struct test *test)
{
    struct text text = test->constant->text;

    if (test->how != TEST_COMPARE) /* each text begins with the empty one */
        return test->want ? text_can_come_of(test->subject, text) : text.len > 0;
    return text.len > 0 || test_relation(test) != RELATION_LT; /* nothing is below "" */
}

/* What the text must have in it: at its beginning, its end, or somewhere. */
static bool implies(const struct test *has, const struct test *asked)
{
    struct text text = has->constant->text, part = asked->constant->text;

    switch (asked->how) {
    case TEST_PREFIX:
        return has->how == TEST_PREFIX && begins(text, part);
    case TEST_SUFFIX:
        return has->how == TEST_SUFFIX && ends(text, part);
    default:
        return contains(text, part);
    }
}

/* Two beginnings, or two ends, of one text. */
static bool fit_together(const struct test *a, const struct test *b)
{
    struct text x = a->constant->text, y = b->constant->text;

    if (a->how == TEST_PREFIX && b->how == TEST_PREFIX)
        return begins(x, y) || begins(y, x);
    if (a->how == TEST_SUFFIX && b->how == TEST_SUFFIX)
        return ends(x, y) || ends(y, x);
    return true;
}

static bool is_from_above(enum relation relation)
{
    return relation == RELATION_LT || relation == RELATION_LE;
}

static bool is_from_below(enum relation relation)
{
    return relation == RELATION_GT || relation == RELATION_GE;
}

/* Is there a text that begins so and lies there? The first of them is the beginning itself. */
static bool prefix_fits(struct text prefix, enum relation relation, struct text bound)
{
    int order = text_order(prefix, bound);

    if (is_from_above(relation))
        return relation == RELATION_LT ? order < 0 : order <= 0;
    if (is_from_below(relation))
        return order >= 0 || begins(bound, prefix);
    return true;
}

/* Two bounds: is there anything between them? */
static bool leave_room(enum relation a, struct text x, enum relation b, struct text y)
{
    int order = text_order(x, y);

    if (is_from_below(b) && is_from_above(a))
        return leave_room(b, y, a, x);
    if (!is_from_below(a) || !is_from_above(b))
        return true;
    return order < 0 || (order == 0 && a == RELATION_GE && b == RELATION_LE);
}

bool text_tests_agree(const struct test *a, const struct test *b)
{
    bool is_a_bound = a->how == TEST_COMPARE, is_b_bound = b->how == TEST_COMPARE;

    if (is_a_bound && is_b_bound)
        return leave_room(test_relation(a), a->constant->text, test_relation(b), b->constant->text);
    if (is_a_bound)
        return text_tests_agree(b, a);
    if (is_b_bound)
        return !a->want || a->how != TEST_PREFIX ||
               prefix_fits(a->constant->text, test_relation(b), b->constant->text);
    if (a->want && b->want)
        return fit_together(a, b);
    if (a->want != b->want)
        return !implies(a->want ? a : b, a->want ? b : a);
    return true;
}

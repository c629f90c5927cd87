/* impossible.c - see impossible.h. */
#include "rules/impossible.h"

#include <string.h>

enum {
    SIDES_MAX = 64, /* of one &&, each compared with each; those beyond are taken on trust */
    ITEMS_MAX = 64, /* of a list */
};

/* One side of && that tests a field or label against constants. */
struct side {
    const struct ast *ast;
    const struct ast *subject;
    const struct ast *constant; /* or the first of a list */
    enum relation relation;
    bool is_prefix;
    bool is_list;
};

static bool is_subject(const struct ast *ast)
{
    return ast->meaning == MEANS_FIELD;
}

static bool is_constant(const struct ast *ast)
{
    return ast->meaning == MEANS_CONSTANT;
}

static enum relation mirrored(enum relation relation)
{
    static const enum relation mirror[] = {RELATION_EQ, RELATION_NE, RELATION_GT,
                                           RELATION_GE, RELATION_LT, RELATION_LE};

    return mirror[relation];
}

static bool is_constant_list(const struct ast *list)
{
    if (list->kind != AST_LIST || list->count > ITEMS_MAX)
        return false;
    for (const struct ast *item = list->first; item != NULL; item = item->next)
        if (!is_constant(item))
            return false;
    return true;
}

static bool side_of(const struct ast *ast, struct side *out)
{
    const struct ast *left = ast->first, *right = ast->last;

    *out = (struct side){.ast = ast, .relation = RELATION_EQ};
    if (ast->kind == AST_COMPARE && left->type != TYPE_BOOL) {
        bool is_mirrored = is_constant(left);
        out->subject = is_mirrored ? right : left;
        out->constant = is_mirrored ? left : right;
        out->relation = is_mirrored ? mirrored(ast->relation) : ast->relation;
        return is_subject(out->subject) && is_constant(out->constant);
    }
    if (ast->kind == AST_IN && is_subject(left) && is_constant_list(right)) {
        out->subject = left;
        out->constant = right->first;
        out->is_list = true;
        return true;
    }
    if (ast->kind == AST_CALL && ast->meaning == MEANS_STARTS_WITH && is_subject(ast->receiver) &&
        is_constant(left)) {
        out->subject = ast->receiver;
        out->constant = left;
        out->is_prefix = true;
        return true;
    }
    return false;
}

static bool is_same_subject(const struct ast *a, const struct ast *b)
{
    return a->field == b->field &&
           (a->field != RULE_FIELD_LABEL ||
            (a->text.len == b->text.len && memcmp(a->text.at, b->text.at, a->text.len) == 0));
}

/* ---- one value against one side ---- */

static struct value value_of(const struct ast *constant)
{
    struct value value = {.type = (uint8_t)constant->type, .number = constant->number};

    if (constant->type == TYPE_TEXT)
        value.text = constant->text;
    else if (constant->type == TYPE_DOUBLE)
        value.real = constant->real;
    return value;
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

static bool meets(const struct value *value, const struct side *side)
{
    struct text text = value->text;

    if (side->is_prefix)
        return text.len >= side->constant->text.len &&
               memcmp(text.at, side->constant->text.at, side->constant->text.len) == 0;
    for (const struct ast *item = side->constant; item != NULL;
         item = side->is_list ? item->next : NULL) {
        struct value constant = value_of(item);
        if (holds(side->relation, value_order(value, &constant)))
            return true;
    }
    return false;
}

/* Whether a value that `exact` names meets `other`, too. */
static bool any_meets(const struct side *exact, const struct side *other)
{
    for (const struct ast *item = exact->constant; item != NULL;
         item = exact->is_list ? item->next : NULL) {
        struct value value = value_of(item);
        if (meets(&value, other))
            return true;
    }
    return false;
}

/* ---- two sides ---- */

static bool is_exact(const struct side *side)
{
    return !side->is_prefix && side->relation == RELATION_EQ;
}

/* a < 3 and a > 5: from above and from below, with nothing between. */
static bool leave_nothing_between(const struct side *a, const struct side *b)
{
    bool a_above = a->relation == RELATION_GT || a->relation == RELATION_GE;
    bool b_above = b->relation == RELATION_GT || b->relation == RELATION_GE;
    const struct side *low = a_above ? a : b, *high = a_above ? b : a;
    struct value from = value_of(low->constant), to = value_of(high->constant);
    bool is_open = low->relation == RELATION_GT || high->relation == RELATION_LT;
    int order;

    if (a->relation == RELATION_NE || b->relation == RELATION_NE || a_above == b_above)
        return false;
    if (from.type > TYPE_DOUBLE && to.type > TYPE_DOUBLE) { /* a duration, time or severity */
        int64_t next, last;
        return __builtin_add_overflow(from.number, low->relation == RELATION_GT, &next) ||
               __builtin_sub_overflow(to.number, high->relation == RELATION_LT, &last) ||
               next > last;
    }
    order = value_order(&from, &to);
    if (order != 0)
        return order > 0;
    return is_open;
}

static bool exclude(const struct side *a, const struct side *b)
{
    uint32_t common;

    if (is_exact(a))
        return !any_meets(a, b);
    if (is_exact(b))
        return !any_meets(b, a);
    if (a->is_prefix != b->is_prefix)
        return false;
    if (!a->is_prefix)
        return leave_nothing_between(a, b);
    common = a->constant->text.len < b->constant->text.len ? a->constant->text.len
                                                           : b->constant->text.len;
    return common > 0 && memcmp(a->constant->text.at, b->constant->text.at, common) != 0;
}

/* ---- the walk ---- */

struct sides {
    uint32_t count;
    struct side side[SIDES_MAX];
};

/* (a && b) && c is one chain. */
static void collect(const struct ast *ast, struct sides *sides)
{
    if (ast->kind == AST_AND) {
        for (const struct ast *child = ast->first; child != NULL; child = child->next)
            collect(child, sides);
    } else if (sides->count < SIDES_MAX && side_of(ast, &sides->side[sides->count])) {
        sides->count++;
    }
}

static bool check_chain(const struct ast *ast, struct diagnostics *diag)
{
    struct sides sides = {.count = 0};

    collect(ast, &sides);
    for (uint32_t i = 1; i < sides.count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            const struct side *a = &sides.side[k], *b = &sides.side[i];
            struct span other = a->ast->span;
            if (!is_same_subject(a->subject, b->subject) || !exclude(a, b))
                continue;
            diagnose(diag, b->ast->span, "this can never be true beside %.*s",
                     other.to - other.from < 80 ? (int)(other.to - other.from) : 80,
                     other.script->text + other.from);
            return false;
        }
    }
    return true;
}

/* severity > CRITICAL */
static bool check_severity(const struct ast *ast, struct diagnostics *diag)
{
    struct side side;

    if (!side_of(ast, &side) || side.subject->type != TYPE_SEVERITY)
        return true;
    for (int64_t severity = 0; severity < SEVERITY_COUNT; severity++) {
        struct value value = {.type = TYPE_SEVERITY, .number = severity};
        if (meets(&value, &side))
            return true;
    }
    diagnose(diag, ast->span, "this can never be true: there is no such severity");
    return false;
}

static bool walk(const struct ast *ast, struct diagnostics *diag, bool is_in_chain)
{
    bool is_chain = ast->kind == AST_AND || ast->kind == AST_OR;

    if (ast->is_folded && ast->type == TYPE_BOOL && ast->number == 0) {
        diagnose(diag, ast->span, "this can never be true");
        return false;
    }
    if (ast->kind == AST_AND && !is_in_chain && !check_chain(ast, diag))
        return false;
    if (!check_severity(ast, diag))
        return false;
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        if ((is_chain || ast->kind == AST_NOT) && !walk(child, diag, ast->kind == AST_AND))
            return false;
    return true;
}

bool impossible_check(const struct ast *ast, struct diagnostics *diag)
{
    return walk(ast, diag, false);
}

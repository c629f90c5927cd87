/* types_operator.c - what operators take: comparison, `in`, arithmetic, `?:`. See types_parts.h. */
#include "rules/types_parts.h"

#include "base/severity.h"

#define SEVERITIES_ARE "OK, DEBUG, INFO, WARNING, MINOR, MAJOR, ERROR or CRITICAL"

static bool is_real_aggregate(const struct ast *ast)
{
    return types_is_aggregate(ast) && ast->type == TYPE_DOUBLE;
}

/* A severity beside a text in quotes: most often its name, or nearly so. */
static bool refuse_severity(const struct ast *word, struct scope *scope)
{
    const char *meant = severity_constant_meant(word->text);

    if (meant != NULL && severity_from_word(word->text) != WORD_UNKNOWN)
        diagnose(scope->diag, word->span,
                 "this is text and cannot be compared with a severity; write %s, without quotes",
                 meant);
    else if (meant != NULL)
        diagnose(scope->diag, word->span,
                 "there is no severity \"%.*s\"; did you mean %s, without quotes?",
                 types_shown(word->text), word->text.at, meant);
    else
        diagnose(scope->diag, word->span, "there is no severity \"%.*s\"; it is " SEVERITIES_ARE,
                 types_shown(word->text), word->text.at);
    return false;
}

static bool mismatch(const struct ast *left, const struct ast *right, struct scope *scope)
{
    enum value_type a = left->type, b = right->type;
    bool has_label = left->field == RULE_FIELD_LABEL || right->field == RULE_FIELD_LABEL;
    const char *hint = "";

    if (a == TYPE_SEVERITY && right->kind == AST_LITERAL && b == TYPE_TEXT)
        return refuse_severity(right, scope);
    if (b == TYPE_SEVERITY && left->kind == AST_LITERAL && a == TYPE_TEXT)
        return refuse_severity(left, scope);
    if (a == TYPE_SEVERITY || b == TYPE_SEVERITY)
        hint = "; a severity is " SEVERITIES_ARE;
    else if ((a == TYPE_DURATION && types_is_number(b)) ||
             (b == TYPE_DURATION && types_is_number(a)))
        hint = "; a duration has a unit: 5m";
    else if (has_label && (types_is_number(a) || types_is_number(b)))
        hint = "; labels hold text: write int() or double() around it";
    else if (a == TYPE_TIME || b == TYPE_TIME)
        hint = "; a time is written timestamp(\"2024-05-01T00:00:00Z\")";
    diagnose(scope->diag, right->span, "this is %s and cannot be compared with %s%s",
             value_type_name(b), value_type_name(a), hint);
    return false;
}

/* A whole number beside a real one must be exact as such. */
static bool check_exact(const struct ast *whole, struct scope *scope)
{
    const int64_t limit = (int64_t)1 << 53;

    if (whole->type != TYPE_INT || whole->meaning != MEANS_CONSTANT ||
        (whole->number <= limit && whole->number >= -limit))
        return true;
    diagnose(scope->diag, whole->span,
             "this number is too large to be compared exactly with a real one: it lies between "
             "-2^53 and 2^53");
    return false;
}

static enum relation mirrored(enum relation relation)
{
    switch (relation) {
    case RELATION_LT:
        return RELATION_GT;
    case RELATION_LE:
        return RELATION_GE;
    case RELATION_GT:
        return RELATION_LT;
    case RELATION_GE:
        return RELATION_LE;
    default:
        return relation;
    }
}

/* Counting up to `limit` decides the comparison: more makes no difference. */
static bool note_limit(struct scope *scope, const struct ast *aggregate, enum relation relation,
                       const struct ast *constant)
{
    int64_t *limit = &scope->aggregate[aggregate->number].limit;
    int64_t need = constant->number;
    bool is_between = false; /* two whole numbers */

    if (constant->type == TYPE_DOUBLE) {
        need = constant->real < 9e15 ? (int64_t)constant->real : INT64_MAX;
        is_between = (double)need < constant->real;
    }
    if ((constant->type == TYPE_DOUBLE ? constant->real < 0 : constant->number < 0) &&
        !diagnose_sense(scope->diag, constant->span, "%s is never negative",
                        scope->aggregate[aggregate->number].text))
        return false;
    if ((is_between || (relation != RELATION_GE && relation != RELATION_LT)) && need < INT64_MAX)
        need++;
    *limit = need > *limit ? need : *limit;
    return true;
}

static bool check_aggregates(const struct ast *ast, struct scope *scope)
{
    const struct ast *left = ast->first, *right = ast->last;

    if (scope->kind == SCOPE_CLOSE) {
        if (types_is_aggregate(left) != types_is_aggregate(right))
            return true;
        diagnose(scope->diag, ast->span, "close compares last(x) with a number: last(value) < 70");
        return false;
    }
    if (is_real_aggregate(left) || is_real_aggregate(right))
        return types_loosen(left, scope), types_loosen(right, scope), true;
    if (types_is_aggregate(left) && right->meaning == MEANS_CONSTANT)
        return note_limit(scope, left, ast->relation, right);
    if (types_is_aggregate(right) && left->meaning == MEANS_CONSTANT)
        return note_limit(scope, right, mirrored(ast->relation), left);
    types_loosen(left, scope);
    types_loosen(right, scope);
    return true;
}

bool types_check_compare(struct ast *ast, struct scope *scope)
{
    struct ast *left = ast->first, *right = ast->last;
    bool is_order = ast->relation > RELATION_NE;

    if (!types_check_tree(left, scope) || !types_check_tree(right, scope))
        return false;
    ast->type = TYPE_BOOL;
    if (left->type == TYPE_LIST || right->type == TYPE_LIST) {
        diagnose(scope->diag, left->type == TYPE_LIST ? left->span : right->span,
                 "a list stands on the right of \"in\" only");
        return false;
    }
    if (left->type != right->type && !(types_is_number(left->type) && types_is_number(right->type)))
        return mismatch(left, right, scope);
    if (is_order && left->type == TYPE_BOOL) {
        diagnose(scope->diag, ast->span, "true and false have no order: %s does not apply",
                 relation_sign(ast->relation));
        return false;
    }
    if (left->type != right->type && !(check_exact(left, scope) && check_exact(right, scope)))
        return false;
    return check_aggregates(ast, scope);
}

bool types_check_list(struct ast *ast, struct scope *scope)
{
    ast->type = TYPE_LIST;
    for (struct ast *item = ast->first; item != NULL; item = item->next) {
        if (!types_check_tree(item, scope))
            return false;
        if (item->type == TYPE_BOOL || item->type == TYPE_LIST) {
            diagnose(scope->diag, item->span, "a list holds texts, numbers, severities or times");
            return false;
        }
    }
    return true;
}

/* "rack" in labels */
static bool check_in_labels(struct ast *name, struct scope *scope)
{
    if (name->type == TYPE_TEXT)
        return true;
    diagnose(scope->diag, name->span, "a label's name is text, and this is %s",
             value_type_name(name->type));
    return false;
}

/* A set is of texts, and of numbers where all its texts are. */
static bool check_in_set(const struct ast *left, const struct ast *list, struct scope *scope)
{
    const struct named_set *set = list->named_set;

    if (left->type == TYPE_TEXT || (types_is_number(left->type) && set->is_numbers))
        return true;
    if (types_is_number(left->type))
        diagnose(scope->diag, list->span, "not all of the set %.*s are numbers",
                 types_shown(set->name), set->name.at);
    else
        diagnose(scope->diag, left->span, "a set holds texts or numbers, and this is %s",
                 value_type_name(left->type));
    return false;
}

bool types_check_in(struct ast *ast, struct scope *scope)
{
    struct ast *left = ast->first, *list = ast->last;
    bool is_good;

    ast->type = TYPE_BOOL;
    if (!types_check_tree(left, scope))
        return false;
    types_loosen(left, scope);
    if (types_resolve_labels(list))
        return check_in_labels(left, scope);
    scope->is_behind_in = list->kind == AST_NAME;
    is_good = types_check_tree(list, scope);
    scope->is_behind_in = false;
    if (!is_good)
        return false;
    if (list->meaning == MEANS_TABLE) {
        if (left->type == TYPE_TEXT)
            return true;
        diagnose(scope->diag, left->span, "the key of a row is text, and this is %s",
                 value_type_name(left->type));
        return false;
    }
    if (list->meaning == MEANS_SET)
        return check_in_set(left, list, scope);
    if (list->kind != AST_LIST) {
        diagnose(scope->diag, list->span,
                 "a list in brackets follows \"in\", for example [\"a\", \"b\"]");
        return false;
    }
    if (left->type == TYPE_BOOL || left->type == TYPE_LIST) {
        diagnose(scope->diag, left->span, "\"in\" does not apply to this; compare it instead");
        return false;
    }
    if (list->count == 0) {
        diagnose(scope->diag, list->span, "nothing is in an empty list");
        return false;
    }
    for (struct ast *item = list->first; item != NULL; item = item->next) {
        if (item->type != left->type &&
            !(types_is_number(item->type) && types_is_number(left->type)))
            return mismatch(left, item, scope);
        if (item->type != left->type && !(check_exact(left, scope) && check_exact(item, scope)))
            return false;
    }
    return true;
}

/* ---- what computes ---- */

static const char *arithmetic_hint(const struct ast *left, const struct ast *right)
{
    bool has_text = left->type == TYPE_TEXT || right->type == TYPE_TEXT;
    bool has_number = types_is_number(left->type) || types_is_number(right->type);

    if (has_text && has_number)
        return "; text is made a number by int() or double(), a number text by string()";
    if (has_text)
        return "; other things are made text by string()";
    if (has_number && (left->type == TYPE_DURATION || right->type == TYPE_DURATION))
        return "; a duration has a unit: 5m";
    return "";
}

bool types_check_arithmetic(struct ast *ast, struct scope *scope)
{
    struct ast *left = ast->first, *right = ast->last;
    const char *sign = arithmetic_sign(ast->arithmetic);

    if (!types_check_tree(left, scope) || !types_check_tree(right, scope))
        return false;
    types_loosen(left, scope);
    types_loosen(right, scope);
    if (!arithmetic_type(ast->arithmetic, left->type, right->type, &ast->type)) {
        if (left->type == right->type)
            diagnose(scope->diag, ast->span, "%s does not apply to %s", sign,
                     left->type == TYPE_DOUBLE ? "real numbers" : value_type_name(left->type));
        else
            diagnose(scope->diag, ast->span, "%s does not go between %s and %s%s", sign,
                     value_type_name(left->type), value_type_name(right->type),
                     arithmetic_hint(left, right));
        return false;
    }
    if ((ast->arithmetic == ARITHMETIC_DIVIDE || ast->arithmetic == ARITHMETIC_REMAINDER) &&
        right->meaning == MEANS_CONSTANT &&
        (right->type == TYPE_DOUBLE ? right->real == 0 : right->number == 0)) {
        diagnose(scope->diag, right->span, "this cannot be computed: division by zero");
        return false;
    }
    return true;
}

bool types_check_negate(struct ast *ast, struct scope *scope)
{
    struct ast *of = ast->first;

    if (!types_check_tree(of, scope))
        return false;
    types_loosen(of, scope);
    ast->type = of->type;
    if (types_is_number(of->type) || of->type == TYPE_DURATION)
        return true;
    diagnose(scope->diag, of->span, "- needs a number or a duration, and this is %s",
             value_type_name(of->type));
    return false;
}

bool types_check_choose(struct ast *ast, struct scope *scope)
{
    struct ast *condition = ast->first, *first = condition->next, *second = ast->last;

    if (!types_check_truth(condition, scope, "? needs") || !types_check_tree(first, scope) ||
        !types_check_tree(second, scope))
        return false;
    types_loosen(first, scope);
    types_loosen(second, scope);
    ast->type = first->type == TYPE_INT ? second->type : first->type;
    if ((first->type == second->type ||
         (types_is_number(first->type) && types_is_number(second->type))) &&
        first->type <= TYPE_SEVERITY)
        return true;
    diagnose(scope->diag, second->span, "both sides of : are of one type; this is %s, the other %s",
             value_type_name(second->type), value_type_name(first->type));
    return false;
}

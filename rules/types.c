/* types.c - see types.h. */
#include "rules/types.h"

#include <string.h>
#include "rules/lexer.h"
#include "rules/nearest.h"
#include "rules/printer.h"
#include "rules/timestamp.h"

static bool check(struct ast *ast, struct scope *scope);

/* A name cut for a message. */
static int shown(struct text text)
{
    return text.len < 60 ? (int)text.len : 60;
}

/* ---- fields, labels and constants ---- */

static bool is_labels(const struct ast *ast)
{
    return ast->kind == AST_NAME && text_equals(ast->text, "labels");
}

static void unknown_name(const struct ast *ast, struct diagnostics *diag, bool with_constants)
{
    const char *names[FIELD_NAMES_MAX];
    size_t count = field_names(names, with_constants);
    const char *nearest = nearest_name(ast->text, names, count);

    if (nearest != NULL)
        diagnose(diag, ast->span, "there is no field \"%.*s\"; did you mean \"%s\"?",
                 shown(ast->text), ast->text.at, nearest);
    else
        diagnose(diag, ast->span,
                 "there is no field \"%.*s\"; a label is written labels.NAME, a text in quotes",
                 shown(ast->text), ast->text.at);
}

static bool check_label(struct ast *ast, struct diagnostics *diag)
{
    if (!is_labels(ast->first)) {
        diagnose(diag, ast->span, "only labels have members: labels.NAME or labels[\"NAME\"]");
        return false;
    }
    if (ast->text.len == 0) {
        diagnose(diag, ast->span, "a label has a name");
        return false;
    }
    ast->meaning = MEANS_FIELD;
    ast->field = RULE_FIELD_LABEL;
    ast->type = TYPE_TEXT;
    return true;
}

/* A field or label; false without a word when the tree is something else. */
static bool resolve_field(struct ast *ast)
{
    if (ast->kind != AST_NAME)
        return false;
    ast->field = field_find(ast->text);
    if (ast->field == RULE_FIELD_COUNT)
        return false;
    ast->meaning = MEANS_FIELD;
    ast->type = field_row(ast->field)->type;
    return true;
}

static bool check_name(struct ast *ast, struct diagnostics *diag)
{
    enum severity severity;

    if (resolve_field(ast))
        return true;
    severity = severity_constant_find(ast->text);
    if (severity != SEVERITY_COUNT) {
        ast->meaning = MEANS_CONSTANT;
        ast->type = TYPE_SEVERITY;
        ast->number = severity;
        return true;
    }
    if (is_labels(ast))
        diagnose(diag, ast->span, "labels needs a name: labels.NAME or labels[\"NAME\"]");
    else
        unknown_name(ast, diag, true);
    return false;
}

static unsigned field_flags(enum rule_field field)
{
    return field == RULE_FIELD_LABEL
               ? FIELD_MAY_LACK | FIELD_IN_BY | FIELD_IN_DISTINCT | FIELD_IN_TITLE
               : field_row(field)->flags;
}

bool types_check_field(struct ast *ast, unsigned flags, const char *role, struct diagnostics *diag)
{
    if (ast->kind == AST_MEMBER) {
        if (!check_label(ast, diag))
            return false;
    } else if (ast->kind != AST_NAME) {
        diagnose(diag, ast->span, "%s takes a field or a label here", role);
        return false;
    } else if (!resolve_field(ast)) {
        if (is_labels(ast))
            diagnose(diag, ast->span, "labels needs a name: labels.NAME or labels[\"NAME\"]");
        else
            unknown_name(ast, diag, false);
        return false;
    }
    if ((field_flags(ast->field) & flags) != flags) {
        diagnose(diag, ast->span, "%s cannot take %s", role, field_row(ast->field)->name);
        return false;
    }
    return true;
}

/* ---- functions ---- */

static bool check_count(const struct ast *ast, struct scope *scope, uint32_t want)
{
    if (ast->count == want)
        return true;
    diagnose(scope->diag, ast->span, "%.*s() takes %s", shown(ast->text), ast->text.at,
             want == 0 ? "nothing between its parentheses" : "exactly one thing");
    return false;
}

static bool check_has(struct ast *ast, struct scope *scope)
{
    ast->meaning = MEANS_HAS;
    ast->type = TYPE_BOOL;
    return check_count(ast, scope, 1) &&
           types_check_field(ast->first, FIELD_MAY_LACK, "has()", scope->diag);
}

/* duration("10m") and timestamp("2024-05-01T00:00:00Z"): constants, as CEL writes them. */
static bool check_text_constant(struct ast *ast, struct scope *scope, enum value_type type)
{
    const char *why;

    if (!check_count(ast, scope, 1))
        return false;
    if (ast->first->kind != AST_LITERAL || ast->first->type != TYPE_TEXT) {
        diagnose(scope->diag, ast->first->span, "%.*s() takes a text in quotes", shown(ast->text),
                 ast->text.at);
        return false;
    }
    why = type == TYPE_DURATION ? duration_parse(ast->first->text, &ast->number)
                                : timestamp_parse(ast->first->text, &ast->number);
    if (why != NULL) {
        diagnose(scope->diag, ast->first->span, "%s", why);
        return false;
    }
    ast->meaning = MEANS_CONSTANT;
    ast->type = type;
    return true;
}

static bool check_duration(struct ast *ast, struct scope *scope)
{
    return check_text_constant(ast, scope, TYPE_DURATION);
}

static bool check_timestamp(struct ast *ast, struct scope *scope)
{
    return check_text_constant(ast, scope, TYPE_TIME);
}

static bool check_method(struct ast *ast, struct scope *scope)
{
    struct ast *sides[2] = {ast->receiver, ast->first};

    if (!check_count(ast, scope, 1))
        return false;
    for (int i = 0; i < 2; i++) {
        if (!check(sides[i], scope))
            return false;
        if (sides[i]->type != TYPE_TEXT) {
            diagnose(scope->diag, sides[i]->span, "%.*s() works on text, and this is %s",
                     shown(ast->text), ast->text.at, value_type_name(sides[i]->type));
            return false;
        }
    }
    ast->meaning = text_equals(ast->text, "startsWith") ? MEANS_STARTS_WITH
                   : text_equals(ast->text, "endsWith") ? MEANS_ENDS_WITH
                                                        : MEANS_CONTAINS;
    ast->type = TYPE_BOOL;
    return true;
}

static bool aggregate_add(struct ast *ast, struct scope *scope, enum aggregate_kind kind)
{
    const char *text = ast_print(ast, scope->arena);
    uint32_t i = 0;

    if (text == NULL) {
        diagnose_memory(scope->diag);
        return false;
    }
    while (i < scope->aggregate_count && strcmp(scope->aggregate[i].text, text) != 0)
        i++;
    if (i == RULE_AGGREGATES_MAX) {
        diagnose(scope->diag, ast->span, "a rule has at most %d different aggregates",
                 RULE_AGGREGATES_MAX);
        return false;
    }
    if (i == scope->aggregate_count)
        scope->aggregate[scope->aggregate_count++] = (struct aggregate){
            .kind = kind, .argument = ast->first, .span = ast->span, .text = text};
    ast->meaning = MEANS_AGGREGATE;
    ast->type = TYPE_INT;
    ast->number = i;
    return true;
}

static bool check_count_call(struct ast *ast, struct scope *scope)
{
    return check_count(ast, scope, 0) && aggregate_add(ast, scope, AGGREGATE_COUNT);
}

static bool check_distinct(struct ast *ast, struct scope *scope)
{
    if (!check_count(ast, scope, 1) ||
        !types_check_field(ast->first, FIELD_IN_DISTINCT, "distinct()", scope->diag))
        return false;
    /* labels["rack"] and labels.rack are one aggregate. */
    return aggregate_add(ast, scope, AGGREGATE_DISTINCT);
}

static bool quiet_add(struct ast *ast, struct scope *scope, int64_t ms)
{
    uint32_t i = 0, end = scope->quiet_count;

    while (i < end && scope->quiet_ms[i] < ms)
        i++;
    ast->number = ms;
    if (i < end && scope->quiet_ms[i] == ms)
        return true;
    if (end == RULE_QUIET_MAX) {
        diagnose(scope->diag, ast->span, "close has at most %d different quiet times",
                 RULE_QUIET_MAX);
        return false;
    }
    memmove(&scope->quiet_ms[i + 1], &scope->quiet_ms[i], (end - i) * sizeof(scope->quiet_ms[0]));
    scope->quiet_ms[i] = ms;
    scope->quiet_count++;
    return true;
}

static bool check_quiet(struct ast *ast, struct scope *scope)
{
    if (!check_count(ast, scope, 1) || !check(ast->first, scope))
        return false;
    if (ast->first->type != TYPE_DURATION) {
        diagnose(scope->diag, ast->first->span, "quiet() takes a duration, for example quiet(15m)");
        return false;
    }
    if (ast->first->number <= 0 || ast->first->number > RULE_DURATION_MS_MAX) {
        diagnose(scope->diag, ast->first->span, "a quiet time lies between 1ms and 30d");
        return false;
    }
    ast->meaning = MEANS_QUIET;
    ast->type = TYPE_BOOL;
    return quiet_add(ast, scope, ast->first->number);
}

static bool check_cleared(struct ast *ast, struct scope *scope)
{
    ast->meaning = MEANS_CLEARED;
    ast->type = TYPE_BOOL;
    return check_count(ast, scope, 0);
}

static const struct function {
    const char *name;
    bool is_method;
    unsigned scopes; /* bit per enum scope_kind */
    bool (*check)(struct ast *, struct scope *);
} functions[] = {
    {"has", false, 1 << SCOPE_WHERE, check_has},
    {"duration", false, 1 << SCOPE_WHERE | 1 << SCOPE_CLOSE, check_duration},
    {"timestamp", false, 1 << SCOPE_WHERE, check_timestamp},
    {"startsWith", true, 1 << SCOPE_WHERE, check_method},
    {"endsWith", true, 1 << SCOPE_WHERE, check_method},
    {"contains", true, 1 << SCOPE_WHERE, check_method},
    {"count", false, 1 << SCOPE_WHEN, check_count_call},
    {"distinct", false, 1 << SCOPE_WHEN, check_distinct},
    {"quiet", false, 1 << SCOPE_CLOSE, check_quiet},
    {"cleared", false, 1 << SCOPE_CLOSE, check_cleared},
};

enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

static const char *const scope_names[] = {"where", "when", "close"};

static bool unknown_function(const struct ast *ast, struct scope *scope)
{
    const char *names[FUNCTIONS], *nearest;
    size_t count = 0;

    for (size_t i = 0; i < FUNCTIONS; i++)
        if (functions[i].scopes & 1u << scope->kind)
            names[count++] = functions[i].name;
    nearest = nearest_name(ast->text, names, count);
    if (nearest != NULL)
        diagnose(scope->diag, ast->span, "there is no function \"%.*s\"; did you mean \"%s\"?",
                 shown(ast->text), ast->text.at, nearest);
    else
        diagnose(scope->diag, ast->span, "there is no function \"%.*s\"", shown(ast->text),
                 ast->text.at);
    return false;
}

static bool check_call(struct ast *ast, struct scope *scope)
{
    const struct function *function = functions;

    while (function < functions + FUNCTIONS && !text_equals(ast->text, function->name))
        function++;
    if (function == functions + FUNCTIONS)
        return unknown_function(ast, scope);
    if (!(function->scopes & 1u << scope->kind)) {
        const char *home = scope_names[function->scopes & 1u << SCOPE_WHERE  ? SCOPE_WHERE
                                       : function->scopes & 1u << SCOPE_WHEN ? SCOPE_WHEN
                                                                             : SCOPE_CLOSE];
        diagnose(scope->diag, ast->span, "%s() belongs into %s, not into %s", function->name, home,
                 scope_names[scope->kind]);
        return false;
    }
    if (function->is_method != (ast->receiver != NULL)) {
        if (function->is_method)
            diagnose(scope->diag, ast->span, "%s() follows a text: field.%s(\"...\")",
                     function->name, function->name);
        else
            diagnose(scope->diag, ast->span, "%s() stands alone, without anything before it",
                     function->name);
        return false;
    }
    return function->check(ast, scope);
}

/* ---- operators ---- */

static bool is_number(enum value_type type)
{
    return type == TYPE_INT || type == TYPE_DOUBLE;
}

static bool mismatch(const struct ast *left, const struct ast *right, struct scope *scope)
{
    enum value_type a = left->type, b = right->type;
    bool has_label = left->field == RULE_FIELD_LABEL || right->field == RULE_FIELD_LABEL;
    const char *hint = "";

    if (a == TYPE_SEVERITY || b == TYPE_SEVERITY)
        hint = "; a severity is OK, DEBUG, INFO, WARNING, MINOR, MAJOR, ERROR or CRITICAL";
    else if ((a == TYPE_DURATION && is_number(b)) || (b == TYPE_DURATION && is_number(a)))
        hint = "; a duration has a unit: 5m";
    else if (has_label && (is_number(a) || is_number(b)))
        hint = "; labels hold text: put the number in quotes";
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

    if (whole->type != TYPE_INT || (whole->number <= limit && whole->number >= -limit))
        return true;
    diagnose(scope->diag, whole->span, "this number is too large to be compared exactly");
    return false;
}

static bool is_aggregate(const struct ast *ast)
{
    return ast->meaning == MEANS_AGGREGATE;
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

    if (constant->number < 0) {
        diagnose(scope->diag, constant->span, "%s is never negative",
                 scope->aggregate[aggregate->number].text);
        return false;
    }
    if (relation != RELATION_GE && relation != RELATION_LT && need < INT64_MAX)
        need++;
    *limit = need > *limit ? need : *limit;
    return true;
}

static bool check_aggregates(const struct ast *ast, struct scope *scope)
{
    const struct ast *left = ast->first, *right = ast->last;

    if (is_aggregate(left) && is_aggregate(right)) {
        scope->aggregate[left->number].limit = INT64_MAX;
        scope->aggregate[right->number].limit = INT64_MAX;
        return true;
    }
    if (is_aggregate(left))
        return note_limit(scope, left, ast->relation, right);
    if (is_aggregate(right))
        return note_limit(scope, right, mirrored(ast->relation), left);
    return true;
}

/* `state` is compared with one of its two words; `where` sees problems only. */
static bool check_state(const struct ast *field, const struct ast *word, struct scope *scope)
{
    if (field->meaning != MEANS_FIELD || field->field != RULE_FIELD_STATE ||
        word->kind != AST_LITERAL || text_equals(word->text, "problem"))
        return true;
    diagnose(scope->diag, word->span, "where sees problems only: state is always \"problem\"");
    return false;
}

static bool check_compare(struct ast *ast, struct scope *scope)
{
    struct ast *left = ast->first, *right = ast->last;
    bool is_order = ast->relation > RELATION_NE;

    if (!check(left, scope) || !check(right, scope))
        return false;
    ast->type = TYPE_BOOL;
    if (left->type == TYPE_LIST || right->type == TYPE_LIST) {
        diagnose(scope->diag, left->type == TYPE_LIST ? left->span : right->span,
                 "a list stands on the right of \"in\" only");
        return false;
    }
    if (left->type != right->type && !(is_number(left->type) && is_number(right->type)))
        return mismatch(left, right, scope);
    if (is_order && left->type == TYPE_BOOL) {
        diagnose(scope->diag, ast->span, "true and false have no order: %s does not apply",
                 relation_sign(ast->relation));
        return false;
    }
    if (left->type != right->type && !(check_exact(left, scope) && check_exact(right, scope)))
        return false;
    return check_state(left, right, scope) && check_state(right, left, scope) &&
           check_aggregates(ast, scope);
}

static bool check_list(struct ast *ast, struct scope *scope)
{
    ast->type = TYPE_LIST;
    for (struct ast *item = ast->first; item != NULL; item = item->next) {
        if (!check(item, scope))
            return false;
        if ((item->kind != AST_LITERAL && item->meaning != MEANS_CONSTANT) ||
            item->type == TYPE_BOOL) {
            diagnose(scope->diag, item->span, "a list holds constants: texts, numbers, severities");
            return false;
        }
    }
    return true;
}

static bool check_in(struct ast *ast, struct scope *scope)
{
    struct ast *left = ast->first, *list = ast->last;

    if (!check(left, scope) || !check(list, scope))
        return false;
    ast->type = TYPE_BOOL;
    if (list->kind != AST_LIST) {
        diagnose(scope->diag, list->span,
                 "a list in brackets follows \"in\", for example [\"a\", \"b\"]");
        return false;
    }
    if (left->type == TYPE_BOOL || left->type == TYPE_LIST || is_aggregate(left)) {
        diagnose(scope->diag, left->span, "\"in\" does not apply to this; compare it instead");
        return false;
    }
    if (list->count == 0) {
        diagnose(scope->diag, list->span, "nothing is in an empty list");
        return false;
    }
    for (struct ast *item = list->first; item != NULL; item = item->next) {
        if (item->type != left->type && !(is_number(item->type) && is_number(left->type)))
            return mismatch(left, item, scope);
        if (item->type != left->type && !(check_exact(left, scope) && check_exact(item, scope)))
            return false;
        if (!check_state(left, item, scope))
            return false;
    }
    return true;
}

static bool check_truth(struct ast *ast, struct scope *scope, const char *role)
{
    if (!check(ast, scope))
        return false;
    if (ast->type == TYPE_BOOL)
        return true;
    diagnose(scope->diag, ast->span, "%s true or false, and this is %s", role,
             value_type_name(ast->type));
    return false;
}

static bool check_connective(struct ast *ast, struct scope *scope)
{
    const char *role = ast->kind == AST_NOT   ? "! needs"
                       : ast->kind == AST_AND ? "&& needs"
                                              : "|| needs";

    ast->type = TYPE_BOOL;
    if (ast->kind == AST_NOT && scope->kind == SCOPE_CLOSE) {
        diagnose(scope->diag, ast->span, "close joins quiet() and cleared() with && and || only");
        return false;
    }
    for (struct ast *child = ast->first; child != NULL; child = child->next)
        if (!check_truth(child, scope, role))
            return false;
    return true;
}

/* ---- scopes ---- */

static bool check_literal(struct ast *ast, struct scope *scope)
{
    bool is_allowed = scope->kind == SCOPE_WHERE ||
                      (scope->kind == SCOPE_WHEN && ast->type == TYPE_INT) ||
                      (scope->kind == SCOPE_CLOSE && ast->type == TYPE_DURATION);

    ast->meaning = MEANS_CONSTANT;
    if (is_allowed)
        return true;
    diagnose(scope->diag, ast->span, "%s",
             scope->kind == SCOPE_WHEN
                 ? "when compares count() and distinct(field) with whole numbers"
                 : "close is made of quiet(duration) and cleared()");
    return false;
}

static bool check(struct ast *ast, struct scope *scope)
{
    /* Outside `where` there is no event to take a field of. */
    if (scope->kind != SCOPE_WHERE &&
        (ast->kind == AST_NAME || ast->kind == AST_MEMBER || ast->kind == AST_LIST ||
         ast->kind == AST_IN || (scope->kind == SCOPE_CLOSE && ast->kind == AST_COMPARE))) {
        diagnose(
            scope->diag, ast->span, "%s",
            scope->kind == SCOPE_WHEN
                ? "when looks at a window, not at one event: compare count() or distinct(field)"
                : "close is made of quiet(duration) and cleared()");
        return false;
    }
    switch (ast->kind) {
    case AST_LITERAL:
        return check_literal(ast, scope);
    case AST_NAME:
        return check_name(ast, scope->diag);
    case AST_MEMBER:
        return check_label(ast, scope->diag);
    case AST_CALL:
        return check_call(ast, scope);
    case AST_LIST:
        return check_list(ast, scope);
    case AST_COMPARE:
        return check_compare(ast, scope);
    case AST_IN:
        return check_in(ast, scope);
    default:
        return check_connective(ast, scope);
    }
}

bool types_check(struct ast *ast, struct scope *scope)
{
    static const char *const roles[] = {"where is", "when is", "close is"};

    return check_truth(ast, scope, roles[scope->kind]);
}

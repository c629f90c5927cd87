/* types_window.c - the functions of a window and of `close`: aggregates, quiet(), fewer(),
 * cleared(). See types_parts.h. */
#include "base/text.h"
#include "rules/types_parts.h"

#include <assert.h>
#include <string.h>
#include "rules/printer.h"

void types_loosen(const struct ast *ast, struct scope *scope)
{
    if (types_is_aggregate(ast))
        scope->aggregate[ast->number].limit = INT64_MAX;
}

/* The span's bytes in the file; none where YAML says something else by them. */
static struct text plain_source(struct span span)
{
    struct text text = {span.script->text + span.from, span.to - span.from};

    for (uint32_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < ' ' || text.at[i] == '\\')
            return (struct text){NULL, 0};
    return text;
}

/* Says it as it is written: the canonical `text` has the bits of real numbers. */
static void title_refuse(const struct ast *ast, const char *text, struct scope *scope)
{
    struct text written = plain_source(ast->span);

    if (written.len == 0)
        written = text_of(text);
    diagnose(scope->diag, ast->span, "when does not compute %.*s, so a title cannot show it",
             written.len < 80 ? (int)written.len : 80, written.at);
}

/* The aggregate that `when` names so; RULE_AGGREGATES_MAX, diagnosed, where there is none and it
 * cannot be one more. */
static uint32_t aggregate_find(const struct ast *ast, const char *text, struct scope *scope)
{
    uint32_t i = 0;

    if (text == NULL) {
        diagnose_memory(scope->diag);
        return RULE_AGGREGATES_MAX;
    }
    while (i < scope->aggregate_count && strcmp(scope->aggregate[i].text, text) != 0)
        i++;
    if (i < scope->aggregate_count)
        return i;
    if (scope->kind == SCOPE_TITLE)
        title_refuse(ast, text, scope);
    else if (i == RULE_AGGREGATES_MAX)
        diagnose(scope->diag, ast->span, "a rule has at most %d different aggregates",
                 RULE_AGGREGATES_MAX);
    else
        return i;
    return RULE_AGGREGATES_MAX;
}

/* `text` is the canonical form. */
static bool aggregate_add(struct ast *ast, struct scope *scope, const char *text,
                          struct aggregate aggregate)
{
    uint32_t i = aggregate_find(ast, text, scope);

    if (i == RULE_AGGREGATES_MAX)
        return false;
    aggregate.span = ast->span;
    if (aggregate_is_real(aggregate.kind))
        aggregate.shown = plain_source(ast->span);
    aggregate.text = text;
    if (i == scope->aggregate_count)
        scope->aggregate[scope->aggregate_count++] = aggregate;
    scope->aggregate[i].is_named |= !scope->in_deviation;
    ast->meaning = MEANS_AGGREGATE;
    ast->type = aggregate_is_real(aggregate.kind) ? TYPE_DOUBLE : TYPE_INT;
    ast->number = i;
    return true;
}

bool types_check_count_call(struct ast *ast, struct scope *scope)
{
    return types_check_count(ast, scope, 0) &&
           aggregate_add(ast, scope, ast_print(ast, scope->arena),
                         (struct aggregate){.kind = AGGREGATE_COUNT});
}

bool types_check_distinct(struct ast *ast, struct scope *scope)
{
    if (!types_check_count(ast, scope, 1) ||
        !types_check_field(ast->first, FIELD_IN_DISTINCT, "distinct()", scope->diag) ||
        !types_check_has_field(ast->first, scope))
        return false;
    /* labels["rack"] and labels.rack are one aggregate. */
    return aggregate_add(ast, scope, ast_print(ast, scope->arena),
                         (struct aggregate){.kind = AGGREGATE_DISTINCT, .argument = ast->first});
}

/* The argument as a real number of an event; NULL, diagnosed, when it is none. */
static const struct ast *number_of_event(struct ast *ast, struct scope *scope)
{
    struct scope where = *scope;
    struct ast *number = arena_alloc(scope->arena, 2 * sizeof(*number)), *convert = number + 1;

    if (number == NULL) {
        diagnose_memory(scope->diag);
        return NULL;
    }
    where.kind = SCOPE_WHERE;
    if (!types_check_tree(ast, &where))
        return NULL;
    if (!types_is_number(ast->type) && ast->type != TYPE_TEXT) {
        diagnose(scope->diag, ast->span,
                 "this aggregate takes a number, or a label that holds one, and this is %s",
                 value_type_name(ast->type));
        return NULL;
    }
    if (ast->meaning == MEANS_FIELD && ast->field != RULE_FIELD_LABEL && ast->type == TYPE_TEXT) {
        diagnose(scope->diag, ast->span,
                 "this aggregate takes a number, or a label that holds one, and %.*s is text; what "
                 "computes a number of it may be named: double(%.*s)",
                 (int)ast->text.len, ast->text.at, (int)ast->text.len, ast->text.at);
        return NULL;
    }
    *number = *ast; /* without its neighbour */
    number->next = NULL;
    *convert = (struct ast){.kind = AST_CALL,
                            .text = {"double", 6},
                            .meaning = MEANS_CONVERT,
                            .type = TYPE_DOUBLE,
                            .span = ast->span,
                            .first = number,
                            .last = number,
                            .count = 1};
    return ast->type == TYPE_DOUBLE ? number : convert;
}

static bool check_share(const struct ast *ast, struct scope *scope, double *share)
{
    *share = ast->type == TYPE_INT ? (double)ast->number : ast->real;
    if (ast->kind == AST_LITERAL && types_is_number(ast->type) && *share >= 0 && *share <= 1)
        return true;
    diagnose(scope->diag, ast->span, "a quantile is a number from 0 to 1: quantile(value, 0.95)");
    return false;
}

static const struct {
    const char *name;
    enum aggregate_kind kind;
} number_aggregates[] = {
    {"sum", AGGREGATE_SUM},     {"avg", AGGREGATE_AVG},   {"min", AGGREGATE_MIN},
    {"max", AGGREGATE_MAX},     {"rate", AGGREGATE_RATE}, {"stddev", AGGREGATE_STDDEV},
    {"first", AGGREGATE_FIRST}, {"last", AGGREGATE_LAST}, {"quantile", AGGREGATE_QUANTILE},
};

/* last(value) in close: of what came in last. */
static bool check_close_last(struct ast *ast, struct scope *scope)
{
    const char *text = ast_print(ast, scope->arena);
    uint32_t i = 0;

    if (text == NULL)
        return diagnose_memory(scope->diag) != NULL;
    if (!types_check_count(ast, scope, 1))
        return false;
    while (i < scope->last_count && strcmp(scope->last[i].text, text) != 0)
        i++;
    if (i == RULE_LAST_MAX) {
        diagnose(scope->diag, ast->span, "close has at most %d different last()", RULE_LAST_MAX);
        return false;
    }
    if (i == scope->last_count) {
        const struct ast *number = number_of_event(ast->first, scope);
        if (number == NULL)
            return false;
        scope->last[scope->last_count++] = (struct aggregate){
            .kind = AGGREGATE_LAST, .argument = number, .span = ast->span, .text = text};
    }
    ast->meaning = MEANS_AGGREGATE;
    ast->type = TYPE_DOUBLE;
    ast->number = i;
    return true;
}

/* sum(value), quantile(double(labels.ms), 0.95) */
bool types_check_number_aggregate(struct ast *ast, struct scope *scope)
{
    const char *text = ast_print(ast, scope->arena); /* before labels become numbers */
    struct aggregate aggregate = {.kind = AGGREGATE_COUNT};

    if (scope->kind == SCOPE_CLOSE)
        return check_close_last(ast, scope);
    for (size_t i = 0; i < sizeof(number_aggregates) / sizeof(number_aggregates[0]); i++)
        if (text_equals(ast->text, number_aggregates[i].name))
            aggregate.kind = number_aggregates[i].kind;
    if (aggregate.kind == AGGREGATE_QUANTILE && ast->count != 2) {
        diagnose(scope->diag, ast->span, "quantile() takes two things: quantile(value, 0.95)");
        return false;
    }
    if (aggregate.kind != AGGREGATE_QUANTILE && !types_check_count(ast, scope, 1))
        return false;
    if (scope->kind != SCOPE_TITLE) {
        aggregate.argument = number_of_event(ast->first, scope);
        if (aggregate.argument == NULL ||
            (ast->count == 2 && !check_share(ast->last, scope, &aggregate.share)))
            return false;
    }
    return aggregate_add(ast, scope, text, aggregate);
}

/* deviation(count()): how far another aggregate is from what the key usually shows. */
bool types_check_deviation(struct ast *ast, struct scope *scope)
{
    const char *text = ast_print(ast, scope->arena); /* before labels become numbers */
    struct aggregate aggregate = {.kind = AGGREGATE_DEVIATION};
    bool is_inside = scope->in_deviation;

    if (scope->kind == SCOPE_WHEN && !scope->has_baseline) {
        diagnose(scope->diag, ast->span,
                 "deviation() needs a baseline to deviate from: baseline: {season: 7d}");
        return false;
    }
    if (!types_check_count(ast, scope, 1))
        return false;
    scope->in_deviation = true;
    bool is_good = types_check_tree(ast->first, scope);
    scope->in_deviation = is_inside;
    if (!is_good)
        return false;
    if (is_inside || !types_is_aggregate(ast->first)) {
        diagnose(scope->diag, is_inside ? ast->span : ast->first->span,
                 "deviation() takes another aggregate: deviation(count())");
        return false;
    }
    aggregate.of = (uint32_t)ast->first->number;
    return aggregate_add(ast, scope, text, aggregate);
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

bool types_check_quiet(struct ast *ast, struct scope *scope)
{
    if (!types_check_count(ast, scope, 1) || !types_check_tree(ast->first, scope))
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

/* fewer(3, 10m) */
bool types_check_fewer(struct ast *ast, struct scope *scope)
{
    enum { TOUCHES_MAX = 1000 };
    const struct ast *touches = ast->first, *stretch = ast->last;

    if (ast->count != 2) {
        diagnose(scope->diag, ast->span, "fewer() takes a number and a duration: fewer(3, 10m)");
        return false;
    }
    for (struct ast *side = ast->first; side != NULL; side = side->next)
        if (!types_check_tree(side, scope))
            return false;
    assert(touches != NULL && stretch != NULL);
    if (touches->kind != AST_LITERAL || touches->type != TYPE_INT || touches->number < 1 ||
        touches->number > TOUCHES_MAX) {
        diagnose(scope->diag, touches->span, "fewer() takes a whole number from 1 to %d first",
                 TOUCHES_MAX);
        return false;
    }
    if (stretch->type != TYPE_DURATION || stretch->number <= 0 ||
        stretch->number > RULE_DURATION_MS_MAX) {
        diagnose(scope->diag, stretch->span, "fewer() takes a duration from 1ms to 30d second");
        return false;
    }
    if (scope->fewer_count == RULE_FEWER_MAX) {
        diagnose(scope->diag, ast->span, "close has at most %d fewer()", RULE_FEWER_MAX);
        return false;
    }
    ast->meaning = MEANS_FEWER;
    ast->type = TYPE_BOOL;
    ast->number = scope->fewer_count;
    scope->fewer[scope->fewer_count++] =
        (struct rule_fewer){(uint32_t)touches->number, stretch->number};
    return true;
}

bool types_check_cleared(struct ast *ast, struct scope *scope)
{
    ast->meaning = MEANS_CLEARED;
    ast->type = TYPE_BOOL;
    return types_check_count(ast, scope, 0);
}

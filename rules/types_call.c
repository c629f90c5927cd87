/* types_call.c - calls: which function may stand where, and those of an event. See types_parts.h.
 */
#include "rules/types_parts.h"

#include <string.h>
#include "rules/lexer.h"
#include "rules/nearest.h"
#include "rules/printer.h"
#include "rules/timestamp.h"

bool types_check_count(const struct ast *ast, struct scope *scope, uint32_t want)
{
    if (ast->count == want)
        return true;
    diagnose(scope->diag, ast->span, "%.*s() takes %s", types_shown(ast->text), ast->text.at,
             want == 0 ? "nothing between its parentheses" : "exactly one thing");
    return false;
}

static bool check_has(struct ast *ast, struct scope *scope)
{
    ast->meaning = MEANS_HAS;
    ast->type = TYPE_BOOL;
    if (!types_check_count(ast, scope, 1))
        return false;
    if (ast->first->kind == AST_MEMBER && !types_is_labels(ast->first->first))
        return types_check_cell(ast->first, scope);
    return types_check_field(ast->first, FIELD_MAY_LACK, "has()", scope->diag);
}

/* int(), double(), string(), duration(), timestamp(), severity(). A text in quotes that is no time
 * is told as such where it stands. */
static bool check_convert(struct ast *ast, struct scope *scope)
{
    enum value_type to = text_equals(ast->text, "int")        ? TYPE_INT
                         : text_equals(ast->text, "double")   ? TYPE_DOUBLE
                         : text_equals(ast->text, "string")   ? TYPE_TEXT
                         : text_equals(ast->text, "duration") ? TYPE_DURATION
                         : text_equals(ast->text, "severity") ? TYPE_SEVERITY
                                                              : TYPE_TIME;
    struct ast *from = ast->first;
    const char *why = NULL;

    if (!types_check_count(ast, scope, 1) || !types_check_tree(from, scope))
        return false;
    types_loosen(from, scope);
    if (!value_converts(to, from->type)) {
        diagnose(scope->diag, from->span, "%.*s() does not take %s", types_shown(ast->text),
                 ast->text.at, value_type_name(from->type));
        return false;
    }
    ast->type = to;
    ast->meaning = MEANS_CONVERT;
    if (from->kind != AST_LITERAL || from->type != TYPE_TEXT ||
        (to != TYPE_DURATION && to != TYPE_TIME))
        return true;
    why = to == TYPE_DURATION ? duration_parse(from->text, &ast->number)
                              : timestamp_parse(from->text, &ast->number);
    if (why != NULL)
        diagnose(scope->diag, from->span, "%s", why);
    ast->meaning = MEANS_CONSTANT;
    return why == NULL;
}

/* The place of a fault inside of a text in quotes; all of it where escapes stand between. */
static struct span fault_span(const struct ast *literal, const struct pattern_fault *fault)
{
    struct span span = literal->span;
    uint32_t bytes = span.to - span.from, quotes = bytes - literal->text.len;

    if (bytes <= literal->text.len || quotes > 3 ||
        memcmp(span.script->text + span.from + quotes - 1, literal->text.at, literal->text.len) !=
            0)
        return span;
    span.from += quotes - 1 + fault->from;
    span.to = literal->span.from + quotes - 1 + fault->to;
    return span;
}

/* A field or label has its patterns looked for all at once, a text that is computed has not. */
static bool add_pattern(struct ast *ast, struct scope *scope)
{
    struct text column = {NULL, 0};
    uint32_t id = 0;

    if (ast->receiver->meaning == MEANS_FIELD) {
        column.at = ast_print(ast->receiver, scope->arena);
        if (column.at == NULL)
            return diagnose_memory(scope->diag) != NULL;
        column.len = (uint32_t)strlen(column.at);
    }
    if (!pattern_table_add(scope->patterns->table, column, ast->first->text, ast->first->span,
                           scope->diag, &id))
        return false;
    ast->meaning = MEANS_MATCHES;
    ast->number = id;
    ast->pattern_set = scope->patterns->set;
    return true;
}

static bool check_matches(struct ast *ast, struct scope *scope)
{
    struct ast *pattern = ast->first;
    struct pattern_fault fault;

    if (!types_check_count(ast, scope, 1) || !types_check_tree(ast->receiver, scope) ||
        !types_check_tree(pattern, scope))
        return false;
    ast->type = TYPE_BOOL;
    if (ast->receiver->type != TYPE_TEXT) {
        diagnose(scope->diag, ast->receiver->span, "matches() works on text, and this is %s",
                 value_type_name(ast->receiver->type));
        return false;
    }
    if (pattern->meaning != MEANS_CONSTANT || pattern->type != TYPE_TEXT) {
        diagnose(scope->diag, pattern->span,
                 "a pattern is a constant text: matches(r\"^eth\\d+\")");
        return false;
    }
    if (!pattern_check(pattern->text, &fault)) {
        diagnose(scope->diag, fault_span(pattern, &fault), "%s", fault.why);
        return false;
    }
    if (scope->patterns == NULL) {
        diagnose(scope->diag, ast->span, "matches() cannot stand here");
        return false;
    }
    return add_pattern(ast, scope);
}

static bool check_size(struct ast *ast, struct scope *scope)
{
    struct ast *of = ast->receiver != NULL ? ast->receiver : ast->first;

    if (!types_check_count(ast, scope, ast->receiver == NULL))
        return false;
    ast->meaning = MEANS_SIZE;
    ast->type = TYPE_INT;
    ast->receiver = NULL;
    ast->first = ast->last = of;
    ast->count = 1;
    if (types_resolve_labels(of))
        return true;
    if (!types_check_tree(of, scope))
        return false;
    if (of->meaning == MEANS_SET || of->meaning == MEANS_TABLE) {
        ast->number = of->meaning == MEANS_SET ? of->named_set->texts.count : of->table->row_count;
        ast->kind = AST_LITERAL;
        ast->meaning = MEANS_CONSTANT;
        ast->first = ast->last = NULL;
        return true;
    }
    if (of->type == TYPE_TEXT)
        return true;
    diagnose(scope->diag, of->span, "size() takes a text or labels, and this is %s",
             value_type_name(of->type));
    return false;
}

static bool check_case(struct ast *ast, struct scope *scope)
{
    if (!types_check_count(ast, scope, 0) || !types_check_tree(ast->receiver, scope))
        return false;
    ast->type = TYPE_TEXT;
    ast->meaning = text_equals(ast->text, "lowerAscii") ? MEANS_LOWER : MEANS_UPPER;
    if (ast->receiver->type == TYPE_TEXT)
        return true;
    diagnose(scope->diag, ast->receiver->span, "%.*s() works on text, and this is %s",
             types_shown(ast->text), ast->text.at, value_type_name(ast->receiver->type));
    return false;
}

static const struct {
    const char *name;
    enum time_part part;
    bool of_duration; /* too */
} time_parts[] = {
    {"getFullYear", TIME_FULL_YEAR, false},
    {"getMonth", TIME_MONTH, false},
    {"getDate", TIME_DATE, false},
    {"getDayOfMonth", TIME_DAY_OF_MONTH, false},
    {"getDayOfWeek", TIME_DAY_OF_WEEK, false},
    {"getDayOfYear", TIME_DAY_OF_YEAR, false},
    {"getHours", TIME_HOURS, true},
    {"getMinutes", TIME_MINUTES, true},
    {"getSeconds", TIME_SECONDS, true},
    {"getMilliseconds", TIME_MILLISECONDS, true},
};

const char *time_part_name(enum time_part part)
{
    return time_parts[part].name; /* in the order of the enum */
}

/* ts.getHours(), ts.getHours("+02:00"), age.getMinutes(). */
static bool check_time_part(struct ast *ast, struct scope *scope)
{
    struct ast *zone = ast->first;
    unsigned i = 0;
    const char *why;

    while (!text_equals(ast->text, time_parts[i].name))
        i++;
    if (!types_check_tree(ast->receiver, scope) || (zone != NULL && !types_check_tree(zone, scope)))
        return false;
    if (ast->receiver->type != TYPE_TIME &&
        !(ast->receiver->type == TYPE_DURATION && time_parts[i].of_duration)) {
        diagnose(scope->diag, ast->receiver->span, "%s() works on a time%s, and this is %s",
                 time_parts[i].name, time_parts[i].of_duration ? " or a duration" : "",
                 value_type_name(ast->receiver->type));
        return false;
    }
    ast->meaning = MEANS_TIME_PART;
    ast->type = TYPE_INT;
    ast->number = time_parts[i].part;
    if (zone == NULL)
        return true;
    if (ast->count > 1 || ast->receiver->type != TYPE_TIME || zone->kind != AST_LITERAL ||
        zone->type != TYPE_TEXT) {
        diagnose(scope->diag, zone->span,
                 "%s() takes nothing, or of a time a zone in quotes: \"UTC\", \"+02:00\"",
                 time_parts[i].name);
        return false;
    }
    why = zone_parse(zone->text, &ast->zone_ms);
    if (why != NULL)
        diagnose(scope->diag, zone->span, "%s", why);
    return why == NULL;
}

static bool check_method(struct ast *ast, struct scope *scope)
{
    struct ast *sides[2] = {ast->receiver, ast->first};

    if (!types_check_count(ast, scope, 1))
        return false;
    for (int i = 0; i < 2; i++) {
        if (!types_check_tree(sides[i], scope))
            return false;
        if (sides[i]->type != TYPE_TEXT) {
            diagnose(scope->diag, sides[i]->span, "%.*s() works on text, and this is %s",
                     types_shown(ast->text), ast->text.at, value_type_name(sides[i]->type));
            return false;
        }
    }
    ast->meaning = text_equals(ast->text, "startsWith") ? MEANS_STARTS_WITH
                   : text_equals(ast->text, "endsWith") ? MEANS_ENDS_WITH
                                                        : MEANS_CONTAINS;
    ast->type = TYPE_BOOL;
    return true;
}

/* Where a function may stand. */
enum {
    IN_WHERE = 1 << SCOPE_WHERE,
    IN_WHEN = 1 << SCOPE_WHEN,
    IN_CLOSE = 1 << SCOPE_CLOSE,
    IN_TITLE = 1 << SCOPE_TITLE,
    OF_EVENT = IN_WHERE | IN_TITLE,
    OF_WINDOW = IN_WHEN | IN_TITLE,
    COMPUTING = IN_WHERE | IN_WHEN | IN_TITLE,
};

enum style {
    ALONE,  /* f(x) */
    METHOD, /* x.f() */
    EITHER,
};

static const struct function {
    const char *name;
    enum style style;
    unsigned scopes;
    bool (*check)(struct ast *, struct scope *);
} functions[] = {
    {"has", ALONE, OF_EVENT, check_has},
    {"size", EITHER, OF_EVENT, check_size},
    {"int", ALONE, COMPUTING, check_convert},
    {"double", ALONE, COMPUTING, check_convert},
    {"string", ALONE, COMPUTING, check_convert},
    {"duration", ALONE, COMPUTING | IN_CLOSE, check_convert},
    {"timestamp", ALONE, COMPUTING, check_convert},
    {"severity", ALONE, COMPUTING, check_convert},
    {"startsWith", METHOD, COMPUTING, check_method},
    {"endsWith", METHOD, COMPUTING, check_method},
    {"contains", METHOD, COMPUTING, check_method},
    {"matches", METHOD, OF_EVENT, check_matches},
    {"lowerAscii", METHOD, COMPUTING, check_case},
    {"upperAscii", METHOD, COMPUTING, check_case},
    {"getFullYear", METHOD, COMPUTING, check_time_part},
    {"getMonth", METHOD, COMPUTING, check_time_part},
    {"getDate", METHOD, COMPUTING, check_time_part},
    {"getDayOfMonth", METHOD, COMPUTING, check_time_part},
    {"getDayOfWeek", METHOD, COMPUTING, check_time_part},
    {"getDayOfYear", METHOD, COMPUTING, check_time_part},
    {"getHours", METHOD, COMPUTING, check_time_part},
    {"getMinutes", METHOD, COMPUTING, check_time_part},
    {"getSeconds", METHOD, COMPUTING, check_time_part},
    {"getMilliseconds", METHOD, COMPUTING, check_time_part},
    {"count", ALONE, OF_WINDOW, types_check_count_call},
    {"distinct", ALONE, OF_WINDOW, types_check_distinct},
    {"sum", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"avg", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"min", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"max", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"stddev", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"quantile", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"rate", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"first", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"last", ALONE, OF_WINDOW | IN_CLOSE, types_check_number_aggregate},
    {"deviation", ALONE, OF_WINDOW, types_check_deviation},
    {"quiet", ALONE, IN_CLOSE, types_check_quiet},
    {"fewer", ALONE, IN_CLOSE, types_check_fewer},
    {"cleared", ALONE, IN_CLOSE, types_check_cleared},
};

enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

static const char *const scope_names[] = {"where", "when", "close", "a title"};

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
                 types_shown(ast->text), ast->text.at, nearest);
    else
        diagnose(scope->diag, ast->span, "there is no function \"%.*s\"", types_shown(ast->text),
                 ast->text.at);
    return false;
}

bool types_check_call(struct ast *ast, struct scope *scope)
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
                 scope->name != NULL ? scope->name : scope_names[scope->kind]);
        return false;
    }
    if (function->style == METHOD && ast->receiver == NULL) {
        bool is_of_time = function->check == check_time_part;
        bool takes_text = function->check == check_method || function->check == check_matches;
        diagnose(scope->diag, ast->span, "%s() follows %s: %s.%s(%s)", function->name,
                 is_of_time ? "a time" : "a text", is_of_time ? "ts" : "field", function->name,
                 takes_text ? "\"...\"" : "");
        return false;
    }
    if (function->style == ALONE && ast->receiver != NULL) {
        diagnose(scope->diag, ast->span, "%s() stands alone, without anything before it",
                 function->name);
        return false;
    }
    return function->check(ast, scope);
}

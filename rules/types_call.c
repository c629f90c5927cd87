/* types_call.c - calls: which function may stand where, and those of an event. See types_parts.h.
 */
#include "base/text.h"
#include "rules/types_parts.h"

#include <string.h>
#include "base/severity.h"
#include "rules/lexer.h"
#include "base/nearest.h"
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
    return types_check_field(ast->first, FIELD_MAY_LACK, "has()", scope->diag) &&
           types_check_has_field(ast->first, scope);
}

/* severity("major") */
static bool check_severity_word(const struct ast *word, struct scope *scope)
{
    const char *meant;

    if (severity_from_word(word->text) != WORD_UNKNOWN)
        return true;
    meant = severity_constant_meant(word->text);
    diagnose(scope->diag, word->span, "there is no severity \"%.*s\"%s%s%s",
             types_shown(word->text), word->text.at, meant != NULL ? "; did you mean " : "",
             meant != NULL ? meant : "", meant != NULL ? "?" : "");
    return false;
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
    if (from->kind != AST_LITERAL || from->type != TYPE_TEXT)
        return true;
    if (to == TYPE_SEVERITY)
        return check_severity_word(from, scope);
    if (to != TYPE_DURATION && to != TYPE_TIME)
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
    const char *usage;
    enum style style;
    unsigned scopes;
    bool (*check)(struct ast *, struct scope *);
} functions[] = {
    {"has", "has(labels.rack)", ALONE, OF_EVENT, check_has},
    {"size", "size(message)", EITHER, OF_EVENT, check_size},
    {"int", "int(labels.n)", ALONE, COMPUTING, check_convert},
    {"double", "double(labels.ms)", ALONE, COMPUTING, check_convert},
    {"string", "string(value)", ALONE, COMPUTING, check_convert},
    {"duration", "duration(\"5m\")", ALONE, COMPUTING | IN_CLOSE, check_convert},
    {"timestamp", "timestamp(\"2024-05-01T00:00:00Z\")", ALONE, COMPUTING, check_convert},
    {"severity", "severity(labels.prio)", ALONE, COMPUTING, check_convert},
    {"startsWith", "check.startsWith(\"disk.\")", METHOD, COMPUTING, check_method},
    {"endsWith", "host.endsWith(\".example\")", METHOD, COMPUTING, check_method},
    {"contains", "message.contains(\"full\")", METHOD, COMPUTING, check_method},
    {"matches", "check.matches(\"^eth\")", METHOD, OF_EVENT, check_matches},
    {"lowerAscii", "host.lowerAscii()", METHOD, COMPUTING, check_case},
    {"upperAscii", "host.upperAscii()", METHOD, COMPUTING, check_case},
    {"getFullYear", "ts.getFullYear()", METHOD, COMPUTING, check_time_part},
    {"getMonth", "ts.getMonth()", METHOD, COMPUTING, check_time_part},
    {"getDate", "ts.getDate()", METHOD, COMPUTING, check_time_part},
    {"getDayOfMonth", "ts.getDayOfMonth()", METHOD, COMPUTING, check_time_part},
    {"getDayOfWeek", "ts.getDayOfWeek()", METHOD, COMPUTING, check_time_part},
    {"getDayOfYear", "ts.getDayOfYear()", METHOD, COMPUTING, check_time_part},
    {"getHours", "ts.getHours()", METHOD, COMPUTING, check_time_part},
    {"getMinutes", "ts.getMinutes()", METHOD, COMPUTING, check_time_part},
    {"getSeconds", "ts.getSeconds()", METHOD, COMPUTING, check_time_part},
    {"getMilliseconds", "ts.getMilliseconds()", METHOD, COMPUTING, check_time_part},
    {"count", "count()", ALONE, OF_WINDOW, types_check_count_call},
    {"distinct", "distinct(check)", ALONE, OF_WINDOW, types_check_distinct},
    {"sum", "sum(value)", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"avg", "avg(value)", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"min", "min(value)", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"max", "max(value)", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"stddev", "stddev(value)", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"quantile", "quantile(value, 0.95)", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"rate", "rate(value)", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"first", "first(value)", ALONE, OF_WINDOW, types_check_number_aggregate},
    {"last", "last(value)", ALONE, OF_WINDOW | IN_CLOSE, types_check_number_aggregate},
    {"deviation", "deviation(count())", ALONE, OF_WINDOW, types_check_deviation},
    {"quiet", "quiet(15m)", ALONE, IN_CLOSE, types_check_quiet},
    {"fewer", "fewer(3, 10m)", ALONE, IN_CLOSE, types_check_fewer},
    {"cleared", "cleared()", ALONE, IN_CLOSE, types_check_cleared},
};

enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

static const char *const scope_names[] = {"where", "when", "close", "a title"};

/* What other languages call them. */
static const struct {
    const char *word, *name;
} aliases[] = {
    {"length", "size"},         {"len", "size"},          {"lower", "lowerAscii"},
    {"toLower", "lowerAscii"},  {"upper", "upperAscii"},  {"toUpper", "upperAscii"},
    {"regex", "matches"},       {"includes", "contains"}, {"prefix", "startsWith"},
    {"suffix", "endsWith"},     {"exists", "has"},        {"float", "double"},
    {"unique", "distinct"},     {"average", "avg"},       {"mean", "avg"},
    {"minimum", "min"},         {"maximum", "max"},       {"stdev", "stddev"},
    {"percentile", "quantile"}, {"silent", "quiet"},      {"resolved", "cleared"},
};

enum { ALIASES = sizeof(aliases) / sizeof(aliases[0]) };

/* What of CEL goes through lists and maps, `labels.exists(l, ...)`, and what to say instead. */
static const struct {
    const char *name, *instead;
} macros[] = {
    {"all", "name each condition and join them by &&"},
    {"exists", "name each condition and join them by ||; \"x\" in labels asks for the label x"},
    {"exists_one", "name each case, the others in it behind a !, and join them by ||"},
    {"existsOne", "name each case, the others in it behind a !, and join them by ||"},
    {"filter", "name the conditions themselves; size(labels) is the number of labels"},
    {"map", "a step of enrich computes labels and numbers of an event"},
};

static const struct function *function_find(struct text name)
{
    for (size_t i = 0; i < FUNCTIONS; i++)
        if (text_equals(name, functions[i].name))
            return &functions[i];
    return NULL;
}

static const struct function *function_called(const char *name)
{
    return function_find(text_of(name));
}

static bool stands_in(const struct function *function, enum scope_kind kind)
{
    return (function->scopes & 1u << kind) != 0;
}

/* The function that a mistyped or foreign name stands for, of those that can stand here. */
static const char *nearest_function(struct text name, enum scope_kind kind)
{
    const char *names[FUNCTIONS + ALIASES], *nearest;
    size_t count = 0;

    for (size_t i = 0; i < FUNCTIONS; i++)
        if (stands_in(&functions[i], kind))
            names[count++] = functions[i].name;
    for (size_t i = 0; i < ALIASES; i++)
        if (stands_in(function_called(aliases[i].name), kind))
            names[count++] = aliases[i].word;
    nearest = nearest_name(name, names, count);
    for (size_t i = 0; nearest != NULL && i < ALIASES; i++)
        if (nearest == aliases[i].word)
            return aliases[i].name;
    return nearest;
}

const char *types_call_usage(struct text name, const struct scope *scope)
{
    const struct function *function = function_find(name);

    return function != NULL && stands_in(function, scope->kind) ? function->usage : NULL;
}

const char *types_call_meant(struct text name, const struct scope *scope)
{
    const char *nearest = nearest_function(name, scope->kind);

    return nearest != NULL ? function_called(nearest)->usage : NULL;
}

/* False when it is none. They follow what they go through; exists(labels.x) is another thing. */
static bool tell_macro(const struct ast *ast, struct scope *scope)
{
    for (size_t i = 0; ast->receiver != NULL && i < sizeof(macros) / sizeof(macros[0]); i++)
        if (text_equals(ast->text, macros[i].name)) {
            diagnose(scope->diag, ast->name,
                     "macros of CEL are not part of this language, and %s() is one: %s",
                     macros[i].name, macros[i].instead);
            return true;
        }
    return false;
}

/* absent() of Prometheus, nodata() of Zabbix and their like. False when it is none. */
static bool tell_absence(const struct ast *ast, struct scope *scope)
{
    static const char *const names[] = {"absent", "absent_over_time", "nodata", "noData"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (text_equals(ast->text, names[i])) {
            diagnose(scope->diag, ast->name,
                     "there is no function \"%s\": of what does not come a rule with expect tells, "
                     "for example expect: {every: 5m}",
                     names[i]);
            return true;
        }
    return false;
}

static bool unknown_function(const struct ast *ast, struct scope *scope)
{
    const char *nearest;

    if (tell_macro(ast, scope) || tell_absence(ast, scope))
        return false;
    nearest = nearest_function(ast->text, scope->kind);
    for (int kind = SCOPE_WHERE; nearest == NULL && kind <= SCOPE_CLOSE; kind++)
        nearest = nearest_function(ast->text, (enum scope_kind)kind);
    if (nearest != NULL)
        diagnose(scope->diag, ast->name, "there is no function \"%.*s\"; did you mean \"%s\"?",
                 types_shown(ast->text), ast->text.at, nearest);
    else
        diagnose(scope->diag, ast->name, "there is no function \"%.*s\"", types_shown(ast->text),
                 ast->text.at);
    return false;
}

bool types_check_call(struct ast *ast, struct scope *scope)
{
    const struct function *function = function_find(ast->text);

    if (function == NULL)
        return unknown_function(ast, scope);
    if (!stands_in(function, scope->kind)) {
        const char *home = scope_names[function->scopes & 1u << SCOPE_WHERE  ? SCOPE_WHERE
                                       : function->scopes & 1u << SCOPE_WHEN ? SCOPE_WHEN
                                                                             : SCOPE_CLOSE];
        diagnose(scope->diag, ast->name, "%s() belongs into %s, not into %s", function->name, home,
                 scope->name != NULL ? scope->name : scope_names[scope->kind]);
        return false;
    }
    if (function->style == METHOD && ast->receiver == NULL) {
        bool is_of_time = function->check == check_time_part;
        bool takes_text = function->check == check_method || function->check == check_matches;
        diagnose(scope->diag, ast->name, "%s() follows %s: %s.%s(%s)", function->name,
                 is_of_time ? "a time" : "a text", is_of_time ? "ts" : "field", function->name,
                 takes_text ? "\"...\"" : "");
        return false;
    }
    if (function->style == ALONE && ast->receiver != NULL) {
        diagnose(scope->diag, ast->name, "%s() stands alone, without anything before it",
                 function->name);
        return false;
    }
    return function->check(ast, scope);
}

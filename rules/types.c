/* types.c - see types.h. */
#include "rules/types.h"

#include <string.h>
#include "rules/fold.h"
#include "rules/lexer.h"
#include "rules/nearest.h"
#include "rules/printer.h"
#include "rules/timestamp.h"

static bool check(struct ast *ast, struct scope *scope);
static bool check_truth(struct ast *ast, struct scope *scope, const char *role);

static bool is_number(enum value_type type)
{
    return type == TYPE_INT || type == TYPE_DOUBLE;
}

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

/* What stands in the place of a name that is none. */
static void unknown_name(const struct ast *ast, const struct scope *scope, bool with_constants)
{
    const char *names[FIELD_NAMES_MAX + LOOKUPS_MAX];
    size_t count = field_names(names, with_constants);
    const char *nearest;

    if (with_constants && scope->lookups != NULL) {
        for (const struct named_set *set = scope->lookups->sets; set != NULL; set = set->next)
            names[count++] = set->name.at;
        for (const struct table *table = scope->lookups->tables; table != NULL; table = table->next)
            names[count++] = table->name.at;
    }
    nearest = nearest_name(ast->text, names, count);
    if (nearest != NULL)
        diagnose(scope->diag, ast->span, "there is no field \"%.*s\"; did you mean \"%s\"?",
                 shown(ast->text), ast->text.at, nearest);
    else
        diagnose(scope->diag, ast->span,
                 "there is no field \"%.*s\"; a label is written labels.NAME, a text in quotes",
                 shown(ast->text), ast->text.at);
}

/* `table[key]`; its key is text. */
static bool check_row(struct ast *ast, const struct table *table, struct scope *scope)
{
    struct ast *key = ast->last;

    if (!check(key, scope))
        return false;
    if (key->type != TYPE_TEXT) {
        diagnose(scope->diag, key->span, "the key of a row is text, and this is %s",
                 value_type_name(key->type));
        return false;
    }
    ast->table = table;
    ast->meaning = MEANS_ROW;
    ast->type = TYPE_ROW;
    return true;
}

/* `table[key].column` */
static bool check_cell(struct ast *ast, struct scope *scope)
{
    struct ast *row = ast->first;
    const char *names[SHEET_COLUMNS_MAX];
    const struct table *table;
    const char *nearest;
    uint32_t column;

    if (!check(row, scope))
        return false;
    if (row->type != TYPE_ROW) {
        diagnose(scope->diag, ast->span,
                 "only labels have members: labels.NAME or labels[\"NAME\"]");
        return false;
    }
    table = row->table;
    column = table_find_column(table, ast->text);
    if (column == SHEET_COLUMNS_MAX) {
        for (uint32_t i = 0; i < table->column_count; i++)
            names[i] = table->column[i].at;
        nearest = nearest_name(ast->text, names, table->column_count);
        if (nearest != NULL)
            diagnose(scope->diag, ast->span,
                     "the table %.*s has no column \"%.*s\"; did you mean \"%.60s\"?",
                     shown(table->name), table->name.at, shown(ast->text), ast->text.at, nearest);
        else
            diagnose(scope->diag, ast->span, "the table %.*s has no column \"%.*s\"",
                     shown(table->name), table->name.at, shown(ast->text), ast->text.at);
        return false;
    }
    ast->meaning = MEANS_CELL;
    ast->type = TYPE_TEXT;
    ast->table = table;
    ast->number = column;
    return true;
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

/* `labels[name]`, the name being computed. */
static bool check_index(struct ast *ast, struct scope *scope)
{
    const struct table *table =
        ast->first->kind == AST_NAME ? lookups_find_table(scope->lookups, ast->first->text) : NULL;

    if (table != NULL)
        return check_row(ast, table, scope);
    if (!is_labels(ast->first)) {
        diagnose(scope->diag, ast->span,
                 "only labels and tables are looked up by name: labels[\"NAME\"]");
        return false;
    }
    if (!check(ast->last, scope))
        return false;
    if (ast->last->type != TYPE_TEXT) {
        diagnose(scope->diag, ast->last->span, "a label's name is text, and this is %s",
                 value_type_name(ast->last->type));
        return false;
    }
    ast->type = TYPE_TEXT;
    ast->meaning = MEANS_LABEL_OF;
    if (ast->last->meaning != MEANS_CONSTANT)
        return true;
    /* The name turned out to be a constant. */
    ast->kind = AST_MEMBER;
    ast->text = ast->last->text;
    ast->first->next = NULL;
    ast->last = ast->first;
    ast->count = 1;
    return check_label(ast, scope->diag);
}

/* The word `labels` where the whole map may stand. */
static bool resolve_labels(struct ast *ast)
{
    if (!is_labels(ast))
        return false;
    ast->meaning = MEANS_LABELS;
    ast->type = TYPE_LABELS;
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

/* The name of a set or table. */
static bool resolve_lookup(struct ast *ast, const struct scope *scope)
{
    ast->named_set = lookups_find_set(scope->lookups, ast->text);
    ast->table = lookups_find_table(scope->lookups, ast->text);
    if (ast->named_set == NULL && ast->table == NULL)
        return false;
    ast->meaning = ast->named_set != NULL ? MEANS_SET : MEANS_TABLE;
    ast->type = ast->named_set != NULL ? TYPE_LIST : TYPE_TABLE;
    return true;
}

static bool check_name(struct ast *ast, struct scope *scope)
{
    struct diagnostics *diag = scope->diag;
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
    if (resolve_lookup(ast, scope))
        return true;
    if (is_labels(ast))
        diagnose(diag, ast->span, "labels needs a name: labels.NAME or labels[\"NAME\"]");
    else
        unknown_name(ast, scope, true);
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
            unknown_name(ast, &(struct scope){.diag = diag}, false);
        return false;
    }
    if ((field_flags(ast->field) & flags) != flags) {
        diagnose(diag, ast->span, "%s cannot take %s", role, field_row(ast->field)->name);
        return false;
    }
    return true;
}

/* ---- functions ---- */

static bool is_aggregate(const struct ast *ast)
{
    return ast->meaning == MEANS_AGGREGATE;
}

static bool is_real_aggregate(const struct ast *ast)
{
    return is_aggregate(ast) && ast->type == TYPE_DOUBLE;
}

/* Something is computed of it: there is no count from which on more makes no difference. */
static void loosen(const struct ast *ast, struct scope *scope)
{
    if (is_aggregate(ast))
        scope->aggregate[ast->number].limit = INT64_MAX;
}

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
    if (!check_count(ast, scope, 1))
        return false;
    if (ast->first->kind == AST_MEMBER && !is_labels(ast->first->first))
        return check_cell(ast->first, scope);
    return types_check_field(ast->first, FIELD_MAY_LACK, "has()", scope->diag);
}

/* int(), double(), string(), duration(), timestamp(). A text in quotes that is no time is told as
 * such where it stands. */
static bool check_convert(struct ast *ast, struct scope *scope)
{
    enum value_type to = text_equals(ast->text, "int")        ? TYPE_INT
                         : text_equals(ast->text, "double")   ? TYPE_DOUBLE
                         : text_equals(ast->text, "string")   ? TYPE_TEXT
                         : text_equals(ast->text, "duration") ? TYPE_DURATION
                                                              : TYPE_TIME;
    struct ast *from = ast->first;
    const char *why = NULL;

    if (!check_count(ast, scope, 1) || !check(from, scope))
        return false;
    loosen(from, scope);
    if (!value_converts(to, from->type)) {
        diagnose(scope->diag, from->span, "%.*s() does not take %s", shown(ast->text), ast->text.at,
                 value_type_name(from->type));
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

    if (!check_count(ast, scope, 1) || !check(ast->receiver, scope) || !check(pattern, scope))
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

    if (!check_count(ast, scope, ast->receiver == NULL))
        return false;
    ast->meaning = MEANS_SIZE;
    ast->type = TYPE_INT;
    ast->receiver = NULL;
    ast->first = ast->last = of;
    ast->count = 1;
    if (resolve_labels(of))
        return true;
    if (!check(of, scope))
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
    if (!check_count(ast, scope, 0) || !check(ast->receiver, scope))
        return false;
    ast->type = TYPE_TEXT;
    ast->meaning = text_equals(ast->text, "lowerAscii") ? MEANS_LOWER : MEANS_UPPER;
    if (ast->receiver->type == TYPE_TEXT)
        return true;
    diagnose(scope->diag, ast->receiver->span, "%.*s() works on text, and this is %s",
             shown(ast->text), ast->text.at, value_type_name(ast->receiver->type));
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
    if (!check(ast->receiver, scope) || (zone != NULL && !check(zone, scope)))
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
        diagnose(scope->diag, ast->span, "when does not compute %.80s, so a title cannot show it",
                 text);
    else if (i == RULE_AGGREGATES_MAX)
        diagnose(scope->diag, ast->span, "a rule has at most %d different aggregates",
                 RULE_AGGREGATES_MAX);
    else
        return i;
    return RULE_AGGREGATES_MAX;
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
    ast->meaning = MEANS_AGGREGATE;
    ast->type = aggregate_is_real(aggregate.kind) ? TYPE_DOUBLE : TYPE_INT;
    ast->number = i;
    return true;
}

static bool check_count_call(struct ast *ast, struct scope *scope)
{
    return check_count(ast, scope, 0) && aggregate_add(ast, scope, ast_print(ast, scope->arena),
                                                       (struct aggregate){.kind = AGGREGATE_COUNT});
}

static bool check_distinct(struct ast *ast, struct scope *scope)
{
    if (!check_count(ast, scope, 1) ||
        !types_check_field(ast->first, FIELD_IN_DISTINCT, "distinct()", scope->diag))
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
    if (!check(ast, &where))
        return NULL;
    if (!is_number(ast->type) && ast->type != TYPE_TEXT) {
        diagnose(scope->diag, ast->span,
                 "this aggregate takes a number, or a label that holds one, and this is %s",
                 value_type_name(ast->type));
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
    if (ast->kind == AST_LITERAL && is_number(ast->type) && *share >= 0 && *share <= 1)
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
    if (!check_count(ast, scope, 1))
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
static bool check_number_aggregate(struct ast *ast, struct scope *scope)
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
    if (aggregate.kind != AGGREGATE_QUANTILE && !check_count(ast, scope, 1))
        return false;
    if (scope->kind != SCOPE_TITLE) {
        aggregate.argument = number_of_event(ast->first, scope);
        if (aggregate.argument == NULL ||
            (ast->count == 2 && !check_share(ast->last, scope, &aggregate.share)))
            return false;
    }
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

/* fewer(3, 10m) */
static bool check_fewer(struct ast *ast, struct scope *scope)
{
    enum { TOUCHES_MAX = 1000 };
    const struct ast *touches = ast->first, *stretch = ast->last;

    if (ast->count != 2) {
        diagnose(scope->diag, ast->span, "fewer() takes a number and a duration: fewer(3, 10m)");
        return false;
    }
    for (struct ast *side = ast->first; side != NULL; side = side->next)
        if (!check(side, scope))
            return false;
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

static bool check_cleared(struct ast *ast, struct scope *scope)
{
    ast->meaning = MEANS_CLEARED;
    ast->type = TYPE_BOOL;
    return check_count(ast, scope, 0);
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
    {"count", ALONE, OF_WINDOW, check_count_call},
    {"distinct", ALONE, OF_WINDOW, check_distinct},
    {"sum", ALONE, OF_WINDOW, check_number_aggregate},
    {"avg", ALONE, OF_WINDOW, check_number_aggregate},
    {"min", ALONE, OF_WINDOW, check_number_aggregate},
    {"max", ALONE, OF_WINDOW, check_number_aggregate},
    {"stddev", ALONE, OF_WINDOW, check_number_aggregate},
    {"quantile", ALONE, OF_WINDOW, check_number_aggregate},
    {"rate", ALONE, OF_WINDOW, check_number_aggregate},
    {"first", ALONE, OF_WINDOW, check_number_aggregate},
    {"last", ALONE, OF_WINDOW | IN_CLOSE, check_number_aggregate},
    {"quiet", ALONE, IN_CLOSE, check_quiet},
    {"fewer", ALONE, IN_CLOSE, check_fewer},
    {"cleared", ALONE, IN_CLOSE, check_cleared},
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

/* ---- operators ---- */

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
    diagnose(scope->diag, whole->span, "this number is too large to be compared exactly");
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
    if (constant->type == TYPE_DOUBLE ? constant->real < 0 : constant->number < 0) {
        diagnose(scope->diag, constant->span, "%s is never negative",
                 scope->aggregate[aggregate->number].text);
        return false;
    }
    if ((is_between || (relation != RELATION_GE && relation != RELATION_LT)) && need < INT64_MAX)
        need++;
    *limit = need > *limit ? need : *limit;
    return true;
}

static bool check_aggregates(const struct ast *ast, struct scope *scope)
{
    const struct ast *left = ast->first, *right = ast->last;

    if (scope->kind == SCOPE_CLOSE) {
        if (is_aggregate(left) != is_aggregate(right))
            return true;
        diagnose(scope->diag, ast->span, "close compares last(x) with a number: last(value) < 70");
        return false;
    }
    if (is_real_aggregate(left) || is_real_aggregate(right))
        return loosen(left, scope), loosen(right, scope), true;
    if (is_aggregate(left) && right->meaning == MEANS_CONSTANT)
        return note_limit(scope, left, ast->relation, right);
    if (is_aggregate(right) && left->meaning == MEANS_CONSTANT)
        return note_limit(scope, right, mirrored(ast->relation), left);
    loosen(left, scope);
    loosen(right, scope);
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

    if (left->type == TYPE_TEXT || (is_number(left->type) && set->reals.count == set->texts.count))
        return true;
    if (is_number(left->type))
        diagnose(scope->diag, list->span, "not all of the set %.*s are numbers", shown(set->name),
                 set->name.at);
    else
        diagnose(scope->diag, left->span, "a set holds texts or numbers, and this is %s",
                 value_type_name(left->type));
    return false;
}

static bool check_in(struct ast *ast, struct scope *scope)
{
    struct ast *left = ast->first, *list = ast->last;

    ast->type = TYPE_BOOL;
    if (!check(left, scope))
        return false;
    loosen(left, scope);
    if (resolve_labels(list))
        return check_in_labels(left, scope);
    if (!check(list, scope))
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
        if (item->type != left->type && !(is_number(item->type) && is_number(left->type)))
            return mismatch(left, item, scope);
        if (item->type != left->type && !(check_exact(left, scope) && check_exact(item, scope)))
            return false;
        if (!check_state(left, item, scope))
            return false;
    }
    return true;
}

/* ---- what computes ---- */

static const char *arithmetic_hint(const struct ast *left, const struct ast *right)
{
    bool has_text = left->type == TYPE_TEXT || right->type == TYPE_TEXT;
    bool has_number = is_number(left->type) || is_number(right->type);

    if (has_text && has_number)
        return "; text is made a number by int() or double(), a number text by string()";
    if (has_text)
        return "; other things are made text by string()";
    if (has_number && (left->type == TYPE_DURATION || right->type == TYPE_DURATION))
        return "; a duration has a unit: 5m";
    return "";
}

static bool check_arithmetic(struct ast *ast, struct scope *scope)
{
    struct ast *left = ast->first, *right = ast->last;
    const char *sign = arithmetic_sign(ast->arithmetic);

    if (!check(left, scope) || !check(right, scope))
        return false;
    loosen(left, scope);
    loosen(right, scope);
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

static bool check_negate(struct ast *ast, struct scope *scope)
{
    struct ast *of = ast->first;

    if (!check(of, scope))
        return false;
    loosen(of, scope);
    ast->type = of->type;
    if (is_number(of->type) || of->type == TYPE_DURATION)
        return true;
    diagnose(scope->diag, of->span, "- needs a number or a duration, and this is %s",
             value_type_name(of->type));
    return false;
}

static bool check_choose(struct ast *ast, struct scope *scope)
{
    struct ast *condition = ast->first, *first = condition->next, *second = ast->last;

    if (!check_truth(condition, scope, "? needs") || !check(first, scope) || !check(second, scope))
        return false;
    loosen(first, scope);
    loosen(second, scope);
    ast->type = first->type == TYPE_INT ? second->type : first->type;
    if ((first->type == second->type || (is_number(first->type) && is_number(second->type))) &&
        first->type <= TYPE_SEVERITY)
        return true;
    diagnose(scope->diag, second->span, "both sides of : are of one type; this is %s, the other %s",
             value_type_name(second->type), value_type_name(first->type));
    return false;
}

/* ---- truth ---- */

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
        diagnose(scope->diag, ast->span, "close joins its parts with && and || only");
        return false;
    }
    for (struct ast *child = ast->first; child != NULL; child = child->next)
        if (!check_truth(child, scope, role))
            return false;
    return true;
}

/* ---- scopes ---- */

static const char close_is[] =
    "close is made of quiet(duration), cleared(), fewer(count, duration) "
    "and comparisons of last(x)";

static bool check_literal(struct ast *ast, struct scope *scope)
{
    ast->meaning = MEANS_CONSTANT;
    if (scope->kind != SCOPE_CLOSE || ast->type != TYPE_BOOL)
        return true;
    diagnose(scope->diag, ast->span, "%s", close_is);
    return false;
}

/* What there is to name and to compute differs between scopes. */
static bool check_kind(const struct ast *ast, struct scope *scope)
{
    bool names_event = ast->kind == AST_NAME || ast->kind == AST_MEMBER || ast->kind == AST_INDEX;
    bool computes = ast->kind == AST_IN || ast->kind == AST_LIST || ast->kind == AST_ARITHMETIC ||
                    ast->kind == AST_CHOOSE;

    if (scope->kind == SCOPE_WHEN && names_event)
        diagnose(scope->diag, ast->span,
                 "when looks at a window, not at one event: compare count() or distinct(field)");
    else if (scope->kind == SCOPE_CLOSE && (names_event || computes))
        diagnose(scope->diag, ast->span, "%s", close_is);
    else
        return true;
    return false;
}

static bool check_node(struct ast *ast, struct scope *scope)
{
    switch (ast->kind) {
    case AST_LITERAL:
        return check_literal(ast, scope);
    case AST_NAME:
        return check_name(ast, scope);
    case AST_MEMBER:
        return is_labels(ast->first) ? check_label(ast, scope->diag) : check_cell(ast, scope);
    case AST_INDEX:
        return check_index(ast, scope);
    case AST_CALL:
        return check_call(ast, scope);
    case AST_LIST:
        return check_list(ast, scope);
    case AST_COMPARE:
        return check_compare(ast, scope);
    case AST_IN:
        return check_in(ast, scope);
    case AST_NEGATE:
        return check_negate(ast, scope);
    case AST_ARITHMETIC:
        return check_arithmetic(ast, scope);
    case AST_CHOOSE:
        return check_choose(ast, scope);
    default:
        return check_connective(ast, scope);
    }
}

static bool check(struct ast *ast, struct scope *scope)
{
    return check_kind(ast, scope) && check_node(ast, scope) && fold(ast, scope->arena, scope->diag);
}

bool types_check(struct ast *ast, struct scope *scope)
{
    static const char *const roles[] = {"where is", "when is", "close is", "this is"};

    return check_truth(ast, scope, roles[scope->kind]);
}

bool types_check_value(struct ast *ast, struct scope *scope)
{
    if (!check(ast, scope))
        return false;
    if (ast->type <= TYPE_SEVERITY)
        return true;
    diagnose(scope->diag, ast->span, "this is %s and no single value", value_type_name(ast->type));
    return false;
}

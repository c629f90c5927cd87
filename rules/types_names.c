/* types_names.c - what a name means: fields, labels, constants, sets and tables. See types_parts.h.
 */
#include "rules/types_parts.h"

#include "base/nearest.h"

/* The name that was meant by one that is none, of the fields, variables, sets and tables; NULL. */
static const char *nearest_of(struct text name, const struct scope *scope, bool with_constants,
                              bool with_lookups)
{
    const char *names[FIELD_NAMES_MAX + LOOKUPS_MAX + VARS_MAX];
    size_t count = field_names(names, with_constants);

    if (!diagnostics_wants_hint(scope->diag))
        return NULL;
    if (with_lookups && scope->lookups != NULL) {
        for (const struct named_set *set = scope->lookups->sets; set != NULL; set = set->next)
            names[count++] = set->name.at;
        for (const struct table *table = scope->lookups->tables; table != NULL; table = table->next)
            names[count++] = table->name.at;
    }
    for (uint32_t i = 0; scope->vars != NULL && i < scope->vars->count; i++)
        names[count++] = scope->vars->var[i].name.at;
    return nearest_name(name, names, count);
}

enum bare_name types_bare_name(struct text name, const void *scope_of)
{
    const struct scope *scope = scope_of;
    enum rule_field field = field_find(name);

    if (field != RULE_FIELD_COUNT)
        return field_row(field)->type == TYPE_TEXT ? BARE_NAME_TEXT : BARE_NAME_OTHER;
    if (text_equals(name, "labels") || severity_constant_find(name) != SEVERITY_COUNT ||
        lookups_find_set(scope->lookups, name) != NULL ||
        lookups_find_table(scope->lookups, name) != NULL)
        return BARE_NAME_OTHER;
    return nearest_of(name, scope, false, true) != NULL ? BARE_NAME_SLIP : BARE_NAME_NOTHING;
}

enum bare_lack types_bare_lack(struct text name, const void *scope_of)
{
    const struct scope *scope = scope_of;
    enum rule_field field = field_find(name);

    if (text_equals(name, "labels"))
        return BARE_LACK_SIZE;
    if (field == RULE_FIELD_COUNT)
        return BARE_LACK_OTHER;
    if (field == RULE_FIELD_VALUE && scope->is_of_incidents)
        return BARE_LACK_ALWAYS;
    return (field_row(field)->flags & FIELD_MAY_LACK) != 0 ? BARE_LACK_HAS : BARE_LACK_NEVER;
}

/* What stands in the place of a name that is none. */
static void unknown_name(const struct ast *ast, const struct scope *scope, bool with_constants)
{
    const char *nearest, *usage = types_call_usage(ast->text, scope);

    if (with_constants && usage != NULL) {
        diagnose(scope->diag, ast->span, "%.*s is a function: write %s", types_shown(ast->text),
                 ast->text.at, usage);
        return;
    }
    nearest = nearest_of(ast->text, scope, with_constants, with_constants);
    if (nearest == NULL && with_constants)
        nearest = severity_constant_meant(ast->text);
    if (scope->is_behind_in && nearest == NULL)
        diagnose(
            scope->diag, ast->span,
            "there is no set or table \"%.*s\"; sets: and tables: of the rule files name them, "
            "and a list stands in brackets: [\"a\", \"b\"]",
            types_shown(ast->text), ast->text.at);
    else if (scope->is_behind_in)
        diagnose(scope->diag, ast->span, "there is no set or table \"%.*s\"; did you mean \"%s\"?",
                 types_shown(ast->text), ast->text.at, nearest);
    else if (nearest != NULL)
        diagnose(scope->diag, ast->span, "there is no field \"%.*s\"; did you mean \"%s\"?",
                 types_shown(ast->text), ast->text.at, nearest);
    else
        diagnose(scope->diag, ast->span,
                 "there is no field \"%.*s\"; a label is written labels.NAME, a text in quotes",
                 types_shown(ast->text), ast->text.at);
}

/* `table[key]`; its key is text. */
static bool check_row(struct ast *ast, const struct table *table, struct scope *scope)
{
    struct ast *key = ast->last;

    if (!types_check_tree(key, scope))
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
bool types_check_cell(struct ast *ast, struct scope *scope)
{
    struct ast *row = ast->first;
    char hint[SHEET_HINT_BYTES];
    const struct table *table;
    uint32_t column;

    if (!types_check_tree(row, scope))
        return false;
    if (row->type != TYPE_ROW) {
        diagnose(scope->diag, ast->span,
                 "only labels have members: labels.NAME or labels[\"NAME\"]");
        return false;
    }
    table = row->table;
    column = table_find_column(table, ast->text);
    if (column == SHEET_COLUMNS_MAX) {
        diagnose(scope->diag, ast->span, "the table %.*s has no column \"%.*s\"%s",
                 types_shown(table->name), table->name.at, types_shown(ast->text), ast->text.at,
                 diagnostics_wants_hint(scope->diag)
                     ? sheet_columns_hint(table->column, table->column_count, ast->text, hint)
                     : "");
        return false;
    }
    ast->meaning = MEANS_CELL;
    ast->type = TYPE_TEXT;
    ast->table = table;
    ast->number = column;
    return true;
}

bool types_check_label(struct ast *ast, struct diagnostics *diag)
{
    static const char *const labels[] = {"labels"};
    char hint[NEAREST_HINT_BYTES];

    if (ast->first->kind == AST_NAME && field_find(ast->first->text) == RULE_FIELD_COUNT &&
        nearest_hint(ast->first->text, labels, 1, hint)[0] != '\0' &&
        !types_is_labels(ast->first)) {
        diagnose(diag, ast->first->span, "there is no \"%.*s\"%s", types_shown(ast->first->text),
                 ast->first->text.at, hint);
        return false;
    }
    if (!types_is_labels(ast->first)) {
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

enum { TABLE_NAMES_MAX = 64 }; /* those that a slip of the pen is compared with */

/* name[...] where nothing is called so: most often a table with a slip of the pen. */
static void refuse_table(const struct ast *ast, const struct scope *scope)
{
    const char *names[TABLE_NAMES_MAX], *nearest;
    size_t count = 0;

    for (const struct table *table = scope->lookups != NULL ? scope->lookups->tables : NULL;
         table != NULL && count < TABLE_NAMES_MAX; table = table->next)
        names[count++] = table->name.at;
    nearest = diagnostics_wants_hint(scope->diag) ? nearest_name(ast->text, names, count) : NULL;
    if (nearest != NULL)
        diagnose(scope->diag, ast->span, "there is no table \"%.*s\"; did you mean \"%.60s\"?",
                 types_shown(ast->text), ast->text.at, nearest);
    else
        diagnose(scope->diag, ast->span,
                 "there is no table \"%.*s\": only labels and tables are looked up by name",
                 types_shown(ast->text), ast->text.at);
}

/* `labels[name]`, the name being computed. */
bool types_check_index(struct ast *ast, struct scope *scope)
{
    const struct table *table =
        ast->first->kind == AST_NAME ? lookups_find_table(scope->lookups, ast->first->text) : NULL;

    if (table != NULL)
        return check_row(ast, table, scope);
    if (ast->first->kind == AST_NAME && !types_is_labels(ast->first) &&
        field_find(ast->first->text) == RULE_FIELD_COUNT &&
        lookups_find_set(scope->lookups, ast->first->text) == NULL) {
        refuse_table(ast->first, scope);
        return false;
    }
    if (!types_is_labels(ast->first)) {
        diagnose(scope->diag, ast->span,
                 "only labels and tables are looked up by name: labels[\"NAME\"]");
        return false;
    }
    if (!types_check_tree(ast->last, scope))
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
    return types_check_label(ast, scope->diag);
}

bool types_resolve_labels(struct ast *ast)
{
    if (!types_is_labels(ast))
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

bool types_check_has_field(const struct ast *ast, struct scope *scope)
{
    if (!scope->is_of_incidents || ast->meaning != MEANS_FIELD || ast->field != RULE_FIELD_VALUE)
        return true;
    diagnose(scope->diag, ast->span,
             "an incident has no value: a rule on incidents sees check (its rule), message (its "
             "title), severity and what is in its `by`");
    return false;
}

bool types_check_name(struct ast *ast, struct scope *scope)
{
    struct diagnostics *diag = scope->diag;
    enum severity severity;

    if (resolve_field(ast))
        return types_check_has_field(ast, scope);
    severity = severity_constant_find(ast->text);
    if (severity != SEVERITY_COUNT) {
        ast->meaning = MEANS_CONSTANT;
        ast->type = TYPE_SEVERITY;
        ast->number = severity;
        return true;
    }
    if (resolve_lookup(ast, scope))
        return true;
    if (types_is_labels(ast))
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
        if (!types_check_label(ast, diag))
            return false;
    } else if (ast->kind != AST_NAME) {
        diagnose(diag, ast->span, "%s takes a field or a label here", role);
        return false;
    } else if (!resolve_field(ast)) {
        if (types_is_labels(ast))
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

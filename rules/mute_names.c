/* mute_names.c - see mute_names.h. */
#include "rules/mute_names.h"

#include <string.h>
#include "base/text.h"
#include "base/nearest.h"
#include "rules/bare_text.h"
#include "rules/printer.h"

static const char *const names[] = {"rule",   "tenant",   "priority", "severity",  "team", "tier",
                                    "source", "resource", "check",    "dedup_key", "host"};

enum { NAMES = sizeof(names) / sizeof(names[0]) };

static bool is_labels(const struct ast *ast)
{
    return ast != NULL && ast->kind == AST_NAME && text_equals(ast->text, "labels");
}

static bool is_name(struct text text)
{
    for (int i = 0; i < NAMES; i++)
        if (text_equals(text, names[i]))
            return true;
    return false;
}

/* P3 without quotes, as a rule has it. */
static bool is_priority(struct text text)
{
    return text.len == 2 && (text.at[0] | 0x20) == 'p' && text.at[1] >= '1' && text.at[1] <= '5';
}

static bool refuse_name(const struct ast *ast, struct diagnostics *diag)
{
    int shown = ast->text.len < 60 ? (int)ast->text.len : 60;
    const char *nearest = nearest_name(ast->text, names, NAMES);

    nearest = nearest != NULL ? nearest : severity_constant_meant(ast->text);

    if (is_labels(ast))
        diagnose(diag, ast->span, "labels needs a name here: labels.NAME");
    else if (is_priority(ast->text))
        diagnose(diag, ast->span, "a priority is text here: write \"P%c\", in quotes",
                 ast->text.at[1]);
    else if (nearest != NULL)
        diagnose(diag, ast->span, "an incident has no \"%.*s\"; did you mean \"%s\"?", shown,
                 ast->text.at, nearest);
    else
        diagnose(diag, ast->span,
                 "an incident has no \"%.*s\": it has rule, tenant, priority, severity, team, tier "
                 "and the fields of its rule's by; a text stands in quotes",
                 shown, ast->text.at);
    return false;
}

/* host -> labels["host"] */
static bool make_member(struct ast *ast, struct arena *arena, struct diagnostics *diag)
{
    struct ast *labels = arena_alloc(arena, sizeof(*labels));

    if (labels == NULL)
        return diagnose_memory(diag) != NULL;
    memset(labels, 0, sizeof(*labels));
    labels->kind = AST_NAME;
    labels->span = ast->span;
    labels->text = (struct text){"labels", 6};
    ast->kind = AST_MEMBER;
    ast->first = ast->last = labels;
    ast->count = 1;
    return true;
}

static enum bare_name bare_name(struct text name, const void *lookups)
{
    if (text_equals(name, "severity") || severity_constant_find(name) != SEVERITY_COUNT ||
        is_priority(name) || lookups_find_set(lookups, name) != NULL ||
        lookups_find_table(lookups, name) != NULL)
        return BARE_NAME_OTHER;
    if (is_name(name))
        return BARE_NAME_TEXT;
    return nearest_name(name, names, NAMES) != NULL ? BARE_NAME_SLIP : BARE_NAME_NOTHING;
}

/* Rule, tenant, priority and severity stand with every incident. */
static enum bare_lack bare_lack(struct text name, const void *lookups)
{
    static const char *const always[] = {"rule", "tenant", "priority", "severity"};

    (void)lookups;
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        if (text_equals(name, always[i]))
            return BARE_LACK_NEVER;
    return text_equals(name, "labels") ? BARE_LACK_NAME
           : is_name(name)             ? BARE_LACK_HAS
                                       : BARE_LACK_OTHER;
}

bool mute_names_resolve(struct ast *ast, const struct lookups *lookups, struct arena *arena,
                        struct diagnostics *diag)
{
    const struct bare_names names_here = {bare_name, bare_lack, lookups};
    bool is_good = true;

    if (!bare_text_check(ast, &names_here, diag))
        return false;
    if (ast->kind == AST_NAME) {
        if (text_equals(ast->text, "severity") ||
            severity_constant_find(ast->text) != SEVERITY_COUNT)
            return true;
        if (is_name(ast->text))
            return make_member(ast, arena, diag);
        return lookups_find_set(lookups, ast->text) != NULL ||
               lookups_find_table(lookups, ast->text) != NULL || refuse_name(ast, diag);
    }
    if (ast->kind == AST_MEMBER && is_labels(ast->first)) {
        const char *printed = label_print(ast->text, arena);
        if (printed == NULL)
            return diagnose_memory(diag) != NULL;
        ast->text = text_of(printed);
        return true;
    }
    if (ast->receiver != NULL)
        is_good = mute_names_resolve(ast->receiver, lookups, arena, diag);
    for (struct ast *child = ast->first; child != NULL; child = child->next)
        is_good = mute_names_resolve(child, lookups, arena, diag) && is_good;
    return is_good;
}

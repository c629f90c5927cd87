/* bare_text.c - see bare_text.h. */
#include "rules/bare_text.h"

#include <string.h>
#include "base/text.h"

enum { BARE_SHOWN_MAX = 60 }; /* bytes of the text in a sentence */

struct looking {
    bare_name_fn *meaning;
    const void *names;
};

static bool is_labels(const struct ast *ast)
{
    return ast->kind == AST_NAME && text_equals(ast->text, "labels");
}

/* A field or label that holds text. */
static bool is_text(const struct looking *looking, const struct ast *ast)
{
    if (ast->kind == AST_NAME)
        return looking->meaning(ast->text, looking->names) == BARE_NAME_TEXT;
    return (ast->kind == AST_MEMBER || ast->kind == AST_INDEX) && is_labels(ast->first);
}

/* Made of names, numbers and the signs that join them; `nothing` is set when a name of it is
 * none. Text has no arithmetic but +, so beside the other signs known names do not stand either.
 */
static bool is_words(const struct looking *looking, const struct ast *ast, bool *nothing)
{
    bool is_good = true;

    switch (ast->kind) {
    case AST_LITERAL:
        return ast->type == TYPE_INT || ast->type == TYPE_DOUBLE || ast->type == TYPE_DURATION;
    case AST_NAME:
        *nothing |= looking->meaning(ast->text, looking->names) <= BARE_NAME_SLIP;
        return !is_labels(ast);
    case AST_ARITHMETIC:
        *nothing |= ast->arithmetic != ARITHMETIC_ADD;
        break;
    case AST_MEMBER:
    case AST_NEGATE:
        break;
    default:
        return false;
    }
    for (const struct ast *child = ast->first; child != NULL && is_good; child = child->next)
        is_good = is_words(looking, child, nothing);
    return is_good;
}

static bool has_name(const struct ast *ast)
{
    if (ast->kind == AST_NAME)
        return true;
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        if (has_name(child))
            return true;
    return false;
}

/* A slip of the pen in a field's name is told as that, where it stands alone. */
static bool is_bare(const struct looking *looking, const struct ast *ast)
{
    bool nothing = false;

    if (ast->kind == AST_NAME)
        return looking->meaning(ast->text, looking->names) == BARE_NAME_NOTHING;
    return is_words(looking, ast, &nothing) && nothing && has_name(ast);
}

static bool refuse(const struct ast *ast, struct diagnostics *diag)
{
    const char *at = ast->span.script->text + ast->span.from;
    uint32_t bytes = ast->span.to - ast->span.from;

    if (bytes > BARE_SHOWN_MAX || memchr(at, '\n', bytes) != NULL)
        diagnose(diag, ast->span, "a text stands in quotes");
    else
        diagnose(diag, ast->span, "a text stands in quotes: \"%.*s\"", (int)bytes, at);
    return false;
}

static bool is_null(const struct looking *looking, const struct ast *ast)
{
    return ast->kind == AST_NAME && text_equals(ast->text, "null") &&
           looking->meaning(ast->text, looking->names) <= BARE_NAME_SLIP;
}

/* What may be there or not: has() is asked for it. A row of a table is asked for by `in`. */
static bool may_lack(const struct ast *ast)
{
    return ast->kind == AST_NAME || ast->kind == AST_MEMBER ||
           (ast->kind == AST_INDEX && is_labels(ast->first));
}

/* In quotes it would be a text that no event has. */
static bool refuse_null(const struct ast *null, const struct ast *of, bool is_asked_for,
                        struct diagnostics *diag)
{
    const char *at = of->span.script->text + of->span.from;
    uint32_t bytes = of->span.to - of->span.from;
    bool is_shown = bytes <= BARE_SHOWN_MAX && memchr(at, '\n', bytes) == NULL;

    diagnose(diag, null->span, "there is no null: write %shas(%.*s)", is_asked_for ? "!" : "",
             is_shown ? (int)bytes : 1, is_shown ? at : "x");
    return false;
}

/* startsWith() and its like: text behind text. */
static bool takes_text(const struct ast *ast)
{
    return ast->receiver != NULL && ast->count == 1 &&
           (text_equals(ast->text, "startsWith") || text_equals(ast->text, "endsWith") ||
            text_equals(ast->text, "contains") || text_equals(ast->text, "matches"));
}

bool bare_text_check(const struct ast *ast, bare_name_fn *meaning, const void *names,
                     struct diagnostics *diag)
{
    const struct looking looking = {meaning, names};
    bool is_good = true;

    if (ast->kind == AST_CALL)
        return !takes_text(ast) || !is_text(&looking, ast->receiver) ||
               !is_bare(&looking, ast->first) || refuse(ast->first, diag);
    if (ast->kind == AST_IN && ast->last->kind == AST_LIST && is_text(&looking, ast->first)) {
        for (const struct ast *item = ast->last->first; item != NULL; item = item->next)
            if (is_null(&looking, item))
                is_good = refuse_null(item, ast->first, true, diag);
            else if (is_bare(&looking, item))
                is_good = refuse(item, diag);
        return is_good;
    }
    if (ast->kind != AST_COMPARE)
        return true;
    if (ast->relation == RELATION_EQ || ast->relation == RELATION_NE) {
        bool is_asked_for = ast->relation == RELATION_EQ;
        if (is_null(&looking, ast->last) && may_lack(ast->first))
            return refuse_null(ast->last, ast->first, is_asked_for, diag);
        if (is_null(&looking, ast->first) && may_lack(ast->last))
            return refuse_null(ast->first, ast->last, is_asked_for, diag);
    }
    if (is_text(&looking, ast->first) && is_bare(&looking, ast->last))
        return refuse(ast->last, diag);
    return !is_text(&looking, ast->last) || !is_bare(&looking, ast->first) ||
           refuse(ast->first, diag);
}

/* bare_text.c - see bare_text.h. */
#include "rules/bare_text.h"

#include <string.h>
#include "base/text.h"

enum { BARE_SHOWN_MAX = 60 }; /* bytes of the text in a sentence */

static enum bare_name meaning_of(const struct bare_names *names, struct text name)
{
    return names->meaning(name, names->of);
}

static bool is_labels(const struct ast *ast)
{
    return ast->kind == AST_NAME && text_equals(ast->text, "labels");
}

/* A field or label that holds text. */
static bool is_text(const struct bare_names *names, const struct ast *ast)
{
    if (ast->kind == AST_NAME)
        return meaning_of(names, ast->text) == BARE_NAME_TEXT;
    return (ast->kind == AST_MEMBER || ast->kind == AST_INDEX) && is_labels(ast->first);
}

/* Made of names, numbers and the signs that join them; `nothing` is set when a name of it is
 * none. Text has no arithmetic but +, so beside the other signs known names do not stand either.
 */
static bool is_words(const struct bare_names *names, const struct ast *ast, bool *nothing)
{
    bool is_good = true;

    switch (ast->kind) {
    case AST_LITERAL:
        return ast->type == TYPE_INT || ast->type == TYPE_DOUBLE || ast->type == TYPE_DURATION;
    case AST_NAME:
        *nothing |= meaning_of(names, ast->text) <= BARE_NAME_SLIP;
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
        is_good = is_words(names, child, nothing);
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
static bool is_bare(const struct bare_names *names, const struct ast *ast)
{
    bool nothing = false;

    if (ast->kind == AST_NAME)
        return meaning_of(names, ast->text) == BARE_NAME_NOTHING;
    return is_words(names, ast, &nothing) && nothing && has_name(ast);
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

/* ---- null ---- */

/* Words for nothing; some of them are good texts as well. */
static const struct {
    const char *word;
    bool is_text;
} nothings[] = {
    {"null", false}, {"NULL", false}, {"nil", true}, {"None", true}, {"undefined", true}};

enum { NOTHINGS = sizeof(nothings) / sizeof(nothings[0]) };

/* What is true instead of `x == null` and of `x != null`. */
static const struct {
    bool is_shown; /* x itself stands between the two parts */
    const char *equal[2], *unequal[2];
} instead[] = {
    [BARE_LACK_HAS] = {true, {"write !has(", ")"}, {"write has(", ")"}},
    [BARE_LACK_NEVER] = {true,
                         {"", " is always there, so this would never be true"},
                         {"", " is always there, so this would always be true"}},
    [BARE_LACK_ALWAYS] = {true,
                          {"", " is never there, so this would always be true"},
                          {"", " is never there, so this would never be true"}},
    [BARE_LACK_SIZE] = {false, {"write size(labels) == 0", ""}, {"write size(labels) > 0", ""}},
    [BARE_LACK_NAME] = {false, {"write !has(labels.NAME)", ""}, {"write has(labels.NAME)", ""}},
    [BARE_LACK_OTHER] = {false,
                         {"has() asks whether a thing is there", ""},
                         {"has() asks whether a thing is there", ""}},
};

/* NOTHINGS: it is none. */
static size_t find_nothing(const struct bare_names *names, const struct ast *ast)
{
    size_t i = 0;

    if (ast->kind != AST_NAME || meaning_of(names, ast->text) > BARE_NAME_SLIP)
        return NOTHINGS;
    while (i < NOTHINGS && !text_equals(ast->text, nothings[i].word))
        i++;
    return i;
}

/* A label is asked for by a name that is written. A row of a table is asked for by `in`. */
static enum bare_lack lack_of(const struct bare_names *names, const struct ast *ast)
{
    bool is_cell =
        ast->kind == AST_MEMBER && ast->first->kind == AST_INDEX && !is_labels(ast->first->first);
    bool is_label =
        (ast->kind == AST_MEMBER || (ast->kind == AST_INDEX && ast->last->kind == AST_LITERAL)) &&
        is_labels(ast->first);

    if (ast->kind == AST_NAME)
        return names->lack(ast->text, names->of);
    return is_cell || is_label ? BARE_LACK_HAS : BARE_LACK_OTHER;
}

/* In quotes it would be a text that hardly an event has. */
static bool refuse_null(const struct bare_names *names, const struct ast *null,
                        const struct ast *of, bool is_equal, struct diagnostics *diag)
{
    const char *at = of->span.script->text + of->span.from;
    uint32_t bytes = of->span.to - of->span.from;
    bool is_short = bytes <= BARE_SHOWN_MAX && memchr(at, '\n', bytes) == NULL;
    size_t nothing = find_nothing(names, null);
    enum bare_lack lack = lack_of(names, of);
    const char *const *told = is_equal ? instead[lack].equal : instead[lack].unequal;

    diagnose(diag, null->span, "there is no %s: %s%.*s%s%s", nothings[nothing].word, told[0],
             !instead[lack].is_shown ? 0
             : is_short              ? (int)bytes
                                     : 1,
             is_short ? at : "x", told[1],
             nothings[nothing].is_text && is_text(names, of) ? "; a text stands in quotes" : "");
    return false;
}

static bool is_nothing(const struct bare_names *names, const struct ast *ast)
{
    return find_nothing(names, ast) < NOTHINGS;
}

/* startsWith() and its like: text behind text. */
static bool takes_text(const struct ast *ast)
{
    return ast->receiver != NULL && ast->count == 1 &&
           (text_equals(ast->text, "startsWith") || text_equals(ast->text, "endsWith") ||
            text_equals(ast->text, "contains") || text_equals(ast->text, "matches"));
}

static bool check_items(const struct ast *ast, const struct bare_names *names,
                        struct diagnostics *diag)
{
    bool is_good = true;

    for (const struct ast *item = ast->last->first; item != NULL; item = item->next)
        if (is_nothing(names, item))
            is_good = refuse_null(names, item, ast->first, true, diag);
        else if (is_text(names, ast->first) && is_bare(names, item))
            is_good = refuse(item, diag);
    return is_good;
}

bool bare_text_check(const struct ast *ast, const struct bare_names *names,
                     struct diagnostics *diag)
{
    bool is_equal = ast->kind == AST_COMPARE && ast->relation == RELATION_EQ;

    if (ast->kind == AST_CALL)
        return !takes_text(ast) || !is_text(names, ast->receiver) || !is_bare(names, ast->first) ||
               refuse(ast->first, diag);
    if (ast->kind == AST_IN && ast->last->kind == AST_LIST)
        return check_items(ast, names, diag);
    if (ast->kind != AST_COMPARE)
        return true;
    if (is_equal || ast->relation == RELATION_NE) {
        if (is_nothing(names, ast->last))
            return refuse_null(names, ast->last, ast->first, is_equal, diag);
        if (is_nothing(names, ast->first))
            return refuse_null(names, ast->first, ast->last, is_equal, diag);
    }
    if (is_text(names, ast->first) && is_bare(names, ast->last))
        return refuse(ast->last, diag);
    return !is_text(names, ast->last) || !is_bare(names, ast->first) || refuse(ast->first, diag);
}

/*
 * import_sigma_condition.c - `selection and not 1 of filter*`. See import_sigma.h.
 *
 *   or    = and { "or" and }
 *   and   = unary { "and" unary }
 *   unary = "not" unary | "(" or ")" | ("1" | "any" | "all") "of" ("them" | pattern) | name
 *
 * What follows a `|` (count() by x > 5) is the correlation of Sigma before 2.0, and refused.
 */
#include <string.h>
#include "daemon/import_sigma.h"
#include "rules/fields.h"

enum word { WORD_END, WORD_NAME, WORD_AND, WORD_OR, WORD_NOT, WORD_OPEN, WORD_CLOSE, WORD_BAD };

struct condition {
    struct sigma_build *build;
    const struct yaml_node *node;
    uint32_t at, from; /* behind the word, its first byte */
    enum word word;
    struct text text;
    unsigned depth;
};

static struct expr *read_or(struct condition *c);

/* Says why at the present word, and is NULL. */
static struct expr *refuse(struct condition *c, const char *why)
{
    uint32_t to = c->at > c->from ? c->at : c->from + 1;

    if (c->word != WORD_BAD)
        import_find(c->build->work, yaml_node_span(c->node, c->from, to), IMPORT_LEFT_OUT,
                    "condition", "%s", why);
    c->word = WORD_BAD;
    return NULL;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '*' || c == '-' || c == '.' || (unsigned char)c >= 0x80;
}

static bool is_word(struct text text, const char *word)
{
    uint32_t i = 0;

    for (; i < text.len && word[i] != '\0'; i++) {
        char c = text.at[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c) != word[i])
            return false;
    }
    return i == text.len && word[i] == '\0';
}

static enum word name_kind(struct text text)
{
    return is_word(text, "and")   ? WORD_AND
           : is_word(text, "or")  ? WORD_OR
           : is_word(text, "not") ? WORD_NOT
                                  : WORD_NAME;
}

static void next(struct condition *c)
{
    const char *text = c->node->text.at;
    uint32_t end = c->node->text.len;

    if (c->word == WORD_BAD)
        return;
    while (c->at < end && strchr(" \t\r\n", text[c->at]) != NULL && text[c->at] != '\0')
        c->at++;
    c->from = c->at;
    if (c->at == end) {
        c->word = WORD_END;
        return;
    }
    if (text[c->at] == '(' || text[c->at] == ')') {
        c->word = text[c->at++] == '(' ? WORD_OPEN : WORD_CLOSE;
        return;
    }
    while (c->at < end && is_name_byte(text[c->at]))
        c->at++;
    c->text = (struct text){text + c->from, c->at - c->from};
    if (c->text.len > 0) {
        c->word = name_kind(c->text);
        return;
    }
    c->at++;
    refuse(c, text[c->from] == '|'
                  ? "what follows | is the correlation of Sigma before 2.0: write it as a "
                    "correlation rule"
                  : "this character has no place in a condition");
}

/* The present word, cut for a sentence. */
static int shown(const struct condition *c)
{
    return c->text.len < 80 ? (int)c->text.len : 80;
}

/* A name that no search identifier has, with the nearest that one has. */
static struct expr *refuse_name(struct condition *c)
{
    struct import_work *work = c->build->work;

    return refuse(c, import_name(work, "there is no search identifier \"%.*s\"%s", shown(c),
                                 c->text.at, import_near_key(work, c->text, c->build->detection)));
}

/* What follows a whole condition is most often a misspelt `and` or `or`. */
static struct expr *refuse_rest(struct condition *c)
{
    static const char *const words[] = {"and", "or"};
    struct import_work *work = c->build->work;

    if (c->word != WORD_NAME)
        return refuse(c, "and, or or the end is wanted here");
    return refuse(c, import_name(work, "and, or or the end is wanted here, not \"%.*s\"%s",
                                 shown(c), c->text.at, import_near(work, c->text, words, 2)));
}

/* `*` stands for anything. */
static bool pattern_fits(struct text pattern, struct text name)
{
    uint32_t p = 0, n = 0, star = UINT32_MAX, resume = 0;

    while (n < name.len) {
        if (p < pattern.len && pattern.at[p] == '*') {
            star = ++p;
            resume = n;
        } else if (p < pattern.len && pattern.at[p] == name.at[n]) {
            p++;
            n++;
        } else if (star != UINT32_MAX) {
            p = star;
            n = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*')
        p++;
    return p == pattern.len;
}

static bool is_search(const struct yaml_node *node)
{
    return !text_equals(node->key->text, "condition") && !text_equals(node->key->text, "timeframe");
}

/* `1 of x*` is an or, `all of x*` an and. */
static struct expr *read_of(struct condition *c, bool is_all)
{
    struct expr *joined = NULL;
    struct text pattern;
    bool is_them, is_any = false;

    next(c); /* "of" */
    next(c);
    if (c->word != WORD_NAME)
        return refuse(c, "of is followed by them, or by a name with * in it");
    pattern = c->text;
    is_them = is_word(pattern, "them");
    for (const struct yaml_node *node = c->build->detection->first; node != NULL;
         node = node->next) {
        struct text name = node->key->text;
        struct expr *expr;
        if (!is_search(node) || (is_them ? name.at[0] == '_' : !pattern_fits(pattern, name)))
            continue;
        is_any = true;
        expr = sigma_search_named(c->build, node);
        if (expr == NULL) {
            c->word = WORD_BAD; /* told there */
            return NULL;
        }
        joined = expr_join(&c->build->expr, is_all ? EXPR_AND : EXPR_OR, joined, expr);
    }
    if (!is_any)
        return refuse(c,
                      import_name(c->build->work, "no search identifier has a name like \"%.*s\"",
                                  shown(c), pattern.at));
    next(c);
    return joined;
}

static bool of_follows(const struct condition *c)
{
    struct condition ahead = *c;
    uint32_t at = ahead.at, end = c->node->text.len;
    const char *text = c->node->text.at;

    while (at < end && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n'))
        at++;
    return end - at >= 2 && is_word((struct text){text + at, 2}, "of") &&
           (end - at == 2 || !is_name_byte(text[at + 2]));
}

static struct expr *read_name(struct condition *c)
{
    const struct yaml_node *node;
    struct expr *expr;

    if (of_follows(c)) {
        bool is_all = is_word(c->text, "all");
        if (!is_all && !is_word(c->text, "1") && !is_word(c->text, "any"))
            return refuse(c, "1, any or all stands before of");
        return read_of(c, is_all);
    }
    node = yaml_node_find(c->build->detection,
                          import_pool_copy(&c->build->work->scratch, c->text.at, c->text.len));
    if (node == NULL || !is_search(node))
        return refuse_name(c);
    expr = sigma_search_named(c->build, node);
    if (expr == NULL) {
        c->word = WORD_BAD; /* told there */
        return NULL;
    }
    next(c);
    return expr;
}

static struct expr *read_unary(struct condition *c)
{
    struct expr *expr;
    bool is_negated = false;

    while (c->word == WORD_NOT) {
        is_negated = !is_negated;
        next(c);
    }
    if (c->word == WORD_OPEN) {
        if (c->depth == SIGMA_DEPTH_MAX)
            return refuse(c, "parentheses are nested too deep");
        c->depth++;
        next(c);
        expr = read_or(c);
        c->depth--;
        if (expr != NULL && c->word != WORD_CLOSE)
            return refuse(c, ") is missing");
        next(c);
    } else if (c->word == WORD_NAME) {
        expr = read_name(c);
    } else {
        return refuse(c, "a search identifier is wanted here");
    }
    if (expr == NULL || c->word == WORD_BAD)
        return NULL;
    return is_negated ? expr_not(&c->build->expr, expr) : expr;
}

static struct expr *read_and(struct condition *c)
{
    struct expr *expr = read_unary(c);

    while (expr != NULL && c->word == WORD_AND) {
        next(c);
        struct expr *right = read_unary(c);
        if (right == NULL)
            return NULL;
        expr = expr_join(&c->build->expr, EXPR_AND, expr, right);
    }
    return expr;
}

static struct expr *read_or(struct condition *c)
{
    struct expr *expr = read_and(c);

    while (expr != NULL && c->word == WORD_OR) {
        next(c);
        struct expr *right = read_and(c);
        if (right == NULL)
            return NULL;
        expr = expr_join(&c->build->expr, EXPR_OR, expr, right);
    }
    return expr;
}

struct expr *sigma_condition(struct sigma_build *build, const struct yaml_node *node)
{
    struct condition c = {.build = build, .node = node, .word = WORD_END};
    struct expr *expr;

    if (node->kind != YAML_SCALAR || node->text.len > SIGMA_CONDITION_BYTES_MAX) {
        import_find(build->work, node->span, IMPORT_LEFT_OUT, "condition",
                    "a condition is text of at most %d bytes", SIGMA_CONDITION_BYTES_MAX);
        return NULL;
    }
    next(&c);
    expr = read_or(&c);
    if (expr != NULL && c.word != WORD_END)
        return refuse_rest(&c);
    return c.word == WORD_BAD ? NULL : expr;
}

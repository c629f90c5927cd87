/* parser.c - recursive descent, one token ahead, bounded in depth. See parser.h. */
#include "rules/parser.h"

#include <string.h>
#include "rules/lexer.h"

enum { LABEL_SHOWN_MAX = 64 }; /* bytes of a label's name in a sentence */

struct parser {
    struct lexer lexer;
    struct token token; /* the next one */
    uint32_t last_to;   /* end of the token before */
    unsigned depth;
};

static struct ast *parse_any(struct parser *parser);
static struct ast *parse_unary(struct parser *parser);

const char *relation_sign(enum relation relation)
{
    static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};

    return signs[relation];
}

const char *arithmetic_sign(enum arithmetic arithmetic)
{
    static const char *const signs[] = {"+", "-", "*", "/", "%"};

    return signs[arithmetic];
}

void ast_add_child(struct ast *parent, struct ast *child)
{
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static void advance(struct parser *parser)
{
    parser->last_to = parser->token.to;
    parser->token = lexer_next(&parser->lexer);
}

static struct span span_of(const struct parser *parser, uint32_t from, uint32_t to)
{
    return yaml_node_span(parser->lexer.node, from, to);
}

/* What to write for a word of other languages that stands where an operator should; else NULL. */
static const char *operator_meant(const struct token *token)
{
    static const struct {
        const char *word, *advice;
    } words[] = {
        {"and", "write && for \"and\""},
        {"AND", "write && for \"and\""},
        {"or", "write || for \"or\""},
        {"OR", "write || for \"or\""},
        {"not", "write !(a in b) for \"a not in b\""},
        {"NOT", "write !(a in b) for \"a not in b\""},
        {"IN", "write in for \"IN\""},
        {"is", "write == to compare"},
        {"equals", "write == to compare"},
        {"like",
         "write FIELD.contains(\"...\"), FIELD.startsWith(\"...\") or FIELD.matches(r\"...\")"},
        {"LIKE",
         "write FIELD.contains(\"...\"), FIELD.startsWith(\"...\") or FIELD.matches(r\"...\")"},
        {"contains", "a text is looked into by a function: write FIELD.contains(\"...\")"},
        {"startsWith", "a text is looked into by a function: write FIELD.startsWith(\"...\")"},
        {"startswith", "a text is looked into by a function: write FIELD.startsWith(\"...\")"},
        {"endsWith", "a text is looked into by a function: write FIELD.endsWith(\"...\")"},
        {"endswith", "a text is looked into by a function: write FIELD.endsWith(\"...\")"},
        {"matches", "a pattern is asked for by a function: write FIELD.matches(r\"...\")"},
    };

    for (size_t i = 0; token->kind == TOKEN_NAME && i < sizeof(words) / sizeof(words[0]); i++)
        if (text_equals(token->text, words[i].word))
            return words[i].advice;
    return NULL;
}

/* Diagnoses at the next token, unless the lexer did so already. */
static struct ast *expected(struct parser *parser, const char *what)
{
    const char *meant = operator_meant(&parser->token);

    if (meant != NULL)
        diagnose(parser->lexer.diag, span_of(parser, parser->token.from, parser->token.to), "%s",
                 meant);
    else if (parser->token.kind == TOKEN_END)
        diagnose(parser->lexer.diag, span_of(parser, parser->token.from, parser->token.to),
                 "the expression ends where %s should follow", what);
    else if (parser->token.kind != TOKEN_BAD)
        diagnose(parser->lexer.diag, span_of(parser, parser->token.from, parser->token.to),
                 "expected %s here", what);
    return NULL;
}

static bool enter(struct parser *parser)
{
    if (parser->depth++ < EXPRESSION_DEPTH_MAX)
        return true;
    diagnose(parser->lexer.diag, span_of(parser, parser->token.from, parser->token.to),
             "the expression is nested deeper than %d levels", EXPRESSION_DEPTH_MAX);
    return false;
}

static struct ast *node_create(struct parser *parser, enum ast_kind kind, uint32_t from)
{
    struct ast *ast = arena_alloc(parser->lexer.arena, sizeof(*ast));

    if (ast == NULL)
        return diagnose_memory(parser->lexer.diag);
    ast->kind = kind;
    ast->span = span_of(parser, from, parser->last_to);
    return ast;
}

/* Children separated by commas, up to `close`. */
static bool parse_children(struct parser *parser, struct ast *parent, enum token_kind close,
                           const char *close_name)
{
    advance(parser);
    while (parser->token.kind != close) {
        struct ast *child;
        if (parent->count > 0) {
            if (parser->token.kind != TOKEN_COMMA) {
                expected(parser, close_name);
                return false;
            }
            advance(parser);
        }
        child = parse_any(parser);
        if (child == NULL)
            return false;
        ast_add_child(parent, child);
    }
    advance(parser);
    return true;
}

/* `name` is the token before the parenthesis. */
static struct ast *parse_arguments(struct parser *parser, struct ast *call, uint32_t from,
                                   const struct token *name)
{
    call->kind = AST_CALL;
    call->name = span_of(parser, name->from, name->to);
    if (!parse_children(parser, call, TOKEN_CLOSE, "\",\" or \")\""))
        return NULL;
    call->span = span_of(parser, from, parser->last_to);
    return call;
}

static struct ast *parse_list(struct parser *parser)
{
    uint32_t from = parser->token.from;
    struct ast *list = node_create(parser, AST_LIST, from);

    if (list == NULL || !parse_children(parser, list, TOKEN_LIST_CLOSE, "\",\" or \"]\""))
        return NULL;
    list->span = span_of(parser, from, parser->last_to);
    return list;
}

static struct ast *parse_literal(struct parser *parser)
{
    struct token token = parser->token;
    struct ast *ast;

    advance(parser);
    ast = node_create(parser, AST_LITERAL, token.from);
    if (ast == NULL)
        return NULL;
    ast->text = token.text;
    ast->number = token.number;
    ast->real = token.real;
    ast->type = token.kind == TOKEN_STRING     ? TYPE_TEXT
                : token.kind == TOKEN_INT      ? TYPE_INT
                : token.kind == TOKEN_DOUBLE   ? TYPE_DOUBLE
                : token.kind == TOKEN_DURATION ? TYPE_DURATION
                                               : TYPE_BOOL;
    if (token.kind == TOKEN_NAME)
        ast->number = text_equals(token.text, "true");
    return ast;
}

/* `not x`, `NOT x`, `NOT (x)`; in capitals it may be a name, then an operator or the end follows.
 */
static bool is_negation(const struct token *word, const struct token *next)
{
    return text_equals(word->text, "not") ||
           (text_equals(word->text, "NOT") &&
            (next->kind == TOKEN_OPEN || next->kind == TOKEN_NOT ||
             (next->kind == TOKEN_NAME && !text_equals(next->text, "in"))));
}

static struct ast *parse_name(struct parser *parser)
{
    struct token token = parser->token;
    struct ast *ast;

    if (text_equals(token.text, "true") || text_equals(token.text, "false"))
        return parse_literal(parser);
    advance(parser);
    if (is_negation(&token, &parser->token)) {
        diagnose(parser->lexer.diag, span_of(parser, token.from, token.to), "write ! for \"not\"");
        return NULL;
    }
    ast = node_create(parser, AST_NAME, token.from);
    if (ast == NULL)
        return NULL;
    ast->text = token.text;
    return parser->token.kind == TOKEN_OPEN ? parse_arguments(parser, ast, token.from, &token)
                                            : ast;
}

static struct ast *parse_group(struct parser *parser)
{
    uint32_t from = parser->token.from;
    struct ast *ast;

    advance(parser);
    ast = parse_any(parser);
    if (ast == NULL)
        return NULL;
    if (parser->token.kind != TOKEN_CLOSE)
        return expected(parser, "\")\"");
    advance(parser);
    ast->span = span_of(parser, from, parser->last_to);
    return ast;
}

static struct ast *parse_primary(struct parser *parser)
{
    switch (parser->token.kind) {
    case TOKEN_STRING:
    case TOKEN_INT:
    case TOKEN_DOUBLE:
    case TOKEN_DURATION:
        return parse_literal(parser);
    case TOKEN_NAME:
        return parse_name(parser);
    case TOKEN_OPEN:
        return parse_group(parser);
    case TOKEN_LIST_OPEN:
        return parse_list(parser);
    default:
        return expected(parser, "a field, a value or \"(\"");
    }
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* `labels.my-label`: a label is text, which has no minus, so what is joined on is of its name.
 * False with a sentence. */
static bool check_label_name(struct parser *parser, const struct token *name)
{
    const char *text = parser->lexer.text;
    uint32_t end = parser->lexer.end, to = name->to;

    while (end - to > 1 && text[to] == '-' && is_word(text[to + 1]) &&
           (to > name->to || text[to + 1] < '0' || text[to + 1] > '9'))
        for (to++; to < end && is_word(text[to]);)
            to++;
    if (to == name->to)
        return true;
    diagnose(parser->lexer.diag, span_of(parser, name->from, to),
             "a label with a minus in its name stands in brackets: labels[\"%.*s\"]",
             (int)(to - name->from < LABEL_SHOWN_MAX ? to - name->from : LABEL_SHOWN_MAX),
             text + name->from);
    return false;
}

/* `operand.name`, `operand.name(...)` */
static struct ast *parse_dot(struct parser *parser, struct ast *operand, uint32_t from)
{
    struct ast *ast;

    advance(parser);
    if (operand->kind == AST_LITERAL && operand->type != TYPE_TEXT &&
        (parser->token.kind == TOKEN_INT || parser->token.kind == TOKEN_DOUBLE)) {
        diagnose(parser->lexer.diag, span_of(parser, from, parser->token.to),
                 "this is no number: an address or a version is text and stands in quotes");
        return NULL;
    }
    if (parser->token.kind != TOKEN_NAME)
        return expected(parser, "a name");
    struct token name = parser->token;
    if (operand->kind == AST_NAME && text_equals(operand->text, "labels") &&
        !check_label_name(parser, &name))
        return NULL;
    advance(parser);
    ast = node_create(parser, AST_MEMBER, from);
    if (ast == NULL)
        return NULL;
    ast->text = name.text;
    if (parser->token.kind == TOKEN_OPEN) {
        ast->receiver = operand;
        return parse_arguments(parser, ast, from, &name);
    }
    ast_add_child(ast, operand);
    return ast;
}

/* `operand[key]` */
static struct ast *parse_index(struct parser *parser, struct ast *operand, uint32_t from)
{
    struct ast *key, *ast;

    advance(parser);
    key = parse_any(parser);
    if (key == NULL)
        return NULL;
    if (parser->token.kind != TOKEN_LIST_CLOSE)
        return expected(parser, "\"]\"");
    advance(parser);
    ast = node_create(parser, AST_INDEX, from);
    if (ast == NULL)
        return NULL;
    ast_add_child(ast, operand);
    if (key->kind == AST_LITERAL && key->type == TYPE_TEXT && operand->kind == AST_NAME &&
        text_equals(operand->text, "labels")) {
        ast->kind = AST_MEMBER;
        ast->text = key->text;
    } else {
        ast_add_child(ast, key);
    }
    return ast;
}

static struct ast *parse_postfix(struct parser *parser)
{
    uint32_t from = parser->token.from;
    unsigned depth = parser->depth;
    struct ast *ast = parse_primary(parser);

    /* Each step nests the tree by one level, so each counts. */
    while (ast != NULL &&
           (parser->token.kind == TOKEN_DOT || parser->token.kind == TOKEN_LIST_OPEN)) {
        if (!enter(parser))
            return NULL;
        ast = parser->token.kind == TOKEN_DOT ? parse_dot(parser, ast, from)
                                              : parse_index(parser, ast, from);
    }
    parser->depth = depth;
    return ast;
}

/* A number behind a minus is a negative number; before anything else the minus is an operator. */
static struct ast *parse_negative(struct parser *parser, uint32_t from)
{
    struct ast *ast = parse_literal(parser);

    if (ast == NULL)
        return NULL;
    ast->number = -ast->number;
    ast->real = -ast->real;
    ast->span = span_of(parser, from, parser->last_to);
    return ast;
}

static struct ast *parse_unary(struct parser *parser)
{
    struct token sign = parser->token;
    struct ast *operand, *ast = NULL;

    if (sign.kind != TOKEN_NOT && sign.kind != TOKEN_MINUS)
        return parse_postfix(parser);
    if (!enter(parser))
        return NULL;
    advance(parser);
    if (sign.kind == TOKEN_MINUS &&
        (parser->token.kind == TOKEN_INT || parser->token.kind == TOKEN_DOUBLE ||
         parser->token.kind == TOKEN_DURATION)) {
        parser->depth--;
        return parse_negative(parser, sign.from);
    }
    operand = parse_unary(parser);
    parser->depth--;
    if (operand != NULL)
        ast = node_create(parser, sign.kind == TOKEN_NOT ? AST_NOT : AST_NEGATE, sign.from);
    if (ast != NULL)
        ast_add_child(ast, operand);
    return ast;
}

/* Operators of one rank, from left to right. Each nests the tree by one level, so each counts. */
static struct ast *parse_arithmetic(struct parser *parser, enum token_kind first,
                                    enum token_kind last,
                                    struct ast *(*parse_part)(struct parser *))
{
    static const enum arithmetic signs[] = {
        [TOKEN_PLUS] = ARITHMETIC_ADD,          [TOKEN_MINUS] = ARITHMETIC_SUBTRACT,
        [TOKEN_STAR] = ARITHMETIC_MULTIPLY,     [TOKEN_SLASH] = ARITHMETIC_DIVIDE,
        [TOKEN_PERCENT] = ARITHMETIC_REMAINDER,
    };
    uint32_t from = parser->token.from;
    unsigned depth = parser->depth;
    struct ast *left = parse_part(parser);

    while (left != NULL && parser->token.kind >= first && parser->token.kind <= last) {
        enum arithmetic sign = signs[parser->token.kind];
        struct ast *right, *ast;
        if (!enter(parser))
            return NULL;
        advance(parser);
        right = parse_part(parser);
        ast = right != NULL ? node_create(parser, AST_ARITHMETIC, from) : NULL;
        if (ast != NULL) {
            ast->arithmetic = sign;
            ast_add_child(ast, left);
            ast_add_child(ast, right);
        }
        left = ast;
    }
    parser->depth = depth;
    return left;
}

static struct ast *parse_product(struct parser *parser)
{
    return parse_arithmetic(parser, TOKEN_STAR, TOKEN_PERCENT, parse_unary);
}

static struct ast *parse_sum(struct parser *parser)
{
    return parse_arithmetic(parser, TOKEN_PLUS, TOKEN_MINUS, parse_product);
}

static bool at_relation(const struct parser *parser)
{
    return (parser->token.kind >= TOKEN_EQ && parser->token.kind <= TOKEN_GE) ||
           (parser->token.kind == TOKEN_NAME && text_equals(parser->token.text, "in"));
}

static struct ast *parse_relation(struct parser *parser)
{
    uint32_t from = parser->token.from;
    struct ast *left = parse_sum(parser), *right, *ast;
    struct token sign = parser->token;

    if (left == NULL || !at_relation(parser))
        return left;
    advance(parser);
    right = parse_sum(parser);
    if (right == NULL)
        return NULL;
    if (at_relation(parser)) {
        diagnose(parser->lexer.diag, span_of(parser, parser->token.from, parser->token.to),
                 "comparisons do not chain: write a < b && b < c");
        return NULL;
    }
    ast = node_create(parser, sign.kind == TOKEN_NAME ? AST_IN : AST_COMPARE, from);
    if (ast == NULL)
        return NULL;
    if (ast->kind == AST_COMPARE)
        ast->relation = (enum relation)(sign.kind - TOKEN_EQ);
    ast_add_child(ast, left);
    ast_add_child(ast, right);
    return ast;
}

/* One level of && or ||: the children side by side, however many there are. */
static struct ast *parse_chain(struct parser *parser, enum token_kind sign, enum ast_kind kind,
                               struct ast *(*parse_part)(struct parser *))
{
    uint32_t from = parser->token.from;
    struct ast *part = parse_part(parser), *ast = NULL;

    if (part == NULL || parser->token.kind != sign)
        return part;
    ast = node_create(parser, kind, from);
    if (ast == NULL)
        return NULL;
    ast_add_child(ast, part);
    while (parser->token.kind == sign) {
        advance(parser);
        part = parse_part(parser);
        if (part == NULL)
            return NULL;
        ast_add_child(ast, part);
    }
    ast->span = span_of(parser, from, parser->last_to);
    return ast;
}

static struct ast *parse_and(struct parser *parser)
{
    return parse_chain(parser, TOKEN_AND, AST_AND, parse_relation);
}

static struct ast *parse_or(struct parser *parser)
{
    return parse_chain(parser, TOKEN_OR, AST_OR, parse_and);
}

/* `condition ? first : second`; the second may be another such, without parentheses. */
static struct ast *parse_choice(struct parser *parser, struct ast *condition, uint32_t from)
{
    struct ast *first, *second, *ast;

    advance(parser);
    first = parse_or(parser);
    if (first == NULL)
        return NULL;
    if (parser->token.kind != TOKEN_COLON)
        return expected(parser, "\":\"");
    advance(parser);
    second = parse_any(parser);
    if (second == NULL)
        return NULL;
    ast = node_create(parser, AST_CHOOSE, from);
    if (ast == NULL)
        return NULL;
    ast_add_child(ast, condition);
    ast_add_child(ast, first);
    ast_add_child(ast, second);
    return ast;
}

static struct ast *parse_any(struct parser *parser)
{
    uint32_t from = parser->token.from;
    struct ast *ast;

    if (!enter(parser))
        return NULL;
    ast = parse_or(parser);
    if (ast != NULL && parser->token.kind == TOKEN_QUESTION)
        ast = parse_choice(parser, ast, from);
    parser->depth--;
    return ast;
}

/* `check == disk full`: a comparison ends in a name, and a word follows. */
static bool is_text_of_words(const struct ast *ast, const struct token *next)
{
    while (ast->kind == AST_AND || ast->kind == AST_OR)
        ast = ast->last;
    return ast->kind == AST_COMPARE && ast->last->kind == AST_NAME && next->kind == TOKEN_NAME;
}

static struct ast *trailing(struct parser *parser, const struct ast *ast)
{
    struct token token = parser->token;

    if (token.kind == TOKEN_CLOSE || token.kind == TOKEN_LIST_CLOSE)
        diagnose(parser->lexer.diag, span_of(parser, token.from, token.to),
                 "nothing was opened that this could close");
    else if (operator_meant(&token) == NULL && is_text_of_words(ast, &token))
        diagnose(parser->lexer.diag, span_of(parser, token.from, token.to),
                 "expected an operator or the end here; a text stands in quotes");
    else
        expected(parser, "an operator or the end");
    return NULL;
}

struct ast *parse_expression(const struct yaml_node *node, uint32_t from, uint32_t to,
                             struct arena *arena, struct diagnostics *diag)
{
    struct parser parser = {.depth = 0};
    struct ast *ast;

    if (to - from > EXPRESSION_BYTES_MAX) {
        diagnose(diag, yaml_node_span(node, from, from + 1), "an expression has at most %d bytes",
                 EXPRESSION_BYTES_MAX);
        return NULL;
    }
    lexer_init(&parser.lexer, node, from, to, arena, diag);
    advance(&parser);
    ast = parse_any(&parser);
    if (ast != NULL && parser.token.kind != TOKEN_END)
        ast = trailing(&parser, ast);
    return ast;
}

struct ast *parse_node(const struct yaml_node *node, struct arena *arena, struct diagnostics *diag)
{
    if (node->kind != YAML_SCALAR) {
        diagnose(diag, node->span, "an expression should stand here, not %s%s",
                 yaml_kind_name(node->kind), yaml_unquoted_hint(node->kind));
        return NULL;
    }
    return parse_expression(node, 0, node->text.len, arena, diag);
}

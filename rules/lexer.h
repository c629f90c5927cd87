/*
 * lexer.h - expression text into tokens.
 *
 * Numbers are read without the C library's locale. A duration is digits and a
 * unit without a blank between: 90s, 1h30m, 500ms. In a raw text, r"\d+", a backslash is one.
 */
#ifndef RULES_LEXER_H
#define RULES_LEXER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "rules/diagnostics.h"
#include "rules/yaml_reader.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,     /* text: the word */
    TOKEN_STRING,   /* text: escapes resolved, in the arena */
    TOKEN_INT,      /* number */
    TOKEN_DOUBLE,   /* real */
    TOKEN_DURATION, /* number, milliseconds */
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_QUESTION,
    TOKEN_COLON,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_LIST_OPEN,
    TOKEN_LIST_CLOSE,
    TOKEN_COMMA,
    TOKEN_DOT,
    TOKEN_BAD, /* diagnosed already */
};

struct token {
    enum token_kind kind;
    uint32_t from, to; /* in the scalar's text */
    struct text text;
    int64_t number;
    double real;
};

struct lexer {
    const struct yaml_node *node;
    const char *text;
    uint32_t at, end;
    struct arena *arena;
    struct diagnostics *diag;
};

/* Reads bytes [from, to) of a scalar. */
void lexer_init(struct lexer *lexer, const struct yaml_node *node, uint32_t from, uint32_t to,
                struct arena *arena, struct diagnostics *diag);

struct token lexer_next(struct lexer *lexer);

/* A scalar that is one duration, "10m". False with a diagnosis otherwise. */
bool lexer_read_duration(const struct yaml_node *node, struct diagnostics *diag, int64_t *ms);

/* The same for text inside an expression, duration("10m"): NULL, or why it is none. */
const char *duration_parse(struct text text, int64_t *ms);

#endif

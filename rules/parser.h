/*
 * parser.h - tokens into a tree.
 *
 *   expression = or [ "?" or ":" expression ]
 *   or         = and { "||" and }
 *   and        = relation { "&&" relation }
 *   relation   = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") sum ]
 *   sum        = product { ("+" | "-") product }
 *   product    = unary { ("*" | "/" | "%") unary }
 *   unary      = ("!" | "-") unary | postfix
 *   postfix    = primary { "." name [ arguments ] | "[" expression "]" }
 *   primary    = literal | name [ arguments ] | list | "(" expression ")"
 *   arguments  = "(" [ expression { "," expression } ] ")"
 *   list       = "[" [ expression { "," expression } ] "]"
 */
#ifndef RULES_PARSER_H
#define RULES_PARSER_H

#include "base/arena.h"
#include "rules/ast.h"
#include "rules/yaml_reader.h"

enum {
    EXPRESSION_BYTES_MAX = 16 << 10,
    EXPRESSION_DEPTH_MAX = 64,
};

/* Reads bytes [from, to) of a scalar as one expression.
 * Errors: NULL, with one diagnosis (or memory noted). */
struct ast *parse_expression(const struct yaml_node *node, uint32_t from, uint32_t to,
                             struct arena *arena, struct diagnostics *diag);

/* The whole scalar. A list or map in its place is diagnosed. */
struct ast *parse_node(const struct yaml_node *node, struct arena *arena, struct diagnostics *diag);

#endif

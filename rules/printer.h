/*
 * printer.h - a checked or unchecked tree as canonical text: every operator in
 * parentheses, durations in milliseconds, no optional blanks. Two expressions
 * with the same canonical text mean the same.
 */
#ifndef RULES_PRINTER_H
#define RULES_PRINTER_H

#include "base/arena.h"
#include "rules/ast.h"

/* Returns zero-terminated text in the arena, NULL when memory is short. */
const char *ast_print(const struct ast *ast, struct arena *arena);

/* How a label is written: labels.rack, or labels["k8s/name"]. */
const char *label_print(struct text name, struct arena *arena);

#endif

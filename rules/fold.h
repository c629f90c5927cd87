/*
 * fold.h - what can be computed when a file is read, is.
 *
 * 2 * 60 becomes 120, "a" + "b" becomes "ab", so that rules may say how they came to a number at
 * no cost when they run, and so that a mistake in it is found at once.
 */
#ifndef RULES_FOLD_H
#define RULES_FOLD_H

#include "base/arena.h"
#include "rules/ast.h"

/* Turns a checked tree whose operands are all constants into a constant; leaves others as they are.
 * Only the root is looked at: parts have been folded before.
 * Errors: false, diagnosed (or memory noted). */
bool fold(struct ast *ast, struct arena *arena, struct diagnostics *diag);

#endif

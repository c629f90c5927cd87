/*
 * meaning.h - two expressions that say the same in other words have the same digest.
 *
 * A rule keeps its windows over a reload while its digests stay (struct rule, `form`), so this
 * file decides what counts as unchanged. It goes by the tree after the type check: blanks, quotes,
 * parentheses, units of a duration, variables, and what can be computed at load are gone by then.
 * On top of that it looks away from
 *
 *   the order of the sides of && and of ||, and parentheses among equal signs
 *   the sides of a comparison: 5 < value is value > 5; 5 and 5.0 compared with a number
 *   the order inside a list after `in`
 *   names of sets and tables: what they hold counts
 *
 * All of these leave the value of an expression as it is, errors of evaluation included. Nothing
 * cleverer is tried: `count() > 4` is not `count() >= 5`.
 */
#ifndef RULES_MEANING_H
#define RULES_MEANING_H

#include "base/event.h"
#include "rules/ast.h"

struct id128 ast_digest(const struct ast *ast);

#endif

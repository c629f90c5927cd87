/*
 * impossible.h - conditions that no event can meet are slips of the pen, and told as such.
 *
 *   value > 5 && value < 3          check == "a" && check in ["b", "c"]
 *   severity > CRITICAL             host.startsWith("db") && host == "web01"
 *
 * Looked at are the sides of each && that test one field or label against constants, two by two,
 * and what turned out to be false when it was computed at load. `false` as such is somebody's
 * intention.
 */
#ifndef RULES_IMPOSSIBLE_H
#define RULES_IMPOSSIBLE_H

#include "rules/ast.h"

/* Of a checked tree.
 * Errors: false, diagnosed. */
bool impossible_check(const struct ast *ast, struct diagnostics *diag);

#endif

/*
 * mute_names.h - what the expressions of mutes can name: the fields of an incident.
 */
#ifndef RULES_MUTE_NAMES_H
#define RULES_MUTE_NAMES_H

#include "base/arena.h"
#include "rules/ast.h"
#include "rules/lookups.h"

/* Turns each name of an incident (rule, team, host, labels.rack ...) into a label under that
 * very name, which is how mute_view_begin() packs an incident; `severity` stays. Afterwards the
 * tree is checked and compiled like a `where`. Sets and tables stay what they are.
 * Errors: false, diagnosed: a name that no incident has. */
bool mute_names_resolve(struct ast *ast, const struct lookups *lookups, struct arena *arena,
                        struct diagnostics *diag);

#endif

/*
 * enrich_clears.h - does a step that drops take clears along, which its author had not in mind?
 *
 *   check == "ping" && severity <= INFO                        the clear of a critical ping, too
 *   check == "ping" && severity <= INFO && state == "problem"  only what is no worse than INFO
 *
 * A clear is OK unless it says otherwise, so what asks for little severity is true of the clear of
 * any problem, and the problem then never ends by it.
 */
#ifndef RULES_ENRICH_CLEARS_H
#define RULES_ENRICH_CLEARS_H

#include "rules/ast.h"

/* True when a condition on severity holds for OK and nothing in the tree reads state. */
bool enrich_takes_clears(const struct ast *where);

#endif

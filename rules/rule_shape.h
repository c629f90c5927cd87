/*
 * rule_shape.h - the keys of a rule that make its form, as they are written: for who says what is
 * another about a rule that cannot go on over a reload. What a form is, is its digest's to say.
 *
 * Thread: any.
 */
#ifndef RULES_RULE_SHAPE_H
#define RULES_RULE_SHAPE_H

#include <stdbool.h>
#include "base/arena.h"
#include "rules/rule_set.h"
#include "rules/yaml_reader.h"

enum { RULE_SHAPE_MAX = 24, RULE_SHAPE_TEXT_BYTES = 2000 /* of one key; the rest is cut */ };

/* The keys that there are, in the order in which they are shown; the list ends with NULL. */
extern const char *const rule_shape_keys[];

/* Fills rule->shape. False: memory is short. */
bool rule_shape_read(const struct yaml_node *node, struct arena *arena, struct rule *rule);

#endif

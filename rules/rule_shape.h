/*
 * rule_shape.h - the keys of a rule that make its form, and those of a mute or an enrich step, as
 * they are written: for who says what is another about one that a reload changes. Whether it is
 * another, is its digest's to say.
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

/* The keys of a mute or an enrich step, in the order of the file, but for what is for the reader
 * (id, by, comment, description). False: memory is short. */
bool rule_shape_read_all(const struct yaml_node *node, struct arena *arena, struct rule_shape **out,
                         uint32_t *count);

#endif

/*
 * rule_test_json.h - a body that a sink would be sent, against the part of it that a test gives.
 *
 * Maps are compared as subsets: what the test does not name may be anything. Lists are compared
 * entry by entry and have as many. A YAML scalar has no type, so 5 is met by the number 5 and by
 * the text "5"; null asks that the field is null or absent.
 */
#ifndef DAEMON_RULE_TEST_JSON_H
#define DAEMON_RULE_TEST_JSON_H

#include <jansson.h>
#include "daemon/rule_test_match.h"

/* Adds a row for each scalar that `expected` names. `got` is borrowed, NULL where there is none. */
void rule_test_json_compare(struct rule_test_rows *rows, const char *field,
                            const struct yaml_node *expected, const json_t *got);

#endif

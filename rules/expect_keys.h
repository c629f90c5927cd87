/*
 * expect_keys.h - the keys that a rule with `expect` is told to watch.
 *
 *   expect: {every: 5m, keys: [{host: db01}, {host: db02}]}
 *   expect: {every: 5m, keys: {file: hosts.csv}}
 *
 * A row has a value for each field of `by`, under the name that stands there; the tenant may be
 * left out, then it is "default". Further columns of a file are not looked at. Rows come out
 * sorted, so that the same keys in another order have the same digest; the same key twice is
 * refused.
 *
 * Thread: as rule_read().
 */
#ifndef RULES_EXPECT_KEYS_H
#define RULES_EXPECT_KEYS_H

#include "rules/rule_reading.h"

/* Reads `keys` into the rule; what is wrong is diagnosed and spoils the reading. */
void expect_keys_read(struct reading *reading, const struct yaml_node *keys);

#endif

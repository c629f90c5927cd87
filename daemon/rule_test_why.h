/*
 * rule_test_why.h - why an incident of a test opened, or why a key of a rule opened none: what
 * `tocsin why` and `whynot` would tell of the test's records, in the test's own times and lines.
 *
 * Thread: one.
 */
#ifndef DAEMON_RULE_TEST_WHY_H
#define DAEMON_RULE_TEST_WHY_H

#include "daemon/rule_test.h"

/* Runs the test as often as the answer needs, and returns it as lines: owned by the caller, freed
 * with free(). NULL when there is none. */
char *rule_test_why_incident(const struct rule_test *test, struct rule_set *rules,
                             struct id128 incident);
char *rule_test_why_not_key(const struct rule_test *test, struct rule_set *rules, const char *rule,
                            const char *key);

#endif

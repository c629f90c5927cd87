/*
 * rule_test_names.h - the names of tests of one file, each with the place where it was given: two
 * tests of one name could not be told apart in a report, which names the file besides.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_RULE_TEST_NAMES_H
#define DAEMON_RULE_TEST_NAMES_H

#include <stdint.h>
#include "rules/diagnostics.h"

struct rule_test_name {
    const char *name, *path;
    struct place place;
};

struct rule_test_names;

/* Owner:  the caller, until rule_test_names_destroy().
 * Errors: NULL when memory is short. */
struct rule_test_names *rule_test_names_create(void);
void rule_test_names_destroy(struct rule_test_names *names);

/* Keeps copies of the name and of where it stands. `taken` becomes NULL, or the test that has the
 * name already; borrowed from `names`.
 * Errors: false when memory is short. */
bool rule_test_names_add(struct rule_test_names *names, const struct rule_test_name *test,
                         const struct rule_test_name **taken);

#endif

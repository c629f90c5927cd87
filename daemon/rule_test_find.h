/*
 * rule_test_find.h - which files of rule tests are meant: files as they are named, of folders every
 * *.test.yaml in them and below, and for a bare word the tests of the shipped pack.
 */
#ifndef DAEMON_RULE_TEST_FIND_H
#define DAEMON_RULE_TEST_FIND_H

#include "base/arena.h"
#include "daemon/options.h"

enum { RULE_TEST_FILES_MAX = 10000, RULE_TEST_FOLDERS_DEPTH = 8 };

struct rule_test_files {
    const char **path;
    size_t count;
};

/* In the order of the names given, of a folder bytewise. Without names: the working folder.
 * Owner:  the arena.
 * Errors: -ENOENT (also when a folder has none), -E2BIG, -ENOMEM or another errno of reading, with
 * a sentence. */
int rule_test_files_find(const struct option_list *names, struct arena *arena,
                         struct rule_test_files *out, struct error *err);

#endif

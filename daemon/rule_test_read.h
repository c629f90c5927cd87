/*
 * rule_test_read.h - what the readers of a test file's parts share: rule_test_read.c (the
 * file, settings, sinks), rule_test_read_event.c and rule_test_read_expect.c.
 *
 * Every function that reads a node diagnoses what is wrong with it and goes on, so that
 * one look at a file shows several mistakes; what it returns then does not matter, for a
 * file with a diagnosis is refused.
 */
#ifndef DAEMON_RULE_TEST_READ_H
#define DAEMON_RULE_TEST_READ_H

#include "daemon/rule_test.h"
#include "rules/diagnostics.h"

struct test_reader {
    struct rule_test_file *file;
    struct diagnostics *diag;
    const struct rule_test_base *base;
    struct rule_test_settings settings; /* of the file */
    struct rule_test_fields defaults;   /* of the file */
    struct rule_test *test;             /* that is being read */
    struct rule_test_names *names;      /* taken so far; NULL: memory was short */
};

/* Diagnose what is none; `what` names the key in the sentence. */
bool test_read_is_map(struct test_reader *reader, const struct yaml_node *node, const char *what);
bool test_read_is_list(struct test_reader *reader, const struct yaml_node *node, const char *what);
bool test_read_is_text(struct test_reader *reader, const struct yaml_node *node, const char *what);

int64_t test_read_count(struct test_reader *reader, const struct yaml_node *node, const char *what,
                        int64_t min, int64_t max);
int64_t test_read_duration(struct test_reader *reader, const struct yaml_node *node,
                           const char *what, int64_t min, int64_t max);
bool test_read_flag(struct test_reader *reader, const struct yaml_node *node, const char *what);

/* A time on the test's clock: 1m30s after its start, -5s before it, or a date. */
int64_t test_read_time(struct test_reader *reader, const struct yaml_node *node, const char *what);

/* The same for bytes [from, to) of a scalar. */
int64_t test_read_time_part(struct test_reader *reader, const struct yaml_node *node, uint32_t from,
                            uint32_t to, const char *what);

/* One `events` entry into `out`. */
void test_read_event(struct test_reader *reader, const struct yaml_node *node,
                     struct rule_test_event *out);
/* `defaults`, over what `out` holds. */
void test_read_defaults(struct test_reader *reader, const struct yaml_node *node,
                        struct rule_test_fields *out);

/* A list of `expect` or `expect_not`. */
struct rule_test_expectation *test_read_expectations(struct test_reader *reader,
                                                     const struct yaml_node *list, const char *what,
                                                     uint32_t *count);

/* Room in the file's arena; NULL with a diagnosis when memory is short. */
void *test_read_alloc(struct test_reader *reader, size_t count, size_t bytes);

#endif

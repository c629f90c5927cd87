/*
 * facts_text.h - a part of a condition that tests one subject against constants, and what two such
 * parts say to each other when the subject is a text.
 *
 *   check == "a"    severity in [MAJOR, CRITICAL]    host.startsWith("db")    has(source)
 */
#ifndef RULES_FACTS_TEXT_H
#define RULES_FACTS_TEXT_H

#include "rules/facts.h"

static inline const struct ast *test_next(const struct test *test, const struct ast *item)
{
    return test->is_list ? item->next : NULL;
}

struct value value_of_constant(const struct ast *constant);

/* False when the part is none. The key is left open. */
bool test_of(const struct ast *ast, const struct ground *ground, struct test *out);

/* Whether a value makes the part true. */
bool test_meets(const struct test *test, const struct value *value, struct work *work);

/* What lowerAscii() gives has no letter A to Z. */
bool text_can_come_of(const struct ast *subject, struct text text);

/* What it asks, wanted true or wanted false. */
enum relation test_relation(const struct test *test);

/* False when no text meets it. */
bool text_test_is_possible(const struct test *test);

/* The same of two tests of one subject. */
bool text_tests_agree(const struct test *a, const struct test *b);

#endif

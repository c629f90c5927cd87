/*
 * rule_test_match.h - one expectation against one incident, row by row.
 */
#ifndef DAEMON_RULE_TEST_MATCH_H
#define DAEMON_RULE_TEST_MATCH_H

#include "daemon/rule_test.h"

struct rule_test_rows {
    struct arena *arena; /* of the texts; NULL: count only */
    struct rule_test_row *row;
    uint32_t count, room;
    uint32_t unmet;
    uint32_t enough; /* of a count: no more are looked for than so many; 0: all are */
    bool out_of_memory;
};

/* Compares everything that the expectation names and adds a row for each. Whether they are about
 * the same thing at all, rule and key, is rule_test_match_is_same(). */
void rule_test_match(const struct rule_test_file *file, const struct rule_test *test,
                     const struct rule_test_expectation *expectation,
                     const struct rule_test_incident *incident, struct rule_test_rows *rows);

/* True when rule and key are what the expectation says, or it says nothing of them. */
bool rule_test_match_is_same(const struct rule_test_expectation *expectation,
                             const struct rule_test_incident *incident);

/* True when the key's text, as incidents show it, is what the expectation says of the key. */
bool rule_test_match_key(const struct rule_test_expectation *expectation, const char *key);

/* True when a count has come to its end. */
static inline bool rule_test_rows_suffice(const struct rule_test_rows *rows)
{
    return rows->arena == NULL && rows->enough > 0 && rows->unmet >= rows->enough;
}

/* Adds one row. Texts are copied. */
void rule_test_rows_add(struct rule_test_rows *rows, const char *field, struct span place,
                        bool is_met, const char *expected, const char *got);

#endif

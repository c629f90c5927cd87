/*
 * rules_parsed.h - for tests: rule text that has to be taken, and text that has to be refused, with
 * the sentence that says why.
 */
#ifndef TESTS_RULES_PARSED_H
#define TESTS_RULES_PARSED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "rules/rule_set.h"

/* The caller owns the set. */
static inline struct rule_set *parse_good(const char *text)
{
    struct rule_set *set = NULL;
    struct error err = {""};

    if (rule_set_parse("r.yaml", text, strlen(text), &set, &err) != 0)
        fail_msg("refused:\n%s\n%s", err.text, text);
    return set;
}

/* The sentence about a text that is no good. */
static inline struct error parse_bad(const char *text)
{
    struct rule_set *set = NULL;
    struct error err = {""};
    int rc = rule_set_parse("r.yaml", text, strlen(text), &set, &err);

    if (rc == 0)
        fail_msg("accepted:\n%s", text);
    assert_int_equal(rc, -22);
    assert_null(set);
    return err;
}

/* The whole message of a refused text. */
static inline void assert_refused(const char *text, const char *message)
{
    assert_string_equal(parse_bad(text).text, message);
}

/* Its first line. */
static inline void assert_refused_line(const char *text, const char *line)
{
    struct error err = parse_bad(text);

    err.text[strcspn(err.text, "\n")] = '\0';
    assert_string_equal(err.text, line);
}

/* Rules that are wrong in one place, and a part of what is to be said of it. */
struct refusal {
    const char *rules, *message;
};

static inline void assert_each_refused(const struct refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error err = parse_bad(rows[i].rules);
        if (strstr(err.text, rows[i].message) == NULL)
            fail_msg("row %zu: \"%s\" is not in\n%s", i, rows[i].message, err.text);
    }
}

#endif

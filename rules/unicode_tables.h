/*
 * unicode_tables.h - what Unicode says of each character, as unicode.c looks it up; nobody else
 * includes it. The tables themselves are written by tools/unicode_tables.py.
 */
#ifndef RULES_UNICODE_TABLES_H
#define RULES_UNICODE_TABLES_H

#include <stdint.h>

/* Two letters each; the first is that of what is not assigned. */
extern const char *const unicode_category_name[];
extern const uint32_t unicode_category_name_count;
/* The first is that of what has none. */
extern const char *const unicode_script_name[];
extern const uint32_t unicode_script_name_count;

/* Where the characters of one category begin, ascending: the first of them << 5 | the category. The
 * same for scripts: << 8. */
extern const uint32_t unicode_category_run[], unicode_category_run_count;
extern const uint32_t unicode_script_run[], unicode_script_run_count;

/* What folds to the same stands in a ring. From `low` to `high` the next in it of each character is
 * `step` on; 0: they are pairs, from `low` on. Ascending; what stands in none folds to itself. */
struct unicode_fold {
    uint32_t low, high;
    int32_t step;
};
extern const struct unicode_fold unicode_fold[];
extern const uint32_t unicode_fold_count;

#endif

/*
 * explain_parts.h - what the files of explain.h share; nobody else includes it.
 *
 *   explain.c        the walk over the tests, and which of them decide
 *   explain_words.c  a test that one instruction is, and its operands, in words
 *   explain_tree.c   tests that are computed: their operands are subtrees
 */
#ifndef RULES_EXPLAIN_PARTS_H
#define RULES_EXPLAIN_PARTS_H

#include "rules/explain.h"

enum { EXPLAIN_LINE_BYTES = 500 }; /* one side of a test */

/* A bounded piece of text, always terminated and never cut within a character. */
struct explain_line {
    size_t used;
    char at[EXPLAIN_LINE_BYTES];
};

/* What an instruction compares: decides how constants are read. */
enum explain_sort { SORT_TEXT, SORT_NUMBER, SORT_REAL };

struct explain_walk {
    const struct program *program;
    struct program_input *input;
    const struct rule_aggregate *aggregates;
    struct explanation *out;
    uint32_t choices, alternatives; /* met so far */
};

/* --- explain_words.c --- */

void explain_put_bytes(struct explain_line *line, const char *at, size_t bytes);
void explain_put(struct explain_line *line, const char *word);
void explain_put_quoted(struct explain_line *line, struct text text);
void explain_put_real(struct explain_line *line, double real);
/* A whole number of this type. */
void explain_put_whole(struct explain_line *line, enum value_type type, int64_t number);
/* An operand's name, or the constant. `type` is that of the other side. */
void explain_put_written(struct explain_line *line, const struct operand *operand,
                         enum explain_sort sort, enum value_type type,
                         const struct rule_aggregate *aggregates);
void explain_put_list(struct explain_line *line, const struct instruction *at);
const char *explain_search_name(uint8_t op);
/* The test as written, or with values if there is an `input`. */
void explain_put_test(struct explain_line *line, const struct instruction *at,
                      struct program_input *input, const struct rule_aggregate *aggregates,
                      enum truth truth);

/* --- explain_tree.c --- */

/* A subtree as it is written. */
void explain_put_tree(struct explain_line *line, const struct explain_walk *walk, uint32_t index);
/* A computed test with the values of its operands. */
void explain_put_computed(struct explain_line *line, const struct explain_walk *walk,
                          uint32_t index);

#endif

/*
 * capture_program.h - what capture_compile.c makes and capture.c runs; nobody else includes it.
 */
#ifndef RULES_CAPTURE_PROGRAM_H
#define RULES_CAPTURE_PROGRAM_H

#include "rules/capture.h"

enum capture_opcode {
    CAPTURE_CHARACTER, /* one character of class `first` */
    CAPTURE_SPLIT,     /* `first` is preferred to `second` */
    CAPTURE_JUMP,      /* to `first` */
    CAPTURE_SAVE,      /* the place goes to `first` */
    CAPTURE_ASSERT,    /* `first` is an enum capture_assertion */
    CAPTURE_MATCH,
};

enum capture_assertion {
    ASSERT_TEXT_BEGIN,
    ASSERT_TEXT_END,
    ASSERT_LINE_BEGIN,
    ASSERT_LINE_END,
    ASSERT_WORD_BORDER,
    ASSERT_NO_WORD_BORDER,
};

struct capture_instruction {
    uint8_t op; /* enum capture_opcode */
    uint16_t first, second;
};

struct capture_range {
    uint32_t low, high;
};

/* Characters: those of ASCII as bits, all others as ranges. Negation is done for ASCII already. */
struct capture_class {
    uint64_t ascii[2];
    const struct capture_range *range;
    uint32_t range_count;
    bool is_negated; /* the ranges */
};

struct capture {
    uint32_t code_count, class_count, group_count;
    const struct capture_instruction *code;
    const struct capture_class *classes;
    struct text name[PATTERN_GROUPS_MAX];
    /* What need not be looked for character by character: a text that all matches begin with, one
     * that all hold; empty when there is none. */
    struct text prefix, part;
    bool at_start; /* it can match at the beginning of the text alone */
};

#endif

/*
 * capture_program.h - what capture_compile.c makes: capture.c follows it, automaton.c makes a table
 * of it, positions.c sets of bits; capture_required.c, pattern_kinds.c and pattern_choice.c look
 * into it. Nobody else includes it.
 */
#ifndef RULES_CAPTURE_PROGRAM_H
#define RULES_CAPTURE_PROGRAM_H

#include <string.h>
#include "rules/capture.h"

enum {
    /* Steps of a program that is only a pattern on its way to a table or to places; to be followed
     * by itself it has CAPTURE_CODE_MAX. */
    CAPTURE_PROGRAM_MAX = 2600,
};

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
    /* A split in a counted repetition of one class: a character of it comes next in the program,
     * and whether that is there does not matter for the rest of the repetition. */
    bool is_run;
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
    /* The characters that a match can begin with, of ASCII as bits; false: it may be empty. */
    uint64_t first[2];
    bool has_first, first_is_wide;
    struct text name[PATTERN_GROUPS_MAX];
    /* What need not be looked for character by character: a text that all matches begin with, one
     * that all hold; empty when there is none. */
    struct text prefix, part;
    /* Classes of which it takes a character each, in this order (rules/capture_required.h). */
    const uint16_t *required;
    uint32_t required_count;
    bool at_start; /* it can match at the beginning of the text alone */
};

/* As capture_create(), and patterns without a named group are taken, too, of up to
 * CAPTURE_PROGRAM_MAX steps. */
struct capture *capture_program_create(struct text pattern, struct arena *arena,
                                       struct pattern_fault *fault);

enum { CHARACTER_NONE = UINT32_MAX };

/* The character at `at` and its length in bytes, 0 at the end. */
static inline uint32_t capture_character_at(struct text text, uint32_t at, uint32_t *bytes)
{
    unsigned char first;
    uint32_t character;

    *bytes = 0;
    if (at >= text.len)
        return CHARACTER_NONE;
    first = (unsigned char)text.at[at];
    *bytes = 1;
    if (first < 0x80)
        return first;
    character = first < 0xe0 ? first & 0x1f : first < 0xf0 ? first & 0xf : first & 7;
    while (at + *bytes < text.len && ((unsigned char)text.at[at + *bytes] & 0xc0) == 0x80)
        character = character << 6 | ((unsigned char)text.at[at + (*bytes)++] & 0x3f);
    return character;
}

static inline bool capture_is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static inline bool capture_class_holds(const struct capture_class *class, uint32_t character)
{
    bool is_in = false;

    if (character < 0x80)
        return (class->ascii[character / 64] >> character % 64 & 1) != 0;
    for (uint32_t i = 0; !is_in && i < class->range_count; i++)
        is_in = class->range[i].low <= character && character <= class->range[i].high;
    return is_in != class->is_negated;
}

/* Do they hold the same, as far as their ranges are written alike? */
static inline bool capture_class_is(const struct capture_class *a, const struct capture_class *b)
{
    return a->range_count == b->range_count && a->is_negated == b->is_negated &&
           memcmp(a->ascii, b->ascii, sizeof(a->ascii)) == 0 &&
           (a->range_count == 0 ||
            memcmp(a->range, b->range, a->range_count * sizeof(*a->range)) == 0);
}

#endif

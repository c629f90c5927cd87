/*
 * capture_program.h - what capture_compile.c makes: capture.c follows it, automaton.c makes a table
 * of it, positions.c sets of bits; capture_required.c, pattern_kinds.c and pattern_choice.c look
 * into it. Nobody else includes it.
 */
#ifndef RULES_CAPTURE_PROGRAM_H
#define RULES_CAPTURE_PROGRAM_H

#include <string.h>
#include "rules/capture.h"
#include "rules/unicode.h"

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

/* Characters: those of ASCII as bits, all others as ranges, ascending, of which no two touch. */
struct capture_class {
    uint64_t ascii[2];
    const struct unicode_range *range;
    uint32_t range_count;
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
    /* It matches nothing at all where \B holds: between the bytes of a character as well. */
    bool splits_characters;
    uint32_t work; /* ranges of classes and pieces that were looked at to make it */
    uint32_t ns_per_byte;
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
    uint32_t from = 0, to = class->range_count;

    if (character < 0x80)
        return (class->ascii[character / 64] >> character % 64 & 1) != 0;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (class->range[middle].high < character)
            from = middle + 1;
        else
            to = middle;
    }
    return from < class->range_count && class->range[from].low <= character;
}

/* Do they hold the same? */
static inline bool capture_class_is(const struct capture_class *a, const struct capture_class *b)
{
    return a->range_count == b->range_count && memcmp(a->ascii, b->ascii, sizeof(a->ascii)) == 0 &&
           (a->range_count == 0 || a->range == b->range ||
            memcmp(a->range, b->range, a->range_count * sizeof(*a->range)) == 0);
}

#endif

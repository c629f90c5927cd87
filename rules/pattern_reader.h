/*
 * pattern_reader.h - what the files of the pattern parser share (rules/pattern.h is its door).
 *
 *   pattern_reader.c  characters and escapes in, the new form out
 *   pattern_class.c   classes of characters
 *   pattern.c         groups, repetitions, alternatives, the whole
 *
 * A fault is told once, with its place; from then on is_bad is set and nothing counts.
 */
#ifndef RULES_PATTERN_READER_H
#define RULES_PATTERN_READER_H

#include <string.h>
#include "rules/pattern.h"

enum {
    PATTERN_CHARACTER_MAX = 0x10ffff,
    PATTERN_CLASS_RANGES_MAX = 512,
    PATTERN_CLASS_PROPERTIES_MAX = 32,
    PATTERN_WIDE_PLACES = 4, /* a character of several bytes */
};

enum pattern_flag {
    PATTERN_FOLDS = 1,
    PATTERN_MULTILINE = 2,
    PATTERN_DOT_ALL = 4,
    PATTERN_UNGREEDY = 8
};

struct pattern_reader {
    const char *text;
    uint32_t at, end;
    unsigned flags; /* enum pattern_flag, of the group being read */
    uint32_t depth;
    bool in_quote; /* between \Q and \E */
    bool is_bad;
    bool literal_ended;
    bool has_sides;                /* an alternative to all of it: nothing has to be there */
    uint32_t part_from, part_used; /* the part being read, in out->parts */
    uint32_t piece_from;           /* of the piece being read, in the pattern */
    struct pattern_groups *groups; /* NULL: which match is found does not matter */
    struct pattern *out;
    struct pattern_fault *fault;
};

/* What a stretch of the pattern came to. */
struct pattern_piece {
    uint32_t places;
    uint32_t repeats; /* nested repetitions, multiplied */
    bool is_assertion;
    bool is_nothing;   /* flags for what follows */
    bool is_character; /* one that stands as it is */
    bool is_repeated, may_lack;
    bool is_taking;          /* whatever it matches has a character */
    bool ends_at_line_begin; /* may match and take nothing behind (?m)^ */
};

struct pattern_range {
    uint32_t low, high;
};

struct pattern_class {
    uint32_t count;
    struct pattern_range range[PATTERN_CLASS_RANGES_MAX];
    uint32_t property_count;
    struct {
        uint32_t from, bytes; /* of the name in the pattern */
        bool is_negated;
    } property[PATTERN_CLASS_PROPERTIES_MAX];
    bool is_negated;
};

/* ---- pattern_reader.c ---- */

/* Tells a fault in the bytes [from, to); always false. */
bool pattern_refuse(struct pattern_reader *reader, uint32_t from, uint32_t to, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/* Adds to the new form: a word as it stands, or one character. */
void pattern_put(struct pattern_reader *reader, const char *word);
void pattern_put_character(struct pattern_reader *reader, uint32_t character);

static inline bool pattern_more(const struct pattern_reader *reader)
{
    return reader->at < reader->end;
}

static inline bool pattern_next_is(const struct pattern_reader *reader, char c)
{
    return pattern_more(reader) && reader->text[reader->at] == c;
}

static inline bool pattern_next_are(const struct pattern_reader *reader, const char *word)
{
    size_t bytes = strlen(word);

    return reader->end - reader->at >= bytes && memcmp(reader->text + reader->at, word, bytes) == 0;
}

static inline bool pattern_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes one character, which pattern_read() has found to be well-formed. */
uint32_t pattern_take_character(struct pattern_reader *reader);

/* Takes letters, digits and _ from here on; how many. */
uint32_t pattern_take_name(struct pattern_reader *reader);

/* Takes the rest of an escape that stands for one character; the backslash is taken. */
bool pattern_take_escape(struct pattern_reader *reader, uint32_t from, uint32_t *character);

/* ---- pattern_class.c ---- */

/* Takes [...], which begins here. */
struct pattern_piece pattern_take_class(struct pattern_reader *reader);

/* Takes \d \s \w or their opposites into the class; false when none stands here. */
bool pattern_take_perl_class(struct pattern_reader *reader, struct pattern_class *class);

/* Takes \pL, \p{Greek} or the opposite; false when none stands here. */
bool pattern_take_property(struct pattern_reader *reader, struct pattern_class *class);

/* Adds a class to the new form. */
struct pattern_piece pattern_class_put(struct pattern_reader *reader, struct pattern_class *class);

#endif

/*
 * pattern.h - RE2 syntax as rules write it, checked and put into the form in which vectorscan
 * reads it.
 *
 * The language is that of RE2 (as CEL has it): a search anywhere in the text, of characters, not
 * bytes; \d \w \s \b are ASCII; $ is the very end; (?i) folds letters. What needs memory of what
 * was matched (\1, (?=x), (?<=x)) is not part of it, so no pattern can backtrack.
 *
 * Vectorscan reads a dialect of PCRE, which differs in details ($ before a last line end, \s with
 * \v, \Q in classes). So nothing is handed through: a pattern is parsed here and written
 * anew from pieces that mean the same in both.
 *
 * One difference is left, and told by ends_at_line_begin: behind a line end that ends the text,
 * (?m)^ is true in RE2 and false in vectorscan.
 *
 * Not carried over, with the reason in the fault: \C (it would split characters), and what is too
 * large.
 */
#ifndef RULES_PATTERN_H
#define RULES_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"

enum {
    PATTERN_BYTES_MAX = 1000,
    PATTERN_DEPTH_MAX = 50,    /* groups in groups */
    PATTERN_REPEAT_MAX = 1000, /* of one thing, nested repetitions multiplied: RE2's own bound */
    /* Places in the pattern once repetitions are written out; a character beyond ASCII and whatever
     * may be one counts four (a class: its ranges there, if more). For vectorscan a place is a
     * millisecond of building at worst, a tenth of that as a rule (pattern_choice.h bounds it);
     * positions.h takes a microsecond. */
    PATTERN_PLACES_MAX = 2000,
    PATTERN_PARTS_MAX = 8,
    PATTERN_WRITTEN_MAX = 15000, /* bytes of the new form; vectorscan takes 16000 */
    PATTERN_GROUPS_MAX = 16,     /* with a name, where they are kept */
};

/* What is wrong with a pattern, and where: bytes [from, to) of it. */
struct pattern_fault {
    uint32_t from, to;
    char why[200];
};

/* A pattern that has been read. */
struct pattern {
    char written[PATTERN_WRITTEN_MAX + 1]; /* for vectorscan */
    uint32_t bytes;
    uint32_t places;
    bool is_wide; /* speaks of characters beyond ASCII */
    /* ... and of what Unicode says of them: properties, letters that fold. */
    bool asks_unicode;
    bool asks_no_border; /* \B */
    /* Something that it matches may have nothing behind (?m)^. */
    bool ends_at_line_begin;
    /* The text that follows the start of the pattern as it stands, up to the first operator. */
    char literal[PATTERN_BYTES_MAX];
    uint32_t literal_bytes;
    /* Texts that whatever it matches holds, each as it stands; the longest where there are more. */
    uint32_t part_count;
    struct {
        uint32_t from, bytes; /* in `parts` */
    } part[PATTERN_PARTS_MAX];
    char parts[PATTERN_BYTES_MAX];
    bool is_literal; /* that is all of it, but for anchors */
    bool at_start;   /* begins with ^ */
    bool at_end;     /* ends with $; with is_literal only */
};

/* Reads `text`. False with *fault when it is no pattern, or none that can be carried over. */
bool pattern_read(struct text text, struct pattern *out, struct pattern_fault *fault);

/* Groups that have a name: where it stands in the pattern. */
struct pattern_groups {
    uint32_t count;
    struct {
        uint32_t from, bytes;
    } group[PATTERN_GROUPS_MAX];
};

/* The same, for rules/capture.h. The new form says besides which match is meant: named groups stand
 * there as (?P<0>, (?P<1>, ..., a repetition that takes as little as it can has a ? behind it. */
bool pattern_read_groups(struct text text, struct pattern *out, struct pattern_groups *groups,
                         struct pattern_fault *fault);

/* The same as pattern_read(), when only the fault matters: the check at load. */
bool pattern_check(struct text text, struct pattern_fault *fault);

#endif

/*
 * capture_written.h - pieces of the form in which pattern_read_groups() writes a pattern: where
 * they end and what they are, for capture_compile.c and capture_run.c. Nobody else includes it.
 *
 *   (?:\x{61}|[\x{30}-\x{39}]){2,9}   a group, its repetition; inside of it two classes
 *
 * The written form holds no parenthesis and no bracket but those of groups and classes (others
 * are escapes by number), so where a piece ends is found by counting.
 */
#ifndef RULES_CAPTURE_WRITTEN_H
#define RULES_CAPTURE_WRITTEN_H

#include "rules/capture_program.h"

/* How often a piece stands there; at most UINT32_MAX times: as often as it goes. */
struct written_times {
    uint32_t min, max;
    bool is_lazy;
};

/* Behind the piece that begins at `at`, without its repetition. */
uint32_t written_piece_end(const char *text, uint32_t at);

/* Reads the repetition at `at`; returns what is behind it, `at` where there is none: once. */
uint32_t written_times_at(const char *text, uint32_t at, struct written_times *out);

/* Behind the side of an alternation that begins at `at`; the last one's is `end`. */
uint32_t written_side_end(const char *text, uint32_t at, uint32_t end);

/* Does a class begin here, or one character? Of what is no assertion. */
bool written_is_class(const char *text, uint32_t at);

/* Classes that were looked up in tables of Unicode, by where they stand: groups that are compiled
 * several times ask for them again. */
struct written_classes {
    struct arena *arena;
    uint32_t work; /* pieces and ranges that were looked at */
    uint32_t count;
    struct {
        uint32_t at;
        struct capture_class class;
    } known[PATTERN_BYTES_MAX];
};

/* The class of the piece from `at` to `end`, which is one. Owner:  the arena. False when memory is
 * short. */
bool written_class(const char *text, uint32_t at, uint32_t end, struct written_classes *classes,
                   struct capture_class *out);

/* What either holds. Owner:  the arena. False when memory is short. */
bool written_class_unite(struct capture_class *class, const struct capture_class *other,
                         struct written_classes *classes);

#endif

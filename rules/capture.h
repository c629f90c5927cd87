/*
 * capture.h - what the named groups of a pattern hold, in time linear in the text.
 *
 *   pattern: "disk (?P<disk>[a-z0-9]+) is at (?P<used>[0-9]+)%"
 *   text:    "db01: disk sda1 is at 93%, was 80%"
 *   groups:  disk = "sda1", used = "93"
 *
 * Vectorscan says whether a pattern matches, not where its groups lie; so extraction has a machine
 * of its own. It reads the form in which pattern_read_groups() writes a pattern, where flags are
 * resolved and every piece stands alone, and makes a program of it:
 *
 *   [ CHARACTER class | SPLIT first second | SAVE place | ASSERT where | JUMP | MATCH ]
 *
 * All ways through the program are followed at once, one character of the text at a time, each
 * with its own places, in the order in which RE2 prefers them (leftmost, then first). No way is
 * followed twice at one place, so there is no backtracking: a text of n characters takes at most
 * n times the instructions of the program, whatever the pattern. Before that, a text that lacks
 * what each match needs is told by one walk over it (rules/capture_required.h).
 *
 * Places lie between characters; RE2 finds \B between the bytes of one, too.
 *
 * Limits:  those below and those of pattern.h.
 * Memory:  a search works in a room that the caller keeps; nothing is allocated.
 * Thread:  a capture is immutable; a room belongs to one thread.
 * Source:  R. Cox, "Regular Expression Matching: the Virtual Machine Approach" (Pike's machine).
 */
#ifndef RULES_CAPTURE_H
#define RULES_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/event.h"
#include "rules/pattern.h"

enum {
    /* Each step may have to be looked at for each character: the largest pattern there is takes
     * some 13 ms for 4 KiB, patterns that ruin engines which backtrack some 4 at most
     * (tests/test_capture.c). */
    CAPTURE_CODE_MAX = 600,
    CAPTURE_PLACES = 2 * PATTERN_GROUPS_MAX, /* begin and end of each group */
};

struct capture;
struct capture_room;

/* Reads a pattern that has at least one named group.
 * Owner:  `arena`.
 * Errors: NULL: with *fault, or with an empty `why` when memory is short. */
struct capture *capture_create(struct text pattern, struct arena *arena,
                               struct pattern_fault *fault);

uint32_t capture_count(const struct capture *capture);
/* The names are zero-terminated too. */
struct text capture_name(const struct capture *capture, uint32_t group);

/* What a byte of a text takes at most, by the steps that may have to be looked at and the places
 * that they carry; an estimate, the same on each machine. */
uint32_t capture_ns_per_byte(const struct capture *capture);

/* How many ranges and pieces were looked at to make it: a microsecond for 100 at most. */
uint32_t capture_work(const struct capture *capture);

/* Bytes of a room, which the caller provides aligned for any type. */
size_t capture_room_bytes(void);

/* Searches `text`, which is UTF-8. True when the pattern is found: then value[] has what each group
 * holds, `at` NULL for one that took no part. */
bool capture_search(const struct capture *capture, struct text text, struct capture_room *room,
                    struct text value[PATTERN_GROUPS_MAX]);

#endif

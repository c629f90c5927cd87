/*
 * positions.h - whether a pattern is found in a text, all its ways followed at once by bits.
 *
 *   pattern:   "user .{1,100}failed"
 *   positions: the begin, then each character that the pattern takes once repetitions are written
 *              out, in their order: 112 here, a bit each
 *   a step:    bits that can follow those that are set, and take the character that came
 *
 * For patterns whose table (automaton.h) would be too large. Most bits lead to one that stands a
 * few places on, the same distance for many: those are moved by a shift of all words at once. What
 * leads elsewhere is a chain: of bits of which each leads wherever the later ones lead as well, so
 * that only the first that is set has to be looked at, as in "(a?){100}" and in the exits of
 * ".{1,100}".
 *
 * Limits:  CAPTURE_PROGRAM_MAX steps of the program, and PATTERN_KINDS_MAX kinds of characters
 *          (pattern_kinds.h). \B is found between the bytes of a character, too, as RE2 has it.
 * Time:    linear in the text, whatever the pattern; making it takes POSITIONS_WORK_MAX steps at
 *          most, the same for the same pattern on each machine.
 * Memory:  a search works on its stack.
 * Thread:  positions are immutable.
 * Source:  Glushkov's automaton (1961) followed by bits as in Navarro, Raffinot, "Flexible Pattern
 *          Matching in Strings"; shifts by distance as in Hyperscan's LimEx (Wang et al. 2019).
 */
#ifndef RULES_POSITIONS_H
#define RULES_POSITIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/event.h"

/* Some 10 ms. */
enum { POSITIONS_WORK_MAX = 5000000 };

struct capture;
struct positions;

/* Makes the positions of a program, which is needed no longer; nor is what lies in `scratch`.
 * `work` is how many steps that took, whatever came of it. Owner:  `arena`. Errors: NULL when the
 * pattern is none of those that are followed so, or memory is short. */
struct positions *positions_create(const struct capture *program, struct arena *arena,
                                   struct arena *scratch, uint32_t *work);

/* Is the pattern found in `text`, which is UTF-8? */
bool positions_search(const struct positions *positions, struct text text);

/* What a character of a text takes at most, by the words and chains that may have to be looked at;
 * an estimate, the same on each machine. */
uint32_t positions_ns_per_character(const struct positions *positions);

#endif

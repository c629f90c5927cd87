/*
 * automaton.h - whether a pattern is found in a text: one table, one step per character.
 *
 *   pattern: "link (up|down)"
 *   table:   state x kind of character -> state, until it is found
 *
 * A pattern of ordinary size has some dozens of states, which are told in some ten microseconds,
 * where vectorscan takes a millisecond and more to build a database for it; and asking them takes
 * no scratch. Characters that the pattern cannot tell apart are one kind.
 *
 * Limits:  a pattern that has more states than fit is followed by its positions (pattern_choice.h).
 *          \B is found between the bytes of a character, too, as RE2 has it.
 * Time:    a search is linear in the text; making a table takes AUTOMATON_WORK_MAX steps at most,
 *          the same for the same pattern on each machine.
 * Thread:  an automaton is immutable.
 * Source:  the subset construction (Rabin, Scott 1959) over the program of rules/capture.h.
 */
#ifndef RULES_AUTOMATON_H
#define RULES_AUTOMATON_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/event.h"

enum {
    AUTOMATON_STATES_MAX = 250,
    AUTOMATON_CELLS_MAX = 4096,
    /* Some 0.1 ms. */
    AUTOMATON_WORK_MAX = 40000,
};

struct automaton;
struct capture;

/* Makes the table of a program, which is needed no longer. `work` is how many steps that took,
 * whatever came of it.
 * Owner:  `arena`.
 * Errors: NULL when the pattern is none of those that have a table, or memory is short. */
struct automaton *automaton_create(const struct capture *program, struct arena *arena,
                                   uint32_t *work);

/* Is the pattern found in `text`, which is UTF-8? */
bool automaton_search(const struct automaton *automaton, struct text text);

/* False: it is found in no text at all. */
bool automaton_can_find(const struct automaton *automaton);

uint32_t automaton_state_count(const struct automaton *automaton);

#endif

/*
 * pair.h - two daemons that live at once, each a process of its own on a machine of its own.
 *
 *   judge  --gives the turn-->  machine 0  <--whoever is due next has it-->  machine 1
 *      ^                                                                        |
 *      +------------------------- its process is over --------------------------+
 *
 * One process runs at a time: it has the turn until the other is due before its own threads are,
 * and where both are the dice say who goes on. So there is one time, and a seed goes the same way
 * each time. What the world knows of a life (world.h) is that of the one that has the turn, and put
 * away for the others.
 *
 * A machine can be frozen: nothing of it runs for a while, and its clocks go on.
 */
#ifndef TESTS_SIM_PAIR_H
#define TESTS_SIM_PAIR_H

#include <stdbool.h>
#include <stdint.h>
#include "sim/world.h"

/* ---- in the judge ---- */

/* Nobody lives; before the first of a seed. */
void pair_reset(void);
/* What the world knows of a life is that of the one that begins on this machine, and is put away
 * until its first turn, at this time. */
void pair_put_away(unsigned machine, uint64_t begin_ns);
/* The process that had the turn is over. */
void pair_is_over(unsigned machine);
/* Who is due first goes on. False: nobody lives. */
bool pair_give_turn(void);

/* ---- in a life ---- */

/* Waits for its first turn. Without it a process lives alone. */
void pair_begin(unsigned machine);

/* The threads of this machine are due then. True: the other had its turn meanwhile, and what is due
 * is to be looked at anew. */
bool pair_yield(uint64_t due_ns);

/* Nothing of this machine runs until then. */
void pair_freeze(uint64_t until_ns);

/* Whether it is one of two. */
bool pair_has_other(void);

/* Whether this machine is cut off from these. Also where one lives alone: never then. */
bool pair_is_apart(enum apart what);

#endif

/*
 * window_full.h - which entry goes when a window holds more than max_members.
 *
 * The oldest, so that the newest are held. But where the rule asks how many different values there
 * are and nothing but that and count(), one loud source must not push out the others: the oldest
 * entry goes whose value a newer one has, too.
 *
 *   values, oldest first     a b c b a a d a     goes: the first a
 *                              b c b a a d a a   then: the first b
 *                                c b a a d a a a   then: the second of the a, as c and b are single
 *
 * So of each of the newest values, the newest entry is held, and distinct() is exact up to as many
 * as the window holds, or as are looked at here if that is less: where all of these are single, the
 * oldest goes, and as many others are left.
 *
 * Cost: amortised O(log n) to know it (window_repeats.h), and a move of those entries, of the ones
 * before it or the ones behind it, that are fewer.
 *
 * Thread: plain functions over their arguments.
 */
#ifndef CORRELATE_WINDOW_FULL_H
#define CORRELATE_WINDOW_FULL_H

#include "correlate/window.h"

enum { WINDOW_FULL_LOOKS = 1000 };

/* Which entry of the window is to go. */
uint32_t window_full_choose(const struct window *window);

#endif

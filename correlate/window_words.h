/*
 * window_words.h - what a window says of itself: why an incident opened, and how far it is.
 *
 * Thread: any, over a window that nobody changes.
 */
#ifndef CORRELATE_WINDOW_WORDS_H
#define CORRELATE_WINDOW_WORDS_H

#include "correlate/correlation.h"
#include "correlate/window.h"

/* The incident's `why` (struct opening, with the window as `found`): docs/correlation.md. */
void window_words_why(struct text_buffer *to, const struct opening *opening);

/* "count() 4 of 5, distinct(check) 2 of 2"; with `for`, since when `when` is true. `usual`: of a
 * rule with deviations, the slot of the first (correlate/baseline.h); else NULL. */
void window_words_state(const struct rule *rule, const struct window *window,
                        const struct baseline_slot *usual, struct text_buffer *to);

/* What its timer does, told afterwards, where no incident opened: "the oldest left". */
const char *window_words_end(const struct rule *rule);

#endif

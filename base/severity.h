/*
 * severity.h - the words that systems use for how bad it is, and for whether it is.
 *
 * Words are compared without regard to ASCII case; blanks, '-' and '_' inside a
 * word count as the same. A word that is not in the table is refused: guessing
 * would page someone, or not page anyone, without cause.
 *
 * Thread: any.
 */
#ifndef BASE_SEVERITY_H
#define BASE_SEVERITY_H

#include "base/event.h"

enum { WORD_UNKNOWN = -1 };

/* enum severity, or WORD_UNKNOWN. SEVERITY_OK means that the problem is over. */
int severity_from_word(struct text word);

/* enum event_state, or WORD_UNKNOWN. */
int event_state_from_word(struct text word);

/* One row of the tables, for docs and tests: the n-th word, NULL behind the last. */
const char *severity_table_word(size_t n, enum severity *severity);
const char *event_state_table_word(size_t n, enum event_state *state);

#endif

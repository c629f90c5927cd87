/*
 * past.h - the history that lies behind the journal in the end, held against one that is made anew
 * from the same journal.
 */
#ifndef TESTS_SIM_PAST_H
#define TESTS_SIM_PAST_H

#include <stdbool.h>

/* Both have the same rows, or the one that there is has not come to the journal's end
 * (`*is_behind`). False: they differ, or there is none; `why` of 512 bytes says more. */
bool past_is_same(bool *is_behind, char why[512]);

#endif

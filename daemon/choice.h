/*
 * choice.h - the words that a value may be, as one blank-separated text: "info warning error".
 */
#ifndef DAEMON_CHOICE_H
#define DAEMON_CHOICE_H

#include <stddef.h>
#include <stdint.h>
#include "base/nearest.h"

/* Index of the word in `choices`, or -1. */
int64_t choice_index(const char *choices, const char *word);

/* The index-th word, copied to `to`. */
const char *choice_word(const char *choices, int64_t index, char *to, size_t bytes);

/* For a word that is none of them: as nearest_hint(). */
const char *choice_hint(const char *choices, const char *word, char hint[NEAREST_HINT_BYTES]);

#endif

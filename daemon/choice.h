/*
 * choice.h - the words that a value may be, as one blank-separated text: "info warning error".
 */
#ifndef DAEMON_CHOICE_H
#define DAEMON_CHOICE_H

#include <stddef.h>
#include <stdint.h>

/* Index of the word in `choices`, or -1. */
int64_t choice_index(const char *choices, const char *word);

/* The index-th word, copied to `to`. */
const char *choice_word(const char *choices, int64_t index, char *to, size_t bytes);

#endif

/*
 * error.h - one sentence for a person, filled by the function that failed.
 *
 * Thread: each error belongs to its caller.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>

enum { ERROR_TEXT_BYTES = 2048 };

struct error {
    char text[ERROR_TEXT_BYTES];
};

/* Sets the sentence, cut at the end of the buffer. NULL is allowed for err. */
void error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a formatted prefix before the sentence that is already there. */
void error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

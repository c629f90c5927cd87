/*
 * json_print.h - a JSON document as the output of a command or an answer of the admin server.
 */
#ifndef DAEMON_JSON_PRINT_H
#define DAEMON_JSON_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Takes `root`; writes it and a line end. `flags` are jansson's: JSON_INDENT(2) for what people may
 * read, JSON_COMPACT for lines. Errors: false, with nothing written, when memory is short; it was,
 * too, when `root` is NULL. */
bool json_print(json_t *root, size_t flags, FILE *to);

/* A text that may hold what is no UTF-8, such as a sentence that shows a line of a file or names
 * one: each byte that begins no character becomes U+FFFD, the rest stays. The caller's, as of
 * json_string(). Errors: NULL when memory is short. */
json_t *json_shown(const char *text);

#endif

/*
 * import_text.h - memory and text while files are converted.
 *
 * A pool is dropped whole; a text grows. Neither ever fails: what a conversion may take
 * is bounded by the limits of daemon/import.h, and a machine without memory ends the
 * process (base/slab.h).
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_IMPORT_TEXT_H
#define DAEMON_IMPORT_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"

struct import_pool {
    struct import_chunk *chunks;
    char *at;
    size_t left;
};

/* Zeroed memory. */
void *import_pool_alloc(struct import_pool *pool, size_t bytes);
const char *import_pool_copy(struct import_pool *pool, const char *from, size_t bytes);
const char *import_pool_format(struct import_pool *pool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void import_pool_release(struct import_pool *pool);

struct import_text {
    char *at; /* zero-terminated once something was added; NULL before */
    size_t bytes, room;
};

void import_text_add(struct import_text *text, const char *from, size_t bytes);
void import_text_put(struct import_text *text, const char *word);
void import_text_format(struct import_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A literal of the rule language, with its quotes. */
void import_text_literal(struct import_text *text, const char *from, size_t bytes);

/* A YAML scalar in double quotes. */
void import_text_quoted(struct import_text *text, const char *from, size_t bytes);

/* The bytes on one line: runs of blanks, line ends and control characters become one blank. */
void import_text_line(struct import_text *text, const char *from, size_t bytes);

/* The first line of what a reader of rules says, without the place; what is given lives on. */
struct text import_text_sentence(const char *said);

/* A copy in the pool; the text is empty again, and what it held is freed. */
const char *import_text_take(struct import_text *text, struct import_pool *pool);
void import_text_release(struct import_text *text);

#endif

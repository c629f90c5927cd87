/*
 * utf8.h - strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
 *
 * Thread: any.  Source: RFC 3629, section 4 (the grammar of UTF-8).
 */
#ifndef INGEST_UTF8_H
#define INGEST_UTF8_H

#include <stddef.h>

/* The number of leading bytes that are whole, valid characters; `bytes` if all are. */
size_t utf8_valid_bytes(const char *text, size_t bytes);

/* Writes `code` (not a surrogate, at most 0x10ffff) and returns the end. */
char *utf8_put(char *to, unsigned code);

#endif

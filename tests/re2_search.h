/*
 * re2_search.h - RE2 itself, for a second opinion on patterns.
 */
#ifndef TESTS_RE2_SEARCH_H
#define TESTS_RE2_SEARCH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 1 found, 0 not found, -1 RE2 takes no such pattern. */
int re2_search(const char *pattern, size_t pattern_bytes, const char *text, size_t text_bytes);

/* The same, and where the named groups lie, in the order in which they begin in the pattern: bytes
 * [from[i], to[i]), -1 for one that took no part. `max` of them at most. */
int re2_groups(const char *pattern, size_t pattern_bytes, const char *text, size_t text_bytes,
               int max, long *from, long *to);

#ifdef __cplusplus
}
#endif
#endif

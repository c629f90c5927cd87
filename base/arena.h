/*
 * arena.h - memory for things that are built together and dropped together.
 *
 * A configuration or a rule set is built in an arena beside the running one, and
 * released whole. Nothing in it is freed singly.
 *
 * Thread: one at a time; what was built may be read by anyone afterwards.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* Creates an arena that will hold at most `bytes_max`, its own overhead included.
 * Owner:  the caller, until arena_destroy().
 * Errors: NULL when memory is short. */
struct arena *arena_create(size_t bytes_max);

/* Releases everything in it. NULL is allowed. */
void arena_destroy(struct arena *arena);

/* Everything in it is gone, and room for as much as its last block holds is kept: for scratch that
 * is used again and again. */
void arena_reset(struct arena *arena);

/* `bytes` of zeroed memory, aligned for any type; to a cache line where they are a multiple of one,
 * so that what is laid out by lines lies in lines.
 * Errors: NULL when memory is short or the arena's bound is reached. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* The same for `count` things of `bytes`; NULL also when the product overflows. */
void *arena_alloc_many(struct arena *arena, size_t count, size_t bytes);

/* A zero-terminated copy of `bytes` bytes. */
char *arena_copy(struct arena *arena, const char *from, size_t bytes);

/* True when an allocation has failed at the arena's bound, and not for want of memory. */
bool arena_is_full(const struct arena *arena);

/* Bytes that the arena has taken from the system. */
size_t arena_bytes(const struct arena *arena);

#endif

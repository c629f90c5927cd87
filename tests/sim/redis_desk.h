/*
 * redis_desk.h - the Redis of the shared store, as it outlives each life: in memory that all
 * processes share, at the same place in each.
 *
 * It knows the commands that store/shared_store.c uses. A script is known by what it says, and
 * anything else ends the process: a store that did something else would prove nothing.
 */
#ifndef TESTS_SIM_REDIS_DESK_H
#define TESTS_SIM_REDIS_DESK_H

#include <stddef.h>
#include <stdint.h>
#include "base/text.h"

enum { REDIS_WORDS_MAX = 4096 };

/* A reply as redis_desk_ask() writes it: kind, number, bytes and items of each, those of a list
 * behind it. */
struct redis_part {
    uint32_t kind; /* enum shared_reply_kind */
    uint32_t bytes, items;
    int64_t number;
};

/* Maps it; before the first life, once. */
void redis_desk_create(void);
/* It knows nothing. */
void redis_desk_begin(void);

/* Carries a command out at this time of the world; returns the reply, which the caller frees. */
char *redis_desk_ask(const struct text *word, size_t count, uint64_t now_ns, size_t *bytes);

/* What is there now is what a restart finds; without one it finds nothing. */
void redis_desk_save(void);
void redis_desk_restart(void);

/* Incidents that stand there as open: whether this one does, and how many do. */
size_t redis_desk_open(void);
int redis_desk_has_open(const char *incident);

#endif

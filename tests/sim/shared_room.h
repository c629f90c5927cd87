/*
 * shared_room.h - memory for what outlives each life, at the same place in all processes: pointers
 * into it are good in each of them. One at a time takes and gives.
 */
#ifndef TESTS_SIM_SHARED_ROOM_H
#define TESTS_SIM_SHARED_ROOM_H

#include <stddef.h>

/* Maps it; before the first life, once. Returns so many bytes of zeros at its beginning. */
void *shared_room_create(size_t bytes);

void *shared_room_take(size_t bytes);
void shared_room_give(void *at, size_t bytes);

#endif

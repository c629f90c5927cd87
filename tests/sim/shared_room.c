/* shared_room.c - see shared_room.h: pieces of powers of two, and lists of those that are free. */
#include "sim/shared_room.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM_BYTES ((size_t)1 << 30)
enum { SIZES = 30, SIZE_LEAST = 5 };

static struct room {
    size_t used;
    void *free[SIZES];
    _Alignas(64) char bytes[];
} * room;

static int size_of(size_t bytes)
{
    int size = SIZE_LEAST;

    while (((size_t)1 << size) < bytes)
        size++;
    assert(size < SIZES);
    return size;
}

void *shared_room_create(size_t bytes)
{
    room = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room != MAP_FAILED)
        return shared_room_take(bytes);
    perror("tocsin_sim: no memory that processes share");
    exit(70);
}

void *shared_room_take(size_t bytes)
{
    int size = size_of(bytes);
    void *at = room->free[size];

    if (at != NULL) {
        memcpy(&room->free[size], at, sizeof(void *));
        return at;
    }
    at = room->bytes + room->used;
    room->used += (size_t)1 << size;
    assert(sizeof(*room) + room->used <= ROOM_BYTES);
    return at;
}

void shared_room_give(void *at, size_t bytes)
{
    int size = size_of(bytes);

    memcpy(at, &room->free[size], sizeof(void *));
    room->free[size] = at;
}

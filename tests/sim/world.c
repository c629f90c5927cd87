/* world.c - see world.h. */
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct world *world;
void (*world_last_look)(void);

void world_create(void)
{
    void *at = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED) {
        perror("tocsin_sim: no memory for a world");
        exit(70);
    }
    world = at;
}

void world_note(const char *who, const char *form, ...)
{
    char text[1024];
    va_list args;
    int bytes;

    va_start(args, form);
    bytes = vsnprintf(text, sizeof(text), form, args);
    va_end(args);
    if (bytes < 0)
        return;
    if (bytes >= (int)sizeof(text))
        bytes = sizeof(text) - 1;
    world_hash(hash64(text, (size_t)bytes, 0));
    if (world->is_told)
        printf("%12.6f %u %-10s %s\n", (double)world->now_ns / 1e9, world->life, who, text);
}

void world_die(const char *why)
{
    world_note("world", "the life ends: %s", why);
    if (world_last_look != NULL)
        world_last_look();
    fflush(stdout);
    _exit(LIFE_WAS_KILLED);
}

void world_end(int code, const char *form, ...)
{
    va_list args;

    va_start(args, form);
    vsnprintf(world->report.sentence, sizeof(world->report.sentence), form, args);
    va_end(args);
    world_note("world", "the life ends with %d: %s", code, world->report.sentence);
    fflush(stdout);
    _exit(code);
}

/*
 * pattern_world.h - a set of patterns under construction, what is wrong with it, and its answers
 * about one event.
 *
 *   world_init(&world, "x");
 *   uint32_t id = add(&world, "message", "link .* down");
 *   build(&world);
 *   pattern_scan_start(&world.scan, world.set);
 *   assert_true(test(&world, id, text_of("link 7 down")));
 *   world_release(&world);
 */
#ifndef TESTS_PATTERN_WORLD_H
#define TESTS_PATTERN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/text.h"
#include "rules/pattern_scan.h"

enum { PATTERN_WORLD_BYTES = 256 << 20 };

struct pattern_world {
    struct arena *arena;
    struct pattern_table *table;
    struct script script;
    struct diagnostics diag;
    struct error err;
    struct pattern_set *set;
    struct pattern_scan scan;
};

static inline void world_init(struct pattern_world *world, const char *file)
{
    world->arena = arena_create(PATTERN_WORLD_BYTES);
    world->table = pattern_table_create(world->arena);
    world->script = (struct script){"rules.yaml", file, strlen(file)};
    world->set = NULL;
    world->err.text[0] = '\0';
    diagnostics_init(&world->diag, &world->err);
}

static inline void world_release(struct pattern_world *world)
{
    pattern_set_destroy(world->set);
    arena_destroy(world->arena);
}

static inline uint32_t add(struct pattern_world *world, const char *column, const char *pattern)
{
    struct span span = {&world->script, 0, 1};
    uint32_t id = UINT32_MAX;

    if (!pattern_table_add(world->table, text_of(column), text_of(pattern), span, &world->diag,
                           &id))
        fail_msg("%s: %s", pattern, world->err.text);
    return id;
}

static inline void build(struct pattern_world *world)
{
    if (!pattern_set_build(world->table, world->arena, &world->diag, &world->set))
        fail_msg("%s", world->err.text);
}

static inline bool test(struct pattern_world *world, uint32_t id, struct text text)
{
    return pattern_scan_test(&world->scan, id, text);
}

#endif

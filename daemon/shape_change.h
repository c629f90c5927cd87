/*
 * shape_change.h - which keys of a rule, a mute or an enrich step are others in the set that comes,
 * as they are written (rules/rule_shape.h).
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_SHAPE_CHANGE_H
#define DAEMON_SHAPE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include "base/arena.h"
#include "rules/rule_set.h"

/* What is written under the keys of one rule, mute or step; `at` NULL: it is not known. */
struct shape {
    const struct rule_shape *at;
    uint32_t count;
};

/* A copy in `arena`. False: memory is short. */
bool shape_keep(const struct rule_shape *at, uint32_t count, struct arena *arena,
                struct shape *out);

/* {key: text}, and {key: digest} of those whose meaning is known; new references. And back. A
 * daemon of before tells none: `from` or `means` NULL. False: memory is short. */
json_t *shape_json(const struct shape *shape);
json_t *shape_means_json(const struct shape *shape);
bool shape_read(const json_t *from, const json_t *means, struct arena *arena, struct shape *out);

/* A setting of a rule that carries on, or a key of what has changed; "": there is none. Equal
 * texts: what they name is another. */
struct preview_change {
    const char *key, *from, *to;
    bool is_guess; /* or that of another key of equal texts: which of them is not known */
};

struct preview_changes {
    const struct preview_change *at;
    uint32_t count;
};

/* The keys whose texts differ, or of which it is known that what they name is another. Where there
 * are none, what some of them name is another, and all that can name something, and of which it is
 * not known that they do not, are told. None where one of both is not known. False: memory is
 * short. */
bool shape_compare(const struct shape *now, const struct shape *next, struct arena *arena,
                   struct preview_changes *out);

/* A line each, under what has changed. */
void preview_changes_print(const struct preview_changes *changes, FILE *to);

/* [{"key","from","to"}]. New reference. */
json_t *preview_changes_json(const struct preview_changes *changes);

#endif

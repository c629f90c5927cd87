/*
 * text.h - two small things done with texts everywhere: comparing and keeping them.
 */
#ifndef RULES_TEXT_H
#define RULES_TEXT_H

#include <stdbool.h>
#include <string.h>
#include "base/arena.h"
#include "base/event.h"

/* Inline: rules are matched with it. A text of no bytes may lie nowhere. */
static inline bool texts_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* A zero-terminated copy in `arena`. False when memory is short. */
static inline bool text_keep(struct arena *arena, struct text text, struct text *out)
{
    out->at = arena_copy(arena, text.len > 0 ? text.at : "", text.len);
    out->len = text.len;
    return out->at != NULL;
}

#endif

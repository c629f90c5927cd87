/*
 * text.h - small things done with texts everywhere: making, comparing and keeping them.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <string.h>
#include "base/arena.h"
#include "base/event.h"

/* A zero-terminated word as a text; none (NULL) as the empty one. */
static inline struct text text_of(const char *word)
{
    return word != NULL ? (struct text){word, (uint32_t)strlen(word)} : (struct text){"", 0};
}

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

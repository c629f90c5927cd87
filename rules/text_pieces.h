/*
 * text_pieces.h - by which few bytes a text is told from others.
 *
 *   counted: "answered code=17 on link", "answered code=9 on link", "link down"
 *   rarest piece of the first: "ode=17 o", not " on link"
 *
 * A piece is eight bytes of a text, or the whole of a shorter one. Pieces are counted by a hash, so
 * two may share a count: then one looks more frequent than it is, which costs time and nothing
 * else.
 *
 * Memory:  64 KiB, whatever is counted.
 */
#ifndef RULES_TEXT_PIECES_H
#define RULES_TEXT_PIECES_H

#include <stdint.h>
#include "base/event.h"

enum { TEXT_PIECE_BYTES = 8, TEXT_PIECES_SLOTS = 1 << 14 };

/* Zeroed, nothing is counted yet. */
struct text_pieces {
    uint32_t counts[TEXT_PIECES_SLOTS];
};

void text_pieces_count(struct text_pieces *pieces, struct text text);

/* The piece of `text` that occurs least, the first of several, and how often that is. */
struct text text_pieces_rarest(const struct text_pieces *pieces, struct text text, uint32_t *count);

#endif

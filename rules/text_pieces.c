/* text_pieces.c - see text_pieces.h. */
#include "rules/text_pieces.h"

#include "base/hash.h"

static uint32_t piece_bytes(struct text text)
{
    return text.len < TEXT_PIECE_BYTES ? text.len : TEXT_PIECE_BYTES;
}

static uint32_t slot_of(const char *at, uint32_t bytes)
{
    return (uint32_t)(hash64(at, bytes, bytes) % TEXT_PIECES_SLOTS);
}

void text_pieces_count(struct text_pieces *pieces, struct text text)
{
    for (uint32_t i = 0, bytes = piece_bytes(text); i + bytes <= text.len; i++)
        pieces->counts[slot_of(text.at + i, bytes)]++;
}

struct text text_pieces_rarest(const struct text_pieces *pieces, struct text text, uint32_t *count)
{
    struct text best = {text.at, piece_bytes(text)};

    *count = UINT32_MAX;
    for (uint32_t i = 0; i + best.len <= text.len; i++) {
        uint32_t seen = pieces->counts[slot_of(text.at + i, best.len)];
        if (seen < *count) {
            *count = seen;
            best.at = text.at + i;
        }
    }
    return best;
}

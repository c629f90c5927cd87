/*
 * positions.c - see positions.h.
 *
 * Bit 0 is the begin: it is set at each place at which a match may begin.
 */
#include "rules/positions.h"

#include <string.h>
#include "rules/positions_layout.h"

enum {
    ROOM = POSITIONS_WORDS_MAX + 2, /* a word of zeros before, and what a shift drops behind */
    /* In shorter texts the steps have said no as soon. */
    WORTH_A_LOOK_BYTES = 256,
};

/* A character: its kind and its bytes, 0 at the end of the text. */
struct character {
    uint32_t kind, bytes;
};

static struct character character_at(const struct positions *positions, struct text text,
                                     uint32_t at)
{
    struct character out = {0, 0};
    uint32_t character;

    if (at >= text.len)
        return out;
    if ((unsigned char)text.at[at] < PATTERN_ASCII)
        return (struct character){positions->ascii[(unsigned char)text.at[at]], 1};
    character = capture_character_at(text, at, &out.bytes);
    out.kind =
        positions
            ->range_kind[pattern_range_of(positions->range, positions->range_count, character)];
    return out;
}

static bool meets(const uint64_t *set, uint32_t used, const struct positions_span *span)
{
    uint64_t met = 0;

    for (uint32_t i = 0; i < span->count && span->first + i < used; i++)
        met |= set[span->first + i] & span->words[i];
    return met != 0;
}

/* Moves what is in `mask` of the first `used` words of `from` by `distance`, to `to`. Each has a
 * word of zeros before the first and behind the last in use. */
static void move(const uint64_t *restrict from, const uint64_t *restrict mask, int used,
                 int distance, uint64_t *restrict to)
{
    if (distance == 0) {
        for (int i = 0; i < used; i++)
            to[i] |= from[i] & mask[i];
    } else if (distance > 0) {
        for (int i = 0; i <= used; i++)
            to[i] |=
                (from[i] & mask[i]) << distance | (from[i - 1] & mask[i - 1]) >> (64 - distance);
    } else {
        for (int i = 0; i < used; i++)
            to[i] |= (from[i] & mask[i]) >> -distance | (from[i + 1] & mask[i + 1])
                                                            << (64 + distance);
    }
}

/* From where all of a chain lead to the same. */
static void jump(const struct positions_link *link, const uint64_t *from, uint64_t *to)
{
    for (uint32_t j = 0; j < link->jump_count; j++) {
        const struct positions_jump *jump = &link->jump[j];
        uint64_t met = 0;
        for (uint32_t i = 0; i < jump->from.count; i++)
            met |= from[jump->from.first + i] & jump->from.words[i];
        met = met != 0 ? ~(uint64_t)0 : 0; /* no branch: it would be mispredicted */
        for (uint32_t i = 0; i < jump->to.count; i++)
            to[jump->to.first + i] |= jump->to.words[i] & met;
    }
}

/* What leads elsewhere: of each chain the first that is set. */
static void leave(const struct positions_link *link, const uint64_t *from, uint32_t used,
                  uint64_t *to)
{
    uint64_t left[ROOM];

    for (uint32_t w = 0; w < used; w++)
        left[w] = from[w] & link->exits[w];
    for (uint32_t w = 0; w < used; w++)
        while (left[w] != 0) {
            const struct positions_exit *exit =
                &link->exit[w * 64 + (uint32_t)__builtin_ctzll(left[w])];
            const struct positions_span *chain = &link->chain[exit->chain];
            for (uint32_t i = 0; i < exit->to.count; i++)
                to[exit->to.first + i] |= exit->to.words[i];
            for (uint32_t i = 0; i < chain->count && chain->first + i < used; i++)
                left[chain->first + i] &= ~chain->words[i];
        }
}

/* Keeps of the first `reach` words what takes the character that came. Returns the words in use. */
static uint32_t keep(const uint64_t *takes, uint32_t reach, uint64_t *to)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < reach; i++) {
        to[i] &= takes[i];
        used = to[i] != 0 ? i + 1 : used;
    }
    return used;
}

/* The same, with skips: in a run of positions that need not be, whatever comes next lets all that
 * follow come next, up to the one behind the run. Added to a run of ones, a bit turns those from
 * there on to zeros and is carried behind them. */
static uint32_t keep_with_skips(const uint64_t *skips, const uint64_t *takes, uint32_t reach,
                                uint32_t words, uint64_t *to)
{
    uint64_t carry = 0;
    uint32_t used = 0;

    for (uint32_t i = 0; i < words && (i < reach || carry != 0); i++) {
        uint64_t run = skips[i], some = run + (to[i] & run), sum = some + carry;
        carry = (some < run) | (sum < some);
        to[i] = (to[i] | (run ^ sum)) & takes[i];
        used = to[i] != 0 ? i + 1 : used;
    }
    return used;
}

/* What follows `from` and takes a character of `kind`. Returns the words in use. */
static uint32_t step(const struct positions *positions, const struct positions_link *link,
                     const uint64_t *from, uint32_t used, uint32_t kind, uint64_t *to)
{
    uint32_t words = positions->words, reach = used < words ? used + 1 : words;
    const uint64_t *takes = positions->takes + (size_t)kind * words;

    memset(to, 0, (words + 1) * sizeof(*to));
    for (uint32_t s = 0; s < link->shift_count; s++)
        move(from, link->shift[s].from, (int)used, link->shift[s].distance, to);
    if (link->jump_count > 0)
        jump(link, from, to);
    if (link->chain_count > 0)
        leave(link, from, used, to);
    if (link->jump_count > 0 || link->chain_count > 0)
        reach = words;
    used = link->skips != NULL ? keep_with_skips(link->skips, takes, reach, words, to)
                               : keep(takes, reach, to);
    to[words] = 0; /* past the last, where a shift may have led */
    to[0] |= !positions->at_start;
    return used > 0 || positions->at_start ? used : 1;
}

/* Where a match can begin at the earliest, `at` or later; past the end when there is none. */
static uint32_t skip(const struct positions *positions, struct text text, uint32_t at)
{
    struct character here;

    if (positions->prefix.len > 0) {
        const char *found =
            memmem(text.at + at, text.len - at, positions->prefix.at, positions->prefix.len);
        return found != NULL ? (uint32_t)(found - text.at) : text.len + 1;
    }
    for (; at < text.len; at += here.bytes) {
        here = character_at(positions, text, at);
        if (pattern_kind_set_has(&positions->first_kinds, here.kind))
            return at;
    }
    return text.len + 1;
}

/* What the character before `at` is to assertions. */
static enum pattern_around around_before(const struct positions *positions, struct text text,
                                         uint32_t at)
{
    if (at == 0)
        return AROUND_EDGE;
    do
        at--;
    while (at > 0 && ((unsigned char)text.at[at] & 0xc0) == 0x80);
    return positions->kind_around[character_at(positions, text, at).kind];
}

static bool is_possible(const struct positions *positions, struct text text)
{
    uint32_t at = 0;

    if (positions->part.len > 0 &&
        memmem(text.at, text.len, positions->part.at, positions->part.len) == NULL)
        return false;
    for (uint32_t i = 0; i < positions->required_count && text.len >= WORTH_A_LOOK_BYTES; i++) {
        bool is_found = false;
        while (!is_found && at < text.len) {
            struct character here = character_at(positions, text, at);
            is_found = pattern_kind_set_has(&positions->required[i], here.kind);
            at += here.bytes;
        }
        if (!is_found)
            return false;
    }
    return true;
}

bool positions_search(const struct positions *positions, struct text text)
{
    uint64_t room[2][ROOM], *from = room[0] + 1, *to = room[1] + 1;
    enum pattern_around before = AROUND_EDGE, around;
    const struct positions_link *link;
    struct character here;
    uint32_t used = 1;

    if (!is_possible(positions, text))
        return false;
    memset(room[0], 0, (positions->words + 2) * sizeof(room[0][0]));
    from[0] = 1;
    to[-1] = 0;
    for (uint32_t at = 0; used > 0; at += here.bytes) {
        if (used == 1 && from[0] == 1 && !positions->at_start && positions->has_first) {
            uint32_t begin = skip(positions, text, at);
            if (begin > text.len)
                return false;
            before = begin > at ? around_before(positions, text, begin) : before;
            at = begin;
        }
        here = character_at(positions, text, at);
        around =
            here.bytes == 0 ? AROUND_EDGE : (enum pattern_around)positions->kind_around[here.kind];
        link = positions->link[before][around];
        if (meets(from, used, &link->found) || (positions->splits_characters && here.bytes > 1))
            return true;
        if (here.bytes == 0)
            return false;
        used = step(positions, link, from, used, here.kind, to);
        before = around;
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    return false;
}

uint32_t positions_ns_per_character(const struct positions *positions)
{
    uint32_t most = 0;

    for (int before = 0; before < AROUND_COUNT; before++)
        for (int here = 0; here < AROUND_COUNT; here++) {
            uint32_t ns = positions_link_ns(positions->link[before][here], positions->words);
            most = ns > most ? ns : most;
        }
    return most;
}

/*
 * positions_make.c - a program (rules/capture.h) into positions. See positions.h.
 *
 * Behind the character at instruction i a way stands at i + 1, and what it takes next is found by
 * following what takes none: once for each set of answers that the assertions of the program can
 * give together. Of the distances between a position and those that follow it the common ones
 * become shifts, the rest exits.
 */
#include <string.h>
#include "base/hash.h"
#include "rules/positions_layout.h"

enum {
    SHIFT_PAIRS_MIN = 4,
    /* As many pairs a jump has to stand for. */
    HUB_PAIRS_MIN = 6,
    HUBS_MAX = 16,
    HUB_SLOTS = 512,
    /* As many of the newest chains are tried for an exit. */
    CHAINS_TRIED = 8,
};

struct maker {
    const struct capture *program;
    struct pattern_kinds kinds;
    struct arena *arena, *scratch; /* what is kept, and what is not */
    struct positions *out;
    uint32_t count, words; /* of positions */
    uint32_t work;
    bool is_out_of_memory;
    uint16_t code[POSITIONS_MAX + 1];     /* by position: where a way stands behind it */
    uint16_t position[POSITIONS_MAX + 1]; /* by instruction that takes a character */
    bool ends[POSITIONS_MAX];             /* by instruction: does it reach the match? */
    bool has_loops;
    uint64_t *reach, *follow; /* by instruction and by position, `words` each */
    struct {
        unsigned answers; /* of assertions, a bit each */
        bool is_end;
        const struct positions_link *link;
    } links[POSITIONS_LINKS_MAX];
    uint32_t link_count;
};

static void *take(struct maker *maker, struct arena *arena, size_t count, size_t bytes)
{
    void *out = arena_alloc_many(arena, count + 1, bytes);

    maker->is_out_of_memory = maker->is_out_of_memory || out == NULL;
    return out;
}

static uint64_t *follow_of(const struct maker *maker, uint32_t position)
{
    return maker->follow + (size_t)position * maker->words;
}

static bool is_in(const uint64_t *set, uint32_t member)
{
    return set[member / 64] >> member % 64 & 1;
}

static void put(uint64_t *set, uint32_t member)
{
    set[member / 64] |= (uint64_t)1 << member % 64;
}

static bool holds_all(const struct maker *maker, const uint64_t *all, const uint64_t *some)
{
    for (uint32_t w = 0; w < maker->words; w++)
        if ((some[w] & ~all[w]) != 0)
            return false;
    return true;
}

static bool is_empty(const uint64_t *set, uint32_t words)
{
    uint64_t any = 0;

    for (uint32_t w = 0; w < words; w++)
        any |= set[w];
    return any == 0;
}

/* A copy without the zeros around it. */
static struct positions_span span_keep(struct maker *maker, const uint64_t *set)
{
    uint32_t first = 0, end = maker->words;
    uint64_t *words;

    while (end > 0 && set[end - 1] == 0)
        end--;
    while (first < end && set[first] == 0)
        first++;
    words = take(maker, maker->arena, end - first, sizeof(*words));
    if (words != NULL)
        memcpy(words, set + first, (end - first) * sizeof(*words));
    return (struct positions_span){words, (uint8_t)first, (uint8_t)(end - first)};
}

/* ---- what follows what ---- */

static bool answer(unsigned answers, uint16_t assertion)
{
    return answers >> assertion & 1;
}

static uint64_t *reach_of(const struct maker *maker, uint32_t instruction)
{
    return maker->reach + (size_t)instruction * maker->words;
}

/* Lets instruction `at` reach what `next` reaches. Returns whether that is more than before. */
static bool reach_add(struct maker *maker, uint32_t at, uint32_t next)
{
    uint64_t *to = reach_of(maker, at), more = 0;
    const uint64_t *from = reach_of(maker, next);
    bool is_new = maker->ends[next] && !maker->ends[at];

    for (uint32_t w = 0; w < maker->words; w++) {
        more |= from[w] & ~to[w];
        to[w] |= from[w];
    }
    maker->ends[at] = maker->ends[at] || maker->ends[next];
    return more != 0 || is_new;
}

/* One instruction; returns whether it reaches more than before. */
static bool reach_step(struct maker *maker, uint32_t at, unsigned answers)
{
    const struct capture_instruction *code = &maker->program->code[at];

    switch ((enum capture_opcode)code->op) {
    case CAPTURE_SPLIT:
        if (code->is_run) { /* as well as out of the run, it leads behind the next of it */
            bool is_new = reach_add(maker, at, at + 1);
            return reach_add(maker, at, at + 2) || is_new;
        } else {
            bool is_new = reach_add(maker, at, code->first);
            return reach_add(maker, at, code->second) || is_new;
        }
    case CAPTURE_JUMP:
        return reach_add(maker, at, code->first);
    case CAPTURE_ASSERT:
        return answer(answers, code->first) && reach_add(maker, at, at + 1);
    case CAPTURE_SAVE:
        return reach_add(maker, at, at + 1);
    default:
        return false;
    }
}

/* Finds which positions each instruction reaches without taking a character: from the last to the
 * first, again while there are loops that have not seen it all. */
static bool reach_all(struct maker *maker, unsigned answers)
{
    const struct capture_instruction *code = maker->program->code;
    uint32_t count = maker->program->code_count;
    bool is_more = true;

    memset(maker->reach, 0, (size_t)count * maker->words * sizeof(*maker->reach));
    for (uint32_t at = 0; at < count; at++) {
        maker->ends[at] = code[at].op == CAPTURE_MATCH;
        if (code[at].op == CAPTURE_CHARACTER)
            put(reach_of(maker, at), maker->position[at]);
    }
    while (is_more) {
        is_more = false;
        for (uint32_t at = count; at-- > 0;)
            is_more = reach_step(maker, at, answers) || is_more;
        maker->work += count + count * maker->words / 4;
        is_more = is_more && maker->has_loops;
        if (maker->work > POSITIONS_WORK_MAX)
            return false;
    }
    return true;
}

/* Fills the link's `found`. */
static bool find_ends(struct maker *maker, unsigned answers, struct positions_link *link)
{
    uint64_t found[POSITIONS_WORDS_MAX] = {0};

    if (!reach_all(maker, answers))
        return false;
    for (uint32_t p = 0; p < maker->count; p++)
        if (maker->ends[maker->code[p]])
            put(found, p);
    link->found = span_keep(maker, found);
    return true;
}

/* Fills `follow`. */
static void follow_all(struct maker *maker)
{
    for (uint32_t p = 0; p < maker->count; p++)
        memcpy(follow_of(maker, p), reach_of(maker, maker->code[p]),
               maker->words * sizeof(*maker->follow));
    maker->work += maker->count + maker->count * maker->words / 8;
}

/* ---- skips ---- */

/* Those that have the next one beside them wherever they follow. */
static bool skips_look(struct maker *maker, uint64_t *skips)
{
    uint64_t all[POSITIONS_WORDS_MAX] = {0}, alone[POSITIONS_WORDS_MAX] = {0}, any = 0;
    uint32_t words = maker->words;

    for (uint32_t p = 0; p < maker->count; p++) {
        const uint64_t *follow = follow_of(maker, p);
        for (uint32_t w = 0; w < words; w++) {
            uint64_t next = follow[w] >> 1 | (w + 1 < words ? follow[w + 1] << 63 : 0);
            all[w] |= follow[w];
            alone[w] |= follow[w] & ~next;
        }
    }
    for (uint32_t w = 0; w < words; w++)
        any |= skips[w] = all[w] & ~alone[w];
    maker->work += maker->count + maker->count * words / 4;
    return any != 0;
}

/* Fills the link's `skips`, from `follow` as it is. */
static void find_skips(struct maker *maker, struct positions_link *link)
{
    uint64_t *skips = take(maker, maker->arena, maker->words, sizeof(*skips));

    if (skips != NULL && skips_look(maker, skips))
        link->skips = skips;
}

/* Takes out of `follow` what is behind one that need not be. */
static void take_out_skipped(struct maker *maker, const uint64_t *skips)
{
    for (uint32_t p = 0; p < maker->count; p++) {
        uint64_t *follow = follow_of(maker, p), carry = 0;
        for (uint32_t w = 0; w < maker->words; w++) {
            uint64_t some = follow[w] & skips[w];
            follow[w] &= ~(some << 1 | carry);
            carry = some >> 63;
        }
    }
    maker->work += maker->count * maker->words / 4;
}

/* ---- hubs ---- */

/* Where the same ones follow many, as behind each side of (a|bc|def)+. */
struct hub {
    uint64_t hash;
    uint32_t position, count; /* one that they follow; how many there are */
};

static uint32_t count_bits(const uint64_t *set, uint32_t words)
{
    uint32_t count = 0;

    for (uint32_t w = 0; w < words; w++)
        count += (uint32_t)__builtin_popcountll(set[w]);
    return count;
}

/* The hub that stands for the most pairs; false when none does for many. */
static bool hub_find(struct maker *maker, struct hub *best)
{
    struct hub hubs[HUB_SLOTS] = {{0}};
    uint32_t most = HUB_PAIRS_MIN - 1;

    for (uint32_t p = 0; p < maker->count; p++) {
        const uint64_t *follow = follow_of(maker, p);
        uint32_t pairs = count_bits(follow, maker->words);
        uint64_t hash = hash64(follow, maker->words * sizeof(*follow), 0);
        struct hub *hub = &hubs[hash % HUB_SLOTS];
        if (pairs < 2 || (hub->count > 0 && hub->hash != hash))
            continue; /* another one has its slot */
        hub->hash = hash;
        hub->position = p;
        hub->count++;
        if ((hub->count - 1) * pairs > most) {
            most = (hub->count - 1) * pairs;
            *best = *hub;
        }
    }
    maker->work += HUB_SLOTS / 4 + maker->count * (4 + maker->words / 2);
    return most >= HUB_PAIRS_MIN;
}

/* Takes what many lead to out of `follow`, into jumps. */
static void find_hubs(struct maker *maker, struct positions_link *link)
{
    struct positions_jump *jump = take(maker, maker->arena, HUBS_MAX, sizeof(*jump));
    struct hub hub;

    link->jump = jump;
    while (jump != NULL && link->jump_count < HUBS_MAX && hub_find(maker, &hub)) {
        uint64_t from[POSITIONS_WORDS_MAX] = {0}, to[POSITIONS_WORDS_MAX];
        memcpy(to, follow_of(maker, hub.position), maker->words * sizeof(to[0]));
        for (uint32_t p = 0; p < maker->count; p++) {
            uint64_t *follow = follow_of(maker, p);
            if (!holds_all(maker, follow, to))
                continue;
            put(from, p);
            for (uint32_t w = 0; w < maker->words; w++)
                follow[w] &= ~to[w];
        }
        maker->work += maker->count * (1 + maker->words / 4);
        jump[link->jump_count++] =
            (struct positions_jump){span_keep(maker, from), span_keep(maker, to)};
    }
}

/* ---- shifts ---- */

static uint32_t member_next(const uint64_t *set, uint32_t words, uint32_t from)
{
    for (uint32_t w = from / 64; w < words; w++) {
        uint64_t left = set[w] & (w == from / 64 ? ~(uint64_t)0 << from % 64 : ~(uint64_t)0);
        if (left != 0)
            return w * 64 + (uint32_t)__builtin_ctzll(left);
    }
    return UINT32_MAX;
}

/* How many pairs there are of each distance, from -63 on. */
static void count_distances(struct maker *maker, uint32_t counts[127])
{
    memset(counts, 0, 127 * sizeof(counts[0]));
    for (uint32_t p = 0; p < maker->count; p++) {
        const uint64_t *follow = follow_of(maker, p);
        uint32_t from = p > 63 ? p - 63 : 0;
        for (uint32_t q = member_next(follow, maker->words, from); q != UINT32_MAX && q <= p + 63;
             q = member_next(follow, maker->words, q + 1)) {
            counts[63 + q - p]++;
            maker->work++;
        }
    }
}

/* Takes the pairs of this distance out of `follow`, into a shift. */
static void add_shift(struct maker *maker, struct positions_link *link, int distance)
{
    uint64_t *from = take(maker, maker->arena, maker->words + 2, sizeof(*from));

    if (from == NULL)
        return;
    from++;
    for (uint32_t p = 0; p < maker->count; p++) {
        int64_t to = (int64_t)p + distance;
        if (to < 0 || to >= maker->count || !is_in(follow_of(maker, p), (uint32_t)to))
            continue;
        put(from, p);
        follow_of(maker, p)[to / 64] &= ~((uint64_t)1 << to % 64);
    }
    link->shift[link->shift_count].distance = distance;
    link->shift[link->shift_count++].from = from;
    maker->work += maker->count / 4;
}

/* Those of at least one pair for every `share` positions. */
static void find_shifts(struct maker *maker, struct positions_link *link, uint32_t share)
{
    uint32_t counts[127], least = maker->count / share;

    link->shift = take(maker, maker->scratch, POSITIONS_SHIFTS_MAX, sizeof(*link->shift));
    count_distances(maker, counts);
    while (link->shift != NULL && link->shift_count < POSITIONS_SHIFTS_MAX) {
        uint32_t most = 0;
        for (uint32_t i = 1; i < 127; i++)
            most = counts[i] > counts[most] ? i : most;
        if (counts[most] < SHIFT_PAIRS_MIN || counts[most] < least)
            break;
        counts[most] = 0;
        add_shift(maker, link, (int)most - 63);
    }
}

/* ---- exits ---- */

/* The chain that `position` continues, by the last of each, or a new one. */
static uint32_t chain_find(struct maker *maker, const uint32_t *last, uint32_t *count,
                           uint32_t position)
{
    uint32_t first = *count > CHAINS_TRIED ? *count - CHAINS_TRIED : 0;

    for (uint32_t c = *count; c-- > first;) {
        maker->work += 2 + maker->words / 4;
        if (holds_all(maker, follow_of(maker, last[c]), follow_of(maker, position)))
            return c;
    }
    return (*count)++;
}

/* The positions of each chain. */
static struct positions_span *chains_keep(struct maker *maker, const struct positions_exit *exit,
                                          const uint64_t *exits, uint32_t count)
{
    struct positions_span *spans = take(maker, maker->arena, count, sizeof(*spans));
    uint64_t *sets = take(maker, maker->scratch, (size_t)count * maker->words, sizeof(*sets));

    if (maker->is_out_of_memory)
        return NULL;
    for (uint32_t p = 0; p < maker->count; p++)
        if (is_in(exits, p))
            put(sets + (size_t)exit[p].chain * maker->words, p);
    for (uint32_t c = 0; c < count; c++)
        spans[c] = span_keep(maker, sets + (size_t)c * maker->words);
    maker->work += count * maker->words / 4;
    return spans;
}

/* Do all positions of the chain lead to the same? */
static bool is_jump(const struct positions_exit *exit, const struct positions_span *chain)
{
    const uint64_t *same = NULL;

    for (uint32_t w = 0; w < chain->count; w++)
        for (uint64_t left = chain->words[w]; left != 0; left &= left - 1) {
            uint32_t p = (chain->first + w) * 64u + (uint32_t)__builtin_ctzll(left);
            if (same != NULL && exit[p].to.words != same)
                return false;
            same = exit[p].to.words;
        }
    return true;
}

/* Makes jumps of the chains that can be such; the rest is numbered anew. */
static void find_jumps(struct maker *maker, struct positions_link *link,
                       struct positions_exit *exit, uint64_t *exits, struct positions_span *chain)
{
    struct positions_jump *jump =
        take(maker, maker->arena, link->jump_count + link->chain_count, sizeof(*jump));
    uint16_t number[POSITIONS_MAX];
    uint32_t left = 0;

    if (jump != NULL && link->jump_count > 0)
        memcpy(jump, link->jump, link->jump_count * sizeof(*jump));
    for (uint32_t c = 0; c < link->chain_count && jump != NULL; c++) {
        uint32_t first = chain[c].first * 64u + (uint32_t)__builtin_ctzll(chain[c].words[0]);
        if (is_jump(exit, &chain[c])) {
            jump[link->jump_count++] = (struct positions_jump){chain[c], exit[first].to};
            for (uint32_t w = 0; w < chain[c].count; w++)
                exits[chain[c].first + w] &= ~chain[c].words[w];
        } else {
            number[c] = (uint16_t)left;
            chain[left++] = chain[c];
        }
    }
    for (uint32_t p = 0; p < maker->count && left > 0; p++)
        if (is_in(exits, p))
            exit[p].chain = number[exit[p].chain];
    maker->work += link->chain_count + maker->count / 4;
    link->chain_count = left;
    link->jump = jump;
}

/* What no shift covers. Kept are the exits of chains that are no jumps. */
static bool find_exits(struct maker *maker, struct positions_link *link)
{
    struct positions_exit *exit = take(maker, maker->scratch, maker->count, sizeof(*exit)), *kept;
    uint64_t *exits;
    struct positions_span *chains;
    uint32_t last[POSITIONS_MAX];

    exits = take(maker, maker->arena, maker->words, sizeof(*exits));
    for (uint32_t p = 0; p < maker->count && !maker->is_out_of_memory; p++) {
        const uint64_t *follow = follow_of(maker, p);
        if (is_empty(follow, maker->words))
            continue;
        uint32_t before = link->chain_count;
        uint32_t c = chain_find(maker, last, &link->chain_count, p);
        bool is_same = c < before && holds_all(maker, follow, follow_of(maker, last[c]));
        exit[p].to = is_same ? exit[last[c]].to : span_keep(maker, follow);
        exit[p].chain = (uint16_t)c;
        last[c] = p;
        put(exits, p);
        if (maker->work > POSITIONS_WORK_MAX)
            return false;
    }
    if (link->chain_count == 0 || maker->is_out_of_memory)
        return !maker->is_out_of_memory;
    chains = chains_keep(maker, exit, exits, link->chain_count);
    if (chains != NULL)
        find_jumps(maker, link, exit, exits, chains);
    if (link->chain_count == 0 || maker->is_out_of_memory)
        return !maker->is_out_of_memory;
    kept = take(maker, maker->arena, maker->count, sizeof(*kept));
    if (kept != NULL)
        memcpy(kept, exit, maker->count * sizeof(*kept));
    link->exits = exits;
    link->exit = kept;
    link->chain = chains;
    return kept != NULL;
}

/* ---- links ---- */

/* What the assertions that the program has say between the two. */
static unsigned answers_of(const struct maker *maker, enum pattern_around before,
                           enum pattern_around here)
{
    unsigned answers = 0;

    for (uint32_t i = 0; i < maker->program->code_count; i++) {
        const struct capture_instruction *code = &maker->program->code[i];
        if (code->op == CAPTURE_ASSERT &&
            pattern_assertion_holds((enum capture_assertion)code->first, before, here))
            answers |= 1u << code->first;
    }
    return answers;
}

struct way {
    bool has_skips, has_hubs;
    uint32_t share; /* shifts of the distances that one of as many positions has */
};

/* One way to write the link down; NULL: it takes too much to make. */
static struct positions_link *link_try(struct maker *maker, const struct positions_link *begun,
                                       const struct way *way)
{
    struct positions_link *link = take(maker, maker->arena, 1, sizeof(*link));

    if (link == NULL)
        return NULL;
    *link = *begun;
    follow_all(maker);
    if (way->has_skips)
        find_skips(maker, link);
    if (way->has_hubs)
        find_hubs(maker, link);
    if (link->skips != NULL)
        take_out_skipped(maker, link->skips);
    find_shifts(maker, link, way->share);
    return find_exits(maker, link) ? link : NULL;
}

/* They were found in scratch. */
static bool keep_shifts(struct maker *maker, struct positions_link *link)
{
    struct positions_shift *kept = take(maker, maker->arena, link->shift_count, sizeof(*kept));

    if (kept != NULL && link->shift_count > 0)
        memcpy(kept, link->shift, link->shift_count * sizeof(*kept));
    link->shift = kept;
    return kept != NULL;
}

/* One shift and skips, or hardly more: nothing else is tried then. */
static bool is_cheap(const struct maker *maker, const struct positions_link *link)
{
    return positions_link_ns(link, maker->words) <= 25 + 4 * maker->words;
}

/* A shift and skips look at all words, and an exit is looked at when it is set. With few shifts
 * there may be many chains, and with many hardly fewer: the cheapest of some is taken. */
static const struct positions_link *link_make(struct maker *maker, unsigned answers)
{
    static const struct way ways[] = {{true, false, 8},   {true, true, 8},  {false, true, 8},
                                      {false, false, 32}, {true, true, 32}, {true, false, 2}};
    struct positions_link begun = {.shift_count = 0};
    struct positions_link *best = NULL;

    if (!find_ends(maker, answers, &begun))
        return NULL;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct positions_link *link;
        if (best != NULL && is_cheap(maker, best))
            break;
        link = link_try(maker, &begun, &ways[i]);
        if (link == NULL)
            return NULL;
        if (best == NULL ||
            positions_link_ns(link, maker->words) < positions_link_ns(best, maker->words))
            best = link;
    }
    return best != NULL && keep_shifts(maker, best) ? best : NULL;
}

/* At the end of the text nothing follows: there it matters only whether it was found. */
static const struct positions_link *end_make(struct maker *maker, unsigned answers)
{
    struct positions_link *link = take(maker, maker->arena, 1, sizeof(*link));

    return link != NULL && find_ends(maker, answers, link) ? link : NULL;
}

static const struct positions_link *link_find(struct maker *maker, enum pattern_around before,
                                              enum pattern_around here)
{
    unsigned answers = answers_of(maker, before, here);
    bool is_end = here == AROUND_EDGE;
    uint32_t i = 0;

    while (i < maker->link_count &&
           (maker->links[i].answers != answers || maker->links[i].is_end != is_end))
        i++;
    if (i == maker->link_count) {
        const struct positions_link *link =
            is_end ? end_make(maker, answers) : link_make(maker, answers);
        if (link == NULL)
            return NULL;
        maker->links[maker->link_count].answers = answers;
        maker->links[maker->link_count].is_end = is_end;
        maker->links[maker->link_count++].link = link;
    }
    return maker->links[i].link;
}

static bool make_links(struct maker *maker)
{
    for (enum pattern_around before = AROUND_EDGE; before < AROUND_COUNT; before++)
        for (enum pattern_around here = AROUND_EDGE; here < AROUND_COUNT; here++) {
            /* Those that no assertion asks for are never looked up, but stand for others. */
            const struct positions_link *link = link_find(maker, before, here);
            if (link == NULL)
                return false;
            maker->out->link[before][here] = link;
        }
    return true;
}

/* ---- the whole ---- */

static void number_positions(struct maker *maker)
{
    const struct capture *program = maker->program;

    maker->code[0] = 0;
    maker->count = 1;
    maker->has_loops = false;
    for (uint32_t i = 0; i < program->code_count; i++)
        maker->has_loops = maker->has_loops ||
                           (program->code[i].op == CAPTURE_JUMP && program->code[i].first <= i) ||
                           (program->code[i].op == CAPTURE_SPLIT &&
                            (program->code[i].first <= i || program->code[i].second <= i));
    for (uint32_t i = 0; i < program->code_count; i++)
        if (program->code[i].op == CAPTURE_CHARACTER) {
            maker->position[i] = (uint16_t)maker->count;
            maker->code[maker->count++] = (uint16_t)(i + 1);
        }
    maker->words = (maker->count + 63) / 64;
}

static const struct pattern_kind_set *kinds_of(const struct maker *maker, uint32_t instruction)
{
    return &maker->kinds.class_kinds[maker->program->code[instruction].first];
}

static void keep_kinds(struct maker *maker)
{
    const struct pattern_kinds *kinds = &maker->kinds;
    struct positions *out = maker->out;
    uint32_t ranges = kinds->atom_count - PATTERN_ASCII;
    uint64_t *takes = take(maker, maker->arena, kinds->count * maker->words, sizeof(*takes));
    uint32_t *range = take(maker, maker->arena, ranges, sizeof(*range));
    uint16_t *range_kind = take(maker, maker->arena, ranges, sizeof(*range_kind));
    uint8_t *around = take(maker, maker->arena, kinds->count, sizeof(*around));

    if (maker->is_out_of_memory)
        return;
    for (uint32_t p = 1; p < maker->count; p++) {
        const struct pattern_kind_set *some = kinds_of(maker, maker->code[p] - 1u);
        for (uint32_t k = 0; k < kinds->count; k++)
            if (pattern_kind_set_has(some, k))
                put(takes + (size_t)k * maker->words, p);
    }
    maker->work += maker->count * kinds->count / 8;
    memcpy(out->ascii, kinds->atom_kind, sizeof(out->ascii));
    memcpy(range, kinds->atom + PATTERN_ASCII, ranges * sizeof(*range));
    memcpy(range_kind, kinds->atom_kind + PATTERN_ASCII, ranges * sizeof(*range_kind));
    memcpy(around, kinds->around, kinds->count);
    out->kind_around = around;
    out->takes = takes;
    out->range = range;
    out->range_kind = range_kind;
    out->range_count = ranges;
    out->words = maker->words;
}

static struct text text_copy(struct maker *maker, struct text text)
{
    char *copy = take(maker, maker->arena, text.len, 1);

    if (copy != NULL && text.len > 0)
        memcpy(copy, text.at, text.len);
    return (struct text){copy, text.len};
}

/* What a text can be told by without a step. */
static void keep_hints(struct maker *maker)
{
    const struct capture *program = maker->program;
    const struct pattern_kinds *kinds = &maker->kinds;
    struct positions *out = maker->out;
    struct pattern_kind_set *required =
        take(maker, maker->arena, program->required_count, sizeof(*required));

    out->at_start = program->at_start;
    out->splits_characters = program->splits_characters;
    out->prefix = text_copy(maker, program->prefix);
    out->part = text_copy(maker, program->part);
    for (uint32_t i = 0; required != NULL && i < program->required_count; i++)
        required[i] = kinds->class_kinds[program->required[i]];
    out->required = required;
    out->required_count = program->required_count;
    out->has_first = program->has_first;
    for (uint32_t i = 0; program->has_first && i < kinds->atom_count; i++) {
        uint32_t c = kinds->atom[i];
        if (c < PATTERN_ASCII ? is_in(program->first, c) : program->first_is_wide)
            pattern_kind_set_put(&out->first_kinds, kinds->atom_kind[i]);
    }
}

static struct positions *make(struct maker *maker)
{
    maker->out = take(maker, maker->arena, 1, sizeof(*maker->out));
    number_positions(maker);
    maker->reach = take(maker, maker->scratch, (size_t)maker->program->code_count * maker->words,
                        sizeof(uint64_t));
    maker->follow =
        take(maker, maker->scratch, (size_t)maker->count * maker->words, sizeof(uint64_t));
    if (maker->is_out_of_memory)
        return NULL;
    keep_kinds(maker);
    keep_hints(maker);
    return !maker->is_out_of_memory && make_links(maker) ? maker->out : NULL;
}

struct positions *positions_create(const struct capture *program, struct arena *arena,
                                   struct arena *scratch, uint32_t *work)
{
    struct maker maker; /* large: what is read of it is written first */
    struct positions *out = NULL;

    maker.program = program;
    maker.arena = arena;
    maker.scratch = scratch;
    maker.work = maker.link_count = 0;
    maker.is_out_of_memory = false;
    maker.kinds.work = 0;
    if (pattern_kinds_find(program, &maker.kinds))
        out = make(&maker);
    *work = maker.kinds.work + maker.work;
    return out;
}

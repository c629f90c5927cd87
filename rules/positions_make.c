/*
 * positions_make.c - a program (rules/capture.h) into positions. See positions.h.
 *
 * Behind the character at instruction i a way stands at i + 1, and what it takes next is found by
 * following what takes none: once for each set of answers that the assertions of the program can
 * give together. Of the distances between a position and those that follow it the common ones
 * become shifts, the rest exits.
 */
#include <string.h>
#include "rules/positions_layout.h"

enum {
    SHIFT_PAIRS_MIN = 4,
    /* As many of the newest chains are tried for an exit. */
    CHAINS_TRIED = 8,
    /* Nothing else is tried then. */
    CHEAP_NS = 30,
    /* Of the largest program sets of positions and of chains take 4 MiB. */
    SCRATCH_BYTES_MAX = 8 << 20,
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
    uint16_t seen[POSITIONS_MAX];         /* by instruction: from which position */
    uint64_t *follow;                     /* by position, `words` each */
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

/* Follows what takes no character from behind `position` on. */
static void follow_position(struct maker *maker, uint32_t position, unsigned answers,
                            uint64_t *found)
{
    const struct capture_instruction *code = maker->program->code;
    uint16_t pending[2 * POSITIONS_MAX + 1];
    uint32_t pending_count = 1;
    uint64_t *follow = follow_of(maker, position);

    pending[0] = maker->code[position];
    while (pending_count > 0) {
        uint16_t at = pending[--pending_count];
        if (maker->seen[at] == position + 1)
            continue;
        maker->seen[at] = (uint16_t)(position + 1);
        maker->work++;
        switch ((enum capture_opcode)code[at].op) {
        case CAPTURE_CHARACTER:
            put(follow, maker->position[at]);
            break;
        case CAPTURE_SPLIT:
            pending[pending_count++] = code[at].second;
            pending[pending_count++] = code[at].first;
            break;
        case CAPTURE_JUMP:
            pending[pending_count++] = code[at].first;
            break;
        case CAPTURE_ASSERT:
            if (answer(answers, code[at].first))
                pending[pending_count++] = (uint16_t)(at + 1);
            break;
        case CAPTURE_SAVE:
            pending[pending_count++] = (uint16_t)(at + 1);
            break;
        case CAPTURE_MATCH:
            put(found, position);
            break;
        }
    }
}

/* Fills `follow` and the link's `found`. */
static bool follow_all(struct maker *maker, unsigned answers, struct positions_link *link)
{
    uint64_t found[POSITIONS_WORDS_MAX] = {0};

    memset(maker->follow, 0, (size_t)maker->count * maker->words * sizeof(*maker->follow));
    memset(maker->seen, 0, maker->program->code_count * sizeof(maker->seen[0]));
    maker->work += maker->count * maker->words / 8;
    for (uint32_t p = 0; p < maker->count; p++) {
        follow_position(maker, p, answers, found);
        if (maker->work > POSITIONS_WORK_MAX)
            return false;
    }
    link->found = span_keep(maker, found);
    return true;
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
    uint64_t *from = take(maker, maker->arena, maker->words, sizeof(*from));

    if (from == NULL)
        return;
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

    count_distances(maker, counts);
    while (link->shift_count < POSITIONS_SHIFTS_MAX) {
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

static bool holds_all(const struct maker *maker, const uint64_t *all, const uint64_t *some)
{
    for (uint32_t w = 0; w < maker->words; w++)
        if ((some[w] & ~all[w]) != 0)
            return false;
    return true;
}

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
static const struct positions_span *chains_keep(struct maker *maker,
                                                const struct positions_exit *exit,
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

static bool find_exits(struct maker *maker, struct positions_link *link)
{
    struct positions_exit *exit = take(maker, maker->arena, maker->count, sizeof(*exit));
    uint64_t *exits = take(maker, maker->arena, maker->words, sizeof(*exits));
    uint32_t last[POSITIONS_MAX];

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
    link->exits = exits;
    link->exit = exit;
    link->chain = chains_keep(maker, exit, exits, link->chain_count);
    return !maker->is_out_of_memory;
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

/* With shifts of the distances that are as common. NULL: it takes too much. */
static const struct positions_link *link_try(struct maker *maker, unsigned answers, uint32_t share)
{
    struct positions_link *link = take(maker, maker->arena, 1, sizeof(*link));

    if (link == NULL || !follow_all(maker, answers, link))
        return NULL;
    find_shifts(maker, link, share);
    return find_exits(maker, link) ? link : NULL;
}

/* A shift looks at all words, and an exit is looked at when it is set. With few shifts there may be
 * many chains, and with many hardly fewer: the cheapest of three is taken. */
static const struct positions_link *link_make(struct maker *maker, unsigned answers)
{
    static const uint32_t shares[] = {8, 2, 32};
    const struct positions_link *best = NULL;

    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        const struct positions_link *link;
        if (best != NULL && positions_link_ns(best, maker->words) <= CHEAP_NS)
            break;
        link = link_try(maker, answers, shares[i]);
        if (link == NULL)
            return NULL;
        if (best == NULL ||
            positions_link_ns(link, maker->words) < positions_link_ns(best, maker->words))
            best = link;
    }
    return best;
}

/* At the end of the text nothing follows: there it matters only whether it was found. */
static const struct positions_link *end_make(struct maker *maker, unsigned answers)
{
    struct positions_link *link = take(maker, maker->arena, 1, sizeof(*link));

    return link != NULL && follow_all(maker, answers, link) ? link : NULL;
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
    for (uint32_t i = 0; i < program->code_count; i++)
        if (program->code[i].op == CAPTURE_CHARACTER) {
            maker->position[i] = (uint16_t)maker->count;
            maker->code[maker->count++] = (uint16_t)(i + 1);
        }
    maker->words = (maker->count + 63) / 64;
}

static uint64_t kinds_of(const struct maker *maker, uint32_t instruction)
{
    return maker->kinds.class_kinds[maker->program->code[instruction].first];
}

static void keep_kinds(struct maker *maker)
{
    const struct pattern_kinds *kinds = &maker->kinds;
    struct positions *out = maker->out;
    uint32_t ranges = kinds->atom_count - PATTERN_ASCII;
    uint64_t *takes = take(maker, maker->arena, kinds->count * maker->words, sizeof(*takes));
    uint32_t *range = take(maker, maker->arena, ranges, sizeof(*range));
    uint8_t *range_kind = take(maker, maker->arena, ranges, sizeof(*range_kind));

    if (maker->is_out_of_memory)
        return;
    for (uint32_t p = 1; p < maker->count; p++)
        for (uint64_t left = kinds_of(maker, maker->code[p] - 1u); left != 0; left &= left - 1)
            put(takes + (size_t)__builtin_ctzll(left) * maker->words, p);
    memcpy(out->ascii, kinds->atom_kind, PATTERN_ASCII);
    memcpy(range, kinds->atom + PATTERN_ASCII, ranges * sizeof(*range));
    memcpy(range_kind, kinds->atom_kind + PATTERN_ASCII, ranges);
    for (uint32_t a = 0; a < AROUND_COUNT; a++)
        for (uint64_t left = kinds->around_kinds[a]; left != 0; left &= left - 1)
            out->kind_around[__builtin_ctzll(left)] = (uint8_t)a;
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
    uint64_t *required = take(maker, maker->arena, program->required_count, sizeof(*required));

    out->at_start = program->at_start;
    out->prefix = text_copy(maker, program->prefix);
    out->part = text_copy(maker, program->part);
    for (uint32_t i = 0; required != NULL && i < program->required_count; i++)
        required[i] = kinds->class_kinds[program->required[i]];
    out->required = required;
    out->required_count = program->required_count;
    for (uint32_t i = 0; program->has_first && i < kinds->atom_count; i++) {
        uint32_t c = kinds->atom[i];
        if (c < PATTERN_ASCII ? is_in(program->first, c) : program->first_is_wide)
            out->first_kinds |= (uint64_t)1 << kinds->atom_kind[i];
    }
}

static struct positions *make(struct maker *maker)
{
    maker->out = take(maker, maker->arena, 1, sizeof(*maker->out));
    number_positions(maker);
    maker->follow =
        take(maker, maker->scratch, (size_t)maker->count * maker->words, sizeof(uint64_t));
    if (maker->is_out_of_memory)
        return NULL;
    keep_kinds(maker);
    keep_hints(maker);
    return !maker->is_out_of_memory && make_links(maker) ? maker->out : NULL;
}

struct positions *positions_create(const struct capture *program, struct arena *arena,
                                   uint32_t *work)
{
    struct maker maker; /* large: what is read of it is written first */
    struct positions *out = NULL;

    maker.program = program;
    maker.arena = arena;
    maker.scratch = arena_create(SCRATCH_BYTES_MAX);
    maker.work = maker.link_count = 0;
    maker.is_out_of_memory = maker.scratch == NULL;
    maker.kinds.work = 0;
    if (!maker.is_out_of_memory && pattern_kinds_find(program, &maker.kinds))
        out = make(&maker);
    *work = maker.kinds.work + maker.work;
    arena_destroy(maker.scratch);
    return out;
}

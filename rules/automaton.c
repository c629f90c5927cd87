/*
 * automaton.c - see automaton.h.
 *
 * A state is the set of instructions at which ways through the program (capture.h) stand behind a
 * character, and what that character was to assertions. What lies between two characters is
 * followed when the next one is known, so that assertions see both sides. The end of the text
 * counts as a kind of character.
 */
#include "rules/automaton.h"

#include <string.h>
#include "base/hash.h"
#include "rules/pattern_kinds.h"

enum {
    WORDS_MAX = (CAPTURE_CODE_MAX + 63) / 64,
    SLOTS = 1024,
    /* Found or not, whatever follows. */
    STATE_DEAD = 0,
    STATE_FOUND = 1,
};

struct automaton {
    uint32_t width; /* of a row: the kinds, then the end of the text */
    uint32_t range_count, state_count;
    uint16_t start;
    bool can_find;
    bool splits_characters; /* found between the bytes of any character beyond ASCII */
    uint16_t ascii[PATTERN_ASCII];
    uint32_t *range; /* where each begins, ascending, from 0x80 on */
    uint16_t *range_kind;
    uint16_t *next; /* of states by their first cell: a state's number times `width` */
};

struct state {
    uint64_t stands[WORDS_MAX];
    enum pattern_around before;
};

struct builder {
    const struct capture *program;
    uint32_t words; /* in use of a set of instructions */
    uint32_t work;
    struct pattern_kinds kinds;
    uint32_t state_count;
    struct state states[AUTOMATON_STATES_MAX];
    uint16_t slots[SLOTS];              /* 0: free */
    uint16_t next[AUTOMATON_CELLS_MAX]; /* numbers of states */
};

/* ---- states ---- */

static void set_add(uint64_t *set, uint32_t member)
{
    set[member / 64] |= (uint64_t)1 << member % 64;
}

/* Follows what takes no character from where `state` stands on. True when the pattern is found;
 * else at[] are the instructions that take one. */
static bool follow(struct builder *builder, const struct state *state, enum pattern_around here,
                   uint16_t at[CAPTURE_CODE_MAX], uint32_t *count)
{
    const struct capture_instruction *code = builder->program->code;
    uint64_t seen[WORDS_MAX] = {0};
    uint16_t pending[2 * CAPTURE_CODE_MAX + 1];
    uint32_t pending_count = 0;

    *count = 0;
    for (uint32_t w = 0; w < builder->words; w++)
        for (uint64_t left = state->stands[w]; left != 0; left &= left - 1)
            pending[pending_count++] = (uint16_t)(w * 64 + (uint32_t)__builtin_ctzll(left));
    while (pending_count > 0) {
        uint16_t now = pending[--pending_count];
        if (seen[now / 64] >> now % 64 & 1)
            continue;
        set_add(seen, now);
        builder->work++;
        switch ((enum capture_opcode)code[now].op) {
        case CAPTURE_CHARACTER:
            at[(*count)++] = now;
            break;
        case CAPTURE_SPLIT:
            pending[pending_count++] = code[now].second;
            pending[pending_count++] = code[now].first;
            break;
        case CAPTURE_JUMP:
            pending[pending_count++] = code[now].first;
            break;
        case CAPTURE_ASSERT:
            if (pattern_assertion_holds((enum capture_assertion)code[now].first, state->before,
                                        here))
                pending[pending_count++] = (uint16_t)(now + 1);
            break;
        case CAPTURE_SAVE:
            pending[pending_count++] = (uint16_t)(now + 1);
            break;
        case CAPTURE_MATCH:
            return true;
        }
    }
    return false;
}

/* The number of the state, which is made when there is none such; STATE_DEAD for one that stands
 * nowhere. False when there is no room. */
static bool state_find(struct builder *builder, const struct state *state, uint16_t *out)
{
    size_t bytes = builder->words * sizeof(state->stands[0]);
    uint32_t slot = (uint32_t)(hash64(state->stands, bytes, state->before) % SLOTS);
    uint64_t any = 0;

    for (uint32_t w = 0; w < builder->words; w++)
        any |= state->stands[w];
    *out = STATE_DEAD;
    if (any == 0)
        return true;
    for (; builder->slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        const struct state *known = &builder->states[builder->slots[slot]];
        *out = builder->slots[slot];
        if (known->before == state->before && memcmp(known->stands, state->stands, bytes) == 0)
            return true;
    }
    if (builder->state_count == AUTOMATON_STATES_MAX ||
        (builder->state_count + 1) * (builder->kinds.count + 1) > AUTOMATON_CELLS_MAX)
        return false;
    *out = (uint16_t)builder->state_count++;
    builder->states[*out] = *state;
    builder->slots[slot] = *out;
    return true;
}

/* A match may begin behind each character, unless the pattern stands at the beginning. */
static void state_init(const struct builder *builder, struct state *state,
                       enum pattern_around before)
{
    memset(state->stands, 0, sizeof(state->stands));
    state->before = before;
    if (before == AROUND_EDGE || !builder->program->at_start)
        set_add(state->stands, 0);
}

/* Fills the cells of the kinds that are `here` to assertions. */
static bool fill_kinds(struct builder *builder, uint16_t number, enum pattern_around here)
{
    uint32_t row = number * (builder->kinds.count + 1), count;
    const struct pattern_kind_set *classes = builder->kinds.class_kinds;
    uint16_t at[CAPTURE_CODE_MAX];
    bool is_found = follow(builder, &builder->states[number], here, at, &count);

    if (here == AROUND_EDGE)
        builder->next[row + builder->kinds.count] = is_found ? STATE_FOUND : STATE_DEAD;
    for (uint32_t kind = 0; kind < builder->kinds.count; kind++) {
        uint16_t *cell = &builder->next[row + kind];
        struct state state;
        if (builder->kinds.around[kind] != here)
            continue;
        *cell = STATE_FOUND;
        if (is_found)
            continue;
        state_init(builder, &state, here);
        for (uint32_t i = 0; i < count; i++)
            if (pattern_kind_set_has(&classes[builder->program->code[at[i]].first], kind))
                set_add(state.stands, at[i] + 1u);
        if (!state_find(builder, &state, cell))
            return false;
        builder->work += builder->words + count;
    }
    return builder->work <= AUTOMATON_WORK_MAX;
}

static bool fill_states(struct builder *builder)
{
    struct state start;
    uint16_t number;

    builder->state_count = STATE_FOUND + 1;
    memset(builder->slots, 0, sizeof(builder->slots));
    state_init(builder, &start, AROUND_EDGE);
    state_find(builder, &start, &number);
    for (; number < builder->state_count; number++)
        for (enum pattern_around here = AROUND_EDGE; here < AROUND_COUNT; here++)
            if ((here == AROUND_EDGE || builder->kinds.has_around[here]) &&
                !fill_kinds(builder, number, here))
                return false;
    return true;
}

/* ---- making ---- */

static struct automaton *keep(const struct builder *builder, struct arena *arena)
{
    struct automaton *automaton = arena_alloc(arena, sizeof(*automaton));
    uint32_t width = builder->kinds.count + 1, cells = builder->state_count * width;
    uint32_t ranges = builder->kinds.atom_count - PATTERN_ASCII;

    if (automaton == NULL)
        return NULL;
    automaton->next = arena_alloc_many(arena, cells, sizeof(automaton->next[0]));
    automaton->range = arena_alloc_many(arena, ranges, sizeof(automaton->range[0]));
    automaton->range_kind = arena_alloc_many(arena, ranges, sizeof(automaton->range_kind[0]));
    if (automaton->next == NULL || automaton->range == NULL || automaton->range_kind == NULL)
        return NULL;
    automaton->width = width;
    automaton->state_count = builder->state_count;
    automaton->range_count = ranges;
    automaton->start = (uint16_t)((STATE_FOUND + 1) * width);
    automaton->splits_characters = builder->program->splits_characters;
    memcpy(automaton->ascii, builder->kinds.atom_kind, sizeof(automaton->ascii));
    memcpy(automaton->range, builder->kinds.atom + PATTERN_ASCII,
           ranges * sizeof(automaton->range[0]));
    memcpy(automaton->range_kind, builder->kinds.atom_kind + PATTERN_ASCII,
           ranges * sizeof(automaton->range_kind[0]));
    for (uint32_t i = (STATE_FOUND + 1) * width; i < cells; i++)
        automaton->next[i] = (uint16_t)(builder->next[i] * width);
    for (uint32_t i = automaton->start; i < cells && !automaton->can_find; i++)
        automaton->can_find = builder->next[i] == STATE_FOUND;
    return automaton;
}

struct automaton *automaton_create(const struct capture *program, struct arena *arena,
                                   uint32_t *work)
{
    struct builder builder; /* what is read of it is written first */
    struct automaton *automaton = NULL;

    *work = 0;
    if (program->code_count > CAPTURE_CODE_MAX)
        return NULL;
    builder.program = program;
    builder.words = (builder.program->code_count + 63) / 64;
    if (pattern_kinds_find(builder.program, &builder.kinds)) {
        builder.work = builder.kinds.work;
        if (fill_states(&builder))
            automaton = keep(&builder, arena);
    } else {
        builder.work = builder.kinds.work;
    }
    *work = builder.work;
    return automaton;
}

/* ---- searching ---- */

bool automaton_search(const struct automaton *automaton, struct text text)
{
    uint32_t state = automaton->start, found = STATE_FOUND * automaton->width, at = 0;

    while (at < text.len && state > found) {
        unsigned char byte = (unsigned char)text.at[at];
        if (byte < PATTERN_ASCII) {
            state = automaton->next[state + automaton->ascii[byte]];
            at++;
        } else if (automaton->splits_characters) {
            return true;
        } else {
            uint32_t bytes, character = capture_character_at(text, at, &bytes);
            uint32_t range = pattern_range_of(automaton->range, automaton->range_count, character);
            state = automaton->next[state + automaton->range_kind[range]];
            at += bytes;
        }
    }
    if (state > found)
        state = automaton->next[state + automaton->width - 1];
    return state == found;
}

bool automaton_can_find(const struct automaton *automaton)
{
    return automaton->can_find;
}

uint32_t automaton_state_count(const struct automaton *automaton)
{
    return automaton->state_count;
}

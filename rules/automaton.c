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
#include "rules/capture_program.h"

enum {
    ASCII = 0x80,
    RANGES_MAX = 120, /* of characters beyond ASCII that the pattern tells apart */
    ATOMS_MAX = ASCII + RANGES_MAX,
    WORDS_MAX = (CAPTURE_CODE_MAX + 63) / 64,
    SLOTS = 1024,
    CHARACTER_MAX = 0x10ffff,
    /* Found or not, whatever follows. */
    STATE_DEAD = 0,
    STATE_FOUND = 1,
};

/* What stands next to a place, as far as assertions ask. */
enum around { AROUND_EDGE, AROUND_LINE_END, AROUND_WORD, AROUND_OTHER, AROUND_COUNT };

struct automaton {
    uint32_t width; /* of a row: the kinds, then the end of the text */
    uint32_t range_count, state_count;
    uint16_t start;
    bool can_find;
    uint8_t ascii[ASCII];
    uint32_t *range; /* where each begins, ascending, from 0x80 on */
    uint8_t *range_kind;
    uint16_t *next; /* of states by their first cell: a state's number times `width` */
};

struct state {
    uint64_t stands[WORDS_MAX];
    enum around before;
};

struct builder {
    const struct capture *program;
    uint32_t words; /* in use of a set of instructions */
    uint32_t work;
    bool asks_words, asks_lines;
    uint32_t atom_count;
    uint32_t atom[ATOMS_MAX]; /* characters: all of ASCII, then the first of each range */
    uint8_t atom_kind[ATOMS_MAX];
    uint32_t kind_count;
    uint64_t class_kinds[CAPTURE_CODE_MAX];
    uint64_t around_kinds[AROUND_COUNT];
    uint32_t state_count;
    struct state states[AUTOMATON_STATES_MAX];
    uint16_t slots[SLOTS];              /* 0: free */
    uint16_t next[AUTOMATON_CELLS_MAX]; /* numbers of states */
};

/* ---- kinds of characters ---- */

static bool add_bound(struct builder *builder, uint32_t character)
{
    uint32_t at = ASCII;

    if (character <= ASCII || character > CHARACTER_MAX)
        return true;
    while (at < builder->atom_count && builder->atom[at] < character)
        at++;
    if (at < builder->atom_count && builder->atom[at] == character)
        return true;
    if (builder->atom_count == ATOMS_MAX)
        return false;
    memmove(&builder->atom[at + 1], &builder->atom[at],
            (builder->atom_count - at) * sizeof(builder->atom[0]));
    builder->atom[at] = character;
    builder->atom_count++;
    return true;
}

static bool find_atoms(struct builder *builder)
{
    const struct capture *program = builder->program;

    for (uint32_t c = 0; c <= ASCII; c++)
        builder->atom[c] = c;
    builder->atom_count = ASCII + 1;
    for (uint32_t i = 0; i < program->class_count; i++)
        for (uint32_t r = 0; r < program->classes[i].range_count; r++) {
            const struct capture_range *range = &program->classes[i].range[r];
            if (!add_bound(builder, range->low) || !add_bound(builder, range->high + 1))
                return false;
        }
    return true;
}

/* Tells the atoms for which `is_in` is set from the others. */
static bool split_kinds(struct builder *builder, const bool *is_in)
{
    uint16_t inside[AUTOMATON_KINDS_MAX] = {0}, all[AUTOMATON_KINDS_MAX] = {0};
    uint8_t moved[AUTOMATON_KINDS_MAX];
    uint32_t kinds = builder->kind_count;

    for (uint32_t i = 0; i < builder->atom_count; i++) {
        all[builder->atom_kind[i]]++;
        inside[builder->atom_kind[i]] += is_in[i];
    }
    for (uint32_t k = 0; k < kinds; k++) {
        moved[k] = (uint8_t)k;
        if (inside[k] == 0 || inside[k] == all[k])
            continue;
        if (builder->kind_count == AUTOMATON_KINDS_MAX)
            return false;
        moved[k] = (uint8_t)builder->kind_count++;
    }
    if (kinds != builder->kind_count)
        for (uint32_t i = 0; i < builder->atom_count; i++)
            if (is_in[i])
                builder->atom_kind[i] = moved[builder->atom_kind[i]];
    builder->work += ASCII;
    return true;
}

static bool is_line_end(uint32_t character)
{
    return character == '\n';
}

static bool split_by(struct builder *builder, bool (*holds)(uint32_t character))
{
    bool is_in[ATOMS_MAX];

    for (uint32_t i = 0; i < builder->atom_count; i++)
        is_in[i] = holds(builder->atom[i]);
    return split_kinds(builder, is_in);
}

static bool same_class(const struct capture_class *a, const struct capture_class *b)
{
    return a->range_count == 0 && b->range_count == 0 && a->is_negated == b->is_negated &&
           memcmp(a->ascii, b->ascii, sizeof(a->ascii)) == 0;
}

static bool find_kinds(struct builder *builder)
{
    const struct capture *program = builder->program;
    bool is_in[ATOMS_MAX];

    memset(builder->atom_kind, 0, builder->atom_count);
    builder->kind_count = 1;
    if ((builder->asks_words && !split_by(builder, capture_is_word)) ||
        (builder->asks_lines && !split_by(builder, is_line_end)))
        return false;
    for (uint32_t c = 0; c < program->class_count; c++) {
        bool is_known = false;
        for (uint32_t i = c; i-- > 0 && !is_known;)
            is_known = same_class(&program->classes[i], &program->classes[c]);
        if (is_known)
            continue;
        for (uint32_t i = 0; i < builder->atom_count; i++)
            is_in[i] = capture_class_holds(&program->classes[c], builder->atom[i]);
        if (!split_kinds(builder, is_in))
            return false;
    }
    return true;
}

static enum around around_of(const struct builder *builder, uint32_t character)
{
    if (builder->asks_words && capture_is_word(character))
        return AROUND_WORD;
    return builder->asks_lines && is_line_end(character) ? AROUND_LINE_END : AROUND_OTHER;
}

/* Which kinds each class takes, and what they are to assertions. */
static void know_kinds(struct builder *builder)
{
    const struct capture *program = builder->program;
    uint32_t first[AUTOMATON_KINDS_MAX]; /* a character of each */

    for (uint32_t i = builder->atom_count; i-- > 0;)
        first[builder->atom_kind[i]] = builder->atom[i];
    memset(builder->around_kinds, 0, sizeof(builder->around_kinds));
    for (uint32_t k = 0; k < builder->kind_count; k++)
        builder->around_kinds[around_of(builder, first[k])] |= (uint64_t)1 << k;
    for (uint32_t c = 0; c < program->class_count; c++) {
        builder->class_kinds[c] = 0;
        for (uint32_t k = 0; k < builder->kind_count; k++)
            if (capture_class_holds(&program->classes[c], first[k]))
                builder->class_kinds[c] |= (uint64_t)1 << k;
    }
    builder->work += program->class_count * builder->kind_count;
}

/* ---- states ---- */

static bool assertion_holds(enum capture_assertion assertion, enum around before, enum around here)
{
    switch (assertion) {
    case ASSERT_TEXT_BEGIN:
        return before == AROUND_EDGE;
    case ASSERT_TEXT_END:
        return here == AROUND_EDGE;
    case ASSERT_LINE_BEGIN: /* not behind a line end that ends the text: pattern.h */
        return before == AROUND_EDGE || (before == AROUND_LINE_END && here != AROUND_EDGE);
    case ASSERT_LINE_END:
        return here == AROUND_EDGE || here == AROUND_LINE_END;
    default:
        return ((before == AROUND_WORD) != (here == AROUND_WORD)) ==
               (assertion == ASSERT_WORD_BORDER);
    }
}

static void set_add(uint64_t *set, uint32_t member)
{
    set[member / 64] |= (uint64_t)1 << member % 64;
}

/* Follows what takes no character from where `state` stands on. True when the pattern is found;
 * else at[] are the instructions that take one. */
static bool follow(struct builder *builder, const struct state *state, enum around here,
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
            if (assertion_holds((enum capture_assertion)code[now].first, state->before, here))
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
        (builder->state_count + 1) * (builder->kind_count + 1) > AUTOMATON_CELLS_MAX)
        return false;
    *out = (uint16_t)builder->state_count++;
    builder->states[*out] = *state;
    builder->slots[slot] = *out;
    return true;
}

/* A match may begin behind each character, unless the pattern stands at the beginning. */
static void state_init(const struct builder *builder, struct state *state, enum around before)
{
    memset(state->stands, 0, sizeof(state->stands));
    state->before = before;
    if (before == AROUND_EDGE || !builder->program->at_start)
        set_add(state->stands, 0);
}

/* Fills the cells of the kinds that are `here` to assertions. */
static bool fill_kinds(struct builder *builder, uint16_t number, enum around here)
{
    uint32_t row = number * (builder->kind_count + 1), count;
    uint16_t at[CAPTURE_CODE_MAX];
    bool is_found = follow(builder, &builder->states[number], here, at, &count);

    if (here == AROUND_EDGE)
        builder->next[row + builder->kind_count] = is_found ? STATE_FOUND : STATE_DEAD;
    for (uint64_t left = builder->around_kinds[here]; left != 0; left &= left - 1) {
        uint32_t kind = (uint32_t)__builtin_ctzll(left);
        uint16_t *cell = &builder->next[row + kind];
        struct state state;
        *cell = STATE_FOUND;
        if (is_found)
            continue;
        state_init(builder, &state, here);
        for (uint32_t i = 0; i < count; i++)
            if (builder->class_kinds[builder->program->code[at[i]].first] >> kind & 1)
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
        for (enum around here = AROUND_EDGE; here < AROUND_COUNT; here++)
            if ((here == AROUND_EDGE || builder->around_kinds[here] != 0) &&
                !fill_kinds(builder, number, here))
                return false;
    return true;
}

/* ---- making ---- */

/* \B lies between bytes. */
static bool know_assertions(struct builder *builder)
{
    const struct capture *program = builder->program;

    builder->asks_words = builder->asks_lines = false;
    for (uint32_t i = 0; i < program->code_count; i++) {
        const struct capture_instruction *code = &program->code[i];
        if (code->op != CAPTURE_ASSERT)
            continue;
        if (code->first == ASSERT_NO_WORD_BORDER)
            return false;
        builder->asks_words = builder->asks_words || code->first == ASSERT_WORD_BORDER;
        builder->asks_lines = builder->asks_lines || code->first == ASSERT_LINE_BEGIN ||
                              code->first == ASSERT_LINE_END;
    }
    return true;
}

static struct automaton *keep(const struct builder *builder, struct arena *arena)
{
    struct automaton *automaton = arena_alloc(arena, sizeof(*automaton));
    uint32_t width = builder->kind_count + 1, cells = builder->state_count * width;
    uint32_t ranges = builder->atom_count - ASCII;

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
    memcpy(automaton->ascii, builder->atom_kind, ASCII);
    memcpy(automaton->range, builder->atom + ASCII, ranges * sizeof(automaton->range[0]));
    memcpy(automaton->range_kind, builder->atom_kind + ASCII, ranges);
    for (uint32_t i = (STATE_FOUND + 1) * width; i < cells; i++)
        automaton->next[i] = (uint16_t)(builder->next[i] * width);
    for (uint32_t i = automaton->start; i < cells && !automaton->can_find; i++)
        automaton->can_find = builder->next[i] == STATE_FOUND;
    return automaton;
}

struct automaton *automaton_create(struct text pattern, struct arena *arena, struct arena *scratch,
                                   uint32_t *work)
{
    struct builder builder; /* what is read of it is written first */
    struct pattern_fault fault;
    struct automaton *automaton = NULL;

    *work = 0;
    builder.program = capture_program_create(pattern, scratch, &fault);
    if (builder.program == NULL)
        return NULL;
    builder.words = (builder.program->code_count + 63) / 64;
    builder.work = 0;
    if (know_assertions(&builder) && find_atoms(&builder) && find_kinds(&builder)) {
        know_kinds(&builder);
        if (fill_states(&builder))
            automaton = keep(&builder, arena);
    }
    *work = builder.work;
    return automaton;
}

/* ---- searching ---- */

static uint32_t wide_kind(const struct automaton *automaton, uint32_t character)
{
    uint32_t low = 0, high = automaton->range_count;

    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (automaton->range[middle] <= character)
            low = middle;
        else
            high = middle;
    }
    return automaton->range_kind[low];
}

bool automaton_search(const struct automaton *automaton, struct text text)
{
    uint32_t state = automaton->start, found = STATE_FOUND * automaton->width, at = 0;

    while (at < text.len && state > found) {
        unsigned char byte = (unsigned char)text.at[at];
        if (byte < ASCII) {
            state = automaton->next[state + automaton->ascii[byte]];
            at++;
        } else {
            uint32_t bytes, character = capture_character_at(text, at, &bytes);
            state = automaton->next[state + wide_kind(automaton, character)];
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

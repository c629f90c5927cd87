/*
 * pattern_kinds.c - see pattern_kinds.h.
 *
 * All characters are one kind at first, and each class tells those in it from the others. Beyond
 * ASCII what lies between two bounds of ranges is one: an atom.
 */
#include "rules/pattern_kinds.h"

#include <string.h>

enum { CHARACTER_MAX = 0x10ffff };

static bool add_bound(struct pattern_kinds *kinds, uint32_t character)
{
    uint32_t at = PATTERN_ASCII;

    if (character <= PATTERN_ASCII || character > CHARACTER_MAX)
        return true;
    while (at < kinds->atom_count && kinds->atom[at] < character)
        at++;
    if (at < kinds->atom_count && kinds->atom[at] == character)
        return true;
    if (kinds->atom_count == PATTERN_ATOMS_MAX)
        return false;
    memmove(&kinds->atom[at + 1], &kinds->atom[at],
            (kinds->atom_count - at) * sizeof(kinds->atom[0]));
    kinds->atom[at] = character;
    kinds->atom_count++;
    return true;
}

static bool find_atoms(struct pattern_kinds *kinds, const struct capture *program)
{
    for (uint32_t c = 0; c <= PATTERN_ASCII; c++)
        kinds->atom[c] = c;
    kinds->atom_count = PATTERN_ASCII + 1;
    for (uint32_t i = 0; i < program->class_count; i++)
        for (uint32_t r = 0; r < program->classes[i].range_count; r++) {
            const struct capture_range *range = &program->classes[i].range[r];
            if (!add_bound(kinds, range->low) || !add_bound(kinds, range->high + 1))
                return false;
        }
    return true;
}

/* Tells the atoms for which `is_in` is set from the others. */
static bool split_kinds(struct pattern_kinds *kinds, const bool *is_in)
{
    uint16_t inside[PATTERN_KINDS_MAX] = {0}, all[PATTERN_KINDS_MAX] = {0};
    uint8_t moved[PATTERN_KINDS_MAX];
    uint32_t known = kinds->count;

    for (uint32_t i = 0; i < kinds->atom_count; i++) {
        all[kinds->atom_kind[i]]++;
        inside[kinds->atom_kind[i]] += is_in[i];
    }
    for (uint32_t k = 0; k < known; k++) {
        moved[k] = (uint8_t)k;
        if (inside[k] == 0 || inside[k] == all[k])
            continue;
        if (kinds->count == PATTERN_KINDS_MAX)
            return false;
        moved[k] = (uint8_t)kinds->count++;
    }
    if (known != kinds->count)
        for (uint32_t i = 0; i < kinds->atom_count; i++)
            if (is_in[i])
                kinds->atom_kind[i] = moved[kinds->atom_kind[i]];
    kinds->work += kinds->atom_count;
    return true;
}

static bool is_one_of_ascii(const struct capture_class *class)
{
    return class->range_count == 0 && !class->is_negated &&
           __builtin_popcountll(class->ascii[0]) + __builtin_popcountll(class->ascii[1]) == 1;
}

/* The same for the class of one character, as most are. */
static bool split_one(struct pattern_kinds *kinds, const struct capture_class *class)
{
    uint32_t character = class->ascii[0] != 0 ? (uint32_t)__builtin_ctzll(class->ascii[0])
                                              : 64 + (uint32_t)__builtin_ctzll(class->ascii[1]);
    uint8_t kind = kinds->atom_kind[character];
    uint32_t others = 0;

    for (uint32_t i = 0; i < kinds->atom_count; i++)
        others += kinds->atom_kind[i] == kind;
    kinds->work += kinds->atom_count / 8;
    if (others == 1)
        return true;
    if (kinds->count == PATTERN_KINDS_MAX)
        return false;
    kinds->atom_kind[character] = (uint8_t)kinds->count++;
    return true;
}

static bool is_line_end(uint32_t character)
{
    return character == '\n';
}

static bool split_by(struct pattern_kinds *kinds, bool (*holds)(uint32_t character))
{
    bool is_in[PATTERN_ATOMS_MAX];

    for (uint32_t i = 0; i < kinds->atom_count; i++)
        is_in[i] = holds(kinds->atom[i]);
    return split_kinds(kinds, is_in);
}

static bool find_kinds(struct pattern_kinds *kinds, const struct capture *program)
{
    bool is_in[PATTERN_ATOMS_MAX];

    memset(kinds->atom_kind, 0, kinds->atom_count);
    kinds->count = 1;
    if ((kinds->asks_words && !split_by(kinds, capture_is_word)) ||
        (kinds->asks_lines && !split_by(kinds, is_line_end)))
        return false;
    for (uint32_t c = 0; c < program->class_count; c++) {
        bool is_known = false;
        for (uint32_t i = c; i-- > 0 && !is_known;)
            is_known = capture_class_is(&program->classes[i], &program->classes[c]);
        if (is_known)
            continue;
        if (is_one_of_ascii(&program->classes[c])) {
            if (!split_one(kinds, &program->classes[c]))
                return false;
            continue;
        }
        for (uint32_t i = 0; i < kinds->atom_count; i++)
            is_in[i] = capture_class_holds(&program->classes[c], kinds->atom[i]);
        if (!split_kinds(kinds, is_in))
            return false;
    }
    return true;
}

static enum pattern_around around_of(const struct pattern_kinds *kinds, uint32_t character)
{
    if (kinds->asks_words && capture_is_word(character))
        return AROUND_WORD;
    return kinds->asks_lines && is_line_end(character) ? AROUND_LINE_END : AROUND_OTHER;
}

/* Which kinds each class takes, and what they are to assertions. */
static void know_kinds(struct pattern_kinds *kinds, const struct capture *program)
{
    uint32_t first[PATTERN_KINDS_MAX]; /* a character of each */

    for (uint32_t i = kinds->atom_count; i-- > 0;)
        first[kinds->atom_kind[i]] = kinds->atom[i];
    memset(kinds->has_around, 0, sizeof(kinds->has_around));
    for (uint32_t k = 0; k < kinds->count; k++) {
        kinds->around[k] = (uint8_t)around_of(kinds, first[k]);
        kinds->has_around[kinds->around[k]] = true;
    }
    memset(kinds->class_kinds, 0, program->class_count * sizeof(kinds->class_kinds[0]));
    for (uint32_t c = 0; c < program->class_count; c++)
        for (uint32_t k = 0; k < kinds->count; k++)
            if (capture_class_holds(&program->classes[c], first[k]))
                pattern_kind_set_put(&kinds->class_kinds[c], k);
    kinds->work += program->class_count * kinds->count;
}

bool pattern_assertion_holds(enum capture_assertion assertion, enum pattern_around before,
                             enum pattern_around here)
{
    switch (assertion) {
    case ASSERT_TEXT_BEGIN:
        return before == AROUND_EDGE;
    case ASSERT_TEXT_END:
        return here == AROUND_EDGE;
    case ASSERT_LINE_BEGIN:
        return before == AROUND_EDGE || before == AROUND_LINE_END;
    case ASSERT_LINE_END:
        return here == AROUND_EDGE || here == AROUND_LINE_END;
    default:
        return ((before == AROUND_WORD) != (here == AROUND_WORD)) ==
               (assertion == ASSERT_WORD_BORDER);
    }
}

/* \B lies between bytes. */
static bool know_assertions(struct pattern_kinds *kinds, const struct capture *program)
{
    kinds->asks_words = kinds->asks_lines = false;
    for (uint32_t i = 0; i < program->code_count; i++) {
        const struct capture_instruction *code = &program->code[i];
        if (code->op != CAPTURE_ASSERT)
            continue;
        if (code->first == ASSERT_NO_WORD_BORDER)
            return false;
        kinds->asks_words = kinds->asks_words || code->first == ASSERT_WORD_BORDER;
        kinds->asks_lines =
            kinds->asks_lines || code->first == ASSERT_LINE_BEGIN || code->first == ASSERT_LINE_END;
    }
    return true;
}

bool pattern_kinds_find(const struct capture *program, struct pattern_kinds *out)
{
    out->work = 0;
    if (!know_assertions(out, program) || !find_atoms(out, program) || !find_kinds(out, program))
        return false;
    know_kinds(out, program);
    return true;
}

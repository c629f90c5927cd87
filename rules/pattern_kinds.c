/*
 * pattern_kinds.c - see pattern_kinds.h.
 *
 * All characters are one kind at first, and each class tells those in it from the others. Beyond
 * ASCII what lies between two bounds of ranges is one: an atom.
 */
#include "rules/pattern_kinds.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHARACTER_MAX = 0x10ffff,
    SORTED_MAX = 500,
    MARKS_WORK = 10000,
};

static int order_characters(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static bool is_bound(uint32_t character)
{
    return character > PATTERN_ASCII && character <= CHARACTER_MAX;
}

/* Few are sorted. */
static void sort_bounds(struct pattern_kinds *kinds, const struct capture *program)
{
    uint32_t count = PATTERN_ASCII + 1, kept = count;

    for (uint32_t i = 0; i < program->class_count; i++)
        for (uint32_t r = 0; r < program->classes[i].range_count; r++) {
            const struct unicode_range *range = &program->classes[i].range[r];
            kinds->atom[count] = range->low;
            count += is_bound(range->low);
            kinds->atom[count] = range->high + 1;
            count += is_bound(range->high + 1);
        }
    qsort(kinds->atom + kept, count - kept, sizeof(kinds->atom[0]), order_characters);
    for (uint32_t i = kept; i < count; i++)
        if (kinds->atom[i] != kinds->atom[kept - 1])
            kinds->atom[kept++] = kinds->atom[i];
    kinds->atom_count = kept;
}

static void mark(uint64_t *marks, uint32_t character)
{
    if (is_bound(character))
        marks[character / 64] |= (uint64_t)1 << character % 64;
}

/* Many are marked, a bit for each character that there is. */
static bool mark_bounds(struct pattern_kinds *kinds, const struct capture *program)
{
    uint64_t marks[CHARACTER_MAX / 64 + 1] = {0};

    for (uint32_t i = 0; i < program->class_count; i++)
        for (uint32_t r = 0; r < program->classes[i].range_count; r++) {
            mark(marks, program->classes[i].range[r].low);
            mark(marks, program->classes[i].range[r].high + 1);
        }
    kinds->atom_count = PATTERN_ASCII + 1;
    for (uint32_t w = 0; w < sizeof(marks) / sizeof(marks[0]); w++)
        for (uint64_t left = marks[w]; left != 0; left &= left - 1) {
            if (kinds->atom_count == PATTERN_ATOMS_MAX)
                return false;
            kinds->atom[kinds->atom_count++] = w * 64 + (uint32_t)__builtin_ctzll(left);
        }
    kinds->work += MARKS_WORK;
    return true;
}

/* Where ranges begin, and behind where they end. */
static bool find_atoms(struct pattern_kinds *kinds, const struct capture *program)
{
    uint32_t ranges = 0;

    for (uint32_t c = 0; c <= PATTERN_ASCII; c++)
        kinds->atom[c] = c;
    for (uint32_t i = 0; i < program->class_count; i++)
        ranges += program->classes[i].range_count;
    kinds->work += ranges;
    if (ranges > SORTED_MAX)
        return mark_bounds(kinds, program);
    sort_bounds(kinds, program);
    return true;
}

/* Which atoms are in the class. */
static void find_members(struct pattern_kinds *kinds, const struct capture_class *class,
                         bool is_in[PATTERN_ATOMS_MAX])
{
    uint32_t r = 0;

    for (uint32_t i = 0; i < PATTERN_ASCII; i++)
        is_in[i] = capture_class_holds(class, i);
    for (uint32_t i = PATTERN_ASCII; i < kinds->atom_count; i++) {
        while (r < class->range_count && class->range[r].high < kinds->atom[i])
            r++;
        is_in[i] = r < class->range_count && class->range[r].low <= kinds->atom[i];
    }
    kinds->work += class->range_count / 4;
}

/* Tells the atoms for which `is_in` is set from the others. */
static bool split_kinds(struct pattern_kinds *kinds, const bool *is_in)
{
    uint16_t inside[PATTERN_KINDS_MAX], all[PATTERN_KINDS_MAX], moved[PATTERN_KINDS_MAX];
    uint32_t known = kinds->count;

    memset(inside, 0, known * sizeof(inside[0]));
    memset(all, 0, known * sizeof(all[0]));
    for (uint32_t i = 0; i < kinds->atom_count; i++) {
        all[kinds->atom_kind[i]]++;
        inside[kinds->atom_kind[i]] += is_in[i];
    }
    for (uint32_t k = 0; k < known; k++) {
        moved[k] = (uint16_t)k;
        if (inside[k] == 0 || inside[k] == all[k])
            continue;
        if (kinds->count == PATTERN_KINDS_MAX)
            return false;
        moved[k] = (uint16_t)kinds->count++;
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
    return class->range_count == 0 &&
           __builtin_popcountll(class->ascii[0]) + __builtin_popcountll(class->ascii[1]) == 1;
}

/* The same for the class of one character, as most are. */
static bool split_one(struct pattern_kinds *kinds, const struct capture_class *class)
{
    uint32_t character = class->ascii[0] != 0 ? (uint32_t)__builtin_ctzll(class->ascii[0])
                                              : 64 + (uint32_t)__builtin_ctzll(class->ascii[1]);
    uint16_t kind = kinds->atom_kind[character];
    uint32_t others = 0;

    for (uint32_t i = 0; i < kinds->atom_count; i++)
        others += kinds->atom_kind[i] == kind;
    kinds->work += kinds->atom_count / 8;
    if (others == 1)
        return true;
    if (kinds->count == PATTERN_KINDS_MAX)
        return false;
    kinds->atom_kind[character] = (uint16_t)kinds->count++;
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

    memset(kinds->atom_kind, 0, kinds->atom_count * sizeof(kinds->atom_kind[0]));
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
        find_members(kinds, &program->classes[c], is_in);
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
    for (uint32_t c = 0; c < program->class_count; c++)
        kinds->work += kinds->count * (program->classes[c].range_count > 8 ? 4 : 1);
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

static void know_assertions(struct pattern_kinds *kinds, const struct capture *program)
{
    kinds->asks_words = kinds->asks_lines = false;
    for (uint32_t i = 0; i < program->code_count; i++) {
        const struct capture_instruction *code = &program->code[i];
        if (code->op != CAPTURE_ASSERT)
            continue;
        kinds->asks_words = kinds->asks_words || code->first == ASSERT_WORD_BORDER ||
                            code->first == ASSERT_NO_WORD_BORDER;
        kinds->asks_lines =
            kinds->asks_lines || code->first == ASSERT_LINE_BEGIN || code->first == ASSERT_LINE_END;
    }
}

bool pattern_kinds_find(const struct capture *program, struct pattern_kinds *out)
{
    out->work = 0;
    know_assertions(out, program);
    if (!find_atoms(out, program) || !find_kinds(out, program))
        return false;
    know_kinds(out, program);
    return true;
}

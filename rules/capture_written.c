/* capture_written.c - see capture_written.h. */
#include "rules/capture_written.h"

#include <string.h>

/* Behind the parenthesis that ends the group which begins at `at`. */
static uint32_t group_end(const char *text, uint32_t at)
{
    uint32_t depth = 0;

    for (;; at++) {
        depth += text[at] == '(';
        if (text[at] == ')' && --depth == 0)
            return at + 1;
    }
}

uint32_t written_piece_end(const char *text, uint32_t at)
{
    if (text[at] == '(')
        return group_end(text, at);
    if (text[at] == '[')
        return at + (uint32_t)(strchr(text + at, ']') - (text + at)) + 1;
    if (text[at] != '\\')
        return at + 1;
    if (text[at + 1] == 'x')
        return at + (uint32_t)(strchr(text + at, '}') - (text + at)) + 1;
    return at + 2;
}

uint32_t written_side_end(const char *text, uint32_t at, uint32_t end)
{
    while (at < end && text[at] != '|')
        at = written_piece_end(text, at);
    return at;
}

/* ---- repetitions ---- */

static uint32_t take_number(const char *text, uint32_t *at)
{
    uint32_t number = 0;

    for (; text[*at] >= '0' && text[*at] <= '9'; ++*at)
        number = number * 10 + (uint32_t)(text[*at] - '0');
    return number;
}

uint32_t written_times_at(const char *text, uint32_t at, struct written_times *out)
{
    char sign = text[at];

    *out = (struct written_times){.min = sign != '*' && sign != '?',
                                  .max = sign == '*' || sign == '+' ? UINT32_MAX : 1};
    if (sign != '*' && sign != '+' && sign != '?' && sign != '{')
        return at;
    at++;
    if (sign == '{') {
        out->min = take_number(text, &at);
        at++; /* the comma: it is always written */
        out->max = text[at] != '}' ? take_number(text, &at) : UINT32_MAX;
        at++;
    }
    out->is_lazy = text[at] == '?';
    return at + out->is_lazy;
}

/* ---- classes ---- */

/* A letter, a digit or \x{...}; `at` moves behind it. */
static uint32_t take_character(const char *text, uint32_t *at)
{
    uint32_t character = 0;

    if (text[*at] != '\\')
        return (unsigned char)text[(*at)++];
    for (*at += 3; text[*at] != '}'; ++*at) {
        char c = text[*at];
        character = character * 16 + (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    ++*at;
    return character;
}

static void ascii_add(uint64_t ascii[2], uint32_t low, uint32_t high)
{
    for (uint32_t c = low; c <= high && c < 0x80; c++)
        ascii[c / 64] |= (uint64_t)1 << c % 64;
}

/* Letters of ASCII are there in both cases; what they fold to beyond it stands in the class. */
static void ascii_fold(uint64_t ascii[2])
{
    uint64_t upper = ascii[1] & 0x07fffffe, lower = ascii[1] >> 32 & 0x07fffffe;

    ascii[1] |= upper << 32 | lower;
}

/* Adds ranges from `at` up to `end`. */
static bool add_ranges(const char *text, uint32_t at, uint32_t end, struct arena *arena,
                       struct capture_class *class)
{
    struct capture_range *range = NULL;
    uint32_t room = end - at;

    while (at < end) {
        uint32_t low = take_character(text, &at), high = low;
        if (at < end && text[at] == '-') {
            at++;
            high = take_character(text, &at);
        }
        ascii_add(class->ascii, low, high);
        if (high < 0x80)
            continue;
        if (range == NULL)
            range = arena_alloc_many(arena, room, sizeof(*range));
        if (range == NULL)
            return false;
        range[class->range_count++] = (struct capture_range){low, high};
    }
    class->range = range;
    return true;
}

bool written_is_class(const char *text, uint32_t at)
{
    return text[at] == '(' ? strncmp(text + at, "(?i:", 4) == 0
                           : text[at] != '\\' || text[at + 1] == 'x';
}

bool written_class(const char *text, uint32_t at, uint32_t end, struct arena *arena,
                   struct capture_class *out)
{
    bool folds = text[at] == '(';
    bool is_bracket = folds || text[at] == '[';

    if (folds) { /* "(?i:[", "])" */
        at += 4;
        end--;
    }
    *out = (struct capture_class){.is_negated = text[at] == '.'}; /* all that is not in nothing */
    if (is_bracket) {
        out->is_negated = text[at + 1] == '^';
        if (!add_ranges(text, at + 1 + out->is_negated, end - 1, arena, out))
            return false;
    } else if (text[at] != '.' && !add_ranges(text, at, end, arena, out)) {
        return false;
    }
    if (folds)
        ascii_fold(out->ascii);
    for (int i = 0; out->is_negated && i < 2; i++)
        out->ascii[i] = ~out->ascii[i];
    return true;
}

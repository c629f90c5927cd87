/* nearest.c - see nearest.h. */
#include "base/nearest.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Names are short; a longer word is no slip of the finger. */
enum { NAME_BYTES_MAX = 48, SHORT_FORM_BYTES_MIN = 3 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(struct text a, struct text b)
{
    unsigned rows[3][NAME_BYTES_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];

    for (uint32_t j = 0; j <= b.len; j++)
        last[j] = j;
    for (uint32_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            char x = lower(a.at[i - 1]), y = lower(b.at[j - 1]);
            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b.at[j - 2]) && y == lower(a.at[i - 2]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b.len];
}

/* Whether `name` is the beginning of `other`, as WARN is of WARNING. */
static bool begins(struct text other, struct text name)
{
    uint32_t i = 0;

    while (i < name.len && i < other.len && lower(name.at[i]) == lower(other.at[i]))
        i++;
    return i == name.len && i >= SHORT_FORM_BYTES_MIN;
}

const char *nearest_name(struct text name, const char *const *candidates, size_t count)
{
    unsigned best = name.len / 3 > 1 ? name.len / 3 : 1;
    const char *nearest = NULL;

    if (name.len < 2 || name.len > NAME_BYTES_MAX) /* any letter is as near to one */
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct text other = {candidates[i], (uint32_t)strlen(candidates[i])};
        /* Each byte that one has more is an edit. */
        if (other.len > NAME_BYTES_MAX || other.len > name.len + best ||
            name.len > other.len + best)
            continue;
        unsigned edits = distance(name, other);
        if (edits < best || (edits == best && nearest == NULL)) {
            best = edits;
            nearest = candidates[i];
        }
    }
    for (size_t i = 0; nearest == NULL && i < count; i++)
        if (begins(text_of(candidates[i]), name))
            nearest = candidates[i];
    return nearest;
}

const char *nearest_hint(struct text name, const char *const *candidates, size_t count,
                         char hint[NEAREST_HINT_BYTES])
{
    const char *nearest = nearest_name(name, candidates, count);

    hint[0] = '\0';
    if (nearest != NULL)
        snprintf(hint, NEAREST_HINT_BYTES, "; did you mean \"%.64s\"?", nearest);
    return hint;
}

/*
 * nearest.c - optimal string alignment distance over three rows. Names are short;
 * what is longer than a row can hold is simply never near.
 */
#include "daemon/nearest.h"

#include <string.h>

enum { NAME_BYTES_MAX = 64, EDITS_MAX = 2 };

void nearest_init(struct nearest *nearest, const char *wanted)
{
    *nearest = (struct nearest){.wanted = wanted, .distance = EDITS_MAX + 1};
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][NAME_BYTES_MAX + 1];

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least(least(above[j] + 1, row[j - 1] + 1),
                           above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

void nearest_offer(struct nearest *nearest, const char *name)
{
    size_t wanted_len = strlen(nearest->wanted), len = strlen(name);
    size_t longer = wanted_len > len ? wanted_len : len;
    unsigned edits;

    if (longer > NAME_BYTES_MAX)
        return;
    edits = distance(nearest->wanted, wanted_len, name, len);
    if (edits < nearest->distance && edits * 3 <= longer) {
        nearest->name = name;
        nearest->distance = edits;
    }
}

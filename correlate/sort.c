/* sort.c - see sort.h. */
#include "correlate/sort.h"

#include <string.h>

enum { INSERTION_MAX = 24, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

static void insertion_sort(uint64_t *keys, size_t count, unsigned low_bit)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t key = keys[i];
        size_t j = i;
        while (j > 0 && keys[j - 1] >> low_bit > key >> low_bit) {
            keys[j] = keys[j - 1];
            j--;
        }
        keys[j] = key;
    }
}

void sort_keys(uint64_t *keys, uint64_t *scratch, size_t count, unsigned low_bit)
{
    uint64_t differ = 0;
    uint64_t *from = keys, *to = scratch;

    if (count <= INSERTION_MAX) {
        insertion_sort(keys, count, low_bit);
        return;
    }
    for (size_t i = 1; i < count; i++)
        differ |= keys[i] ^ keys[0];
    for (unsigned bit = low_bit; bit < 64 && differ >> bit != 0; bit += DIGIT_BITS) {
        uint32_t at[DIGITS] = {0};
        uint32_t sum = 0;

        if ((differ >> bit & (DIGITS - 1)) == 0)
            continue; /* this digit is the same in all keys */
        for (size_t i = 0; i < count; i++)
            at[from[i] >> bit & (DIGITS - 1)]++;
        for (int d = 0; d < DIGITS; d++) {
            uint32_t n = at[d];
            at[d] = sum;
            sum += n;
        }
        for (size_t i = 0; i < count; i++)
            to[at[from[i] >> bit & (DIGITS - 1)]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys)
        memcpy(keys, from, count * sizeof(*keys));
}

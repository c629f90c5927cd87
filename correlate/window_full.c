/* window_full.c - see window_full.h. */
#include "correlate/window_full.h"

#include "correlate/window_sums.h"

/* A newer entry has its value, too: of a window that is too small for sums, in which no place is
 * without an entry. */
_Static_assert((int)WINDOW_INDEX_ROOM >= (int)WINDOW_SUMS_ROOM, "where entries are gone are sums");
static bool comes_again(const struct window *window, uint32_t i)
{
    uint64_t hash = window_values(window, i)->value[0].hash;

    for (uint32_t newer = i + 1; newer < window->count; newer++)
        if (window_values(window, newer)->value[0].hash == hash)
            return true;
    return false;
}

uint32_t window_full_choose(const struct window *window)
{
    uint32_t looks = window->count < WINDOW_FULL_LOOKS ? window->count : WINDOW_FULL_LOOKS;

    if (!window->rule->keeps_values)
        return 0;
    /* Each before the first that is repeated is single, so what repeats that is newer. */
    if (window->sums != NULL) {
        uint32_t i = window_sums_oldest_repeated(window, looks);
        return i < window->span ? i : 0;
    }
    for (uint32_t i = 0; i < looks; i++)
        if (comes_again(window, i))
            return i;
    return 0;
}

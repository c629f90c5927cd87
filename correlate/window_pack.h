/*
 * window_pack.h - few entries of a key in one block.
 *
 *   8 bytes    base, how many entries and alerts, bytes of the block
 *   16 each    the different alerts, in the order of their first entry
 *   8 each     the words of the entries (window.h)
 *   4 each     a mark per entry: its time from the base on, severity, cleared, which alert
 *
 * An alert that came four times in a window takes 40 bytes, four alerts take 88. The marks are 8
 * bytes each (wide) as soon as an entry of the window names another time than the one it came at,
 * or comes more than 4.6 hours after the base.
 *
 * Everything is exact: what does not fit is not packed. That are windows of a rule with `for`, more
 * than WINDOW_PACK_ENTRIES, a ts over 2.3 hours off the effective time, times millennia away, and
 * more than WINDOW_PACK_BYTES_MAX. So a key where much goes on has a ring, where an entry comes and
 * goes without the others being moved, and the many where little does are small.
 *
 * Base is the window's since_ms, the time of its first entry. In windows whose begin nobody asks
 * for, the base follows the oldest entry when times get too far from it.
 *
 * Cost: a push or a removal is linear in the entries, at most WINDOW_PACK_ENTRIES.
 *
 * Owner, thread: as window.h, which alone calls this.
 */
#ifndef CORRELATE_WINDOW_PACK_H
#define CORRELATE_WINDOW_PACK_H

#include "correlate/window.h"

enum { WINDOW_PACK_ENTRIES = 8, WINDOW_PACK_BYTES_MAX = 896 };

/* Puts the entry into a window that is empty or a pack. False, changing nothing that counts: it
 * cannot be packed. */
bool window_pack_push(struct window *window, const struct window_entry *entry, struct slab *slab);

/* Entry `i` of several leaves; its values have been freed. The window may move. */
void window_pack_remove(struct window *window, uint32_t i, struct slab *slab);

void window_pack_set_severity(const struct window *window, uint32_t i, uint8_t severity);
void window_pack_set_cleared(const struct window *window, uint32_t i);

/* Of the block. */
size_t window_pack_bytes(const struct window *window);

#endif

/*
 * text_sort.h - large lists of texts and numbers of rules in order, whatever order they come in.
 *
 * A file of rules may bring millions of texts. Comparing two of them costs two looks at memory that
 * is nowhere near, and a sort by comparing does that twenty times for each text: 1.2 s for two
 * million. Here seven bytes of each are fetched at a time, sorted by their digits as numbers, and
 * only texts that agree in all of them are looked at again. So the work is in proportion to the
 * bytes, with whatever they have in common.
 *
 * Thread: any. Memory: some 36 bytes an item while it runs.
 */
#ifndef RULES_TEXT_SORT_H
#define RULES_TEXT_SORT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"

/* Orders `count` rows of `width` texts each, which lie one row behind the other: by the bytes of
 * the first text, a shorter one before those that it begins; then by those of the second, and so
 * on. order[] gets the numbers of the rows; rows that are the same keep their order, and *twice is
 * the first row in it that is the same as the one before, UINT32_MAX when there is none.
 * Errors: false, memory is short; nothing was written. */
bool text_sort_rows(const struct text *rows, uint32_t width, uint32_t count, uint32_t *order,
                    uint32_t *twice);

/* In place: shorter texts first, those of a length by their bytes. False as above. */
bool text_sort_by_length(struct text *texts, uint32_t count);

/* In place: whole numbers, or real ones of which none is NaN; -0 comes before 0. False as above. */
bool text_sort_whole(int64_t *numbers, uint32_t count);
bool text_sort_reals(double *reals, uint32_t count);

#endif

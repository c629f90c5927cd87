/*
 * pattern_scan.h - which patterns of a set are found in the texts of one event.
 *
 *   pattern_scan_start(scan, set)
 *   pattern_scan_test(scan, id, text)   the first of a column scans `text` for all of its patterns
 *                                       at once; the others read a bit
 *
 * Time:    a scan is linear in the text, whatever the pattern.
 * Memory:  scanning allocates nothing, but for the first of a thread in a set (pattern_lane.h).
 * Thread:  a scan belongs to one thread.
 */
#ifndef RULES_PATTERN_SCAN_H
#define RULES_PATTERN_SCAN_H

#include "rules/pattern_set.h"

/* The answers for one event. Not initialized but by pattern_scan_start(). */
struct pattern_scan {
    const struct pattern_set *set;
    uint64_t known[PATTERN_COLUMNS_MAX / 64]; /* bit per column: its words of `bits` are filled */
    uint64_t bits[PATTERN_WORDS_MAX];
    /* Of patterns that are asked alone, by id: the words in use, then what is known and what was
     * found. */
    uint64_t alone_used[PATTERN_IDS_MAX / 64 / 64];
    uint64_t alone_known[PATTERN_IDS_MAX / 64], alone_found[PATTERN_IDS_MAX / 64];
};

/* Forgets the last event. A set that is NULL has no patterns. */
static inline void pattern_scan_start(struct pattern_scan *scan, const struct pattern_set *set)
{
    scan->set = set;
    for (int i = 0; i < PATTERN_COLUMNS_MAX / 64; i++)
        scan->known[i] = 0;
    for (int i = 0; i < PATTERN_IDS_MAX / 64 / 64; i++)
        scan->alone_used[i] = 0;
}

/* Is pattern `id` found in `text`, the text of its column in this event? */
bool pattern_scan_test(struct pattern_scan *scan, uint32_t id, struct text text);

/* Visits all patterns of a column (pattern_set_column()) that are found in `text`, once each. */
void pattern_scan_visit(struct pattern_scan *scan, uint32_t column, struct text text,
                        void (*visit)(void *self, uint32_t id), void *self);

#endif

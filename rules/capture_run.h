/*
 * capture_run.h - groups that are no more than so many characters of one class, however they are
 * written, as long as it does not matter which match is found:
 *
 *   (?:\w|\d)              \w
 *   (?:(?:\w|\d){2,9}){60}  \w{120,540}
 *   (?:x|xx|xxx){40}       x{40,120}
 *
 * Written out as they stand they have many places that the same characters reach by as many ways,
 * and each step over a text has to look at all of them (rules/positions.h).
 */
#ifndef RULES_CAPTURE_RUN_H
#define RULES_CAPTURE_RUN_H

#include "rules/capture_written.h"

/* Of all that is looked at for a pattern, some 0.5 ms: see struct written_classes. */
enum { CAPTURE_RUN_WORK_MAX = 20000 };

struct capture_run {
    struct capture_class class;
    uint32_t min, max; /* UINT32_MAX: as many as there are */
};

/* Is the piece from `at` to `end` of a written form (rules/capture_written.h), with its repetition,
 * such a run? False also when memory is short, or when as much has been looked at: groups in groups
 * are looked at as often as they are deep. */
bool capture_run_find(const char *text, uint32_t at, uint32_t end, struct written_classes *classes,
                      struct capture_run *out);

#endif

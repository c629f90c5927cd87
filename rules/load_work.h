/*
 * load_work.h - one measure for all that reading a set takes, of whatever kind.
 *
 *   rules 3.9 MiB    sheets 2,400,000 rows    calendars 10,000,000 steps    patterns ...
 *         \__________________|________________________|______________________/
 *                            nanoseconds by estimate, refused beyond LOAD_WORK_MAX_US
 *
 * Each kind has bounds of its own, and this one holds for a mixture of them. Nothing is timed: what
 * is counted are bytes, rows and steps, each at what it took at worst on a machine of today, so
 * that a set is taken or refused alike on each machine, however busy.
 *
 * Thread: one load, one thread.
 */
#ifndef RULES_LOAD_WORK_H
#define RULES_LOAD_WORK_H

#include "rules/diagnostics.h"

enum load_part {
    LOAD_RULES,
    LOAD_SHEETS,
    LOAD_CALENDARS,
    LOAD_EXTRACTS,
    LOAD_PATTERNS,
    LOAD_PARTS,
};

enum {
    LOAD_WORK_MAX_US = 600000,
    /* Nanoseconds: of a byte of rules, of a rule, of a part that its variables stand for; of a
     * byte, a cell and a row of a sheet, and of a row that is a key of a rule besides; of a step of
     * a calendar, and of one of reading a pattern of extract; of a microsecond of
     * pattern_choice.h, whose estimates hold for the worst of each kind of pattern. */
    LOAD_TEXT_BYTE_NS = 80,
    LOAD_RULE_NS = 5000,
    LOAD_VAR_PART_NS = 100,
    LOAD_SHEET_BYTE_NS = 4,
    LOAD_CELL_NS = 15,
    LOAD_ROW_NS = 90,
    LOAD_KEY_NS = 30,
    LOAD_CALENDAR_STEP_NS = 20,
    LOAD_EXTRACT_STEP_NS = 6,
    LOAD_PATTERN_COST_NS = 750,
};

/* All zero: nothing was read yet. */
struct load_work {
    uint64_t ns[LOAD_PARTS];
};

void load_work_add(struct load_work *work, enum load_part part, uint64_t ns);

/* Nanoseconds that are left; 0: what comes now is refused. */
uint64_t load_work_left(const struct load_work *work);

/* Diagnoses at `span` that nothing is left, with what took how much. Returns false. */
bool load_work_refuse(const struct load_work *work, struct diagnostics *diag, struct span span);

#endif

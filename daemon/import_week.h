/*
 * import_week.h - the minutes of a week, to turn "told at these times" into "muted at all others".
 *
 * Alertmanager's active_time_intervals name the times at which a route tells; a maintenance
 * window names those at which it does not. Intervals of times and weekdays repeat every week, so
 * their complement is an interval of the same kind; with days of the month, months or years it
 * would not be.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_IMPORT_WEEK_H
#define DAEMON_IMPORT_WEEK_H

#include "daemon/import_text.h"
#include "rules/yaml_reader.h"

enum { WEEK_DAYS = 7, DAY_MINUTES = 1440 };

struct import_week {
    bool is_active[WEEK_DAYS][DAY_MINUTES]; /* from Sunday */
    const struct yaml_node *location;       /* NULL: UTC, by not being named */
    bool has_any;
};

/* Adds the minutes of one interval. NULL, or why the complement cannot be told. */
const char *import_week_add(struct import_week *week, const struct yaml_node *spec);

/* Writes the rest of the week as entries of `time_intervals:`. False: there is none. */
bool import_week_write_rest(const struct import_week *week, struct import_text *entry);

#endif

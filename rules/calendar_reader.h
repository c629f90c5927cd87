/*
 * calendar_reader.h - when a maintenance window is open, from YAML.
 *
 *   start: 2026-01-04T02:00          or      time_intervals:
 *   duration: 4h                               - weekdays: [saturday, sunday]
 *   rrule: FREQ=WEEKLY;BYDAY=SU                  times: [{start_time: "02:00", end_time: "06:00"}]
 *   except: [2026-12-27]                     timezone: Europe/Zurich
 *   timezone: Europe/Zurich
 */
#ifndef RULES_CALENDAR_READER_H
#define RULES_CALENDAR_READER_H

#include "rules/calendar.h"
#include "rules/rule_reader.h"

/* Reads the keys above from `map`, which may have others. What decides when the window is open
 * is added to *digest, the files of zones too. Everything that is wrong is diagnosed.
 * Errors: false. */
bool calendar_read(const struct yaml_node *map, struct rule_build *build, struct calendar *out,
                   struct id128 *digest);

#endif

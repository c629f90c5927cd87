/*
 * calendar.h - when a maintenance window is open: a function of time, and nothing else.
 *
 *   recurrence:  start + RRULE - exceptions, each `duration` long, in a zone   (RFC 5545)
 *   intervals:   times x weekdays x days of month x months x years, in a zone
 *                (the time intervals of Prometheus Alertmanager)
 *
 * A calendar answers for any time without having been asked for those before, so an
 * answer depends on no state. Windows that touch or overlap are one. The cost of an
 * answer is bounded: see RECURRENCE_YEARS_AHEAD and INTERVAL_YEARS_AHEAD.
 *
 * Thread: immutable once read; any number of threads may ask.
 */
#ifndef RULES_CALENDAR_H
#define RULES_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>
#include "rules/recurrence.h"
#include "rules/zone.h"

enum {
    INTERVALS_MAX = 50,        /* of one calendar */
    INTERVAL_RANGES_MAX = 32,  /* of one field */
    INTERVAL_YEARS_AHEAD = 40, /* weekdays and days of months come together within 40 years */
    CALENDAR_EXCEPTIONS_MAX = 500,
    /* Days, times and values that are looked at while a set is read, of all its calendars: some
     * tenths of a second. One that opens every week takes a few hundred. */
    CALENDAR_WORK_MAX = 10000000,
};

/* 31 days: a longer window is two. */
#define CALENDAR_DURATION_MS_MAX ((int64_t)31 * 86400000)

struct interval_range {
    int from, to; /* both included, but `to` of times */
};

struct interval_ranges {
    int count; /* 0: every one */
    struct interval_range range[INTERVAL_RANGES_MAX];
};

struct interval {
    const struct zone *zone;
    struct interval_ranges times;    /* minutes since midnight */
    struct interval_ranges weekdays; /* 0 is Sunday, as there */
    struct interval_ranges month_days, months, years;
};

struct calendar_exception {
    int64_t at;      /* local */
    bool is_all_day; /* `at` is its first second */
};

struct calendar {
    /* Intervals; NULL: a recurrence. */
    const struct interval *intervals;
    int interval_count;

    const struct zone *zone;
    bool recurs;            /* else it is open once */
    struct recurrence rule; /* its start holds in both cases */
    int64_t duration_ms;
    const struct calendar_exception *exceptions;
    int exception_count;
};

struct calendar_state {
    bool is_open;
    int64_t until_ms; /* it stays so until then, at the least; INT64_MAX: for ever */
};

struct calendar_state calendar_at(const struct calendar *calendar, int64_t at_ms);

/* The end of its last opening (0: before 1970), where that lies behind `now_ms` and it opens no
 * more. INT64_MAX: it is open, or will be. */
int64_t calendar_end(const struct calendar *calendar, int64_t now_ms);

/* False: it is never open, whenever one asks (for the reader: such a calendar is a mistake). */
bool calendar_opens(const struct calendar *calendar);

#endif

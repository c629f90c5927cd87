/*
 * recurrence.h - the recurrence rules of iCalendar (RFC 5545, section 3.3.10).
 *
 *   FREQ=MONTHLY;BYDAY=SU;BYSETPOS=-1;BYHOUR=2,14
 *
 * A rule is walked period by period (a year, month, week or day), and within one day
 * by day, each tested against all BY parts. So the work for one answer is bounded by
 * the days of RECURRENCE_YEARS_AHEAD years, a few milliseconds, whatever the parts say.
 * That is why this is no library: libical 3.0 took 1.6 s to find out that a daily rule
 * for the 31st of April never happens, and does not end for FREQ=SECONDLY.
 *
 * All times here are local seconds (rules/zone.h): a rule knows nothing of zones.
 *
 * What differs from the RFC: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; a rule gives only
 * the times that it describes (a start that it does not describe is none of them); BYDAY
 * with a number, BYWEEKNO, BYYEARDAY stand where the RFC allows them and nowhere else;
 * at most RECURRENCE_TIMES_MAX times a day; RSCALE and SKIP are unknown.
 *
 * Thread: immutable after recurrence_read().
 */
#ifndef RULES_RECURRENCE_H
#define RULES_RECURRENCE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"

enum {
    RECURRENCE_LIST_MAX = 64, /* values of one part */
    RECURRENCE_TIMES_MAX = 24,
    RECURRENCE_COUNT_MAX = 1000,
    RECURRENCE_INTERVAL_MAX = 1000,
    RECURRENCE_YEARS_AHEAD = 200,
    RECURRENCE_TEXT_MAX = 2000,
};

enum recurrence_frequency {
    FREQUENCY_DAILY,
    FREQUENCY_WEEKLY,
    FREQUENCY_MONTHLY,
    FREQUENCY_YEARLY
};

struct recurrence_list {
    int count;
    int value[RECURRENCE_LIST_MAX];
};

struct recurrence {
    enum recurrence_frequency frequency;
    int interval;
    int week_start; /* 0 is Monday */
    int64_t start;  /* local; the first time is not before it */
    int64_t until;  /* local, inclusive; INT64_MAX: for ever */
    /* The same where the text gives it in UTC: then `until` lies a little behind, and whoever
     * knows the zone holds this. INT64_MAX: not given so. */
    int64_t until_utc;
    uint16_t months;             /* bit 1..12; 0: all */
    struct recurrence_list days; /* 10 * nth + weekday, nth 0: every */
    struct recurrence_list month_days, year_days, weeks, positions;
    int64_t times[RECURRENCE_TIMES_MAX]; /* seconds since midnight, ascending */
    int time_count;
    /* While it is read: how many days, times and values may still be looked at. NULL: as many as it
     * takes. */
    uint64_t *work;
};

/* What is wrong, and with which bytes of the text. */
struct recurrence_fault {
    const char *why;
    uint32_t from, to;
};

/* Reads "FREQ=...", for a series that begins at `start`. What the text leaves open is taken
 * from the start. A count becomes the `until` that it means. out->work stays `work`, until the
 * caller makes it NULL.
 * Errors: false, with *fault filled; also when *work is used up. */
bool recurrence_read(struct text text, int64_t start, uint64_t *work, struct recurrence *out,
                     struct recurrence_fault *fault);

#define RECURRENCE_TOO_LONG                                                                        \
    "the calendars up to here take too long to be followed: fewer, or simpler ones"

/* Takes `count` from what may still be looked at. False when that is nothing any more. */
static inline bool recurrence_spend(const struct recurrence *rule, uint64_t count)
{
    if (rule->work == NULL)
        return true;
    *rule->work -= count < *rule->work ? count : *rule->work;
    return *rule->work > 0;
}

/* The first time later than `after`, the last one in [from, to]; false when there is none
 * within RECURRENCE_YEARS_AHEAD years. */
bool recurrence_next(const struct recurrence *rule, int64_t after, int64_t *out);
bool recurrence_last(const struct recurrence *rule, int64_t from, int64_t to, int64_t *out);

/* "20260104T020000", "2026-01-04T02:00", with or without seconds; "Z" at the end makes it UTC,
 * and a date alone is allowed where `is_date` is given. Returns NULL, or what is wrong. */
const char *local_time_read(struct text text, int64_t *local, bool *is_utc, bool *is_date);

#endif

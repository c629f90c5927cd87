/*
 * timestamp.h - RFC 3339 text into milliseconds since 1970 and back, and what a clock and a
 * calendar show then.
 */
#ifndef RULES_TIMESTAMP_H
#define RULES_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"

/* Returns NULL, or the reason why the text is no time. Fractions beyond
 * milliseconds are cut off.
 * Source: RFC 3339, section 5.6; days from the civil calendar after H. Hinnant. */
const char *timestamp_parse(struct text text, int64_t *ms);

/* Whether a time lies between the start of year 1 and the end of year 9999, as those that can be
 * written do. */
bool timestamp_is_known(int64_t ms);

/* 2024-05-01T12:30:00Z, with three digits behind the seconds where they are not zero. The time is
 * a known one. Returns its length. */
enum { TIMESTAMP_TEXT_BYTES = 32 };
uint32_t timestamp_print(int64_t ms, char to[TIMESTAMP_TEXT_BYTES]);

/* What CEL's accessors show, counted as they do: months, days of the month and of the year from 0,
 * `date` from 1, days of the week from Sunday, 0. */
enum time_part {
    TIME_FULL_YEAR,
    TIME_MONTH,
    TIME_DATE,
    TIME_DAY_OF_MONTH,
    TIME_DAY_OF_WEEK,
    TIME_DAY_OF_YEAR,
    TIME_HOURS,
    TIME_MINUTES,
    TIME_SECONDS,
    TIME_MILLISECONDS,
};

int64_t timestamp_part(int64_t ms, enum time_part part);

/* The same of a duration: whole hours, minutes or seconds, cut towards zero, or the milliseconds
 * beyond the last second. Other parts are not asked for. */
int64_t duration_part(int64_t ms, enum time_part part);

/* "UTC", "+02:00", "-09:30": NULL, or the reason why it is no fixed offset. */
const char *zone_parse(struct text text, int64_t *offset_ms);

#endif

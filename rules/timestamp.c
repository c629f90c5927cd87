/* timestamp.c - see timestamp.h. */
#include "rules/timestamp.h"

#include <stdio.h>
#include <string.h>

struct cursor {
    const char *at, *end;
    bool is_good;
};

static int take_digits(struct cursor *cursor, int count)
{
    int number = 0;

    while (count-- > 0) {
        if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9') {
            cursor->is_good = false;
            return 0;
        }
        number = number * 10 + (*cursor->at++ - '0');
    }
    return number;
}

static char take_one_of(struct cursor *cursor, const char *signs)
{
    if (cursor->at < cursor->end)
        for (const char *sign = signs; *sign != '\0'; sign++)
            if (*cursor->at == *sign)
                return *cursor->at++;
    cursor->is_good = false;
    return '\0';
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && is_leap);
}

/* Days since 1970-01-01; years count from March, so that the leap day is the last. */
static int64_t days_since_1970(int year, int month, int day)
{
    int shifted = month <= 2 ? year - 1 : year;
    int era = shifted / 400, in_era = shifted - era * 400;
    int in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int in_days = in_era * 365 + in_era / 4 - in_era / 100 + in_year;

    return (int64_t)era * 146097 + in_days - 719468;
}

static int take_fraction_ms(struct cursor *cursor)
{
    int ms = 0, scale = 100, digits = 0;

    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        ms += (*cursor->at - '0') * scale;
        scale /= 10;
        digits++;
    }
    cursor->is_good = cursor->is_good && digits > 0;
    return ms;
}

static int take_zone_minutes(struct cursor *cursor)
{
    char sign = take_one_of(cursor, "Zz+-");
    int hours, minutes;

    if (sign != '+' && sign != '-')
        return 0;
    hours = take_digits(cursor, 2);
    take_one_of(cursor, ":");
    minutes = take_digits(cursor, 2);
    cursor->is_good = cursor->is_good && hours < 24 && minutes < 60;
    return (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
}

const char *timestamp_parse(struct text text, int64_t *ms)
{
    static const char *const why = "a time is written as in 2024-05-01T12:30:00Z";
    struct cursor cursor = {text.at, text.at + text.len, true};
    int year = take_digits(&cursor, 4), month, day, hour, minute, second, fraction = 0, zone;
    bool has_time;

    take_one_of(&cursor, "-");
    month = take_digits(&cursor, 2);
    take_one_of(&cursor, "-");
    day = take_digits(&cursor, 2);
    take_one_of(&cursor, "Tt ");
    hour = take_digits(&cursor, 2);
    take_one_of(&cursor, ":");
    minute = take_digits(&cursor, 2);
    take_one_of(&cursor, ":");
    second = take_digits(&cursor, 2);
    if (cursor.at < cursor.end && *cursor.at == '.') {
        cursor.at++;
        fraction = take_fraction_ms(&cursor);
    }
    has_time = cursor.is_good;
    zone = take_zone_minutes(&cursor);
    if (has_time && (!cursor.is_good || cursor.at != cursor.end))
        return "a time ends with its zone, Z or as in +01:00, right behind the seconds";
    if (!cursor.is_good || cursor.at != cursor.end)
        return why;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) ||
        hour > 23 || minute > 59 || second > 59)
        return "there is no such day or time of day";
    *ms = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute - zone) * 60000 +
          second * 1000 + fraction;
    return timestamp_is_known(*ms) ? NULL : "the time is not between the years 1 and 9999";
}

bool timestamp_is_known(int64_t ms)
{
    return ms >= -62135596800000 && ms <= 253402300799999;
}

/* ---- what clock and calendar show ---- */

enum { DAY_MS = 86400000 };

struct date {
    int year, month, day; /* month and day from 1 */
};

static int64_t day_of(int64_t ms)
{
    return ms / DAY_MS - (ms % DAY_MS < 0);
}

/* The way back of days_since_1970(), for days since the year 0. */
static struct date date_of(int64_t day)
{
    int64_t days = day + 719468, era = days / 146097; /* a known time lies behind March of year 0 */
    int in_era = (int)(days - era * 146097);
    int year_of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (5 * in_year + 2) / 153; /* from March, 0 */
    struct date date = {(int)era * 400 + year_of_era, month < 10 ? month + 3 : month - 9,
                        in_year - (153 * month + 2) / 5 + 1};

    date.year += date.month <= 2;
    return date;
}

uint32_t timestamp_print(int64_t ms, char to[TIMESTAMP_TEXT_BYTES])
{
    struct date date = date_of(day_of(ms));
    int in_day = (int)(ms - day_of(ms) * DAY_MS), fraction = in_day % 1000;
    char end[8] = "Z";

    if (fraction != 0)
        snprintf(end, sizeof(end), ".%03dZ", fraction);
    snprintf(to, TIMESTAMP_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d%s", date.year, date.month,
             date.day, in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60, end);
    return (uint32_t)strlen(to);
}

int64_t timestamp_part(int64_t ms, enum time_part part)
{
    int64_t day = day_of(ms), in_day = ms - day * DAY_MS;
    struct date date;

    switch (part) {
    case TIME_HOURS:
        return in_day / 3600000;
    case TIME_MINUTES:
        return in_day / 60000 % 60;
    case TIME_SECONDS:
        return in_day / 1000 % 60;
    case TIME_MILLISECONDS:
        return in_day % 1000;
    case TIME_DAY_OF_WEEK: /* 1970 began on a Thursday */
        return ((day + 4) % 7 + 7) % 7;
    default:
        break;
    }
    date = date_of(day);
    return part == TIME_FULL_YEAR      ? date.year
           : part == TIME_MONTH        ? date.month - 1
           : part == TIME_DATE         ? date.day
           : part == TIME_DAY_OF_MONTH ? date.day - 1
                                       : day - days_since_1970(date.year, 1, 1);
}

int64_t duration_part(int64_t ms, enum time_part part)
{
    return part == TIME_HOURS     ? ms / 3600000
           : part == TIME_MINUTES ? ms / 60000
           : part == TIME_SECONDS ? ms / 1000
                                  : ms % 1000;
}

const char *zone_parse(struct text text, int64_t *offset_ms)
{
    struct cursor cursor = {text.at, text.at + text.len, true};
    int minutes = 0;

    if (text.len != 3 || memcmp(text.at, "UTC", 3) != 0) {
        minutes = take_zone_minutes(&cursor);
        if (!cursor.is_good || cursor.at != cursor.end || text.len != 6)
            return "a zone is \"UTC\" or a fixed offset: \"+02:00\"";
    }
    *offset_ms = (int64_t)minutes * 60000;
    return NULL;
}

/*
 * civil.h - days, weekdays and times of day as plain arithmetic: the proleptic
 * Gregorian calendar, days counted from 1970-01-01, seconds without leap seconds.
 *
 * Thread: any; nothing is shared.
 */
#ifndef RULES_CIVIL_H
#define RULES_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

enum { DAY_S = 86400, CIVIL_YEAR_MIN = 1, CIVIL_YEAR_MAX = 9999 };

struct civil {
    int year, month, day; /* month and day from 1 */
};

static inline int64_t civil_floor(int64_t a, int64_t b)
{
    int64_t q = a / b;

    return q * b > a ? q - 1 : q;
}

static inline bool civil_is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static inline int civil_year_days(int year)
{
    return civil_is_leap(year) ? 366 : 365;
}

static inline int civil_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && civil_is_leap(year));
}

/* Years count from March, so that the leap day is the last of its year. */
static inline int64_t civil_day(int year, int month, int day)
{
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t era = civil_floor(shifted, 400), in_era = shifted - era * 400;
    int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static inline struct civil civil_of_day(int64_t day)
{
    int64_t shifted = day + 719468;
    int64_t era = civil_floor(shifted, 146097), in_era = shifted - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;
    struct civil civil;

    civil.day = (int)(in_year - (153 * month + 2) / 5 + 1);
    civil.month = (int)(month < 10 ? month + 3 : month - 9);
    civil.year = (int)(year + era * 400 + (civil.month <= 2));
    return civil;
}

/* 0 is Monday. */
static inline int civil_weekday(int64_t day)
{
    return (int)(day + 3 - civil_floor(day + 3, 7) * 7);
}

#endif

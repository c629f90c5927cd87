/* timestamp.c - see timestamp.h. */
#include "rules/timestamp.h"

#include <stdbool.h>

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
    zone = take_zone_minutes(&cursor);
    if (!cursor.is_good || cursor.at != cursor.end)
        return why;
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
        minute > 59 || second > 59)
        return "there is no such day or time of day";
    *ms = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute - zone) * 60000 +
          second * 1000 + fraction;
    return NULL;
}

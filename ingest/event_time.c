/*
 * event_time.c - see event_time.h.
 *
 * A date of 19 characters is checked and taken apart as three words of eight
 * bytes: XOR with the pattern of '0' and separators leaves digits 0-9 and zeros,
 * one addition finds anything else, one multiplication joins pairs of digits.
 */
#include "ingest/event_time.h"

#include "base/bytes.h"

enum { DATE_CHARS = 19, FRACTION_DIGITS_MAX = 9, MS_PER_DAY = 86400000 };

/* Numbers below these are seconds, milliseconds, microseconds; above, nanoseconds.
 * 10^11 s is the year 5138 and 10^11 ms is March 1973: no system that is
 * monitored today writes a time that could be read as the other. */
enum { SECONDS_DIGITS = 11, MILLI_DIGITS = 14, MICRO_DIGITS = 17, NANO_DIGITS = 20 };

/* Joins "....": digits where `digit_mask` says so, zero elsewhere. False if not. */
static inline bool take_pairs(uint64_t word, uint64_t pattern, uint64_t limit, uint64_t *pairs)
{
    uint64_t x = word ^ pattern;

    /* limit: 0x76 where 0-9 may stand (0x76 + 10 has the top bit), 0x7f for 0 only. */
    if ((((x + limit) | x) & 0x8080808080808080ULL) != 0)
        return false;
    *pairs = x * 10 + (x >> 8); /* byte i: digit i and digit i + 1, read as a number */
    return true;
}

static inline unsigned byte_of(uint64_t word, int index)
{
    return word >> 8 * index & 0xff;
}

/* Days before the first of each month in a year that starts in March, as February
 * 29th then comes last; the first two entries are January and February. */
static const uint16_t days_before[] = {306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275};

enum { MARCH_YEAR_0_TO_1970 = 719468 }; /* days from March 1st of the year 0 */

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar, years 0 to 9999.
 * Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int32_t days_from_date(uint32_t year, uint32_t month, uint32_t day)
{
    /* 400 years on, so that January of year 0 counts from above zero. */
    uint32_t from_march = year + 400 - (month <= 2);
    uint32_t days = from_march * 365 + from_march / 4 - from_march / 100 + from_march / 400;

    return (int32_t)(days + days_before[month - 1] + day - 1) - 146097 - MARCH_YEAR_0_TO_1970;
}

static bool month_has_day(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap;

    if (day <= 28)
        return day >= 1;
    is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && is_leap ? 1u : 0u);
}

/* The fraction at `at`, cut to milliseconds. Returns its end, NULL if it is bad. */
static const char *take_fraction(const char *at, const char *end, unsigned *ms)
{
    unsigned digits = 0, value = 0;

    for (; at < end && (unsigned char)(*at - '0') <= 9; at++, digits++)
        if (digits < 3)
            value = value * 10 + (unsigned)(*at - '0');
    if (digits == 0 || digits > FRACTION_DIGITS_MAX)
        return NULL;
    *ms = digits == 1 ? value * 100 : digits == 2 ? value * 10 : value;
    return at;
}

/* "+hh:mm" or "+hhmm", whole. */
static bool take_offset(const char *at, const char *end, int *minutes)
{
    char digits[4];
    bool has_colon = end - at == 6;

    if ((end - at != 6 && end - at != 5) || (has_colon && at[3] != ':'))
        return false;
    memcpy(digits, at + 1, 2);
    memcpy(digits + 2, at + 3 + has_colon, 2);
    for (int i = 0; i < 4; i++)
        if ((unsigned char)(digits[i] - '0') > 9)
            return false;
    int hours = (digits[0] - '0') * 10 + digits[1] - '0';
    int rest = (digits[2] - '0') * 10 + digits[3] - '0';
    *minutes = hours * 60 + rest;
    if (*at == '-')
        *minutes = -*minutes;
    return hours <= 23 && rest <= 59;
}

static enum event_time_kind from_date(struct text text, char separator, int64_t *ms)
{
    const char *at = text.at + DATE_CHARS, *end = text.at + text.len;
    uint64_t gap = (uint64_t)(unsigned char)separator;
    uint64_t date, clock, seconds;
    unsigned fraction = 0;
    int offset = 0;
    char between = text.at[10];

    if (between != 'T' && between != 't' && between != ' ')
        return EVENT_TIME_BAD;
    /* "YYYY-MM-", "DD?HH:MM" with the gap byte forced to its pattern, "?H:MM:SS". */
    if (!take_pairs(bytes_load64(text.at), 0x0030300030303030ULL | gap << 32 | gap << 56,
                    0x7f76767f76767676ULL, &date) ||
        !take_pairs((bytes_load64(text.at + 8) & ~0xff0000ULL), 0x30303a3030003030ULL,
                    0x76767f76767f7676ULL, &clock) ||
        !take_pairs(bytes_load64(text.at + 11), 0x30303a30303a3030ULL, 0x76767f76767f7676ULL,
                    &seconds))
        return EVENT_TIME_BAD;
    unsigned year = byte_of(date, 0) * 100 + byte_of(date, 2), month = byte_of(date, 5);
    unsigned day = byte_of(clock, 0), hour = byte_of(clock, 3), minute = byte_of(clock, 6);
    unsigned second = byte_of(seconds, 6);
    /* A leap second is the first one of the next minute. */
    if (month < 1 || month > 12 || !month_has_day(year, month, day) || hour > 23 || minute > 59 ||
        second > 60)
        return EVENT_TIME_BAD;
    if (at < end && *at == '.') {
        at = take_fraction(at + 1, end, &fraction);
        if (at == NULL)
            return EVENT_TIME_BAD;
    }
    if (at < end && (*at == 'Z' || *at == 'z')) {
        at++;
    } else if (at < end && (*at == '+' || *at == '-')) {
        if (!take_offset(at, end, &offset))
            return EVENT_TIME_BAD;
        at = end;
    }
    if (at != end)
        return EVENT_TIME_BAD;
    if (year <= 1)
        return EVENT_TIME_ABSENT;
    *ms = (int64_t)days_from_date(year, month, day) * MS_PER_DAY +
          ((int64_t)hour * 60 + minute - offset) * 60000 + (int64_t)second * 1000 + fraction;
    return *ms == 0 ? EVENT_TIME_ABSENT : EVENT_TIME_SET;
}

enum event_time_kind event_time_from_number(const struct json_number *number, int64_t *ms)
{
    /* Digits before the decimal point tell the unit. */
    int32_t whole = number->exponent, shift;
    uint64_t value = number->mantissa;

    for (uint64_t rest = value; rest != 0; rest /= 10)
        whole++;

    if (value == 0)
        return EVENT_TIME_ABSENT;
    if (number->is_negative || whole >= NANO_DIGITS)
        return EVENT_TIME_BAD;
    shift = whole <= SECONDS_DIGITS ? 3
            : whole <= MILLI_DIGITS ? 0
            : whole <= MICRO_DIGITS ? -3
                                    : -6;
    shift += number->exponent;
    /* Less than a millisecond is left with 0; the mantissa has 19 digits at most. */
    if (shift < -19)
        value = 0;
    for (; shift < 0 && value != 0; shift++)
        value /= 10;
    for (; shift > 0; shift--)
        value *= 10; /* 14 digits at most: `whole` bounds it */
    *ms = (int64_t)value;
    return value == 0 ? EVENT_TIME_ABSENT : EVENT_TIME_SET;
}

enum event_time_kind event_time_from_text(struct text text, int64_t *ms)
{
    struct json_number number;

    if (text.len == 0)
        return EVENT_TIME_ABSENT;
    if (text.len >= DATE_CHARS && text.at[4] == '-')
        return from_date(text, '-', ms);
    if (text.len == DATE_CHARS && text.at[4] == '.' && text.at[7] == '.')
        return from_date(text, '.', ms);
    if (json_number_scan(text.at, text.at + text.len, &number) != text.at + text.len)
        return EVENT_TIME_BAD;
    return event_time_from_number(&number, ms);
}

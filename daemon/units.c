/*
 * units.c - see units.h. Calendar days are counted by hand (days from civil, after
 * Howard Hinnant's date algorithms), so that no locale and no time zone of the
 * machine can show.
 */
#include "daemon/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit duration_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                             {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

static const struct unit size_units[] = {{"", 1},          {"B", 1},
                                         {"KiB", 1 << 10}, {"MiB", 1 << 20},
                                         {"GiB", 1 << 30}, {"TiB", INT64_C(1) << 40},
                                         {"kB", 1000},     {"KB", 1000},
                                         {"MB", 1000000},  {"GB", 1000000000},
                                         {NULL, 0}};

/* Reads digits at *at; false when there are none or the value leaves int64. */
static bool read_digits(const char **at, int64_t *out)
{
    int64_t value = 0;

    if (!isdigit((unsigned char)**at))
        return false;
    for (; isdigit((unsigned char)**at); (*at)++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, **at - '0', &value))
            return false;
    *out = value;
    return true;
}

static const struct unit *read_unit(const char **at, const struct unit *units)
{
    size_t length = 0;

    while (isalpha((unsigned char)(*at)[length]))
        length++;
    for (const struct unit *unit = units; unit->name != NULL; unit++)
        if (strlen(unit->name) == length && strncmp(unit->name, *at, length) == 0) {
            *at += length;
            return unit;
        }
    return NULL;
}

int unit_parse_count(const char *text, int64_t *out, struct error *err)
{
    const char *at = text;

    if (read_digits(&at, out) && *at == '\0')
        return 0;
    error_set(err, "'%s' is not a whole number", text);
    return -EINVAL;
}

int unit_parse_duration(const char *text, int64_t *ms, struct error *err)
{
    const char *at = text;
    int64_t sum = 0, last_factor = INT64_MAX;

    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return 0;
    }
    do {
        int64_t number, part;
        const struct unit *unit;
        if (!read_digits(&at, &number) || (unit = read_unit(&at, duration_units)) == NULL ||
            unit->factor >= last_factor || __builtin_mul_overflow(number, unit->factor, &part) ||
            __builtin_add_overflow(sum, part, &sum)) {
            error_set(err, "'%s' is not a duration: write it like 500ms, 30s, 10m, 2h, 1d or 1h30m",
                      text);
            return -EINVAL;
        }
        last_factor = unit->factor;
    } while (*at != '\0');
    *ms = sum;
    return 0;
}

int unit_parse_size(const char *text, int64_t *bytes, struct error *err)
{
    const char *at = text;
    int64_t number;
    const struct unit *unit;

    if (read_digits(&at, &number) && (unit = read_unit(&at, size_units)) != NULL && *at == '\0' &&
        !__builtin_mul_overflow(number, unit->factor, bytes))
        return 0;
    error_set(err, "'%s' is not a size: write it like 4096, 64KiB, 10MB or 1GiB", text);
    return -EINVAL;
}

/* Days since 1970-01-01 of a day of the Gregorian calendar. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* Exactly `digits` digits with a value in [low, high], then the character `end`
 * where it is not 0. */
static bool read_part(const char **at, int digits, int64_t low, int64_t high, char end,
                      int64_t *out)
{
    int64_t value = 0;

    for (int i = 0; i < digits; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        value = value * 10 + (**at - '0');
    }
    if (value < low || value > high || (end != '\0' && **at != end))
        return false;
    *at += end != '\0';
    *out = value;
    return true;
}

static bool read_civil(const char *at, int64_t *ms)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day, hour, minute, second, fraction = 0, shift = 0;

    if (!read_part(&at, 4, 1970, 9999, '-', &year) || !read_part(&at, 2, 1, 12, '-', &month) ||
        !read_part(&at, 2, 1, 31, 'T', &day) || !read_part(&at, 2, 0, 23, ':', &hour) ||
        !read_part(&at, 2, 0, 59, ':', &minute) || !read_part(&at, 2, 0, 59, '\0', &second))
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > month_days[month - 1] + (month == 2 && leap))
        return false;
    if (*at == '.') {
        int64_t scale = 100;
        for (at++; isdigit((unsigned char)*at); at++, scale /= 10)
            fraction += (*at - '0') * scale;
    }
    if (*at == '+' || *at == '-') {
        int64_t sign = *at++ == '-' ? -1 : 1, hours, minutes;
        if (!read_part(&at, 2, 0, 23, ':', &hours) || !read_part(&at, 2, 0, 59, '\0', &minutes))
            return false;
        shift = sign * (hours * 60 + minutes);
    } else if (*at++ != 'Z') {
        return false;
    }
    if (*at != '\0')
        return false;
    *ms = (days_from_civil(year, month, day) * 1440 + hour * 60 + minute - shift) * 60000 +
          second * 1000 + fraction;
    return true;
}

int unit_parse_time(const char *text, int64_t *ms, struct error *err)
{
    const char *at = text;

    if ((read_digits(&at, ms) && *at == '\0') || read_civil(text, ms))
        return 0;
    error_set(
        err, "'%s' is not a time: write it like 2026-02-01T10:00:00Z or as milliseconds since 1970",
        text);
    return -EINVAL;
}

const char *unit_format_duration(int64_t ms, char to[UNIT_TEXT_BYTES])
{
    const struct unit *best = duration_units;

    for (const struct unit *unit = duration_units; unit->name != NULL && ms != 0; unit++)
        if (ms % unit->factor == 0)
            best = unit;
    snprintf(to, UNIT_TEXT_BYTES, "%" PRId64 "%s", ms / best->factor, ms == 0 ? "" : best->name);
    return to;
}

const char *unit_format_span(int64_t ms, char to[UNIT_TEXT_BYTES])
{
    uint64_t rest = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    size_t used = ms < 0, unit = sizeof(duration_units) / sizeof(duration_units[0]) - 1;

    memcpy(to, ms == 0 ? "0s" : "-", ms == 0 ? 3 : 2);
    while (unit-- > 0) {
        uint64_t factor = (uint64_t)duration_units[unit].factor;
        if (rest >= factor)
            used += (size_t)snprintf(to + used, UNIT_TEXT_BYTES - used, "%" PRIu64 "%s",
                                     rest / factor, duration_units[unit].name);
        rest %= factor;
    }
    return to;
}

const char *unit_format_size(int64_t bytes, char to[UNIT_TEXT_BYTES])
{
    static const struct unit binary[] = {
        {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", INT64_C(1) << 40}};
    size_t best = 0;

    for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]) && bytes != 0; i++)
        if (bytes % binary[i].factor == 0)
            best = i;
    snprintf(to, UNIT_TEXT_BYTES, "%" PRId64 "%s", bytes / binary[best].factor, binary[best].name);
    return to;
}

const char *unit_format_time(int64_t ms, char to[UNIT_TEXT_BYTES])
{
    /* civil from days, the inverse of days_from_civil() */
    int64_t days = ms / 86400000 - (ms % 86400000 < 0), rest = ms - days * 86400000;
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_index = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
    int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);

    if (year < 0 || year > 9999) {
        snprintf(to, UNIT_TEXT_BYTES, "%" PRId64, ms);
        return to;
    }
    snprintf(to, UNIT_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year, (int)month,
             (int)day, (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60),
             (int)(rest % 1000));
    return to;
}

int unit_parse_share(const char *text, double *share, struct error *err)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= 0 && value <= 1)) {
        error_set(err, "'%.80s' is not a share: a number from 0 to 1", text);
        return -EINVAL;
    }
    *share = value;
    return 0;
}

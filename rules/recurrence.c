/*
 * recurrence.c - see recurrence.h. First the text, then the walk.
 */
#include "rules/recurrence.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "rules/civil.h"

#define REACH_S ((int64_t)RECURRENCE_YEARS_AHEAD * 366 * DAY_S)
/* The last second of the last year that can be written. */
#define LAST_S (INT64_C(253402300799))

static bool find(const struct recurrence *rule, int64_t from, int64_t to, bool wants_last,
                 int64_t *out);

/* ---- times as they are written ---- */

struct reader {
    const char *at, *end;
    bool is_good;
};

static int take_digits(struct reader *reader, int count)
{
    int number = 0;

    for (; count > 0; count--) {
        if (reader->at == reader->end || *reader->at < '0' || *reader->at > '9') {
            reader->is_good = false;
            return 0;
        }
        number = number * 10 + (*reader->at++ - '0');
    }
    return number;
}

static bool take_sign(struct reader *reader, char sign)
{
    if (reader->at == reader->end || *reader->at != sign)
        return false;
    reader->at++;
    return true;
}

const char *local_time_read(struct text text, int64_t *local, bool *is_utc, bool *is_date)
{
    struct reader reader = {text.at, text.at + text.len, true};
    int hour = 0, minute = 0, second = 0;
    int year = take_digits(&reader, 4);
    bool dashes = take_sign(&reader, '-');
    int month = take_digits(&reader, 2);

    reader.is_good = reader.is_good && (!dashes || take_sign(&reader, '-'));
    int day = take_digits(&reader, 2);
    *is_utc = false;
    bool only_date = reader.is_good && reader.at == reader.end;
    if (!only_date) {
        if (!take_sign(&reader, 'T') && !take_sign(&reader, ' '))
            reader.is_good = false;
        hour = take_digits(&reader, 2);
        bool colons = take_sign(&reader, ':');
        minute = take_digits(&reader, 2);
        if (colons ? take_sign(&reader, ':') : reader.at < reader.end && *reader.at != 'Z')
            second = take_digits(&reader, 2);
        *is_utc = take_sign(&reader, 'Z');
    }
    if (!reader.is_good || reader.at != reader.end)
        return "a time of a calendar is written as in 2026-01-04T02:00 or 20260104T020000";
    if (only_date && is_date == NULL)
        return "a time of day is missing: 2026-01-04T02:00";
    if (is_date != NULL)
        *is_date = only_date;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > civil_month_days(year, month) ||
        hour > 23 || minute > 59 || second > 59)
        return year < 1970 && reader.is_good ? "a calendar begins with the year 1970"
                                             : "there is no such day or time of day";
    *local = civil_day(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
    return NULL;
}

/* ---- the text of a rule ---- */

enum part {
    PART_FREQ,
    PART_INTERVAL,
    PART_COUNT,
    PART_UNTIL,
    PART_WKST,
    PART_BYMONTH,
    PART_BYMONTHDAY,
    PART_BYYEARDAY,
    PART_BYWEEKNO,
    PART_BYDAY,
    PART_BYHOUR,
    PART_BYMINUTE,
    PART_BYSECOND,
    PART_BYSETPOS,
    PARTS
};

static const struct {
    const char *name;
    int min, max; /* of numbers; below 0 counts from the end */
} parts[PARTS] = {
    [PART_FREQ] = {"FREQ", 0, 0},
    [PART_INTERVAL] = {"INTERVAL", 1, RECURRENCE_INTERVAL_MAX},
    [PART_COUNT] = {"COUNT", 1, RECURRENCE_COUNT_MAX},
    [PART_UNTIL] = {"UNTIL", 0, 0},
    [PART_WKST] = {"WKST", 0, 0},
    [PART_BYMONTH] = {"BYMONTH", 1, 12},
    [PART_BYMONTHDAY] = {"BYMONTHDAY", -31, 31},
    [PART_BYYEARDAY] = {"BYYEARDAY", -366, 366},
    [PART_BYWEEKNO] = {"BYWEEKNO", -53, 53},
    [PART_BYDAY] = {"BYDAY", -53, 53},
    [PART_BYHOUR] = {"BYHOUR", 0, 23},
    [PART_BYMINUTE] = {"BYMINUTE", 0, 59},
    [PART_BYSECOND] = {"BYSECOND", 0, 59},
    [PART_BYSETPOS] = {"BYSETPOS", -366, 366},
};

static const char *const weekdays[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
static const char *const frequencies[] = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};

struct reading {
    struct text text;
    struct recurrence *rule;
    struct recurrence_fault *fault;
    struct recurrence_list list[PARTS]; /* numbers as they stand */
    bool seen[PARTS];
};

static bool refuse(struct reading *reading, const char *from, const char *to, const char *why)
{
    *reading->fault = (struct recurrence_fault){why, (uint32_t)(from - reading->text.at),
                                                (uint32_t)(to - reading->text.at)};
    return false;
}

static bool refuse_all(struct reading *reading, const char *why)
{
    return refuse(reading, reading->text.at, reading->text.at + reading->text.len, why);
}

/* The place of a word in a table; -1: none. */
static int word_find(const char *from, const char *to, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strlen(words[i]) == (size_t)(to - from) &&
            strncasecmp(from, words[i], (size_t)(to - from)) == 0)
            return i;
    return -1;
}

/* [+-]digits; false when it is none, or longer than any that is allowed. */
static bool number_read(const char **at, const char *to, int *out)
{
    bool is_negative = *at < to && **at == '-';
    const char *from;
    int number = 0;

    *at += *at < to && (**at == '-' || **at == '+');
    from = *at;
    for (; *at < to && **at >= '0' && **at <= '9' && *at - from < 5; (*at)++)
        number = number * 10 + (**at - '0');
    *out = is_negative ? -number : number;
    return *at > from;
}

/* One value of a list: a number, or for BYDAY a weekday with or without one before it. */
static bool read_value(struct reading *reading, enum part part, const char *from, const char *to)
{
    struct recurrence_list *list = &reading->list[part];
    const char *at = from;
    int number = 0;
    bool has_number = number_read(&at, to, &number);

    if (list->count == RECURRENCE_LIST_MAX)
        return refuse(reading, from, to, "a part has at most 64 values");
    if (part == PART_BYDAY) {
        int day = word_find(at, to, weekdays, 7);
        if (day < 0)
            return refuse(reading, from, to,
                          "a weekday is MO, TU, WE, TH, FR, SA or SU, or numbered: 1SU, -1FR");
        if (has_number && (number == 0 || number < -53 || number > 53))
            return refuse(reading, from, to, "the number of a weekday lies between 1 and 53");
        list->value[list->count++] = number * 10 + (number < 0 ? -day : day);
        return true;
    }
    if (!has_number || at != to)
        return refuse(reading, from, to, "this is no whole number");
    if (number < parts[part].min || number > parts[part].max ||
        (number == 0 && parts[part].min < 0))
        return refuse(reading, from, to, "this number is outside of what the part takes");
    list->value[list->count++] = number;
    return true;
}

static bool read_until(struct reading *reading, const char *from, const char *to)
{
    bool is_date = false, is_utc = false;
    const char *why = local_time_read((struct text){from, (uint32_t)(to - from)},
                                      &reading->rule->until, &is_utc, &is_date);

    if (why != NULL)
        return refuse(reading, from, to, why);
    if (is_date)
        reading->rule->until += DAY_S - 1;
    if (is_utc) {
        /* Whatever the zone is, its local time of that moment is at most a day off. */
        reading->rule->until_utc = reading->rule->until;
        reading->rule->until += DAY_S;
    }
    return true;
}

static bool read_part(struct reading *reading, const char *from, const char *to)
{
    const char *sign = memchr(from, '=', (size_t)(to - from)), *names[PARTS];
    struct recurrence *rule = reading->rule;

    if (sign == NULL || sign + 1 == to)
        return refuse(reading, from, to, "each part is written NAME=VALUE, joined by \";\"");
    for (int i = 0; i < PARTS; i++)
        names[i] = parts[i].name;
    int part = word_find(from, sign, names, PARTS);
    if (part < 0)
        return refuse(reading, from, sign, "a recurrence rule has no such part");
    if (reading->seen[part])
        return refuse(reading, from, sign, "this part stands there twice");
    reading->seen[part] = true;
    from = sign + 1;
    if (part == PART_FREQ) {
        int frequency = word_find(from, to, frequencies, 4);
        rule->frequency = (enum recurrence_frequency)frequency;
        return frequency >= 0 ? true
                              : refuse(reading, from, to,
                                       "FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; several times a "
                                       "day are written with BYHOUR and BYMINUTE");
    }
    if (part == PART_WKST) {
        rule->week_start = word_find(from, to, weekdays, 7);
        return rule->week_start >= 0
                   ? true
                   : refuse(reading, from, to, "a weekday is MO, TU, WE, TH, FR, SA or SU");
    }
    if (part == PART_UNTIL)
        return read_until(reading, from, to);
    for (;;) {
        const char *comma = memchr(from, ',', (size_t)(to - from));
        if (!read_value(reading, (enum part)part, from, comma != NULL ? comma : to))
            return false;
        if (comma == NULL)
            return true;
        if (part == PART_INTERVAL || part == PART_COUNT)
            return refuse(reading, comma, to, "this part takes one number");
        from = comma + 1;
    }
}

static bool any_numbered(const struct recurrence_list *days)
{
    for (int i = 0; i < days->count; i++)
        if (days->value[i] / 10 != 0)
            return true;
    return false;
}

/* "BYSETPOS ... MUST only be used in conjunction with another BYxxx rule part" (section 3.3.10). */
static bool any_part_to_pick_from(const bool *seen)
{
    static const enum part by[] = {PART_BYMONTH, PART_BYMONTHDAY, PART_BYYEARDAY, PART_BYWEEKNO,
                                   PART_BYDAY,   PART_BYHOUR,     PART_BYMINUTE,  PART_BYSECOND};
    bool any = false;

    for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++)
        any = any || seen[by[i]];
    return any;
}

/* Where the RFC forbids a part, or leaves open what it means. */
static bool check_parts(struct reading *reading)
{
    enum recurrence_frequency frequency = reading->rule->frequency;
    const bool *seen = reading->seen;

    if (!seen[PART_FREQ])
        return refuse_all(reading, "a recurrence rule needs FREQ=DAILY, WEEKLY, MONTHLY or YEARLY");
    if (seen[PART_COUNT] && seen[PART_UNTIL])
        return refuse_all(reading, "COUNT and UNTIL exclude each other");
    if (seen[PART_BYWEEKNO] && (frequency != FREQUENCY_YEARLY || !seen[PART_BYDAY]))
        return refuse_all(reading, "BYWEEKNO belongs to FREQ=YEARLY, together with BYDAY");
    if (seen[PART_BYYEARDAY] && frequency != FREQUENCY_YEARLY)
        return refuse_all(reading, "BYYEARDAY belongs to FREQ=YEARLY");
    if (seen[PART_BYMONTHDAY] && frequency == FREQUENCY_WEEKLY)
        return refuse_all(reading, "BYMONTHDAY does not go with FREQ=WEEKLY");
    if (seen[PART_BYSETPOS] && !any_part_to_pick_from(seen))
        return refuse_all(reading, "BYSETPOS picks from what another BY part gives, and there is "
                                   "none");
    if (any_numbered(&reading->list[PART_BYDAY]) &&
        ((frequency != FREQUENCY_MONTHLY && frequency != FREQUENCY_YEARLY) || seen[PART_BYWEEKNO]))
        return refuse_all(reading, "a numbered weekday belongs to FREQ=MONTHLY or YEARLY, without "
                                   "BYWEEKNO");
    return true;
}

/* Every combination of hour, minute and second; what is not said is the start's. */
static bool make_times(struct reading *reading)
{
    struct recurrence *rule = reading->rule;
    int64_t in_day = rule->start - civil_floor(rule->start, DAY_S) * DAY_S;
    const int64_t given[3] = {in_day / 3600, in_day / 60 % 60, in_day % 60};
    uint64_t set[3] = {0, 0, 0}; /* so that values come in order, and once */

    for (int i = 0; i < 3; i++) {
        const struct recurrence_list *list = &reading->list[PART_BYHOUR + i];
        for (int v = 0; v < list->count; v++)
            set[i] |= UINT64_C(1) << list->value[v];
        if (list->count == 0)
            set[i] = UINT64_C(1) << given[i];
    }
    for (int64_t at = 0; at < DAY_S; at++) {
        if (!(set[0] >> (at / 3600) & 1) || !(set[1] >> (at / 60 % 60) & 1) ||
            !(set[2] >> (at % 60) & 1))
            continue;
        if (rule->time_count == RECURRENCE_TIMES_MAX)
            return refuse_all(reading, "a rule gives at most 24 times a day");
        rule->times[rule->time_count++] = at;
    }
    return true;
}

static void list_set(struct recurrence_list *list, int value)
{
    list->count = 1;
    list->value[0] = value;
}

/* What the text leaves open, from the start. */
static void fill_in(struct reading *reading)
{
    struct recurrence *rule = reading->rule;
    int64_t day = civil_floor(rule->start, DAY_S);
    struct civil civil = civil_of_day(day);

    if (rule->weeks.count > 0 || rule->year_days.count > 0 || rule->month_days.count > 0 ||
        rule->days.count > 0)
        return;
    if (rule->frequency == FREQUENCY_YEARLY && rule->months == 0)
        rule->months = (uint16_t)(1u << civil.month);
    if (rule->frequency == FREQUENCY_YEARLY || rule->frequency == FREQUENCY_MONTHLY)
        list_set(&rule->month_days, civil.day);
    if (rule->frequency == FREQUENCY_WEEKLY)
        list_set(&rule->days, civil_weekday(day));
}

/* The count's last time becomes the end; false when even the first is out of reach. */
static bool set_end(struct reading *reading)
{
    struct recurrence *rule = reading->rule;
    int count = reading->seen[PART_COUNT] ? reading->list[PART_COUNT].value[0] : 1;
    int64_t at = rule->start - 1, reach = rule->start + REACH_S;

    for (int i = 0; i < count; i++) {
        if (find(rule, at + 1, reach < LAST_S ? reach : LAST_S, false, &at))
            continue;
        if (!recurrence_spend(rule, 0))
            return refuse_all(reading, RECURRENCE_TOO_LONG);
        if (i == 0)
            return refuse_all(reading, "this rule never happens");
        break;
    }
    if (reading->seen[PART_COUNT])
        rule->until = at;
    return true;
}

bool recurrence_read(struct text text, int64_t start, uint64_t *work, struct recurrence *out,
                     struct recurrence_fault *fault)
{
    struct reading reading = {.text = text, .rule = out, .fault = fault};
    const char *from = text.at, *end = text.at + text.len;

    memset(out, 0, sizeof(*out));
    out->start = start;
    out->work = work;
    out->until = out->until_utc = INT64_MAX;
    out->interval = 1;
    if (text.len > RECURRENCE_TEXT_MAX)
        return refuse_all(&reading, "a recurrence rule has at most 2000 characters");
    if (end - from > 6 && strncasecmp(from, "RRULE:", 6) == 0)
        from += 6;
    while (from <= end) {
        const char *semicolon = memchr(from, ';', (size_t)(end - from));
        const char *to = semicolon != NULL ? semicolon : end;
        if (!read_part(&reading, from, to))
            return false;
        from = to + 1;
    }
    if (!check_parts(&reading))
        return false;
    if (reading.seen[PART_INTERVAL])
        out->interval = reading.list[PART_INTERVAL].value[0];
    for (int i = 0; i < reading.list[PART_BYMONTH].count; i++)
        out->months |= (uint16_t)(1u << reading.list[PART_BYMONTH].value[i]);
    out->days = reading.list[PART_BYDAY];
    out->month_days = reading.list[PART_BYMONTHDAY];
    out->year_days = reading.list[PART_BYYEARDAY];
    out->weeks = reading.list[PART_BYWEEKNO];
    out->positions = reading.list[PART_BYSETPOS];
    fill_in(&reading);
    return make_times(&reading) && set_end(&reading);
}

/* ---- the walk ---- */

/* The days of one period, the last one excluded. */
struct period {
    int64_t from, to;
};

static int64_t period_number(const struct recurrence *rule, int64_t day)
{
    struct civil civil;

    switch (rule->frequency) {
    case FREQUENCY_DAILY:
        return day;
    case FREQUENCY_WEEKLY:
        /* Day 4 of 1970 is a Monday. */
        return civil_floor(day - 4 - rule->week_start, 7);
    case FREQUENCY_MONTHLY:
        civil = civil_of_day(day);
        return (int64_t)civil.year * 12 + civil.month - 1;
    default:
        return civil_of_day(day).year;
    }
}

static struct period period_at(const struct recurrence *rule, int64_t number)
{
    int year, month;

    switch (rule->frequency) {
    case FREQUENCY_DAILY:
        return (struct period){number, number + 1};
    case FREQUENCY_WEEKLY:
        return (struct period){number * 7 + 4 + rule->week_start,
                               number * 7 + 11 + rule->week_start};
    case FREQUENCY_MONTHLY:
        year = (int)civil_floor(number, 12);
        month = (int)(number - (int64_t)year * 12) + 1;
        return (struct period){civil_day(year, month, 1),
                               civil_day(year, month, 1) + civil_month_days(year, month)};
    default:
        return (struct period){civil_day((int)number, 1, 1), civil_day((int)number + 1, 1, 1)};
    }
}

static bool list_has(const struct recurrence_list *list, int value)
{
    for (int i = 0; i < list->count; i++)
        if (list->value[i] == value)
            return true;
    return false;
}

/* Value i of count, from either end. */
static bool list_has_of(const struct recurrence_list *list, int i, int count)
{
    return list_has(list, i) || list_has(list, i - count - 1);
}

/* The first day of week 1: the first week with four days of the year. */
static int64_t week_one(const struct recurrence *rule, int year)
{
    int64_t first = civil_day(year, 1, 1);
    int64_t begin = period_at(&(struct recurrence){.frequency = FREQUENCY_WEEKLY,
                                                   .week_start = rule->week_start},
                              civil_floor(first - 4 - rule->week_start, 7))
                        .from;

    return first - begin <= 3 ? begin : begin + 7;
}

static bool week_holds(const struct recurrence *rule, int64_t day, int year)
{
    int64_t begin = week_one(rule, year), end = week_one(rule, year + 1);

    if (day < begin) {
        end = begin;
        begin = week_one(rule, year - 1);
    } else if (day >= end) {
        begin = end;
        end = week_one(rule, year + 2);
    }
    return list_has_of(&rule->weeks, (int)((day - begin) / 7) + 1, (int)((end - begin) / 7));
}

static bool weekday_holds(const struct recurrence *rule, int64_t day, struct civil civil)
{
    int weekday = civil_weekday(day), at = civil.day, count;

    if (list_has(&rule->days, weekday))
        return true;
    if (rule->frequency != FREQUENCY_MONTHLY && rule->frequency != FREQUENCY_YEARLY)
        return false;
    /* Numbers count within the year, unless months are named. */
    count = civil_month_days(civil.year, civil.month);
    if (rule->frequency == FREQUENCY_YEARLY && rule->months == 0) {
        at = (int)(day - civil_day(civil.year, 1, 1)) + 1;
        count = civil_year_days(civil.year);
    }
    return list_has(&rule->days, ((at - 1) / 7 + 1) * 10 + weekday) ||
           list_has(&rule->days, -((count - at) / 7 + 1) * 10 - weekday);
}

static bool day_holds(const struct recurrence *rule, int64_t day)
{
    struct civil civil = civil_of_day(day);

    if (rule->months != 0 && !(rule->months >> civil.month & 1))
        return false;
    if (rule->month_days.count > 0 &&
        !list_has_of(&rule->month_days, civil.day, civil_month_days(civil.year, civil.month)))
        return false;
    if (rule->year_days.count > 0 &&
        !list_has_of(&rule->year_days, (int)(day - civil_day(civil.year, 1, 1)) + 1,
                     civil_year_days(civil.year)))
        return false;
    if (rule->days.count > 0 && !weekday_holds(rule, day, civil))
        return false;
    return rule->weeks.count == 0 || week_holds(rule, day, civil.year);
}

/* How many values a day may be compared with, in units of a simple step. */
static uint64_t value_count(const struct recurrence *rule)
{
    return (uint64_t)(rule->month_days.count + rule->year_days.count + rule->days.count +
                      rule->weeks.count) /
           8;
}

/* The first or last time of the period in [from, to]. */
static bool period_find(const struct recurrence *rule, struct period period, int64_t from,
                        int64_t to, bool wants_last, int64_t *out)
{
    bool found = false;
    int count = 0, at = 0;

    if (rule->positions.count > 0)
        for (int64_t day = period.from; day < period.to && recurrence_spend(rule, 1); day++)
            count += day_holds(rule, day) ? rule->time_count : 0;
    for (int64_t day = period.from; day < period.to; day++) {
        if (rule->positions.count == 0 && ((day + 1) * DAY_S <= from || day * DAY_S > to))
            continue;
        if (!recurrence_spend(rule, 1 + value_count(rule)))
            return found;
        if (!day_holds(rule, day))
            continue;
        recurrence_spend(rule, (uint64_t)(rule->time_count * (1 + rule->positions.count)));
        for (int t = 0; t < rule->time_count; t++) {
            int64_t time = day * DAY_S + rule->times[t];
            at++;
            if (rule->positions.count > 0 && !list_has_of(&rule->positions, at, count))
                continue;
            if (time < from || time > to)
                continue;
            *out = time;
            found = true;
            if (!wants_last)
                return true;
        }
    }
    return found;
}

/* Of all times in [from, to], which lies within the reach; periods in the order asked for. */
static bool find(const struct recurrence *rule, int64_t from, int64_t to, bool wants_last,
                 int64_t *out)
{
    int64_t base = period_number(rule, civil_floor(rule->start, DAY_S)), first, last;

    from = from > rule->start ? from : rule->start;
    to = to < rule->until ? to : rule->until;
    if (from > to)
        return false;
    first = (period_number(rule, civil_floor(from, DAY_S)) - base) / rule->interval;
    last = (period_number(rule, civil_floor(to, DAY_S)) - base) / rule->interval;
    for (int64_t i = 0; i <= last - first && recurrence_spend(rule, 1); i++) {
        int64_t number = wants_last ? last - i : first + i;
        if (period_find(rule, period_at(rule, base + number * rule->interval), from, to, wants_last,
                        out))
            return true;
    }
    return false;
}

bool recurrence_next(const struct recurrence *rule, int64_t after, int64_t *out)
{
    int64_t from = after + 1 > rule->start ? after + 1 : rule->start;

    return from <= LAST_S &&
           find(rule, from, from + REACH_S < LAST_S ? from + REACH_S : LAST_S, false, out);
}

bool recurrence_last(const struct recurrence *rule, int64_t from, int64_t to, int64_t *out)
{
    return find(rule, from > to - REACH_S ? from : to - REACH_S, to < LAST_S ? to : LAST_S, true,
                out);
}

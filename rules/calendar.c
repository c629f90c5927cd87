/*
 * calendar.c - see calendar.h.
 */
#include "rules/calendar.h"

#include "rules/civil.h"

enum { MONTH_WORK = 32 }; /* to look at a month of an interval */

/* ---- recurrence ---- */

static bool is_excepted(const struct calendar *calendar, int64_t local)
{
    recurrence_spend(&calendar->rule, 1 + (uint64_t)calendar->exception_count / 8);
    for (int i = 0; i < calendar->exception_count; i++) {
        const struct calendar_exception *exception = &calendar->exceptions[i];
        if (exception->is_all_day ? local >= exception->at && local < exception->at + DAY_S
                                  : local == exception->at)
            return true;
    }
    return false;
}

static bool start_next(const struct calendar *calendar, int64_t after, int64_t *local)
{
    if (calendar->recurs)
        return recurrence_next(&calendar->rule, after, local);
    *local = calendar->rule.start;
    return *local > after;
}

static bool start_last(const struct calendar *calendar, int64_t from, int64_t to, int64_t *local)
{
    if (calendar->recurs)
        return recurrence_last(&calendar->rule, from, to, local);
    *local = calendar->rule.start;
    return *local >= from && *local <= to;
}

/* The UTC time of a start; false where it is none of the calendar's. */
static bool start_utc(const struct calendar *calendar, int64_t local, int64_t *utc)
{
    *utc = zone_utc(calendar->zone, local);
    return *utc <= calendar->rule.until_utc && !is_excepted(calendar, local);
}

/* Local time goes back where a zone's offset falls, by a day at most: so far beyond the wanted
 * time starts are looked at in either direction. Of those, the first that is found need not be the
 * nearest: one that a gap puts off lies behind some that come later on the wall. */

/* The latest start at or before `at` whose window may reach it. */
static bool last_start(const struct calendar *calendar, int64_t at, int64_t *out)
{
    int64_t local = at + zone_offset(calendar->zone, at), utc;
    int64_t floor = local - calendar->duration_ms / 1000 - DAY_S, to = local + DAY_S;
    bool found = false;

    for (; start_last(calendar, floor, to, &to) && !(found && to < local - DAY_S); to--) {
        if (start_utc(calendar, to, &utc) && utc <= at && (!found || utc > *out)) {
            *out = utc;
            found = true;
        }
    }
    return found;
}

static bool next_start(const struct calendar *calendar, int64_t at, int64_t *out)
{
    int64_t local = at + zone_offset(calendar->zone, at) - DAY_S, utc, found_local = 0;
    bool found = false;

    while (start_next(calendar, local, &local) && !(found && local > found_local + DAY_S)) {
        if (start_utc(calendar, local, &utc) && utc > at && (!found || utc < *out)) {
            *out = utc;
            found_local = local;
            found = true;
        }
    }
    return found;
}

static struct calendar_state recurrence_at(const struct calendar *calendar, int64_t at_ms)
{
    int64_t at = civil_floor(at_ms, 1000), start = 0;

    if (last_start(calendar, at, &start) && at_ms < start * 1000 + calendar->duration_ms)
        return (struct calendar_state){true, start * 1000 + calendar->duration_ms};
    return (struct calendar_state){false,
                                   next_start(calendar, at, &start) ? start * 1000 : INT64_MAX};
}

/* ---- intervals ---- */

static bool ranges_hold(const struct interval_ranges *ranges, int value)
{
    for (int i = 0; i < ranges->count; i++)
        if (value >= ranges->range[i].from && value <= ranges->range[i].to)
            return true;
    return ranges->count == 0;
}

static bool month_day_holds(const struct interval_ranges *ranges, int day, int days)
{
    for (int i = 0; i < ranges->count; i++) {
        int from = ranges->range[i].from, to = ranges->range[i].to;
        from = from < 0 ? days + from + 1 : from;
        to = to < 0 ? days + to + 1 : to;
        if (day >= from && day <= to)
            return true;
    }
    return ranges->count == 0;
}

static bool day_holds(const struct interval *interval, int64_t day)
{
    struct civil civil = civil_of_day(day);

    return ranges_hold(&interval->years, civil.year) &&
           ranges_hold(&interval->months, civil.month) &&
           ranges_hold(&interval->weekdays, (civil_weekday(day) + 1) % 7) &&
           month_day_holds(&interval->month_days, civil.day,
                           civil_month_days(civil.year, civil.month));
}

static bool minute_holds(const struct interval *interval, int minute)
{
    for (int i = 0; i < interval->times.count; i++)
        if (minute >= interval->times.range[i].from && minute < interval->times.range[i].to)
            return true;
    return interval->times.count == 0;
}

static bool interval_holds(const struct interval *interval, int64_t utc)
{
    int64_t local = utc + zone_offset(interval->zone, utc), day = civil_floor(local, DAY_S);

    return minute_holds(interval, (int)((local - day * DAY_S) / 60)) && day_holds(interval, day);
}

static int year_max(const struct interval *interval)
{
    int max = interval->years.count == 0 ? CIVIL_YEAR_MAX : 0;

    for (int i = 0; i < interval->years.count; i++)
        max = interval->years.range[i].to > max ? interval->years.range[i].to : max;
    return max;
}

/* Where its answer may change next, later than `utc`: a limit of its times, a midnight, a change
 * of the zone. */
static int64_t interval_edge(const struct interval *interval, int64_t utc)
{
    int64_t local = utc + zone_offset(interval->zone, utc), day = civil_floor(local, DAY_S);
    int64_t edge = (day + 1) * DAY_S, change = zone_next_change(interval->zone, utc);

    if (day_holds(interval, day)) {
        for (int i = 0; i < interval->times.count; i++) {
            int64_t from = day * DAY_S + (int64_t)interval->times.range[i].from * 60;
            int64_t to = day * DAY_S + (int64_t)interval->times.range[i].to * 60;
            edge = from > local && from < edge ? from : edge;
            edge = to > local && to < edge ? to : edge;
        }
    }
    edge += utc - local;
    return change < edge ? change : edge;
}

/* The days of day's month that count, a bit for each from 0; *first is its first day. */
static uint32_t month_days_that_hold(const struct interval *interval, int64_t day, int64_t *first,
                                     int *days)
{
    struct civil civil = civil_of_day(day);
    uint32_t bits = 0;

    *days = civil_month_days(civil.year, civil.month);
    *first = day - civil.day + 1;
    if (!ranges_hold(&interval->years, civil.year) || !ranges_hold(&interval->months, civil.month))
        return 0;
    for (int i = 0; i < *days; i++)
        if (ranges_hold(&interval->weekdays, (civil_weekday(*first + i) + 1) % 7) &&
            month_day_holds(&interval->month_days, i + 1, *days))
            bits |= 1u << i;
    return bits;
}

/* The first day at or after `day`, and before `end`, that counts or does not as `holds` says; `end`
 * where there is none. Whole months are passed over at a time. */
static int64_t day_next(const struct calendar *calendar, const struct interval *interval,
                        int64_t day, int64_t end, bool holds)
{
    if (holds ? interval->years.count > 0 && civil_of_day(day).year > year_max(interval)
              : interval->years.count + interval->months.count + interval->weekdays.count +
                        interval->month_days.count ==
                    0)
        return end;
    while (day < end && recurrence_spend(&calendar->rule, MONTH_WORK)) {
        int64_t first;
        int days;
        uint32_t bits = month_days_that_hold(interval, day, &first, &days);
        bits = (holds ? bits : ~bits) & (uint32_t)((UINT64_C(1) << days) - 1);
        bits &= UINT32_MAX << (day - first);
        if (bits != 0)
            return first + __builtin_ctz(bits) < end ? first + __builtin_ctz(bits) : end;
        day = first + days;
    }
    return end;
}

/* A time before the next edge at which the answer may change, where days that all count, or all do
 * not, lie between; else `utc`. Local time lies less than a day off, and goes back by a day at
 * most: so yesterday has to be alike too, and no day before it (Alaska went back by a whole day in
 * 1867, nobody since 1970 by more than seven hours). */
static int64_t pass_days(const struct calendar *calendar, const struct interval *interval,
                         int64_t utc, int64_t limit)
{
    int64_t day = civil_floor(utc + zone_offset(interval->zone, utc), DAY_S);
    bool holds = day_holds(interval, day);
    int64_t next;

    if ((holds && interval->times.count > 0) || day_holds(interval, day - 1) != holds)
        return utc;
    next = day_next(calendar, interval, day + 1, civil_floor(limit, DAY_S), !holds);
    return (next - 1) * DAY_S > utc ? (next - 1) * DAY_S : utc;
}

/* The first time later than `utc` at which the answer is another. */
static int64_t interval_change(const struct calendar *calendar, const struct interval *interval,
                               int64_t utc)
{
    bool holds = interval_holds(interval, utc);
    int64_t limit = utc + (int64_t)INTERVAL_YEARS_AHEAD * 366 * DAY_S, first = utc;

    /* Years are the one thing that comes only once. */
    int year = civil_of_day(civil_floor(utc, DAY_S)).year;
    if (!holds && year > year_max(interval) + 1)
        return INT64_MAX;
    for (int i = 0; !holds && i < interval->years.count; i++)
        if (interval->years.range[i].from > year + 1) {
            int64_t begin = civil_day(interval->years.range[i].from, 1, 1) * DAY_S - DAY_S;
            first = first == utc || begin < first ? begin : first;
        }
    if (first > utc && !ranges_hold(&interval->years, year) &&
        !ranges_hold(&interval->years, year + 1)) {
        utc = first;
        limit = utc + (int64_t)INTERVAL_YEARS_AHEAD * 366 * DAY_S;
    }
    while (utc < limit && recurrence_spend(&calendar->rule, 1)) {
        utc = interval_edge(interval, pass_days(calendar, interval, utc, limit));
        if (interval_holds(interval, utc) != holds)
            return utc;
    }
    return INT64_MAX;
}

static struct calendar_state intervals_at(const struct calendar *calendar, int64_t at_ms)
{
    struct calendar_state state = {false, INT64_MAX};
    int64_t at = civil_floor(at_ms, 1000), until = INT64_MAX;

    for (int i = 0; i < calendar->interval_count; i++) {
        const struct interval *interval = &calendar->intervals[i];
        int64_t change = interval_change(calendar, interval, at);
        bool holds = interval_holds(interval, at);
        /* One that holds is enough; that which holds longest is the answer. */
        if (holds && !state.is_open)
            until = change;
        else if (holds == state.is_open)
            until = holds == (change > until) ? change : until;
        state.is_open |= holds;
    }
    state.until_ms = until == INT64_MAX ? INT64_MAX : until * 1000;
    return state;
}

struct calendar_state calendar_at(const struct calendar *calendar, int64_t at_ms)
{
    return calendar->intervals != NULL ? intervals_at(calendar, at_ms)
                                       : recurrence_at(calendar, at_ms);
}

static bool is_over(const struct calendar *calendar, int64_t at_ms)
{
    struct calendar_state state = calendar_at(calendar, at_ms);

    return !state.is_open && state.until_ms == INT64_MAX;
}

/* What is over stays so, which makes it a search by halves. */
int64_t calendar_end(const struct calendar *calendar, int64_t now_ms)
{
    int64_t before = 0, over = now_ms;

    if (!is_over(calendar, now_ms))
        return INT64_MAX;
    if (is_over(calendar, before))
        return before;
    while (over - before > 1) {
        int64_t middle = before + (over - before) / 2;
        if (is_over(calendar, middle))
            over = middle;
        else
            before = middle;
    }
    return over;
}

bool calendar_opens(const struct calendar *calendar)
{
    struct calendar_state state = calendar_at(calendar, 0);

    return state.is_open || state.until_ms != INT64_MAX;
}

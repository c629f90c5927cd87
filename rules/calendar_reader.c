/*
 * calendar_reader.c - see calendar_reader.h.
 */
#include "rules/calendar_reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/hash.h"
#include "rules/civil.h"
#include "rules/lexer.h"
#include "rules/zone_book.h"
#include "rules/zone_names.h"

struct calendar_reading {
    const struct yaml_node *map;
    struct rule_build *build;
    struct calendar *calendar;
    struct id128 *digest;
    bool is_good;
};

static void spoil(struct calendar_reading *reading)
{
    reading->is_good = false;
}

static void out_of_memory(struct calendar_reading *reading)
{
    diagnose_memory(reading->build->diag);
    spoil(reading);
}

#define REFUSE(reading, span, ...)                                                                 \
    do {                                                                                           \
        diagnose((reading)->build->diag, (span), __VA_ARGS__);                                     \
        spoil(reading);                                                                            \
    } while (0)

static void digest_bytes(struct calendar_reading *reading, const void *bytes, size_t count)
{
    struct id128 pair[2] = {*reading->digest, hash128(bytes, count, 0)};

    *reading->digest = hash128(pair, sizeof(pair), 0);
}

/* The text of a scalar that is there; false otherwise, diagnosed where it is something else. */
static bool text_of(struct calendar_reading *reading, const struct yaml_node *node,
                    struct text *out)
{
    if (node == NULL)
        return false;
    if (node->kind != YAML_SCALAR) {
        REFUSE(reading, node->span, "a text is expected here, not %s", yaml_kind_name(node->kind));
        return false;
    }
    *out = node->text;
    return true;
}

static const struct zone *read_zone(struct calendar_reading *reading, const struct yaml_node *node)
{
    struct text name = {"UTC", 3};
    struct error err = {""};

    text_of(reading, node, &name);
    const struct zone *zone =
        zone_book_load(reading->build->zones, name, reading->build->arena, &err);
    if (zone == NULL) {
        if (diagnostics_wants_hint(reading->build->diag))
            zone_hint(name, &err);
        REFUSE(reading, node->span, "%s", err.text);
        return NULL;
    }
    struct id128 hash = zone_hash(zone);
    digest_bytes(reading, &hash, sizeof(hash));
    return zone;
}

/* ---- recurrence ---- */

static bool read_start(struct calendar_reading *reading, int64_t *local)
{
    const struct yaml_node *node = yaml_node_find(reading->map, "start");
    bool is_utc = false;
    struct text text;

    if (node == NULL) {
        REFUSE(reading, reading->map->span,
               "a maintenance window needs \"start\" and \"duration\", or \"time_intervals\"");
        return false;
    }
    if (!text_of(reading, node, &text))
        return false;
    const char *why = local_time_read(text, local, &is_utc, NULL);
    if (why == NULL && is_utc)
        why = "a start is a local time of the window's timezone, without Z";
    if (why != NULL)
        REFUSE(reading, node->span, "%s", why);
    return why == NULL;
}

static void read_duration(struct calendar_reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->map, "duration");
    struct text text;

    if (node == NULL) {
        REFUSE(reading, reading->map->span, "a maintenance window needs the key \"duration\"");
        return;
    }
    if (!text_of(reading, node, &text))
        return;
    if (!lexer_read_duration(node, reading->build->diag, &reading->calendar->duration_ms))
        spoil(reading);
    else if (reading->calendar->duration_ms <= 0 ||
             reading->calendar->duration_ms > CALENDAR_DURATION_MS_MAX)
        REFUSE(reading, node->span, "a maintenance window lasts from 1ms to 31d");
}

static void read_rrule(struct calendar_reading *reading, int64_t start)
{
    const struct yaml_node *node = yaml_node_find(reading->map, "rrule");
    struct recurrence_fault fault;
    struct text text;

    reading->calendar->rule.start = start;
    reading->calendar->rule.until_utc = INT64_MAX;
    if (!text_of(reading, node, &text))
        return;
    reading->calendar->recurs = true;
    digest_bytes(reading, text.at, text.len);
    if (!recurrence_read(text, start, reading->build->calendar_work, &reading->calendar->rule,
                         &fault) &&
        *reading->build->calendar_work > 0) /* else told by has_steps_left() */
        REFUSE(reading, yaml_node_span(node, fault.from, fault.to), "%s", fault.why);
}

static void read_exceptions(struct calendar_reading *reading)
{
    const struct yaml_node *list = yaml_node_find(reading->map, "except");
    struct calendar_exception *exceptions;

    if (list == NULL)
        return;
    if (list->kind != YAML_LIST || list->count > CALENDAR_EXCEPTIONS_MAX) {
        REFUSE(reading, list->span, "except takes a list of at most %d dates or times",
               CALENDAR_EXCEPTIONS_MAX);
        return;
    }
    exceptions = arena_alloc_many(reading->build->arena, list->count + 1u, sizeof(*exceptions));
    if (exceptions == NULL) {
        out_of_memory(reading);
        return;
    }
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct calendar_exception *to = &exceptions[reading->calendar->exception_count];
        bool is_utc = false;
        struct text text;
        if (!text_of(reading, node, &text))
            continue;
        const char *why = local_time_read(text, &to->at, &is_utc, &to->is_all_day);
        if (why == NULL && is_utc)
            why = "an exception is a local time of the window's timezone, without Z";
        if (why != NULL) {
            REFUSE(reading, node->span, "%s", why);
            continue;
        }
        digest_bytes(reading, text.at, text.len);
        reading->calendar->exception_count++;
    }
    reading->calendar->exceptions = exceptions;
}

static void read_recurrence(struct calendar_reading *reading)
{
    int64_t start = 0;

    reading->calendar->zone = read_zone(reading, yaml_node_find(reading->map, "timezone"));
    if (read_start(reading, &start))
        read_rrule(reading, start);
    read_duration(reading);
    read_exceptions(reading);
    int64_t numbers[2] = {start, reading->calendar->duration_ms};
    digest_bytes(reading, numbers, sizeof(numbers));
}

/* ---- intervals ---- */

static const char *const interval_keys[] = {"times",  "weekdays", "days_of_month",
                                            "months", "years",    "location"};
static const char *const time_keys[] = {"start_time", "end_time"};
static const char *const day_names[] = {"sunday",   "monday", "tuesday", "wednesday",
                                        "thursday", "friday", "saturday"};
static const char *const month_names[] = {"january",   "february", "march",    "april",
                                          "may",       "june",     "july",     "august",
                                          "september", "october",  "november", "december"};

/* What the values of one field look like. */
struct field_form {
    const char *key;
    const char *const *names; /* the first stands for `names_from` */
    int name_count, names_from;
    bool takes_numbers;
    int min, max;
    const char *why;
};

static const struct field_form weekday_form = {
    "weekdays", day_names,
    7,          0,
    false,      0,
    6,          "a weekday is sunday to saturday, or a range of them: \"monday:friday\""};
static const struct field_form month_day_form = {
    "days_of_month",
    NULL,
    0,
    0,
    true,
    -31,
    31,
    "a day of the month is 1 to 31, or -31 to -1 from its end, or a range: \"-3:-1\""};
static const struct field_form month_form = {
    "months", month_names,
    12,       1,
    true,     1,
    12,       "a month is january to december, or 1 to 12, or a range: \"may:august\""};
static const struct field_form year_form = {"years",
                                            NULL,
                                            0,
                                            0,
                                            true,
                                            1970,
                                            CIVIL_YEAR_MAX,
                                            "a year has four digits, or is a range: "
                                            "\"2026:2028\""};

static bool value_read(const struct field_form *form, const char *from, const char *to, int *out)
{
    bool is_negative = from < to && *from == '-';
    int number = 0;

    for (int i = 0; i < form->name_count; i++)
        if (strlen(form->names[i]) == (size_t)(to - from) &&
            strncasecmp(form->names[i], from, (size_t)(to - from)) == 0) {
            *out = i + form->names_from;
            return true;
        }
    from += is_negative;
    if (!form->takes_numbers || from == to || to - from > 4)
        return false;
    for (; from < to; from++) {
        if (*from < '0' || *from > '9')
            return false;
        number = number * 10 + (*from - '0');
    }
    *out = is_negative ? -number : number;
    return *out >= form->min && *out <= form->max && *out != 0;
}

/* A value, or from:to. */
static bool range_read(const struct field_form *form, struct text text, struct interval_range *out,
                       const char **why)
{
    const char *end = text.at + text.len, *colon = memchr(text.at, ':', text.len);

    *why = form->why;
    if (!value_read(form, text.at, colon != NULL ? colon : end, &out->from))
        return false;
    out->to = out->from;
    if (colon != NULL && !value_read(form, colon + 1, end, &out->to))
        return false;
    *why = "a range begins before it ends";
    /* From a day counted from the month's begin to one from its end: may be. */
    return (out->from > 0 && out->to < 0) ||
           (out->from <= out->to && !(out->from < 0 && out->to > 0));
}

static void read_ranges(struct calendar_reading *reading, const struct yaml_node *interval,
                        const struct field_form *form, struct interval_ranges *out)
{
    const struct yaml_node *list = yaml_node_find(interval, form->key);
    const char *why;

    if (list == NULL)
        return;
    if (list->kind != YAML_LIST || list->count == 0 || list->count > INTERVAL_RANGES_MAX) {
        REFUSE(reading, list->span, "%s takes a list of 1 to %d values", form->key,
               INTERVAL_RANGES_MAX);
        return;
    }
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct text text;
        if (!text_of(reading, node, &text))
            continue;
        if (range_read(form, text, &out->range[out->count], &why))
            out->count++;
        else
            REFUSE(reading, node->span, "%s", why);
    }
}

/* "02:30", up to "24:00". */
static bool clock_read(struct calendar_reading *reading, const struct yaml_node *time,
                       const char *key, int *minutes)
{
    const struct yaml_node *node = yaml_node_find(time, key);
    struct text text;

    if (node == NULL) {
        REFUSE(reading, time->span, "a time range needs the key \"%s\"", key);
        return false;
    }
    if (!text_of(reading, node, &text))
        return false;
    const char *at = text.at;
    bool is_good = text.len == 5 && at[2] == ':';
    for (int i = 0; is_good && i < 5; i++)
        is_good = i == 2 || (at[i] >= '0' && at[i] <= '9');
    if (is_good)
        *minutes = ((at[0] - '0') * 10 + at[1] - '0') * 60 + (at[3] - '0') * 10 + at[4] - '0';
    if (is_good && at[3] <= '5' && *minutes <= 24 * 60)
        return true;
    REFUSE(reading, node->span, "a time of day is written as in \"02:30\", up to \"24:00\"");
    return false;
}

static void read_times(struct calendar_reading *reading, const struct yaml_node *interval,
                       struct interval_ranges *out)
{
    const struct yaml_node *list = yaml_node_find(interval, "times");

    if (list == NULL)
        return;
    if (list->kind != YAML_LIST || list->count == 0 || list->count > INTERVAL_RANGES_MAX) {
        REFUSE(reading, list->span, "times takes a list of 1 to %d time ranges",
               INTERVAL_RANGES_MAX);
        return;
    }
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct interval_range *range = &out->range[out->count];
        if (node->kind != YAML_MAP) {
            REFUSE(reading, node->span,
                   "a time range is written {start_time: \"02:00\", end_time: \"06:00\"}");
            continue;
        }
        if (!rule_check_keys(node, time_keys, 2, "a time range", reading->build->diag))
            spoil(reading);
        if (!clock_read(reading, node, "start_time", &range->from) ||
            !clock_read(reading, node, "end_time", &range->to))
            continue;
        if (range->from < range->to)
            out->count++;
        else
            REFUSE(reading, node->span,
                   "a time range begins before it ends; one over midnight is "
                   "two: up to \"24:00\", and from \"00:00\"");
    }
}

static int by_begin(const void *a, const void *b)
{
    const struct interval_range *x = a, *y = b;

    return x->from - y->from;
}

/* Ranges that meet are one, and what is all of the day is none: at no edge that is left the answer
 * stays as it is. */
static void join_times(struct interval_ranges *times)
{
    int count = 0;

    if (times->count == 0)
        return;
    qsort(times->range, (size_t)times->count, sizeof(times->range[0]), by_begin);
    for (int i = 1; i < times->count; i++) {
        struct interval_range *last = &times->range[count], *next = &times->range[i];
        if (next->from > last->to)
            times->range[++count] = *next;
        else if (next->to > last->to)
            last->to = next->to;
    }
    times->count = count + 1;
    if (times->count == 1 && times->range[0].from == 0 && times->range[0].to == 24 * 60)
        times->count = 0;
}

static void read_interval(struct calendar_reading *reading, const struct yaml_node *node,
                          struct interval *out)
{
    const struct yaml_node *location;

    memset(out, 0, sizeof(*out));
    if (node->kind != YAML_MAP) {
        REFUSE(reading, node->span, "a time interval is a map of keys, not %s",
               yaml_kind_name(node->kind));
        return;
    }
    if (!rule_check_keys(node, interval_keys, sizeof(interval_keys) / sizeof(interval_keys[0]),
                         "a time interval", reading->build->diag))
        spoil(reading);
    location = yaml_node_find(node, "location");
    if (location == NULL)
        location = yaml_node_find(reading->map, "timezone");
    out->zone = read_zone(reading, location);
    read_times(reading, node, &out->times);
    read_ranges(reading, node, &weekday_form, &out->weekdays);
    read_ranges(reading, node, &month_day_form, &out->month_days);
    read_ranges(reading, node, &month_form, &out->months);
    read_ranges(reading, node, &year_form, &out->years);
    const struct interval_ranges *const all[] = {&out->times, &out->weekdays, &out->month_days,
                                                 &out->months, &out->years};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        digest_bytes(reading, all[i], sizeof(*all[i]));
    join_times(&out->times);
}

static void read_intervals(struct calendar_reading *reading, const struct yaml_node *list)
{
    static const char *const others[] = {"start", "duration", "rrule", "except"};
    struct interval *intervals;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (yaml_node_find(reading->map, others[i]) != NULL)
            REFUSE(reading, yaml_node_find(reading->map, others[i])->key->span,
                   "time_intervals and %s exclude each other", others[i]);
    if (list->kind != YAML_LIST || list->count == 0 || list->count > INTERVALS_MAX) {
        REFUSE(reading, list->span, "time_intervals takes a list of 1 to %d intervals",
               INTERVALS_MAX);
        return;
    }
    intervals = arena_alloc_many(reading->build->arena, list->count, sizeof(*intervals));
    if (intervals == NULL) {
        out_of_memory(reading);
        return;
    }
    reading->calendar->intervals = intervals;
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        read_interval(reading, node, &intervals[reading->calendar->interval_count++]);
}

/* Leaves as many steps of those of calendars as all of the set may still take; returns the others,
 * to be given back. */
static uint64_t steps_hold(const struct rule_build *build)
{
    uint64_t most = load_work_left(build->work) / LOAD_CALENDAR_STEP_NS, held = 0;

    if (*build->calendar_work > most) {
        held = *build->calendar_work - most;
        *build->calendar_work = most;
    }
    return held;
}

/* Diagnoses that no steps are left, for want of calendars' or of all. */
static bool has_steps_left(struct calendar_reading *reading, uint64_t held)
{
    const struct rule_build *build = reading->build;

    if (*build->calendar_work > 0)
        return true;
    if (held > 0)
        load_work_refuse(build->work, build->diag, reading->map->span);
    else
        diagnose(build->diag, reading->map->span, RECURRENCE_TOO_LONG);
    spoil(reading);
    return false;
}

bool calendar_read(const struct yaml_node *map, struct rule_build *build, struct calendar *out,
                   struct id128 *digest)
{
    struct calendar_reading reading = {map, build, out, digest, true};
    const struct yaml_node *intervals = yaml_node_find(map, "time_intervals");
    uint64_t held = steps_hold(build), before = *build->calendar_work;
    bool opens;

    memset(out, 0, sizeof(*out));
    if (intervals != NULL)
        read_intervals(&reading, intervals);
    else
        read_recurrence(&reading);
    out->rule.work = build->calendar_work;
    opens = reading.is_good && *build->calendar_work > 0 && calendar_opens(out);
    load_work_add(build->work, LOAD_CALENDARS,
                  (before - *build->calendar_work) * LOAD_CALENDAR_STEP_NS);
    if (reading.is_good && has_steps_left(&reading, held) && !opens)
        REFUSE(&reading, map->span, "this maintenance window never opens");
    *build->calendar_work += held;
    out->rule.work = NULL;
    return reading.is_good;
}

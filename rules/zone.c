/*
 * zone.c - see zone.h.
 */
#include "rules/zone.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "rules/civil.h"

enum { FILE_BYTES_MAX = 256 << 10, CHANGES_MAX = 4096, TYPES_MAX = 256, HEAD_BYTES = 44 };

static const char folder[] = ZONE_FOLDER;

/* When summer time begins or ends within a year. */
struct yearly {
    char form;            /* 'M': month, week, weekday; 'J': 1..365 without leap day; '0': 0..365 */
    int month, week, day; /* day: of the week (0 is Sunday), or of the year */
    int64_t time;         /* seconds since midnight, may be below 0 or above a day */
};

/* The rule behind the end of the table. */
struct tail {
    int64_t standard, summer; /* offsets */
    bool has_summer;
    struct yearly begin, end;
};

struct change {
    int64_t at; /* UTC */
    int64_t offset;
};

struct zone {
    struct id128 hash;
    int64_t first_offset;
    size_t change_count;
    const struct change *changes; /* ascending */
    bool has_tail;
    struct tail tail;
};

/* ---- the file ---- */

static uint32_t read_32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_64(const unsigned char *at)
{
    return (int64_t)((uint64_t)read_32(at) << 32 | read_32(at + 4));
}

/* The counts in a header, in the order of the file. */
struct head {
    uint32_t isut, isstd, leap, time, type, chars;
    size_t bytes; /* of the block behind it, with times of `width` bytes */
};

static bool head_read(const unsigned char *at, size_t left, size_t width, struct head *head)
{
    if (left < HEAD_BYTES || memcmp(at, "TZif", 4) != 0)
        return false;
    head->isut = read_32(at + 20);
    head->isstd = read_32(at + 24);
    head->leap = read_32(at + 28);
    head->time = read_32(at + 32);
    head->type = read_32(at + 36);
    head->chars = read_32(at + 40);
    if (head->time > CHANGES_MAX || head->type == 0 || head->type > TYPES_MAX ||
        head->chars > FILE_BYTES_MAX || head->leap > CHANGES_MAX || head->isut > TYPES_MAX ||
        head->isstd > TYPES_MAX)
        return false;
    head->bytes = head->time * (width + 1) + head->type * (size_t)6 + head->chars +
                  head->leap * (width + 4) + head->isstd + head->isut;
    return left - HEAD_BYTES >= head->bytes;
}

/* ---- "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

struct cursor {
    const char *at, *end;
    bool is_good;
};

static bool take(struct cursor *cursor, char sign)
{
    if (cursor->at == cursor->end || *cursor->at != sign)
        return false;
    cursor->at++;
    return true;
}

static int take_number(struct cursor *cursor, int max)
{
    int number = 0;
    const char *from = cursor->at;

    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9' && number <= max)
        number = number * 10 + (*cursor->at++ - '0');
    if (cursor->at == from || number > max)
        cursor->is_good = false;
    return number;
}

static void take_name(struct cursor *cursor)
{
    const char *from = cursor->at;

    if (take(cursor, '<')) {
        while (cursor->at < cursor->end && *cursor->at != '>')
            cursor->at++;
        cursor->is_good = take(cursor, '>') && cursor->is_good;
        return;
    }
    while (cursor->at < cursor->end && ((*cursor->at >= 'a' && *cursor->at <= 'z') ||
                                        (*cursor->at >= 'A' && *cursor->at <= 'Z')))
        cursor->at++;
    if (cursor->at - from < 3)
        cursor->is_good = false;
}

/* [+-]hh[:mm[:ss]] */
static int64_t take_time(struct cursor *cursor)
{
    bool is_negative = take(cursor, '-');
    int64_t seconds;

    if (!is_negative)
        take(cursor, '+');
    seconds = (int64_t)take_number(cursor, 167) * 3600;
    if (take(cursor, ':'))
        seconds += (int64_t)take_number(cursor, 59) * 60;
    if (take(cursor, ':'))
        seconds += take_number(cursor, 59);
    return is_negative ? -seconds : seconds;
}

static struct yearly take_yearly(struct cursor *cursor)
{
    struct yearly yearly = {.form = '0', .month = 1, .week = 1, .time = 7200};

    cursor->is_good = take(cursor, ',') && cursor->is_good;
    if (take(cursor, 'M')) {
        yearly.form = 'M';
        yearly.month = take_number(cursor, 12);
        cursor->is_good = take(cursor, '.') && cursor->is_good;
        yearly.week = take_number(cursor, 5);
        cursor->is_good = take(cursor, '.') && cursor->is_good;
        yearly.day = take_number(cursor, 6);
        cursor->is_good = cursor->is_good && yearly.month > 0 && yearly.week > 0;
    } else {
        yearly.form = take(cursor, 'J') ? 'J' : '0';
        yearly.day = take_number(cursor, 365);
        cursor->is_good = cursor->is_good && (yearly.form == '0' || yearly.day > 0);
    }
    if (take(cursor, '/'))
        yearly.time = take_time(cursor);
    return yearly;
}

/* No place on earth is a day off, and calendars rely on that. */
static bool is_offset(int64_t offset)
{
    return offset > -DAY_S && offset < DAY_S;
}

static bool tail_read(const char *from, const char *end, struct tail *tail)
{
    struct cursor cursor = {from, end, true};

    memset(tail, 0, sizeof(*tail));
    take_name(&cursor);
    tail->standard = -take_time(&cursor); /* there, west is positive */
    tail->has_summer = cursor.at < cursor.end;
    if (tail->has_summer) {
        take_name(&cursor);
        tail->summer = tail->standard + 3600;
        if (cursor.at < cursor.end && *cursor.at != ',')
            tail->summer = -take_time(&cursor);
        tail->begin = take_yearly(&cursor);
        tail->end = take_yearly(&cursor);
    }
    return cursor.is_good && cursor.at == cursor.end && is_offset(tail->standard) &&
           is_offset(tail->summer);
}

/* ---- reading ---- */

static const struct zone *refuse(const char **why, const char *sentence)
{
    *why = sentence;
    return NULL;
}

static const struct change *changes_read(const unsigned char *at, const struct head *head,
                                         struct arena *arena, int64_t *first_offset,
                                         const char **why)
{
    const unsigned char *index = at + head->time * (size_t)8, *types = index + head->time;
    struct change *changes = arena_alloc_many(arena, head->time + 1u, sizeof(*changes));

    *why = "out of memory";
    if (changes == NULL)
        return NULL;
    *why = "its table of changes is damaged";
    *first_offset = (int32_t)read_32(types);
    for (uint32_t i = 0; i < head->type; i++)
        if (!is_offset((int32_t)read_32(types + i * (size_t)6)))
            return NULL;
    for (uint32_t i = 0; i < head->time; i++) {
        if (index[i] >= head->type)
            return NULL;
        changes[i] = (struct change){.at = read_64(at + i * (size_t)8),
                                     .offset = (int32_t)read_32(types + index[i] * (size_t)6)};
        if (i > 0 && changes[i].at <= changes[i - 1].at)
            return NULL;
    }
    return changes;
}

const struct zone *zone_decode(const char *bytes, size_t count, struct arena *arena,
                               const char **why)
{
    const unsigned char *at = (const unsigned char *)bytes, *end = at + count;
    struct zone *zone = arena_alloc(arena, sizeof(*zone));
    struct head head;

    if (zone == NULL)
        return refuse(why, "out of memory");
    memset(zone, 0, sizeof(*zone));
    zone->hash = hash128(bytes, count, 0);
    if (!head_read(at, (size_t)(end - at), 4, &head))
        return refuse(why, "it is no file of the tz database");
    if (at[4] < '2')
        return refuse(why, "it is a file of the tz database's first version, without years "
                           "after 2037");
    at += HEAD_BYTES + head.bytes;
    if (!head_read(at, (size_t)(end - at), 8, &head))
        return refuse(why, "its second part is damaged");
    at += HEAD_BYTES;
    zone->change_count = head.time;
    zone->changes = changes_read(at, &head, arena, &zone->first_offset, why);
    if (zone->changes == NULL)
        return NULL;
    at += head.bytes;
    if (end - at < 2 || at[0] != '\n' || end[-1] != '\n' ||
        memchr(at + 1, '\n', (size_t)(end - at - 2)))
        return refuse(why, "its last line is damaged");
    zone->has_tail = end - at > 2;
    if (zone->has_tail && !tail_read((const char *)at + 1, (const char *)end - 1, &zone->tail))
        return refuse(why, "its rule for years to come is damaged");
    return zone;
}

static bool is_name(struct text name)
{
    if (name.len == 0 || name.len > ZONE_NAME_BYTES_MAX || name.at[0] == '/' || name.at[0] == '-')
        return false;
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '+' || c == '-' || (c == '/' && name.at[i - 1] != '/')))
            return false;
    }
    return name.at[name.len - 1] != '/';
}

static void ignore_name(void *user, const char *name)
{
    (void)name;
    *(bool *)user = true;
}

/* A container without the package is told apart from a slip of the pen. */
static bool database_exists(void)
{
    bool any = false;

    return host()->list(host()->self, folder, ignore_name, &any) == 0 && any;
}

const struct zone *zone_load(struct text name, struct arena *arena, struct error *err)
{
    static const struct zone utc;
    char path[sizeof(folder) + ZONE_NAME_BYTES_MAX + 1];
    const char *why = "";
    char *bytes = NULL;
    size_t count = 0;

    if (name.len == 3 && memcmp(name.at, "UTC", 3) == 0)
        return &utc;
    if (!is_name(name)) {
        error_set(err, "a time zone is written as in \"Europe/Zurich\" or \"UTC\"");
        return NULL;
    }
    snprintf(path, sizeof(path), "%s/%.*s", folder, (int)name.len, name.at);
    int rc = host_read_file(path, FILE_BYTES_MAX, &bytes, &count);
    if (rc != 0 && !database_exists()) {
        error_set(err,
                  "there are no time zones in %s, so only UTC is known: install the package tzdata",
                  folder);
        return NULL;
    }
    if (rc == -ENOENT || rc == -ENOTDIR || rc == -EISDIR) {
        error_set(err, "there is no time zone \"%.*s\" in %s", (int)name.len, name.at, folder);
        return NULL;
    }
    if (rc != 0) {
        error_set(err, "%s: %s", path, strerrordesc_np(-rc));
        return NULL;
    }
    const struct zone *zone = zone_decode(bytes, count, arena, &why);
    if (zone == NULL)
        error_set(err, "%s cannot be used: %s", path, why);
    free(bytes);
    return zone;
}

struct id128 zone_hash(const struct zone *zone)
{
    return zone->hash;
}

/* ---- asking ---- */

/* Local, by the offset that holds before it. */
static int64_t yearly_at(const struct yearly *yearly, int year)
{
    int64_t day;

    if (yearly->form == 'M') {
        int64_t first = civil_day(year, yearly->month, 1);
        int weekday = (yearly->day + 6) % 7; /* 0 is Monday */
        int64_t in_month = (weekday - civil_weekday(first) + 7) % 7 + (yearly->week - 1) * 7;
        while (in_month >= civil_month_days(year, yearly->month))
            in_month -= 7;
        day = first + in_month;
    } else if (yearly->form == 'J') {
        day = civil_day(year, 1, 1) + yearly->day - 1 + (civil_is_leap(year) && yearly->day >= 60);
    } else {
        day = civil_day(year, 1, 1) + yearly->day;
    }
    return day * DAY_S + yearly->time;
}

static int tail_year(const struct tail *tail, int64_t utc)
{
    return civil_of_day(civil_floor(utc + tail->standard, DAY_S)).year;
}

static int64_t tail_offset(const struct tail *tail, int64_t utc)
{
    if (!tail->has_summer)
        return tail->standard;
    int year = tail_year(tail, utc);
    int64_t begin = yearly_at(&tail->begin, year) - tail->standard;
    int64_t end = yearly_at(&tail->end, year) - tail->summer;
    bool is_summer = begin < end ? utc >= begin && utc < end : utc >= begin || utc < end;
    return is_summer ? tail->summer : tail->standard;
}

static int64_t tail_next(const struct tail *tail, int64_t utc)
{
    int64_t next = INT64_MAX;

    if (!tail->has_summer)
        return next;
    int year = tail_year(tail, utc);
    for (int y = year - 1; y <= year + 1; y++) {
        int64_t begin = yearly_at(&tail->begin, y) - tail->standard;
        int64_t end = yearly_at(&tail->end, y) - tail->summer;
        if (begin > utc && begin < next)
            next = begin;
        if (end > utc && end < next)
            next = end;
    }
    return next;
}

/* How many changes lie at or before the time. */
static size_t changes_until(const struct zone *zone, int64_t utc)
{
    size_t from = 0, to = zone->change_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (zone->changes[middle].at <= utc)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

int64_t zone_offset(const struct zone *zone, int64_t utc)
{
    size_t passed = changes_until(zone, utc);

    if (passed == zone->change_count && zone->has_tail)
        return tail_offset(&zone->tail, utc);
    return passed == 0 ? zone->first_offset : zone->changes[passed - 1].offset;
}

int64_t zone_next_change(const struct zone *zone, int64_t utc)
{
    size_t passed = changes_until(zone, utc);

    if (passed < zone->change_count)
        return zone->changes[passed].at;
    return zone->has_tail ? tail_next(&zone->tail, utc) : INT64_MAX;
}

int64_t zone_utc(const struct zone *zone, int64_t local)
{
    /* No offset is a whole day, so these lie before and behind whatever change is near. */
    int64_t before = zone_offset(zone, local - DAY_S), after = zone_offset(zone, local + DAY_S);

    if (zone_offset(zone, local - before) == before)
        return local - before;
    if (zone_offset(zone, local - after) == after)
        return local - after;
    return local - before;
}

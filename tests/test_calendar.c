/*
 * Aim: maintenance windows open and close at the right second where clocks change, no rule costs
 * more than a moment, and what is wrong is one sentence at its place. Method: fixed cases worked
 * out by hand from the changes of clocks in Europe and New York; a host without the tz database.
 * Random windows are compared with Python in tests/model/calendars.py.
 */
#include "rules_support.h"
#include <errno.h>
#include <time.h>
#include "base/arena.h"
#include "base/host.h"
#include "rules/mute.h"
#include "rules/zone.h"
#include "rules/zone_book.h"
#include "rules/zone_names.h"

#define WINDOW "maintenance:\n  - id: m\n    where: tenant != \"\"\n"

/* 2026-03-29T01:00:00Z: clocks in Zurich go from 02:00 to 03:00. */
#define SPRING INT64_C(1774746000)
/* 2026-10-25T01:00:00Z: from 03:00 back to 02:00. */
#define AUTUMN INT64_C(1792890000)
#define HOUR 3600
#define DAY 86400

struct row {
    int64_t at; /* seconds */
    bool is_open;
};

static void assert_rows(const char *text, const struct row *rows, size_t count)
{
    struct rule_set *set = parse_good(text);

    for (size_t i = 0; i < count; i++) {
        struct calendar_state state = mute_at(rule_set_mute(set, 0), rows[i].at * 1000);
        if (state.is_open != rows[i].is_open)
            fail_msg("row %zu is %d\n%s", i, state.is_open, text);
    }
    rule_set_destroy(set);
}

#define ASSERT_ROWS(text, rows) assert_rows(text, rows, sizeof(rows) / sizeof((rows)[0]))

/* 02:30 is not there in spring: with the offset before the gap (+1) it is 01:30 UTC, that is 03:30.
 * The day before it is 01:30 UTC as well, the day after 00:30. */
static void start_in_a_gap_is_later_by_the_gap(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SPRING - 24 * HOUR + 1799, false},
        {SPRING - 24 * HOUR + 1800, true},
        {SPRING + 1799, false},
        {SPRING + 1800, true},
        {SPRING + 1800 + HOUR - 1, true},
        {SPRING + 1800 + HOUR, false},
        {SPRING + 24 * HOUR - 1801, false},
        {SPRING + 24 * HOUR - 1800, true},
    };
    ASSERT_ROWS(WINDOW "    start: 2026-03-01T02:30\n    duration: 1h\n    rrule: FREQ=DAILY\n"
                       "    timezone: Europe/Zurich\n",
                rows);
}

/* 02:30 comes twice in autumn: the first, at 00:30 UTC, is meant. Four hours are four hours. */
static void start_in_an_overlap_is_the_first_and_lasts_as_long_as_it_says(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {AUTUMN - 1801, false},
        {AUTUMN - 1800, true},
        {AUTUMN - 1800 + 4 * HOUR - 1, true},
        {AUTUMN - 1800 + 4 * HOUR, false},
    };
    ASSERT_ROWS(WINDOW "    start: 2026-10-01T02:30\n    duration: 4h\n"
                       "    rrule: FREQ=WEEKLY;BYDAY=SU\n    timezone: Europe/Zurich\n",
                rows);
}

/* Intervals look at the clock on the wall: from 02:00 to 03:00 is nothing in spring, and two hours
 * in autumn. */
static void interval_in_a_gap_is_empty_and_in_an_overlap_twice_as_long(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SPRING - 1, false},    {SPRING, false},
        {SPRING + 1800, false}, {AUTUMN - HOUR - 1, false},
        {AUTUMN - HOUR, true},  {AUTUMN - 1, true},
        {AUTUMN, true},         {AUTUMN + HOUR - 1, true},
        {AUTUMN + HOUR, false},
    };
    ASSERT_ROWS(WINDOW "    time_intervals:\n"
                       "      - times: [{start_time: \"02:00\", end_time: \"03:00\"}]\n"
                       "        weekdays: [sunday]\n        location: Europe/Zurich\n",
                rows);
}

/* At 01:30 in spring the clock on the wall is half an hour before 03:00, not one and a half. */
static void change_of_clocks_is_where_an_interval_may_begin(void **state)
{
    (void)state;
    struct rule_set *set = parse_good(WINDOW "    time_intervals:\n"
                                             "      - times: [{start_time: \"03:00\", end_time: "
                                             "\"04:00\"}]\n"
                                             "        location: Europe/Zurich\n");
    struct calendar_state calendar = mute_at(rule_set_mute(set, 0), (SPRING - 1800) * 1000);

    assert_false(calendar.is_open);
    assert_int_equal(calendar.until_ms, SPRING * 1000);
    rule_set_destroy(set);
}

/* 2100-07-01: no file lists that year; the rule at its end is summer time in New York, UTC-4. */
static void years_beyond_the_table_follow_its_rule(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {INT64_C(4118083200) + 4 * HOUR - 1, false},
        {INT64_C(4118083200) + 4 * HOUR, true},
        {INT64_C(4118083200) + 5 * HOUR, false},
    };
    ASSERT_ROWS(WINDOW "    start: 2026-07-01T00:00\n    duration: 1h\n    rrule: FREQ=YEARLY\n"
                       "    timezone: America/New_York\n",
                rows);
}

/* The last Sunday of March 2026 is the 29th. A numbered weekday counts within the months that are
 * named, and within the year (its last Sunday is the 27th of December) where none is. */
static void numbered_weekday_counts_in_its_month_or_in_the_year(void **state)
{
    (void)state;
    const int64_t march = 1774742400, december = 1798329600; /* these days at 00:00 */
    const struct row in_month[] = {
        {march - 1, false}, {march, true}, {march + HOUR, false}, {december, false}};
    const struct row in_year[] = {
        {march, false}, {december - 1, false}, {december, true}, {december + HOUR, false}};
    ASSERT_ROWS(WINDOW "    start: 2026-01-01T00:00\n    duration: 1h\n"
                       "    rrule: FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\n",
                in_month);
    ASSERT_ROWS(WINDOW "    start: 2026-01-01T00:00\n    duration: 1h\n"
                       "    rrule: FREQ=YEARLY;BYDAY=-1SU\n",
                in_year);
}

/* In New York 20:00 of 2 January is 01:00 UTC of the 3rd: an UNTIL of that very second still lets
 * it be, one of a second less does not; as a local time either would. */
static void until_in_utc_is_a_time_of_utc(void **state)
{
    (void)state;
    const int64_t third = 1767402000; /* 2026-01-03T01:00:00Z */
    const struct row with[] = {{third - DAY, true}, {third, true}, {third + DAY, false}};
    const struct row without[] = {{third - DAY, true}, {third, false}, {third + DAY, false}};
    ASSERT_ROWS(WINDOW
                "    start: 2026-01-01T20:00\n    duration: 1h\n    timezone: America/New_York\n"
                "    rrule: FREQ=DAILY;UNTIL=20260103T010000Z\n",
                with);
    ASSERT_ROWS(WINDOW
                "    start: 2026-01-01T20:00\n    duration: 1h\n    timezone: America/New_York\n"
                "    rrule: FREQ=DAILY;UNTIL=20260103T005959Z\n",
                without);
}

/* Of a date alone the whole day counts; in a zone east of UTC its time is later on the wall. */
static void until_counts_to_its_end_wherever_it_is_read(void **state)
{
    (void)state;
    const int64_t third = 1767405600, tokyo = 1767394800; /* 2026-01-03T02:00Z, 2026-01-02T23:00Z */
    const struct row of_days[] = {{third - DAY, true}, {third, true}, {third + DAY, false}};
    const int64_t last = 1767484799; /* 2026-01-03T23:59:59Z */
    const struct row to_its_end[] = {{last - DAY, true}, {last, true}, {last + DAY, false}};
    const struct row with[] = {{tokyo - DAY, true}, {tokyo, true}, {tokyo + DAY, false}};
    const struct row without[] = {{tokyo - DAY, true}, {tokyo, false}, {tokyo + DAY, false}};
    const char *in_tokyo = WINDOW "    start: 2026-01-01T08:00\n    duration: 1h\n    timezone: "
                                  "Asia/Tokyo\n    rrule: FREQ=DAILY;UNTIL=";
    char text[300];

    ASSERT_ROWS(WINDOW "    start: 2026-01-01T02:00\n    duration: 1h\n"
                       "    rrule: FREQ=DAILY;UNTIL=20260103\n",
                of_days);
    ASSERT_ROWS(WINDOW "    start: 2026-01-01T23:59:59\n    duration: 1h\n"
                       "    rrule: FREQ=DAILY;UNTIL=20260103\n",
                to_its_end);
    snprintf(text, sizeof(text), "%s20260102T230000Z\n", in_tokyo);
    ASSERT_ROWS(text, with);
    snprintf(text, sizeof(text), "%s20260102T225959Z\n", in_tokyo);
    ASSERT_ROWS(text, without);
}

/* February of 2026 has 28 days: the last two are the 27th and the 28th. */
static void days_count_from_the_end_of_their_month(void **state)
{
    (void)state;
    const int64_t day27 = 1772150400; /* 2026-02-27T00:00:00Z */
    const struct row rows[] = {
        {day27 - 1, false}, {day27, true}, {day27 + 2 * DAY - 1, true}, {day27 + 2 * DAY, false}};
    ASSERT_ROWS(WINDOW "    time_intervals: [{days_of_month: [\"-2:-1\"], months: [february]}]\n",
                rows);
}

/* A date alone takes out its day, and not the first moment of the next. */
static void a_day_that_is_taken_out_ends_at_midnight(void **state)
{
    (void)state;
    const int64_t third = 1767398400; /* 2026-01-03T00:00:00Z */
    const struct row rows[] = {{third - DAY, true}, {third, false}, {third + DAY, true}};
    ASSERT_ROWS(WINDOW "    start: 2026-01-01T00:00\n    duration: 1h\n    rrule: FREQ=DAILY\n"
                       "    except: [2026-01-03]\n",
                rows);
}

/* --- until when an answer holds ---------------------------------------------------------------
 */

#define ALWAYS INT64_MAX

/* On Lord Howe clocks go from 02:00 to 02:30: at 15:30 UTC of 3 October 2026. */
#define LORD_HOWE INT64_C(1791041400)
/* In St. John's they went from 00:01 of Sunday, 29 October 2006, back to 23:01 of Saturday. */
#define ST_JOHNS INT64_C(1162089060)
/* Samoa had no 30 December 2011: at 10:00 UTC of that day the 31st followed the 29th. */
#define SAMOA INT64_C(1325239200)

#define MINUTES(n) ((n)*INT64_C(60))
#define EVERY(start, duration, rrule, zone)                                                        \
    "    start: " start "\n    duration: " duration "\n    rrule: " rrule "\n    timezone: " zone  \
    "\n"

static const struct until_row {
    const char *what, *text;
    int64_t at_ms;
    bool is_open;
    int64_t until_ms;
} until_rows[] = {
    /* 02:15 is not there and becomes 02:45, behind 02:30, which comes later on the wall. */
    {"before both, the nearer is the later one on the wall",
     EVERY("2026-10-01T02:00", "10m", "FREQ=DAILY;BYMINUTE=15,30", "Australia/Lord_Howe"),
     (LORD_HOWE - MINUTES(10)) * 1000, false, LORD_HOWE * 1000},
    {"between them, what comes has begun on the wall",
     EVERY("2026-10-01T02:00", "10m", "FREQ=DAILY;BYMINUTE=15,30", "Australia/Lord_Howe"),
     (LORD_HOWE + MINUTES(12)) * 1000, false, (LORD_HOWE + MINUTES(15)) * 1000},
    {"in the second, which is the earlier one on the wall",
     EVERY("2026-10-01T02:00", "10m", "FREQ=DAILY;BYMINUTE=15,30", "Australia/Lord_Howe"),
     (LORD_HOWE + MINUTES(16)) * 1000, true, (LORD_HOWE + MINUTES(25)) * 1000},
    {"the second of two that overlap is the one that lasts",
     EVERY("2026-10-01T02:00", "1h", "FREQ=DAILY;BYMINUTE=15,30", "Australia/Lord_Howe"),
     (LORD_HOWE + MINUTES(16)) * 1000, true, (LORD_HOWE + MINUTES(75)) * 1000},
    {"a window that began the day before yesterday",
     EVERY("2026-01-05T12:00", "72h", "FREQ=WEEKLY", "UTC"), INT64_C(1767873600000) - 1, true,
     INT64_C(1767873600000)},
    {"half an hour before a day that is not there",
     EVERY("2011-12-29T23:30", "1h", "FREQ=DAILY;COUNT=1", "Pacific/Apia"),
     (SAMOA + MINUTES(30)) * 1000 - 1, true, (SAMOA + MINUTES(30)) * 1000},
    {"the first second of all", EVERY("1970-01-01T00:00", "1h", "FREQ=DAILY", "UTC"), 0, true,
     HOUR *INT64_C(1000)},
    {"a fraction of a second more", EVERY("1970-01-01T00:00", "1500ms", "FREQ=DAILY", "UTC"), 1499,
     true, 1500},
    /* 29 February is a Monday in 2016, and in 2044 again. */
    {"28 years ahead",
     EVERY("2016-01-01T00:00", "1d", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "UTC"),
     INT64_C(1456790400000), false, INT64_C(2340316800000)},
    {"the same by intervals",
     "    time_intervals: [{weekdays: [monday], months: [february], days_of_month: [\"29\"]}]\n",
     INT64_C(1456790400000), false, INT64_C(2340316800000)},
    /* 2043 has 53 weeks, the last of which begins with Monday, 28 December; 1 January 2039 lies in
     * week 52. The first of the 53 weeks of 2105 begins with 29 December 2104. */
    {"years of 53 weeks, the last",
     EVERY("2038-06-07T00:00", "1h", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=TU,TH,SA", "UTC"),
     INT64_C(2158963200000), false, INT64_C(2334960000000)},
    {"years of 53 weeks, the first",
     EVERY("2099-09-21T00:00", "1h", "FREQ=YEARLY;BYWEEKNO=-53;BYDAY=FR,SU,TU", "UTC"),
     INT64_C(4102444800000), false, INT64_C(4260038400000)},
    /* 2026, 2028, 2030 and 2031 begin at 1767225600, 1830297600, 1893456000 and 1924992000. */
    {"years that are over before others begin",
     "    time_intervals: [{years: [\"2026:2027\", \"2030\"]}]\n", INT64_C(1767225600000), true,
     INT64_C(1830297600000)},
    {"between them", "    time_intervals: [{years: [\"2026:2027\", \"2030\"]}]\n",
     INT64_C(1830297600000), false, INT64_C(1893456000000)},
    {"the last of them", "    time_intervals: [{years: [\"2030\", \"2026:2027\"]}]\n",
     INT64_C(1893456000000), true, INT64_C(1924992000000)},
    {"and never again", "    time_intervals: [{years: [\"2030\", \"2026:2027\"]}]\n",
     INT64_C(1924992000000), false, ALWAYS},
    {"the later years listed first", "    time_intervals: [{years: [\"2031\", \"2026:2027\"]}]\n",
     INT64_C(1861920000000), false, INT64_C(1924992000000)},
    {"years that are far, the nearer of them",
     "    time_intervals: [{years: [\"2031\", \"2026\", \"2036\"]}]\n", INT64_C(3600000), false,
     INT64_C(1767225600000)},
    {"a year that is far and one that has come",
     "    time_intervals: [{years: [\"1970:1971\", \"2031\"], months: [february]}]\n", 0, false,
     31 * DAY *INT64_C(1000)},
    {"a year that is far and one that comes next",
     "    time_intervals: [{years: [\"2031\", \"1971\"]}]\n", 0, false, 365 * DAY *INT64_C(1000)},
    /* From Wednesday, 7 January 2026. */
    {"weekdays alone end with Friday", "    time_intervals: [{weekdays: [\"monday:friday\"]}]\n",
     INT64_C(1767744000000), true, INT64_C(1768003200000)},
    {"a minute of Sunday before Saturday's last hour comes again",
     "    time_intervals: [{weekdays: [saturday], location: America/St_Johns}]\n",
     (ST_JOHNS - 30) * 1000, false, ST_JOHNS * 1000},
    {"Saturday's last hour, for the second time",
     "    time_intervals: [{weekdays: [saturday], location: America/St_Johns}]\n", ST_JOHNS * 1000,
     true, (ST_JOHNS + MINUTES(59)) * 1000},
    /* Thursday, 1 January 1970. */
    {"of two that are open the longer one",
     "    time_intervals: [{weekdays: [\"thursday:friday\"]}, {weekdays: [thursday]}]\n", 0, true,
     2 * DAY *INT64_C(1000)},
    {"of one that is open and one that comes the first",
     "    time_intervals: [{weekdays: [thursday]}, {weekdays: [saturday]}]\n", 0, true,
     DAY *INT64_C(1000)},
    {"the same, the other way round",
     "    time_intervals: [{weekdays: [saturday]}, {weekdays: [thursday]}]\n", 0, true,
     DAY *INT64_C(1000)},
    {"of two that come the nearer",
     "    time_intervals: [{weekdays: [sunday]}, {weekdays: [saturday]}]\n", 0, false,
     2 * DAY *INT64_C(1000)},
    {"the same, the other way round",
     "    time_intervals: [{weekdays: [saturday]}, {weekdays: [sunday]}]\n", 0, false,
     2 * DAY *INT64_C(1000)},
    /* No file lists 2100: on 7 November clocks in New York go from 02:00 back to 01:00, at 06:00
     * UTC. */
    {"an hour that comes twice, beyond the table",
     "    time_intervals: [{times: [{start_time: \"01:00\", end_time: \"02:00\"}], location: "
     "America/New_York}]\n",
     INT64_C(4129248600000), true, INT64_C(4129254000000)},
    {"all days", "    time_intervals: [{weekdays: [\"sunday:saturday\"]}]\n", 0, true, ALWAYS},
};

static void an_answer_holds_until_the_next_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(until_rows) / sizeof(until_rows[0]); i++) {
        const struct until_row *row = &until_rows[i];
        char text[512];
        snprintf(text, sizeof(text), "%s%s", WINDOW, row->text);
        struct rule_set *set = parse_good(text);
        struct calendar_state calendar = mute_at(rule_set_mute(set, 0), row->at_ms);
        if (calendar.is_open != row->is_open || calendar.until_ms != row->until_ms)
            fail_msg("%s: %d until %lld", row->what, calendar.is_open,
                     (long long)calendar.until_ms);
        rule_set_destroy(set);
    }
}

static void what_is_wrong_is_told_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"    start: 2026-01-04T02:00\n    duration: 1h\n    rrule: FREQ=SECONDLY;BYMONTH=2\n",
         "r.yaml:6:17: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; several times a day are written "
         "with BYHOUR and BYMINUTE\n"
         "        rrule: FREQ=SECONDLY;BYMONTH=2\n"
         "                    ^~~~~~~~"},
        {"    start: 2026-01-04T02:00\n    duration: 1h\n"
         "    rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\n",
         "r.yaml:6:12: this rule never happens\n"
         "        rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\n"
         "               ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~"},
        {"    start: 2026-01-04T02:00\n    duration: 1h\n    timezone: Europe/Zurick\n",
         "r.yaml:6:15: there is no time zone \"Europe/Zurick\" in /usr/share/zoneinfo; did you "
         "mean \"Europe/Zurich\"?\n"
         "        timezone: Europe/Zurick\n"
         "                  ^~~~~~~~~~~~~"},
        {"    start: 2026-02-30T02:00\n    duration: 1h\n",
         "r.yaml:4:12: there is no such day or time of day\n"
         "        start: 2026-02-30T02:00\n"
         "               ^~~~~~~~~~~~~~~~"},
        {"    start: 2026-01-04T02:00\n    duration: 32d\n",
         "r.yaml:5:15: a maintenance window lasts from 1ms to 31d\n"
         "        duration: 32d\n"
         "                  ^~~"},
        {"    time_intervals: [{times: [{start_time: \"22:00\", end_time: \"02:00\"}]}]\n",
         "r.yaml:4:31: a time range begins before it ends; one over midnight is two: up to "
         "\"24:00\", and from \"00:00\"\n"
         "        time_intervals: [{times: [{start_time: \"22:00\", end_time: \"02:00\"}]}]\n"
         "                                  ^"},
        {"    time_intervals: [{months: [february], days_of_month: [\"30:31\"]}]\n",
         "r.yaml:2:5: this maintenance window never opens\n"
         "      - id: m\n"
         "        ^"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024];
        snprintf(text, sizeof(text), "%s%s", WINDOW, rows[i].text);
        assert_refused(text, rows[i].message);
    }
}

/* What ruins other readers is refused or answered within a second, generously counted. */
static void no_rule_takes_long(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31;BYSETPOS=-1",
        "FREQ=DAILY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=1000",
        "FREQ=YEARLY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=1000",
        "FREQ=YEARLY;BYWEEKNO=53,-53;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=366,-366;COUNT=1000",
        "FREQ=YEARLY;BYYEARDAY=366,-366;BYDAY=53SU,-53SU;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,"
        "15,16,17,18,19,20,21,22,23;BYSETPOS=-1",
        "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;COUNT="
        "1000",
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        char text[1024];
        struct rule_set *set = NULL;
        struct error err;
        clock_t from = clock();
        snprintf(text, sizeof(text),
                 WINDOW "    start: 1970-01-01T00:00\n    duration: 31d\n    rrule: %s\n",
                 rules[i]);
        if (rule_set_parse("r.yaml", text, strlen(text), &set, &err) == 0)
            for (int64_t at = 0; at < 100; at++)
                mute_at(rule_set_mute(set, 0), at * 31557600 * 1000);
        rule_set_destroy(set);
        if (clock() - from > CLOCKS_PER_SEC)
            fail_msg("%s takes %ld ms", rules[i], (long)((clock() - from) * 1000 / CLOCKS_PER_SEC));
    }
}

/* --- a machine without the tz database ---------------------------------------------------------
 */

static int no_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)path, (void)flags, (void)mode;
    return -ENOENT;
}

static int no_list(void *self, const char *path, void (*take)(void *, const char *), void *user)
{
    (void)self, (void)path, (void)take, (void)user;
    return -ENOENT;
}

static void machine_without_zones_knows_utc_and_says_what_to_install(void **state)
{
    (void)state;
    struct host bare = *host();

    bare.open = no_open;
    bare.list = no_list;
    host_set(&bare);
    rule_set_destroy(
        parse_good(WINDOW "    start: 2026-01-04T02:00\n    duration: 1h\n    timezone: UTC\n"));
    assert_refused(WINDOW "    start: 2026-01-04T02:00\n    duration: 1h\n"
                          "    timezone: Europe/Zurich\n",
                   "r.yaml:6:15: there are no time zones in /usr/share/zoneinfo, so only UTC is "
                   "known: install the package tzdata\n"
                   "        timezone: Europe/Zurich\n"
                   "                  ^~~~~~~~~~~~~");
    host_set(NULL);
}

static uint32_t opens; /* of time zones */
static int (*plain_open)(void *self, const char *path, int flags, unsigned mode);
static void *plain_self;

static int counted_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self;
    opens += strncmp(path, ZONE_FOLDER "/", sizeof(ZONE_FOLDER)) == 0;
    return plain_open(plain_self, path, flags, mode);
}

/* Windows of fifty intervals each, every one by the clock that `zone` writes for its number. */
static char *windows_text(int windows, void (*zone)(int i, char *to, size_t bytes))
{
    size_t room = (size_t)windows * 50 * 64, used = 0;
    char *text = malloc(room), name[40];

    used += (size_t)snprintf(text, room, "maintenance:\n");
    for (int w = 0; w < windows; w++) {
        used += (size_t)snprintf(text + used, room - used,
                                 "- {id: m%d, where: tenant != \"\", time_intervals: [", w);
        for (int k = 0; k < 50; k++) {
            zone(w * 50 + k, name, sizeof(name));
            used += (size_t)snprintf(text + used, room - used, "{location: %s},", name);
        }
        used += (size_t)snprintf(text + used, room - used, "]}\n");
    }
    return text;
}

static void one_of_two(int i, char *to, size_t bytes)
{
    snprintf(to, bytes, "%s", i % 2 == 0 ? "Europe/Zurich" : "America/New_York");
}

static void none_that_is(int i, char *to, size_t bytes)
{
    snprintf(to, bytes, "Mars/Olympus%d", i);
}

/* A set reads a zone once, however often it names it, and does not go on asking for names that
 * are none. */
static void a_zone_is_read_once(void **state)
{
    struct host counting = *host();
    struct rule_set *set = NULL;
    struct error err = {""};
    char *text;

    (void)state;
    plain_open = counting.open;
    plain_self = counting.self;
    counting.open = counted_open;
    for (int i = 0; i < 2; i++) {
        text = windows_text(10, i == 0 ? one_of_two : none_that_is);
        opens = 0;
        host_set(&counting);
        int rc = rule_set_parse("r.yaml", text, strlen(text), &set, &err);
        host_set(NULL);
        free(text);
        assert_int_equal(rc, i == 0 ? 0 : -EINVAL);
        assert_int_equal(opens, i == 0 ? 2 : ZONE_BOOK_REFUSED_MAX);
        rule_set_destroy(set);
        set = NULL;
    }
    assert_non_null(strstr(err.text, "there is no time zone \"Mars/Olympus0\""));
    assert_non_null(strstr(err.text, "more"));
}

/* Each stretch of the file that is cut off, and each byte of it that is another, gives a zone or a
 * reason. */
static void damaged_zone_files_are_refused(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t count = 0, good = 0;

    assert_int_equal(host_read_file("/usr/share/zoneinfo/Europe/Zurich", 1 << 20, &bytes, &count),
                     0);
    for (size_t i = 0; i <= count; i++) {
        struct arena *arena = arena_create(1 << 20);
        const char *why = NULL;
        char *part = malloc(i + 1); /* so that a read beyond its end shows */
        memcpy(part, bytes, i);
        good += zone_decode(part, i, arena, &why) != NULL;
        free(part);
        if (i < count) {
            char *whole = malloc(count);
            memcpy(whole, bytes, count);
            whole[i] = (char)(whole[i] ^ 0x55);
            const struct zone *zone = zone_decode(whole, count, arena, &why);
            assert_true(zone != NULL || why != NULL);
            if (zone != NULL)
                zone_offset(zone, SPRING);
            free(whole);
        }
        arena_destroy(arena);
    }
    assert_int_equal(good, 1); /* the whole file alone */
    free(bytes);
}

/* A file of one offset, an hour east, with this rule at its end. */
static const struct zone *zone_of(const char *rule, struct arena *arena, const char **why)
{
    char bytes[256] = "", *at = bytes;

    for (int part = 0; part < 2; part++) {
        memcpy(at, "TZif2", 5);
        at[39] = 1; /* types */
        at[43] = 4; /* characters of names */
        at[44 + 2] = 3600 >> 8;
        at[44 + 3] = 3600 & 0xff;
        at += 44 + 6 + 4;
    }
    at += snprintf(at, (size_t)(bytes + sizeof(bytes) - at), "\n%s\n", rule);
    return zone_decode(bytes, (size_t)(at - bytes), arena, why);
}

/* 2100 is no leap year, 2096 is one. A 'J' day leaves 29 February out, one without counts it. */
static void rules_behind_the_table_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        int64_t utc, offset; /* until the time an hour more, for summer; from then on, this */
    } rows[] = {
        {"AAA0BBB,J1/0,J60/1", INT64_C(3981398400), 0},           /* 1 March 2096 */
        {"AAA0BBB,J1/0,J59/1", INT64_C(3981225600), 0},           /* 28 February 2096 */
        {"AAA0BBB,0/0,59/1", INT64_C(3981312000), 0},             /* 29 February 2096 */
        {"AAA-1:30:30BBB,J1/0,J60/1", INT64_C(3981392970), 5430}, /* an hour more in summer */
    };
    static const char *const refused[] = {"AAA24",        "AAA-24", "AAA0BBB-24,J1/0,J60/1",
                                          "AAA0BBB,J1/0", "AA0",    "AAA0BBB,M13.1.0,J60"};
    struct arena *arena = arena_create(1 << 20);
    const char *why = NULL;

    assert_int_equal(zone_offset(zone_of("", arena, &why), 0), 3600);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct zone *zone = zone_of(rows[i].rule, arena, &why);
        assert_non_null(zone);
        assert_int_equal(zone_offset(zone, rows[i].utc - 1), rows[i].offset + HOUR);
        assert_int_equal(zone_offset(zone, rows[i].utc), rows[i].offset);
        assert_int_equal(zone_next_change(zone, rows[i].utc - 1), rows[i].utc);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        why = NULL;
        assert_null(zone_of(refused[i], arena, &why));
        assert_string_equal(why, "its rule for years to come is damaged");
    }
    arena_destroy(arena);
}

static void the_zone_that_was_meant_is_named(void **state)
{
    static const struct {
        const char *name, *end;
    } rows[] = {
        {"europe/zurich", "/usr/share/zoneinfo; did you mean \"Europe/Zurich\"?"},
        {"Zurich", "/usr/share/zoneinfo; did you mean \"Europe/Zurich\"?"},
        {"Europe/Zuerich", "; did you mean \"Europe/Zurich\"?"},
        {"Europe/Z\xc3\xbcrich", "or \"UTC\"; did you mean \"Europe/Zurich\"?"},
        {"Switzerland/Zurich", "; did you mean \"Europe/Zurich\"?"},
        {"new_york", "; did you mean \"America/New_York\"?"},
        {"America/Argentina/Buenos_Ares", "; did you mean \"America/Argentina/Buenos_Aires\"?"},
        {"utc", "; did you mean \"UTC\"?"},
        {"Mars/Olympus", "there is no time zone \"Mars/Olympus\" in /usr/share/zoneinfo"},
        {"Europe", "there is no time zone \"Europe\" in /usr/share/zoneinfo"},
        {"U", "there is no time zone \"U\" in /usr/share/zoneinfo"},
        {"posix", "there is no time zone \"posix\" in /usr/share/zoneinfo"},
        {"", "a time zone is written as in \"Europe/Zurich\" or \"UTC\""},
    };
    struct arena *arena = arena_create(1 << 20);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = {""};
        size_t bytes = strlen(rows[i].end);
        assert_null(zone_load(text_of(rows[i].name), arena, &err));
        zone_hint(text_of(rows[i].name), &err);
        if (strlen(err.text) < bytes ||
            strcmp(err.text + strlen(err.text) - bytes, rows[i].end) != 0)
            fail_msg("%s: %s", rows[i].name, err.text);
    }
    arena_destroy(arena);
}

/* In Sydney, as long as its file says: summer from the first Sunday of October to that of April. */
static void clocks_of_the_south_change_over_the_new_year(void **state)
{
    const int64_t october = INT64_C(4126176000), /* 2100-10-02T16:00Z, Saturday */
        new_year = INT64_C(4133973600),          /* 2100-12-31T22:00Z, in 2101 there */
        april = INT64_C(4141900800);             /* 2101-04-02T16:00Z, Saturday */
    struct arena *arena = arena_create(1 << 20);
    struct error err;
    const struct zone *zone = zone_load(text_of("Australia/Sydney"), arena, &err);

    (void)state;
    assert_non_null(zone);
    assert_int_equal(zone_next_change(zone, october - 1), october);
    assert_int_equal(zone_next_change(zone, october), april);
    assert_int_equal(zone_next_change(zone, new_year), april);
    assert_int_equal(zone_offset(zone, new_year), 11 * HOUR);
    assert_int_equal(zone_offset(zone, april - 1), 11 * HOUR);
    assert_int_equal(zone_offset(zone, april), 10 * HOUR);
    arena_destroy(arena);
}

/* Each row: what stands behind "rrule: ", and what is wrong with it. */
static void recurrences_that_the_rfc_forbids_are_refused(void **state)
{
    static const struct {
        const char *rule, *why;
    } rows[] = {
        {"BYDAY=MO", "needs FREQ=DAILY, WEEKLY, MONTHLY or YEARLY"},
        {"FREQ=DAILY;COUNT=2;UNTIL=20270101", "COUNT and UNTIL exclude each other"},
        {"FREQ=MONTHLY;BYWEEKNO=3;BYDAY=MO", "BYWEEKNO belongs to FREQ=YEARLY"},
        {"FREQ=YEARLY;BYWEEKNO=3", "BYWEEKNO belongs to FREQ=YEARLY, together with BYDAY"},
        {"FREQ=MONTHLY;BYYEARDAY=3", "BYYEARDAY belongs to FREQ=YEARLY"},
        {"FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY does not go with FREQ=WEEKLY"},
        {"FREQ=WEEKLY;BYDAY=1MO", "a numbered weekday belongs to FREQ=MONTHLY or YEARLY"},
        {"FREQ=DAILY;BYDAY=-1MO", "a numbered weekday belongs to FREQ=MONTHLY or YEARLY"},
        {"FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO", "without BYWEEKNO"},
        {"FREQ=YEARLY;BYDAY=54MO", "the number of a weekday lies between 1 and 53"},
        {"FREQ=YEARLY;BYDAY=0MO", "the number of a weekday lies between 1 and 53"},
        {"FREQ=YEARLY;BYDAY=1XX", "a weekday is MO, TU, WE, TH, FR, SA or SU, or numbered"},
        {"FREQ=DAILY;WKST=1MO", "a weekday is MO, TU, WE, TH, FR, SA or SU"},
        {"FREQ=DAILY;BYHOUR=24", "this number is outside of what the part takes"},
        {"FREQ=MONTHLY;BYMONTHDAY=0", "this number is outside of what the part takes"},
        {"FREQ=MONTHLY;BYMONTHDAY=-32", "this number is outside of what the part takes"},
        {"FREQ=DAILY;INTERVAL=1001", "this number is outside of what the part takes"},
        {"FREQ=DAILY;COUNT=2,3", "this part takes one number"},
        {"FREQ=DAILY;COUNT=2x", "this is no whole number"},
        {"FREQ=DAILY;COUNT", "each part is written NAME=VALUE"},
        {"FREQ=DAILY;FREQ=DAILY", "this part stands there twice"},
        {"FREQ=DAILY;BYEASTER=1", "a recurrence rule has no such part"},
        {"FREQ=DAILY;BYSETPOS=1", "BYSETPOS picks from what another BY part gives"},
        {"FREQ=MONTHLY;BYSETPOS=-1;COUNT=3", "BYSETPOS picks from what another BY part gives"},
        {"FREQ=DAILY;BYMINUTE=0,10,20,30,40,50;BYHOUR=1,2,3,4,5", "at most 24 times a day"},
    };
    static const char *const taken[] = {
        "FREQ=DAILY;BYHOUR=1,2;BYSETPOS=1",   "FREQ=YEARLY;BYMONTH=2,3;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2",   "FREQ=YEARLY;BYDAY=53MO",
        "FREQ=DAILY;BYMINUTE=1,2;BYSETPOS=1", "FREQ=DAILY;BYSECOND=1,2;BYSETPOS=1",
        "FREQ=MONTHLY;BYMONTHDAY=-31"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[400];
        struct error err;
        snprintf(text, sizeof(text),
                 WINDOW "    start: 2026-01-04T02:00\n    duration: 1h\n"
                        "    rrule: %s\n",
                 rows[i].rule);
        err = parse_bad(text);
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("%s: %s", rows[i].rule, err.text);
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        char text[400];
        snprintf(text, sizeof(text),
                 WINDOW "    start: 2026-01-04T02:00\n    duration: 1h\n"
                        "    rrule: %s\n",
                 taken[i]);
        rule_set_destroy(parse_good(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_in_a_gap_is_later_by_the_gap),
        cmocka_unit_test(start_in_an_overlap_is_the_first_and_lasts_as_long_as_it_says),
        cmocka_unit_test(interval_in_a_gap_is_empty_and_in_an_overlap_twice_as_long),
        cmocka_unit_test(change_of_clocks_is_where_an_interval_may_begin),
        cmocka_unit_test(years_beyond_the_table_follow_its_rule),
        cmocka_unit_test(numbered_weekday_counts_in_its_month_or_in_the_year),
        cmocka_unit_test(until_in_utc_is_a_time_of_utc),
        cmocka_unit_test(until_counts_to_its_end_wherever_it_is_read),
        cmocka_unit_test(clocks_of_the_south_change_over_the_new_year),
        cmocka_unit_test(recurrences_that_the_rfc_forbids_are_refused),
        cmocka_unit_test(days_count_from_the_end_of_their_month),
        cmocka_unit_test(a_day_that_is_taken_out_ends_at_midnight),
        cmocka_unit_test(an_answer_holds_until_the_next_change),
        cmocka_unit_test(what_is_wrong_is_told_at_its_place),
        cmocka_unit_test(no_rule_takes_long),
        cmocka_unit_test(machine_without_zones_knows_utc_and_says_what_to_install),
        cmocka_unit_test(the_zone_that_was_meant_is_named),
        cmocka_unit_test(a_zone_is_read_once),
        cmocka_unit_test(damaged_zone_files_are_refused),
        cmocka_unit_test(rules_behind_the_table_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

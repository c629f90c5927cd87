/*
 * history_print.c - see history_print.h.
 */
#include "daemon/history_print.h"

#include <inttypes.h>
#include <string.h>
#include "base/plural.h"
#include "daemon/plain.h"
#include "daemon/units.h"
#include "rules/civil.h"

enum { ID_DIGITS = 12, DAY_BYTES = 64 };

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static bool has(const json_t *object, const char *name)
{
    return text_of(object, name)[0] != '\0';
}

/* False: there is no such time. */
static bool time_of(const json_t *object, const char *name, int64_t *ms)
{
    struct error ignored;

    return has(object, name) && unit_parse_time(text_of(object, name), ms, &ignored) == 0;
}

static int64_t local_s(const struct history_clock *clock, int64_t ms)
{
    int64_t utc = civil_floor(ms, 1000);

    return utc + zone_offset(clock->zone, utc);
}

/* "Sun 2026-11-22" */
static void format_day(const struct history_clock *clock, int64_t ms, char to[DAY_BYTES])
{
    static const char *const names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int64_t day = civil_floor(local_s(clock, ms), DAY_S);
    struct civil civil = civil_of_day(day);

    snprintf(to, DAY_BYTES, "%s %04d-%02d-%02d", names[civil_weekday(day)], civil.year, civil.month,
             civil.day);
}

static void put_time(FILE *to, const struct history_clock *clock, const json_t *object,
                     const char *name)
{
    int64_t ms, of_day;

    if (!time_of(object, name, &ms)) {
        fputs("        ", to);
        return;
    }
    of_day = local_s(clock, ms) - DAY_S * civil_floor(local_s(clock, ms), DAY_S);
    fprintf(to, "%02d:%02d:%02d", (int)(of_day / 3600), (int)(of_day / 60 % 60),
            (int)(of_day % 60));
}

/* A line for the day, where it is another than before. */
static void put_day(FILE *to, const struct history_clock *clock, const json_t *object,
                    const char *name, char last[DAY_BYTES])
{
    char day[DAY_BYTES];
    int64_t ms;

    if (!time_of(object, name, &ms))
        return;
    format_day(clock, ms, day);
    if (strcmp(day, last) != 0)
        fprintf(to, "%s%s (%s)\n", last[0] != '\0' ? "\n" : "", day, clock->name);
    memcpy(last, day, DAY_BYTES);
}

/* How long it was open, or is. */
static void format_open(const json_t *inc, int64_t now_ms, char to[UNIT_TEXT_BYTES])
{
    int64_t from, until = now_ms;

    to[0] = '\0';
    time_of(inc, "ended_at", &until);
    if (!time_of(inc, "opened_at", &from) || until < from)
        return;
    unit_format_span((until - from) / 1000 * 1000, to);
}

/* ---- a list ---- */

static void put_field(FILE *to, const json_t *inc, const char *label, const char *name)
{
    if (!has(inc, name))
        return;
    fputs(label, to);
    plain_print(text_of(inc, name), to);
}

/* "told pager INC12, desk 4711" */
static void put_told(FILE *to, const json_t *inc)
{
    int64_t told = number_of(inc, "told"), owed = number_of(inc, "owed"),
            dead = number_of(inc, "dead");

    if (has(inc, "tickets")) {
        fputs("; ", to);
        plain_print(text_of(inc, "tickets"), to);
    } else if (told > 0) {
        fputs("; told", to);
    } else if (owed == 0 && dead == 0) {
        fputs(number_of(inc, "changes_missing") > 0 ? "; who was told is not in this history"
                                                    : "; nobody was told",
              to);
    }
    if (owed > 0)
        fprintf(to, "; %" PRId64 " not told yet", owed);
    if (dead > 0)
        fprintf(to, "; %" PRId64 " GIVEN UP", dead);
    if (has(inc, "muted_by")) {
        fputs("; muted by ", to);
        plain_print(text_of(inc, "muted_by"), to);
    }
    put_field(to, inc, "; acknowledged by ", "acked_by");
}

static void put_line(FILE *to, const json_t *inc, const struct history_clock *clock, int64_t now_ms)
{
    char span[UNIT_TEXT_BYTES];
    int64_t alerts = number_of(inc, "alerts");

    format_open(inc, now_ms, span);
    fputs("  ", to);
    put_time(to, clock, inc, "opened_at");
    plain_printf(to, "  %s %-9s %-2s %-8s ",
                 json_is_true(json_object_get(inc, "open")) ? "OPEN" : "    ", span,
                 text_of(inc, "priority"), text_of(inc, "severity"));
    plain_print(text_of(inc, "title"), to);
    fputs("\n            ", to);
    plain_printf(to, "%.*s  ", ID_DIGITS, text_of(inc, "incident"));
    plain_print(text_of(inc, "rule"), to);
    fputs(", ", to);
    plain_print(text_of(inc, "key"), to);
    fprintf(to, "; %" PRId64 " alert%s", alerts, plural((uint64_t)alerts));
    put_told(to, inc);
    fputc('\n', to);
}

void history_print_list(const json_t *list, const struct history_clock *clock, FILE *to)
{
    const json_t *item, *items = json_object_get(list, "incidents"); /* borrowed */
    char day[DAY_BYTES] = "";
    size_t i, open_count = 0;
    int64_t now_ms = 0;

    time_of(list, "as_of", &now_ms);
    json_array_foreach (items, i, item) {
        put_day(to, clock, item, "opened_at", day);
        put_line(to, item, clock, now_ms);
        open_count += json_is_true(json_object_get(item, "open"));
    }
    fprintf(to, "%s%zu incident%s, %zu open", i > 0 ? "\n" : "", i, plural(i), open_count);
    if (json_is_true(json_object_get(list, "more")))
        fputs("; there are older ones: --to or --limit shows them", to);
    if (time_of(list, "as_of", &now_ms)) {
        fputs("; as of ", to);
        put_time(to, clock, list, "as_of");
    }
    fputc('\n', to);
}

/* ---- a story ---- */

static void put_head(FILE *to, const json_t *inc, const struct history_clock *clock)
{
    int64_t now_ms = 0, ms, alerts = number_of(inc, "alerts"), events = number_of(inc, "events"),
            missing = number_of(inc, "changes_missing");
    char span[UNIT_TEXT_BYTES], day[DAY_BYTES] = "";

    time_of(inc, "as_of", &now_ms);
    format_open(inc, now_ms, span);
    fputs("incident ", to);
    plain_print(text_of(inc, "incident"), to);
    fputs("\n  ", to);
    plain_print(text_of(inc, "title"), to);
    if (time_of(inc, "opened_at", &ms))
        format_day(clock, ms, day);
    fprintf(to, "\n  %s %s ",
            json_is_true(json_object_get(inc, "open")) ? "OPEN since" : "was open from", day);
    put_time(to, clock, inc, "opened_at");
    fprintf(to, ", for %s", span);
    if (!json_is_true(json_object_get(inc, "open")))
        put_field(to, inc, ": ", "last");
    fputs("\n  ", to);
    plain_print(text_of(inc, "severity"), to);
    put_field(to, inc, " ", "priority");
    put_field(to, inc, "; rule ", "rule");
    put_field(to, inc, "; ", "key");
    put_field(to, inc, "; team ", "team");
    put_field(to, inc, "; tier ", "tier");
    fprintf(to, "\n  %" PRId64 " alert%s, %" PRId64 " still open; %" PRId64 " event%s", alerts,
            plural((uint64_t)alerts), number_of(inc, "open_alerts"), events,
            plural((uint64_t)events));
    if (json_is_true(json_object_get(inc, "open"))) {
        fputs(", as of its last change at ", to);
        put_time(to, clock, inc, "changed_at");
    }
    fputc('\n', to);
    if (has(inc, "runbook")) {
        put_field(to, inc, "  runbook ", "runbook");
        fputc('\n', to);
    }
    if (has(inc, "acked_by")) {
        put_field(to, inc, "  acknowledged by ", "acked_by");
        fputc('\n', to);
    }
    if (has(inc, "muted_by")) {
        put_field(to, inc, "  muted by ", "muted_by");
        fputc('\n', to);
    }
    if (missing > 0)
        fprintf(to,
                "  %" PRId64 " of its changes, and who was told of %s, %s not in this history\n",
                missing, missing == 1 ? "it" : "them", missing == 1 ? "is" : "are");
    fputc('\n', to);
}

/* "pager: open, done 03:12:09 after 1 retry, INC12 (sys9)" */
static void put_notification(FILE *to, const json_t *told, const struct history_clock *clock)
{
    const char *state = text_of(told, "state");
    int64_t retries = number_of(told, "retries");

    fputs("            -> ", to);
    plain_print(text_of(told, "sink"), to);
    fputs(": ", to);
    plain_print(text_of(told, "kind"), to);
    fputs(strcmp(state, "done") == 0         ? ", told at "
          : strcmp(state, "dead") == 0       ? ", GIVEN UP at "
          : strcmp(state, "superseded") == 0 ? ", told with another change, "
                                             : ", NOT TOLD YET, since ",
          to);
    put_time(to, clock, told, "at");
    if (retries > 0)
        fprintf(to, " after %" PRId64 " retr%s", retries, retries == 1 ? "y" : "ies");
    put_field(to, told, "; ticket ", "ticket");
    if (has(told, "reference") && strcmp(text_of(told, "reference"), text_of(told, "ticket")) != 0)
        put_field(to, told, "; there ", "reference");
    put_field(to, told, ": ", "reason");
    if (json_is_true(json_object_get(told, "may_exist")) && strcmp(state, "done") != 0)
        fputs("; it may have been told all the same", to);
    fputc('\n', to);
}

static void put_change(FILE *to, const json_t *change, const struct history_clock *clock,
                       const char *title)
{
    int64_t alerts = number_of(change, "alerts");
    const json_t *told; /* borrowed */
    size_t i;

    fputs("  ", to);
    put_time(to, clock, change, "at");
    fputs("  ", to);
    plain_print(text_of(change, "change"), to);
    if (strcmp(text_of(change, "change"), "opened") != 0)
        put_field(to, change, ", ", "cause");
    put_field(to, change, " by ", "by");
    fprintf(to, ": %" PRId64 " alert%s, %" PRId64 " open, ", alerts, plural((uint64_t)alerts),
            number_of(change, "open_alerts"));
    plain_print(text_of(change, "severity"), to);
    put_field(to, change, " ", "priority");
    fputc('\n', to);
    if (strcmp(text_of(change, "title"), title) != 0) {
        put_field(to, change, "            \"", "title");
        fputs("\"\n", to);
    }
    if (has(change, "why") && number_of(change, "number") == 1) {
        put_field(to, change, "            because ", "why");
        fputc('\n', to);
    }
    if (has(change, "comment")) {
        put_field(to, change, "            \"", "comment");
        fputs("\"\n", to);
    }
    if (has(change, "muted_by")) {
        put_field(to, change, "            muted by ", "muted_by");
        fputc('\n', to);
    }
    json_array_foreach (json_object_get(change, "told"), i, told)
        put_notification(to, told, clock);
}

/* "03:12:07  critical  prom db01 disk (db01.example.org)" */
static void put_member(FILE *to, const json_t *member, const struct history_clock *clock)
{
    const char *host = text_of(member, "host"), *resource = text_of(member, "resource");

    fputs("  ", to);
    put_time(to, clock, member, "at");
    plain_printf(to, "  %-8s ", text_of(member, "severity"));
    plain_print(text_of(member, "source"), to);
    put_field(to, member, " ", "resource");
    put_field(to, member, " ", "check");
    put_field(to, member, " ", "dedup_key");
    if (host[0] != '\0' && strcmp(host, resource) != 0) {
        put_field(to, member, " on ", "host");
    }
    fputc('\n', to);
}

static void put_members(FILE *to, const json_t *story, const struct history_clock *clock)
{
    const json_t *member, *members = json_object_get(story, "members"); /* borrowed */
    /* Words are at hand of all but some that it opened with. */
    int64_t others = number_of(json_array_get(json_object_get(story, "timeline"), 0), "alerts");
    const char *opened = text_of(story, "opened_at");
    char day[DAY_BYTES] = "";
    size_t i;

    fputs("\nAlerts, from when on they are in it\n", to);
    json_array_foreach (members, i, member) {
        put_day(to, clock, member, "at", day);
        put_member(to, member, clock);
        others -= strcmp(text_of(member, "at"), opened) == 0;
    }
    if (others > 0)
        fprintf(to, "  %s%" PRId64 " of which no words are kept\n", i > 0 ? "and " : "", others);
}

void history_print_story(const json_t *story, const struct history_clock *clock, FILE *to)
{
    const json_t *change; /* borrowed */
    const char *title = text_of(story, "title");
    char day[DAY_BYTES] = "";
    size_t i;

    put_head(to, story, clock);
    json_array_foreach (json_object_get(story, "timeline"), i, change) {
        put_day(to, clock, change, "at", day);
        put_change(to, change, clock, title);
        title = text_of(change, "title");
    }
    put_members(to, story, clock);
    if (json_is_true(json_object_get(story, "more")))
        fputs("  ... and more, which are not shown\n", to);
}

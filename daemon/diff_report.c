/* diff_report.c - see diff_report.h. */
#include "daemon/diff_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/plural.h"
#include "daemon/json_print.h"
#include "daemon/plain.h"
#include "daemon/units.h"
#include "rules/value.h"

#define DAY_MS 86400000.0

static const char *const side_names[DIFF_SIDES] = {"old", "new"};

static uint64_t changes_of(const struct diff_row *row)
{
    uint64_t count = 0;

    for (int k = 0; k < DIFF_KINDS; k++)
        count += row->changed[k];
    return count;
}

bool diff_report_is_changed(const struct diff_report *report)
{
    return changes_of(&report->result->total) > 0;
}

static int64_t span_ms(const struct diff_report *report)
{
    return report->from_ms < report->to_ms ? report->to_ms - report->from_ms : 0;
}

static int64_t page_delta(const struct diff_row *row)
{
    return (int64_t)(row->pages[DIFF_NEW] - row->pages[DIFF_OLD]);
}

static double per_day(const struct diff_report *report, int64_t count)
{
    return (double)count * DAY_MS / (double)span_ms(report);
}

/* ---- for people ---- */

/* 16m40s600ms, not 1000600ms. */
static void print_span(int64_t ms, FILE *to)
{
    char span[DURATION_TEXT_BYTES];

    fwrite(span, 1, duration_print(ms, span), to);
}

/* What is reckoned from less than a day says so. */
static void print_per_day(const struct diff_report *report, int64_t count, FILE *to)
{
    fprintf(to, "%+.1f a day", per_day(report, count));
    if ((double)span_ms(report) < DAY_MS) {
        fputs(" reckoned from ", to);
        print_span(span_ms(report), to);
    }
}

static void print_row(const struct diff_report *report, const struct diff_row *row, FILE *to)
{
    int64_t delta = page_delta(row);

    plain_printf(to, "  %-34s incidents %" PRIu64 " -> %" PRIu64 ", pages %" PRIu64 " -> %" PRIu64,
                 row->name[0] != '\0' ? row->name : "(none)", row->incidents[DIFF_OLD],
                 row->incidents[DIFF_NEW], row->pages[DIFF_OLD], row->pages[DIFF_NEW]);
    if (delta != 0 && span_ms(report) > 0) {
        fputs(" (", to);
        print_per_day(report, delta, to);
        fputc(')', to);
    }
    for (int k = 0; k < DIFF_KINDS; k++)
        if (row->changed[k] > 0)
            fprintf(to, ", %" PRIu64 " %s", row->changed[k], diff_kind_words((enum diff_kind)k));
    fputc('\n', to);
}

/* ---- what a pair differs in ---- */

/* What an incident is compared by, in the order in which it is told. */
enum aspect {
    ASPECT_RULE,
    ASPECT_KEY,
    ASPECT_TITLE,
    ASPECT_TEAM,
    ASPECT_TIER,
    ASPECT_RUNBOOK,
    ASPECT_PRIORITY,
    ASPECT_SEVERITY,
    ASPECT_TOLD,
    ASPECT_TOLD_AT,
    ASPECT_OPENED,
    ASPECT_CLOSED,
    ASPECTS
};

static const struct {
    const char *json, *text;
} aspects[ASPECTS] = {
    [ASPECT_RULE] = {"rule", "rule"},
    [ASPECT_KEY] = {"key", "key"},
    [ASPECT_TITLE] = {"title", "title"},
    [ASPECT_TEAM] = {"team", "team"},
    [ASPECT_TIER] = {"tier", "tier"},
    [ASPECT_RUNBOOK] = {"runbook", "runbook"},
    [ASPECT_PRIORITY] = {"priority", "priority"},
    [ASPECT_SEVERITY] = {"severity", "severity"},
    [ASPECT_TOLD] = {"sinks", "told"},
    [ASPECT_TOLD_AT] = {"told", "told at"},
    [ASPECT_OPENED] = {"opened", "opened"},
    [ASPECT_CLOSED] = {"closed", "closed"},
};

/* An aspect that is text; "" where the rule gives none, NULL where it is none. */
static const char *aspect_text(const struct diff_incident *incident, enum aspect aspect)
{
    const struct incident *opened = incident->opened;

    switch (aspect) {
    case ASPECT_RULE:
        return opened->rule_id;
    case ASPECT_KEY:
        return opened->key;
    case ASPECT_TITLE:
        return opened->title;
    case ASPECT_TEAM:
        return opened->team;
    case ASPECT_TIER:
        return opened->tier;
    case ASPECT_RUNBOOK:
        return opened->runbook;
    case ASPECT_PRIORITY:
        return priority_name((enum priority)opened->priority);
    case ASPECT_SEVERITY:
        return severity_name((enum severity)incident->severity);
    default:
        return NULL;
    }
}

static bool aspect_differs(const struct diff_incident *old, const struct diff_incident *new,
                           enum aspect aspect)
{
    if (aspect == ASPECT_TOLD)
        return old->sinks != new->sinks;
    if (aspect == ASPECT_TOLD_AT) /* of who was never told, ASPECT_TOLD says it */
        return old->told_ms != new->told_ms &&
               old->told_ms != DIFF_UNTOLD &&new->told_ms != DIFF_UNTOLD;
    if (aspect == ASPECT_OPENED)
        return old->opened->opened_ms != new->opened->opened_ms;
    if (aspect == ASPECT_CLOSED)
        return old->closed_ms != new->closed_ms;
    return strcmp(aspect_text(old, aspect), aspect_text(new, aspect)) != 0;
}

static bool is_pair(const struct diff_example *example)
{
    return example->count[DIFF_OLD] == 1 && example->count[DIFF_NEW] == 1;
}

static void print_told(const struct diff_report *report, uint64_t sinks, FILE *to)
{
    const char *between = "";

    for (size_t i = 0; i < report->sink_count && i < 64; i++)
        if (sinks >> i & 1) {
            fprintf(to, "%s%s", between, report->sink_names[i]);
            between = ", ";
        }
    if (sinks == 0)
        fputs("nobody", to);
}

/* A time, or `word` where there is none. */
static void print_time(int64_t at_ms, const char *word, FILE *to)
{
    char time[UNIT_TEXT_BYTES];

    fputs(at_ms == INT64_MAX ? word : unit_format_time(at_ms, time), to);
}

static void print_aspect(const struct diff_report *report, const struct diff_incident *incident,
                         enum aspect aspect, FILE *to)
{
    const char *text = aspect_text(incident, aspect);

    if (aspect == ASPECT_TOLD)
        print_told(report, incident->sinks, to);
    else if (aspect == ASPECT_OPENED)
        print_time(incident->opened->opened_ms, "", to);
    else if (aspect == ASPECT_TOLD_AT)
        print_time(incident->told_ms, "", to);
    else if (aspect == ASPECT_CLOSED)
        print_time(incident->closed_ms, "open", to);
    else
        plain_print(text[0] != '\0' ? text : "none", to);
}

static void print_differs(const struct diff_report *report, const struct diff_example *example,
                          FILE *to)
{
    const struct diff_incident *old = &example->shown[DIFF_OLD][0];
    const struct diff_incident *new = &example->shown[DIFF_NEW][0];
    const char *between = "    ";

    for (int a = 0; a < ASPECTS; a++) {
        if (!aspect_differs(old, new, (enum aspect)a))
            continue;
        fprintf(to, "%s%s ", between, aspects[a].text);
        print_aspect(report, old, (enum aspect)a, to);
        fputs(" -> ", to);
        print_aspect(report, new, (enum aspect)a, to);
        between = "; ";
    }
    fputc('\n', to);
}

/* Whom it concerns and what they are to do, which decides whether a change is meant. */
static void print_route(const struct diff_report *report, const struct diff_incident *incident,
                        FILE *to)
{
    const struct incident *opened = incident->opened;

    plain_printf(to, "      %s%s, ", opened->team[0] != '\0' ? "team " : "no team", opened->team);
    if (opened->tier[0] != '\0')
        plain_printf(to, "tier %s, ", opened->tier);
    plain_printf(to, "%s%s; %s; told ", opened->runbook[0] != '\0' ? "runbook " : "no runbook",
                 opened->runbook, severity_name((enum severity)incident->severity));
    print_told(report, incident->sinks, to);
    if (incident->told_ms != DIFF_UNTOLD && incident->told_ms > opened->opened_ms) {
        fputs(" after ", to);
        print_span(incident->told_ms - opened->opened_ms, to);
    }
    fputc('\n', to);
}

static void print_incident(const struct diff_report *report, const struct diff_incident *incident,
                           enum diff_side side, FILE *to)
{
    const struct incident *opened = incident->opened;
    char from[UNIT_TEXT_BYTES];

    plain_printf(to, "    %c %s [%s %s] %s .. ", side == DIFF_OLD ? '-' : '+', opened->title,
                 priority_name((enum priority)opened->priority), opened->rule_id,
                 unit_format_time(opened->opened_ms, from));
    print_time(incident->closed_ms, "open", to);
    fputc('\n', to);
    print_route(report, incident, to);
    plain_printf(to, "      %s; %s; %" PRIu32 " alert%s, %" PRIu32 " page%s", opened->key,
                 opened->why, incident->alert_count, plural(incident->alert_count), incident->pages,
                 plural(incident->pages));
    fputc('\n', to);
}

static void print_example(const struct diff_report *report, const struct diff_example *example,
                          FILE *to)
{
    for (int s = 0; s < DIFF_SIDES; s++) {
        for (size_t i = 0; i < example->count[s] && i < DIFF_SHOWN; i++)
            print_incident(report, &example->shown[s][i], (enum diff_side)s, to);
        if (example->count[s] > DIFF_SHOWN)
            fprintf(to, "    %c and %zu more\n", s == DIFF_OLD ? '-' : '+',
                    example->count[s] - DIFF_SHOWN);
    }
    if (is_pair(example))
        print_differs(report, example, to);
}

static void print_kinds(unsigned kinds, FILE *to)
{
    const char *between = "  ";

    for (int k = 0; k < DIFF_KINDS; k++)
        if (kinds >> k & 1) {
            fprintf(to, "%s%s", between, diff_kind_words((enum diff_kind)k));
            between = ", ";
        }
    fputs(":\n", to);
}

void diff_report_print_text(const struct diff_report *report, FILE *to)
{
    const struct diff_result *result = report->result;

    for (int s = 0; s < DIFF_SIDES; s++)
        fprintf(to, "%s %s (%" PRIu32 " rule%s)\n", s == DIFF_OLD ? "---" : "+++", report->rules[s],
                report->rule_count[s], plural(report->rule_count[s]));
    fprintf(to, "%" PRIu64 " event%s over ", report->engine[DIFF_OLD].events,
            plural(report->engine[DIFF_OLD].events));
    print_span(span_ms(report), to);
    fputc('\n', to);
    fprintf(to,
            "incidents %" PRIu64 " -> %" PRIu64 ", %" PRIu64 " the same; pages %" PRIu64
            " -> %" PRIu64,
            result->total.incidents[DIFF_OLD], result->total.incidents[DIFF_NEW],
            result->total.same, result->total.pages[DIFF_OLD], result->total.pages[DIFF_NEW]);
    if (span_ms(report) > 0) {
        fputs(", ", to);
        print_per_day(report, page_delta(&result->total), to);
    }
    fputc('\n', to);
    if (result->nearest_only > 0)
        fprintf(to,
                "note: %" PRIu64 " incident%s shared an alert with more than were looked at; "
                "matched with the nearest\n",
                result->nearest_only, plural(result->nearest_only));
    if (!diff_report_is_changed(report)) {
        fputs("nothing changed\n", to);
        return;
    }
    for (int k = 0; k < DIFF_KINDS; k++)
        if (result->total.changed[k] > 0)
            fprintf(to, "  %-12s %" PRIu64 "\n", diff_kind_words((enum diff_kind)k),
                    result->total.changed[k]);
    fputs("rules\n", to);
    for (size_t i = 0; i < result->rule_count; i++)
        if (changes_of(&result->rules[i]) > 0)
            print_row(report, &result->rules[i], to);
    fputs("teams\n", to);
    for (size_t i = 0; i < result->team_count; i++)
        if (changes_of(&result->teams[i]) > 0)
            print_row(report, &result->teams[i], to);
    fputs("examples\n", to);
    for (int k = 0; k < DIFF_KINDS; k++)
        for (size_t i = 0; i < result->rule_count; i++)
            for (size_t e = 0; e < result->rules[i].example_count[k]; e++) {
                print_kinds(result->rules[i].examples[k][e].kinds, to);
                print_example(report, &result->rules[i].examples[k][e], to);
            }
}

/* ---- for programs ---- */

static json_t *json_count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* Null where there is none. */
static json_t *json_time(int64_t at_ms)
{
    return at_ms == INT64_MAX ? json_null() : json_integer((json_int_t)at_ms);
}

static json_t *json_pages(const struct diff_report *report, const struct diff_row *row)
{
    json_t *pages = json_object();

    for (int s = 0; s < DIFF_SIDES; s++)
        json_object_set_new(pages, side_names[s], json_count(row->pages[s]));
    json_object_set_new(pages, "delta", json_integer(page_delta(row)));
    json_object_set_new(pages, "delta_per_day",
                        span_ms(report) > 0 ? json_real(per_day(report, page_delta(row)))
                                            : json_null());
    return pages;
}

/* Adds what every row has. */
static json_t *json_row(const struct diff_report *report, const struct diff_row *row,
                        json_t *object)
{
    json_t *incidents = json_object(), *changes = json_object();

    for (int s = 0; s < DIFF_SIDES; s++)
        json_object_set_new(incidents, side_names[s], json_count(row->incidents[s]));
    for (int k = 0; k < DIFF_KINDS; k++)
        json_object_set_new(changes, diff_kind_name((enum diff_kind)k),
                            json_count(row->changed[k]));
    json_object_set_new(object, "incidents", incidents);
    json_object_set_new(object, "same", json_count(row->same));
    json_object_set_new(object, "changes", changes);
    json_object_set_new(object, "pages", json_pages(report, row));
    return object;
}

static json_t *json_sinks(const struct diff_report *report, uint64_t sinks)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->sink_count && i < 64; i++)
        if (sinks >> i & 1)
            json_array_append_new(list, json_string(report->sink_names[i]));
    return list;
}

static json_t *json_incident(const struct diff_report *report, const struct diff_incident *incident)
{
    const struct incident *opened = incident->opened;
    char id[ID128_TEXT_BYTES];

    id128_format(opened->id, id);
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:o,s:I,s:I,s:I,s:o,s:o}",
                     "incident", id, "rule", opened->rule_id, "tenant", opened->tenant, "key",
                     opened->key, "team", opened->team, "tier", opened->tier, "runbook",
                     opened->runbook, "priority", priority_name((enum priority)opened->priority),
                     "severity", severity_name((enum severity)incident->severity), "title",
                     opened->title, "why", opened->why, "opened", (json_int_t)opened->opened_ms,
                     "closed", json_time(incident->closed_ms), "events",
                     (json_int_t)incident->event_count, "alerts", (json_int_t)incident->alert_count,
                     "pages", (json_int_t)incident->pages, "sinks",
                     json_sinks(report, incident->sinks), "told", json_time(incident->told_ms));
}

static json_t *json_aspect(const struct diff_report *report, const struct diff_incident *incident,
                           enum aspect aspect)
{
    switch (aspect) {
    case ASPECT_TOLD:
        return json_sinks(report, incident->sinks);
    case ASPECT_OPENED:
        return json_integer((json_int_t)incident->opened->opened_ms);
    case ASPECT_CLOSED:
        return json_time(incident->closed_ms);
    case ASPECT_TOLD_AT:
        return json_time(incident->told_ms);
    default:
        return json_string(aspect_text(incident, aspect));
    }
}

/* What a pair differs in: name -> [old, new]. */
static json_t *json_differs(const struct diff_report *report, const struct diff_example *example)
{
    const struct diff_incident *old = &example->shown[DIFF_OLD][0];
    const struct diff_incident *new = &example->shown[DIFF_NEW][0];
    json_t *object = json_object();

    for (int a = 0; a < ASPECTS; a++) {
        json_t *both;
        if (!aspect_differs(old, new, (enum aspect)a))
            continue;
        both = json_array();
        json_array_append_new(both, json_aspect(report, old, (enum aspect)a));
        json_array_append_new(both, json_aspect(report, new, (enum aspect)a));
        json_object_set_new(object, aspects[a].json, both);
    }
    return object;
}

static json_t *json_example(const struct diff_report *report, const struct diff_example *example)
{
    json_t *object = json_object(), *kinds = json_array();

    for (int k = 0; k < DIFF_KINDS; k++)
        if (example->kinds >> k & 1)
            json_array_append_new(kinds, json_string(diff_kind_name((enum diff_kind)k)));
    json_object_set_new(object, "kinds", kinds);
    for (int s = 0; s < DIFF_SIDES; s++) {
        json_t *list = json_array();
        for (size_t i = 0; i < example->count[s] && i < DIFF_SHOWN; i++)
            json_array_append_new(list, json_incident(report, &example->shown[s][i]));
        json_object_set_new(object, side_names[s], list);
        json_object_set_new(object, s == DIFF_OLD ? "old_count" : "new_count",
                            json_count(example->count[s]));
    }
    if (is_pair(example))
        json_object_set_new(object, "differs", json_differs(report, example));
    return object;
}

static json_t *json_side(const struct diff_report *report, enum diff_side side)
{
    const struct engine_counters *engine = &report->engine[side];

    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I}", "name", report->rules[side], "rules",
                     (json_int_t)report->rule_count[side], "events", (json_int_t)engine->events,
                     "undated", (json_int_t)engine->undated, "incidents",
                     (json_int_t)engine->opened, "open", (json_int_t)engine->open);
}

static json_t *json_rows(const struct diff_report *report, const char *word,
                         const struct diff_row *rows, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *object = json_object();
        json_object_set_new(object, word, json_string(rows[i].name));
        json_array_append_new(list, json_row(report, &rows[i], object));
    }
    return list;
}

bool diff_report_print_json(const struct diff_report *report, FILE *to)
{
    const struct diff_result *result = report->result;
    json_t *root = json_object(), *examples = json_array(); /* all ours */

    json_object_set_new(root, "schema", json_string("tocsin-diff/1"));
    json_object_set_new(root, "changed", json_boolean(diff_report_is_changed(report)));
    json_object_set_new(root, "span",
                        span_ms(report) > 0
                            ? json_pack("{s:I,s:I}", "from", (json_int_t)report->from_ms, "to",
                                        (json_int_t)report->to_ms)
                            : json_null());
    json_object_set_new(root, "near_ms", json_integer(report->near_ms));
    json_object_set_new(root, "nearest_only", json_count(result->nearest_only));
    for (int s = 0; s < DIFF_SIDES; s++)
        json_object_set_new(root, side_names[s], json_side(report, (enum diff_side)s));
    json_row(report, &result->total, root);
    json_object_set_new(root, "rules",
                        json_rows(report, "rule", result->rules, result->rule_count));
    json_object_set_new(root, "teams",
                        json_rows(report, "team", result->teams, result->team_count));
    for (int k = 0; k < DIFF_KINDS; k++)
        for (size_t i = 0; i < result->rule_count; i++)
            for (size_t e = 0; e < result->rules[i].example_count[k]; e++)
                json_array_append_new(examples,
                                      json_example(report, &result->rules[i].examples[k][e]));
    json_object_set_new(root, "examples", examples); /* stolen */
    return json_print(root, JSON_INDENT(2), to);
}

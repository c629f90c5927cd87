/* rule_test_report.c - see rule_test_report.h. */
#include "daemon/rule_test_report.h"
#include "daemon/json_print.h"
#include "daemon/plain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN_MIN = 16, COLUMN_MAX = 48, TEXT_BYTES = 640 };

bool rule_test_outcome_passed(const struct rule_test_outcome *outcome)
{
    return outcome->trouble == NULL && outcome->result->finding_count == 0 &&
           !outcome->result->out_of_memory;
}

/* ---- for a person ---- */

static void print_place(struct span span, FILE *to)
{
    struct place place = rule_test_place(span);

    fprintf(to, "%s:%" PRIu32 ":%" PRIu32, span.script->name, place.line, place.column);
}

/* "rule disk-full, key tenant=default host=a, opened at 1m, closed at 6m (cleared): title" */
static void print_incident(const struct rule_test *test, const struct rule_test_incident *incident,
                           FILE *to)
{
    const struct incident *first = incident->change[0];
    const struct incident *last = incident->change[incident->change_count - 1];
    char text[RULE_TEST_TIME_BYTES];

    plain_printf(to, "rule %s, key %s, %s%sopened at %s, ", first->rule_id, first->key,
                 priority_name((enum priority)first->priority), first->priority != 0 ? ", " : "",
                 rule_test_format_time(first->at_ms - test->settings.start_ms, text));
    if (first->muted_by[0] != '\0')
        plain_printf(to, "muted by %s, ", first->muted_by);
    if (last->change == INCIDENT_CLOSED)
        fprintf(to, "closed at %s (%s)",
                rule_test_format_time(last->at_ms - test->settings.start_ms, text),
                incident_cause_name(last->cause));
    else
        fprintf(to, "still open");
    plain_printf(to, ": \"%s\"", first->title);
}

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static void print_said(const char *begin, const char *said, FILE *to)
{
    fputs(begin, to);
    plain_print(said, to);
    fputc('\n', to);
}

/* The text on one line, filled up with blanks. */
static void print_cell(const char *text, size_t width, FILE *to)
{
    size_t length = characters(text);

    plain_print(text, to);
    for (; length < width; length++)
        fputc(' ', to);
}

static size_t column_width(const struct rule_test_finding *finding, bool is_field)
{
    size_t width = is_field ? 0 : COLUMN_MIN;

    for (uint32_t r = 0; r < finding->row_count; r++) {
        size_t wanted = characters(is_field ? finding->row[r].field : finding->row[r].expected);
        width = wanted > width && wanted <= COLUMN_MAX ? wanted : width;
    }
    return width;
}

static void print_rows(const struct rule_test_finding *finding, FILE *to)
{
    size_t field = column_width(finding, true), expected = column_width(finding, false);

    fprintf(to, "        ");
    print_cell("", field, to);
    fprintf(to, "  ");
    print_cell("expected", expected, to);
    fprintf(to, "  got\n");
    for (uint32_t r = 0; r < finding->row_count; r++) {
        const struct rule_test_row *row = &finding->row[r];
        fprintf(to, "      %c ", row->is_met ? ' ' : '!');
        print_cell(row->field, field, to);
        fprintf(to, "  ");
        print_cell(row->expected[0] != '\0' ? row->expected : "\"\"", expected, to);
        fprintf(to, "  ");
        print_cell(row->got[0] != '\0' ? row->got : "\"\"", 0, to);
        if (!row->is_met) {
            struct place place = rule_test_place(row->place);
            fprintf(to, "   (line %" PRIu32 ")", place.line);
        }
        fputc('\n', to);
    }
}

static void print_why(const struct rule_test_incident *incident, FILE *to)
{
    plain_printf(to, "      it opened because: %s", incident->change[0]->why);
    fputc('\n', to);
}

static void print_lines(const struct rule_test_finding *finding, FILE *to)
{
    for (uint32_t l = 0; l < finding->line_count; l++) {
        fprintf(to, "        ");
        print_cell(finding->line[l], 0, to);
        fputc('\n', to);
    }
}

/* What of an expectation says which incident is meant. */
static void print_wanted(const struct rule_test_expectation *expectation, FILE *to)
{
    if (expectation->rule != NULL)
        plain_printf(to, " of rule %s", expectation->rule->text.at);
    if (expectation->key != NULL && expectation->key->kind == YAML_SCALAR)
        plain_printf(to, ", key %s", expectation->key->text.at);
    for (const struct yaml_node *at = expectation->key != NULL ? expectation->key->first : NULL;
         at != NULL; at = at->next)
        plain_printf(to, "%s%s=%s", at == expectation->key->first ? ", key " : " ",
                     at->key->text.at, at->text.at);
    if (expectation->opened.at.node != NULL)
        plain_printf(to, ", opened at %s", expectation->opened.at.node->text.at);
}

static void print_finding(const struct rule_test_outcome *outcome,
                          const struct rule_test_finding *finding, FILE *to)
{
    fprintf(to, "  ");
    print_place(finding->place, to);
    switch (finding->kind) {
    case FINDING_DIFFERS:
        fprintf(to, ": the incident differs\n");
        print_rows(finding, to);
        print_why(finding->incident, to);
        break;
    case FINDING_MISSING:
        fprintf(to, ": no incident");
        print_wanted(finding->expectation, to);
        fputc('\n', to);
        if (finding->said[0] != '\0')
            print_said("      ", finding->said, to);
        break;
    case FINDING_EXTRA:
    case FINDING_FORBIDDEN:
        fprintf(to, finding->kind == FINDING_EXTRA ? ": an incident that is not expected: "
                                                   : ": an incident that must not be: ");
        print_incident(outcome->test, finding->incident, to);
        fputc('\n', to);
        print_why(finding->incident, to);
        break;
    case FINDING_COUNT:
        print_said(": ", finding->said, to);
        break;
    }
    print_lines(finding, to);
}

static void print_findings(const struct rule_test_outcome *outcome, FILE *to)
{
    if (outcome->trouble != NULL) {
        fprintf(to, "  ");
        print_place(outcome->test->node->span, to);
        print_said(": ", outcome->trouble, to);
        return;
    }
    for (uint32_t f = 0; f < outcome->result->finding_count; f++)
        print_finding(outcome, &outcome->result->finding[f], to);
    if (outcome->result->out_of_memory)
        fprintf(to, "  out of memory: not all is shown\n");
}

void rule_test_report_text(const struct rule_test_outcome *outcome, bool verbose, FILE *to)
{
    bool passed = rule_test_outcome_passed(outcome);

    if (passed && !verbose)
        return;
    plain_printf(to, "%s %s: %s", passed ? "pass" : "FAIL", outcome->file->script.name,
                 outcome->test->name);
    fputc('\n', to);
    print_findings(outcome, to);
    for (uint32_t i = 0; verbose && outcome->run != NULL && i < outcome->run->incident_count; i++) {
        fprintf(to, "    ");
        print_incident(outcome->test, &outcome->run->incident[i], to);
        fputc('\n', to);
        print_why(&outcome->run->incident[i], to);
    }
}

/* ---- JSON ---- */

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, json_shown(text));
}

static void set_place(json_t *object, struct span span)
{
    struct place place = rule_test_place(span);

    set_text(object, "file", span.script->name);
    json_object_set_new(object, "line", json_integer(place.line));
    json_object_set_new(object, "column", json_integer(place.column));
}

static json_t *incident_json(const struct rule_test *test,
                             const struct rule_test_incident *incident)
{
    const struct incident *first = incident->change[0];
    const struct incident *last = incident->change[incident->change_count - 1];
    bool is_closed = last->change == INCIDENT_CLOSED;
    json_t *object = json_object();

    set_text(object, "rule", first->rule_id);
    set_text(object, "key", first->key);
    set_text(object, "title", first->title);
    set_text(object, "priority", priority_name((enum priority)first->priority));
    set_text(object, "severity", severity_name((enum severity)last->severity));
    json_object_set_new(object, "opened_ms", json_integer(first->at_ms - test->settings.start_ms));
    json_object_set_new(object, "closed_ms",
                        is_closed ? json_integer(last->at_ms - test->settings.start_ms)
                                  : json_null());
    json_object_set_new(object, "cause",
                        is_closed ? json_string(incident_cause_name(last->cause)) : json_null());
    json_object_set_new(object, "alerts", json_integer(last->alert_count));
    json_object_set_new(object, "events", json_integer((json_int_t)last->event_count));
    json_object_set_new(object, "open", json_integer(last->open_count));
    set_text(object, "why", first->why);
    set_text(object, "muted_by", first->muted_by);
    return object;
}

static json_t *finding_json(const struct rule_test_outcome *outcome,
                            const struct rule_test_finding *finding)
{
    json_t *object = json_object(), *rows = json_array(), *lines = json_array();

    set_text(object, "kind", rule_test_finding_name(finding->kind));
    set_place(object, finding->place);
    for (uint32_t r = 0; r < finding->row_count; r++) {
        const struct rule_test_row *row = &finding->row[r];
        json_t *item = json_object();
        set_text(item, "field", row->field);
        set_text(item, "expected", row->expected);
        set_text(item, "got", row->got);
        json_object_set_new(item, "met", json_boolean(row->is_met));
        set_place(item, row->place);
        json_array_append_new(rows, item);
    }
    json_object_set_new(object, "rows", rows);
    if (finding->incident != NULL)
        json_object_set_new(object, "incident", incident_json(outcome->test, finding->incident));
    if (finding->said[0] != '\0')
        set_text(object, "said", finding->said);
    for (uint32_t l = 0; l < finding->line_count; l++)
        json_array_append_new(lines, json_shown(finding->line[l]));
    json_object_set_new(object, "why", lines);
    return object;
}

json_t *rule_test_report_json(const struct rule_test_outcome *outcome)
{
    json_t *object = json_object(), *findings = json_array(), *incidents = json_array();

    set_text(object, "name", outcome->test->name);
    set_place(object, outcome->test->node->span);
    json_object_set_new(object, "passed", json_boolean(rule_test_outcome_passed(outcome)));
    json_object_set_new(object, "seconds", json_real((double)outcome->elapsed_ns / 1e9));
    if (outcome->trouble != NULL)
        set_text(object, "trouble", outcome->trouble);
    for (uint32_t f = 0; outcome->result != NULL && f < outcome->result->finding_count; f++)
        json_array_append_new(findings, finding_json(outcome, &outcome->result->finding[f]));
    for (uint32_t i = 0; outcome->run != NULL && i < outcome->run->incident_count; i++)
        json_array_append_new(incidents, incident_json(outcome->test, &outcome->run->incident[i]));
    json_object_set_new(object, "findings", findings);
    json_object_set_new(object, "incidents", incidents);
    return object;
}

/* ---- JUnit ---- */

static void print_xml(const char *text, FILE *to)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        /* U+FFFE and U+FFFF are characters for UTF-8 and none for XML. */
        if (strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0)
            text += 2;
        else if (c == '&' || c == '<' || c == '>' || c == '"')
            fprintf(to, "&#%d;", c);
        else if (c >= 0x20 || c == '\n' || c == '\t')
            fputc(c, to);
    }
}

void rule_test_report_xml_text(const char *text, FILE *to)
{
    char *shown = NULL;
    size_t bytes = 0;
    FILE *copy = open_memstream(&shown, &bytes);

    if (copy != NULL) {
        plain_print_utf8(text, copy);
        fclose(copy);
    }
    print_xml(shown != NULL ? shown : "(out of memory)", to);
    free(shown);
}

void rule_test_report_junit(const struct rule_test_outcome *outcome, FILE *to)
{
    struct place place = rule_test_place(outcome->test->node->span);
    char *text = NULL;
    size_t bytes = 0;
    FILE *lines;

    fprintf(to, "    <testcase name=\"");
    rule_test_report_xml_text(outcome->test->name, to);
    fprintf(to, "\" classname=\"");
    rule_test_report_xml_text(outcome->file->script.name, to);
    fprintf(to, "\" file=\"");
    rule_test_report_xml_text(outcome->file->script.name, to);
    fprintf(to, "\" line=\"%" PRIu32 "\" time=\"%.6f\"", place.line,
            (double)outcome->elapsed_ns / 1e9);
    if (rule_test_outcome_passed(outcome)) {
        fprintf(to, "/>\n");
        return;
    }
    fprintf(to, ">\n      <%s message=\"", outcome->trouble != NULL ? "error" : "failure");
    if (outcome->trouble != NULL)
        rule_test_report_xml_text(outcome->trouble, to);
    else
        fprintf(to, "%" PRIu32 " expectation%s not met", outcome->result->finding_count,
                outcome->result->finding_count == 1 ? " is" : "s are");
    fprintf(to, "\">");
    lines = open_memstream(&text, &bytes);
    if (lines != NULL) {
        print_findings(outcome, lines);
        fclose(lines);
        rule_test_report_xml_text(text, to);
    }
    free(text);
    fprintf(to, "</%s>\n    </testcase>\n", outcome->trouble != NULL ? "error" : "failure");
}

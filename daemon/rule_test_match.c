/* rule_test_match.c - see rule_test_match.h. */
#include "daemon/rule_test_match.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test_json.h"
#include "daemon/units.h"
#include "rules/fields.h"

enum { FIELD_BYTES = 64 };

const char *rule_test_format_time(int64_t ms, char to[RULE_TEST_TIME_BYTES])
{
    _Static_assert((int)RULE_TEST_TIME_BYTES >= (int)UNIT_TEXT_BYTES, "a span fits");
    return unit_format_span(ms, to);
}

/* ---- rows ---- */

static const char *copy(struct rule_test_rows *rows, const char *text)
{
    const char *kept = arena_copy(rows->arena, text, strlen(text));

    rows->out_of_memory |= kept == NULL;
    return kept != NULL ? kept : "";
}

void rule_test_rows_add(struct rule_test_rows *rows, const char *field, struct span place,
                        bool is_met, const char *expected, const char *got)
{
    rows->unmet += !is_met;
    if (rows->arena == NULL)
        return;
    if (rows->count == rows->room) {
        uint32_t room = rows->room == 0 ? 16 : 2 * rows->room;
        struct rule_test_row *larger = arena_alloc_many(rows->arena, room, sizeof(*larger));
        if (larger == NULL) {
            rows->out_of_memory = true;
            return;
        }
        if (rows->count > 0)
            memcpy(larger, rows->row, rows->count * sizeof(*larger));
        rows->row = larger;
        rows->room = room;
    }
    rows->row[rows->count++] = (struct rule_test_row){copy(rows, field), copy(rows, expected),
                                                      copy(rows, got), place, is_met};
}

static void add_text(struct rule_test_rows *rows, const char *field, const struct yaml_node *node,
                     const char *got)
{
    const struct yaml_node *part = node->kind == YAML_MAP ? node->first : NULL;
    char expected[512];

    if (part == NULL) {
        rule_test_rows_add(rows, field, node->span, text_equals(node->text, got), node->text.at,
                           got);
        return;
    }
    snprintf(expected, sizeof(expected), "...%s...", part->text.at);
    rule_test_rows_add(rows, field, node->span, strstr(got, part->text.at) != NULL, expected, got);
}

/* ---- rule and key ---- */

/* Whether "name=value" stands in the key's text, as one of its pairs. */
static bool key_has(const char *key, const char *name, const char *value)
{
    size_t name_bytes = strlen(name), value_bytes = strlen(value);

    for (const char *at = key; (at = strstr(at, name)) != NULL; at++)
        if ((at == key || at[-1] == ' ') && at[name_bytes] == '=' &&
            strncmp(at + name_bytes + 1, value, value_bytes) == 0 &&
            (at[name_bytes + 1 + value_bytes] == '\0' || at[name_bytes + 1 + value_bytes] == ' '))
            return true;
    return false;
}

static bool key_matches(const struct yaml_node *node, const char *key)
{
    if (node->kind != YAML_MAP)
        return text_equals(node->text, key);
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next)
        if (!key_has(key, at->key->text.at, at->text.at))
            return false;
    return true;
}

bool rule_test_match_key(const struct rule_test_expectation *expectation, const char *key)
{
    return expectation->key == NULL || key_matches(expectation->key, key);
}

bool rule_test_match_is_same(const struct rule_test_expectation *expectation,
                             const struct rule_test_incident *incident)
{
    const struct incident *first = incident->change[0];

    return (expectation->rule == NULL || text_equals(expectation->rule->text, first->rule_id)) &&
           rule_test_match_key(expectation, first->key);
}

static void add_key(struct rule_test_rows *rows, const struct yaml_node *node, const char *key)
{
    char expected[512] = "";
    size_t used = 0;

    if (node->kind != YAML_MAP) {
        add_text(rows, "key", node, key);
        return;
    }
    if (rows->arena == NULL) {
        rows->unmet += !key_matches(node, key);
        return;
    }
    for (const struct yaml_node *at = node->first; at != NULL && used < sizeof(expected);
         at = at->next)
        used += (size_t)snprintf(expected + used, sizeof(expected) - used, "%s%s=%s",
                                 used > 0 ? " " : "", at->key->text.at, at->text.at);
    rule_test_rows_add(rows, "key", node->span, key_matches(node, key), expected, key);
}

/* ---- changes ---- */

static void add_when(struct rule_test_rows *rows, const struct rule_test *test, const char *field,
                     const struct rule_test_when *when, const struct incident *change)
{
    char from[RULE_TEST_TIME_BYTES], to[RULE_TEST_TIME_BYTES], got[RULE_TEST_TIME_BYTES];
    char expected[2 * RULE_TEST_TIME_BYTES + 4] = "never";
    int64_t at = change != NULL ? change->at_ms - test->settings.start_ms : 0;
    bool is_met = when->is_never ? change == NULL
                                 : change != NULL && at >= when->from_ms && at <= when->to_ms;

    if (rows->arena == NULL) {
        rows->unmet += !is_met;
        return;
    }
    if (!when->is_never && when->from_ms == when->to_ms)
        snprintf(expected, sizeof(expected), "%s", rule_test_format_time(when->from_ms, from));
    else if (!when->is_never)
        snprintf(expected, sizeof(expected), "%s..%s", rule_test_format_time(when->from_ms, from),
                 rule_test_format_time(when->to_ms, to));
    rule_test_rows_add(rows, field, when->node->span, is_met, expected,
                       change != NULL ? rule_test_format_time(at, got) : "never");
}

/* `of_last`: as the last change that was told has it; what came behind that is among the members,
 * and not in the count. */
static void add_count(struct rule_test_rows *rows, const char *field, const struct yaml_node *node,
                      uint64_t got, bool of_last)
{
    char text[48];
    struct error err;
    int64_t expected = -1;

    unit_parse_count(node->text.at, &expected, &err);
    snprintf(text, sizeof(text), "%" PRIu64 "%s", got,
             of_last && (uint64_t)expected != got ? " (when it was last told)" : "");
    rule_test_rows_add(rows, field, node->span, expected >= 0 && (uint64_t)expected == got,
                       node->text.at, text);
}

/* What an expectation says of one change, `change` NULL when there was none. */
static void add_change(struct rule_test_rows *rows, const struct rule_test *test,
                       const char *prefix, const struct rule_test_change *expected,
                       const struct incident *change)
{
    char field[FIELD_BYTES];

    if (expected->at.node != NULL)
        add_when(rows, test, prefix, &expected->at, change);
    for (int i = -1; i < 4; i++) {
        const struct yaml_node *node = i < 0 ? expected->cause : expected->count[i];
        if (node == NULL)
            continue;
        snprintf(field, sizeof(field), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "",
                 i < 0 ? "cause" : rule_test_count_names[i]);
        if (change == NULL)
            rule_test_rows_add(rows, field, node->span, false, node->text.at, "(none)");
        else if (i < 0)
            add_text(rows, field, node, incident_cause_name(change->cause));
        else if (i == 3)
            add_text(rows, field, node, severity_name((enum severity)change->severity));
        else
            add_count(rows, field, node,
                      i == 0   ? change->alert_count
                      : i == 1 ? change->open_count
                               : change->event_count,
                      prefix[0] == '\0');
    }
}

static const struct incident *closing_of(const struct rule_test_incident *incident)
{
    const struct incident *last = incident->change[incident->change_count - 1];

    return last->change == INCIDENT_CLOSED ? last : NULL;
}

static void add_updates(struct rule_test_rows *rows, const struct rule_test *test,
                        const struct rule_test_expectation *expectation,
                        const struct rule_test_incident *incident)
{
    uint32_t got = 0;
    char field[FIELD_BYTES], number[24];

    for (uint32_t c = 0; c < incident->change_count; c++) {
        if (incident->change[c]->change != INCIDENT_UPDATED)
            continue;
        snprintf(field, sizeof(field), "update %" PRIu32, got + 1);
        if (got < expectation->updated_count)
            add_change(rows, test, field, &expectation->updated[got], incident->change[c]);
        got++;
    }
    snprintf(number, sizeof(number), "%" PRIu32, got);
    snprintf(field, sizeof(field), "%" PRIu32, expectation->updated_count);
    rule_test_rows_add(rows, "updates", expectation->updates->span,
                       got == expectation->updated_count, field, number);
}

/* ---- what sinks are sent ---- */

static void add_sink(struct rule_test_rows *rows, const struct yaml_node *bodies, uint16_t sink,
                     const struct rule_test_incident *incident)
{
    const struct yaml_node *body = bodies->first;
    uint32_t got = 0;
    char field[FIELD_BYTES] = "", expected[24], number[24];

    for (uint32_t o = 0; o < incident->op_count && !rule_test_rows_suffice(rows); o++) {
        struct rule_test_op *op = &incident->op[o];
        if (op->sink != sink)
            continue;
        got++;
        if (body == NULL)
            continue;
        /* One incident is held against many expectations. */
        if (op->json == NULL)
            op->json = json_loads(op->body, 0, NULL);
        if (rows->arena != NULL) /* names are for those who read them */
            snprintf(field, sizeof(field), "%.40s %" PRIu32, bodies->key->text.at, got);
        rule_test_json_compare(rows, field, body, op->json);
        body = body->next;
    }
    if (rows->arena == NULL) {
        rows->unmet += got != bodies->count;
        return;
    }
    snprintf(field, sizeof(field), "%.40s", bodies->key->text.at);
    snprintf(expected, sizeof(expected), "%" PRIu32 " sent", bodies->count);
    snprintf(number, sizeof(number), "%" PRIu32 " sent", got);
    rule_test_rows_add(rows, field, bodies->span, got == bodies->count, expected, number);
}

static void add_sent(struct rule_test_rows *rows, const struct rule_test_file *file,
                     const struct yaml_node *sent, const struct rule_test_incident *incident)
{
    for (const struct yaml_node *bodies = sent->first; bodies != NULL; bodies = bodies->next)
        for (uint32_t s = 0; s < file->sink_count; s++)
            if (text_equals(bodies->key->text, file->sinks[s].name))
                add_sink(rows, bodies, (uint16_t)s, incident);
}

/* ---- members ---- */

/* A member is named by its resource and check, "db1/sda smart.pending", or by the resource alone.
 */
static bool is_member(const struct rule_test_member *member, struct text wanted)
{
    return strncmp(member->name, wanted.at, wanted.len) == 0 &&
           (member->name[wanted.len] == '\0' || member->name[wanted.len] == ' ');
}

static void add_members(struct rule_test_rows *rows, const struct yaml_node *members,
                        const struct rule_test_incident *incident)
{
    char expected[24], got[24];

    for (const struct yaml_node *at = members->first; at != NULL; at = at->next) {
        uint32_t m = 0;
        while (m < incident->member_count && !is_member(&incident->member[m], at->text))
            m++;
        if (m == incident->member_count)
            rule_test_rows_add(rows, "member", at->span, false, at->text.at, "(none)");
    }
    for (uint32_t m = 0; m < incident->member_count; m++) {
        const struct yaml_node *at = members->first;
        while (at != NULL && !is_member(&incident->member[m], at->text))
            at = at->next;
        if (at == NULL)
            rule_test_rows_add(rows, "member", members->span, false, "(none)",
                               incident->member[m].name);
    }
    snprintf(expected, sizeof(expected), "%" PRIu32, members->count);
    snprintf(got, sizeof(got), "%" PRIu32, incident->member_count);
    rule_test_rows_add(rows, "members", members->span, members->count == incident->member_count,
                       expected, got);
}

/* ---- an incident ---- */

static const char *text_of(const struct incident *incident, enum rule_test_text which)
{
    switch (which) {
    case TEXT_TITLE:
        return incident->title;
    case TEXT_PRIORITY:
        return priority_name((enum priority)incident->priority);
    case TEXT_TENANT:
        return incident->tenant;
    case TEXT_TIER:
        return incident->tier;
    case TEXT_TEAM:
        return incident->team;
    case TEXT_RUNBOOK:
        return incident->runbook;
    case TEXT_SOURCE:
        return incident->source;
    case TEXT_HOST:
        return incident->host;
    case TEXT_RESOURCE:
        return incident->resource;
    case TEXT_CHECK:
        return incident->check;
    case TEXT_MESSAGE:
        return incident->message;
    case TEXT_WHY:
        return incident->why;
    case TEXT_MUTED_BY:
        return incident->muted_by;
    case RULE_TEST_TEXTS:
        break;
    }
    return "";
}

void rule_test_match(const struct rule_test_file *file, const struct rule_test *test,
                     const struct rule_test_expectation *expectation,
                     const struct rule_test_incident *incident, struct rule_test_rows *rows)
{
    const struct incident *first = incident->change[0];
    const struct incident *last = incident->change[incident->change_count - 1];
    const struct incident *closing = closing_of(incident);
    struct rule_test_change counts = expectation->last;

    if (expectation->rule != NULL)
        add_text(rows, "rule", expectation->rule, first->rule_id);
    if (expectation->key != NULL)
        add_key(rows, expectation->key, first->key);
    add_change(rows, test, "opened", &expectation->opened, first);
    add_change(rows, test, "closed", &expectation->closed, closing);
    for (int i = 0; i < RULE_TEST_TEXTS && !rule_test_rows_suffice(rows); i++)
        if (expectation->text[i] != NULL)
            add_text(rows, rule_test_text_names[i], expectation->text[i],
                     text_of(first, (enum rule_test_text)i));
    if (rule_test_rows_suffice(rows))
        return;
    counts.cause = NULL;
    add_change(rows, test, "", &counts, last);
    if (expectation->last.cause != NULL)
        add_text(rows, "cause", expectation->last.cause,
                 closing != NULL ? incident_cause_name(closing->cause) : "(still open)");
    if (expectation->updates != NULL)
        add_updates(rows, test, expectation, incident);
    if (expectation->members != NULL && !rule_test_rows_suffice(rows))
        add_members(rows, expectation->members, incident);
    if (expectation->sent != NULL && !rule_test_rows_suffice(rows))
        add_sent(rows, file, expectation->sent, incident);
}

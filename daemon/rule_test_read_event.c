/*
 * rule_test_read_event.c - one entry of a test's `events`, and `defaults`.
 *
 * Nothing is written out here: `repeat: 100000x1s` stays one entry, and its records are made
 * when the test runs (rule_test_record.c). What they will be made of is checked here, so that a
 * template that names nothing is found with its place.
 */
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test_read.h"
#include "daemon/rule_test_template.h"
#include "daemon/units.h"
#include "ingest/json_number.h"
#include "rules/fields.h"
#include "rules/rule_reader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *const rule_test_field_names[RULE_TEST_FIELDS] = {
    "tenant", "source", "resource", "check", "dedup_key", "severity", "state", "message", "value",
};

#define FIELD_KEYS                                                                                 \
    "tenant", "source", "resource", "check", "dedup_key", "severity", "state", "message", "value", \
        "labels"

static const char *const default_keys[] = {FIELD_KEYS};
static const char *const event_keys[] = {
    FIELD_KEYS, "at",     "repeat", "every", "partition", "time",   "late",
    "clear",    "values", "each",   "alert", "alerts",    "record",
};
static const char *const alert_keys[] = {"labels", "annotations", "status", "startsAt", "endsAt"};

/* ---- fields ---- */

static void check_template(struct test_reader *reader, const struct yaml_node *node,
                           const char *what, const struct rule_test_event *event)
{
    struct template_fault fault;

    if (!test_read_is_text(reader, node, what))
        return;
    if (!template_check(node->text, event, &fault))
        diagnose(reader->diag, yaml_node_span(node, fault.from, fault.to), "%s", fault.why);
}

static void check_map(struct test_reader *reader, const struct yaml_node *node, const char *what,
                      const struct rule_test_event *event)
{
    if (node == NULL || !test_read_is_map(reader, node, what))
        return;
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next)
        check_template(reader, at, what, event);
}

static const struct yaml_node **field_of(struct rule_test_fields *fields, struct text key)
{
    for (int i = 0; i < RULE_TEST_FIELDS; i++)
        if (text_equals(key, rule_test_field_names[i]))
            return &fields->field[i];
    return text_equals(key, "labels") ? &fields->labels : NULL;
}

static void check_fields(struct test_reader *reader, const struct rule_test_fields *fields,
                         const struct rule_test_event *event)
{
    const struct yaml_node *value = fields->field[RULE_TEST_FIELD_VALUE];

    for (int i = 0; i < RULE_TEST_FIELD_VALUE; i++)
        if (fields->field[i] != NULL)
            check_template(reader, fields->field[i], rule_test_field_names[i], event);
    check_map(reader, fields->labels, "labels", event);
    if (value != NULL && test_read_is_text(reader, value, "value")) {
        const char *end = value->text.at + value->text.len;
        struct json_number number;
        if (json_number_scan(value->text.at, end, &number) != end)
            diagnose(reader->diag, value->span, "value is a number");
    }
}

void test_read_defaults(struct test_reader *reader, const struct yaml_node *node,
                        struct rule_test_fields *out)
{
    struct rule_test_fields own = {{NULL}, NULL};

    if (!test_read_is_map(reader, node, "defaults") ||
        !rule_check_keys(node, default_keys, COUNT(default_keys), "defaults", reader->diag))
        return;
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next)
        *field_of(&own, at->key->text) = at;
    check_fields(reader, &own, NULL);
    for (int i = 0; i < RULE_TEST_FIELDS; i++)
        if (own.field[i] != NULL)
            out->field[i] = own.field[i];
    if (own.labels != NULL)
        out->labels = own.labels;
}

/* ---- repetition ---- */

/* 5x30s: five times, half a minute apart. */
static void read_repeat(struct test_reader *reader, const struct yaml_node *node,
                        struct rule_test_event *out)
{
    const char *cross;
    struct error err;
    char *end;

    if (!test_read_is_text(reader, node, "repeat"))
        return;
    cross = strchr(node->text.at, 'x');
    unsigned long long count = strtoull(node->text.at, &end, 10);
    if (cross == NULL || end != cross || node->text.at[0] < '0' || node->text.at[0] > '9') {
        diagnose(reader->diag, node->span,
                 "repeat is a number of times and a distance, like 5x30s");
        return;
    }
    if (count == 0 || count > RULE_TEST_RECORDS_MAX) {
        diagnose(reader->diag, node->span, "repeat is 1 to %d times", RULE_TEST_RECORDS_MAX);
        return;
    }
    if (unit_parse_duration(cross + 1, &out->every_ms, &err) != 0)
        diagnose(reader->diag,
                 yaml_node_span(node, (uint32_t)(cross + 1 - node->text.at), node->text.len),
                 "repeat: %.200s", err.text);
    else
        out->count = (uint32_t)count;
}

/* A number that stands between `from` and `to`, all of it. */
static bool number_between(const char *from, const char *to, double *out)
{
    struct json_number number;
    char scratch[64];

    from += from < to && *from == '+';
    return (size_t)(to - from) < sizeof(scratch) && json_number_scan(from, to, &number) == to &&
           json_number_to_double(&number, scratch, out);
}

/* One word: 5, _, clear, 5x3, 10+5x4, _x3. A count of n means n + 1 numbers, but n times nothing:
 * as promtool reads it. */
static bool read_stretch(const char *from, const char *to, struct rule_test_values *out)
{
    const char *cross = memchr(from, 'x', (size_t)(to - from));
    unsigned long long count = 0;
    const char *sign = NULL;
    char *end;

    *out = (struct rule_test_values){.kind = VALUE_NUMBER, .count = 1};
    if (cross != NULL) {
        if (cross + 1 == to || cross[1] < '0' || cross[1] > '9')
            return false;
        count = strtoull(cross + 1, &end, 10);
        if (end != to || count > RULE_TEST_RECORDS_MAX)
            return false;
        to = cross;
    }
    if (to - from == 1 && *from == '_') {
        out->kind = VALUE_NONE;
        out->count = cross != NULL ? (uint32_t)count : 1;
        return true;
    }
    if (to - from == 5 && memcmp(from, "clear", 5) == 0) {
        out->kind = VALUE_CLEAR;
        return cross == NULL;
    }
    out->count = (uint32_t)count + 1;
    for (const char *at = from + 1; cross != NULL && at < to; at++)
        if ((*at == '+' || *at == '-') && at[-1] != 'e' && at[-1] != 'E')
            sign = at;
    return number_between(from, sign != NULL ? sign : to, &out->from) &&
           (sign == NULL || number_between(sign, to, &out->by));
}

static void read_values(struct test_reader *reader, const struct yaml_node *node,
                        struct rule_test_event *out)
{
    struct rule_test_values *values;
    uint64_t total = 0;

    if (!test_read_is_text(reader, node, "values"))
        return;
    values = test_read_alloc(reader, node->text.len / 2 + 1, sizeof(*values));
    for (const char *at = node->text.at; values != NULL && *at != '\0';) {
        size_t length = strcspn(at, " \t\n");
        if (length > 0 && !read_stretch(at, at + length, &values[out->value_count++])) {
            uint32_t from = (uint32_t)(at - node->text.at);
            diagnose(reader->diag, yaml_node_span(node, from, from + (uint32_t)length),
                     "values are numbers, stretches like 10+5x4 (10 15 20 25 30), _ for none, "
                     "and clear");
            return;
        }
        total += length > 0 ? values[out->value_count - 1].count : 0;
        at += length + (at[length] != '\0');
    }
    if (total == 0 || total > RULE_TEST_RECORDS_MAX) {
        diagnose(reader->diag, node->span, "values has 1 to %d of them", RULE_TEST_RECORDS_MAX);
        return;
    }
    out->values = values;
    out->count = (uint32_t)total;
}

static void read_each(struct test_reader *reader, const struct yaml_node *node,
                      struct rule_test_event *out)
{
    uint64_t combined = 1;

    if (!test_read_is_map(reader, node, "each"))
        return;
    if (node->count == 0 || node->count > RULE_TEST_EACH_MAX) {
        diagnose(reader->diag, node->span, "each names 1 to %d lists", RULE_TEST_EACH_MAX);
        return;
    }
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next) {
        if (!test_read_is_list(reader, at, "a name of each"))
            return;
        if (text_equals(at->key->text, "i")) {
            diagnose(reader->diag, at->key->span, "{i} counts repetitions; take another name");
            return;
        }
        combined *= at->count;
        if (combined == 0 || combined > RULE_TEST_COMBINED_MAX) {
            diagnose(reader->diag, at->span, "each has 1 to %d combinations",
                     RULE_TEST_COMBINED_MAX);
            return;
        }
        for (const struct yaml_node *item = at->first; item != NULL; item = item->next)
            if (!test_read_is_text(reader, item, "a value of each"))
                return;
        out->each[out->each_count++] = at;
    }
    out->combined = (uint32_t)combined;
}

/* ---- Alertmanager ---- */

static void check_alert(struct test_reader *reader, const struct yaml_node *node,
                        const struct rule_test_event *event)
{
    const struct yaml_node *status;

    if (!test_read_is_map(reader, node, "an alert") ||
        !rule_check_keys(node, alert_keys, COUNT(alert_keys), "an alert", reader->diag))
        return;
    status = yaml_node_find(node, "status");
    if (yaml_node_find(node, "labels") == NULL)
        diagnose(reader->diag, node->span, "an alert needs labels");
    check_map(reader, yaml_node_find(node, "labels"), "labels", event);
    check_map(reader, yaml_node_find(node, "annotations"), "annotations", event);
    if (status != NULL && test_read_is_text(reader, status, "status") &&
        !text_equals(status->text, "firing") && !text_equals(status->text, "resolved"))
        diagnose(reader->diag, status->span, "status is firing or resolved");
    if (yaml_node_find(node, "startsAt") != NULL)
        test_read_time(reader, yaml_node_find(node, "startsAt"), "startsAt");
    if (yaml_node_find(node, "endsAt") != NULL)
        test_read_time(reader, yaml_node_find(node, "endsAt"), "endsAt");
}

/* Fields of the native form say nothing in the others. */
static void check_no_fields(struct test_reader *reader, const struct rule_test_event *event,
                            const char *form)
{
    const struct yaml_node *field = event->fields.labels;

    for (int i = 0; i < RULE_TEST_FIELDS; i++)
        field = event->fields.field[i] != NULL ? event->fields.field[i] : field;
    if (field != NULL)
        diagnose(reader->diag, field->key->span, "an event with %s has no %s beside it", form,
                 field->key->text.at);
}

static void read_form(struct test_reader *reader, struct rule_test_event *out)
{
    const struct yaml_node *alert = yaml_node_find(out->node, "alert");
    const struct yaml_node *alerts = yaml_node_find(out->node, "alerts");

    out->record = yaml_node_find(out->node, "record");
    if ((alert != NULL) + (alerts != NULL) + (out->record != NULL) > 1) {
        diagnose(reader->diag, out->node->span, "an event has one of alert, alerts and record");
    } else if (out->record != NULL) {
        out->form = RECORD_RAW;
        if (out->record->kind != YAML_SCALAR)
            diagnose(reader->diag, out->record->span,
                     "record is the bytes of a record as a text, in single quotes: "
                     "'{\"resource\":\"db-01\"}'");
        check_no_fields(reader, out, "record");
    } else if (alert != NULL) {
        out->form = RECORD_ALERTS;
        out->alerts = alert;
        check_alert(reader, alert, out);
        check_no_fields(reader, out, "alert");
    } else if (alerts != NULL && test_read_is_list(reader, alerts, "alerts")) {
        out->form = RECORD_ALERTS;
        out->alerts = alerts;
        for (const struct yaml_node *at = alerts->first; at != NULL; at = at->next)
            check_alert(reader, at, out);
        check_no_fields(reader, out, "alerts");
    } else if (alerts == NULL) {
        check_fields(reader, &out->fields, out);
    }
}

/* ---- one entry ---- */

static void read_own_time(struct test_reader *reader, struct rule_test_event *out)
{
    const struct yaml_node *time = yaml_node_find(out->node, "time");
    const struct yaml_node *late = yaml_node_find(out->node, "late");

    if (time != NULL && late != NULL) {
        diagnose(reader->diag, late->key->span,
                 "an event has time, or late, which is its distance to the arrival");
    } else if (time != NULL) {
        out->own = OWN_TIME_AT;
        out->own_ms = test_read_time(reader, time, "time");
    } else if (late != NULL) {
        out->own = OWN_TIME_LATE;
        out->own_ms = test_read_duration(reader, late, "late", 0, RULE_TEST_SPAN_MS);
    }
}

static void read_times(struct test_reader *reader, struct rule_test_event *out)
{
    const struct yaml_node *at = yaml_node_find(out->node, "at");
    const struct yaml_node *repeat = yaml_node_find(out->node, "repeat");
    const struct yaml_node *every = yaml_node_find(out->node, "every");
    const struct yaml_node *values = yaml_node_find(out->node, "values");
    int64_t last;

    if (at == NULL)
        diagnose(reader->diag, out->node->span, "an event needs `at`, the time of its arrival");
    else
        out->at_ms = test_read_time(reader, at, "at");
    if (at != NULL && out->at_ms < 0)
        diagnose(reader->diag, at->span,
                 "nothing arrives before the test's start; `time` and `late` may lie before it");
    if (values != NULL && repeat != NULL)
        diagnose(reader->diag, repeat->key->span, "values repeat the event already: give `every`");
    else if (repeat != NULL)
        read_repeat(reader, repeat, out);
    if (every != NULL)
        out->every_ms = test_read_duration(reader, every, "every", 0, RULE_TEST_SPAN_MS);
    if (every != NULL && values == NULL)
        diagnose(reader->diag, every->key->span, "every belongs to values; write repeat: 5x30s");
    if (values != NULL) {
        read_values(reader, values, out);
        if (every == NULL)
            diagnose(reader->diag, values->key->span, "values need `every`, the time between them");
    }
    if (__builtin_mul_overflow((int64_t)out->count - 1, out->every_ms, &last) ||
        last + out->at_ms > RULE_TEST_SPAN_MS) {
        diagnose(reader->diag, out->node->span, "the event ends more than 400 days later");
        return;
    }
    if (last + out->at_ms > reader->test->last_ms)
        reader->test->last_ms = last + out->at_ms;
}

void test_read_event(struct test_reader *reader, const struct yaml_node *node,
                     struct rule_test_event *out)
{
    const struct yaml_node *partition, *clear;

    *out = (struct rule_test_event){.node = node, .count = 1, .combined = 1};
    if (!test_read_is_map(reader, node, "events") ||
        !rule_check_keys(node, event_keys, COUNT(event_keys), "an event", reader->diag))
        return;
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next) {
        const struct yaml_node **field = field_of(&out->fields, at->key->text);
        if (field != NULL)
            *field = at;
    }
    read_times(reader, out);
    read_own_time(reader, out);
    partition = yaml_node_find(node, "partition");
    if (partition != NULL)
        out->partition = (uint32_t)test_read_count(reader, partition, "partition", 0,
                                                   RULE_TEST_PARTITIONS_MAX - 1);
    if (out->partition >= reader->test->partition_count)
        reader->test->partition_count = out->partition + 1;
    clear = yaml_node_find(node, "clear");
    if (clear != NULL)
        out->is_clear = test_read_flag(reader, clear, "clear");
    if (yaml_node_find(node, "each") != NULL)
        read_each(reader, yaml_node_find(node, "each"), out);
    read_form(reader, out);
}

/*
 * rule_test_read.c - a file of rule tests into its struct: the file's own keys, settings, sinks
 * and the frame of each test.
 */
#include "daemon/rule_test_read.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test_names.h"
#include "daemon/units.h"
#include "rules/fields.h"
#include "base/nearest.h"
#include "rules/rule_reader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ARENA_BYTES_MAX ((size_t)1 << 30)
enum { DISORDER_ROUNDS_MAX = 20000 };
#define DAY_MS ((int64_t)86400 * 1000)

/* Monday, so that what depends on the day of the week can be written down without a calendar. */
#define START_MS INT64_C(1767571200000) /* 2026-01-05T00:00:00Z */

void rule_test_base_init(struct rule_test_base *base)
{
    struct engine_config engine;

    engine_config_init(&engine);
    *base = (struct rule_test_base){.settings = {
                                        .start_ms = START_MS,
                                        .expire_ms = engine.expire_ms,
                                        .disorder_ms = 500,
                                        .round_ms = engine.round_ms,
                                        .past_ms = engine.past_ms,
                                        .future_ms = engine.future_ms,
                                        .flap_window_ms = engine.flap_window_ms,
                                        .flap_start = engine.flap_start,
                                        .flap_stop = engine.flap_stop,
                                        .alerts_max = engine.alerts_max,
                                        .tenant = "default",
                                    }};
}

/* ---- helpers of all readers ---- */

void *test_read_alloc(struct test_reader *reader, size_t count, size_t bytes)
{
    void *room = arena_alloc_many(reader->file->arena, count > 0 ? count : 1, bytes);

    return room != NULL ? room : diagnose_memory(reader->diag);
}

static bool is_kind(struct test_reader *reader, const struct yaml_node *node, enum yaml_kind kind,
                    const char *what)
{
    if (node->kind == kind)
        return true;
    diagnose(reader->diag, node->span, "%s takes %s, not %s", what, yaml_kind_name(kind),
             yaml_kind_name(node->kind));
    return false;
}

bool test_read_is_map(struct test_reader *reader, const struct yaml_node *node, const char *what)
{
    return is_kind(reader, node, YAML_MAP, what);
}

bool test_read_is_list(struct test_reader *reader, const struct yaml_node *node, const char *what)
{
    return is_kind(reader, node, YAML_LIST, what);
}

bool test_read_is_text(struct test_reader *reader, const struct yaml_node *node, const char *what)
{
    if (!is_kind(reader, node, YAML_SCALAR, what))
        return false;
    if (strlen(node->text.at) == node->text.len)
        return true;
    diagnose(reader->diag, node->span, "%s holds no zero byte", what);
    return false;
}

int64_t test_read_count(struct test_reader *reader, const struct yaml_node *node, const char *what,
                        int64_t min, int64_t max)
{
    struct error err;
    int64_t value = min;

    if (!test_read_is_text(reader, node, what))
        return min;
    if (unit_parse_count(node->text.at, &value, &err) != 0)
        diagnose(reader->diag, node->span, "%s: %.200s", what, err.text);
    else if (value < min || value > max)
        diagnose(reader->diag, node->span, "%s is a number from %" PRId64 " to %" PRId64, what, min,
                 max);
    else
        return value;
    return min;
}

int64_t test_read_duration(struct test_reader *reader, const struct yaml_node *node,
                           const char *what, int64_t min, int64_t max)
{
    char least[UNIT_TEXT_BYTES], most[UNIT_TEXT_BYTES];
    struct error err;
    int64_t value = min;

    if (!test_read_is_text(reader, node, what))
        return min;
    if (unit_parse_duration(node->text.at, &value, &err) != 0)
        diagnose(reader->diag, node->span, "%s: %.200s", what, err.text);
    else if (value < min || value > max)
        diagnose(reader->diag, node->span, "%s is a duration from %s to %s", what,
                 unit_format_duration(min, least), unit_format_duration(max, most));
    else
        return value;
    return min;
}

bool test_read_flag(struct test_reader *reader, const struct yaml_node *node, const char *what)
{
    if (!test_read_is_text(reader, node, what))
        return false;
    if (text_equals(node->text, "true") || text_equals(node->text, "false"))
        return text_equals(node->text, "true");
    diagnose(reader->diag, node->span, "%s is true or false", what);
    return false;
}

static bool is_date(const char *text, size_t length)
{
    return length >= 10 && text[4] == '-' && text[7] == '-';
}

int64_t test_read_time_part(struct test_reader *reader, const struct yaml_node *node, uint32_t from,
                            uint32_t to, const char *what)
{
    const int64_t start = reader->test != NULL ? reader->test->settings.start_ms : 0;
    struct span span = yaml_node_span(node, from, to);
    struct error err;
    char text[64];
    int64_t ms = 0;
    int rc;

    if (to - from >= sizeof(text)) {
        diagnose(reader->diag, span, "%s is a time like 1m30s, -5s or 2026-01-05T09:00:00Z", what);
        return 0;
    }
    snprintf(text, sizeof(text), "%.*s", (int)(to - from), node->text.at + from);
    if (is_date(text, to - from)) {
        rc = unit_parse_time(text, &ms, &err);
        ms = rc == 0 ? ms - start : 0;
    } else {
        rc = unit_parse_duration(text + (text[0] == '-'), &ms, &err);
        ms = text[0] == '-' ? -ms : ms;
    }
    if (rc != 0)
        diagnose(reader->diag, span, "%s: %.200s", what, err.text);
    else if (ms > RULE_TEST_SPAN_MS || ms < -RULE_TEST_SPAN_MS)
        diagnose(reader->diag, span, "%s is more than 400 days away from the test's start", what);
    else
        return ms;
    return 0;
}

int64_t test_read_time(struct test_reader *reader, const struct yaml_node *node, const char *what)
{
    return test_read_is_text(reader, node, what)
               ? test_read_time_part(reader, node, 0, node->text.len, what)
               : 0;
}

/* ---- settings ---- */

static const char *const settings_keys[] = {
    "start",  "expire", "disorder",   "round",           "past",
    "future", "flap",   "alerts_max", "log_append_time", "tenant",
};

static const char *const flap_keys[] = {"window", "start", "stop"};

static void read_flap(struct test_reader *reader, const struct yaml_node *node,
                      struct rule_test_settings *out)
{
    if (!test_read_is_map(reader, node, "flap") ||
        !rule_check_keys(node, flap_keys, COUNT(flap_keys), "flap", reader->diag))
        return;
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next) {
        if (text_equals(at->key->text, "window"))
            out->flap_window_ms = test_read_duration(reader, at, "flap.window", 1, 30 * DAY_MS);
        else if (text_equals(at->key->text, "start"))
            out->flap_start = test_read_count(reader, at, "flap.start", 0, 1000);
        else
            out->flap_stop = test_read_count(reader, at, "flap.stop", 0, 999);
    }
    if (out->flap_start > 0 && out->flap_stop >= out->flap_start)
        diagnose(reader->diag, node->span, "flap.stop must be below flap.start");
}

static void read_start(struct test_reader *reader, const struct yaml_node *node,
                       struct rule_test_settings *out)
{
    struct error err;

    if (!test_read_is_text(reader, node, "start"))
        return;
    if (unit_parse_time(node->text.at, &out->start_ms, &err) != 0)
        diagnose(reader->diag, node->span, "start: %.200s", err.text);
    else if (out->start_ms < 2 * RULE_TEST_SPAN_MS || out->start_ms > INT64_C(32503680000000))
        diagnose(reader->diag, node->span, "start is a date from 1973 to 3000");
}

static void read_settings(struct test_reader *reader, const struct yaml_node *node,
                          struct rule_test_settings *out)
{
    if (node == NULL || !test_read_is_map(reader, node, "settings") ||
        !rule_check_keys(node, settings_keys, COUNT(settings_keys), "settings", reader->diag))
        return;
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next) {
        struct text key = at->key->text;
        if (text_equals(key, "start"))
            read_start(reader, at, out);
        else if (text_equals(key, "expire"))
            out->expire_ms = test_read_duration(reader, at, "expire", 1, 30 * DAY_MS);
        else if (text_equals(key, "disorder"))
            out->disorder_ms = test_read_duration(reader, at, "disorder", 0, 3600 * 1000);
        else if (text_equals(key, "round"))
            out->round_ms = test_read_duration(reader, at, "round", 1, 60000);
        else if (text_equals(key, "past"))
            out->past_ms = test_read_duration(reader, at, "past", 0, 365 * DAY_MS);
        else if (text_equals(key, "future"))
            out->future_ms = test_read_duration(reader, at, "future", 0, 365 * DAY_MS);
        else if (text_equals(key, "flap"))
            read_flap(reader, at, out);
        else if (text_equals(key, "alerts_max"))
            out->alerts_max = test_read_count(reader, at, "alerts_max", 1, 10000000);
        else if (text_equals(key, "log_append_time"))
            out->log_append_time = test_read_flag(reader, at, "log_append_time");
        else if (test_read_is_text(reader, at, "tenant"))
            out->tenant = at->text.at;
    }
    /* Every round between is a place in memory. */
    if (out->disorder_ms / out->round_ms > DISORDER_ROUNDS_MAX)
        diagnose(reader->diag, node->span, "disorder is at most %d rounds", DISORDER_ROUNDS_MAX);
}

/* ---- rules ---- */

/* A bare word stays what it is, a shipped pack; a path is taken from the test file's folder. */
static const char *rules_path(struct test_reader *reader, const char *name)
{
    const char *own = reader->file->script.name, *slash = strrchr(own, '/');
    char joined[PATH_MAX];
    const char *copy;

    if (name[0] == '/' || slash == NULL || strpbrk(name, "/.") == NULL)
        return name;
    if (snprintf(joined, sizeof(joined), "%.*s/%s", (int)(slash - own), own, name) >=
        (int)sizeof(joined))
        return name; /* it will not be found, and the sentence shows it as it was written */
    copy = arena_copy(reader->file->arena, joined, strlen(joined));
    return copy != NULL ? copy : diagnose_memory(reader->diag);
}

/* Without `rules` the tests NAME.test.yaml are those of NAME.yaml beside them. */
static void default_rules(struct test_reader *reader)
{
    static const char ending[] = ".test.yaml";
    const char *own = reader->file->script.name;
    size_t length = strlen(own), cut = strlen(ending);
    char path[PATH_MAX];
    const char *copy;

    if (length <= cut || strcmp(own + length - cut, ending) != 0 ||
        snprintf(path, sizeof(path), "%.*s.yaml", (int)(length - cut), own) >= (int)sizeof(path))
        return;
    copy = arena_copy(reader->file->arena, path, strlen(path));
    if (copy == NULL)
        diagnose_memory(reader->diag);
    else
        reader->file->rules[reader->file->rule_count++] = copy;
}

static void read_rules(struct test_reader *reader, const struct yaml_node *node)
{
    if (node == NULL) {
        reader->file->rules_are_default = true;
        default_rules(reader);
        return;
    }
    if (node->kind == YAML_SCALAR) { /* a list of one */
        if (test_read_is_text(reader, node, "rules"))
            reader->file->rules[reader->file->rule_count++] = rules_path(reader, node->text.at);
        return;
    }
    if (!test_read_is_list(reader, node, "rules"))
        return;
    if (node->count == 0 || node->count > RULE_TEST_RULES_MAX) {
        diagnose(reader->diag, node->span, "rules lists 1 to %d files, folders or shipped packs",
                 RULE_TEST_RULES_MAX);
        return;
    }
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next)
        if (test_read_is_text(reader, at, "rules"))
            reader->file->rules[reader->file->rule_count++] = rules_path(reader, at->text.at);
}

/* ---- sinks ---- */

static const char *const sink_keys[] = {"name", "type", "priority", "options"};

/* What a type must have and a test need not say, for nothing is sent. */
static const struct {
    const char *type, *key, *value;
    const char *instead[3]; /* any of these makes it needless */
} stand_ins[] = {
    {"pagerduty", "routing_key", "00000000000000000000000000000000", {NULL}},
    {"servicenow", "url", "https://servicenow.example/", {NULL}},
    {"servicenow", "token", "0000", {"user", "password", "api_key"}},
    {"webhook", "url", "https://webhook.example/", {NULL}},
    {"zendesk", "url", "https://zendesk.example/", {NULL}},
    {"zendesk", "token", "0000", {"user", "api_token", NULL}},
};

static bool has_option(const struct sink_config *config, const char *key)
{
    for (size_t i = 0; i < config->option_count && key != NULL; i++)
        if (strcmp(config->option[i].key, key) == 0)
            return true;
    return false;
}

static void add_stand_ins(struct sink_config *config)
{
    for (size_t i = 0; i < COUNT(stand_ins); i++) {
        bool is_given =
            strcmp(stand_ins[i].type, config->type) != 0 || has_option(config, stand_ins[i].key);
        for (size_t j = 0; j < COUNT(stand_ins[i].instead); j++)
            is_given |= has_option(config, stand_ins[i].instead[j]);
        if (!is_given && config->option_count < SINK_OPTIONS_MAX) {
            config->option[config->option_count].key = stand_ins[i].key;
            config->option[config->option_count++].value = stand_ins[i].value;
        }
    }
}

static int add_sink(struct test_reader *reader, struct sink_config *config, uint8_t priority_max,
                    struct error *err)
{
    struct rule_test_sink *sink = &reader->file->sinks[reader->file->sink_count];
    int rc;

    add_stand_ins(config);
    rc = sink_create(config, false, &sink->sink, err);
    if (rc != 0)
        return rc;
    sink->name = config->name;
    sink->priority_max = priority_max;
    reader->file->sink_count++;
    return 0;
}

static uint8_t read_sink_priority(struct test_reader *reader, const struct yaml_node *node)
{
    if (node == NULL || !test_read_is_text(reader, node, "priority"))
        return PRIORITY_NONE;
    for (int priority = PRIORITY_P1; priority <= PRIORITY_P5; priority++)
        if (text_equals(node->text, priority_name((enum priority)priority)))
            return (uint8_t)priority;
    diagnose(reader->diag, node->span, "a priority is P1, P2, P3, P4 or P5");
    return PRIORITY_NONE;
}

static void read_sink(struct test_reader *reader, const struct yaml_node *node)
{
    const struct yaml_node *name, *type, *options;
    struct sink_config config = {0};
    struct error err;
    uint8_t priority_max;

    if (!test_read_is_map(reader, node, "sinks") ||
        !rule_check_keys(node, sink_keys, COUNT(sink_keys), "a sink", reader->diag))
        return;
    name = yaml_node_find(node, "name");
    type = yaml_node_find(node, "type");
    options = yaml_node_find(node, "options");
    priority_max = read_sink_priority(reader, yaml_node_find(node, "priority"));
    if (name == NULL || type == NULL) {
        diagnose(reader->diag, node->span, "a sink needs name and type");
        return;
    }
    if (!test_read_is_text(reader, name, "name") || !test_read_is_text(reader, type, "type") ||
        (options != NULL && !test_read_is_map(reader, options, "options")))
        return;
    config.name = name->text.at;
    config.type = type->text.at;
    for (uint32_t i = 0; i < reader->file->sink_count; i++)
        if (strcmp(reader->file->sinks[i].name, config.name) == 0) {
            diagnose(reader->diag, name->span, "the sink '%.80s' is listed twice", config.name);
            return;
        }
    for (const struct yaml_node *at = options != NULL ? options->first : NULL; at != NULL;
         at = at->next) {
        if (!test_read_is_text(reader, at, "an option of a sink"))
            return;
        if (config.option_count == SINK_OPTIONS_MAX) {
            diagnose(reader->diag, at->key->span, "a sink has at most %d options",
                     SINK_OPTIONS_MAX);
            return;
        }
        config.option[config.option_count].key = at->key->text.at;
        config.option[config.option_count++].value = at->text.at;
    }
    if (add_sink(reader, &config, priority_max, &err) != 0)
        diagnose(reader->diag, node->span, "%.400s", err.text);
}

static void read_sinks(struct test_reader *reader, const struct yaml_node *node)
{
    struct error err = {{0}};
    int rc = 0;

    if (node == NULL) {
        for (size_t i = 0; i < reader->base->sink_count && i < RULE_TEST_SINKS_MAX && rc == 0;
             i++) {
            struct sink_config config = reader->base->sinks[i];
            rc = add_sink(reader, &config, reader->base->sink_priority_max[i], &err);
        }
        for (size_t i = 0; reader->base->sink_count == 0 && i < sink_type_count && rc == 0; i++) {
            struct sink_config config = {.name = sink_types[i]->name, .type = sink_types[i]->name};
            rc = add_sink(reader, &config, PRIORITY_NONE, &err);
        }
        if (rc != 0)
            diagnose(reader->diag, (struct span){&reader->file->script, 0, 0}, "%.400s", err.text);
        return;
    }
    if (!test_read_is_list(reader, node, "sinks"))
        return;
    if (node->count > RULE_TEST_SINKS_MAX) {
        diagnose(reader->diag, node->span, "sinks has at most %d entries", RULE_TEST_SINKS_MAX);
        return;
    }
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next)
        read_sink(reader, at);
}

/* ---- tests ---- */

static const char *const test_keys[] = {
    "name",   "description", "settings",   "defaults", "events",
    "expect", "others",      "expect_not", "until",    "counts",
};

static void read_events(struct test_reader *reader, const struct yaml_node *list)
{
    struct rule_test *test = reader->test;

    if (list == NULL) {
        diagnose(reader->diag, test->node->span, "a test needs events");
        return;
    }
    if (!test_read_is_list(reader, list, "events"))
        return;
    test->events = test_read_alloc(reader, list->count, sizeof(*test->events));
    for (const struct yaml_node *at = list->first; at != NULL && test->events != NULL;
         at = at->next) {
        struct rule_test_event *event = &test->events[test->event_count++];
        test_read_event(reader, at, event);
        test->record_count += (uint64_t)event->count * event->combined;
        if (test->record_count > RULE_TEST_RECORDS_MAX) {
            diagnose(reader->diag, at->span, "a test has at most %d records, repetitions counted",
                     RULE_TEST_RECORDS_MAX);
            return;
        }
    }
}

static void read_counts(struct test_reader *reader, const struct yaml_node *node)
{
    const char *names[RULE_TEST_SUMS_MAX];
    size_t count = rule_test_sum_names(names);

    if (node == NULL || !test_read_is_map(reader, node, "counts") ||
        !rule_check_keys(node, names, count, "counts", reader->diag))
        return;
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next)
        test_read_count(reader, at, at->key->text.at, 0, INT64_MAX);
    reader->test->counts = node;
}

static void read_until(struct test_reader *reader, const struct yaml_node *node)
{
    int64_t until;

    if (node == NULL)
        return;
    until = test_read_time(reader, node, "until");
    reader->test->last_ms = until > reader->test->last_ms ? until : reader->test->last_ms;
}

static void read_others(struct test_reader *reader, const struct yaml_node *node)
{
    if (node == NULL || !test_read_is_text(reader, node, "others"))
        return;
    reader->test->others_allowed = text_equals(node->text, "allowed");
    if (!reader->test->others_allowed && !text_equals(node->text, "refused"))
        diagnose(reader->diag, node->span, "others is allowed or refused [refused]");
}

static void read_name(struct test_reader *reader, const struct yaml_node *node)
{
    const struct rule_test_name *taken = NULL;
    struct rule_test_name mine = {.path = reader->file->script.name};

    if (!test_read_is_text(reader, node, "name"))
        return;
    reader->test->name = mine.name = node->text.at;
    mine.place = rule_test_place(node->span);
    if (reader->names == NULL || !rule_test_names_add(reader->names, &mine, &taken))
        diagnose_memory(reader->diag);
    else if (taken != NULL)
        diagnose(reader->diag, node->span,
                 "the test at %.200s:%" PRIu32 ":%" PRIu32 " has the name \"%.80s\" already",
                 taken->path, taken->place.line, taken->place.column, taken->name);
}

static void read_test(struct test_reader *reader, const struct yaml_node *node,
                      struct rule_test *test)
{
    const struct yaml_node *name, *expect, *expect_not;

    *test = (struct rule_test){
        .node = node, .name = "", .settings = reader->settings, .defaults = reader->defaults};
    if (!test_read_is_map(reader, node, "tests") ||
        !rule_check_keys(node, test_keys, COUNT(test_keys), "a test", reader->diag))
        return;
    reader->test = test;
    name = yaml_node_find(node, "name");
    if (name == NULL)
        diagnose(reader->diag, node->span, "a test needs a name");
    else
        read_name(reader, name);
    read_settings(reader, yaml_node_find(node, "settings"), &test->settings);
    if (yaml_node_find(node, "defaults") != NULL)
        test_read_defaults(reader, yaml_node_find(node, "defaults"), &test->defaults);
    read_events(reader, yaml_node_find(node, "events"));
    expect = yaml_node_find(node, "expect");
    expect_not = yaml_node_find(node, "expect_not");
    read_counts(reader, yaml_node_find(node, "counts"));
    if (expect == NULL && expect_not == NULL && test->counts == NULL)
        diagnose(reader->diag, node->span,
                 "a test expects something: `expect: []` says that no incident opens");
    test->has_expect = expect != NULL;
    if (expect != NULL)
        test->expect = test_read_expectations(reader, expect, "expect", &test->expect_count);
    if (expect_not != NULL)
        test->expect_not =
            test_read_expectations(reader, expect_not, "expect_not", &test->expect_not_count);
    read_others(reader, yaml_node_find(node, "others"));
    read_until(reader, yaml_node_find(node, "until"));
    reader->test = NULL;
}

static void read_tests(struct test_reader *reader, const struct yaml_node *root)
{
    const struct yaml_node *list = yaml_node_find(root, "tests");
    struct rule_test_file *file = reader->file;

    if (list == NULL) {
        diagnose(reader->diag, root->span, "the file has no tests");
        return;
    }
    if (!test_read_is_list(reader, list, "tests"))
        return;
    if (list->count == 0 || list->count > RULE_TEST_TESTS_MAX) {
        diagnose(reader->diag, list->span, "a file has 1 to %d tests", RULE_TEST_TESTS_MAX);
        return;
    }
    file->tests = test_read_alloc(reader, list->count, sizeof(*file->tests));
    for (const struct yaml_node *at = list->first; at != NULL && file->tests != NULL; at = at->next)
        read_test(reader, at, &file->tests[file->test_count++]);
}

/* ---- the file ---- */

static const char *const file_keys[] = {
    "description", "rules", "settings", "sinks", "defaults", "tests",
};

/* Rules lie in it themselves, not the names of their files. */
static bool is_rule_file(const struct yaml_node *root)
{
    static const char *const sections[] = {"silences", "maintenance", "inhibit", "enrich"};
    const struct yaml_node *rules = yaml_node_find(root, "rules");

    if (yaml_node_find(root, "tests") != NULL)
        return false;
    for (size_t i = 0; i < COUNT(sections); i++)
        if (yaml_node_find(root, sections[i]) != NULL)
            return true;
    return rules != NULL && rules->kind == YAML_LIST && rules->first != NULL &&
           rules->first->kind == YAML_MAP;
}

static void read_root(struct test_reader *reader, const struct yaml_node *root)
{
    if (!test_read_is_map(reader, root, "a file of rule tests"))
        return;
    if (is_rule_file(root)) {
        diagnose(reader->diag, root->span,
                 "this is a rule file: name a file of tests, or give it with --rules");
        return;
    }
    if (!rule_check_keys(root, file_keys, COUNT(file_keys), "a file of rule tests", reader->diag))
        return;
    read_rules(reader, yaml_node_find(root, "rules"));
    read_settings(reader, yaml_node_find(root, "settings"), &reader->settings);
    read_sinks(reader, yaml_node_find(root, "sinks"));
    if (yaml_node_find(root, "defaults") != NULL)
        test_read_defaults(reader, yaml_node_find(root, "defaults"), &reader->defaults);
    read_tests(reader, root);
}

int rule_test_file_read(const char *path, const char *text, size_t bytes,
                        const struct rule_test_base *base, struct rule_test_file **out,
                        struct error *err)
{
    struct arena *arena = arena_create(ARENA_BYTES_MAX);
    struct rule_test_file *file = arena != NULL ? arena_alloc(arena, sizeof(*file)) : NULL;
    struct diagnostics diag;
    struct yaml_node *root;
    int rc;

    diagnostics_init(&diag, err);
    if (file == NULL) {
        arena_destroy(arena);
        error_set(err, "out of memory");
        return -ENOMEM;
    }
    file->arena = arena;
    file->script = (struct script){arena_copy(arena, path, strlen(path)),
                                   arena_copy(arena, text, bytes), bytes};
    if (file->script.name == NULL || file->script.text == NULL) {
        diagnose_memory(&diag);
    } else {
        rule_test_note_lines(file);
        struct test_reader reader = {.file = file,
                                     .diag = &diag,
                                     .base = base,
                                     .settings = base->settings,
                                     .names = rule_test_names_create()};
        root = yaml_read(&file->script, arena, &diag);
        if (root != NULL)
            read_root(&reader, root);
        rule_test_names_destroy(reader.names);
    }
    rc = diagnostics_finish(&diag);
    if (rc != 0) {
        rule_test_file_destroy(file);
        return rc;
    }
    *out = file;
    return 0;
}

void rule_test_file_destroy(struct rule_test_file *file)
{
    if (file == NULL)
        return;
    for (uint32_t i = 0; i < file->sink_count; i++)
        sink_destroy(file->sinks[i].sink);
    arena_destroy(file->arena);
}

/*
 * rule_test.h - a file of rule tests: what is read from it, what running it gives, and
 * how the two are compared. docs/testing-rules.md is the manual of the format.
 *
 *   YAML --read--> struct rule_test_file --bind (rules)--> run (engine) --> compare --> findings
 *
 * The file's nodes stay: whatever is expected keeps its place, so that a failure points
 * at the line that was not met. Times are milliseconds since the test's start, 0 being
 * where its virtual clock begins, unless a name says otherwise.
 *
 * Thread: one at a time. Everything lies in the file's arena, or in a run's.
 */
#ifndef DAEMON_RULE_TEST_H
#define DAEMON_RULE_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/error.h"
#include "correlate/engine.h"
#include "rules/rule_set.h"
#include "rules/yaml_reader.h"
#include "sinks/sink.h"

enum {
    RULE_TEST_TESTS_MAX = 100000,    /* of one file */
    RULE_TEST_RECORDS_MAX = 1000000, /* of one test, repetitions counted */
    RULE_TEST_PARTITIONS_MAX = 64,
    RULE_TEST_EXPECT_MAX = 1000, /* incidents that one test describes */
    RULE_TEST_EACH_MAX = 4,      /* names of `each` */
    RULE_TEST_COMBINED_MAX = 10000,
    RULE_TEST_SINKS_MAX = 16,
    RULE_TEST_RULES_MAX = 64,
    /* What is kept of one run: changes of incidents, who joined them, bodies for sinks. */
    RULE_TEST_KEPT_MIB_MAX = 256,
    RULE_TEST_FIELDS = 9,
};
/* A test's clock ends at most this long after its start. */
#define RULE_TEST_SPAN_MS ((int64_t)400 * 86400 * 1000)

/* What a test may say about the engine; in the file, for all of its tests, or in a test. */
struct rule_test_settings {
    int64_t start_ms; /* since 1970: the virtual clock's 0 */
    int64_t expire_ms, disorder_ms, round_ms, past_ms, future_ms;
    int64_t flap_window_ms, flap_start, flap_stop;
    int64_t alerts_max;
    bool log_append_time;
    const char *tenant;
};

/* The event's fields that `defaults` may hold too, in the order of rule_test_field_names[]. */
extern const char *const rule_test_field_names[RULE_TEST_FIELDS];
enum { RULE_TEST_FIELD_VALUE = RULE_TEST_FIELDS - 1 }; /* the only one that is a number */

struct rule_test_fields {
    const struct yaml_node *field[RULE_TEST_FIELDS]; /* NULL: not given */
    const struct yaml_node *labels;
};

/* A stretch of `values`: from, from + by, ...; what kind says the event is. */
struct rule_test_values {
    enum { VALUE_NUMBER, VALUE_NONE, VALUE_CLEAR } kind;
    double from, by;
    uint32_t count;
};

/* One entry of `events`: records at at_ms, at_ms + every_ms, ..., each time one for
 * every combination of `each`. */
struct rule_test_event {
    const struct yaml_node *node;
    enum { RECORD_NATIVE, RECORD_ALERTS, RECORD_RAW } form;
    int64_t at_ms, every_ms;
    uint32_t count;    /* times */
    uint32_t combined; /* combinations of `each`, at least 1 */
    uint32_t partition;
    enum { OWN_TIME_NONE, OWN_TIME_AT, OWN_TIME_LATE } own;
    int64_t own_ms; /* the first one's own time, or how long it was on its way */
    bool is_clear;
    struct rule_test_fields fields;
    const struct rule_test_values *values; /* NULL: none */
    uint32_t value_count;
    const struct yaml_node *each[RULE_TEST_EACH_MAX]; /* lists; their keys are the names */
    uint32_t each_count;
    const struct yaml_node *alerts; /* `alert`, a map, or `alerts`, a list of them */
    const struct yaml_node *record; /* a text */
};

/* A time that was given as a time, a stretch (2m..3m) or `never`. */
struct rule_test_when {
    const struct yaml_node *node; /* NULL: not given */
    bool is_never;
    int64_t from_ms, to_ms;
};

/* What is expected of one change of an incident. NULL nodes: not given. */
struct rule_test_change {
    struct rule_test_when at;
    const struct yaml_node *cause;
    const struct yaml_node *count[4]; /* alerts, open, events, severity */
};
extern const char *const rule_test_count_names[4];

/* Texts of an incident that an expectation may name. */
enum rule_test_text {
    TEXT_TITLE,
    TEXT_PRIORITY,
    TEXT_TENANT,
    TEXT_TIER,
    TEXT_TEAM,
    TEXT_RUNBOOK,
    TEXT_SOURCE,
    TEXT_HOST,
    TEXT_RESOURCE,
    TEXT_CHECK,
    TEXT_MESSAGE,
    TEXT_WHY,
    TEXT_MUTED_BY,
    RULE_TEST_TEXTS
};
extern const char *const rule_test_text_names[RULE_TEST_TEXTS];

/* One entry of `expect` or `expect_not`. */
struct rule_test_expectation {
    const struct yaml_node *node;
    const struct yaml_node *rule;
    const struct yaml_node *key; /* a text, the whole key, or a map of some of its fields */
    const struct yaml_node *text[RULE_TEST_TEXTS]; /* a text, or {contains: text} */
    struct rule_test_change opened, closed;
    struct rule_test_change last;     /* `cause`: of the close; counts: at the last change */
    struct rule_test_change *updated; /* in order */
    uint32_t updated_count;
    const struct yaml_node *updates; /* NULL: not given */
    const struct yaml_node *sent;    /* a map of sinks */
    const struct yaml_node *members; /* a list of "resource check" */
};

struct rule_test {
    const struct yaml_node *node;
    const char *name;
    struct rule_test_settings settings;
    struct rule_test_fields defaults;
    struct rule_test_event *events;
    uint32_t event_count;
    uint32_t partition_count;
    uint64_t record_count;
    int64_t last_ms; /* of records and of what is expected: the clock goes at least so far */
    bool has_expect; /* then every incident has to be described, unless others are allowed */
    bool others_allowed;
    struct rule_test_expectation *expect;
    uint32_t expect_count;
    struct rule_test_expectation *expect_not;
    uint32_t expect_not_count;
    const struct yaml_node *counts; /* NULL: none */
    bool looks_at_bodies;           /* some expectation says what sinks are sent, */
    bool looks_at_members;          /* or which alerts are in an incident */
};

struct rule_test_sink {
    const char *name;
    uint8_t priority_max; /* enum priority */
    struct sink *sink;
};

struct rule_test_file {
    struct arena *arena;
    struct script script;
    uint32_t *line_at; /* where each line begins */
    uint32_t line_count;
    const char *rules[RULE_TEST_RULES_MAX]; /* ready to be opened; packs as words */
    uint32_t rule_count;
    bool rules_are_default; /* not named: those beside the file */
    struct rule_test_sink sinks[RULE_TEST_SINKS_MAX];
    uint32_t sink_count;
    struct rule_test *tests;
    uint32_t test_count;
};

/* What stands in where a test file says nothing: the defaults of the engine and one sink of each
 * type, or those of a configuration. */
struct rule_test_base {
    struct rule_test_settings settings;
    const struct sink_config *sinks;
    const uint8_t *sink_priority_max;
    size_t sink_count;
};
void rule_test_base_init(struct rule_test_base *base);

/* Reads a file's text, which the file keeps a copy of; `path` is its name in messages and the
 * place that rules are looked for from.
 * Owner:  the caller, until rule_test_file_destroy().
 * Errors: -EINVAL with "file:line:column: sentence", the line and a caret for up to ten
 *         faults; -ENOMEM. */
int rule_test_file_read(const char *path, const char *text, size_t bytes,
                        const struct rule_test_base *base, struct rule_test_file **out,
                        struct error *err);
void rule_test_file_destroy(struct rule_test_file *file);

/* Notes where the lines of file->script begin; where memory is short they are looked for. */
void rule_test_note_lines(struct rule_test_file *file);

/* The place of a span of a test file: span.script is the `script` of one. */
struct place rule_test_place(struct span span);

/* Checks names of rules and keys against the rules that the tests will run with.
 * Errors: as rule_test_file_read(). */
int rule_test_file_bind(const struct rule_test_file *file, const struct rule_set *rules,
                        struct error *err);

/* ---- running ---- */

/* An incident as a run told of it, in the order of opening. */
struct rule_test_incident {
    struct incident **change; /* owned references, in order; the first is the opening */
    uint32_t change_count, change_room;
    struct rule_test_op {
        uint16_t sink;
        char *body;          /* as the sink would be sent it; owned */
        struct json_t *json; /* the same, once it was looked at; owned */
    } * op;
    uint32_t op_count, op_room;
    struct rule_test_member {
        struct id128 alert;
        int64_t at_ms;    /* since 1970 */
        const char *name; /* "resource check"; of the run's watch */
    } * member;
    uint32_t member_count, member_room;
};

struct rule_test_run {
    struct rule_test_incident *incident;
    uint32_t incident_count, incident_room;
    struct rule_test_watch *watch; /* owned; NULL: nothing was asked */
    uint32_t *index;               /* by id: number of the incident from 1, 0 for none */
    uint32_t index_room;
    struct engine_counters counters;
    struct engine_rule_counters *rules;
    size_t rule_count;
    const struct rule_set *set; /* that it ran with; borrowed */
    /* The first record that was refused: which entry made it, and why; "" for none. */
    const struct rule_test_event *refused_event;
    char refused[200];
};

/* Runs one test through the engine, on this thread, and renders what its sinks would be sent.
 * `asked`, one for each rule of the set: those that are asked why, and nothing is rendered; NULL:
 * none.
 * Owner:  the caller, until rule_test_run_release(), which works after errors too.
 * Errors: -EINVAL (settings that the engine refuses), -ENOMEM, -ETIMEDOUT, -E2BIG (more than
 *         RULE_TEST_KEPT_MIB_MAX to be kept), with a sentence. */
int rule_test_run(const struct rule_test_file *file, const struct rule_test *test,
                  struct rule_set *rules, const bool *asked, struct rule_test_run *run,
                  struct error *err);
void rule_test_run_release(struct rule_test_run *run);

/* The incident of that id, or NULL. */
const struct rule_test_incident *rule_test_run_find(const struct rule_test_run *run,
                                                    struct id128 id);

/* The same for who listens himself: the test's records go through an engine of these settings,
 * which rule_test_engine_config() fills; no sinks. `topic` must live as long as the configuration.
 * Errors: as rule_test_run(). */
struct rule_test_source;
struct topic_config;
struct engine_config;
struct engine_listener;
void rule_test_engine_config(const struct rule_test *test, struct topic_config *topic,
                             struct engine_config *config);
int rule_test_run_for(const struct rule_test *test, const struct engine_config *config,
                      struct rule_set *rules, const struct engine_listener *listener,
                      struct error *err);

/* ---- comparing ---- */

/* One line of a finding: a field, what was expected of it and what came. */
struct rule_test_row {
    const char *field;
    const char *expected, *got;
    struct span place; /* of what was expected */
    bool is_met;
};

enum rule_test_finding_kind {
    FINDING_DIFFERS, /* an incident of this rule and key came, with something else in it */
    FINDING_MISSING,
    FINDING_EXTRA,     /* one that nothing describes */
    FINDING_FORBIDDEN, /* one that expect_not describes */
    FINDING_COUNT,     /* a number of `counts` */
};

struct rule_test_finding {
    enum rule_test_finding_kind kind;
    struct span place; /* of the expectation; of the test for EXTRA */
    const struct rule_test_expectation *expectation;
    const struct rule_test_incident *incident; /* NULL: missing */
    struct rule_test_row *row;
    uint32_t row_count;
    const char *said;  /* what else there is to say; "" for nothing */
    const char **line; /* why: see rule_test_explain() */
    uint32_t line_count;
};

struct rule_test_result {
    struct arena *arena;
    struct rule_test_finding *finding;
    uint32_t finding_count, finding_room;
    bool out_of_memory;
};

/* Compares. A test without findings has passed.
 * Owner: the caller, until rule_test_result_release(). */
void rule_test_compare(const struct rule_test_file *file, const struct rule_test *test,
                       const struct rule_test_run *run, struct rule_test_result *result);

/* Adds to each finding why: of an incident its members, of one that is missing what its rule made
 * of the events. Runs the test a second time. Nothing is added when that fails. */
void rule_test_explain(const struct rule_test_file *file, const struct rule_test *test,
                       struct rule_set *rules, struct rule_test_result *result);
void rule_test_result_release(struct rule_test_result *result);

/* The names that `counts` may have. Returns how many. */
enum { RULE_TEST_SUMS_MAX = 32 };
size_t rule_test_sum_names(const char *names[RULE_TEST_SUMS_MAX]);

const char *rule_test_finding_name(enum rule_test_finding_kind kind);

/* A time of a test as people write it there: 1m30s, -5s, 0s. */
enum { RULE_TEST_TIME_BYTES = 48 };
const char *rule_test_format_time(int64_t ms, char to[RULE_TEST_TIME_BYTES]);

#endif

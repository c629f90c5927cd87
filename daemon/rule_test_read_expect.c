/*
 * rule_test_read_expect.c - what a test expects: incidents, and incidents that must not be.
 * And rule_test_file_bind(), which holds it against the rules.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/event.h"
#include "daemon/rule_test_read.h"
#include "rules/fields.h"
#include "base/nearest.h"
#include "rules/rule_reader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *const rule_test_count_names[4] = {"alerts", "open", "events", "severity"};
enum { COUNT_SEVERITY = 3 };

const char *const rule_test_text_names[RULE_TEST_TEXTS] = {
    "title", "priority", "tenant", "tier",    "team", "runbook",  "source",
    "host",  "resource", "check",  "message", "why",  "muted_by",
};

#define CHANGE_KEYS "cause", "alerts", "open", "events", "severity"
#define EXPECT_KEYS                                                                                \
    "rule", "key", "title", "priority", "tenant", "tier", "team", "runbook", "source", "host",     \
        "resource", "check", "message", "why", "muted_by", "opened"

static const char *const expect_keys[] = {EXPECT_KEYS, CHANGE_KEYS, "closed",
                                          "updates",   "sent",      "members"};
static const char *const expect_not_keys[] = {EXPECT_KEYS};
static const char *const change_keys[] = {CHANGE_KEYS, "at"};
enum { SINKS_HINT_BYTES = 200 };

static const char *const contains_keys[] = {"contains"};

/* ---- a change ---- */

static void read_when(struct test_reader *reader, const struct yaml_node *node, const char *what,
                      struct rule_test_when *out)
{
    static const char *const never = "never";
    char hint[NEAREST_HINT_BYTES];
    const char *dots;

    out->node = node;
    if (!test_read_is_text(reader, node, what))
        return;
    out->is_never = text_equals(node->text, "never");
    if (out->is_never)
        return;
    if (nearest_name(node->text, &never, 1) != NULL) {
        diagnose(reader->diag, node->span, "%s is a time, a span of times or never%s", what,
                 nearest_hint(node->text, &never, 1, hint));
        return;
    }
    dots = strstr(node->text.at, "..");
    if (dots != NULL) {
        uint32_t at = (uint32_t)(dots - node->text.at);
        out->from_ms = test_read_time_part(reader, node, 0, at, what);
        out->to_ms = test_read_time_part(reader, node, at + 2, node->text.len, what);
        if (out->to_ms < out->from_ms)
            diagnose(reader->diag, node->span, "%s ends before it begins", what);
    } else {
        out->from_ms = out->to_ms = test_read_time(reader, node, what);
    }
    if (out->to_ms > reader->test->last_ms)
        reader->test->last_ms = out->to_ms;
}

static void check_cause(struct test_reader *reader, const struct yaml_node *node)
{
    const char *names[INCIDENT_CAUSE_COUNT], *near;

    if (!test_read_is_text(reader, node, "cause"))
        return;
    for (int i = 0; i < INCIDENT_CAUSE_COUNT; i++) {
        names[i] = incident_cause_name((enum incident_cause)i);
        if (text_equals(node->text, names[i]))
            return;
    }
    near = nearest_name(node->text, names, INCIDENT_CAUSE_COUNT);
    if (near != NULL)
        diagnose(reader->diag, node->span, "there is no cause \"%.60s\"; did you mean \"%s\"?",
                 node->text.at, near);
    else
        diagnose(reader->diag, node->span, "there is no cause \"%.60s\"", node->text.at);
}

static void check_severity(struct test_reader *reader, const struct yaml_node *node)
{
    const char *names[SEVERITY_COUNT];
    char hint[NEAREST_HINT_BYTES];

    if (!test_read_is_text(reader, node, "severity"))
        return;
    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        names[severity] = severity_name((enum severity)severity);
        if (text_equals(node->text, names[severity]))
            return;
    }
    diagnose(reader->diag, node->span,
             "a severity is ok, debug, info, warning, minor, major or critical%s",
             nearest_hint(node->text, names, SEVERITY_COUNT, hint));
}

static void check_priority(struct test_reader *reader, const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR || node->text.len == 0)
        return; /* a map says what it contains */
    for (int priority = PRIORITY_P1; priority <= PRIORITY_P5; priority++)
        if (text_equals(node->text, priority_name((enum priority)priority)))
            return;
    diagnose(reader->diag, node->span, "a priority is P1, P2, P3, P4 or P5");
}

/* What stands in `map` about one change beside its time. */
static void read_change_fields(struct test_reader *reader, const struct yaml_node *map,
                               struct rule_test_change *out)
{
    out->cause = yaml_node_find(map, "cause");
    if (out->cause != NULL)
        check_cause(reader, out->cause);
    for (size_t i = 0; i < COUNT(rule_test_count_names); i++) {
        out->count[i] = yaml_node_find(map, rule_test_count_names[i]);
        if (out->count[i] == NULL)
            continue;
        if (i == COUNT_SEVERITY)
            check_severity(reader, out->count[i]);
        else
            test_read_count(reader, out->count[i], rule_test_count_names[i], 0, INT64_MAX);
    }
}

/* A time, or a map of the change with it. */
static void read_change(struct test_reader *reader, const struct yaml_node *node, const char *what,
                        struct rule_test_change *out)
{
    const struct yaml_node *at;

    if (node->kind == YAML_SCALAR) {
        read_when(reader, node, what, &out->at);
        return;
    }
    if (!test_read_is_map(reader, node, what) ||
        !rule_check_keys(node, change_keys, COUNT(change_keys), what, reader->diag))
        return;
    at = yaml_node_find(node, "at");
    if (at != NULL)
        read_when(reader, at, what, &out->at);
    if (at != NULL && out->at.is_never)
        diagnose(reader->diag, at->span, "what never happens has no more to it: %s: never", what);
    read_change_fields(reader, node, out);
}

static void read_updates(struct test_reader *reader, const struct yaml_node *list,
                         struct rule_test_expectation *out)
{
    out->updates = list;
    if (!test_read_is_list(reader, list, "updates"))
        return;
    out->updated = test_read_alloc(reader, list->count, sizeof(*out->updated));
    for (const struct yaml_node *at = list->first; at != NULL && out->updated != NULL;
         at = at->next)
        read_change(reader, at, "updates", &out->updated[out->updated_count++]);
}

/* ---- an incident ---- */

static void check_text(struct test_reader *reader, const struct yaml_node *node, const char *what)
{
    const struct yaml_node *part;

    if (node->kind != YAML_MAP) {
        test_read_is_text(reader, node, what);
        return;
    }
    if (!rule_check_keys(node, contains_keys, COUNT(contains_keys), what, reader->diag))
        return;
    part = yaml_node_find(node, "contains");
    if (part == NULL || !test_read_is_text(reader, part, "contains") || part->text.len == 0)
        diagnose(reader->diag, node->span, "%s takes a text, or {contains: a part of it}", what);
}

static void check_key(struct test_reader *reader, const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR) {
        test_read_is_text(reader, node, "key");
    } else if (node->kind == YAML_LIST) {
        diagnose(reader->diag, node->span, "key is a map like {host: db-01}, not a list");
    } else {
        for (const struct yaml_node *at = node->first; at != NULL; at = at->next)
            test_read_is_text(reader, at, "a value of key");
    }
}

/* "; the sinks are hook, pager" */
static const char *sinks_hint(const char *const *names, uint32_t count, char hint[SINKS_HINT_BYTES])
{
    size_t used = 0;

    for (uint32_t i = 0; i < count && used < SINKS_HINT_BYTES; i++)
        used += (size_t)snprintf(hint + used, SINKS_HINT_BYTES - used, "%s%.60s",
                                 i > 0        ? ", "
                                 : count == 1 ? "; the only sink is "
                                              : "; the sinks are ",
                                 names[i]);
    if (used >= SINKS_HINT_BYTES) /* many: it says so where it ends */
        memcpy(hint + SINKS_HINT_BYTES - sizeof(", ..."), ", ...", sizeof(", ..."));
    return hint;
}

/* Of a name that is near none, all there are are told. */
static bool are_sinks(struct test_reader *reader, const struct yaml_node *node)
{
    const char *names[RULE_TEST_SINKS_MAX];
    uint32_t count = reader->file->sink_count;
    char near[NEAREST_HINT_BYTES], all[SINKS_HINT_BYTES] = "";
    bool is_good = true;

    for (uint32_t i = 0; i < count; i++)
        names[i] = reader->file->sinks[i].name;
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next) {
        struct text key = at->key->text;
        uint32_t i = 0;
        while (i < count && !text_equals(key, names[i]))
            i++;
        if (i < count)
            continue;
        nearest_hint(key, names, count, near);
        diagnose(reader->diag, at->key->span, "sent has no sink \"%.60s\"%s", key.at,
                 near[0] != '\0' ? near : sinks_hint(names, count, all));
        is_good = false;
    }
    return is_good;
}

static void check_sent(struct test_reader *reader, const struct yaml_node *node)
{
    if (!test_read_is_map(reader, node, "sent") || !are_sinks(reader, node))
        return;
    for (const struct yaml_node *at = node->first; at != NULL; at = at->next) {
        if (!test_read_is_list(reader, at, "a sink of sent"))
            continue;
        for (const struct yaml_node *body = at->first; body != NULL; body = body->next)
            test_read_is_map(reader, body, "an entry of sent");
    }
}

static void read_expectation(struct test_reader *reader, const struct yaml_node *node,
                             const char *what, struct rule_test_expectation *out)
{
    bool is_not = strcmp(what, "expect_not") == 0;
    const struct yaml_node *at;

    out->node = node;
    if (!test_read_is_map(reader, node, what) ||
        !rule_check_keys(node, is_not ? expect_not_keys : expect_keys,
                         is_not ? COUNT(expect_not_keys) : COUNT(expect_keys), what, reader->diag))
        return;
    out->rule = yaml_node_find(node, "rule");
    if (out->rule != NULL)
        test_read_is_text(reader, out->rule, "rule");
    out->key = yaml_node_find(node, "key");
    if (out->key != NULL)
        check_key(reader, out->key);
    for (int i = 0; i < RULE_TEST_TEXTS; i++) {
        out->text[i] = yaml_node_find(node, rule_test_text_names[i]);
        if (out->text[i] != NULL)
            check_text(reader, out->text[i], rule_test_text_names[i]);
        if (out->text[i] != NULL && i == TEXT_PRIORITY)
            check_priority(reader, out->text[i]);
    }
    at = yaml_node_find(node, "opened");
    if (at != NULL)
        read_change(reader, at, "opened", &out->opened);
    if (at != NULL && out->opened.at.is_never)
        diagnose(reader->diag, at->span, "an incident that never opens belongs to expect_not");
    if (is_not)
        return;
    at = yaml_node_find(node, "closed");
    if (at != NULL)
        read_change(reader, at, "closed", &out->closed);
    read_change_fields(reader, node, &out->last);
    at = yaml_node_find(node, "updates");
    if (at != NULL)
        read_updates(reader, at, out);
    out->sent = yaml_node_find(node, "sent");
    if (out->sent != NULL)
        check_sent(reader, out->sent);
    out->members = yaml_node_find(node, "members");
    if (out->members != NULL && test_read_is_list(reader, out->members, "members"))
        for (at = out->members->first; at != NULL; at = at->next)
            test_read_is_text(reader, at, "a member");
    reader->test->looks_at_members |= out->members != NULL;
    reader->test->looks_at_bodies |= out->sent != NULL;
}

struct rule_test_expectation *test_read_expectations(struct test_reader *reader,
                                                     const struct yaml_node *list, const char *what,
                                                     uint32_t *count)
{
    struct rule_test_expectation *out;

    if (!test_read_is_list(reader, list, what))
        return NULL;
    if (list->count > RULE_TEST_EXPECT_MAX) {
        diagnose(reader->diag, list->span, "%s has at most %d incidents", what,
                 RULE_TEST_EXPECT_MAX);
        return NULL;
    }
    out = test_read_alloc(reader, list->count, sizeof(*out));
    for (const struct yaml_node *at = list->first; at != NULL && out != NULL; at = at->next)
        read_expectation(reader, at, what, &out[(*count)++]);
    return out;
}

/* ---- against the rules ---- */

struct binding {
    const struct rule_set *rules;
    const char **names; /* ids of all rules */
    struct diagnostics diag;
};

/* They are ordered by id, bytewise. */
static const struct rule *find_rule(const struct binding *binding, struct text id)
{
    uint32_t from = 0, to = rule_set_count(binding->rules);

    while (from < to) {
        uint32_t at = from + (to - from) / 2;
        const char *name = binding->names[at];
        size_t len = strlen(name);
        int order = memcmp(id.at, name, id.len < len ? id.len : len);
        if (order == 0 && id.len == len)
            return rule_set_rule(binding->rules, at);
        if (order < 0 || (order == 0 && id.len < len))
            to = at;
        else
            from = at + 1;
    }
    return NULL;
}

static void bind_key(struct binding *binding, const struct yaml_node *key, const struct rule *rule)
{
    char what[RULE_ID_BYTES_MAX + 32];

    if (key == NULL || key->kind != YAML_MAP)
        return;
    snprintf(what, sizeof(what), "the key of rule %s", rule->id);
    rule_check_keys(key, rule->by_name, rule->by_count, what, &binding->diag);
}

static void bind_expectations(struct binding *binding, const struct rule_test_expectation *expect,
                              uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct yaml_node *id = expect[i].rule;
        const struct rule *rule = id != NULL ? find_rule(binding, id->text) : NULL;
        if (rule != NULL) {
            bind_key(binding, expect[i].key, rule);
        } else if (id != NULL) {
            const char *near =
                diagnostics_wants_hint(&binding->diag)
                    ? nearest_name(id->text, binding->names, rule_set_count(binding->rules))
                    : NULL;
            if (near != NULL)
                diagnose(&binding->diag, id->span,
                         "there is no rule \"%.100s\"; did you mean \"%s\"?", id->text.at, near);
            else
                diagnose(&binding->diag, id->span, "there is no rule \"%.100s\"", id->text.at);
        }
    }
}

int rule_test_file_bind(const struct rule_test_file *file, const struct rule_set *rules,
                        struct error *err)
{
    struct binding binding = {.rules = rules};

    diagnostics_init(&binding.diag, err);
    binding.names =
        arena_alloc_many(file->arena, rule_set_count(rules) + 1, sizeof(*binding.names));
    if (binding.names == NULL) {
        diagnose_memory(&binding.diag);
        return diagnostics_finish(&binding.diag);
    }
    for (uint32_t i = 0; i < rule_set_count(rules); i++)
        binding.names[i] = rule_set_rule(rules, i)->id;
    for (uint32_t t = 0; t < file->test_count; t++) {
        const struct rule_test *test = &file->tests[t];
        bind_expectations(&binding, test->expect, test->expect_count);
        bind_expectations(&binding, test->expect_not, test->expect_not_count);
    }
    return diagnostics_finish(&binding.diag);
}

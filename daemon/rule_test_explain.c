/*
 * rule_test_explain.c - why a test failed, beyond what differs: the members of the incidents that
 * came, and for those that did not what their rule made of the events; and of the first findings
 * the whole chain of decisions.
 *
 * The incidents of the second run are found by their id, which the same records and rules give
 * again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test_match.h"
#include "base/plural.h"
#include "daemon/rule_test_watch.h"
#include "daemon/rule_test_why.h"
#include "rules/fields.h"

/* Each chain takes a run or two of the test: a person reads the first ones. */
enum { LINES_MAX = 96, LINES_FEW = 12, MEMBERS_SHOWN = 10, LINE_BYTES = 512, CHAINS_MAX = 3 };

static void add_line(struct rule_test_result *result, struct rule_test_finding *finding,
                     const char *text)
{
    const char **line = finding->line;

    /* Most have few, and there may be a million findings. */
    if (line == NULL || finding->line_count == LINES_FEW)
        line = arena_alloc_many(result->arena, line == NULL ? LINES_FEW : LINES_MAX, sizeof(*line));
    if (line == NULL || finding->line_count == LINES_MAX)
        return;
    if (line != finding->line && finding->line_count > 0)
        memcpy(line, finding->line, finding->line_count * sizeof(*line));
    finding->line = line;
    finding->line[finding->line_count] = arena_copy(result->arena, text, strlen(text));
    finding->line_count += finding->line[finding->line_count] != NULL;
}

static void explain_incident(const struct rule_test *test, const struct rule_test_run *run,
                             struct rule_test_result *result, struct rule_test_finding *finding)
{
    const struct rule_test_incident *twin =
        rule_test_run_find(run, finding->incident->change[0]->id);
    char line[LINE_BYTES], time[RULE_TEST_TIME_BYTES];

    for (uint32_t m = 0; twin != NULL && m < twin->member_count; m++) {
        if (m == MEMBERS_SHOWN) {
            snprintf(line, sizeof(line), "and %" PRIu32 " more alert%s", twin->member_count - m,
                     plural(twin->member_count - m));
            add_line(result, finding, line);
            return;
        }
        snprintf(line, sizeof(line), "%s, at %s", twin->member[m].name,
                 rule_test_format_time(twin->member[m].at_ms - test->settings.start_ms, time));
        add_line(result, finding, line);
    }
}

static void explain_missing(const struct rule_test_run *run, struct rule_test_result *result,
                            struct rule_test_finding *finding)
{
    const struct yaml_node *rule = finding->expectation->rule;
    const char *line;

    for (uint32_t i = 0;
         rule != NULL && (line = rule_test_watch_line(run->watch, rule->text.at, i)) != NULL; i++)
        add_line(result, finding, line);
}

/* --- the chain ----------------------------------------------------------------------------- */

static void add_chain(struct rule_test_result *result, struct rule_test_finding *finding,
                      const char *title, char *story)
{
    char line[2 * LINE_BYTES], *rest = NULL;

    if (story == NULL)
        return;
    add_line(result, finding, title);
    for (char *at = strtok_r(story, "\n", &rest); at != NULL; at = strtok_r(NULL, "\n", &rest)) {
        snprintf(line, sizeof(line), "  %.1000s", at);
        add_line(result, finding, line);
    }
    free(story);
}

static bool is_meant(const void *self, const char *key)
{
    return rule_test_match_key(self, key);
}

/* The key in the rule's own words, from an expectation that names all of it but the tenant. */
static bool write_key(const struct rule *rule, const struct yaml_node *key, char *to, size_t bytes)
{
    size_t used = 0;

    if (key == NULL || key->kind != YAML_MAP)
        return key != NULL && (size_t)snprintf(to, bytes, "%s", key->text.at) < bytes;
    for (uint32_t i = 0; i < rule->by_count; i++) {
        const struct yaml_node *at = key->first;
        while (at != NULL && !text_equals(at->key->text, rule->by_name[i]))
            at = at->next;
        if (at == NULL && i == 0 && rule->by_count > 1)
            continue; /* the tenant may be left out */
        if (at == NULL || used >= bytes)
            return false;
        used += (size_t)snprintf(to + used, bytes - used, "%s%s=%s", used > 0 ? " " : "",
                                 rule->by_name[i], at->text.at);
    }
    return used < bytes;
}

static const struct rule *rule_named(struct rule_set *rules, struct text id)
{
    for (uint32_t r = 0; r < rule_set_count(rules); r++)
        if (text_equals(id, rule_set_rule(rules, r)->id))
            return rule_set_rule(rules, r);
    return NULL;
}

/* Of the key that was expected, or of the one that came nearest. */
static void chain_missing(const struct rule_test *test, struct rule_set *rules,
                          const struct rule_test_run *run, struct rule_test_result *result,
                          struct rule_test_finding *finding)
{
    const struct rule_test_expectation *expectation = finding->expectation;
    const struct rule *rule =
        expectation->rule != NULL ? rule_named(rules, expectation->rule->text) : NULL;
    char key[LINE_BYTES], title[LINE_BYTES + 64];
    const char *nearest;

    if (rule == NULL)
        return;
    nearest = rule_test_watch_nearest(run->watch, rule->id, is_meant, expectation);
    if (nearest != NULL)
        snprintf(key, sizeof(key), "%s", nearest);
    else if (!write_key(rule, expectation->key, key, sizeof(key)))
        return;
    snprintf(title, sizeof(title), "why not, of key %s:", key);
    add_chain(result, finding, title, rule_test_why_not_key(test, rules, rule->id, key));
}

static void add_chains(const struct rule_test *test, struct rule_set *rules,
                       const struct rule_test_run *run, struct rule_test_result *result)
{
    uint32_t chains = 0;

    for (uint32_t f = 0; f < result->finding_count && chains < CHAINS_MAX; f++) {
        struct rule_test_finding *finding = &result->finding[f];
        if (finding->kind == FINDING_MISSING)
            chain_missing(test, rules, run, result, finding);
        else if (finding->incident != NULL)
            add_chain(result, finding, "why it opened:",
                      rule_test_why_incident(test, rules, finding->incident->change[0]->id));
        chains += finding->kind != FINDING_COUNT;
    }
}

void rule_test_explain(const struct rule_test_file *file, const struct rule_test *test,
                       struct rule_set *rules, struct rule_test_result *result)
{
    bool *asked =
        arena_alloc_many(result->arena, (size_t)rule_set_count(rules) + 1, sizeof(*asked));
    struct rule_test_run run = {0};
    struct error err;

    if (asked == NULL)
        return;
    for (uint32_t f = 0; f < result->finding_count; f++) {
        const struct rule_test_finding *finding = &result->finding[f];
        for (uint32_t r = 0; finding->kind == FINDING_MISSING && r < rule_set_count(rules); r++)
            asked[r] |= finding->expectation->rule != NULL &&
                        text_equals(finding->expectation->rule->text, rule_set_rule(rules, r)->id);
    }
    if (rule_test_run(file, test, rules, asked, &run, &err) == 0) {
        for (uint32_t f = 0; f < result->finding_count; f++) {
            struct rule_test_finding *finding = &result->finding[f];
            if (finding->kind == FINDING_MISSING)
                explain_missing(&run, result, finding);
            else if (finding->incident != NULL)
                explain_incident(test, &run, result, finding);
        }
        add_chains(test, rules, &run, result);
    }
    rule_test_run_release(&run);
}

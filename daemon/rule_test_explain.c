/*
 * rule_test_explain.c - why a test failed, beyond what differs: the members of the incidents that
 * came, and for those that did not what their rule made of the events.
 *
 * The incidents of the second run are found by their id, which the same records and rules give
 * again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test_watch.h"
#include "rules/fields.h"

enum { LINES_MAX = 16, MEMBERS_SHOWN = 10, LINE_BYTES = 512 };

static void add_line(struct rule_test_result *result, struct rule_test_finding *finding,
                     const char *text)
{
    if (finding->line == NULL)
        finding->line = arena_alloc_many(result->arena, LINES_MAX, sizeof(*finding->line));
    if (finding->line == NULL || finding->line_count == LINES_MAX)
        return;
    finding->line[finding->line_count] = arena_copy(result->arena, text, strlen(text));
    finding->line_count += finding->line[finding->line_count] != NULL;
}

static void explain_incident(const struct rule_test *test, const struct rule_test_run *run,
                             struct rule_test_result *result, struct rule_test_finding *finding)
{
    const struct rule_test_incident *twin = NULL;
    char line[LINE_BYTES], time[RULE_TEST_TIME_BYTES];

    for (uint32_t i = 0; i < run->incident_count && twin == NULL; i++)
        if (id128_equal(run->incident[i].change[0]->id, finding->incident->change[0]->id))
            twin = &run->incident[i];
    for (uint32_t m = 0; twin != NULL && m < twin->member_count; m++) {
        if (m == MEMBERS_SHOWN) {
            snprintf(line, sizeof(line), "and %" PRIu32 " more alerts", twin->member_count - m);
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
    if (rule_test_run(file, test, rules, asked, &run, &err) == 0)
        for (uint32_t f = 0; f < result->finding_count; f++) {
            struct rule_test_finding *finding = &result->finding[f];
            if (finding->kind == FINDING_MISSING)
                explain_missing(&run, result, finding);
            else if (finding->incident != NULL)
                explain_incident(test, &run, result, finding);
        }
    rule_test_run_release(&run);
}

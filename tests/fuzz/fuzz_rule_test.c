/*
 * Aim: any bytes as a file of rule tests are an error with a place, or tests that run; never a
 * crash, never more than a second. Method: what is accepted is held against a few rules; tests
 * that make few records are run, compared and reported in every form.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test.h"
#include "daemon/rule_test_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

enum { RECORDS_MAX = 50, TESTS_MAX = 4 };

static const char rules_text[] =
    "rules:\n"
    "  - {id: down, where: check == 'down', by: [host], window: 1m, when: count() >= 1,\n"
    "     incident: {title: '{host} is down', priority: P2}, close: cleared()}\n"
    "  - {id: disks, where: check == 'disk', by: [host], window: 1m, when: distinct(resource) >= "
    "2,\n"
    "     incident: {title: t}, close: cleared() || quiet(10m)}\n";

/* See fuzz_rules.c: libfyaml 0.7.12 loses memory of its own on a few malformed texts. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static void run(const struct rule_test_file *file, const struct rule_test *test,
                struct rule_set *rules)
{
    struct rule_test_outcome outcome = {.file = file, .test = test};
    struct rule_test_result result;
    struct rule_test_run ran;
    struct error err;
    char *text = NULL;
    size_t bytes = 0;
    FILE *to;

    if (rule_test_run(file, test, rules, NULL, &ran, &err) == 0) {
        rule_test_compare(file, test, &ran, &result);
        if (result.finding_count > 0)
            rule_test_explain(file, test, rules, &result);
        outcome.run = &ran;
        outcome.result = &result;
        to = open_memstream(&text, &bytes);
        rule_test_report_text(&outcome, true, to);
        rule_test_report_junit(&outcome, to);
        json_decref(rule_test_report_json(&outcome));
        fclose(to);
        free(text);
        rule_test_result_release(&result);
    }
    rule_test_run_release(&ran);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rule_set *rules;
    struct rule_test_base base;
    struct rule_test_file *file = NULL;
    struct error err;
    char *text = malloc(size + 1); /* what the fuzzer gives has no zero byte behind it */

    if (text == NULL)
        return 0;
    if (rules == NULL &&
        rule_set_parse("rules.yaml", rules_text, strlen(rules_text), &rules, &err) != 0)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    rule_test_base_init(&base);
    if (rule_test_file_read("x.test.yaml", text, size, &base, &file, &err) == 0) {
        if (rule_test_file_bind(file, rules, &err) == 0)
            for (uint32_t t = 0; t < file->test_count && t < TESTS_MAX; t++)
                if (file->tests[t].record_count <= RECORDS_MAX)
                    run(file, &file->tests[t], rules);
        rule_test_file_destroy(file);
    }
    free(text);
    return 0;
}

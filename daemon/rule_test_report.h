/*
 * rule_test_report.h - what a run of tests found, for a person, as JSON, and as JUnit's XML.
 *
 * Findings point into the file, the run and the result they were made from: a report is written
 * as soon as its test has run, and keeps only what it needs.
 */
#ifndef DAEMON_RULE_TEST_REPORT_H
#define DAEMON_RULE_TEST_REPORT_H

#include <jansson.h>
#include <stdio.h>
#include "daemon/rule_test.h"

/* One test that has run, or could not (`trouble`, a sentence). */
struct rule_test_outcome {
    const struct rule_test_file *file;
    const struct rule_test *test;
    const struct rule_test_run *run;
    const struct rule_test_result *result;
    const char *trouble; /* NULL: it ran */
    uint64_t elapsed_ns;
};

bool rule_test_outcome_passed(const struct rule_test_outcome *outcome);

/* A few lines for a test that failed; with `verbose`, one for each that passed, and its incidents.
 */
void rule_test_report_text(const struct rule_test_outcome *outcome, bool verbose, FILE *to);

/* New reference; NULL when memory is short. */
json_t *rule_test_report_json(const struct rule_test_outcome *outcome);

/* One <testcase>. */
void rule_test_report_junit(const struct rule_test_outcome *outcome, FILE *to);

/* Text as XML takes it, in attributes too: characters that XML cannot hold are left out. */
void rule_test_report_xml_text(const char *text, FILE *to);

#endif

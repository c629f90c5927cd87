/*
 * diff_report.h - what a comparison of two runs found, for people and for programs. The JSON is
 * described in docs/diff.md.
 */
#ifndef DAEMON_DIFF_REPORT_H
#define DAEMON_DIFF_REPORT_H

#include <stdio.h>
#include "correlate/engine.h"
#include "daemon/incident_diff.h"

struct diff_report {
    const struct diff_result *result;
    const char *rules[DIFF_SIDES]; /* as given */
    uint32_t rule_count[DIFF_SIDES];
    struct engine_counters engine[DIFF_SIDES];
    int64_t from_ms, to_ms, near_ms; /* from_ms INT64_MAX: no event */
    const char *const *sink_names;
    size_t sink_count;
};

/* True when anything changed. */
bool diff_report_is_changed(const struct diff_report *report);

void diff_report_print_text(const struct diff_report *report, FILE *to);

/* One JSON object and a line end. False when memory is short. */
bool diff_report_print_json(const struct diff_report *report, FILE *to);

#endif

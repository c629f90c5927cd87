/*
 * Aim: a rule test says of the engine what the daemon would do, meets what its author wrote, and
 * points at the line that is not met. Method: small files of tests against three rules, through
 * reader, engine and comparison; expected times follow from the rules by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test.h"
#include "daemon/rule_test_report.h"

static const char rules_text[] =
    "enrich:\n"
    "  - {id: raise, where: labels.step == \"raise\", set: {severity: MAJOR}}\n"
    "  - {id: spare, where: labels.step == \"spare\", drop: true}\n"
    "rules:\n"
    "  - id: down\n"
    "    where: check == \"down\"\n"
    "    by: [host]\n"
    "    window: 1m\n"
    "    when: count() >= 1\n"
    "    incident: {title: \"{host} is down\", priority: P2, team: linux,"
    " runbook: kb/down}\n"
    "    close: cleared()\n"
    "  - id: disks\n"
    "    where: check == \"disk\" && severity >= MAJOR\n"
    "    by: [host]\n"
    "    window: 1m\n"
    "    when: distinct(resource) >= 3\n"
    "    incident: {title: \"{host}: {distinct(resource)} disks\"}\n"
    "    close: cleared() || quiet(10m)\n"
    "  - id: noise\n"
    "    on: events\n"
    "    where: check == \"noise\" && value > 20\n"
    "    window: 10s\n"
    "    when: count() >= 3\n"
    "    incident: {title: \"{count()} events\", priority: P1}\n"
    "    close: quiet(1m)\n"
    "  - id: flaps\n"
    "    on: flapping\n"
    "    where: check == \"down\"\n"
    "    by: [host]\n"
    "    window: 10m\n"
    "    when: count() >= 1\n"
    "    incident: {title: \"{host} flaps\"}\n"
    "    close: quiet(1h)\n"
    "  - id: steps\n"
    "    by: [host]\n"
    "    sequence:\n"
    "      - {where: check == \"one\", as: one}\n"
    "      - {not: check == \"end\", as: end}\n"
    "      - {where: check == \"two\", as: two}\n"
    "    within: 1m\n"
    "    incident: {title: steps}\n"
    "    close: quiet(1m)\n";

#define TEST(body) "tests:\n  - name: t\n" body
#define DOWN(time) "      - {at: " time ", resource: db-01, check: down}\n"

static struct rule_test_file *file;
static struct rule_set *rules;
static char *report;

static int setup(void **state)
{
    struct error err = {""};

    (void)state;
    if (rule_set_parse("rules.yaml", rules_text, strlen(rules_text), &rules, &err) != 0)
        fail_msg("%s", err.text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(report);
    rule_test_file_destroy(file);
    rule_set_destroy(rules);
    return 0;
}

/* What reading, or holding against the rules, says; "" for nothing. */
static const char *read_text(const char *text)
{
    static struct error err;
    struct rule_test_base base;

    rule_test_base_init(&base);
    rule_test_file_destroy(file);
    file = NULL;
    err.text[0] = '\0';
    if (rule_test_file_read("x.test.yaml", text, strlen(text), &base, &file, &err) == 0)
        rule_test_file_bind(file, rules, &err);
    return err.text;
}

/* Runs all tests of the text; returns the report of those that failed. */
static const char *run_text(const char *text)
{
    size_t bytes = 0;
    FILE *to;

    free(report);
    report = NULL;
    assert_string_equal(read_text(text), "");
    to = open_memstream(&report, &bytes);
    assert_non_null(to);
    for (uint32_t t = 0; t < file->test_count; t++) {
        struct rule_test_outcome outcome = {.file = file, .test = &file->tests[t]};
        struct rule_test_result result;
        struct rule_test_run run;
        struct error err = {""};
        if (rule_test_run(file, &file->tests[t], rules, NULL, &run, &err) != 0)
            fail_msg("%s", err.text);
        rule_test_compare(file, &file->tests[t], &run, &result);
        if (result.finding_count > 0)
            rule_test_explain(file, &file->tests[t], rules, &result);
        outcome.run = &run;
        outcome.result = &result;
        rule_test_report_text(&outcome, false, to);
        rule_test_result_release(&result);
        rule_test_run_release(&run);
    }
    fclose(to);
    return report;
}

static void assert_passes(const char *text)
{
    assert_string_equal(run_text(text), "");
}

/* The report holds every one of the parts, in their order. */
static void assert_fails(const char *text, const char *const *parts)
{
    const char *at = run_text(text);

    assert_non_null(at);
    assert_string_not_equal(at, "");
    for (; *parts != NULL; parts++) {
        const char *found = strstr(at, *parts);
        if (found == NULL)
            fail_msg("no \"%s\" in:\n%s", *parts, report);
        at = found + strlen(*parts);
    }
}
#define FAILS(text, ...) assert_fails(text, (const char *const[]){__VA_ARGS__, NULL})

/* ---- what the engine does is what a test sees ---- */

static void incident_is_described_in_full(void **state)
{
    (void)state;
    assert_passes(TEST("    events:\n" DOWN(
        "1m30s") "      - {at: 4m, resource: db-01, check: down, clear: true}\n"
                 "    expect:\n"
                 "      - rule: down\n"
                 "        key: {host: db-01}\n"
                 "        opened: 1m30s\n"
                 "        closed: 4m\n"
                 "        cause: cleared\n"
                 "        title: db-01 is down\n"
                 "        priority: P2\n"
                 "        severity: warning\n" /* what an event without one has */
                 "        tenant: default\n"
                 "        team: linux\n"
                 "        runbook: kb/down\n"
                 "        muted_by: \"\"\n"
                 "        host: db-01\n"
                 "        check: down\n"
                 "        why: {contains: needs 1}\n"
                 "        alerts: 1\n"
                 "        open: 0\n"
                 "        updates: []\n"));
}

static void clock_goes_as_far_as_the_test_says(void **state)
{
    (void)state;
    /* The alert expires five minutes after its event, and that closes the incident; `until` and
     * a time that is expected both carry the clock there. */
    assert_passes(TEST("    events:\n" DOWN("0s") "    expect:\n"
                                                  "      - {rule: down, closed: never}\n"));
    assert_passes(TEST("    events:\n" DOWN("0s") "    expect:\n"
                                                  "      - {rule: down, closed: 5m}\n"));
    FAILS(TEST("    events:\n" DOWN("0s") "    until: 5m\n"
                                          "    expect:\n"
                                          "      - {rule: down, closed: never}\n"),
          "! closed", "never", "5m");
    FAILS(TEST("    events:\n" DOWN("0s") "    until: 299s\n"
                                          "    expect:\n"
                                          "      - {rule: down, cause: cleared}\n"),
          "! cause", "cleared", "(still open)");
}

static void settings_are_the_engines(void **state)
{
    (void)state;
    assert_passes("settings: {expire: 1h, start: 2026-02-01T10:00:00Z}\n" TEST("    events:\n" DOWN(
        "0s") "    expect:\n"
              "      - {rule: down, closed: 2026-02-01T11:00:00Z}\n"
              "  - name: its own\n"
              "    settings: {expire: 90s}\n"
              "    events:\n" DOWN("0s") "    expect:\n"
                                         "      - {rule: down, opened: 0s..1s, closed: 90s}\n"));
}

static void repetition_and_each_make_many_events(void **state)
{
    (void)state;
    /* Three disks twenty seconds apart lie in one minute, at 40 s the third: it opens. */
    assert_passes(TEST("    events:\n"
                       "      - {at: 0s, repeat: 3x20s, resource: \"db-01/sd{i}\", check: disk, "
                       "severity: major}\n"
                       "    expect:\n"
                       "      - {rule: disks, opened: 40s, title: \"db-01: 3 disks\"}\n"));
    assert_passes(TEST("    events:\n"
                       "      - {at: 0s, repeat: 3x30s, resource: \"db-01/sd{i}\", check: disk, "
                       "severity: major}\n"
                       "    expect: []\n"
                       "    counts: {events: 3, expired: 1}\n"));
    assert_passes(TEST("    events:\n"
                       "      - at: 5s\n"
                       "        each: {host: [a, b], disk: [sda, sdb, sdc]}\n"
                       "        resource: \"{host}/{disk}\"\n"
                       "        check: disk\n"
                       "        severity: major\n"
                       "    expect:\n"
                       "      - {rule: disks, key: {host: b}, opened: 5s, alerts: 3}\n"
                       "      - {rule: disks, key: tenant=default host=a, opened: 5s}\n"
                       "    counts: {records: 6}\n"));
    assert_passes(TEST("    events:\n"
                       "      - {at: 0s, resource: \"{{{i:3}}}\", check: down}\n"
                       "    expect:\n"
                       "      - {resource: \"{001}\"}\n"));
}

/* Five stand below it as members: the fourth made the last change. */
static void a_count_is_said_to_be_of_the_last_change(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n"
               "      - at: 5s\n"
               "        each: {disk: [sda, sdb, sdc]}\n"
               "        resource: \"b/{disk}\"\n"
               "        check: disk\n"
               "        severity: major\n"
               "    expect: [{rule: disks, alerts: 4, opened: {at: 5s, alerts: 2}}]\n"),
          "3 (when it was last told)");
}

static void values_are_written_as_promtool_writes_them(void **state)
{
    (void)state;
    /* 10 15 20 25 30 then nothing, then 40: above 20 are 25 at 3 s, 30 at 4 s, 40 at 6 s. The alert
     * expires 5 min later, which is the fourth touch, and a minute after that it was quiet. */
    assert_passes(
        TEST("    events:\n"
             "      - {at: 0s, values: 10+5x4 _ 40, every: 1s, resource: r, check: noise}\n"
             "    expect:\n"
             "      - {rule: noise, opened: 6s, closed: 6m6s, cause: quiet, events: 4}\n"
             "    counts: {events: 6}\n"));
    /* 21 three times, at 0 s, 1 s and 2 s. */
    assert_passes(TEST("    events:\n"
                       "      - {at: 0s, values: 21x2, every: 1s, resource: r, check: noise}\n"
                       "    expect:\n"
                       "      - {rule: noise, opened: 2s}\n"));
    assert_passes(
        TEST("    events:\n"
             "      - {at: 0s, values: \"30-10x1 _x3 1e2 clear\", every: 1s, resource: r, "
             "check: noise}\n"
             "    expect: []\n"
             "    counts: {events: 4, opened: 0}\n"));
}

static void late_events_count_when_the_clock_lets_them(void **state)
{
    (void)state;
    /* Within the slack, 500 ms as the disorder, an event counts at its own time; one that was
     * longer on its way, as early as its arrival less the slack. */
    assert_passes(TEST("    events:\n"
                       "      - {at: 10s, late: 500ms, resource: a, check: down}\n"
                       "      - {at: 20s, late: 8s, resource: b, check: down}\n"
                       "      - {at: 30s, time: 29s800ms, resource: c, check: down}\n"
                       "    expect:\n"
                       "      - {key: {host: a}, opened: 9s500ms}\n"
                       "      - {key: {host: b}, opened: 19s500ms}\n"
                       "      - {key: {host: c}, opened: 29s800ms}\n"
                       "    counts: {late: 1}\n"));
    assert_passes(TEST("    settings: {disorder: 10s}\n"
                       "    events:\n"
                       "      - {at: 20s, late: 8s, resource: b, check: down}\n"
                       "    expect:\n"
                       "      - {opened: 12s}\n"
                       "    counts: {late: 0}\n"));
}

static void partitions_are_put_in_order_by_time(void **state)
{
    (void)state;
    /* Partition 1 holds the first event; the order in the file does not count. */
    assert_passes(
        TEST("    events:\n"
             "      - {at: 40s, resource: db-01/c, check: disk, severity: major}\n"
             "      - {at: 20s, partition: 2, resource: db-01/b, check: disk, severity: major}\n"
             "      - {at: 0s, partition: 1, resource: db-01/a, check: disk, severity: major}\n"
             "    expect:\n"
             "      - {rule: disks, opened: 40s, resource: db-01/c, why: {contains: \"a, "
             "db-01/b\"}}\n"));
}

static void order_in_the_file_means_nothing(void **state)
{
    (void)state;
    /* In one partition: what comes later in the file and earlier in time is not late. */
    assert_passes(
        TEST("    events:\n" DOWN("40s") "      - {at: 0s, resource: db-02, check: down}\n"
                                         "    expect:\n"
                                         "      - {key: {host: db-02}, opened: 0s}\n"
                                         "      - {key: {host: db-01}, opened: 40s}\n"
                                         "    counts: {late: 0}\n"));
}

static void members_are_compared_by_name(void **state)
{
    static const char events[] =
        TEST("    events:\n"
             "      - {at: 0s, repeat: 3x20s, resource: \"db-01/sd{i}\", check: disk, severity: "
             "major}\n"
             "      - {at: 50s, resource: db-01/sd4, check: disk, severity: major}\n"
             "    expect:\n");
    char text[1024];

    (void)state;
    snprintf(text, sizeof(text), "%s%s", events,
             "      - {members: [db-01/sd1 disk, db-01/sd2, db-01/sd4, db-01/sd3]}\n");
    assert_passes(text);
    snprintf(text, sizeof(text), "%s%s", events,
             "      - {members: [db-01/sd1, db-01/sd2 fan, db-01/sd3, db-01/sd4]}\n");
    FAILS(text, "! member   db-01/sd2 fan     (none)",
          "! member   (none)            db-01/sd2 disk", "  members  4                 4");
    /* One that is named twice is there once. */
    snprintf(text, sizeof(text), "%s%s", events,
             "      - {members: [db-01/sd1, db-01/sd2, db-01/sd3, db-01/sd4, db-01/sd4 disk]}\n");
    FAILS(text, "! members  5                 4");
    /* What is told of an incident that differs: who is in it, and since when. */
    snprintf(text, sizeof(text), "%s%s", events, "      - {title: x}\n");
    FAILS(text, "it opened because: 3 different values", "        db-01/sd1 disk, at 40s\n",
          "        db-01/sd4 disk, at 50s\n");
}

/* "host=db-01" holds "ost=db-01" as well. */
static void a_name_of_a_key_is_a_whole_name(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n" DOWN("1m") "    expect:\n      - {key: {ost: db-01}}\n"),
          "ost=db-01");
}

static void updates_are_counted(void **state)
{
    static const char events[] =
        TEST("    events:\n" DOWN("1m") "      - {at: 4m, resource: db-01, "
                                        "check: down, clear: true}\n    expect:\n");
    char text[1024];

    (void)state;
    snprintf(text, sizeof(text), "%s%s", events,
             "      - {rule: down, updates: [{cause: grew}]}\n");
    FAILS(text, "! updates  1                 0");
}

static void missing_incidents_say_what_their_rule_made_of_the_events(void **state)
{
    (void)state;
    FAILS(
        TEST("    events:\n"
             "      - {at: 0s, repeat: 2x10s, resource: \"db-01/sd{i}\", check: disk, severity: "
             "major}\n"
             "      - {at: 30s, repeat: 3x1s, resource: db-01/sdx, check: disk, severity: info}\n"
             "      - {at: 40s, resource: db-01, check: down}\n"
             "    others: allowed\n"
             "    expect:\n"
             "      - {rule: disks}\n"),
        "x.test.yaml:9:9: no incident of rule disks\n",
        "rule disks was reached by 2 alerts or events, and opened 0 incidents",
        "        at 0s tenant=default host=db-01 stood at distinct(resource) 1 of 3\n",
        "        at 10s tenant=default host=db-01 stood at distinct(resource) 2 of 3\n",
        ("        db-01/sdx disk (line 5, 30s) and 2 more like it: severity >= MAJOR: INFO >= "
         "MAJOR "
         "is false\n"),
        "        db-01 down (line 6, 40s): check == \"disk\": \"down\" == \"disk\" is false\n",
        /* The key that came nearest is asked why not. */
        "        why not, of key tenant=default host=db-01:\n",
        "          10s       line 4     rule disks counts db-01/sd2 disk: distinct(resource) 2 of "
        "3\n",
        "          rule disks: distinct(resource) 2 of 3 at 10s; ");
}

/* What `where` made of an event is told of the event that it saw. */
static void steps_have_been_taken_before_it_is_said_why(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n"
               "      - {at: 10s, resource: db-09/a, check: disk, severity: info, labels: {step: "
               "raise}}\n"
               "      - {at: 20s, resource: db-09/b, check: disk, severity: major, labels: {step: "
               "spare}}\n"
               "      - {at: 30s, resource: db-09/c, check: disk, severity: minor}\n"
               "    expect: [{rule: disks}]\n"),
          "        at 10s tenant=default host=db-09 stood at distinct(resource) 1 of 3\n",
          "        db-09/b disk (line 5, 20s): dropped by spare, as if it had not been sent\n",
          "        db-09/c disk (line 6, 30s): severity >= MAJOR: MINOR >= MAJOR is false\n");
    assert_null(strstr(report, "INFO >= MAJOR"));
}

static void a_key_that_holds_nothing_is_told_as_such(void **state)
{
    (void)state;
    FAILS(
        TEST("    events:\n"
             "      - {at: 10s, resource: db-02, check: one}\n"
             "      - {at: 20s, resource: db-02, check: end}\n"
             "    expect: [{rule: steps}]\n"),
        "        at 10s tenant=default host=db-02 stood at 1 of 2 steps: one: one on db-02; waits "
        "for two\n",
        "        at 20s tenant=default host=db-02 held nothing\n",
        "; end, which must not, came by db-02 end at 20s\n");
}

static void a_step_that_comes_before_the_first_is_told(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n"
               "      - {at: 20s, resource: db-02, check: two}\n"
               "    expect: [{rule: steps}]\n"),
          "rule steps was reached by 1 alert or event, and opened 0 incidents",
          "        at 20s came two, and what comes first, one, had not come\n");
}

/* Of a key that nothing counted, too, if all of it is named. */
static void a_key_that_is_named_is_asked_why_not(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n"
               "      - {at: 30s, resource: db-02/sdx, check: disk, severity: info}\n"
               "    expect:\n"
               "      - {rule: disks, key: {host: db-02}}\n"),
          "        why not, of key host=db-02:\n",
          "          30s       line 4     rule disks does not match: where is false\n",
          "          rule disks: where does not hold for its only problem event, "
          "line 4 at 30s: severity >= MAJOR: INFO >= MAJOR is false\n");
}

static void alertmanager_bodies_are_made(void **state)
{
    (void)state;
    assert_passes(
        TEST("    events:\n"
             "      - at: 1m\n"
             "        repeat: 2x1m\n"
             "        alert:\n"
             "          labels: {alertname: down, instance: \"db-01\", severity: page}\n"
             "          annotations: {summary: no answer}\n"
             "          startsAt: 30s\n"
             "      - at: 4m\n"
             "        alert: {labels: {alertname: down, instance: db-01, severity: page}}\n"
             "        clear: true\n"
             "    expect:\n"
             /* It started at 30 s and was told at 1 m: later than the slack. */
             "      - rule: down\n"
             "        opened: 59s500ms\n"
             "        closed: 4m\n"
             "        severity: critical\n"
             "        message: no answer\n"
             "        source: http://alertmanager\n"));
    assert_passes(TEST("    events:\n"
                       "      - at: 0s\n"
                       "        alerts:\n"
                       "          - labels: {alertname: down, instance: a}\n"
                       "          - {labels: {alertname: down, instance: b}, status: resolved}\n"
                       "    expect:\n"
                       "      - key: {host: a}\n"
                       "    counts: {records: 1, events: 2}\n"));
}

static void defaults_stand_in_for_fields_and_labels(void **state)
{
    (void)state;
    assert_passes("defaults: {check: down, source: icinga, labels: {site: fra, host: x}}\n" TEST(
        "    defaults: {severity: major}\n"
        "    events:\n"
        "      - {at: 0s, resource: r1}\n"
        "      - {at: 0s, resource: r2, severity: minor, labels: {host: y}}\n"
        "    expect:\n"
        "      - {key: {host: x}, severity: major, source: icinga}\n"
        "      - {key: {host: y}, severity: minor}\n"));
}

static void bodies_are_those_of_the_sinks(void **state)
{
    (void)state;
    assert_passes(
        "sinks:\n"
        "  - {name: pager, type: pagerduty, priority: P1, options: {client: here}}\n"
        "  - {name: hook, type: webhook}\n" TEST("    events:\n" DOWN(
            "0s") "      - {at: 1m, values: 30x2 clear, every: 1s, resource: r, check: noise}\n"
                  "    expect:\n"
                  "      - rule: down\n"
                  "        closed: never\n"
                  "        sent: {pager: [], hook: [{incident: {rule: down, alerts: 1}}]}\n"
                  "      - rule: noise\n"
                  "        closed: 2m3s\n"
                  "        sent:\n"
                  "          pager:\n"
                  "            - event_action: trigger\n"
                  "              client: here\n"
                  "              payload:\n"
                  "                severity: critical\n"
                  "                custom_details: {events: 3, opened_at: "
                  "\"2026-01-05T00:01:02.000Z\"}\n"
                  "              links: null\n"
                  "            - {event_action: resolve, payload: null}\n"));
}

static void flapping_is_the_engines(void **state)
{
    (void)state;
    assert_passes(TEST(
        "    settings: {flap: {window: 10m, start: 3, stop: 1}}\n"
        "    events:\n" DOWN("0s") "      - {at: 10s, resource: db-01, check: down, clear: true}\n"
        /* The third change begins flapping; it is still routed. */
        DOWN("20s") "      - {at: 30s, resource: db-01, check: down, clear: true}\n"
                    "    expect:\n"
                    "      - {opened: 0s, closed: 10s}\n"
                    "      - {opened: 20s, closed: never}\n"
                    "      - {rule: flaps, opened: 20s}\n"
                    "    counts: {flap_begun: 1, flap_folded: 1}\n"));
}

/* ---- what is not met is shown ---- */

static void differences_are_shown_with_their_lines(void **state)
{
    (void)state;
    FAILS(
        TEST("    events:\n" DOWN("1m") "    expect:\n"
                                        "      - rule: down\n"
                                        "        opened: 2m\n"
                                        "        title: db-02 is down\n"
                                        "        priority: P2\n"),
        "FAIL x.test.yaml: t\n", "x.test.yaml:6:9: the incident differs\n", "  rule",
        "! opened    2m                1m   (line 7)\n",
        "! title     db-02 is down     db-01 is down   (line 8)\n", "  priority  P2",
        "it opened because: 1 alert in 1m (needs 1)\n", "        why it opened:\n",
        "          1m        line 4     rule down counts db-01 down, and opens incident ",
        "                                 check == \"down\": \"down\" == \"down\" is true\n",
        "          it opened at 1m: 1 alert in 1m (needs 1); it is open at the end of the input\n");
}

/* Its `where` holds for each event: nothing flapped. Or something else did. */
static void a_rule_of_flapping_says_what_did_not_flap(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n" DOWN("0s") "      - {at: 10s, resource: db-01, check: down, clear: "
                                          "true}\n" DOWN("20s")
                                              DOWN("30s") "    expect:\n"
                                                          "      - {rule: flaps}\n"
                                                          "    others: allowed\n"),
          "no incident of rule flaps\n",
          "rule flaps is told of alerts that flap, and none did: the test has 3 changes between "
          "problem and clear, and an alert flaps at 6 within 10m (settings.flap)\n");
    FAILS(TEST("    settings: {flap: {window: 10m, start: 2, stop: 1}}\n"
               "    events:\n"
               "      - {at: 0s, resource: db-01, check: other}\n"
               "      - {at: 10s, resource: db-01, check: other, clear: true}\n"
               "    expect:\n"
               "      - {rule: flaps}\n"),
          "rule flaps is told of alerts that flap: 1 of them began to, and its `where` was true of "
          "none\n");
}

static void empty_texts_can_be_seen(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n" DOWN("1m") "    expect: [{rule: down, message: x, tier: \"\"}]\n"),
          "! message  x                 \"\"   (line 5)\n");
}

static void missing_and_extra_are_told_apart(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n" DOWN("1m") "    expect:\n"
                                          "      - {rule: down, key: {host: db-02}}\n"
                                          "      - {rule: disks}\n"),
          "x.test.yaml:6:9: no incident of rule down, key host=db-02\n",
          "rule down was reached by 1 alert or event, and opened 1 incident;",
          "x.test.yaml:7:9: no incident of rule disks\n",
          "no event reached rule disks: its `where` was never true",
          ("x.test.yaml:2:5: an incident that is not expected: rule down, key tenant=default "
           "host=db-01, P2, opened at 1m, still open: \"db-01 is down\"\n"),
          "it opened because: 1 alert in 1m (needs 1)\n");
    assert_passes(TEST("    events:\n" DOWN("1m") "    expect: []\n"
                                                  "    others: allowed\n"));
}

static void silence_is_asserted_by_an_empty_list(void **state)
{
    (void)state;
    assert_passes(TEST("    events:\n"
                       "      - {at: 0s, resource: r, check: other}\n"
                       "    expect: []\n"));
    FAILS(TEST("    events:\n" DOWN("0s") "    expect: []\n"), "an incident that is not expected");
}

static void forbidden_incidents_are_found(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n" DOWN("1m") "    expect_not:\n"
                                          "      - {rule: disks}\n"
                                          "      - {rule: down, opened: 0s..2m}\n"),
          "x.test.yaml:7:9: an incident that must not be: rule down");
    assert_passes(TEST("    events:\n" DOWN("3m") "    expect_not:\n"
                                                  "      - {rule: down, opened: 0s..2m}\n"
                                                  "      - {rule: down, key: {host: db}}\n"
                                                  "      - {rule: down, priority: P1}\n"));
}

/* Whatever the order of `expect`: the first could take either incident, the second only one. */
static void as_many_expectations_are_met_as_can_be(void **state)
{
    (void)state;
    assert_passes(TEST("    events:\n"
                       "      - {at: 0s, resource: a, check: down}\n"
                       "      - {at: 1s, resource: b, check: down}\n"
                       "    expect:\n"
                       "      - {rule: down}\n"
                       "      - {rule: down, key: {host: a}}\n"));
}

static void refused_records_do_not_look_like_silence(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n"
               "      - {at: 0s, resource: r, check: other}\n"
               "      - {at: 0s, resource: r}\n"
               "    expect: []\n"),
          "x.test.yaml:5:9: 1 record was refused, the first with: schema at byte ");
    assert_passes(TEST("    events:\n"
                       "      - {at: 0s, record: '{\"resource\":'}\n"
                       "    expect: []\n"
                       "    counts: {rejected: 1}\n"));
    assert_passes(TEST("    events:\n"
                       "      - {at: 0s, record: '{\"resource\":\"{i}\",\"check\":\"down\"}'}\n"
                       "    expect: [{resource: \"{i}\"}]\n"));
}

static void counts_are_compared(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n" DOWN("0s") "    counts: {events: 1, duplicate: 3}\n"),
          "x.test.yaml:5:36: duplicate: expected 3, got 0\n");
}

static void bodies_that_differ_are_shown_by_path(void **state)
{
    (void)state;
    FAILS(TEST("    events:\n" DOWN("0s") "    expect:\n"
                                          "      - sent:\n"
                                          "          pagerduty:\n"
                                          "            - payload: {severity: info, nothing: x}\n"
                                          "            - {}\n"),
          "! pagerduty 1.payload.severity  info", "error   (line 8)",
          "! pagerduty 1.payload.nothing   x                 (absent)   (line 8)",
          "! pagerduty                     2 sent            1 sent   (line 8)");
}

/* ---- files that are refused ---- */

struct refusal {
    const char *text;
    const char *begins;
};

static void mistakes_are_told_with_place_and_nearest_name(void **state)
{
    static const struct refusal rows[] = {
        {"", "x.test.yaml:1:1: the file is empty"},
        {"[]", "x.test.yaml:1:1: a file of rule tests takes a map, not a list"},
        {"rules: [a.yaml]\n", "x.test.yaml:1:1: the file has no tests"},
        {"sets: {a: [b]}\nvars: {}\nrules:\n  - {id: r, where: true}\n",
         "x.test.yaml:1:1: this is a rule file: name a file of tests, or give it with --rules"},
        {"inhibit:\n  - {id: i}\n",
         "x.test.yaml:1:1: this is a rule file: name a file of tests, or give it with --rules"},
        {"tests: []\n", "x.test.yaml:1:8: a file has 1 to 100000 tests"},
        {"test: []\n",
         "x.test.yaml:1:1: a file of rule tests has no key \"test\"; did you mean \"tests\"?"},
        {TEST("    event: []\n"),
         "x.test.yaml:3:5: a test has no key \"event\"; did you mean \"events\"?"},
        {"tests:\n  - events: []\n    expect: []\n", "x.test.yaml:2:5: a test needs a name"},
        {TEST("    expect: []\n"), "x.test.yaml:2:5: a test needs events"},
        {TEST("    events: []\n    expect: []\n") "  - name: t\n    events: []\n    expect: []\n",
         "x.test.yaml:5:11: the test at x.test.yaml:2:11 has the name \"t\" already"},
        {TEST("    events: []\n"), "x.test.yaml:2:5: a test expects something: `expect: []`"},
        {TEST("    events:\n      - {resource: r, check: c}\n    expect: []\n"),
         "x.test.yaml:4:9: an event needs `at`"},
        {TEST("    events:\n      - {at: 5, resource: r}\n    expect: []\n"),
         "x.test.yaml:4:14: at: "},
        {TEST("    events:\n      - {at: -5s, resource: r}\n    expect: []\n"),
         "x.test.yaml:4:14: nothing arrives before the test's start"},
        {TEST("    events:\n      - {at: 500d, resource: r}\n    expect: []\n"),
         "x.test.yaml:4:14: at is more than 400 days away"},
        {TEST("    events:\n      - {at: 0s, repeat: 5, resource: r}\n    expect: []\n"),
         "x.test.yaml:4:26: repeat is a number of times and a distance, like 5x30s"},
        {TEST("    events:\n      - {at: 0s, repeat: 1000001x1s}\n    expect: []\n"),
         "x.test.yaml:4:26: repeat is 1 to 1000000 times"},
        {TEST("    events:\n      - {at: 0s, repeat: 5x30}\n    expect: []\n"),
         "x.test.yaml:4:28: repeat: "},
        {TEST("    events:\n      - {at: 0s, repeat: 1000000x1d}\n    expect: []\n"),
         "x.test.yaml:4:9: the event ends more than 400 days later"},
        {TEST("    events:\n      - {at: 0s, repeat: 600000x1s}\n"
              "      - {at: 0s, repeat: 600000x1s}\n    expect: []\n"),
         "x.test.yaml:5:9: a test has at most 1000000 records"},
        {TEST("    events:\n      - {at: 0s, values: 1 2x 3, every: 1s}\n    expect: []\n"),
         "x.test.yaml:4:28: values are numbers"},
        {TEST("    events:\n      - {at: 0s, values: 1 2}\n    expect: []\n"),
         "x.test.yaml:4:18: values need `every`"},
        {TEST("    events:\n      - {at: 0s, resource: \"a{j}\"}\n    expect: []\n"),
         "x.test.yaml:4:30: {j} names nothing: there are {i}, {i:3}"},
        {TEST("    events:\n      - {at: 0s, resource: \"a{\"}\n    expect: []\n"),
         "x.test.yaml:4:30: this { is not closed"},
        {TEST("    events:\n      - {at: 0s, each: {host: [a]}, resource: \"{hots}\"}\n"
              "    expect: []\n"),
         "x.test.yaml:4:48: {hots} names nothing; did you mean {host}?"},
        {TEST("    events:\n      - {at: 0s, each: {i: [a]}}\n    expect: []\n"),
         "x.test.yaml:4:25: {i} counts repetitions"},
        {TEST("    events:\n      - {at: 0s, value: high}\n    expect: []\n"),
         "x.test.yaml:4:25: value is a number"},
        {TEST("    events:\n      - {at: 0s, alert: {}, resource: r}\n    expect: []\n"),
         "x.test.yaml:4:25: an alert needs labels"},
        {TEST("    events:\n      - {at: 0s, record: x, resource: r}\n    expect: []\n"),
         "x.test.yaml:4:29: an event with record has no resource beside it"},
        {TEST("    events:\n      - {at: 0s, partition: 64, resource: r}\n    expect: []\n"),
         "x.test.yaml:4:29: partition is a number from 0 to 63"},
        {TEST("    events: []\n    expect:\n      - {ruel: x}\n"),
         "x.test.yaml:5:10: expect has no key \"ruel\"; did you mean \"rule\"?"},
        {TEST("    events: []\n    expect:\n      - {rule: don}\n"),
         "x.test.yaml:5:16: there is no rule \"don\"; did you mean \"down\"?"},
        {TEST("    events: []\n    expect:\n      - {rule: down, key: {hots: a}}\n"),
         "x.test.yaml:5:28: the key of rule down has no key \"hots\"; did you mean \"host\"?"},
        {TEST("    events: []\n    expect:\n      - {closed: 2m..1m}\n"),
         "x.test.yaml:5:18: closed ends before it begins"},
        {TEST("    events: []\n    expect:\n      - {opened: never}\n"),
         "x.test.yaml:5:18: an incident that never opens belongs to expect_not"},
        {TEST("    events: []\n    expect:\n      - {cause: clear}\n"),
         "x.test.yaml:5:17: there is no cause \"clear\"; did you mean \"cleared\"?"},
        {TEST("    events: []\n    expect:\n      - {severity: majr}\n"),
         "x.test.yaml:5:20: a severity is ok, debug, info, warning, minor, major or critical; did "
         "you mean \"major\"?"},
        {TEST("    events: []\n    expect:\n      - {priority: p1}\n"),
         "x.test.yaml:5:20: a priority is P1, P2, P3, P4 or P5"},
        {TEST("    events: []\n    expect:\n      - {severity: bad}\n"),
         "x.test.yaml:5:20: a severity is ok, debug, info, warning, minor, major or critical"},
        {TEST("    events: []\n    expect:\n      - {sent: {pagerdut: []}}\n"),
         "x.test.yaml:5:17: sent has no sink \"pagerdut\"; did you mean \"pagerduty\"?"},
        {TEST("    events: []\n    expect:\n      - {sent: {pagr: []}}\n"),
         "x.test.yaml:5:17: sent has no sink \"pagr\"; the sinks are pagerduty, servicenow, "
         "webhook, "
         "zendesk"},
        {"sinks: [{name: hook, type: webhook}]\n" TEST(
             "    events: []\n    expect:\n      - {sent: {pagr: []}}\n"),
         "x.test.yaml:6:17: sent has no sink \"pagr\"; the only sink is hook"},
        {TEST("    events: []\n    expect:\n      - {closed: nevr}\n"),
         "x.test.yaml:5:18: closed is a time, a span of times or never; did you mean \"never\"?"},
        {TEST("    events: []\n    expect_not:\n      - {closed: 1m}\n"),
         "x.test.yaml:5:10: expect_not has no key \"closed\""},
        {TEST("    events: []\n    counts: {event: 1}\n"),
         "x.test.yaml:4:14: counts has no key \"event\"; did you mean \"events\"?"},
        {"settings: {flap: {start: 2, stop: 2}}\n" TEST("    events: []\n    expect: []\n"),
         "x.test.yaml:1:18: flap.stop must be below flap.start"},
        {"settings: {round: 1ms, disorder: 30s}\n" TEST("    events: []\n    expect: []\n"),
         "x.test.yaml:1:11: disorder is at most 20000 rounds"},
        {"settings: {start: 1969-01-01T00:00:00Z}\n" TEST("    events: []\n    expect: []\n"),
         "x.test.yaml:1:19: start"},
        {"sinks: [{name: a, type: pager}]\n" TEST("    events: []\n    expect: []\n"),
         "x.test.yaml:1:9: "},
        {"sinks: [{name: a, type: webhook}, {name: a, type: webhook}]\n" TEST(
             "    events: []\n    expect: []\n"),
         "x.test.yaml:1:42: the sink 'a' is listed twice"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *said = read_text(rows[i].text);
        if (strncmp(said, rows[i].begins, strlen(rows[i].begins)) != 0)
            fail_msg("row %zu:\n%s\nis refused with:\n%s\ninstead of:\n%s", i, rows[i].text, said,
                     rows[i].begins);
    }
}

static void times_are_written_as_people_do(void **state)
{
    char text[RULE_TEST_TIME_BYTES];

    (void)state;
    assert_string_equal(rule_test_format_time(0, text), "0s");
    assert_string_equal(rule_test_format_time(90000, text), "1m30s");
    assert_string_equal(rule_test_format_time(-1500, text), "-1s500ms");
    assert_string_equal(rule_test_format_time(90061001, text), "1d1h1m1s1ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incident_is_described_in_full),
        cmocka_unit_test(clock_goes_as_far_as_the_test_says),
        cmocka_unit_test(settings_are_the_engines),
        cmocka_unit_test(repetition_and_each_make_many_events),
        cmocka_unit_test(a_count_is_said_to_be_of_the_last_change),
        cmocka_unit_test(values_are_written_as_promtool_writes_them),
        cmocka_unit_test(late_events_count_when_the_clock_lets_them),
        cmocka_unit_test(partitions_are_put_in_order_by_time),
        cmocka_unit_test(order_in_the_file_means_nothing),
        cmocka_unit_test(members_are_compared_by_name),
        cmocka_unit_test(a_name_of_a_key_is_a_whole_name),
        cmocka_unit_test(updates_are_counted),
        cmocka_unit_test(missing_incidents_say_what_their_rule_made_of_the_events),
        cmocka_unit_test(steps_have_been_taken_before_it_is_said_why),
        cmocka_unit_test(a_key_that_holds_nothing_is_told_as_such),
        cmocka_unit_test(a_step_that_comes_before_the_first_is_told),
        cmocka_unit_test(a_key_that_is_named_is_asked_why_not),
        cmocka_unit_test(alertmanager_bodies_are_made),
        cmocka_unit_test(defaults_stand_in_for_fields_and_labels),
        cmocka_unit_test(bodies_are_those_of_the_sinks),
        cmocka_unit_test(flapping_is_the_engines),
        cmocka_unit_test(differences_are_shown_with_their_lines),
        cmocka_unit_test(a_rule_of_flapping_says_what_did_not_flap),
        cmocka_unit_test(empty_texts_can_be_seen),
        cmocka_unit_test(missing_and_extra_are_told_apart),
        cmocka_unit_test(silence_is_asserted_by_an_empty_list),
        cmocka_unit_test(forbidden_incidents_are_found),
        cmocka_unit_test(as_many_expectations_are_met_as_can_be),
        cmocka_unit_test(refused_records_do_not_look_like_silence),
        cmocka_unit_test(counts_are_compared),
        cmocka_unit_test(bodies_that_differ_are_shown_by_path),
        cmocka_unit_test(mistakes_are_told_with_place_and_nearest_name),
        cmocka_unit_test(times_are_written_as_people_do),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

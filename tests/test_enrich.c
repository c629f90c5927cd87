/*
 * Aim: rules see events as the steps under `enrich:` made them, dropped events leave no trace, and
 * changed words live as long as anything points at them (docs/correlation.md, section 2). What
 * steps may say and what they do to one event is in tests/rule_tests/enrich.yaml, too.
 * Method: recordings on the bench with lines and counts worked out by hand; a storm of enriched
 * events with one to five workers. Words that went too early show as words of other events, and
 * large ones, which are no part of a page of the slab, under AddressSanitizer.
 */
#include "tests/engine_bench.h"
#include "rules/capture.h"
#include "rules/enrich.h"

#define RULE(id, where, by, more, when, close)                                                     \
    "  - id: " id "\n    where: " where "\n    by: [" by "]\n" more                                \
    "    window: 10s\n    when: " when "\n"                                                        \
    "    incident: {title: \"{labels.disk}: {message}\"}\n    close: " close "\n"

#define MESSAGE(text) ",\"message\":\"" text "\""

static void rules_keys_titles_and_severity_are_those_of_the_enriched_event(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("enrich:\n"
                     "  - id: words\n"
                     "    extract: {from: message, pattern: 'disk (?P<disk>\\w+)'}\n"
                     "    set: {severity: CRITICAL, message: '\"found \" + labels.disk'}\n"
                     "rules:\n" RULE("disk", "severity == CRITICAL", "labels.disk", "",
                                     "count() >= 1", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "c", MESSAGE("disk sda") ",\"severity\":\"warning\"");
    bench_put(feed, 100, "r", "c", BENCH_CLEAR); /* finds its alert by what was sent */
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule disk labels.disk=sda n=1 alerts=1\n"
                                      "100 closed cleared disk labels.disk=sda n=2 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "\"title\":\"sda: found sda\""));
    assert_non_null(strstr(bench->log.at, "\"severity\":\"critical\""));
    assert_int_equal(bench->counters.routed, 2);
    assert_int_equal(bench->counters.enrich_errors, 0);
    bench_destroy(bench);
}

/* The rule sees one label of the one event for which it can be computed; errors are counted. */
static void what_cannot_be_done_changes_nothing_and_is_counted(void **state)
{
    (void)state;
    struct bench *bench = bench_create("enrich:\n"
                                       "  - id: sums\n"
                                       "    set: {labels.disk: 'int(labels.a) / int(labels.b)'}\n"
                                       "rules:\n" RULE("disk", "has(labels.disk)", "labels.disk",
                                                       "", "count() >= 1", "quiet(1s)"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "1", ",\"labels\":{\"a\":\"7\",\"b\":\"2\"}");
    bench_put(feed, 1, "r", "2", ",\"labels\":{\"a\":\"7\",\"b\":\"0\"}");
    bench_put(feed, 2, "r", "3", ",\"labels\":{\"a\":\"7\"}");
    bench_put(feed, 3, "r", "4", ",\"labels\":{\"a\":\"x\",\"b\":\"2\"}");
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule disk labels.disk=3 n=1 alerts=1\n");
    assert_int_equal(bench->counters.enrich_errors, 3);
    assert_int_equal(bench->counters.unmatched, 3);
    bench_destroy(bench);
}

/* The word says that all is well, and the event that it is a problem: the latter is its state. */
static void a_problem_is_not_made_ok(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "enrich:\n"
        "  - id: words\n"
        "    set: {severity: severity(labels.word), labels.disk: string(severity)}\n"
        "rules:\n" RULE("disk", "severity >= OK", "labels.disk", "", "count() >= 1", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "a", "c", ",\"severity\":\"major\",\"labels\":{\"word\":\"normal\"}");
    bench_put(feed, 1, "b", "c", ",\"severity\":\"major\",\"labels\":{\"word\":\"low\"}");
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule disk labels.disk=major n=1 alerts=1\n"
                                      "1 opened rule disk labels.disk=warning n=1 alerts=1\n");
    assert_int_equal(bench->counters.enrich_errors, 1);
    bench_destroy(bench);
}

/* A clear may be: it is none more than before. */
static void a_clear_may_be_made_ok(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("enrich:\n"
                     "  - id: calm\n    set: {severity: severity(labels.word)}\n"
                     "rules:\n"
                     "  - id: alive\n    where: severity == OK\n    by: [resource]\n"
                     "    expect: {every: 1s}\n    incident: {title: silent}\n"
                     "    close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "hb",
              ",\"severity\":\"major\",\"labels\":{\"word\":\"normal\"}" BENCH_CLEAR);
    bench_put(feed, 3000, "x", "other", ",\"labels\":{\"word\":\"low\"}");
    bench_run(bench);
    assert_string_equal(bench->brief, "1000 opened rule alive resource=r n=1 alerts=1\n");
    assert_int_equal(bench->counters.enrich_errors, 0);
    bench_destroy(bench);
}

/* 500 labels and eleven more leave room for one: of the groups of a pattern for that whose name
 * comes first. */
static void groups_fit_in_the_order_of_their_names(void **state)
{
    (void)state;
#define FILL(n) "labels.f" n ": check, "
    struct bench *bench = bench_create(
        "enrich:\n  - id: fill\n    set: {" FILL("1") FILL("2") FILL("3") FILL("4") FILL("5")
            FILL("6") FILL("7") FILL("8") FILL("9") FILL(
                "10") "labels.f11: check}\n"
                      "  - id: e\n    extract: {from: message, pattern: '(?P<zb>.)(?P<za>.)'}\n"
                      "rules:\n" RULE("first", "has(labels.za)", "labels.za", "", "count() >= 1",
                                      "cleared()") RULE("second", "has(labels.zb)", "labels.zb", "",
                                                        "count() >= 1", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    static char text[500 * 12 + 200];
    size_t used =
        (size_t)snprintf(text, sizeof(text),
                         "{\"tenant\":\"t\",\"source\":\"s\",\"resource\":\"r\",\"check\":"
                         "\"c\",\"message\":\"ba\",\"labels\":{");

    for (int i = 0; i < 500; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\"l%d\":\"\"",
                                 i > 0 ? "," : "", i);
    snprintf(text + used, sizeof(text) - used, "}}");
    bench_put_text(feed, 0, text);
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule first tenant=t labels.za=a n=1 alerts=1\n");
    assert_int_equal(bench->counters.enrich_errors, 1);
    bench_destroy(bench);
}

/* A message of `count` letters x and `tail`. */
static void put_long(struct bench_feed *feed, int ms, const char *resource, uint32_t count,
                     const char *tail)
{
    static char letters[ENRICH_LOOK_BYTES + 1], text[ENRICH_LOOK_BYTES + 200];

    assert_true(count < sizeof(letters));
    memset(letters, 'x', count);
    letters[count] = '\0';
    snprintf(text, sizeof(text), "{\"resource\":\"%s\",\"check\":\"c\",\"message\":\"%s%s\"}",
             resource, letters, tail);
    bench_put_text(feed, ms, text);
}

/* The last character that is looked at, where the text ends within 4,096 bytes and where not. */
static void an_extraction_looks_at_the_first_4_kib(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "enrich:\n"
        "  - id: last\n    extract: {from: message, pattern: '(?P<disk>.)$'}\n"
        "rules:\n" RULE("r", "has(labels.disk)", "labels.disk", "", "count() >= 1", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_long(feed, 0, "a", ENRICH_LOOK_BYTES - 2, "1");         /* 4,095 bytes */
    put_long(feed, 1, "b", ENRICH_LOOK_BYTES - 1, "2");         /* 4,096 */
    put_long(feed, 2, "c", ENRICH_LOOK_BYTES, "3");             /* 4,097: the last is not seen */
    put_long(feed, 3, "d", ENRICH_LOOK_BYTES - 2, "\xc3\xa9");  /* just fits */
    put_long(feed, 4, "e", ENRICH_LOOK_BYTES - 2, "5\xc3\xa9"); /* does not: cut before it */
    put_long(feed, 5, "f", ENRICH_LOOK_BYTES - 4, "6\xf0\x9f\x98\x80");
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule r labels.disk=1 n=1 alerts=1\n"
                                      "1 opened rule r labels.disk=2 n=1 alerts=1\n"
                                      "2 opened rule r labels.disk=x n=1 alerts=1\n"
                                      "3 opened rule r labels.disk=\xc3\xa9 n=1 alerts=1\n"
                                      "4 opened rule r labels.disk=5 n=1 alerts=1\n"
                                      "5 opened rule r labels.disk=6 n=1 alerts=1\n");
    assert_int_equal(bench->counters.enrich_errors, 0);
    bench_destroy(bench);
}

/* Sixteen look at the message, then one at nothing, which counts as one byte. */
static void the_extractions_of_an_event_look_at_64_kib(void **state)
{
    (void)state;
    enum { WHOLE = ENRICH_LOOK_EVENT_BYTES / ENRICH_LOOK_BYTES };
    char rules[4096] = "enrich:\n"
                       "  - id: one-byte\n    where: resource == \"d\"\n"
                       "    extract: {from: resource, pattern: '(?P<first>d)'}\n"
                       "  - id: many\n    extract:\n";

    for (int i = 1; i < WHOLE; i++)
        strcat(rules, "      - {from: message, pattern: '(?P<x>x)'}\n");
    strcat(rules,
           "      - {from: message, pattern: '(?P<last>.)$'}\n"
           "      - {from: '\"\"', pattern: '(?P<empty>)'}\n"
           "    set:\n"
           "      labels.disk: '(has(labels.last) ? labels.last : \"none\") + \" \" + "
           "string(has(labels.empty))'\n"
           "rules:\n" RULE("r", "check == \"c\"", "labels.disk", "", "count() >= 1", "cleared()"));
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_long(feed, 0, "a", ENRICH_LOOK_BYTES - 2, "1"); /* 16 bytes are left */
    put_long(feed, 1, "b", ENRICH_LOOK_BYTES - 1, "2"); /* none is left for the last */
    put_long(feed, 2, "c", ENRICH_LOOK_BYTES, "3");     /* the same: what is cut off counts not */
    put_long(feed, 3, "d", ENRICH_LOOK_BYTES - 1, "4"); /* one more: the next to last is too much */
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule r labels.disk=1 true n=1 alerts=1\n"
                                      "1 opened rule r labels.disk=2 false n=1 alerts=1\n"
                                      "2 opened rule r labels.disk=x false n=1 alerts=1\n"
                                      "3 opened rule r labels.disk=none true n=1 alerts=1\n");
    assert_int_equal(bench->counters.enrich_errors, 3);
    bench_destroy(bench);
}

/* By the estimate of their pattern, which is so large that three do not fit: a text is looked at
 * once by the first, and as far as is left by the second. */
static void the_extractions_of_an_event_may_take_16_ms(void **state)
{
    (void)state;
    char rules[4096] = "enrich:\n"
                       "  - id: large\n"
                       "    extract:\n"
                       "      - {from: message, pattern: '(?P<a>(?:a?){290})x*1'}\n"
                       "      - {from: message, pattern: '(?P<b>(?:a?){290})x*1'}\n"
                       "    set:\n"
                       "      labels.disk: 'string(has(labels.a)) + \" \" + "
                       "string(has(labels.b))'\n"
                       "rules:\n";
    struct pattern_fault fault;
    struct arena *arena = arena_create(1 << 20);
    const char *pattern = "(?P<a>(?:a?){290})x*1";
    uint32_t ns = capture_ns_per_byte(
        capture_create((struct text){pattern, (uint32_t)strlen(pattern)}, arena, &fault));
    uint32_t fitting = ENRICH_LOOK_EVENT_NS / ns / 2; /* bytes of a text that both look at */

    arena_destroy(arena);
    assert_in_range(fitting, ENRICH_LOOK_BYTES / 4, ENRICH_LOOK_BYTES - 1);
    strcat(rules, RULE("r", "check == \"c\"", "labels.disk", "", "count() >= 1", "cleared()"));
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_long(feed, 0, "a", fitting - 1, "1");
    put_long(feed, 1, "b", fitting, "1"); /* one byte more */
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule r labels.disk=true true n=1 alerts=1\n"
                                      "1 opened rule r labels.disk=true false n=1 alerts=1\n");
    assert_int_equal(bench->counters.enrich_errors, 1);
    bench_destroy(bench);
}

/* An event of `count` bytes in all with `labels` and, last, as much message as is needed. */
static void put_words(struct bench_feed *feed, int ms, const char *resource, uint32_t count,
                      const char *labels)
{
    static char letters[RECORD_STRING_BYTES_MAX + 1], text[RECORD_STRING_BYTES_MAX + 200];

    assert_true(count < sizeof(letters));
    memset(letters, 'x', count);
    letters[count] = '\0';
    snprintf(text, sizeof(text),
             "{\"tenant\":\"t\",\"source\":\"s\",\"resource\":\"%s\",\"check\":\"c\",\"value\":0,"
             "\"message\":\"%s\",\"labels\":{%s}}",
             resource, letters, labels);
    bench_put_text(feed, ms, text);
}

#define VALUE_IS(n)                                                                                \
    "  - {id: v" n ", where: value == " n ", by: [resource], window: 10s, when: count() >= 1, "    \
    "incident: {title: t}, close: cleared()}\n"

/* 64 KiB each, so that 256 entries add one to the value, less by what else there is: a byte more in
 * the event, two groups to look for, a label to remove. */
static void the_entries_of_an_event_pass_over_16_mib(void **state)
{
    (void)state;
    enum { EACH = 64 << 10, TIMES = ENRICH_PASS_BYTES / EACH, FIELDS = 4 };
    enum { LABEL = ENRICH_PASS_LABEL_BYTES + 2 };
    char rules[32 << 10] = "enrich:\n"
                           "  - id: groups\n    where: resource == \"d\"\n"
                           "    extract: {from: check, pattern: 'no(?P<x>a)(?P<y>b)(d|e)'}\n"
                           "  - {id: absent, where: resource == \"e\", remove: [labels.q]}\n";
    char *end = rules + strlen(rules);

    for (int i = 0; i < TIMES; i++) {
        if (i == TIMES - 1) /* for two passes there is no room any more, for one there is */
            end += sprintf(end, "  - id: late\n    where: resource == \"f\"\n"
                                "    extract: {from: check, pattern: 'no(?P<x>a)(?P<y>b)'}\n");
        end += sprintf(end, "  - {id: s%d, set: {value: value + 1.0}}\n", i);
    }
    strcpy(end, "rules:\n" VALUE_IS("254") VALUE_IS("255") VALUE_IS("256"));
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    put_words(feed, 0, "a", EACH - FIELDS, "");
    put_words(feed, 1, "b", EACH - FIELDS + 1, ""); /* one error */
    put_words(feed, 2, "c", EACH - FIELDS - LABEL, "\"l\":\"v\"");
    put_words(feed, 3, "d", EACH - FIELDS, ""); /* two */
    put_words(feed, 4, "e", EACH - FIELDS, ""); /* one */
    put_words(feed, 5, "f", EACH - FIELDS, ""); /* one */
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule v256 tenant=t resource=a n=1 alerts=1\n"
                                      "1 opened rule v255 tenant=t resource=b n=1 alerts=1\n"
                                      "2 opened rule v256 tenant=t resource=c n=1 alerts=1\n"
                                      "3 opened rule v254 tenant=t resource=d n=1 alerts=1\n"
                                      "4 opened rule v255 tenant=t resource=e n=1 alerts=1\n"
                                      "5 opened rule v256 tenant=t resource=f n=1 alerts=1\n");
    assert_int_equal(bench->counters.enrich_errors, 5);
    bench_destroy(bench);
}

static void a_dropped_event_leaves_no_trace_but_time(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "enrich:\n"
        "  - id: tests\n    where: labels.stage == \"test\"\n    drop: true\n"
        "rules:\n" RULE("one", "check == \"down\"", "resource", "", "count() >= 1", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.expire_ms = 1000;
    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 500, "a", "down", ",\"labels\":{\"stage\":\"test\"}"); /* no repeat */
    bench_put(feed, 600, "a", "down", BENCH_CLEAR ",\"labels\":{\"stage\":\"test\"}");
    bench_put(feed, 700, "b", "down", ",\"labels\":{\"stage\":\"test\"}");
    bench_run(bench);
    /* At 1000 a is over, not at 1500; the watermark would have stopped short without b. */
    assert_string_equal(bench->brief, "0 opened rule one resource=a n=1 alerts=1\n"
                                      "1000 closed cleared one resource=a n=2 alerts=1\n");
    assert_int_equal(bench->counters.events, 4);
    assert_int_equal(bench->counters.dropped, 3);
    assert_int_equal(bench->counters.routed, 1);
    assert_int_equal(bench->counters.alerts_opened, 1);
    bench_destroy(bench);
}

/* Of a dropped event nothing is computed behind the step, and a step before it has counted. */
static void steps_run_in_order_up_to_the_one_that_drops(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "enrich:\n"
        "  - id: first\n    set: {labels.x: '\"1\"'}\n"
        "  - id: second\n    where: labels.x == \"1\" && check == \"noise\"\n    drop: true\n"
        "  - id: third\n    set: {labels.y: labels.none}\n"
        "rules:\n" RULE("one", "labels.x == \"1\"", "resource", "", "count() >= 1", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "a", "noise", "");
    bench_put(feed, 1, "b", "down", "");
    bench_put(feed, 2, "b", "down", ""); /* a repeat: looked at for the drop alone */
    bench_run(bench);
    assert_string_equal(bench->brief, "1 opened rule one resource=b n=1 alerts=1\n");
    assert_int_equal(bench->counters.dropped, 1);
    assert_int_equal(bench->counters.duplicate, 1);
    assert_int_equal(bench->counters.enrich_errors, 1);
    bench_destroy(bench);
}

/* distinct() over what REPEAT touches carry. */
static void repeats_that_rules_see_are_enriched(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("enrich:\n"
                     "  - id: disk\n    extract: {from: message, pattern: 'disk (?P<disk>\\w+)'}\n"
                     "rules:\n" RULE("disks", "check == \"c\"", "resource", "    on: events\n",
                                     "distinct(labels.disk) >= 2", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "c", MESSAGE("disk sda"));
    bench_put(feed, 1, "r", "c", MESSAGE("disk sda"));
    bench_put(feed, 2, "r", "c", MESSAGE("disk sdb"));
    bench_run(bench);
    assert_string_equal(bench->brief, "2 opened rule disks resource=r n=1 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "2 different values of labels.disk in 10s (needs 2): "
                                          "sda, sdb"));
    assert_int_equal(bench->counters.routed, 3);
    bench_destroy(bench);
}

/* The same where nothing reads the message, so that rules are not asked anew: all four carry x-1.
 */
static void repeats_are_enriched_where_rules_are_not_asked_anew(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("enrich:\n"
                     "  - id: copy\n    set: {labels.copy: '\"x-\" + labels.n'}\n"
                     "rules:\n" RULE("copies", "check == \"c\"", "resource", "    on: events\n",
                                     "count() >= 4 && distinct(labels.copy) >= 1", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    for (int i = 0; i < 4; i++)
        bench_put(feed, i, "r", "c", ",\"labels\":{\"n\":\"1\"}");
    bench_run(bench);
    assert_string_equal(bench->brief, "3 opened rule copies resource=r n=1 alerts=1\n");
    assert_non_null(
        strstr(bench->log.at, "1 different value of labels.copy in 10s (needs 1): x-1"));
    bench_destroy(bench);
}

/* The route follows a message that changes: one disk is over, the other begins. */
static void a_message_that_is_read_is_read_anew_with_every_event(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("enrich:\n"
                     "  - id: disk\n    extract: {from: message, pattern: 'disk (?P<disk>\\w+)'}\n"
                     "rules:\n" RULE("disk", "has(labels.disk)", "labels.disk", "", "count() >= 1",
                                     "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "c", MESSAGE("disk sda"));
    bench_put(feed, 1, "r", "c", MESSAGE("disk sda!"));
    bench_put(feed, 2, "r", "c", MESSAGE("disk sdb"));
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule disk labels.disk=sda n=1 alerts=1\n"
                                      "2 closed cleared disk labels.disk=sda n=2 alerts=1\n"
                                      "2 opened rule disk labels.disk=sdb n=1 alerts=1\n");
    assert_int_equal(bench->counters.duplicate, 1);
    assert_int_equal(bench->counters.routed, 2);
    bench_destroy(bench);
}

/* 85 %, 86 %, 97 %, 97 %: the second and the last are repeats. */
static void a_severity_that_a_step_reads_from_the_message_rises(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "enrich:\n"
        "  - id: used\n    extract: {from: message, pattern: '(?P<used>\\d+)%'}\n"
        "    set: {severity: 'int(labels.used) > 95 ? CRITICAL : WARNING'}\n"
        "rules:\n" RULE("full", "check == \"disk\"", "resource", "", "count() >= 1", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "disk", MESSAGE("85%"));
    bench_put(feed, 1, "r", "disk", MESSAGE("86%"));
    bench_put(feed, 2, "r", "disk", MESSAGE("97%"));
    bench_put(feed, 3, "r", "disk", MESSAGE("97%"));
    bench_run(bench);
    /* Updates are made at the end of the round. */
    assert_string_equal(bench->brief, "0 opened rule full resource=r n=1 alerts=1\n"
                                      "200 updated severity full resource=r n=2 alerts=1\n");
    assert_int_equal(bench->counters.routed, 2);
    assert_int_equal(bench->counters.duplicate, 2);
    bench_destroy(bench);
}

/* The words that an alert keeps: at the end of flapping its problem is matched as it was enriched.
 */
/* The first event after a switch is none that rises, whatever it says; the next one is. */
static void a_severity_rises_behind_a_switch_as_before(void **state)
{
    (void)state;
#define USED                                                                                       \
    "enrich:\n"                                                                                    \
    "  - id: used\n    extract: {from: message, pattern: '(?P<used>\\d+)%'}\n"                     \
    "    set: {severity: 'int(labels.used) > 95 ? CRITICAL : WARNING'}\n"                          \
    "rules:\n" RULE("full", "check == \"disk\"", "resource", "", "count() >= 1", "cleared()")
    static const char *const first[] = {MESSAGE("86%"), MESSAGE("97%")};
    for (size_t i = 0; i < 2; i++) {
        struct bench *bench = bench_create(USED);
        bench_go_live(bench);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        feed->answers = true;
        bench_start(bench);
        bench_pass(bench, 400, 20);
        bench_put(feed, 500, "r", "disk", MESSAGE("85%"));
        bench_pass(bench, 1000, 100);
        bench_switch(bench, USED RULE("more", "check == \"none\"", "resource", "", "count() >= 1",
                                      "cleared()"));
        bench_pass(bench, 1000, 100);
        bench_put(feed, 2500, "r", "disk", first[i]);
        bench_pass(bench, 500, 100);
        bench_put(feed, 3000, "r", "disk", MESSAGE("97%"));
        bench_pass(bench, 1000, 100);
        bench_stop(bench);
        assert_string_equal(bench->brief, "500 opened rule full resource=r n=1 alerts=1\n"
                                          "3200 updated severity full resource=r n=2 alerts=1\n");
        bench_destroy(bench);
    }
}

static void what_an_alert_keeps_is_enriched(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("enrich:\n"
                     "  - id: disk\n    set: {labels.disk: '\"d-\" + labels.n'}\n"
                     "rules:\n" RULE("disk", "labels.disk.startsWith(\"d-\")", "labels.disk", "",
                                     "count() >= 1", "quiet(1h)"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.flap_start = 3;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 1000;
    bench_put(feed, 0, "r", "c", ",\"labels\":{\"n\":\"1\"}");
    bench_put(feed, 1, "r", "c", BENCH_CLEAR);
    bench_put(feed, 2, "r", "c", ",\"labels\":{\"n\":\"2\"}"); /* flaps from here on */
    bench_put(feed, 3, "r", "c", ",\"labels\":{\"n\":\"3\"}"); /* folded, and kept */
    bench_put(feed, 5000, "x", "c", "");
    bench_run(bench);
    /* The second newest change lies at 1: at 1001 one is left, and the problem is that with n=3. */
    assert_string_equal(bench->brief, "0 opened rule disk labels.disk=d-1 n=1 alerts=1\n"
                                      "2 opened rule disk labels.disk=d-2 n=1 alerts=1\n"
                                      "1001 opened rule disk labels.disk=d-3 n=1 alerts=1\n");
    assert_int_equal(bench->counters.enrich_errors, 1); /* x has no label n */
    bench_destroy(bench);
}

/* Signs of life: enriched ones count under their new key, dropped ones do not count, clears too. */
static void signs_of_life_are_enriched_and_dropped(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("enrich:\n"
                     "  - id: gone\n    where: labels.drop == \"yes\"\n    drop: true\n"
                     "  - id: key\n    set: {labels.k: resource}\n"
                     "rules:\n"
                     "  - id: alive\n    where: check == \"hb\"\n    by: [labels.k]\n"
                     "    expect: {every: 1s}\n    incident: {title: silent}\n"
                     "    close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "hb", "");
    bench_put(feed, 500, "r", "hb", BENCH_CLEAR);
    bench_put(feed, 1000, "r", "hb", ",\"labels\":{\"drop\":\"yes\"}");
    bench_put(feed, 3000, "x", "other", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "1500 opened rule alive labels.k=r n=1 alerts=1\n");
    assert_int_equal(bench->counters.dropped, 1);
    bench_destroy(bench);
}

/* What tocsin says itself reaches its rule, whatever steps there are. */
static void self_alerts_are_left_alone(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("enrich:\n"
                     "  - id: name\n    set: {message: '\"x\"'}\n"
                     "  - id: all\n    where: check != \"down\"\n    drop: true\n"
                     "rules:\n" RULE("one", "check == \"down\"", "resource", "    max_keys: 1\n",
                                     "count() >= 3", "cleared()") RULE_SELF("10s", "quiet(1h)"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 1, "b", "down", "");
    bench_put(feed, 25000, "c", "noise", "");
    bench_run(bench);
    /* At the end of the first round one key had to go, and tocsin says so at the next minute, which
     * begins at 20000. */
    assert_non_null(strstr(bench->brief, "opened rule self tenant=@tocsin resource=one"));
    assert_non_null(strstr(bench->log.at, "1 key of rule one was given up within 1m"));
    assert_int_equal(bench->counters.derived, 1);
    assert_int_equal(bench->counters.dropped, 1);
    bench_destroy(bench);
}

static void what_each_step_did_is_shown(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "enrich:\n"
        "  - id: noise\n    where: check == \"noise\"\n    drop: true\n"
        "  - id: label\n    set: {labels.a: labels.none, labels.b: resource, value: "
        "double(labels.none)}\n"
        "rules:\n" RULE("one", "labels.b == \"a\"", "resource", "", "count() >= 1", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct engine_enrich_counters counters[3];

    bench->config.workers = 2;
    bench_put(feed, 0, "a", "noise", "");
    bench_put(feed, 1, "a", "down", "");
    bench_put(feed, 2, "a", "down", ""); /* a repeat */
    bench_put(feed, 3, "b", "down", "");
    bench_run(bench);
    assert_int_equal(engine_enrich_counters(bench->engine, counters, 3), 2);
    assert_string_equal(counters[0].step, "noise");
    assert_int_equal(counters[0].applied, 1);
    assert_int_equal(counters[0].errors, 0);
    assert_string_equal(counters[1].step, "label");
    assert_int_equal(counters[1].applied, 2);
    assert_int_equal(counters[1].errors, 4);
    assert_int_equal(bench->counters.enrich_errors, 4);
    bench_destroy(bench);
}

/* One event that is changed once in each way, and one that is that already. */
static void a_step_applied_where_it_changed_something(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "enrich:\n"
        "  - id: label\n    set: {labels.a: '\"x\"'}\n"
        "  - id: new\n    set: {labels.b: '\"\"'}\n"
        "  - id: message\n    set: {message: '\"new\"'}\n"
        "  - id: severity\n    set: {severity: MINOR}\n"
        "  - id: value\n    set: {value: 2}\n"
        "  - id: remove\n    remove: [labels.c]\n"
        "  - id: extract\n    extract: {from: resource, pattern: '(?P<d>.)'}\n"
        "  - id: absent\n    extract: {from: resource, pattern: '(?P<e>q)'}\n"
        "  - id: fails\n    set: {value: double(labels.none)}\n"
        "  - id: first-fails\n    set: {value: double(labels.none), labels.f: '\"y\"'}\n"
        "rules:\n" RULE("one", "severity >= OK", "resource", "", "count() >= 1", "cleared()"));
    static const struct {
        const char *step;
        uint64_t applied, errors;
    } expected[] = {{"label", 1, 0}, {"new", 1, 0},        {"message", 1, 0}, {"severity", 1, 0},
                    {"value", 1, 0}, {"remove", 1, 0},     {"extract", 1, 0}, {"absent", 0, 0},
                    {"fails", 0, 2}, {"first-fails", 1, 2}};
    enum { STEPS = sizeof(expected) / sizeof(expected[0]) };
    struct engine_enrich_counters counters[STEPS];
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "1", MESSAGE("old") ",\"severity\":\"major\",\"labels\":{\"c\":\"z\"}");
    bench_put(feed, 1, "r", "2",
              MESSAGE("new") ",\"severity\":\"minor\",\"value\":2,\"labels\":{\"a\":\"x\","
                             "\"b\":\"\",\"d\":\"r\",\"f\":\"y\"}");
    bench_run(bench);
    assert_int_equal(engine_enrich_counters(bench->engine, counters, STEPS), STEPS);
    for (size_t i = 0; i < STEPS; i++) {
        assert_string_equal(counters[i].step, expected[i].step);
        if (counters[i].applied != expected[i].applied || counters[i].errors != expected[i].errors)
            fail_msg("%s: applied %u, errors %u", expected[i].step, (unsigned)counters[i].applied,
                     (unsigned)counters[i].errors);
    }
    bench_destroy(bench);
}

/* Words too large for a page of the slab: a repeat makes them anew, is told, and is not the last.
 */
static void large_words_live_as_long_as_touches_point_at_them(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("enrich:\n"
                     "  - id: large\n"
                     "    vars: {b: 'message + message + message + message', c: b + b + b + b, d: "
                     "c + c + c + c}\n"
                     "    set: {labels.large: d + d + d + d + d + d + d + d}\n"
                     "rules:\n" RULE("one", "has(labels.large)", "resource", "    on: events\n",
                                     "distinct(labels.large) >= 3", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.workers = 2;
    for (int i = 0; i < 60; i++) {
        char resource[8], more[100];
        snprintf(resource, sizeof(resource), "r%d", i % 20);
        snprintf(more, sizeof(more), ",\"message\":\"these are the words %d\"", i / 20);
        bench_put(feed, i, resource, "c", more);
    }
    bench_run(bench);
    assert_int_equal(bench->counters.opened, 20);
    assert_int_equal(bench->counters.routed, 60);
    assert_int_equal(bench->counters.enrich_errors, 0);
    bench_destroy(bench);
}

/* ---- many ---- */

#define RULES_OF_STORM                                                                             \
    "enrich:\n"                                                                                    \
    "  - id: noise\n    where: message.contains(\"noise\")\n    drop: true\n"                      \
    "  - id: words\n"                                                                              \
    "    extract: {from: message, pattern: 'disk (?P<disk>\\w+) of (?P<rack>\\w+)'}\n"             \
    "    set: {message: '\"on \" + labels.disk + \" \" + message', labels.copy: message}\n"        \
    "  - id: level\n    where: labels.disk == \"d3\"\n    set: {severity: CRITICAL}\n"             \
    "rules:\n" RULE("disk", "has(labels.disk)", "labels.disk", "    on: events\n",                 \
                    "count() >= 3 && distinct(labels.copy) >= 2", "quiet(500ms)")                  \
        RULE("rack", "severity >= WARNING", "labels.rack", "    max_keys: 5\n",                    \
             "distinct(message) >= 3", "cleared() || quiet(300ms)")

/* Repeats, other messages, clears, expiry, flapping and evictions, all with words that steps made.
 */
static struct bench *storm(unsigned workers)
{
    struct bench *bench = bench_create(RULES_OF_STORM);
    struct bench_feed *feed[2] = {bench_feed(bench, "t", 0), bench_feed(bench, "t", 1)};
    uint32_t at = 1;

    bench->config.workers = workers;
    bench->config.expire_ms = 700;
    bench->config.alerts_max = 60;
    for (int i = 0; i < 12000; i++) {
        char resource[16], more[200];
        at = at * 1664525 + 1013904223;
        uint32_t what = at >> 8;
        snprintf(resource, sizeof(resource), "r%u", what % 97);
        snprintf(more, sizeof(more), ",\"message\":\"%s disk d%u of k%u\"%s",
                 what % 23 == 0 ? "noise" : "word", what / 97 % 7, what / 679 % 9,
                 what % 11 == 0 ? BENCH_CLEAR : "");
        bench_put(feed[what % 2], i / 2, resource, "c", more);
    }
    bench_run(bench);
    return bench;
}

static void any_number_of_workers_comes_to_the_same(void **state)
{
    (void)state;
    struct bench *one = storm(1);

    assert_true(one->counters.dropped > 300);
    assert_true(one->counters.opened > 100);
    assert_true(one->counters.alerts_evicted > 10);
    for (unsigned workers = 2; workers <= 5; workers++) {
        struct bench *many = storm(workers);
        assert_string_equal(many->log.at, one->log.at);
        assert_int_equal(many->counters.dropped, one->counters.dropped);
        assert_int_equal(many->counters.enrich_errors, one->counters.enrich_errors);
        bench_destroy(many);
    }
    bench_destroy(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_keys_titles_and_severity_are_those_of_the_enriched_event),
        cmocka_unit_test(what_cannot_be_done_changes_nothing_and_is_counted),
        cmocka_unit_test(a_problem_is_not_made_ok),
        cmocka_unit_test(a_clear_may_be_made_ok),
        cmocka_unit_test(groups_fit_in_the_order_of_their_names),
        cmocka_unit_test(an_extraction_looks_at_the_first_4_kib),
        cmocka_unit_test(the_extractions_of_an_event_look_at_64_kib),
        cmocka_unit_test(the_extractions_of_an_event_may_take_16_ms),
        cmocka_unit_test(the_entries_of_an_event_pass_over_16_mib),
        cmocka_unit_test(a_dropped_event_leaves_no_trace_but_time),
        cmocka_unit_test(steps_run_in_order_up_to_the_one_that_drops),
        cmocka_unit_test(repeats_that_rules_see_are_enriched),
        cmocka_unit_test(repeats_are_enriched_where_rules_are_not_asked_anew),
        cmocka_unit_test(a_message_that_is_read_is_read_anew_with_every_event),
        cmocka_unit_test(a_severity_that_a_step_reads_from_the_message_rises),
        cmocka_unit_test(a_severity_rises_behind_a_switch_as_before),
        cmocka_unit_test(what_an_alert_keeps_is_enriched),
        cmocka_unit_test(signs_of_life_are_enriched_and_dropped),
        cmocka_unit_test(self_alerts_are_left_alone),
        cmocka_unit_test(what_each_step_did_is_shown),
        cmocka_unit_test(a_step_applied_where_it_changed_something),
        cmocka_unit_test(large_words_live_as_long_as_touches_point_at_them),
        cmocka_unit_test(any_number_of_workers_comes_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Aim: silences, maintenance windows and inhibitions keep incidents from being told, and nothing
 * else (docs/correlation.md, section 5): what is logged, when something is told at last, what is
 * never told. Method: the bench; its log is shortened to one line per change and per op. Time 0 is
 * 2001-09-09T01:46:40Z, so a silence from 01:46:45 begins at 5000.
 */
#include "tests/engine_bench.h"

static const char *const sinks[] = {"page"};

#define RULE_OF(id, check, by, more)                                                               \
    "  - id: " id "\n"                                                                             \
    "    where: check == \"" check "\"\n"                                                          \
    "    by: [" by "]\n"                                                                           \
    "    window: 1m\n"                                                                             \
    "    when: count() >= 1\n"                                                                     \
    "    incident: {title: t, team: net}\n"                                                        \
    "    close: cleared()\n" more

#define RULE_DOWN "rules:\n" RULE_OF("down", "down", "resource", "")

#define SILENCE(id, where, from, to)                                                               \
    "  - id: " id "\n"                                                                             \
    "    where: " where "\n"                                                                       \
    "    from: 2001-09-09T01:46:" from "Z\n"                                                       \
    "    to: 2001-09-09T01:46:" to "Z\n"

/* On a, from 5000 to 10000. */
#define SILENCE_A "silences:\n" SILENCE("s", "resource == \"a\"", "45", "50")

static struct bench *mute_bench(const char *rules)
{
    struct bench *bench = bench_create(rules);

    bench->config.sink_names = sinks;
    bench->config.sink_count = 1;
    return bench;
}

/* The value of a field in one line of the log, without quotes. */
static void field_of(const char *line, const char *end, const char *name, char *to, size_t bytes)
{
    char quoted[64];

    to[0] = '\0';
    snprintf(quoted, sizeof(quoted), "\"%s\":", name);
    const char *at = memmem(line, (size_t)(end - line), quoted, strlen(quoted));
    if (at == NULL)
        return;
    at += strlen(quoted);
    at += *at == '"';
    size_t length = strcspn(at, "\",}\n");
    if (strcmp(name, "muted_by") == 0 || strcmp(name, "key") == 0)
        length = strcspn(at, "\"");
    snprintf(to, bytes, "%.*s", (int)length, at);
}

/* "2000 opened rule a (silence s)", "2000 op open 1", each with its end. The key goes without
 * the tenant's default, the id of an incident is its first four digits. */
static const char *brief_of(const struct bench *bench)
{
    static struct bench_text text;
    char at[32], change[64], cause[64], key[256], muted[512], op[64], number[32];

    text.used = 0;
    bench_text_add(&text, "%s", "");
    for (const char *line = bench->log.at; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        field_of(line, end, "at", at, sizeof(at));
        field_of(line, end, "change", change, sizeof(change));
        field_of(line, end, "cause", cause, sizeof(cause));
        field_of(line, end, "key", key, sizeof(key));
        field_of(line, end, "muted_by", muted, sizeof(muted));
        field_of(line, end, "op", op, sizeof(op));
        field_of(line, end, "number", number, sizeof(number));
        char *blank = strchr(key, ' ');
        long long ms = atoll(at) - (long long)BENCH_T0;
        if (op[0] != '\0')
            bench_text_add(&text, "%lld op %s %s\n", ms, op, number);
        else
            bench_text_add(&text, "%lld %s %s %s%s%s%s\n", ms, change, cause,
                           blank != NULL ? strchr(blank, '=') + 1 : "-", muted[0] ? " (" : "",
                           muted, muted[0] ? ")" : "");
        line = end + 1;
    }
    return text.at;
}

#define MAJOR ",\"severity\":\"major\""
#define WARNING ",\"severity\":\"warning\""

/* --- silences ------------------------------------------------------------------------------------
 */

static void silence_holds_from_its_begin_to_before_its_end(void **state)
{
    (void)state;
    struct bench *bench =
        mute_bench(RULE_DOWN "silences:\n" SILENCE("s", "team == \"net\"", "45", "50"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 4999, "a", "down", "");
    bench_put(feed, 4999, "a", "down", BENCH_CLEAR);
    bench_put(feed, 5000, "b", "down", "");
    bench_put(feed, 5000, "b", "down", BENCH_CLEAR);
    bench_put(feed, 9999, "c", "down", "");
    bench_put(feed, 9999, "c", "down", BENCH_CLEAR);
    bench_put(feed, 10000, "d", "down", "");
    bench_put(feed, 10000, "d", "down", BENCH_CLEAR);
    bench_run(bench);
    assert_string_equal(brief_of(bench), "4999 opened rule a\n"
                                         "4999 op open 1\n"
                                         "4999 closed cleared a\n"
                                         "4999 op resolve 2\n"
                                         "5000 opened rule b (silence s)\n"
                                         "5000 closed cleared b (silence s)\n"
                                         "9999 opened rule c (silence s)\n"
                                         "9999 closed cleared c (silence s)\n"
                                         "10000 opened rule d\n"
                                         "10000 op open 1\n"
                                         "10000 closed cleared d\n"
                                         "10000 op resolve 2\n");
    bench_destroy(bench);
}

static void what_is_open_when_the_silence_ends_is_told_then(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULE_DOWN SILENCE_A);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 6000, "a", "down", "");
    bench_put(feed, 30000, "a", "down", BENCH_CLEAR);
    bench_run(bench);
    assert_string_equal(brief_of(bench), "6000 opened rule a (silence s)\n"
                                         "10000 updated unmuted a\n"
                                         "10000 op open 1\n"
                                         "30000 closed cleared a\n"
                                         "30000 op resolve 2\n");
    /* Its own change counts: the closing is the third. */
    assert_non_null(strstr(bench->log.at, "\"change\":\"closed\",\"cause\":\"cleared\""));
    assert_non_null(strstr(bench->log.at, "\"n\":3,"));
    assert_int_equal(bench->counters.muted, 1);
    assert_int_equal(bench->counters.unmuted, 1);
    assert_int_equal(bench->counters.withheld, 1);
    assert_int_equal(bench->counters.ops, 2);
    assert_int_equal(bench->counters.announced, 1); /* not suppressed: it was told in the end */
    assert_int_equal(bench->counters.suppressed_silence, 0);
    bench_destroy(bench);
}

/* A severity rises in the round that ends at `round`; both alerts are of one key by rack. */
#define RULE_RACK "rules:\n" RULE_OF("rack", "down", "labels.rack", "")
#define SILENCE_RACK "silences:\n" SILENCE("s", "labels.rack == \"r\"", "45", "50")
#define IN_RACK ",\"labels\":{\"rack\":\"r\"}"

static void told_incident_keeps_its_resolve_and_loses_its_updates(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULE_RACK SILENCE_RACK);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "down", WARNING IN_RACK);
    bench_put(feed, 6000, "b", "down", MAJOR IN_RACK);
    bench_put(feed, 7000, "a", "down", BENCH_CLEAR IN_RACK);
    bench_put(feed, 7000, "b", "down", BENCH_CLEAR IN_RACK);
    bench_run(bench);
    assert_string_equal(brief_of(bench), "1000 opened rule r\n"
                                         "1000 op open 1\n"
                                         "6200 updated severity r (silence s)\n"
                                         "7000 closed cleared r (silence s)\n"
                                         "7000 op resolve 2\n");
    bench_destroy(bench);
}

static void withheld_update_is_made_up_for_when_the_silence_ends(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULE_RACK SILENCE_RACK);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "down", WARNING IN_RACK);
    bench_put(feed, 6000, "b", "down", MAJOR IN_RACK);
    bench_put(feed, 30000, "c", "other", "");
    bench_run(bench);
    assert_string_equal(brief_of(bench), "1000 opened rule r\n"
                                         "1000 op open 1\n"
                                         "6200 updated severity r (silence s)\n"
                                         "10000 updated unmuted r\n"
                                         "10000 op update 2\n");
    bench_destroy(bench);
}

/* Once made up for, it is not made up for again. */
static void what_was_made_up_for_is_over(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULE_RACK "silences:\n" SILENCE(
        "s", "labels.rack == \"r\"", "45", "50") SILENCE("t", "labels.rack == \"r\"", "55", "58"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "down", WARNING IN_RACK);
    bench_put(feed, 6000, "b", "down", MAJOR IN_RACK);
    bench_put(feed, 30000, "c", "other", "");
    bench_run(bench);
    assert_string_equal(brief_of(bench), "1000 opened rule r\n"
                                         "1000 op open 1\n"
                                         "6200 updated severity r (silence s)\n"
                                         "10000 updated unmuted r\n"
                                         "10000 op update 2\n");
    bench_destroy(bench);
}

static void silence_without_a_change_leaves_no_trace(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULE_RACK SILENCE_RACK);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "down", WARNING IN_RACK);
    bench_put(feed, 30000, "a", "down", BENCH_CLEAR IN_RACK);
    bench_run(bench);
    assert_string_equal(brief_of(bench), "1000 opened rule r\n"
                                         "1000 op open 1\n"
                                         "30000 closed cleared r\n"
                                         "30000 op resolve 2\n");
    assert_int_equal(bench->counters.muted, 1);
    assert_int_equal(bench->counters.withheld, 0);
    bench_destroy(bench);
}

static void severity_that_leaves_the_matcher_tells(void **state)
{
    (void)state;
    struct bench *bench =
        mute_bench(RULE_RACK "silences:\n" SILENCE("s", "severity < MAJOR", "45", "50"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 6000, "a", "down", WARNING IN_RACK);
    bench_put(feed, 7000, "b", "down", MAJOR IN_RACK);
    bench_run(bench);
    assert_string_equal(brief_of(bench), "6000 opened rule r (silence s)\n"
                                         "7200 updated severity r\n"
                                         "7200 op open 1\n");
    bench_destroy(bench);
}

/* The silence ends at 10000, the end of a round: what the round has to say comes before. */
static void round_end_comes_before_a_mute_that_ends_with_it(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULE_RACK SILENCE_RACK);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 9000, "a", "down", WARNING IN_RACK);
    bench_put(feed, 9900, "b", "down", MAJOR IN_RACK);
    bench_put(feed, 30000, "c", "other", "");
    bench_run(bench);
    assert_string_equal(brief_of(bench), "9000 opened rule r (silence s)\n"
                                         "10000 updated severity r (silence s)\n"
                                         "10000 updated unmuted r\n"
                                         "10000 op open 1\n");
    bench_destroy(bench);
}

/* max_keys is 1: the younger key pushes the older one out at the round's end, and nobody would
 * ever close what is muted. */
static void incident_whose_key_is_evicted_is_told(void **state)
{
    (void)state;
    struct bench *bench =
        mute_bench("rules:\n" RULE_OF("down", "down", "resource", "    max_keys: 1\n") SILENCE_A);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 6000, "a", "down", "");
    bench_put(feed, 6010, "b", "down", "");
    bench_run(bench);
    assert_string_equal(brief_of(bench), "6000 opened rule a (silence s)\n"
                                         "6010 opened rule b\n"
                                         "6010 op open 1\n"
                                         "6200 updated evicted a\n"
                                         "6200 op open 1\n");
    bench_destroy(bench);
}

static void all_that_mutes_is_named(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(
        RULE_DOWN "silences:\n" SILENCE("s6", "tenant == \"default\"", "40", "50")
            SILENCE("s5", "rule == \"down\"", "40", "50")
                SILENCE("s4", "resource.matches(\"^a+$\")", "40", "50")
                    SILENCE("s3", "priority in [\"P3\"]", "40", "50")
                        SILENCE("s2", "tier == \"\" && !has(host)", "40", "50")
                            SILENCE("s1", "resource == \"b\"", "40", "50") "maintenance:\n"
                                                                           "  - id: m\n"
                                                                           "    where: severity "
                                                                           ">= WARNING\n"
                                                                           "    start: "
                                                                           "2001-09-09T01:46\n"
                                                                           "    duration: 1m\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 6000, "a", "down", "");
    bench_put(feed, 6000, "a", "down", BENCH_CLEAR);
    bench_run(bench);
    assert_string_equal(
        brief_of(bench),
        "6000 opened rule a (silence s2, silence s3, silence s4, silence s5, silence s6, ...)\n"
        "6000 closed cleared a (silence s2, silence s3, silence s4, silence s5, silence s6, "
        "...)\n");
    bench_destroy(bench);
}

/* --- maintenance -------------------------------------------------------------------------------
 */

/* In Zurich it is 03:46:40 at time 0; the window opens at 03:47 and 03:49 each day, for 30 s. */
static void maintenance_window_mutes_again_and_again(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULE_DOWN "maintenance:\n"
                                               "  - id: m\n"
                                               "    where: rule == \"down\"\n"
                                               "    start: 2001-09-01T03:47\n"
                                               "    duration: 30s\n"
                                               "    rrule: FREQ=DAILY;BYMINUTE=47,49\n"
                                               "    timezone: Europe/Zurich\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 19999, "a", "down", "");
    bench_put(feed, 20000, "b", "down", "");
    bench_put(feed, 50000, "c", "down", "");
    bench_put(feed, 145000, "d", "down", "");
    bench_put(feed, 145000, "d", "down", BENCH_CLEAR);
    bench_put(feed, 86400000 + 25000, "e", "down", "");
    bench_run(bench);
    assert_string_equal(brief_of(bench), "19999 opened rule a\n"
                                         "19999 op open 1\n"
                                         "20000 opened rule b (maintenance m)\n"
                                         "50000 updated unmuted b\n"
                                         "50000 op open 1\n"
                                         "50000 opened rule c\n"
                                         "50000 op open 1\n"
                                         "145000 opened rule d (maintenance m)\n"
                                         "145000 closed cleared d (maintenance m)\n"
                                         "319999 closed cleared a\n"
                                         "319999 op resolve 2\n"
                                         "320000 closed cleared b\n"
                                         "320000 op resolve 2\n"
                                         "350000 closed cleared c\n"
                                         "350000 op resolve 2\n"
                                         "86425000 opened rule e (maintenance m)\n");
    bench_destroy(bench);
}

/* --- inhibition --------------------------------------------------------------------------------
 */

#define INHIBIT(id, source, target, equal)                                                         \
    "  - id: " id "\n"                                                                             \
    "    source: " source "\n"                                                                     \
    "    target: " target "\n"                                                                     \
    "    equal: [" equal "]\n"

/* Rules by what they are to the inhibition, with and without labels.rack in their key. */
#define RULES_SIDES                                                                                \
    "rules:\n" RULE_OF("src", "src", "resource, labels.rack", "")                                  \
        RULE_OF("dst", "dst", "resource, labels.rack", "")                                         \
            RULE_OF("both", "both", "resource, labels.rack", "")                                   \
                RULE_OF("src-bare", "src-bare", "resource", "")                                    \
                    RULE_OF("dst-bare", "dst-bare", "resource", "") "inhibit:\n" INHIBIT(          \
                        "i", "rule in [\"src\", \"src-bare\", \"both\"]",                          \
                        "rule in [\"dst\", \"dst-bare\", \"both\"]", "labels.rack")

static void inhibition_follows_the_truth_table_of_alertmanager(void **state)
{
    (void)state;
    static const struct {
        const char *what, *source, *source_rack, *target, *target_rack;
        bool is_muted;
    } rows[] = {
        {"equal values", "src", "r1", "dst", "r1", true},
        {"different values", "src", "r1", "dst", "r2", false},
        {"missing on both sides", "src-bare", "", "dst-bare", "", true},
        {"empty on both sides", "src", "", "dst", "", true},
        {"missing and empty", "src-bare", "", "dst", "", true},
        {"empty and missing", "src", "", "dst-bare", "", true},
        {"missing and a value", "src-bare", "", "dst", "r1", false},
        {"a value and missing", "src", "r1", "dst-bare", "", false},
        {"no source", "dst", "r1", "dst", "r1", false},
        {"the source matches both sides", "both", "r1", "dst", "r1", true},
        {"the target matches both sides", "src", "r1", "both", "r1", true},
        {"both match both sides", "both", "r1", "both", "r1", false},
        {"the target is a source alone", "src", "r1", "src", "r1", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench *bench = mute_bench(RULES_SIDES);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        char more[64], muted[64];
        snprintf(more, sizeof(more), ",\"labels\":{\"rack\":\"%s\"}", rows[i].source_rack);
        bench_put(feed, 1000, "a", rows[i].source, more);
        snprintf(more, sizeof(more), ",\"labels\":{\"rack\":\"%s\"}", rows[i].target_rack);
        bench_put(feed, 2000, "b", rows[i].target, more);
        bench_run(bench);
        const char *brief = brief_of(bench), *second = strstr(brief, "2000 opened");
        snprintf(muted, sizeof(muted), "(inhibit i by ");
        assert_non_null(second);
        if (strncmp(brief, "1000 opened", 11) != 0 || strstr(brief, "1000 op open 1") == NULL ||
            (strstr(second, muted) != NULL) != rows[i].is_muted ||
            (strstr(second, "2000 op open 1") != NULL) == rows[i].is_muted)
            fail_msg("%s: \n%s", rows[i].what, brief);
        bench_destroy(bench);
    }
}

static void target_is_told_when_its_source_closes(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULES_SIDES);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "src-bare", "");
    bench_put(feed, 1500, "a2", "src-bare", "");
    bench_put(feed, 2000, "b", "dst-bare", "");
    bench_put(feed, 2500, "c", "dst-bare", "");
    bench_put(feed, 3000, "a", "src-bare", BENCH_CLEAR);
    bench_put(feed, 4000, "a2", "src-bare", BENCH_CLEAR);
    bench_run(bench);
    const char *brief = brief_of(bench);
    assert_non_null(strstr(brief, "3000 closed cleared a\n"
                                  "3000 op resolve 2\n"
                                  "4000 closed cleared a2\n"
                                  "4000 op resolve 2\n"
                                  "4000 updated unmuted b\n"
                                  "4000 op open 1\n"
                                  "4000 updated unmuted c\n"
                                  "4000 op open 1\n"));
    bench_destroy(bench);
}

/* As in Alertmanager a silence mutes what is told, not what is known: its source inhibits on. And
 * what is inhibited inhibits what it is a source of; there is no way around an incident that is
 * not there. */
static void muted_source_inhibits_all_the_same(void **state)
{
    (void)state;
    struct bench *bench =
        mute_bench("rules:\n" RULE_OF("a", "a", "resource", "") RULE_OF("b", "b", "resource", "")
                       RULE_OF("c", "c", "resource", "") "silences:\n" SILENCE(
                           "s", "rule == \"a\"", "40",
                           "50") "inhibit:\n" INHIBIT("ab", "rule == \"a\"", "rule == \"b\"", "")
                           INHIBIT("bc", "rule == \"b\"", "rule == \"c\"", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "x", "a", "");
    bench_put(feed, 2000, "y", "c", "");
    bench_put(feed, 3000, "x", "b", "");
    bench_put(feed, 4000, "z", "c", "");
    bench_run(bench);
    const char *brief = brief_of(bench);
    assert_non_null(strstr(brief, "1000 opened rule x (silence s)\n"
                                  "2000 opened rule y\n"
                                  "2000 op open 1\n"
                                  "3000 opened rule x (inhibit ab by "));
    assert_non_null(strstr(brief, "4000 opened rule z (inhibit bc by "));
    bench_destroy(bench);
}

static void tenants_never_inhibit_each_other(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULES_SIDES);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "src-bare", ",\"tenant\":\"one\"");
    bench_put(feed, 2000, "b", "dst-bare", ",\"tenant\":\"two\"");
    bench_run(bench);
    assert_null(strstr(bench->log.at, "muted_by"));
    assert_int_equal(bench->counters.ops, 2);
    bench_destroy(bench);
}

/* The incident of a rule, as the log has it. */
static void incident_of(const struct bench *bench, const char *rule, char to[33])
{
    char field[64];

    snprintf(field, sizeof(field), "\"rule\":\"%s\"", rule);
    const char *line = strstr(bench->log.at, field);
    assert_non_null(line);
    while (line > bench->log.at && line[-1] != '\n')
        line--;
    field_of(line, strchr(line, '\n'), "incident", to, 33);
}

/* Of what is a source alone and what is a target as well, the older. */
static void the_oldest_source_is_named(void **state)
{
    static const char *const order[][2] = {{"both", "source"}, {"source", "both"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench *bench = mute_bench(
            "rules:\n" RULE_OF("source", "source", "resource", "")
                RULE_OF("both", "both", "resource", "") RULE_OF(
                    "down", "down", "resource", "") "inhibit:\n  - {id: i, source: 'rule in "
                                                    "[\"source\", \"both\"]', target: 'rule in "
                                                    "[\"down\", \"both\"]', equal: [resource]}\n");
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        char id[33], by[64];
        bench_put(feed, 1000, "a", order[i][0], "");
        bench_put(feed, 2000, "a", order[i][1], "");
        bench_put(feed, 3000, "a", "down", "");
        bench_run(bench);
        incident_of(bench, order[i][0], id);
        snprintf(by, sizeof(by), "\"muted_by\":\"inhibit i by %s\"", id);
        const char *down = strstr(bench->log.at, "\"rule\":\"down\"");
        assert_non_null(down);
        if (strstr(down, by) == NULL)
            fail_msg("no %s in\n%s", by, bench->log.at);
        bench_destroy(bench);
    }
}

/* Eighty values, none of which a source and a target share. */
static void values_that_differ_inhibit_nothing(void **state)
{
    (void)state;
    struct bench *bench = mute_bench("rules:\n" RULE_OF("source", "source", "resource", "") RULE_OF(
        "down", "down", "resource", "") "inhibit:\n  - {id: i, source: 'rule == "
                                        "\"source\"', target: 'rule == \"down\"', "
                                        "equal: [resource]}\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char resource[16];

    for (int i = 0; i < 80; i++) {
        snprintf(resource, sizeof(resource), "r%d", i);
        bench_put(feed, 1000 + i, resource, i % 2 == 0 ? "source" : "down", "");
    }
    bench_run(bench);
    assert_int_equal(bench->counters.opened, 80);
    assert_int_equal(bench->counters.muted, 0);
    bench_destroy(bench);
}

static void mutes_are_counted_by_id(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULES_SIDES SILENCE_A);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct engine_mute_counters mutes[4];

    bench_put(feed, 1000, "x", "src-bare", "");
    bench_put(feed, 2000, "b", "dst-bare", "");
    bench_put(feed, 2000, "c", "dst-bare", "");
    bench_put(feed, 3000, "b", "dst-bare", BENCH_CLEAR);
    bench_put(feed, 6000, "a", "src-bare", "");
    bench_put(feed, 7000, "a", "src-bare", BENCH_CLEAR);
    bench_run(bench);
    assert_int_equal(engine_mute_counters(bench->engine, mutes, 4), 2);
    assert_string_equal(mutes[0].kind, "silence");
    assert_string_equal(mutes[0].id, "s");
    assert_int_equal(mutes[0].incidents, 0);
    assert_int_equal(mutes[0].total, 1);
    assert_string_equal(mutes[1].kind, "inhibit");
    assert_string_equal(mutes[1].id, "i");
    assert_int_equal(mutes[1].incidents, 1);
    assert_int_equal(mutes[1].total, 2);
    assert_int_equal(bench->counters.muted, 3);
    assert_int_equal(bench->counters.unmuted, 2);
    bench_destroy(bench);
}

/* One each is kept back by a silence, a window and an inhibition; one more is, and told when the
 * silence ends; two are told at once, one of which is muted later. */
static void L4_what_opens_is_announced_or_suppressed_by_the_first_mute(void **state)
{
    (void)state;
    struct bench *bench =
        mute_bench(RULES_SIDES SILENCE_A "maintenance:\n"
                                         "  - id: m\n"
                                         "    where: resource == \"w\" || resource == \"a\"\n"
                                         "    start: 2001-09-09T01:46\n"
                                         "    duration: 1m\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "x", "src-bare", "");
    bench_put(feed, 2000, "b", "dst-bare", "");
    bench_put(feed, 3000, "w", "src-bare", "");
    bench_put(feed, 3000, "w", "src-bare", BENCH_CLEAR);
    bench_put(feed, 6000, "a", "src-bare", ""); /* by both: the silence comes first */
    bench_put(feed, 7000, "a", "src-bare", BENCH_CLEAR);
    bench_put(feed, 30000, "a", "src-bare", "");
    bench_run(bench);
    assert_int_equal(bench->counters.opened, 5);
    assert_int_equal(bench->counters.announced, 2);
    assert_int_equal(bench->counters.suppressed_silence, 1);
    assert_int_equal(bench->counters.suppressed_maintenance, 1);
    assert_int_equal(bench->counters.suppressed_inhibited, 1);
    bench_destroy(bench);
}

/* --- live --------------------------------------------------------------------------------------
 */

/* Nothing comes any more: seals alone carry time on, and the silence ends all the same. */
static void silence_ends_while_nothing_happens(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULE_DOWN SILENCE_A);

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 6000, 100);
    bench_put(feed, 6000, "a", "down", "");
    bench_settle(bench);
    bench_pass(bench, 3900, 100);
    assert_string_equal(brief_of(bench), "6000 opened rule a (silence s)\n");
    bench_pass(bench, 1200, 50);
    assert_string_equal(brief_of(bench), "6000 opened rule a (silence s)\n"
                                         "10000 updated unmuted a\n"
                                         "10000 op open 1\n");
    bench_stop(bench);
    bench_destroy(bench);
}

/* A silence that comes with a reload holds from the switch on: what was told keeps its resolve,
 * what opens is muted. One that goes with a reload lets out what it muted. */
static void silences_come_and_go_with_the_rule_set(void **state)
{
    (void)state;
    struct bench *bench = mute_bench(RULE_DOWN);

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 0, "a", "down", "");
    bench_settle(bench);
    bench_pass(bench, 2000, 100);
    bench_switch(bench, RULE_DOWN "silences:\n" SILENCE("s", "team == \"net\"", "40", "59"));
    bench_settle(bench);
    bench_pass(bench, 2000, 100);
    bench_put(feed, 4000, "b", "down", "");
    bench_put(feed, 4000, "a", "down", BENCH_CLEAR);
    bench_settle(bench);
    bench_pass(bench, 2000, 100);
    assert_string_equal(brief_of(bench), "0 opened rule a\n"
                                         "0 op open 1\n"
                                         "4000 opened rule b (silence s)\n"
                                         "4000 closed cleared a (silence s)\n"
                                         "4000 op resolve 2\n");
    bench_switch(bench, RULE_DOWN);
    bench_settle(bench);
    bench_pass(bench, 2000, 100);
    struct mark mark = bench_mark(bench, MARK_SWITCH);
    char line[128];
    snprintf(line, sizeof(line), "%lld updated unmuted b\n%lld op open 1\n",
             (long long)(mark.value_ms - BENCH_T0), (long long)(mark.value_ms - BENCH_T0));
    assert_non_null(strstr(brief_of(bench), line));
    bench_stop(bench);
    assert_int_equal(bench->counters.muted, 2);
    assert_int_equal(bench->counters.unmuted, 2);
    bench_destroy(bench);
}

/* A silence that stays over a reload has not begun again. */
static void what_mutes_on_behind_a_switch_has_not_begun_again(void **state)
{
    (void)state;
    static const char silenced[] =
        RULE_DOWN "silences:\n" SILENCE("s", "team == \"net\"", "40", "59");
    struct engine_mute_counters mutes[4];
    struct bench *bench = mute_bench(silenced);

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    feed->answers = true;
    bench_start(bench);
    bench_pass(bench, 400, 20);
    bench_put(feed, 500, "a", "down", "");
    bench_pass(bench, 2000, 100);
    bench_switch(bench, "rules:\n" RULE_OF("more", "more", "resource", "")
                            RULE_OF("down", "down", "resource",
                                    "") "silences:\n" SILENCE("s", "team == \"net\"", "40", "59"));
    bench_pass(bench, 2000, 100);
    bench_stop(bench);
    assert_int_equal(bench_marks(bench, MARK_SWITCH), 1);
    assert_int_equal(engine_mute_counters(bench->engine, mutes, 4), 1);
    assert_int_equal(mutes[0].incidents, 1);
    assert_int_equal(mutes[0].total, 1);
    bench_destroy(bench);
}

/* An incident on a from 0 on, and a switch after two seconds. Returns when it took effect. */
static int64_t run_over_switch(const char *before, const char *after, char brief[1000])
{
    struct bench *bench = mute_bench(before);

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    feed->answers = true;
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 0, "a", "down", "");
    bench_pass(bench, 2000, 100);
    bench_switch(bench, after);
    bench_pass(bench, 3000, 100);
    bench_stop(bench);
    assert_int_equal(bench_marks(bench, MARK_SWITCH), 1);
    snprintf(brief, 1000, "%s", brief_of(bench));
    int64_t at_ms = bench_mark(bench, MARK_SWITCH).value_ms - BENCH_T0;
    bench_destroy(bench);
    return at_ms;
}

/* Of a moment all mutes are those of the set that begins with it: one that ends then frees once,
 * and nobody is freed for whom another one begins. */
static void silences_end_and_begin_with_a_switch(void **state)
{
    char brief[1000], expected[1000], until[200], from[300], ends[1000], begins[1000];
    int64_t at_ms = run_over_switch(RULE_DOWN, RULE_DOWN "    description: more\n", brief);
    long long second = 40 + at_ms / 1000, ms = at_ms % 1000;

    (void)state;
    assert_true(at_ms > 1000 && second < 58);
    snprintf(until, sizeof(until),
             "  - id: s\n    where: tenant != \"\"\n    to: 2001-09-09T01:46:%lld.%03lldZ\n",
             second, ms);
    snprintf(from, sizeof(from),
             "  - id: then\n    where: tenant != \"\"\n    from: 2001-09-09T01:46:%lld.%03lldZ\n"
             "    to: 2001-09-09T01:46:59Z\n",
             second, ms);
    snprintf(ends, sizeof(ends), RULE_DOWN "silences:\n%s", until);
    snprintf(begins, sizeof(begins), RULE_DOWN "silences:\n%s%s", until, from);
    snprintf(expected, sizeof(expected),
             "0 opened rule a (silence s)\n%lld updated unmuted a\n%lld op open 1\n",
             (long long)at_ms, (long long)at_ms);

    assert_int_equal(run_over_switch(ends, RULE_DOWN, brief), at_ms);
    assert_string_equal(brief, expected);
    assert_int_equal(run_over_switch(ends, begins, brief), at_ms);
    assert_string_equal(brief, "0 opened rule a (silence s)\n");
    assert_int_equal(run_over_switch(begins, ends, brief), at_ms);
    assert_string_equal(brief, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_holds_from_its_begin_to_before_its_end),
        cmocka_unit_test(what_is_open_when_the_silence_ends_is_told_then),
        cmocka_unit_test(told_incident_keeps_its_resolve_and_loses_its_updates),
        cmocka_unit_test(withheld_update_is_made_up_for_when_the_silence_ends),
        cmocka_unit_test(what_was_made_up_for_is_over),
        cmocka_unit_test(silence_without_a_change_leaves_no_trace),
        cmocka_unit_test(severity_that_leaves_the_matcher_tells),
        cmocka_unit_test(round_end_comes_before_a_mute_that_ends_with_it),
        cmocka_unit_test(incident_whose_key_is_evicted_is_told),
        cmocka_unit_test(all_that_mutes_is_named),
        cmocka_unit_test(maintenance_window_mutes_again_and_again),
        cmocka_unit_test(inhibition_follows_the_truth_table_of_alertmanager),
        cmocka_unit_test(target_is_told_when_its_source_closes),
        cmocka_unit_test(muted_source_inhibits_all_the_same),
        cmocka_unit_test(tenants_never_inhibit_each_other),
        cmocka_unit_test(the_oldest_source_is_named),
        cmocka_unit_test(values_that_differ_inhibit_nothing),
        cmocka_unit_test(mutes_are_counted_by_id),
        cmocka_unit_test(L4_what_opens_is_announced_or_suppressed_by_the_first_mute),
        cmocka_unit_test(silence_ends_while_nothing_happens),
        cmocka_unit_test(silences_come_and_go_with_the_rule_set),
        cmocka_unit_test(what_mutes_on_behind_a_switch_has_not_begun_again),
        cmocka_unit_test(silences_end_and_begin_with_a_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

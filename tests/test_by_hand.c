/*
 * Aim (C3, X1): what somebody does to an incident counts at its place among events and timers, does
 * what docs/correlation.md, section 6, says and nothing else, and comes to the same for any number
 * of workers, any batch and over an image. Method: the bench, with the intake as one of its feeds;
 * ids are learned in a run without acts. The log is shortened to one line per change and per op.
 */
#include "base/act.h"
#include "base/hash.h"
#include "ingest/intake_source.h"
#include "tests/engine_bench.h"

static const char *const sinks[] = {"page"};

enum { ACTS_MAX = 512 };
static struct act acts[ACTS_MAX];
static size_t act_count;
static struct bench_text acted;

#define RULE_DOWN(close)                                                                           \
    "  - id: down\n"                                                                               \
    "    where: check == \"down\"\n"                                                               \
    "    by: [resource]\n"                                                                         \
    "    window: 10s\n"                                                                            \
    "    when: count() >= 1\n"                                                                     \
    "    incident: {title: \"{resource}\"}\n"                                                      \
    "    close: " close "\n"
#define SEVERE ",\"severity\":\"critical\""
#define MILD ",\"severity\":\"warning\""

static struct text text(const char *word)
{
    return (struct text){word, (uint32_t)strlen(word)};
}

/* What came of each, by position. */
static void on_acted(void *self, const struct engine_acted *what)
{
    struct bench *bench = self;

    pthread_mutex_lock(&bench->lock);
    bench_text_add(&acted, "%" PRId64 ":%s ", what->position, what->was_open ? "done" : "not open");
    pthread_mutex_unlock(&bench->lock);
}

static struct bench *hand_bench(const char *rules)
{
    struct bench *bench = bench_create(rules);

    bench->config.sink_names = sinks;
    bench->config.sink_count = 1;
    bench->on_acted = on_acted;
    act_count = 0;
    acted.used = 0;
    bench_text_add(&acted, "%s", "");
    return bench;
}

static struct bench_feed *intake_feed(struct bench *bench)
{
    return bench_feed(bench, INTAKE_TOPIC, INTAKE_PARTITION);
}

/* ADA says something of the incident of `rule` and `resource`. */
static void put_act(struct bench_feed *intake, int64_t at_ms, bool closes, struct id128 incident,
                    const char *rule, const char *resource)
{
    struct act *act = &acts[act_count++];

    assert_true(act_count < ACTS_MAX);
    *act = (struct act){.incident = incident,
                        .closes = closes,
                        .who = text("ada"),
                        .comment = text(closes ? "done" : "mine"),
                        .rule = text(rule),
                        .key = {text("default"), text(resource)},
                        .key_count = 2};
    bench_put_record(intake, at_ms, &(struct record){.act = act});
}

static void field_of(const char *line, const char *name, char *to, size_t bytes)
{
    const char *end = strchr(line, '\n');
    char quoted[64];

    to[0] = '\0';
    snprintf(quoted, sizeof(quoted), "\"%s\":", name);
    const char *at = memmem(line, (size_t)(end - line), quoted, strlen(quoted));
    if (at == NULL)
        return;
    at += strlen(quoted);
    size_t length = *at == '"' ? strcspn(++at, "\"") : strcspn(at, ",}\n");
    snprintf(to, bytes, "%.*s", (int)length, at);
}

/* "2000 updated acknowledged a n=2 acked=ada by=ada mine", "2000 op ack 2", each with its end. */
static const char *brief_of(const struct bench *bench)
{
    static struct bench_text brief;
    char at[32], change[64], cause[64], key[256], n[16], ack[64], by[64], said[64], op[64],
        number[16], muted[64];

    brief.used = 0;
    bench_text_add(&brief, "%s", "");
    for (const char *line = bench->log.at; line != NULL && *line != '\0';
         line = strchr(line, '\n') + 1) {
        field_of(line, "at", at, sizeof(at));
        field_of(line, "change", change, sizeof(change));
        field_of(line, "cause", cause, sizeof(cause));
        field_of(line, "key", key, sizeof(key));
        field_of(line, "n", n, sizeof(n));
        field_of(line, "acked_by", ack, sizeof(ack));
        field_of(line, "by", by, sizeof(by));
        field_of(line, "muted_by", muted, sizeof(muted));
        field_of(line, "comment", said, sizeof(said));
        field_of(line, "op", op, sizeof(op));
        field_of(line, "number", number, sizeof(number));
        long long ms = atoll(at) - (long long)BENCH_T0;
        if (op[0] != '\0')
            bench_text_add(&brief, "%lld op %s %s\n", ms, op, number);
        else
            bench_text_add(&brief, "%lld %s %s %s n=%s%s%s%s%s%s%s%s%s%s\n", ms, change, cause,
                           strrchr(key, '=') + 1, n, ack[0] ? " acked=" : "", ack,
                           by[0] ? " by=" : "", by, said[0] ? " " : "", said, muted[0] ? " (" : "",
                           muted, muted[0] ? ")" : "");
    }
    return brief.at;
}

/* The id of the n-th incident that opened on the resource. */
static struct id128 id_of(const struct bench *bench, const char *resource, int nth)
{
    char change[64], key[256], digits[64];
    struct id128 id = {0, 0};

    for (const char *line = bench->log.at; line != NULL && *line != '\0';
         line = strchr(line, '\n') + 1) {
        field_of(line, "change", change, sizeof(change));
        field_of(line, "key", key, sizeof(key));
        field_of(line, "incident", digits, sizeof(digits));
        if (strcmp(change, "opened") == 0 && strcmp(strrchr(key, '=') + 1, resource) == 0 &&
            --nth == 0)
            assert_true(id128_parse(digits, &id));
    }
    assert_true(id.hi != 0 || id.lo != 0);
    return id;
}

static void expect(const struct bench *bench, const char *brief, const char *outcomes)
{
    assert_string_equal(brief_of(bench), brief);
    assert_string_equal(acted.at, outcomes);
}

/* --- what an act does ---------------------------------------------------------------------------
 */

static void taken_on_it_stays_and_says_so_until_it_is_over(void **state)
{
    (void)state;
    struct bench *bench = hand_bench("rules:\n" RULE_DOWN("cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0), *intake = intake_feed(bench);

    bench_put(feed, 1000, "a", "down", MILD);
    bench_run(bench);
    struct id128 id = id_of(bench, "a", 1);
    bench_rewind(bench, true);
    put_act(intake, 2000, false, id, "down", "a");
    bench_put(feed, 3000, "a", "down", SEVERE);
    bench_put(feed, 5000, "a", "down", BENCH_CLEAR);
    put_act(intake, 6000, false, id, "down", "a");
    bench_run(bench);
    expect(bench,
           "1000 opened rule a n=1\n"
           "1000 op open 1\n"
           "2000 updated acknowledged a n=2 acked=ada by=ada mine\n"
           "2000 op ack 2\n"
           "3200 updated severity a n=3 acked=ada\n"
           "3200 op update 3\n"
           "5000 closed cleared a n=4 acked=ada\n"
           "5000 op resolve 4\n",
           "0:done 1:not open ");
    assert_int_equal(bench->counters.events, 3);
    assert_int_equal(bench->counters.in_bins, 0);
    bench_destroy(bench);
}

static void closed_by_hand_its_key_begins_with_nothing(void **state)
{
    (void)state;
    struct bench *bench = hand_bench("rules:\n" RULE_DOWN("cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0), *intake = intake_feed(bench);

    bench_put(feed, 1000, "a", "down", "");
    bench_run(bench);
    struct id128 id = id_of(bench, "a", 1);
    bench_rewind(bench, true);
    put_act(intake, 4000, true, id, "down", "a");
    put_act(intake, 4000, true, id, "down", "a"); /* it was faster */
    bench_put(feed, 5000, "a", "down", "");       /* a repeat: folded, as always */
    bench_put(feed, 6000, "a", "down", BENCH_CLEAR);
    bench_put(feed, 7000, "a", "down", "");
    put_act(intake, 8000, true, id, "down", "a"); /* another one is open */
    bench_run(bench);
    expect(bench,
           "1000 opened rule a n=1\n"
           "1000 op open 1\n"
           "4000 closed by-hand a n=2 by=ada done\n"
           "4000 op resolve 2\n"
           "7000 opened rule a n=1\n"
           "7000 op open 1\n",
           "0:done 1:not open 2:not open ");
    bench_destroy(bench);
}

/* Timers of a time come before events of it, and so before acts. */
static void a_timer_of_the_same_time_is_faster(void **state)
{
    static const struct {
        int64_t at_ms;
        const char *closed, *outcome;
    } rows[] = {{2499, "2499 closed by-hand a n=2 by=ada done\n", "0:done "},
                {2500, "2500 closed quiet a n=2\n", "0:not open "}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench *bench = hand_bench("rules:\n" RULE_DOWN("quiet(1s)"));
        struct bench_feed *feed = bench_feed(bench, "t", 0), *intake = intake_feed(bench);
        bench_put(feed, 1000, "a", "down", "");
        bench_put(feed, 1500, "a", "down", BENCH_CLEAR);
        bench_put(feed, 5000, "b", "other", "");
        bench_run(bench);
        struct id128 id = id_of(bench, "a", 1);
        bench_rewind(bench, true);
        put_act(intake, rows[i].at_ms, true, id, "down", "a");
        bench_run(bench);
        if (strstr(brief_of(bench), rows[i].closed) == NULL ||
            strcmp(acted.at, rows[i].outcome) != 0)
            fail_msg("act at %d: %s%s", (int)rows[i].at_ms, brief_of(bench), acted.at);
        bench_destroy(bench);
    }
}

/* What nobody has been told of they are not told of by the way; who was told hears of it, muted or
 * not. */
static void muted_it_is_taken_on_where_somebody_was_told(void **state)
{
    (void)state;
    struct bench *bench = hand_bench(
        "silences:\n  - {id: s, where: 'resource == \"a\"', from: "
        "2001-09-09T01:46:42Z, to: 2001-09-09T01:46:50Z}\nrules:\n" RULE_DOWN("cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0), *intake = intake_feed(bench);

    bench_put(feed, 1000, "a", "down", MILD);
    bench_put(feed, 1000, "b", "down", "");
    bench_put(feed, 1500, "b", "down", BENCH_CLEAR);
    bench_put(feed, 3000, "a", "down", BENCH_CLEAR);
    bench_put(feed, 4000, "a", "down", "");
    bench_put(feed, 12000, "b", "other", "");
    bench_run(bench);
    struct id128 told = id_of(bench, "a", 1), untold = id_of(bench, "a", 2);
    bench_rewind(bench, true);
    put_act(intake, 2500, false, told, "down", "a");
    put_act(intake, 5000, false, untold, "down", "a");
    bench_run(bench);
    expect(bench,
           "1000 opened rule a n=1\n"
           "1000 op open 1\n"
           "1000 opened rule b n=1\n"
           "1000 op open 1\n"
           "1500 closed cleared b n=2\n"
           "1500 op resolve 2\n"
           "2500 updated acknowledged a n=2 acked=ada by=ada mine (silence s)\n"
           "2500 op ack 2\n"
           "3000 closed cleared a n=3 acked=ada (silence s)\n"
           "3000 op resolve 3\n"
           "4000 opened rule a n=1 (silence s)\n"
           "5000 updated acknowledged a n=2 acked=ada by=ada mine (silence s)\n"
           "10000 updated unmuted a n=3 acked=ada\n"
           "10000 op open 1\n",
           "0:done 1:done ");
    bench_destroy(bench);
}

/* A key of which nothing has come since it opened leaves, as after any close: who closes what is
 * gone for good is not paged for it again. */
static void what_never_came_again_is_not_missed_any_more(void **state)
{
    (void)state;
    struct bench *bench = hand_bench("rules:\n"
                                     "  - id: down\n"
                                     "    where: check == \"down\"\n"
                                     "    by: [resource]\n"
                                     "    expect: {every: 2s}\n"
                                     "    incident: {title: t}\n"
                                     "    close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0), *intake = intake_feed(bench);

    bench_put(feed, 1000, "a", "down", "");
    bench_put(feed, 7000, "b", "other", "");
    bench_run(bench);
    struct id128 id = id_of(bench, "a", 1);
    bench_rewind(bench, true);
    put_act(intake, 3500, true, id, "down", "a");
    bench_run(bench);
    expect(bench,
           "3000 opened rule a n=1\n"
           "3000 op open 1\n"
           "3500 closed by-hand a n=2 by=ada done\n"
           "3500 op resolve 2\n",
           "0:done ");
    bench_destroy(bench);
}

/* --- where an incident is looked for ------------------------------------------------------------
 */

/* A key of other words, a rule that is not there, and an id that was never given find nothing. */
static void what_does_not_fit_finds_nothing(void **state)
{
    (void)state;
    struct bench *bench = hand_bench("rules:\n" RULE_DOWN("cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0), *intake = intake_feed(bench);

    bench_put(feed, 1000, "a", "down", "");
    bench_put(feed, 1000, "b", "down", "");
    bench_run(bench);
    struct id128 id = id_of(bench, "a", 1);
    bench_rewind(bench, true);
    put_act(intake, 2000, true, id, "down", "b");
    put_act(intake, 2000, true, id, "up", "a");
    put_act(intake, 2000, true, (struct id128){1, 2}, "down", "a");
    acts[0].key_count = 1;
    put_act(intake, 2000, false, (struct id128){1, 2}, "down", "a");
    bench_run(bench);
    expect(bench,
           "1000 opened rule a n=1\n"
           "1000 op open 1\n"
           "1000 opened rule b n=1\n"
           "1000 op open 1\n",
           "0:not open 1:not open 2:not open 3:not open ");
    bench_destroy(bench);
}

/* The rule has another form since: the key drains, and is found. What was told of an incident can
 * be asked for by any thread. */
static void an_incident_of_a_rule_as_it_was_is_found(void **state)
{
    (void)state;
    struct bench *bench = hand_bench("rules:\n" RULE_DOWN("cleared()"));

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0), *intake = intake_feed(bench);
    bench_start(bench);
    bench_pass(bench, 1000, 10);
    bench_put(feed, 1000, "a", "down", "");
    bench_pass(bench, 2000, 10);
    struct id128 id = id_of(bench, "a", 1);
    struct incident *found = engine_incident(bench->engine, id);
    assert_non_null(found);
    assert_string_equal(found->key, "tenant=default resource=a");
    incident_unref(found);
    assert_null(engine_incident(bench->engine, (struct id128){1, 2}));
    bench_switch(bench, "rules:\n  - id: down\n    where: check == \"down\"\n    by: [resource]\n"
                        "    window: 20s\n    when: count() >= 2\n"
                        "    incident: {title: t}\n    close: cleared()\n");
    bench_pass(bench, 1000, 10);
    put_act(intake, 4000, true, id, "down", "a");
    bench_pass(bench, 2000, 10);
    assert_null(engine_incident(bench->engine, id));
    bench_stop(bench);
    expect(bench,
           "1000 opened rule a n=1\n"
           "1000 op open 1\n"
           "4000 closed by-hand a n=2 by=ada done\n"
           "4000 op resolve 2\n",
           "0:done ");
    bench_destroy(bench);
}

/* --- any number of workers (X1) ------------------------------------------------------------------
 */

static uint64_t dice;

static int64_t draw(uint64_t below)
{
    dice += 0x9e3779b97f4a7c15u;
    return (int64_t)(hash_mix(dice) % below);
}

/* Problems and clears of some resources, of which two rules make incidents, and one of these. */
static void put_storm(struct bench_feed *feed[2])
{
    char resource[8];

    for (int64_t at = 1000; at < 30000; at += draw(60)) {
        snprintf(resource, sizeof(resource), "r%d", (int)draw(12));
        bench_put(feed[draw(2)], at, resource, draw(3) > 0 ? "down" : "slow",
                  draw(3) == 0 ? BENCH_CLEAR
                  : draw(2)    ? SEVERE
                               : MILD);
    }
}

/* One for incidents that the last run opened, soon after that. */
static void put_acts(struct bench *bench, struct bench_feed *intake)
{
    static struct {
        int64_t at_ms;
        struct id128 id;
        char rule[16], resource[32];
    } found[ACTS_MAX];
    char change[16], key[256], digits[64], at[32];
    size_t count = 0;

    for (const char *line = bench->log.at; *line != '\0'; line = strchr(line, '\n') + 1) {
        field_of(line, "change", change, sizeof(change));
        if (strcmp(change, "opened") != 0 || draw(2) == 0 || count == ACTS_MAX / 4)
            continue;
        field_of(line, "at", at, sizeof(at));
        field_of(line, "key", key, sizeof(key));
        field_of(line, "incident", digits, sizeof(digits));
        field_of(line, "rule", found[count].rule, sizeof(found[count].rule));
        found[count].at_ms = atoll(at) - BENCH_T0 + 20 * draw(50);
        snprintf(found[count].resource, sizeof(found[count].resource), "%s", strrchr(key, '=') + 1);
        assert_true(id128_parse(digits, &found[count].id));
        count++;
    }
    assert_true(count > 20);
    for (int64_t ms = 0; ms < 40000; ms++)
        for (size_t i = 0; i < count; i++)
            if (found[i].at_ms == ms)
                put_act(intake, ms, draw(3) > 0, found[i].id, found[i].rule, found[i].resource);
}

static void any_run_does_the_same(void **state)
{
    static const struct {
        unsigned workers, epoch_ms;
        size_t take;
        uint64_t shuffle, seed;
    } runs[] = {{1, 20, 512, 0, 7},  {2, 20, 1, 3, 8},    {3, 200, 7, 5, 9},
                {5, 10, 512, 11, 1}, {1, 100, 3, 13, 22}, {4, 40, 64, 0, 5}};
    char *log = NULL, *outcomes = NULL;
    size_t done = 0;

    (void)state;
    dice = 4711;
    struct bench *bench = hand_bench("rules:\n" RULE_DOWN(
        "quiet(2s)") "  - id: slow\n    where: check == \"slow\"\n"
                     "    by: [resource]\n    on: events\n    window: 5s\n    when: count() >= 2\n"
                     "    incident: {title: t}\n    close: cleared()\n"
                     "  - id: all\n    on: incidents\n    of: [down]\n    by: [tenant]\n    "
                     "window: 5s\n"
                     "    when: count() >= 3\n    incident: {title: t}\n    close: cleared()\n");
    struct bench_feed *feed[2] = {bench_feed(bench, "t", 0), bench_feed(bench, "t", 1)};
    struct bench_feed *intake = intake_feed(bench);
    put_storm(feed);
    bench_run(bench);
    put_acts(bench, intake);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        bench_rewind(bench, true);
        acted.used = 0;
        bench->config.workers = runs[i].workers;
        bench->config.epoch_ms = runs[i].epoch_ms;
        bench->config.take_max = runs[i].take;
        bench->config.shuffle = runs[i].shuffle;
        bench->config.seed = runs[i].seed;
        bench_run(bench);
        if (log == NULL) {
            log = strdup(bench->log.at);
            outcomes = strdup(acted.at);
        }
        if (strcmp(log, bench->log.at) != 0 || strcmp(outcomes, acted.at) != 0)
            fail_msg("run %zu differs: %s and %s", i, acted.at, outcomes);
    }
    for (const char *at = outcomes; (at = strstr(at, ":done")) != NULL; at++)
        done++;
    assert_true(done > 10 && strstr(outcomes, ":not open") != NULL);
    assert_non_null(strstr(log, "\"cause\":\"by-hand\""));
    assert_non_null(strstr(log, "\"cause\":\"acknowledged\""));
    free(log);
    free(outcomes);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_on_it_stays_and_says_so_until_it_is_over),
        cmocka_unit_test(closed_by_hand_its_key_begins_with_nothing),
        cmocka_unit_test(a_timer_of_the_same_time_is_faster),
        cmocka_unit_test(muted_it_is_taken_on_where_somebody_was_told),
        cmocka_unit_test(what_never_came_again_is_not_missed_any_more),
        cmocka_unit_test(what_does_not_fit_finds_nothing),
        cmocka_unit_test(an_incident_of_a_rule_as_it_was_is_found),
        cmocka_unit_test(any_run_does_the_same),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(acted.at);
    return failed;
}

/*
 * Aim: where rules were switched, an answer goes by those that were in force at each event.
 * Method: recordings with a second rule set from 4 s on; and what a daemon without a data directory
 * keeps of its sets: the files come back byte for byte, bounds and ages are held to.
 */
#include "daemon/rules_shelf.h"
#include "tests/why_bench.h"

#define PAIR(id, check, count, more)                                                               \
    "- id: " id "\n  where: check == \"" check "\"\n  by: [host]\n  window: 10s\n"                 \
    "  when: count() >= " count "\n  incident: {title: t}\n  close: quiet(1h)\n" more

enum { SWITCH_MS = 4000 };

static const struct put story[] = {
    /* 0 */ {0, "h/a", "disk", ""},
    /* 1 */ {500, "h/b", "disk", ""},
    /* 2 */ {1000, "h/c", "gone", ""},
    /* 3 */ {5000, "h/d", "disk", ""},
    /* 4 */ {5500, "h/e", "new", ""},  {0, NULL, NULL, NULL},
};

/* What is asked of the story, as it stood at `at_ms` (0: in the end), under the rules `before` and
 * then `after`: the verdict, and what a person reads as a whole. Both are freed by the caller. */
static char *asked_at(const struct put *puts, const char *before, const char *after,
                      const char *asked, const char *rule, int64_t at_ms, char **text)
{
    struct bench *bench = bench_of(before, puts);
    struct rule_set *sets[2] = {bench->rules, NULL};
    const int64_t switch_ms = BENCH_T0 + SWITCH_MS;
    struct why_question question;
    struct error err = {""};
    struct why *why;
    char *said;

    if (rule_set_parse("after.yaml", after, strlen(after), &sets[1], &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(strchr(asked, '/') != NULL || strchr(asked, '=') != NULL
                         ? why_ask_whynot(asked, &question, &err)
                         : why_ask_incident(asked, &question, &err),
                     0);
    question.rule = rule;
    if (at_ms != 0)
        question.at_ms = BENCH_T0 + at_ms;
    bench->config.recovery = (struct engine_recovery){.switch_ms = &switch_ms, .switch_count = 1};
    why = why_create_over(&question, sets, 2, &bench->config, &err);
    if (why == NULL)
        fail_msg("%s", err.text);
    do {
        run_for(bench, why_listener(why));
    } while (why_pass(why));
    said = strdup(why_verdict(why));
    *text = answer_text(why);
    why_destroy(why);
    bench_destroy(bench);
    rule_set_destroy(sets[1]);
    return said;
}

/* The same of all that came. */
static char *asked_of(const struct put *puts, const char *before, const char *after,
                      const char *asked, const char *rule, char **text)
{
    return asked_at(puts, before, after, asked, rule, 0, text);
}

static char *asked_over(const char *before, const char *after, const char *asked, const char *rule,
                        char **text)
{
    return asked_of(story, before, after, asked, rule, text);
}

static void assert_said(const char *before, const char *after, const char *asked, const char *rule,
                        const char *verdict)
{
    char *text, *said = asked_over(before, after, asked, rule, &text), plain[2000];

    without_ids(said, plain, sizeof(plain));
    if (strncmp(plain, verdict, strlen(verdict)) != 0)
        fail_msg("%s:\n  %s\nnot\n  %s", asked, plain, verdict);
    free(said);
    free(text);
}

static const char before[] =
    "rules:\n" PAIR("disks", "disk", "5", "") PAIR("gone", "gone", "2", "");
static const char after[] = "rules:\n" PAIR("disks", "disk", "2", "") PAIR("new", "new", "2", "");

static void an_event_is_decided_by_the_rules_of_its_time(void **state)
{
    (void)state;
    /* Of five then, and of two afterwards. */
    assert_said(before, after, "t/0/1", NULL, "rule disks: count() 2 of 5 at " T "40.500Z");
    assert_said(before, after, "t/0/3", NULL, "rule disks: count() 1 of 2 at " T "45.000Z");
    /* A rule that is gone, and one that was not there yet. */
    assert_said(before, after, "t/0/2", NULL, "rule gone: count() 1 of 2 at " T "41.000Z");
    assert_said(before, after, "t/0/4", NULL, "rule new: count() 1 of 2 at " T "45.500Z");
    assert_said(after, before, "t/0/2", NULL, "no rule names this check, \"gone\"");
    assert_said(after, before, "t/0/1", NULL, "it opened incident # of rule disks");
}

static void a_question_may_name_a_rule_of_any_set(void **state)
{
    (void)state;
    assert_said(before, after, "host=h", "gone", "rule gone: count() 1 of 2 at " T "41.000Z");
    assert_said(before, after, "host=h", "new", "rule new: count() 1 of 2 at " T "45.500Z");
    /* The nearest of both: two of five are less than one of two. */
    assert_said(before, after, "host=h", "disks", "rule disks: count() 1 of 2 at " T "45.000Z");
}

/* What is wrong with the names is told of the newest form that there was. */
static void a_rule_that_is_gone_has_its_names_told(void **state)
{
    static const struct {
        const char *asked, *rule, *err;
    } rows[] = {
        {"check=gone", "gone",
         "rule gone does not count by these names, but by tenant and host: \"check=gone\""},
        {"hots=h", "gone",
         "rule gone does not count by these names, but by tenant and host: \"hots=h\"; did you "
         "mean \"host\"?"},
        {"check=disk", "disks",
         "rule disks does not count by these names, but by tenant and host: \"check=disk\""},
    };
    struct bench *bench = bench_of(before, story);
    struct rule_set *sets[2] = {bench->rules, NULL};
    const int64_t switch_ms = BENCH_T0 + SWITCH_MS;
    struct error err = {""};

    (void)state;
    bench->config.recovery = (struct engine_recovery){.switch_ms = &switch_ms, .switch_count = 1};
    assert_int_equal(rule_set_parse("after.yaml", after, strlen(after), &sets[1], &err), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct why_question question;
        assert_int_equal(why_ask_whynot(rows[i].asked, &question, &err), 0);
        question.rule = rows[i].rule;
        assert_null(why_create_over(&question, sets, 2, &bench->config, &err));
        assert_string_equal(err.text, rows[i].err);
    }
    bench_destroy(bench);
    rule_set_destroy(sets[1]);
}

/* What it counts is the same, so its window goes on: the third alert of three, of which two came
 * before the switch. */
static void a_rule_that_did_not_change_goes_on(void **state)
{
    (void)state;
    assert_said("rules:\n" PAIR("disks", "disk", "4", "") PAIR("gone", "gone", "2", ""),
                "rules:\n" PAIR("disks", "disk", "4", ""), "host=h", "disks",
                "rule disks: count() 3 of 4 at " T "45.000Z");
}

/* The new form opens at one, and its event found the incident of the form before. */
static void a_key_that_a_former_form_holds_names_the_reload(void **state)
{
    static const char former[] = "rules:\n" PAIR("disks", "disk", "2", "");
    static const char now[] = "rules:\n" PAIR("disks", "disk", "1", "");
    char *text, *said = asked_over(former, now, "t/0/3", NULL, &text), plain[4000];

    (void)state;
    without_ids(text, plain, sizeof(plain));
    if (strstr(plain, "h/d disk joins incident # of rule disks; the rule as it was before the "
                      "switch of rules at " T
                      "44.000Z holds the key until that incident closes\n") == NULL)
        fail_msg("%s", plain);
    without_ids(said, plain, sizeof(plain));
    assert_string_equal(plain, "it joined incident # of rule disks, open since " T "40.500Z");
    free(said);
    free(text);
}

#define ALIVE(every)                                                                               \
    "rules:\n- id: alive\n  where: check == \"new\"\n  by: [host]\n  expect: {every: " every "}\n" \
    "  incident: {title: t}\n  close: cleared()\n"

/* What is said of h behind its incident, where `then` takes the place of ALIVE("2s"). */
static void becomes_of_the_key(const struct put *puts, const char *then, const char *verdict)
{
    char *text, plain[2000], wanted[1000];
    char *said = asked_of(puts, ALIVE("2s"), then, "host=h", "alive", &text);

    snprintf(wanted, sizeof(wanted), "incident # of rule alive %s", verdict);
    without_ids(said, plain, sizeof(plain));
    assert_string_equal(plain, wanted);
    free(said);
    free(text);
}

/* Nothing was blind: the rule that waited is another one now, or gone. */
static void a_sign_of_life_that_a_former_rule_had_names_the_reload(void **state)
{
    static const struct put silent[] = {
        {1000, "h/a", "new", ""}, {9000, "end", "end", ""}, {0, NULL, NULL, NULL}};
    /* Nobody would have missed it by then. */
    static const struct put short_of[] = {
        {1000, "h/a", "new", ""}, {4500, "end", "end", ""}, {0, NULL, NULL, NULL}};
    static const struct put heard[] = {{1000, "h/a", "new", ""},
                                       {5500, "h/a", "new", BENCH_CLEAR},
                                       {12000, "end", "end", ""},
                                       {0, NULL, NULL, NULL}};
    static const struct {
        const struct put *puts;
        const char *after, *verdict;
    } rows[] = {
        {silent, ALIVE("4s"), "none came then, and incident # opened at " T "45.000Z"},
        {silent, ALIVE("3s"), "none came then, and incident # opened at " T "45.000Z"},
        {silent, ALIVE("6s"),
         "the rule was changed by the switch of rules at " T
         "44.000Z; none came then, and incident # "
         "opened at " T "47.000Z"},
        {silent, ALIVE("20s"), "the rule was changed by the switch of rules at " T "44.000Z"},
        {silent, "rules:\n" PAIR("new", "new", "2", ""),
         "the rule was taken out by the switch of rules at " T "44.000Z, and let the key go"},
        {heard, ALIVE("6s"), "the next came, h/a new, at " T "45.500Z"},
        {short_of, "rules:\n" PAIR("new", "new", "2", ""),
         "the rule was taken out by the switch of rules at " T "44.000Z, and let the key go"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text, plain[2000], wanted[1000];
        char *said = asked_of(rows[i].puts, ALIVE("4s"), rows[i].after, "t/0/0", "alive", &text);
        snprintf(wanted, sizeof(wanted),
                 "rule alive: expects an event every 4s, one came at " T "41.000Z; %s",
                 rows[i].verdict);
        without_ids(said, plain, sizeof(plain));
        assert_string_equal(plain, wanted);
        free(said);
        free(text);
    }
}

#define WAS                                                                                        \
    "was open from " T "42.000Z to " T                                                             \
    "42.500Z; since then, rule alive: expects an event every 2s, one came at " T "42.500Z; "

/* h was missed, heard again before the reload, and is silent since: what became of it then is told
 * behind its incident. */
static void a_key_that_is_silent_since_its_incident_names_the_reload(void **state)
{
    static const struct put silent[] = {{0, "h/a", "new", ""},
                                        {2500, "h/a", "new", BENCH_CLEAR},
                                        {20000, "end", "end", ""},
                                        {0, NULL, NULL, NULL}};
    static const struct {
        const char *after, *verdict;
    } rows[] = {
        {ALIVE("4s"), "has been open since " T "46.500Z"},
        {ALIVE("30s"), WAS "the rule was changed by the switch of rules at " T "44.000Z"},
        {ALIVE("30s, keys: [{host: other}]"),
         WAS "the rule was changed by the switch of rules at " T
             "44.000Z, lists other keys in expect.keys, and let this one go"},
        {"rules:\n- id: alive\n  where: check == \"new\"\n  by: [host, check]\n"
         "  expect: {every: 4s}\n  incident: {title: t}\n  close: cleared()\n",
         WAS "the rule was changed by the switch of rules at " T
             "44.000Z, has its keys by other names since, and let this one go"},
        {"rules:\n" PAIR("new", "new", "2", ""),
         WAS "the rule was taken out by the switch of rules at " T "44.000Z, and let the key go"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        becomes_of_the_key(silent, rows[i].after, rows[i].verdict);
}

/* The incident is open at the reload, and ends behind it. */
static void a_key_whose_incident_ends_behind_a_reload_is_told_by_the_rule_in_force(void **state)
{
    static const struct put heard[] = {{0, "h/a", "new", ""},
                                       {5000, "h/a", "new", BENCH_CLEAR},
                                       {20000, "end", "end", ""},
                                       {0, NULL, NULL, NULL}};
    static const struct {
        const char *after, *verdict;
    } rows[] = {
        {ALIVE("30s"), "was open from " T "42.000Z to " T
                       "45.000Z; since then, rule alive: expects an event every 30s, one came "
                       "at " T "45.000Z; the input ends before 2001-09-09T01:47:15.000Z"},
        {"rules:\n" PAIR("new", "new", "2", ""), "has been open since " T "42.000Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        becomes_of_the_key(heard, rows[i].after, rows[i].verdict);
}

/* An absence that is over while nothing is heard is forgotten until something is. */
static void a_key_that_nobody_waits_for_behind_its_incident_is_told_as_such(void **state)
{
    static const struct put silent[] = {
        {0, "h/a", "new", ""}, {20000, "end", "end", ""}, {0, NULL, NULL, NULL}};
    static const char quiet[] =
        "rules:\n- id: alive\n  where: check == \"new\"\n  by: [host]\n  expect: {every: 2s}\n"
        "  incident: {title: t}\n  close: quiet(1s)\n";

    (void)state;
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        char *text, plain[2000];
        char *said =
            asked_of(silent, quiet, is_gone ? "rules:\n" PAIR("new", "new", "2", "") : quiet,
                     "host=h", "alive", &text);
        without_ids(said, plain, sizeof(plain));
        assert_string_equal(
            plain, is_gone ? "incident # of rule alive was open from " T "42.000Z to " T
                             "43.000Z; since then it is not waited for: its rule was taken out by "
                             "the switch of rules at " T "44.000Z"
                           : "incident # of rule alive was open from " T "42.000Z to " T
                             "43.000Z; since then it is not waited for, and will not be before its "
                             "next sign of life");
        free(said);
        free(text);
    }
}

/* A repeat takes the alert out of an incident whose rule is gone: one that closes when its alerts
 * have is over by it, another one stays. */
static void an_incident_of_a_rule_that_is_gone_names_the_reload(void **state)
{
    static const struct put repeats[] = {
        /* 0 */ {0, "h/a", "disk", ""},
        /* 1 */ {5000, "h/a", "disk", ""},
        {0, NULL, NULL, NULL},
    };
    static const char after_it[] = "rules:\n" PAIR("other", "other", "2", "");
    static const struct {
        const char *close, *line, *verdict;
    } rows[] = {
        {"cleared()", "h/a disk is no longer open in incident # of rule disks, which closes; ",
         "; it closed at " T "45.000Z, cleared; its rule was taken out by the switch of rules at " T
         "44.000Z"},
        {"quiet(1h)", "h/a disk is no longer open in incident # of rule disks; ",
         "; it is open at the end of the input; its rule was taken out by the switch of rules at " T
         "44.000Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char rules[512], line[256], plain[4000], hex[ID128_TEXT_BYTES], *text, *said;
        static struct told told;
        snprintf(rules, sizeof(rules),
                 "rules:\n- id: disks\n  where: check == \"disk\"\n  by: [host]\n  window: 10s\n"
                 "  when: count() >= 1\n  incident: {title: t}\n  close: %s\n",
                 rows[i].close);
        struct bench *bench = bench_of(rules, repeats);
        listen_to(bench, &told);
        bench_destroy(bench);
        id128_format(told.incident[0], hex);
        said = asked_of(repeats, rules, after_it, hex, NULL, &text);
        without_ids(text, plain, sizeof(plain));
        snprintf(line, sizeof(line), "%sthe switch of rules at " T "44.000Z took the rule out\n",
                 rows[i].line);
        if (strstr(plain, line) == NULL || strstr(said, rows[i].verdict) == NULL)
            fail_msg("%s", plain);
        free(said);
        free(text);
    }
}

#define HOLD(time)                                                                                 \
    "rules:\n- id: holds\n  where: check == \"link\"\n  by: [host]\n  window: open\n  for: " time  \
    "\n  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n"
#define LISTS(every) ALIVE(every ", keys: [{host: h}]")
#define TWO(count) "rules:\n" PAIR("disks", "link", count, "")

/* Rules are switched at 4 s. A window stays what it was until the next event of its key; an absence
 * is waited for by the rule in force. */
static void with_at_a_key_stands_in_the_form_that_holds_it(void **state)
{
    static const struct put held[] = {{2000, "h/a", "link", ""},
                                      {8000, "h/a", "link", ""},
                                      {60000, "end", "end", ""},
                                      {0, NULL, NULL, NULL}};
    static const struct put silent[] = {
        {1000, "h/a", "new", ""}, {60000, "end", "end", ""}, {0, NULL, NULL, NULL}};
    static const struct put heard[] = {{1000, "h/a", "new", ""},
                                       {5000, "h/a", "new", ""},
                                       {60000, "end", "end", ""},
                                       {0, NULL, NULL, NULL}};
    static const struct put closed[] = {{1000, "h/a", "link", ""},
                                        {1500, "h/b", "link", ""},
                                        {5000, "h/a", "link", BENCH_CLEAR},
                                        {5000, "h/b", "link", BENCH_CLEAR},
                                        {7000, "h/c", "link", ""},
                                        {60000, "end", "end", ""},
                                        {0, NULL, NULL, NULL}};
    static const struct {
        const char *name;
        const struct put *puts;
        const char *before, *after, *asked;
        int64_t at_ms;
        const char *verdict;
    } rows[] = {
        {"for, before its next event", held, HOLD("10s"), HOLD("20s"), "host=h", 7000,
         "rule holds: count() 1 of 1: when holds, and has to for 10s at " T
         "42.000Z; by itself it stays so until " T "52.000Z"},
        {"for, behind it", held, HOLD("10s"), HOLD("20s"), "host=h", 11000,
         "rule holds: count() 1 of 1: when holds, and has to for 20s at " T
         "48.000Z; by itself it stays so until 2001-09-09T01:47:08.000Z"},
        {"for, when the former time was over", held, HOLD("10s"), HOLD("20s"), "host=h", 13000,
         "rule holds: count() 1 of 1: when holds, and has to for 20s at " T
         "48.000Z; by itself it stays so until 2001-09-09T01:47:08.000Z"},
        {"for, of the later event", held, HOLD("10s"), HOLD("20s"), "t/0/1", 13000,
         "rule holds: count() 1 of 1: when holds, and has to for 20s at " T
         "48.000Z; by itself it stays so until 2001-09-09T01:47:08.000Z"},
        {"for, of the earlier event", held, HOLD("10s"), HOLD("15s"), "t/0/0", 0,
         "rule holds: count() 1 of 1: when holds, and has to for 10s at " T
         "42.000Z; the rule was changed by the switch of rules at " T
         "44.000Z, and the next event, h/a link, let go of it at " T
         "48.000Z; its alert is in incident #, which opened at 2001-09-09T01:47:03.000Z"},
        {"a window, behind its next event", held, TWO("5"), TWO("3"), "host=h", 9000,
         "rule disks: count() 1 of 3 at " T "48.000Z; by itself it stays so until " T "58.000Z"},
        {"a window of fewer than before", held, TWO("2"), TWO("9"), "host=h", 9000,
         "rule disks: count() 1 of 9 at " T "48.000Z; by itself it stays so until " T "58.000Z"},
        {"a window behind a former incident", closed, HOLD("1ms"), HOLD("30s"), "host=h", 9000,
         "incident # of rule holds was open from " T "41.001Z to " T
         "45.000Z; since then, rule holds: count() 1 of 1: when holds, and has to for 30s at " T
         "47.000Z; by itself it stays so until 2001-09-09T01:47:17.000Z"},
        {"an absence, before the switch", silent, ALIVE("8s"), ALIVE("20s"), "host=h", 3000,
         "rule alive: expects an event every 8s, one came at " T
         "41.000Z; by itself it stays so until " T "49.000Z"},
        {"an absence, behind it", silent, ALIVE("8s"), ALIVE("20s"), "host=h", 5000,
         "rule alive: expects an event every 20s, one came at " T
         "41.000Z; by itself it stays so until 2001-09-09T01:47:01.000Z"},
        {"an absence, of its event", silent, ALIVE("8s"), ALIVE("20s"), "t/0/0", 5000,
         "rule alive: expects an event every 20s, one came at " T
         "41.000Z; by itself it stays so until 2001-09-09T01:47:01.000Z"},
        {"an absence, when the former time was over", silent, ALIVE("8s"), ALIVE("20s"), "host=h",
         15000,
         "rule alive: expects an event every 20s, one came at " T
         "41.000Z; by itself it stays so until 2001-09-09T01:47:01.000Z"},
        {"an absence that is missed sooner", silent, ALIVE("8s"), ALIVE("2s"), "host=h", 5000,
         "rule alive: expects an event every 2s, one came at " T
         "41.000Z; by itself it stays so until " T "49.000Z"},
        {"an absence, behind its next event", heard, ALIVE("8s"), ALIVE("20s"), "host=h", 6000,
         "rule alive: expects an event every 20s, one came at " T
         "45.000Z; by itself it stays so until 2001-09-09T01:47:05.000Z"},
        {"a listed key", silent, LISTS("8s"), LISTS("20s"), "host=h", 5000,
         "rule alive: expects an event every 20s, one came at " T
         "41.000Z; by itself it stays so until 2001-09-09T01:47:01.000Z"},
        {"a learned key that is listed", silent, ALIVE("8s"), LISTS("2s"), "host=h", 5000,
         "rule alive: expects an event every 2s, one came at " T
         "41.000Z; by itself it stays so until " T "49.000Z"},
        {"a listed key, behind its next event", heard, LISTS("8s"), LISTS("20s"), "host=h", 6000,
         "rule alive: expects an event every 20s, one came at " T
         "45.000Z; by itself it stays so until 2001-09-09T01:47:05.000Z"},
    };
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text, plain[2000];
        char *said = asked_at(rows[i].puts, rows[i].before, rows[i].after, rows[i].asked, NULL,
                              rows[i].at_ms, &text);
        without_ids(said, plain, sizeof(plain));
        if (strcmp(plain, rows[i].verdict) != 0)
            print_error("%s:\n  %s\nnot\n  %s\n", rows[i].name, plain, rows[i].verdict);
        wrong += strcmp(plain, rows[i].verdict) != 0;
        free(said);
        free(text);
    }
    assert_int_equal(wrong, 0);
}

/* ---- the shelf ---- */

static struct id128 id_of(uint64_t n)
{
    return (struct id128){n, n};
}

static void files_add(struct kept_files *files, size_t bytes)
{
    char *text = malloc(bytes + 1);

    assert_non_null(text);
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    kept_files_add(files, 'f', "rules.yaml", text, bytes);
    free(text);
}

static const struct engine_terms terms = {.alerts_max = 9, .expire_ms = 60000};

/* Asks for set `n` in place of one of that many bytes, which is switched to at once. */
static void go_on_to(struct rules_shelf *shelf, uint64_t n, size_t bytes, uint64_t now_ns)
{
    struct kept_files files = {{0}};

    files_add(&files, bytes);
    rules_shelf_ask(shelf, id_of(n), &terms, &files);
    assert_int_equal(files.file.count, 0);
    rules_shelf_switched(shelf, id_of(n), (int64_t)n * 1000, now_ns);
}

static size_t shown(struct rules_shelf *shelf, uint64_t now_ns, int64_t *from_ms)
{
    json_t *list = rules_shelf_list(shelf, now_ns); /* ours */
    const json_t *sets = json_object_get(list, "sets");
    const json_t *from = json_object_get(json_array_get(sets, 0), "from");
    size_t count = json_array_size(sets);

    *from_ms = json_is_integer(from) ? json_integer_value(from) : INT64_MIN;
    json_decref(list);
    return count;
}

static void the_shelf_gives_back_the_files_of_a_set(void **state)
{
    (void)state;
    static const char zone[] = "TZif\0\xff\x80 not of UTF-8";
    struct rules_shelf *shelf = rules_shelf_create(id_of(1), &terms);
    struct kept_files files = {{0}}, newest = {{0}}, got;
    struct error err = {""};
    json_t *answer;

    kept_files_add(&files, 'p', "rules.yaml", "", 0);
    kept_files_add(&files, 'f', "rules.yaml", "rules: [\xc3\xa4]\n", 12);
    kept_files_add(&files, 'f', "zone", zone, sizeof(zone));
    files_add(&newest, 3);
    rules_shelf_ask(shelf, id_of(2), &terms, &files);
    rules_shelf_switched(shelf, id_of(2), 7000, 1);
    answer = rules_shelf_files(shelf, id_of(1), &newest, &err);
    assert_non_null(answer);
    assert_int_equal(rules_shelf_read_files(answer, &got, &err), 0);
    json_decref(answer);
    assert_int_equal(got.file.count, 3);
    assert_int_equal(got.file.at[0].kind, 'p');
    assert_string_equal(got.file.at[1].at, "rules: [\xc3\xa4]\n");
    assert_int_equal(got.file.at[2].bytes, sizeof(zone));
    assert_memory_equal(got.file.at[2].at, zone, sizeof(zone));
    kept_files_release(&got);
    /* The newest has the daemon's own files. */
    answer = rules_shelf_files(shelf, id_of(2), &newest, &err);
    assert_int_equal(rules_shelf_read_files(answer, &got, &err), 0);
    json_decref(answer);
    assert_string_equal(got.file.at[0].at, "xxx");
    kept_files_release(&got);
    assert_null(rules_shelf_files(shelf, id_of(3), &newest, &err));
    assert_string_equal(err.text, "the daemon does not hold the files of this set any more");
    kept_files_release(&newest);
    rules_shelf_destroy(shelf);
}

static void the_shelf_keeps_a_set_for_an_hour(void **state)
{
    (void)state;
    struct rules_shelf *shelf = rules_shelf_create(id_of(1), &terms);
    int64_t from_ms;

    go_on_to(shelf, 2, 10, 5);
    assert_int_equal(shown(shelf, 5 + RULES_SHELF_NS, &from_ms), 2);
    assert_true(from_ms == INT64_MIN);
    assert_int_equal(shown(shelf, 6 + RULES_SHELF_NS, &from_ms), 1);
    assert_int_equal(from_ms, 2000);
    rules_shelf_destroy(shelf);
}

static void the_shelf_is_bounded_in_number_and_bytes(void **state)
{
    (void)state;
    struct rules_shelf *shelf = rules_shelf_create(id_of(1), &terms);
    int64_t from_ms;

    for (uint64_t n = 2; n < 200; n++)
        go_on_to(shelf, n, 10, 1);
    assert_int_equal(shown(shelf, 1, &from_ms), RULES_SHELF_SETS_MAX + 1);
    assert_int_equal(from_ms, (199 - RULES_SHELF_SETS_MAX) * 1000);
    /* One that fills it by itself leaves no other, and one that is more stays away too. */
    go_on_to(shelf, 200, RULES_SHELF_BYTES_MAX, 1);
    assert_int_equal(shown(shelf, 1, &from_ms), 2);
    assert_int_equal(from_ms, 199000);
    go_on_to(shelf, 201, RULES_SHELF_BYTES_MAX + 1, 1);
    assert_int_equal(shown(shelf, 1, &from_ms), 1);
    assert_int_equal(from_ms, 201000);
    rules_shelf_destroy(shelf);
}

/* Two reloads before the engine comes to switch: it takes the second alone. */
static void a_set_that_was_never_in_force_is_not_shown(void **state)
{
    (void)state;
    struct rules_shelf *shelf = rules_shelf_create(id_of(1), &terms);
    struct kept_files first = {{0}}, second = {{0}};
    int64_t from_ms;

    files_add(&first, 1);
    files_add(&second, 2);
    rules_shelf_ask(shelf, id_of(2), &terms, &first);
    rules_shelf_ask(shelf, id_of(3), &terms, &second);
    assert_int_equal(shown(shelf, 1, &from_ms), 1);
    rules_shelf_switched(shelf, id_of(3), 3000, 1);
    assert_int_equal(shown(shelf, 1, &from_ms), 2);
    rules_shelf_destroy(shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_decided_by_the_rules_of_its_time),
        cmocka_unit_test(a_question_may_name_a_rule_of_any_set),
        cmocka_unit_test(a_rule_that_is_gone_has_its_names_told),
        cmocka_unit_test(a_rule_that_did_not_change_goes_on),
        cmocka_unit_test(a_key_that_a_former_form_holds_names_the_reload),
        cmocka_unit_test(a_sign_of_life_that_a_former_rule_had_names_the_reload),
        cmocka_unit_test(a_key_that_is_silent_since_its_incident_names_the_reload),
        cmocka_unit_test(a_key_whose_incident_ends_behind_a_reload_is_told_by_the_rule_in_force),
        cmocka_unit_test(a_key_that_nobody_waits_for_behind_its_incident_is_told_as_such),
        cmocka_unit_test(an_incident_of_a_rule_that_is_gone_names_the_reload),
        cmocka_unit_test(with_at_a_key_stands_in_the_form_that_holds_it),
        cmocka_unit_test(the_shelf_gives_back_the_files_of_a_set),
        cmocka_unit_test(the_shelf_keeps_a_set_for_an_hour),
        cmocka_unit_test(the_shelf_is_bounded_in_number_and_bytes),
        cmocka_unit_test(a_set_that_was_never_in_force_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

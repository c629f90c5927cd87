/*
 * Aim: of a key the moment is told at which it came nearest to firing, for rules of each kind, and
 * with --at how it stood then. Method: stories in which the nearest is neither the first moment nor
 * the last; the same story asked at times between its events, where only timers change anything.
 */
#include <jansson.h>
#include "tests/why_bench.h"

#define RULE(id, check, more)                                                                      \
    "- id: " id "\n  where: check == \"" check "\"\n  by: [host]\n" more                           \
    "  incident: {title: t}\n  close: quiet(1h)\n"

static const char rules[] = "rules:\n" RULE("count", "disk", "  window: 2s\n  when: count() >= 5\n")
    RULE("max", "load", "  window: 2s\n  when: max(value) >= 100\n")
        RULE("low", "load", "  window: 2s\n  when: min(value) < -100\n")
            RULE("none", "free", "  window: 2s\n  when: max(value) > 10\n")
                RULE("hold", "held", "  window: open\n  when: count() >= 1\n  for: 5s\n")
                    RULE("alive", "beat", "  expect: {every: 5s}\n")
                        RULE("few", "few",
                             "  window: {tumbling: 2s}\n  look: end\n  when: count() < 2\n");

static const struct put story[] = {
    /* bursts of 2, 4 and 3 */
    {0, "h/0", "disk", ""},    {100, "h/1", "disk", ""},  {5000, "h/2", "disk", ""},
    {5100, "h/3", "disk", ""}, {5200, "h/4", "disk", ""}, {5300, "h/5", "disk", ""},
    {9000, "h/6", "disk", ""}, {9100, "h/7", "disk", ""}, {9200, "h/8", "disk", ""},
    {9500, "end", "end", ""},  {0, NULL, NULL, NULL},
};

static const struct put numbers[] = {
    {0, "h/0", "load", VALUE("50")},    {4000, "h/1", "load", VALUE("90")},
    {8000, "h/2", "load", VALUE("70")}, {8500, "h/3", "load", VALUE("-20")},
    {9000, "h/0", "free", ""}, /* none has a value */
    {12000, "end", "end", ""},          {0, NULL, NULL, NULL},
};

/* It held for 1 s, 4 s and 2 s of 5. */
static const struct put held[] = {
    {0, "h/0", "held", ""},     {1000, "h/0", "held", BENCH_CLEAR},
    {5000, "h/1", "held", ""},  {9000, "h/1", "held", BENCH_CLEAR},
    {11000, "h/2", "held", ""}, {13000, "h/2", "held", BENCH_CLEAR},
    {14000, "end", "end", ""},  {0, NULL, NULL, NULL},
};

/* It waited for 0.6 s, 4.4 s and 1 s of 5, and then 0.5 s to the end. */
static const struct put beats[] = {
    {0, "h", "beat", ""},    {600, "h", "beat", ""},   {5000, "h", "beat", ""},
    {6000, "h", "beat", ""}, {6500, "end", "end", ""}, {0, NULL, NULL, NULL},
};

/* 3, 2 and 4 in windows that end at 2 s, 6 s and 10 s; fewer than 2 are asked for. */
static const struct put ends[] = {
    {0, "h/0", "few", ""},     {100, "h/1", "few", ""},  {200, "h/2", "few", ""},
    {4000, "h/3", "few", ""},  {4100, "h/4", "few", ""}, {8000, "h/5", "few", ""},
    {8100, "h/6", "few", ""},  {8200, "h/7", "few", ""}, {8300, "h/8", "few", ""},
    {12000, "end", "end", ""}, {0, NULL, NULL, NULL},
};

/* A window a second: 1 and 3 are learned, then 5, 6 and 4 come, which are 3, 1.8 and 0.1 standard
 * deviations above what is known by then. */
static const char unusual[] =
    "rules:\n" RULE("odd", "odd",
                    "  window: {tumbling: 1s}\n  baseline: {season: 1s, learn: 2}\n"
                    "  when: deviation(count()) > 9\n");
static const struct put windows[] = {
    {0, "h/0", "odd", ""},     {1000, "h/1", "odd", ""},  {1001, "h/2", "odd", ""},
    {1002, "h/3", "odd", ""},  {2000, "h/4", "odd", ""},  {2001, "h/5", "odd", ""},
    {2002, "h/6", "odd", ""},  {2003, "h/7", "odd", ""},  {2004, "h/8", "odd", ""},
    {3000, "h/9", "odd", ""},  {3001, "h/10", "odd", ""}, {3002, "h/11", "odd", ""},
    {3003, "h/12", "odd", ""}, {3004, "h/13", "odd", ""}, {3005, "h/14", "odd", ""},
    {4000, "h/15", "odd", ""}, {4001, "h/16", "odd", ""}, {4002, "h/17", "odd", ""},
    {4003, "h/18", "odd", ""}, {6000, "end", "end", ""},  {0, NULL, NULL, NULL},
};

/* Twice as near. */
static const struct put twice[] = {
    {0, "h/0", "disk", ""},    {100, "h/1", "disk", ""}, {4000, "h/2", "disk", ""},
    {4100, "h/3", "disk", ""}, {9000, "end", "end", ""}, {0, NULL, NULL, NULL},
};

/* It fires, and comes to 3 of 5 afterwards; before it had come to 4. */
static const char closes[] =
    "rules:\n- id: count\n  where: check == \"disk\"\n  by: [host]\n  window: 2s\n"
    "  when: count() >= 5\n  incident: {title: t}\n  close: fewer(1, 1s)\n";
static const struct put opened[] = {
    {0, "h/0", "disk", ""},      {100, "h/1", "disk", ""},   {200, "h/2", "disk", ""},
    {300, "h/3", "disk", ""},    {4000, "h/4", "disk", ""},  {4100, "h/5", "disk", ""},
    {4200, "h/6", "disk", ""},   {4300, "h/7", "disk", ""},  {4400, "h/8", "disk", ""},
    {9000, "h/9", "disk", ""},   {9100, "h/10", "disk", ""}, {9200, "h/11", "disk", ""},
    {13000, "h/12", "disk", ""}, {13100, "end", "end", ""},  {0, NULL, NULL, NULL},
};

static const struct row rows[] = {
    {"the largest burst", rules, story, "host=h", "count", 0, true,
     "rule count: count() 4 of 5 at " T "45.300Z; the oldest left at " T "47.000Z"},
    {"of equal ones the last", rules, twice, "host=h", "count", 0, true,
     "rule count: count() 2 of 5 at " T "44.100Z; the oldest left at " T "46.000Z"},
    {"the largest number", rules, numbers, "host=h", "max", 0, true,
     "rule max: max(value) is 90 (needs at least 100) at " T "44.000Z; the oldest left at " T
     "46.000Z"},
    {"the smallest number", rules, numbers, "host=h", "low", 0, true,
     "rule low: min(value) is -20 (needs less than -100) at " T "48.500Z; the oldest left at " T
     "50.000Z"},
    {"no number at all", rules, numbers, "host=h", "none", 0, true,
     "rule none: max(value) is nothing (needs more than 10) at " T "49.000Z; the oldest left at " T
     "51.000Z"},
    {"what held longest", rules, held, "host=h", "hold", 0, true,
     "rule hold: count() 1 of 1: when holds, and has to for 5s at " T
     "45.000Z; when held no more, by h/1 held, at " T "49.000Z"},
    {"the longest wait", rules, beats, "host=h", "alive", 0, true,
     "rule alive: expects an event every 5s, one came at " T "40.600Z; the next came, h beat, "
     "at " T "45.000Z"},
    {"how windows ended", rules, ends, "host=h", "few", 0, true,
     "rule few: count() 2 (needs fewer than 2) at " T
     "44.100Z; its window ended, and when did not hold at " T "46.000Z"},
    {"since the incident", closes, opened, "host=h", "count", 0, true,
     "incident # of rule count was open from " T "44.400Z to " T
     "45.400Z; since then, rule count: count() 3 of 5 at " T "49.200Z; the oldest left at " T
     "51.000Z"},
    {"the most unusual", unusual, windows, "host=h", "odd", 0, true,
     "rule odd: count() 5, count() is usually 2, give or take 1, in 1s (2 of 2 seasons known; "
     "needs "
     "a deviation of more than 9) at " T "42.004Z; its window ended, and when did not hold at " T
     "43.000Z"},
    /* How it stood. */
    {"at its first events", rules, story, "host=h", "count", 1000, true,
     "rule count: count() 2 of 5 at " T "40.100Z; by itself it stays so until " T "42.000Z"},
    {"behind the first that left", rules, story, "host=h", "count", 2050, true,
     "rule count: count() 1 of 5 at " T "42.000Z; by itself it stays so until " T "42.100Z"},
    {"when all had left", rules, story, "host=h", "count", 4000, true,
     "rule count: nothing of this key counted any more from " T "42.100Z on; before, count() 1 of "
     "5"},
    {"less than before", rules, story, "host=h", "count", 9150, true,
     "rule count: count() 2 of 5 at " T "49.100Z; by itself it stays so until " T "51.000Z"},
    {"a number that went", rules, numbers, "host=h", "max", 7000, true,
     "rule max: nothing of this key counted any more from " T
     "46.000Z on; before, max(value) is 90 (needs at least 100)"},
    {"when it held no more", rules, held, "host=h", "hold", 10000, true,
     "rule hold: nothing of this key counted any more from " T
     "49.000Z on; before, count() 1 of 1: when holds, and has to for 5s"},
    {"a wait under way", rules, beats, "host=h", "alive", 5500, true,
     "rule alive: expects an event every 5s, one came at " T
     "45.000Z; by itself it stays so until " T "50.000Z"},
};

static json_t *moment_of(int64_t at_ms)
{
    struct bench *bench = bench_of(rules, story);
    struct why_question question;
    struct error err = {""};
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    struct why *why;
    json_t *root;

    assert_int_equal(why_ask_whynot("host=h", &question, &err), 0);
    question.rule = "count";
    question.at_ms = at_ms;
    why = answer(bench, &question);
    why_print_json(why, to);
    fclose(to);
    root = json_loads(text, 0, NULL);
    free(text);
    why_destroy(why);
    bench_destroy(bench);
    assert_non_null(root);
    return root;
}

static void programs_get_the_moment_too(void **state)
{
    (void)state;
    json_t *root = moment_of(INT64_MAX), *moment = json_object_get(root, "moment");

    assert_string_equal(json_string_value(json_object_get(moment, "rule")), "count");
    assert_string_equal(json_string_value(json_object_get(moment, "state")), "count() 4 of 5");
    assert_int_equal(json_integer_value(json_object_get(moment, "at")), BENCH_T0 + 5300);
    assert_int_equal(json_integer_value(json_object_get(moment, "until")), BENCH_T0 + 7000);
    assert_true(json_real_value(json_object_get(moment, "near")) > 0.79 &&
                json_real_value(json_object_get(moment, "near")) < 0.81);
    json_decref(root);
    root = moment_of(BENCH_T0 + 4000);
    moment = json_object_get(root, "moment");
    assert_string_equal(json_string_value(json_object_get(moment, "state")), "");
    assert_int_equal(json_integer_value(json_object_get(moment, "at")), BENCH_T0 + 2100);
    json_decref(root);
}

int main(void)
{
    static struct questions all = QUESTIONS(rows);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(each_question_has_its_verdict, &all),
        cmocka_unit_test(programs_get_the_moment_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

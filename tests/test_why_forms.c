/*
 * Aim: each form of rule says what became of an event or a key that did not open. Method: rows of
 * questions about small recordings, their sentences worked out by hand.
 */
#include "tests/why_bench.h"

/* What each form of rule says of a key that does not open. */
static const char forms[] =
    "rules:\n"
    "- id: alive\n  where: check == \"alive\"\n  by: [host]\n"
    "  expect: {every: 4s, severity: MAJOR}\n"
    "  incident: {title: t}\n  close: cleared()\n"
    "- id: ended\n  by: [host]\n  sequence:\n  - where: check == \"begun\"\n"
    "  - not: check == \"done\"\n    as: done\n  within: 5s\n"
    "  incident: {title: t}\n  close: quiet(1h)\n"
    "- id: few\n  where: check == \"tick\"\n  by: [host]\n  window: {tumbling: 10s}\n"
    "  look: end\n  when: count() < 2\n  incident: {title: t}\n  close: quiet(1h)\n"
    "- id: flaps\n  on: flapping\n  where: check == \"link\"\n  by: [host]\n  window: 10s\n"
    "  when: count() >= 2\n  incident: {title: t}\n  close: quiet(1h)\n"
    "- id: held\n  where: check == \"load\" && severity >= MAJOR\n  by: [host]\n  window: open\n"
    "  for: 5s\n  when: count() >= 1\n  incident: {title: t}\n  close: quiet(1h)\n"
    "- id: seq\n  by: [host]\n  sequence:\n  - where: check == \"down\"\n    as: a\n"
    "  - not: check == \"up\"\n    as: up\n  - where: check == \"lost\"\n    as: b\n"
    "  within: 10s\n  incident: {title: t}\n  close: quiet(1h)\n";

static const struct put forms_story[] = {
    /* 0 */ {0, "h1/a", "down", ""},
    /* 1 */ {100, "h2/a", "lost", ""},
    /* 2 */ {1000, "h3/a", "begun", ""},
    /* 3 */ {1000, "h4/a", "begun", ""},
    /* 4 */ {1000, "h5/a", "load", MAJOR},
    /* 5 */ {1000, "h6/a", "tick", ""},
    /* 6 */ {1000, "h7/a", "alive", ""},
    /* 7 */ {1000, "h8/a", "link", ""},
    /* 8 */ {1000, "h9/a", "noise", ""},
    /* 9 */ {1000, "h10/a", "load", ""},
    /* 10 */ {2000, "h1/a", "up", ""},
    /* 11 */ {2000, "h6/b", "tick", ""},
    /* 12 */ {3000, "h3/a", "done", ""},
    /* 13 */ {3000, "h5/a", "load", BENCH_CLEAR},
    /* 14 */ {3000, "h6/c", "tick", ""},
    /* 15 */ {3000, "h7/a", "alive", ""},
    /* 16 */ {29000, "h11/a", "down", ""},
    /* 17 */ {30000, "end", "end", ""},
    {0, NULL, NULL, NULL},
};

static const struct row forms_rows[] = {
    {"a step that must not come", forms, forms_story, "t/0/0", NULL, 0, true,
     "rule seq: 1 of 2 steps: a: down on h1/a; waits for b at " T
     "40.000Z; up, which must not, came by h1/a up at " T "42.000Z"},
    {"the same, asked by its key", forms, forms_story, "host=h1", NULL, 0, true,
     "rule seq: 1 of 2 steps: a: down on h1/a; waits for b at " T
     "40.000Z; up, which must not, came by h1/a up at " T "42.000Z"},
    {"the step itself", forms, forms_story, "t/0/10", NULL, 0, true,
     "rule seq: it is up, which must not come, and ended: 1 of 2 steps: a: down on h1/a; waits for "
     "b"},
    {"a later step without the first", forms, forms_story, "t/0/1", NULL, 0, true,
     "rule seq: it is b, and what has to come before had not come"},
    {"its key", forms, forms_story, "host=h2", "seq", 0, true,
     "rule seq: it was told of 1 event of this key, and holds none: none of them was its first "
     "step, a"},
    {"a sequence that ends by absence, and something came", forms, forms_story, "t/0/2", NULL, 0,
     true,
     "rule ended: 1 of 1 steps: step 1: begun on h3/a; opens without done at " T
     "41.000Z; done, which must not, came by h3/a done at " T "43.000Z"},
    {"and one where nothing came", forms, forms_story, "t/0/3", NULL, 0, true,
     "it is in incident # of rule ended, which opened at " T "46.000Z"},
    {"what had to hold and was cleared", forms, forms_story, "t/0/4", NULL, 0, true,
     "rule held: count() 1 of 1: when holds, and has to for 5s at " T
     "41.000Z; when held no more, by h5/a load, at " T "43.000Z"},
    {"the same, asked by its key", forms, forms_story, "host=h5", NULL, 0, true,
     "rule held: count() 1 of 1: when holds, and has to for 5s at " T
     "41.000Z; when held no more, by h5/a load, at " T "43.000Z"},
    {"too many at the end of a window", forms, forms_story, "t/0/5", NULL, 0, true,
     "rule few: count() 3 (needs fewer than 2) at " T
     "43.000Z; its window ended, and when did not hold at " T "50.000Z"},
    {"a sign of life", forms, forms_story, "t/0/6", NULL, 0, true,
     "rule alive: expects an event every 4s, one came at " T
     "41.000Z; the next came, h7/a alive, at " T "43.000Z"},
    {"a repeat that is the last one", forms, forms_story, "t/0/15", NULL, 0, true,
     "folded as repeat 1 of h7/a alive, which t/0/6/0 opened at " T
     "41.000Z; of its alert, rule alive: expects an event every 4s, one came at " T
     "43.000Z; none came then, and incident # opened at " T "47.000Z"},
    {"a rule of alerts that flap", forms, forms_story, "t/0/7", NULL, 0, true,
     "rule flaps is told of alerts that flap, and h8/a link does not"},
    {"its key", forms, forms_story, "host=h8", "flaps", 0, true,
     "rule flaps is told of alerts that flap: none of this key does"},
    {"a key of many rules, none of which matches", forms, forms_story, "host=h9", NULL, 0, true,
     "rule alive: where does not hold for any of 1 problem event; the nearest: check == "
     "\"alive\": "
     "\"noise\" == \"alive\" is false; looked at were rules alive, ended, few, flaps, held and 1 "
     "more"},
    {"the one that comes nearest is named", forms, forms_story, "host=h10", NULL, 0, true,
     "rule held: where does not hold for any of 1 problem event; the nearest: severity >= MAJOR: "
     "WARNING >= MAJOR is false; looked at were rules alive, ended, few, flaps, held and 1 more"},
    {"the end of the input", forms, forms_story, "t/0/16", NULL, 0, true,
     "rule seq: 1 of 2 steps: a: down on h11/a; waits for b at 2001-09-09T01:47:09.000Z; the input "
     "ends before 2001-09-09T01:47:19.000Z"},
};

/* A step that must not come ends what had begun; the last `lost` comes when its time is over. */
static const struct put broken_story[] = {
    /* 0 */ {0, "h1/a", "down", ""},
    /* 1 */ {1000, "h1/a", "up", ""},
    /* 2 */ {2000, "h1/a", "lost", ""},
    /* 3 */ {15000, "h1/b", "lost", ""},
    /* 4 */ {30000, "end", "end", ""},   {0, NULL, NULL, NULL},
};

/* Signs of life that come too late: they are in no incident, and close it. */
static const struct put late_story[] = {
    /* 0 */ {0, "h/a", "alive", ""},
    /* 1 */ {6000, "h/b", "alive", ""},
    /* 2 */ {12000, "h/c", "alive", BENCH_CLEAR},
    /* 3 */ {13000, "end", "end", ""},
    {0, NULL, NULL, NULL},
};

static const struct row broken_rows[] = {
    {"a sign of life that closes", forms, late_story, "t/0/1", NULL, 0, true,
     "it is the sign of life that rule alive waited for; that closed incident #"},
    {"a clear that is one", forms, late_story, "t/0/2", NULL, 0, true,
     "it is a clear, and no alert is open that it could end: h/c alive; it is the sign of life "
     "that rule alive waited for; that closed incident #"},
    {"a later step of what has ended", forms, broken_story, "t/0/2", NULL, 0, true,
     "rule seq: it is b, and what had come before was over: 1 of 2 steps: a: down on h1/a; waits "
     "for b; up, which must not, came by h1/a up at " T "41.000Z"},
    {"and one after its time", forms, broken_story, "t/0/3", NULL, 0, true,
     "rule seq: it is b, and what has to come before had not come"},
};

static const char composed[] =
    "rules:\n- id: down\n  where: check == \"down\"\n  by: [host]\n  window: 1m\n"
    "  when: count() >= 1\n  incident: {title: t}\n  close: quiet(1h)\n"
    "- id: wave\n  on: incidents\n  of: [down]\n  by: [host]\n  window: 1m\n  when: count() >= 2\n"
    "  incident: {title: t}\n  close: quiet(1h)\n";

/* A rule on incidents sees no events: none is near to it. */
static const struct row composed_rows[] = {
    {"an event beside a rule on incidents", composed, forms_story, "t/0/8", NULL, 0, true,
     "no rule names this check, \"noise\""},
    {"the rule itself", composed, forms_story, "t/0/8", "wave", 0, true,
     "rule wave is told of incidents, and of no event"},
    {"a key of which there are events and no incident", composed, forms_story, "host=h8", "wave", 0,
     true, "rule wave is told of incidents: no rule that it names had one of this key"},
};

static void what_ends_a_sequence_has_a_line_in_the_story_of_its_key(void **state)
{
    (void)state;
    struct bench *bench = bench_of(forms, broken_story);
    char *text = story_of(bench, "host=h1");

    if (strstr(text, "rule seq counts h1/a up; that ends: 1 of 2 steps: a: down on h1/a; waits for "
                     "b\n") == NULL ||
        strstr(text, "rule seq counts h1/a lost, and holds nothing of it\n") == NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"each_form_says_what_became_of_a_key", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(forms_rows)},
        {"a_sequence_that_was_ended_is_told_as_begun", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(broken_rows)},
        cmocka_unit_test(what_ends_a_sequence_has_a_line_in_the_story_of_its_key),
        {"a_rule_on_incidents_says_what_became_of_a_key", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(composed_rows)},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

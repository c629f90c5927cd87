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
     "rule ended: 1 of 1 steps: step 1: begun on h3/a; waits for done not to come at " T
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
     "rule alive: where does not hold for its only event, t/0/8/0 at " T
     "41.000Z: check == \"alive\": "
     "\"noise\" == \"alive\" is false; looked at were rules alive, ended, few, flaps, held and 1 "
     "more"},
    {"the one that comes nearest is named", forms, forms_story, "host=h10", NULL, 0, true,
     "rule held: where does not hold for its only problem event, t/0/9/0 at " T
     "41.000Z: severity >= MAJOR: WARNING >= MAJOR is false; looked at were rules alive, ended, "
     "few, flaps, held and 1 more"},
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

/* A key that is silent twice: what is told of the first silence is not the second's incident. */
static const struct put silent_story[] = {
    /* 0 */ {0, "h1/a", "alive", ""},
    /* 1 */ {6000, "h1/a", "alive", BENCH_CLEAR},
    /* 2 */ {18000, "end", "end", ""},
    {0, NULL, NULL, NULL},
};

static const struct row silent_rows[] = {
    {"the sign of life before the first silence", forms, silent_story, "t/0/0", NULL, 0, true,
     "rule alive: expects an event every 4s, one came at " T
     "40.000Z; none came then, and incident # opened at " T "44.000Z"},
};

/* Alerts are over after 20 s: just when it would have held for long enough, and before that. */
#define LASTING(id, check, span)                                                                   \
    "- id: " id "\n  where: check == \"" check "\"\n  by: [host]\n  window: open\n  for: " span    \
    "\n  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n"
static const char lasting[] = "rules:\n" LASTING("just", "just", "20s")
    LASTING("more", "more", "21s") LASTING("less", "less", "19999ms");

static const struct put lasting_story[] = {
    /* 0 */ {0, "h/a", "just", ""},
    /* 1 */ {0, "h/a", "more", ""},
    /* 2 */ {0, "h/a", "less", ""},
    /* 3 */ {0, "g/a", "just", ""},
    /* 4 */ {20000, "g/a", "just", BENCH_CLEAR},
    /* 5 */ {60000, "end", "end", ""},
    {0, NULL, NULL, NULL},
};

#define HELD "count() 1 of 1: when holds, and has to for "
#define FELL "when held no more, as h/a "
static const struct row lasting_rows[] = {
    {"over at the very time", lasting, lasting_story, "t/0/0", NULL, 0, true,
     "rule just: " HELD "20s at " T "40.000Z; " FELL
     "just expired (nothing came for it for 20s), at 2001-09-09T01:47:00.000Z"},
    {"the same, asked by its key", lasting, lasting_story, "host=h", "just", 0, true,
     "rule just: " HELD "20s at " T "40.000Z; " FELL
     "just expired (nothing came for it for 20s), at 2001-09-09T01:47:00.000Z"},
    {"over before", lasting, lasting_story, "t/0/1", NULL, 0, true,
     "rule more: " HELD "21s at " T "40.000Z; " FELL
     "more expired (nothing came for it for 20s), at 2001-09-09T01:47:00.000Z"},
    {"over a moment after", lasting, lasting_story, "t/0/2", NULL, 0, true,
     "it is in incident # of rule less, which opened at " T "59.999Z"},
    /* The alert's own timer comes before the event. */
    {"cleared at the very time", lasting, lasting_story, "t/0/3", NULL, 0, true,
     "rule just: " HELD "20s at " T
     "40.000Z; when held no more, as g/a just expired (nothing came for it for 20s), at "
     "2001-09-09T01:47:00.000Z"},
};

/* r1 goes for r2 at the end of the round in which that came, just before its oldest would leave. */
static const struct put pushed_story[] = {
    /* 0 */ {0, "y", "fan", RACK("r1")},
    /* 1 */ {1950, "z", "fan", RACK("r2")},
    /* 2 */ {30000, "end", "end", ""},
    {0, NULL, NULL, NULL},
};

static const struct row pushed_rows[] = {
    {"a key that went at the very time", why_rules, pushed_story, "t/0/0", NULL, 0, true,
     "rule fans: count() 1 of 2 at " T
     "40.000Z; then the key was evicted, the rule had more than max_keys"},
};

/* Only h1 is waited for; h2 gives signs of life all the same, h3 pings. */
static const char listing[] =
    "rules:\n- id: backup\n  where: check == \"done\"\n  by: [host]\n"
    "  expect: {every: 10s, keys: [{host: h1}]}\n  incident: {title: t}\n  close: cleared()\n"
    "- id: jobs\n  where: check == \"done\" && labels.job == \"full\"\n  by: [host]\n"
    "  expect: {every: 10s}\n  incident: {title: t}\n  close: cleared()\n"
    "- id: web\n  where: check == \"http\"\n  by: [host]\n  window: 5s\n  when: count() >= 2\n"
    "  incident: {title: t}\n  close: cleared()\n";

static const struct put listing_story[] = {
    /* 0 */ {0, "h2/a", "done", ""},
    /* 1 */ {1000, "h2/a", "done", ""},
    /* 2 */ {2000, "h2/a", "done", BENCH_CLEAR},
    /* 3 */ {3000, "h3/a", "ping", BENCH_CLEAR},
    /* 4 */ {4000, "h1/a", "done", ""},
    /* 5 */ {5000, "h3/a", "ping", BENCH_CLEAR},
    /* 6 */ {6000, "h3/a", "ping", BENCH_CLEAR},
    /* 7 */ {7000, "h1/a", "done", ""},
    /* 8 */ {7500, "h3/b", "ping", ""},
    /* 9 */ {7600, "h4/a", "done", ",\"labels\":{\"job\":\"full\"}"},
    /* 10 */ {7700, "h4/a", "done", ",\"labels\":{\"job\":\"part\"}"},
    /* 11 */ {8000, "end", "end", ""},
    {0, NULL, NULL, NULL},
};

/* Nothing comes of h2, which is waited for from 39.4 s on: what the first event may be late by lies
 * before it. */
static const char waiting[] =
    "rules:\n- id: e\n  where: check == \"done\"\n  by: [host]\n"
    "  expect: {every: 9s, keys: [{host: h1}, {host: h2}]}\n  incident: {title: t}\n"
    "  close: cleared()\n";

static const struct put waiting_story[] = {
    {0, "h1/a", "done", ""},     {5000, "h1/a", "done", ""}, {11000, "h1/a", "done", ""},
    {12000, "h1/a", "done", ""}, {0, NULL, NULL, NULL},
};

static const struct put unbegun_story[] = {
    {2000, "h1/a", "done", ""},
    {3000, "h1/a", "done", ""},
    {0, NULL, NULL, NULL},
};

/* h2 has no sign of life, and events of other checks. */
static const struct put other_story[] = {
    {0, "h1/a", "done", ""},    {1000, "h2/a", "disk", ""}, {2000, "h2/a", "fan", ""},
    {3000, "h1/a", "done", ""}, {0, NULL, NULL, NULL},
};

#define UNLISTED                                                                                   \
    "rule backup: it is a sign of life of a key that expect.keys does not list, which counts for " \
    "nothing"

static const struct row listing_rows[] = {
    {"a sign of life of a key that is not listed", listing, listing_story, "t/0/0", NULL, 0, true,
     UNLISTED},
    {"a repeat that is one", listing, listing_story, "t/0/1", "backup", 0, true,
     "folded as repeat 1 of h2/a done, which t/0/0/0 opened at " T "40.000Z; " UNLISTED},
    {"a clear that is one", listing, listing_story, "t/0/2", NULL, 0, true,
     "it is a clear: it ended h2/a done; " UNLISTED},
    {"its key", listing, listing_story, "host=h2", "backup", 0, true,
     "rule backup: its expect.keys does not list this key: 3 signs of life of it counted for "
     "nothing"},
    {"the same of all rules", listing, listing_story, "host=h2", NULL, 0, true,
     "rule backup: its expect.keys does not list this key: 3 signs of life of it counted for "
     "nothing; looked at were rules backup, jobs, web"},
    {"another rule takes it", listing, listing_story, "t/0/9", NULL, 0, true,
     "rule jobs: expects an event every 10s, one came at " T "47.600Z; the input ends before " T
     "57.600Z"},
    {"and no more, with other labels", listing, listing_story, "t/0/10", NULL, 0, true, UNLISTED},
    {"a rule that expects has no alert that could end", listing, listing_story, "t/0/10", "jobs", 0,
     true, "rule jobs: where does not hold: labels.job == \"full\": \"part\" == \"full\" is false"},
    {"a key that is not listed, of which there is no sign of life", listing, listing_story,
     "host=h3", "backup", 0, true,
     "rule backup: where does not hold for any of 4 events; the nearest, t/0/8/0 at " T
     "47.500Z: check == \"done\": "
     "\"ping\" == \"done\" is false; nor does its expect.keys list the key"},
    {"clears are no problem events of a rule that is not told of them", listing, listing_story,
     "host=h3", "web", 0, true,
     "rule web: where does not hold for its only problem event, t/0/8/0 at " T
     "47.500Z: check == \"http\": "
     "\"ping\" == \"http\" is false"},
    {"a key that is not listed, of which nothing came", listing, listing_story, "host=h9", "backup",
     0, false,
     "no event of this input has this key; rule backup: its expect.keys does not list this key"},
    {"the same of all rules, and a time", listing, listing_story, "host=h9", NULL, 5000, false,
     "no event of this input has this key up to then; rule backup: its expect.keys does not list "
     "this key"},
    {"a listed key that is still waited for", listing, listing_story, "host=h1", NULL, 3500, true,
     "rule backup: its expect.keys lists this key, and an event of it is expected every 10s; none "
     "had come, and no incident had opened; the next is t/0/4/0 at " T "44.000Z"},
    {"a listed key that never comes", waiting, waiting_story, "host=h2", NULL, 0, true,
     "incident # of rule e has been open since " T "48.400Z"},
    {"the same after it opened", waiting, waiting_story, "host=h2", NULL, 10000, true,
     "incident # of rule e has been open since " T "48.400Z"},
    {"the same before", waiting, waiting_story, "host=h2", "e", 5000, true,
     "rule e: its expect.keys lists this key, and an event of it is expected every 9s; none had "
     "come, and no incident had opened"},
    {"the same before all", waiting, unbegun_story, "host=h2", NULL, 1000, false,
     "no event of this input has this key up to then"},
    {"one whose time is not over at the end", waiting, unbegun_story, "host=h2", NULL, 0, true,
     "rule e: its expect.keys lists this key, and an event of it is expected every 9s; none came, "
     "and no incident opened"},
    {"a listed key with other events alone", waiting, other_story, "host=h2", "e", 0, true,
     "rule e: its expect.keys lists this key, and an event of it is expected every 9s; none came, "
     "and no incident opened; where does not hold for any of 2 events that did; the nearest, "
     "t/0/2/0 at " T "42.000Z: check == \"done\": \"fan\" == \"done\" is false"},
    {"the same with one", waiting, other_story, "host=h2", "e", 1500, true,
     "rule e: its expect.keys lists this key, and an event of it is expected every 9s; none had "
     "come, and no incident had opened; where does not hold for the only event that did, t/0/1/0 "
     "at " T "41.000Z: check == \"done\": \"disk\" == \"done\" is false; the next is t/0/2/0 at " T
     "42.000Z"},
    {"a listed key", listing, listing_story, "t/0/4", "backup", 0, true,
     "rule backup: expects an event every 10s, one came at " T
     "44.000Z; the next came, h1/a done, at " T "47.000Z"},
};

/* The lines of a story, one behind the other in it. */
static void each_stands_in(const char *const *lines, size_t count, const char *asked)
{
    struct bench *bench = bench_of(listing, listing_story);
    char *text = story_of(bench, asked);
    const char *at = text;

    for (size_t i = 0; i < count; i++) {
        at = strstr(at, lines[i]);
        if (at == NULL)
            fail_msg("%s is missing in:\n%s", lines[i], text);
        at += strlen(lines[i]);
    }
    free(text);
    bench_destroy(bench);
}

static void what_a_rule_makes_of_the_same_again_is_one_line(void **state)
{
    (void)state;
    static const char *const failing[] = {
        T "43.000Z  t/0/3/0               rule backup does not match: where is false (3 of them, "
          "until " T "46.000Z)\n",
        "check == \"done\": \"ping\" == \"done\" is false\n" T
        "47.500Z  t/0/8/0               warning: a new alert of h3/b ping",
        "rule backup does not match: where is false\n",
    };
    static const char *const unlisted[] = {
        "rule backup does not list the key of h2/a done: the sign of life counts for nothing (3 of "
        "them, until " T "42.000Z)\n",
    };
    static const char *const beating[] = {
        "rule backup takes as a sign of life h1/a done: expects an event every 10s (2 of them, "
        "until " T "47.000Z",
    };

    each_stands_in(failing, 3, "host=h3");
    each_stands_in(unlisted, 1, "host=h2");
    each_stands_in(beating, 1, "host=h1");
}

/* Four changes within 4 s: the alert flaps from the last of them on, until there is one alone. */
static const char flapping[] =
    "rules:\n- id: flaps\n  on: flapping\n  where: check == \"link\"\n  by: [resource]\n"
    "  window: open\n  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n";

static const struct put flapping_story[] = {
    /* 0 */ {0, "h", "link", ""},
    /* 1 */ {100, "h", "link", BENCH_CLEAR},
    /* 2 */ {10000, "h", "link", ""},
    /* 3 */ {10500, "h", "link", BENCH_CLEAR},
    /* 4 */ {11000, "h", "link", ""},
    /* 5 */ {11500, "h", "link", BENCH_CLEAR},
    /* 6 */ {11700, "h", "fan", ""},
    /* 7 */ {12000, "h", "link", ""},
    /* 8 */ {12200, "h", "link", ""},
    /* 9 */ {12500, "h", "link", BENCH_CLEAR},
    /* 10 */ {30000, "end", "end", ""},
    {0, NULL, NULL, NULL},
};

#define FLAPS "; its alert is in incident # of rule flaps, which opened at " T "51.500Z"

static const struct row flapping_rows[] = {
    {"a change of an alert that flaps", flapping, flapping_story, "t/0/7", NULL, 0, true,
     "folded: h link is flapping, its rules are told nothing before " T "55.500Z" FLAPS},
    {"a repeat", flapping, flapping_story, "t/0/8", NULL, 0, true,
     "folded: h link is flapping, its rules are told nothing before " T "55.500Z" FLAPS},
    {"a clear", flapping, flapping_story, "t/0/9", NULL, 0, true,
     "folded: h link is flapping, its rules are told nothing before " T "56.000Z" FLAPS},
    {"before it flaps", flapping, flapping_story, "t/0/4", NULL, 0, true,
     "rule flaps is told of alerts that flap, and h link did not then; incident # of its key "
     "opened "
     "at " T "51.500Z"},
    {"the clear by which it begins to", flapping, flapping_story, "t/0/5", NULL, 0, true,
     "it is a clear: it ended h link; its alert flaps by it, which opened incident # of rule "
     "flaps"},
    {"an alert that does not", flapping, flapping_story, "t/0/6", "flaps", 0, true,
     "rule flaps: where does not hold: check == \"link\": \"fan\" == \"link\" is false"},
};

static void what_made_an_alert_flap_is_in_the_story(void **state)
{
    (void)state;
    static const char *const lines[] = {
        T "50.000Z  t/0/2/0               warning: the cleared alert is open again: h link",
        T "50.500Z  t/0/3/0               ok: clears h link",
        T "51.000Z  t/0/4/0               warning: the cleared alert is open again: h link",
        T "51.500Z  t/0/5/0               ok: clears h link; no rule had matched it; it begins to "
          "flap, which ends at " T "55.000Z\n",
        "and opens incident",
        T "52.000Z  t/0/7/0               warning: the cleared alert is open again: h link; the "
          "alert is flapping",
        T "52.500Z  t/0/9/0               ok: clears h link; the alert is flapping",
        "which closes",
    };
    struct bench *bench = bench_of(flapping, flapping_story);
    char *text = story_of_first(bench), *at = text;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char *found = strstr(at, lines[i]);
        if (found == NULL)
            fail_msg("%s is missing in:\n%s", lines[i], text);
        at = found + strlen(lines[i]);
    }
    /* What is too old to make it flap, and another alert of the resource. */
    if (strstr(text, "t/0/0/0") != NULL || strstr(text, "h fan") != NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

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

/* There is room for one alert: the second drives the first out at the end of its round. */
static void what_held_and_was_evicted_says_so(void **state)
{
    static const struct put evicted[] = {{0, "h/a", "just", ""},
                                         {1950, "g/a", "more", ""},
                                         {60000, "end", "end", ""},
                                         {0, NULL, NULL, NULL}};
    struct bench *bench = bench_of(lasting, evicted);
    struct why_question question;
    struct error err = {""};
    (void)state;

    bench->config.alerts_max = 1;
    assert_int_equal(why_ask_whynot("t/0/0", &question, &err), 0);
    struct why *why = answer(bench, &question);
    assert_string_equal(why_verdict(why),
                        "rule just: " HELD "20s at " T "40.000Z; " FELL
                        "just was evicted (engine.alerts.max is reached), at " T "42.000Z");
    why_destroy(why);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"each_form_says_what_became_of_a_key", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(forms_rows)},
        {"a_sequence_that_was_ended_is_told_as_begun", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(broken_rows)},
        {"a key that was silent twice", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(silent_rows)},
        cmocka_unit_test(what_ends_a_sequence_has_a_line_in_the_story_of_its_key),
        {"what_has_to_hold_and_falls_at_the_last_moment_says_why", each_question_has_its_verdict,
         NULL, NULL, &(struct questions)QUESTIONS(lasting_rows)},
        cmocka_unit_test(what_held_and_was_evicted_says_so),
        {"a_key_that_went_at_the_last_moment", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(pushed_rows)},
        {"a_key_that_is_not_listed_is_told_as_such", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(listing_rows)},
        cmocka_unit_test(what_a_rule_makes_of_the_same_again_is_one_line),
        {"an_alert_that_flaps_names_its_incident", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(flapping_rows)},
        cmocka_unit_test(what_made_an_alert_flap_is_in_the_story),
        {"a_rule_on_incidents_says_what_became_of_a_key", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(composed_rows)},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Aim: who asks why an event or a key opened no incident is told what happened, and the last
 * sentence is the first thing that stopped it; of many rules that one is named which is about the
 * event. Method: rows of questions about small recordings, their sentences worked out by hand.
 * (test_why_forms.c: of each form of rule; test_why_made.c: of what tocsin makes and of steps;
 * test_why_story.c: the story as a whole; test_why_random.c: random recordings.)
 */
#include "tests/why_bench.h"

/* Alerts expire after 20 s here; flapping begins at the fourth change within 4 s. */
static const struct put story[] = {
    /* 0 */ {0, "db1/a", "disk", VALUE("95")},
    /* 1 */ {100, "db1/a", "disk", VALUE("95")},
    /* 2 */ {200, "db1/b", "disk", VALUE("97.5")},
    /* 3 */ {300, "db1/d", "disk", VALUE("71.5")},
    /* 4 */ {400, "db1/c", "disk", VALUE("92")},
    /* 5 */ {500, "db2/a", "disk", VALUE("92")},
    /* 6 */ {600, "db1/e", "disk", VALUE("99")},
    /* 7 */ {700, "db1/e", "noise", ""},
    /* 8 */ {800, "x", "fan", ",\"severity\":\"info\""},
    /* 9 */ {900, "x", "probe", BENCH_CLEAR},
    /* 10 */ {1000, "db1/a", "disk", BENCH_CLEAR},
    /* 11 */ {1100, "db1/a", "disk", BENCH_CLEAR},
    /* 12 */ {1200, "y", "fan", RACK("r1")},
    /* 13 */ {1250, "z", "fan", RACK("r2")},
    /* 14 */ {1300, "f", "disk", ""},
    /* 15 */ {2000, "f", "disk", BENCH_CLEAR},
    /* 16 */ {2100, "f", "disk", ""},
    /* 17 */ {2200, "f", "disk", BENCH_CLEAR},
    /* 18 */ {2300, "f", "disk", ""},
    /* 19 */ {3000, "w", "fan", ",\"severity\":\"major\""},
    /* 20 */ {4000, NULL, NULL, "{\"nonsense\":1}"},
    /* 21 */ {4100, "db3/a", "disk", VALUE("50")},
    /* 22 */ {4200, "db3/b", "disk", VALUE("60.5")},
    /* 23 */ {4300, "db2/a", "disk", VALUE("12")},
    /* 24 */ {4400, "q", "probe", ",\"severity\":\"major\""},
    /* 25 */ {4500, "s", "probe", ",\"severity\":\"major\""},
    /* 26 */ {4600, "s", "probe", ",\"severity\":\"major\""},
    /* 27 */ {30000, "end", "end", ""},
    {0, NULL, NULL, NULL},
};

static const struct row story_rows[] = {
    {"an event that is not there", why_rules, story, "t/0/99", NULL, 0, false,
     "there is no event at offset 99 of t/0 in this input, which has 0 to 27"},
    {"a partition that is not there", why_rules, story, "t/7/0", NULL, 0, false,
     "nothing of t/7 is in this input, which has t/0"},
    {"a number beyond the record's events", why_rules, story, "t/0/1/5", NULL, 0, false,
     "the record has 1 event, numbered from 0"},
    {"a record that was rejected", why_rules, story, "t/0/20", NULL, 0, true,
     "the record was rejected (schema): at byte 0: an event needs resource and check, or "
     "dedup_key"},
    {"a repeat", why_rules, story, "t/0/1", NULL, 0, true,
     "folded as repeat 1 of db1/a disk, which t/0/0/0 opened at " T
     "40.000Z; its alert is in incident # of rule full, which opened at " T "40.400Z"},
    {"a test that fails", why_rules, story, "t/0/3", NULL, 0, true,
     "no rule matches; the nearest is rule full: where does not hold: value > 90: 71.5 > 90 is "
     "false"},
    {"a rule that is asked about", why_rules, story, "t/0/3", "fans", 0, true,
     "rule fans: where does not hold: severity >= MAJOR: WARNING >= MAJOR is false"},
    {"a check that no rule names", why_rules, story, "t/0/7", NULL, 0, true,
     "no rule names this check, \"noise\""},
    {"too few in the window", why_rules, story, "t/0/5", NULL, 0, true,
     "rule full: count() 1 of 3, distinct(resource) 1 of 2 at " T "40.500Z; the oldest left at " T
     "50.500Z"},
    {"other values than before", why_rules, story, "t/0/23", NULL, 0, true,
     "it ended its alert for rule full, whose where no longer holds: value > 90: 12 > 90 is "
     "false"},
    {"silenced for a while", why_rules, story, "t/0/24", NULL, 0, true,
     "it opened incident # of rule probes; it was muted by silence work until " T "48.000Z"},
    {"silenced for good", why_rules, story, "t/0/25", NULL, 0, true,
     "it opened incident # of rule probes; it was muted by silence forever"},
    {"a repeat whose incident is silenced", why_rules, story, "t/0/26", NULL, 0, true,
     "folded as repeat 1 of s probe, which t/0/25/0 opened at " T
     "44.500Z; its alert is in incident # of rule probes, which opened at " T
     "44.500Z; it was muted by silence forever"},
    {"a key that is silenced", why_rules, story, "host=s", "probes", 0, true,
     "incident # of rule probes was open from " T "44.500Z to " T
     "54.500Z; it was muted by silence forever"},
    {"the opener", why_rules, story, "t/0/4", NULL, 0, true, "it opened incident # of rule full"},
    {"the first of the opener's, before that came", why_rules, story, "t/0/0", NULL, 350, true,
     "rule full: count() 1 of 3, distinct(resource) 1 of 2 at " T "40.000Z; by itself it stays so "
     "until " T "50.000Z"},
    {"one that came later", why_rules, story, "t/0/4", NULL, 350, false,
     "it is later than the time that is asked about: it came at " T "40.400Z"},
    {"one that is counted until later", why_rules, story, "t/0/12", NULL, 1210, true,
     "rule fans: count() 1 of 2 at " T "41.200Z; by itself it stays so until " T "43.200Z"},
    {"one that joined", why_rules, story, "t/0/6", NULL, 0, true,
     "it joined incident # of rule full, open since " T "40.400Z"},
    {"a clear of nothing", why_rules, story, "t/0/9", NULL, 0, true,
     "it is a clear, and no alert is open that it could end: x probe"},
    {"a clear", why_rules, story, "t/0/10", NULL, 0, true, "it is a clear: it ended db1/a disk"},
    {"a clear again", why_rules, story, "t/0/11", NULL, 0, true,
     "it is a clear, and db1/a disk had cleared already"},
    {"a key that was evicted", why_rules, story, "t/0/12", NULL, 0, true,
     "rule fans: count() 1 of 2 at " T
     "41.200Z; then the key was evicted, the rule had more than max_keys"},
    /* It changed at 1300, 2000, 2100, 2200 and 2300: at most one of these lies in the window 4 s
     * after the one before the last. */
    {"flapping", why_rules, story, "t/0/18", NULL, 0, true,
     "folded: f disk is flapping, its rules are told nothing before " T "46.200Z"},
    {"an absent value", why_rules, story, "t/0/14", "full", 0, true,
     "rule full: where does not hold: value > 90: the event has no value"},
    {"a key that no event has", why_rules, story, "host=db7", NULL, 0, false,
     "no event of this input has this key"},
    /* The last of its alerts, of 600, expires after 20 s, and then all of them have cleared. */
    {"a key that opened", why_rules, story, "tenant=default host=db1", NULL, 0, true,
     "incident # of rule full was open from " T
     "40.400Z to 2001-09-09T01:47:00.600Z, when its last open alert expired"},
    {"the same before it opened", why_rules, story, "host=db1", NULL, 350, true,
     "rule full: count() 2 of 3, distinct(resource) 2 of 2 at " T "40.200Z; by itself it stays so "
     "until " T "50.000Z"},
    {"a key that lacks alerts", why_rules, story, "host=db2", NULL, 0, true,
     "rule full: count() 1 of 3, distinct(resource) 1 of 2 at " T "40.500Z; the oldest left at " T
     "50.500Z"},
    {"a key whose events fail", why_rules, story, "host=db3", "full", 0, true,
     "rule full: where does not hold for any of 2 problem events; the nearest, t/0/22/0 at " T
     "44.200Z: value > 90: 60.5 > 90 is false"},
    /* They flap, and none of them would have matched. */
    {"a key whose events flap and fail", why_rules, story, "host=f", "full", 0, true,
     "rule full: where does not hold for any of 3 problem events; the nearest, t/0/18/0 at " T
     "42.300Z: value > 90: the event has no value"},
    {"a key before its first event", why_rules, story, "host=db3", NULL, 4099, false,
     "no event of this input has this key up to then; the next is t/0/21/0 at " T "44.100Z"},
    {"a key of an absent label", why_rules, story, "labels.rack=", "fans", 0, true,
     "rule fans: count() 1 of 2 at " T "43.000Z; the oldest left at " T "45.000Z"},
};

/* Two racks take turns in the one key that the rule may have, twice. */
static const struct put turns_story[] = {
    /* 0 */ {0, "y", "fan", RACK("r1")},
    /* 1 */ {50, "z", "fan", RACK("r2")},
    /* 2 */ {1000, "x", "fan", RACK("r1")},
    /* 3 */ {30000, "end", "end", ""},      {0, NULL, NULL, NULL},
};

static const struct row turns_rows[] = {
    {"one that went at the bound", why_rules, turns_story, "t/0/0", NULL, 0, true,
     "rule fans: count() 1 of 2 at " T
     "40.000Z; then the key was evicted, the rule had more than max_keys"},
    {"its key had gone before", why_rules, turns_story, "t/0/2", NULL, 0, true,
     "rule fans: count() 1 of 2 at " T "41.000Z; the oldest left at " T "43.000Z"},
    {"the key, of which the newest is told", why_rules, turns_story, "labels.rack=r1", NULL, 0,
     true, "rule fans: count() 1 of 2 at " T "41.000Z; the oldest left at " T "43.000Z"},
    {"the key, as it stood before", why_rules, turns_story, "labels.rack=r1", NULL, 900, true,
     "rule fans: count() 1 of 2 at " T
     "40.000Z; then the key was evicted, the rule had more than max_keys"},
};

/* A rule that is far from opening beside one that opens, by another event. */
static const char beside[] =
    "rules:\n- id: host-down\n  where: check == \"down\"\n  by: [host]\n  window: 1m\n"
    "  when: count() >= 2\n  incident: {title: t}\n  close: quiet(1h)\n"
    "- id: rack\n  where: check == \"down\"\n  by: [labels.rack]\n  window: 10s\n"
    "  when: distinct(host) >= 3\n  incident: {title: t}\n  close: quiet(1h)\n";

static const struct put beside_story[] = {
    /* 0 */ {0, "h0", "down", RACK("r")},
    /* 1 */ {6000, "h1", "down", RACK("r")},
    /* 2 */ {12000, "h2", "down", RACK("r")}, /* h0 has left the window */
    /* 3 */ {13000, "h3", "down", RACK("r")}, {0, NULL, NULL, NULL},
};

/* The first opens an incident of its own, closed by its change, and is in that of its host then. */
static const char twice[] =
    "rules:\n- id: aa\n  where: check == \"x\"\n  by: [host]\n  window: 1m\n"
    "  when: count() >= 2\n  incident: {title: t}\n  close: quiet(1h)\n"
    "- id: bb\n  where: check == \"x\" && severity >= MAJOR\n  by: [resource]\n  window: 1m\n"
    "  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n";

static const struct put twice_story[] = {
    /* 0 */ {0, "h/1", "x", MAJOR},
    /* 1 */ {1000, "h/2", "x", ""},
    /* 2 */ {2000, "h/1", "x", ""},
    {0, NULL, NULL, NULL},
};

/* A rule that matches all that flaps, beside one that is about the check. */
static const char broad[] =
    "enrich:\n- id: team\n  where: check == \"lat\"\n  set: {labels.team: '\"net\"'}\n"
    "rules:\n- id: flappy\n  on: flapping\n  where: severity >= WARNING\n"
    "  by: [resource, check]\n  window: 1h\n  when: count() >= 1\n  incident: {title: t}\n"
    "  close: cleared()\n"
    "- id: latency\n  on: events\n  where: check == \"lat\" && value > 800\n  by: [host]\n"
    "  window: 1m\n  when: count() >= 4\n  incident: {title: t}\n  close: quiet(1h)\n";

static const struct put broad_story[] = {
    /* 0 */ {0, "h", "lat", VALUE("71")},
    /* 1 */ {100, "h", "fan", ""},
    /* 2 */ {200, "h", "lat", VALUE("72")},
    /* 3 */ {300, "h", "fan", ",\"severity\":\"info\""},
    /* 4 */ {400, "h", "fan", ",\"severity\":\"info\""},
    {0, NULL, NULL, NULL},
};

/* Its key begins with the tenant that nobody wrote. */
static const char two_names[] =
    "rules:\n- id: both\n  where: check == \"fan\"\n  by: [resource, check]\n"
    "  window: 10s\n  when: count() >= 2\n  incident: {title: t}\n  close: quiet(1h)\n";

/* The check that stands in a later alternative is named all the same. */
static const char later_step[] =
    "rules:\n- id: steps\n  by: [resource]\n  all:\n"
    "  - {where: check == \"deploy\", as: deploy}\n"
    "  - {where: check == \"load\" && severity >= MAJOR, as: load}\n  within: 5s\n"
    "  incident: {title: t}\n  close: quiet(1h)\n";
static const char later_side[] =
    "rules:\n- id: either\n  where: check == \"deploy\" || check == \"load\" && severity >= MAJOR\n"
    "  by: [resource]\n  window: 5s\n  when: count() >= 1\n"
    "  incident: {title: t}\n  close: quiet(1h)\n";

static const struct put later_story[] = {
    {0, "h", "load", ""}, {100, "h", "fan", ""}, {0, NULL, NULL, NULL}};

static const struct row later_rows[] = {
    {"the check of a later step", later_step, later_story, "t/0/0", NULL, 0, true,
     "no rule matches; the nearest is rule steps: where does not hold: severity >= MAJOR: WARNING "
     ">= MAJOR is false"},
    {"of a later side", later_side, later_story, "t/0/0", NULL, 0, true,
     "no rule matches; the nearest is rule either: where does not hold: severity >= MAJOR: "
     "WARNING >= MAJOR is false"},
    {"its key", later_step, later_story, "resource=h", NULL, 0, true,
     "rule steps: where does not hold for any of 2 problem events; the nearest, t/0/0/0 at " T
     "40.000Z: severity >= MAJOR: WARNING >= MAJOR is false"},
    {"a check of no step", later_step, later_story, "t/0/1", NULL, 0, true,
     "no rule names this check, \"fan\""},
};

static const struct row broad_rows[] = {
    {"a key in another order", two_names, broad_story, "check=fan resource=h", NULL, 0, true,
     "rule both: count() 1 of 2 at " T "40.300Z; the input ends before " T "50.100Z"},
    {"the same with its tenant at the end", two_names, broad_story,
     "check=fan tenant=default resource=h", NULL, 0, true,
     "rule both: count() 1 of 2 at " T "40.300Z; the input ends before " T "50.100Z"},
    {"the near miss comes first", broad, broad_story, "t/0/0", NULL, 0, true,
     "no rule matches; the nearest is rule latency: where does not hold: value > 800: 71 > 800 is "
     "false; rule flappy is told of alerts that flap, and h lat does not"},
    {"none is near", broad, broad_story, "t/0/1", NULL, 0, true,
     "rule flappy is told of alerts that flap, and h fan does not"},
    {"a repeat that no rule matches", broad, broad_story, "t/0/2", NULL, 0, true,
     "no rule matches; the nearest is rule latency: where does not hold: value > 800: 72 > 800 is "
     "false; rule flappy is told of alerts that flap, and h lat does not; besides, it is repeat 1 "
     "of h lat, which t/0/0/0 opened at " T "40.000Z"},
    {"a repeat that no rule is about", beside, broad_story, "t/0/4", NULL, 0, true,
     "no rule names this check, \"fan\"; besides, it is repeat 1 of h fan, which t/0/3/0 opened "
     "at " T "40.300Z"},
};

/* A number may close an incident: the event that brings it joins, and is its last. */
static const char cooling[] =
    "rules:\n- id: hot\n  on: events\n  where: check == \"temp\"\n  by: [host]\n  window: 1m\n"
    "  when: last(value) > 80\n  incident: {title: t}\n  close: last(value) < 60\n"
    "silences:\n- id: mild\n  where: host == \"i\" && severity < CRITICAL\n"
    "  to: 2002-01-01T00:00:00Z\n"
    "- id: night\n  where: host == \"i\" && severity == CRITICAL\n"
    "  from: 2001-09-09T01:46:44Z\n  to: 2002-01-01T00:00:00Z\n";

static const struct put cooling_story[] = {
    /* 0 */ {0, "h", "temp", VALUE("90")},
    /* 1 */ {100, "h", "temp", VALUE("70")},
    /* 2 */ {200, "h", "temp", VALUE("50")},
    /* Two events of one time: the second does not change what the first did. */
    /* 3 */ {900, "g", "temp", VALUE("95")},
    /* 4 */ {900, "g", "temp", VALUE("96")},
    /* 5 */ {901, "g", "temp", VALUE("97")},
    /* 6 */ {901, "g", "temp", BENCH_CLEAR},
    /* 7 */ {2000, "i", "temp", VALUE("95") ",\"severity\":\"warning\""},
    /* 8 */ {2100, "i", "temp", VALUE("96") ",\"severity\":\"critical\""},
    /* Another incident of the key, which is not what 1 and 2 joined. */
    /* 9 */ {3000, "h", "temp", VALUE("91")},
    /* What mutes 7's once more. */
    /* 10 */ {4500, "i", "temp", VALUE("50") ",\"severity\":\"critical\""},
    {0, NULL, NULL, NULL},
};

/* Other values end an alert for a rule, or move it to another key, while others count it on. */
static const char leaving[] =
    "rules:\n- id: bad\n  where: check == \"c\" && severity >= MAJOR\n  by: [host]\n  window: 1m\n"
    "  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n"
    "- id: half\n  where: check == \"c\"\n  by: [host]\n  window: open\n  when: count() >= 2\n"
    "  incident: {title: t}\n  close: cleared()\n"
    "- id: racks\n  where: check == \"d\"\n  by: [labels.rack]\n  window: 1m\n"
    "  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n";

static const struct put leaving_story[] = {
    /* 0 */ {0, "h", "c", ",\"severity\":\"major\""},
    /* 1 */ {1000, "h", "c", ",\"severity\":\"warning\""},
    /* 2 */ {2000, "m", "d", RACK("r")},
    /* 3 */ {3000, "m", "d", RACK("s")},
    {0, NULL, NULL, NULL},
};

/* Equal shares of their tests hold; one is about the check. */
static const char alike[] =
    "rules:\n- id: a\n  where: check == \"smart\" && severity >= WARNING\n  by: [host]\n"
    "  window: 1m\n  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n"
    "- id: b\n  where: check == \"down\" && severity >= CRITICAL\n  by: [host]\n"
    "  window: 1m\n  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n";

/* The one name of the first would take the other's as part of its value. */
static const char nested[] =
    "rules:\n- id: racks\n  where: check == \"down\"\n  by: [labels.rack]\n  window: open\n"
    "  when: count() >= 9\n  incident: {title: t}\n  close: cleared()\n"
    "- id: hosts\n  where: check == \"down\"\n  by: [host, labels.rack]\n  window: open\n"
    "  when: count() >= 2\n  incident: {title: t}\n  close: cleared()\n"
    "- id: all\n  where: check == \"down\"\n  window: open\n"
    "  when: count() >= 9\n  incident: {title: t}\n  close: cleared()\n";

/* Numbers of which one is not enough: 60 and 40 are not more than 100. */
static const char numbers[] =
    "rules:\n- id: sums\n  on: events\n  where: check == \"load\"\n  by: [host]\n"
    "  window: {tumbling: 10s}\n"
    "  when: sum(value) > 100 && distinct(resource) >= 2 && 0.5 <= avg(value)\n"
    "  incident: {title: t}\n  close: quiet(1h)\n";

static const struct put numbers_story[] = {{0, "h/a", "load", VALUE("60")},
                                           {1000, "h/b", "load", VALUE("40")},
                                           {30000, "end", "end", ""},
                                           {0, NULL, NULL, NULL}};

/* 2, 4, 3, and then 4: the mean of the three is 3, their spread sqrt(2/3). */
static const char usual[] =
    "rules:\n- id: unusual\n  on: events\n  where: check == \"login\"\n  by: [host]\n"
    "  window: {tumbling: 10s}\n  baseline: {season: 10s, learn: 3}\n"
    "  when: deviation(count()) > 3 && count() >= 5\n"
    "  incident: {title: t}\n  close: quiet(1h)\n";

static const struct put usual_story[] = {
    {100, "h", "login", ""},   {110, "h", "login", ""},   {10100, "h", "login", ""},
    {10110, "h", "login", ""}, {10120, "h", "login", ""}, {10130, "h", "login", ""},
    {20100, "h", "login", ""}, {20110, "h", "login", ""}, {20120, "h", "login", ""},
    {30100, "h", "login", ""}, {30110, "h", "login", ""}, {30120, "h", "login", ""},
    {30130, "h", "login", ""}, {60000, "end", "end", ""}, {0, NULL, NULL, NULL}};

/* What comes in time, and what comes too late to count. */
static const char timed[] =
    "rules:\n- id: ends\n  on: events\n  where: check == \"e\"\n  by: [host]\n"
    "  window: {tumbling: 10s}\n  look: end\n  when: count() >= 3\n  incident: {title: t}\n"
    "  close: quiet(1h)\n"
    "- id: held\n  where: check == \"h\"\n  by: [host]\n  window: open\n  for: 5s\n"
    "  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n"
    "- id: slides\n  on: events\n  where: check == \"s\"\n  by: [host]\n  window: 10s\n"
    "  when: count() >= 2\n  incident: {title: t}\n  close: quiet(1h)\n"
    "- id: steps\n  by: [host]\n  sequence:\n  - where: check == \"a\"\n    as: a\n"
    "  - not: check == \"x\"\n    as: x\n  - where: check == \"b\"\n    as: b\n"
    "  within: 5s\n  incident: {title: t}\n  close: quiet(1h)\n";

static const struct put timed_story[] = {/* 0 */ {0, "h/a", "e", ""},
                                         /* 1 */ {0, "h/a", "h", ""},
                                         /* 2 */ {0, "h/a", "s", ""},
                                         /* 3 */ {0, "h/a", "a", ""},
                                         /* 4 */ {1000, "h/b", "h", ""},
                                         /* 5 */ {2000, "h/b", "e", ""},
                                         /* 6 */ {4000, "h/a", "h", BENCH_CLEAR},
                                         /* 7 */ {4100, "h/b", "h", BENCH_CLEAR},
                                         /* 8 */ {6000, "h/a", "x", ""},
                                         /* 9 */ {10000, "h/b", "s", ""},
                                         /* 10 */ {10000, "h/c", "s", ""},
                                         /* 11 */ {12000, "h/a", "e", ""},
                                         /* 12 */ {30000, "end", "end", ""},
                                         {0, NULL, NULL, NULL}};

/* An alert that comes again: what it was before is not what it is then. */
static const char again[] =
    "rules:\n- id: two\n  on: events\n  where: check == \"d\"\n  by: [host]\n  window: 10s\n"
    "  when: count() >= 2\n  incident: {title: t}\n  close: quiet(1h)\n"
    "- id: one\n  where: check == \"g\"\n  by: [host]\n  window: 1s\n  when: count() >= 1\n"
    "  incident: {title: t}\n  close: cleared()\n";

static const struct put again_story[] = {/* 0 */ {0, "h/a", "d", MAJOR},
                                         /* 1 */ {0, "g", "g", MAJOR},
                                         /* 2 */ {1000, "h/a", "d", BENCH_CLEAR},
                                         /* 3 */ {15000, "h/a", "d", MAJOR},
                                         /* 4 */ {16000, "h/b", "d", MAJOR},
                                         /* 5 */ {21000, "g", "g", MAJOR},
                                         /* 6 */ {26000, "g", "g", BENCH_CLEAR},
                                         /* 7 */ {26100, "g", "g", MAJOR},
                                         /* 8 */ {26200, "g", "g", BENCH_CLEAR},
                                         /* 9 */ {26300, "g", "g", MAJOR},
                                         /* 10 */ {26400, "g", "g", BENCH_CLEAR},
                                         /* 11 */ {60000, "end", "end", ""},
                                         {0, NULL, NULL, NULL}};

static const char racks[] =
    "rules:\n- id: racks\n  on: events\n  where: check == \"c\"\n  by: [labels.rack]\n"
    "  window: 10s\n  when: count() >= 1\n  incident: {title: t}\n  close: quiet(1h)\n";

static const struct put racks_story[] = {/* 0 */ {0, "h1", "c", RACK("r2")},
                                         /* 1 */ {1000, "h2", "c", RACK("r1")},
                                         /* 2 */ {2000, "h2", "c", RACK("r2")},
                                         /* 3 */ {3000, "end", "end", ""},
                                         {0, NULL, NULL, NULL}};

static const struct row beside_rows[] = {
    {"what comes behind the end of a window is none of it", timed, timed_story, "t/0/0", "ends", 0,
     true,
     "rule ends: count() 2 of 3 at " T "42.000Z; its window ended, and when did not hold at " T
     "50.000Z"},
    {"what comes while when holds does not end it", timed, timed_story, "t/0/1", "held", 0, true,
     "rule held: count() 1 of 1: when holds, and has to for 5s at " T
     "40.000Z; when held no more, by h/b h, at " T "44.100Z"},
    {"an incident that opens just when it has left", timed, timed_story, "t/0/2", "slides", 0, true,
     "rule slides: count() 1 of 2 at " T "40.000Z; the oldest left at " T "50.000Z"},
    {"an unwanted step behind the time of the steps", timed, timed_story, "t/0/8", "steps", 0, true,
     "rule steps: it is x, which must not come, and nothing waited for it not to"},
    {"a number that is not enough", numbers, numbers_story, "host=h", NULL, 0, true,
     "rule sums: sum(value) is 100 (needs more than 100), distinct(resource) 2 of 2, avg(value) is "
     "50 (needs at least 0.5) at " T "41.000Z; its window ended at " T "50.000Z"},
    {"a count that is not unusual enough", usual, usual_story, "t/0/9", NULL, 0, true,
     "rule unusual: count() 4 of 5, count() is usually 3, give or take 0.8165, in 10s (3 of 3 "
     "seasons known; needs a deviation of more than 3) at 2001-09-09T01:47:10.130Z; its window "
     "ended, and when did not hold at 2001-09-09T01:47:20.000Z"},
    {"one that leaves an incident, which closes", leaving, leaving_story, "t/0/1", NULL, 0, true,
     "it ended its alert for rule bad, whose where no longer holds: severity >= MAJOR: WARNING >= "
     "MAJOR is false; that closed incident #; rule half: count() 1 of 2 at " T "41.000Z"},
    {"one that leaves an incident for another", leaving, leaving_story, "t/0/3", NULL, 0, true,
     "it opened incident # of rule racks; it ended its alert for rule racks, which counts it for "
     "another key now; that closed incident #"},
    {"of equals the one about the check", alike, beside_story, "t/0/0", NULL, 0, true,
     "no rule matches; the nearest is rule b: where does not hold: severity >= CRITICAL: MAJOR >= "
     "CRITICAL is false"},
    {"a key whose order fits another rule", nested, beside_story, "labels.rack=r host=h0", "hosts",
     0, true, "rule hosts: count() 1 of 2 at " T "40.000Z"},
    {"the same of all rules", nested, beside_story, "labels.rack=r host=h0", NULL, 0, true,
     "rule hosts: count() 1 of 2 at " T "40.000Z"},
    {"a name that the rule does not count by", nested, beside_story, "tenant=default host=h0",
     "all", 0, false, "no event of this input has this key; rule all counts by tenant alone"},
    {"an event that joins by its number", cooling, cooling_story, "t/0/1", NULL, 0, true,
     "it joined incident # of rule hot, open since " T "40.000Z"},
    {"one whose number closes", cooling, cooling_story, "t/0/2", NULL, 0, true,
     "it joined incident # of rule hot, open since " T "40.000Z, and closed it by its number"},
    {"one that opens before another of its time", cooling, cooling_story, "t/0/3", NULL, 0, true,
     "it opened incident # of rule hot"},
    {"muted until it was worse, and once more", cooling, cooling_story, "t/0/7", NULL, 0, true,
     "it opened incident # of rule hot; it was muted by silence mild until " T
     "42.200Z, then by silence night"},
    {"one that joins before a clear of its time", cooling, cooling_story, "t/0/5", NULL, 0, true,
     "it joined incident # of rule hot, open since " T "40.900Z"},
    {"a member of an incident that another opens", beside, beside_story, "t/0/1", NULL, 0, true,
     "it is in incident # of rule rack, which opened at " T "53.000Z"},
    {"the same, and it had opened one itself", twice, twice_story, "t/0/0", NULL, 0, true,
     "it is in incident # of rule aa, which opened at " T
     "41.000Z; it opened incident # of rule bb, too"},
    /* That of its key before opened later than the one that it joins, and says nothing of that. */
    {"one that joins the incident of another key", racks, racks_story, "t/0/2", NULL, 0, true,
     "it joined incident # of rule racks"},
    {"one whose alert came again, and is in an incident then", again, again_story, "t/0/0", "two",
     0, true, "rule two: count() 1 of 2 at " T "40.000Z; the oldest left at " T "50.000Z"},
    {"the one that it came again with", again, again_story, "t/0/3", "two", 0, true,
     "it is in incident # of rule two, which opened at " T "56.000Z"},
    /* It expired at 20000. The fourth change within 4 s, at 26300, makes it flap, so rules are not
     * told of the fifth; at most one lies in the window 4 s after the fourth. */
    {"an alert that expired, and ends with its flapping then", again, again_story, "host=g", "one",
     0, true,
     "incident # of rule one was open from 2001-09-09T01:47:06.300Z to 2001-09-09T01:47:10.300Z"},
    {"the same before it came again", again, again_story, "host=g", "one", 20500, true,
     "incident # of rule one was open from " T
     "40.000Z to 2001-09-09T01:47:00.000Z, when its last open alert expired"},
    {"one that had left the window", beside, beside_story, "t/0/0", "rack", 0, true,
     "rule rack: distinct(host) 1 of 3 at " T "40.000Z; the oldest left at " T "50.000Z"},
};

/* Mutes that come when the incident has been told, and of what changes at the end of a round, 200
 * ms. `m` closes in it, `u` gets worse in it and
 * closes behind it, `v` gets worse and closes in it. */
static const char late_mutes[] =
    "rules:\n- id: probes\n  where: check == \"probe\" && severity >= MAJOR\n  by: [host]\n"
    "  window: 1s\n  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n"
    "silences:\n- id: late\n  where: host != \"w\"\n"
    "  from: 2001-09-09T01:46:45Z\n  to: 2001-09-09T01:46:50Z\n";

#define WORSE ",\"severity\":\"critical\""

static const struct put late_mutes_story[] = {
    /* 0 */ {0, "m/a", "probe", MAJOR},
    /* 1 */ {100, "u/a", "probe", MAJOR},
    /* 2 */ {200, "v/a", "probe", MAJOR},
    /* 3 */ {300, "w/a", "probe", MAJOR},
    /* 4 */ {6000, "m/a", "probe", BENCH_CLEAR},
    /* 5 */ {6100, "u/a", "probe", WORSE},
    /* 6 */ {6200, "v/a", "probe", WORSE},
    /* 7 */ {7000, "w/a", "probe", BENCH_CLEAR},
    /* 8 */ {9000, "v/a", "probe", BENCH_CLEAR},
    /* 9 */ {12000, "u/a", "probe", BENCH_CLEAR},
    /* 10 */ {13000, "end", "end", ""},           {0, NULL, NULL, NULL},
};

/* Who was told of it, and of its end, is not one of whom nobody heard. */
static void a_mute_behind_the_telling_takes_nothing_back(void **state)
{
    (void)state;
    static const char *const sinks[] = {"page", "chat"};
    static const struct {
        const char *asked, *line, *verdict;
    } cases[] = {
        {"t/0/0",
         T "46.000Z  t/0/4/0               its close is told, as it was told before, though it is "
           "muted by silence late\n" T
           "46.000Z  t/0/4/0               resolve goes to page, chat\n",
         "it opened incident # of rule probes; it was told, and so was its close, though it was "
         "muted by silence late then"},
        {"t/0/1", "this is withheld from who was told before: it is muted by silence late\n",
         "it opened incident # of rule probes; it was told, and muted when it changed at " T
         "46.200Z, by silence late until " T "50.000Z"},
        {"t/0/1",
         "nothing mutes it any more: it is told now\n" T
         "50.000Z  (timer)               update goes to page, chat\n",
         NULL},
        {"t/0/2",
         T "49.000Z  t/0/8/0               its close is told, as it was told before, though it is "
           "muted by silence late\n" T
           "49.000Z  t/0/8/0               resolve goes to page, chat\n",
         "it opened incident # of rule probes; it was told, and muted when it changed at " T
         "46.400Z, by silence late"},
        {"t/0/3", "resolve goes to page, chat\n", "it opened incident # of rule probes"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench *bench = bench_of(late_mutes, late_mutes_story);
        char said[8000], *last;
        bench->config.sink_names = sinks;
        bench->config.sink_count = 2;
        char *text = story_of(bench, cases[i].asked);
        without_ids(text, said, sizeof(said));
        last = strstr(said, "\n\n");
        assert_non_null(last);
        if (strstr(said, cases[i].line) == NULL || strstr(said, "nobody is told") != NULL)
            fail_msg("%s is missing in:\n%s", cases[i].line, said);
        last[strlen(last) - 1] = '\0';
        if (cases[i].verdict != NULL)
            assert_string_equal(last + 2, cases[i].verdict);
        free(text);
        bench_destroy(bench);
    }
}

/* The close comes behind the time that is asked about, and so does who was told of it. */
static void what_sinks_were_told_later_does_not_count(void **state)
{
    (void)state;
    static const char *const sinks[] = {"page", "chat"};
    static const char *const asked[] = {"host=v", "t/0/2"};

    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct bench *bench = bench_of(late_mutes, late_mutes_story);
        struct why_question question;
        struct error err = {""};
        bench->config.sink_names = sinks;
        bench->config.sink_count = 2;
        assert_int_equal(why_ask_whynot(asked[i], &question, &err), 0);
        question.at_ms = BENCH_T0 + 5000;
        struct why *why = answer(bench, &question);
        char *text = answer_text(why);
        if (strstr(text, "open goes to page, chat\n") == NULL ||
            strstr(text, "update goes to") != NULL || strstr(text, "resolve goes to") != NULL)
            fail_msg("%s", text);
        free(text);
        why_destroy(why);
        bench_destroy(bench);
    }
}

/* Each event that a rule counts was enriched before: four lines, of which three are one. */
static void what_a_step_did_again_is_one_line(void **state)
{
    (void)state;
    static const struct put puts[] = {{0, "h", "lat", VALUE("900")},
                                      {100, "h", "lat", VALUE("901")},
                                      {200, "h", "lat", VALUE("902")},
                                      {300, "h", "lat", VALUE("903")},
                                      {0, NULL, NULL, NULL}};
    struct bench *bench = bench_of(broad, puts);
    char *text = story_of_first(bench);
    const char *line = strstr(text, "enrich team: labels.team = net (4 of them, until " T);

    if (line == NULL || strstr(line + 1, "enrich team") != NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

static void clears_of_nothing_are_one_line(void **state)
{
    (void)state;
    static const struct put puts[] = {{0, "h", "fan", BENCH_CLEAR},
                                      {100, "h", "fan", BENCH_CLEAR},
                                      {200, "h", "fan", BENCH_CLEAR},
                                      {0, NULL, NULL, NULL}};
    struct bench *bench = bench_of(two_names, puts);
    char *text = story_of(bench, "resource=h check=fan");

    if (strstr(text, "none is open of h fan (3 of them, until " T "40.200Z)\n") == NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

static void a_key_by_other_names_is_told_the_right_ones(void **state)
{
    (void)state;
    struct bench *bench = bench_of(nested, beside_story);
    struct why_question question;
    struct error err = {""};

    assert_int_equal(why_ask_whynot("hots=h0", &question, &err), 0);
    question.rule = "hosts";
    assert_null(why_create(&question, bench->rules, &bench->config, &err));
    assert_string_equal(err.text, "rule hosts does not count by these names, but by tenant, host "
                                  "and labels.rack: \"hots=h0\"; did you mean \"host\"?");
    bench_destroy(bench);
}

#define BY(id, by)                                                                                 \
    "- {id: " id ", where: 'check == \"down\"', by: [" by "], window: 1m, when: count() >= 9, "    \
    "incident: {title: t}, close: quiet(1m)}\n"

/* A rule that counts by more names than the key has is not asked, and that is said. */
static void rules_by_more_names_than_the_key_are_named(void **state)
{
    static const struct {
        const char *key, *rule, *note; /* NULL: none */
    } rows[] = {
        {"host=h1", NULL,
         "note: rule both was not asked, nor was three: its key needs tenant, host and check\n"},
        {"host=h1", NULL,
         "note: rule both counted it under a key of more names: ask for \"tenant=default host=h1 "
         "check=down\"\n"},
        {"host=h1", "one", NULL},
        {"host=h1 check=down", NULL,
         "note: rule three was not asked: its key needs tenant, host, check and labels.rack\n"},
        {"host=h1 check=down labels.rack=r", "three", NULL},
    };
    static const char rules[] = "rules:\n" BY("one", "host") BY("both", "host, check")
        BY("three", "host, check, labels.rack") BY("else", "source");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench *bench = bench_of(rules, beside_story);
        struct why_question question;
        struct error err = {""};
        assert_int_equal(why_ask_whynot(rows[i].key, &question, &err), 0);
        question.rule = rows[i].rule;
        struct why *why = answer(bench, &question);
        char *text = answer_text(why);
        bool is_told = strstr(text, rows[i].note != NULL ? rows[i].note : "not asked") != NULL;
        if (is_told != (rows[i].note != NULL))
            fail_msg("%s: %s", rows[i].key, text);
        free(text);
        why_destroy(why);
        bench_destroy(bench);
    }
}

/* Six silences, a second each, and in each the incident grows to twice its alerts. */
static void of_many_mutes_the_first_and_the_last_are_named(void **state)
{
    enum { MUTES = 6, EVENTS = 1 << MUTES };
    static char rules[2000], names[EVENTS][16];
    struct put puts[EVENTS + 2] = {{0, "r", "m", ""}};
    size_t used = (size_t)snprintf(rules, sizeof(rules),
                                   "rules:\n- id: grows\n  where: check == \"m\"\n  window: 1m\n"
                                   "  when: count() >= 1\n  incident: {title: t}\n"
                                   "  close: quiet(1h)\nsilences:\n");
    struct why_question question;
    struct error err = {""};
    char said[2000];
    int count = 1;

    (void)state;
    for (int m = 0; m < MUTES; m++) {
        used +=
            (size_t)snprintf(rules + used, sizeof(rules) - used,
                             "- {id: s%d, where: tenant != \"\", from: 2001-09-09T01:46:%dZ, to: "
                             "2001-09-09T01:46:%dZ}\n",
                             m, 42 + 2 * m, 43 + 2 * m);
        for (int more = count; more > 0; more--, count++) {
            snprintf(names[count], sizeof(names[count]), "r%d", count);
            puts[count] = (struct put){2000 + 2000 * m + 500, names[count], "m", ""};
        }
    }
    puts[count] = (struct put){15000, "end", "end", ""};
    struct bench *bench = bench_of(rules, puts);
    assert_int_equal(why_ask_whynot("t/0/0", &question, &err), 0);
    struct why *why = answer(bench, &question);
    without_ids(why_verdict(why), said, sizeof(said));
    assert_string_equal(
        said,
        "it opened incident # of rule grows; it was told, and muted when it changed at " T
        "42.600Z, by silence s0 until " T "43.000Z, then by silence s1 until " T
        "45.000Z, then by silence s2 until " T "47.000Z, then by silence s5 until " T "53.000Z");
    why_destroy(why);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"the_verdict_is_the_first_thing_that_stopped_it", each_question_has_its_verdict, NULL,
         NULL, &(struct questions)QUESTIONS(story_rows)},
        {"a_rule_that_is_about_the_event_is_named_first", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(broad_rows)},
        {"keys that take turns at the bound", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(turns_rows)},
        {"a_check_in_a_later_alternative_is_named", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(later_rows)},
        {"an_incident_that_it_is_in_is_named", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(beside_rows)},
        cmocka_unit_test(what_sinks_were_told_later_does_not_count),
        cmocka_unit_test(what_a_step_did_again_is_one_line),
        cmocka_unit_test(clears_of_nothing_are_one_line),
        cmocka_unit_test(rules_by_more_names_than_the_key_are_named),
        cmocka_unit_test(a_key_by_other_names_is_told_the_right_ones),
        cmocka_unit_test(a_mute_behind_the_telling_takes_nothing_back),
        cmocka_unit_test(of_many_mutes_the_first_and_the_last_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

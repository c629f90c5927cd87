/*
 * Aim: who asks why an incident opened, or why an event or a key opened none, is told what
 * happened, and the last sentence is the first thing that stopped it. Method: rows of questions
 * about small recordings, their sentences worked out by hand; and random recordings, where the
 * answers about every event and every incident must agree with what the engine told itself.
 */
#include "correlate/trace.h"
#include "daemon/why.h"
#include "tests/engine_bench.h"
#include "tests/sanitized.h"

/* BENCH_T0 as the answers write it, in seconds and milliseconds. */
#define T "2001-09-09T01:46:"

struct put {
    int64_t at_ms;
    const char *resource, *check, *more;
};

struct row {
    const char *name, *rules;
    const struct put *puts;
    const char *asked, *rule;
    int64_t at_ms; /* 0: all counts */
    bool is_found;
    const char *verdict; /* # stands for an incident's id */
};

static const char rules[] = "rules:\n"
                            "- id: full\n  where: check == \"disk\" && value > 90.0\n"
                            "  by: [host]\n  window: 10s\n"
                            "  when: count() >= 3 && distinct(resource) >= 2\n"
                            "  incident: {title: full}\n  close: cleared() || quiet(5s)\n"
                            "- id: fans\n  where: severity >= MAJOR && check == \"fan\"\n"
                            "  by: [labels.rack]\n  window: 2s\n  when: count() >= 2\n"
                            "  max_keys: 1\n"
                            "  incident: {title: fans}\n  close: quiet(1s)\n"
                            "- id: probes\n  where: check == \"probe\" && severity >= MAJOR\n"
                            "  by: [host]\n  window: 1s\n  when: count() >= 1\n"
                            "  incident: {title: probes}\n  close: fewer(1, 10s)\n"
                            "silences:\n- id: work\n  where: host == \"q\"\n"
                            "  from: 2001-09-09T01:46:40Z\n  to: 2001-09-09T01:46:48Z\n"
                            "- id: forever\n  where: host == \"s\"\n  to: 2002-01-01T00:00:00Z\n";

#define VALUE(v) ",\"value\":" v
#define RACK(r) ",\"severity\":\"major\",\"labels\":{\"rack\":\"" r "\"}"

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
    {"an event that is not there", rules, story, "t/0/99", NULL, 0, false,
     "there is no event at offset 99 of t/0 in this input, which has 0 to 27"},
    {"a partition that is not there", rules, story, "t/7/0", NULL, 0, false,
     "nothing of t/7 is in this input"},
    {"a number beyond the record's events", rules, story, "t/0/1/5", NULL, 0, false,
     "the record has 1 event, numbered from 0"},
    {"a record that was rejected", rules, story, "t/0/20", NULL, 0, true,
     "the record was rejected (schema): at byte 0: an event needs resource and check, or "
     "dedup_key"},
    {"a repeat", rules, story, "t/0/1", NULL, 0, true,
     "folded as repeat 1 of db1/a disk, which t/0/0/0 opened at " T
     "40.000Z; its alert is in incident # of rule full, which opened at " T "40.400Z"},
    {"a test that fails", rules, story, "t/0/3", NULL, 0, true,
     "no rule matches; the nearest is rule full: where does not hold: value > 90: 71.5 > 90 is "
     "false"},
    {"a rule that is asked about", rules, story, "t/0/3", "fans", 0, true,
     "rule fans: where does not hold: severity >= MAJOR: WARNING >= MAJOR is false"},
    {"a check that no rule names", rules, story, "t/0/7", NULL, 0, true,
     "no rule names this check, \"noise\""},
    {"too few in the window", rules, story, "t/0/5", NULL, 0, true,
     "rule full: count() 1 of 3, distinct(resource) 1 of 2 at " T "40.500Z; the oldest left at " T
     "50.500Z"},
    {"other values than before", rules, story, "t/0/23", NULL, 0, true,
     "it ended its alert for rule full, whose where no longer holds: value > 90: 12 > 90 is "
     "false"},
    {"silenced for a while", rules, story, "t/0/24", NULL, 0, true,
     "it opened incident # of rule probes; it was muted by silence work until " T "48.000Z"},
    {"silenced for good", rules, story, "t/0/25", NULL, 0, true,
     "it opened incident # of rule probes; it was muted by silence forever"},
    {"a repeat whose incident is silenced", rules, story, "t/0/26", NULL, 0, true,
     "folded as repeat 1 of s probe, which t/0/25/0 opened at " T
     "44.500Z; its alert is in incident # of rule probes, which opened at " T
     "44.500Z; it was muted by silence forever"},
    {"a key that is silenced", rules, story, "host=s", "probes", 0, true,
     "incident # of rule probes was open from " T "44.500Z to " T
     "54.500Z; it was muted by silence forever"},
    {"the opener", rules, story, "t/0/4", NULL, 0, true, "it opened incident # of rule full"},
    {"one that joined", rules, story, "t/0/6", NULL, 0, true,
     "it joined incident # of rule full, open since " T "40.400Z"},
    {"a clear of nothing", rules, story, "t/0/9", NULL, 0, true,
     "it is a clear, and no alert is open that it could end: x probe"},
    {"a clear", rules, story, "t/0/10", NULL, 0, true, "it is a clear: it ended db1/a disk"},
    {"a clear again", rules, story, "t/0/11", NULL, 0, true,
     "it is a clear, and db1/a disk had cleared already"},
    {"a key that was evicted", rules, story, "t/0/12", NULL, 0, true,
     "rule fans: count() 1 of 2 at " T
     "41.200Z; then the key was evicted, the rule had more than max_keys"},
    /* It changed at 1300, 2000, 2100, 2200 and 2300: at most one of these lies in the window 4 s
     * after the one before the last. */
    {"flapping", rules, story, "t/0/18", NULL, 0, true,
     "folded: f disk is flapping, its rules are told nothing before " T "46.200Z"},
    {"an absent value", rules, story, "t/0/14", "full", 0, true,
     "rule full: where does not hold: value > 90: the event has no value"},
    {"a key that no event has", rules, story, "host=db7", NULL, 0, false,
     "no event of this input has this key"},
    /* The last of its alerts, of 600, expires after 20 s, and then all of them have cleared. */
    {"a key that opened", rules, story, "tenant=default host=db1", NULL, 0, true,
     "incident # of rule full was open from " T
     "40.400Z to 2001-09-09T01:47:00.600Z, when its last open alert expired"},
    {"the same before it opened", rules, story, "host=db1", NULL, 350, true,
     "rule full: count() 2 of 3, distinct(resource) 2 of 2 at " T "40.200Z; by itself it stays so "
     "until " T "50.000Z"},
    {"a key that lacks alerts", rules, story, "host=db2", NULL, 0, true,
     "rule full: count() 1 of 3, distinct(resource) 1 of 2 at " T "40.500Z; the oldest left at " T
     "50.500Z"},
    {"a key whose events fail", rules, story, "host=db3", "full", 0, true,
     "rule full: where does not hold for any of 2 problem events; the nearest: value > 90: 60.5 > "
     "90 is false"},
    /* They flap, and none of them would have matched. */
    {"a key whose events flap and fail", rules, story, "host=f", "full", 0, true,
     "rule full: where does not hold for any of 3 problem events; the nearest: value > 90: the "
     "event has no value"},
    {"a key of an absent label", rules, story, "labels.rack=", "fans", 0, true,
     "rule fans: count() 1 of 2 at " T "43.000Z; the oldest left at " T "45.000Z"},
};

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

#define MAJOR ",\"severity\":\"major\""

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

static const char enriching[] =
    "enrich:\n"
    "- id: no-pings\n  where: check == \"ping\" && severity <= INFO\n  drop: true\n"
    "- id: disk-of-message\n  where: check == \"disk\"\n"
    "  extract: {from: message, pattern: 'disk (?P<disk>\\w+)'}\n"
    "  set: {severity: severity(labels.level)}\n  remove: [labels.level]\n"
    "rules:\n"
    "- id: disks\n  where: check == \"disk\" && severity >= MAJOR\n  by: [labels.disk]\n"
    "  window: 10s\n  when: count() >= 2\n  incident: {title: t}\n  close: quiet(20s)\n"
    "- id: pings\n  where: check == \"ping\"\n  by: [host]\n  window: 10s\n  when: count() >= 1\n"
    "  incident: {title: t}\n  close: quiet(20s)\n";

#define DISK(disk, level) ",\"message\":\"disk " disk "\",\"labels\":{\"level\":\"" level "\"}"

static const struct put enriching_story[] = {
    /* 0 */ {0, "a", "ping", ",\"severity\":\"info\""},
    /* 1 */ {100, "b", "disk", DISK("sda", "major")},
    /* 2 */ {200, "c", "disk", DISK("sdb", "minor")},
    /* 3 */ {300, "d", "disk", ",\"message\":\"full\""},
    /* 4 */ {30000, "z", "noise", ""},
    {0, NULL, NULL, NULL}};

static const struct row enriching_rows[] = {
    {"an event that a step drops", enriching, enriching_story, "t/0/0", NULL, 0, true,
     "dropped by no-pings, as if it had not been sent"},
    {"its key", enriching, enriching_story, "host=a", NULL, 0, true,
     "dropped by no-pings, as if its event had not been sent"},
    {"a key that a step made", enriching, enriching_story, "labels.disk=sda", NULL, 0, true,
     "rule disks: count() 1 of 2 at " T "40.100Z; the oldest left at " T "50.100Z"},
    {"where sees what steps made", enriching, enriching_story, "t/0/2", NULL, 0, true,
     "no rule matches; the nearest is rule disks: where does not hold: severity >= MAJOR: MINOR >= "
     "MAJOR is false"},
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

/* What tocsin makes itself: `down` has incidents at 100 and 300, told in the rounds after, and a
 * third key for two; that is said when a minute begins. */
static const char making[] =
    "rules:\n- id: down\n  where: check == \"down\"\n  by: [resource]\n  window: 1m\n"
    "  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n"
    "- id: few\n  where: check == \"noise\"\n  by: [resource]\n  window: 1m\n"
    "  when: count() >= 2\n  max_keys: 2\n  incident: {title: t}\n  close: cleared()\n"
    "- id: wave\n  on: incidents\n  of: [down]\n  window: 1m\n  when: count() >= 2\n"
    "  incident: {title: t}\n  close: quiet(1h)\n";

static const struct put making_story[] = {
    {100, "a", "down", ""},      {300, "b", "down", ""},   {1100, "x", "noise", ""},
    {1200, "y", "noise", ""},    {1300, "z", "noise", ""}, {15000, "b", "down", BENCH_CLEAR},
    {25000, "end", "other", ""}, {0, NULL, NULL, NULL},
};

#define MADE "@derived/-1/10000000"

static const struct row making_rows[] = {
    {"a change of an incident", making, making_story, MADE "00200/36864", NULL, 0, true,
     "it is in incident # of rule wave, which opened at " T "40.400Z"},
    {"the first event of a time", making, making_story, MADE "00400", NULL, 0, true,
     "it opened incident # of rule wave"},
    {"the end of an incident", making, making_story, MADE "15200/36864", NULL, 0, true,
     "it is a clear: it ended incident # of rule down"},
    {"a rule of events is not told of it", making, making_story, MADE "00200", "down", 0, true,
     "rule down is told of events, and of no incident"},
    {"what tocsin says of itself", making, making_story, MADE "20000/0", NULL, 0, true,
     "no rule names this check, \"keys-evicted\""},
    {"another number", making, making_story, MADE "00400/3", NULL, 0, false,
     "tocsin made no such event in this input; it made 1 of that time, with other numbers"},
    {"another time", making, making_story, MADE "00300", NULL, 0, false,
     "tocsin made no such event in this input; the first that it made is of 1000000000200, the "
     "last of 1000000020200"},
    {"an incident that an expiry closed", making, making_story, "resource=a", "down", 0, true,
     "incident # of rule down was open from " T "40.100Z to 2001-09-09T01:47:00.100Z, when its "
     "last open alert expired"},
    {"and one that a clear closed", making, making_story, "resource=b", "down", 0, true,
     "incident # of rule down was open from " T "40.300Z to " T "55.000Z"},
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
    {"a repeat that no rule is about", composed, broad_story, "t/0/4", NULL, 0, true,
     "no rule names this check, \"fan\"; besides, it is repeat 1 of h fan, which t/0/3/0 opened "
     "at " T "40.300Z"},
};

/* A number may close an incident: the event that brings it joins, and is its last. */
static const char cooling[] =
    "rules:\n- id: hot\n  on: events\n  where: check == \"temp\"\n  by: [host]\n  window: 1m\n"
    "  when: last(value) > 80\n  incident: {title: t}\n  close: last(value) < 60\n"
    "silences:\n- id: mild\n  where: host == \"i\" && severity < CRITICAL\n"
    "  to: 2002-01-01T00:00:00Z\n";

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

static const struct row beside_rows[] = {
    {"a number that is not enough", numbers, numbers_story, "host=h", NULL, 0, true,
     "rule sums: sum(value) is 100 (needs more than 100), distinct(resource) 2 of 2, avg(value) is "
     "50 (needs at least 0.5) at " T "41.000Z; its window ended at " T "50.000Z"},
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
    {"muted until it was worse", cooling, cooling_story, "t/0/7", NULL, 0, true,
     "it opened incident # of rule hot; it was muted by silence mild until " T "42.200Z"},
    {"one that joins before a clear of its time", cooling, cooling_story, "t/0/5", NULL, 0, true,
     "it joined incident # of rule hot, open since " T "40.900Z"},
    {"a member of an incident that another opens", beside, beside_story, "t/0/1", NULL, 0, true,
     "it is in incident # of rule rack, which opened at " T "53.000Z"},
    {"one that had left the window", beside, beside_story, "t/0/0", "rack", 0, true,
     "rule rack: distinct(host) 1 of 3 at " T "40.000Z; the oldest left at " T "50.000Z"},
};

static struct bench *bench_of(const char *text, const struct put *puts)
{
    struct bench *bench = bench_create(text);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.expire_ms = 20000;
    bench->config.flap_start = 4;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 4000;
    for (; puts->more != NULL; puts++) {
        if (puts->resource == NULL)
            bench_put_text(feed, puts->at_ms, puts->more);
        else
            bench_put(feed, puts->at_ms, puts->resource, puts->check, puts->more);
    }
    return bench;
}

/* Runs the input as often as the answer needs. */
static struct why *answer(struct bench *bench, const struct why_question *question)
{
    struct error err = {""};
    struct why *why = why_create(question, bench->rules, &bench->config, &err);

    if (why == NULL)
        fail_msg("%s", err.text);
    do {
        if (engine_create(&bench->config, &bench->source, bench->rules, why_listener(why),
                          &bench->engine, &err) != 0 ||
            engine_start(bench->engine, &err) != 0)
            fail_msg("%s", err.text);
        assert_true(engine_wait_finished(bench->engine, BENCH_LIMIT_MS));
        engine_stop(bench->engine);
        bench_rewind(bench, true);
    } while (why_pass(why));
    return why;
}

/* Every id in the text, 32 digits, becomes #. */
static void without_ids(const char *text, char *to, size_t bytes)
{
    size_t used = 0;

    while (*text != '\0' && used + 1 < bytes) {
        if (strspn(text, "0123456789abcdef") == 32) {
            to[used++] = '#';
            text += 32;
        } else {
            to[used++] = *text++;
        }
    }
    to[used] = '\0';
}

/* Rows of one story, a test each. */
struct questions {
    const struct row *rows;
    size_t count;
};

#define QUESTIONS(rows)                                                                            \
    {                                                                                              \
        rows, sizeof(rows) / sizeof((rows)[0])                                                     \
    }

static void each_question_has_its_verdict(void **state)
{
    const struct questions *questions = *state;
    const struct row *rows = questions->rows;
    size_t wrong = 0;

    for (size_t i = 0; i < questions->count; i++) {
        struct bench *bench = bench_of(rows[i].rules, rows[i].puts);
        struct why_question question;
        struct error err = {""};
        char said[2000];
        assert_int_equal(why_ask_whynot(rows[i].asked, &question, &err), 0);
        question.rule = rows[i].rule;
        if (rows[i].at_ms != 0)
            question.at_ms = BENCH_T0 + rows[i].at_ms;
        struct why *why = answer(bench, &question);
        without_ids(why_verdict(why), said, sizeof(said));
        if (strcmp(said, rows[i].verdict) != 0 || why_found(why) != rows[i].is_found)
            print_error("%s (%s):\n  %s\nnot\n  %s\n", rows[i].name, rows[i].asked, said,
                        rows[i].verdict);
        wrong += strcmp(said, rows[i].verdict) != 0 || why_found(why) != rows[i].is_found;
        why_destroy(why);
        bench_destroy(bench);
    }
    assert_int_equal(wrong, 0);
}

/* The answer about an incident, or about what is asked for, as a person gets it; freed by the
 * caller. */
static char *text_of(struct why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    why_print_text(why, to);
    fclose(to);
    return text;
}

/* The line of each step, in the story of the event that is asked for. */
static void each_step_that_did_something_has_a_line(void **state)
{
    (void)state;
    static const struct {
        int64_t offset;
        const char *line;
    } cases[] = {
        {1, "enrich disk-of-message: labels.disk = sda, severity = major, labels.level removed\n"},
        {3, "enrich disk-of-message: severity stays as it is: the label is absent\n"},
        {0, "info: enrich no-pings drops a ping\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench *bench = bench_of(enriching, enriching_story);
        struct why_question question = {
            .subject = WHY_EVENT, .at_ms = INT64_MAX, .topic = "t", .offset = cases[i].offset};
        struct why *why = answer(bench, &question);
        char *text = text_of(why);
        if (strstr(text, cases[i].line) == NULL)
            fail_msg("%s is missing in:\n%s", cases[i].line, text);
        free(text);
        why_destroy(why);
        bench_destroy(bench);
    }
}

/* --- random recordings ---------------------------------------------------------------------------
 */

enum { ALERTS = 64, OPENINGS = 128, JOINS = 2048, EVENTS = 60 };

/* What the engine told of itself, without the collector of answers. */
struct told {
    size_t alert_count, incident_count, join_count;
    struct told_alert {
        struct id128 id;
        char name[64];
    } alert[ALERTS];
    struct id128 incident[OPENINGS];
    struct {
        struct id128 incident, alert;
    } join[JOINS];
    struct told_event {
        enum trace_counted counted;
        bool is_clear, touched;
    } event[EVENTS];
};

static void tell_received(void *self, const struct trace_receipt *receipt)
{
    struct told *told = self;
    struct text resource = event_text_field(receipt->event->text, FIELD_RESOURCE);
    struct text check = event_text_field(receipt->event->text, FIELD_CHECK);

    for (size_t i = 0; i < told->alert_count; i++)
        if (id128_equal(told->alert[i].id, receipt->event->fingerprint))
            return;
    if (told->alert_count == ALERTS)
        return;
    struct told_alert *alert = &told->alert[told->alert_count++];
    alert->id = receipt->event->fingerprint;
    snprintf(alert->name, sizeof(alert->name), "%.*s %.*s", (int)resource.len, resource.at,
             (int)check.len, check.at);
}

static void tell_decided(void *self, const struct trace_decision *decision)
{
    struct told *told = self;

    if (decision->event->offset >= EVENTS)
        return;
    told->event[decision->event->offset].counted = decision->counted;
    told->event[decision->event->offset].is_clear = decision->event->state == EVENT_CLEAR;
}

static void tell_incident(void *self, struct incident *incident)
{
    struct told *told = self;

    if (incident->change == INCIDENT_OPENED && told->incident_count < OPENINGS)
        told->incident[told->incident_count++] = incident->id;
}

static void tell_joined(void *self, struct id128 incident, struct id128 alert, int64_t at_ms)
{
    struct told *told = self;

    (void)at_ms;
    if (told->join_count < JOINS) {
        told->join[told->join_count].incident = incident;
        told->join[told->join_count++].alert = alert;
    }
}

static bool let_go(void *self, const struct op *op)
{
    (void)self;
    incident_unref(op->incident);
    return true;
}

static void listen_to(struct bench *bench, struct told *told)
{
    const struct engine_trace trace = {
        .self = told, .received = tell_received, .decided = tell_decided};
    const struct engine_listener listener = {.self = told,
                                             .incident = tell_incident,
                                             .joined = tell_joined,
                                             .op = let_go,
                                             .trace = &trace};
    struct error err = {""};

    memset(told, 0, sizeof(*told));
    if (engine_create(&bench->config, &bench->source, bench->rules, &listener, &bench->engine,
                      &err) != 0 ||
        engine_start(bench->engine, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(engine_wait_finished(bench->engine, BENCH_LIMIT_MS));
    engine_stop(bench->engine);
    bench_rewind(bench, true);
}

static struct bench *random_bench(unsigned seed)
{
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    static const char *const values[] = {VALUE("95"), VALUE("99"), VALUE("71"), BENCH_CLEAR};

    bench->config.expire_ms = 3000;
    bench->config.flap_start = 4;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 1000;
    for (int64_t i = 0, at = 0; i < EVENTS; i++) {
        char resource[32];
        at += rand_r(&seed) % 12 == 0 ? 4000 : rand_r(&seed) % 300;
        snprintf(resource, sizeof(resource), "db%d/%c", rand_r(&seed) % 2, 'a' + rand_r(&seed) % 4);
        if (rand_r(&seed) % 4 == 0)
            bench_put(feed, at, resource, "fan", rand_r(&seed) % 3 == 0 ? BENCH_CLEAR : RACK("r1"));
        else
            bench_put(feed, at, resource, "disk", values[rand_r(&seed) % 4]);
    }
    return bench;
}

/* The members in the answer are those that the engine had, each once. */
static void check_members(struct bench *bench, const struct told *told, struct id128 id,
                          unsigned seed)
{
    struct why_question question;
    struct error err = {""};
    char hex[ID128_TEXT_BYTES];
    size_t members = 0, named = 0;

    id128_format(id, hex);
    assert_int_equal(why_ask_incident(hex, &question, &err), 0);
    struct why *why = answer(bench, &question);
    assert_true(why_found(why));
    for (size_t j = 0; j < told->join_count; j++) {
        if (!id128_equal(told->join[j].incident, id))
            continue;
        members++;
        const char *name = "";
        for (size_t a = 0; a < told->alert_count; a++)
            if (id128_equal(told->alert[a].id, told->join[j].alert))
                name = told->alert[a].name;
        bool is_named = false;
        for (size_t m = 0; why_member(why, m) != NULL; m++)
            is_named = is_named || strcmp(why_member(why, m), name) == 0;
        if (!is_named)
            fail_msg("seed %u: %s is a member of %s and not named", seed, name, hex);
    }
    while (why_member(why, named) != NULL)
        named++;
    if (named != members)
        fail_msg("seed %u: %s has %zu members, and %zu are named", seed, hex, members, named);
    why_destroy(why);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The answer about an event says what it was counted as. */
static void check_event(struct bench *bench, const struct told *told, int64_t offset, unsigned seed)
{
    const struct told_event *event = &told->event[offset];
    struct why_question question;
    struct error err = {""};
    char asked[64];

    snprintf(asked, sizeof(asked), "t/0/%" PRId64, offset);
    assert_int_equal(why_ask_whynot(asked, &question, &err), 0);
    struct why *why = answer(bench, &question);
    const char *said = why_verdict(why);
    bool fits = event->is_clear ? begins(said, "it is a clear") || begins(said, "folded: ")
                : event->counted == TRACE_DUPLICATE
                    ? begins(said, "folded") || strstr(said, "; besides, it is repeat ") != NULL
                : event->counted == TRACE_UNMATCHED
                    ? begins(said, "no rule matches")
                    : begins(said, "rule ") || begins(said, "it opened") ||
                          begins(said, "it joined") || begins(said, "it is in incident") ||
                          begins(said, "it ended its alert for rule");
    if (!fits || strstr(said, "not met again") != NULL)
        fail_msg("seed %u: %s, counted %d, clear %d: %s", seed, asked, event->counted,
                 event->is_clear, said);
    why_destroy(why);
}

static void answers_agree_with_what_happened(void **state)
{
    (void)state;
    enum { SEEDS = ROUNDS(8, 2) };
    static struct told told;
    size_t incidents = 0;

    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct bench *bench = random_bench(seed);
        listen_to(bench, &told);
        for (size_t i = 0; i < told.incident_count; i++)
            check_members(bench, &told, told.incident[i], seed);
        for (int64_t offset = 0; offset < EVENTS; offset++)
            check_event(bench, &told, offset, seed);
        incidents += told.incident_count;
        bench_destroy(bench);
    }
    assert_true(incidents > SEEDS);
}

/* Six events of one alert, four of which open: three that count, the opener, two that join. */
static void repeats_that_a_rule_counts_are_one_line(void **state)
{
    (void)state;
    static struct told told;
    struct bench *bench = bench_create("rules:\n- id: each\n  on: events\n  where: check == \"c\"\n"
                                       "  by: [resource]\n  window: 10s\n  when: count() >= 4\n"
                                       "  incident: {title: each}\n  close: quiet(1s)\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct why_question question;
    struct error err = {""};
    char hex[ID128_TEXT_BYTES], *text = NULL;
    size_t bytes = 0;

    for (int64_t i = 0; i < 6; i++)
        bench_put(feed, 100 * i, "a", "c", "");
    listen_to(bench, &told);
    assert_int_equal(told.incident_count, 1);
    id128_format(told.incident[0], hex);
    assert_int_equal(why_ask_incident(hex, &question, &err), 0);
    struct why *why = answer(bench, &question);
    FILE *to = open_memstream(&text, &bytes);
    why_print_text(why, to);
    fclose(to);
    if (strstr(text, "rule each counts a c: count() 1 of 4\n") == NULL ||
        strstr(text, "counts the repeat of a c: count() 2 of 4 (2 of them, until " T
                     "40.200Z: count() 3 of 4)") == NULL ||
        strstr(text, "of rule each (2 of them, until " T "40.500Z)") == NULL)
        fail_msg("%s", text);
    free(text);
    why_destroy(why);
    bench_destroy(bench);
}

/* The story of the first incident that opens. */
static char *story_of_first(struct bench *bench)
{
    static struct told told;
    struct why_question question;
    struct error err = {""};
    char hex[ID128_TEXT_BYTES];

    listen_to(bench, &told);
    assert_true(told.incident_count > 0);
    id128_format(told.incident[0], hex);
    assert_int_equal(why_ask_incident(hex, &question, &err), 0);
    struct why *why = answer(bench, &question);
    char *text = text_of(why);
    why_destroy(why);
    return text;
}

/* `a` expires 20 s after its only event; nobody has sent a clear of it. */
static void an_end_by_expiry_is_told_as_such(void **state)
{
    (void)state;
    struct bench *bench = bench_of(making, making_story);
    char *text = story_of_first(bench);

    if (strstr(text, "a down is no longer open in incident ") == NULL ||
        strstr(text, ", which closes; the alert has expired: nothing came for it for 20s\n") ==
            NULL ||
        strstr(text,
               "it closed at 2001-09-09T01:47:00.100Z, cleared: its last open alert expired") ==
            NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

/* Where it comes from, and what deduplication made of it. */
static void the_story_of_a_change_begins_with_its_incident(void **state)
{
    (void)state;
    struct bench *bench = bench_of(making, making_story);
    struct why_question question;
    struct error err = {""};

    assert_int_equal(why_ask_whynot(MADE "15200", &question, &err), 0);
    struct why *why = answer(bench, &question);
    char *text = text_of(why);
    if (strstr(text, "made of incident ") == NULL ||
        strstr(text, " of rule down, which had closed: t\n") == NULL ||
        strstr(text, "clears incident ") == NULL)
        fail_msg("%s", text);
    free(text);
    why_destroy(why);
    bench_destroy(bench);
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

/* The clear of a member that a step drops keeps the incident open until the alert expires. */
static void a_dropped_clear_of_a_member_has_a_line(void **state)
{
    (void)state;
    static const struct put puts[] = {{0, "h", "ping", ""},
                                      {5000, "h", "ping", BENCH_CLEAR},
                                      {6000, "g", "ping", BENCH_CLEAR}, /* of no member */
                                      {30000, "end", "end", ""},
                                      {0, NULL, NULL, NULL}};
    struct bench *bench =
        bench_of("enrich:\n- {id: calm, where: severity <= INFO, drop: true}\n"
                 "rules:\n- id: pings\n  where: check == \"ping\"\n  by: [host]\n  window: 10s\n"
                 "  when: count() >= 1\n  incident: {title: t}\n  close: cleared()\n",
                 puts);
    char *text = story_of_first(bench);

    if (strstr(text,
               T "45.000Z  t/0/1/0               ok: enrich calm drops the clear of h ping\n") ==
            NULL ||
        strstr(text, "g ping") != NULL ||
        strstr(text,
               "closes: all its alerts have cleared or expired; it was told 2 times of 1 alert, "
               "0 open\n") == NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

/* What counted, and was over when the incident opened, is the beginning of its story. */
static void the_story_begins_with_what_counted_first(void **state)
{
    (void)state;
    static const struct {
        struct put put[4];
        const char *line, *member;
    } cases[] = {
        {{{0, "db/a", "one", ""}, {1000, "db/a", "one", BENCH_CLEAR}, {3000, "db/a", "two", ""}},
         T "40.000Z  t/0/0/0               rule pair counts db/a one: count() 1 of 2\n",
         "db/a one, by t/0/0/0 at " T "40.000Z, cleared before it opened\n"},
        {{{0, "db/a", "one", ""}, {30000, "db/a", "two", ""}}, /* it expires at 20 s */
         T "40.000Z  t/0/0/0               rule pair counts db/a one: count() 1 of 2\n",
         "db/a one, by t/0/0/0 at " T "40.000Z, expired before it opened\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench *bench = bench_of("rules:\n- id: pair\n  where: host == \"db\"\n  by: "
                                       "[host]\n  window: 10m\n  when: count() >= 2\n"
                                       "  incident: {title: t}\n  close: quiet(1h)\n",
                                       cases[i].put);
        char *text = story_of_first(bench);
        if (strstr(text, cases[i].line) == NULL || strstr(text, cases[i].member) == NULL)
            fail_msg("%s", text);
        free(text);
        bench_destroy(bench);
    }
}

/* An incident opens at 1 s and closes at 3 s; its alerts repeat every 20 ms, one of them on. In a
 * dense input deduplication is seconds ahead of the rules. */
static void the_story_is_told_in_order(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n- id: pair\n  where: check == \"c\"\n  by: [host]\n"
                                       "  window: 10s\n  when: count() >= 2\n"
                                       "  incident: {title: t}\n  close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char last[WHY_TIME_BYTES] = "", *rest = NULL;
    size_t lines = 0, closes = 0;

    for (int64_t at = 0; at < 9000; at += 2) {
        if (at % 20 == 0 && (at < 3000 || at > 4000))
            bench_put(feed, at, "h/a", "c", "");
        if (at % 20 == 0 && at >= 1000 && at < 3000)
            bench_put(feed, at, "h/b", "c", "");
        if (at == 3000) {
            bench_put(feed, at, "h/a", "c", BENCH_CLEAR);
            bench_put(feed, at, "h/b", "c", BENCH_CLEAR);
        }
        bench_put(feed, at, "other", "noise", "");
    }
    char *text = story_of_first(bench), *copy = strdup(text);
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, T, strlen(T)) != 0)
            continue;
        lines++;
        closes += strstr(line, "closes: ") != NULL;
        if (strncmp(line, last, 24) < 0 || (closes > 0 && strncmp(line, T "43.000Z", 24) > 0))
            fail_msg("out of order: %s\n%s", line, text);
        snprintf(last, sizeof(last), "%.24s", line);
    }
    assert_int_equal(closes, 1);
    assert_true(lines >= 8);
    free(copy);
    free(text);
    bench_destroy(bench);
}

/* The answer about a key of that input, as a person gets it. */
static char *story_of_key(const char *rules_text, const struct put *puts, const char *key)
{
    struct bench *bench = bench_of(rules_text, puts);
    struct why_question question;
    struct error err = {""};

    assert_int_equal(why_ask_whynot(key, &question, &err), 0);
    struct why *why = answer(bench, &question);
    char *text = text_of(why);
    why_destroy(why);
    bench_destroy(bench);
    return text;
}

static void what_ends_a_sequence_has_a_line_in_the_story_of_its_key(void **state)
{
    (void)state;
    char *text = story_of_key(forms, broken_story, "host=h1");

    if (strstr(text, "rule seq counts h1/a up; that ends: 1 of 2 steps: a: down on h1/a; waits for "
                     "b\n") == NULL ||
        strstr(text, "rule seq counts h1/a lost, and holds nothing of it\n") == NULL)
        fail_msg("%s", text);
    free(text);
}

static void clears_of_nothing_are_one_line(void **state)
{
    (void)state;
    static const struct put puts[] = {{0, "h", "fan", BENCH_CLEAR},
                                      {100, "h", "fan", BENCH_CLEAR},
                                      {200, "h", "fan", BENCH_CLEAR},
                                      {0, NULL, NULL, NULL}};
    char *text = story_of_key(two_names, puts, "resource=h check=fan");

    if (strstr(text, "none is open of h fan (3 of them, until " T "40.200Z)\n") == NULL)
        fail_msg("%s", text);
    free(text);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"the_verdict_is_the_first_thing_that_stopped_it", each_question_has_its_verdict, NULL,
         NULL, &(struct questions)QUESTIONS(story_rows)},
        {"a_rule_that_is_about_the_event_is_named_first", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(broad_rows)},
        cmocka_unit_test(what_a_step_did_again_is_one_line),
        cmocka_unit_test(a_dropped_clear_of_a_member_has_a_line),
        {"an_incident_that_it_is_in_is_named", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(beside_rows)},
        {"each_form_says_what_became_of_a_key", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(forms_rows)},
        {"a_sequence_that_was_ended_is_told_as_begun", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(broken_rows)},
        cmocka_unit_test(what_ends_a_sequence_has_a_line_in_the_story_of_its_key),
        cmocka_unit_test(clears_of_nothing_are_one_line),
        cmocka_unit_test(a_key_by_other_names_is_told_the_right_ones),
        {"a_rule_on_incidents_says_what_became_of_a_key", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(composed_rows)},
        {"events_that_tocsin_makes_have_their_verdict_too", each_question_has_its_verdict, NULL,
         NULL, &(struct questions)QUESTIONS(making_rows)},
        {"what_steps_made_of_an_event_decides", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(enriching_rows)},
        cmocka_unit_test(each_step_that_did_something_has_a_line),
        cmocka_unit_test(an_end_by_expiry_is_told_as_such),
        cmocka_unit_test(the_story_of_a_change_begins_with_its_incident),
        cmocka_unit_test(answers_agree_with_what_happened),
        cmocka_unit_test(repeats_that_a_rule_counts_are_one_line),
        cmocka_unit_test(the_story_begins_with_what_counted_first),
        cmocka_unit_test(the_story_is_told_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

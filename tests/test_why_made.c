/*
 * Aim: an event that tocsin makes itself, and one that steps of enrichment changed or dropped, has
 * its verdict and its lines in a story as any other. Method: as test_why.c.
 */
#include "tests/why_bench.h"

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
    /* 5 */ {31000, "n", "ping", ",\"severity\":\"info\""},
    /* 6 */ {31100, "n", "ping", ",\"severity\":\"info\""},
    /* 7 */ {31200, "m", "ping", ",\"severity\":\"info\""},
    /* 8 */ {31300, "m", "noise", ""},
    /* 9 */ {60000, "z", "noise", ""},
    {0, NULL, NULL, NULL}};

static const struct row enriching_rows[] = {
    {"an event that a step drops", enriching, enriching_story, "t/0/0", NULL, 0, true,
     "dropped by no-pings, as if it had not been sent"},
    {"its key", enriching, enriching_story, "host=a", NULL, 0, true,
     "dropped by no-pings, as if its event had not been sent: t/0/0/0 at " T "40.000Z"},
    {"one of more events", enriching, enriching_story, "host=n", NULL, 0, true,
     "dropped by no-pings, as if its events had not been sent: 2 of them, the last t/0/6/0 at "
     "2001-09-09T01:47:11.100Z"},
    {"one of which some came further", enriching, enriching_story, "host=m", NULL, 0, true,
     "rule pings: where does not hold for its only problem event, t/0/8/0 at "
     "2001-09-09T01:47:11.300Z: check == \"ping\": \"noise\" == \"ping\" is false; 1 more was "
     "dropped by no-pings, t/0/7/0 at 2001-09-09T01:47:11.200Z"},
    {"a key that a step made", enriching, enriching_story, "labels.disk=sda", NULL, 0, true,
     "rule disks: count() 1 of 2 at " T "40.100Z; the oldest left at " T "50.100Z"},
    {"where sees what steps made", enriching, enriching_story, "t/0/2", NULL, 0, true,
     "no rule matches; the nearest is rule disks: where does not hold: severity >= MAJOR: MINOR >= "
     "MAJOR is false"},
};

/* The line of each step, in the story of the event that is asked for. */
static void each_step_that_did_something_has_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *line;
    } cases[] = {
        {"t/0/1",
         "enrich disk-of-message: labels.disk = sda, severity = major, labels.level removed\n"},
        {"t/0/3", "enrich disk-of-message: severity stays as it is: the label is absent\n"},
        {"t/0/0", "info: enrich no-pings drops a ping\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench *bench = bench_of(enriching, enriching_story);
        char *text = story_of(bench, cases[i].asked);
        if (strstr(text, cases[i].line) == NULL)
            fail_msg("%s is missing in:\n%s", cases[i].line, text);
        free(text);
        bench_destroy(bench);
    }
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
               "closes: the last of its open alerts has cleared or expired, and `close` holds; "
               "alerts that joined it: 1, "
               "still open: 0; "
               "their beginnings, changes, repeats and ends: 2\n") == NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

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
    char *text = story_of(bench, MADE "15200");

    if (strstr(text, "made of incident ") == NULL ||
        strstr(text, " of rule down, which had closed: t\n") == NULL ||
        strstr(text, "clears incident ") == NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"what_steps_made_of_an_event_decides", each_question_has_its_verdict, NULL, NULL,
         &(struct questions)QUESTIONS(enriching_rows)},
        cmocka_unit_test(each_step_that_did_something_has_a_line),
        cmocka_unit_test(a_dropped_clear_of_a_member_has_a_line),
        {"events_that_tocsin_makes_have_their_verdict_too", each_question_has_its_verdict, NULL,
         NULL, &(struct questions)QUESTIONS(making_rows)},
        cmocka_unit_test(an_end_by_expiry_is_told_as_such),
        cmocka_unit_test(the_story_of_a_change_begins_with_its_incident),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

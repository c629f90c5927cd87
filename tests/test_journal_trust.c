/*
 * Aim (C7): where a recovery may differ, what the journal says stands: an incident that it knows is
 * never opened again, one that it has open gets its end, and what it does not know is told. Method:
 * a journal is written into a log on a disk in memory, incidents are told again in another way, and
 * what is to be told of each is worked out beside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/journal_trust.h"
#include "tests/sim_disk.h"

static const struct segment_config segments = {
    .folder = "data/journal", .kind = "journal", .directory = {1, 2}, .segment_bytes = 4 << 20};
static const struct journal_span first_group = {.to = 1};

static struct journal_trust *trust;
static char listed[4096]; /* "fresh 1, gone 2", as the differences come */

static void on_differs(void *self, const struct incident *incident, enum journal_difference what)
{
    static const char *const names[] = {"fresh", "gone", "other"};
    size_t at = strlen(listed);

    (void)self;
    snprintf(listed + at, sizeof(listed) - at, "%s%s %d", at > 0 ? ", " : "", names[what],
             (int)incident->id.lo);
}

/* An incident of which the number is all that matters. */
static struct incident view_of(uint64_t number, enum incident_change change)
{
    struct incident inc;

    memset((void *)&inc, 0, sizeof(inc));
    inc.id = (struct id128){number << 32, number};
    inc.change = change;
    inc.tenant = inc.title = "acme";
    inc.rule_id = inc.key = inc.tier = inc.runbook = inc.team = inc.why = inc.source = "";
    inc.resource = inc.check = inc.message = inc.host = inc.muted_by = inc.fields = "";
    return inc;
}

/* What is written, or told: "1 opened", and its ops of sinks p and q, with their numbers. */
struct told {
    uint64_t incident;
    enum incident_change change;
    uint32_t p, q; /* 0: no op of this sink */
};

static enum op_kind kind_of(enum incident_change change)
{
    return change == INCIDENT_OPENED ? OP_OPEN : change == INCIDENT_CLOSED ? OP_RESOLVE : OP_UPDATE;
}

static void put_op(struct journal_buffer *group, const struct incident *inc, const char *sink,
                   uint32_t number)
{
    if (number > 0)
        journal_put(group, &(struct journal_record){.kind = JOURNAL_OP,
                                                    .op = {{inc->id.hi + (uint64_t)sink[0], number},
                                                           inc->id,
                                                           number,
                                                           (uint8_t)kind_of(inc->change),
                                                           sink}});
}

static void put_group(struct segment_log *log, const struct told *told, size_t count)
{
    struct journal_buffer group = {0};
    struct error err = {""};

    journal_put(&group, &(struct journal_record){.kind = JOURNAL_GROUP,
                                                 .group = {0, 20, 20, 20, "tocsin x"}});
    for (size_t i = 0; i < count; i++) {
        struct journal_record record = {.kind = JOURNAL_CHANGE};
        struct incident inc = view_of(told[i].incident, told[i].change);
        memcpy((void *)&record.change, (void *)&inc, sizeof(inc));
        journal_put(&group, &record);
        put_op(&group, &inc, "p", told[i].p);
        put_op(&group, &inc, "q", told[i].q);
    }
    assert_int_equal(segment_log_append(log, JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST,
                                        group.bytes.at, group.bytes.count, NULL, &err),
                     0);
    assert_int_equal(segment_log_sync(log, &err), 0);
    journal_buffer_release(&group);
}

/* One group is the journal's; what comes behind it is of the run that recovers. */
static void begin(const struct told *told, size_t count)
{
    static const struct told later = {99, INCIDENT_OPENED, 1, 1};
    const struct journal_trust_hooks hooks = {NULL, on_differs};
    const struct segment_end end = {.next_frame = 1};
    struct segment_log *log;
    struct error err = {""};

    listed[0] = '\0';
    sim_disk_begin(1);
    assert_int_equal(segment_log_open(&segments, &end, &log, &err), 0);
    put_group(log, told, count);
    put_group(log, &later, 1);
    segment_log_destroy(log);
    assert_int_equal(journal_trust_create(&segments, &first_group, NULL, &hooks, &trust, &err), 0);
}

static void end(void)
{
    journal_trust_destroy(trust);
    sim_disk_end();
}

/* Tells one. `is_told`: whether its change is to be told; then the numbers that its ops get. */
static void tells(uint64_t number, enum incident_change change, uint32_t p, uint32_t q,
                  bool is_told, uint32_t p_told, uint32_t q_told)
{
    struct incident inc = view_of(number, change);

    assert_int_equal(journal_trust_change(trust, &inc), is_told);
    if (p > 0 && !journal_trust_op(trust, inc.id, kind_of(change), "p", &p))
        p = 0;
    if (q > 0 && !journal_trust_op(trust, inc.id, kind_of(change), "q", &q))
        q = 0;
    assert_int_equal(p, p_told);
    assert_int_equal(q, q_told);
}

static void recovered(const char *differences, uint64_t fresh, uint64_t gone, uint64_t other)
{
    uint64_t count[JOURNAL_DIFFERENCES];
    struct error err = {""};

    assert_int_equal(journal_trust_end(trust, count, &err), 0);
    assert_string_equal(listed, differences);
    assert_int_equal(count[JOURNAL_FRESH], fresh);
    assert_int_equal(count[JOURNAL_GONE], gone);
    assert_int_equal(count[JOURNAL_OTHER], other);
}

static void what_is_the_same_is_not_told_again(void **state)
{
    static const struct told journal[] = {{1, INCIDENT_OPENED, 1, 1},
                                          {2, INCIDENT_OPENED, 1, 0},
                                          {1, INCIDENT_UPDATED, 2, 0},
                                          {1, INCIDENT_CLOSED, 3, 2}};
    (void)state;
    begin(journal, 4);
    tells(1, INCIDENT_OPENED, 1, 1, false, 0, 0);
    tells(2, INCIDENT_OPENED, 1, 0, false, 0, 0);
    tells(1, INCIDENT_UPDATED, 2, 0, false, 0, 0);
    tells(1, INCIDENT_CLOSED, 3, 2, false, 0, 0);
    recovered("", 0, 0, 0);
    tells(2, INCIDENT_UPDATED, 2, 0, true, 2, 0);
    tells(2, INCIDENT_CLOSED, 3, 0, true, 3, 0);
    tells(3, INCIDENT_OPENED, 1, 1, true, 1, 1);
    tells(99, INCIDENT_OPENED, 1, 1, true, 1, 1); /* of this run */
    end();
}

static void what_the_journal_does_not_know_is_told(void **state)
{
    static const struct told journal[] = {{1, INCIDENT_OPENED, 1, 1}};
    (void)state;
    begin(journal, 1);
    tells(7, INCIDENT_OPENED, 1, 1, true, 1, 1);
    tells(1, INCIDENT_OPENED, 1, 1, false, 0, 0);
    tells(7, INCIDENT_UPDATED, 2, 2, true, 2, 2);
    recovered("fresh 7", 1, 0, 0);
    tells(7, INCIDENT_CLOSED, 3, 3, true, 3, 3);
    tells(1, INCIDENT_CLOSED, 2, 2, true, 2, 2);
    end();
}

/* 1 was resolved, and is open now: nobody is paged by it again, nor told of it. */
static void what_the_journal_has_closed_stays_closed(void **state)
{
    static const struct told journal[] = {{1, INCIDENT_OPENED, 1, 1}, {1, INCIDENT_CLOSED, 2, 2}};
    (void)state;
    begin(journal, 2);
    tells(1, INCIDENT_OPENED, 1, 1, false, 0, 0);
    tells(1, INCIDENT_UPDATED, 2, 2, false, 0, 0);
    tells(1, INCIDENT_UPDATED, 3, 3, false, 0, 0);
    recovered("other 1", 0, 0, 1);
    tells(1, INCIDENT_UPDATED, 4, 4, false, 0, 0);
    tells(1, INCIDENT_CLOSED, 5, 5, false, 0, 0);
    end();
}

/* The same where q heard nothing of 1, and nothing of the end of 2; and 3 has as many changes. */
static void what_is_closed_is_closed_for_every_sink(void **state)
{
    static const struct told journal[] = {{1, INCIDENT_OPENED, 1, 0}, {1, INCIDENT_CLOSED, 2, 0},
                                          {2, INCIDENT_OPENED, 1, 1}, {2, INCIDENT_CLOSED, 2, 0},
                                          {3, INCIDENT_OPENED, 0, 0}, {3, INCIDENT_CLOSED, 0, 0}};
    (void)state;
    begin(journal, 6);
    tells(1, INCIDENT_OPENED, 1, 0, false, 0, 0);
    tells(2, INCIDENT_OPENED, 1, 1, false, 0, 0);
    tells(3, INCIDENT_OPENED, 0, 0, false, 0, 0);
    tells(3, INCIDENT_UPDATED, 0, 0, false, 0, 0);
    recovered("other 1, other 2, other 3", 0, 0, 3);
    tells(1, INCIDENT_UPDATED, 2, 1, false, 0, 0);
    tells(2, INCIDENT_CLOSED, 2, 2, false, 0, 0);
    tells(3, INCIDENT_CLOSED, 0, 1, false, 0, 0);
    end();
}

/* 1 is open where it was sent, and is over now: it is resolved there, behind what was sent. */
static void what_the_journal_has_open_gets_its_end(void **state)
{
    static const struct told journal[] = {
        {1, INCIDENT_OPENED, 1, 1}, {1, INCIDENT_UPDATED, 2, 0}, {1, INCIDENT_UPDATED, 3, 0}};
    (void)state;
    begin(journal, 3);
    tells(1, INCIDENT_OPENED, 1, 1, false, 0, 0);
    tells(1, INCIDENT_UPDATED, 2, 2, false, 0, 0);
    tells(1, INCIDENT_CLOSED, 3, 3, true, 4, 2);
    recovered("other 1", 0, 0, 1);
    end();
}

/* Numbers of ops go on behind the journal's, whatever they are counted from now. */
static void numbers_go_on_behind_those_of_the_journal(void **state)
{
    static const struct told journal[] = {
        {1, INCIDENT_OPENED, 1, 1}, {1, INCIDENT_UPDATED, 2, 2}, {1, INCIDENT_UPDATED, 3, 0}};
    (void)state;
    begin(journal, 3);
    tells(1, INCIDENT_OPENED, 1, 1, false, 0, 0);
    recovered("other 1", 0, 0, 1);
    tells(1, INCIDENT_UPDATED, 2, 2, true, 4, 3);
    tells(1, INCIDENT_UPDATED, 3, 3, true, 5, 4);
    tells(1, INCIDENT_CLOSED, 4, 4, true, 6, 5);
    tells(1, INCIDENT_UPDATED, 5, 5, true, 0,
          0); /* which no engine would; but nothing follows a resolve */
    end();
}

/* Muted then, told now: q was told nothing, and an incident that stands is not opened there late.
 * Muted now: p has it open, and hears of it when it is told again, but not of a second opening. */
static void a_sink_that_was_told_nothing_stays_out_of_it(void **state)
{
    static const struct told journal[] = {{1, INCIDENT_OPENED, 1, 0}};
    (void)state;
    begin(journal, 1);
    tells(1, INCIDENT_OPENED, 0, 1, false, 0, 0);
    recovered("other 1", 0, 0, 1);
    tells(1, INCIDENT_UPDATED, 0, 2, true, 0, 0);
    struct incident unmuted = view_of(1, INCIDENT_UPDATED);
    uint32_t number = 1;
    assert_true(journal_trust_change(trust, &unmuted));
    assert_false(journal_trust_op(trust, unmuted.id, OP_OPEN, "p", &number));
    tells(1, INCIDENT_CLOSED, 2, 3, true, 2, 0);
    end();
}

static void what_is_not_told_any_more_is_listed(void **state)
{
    static struct told journal[3000];
    (void)state;
    for (size_t i = 0; i < 3000; i++)
        journal[i] = (struct told){i + 100, INCIDENT_OPENED, 1, 1};
    begin(journal, 3000);
    for (size_t i = 0; i < 3000; i++)
        if (i != 5 && i != 2999)
            tells(i + 100, INCIDENT_OPENED, 1, 1, false, 0, 0);
    recovered("gone 105, gone 3099", 0, 2, 0);
    tells(102, INCIDENT_UPDATED, 2, 2, true, 2, 2);
    end();

    begin(journal, 3000);
    uint64_t count[JOURNAL_DIFFERENCES];
    struct error err = {""};
    assert_int_equal(journal_trust_end(trust, count, &err), 0);
    assert_int_equal(count[JOURNAL_GONE], 3000);
    size_t commas = 0;
    for (const char *at = listed; (at = strchr(at, ',')) != NULL; at++)
        commas++;
    assert_int_equal(commas + 1, JOURNAL_LISTED_MAX);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_the_same_is_not_told_again),
        cmocka_unit_test(what_the_journal_does_not_know_is_told),
        cmocka_unit_test(what_the_journal_has_closed_stays_closed),
        cmocka_unit_test(what_is_closed_is_closed_for_every_sink),
        cmocka_unit_test(what_the_journal_has_open_gets_its_end),
        cmocka_unit_test(numbers_go_on_behind_those_of_the_journal),
        cmocka_unit_test(a_sink_that_was_told_nothing_stays_out_of_it),
        cmocka_unit_test(what_is_not_told_any_more_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

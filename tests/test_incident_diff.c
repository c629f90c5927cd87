/*
 * Aim: incidents of two runs are matched as docs/diff.md says, whatever is settled when, and
 * changing old for new mirrors the result. Method: hand-made lives of incidents with worked-out
 * groups; then random lives, compared with a model that follows the document word by word over all
 * pairs, and thousands of one kind, of which each may be looked at a few times only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "daemon/incident_diff.h"
#include "daemon/incident_match.h"
#include "tests/sanitized.h"

enum { NEAR = 100, LIVES_MAX = 64, MEMBERS_MAX = 4 };

/* An incident's whole life as a test writes it: rule r, key k, P3 and severity 4 where not given.
 */
struct life {
    int side;
    uint64_t id;
    const char *rule, *key;
    int64_t opened, closed; /* closed 0: open at the end */
    const char *alerts;     /* one letter each; members from the opening on */
    int priority, severity;
    const char *team, *title;
    int pages;
    int64_t told; /* how long after the opening, if there are pages */
};

static struct incident *incident_of(const struct life *life, enum incident_change change)
{
    struct incident *incident = calloc(1, sizeof(*incident));
    static const char none[] = "";

    atomic_init(&incident->refs, 1);
    incident->block_bytes = sizeof(*incident);
    incident->id = (struct id128){life->id, hash_mix(life->id)};
    incident->change = change;
    incident->at_ms = change == INCIDENT_OPENED ? life->opened : life->closed;
    incident->opened_ms = life->opened;
    incident->priority = life->priority != 0 ? (uint8_t)life->priority : PRIORITY_P3;
    incident->severity = life->severity != 0 ? (uint8_t)life->severity : 4;
    incident->tenant = incident->tier = incident->runbook = incident->why = none;
    incident->source = incident->resource = incident->check = incident->message = none;
    incident->host = none;
    incident->rule_id = life->rule != NULL ? life->rule : "r";
    incident->key = life->key != NULL ? life->key : "k";
    incident->title = life->title != NULL ? life->title : none;
    incident->team = life->team != NULL ? life->team : none;
    return incident;
}

static struct id128 alert_of(char letter)
{
    return (struct id128){(uint64_t)letter, 7};
}

/* The sinks are told by an op each, those of the new run once more by an update, which is no page
 * and changes nothing of when they were told. */
static void tell_sinks(struct incident_diff *diff, enum diff_side side, const struct life *life)
{
    struct incident *incident = incident_of(life, INCIDENT_UPDATED);

    for (int p = 0; p < (life->side == DIFF_NEW ? 2 : 1) * life->pages; p++) {
        struct op op = {.sink = (uint16_t)(p % life->pages),
                        .kind = p < life->pages ? OP_OPEN : OP_UPDATE,
                        .incident = incident};
        incident->at_ms = life->opened + life->told + p / life->pages;
        incident_diff_op(diff, side, &op);
    }
    incident_unref(incident);
}

/* Tells both runs in the order of time; settles after every step if so asked. */
static struct incident_diff *diff_of(const struct life *lives, size_t count, bool swap,
                                     bool settles)
{
    const struct incident_diff_config config = {
        .near_ms = NEAR, .bytes_max = UINT64_MAX, .examples_max = 5};
    struct incident_diff *diff = incident_diff_create(&config);
    int64_t last = 0;

    for (size_t i = 0; i < count; i++) {
        last = lives[i].opened > last ? lives[i].opened : last;
        last = lives[i].closed > last ? lives[i].closed : last;
        last = lives[i].opened + lives[i].told > last ? lives[i].opened + lives[i].told : last;
    }
    for (int64_t t = 0; t <= last; t++) {
        for (size_t i = 0; i < count; i++) {
            enum diff_side side = (enum diff_side)(swap ? !lives[i].side : lives[i].side);
            for (int what = 0; what < 2; what++) {
                if (t != (what == 0 ? lives[i].opened : lives[i].closed))
                    continue;
                struct incident *incident =
                    incident_of(&lives[i], what == 0 ? INCIDENT_OPENED : INCIDENT_CLOSED);
                incident_diff_told(diff, side, incident);
                for (const char *a = lives[i].alerts; what == 0 && a != NULL && *a != '\0'; a++)
                    incident_diff_joined(diff, side, incident->id, alert_of(*a), t);
                incident_unref(incident);
            }
            if (t == lives[i].opened + lives[i].told)
                tell_sinks(diff, side, &lives[i]);
        }
        incident_diff_passed(diff, DIFF_OLD, t + 1);
        incident_diff_passed(diff, DIFF_NEW, t + 1);
        if (settles)
            incident_diff_settle(diff);
    }
    incident_diff_ended(diff, DIFF_OLD);
    incident_diff_ended(diff, DIFF_NEW);
    return diff;
}

struct expected {
    uint64_t same, changed[DIFF_KINDS];
};

static void assert_row(const struct diff_row *row, const struct expected *expected, bool swap)
{
    assert_int_equal(row->same, expected->same);
    for (int k = 0; k < DIFF_KINDS; k++)
        assert_int_equal(
            row->changed[swap ? diff_kind_mirror((enum diff_kind)k) : (enum diff_kind)k],
            expected->changed[k]);
}

static void expect(const struct life *lives, size_t count, struct expected expected)
{
    for (int how = 0; how < 4; how++) {
        struct incident_diff *diff = diff_of(lives, count, how & 1, how >> 1);
        assert_row(&incident_diff_result(diff)->total, &expected, how & 1);
        incident_diff_destroy(diff);
    }
}

#define LIFE(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define EXPECT(lives, ...)                                                                         \
    expect(lives, sizeof(lives) / sizeof((lives)[0]), (struct expected){__VA_ARGS__})
#define OLD .side = DIFF_OLD
#define NEW .side = DIFF_NEW

static void what_is_equal_is_the_same(void **state)
{
    (void)state;
    const struct life lives[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .alerts = "ab"),
                                 LIFE(NEW, .id = 1, .opened = 10, .closed = 20, .alerts = "ab"),
                                 LIFE(OLD, .id = 2, .opened = 30),
                                 LIFE(NEW, .id = 2, .opened = 30)};
    EXPECT(lives, .same = 2);
}

static void what_has_no_like_is_lost_or_gained(void **state)
{
    (void)state;
    const struct life lives[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .alerts = "a"),
        LIFE(NEW, .id = 2, .opened = 10, .closed = 20, .alerts = "b", .key = "other"),
        LIFE(NEW, .id = 3, .opened = 10, .closed = 20, .alerts = "c", .rule = "other")};
    EXPECT(lives, .changed[DIFF_LOST] = 1, .changed[DIFF_GAINED] = 2);
}

static void each_change_of_a_pair_counts(void **state)
{
    (void)state;
    const struct life retimed[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20),
                                   LIFE(NEW, .id = 1, .opened = 10, .closed = 21)};
    const struct life unclosed[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20),
                                    LIFE(NEW, .id = 1, .opened = 10)};
    const struct life urgent[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .priority = 2, .pages = 1),
        LIFE(NEW, .id = 1, .opened = 10, .closed = 20, .priority = 3)};
    const struct life worse[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .severity = 3),
                                 LIFE(NEW, .id = 1, .opened = 10, .closed = 20)};
    const struct life team[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .team = "a"),
                                LIFE(NEW, .id = 1, .opened = 10, .closed = 20, .team = "b")};
    const struct life title[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .title = "a"),
                                 LIFE(NEW, .id = 1, .opened = 10, .closed = 20, .title = "b")};

    EXPECT(retimed, .changed[DIFF_RETIMED] = 1);
    EXPECT(unclosed, .changed[DIFF_RETIMED] = 1);
    EXPECT(urgent, .changed[DIFF_PRIORITY] = 1, .changed[DIFF_ROUTE] = 1,
           .changed[DIFF_NEVER_TOLD] = 1);
    EXPECT(worse, .changed[DIFF_SEVERITY] = 1);
    EXPECT(team, .changed[DIFF_ROUTE] = 1);
    EXPECT(title, .changed[DIFF_REWORDED] = 1);
}

/* Something muted it for a while, or to its end; or it opened later. */
static void when_somebody_is_told_counts(void **state)
{
    (void)state;
    const struct life muted[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 90, .pages = 2, .told = 70),
        LIFE(NEW, .id = 1, .opened = 10, .closed = 90, .pages = 2, .told = 20)};
    const struct life alike[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 90, .pages = 1, .told = 20),
        LIFE(NEW, .id = 1, .opened = 10, .closed = 90, .pages = 1, .told = 20)};
    const struct life never[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 90),
                                 LIFE(NEW, .id = 1, .opened = 10, .closed = 90, .pages = 1)};
    const struct life later[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 90, .pages = 1, .team = "a"),
        LIFE(NEW, .id = 2, .opened = 11, .closed = 90, .pages = 1, .team = "a")};

    EXPECT(muted, .changed[DIFF_TOLD_SOONER] = 1);
    EXPECT(alike, .same = 1);
    EXPECT(never, .changed[DIFF_ROUTE] = 1, .changed[DIFF_NEWLY_TOLD] = 1);
    EXPECT(later, .changed[DIFF_RETIMED] = 1, .changed[DIFF_TOLD_LATER] = 1);

    struct incident_diff *diff = diff_of(later, 2, false, false);
    const struct diff_result *result = incident_diff_result(diff);
    assert_int_equal(result->rules[0].changed[DIFF_TOLD_LATER], 1);
    assert_int_equal(result->teams[0].changed[DIFF_TOLD_LATER], 1);
    incident_diff_destroy(diff);
}

/* A rule looks at its events by other fields: its alerts tell who belongs together. */
static void another_key_is_a_change(void **state)
{
    (void)state;
    const struct life keys[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .alerts = "a", .key = "host=h check=c"),
        LIFE(NEW, .id = 2, .opened = 10, .closed = 20, .alerts = "a", .key = "host=h")};

    EXPECT(keys, .changed[DIFF_REGROUPED] = 1);
}

/* Ids differ: another event opened it, or the rule has another name. */
static void a_key_or_an_alert_finds_what_ids_do_not(void **state)
{
    (void)state;
    const struct life later[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20),
                                 LIFE(NEW, .id = 2, .opened = 15, .closed = 20)};
    const struct life renamed[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .alerts = "xa"),
        LIFE(NEW, .id = 2, .opened = 10, .closed = 20, .alerts = "ya", .rule = "s")};

    EXPECT(later, .changed[DIFF_RETIMED] = 1);
    EXPECT(renamed, .changed[DIFF_REWORDED] = 1);
}

static void incidents_become_one_and_one_becomes_many(void **state)
{
    (void)state;
    /* A longer quiet time: one incident where there were two; it has the id of the first. */
    const struct life joined[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20),
                                  LIFE(OLD, .id = 2, .opened = 25, .closed = 35),
                                  LIFE(NEW, .id = 1, .opened = 10, .closed = 35)};
    /* Two rules become one: only their alerts tell. */
    const struct life across[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .alerts = "a", .rule = "cpu"),
        LIFE(OLD, .id = 2, .opened = 12, .closed = 22, .alerts = "b", .rule = "disk"),
        LIFE(NEW, .id = 3, .opened = 11, .closed = 22, .alerts = "ab", .rule = "host")};
    /* o2 finds n1, n2 finds o1. */
    const struct life across_both[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 50),
        LIFE(NEW, .id = 1, .opened = 10, .closed = 30),
        LIFE(NEW, .id = 2, .opened = 35, .closed = 45),
        LIFE(OLD, .id = 3, .opened = 12, .closed = 20, .rule = "s", .alerts = "a"),
        LIFE(NEW, .id = 4, .opened = 60, .closed = 70, .rule = "t", .alerts = "a")};

    EXPECT(joined, .changed[DIFF_MERGED] = 1);
    EXPECT(across, .changed[DIFF_MERGED] = 1);
    EXPECT(across_both, .changed[DIFF_SPLIT] = 1, .changed[DIFF_RETIMED] = 1,
           .changed[DIFF_REWORDED] = 1);
}

/* A rule is added, or taken away, over alerts that another rule has incidents of: that rule's own
 * are what they were. */
static void a_rule_more_leaves_the_others_alone(void **state)
{
    (void)state;
    const struct life more[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 50, .alerts = "ab", .rule = "disk"),
        LIFE(NEW, .id = 1, .opened = 10, .closed = 50, .alerts = "ab", .rule = "disk"),
        LIFE(NEW, .id = 2, .opened = 12, .closed = 40, .alerts = "a", .rule = "extra"),
        LIFE(NEW, .id = 3, .opened = 12, .closed = 40, .alerts = "b", .rule = "extra")};
    /* Also where it opens at another time now, which only its key tells. */
    const struct life later[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 50, .alerts = "a", .rule = "disk"),
        LIFE(NEW, .id = 2, .opened = 20, .closed = 50, .alerts = "a", .rule = "disk"),
        LIFE(NEW, .id = 3, .opened = 12, .closed = 40, .alerts = "a", .rule = "extra")};

    EXPECT(more, .same = 1, .changed[DIFF_GAINED] = 2);
    EXPECT(later, .changed[DIFF_RETIMED] = 1, .changed[DIFF_GAINED] = 1);
}

static void several_may_become_several(void **state)
{
    (void)state;
    /* n2 has most of its alerts with o1, o2 with n1, and o1 with n1. */
    const struct life lives[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 50, .alerts = "abc"),
        LIFE(NEW, .id = 2, .opened = 10, .closed = 50, .alerts = "abd", .rule = "r2"),
        LIFE(NEW, .id = 3, .opened = 12, .closed = 20, .alerts = "c", .rule = "s"),
        LIFE(OLD, .id = 4, .opened = 13, .closed = 20, .alerts = "d", .rule = "t")};
    EXPECT(lives, .changed[DIFF_REGROUPED] = 1);
}

/* Two that are alone may lie NEAR apart; one that has its like has to be overlapped. */
static void how_near_is_near(void **state)
{
    (void)state;
    const struct life near[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20),
                                LIFE(NEW, .id = 2, .opened = 120, .closed = 130)};
    const struct life far[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20),
                               LIFE(NEW, .id = 2, .opened = 121, .closed = 130)};
    const struct life taken[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20),
                                 LIFE(NEW, .id = 1, .opened = 10, .closed = 20),
                                 LIFE(NEW, .id = 2, .opened = 21, .closed = 30)};
    const struct life touching[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20),
                                    LIFE(NEW, .id = 1, .opened = 10, .closed = 20),
                                    LIFE(NEW, .id = 2, .opened = 20, .closed = 30)};

    EXPECT(near, .changed[DIFF_RETIMED] = 1);
    EXPECT(far, .changed[DIFF_LOST] = 1, .changed[DIFF_GAINED] = 1);
    EXPECT(taken, .same = 1, .changed[DIFF_GAINED] = 1);
    EXPECT(touching, .changed[DIFF_SPLIT] = 1);
}

static void more_alerts_then_longer_together_then_nearer_decide(void **state)
{
    (void)state;
    const struct life alerts[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 90, .alerts = "abc"),
        LIFE(NEW, .id = 2, .opened = 10, .closed = 90, .alerts = "axy", .rule = "s"),
        LIFE(NEW, .id = 3, .opened = 60, .closed = 70, .alerts = "bc", .rule = "t")};
    struct incident_diff *diff = diff_of(alerts, 3, false, false);
    const struct diff_result *result = incident_diff_result(diff);

    /* Both of the new come to the one old: a split. The old one's own choice shows in neither. */
    assert_int_equal(result->total.changed[DIFF_SPLIT], 1);
    incident_diff_destroy(diff);
    /* With a like of its own for the first, the third is the choice: they make a pair. */
    const struct life pair[] = {
        LIFE(OLD, .id = 2, .opened = 10, .closed = 50, .alerts = "axy", .rule = "s"),
        LIFE(NEW, .id = 2, .opened = 10, .closed = 50, .alerts = "axy", .rule = "s"),
        LIFE(OLD, .id = 1, .opened = 55, .closed = 90, .alerts = "abc"),
        LIFE(NEW, .id = 3, .opened = 60, .closed = 70, .alerts = "bc", .rule = "t")};
    EXPECT(pair, .same = 1, .changed[DIFF_RETIMED] = 1, .changed[DIFF_REWORDED] = 1);
}

static void rows_and_pages_are_summed(void **state)
{
    (void)state;
    const struct life lives[] = {
        LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .alerts = "a", .rule = "cpu", .team = "x",
             .pages = 2),
        LIFE(OLD, .id = 2, .opened = 12, .closed = 22, .alerts = "b", .rule = "disk", .team = "x",
             .pages = 1),
        LIFE(NEW, .id = 3, .opened = 11, .closed = 22, .alerts = "ab", .rule = "host", .team = "y",
             .pages = 1),
        LIFE(NEW, .id = 4, .opened = 400, .closed = 410, .rule = "host", .team = "y", .pages = 1)};
    struct incident_diff *diff = diff_of(lives, 4, false, true);
    const struct diff_result *result = incident_diff_result(diff);

    assert_int_equal(result->total.pages[DIFF_OLD], 3);
    assert_int_equal(result->total.pages[DIFF_NEW], 2);
    assert_int_equal(result->rule_count, 3);
    assert_string_equal(result->rules[0].name, "cpu");
    assert_int_equal(result->rules[0].changed[DIFF_MERGED], 1);
    assert_int_equal(result->rules[0].pages[DIFF_OLD], 2);
    assert_int_equal(result->rules[1].changed[DIFF_MERGED], 1);
    assert_int_equal(result->rules[2].changed[DIFF_MERGED], 1);
    assert_int_equal(result->rules[2].changed[DIFF_GAINED], 1);
    assert_int_equal(result->rules[2].incidents[DIFF_NEW], 2);
    assert_int_equal(result->team_count, 2); /* the merge counts once for x, though two are of x */
    assert_int_equal(result->teams[0].changed[DIFF_MERGED], 1);
    assert_int_equal(result->teams[0].incidents[DIFF_OLD], 2);
    /* Examples stand with the rule of their first incident. */
    assert_int_equal(result->rules[0].example_count[DIFF_MERGED], 1);
    assert_int_equal(result->rules[0].examples[DIFF_MERGED][0].count[DIFF_OLD], 2);
    assert_string_equal(
        result->rules[0].examples[DIFF_MERGED][0].shown[DIFF_NEW][0].opened->rule_id, "host");
    assert_int_equal(result->rules[2].example_count[DIFF_GAINED], 1);
    incident_diff_destroy(diff);
}

/* Whatever is settled when: those that opened first, by their ids where they opened together. The
 * earliest ends last, so that it is settled last. */
static void examples_are_the_earliest_in_order(void **state)
{
    (void)state;
    const struct life lives[] = {
        LIFE(NEW, .id = 6, .opened = 60, .closed = 61, .key = "a"),
        LIFE(NEW, .id = 9, .opened = 10, .closed = 500, .key = "b"),
        LIFE(NEW, .id = 2, .opened = 50, .closed = 51, .key = "c"),
        LIFE(NEW, .id = 8, .opened = 20, .closed = 400, .key = "d"),
        LIFE(NEW, .id = 1, .opened = 40, .closed = 41, .key = "e"),
        LIFE(NEW, .id = 7, .opened = 30, .closed = 300, .key = "f"),
        LIFE(NEW, .id = 3, .opened = 10, .closed = 11, .key = "g"),
    };
    static const uint64_t ids[] = {3, 9, 8, 7, 1}; /* five are kept */

    for (int how = 0; how < 4; how++) {
        struct incident_diff *diff = diff_of(lives, 7, how & 1, how >> 1);
        enum diff_kind kind = how & 1 ? DIFF_LOST : DIFF_GAINED;
        const struct diff_row *row = &incident_diff_result(diff)->rules[0];
        assert_int_equal(row->changed[kind], 7);
        assert_int_equal(row->example_count[kind], 5);
        for (size_t i = 0; i < 5; i++) {
            const struct diff_example *example = &row->examples[kind][i];
            assert_int_equal(example->shown[how & 1 ? DIFF_OLD : DIFF_NEW][0].opened->id.hi,
                             ids[i]);
            assert_int_equal(example->kinds, 1u << kind);
        }
        incident_diff_destroy(diff);
    }
}

/* The rule of what opened first, on whatever side; and of several kinds the first. */
static void an_example_stands_with_its_first_incident_and_kind(void **state)
{
    (void)state;
    const struct life split[] = {
        LIFE(OLD, .id = 1, .opened = 20, .closed = 50, .alerts = "xy", .rule = "a"),
        LIFE(NEW, .id = 2, .opened = 12, .closed = 50, .alerts = "y", .rule = "c"),
        LIFE(NEW, .id = 3, .opened = 10, .closed = 50, .alerts = "x", .rule = "b")};
    const struct life several[] = {LIFE(OLD, .id = 1, .opened = 10, .closed = 20, .priority = 2),
                                   LIFE(NEW, .id = 1, .opened = 10, .closed = 21, .priority = 3)};

    for (int swap = 0; swap < 2; swap++) {
        struct incident_diff *diff = diff_of(split, 3, swap, false);
        const struct diff_row *rules = incident_diff_result(diff)->rules;
        enum diff_kind kind = swap ? DIFF_MERGED : DIFF_SPLIT;
        assert_int_equal(rules[0].example_count[kind], 0);
        assert_int_equal(rules[1].example_count[kind], 1);
        assert_int_equal(rules[2].example_count[kind], 0);
        incident_diff_destroy(diff);
    }
    struct incident_diff *diff = diff_of(several, 2, false, false);
    const struct diff_row *row = &incident_diff_result(diff)->rules[0];
    assert_int_equal(row->example_count[DIFF_PRIORITY], 1);
    assert_int_equal(row->example_count[DIFF_RETIMED], 0);
    assert_int_equal(row->examples[DIFF_PRIORITY][0].kinds,
                     1u << DIFF_PRIORITY | 1u << DIFF_RETIMED);
    incident_diff_destroy(diff);
}

static void an_example_shows_the_first_eight(void **state)
{
    (void)state;
    struct life lives[11] = {LIFE(NEW, .id = 100, .opened = 1, .closed = 90)};

    for (int i = 0; i < 10; i++)
        lives[1 + i] = (struct life){OLD, .id = (uint64_t)(20 - i), .opened = 10 + i * 5,
                                     .closed = 11 + i * 5};
    struct incident_diff *diff = diff_of(lives, 11, false, false);
    const struct diff_row *row = &incident_diff_result(diff)->rules[0];
    assert_int_equal(row->example_count[DIFF_MERGED], 1);
    const struct diff_example *example = &row->examples[DIFF_MERGED][0];
    assert_int_equal(example->count[DIFF_OLD], 10);
    assert_int_equal(example->count[DIFF_NEW], 1);
    assert_int_equal(example->at_ms, 1);
    for (int i = 0; i < 8; i++)
        assert_int_equal(example->shown[DIFF_OLD][i].opened->opened_ms, 10 + i * 5);
    incident_diff_destroy(diff);
}

static void tell_many(struct incident_diff *diff, int side, uint64_t first, int count, bool closes)
{
    for (int i = 0; i < count; i++) {
        struct life life = {.id = first + (uint64_t)i, .opened = 10, .closed = 20};
        struct incident *opened = incident_of(&life, INCIDENT_OPENED);
        struct incident *closed = incident_of(&life, INCIDENT_CLOSED);
        incident_diff_told(diff, (enum diff_side)side, opened);
        if (closes)
            incident_diff_told(diff, (enum diff_side)side, closed);
        incident_unref(opened);
        incident_unref(closed);
    }
}

static void at_twice_the_bound_it_fails(void **state)
{
    (void)state;
    const struct incident_diff_config config = {.near_ms = NEAR, .bytes_max = 100000};
    struct incident_diff *diff = incident_diff_create(&config);
    struct error why = {""};

    /* Open, so that nothing can be settled; an incident with its words is above 200 bytes. */
    incident_diff_passed(diff, DIFF_NEW, 1000);
    tell_many(diff, DIFF_OLD, 1, 400, false);
    incident_diff_passed(diff, DIFF_OLD, 100); /* behind: does not wait */
    assert_true(incident_diff_is_well(diff, &why));
    tell_many(diff, DIFF_OLD, 1001, 600, false);
    incident_diff_passed(diff, DIFF_OLD, 200);
    assert_false(incident_diff_is_well(diff, &why));
    assert_non_null(strstr(why.text, "twice 100000 bytes do not hold"));
    incident_diff_destroy(diff);
}

static void *pass_new(void *self)
{
    incident_diff_passed(self, DIFF_NEW, 1000);
    return NULL;
}

static void who_is_ahead_waits_at_the_bound(void **state)
{
    (void)state;
    const struct incident_diff_config config = {.near_ms = NEAR, .bytes_max = 100000};
    struct incident_diff *diff = incident_diff_create(&config);
    struct error why = {""};
    pthread_t ahead;

    tell_many(diff, DIFF_NEW, 1, 400, true); /* above the bound, and not twice as much */
    assert_int_equal(pthread_create(&ahead, NULL, pass_new, diff), 0);
    /* Only when this side has passed them too may they go: the other comes back from its wait. */
    incident_diff_passed(diff, DIFF_OLD, 50);
    incident_diff_passed(diff, DIFF_OLD, 1000);
    assert_int_equal(pthread_join(ahead, NULL), 0);
    assert_true(incident_diff_is_well(diff, &why));
    incident_diff_ended(diff, DIFF_OLD);
    incident_diff_ended(diff, DIFF_NEW);
    assert_int_equal(incident_diff_result(diff)->total.changed[DIFF_GAINED], 400);
    incident_diff_destroy(diff);
}

/* --- random lives against a model ---------------------------------------------------------- */

static uint64_t seed;

static unsigned pick(unsigned below)
{
    seed += 0x9e3779b97f4a7c15ULL;
    return (unsigned)(hash_mix(seed) % below);
}

static size_t random_lives(struct life lives[LIVES_MAX], char alerts[LIVES_MAX][MEMBERS_MAX + 1])
{
    static const char *const rules[] = {"r", "s", "t"}, *const keys[] = {"k", "l"};
    size_t count = 2 + pick(LIVES_MAX - 2);

    for (size_t i = 0; i < count; i++) {
        struct life *life = &lives[i];
        int64_t opened = 1 + (int64_t)pick(1200);
        *life = (struct life){.side = (int)pick(2),
                              .id = 1000 + i,
                              .rule = rules[pick(3)],
                              .key = keys[pick(2)],
                              .opened = opened,
                              .closed = pick(20) == 0 ? 0 : opened + 1 + (int64_t)pick(150),
                              .priority = 1 + (int)pick(2),
                              .severity = 3,
                              .pages = (int)pick(2),
                              .told = (int64_t)pick(3)};
        int n = (int)pick(MEMBERS_MAX + 1);
        for (int a = 0; a < n; a++)
            alerts[i][a] = (char)('a' + 3 * a + (int)pick(3)); /* all different */
        alerts[i][n] = '\0';
        life->alerts = alerts[i];
        if (i > 0 && pick(4) == 0 && lives[i - 1].id != 1) { /* a like of the one before */
            life->side = !lives[i - 1].side;
            life->id = lives[i - 1].id;
            life->rule = lives[i - 1].rule;
            life->key = lives[i - 1].key;
            life->opened = lives[i - 1].opened;
            life->closed = pick(2) == 0 ? lives[i - 1].closed : life->opened + 5;
            if (i > 1 && lives[i - 2].id == life->id) /* ids are unique on a side */
                life->id = 5000 + i;
        }
    }
    return count;
}

/* One rule and one key, and times that are often the same. */
static size_t crowded_lives(struct life lives[LIVES_MAX], char alerts[LIVES_MAX][MEMBERS_MAX + 1])
{
    size_t count = random_lives(lives, alerts);
    int64_t step = 1 + (int64_t)pick(60);

    for (size_t i = 0; i < count; i++) {
        lives[i].id = 1000 + i;
        lives[i].rule = "r";
        lives[i].key = pick(10) == 0 ? "l" : "k";
        lives[i].opened = 1 + step * (int64_t)pick(12);
        lives[i].closed = pick(20) == 0 ? 0 : lives[i].opened + step * (int64_t)(1 + pick(4));
        if (i > 0 && pick(8) == 0 && lives[i - 1].side != lives[i].side &&
            (i < 2 || lives[i - 2].id != lives[i - 1].id)) {
            lives[i].id = lives[i - 1].id;
            lives[i].key = lives[i - 1].key;
            lives[i].opened = lives[i - 1].opened;
            lives[i].closed = lives[i].opened + step;
        }
    }
    return count;
}

struct model {
    const struct life *lives;
    size_t count;
    size_t group[LIVES_MAX];
    bool joined[LIVES_MAX];
    size_t partner[LIVES_MAX];
};

static int64_t end_of(const struct life *life)
{
    return life->closed != 0 ? life->closed : INT64_MAX / 2;
}

static int64_t together(const struct life *a, const struct life *b)
{
    int64_t from = a->opened > b->opened ? a->opened : b->opened;
    int64_t to = end_of(a) < end_of(b) ? end_of(a) : end_of(b);
    return to - from;
}

static int shared(const struct life *a, const struct life *b)
{
    int count = 0;
    for (const char *x = a->alerts; *x != '\0'; x++)
        count += strchr(b->alerts, *x) != NULL;
    return count;
}

static void model_join(struct model *m, size_t a, size_t b)
{
    size_t from = m->group[a], to = m->group[b];
    for (size_t i = 0; i < m->count; i++)
        if (m->group[i] == from)
            m->group[i] = to;
    m->joined[a] = m->joined[b] = true;
}

static bool id_before(const struct life *a, const struct life *b)
{
    return a->opened != b->opened ? a->opened < b->opened : a->id < b->id;
}

static void model_stage(struct model *m, bool by_alerts)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct life *x = &m->lives[i];
        m->partner[i] = SIZE_MAX;
        for (size_t k = 0; k < m->count && !m->joined[i]; k++) {
            if (by_alerts && m->joined[k])
                continue;
            const struct life *y = &m->lives[k];
            bool fits = by_alerts ? shared(x, y) > 0
                                  : strcmp(x->rule, y->rule) == 0 && strcmp(x->key, y->key) == 0;
            if (x->side == y->side || !fits || together(x, y) < (m->joined[k] ? 0 : -NEAR))
                continue;
            const struct life *z = m->partner[i] != SIZE_MAX ? &m->lives[m->partner[i]] : NULL;
            bool better = z == NULL;
            if (z != NULL) {
                int more = by_alerts ? shared(x, y) - shared(x, z) : 0;
                int64_t longer = together(x, y) - together(x, z);
                int64_t nearer = llabs(x->opened - z->opened) - llabs(x->opened - y->opened);
                better = more != 0     ? more > 0
                         : longer != 0 ? longer > 0
                         : nearer != 0 ? nearer > 0
                                       : id_before(y, z);
            }
            if (better)
                m->partner[i] = k;
        }
    }
    for (size_t i = 0; i < m->count; i++)
        if (m->partner[i] != SIZE_MAX)
            model_join(m, i, m->partner[i]);
}

static struct expected model_of(const struct life *lives, size_t count)
{
    struct model m = {.lives = lives, .count = count};
    struct expected e = {0};

    for (size_t i = 0; i < count; i++)
        m.group[i] = i;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (lives[i].id == lives[k].id && lives[i].side != lives[k].side)
                model_join(&m, i, k);
    model_stage(&m, false);
    model_stage(&m, true);
    for (size_t g = 0; g < count; g++) {
        const struct life *one[2] = {NULL, NULL};
        int n[2] = {0, 0};
        for (size_t i = 0; i < count; i++)
            if (m.group[i] == g) {
                n[lives[i].side]++;
                one[lives[i].side] = &lives[i];
            }
        if (n[0] == 1 && n[1] == 1) {
            bool priority = one[0]->priority != one[1]->priority;
            bool route = one[0]->pages != one[1]->pages;
            bool retimed = one[0]->opened != one[1]->opened || one[0]->closed != one[1]->closed;
            int64_t told[2];
            for (int s = 0; s < 2; s++)
                told[s] = one[s]->pages > 0 ? one[s]->opened + one[s]->told : INT64_MAX;
            enum diff_kind kind = told[1] == INT64_MAX   ? DIFF_NEVER_TOLD
                                  : told[0] == INT64_MAX ? DIFF_NEWLY_TOLD
                                  : told[1] < told[0]    ? DIFF_TOLD_SOONER
                                                         : DIFF_TOLD_LATER;
            bool regrouped = strcmp(one[0]->key, one[1]->key) != 0;
            bool reworded = strcmp(one[0]->rule, one[1]->rule) != 0;
            e.changed[DIFF_PRIORITY] += priority;
            e.changed[DIFF_ROUTE] += route;
            e.changed[DIFF_RETIMED] += retimed;
            e.changed[DIFF_REWORDED] += reworded;
            e.changed[DIFF_REGROUPED] += regrouped;
            e.changed[kind] += told[0] != told[1];
            e.same +=
                !priority && !route && !retimed && !reworded && !regrouped && told[0] == told[1];
        } else if (n[0] + n[1] > 0) {
            e.changed[n[0] == 0   ? DIFF_GAINED
                      : n[1] == 0 ? DIFF_LOST
                      : n[1] == 1 ? DIFF_MERGED
                      : n[0] == 1 ? DIFF_SPLIT
                                  : DIFF_REGROUPED]++;
        }
    }
    return e;
}

static void agree_with_the_model(size_t (*make)(struct life lives[LIVES_MAX],
                                                char alerts[LIVES_MAX][MEMBERS_MAX + 1]))
{
    struct life lives[LIVES_MAX];
    char alerts[LIVES_MAX][MEMBERS_MAX + 1];
    uint64_t first;

    host()->random(host()->self, &first, sizeof(first));
    for (uint64_t i = 0; i < ROUNDS(3000, 200); i++) {
        struct expected expected;
        seed = first + i * 1000003;
        size_t count = make(lives, alerts);
        expected = model_of(lives, count);
        for (int how = 0; how < 4; how++) {
            struct incident_diff *diff =
                i % 20 == 0 || how < 2 ? diff_of(lives, count, how & 1, how >> 1) : NULL;
            if (diff == NULL)
                continue;
            const struct diff_row *total = &incident_diff_result(diff)->total;
            for (int k = 0; k < DIFF_KINDS; k++) {
                int mine = (how & 1) ? (int)diff_kind_mirror((enum diff_kind)k) : k;
                if (total->changed[mine] != expected.changed[k])
                    fail_msg("seed %llu, run %d: %s is %llu, the model says %llu",
                             (unsigned long long)(first + i * 1000003), how,
                             diff_kind_name((enum diff_kind)k),
                             (unsigned long long)total->changed[mine],
                             (unsigned long long)expected.changed[k]);
            }
            assert_int_equal(total->same, expected.same);
            incident_diff_destroy(diff);
        }
    }
}

static void random_lives_agree_with_the_model(void **state)
{
    (void)state;
    agree_with_the_model(random_lives);
}

static void crowded_lives_agree_with_the_model(void **state)
{
    (void)state;
    agree_with_the_model(crowded_lives);
}

/* --- many of one kind ----------------------------------------------------------------------- */

enum { CROWD = 3000, CROWD_NEAR = 4 * CROWD };

/* `CROWD` incidents of each run, all within the nearness of each other, those of the new run a
 * little later; by one key, or by one alert under another rule. */
static struct incident_diff *crowd(const char *new_rule)
{
    const struct incident_diff_config config = {.near_ms = CROWD_NEAR, .bytes_max = UINT64_MAX};
    struct incident_diff *diff = incident_diff_create(&config);

    for (int i = 0; i < CROWD; i++)
        for (int side = 0; side < DIFF_SIDES; side++) {
            struct life life = {.side = side,
                                .id = (uint64_t)(2 * i + side + 1),
                                .rule = side == DIFF_OLD ? "r" : new_rule,
                                .opened = 4 * i + side + 1,
                                .closed = 4 * i + 3};
            struct incident *opened = incident_of(&life, INCIDENT_OPENED);
            struct incident *closed = incident_of(&life, INCIDENT_CLOSED);
            incident_diff_told(diff, (enum diff_side)side, opened);
            incident_diff_joined(diff, (enum diff_side)side, opened->id, alert_of('a'),
                                 life.opened);
            incident_diff_told(diff, (enum diff_side)side, closed);
            incident_unref(opened);
            incident_unref(closed);
        }
    incident_diff_ended(diff, DIFF_OLD);
    incident_diff_ended(diff, DIFF_NEW);
    return diff;
}

static void a_crowd_of_one_key_costs_each_a_few_looks(void **state)
{
    (void)state;
    struct incident_diff *diff = crowd("r");
    const struct diff_result *result = incident_diff_result(diff);

    assert_int_equal(result->total.changed[DIFF_RETIMED], CROWD);
    assert_int_equal(result->nearest_only, 0);
    assert_in_range(result->weighed, CROWD, 2 * 6 * CROWD);
    incident_diff_destroy(diff);
}

static void of_a_crowd_with_one_alert_the_nearest_are_looked_at(void **state)
{
    (void)state;
    struct incident_diff *diff = crowd("s");
    const struct diff_result *result = incident_diff_result(diff);

    assert_int_equal(result->total.changed[DIFF_REWORDED], CROWD);
    assert_int_equal(result->nearest_only, 2 * CROWD);
    assert_in_range(result->weighed, CROWD, 2 * 2 * MATCH_NEAREST * CROWD);
    incident_diff_destroy(diff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_equal_is_the_same),
        cmocka_unit_test(what_has_no_like_is_lost_or_gained),
        cmocka_unit_test(each_change_of_a_pair_counts),
        cmocka_unit_test(when_somebody_is_told_counts),
        cmocka_unit_test(another_key_is_a_change),
        cmocka_unit_test(a_key_or_an_alert_finds_what_ids_do_not),
        cmocka_unit_test(incidents_become_one_and_one_becomes_many),
        cmocka_unit_test(a_rule_more_leaves_the_others_alone),
        cmocka_unit_test(several_may_become_several),
        cmocka_unit_test(how_near_is_near),
        cmocka_unit_test(more_alerts_then_longer_together_then_nearer_decide),
        cmocka_unit_test(rows_and_pages_are_summed),
        cmocka_unit_test(examples_are_the_earliest_in_order),
        cmocka_unit_test(an_example_stands_with_its_first_incident_and_kind),
        cmocka_unit_test(an_example_shows_the_first_eight),
        cmocka_unit_test(at_twice_the_bound_it_fails),
        cmocka_unit_test(who_is_ahead_waits_at_the_bound),
        cmocka_unit_test(random_lives_agree_with_the_model),
        cmocka_unit_test(crowded_lives_agree_with_the_model),
        cmocka_unit_test(a_crowd_of_one_key_costs_each_a_few_looks),
        cmocka_unit_test(of_a_crowd_with_one_alert_the_nearest_are_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Aim (D4): what sinks were told of refused starts comes back whole or is refused with its name,
 * whenever the power goes; one reason is one entry of a sink; the oldest goes beyond the bound.
 * Method: a disk in memory, its power cut at every call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "daemon/refusals.h"
#include "tests/sim_disk.h"

static const char dir[] = "data";

static void begin(uint64_t seed)
{
    sim_disk_begin(seed);
    assert_int_equal(host()->mkdir(host()->self, dir, 0700), 0);
    assert_int_equal(host()->sync_dir(host()->self, "."), 0);
}

static struct refusals read_back(void)
{
    struct refusals refusals;
    struct error err = {""};

    if (refusals_read(dir, &refusals, &err) != 0)
        fail_msg("%s", err.text);
    return refusals;
}

static void write_down(const struct refusals *refusals)
{
    struct error err = {""};

    if (refusals_write(dir, refusals, &err) != 0)
        fail_msg("%s", err.text);
}

/* Who confirmed it within the hour knows it; who may have heard it, or long ago, hears it again as
 * a repeat. A clock that was set back proves nothing. */
static void D4_what_a_sink_has_heard_goes_by_when_it_confirmed_it(void **state)
{
    static const struct {
        int64_t told_ms, now_ms;
        enum outbox_heard heard;
    } cases[] = {
        {0, 7200000, OUTBOX_HEARD_PERHAPS},       {7200000, 7200000, OUTBOX_HEARD_IT},
        {7200000, 10799999, OUTBOX_HEARD_IT},     {7200000, 10800000, OUTBOX_HEARD_PERHAPS},
        {7200000, 7199999, OUTBOX_HEARD_PERHAPS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct refusals refusals = {.at = {.at = NULL}};
        struct outbox_hearing hearing;
        begin(1);
        refusals_add(&refusals, "pager", 5, "why");
        refusals_find(&refusals, "pager", "why")->told_ms = cases[i].told_ms;
        write_down(&refusals);
        refusals_release(&refusals);
        refusals = read_back();
        hearing = refusals_hearing(&refusals, "pager", "why", cases[i].now_ms);
        assert_int_equal(hearing.heard, cases[i].heard);
        assert_int_equal(hearing.since_ms, 5);
        hearing = refusals_hearing(&refusals, "pager", "another", cases[i].now_ms);
        assert_int_equal(hearing.heard, OUTBOX_HEARD_NOTHING);
        hearing = refusals_hearing(&refusals, "desk", "why", cases[i].now_ms);
        assert_int_equal(hearing.heard, OUTBOX_HEARD_NOTHING);
        refusals_release(&refusals);
        sim_disk_end();
    }
}

/* Of each sink the last spell, beside what was refused; the file goes with the last of both. */
static void O6_held_sinks_come_back(void **state)
{
    struct refusals refusals = {.at = {.at = NULL}};

    (void)state;
    begin(1);
    refusals_add(&refusals, "desk", 4, "refused");
    refusals_hold(&refusals, "pager", 5, "HTTP 401: one");
    refusals_hold(&refusals, "desk", 6, "HTTP 401: \xff");
    refusals_hold(&refusals, "pager", 7, "HTTP 403: two");
    write_down(&refusals);
    refusals_release(&refusals);
    refusals = read_back();
    assert_int_equal(refusals.at.count, 1);
    assert_int_equal(refusals.held.count, 2);
    assert_null(refusals_find_held(&refusals, "hook"));
    assert_int_equal(refusals_find_held(&refusals, "desk")->since_ms, 6);
    assert_int_equal(refusals_find_held(&refusals, "pager")->since_ms, 7);
    assert_string_equal(refusals_find_held(&refusals, "pager")->why, "HTTP 403: two");
    refusals_remove(&refusals, 0);
    refusals_free(&refusals, 0);
    write_down(&refusals);
    refusals_release(&refusals);
    refusals = read_back();
    assert_int_equal(refusals.held.count, 1);
    refusals_free(&refusals, 0);
    write_down(&refusals);
    refusals_release(&refusals);
    refusals = read_back();
    assert_int_equal(refusals.at.count + refusals.held.count, 0);
    refusals_release(&refusals);
    sim_disk_end();
}

static void D4_what_was_told_comes_back(void **state)
{
    struct refusals refusals = {.at = {.at = NULL}};
    struct error err = {""};

    (void)state;
    begin(1);
    refusals = read_back();
    assert_int_equal(refusals.at.count, 0);
    assert_true(refusals_add(&refusals, "pager", 1769940000000, "a \"word\"\n\xc3\xa4"));
    assert_true(refusals_add(&refusals, "desk", 5, "a \"word\"\n\xc3\xa4"));
    assert_true(refusals_add(&refusals, "pager", 6, "another"));
    assert_false(refusals_add(&refusals, "pager", 7, "another"));
    write_down(&refusals);
    refusals_release(&refusals);
    refusals = read_back();
    assert_int_equal(refusals.at.count, 3);
    assert_string_equal(refusals.at.at[0].sink, "pager");
    assert_string_equal(refusals.at.at[0].why, "a \"word\"\n\xc3\xa4");
    assert_true(refusals.at.at[0].since_ms == 1769940000000);
    assert_string_equal(refusals.at.at[1].sink, "desk");
    assert_true(refusals.at.at[2].since_ms == 6); /* as it was told first */
    refusals_release(&refusals);
    write_down(&refusals);
    assert_int_equal(host()->open(host()->self, "data/refusals", O_RDONLY, 0), -ENOENT);
    write_down(&refusals); /* nothing is there, and nothing is wrong */
    int fd = host()->open(host()->self, "data/refusals", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(host_pwrite_all(fd, "{\"refusals\":[{}]}", 17, 0), 0);
    host()->close(host()->self, fd);
    assert_int_equal(refusals_read(dir, &refusals, &err), -EBADMSG);
    assert_string_equal(err.text, "data/refusals: it is not what was written there");
    assert_int_equal(refusals.at.count, 0);
    sim_disk_end();
}

static void the_oldest_goes_beyond_the_bound(void **state)
{
    struct refusals refusals = {.at = {.at = NULL}};
    char why[32];

    (void)state;
    begin(2);
    for (int i = 0; i < REFUSALS_MAX + 3; i++) {
        snprintf(why, sizeof(why), "reason %d", i);
        assert_true(refusals_add(&refusals, "pager", i, why));
    }
    write_down(&refusals);
    refusals_release(&refusals);
    refusals = read_back();
    assert_int_equal(refusals.at.count, REFUSALS_MAX);
    assert_string_equal(refusals.at.at[0].why, "reason 3");
    refusals_release(&refusals);
    sim_disk_end();
}

/* What is told and what is noted are the same bytes, or the end would be one of another incident.
 */
static void any_sentence_can_be_kept(void **state)
{
    struct refusals refusals = {.at = {.at = NULL}};
    char long_one[2 * OUTBOX_WHY_BYTES], why[OUTBOX_WHY_BYTES];

    (void)state;
    begin(3);
    refusals_sentence("fine \xc3\xa4", why);
    assert_string_equal(why, "fine \xc3\xa4");
    refusals_sentence("bad \xff.seg", why);
    assert_string_equal(why, "bad ?.seg");
    memset(long_one, 'x', sizeof(long_one));
    memcpy(long_one + OUTBOX_WHY_BYTES - 2, "\xc3\xa4", 3); /* cut within the letter */
    refusals_sentence(long_one, why);
    assert_int_equal(strlen(why), OUTBOX_WHY_BYTES - 1);
    assert_int_equal(why[OUTBOX_WHY_BYTES - 2], '?');
    refusals_add(&refusals, "pager", 1, why);
    write_down(&refusals);
    refusals_release(&refusals);
    refusals = read_back();
    assert_string_equal(refusals.at.at[0].why, why);
    refusals_release(&refusals);
    sim_disk_end();
}

static void the_power_may_go_at_every_call(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 20; at++) {
        struct refusals refusals = {.at = {.at = NULL}};
        struct error err = {""};
        int rc;
        begin(at);
        refusals_add(&refusals, "pager", 1, "one");
        write_down(&refusals);
        refusals_add(&refusals, "pager", 2, "two");
        sim.crash_at = sim.calls + at;
        rc = refusals_write(dir, &refusals, &err);
        sim_disk_cut();
        refusals_release(&refusals);
        refusals = read_back();
        assert_true(refusals.at.count == 2 || (rc != 0 && refusals.at.count == 1));
        assert_string_equal(refusals.at.at[0].why, "one");
        refusals_release(&refusals);
        sim_disk_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(O6_held_sinks_come_back),
        cmocka_unit_test(D4_what_was_told_comes_back),
        cmocka_unit_test(D4_what_a_sink_has_heard_goes_by_when_it_confirmed_it),
        cmocka_unit_test(the_oldest_goes_beyond_the_bound),
        cmocka_unit_test(any_sentence_can_be_kept),
        cmocka_unit_test(the_power_may_go_at_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

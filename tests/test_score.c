/*
 * Aim: every fault is counted as caught or missed and every incident as catching,
 * side or false, by the rules that score.h states. Method: small files written by
 * hand, one situation each, with times at the borders.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/score.h"

static char truth_path[] = "/tmp/test_score_truth_XXXXXX";
static char pages_path[] = "/tmp/test_score_pages_XXXXXX";

static int make_files(void **state)
{
    (void)state;
    int a = mkstemp(truth_path), b = mkstemp(pages_path);

    if (a < 0 || b < 0)
        return -1;
    close(a);
    close(b);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(truth_path);
    unlink(pages_path);
    return 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A rack fault from 10 s to 20 s and a host fault from 30 s to 40 s. */
#define TRUTH                                                                                      \
    "{\"fault\":1,\"kind\":\"rack power loss\",\"root_kind\":\"rack\",\"root\":\"r1\","            \
    "\"start\":10000,\"end\":20000,\"rules\":[\"rack-power\",\"rack-dark\"],"                      \
    "\"key\":\"tenant=a rack=r1\",\"affected\":[\"rack:r1\",\"host:r1-h1\"]}\n"                    \
    "{\"fault\":2,\"kind\":\"disk full\",\"root_kind\":\"host\",\"root\":\"r2-h1\","               \
    "\"start\":30000,\"end\":40000,\"rules\":[\"disk-full\"],\"key\":\"tenant=a host=r2-h1\","     \
    "\"affected\":[\"host:r2-h1\"]}\n"

#define PAGE(by, kind, id, received, opened, rule, key)                                            \
    "{\"by\":\"" by "\",\"kind\":\"" kind "\",\"incident\":\"" id "\",\"received\":" received      \
    ",\"opened\":" opened ",\"rule\":\"" rule "\",\"key\":\"" key "\",\"priority\":\"P1\"}\n"

static void load(struct score *score, const char *truth, const char *pages)
{
    struct error err = {""};

    write_file(truth_path, truth);
    write_file(pages_path, pages);
    if (score_load(score, truth_path, pages_path, PAGE_BY_WEBHOOK, &err) != 0)
        fail_msg("%s", err.text);
}

static void fault_is_caught_by_an_expected_rule_with_its_key(void **state)
{
    (void)state;
    struct score score;

    /* Both first events lie in the fault; pages come 1.5 s and 4 s after its start. */
    load(&score, TRUTH,
         PAGE("webhook", "open", "i1", "11500", "11000", "rack-dark", "tenant=a rack=r1")
             PAGE("pager", "open", "i9", "11500", "11000", "nothing", "tenant=a rack=r9")
                 PAGE("webhook", "open", "i2", "34000", "33000", "disk-full", "tenant=a host=r2-h1")
                     PAGE("webhook", "resolve", "i2", "41000", "33000", "disk-full",
                          "tenant=a host=r2-h1"));
    assert_int_equal(score.fault_count, 2);
    assert_int_equal(score.incident_count, 2); /* the other channel's is not looked at */
    assert_int_equal(score.caught, 2);
    assert_int_equal(score.missed + score.side + score.wrong, 0);
    assert_int_equal(score.page_ms_median, 1500);
    assert_int_equal(score.page_ms_worst, 4000);
    assert_int_equal(score.incidents[score.faults[1].caught_by].resolved_ms, 41000);
    score_release(&score);
}

static void other_incident_of_a_touched_entity_is_a_side_incident(void **state)
{
    (void)state;
    struct score score;

    /* The last three only look like r1-h1 and r1: they are longer, before or behind. */
    load(&score, TRUTH,
         PAGE("webhook", "open", "i1", "12000", "12000", "host-down", "tenant=a host=r1-h1")
             PAGE("webhook", "open", "i2", "12000", "12000", "any", "tenant=a rack=r1 check=c")
                 PAGE("webhook", "open", "i3", "12000", "12000", "any", "tenant=a host=r1-h11")
                     PAGE("webhook", "open", "i4", "12000", "12000", "any", "tenant=a host=xr1-h1")
                         PAGE("webhook", "open", "i5", "12000", "12000", "any", "tenant=a r1=b"));
    assert_int_equal(score.caught, 0);
    assert_int_equal(score.missed, 2);
    assert_int_equal(score.side, 2);
    assert_int_equal(score.wrong, 3);
    score_release(&score);
}

static void second_incident_of_the_same_key_does_not_catch_twice(void **state)
{
    (void)state;
    struct score score;

    load(&score, TRUTH,
         PAGE("webhook", "open", "i1", "12000", "12000", "rack-power", "tenant=a rack=r1")
             PAGE("webhook", "open", "i2", "15000", "15000", "rack-power", "tenant=a rack=r1"));
    assert_int_equal(score.caught, 1);
    assert_int_equal(score.side, 1);
    score_release(&score);
}

static void incident_outside_of_a_fault_s_time_is_false(void **state)
{
    (void)state;
    struct score score;

    /* The fault lasts from 10 s to 20 s, with 5 s of grace. */
    load(&score, TRUTH,
         PAGE("webhook", "open", "i1", "9999", "9999", "rack-power", "tenant=a rack=r1")
             PAGE("webhook", "open", "i2", "25001", "25001", "rack-power", "tenant=a rack=r1"));
    assert_int_equal(score.wrong, 2);
    assert_int_equal(score.missed, 2);
    score_release(&score);
    load(&score, TRUTH,
         PAGE("webhook", "open", "i2", "25000", "25000", "rack-power", "tenant=a rack=r1"));
    assert_int_equal(score.caught, 1);
    score_release(&score);
}

static void fault_that_was_never_sent_is_not_missed(void **state)
{
    (void)state;
    struct score score;

    load(&score, TRUTH "{\"stream_end\":29999,\"events\":77}\n", "");
    assert_int_equal(score.fault_count, 1);
    assert_int_equal(score.missed, 1);
    assert_int_equal(score.events_sent, 77);
    score_release(&score);
}

static void fault_cut_off_by_the_end_is_neither_caught_nor_missed(void **state)
{
    (void)state;
    struct score score;

    /* The second fault lasts from 30 s to 40 s, the stream until 35 s. */
    load(&score, TRUTH "{\"stream_end\":35000,\"events\":77}\n", "");
    assert_int_equal(score.missed, 1);
    assert_int_equal(score.cut_off, 1);
    score_release(&score);
    load(&score, TRUTH "{\"stream_end\":35000,\"events\":77}\n",
         PAGE("webhook", "open", "i2", "34000", "33000", "disk-full", "tenant=a host=r2-h1"));
    assert_int_equal(score.caught, 1);
    assert_int_equal(score.cut_off, 0);
    score_release(&score);
}

static void broken_line_is_named(void **state)
{
    (void)state;
    struct score score;
    struct error err = {""};

    write_file(truth_path, TRUTH);
    write_file(pages_path, "\n{\"by\":\"pager\"}\n");
    assert_int_equal(score_load(&score, truth_path, pages_path, PAGE_BY_PAGER, &err), -EINVAL);
    assert_non_null(strstr(err.text, ":2: "));
    assert_int_equal(score_load(&score, "/nowhere/truth", pages_path, PAGE_BY_PAGER, &err),
                     -ENOENT);
    assert_non_null(strstr(err.text, "/nowhere/truth"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fault_is_caught_by_an_expected_rule_with_its_key),
        cmocka_unit_test(other_incident_of_a_touched_entity_is_a_side_incident),
        cmocka_unit_test(second_incident_of_the_same_key_does_not_catch_twice),
        cmocka_unit_test(incident_outside_of_a_fault_s_time_is_false),
        cmocka_unit_test(fault_that_was_never_sent_is_not_missed),
        cmocka_unit_test(fault_cut_off_by_the_end_is_neither_caught_nor_missed),
        cmocka_unit_test(broken_line_is_named),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}

/*
 * Aim: a sum of the ledger that does not hold is found and named (L1 to L4), and one
 * that holds is let pass. Method: books that balance, then one figure moved at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/ledger.h"

static struct engine_part_counters parts[2];

/* 100 events, 40 of them touches. */
static struct ledger balanced(void)
{
    struct ledger ledger = {.parts = parts, .part_count = 2};
    parts[0] = (struct engine_part_counters){.topic = "a",
                                             .partition = 0,
                                             .start_offset = 10,
                                             .read_offset = 75,
                                             .records = 60,
                                             .gaps = 5};
    parts[1] = (struct engine_part_counters){
        .topic = "a", .partition = 1, .read_offset = 40, .records = 40};
    ledger.engine = (struct engine_counters){.records = 100,
                                             .events = 99,
                                             .derived = 1,
                                             .duplicate = 30,
                                             .unmatched = 20,
                                             .routed = 36,
                                             .dropped = 2,
                                             .in_bins = 4,
                                             .left = 3,
                                             .touches = 40,
                                             .correlated = 10,
                                             .expired = 9,
                                             .evicted = 8,
                                             .retired = 7,
                                             .pending = 6,
                                             .opened = 5,
                                             .announced = 1,
                                             .suppressed_silence = 1,
                                             .suppressed_maintenance = 1,
                                             .suppressed_inhibited = 2,
                                             .closed = 3,
                                             .open = 2};
    ledger.engine.rejected[REJECT_PARSE] = 3;
    ledger.engine.rejected[REJECT_CRASH] = 2;
    return ledger;
}

static void balanced_books_pass(void **state)
{
    (void)state;
    struct ledger ledger = balanced();
    struct error err = {{0}};
    assert_true(ledger_check(&ledger, &err));
    assert_string_equal(err.text, "");
}

static void every_sum_that_does_not_hold_is_named(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        const char *sum;
    } cases[] = {
#define AT(field, sum) {offsetof(struct engine_counters, field), sum}
        AT(events, "L2"),
        AT(derived, "L2"),
        AT(duplicate, "L2"),
        AT(unmatched, "L2"),
        AT(routed, "L2"),
        AT(dropped, "L2"),
        AT(in_bins, "L2"),
        AT(left, "L2"),
        AT(rejected[1], "L2"),
        AT(touches, "L3"),
        AT(correlated, "L3"),
        AT(expired, "L3"),
        AT(evicted, "L3"),
        AT(retired, "L3"),
        AT(pending, "L3"),
        AT(opened, "L4"),
        AT(closed, "L4"),
        AT(open, "L4"),
        AT(announced, "L4"),
        AT(suppressed_silence, "L4"),
        AT(suppressed_maintenance, "L4"),
        AT(suppressed_inhibited, "L4"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ledger ledger = balanced();
        struct error err = {{0}};
        ++*(uint64_t *)((char *)&ledger.engine + cases[i].offset);
        assert_false(ledger_check(&ledger, &err));
        assert_ptr_equal(strstr(err.text, cases[i].sum), err.text);
        assert_null(strchr(err.text, ';')); /* that sum alone */
    }
}

/* L2 and L4 alone: one figure is wrong, and the sentence says both sides. */
static void L2_every_event_is_in_one_place(void **state)
{
    (void)state;
    struct ledger ledger = {.part_count = 0};
    struct error err = {{0}};

    ledger.engine = (struct engine_counters){.events = 50,
                                             .derived = 5,
                                             .duplicate = 1,
                                             .unmatched = 2,
                                             .routed = 4,
                                             .dropped = 3,
                                             .in_bins = 8,
                                             .left = 16};
    ledger.engine.rejected[REJECT_SCHEMA] = 21;
    assert_true(ledger_check(&ledger, &err)); /* 50 + 5 = 21 + 3 + 1 + 2 + 4 + 8 + 16 */
    ledger.engine.in_bins = 0;                /* forgotten on its way */
    assert_false(ledger_check(&ledger, &err));
    assert_string_equal(
        err.text, "L2 does not hold: events + derived is 55, rejected + dropped + duplicate + "
                  "unmatched + routed + in_bins + left is 47");
}

static void L4_every_incident_is_open_or_closed(void **state)
{
    (void)state;
    struct ledger ledger = {.part_count = 0};
    struct error err = {{0}};

    ledger.engine = (struct engine_counters){.opened = 9, .closed = 7, .open = 2, .announced = 9};
    assert_true(ledger_check(&ledger, &err));
    ledger.engine.closed = 8; /* one closed twice */
    assert_false(ledger_check(&ledger, &err));
    assert_string_equal(err.text, "L4 does not hold: opened is 9, closed + open is 10");
}

/* Or sinks are told of it, or a mute keeps it from them. While a step is not told they may be
 * fewer. */
static void L4_every_incident_is_announced_or_suppressed(void **state)
{
    (void)state;
    struct ledger ledger = {.part_count = 0};
    struct error err = {{0}};

    ledger.engine = (struct engine_counters){.opened = 9,
                                             .open = 9,
                                             .announced = 2,
                                             .suppressed_silence = 3,
                                             .suppressed_maintenance = 1,
                                             .suppressed_inhibited = 3};
    assert_true(ledger_check(&ledger, &err));
    ledger.engine.suppressed_inhibited = 2;
    assert_false(ledger_check(&ledger, &err));
    assert_string_equal(err.text,
                        "L4 does not hold: opened is 9, announced + suppressed by silence, "
                        "maintenance and inhibition is 8");
    ledger.engine.untold = 1;
    assert_true(ledger_check(&ledger, &err));
    ledger.engine.announced = 4;
    assert_false(ledger_check(&ledger, &err));
}

static void a_partition_that_lost_a_record_is_named(void **state)
{
    (void)state;
    struct ledger ledger = balanced();
    struct error err = {{0}};
    parts[1].read_offset++;
    assert_false(ledger_check(&ledger, &err));
    assert_string_equal(err.text,
                        "L1 does not hold for a/1: read - start is 41, records + gaps is 40");
    /* On compacted topics holes are normal, but nothing comes twice. */
    ledger.gaps_expected = true;
    assert_true(ledger_check(&ledger, &err));
    parts[1].read_offset -= 2;
    assert_false(ledger_check(&ledger, &err));
}

static void two_faults_are_both_told(void **state)
{
    (void)state;
    struct ledger ledger = balanced();
    struct error err = {{0}};
    ledger.engine.opened++;
    ledger.engine.touches++;
    assert_false(ledger_check(&ledger, &err));
    assert_string_equal(err.text, "L3 does not hold: touches is 41, correlated + expired + evicted "
                                  "+ retired + pending is 40; "
                                  "L4 does not hold: opened is 6, closed + open is 5");
}

static void the_figures_of_the_text_form_stand_in_one_column(void **state)
{
    (void)state;
    struct ledger ledger = balanced();
    char *text = NULL, *rest, *line;
    size_t bytes, width = 0;
    FILE *to = open_memstream(&text, &bytes);
    ledger_print_text(&ledger, to);
    fclose(to);
    for (line = strtok_r(text, "\n", &rest); line != NULL && strncmp(line, "partitions", 10) != 0;
         line = strtok_r(NULL, "\n", &rest)) {
        if (width == 0)
            width = strlen(line);
        assert_int_equal(strlen(line), width);
    }
    assert_non_null(line);
    assert_true(width > 0);
    free(text);
}

static void the_json_form_holds_the_same_figures(void **state)
{
    (void)state;
    struct ledger ledger = balanced();
    char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    assert_true(ledger_print_json(&ledger, to));
    fclose(to);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *part;
    assert_non_null(root);
    int rejected = 0, pending = 0;
    assert_int_equal(json_unpack(root, "{s:{s:i},s:{s:i}}", "events", "rejected_crash", &rejected,
                                 "touches", "pending", &pending),
                     0);
    assert_int_equal(rejected, 2);
    assert_int_equal(pending, 6);
    part = json_array_get(json_object_get(root, "partitions"), 0);
    assert_int_equal(json_integer_value(json_object_get(part, "read")), 75);
    json_decref(root);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(balanced_books_pass),
        cmocka_unit_test(every_sum_that_does_not_hold_is_named),
        cmocka_unit_test(L2_every_event_is_in_one_place),
        cmocka_unit_test(L4_every_incident_is_open_or_closed),
        cmocka_unit_test(L4_every_incident_is_announced_or_suppressed),
        cmocka_unit_test(a_partition_that_lost_a_record_is_named),
        cmocka_unit_test(two_faults_are_both_told),
        cmocka_unit_test(the_figures_of_the_text_form_stand_in_one_column),
        cmocka_unit_test(the_json_form_holds_the_same_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

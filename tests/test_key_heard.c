/*
 * Aim (X5): over a switch that gives a rule another form, all that hears of its incidents hears of
 * that of the former form as of any: composites and inhibitions before, during and after its key is
 * handed over; and what an alert does meanwhile, clears, flaps, is held for a time or learned from,
 * opens nothing twice and nothing too early. Method: as test_key_holder.
 */
#include "form_bench.h"

#define OF_ONE(count)                                                                              \
    "  - id: above\n    on: incidents\n    of: [one]\n    by: [tenant]\n    window: open\n"        \
    "    when: count() >= " count "\n    incident: {title: t}\n    close: cleared()\n"

static void X5_a_composite_hears_of_a_former_forms_incident(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life =
            life_begin(ANY("count() >= 1", "cleared()", "former") OF_ONE("2"), worker_counts[i]);
        put(&life, 0, "a", "down", "");
        change_rules(&life, ANY("count() > 0", "cleared()", "new") OF_ONE("2"));
        put(&life, 2000, "a", "down", ""); /* joins the former form's: one incident */
        put(&life, 3000, "b", "down", "");
        put(&life, 4000, "a", "down", BENCH_CLEAR);
        put(&life, 5000, "a", "down", ""); /* the new form's */
        put(&life, 6000, "b", "down", BENCH_CLEAR);
        put(&life, 7000, "a", "down", BENCH_CLEAR);
        pass_to(&life, 8000);
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "3000 opened rule one resource=b n=1 alerts=1\n"
                        "3200 opened rule above tenant=default n=1 alerts=2\n"
                        "4000 closed cleared one resource=a n=2 alerts=1\n"
                        "5000 opened rule one resource=a n=1 alerts=1\n"
                        "6000 closed cleared one resource=b n=2 alerts=1\n"
                        "7000 closed cleared one resource=a n=2 alerts=1\n"
                        "7200 closed cleared above tenant=default n=2 alerts=3\n");
    }
}

static void X5_a_composite_that_comes_with_the_reload_hears_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(ANY("count() >= 1", "cleared()", "former"), worker_counts[i]);
        put(&life, 0, "a", "down", "");
        change_rules(&life, ANY("count() > 0", "cleared()", "new") OF_ONE("1"));
        put(&life, 2000, "a", "down", ""); /* nothing of which it would hear */
        put(&life, 3000, "a", "down", ",\"severity\":\"critical\"");
        put(&life, 5000, "a", "down", BENCH_CLEAR);
        put(&life, 7000, "a", "down", "");
        pass_to(&life, 8000);
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "3200 updated severity one resource=a n=2 alerts=1\n"
                        "3200 opened rule above tenant=default n=1 alerts=1\n"
                        "5000 closed cleared one resource=a n=3 alerts=1\n"
                        "5200 closed cleared above tenant=default n=2 alerts=1\n"
                        "7000 opened rule one resource=a n=1 alerts=1\n"
                        "7200 opened rule above tenant=default n=1 alerts=1\n");
    }
}

#define TARGET                                                                                     \
    "  - id: other\n    where: check == \"x\"\n    by: [resource]\n    window: 1m\n"               \
    "    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n"                     \
    "inhibit:\n  - {id: i, source: 'rule == \"one\"', target: 'rule == \"other\"', "               \
    "equal: [resource]}\n"

/* Lines of what the first incident of this title inhibits. */
static size_t count_muted_by(const struct life *life, const char *title)
{
    static const char name[] = "\"incident\":\"";
    char text[80];
    const char *id = NULL;

    snprintf(text, sizeof(text), "\"title\":\"%s\"", title);
    const char *until = strstr(life->bench->log.at, text);
    assert_non_null(until);
    for (const char *at = life->bench->log.at; (at = strstr(at, name)) != NULL && at < until; at++)
        id = at + sizeof(name) - 1;
    snprintf(text, sizeof(text), "\"muted_by\":\"inhibit i by %.32s\"", id);
    return count_of(life, text);
}

static void X5_an_inhibition_goes_by_whichever_form_holds_the_key(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life =
            life_begin(ANY("count() >= 1", "cleared()", "former") TARGET, worker_counts[i]);
        put(&life, 0, "a", "down", "");
        put(&life, 400, "a", "x", "");
        change_rules(&life, ANY("count() > 0", "cleared()", "new") TARGET);
        put(&life, 2000, "a", "down", "");
        put(&life, 2400, "a", "x", BENCH_CLEAR);
        put(&life, 2800, "a", "x", "");
        put(&life, 4000, "a", "down", BENCH_CLEAR);
        put(&life, 5000, "a", "down", "");
        put(&life, 5400, "a", "x", BENCH_CLEAR);
        put(&life, 5800, "a", "x", "");
        put(&life, 7000, "a", "down", BENCH_CLEAR);
        pass_to(&life, 8000);
        /* Two changes of each of two targets, but for those at which they are told. */
        assert_int_equal(count_muted_by(&life, "former"), 3);
        assert_int_equal(count_muted_by(&life, "new"), 2);
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "400 opened rule other resource=a n=1 alerts=1\n"
                        "2400 closed cleared other resource=a n=2 alerts=1\n"
                        "2800 opened rule other resource=a n=1 alerts=1\n"
                        "4000 closed cleared one resource=a n=2 alerts=1\n"
                        "4000 updated unmuted other resource=a n=2 alerts=1\n"
                        "5000 opened rule one resource=a n=1 alerts=1\n"
                        "5400 closed cleared other resource=a n=3 alerts=1\n"
                        "5800 opened rule other resource=a n=1 alerts=1\n"
                        "7000 closed cleared one resource=a n=2 alerts=1\n"
                        "7000 updated unmuted other resource=a n=2 alerts=1\n");
    }
}

#define HELD(hold, title)                                                                          \
    FORM("resource", "open\n    for: " hold, "count() >= 1", "cleared()", title, "")

static void X5_what_is_held_for_a_time_begins_anew(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(HELD("3s", "former"), worker_counts[i]);
        put(&life, 0, "a", "down", "");
        pass_to(&life, 3500); /* open */
        put(&life, 3500, "b", "down", "");
        put(&life, 3600, "c", "down", "");
        put(&life, 3700, "d", "down", "");
        change_rules(&life, HELD("5s", "new"));
        put(&life, 4800, "a", "down", "");
        put(&life, 5000, "b", "down", "");          /* let go: five seconds from here */
        put(&life, 5200, "c", "down", BENCH_CLEAR); /* before it is due; d is, as it stood */
        put(&life, 7000, "a", "down", BENCH_CLEAR);
        put(&life, 8000, "a", "down", "");
        put(&life, 12000, "a", "down", BENCH_CLEAR); /* not held long enough */
        put(&life, 12500, "b", "down", BENCH_CLEAR);
        put(&life, 12600, "d", "down", BENCH_CLEAR);
        put(&life, 13000, "a", "down", "");
        pass_to(&life, 19000);
        life_end(&life, "3000 opened rule one resource=a n=1 alerts=1\n"
                        "6700 opened rule one resource=d n=1 alerts=1\n"
                        "7000 closed cleared one resource=a n=2 alerts=1\n"
                        "10000 opened rule one resource=b n=1 alerts=1\n"
                        "12500 closed cleared one resource=b n=2 alerts=1\n"
                        "12600 closed cleared one resource=d n=2 alerts=1\n"
                        "18000 opened rule one resource=a n=1 alerts=1\n");
    }
}

#define LEARNS                                                                                     \
    "rules:\n  - id: one\n    on: events\n    where: check == \"down\"\n    by: [resource]\n"      \
    "    window: {tumbling: 10s}\n    baseline: {season: 10s}\n"                                   \
    "    when: deviation(count()) > 3\n    incident: {title: t}\n    close: quiet(8s)\n"
#define COUNTS                                                                                     \
    "rules:\n  - id: one\n    on: events\n    where: check == \"down\"\n    by: [resource]\n"      \
    "    window: 5s\n    when: count() >= 3\n    incident: {title: t}\n    close: quiet(8s)\n"

static struct life life_of(struct bench *bench, unsigned workers)
{
    bench->config.workers = workers;
    bench_go_live(bench);
    struct life life = {.bench = bench, .feed = bench_feed(bench, "t", 0)};
    bench_start(bench);
    bench_settle(bench);
    return life;
}

static struct life flapping_life(const char *rules, unsigned workers)
{
    struct bench *bench = bench_create(rules);

    bench->config.flap_start = 3;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 4000;
    return life_of(bench, workers);
}

static void put_many(struct life *life, int64_t from_ms, int count)
{
    for (int i = 0; i < count; i++)
        put(life, from_ms + i * 100, "a", "down", "");
}

static void X5_an_unusual_window_joins_no_two_forms(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct bench *bench = bench_create(LEARNS);
        bench->config.expire_ms = 1000; /* or it would not be quiet */
        struct life life = life_of(bench, worker_counts[i]);
        put_many(&life, 100, 2);
        put_many(&life, 10100, 4);
        put_many(&life, 20100, 3);
        put_many(&life, 30100, 6);
        pass_to(&life, 43000); /* what was sealed has passed the window's end */
        change_rules(&life, COUNTS);
        put_many(&life, 45000, 4); /* join what is open */
        pass_to(&life, 55000);
        put_many(&life, 56000, 4); /* the new form's */
        change_rules(&life, LEARNS);
        put_many(&life, 60100, 9); /* nothing is learned of what is open in another form */
        pass_to(&life, 70000);
        put_many(&life, 70100, 2);
        put_many(&life, 80100, 4);
        put_many(&life, 90100, 3);
        put_many(&life, 100100, 6);
        pass_to(&life, 113000);
        life_end(&life, "40000 opened rule one resource=a n=1 alerts=1\n"
                        "54300 closed quiet one resource=a n=2 alerts=1\n"
                        "56200 opened rule one resource=a n=1 alerts=1\n"
                        "69900 closed quiet one resource=a n=2 alerts=1\n"
                        "110000 opened rule one resource=a n=1 alerts=1\n");
    }
}

static void put_changes(struct life *life, int64_t at_ms, int count, bool is_problem)
{
    for (int i = 0; i < count; i++, is_problem = !is_problem)
        put(life, at_ms + i * 100, "a", "down", is_problem ? "" : BENCH_CLEAR);
}

static void X5_an_alert_that_flaps_over_the_switch_opens_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life =
            flapping_life(ANY("count() >= 1", "cleared()", "former"), worker_counts[i]);
        put_changes(&life, 0, 5, true); /* flaps from the third on; it is open */
        change_rules(&life, ANY("count() > 0", "cleared()", "new"));
        put_changes(&life, 2000, 4, false); /* still open, to the rules as well */
        pass_to(&life, 9000);               /* it flaps no more */
        put(&life, 9500, "a", "down", "");
        put_changes(&life, 10000, 4, false); /* flaps from the third on, and is open */
        put(&life, 11000, "a", "down", BENCH_CLEAR);
        pass_to(&life, 17000);
        put(&life, 18000, "a", "down", "");
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "100 closed cleared one resource=a n=2 alerts=1\n"
                        "200 opened rule one resource=a n=1 alerts=1\n"
                        "10000 closed cleared one resource=a n=2 alerts=1\n"
                        "10100 opened rule one resource=a n=1 alerts=1\n"
                        "10200 closed cleared one resource=a n=2 alerts=1\n"
                        "18000 opened rule one resource=a n=1 alerts=1\n");
    }
}

#define FLAPS(when, title)                                                                         \
    "rules:\n  - id: one\n    on: flapping\n    where: check == \"down\"\n    by: [resource]\n"    \
    "    window: 1m\n    when: " when "\n    incident: {title: " title "}\n    close: cleared()\n"

static void X5_a_rule_of_flapping_alerts_hands_over_when_they_are_steady(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = flapping_life(FLAPS("count() >= 1", "former"), worker_counts[i]);
        put_changes(&life, 0, 3, true);
        change_rules(&life, FLAPS("count() > 0", "new"));
        put_changes(&life, 2000, 4, false);
        pass_to(&life, 9000);
        put_changes(&life, 10000, 4, false);
        pass_to(&life, 17000);
        life_end(&life, "200 opened rule one resource=a n=1 alerts=1\n"
                        "6200 closed cleared one resource=a n=2 alerts=1\n"
                        "10200 opened rule one resource=a n=1 alerts=1\n"
                        "14200 closed cleared one resource=a n=2 alerts=1\n");
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(X5_a_composite_hears_of_a_former_forms_incident),
        cmocka_unit_test(X5_a_composite_that_comes_with_the_reload_hears_the_end),
        cmocka_unit_test(X5_an_inhibition_goes_by_whichever_form_holds_the_key),
        cmocka_unit_test(X5_what_is_held_for_a_time_begins_anew),
        cmocka_unit_test(X5_an_unusual_window_joins_no_two_forms),
        cmocka_unit_test(X5_an_alert_that_flaps_over_the_switch_opens_nothing),
        cmocka_unit_test(X5_a_rule_of_flapping_alerts_hands_over_when_they_are_steady),
    };

    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Aim (X5): over a switch that gives a rule another form one form at a time holds a key: what is
 * open goes on with what comes for it, what only watches is let go, and nothing opens twice.
 * Method: the bench on virtual time, a few events before and after switches, with one and with four
 * workers; what comes out is worked out by hand. Random switches are compared with the model
 * (model_live).
 */
#include "form_bench.h"

static void X5_what_is_open_goes_on_with_what_comes_for_its_key(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(ANY("count() >= 1", "cleared()", "former"), worker_counts[i]);
        put(&life, 0, "a", "down", "");
        put(&life, 100, "b", "down", "");
        change_rules(&life, ANY("count() > 0", "cleared()", "new"));
        put(&life, 2000, "a", "down", ""); /* a repeat: known */
        put(&life, 2500, "a", "down", ",\"severity\":\"critical\"");
        put(&life, 3000, "c", "down", "");
        put(&life, 4000, "a", "down", BENCH_CLEAR);
        put(&life, 5000, "a", "down", ""); /* let go: the new form's */
        put(&life, 6000, "b", "down", BENCH_CLEAR);
        put(&life, 7000, "a", "down", BENCH_CLEAR);
        pass_to(&life, 8000);
        /* Of c and, when it was let go, of a. */
        assert_int_equal(count_of(&life, "\"title\":\"new\""), 1 + 2);
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "100 opened rule one resource=b n=1 alerts=1\n"
                        "2600 updated severity one resource=a n=2 alerts=1\n"
                        "3000 opened rule one resource=c n=1 alerts=1\n"
                        "4000 closed cleared one resource=a n=3 alerts=1\n"
                        "5000 opened rule one resource=a n=1 alerts=1\n"
                        "6000 closed cleared one resource=b n=2 alerts=1\n"
                        "7000 closed cleared one resource=a n=2 alerts=1\n");
    }
}

/* Two more alerts of the key, one of them beyond what the incident tracks: the former form's
 * incident hears of what the new form's alerts do, and goes by its own `close`. */
static void X5_new_alerts_of_the_key_join_and_leave_what_is_open(void **state)
{
    (void)state;
#define HOSTS(when, title) FORM("labels.k", "1m", when, "cleared()", title, "    max_members: 1\n")
#define K ",\"labels\":{\"k\":\"k\"}"
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(HOSTS("count() >= 1", "former"), worker_counts[i]);
        put(&life, 0, "a", "down", K);
        put(&life, 100, "b", "down", K); /* not tracked */
        change_rules(&life, HOSTS("count() > 0", "new"));
        put(&life, 2000, "a", "down", K);
        put(&life, 2100, "b", "down", K); /* counted before: it is no further one */
        put(&life, 2200, "c", "down", K);
        put(&life, 3000, "a", "down", K BENCH_CLEAR);
        put(&life, 3100, "b", "down", K BENCH_CLEAR);
        put(&life, 3200, "c", "down", K BENCH_CLEAR);
        life_end(&life, "0 opened rule one labels.k=k n=1 alerts=1\n"
                        "200 updated grew one labels.k=k n=2 alerts=2\n"
                        "3200 closed cleared one labels.k=k n=3 alerts=3\n");
    }
#undef HOSTS
#undef K
}

#define AT_END(when, title)                                                                        \
    FORM("resource", "{tumbling: 10s}\n    look: end", when, "quiet(1h)", title, "")

static void X5_what_watches_is_let_go_at_the_first_touch(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(AT_END("count() >= 1", "former"), worker_counts[i]);
        put(&life, 0, "a", "down", "");
        change_rules(&life, AT_END("count() > 0", "new"));
        put(&life, 2000, "a", "down", "");
        pass_to(&life, 12000);
        life_end(&life, "10000 opened rule one resource=a n=1 alerts=1\n");
    }
}

/* Its timers go on: what was due is told, and takes what comes then. */
static void X5_what_nothing_comes_for_ends_as_it_stood(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(AT_END("count() >= 1", "former"), worker_counts[i]);
        put(&life, 0, "a", "down", "");
        change_rules(&life, AT_END("count() > 0", "new"));
        put(&life, 11000, "a", "down", "");
        put(&life, 12000, "b", "down", "");
        pass_to(&life, 22000);
        life_end(&life, "10000 opened rule one resource=a n=1 alerts=1\n"
                        "20000 opened rule one resource=b n=1 alerts=1\n");
    }
}

static void X5_several_reloads_leave_one_holder(void **state)
{
    (void)state;
    static const char *const third[] = {ANY("count() >= 1.0 && count() > 0", "cleared()", "third"),
                                        ANY("count() >= 1", "cleared()", "first_again")};
    for (int i = 0; i < 2 * FORMS; i++) {
        struct life life =
            life_begin(ANY("count() >= 1", "cleared()", "first"), worker_counts[i / 2]);
        put(&life, 0, "a", "down", "");
        put(&life, 100, "b", "down", "");
        change_rules(&life, ANY("count() > 0", "cleared()", "second"));
        put(&life, 2000, "a", "down", "");
        change_rules(&life, third[i % 2]);
        put(&life, 4000, "a", "down", ""); /* moved twice */
        put(&life, 4100, "b", "down", ""); /* from the first to the third */
        put(&life, 5000, "a", "down", BENCH_CLEAR);
        put(&life, 5100, "b", "down", BENCH_CLEAR);
        put(&life, 6000, "a", "down", "");
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "100 opened rule one resource=b n=1 alerts=1\n"
                        "5000 closed cleared one resource=a n=2 alerts=1\n"
                        "5100 closed cleared one resource=b n=2 alerts=1\n"
                        "6000 opened rule one resource=a n=1 alerts=1\n");
    }
}

/* An alert that was told only to the form before the holder says nothing about the holder's. */
static void X5_what_a_former_form_was_told_is_not_the_next_ones(void **state)
{
    (void)state;
#define PAIR(window)                                                                               \
    FORM("labels.k", window, "count() >= 1", "cleared()", "t", "    max_members: 1\n")
#define K ",\"labels\":{\"k\":\"k\"}"
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(PAIR("{tumbling: 1h}\n    look: end"), worker_counts[i]);
        put(&life, 0, "a", "down", K); /* watched, and let go by b */
        change_rules(&life, PAIR("1m"));
        put(&life, 2000, "b", "down", K);
        put(&life, 2100, "c", "down", K);             /* beyond what is tracked */
        put(&life, 3000, "a", "down", K BENCH_CLEAR); /* not c's end */
        put(&life, 4000, "b", "down", K BENCH_CLEAR);
        put(&life, 5000, "c", "down", K BENCH_CLEAR);
        life_end(&life, "2000 opened rule one labels.k=k n=1 alerts=1\n"
                        "2200 updated grew one labels.k=k n=2 alerts=2\n"
                        "5000 closed cleared one labels.k=k n=3 alerts=2\n");
    }
#undef PAIR
#undef K
}

static void X5_a_rule_that_comes_back_finds_what_is_open(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life =
            life_begin(ANY("count() >= 1", "quiet(20s)", "former"), worker_counts[i]);
        put(&life, 0, "a", "down", "");
        change_rules(&life, OTHER);
        change_rules(&life, ANY("count() >= 1", "quiet(5s)", "again"));
        put(&life, 4000, "a", "down", "");
        put(&life, 5000, "a", "down", BENCH_CLEAR);
        put(&life, 6000, "a", "down", "");
        put(&life, 7000, "a", "down", BENCH_CLEAR);
        pass_to(&life, 28000);
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "27000 closed quiet one resource=a n=2 alerts=1\n");
    }
}

/* Keys by other names, and an absence beside its opposite, cannot be compared: both stand. */
static void X5_other_keys_stand_beside_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(ANY("count() >= 1", "cleared()", "t"), worker_counts[i]);
        put(&life, 0, "a", "down", "");
        change_rules(&life, FORM("resource, check", "1m", "count() >= 1", "cleared()", "t", ""));
        put(&life, 2000, "a", "down", "");
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "2000 closed cleared one resource=a n=2 alerts=1\n"
                        "2000 opened rule one resource=a check=down n=1 alerts=1\n");

        life = life_begin(ANY("count() >= 1", "cleared()", "t"), worker_counts[i]);
        put(&life, 0, "a", "down", "");
        change_rules(&life, BEATS("every: 1s", "cleared()", "t"));
        put(&life, 2000, "a", "hb", "");
        pass_to(&life, 4000);
        put(&life, 5000, "a", "hb", "");
        put(&life, 5100, "a", "down", BENCH_CLEAR);
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "3000 opened rule one resource=a n=1 alerts=1\n"
                        "5000 closed cleared one resource=a n=2 alerts=1\n"
                        "5100 closed cleared one resource=a n=2 alerts=1\n");
    }
}

/* a has been silent since before the reload, b shows one more sign of life, c falls silent with the
 * reload and is due at once, for the form in force waits for less; nothing is paged twice. */
static void X5_who_falls_silent_over_a_reload_is_missed(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(BEATS("every: 3s", "cleared()", "former"), worker_counts[i]);
        put(&life, 0, "a", "hb", "");
        put(&life, 100, "b", "hb", "");
        change_rules(&life, BEATS("every: 4s", "cleared()", "new"));
        put(&life, 3500, "b", "hb", "");
        pass_to(&life, 9000);
        assert_int_equal(count_of(&life, "\"title\":\"new\""), 2);
        put(&life, 9000, "a", "hb", "");
        put(&life, 9100, "b", "hb", "");
        change_rules(&life, BEATS("every: 2s", "cleared()", "last"));
        pass_to(&life, 16000);
        life_end(&life, "4000 opened rule one resource=a n=1 alerts=1\n"
                        "7500 opened rule one resource=b n=1 alerts=1\n"
                        "9000 closed cleared one resource=a n=2 alerts=1\n"
                        "9100 closed cleared one resource=b n=2 alerts=1\n"
                        "13000 opened rule one resource=a n=1 alerts=1\n"
                        "13100 opened rule one resource=b n=1 alerts=1\n");
    }
}

/* Of a rule that lists no keys any more, who was seen; of one that is gone, nobody. */
static void X5_a_key_that_is_listed_no_more_is_learned_by_its_sign_of_life(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(
            BEATS("every: 3s, keys: [{resource: a}, {resource: b}]", "cleared()", "former"),
            worker_counts[i]);
        put(&life, 500, "a", "hb", "");
        change_rules(&life, BEATS("every: 4s", "cleared()", "new"));
        put(&life, 2000, "c", "hb", "");
        pass_to(&life, 5000);
        put(&life, 5500, "a", "hb", "");
        change_rules(&life, OTHER);
        pass_to(&life, 14000);
        life_end(&life, "4500 opened rule one resource=a n=1 alerts=1\n"
                        "5500 closed cleared one resource=a n=2 alerts=1\n");
    }
}

/* Nobody heard of signs of life while the rule was gone: it begins anew when it comes back. */
static void X5_a_rule_that_comes_back_misses_nobody_of_before(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(BEATS("every: 5s", "cleared()", "former"), worker_counts[i]);
        struct engine_rule_counters row[2] = {0};
        put(&life, 0, "a", "hb", "");
        put(&life, 100, "b", "hb", "");
        change_rules(&life, OTHER);
        engine_rule_counters(life.bench->engine, row, 2); /* a form without keys may be gone */
        assert_int_equal(row[0].keys + row[1].keys, 0);
        put(&life, 1500, "a", "hb", "");
        change_rules(&life, BEATS("every: 4s", "cleared()", "again"));
        put(&life, 4500, "b", "hb", "");
        pass_to(&life, 11000);
        life_end(&life, "8500 opened rule one resource=b n=1 alerts=1\n");
    }
}

/* Meanwhile the rule lists c alone: what is heard of a is nothing to it, but says that a is alive.
 */
static void X5_a_list_between_two_forms_takes_only_what_is_heard_of(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(BEATS("every: 5s", "cleared()", "former"), worker_counts[i]);
        put(&life, 0, "a", "hb", "");
        put(&life, 100, "b", "hb", "");
        change_rules(&life, BEATS("every: 1h, keys: [{resource: c}]", "cleared()", "listing"));
        put(&life, 2000, "a", "hb", "");
        change_rules(&life, BEATS("every: 4s", "cleared()", "new"));
        pass_to(&life, 9000);
        life_end(&life, "5100 opened rule one resource=b n=1 alerts=1\n");
    }
}

/* Who is gets its `every` from its last sign of life on. */
static void X5_who_is_not_in_the_list_of_the_new_form_is_not_missed(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(BEATS("every: 3s", "cleared()", "former"), worker_counts[i]);
        put(&life, 0, "a", "hb", "");
        put(&life, 100, "b", "hb", "");
        change_rules(&life, BEATS("every: 9s, keys: [{resource: b}]", "cleared()", "new"));
        pass_to(&life, 12000);
        life_end(&life, "9100 opened rule one resource=b n=1 alerts=1\n");
    }
}

/* Listed by both: the new `every` counts from the last sign of life, or from when the key was first
 * listed, though nobody is missed sooner than by the former form; and c, which is new, is due from
 * the switch on. */
static void X5_a_listed_key_carries_on_when_the_form_changes(void **state)
{
    static const struct {
        const char *every;
        int64_t every_ms, waited_ms; /* the latter: how long a and b are waited for */
    } rows[] = {{"9s", 9000, 9000}, {"1s", 1000, 5000}};

    (void)state;
#define OPENED "%" PRId64 " opened rule one resource="
#define FIRST " n=1 alerts=1\n"
    for (int i = 0; i < 2 * FORMS; i++) {
        struct life life = life_begin(
            BEATS("every: 5s, keys: [{resource: a}, {resource: b}]", "cleared()", "former"),
            worker_counts[i / 2]);
        char rules[1024], waited[160], fresh[80], brief[2 * sizeof(waited)];
        put(&life, 1000, "a", "hb", "");
        pass_to(&life, 3000);
        snprintf(rules, sizeof(rules), BEATS("every: %s, keys: [%s]", "cleared()", "new"),
                 rows[i % 2].every, "{resource: a}, {resource: b}, {resource: c}");
        change_rules(&life, rules);
        const int64_t switch_ms = last_switch_ms(&life);
        const int64_t begin_ms = bench_mark(life.bench, MARK_BEGIN).value_ms - BENCH_T0;
        const int64_t listed_ms = (begin_ms - 199) / 200 * 200;
        assert_in_range(listed_ms + 1000, 1, 1000);
        assert_in_range(switch_ms, 2001, 2599); /* so c is last of the first, first of the second */
        pass_to(&life, 16000);
        assert_int_equal(count_of(&life, "\"title\":\"new\""), 3);
        assert_int_equal(count_of(&life, "\"why\":\"nothing since it was listed, "), 2);
        snprintf(waited, sizeof(waited), OPENED "b" FIRST OPENED "a" FIRST,
                 listed_ms + rows[i % 2].waited_ms, 1000 + rows[i % 2].waited_ms);
        snprintf(fresh, sizeof(fresh), OPENED "c" FIRST, switch_ms + rows[i % 2].every_ms);
        snprintf(brief, sizeof(brief), "%s%s", i % 2 == 0 ? waited : fresh,
                 i % 2 == 0 ? fresh : waited);
        life_end(&life, brief);
    }
#undef OPENED
#undef FIRST
}

/* Keys that go over count in the bound of the form in force, by their last touch, whichever form it
 * came of: b's was before c's and a's. */
static void X5_what_goes_over_counts_in_the_new_forms_bound(void **state)
{
    (void)state;
#define BOUND(every, keys) BEATS("every: " every, "cleared()", "t") "    max_keys: " keys "\n"
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(BOUND("3s", "9"), worker_counts[i]);
        struct engine_rule_counters row[2] = {0};
        put(&life, 0, "a", "hb", "");
        put(&life, 3000, "b", "hb", "");
        pass_to(&life, 4000); /* a's absence has begun */
        change_rules(&life, BOUND("20s", "2"));
        put(&life, 5300, "c", "hb", "");
        put(&life, 5350, "d", "hb", "");
        put(&life, 5420, "a", "hb", ""); /* it closes: c goes */
        pass_to(&life, 8000);            /* b has gone over at 6000, and goes */
        bench_settle(life.bench);
        engine_rule_counters(life.bench->engine, row, 2);
        assert_int_equal(row[0].keys + row[1].keys, 2);
        pass_to(&life, 28000);
        life_end(&life, "3000 opened rule one resource=a n=1 alerts=1\n"
                        "5420 closed cleared one resource=a n=2 alerts=1\n"
                        "25350 opened rule one resource=d n=1 alerts=1\n"
                        "25420 opened rule one resource=a n=1 alerts=1\n");
    }
#undef BOUND
}

/* nas is scrapped in the edit that changes `every` too, b in a later one; a was learned before
 * there was a list. What is listed still stays. */
static void X5_an_absence_of_whom_the_new_form_does_not_list_is_over(void **state)
{
    (void)state;
#define LISTS(every, keys) BEATS("every: " every ", keys: [" keys "]", "cleared()", "t")
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(LISTS("2s", "{resource: b}, {resource: c}, {resource: nas}"),
                                      worker_counts[i]);
        char brief[512];
        int64_t at_ms[2];
        put(&life, 0, "b", "hb", "");
        put(&life, 100, "c", "hb", "");
        put(&life, 200, "nas", "hb", "");
        pass_to(&life, 3000);
        for (int n = 0; n < 2; n++) {
            change_rules(&life, n == 0 ? LISTS("3s", "{resource: b}, {resource: c}")
                                       : LISTS("3s", "{resource: c}"));
            at_ms[n] = last_switch_ms(&life);
        }
        put(&life, 8000, "c", "hb", "");
        pass_to(&life, 11000);
        snprintf(brief, sizeof(brief),
                 "2000 opened rule one resource=b n=1 alerts=1\n"
                 "2100 opened rule one resource=c n=1 alerts=1\n"
                 "2200 opened rule one resource=nas n=1 alerts=1\n"
                 "%" PRId64 " closed unlisted one resource=nas n=2 alerts=1\n"
                 "%" PRId64 " closed unlisted one resource=b n=2 alerts=1\n"
                 "8000 closed cleared one resource=c n=2 alerts=1\n"
                 "11000 opened rule one resource=c n=1 alerts=1\n",
                 at_ms[0], at_ms[1]);
        life_end(&life, brief);

        life = life_begin(BEATS("every: 1s", "cleared()", "t"), worker_counts[i]);
        put(&life, 0, "a", "hb", "");
        pass_to(&life, 2000);
        change_rules(&life, LISTS("1h", "{resource: b}"));
        snprintf(brief, sizeof(brief),
                 "1000 opened rule one resource=a n=1 alerts=1\n"
                 "%" PRId64 " closed unlisted one resource=a n=2 alerts=1\n",
                 last_switch_ms(&life));
        life_end(&life, brief);
    }
#undef LISTS
}

/* The sign of life that ends the former form's absence is the first that the new one knows. */
static void X5_an_absence_that_ends_is_watched_by_the_new_form(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(BEATS("every: 1s", "cleared()", "former"), worker_counts[i]);
        put(&life, 0, "a", "hb", "");
        pass_to(&life, 2000);
        change_rules(&life, BEATS("every: 3s", "cleared()", "new"));
        put(&life, 5000, "a", "hb", "");
        pass_to(&life, 9000);
        assert_int_equal(count_of(&life, "\"title\":\"new\""), 1);
        life_end(&life, "1000 opened rule one resource=a n=1 alerts=1\n"
                        "5000 closed cleared one resource=a n=2 alerts=1\n"
                        "8000 opened rule one resource=a n=1 alerts=1\n");
    }
}

/* a stays listed, b does not, and its absence is over; c is new in the list. */
static void X5_a_listed_key_is_the_new_forms_when_its_absence_is_over(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(
            BEATS("every: 1s, keys: [{resource: a}, {resource: b}]", "quiet(4s)", "former"),
            worker_counts[i]);
        put(&life, 0, "a", "hb", "");
        put(&life, 100, "b", "hb", "");
        pass_to(&life, 2500);
        change_rules(&life,
                     BEATS("every: 9s, keys: [{resource: a}, {resource: c}]", "quiet(4s)", "new"));
        pass_to(&life, 12500);
        /* a is due 9 s after its last sign of life, c after the switch; b is listed no more. */
        char brief[512];
        snprintf(brief, sizeof(brief),
                 "1000 opened rule one resource=a n=1 alerts=1\n"
                 "1100 opened rule one resource=b n=1 alerts=1\n"
                 "%" PRId64 " closed unlisted one resource=b n=2 alerts=1\n"
                 "5000 closed quiet one resource=a n=2 alerts=1\n"
                 "9000 opened rule one resource=a n=1 alerts=1\n"
                 "%" PRId64 " opened rule one resource=c n=1 alerts=1\n",
                 last_switch_ms(&life), last_switch_ms(&life) + 9000);
        life_end(&life, brief);
    }
}

#define STEPS(first, skip, title)                                                                  \
    "rules:\n  - id: one\n    by: [resource]\n    sequence:\n      - {where: check == "            \
    "\"" first "\"}\n      - {where: check == \"two\"}\n    within: 1m\n    skip: " skip           \
    "\n    incident: {title: " title "}\n    close: cleared()\n"

/* Steps are numbered by their rule: those of the new form go on with no chain of the former. */
static void X5_chains_of_a_former_form_hear_of_no_other_steps(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(STEPS("one", "to_next", "former"), worker_counts[i]);
        put(&life, 0, "a", "one", "");
        put(&life, 100, "a", "two", ""); /* opens */
        put(&life, 200, "a", "one", ""); /* alert is open: a repeat */
        change_rules(&life, STEPS("uno", "past_last", "new"));
        put(&life, 2000, "a", "uno", ""); /* joins, and is no first step of the former form */
        put(&life, 2100, "a", "two", "");
        put(&life, 3000, "a", "one", BENCH_CLEAR);
        put(&life, 3100, "a", "uno", BENCH_CLEAR);
        put(&life, 3200, "a", "two", BENCH_CLEAR);
        put(&life, 4000, "a", "uno", "");
        put(&life, 4100, "a", "two", "");
        life_end(&life, "100 opened rule one resource=a n=1 alerts=2\n"
                        "3200 closed cleared one resource=a n=2 alerts=3\n"
                        "4100 opened rule one resource=a n=1 alerts=2\n");
    }
}

/* Its bound is not held any more, and its keys are none of the new form's. */
static void X5_what_a_former_form_holds_counts_in_no_bound(void **state)
{
    (void)state;
    for (int i = 0; i < FORMS; i++) {
        struct life life = life_begin(
            FORM("resource", "1m", "count() >= 1", "cleared()", "t", "    max_keys: 2\n"),
            worker_counts[i]);
        struct engine_rule_counters row[2];
        put(&life, 0, "a", "down", "");
        put(&life, 100, "b", "down", "");
        change_rules(&life,
                     FORM("resource", "1m", "count() > 0", "cleared()", "t", "    max_keys: 1\n"));
        put(&life, 2000, "c", "down", "");
        put(&life, 2100, "a", "down", "");
        pass_to(&life, 3000);
        assert_int_equal(engine_rule_counters(life.bench->engine, row, 2), 2);
        assert_int_equal(row[0].keys + row[1].keys, 3);
        put(&life, 4000, "a", "down", BENCH_CLEAR);
        put(&life, 5000, "a", "down", ""); /* the second key of the new form */
        pass_to(&life, 6000);
        life_end(&life, "0 opened rule one resource=a n=1 alerts=1\n"
                        "100 opened rule one resource=b n=1 alerts=1\n"
                        "2000 opened rule one resource=c n=1 alerts=1\n"
                        "4000 closed cleared one resource=a n=2 alerts=1\n"
                        "5000 opened rule one resource=a n=1 alerts=1\n"
                        "5200 updated evicted one resource=c n=2 alerts=1\n");
    }
}

/* A flapping alert is told to the rules that knew it: repeats of it open nothing under a form that
 * is not in force any more. */
static void X5_a_former_form_takes_no_key_any_more(void **state)
{
    (void)state;
#define EVENTS(when, close)                                                                        \
    "rules:\n  - id: one\n    on: events\n    where: check == \"down\"\n    by: [resource]\n"      \
    "    window: 1s\n    when: " when "\n    incident: {title: t}\n    close: " close "\n"
    for (int i = 0; i < FORMS; i++) {
        struct bench *bench = bench_create(EVENTS("count() >= 1", "quiet(1h)"));
        bench->config.workers = worker_counts[i];
        bench->config.flap_start = 3;
        bench->config.flap_stop = 1;
        bench->config.flap_window_ms = 60000;
        bench_go_live(bench);
        struct life life = {.bench = bench, .feed = bench_feed(bench, "t", 0)};
        bench_start(bench);
        bench_settle(bench);
        put(&life, 0, "a", "x", "");
        change_rules(&life, EVENTS("count() >= 5", "quiet(1h)"));
        put(&life, 2000, "a", "down", "");
        put(&life, 2100, "a", "down", BENCH_CLEAR);
        put(&life, 2200, "a", "down", ""); /* flaps from here on, and is open */
        put(&life, 4000, "a", "down", "");
        change_rules(&life, EVENTS("count() >= 3", "quiet(1h)"));
        for (int64_t at = 6000; at < 6500; at += 100)
            put(&life, at, "a", "down", "");
        life_end(&life, "");
    }
#undef EVENTS
}

/* Whether a former form's incident that is no longer watched is told of goes by what it took last:
 * what is said of a rule at 20 s and 80 s, or an event from outside. */
static void X5_what_a_former_form_takes_last_says_whether_its_loss_is_told(void **state)
{
    (void)state;
#define SELF(when)                                                                                 \
    "rules:\n  - {id: one, on: events, where: tenant == \"@tocsin\", by: [labels.k], "             \
    "window: 1m, when: " when ", incident: {title: t}, close: last(value) < 0.0}\n"                \
    "  - {id: full, on: events, where: check == \"a\", window: 1m, when: sum(value) > 1000, "      \
    "max_members: 1, incident: {title: t}, close: cleared()}\n"
#define OUTSIDE ",\"tenant\":\"@tocsin\""
    static const struct {
        int64_t reload_ms, outside_ms;
        uint64_t told; /* the entry of `full`, and the incident where that counts */
    } cases[] = {{3000, 1000, 1}, {21000, 23000, 2}};

    for (int i = 0; i < 2 * FORMS; i++) {
        struct bench *bench = bench_create(SELF("count() >= 1"));
        bench->config.workers = worker_counts[i / 2];
        bench->config.alerts_max = 2;
        bench_go_live(bench);
        struct life life = {.bench = bench, .feed = bench_feed(bench, "t", 0)};
        bench_start(bench);
        bench_settle(bench);
        const bool is_before = cases[i % 2].outside_ms < cases[i % 2].reload_ms;
        put(&life, 0, "y", "a", "");
        put(&life, 100, "y", "a", ""); /* pushes the first out */
        if (is_before)
            put(&life, cases[i % 2].outside_ms, "x", "c", OUTSIDE);
        bench_pass(bench, cases[i % 2].reload_ms - life.now_ms, 500);
        life.now_ms = cases[i % 2].reload_ms;
        change_rules(&life, SELF("count() > 0"));
        if (!is_before)
            put(&life, cases[i % 2].outside_ms, "x", "c", OUTSIDE);
        bench_pass(bench, 29000 - life.now_ms, 500);
        life.now_ms = 29000;
        put(&life, 30000, "z", "b", ""); /* one alert of the incident goes, or y and one */
        put(&life, 31000, "w", "b", "");
        bench_pass(bench, 54000, 500); /* in larger steps than pass_to() */
        bench_stop(bench);
        assert_int_equal(count_of(&life, "\"cause\":\"evicted\""), 1);
        assert_int_equal(bench->counters.derived, cases[i % 2].told);
        bench_destroy(bench);
    }
#undef SELF
#undef OUTSIDE
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(X5_what_is_open_goes_on_with_what_comes_for_its_key),
        cmocka_unit_test(X5_new_alerts_of_the_key_join_and_leave_what_is_open),
        cmocka_unit_test(X5_what_watches_is_let_go_at_the_first_touch),
        cmocka_unit_test(X5_what_nothing_comes_for_ends_as_it_stood),
        cmocka_unit_test(X5_several_reloads_leave_one_holder),
        cmocka_unit_test(X5_what_a_former_form_was_told_is_not_the_next_ones),
        cmocka_unit_test(X5_a_rule_that_comes_back_finds_what_is_open),
        cmocka_unit_test(X5_other_keys_stand_beside_each_other),
        cmocka_unit_test(X5_who_falls_silent_over_a_reload_is_missed),
        cmocka_unit_test(X5_a_key_that_is_listed_no_more_is_learned_by_its_sign_of_life),
        cmocka_unit_test(X5_a_rule_that_comes_back_misses_nobody_of_before),
        cmocka_unit_test(X5_a_list_between_two_forms_takes_only_what_is_heard_of),
        cmocka_unit_test(X5_who_is_not_in_the_list_of_the_new_form_is_not_missed),
        cmocka_unit_test(X5_a_listed_key_carries_on_when_the_form_changes),
        cmocka_unit_test(X5_what_goes_over_counts_in_the_new_forms_bound),
        cmocka_unit_test(X5_an_absence_of_whom_the_new_form_does_not_list_is_over),
        cmocka_unit_test(X5_an_absence_that_ends_is_watched_by_the_new_form),
        cmocka_unit_test(X5_a_listed_key_is_the_new_forms_when_its_absence_is_over),
        cmocka_unit_test(X5_chains_of_a_former_form_hear_of_no_other_steps),
        cmocka_unit_test(X5_what_a_former_form_holds_counts_in_no_bound),
        cmocka_unit_test(X5_a_former_form_takes_no_key_any_more),
        cmocka_unit_test(X5_what_a_former_form_takes_last_says_whether_its_loss_is_told),
    };

    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* one alone, for who looks at it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

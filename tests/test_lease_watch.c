/* Who stands by takes the unit where its owner would have renewed the lease, and nowhere else: on a
 * real Redis, by a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "base/host.h"
#include "store/lease_watch.h"
#include "tests/redis_process.h"

enum { LEASE_MS = 10000 };

static struct redis_process redis;
static struct host clock_host;
static uint64_t now_ns;

static uint64_t our_clock(void *self)
{
    (void)self;
    return now_ns;
}

static void pass_ms(uint64_t ms)
{
    now_ns += ms * UINT64_C(1000000);
}

/* ---- a line on which answers take their time, get lost, or come after something else ---- */

struct line {
    struct shared_link link; /* first */
    struct shared_link *to;
    unsigned slow_ms, lost; /* of the next answers */
    struct shared_store *before_take;
};

static int line_ask(struct shared_link *link, const struct text *word, size_t count,
                    const struct shared_reply **reply, struct error *err)
{
    struct line *line = (struct line *)link;
    struct shared_store *other = line->before_take;
    struct error ignored;

    if (other != NULL && count > 3 && strstr(word[1].at, "'set'") != NULL) {
        line->before_take = NULL;
        shared_store_take(other, 60000, SHARED_ANY_FENCE, &ignored);
        shared_store_leave(other, true, &ignored);
    }
    pass_ms(line->slow_ms);
    int rc = line->to->ask(line->to, word, count, reply, err);
    if (line->lost == 0)
        return rc;
    line->lost--;
    error_set(err, "the answer was lost");
    return -ECONNRESET;
}

static void line_destroy(struct shared_link *link)
{
    struct line *line = (struct line *)link;

    line->to->destroy(line->to);
    free(line);
}

static struct shared_store *open_store(const char *owner, struct line **out)
{
    const struct redis_config config = {
        .address = redis.address, .connect_ms = 60000, .answer_ms = 60000};
    struct line *line = calloc(1, sizeof(*line));
    struct shared_store *store;
    struct error err;

    assert_non_null(line);
    line->link = (struct shared_link){line_ask, line_destroy};
    assert_int_equal(redis_link_create(&config, &line->to, &err), 0);
    assert_int_equal(shared_store_create(&line->link, "main", owner, &store, &err), 0);
    if (out != NULL)
        *out = line;
    return store;
}

static void meddle(const char *a, const char *b)
{
    const struct redis_config config = {
        .address = redis.address, .connect_ms = 60000, .answer_ms = 60000};
    const struct text word[] = {text_of(a), text_of(b)};
    const struct shared_reply *reply;
    struct shared_link *link;
    struct error err;

    assert_int_equal(redis_link_create(&config, &link, &err), 0);
    assert_int_equal(link->ask(link, word, b[0] != '\0' ? 2 : 1, &reply, &err), 0);
    link->destroy(link);
}

#define LEASE "tocsin:{main}:lease"

/* ---- two daemons ---- */

struct pair {
    struct shared_store *owner, *other;
    struct line *line; /* of the other's */
    struct lease_watch watch;
};

static void begin(struct pair *pair)
{
    struct error err;

    meddle("FLUSHALL", "");
    *pair = (struct pair){.watch = {.lease_ms = LEASE_MS}};
    pair->owner = open_store("one", NULL);
    pair->other = open_store("two", &pair->line);
    assert_int_equal(shared_store_take(pair->owner, 60000, SHARED_ANY_FENCE, &err), SHARED_FINE);
}

static void end(struct pair *pair)
{
    shared_store_destroy(pair->owner);
    shared_store_destroy(pair->other);
}

/* What is said of it, and when to ask again. */
static const char *ask(struct pair *pair, int64_t *left_ms)
{
    uint64_t taken_ns = 0;
    struct error err;
    enum shared_verdict verdict =
        lease_watch_take(&pair->watch, pair->other, &taken_ns, left_ms, &err);

    if (verdict == SHARED_FINE)
        assert_int_equal(taken_ns, now_ns);
    return shared_verdict_name(verdict);
}

#define SAYS(pair, verdict) assert_string_equal(ask(pair, &(int64_t){0}), verdict)

/* Asked once a second, it takes the unit after a whole lease and not before. */
static void takes_in_a_lease(struct pair *pair)
{
    int64_t left_ms;

    for (int i = 0; i < 10; i++) {
        assert_string_equal(ask(pair, &left_ms), "unsure");
        assert_int_equal(left_ms, LEASE_MS - 1000 * i + 1);
        pass_ms(1000);
    }
    SAYS(pair, "fine");
}

static void S2_an_owner_that_is_dead_costs_its_lease_and_no_more(void **state)
{
    (void)state;
    struct pair pair;

    begin(&pair);
    for (int i = 0; i < 15; i++) {
        int64_t left_ms;
        assert_string_equal(ask(&pair, &left_ms), "taken");
        assert_in_range(left_ms, 1, 60000);
        pass_ms(1000);
    }
    meddle("DEL", LEASE);
    SAYS(&pair, "fine");
    assert_int_equal(shared_store_fence(pair.other), 2);
    end(&pair);
}

static void S2_a_lease_that_is_over_is_not_enough(void **state)
{
    (void)state;
    struct pair pair;

    begin(&pair);
    meddle("DEL", LEASE);
    takes_in_a_lease(&pair);
    assert_int_equal(shared_store_former(pair.other), SHARED_FORMER_OTHER);
    end(&pair);
}

/* It stood still, and so the owner could not renew: as soon as it wakes it is asked, and says that
 * the lease is over. */
static void F4_a_store_that_stood_still_takes_the_unit_from_nobody(void **state)
{
    (void)state;
    struct pair pair;
    struct error err;

    begin(&pair);
    for (int i = 0; i < 15; i++) {
        SAYS(&pair, "taken");
        pass_ms(1000);
    }
    pair.line->lost = 3;
    for (int i = 0; i < 3; i++) {
        SAYS(&pair, "away");
        pass_ms(3000);
    }
    meddle("DEL", LEASE);
    SAYS(&pair, "unsure");
    pass_ms(1000);
    assert_int_equal(shared_store_keep(pair.owner, 60000, &err), SHARED_FINE);
    SAYS(&pair, "taken");
    end(&pair);
}

static void F4_questions_that_a_sleeping_store_answers_late_change_nothing(void **state)
{
    (void)state;
    struct pair pair;
    struct error err;

    begin(&pair);
    meddle("DEL", LEASE);
    pair.line->lost = 3;
    for (int i = 0; i < 3; i++) { /* each is carried out */
        SAYS(&pair, "away");
        pass_ms(5000);
    }
    assert_int_equal(shared_store_keep(pair.owner, 60000, &err), SHARED_FINE);
    end(&pair);
}

static void S2_a_gap_is_waited_for_anew(void **state)
{
    (void)state;
    struct pair pair;

    begin(&pair);
    meddle("DEL", LEASE);
    for (int i = 0; i < 9; i++) {
        SAYS(&pair, "unsure");
        pass_ms(1000);
    }
    pass_ms(1501); /* nobody asked */
    takes_in_a_lease(&pair);
    end(&pair);

    begin(&pair);
    meddle("DEL", LEASE);
    for (int i = 0; i < 9; i++) {
        SAYS(&pair, "unsure");
        pass_ms(1000);
    }
    pair.line->slow_ms = 1501;
    SAYS(&pair, "unsure");
    pair.line->slow_ms = 0;
    takes_in_a_lease(&pair);
    end(&pair);
}

/* One answer that is lost, and the next soon after it: it has not stood still for long. */
static void S2_a_lost_answer_is_no_gap(void **state)
{
    (void)state;
    struct pair pair;

    begin(&pair);
    meddle("DEL", LEASE);
    for (int i = 0; i < 5; i++) {
        SAYS(&pair, "unsure");
        pass_ms(1000);
        pair.line->lost = 1;
        SAYS(&pair, "away");
        pass_ms(1000);
    }
    SAYS(&pair, "fine");
    end(&pair);
}

static void S2_a_unit_that_nobody_has_is_taken_at_once(void **state)
{
    (void)state;
    struct pair pair;
    struct error err;

    begin(&pair);
    shared_store_settle(pair.owner);
    assert_int_equal(shared_store_leave(pair.owner, true, &err), SHARED_FINE);
    SAYS(&pair, "fine");
    assert_int_equal(shared_store_former(pair.other), SHARED_FORMER_LEFT);
    end(&pair);

    begin(&pair);
    meddle("FLUSHALL", "");
    SAYS(&pair, "fine"); /* never owned */
    meddle("DEL", LEASE);
    pair.watch = (struct lease_watch){.lease_ms = LEASE_MS};
    SAYS(&pair, "fine"); /* our own word */
    assert_int_equal(shared_store_former(pair.other), SHARED_FORMER_DOUBT);
    end(&pair);

    begin(&pair);
    assert_int_equal(shared_store_leave(pair.owner, false, &err), SHARED_FINE);
    takes_in_a_lease(&pair); /* it ended, and may have told more */
    end(&pair);
}

/* Its owner lives, and gives it all anew when it finds out. */
static void S2_a_store_that_forgot_is_waited_for(void **state)
{
    (void)state;
    struct pair pair;
    struct error err;

    begin(&pair);
    for (int i = 0; i < 15; i++) {
        SAYS(&pair, "taken");
        pass_ms(1000);
    }
    meddle("FLUSHALL", "");
    takes_in_a_lease(&pair);
    end(&pair);

    /* The owner found out first, and then it was let go. */
    begin(&pair);
    SAYS(&pair, "taken");
    meddle("FLUSHALL", "");
    SAYS(&pair, "unsure");
    assert_int_equal(shared_store_take(pair.owner, 60000, SHARED_ANY_FENCE, &err), SHARED_FINE);
    SAYS(&pair, "taken");
    shared_store_settle(pair.owner);
    assert_int_equal(shared_store_leave(pair.owner, true, &err), SHARED_FINE);
    SAYS(&pair, "fine");
    end(&pair);
}

static void S2_one_that_was_quicker_has_it(void **state)
{
    (void)state;
    struct shared_store *third = open_store("three", NULL);
    struct pair pair;

    begin(&pair);
    meddle("FLUSHALL", "");
    shared_store_settle(third);
    pair.line->before_take = third;
    SAYS(&pair, "taken");
    assert_int_equal(shared_store_fence(pair.other), 0);
    assert_int_equal(shared_store_fence(third), 1);
    SAYS(&pair, "fine"); /* let go in good order */
    assert_int_equal(shared_store_fence(pair.other), 2);
    end(&pair);
    shared_store_destroy(third);
}

static int setup(void **state)
{
    (void)state;
    clock_host = *host();
    clock_host.mono_ns = our_clock;
    now_ns = 1000 * UINT64_C(1000000000);
    if (!redis_process_start(&redis, NULL, NULL))
        return -1;
    host_set(&clock_host);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    redis_process_end(&redis);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S2_an_owner_that_is_dead_costs_its_lease_and_no_more),
        cmocka_unit_test(S2_a_lease_that_is_over_is_not_enough),
        cmocka_unit_test(F4_a_store_that_stood_still_takes_the_unit_from_nobody),
        cmocka_unit_test(F4_questions_that_a_sleeping_store_answers_late_change_nothing),
        cmocka_unit_test(S2_a_gap_is_waited_for_anew),
        cmocka_unit_test(S2_a_lost_answer_is_no_gap),
        cmocka_unit_test(S2_a_unit_that_nobody_has_is_taken_at_once),
        cmocka_unit_test(S2_a_store_that_forgot_is_waited_for),
        cmocka_unit_test(S2_one_that_was_quicker_has_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

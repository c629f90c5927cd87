/* The unit has one owner, and what that may tell while the store is silent: on a real Redis. */
#include "tests/mirror_world.h"

static void F4_a_store_that_is_gone_holds_nothing_up(void **state)
{
    (void)state;
    struct mirror_counters counters;
    struct owner owner;

    begin(&owner, &calm);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    mirror_counters(owner.mirror, &counters);
    uint64_t fence = counters.fence;
    redis_process_kill(&redis);
    for (int i = 0; i < 20; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    }
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.state, MIRROR_AWAY);
    assert_int_equal(counters.owed, 20);
    /* It comes back and has forgotten everything: it gets everything. */
    assert_true(redis_process_start(&redis, NULL, NULL));
    UNTIL(end_there().number == 21);
    UNTIL(state_of(&owner) == MIRROR_UP);
    assert_whole(21);
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.anews, 1);
    assert_true(counters.fence > fence); /* a new number, though the store counts from nothing */
    assert_int_equal(atomic_load(&owner.fenced), 0);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    assert_whole(22);
    end(&owner);
}

/* It answers no more, and then again: what it missed is made up for, and is not put anew. */
static void F4_what_a_silent_store_missed_is_made_up_for(void **state)
{
    (void)state;
    const struct terms terms = {60000, 150, 600000};
    struct mirror_counters counters;
    struct owner owner;

    begin(&owner, &terms);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    kill(redis.pid, SIGSTOP);
    for (int i = 0; i < 5; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    }
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    kill(redis.pid, SIGCONT);
    UNTIL(state_of(&owner) == MIRROR_UP);
    commit(&owner, NULL, 0);
    UNTIL(end_there().number == 7);
    assert_whole(7);
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.anews, 0);
    assert_true(counters.aways > 0);
    end(&owner);
}

/* What the Redis says to the last of these commands, on one line; words are parted by spaces. */
static void redis_says(const char *commands, char to[4096])
{
    const struct redis_config config = {
        .address = redis.address, .connect_ms = PATIENT_MS, .answer_ms = PATIENT_MS};
    char line[256], *rest = line, *command;
    const struct shared_reply *reply;
    struct shared_link *link;
    struct error err;

    snprintf(line, sizeof(line), "%s", commands);
    assert_int_equal(redis_link_create(&config, &link, &err), 0);
    while ((command = strsep(&rest, ";")) != NULL) {
        struct text word[8];
        size_t count = 0;
        for (char *at; (at = strsep(&command, " ")) != NULL;)
            word[count++] = text_of(at);
        assert_int_equal(link->ask(link, word, count, &reply, &err), 0);
        snprintf(to, 4096, "%.*s", (int)reply->text.len, reply->text.at);
    }
    link->destroy(link);
}

/* Its line is closed, and then it is not let in: the reason that holds is told. */
static void F4_why_a_store_does_not_answer_is_told_anew(void **state)
{
    (void)state;
    struct owner owner;
    char said[4096];

    begin(&owner, &calm);
    UNTIL(state_of(&owner) == MIRROR_UP);
    redis_says("CONFIG SET requirepass another;CLIENT KILL TYPE normal SKIPME yes", said);
    commit(&owner, NULL, 0);
    UNTIL(atomic_load(&owner.locked_out) == 1);
    assert_int_equal(atomic_load(&owner.changed[MIRROR_CHANGE_BACK]), 0);
    assert_in_range(atomic_load(&owner.changed[MIRROR_CHANGE_AWAY]), 1, 4);
    end(&owner);
    redis_process_kill(&redis);
    assert_true(redis_process_start(&redis, NULL, NULL));
}

/* One that was emptied is not away, and is not said to be. */
static void F4_a_store_that_was_emptied_is_told_as_such(void **state)
{
    (void)state;
    struct owner owner;
    char said[4096];

    begin(&owner, &calm);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    redis_says("FLUSHALL", said);
    commit(&owner, NULL, 0);
    UNTIL(atomic_load(&owner.changed[MIRROR_CHANGE_BACK]) == 1);
    UNTIL(end_there().number == 2);
    assert_int_equal(atomic_load(&owner.changed[MIRROR_CHANGE_EMPTY]), 1);
    assert_int_equal(atomic_load(&owner.changed[MIRROR_CHANGE_AWAY]), 0);
    end(&owner);
}

/* It asks a third of the lease after it asked last, and the answer is late: by then part of the
 * lease is over. Where the question was late as well nothing shows, and it is tried again. */
static void S2_a_lease_is_counted_from_the_question(void **state)
{
    (void)state;
    const struct terms terms = {3000, PATIENT_MS, 600000};
    struct mirror_counters counters;
    struct owner owner;
    bool is_shorter = false;

    for (int i = 0; i < 10 && !is_shorter; i++) {
        begin(&owner, &terms);
        mirror_counters(owner.mirror, &counters);
        uint64_t renewals = counters.renewals;
        kill(redis.pid, SIGSTOP);
        UNTIL((mirror_counters(owner.mirror, &counters), counters.lease_left_ms < 1300));
        kill(redis.pid, SIGCONT);
        UNTIL((mirror_counters(owner.mirror, &counters), counters.renewals > renewals));
        is_shorter = counters.lease_left_ms < 2700;
        end(&owner);
    }
    assert_true(is_shorter);
}

/* The store forgot, and whether it was taken anew nobody knows; when it answers again another has
 * been there. */
static void S2_who_took_the_unit_between_two_questions_has_it(void **state)
{
    (void)state;
    struct owner owner;
    char said[4096];

    begin(&owner, &calm);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    redis_says("SET number 5000;SET whose two;CONFIG SET maxmemory 1;DEL tocsin:{main}:lease;"
               "DEL tocsin:{main}:fence",
               said);
    commit(&owner, NULL, 0);
    UNTIL(atomic_load(&owner.changed[MIRROR_CHANGE_AWAY]) > 0); /* it was asked for, in vain */
    assert_int_equal(atomic_load(&owner.changed[MIRROR_CHANGE_EMPTY]), 1);
    redis_says("RENAME whose tocsin:{main}:owner;RENAME number tocsin:{main}:fence;"
               "CONFIG SET maxmemory 0",
               said);
    UNTIL(atomic_load(&owner.fenced) == 1);
    redis_says("GET tocsin:{main}:lease", said);
    assert_string_equal(said, ""); /* let go again */
    assert_false(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    end(&owner);
    redis_says("FLUSHALL", said);
}

/* While it could not renew, another took the unit. */
static void S2_an_owner_that_was_overtaken_sends_nothing_more(void **state)
{
    (void)state;
    const struct terms terms = {200, PATIENT_MS, 600000};
    struct shared_store *other = open_store("two", PATIENT_MS);
    struct owner owner;
    struct error err;

    begin(&owner, &terms);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    /* As if it had slept for longer than its lease. */
    struct shared_link *link;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = PATIENT_MS, .answer_ms = PATIENT_MS};
    const struct text word[] = {text_of("DEL"), text_of("tocsin:{main}:lease")};
    const struct shared_reply *reply;
    enum shared_verdict verdict;
    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    do {
        assert_int_equal(link->ask(link, word, 2, &reply, &err), 0);
        verdict = shared_store_take(other, 60000, SHARED_ANY_FENCE, &err);
    } while (verdict == SHARED_TAKEN);
    FINE(verdict);
    link->destroy(link);
    commit(&owner, NULL, 0);
    assert_false(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    UNTIL(atomic_load(&owner.fenced) == 1);
    assert_int_equal(mirror_may_leave(owner.mirror, false), MIRROR_LEAVE_NEVER);
    assert_int_equal(end_there().number, 1);
    end(&owner);
    /* It does not let go what is another's. */
    FINE(shared_store_keep(other, 60000, &err));
    FINE(shared_store_leave(other, true, &err));
    shared_store_destroy(other);
}

/* The lease was renewed before the store stopped, and it is over three seconds early. A machine
 * that stands still for that long shows nothing, and it is tried again. */
static void S2_what_cannot_be_told_twice_waits_when_the_lease_may_end(void **state)
{
    (void)state;
    const struct terms terms = {3600, 100, 700};
    struct mirror_counters counters;
    enum mirror_leave leave;
    struct owner owner;
    bool is_early = false;

    for (int i = 0; i < 10 && !is_early; i++) {
        begin(&owner, &terms);
        UNTIL(mirror_may_leave(owner.mirror, false) == MIRROR_LEAVE);
        kill(redis.pid, SIGSTOP);
        UNTIL((leave = mirror_may_leave(owner.mirror, false)) != MIRROR_LEAVE);
        UNTIL(leave == MIRROR_LEAVE_REPEAT ||
              (leave = mirror_may_leave(owner.mirror, false)) != MIRROR_LEAVE_LATER);
        assert_int_equal(leave, MIRROR_LEAVE_REPEAT);
        mirror_counters(owner.mirror, &counters);
        is_early = counters.lease_left_ms + (int64_t)terms.hold_ms > 0;
        kill(redis.pid, SIGCONT);
        UNTIL(mirror_may_leave(owner.mirror, false) == MIRROR_LEAVE);
        end(&owner);
    }
    assert_true(is_early);
}

/* Sinks that fold repeats are told whoever the owner may be; but one that slept asks first. */
static void S2_sinks_that_fold_are_told_without_an_answer(void **state)
{
    (void)state;
    const struct terms terms = {400, 100, 600000};
    enum mirror_leave leave;
    struct owner owner;

    begin(&owner, &terms);
    kill(redis.pid, SIGSTOP);
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    assert_int_equal(mirror_may_leave(owner.mirror, true), MIRROR_LEAVE);
    assert_int_equal(mirror_may_leave(owner.mirror, false), MIRROR_LEAVE_LATER);
    kill(redis.pid, SIGCONT);
    UNTIL(state_of(&owner) == MIRROR_UP);
    end(&owner);

    /* Up, as far as it knows, and over: its question has no answer yet. */
    const struct terms slow = {50, 10000, 600000};
    begin(&owner, &slow);
    kill(redis.pid, SIGSTOP);
    UNTIL((leave = mirror_may_leave(owner.mirror, true)) != MIRROR_LEAVE);
    assert_int_equal(leave, MIRROR_LEAVE_LATER);
    kill(redis.pid, SIGCONT);
    UNTIL(mirror_may_leave(owner.mirror, true) == MIRROR_LEAVE);
    end(&owner);
}

/* A start without an answer: the unit is taken when it comes. */
static void F4_one_that_began_alone_takes_the_unit_later(void **state)
{
    (void)state;
    struct mirror_counters counters;
    struct owner owner;

    begin(&owner, &calm);
    for (int i = 0; i < 3; i++)
        commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    mirror_destroy(owner.mirror);
    kill(redis.pid, SIGSTOP);
    begin_alone(&owner, 200);
    assert_int_equal(mirror_may_leave(owner.mirror, false), MIRROR_LEAVE_LATER);
    assert_int_equal(mirror_may_leave(owner.mirror, true), MIRROR_LEAVE);
    for (int i = 0; i < 2; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    }
    kill(redis.pid, SIGCONT);
    UNTIL(mirror_may_leave(owner.mirror, false) == MIRROR_LEAVE);
    commit(&owner, NULL, 0);
    UNTIL(end_there().number == 6);
    assert_whole(6);
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.anews, 0);
    end(&owner);
}

static void S2_one_that_began_alone_ends_where_the_unit_has_gone_on(void **state)
{
    (void)state;
    struct shared_store *other = open_store("two", PATIENT_MS);
    struct shared_end there;
    struct owner owner;
    struct error err;

    begin(&owner, &calm);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    mirror_destroy(owner.mirror);
    FINE(shared_store_take(other, 60000, SHARED_ANY_FENCE, &err));
    there = end_there();
    const struct shared_frame frame = {2, 2, text_of("theirs")};
    FINE(shared_store_put(other, SHARED_JOURNAL, there, &frame, NULL, 0, &err));

    /* The other still owns it. */
    begin_alone(&owner, PATIENT_MS);
    UNTIL(mirror_may_leave(owner.mirror, true) == MIRROR_LEAVE_NEVER);
    assert_false(mirror_settle(owner.mirror, SHARED_JOURNAL, 1));
    mirror_destroy(owner.mirror);

    /* It is gone, but has told more. */
    FINE(shared_store_leave(other, true, &err));
    begin_alone(&owner, PATIENT_MS);
    UNTIL(mirror_may_leave(owner.mirror, true) == MIRROR_LEAVE_NEVER);
    assert_int_equal(end_there().number, 2);
    FINE(shared_store_take(other, 60000, SHARED_ANY_FENCE, &err)); /* the lease was let go again */
    FINE(shared_store_leave(other, true, &err));
    end(&owner);
    shared_store_destroy(other);
}

static long scripts_run(void)
{
    char said[4096];

    redis_says("INFO commandstats", said);
    const char *at = strstr(said, "cmdstat_eval:calls=");
    return at != NULL ? strtol(at + strlen("cmdstat_eval:calls="), NULL, 10) : 0;
}

/* The lease was over while the store stood still; the owner lives, and says so. */
static void F4_one_that_began_alone_takes_the_unit_from_nobody(void **state)
{
    (void)state;
    struct shared_store *other = open_store("two", PATIENT_MS);
    struct owner owner;
    struct error err;
    char said[4096];

    begin(&owner, &calm);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    mirror_destroy(owner.mirror);
    FINE(shared_store_take(other, 60000, SHARED_ANY_FENCE, &err));
    redis_says("DEL tocsin:{main}:lease", said);
    long before = scripts_run();
    begin_alone(&owner, PATIENT_MS);
    UNTIL(scripts_run() > before + 4);
    redis_says("GET tocsin:{main}:fence", said);
    assert_int_equal(strtoull(said, NULL, 10), shared_store_fence(other));
    assert_int_equal(mirror_may_leave(owner.mirror, false), MIRROR_LEAVE_LATER);
    FINE(shared_store_keep(other, 60000, &err));
    UNTIL(mirror_may_leave(owner.mirror, true) == MIRROR_LEAVE_NEVER);
    end(&owner);
    FINE(shared_store_leave(other, true, &err));
    shared_store_destroy(other);
}

/* Where all stood still for as long as the lease it was to be had, which shows nothing, and it is
 * tried again: the one that asks in turn would have seen no renewal for as long. */
static void S2_a_lease_is_kept_for_as_long_as_it_runs(void **state)
{
    (void)state;
    const struct terms terms = {1000, PATIENT_MS, 600000};
    struct shared_store *other = open_store("two", PATIENT_MS);
    struct mirror_counters counters;
    struct owner owner;
    struct error err;

    bool is_kept = false;
    for (int i = 0; i < 10 && !is_kept; i++) {
        uint64_t renewals = 0, seen_ns = host_mono_ns(), gap_ns = 0;
        begin(&owner, &terms);
        while (renewals < 6 &&
               shared_store_take(other, 60000, SHARED_ANY_FENCE, &err) == SHARED_TAKEN) {
            mirror_counters(owner.mirror, &counters);
            uint64_t now_ns = host_mono_ns();
            gap_ns = now_ns - seen_ns;
            if (counters.renewals > renewals)
                seen_ns = now_ns;
            renewals = counters.renewals;
        }
        is_kept = renewals >= 6;
        if (!is_kept) {
            gap_ns = host_mono_ns() - seen_ns > gap_ns ? host_mono_ns() - seen_ns : gap_ns;
            if (gap_ns < terms.lease_ms * UINT64_C(1000000) / 2)
                fail_msg("the lease was let go %" PRIu64 " us after it was renewed: %s",
                         gap_ns / 1000, err.text);
        }
        end(&owner);
        if (!is_kept)
            FINE(shared_store_leave(other, true, &err));
    }
    assert_true(is_kept);
    /* And it lets go at its end. */
    FINE(shared_store_take(other, 60000, SHARED_ANY_FENCE, &err));
    FINE(shared_store_leave(other, true, &err));
    shared_store_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F4_a_store_that_is_gone_holds_nothing_up),
        cmocka_unit_test(F4_what_a_silent_store_missed_is_made_up_for),
        cmocka_unit_test(F4_why_a_store_does_not_answer_is_told_anew),
        cmocka_unit_test(F4_a_store_that_was_emptied_is_told_as_such),
        cmocka_unit_test(S2_a_lease_is_counted_from_the_question),
        cmocka_unit_test(S2_who_took_the_unit_between_two_questions_has_it),
        cmocka_unit_test(S2_an_owner_that_was_overtaken_sends_nothing_more),
        cmocka_unit_test(S2_what_cannot_be_told_twice_waits_when_the_lease_may_end),
        cmocka_unit_test(S2_sinks_that_fold_are_told_without_an_answer),
        cmocka_unit_test(F4_one_that_began_alone_takes_the_unit_later),
        cmocka_unit_test(F4_one_that_began_alone_takes_the_unit_from_nobody),
        cmocka_unit_test(S2_one_that_began_alone_ends_where_the_unit_has_gone_on),
        cmocka_unit_test(S2_a_lease_is_kept_for_as_long_as_it_runs),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* The shared store is kept up with the journal and the intake log: on a real Redis. */
#include "tests/mirror_world.h"

static void S1_what_is_settled_is_in_the_store(void **state)
{
    (void)state;
    struct owner owner;

    begin(&owner, &calm);
    for (int i = 1; i <= 200; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
        if (i % 50 == 0)
            assert_int_equal(end_there().number, i);
    }
    assert_whole(200);
    struct mirror_counters counters;
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.frames, 200);
    assert_int_equal(counters.owed, 0);
    assert_int_equal(counters.state, MIRROR_UP);
    end(&owner);
}

/* Who is answered that it was taken can count on the standby as well. */
static void S1_what_is_pushed_and_settled_is_in_the_store(void **state)
{
    (void)state;
    struct owner owner;

    begin(&owner, &calm);
    for (int i = 1; i <= 50; i++) {
        push(&owner);
        assert_true(mirror_settle(owner.mirror, SHARED_INTAKE, owner.pushes));
        assert_int_equal(end_of(SHARED_INTAKE).number, i);
        if (i % 5 == 0)
            commit(&owner, NULL, 0);
    }
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    assert_whole(10);
    end(&owner);
}

/* While the store makes up for what it missed it may be all that is left of the unit. */
static void S1_the_journal_goes_behind_what_it_has_read(void **state)
{
    (void)state;
    const struct terms terms = {60000, 150, 600000};
    struct owner owner;
    uint64_t there;

    begin(&owner, &terms);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    kill(redis.pid, SIGSTOP);
    push(&owner);
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    for (int i = 0; i < 100; i++)
        push(&owner);
    for (int i = 0; i < 100; i++)
        commit(&owner, NULL, 0);
    kill(redis.pid, SIGCONT);
    do {
        there = end_there().number;
        if (there > 1)
            assert_int_equal(end_of(SHARED_INTAKE).number, 101);
    } while (there < 101);
    end(&owner);
}

static void S3_an_image_stands_for_the_frames_before_it(void **state)
{
    (void)state;
    struct shared_end at, anchor;
    struct owner owner;
    struct error err;

    begin(&owner, &calm);
    for (int i = 0; i < 20; i++)
        commit(&owner, NULL, 0);
    assert_int_equal(mirror_floor(owner.mirror, SHARED_JOURNAL), 0);
    tell_image(&owner, 10, 25); /* it rests on frames that are still to come */
    for (int i = 0; i < 4; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    }
    assert_int_equal(images_of(&owner), 0);
    commit(&owner, NULL, 0);
    UNTIL(images_of(&owner) == 1);
    assert_image(10, &at);
    assert_int_equal(mirror_floor(owner.mirror, SHARED_JOURNAL), 10);
    assert_int_equal(unit_anchor_read(&journal, &anchor, &err), 0);
    assert_int_equal(anchor.number, 10);
    assert_int_equal(anchor.chain, at.chain);
    assert_int_equal(first_there(), 1);
    /* The next one: who follows has what was before the first by now. */
    tell_image(&owner, 22, 25);
    UNTIL(images_of(&owner) == 2 && first_there() == 10);
    assert_image(22, &at);
    assert_int_equal(mirror_floor(owner.mirror, SHARED_JOURNAL), 22);
    end(&owner);
}

/* An owner that passes over its newest begins with the one before it, and tells that. */
static void S3_an_image_of_before_the_last_one_keeps_what_it_needs(void **state)
{
    (void)state;
    struct shared_end at;
    struct owner owner;

    begin(&owner, &calm);
    for (int i = 0; i < 30; i++)
        push(&owner);
    for (int i = 0; i < 30; i++)
        commit(&owner, NULL, 0);
    owner.intake_needed = 12;
    tell_image(&owner, 10, 25);
    UNTIL(images_of(&owner) == 1);
    owner.intake_needed = 25;
    tell_image(&owner, 22, 25);
    UNTIL(images_of(&owner) == 2 && first_there() == 10 && first_of(SHARED_INTAKE) == 12);
    owner.intake_needed = 12;
    tell_image(&owner, 10, 25);
    UNTIL(images_of(&owner) == 3);
    assert_image(10, &at);
    owner.intake_needed = 25;
    tell_image(&owner, 24, 25); /* what went for the one before it has gone by then */
    UNTIL(images_of(&owner) == 4);
    assert_int_equal(first_there(), 10);
    assert_int_equal(first_of(SHARED_INTAKE), 12);
    end(&owner);
}

/* Of what was pushed the store keeps what a start from its images needs, and not more. */
static void S3_an_image_stands_for_what_was_pushed_before_it(void **state)
{
    (void)state;
    struct mirror_counters counters;
    struct shared_end anchor;
    struct owner owner;
    struct error err;

    begin(&owner, &calm);
    for (int i = 0; i < 30; i++)
        push(&owner);
    for (int i = 0; i < 10; i++)
        commit(&owner, NULL, 0);
    tell_image(&owner, 2, 3); /* of before the first checkpoint: it needs all of it */
    UNTIL(images_of(&owner) == 1);
    assert_int_equal(mirror_floor(owner.mirror, SHARED_INTAKE), 0);
    owner.intake_needed = 12;
    tell_image(&owner, 4, 5);
    UNTIL(images_of(&owner) == 2);
    assert_int_equal(mirror_floor(owner.mirror, SHARED_INTAKE), 12);
    assert_int_equal(unit_anchor_read(&intake, &anchor, &err), 0);
    assert_int_equal(anchor.number, 12);
    assert_int_equal(first_of(SHARED_INTAKE), 1);
    owner.intake_needed = 25;
    tell_image(&owner, 7, 9);
    UNTIL(images_of(&owner) == 3 && first_of(SHARED_INTAKE) == 12);
    assert_int_equal(first_there(), 4); /* the journal went first */
    assert_int_equal(mirror_floor(owner.mirror, SHARED_INTAKE), 25);
    assert_int_equal(end_of(SHARED_INTAKE).number, 30);
    UNTIL((mirror_counters(owner.mirror, &counters), counters.held[SHARED_INTAKE] == 19));
    push(&owner); /* and goes on */
    assert_true(mirror_settle(owner.mirror, SHARED_INTAKE, owner.pushes));
    end(&owner);
}

/* The intake log has let go of its beginning, the journal has not, and the store of everything. */
static void S4_a_store_that_forgot_begins_with_what_there_is(void **state)
{
    (void)state;
    struct shared_store *store;
    struct segment_walk *walk;
    enum segment_refusal why;
    struct owner owner;
    struct shared_end at;
    struct error err;
    char body[20000] = "";

    begin(&owner, &calm);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(
            segment_log_append(owner.pushed, 1, body, sizeof(body), &owner.pushes, &err), 0);
        assert_int_equal(segment_log_sync(owner.pushed, &err), 0);
        mirror_durable(owner.mirror, SHARED_INTAKE, owner.pushes);
        commit(&owner, NULL, 0);
    }
    owner.intake_needed = 9;
    tell_image(&owner, 8, 11);
    UNTIL(images_of(&owner) == 1);
    assert_int_equal(
        segment_log_release_before(owner.pushed, mirror_floor(owner.mirror, SHARED_INTAKE), &err),
        0);
    assert_int_equal(segment_walk_create(&intake, &walk, &why, &err), 0);
    assert_true(segment_walk_first(walk) > 1 && segment_walk_first(walk) <= 9);
    segment_walk_destroy(walk);
    redis_process_kill(&redis);
    commit(&owner, NULL, 0);
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    assert_true(redis_process_start(&redis, NULL, NULL));
    UNTIL(state_of(&owner) == MIRROR_UP);
    push(&owner);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    assert_image(8, &at); /* without which what is pushed begins behind a gap */
    assert_int_equal(first_there(), 1);
    assert_int_equal(first_of(SHARED_INTAKE), 9);
    assert_int_equal(end_of(SHARED_INTAKE).number, 13);
    /* It follows on itself. */
    store = open_store("reader", PATIENT_MS);
    FINE(shared_store_end_at(store, SHARED_INTAKE, 9, &at, &err));
    int count = 0, before;
    do {
        before = count;
        FINE(shared_store_read(store, SHARED_INTAKE, &at, UINT64_MAX, on_frame, &count, &err));
    } while (count > before);
    assert_int_equal(count, 4);
    shared_store_destroy(store);
    end(&owner);
}

/* An owner whose store has the image of frame 8, and whose journal has let go of what was before
 * it.
 */
static void begin_behind_image(struct owner *owner, const struct terms *terms)
{
    struct segment_walk *walk;
    enum segment_refusal why;
    struct error err;
    char title[20000];

    memset(title, 'x', sizeof(title) - 1);
    title[sizeof(title) - 1] = '\0';
    begin(owner, terms);
    const struct journal_record record = change(1, INCIDENT_OPENED, title);
    for (int i = 0; i < 12; i++)
        commit(owner, &record, 1);
    push(owner);
    tell_image(owner, 8, 11);
    UNTIL(images_of(owner) == 1);
    assert_int_equal(
        segment_log_release_before(owner->log, mirror_floor(owner->mirror, SHARED_JOURNAL), &err),
        0);
    assert_int_equal(segment_walk_create(&journal, &walk, &why, &err), 0);
    assert_true(segment_walk_first(walk) > 1 && segment_walk_first(walk) <= 8);
    segment_walk_destroy(walk);
}

/* The store has let go of everything. */
static void forget(struct owner *owner)
{
    redis_process_kill(&redis);
    commit(owner, NULL, 0); /* else it is asked when a third of the lease is over */
    UNTIL(state_of(owner) == MIRROR_AWAY);
    assert_true(redis_process_start(&redis, NULL, NULL));
    UNTIL(state_of(owner) == MIRROR_UP);
    commit(owner, NULL, 0);
}

/* The journal has let go of its beginning, and the store of everything. */
static void S4_a_store_that_forgot_begins_with_an_image(void **state)
{
    (void)state;
    struct owner owner;
    struct shared_end at;

    begin_behind_image(&owner, &calm);
    forget(&owner);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    assert_int_equal(atomic_load(&owner.changed[MIRROR_CHANGE_UNLISTED]),
                     1);  /* it is no snapshot */
    assert_image(8, &at); /* and not only some time later */
    assert_int_equal(first_there(), 8);
    assert_int_equal(end_there().number, 14);
    assert_int_equal(end_of(SHARED_INTAKE).number, 1);
    end(&owner);
}

/* Ends, when what others told before is not in doubt any more; as the next owner finds it. */
static enum shared_former end_settled(struct owner *owner)
{
    struct shared_store *other = open_store("two", PATIENT_MS);
    struct mirror_counters counters;
    enum shared_former former;
    struct error err;
    uint64_t renewals;

    mirror_settled(owner->mirror);
    mirror_counters(owner->mirror, &counters);
    renewals = counters.renewals;
    UNTIL((mirror_counters(owner->mirror, &counters), counters.renewals > renewals + 1));
    end(owner);
    FINE(shared_store_take(other, 60000, SHARED_ANY_FENCE, &err));
    former = shared_store_former(other);
    FINE(shared_store_leave(other, true, &err));
    shared_store_destroy(other);
    return former;
}

/* What is there cannot be gone on from before the image is. So nobody is told that it is there, and
 * an owner that ends meanwhile has not left all that it told. */
static void S1_frames_without_the_image_that_they_rest_on_are_owed(void **state)
{
    (void)state;
    const struct terms brisk = {1500, PATIENT_MS, 600000};
    struct mirror_counters counters;
    struct owner owner;
    struct shared_end at;
    char path[300], away[300];

    snprintf(path, sizeof(path), "%s/image.8", blobs);
    snprintf(away, sizeof(away), "%s/away", blobs);
    for (int comes_back = 0; comes_back < 2; comes_back++) {
        begin_behind_image(&owner, &brisk);
        assert_int_equal(rename(path, away), 0);
        forget(&owner);
        UNTIL(end_there().number == 14 && end_of(SHARED_INTAKE).number == 1);
        commit(&owner, NULL, 0);
        UNTIL(end_there().number == 15); /* the thread is through with those before */
        mirror_counters(owner.mirror, &counters);
        assert_int_equal(counters.owed, 15 + 1);
        if (comes_back == 1) {
            assert_int_equal(rename(away, path), 0);
            UNTIL((mirror_counters(owner.mirror, &counters), counters.owed == 0));
            assert_image(8, &at);
        }
        assert_int_equal(end_settled(&owner),
                         comes_back == 1 ? SHARED_FORMER_LEFT : SHARED_FORMER_OTHER);
    }
}

static void S3_open_incidents_follow_the_journal(void **state)
{
    (void)state;
    struct owner owner;
    char title[20000];

    memset(title, 'x', sizeof(title) - 1);
    title[sizeof(title) - 1] = '\0';
    begin(&owner, &calm);
    const struct journal_record first[] = {
        change(1, INCIDENT_OPENED, "one"), change(2, INCIDENT_OPENED, title),
        change(3, INCIDENT_OPENED, "three"), change(1, INCIDENT_UPDATED, "one, worse"),
        change(3, INCIDENT_CLOSED, "three")};
    commit(&owner, first, 5);
    const struct journal_record second[] = {change(4, INCIDENT_OPENED, "four"),
                                            change(2, INCIDENT_CLOSED, "")};
    commit(&owner, second, 2);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    struct shared_link *link;
    struct error err;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = PATIENT_MS, .answer_ms = PATIENT_MS};
    const struct shared_reply *reply;
    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    static const struct {
        const char *id, *record;
    } rows[] = {{"00000000000000000000000000000001", "one, worse"},
                {"00000000000000000000000000000004", "four"},
                {"00000000000000000000000000000002", NULL},
                {"00000000000000000000000000000003", NULL}};
    for (size_t i = 0; i < 4; i++) {
        const struct text word[] = {text_of("HGET"), text_of("tocsin:{main}:open"),
                                    text_of(rows[i].id)};
        assert_int_equal(link->ask(link, word, 3, &reply, &err), 0);
        if (rows[i].record == NULL)
            assert_int_equal(reply->kind, SHARED_REPLY_NIL);
        else
            assert_true(texts_equal(reply->text, text_of(rows[i].record)));
    }
    link->destroy(link);
    end(&owner);
}

static void S3_rules_are_there_before_the_frame_that_names_them(void **state)
{
    (void)state;
    const struct id128 set = {1, 2}, settings = {3, 4};
    struct kept_files files = {0};
    struct owner owner;
    struct error err;

    begin(&owner, &calm);
    const struct journal_record record = {.kind = JOURNAL_RULES, .rules = {0, set, settings}};
    commit(&owner, &record, 1);
    /* They are not kept: the frame does not go, and neither does what would leave. */
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    assert_int_equal(end_there().number, 0);
    kept_files_add(&files, 'r', "rules.yaml", "rules: []", 9);
    assert_int_equal(kept_files_save(blobs, set, &files, &err), 0);
    assert_int_equal(kept_files_save(blobs, settings, &files, &err), 0);
    UNTIL(end_there().number == 1);
    struct shared_store *store = open_store("reader", PATIENT_MS);
    FINE(shared_files_get(store, blobs, set, &err));
    FINE(shared_files_get(store, blobs, settings, &err));
    shared_store_destroy(store);
    kept_files_release(&files);
    end(&owner);
}

/* As after a failover to one that had not got everything. */
static void S4_a_store_of_before_gets_everything_anew(void **state)
{
    (void)state;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = PATIENT_MS, .answer_ms = PATIENT_MS};
    const struct text word[] = {text_of("DEL"), text_of("tocsin:{main}:fence")};
    const struct shared_reply *reply;
    struct mirror_counters counters;
    struct shared_link *link;
    struct owner owner;
    struct error err;

    begin(&owner, &calm);
    for (int i = 0; i < 3; i++)
        commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    assert_int_equal(link->ask(link, word, 2, &reply, &err), 0);
    link->destroy(link);
    commit(&owner, NULL, 0);
    UNTIL(end_there().number == 4);
    assert_whole(4);
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.anews, 1);
    end(&owner);
}

/* What is durable when it ends is there; so is what was durable while nobody looked. */
static void S1_the_end_leaves_nothing_owed(void **state)
{
    (void)state;
    struct owner owner;

    begin(&owner, &calm);
    for (int i = 0; i < 50; i++)
        commit(&owner, NULL, 0);
    end(&owner);
    assert_whole(50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S1_what_is_settled_is_in_the_store),
        cmocka_unit_test(S1_what_is_pushed_and_settled_is_in_the_store),
        cmocka_unit_test(S1_the_journal_goes_behind_what_it_has_read),
        cmocka_unit_test(S3_an_image_stands_for_the_frames_before_it),
        cmocka_unit_test(S3_an_image_of_before_the_last_one_keeps_what_it_needs),
        cmocka_unit_test(S3_an_image_stands_for_what_was_pushed_before_it),
        cmocka_unit_test(S4_a_store_that_forgot_begins_with_what_there_is),
        cmocka_unit_test(S4_a_store_that_forgot_begins_with_an_image),
        cmocka_unit_test(S1_frames_without_the_image_that_they_rest_on_are_owed),
        cmocka_unit_test(S3_open_incidents_follow_the_journal),
        cmocka_unit_test(S3_rules_are_there_before_the_frame_that_names_them),
        cmocka_unit_test(S4_a_store_of_before_gets_everything_anew),
        cmocka_unit_test(S1_the_end_leaves_nothing_owed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/*
 * Aim (C5, C6): a snapshot says that it knows what had come when its image was taken, and nothing
 * behind that; the older of the two that stay can be begun with as well; what lies before it is let
 * go of, behind a start as in a run; and one is taken before too much would be read again. Method:
 * lives on a disk in memory (tests/durable_world.h), whose snapshot thread waits for the test where
 * something is to come between, and an engine that says it has read what nobody could wait for (the
 * link takes engine_counters() away).
 */
#include "tests/durable_world.h"

#define RULE(title)                                                                                \
    "rules:\n"                                                                                     \
    "  - id: one\n    where: check == \"down\"\n    by: [resource]\n"                              \
    "    window: 1m\n    when: count() >= 1\n"                                                     \
    "    incident: {title: \"{resource} " title "\"}\n    close: cleared()\n"

static const int64_t never_ms = INT64_C(3600000000);

static struct world world;

static void start(const char *rules)
{
    if (world_start(&world, rules, 0) != EXIT_OK)
        fail_msg("%s", world.why.text);
}

static void recover(const char *rules)
{
    start(rules);
    if (!world_recover(&world))
        fail_msg("%s", world.why.text);
}

static void stop(void)
{
    if (world_stop(&world) != EXIT_OK)
        fail_msg("%s", world.why.text);
}

static void put(const char *resource, const char *check)
{
    bench_put(world.bench->feed[0], atomic_load(&world.bench->wall_ms) - BENCH_T0, resource, check,
              "");
    bench_settle(world.bench);
}

static void pass(void)
{
    bench_pass(world.bench, 2000, 50);
    world_sync(&world);
}

static struct snapshot_folder folder(void)
{
    return (struct snapshot_folder){.path = "data/snapshots", .directory = world.dir.id};
}

static int snapshots_there(void)
{
    uint64_t number[SNAPSHOT_LIST_MAX];
    const struct snapshot_folder at = folder();

    return snapshot_file_list(&at, number);
}

/* ---- the thread waits where it begins to read the journal ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool holds, is_there;
    struct host real;
} held = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static int held_open(void *self, const char *path, int flags, unsigned mode)
{
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof(name));
    pthread_mutex_lock(&held.lock);
    if (strcmp(name, "tocsin-snapshot") == 0 && strncmp(path, "data/journal/", 13) == 0) {
        held.is_there = true;
        while (held.holds)
            pthread_cond_wait(&held.moved, &held.lock);
    }
    pthread_mutex_unlock(&held.lock);
    return held.real.open(self, path, flags, mode);
}

static bool is_there(void)
{
    bool is;

    pthread_mutex_lock(&held.lock);
    is = held.is_there;
    pthread_mutex_unlock(&held.lock);
    return is;
}

static void let_go(void)
{
    pthread_mutex_lock(&held.lock);
    held.holds = false;
    pthread_cond_broadcast(&held.moved);
    pthread_mutex_unlock(&held.lock);
}

/* What is told behind the image is told again by a start from it, which looks for it in the
 * journal behind what the snapshot knows. */
static void C6_a_snapshot_knows_nothing_of_what_came_behind_its_image(void **state)
{
    static struct host slow;

    (void)state;
    sim_disk_begin(1);
    held.real = slow = *host();
    slow.open = held_open;
    host_set(&slow);
    world_create(&world);
    world.snapshot_every_ms = never_ms;
    start(RULE("is down"));
    put("r1", "down");
    pass(); /* the journal holds something before the image */
    held.holds = true;
    durable_snapshots_within(world.durable, 2000);
    put("r1", "calm");
    while (!is_there())
        bench_pass(world.bench, 100, 50);
    put("r2", "down");
    pass();
    assert_int_equal(snapshots_there(), 0);
    let_go();
    while (snapshots_there() == 0)
        usleep(1000);
    durable_snapshots_within(world.durable, 0); /* and no other */
    world.takes_last = false;
    stop();
    recover(RULE("is down"));
    const struct snapshot_content *begin = &world.durable->snapshots.begin;
    assert_int_equal(begin->number, 1);
    assert_true(begin->facts.known.frame > 0);
    assert_true(begin->facts.known.frame <= begin->facts.frame);
    stop();
    world_destroy(&world);
    sim_disk_end();
}

/* Rules that the newest snapshot and the journal behind it do not name are those of the one before
 * it, which a start takes where the newest does not load. */
static void C6_what_the_older_snapshot_needs_is_kept_with_the_newer(void **state)
{
    (void)state;
    sim_disk_begin(2);
    world_create(&world);
    world.snapshot_every_ms = never_ms;
    world.takes_last = true;
    start(RULE("is down"));
    put("r1", "calm");
    pass();
    stop();
    recover(RULE("fell"));
    bench_pass(world.bench, 2 * JOURNAL_RULES_KEPT_MS, 60000);
    put("r1", "calm");
    pass();
    stop();
    assert_int_equal(snapshots_there(), 2);
    world.takes_last = false;
    recover(RULE("fell")); /* begins with the second, and tidies up */
    assert_int_equal(world.durable->snapshots.begin.number, 2);
    const struct snapshot_folder at = folder();
    stop();
    snapshot_file_remove(&at, 2, false);
    recover(RULE("fell"));
    assert_int_equal(world.durable->snapshots.begin.number, 1);
    stop();
    world_destroy(&world);
    sim_disk_end();
}

/* ---- what lies before the older one ---- */

static _Atomic uint64_t released_from, releases;

static void on_intake_release(void *self, uint64_t low, int64_t now_ms)
{
    (void)self;
    (void)now_ms;
    atomic_store(&released_from, low);
    atomic_fetch_add(&releases, 1);
}

static void push(int count)
{
    for (int i = 0; i < count; i++)
        world_push(&world, "p", "calm");
    for (bool is_open = true; is_open;) {
        pthread_mutex_lock(&world.lock);
        is_open = world.pushes_open > 0;
        pthread_mutex_unlock(&world.lock);
        usleep(1000);
    }
}

/* What was pushed before the older of the two is let go of: also where that one is of a life
 * before. */
static void C5_what_was_pushed_before_the_older_snapshot_may_go(void **state)
{
    static const int pushes[] = {3, 4, 2, 1};
    uint64_t before = 0, pushed = 0;

    (void)state;
    sim_disk_begin(3);
    world_create(&world);
    world.snapshot_every_ms = never_ms;
    world.takes_last = true;
    world.on_intake_release = on_intake_release;
    atomic_store(&releases, 0);
    for (size_t life = 0; life < sizeof(pushes) / sizeof(pushes[0]); life++) {
        if (life == 0)
            start(RULE("is down"));
        else
            recover(RULE("is down"));
        push(pushes[life]);
        pushed += (uint64_t)pushes[life];
        pass();
        stop();
        assert_int_equal(atomic_load(&releases), life); /* the first has none before it */
        if (life > 0)
            assert_int_equal(atomic_load(&released_from), before);
        before = pushed;
    }
    world_destroy(&world);
    sim_disk_end();
}

/* The same within one life. */
static void C5_what_was_pushed_before_the_older_snapshot_of_a_run_may_go(void **state)
{
    (void)state;
    sim_disk_begin(4);
    world_create(&world);
    world.snapshot_every_ms = 1000;
    world.takes_last = false;
    world.on_intake_release = on_intake_release;
    atomic_store(&releases, 0);
    atomic_store(&released_from, 0);
    start(RULE("is down"));
    push(5);
    while (atomic_load(&released_from) < 5) { /* until the older one is behind them */
        put("r1", "calm");
        bench_pass(world.bench, 100, 50);
    }
    assert_int_equal(atomic_load(&released_from), 5);
    stop();
    world_destroy(&world);
    sim_disk_end();
}

/* ---- when ---- */

enum { REREAD_RECORDS = 500000, LEAST_MS = 10000 };

static _Atomic uint64_t unread; /* records that were never there */

void __real_engine_counters(struct engine *engine, struct engine_counters *out);
void __wrap_engine_counters(struct engine *engine, struct engine_counters *out);

void __wrap_engine_counters(struct engine *engine, struct engine_counters *out)
{
    __real_engine_counters(engine, out);
    out->records += atomic_load(&unread);
}

/* None is due for an hour, but for what a start would read again; and none within ten seconds. */
static void C6_a_snapshot_is_taken_before_too_much_is_read_again(void **state)
{
    struct engine_counters counters;

    (void)state;
    sim_disk_begin(5);
    world_create(&world);
    world.snapshot_every_ms = never_ms;
    world.takes_last = false;
    atomic_store(&unread, 0);
    start(RULE("is down"));
    put("r1", "down");
    pass();
    __real_engine_counters(world.bench->engine, &counters);
    assert_in_range(counters.records, 1, 10);
    atomic_store(&unread, REREAD_RECORDS - counters.records);
    for (int i = 0; i < 5; i++) {
        bench_pass(world.bench, 1000, 50);
        world_sync(&world);
    }
    assert_int_equal(snapshots_there(), 0); /* it is too soon */
    atomic_store(&unread, REREAD_RECORDS - counters.records - 1);
    for (int i = 0; i < 15; i++) {
        bench_pass(world.bench, 1000, 50);
        world_sync(&world);
    }
    assert_int_equal(snapshots_there(), 0); /* and one record too few */
    atomic_store(&unread, REREAD_RECORDS - counters.records);
    while (snapshots_there() == 0)
        bench_pass(world.bench, 100, 50);
    /* From there on it is counted anew. */
    for (int i = 0; i < 15; i++) {
        bench_pass(world.bench, 1000, 50);
        world_sync(&world);
    }
    assert_int_equal(snapshots_there(), 1);
    stop();
    atomic_store(&unread, 0);
    world_destroy(&world);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C6_a_snapshot_knows_nothing_of_what_came_behind_its_image),
        cmocka_unit_test(C6_what_the_older_snapshot_needs_is_kept_with_the_newer),
        cmocka_unit_test(C5_what_was_pushed_before_the_older_snapshot_may_go),
        cmocka_unit_test(C5_what_was_pushed_before_the_older_snapshot_of_a_run_may_go),
        cmocka_unit_test(C6_a_snapshot_is_taken_before_too_much_is_read_again),
    };
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

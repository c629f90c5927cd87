/*
 * Aim (S1, S2): no op is the outbox's, and no line of the incident log is written, before the
 * shared store has its group; and of one that it never has, because somebody else owns the unit by
 * then, nobody is told, until the directory's next owner tells it. Method: lives on a disk in
 * memory (tests/durable_world.h) under a unit that is the test's own, and answers when the test
 * says so.
 */
#include "daemon/unit.h"
#include "tests/durable_world.h"
#include "tests/fake_sink.h"

static const char rules[] = "rules:\n"
                            "  - id: one\n    where: check == \"down\"\n    by: [resource]\n"
                            "    window: 1m\n    when: count() >= 1\n"
                            "    incident: {title: \"{resource} is down\"}\n    close: cleared()\n";

static struct world world;

/* ---- the unit ---- */

struct unit {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool is_held;      /* the store answers nothing */
    bool is_waited;    /* for the answer */
    bool is_overtaken; /* by another owner */
};

static struct unit unit = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

bool unit_settle(struct unit *of, enum shared_log which, uint64_t frame)
{
    bool is_there;

    (void)frame;
    assert_int_equal(which, SHARED_JOURNAL);
    pthread_mutex_lock(&of->lock);
    of->is_waited = true;
    pthread_cond_broadcast(&of->moved);
    while (of->is_held)
        pthread_cond_wait(&of->moved, &of->lock);
    of->is_waited = false;
    is_there = !of->is_overtaken;
    pthread_mutex_unlock(&of->lock);
    return is_there;
}

int64_t unit_taken_over_ms(const struct unit *of)
{
    (void)of;
    return 0;
}

uint64_t unit_release_floor(struct unit *of, enum shared_log which)
{
    (void)of;
    (void)which;
    return 0;
}

void unit_image(struct unit *of, const struct mirror_image *image)
{
    (void)of;
    (void)image;
}

static void hold(void)
{
    pthread_mutex_lock(&unit.lock);
    unit.is_held = true;
    pthread_mutex_unlock(&unit.lock);
}

static void answer(bool is_overtaken)
{
    pthread_mutex_lock(&unit.lock);
    unit.is_held = false;
    unit.is_overtaken = is_overtaken;
    pthread_cond_broadcast(&unit.moved);
    pthread_mutex_unlock(&unit.lock);
}

static void wait_for_group(void)
{
    pthread_mutex_lock(&unit.lock);
    while (!unit.is_waited)
        pthread_cond_wait(&unit.moved, &unit.lock);
    pthread_mutex_unlock(&unit.lock);
}

/* ---- what was let out ---- */

static _Atomic unsigned requests;

static void on_request(const char *request)
{
    (void)request;
    atomic_fetch_add(&requests, 1);
}

/* Ops that the outbox was given. */
static uint64_t handed_over(void)
{
    struct sink_counters counters[2];
    size_t count = outbox_counters(world.outbox, counters, 2);
    uint64_t ops = 0;

    for (size_t i = 0; i < count; i++)
        ops += counters[i].ops;
    return ops;
}

static size_t told_bytes(void)
{
    size_t bytes;

    pthread_mutex_lock(&world.lock);
    bytes = world.told.used;
    pthread_mutex_unlock(&world.lock);
    return bytes;
}

static void start(unsigned port)
{
    if (world_start(&world, rules, port) != EXIT_OK)
        fail_msg("%s", world.why.text);
}

/* An incident's group is on the disk, and the store is asked for it. */
static void open_one(unsigned port)
{
    world_create(&world);
    world.unit = &unit;
    start(port);
    bench_put(world.bench->feed[0], 0, "r1", "down", "");
    bench_settle(world.bench);
    bench_pass(world.bench, 400, 50); /* less than its disorder: it was read, and that is all */
    world_sync(&world);
    hold();
    bench_pass(world.bench, 2000, 50);
    wait_for_group();
    assert_int_equal(handed_over(), 0);
    assert_int_equal(told_bytes(), 0);
}

static void S1_nothing_leaves_before_the_store_has_its_group(void **state)
{
    static const struct fake_step steps[] = {{FAKE_ANSWER_CLOSE, FAKE_200}};
    struct fake_sink sink;

    (void)state;
    atomic_store(&requests, 0);
    sim_disk_begin(1);
    fake_start(&sink, steps, 1);
    sink.seen = on_request;
    open_one(sink.port);
    assert_int_equal(atomic_load(&requests), 0);
    answer(false);
    while (atomic_load(&requests) < 2)
        usleep(1000);
    assert_int_equal(handed_over(), 2);
    world_sync(&world);
    assert_true(told_bytes() > 0);
    assert_int_equal(world_stop(&world), EXIT_OK);
    fake_stop(&sink);
    world_destroy(&world);
    sim_disk_end();
}

static void S2_what_another_owner_kept_from_the_store_is_told_by_nobody_but_the_next(void **state)
{
    static const struct fake_step steps[] = {{FAKE_ANSWER_CLOSE, FAKE_200}};
    struct fake_sink sink;

    (void)state;
    atomic_store(&requests, 0);
    sim_disk_begin(2);
    fake_start(&sink, steps, 1);
    sink.seen = on_request;
    open_one(sink.port);
    answer(true);
    world_sync(&world);
    assert_int_equal(world_verdict(&world), EXIT_OVERTAKEN);
    assert_int_equal(handed_over(), 0);
    assert_int_equal(told_bytes(), 0);
    assert_int_equal(world_stop(&world), EXIT_OVERTAKEN);
    assert_int_equal(atomic_load(&requests), 0);

    answer(false);
    start(sink.port);
    if (!world_recover(&world))
        fail_msg("%s", world.why.text);
    while (atomic_load(&requests) < 2)
        usleep(1000);
    assert_int_equal(world_stop(&world), EXIT_OK);
    fake_stop(&sink);
    world_destroy(&world);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S1_nothing_leaves_before_the_store_has_its_group),
        cmocka_unit_test(S2_what_another_owner_kept_from_the_store_is_told_by_nobody_but_the_next),
    };
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Aim (C3, C4): while a sync is under way the workers go on, and nothing leaves; what is held
 * meanwhile is bounded: then input waits. When the disk answers everything is told, in order.
 * Method: a life of the daemon's parts (tests/durable_world.h) on a disk in memory whose sync waits
 * for the test.
 */
#define WORLD_SEGMENT_BYTES (4 << 20)
#include "tests/durable_world.h"

enum { WAVE = 400, WAVES_MAX = 60 };

static const char rules[] = "rules:\n"
                            "  - id: one\n    where: check == \"down\"\n    by: [resource]\n"
                            "    window: 1m\n    when: count() >= 1\n"
                            "    incident: {title: \"{resource} is down\"}\n    close: cleared()\n";

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool is_held;
    unsigned waiting; /* threads that are in a sync */
    int (*sync)(void *self, int fd);
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static int slow_sync(void *self, int fd)
{
    pthread_mutex_lock(&disk.lock);
    disk.waiting++;
    pthread_cond_broadcast(&disk.moved);
    while (disk.is_held)
        pthread_cond_wait(&disk.moved, &disk.lock);
    disk.waiting--;
    pthread_mutex_unlock(&disk.lock);
    return disk.sync(self, fd);
}

static void hold(bool is_held)
{
    pthread_mutex_lock(&disk.lock);
    disk.is_held = is_held;
    pthread_cond_broadcast(&disk.moved);
    pthread_mutex_unlock(&disk.lock);
}

static void wait_for_a_sync(void)
{
    pthread_mutex_lock(&disk.lock);
    while (disk.waiting == 0)
        pthread_cond_wait(&disk.moved, &disk.lock);
    pthread_mutex_unlock(&disk.lock);
}

static size_t told(struct world *world)
{
    size_t lines = 0;

    pthread_mutex_lock(&world->lock);
    for (size_t i = 0; i < world->told.used; i++)
        lines += world->told.at[i] == '\n';
    pthread_mutex_unlock(&world->lock);
    return lines;
}

/* A second, with new incidents. */
static void put_wave(struct world *world, int wave)
{
    char resource[32], more[2100];

    memset(more, 'm', sizeof(more));
    memcpy(more, ",\"message\":\"", 12);
    memcpy(more + sizeof(more) - 2, "\"", 2);
    for (int i = 0; i < WAVE; i++) {
        snprintf(resource, sizeof(resource), "r%d-%d", wave, i);
        bench_put(world->bench->feed[i % 2], 1000 * wave, resource, "down", more);
    }
    bench_settle(world->bench);
    bench_pass(world->bench, 1000, 50);
}

static void C4_workers_go_on_while_a_sync_is_under_way(void **state)
{
    (void)state;
    static struct host slow;
    static struct world world;
    struct engine_counters counters;
    int wave = 0;

    sim_disk_begin(1);
    slow = *host();
    disk.sync = slow.sync;
    slow.sync = slow_sync;
    host_set(&slow);
    world_create(&world);
    if (world_start(&world, rules, 0) != EXIT_OK)
        fail_msg("%s", world.why.text);
    put_wave(&world, 0);
    world_sync(&world);
    size_t before = told(&world);
    assert_int_equal(before, 3 * WAVE); /* a change, and an op for each of two sinks */

    hold(true);
    put_wave(&world, ++wave);
    wait_for_a_sync();
    put_wave(&world, ++wave);
    put_wave(&world, ++wave);
    engine_counters(world.bench->engine, &counters);
    assert_int_equal(counters.opened, (wave + 1) * WAVE);
    assert_int_equal(counters.in_bins, 0);
    assert_int_equal(told(&world), before); /* C3 */

    /* Until the open group has no room: then records stay where they are. */
    while (counters.records == (uint64_t)(wave + 1) * WAVE) {
        assert_true(wave < WAVES_MAX);
        put_wave(&world, ++wave);
        engine_counters(world.bench->engine, &counters);
    }
    assert_int_equal(told(&world), before);

    hold(false);
    while (counters.opened < (uint64_t)(wave + 1) * WAVE) {
        world_sync(&world);
        bench_pass(world.bench, 100, 50);
        engine_counters(world.bench->engine, &counters);
    }
    world_sync(&world);
    assert_int_equal(told(&world), 3 * WAVE * (wave + 1));
    assert_int_equal(counters.late_by_seal, 0);
    if (world_stop(&world) != EXIT_OK)
        fail_msg("%s", world.why.text);
    world_destroy(&world);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C4_workers_go_on_while_a_sync_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

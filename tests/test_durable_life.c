/*
 * Aim (O1, C6, C7): what a life of the daemon's parts owes the next one, each clause by itself: no
 * first byte leaves before its intent is durable where that counts, a run that ends leaves a
 * snapshot, and a start whose ledger comes out otherwise than the journal has it is refused.
 * Method: lives on a disk in memory (tests/durable_world.h), whose syncs wait for the test where
 * what is not yet durable is looked at.
 */
#include "daemon/incident_lines.h"
#include "tests/durable_world.h"
#include "tests/fake_sink.h"

static const char rules[] = "rules:\n"
                            "  - id: one\n    where: check == \"down\"\n    by: [resource]\n"
                            "    window: 1m\n    when: count() >= 1\n"
                            "    incident: {title: \"{resource} is down\"}\n    close: cleared()\n";

static struct world world;

static void start(unsigned port)
{
    if (world_start(&world, rules, port) != EXIT_OK)
        fail_msg("%s", world.why.text);
}

static void stop(void)
{
    if (world_stop(&world) != EXIT_OK)
        fail_msg("%s", world.why.text);
}

/* ---- O1 ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool is_held;
    bool is_released;     /* the test lets all go on */
    unsigned waiting;     /* threads that are in a sync */
    unsigned early, late; /* requests to the sink that folds nothing, before and behind that */
    unsigned folds;       /* to the other one */
    int (*sync)(void *self, int fd);
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static int held_sync(void *self, int fd)
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

/* The ops are committed, and are the outbox's by now; what it says of them comes with the next
 * group, which is not synced before this returns. Thread: the journal's. */
static void on_told(struct world *of)
{
    (void)of;
    hold(true);
}

static void on_request(const char *request)
{
    pthread_mutex_lock(&disk.lock);
    if (strncmp(request, "POST /hook", 10) != 0)
        disk.folds++;
    else if (!disk.is_released)
        disk.early++;
    else
        disk.late++;
    pthread_cond_broadcast(&disk.moved);
    pthread_mutex_unlock(&disk.lock);
}

/* Both sinks are told of the open in one turn, the one that folds nothing first: so what comes at
 * the other shows that it would have been told. */
static void O1_the_first_byte_waits_for_its_intent_where_repeats_are_not_folded(void **state)
{
    static const struct fake_step steps[] = {{FAKE_ANSWER_CLOSE, FAKE_200}};
    static struct host slow;
    struct fake_sink sink;

    (void)state;
    sim_disk_begin(1);
    slow = *host();
    disk.sync = slow.sync;
    slow.sync = held_sync;
    host_set(&slow);
    world_create(&world);
    fake_start(&sink, steps, 1);
    sink.seen = on_request;
    start(sink.port);
    world_sync(&world);
    world.on_told = on_told;
    bench_put(world.bench->feed[0], 0, "r1", "down", "");
    bench_settle(world.bench);
    bench_pass(world.bench, 2000, 50);

    pthread_mutex_lock(&disk.lock);
    while (!disk.is_held || disk.waiting == 0 || disk.folds == 0)
        pthread_cond_wait(&disk.moved, &disk.lock);
    assert_int_equal(disk.early, 0);
    disk.is_released = true;
    pthread_mutex_unlock(&disk.lock);

    world.on_told = NULL; /* the journal's thread waits in its sync */
    hold(false);
    pthread_mutex_lock(&disk.lock);
    while (disk.late == 0) /* and now it leaves */
        pthread_cond_wait(&disk.moved, &disk.lock);
    pthread_mutex_unlock(&disk.lock);
    world_sync(&world);
    stop();
    fake_stop(&sink);
    world_destroy(&world);
    sim_disk_end();
}

/* ---- C6 ---- */

static int snapshots_there(uint64_t number[SNAPSHOT_LIST_MAX])
{
    const struct snapshot_folder folder = {.path = "data/snapshots", .directory = world.dir.id};

    return snapshot_file_list(&folder, number);
}

/* None is due in the hour that it would take, so the last one is that of the end. */
static void C6_a_run_that_ends_leaves_a_snapshot_and_the_next_begins_with_it(void **state)
{
    uint64_t number[SNAPSHOT_LIST_MAX];

    (void)state;
    for (int takes_last = 0; takes_last < 2; takes_last++) {
        sim_disk_begin(2);
        world_create(&world);
        world.snapshot_every_ms = 3600000;
        world.takes_last = takes_last == 1;
        start(0);
        bench_put(world.bench->feed[0], 0, "r1", "down", "");
        bench_settle(world.bench);
        bench_pass(world.bench, 2000, 50);
        world_sync(&world);
        assert_int_equal(snapshots_there(number), 0);
        stop();
        assert_int_equal(snapshots_there(number), takes_last);
        start(0);
        assert_int_equal(world.durable->snapshots.begin.number, takes_last);
        if (!world_recover(&world))
            fail_msg("%s", world.why.text);
        world.takes_last = false;
        stop();
        world_destroy(&world);
        sim_disk_end();
    }
}

static void pass_long(void)
{
    for (int i = 0; i < 40; i++)
        bench_pass(world.bench, 100, 50);
    world_sync(&world);
}

/* None is due as configured, and one is once topics leave no more than two seconds for it. */
static void C6_a_snapshot_is_taken_in_a_quarter_of_the_shortest_retention(void **state)
{
    uint64_t number[SNAPSHOT_LIST_MAX];

    (void)state;
    sim_disk_begin(5);
    world_create(&world);
    world.snapshot_every_ms = INT64_C(3600000000); /* none, however long it takes */
    start(0);
    bench_put(world.bench->feed[0], 0, "r1", "down", "");
    bench_settle(world.bench);
    durable_snapshots_within(world.durable, 7200000); /* two hours are not up either */
    pass_long();
    assert_int_equal(snapshots_there(number), 0);
    durable_snapshots_within(world.durable, 2000);
    while (snapshots_there(number) == 0)
        bench_pass(world.bench, 100, 50);
    world_sync(&world);
    stop();
    world_destroy(&world);
    sim_disk_end();
}

/* A disk that is slow for all but the snapshot's thread, until that waits for the others, or until
 * its file is there. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool is_slow, has_image;
    int waker;            /* of that thread; 0: not yet known */
    _Atomic size_t calls; /* to the disk, until the file was there; 0: it is not */
    struct host real;
} cut = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static bool is_snapshots_thread(void)
{
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof(name));
    return strcmp(name, "tocsin-snapshot") == 0;
}

static void let_all_go_on(void)
{
    pthread_mutex_lock(&cut.lock);
    cut.is_slow = false;
    pthread_cond_broadcast(&cut.moved);
    pthread_mutex_unlock(&cut.lock);
}

static ssize_t slow_pwrite(void *self, int fd, const void *from, size_t bytes, int64_t at)
{
    pthread_mutex_lock(&cut.lock);
    while (cut.is_slow && !is_snapshots_thread())
        pthread_cond_wait(&cut.moved, &cut.lock);
    pthread_mutex_unlock(&cut.lock);
    return cut.real.pwrite(self, fd, from, bytes, at);
}

/* The engine wakes that thread when the image is there; and what that thread wakes from then on,
 * before its file, is who has to write first. */
static void wake_seen(void *self, int waker)
{
    bool goes_on;

    pthread_mutex_lock(&cut.lock);
    cut.has_image |= waker == cut.waker;
    goes_on = cut.has_image && is_snapshots_thread();
    pthread_mutex_unlock(&cut.lock);
    if (goes_on)
        let_all_go_on();
    cut.real.waker_wake(self, waker);
}

static int last_sync_dir(void *self, const char *path)
{
    int rc = cut.real.sync_dir(self, path);

    if (atomic_load(&cut.calls) == 0 && strcmp(path, "data/snapshots") == 0 &&
        is_snapshots_thread()) {
        atomic_store(&cut.calls, atomic_load(&sim.traced));
        let_all_go_on();
    }
    return rc;
}

static void count_open(void *self, const char *line, size_t bytes)
{
    (void)bytes;
    *(unsigned *)self += strstr(line, "\"change\":\"opened\"") != NULL;
}

static unsigned opens_journaled(void)
{
    const struct journal_span all = {.to = UINT64_MAX};
    struct journal_reader *reader;
    struct error err = {""};
    unsigned count = 0;

    assert_int_equal(journal_reader_create_span(&world.durable->segments, &all, &reader, &err), 0);
    assert_int_equal(incident_lines_read(reader, count_open, &count, &err), 0);
    journal_reader_destroy(reader);
    return count;
}

/* A start passes over a snapshot of a moment that the journal does not hold: such a one is none,
 * and what older ones needed of the journal may go on the strength of it. */
static void C6_a_snapshot_is_there_when_what_it_rests_on_is_durable(void **state)
{
    static struct host slow;
    struct sim_trace trace;

    (void)state;
    sim_disk_begin(4);
    sim_trace_begin();
    cut.real = slow = *host();
    slow.pwrite = slow_pwrite;
    slow.waker_wake = wake_seen;
    slow.sync_dir = last_sync_dir;
    host_set(&slow);
    world_create(&world);
    world.snapshot_every_ms = 2000;
    start(0);
    world_sync(&world);
    pthread_mutex_lock(&cut.lock);
    cut.waker = world.durable->snapshots.waker;
    cut.is_slow = true;
    pthread_mutex_unlock(&cut.lock);
    bench_put(world.bench->feed[0], 0, "r1", "down", "");
    bench_settle(world.bench);
    bench_pass(world.bench, 1500, 50);
    while (atomic_load(&cut.calls) == 0)
        bench_pass(world.bench, 100, 50);
    world_sync(&world);
    stop();
    trace = sim_trace_take();
    sim_disk_end();
    sim_disk_image(&trace, cut.calls, 4); /* the power goes there */
    world.snapshot_every_ms = 0;
    start(0);
    assert_int_equal(world.durable->snapshots.begin.number, 1);
    if (!world_recover(&world))
        fail_msg("%s", world.why.text);
    world_sync(&world);
    assert_int_equal(opens_journaled(), 1);
    stop();
    world_destroy(&world);
    sim_disk_end();
    sim_trace_release(&trace);
}

/* ---- C7 ---- */

/* The incidents are the same, and of the events one is refused that counted before. */
static void C7_a_ledger_that_comes_out_otherwise_refuses_the_start(void **state)
{
    (void)state;
    sim_disk_begin(3);
    world_create(&world);
    start(0);
    bench_put(world.bench->feed[0], 0, "r1", "down", "");
    bench_put(world.bench->feed[0], 1, "r1", "calm", "");
    bench_put(world.bench->feed[0], 2, "r2", "down", "");
    bench_settle(world.bench);
    bench_pass(world.bench, 2000, 50);
    world_sync(&world);
    stop();
    /* Nobody reads it meanwhile, and the bench made it of bytes of its own. */
    *(char *)(uintptr_t)world.bench->feed[0]->records[1].payload = '!';
    start(0);
    assert_false(world_recover(&world));
    assert_int_equal(world_stop(&world), EXIT_DATA);
    assert_non_null(strstr(world.why.text, "the recovery does not come to what the journal says: "
                                           "it counted "));
    world_destroy(&world);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(O1_the_first_byte_waits_for_its_intent_where_repeats_are_not_folded),
        cmocka_unit_test(C6_a_run_that_ends_leaves_a_snapshot_and_the_next_begins_with_it),
        cmocka_unit_test(C6_a_snapshot_is_taken_in_a_quarter_of_the_shortest_retention),
        cmocka_unit_test(C6_a_snapshot_is_there_when_what_it_rests_on_is_durable),
        cmocka_unit_test(C7_a_ledger_that_comes_out_otherwise_refuses_the_start),
    };
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

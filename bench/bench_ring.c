/*
 * bench_ring - base/batch_ring against a bare batch-64 ring in the same run.
 *
 * Unit:      one pointer from a producer thread to a consumer thread, in batches
 *            of 64, through a ring of 64 Ki slots.
 * Yardstick: bench/yardsticks/bare_ring.h, the same ring for fixed batches of 64 with
 *            inlined push and pop: no partial batches, no function call.
 * Clock:     from the release of the producer to the consumer's last item.
 * Method:    yardstick and ours take turns; the ratio of each round is kept and
 *            the median of the rounds is the result, because the rate itself moves
 *            with whatever else the machine does. Both threads are pinned, to two
 *            cores where there are two. Check: the sum of all items, every run.
 *
 * Usage: bench_ring [rounds] [items]
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/batch_ring.h"
#include "base/host.h"
#include "bench/result.h"
#include "bench/yardsticks/bare_ring.h"

enum { SLOTS = BARE_SLOTS, BATCH = BARE_BATCH, ROUNDS_MAX = 64 };

static struct bare_ring bare;

struct run {
    struct batch_ring *ring; /* NULL: the yardstick */
    uint64_t items;          /* a multiple of BATCH */
    unsigned producer_core, consumer_core;
    atomic_bool is_started;
};

static void pin(unsigned core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        fprintf(stderr, "bench_ring: not allowed to pin to core %u\n", core);
}

static inline void wait_a_little(const struct run *run)
{
    if (run->producer_core == run->consumer_core)
        sched_yield();
    else
        __builtin_ia32_pause();
}

static void *produce(void *arg)
{
    struct run *run = arg;
    void *items[BATCH];

    pin(run->producer_core);
    while (!atomic_load_explicit(&run->is_started, memory_order_acquire))
        sched_yield();
    for (uint64_t n = 1; n <= run->items; n += BATCH) {
        for (size_t i = 0; i < BATCH; i++)
            items[i] = (void *)(uintptr_t)(n + i);
        if (run->ring == NULL) {
            while (!bare_push(&bare, items))
                wait_a_little(run);
        } else {
            for (size_t done = 0; done < BATCH;) {
                size_t k = batch_ring_push(run->ring, items + done, BATCH - done);
                done += k;
                if (k == 0)
                    wait_a_little(run);
            }
        }
    }
    return NULL;
}

/* Items per second; ends the program when the sum is wrong. */
static double measure(struct run *run)
{
    uint64_t sum = 0, got = 0, from_ns, ns;
    void *out[BATCH];
    pthread_t producer;

    atomic_store_explicit(&run->is_started, false, memory_order_relaxed); /* no thread yet */
    if (pthread_create(&producer, NULL, produce, run) != 0)
        abort();
    pin(run->consumer_core);
    from_ns = host_mono_ns();
    atomic_store_explicit(&run->is_started, true, memory_order_release);
    while (got < run->items) {
        size_t n = run->ring == NULL ? (bare_pop(&bare, out) ? BATCH : 0)
                                     : batch_ring_pop(run->ring, out, BATCH);
        for (size_t i = 0; i < n; i++)
            sum += (uintptr_t)out[i];
        got += n;
        if (n == 0)
            wait_a_little(run);
    }
    ns = host_mono_ns() - from_ns;
    pthread_join(producer, NULL);
    if (sum != run->items * (run->items + 1) / 2) {
        printf("WRONG ANSWER: sum %llu of %llu items\n", (unsigned long long)sum,
               (unsigned long long)run->items);
        exit(1);
    }
    return (double)run->items * 1e9 / (double)ns;
}

/* The first two cores that this process may use; the same one twice if alone. */
static void pick_cores(unsigned core[2])
{
    cpu_set_t set;
    unsigned found = 0;

    core[0] = core[1] = 0;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return;
    for (unsigned i = 0; i < CPU_SETSIZE && found < 2; i++)
        if (CPU_ISSET(i, &set))
            core[found++] = i;
    if (found == 1)
        core[1] = core[0];
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 9;
    uint64_t items = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000000;
    double ours[ROUNDS_MAX], yardstick[ROUNDS_MAX], ratio[ROUNDS_MAX];
    struct run run = {.items = items / BATCH * BATCH};
    struct batch_ring *ring = batch_ring_create(SLOTS);
    unsigned core[2];

    if (ring == NULL || rounds < 1 || rounds > ROUNDS_MAX || run.items == 0) {
        fprintf(stderr, "usage: bench_ring [rounds 1..%d] [items >= %d]\n", ROUNDS_MAX, BATCH);
        return 2;
    }
    pick_cores(core);
    run.producer_core = core[0];
    run.consumer_core = core[1];
    result_begin("ring", "%llu items a run, batches of %d, %d slots, cores %u and %u",
                 (unsigned long long)run.items, BATCH, SLOTS, core[0], core[1]);
    for (size_t i = 0; i < rounds; i++) {
        run.ring = NULL;
        yardstick[i] = measure(&run) / 1e6;
        run.ring = ring;
        ours[i] = measure(&run) / 1e6;
        ratio[i] = ours[i] / yardstick[i];
    }
    result_figure("bare", "bare ring of batches of 64", "M items/s", yardstick, (int)rounds);
    result_figure("ours", "base/batch_ring", "M items/s", ours, (int)rounds);
    result_figure("ratio", "rate, ours / bare", "", ratio, (int)rounds);
    batch_ring_destroy(ring);
    return result_answer(true, "every sum");
}

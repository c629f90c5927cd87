/* engine_run.c - see engine_run.h. Allocations are counted in malloc's place. */
#include "bench/engine_run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/host.h"
#include "bench/futex_count.h"
#include "bench/sampler.h"

/* --- allocations of our own code ----------------------------------------------------------- */

static _Atomic uint64_t allocations; /* by engine threads, asked for by this program's own code */
static _Thread_local bool counted;   /* set for engine threads, see counting_mono() */

static void count_one(void)
{
    if (counted)
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

/* The linker puts these in the place of malloc and its like in all that is linked into the program
 * (--wrap). What librdkafka allocates on our threads is its affair: it is a shared library. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    count_one();
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    count_one();
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes)
{
    count_one();
    return __real_realloc(block, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    count_one();
    return __real_aligned_alloc(alignment, bytes);
}

/* --- a host that counts sleeps and wakes ---------------------------------------------------- */

static _Atomic uint64_t sleeps, wakes;
static const struct host *real;
static bool sampled; /* engine threads join the sampler */

/* --- CPU of the engine's threads ----------------------------------------------------------- */

enum { THREADS_MAX = 128 };

static clockid_t thread_clock[THREADS_MAX];
static _Atomic unsigned thread_count; /* clocks below it are there */
static pthread_mutex_t thread_lock = PTHREAD_MUTEX_INITIALIZER;

static void thread_note(void)
{
    pthread_mutex_lock(&thread_lock);
    unsigned mine = atomic_load(&thread_count);
    if (mine < THREADS_MAX && pthread_getcpuclockid(pthread_self(), &thread_clock[mine]) == 0)
        atomic_store(&thread_count, mine + 1);
    pthread_mutex_unlock(&thread_lock);
}

static double clock_s(clockid_t clock)
{
    struct timespec t = {0};

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Of the threads that run still; `most`: of the one that took the most. */
static double own_cpu_s(double *most)
{
    unsigned count = atomic_load(&thread_count);
    double sum = 0;

    *most = 0;
    for (unsigned i = 0; i < count; i++) {
        double one = clock_s(thread_clock[i]);
        sum += one;
        *most = one > *most ? one : *most;
    }
    return sum;
}

/* What looking on costs is nobody's. */
static double others_cpu_s(void)
{
    return bench_cpu_s() - clock_s(CLOCK_THREAD_CPUTIME_ID);
}

static void counting_wake(void *self, int waker)
{
    (void)self;
    atomic_fetch_add_explicit(&wakes, 1, memory_order_relaxed);
    real->waker_wake(real->self, waker);
}

static void counting_sleep(void *self, int waker, uint64_t timeout_ns)
{
    (void)self;
    if (counted)
        atomic_fetch_add_explicit(&sleeps, 1, memory_order_relaxed);
    real->waker_sleep(real->self, waker, timeout_ns);
}

/* The first thing that an engine thread asks of the host is the time, in the sequencer
 * role: that tells its threads from the client library's. */
static _Thread_local bool is_main;

static uint64_t counting_mono(void *self)
{
    (void)self;
    if (!is_main && !counted) {
        futex_count_thread();
        thread_note();
        if (sampled)
            sampler_join();
        counted = true;
    }
    return real->mono_ns(real->self);
}

static uint64_t closed_events(const struct engine_counters *c)
{
    return c->dropped + c->duplicate + c->unmatched + c->routed;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}

void engine_run(struct engine_run *run)
{
    static struct host counting;
    const struct engine_listener nobody = {0};
    struct engine *engine;
    struct error err = {""};
    uint64_t half_allocations = 0, half_sleeps = 0, half_events = 0, half_futexes = 0;
    double start = 0, cpu = 0, own = 0, most = 0, most_before = 0, until;

    is_main = true;
    sampled = run->stages;
    if (sampled)
        sampler_reset();
    futex_count_reset();
    atomic_store(&thread_count, 0);
    real = host();
    counting = *real;
    counting.waker_wake = counting_wake;
    counting.waker_sleep = counting_sleep;
    counting.mono_ns = counting_mono;
    host_set(&counting);
    run->why[0] = '\0';
    if (engine_create(run->config, run->source, run->rules, &nobody, &engine, &err) != 0 ||
        engine_start(engine, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    until = bench_now_s() + 120;
    for (;;) {
        engine_counters(engine, &run->counters);
        if (start == 0 && run->counters.records > 0) {
            start = bench_now_s();
            cpu = others_cpu_s();
            own = own_cpu_s(&most_before); /* next to nothing yet, of each */
        }
        if (half_events == 0 && closed_events(&run->counters) >= run->records / 2) {
            half_events = closed_events(&run->counters);
            half_allocations = atomic_load(&allocations);
            half_futexes = futex_count_sum();
            half_sleeps = atomic_load(&sleeps) + atomic_load(&wakes);
        }
        if ((double)closed_events(&run->counters) >= run->share * (double)run->records)
            break;
        if (bench_now_s() > until) {
            snprintf(run->why, sizeof(run->why), "only %llu of %llu events after 120 s",
                     (unsigned long long)closed_events(&run->counters),
                     (unsigned long long)run->records);
            break;
        }
        nap();
    }
    double events = (double)closed_events(&run->counters);
    double later = (events - (double)half_events) / 1e6;
    run->seconds = bench_now_s() - start;
    run->cpu_ns_event = (others_cpu_s() - cpu) / events * 1e9;
    run->own_ns_event = (own_cpu_s(&most) - own) / events * 1e9;
    run->busiest_ns_event = (most - most_before) / events * 1e9;
    run->steady_allocations = (double)(atomic_load(&allocations) - half_allocations) / later;
    run->steady_wakes = (double)(atomic_load(&sleeps) + atomic_load(&wakes) - half_sleeps) / later;
    run->steady_futexes = (double)(futex_count_sum() - half_futexes) / later;
    run->no_futexes = futex_count_why_not();
    if (sampled)
        sampler_shares(run->stage_share);
    while (run->config->seal_ms == 0 && run->why[0] == '\0' && !engine_wait_finished(engine, 60000))
        snprintf(run->why, sizeof(run->why), "not finished after 60 s");
    /* What is left of a live source is read too, outside of the clock. */
    while (run->why[0] == '\0' && run->counters.records < run->records && bench_now_s() < until) {
        nap();
        engine_counters(engine, &run->counters);
    }
    engine_stop(engine);
    engine_counters(engine, &run->counters);
    const struct engine_counters *c = &run->counters;
    run->opened = c->opened;
    uint64_t out = closed_events(c) + c->in_bins + c->left;
    for (int r = 0; r < REJECT_REASON_COUNT; r++)
        out += c->rejected[r];
    if (run->why[0] == '\0' && (c->records != run->records || c->events + c->derived != out))
        snprintf(run->why, sizeof(run->why), "records %llu of %llu, events %llu, accounted %llu",
                 (unsigned long long)c->records, (unsigned long long)run->records,
                 (unsigned long long)c->events, (unsigned long long)out);
    engine_destroy(engine);
    host_set(NULL);
}

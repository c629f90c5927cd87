/*
 * fibers.c - see fibers.h.
 *
 * A mutex keeps the number of its fiber where the C library keeps its own lock word: nobody but
 * the functions here ever looks at it.
 */
#include "sim/fibers.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/host.h"
#include "sim/fiber_switch.h"
#include "sim/pair.h"
#include "sim/wire.h"
#include "sim/world.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

enum { FIBERS_MAX = 48, STACK_BYTES = 1 << 20, WAKERS_MAX = 512, WAKER_FD = 100000 };

/* Nothing that goes on lasts longer, in the time of the world. */
#define LIFE_MAX_NS (10000 * SECOND_NS)

enum fiber_state { FIBER_FREE, FIBER_READY, FIBER_ASLEEP, FIBER_BLOCKED, FIBER_OVER };

struct fiber {
    struct fiber_place place;
    enum fiber_state state;
    const void *awaits; /* BLOCKED: mutex, condition or fiber */
    int waker;          /* ASLEEP: on this, or until then */
    uint64_t until_ns;
    void *(*run)(void *arg);
    void *arg, *result;
    bool is_detached;
    const struct host_reading *reading; /* of base/host.c, which keeps one for each thread */
    char name[16];
    char *stack;
};

static struct fiber fibers[FIBERS_MAX];
static int current, started;
static struct {
    bool is_used, is_woken;
} wakers[WAKERS_MAX];

void __real_host_read_through(const struct host_reading *reading);
pthread_t __real_pthread_self(void);

/* ---- whose turn it is ---- */

/* Those whose time has come are ready. Returns how many are. */
static int find_ready(int ready[FIBERS_MAX])
{
    int count = 0;

    for (int i = 0; i < started; i++) {
        struct fiber *fiber = &fibers[i];
        if (fiber->state == FIBER_ASLEEP && fiber->until_ns <= world->now_ns)
            fiber->state = FIBER_READY;
        if (fiber->state == FIBER_READY)
            ready[count++] = i;
    }
    return count;
}

static _Noreturn void be_stuck(void)
{
    char text[480] = "";
    size_t used = 0;

    for (int i = 0; i < started; i++)
        if (fibers[i].state == FIBER_BLOCKED && used < sizeof(text))
            used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", fibers[i].name);
    world_end(LIFE_IS_STUCK, "every thread waits, and nothing is due:%s", text);
}

static uint64_t find_next(void)
{
    uint64_t next_ns = UINT64_MAX;

    for (int i = 0; i < started; i++)
        if (fibers[i].state == FIBER_ASLEEP && fibers[i].until_ns < next_ns)
            next_ns = fibers[i].until_ns;
    if (next_ns == UINT64_MAX)
        be_stuck();
    return next_ns;
}

static int choose(const int *ready, int count)
{
    struct dice *dice = &world->turns;
    int chosen = ready[dice_below(dice, (uint64_t)count)];

    if (world->plan.favours == 1 && fibers[current].state == FIBER_READY && !dice_percent(dice, 10))
        return current;
    /* One thread hardly ever gets its turn. */
    if (world->plan.favours == 2 && chosen == 1 + (int)(world->seed % 4) && count > 1 &&
        !dice_percent(dice, 3))
        chosen = ready[dice_below(dice, (uint64_t)count)];
    return chosen;
}

static void check_time(void)
{
    if (world->now_ns >= world->plan.end_ns && world->plan.end != LIFE_STOPS)
        world_die("its time has come");
    if (world->now_ns - world->began_ns > LIFE_MAX_NS)
        world_end(LIFE_IS_ENDLESS, "the life has no end");
}

#if defined(__SANITIZE_ADDRESS__)
static size_t main_stack_bytes;

static void find_main_stack(void)
{
    pthread_attr_t attr;
    void *stack = NULL;

    pthread_getattr_np(__real_pthread_self(), &attr);
    pthread_attr_getstack(&attr, &stack, &main_stack_bytes);
    pthread_attr_destroy(&attr);
    fibers[0].stack = stack;
}
#endif

static void go_to(int next)
{
    struct fiber *from = &fibers[current], *to = &fibers[next];
#if defined(__SANITIZE_ADDRESS__)
    void *fake = NULL;
#endif

    if (next == current)
        return;
    current = next;
    __real_host_read_through(to->reading);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(from->state == FIBER_OVER ? NULL : &fake, to->stack,
                                   next == 0 ? main_stack_bytes : STACK_BYTES);
#endif
    fiber_switch(&from->place, &to->place);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

/* Gives the processor away; comes back when it is this one's turn again. */
static void pass(void)
{
    int ready[FIBERS_MAX], count;

    world->now_ns += 1 + dice_below(&world->turns, world->plan.turn_ns);
    for (;;) {
        count = find_ready(ready);
        uint64_t due_ns = count > 0 ? world->now_ns : find_next();
        if (pair_yield(due_ns))
            continue;
        if (count > 0)
            break;
        world->now_ns = due_ns;
    }
    check_time();
    world->report.turns++;
    world_hash((uint64_t)count << 8 | (uint64_t)current);
    go_to(choose(ready, count));
}

/* What has left the machine comes to where it was sent. */
void fibers_freeze(void)
{
    uint64_t ns = world->plan.freeze_ns;

    world->plan.freeze_ns = 0;
    wire_flush();
    pair_freeze(world->now_ns + ns);
    check_time();
}

void fibers_turn(void)
{
    /* What a thread reads through stands in one place for all fibers while it is asked. */
    if (fibers[current].reading != NULL || started == 0)
        return;
    if (world->plan.freeze_ns > 0 && world->now_ns >= world->plan.freeze_from_ns)
        fibers_freeze();
    if (dice_below(&world->turns, world->plan.preempts) == 0)
        pass();
}

void fibers_begin(void)
{
    started = 1;
    fibers[0] = (struct fiber){.state = FIBER_READY, .name = "main"};
#if defined(__SANITIZE_ADDRESS__)
    find_main_stack();
#endif
}

/* ---- wakers ---- */

int fibers_waker_create(void)
{
    for (int i = 0; i < WAKERS_MAX; i++)
        if (!wakers[i].is_used) {
            wakers[i].is_used = true;
            wakers[i].is_woken = false;
            return WAKER_FD + i;
        }
    return -EMFILE;
}

bool fibers_is_waker(int fd)
{
    return fd >= WAKER_FD && fd < WAKER_FD + WAKERS_MAX;
}

void fibers_waker_close(int waker)
{
    wakers[waker - WAKER_FD].is_used = false;
}

void fibers_waker_wake(int waker)
{
    assert(fibers_is_waker(waker) && wakers[waker - WAKER_FD].is_used);
    wakers[waker - WAKER_FD].is_woken = true;
    for (int i = 0; i < started; i++)
        if (fibers[i].state == FIBER_ASLEEP && fibers[i].waker == waker)
            fibers[i].state = FIBER_READY;
    fibers_turn();
}

bool fibers_waker_is_woken(int waker)
{
    return wakers[waker - WAKER_FD].is_woken;
}

void fibers_sleep(int waker, uint64_t until_ns, bool consumes)
{
    struct fiber *fiber = &fibers[current];

    if (waker < 0 || (!fibers_waker_is_woken(waker) && until_ns > world->now_ns)) {
        fiber->state = FIBER_ASLEEP;
        fiber->waker = waker;
        fiber->until_ns = until_ns;
        pass();
    }
    if (waker >= 0 && consumes)
        wakers[waker - WAKER_FD].is_woken = false;
}

void fibers_pause(uint64_t ns)
{
    if (fibers[current].reading == NULL)
        fibers_sleep(-1, world->now_ns + ns, false);
}

/* ---- in place of the C library's ---- */

static void await(const void *what)
{
    fibers[current].state = FIBER_BLOCKED;
    fibers[current].awaits = what;
    pass();
}

static void release(const void *what)
{
    for (int i = 0; i < started; i++)
        if (fibers[i].state == FIBER_BLOCKED && fibers[i].awaits == what)
            fibers[i].state = FIBER_READY;
}

static void fiber_main(void)
{
    struct fiber *fiber = &fibers[current];

#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
    fiber->result = fiber->run(fiber->arg);
    fiber->state = fiber->is_detached ? FIBER_FREE : FIBER_OVER;
    release(fiber);
    pass();
    abort(); /* nobody comes back */
}

/* A free one with a stack; NULL: there are too many. */
static struct fiber *fiber_take(void)
{
    struct fiber *fiber = &fibers[1];

    while (fiber < fibers + started && fiber->state != FIBER_FREE)
        fiber++;
    if (fiber == fibers + FIBERS_MAX)
        return NULL;
    if (fiber == fibers + started)
        started++;
    if (fiber->stack != NULL)
        return fiber;
    fiber->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return fiber->stack != MAP_FAILED ? fiber : NULL;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg)
{
    struct fiber *fiber = fiber_take();

    (void)attr;
    if (fiber == NULL)
        return EAGAIN;
    *fiber = (struct fiber){.state = FIBER_READY, .run = run, .arg = arg, .stack = fiber->stack};
    *thread = (pthread_t)(fiber - fibers);
    snprintf(fiber->name, sizeof(fiber->name), "thread-%d", (int)(fiber - fibers));
    fiber_place_make(&fiber->place, fiber->stack, STACK_BYTES, fiber_main);
    fibers_turn();
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
    struct fiber *fiber = &fibers[thread];

    while (fiber->state != FIBER_OVER)
        await(fiber);
    if (result != NULL)
        *result = fiber->result;
    fiber->state = FIBER_FREE;
    return 0;
}

int __wrap_pthread_detach(pthread_t thread);
int __wrap_pthread_detach(pthread_t thread)
{
    fibers[thread].is_detached = true;
    if (fibers[thread].state == FIBER_OVER)
        fibers[thread].state = FIBER_FREE;
    return 0;
}

pthread_t __wrap_pthread_self(void);
pthread_t __wrap_pthread_self(void)
{
    return (pthread_t)current;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
    snprintf(fibers[thread].name, sizeof(fibers[thread].name), "%.15s", name);
    return 0;
}

int __wrap_sched_yield(void);
int __wrap_sched_yield(void)
{
    if (fibers[current].reading == NULL)
        pass();
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (started > 0)
        fibers_turn();
    while (mutex->__data.__lock != 0)
        await(mutex);
    mutex->__data.__lock = current + 1;
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    assert(mutex->__data.__lock == current + 1);
    mutex->__data.__lock = 0;
    release(mutex);
    if (started > 0)
        fibers_turn();
    return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    assert(mutex->__data.__lock == current + 1);
    mutex->__data.__lock = 0;
    release(mutex);
    await(cond);
    while (mutex->__data.__lock != 0)
        await(mutex);
    mutex->__data.__lock = current + 1;
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    release(cond);
    return 0;
}

void __wrap_host_read_through(const struct host_reading *reading);
void __wrap_host_read_through(const struct host_reading *reading)
{
    fibers[current].reading = reading;
    __real_host_read_through(reading);
}

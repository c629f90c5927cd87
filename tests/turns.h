/*
 * turns.h - threads that act one at a time, in an order that a test writes down, and that
 * ThreadSanitizer takes for threads that have nothing in common.
 *
 *   turns_begin(3);
 *   turn(0, writes);    thread 0 does it, and nothing else happens meanwhile
 *   turn(1, reads);     then thread 1
 *   turns_end();        the test may look at everything
 *
 * Turns are passed by atomics that are not instrumented. So the order is real, on any machine, but
 * the sanitizer knows only what the code under test orders by itself: an access that an edge should
 * cover and does not is reported in each run, not by luck. That is what tests/weaken_orders.py
 * needs. Jobs may not use locks or other atomics with orders, and not cmocka's assertions, whose
 * way out is for the main thread alone: they leave what they found in variables, read after
 * turns_end().
 */
#ifndef TESTS_TURNS_H
#define TESTS_TURNS_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

enum { HANDS_MAX = 8 };

typedef void act(unsigned self);

static struct hand {
    pthread_t thread;
    act *job;  /* NULL: idle */
    bool over; /* the thread is to end */
} hands[HANDS_MAX];
static unsigned hand_count;
static bool pausing, paused; /* see pause_here() */

#define UNSEEN __attribute__((noinline, no_sanitize_thread))

UNSEEN static bool flag_get(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

UNSEEN static void flag_set(bool *flag, bool value)
{
    __atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

UNSEEN static act *job_get(const struct hand *hand)
{
    return __atomic_load_n(&hand->job, __ATOMIC_ACQUIRE);
}

UNSEEN static void job_set(struct hand *hand, act *job)
{
    __atomic_store_n(&hand->job, job, __ATOMIC_RELEASE);
}

static void *hand_run(void *arg)
{
    struct hand *hand = arg;

    while (!flag_get(&hand->over)) {
        act *job = job_get(hand);
        if (job == NULL) {
            sched_yield();
            continue;
        }
        job((unsigned)(hand - hands));
        job_set(hand, NULL);
    }
    return NULL;
}

/* What was written before, all threads have seen. */
static inline void turns_begin(unsigned count)
{
    for (hand_count = 0; hand_count < count; hand_count++) {
        flag_set(&hands[hand_count].over, false);
        if (pthread_create(&hands[hand_count].thread, NULL, hand_run, &hands[hand_count]) != 0)
            abort();
    }
}

static inline void turns_end(void)
{
    while (hand_count > 0) {
        flag_set(&hands[--hand_count].over, true);
        pthread_join(hands[hand_count].thread, NULL);
    }
}

static inline void turn(unsigned hand, act *job)
{
    job_set(&hands[hand], job);
    while (job_get(&hands[hand]) != NULL)
        sched_yield();
}

/* Begins a turn and returns when it comes to pause_here(); others may have turns inside it. */
static inline void turn_until_pause(unsigned hand, act *job)
{
    flag_set(&pausing, true);
    job_set(&hands[hand], job);
    while (!flag_get(&paused))
        sched_yield();
}

/* Lets it go on to its end. */
static inline void turn_go_on(unsigned hand)
{
    flag_set(&pausing, false);
    while (job_get(&hands[hand]) != NULL)
        sched_yield();
}

/* Called by jobs; nothing happens where the turn was not begun by turn_until_pause(). */
static inline void pause_here(void)
{
    if (!flag_get(&pausing))
        return;
    flag_set(&paused, true);
    while (flag_get(&pausing))
        sched_yield();
    flag_set(&paused, false);
}

#endif

/*
 * fibers.h - the threads of the daemon, one at a time.
 *
 * pthread_create and whatever threads wait in (mutexes, conditions, joins, wakers) are replaced
 * when the simulator is linked (--wrap), so each thread of the product is a fiber of one process:
 * it runs until it waits, or until a call that reaches the world gives the processor away. Which
 * one goes on then is thrown with the seed's dice. When all of them wait, time goes on to the
 * next moment at which something is due.
 */
#ifndef TESTS_SIM_FIBERS_H
#define TESTS_SIM_FIBERS_H

#include <stdbool.h>
#include <stdint.h>

/* The thread that calls is the first fiber. */
void fibers_begin(void);

/* Another thread may go on. To be called wherever the product reaches the world. */
void fibers_turn(void);

/* The machine is frozen now, for as long as its plan says, once. */
void fibers_freeze(void);

int fibers_waker_create(void);
void fibers_waker_wake(int waker);
bool fibers_waker_is_woken(int waker);
bool fibers_is_waker(int fd);
void fibers_waker_close(int waker);

/* Sleeps until the waker was woken, -1 for none, or this time has come. `consumes`: what woke it
 * is over then. */
void fibers_sleep(int waker, uint64_t until_ns, bool consumes);

/* For a moment. */
void fibers_pause(uint64_t ns);

#endif

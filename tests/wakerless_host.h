/*
 * wakerless_host.h - for tests: a host without wakers, for engines whose stages are polled by the
 * test and never sleep.
 */
#ifndef TESTS_WAKERLESS_HOST_H
#define TESTS_WAKERLESS_HOST_H

#include "base/host.h"

/* No descriptor, as far as any other is concerned. */
static inline int wakerless_create(void *self)
{
    (void)self;
    return 1000000;
}

static inline void wakerless_wake(void *self, int waker)
{
    (void)self;
    (void)waker;
}

static inline void wakerless_sleep(void *self, int waker, uint64_t timeout_ns)
{
    (void)self;
    (void)waker;
    (void)timeout_ns;
}

static inline int wakerless_close(void *self, int fd)
{
    (void)self;
    (void)fd;
    return 0;
}

/* The running host, but for its wakers. */
static inline struct host wakerless_host(void)
{
    struct host made = *host();

    made.waker_create = wakerless_create;
    made.waker_wake = wakerless_wake;
    made.waker_sleep = wakerless_sleep;
    made.close = wakerless_close;
    return made;
}

#endif

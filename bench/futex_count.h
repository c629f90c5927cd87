/*
 * futex_count.h - for benches: how often chosen threads enter the kernel for a futex.
 *
 * Each thread that counts opens a perf counter of its own on the tracepoint
 * syscalls:sys_enter_futex. The kernel counts: whoever asks for the futex on the thread,
 * our code, libc's locks or the client library's, is in it, and nothing is slowed by a tracer.
 * It needs root (or perf_event_paranoid at -1 and a readable tracefs); where the kernel
 * refuses, futex_count_why_not() says so and the count stays 0.
 */
#ifndef BENCH_FUTEX_COUNT_H
#define BENCH_FUTEX_COUNT_H

#include <stdint.h>

/* Begins to count the calling thread. Once per thread; at most 128 until the next reset. */
void futex_count_thread(void);

/* Sum over the threads that began since the last reset, those that have ended too. */
uint64_t futex_count_sum(void);

/* NULL, or one sentence on why nothing is counted. */
const char *futex_count_why_not(void);

/* Forgets all threads. Only while none of them begins. */
void futex_count_reset(void);

#endif

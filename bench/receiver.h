/*
 * receiver.h - for benches: an HTTP server on loopback that says when each POST had come.
 *
 * It has a thread and a port of its own and answers everything with 200. The port is there before
 * the thread is, so that processes can be told of it that are forked before there are threads.
 *
 * Errors: what fails ends the bench with a sentence and code 2.
 */
#ifndef BENCH_RECEIVER_H
#define BENCH_RECEIVER_H

#include <stddef.h>
#include <stdint.h>

/* Takes a free port, which it returns; who connects waits until the thread is there. */
int receiver_listen(void);

/* Calls `on_post` for each request, on the thread: `body` is borrowed and ends with a zero byte,
 * `arrived_ns` is monotonic, of when all of it was there. */
void receiver_start(void (*on_post)(const char *body, size_t bytes, uint64_t arrived_ns));

void receiver_stop(void);

#endif

/*
 * http_floor.h - for benches: what passes on each POST at once, as the least that something between
 * two HTTP connections takes: one thread of libevent in a process of its own, in on loopback, out
 * on loopback, one connection each way that is kept.
 *
 * Errors: what fails ends the bench with a sentence and code 2.
 * Thread: the bench's only one, from its beginning, for it forks.
 */
#ifndef BENCH_HTTP_FLOOR_H
#define BENCH_HTTP_FLOOR_H

#include <stddef.h>

/* Starts the process, which ends with this one: what is posted to the port that comes back is
 * posted to `out_port`, and answered without waiting for that. */
int http_floor_begin(int out_port);

/* Posts to `port` on a connection that is kept from the first call on, and waits for the answer. */
void http_floor_post(int port, const char *body, size_t bytes);

#endif

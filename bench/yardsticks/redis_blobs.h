/*
 * redis_blobs.h - yardstick: how fast bytes go into a Redis as blobs of 1 MiB, by a unix socket.
 *
 * A server of its own, without any persistence, in a process beside; blobs are sent one after the
 * other without waiting, and the clock ends when all of them have been answered. Why it is held
 * against: what is large travels to a shared store in pieces of that size, and no way of making an
 * image brings it there faster than this.
 *
 * Thread: one.
 */
#ifndef BENCH_YARDSTICKS_REDIS_BLOBS_H
#define BENCH_YARDSTICKS_REDIS_BLOBS_H

#include <stddef.h>

struct redis_blobs;

/* NULL where there is no redis-server that answers, with the reason in *why. Returns owned, until
 * redis_blobs_stop(). */
struct redis_blobs *redis_blobs_start(const char **why);
void redis_blobs_stop(struct redis_blobs *blobs); /* NULL is allowed */

/* Sends the bytes, over those of before. Seconds by the clock; ends the bench where they are
 * refused. */
double redis_blobs_send(struct redis_blobs *blobs, const void *bytes, size_t count);

#endif

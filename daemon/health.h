/*
 * health.h - does it live, can it serve: the answers of /healthz and /readyz.
 *
 * The main thread looks once a second and hands in what it saw; the admin thread reads
 * the answers. Both are pure functions of what was handed in and when, so that tests
 * need no clock.
 *
 * Thread: all by any thread (one mutex).
 */
#ifndef DAEMON_HEALTH_H
#define DAEMON_HEALTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

enum { HEALTH_STUCK_MS = 30000 };

/* What was seen. */
struct health_view {
    uint64_t now_ns;      /* monotonic */
    uint64_t progress;    /* any number that moves while the engine lives */
    int64_t watermark_ms; /* INT64_MIN: none yet */
    uint64_t waiting;     /* events and records that wait for the watermark */
    double outbox_fill;   /* 0..1 */
    bool source_ready;
    const char *source_why; /* when not ready */
};

struct health {
    pthread_mutex_t lock; /* of everything below */
    uint64_t progress;
    uint64_t progress_at_ns;
    int64_t watermark_ms;
    uint64_t watermark_at_ns; /* when it last moved or had nothing to move for */
    uint64_t seen_ns;
    bool is_alive;
    bool is_ready;
    bool is_stopping;
    struct error why_dead, why_not_ready;
};

void health_init(struct health *health, uint64_t now_ns);

/* The engine begins: the time in which there was none, as of one that stood by, is not held against
 * it. */
void health_begin(struct health *health, uint64_t now_ns);
void health_release(struct health *health);

/* Takes a look over; returns true when readiness changed with it. */
bool health_see(struct health *health, const struct health_view *view);

/* From now on not ready: it is stopping. */
void health_stop(struct health *health);

/* True, or false with a sentence. `now_ns` tells whether looks still come. */
bool health_is_alive(struct health *health, uint64_t now_ns, struct error *why);
bool health_is_ready(struct health *health, struct error *why);

#endif

/*
 * sink_watch.h - what the log says of a sink that changes.
 *
 * Two looks at a sink's counters are compared: it is held, or free again; its breaker opens or
 * closes; changes were given up; what waits is not what was counted (L6). One line each.
 *
 * Thread: one at a time for one sink.
 */
#ifndef DAEMON_SINK_WATCH_H
#define DAEMON_SINK_WATCH_H

#include "sinks/outbox.h"

/* Logs what changed between *before and *now, and makes *before the same as *now. */
void sink_watch_see(struct sink_counters *before, const struct sink_counters *now);

#endif

/*
 * crash_log.h - records at which this daemon died of a fault of its own, in the file `crashes` of a
 * data directory (semantics F2).
 *
 *   11 3 4711 alerts        a death by signal 11 while record 4711 of alerts/3 was worked on
 *
 * The line is written by the dying thread (base/fault.h). A record with two of them is refused from
 * the next start on: the engine makes a mark of it, which the journal keeps. A line that is none
 * is passed over: the machine may have stopped in its middle. SIGKILL and power cuts leave none.
 *
 * Thread: setup.
 */
#ifndef DAEMON_CRASH_LOG_H
#define DAEMON_CRASH_LOG_H

#include "base/error.h"
#include "correlate/engine.h"
#include "store/data_dir.h"

struct crash_log;

enum { CRASH_LOG_PLACES_MAX = 512, CRASH_LOG_DEATHS = 2 };

/* Reads the file, and makes it where there is none. Beyond 64 KiB it is written anew with the last
 * CRASH_LOG_PLACES_MAX places.
 * Owner:  the caller, until crash_log_close().
 * Errors: a negative errno with a sentence. */
int crash_log_open(const struct data_dir *dir, struct crash_log **out, struct error *err);

/* Records that are to be refused, in the order in which that was known; they live as long as the
 * log. */
size_t crash_log_refused(const struct crash_log *log, const struct engine_crash **out);

/* From here on a fault of this process is written down. Until crash_log_close(). */
void crash_log_arm(struct crash_log *log);

/* NULL is allowed. */
void crash_log_close(struct crash_log *log);

#endif

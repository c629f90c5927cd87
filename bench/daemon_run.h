/*
 * daemon_run.h - for benches: the daemon itself, in processes of its own, on the mock broker, in a
 * folder that goes with the bench. Everything that fails ends the bench with a sentence and code 2.
 *
 * The folder is made in TMPDIR, or /tmp: what a disk does to a figure is that disk's.
 *
 * Thread: the bench's only one, from its beginning.
 */
#ifndef BENCH_DAEMON_RUN_H
#define BENCH_DAEMON_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Makes the folder and goes there; it is removed when the bench ends. */
void daemon_folder(void);

/* `tocsin ARGUMENTS...`, up to a NULL, in a process of its own that ends with this one; what it
 * prints goes to `log`. */
pid_t daemon_begin(const char *log, const char *const *arguments);

/* Waits for its end: its exit code, or the signal's number below zero. */
int daemon_end(pid_t pid);

double daemon_cpu_s(pid_t pid); /* that it has taken so far */

/* A broker with topic "events" of so many partitions; its address. */
const char *daemon_broker(int partitions);

/* Ends it, so that another may be started. */
void daemon_broker_end(void);

/* Instead of that one: a broker that is there, with that topic. */
void daemon_use_broker(const char *address);

/* Writes tocsin.yaml: input from the start of the topic, the admin server on a free port, `more`.
 * `group`: unlike that of every run before whose input is to come again, for a run without a data
 * directory goes on from where the last one told the broker that it was. */
void daemon_config(const char *group, const char *more);

/* Where that server listens, and a port that nobody has at this moment. */
const char *daemon_admin(void);
int daemon_free_port(void);

/* Whether it says that it is ready; a metric, the sum of one with labels; -1 where it does not
 * answer, or has no such metric. */
bool daemon_is_ready(void);
double daemon_metric(const char *name);

/* Events that it has read and of which the epoch is closed; below zero where it does not answer. */
double daemon_closed(void);

/* Waits until it is ready, or the metric is at least `least`, looking every `look_ms`; `pid` has to
 * live. */
void daemon_await_ready(pid_t pid, unsigned look_ms);
void daemon_await(pid_t pid, const char *name, double least, unsigned look_ms);

FILE *daemon_write(const char *path);

#endif

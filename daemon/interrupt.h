/*
 * interrupt.h - for commands that go on until they are done, or until a person presses
 * Ctrl-C or a supervisor ends them: SIGINT and SIGTERM are noted, and wake who sleeps.
 *
 * Thread: main, once per process.
 */
#ifndef DAEMON_INTERRUPT_H
#define DAEMON_INTERRUPT_H

#include <stdbool.h>

/* Catches both signals. Returns a waker (base/host.h) that they wake, to sleep on; where
 * there is no descriptor for one, -errno, and the signals are caught all the same. */
int interrupt_begin(void);

/* True once a signal has come. */
bool interrupt_seen(void);

/* Gives the waker back; the signals stay caught. */
void interrupt_end(void);

#endif

/*
 * progress.h - how far long work has come, on standard error: on a terminal one line that is
 * written over, elsewhere nothing, or with --progress a line every few seconds.
 *
 * Thread: one.
 */
#ifndef DAEMON_PROGRESS_H
#define DAEMON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_on, is_terminal, has_line;
    uint64_t begin_ns, shown_ns;
    const char *unit; /* "records" */
};

/* `is_wanted`: --progress was given. `is_quiet`: not even on a terminal. */
void progress_begin(struct progress *progress, const char *unit, bool is_wanted, bool is_quiet);

/* Shows that `done` of `total` is done, if it is time to; total 0: not known. */
void progress_show(struct progress *progress, uint64_t done, uint64_t total);

/* Takes the line away. */
void progress_end(struct progress *progress);

#endif

/*
 * replay_intake.h - what was pushed into a daemon, and what people did to incidents, as one more
 * partition of an input that is read again: the intake log of its data directory, also while the
 * daemon runs.
 *
 * Thread: setup.
 */
#ifndef DAEMON_REPLAY_INTAKE_H
#define DAEMON_REPLAY_INTAKE_H

#include "base/error.h"
#include "ingest/range_source.h"
#include "store/data_dir.h"

/* Where the log lies, and which of its records are wanted. */
struct replay_intake {
    char folder[DATA_DIR_PATH_BYTES]; /* outlives the source */
    struct id128 directory;
    uint64_t first, next; /* positions; equal: none */
    int64_t since_ms;     /* what was before is not on record any more; INT64_MIN: all is */
};

/* Looks for the records of the range's times in a data directory; one that is not there yet, or
 * has none of them, is no error. Errors: a negative errno with a sentence. */
int replay_intake_find(const char *dir, const struct range_config *range, struct replay_intake *out,
                       struct error *err);

/* The source with them beside its partitions. Takes `inner`, unless it fails; only where there are
 * any. */
int replay_intake_over(const struct replay_intake *intake, struct source *inner,
                       struct source **out, struct error *err);

#endif

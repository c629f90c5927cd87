/*
 * intake_keep.h - how much of the intake log is kept: what a start needs, and what people may ask
 * about beyond that (intake.keep, intake.bytes.max).
 *
 *   records, the oldest first   . . . . . . [checkpoint] . . . . | . . . .
 *                                    ^                           ^
 *                                    an act that is owed         a start begins here (its snapshot)
 *
 * A start reads the log from where its snapshot stands there. Of what is before it wants the
 * silences that hold, which a checkpoint says, and acts of which nobody has put on record yet what
 * came of them. So what lies before all three is kept for people alone, and the shared store lets
 * go of it.
 *
 * Checkpoints are written when so much has come since the last one that letting go of it is worth
 * it: nothing is written by an idle daemon.
 *
 * Thread: as each function says.
 */
#ifndef DAEMON_INTAKE_KEEP_H
#define DAEMON_INTAKE_KEEP_H

#include "daemon/owed_acts.h"
#include "store/intake_log.h"

struct intake_keep;
struct unit; /* daemon/unit.h */

struct intake_keep_options {
    const struct segment_config *segments; /* outlives it */
    struct journal_keep keep;              /* beyond what is needed */
    struct unit *unit;                     /* that may need more; NULL: none */
    struct owed_acts *owed;                /* outlive it */
};

/* NULL: memory is short. */
struct intake_keep *intake_keep_create(const struct intake_keep_options *options);
/* NULL is allowed. */
void intake_keep_destroy(struct intake_keep *keep);

/* A record of the log, from the first on. Thread: setup. */
void intake_keep_read(struct intake_keep *keep, const struct intake_record *record);
/* All were; the log outlives it. Thread: setup. */
void intake_keep_begin(struct intake_keep *keep, struct intake_log *log);

/* A frame is durable. Thread: the log's, as the next. */
void intake_keep_kept(struct intake_keep *keep, const char *payload, size_t bytes);
/* The checkpoint that is due; NULL: none is. */
struct intake_post *intake_keep_own(struct intake_keep *keep);

/* The first frame of the log that a start needs whose snapshot stands at position `low`; 0: all of
 * it. Asks for a checkpoint where one is worth it. Thread: any, but one at a time with the next. */
uint64_t intake_keep_floor(struct intake_keep *keep, uint64_t low);
/* No start begins before `low` any more: lets go of what is old enough, or too much, by the clock
 * of the run. */
void intake_keep_release(struct intake_keep *keep, uint64_t low, int64_t now_ms);

/* Checkpoints that were written. Thread: any. */
uint64_t intake_keep_checkpoints(const struct intake_keep *keep);

#endif

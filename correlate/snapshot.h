/*
 * snapshot.h - the whole state of a run as an image, taken between two steps, and a run that goes
 * on from one (semantics C6).
 *
 *   asked    owners say how their partitions stand (edge Y); each between two records
 *   wait     until all that was read by then has been worked off
 *   take     no step is under way: this role goes through some of the lanes, image_bytes at a
 *            time; at the last such moment all else is put in front, and the image is handed to the
 *            listener
 *
 * An engine that begins from an image reads each partition again from where it stood. Of the
 * records from there on, events before the image have been worked off, and are passed over once
 * they have their time; the others have not.
 *
 * What is in it: alerts, rule keys with what their forms remember, open incidents as rules and as
 * mutes know them, changes that composites wait for, partitions with M and V, blind spells, what
 * bounds took, all counters. What is not: anything that is made anew from these (timers, sums of
 * windows, tables), R and the clock, and what only decides how the work is cut.
 *
 * Thread: who holds the sequencer role; loading by the owner before the threads start.
 */
#ifndef CORRELATE_SNAPSHOT_H
#define CORRELATE_SNAPSHOT_H

#include "correlate/core.h"

/* Of the bytes. Those of SNAPSHOT_VERSION_OLDEST are read as well (semantics C12):
 *   3  until forms of one rule shared keys: of what is read from these no two do
 *   4  until it was known what had been pushed: nothing is by what is read from these, until its
 * next event, and no spell is known in which nobody could push; and until a lane
 *      could be taken at several moments: each is one stretch
 *   5  until tenants had quotas: nobody was counted, and nobody is cut
 *   6  until a partition that is behind could shed: none does
 */
enum {
    SNAPSHOT_VERSION = 7,
    SNAPSHOT_VERSION_OLDEST = 3,
};

/* What stands before each part. */
#define SNAPSHOT_HEAD "TOCS"
#define SNAPSHOT_RULES "RULE"
#define SNAPSHOT_REST "REST"
#define SNAPSHOT_END "END."

/* Something happens that is not in the lanes that were taken, and that the records do not say: they
 * are taken anew. */
void snapshot_disturb(struct engine *engine);

/* What an image has of the lanes by now: what bounds take of that is noted (gone.h). */
struct lane_reach snapshot_reach(const struct engine *engine);

/* Whether bounds were held at the end of this epoch between two lanes of the image, and what they
 * took then. The latter is for workers too, in a silent step. */
bool snapshot_rerun_bounds(const struct engine *engine, int64_t epoch);
const struct gone *snapshot_rerun_gone(const struct engine *engine, int64_t at_ms, size_t *count);

/* Keeps steps from going over the end of an image whose lanes were taken one after the other, and
 * says when it is reached: false until all before it is done. */
bool snapshot_rerun_look(struct engine *engine, int64_t *closed);

void snapshot_release(struct engine *engine);
void snapshot_rerun_release(struct engine *engine);

/* Goes on with what was asked for. True: nothing is to be planned before the next call. */
bool snapshot_poll(struct engine *engine);

#endif

/*
 * ingest_parts.h - what the files of the ingest role share; the role itself is in core.h.
 *
 *   ingest.c         feeds: who is read next, what is let go of, who waits for memory
 *   ingest_record.c  one record: decoded, its effective time (docs/correlation.md, section 1), its
 *                    events into the bins
 *   ingest_marks.c   what is on record of how the partition is read: seals, caps, settings
 *   ingest_stand.c   how partitions stand, for an image
 *
 * A feed whose next event lies beyond the reach of the bins is held: its record stays with the feed
 * until the others have caught up. Its M has moved already, so it never holds up the watermark
 * itself.
 *
 * Thread: the worker that owns the partition.
 */
#ifndef CORRELATE_INGEST_PARTS_H
#define CORRELATE_INGEST_PARTS_H

#include "correlate/core.h"

/* False when the record has to wait: for bins to reach its time, or for a mark. */
bool record_run(struct worker *worker, struct part *part, const struct record *record);

/* How far the partition has come: for the watermark, and for who looks for silence. */
void passed_publish(const struct worker *worker, struct part *part);

/* Journaled marks of the partition that hold for records from `offset` on. */
void marks_take(struct worker *worker, struct part *part, int64_t offset);
static inline void marks_apply(struct worker *worker, struct part *part, int64_t offset)
{
    if (part->mark_at < part->mark_end)
        marks_take(worker, part, offset);
}

/* Journaled marks but caps that were made while the partition stood where it stands now. True: it
 * has come further, or is read otherwise. */
bool marks_recover(struct worker *worker, struct part *part);

/* A seal that the sequencer asked for takes effect before the next record. True: there was one. */
bool seal_apply(struct worker *worker, struct part *part);

/* Says how the first `count` partitions of the worker stand, if that has been asked since. */
void stands_give(struct worker *worker, unsigned count);

#endif

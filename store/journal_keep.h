/*
 * journal_keep.h - which of the oldest segments of a journal, or of an intake log, may go
 * (semantics C5).
 *
 *   segments, the oldest first    [ 1 ] [ 2 ] [ 3 ] [ 4 ] [ 5 ] [ 6 ] [ 7, written on ]
 *   somebody reads from here on                            ^ needed
 *   old enough, or too many bytes  yes   yes   yes   no
 *                                 |---- may go ----|
 *
 * A start, the history and a standby need what they need; people who ask about the past want more,
 * and say how much more by age and size. A segment is as old as the first group of the one behind
 * it, by the clock that the groups have: what matters to who asks is how much of the run is there,
 * and not for how long the daemon was down.
 *
 * Thread: one at a time; the journal may be written meanwhile, and by the caller's own process
 *         alone.
 */
#ifndef STORE_JOURNAL_KEEP_H
#define STORE_JOURNAL_KEEP_H

#include "store/segment_log.h"
#include "store/segment_walk.h"

struct journal_keep {
    int64_t keep_ms;    /* younger ones stay; 0: all do, whatever their age */
    uint64_t bytes_max; /* beyond so many bytes of all segments together older ones go even so; 0:
                           no bound */
};

/* *before becomes the frame before which segments may go, for segment_log_release_before(); 0: none
 * may. `needed`: the first frame that somebody asks for, durable like all before it; `now_ms`: the
 * clock of the newest group.
 * Errors: a negative errno with a sentence; none may go then. */
int journal_keep_before(const struct segment_config *config, const struct journal_keep *keep,
                        uint64_t needed, int64_t now_ms, uint64_t *before, struct error *err);

/* The clock of a frame of a log. 1; 0: this one says none, the next is asked; a negative errno with
 * a sentence. */
typedef int (*segment_clock)(const struct segment_frame *frame, int64_t *out, struct error *err);

/* The same of any log of segments. */
int segments_keep_before(const struct segment_config *config, const struct journal_keep *keep,
                         segment_clock stamp, uint64_t needed, int64_t now_ms, uint64_t *before,
                         struct error *err);

#endif

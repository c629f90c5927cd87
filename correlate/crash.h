/*
 * crash.h - records at which processes died of a fault of their own (semantics F2): they are
 * refused, a mark of each says so, and a self-alert comes from the mark alone.
 *
 *   engine_config.crashes --partition joins--> mark, at the watermark then
 *   engine_config.marks ---------------------> the same mark, made by a run before
 *        --> ingest: the record is refused unread
 *        --> at the first round start at or after the mark's value: an event of @derived
 *
 * Thread: who holds the sequencer role; crash_is_at() is the owner's, crash_load() the one's that
 * sets up.
 */
#ifndef CORRELATE_CRASH_H
#define CORRELATE_CRASH_H

#include "correlate/core.h"

/* Self-alerts of so many records enter at one time, behind those of rules; more are refused
 * without a word but the log's. */
enum { CRASHES_TOLD_MAX = 256 };

/* The marks of a replay, or of a run before. */
void crash_load(struct engine *engine);

/* What is told by an image is not told again. */
void crash_pass(struct engine *engine, int64_t now_ms);

/* A partition joins, and is no member yet: which of its records are refused. */
void crash_join(const struct engine *engine, struct part *part);

/* Its join has been told: so are the marks that nobody made yet. */
void crash_tell(struct engine *engine, struct part *part);

/* As blind_at(). */
bool crash_at(struct engine *engine, int64_t from, bool busy, int64_t *closed);

static inline bool crash_is_at(const struct part *part, int64_t offset)
{
    for (size_t i = 0; i < part->crashes.count; i++)
        if (part->crashes.at[i].offset == offset)
            return true;
    return false;
}

#endif

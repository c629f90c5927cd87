/*
 * away.h - spells in which nobody could push, because the daemon was away (semantics T4b;
 * docs/correlation.md, section 1).
 *
 *     run ----------> told up to B   |  nobody takes a push  |   E -----------> next run
 *                     away-begin B                              away-end E
 *
 * What comes over a topic waits there and is read with its times; what would have been pushed waits
 * nowhere. So a run that goes on after another says so once all has been told again, by two marks
 * at once: a replay knows them from the start, and a run from when its time comes to B. Whatever
 * goes by a spell asks at its own time and is told of those alone that have begun by then; so what
 * it comes to is a function of times, and steps need not end at one.
 *
 * Thread: who holds the sequencer role, while no step is under way; the questions are for any
 * worker in a step (S).
 */
#ifndef CORRELATE_AWAY_H
#define CORRELATE_AWAY_H

#include "correlate/core.h"
#include "correlate/image.h"
#include "ingest/intake_source.h"

/* The marks of a replay, or of the runs before. */
void away_load(struct engine *engine);

/* Spells into an image and out of it: those that the marks of the engine say as well are one. */
void away_save(const struct engine *engine, struct image_out *out);
void away_take(struct engine *engine, struct image_in *in);

/* All that the run before told has been told again: makes the marks of the spell between. */
void away_recovered(struct engine *engine);

/* Does the partition bring what is pushed? */
static inline bool away_is_intake(const struct part *part)
{
    return part->id != 0 && part->number == INTAKE_PARTITION;
}

/* The last spell that has begun at `at_ms`; NULL: none has. */
const struct away_spell *away_at(const struct engine *engine, int64_t at_ms);

/* When a silence since `since_ms` of somebody who pushes has lasted for `wait_ms`, as far as can be
 * told at `now_ms`: a spell inside of it begins it anew, but when pushes were taken for three times
 * `wait_ms` in all that is enough. */
int64_t away_due(const struct engine *engine, int64_t since_ms, int64_t wait_ms, int64_t now_ms);

#endif

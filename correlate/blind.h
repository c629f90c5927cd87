/*
 * blind.h - what is known of partitions that cannot be read: spells of blindness, their marks,
 * and the self-alerts that come from the marks alone (semantics T4b; docs/correlation.md,
 * sections 1 and 3).
 *
 *                10 s unreadable                   readable, and not sealed on
 *     seeing ---------------------> blind ------------------------------------> seeing
 *                 blind-begin         |  10 s unreadable while others can be read   ^
 *                                     +--> sealed on --> readable, within B of R ---+
 *                                                                     blind-end
 *
 * A live run makes the marks and keeps them in a list; a replay has the list from the start. From
 * there on both do the same: at the time of a mark an event enters, and while a partition is blind
 * the problem is told again before its alert could expire.
 *
 * Thread: who holds the sequencer role; blind_load by the owner before the threads start.
 */
#ifndef CORRELATE_BLIND_H
#define CORRELATE_BLIND_H

#include "correlate/core.h"
#include "correlate/image.h"

/* The marks of a replay. */
void blind_load(struct engine *engine);

/* Spells whose time has not come, into an image and out of it. Those that the marks of the engine
 * say as well are one. */
void blind_save(const struct engine *engine, struct image_out *out);
void blind_take(struct engine *engine, int64_t now_ms, struct image_in *in);

/* A seal round looks at a partition; `others` says whether any partition can be read. */
void blind_look(struct engine *engine, struct part *part, uint64_t now_ns, bool others);

/* A partition joined: in a recovery it may have been blind when the run before ended. */
void blind_join(const struct engine *engine, struct part *part);

/* A partition leaves: its spell is over. */
void blind_leave(struct engine *engine, struct part *part, uint64_t now_ns);

/* The epoch of the next event; INT64_MAX: none is known of. */
int64_t blind_due(const struct engine *engine);

/* Lets the events of epoch `from` enter and limits *closed to the next ones: steps do not straddle
 * them. False when the steps under way have to be done first (`busy`). */
bool blind_at(struct engine *engine, int64_t from, bool busy, int64_t *closed);

#endif

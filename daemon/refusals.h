/*
 * refusals.h - DIR/refusals: what self-alerts of a process that ended have no end yet. Which sinks
 * were told that a start was refused, until they have heard that a later one was not (semantics
 * D4); and which sinks refuse our credentials, as the others were told, until these have heard that
 * it is over (O6): that process may well have been ended to give it another key.
 *
 *   refused start   noted for every sink -> told -> those that cannot know of it are taken out
 *   one that runs   told the end, sink by sink -> taken out when that sink has it
 *
 * The note comes before the word, so a process that dies in between leaves a sink that hears the
 * end of something that it was not told of, and never the other way round. The file goes with its
 * last entry.
 *
 * A start that is tried again every few seconds does not page every few seconds: who has confirmed
 * the word is told the same again after REFUSALS_AGAIN_MS alone, and that as what may be a repeat.
 *
 * Bounds:  REFUSALS_MAX entries, and as many of held sinks; beyond them the oldest is forgotten. Of
 *          a sink its last spell is noted.
 * Thread:  one at a time.
 */
#ifndef DAEMON_REFUSALS_H
#define DAEMON_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/vector.h"
#include "sinks/outbox.h"

enum { REFUSALS_MAX = OUTBOX_REFUSALS_MAX, REFUSALS_AGAIN_MS = 3600 * 1000 };

struct refusal {
    char *sink; /* owned: its name */
    int64_t since_ms;
    int64_t told_ms; /* wall clock: when it last confirmed that it knows; 0: it has not */
    int ending;      /* of whoever tells its end; -1: nobody, or nobody yet */
    char why[OUTBOX_WHY_BYTES];
};

struct refusals {
    VECTOR_OF(struct refusal) at;   /* the oldest first; zero: none */
    VECTOR_OF(struct refusal) held; /* sinks, each once, as above; `told_ms` has no meaning */
};

void refusals_release(struct refusals *refusals);

/* What the directory says; nothing where there is no file. A file that makes no sense gives a
 * sentence, -EBADMSG, and nothing. Errors: a negative errno with a sentence. */
int refusals_read(const char *dir, struct refusals *out, struct error *err);

/* Durable when it returns 0. Errors: as above; the file is as it was then. */
int refusals_write(const char *dir, const struct refusals *refusals, struct error *err);

/* The reason as it is told and noted, which have to be the same: cut to its room, and UTF-8. */
void refusals_sentence(const char *why, char to[OUTBOX_WHY_BYTES]);

/* Copies both; `why` up to its room. False: the same reason is there for the sink already. */
bool refusals_add(struct refusals *refusals, const char *sink, int64_t since_ms, const char *why);
/* The spell of a sink that is held, in place of any of before; and its end. */
void refusals_hold(struct refusals *refusals, const char *sink, int64_t since_ms, const char *why);
void refusals_free(struct refusals *refusals, size_t index);
/* NULL: it is not noted as held. Borrowed until the list changes. */
struct refusal *refusals_find_held(const struct refusals *refusals, const char *sink);
/* NULL: there is none of the sink for that reason. Borrowed until the list changes. */
struct refusal *refusals_find(const struct refusals *refusals, const char *sink, const char *why);
/* How the sink is to be told of it now. */
struct outbox_hearing refusals_hearing(const struct refusals *refusals, const char *sink,
                                       const char *why, int64_t now_ms);
void refusals_remove(struct refusals *refusals, size_t index);

#endif

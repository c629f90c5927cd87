/*
 * rejoin.h - a partition that was lost and comes back is counted once (semantics D2, T8).
 *
 * A leave drops what lies in bins unread, and whoever reads the partition next begins at its low
 * position, behind which records may lie that have counted already. Where the next reader is this
 * engine again it passes those over: when it lets a partition go its owner writes down up to where
 * it had read, and which events of that the bins still held.
 *
 *     from                                    until
 *      |  counted  . u .  counted . u u . u u  |          u: dropped unread
 *                    ^ low: read again from here, and only u counts
 *
 * It is kept in memory alone: with `data.dir` no partition is lost to another member. One that
 * begins anew, or whose log was written anew by another leader, is another log, and is forgotten.
 *
 * Memory: 16 bytes for each event that was in a bin when its partition left, so a quarter of what
 * bins may take at the most; given back when reading has come past them.
 */
#ifndef CORRELATE_REJOIN_H
#define CORRELATE_REJOIN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/vector.h"

struct engine;
struct part;
struct record;
struct worker;

struct event_place {
    int64_t offset;
    uint32_t sub;
};

/* Of one partition. Thread: its owner while it is a member, then the sequencer role (K, J). */
struct rejoin {
    bool is_known;                        /* there is such a stretch: what follows says something */
    int64_t from;                         /* its first record */
    struct event_place until;             /* all events before this one were read */
    VECTOR_OF(struct event_place) unread; /* and of them these were dropped; in their order */
    size_t at;                            /* those before have been read again */
    int32_t leader_epoch;                 /* of the last record that was read; -1: not known */
};

/* Writes down what was read of a partition that leaves. Its bins from `left_epoch` on are whole.
 * Thread: its owner, before it lets go. */
void rejoin_note(const struct worker *worker, struct part *part);

/* The partition has joined: takes on what an earlier life of it wrote down, if it goes on there.
 * Thread: who holds the sequencer role, before its owner may read. */
void rejoin_begin(struct engine *engine, struct part *part);

/* True where all events of the record have counted. Thread: owner; records come in order, and
 * something is known. */
bool rejoin_has_counted(struct part *part, const struct record *record);

/* False where this event of the record has counted. Thread: as before, in order. */
bool rejoin_is_owed(struct rejoin *rejoin, int64_t offset, uint32_t sub);

/* Nothing is known any more. */
void rejoin_forget(struct rejoin *rejoin);

#endif

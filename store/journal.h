/*
 * journal.h - commit groups: collected beside the hot path, appended and synced by a thread of its
 * own, and only then let out (C1 to C4, C9).
 *
 *   sequencer role --journal_mark--------+
 *   incident role  --change, op, step----+--> open group --> journal thread: append, sync
 *   outbox thread  --journal_op_state----+                        |
 *                                                                 v
 *                                          committed(): ops to the outbox, lines to the log,
 *                                          positions to Kafka, states that may be acted upon
 *
 * One group is being synced, one is open. The open one is closed at the first of: at once, when it
 * holds an op or a state of one and no sync is under way; when it is as old as `group_ms`; when it
 * holds `group_bytes`; by journal_flush(). What comes while a sync is under way shares the next
 * one, so a slow disk makes larger groups and not a queue of them.
 *
 * With nothing to say nothing is written: a step without changes, after which positions and counts
 * are what they were, and no mark but seals was made, opens no group. It goes into the next one
 * that is opened by something else; until then all before its end counts as durable as soon as no
 * group is open or being written, which passed() tells. A start that does not know of such steps
 * closes the same time again, over the same records.
 *
 * What the open group does not take waits where it is: journal_room() says so to the incident role,
 * which keeps its place, and input pauses (C4).
 *
 * Marks go into the next group there is, whether or not what is in it depends on them: a mark that
 * was made is true. Of the seals of a partition that stands still only the last one is kept, so a
 * quiet night holds no more than one of each; when there are many all the same, they are written by
 * themselves.
 *
 * After a failed append or sync nothing is committed any more (C9); `broken` is told once.
 *
 * Thread: as each function says. The lock is taken per step and per change of an op, never per
 *         event.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/incident.h"
#include "base/mark.h"
#include "store/journal_format.h"
#include "store/segment_log.h"

struct journal;

enum { JOURNAL_PARTS_MAX = 4096 };

/* What the engine says when all changes of a step have been told. */
struct journal_step {
    int64_t from_ms, to_ms;
    const struct journal_position *positions; /* of the partitions that are read */
    size_t position_count;
    const struct journal_counts *counts;
    int64_t n_ms, r_ms;
};

/* A group that is durable, in the order of commits. */
struct journal_commit {
    int64_t to_ms;            /* everything before this has been told */
    const struct op *ops;     /* whoever takes one takes its reference */
    const char *const *sinks; /* their names */
    size_t op_count;
    const struct journal_position *positions; /* as of its end */
    size_t position_count;
    uint64_t ticket; /* states of ops up to this one are durable */
    uint64_t frame;  /* of the journal's log: the last of the group */
    /* All of its records but the head, positions and counts: journal_get() with `began`. */
    const char *records;
    size_t record_bytes;
};

struct journal_hooks {
    void *self;
    /* Thread: journal. May wait: what it waits for holds up commits, and so input. */
    void (*committed)(void *self, const struct journal_commit *commit);
    /* All before `to_ms` has been told, and nothing of it is left to be made durable; also after
     * committed(). Never falls. Thread: journal, or incident role. May be NULL. */
    void (*passed)(void *self, int64_t to_ms);
    /* Once; nothing is committed after it. Thread: journal. */
    void (*broken)(void *self, const char *why);
    /* Groups are about to be let go of, all of them committed: false keeps them until the next time
     * that it is asked for. NULL: they may always go. Thread: journal. */
    bool (*may_release)(void *self);
};

struct journal_config {
    unsigned group_ms;    /* [50] */
    uint64_t group_bytes; /* [4 MiB] */
    uint64_t open_bytes;  /* of the open group beyond which nothing more is taken [16 MiB] */
};

/* Takes the log, and starts the thread.
 * Errors: a negative errno with a sentence; the log stays the caller's then. */
int journal_create(const struct journal_config *config, struct segment_log *log,
                   const struct journal_hooks *hooks, struct journal **out, struct error *err);

/* Commits what is whole, unless it is broken, and stops the thread: what is told afterwards goes
 * nowhere. Thread: one. */
void journal_stop(struct journal *journal);

/* Stops it, unless it has been, and releases everything. */
void journal_destroy(struct journal *journal);

/* A partition gets its number; before its first mark or position. Thread: sequencer role. */
void journal_part(struct journal *journal, const struct journal_part *part);
/* The rules of steps from then on; before the mark of the switch. Thread: sequencer role. */
void journal_rules(struct journal *journal, const struct journal_rules *rules);
/* Thread: sequencer role. */
void journal_mark(struct journal *journal, const struct mark *mark);

/* False: keep the step and offer it again; `wake` of the hooks is not needed, the role looks again
 * anyhow. Thread: incident role, as the next four. */
bool journal_room(struct journal *journal);
void journal_change(struct journal *journal, const struct incident *incident);
void journal_member(struct journal *journal, const struct journal_member *member);
/* Takes the op and its reference. `sink` outlives the journal. */
void journal_op(struct journal *journal, const struct op *op, const char *sink);
/* All since the last step become part of the open group. */
void journal_step(struct journal *journal, const struct journal_step *step);
/* The same where no time is closed that was not before: what a recovery tells late. */
void journal_aside(struct journal *journal);

/* Returns the ticket: durable when a commit shows it or a later one. Thread: any. */
uint64_t journal_op_state(struct journal *journal, const struct journal_op_state *state);

/* What is in the open group by now, steps without content and marks that are in none yet become
 * durable by the next flush, even where nothing was told. Thread: any. */
void journal_keep_marks(struct journal *journal);

/* Frames before this one are not needed any more: segments that hold no other are given up, soon.
 * Thread: any. */
void journal_release_before(struct journal *journal, uint64_t frame);

/* Closes the open group now; returns when it is durable or the journal broken. Thread: any but the
 * journal's own. */
void journal_flush(struct journal *journal);
/* The same, but does not wait for a full disk. False: it is not durable. */
bool journal_flush_now(struct journal *journal);

struct journal_counters {
    uint64_t groups, bytes, syncs;
    uint64_t sync_ns_last, sync_ns_max;
    uint64_t open_bytes; /* of the open group now */
    uint64_t full;       /* times that there was no room */
    uint64_t silent;     /* steps that opened no group */
    uint64_t release_failures;
    bool is_broken;
    bool is_waiting_for_disk; /* full: input pauses until there is room (F6) */
    struct segment_counters log;
};
void journal_counters(struct journal *journal, struct journal_counters *out);

#endif

/*
 * unit.h - the unit that this daemon owns, or stands by for (semantics S1 to S4): a thread that
 * asks the shared store for the lease, and brings the data directory to where the unit stands.
 *
 *   STANDS_BY --the lease is ours, and what the store has more of the logs came home-----> OWNS
 *       |  ^
 *       |  +-- another owns it, or the store does not answer
 *       +----- it has not answered since the start, for a lease time, and the directory has a
 *       |      journal ------------------------------------------------------> ALONE (D4)
 *       +----- the store or the directory is not what it must be, or the unit was to be taken with
 *              settings that cannot go on with it --------------------------> REFUSED: the run ends
 *
 *   OWNS, ALONE --another owner has been there--> the verdict: the run ends with EXIT_OVERTAKEN
 *
 * From OWNS and ALONE on the mirror (store/mirror.h) keeps the lease, and the store up with the
 * journal and the intake log.
 *
 * Settings that cannot go on with the unit are said while it stands by, and take it from nobody.
 *
 * Where the store knew nothing of the unit, and the directory neither, the past is caught up with
 * before anybody is told (S4): what resolves meanwhile is not told at all.
 *
 * Thread: as each function says.
 */
#ifndef DAEMON_UNIT_H
#define DAEMON_UNIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "daemon/config.h"
#include "sinks/outbox.h"
#include "store/data_dir.h"
#include "store/mirror.h"

struct unit;

enum unit_stand { UNIT_STANDS_BY, UNIT_OWNS, UNIT_ALONE, UNIT_REFUSED };

struct unit_options {
    const struct config *config; /* outlives the unit */
    const struct data_dir *dir;  /* locked */
    void *self;
    void (*decided)(void *self); /* it does not stand by any more. Thread: the unit's */
    /* Whether a run under these settings can go on with what the directory holds: EXIT_OK, or the
     * exit code of the start that would be refused, with a sentence. Thread: the unit's. */
    int (*fits)(void *self, struct error *err);
};

/* Begins to ask. EXIT_OK, or an exit code with a sentence. Owner: the caller, until unit_destroy().
 * Thread: setup. */
int unit_create(const struct unit_options *options, struct unit **out, struct error *err);

/* What it waits for, or why it was refused. Thread: any. */
enum unit_stand unit_stand(struct unit *unit, struct error *why);

/* 0, or the exit code with which the run has to end, and why: also of one that was REFUSED. Thread:
 * any. */
int unit_verdict(struct unit *unit, struct error *why);

/* ---- from OWNS or ALONE on ---- */

/* Until when another owner may have told more than is known (S3); 0: none did. Unit: ms of the wall
 * clock. Thread: any, as the next. */
int64_t unit_taken_over_ms(const struct unit *unit);

/* A snapshot of the directory was written: the store is to have it too (store/mirror.h). Thread:
 * any, as the next. */
void unit_image(struct unit *unit, const struct mirror_image *image);
/* The first frame of a log that has to stay for the store's sake; 0: all of it. */
uint64_t unit_release_floor(struct unit *unit, enum shared_log which);

/* Neither the store nor the directory knew anything of the unit (S4): if it has been before, its
 * input is to be read again. Thread: setup. */
bool unit_is_lost(const struct unit *unit);

/* As outbox_config.may_leave; `self` is the unit. */
enum outbox_leave unit_may_leave(void *self, bool folds);

/* A log is durable up to `frame`: returns when the store has it too, or does not answer. False: the
 * unit has another owner, and nothing may leave. Thread: that of the log. */
bool unit_settle(struct unit *unit, enum shared_log which, uint64_t frame);

/* How far changes have been handed to the journal, and how far the outbox has them. Thread:
 * incident role; journal. */
void unit_stepped(struct unit *unit, int64_t to_ms);
void unit_committed(struct unit *unit, int64_t to_ms);

/* The engine has told all before `told_ms`, the input held nothing later than `end_ms` when it had
 * been read to its end (engine_input_end()), and the outbox is full to this part of its bound. The
 * past is caught up with once what was told is behind the start, or behind all of the input - whose
 * clock may be behind ours by any time - and the outbox has it, or has no room for more: what it
 * holds would wait for ever for the rest. What a former owner told is in doubt until the outbox has
 * been empty behind that. Thread: main. */
void unit_look(struct unit *unit, int64_t told_ms, int64_t end_ms, double outbox_fill);

/* Asks no more; after the journal has stopped: the store gets the rest, and the unit is let go.
 * Thread: setup. */
void unit_stop(struct unit *unit);

/* NULL is allowed. */
void unit_destroy(struct unit *unit);

/* ---- for people ---- */

struct unit_counters {
    enum unit_stand stand;
    bool is_catching_up;
    int64_t followed_ms;      /* wall clock: standing by, it last had all there was; 0: never */
    uint64_t follow_failures; /* times that it could not be brought there */
    struct mirror_counters mirror;
};
/* Thread: any. */
void unit_counters(struct unit *unit, struct unit_counters *out);

/* The open incidents of the unit as the store has them, as one JSON object; by a conversation of
 * its own. 0, or a negative errno with a sentence. Thread: any. */
int unit_list_open(const struct config *config, FILE *to, struct error *err);

#endif

/*
 * durable.h - what makes the daemon outlive itself: with `data.dir` everything that leaves is
 * journaled first, and a start goes on where the run before was broken off (semantics C1 to C11).
 *
 *   engine --changes, ops, steps, marks--> durable --group--> journal thread --sync--> outbox,
 *                                             |                                        incident log
 *                                             +-- while recovering: held against the journal
 *   outbox --what became of an op--> the next group
 *
 * Two states:
 *   recovering  what the engine tells is what was told before, and is compared with it; ops of the
 *               journal that are not at their end are with the outbox already. Rules are switched
 *               where they were switched. A difference ends the run with code 65, after the sinks
 *               have been told that nothing is read; or, where the journal is trusted, is listed,
 *               and what the journal says stands (store/journal_trust.h).
 *   going on    what the engine tells is new, and leaves when its group is committed
 *
 * Thread: as each function says.
 */
#ifndef DAEMON_DURABLE_H
#define DAEMON_DURABLE_H

#include <stdbool.h>
#include "correlate/engine.h"
#include "daemon/line_writer.h"
#include "daemon/rules_kept.h"
#include "ingest/source.h"
#include "sinks/outbox.h"
#include "store/data_dir.h"
#include "store/history.h"
#include "store/journal_keep.h"

struct durable;
struct unit; /* daemon/unit.h */

/* Snapshots that are whole, and whose image makes no sense to the engine. A number is given to one
 * only, also where one is fetched from the shared store meanwhile. */
enum { DURABLE_REFUSED_MAX = 8 };

struct durable_refused {
    uint64_t number[DURABLE_REFUSED_MAX];
    size_t count;
    struct error why; /* of the last */
};

struct durable_options {
    struct data_dir *dir;               /* locked; its lock is taken over */
    struct unit *unit;                  /* that the directory is of; NULL: nobody goes on with it */
    const struct engine_config *engine; /* its sinks and settings; outlives the durable */
    struct id128 rules;                 /* hash of the configured rule set */
    const struct rules_read *read;      /* what it was read from */
    const struct history_limits *history;  /* of history.db; NULL: none is kept */
    uint32_t segment_bytes;                /* of new segments of the journal; 0: as they ship */
    int64_t snapshot_every_ms;             /* at least so often, where there is news; 0: never */
    struct journal_keep keep;              /* of the journal, beyond what is needed */
    const struct durable_refused *refused; /* to be passed over; NULL: none */
    bool accept_loss; /* a damaged journal ends where it was last whole, instead of being refused */
    bool trust;       /* a recovery that differs goes on with what the journal says */
    /* A change or an op was committed, or one of both is NULL. Thread: journal. */
    void (*committed)(void *self, const struct incident *incident, const struct op *op,
                      const char *sink);
    /* All of these, before that, and nothing is left to be made durable. Thread: journal, or
     * incident role. */
    void (*committed_to)(void *self, int64_t to_ms);
    /* Makes what was committed so far outlast a power cut, where it went: the journal lets go of
     * it. 0, or a negative errno. NULL: it went nowhere. Thread: journal. */
    int (*keep_committed)(void *self);
    bool has_intake;      /* there is an intake log, which was read and not changed */
    uint64_t intake_next; /* then: position of its next record */
    /* The first frame of the intake log that a start needs whose snapshot stands at `low` in it; 0:
     * all. Thread: setup, then snapshot. */
    uint64_t (*intake_floor)(void *self, uint64_t low);
    /* No start begins before `low` there any more. Thread: snapshot. */
    void (*intake_release)(void *self, uint64_t low, int64_t now_ms);
    void *self;
};

/* Locks the directory, and makes what is missing in it. EXIT_OK, or an exit code with a sentence,
 * as the next. Thread: setup. */
int durable_lock(const char *path, struct data_dir *dir, struct error *err);

/* Reads the directory. EXIT_OK, or an exit code with a sentence: 65 for what is damaged,
 * 73 for one in use, 74 for one that cannot be read or written, 78 for one of others.
 * Owner: the caller, until durable_close(). Thread: setup, as all down to durable_begin(). */
int durable_open(const struct durable_options *options, struct durable **out, struct error *err);

/* Marks, positions and switches under which the engine reads again. */
void durable_fill_engine(const struct durable *durable, struct engine_config *engine);

/* With which rules it begins: *rules, the configured set, becomes the one that was in force first.
 * The configured one goes to *next where something else was in force last: it is to be switched to
 * (X5). Both are the caller's. EXIT_OK, or an exit code with a sentence. */
int durable_begin_rules(struct durable *durable, struct rule_set **rules, struct rule_set **next,
                        struct error *err);

/* The set that was in force last, where the configured one is another: for who says what a start
 * changes. *former, which is the caller's, is NULL where it is the same, or nothing was in force
 * yet. Errors: as rules_kept_load(). Thread: setup. */
int durable_former_rules(const struct durable *durable, struct rule_set **former,
                         struct error *err);

/* What the engine, which was just created and went on from its image, is to be switched to once all
 * has been told again: *terms, with *next, which is made where only these are other than before.
 * *next stays NULL: to nothing. EXIT_OK, or an exit code with a sentence. */
int durable_last_switch(struct durable *durable, const struct engine *engine,
                        struct rule_set **next, struct engine_terms *terms, struct error *err);

/* As engine_listener.rules_before and switched. Thread: sequencer role. */
struct rule_set *durable_rules_before(struct durable *durable, size_t index,
                                      struct engine_terms *terms);
void durable_switched(struct durable *durable, const struct rule_set *rules,
                      const struct engine_terms *terms);

/* Whether the set is the one that was asked for last. Keeps one, before it may be asked for: 0, or
 * a negative errno with a sentence. Thread: one at a time, as the next. */
bool durable_has_rules(const struct durable *durable, const struct rule_set *rules);
int durable_keep_rules(struct durable *durable, const struct rule_set *rules,
                       const struct rules_read *read, struct error *err);
void durable_asked_for(struct durable *durable, const struct rule_set *rules,
                       const struct engine_terms *terms);

/* The same of terms: whether they are those that were asked for last, and keeps them: they get
 * their name then. */
bool durable_has_terms(const struct durable *durable, const struct engine_terms *terms);
int durable_keep_terms(struct durable *durable, struct engine_terms *terms, struct error *err);

/* Writes what the incident log lacks (daemon/incident_log_mend.h), and says so. */
void durable_mend_log(const struct durable *durable, const char *path, struct line_writer *writer);

/* As kafka_config.began_at; `self` is the durable. */
bool durable_began_at(void *self, const char *topic, int32_t partition, int64_t *offset);

/* The source as the engine is to see it. Takes `inner` where it returns another one; NULL: out of
 * memory. */
struct source *durable_source(const struct durable *durable, struct source *inner);

/* What the outbox is created with: ops of the run before, and who is told what becomes of ops.
 * EXIT_OK, or an exit code with a sentence. */
int durable_fill_outbox(struct durable *durable, struct outbox_config *config, struct error *err);

/* The outbox is there, or NULL; gets ready for the engine. */
void durable_begin(struct durable *durable, struct outbox *outbox);

/* What the engine's listener passes on. Threads: as engine_listener. */
void durable_incident(struct durable *durable, struct incident *incident);
bool durable_op(struct durable *durable, const struct op *op); /* takes it */
void durable_joined(struct durable *durable, const struct engine_joined *joined);
bool durable_room(struct durable *durable);
void durable_step(struct durable *durable, const struct engine_step *step);
void durable_recovered(struct durable *durable);
void durable_short_of(struct durable *durable, uint16_t part, int64_t at, int64_t read);
/* `topic`: of its partition, where it is of one; lives as long as the durable. */
void durable_mark(struct durable *durable, const struct mark *mark, const char *topic,
                  int32_t partition);

/* As engine_listener.image. Thread: sequencer role. */
void durable_image(struct durable *durable, const struct engine_image *image);

/* The engine, which was just created with `rules`, goes on from the snapshot that was found, if one
 * was. EXIT_OK, or an exit code with a sentence. Thread: setup, as the next. */
int durable_load_image(struct durable *durable, struct engine *engine, struct rule_set *rules,
                       struct error *err);
/* Whether that was refused for what is in the image: a start with *out as durable_options.refused,
 * on the directory as it is, goes on from a snapshot before. False as well where too many were. */
bool durable_refused_image(const struct durable *durable, struct durable_refused *out);

/* The engine runs: snapshots of it are taken from now on. EXIT_OK, or an exit code with a sentence.
 */
int durable_snapshots_begin(struct durable *durable, struct engine *engine, struct error *err);

/* From here on at least so often, too, where there is news; 0: as configured. Thread: any. */
void durable_snapshots_within(struct durable *durable, int64_t within_ms);

/* No more are taken, but for a last one with `must_take_last`. Before the engine stops; again does
 * nothing. Thread: setup. */
void durable_snapshots_end(struct durable *durable, bool must_take_last);

struct durable_snapshot_counters {
    uint64_t taken, failures, passed_over; /* since the start, the last of them at it */
    uint64_t bytes;                        /* of the newest file */
    uint64_t begun_ns, took_ns;            /* when the newest was asked for, and how long it took */
    uint64_t hold_ns, hold_ns_max;         /* the longest moment at which nothing was planned */
    bool is_there;                         /* there is one */
    bool is_off;
};
/* Thread: any. */
void durable_snapshot_counters(struct durable *durable, struct durable_snapshot_counters *out);

/* Whether all that had been told has been told again. Thread: any. */
bool durable_is_recovered(const struct durable *durable);

/* Ends the run with EXIT_IO if the directory is not where it was. Thread: main, now and then. */
void durable_look(struct durable *durable);

/* 0, or the exit code with which the run has to end, and why. Thread: any. */
int durable_verdict(struct durable *durable, struct error *why);

/* Thread: any. */
struct journal_counters;
void durable_counters(struct durable *durable, struct journal_counters *out);
/* Where the history lies, of which directory it is, and how far it is (history_writer_clock()).
 * False: none is kept. Thread: any. */
bool durable_history_place(const struct durable *durable, char path[DATA_DIR_PATH_BYTES],
                           struct id128 *directory, int64_t *as_of_ms);
/* False: no history is kept. */
struct history_writer_counters;
bool durable_history_counters(const struct durable *durable, struct history_writer_counters *out);

/* What has been told by now is durable when it returns, or the journal broken. Thread: any but the
 * journal's and the engine's. */
void durable_sync(struct durable *durable);

/* After the engine has stopped: commits what was told. The outbox gets it. */
void durable_flush(struct durable *durable);

/* After the outbox has stopped: commits what became of ops. Whoever has not stopped yet may go on
 * asking. */
void durable_stop(struct durable *durable);

/* After the source has been closed, which asks where partitions began: lets the directory go. NULL
 * is allowed. */
void durable_close(struct durable *durable);

#endif

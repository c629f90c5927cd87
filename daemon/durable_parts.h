/*
 * durable_parts.h - what the files of durability share (daemon/durable.h is their door).
 *
 *   durable.c         what the engine tells, what is committed, and the end
 *   durable_start.c   the directory is opened, its journal read, and the engine told where to begin
 *   durable_rules.c   rule sets: those that were in force, and those that come
 *   durable_inputs.c  settings that changed: how records are read, and terms
 *   durable_sinks.c   which sinks are told of what, where they came and went between two runs
 *   durable_snapshot.c the thread that takes snapshots
 *   durable_recycle.c which segments of the journal nobody needs any more
 *   durable_begin.c   the snapshot that a start goes on from
 *   durable_history.c the thread that carries what is committed into the history
 *   durable_outbox.c  ops of the run before, and gates that open when an INTENT is durable
 */
#ifndef DAEMON_DURABLE_PARTS_H
#define DAEMON_DURABLE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/vector.h"
#include "daemon/durable.h"
#include "daemon/settings_text.h"
#include "ingest/ordered_source.h"
#include "store/data_dir.h"
#include "store/history_writer.h"
#include "store/journal.h"
#include "store/journal_compare.h"
#include "store/journal_keep.h"
#include "store/journal_recall.h"
#include "store/journal_trust.h"
#include "store/snapshot_recall.h"

/* Sinks as they were configured from a time on. */
struct sinks_then {
    int64_t from_ms;
    uint8_t *priority_max; /* by sink as it is configured now; SETTINGS_NO_SINK: it was not there */
};

/* An op that may leave when its INTENT is durable. */
struct gate {
    uint64_t ticket;
    void *gate;
};

/* An image on its way into a file. */
struct snapshot_taken {
    struct engine_image_piece *piece; /* NULL: there is none */
    size_t piece_count;
    struct snapshot_facts facts; /* its lists are owned */
    uint64_t limit;              /* frames up to here held nothing that came after it */
    uint64_t longest_ns;
};

struct id_list {
    struct id128 *at; /* a vector, as in base/vector.h */
    size_t count, room;
};

struct durable_snapshots {
    struct snapshot_folder folder;
    char folder_path[DATA_DIR_PATH_BYTES];
    char path[SNAPSHOT_PATH_BYTES]; /* of the one that this run began from */
    struct snapshot_content begin;  /* that this run began from; number 0: from none */
    uint64_t begin_told;            /* changes and ops up to begin.facts.known */
    VECTOR_OF(uint64_t) ahead;      /* of a moment that the journal does not hold; setup */
    uint64_t last_number;           /* of all that there were at the start, then the thread's */

    struct engine *engine;
    pthread_t thread;
    bool is_running;           /* setup */
    int waker;                 /* of the thread */
    _Atomic bool off;          /* relaxed: none are taken in this run any more */
    _Atomic int64_t within_ms; /* relaxed: at least so often, beside what is configured; 0: no */

    /* The thread's. */
    struct journal_recall *recall;
    struct journal_place place;        /* up to which it knows the journal */
    struct snapshot_lines lines;       /* of the incident log, and */
    struct journal_place lines_place;  /* up to where they are */
    struct id_list needs;              /* of blobs/, by the newest snapshot */
    uint64_t newest, newest_frame;     /* its number, and the frame up to which it knows; 0: none */
    uint64_t newest_intake;            /* where it stands in the intake log */
    uint64_t taken_ns, records, frame; /* as of the last, to see whether one is due */

    pthread_mutex_t lock;
    bool must_stop, must_take_last; /* under the lock, as all that follows */
    uint64_t committed;             /* the last frame */
    struct snapshot_taken taken;
    struct durable_snapshot_counters counters;
};

struct durable {
    struct durable_options options;
    struct data_dir dir;
    char folder[DATA_DIR_PATH_BYTES]; /* of the journal */
    char blobs[DATA_DIR_PATH_BYTES];
    struct segment_config segments;
    struct durable_snapshots snapshots;
    struct journal *journal;
    struct journal_recall *recall;
    struct journal_summary past; /* of the recall */
    struct source_part *parts;   /* by number */
    struct source_part *awaited; /* those of them that are read */
    size_t awaited_count;
    int64_t *read;
    struct id128 settings; /* that show in results; setup, as the next four */
    char *settings_now;    /* their text */
    struct settings_inputs inputs_now;
    struct settings_inputs *inputs_then; /* those that were in force, the oldest first */
    struct engine_inputs *inputs;        /* the same, for the engine */
    size_t input_count;
    VECTOR_OF(struct mark) turns;    /* where partitions are read by others than before; setup */
    VECTOR_OF(struct mark) joined;   /* the same of those that are new; sequencer role */
    struct mark *marks;              /* those of before, and the turns */
    struct engine_terms terms;       /* asked for last; setup, then reload lock */
    struct id128 journaled;          /* settings that the journal says last; sequencer role */
    size_t first_rules;              /* of past.rules: those in force at the first watermark */
    struct engine_terms first_terms; /* that came with them */
    int64_t *switch_ms;              /* when sets behind it were put in force */
    struct id128 *switch_sets;       /* which */
    struct id128 *switch_settings;   /* and by which settings from then on */
    char *changes;                   /* what this start switches, to be told; owned, or NULL */
    size_t switch_count;             /* of them */
    struct sinks_then *sinks_then;   /* the oldest first */
    size_t sinks_then_count;
    uint8_t *priority_widest;       /* by sink: of all that it ever had */
    size_t switches_again;          /* of them that have been told again; sequencer role */
    struct id128 switched;          /* the set that the next mark of a switch is of; the same */
    struct id128 switched_settings; /* the same: that come with it */
    struct id128 rules;             /* asked for last; setup, then reload lock */
    size_t rules_kept;              /* the same: how many lists are kept at most */

    bool tells_again;                /* incident role: what is told was told before */
    struct journal_compare *compare; /* the same; NULL: the journal is trusted, or it is over */
    struct journal_trust *trust;     /* the same; NULL: not wanted, or nothing differed */
    _Atomic uint64_t told; /* changes and ops that the journal has, or will; incident role. relaxed:
                              read while nothing is told */
    size_t part_count;     /* that have a number in the journal; sequencer role */
    bool has_begin;        /* the same: the first watermark is in it */
    VECTOR_OF(struct journal_position) positions; /* incident role */
    struct outbox *outbox;                        /* NULL: no sinks; set under gates_lock */
    int64_t doubt_ms; /* what is told up to then may have been told; 0: nothing was lost. setup */
    struct outbox_resumed *resumed;
    size_t resumed_count, foreign_ops;
    pthread_mutex_t gates_lock;
    VECTOR_OF(struct gate) gates; /* under the lock, by ticket: they wait for their INTENT */
    uint64_t durable_ticket; /* the same: up to which it is durable while `outbox` is not set */
    int waker;               /* nobody wakes it: for short sleeps */
    struct durable_refused refused; /* with that it was to go on from, where it is; setup */
    struct history_writer *history; /* NULL: none is kept; setup, then what it allows itself */
    _Atomic bool is_recovered;      /* relaxed: a report, and a hint for the sequencer */
    _Atomic bool is_stopping;       /* relaxed: the outbox takes nothing more in time */
    _Atomic int verdict;            /* released behind `why` */
    pthread_mutex_t lock;           /* of `why` */
    struct error why;
};

/* The run has to end with this code; the first such sentence stays. Thread: any. */
void durable_end_run(struct durable *durable, int code, const char *why);

/* The journal and what comes again are not the same: the sinks are told, and the run ends. */
void durable_differ(struct durable *durable, const struct error *err);

/* What sinks were when; `now` is the text of the settings. EXIT_OK, or an exit code with a
 * sentence.
 */
int durable_load_sinks(struct durable *durable, const char *now, struct error *err);
void durable_release_sinks(struct durable *durable);

/* Whether an op of this sink is told. Thread: incident role; the other as journal_filter.is_told.
 */
bool durable_takes(const struct durable *durable, size_t sink, const struct journal_about *about);
bool durable_is_told(void *self, const struct journal_about *about, const char *sink);

/* ---- durable_inputs.c ---- */

/* What the settings of before and `now` say. EXIT_OK, or an exit code with a sentence. */
int durable_load_inputs(struct durable *durable, const char *now, struct error *err);
void durable_release_inputs(struct durable *durable);

/* Where partitions are read by other settings than before. Setup. */
void durable_find_turns(struct durable *durable);

/* The journal says so, behind the settings. Thread: sequencer role, as the next. */
void durable_tell_turns(struct durable *durable);
void durable_note_join(struct durable *durable, const struct mark *mark);

/* What these settings say of terms. EXIT_OK, or an exit code with a sentence. Thread: setup, or
 * sequencer role. */
int durable_terms_then(struct durable *durable, struct id128 settings, struct engine_terms *terms,
                       struct error *err);

/* As journal_hooks.committed, and .passed. Threads: as there. */
void durable_on_committed(void *self, const struct journal_commit *commit);
void durable_on_passed(void *self, int64_t to_ms);

/* The outbox takes it, however long that lasts; false at the end of the run: the journal has it.
 * Thread: journal, as the next. */
bool durable_hand_over(struct durable *durable, const struct op *op);

/* What is durable up to this ticket may leave. */
void durable_open_gates(struct durable *durable, uint64_t ticket);

/* The journal is durable up to `frame`. Thread: setup, journal, and at the end setup again, when
 * nothing is committed any more. */
/* Up to which frame the history that is there had read the journal; 0: none is, or it does not say.
 * Setup. */
uint64_t durable_history_frame(const struct durable *durable);
void durable_history_begin(struct durable *durable, uint64_t frame);
void durable_history_tell(struct durable *durable, uint64_t frame);
void durable_history_end(struct durable *durable);

/* ---- durable_begin.c ---- */

/* Reads what the directory knows. `reader` is at the journal's end then, and the caller's; `lost`
 * says what of it was damaged, where that is accepted. EXIT_OK, or an exit code with a sentence. */
int durable_read(struct durable *durable, struct journal_reader **reader, struct error *lost,
                 struct error *err);
int durable_exit_of_segment(enum segment_refusal why);

/* Snapshots that the journal does not bear out go, before it grows on and would some day seem to:
 * not before the start is sure, for the journal may be put back. EXIT_OK, or an exit code with a
 * sentence. */
int durable_remove_ahead(struct durable *durable, struct error *err);

/* The stretch of the journal that is told again, up to this frame. */
struct journal_span durable_span(const struct durable *durable, uint64_t to);

/* The stand of a partition in the snapshot; NULL: it is in none. */
const struct snapshot_stand *durable_stand(const struct durable *durable, size_t part);

/* ---- durable_snapshot.c ---- */

void durable_snapshots_init(struct durable *durable);
void durable_snapshots_release(struct durable *durable);

/* A group is durable. Thread: journal. */
void durable_snapshots_committed(struct durable *durable, uint64_t frame);

/* The shared store gets the snapshot with this number, of these facts, and what the journal knew
 * then. Thread: setup, then snapshot. */
void durable_tell_image(struct durable *durable, uint64_t number,
                        const struct snapshot_facts *facts, const struct journal_summary *sum);

/* ---- durable_recycle.c ---- */

/* Two snapshots are durable; the older begins behind `older_frame`, and the clock of the newest
 * group is `now_ms`. Thread: snapshot. */
void durable_recycle(struct durable *durable, uint64_t older_frame, int64_t now_ms);

/* As journal_hooks.may_release. */
bool durable_may_release(void *self);

#endif

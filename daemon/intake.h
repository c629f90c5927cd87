/*
 * intake.h - what is pushed into the daemon and what people have it do: into the intake log first,
 * then to the engine or into force, and only then answered (semantics C3; store/intake_log.h).
 *
 *   admin thread --push: decoded, so that nothing is kept that would be refused--> intake log
 *                                                       answer <--- durable <---------+
 *                                        answer to ?wait <--- told, and committed <---- engine
 *
 *   an act (a reload, a silence, a re-drive):  recorded -> done -> its outcome recorded -> answered
 *   an act upon an incident: recorded -> to the engine, as what is pushed (daemon/owed_acts.h)
 *
 * Thread: as each function says.
 */
#ifndef DAEMON_INTAKE_H
#define DAEMON_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "correlate/engine.h"
#include "daemon/admin.h"
#include "daemon/silences.h"
#include "ingest/source.h"
#include "store/data_dir.h"
#include "store/intake_log.h"

struct intake;
struct unit; /* daemon/unit.h */

enum { INTAKE_WAIT_MS = 5000, INTAKE_WAIT_MS_MAX = 8000 };

struct intake_options {
    const struct data_dir *dir; /* locked; outlives the intake */
    uint64_t body_max;          /* bytes of one request */
    uint64_t backlog_max;       /* bytes that the engine has not worked off */
    struct journal_keep keep;   /* of the log, beyond what is needed; .bytes_max 0: no bound */
    struct unit *unit;          /* that the directory is of; NULL: nobody goes on with it */
};

/* Of new segments: some are to fit the bound (0: there is none), and eight of the largest requests
 * fit a segment, for what is pushed takes more room there, record by record. */
uint32_t intake_segment_bytes(uint64_t bytes_max, uint64_t body_max);

/* Reads the log, and changes nothing. EXIT_OK, or an exit code with a sentence.
 * Owner: the caller, until intake_close(). Thread: setup, as all down to intake_start(). */
int intake_open(const struct intake_options *options, struct intake **out, struct error *err);

/* Position of the next record. */
uint64_t intake_next(const struct intake *intake);

/* Opens the log for writing: an end that was not finished is cut. What it lacks has been judged
 * (daemon/past_check.h). EXIT_OK, or an exit code with a sentence. */
int intake_begin(struct intake *intake, struct error *err);

/* The source with the intake beside it, from position `*first` on; NULL: nothing rests on it yet,
 * and it is read from its beginning. Takes `inner`. EXIT_OK, or an exit code with a sentence: 65
 * where what stands at `*first` has been let go of. */
int intake_source_over(struct intake *intake, const uint64_t *first, struct source *inner,
                       struct source **out, struct error *err);

/* From now on something may be taken in. Errors: a negative errno with a sentence. */
int intake_start(struct intake *intake, struct engine *engine, struct error *err);

/* Takes nothing more in, and answers what waits; before the engine stops. NULL is allowed. */
void intake_stop(struct intake *intake);
void intake_close(struct intake *intake);

/* 0, or the exit code with which the run has to end, and why. Thread: any. */
int intake_verdict(struct intake *intake, struct error *why);

/* How far changes have been handed to the journal, and how far they are durable. Thread: incident
 * role; journal. */
void intake_stepped(struct intake *intake, int64_t to_ms);
void intake_committed(struct intake *intake, int64_t to_ms);

/* As intake_keep_floor() and intake_keep_release() (daemon/intake_keep.h). Thread: one at a time.
 */
uint64_t intake_floor(struct intake *intake, uint64_t low);
void intake_release(struct intake *intake, uint64_t low, int64_t now_ms);

/* ---- pushes ---- */

struct intake_push {
    const char *who, *from;
    const char *what; /* "events" */
    enum event_format format;
    const char *body;
    size_t bytes;
    int64_t wait_ms; /* 0: the answer is given when it is durable */
    struct admin_reply *reply;
};

/* Answers sooner or later. Thread: admin. */
void intake_push(struct intake *intake, const struct intake_push *push);

/* ---- acts ---- */

/* Who does what; `what` as in ACT_SILENCE_ADD. */
struct intake_act {
    const char *who, *from, *what;
    uint64_t position; /* filled by intake_act_begin(), as is its stamp */
    int64_t at_ms;
};

/* Recorded and durable, or nothing is to be done: a negative errno with a sentence. `body` is JSON.
 * Thread: any but the engine's and the intake's, as the next. */
int intake_act_begin(struct intake *intake, struct intake_act *act, const json_t *body,
                     struct error *err);
/* What came of it. Errors: it was done, and the record does not say so. */
int intake_act_end(struct intake *intake, const struct intake_act *act, const json_t *body,
                   struct error *err);

/* What somebody does to an incident (base/act.h), which the engine does where its record comes in:
 * it is on record, and is answered when what came of it is. Takes the reply, and the answer: JSON
 * without its last brace. Thread: any, as the next. */
void intake_owe(struct intake *intake, const struct intake_act *act, bool closes,
                struct admin_reply *reply, char *answer);
/* False: too many of these wait. */
bool intake_may_owe(struct intake *intake);
/* What came of one. Thread: incident role. */
void intake_acted(struct intake *intake, const struct engine_acted *acted);

/* An answer that is given when something has become so: 200, or 202 after INTAKE_WAIT_MS. */
struct intake_until {
    struct admin_reply *reply;
    char *text; /* JSON; taken */
    bool (*is_so)(void *self, struct id128 what);
    void *self;
    struct id128 what;
};
/* Thread: any. */
void intake_answer_when(struct intake *intake, const struct intake_until *until);

/* Those that hold, as of the last act. Thread: one at a time, with acts of silences. */
const struct silences *intake_silences(const struct intake *intake);
/* The act, which is durable, counts. */
void intake_silences_take(struct intake *intake, const struct intake_act *act, const json_t *body);

struct intake_counters {
    struct intake_log_counters log;
    uint64_t pushes, push_events; /* that were kept */
    uint64_t acts;
    uint64_t refused_bad;  /* pushes that are no events, or too large */
    uint64_t refused_full; /* pushes for which there was no room: disk, backlog */
    uint64_t backlog_bytes;
    uint64_t waiting; /* for being applied */
    uint64_t checkpoints;
};
/* Thread: any. */
void intake_counters(struct intake *intake, struct intake_counters *out);

#endif

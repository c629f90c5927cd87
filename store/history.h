/*
 * history.h - what happened, for people: incidents, their alerts, their changes and who was told
 * what, in a file of SQLite that is written behind the journal.
 *
 *   journal --groups that are committed--> history --> tocsin history, GET /incidents
 *
 *   incident      one row each: as it stood at its last change
 *   change        one row for each change: its timeline
 *   member        one row for each alert that it tracks, where its words are known
 *   notification  one row for each op: what a sink was to be told, and what became of it
 *   place         one row: the last group of the journal that is in the file, written in the same
 *                 transaction as its rows, so that a crash neither loses nor doubles one
 *
 * Rows depend on the journal alone, and where that begins later on what is open and opened before
 * (history_know_open()): made anew they are the same, byte for byte. It is a reading copy; nothing
 * that is promised rests on it, and nothing waits for it.
 *
 * Bounds:  history_trim(). Incidents that are open stay, whatever their age.
 * Thread:  one at a time; others read the file through one of their own (store/history_query.h).
 */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"
#include "store/journal_read.h"
#include "store/sql.h"

struct history;

#define HISTORY_FILE "history.db" /* in the data directory */

enum { HISTORY_VERSION = 2, HISTORY_PATH_BYTES = 4200 };

enum history_refusal {
    HISTORY_FINE,
    HISTORY_WORLD,   /* cannot be read or written: disk, rights, memory */
    HISTORY_MISSING, /* to be read, and there is none */
    HISTORY_FOREIGN, /* of another program or data directory */
    HISTORY_NEWER,   /* a later tocsin wrote it */
    HISTORY_DAMAGED,
};

enum history_use {
    HISTORY_WRITE, /* makes it where there is none; by the holder of the directory's lock alone */
    HISTORY_READ,
};

/* Errors: a negative errno with a sentence that names the file; `why` tells the classes apart.
 * Owner: the caller, until history_close(). */
int history_open(const char *path, struct id128 directory, enum history_use use,
                 struct history **out, enum history_refusal *why, struct error *err);
/* NULL is allowed. */
void history_close(struct history *history);

struct sql *history_sql(struct history *history);

/* How far it is. */
struct history_state {
    struct journal_place place; /* the last group in it */
    int64_t to_ms;              /* everything before was told; INT64_MIN: nothing was */
    int64_t now_ms;             /* the daemon's clock then; INT64_MIN: the same */
    uint64_t missed;            /* frames that the journal had given up before they were in it */
    uint64_t removed;           /* incidents that retention took out */
};
void history_state(const struct history *history, struct history_state *out);

/* What is taken between two commits counts whole or not at all. Errors: as sql.h has them; then it
 * can only be closed: the file stands where the last commit left it.
 *
 * A record of the journal's next group, in their order; `place` is its group's end. */
int history_take(struct history *history, const struct journal_record *record,
                 const struct journal_place *place, struct error *err);
/* The daemon's clock has come so far since, and nothing was told; it does not fall. */
void history_clock(struct history *history, int64_t now_ms);
/* The journal has given up so many frames before its next group. */
void history_miss(struct history *history, uint64_t frames);
int history_commit(struct history *history, struct error *err);

/* Rows written since the last commit; while there are none, nothing but the place would be. */
uint64_t history_rows(const struct history *history);

struct history_limits {
    int64_t keep_ms;    /* incidents that ended longer ago go; 0: none does for its age */
    uint64_t bytes_max; /* beyond it those that ended first go; 0: none does */
};

/* One bounded batch in a transaction of its own. 1: there may be more to do, 0: there is not, or a
 * negative errno. Age counts up to the daemon's clock as of the last group, so that a wall clock
 * that jumps empties nothing. */
int history_trim(struct history *history, const struct history_limits *limits, struct error *err);

/* Bytes of the file that rows take up. */
int history_bytes(struct history *history, uint64_t *out, struct error *err);

/* ---- store/history_open.c: what is open ---- */

/* Incidents that are open where the journal stands, as their last changes have them, of which the
 * file knows less, for the journal lacks it: a row for each with this change alone, as of the last
 * group in the file. Counts until the next commit, as the next. */
int history_know_open(struct history *history, struct incident *const *open, size_t count,
                      struct error *err);

/* Those are all of them: what the file has as open up to frame `frame`, and is none of them, has
 * ended in what the journal lacks, at `at_ms` at the latest; its cause is HISTORY_UNSEEN. */
#define HISTORY_UNSEEN "unseen"
int history_end_unseen(struct history *history, struct incident *const *open, size_t count,
                       uint64_t frame, int64_t at_ms, struct error *err);

/* Takes over the rows of groups before frame `before` from another file, which has been opened and
 * found fine before: for what the journal does not hold any more. To be called first. */
int history_take_over(struct history *history, const char *path, uint64_t before,
                      struct error *err);

#endif

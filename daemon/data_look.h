/*
 * data_look.h - a look into a data directory that changes nothing (semantics H4): for `tocsin
 * fsck`, `digest` and `ledger`, also while a daemon uses it.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_DATA_LOOK_H
#define DAEMON_DATA_LOOK_H

#include <stdbool.h>
#include "base/error.h"
#include "store/data_dir.h"
#include "store/intake_log.h"
#include "store/snapshot_recall.h"

struct data_look {
    struct data_dir dir;
    char folder[DATA_DIR_PATH_BYTES]; /* of the journal */
    char snapshots[DATA_DIR_PATH_BYTES];
    struct segment_config segments;
    /* As of the opening, or of the last data_look_again(). */
    uint64_t oldest, newest; /* segment of the journal; snapshot; 0: there was none */
    unsigned tries;
};

/* EXIT_OK, or an exit code with a sentence. Nothing is to be released. */
int data_look_open(struct data_look *look, const char *path, struct error *err);

/* A daemon that uses the directory lets go of old segments and snapshots, and what was read then
 * may be of both before and after: true where that has happened since it was opened, some times at
 * most, and everything is to be read again. For whoever found something wrong. */
bool data_look_again(struct data_look *look);

/* From when on the journal can tell. */
struct data_look_begin {
    uint64_t frame; /* the first that there is; 1: nothing was let go of, or it is empty */
    int64_t n_ms;   /* the daemon's clock of the first group that has one; INT64_MIN: none has */
};
/* EXIT_OK, or an exit code with a sentence. */
int data_look_begin(struct data_look *look, struct data_look_begin *out, struct error *err);

/* What a refusal of the journal ends a command with. */
int data_look_exit_code(enum segment_refusal why);

/* What the directory knows. */
struct data_look_known {
    struct snapshot_recalled recalled; /* without the image */
    struct journal_summary sum;
    struct error passed_over; /* of a snapshot that is not good; "": none was */
    uint64_t begin;           /* the first frame of the journal */
};

/* Reads the newest snapshot that is good, and the journal. EXIT_OK with what they say, which the
 * caller lets go by snapshot_recalled_release(), or an exit code with a sentence. */
int data_look_recall(struct data_look *look, struct data_look_known *out, struct error *err);

/* What its intake log holds. */
struct data_look_intake {
    uint64_t of[INTAKE_KIND_COUNT]; /* records */
    uint64_t first, next;           /* positions of the first record, and behind the last */
    int64_t first_wall_ms;
    bool has_any;
    struct segment_end end;
};
/* Reads it. After data_look_recall() it is of no earlier moment than the journal. EXIT_OK, or an
 * exit code with a sentence, as a start would say it. */
int data_look_intake(const struct data_look *look, struct data_look_intake *out, struct error *err);

/* Where the snapshots lie. Lives as long as the look. */
struct snapshot_folder data_look_snapshots(const struct data_look *look);

#endif

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
#include "store/journal_recall.h"

struct data_look {
    struct data_dir dir;
    char folder[DATA_DIR_PATH_BYTES]; /* of the journal */
    struct segment_config segments;
};

/* EXIT_OK, or an exit code with a sentence. Nothing is to be released. */
int data_look_open(struct data_look *look, const char *path, struct error *err);

/* What a refusal of the journal ends a command with. */
int data_look_exit_code(enum segment_refusal why);

/* Reads the journal to its end. EXIT_OK with what it knows, which the caller owns, or an exit code
 * with a sentence. `end` is filled unless it is NULL; its places are not. */
int data_look_recall(const struct data_look *look, struct journal_recall **out,
                     struct segment_end *end, uint64_t *unfinished, struct error *err);

#endif

/*
 * history_files.h - the files of a history as files: one that cannot be gone on with is kept under
 * another name, and one is made anew beside the old one and takes its place.
 *
 * Thread: one at a time.
 */
#ifndef STORE_HISTORY_FILES_H
#define STORE_HISTORY_FILES_H

#include "store/history.h"

/* Moves it to `path`.aside.N, the first that is free up to `most`; its new name goes to `to`.
 * Errors: a negative errno with a sentence; -EEXIST when none is free. */
int history_move_aside(const char *path, int most, char to[HISTORY_PATH_BYTES], struct error *err);

struct history_rebuilt {
    uint64_t groups;                /* read */
    uint64_t incidents;             /* in it now */
    uint64_t before;                /* the journal's first frame; the rows of earlier ones: */
    bool has_taken_over;            /* are those of the old file, */
    char aside[HISTORY_PATH_BYTES]; /* which is kept here where it could not be gone on with; "" */
    char why[ERROR_TEXT_BYTES];     /* and why */
};

/* Makes the history anew from all that the journal holds; the file there was is replaced when the
 * new one is whole, and not before. By the holder of the data directory's lock.
 * Errors: a negative errno with a sentence; what was there is as it was. */
int history_rebuild(const char *path, const struct segment_config *journal,
                    const struct history_limits *limits, struct history_rebuilt *out,
                    struct error *err);

#endif

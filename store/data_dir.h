/*
 * data_dir.h - the directory in which a tocsin keeps what has to outlive it: who it belongs to,
 * which format it has, and that one process at a time uses it (C11, C12).
 *
 *   FORMAT      what this is; written once, whole or not at all
 *   LOCK        held while a process uses the directory, as FORMAT is, which nobody takes for
 *               something left behind; its number is in it, for sentences
 *   journal/    segments (store/segment_log.h)
 *   intake/     segments
 *   snapshots/  one file each
 *   blobs/      rule sets and the files they read, by content
 *   crashes     records at which a process died (daemon/crash_log.h)
 *   refusals    sinks that were told of a start that was refused (daemon/refusals.h)
 *
 * Directories are 0700, files 0600. Nothing that is not ours is ever written over: a directory that
 * holds something else, another format or damage is refused with what to do.
 *
 * Thread: setup.
 */
#ifndef STORE_DATA_DIR_H
#define STORE_DATA_DIR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"

enum { DATA_DIR_VERSION = 1, DATA_DIR_PATH_BYTES = 4096 };

enum data_dir_refusal {
    DATA_DIR_FINE,
    DATA_DIR_WORLD,   /* cannot be read or written */
    DATA_DIR_LOCKED,  /* another process uses it */
    DATA_DIR_FOREIGN, /* holds what is not ours, or a newer format */
    DATA_DIR_DAMAGED,
    DATA_DIR_MISSING, /* to be read, and there is none */
};

enum data_dir_use {
    DATA_DIR_RUN,  /* makes what is missing; locks */
    DATA_DIR_LOOK, /* makes, writes and locks nothing */
};

struct data_dir {
    char path[DATA_DIR_PATH_BYTES / 2];
    struct id128 id; /* random, of this directory */
    bool is_new;     /* made by this call */
    int lock_fd, format_fd; /* both locked; -1: none */
};

#define DATA_DIR_CLOSED                                                                            \
    {                                                                                              \
        .lock_fd = -1, .format_fd = -1                                                             \
    }

/* Errors: a negative errno with a sentence that names the file; `why` tells the classes apart. */
int data_dir_open(struct data_dir *dir, const char *path, enum data_dir_use use,
                  enum data_dir_refusal *why, struct error *err);

/* Lets the locks go. */
void data_dir_close(struct data_dir *dir);

/* The locks are the result's from now on. */
struct data_dir data_dir_hand_over(struct data_dir *dir);

/* Whether the path still leads to the directory that was opened for DATA_DIR_RUN: one that was
 * moved or removed takes what is written with it. -ESTALE, or another negative errno, with a
 * sentence. Thread: any, one at a time. */
int data_dir_is_there(const struct data_dir *dir, struct error *err);

/* What a copy of the directory has otherwise than itself, also one on this machine, and itself
 * after the machine was started anew: a word. Of one that was opened for DATA_DIR_RUN. */
enum { DATA_DIR_PLACE_BYTES = 17 };
void data_dir_place(const struct data_dir *dir, char to[DATA_DIR_PLACE_BYTES]);

/* `folder` in the directory, as a path. */
void data_dir_folder(const struct data_dir *dir, const char *folder, char to[DATA_DIR_PATH_BYTES]);

#endif

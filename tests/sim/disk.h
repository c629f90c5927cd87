/*
 * disk.h - the disk of the world. It outlives each life, so it has no memory of its own; its form
 * is struct world_disk.
 *
 *   write     -> seen by every reader, in sectors that are marked
 *   sync      -> the marked sectors of one file are durable
 *   sync_dir  -> so are all names
 *   kill      -> what was written stays, as in the memory of a kernel
 *   power cut -> of each marked sector of 512 bytes the old or the new content stays, and of the
 *                changes of names the first few
 *
 * Each call that may change what is durable is a step: lives die at steps, and faults happen there.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/host.h"

/* The one folder that is there from the start, and what the scenarios have in it. */
#define DISK_FOLDER "/w"
#define DISK_RULES DISK_FOLDER "/rules.yaml"
#define DISK_TOLD DISK_FOLDER "/told.jsonl"
/* Of the machine that lives or lived last (world.h): its configuration, its data directory, and its
 * incident log. */
const char *disk_config(void);
const char *disk_data(void);
const char *disk_incidents(void);

/* An empty one. */
void disk_make(void);

/* In place of the files of the host table. */
void disk_fill_host(struct host *host);

/* Cuts an open file, as ftruncate(2). 0 or a negative errno. */
int disk_truncate(int fd, uint64_t bytes);

/* The life is over, the descriptors of its machine too. Thread: between two lives, as the next two.
 */
void disk_let_go(void);
struct dice;
void disk_cut_power(struct dice *dice);

/* A file that lies there before the first life. */
void disk_put(const char *path, const char *text, size_t bytes);

/* Writes all files into this folder of the real disk, names with _ in place of /. */
void disk_keep(const char *folder);

/* What the file holds; NULL: there is none. */
const char *disk_look(const char *path, size_t *bytes);

#endif

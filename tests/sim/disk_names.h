/*
 * disk_names.h - names of the disk of the world (disk.h): which there are as it is seen, and which
 * changes of them a power cut may still undo.
 */
#ifndef TESTS_SIM_DISK_NAMES_H
#define TESTS_SIM_DISK_NAMES_H

#include "sim/world.h"

/* NULL: there is none. "" finds a free place. */
struct world_name *names_find(struct world_name *names, const char *path);
/* `file` -1: it names nothing any more. */
void names_set(struct world_name *names, const char *path, int32_t file);

/* From now on, and durable at some time: path0 names file0, and path1, where it is not "", file1. A
 * folder that goes from path1 to path0 takes along what lies below it. */
void names_change(const char *path0, int32_t file0, const char *path1, int32_t file1);
/* The first so many changes are durable, and the others never were. */
void names_settle(int count);

/* "a/b/../c" is a/c, and so is "a//c". */
const char *names_plain(const char *path, char to[WORLD_PATH_BYTES]);

#endif

/*
 * kept_files.h - lists of files, kept whole in a folder by an id of their content: what a rule set
 * was read from, so that it can be read again when the files themselves have changed.
 *
 *   <id>.files   the list: names, and the hash of what each holds
 *   <hash>       what one or more of them hold, once
 *
 * Both are made under another name, synced and renamed, contents before the list: a list that is
 * there is whole. What is damaged shows: a content by its name, a list by its checksum.
 *
 * Bounds:  KEPT_LISTS_MAX lists, KEPT_FILES_MAX files in each.
 * Thread:  one at a time.
 */
#ifndef STORE_KEPT_FILES_H
#define STORE_KEPT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"
#include "base/vector.h"

enum { KEPT_LISTS_MAX = 4096, KEPT_FILES_MAX = 4096, KEPT_FILE_BYTES_MAX = 256 << 20 };

struct kept_file {
    char kind; /* a letter, of whoever keeps it */
    char *name;
    char *at; /* followed by a zero byte */
    size_t bytes;
};

struct kept_files {
    VECTOR_OF(struct kept_file) file; /* in the order of adding; texts are owned */
};

/* Copies both. */
void kept_files_add(struct kept_files *files, char kind, const char *name, const char *at,
                    size_t bytes);
void kept_files_release(struct kept_files *files);

/* Durable when it returns 0. What is there already is not written again.
 * Errors: a negative errno with a sentence; nothing that was kept is harmed. */
int kept_files_save(const char *folder, struct id128 id, const struct kept_files *files,
                    struct error *err);

/* Errors: -ENOENT and -EBADMSG for what is missing or damaged, others for what cannot be read, with
 * a sentence that names the file. */
int kept_files_load(const char *folder, struct id128 id, struct kept_files *out, struct error *err);

struct kept_counts {
    size_t lists, contents; /* that are needed */
    uint64_t bytes;         /* of the contents */
    size_t removed;         /* files that no list needs */
};

/* Whether the lists of these ids (which may repeat) and all that they name are whole; then, with
 * `must_sweep`, removes what else is there of ours. Errors: as kept_files_load(). */
int kept_files_look(const char *folder, const struct id128 *ids, size_t count, bool must_sweep,
                    struct kept_counts *out, struct error *err);

#endif

/*
 * shared_files.h - lists of kept files (store/kept_files.h) in the shared store: what a rule set
 * was read from goes there before the journal names it.
 *
 *   blob of the list's id:  count | kind, bytes of the name, name, bytes, content | ... | checksum
 *
 * Numbers are little-endian, four bytes for counts and names, eight for contents.
 *
 * Bounds:  SHARED_FILES_BYTES_MAX for a list with all that it names.
 * Thread:  as the shared store.
 */
#ifndef STORE_SHARED_FILES_H
#define STORE_SHARED_FILES_H

#include "store/kept_files.h"
#include "store/shared_store.h"

enum { SHARED_FILES_BYTES_MAX = 64 << 20 };

/* Copies the list and all that it names from `folder`. SHARED_DAMAGED with a sentence for one that
 * is not whole or too large. */
enum shared_verdict shared_files_put(struct shared_store *store, const char *folder,
                                     struct id128 id, struct error *err);

/* The other way; durable when it returns SHARED_FINE. SHARED_LOST: it is not there.
 * SHARED_UNKEPT where the disk has no room or fails. */
enum shared_verdict shared_files_get(struct shared_store *store, const char *folder,
                                     struct id128 id, struct error *err);

#endif

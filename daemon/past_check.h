/*
 * past_check.h - whether a run under these settings can go on with what a data directory holds:
 * what a start refuses, and `tocsin check` says beforehand.
 *
 * Thread: any.
 */
#ifndef DAEMON_PAST_CHECK_H
#define DAEMON_PAST_CHECK_H

#include "base/error.h"
#include "correlate/engine.h"
#include "store/snapshot_recall.h"

/* `begin` is the snapshot that is gone on from; `settings` is the text of those that are configured
 * (daemon/settings_text.h), `blobs` the folder with those of before, `path` the data directory.
 * EXIT_OK, or the exit code of the start that would be refused, with a sentence that says the way
 * out. *changes: what is otherwise than before, and takes effect behind what was told, one a line;
 * NULL where nothing is. The caller frees it. *terms become those of before where they are known to
 * be others; NULL: they are not asked for. */
int past_check(const struct journal_summary *past, const struct snapshot_content *begin,
               const char *path, const char *blobs, const char *settings, char **changes,
               struct engine_terms *terms, struct error *err);

/* Whether the intake log, whose next record has this position, holds what the journal has read of
 * it: what was pushed into one that ends before would be taken for what was read already, answered,
 * and told to nobody. `unit`: other directories may have it. EXIT_OK, or EXIT_DATA with a sentence
 * that says the way out. */
int past_check_intake(const struct journal_summary *past, const struct snapshot_content *begin,
                      const char *path, uint64_t next, bool unit, struct error *err);

/* Both of a data directory that is only looked into, also while a daemon uses it. EXIT_OK where
 * there is none yet. *set: the rules that were in force last; zero where none were. *terms: those
 * that were, or of `engine` where none were. `unit`: as past_check_intake();
 * `rules`: the set that is configured, zero where that is not known. */
int past_check_dir(const char *path, bool unit, struct id128 rules,
                   const struct engine_config *engine, char **changes, struct id128 *set,
                   struct engine_terms *terms, struct error *err);

#endif

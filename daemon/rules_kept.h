/*
 * rules_kept.h - rule sets in a data directory, with every file that they were read from: rule
 * files, lookups and zones. A recovery needs those that were in force then (semantics X5).
 *
 * The files are noted while a set is loaded, as they are read; kept, they answer a later load
 * instead of the disk. That it comes to the same set is checked by the set's hash.
 *
 * Thread: one at a time; noting is for the thread that calls.
 */
#ifndef DAEMON_RULES_KEPT_H
#define DAEMON_RULES_KEPT_H

#include "base/host.h"
#include "rules/rule_set.h"
#include "store/kept_files.h"

/* What one load has read. */
struct rules_read {
    struct kept_files files;
    struct host_reading reading;
};

/* From now on what this thread reads is noted, until rules_read_end(). The place of `read` may not
 * change meanwhile. */
void rules_read_begin(struct rules_read *read);
void rules_read_end(struct rules_read *read);
void rules_read_release(struct rules_read *read);

/* Errors: as kept_files_save(). */
int rules_kept_save(const char *folder, struct id128 set, const struct rules_read *read,
                    struct error *err);

/* Whether what makes no sense is refused (diagnose_sense()). Not of what was taken before: an
 * upgrade may not lose what was in force, and what it explains. */
enum rules_judging { RULES_OF_NOW, RULES_OF_PAST };

/* The set of `base` with one more rule file of that name behind its last, which need not exist; ""
 * for none. An earlier one of the name is left out. What the set is made of goes to `read`, which
 * the caller releases whatever comes of it. Errors: as rule_set_load(). */
int rules_kept_with(const struct rules_read *base, const char *name, const char *text,
                    enum rules_judging judging, struct rule_set **out, struct rules_read *read,
                    struct error *err);

/* The same, of what was taken before, with what comes of it in place of *rules and *read, which
 * stay as they are where nothing does. */
int rules_kept_add(struct rule_set **rules, struct rules_read *read, const char *name,
                   const char *text, struct error *err);

/* A set that was in force. Errors: as kept_files_load(), and -EBADMSG for a set that comes out as
 * another one. */
int rules_kept_load(const char *folder, struct id128 set, struct rule_set **out, struct error *err);

#endif

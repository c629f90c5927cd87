/*
 * pattern_database.h - Hyperscan, which looks for many patterns in one walk over a text; vectorscan
 * is the same for more processors.
 *
 *   sources:  0 "link .* down"   1 "\x64\x69\x73\x6b" ("disk")   ...
 *   scan:     text -> the positions found, once each
 *
 * No other file names the library, so replacing it is a change of this one.
 *
 * Sharing: a database is kept by what it holds and counts its users, over the whole process: a
 *          reload that changes no pattern of a field uses the one that is there. Two loads at once
 *          may build the same one twice, which costs memory only.
 * Thread:  a database is immutable and scanned by any number of threads, each with scratch of its
 *          own. Taking and putting may be called by any thread.
 */
#ifndef RULES_PATTERN_DATABASE_H
#define RULES_PATTERN_DATABASE_H

#include "base/arena.h"
#include "base/event.h"
#include "rules/diagnostics.h"

struct hs_scratch;
struct pattern_database;

/* What a database is made of, by position. */
struct pattern_sources {
    const char **text; /* as pattern_read() writes it */
    unsigned *flags;
    unsigned *ids;
    struct span *span; /* of the rule file, for messages */
};

/* Room for `count` sources. False when memory is short. */
bool pattern_sources_create(struct pattern_sources *sources, uint32_t count, struct arena *arena);

/* Borrows `text`, until the database is made. `is_wide`: it speaks of characters beyond ASCII. */
void pattern_sources_put(struct pattern_sources *sources, uint32_t position, const char *text,
                         bool is_wide, struct span span);

/* Whether nothing may be searched with the library of this machine, and why: the processor lacks
 * what it needs, or it does not find what is there (rules/pattern_soundness.h). *why is NULL when
 * memory was short; else it was looked at for good. */
bool pattern_database_fault(const char **why);

/* Of the library, "5.4.0 2021-01-26". */
const char *pattern_database_version(void);

/* Can the library build it at all? Anchors in the middle, "(a|^b)c", are beyond it. */
bool pattern_database_accepts(const char *text, bool is_wide);

/* The database of the first `count` sources: one that is there, or a new one.
 * Owner:  the caller, until pattern_database_put().
 * Errors: NULL, with a diagnosis at the source that cannot be built, or memory noted. */
struct pattern_database *pattern_database_take(const struct pattern_sources *sources,
                                               uint32_t count, struct diagnostics *diag);

/* Gives it back; the last user's frees it. NULL is allowed. */
void pattern_database_put(struct pattern_database *database);

/* Makes *scratch, or lets it grow to what the database needs; clones; frees (NULL is allowed).
 * False and NULL when memory is short. */
bool pattern_scratch_fit(struct hs_scratch **scratch, const struct pattern_database *database);
struct hs_scratch *pattern_scratch_clone(const struct hs_scratch *scratch);
void pattern_scratch_free(struct hs_scratch *scratch);

/* As the library calls: `position` was found; the others say nothing here. It returns 0. */
typedef int (*pattern_found_fn)(unsigned position, unsigned long long from, unsigned long long to,
                                unsigned flags, void *self);

/* Calls `found` for every position that is found in `text`, in any order. Allocates nothing. */
void pattern_database_scan(const struct pattern_database *database, struct text text,
                           struct hs_scratch *scratch, pattern_found_fn found, void *self);

#endif

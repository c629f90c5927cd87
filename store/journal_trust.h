/*
 * journal_trust.h - a recovery that goes on although what it tells again is not what the journal
 * says (semantics C7, `--trust-journal`): journaled incidents stand, and an id in the journal is
 * never opened again.
 *
 * What is told is held against the journal by incident and sink instead of by order:
 *
 *   while recovering
 *     an incident that the journal does not know    is told now
 *     one that it has open, and that is closed now  the end is told, to sinks that know of it
 *     all else of one that it knows                 was told, or not, and stays so
 *   afterwards
 *     one that the journal has closed               nothing is told any more
 *     one that it has open                          is told of, with numbers of ops that go on
 *                                                   behind those of the journal
 *
 * Bounds:  48 bytes for each incident of the journal and each sink it was told to, until the
 *          recovery is over; then for those that differ.
 * Thread:  one at a time.
 */
#ifndef STORE_JOURNAL_TRUST_H
#define STORE_JOURNAL_TRUST_H

#include "store/journal_read.h"

struct journal_trust;

/* What can differ of one incident. */
enum journal_difference {
    JOURNAL_FRESH, /* the journal does not know it, and it is told */
    JOURNAL_GONE,  /* it is not told any more */
    JOURNAL_OTHER, /* it went otherwise: other changes or ops */
    JOURNAL_DIFFERENCES
};

struct journal_trust_hooks {
    void *self;
    /* Called once for each incident that differs, the first JOURNAL_LISTED_MAX; borrowed. */
    void (*differs)(void *self, const struct incident *incident, enum journal_difference what);
};

enum { JOURNAL_LISTED_MAX = 100 };

/* Ops that the filter leaves out are those of nobody; NULL: none are.
 * Owner: the caller, until journal_trust_destroy(). Errors: as journal_reader_next(). */
int journal_trust_create(const struct segment_config *config, const struct journal_span *span,
                         const struct journal_filter *filter,
                         const struct journal_trust_hooks *hooks, struct journal_trust **out,
                         struct error *err);
void journal_trust_destroy(struct journal_trust *trust);

/* Whether the change is to be told now; the ops that belong to it come right after. */
bool journal_trust_change(struct journal_trust *trust, const struct incident *incident);

/* Whether the op is to be told now; then *number is the one that it gets. */
bool journal_trust_op(struct journal_trust *trust, struct id128 incident, enum op_kind kind,
                      const char *sink, uint32_t *number);

/* All has been told again: lists what the journal has otherwise. `count`, by enum
 * journal_difference, is of all. Errors: as journal_reader_next(). */
int journal_trust_end(struct journal_trust *trust, uint64_t count[JOURNAL_DIFFERENCES],
                      struct error *err);

#endif

/*
 * journal_compare.h - what is told again in a recovery, held against what the journal says was told
 * (semantics C7): equal byte for byte, in order, nothing less and nothing more.
 *
 * Thread: one at a time.
 */
#ifndef STORE_JOURNAL_COMPARE_H
#define STORE_JOURNAL_COMPARE_H

#include "store/journal_read.h"

struct journal_compare;

/* Ops that the filter leaves out are not expected; NULL: all are.
 * Owner: the caller, until journal_compare_destroy(). Errors: as journal_reader_create_span(). */
int journal_compare_create(const struct segment_config *config, const struct journal_span *span,
                           const struct journal_filter *filter, struct journal_compare **out,
                           struct error *err);
void journal_compare_destroy(struct journal_compare *compare);

/* The next thing that is told; false with a sentence that says what was told before instead. */
bool journal_compare_change(struct journal_compare *compare, const struct incident *incident,
                            struct error *err);
bool journal_compare_op(struct journal_compare *compare, const struct op *op, const char *sink,
                        struct error *err);

/* All has been told again: false with a sentence when the journal knows more. */
bool journal_compare_end(struct journal_compare *compare, struct error *err);

#endif

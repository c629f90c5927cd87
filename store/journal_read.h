/*
 * journal_read.h - the records of a journal, group by group, as a recovery and `tocsin fsck` read
 * them: only groups that are whole.
 *
 * Never writes. Any bytes are safe.
 * Bounds:  one group in memory at a time.
 * Thread:  one at a time.
 */
#ifndef STORE_JOURNAL_READ_H
#define STORE_JOURNAL_READ_H

#include "store/journal_format.h"
#include "store/segment_walk.h"

struct journal_reader;

/* Owner: the caller, until journal_reader_destroy(). Errors: as segment_walk_create(). */
int journal_reader_create(const struct segment_config *config, struct journal_reader **out,
                          enum segment_refusal *why, struct error *err);
void journal_reader_destroy(struct journal_reader *reader);

/* 1 and the next record, which lives until the next call; its bytes are in `raw` unless that is
 * NULL. 0 at the end. A negative errno with a sentence that names file and byte. */
int journal_reader_next(struct journal_reader *reader, struct journal_record *out, struct text *raw,
                        struct error *err);

/* As those of the walk. */
enum segment_refusal journal_reader_refusal(const struct journal_reader *reader);
void journal_reader_accept_loss(struct journal_reader *reader);
const struct segment_end *journal_reader_end(const struct journal_reader *reader);

/* Groups whose last frame is not there: they never counted. */
uint64_t journal_reader_unfinished(const struct journal_reader *reader);

#endif

/*
 * tlog_source.h - a small log written down as text: partitions, records and marks.
 *
 * A plain file of events has neither offsets nor log times nor partitions. Where a case must
 * state them, to reproduce a fault or to compare two programs, it is written as JSON lines:
 *
 *   {"topic":"raw","partition":0}                                      a partition, maybe empty
 *   {"topic":"raw","partition":0,"offset":7,"log_time":1700000000000,"payload":"{...}"}
 *   {"mark":"seal","topic":"raw","partition":0,"offset":8,"value":1700000000500}
 *
 * `log_time` null or absent: the log has none. Instead of `payload`, `payload_hex` holds bytes
 * that are no text; null is a tombstone. Records of a partition come with rising offsets; lines
 * of different partitions may be mixed. Marks are `seal`, `cap`, `begin`, `blind-begin`,
 * `blind-end`, `away-begin` and `away-end` (base/mark.h).
 *
 * Feeds are reported, and partitions numbered for marks, by (topic bytewise, partition).
 * The whole file is held in memory: at most TLOG_BYTES_MAX.
 */
#ifndef INGEST_TLOG_SOURCE_H
#define INGEST_TLOG_SOURCE_H

#include <stddef.h>
#include "base/error.h"
#include "base/mark.h"
#include "ingest/source.h"

enum { TLOG_BYTES_MAX = 64 << 20 };

/* Owner:  the caller, until source->ops->close(); marks live as long as the source.
 * Errors: -EINVAL or the errno of reading, with "file:line: sentence" in *err. */
int tlog_source_open(const char *path, struct source **out, const struct mark **marks,
                     size_t *mark_count, struct error *err);

#endif

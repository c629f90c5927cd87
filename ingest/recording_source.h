/*
 * recording_source.h - recordings (store/recording.h) as a struct source.
 *
 * One feed for each partition that was recorded, finished at its end. Each feed unpacks
 * its own blocks, so a partition that is far behind in the file costs nothing extra.
 * Several recordings together are one source; no partition may be in two of them.
 */
#ifndef INGEST_RECORDING_SOURCE_H
#define INGEST_RECORDING_SOURCE_H

#include "base/mark.h"
#include "ingest/source.h"

/* Owner:  the caller, until source->ops->close().
 * Errors: -errno with a sentence that names file and byte. A block that turns out to be
 *         damaged later stops its feed (FEED_STOPPED), and ready() says where. */
int recording_source_open(const char *const *paths, size_t count, struct source **out,
                          struct error *err);

/* The marks of all recordings; `part` counts the feeds in the order in which changes()
 * reports them. Valid until close. */
const struct mark *recording_source_marks(const struct source *base, size_t *count);

/* Bytes that a killed writer left behind unreadable; 0 for complete recordings. */
uint64_t recording_source_torn(const struct source *base);

/* Key of the record at `index` of the last take; NULL for none, and for a feed that is not of
 * a recording. Valid until release. */
const char *recording_source_key(const struct feed *base, size_t index, uint32_t *bytes);

#endif

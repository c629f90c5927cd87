/*
 * file_source.h - files of JSON lines, or standard input, as a struct source.
 *
 * One feed per file. A line is a record without log time; its offset is the number of the
 * line, from 0. Only the newline ends a line. An empty line is an empty record (the decoder
 * refuses it and it is counted); what follows the last newline, if anything, is a record
 * too. A line of more than RECORD_BYTES_MAX bytes becomes one record of
 * RECORD_BYTES_MAX + 1 bytes, which the decoder refuses as too large; the rest of the
 * line is passed over.
 *
 * Memory: 2 MiB and a bit per file. Reading from a pipe waits for its writer.
 */
#ifndef INGEST_FILE_SOURCE_H
#define INGEST_FILE_SOURCE_H

#include "ingest/source.h"

struct file_input {
    const char *path;  /* "-": standard input */
    const char *topic; /* NULL: the path */
    int32_t partition; /* files of one topic need different ones */
};

/* Opens all files. Copies the names.
 * Owner:  the caller, until source->ops->close().
 * Errors: -errno with a sentence. A file that cannot be read on stops its feed
 *         (FEED_STOPPED), and ready() says where. */
int file_source_open(const struct file_input *inputs, size_t count, struct source **out,
                     struct error *err);

#endif

/*
 * line_writer.h - lines to a file or standard output, buffered, never cut in the middle.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_LINE_WRITER_H
#define DAEMON_LINE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct line_writer;

enum line_writer_mode { LINE_WRITER_TRUNCATE, LINE_WRITER_APPEND };

/* Opens `path`; "-" is standard output. Owner: the caller, until line_writer_close().
 * Errors: NULL with a sentence. */
struct line_writer *line_writer_open(const char *path, enum line_writer_mode mode,
                                     struct error *err);

/* Adds `bytes` and a line end. Writes when the buffer is full. */
void line_writer_add(struct line_writer *writer, const char *line, size_t bytes);

/* Writes what is buffered. 0, or the first negative errno that any write had: nothing
 * is written after a failure, so that a file never has a hole. */
int line_writer_flush(struct line_writer *writer);

/* Flushes, and what was written outlasts a power cut; pipes and devices have nothing to sync.
 * Returns as line_writer_flush(), or why it could not be synced. */
int line_writer_sync(struct line_writer *writer);

/* Flushes, syncs and closes; returns as line_writer_flush(). NULL is allowed. */
int line_writer_close(struct line_writer *writer);

/* The sentence about `path`, to which `rc`, a negative errno, kept lines from being written. */
void line_writer_say(const char *path, int rc, struct error *err);

#endif

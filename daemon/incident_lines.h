/*
 * incident_lines.h - the lines of the incident log, as a journal gives them, and what they come to
 * (store/snapshot_file.h, struct snapshot_lines): one number for all that was told, which can be
 * gone on with where the journal has let go of the first of them.
 *
 * Thread: each call belongs to its caller.
 */
#ifndef DAEMON_INCIDENT_LINES_H
#define DAEMON_INCIDENT_LINES_H

#include "store/journal_read.h"
#include "store/snapshot_file.h"

/* `line` is terminated, without a line end, and lives for the call. */
typedef void incident_line_fn(void *self, const char *line, size_t bytes);

/* Every line that the reader has ahead of it, in order. Errors: as journal_reader_next(). */
int incident_lines_read(struct journal_reader *reader, incident_line_fn *take, void *self,
                        struct error *err);

/* One more line; *lines begins as zeros. An incident_line_fn, whose self it is. */
void incident_lines_add(void *lines, const char *line, size_t bytes);

/* What a line is known by: snapshot_lines.last. */
struct id128 incident_line_id(const char *line, size_t bytes);

/* Goes on with *lines over a stretch of the journal. Errors: as
 * journal_reader_create_span(); then *lines is good for nothing. */
int incident_lines_go_on(const struct segment_config *journal, const struct journal_span *span,
                         struct snapshot_lines *lines, struct error *err);

#endif

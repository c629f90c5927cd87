/*
 * incident_log.h - changes and ops as lines of the incident log.
 *
 * One canonical JSON object per line, without the line's end: no blanks, fields in a fixed
 * order, UTF-8. The same incidents give the same bytes, so two runs are compared with cmp.
 * docs/correlation.md, section 4, is the specification.
 *
 * Thread: any; the caller owns the buffer.
 */
#ifndef DAEMON_INCIDENT_LOG_H
#define DAEMON_INCIDENT_LOG_H

#include <stddef.h>
#include "base/incident.h"
#include "daemon/line_writer.h"

/* Writes the line of a change, terminated and cut at the end of the buffer, and returns the
 * bytes of the whole line as snprintf does: the line is complete when that is below `bytes`. */
size_t incident_log_change(const struct incident *incident, char *to, size_t bytes);

/* The same for what one sink is told of it. */
size_t incident_log_op(const struct op *op, const char *sink_name, char *to, size_t bytes);

/* Adds the line of a change to `writer`, whole however long it is: a key has up to eight values of
 * 64 KiB, of which a byte may become six. */
void incident_log_add_change(struct line_writer *writer, const struct incident *incident);

#endif

/*
 * incident_log_mend.h - lines of the incident log that a crash has kept from the file, written from
 * the journal: a line follows its commit, so the last ones may be missing, and after a power cut
 * any part of what was written last.
 *
 * Thread: setup, before anybody else writes the log.
 */
#ifndef DAEMON_INCIDENT_LOG_MEND_H
#define DAEMON_INCIDENT_LOG_MEND_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/line_writer.h"
#include "store/snapshot_file.h"

struct incident_log_mended {
    uint64_t lines; /* that were written */
    bool is_known;  /* the file's last line, or the last before a hole that the power left in it,
                     * is of this journal; or there is none */
};

/* What a snapshot says of the lines before it: the journal may have let go of the file's last one.
 */
struct incident_log_known {
    struct journal_place place; /* up to here; frame 0: nothing is said */
    struct id128 last;          /* of its last line (incident_lines.h) */
};

/* Adds to `writer`, which is the end of `path`, what the journal has behind the file's last line.
 * A file that is empty, or was put aside, gets nothing: nobody knows what it is to begin with. From
 * a hole on, within the last megabyte, the file is written anew.
 * Errors: a negative errno with a sentence. */
int incident_log_mend(const char *path, const struct segment_config *journal,
                      const struct incident_log_known *known, struct line_writer *writer,
                      struct incident_log_mended *out, struct error *err);

#endif

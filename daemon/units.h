/*
 * units.h - durations, sizes and times as people write them.
 *
 *   duration  500ms  30s  10m  2h  1d  1h30m      -> milliseconds
 *   size      4096  64KiB  1GiB  10MB             -> bytes
 *   share     0  0.25  1
 *   time      2026-02-01T10:00:00.250Z            -> milliseconds since 1970
 *             2026-02-01T12:00:00+02:00  1767225600000
 *
 * Errors: each parser returns 0, or -EINVAL with a sentence that names what is
 *         allowed. Nothing is guessed: a duration without a unit is refused.
 */
#ifndef DAEMON_UNITS_H
#define DAEMON_UNITS_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { UNIT_TEXT_BYTES = 32 };

int unit_parse_count(const char *text, int64_t *out, struct error *err);
int unit_parse_duration(const char *text, int64_t *ms, struct error *err);
int unit_parse_size(const char *text, int64_t *bytes, struct error *err);
int unit_parse_time(const char *text, int64_t *ms, struct error *err);
int unit_parse_share(const char *text, double *share, struct error *err);

/* The shortest text that the parser reads back as the same value. */
const char *unit_format_duration(int64_t ms, char to[UNIT_TEXT_BYTES]);
/* The same span for people, in parts: 2196d9h, 1m30s, -5s, 0s. */
const char *unit_format_span(int64_t ms, char to[UNIT_TEXT_BYTES]);
const char *unit_format_size(int64_t bytes, char to[UNIT_TEXT_BYTES]);

/* 2026-02-01T10:00:00.250Z */
const char *unit_format_time(int64_t ms, char to[UNIT_TEXT_BYTES]);

#endif

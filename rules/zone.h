/*
 * zone.h - time zones, from the files of the system's tz database.
 *
 *   /usr/share/zoneinfo/Europe/Zurich (RFC 9636) --> table of changes, and behind its
 *   end a rule: "CET-1CEST,M3.5.0,M10.5.0/3" holds for all years to come
 *
 * Files are read whole when rules are loaded and never again, so that what a set
 * means does not change under it; zone_hash() is part of the set's hash. Nothing
 * here looks at TZ or at the process's own zone.
 *
 * All times are whole seconds; "local" ones count from 1970-01-01T00:00:00 on the wall.
 *
 * Thread: immutable after loading.
 */
#ifndef RULES_ZONE_H
#define RULES_ZONE_H

#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/error.h"
#include "base/event.h"

struct zone;

enum { ZONE_NAME_BYTES_MAX = 64 };

#define ZONE_FOLDER "/usr/share/zoneinfo"

/* "Europe/Zurich"; "UTC" needs no file. It lives in the arena.
 * Errors: NULL, with a sentence in *err. */
const struct zone *zone_load(struct text name, struct arena *arena, struct error *err);

/* The same from the bytes of a file. Errors: NULL, *why is what is wrong with it. */
const struct zone *zone_decode(const char *bytes, size_t count, struct arena *arena,
                               const char **why);

struct id128 zone_hash(const struct zone *zone);

/* What is to be added to a time of UTC to get the local time. */
int64_t zone_offset(const struct zone *zone, int64_t utc);

/* The next time at which the offset may change; INT64_MAX: never again. */
int64_t zone_next_change(const struct zone *zone, int64_t utc);

/* A local time that comes twice means the first; one that is skipped is read with the
 * offset before the gap, so 02:30 becomes 03:30 (RFC 5545, section 3.3.5). */
int64_t zone_utc(const struct zone *zone, int64_t local);

#endif

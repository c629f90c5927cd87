/*
 * event_time.h - the times that monitoring systems write, as milliseconds since 1970.
 *
 *   2026-02-01T10:00:00.265543312Z   RFC 3339, 0 to 9 digits of fraction
 *   2026-02-01T10:00:00.000+0000     zone with or without colon; none means UTC
 *   2026.02.01 10:00:00              Zabbix; UTC
 *   1769940000  1769940000.12        seconds, as number or text
 *   1769940000000                    milliseconds, then micro- and nanoseconds,
 *   "1769940000000000000"            told apart by magnitude
 *
 * The first millisecond of 1970, and any date in the years 0 and 1, mean that there is
 * no time: so write systems that have to fill the field. Finer fractions than a millisecond are cut
 * off.
 *
 * Thread: any.
 */
#ifndef INGEST_EVENT_TIME_H
#define INGEST_EVENT_TIME_H

#include "base/event.h"
#include "ingest/json_number.h"

enum event_time_kind { EVENT_TIME_SET, EVENT_TIME_ABSENT, EVENT_TIME_BAD };

enum event_time_kind event_time_from_text(struct text text, int64_t *ms);
enum event_time_kind event_time_from_number(const struct json_number *number, int64_t *ms);

#endif

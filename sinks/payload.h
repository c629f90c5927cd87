/*
 * payload.h - words and times of incidents, put into JSON as sinks take them.
 */
#ifndef SINKS_PAYLOAD_H
#define SINKS_PAYLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the first `chars_max` characters of `text`, never cutting a UTF-8
 * sequence in two. */
size_t payload_prefix_bytes(const char *text, size_t chars_max);

/* Sets object[key] to the first `chars_max` characters of `text`; nothing when
 * `text` is empty. Bytes that are not UTF-8 become U+FFFD. `object` is borrowed.
 * Returns 0 or -ENOMEM. */
int payload_set_text(json_t *object, const char *key, const char *text, size_t chars_max);

/* The same for whole numbers. */
int payload_set_count(json_t *object, const char *key, uint64_t count);

/* ISO 8601 in UTC with milliseconds: 2026-02-01T10:00:00.000Z. */
enum { PAYLOAD_TIME_BYTES = 40 };
void payload_format_time(int64_t ms, char to[PAYLOAD_TIME_BYTES]);
int payload_set_time(json_t *object, const char *key, int64_t ms);

#endif

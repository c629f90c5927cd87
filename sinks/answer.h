/*
 * answer.h - what the answer of a sink means, as far as its status tells.
 *
 * The classes are those of semantics O6, the same for all sinks; a sink type may
 * overrule them after looking into the body (struct sink_type, judge).
 */
#ifndef SINKS_ANSWER_H
#define SINKS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include "sinks/sink.h"

enum { ANSWER_RETRY_AFTER_MS_MAX = 60 * 60 * 1000 };

/* Reads a Retry-After header: delta-seconds, or an HTTP-date in any of its three
 * forms, taken relative to `wall_ms`. False: neither. The result is never
 * negative and cut at ANSWER_RETRY_AFTER_MS_MAX: a sink that asks for more than an
 * hour is asked again after an hour, since a page must not hang on one header.
 * Source: RFC 9110, sections 5.6.7 and 10.2.3. */
bool answer_retry_after_ms(const char *header, int64_t wall_ms, uint64_t *out);

enum sink_verdict answer_verdict(const struct transport_answer *answer);

/* One line for a person: "HTTP 503: overloaded". At most `bytes`, printable
 * ASCII only; the body is cut to its first words. */
void answer_describe(const struct transport_answer *answer, char *to, size_t bytes);

#endif

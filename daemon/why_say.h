/*
 * why_say.h - private to why: what the sentences have in common that answers end in. Each is put
 * behind what the verdict says so far.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_WHY_SAY_H
#define DAEMON_WHY_SAY_H

#include "daemon/why_parts.h"

__attribute__((format(printf, 2, 3))) void why_say(struct why *why, const char *format, ...);
/* The word, and the time or the id behind it. */
void why_say_time(struct why *why, const char *word, int64_t at_ms);
void why_say_incident(struct why *why, const char *word, struct id128 id);
/* "; it was muted by silence deploy until 12:00, then by silence night" */
void why_say_mute(struct why *why, struct id128 incident);
/* "rule many: count() 4 of 5 at 12:00:03; the oldest left at 12:10:00" */
void why_say_watched(struct why *why, const struct why_rule *of);
void why_say_failed(struct why *why, const struct why_rule *of);
/* A rule that takes every event had the one that is asked for, whatever else became of it. */
void why_say_sign_of_life(struct why *why);

/* The test that was not fulfilled, as far as it can be told. */
const char *why_cause(const struct why_rule *of);
/* How the rule as it is lets the key of an absence go; NULL: it waits for it, as far as that is
 * known. */
const char *why_let_go(const struct why *why, const struct rule *before);
/* A rule that was told of the event, and holds nothing by it; NULL: there is none. */
const struct why_rule *why_in_vain(const struct why *why);
bool why_is_closed_by_expiry(const struct why *why, struct id128 incident);

/* What an answer about an event, and about a key, ends in. */
void why_judge_event(struct why *why);
void why_judge_key(struct why *why);

#endif

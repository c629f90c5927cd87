/*
 * derived.h - events that the engine makes itself (semantics X6): what bounds took is told as an
 * event like any other.
 *
 * Thread: who holds the sequencer role.
 */
#ifndef CORRELATE_DERIVED_H
#define CORRELATE_DERIVED_H

#include "correlate/core.h"
#include "correlate/text_buffer.h"

/* Self-alerts of rules have the subs below, those of partitions the subs from here on. */
enum { DERIVED_SUBS = 32768 };

/* One event of tenant @tocsin. Texts are borrowed. */
struct derived {
    int64_t at_ms; /* et and ts; in the epoch that is planned next */
    const char *resource, *check, *message;
    enum severity severity;
    enum event_state state;
    uint16_t sub; /* its place among those of this time */
};

/* Before events enter at `epoch`, the next to be planned: every worker has passed all before
 * it (F). */
void derived_make_room(struct engine *engine, int64_t epoch);
void derived_put(struct engine *engine, const struct derived *derived);

/* Any event of @derived, at the time of the draft. */
void derived_bin(struct engine *engine, const struct event_draft *draft, uint16_t sub,
                 uint8_t flags);

/* What such an event says of itself. */
void derived_draft_fill(struct event_draft *draft, const char *resource, const char *check,
                        const char *message);

/* So many incidents of a rule are no longer watched, or keys of it or entries of its windows went,
 * within that time: enters at `epoch` (bounds_tell.h). */
enum derived_gone { DERIVED_INCIDENTS, DERIVED_KEYS, DERIVED_ENTRIES };
void derived_tell_gone(struct engine *engine, int64_t epoch, const struct rule *rule,
                       enum derived_gone what, uint64_t count, int64_t within_ms, uint16_t sub);

/* Its check, and its message, which text_end() frees. Thread: any. */
const char *derived_gone_check(enum derived_gone what);
void derived_gone_message(struct text_buffer *message, const char *rule_id, enum derived_gone what,
                          uint64_t count, int64_t within_ms);

#endif

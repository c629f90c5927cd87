/*
 * outbox_core.h - the outbox without its thread: queues, order, retries, budgets.
 *
 * Per sink one queue; in it one chain of ops per incident. Only the first op of a
 * chain is ever tried, and only once at a time, which is the whole of O2. A chain
 * stands in exactly one place:
 *
 *              take()                  gate opens
 *   (no ops) ----------> ready (FIFO) -----------> in flight --answer--+
 *      ^                   ^             gated --->    |               |
 *      |                   +------ waiting (heap by due time) <--------+ retry, next step
 *      +-------------------------- last op done or dead <--------------+
 *
 * A chain whose ops are all dead stays, idle, as long as they are kept for a person, and one that
 * knows the ticket of its incident until the incident is resolved. Gated is an op whose intent is
 * not durable yet (O1).
 *
 * The gate of a queue is open when its sink is not held, its breaker lets
 * something through, the sink has not asked us to stay away, the rate budget has a
 * token and fewer than in_flight_max attempts are under way. No queue looks at
 * another one (O3).
 *
 * Time is host()'s monotonic clock; the wall clock is read only to turn an
 * HTTP-date into a delay and to sign. Every table has its final size from the
 * start and ops bring their own memory, so that nothing here can run out of it but
 * the building of a request, which is then tried again.
 *
 * Thread: one thread at a time; counters are copied by outbox.c.
 */
#ifndef SINKS_OUTBOX_CORE_H
#define SINKS_OUTBOX_CORE_H

#include <stddef.h>
#include <stdint.h>
#include "sinks/outbox.h"
#include "sinks/sink.h"
#include "sinks/transport.h"

struct outbox_core;

/* An op in the outbox, with all the memory it will need. */
struct outbox_op;

struct outbox_core_hooks {
    void *self;
    /* An op has left: done, dead or superseded. `bytes` as in outbox_op_bytes(). */
    void (*finished)(void *self, uint64_t bytes);
    /* outbox_core_due_ns() may have changed outside outbox_core_run(). */
    void (*changed)(void *self);
    /* As in struct outbox_config; NULL: nobody is told, or asked. */
    bool (*moved)(void *self, const struct outbox_move *move);
    enum outbox_leave (*may_leave)(void *self, bool folds);
};

/* Copies `op` and takes its reference. NULL, taking nothing, when memory is short.
 * Thread: any. */
struct outbox_op *outbox_op_create(const struct op *op);
/* Drops the op and its reference. NULL is allowed. */
void outbox_op_destroy(struct outbox_op *op);
/* What the op counts towards the bound of O7: itself and its incident. An incident
 * that several ops share counts for each of them. */
uint64_t outbox_op_bytes(const struct outbox_op *op);
uint16_t outbox_op_sink(const struct outbox_op *op);

struct outbox_bounds {
    size_t ops_max; /* these two are kept by the caller (O7) */
    uint64_t bytes_max;
    size_t dead_max;         /* dead ops that are kept, and those of them that are sent again; */
    uint64_t dead_bytes_max; /* beyond either the oldest one is forgotten */
    size_t refs_max;         /* chains that are kept for their ticket's reference alone */
    size_t beyond_max;       /* ops that are taken beyond ops_max: resumed, or committed already */
};

/* Borrows sinks and transport. Errors: NULL when memory is short. */
struct outbox_core *outbox_core_create(struct sink *const *sinks, size_t sink_count,
                                       const struct transport *transport,
                                       const struct outbox_bounds *bounds,
                                       const struct outbox_core_hooks *hooks);
/* The transport must have ended all exchanges: nobody may call back any more. */
void outbox_core_destroy(struct outbox_core *core);

/* As taken_over_ms of struct outbox_config; before anything is taken or resumed. */
void outbox_core_taken_over(struct outbox_core *core, int64_t until_ms);

/* Takes `op` into the queue of its sink. Sends nothing yet. */
void outbox_core_take(struct outbox_core *core, struct outbox_op *op);

/* Takes an op as a former process left it, before any later one of its incident and sink.
 * `bytes`: what it counts towards the bound. False, taking nothing, when memory is short; the
 * reference to the incident is gone in any case. */
bool outbox_core_resume(struct outbox_core *core, const struct outbox_resumed *from,
                        uint64_t *bytes);

/* The intent with this gate is durable: its op leaves now. */
void outbox_core_permit(struct outbox_core *core, void *gate);

/* What the self-alert about the input is to say from the next run on; "": it can be read. */
void outbox_core_tell_input(struct outbox_core *core, const char *why);

/* Goes through all that waits for each sink (L6). False, with a sentence on the first of them: it
 * is not what was counted, and the counters of each such sink say so. */
bool outbox_core_check_walk(struct outbox_core *core, struct error *err);

/* What a self-alert about the ledger is to say, as above; it has no end. */
void outbox_core_tell_ledger(struct outbox_core *core, const char *why);

/* What a self-alert about memory is to say, as above; "": there is enough. */
void outbox_core_tell_memory(struct outbox_core *core, const char *why);

/* What a self-alert about the daemon's clock is to say, as above; "": it is right. */
void outbox_core_tell_clock(struct outbox_core *core, const char *why);
/* The same of a start that is refused, and whether a sink may know of it, or has said so. What each
 * has heard before is copied, and comes first. */
void outbox_core_take_hearings(struct outbox_core *core, const struct outbox_hearing *hearings);
void outbox_core_tell_refusal(struct outbox_core *core, const char *why);
bool outbox_core_refusal_told(const struct outbox_core *core, size_t sink);
bool outbox_core_refusal_confirmed(const struct outbox_core *core, size_t sink);

/* As in struct outbox_config, once. False: memory is short. */
bool outbox_core_take_refusals(struct outbox_core *core, const struct outbox_refusal *list,
                               size_t count);
/* From the next run on they are over. */
void outbox_core_end_refusals(struct outbox_core *core);
/* Thread: any. */
bool outbox_core_refusal_ended(const struct outbox_core *core, size_t index);

/* As in struct outbox_config, once, and what is noted since. False: memory is short. */
bool outbox_core_take_holds(struct outbox_core *core, const struct outbox_hold *list, size_t count,
                            bool notes_holds);
void outbox_core_note_hold(struct outbox_core *core, size_t sink, int64_t since_ms);
/* Thread: any. */
bool outbox_core_hold_over(const struct outbox_core *core, size_t index);

/* Sends whatever is due and allowed now. */
void outbox_core_run(struct outbox_core *core);

/* The daemon stops: what waits for a sink that did not answer is due now, once more, and no breaker
 * keeps it. A time that the sink asked for stands, and a sink that is held is left alone: it has
 * said no, and another attempt would only look like guessing. */
void outbox_core_end(struct outbox_core *core);

/* When outbox_core_run() has something to do again; UINT64_MAX: not before an op or
 * an answer comes. Unit: nanoseconds on host_mono_ns()'s scale. */
uint64_t outbox_core_due_ns(const struct outbox_core *core);

/* Ops that are neither done, dead nor superseded, and attempts under way. */
size_t outbox_core_waiting(const struct outbox_core *core);
size_t outbox_core_in_flight(const struct outbox_core *core);

/* Dead ops that `pick` means go back into their places, before all later ones of their
 * incident (O2), with a new time to be tried in. */
void outbox_core_redrive(struct outbox_core *core, const struct outbox_pick *pick,
                         struct outbox_redriven *out);

/* Dead ops that `pick` means, the newest first; returns how many there are. */
size_t outbox_core_dead(const struct outbox_core *core, const struct outbox_pick *pick,
                        struct outbox_dead_row *out, size_t max);

/* What of the incident is still to be sent, by sink, in order; returns how many. */
size_t outbox_core_waits(const struct outbox_core *core, struct id128 incident,
                         struct outbox_waiting_row *out, size_t max);

/* `ops` counts what was taken. */
void outbox_core_counters(const struct outbox_core *core, size_t sink, struct sink_counters *out);

#endif

/*
 * outbox.h - delivers ops to sinks: in order per incident, each sink by itself.
 *
 *   engine --ring of ops--> outbox thread (libevent, libcurl multi) --HTTP--> sinks
 *
 * States of an op (semantics O1); outbox_op.c is the only place that moves them:
 *
 *   PENDING -> INTENT -> DONE
 *      ^          |----> DEAD(reason)
 *      |          |----> MADE -> DONE            class C: the ticket stands, and is looked up
 *      +- RETRY <-+----> UNCERTAIN -> RETRY      once more; what UNCERTAIN means goes by class
 *   PENDING -> DONE, RETRY, DEAD   by a look-up, which is no intent: it changes nothing
 *   PENDING, RETRY -> SUPERSEDED   taken in by the op before it of the same incident
 *                                  and sink, of which no byte had left (O4)
 *   PENDING -> DEAD                waited longer than ops are tried (O5)
 *   DEAD -> PENDING                a person sends it again
 *
 * Thread: create and destroy by setup; submit by the one thread that holds the
 *         incident role; counters by anyone.
 */
#ifndef SINKS_OUTBOX_H
#define SINKS_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/incident.h"

struct outbox;

enum op_state {
    OP_PENDING,
    OP_INTENT,
    OP_RETRY,
    OP_UNCERTAIN,
    OP_MADE,
    OP_DONE,
    OP_DEAD,
    OP_SUPERSEDED,
    OP_STATE_COUNT
};

/* What a sink calls a ticket of ours. */
enum { SINK_REF_BYTES = 40, SINK_LABEL_BYTES = 32 };

struct sink_remote {
    char ref[SINK_REF_BYTES];     /* by which it is reached; "": none is known */
    char label[SINK_LABEL_BYTES]; /* by which people know it: INC0010042 */
};

/* One move of an op, as the journal keeps it (O1). */
struct outbox_move {
    struct id128 op, incident;
    uint32_t number;
    uint16_t sink;
    uint8_t kind; /* enum op_kind */
    enum op_state state;
    bool may_exist;                   /* an attempt without a clear answer may have been taken */
    bool is_redriven;                 /* PENDING after it was DEAD: a person said so */
    bool is_held;                     /* of RETRY: its sink refuses our credentials (O6) */
    bool is_found;                    /* of RETRY and MADE: so at a start, without an attempt */
    int64_t not_before_ms;            /* of RETRY and MADE, wall clock */
    const struct sink_remote *remote; /* "" while none is known */
    const char *cause;                /* of DEAD, a literal; else NULL */
    /* Of SUPERSEDED: number of the op that told it instead, which is not done yet: until it is,
     * this one may have to be told after all. 0: it vanished together with its open (O4). */
    uint32_t into;
    /* Not NULL: this is an INTENT that must be durable before its first byte leaves: each one at
     * sinks of class C and D, at class A those of what follows an open. */
    void *gate;
};

/* An op as a former process left it, or of which it only left the result. */
struct outbox_resumed {
    struct op op; /* its incident's reference is taken; NULL with DONE */
    struct id128 incident;
    /* The last that was told of it and is durable: PENDING when nothing is, and when it is
     * SUPERSEDED by an op that is not done. At sinks of class A and B, of which an intent is not
     * durable by itself, it may have been under way in any state but the last ones. DONE: only
     * `remote` and the number are of interest (O8). */
    enum op_state state;
    bool may_exist;
    uint32_t attempts;     /* that are known to have failed */
    int64_t age_ms;        /* how long former processes could try it (O5); 0 or more */
    int64_t not_before_ms; /* of RETRY and MADE */
    struct sink_remote remote;
};

enum { SINK_OPTIONS_MAX = 40 }; /* all of a webhook, and its sixteen headers */

/* One sink as the configuration file gives it; every option is checked against
 * the sink type's table of options. */
struct sink_config {
    const char *name; /* unique, part of op ids */
    const char *type; /* a row of the sink table: "pagerduty", "webhook" */
    struct {
        const char *key;
        const char *value;
    } option[SINK_OPTIONS_MAX];
    size_t option_count;
};

/* Whether anything may be sent to a sink now: another process may be telling it the same. */
enum outbox_leave {
    OUTBOX_LEAVE,
    OUTBOX_LEAVE_LATER,  /* it is asked again soon */
    OUTBOX_LEAVE_FOLD,   /* the same, and what resolved up to taken_over_ms is not told at all */
    OUTBOX_LEAVE_REPEAT, /* each as what may be a repeat */
    OUTBOX_LEAVE_NEVER,
};

/* That a start was refused, as one sink may have been told by a former process. */
enum { OUTBOX_WHY_BYTES = 512, OUTBOX_REFUSALS_MAX = 256 };
struct outbox_refusal {
    uint16_t sink;
    int64_t since_ms; /* wall clock */
    char why[OUTBOX_WHY_BYTES];
};

/* What a sink has heard of a refusal before, and so how it is told of it now. */
enum outbox_heard {
    OUTBOX_HEARD_NOTHING,
    OUTBOX_HEARD_PERHAPS, /* or long ago: told again, as what may be a repeat */
    OUTBOX_HEARD_IT,      /* not told again */
};

struct outbox_hearing {
    enum outbox_heard heard;
    int64_t
        since_ms; /* wall clock: when it was first refused so; where nothing was heard, unused */
};

/* That a sink refused our credentials, as a former process told the others. */
struct outbox_hold {
    const char *sink; /* its name; it may not be configured any more. Borrowed for the call */
    int64_t since_ms; /* wall clock */
    char why[OUTBOX_WHY_BYTES];
};

struct outbox_config {
    const struct sink_config *sinks;
    size_t sink_count;
    size_t ops_max;   /* [1000000] O7 */
    size_t bytes_max; /* [1 GiB]   O7 */
    size_t dead_max;  /* [10000]   dead ops that are kept; an eighth of bytes_max at most */
    size_t refs_max;  /* [100000]  references to open tickets that are kept */

    /* Told of every move of an op, in the order of happening; NULL: nobody is. With a `gate` it
     * returns whether the op waits for outbox_permit(). Thread: the outbox's, which it must not
     * hold up. */
    bool (*moved)(void *self, const struct outbox_move *move);
    void *moved_self;

    /* Asked before anything is sent; NULL: it may be. `folds`: to a sink that folds repeats (class
     * A and B). Thread: the outbox's. */
    enum outbox_leave (*may_leave)(void *self, bool folds);
    void *may_leave_self;

    /* Another process told the sinks until then, or this one's before it, and it is not known of
     * what: class C waits the
     * settle time before its first look-up, and what class D is told of changes up to then says
     * that it may be a repeat. 0: none did. Unit: ms of the wall clock. */
    int64_t taken_over_ms;

    /* Ops that a former process left, per incident and sink in the order of their numbers. They
     * count towards the bounds, and are taken also beyond these. Borrowed for the call; their
     * references to incidents are taken, whatever the call returns. */
    struct outbox_resumed *resumed;
    size_t resumed_count;

    /* Whose end outbox_end_refusals() tells; copied. At most OUTBOX_REFUSALS_MAX. */
    const struct outbox_refusal *refusals;
    size_t refusal_count;

    /* Spells of sinks that refused our credentials, which go on: told of no second time, and of
     * their end once that sink takes something. With `notes_holds` the others are told of a new one
     * only behind outbox_note_hold(). */
    const struct outbox_hold *holds;
    size_t hold_count;
    bool notes_holds;
};

/* Checks one sink's configuration without opening anything. 0, or -EINVAL with a sentence. */
int sink_config_check(const struct sink_config *config, struct error *err);
bool sink_type_exists(const char *type);

/* Creates the outbox and starts its thread. Names of sinks are borrowed, and shown in counters:
 * they outlive these. */
int outbox_create(const struct outbox_config *config, struct outbox **out, struct error *err);

/* Tries once more, at once, what a sink did not take (outbox_core_end()), waits up to `flush_ms`
 * for what is deliverable, then stops the thread (F10). What is submitted afterwards stays undone.
 * Returns how many ops were left undelivered. Again it does nothing. */
size_t outbox_stop(struct outbox *outbox, unsigned flush_ms);

/* Stops it, unless it has been, and releases everything. Returns as outbox_stop(); 0 if it had
 * been.
 */
size_t outbox_destroy(struct outbox *outbox, unsigned flush_ms);

/* Takes `op` with its reference to the incident. With `moved` what is committed is also taken
 * beyond the bound: ask outbox_fill() before more is made. False, taking nothing, when the outbox
 * is at its bound or memory is short: the caller keeps the op, input pauses, and the op is offered
 * again (O7). Numbers of one incident and sink must rise. */
bool outbox_submit(struct outbox *outbox, const struct op *op);

/* The intent that was told with this gate is durable: the op may leave.
 * Thread: one at a time, while nobody destroys the outbox. */
void outbox_permit(struct outbox *outbox, void *gate);

/* From here on a self-alert says that the outbox is filling up (O7), and below the second that
 * it is over. */
#define OUTBOX_FILLING 0.8
#define OUTBOX_DRAINED 0.7

/* Share of the bound in use, 0..1: at 1 input pauses. */
double outbox_fill(const struct outbox *outbox);

/* What its ops and their incidents take, as its bound counts them: an incident that several ops
 * share counts for each. Thread: any, while nobody destroys the outbox. */
uint64_t outbox_bytes(const struct outbox *outbox);

/* From here on a self-alert says that nothing of the input can be read, for the reason `why`;
 * NULL: it can be read again. Thread: any, while nobody destroys the outbox. */
void outbox_tell_input(struct outbox *outbox, const char *why);

/* From here on a self-alert says that the ledger does not add up, and how. Thread: as above. */
void outbox_tell_ledger(struct outbox *outbox, const char *why);

/* From here on a self-alert says that memory is short, and how; NULL: it is not any more. Thread:
 * as above. */
void outbox_tell_memory(struct outbox *outbox, const char *why);

/* From here on a self-alert says that the daemon's clock is not that of its input, and by how much;
 * NULL: it is. Thread: as above. */
void outbox_tell_clock(struct outbox *outbox, const char *why);

/* A self-alert says that a start is refused, and why: one incident for one sentence, so sinks that
 * fold repeats show one however often the start is tried again. `hearings`: one per sink, borrowed
 * for the call; NULL: none has heard of it. The loop has heard it on return: an outbox_stop()
 * behind it waits for what comes of it. Thread: as above. */
void outbox_tell_refusal(struct outbox *outbox, const char *why,
                         const struct outbox_hearing *hearings);

/* Whether this sink may know of it by now, and whether it has said so. Behind outbox_stop().
 * Thread: setup. */
bool outbox_refusal_told(const struct outbox *outbox, size_t sink);
bool outbox_refusal_confirmed(const struct outbox *outbox, size_t sink);

/* The start was not refused this time: each sink that refusals of before name is told that they are
 * over, whenever it takes that. Again it does nothing. Thread: as outbox_tell_input(). */
void outbox_end_refusals(struct outbox *outbox);

/* Whether the sink of refusal `index` of the configuration has been told, or has said that it will
 * not take it: nothing of it is owed any more. Thread: any, while nobody destroys the outbox. */
bool outbox_refusal_ended(const struct outbox *outbox, size_t index);

/* It is noted that this sink is held since then (held_since_ms of its counters): the others may be
 * told. Thread: any, while nobody destroys the outbox. */
void outbox_note_hold(struct outbox *outbox, size_t sink, int64_t since_ms);

/* Whether the end of hold `index` of the configuration, of a sink that is not configured any more,
 * is owed to nobody. Thread: as above. */
bool outbox_hold_over(const struct outbox *outbox, size_t index);

/* Which dead ops are meant: all, those of a sink, of an incident, or of one at the other. */
struct outbox_pick {
    int sink; /* index; -1: of any */
    bool has_incident;
    struct id128 incident;
};

struct outbox_redriven {
    uint64_t redriven;
    uint64_t busy; /* left dead: a later op of their incident is under way this moment */
};

/* A dead op, as it is shown. */
struct outbox_dead_row {
    uint16_t sink;
    uint8_t kind; /* enum op_kind */
    uint8_t priority;
    uint32_t number;
    uint32_t attempts;
    struct id128 incident;
    int64_t died_ms;   /* wall clock */
    const char *cause; /* a literal */
    char error[256];   /* the sink's last words to it */
    char title[256];
};

/* Sends dead ops again; see outbox_core_redrive(). Waits for the outbox's thread, which
 * takes as long as one turn of its loop.
 * Thread: any, while nobody destroys the outbox. */
void outbox_redrive(struct outbox *outbox, const struct outbox_pick *pick,
                    struct outbox_redriven *out);

/* Lists dead ops, the newest first; returns how many there are. Thread: as above. */
size_t outbox_dead(struct outbox *outbox, const struct outbox_pick *pick,
                   struct outbox_dead_row *out, size_t max);

/* An op that is still to be sent, as it is shown. */
struct outbox_waiting_row {
    uint16_t sink;
    uint8_t kind; /* enum op_kind */
    uint32_t number;
    uint32_t attempts;
    const char *reason; /* what it waits for; a literal */
    uint64_t delay_ms;  /* how long at least; 0: not known */
    char error[256];    /* the sink's last words, where it was tried or the sink is shut off; "" */
};

/* Lists what of the incident is still to be sent, by sink, in order; returns how many. Thread: as
 * above. */
size_t outbox_waits(struct outbox *outbox, struct id128 incident, struct outbox_waiting_row *out,
                    size_t max);

/* Index of the sink of that name; -1: there is none. */
int outbox_sink_find(const struct outbox *outbox, const char *name);
const char *outbox_sink_name(const struct outbox *outbox, size_t sink);

/* L5: ops + redriven = done + dead + superseded + waiting, and of the dead
 * dead = dead_kept + redriven + overtaken + forgotten. */
struct sink_counters {
    const char *name;
    const char *type;
    uint64_t ops;
    uint64_t notices; /* of these: self-alerts, made by the outbox itself */
    uint64_t done;
    uint64_t dead;      /* times that an op was given up */
    uint64_t dead_kept; /* now: can be sent again */
    uint64_t redriven;  /* dead ops that a person sent again */
    uint64_t overtaken; /* dead ops let go of, because a later op of their incident was taken */
    uint64_t forgotten; /* dead ops that the bound pushed out */
    uint64_t superseded;
    uint64_t waiting;
    uint64_t retries;
    uint64_t uncertain;
    uint64_t possible_repeats; /* class D, sent again after an uncertain attempt */
    uint64_t lookups;          /* answered ones, classes B and C */
    uint64_t duplicates;       /* second tickets of an incident that were found, and are closed */
    uint64_t duplicates_left;  /* of these, refused to be closed: a person must */
    uint64_t unseen;           /* tickets that were made, but the look-up after does not show */
    uint64_t refs;             /* now: references to open tickets that are kept */
    uint64_t refs_forgotten;   /* that their bound pushed out: looked up when needed again */
    uint64_t bytes_sent;
    uint64_t walk_mismatches; /* times that more or fewer changes wait than are counted (L6) */
    uint64_t walk_counted, walk_found; /* when that was last so */
    bool held;                         /* 401/403: nothing but one attempt in five minutes is sent
                                        * until one is accepted or the configuration changes (O6) */
    bool breaker_open;
    int64_t held_since_ms; /* of the last spell of that, while others are told of it or its end is
                            * owed to them; 0: none. Unit: ms of the wall clock */
    char last_error[256];
};

/* A consistent-enough copy for metrics; returns how many sinks. */
size_t outbox_counters(const struct outbox *outbox, struct sink_counters *out, size_t max);

#endif

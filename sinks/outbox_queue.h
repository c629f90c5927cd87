/*
 * outbox_queue.h - what the files of the outbox's core share: ops, chains, queues.
 *
 *   outbox_op.c      the states of an op, and the one function that moves them (O1)
 *   outbox_chain.c   the order of one incident at one sink, and what merges (O2, O4)
 *   outbox_gate.c    whether a sink may be sent anything now: budget, breaker, hold
 *   outbox_notice.c  self-alerts that no rule can make, sent to the sinks that work
 *   outbox_dead.c    ops that were given up: kept for a person, sent again on demand
 *   outbox_waiting.c what of an incident is still to be sent, for a person
 *   outbox_retry.c   what the end of an attempt means for its op (O5, O6)
 *   outbox_ticket.c  the steps of an op at a ticketing system, and references to tickets (D3)
 *   outbox_resume.c  ops as a former process left them
 *   outbox_core.c    sending, answers, and the functions of outbox_core.h
 *
 * Nothing else of the product includes this header. Thread: as outbox_core.h.
 */
#ifndef SINKS_OUTBOX_QUEUE_H
#define SINKS_OUTBOX_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sinks/outbox_core.h"
#include "sinks/sink.h"

struct outbox_attempt;
struct outbox_chain;
struct outbox_queue;

/* Whose bound an op counts towards. */
enum op_account {
    ACCOUNT_WAITING, /* ops_max and bytes_max (O7) */
    ACCOUNT_DEAD,    /* dead_max and dead_bytes_max: dead, or dead before and sent again */
    ACCOUNT_NOTICE,  /* NOTICES_MAX of their sink */
};

/* What became of a self-alert that somebody asks about. relaxed: each is a flag by itself, and its
 * only writer is the loop. */
struct outbox_word {
    _Atomic bool has_left; /* the sink may know of it */
    _Atomic bool is_over;  /* no attempt is made any more */
    _Atomic bool is_done;  /* the sink has it */
};

struct outbox_op {
    struct op op;
    uint64_t order;             /* in its chain, rising: its number, and those of former lives */
    struct outbox_op *next;     /* in its chain */
    struct outbox_chain *spare; /* becomes the chain if the incident has none */
    uint64_t bytes;
    uint64_t age_ns;   /* of former processes */
    uint64_t since_ns; /* active time of the queue when it was taken, less that age; it wraps */
    uint32_t attempts;
    uint32_t failures; /* attempts that count for the back-off */
    enum op_state state;
    bool is_begun;   /* a byte of it may have left */
    bool may_exist;  /* an attempt without a clear answer may have been taken */
    bool is_assumed; /* may_exist, and that only because nobody can know of a former life */
    bool is_notice;  /* a self-alert: nobody is told of its moves */
    struct outbox_word *word; /* of a self-alert; borrowed; NULL: nobody asks */

    /* At a ticketing system only. */
    bool is_absent;   /* the last look-up showed no ticket, at absent_ns */
    bool wants_find;  /* a look-up is the next step */
    bool was_refused; /* with a 4xx, after which one look-up decides (O6) */
    uint64_t absent_ns;
    uint64_t doubt_ns; /* end of the first attempt that may have made a ticket */
    uint8_t looks;     /* look-ups after a creation that did not show it */

    enum op_account account;
    struct outbox_dead *dead; /* owned; not NULL while it is kept as a dead one */
};

/* What a dead op is kept with. */
struct outbox_dead {
    struct outbox_op *older, *newer; /* of all that are kept */
    struct outbox_chain *chain;
    struct outbox_queue *queue;
    int64_t died_ms; /* wall clock, to be shown */
    const char *cause;
    char error[sizeof(((struct sink_counters *)NULL)->last_error)];
};

/* GATED: its intent is not durable yet; counts as in flight. IDLE: no ops but dead ones. */
enum chain_place { CHAIN_READY, CHAIN_WAITING, CHAIN_GATED, CHAIN_IN_FLIGHT, CHAIN_IDLE };

/* Why a chain waits, and so what may end it early. */
enum chain_wait {
    WAIT_FAILED, /* for a sink that did not take it: ends when the sink answers again */
    WAIT_TOLD,   /* the sink said when to come back */
    WAIT_SETTLE, /* for what a look-up will show */
};

/* The ops of one incident for one sink, in order: that of their numbers, which begin anew where
 * an incident opens again, as a record was read again (docs/correlation.md, section 4). */
struct outbox_chain {
    struct outbox_chain *bucket_next;
    struct outbox_chain *ready_next, *ready_before;
    struct id128 incident;
    struct outbox_op *first, *last;
    struct outbox_op *dead_first, *dead_last; /* kept; of a lower order than `first` */
    enum chain_place place;
    uint64_t life_order; /* where the numbers of this life of the incident begin */
    uint64_t last_order;
    uint64_t done_order;             /* highest that is done (O8) */
    size_t heap_index;               /* while waiting */
    uint64_t due_ns;                 /* while waiting */
    enum chain_wait wait;            /* while waiting */
    struct outbox_queue *gate_queue; /* while gated */
    struct outbox_attempt *attempt;  /* owned, while in flight */

    /* At a ticketing system only. */
    struct sink_remote remote; /* the incident's ticket */
    struct sink_found *twins;  /* owned: found[1...] are to be closed */
    struct outbox_queue *ref_queue;
    struct outbox_chain *ref_older, *ref_newer; /* of all that know a ticket */
};

/* Self-alerts that may wait for one sink. More are not made until it has taken some: what
 * they say is looked at again in each turn, so only the time of the word suffers. */
enum { NOTICES_MAX = 64 };

enum { NOTICE_TEXT_BYTES = 512 };

/* A condition that people are told of past the engine. */
struct outbox_notice {
    bool is_active;
    int64_t since_ms;  /* wall clock; rises with each spell, so that spells have ids of their own */
    bool is_of_reason; /* one incident for one reason, however often it is told of */
    char title[NOTICE_TEXT_BYTES], why[NOTICE_TEXT_BYTES]; /* as at the begin of the spell */
    bool *told;                                            /* per sink: it was sent the open */
    struct outbox_word *words;                             /* per sink, of opens; NULL: none */
    struct outbox_hearing *hearings; /* per sink: what a former process told it; NULL: nothing */
    struct outbox_word *ends;        /* per sink, of resolves; NULL: nobody asks */
    bool *owes;                      /* per sink, with `ends`: it was told, and has not the end */
    bool is_former; /* active as a former process left it; nothing is known since */
};

/* A sink that is not configured any more, and which others were told of. */
struct outbox_gone {
    struct outbox_notice notice;
    char sink[NOTICE_TEXT_BYTES];
    _Atomic bool is_over; /* relaxed: a flag by itself. Writer: the loop */
};

/* A refusal of a former process, which its sink is to hear the end of. */
struct outbox_ending {
    struct outbox_refusal refusal;
    struct outbox_word word;
    bool is_taken; /* it is on its way */
};

struct outbox_queue {
    struct outbox_core *core;
    const struct sink *sink;
    struct outbox_chain **buckets;
    struct outbox_chain *ready_first, *ready_last;
    struct outbox_chain **heap; /* least due time first */
    size_t heap_count;
    size_t in_flight;

    uint64_t budget_ns; /* theoretical arrival time of the rate budget */
    uint64_t away_ns;   /* the sink asked us to stay away until then */
    uint64_t shown_ns;  /* by then what another process made shows to a look-up */
    uint64_t expire_ns; /* next look for aged ops */
    uint32_t failures_in_a_row;
    bool breaker_open;
    uint64_t breaker_ns; /* next probe */
    uint64_t breaker_wait_ns;
    bool is_held;
    uint64_t hold_ns; /* next probe */
    uint64_t held_since_ns;
    uint64_t held_total_ns; /* of former holds: time that makes no op older */
    struct outbox_notice held_notice;
    int64_t held_noted_ms; /* the spell that the others may be told of */
    size_t notices_waiting;

    struct sink_counters counters;
};

struct outbox_core {
    bool is_ending; /* breakers hold nothing back any more */
    int64_t taken_over_ms;
    const struct transport *transport;
    struct outbox_core_hooks hooks;
    size_t bucket_mask;
    size_t ops_max, dead_max;
    uint64_t bytes_max, dead_bytes_max;
    size_t waiting_count; /* of ACCOUNT_WAITING, and their bytes */
    uint64_t waiting_bytes;
    struct outbox_notice fill_notice, input_notice, ledger_notice, memory_notice;
    struct outbox_notice clock_notice, refusal_notice;
    char input_why[NOTICE_TEXT_BYTES];   /* why nothing can be read; "": it can */
    char ledger_why[NOTICE_TEXT_BYTES];  /* what does not add up; "": all does */
    char memory_why[NOTICE_TEXT_BYTES];  /* how short memory is; "": it is not */
    char clock_why[NOTICE_TEXT_BYTES];   /* how far the clock is off; "": it is not */
    char refusal_why[NOTICE_TEXT_BYTES]; /* why a start is refused; "": none is */
    struct outbox_ending *endings;
    size_t ending_count;
    bool ends_refusals;
    bool notes_holds;
    struct outbox_gone
        *gone; /* as the holds of the configuration count; sinks that are there: unused */
    size_t gone_count;
    size_t dead_count; /* of ACCOUNT_DEAD, and their bytes */
    uint64_t dead_bytes;
    struct outbox_op *dead_oldest, *dead_newest; /* kept */
    size_t ref_count, refs_max;
    struct outbox_chain *ref_oldest, *ref_newest;
    size_t beyond_max;
    size_t waiting;
    size_t in_flight;
    size_t queue_count;
    struct outbox_queue queues[];
};

/* One exchange under way; lives from send to answer. */
struct outbox_attempt {
    struct outbox_queue *queue;
    struct outbox_chain *chain;
    enum sink_step step;
    bool was_kept_back; /* at its first byte, by what the owner of the unit knew then */
    struct sink_request request;
};

/* All that can wait at once. */
static inline size_t outbox_core_ops_max(const struct outbox_core *core)
{
    return core->ops_max + core->beyond_max + core->dead_max + NOTICES_MAX * core->queue_count;
}

static inline const struct sink_class_rules *outbox_rules(const struct outbox_queue *queue)
{
    return &sink_classes[sink_class_of(queue->sink)];
}

/* Under way, or about to be: nothing may go before it. */
static inline bool outbox_chain_is_busy(const struct outbox_chain *chain)
{
    return chain->place == CHAIN_IN_FLIGHT || chain->place == CHAIN_GATED;
}

static inline uint64_t outbox_later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- outbox_op.c ---- */

/* What is told of a move beside the op itself. */
struct op_move_facts {
    const struct sink_remote *remote; /* NULL: none is known */
    uint64_t delay_ns;                /* of RETRY and MADE: until the next attempt */
    const char *cause;                /* of DEAD */
    uint32_t into;                    /* of SUPERSEDED */
    void *gate;                       /* of INTENT */
    bool is_redriven;                 /* of PENDING: it was DEAD */
    bool is_found;                    /* of RETRY and MADE: at a start, without an attempt */
};

/* The only place where an op changes its state. Returns whether it waits for its gate. */
bool outbox_op_move(struct outbox_queue *queue, struct outbox_op *op, enum op_state to,
                    const struct op_move_facts *facts);
/* Lets go of an op that has reached its last state and is in no chain. */
void outbox_op_finish(struct outbox_queue *queue, struct outbox_op *op);
/* Time on which ops grow old: the clock without the times of hold. */
uint64_t outbox_queue_active_ns(const struct outbox_queue *queue, uint64_t now_ns);
uint64_t outbox_queue_age_limit_ns(const struct outbox_queue *queue);
bool outbox_op_is_too_old(const struct outbox_queue *queue, const struct outbox_op *op,
                          uint64_t now_ns);

/* ---- outbox_chain.c ---- */

/* NULL: nothing of this incident is held. */
struct outbox_chain *outbox_chain_find(const struct outbox_queue *queue, struct id128 incident);
/* Takes the chain out of the table and frees it; its ops are gone already. */
void outbox_chain_remove(struct outbox_queue *queue, struct outbox_chain *chain);
/* The first op, in its last state, leaves; the next one becomes ready. The chain
 * stands in no place when this is called, and may be gone afterwards. */
void outbox_chain_advance(struct outbox_queue *queue, struct outbox_chain *chain);
/* The next place of a chain that stands in none: ready, idle or gone. */
void outbox_chain_rest(struct outbox_queue *queue, struct outbox_chain *chain);
/* The first op of a waiting chain may be tried again; of one that was just taken out, too. */
void outbox_chain_wake(struct outbox_queue *queue, struct outbox_chain *chain);
void outbox_chain_awaken(struct outbox_queue *queue, struct outbox_chain *chain);
/* Makes zeroed `room`, which it takes, the chain of an incident that has none. */
void outbox_chain_add(struct outbox_queue *queue, struct id128 incident, struct outbox_chain *room);
/* Frees the chain with its ops, for the end of the core. */
void outbox_chain_destroy(struct outbox_chain *chain);
/* The two places where a chain that is not in flight stands. Notices are ready before all
 * others, for they must not wait behind what they tell of. */
void outbox_ready_add(struct outbox_queue *queue, struct outbox_chain *chain);
void outbox_ready_remove(struct outbox_queue *queue, struct outbox_chain *chain);
void outbox_waiting_add(struct outbox_queue *queue, struct outbox_chain *chain);
void outbox_waiting_remove(struct outbox_queue *queue, struct outbox_chain *chain);

/* ---- outbox_gate.c ---- */

/* Whether anything may be sent to this sink, as far as other processes are concerned. */
enum outbox_leave outbox_gate_leave(const struct outbox_queue *queue);
/* In how long that is asked again. */
#define OUTBOX_LEAVE_LOOK_NS UINT64_C(100000000)
/* When the gate opens, given what is known now; UINT64_MAX: an answer must come. */
uint64_t outbox_gate_due_ns(const struct outbox_queue *queue);
/* An attempt leaves. */
void outbox_gate_spend(struct outbox_queue *queue, uint64_t now_ns);
void outbox_breaker_failure(struct outbox_queue *queue, uint64_t now_ns);
void outbox_breaker_success(struct outbox_queue *queue);
void outbox_hold_begin(struct outbox_queue *queue, uint64_t now_ns);
void outbox_hold_end(struct outbox_queue *queue, uint64_t now_ns);
/* The sink answers again, or this is the end: what waits because an attempt failed is due at once,
 * within the budget. What the sink gave a time of its own keeps that. */
void outbox_queue_wake(struct outbox_queue *queue);
/* Evenly in [least, ceiling]. */
uint64_t outbox_draw_ns(uint64_t least_ns, uint64_t ceiling_ns);

/* ---- outbox_notice.c ---- */

/* Room for the notices. False when memory is short. */
bool outbox_notices_create(struct outbox_core *core);
void outbox_notices_destroy(struct outbox_core *core);
/* Looks at the conditions and makes the ops that tell their begin and end. */
void outbox_notices_look(struct outbox_core *core);
/* As held_since_ms of struct sink_counters. */
int64_t outbox_hold_since_ms(const struct outbox_queue *queue);

/* ---- outbox_dead.c ---- */

/* Gives the first op of the chain up; the next one becomes ready. `cause`: a literal. The
 * chain stands in no place when this is called, and may be gone afterwards. */
void outbox_op_kill(struct outbox_queue *queue, struct outbox_chain *chain, const char *cause);
/* A later op of the chain is done: it told all that the kept ones would have. */
void outbox_dead_overtake(struct outbox_queue *queue, struct outbox_chain *chain);

/* ---- outbox_retry.c ---- */

/* Acts on what became of the attempt at the first op of `chain`, which stands in no
 * place and may be gone afterwards. */
void outbox_chain_settle(struct outbox_queue *queue, struct outbox_chain *chain,
                         enum sink_step step, const struct transport_answer *answer);
/* Puts the chain among the waiting ones: until the sink asked for, or as `wait` says, at least
 * `least_ns`; 0: as failures in a row have it. Too old: dead instead. */
void outbox_op_retry(struct outbox_queue *queue, struct outbox_chain *chain, enum chain_wait wait,
                     uint64_t least_ns, uint64_t now_ns);
/* The first op is done; the next one becomes ready. As outbox_chain_advance(). */
void outbox_op_deliver(struct outbox_queue *queue, struct outbox_chain *chain);
/* Keeps the sentence as the sink's last error; `why` is redacted in place. */
void outbox_queue_blame(struct outbox_queue *queue, struct error *why);
/* O5 for ops that a closed gate keeps from being tried at all. */
void outbox_queue_expire(struct outbox_queue *queue, uint64_t now_ns);

/* ---- outbox_ticket.c ---- */

/* What the next attempt at the first op of the chain is for. */
enum sink_step outbox_step_next(const struct outbox_queue *queue, struct outbox_chain *chain,
                                uint64_t now_ns);
/* The step was taken, and showed these tickets: the op is done, or comes to its next step. */
void outbox_step_taken(struct outbox_queue *queue, struct outbox_chain *chain, enum sink_step step,
                       const struct sink_found *found, uint64_t now_ns);
/* The step was refused for good. */
void outbox_step_refused(struct outbox_queue *queue, struct outbox_chain *chain,
                         enum sink_step step, uint64_t now_ns);
/* A creation may have made a ticket, says an answer that is none. Returns how long it is left
 * alone before it is looked up; 0: it is sent again as it is. */
uint64_t outbox_step_doubted(const struct outbox_queue *queue, struct outbox_op *op,
                             uint64_t now_ns);
/* The chain knows its ticket; beyond the bound the one that was learnt first is forgotten. */
void outbox_ref_keep(struct outbox_queue *queue, struct outbox_chain *chain,
                     const struct sink_remote *remote);
void outbox_ref_drop(struct outbox_queue *queue, struct outbox_chain *chain);

/* ---- outbox_core.c ---- */

void outbox_attempt_destroy(struct outbox_attempt *attempt);

#endif

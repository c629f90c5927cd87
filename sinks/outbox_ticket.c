/*
 * outbox_ticket.c - the steps of an op at a ticketing system, and references to tickets.
 *
 *   open     [FIND] -> CREATE -> [settle -> FIND -> TWIN*]    [..] as the class has it
 *   others   [FIND, when the ticket is not known] -> CHANGE
 *
 * An open is never created while a look-up may still be behind (D3): one that may have been taken
 * rests for the settle time and is looked up, and what a look-up did not show is created at once
 * or looked up again. After a creation the op is MADE: the ticket stands, its reference is known,
 * and one more look-up, a settle time later, shows a second ticket that another owner of the
 * incident may have made at the same moment. The oldest is kept, the others are linked to it and
 * closed. Later ops of the incident wait for that, so that none goes to a ticket that is closed.
 *
 * What a sink refuses for good is dead only after one look-up (O6): it may refuse a creation
 * because there is a ticket already, or a change because somebody has closed or deleted the ticket.
 */
#include "sinks/outbox_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS UINT64_C(1000000)
#define MINUTE_NS (60000 * MS_NS)

/* Where a type has no settle time of its own: how long an empty look-up may be acted on. */
#define FRESH_NS (30000 * MS_NS)

/* A ticket that was made is looked for so often; then it is taken to be the only one. One that is
 * to be changed is taken not to exist after these. */
enum { LOOKS_MAX = 3, ABSENT_LOOKS = 2 };

static const char refused[] = "refused by the sink";

static uint64_t settle_ns(const struct outbox_queue *queue)
{
    return sink_settings(queue->sink)->settle_ms * MS_NS;
}

static bool knows_ticket(const struct outbox_chain *chain)
{
    return chain->remote.ref[0] != '\0';
}

/* ---- references ---- */

void outbox_ref_drop(struct outbox_queue *queue, struct outbox_chain *chain)
{
    struct outbox_core *core = queue->core;

    if (!knows_ticket(chain))
        return;
    if (chain->ref_older != NULL)
        chain->ref_older->ref_newer = chain->ref_newer;
    else
        core->ref_oldest = chain->ref_newer;
    if (chain->ref_newer != NULL)
        chain->ref_newer->ref_older = chain->ref_older;
    else
        core->ref_newest = chain->ref_older;
    chain->ref_older = chain->ref_newer = NULL;
    chain->remote = (struct sink_remote){0};
    chain->ref_queue->counters.refs--;
    core->ref_count--;
}

static void forget_oldest(struct outbox_core *core)
{
    struct outbox_chain *chain = core->ref_oldest;
    struct outbox_queue *queue = chain->ref_queue;

    outbox_ref_drop(queue, chain);
    queue->counters.refs_forgotten++;
    if (chain->place == CHAIN_IDLE)
        outbox_chain_rest(queue, chain);
}

void outbox_ref_keep(struct outbox_queue *queue, struct outbox_chain *chain,
                     const struct sink_remote *remote)
{
    struct outbox_core *core = queue->core;

    assert(remote->ref[0] != '\0');
    if (knows_ticket(chain)) {
        chain->remote = *remote;
        return;
    }
    while (core->ref_count >= core->refs_max && core->ref_oldest != NULL)
        forget_oldest(core);
    chain->remote = *remote;
    chain->ref_queue = queue;
    chain->ref_older = core->ref_newest;
    if (core->ref_newest != NULL)
        core->ref_newest->ref_newer = chain;
    else
        core->ref_oldest = chain;
    core->ref_newest = chain;
    core->ref_count++;
    queue->counters.refs++;
}

/* ---- which step comes next ---- */

static uint64_t fresh_ns(const struct outbox_queue *queue)
{
    return settle_ns(queue) > 0 ? settle_ns(queue) : FRESH_NS;
}

static bool is_absent(const struct outbox_queue *queue, const struct outbox_op *op, uint64_t now_ns)
{
    return op->is_absent && now_ns - op->absent_ns < fresh_ns(queue);
}

static bool key_may_be_forgotten(const struct outbox_queue *queue, const struct outbox_op *op,
                                 uint64_t now_ns)
{
    return outbox_rules(queue)->key_expires && op->may_exist &&
           now_ns - op->doubt_ns >= sink_settings(queue->sink)->key_minutes * MINUTE_NS;
}

enum sink_step outbox_step_next(const struct outbox_queue *queue, struct outbox_chain *chain,
                                uint64_t now_ns)
{
    struct outbox_op *op = chain->first;

    if (!sink_has_tickets(queue->sink))
        return SINK_STEP_SEND;
    if (chain->twins != NULL)
        return SINK_STEP_TWIN;
    if (op->state == OP_MADE || op->wants_find)
        return SINK_STEP_FIND;
    if (op->op.kind != OP_OPEN && knows_ticket(chain))
        return SINK_STEP_CHANGE;
    if (is_absent(queue, op, now_ns))
        return SINK_STEP_CREATE;
    op->is_absent = false;
    if (op->op.kind != OP_OPEN || outbox_rules(queue)->finds_before ||
        key_may_be_forgotten(queue, op, now_ns))
        return SINK_STEP_FIND;
    return SINK_STEP_CREATE;
}

/* ---- what an answer means ---- */

/* The next step may follow at once. */
static void step_on(struct outbox_queue *queue, struct outbox_chain *chain)
{
    if (chain->first->state == OP_INTENT)
        outbox_op_move(queue, chain->first, OP_RETRY,
                       &(struct op_move_facts){.remote = &chain->remote});
    outbox_chain_awaken(queue, chain);
}

/* A look-up in `settle` says more than one now. */
static void look_later(struct outbox_queue *queue, struct outbox_chain *chain, uint64_t now_ns)
{
    chain->due_ns = now_ns + settle_ns(queue);
    chain->wait = WAIT_SETTLE;
    outbox_waiting_add(queue, chain);
}

static void made(struct outbox_queue *queue, struct outbox_chain *chain, uint64_t now_ns)
{
    if (!outbox_rules(queue)->finds_after) {
        outbox_op_deliver(queue, chain);
        return;
    }
    outbox_op_move(queue, chain->first, OP_MADE,
                   &(struct op_move_facts){.remote = &chain->remote, .delay_ns = settle_ns(queue)});
    if (queue->core->is_ending) /* as outbox_core_end() has it */
        outbox_ready_add(queue, chain);
    else
        look_later(queue, chain, now_ns);
}

/* The ticket that was made is not among those that the look-up shows. Which one is to be kept is
 * not decided on half the picture: each owner might close its own. */
static void not_seen(struct outbox_queue *queue, struct outbox_chain *chain, uint64_t now_ns)
{
    if (++chain->first->looks < LOOKS_MAX && !queue->core->is_ending) {
        look_later(queue, chain, now_ns);
        return;
    }
    queue->counters.unseen++;
    outbox_op_deliver(queue, chain);
}

/* No ticket carries our key. */
static void found_none(struct outbox_queue *queue, struct outbox_chain *chain, uint64_t now_ns)
{
    struct outbox_op *op = chain->first;
    bool ends = op->op.kind == OP_RESOLVE || op->op.kind == OP_ACK;

    if (op->state == OP_MADE) {
        not_seen(queue, chain, now_ns);
        return;
    }
    if (op->op.kind != OP_OPEN && ++op->looks < ABSENT_LOOKS) {
        /* It may have been made a moment ago; or is made meanwhile by an open that is sent again by
         * hand, and then it is known, whether look-ups show it or not. */
        op->wants_find = knows_ticket(chain);
        outbox_op_retry(queue, chain, WAIT_SETTLE, fresh_ns(queue), now_ns);
    } else if (ends) { /* nothing is left to be resolved */
        outbox_ref_drop(queue, chain);
        outbox_op_deliver(queue, chain);
    } else if (op->was_refused) {
        outbox_op_kill(queue, chain, refused);
    } else {
        /* An update, too: its open was given up, and people are to know all the same (D4). */
        outbox_ref_drop(queue, chain);
        op->is_absent = true;
        op->absent_ns = now_ns;
        step_on(queue, chain);
    }
}

/* The ticket is known and is the only one. `was_known`: the one that refused a change. */
static void found_ours(struct outbox_queue *queue, struct outbox_chain *chain, bool was_known,
                       bool is_open)
{
    struct outbox_op *op = chain->first;

    if (op->op.kind == OP_OPEN || op->state == OP_MADE)
        outbox_op_deliver(queue, chain);
    else if (!op->was_refused || !was_known)
        step_on(queue, chain);
    else if (op->op.kind == OP_RESOLVE && !is_open) /* somebody was faster */
        outbox_op_deliver(queue, chain);
    else
        outbox_op_kill(queue, chain, refused);
}

/* Keeps the first of the found and those of the others that are open. False: memory is short. */
static bool note_twins(struct outbox_chain *chain, const struct sink_found *found)
{
    struct sink_found twins = {.count = 1, .ticket = {found->ticket[0]}};

    for (size_t i = 1; i < found->count; i++)
        if (found->ticket[i].is_open)
            twins.ticket[twins.count++] = found->ticket[i];
    if (twins.count == 1)
        return true;
    chain->twins = malloc(sizeof(twins));
    if (chain->twins == NULL)
        return false;
    *chain->twins = twins;
    return true;
}

static bool has_ticket(const struct sink_found *found, const struct sink_remote *remote)
{
    for (size_t i = 0; i < found->count; i++)
        if (strcmp(found->ticket[i].remote.ref, remote->ref) == 0)
            return true;
    return false;
}

static void found_some(struct outbox_queue *queue, struct outbox_chain *chain,
                       const struct sink_found *found, uint64_t now_ns)
{
    struct outbox_op *op = chain->first;
    bool was_known = strcmp(chain->remote.ref, found->ticket[0].remote.ref) == 0;

    if (op->state == OP_MADE && !has_ticket(found, &chain->remote)) {
        not_seen(queue, chain, now_ns);
        return;
    }
    if (!note_twins(chain, found)) {
        outbox_op_retry(queue, chain, WAIT_FAILED, 0, now_ns);
        return;
    }
    outbox_ref_keep(queue, chain, &found->ticket[0].remote);
    if (chain->twins != NULL)
        step_on(queue, chain);
    else
        found_ours(queue, chain, was_known, found->ticket[0].is_open);
}

/* One twin less. */
static void twin_ended(struct outbox_queue *queue, struct outbox_chain *chain)
{
    struct sink_found *twins = chain->twins;
    bool is_open = twins->ticket[0].is_open;

    assert(twins->count >= 2);
    twins->count--;
    if (twins->count >= 2) {
        twins->ticket[1] = twins->ticket[twins->count];
        step_on(queue, chain);
        return;
    }
    free(twins);
    chain->twins = NULL;
    found_ours(queue, chain, true, is_open);
}

void outbox_step_taken(struct outbox_queue *queue, struct outbox_chain *chain, enum sink_step step,
                       const struct sink_found *found, uint64_t now_ns)
{
    switch (step) {
    case SINK_STEP_SEND:
    case SINK_STEP_CHANGE:
    case SINK_STEP_COUNT:
        outbox_op_deliver(queue, chain);
        break;
    case SINK_STEP_CREATE:
        assert(found->count == 1);
        chain->first->is_absent = false;
        outbox_ref_keep(queue, chain, &found->ticket[0].remote);
        made(queue, chain, now_ns);
        break;
    case SINK_STEP_FIND:
        queue->counters.lookups++;
        chain->first->attempts--; /* it was no attempt at the op */
        chain->first->wants_find = false;
        if (found->count == 0)
            found_none(queue, chain, now_ns);
        else
            found_some(queue, chain, found, now_ns);
        break;
    case SINK_STEP_TWIN:
        queue->counters.duplicates++;
        twin_ended(queue, chain);
        break;
    }
}

void outbox_step_refused(struct outbox_queue *queue, struct outbox_chain *chain,
                         enum sink_step step, uint64_t now_ns)
{
    struct outbox_op *op = chain->first;

    if (step == SINK_STEP_TWIN) {
        queue->counters.duplicates_left++;
        twin_ended(queue, chain);
    } else if (op->state == OP_MADE) {
        not_seen(queue, chain, now_ns);
    } else if (step == SINK_STEP_SEND || step == SINK_STEP_FIND || op->was_refused) {
        outbox_op_kill(queue, chain, refused);
    } else {
        op->was_refused = op->wants_find = true;
        op->is_absent = false;
        step_on(queue, chain);
    }
}

uint64_t outbox_step_doubted(const struct outbox_queue *queue, struct outbox_op *op,
                             uint64_t now_ns)
{
    if (op->doubt_ns == 0)
        op->doubt_ns = now_ns;
    op->may_exist = true;
    op->is_absent = false;
    return outbox_rules(queue)->finds_before ? settle_ns(queue) : 0;
}

/*
 * outbox_resume.c - ops as a former process left them (O1).
 *
 * An op that was on its way when the process died may have been taken: it is uncertain, and what
 * that means goes by the class of its sink. A folds the repeat; B and C look it up, C only after
 * the settle time, for the look-up may be behind; D sends it again and says so. At A and B, where
 * the op's own commit is its intent, the first op of an incident is always one of these.
 */
#include "sinks/outbox_queue.h"

#include <assert.h>
#include <stdlib.h>
#include "base/host.h"
#include "sinks/answer.h"

#define MS_NS UINT64_C(1000000)
#define AGAIN_NS (300 * UINT64_C(1000000000)) /* the longest delay between two attempts */

/* How far a time of the wall clock lies ahead: not further than anything is ever put off. A clock
 * that was set back between two runs would put an op off by as much. */
static uint64_t ahead_ns(int64_t at_ms)
{
    int64_t now_ms = host_wall_ms();

    if (at_ms > now_ms + ANSWER_RETRY_AFTER_MS_MAX)
        return ANSWER_RETRY_AFTER_MS_MAX * MS_NS;
    return at_ms > now_ms ? (uint64_t)(at_ms - now_ms) * MS_NS : 0;
}

/* All that is left of a done op is its number and the ticket. */
static bool know(struct outbox_core *core, const struct outbox_resumed *from)
{
    struct outbox_queue *queue = &core->queues[from->op.sink];
    struct outbox_chain *chain = outbox_chain_find(queue, from->incident);

    if (from->remote.ref[0] == '\0' || from->op.kind == OP_RESOLVE)
        return true;
    if (chain == NULL) {
        chain = calloc(1, sizeof(*chain));
        if (chain == NULL)
            return false;
        outbox_chain_add(queue, from->incident, chain);
    }
    outbox_ref_keep(queue, chain, &from->remote);
    chain->done_order = chain->last_order = from->op.number;
    return true;
}

/* However old it is, it is tried for a while before it is given up (O5): `retry_hours` may have
 * been made less since. */
static uint64_t age_ns(const struct outbox_queue *queue, const struct outbox_resumed *from)
{
    uint64_t limit_ns = outbox_queue_age_limit_ns(queue), age_ns = (uint64_t)from->age_ms * MS_NS;

    assert(from->age_ms >= 0);
    if (age_ns + AGAIN_NS <= limit_ns)
        return age_ns;
    return limit_ns > AGAIN_NS ? limit_ns - AGAIN_NS : 0;
}

/* With an attempt that came to no end that was told. */
static bool was_under_way(const struct outbox_resumed *from)
{
    return from->state == OP_INTENT || from->state == OP_UNCERTAIN;
}

/* The chain, which is ready, waits instead. */
static void wait_until(struct outbox_queue *queue, struct outbox_chain *chain, enum op_state state,
                       enum chain_wait wait, uint64_t delay_ns, bool was_tried)
{
    outbox_ready_remove(queue, chain);
    outbox_op_move(queue, chain->first, state,
                   &(struct op_move_facts){
                       .remote = &chain->remote, .delay_ns = delay_ns, .is_found = !was_tried});
    chain->due_ns = host_mono_ns() + delay_ns;
    chain->wait = wait;
    outbox_waiting_add(queue, chain);
}

static bool is_in_doubt(const struct outbox_queue *queue, const struct outbox_resumed *from)
{
    switch (from->state) {
    case OP_INTENT:
    case OP_UNCERTAIN:
        return true;
    case OP_PENDING:
    case OP_RETRY:
        return from->may_exist || !outbox_rules(queue)->keeps_intent;
    default:
        return false;
    }
}

/* Gives the op, the first of its chain and ready, the place that its state asks for. */
static void put(struct outbox_queue *queue, struct outbox_chain *chain,
                const struct outbox_resumed *from)
{
    struct outbox_op *op = chain->first;
    uint64_t delay_ns = ahead_ns(from->not_before_ms), settle_ns = 0;
    bool was_tried = was_under_way(from);

    if (is_in_doubt(queue, from)) {
        if (was_tried)
            queue->counters.uncertain++;
        if (sink_step_of(queue->sink, (enum op_kind)op->op.kind) == SINK_STEP_CREATE) {
            settle_ns = outbox_step_doubted(queue, op, host_mono_ns());
            op->wants_find = true; /* whether its key is still remembered nobody knows */
        }
        if (from->state != OP_RETRY)
            delay_ns = settle_ns;
        else if (settle_ns > 0)
            delay_ns = outbox_later_of(delay_ns, settle_ns);
        if (delay_ns > 0)
            wait_until(queue, chain, OP_RETRY, settle_ns > 0 ? WAIT_SETTLE : WAIT_TOLD, delay_ns,
                       was_tried);
    } else if (from->state == OP_RETRY && delay_ns > 0) {
        wait_until(queue, chain, OP_RETRY, WAIT_TOLD, delay_ns, false);
    } else if (from->state == OP_MADE) {
        wait_until(queue, chain, OP_MADE, WAIT_SETTLE, delay_ns, false);
    } else if (from->state == OP_DEAD) {
        outbox_ready_remove(queue, chain);
        outbox_op_kill(queue, chain, "given up by a former run");
    }
}

bool outbox_core_resume(struct outbox_core *core, const struct outbox_resumed *from,
                        uint64_t *bytes)
{
    struct outbox_queue *queue = &core->queues[from->op.sink];
    struct outbox_chain *chain = outbox_chain_find(queue, from->incident);
    bool is_first = chain == NULL || chain->first == NULL;
    struct outbox_op *op;

    *bytes = 0;
    if (from->state == OP_DONE) {
        incident_unref(from->op.incident);
        return know(core, from);
    }
    op = outbox_op_create(&from->op);
    if (op == NULL) {
        incident_unref(from->op.incident);
        return false;
    }
    *bytes = outbox_op_bytes(op);
    op->may_exist = from->may_exist || (is_first && is_in_doubt(queue, from));
    op->is_assumed = op->may_exist && !from->may_exist && !was_under_way(from);
    op->is_begun = op->may_exist || from->state != OP_PENDING;
    op->attempts = from->attempts + was_under_way(from);
    if (op->attempts == 0 && from->state != OP_PENDING)
        op->attempts = 1;
    op->age_ns = age_ns(queue, from);
    outbox_core_take(core, op);
    chain = outbox_chain_find(queue, from->incident);
    if (chain == NULL) /* it went into another one, or both were folded */
        return true;
    if (from->remote.ref[0] != '\0')
        outbox_ref_keep(queue, chain, &from->remote);
    if (is_first && chain->place == CHAIN_READY)
        put(queue, chain, from);
    return true;
}

/*
 * outbox_op.c - ops, what they weigh, how old they are, and the one
 * function that moves their states.
 */
#include "sinks/outbox_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS_NS UINT64_C(1000000)

static const bool legal_moves[OP_STATE_COUNT][OP_STATE_COUNT] = {
    [OP_PENDING] = {[OP_INTENT] = true,
                    [OP_SUPERSEDED] = true,
                    [OP_DEAD] = true,
                    /* by a look-up, or because a former process came this far */
                    [OP_RETRY] = true,
                    [OP_DONE] = true,
                    [OP_MADE] = true},
    [OP_INTENT] = {[OP_DONE] = true,
                   [OP_DEAD] = true,
                   [OP_RETRY] = true,
                   [OP_UNCERTAIN] = true,
                   [OP_MADE] = true},
    [OP_UNCERTAIN] = {[OP_RETRY] = true, [OP_DEAD] = true},
    [OP_RETRY] = {[OP_PENDING] = true, [OP_SUPERSEDED] = true},
    [OP_MADE] = {[OP_DONE] = true},
    [OP_DEAD] = {[OP_PENDING] = true}, /* a person said so */
};

/* What is written down of it. What is assumed of a former life is assumed anew in the next one, by
 * the class of the sink, and is no news to a person: each attempt that is known of was answered. A
 * dead op keeps it, for a person may send it again, which asks a ticketing system first. */
static bool is_known_to_exist(const struct outbox_op *op)
{
    return op->may_exist && (!op->is_assumed || op->state == OP_DEAD);
}

/* Tells who keeps the states of ops. Self-alerts of the outbox are no ops of the engine: nobody
 * could say after a restart what they belong to. */
static bool tell(const struct outbox_queue *queue, const struct outbox_op *op,
                 const struct op_move_facts *facts)
{
    static const struct sink_remote unknown;
    const struct outbox_core *core = queue->core;
    struct outbox_move move = {
        .op = op->op.id,
        .incident = op->op.incident->id,
        .number = op->op.number,
        .sink = op->op.sink,
        .kind = op->op.kind,
        .state = op->state,
        .may_exist = is_known_to_exist(op),
        .remote = facts->remote != NULL ? facts->remote : &unknown,
        .cause = facts->cause,
        .into = facts->into,
        .gate = facts->gate,
        .is_redriven = facts->is_redriven,
        .is_held = op->state == OP_RETRY && queue->is_held,
        .is_found = facts->is_found,
    };

    if (core->hooks.moved == NULL || op->is_notice)
        return false;
    if (op->state == OP_RETRY || op->state == OP_MADE)
        move.not_before_ms = host_wall_ms() + (int64_t)((facts->delay_ns + MS_NS - 1) / MS_NS);
    return core->hooks.moved(core->hooks.self, &move) && facts->gate != NULL;
}

/* Whether the sink may know of it, and whether anything is owed. */
static void note_word(const struct outbox_op *op)
{
    bool has_left = op->state == OP_INTENT || op->state == OP_DONE || op->may_exist;
    bool is_over = op->state == OP_DONE || op->state == OP_DEAD || op->state == OP_SUPERSEDED;

    if (op->word == NULL)
        return;
    atomic_store_explicit(&op->word->has_left, has_left, memory_order_relaxed);
    atomic_store_explicit(&op->word->is_over, is_over, memory_order_relaxed);
    atomic_store_explicit(&op->word->is_done, op->state == OP_DONE, memory_order_relaxed);
}

/* The only place where an op changes its state. */
bool outbox_op_move(struct outbox_queue *queue, struct outbox_op *op, enum op_state to,
                    const struct op_move_facts *facts)
{
    static const struct op_move_facts none;
    struct sink_counters *counters = &queue->counters;

    assert(legal_moves[op->state][to]);
    op->state = to;
    switch (to) {
    case OP_DONE:
        counters->done++;
        break;
    case OP_DEAD:
        counters->dead++;
        break;
    case OP_SUPERSEDED:
        counters->superseded++;
        break;
    case OP_RETRY:
        counters->retries++;
        break;
    case OP_UNCERTAIN:
        counters->uncertain++;
        break;
    case OP_PENDING:
    case OP_INTENT:
    case OP_MADE:
    case OP_STATE_COUNT:
        break;
    }
    note_word(op);
    return tell(queue, op, facts != NULL ? facts : &none);
}

static uint64_t incident_bytes(const struct incident *inc)
{
    const char *const texts[] = {inc->tenant, inc->rule_id,  inc->key,   inc->title,
                                 inc->tier,   inc->runbook,  inc->team,  inc->why,
                                 inc->source, inc->resource, inc->check, inc->message,
                                 inc->host,   inc->acked_by, inc->by,    inc->comment};
    uint64_t bytes = sizeof(*inc);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        bytes += strlen(texts[i]) + 1;
    return bytes;
}

struct outbox_op *outbox_op_create(const struct op *op)
{
    struct outbox_op *copy = calloc(1, sizeof(*copy));

    if (copy == NULL)
        return NULL;
    copy->spare = calloc(1, sizeof(*copy->spare));
    if (copy->spare == NULL) {
        free(copy);
        return NULL;
    }
    copy->op = *op;
    copy->state = OP_PENDING;
    copy->bytes = sizeof(*copy) + sizeof(*copy->spare) + incident_bytes(op->incident);
    return copy;
}

void outbox_op_destroy(struct outbox_op *op)
{
    if (op == NULL)
        return;
    incident_unref(op->op.incident);
    free(op->spare);
    free(op->dead);
    free(op);
}

uint64_t outbox_op_bytes(const struct outbox_op *op)
{
    return op->bytes;
}

uint16_t outbox_op_sink(const struct outbox_op *op)
{
    return op->op.sink;
}

/* Lets go of an op that has reached its last state and is in no chain. */
void outbox_op_finish(struct outbox_queue *queue, struct outbox_op *op)
{
    struct outbox_core *core = queue->core;

    assert(op->state == OP_DONE || op->state == OP_SUPERSEDED);
    queue->counters.waiting--;
    core->waiting--;
    switch (op->account) {
    case ACCOUNT_WAITING:
        core->waiting_count--;
        core->waiting_bytes -= op->bytes;
        core->hooks.finished(core->hooks.self, op->bytes);
        break;
    case ACCOUNT_DEAD:
        core->dead_count--;
        core->dead_bytes -= op->bytes;
        break;
    case ACCOUNT_NOTICE:
        queue->notices_waiting--;
        break;
    }
    outbox_op_destroy(op);
}

/* Time on which ops grow old: the clock without the times of hold. */
uint64_t outbox_queue_active_ns(const struct outbox_queue *queue, uint64_t now_ns)
{
    uint64_t held_ns = queue->is_held ? now_ns - queue->held_since_ns : 0;

    return now_ns - queue->held_total_ns - held_ns;
}

uint64_t outbox_queue_age_limit_ns(const struct outbox_queue *queue)
{
    return sink_settings(queue->sink)->retry_hours * 3600 * SECOND_NS;
}

/* O5: for ever at P1. */
bool outbox_op_is_too_old(const struct outbox_queue *queue, const struct outbox_op *op,
                          uint64_t now_ns)
{
    return op->op.incident->priority != PRIORITY_P1 &&
           outbox_queue_active_ns(queue, now_ns) - op->since_ns >= outbox_queue_age_limit_ns(queue);
}

/*
 * outbox_chain.c - the order of one incident at one sink (O2), and what merges in
 * it (O4).
 */
#include "sinks/outbox_queue.h"

#include <assert.h>
#include <stdlib.h>
#include "base/hash.h"
#include "base/host.h"

static struct outbox_chain **bucket_of(const struct outbox_queue *queue, struct id128 incident)
{
    return &queue->buckets[hash_mix(incident.lo ^ incident.hi) & queue->core->bucket_mask];
}

struct outbox_chain *outbox_chain_find(const struct outbox_queue *queue, struct id128 incident)
{
    struct outbox_chain *chain = *bucket_of(queue, incident);

    while (chain != NULL && !id128_equal(chain->incident, incident))
        chain = chain->bucket_next;
    return chain;
}

void outbox_chain_add(struct outbox_queue *queue, struct id128 incident, struct outbox_chain *room)
{
    struct outbox_chain **bucket = bucket_of(queue, incident);

    room->incident = incident;
    room->place = CHAIN_IDLE;
    room->bucket_next = *bucket;
    *bucket = room;
}

void outbox_chain_remove(struct outbox_queue *queue, struct outbox_chain *chain)
{
    struct outbox_chain **at = bucket_of(queue, chain->incident);

    outbox_ref_drop(queue, chain);
    free(chain->twins);
    while (*at != chain)
        at = &(*at)->bucket_next;
    *at = chain->bucket_next;
    free(chain);
}

void outbox_ready_add(struct outbox_queue *queue, struct outbox_chain *chain)
{
    /* What a look-up showed grows old. */
    bool goes_first = chain->first->account == ACCOUNT_NOTICE || chain->first->is_absent;

    chain->place = CHAIN_READY;
    chain->ready_next = goes_first ? queue->ready_first : NULL;
    chain->ready_before = goes_first ? NULL : queue->ready_last;
    if (chain->ready_before == NULL)
        queue->ready_first = chain;
    else
        chain->ready_before->ready_next = chain;
    if (chain->ready_next == NULL)
        queue->ready_last = chain;
    else
        chain->ready_next->ready_before = chain;
}

void outbox_ready_remove(struct outbox_queue *queue, struct outbox_chain *chain)
{
    if (chain->ready_before == NULL)
        queue->ready_first = chain->ready_next;
    else
        chain->ready_before->ready_next = chain->ready_next;
    if (chain->ready_next == NULL)
        queue->ready_last = chain->ready_before;
    else
        chain->ready_next->ready_before = chain->ready_before;
}

static void heap_set(struct outbox_queue *queue, size_t index, struct outbox_chain *chain)
{
    queue->heap[index] = chain;
    chain->heap_index = index;
}

static void heap_up(struct outbox_queue *queue, size_t index)
{
    struct outbox_chain *chain = queue->heap[index];

    while (index > 0 && chain->due_ns < queue->heap[(index - 1) / 2]->due_ns) {
        heap_set(queue, index, queue->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_set(queue, index, chain);
}

static void heap_down(struct outbox_queue *queue, size_t index)
{
    struct outbox_chain *chain = queue->heap[index];

    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < queue->heap_count &&
            queue->heap[child + 1]->due_ns < queue->heap[child]->due_ns)
            child++;
        if (child >= queue->heap_count || queue->heap[child]->due_ns >= chain->due_ns)
            break;
        heap_set(queue, index, queue->heap[child]);
        index = child;
    }
    heap_set(queue, index, chain);
}

void outbox_waiting_add(struct outbox_queue *queue, struct outbox_chain *chain)
{
    assert(queue->heap_count < outbox_core_ops_max(queue->core));
    chain->place = CHAIN_WAITING;
    queue->heap[queue->heap_count++] = chain;
    heap_up(queue, queue->heap_count - 1);
}

void outbox_waiting_remove(struct outbox_queue *queue, struct outbox_chain *chain)
{
    size_t index = chain->heap_index;
    struct outbox_chain *last = queue->heap[--queue->heap_count];

    if (last == chain)
        return;
    heap_set(queue, index, last);
    heap_up(queue, index);
    heap_down(queue, last->heap_index);
}

/* The first op of a waiting chain may be tried again. */
void outbox_chain_wake(struct outbox_queue *queue, struct outbox_chain *chain)
{
    outbox_waiting_remove(queue, chain);
    outbox_chain_awaken(queue, chain);
}

void outbox_chain_awaken(struct outbox_queue *queue, struct outbox_chain *chain)
{
    if (chain->first->state == OP_RETRY)
        outbox_op_move(queue, chain->first, OP_PENDING, NULL);
    outbox_ready_add(queue, chain);
}

/* The next place of a chain that stands in none. */
void outbox_chain_rest(struct outbox_queue *queue, struct outbox_chain *chain)
{
    if (chain->first != NULL)
        outbox_ready_add(queue, chain);
    else if (chain->dead_first != NULL || chain->remote.ref[0] != '\0')
        chain->place = CHAIN_IDLE;
    else
        outbox_chain_remove(queue, chain);
}

/* The first op, in its last state, leaves; the next one becomes ready. The chain
 * stands in no place when this is called, and may be gone afterwards. */
void outbox_chain_advance(struct outbox_queue *queue, struct outbox_chain *chain)
{
    struct outbox_op *op = chain->first;

    chain->first = op->next;
    outbox_op_finish(queue, op);
    outbox_chain_rest(queue, chain);
}

/* O4: `later`, an update, goes into `op`, of which nothing has left. What is sent
 * keeps its id, number and kind, and tells the state after the update. */
static void op_absorb(struct outbox_queue *queue, struct outbox_op *op, struct outbox_op *later)
{
    struct incident *incident = op->op.incident;
    uint64_t bytes = op->bytes;

    op->op.incident = later->op.incident;
    op->bytes = later->bytes;
    later->op.incident = incident;
    later->bytes = bytes;
    outbox_op_move(queue, later, OP_SUPERSEDED, &(struct op_move_facts){.into = op->op.number});
    outbox_op_finish(queue, later);
}

static bool can_absorb(const struct outbox_op *op)
{
    /* Bytes move from one to the other, so both must count towards the same bound. */
    return (op->op.kind == OP_OPEN || op->op.kind == OP_UPDATE) && !op->is_begun &&
           op->account == ACCOUNT_WAITING && (op->state == OP_PENDING || op->state == OP_RETRY);
}

/* It happened before this process began, which catches up with it. */
static bool is_past(const struct outbox_queue *queue, const struct outbox_op *op)
{
    return op->op.incident->at_ms <= queue->core->taken_over_ms &&
           outbox_gate_leave(queue) == OUTBOX_LEAVE_FOLD;
}

/* O4, policy fold_resolved, and always for notices and for what came while the past was caught up
 * with (S4): an incident of which nothing was sent, its opening included, disappears with its
 * resolve. Returns whether it did; then the chain is gone. */
static bool chain_fold(struct outbox_queue *queue, struct outbox_chain *chain)
{
    struct outbox_op *op = chain->first;

    if (!(sink_settings(queue->sink)->fold_resolved || op->account == ACCOUNT_NOTICE ||
          is_past(queue, chain->last)) ||
        chain->last->op.kind != OP_RESOLVE || op->op.kind != OP_OPEN || op->is_begun ||
        op->state == OP_INTENT || outbox_chain_is_busy(chain) || chain->dead_first != NULL)
        return false;
    if (chain->place == CHAIN_WAITING)
        outbox_waiting_remove(queue, chain);
    else
        outbox_ready_remove(queue, chain);
    while (op != NULL) {
        struct outbox_op *next = op->next;
        outbox_op_move(queue, op, OP_SUPERSEDED, NULL);
        outbox_op_finish(queue, op);
        op = next;
    }
    outbox_chain_remove(queue, chain);
    return true;
}

void outbox_core_take(struct outbox_core *core, struct outbox_op *op)
{
    struct outbox_queue *queue;
    struct outbox_chain *chain;
    bool is_empty;

    assert(op->op.sink < core->queue_count);
    assert(core->waiting < outbox_core_ops_max(core));
    queue = &core->queues[op->op.sink];
    chain = outbox_chain_find(queue, op->op.incident->id);
    core->waiting++;
    queue->counters.ops++;
    queue->counters.waiting++;
    if (op->account == ACCOUNT_WAITING) {
        core->waiting_count++;
        core->waiting_bytes += op->bytes;
    }
    op->since_ns = outbox_queue_active_ns(queue, host_mono_ns()) - op->age_ns;
    if (outbox_rules(queue)->marks_repeats && op->op.incident->at_ms <= core->taken_over_ms &&
        !op->is_notice)
        op->may_exist = true;
    if (chain == NULL) {
        chain = op->spare;
        op->spare = NULL;
        outbox_chain_add(queue, op->op.incident->id, chain);
    }
    if (op->op.kind == OP_OPEN && op->op.number <= chain->last_order - chain->life_order)
        chain->life_order = chain->last_order;
    op->order = chain->life_order + op->op.number;
    assert(op->order > chain->last_order);
    chain->last_order = op->order;
    free(op->spare);
    op->spare = NULL;
    is_empty = chain->first == NULL;
    if (!is_empty && op->op.kind == OP_UPDATE && can_absorb(chain->last)) {
        op_absorb(queue, chain->last, op);
        return;
    }
    if (is_empty)
        chain->first = op;
    else
        chain->last->next = op;
    chain->last = op;
    if (is_empty)
        outbox_ready_add(queue, chain);
    else if (op->op.kind == OP_RESOLVE)
        chain_fold(queue, chain);
}

static void destroy_list(struct outbox_op *op)
{
    while (op != NULL) {
        struct outbox_op *next = op->next;
        outbox_op_destroy(op);
        op = next;
    }
}

void outbox_chain_destroy(struct outbox_chain *chain)
{
    destroy_list(chain->first);
    destroy_list(chain->dead_first);
    outbox_attempt_destroy(chain->attempt);
    free(chain->twins);
    free(chain);
}

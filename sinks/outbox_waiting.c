/*
 * outbox_waiting.c - what of one incident is still to be told, and what it waits for: for a person
 * who asks where a page is.
 */
#include <inttypes.h>
#include <string.h>
#include "base/host.h"
#include "sinks/outbox_queue.h"

#define MS_NS UINT64_C(1000000)

/* What keeps a queue from sending anything; NULL: nothing does. */
static const char *gate_words(const struct outbox_queue *queue, uint64_t now_ns)
{
    enum outbox_leave leave = outbox_gate_leave(queue);

    if (queue->is_held)
        return "the sink refuses our credentials: it is held";
    if (queue->breaker_open)
        return "the sink does not answer: its breaker is open";
    if (queue->away_ns > now_ns)
        return "the sink asked us to stay away";
    if (queue->shown_ns > now_ns)
        return "tickets that another process may have made are given time to show";
    if (leave == OUTBOX_LEAVE_FOLD)
        return "the past is caught up with first";
    if (leave == OUTBOX_LEAVE_NEVER)
        return "the unit has another owner now";
    if (leave == OUTBOX_LEAVE_LATER)
        return "whether the unit is still ours is not known";
    return outbox_gate_due_ns(queue) > now_ns ? "its rate budget, or attempts under way" : NULL;
}

static const char *wait_words(const struct outbox_chain *chain)
{
    if (chain->wait == WAIT_TOLD)
        return "the sink said when to come back";
    if (chain->wait == WAIT_FAILED)
        return "it failed and is tried again";
    return chain->first->state == OP_MADE ? "its ticket is made, and is looked up once more"
                                          : "its ticket may have been made: it is looked up";
}

static uint64_t delay_ms(uint64_t due_ns, uint64_t now_ns)
{
    return due_ns > now_ns ? (due_ns - now_ns + MS_NS - 1) / MS_NS : 0;
}

static void fill(const struct outbox_queue *queue, const struct outbox_chain *chain,
                 const struct outbox_op *op, uint64_t now_ns, struct outbox_waiting_row *row)
{
    const char *gate = gate_words(queue, now_ns);

    *row = (struct outbox_waiting_row){.sink = (uint16_t)(queue - queue->core->queues),
                                       .kind = op->op.kind,
                                       .number = op->op.number,
                                       .attempts = op->attempts};
    if (op != chain->first) {
        row->reason = "an earlier change of the incident goes first";
    } else if (chain->place == CHAIN_GATED) {
        row->reason = "it is written down before it leaves";
    } else if (chain->place == CHAIN_IN_FLIGHT) {
        row->reason = "it is on its way: an answer is awaited";
    } else if (gate != NULL) {
        uint64_t due_ns = outbox_gate_due_ns(queue);
        row->reason = gate;
        row->delay_ms = due_ns != UINT64_MAX ? delay_ms(due_ns, now_ns) : 0;
    } else if (chain->place == CHAIN_WAITING) {
        row->reason = wait_words(chain);
        row->delay_ms = delay_ms(chain->due_ns, now_ns);
    } else {
        row->reason = "it is its turn";
    }
    if (op->attempts > 0 || gate != NULL)
        memcpy(row->error, queue->counters.last_error, sizeof(row->error));
}

size_t outbox_core_waits(const struct outbox_core *core, struct id128 incident,
                         struct outbox_waiting_row *out, size_t max)
{
    uint64_t now_ns = host_mono_ns();
    size_t count = 0;

    for (size_t q = 0; q < core->queue_count; q++) {
        const struct outbox_queue *queue = &core->queues[q];
        const struct outbox_chain *chain = outbox_chain_find(queue, incident);
        for (const struct outbox_op *op = chain != NULL ? chain->first : NULL; op != NULL;
             op = op->next, count++)
            if (count < max)
                fill(queue, chain, op, now_ns, &out[count]);
    }
    return count;
}

static uint64_t count_ops(const struct outbox_core *core, const struct outbox_queue *queue)
{
    uint64_t count = 0;

    for (size_t b = 0; b <= core->bucket_mask; b++)
        for (const struct outbox_chain *chain = queue->buckets[b]; chain != NULL;
             chain = chain->bucket_next)
            for (const struct outbox_op *op = chain->first; op != NULL; op = op->next)
                count++;
    return count;
}

bool outbox_core_check_walk(struct outbox_core *core, struct error *err)
{
    bool is_fine = true;

    for (size_t q = 0; q < core->queue_count; q++) {
        struct outbox_queue *queue = &core->queues[q];
        struct sink_counters *counters = &queue->counters;
        uint64_t count = count_ops(core, queue);
        if (count == counters->waiting)
            continue;
        counters->walk_mismatches++;
        counters->walk_counted = counters->waiting;
        counters->walk_found = count;
        if (is_fine)
            error_set(err,
                      "L6 does not hold: %" PRIu64 " changes wait for sink %s, and %" PRIu64
                      " are there",
                      counters->waiting, queue->sink->name, count);
        is_fine = false;
    }
    return is_fine;
}

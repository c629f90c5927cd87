/*
 * outbox_retry.c - what the end of an attempt means for its op: done, dead, in doubt,
 * or again, and when (O5, O6).
 */
#include "sinks/outbox_queue.h"

#include <string.h>
#include "base/host.h"
#include "sinks/answer.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS_NS UINT64_C(1000000)

/* O5: a delay is drawn evenly between the least and a ceiling that starts at twice
 * the least and doubles with each failure. */
#define RETRY_LEAST_NS (1 * SECOND_NS)
#define RETRY_CEILING_NS (300 * SECOND_NS)

/* How often ops that only wait for a closed gate are checked for their age. */
#define EXPIRE_NS (60 * SECOND_NS)

static const char too_old[] = "not taken within retry_hours";

/* Redacted before it is cut: half a secret would not be found any more. */
void outbox_queue_blame(struct outbox_queue *queue, struct error *why)
{
    char *to = queue->counters.last_error;
    size_t bytes;

    sink_redact(queue->sink, why->text);
    bytes = strnlen(why->text, sizeof(queue->counters.last_error) - 1);
    memcpy(to, why->text, bytes);
    to[bytes] = '\0';
}

/* Puts the chain among the waiting ones. `told_ns`: what the sink asked for, 0 for
 * nothing. Too old: dead instead. */
void outbox_op_retry(struct outbox_queue *queue, struct outbox_chain *chain, uint64_t told_ns,
                     uint64_t now_ns)
{
    struct outbox_op *op = chain->first;
    uint64_t ceiling_ns = 2 * RETRY_LEAST_NS, delay_ns, left_ns;

    if (!queue->is_held && outbox_op_is_too_old(queue, op, now_ns)) {
        outbox_op_kill(queue, chain, too_old);
        return;
    }
    for (uint32_t i = 1; i < op->failures && ceiling_ns < RETRY_CEILING_NS; i++)
        ceiling_ns *= 2;
    if (ceiling_ns > RETRY_CEILING_NS)
        ceiling_ns = RETRY_CEILING_NS;
    delay_ns = told_ns > 0 ? outbox_later_of(told_ns, RETRY_LEAST_NS)
                           : outbox_draw_ns(RETRY_LEAST_NS, ceiling_ns);
    if (!queue->is_held && op->op.incident->priority != PRIORITY_P1) {
        /* The last attempt is made when its time ends, not some while after. */
        left_ns = outbox_queue_age_limit_ns(queue) -
                  (outbox_queue_active_ns(queue, now_ns) - op->since_ns);
        if (delay_ns > left_ns)
            delay_ns = left_ns;
    }
    outbox_op_move(queue, op, OP_RETRY);
    chain->due_ns = now_ns + delay_ns;
    chain->was_told = told_ns > 0;
    outbox_waiting_add(queue, chain);
}

/* What an uncertain attempt means for the next one (D3). */
static void op_doubt(struct outbox_queue *queue, struct outbox_op *op)
{
    outbox_op_move(queue, op, OP_UNCERTAIN);
    switch (sink_class_of(queue->sink)) {
    case SINK_CLASS_A:
    case SINK_CLASS_B:
        break; /* the same key goes out again: the sink folds it */
    case SINK_CLASS_C:
    case SINK_CLASS_D:
        op->is_repeat = true;
        break;
    }
}

static enum sink_verdict judge(struct outbox_queue *queue, const struct transport_answer *answer)
{
    enum sink_verdict verdict = answer_verdict(answer);
    struct error why = {""};

    if (answer->result == TRANSPORT_ANSWERED && queue->sink->type->judge != NULL)
        verdict = queue->sink->type->judge(queue->sink, answer, verdict, &why);
    if (verdict != SINK_DELIVERED) {
        if (why.text[0] == '\0')
            answer_describe(answer, why.text, sizeof(why.text));
        outbox_queue_blame(queue, &why);
    }
    return verdict;
}

static uint64_t told_ns(const struct transport_answer *answer)
{
    uint64_t ms;

    if (answer->result != TRANSPORT_ANSWERED ||
        !answer_retry_after_ms(answer->retry_after, host_wall_ms(), &ms))
        return 0;
    return outbox_later_of(ms * MS_NS, RETRY_LEAST_NS);
}

/* Acts on what became of the attempt at the first op of `chain`. */
void outbox_chain_settle(struct outbox_queue *queue, struct outbox_chain *chain,
                         const struct transport_answer *answer)
{
    struct outbox_op *op = chain->first;
    enum sink_verdict verdict = judge(queue, answer);
    uint64_t now_ns = host_mono_ns();

    if (verdict == SINK_DELIVERED || verdict == SINK_REJECTED) {
        outbox_hold_end(queue, now_ns);
        outbox_breaker_success(queue);
    }
    switch (verdict) {
    case SINK_DELIVERED:
        chain->done_number = op->op.number;
        outbox_dead_overtake(queue, chain);
        outbox_op_move(queue, op, OP_DONE);
        outbox_chain_advance(queue, chain);
        break;
    case SINK_REJECTED:
        outbox_op_kill(queue, chain, "refused by the sink");
        break;
    case SINK_HELD:
        outbox_hold_begin(queue, now_ns);
        outbox_op_retry(queue, chain, 0, now_ns);
        break;
    case SINK_THROTTLED:
        op->failures++;
        queue->away_ns = outbox_later_of(queue->away_ns, now_ns + told_ns(answer));
        outbox_op_retry(queue, chain, told_ns(answer), now_ns);
        break;
    case SINK_UNCERTAIN:
        op->failures++;
        op_doubt(queue, op);
        outbox_breaker_failure(queue, now_ns);
        outbox_op_retry(queue, chain, 0, now_ns);
        break;
    case SINK_RETRY:
    case SINK_VERDICT_COUNT:
        op->failures++;
        outbox_breaker_failure(queue, now_ns);
        outbox_op_retry(queue, chain, told_ns(answer), now_ns);
        break;
    }
}

/* O5 for ops that a closed gate keeps from being tried at all. */
void outbox_queue_expire(struct outbox_queue *queue, uint64_t now_ns)
{
    struct outbox_chain *chain = queue->ready_first;

    while (chain != NULL) {
        struct outbox_chain *next =
            chain->ready_next; /* outbox_op_kill() appends: it is met as well */
        if (outbox_op_is_too_old(queue, chain->first, now_ns)) {
            outbox_ready_remove(queue, chain);
            outbox_op_kill(queue, chain, too_old);
        }
        chain = next;
    }
    queue->expire_ns = now_ns + EXPIRE_NS;
}

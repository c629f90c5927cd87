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

/* Puts the chain among the waiting ones: until the sink asked for, or as `wait` says, at least
 * `least_ns`; 0: as failures in a row have it. Too old: dead instead. */
void outbox_op_retry(struct outbox_queue *queue, struct outbox_chain *chain, enum chain_wait wait,
                     uint64_t least_ns, uint64_t now_ns)
{
    struct outbox_op *op = chain->first;
    uint64_t ceiling_ns = 2 * RETRY_LEAST_NS, delay_ns, left_ns;

    if (!queue->is_held && op->state != OP_MADE && outbox_op_is_too_old(queue, op, now_ns)) {
        outbox_op_kill(queue, chain, too_old);
        return;
    }
    for (uint32_t i = 1; i < op->failures && ceiling_ns < RETRY_CEILING_NS; i++)
        ceiling_ns *= 2;
    if (ceiling_ns > RETRY_CEILING_NS)
        ceiling_ns = RETRY_CEILING_NS;
    if (wait == WAIT_SETTLE)
        delay_ns = least_ns;
    else
        delay_ns = least_ns > 0 ? outbox_later_of(least_ns, RETRY_LEAST_NS)
                                : outbox_draw_ns(RETRY_LEAST_NS, ceiling_ns);
    if (!queue->is_held && op->state != OP_MADE && op->op.incident->priority != PRIORITY_P1) {
        /* The last attempt is made when its time ends, not some while after. */
        left_ns = outbox_queue_age_limit_ns(queue) -
                  (outbox_queue_active_ns(queue, now_ns) - op->since_ns);
        if (delay_ns > left_ns)
            delay_ns = left_ns;
    }
    if (op->state != OP_MADE) /* what was made stays so, however often it is looked up */
        outbox_op_move(queue, op, OP_RETRY,
                       &(struct op_move_facts){.remote = &chain->remote, .delay_ns = delay_ns});
    chain->due_ns = now_ns + delay_ns;
    chain->wait = wait;
    outbox_waiting_add(queue, chain);
}

/* The verdict of the sink's type, and what it means for this step. */
static enum sink_verdict judge(struct outbox_queue *queue, const struct outbox_chain *chain,
                               enum sink_step step, const struct transport_answer *answer,
                               struct sink_found *found)
{
    const struct sink_type *type = queue->sink->type;
    enum sink_verdict verdict = answer_verdict(answer);
    struct error why = {""};

    if (answer->result == TRANSPORT_ANSWERED && type->read != NULL)
        verdict = type->read(queue->sink, step, chain->incident, answer, verdict, found, &why);
    else if (answer->result == TRANSPORT_ANSWERED && type->judge != NULL)
        verdict = type->judge(queue->sink, answer, verdict, &why);
    if (verdict != SINK_DELIVERED) {
        if (why.text[0] == '\0')
            answer_describe(answer, why.text, sizeof(why.text));
        outbox_queue_blame(queue, &why);
    }
    /* What a look-up may have done is nothing, and closing a twin twice closes it. */
    if (verdict == SINK_UNCERTAIN && (step == SINK_STEP_FIND || step == SINK_STEP_TWIN))
        return SINK_RETRY;
    if (verdict == SINK_RETRY && answer->result == TRANSPORT_ANSWERED && step == SINK_STEP_CREATE &&
        outbox_rules(queue)->doubts_answers)
        return SINK_UNCERTAIN;
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

void outbox_op_deliver(struct outbox_queue *queue, struct outbox_chain *chain)
{
    struct outbox_op *op = chain->first;

    chain->done_order = op->order;
    outbox_dead_overtake(queue, chain);
    outbox_op_move(queue, op, OP_DONE, &(struct op_move_facts){.remote = &chain->remote});
    if (op->op.kind == OP_RESOLVE)
        outbox_ref_drop(queue, chain);
    outbox_chain_advance(queue, chain);
}

/* Again later. `told`: by the sink, 0 for nothing. */
static void retry(struct outbox_queue *queue, struct outbox_chain *chain, uint64_t told,
                  uint64_t now_ns)
{
    outbox_op_retry(queue, chain, told > 0 ? WAIT_TOLD : WAIT_FAILED, told, now_ns);
}

/* What an attempt that may have been taken means for the next one (D3). */
static void doubt(struct outbox_queue *queue, struct outbox_chain *chain, enum sink_step step,
                  uint64_t told, uint64_t now_ns)
{
    struct outbox_op *op = chain->first;
    uint64_t settle_ns = 0;

    op->may_exist = true;
    op->is_assumed = false;
    outbox_op_move(queue, op, OP_UNCERTAIN, &(struct op_move_facts){.remote = &chain->remote});
    if (step == SINK_STEP_CREATE)
        settle_ns = outbox_step_doubted(queue, op, now_ns);
    if (settle_ns > 0)
        outbox_op_retry(queue, chain, WAIT_SETTLE, outbox_later_of(settle_ns, told), now_ns);
    else
        retry(queue, chain, told, now_ns);
}

/* Acts on what became of the attempt at the first op of `chain`. */
void outbox_chain_settle(struct outbox_queue *queue, struct outbox_chain *chain,
                         enum sink_step step, const struct transport_answer *answer)
{
    struct outbox_op *op = chain->first;
    struct sink_found found = {0};
    enum sink_verdict verdict = judge(queue, chain, step, answer, &found);
    uint64_t now_ns = host_mono_ns();

    if (verdict == SINK_DELIVERED || verdict == SINK_REJECTED) {
        outbox_hold_end(queue, now_ns);
        outbox_breaker_success(queue);
    }
    switch (verdict) {
    case SINK_DELIVERED:
        outbox_step_taken(queue, chain, step, &found, now_ns);
        break;
    case SINK_REJECTED:
        outbox_step_refused(queue, chain, step, now_ns);
        break;
    case SINK_HELD:
        outbox_hold_begin(queue, now_ns);
        retry(queue, chain, 0, now_ns);
        break;
    case SINK_THROTTLED:
        op->failures++;
        queue->away_ns = outbox_later_of(queue->away_ns, now_ns + told_ns(answer));
        retry(queue, chain, told_ns(answer), now_ns);
        break;
    case SINK_UNCERTAIN:
        op->failures++;
        outbox_breaker_failure(queue, now_ns);
        doubt(queue, chain, step, told_ns(answer), now_ns);
        break;
    case SINK_RETRY:
    case SINK_VERDICT_COUNT:
        op->failures++;
        if (step == SINK_STEP_CREATE && answer->result == TRANSPORT_ANSWERED)
            outbox_step_doubted(queue, op, now_ns);
        outbox_breaker_failure(queue, now_ns);
        retry(queue, chain, told_ns(answer), now_ns);
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

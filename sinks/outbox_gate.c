/*
 * outbox_gate.c - may this sink be sent anything now? Rate budget, breaker, hold.
 */
#include "sinks/outbox_queue.h"

#include "base/host.h"

#define SECOND_NS UINT64_C(1000000000)

/* So many failures in a row mean that the sink is down rather than that single ops
 * fail; then one attempt at a time asks whether it is back. */
enum { BREAKER_FAILURES = 5 };
#define BREAKER_FIRST_NS (2 * SECOND_NS)
#define BREAKER_CEILING_NS (60 * SECOND_NS)

/* A held sink is asked again this rarely: often enough that a mended account needs
 * no restart, rarely enough not to look like guessing passwords. */
#define HOLD_PROBE_NS (300 * SECOND_NS)

static uint64_t token_ns(const struct sink_settings *settings)
{
    return settings->rate_per_minute == 0 ? 0 : 60 * SECOND_NS / settings->rate_per_minute;
}

/* When the budget has a token. A bucket of `burst` tokens, kept as the one time at
 * which it would be full again (the generic cell rate algorithm, ITU-T I.371). */
static uint64_t budget_due_ns(const struct outbox_queue *queue)
{
    const struct sink_settings *settings = sink_settings(queue->sink);
    uint64_t tolerance_ns = (settings->burst - 1) * token_ns(settings);

    return queue->budget_ns > tolerance_ns ? queue->budget_ns - tolerance_ns : 0;
}

void outbox_gate_spend(struct outbox_queue *queue, uint64_t now_ns)
{
    if (queue->budget_ns < now_ns)
        queue->budget_ns = now_ns;
    queue->budget_ns += token_ns(sink_settings(queue->sink));
}

enum outbox_leave outbox_gate_leave(const struct outbox_queue *queue)
{
    const struct outbox_core_hooks *hooks = &queue->core->hooks;

    return hooks->may_leave != NULL
               ? hooks->may_leave(hooks->self, outbox_rules(queue)->repeats_are_folded)
               : OUTBOX_LEAVE;
}

void outbox_core_taken_over(struct outbox_core *core, int64_t until_ms)
{
    core->taken_over_ms = until_ms;
    for (size_t i = 0; i < core->queue_count; i++) {
        struct outbox_queue *queue = &core->queues[i];
        if (outbox_rules(queue)->finds_before)
            queue->shown_ns =
                host_mono_ns() + sink_settings(queue->sink)->settle_ms * UINT64_C(1000000);
    }
}

/* When the gate opens, given what is known now; UINT64_MAX: an answer must come. */
uint64_t outbox_gate_due_ns(const struct outbox_queue *queue)
{
    bool is_broken = queue->breaker_open && !queue->core->is_ending;
    bool is_probing = queue->is_held || is_broken;
    uint64_t due_ns = outbox_later_of(queue->away_ns, budget_due_ns(queue));
    enum outbox_leave leave = outbox_gate_leave(queue);

    if (queue->in_flight >= (is_probing ? 1 : sink_settings(queue->sink)->in_flight_max) ||
        leave == OUTBOX_LEAVE_NEVER)
        return UINT64_MAX;
    due_ns = outbox_later_of(due_ns, queue->shown_ns);
    if (leave == OUTBOX_LEAVE_LATER || leave == OUTBOX_LEAVE_FOLD)
        due_ns = outbox_later_of(due_ns, host_mono_ns() + OUTBOX_LEAVE_LOOK_NS);
    if (is_broken)
        due_ns = outbox_later_of(due_ns, queue->breaker_ns);
    if (queue->is_held)
        due_ns = outbox_later_of(due_ns, queue->hold_ns);
    return due_ns;
}

/* Evenly in [least, ceiling]. */
uint64_t outbox_draw_ns(uint64_t least_ns, uint64_t ceiling_ns)
{
    uint64_t random;

    host()->random(host()->self, &random, sizeof(random));
    return least_ns + random % (ceiling_ns - least_ns + 1);
}

void outbox_breaker_failure(struct outbox_queue *queue, uint64_t now_ns)
{
    queue->failures_in_a_row++;
    if (!queue->breaker_open && queue->failures_in_a_row < BREAKER_FAILURES)
        return;
    queue->breaker_wait_ns = queue->breaker_open ? 2 * queue->breaker_wait_ns : BREAKER_FIRST_NS;
    if (queue->breaker_wait_ns > BREAKER_CEILING_NS)
        queue->breaker_wait_ns = BREAKER_CEILING_NS;
    queue->breaker_open = true;
    queue->breaker_ns = now_ns + outbox_draw_ns(queue->breaker_wait_ns / 2, queue->breaker_wait_ns);
}

/* At the end a ticket that was made is looked up at once: late is not possible any more. */
static bool is_last_look(const struct outbox_queue *queue, const struct outbox_chain *chain)
{
    return queue->core->is_ending && chain->wait == WAIT_SETTLE && chain->first->state == OP_MADE;
}

void outbox_queue_wake(struct outbox_queue *queue)
{
    size_t count = queue->heap_count;

    /* Built anew in place: never longer than what has been read. */
    queue->heap_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct outbox_chain *chain = queue->heap[i];
        if (chain->wait == WAIT_FAILED || is_last_look(queue, chain))
            outbox_chain_awaken(queue, chain);
        else
            outbox_waiting_add(queue, chain);
    }
}

void outbox_breaker_success(struct outbox_queue *queue)
{
    queue->failures_in_a_row = 0;
    if (queue->breaker_open) {
        queue->breaker_open = false;
        outbox_queue_wake(queue);
    }
}

void outbox_hold_begin(struct outbox_queue *queue, uint64_t now_ns)
{
    if (!queue->is_held)
        queue->held_since_ns = now_ns;
    queue->is_held = true;
    queue->hold_ns = now_ns + HOLD_PROBE_NS;
}

void outbox_hold_end(struct outbox_queue *queue, uint64_t now_ns)
{
    queue->held_notice.is_former = false; /* it takes something */
    if (!queue->is_held)
        return;
    queue->held_total_ns += now_ns - queue->held_since_ns;
    queue->is_held = false;
    outbox_queue_wake(queue);
}

/*
 * outbox_core.c - see outbox_core.h: sends what is due, and hears the answers.
 */
#include "sinks/outbox_core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include "base/host.h"
#include "sinks/outbox_queue.h"

void outbox_attempt_destroy(struct outbox_attempt *attempt)
{
    if (attempt == NULL)
        return;
    sink_request_release(&attempt->request);
    free(attempt);
}

/* Whether a byte of this step is a byte of the op (O1, O4). A look-up changes nothing, and a twin
 * may be closed any number of times. */
static bool tells_the_op(enum sink_step step)
{
    return step != SINK_STEP_FIND && step != SINK_STEP_TWIN;
}

static void attempt_done(void *arg, const struct transport_answer *answer)
{
    struct outbox_attempt *attempt = arg;
    struct outbox_queue *queue = attempt->queue;
    struct outbox_chain *chain = attempt->chain;
    struct outbox_core *core = queue->core;

    enum sink_step step = attempt->step;

    assert(chain->place == CHAIN_IN_FLIGHT);
    assert(chain->first->state == (tells_the_op(step) ? OP_INTENT : chain->first->state));
    queue->in_flight--;
    core->in_flight--;
    if (answer->result == TRANSPORT_ANSWERED || answer->result == TRANSPORT_AFTER_FIRST_BYTE) {
        if (tells_the_op(step))
            chain->first->is_begun = true;
        queue->counters.bytes_sent += attempt->request.body_bytes;
    }
    bool was_kept_back = attempt->was_kept_back && answer->result == TRANSPORT_BEFORE_FIRST_BYTE;
    chain->attempt = NULL;
    outbox_attempt_destroy(attempt);
    if (was_kept_back) /* the sink had no part in it: no failure of it, and no breaker */
        outbox_op_retry(queue, chain, WAIT_FAILED, 0, host_mono_ns());
    else
        outbox_chain_settle(queue, chain, step, answer);
    core->hooks.changed(core->hooks.self);
}

/* A process may sleep for a lease between its decision and the first byte. */
static bool may_still_leave(void *self)
{
    struct outbox_attempt *attempt = self;
    enum outbox_leave leave = outbox_gate_leave(attempt->queue);

    attempt->was_kept_back = leave != OUTBOX_LEAVE && leave != OUTBOX_LEAVE_REPEAT;
    return !attempt->was_kept_back;
}

/* Begins one attempt. Errors: as sink_type.build() and transport.send(). */
static int begin(struct outbox_queue *queue, struct outbox_chain *chain, enum sink_step step,
                 struct error *why)
{
    const struct sink_settings *settings = sink_settings(queue->sink);
    const struct sink_class_rules *rules = outbox_rules(queue);
    const struct transport *transport = queue->core->transport;
    struct outbox_op *op = chain->first;
    const struct sink_found *twins = chain->twins;
    struct sink_attempt given = {
        .op = &op->op,
        .number = op->attempts,
        .possible_repeat = op->may_exist && rules->marks_repeats,
        .wall_ms = host_wall_ms(),
        .step = step,
        .remote = twins != NULL ? &twins->ticket[0].remote : &chain->remote,
        .twin = twins != NULL ? &twins->ticket[1].remote : NULL,
    };
    struct outbox_attempt *attempt = calloc(1, sizeof(*attempt));
    int rc;

    if (attempt == NULL)
        return -ENOMEM;
    attempt->queue = queue;
    attempt->chain = chain;
    attempt->step = step;
    rc = queue->sink->type->build(queue->sink, &given, &attempt->request, why);
    if (rc == 0) {
        const struct sink_request *made = &attempt->request;
        struct transport_request request = {
            .method = made->method != NULL ? made->method : "POST",
            .url = made->url,
            .headers = (const char *const *)made->headers,
            .header_count = made->header_count,
            .body = made->body != NULL ? made->body : "",
            .body_bytes = made->body_bytes,
            .connect_timeout_ms = settings->connect_timeout_ms,
            .timeout_ms = settings->timeout_ms,
            .proxy = settings->proxy,
            .no_proxy = settings->no_proxy,
            .ca_file = settings->ca_file,
            .client_cert = settings->client_cert,
            .client_key = settings->client_key,
            .client_key_password = settings->client_key_password,
            .may_reuse_connection = rules->repeats_are_folded || !tells_the_op(step),
            .may_leave = queue->core->hooks.may_leave != NULL ? may_still_leave : NULL,
            .may_leave_self = attempt,
        };
        error_set(why, "the transport refused the request");
        rc = transport->send(transport->self, &request, attempt_done, attempt);
    }
    if (rc == 0)
        chain->attempt = attempt;
    else
        outbox_attempt_destroy(attempt);
    return rc;
}

/* Sends the next step of a chain that stands in no place, and whose op is where it must be. */
static void depart(struct outbox_queue *queue, struct outbox_chain *chain, enum sink_step step,
                   uint64_t now_ns)
{
    struct outbox_op *op = chain->first;
    struct error why = {"out of memory"};
    int rc = begin(queue, chain, step, &why);

    if (rc == 0) {
        if (op->may_exist && outbox_rules(queue)->marks_repeats)
            queue->counters.possible_repeats++;
        chain->place = CHAIN_IN_FLIGHT;
        queue->in_flight++;
        queue->core->in_flight++;
        outbox_gate_spend(queue, now_ns);
        return;
    }
    outbox_queue_blame(queue, &why);
    if (rc == -ENOMEM || rc == -EAGAIN || op->state == OP_MADE) {
        op->failures++;
        outbox_op_retry(queue, chain, WAIT_FAILED, 0, now_ns);
    } else {
        outbox_op_kill(queue, chain, "cannot be sent");
    }
}

/* Begins the next step of a chain that stands in no place. */
static void send_first(struct outbox_queue *queue, struct outbox_chain *chain, uint64_t now_ns)
{
    struct outbox_op *op = chain->first;
    const struct sink_class_rules *rules = outbox_rules(queue);
    enum sink_step step = outbox_step_next(queue, chain, now_ns);
    struct op_move_facts facts = {.remote = &chain->remote};

    assert(op->order > chain->done_order); /* O8 */
    op->attempts++;
    if (outbox_gate_leave(queue) == OUTBOX_LEAVE_REPEAT) {
        op->may_exist = true;
        op->is_assumed = false;
    }
    if (tells_the_op(step)) {
        if (rules->keeps_intent || (rules->reopens && op->op.kind != OP_OPEN))
            facts.gate = chain; /* its intent is told after the end of what was before it */
        if (outbox_op_move(queue, op, OP_INTENT, &facts)) {
            chain->place = CHAIN_GATED;
            chain->gate_queue = queue;
            queue->in_flight++;
            queue->core->in_flight++;
            return;
        }
    }
    depart(queue, chain, step, now_ns);
}

void outbox_core_permit(struct outbox_core *core, void *gate)
{
    struct outbox_chain *chain = gate;
    struct outbox_queue *queue = chain->gate_queue;
    uint64_t now_ns = host_mono_ns();
    enum outbox_leave leave = outbox_gate_leave(queue);

    assert(chain->place == CHAIN_GATED);
    queue->in_flight--;
    core->in_flight--;
    if (leave != OUTBOX_LEAVE && leave != OUTBOX_LEAVE_REPEAT) { /* it was asleep meanwhile */
        outbox_op_retry(queue, chain, WAIT_TOLD, OUTBOX_LEAVE_LOOK_NS, now_ns);
        return;
    }
    depart(queue, chain, outbox_step_next(queue, chain, now_ns), now_ns);
}

static void queue_run(struct outbox_queue *queue, uint64_t now_ns)
{
    while (queue->heap_count > 0 && queue->heap[0]->due_ns <= now_ns)
        outbox_chain_wake(queue, queue->heap[0]);
    while (queue->ready_first != NULL && outbox_gate_due_ns(queue) <= now_ns) {
        struct outbox_chain *chain = queue->ready_first;
        outbox_ready_remove(queue, chain);
        send_first(queue, chain, now_ns);
    }
    if (queue->ready_first != NULL && !queue->is_held && queue->expire_ns <= now_ns)
        outbox_queue_expire(queue, now_ns);
}

static uint64_t queue_due_ns(const struct outbox_queue *queue)
{
    uint64_t due_ns = queue->heap_count > 0 ? queue->heap[0]->due_ns : UINT64_MAX;

    if (queue->ready_first != NULL) {
        uint64_t gate_ns = outbox_gate_due_ns(queue);
        if (gate_ns < due_ns)
            due_ns = gate_ns;
        if (!queue->is_held && queue->expire_ns < due_ns)
            due_ns = queue->expire_ns;
    }
    return due_ns;
}

struct outbox_core *outbox_core_create(struct sink *const *sinks, size_t sink_count,
                                       const struct transport *transport,
                                       const struct outbox_bounds *bounds,
                                       const struct outbox_core_hooks *hooks)
{
    struct outbox_core *core = calloc(1, sizeof(*core) + sink_count * sizeof(core->queues[0]));
    size_t bucket_count = 64;

    if (core == NULL)
        return NULL;
    while (bucket_count < bounds->ops_max)
        bucket_count *= 2;
    core->transport = transport;
    core->hooks = *hooks;
    core->bucket_mask = bucket_count - 1;
    core->ops_max = bounds->ops_max;
    core->bytes_max = bounds->bytes_max;
    core->dead_max = bounds->dead_max;
    core->dead_bytes_max = bounds->dead_bytes_max;
    core->refs_max = bounds->refs_max;
    core->beyond_max = bounds->beyond_max;
    core->queue_count = sink_count;
    for (size_t i = 0; i < sink_count; i++) {
        struct outbox_queue *queue = &core->queues[i];
        queue->core = core;
        queue->sink = sinks[i];
        queue->counters.name = sinks[i]->name;
        queue->counters.type = sinks[i]->type->name;
        /* Pages of these that are never used cost nothing. */
        queue->buckets = calloc(bucket_count, sizeof(queue->buckets[0]));
        queue->heap = calloc(outbox_core_ops_max(core), sizeof(queue->heap[0]));
        if (queue->buckets == NULL || queue->heap == NULL) {
            outbox_core_destroy(core);
            return NULL;
        }
    }
    if (outbox_notices_create(core))
        return core;
    outbox_core_destroy(core);
    return NULL;
}

void outbox_core_destroy(struct outbox_core *core)
{
    if (core == NULL)
        return;
    for (size_t i = 0; i < core->queue_count; i++) {
        struct outbox_queue *queue = &core->queues[i];
        for (size_t j = 0; queue->buckets != NULL && j <= core->bucket_mask; j++) {
            struct outbox_chain *chain = queue->buckets[j];
            while (chain != NULL) {
                struct outbox_chain *next = chain->bucket_next;
                outbox_chain_destroy(chain);
                chain = next;
            }
        }
        free(queue->buckets);
        free(queue->heap);
    }
    outbox_notices_destroy(core);
    free(core);
}

void outbox_core_run(struct outbox_core *core)
{
    uint64_t now_ns = host_mono_ns();

    outbox_notices_look(core);
    for (size_t i = 0; i < core->queue_count; i++)
        queue_run(&core->queues[i], now_ns);
}

void outbox_core_end(struct outbox_core *core)
{
    core->is_ending = true;
    for (size_t i = 0; i < core->queue_count; i++)
        if (!core->queues[i].is_held)
            outbox_queue_wake(&core->queues[i]);
}

uint64_t outbox_core_due_ns(const struct outbox_core *core)
{
    uint64_t due_ns = UINT64_MAX;

    for (size_t i = 0; i < core->queue_count; i++) {
        uint64_t queue_ns = queue_due_ns(&core->queues[i]);
        if (queue_ns < due_ns)
            due_ns = queue_ns;
    }
    return due_ns;
}

size_t outbox_core_waiting(const struct outbox_core *core)
{
    return core->waiting;
}

size_t outbox_core_in_flight(const struct outbox_core *core)
{
    return core->in_flight;
}

void outbox_core_counters(const struct outbox_core *core, size_t sink, struct sink_counters *out)
{
    *out = core->queues[sink].counters;
    out->held = core->queues[sink].is_held;
    out->breaker_open = core->queues[sink].breaker_open;
    out->held_since_ms = outbox_hold_since_ms(&core->queues[sink]);
}

/*
 * outbox_core.c - see outbox_core.h.
 *
 * From the top: ops and the one function that moves their states; chains, which
 * keep order; the gate of a queue; sending; answers; the public functions.
 */
#include "sinks/outbox_core.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "sinks/answer.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS_NS UINT64_C(1000000)

/* O5: a delay is drawn evenly between the least and a ceiling that starts at twice
 * the least and doubles with each failure. */
#define RETRY_LEAST_NS (1 * SECOND_NS)
#define RETRY_CEILING_NS (300 * SECOND_NS)

/* So many failures in a row mean that the sink is down rather than that single ops
 * fail; then one attempt at a time asks whether it is back. */
enum { BREAKER_FAILURES = 5 };
#define BREAKER_FIRST_NS (2 * SECOND_NS)
#define BREAKER_CEILING_NS (60 * SECOND_NS)

/* A held sink is asked again this rarely: often enough that a mended account needs
 * no restart, rarely enough not to look like guessing passwords. */
#define HOLD_PROBE_NS (300 * SECOND_NS)

/* How often ops that only wait for a closed gate are checked for their age. */
#define EXPIRE_NS (60 * SECOND_NS)

struct attempt;
struct chain;

struct outbox_op {
    struct op op;
    struct outbox_op *next; /* in its chain */
    struct chain *spare;    /* becomes the chain if the incident has none */
    uint64_t bytes;
    uint64_t since_ns; /* active time of the queue when it was taken */
    uint32_t attempts;
    uint32_t failures; /* attempts that count for the back-off */
    enum op_state state;
    bool is_begun;  /* a byte of it may have left */
    bool is_repeat; /* class C and D: sent again after an uncertain attempt */
};

enum chain_place { CHAIN_READY, CHAIN_WAITING, CHAIN_IN_FLIGHT };

/* The ops of one incident for one sink, in order. */
struct chain {
    struct chain *bucket_next;
    struct chain *ready_next, *ready_before;
    struct id128 incident;
    struct outbox_op *first, *last;
    enum chain_place place;
    uint32_t last_number;
    uint32_t done_number;    /* highest number that is done (O8) */
    size_t heap_index;       /* while waiting */
    uint64_t due_ns;         /* while waiting */
    bool was_told;           /* the sink said when to come back */
    struct attempt *attempt; /* owned, while in flight */
};

struct queue {
    struct outbox_core *core;
    const struct sink *sink;
    struct chain **buckets;
    struct chain *ready_first, *ready_last;
    struct chain **heap; /* least due time first */
    size_t heap_count;
    size_t in_flight;

    uint64_t budget_ns; /* theoretical arrival time of the rate budget */
    uint64_t away_ns;   /* the sink asked us to stay away until then */
    uint64_t expire_ns; /* next look for aged ops */
    uint32_t failures_in_a_row;
    bool breaker_open;
    uint64_t breaker_ns; /* next probe */
    uint64_t breaker_wait_ns;
    bool is_held;
    uint64_t hold_ns; /* next probe */
    uint64_t held_since_ns;
    uint64_t held_total_ns; /* of former holds: time that makes no op older */

    struct sink_counters counters;
};

struct outbox_core {
    const struct transport *transport;
    struct outbox_core_hooks hooks;
    size_t bucket_mask;
    size_t ops_max;
    size_t waiting;
    size_t in_flight;
    size_t queue_count;
    struct queue queues[];
};

/* One exchange under way; lives from send to answer. */
struct attempt {
    struct queue *queue;
    struct chain *chain;
    struct sink_request request;
};

/* ---- ops ---- */

static const bool legal_moves[OP_STATE_COUNT][OP_STATE_COUNT] = {
    [OP_PENDING] = {[OP_INTENT] = true, [OP_SUPERSEDED] = true, [OP_DEAD] = true},
    [OP_INTENT] = {[OP_DONE] = true, [OP_DEAD] = true, [OP_RETRY] = true, [OP_UNCERTAIN] = true},
    [OP_UNCERTAIN] = {[OP_RETRY] = true, [OP_DEAD] = true},
    [OP_RETRY] = {[OP_PENDING] = true, [OP_SUPERSEDED] = true},
};

/* The only place where an op changes its state. */
static void op_move(struct queue *queue, struct outbox_op *op, enum op_state to)
{
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
    case OP_STATE_COUNT:
        break;
    }
}

static uint64_t incident_bytes(const struct incident *inc)
{
    const char *const texts[] = {inc->tenant,  inc->rule_id, inc->key, inc->title,  inc->tier,
                                 inc->runbook, inc->team,    inc->why, inc->source, inc->resource,
                                 inc->check,   inc->message, inc->host};
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
static void op_finish(struct queue *queue, struct outbox_op *op)
{
    struct outbox_core *core = queue->core;

    assert(op->state == OP_DONE || op->state == OP_DEAD || op->state == OP_SUPERSEDED);
    queue->counters.waiting--;
    core->waiting--;
    core->hooks.finished(core->hooks.self, op->bytes);
    outbox_op_destroy(op);
}

/* Time on which ops grow old: the clock without the times of hold. */
static uint64_t active_ns(const struct queue *queue, uint64_t now_ns)
{
    uint64_t held_ns = queue->is_held ? now_ns - queue->held_since_ns : 0;

    return now_ns - queue->held_total_ns - held_ns;
}

static uint64_t age_limit_ns(const struct queue *queue)
{
    return sink_settings(queue->sink)->retry_hours * 3600 * SECOND_NS;
}

/* O5: for ever at P1. */
static bool is_too_old(const struct queue *queue, const struct outbox_op *op, uint64_t now_ns)
{
    return op->op.incident->priority != PRIORITY_P1 &&
           active_ns(queue, now_ns) - op->since_ns >= age_limit_ns(queue);
}

/* ---- chains: the order of one incident ---- */

static struct chain **bucket_of(const struct queue *queue, struct id128 incident)
{
    return &queue->buckets[hash_mix(incident.lo ^ incident.hi) & queue->core->bucket_mask];
}

static struct chain *chain_find(const struct queue *queue, struct id128 incident)
{
    struct chain *chain = *bucket_of(queue, incident);

    while (chain != NULL && !id128_equal(chain->incident, incident))
        chain = chain->bucket_next;
    return chain;
}

static void chain_remove(struct queue *queue, struct chain *chain)
{
    struct chain **at = bucket_of(queue, chain->incident);

    while (*at != chain)
        at = &(*at)->bucket_next;
    *at = chain->bucket_next;
    free(chain);
}

static void ready_append(struct queue *queue, struct chain *chain)
{
    chain->place = CHAIN_READY;
    chain->ready_next = NULL;
    chain->ready_before = queue->ready_last;
    if (queue->ready_last == NULL)
        queue->ready_first = chain;
    else
        queue->ready_last->ready_next = chain;
    queue->ready_last = chain;
}

static void ready_remove(struct queue *queue, struct chain *chain)
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

static void heap_set(struct queue *queue, size_t index, struct chain *chain)
{
    queue->heap[index] = chain;
    chain->heap_index = index;
}

static void heap_up(struct queue *queue, size_t index)
{
    struct chain *chain = queue->heap[index];

    while (index > 0 && chain->due_ns < queue->heap[(index - 1) / 2]->due_ns) {
        heap_set(queue, index, queue->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_set(queue, index, chain);
}

static void heap_down(struct queue *queue, size_t index)
{
    struct chain *chain = queue->heap[index];

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

static void heap_push(struct queue *queue, struct chain *chain)
{
    assert(queue->heap_count < queue->core->ops_max);
    chain->place = CHAIN_WAITING;
    queue->heap[queue->heap_count++] = chain;
    heap_up(queue, queue->heap_count - 1);
}

static void heap_remove(struct queue *queue, struct chain *chain)
{
    size_t index = chain->heap_index;
    struct chain *last = queue->heap[--queue->heap_count];

    if (last == chain)
        return;
    heap_set(queue, index, last);
    heap_up(queue, index);
    heap_down(queue, last->heap_index);
}

/* The first op of a waiting chain may be tried again. */
static void chain_wake(struct queue *queue, struct chain *chain)
{
    heap_remove(queue, chain);
    op_move(queue, chain->first, OP_PENDING);
    ready_append(queue, chain);
}

/* The first op, in its last state, leaves; the next one becomes ready. The chain
 * stands in no place when this is called, and may be gone afterwards. */
static void chain_advance(struct queue *queue, struct chain *chain)
{
    struct outbox_op *op = chain->first;

    chain->first = op->next;
    op_finish(queue, op);
    if (chain->first == NULL)
        chain_remove(queue, chain);
    else
        ready_append(queue, chain);
}

/* O4: `later`, an update, goes into `op`, of which nothing has left. What is sent
 * keeps its id, number and kind, and tells the state after the update. */
static void op_absorb(struct queue *queue, struct outbox_op *op, struct outbox_op *later)
{
    struct incident *incident = op->op.incident;
    uint64_t bytes = op->bytes;

    op->op.incident = later->op.incident;
    op->bytes = later->bytes;
    later->op.incident = incident;
    later->bytes = bytes;
    op_move(queue, later, OP_SUPERSEDED);
    op_finish(queue, later);
}

static bool can_absorb(const struct outbox_op *op)
{
    return (op->op.kind == OP_OPEN || op->op.kind == OP_UPDATE) && !op->is_begun &&
           (op->state == OP_PENDING || op->state == OP_RETRY);
}

/* O4, policy fold_resolved: an incident of which nothing was sent, its opening
 * included, disappears with its resolve. Returns whether it did; then the chain is
 * gone. */
static bool chain_fold(struct queue *queue, struct chain *chain)
{
    struct outbox_op *op = chain->first;

    if (!sink_settings(queue->sink)->fold_resolved || chain->last->op.kind != OP_RESOLVE ||
        op->op.kind != OP_OPEN || op->is_begun || op->state == OP_INTENT)
        return false;
    if (chain->place == CHAIN_WAITING)
        heap_remove(queue, chain);
    else
        ready_remove(queue, chain);
    while (op != NULL) {
        struct outbox_op *next = op->next;
        op_move(queue, op, OP_SUPERSEDED);
        op_finish(queue, op);
        op = next;
    }
    chain_remove(queue, chain);
    return true;
}

void outbox_core_take(struct outbox_core *core, struct outbox_op *op)
{
    struct queue *queue;
    struct chain *chain;
    bool is_new;

    assert(op->op.sink < core->queue_count);
    assert(core->waiting < core->ops_max);
    queue = &core->queues[op->op.sink];
    chain = chain_find(queue, op->op.incident->id);
    is_new = chain == NULL;
    core->waiting++;
    queue->counters.ops++;
    queue->counters.waiting++;
    op->since_ns = active_ns(queue, host_mono_ns());
    if (is_new) {
        struct chain **bucket = bucket_of(queue, op->op.incident->id);
        chain = op->spare;
        op->spare = NULL;
        chain->incident = op->op.incident->id;
        chain->bucket_next = *bucket;
        *bucket = chain;
    }
    assert(op->op.number > chain->last_number);
    chain->last_number = op->op.number;
    free(op->spare);
    op->spare = NULL;
    if (!is_new && op->op.kind == OP_UPDATE && can_absorb(chain->last)) {
        op_absorb(queue, chain->last, op);
        return;
    }
    if (is_new)
        chain->first = op;
    else
        chain->last->next = op;
    chain->last = op;
    if (is_new)
        ready_append(queue, chain);
    else if (op->op.kind == OP_RESOLVE)
        chain_fold(queue, chain);
}

/* ---- the gate: may this sink be sent anything now? ---- */

static uint64_t token_ns(const struct sink_settings *settings)
{
    return settings->rate_per_minute == 0 ? 0 : 60 * SECOND_NS / settings->rate_per_minute;
}

/* When the budget has a token. A bucket of `burst` tokens, kept as the one time at
 * which it would be full again (the generic cell rate algorithm, ITU-T I.371). */
static uint64_t budget_due_ns(const struct queue *queue)
{
    const struct sink_settings *settings = sink_settings(queue->sink);
    uint64_t tolerance_ns = (settings->burst - 1) * token_ns(settings);

    return queue->budget_ns > tolerance_ns ? queue->budget_ns - tolerance_ns : 0;
}

static void budget_spend(struct queue *queue, uint64_t now_ns)
{
    if (queue->budget_ns < now_ns)
        queue->budget_ns = now_ns;
    queue->budget_ns += token_ns(sink_settings(queue->sink));
}

static uint64_t later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* When the gate opens, given what is known now; UINT64_MAX: an answer must come. */
static uint64_t gate_due_ns(const struct queue *queue)
{
    bool is_probing = queue->is_held || queue->breaker_open;
    uint64_t due_ns = later_of(queue->away_ns, budget_due_ns(queue));

    if (queue->in_flight >= (is_probing ? 1 : sink_settings(queue->sink)->in_flight_max))
        return UINT64_MAX;
    if (queue->breaker_open)
        due_ns = later_of(due_ns, queue->breaker_ns);
    if (queue->is_held)
        due_ns = later_of(due_ns, queue->hold_ns);
    return due_ns;
}

/* Evenly in [least, ceiling]. */
static uint64_t draw_ns(uint64_t least_ns, uint64_t ceiling_ns)
{
    uint64_t random;

    host()->random(host()->self, &random, sizeof(random));
    return least_ns + random % (ceiling_ns - least_ns + 1);
}

static void breaker_failure(struct queue *queue, uint64_t now_ns)
{
    queue->failures_in_a_row++;
    if (!queue->breaker_open && queue->failures_in_a_row < BREAKER_FAILURES)
        return;
    queue->breaker_wait_ns = queue->breaker_open ? 2 * queue->breaker_wait_ns : BREAKER_FIRST_NS;
    if (queue->breaker_wait_ns > BREAKER_CEILING_NS)
        queue->breaker_wait_ns = BREAKER_CEILING_NS;
    queue->breaker_open = true;
    queue->breaker_ns = now_ns + draw_ns(queue->breaker_wait_ns / 2, queue->breaker_wait_ns);
}

/* The sink answers again: what waited because it did not is due at once, within the
 * budget. What the sink gave a time of its own keeps that. */
static void wake_all(struct queue *queue)
{
    size_t count = queue->heap_count;

    /* Built anew in place: never longer than what has been read. */
    queue->heap_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct chain *chain = queue->heap[i];
        if (chain->was_told) {
            heap_push(queue, chain);
        } else {
            op_move(queue, chain->first, OP_PENDING);
            ready_append(queue, chain);
        }
    }
}

static void breaker_success(struct queue *queue)
{
    queue->failures_in_a_row = 0;
    if (queue->breaker_open) {
        queue->breaker_open = false;
        wake_all(queue);
    }
}

static void hold_begin(struct queue *queue, uint64_t now_ns)
{
    if (!queue->is_held)
        queue->held_since_ns = now_ns;
    queue->is_held = true;
    queue->hold_ns = now_ns + HOLD_PROBE_NS;
}

static void hold_end(struct queue *queue, uint64_t now_ns)
{
    if (!queue->is_held)
        return;
    queue->held_total_ns += now_ns - queue->held_since_ns;
    queue->is_held = false;
    wake_all(queue);
}

/* ---- sending and answers ---- */

static void attempt_destroy(struct attempt *attempt)
{
    if (attempt == NULL)
        return;
    sink_request_release(&attempt->request);
    free(attempt);
}

/* Redacted before it is cut: half a secret would not be found any more. */
static void set_last_error(struct queue *queue, struct error *why)
{
    char *to = queue->counters.last_error;
    size_t bytes;

    sink_redact(queue->sink, why->text);
    bytes = strnlen(why->text, sizeof(queue->counters.last_error) - 1);
    memcpy(to, why->text, bytes);
    to[bytes] = '\0';
}

static void op_kill(struct queue *queue, struct chain *chain)
{
    op_move(queue, chain->first, OP_DEAD);
    chain_advance(queue, chain);
}

/* Puts the chain among the waiting ones. `told_ns`: what the sink asked for, 0 for
 * nothing. Too old: dead instead. */
static void op_retry(struct queue *queue, struct chain *chain, uint64_t told_ns, uint64_t now_ns)
{
    struct outbox_op *op = chain->first;
    uint64_t ceiling_ns = 2 * RETRY_LEAST_NS, delay_ns, left_ns;

    if (!queue->is_held && is_too_old(queue, op, now_ns)) {
        op_kill(queue, chain);
        return;
    }
    for (uint32_t i = 1; i < op->failures && ceiling_ns < RETRY_CEILING_NS; i++)
        ceiling_ns *= 2;
    if (ceiling_ns > RETRY_CEILING_NS)
        ceiling_ns = RETRY_CEILING_NS;
    delay_ns =
        told_ns > 0 ? later_of(told_ns, RETRY_LEAST_NS) : draw_ns(RETRY_LEAST_NS, ceiling_ns);
    if (!queue->is_held && op->op.incident->priority != PRIORITY_P1) {
        /* The last attempt is made when its time ends, not some while after. */
        left_ns = age_limit_ns(queue) - (active_ns(queue, now_ns) - op->since_ns);
        if (delay_ns > left_ns)
            delay_ns = left_ns;
    }
    op_move(queue, op, OP_RETRY);
    chain->due_ns = now_ns + delay_ns;
    chain->was_told = told_ns > 0;
    heap_push(queue, chain);
}

/* What an uncertain attempt means for the next one (D3). */
static void op_doubt(struct queue *queue, struct outbox_op *op)
{
    op_move(queue, op, OP_UNCERTAIN);
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

static enum sink_verdict judge(struct queue *queue, const struct transport_answer *answer)
{
    enum sink_verdict verdict = answer_verdict(answer);
    struct error why = {""};

    if (answer->result == TRANSPORT_ANSWERED && queue->sink->type->judge != NULL)
        verdict = queue->sink->type->judge(queue->sink, answer, verdict, &why);
    if (verdict != SINK_DELIVERED) {
        if (why.text[0] == '\0')
            answer_describe(answer, why.text, sizeof(why.text));
        set_last_error(queue, &why);
    }
    return verdict;
}

static uint64_t told_ns(const struct transport_answer *answer)
{
    uint64_t ms;

    if (answer->result != TRANSPORT_ANSWERED ||
        !answer_retry_after_ms(answer->retry_after, host_wall_ms(), &ms))
        return 0;
    return later_of(ms * MS_NS, RETRY_LEAST_NS);
}

/* Acts on what became of the attempt at the first op of `chain`. */
static void settle(struct queue *queue, struct chain *chain, const struct transport_answer *answer)
{
    struct outbox_op *op = chain->first;
    enum sink_verdict verdict = judge(queue, answer);
    uint64_t now_ns = host_mono_ns();

    if (verdict == SINK_DELIVERED || verdict == SINK_REJECTED) {
        hold_end(queue, now_ns);
        breaker_success(queue);
    }
    switch (verdict) {
    case SINK_DELIVERED:
        chain->done_number = op->op.number;
        op_move(queue, op, OP_DONE);
        chain_advance(queue, chain);
        break;
    case SINK_REJECTED:
        op_kill(queue, chain);
        break;
    case SINK_HELD:
        hold_begin(queue, now_ns);
        op_retry(queue, chain, 0, now_ns);
        break;
    case SINK_THROTTLED:
        op->failures++;
        queue->away_ns = later_of(queue->away_ns, now_ns + told_ns(answer));
        op_retry(queue, chain, told_ns(answer), now_ns);
        break;
    case SINK_UNCERTAIN:
        op->failures++;
        op_doubt(queue, op);
        breaker_failure(queue, now_ns);
        op_retry(queue, chain, 0, now_ns);
        break;
    case SINK_RETRY:
    case SINK_VERDICT_COUNT:
        op->failures++;
        breaker_failure(queue, now_ns);
        op_retry(queue, chain, told_ns(answer), now_ns);
        break;
    }
}

static void attempt_done(void *arg, const struct transport_answer *answer)
{
    struct attempt *attempt = arg;
    struct queue *queue = attempt->queue;
    struct chain *chain = attempt->chain;
    struct outbox_core *core = queue->core;

    assert(chain->place == CHAIN_IN_FLIGHT);
    assert(chain->first->state == OP_INTENT);
    queue->in_flight--;
    core->in_flight--;
    if (answer->result == TRANSPORT_ANSWERED || answer->result == TRANSPORT_AFTER_FIRST_BYTE) {
        chain->first->is_begun = true;
        queue->counters.bytes_sent += attempt->request.body_bytes;
    }
    chain->attempt = NULL;
    attempt_destroy(attempt);
    settle(queue, chain, answer);
    core->hooks.changed(core->hooks.self);
}

/* Begins one attempt. Errors: as sink_type.build() and transport.send(). */
static int begin(struct queue *queue, struct chain *chain, struct error *why)
{
    const struct sink_settings *settings = sink_settings(queue->sink);
    const struct transport *transport = queue->core->transport;
    struct outbox_op *op = chain->first;
    struct sink_attempt given = {
        .op = &op->op,
        .number = op->attempts,
        .possible_repeat = op->is_repeat,
        .wall_ms = host_wall_ms(),
    };
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    int rc;

    if (attempt == NULL)
        return -ENOMEM;
    attempt->queue = queue;
    attempt->chain = chain;
    rc = queue->sink->type->build(queue->sink, &given, &attempt->request, why);
    if (rc == 0) {
        enum sink_class class = sink_class_of(queue->sink);
        struct transport_request request = {
            .method = "POST",
            .url = attempt->request.url,
            .headers = (const char *const *)attempt->request.headers,
            .header_count = attempt->request.header_count,
            .body = attempt->request.body,
            .body_bytes = attempt->request.body_bytes,
            .connect_timeout_ms = settings->connect_timeout_ms,
            .timeout_ms = settings->timeout_ms,
            .proxy = settings->proxy,
            .ca_file = settings->ca_file,
            .may_reuse_connection = class == SINK_CLASS_A || class == SINK_CLASS_B,
        };
        error_set(why, "the transport refused the request");
        rc = transport->send(transport->self, &request, attempt_done, attempt);
    }
    if (rc == 0)
        chain->attempt = attempt;
    else
        attempt_destroy(attempt);
    return rc;
}

/* Sends the first op of a chain that stands in no place. */
static void send_first(struct queue *queue, struct chain *chain, uint64_t now_ns)
{
    struct outbox_op *op = chain->first;
    struct error why = {"out of memory"};
    int rc;

    assert(op->op.number > chain->done_number); /* O8 */
    op->attempts++;
    op_move(queue, op, OP_INTENT);
    rc = begin(queue, chain, &why);
    if (rc == 0) {
        if (op->is_repeat)
            queue->counters.possible_repeats++;
        chain->place = CHAIN_IN_FLIGHT;
        queue->in_flight++;
        queue->core->in_flight++;
        budget_spend(queue, now_ns);
        return;
    }
    set_last_error(queue, &why);
    if (rc == -ENOMEM || rc == -EAGAIN) {
        op->failures++;
        op_retry(queue, chain, 0, now_ns);
    } else {
        op_kill(queue, chain);
    }
}

/* O5 for ops that a closed gate keeps from being tried at all. */
static void expire_ready(struct queue *queue, uint64_t now_ns)
{
    struct chain *chain = queue->ready_first;

    while (chain != NULL) {
        struct chain *next = chain->ready_next; /* op_kill() appends: it is met as well */
        if (is_too_old(queue, chain->first, now_ns)) {
            ready_remove(queue, chain);
            op_kill(queue, chain);
        }
        chain = next;
    }
    queue->expire_ns = now_ns + EXPIRE_NS;
}

static void queue_run(struct queue *queue, uint64_t now_ns)
{
    while (queue->heap_count > 0 && queue->heap[0]->due_ns <= now_ns)
        chain_wake(queue, queue->heap[0]);
    while (queue->ready_first != NULL && gate_due_ns(queue) <= now_ns) {
        struct chain *chain = queue->ready_first;
        ready_remove(queue, chain);
        send_first(queue, chain, now_ns);
    }
    if (queue->ready_first != NULL && !queue->is_held && queue->expire_ns <= now_ns)
        expire_ready(queue, now_ns);
}

static uint64_t queue_due_ns(const struct queue *queue)
{
    uint64_t due_ns = queue->heap_count > 0 ? queue->heap[0]->due_ns : UINT64_MAX;

    if (queue->ready_first != NULL) {
        uint64_t gate_ns = gate_due_ns(queue);
        if (gate_ns < due_ns)
            due_ns = gate_ns;
        if (!queue->is_held && queue->expire_ns < due_ns)
            due_ns = queue->expire_ns;
    }
    return due_ns;
}

/* ---- the whole ---- */

struct outbox_core *outbox_core_create(struct sink *const *sinks, size_t sink_count,
                                       const struct transport *transport, size_t ops_max,
                                       const struct outbox_core_hooks *hooks)
{
    struct outbox_core *core = calloc(1, sizeof(*core) + sink_count * sizeof(core->queues[0]));
    size_t bucket_count = 64;

    if (core == NULL)
        return NULL;
    while (bucket_count < ops_max)
        bucket_count *= 2;
    core->transport = transport;
    core->hooks = *hooks;
    core->bucket_mask = bucket_count - 1;
    core->ops_max = ops_max;
    core->queue_count = sink_count;
    for (size_t i = 0; i < sink_count; i++) {
        struct queue *queue = &core->queues[i];
        queue->core = core;
        queue->sink = sinks[i];
        queue->counters.name = sinks[i]->name;
        queue->counters.type = sinks[i]->type->name;
        /* Pages of these that are never used cost nothing. */
        queue->buckets = calloc(bucket_count, sizeof(queue->buckets[0]));
        queue->heap = calloc(ops_max, sizeof(queue->heap[0]));
        if (queue->buckets == NULL || queue->heap == NULL) {
            outbox_core_destroy(core);
            return NULL;
        }
    }
    return core;
}

static void chain_destroy(struct chain *chain)
{
    struct outbox_op *op = chain->first;

    while (op != NULL) {
        struct outbox_op *next = op->next;
        outbox_op_destroy(op);
        op = next;
    }
    attempt_destroy(chain->attempt);
    free(chain);
}

void outbox_core_destroy(struct outbox_core *core)
{
    if (core == NULL)
        return;
    for (size_t i = 0; i < core->queue_count; i++) {
        struct queue *queue = &core->queues[i];
        for (size_t j = 0; queue->buckets != NULL && j <= core->bucket_mask; j++) {
            struct chain *chain = queue->buckets[j];
            while (chain != NULL) {
                struct chain *next = chain->bucket_next;
                chain_destroy(chain);
                chain = next;
            }
        }
        free(queue->buckets);
        free(queue->heap);
    }
    free(core);
}

void outbox_core_run(struct outbox_core *core)
{
    uint64_t now_ns = host_mono_ns();

    for (size_t i = 0; i < core->queue_count; i++)
        queue_run(&core->queues[i], now_ns);
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
}

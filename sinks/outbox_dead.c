/*
 * outbox_dead.c - ops that were given up: kept for a person, and sent again on demand.
 *
 * Dead is what a sink refused for good, or did not take in time. A person may mend the
 * cause, so the op is kept beside its chain until it is sent again, until a later op of
 * its incident is taken (which told all that it would have), or until the bound for
 * dead ops pushes it out, the oldest first. Each way is counted.
 *
 * What is kept does not count towards the bound of what waits (O7): a sink that refuses
 * everything must not stop correlation. It has a bound of its own, under which a dead op
 * stays when it is sent again.
 */
#include "sinks/outbox_queue.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"

static void kept_link(struct outbox_core *core, struct outbox_op *op)
{
    op->dead->older = core->dead_newest;
    if (core->dead_newest != NULL)
        core->dead_newest->dead->newer = op;
    else
        core->dead_oldest = op;
    core->dead_newest = op;
}

/* Takes the op out of both lists that it is kept in; it is the caller's then. */
static void kept_unlink(struct outbox_core *core, struct outbox_op *op)
{
    struct outbox_dead *dead = op->dead;
    struct outbox_chain *chain = dead->chain;
    struct outbox_op **at = &chain->dead_first, *before = NULL;

    if (dead->older != NULL)
        dead->older->dead->newer = dead->newer;
    else
        core->dead_oldest = dead->newer;
    if (dead->newer != NULL)
        dead->newer->dead->older = dead->older;
    else
        core->dead_newest = dead->older;
    while (*at != op) {
        before = *at;
        at = &before->next;
    }
    *at = op->next;
    if (chain->dead_last == op)
        chain->dead_last = before;
    op->next = NULL;
    dead->queue->counters.dead_kept--;
}

/* Lets go of a kept op for ever. An idle chain goes with its last one. */
static void kept_drop(struct outbox_core *core, struct outbox_op *op)
{
    struct outbox_chain *chain = op->dead->chain;
    struct outbox_queue *queue = op->dead->queue;

    kept_unlink(core, op);
    core->dead_count--;
    core->dead_bytes -= op->bytes;
    outbox_op_destroy(op);
    if (chain->place == CHAIN_IDLE)
        outbox_chain_rest(queue, chain);
}

static bool is_over_bound(const struct outbox_core *core)
{
    return core->dead_count > core->dead_max || core->dead_bytes > core->dead_bytes_max;
}

/* Keeps a dead op that is in no list. */
static void keep(struct outbox_queue *queue, struct outbox_chain *chain, struct outbox_op *op,
                 const char *cause)
{
    struct outbox_core *core = queue->core;
    struct outbox_dead *dead = calloc(1, sizeof(*dead));

    if (op->account == ACCOUNT_WAITING) {
        core->waiting_count--;
        core->waiting_bytes -= op->bytes;
        core->hooks.finished(core->hooks.self, op->bytes);
    } else if (op->account == ACCOUNT_NOTICE) {
        queue->notices_waiting--;
    }
    if (op->account != ACCOUNT_DEAD) {
        op->account = ACCOUNT_DEAD;
        core->dead_count++;
        core->dead_bytes += op->bytes;
    }
    if (dead == NULL) { /* as if the bound were reached */
        core->dead_count--;
        core->dead_bytes -= op->bytes;
        queue->counters.forgotten++;
        outbox_op_destroy(op);
        return;
    }
    dead->chain = chain;
    dead->queue = queue;
    dead->died_ms = host_wall_ms();
    dead->cause = cause;
    memcpy(dead->error, queue->counters.last_error, sizeof(dead->error));
    op->dead = dead;
    op->next = NULL;
    if (chain->dead_last != NULL)
        chain->dead_last->next = op;
    else
        chain->dead_first = op;
    chain->dead_last = op;
    kept_link(core, op);
    queue->counters.dead_kept++;
    while (is_over_bound(core) && core->dead_oldest != NULL) {
        core->dead_oldest->dead->queue->counters.forgotten++;
        kept_drop(core, core->dead_oldest);
    }
}

void outbox_op_kill(struct outbox_queue *queue, struct outbox_chain *chain, const char *cause)
{
    struct outbox_op *op = chain->first;

    assert(chain->place != CHAIN_IDLE);
    outbox_op_move(queue, op, OP_DEAD,
                   &(struct op_move_facts){.remote = &chain->remote, .cause = cause});
    queue->counters.waiting--;
    queue->core->waiting--;
    chain->first = op->next;
    keep(queue, chain, op, cause);
    outbox_chain_rest(queue, chain);
}

void outbox_dead_overtake(struct outbox_queue *queue, struct outbox_chain *chain)
{
    while (chain->dead_first != NULL) {
        queue->counters.overtaken++;
        kept_drop(queue->core, chain->dead_first);
    }
}

/* Puts a kept op back into its chain, which is not in flight. */
static void revive(struct outbox_core *core, struct outbox_op *op)
{
    struct outbox_chain *chain = op->dead->chain;
    struct outbox_queue *queue = op->dead->queue;
    struct outbox_op **at = &chain->first;

    if (chain->place == CHAIN_WAITING) /* its first op waits for this one now */
        outbox_chain_wake(queue, chain);
    kept_unlink(core, op);
    free(op->dead);
    op->dead = NULL;
    outbox_op_move(queue, op, OP_PENDING, &(struct op_move_facts){.is_redriven = true});
    op->failures = 0;
    op->is_absent = op->was_refused = false;
    op->looks = 0;
    op->wants_find = op->may_exist;
    op->since_ns = outbox_queue_active_ns(queue, host_mono_ns());
    queue->counters.redriven++;
    queue->counters.waiting++;
    core->waiting++;
    while (*at != NULL && (*at)->order < op->order)
        at = &(*at)->next;
    op->next = *at;
    *at = op;
    if (op->next == NULL)
        chain->last = op;
    if (chain->place == CHAIN_IDLE)
        outbox_ready_add(queue, chain);
}

static bool is_picked(const struct outbox_core *core, const struct outbox_pick *pick,
                      const struct outbox_op *op)
{
    return (pick->sink < 0 || op->dead->queue == &core->queues[pick->sink]) &&
           (!pick->has_incident || id128_equal(op->op.incident->id, pick->incident));
}

void outbox_core_redrive(struct outbox_core *core, const struct outbox_pick *pick,
                         struct outbox_redriven *out)
{
    struct outbox_op *op = core->dead_oldest;

    assert(pick->sink < 0 || (size_t)pick->sink < core->queue_count);
    *out = (struct outbox_redriven){0};
    while (op != NULL) {
        struct outbox_op *newer = op->dead->newer;
        if (is_picked(core, pick, op)) {
            /* Behind what is under way it would come out of order. */
            if (outbox_chain_is_busy(op->dead->chain)) {
                out->busy++;
            } else {
                revive(core, op);
                out->redriven++;
            }
        }
        op = newer;
    }
}

static void fill_row(const struct outbox_core *core, const struct outbox_op *op,
                     struct outbox_dead_row *row)
{
    *row = (struct outbox_dead_row){
        .sink = (uint16_t)(op->dead->queue - core->queues),
        .kind = op->op.kind,
        .priority = op->op.incident->priority,
        .number = op->op.number,
        .attempts = op->attempts,
        .incident = op->op.incident->id,
        .died_ms = op->dead->died_ms,
        .cause = op->dead->cause,
    };
    memcpy(row->error, op->dead->error, sizeof(row->error));
    snprintf(row->title, sizeof(row->title), "%s", op->op.incident->title);
}

size_t outbox_core_dead(const struct outbox_core *core, const struct outbox_pick *pick,
                        struct outbox_dead_row *out, size_t max)
{
    size_t count = 0;

    for (const struct outbox_op *op = core->dead_newest; op != NULL; op = op->dead->older)
        if (is_picked(core, pick, op)) {
            if (count < max)
                fill_row(core, op, &out[count]);
            count++;
        }
    return count;
}

/*
 * sequencer.c - the role that decides what is closed: it lets partitions come and go
 * (part.h), seals by the clock (seal.h), finds the watermark, switches rules
 * (rules_switch.h) and has closed epochs cut into steps (step.h) (semantics T3).
 *
 * One thread at a time holds the role; the others walk past. It reads what ingest
 * threads publish and writes steps; it never waits.
 */
#include "base/host.h"
#include "correlate/blind.h"
#include "correlate/core.h"
#include "correlate/mark.h"
#include "correlate/part.h"
#include "correlate/recovery.h"
#include "correlate/rules_retire.h"
#include "correlate/rules_switch.h"
#include "correlate/seal.h"
#include "correlate/snapshot.h"
#include "correlate/step.h"
#include "correlate/step_report.h"
#include "correlate/walk.h"

#define GATHER_NS 2000000u

/* What all input partitions have passed; INT64_MIN: not known yet, INT64_MAX: all have ended. */
static int64_t passed_by_all(const struct engine *engine)
{
    int64_t least = INT64_MAX;
    bool any = false;

    for (unsigned i = 0; i < part_total(engine); i++) {
        const struct part *part = engine->parts[i];
        if (part->is_awaited)
            return INT64_MIN; /* its records are part of what comes next */
        if (!part_is_member(part))
            continue;
        any = true;
        /* W, acquire end: every event of a closed epoch is in its bin. unseen by tsan: see
         * passed_publish(). */
        int64_t passed = atomic_load_explicit(&part->passed, memory_order_acquire);
        least = passed < least ? passed : least;
    }
    return any ? least : INT64_MIN;
}

/* Where the watermark goes when all recordings have ended (X7). */
static int64_t end_of_all(const struct engine *engine)
{
    int64_t reach = engine->left_reach_ms;
    int64_t round = (int64_t)engine->config.round_ms;

    for (unsigned i = 0; i < part_total(engine); i++) {
        if (engine->parts[i]->dropped)
            continue; /* counted when it left */
        int64_t at = atomic_load_explicit(&engine->parts[i]->reach, memory_order_relaxed);
        reach = at > reach ? at : reach;
    }
    int64_t end = reach == INT64_MIN ? INT64_MIN : (floor_div(reach, round) + 1) * round;
    return end > engine->config.until_ms ? end : engine->config.until_ms;
}

/* With composites a step goes no further than its round: once that is closed nothing is gathered.
 */
static bool ends_round(const struct engine *engine, int64_t closed)
{
    int64_t per_round = (int64_t)(engine->config.round_ms / engine->config.epoch_ms);

    return engine->newest_rules->takes_incidents &&
           floor_div(closed, per_round) > floor_div(engine->planned_epoch, per_round);
}

static void finish(struct engine *engine)
{
    /* E, release end: what the incident role told, known through F, comes before. */
    atomic_store_explicit(&engine->finished, true, memory_order_release);
}

static bool poll_role(struct engine *engine)
{
    uint64_t now_ns = host_mono_ns();
    bool worked, at_end = false;
    int64_t passed, closed;

    /* F, acquire end: bins, places in the ring, and counts, of finished steps. */
    engine->steps_seen = atomic_load_explicit(&engine->steps_done, memory_order_acquire);
    worked = parts_poll(engine, now_ns);
    rules_retire_poll(engine, now_ns);
    walk_poll(engine);
    rules_switch_poll(engine);
    step_done_publish(engine);
    if (engine->config.seal_ms > 0 && seal_is_due(engine, now_ns)) {
        bool is_waited_for = now_ns < engine->seal_due_ns;
        engine->seal_due_ns = now_ns + (uint64_t)engine->config.seal_ms * 1000000u;
        seal_round(engine, now_ns);
        if (is_waited_for)
            engine_wake(engine, false); /* each applies its seals itself */
        worked = true;
    }
    passed = passed_by_all(engine);
    atomic_store_explicit(&engine->least_passed_ms, passed, memory_order_relaxed);
    /* What is closed from here on needs no mark but those that are told now. */
    step_report_look(engine);
    marks_drain(engine);
    recovery_check(engine);
    if (passed == INT64_MIN) {
        /* A replay of nothing is over at once; a live source may get partitions later. */
        if (part_total(engine) == 0 && engine->config.seal_ms == 0)
            finish(engine);
        return worked;
    }
    if (passed == INT64_MAX) {
        passed = end_of_all(engine);
        at_end = true;
        if (passed == INT64_MIN) { /* no event at all, and no clock: nothing closes */
            finish(engine);
            return worked;
        }
    }
    closed = floor_div(passed, (int64_t)engine->config.epoch_ms);
    if (engine->config.seal_ms > 0)
        seal_aim(engine, passed, now_ns);
    if (engine->planned_epoch == INT64_MIN) {
        /* A replay may know of blind spells from before its first records. */
        step_begin(engine, closed < blind_due(engine) ? closed : blind_due(engine));
        return true;
    }
    if (!snapshot_rerun_look(engine, &closed))
        return worked;
    if (engine->rerun == NULL && (!recovery_look(engine, &closed) || snapshot_poll(engine)))
        return worked;
    /* A step has a fixed price (a look at all lanes, a meeting of all workers), so closed
     * epochs are let to gather for a moment, unless bins would stop filling meanwhile. */
    bool defer = !at_end && !ends_round(engine, closed) &&
                 now_ns - engine->planned_ns < GATHER_NS &&
                 closed - engine->planned_epoch < engine->slot_count / 2;
    /* An image has further moments. */
    atomic_store_explicit(&engine->deferred, defer || engine->snapshot != NULL,
                          memory_order_relaxed);
    /* No more at a time than there are places: whoever has the role has others too. */
    for (int i = 0; i < STEPS && !defer && engine->planned_epoch < closed; i++) {
        if (!step_plan(engine, closed))
            break;
        engine->planned_ns = now_ns;
        worked = true;
    }
    if (at_end && engine->rerun == NULL && engine->recover_epoch == INT64_MIN &&
        engine->planned_epoch >= closed &&
        engine->steps_seen == atomic_load_explicit(&engine->step_count, memory_order_relaxed)) {
        step_done_publish(engine);
        finish(engine);
    }
    return worked;
}

bool sequencer_poll(struct engine *engine)
{
    bool worked;

    /* relaxed: only a hint; the exchange decides. R, acquire end. */
    if (atomic_load_explicit(&engine->sequencer_taken, memory_order_relaxed) ||
        atomic_exchange_explicit(&engine->sequencer_taken, true, memory_order_acquire))
        return false;
    worked = poll_role(engine);
    atomic_store_explicit(&engine->sequencer_taken, false, memory_order_release); /* R */
    return worked;
}

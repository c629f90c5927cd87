/*
 * rules_bound.c - holds max_keys of each rule at round ends (X4): all workers offer what
 * could go (key_queue.h), merge the same lists, and each evicts its own.
 */
#include <stdlib.h>
#include "correlate/bounds_tell.h"
#include "correlate/correlation.h"
#include "correlate/gone.h"
#include "correlate/key_queue.h"
#include "correlate/rule_trace.h"
#include "correlate/snapshot.h"

/* Keys of a rule, of all workers. */
static uint64_t keys_of(const struct correlation *c, uint32_t slot)
{
    uint64_t keys = 0;

    for (unsigned w = 0; w < c->worker->engine->worker_count; w++)
        keys += tally_get(&c->rules->slots[slot].tally[w].keys);
    return keys;
}

/* Of these, how many are beyond its bound. */
static uint64_t excess(const struct correlation *c, uint32_t slot)
{
    const struct rule_slot *s = &c->rules->slots[slot];
    uint64_t keys = s->current ? keys_of(c, slot) : 0;

    return s->current && keys > s->rule->max_keys ? keys - s->rule->max_keys : 0;
}

static int candidate_order(const struct key_candidate *x, const struct key_candidate *y)
{
    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    if (x->open != y->open)
        return x->open ? 1 : -1;
    if (x->last_ms != y->last_ms)
        return x->last_ms < y->last_ms ? -1 : 1;
    return key_text_compare(x->text, y->text);
}

/* A rule that is over its bound for the first time has no queue yet. The pass over all keys that
 * makes one is made for those, too, that may be next. */
static void queues_make(struct correlation *c)
{
    const struct rules_version *rules = c->rules;
    bool *is_wanted = memory_alloc(rules->slot_count);

    for (uint32_t s = 0; s < rules->slot_count; s++)
        is_wanted[s] = rules->slots[s].current && key_queue_of(c->worker, s) == NULL &&
                       keys_of(c, s) > rules->slots[s].rule->max_keys / 2;
    key_queues_begin(c->worker, is_wanted, rules->slot_count);
    free(is_wanted);
}

/* While this phase runs no count changes, so every worker sees the same excess. */
void rules_candidates_phase(struct worker *worker, const struct step *step)
{
    struct correlation c = correlation_begin(worker, 0, step);
    const uint32_t slot_count = c.rules->slot_count;
    bool owes_queue = false;

    worker->key_candidates.count = 0;
    worker->key_excess.count = 0;
    vector_reserve(&worker->key_excess, slot_count);
    for (uint32_t s = 0; s < slot_count; s++) {
        worker->key_excess.at[s] = step->is_silent ? 0 : excess(&c, s);
        owes_queue |= worker->key_excess.at[s] > 0 && key_queue_of(worker, s) == NULL;
    }
    if (owes_queue)
        queues_make(&c);
    for (uint32_t s = 0; s < slot_count; s++)
        if (worker->key_excess.at[s] > 0)
            key_queue_offer(worker, s, worker->key_excess.at[s], step->to_ms);
}

static void evict(struct correlation *c, const struct key_candidate *candidate)
{
    struct key_lane *lane = &c->worker->engine->key_lanes[candidate->lane];
    struct key_state *key = key_at(lane, candidate->number);

    if (LANES + (uint32_t)candidate->lane <= c->step->taken.lane)
        gone_note(c->worker, c->step, LANES + (uint32_t)candidate->lane, rule_key_id(c, key));
    rule_trace_lost(c, key);
    /* A key that goes with no touch that waits, as those of an incident do not, is one loss of the
     * rule all the same (X4). */
    uint32_t pending = key->is_open ? 0 : correlation_form(c, key)->pending(c, key);
    tally_add(&correlation_tally(c, key)->evicted, pending > 0 ? pending : 1);
    if (key->is_open) {
        incident_lose(c, key);
    } else {
        c->evicted += pending;
        correlation_hold(c, key, (uint64_t)0 - pending);
        bounds_gave_up(c->worker, key);
    }
    tally_add(&c->worker->tally.keys_evicted, 1);
    rule_key_remove(c, lane, candidate->number);
}

/* Those that may go after this one lie anywhere: state first, then what it points at. */
static void evict_fetch(const struct worker *worker, size_t at)
{
    enum { STATE_AHEAD = 8, BODY_AHEAD = 4 };
    const struct key_candidate *candidate = &worker->key_candidates.at[at];
    size_t behind = worker->key_candidates.count - at;

    if (behind > STATE_AHEAD)
        __builtin_prefetch(key_at(&worker->engine->key_lanes[candidate[STATE_AHEAD].lane],
                                  candidate[STATE_AHEAD].number));
    if (behind > BODY_AHEAD) {
        __builtin_prefetch(candidate[BODY_AHEAD].text);
        __builtin_prefetch(key_body(key_at(&worker->engine->key_lanes[candidate[BODY_AHEAD].lane],
                                           candidate[BODY_AHEAD].number)));
    }
}

/* Those that went when it was told. */
static void evict_again(struct correlation *c)
{
    const struct engine *engine = c->worker->engine;
    size_t count;
    const struct gone *gone = snapshot_rerun_gone(engine, c->step->to_ms, &count);

    for (size_t i = 0; i < count; i++) {
        uint32_t lane = gone[i].lane - LANES, number;
        if (gone[i].lane < LANES || lane_owner(engine, lane) != c->worker->index)
            continue;
        number = key_find(&engine->key_lanes[lane], gone[i].id);
        if (number != UINT32_MAX)
            evict(c, &(struct key_candidate){.lane = (uint8_t)lane, .number = number});
    }
}

void rules_evict_phase(struct worker *worker, uint64_t seq, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct correlation c = correlation_begin(worker, seq, step);
    size_t at[WORKERS_MAX] = {0};

    if (step->is_silent)
        evict_again(&c);
    for (;;) {
        const struct key_candidate *least = NULL;
        unsigned least_worker = 0;
        for (unsigned w = 0; w < engine->worker_count; w++) {
            const struct worker *other = &engine->workers[w];
            if (at[w] == other->key_candidates.count)
                continue;
            const struct key_candidate *candidate = &other->key_candidates.at[at[w]];
            if (least == NULL || candidate_order(candidate, least) < 0) {
                least = candidate;
                least_worker = w;
            }
        }
        if (least == NULL)
            break;
        at[least_worker]++;
        if (worker->key_excess.at[least->slot] == 0)
            continue;
        worker->key_excess.at[least->slot]--;
        if (least_worker == worker->index) {
            evict_fetch(worker, at[worker->index] - 1);
            key_queue_gone(worker, least);
            evict(&c, least);
        }
    }
    for (unsigned l = worker->index; l < LANES; l += engine->worker_count)
        correlation_lane_updates(&c, &engine->key_lanes[l]);
    correlation_publish_due(&c);
    correlation_end(&c);
    /* Between steps the sequencer role lets go of queues: they are looked through here alone. */
    worker->key_queue_bytes = key_queues_bytes(worker);
}

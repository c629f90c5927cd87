/*
 * rules_bound.c - holds max_keys of each rule at round ends (X4): all workers offer what
 * could go, merge the same lists, and each evicts its own.
 */
#include <stdlib.h>
#include "correlate/bounds_tell.h"
#include "correlate/correlation.h"
#include "correlate/rule_trace.h"

/* Keys that a rule holds beyond its bound. */
static uint64_t excess(const struct correlation *c, uint32_t slot)
{
    const struct rule_slot *s = &c->rules->slots[slot];
    uint64_t keys = 0;

    if (!s->current)
        return 0;
    for (unsigned w = 0; w < c->worker->engine->worker_count; w++)
        keys += tally_get(&s->tally[w].keys);
    return keys > s->rule->max_keys ? keys - s->rule->max_keys : 0;
}

static int candidate_order(const void *a, const void *b)
{
    const struct key_candidate *x = a, *y = b;

    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    if (x->open != y->open)
        return x->open ? 1 : -1;
    if (x->last_ms != y->last_ms)
        return x->last_ms < y->last_ms ? -1 : 1;
    return key_text_compare(x->text, y->text);
}

/* While this phase runs no count changes, so every worker sees the same excess. The
 * candidates of a rule over its bound are all its keys: a rule that overflows costs a
 * pass over the worker's keys per round. */
void rules_candidates_phase(struct worker *worker, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct correlation c = correlation_begin(worker, 0, step);
    bool any = false;

    worker->key_candidates.count = 0;
    worker->key_excess.count = 0;
    vector_reserve(&worker->key_excess, c.rules->slot_count);
    for (uint32_t s = 0; s < c.rules->slot_count; s++) {
        worker->key_excess.at[s] = excess(&c, s);
        any |= worker->key_excess.at[s] > 0;
    }
    for (unsigned l = worker->index; any && l < LANES; l += engine->worker_count) {
        const struct key_lane *lane = &engine->key_lanes[l];
        for (uint32_t n = 0; n < lane->used; n++) {
            const struct key_state *key = key_at(lane, n);
            if (key->used && worker->key_excess.at[key->slot] > 0)
                vector_add(&worker->key_candidates) =
                    (struct key_candidate){.open = key->is_open,
                                           .last_ms = key_last_ms(key),
                                           .text = key_words(key),
                                           .slot = key->slot,
                                           .number = n,
                                           .lane = (uint8_t)l};
        }
    }
    if (worker->key_candidates.count > 0)
        qsort(worker->key_candidates.at, worker->key_candidates.count, sizeof(struct key_candidate),
              candidate_order);
}

static void evict(struct correlation *c, const struct key_candidate *candidate)
{
    struct key_lane *lane = &c->worker->engine->key_lanes[candidate->lane];
    struct key_state *key = key_at(lane, candidate->number);

    rule_trace_lost(c, key);
    if (key->is_open) {
        incident_lose(c, key);
    } else {
        uint32_t pending = correlation_form(c, key)->pending(c, key);
        c->evicted += pending;
        tally_add(&correlation_tally(c, key)->evicted, pending);
        correlation_hold(c, key, (uint64_t)0 - pending);
        bounds_gave_up(c->worker, key);
    }
    tally_add(&c->worker->tally.keys_evicted, 1);
    rule_key_remove(c, lane, candidate->number);
}

void rules_evict_phase(struct worker *worker, uint64_t seq, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct correlation c = correlation_begin(worker, seq, step);
    size_t at[WORKERS_MAX] = {0};

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
        if (least_worker == worker->index)
            evict(&c, least);
    }
    for (unsigned l = worker->index; l < LANES; l += engine->worker_count)
        correlation_lane_updates(&c, &engine->key_lanes[l]);
    correlation_publish_due(&c);
    correlation_end(&c);
}

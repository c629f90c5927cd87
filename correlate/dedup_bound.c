/* dedup_bound.c - the bound of the alert table (X4), held at round ends. See dedup_parts.h. */
#include "correlate/dedup_parts.h"
#include "correlate/gone.h"
#include "correlate/snapshot.h"

#include <stdlib.h>

static uint64_t excess(const struct engine *engine, const struct step *step)
{
    const uint64_t max = step->rules->terms.alerts_max;
    uint64_t alerts = 0;

    for (unsigned w = 0; w < engine->worker_count; w++)
        alerts += atomic_load_explicit(&engine->workers[w].alerts_at_phase, memory_order_relaxed);
    return alerts > max ? alerts - max : 0;
}

static int candidate_order(const void *a, const void *b)
{
    const struct alert_candidate *x = a, *y = b;

    if (x->last_ms != y->last_ms)
        return x->last_ms < y->last_ms ? -1 : 1;
    return identity_compare(x->identity, y->identity);
}

/* The worker's lanes, the one whose timer is due first on top. To look through all of them for each
 * alert would cost more than the rest. */
struct lanes {
    struct {
        int64_t due_ms;
        struct alert_lane *lane;
    } at[LANES];
    unsigned count;
};

/* The timers of lane `i` have changed; all below are in order. */
static void lanes_sink(struct lanes *lanes, unsigned i)
{
    struct alert_lane *lane = lanes->at[i].lane;
    int64_t due_ms = alert_timers_due(&lane->timers);

    for (;;) {
        unsigned child = 2 * i + 1;
        if (child >= lanes->count)
            break;
        if (child + 1 < lanes->count && lanes->at[child + 1].due_ms < lanes->at[child].due_ms)
            child++;
        if (lanes->at[child].due_ms >= due_ms)
            break;
        lanes->at[i] = lanes->at[child];
        i = child;
    }
    lanes->at[i].lane = lane;
    lanes->at[i].due_ms = due_ms;
}

static void lanes_begin(struct lanes *lanes, const struct worker *worker)
{
    struct engine *engine = worker->engine;

    lanes->count = 0;
    for (unsigned l = worker->index; l < LANES; l += engine->worker_count) {
        lanes->at[lanes->count].lane = &engine->alert_lanes[l];
        lanes->at[lanes->count++].due_ms = alert_timers_due(&engine->alert_lanes[l].timers);
    }
    for (unsigned i = lanes->count / 2; i-- > 0;)
        lanes_sink(lanes, i);
}

/*
 * Every alert has one expiry entry in its lane's heap, due at or before last + expire: popping the
 * heaps gives the alerts by `last` without another index. All of one `last` are taken out, for the
 * identity decides among them; of a burst of one millisecond that may be nearly all there are. So
 * who is not needed yet stays in the line, sorted, for the rounds to come.
 */
static void line_fill(struct dedup *d, uint64_t wanted)
{
    struct engine *engine = d->worker->engine;
    struct alert_line *line = &d->worker->alert_line;
    const struct step *step = d->step;
    VECTOR_OF(struct timer) aside = {0};
    struct lanes lanes;

    alert_line_clear(line);
    line->owes_timers = true;
    for (unsigned l = d->worker->index; l < LANES; l += engine->worker_count)
        dedup_timed_again(d, &engine->alert_lanes[l], step->to_ms);
    lanes_begin(&lanes, d->worker);
    for (;; lanes_sink(&lanes, 0)) {
        struct alert_lane *lane = lanes.at[0].lane;
        unsigned lane_number = (unsigned)(lane - engine->alert_lanes);
        size_t have = line->all.count;
        if (alert_timers_due(&lane->timers) == INT64_MAX)
            break;
        if (have >= wanted &&
            alert_timers_due(&lane->timers) > line->all.at[have - 1].last_ms + d->terms->expire_ms)
            break;
        struct timer timer = alert_timers_pop(&lane->timers);
        struct alert_cold *cold = alert_cold(lane, timer.owner);
        if (cold->generation != timer.generation)
            continue;
        struct alert_slot *slot = alert_find(lane, cold->fingerprint);
        if (timer.kind == ALERT_TIMER_FLAP) {
            vector_add(&aside) = timer;
            aside.at[aside.count - 1].kind = (uint16_t)lane_number; /* kept for the way back */
            continue;
        }
        int64_t last_ms = alert_slot_last(slot, step->to_ms);
        if (last_ms + d->terms->expire_ms > timer.due_ms) {
            dedup_timer_push(lane, slot, ALERT_TIMER_EXPIRE, last_ms + d->terms->expire_ms);
            continue;
        }
        vector_add(&line->all) = (struct alert_candidate){.last_ms = last_ms,
                                                          .identity = cold->text,
                                                          .cold = timer.owner,
                                                          .lane = (uint8_t)lane_number};
    }
    for (size_t i = 0; i < aside.count; i++) {
        struct timer timer = aside.at[i];
        struct alert_lane *lane = &engine->alert_lanes[timer.kind];
        timer.kind = ALERT_TIMER_FLAP;
        alert_timers_push(&lane->timers, timer);
    }
    free(aside.at);
    if (line->all.count > 1)
        qsort(line->all.at, line->all.count, sizeof(struct alert_candidate), candidate_order);
}

/* Is it there yet, and nothing came for it? What comes makes `last` a time that is not before the
 * end of the round in which the line was made; so does the renewal of one that is held, when its
 * entry in the heap is due; and so late is that of another that has its number by now. */
static bool is_silent_still(const struct dedup *d, const struct alert_candidate *candidate)
{
    const struct alert_lane *lane = &d->worker->engine->alert_lanes[candidate->lane];
    const struct alert_slot *slot =
        alert_find(lane, alert_cold(lane, candidate->cold)->fingerprint);

    return slot != NULL && alert_slot_last(slot, d->step->to_ms) == candidate->last_ms;
}

/* Offers those of the line that go first. False when it has fewer than are wanted. */
static bool line_offer(const struct dedup *d, uint64_t wanted)
{
    struct alert_line *line = &d->worker->alert_line;
    size_t at = line->first;

    d->worker->alert_candidates.count = 0;
    while (at < line->all.count && d->worker->alert_candidates.count < wanted) {
        const struct alert_candidate *candidate = &line->all.at[at++];
        if (is_silent_still(d, candidate))
            vector_add(&d->worker->alert_candidates) = *candidate;
    }
    /* Who is not taken is offered again: they stand before those that were not looked at. */
    line->first = at - d->worker->alert_candidates.count;
    for (size_t i = 0; i < d->worker->alert_candidates.count; i++)
        line->all.at[line->first + i] = d->worker->alert_candidates.at[i];
    return d->worker->alert_candidates.count >= wanted;
}

/* `taken` of those that were offered have gone. */
static void line_taken(struct dedup *d, size_t taken)
{
    struct alert_line *line = &d->worker->alert_line;

    line->first += taken;
    for (size_t i = line->first; line->owes_timers && i < line->all.count; i++) {
        const struct alert_candidate *stays = &line->all.at[i];
        struct alert_lane *lane = &d->worker->engine->alert_lanes[stays->lane];
        struct alert_slot *slot = alert_find(lane, alert_cold(lane, stays->cold)->fingerprint);
        dedup_timer_push(lane, slot, ALERT_TIMER_EXPIRE, stays->last_ms + d->terms->expire_ms);
    }
    line->owes_timers = false;
}

void dedup_candidates_phase(struct worker *worker, const struct step *step)
{
    struct dedup d = dedup_begin(worker, 0, step);
    uint64_t wanted = step->is_silent ? 0 : excess(worker->engine, step);

    worker->alert_candidates.count = 0;
    if (wanted > 0 && !line_offer(&d, wanted)) {
        line_fill(&d, wanted);
        line_offer(&d, wanted);
    }
}

static void evict(struct dedup *d, const struct alert_candidate *candidate)
{
    struct alert_lane *lane = &d->worker->engine->alert_lanes[candidate->lane];
    struct alert_cold *cold = alert_cold(lane, candidate->cold);
    struct alert_slot *slot = alert_find(lane, cold->fingerprint);

    struct order order = dedup_alert_order(d->step->to_ms, ORDER_ROUND_END, cold->text);

    gone_note(d->worker, d->step, candidate->lane, cold->fingerprint);
    dedup_trace_ended(d, slot, cold, TRACE_ALERT_EVICTED, d->step->to_ms);
    dedup_flap_clear(d, slot);
    dedup_flap_tell_end(d, &order, cold, TOUCH_EVICT);
    dedup_emit_all(d, &order, cold, TOUCH_EVICT, cold->text);
    dedup_alert_drop(d, lane, slot);
    tally_add(&d->worker->tally.alerts_evicted, 1);
}

/* Those that went when it was told: what an image says may be anything. */
static void evict_again(struct dedup *d)
{
    struct engine *engine = d->worker->engine;
    size_t count;
    const struct gone *gone = snapshot_rerun_gone(engine, d->step->to_ms, &count);

    for (size_t i = 0; i < count; i++) {
        struct alert_lane *lane = &engine->alert_lanes[gone[i].lane % LANES];
        const struct alert_slot *slot;
        if (gone[i].lane >= LANES || lane_owner(engine, gone[i].lane) != d->worker->index)
            continue;
        dedup_timed_again(d, lane, d->step->to_ms); /* none that goes may wait without a timer */
        slot = alert_find(lane, gone[i].id);
        if (slot != NULL)
            evict(d, &(struct alert_candidate){.cold = alert_slot_cold(slot),
                                               .lane = (uint8_t)gone[i].lane});
    }
}

void dedup_evict_phase(struct worker *worker, uint64_t seq, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct dedup d = dedup_begin(worker, seq, step);
    uint64_t wanted = step->is_silent ? 0 : excess(engine, step);
    size_t at[WORKERS_MAX] = {0};

    if (step->is_silent)
        evict_again(&d);

    /* Every worker merges all lists, and so comes to the same cut, and acts on its own. */
    for (; wanted > 0; wanted--) {
        const struct alert_candidate *least = NULL;
        unsigned least_worker = 0;
        for (unsigned w = 0; w < engine->worker_count; w++) {
            const struct worker *other = &engine->workers[w];
            if (at[w] == other->alert_candidates.count)
                continue;
            const struct alert_candidate *c = &other->alert_candidates.at[at[w]];
            if (least == NULL || candidate_order(c, least) < 0) {
                least = c;
                least_worker = w;
            }
        }
        if (least == NULL)
            break;
        at[least_worker]++;
        if (least_worker == worker->index)
            evict(&d, least);
    }
    line_taken(&d, at[worker->index]);
    dedup_tally_store(&d);
}

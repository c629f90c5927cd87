/*
 * dedup.c - stage D: folds repeats, pairs problems with clears, damps flapping,
 * expires silent alerts; tells the rules what is left (docs/correlation.md, 2).
 *
 * This file holds the table of what an event does to its alert, and the phase. The loop over a
 * batch does one thing per repeat: compare and count in a slot that was prefetched. Everything else
 * is off the straight line, in the functions below. Alerts do not depend on each other, so timers
 * of an alert are looked at when an event of it comes, and those of all others at the end of the
 * step; the order of the touches is restored by sorting them in stage R.
 */
#include "correlate/dedup_parts.h"

#include <stdlib.h>
#include <string.h>
#include "correlate/away.h"
#include "correlate/sort.h"

enum { PREFETCH_AHEAD = 16, INDEX_BITS = SORT_INDEX_BITS, RANK_BITS = 16 };

/* --- words -------------------------------------------------------------------------  */

static void text_store(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                       struct alert_cold *cold, const struct event *ev)
{
    struct event_text *text = slab_alloc(&d->worker->slab, ev->text->bytes);

    memcpy(text, ev->text, ev->text->bytes);
    if (cold->text != NULL)
        worker_bury(d->worker, d->seq, cold->text, cold->text->bytes);
    cold->text = text;
    cold->is_pushed = away_is_intake(d->worker->engine->parts[ev->part]);
    if (cold->is_away && !cold->is_pushed)
        dedup_come_back(d, lane, slot, cold, ev->et_ms);
    cold->problem_et = ev->et_ms;
    cold->severity = ev->severity;
}

/* --- events ----------------------------------------------------------------------------- */

static void count_touched(struct dedup *d, bool touched)
{
    if (touched)
        d->routed++;
    else
        d->unmatched++;
}

static void count_folded(struct dedup *d)
{
    d->duplicate++;
    d->folded++;
}

static void open_alert(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                       struct alert_cold *cold, const struct event *ev)
{
    struct order order = dedup_event_order(d, ev);

    slot->attr_hash = ev->attr_hash;
    slot->bits |= ALERT_OPEN;
    if ((ev->flags & EVENT_OF_INCIDENT) != 0) {
        slot->bits |= ALERT_INCIDENT;
        cold->is_held = d->rules->takes_incidents && (ev->flags & EVENT_LAST_WORD) == 0;
    }
    text_store(d, lane, slot, cold, ev);
    dedup_change_record(d, cold, ev->et_ms);
    if ((slot->bits & ALERT_FLAPPING) != 0) {
        dedup_flap_look(d, lane, slot, cold, &order);
        count_folded(d);
        return;
    }
    dedup_tell_open(d, &order, slot, cold, ev->text);
    count_touched(d, cold->route_count > 0);
    dedup_flap_look(d, lane, slot, cold, &order);
}

static void repeat_alert(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                         const struct event *ev)
{
    struct order order = dedup_event_order(d, ev);

    bool told = (slot->bits & ALERT_FLAPPING) == 0 || cold->told_attr == slot->attr_hash;

    if ((slot->bits & ALERT_EVENT_ROUTES) == 0 || !told) {
        d->duplicate++;
        return;
    }
    for (unsigned i = 0; i < cold->route_count; i++)
        if (dedup_takes_events(d, &cold->routes[i]))
            dedup_emit(d, order, &cold->routes[i], TOUCH_REPEAT, cold,
                       (struct told){ev->text, ev->severity});
    d->routed++;
}

/* A problem event for an open alert. */
static void again_alert(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                        struct alert_cold *cold, const struct event *ev)
{
    struct order order = dedup_event_order(d, ev);
    bool same = slot->attr_hash == ev->attr_hash;
    bool stale = (slot->bits & ALERT_STALE) != 0;
    bool flapping = (slot->bits & ALERT_FLAPPING) != 0;
    const struct told told = {ev->text, ev->severity};

    if (same && (flapping || !(stale || d->rules->reads_message))) {
        repeat_alert(d, slot, cold, ev);
        return;
    }
    if (flapping) {
        slot->attr_hash = ev->attr_hash;
        text_store(d, lane, slot, cold, ev);
        count_folded(d);
        return;
    }
    /* As it was sent it is the same, but an enrich step made something else of its severity. */
    if (!stale && ev->severity != cold->severity)
        same = false;
    dedup_match(d, slot, ev->text, ev->severity, ev->et_ms);
    if (same && dedup_routes_hold(d, cold)) {
        slot->bits &= ~(uint32_t)ALERT_STALE;
        repeat_alert(d, slot, cold, ev);
        return;
    }
    if (same && stale) {
        /* Nothing new happened but a switch: what an unchanged rule knows may not move, a
         * reload is no reason for its incidents to stay open longer. */
        if (dedup_tell_changed(d, &order, slot, cold, told, TOUCH_REPEAT))
            d->routed++;
        else
            d->duplicate++;
        return;
    }
    slot->attr_hash = ev->attr_hash;
    text_store(d, lane, slot, cold, ev);
    count_touched(d, dedup_tell_changed(d, &order, slot, cold, told, TOUCH_CHANGE));
}

static void close_alert(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                        struct alert_cold *cold, const struct event *ev)
{
    struct order order = dedup_event_order(d, ev);

    dedup_let_go(d, lane, slot, cold, ev->et_ms);
    slot->bits &= ~(uint32_t)ALERT_OPEN;
    tally_add(&d->worker->tally.alerts_cleared, 1); /* as re-fires are: while it is flapping too */
    dedup_change_record(d, cold, ev->et_ms);
    if ((slot->bits & ALERT_FLAPPING) != 0) {
        dedup_flap_look(d, lane, slot, cold, &order);
        count_folded(d);
        return;
    }
    count_touched(d, cold->route_count > 0);
    dedup_tell_closed(d, &order, slot, cold, ev->text);
    dedup_flap_look(d, lane, slot, cold, &order);
}

static void event_full(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                       const struct event *ev)
{
    struct alert_cold *cold = slot != NULL ? alert_cold(lane, alert_slot_cold(slot)) : NULL;

    if (slot != NULL && dedup_timers_run(d, slot, cold, ev->et_ms)) {
        if (ev->state == EVENT_CLEAR) {
            dedup_alert_drop(d, lane, slot);
            slot = NULL;
        } else {
            /* The old alert is over, a new one begins in its place; the heap entry stays. */
            dedup_cold_clear(d, cold);
            slot->bits &= ~(uint32_t)(ALERT_FLAGS | ALERT_COUNT_MAX << ALERT_COUNT_SHIFT);
            tally_add(&d->worker->tally.alerts_opened, 1);
            cold->count = 1;
            slot->last32 = (uint32_t)ev->et_ms;
            open_alert(d, lane, slot, cold, ev);
            return;
        }
    }
    if (slot == NULL) {
        if (ev->state == EVENT_CLEAR) {
            d->unmatched++;
            return;
        }
        slot = alert_add(lane, ev->fingerprint);
        cold = alert_cold(lane, alert_slot_cold(slot));
        cold->count = 1;
        slot->last32 = (uint32_t)ev->et_ms;
        dedup_timer_push(lane, slot, ALERT_TIMER_EXPIRE, ev->et_ms + d->terms->expire_ms);
        tally_add(&d->worker->alerts, 1);
        tally_add(&d->worker->tally.alerts_opened, 1);
        open_alert(d, lane, slot, cold, ev);
        return;
    }
    slot->last32 = (uint32_t)ev->et_ms;
    cold->count++;
    if ((ev->flags & EVENT_LAST_WORD) != 0)
        dedup_let_go(d, lane, slot, cold, ev->et_ms);
    if (ev->state == EVENT_CLEAR) {
        if ((slot->bits & ALERT_OPEN) != 0)
            close_alert(d, lane, slot, cold, ev);
        else
            d->duplicate++;
    } else if ((slot->bits & ALERT_OPEN) != 0) {
        again_alert(d, lane, slot, cold, ev);
    } else {
        tally_add(&d->worker->tally.alerts_refired, 1);
        open_alert(d, lane, slot, cold, ev);
    }
}

/* --- for somebody who asks why ------------------------------------------------------------ */

/* What an event for this alert comes to, told from what it finds. */
static enum trace_outcome outcome_of(const struct event *ev, bool exists, bool open, bool matched)
{
    if (ev->state == EVENT_CLEAR)
        return !exists ? TRACE_CLEAR_OF_NONE : open ? TRACE_CLEARED : TRACE_CLEAR_OF_CLOSED;
    return !exists ? TRACE_NEW : !open ? TRACE_REFIRED : matched ? TRACE_CHANGED : TRACE_REPEATED;
}

/* event_full(), and what it did told from the outside: results cannot depend on it. */
static void event_traced(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                         const struct event *ev)
{
    const struct part *part = d->worker->engine->parts[ev->part];
    struct trace_decision decision = {.event = ev,
                                      .topic = part->name,
                                      .partition = part->number,
                                      .expire_ms = ev->et_ms + d->terms->expire_ms,
                                      .rules = d->rules};
    uint64_t duplicate = d->duplicate, unmatched = d->unmatched;
    bool exists =
        slot != NULL && dedup_over_ms(d, slot, alert_cold(lane, alert_slot_cold(slot)), ev->et_ms) >
                            ev->et_ms; /* else its timer comes first */
    bool open = exists && (slot->bits & ALERT_OPEN) != 0;
    bool flapping = exists && (slot->bits & ALERT_FLAPPING) != 0 &&
                    alert_cold(lane, alert_slot_cold(slot))->flap_end_ms > ev->et_ms;
    bool changed = exists && slot->attr_hash != ev->attr_hash;

    event_full(d, lane, slot, ev);
    decision.counted = d->duplicate > duplicate   ? TRACE_DUPLICATE
                       : d->unmatched > unmatched ? TRACE_UNMATCHED
                                                  : TRACE_ROUTED;
    decision.outcome = outcome_of(ev, exists, open, changed);
    slot = alert_find(lane, ev->fingerprint);
    if (slot != NULL) {
        const struct alert_cold *cold = alert_cold(lane, alert_slot_cold(slot));
        decision.flapping = flapping;
        decision.flap_begun = !flapping && (slot->bits & ALERT_FLAPPING) != 0;
        decision.calm_ms = cold->flap_end_ms;
        decision.routes = cold->routes;
        decision.route_count = cold->route_count;
    }
    if (d->trace->decided != NULL)
        d->trace->decided(d->trace->self, &decision);
}

/* --- enrichment ------------------------------------------------------------------------- */

/* What has to be known of every event. NULL: a step drops it. */
static const struct event *enrich_first(struct dedup *d, const struct event *ev)
{
    const struct enrich_step *step = dedup_drops(d, ev);

    if (step == NULL)
        return d->rules->takes_all ? dedup_enrich(d, ev) : ev;
    d->dropped++;
    if (d->trace != NULL && d->trace->decided != NULL) {
        const struct part *part = d->worker->engine->parts[ev->part];
        const struct trace_decision decision = {.event = ev,
                                                .topic = part->name,
                                                .partition = part->number,
                                                .outcome = TRACE_DROPPED,
                                                .counted = TRACE_COUNTED_DROPPED,
                                                .dropped_by = step->id,
                                                .rules = d->rules};
        d->trace->decided(d->trace->self, &decision);
    }
    return NULL;
}

static bool is_over(const struct dedup *d, const struct alert_lane *lane, struct alert_slot *slot,
                    int64_t now_ms)
{
    return alert_slot_last(slot, now_ms) + d->terms->expire_ms <= now_ms &&
           dedup_over_ms(d, slot, alert_cold(lane, alert_slot_cold(slot)), now_ms) <= now_ms;
}

/* Does anybody see the words of this event? Not those of a repeat that is only counted, nor of a
 * clear, which follows the routes. The same with and without a tracer. */
static bool needs_words(const struct dedup *d, const struct alert_lane *lane,
                        struct alert_slot *slot, const struct event *ev)
{
    return ev->state == EVENT_PROBLEM &&
           (d->rules->reads_message || slot == NULL || slot->attr_hash != ev->attr_hash ||
            (slot->bits & ALERT_FLAGS) != ALERT_OPEN || is_over(d, lane, slot, ev->et_ms));
}

/* --- the phase ------------------------------------------------------------------------- */

/* By (et, partition, offset, sub); `step` knows the order of partitions. */
static int event_order(const void *a, const void *b, void *step)
{
    const struct event *x = *(const struct event *const *)a, *y = *(const struct event *const *)b;
    const uint16_t *rank = ((const struct step *)step)->rank;

    if (x->et_ms != y->et_ms)
        return x->et_ms < y->et_ms ? -1 : 1;
    if (rank[x->part] != rank[y->part])
        return rank[x->part] < rank[y->part] ? -1 : 1;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->sub > y->sub) - (x->sub < y->sub);
}

/* More than the keys have numbers for, as in a file whose records all have one time: the events
 * themselves are put in order, and the keys are their places. */
static void batch_sort_many(struct worker *worker, const struct step *step, size_t count)
{
    qsort_r(worker->batch.at, count, sizeof(*worker->batch.at), event_order,
            (void *)(uintptr_t)step);
    for (size_t i = 0; i < count; i++)
        worker->sort_key.at[i] = i;
}

/* Collects the worker's events of the step and sorts them by (et, partition, offset, sub). Which
 * of the batch comes i-th, the low bits of the i-th key say. */
static size_t batch_collect(struct worker *worker, const struct step *step)
{
    struct engine *engine = worker->engine;
    size_t count = 0;

    worker->batch.count = worker->sort_key.count = 0;
    for (unsigned t = 0; t <= engine->worker_count; t++) {
        int64_t reach;
        const struct bins *bins = engine_bins(engine, t, &reach);
        int64_t to = reach < step->epoch_to ? reach : step->epoch_to;
        for (int64_t e = step->epoch_from; step->events > 0 && e < to; e++) {
            const struct bin_slot *slot = bins_slot(bins, e);
            if (slot->epoch != e)
                continue;
            for (const struct event_chunk *c = slot->worker[worker->index].first; c != NULL;
                 c = c->next) {
                vector_reserve(&worker->batch, c->count);
                vector_reserve(&worker->sort_key, c->count);
                for (uint32_t i = 0; i < c->count; i++) {
                    const struct event *ev = &c->event[i];
                    const struct part *part = engine->parts[ev->part];
                    /* relaxed: written before the step was published (S). */
                    if (e >= atomic_load_explicit(&part->left_epoch, memory_order_relaxed)) {
                        tally_add(&worker->tally.left_events, 1);
                        continue;
                    }
                    if (step->is_silent &&
                        ev->et_ms <
                            lane_times_at(&engine->alert_lanes[ev->lane].times, ev->fingerprint))
                        continue;
                    uint64_t time = (uint64_t)(ev->et_ms - step->from_ms);
                    uint64_t rank = step->rank[ev->part];
                    worker->sort_key.at[count] =
                        (time << RANK_BITS | rank) << INDEX_BITS | (uint64_t)count;
                    worker->batch.at[count++] = ev;
                    worker->batch.count = worker->sort_key.count = count;
                }
            }
        }
    }
    if (count > engine->config.sort_max) {
        batch_sort_many(worker, step, count);
        return count;
    }
    worker->sort_scratch.count = 0;
    vector_reserve(&worker->sort_scratch, count);
    sort_keys(worker->sort_key.at, worker->sort_scratch.at, count, INDEX_BITS);
    return count;
}

static void batch_run(struct dedup *d, size_t count)
{
    struct worker *worker = d->worker;
    struct alert_lane *lanes = worker->engine->alert_lanes;
    const struct event **batch = worker->batch.at;
    const uint64_t *key = worker->sort_key.at;
    const uint64_t index_mask = count > d->config->sort_max ? UINT64_MAX : SORT_MAX - 1;
    const uint32_t expire = (uint32_t)d->terms->expire_ms;
    const bool traced = d->trace != NULL, takes_all = d->rules->takes_all;
    const bool enriches = d->rules->enrich != NULL;
    const bool enriches_first = enriches && (takes_all || d->rules->drop_reach > 0);
    /* With a tracer nothing is straight: no flags are equal to this. */
    const uint32_t straight = d->rules->reads_message || traced ? UINT32_MAX : ALERT_OPEN;
    uint64_t duplicate = 0;

    for (size_t i = 0; i < count && i < PREFETCH_AHEAD; i++) {
        const struct event *ev = batch[key[i] & index_mask];
        alert_prefetch(&lanes[ev->lane], ev->fingerprint);
    }
    for (size_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count) {
            const struct event *ahead = batch[key[i + PREFETCH_AHEAD] & index_mask];
            alert_prefetch(&lanes[ahead->lane], ahead->fingerprint);
        }
        const struct event *ev = batch[key[i] & index_mask];
        worker_at(worker, ev->part, ev->offset);
        if ((ev->flags & EVENT_BY_HAND) != 0) {
            dedup_by_hand(d, ev);
            continue;
        }
        if (enriches_first && (ev = enrich_first(d, ev)) == NULL)
            continue;
        struct alert_lane *lane = &lanes[ev->lane];
        struct alert_slot *slot = alert_find(lane, ev->fingerprint);
        if (takes_all && (ev->flags & EVENT_OF_INCIDENT) == 0)
            dedup_beat(d, ev);
        /* The straight line: a repeat of an open, calm alert that no rule wants to see. */
        if (slot != NULL && ev->state == EVENT_PROBLEM && slot->attr_hash == ev->attr_hash &&
            (slot->bits & ALERT_FLAGS) == straight &&
            (uint32_t)((uint32_t)ev->et_ms - slot->last32) < expire) {
            slot->last32 = (uint32_t)ev->et_ms;
            if ((slot->bits >> ALERT_COUNT_SHIFT & ALERT_COUNT_MAX) == ALERT_COUNT_MAX) {
                alert_cold(lane, alert_slot_cold(slot))->count += ALERT_COUNT_MAX + 1;
                slot->bits &= ~(uint32_t)(ALERT_COUNT_MAX << ALERT_COUNT_SHIFT);
            } else {
                slot->bits += 1u << ALERT_COUNT_SHIFT;
            }
            duplicate++;
            continue;
        }
        if (enriches && slot != NULL) /* else it would show in counts where a step happens to end */
            dedup_flap_run(d, slot, alert_cold(lane, alert_slot_cold(slot)), ev->et_ms);
        if (enriches && needs_words(d, lane, slot, ev))
            ev = dedup_enrich(d, ev);
        if (traced)
            event_traced(d, lane, slot, ev);
        else
            event_full(d, lane, slot, ev);
    }
    worker_at(worker, 0, 0);
    d->duplicate += duplicate;
    if (enriches)
        dedup_enriched(d);
}

/* After a switch every alert is to be matched anew at its next event. Without composites nobody is
 * told the end of an incident: its alert expires as others do. */
static void lane_stale(struct dedup *d, struct alert_lane *lane)
{
    const struct rules_version *rules = d->rules;

    dedup_terms_change(d, lane);
    if (!rules->takes_incidents)
        dedup_timed_again(d, lane, d->step->from_ms);
    for (uint32_t i = 0; i <= lane->mask; i++) {
        struct alert_slot *slot = &lane->slots[i];
        if (slot->bits == 0)
            continue;
        slot->bits |= ALERT_STALE;
        if ((slot->bits & ALERT_INCIDENT) != 0 && !rules->takes_incidents)
            alert_cold(lane, alert_slot_cold(slot))->is_held = false;
    }
    lane->generation = rules->generation;
}

void dedup_tally_store(struct dedup *d)
{
    struct tally *tally = &d->worker->tally;

    tally_add(&tally->duplicate, d->duplicate);
    tally_add(&tally->unmatched, d->unmatched);
    tally_add(&tally->routed, d->routed);
    tally_add(&tally->dropped, d->dropped);
    tally_add(&tally->enrich_errors, d->enrich_errors);
    tally_add(&tally->touches, d->touches);
    d->worker->so_far.touches += d->touches;
    tally_add(&tally->flap_folded, d->folded);
}

struct dedup dedup_begin(struct worker *worker, uint64_t seq, const struct step *step)
{
    return (struct dedup){.worker = worker,
                          .config = &worker->engine->config,
                          .step = step,
                          .rules = step->rules,
                          .terms = &step->rules->terms,
                          .trace = worker->engine->listener.trace,
                          .seq = seq};
}

void dedup_phase(struct worker *worker, uint64_t seq, const struct step *step)
{
    struct engine *engine = worker->engine;
    struct dedup d = dedup_begin(worker, seq, step);

    /* The step that used this place before is done (F): what it pointed at may go. */
    struct remains *remains = worker->remains[seq & (STEPS - 1)].at;
    for (size_t i = 0; i < worker->remains[seq & (STEPS - 1)].count; i++) {
        if (i + PREFETCH_AHEAD < worker->remains[seq & (STEPS - 1)].count)
            __builtin_prefetch(remains[i + PREFETCH_AHEAD].block, 1);
        slab_free(&worker->slab, remains[i].block, remains[i].bytes);
    }
    worker->remains[seq & (STEPS - 1)].count = 0;
    for (unsigned w = 0; w < engine->worker_count; w++)
        worker->touches_out[seq & (STEPS - 1)][w].count = 0;
    worker->changes[seq & (STEPS - 1)].count = 0;
    worker->joins[seq & (STEPS - 1)].count = 0;
    worker->join_words[seq & (STEPS - 1)].count = 0;
    if (step->rules->enrich != NULL && worker->enrich == NULL) {
        worker->enrich = enrich_room_create();
        if (worker->enrich == NULL)
            memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    }
    worker->match.count = 0;
    vector_reserve(&worker->match, step->rules->rule_count);

    for (unsigned lane = worker->index; lane < LANES; lane += engine->worker_count)
        if (engine->alert_lanes[lane].generation != step->rules->generation)
            lane_stale(&d, &engine->alert_lanes[lane]);
    size_t count = batch_collect(worker, step);
    batch_run(&d, count);
    for (unsigned lane = worker->index; lane < LANES; lane += engine->worker_count)
        dedup_lane_timers_run(&d, &engine->alert_lanes[lane]);
    tally_add(&worker->tally.closed_events, count - d.acts);
    dedup_tally_store(&d);
    /* relaxed: published by the end of the phase (T). */
    atomic_store_explicit(&worker->alerts_at_phase, tally_get(&worker->alerts),
                          memory_order_relaxed);
}

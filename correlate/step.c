/*
 * step.c - see step.h.
 */
#include "correlate/step.h"

#include "correlate/blind.h"
#include "correlate/composite.h"
#include "correlate/crash.h"
#include "correlate/derived.h"
#include "correlate/bounds_tell.h"
#include "correlate/mark.h"
#include "correlate/part.h"
#include "correlate/rules_retire.h"
#include "correlate/rules_switch.h"
#include "correlate/snapshot.h"
#include "correlate/step_report.h"

const struct bins *engine_bins(const struct engine *engine, unsigned t, int64_t *reach)
{
    if (t == engine->worker_count) {
        *reach = engine->derived_reach;
        return &engine->derived;
    }
    /* B, acquire end: the slots below are empty, or hold the epoch that they are for. */
    *reach = atomic_load_explicit(&engine->workers[t].reach_epoch, memory_order_acquire);
    return &engine->workers[t].bins;
}

static uint64_t events_in(const struct engine *engine, int64_t epoch)
{
    uint64_t count = 0;

    for (unsigned t = 0; t <= engine->worker_count; t++) {
        int64_t reach;
        const struct bins *bins = engine_bins(engine, t, &reach);
        if (epoch < reach && bins_slot(bins, epoch)->epoch == epoch)
            count += bins_slot(bins, epoch)->count;
    }
    return count;
}

/* How many more keys the rule that is nearest to its bound may get. */
static int64_t keys_left(const struct engine *engine, const struct rules_version *rules)
{
    int64_t least = INT64_MAX;

    for (uint32_t i = 0; i < rules->rule_count; i++) {
        const struct rule_slot *slot = &rules->slots[rules->slot_of[i]];
        if (slot->rule->listed_count > 0)
            continue; /* it gets no key by an event, and its list is within the bound */
        int64_t left = (int64_t)slot->rule->max_keys;
        for (unsigned w = 0; w < engine->worker_count; w++)
            left -= (int64_t)tally_get(&slot->tally[w].keys);
        least = left < least ? left : least;
    }
    return least;
}

/* What the workers had counted when the last step that is done ended; those under way may not have
 * shown what they do. */
static struct step_end ended(const struct engine *engine)
{
    struct step_end sum = {0};

    for (unsigned w = 0; engine->steps_seen > 0 && w < engine->worker_count; w++) {
        const struct step_end *end =
            &engine->workers[w].step_end[(engine->steps_seen - 1) & (STEPS - 1)];
        sum.keys_made += end->keys_made;
        sum.keys_gone += end->keys_gone;
        sum.flapping += end->flapping;
    }
    return sum;
}

/*
 * How many more alerts and keys can come before some bound could be reached; below
 * zero when one may be over already. An event makes at most one alert, and one key per
 * rule; the end of flapping makes a key without an event. `coming` is the most that steps under
 * way will add.
 *
 * To look at each rule's keys before each step would cost more than some steps do. So the last look
 * is remembered, and every key made since, of whatever rule, is taken off it: the true room is
 * never less. A new look is due when that is not enough for a full step; it is paid for by the keys
 * that came and went since the last, or by as many steps as cost as much as it does. Results do
 * not show which of the two it was: too little room only makes a step end with its round.
 */
static int64_t headroom(struct engine *engine, const struct rules_version *rules, int64_t coming)
{
    enum { RULES_PER_STEP = 64 }; /* a look at so many costs less than the emptiest step */
    struct key_room *room = &engine->key_room;
    const struct step_end now = ended(engine);
    int64_t alerts = (int64_t)rules->terms.alerts_max - coming;
    int64_t taken = coming + (int64_t)now.flapping;

    for (unsigned w = 0; w < engine->worker_count; w++)
        alerts -= (int64_t)tally_get(&engine->workers[w].alerts);
    int64_t keys = room->left - (int64_t)(now.keys_made - room->at.keys_made) - taken;
    uint64_t changes = now.keys_made - room->at.keys_made + now.keys_gone - room->at.keys_gone +
                       RULES_PER_STEP * (engine->steps_seen - room->step);
    if (room->generation != rules->generation ||
        (keys < 2 * STEP_EVENTS && changes >= rules->rule_count)) {
        *room = (struct key_room){.left = keys_left(engine, rules),
                                  .at = now,
                                  .step = engine->steps_seen,
                                  .generation = rules->generation};
        keys = room->left - taken;
    }
    return alerts < keys ? alerts : keys;
}

/* The earliest timer; valid when no step is under way. */
static int64_t next_due(const struct engine *engine)
{
    int64_t due = INT64_MAX;

    for (unsigned w = 0; w < engine->worker_count; w++) {
        int64_t at = atomic_load_explicit(&engine->workers[w].next_due, memory_order_relaxed);
        due = at < due ? at : due;
    }
    int64_t at = atomic_load_explicit(&engine->mute_due_ms, memory_order_relaxed);
    return at < due ? at : due;
}

static void watermark_set(struct engine *engine, int64_t epoch)
{
    engine->planned_epoch = epoch;
    /* relaxed: for metrics and joins. */
    atomic_store_explicit(&engine->watermark_ms, epoch * (int64_t)engine->config.epoch_ms,
                          memory_order_relaxed);
}

void step_begin(struct engine *engine, int64_t epoch)
{
    const struct engine_config *config = &engine->config;

    /* A live run may have begun long before its first record. */
    for (size_t i = 0; i < config->mark_count; i++)
        if (config->marks[i].kind == MARK_BEGIN) {
            int64_t begin = floor_div(config->marks[i].value_ms, (int64_t)config->epoch_ms);
            epoch = begin < epoch ? begin : epoch;
        }
    watermark_set(engine, epoch);
    int64_t begin_ms = epoch * (int64_t)config->epoch_ms;
    mark_tell(engine, &(struct mark){.kind = MARK_BEGIN, .value_ms = begin_ms});
    /* relaxed: for metrics. */
    atomic_store_explicit(&engine->begin_ms, begin_ms, memory_order_relaxed);
    /* relaxed: no bin has ever been used. */
    atomic_store_explicit(&engine->done_epoch, epoch, memory_order_relaxed);
    engine_wake(engine, true);
}

void step_done_publish(struct engine *engine)
{
    uint64_t done = engine->steps_seen;
    uint64_t seq = atomic_load_explicit(&engine->step_count, memory_order_relaxed);
    int64_t epoch =
        done == seq ? engine->planned_epoch : engine->steps[done & (STEPS - 1)].epoch_from;

    /* relaxed load: this role is its only writer. F, release end for ingest threads. */
    if (engine->planned_epoch != INT64_MIN &&
        atomic_load_explicit(&engine->done_epoch, memory_order_relaxed) != epoch) {
        atomic_store_explicit(&engine->done_epoch, epoch, memory_order_release);
        engine_wake(engine, true);
    }
}

/* How far the next step goes. */
struct cut {
    int64_t to; /* epoch, exclusive */
    uint64_t events;
    bool tight; /* a bound could be reached in the round it is in */
};

/*
 * The first epoch from `epoch` on that may hold an event; `closed`, if none does. It is found
 * without a look where one was taken before: a stretch without events may hold many timers, each
 * with a step of its own, and nothing comes to a closed epoch but derived events, which enter at
 * planned_epoch. Bins reach no further than slot_count.
 */
static int64_t idle_until(const struct engine *engine, int64_t epoch, int64_t closed)
{
    const int64_t from = engine->planned_epoch;
    int64_t to = epoch;

    if (epoch - from >= engine->slot_count)
        to = closed;
    else if (epoch > from && epoch < engine->empty_epoch)
        to = engine->empty_epoch;
    return to < closed ? to : closed;
}

/* The first epoch from `epoch` on that holds an event, or `closed`; all before `epoch` are empty.
 * One record with a time from long ago may lie centuries before the next. */
static int64_t first_filled(struct engine *engine, int64_t epoch, int64_t closed)
{
    while ((epoch = idle_until(engine, epoch, closed)) < closed && events_in(engine, epoch) == 0)
        epoch++;
    if (epoch > engine->empty_epoch)
        engine->empty_epoch = epoch;
    return epoch;
}

/*
 * Calm: no bound can be reached inside, so the step may span rounds. Tight: the step
 * ends with its round at the latest, and if it ends there, holds the bounds. `members` is how
 * many entries windows can take (bounds_tell.h).
 */
static struct cut step_cut(const struct engine *engine, int64_t closed, int64_t round_end,
                           int64_t room, int64_t members)
{
    const int64_t from = engine->planned_epoch, minute = bounds_period(engine);
    struct cut cut = {.to = from, .tight = engine->rerun == NULL && (engine->tight || room < 0)};

    while (!cut.tight && cut.to < closed && cut.events < engine->step_size.events) {
        /* What may be pushed out before a minute is told at it. */
        bool ends = 2 * (int64_t)cut.events >= members;
        if (ends && cut.to > from && cut.to % minute == 0)
            break;
        int64_t next = idle_until(engine, cut.to, closed);
        if (next > cut.to) {
            int64_t minute_end = (floor_div(cut.to, minute) + 1) * minute;
            cut.to = ends && minute_end < next ? minute_end : next;
            continue;
        }
        uint64_t more = events_in(engine, cut.to);
        if (2 * (int64_t)(cut.events + more) > room) {
            cut.tight = cut.to == from;
            break;
        }
        cut.events += more;
        cut.to++;
    }
    while (cut.tight && cut.to < closed && cut.to < round_end &&
           cut.events < engine->step_size.events)
        cut.events += events_in(engine, cut.to++);
    return cut;
}

/* Hands the step over to the workers. */
static void step_publish(struct engine *engine, uint64_t seq, const struct cut *cut,
                         int64_t round_end, struct rules_version *rules)
{
    const int64_t d = (int64_t)engine->config.epoch_ms;
    const int64_t per_round = (int64_t)engine->config.round_ms / d;
    const int64_t from = engine->planned_epoch, to = cut->to;
    struct step *step = &engine->steps[seq & (STEPS - 1)];

    engine->stepped_rules = rules;
    *step = (struct step){.epoch_from = from,
                          .epoch_to = to,
                          .from_ms = from * d,
                          .to_ms = to * d,
                          .events = cut->events,
                          .bounded = (cut->tight && to == round_end) ||
                                     (engine->rerun != NULL && snapshot_rerun_bounds(engine, to)),
                          .rank = engine->rank,
                          .is_silent = engine->rerun != NULL,
                          .taken = snapshot_reach(engine),
                          .part_count = part_total(engine),
                          .rules = rules};
    if (engine->rerun == NULL)
        engine->tight = cut->tight && to < round_end;
    tally_add(&engine->incident_tally.rounds,
              (uint64_t)(floor_div(to, per_round) - floor_div(from, per_round)));
    if (step->bounded)
        engine->draining = seq + 1;
    if (engine->listener.step != NULL)
        step_report_make(engine, seq);
    watermark_set(engine, to);
    /* S, release end: the step is complete. */
    atomic_store_explicit(&engine->step_count, seq + 1, memory_order_release);
    engine_wake(engine, false);
}

bool step_plan(struct engine *engine, int64_t closed)
{
    const int64_t d = (int64_t)engine->config.epoch_ms;
    const int64_t per_round = (int64_t)engine->config.round_ms / d;
    const int64_t from = engine->planned_epoch, last = from + STEP_SPAN_MS / d;
    /* relaxed: this role is the only writer of step_count. */
    uint64_t seq = atomic_load_explicit(&engine->step_count, memory_order_relaxed);
    uint64_t done = engine->steps_seen;

    if (engine->is_stuck || rules_retire_holds(engine, seq != done))
        return false;
    if (seq - done >= STEPS || (engine->draining != 0 && done < engine->draining))
        return false;
    if (composite_holds(engine, from, seq != done))
        return false;
    engine->draining = 0;
    if (engine->rerun == NULL && !bounds_tell(engine, from))
        return false;
    struct rules_version *rules = rules_switch_at(engine, from, &closed);
    if (rules == NULL || !blind_at(engine, from, seq != done, &closed) ||
        !crash_at(engine, from, seq != done, &closed))
        return false;
    step_size_look(engine, rules);
    const int64_t members = engine->rerun == NULL ? bounds_room(engine, rules) : INT64_MAX;
    const int64_t members_end =
        engine->rerun == NULL ? bounds_limit(engine, from, members) : INT64_MAX;
    closed = members_end < closed ? members_end : closed;
    int64_t round_end = (floor_div(from, per_round) + 1) * per_round;
    if (engine->rerun == NULL && composite_enter(engine, from, seq != done) && closed > round_end)
        closed = round_end;
    const int64_t idle_to = closed;
    if (closed > last)
        closed = last;
    /* What steps under way will add is bounded by their events: as if each made an alert
     * and a key, and began flapping. */
    int64_t coming = 0;
    for (uint64_t s = done; s < seq; s++)
        coming += 2 * (int64_t)engine->steps[s & (STEPS - 1)].events;
    int64_t room = engine->rerun == NULL ? headroom(engine, rules, coming) : INT64_MAX;
    bool by_rounds = rules->takes_incidents && closed > round_end;
    struct cut cut = step_cut(engine, by_rounds ? round_end : closed, round_end, room, members);
    const bool is_again = engine->rerun != NULL && snapshot_rerun_bounds(engine, cut.to);
    if (cut.events == 0 && !cut.tight && !is_again) {
        if (seq != done)
            return false; /* its timers are not known before the others are done */
        /* On to the next timer at once, or event, or to what is closed. */
        int64_t to = first_filled(engine, cut.to, idle_to);
        int64_t due = floor_div(next_due(engine), d);
        to = due < to ? due : to;
        if (engine->rerun != NULL && snapshot_rerun_bounds(engine, to))
            to--; /* a step goes there */
        /* Incidents are looked at anew under the mutes of another rule set. */
        if (to > from && rules == engine->stepped_rules) {
            watermark_set(engine, to);
            step_done_publish(engine);
            return true;
        }
    }
    step_publish(engine, seq, &cut, round_end, rules);
    return true;
}

/*
 * dedup_timers.c - alerts that expire or come to rest. See dedup_parts.h.
 *
 * An entry of the heap is a lower bound: what an event moved is found when it is due. An alert that
 * is held does not expire, however long its incident is open. When its entry is due for the first
 * time it goes to a list, where it costs nothing: a day in which nothing happens is then one
 * stretch, and not one step per `expire`. What `last` is meanwhile can be worked out at any time;
 * it is, where somebody asks: at its next event, and for the bound, which compares all alerts.
 *
 * Of what is pushed nothing comes while the daemon is away, and nothing waits: whoever repeats it
 * does so after the start. So an alert that was pushed does not expire meanwhile, and has the whole
 * of `expire` from then on. Until the end of such a spell it waits in a list, too: a stop of a day
 * costs one timer, and not one per `expire`.
 */
#include "correlate/dedup_parts.h"

#include <assert.h>
#include "correlate/away.h"

/* A slot keeps 32 bits of `last`, which is at most `expire` (30 days) back when an alert begins to
 * wait; with this it stays below 2^32 ms (49 days). Its multiples are the times at which the lists
 * are gone through: of all lanes in one step. */
#define UNTIMED_MS ((int64_t)1 << 30)

void dedup_timer_push(struct alert_lane *lane, const struct alert_slot *slot, enum alert_timer kind,
                      int64_t due_ms)
{
    uint32_t number = alert_slot_cold(slot);

    alert_timers_push(&lane->timers,
                      (struct timer){.due_ms = due_ms,
                                     .owner = number,
                                     .generation = alert_cold(lane, number)->generation,
                                     .kind = (uint16_t)kind});
}

void dedup_trace_ended(const struct dedup *d, const struct alert_slot *slot,
                       const struct alert_cold *cold, enum trace_ending what, int64_t at_ms)
{
    if (d->trace == NULL || d->trace->ended == NULL)
        return;
    const struct trace_alert alert = {.what = what,
                                      .at_ms = at_ms,
                                      .alert = cold->fingerprint,
                                      .text = cold->text,
                                      .open = (slot->bits & ALERT_OPEN) != 0};
    d->trace->ended(d->trace->self, &alert);
}

static void flap_end_now(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                         int64_t at_ms)
{
    struct order order = dedup_alert_order(at_ms, ORDER_TIMER, cold->text);
    bool is_open = (slot->bits & ALERT_OPEN) != 0;

    dedup_trace_ended(d, slot, cold, TRACE_FLAP_ENDED, at_ms);
    dedup_flap_clear(d, slot);
    dedup_flap_tell_end(d, &order, cold, TOUCH_CLEAR);
    if (cold->told_open && !is_open) {
        dedup_tell_closed(d, &order, slot, cold, cold->text);
    } else if (!cold->told_open && is_open) {
        dedup_tell_open(d, &order, slot, cold, cold->text);
    } else if (is_open && cold->told_attr != slot->attr_hash) {
        dedup_match(d, slot, cold->text, cold->severity, cold->problem_et);
        dedup_tell_changed(d, &order, slot, cold, (struct told){cold->text, cold->severity},
                           TOUCH_CHANGE);
    }
}

/* The alert is over. Its slot and cold record stay for whoever called. */
static void expire_now(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                       int64_t at_ms)
{
    struct order order = dedup_alert_order(at_ms, ORDER_TIMER, cold->text);

    dedup_trace_ended(d, slot, cold, TRACE_EXPIRED, at_ms);
    dedup_flap_clear(d, slot);
    dedup_flap_tell_end(d, &order, cold, TOUCH_CLEAR);
    if (cold->route_count > 0)
        dedup_tell_closed(d, &order, slot, cold, cold->text);
    if ((slot->bits & ALERT_OPEN) != 0)
        tally_add(&d->worker->tally.alerts_expired, 1);
}

void dedup_cold_clear(struct dedup *d, struct alert_cold *cold)
{
    struct slab *slab = &d->worker->slab;

    if (cold->text != NULL)
        worker_bury(d->worker, d->seq, cold->text, cold->text->bytes);
    slab_free(slab, cold->routes, cold->route_room * sizeof(struct route));
    slab_free(slab, cold->changes, d->terms->flap_start * sizeof(int64_t));
    *cold = (struct alert_cold){
        .fingerprint = cold->fingerprint, .generation = cold->generation, .is_away = cold->is_away};
}

static void away_leave(struct alert_lane *lane, uint32_t number, struct alert_cold *cold)
{
    size_t i = 0;

    while (lane->away.at[i] != number)
        i++;
    lane->away.at[i] = lane->away.at[--lane->away.count];
    if (lane->away.count == 0)
        lane->away_due_ms = INT64_MAX;
    cold->is_away = false;
}

void dedup_alert_drop(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot)
{
    struct alert_cold *cold = alert_cold(lane, alert_slot_cold(slot));

    if (cold->is_away)
        away_leave(lane, alert_slot_cold(slot), cold);
    dedup_cold_clear(d, cold);
    alert_remove(lane, slot);
    tally_add(&d->worker->alerts, UINT64_MAX);
}

int64_t dedup_pushed_renew(const struct dedup *d, struct alert_slot *slot, int64_t expire_ms,
                           int64_t now_ms)
{
    const int64_t last_ms = alert_slot_last(slot, now_ms);
    int64_t over_ms = last_ms + expire_ms;

    while (over_ms <= now_ms) {
        const struct away_spell *spell = away_at(d->worker->engine, over_ms);
        int64_t until_ms;
        if (spell == NULL || spell->end_ms <= over_ms - expire_ms)
            break; /* it is over */
        until_ms = spell->end_ms < now_ms + 1 ? spell->end_ms : now_ms + 1;
        if (over_ms < until_ms)
            over_ms += (until_ms - over_ms + expire_ms - 1) / expire_ms * expire_ms;
        else
            over_ms = spell->end_ms + expire_ms;
    }
    if (over_ms != last_ms + expire_ms) {
        slot->last32 = (uint32_t)(over_ms - expire_ms);
        /* In the line it may stand behind others now. */
        alert_line_clear(&d->worker->alert_line);
    }
    return over_ms;
}

int64_t dedup_over_ms(const struct dedup *d, struct alert_slot *slot, const struct alert_cold *cold,
                      int64_t now_ms)
{
    int64_t expire_ms = d->terms->expire_ms;
    int64_t over_ms = alert_slot_last(slot, now_ms) + expire_ms;

    /* An open incident is a sign of life whenever one is needed: so `last` stays near, and every
     * alert has its place among those that a bound may take. */
    if (cold->is_held && over_ms <= now_ms) {
        over_ms += (now_ms - over_ms) / expire_ms * expire_ms + expire_ms;
        slot->last32 = (uint32_t)(over_ms - expire_ms);
    } else if (cold->is_pushed && over_ms <= now_ms) {
        over_ms = dedup_pushed_renew(d, slot, expire_ms, now_ms);
    }
    /* What was short enough under the terms before is over when they changed. */
    return over_ms > d->rules->terms_from_ms ? over_ms : d->rules->terms_from_ms;
}

void dedup_flap_run(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                    int64_t et_ms)
{
    if ((slot->bits & ALERT_FLAPPING) != 0 && cold->flap_end_ms <= et_ms &&
        cold->flap_end_ms < dedup_over_ms(d, slot, cold, et_ms))
        flap_end_now(d, slot, cold, cold->flap_end_ms);
}

bool dedup_timers_run(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                      int64_t et_ms)
{
    int64_t over_ms = dedup_over_ms(d, slot, cold, et_ms);

    dedup_flap_run(d, slot, cold, et_ms);
    if (over_ms > et_ms)
        return false;
    expire_now(d, slot, cold, over_ms);
    return true;
}

static int64_t untimed_next(int64_t now_ms)
{
    return (floor_div(now_ms, UNTIMED_MS) + 1) * UNTIMED_MS;
}

void dedup_wait(struct alert_lane *lane, uint32_t number, int64_t now_ms)
{
    if (lane->untimed.count == 0)
        lane->untimed_due_ms = untimed_next(now_ms);
    vector_add(&lane->untimed) = number;
}

/* In a silent step: it was put into the image later than this. */
static bool is_of_later(const struct dedup *d, const struct alert_lane *lane,
                        const struct alert_cold *cold, int64_t now_ms)
{
    return d->step->is_silent && lane_times_at(&lane->times, cold->fingerprint) > now_ms;
}

/* `last` of those that wait stays near. */
static void untimed_renew(struct dedup *d, struct alert_lane *lane, int64_t now_ms)
{
    for (size_t i = 0; i < lane->untimed.count; i++) {
        struct alert_cold *cold = alert_cold(lane, lane->untimed.at[i]);
        if (!is_of_later(d, lane, cold, now_ms))
            dedup_over_ms(d, alert_find(lane, cold->fingerprint), cold, now_ms);
    }
    lane->untimed_due_ms = untimed_next(now_ms);
}

void dedup_let_go(struct dedup *d, struct alert_lane *lane, const struct alert_slot *slot,
                  struct alert_cold *cold, int64_t last_ms)
{
    uint32_t number = alert_slot_cold(slot);

    if (!cold->is_held)
        return;
    cold->is_held = false;
    for (size_t i = 0; i < lane->untimed.count; i++) {
        if (lane->untimed.at[i] != number)
            continue;
        lane->untimed.at[i] = lane->untimed.at[--lane->untimed.count];
        if (lane->untimed.count == 0)
            lane->untimed_due_ms = INT64_MAX;
        dedup_timer_push(lane, slot, ALERT_TIMER_EXPIRE, last_ms + d->terms->expire_ms);
        return;
    }
}

/* It stays in the list while `last` has to stay near. */
void dedup_wait_away(struct alert_lane *lane, uint32_t number, int64_t now_ms, int64_t end_ms)
{
    const int64_t next_ms = untimed_next(now_ms);

    end_ms = end_ms < next_ms ? end_ms : next_ms;
    if (end_ms < lane->away_due_ms)
        lane->away_due_ms = end_ms;
    alert_cold(lane, number)->is_away = true;
    vector_add(&lane->away) = number;
}

void dedup_come_back(struct dedup *d, struct alert_lane *lane, const struct alert_slot *slot,
                     struct alert_cold *cold, int64_t last_ms)
{
    away_leave(lane, alert_slot_cold(slot), cold);
    dedup_timer_push(lane, slot, ALERT_TIMER_EXPIRE, last_ms + d->terms->expire_ms);
}

static void away_timed_again(struct dedup *d, struct alert_lane *lane, int64_t end_ms)
{
    int64_t due_ms = INT64_MAX;
    size_t kept = 0;

    for (size_t i = 0; i < lane->away.count; i++) {
        struct alert_cold *cold = alert_cold(lane, lane->away.at[i]);
        struct alert_slot *slot = alert_find(lane, cold->fingerprint);
        if (is_of_later(d, lane, cold, end_ms - 1)) {
            int64_t at_ms = lane_times_at(&lane->times, cold->fingerprint);
            due_ms = at_ms < due_ms ? at_ms : due_ms;
            lane->away.at[kept++] = lane->away.at[i];
            continue;
        }
        cold->is_away = false;
        dedup_timer_push(lane, slot, ALERT_TIMER_EXPIRE, dedup_over_ms(d, slot, cold, end_ms - 1));
    }
    lane->away.count = kept;
    lane->away_due_ms = due_ms;
}

void dedup_timed_again(struct dedup *d, struct alert_lane *lane, int64_t end_ms)
{
    size_t kept = 0;

    away_timed_again(d, lane, end_ms);
    for (size_t i = 0; i < lane->untimed.count; i++) {
        struct alert_cold *cold = alert_cold(lane, lane->untimed.at[i]);
        struct alert_slot *slot = alert_find(lane, cold->fingerprint);
        if (is_of_later(d, lane, cold, end_ms - 1)) {
            lane->untimed.at[kept++] = lane->untimed.at[i];
            continue;
        }
        dedup_timer_push(lane, slot, ALERT_TIMER_EXPIRE, dedup_over_ms(d, slot, cold, end_ms - 1));
    }
    lane->untimed.count = kept;
    if (kept == 0)
        lane->untimed_due_ms = INT64_MAX;
}

/* How many timers are taken out before the first of them is looked at: what they stand
 * for lies anywhere, and is fetched meanwhile. */
enum { TOGETHER = 16 };

static void timer_run(struct dedup *d, struct alert_lane *lane, struct timer timer)
{
    const int64_t end_ms = d->step->to_ms;
    struct alert_cold *cold = alert_cold(lane, timer.owner);

    if (cold->generation != timer.generation)
        return; /* of an alert that is gone */
    struct alert_slot *slot = alert_find(lane, cold->fingerprint);
    assert(slot != NULL);
    /* Times relative to the step's end: every `last` lies before it. */
    int64_t over_ms = dedup_over_ms(d, slot, cold, end_ms - 1);
    if (timer.kind == ALERT_TIMER_FLAP) {
        if ((slot->bits & ALERT_FLAPPING) == 0)
            return; /* it has ended */
        /* Later than this step, `last` may have moved and it does not expire first. */
        if (cold->flap_end_ms >= end_ms)
            dedup_timer_push(lane, slot, ALERT_TIMER_FLAP, cold->flap_end_ms);
        else if (cold->flap_end_ms < over_ms)
            flap_end_now(d, slot, cold, cold->flap_end_ms);
    } else if (cold->is_held) {
        dedup_wait(lane, timer.owner, end_ms);
    } else if (over_ms >= end_ms) {
        const struct away_spell *spell =
            cold->is_pushed ? away_at(d->worker->engine, end_ms - 1) : NULL;
        if (spell != NULL && over_ms < spell->end_ms)
            dedup_wait_away(lane, timer.owner, end_ms, spell->end_ms);
        else
            dedup_timer_push(lane, slot, ALERT_TIMER_EXPIRE, over_ms);
    } else {
        if ((slot->bits & ALERT_FLAPPING) != 0 && cold->flap_end_ms < over_ms)
            flap_end_now(d, slot, cold, cold->flap_end_ms);
        expire_now(d, slot, cold, over_ms);
        dedup_alert_drop(d, lane, slot);
    }
}

/* What the alert points at is fetched if nothing came for it, so that it seems to be over. */
static void timer_prefetch(const struct dedup *d, const struct alert_lane *lane, struct timer timer)
{
    const struct alert_cold *cold = alert_cold(lane, timer.owner);

    if (cold->generation != timer.generation)
        return;
    const struct alert_slot *slot = alert_find(lane, cold->fingerprint);
    if (alert_slot_last(slot, d->step->to_ms) + d->terms->expire_ms >= d->step->to_ms)
        return;
    __builtin_prefetch(cold->text);
    __builtin_prefetch(cold->routes);
}

/* Where their alerts are, records first: these say where the slots lie. */
static void timers_prefetch(const struct alert_lane *lane, const struct timer *timers,
                            unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const char *cold = (const char *)alert_cold(lane, timers[i].owner);
        __builtin_prefetch(cold, 1);
        __builtin_prefetch(cold + 64, 1);
    }
    for (unsigned i = 0; i < count; i++)
        alert_prefetch(lane, alert_cold(lane, timers[i].owner)->fingerprint);
}

/* Takes so many that are due out of the heap; each has its own alert, or that alert's other timer,
 * and none of them brings another that is due. */
static unsigned timers_take(const struct dedup *d, struct alert_lane *lane, struct timer *due)
{
    unsigned count = 0;

    while (count < TOGETHER && alert_timers_due(&lane->timers) < d->step->to_ms)
        due[count++] = alert_timers_pop(&lane->timers);
    timers_prefetch(lane, due, count);
    for (unsigned i = 0; i < count; i++)
        timer_prefetch(d, lane, due[i]);
    return count;
}

/* One of a list that is opened: what has been heard of since it was made is put further back, into
 * another list, before it is due. All else waits for its time. */
static void timer_look(const struct dedup *d, struct alert_lane *lane, struct timer timer,
                       int64_t list_end_ms)
{
    const struct alert_cold *cold = alert_cold(lane, timer.owner);

    if (cold->generation != timer.generation)
        return; /* of an alert that is gone */
    if (timer.kind == ALERT_TIMER_EXPIRE && !cold->is_held && !cold->is_pushed) {
        struct alert_slot *slot = alert_find(lane, cold->fingerprint);
        int64_t over_ms = dedup_over_ms(d, slot, cold, d->step->to_ms - 1);
        timer.due_ms = over_ms > timer.due_ms ? over_ms : timer.due_ms;
    }
    if (timer.due_ms < list_end_ms)
        alert_timers_push_soon(&lane->timers, timer);
    else
        alert_timers_push(&lane->timers, timer);
}

static void lists_look(const struct dedup *d, struct alert_lane *lane)
{
    struct timer_list list;
    int64_t list_end_ms;

    while ((list_end_ms = alert_timers_open(&lane->timers, d->step->to_ms - 1, &list)) !=
           INT64_MIN) {
        for (size_t from = 0; from < list.all.count; from += TOGETHER) {
            size_t left = list.all.count - from;
            unsigned count = left < TOGETHER ? (unsigned)left : TOGETHER;
            timers_prefetch(lane, &list.all.at[from], count);
            for (unsigned i = 0; i < count; i++)
                timer_look(d, lane, list.all.at[from + i], list_end_ms);
        }
        alert_timers_opened(&lane->timers, &list);
    }
}

void dedup_lane_timers_run(struct dedup *d, struct alert_lane *lane)
{
    struct timer due[TOGETHER];
    unsigned count;
    int64_t end_ms = d->step->to_ms;

    if (lane->untimed_due_ms < end_ms)
        untimed_renew(d, lane, end_ms - 1);
    if (lane->away_due_ms < end_ms)
        away_timed_again(d, lane, end_ms);
    lists_look(d, lane);
    while ((count = timers_take(d, lane, due)) > 0)
        for (unsigned i = 0; i < count; i++)
            timer_run(d, lane, due[i]);
}

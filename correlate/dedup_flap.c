/* dedup_flap.c - the last changes of an alert, and whether it flaps. See dedup_parts.h. */
#include "correlate/dedup_parts.h"

#include <string.h>

/* The i-th newest change, 0 the newest. */
static int64_t change_at(const struct alert_cold *cold, unsigned i, unsigned max)
{
    if (cold->changes == NULL)
        return cold->first_change;
    return cold->changes[(cold->change_next + max - 1 - i) % max];
}

void dedup_change_record(struct dedup *d, struct alert_cold *cold, int64_t et_ms)
{
    unsigned max = d->terms->flap_start;

    if (max == 0)
        return; /* flap detection is off */
    if (cold->change_count == 0 && max > 1) {
        cold->first_change = et_ms; /* most alerts open once and expire: no ring for them */
        cold->change_count = 1;
        return;
    }
    if (cold->changes == NULL) {
        cold->changes = slab_alloc(&d->worker->slab, max * sizeof(int64_t));
        cold->change_next = 0;
        if (cold->change_count == 1)
            cold->changes[cold->change_next++] = cold->first_change;
    }
    cold->changes[cold->change_next] = et_ms;
    cold->change_next = (uint16_t)((cold->change_next + 1) % max);
    if (cold->change_count < max)
        cold->change_count++;
}

/* When flapping ends if nothing more changes. */
static int64_t flap_end(const struct dedup *d, const struct alert_cold *cold)
{
    return change_at(cold, d->terms->flap_stop, d->terms->flap_start) + d->terms->flap_window_ms;
}

/* Keeps the newest of its changes that there is room for under other terms. */
static void changes_move(struct dedup *d, struct alert_cold *cold, unsigned max_before)
{
    enum { START_MOST = 1000 }; /* of any flap.start */
    int64_t kept[START_MOST];
    unsigned max = d->terms->flap_start, count = cold->change_count;

    count = count > max ? max : count;
    for (unsigned i = 0; i < count; i++)
        kept[i] = change_at(cold, count - 1 - i, max_before);
    slab_free(&d->worker->slab, cold->changes, max_before * sizeof(int64_t));
    cold->changes = NULL;
    cold->change_count = (uint16_t)count;
    cold->change_next = 0;
    if (count == 0)
        return;
    if (count == 1 && max > 1) {
        cold->first_change = kept[0];
        return;
    }
    cold->changes = slab_alloc(&d->worker->slab, max * sizeof(int64_t));
    memcpy(cold->changes, kept, count * sizeof(int64_t));
    cold->change_next = (uint16_t)(count % max);
}

void dedup_flap_terms(struct dedup *d, const struct alert_slot *slot, struct alert_cold *cold,
                      unsigned start_before, int64_t at_ms)
{
    if (d->terms->flap_start != start_before)
        changes_move(d, cold, start_before);
    if ((slot->bits & ALERT_FLAPPING) == 0)
        return;
    /* As many as that end it were there never more, or nothing flaps any more: it is over. */
    cold->flap_end_ms = cold->change_count > d->terms->flap_stop && d->terms->flap_start > 0
                            ? flap_end(d, cold)
                            : at_ms;
    if (cold->flap_end_ms < at_ms)
        cold->flap_end_ms = at_ms;
}

/* Rules of flapping alerts are told that it has begun. Their routes are apart: others do not
 * know of flapping. */
static void flap_tell(struct dedup *d, const struct order *order, struct alert_cold *cold)
{
    const struct worker *worker = d->worker;

    if (!d->rules->takes_flapping)
        return;
    dedup_match_flapping(d, cold->text, cold->severity, order->at_ms);
    size_t bytes = worker->routes.count * sizeof(struct route);
    if (bytes == 0)
        return;
    cold->flap_routes = slab_alloc(&d->worker->slab, bytes);
    memcpy(cold->flap_routes, worker->routes.at, bytes);
    cold->flap_route_count = (uint16_t)worker->routes.count;
    for (unsigned i = 0; i < cold->flap_route_count; i++)
        dedup_emit(d, *order, &cold->flap_routes[i], TOUCH_RAISE, cold,
                   (struct told){cold->text, cold->severity});
}

void dedup_flap_tell_end(struct dedup *d, const struct order *order, struct alert_cold *cold,
                         enum touch_kind kind)
{
    for (unsigned i = 0; i < cold->flap_route_count; i++)
        dedup_emit(d, *order, &cold->flap_routes[i], kind, cold,
                   (struct told){cold->text, cold->severity});
    slab_free(&d->worker->slab, cold->flap_routes, cold->flap_route_count * sizeof(struct route));
    cold->flap_routes = NULL;
    cold->flap_route_count = 0;
}

void dedup_flap_look(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                     struct alert_cold *cold, const struct order *order)
{
    unsigned start = d->terms->flap_start;

    if (start == 0)
        return;
    if ((slot->bits & ALERT_FLAPPING) != 0) {
        cold->flap_end_ms = flap_end(d, cold); /* its timer is a lower bound */
        return;
    }
    if (cold->change_count < start ||
        change_at(cold, start - 1, start) <= order->at_ms - d->terms->flap_window_ms)
        return;
    slot->bits |= ALERT_FLAPPING;
    cold->flap_end_ms = flap_end(d, cold);
    dedup_timer_push(lane, slot, ALERT_TIMER_FLAP, cold->flap_end_ms);
    tally_add(&d->worker->tally.flap_begun, 1);
    tally_add(&d->worker->flapping, 1);
    if ((slot->bits & ALERT_INCIDENT) == 0)
        flap_tell(d, order, cold);
}

void dedup_flap_clear(struct dedup *d, struct alert_slot *slot)
{
    if ((slot->bits & ALERT_FLAPPING) != 0) {
        slot->bits &= ~(uint32_t)ALERT_FLAPPING;
        tally_add(&d->worker->tally.flap_ended, 1);
        tally_add(&d->worker->flapping, UINT64_MAX); /* minus one, modulo 2^64 */
    }
}

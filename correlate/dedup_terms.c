/*
 * dedup_terms.c - a lane goes by other terms from a switch on (semantics X5). See dedup_parts.h.
 *
 * What its alerts have seen stays; what was reckoned ahead from it is reckoned anew: when they
 * expire, and when their flapping ends. Nothing of that lies before the switch: what would be over
 * by now under the new terms is over at the switch.
 */
#include "correlate/dedup_parts.h"

/* `last` of one that is held moved on by the old `expire` up to here. */
static void held_renew(struct alert_slot *slot, int64_t expire_ms, int64_t at_ms)
{
    int64_t last_ms = alert_slot_last(slot, at_ms), now_ms = at_ms - 1;

    if (last_ms + expire_ms <= now_ms)
        slot->last32 = (uint32_t)(last_ms + (now_ms - last_ms) / expire_ms * expire_ms);
}

void dedup_terms_change(struct dedup *d, struct alert_lane *lane)
{
    const struct engine_terms before = lane->terms;
    const int64_t at_ms = d->step->from_ms;

    lane->terms = *d->terms;
    if (engine_terms_equal(&before, d->terms))
        return;
    /* Under another `expire` some that are held come to a `last` of the line's; and those of the
     * line that are held wait without a timer from now on, so `last` says nothing of them. */
    alert_line_clear(&d->worker->alert_line);
    alert_timers_clear(&lane->timers);
    alert_timers_fit(&lane->timers, lane->terms.expire_ms);
    lane->untimed.count = lane->away.count = 0;
    lane->untimed_due_ms = lane->away_due_ms = INT64_MAX;
    for (uint32_t i = 0; i <= lane->mask; i++) {
        struct alert_slot *slot = &lane->slots[i];
        if (slot->bits == 0)
            continue;
        uint32_t number = alert_slot_cold(slot);
        struct alert_cold *cold = alert_cold(lane, number);
        cold->is_away = false;
        if (cold->is_pushed)
            dedup_pushed_renew(d, slot, before.expire_ms, at_ms - 1);
        dedup_flap_terms(d, slot, cold, before.flap_start, at_ms);
        if ((slot->bits & ALERT_FLAPPING) != 0)
            dedup_timer_push(lane, slot, ALERT_TIMER_FLAP, cold->flap_end_ms);
        if (cold->is_held) {
            held_renew(slot, before.expire_ms, at_ms);
            dedup_wait(lane, number, at_ms);
        } else {
            dedup_timer_push(lane, slot, ALERT_TIMER_EXPIRE, dedup_over_ms(d, slot, cold, at_ms));
        }
    }
}

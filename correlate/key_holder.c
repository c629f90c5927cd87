/*
 * key_holder.c - one form of a rule holds a key at a time (semantics X5).
 *
 *   A, changed by a reload to B; both find the key by one id
 *
 *   key is A's and watches            first RAISE of B: let go, a new key of B
 *   key is A's with an open incident  touches of B are the incident's, until it closes
 *   key is B's                        what A's alerts still bring is nobody's
 *
 * So there is one incident of one thing, whichever form opened it. A former form opens what its
 * timers owe while nothing new comes for the key, and makes no key any more.
 *
 * A touch of another form joins and leaves the incident as any does, but does nothing else to it:
 * which steps of a sequence an event is, say, is only known of the touch's own form. Absences are
 * alike enough: a sign of life is one.
 */
#include <assert.h>
#include "correlate/correlation.h"

/* False when the key left. */
static bool touch_incident(struct correlation *c, struct key_lane *lane, uint32_t number,
                           const struct touch *touch)
{
    const struct rule *rule = key_open(key_at(lane, number))->rule;

    if (rule->form_kind == FORM_EXPECT)
        return rule_forms[FORM_EXPECT]->touch_open(c, lane, number, touch);
    return touch->kind > TOUCH_REPEAT ? incident_leave(c, lane, number, touch)
                                      : incident_join(c, lane, number, touch);
}

/* Does the touch say anything about the key? Not one of a form before the holder. Of one that
 * watches only what is new to the form in force does: a form between the two let the key go with
 * the first that it was told, and only then has alerts that repeat (correlate/dedup_tell.c). */
static bool is_heard(const struct correlation *c, const struct key_state *key,
                     const struct touch *touch)
{
    const struct rule_slot *from = &c->rules->slots[touch->slot];

    if (from->since < c->rules->slots[key->slot].since)
        return false;
    assert(key->is_open || touch->kind > TOUCH_REPEAT || from->current);
    return key->is_open || touch->kind <= TOUCH_REPEAT;
}

bool key_touch_other(struct correlation *c, struct key_lane *lane, uint32_t number,
                     const struct touch *touch)
{
    struct key_state *key = key_at(lane, number);

    if (!is_heard(c, key, touch)) {
        c->retired++;
    } else if (!key->is_open) {
        rule_key_let_go(c, lane, number);
        return false;
    } else {
        key->last_any = TIME_PACK(touch->order.at_ms);
        if (touch->kind <= TOUCH_REPEAT)
            key->is_self_touched = touch->text->is_self_alert;
        if (!touch_incident(c, lane, number, touch))
            return true;
        if (key->is_open)
            correlation_mark_dirty(c, lane, number, touch);
    }
    correlation_timer_keep(c, lane, number);
    return true;
}

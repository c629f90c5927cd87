/*
 * dedup_parts.h - what the files of stage D share; its phases are in core.h.
 *
 *   dedup.c         the phase, and what an event does to its alert
 *   dedup_enrich.c  events as rules see them
 *   dedup_tell.c    which rules an alert is told to, and what: routes and touches
 *   dedup_flap.c    the last changes of an alert, and whether it flaps
 *   dedup_timers.c  alerts that expire or come to rest
 *   dedup_terms.c   a lane goes by other terms
 *   dedup_bound.c   the bound of the table, at round ends
 *   by_hand.c       what somebody does to an incident: it passes through
 *
 * Thread: the worker whose phase it is.
 */
#ifndef CORRELATE_DEDUP_PARTS_H
#define CORRELATE_DEDUP_PARTS_H

#include "correlate/core.h"
#include "correlate/trace.h"

/* The event under work, as rules see it. */
struct dedup_enriching {
    const struct event *sent; /* NULL: none is */
    struct event seen;
    struct event_text *made; /* its words, where a step changed them; NULL: they are as sent */
    uint64_t touches;        /* made before it */
    struct enriching run;
    struct enrich_listener listener;
};

/* What the functions of one phase share. */
struct dedup {
    struct worker *worker;
    const struct engine_config *config;
    const struct step *step;
    const struct rules_version *rules;
    const struct engine_terms *terms;
    const struct engine_trace *trace; /* NULL: nobody asks */
    uint64_t seq;
    uint64_t duplicate, unmatched, routed, dropped, touches, folded, enrich_errors;
    uint64_t acts; /* that were among the events */
    struct dedup_enriching enriching;
};

struct dedup dedup_begin(struct worker *worker, uint64_t seq, const struct step *step);

/* The counts of the phase become the worker's. */
void dedup_tally_store(struct dedup *d);

static inline struct order dedup_event_order(const struct dedup *d, const struct event *ev)
{
    return (struct order){.at_ms = ev->et_ms,
                          .offset = ev->offset,
                          .rank = d->step->rank[ev->part],
                          .sub = ev->sub,
                          .part = ev->part,
                          .class = ORDER_EVENT};
}

static inline struct order dedup_alert_order(int64_t at_ms, enum order_class class,
                                             const struct event_text *text)
{
    return (struct order){
        .at_ms = at_ms, .class = (uint8_t) class, .stage = ORDER_DEDUP, .identity = text};
}

/* ---- dedup_enrich.c: only where rules->enrich is not NULL ---- */

/* The step that drops the event, or NULL. */
const struct enrich_step *dedup_drops(struct dedup *d, const struct event *ev);

/* The event as rules see it: `ev`, or another that is good until the next one is looked at. */
const struct event *dedup_enrich(struct dedup *d, const struct event *ev);

/* The last event that was looked at is done with. */
void dedup_enriched(struct dedup *d);

/* ---- dedup_terms.c ---- */

/* The lane goes by the terms of the step, which begins with them if they are others than before. */
void dedup_terms_change(struct dedup *d, struct alert_lane *lane);

/* ---- dedup_tell.c ---- */

/* What a touch shows of an event or of an alert. */
struct told {
    const struct event_text *text;
    uint8_t severity;
};

/* Fills worker->routes with the rules of alerts, or of incidents where the alert stands for one,
 * that match, by rule id; `et_ms` is for `age`. */
void dedup_match(struct dedup *d, const struct alert_slot *slot, const struct event_text *text,
                 uint8_t severity, int64_t et_ms);

/* The same with the rules of flapping alerts. */
void dedup_match_flapping(struct dedup *d, const struct event_text *text, uint8_t severity,
                          int64_t et_ms);

/* Are worker->routes those of the alert? */
bool dedup_routes_hold(const struct dedup *d, const struct alert_cold *cold);

/* Is the route's rule one that says `on: events`? */
bool dedup_takes_events(const struct dedup *d, const struct route *route);

/* Tells the rules that take every event, whatever becomes of it otherwise. */
void dedup_beat(struct dedup *d, const struct event *ev);

/* One touch for one route, or the same for all of the alert. */
void dedup_emit(struct dedup *d, struct order order, const struct route *route,
                enum touch_kind kind, const struct alert_cold *cold, struct told told);
void dedup_emit_all(struct dedup *d, const struct order *order, const struct alert_cold *cold,
                    enum touch_kind kind, const struct event_text *text);

/* The alert is told as open with fresh routes: RAISE to all. */
void dedup_tell_open(struct dedup *d, const struct order *order, struct alert_slot *slot,
                     struct alert_cold *cold, const struct event_text *text);

/* CLEAR to all its routes; it has none then. */
void dedup_tell_closed(struct dedup *d, const struct order *order, struct alert_slot *slot,
                       struct alert_cold *cold, const struct event_text *text);

/* worker->routes have been matched: the difference to the alert's. A route that holds still gets
 * `held`: a CHANGE, or, where only the rules are new, what a repeat brings. True if any touch
 * was made. */
bool dedup_tell_changed(struct dedup *d, const struct order *order, struct alert_slot *slot,
                        struct alert_cold *cold, struct told told, enum touch_kind held);

/* ---- dedup_flap.c ---- */

void dedup_change_record(struct dedup *d, struct alert_cold *cold, int64_t et_ms);

/* After a recorded change: begins flapping, or moves its end. */
void dedup_flap_look(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot,
                     struct alert_cold *cold, const struct order *order);

/* An alert under other terms than before, which had this flap.start; they hold from `at_ms` on. */
void dedup_flap_terms(struct dedup *d, const struct alert_slot *slot, struct alert_cold *cold,
                      unsigned start_before, int64_t at_ms);

/* It does not flap any more; nobody is told. */
void dedup_flap_clear(struct dedup *d, struct alert_slot *slot);

/* Rules of flapping alerts are told that it is over: CLEAR or EVICT. */
void dedup_flap_tell_end(struct dedup *d, const struct order *order, struct alert_cold *cold,
                         enum touch_kind kind);

/* ---- dedup_timers.c ---- */

void dedup_timer_push(struct alert_lane *lane, const struct alert_slot *slot, enum alert_timer kind,
                      int64_t due_ms);

/* When the alert is over, if nothing comes for it; one that is held goes on beyond `now_ms`. */
int64_t dedup_over_ms(const struct dedup *d, struct alert_slot *slot, const struct alert_cold *cold,
                      int64_t now_ms);

/* The alert is held no more: it is over when nothing comes for it, from `last_ms` on. */
void dedup_let_go(struct dedup *d, struct alert_lane *lane, const struct alert_slot *slot,
                  struct alert_cold *cold, int64_t last_ms);

/* An alert that is held waits without a timer from now on. */
void dedup_wait(struct alert_lane *lane, uint32_t number, int64_t now_ms);

/* The same of one that is pushed, until the spell in which nobody can push ends; and one waits no
 * more that is not pushed now, or leaves. */
void dedup_wait_away(struct alert_lane *lane, uint32_t number, int64_t now_ms, int64_t end_ms);
void dedup_come_back(struct dedup *d, struct alert_lane *lane, const struct alert_slot *slot,
                     struct alert_cold *cold, int64_t last_ms);

/* `last` of one that is pushed, as it is at `now_ms` with this `expire`. Returns when it is over.
 */
int64_t dedup_pushed_renew(const struct dedup *d, struct alert_slot *slot, int64_t expire_ms,
                           int64_t now_ms);

/* All alerts that wait without a timer get theirs, as they are before `end_ms`. */
void dedup_timed_again(struct dedup *d, struct alert_lane *lane, int64_t end_ms);

/* Ends flapping where that is due at or before `et_ms`, and the alert is not over before. */
void dedup_flap_run(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                    int64_t et_ms);

/* The alert's own timers that are due at or before `et_ms`. True if it is over. */
bool dedup_timers_run(struct dedup *d, struct alert_slot *slot, struct alert_cold *cold,
                      int64_t et_ms);

/* What is due in a lane before the end of the step. */
void dedup_lane_timers_run(struct dedup *d, struct alert_lane *lane);

/* Frees what a cold record holds; words wait for the end of the step. */
void dedup_cold_clear(struct dedup *d, struct alert_cold *cold);

/* The alert leaves the table. */
void dedup_alert_drop(struct dedup *d, struct alert_lane *lane, struct alert_slot *slot);

/* For somebody who asks: the alert is over, or calm. */
void dedup_trace_ended(const struct dedup *d, const struct alert_slot *slot,
                       const struct alert_cold *cold, enum trace_ending what, int64_t at_ms);

/* ---- by_hand.c ---- */

/* To the keys that may have the incident, if it is to be closed, and to the incident role. */
void dedup_by_hand(struct dedup *d, const struct event *ev);

#endif

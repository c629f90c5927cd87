/*
 * correlation.h - what the files of stage R share (docs/correlation.md, section 3).
 *
 *   correlation.c     the phase: touches in order, timers, round ends
 *   rule_key.c        a key comes and goes
 *   key_holder.c      which of a rule's forms has the key
 *   rule_form.c       which form of rule does what with a key that watches
 *   watch_window.c    the form with a window of entries, watch_sequence.c and so on the others
 *   incident_life.c   an incident opens, is joined and left, is updated, closes
 *   rules_bound.c     max_keys (X4)
 *   by_hand.c         what somebody does to an incident
 *   rule_trace.c      what of all this is told to somebody who asks why
 *
 * A key either watches, which its rule's form does, or has an open incident, which is the
 * same for all forms:
 *
 *              form->raise(), form->timer(): incident_open()
 *   (watching) --------------------------------------------> (open)
 *        ^                                                      |
 *        +---- incident_close(): form->closed() keeps it -------+---> (no key)
 *
 * Thread: a worker, in its rules phases, for keys of its own lanes.
 */
#ifndef CORRELATE_CORRELATION_H
#define CORRELATE_CORRELATION_H

#include "correlate/core.h"
#include "correlate/incident_make.h"
#include "correlate/rule_form.h"

/* One worker's phase of one step. */
struct correlation {
    struct worker *worker;
    const struct engine_config *config;
    const struct step *step;
    const struct rules_version *rules;
    const struct engine_trace *trace; /* NULL: nobody asks */
    uint64_t seq;
    uint64_t correlated, expired, evicted, retired; /* not yet in the tally */
    int64_t blind_until_ms;                         /* where known (watch_baseline.c) */
    bool blind_is_known;
    const struct event_text *by_hand; /* the act under work; NULL: none is */
};

static inline struct correlation correlation_begin(struct worker *worker, uint64_t seq,
                                                   const struct step *step)
{
    return (struct correlation){.worker = worker,
                                .config = &worker->engine->config,
                                .step = step,
                                .rules = step->rules,
                                .trace = worker->engine->listener.trace,
                                .seq = seq};
}

/* Adds up what was counted, and shows the sequencer what it plans by: the last thing of a phase. */
void correlation_end(struct correlation *c);

/* The rule that a key goes by: while it watches the one in force, then the one that opened. */
static inline const struct rule *correlation_rule(const struct correlation *c,
                                                  const struct key_state *key)
{
    return key->is_open ? key_open(key)->rule : c->rules->slots[key->slot].rule;
}

static inline const struct rule_form *correlation_form(const struct correlation *c,
                                                       const struct key_state *key)
{
    return rule_forms[correlation_rule(c, key)->form_kind];
}

/* The rule's counters of this worker. */
static inline struct rule_tally *correlation_tally(const struct correlation *c,
                                                   const struct key_state *key)
{
    return &c->rules->slots[key->slot].tally[c->worker->index];
}

/* The key holds `n` touches more, or fewer where that wraps. */
static inline void correlation_hold(const struct correlation *c, const struct key_state *key,
                                    uint64_t n)
{
    tally_add(&correlation_tally(c, key)->pending, n);
    c->worker->engine->key_lanes[key->id_high >> 56].pending += n;
}

/* The place of what a timer or a round's end does with the key. */
static inline struct order correlation_order(const struct correlation *c,
                                             const struct key_state *key, int64_t at_ms,
                                             enum order_class class, enum order_stage stage)
{
    return (struct order){.at_ms = at_ms,
                          .class = (uint8_t) class,
                          .stage = (uint8_t)stage,
                          .rule = c->rules->slots[key->slot].order,
                          .key = key_words(key)};
}

/* The event of a touch as rules see it. */
static inline struct event_view touch_view(const struct touch *touch)
{
    return (struct event_view){.text = touch->text,
                               .severity = touch->severity,
                               .state = EVENT_PROBLEM,
                               .et_ms = touch->order.at_ms};
}

/* --- rule_key.c ------------------------------------------------------------------------- */

/* The key of a touch that key_find() did not find: watching, empty. Returns its number. */
uint32_t rule_key_make(struct correlation *c, struct key_lane *lane, const struct touch *touch);

/* The same of a key of such values, which a list names. */
uint32_t rule_key_add(struct correlation *c, struct key_lane *lane, struct id128 id, uint32_t slot,
                      const struct text *value);

/* What the key is found by, made from its words. */
struct id128 rule_key_id(const struct correlation *c, const struct key_state *key);

/* The key leaves the table; its words wait for the end of the step. */
void rule_key_remove(struct correlation *c, struct key_lane *lane, uint32_t number);

/* The same of a key that watches: what it holds counts retired. */
void rule_key_let_go(struct correlation *c, struct key_lane *lane, uint32_t number);

/* The key, which watches with a body that suits the other form, is that form's from now on. */
void rule_key_inherit(struct correlation *c, struct key_state *key, uint32_t heir);

/* Frees all keys of a lane and the lane, when the engine ends. */
void rule_keys_release(struct key_lane *lane, const struct rules_version *rules, struct slab *slab);

/* --- key_holder.c ----------------------------------------------------------------------- */

/* A touch of a form other than the one that holds the key. True: that was all; else the key has
 * been let go, and is there no more. */
bool key_touch_other(struct correlation *c, struct key_lane *lane, uint32_t number,
                     const struct touch *touch);

/* --- correlation.c ---------------------------------------------------------------------- */

/* The incident's round owes an update, perhaps. */
void correlation_mark_dirty(struct correlation *c, struct key_lane *lane, uint32_t number,
                            const struct touch *touch);

/* --- watch_expect.c --------------------------------------------------------------------- */

/* The form in `slot`, which lists the key, has it from now on, which a former form of it watches:
 * due by its last sign of life, though no sooner than it was. */
void expect_take_over(struct correlation *c, struct key_state *key, uint32_t slot);
/* The rules in force list the key: from `at_ms` on where it is new. */
void expect_list(struct correlation *c, struct key_state *key, int64_t at_ms);
/* True for a key that the list in force has not named: it no longer watches on after a close. */
bool expect_unlist(const struct correlation *c, struct key_state *key);

/* --- incident_life.c -------------------------------------------------------------------- */

/* An incident begins, without members: the form adds who is in it, oldest touch first, and
 * then shows it, which ends the key's watching. Returns owned, until it is shown. */
struct open_incident *incident_open(struct correlation *c, const struct key_state *key,
                                    struct opening *opening);
/* The same when no event did it: the opening's view is made of the key's values. */
struct open_incident *incident_open_by_timer(struct correlation *c, const struct key_state *key,
                                             struct opening *opening);
void incident_add(struct correlation *c, struct open_incident *open, struct id128 alert,
                  const struct event_text *words, bool cleared, int64_t ts_ms, uint8_t severity);
void incident_show(struct correlation *c, struct key_state *key, struct open_incident *open,
                   const struct order *order);

/* RAISE, CHANGE or REPEAT of a key with an open incident. False when it closed by a number that
 * came in, and the key left. */
bool incident_join(struct correlation *c, struct key_lane *lane, uint32_t number,
                   const struct touch *touch);

/* CLEAR or EVICT. False when the incident closed and the key left. */
bool incident_leave(struct correlation *c, struct key_lane *lane, uint32_t number,
                    const struct touch *touch);

/* False when the key left. */
bool incident_close(struct correlation *c, struct key_lane *lane, uint32_t number,
                    const struct order *order, enum incident_cause cause);

/* Whether `close` holds. */
bool incident_closes(const struct open_incident *open, int64_t now_ms);

/* When `close` has to be looked at next; INT64_MAX: no timer will close it. */
int64_t incident_due(const struct key_state *key);

/* by_hand.c: the touch says that this incident is over. */
void incident_close_by_hand(struct correlation *c, struct key_lane *lane, uint32_t number,
                            const struct touch *touch);

/* Looks at `close` at such a time. False when the key left. */
bool incident_timer(struct correlation *c, struct key_lane *lane, uint32_t number, int64_t due_ms);

/* The update that the round owes, if any. */
void incident_update(struct correlation *c, struct key_state *key, int64_t at_ms);

/* X4: the key goes, its incident stays with a word about it. */
void incident_lose(struct correlation *c, struct key_state *key);

static inline int64_t round_end_ms(const struct correlation *c, int64_t round)
{
    return (round + 1) * (int64_t)c->config->round_ms;
}

/* When the key has to be looked at next, if nothing comes for it; INT64_MAX: never. */
int64_t correlation_next_due(const struct correlation *c, const struct key_state *key);

/* The lane's timers hold an entry at or before the key's next due time. */
void correlation_timer_keep(const struct correlation *c, struct key_lane *lane, uint32_t number);

/* Updates of the rounds that end with the step or before. */
void correlation_lane_updates(struct correlation *c, struct key_lane *lane);

/* What is due next in the worker's lanes, for the sequencer to skip idle time. */
void correlation_publish_due(const struct correlation *c);

#endif

/*
 * incident_life.c - an incident opens, is joined and left, is updated at round ends, and
 * closes; the same for all forms of rules.
 */
#include <math.h>
#include <stdlib.h>
#include "correlate/away.h"
#include "correlate/bounds_tell.h"
#include "correlate/correlation.h"
#include "correlate/key_queue.h"
#include "correlate/rule_trace.h"

/* --- changes --------------------------------------------------------------------------- */

/* The rule, when what happens to the incident is told to composites. What they have heard of they
 * hear the end of. */
static const struct rule *told_of(const struct correlation *c, const struct key_state *key,
                                  enum incident_change what, enum incident_cause cause)
{
    struct open_incident *open = key_open(key);

    if (!c->rules->takes_incidents || !(open->is_told || c->rules->slots[key->slot].is_told) ||
        (what == INCIDENT_UPDATED && cause != CAUSE_SEVERITY && !open->is_forgotten))
        return NULL;
    open->is_told = true;
    return open->rule;
}

/* Logs one change of the key's open incident: a snapshot becomes the latest. */
static void change(struct correlation *c, struct key_state *key, const struct order *order,
                   enum incident_change what, enum incident_cause cause)
{
    struct open_incident *open = key_open(key);
    struct incident *incident =
        what == INCIDENT_OPENED ? incident_ref(open->latest) : incident_copy(open->latest);

    incident->change = what;
    incident->cause = cause;
    incident->at_ms = order->at_ms;
    incident->change_number++;
    incident->first_ts_ms = open->first_ts_ms;
    incident->severity = open->severity;
    incident->event_count = open->event_count;
    incident->alert_count = open->alert_count;
    incident->open_count = open->open_count;
    incident->is_forgotten = open->is_forgotten;
    open->severity_told = open->severity;
    open->alert_count_told = open->alert_count;
    if (what != INCIDENT_OPENED) {
        incident_unref(open->latest);
        open->latest = incident_ref(incident);
    }
    rule_trace_change(c, key, order, incident);
    worker_change(c->worker, c->seq,
                  &(struct change){.order = *order,
                                   .incident = incident,
                                   .told = told_of(c, key, what, cause),
                                   .by_hand = c->by_hand});
    if (what == INCIDENT_OPENED) {
        tally_add(&c->worker->tally.opened, 1);
        tally_add(&correlation_tally(c, key)->opened, 1);
        c->worker->engine->key_lanes[key->id_high >> 56].open++;
    } else if (what == INCIDENT_CLOSED) {
        tally_add(&c->worker->tally.closed, 1);
        tally_add(&correlation_tally(c, key)->closed, 1);
        c->worker->engine->key_lanes[key->id_high >> 56].open--;
    } else {
        tally_add(&c->worker->tally.updates, 1);
    }
}

static void note_numbers(struct open_incident *open, const struct event_view *view);

static bool is_pushed(const struct correlation *c, const struct order *order)
{
    return order->class == ORDER_EVENT && away_is_intake(c->worker->engine->parts[order->part]);
}

/* --- it opens --------------------------------------------------------------------------- */

struct open_incident *incident_open(struct correlation *c, const struct key_state *key,
                                    struct opening *opening)
{
    const struct rule_slot *slot = &c->rules->slots[key->slot];
    struct open_incident *open = slab_alloc(&c->worker->slab, sizeof(*open));
    int64_t now_ms = opening->order->at_ms;

    if (opening->order->class == ORDER_EVENT) {
        const struct part *part = c->worker->engine->parts[opening->order->part];
        opening->topic = part->name;
        opening->partition = part->number;
    }
    opening->is_former = !slot->current;
    *open = (struct open_incident){.rule = opening->rule,
                                   .latest = incident_make(opening),
                                   .last_touch_ms = now_ms,
                                   .quiet_checked_ms = now_ms,
                                   .away_end_ms = INT64_MIN,
                                   .first_ts_ms = INT64_MAX,
                                   .dirty_round = INT64_MIN};
    open->latest->opened_ms = now_ms;
    open->is_pushed = is_pushed(c, opening->order);
    for (int i = 0; i < RULE_LAST_MAX; i++)
        open->last[i] = NAN;
    note_numbers(open, &opening->view);
    open->recent_room = opening->rule->fewer_touches_max;
    if (open->recent_room > 0)
        open->recent_ms = slab_alloc(&c->worker->slab, open->recent_room * sizeof(int64_t));
    return open;
}

/* Its beginning, no character cut in two. */
static void put_word(struct worker *worker, uint64_t seq, struct text text)
{
    uint32_t bytes = text.len;

    if (bytes > ENGINE_WORD_BYTES - 1)
        for (bytes = ENGINE_WORD_BYTES - 1; bytes > 0 && (text.at[bytes] & 0xc0) == 0x80;)
            bytes--;
    vector_reserve(&worker->join_words[seq], bytes + 1);
    char *to = worker->join_words[seq].at + worker->join_words[seq].count;
    if (bytes > 0)
        memcpy(to, text.at, bytes);
    to[bytes] = '\0';
    worker->join_words[seq].count += strlen(to) + 1; /* it may hold zero bytes itself */
}

/* `words`: of an event of the alert; NULL where none is at hand. */
static struct member *member_new(struct correlation *c, struct open_incident *open,
                                 struct id128 alert, int64_t at_ms, const struct event_text *words,
                                 uint8_t severity)
{
    struct worker *worker = c->worker;
    uint64_t seq = c->seq & (STEPS - 1);

    if (worker->engine->listener.joined != NULL) {
        vector_add(&worker->joins[seq]) =
            (struct joined){open->latest->id, alert, at_ms,
                            words != NULL ? 1 + worker->join_words[seq].count : 0, severity};
        if (words != NULL) {
            put_word(worker, seq, event_text_field(words, FIELD_SOURCE));
            put_word(worker, seq, event_text_field(words, FIELD_RESOURCE));
            put_word(worker, seq, event_text_field(words, FIELD_CHECK));
            put_word(worker, seq, event_text_field(words, FIELD_DEDUP_KEY));
            put_word(worker, seq, event_text_host(words));
        }
    }
    return members_add(&open->members, &worker->slab, alert);
}

struct open_incident *incident_open_by_timer(struct correlation *c, const struct key_state *key,
                                             struct opening *opening)
{
    struct text value[RULE_BY_MAX];
    struct event_label label[RULE_BY_MAX];
    struct event_draft draft;

    for (uint32_t i = 0; i < opening->rule->by_count; i++)
        value[i] = key_text_value(opening->key, i);
    rule_by_draft(opening->rule, value, label, &draft);
    size_t bytes = event_text_bytes(&draft);
    void *text = memory_alloc(bytes);
    opening->view =
        (struct event_view){.text = event_text_pack(text, bytes, &draft, opening->order->at_ms),
                            .severity = draft.severity,
                            .state = EVENT_PROBLEM,
                            .et_ms = opening->order->at_ms};
    struct open_incident *open = incident_open(c, key, opening);
    opening->view.text = NULL;
    free(text);
    return open;
}

void incident_add(struct correlation *c, struct open_incident *open, struct id128 alert,
                  const struct event_text *words, bool cleared, int64_t ts_ms, uint8_t severity)
{
    struct member *member = members_find(&open->members, alert);

    rule_trace_member(c, alert, cleared, ts_ms);
    if (member == NULL) {
        member = member_new(c, open, alert, open->latest->opened_ms, words, severity);
        open->alert_count++;
    } else if (member->state == MEMBER_OPEN) {
        open->open_count--;
    }
    member->state = cleared ? MEMBER_CLEARED : MEMBER_OPEN; /* the newest decides */
    open->open_count += !cleared;
    open->event_count++;
    if (ts_ms < open->first_ts_ms)
        open->first_ts_ms = ts_ms;
    if (severity > open->severity)
        open->severity = severity;
}

void incident_show(struct correlation *c, struct key_state *key, struct open_incident *open,
                   const struct order *order)
{
    const struct rule *rule = open->rule;

    if (rule_forms[rule->form_kind]->closed != NULL)
        open->body = key_body(key);
    else if (key_body(key) != NULL)
        rule_forms[rule->form_kind]->release(rule, key, &c->worker->slab);
    key_set_open(key, open);
    change(c, key, order, INCIDENT_OPENED, CAUSE_RULE);
}

/* --- it is joined and left ---------------------------------------------------------------- */

static bool is_cleared(const struct open_incident *open)
{
    return open->open_count == 0 && !open->member_evicted;
}

/* --- what close looks at ------------------------------------------------------------------ */

/* Numbers of an event that close looks at. */
static void note_numbers(struct open_incident *open, const struct event_view *view)
{
    for (uint32_t i = 0; i < open->rule->last_count; i++) {
        double number = rule_last(open->rule, i, view);
        if (number == number)
            open->last[i] = number;
    }
}

static void note_recent(struct open_incident *open, int64_t at_ms)
{
    if (open->recent_room > 0)
        open->recent_ms[open->recent_count++ % open->recent_room] = at_ms;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When quiet() begins. */
static int64_t quiet_from_ms(const struct open_incident *open)
{
    return later(open->last_touch_ms, open->away_end_ms);
}

/* From when on fewer() number `i` is true: its stretch after the touch that is one too many, and
 * after the opening in any case. */
static int64_t fewer_from_ms(const struct open_incident *open, uint32_t i)
{
    const struct rule_fewer *fewer = &open->rule->fewer[i];
    int64_t since_ms = open->latest->opened_ms;

    if (open->recent_count >= fewer->touches)
        since_ms = open->recent_ms[(open->recent_count - fewer->touches) % open->recent_room];
    return later(since_ms, open->away_end_ms) + fewer->ms;
}

/* While one of its alerts is open something still comes, though rules hear nothing of repeats. What
 * is missing comes to nobody. */
static bool is_heard(const struct open_incident *open)
{
    return open->open_count > 0 && open->rule->form_kind != FORM_EXPECT;
}

bool incident_closes(const struct open_incident *open, int64_t now_ms)
{
    struct rule_closing closing = {.quiet_ms = is_heard(open) ? 0 : now_ms - quiet_from_ms(open),
                                   .cleared = is_cleared(open),
                                   .last = open->last};

    for (uint32_t i = 0; i < open->rule->fewer_count; i++)
        closing.fewer[i] = now_ms >= fewer_from_ms(open, i);
    return rule_close_holds(open->rule, &closing);
}

bool incident_join(struct correlation *c, struct key_lane *lane, uint32_t number,
                   const struct touch *touch)
{
    struct open_incident *open = key_open(key_at(lane, number));
    struct member *member = members_find(&open->members, touch->alert);

    if (member != NULL) {
        open->open_count += member->state != MEMBER_OPEN;
        member->state = MEMBER_OPEN;
    } else if (open->members.count < open->rule->max_members) {
        member_new(c, open, touch->alert, touch->order.at_ms, touch->text, touch->severity)->state =
            MEMBER_OPEN;
        open->alert_count++;
        open->open_count++;
    } else if (touch->kind == TOUCH_RAISE ||
               (touch->kind == TOUCH_MOVE && touch->slot == key_at(lane, number)->slot)) {
        open->alert_count++;
        open->untracked_open++;
        open->open_count++;
    }
    open->event_count++;
    if (touch->text->ts_ms < open->first_ts_ms)
        open->first_ts_ms = touch->text->ts_ms;
    if (touch->severity > open->severity)
        open->severity = touch->severity;
    open->last_touch_ms = touch->order.at_ms;
    open->quiet_checked_ms = touch->order.at_ms;
    open->is_pushed = is_pushed(c, &touch->order);
    c->correlated++;
    note_recent(open, touch->order.at_ms);
    if (open->rule->last_count == 0)
        return true;
    struct event_view view = touch_view(touch);
    note_numbers(open, &view);
    return !incident_closes(open, touch->order.at_ms) ||
           incident_close(c, lane, number, &touch->order, CAUSE_VALUE);
}

bool incident_leave(struct correlation *c, struct key_lane *lane, uint32_t number,
                    const struct touch *touch)
{
    struct key_state *key = key_at(lane, number);
    struct open_incident *open = key_open(key);
    struct member *member = members_find(&open->members, touch->alert);

    if (member != NULL && member->state == MEMBER_OPEN) {
        member->state = MEMBER_CLEARED;
    } else if (member == NULL && open->untracked_open > 0) {
        open->untracked_open--;
    } else {
        c->retired++;
        return true;
    }
    open->open_count--;
    open->event_count++;
    c->correlated++;
    if (open->open_count == 0) {
        open->last_touch_ms = touch->order.at_ms; /* quiet begins */
        open->is_pushed = is_pushed(c, &touch->order);
    }
    if (touch->kind == TOUCH_EVICT) {
        if (!open->member_evicted)
            bounds_lost(c->worker, key);
        open->evicted_now |= !open->member_evicted;
        open->member_evicted = true;
    } else if (is_cleared(open) && incident_closes(open, touch->order.at_ms)) {
        return incident_close(c, lane, number, &touch->order, CAUSE_CLEARED);
    }
    return true;
}

/* --- it closes ---------------------------------------------------------------------------- */

bool incident_close(struct correlation *c, struct key_lane *lane, uint32_t number,
                    const struct order *order, enum incident_cause cause)
{
    struct key_state *key = key_at(lane, number);
    const struct rule_form *form = correlation_form(c, key);

    change(c, key, order, INCIDENT_CLOSED, cause);
    if (form->closed == NULL) {
        rule_key_remove(c, lane, number);
        return false;
    }
    void *body = key_open(key)->body;
    open_incident_free(key_open(key), &c->worker->slab);
    key_set_body(key, body);
    if (form->closed(c, key, order->at_ms)) {
        key_queue_note(c->worker, key, number, key_last_ms(key));
        return true;
    }
    rule_key_remove(c, lane, number);
    return false;
}

int64_t incident_due(const struct key_state *key)
{
    int64_t due = INT64_MAX;

    for (uint32_t i = 0; !is_heard(key_open(key)) && i < key_open(key)->rule->quiet_count; i++) {
        int64_t quiet = quiet_from_ms(key_open(key)) + key_open(key)->rule->quiet_ms[i];
        if (quiet > key_open(key)->quiet_checked_ms && quiet < due)
            due = quiet;
    }
    for (uint32_t i = 0; i < key_open(key)->rule->fewer_count; i++) {
        int64_t fewer = fewer_from_ms(key_open(key), i);
        if (fewer > key_open(key)->quiet_checked_ms && fewer < due)
            due = fewer;
    }
    return due;
}

static bool is_quiet_time(const struct open_incident *open, int64_t at_ms)
{
    for (uint32_t i = 0; !is_heard(open) && i < open->rule->quiet_count; i++)
        if (quiet_from_ms(open) + open->rule->quiet_ms[i] == at_ms)
            return true;
    return false;
}

/* What was pushed last comes to nobody while the daemon is away: its silence says nothing before a
 * start, and counts from there. */
static bool is_unheard(const struct correlation *c, struct open_incident *open, int64_t at_ms)
{
    const struct away_spell *spell = open->is_pushed ? away_at(c->worker->engine, at_ms) : NULL;

    if (spell == NULL || spell->end_ms <= quiet_from_ms(open))
        return false;
    open->away_end_ms = spell->end_ms;
    return true;
}

bool incident_timer(struct correlation *c, struct key_lane *lane, uint32_t number, int64_t due_ms)
{
    struct key_state *key = key_at(lane, number);

    if (is_unheard(c, key_open(key), due_ms)) {
        key_open(key)->quiet_checked_ms = due_ms;
        return true;
    }
    if (incident_closes(key_open(key), due_ms)) {
        struct order order = correlation_order(c, key, due_ms, ORDER_TIMER, ORDER_RULE);
        return incident_close(c, lane, number, &order,
                              is_quiet_time(key_open(key), due_ms) ? CAUSE_QUIET : CAUSE_FEWER);
    }
    key_open(key)->quiet_checked_ms = due_ms;
    return true;
}

/* --- at round ends ------------------------------------------------------------------------- */

void incident_update(struct correlation *c, struct key_state *key, int64_t at_ms)
{
    struct open_incident *open = key_open(key);
    struct order order = correlation_order(c, key, at_ms, ORDER_ROUND_END, ORDER_UPDATE);

    open->dirty_round = INT64_MIN;
    if (open->evicted_now)
        change(c, key, &order, INCIDENT_UPDATED, CAUSE_EVICTED);
    else if (open->severity > open->severity_told)
        change(c, key, &order, INCIDENT_UPDATED, CAUSE_SEVERITY);
    else if (open->alert_count > open->alert_count_told &&
             open->alert_count >= 2 * open->alert_count_told)
        change(c, key, &order, INCIDENT_UPDATED, CAUSE_GREW);
    open->evicted_now = false;
}

void incident_lose(struct correlation *c, struct key_state *key)
{
    struct order order = correlation_order(c, key, c->step->to_ms, ORDER_ROUND_END, ORDER_UPDATE);

    key_open(key)->is_forgotten = true;
    change(c, key, &order, INCIDENT_UPDATED, CAUSE_EVICTED);
    tally_add(&c->worker->tally.lost, 1);
    c->worker->engine->key_lanes[key->id_high >> 56].open--;
    if (!key_open(key)->evicted_now) /* else it was counted when an alert of it went */
        bounds_lost(c->worker, key);
}

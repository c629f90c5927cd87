/*
 * why_watch.c - the second pass: what is watched becomes notes, in words. See why_parts.h.
 *
 * Of an incident, its key is watched from the touches that it opened with to its close; of an
 * event, its alert and the keys that its touches or those of its alert went to; of a key, every
 * event that has its values and every touch of it.
 */
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "daemon/why_parts.h"

enum { NEAREST_RULES = 3, EXPIRED_KEPT = 4096 };

/* --- notes -------------------------------------------------------------------------------------
 */

struct why_notes *why_list_for(struct why *why, int64_t at_ms)
{
    switch (why->question.subject) {
    case WHY_INCIDENT:
        return why->is_after                             ? &why->after
               : at_ms > why->incidents.at[0]->opened_ms ? &why->ahead
                                                         : &why->before;
    case WHY_EVENT:
        return at_ms < why->event_ms ? &why->before : &why->after;
    default:
        return &why->before; /* the newest of all */
    }
}

void why_note(struct why *why, struct why_note note)
{
    note.number = why->number++;
    note.count = note.count > 0 ? note.count : 1;
    note.until_ms = note.at_ms;
    why_notes_add(why_list_for(why, note.at_ms), &note);
}

bool why_fold(struct why *why, const char *what, struct id128 alert, int64_t at_ms)
{
    struct why_note *last = why_notes_last_of(why_list_for(why, at_ms), alert);

    if (last == NULL || last->what != what)
        return false;
    last->count++;
    last->until_ms = at_ms;
    return true;
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

void why_note_once(struct why *why, struct why_note note)
{
    struct why_note *last =
        why_notes_last_aside(why_list_for(why, note.at_ms), note.alert, note.rule);

    if (last == NULL || !is_same(last->text, note.text) || !is_same(last->tests, note.tests)) {
        why_note(why, note);
        return;
    }
    last->count++;
    last->until_ms = note.at_ms;
    free(note.text);
    free(note.tests);
}

bool why_is_too_late(const struct why *why, int64_t at_ms)
{
    return at_ms > why->question.at_ms; /* that of `why` is INT64_MAX */
}

struct why_place why_place_of(struct why *why, const char *topic, int32_t partition,
                              const struct order *order)
{
    if (topic == NULL)
        return (struct why_place){.topic = NULL};
    return (struct why_place){why_topic(why, topic), partition, order->offset, order->sub};
}

bool why_is_asked_event(const struct why *why, const struct why_place *place)
{
    return why->question.subject == WHY_EVENT && place->topic != NULL &&
           place->offset == why->place.offset && place->sub == why->place.sub &&
           place->partition == why->place.partition && strcmp(place->topic, why->place.topic) == 0;
}

bool why_watches_incident(const struct why *why, struct id128 id)
{
    for (size_t i = 0; i < why->watched.count; i++)
        if (id128_equal(why->watched.at[i], id))
            return true;
    return false;
}

bool why_is_it(const struct why *why, struct id128 id)
{
    return why->question.subject == WHY_INCIDENT && why->incidents.count > 0 &&
           id128_equal(why->incidents.at[0]->id, id);
}

/* --- events --------------------------------------------------------------------------------------
 */

static void watch_received(void *self, const struct trace_receipt *receipt)
{
    struct why *why = self;
    const struct event *ev = receipt->event;
    const struct why_place place = {receipt->topic, receipt->partition, ev->offset, ev->sub};

    if (!why_is_asked_event(why, &place))
        return;
    /* Records of plain files may have no time and get that of the clock, another in each run. */
    why->event_ms = ev->et_ms;
    why_note(why, (struct why_note){.at_ms = ev->et_ms,
                                    .class = ORDER_EVENT,
                                    .stage = STAGE_INGEST,
                                    .place = why->place,
                                    .what = "received",
                                    .text = why_words_received(why, receipt)});
}

static const char *word_of(const struct trace_decision *decision)
{
    static const char *const words[] = {
        [TRACE_CLEAR_OF_NONE] = "clear-of-none",
        [TRACE_NEW] = "new",
        [TRACE_REFIRED] = "refired",
        [TRACE_REPEATED] = "repeat",
        [TRACE_CHANGED] = "changed",
        [TRACE_CLEARED] = "cleared",
        [TRACE_CLEAR_OF_CLOSED] = "clear-again",
        [TRACE_DROPPED] = "dropped",
    };

    if (decision->flapping && decision->counted == TRACE_DUPLICATE)
        return "flapping";
    return words[decision->outcome];
}

static bool has_route(const struct trace_decision *decision, const struct rule *rule)
{
    for (uint32_t i = 0; i < decision->route_count; i++)
        if (strcmp(decision->rules->slots[decision->routes[i].slot].rule->id, rule->id) == 0)
            return true;
    return false;
}

/* Clears are matched by rules that take every event, and by no others; what happens to incidents by
 * rules on incidents, and they see nothing else. */
static bool hears(const struct rule *rule, const struct event *ev)
{
    bool is_incident = (ev->flags & EVENT_OF_INCIDENT) != 0;

    if (is_incident != (rule->input == RULE_INPUT_INCIDENTS))
        return false;
    return ev->state != EVENT_CLEAR || rule->input == RULE_INPUT_ALL;
}

static struct event_view view_of(const struct event *ev)
{
    return (struct event_view){
        .text = ev->text, .severity = ev->severity, .state = ev->state, .et_ms = ev->et_ms};
}

/* Why the rule's `where` is not true, told to why->explanation; false when it is. */
static bool explain_failure(struct why *why, const struct rule *rule, const struct event *ev)
{
    const struct event_view view = view_of(ev);

    rule_explain_where(rule, &view, &why->explanation);
    return why->explanation.truth != TRUTH_TRUE;
}

void why_note_failure(struct why *why, const struct rule *rule, int64_t at_ms)
{
    struct why_rule *of = why_rule_of(why, rule);
    const struct explained_test *cause = explanation_cause(&why->explanation);

    of->failed++;
    of->cause.is_set = true;
    of->cause.at_ms = at_ms;
    of->cause.text[0] = '\0';
    if (cause != NULL)
        explained_test_print(cause, of->cause.text, sizeof(of->cause.text));
    why_words_mend(of->cause.text);
}

static void add_failure(struct why *why, const struct rule *rule, const struct event *ev,
                        const struct why_place *place)
{
    const char *failure =
        why->explanation.truth == TRUTH_FALSE ? "false" : "an error, which is no match";
    struct why_note note = {
        .at_ms = ev->et_ms,
        .class = ORDER_EVENT,
        .stage = STAGE_RULES,
        .place = *place,
        .what = why_word_failed,
        .rule = rule->id,
        .alert = ev->fingerprint,
        .text = why_format("rule %s does not match: where is %s", rule->id, failure),
        .tests = why_words_tests(&why->explanation)};

    why_note_once(why, note);
}

/* The rules that come nearest to matching: most of their tests hold, and of equals those first that
 * are about the event's check. */
static void tell_nearest(struct why *why, const struct rule_set *rules, const struct event *ev,
                         const struct why_place *place)
{
    struct nearest {
        const struct rule *rule;
        double share;
        bool names_check;
    } nearest[NEAREST_RULES];
    size_t count = 0;

    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        if (!hears(rule, ev))
            continue;
        if (!explain_failure(why, rule, ev)) {
            why_rule_of(why, rule)->unheard++;
            continue;
        }
        double share = explanation_share(&why->explanation);
        bool names_check = !explanation_fails_at_check(&why->explanation);
        why->names_check = why->names_check || names_check;
        size_t at = count < NEAREST_RULES ? count++ : NEAREST_RULES;
        while (at > 0 &&
               (nearest[at - 1].share < share ||
                (nearest[at - 1].share == share && names_check && !nearest[at - 1].names_check))) {
            if (at < NEAREST_RULES)
                nearest[at] = nearest[at - 1];
            at--;
        }
        if (at < NEAREST_RULES)
            nearest[at] = (struct nearest){rule, share, names_check};
    }
    for (size_t i = 0; i < count; i++) {
        explain_failure(why, nearest[i].rule, ev);
        why_note_failure(why, nearest[i].rule, ev->et_ms);
        add_failure(why, nearest[i].rule, ev, place);
    }
}

/* A repeat of an alert that no rule was told of, and none is told of the event either. */
static bool is_of_no_rule(const struct why *why, const struct trace_decision *decision)
{
    for (size_t i = 0; i < why->keys.count; i++)
        if (why->keys.at[i].of_event)
            return false;
    return decision->route_count == 0 && !decision->flapping;
}

/* What the rules thought of the event that is asked for. */
static void tell_rules(struct why *why, const struct trace_decision *decision)
{
    const struct rule_set *rules = decision->rules->set;
    const struct event *ev = decision->event;

    if (why->question.rule == NULL) {
        bool is_unmatched = decision->counted == TRACE_UNMATCHED || is_of_no_rule(why, decision);
        if (is_unmatched && ev->state != EVENT_CLEAR)
            tell_nearest(why, rules, ev, &why->place);
        return;
    }
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        if (!why_asks_rule(why, rule))
            continue;
        if (!hears(rule, ev)) {
            why_rule_of(why, rule)->unheard +=
                (rule->input == RULE_INPUT_INCIDENTS) != why->asked_of_incident;
            continue;
        }
        if (explain_failure(why, rule, ev)) {
            why_note_failure(why, rule, ev->et_ms);
            add_failure(why, rule, ev, &why->place);
        } else {
            why_rule_of(why, rule)->unheard += rule->input == RULE_INPUT_FLAPPING;
            why_note(why, (struct why_note){.at_ms = ev->et_ms,
                                            .class = ORDER_EVENT,
                                            .stage = STAGE_RULES,
                                            .place = why->place,
                                            .what = "where-true",
                                            .rule = rule->id,
                                            .text = why_format("rule %s matches", rule->id),
                                            .tests = why_words_tests(&why->explanation)});
        }
    }
}

static bool ends_nothing(const struct trace_decision *decision)
{
    return decision->outcome == TRACE_CLEAR_OF_NONE || decision->outcome == TRACE_CLEAR_OF_CLOSED;
}

/* The line before it of the alert is this one. */
static bool says_the_same(struct why *why, const struct event *ev, const char *text)
{
    const struct why_note *last = why_notes_last_of(why_list_for(why, ev->et_ms), ev->fingerprint);

    return last != NULL && strcmp(last->text, text) == 0;
}

static void note_decision(struct why *why, const struct trace_decision *decision,
                          const struct why_place *place)
{
    const struct event *ev = decision->event;
    const struct why_alert *alert = why_alert_of(why, ev->fingerprint, ev->text);
    const char *what = word_of(decision);

    if (decision->outcome == TRACE_REPEATED && decision->counted == TRACE_DUPLICATE &&
        why_fold(why, what, ev->fingerprint, ev->et_ms))
        return;
    char *text = why_words_decided(why, decision, why_alert_name(alert));
    if (ends_nothing(decision) && says_the_same(why, ev, text) &&
        why_fold(why, what, ev->fingerprint, ev->et_ms)) {
        free(text);
        return;
    }
    why_note(why, (struct why_note){.at_ms = ev->et_ms,
                                    .class = ORDER_EVENT,
                                    .stage = STAGE_DEDUP,
                                    .place = *place,
                                    .what = what,
                                    .alert = ev->fingerprint,
                                    .text = text});
}

static void follow_alert(struct why *why, const struct trace_decision *decision,
                         const struct why_place *place)
{
    const struct event *ev = decision->event;

    if (decision->outcome == TRACE_NEW || decision->outcome == TRACE_REFIRED ||
        decision->outcome == TRACE_CHANGED) {
        why->opener = *place;
        why->opener_ms = ev->et_ms;
        why->repeat = 0;
    } else if (decision->outcome == TRACE_REPEATED) {
        why->repeat++;
    }
    if (!why_is_asked_event(why, place)) {
        note_decision(why, decision, place);
        return;
    }
    why->decided = true;
    why->decision = *decision;
    why->decision.event = NULL;
    why->decision.routes = NULL;
    if (decision->outcome == TRACE_DROPPED)
        why->dropped_by = why_topic(why, decision->dropped_by);
    if ((ev->flags & EVENT_DERIVED) != 0)
        why_note(why, (struct why_note){.at_ms = ev->et_ms,
                                        .class = ORDER_EVENT,
                                        .stage = STAGE_INGEST,
                                        .place = why->place,
                                        .what = "made",
                                        .text = why_words_made(ev)});
    why_note_deeds(why, ev, place);
    why->asked_repeat = why->repeat;
    why->asked_opener = why->opener;
    why->asked_opener_ms = why->opener_ms;
    why->asked_clear = ev->state == EVENT_CLEAR;
    why->asked_of_incident = (ev->flags & EVENT_OF_INCIDENT) != 0;
    struct text check = event_text_field(ev->text, FIELD_CHECK);
    snprintf(why->check, sizeof(why->check), "%.*s", (int)check.len, check.at);
    why_words_mend(why->check);
    /* A note of its own, also for a repeat. */
    const struct why_alert *alert = why_alert_of(why, ev->fingerprint, ev->text);
    why_note(why,
             (struct why_note){.at_ms = ev->et_ms,
                               .class = ORDER_EVENT,
                               .stage = STAGE_DEDUP,
                               .place = *place,
                               .what = word_of(decision),
                               .text = why_words_decided(why, decision, why_alert_name(alert))});
    if (decision->outcome != TRACE_DROPPED)
        tell_rules(why, decision);
}

/* A list is gone by once: the key is the same each time. */
static void look_at_list(struct why_rule *of, const struct text *values)
{
    if (of->rule->listed_count > 0 && !of->has_looked)
        of->is_not_listed = !why_lists(of->rule, values);
    of->has_looked = true;
}

/* One that comes behind the time that is asked about, and is the first there. */
static void follow_later(struct why *why, const struct rule_set *rules, const struct event *ev,
                         const struct why_place *place)
{
    const struct event_view view = view_of(ev);
    struct text values[RULE_BY_MAX];

    for (uint32_t i = 0; why->key_next_at.topic == NULL && i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        if (!why_asks_rule(why, rule))
            continue;
        rule_by_values(rule, &view, values);
        if (why_key_is(rule, values, why->question.key)) {
            why->key_next_at = *place;
            why->key_next_ms = ev->et_ms;
        }
    }
}

/* An event whose values make the key that is asked for, by one of the rules. */
static void follow_values(struct why *why, const struct trace_decision *decision,
                          const struct why_place *place)
{
    const struct rule_set *rules = decision->rules->set;
    const struct event *ev = decision->event;
    const struct event_view view = view_of(ev);
    struct text values[RULE_BY_MAX];
    bool has_key = false;

    why->first_ms = ev->et_ms < why->first_ms ? ev->et_ms : why->first_ms;
    if (why_is_too_late(why, ev->et_ms)) {
        follow_later(why, rules, ev, place);
        return;
    }
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        if (!why_asks_rule(why, rule))
            continue;
        rule_by_values(rule, &view, values);
        if (!why_key_is(rule, values, why->question.key))
            continue;
        has_key = true;
        if (decision->outcome == TRACE_DROPPED)
            break;
        struct why_rule *of = why_rule_of(why, rule);
        look_at_list(of, values);
        if (!hears(rule, ev))
            continue;
        bool is_calmed = rule->input == RULE_INPUT_ALERTS && decision->flapping &&
                         decision->counted == TRACE_DUPLICATE;
        if (is_calmed && !explain_failure(why, rule, ev)) {
            of->flapping++;
        } else if (!is_calmed && has_route(decision, rule)) {
            of->repeats += decision->counted == TRACE_DUPLICATE;
            of->reached += decision->counted == TRACE_ROUTED;
        } else if (!explain_failure(why, rule, ev)) {
            of->unheard += rule->input == RULE_INPUT_FLAPPING;
        } else {
            double share = explanation_share(&why->explanation);
            if (of->failed == 0 || share >= of->share) {
                of->share = share;
                why_note_failure(why, rule, ev->et_ms);
                of->cause.place = *place;
            } else {
                of->failed++;
            }
            if (decision->outcome != TRACE_REPEATED)
                add_failure(why, rule, ev, place);
        }
    }
    if (!has_key)
        return;
    why->found = true;
    why->key_events++;
    if (decision->outcome == TRACE_DROPPED) {
        why->key_dropped++;
        why->dropped_by = why_topic(why, decision->dropped_by);
        why->key_dropped_at = *place;
        why->key_dropped_ms = ev->et_ms;
    }
    if (decision->counted != TRACE_DUPLICATE)
        why_note_deeds(why, ev, place);
    note_decision(why, decision, place);
}

static bool is_of_member(const struct why *why, const struct event *ev)
{
    for (size_t i = 0; i < why->joined.count; i++)
        if (id128_equal(why->joined.at[i], ev->fingerprint))
            return true;
    return false;
}

/* A clear of a member that a step drops leaves it open. */
static bool is_dropped_clear(const struct why *why, const struct trace_decision *decision)
{
    return decision->outcome == TRACE_DROPPED && decision->event->state == EVENT_CLEAR &&
           is_of_member(why, decision->event);
}

/* What makes a member flap, and keeps it at it: its rule is told of none of these. */
static bool is_flap(const struct why *why, const struct trace_decision *decision)
{
    return why->of_flapping && decision->outcome != TRACE_REPEATED &&
           decision->outcome != TRACE_DROPPED && !ends_nothing(decision) &&
           is_of_member(why, decision->event);
}

static void watch_decided(void *self, const struct trace_decision *decision)
{
    struct why *why = self;
    const struct event *ev = decision->event;
    const struct why_place place = {why_topic(why, decision->topic), decision->partition,
                                    ev->offset, ev->sub};

    switch (why->question.subject) {
    case WHY_EVENT:
        if (id128_equal(ev->fingerprint, why->alert) && !why_is_too_late(why, ev->et_ms))
            follow_alert(why, decision, &place);
        return;
    case WHY_KEY:
        follow_values(why, decision, &place);
        return;
    case WHY_INCIDENT:
        /* What rules are told of comes as a touch; here is what they are not told, and what the
         * event was made of. */
        if (why->is_done || ev->et_ms > why->closed_ms)
            return;
        if (is_dropped_clear(why, decision) || is_flap(why, decision))
            note_decision(why, decision, &place);
        for (uint32_t i = 0; i < decision->route_count; i++)
            if (why_watched_key(why, decision->routes[i].key) != NULL) {
                if (decision->counted == TRACE_DUPLICATE)
                    note_decision(why, decision, &place);
                else
                    why_note_deeds(why, ev, &place);
                return;
            }
    }
}

static void remember_expiry(struct why *why, const struct trace_alert *alert)
{
    const struct why_expired expired = {alert->alert, alert->at_ms};

    if (why->expired.count < EXPIRED_KEPT)
        vector_add(&why->expired) = expired;
    else
        why->expired.at[why->expired_next++ % EXPIRED_KEPT] = expired;
}

static void watch_ended(void *self, const struct trace_alert *alert)
{
    static const char *const words[] = {
        [TRACE_EXPIRED] = "is over: nothing has come for it for as long as engine.expire says",
        [TRACE_FLAP_ENDED] = "flaps no more",
        [TRACE_ALERT_EVICTED] = "is evicted: engine.alerts.max is reached",
    };
    static const char *const names[] = {[TRACE_EXPIRED] = "expired",
                                        [TRACE_FLAP_ENDED] = "flap-ended",
                                        [TRACE_ALERT_EVICTED] = "alert-evicted"};
    struct why *why = self;

    if (alert->what == TRACE_EXPIRED)
        remember_expiry(why, alert);
    if (why->question.subject != WHY_EVENT || !id128_equal(alert->alert, why->alert) ||
        why_is_too_late(why, alert->at_ms))
        return;
    const struct why_alert *named = why_alert_of(why, alert->alert, alert->text);
    why_note(why, (struct why_note){
                      .at_ms = alert->at_ms,
                      .class = alert->what == TRACE_ALERT_EVICTED ? ORDER_ROUND_END : ORDER_TIMER,
                      .stage = STAGE_DEDUP,
                      .what = names[alert->what],
                      .alert = alert->alert,
                      .text = why_format("%s %s", why_alert_name(named), words[alert->what])});
}

const struct engine_trace why_watch_trace = {
    .received = watch_received,
    .enriched = why_watch_enriched,
    .decided = watch_decided,
    .ended = watch_ended,
    .touched = why_watch_touched,
    .turned = why_watch_turned,
    .member = why_watch_member,
    .changed = why_watch_changed,
    .lost = why_watch_lost,
};

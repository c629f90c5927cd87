/*
 * why_watch.c - the second pass: what is watched becomes notes, in words. See why_parts.h.
 *
 * Of an incident, its key is watched from the touches that it opened with to its close; of an
 * event, its alert and the keys that its touches or those of its alert went to; of a key, every
 * event that has its values and every touch of it.
 */
#include <stdlib.h>
#include <string.h>
#include "daemon/why_parts.h"

enum { MEMBERS_MAX = 4096, NEAREST_RULES = 3 };

/* --- notes -------------------------------------------------------------------------------------
 */

static struct why_notes *list_for(struct why *why, int64_t at_ms)
{
    switch (why->question.subject) {
    case WHY_INCIDENT:
        return why->is_after ? &why->after : &why->before;
    case WHY_EVENT:
        return at_ms < why->event_ms ? &why->before : &why->after;
    default:
        return &why->before; /* the newest of all */
    }
}

static void add_note(struct why *why, struct why_note note)
{
    note.number = why->number++;
    note.count = note.count > 0 ? note.count : 1;
    note.until_ms = note.at_ms;
    why_notes_add(list_for(why, note.at_ms), &note);
}

/* What is folded without a word: the note before it, if it says the same of the alert, stands for
 * it too. */
static bool fold(struct why *why, const char *what, struct id128 alert, int64_t at_ms)
{
    struct why_note *last = why_notes_last_of(list_for(why, at_ms), alert);

    if (last == NULL || last->what != what)
        return false;
    last->count++;
    last->until_ms = at_ms;
    return true;
}

static bool is_too_late(const struct why *why, int64_t at_ms)
{
    return why->question.subject == WHY_KEY && at_ms > why->question.at_ms;
}

static struct why_place place_of(struct why *why, const char *topic, int32_t partition,
                                 const struct order *order)
{
    if (topic == NULL)
        return (struct why_place){.topic = NULL};
    return (struct why_place){why_topic(why, topic), partition, order->offset, order->sub};
}

static bool is_asked_event(const struct why *why, const struct why_place *place)
{
    return why->question.subject == WHY_EVENT && place->topic != NULL &&
           place->offset == why->place.offset && place->sub == why->place.sub &&
           place->partition == why->place.partition && strcmp(place->topic, why->place.topic) == 0;
}

static bool is_watched_key(const struct why *why, struct id128 key)
{
    for (size_t i = 0; i < why->keys.count; i++)
        if (id128_equal(why->keys.at[i].key, key))
            return true;
    return false;
}

static void watch_key(struct why *why, struct id128 key)
{
    if (!is_watched_key(why, key))
        vector_add(&why->keys) = (struct why_key){.key = key};
}

static bool is_watched_incident(const struct why *why, struct id128 id)
{
    for (size_t i = 0; i < why->watched.count; i++)
        if (id128_equal(why->watched.at[i], id))
            return true;
    return false;
}

/* The incident that is asked for. */
static bool is_it(const struct why *why, struct id128 id)
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

    if (!is_asked_event(why, &place))
        return;
    add_note(why, (struct why_note){.at_ms = ev->et_ms,
                                    .class = ORDER_EVENT,
                                    .stage = STAGE_INGEST,
                                    .place = why->place,
                                    .what = "received",
                                    .text = why_words_received(receipt)});
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

static void note_failure(struct why *why, const struct rule *rule, int64_t at_ms)
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
    add_note(why,
             (struct why_note){.at_ms = ev->et_ms,
                               .class = ORDER_EVENT,
                               .stage = STAGE_RULES,
                               .place = *place,
                               .what = "where-false",
                               .rule = rule->id,
                               .text = why_format("rule %s does not match: where is %s", rule->id,
                                                  why->explanation.truth == TRUTH_FALSE
                                                      ? "false"
                                                      : "an error, which is no match"),
                               .tests = why_words_tests(&why->explanation)});
}

/* The event's check alone keeps the rule from matching, whatever else does. */
static bool fails_at_check(const struct explanation *explanation)
{
    for (uint32_t i = 0; i < explanation->count; i++) {
        const struct explained_test *test = &explanation->test[i];
        if (test->decides && test->truth == TRUTH_FALSE && strncmp(test->written, "check", 5) == 0)
            return true;
    }
    return false;
}

/* The rules that come nearest to matching: most of their tests hold. */
static void tell_nearest(struct why *why, const struct event *ev, const struct why_place *place)
{
    struct nearest {
        const struct rule *rule;
        double share;
    } nearest[NEAREST_RULES];
    size_t count = 0;

    for (uint32_t i = 0; i < rule_set_count(why->rules); i++) {
        const struct rule *rule = rule_set_rule(why->rules, i);
        uint32_t held = 0;
        if (!explain_failure(why, rule, ev))
            continue;
        for (uint32_t t = 0; t < why->explanation.count; t++)
            held += why->explanation.test[t].truth == TRUTH_TRUE;
        double share = why->explanation.count > 0 ? held / (double)why->explanation.count : 0;
        why->names_check = why->names_check || !fails_at_check(&why->explanation);
        size_t at = count < NEAREST_RULES ? count++ : NEAREST_RULES;
        while (at > 0 && nearest[at - 1].share < share) {
            if (at < NEAREST_RULES)
                nearest[at] = nearest[at - 1];
            at--;
        }
        if (at < NEAREST_RULES)
            nearest[at] = (struct nearest){rule, share};
    }
    for (size_t i = 0; i < count; i++) {
        explain_failure(why, nearest[i].rule, ev);
        note_failure(why, nearest[i].rule, ev->et_ms);
        add_failure(why, nearest[i].rule, ev, place);
    }
}

/* What the rules thought of the event that is asked for. */
static void tell_rules(struct why *why, const struct trace_decision *decision)
{
    const struct event *ev = decision->event;

    if (ev->state == EVENT_CLEAR)
        return;
    if (why->question.rule == NULL) {
        if (decision->counted == TRACE_UNMATCHED)
            tell_nearest(why, ev, &why->place);
        return;
    }
    for (uint32_t i = 0; i < rule_set_count(why->rules); i++) {
        const struct rule *rule = rule_set_rule(why->rules, i);
        if (!why_asks_rule(why, rule))
            continue;
        if (explain_failure(why, rule, ev)) {
            note_failure(why, rule, ev->et_ms);
            add_failure(why, rule, ev, &why->place);
        } else {
            add_note(why, (struct why_note){.at_ms = ev->et_ms,
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

static void note_decision(struct why *why, const struct trace_decision *decision,
                          const struct why_place *place)
{
    const struct event *ev = decision->event;
    const struct why_alert *alert = why_alert_of(why, ev->fingerprint, ev->text);
    const char *what = word_of(decision);

    if (decision->outcome == TRACE_REPEATED && decision->counted == TRACE_DUPLICATE &&
        fold(why, what, ev->fingerprint, ev->et_ms))
        return;
    add_note(why, (struct why_note){.at_ms = ev->et_ms,
                                    .class = ORDER_EVENT,
                                    .stage = STAGE_DEDUP,
                                    .place = *place,
                                    .what = what,
                                    .alert = ev->fingerprint,
                                    .text = why_words_decided(decision, why_alert_name(alert))});
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
    if (!is_asked_event(why, place)) {
        note_decision(why, decision, place);
        return;
    }
    why->decided = true;
    why->decision = *decision;
    why->decision.event = NULL;
    why->decision.routes = NULL;
    why->asked_repeat = why->repeat;
    why->asked_opener = why->opener;
    why->asked_opener_ms = why->opener_ms;
    why->asked_clear = ev->state == EVENT_CLEAR;
    struct text check = event_text_field(ev->text, FIELD_CHECK);
    snprintf(why->check, sizeof(why->check), "%.*s", (int)check.len, check.at);
    why_words_mend(why->check);
    /* A note of its own, also for a repeat. */
    const struct why_alert *alert = why_alert_of(why, ev->fingerprint, ev->text);
    add_note(why, (struct why_note){.at_ms = ev->et_ms,
                                    .class = ORDER_EVENT,
                                    .stage = STAGE_DEDUP,
                                    .place = *place,
                                    .what = word_of(decision),
                                    .text = why_words_decided(decision, why_alert_name(alert))});
    tell_rules(why, decision);
}

/* An event whose values make the key that is asked for, by one of the rules. */
static void follow_values(struct why *why, const struct trace_decision *decision,
                          const struct why_place *place)
{
    const struct event *ev = decision->event;
    const struct event_view view = view_of(ev);
    struct text values[RULE_BY_MAX];
    bool has_key = false;

    if (is_too_late(why, ev->et_ms))
        return;
    for (uint32_t i = 0; i < rule_set_count(why->rules); i++) {
        const struct rule *rule = rule_set_rule(why->rules, i);
        if (!why_asks_rule(why, rule))
            continue;
        rule_by_values(rule, &view, values);
        if (!why_key_is(rule, values, why->question.key))
            continue;
        has_key = true;
        if (ev->state == EVENT_CLEAR)
            continue;
        struct why_rule *of = why_rule_of(why, rule);
        if (decision->flapping && decision->counted == TRACE_DUPLICATE) {
            of->flapping++;
        } else if (has_route(decision, rule)) {
            of->repeats += decision->counted == TRACE_DUPLICATE;
        } else if (explain_failure(why, rule, ev)) {
            note_failure(why, rule, ev->et_ms);
            if (decision->outcome != TRACE_REPEATED)
                add_failure(why, rule, ev, place);
        }
    }
    if (!has_key)
        return;
    why->found = true;
    why->key_events++;
    note_decision(why, decision, place);
}

static void watch_decided(void *self, const struct trace_decision *decision)
{
    struct why *why = self;
    const struct event *ev = decision->event;
    const struct why_place place = {why_topic(why, decision->topic), decision->partition,
                                    ev->offset, ev->sub};

    switch (why->question.subject) {
    case WHY_EVENT:
        if (id128_equal(ev->fingerprint, why->alert))
            follow_alert(why, decision, &place);
        return;
    case WHY_KEY:
        follow_values(why, decision, &place);
        return;
    case WHY_INCIDENT:
        /* What rules are told of comes as a touch; here is what they are not told. */
        if (why->is_done || decision->counted != TRACE_DUPLICATE)
            return;
        for (uint32_t i = 0; i < decision->route_count; i++)
            if (is_watched_key(why, decision->routes[i].key)) {
                note_decision(why, decision, &place);
                return;
            }
    }
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

    if (why->question.subject != WHY_EVENT || !id128_equal(alert->alert, why->alert))
        return;
    const struct why_alert *named = why_alert_of(why, alert->alert, alert->text);
    add_note(why, (struct why_note){
                      .at_ms = alert->at_ms,
                      .class = alert->what == TRACE_ALERT_EVICTED ? ORDER_ROUND_END : ORDER_TIMER,
                      .stage = STAGE_DEDUP,
                      .what = names[alert->what],
                      .alert = alert->alert,
                      .text = why_format("%s %s", why_alert_name(named), words[alert->what])});
}

/* --- touches ----------------------------------------------------------------------------- */

static void note_progress(struct why *why, const struct trace_touch *touch)
{
    struct why_rule *of = why_rule_of(why, touch->rule);

    if (why->question.subject == WHY_EVENT)
        of->watched = of->opened = false; /* the newest touch of the alert says it */
    if (touch->fate == TRACE_WATCHED && touch->touch->kind <= TOUCH_REPEAT &&
        (!of->watched || touch->near >= of->near)) {
        of->watched = true;
        of->near = touch->near;
        of->watched_ms = touch->touch->order.at_ms;
        of->next_ms = touch->next_ms;
        snprintf(of->state, sizeof(of->state), "%s", touch->state);
        why_words_mend(of->state);
    } else if (touch->fate == TRACE_JOINED || touch->fate == TRACE_OPENED) {
        of->opened = true;
        of->by_joining = touch->fate == TRACE_JOINED;
        of->incident = touch->incident;
    }
}

/* Repeats that a rule counts, one after the other: the newest says how far the key is. */
static bool fold_touch(struct why *why, const struct trace_touch *touch, const char *what,
                       const char *alert)
{
    const struct touch *told = touch->touch;
    struct why_note *last = why_notes_last_of(list_for(why, told->order.at_ms), told->alert);

    if (last == NULL || last->rule == NULL || strcmp(last->rule, touch->rule->id) != 0 ||
        !fold(why, what, told->alert, told->order.at_ms))
        return false;
    free(last->text);
    last->text = why_words_touched(touch, alert);
    return true;
}

static void note_touch(struct why *why, const struct trace_touch *touch,
                       const struct why_place *place)
{
    static const char *const words[] = {
        [TRACE_NO_KEY] = "no-key", [TRACE_WATCHED] = "counted", [TRACE_OPENED] = "opened",
        [TRACE_JOINED] = "joined", [TRACE_LEFT] = "left",       [TRACE_IGNORED] = "ignored",
        [TRACE_CLOSED] = "closed",
    };
    const struct touch *told = touch->touch;
    const struct why_alert *alert = why_alert_of(why, told->alert, told->text);
    struct why_note note = {.at_ms = told->order.at_ms,
                            .class = told->order.class,
                            .stage = STAGE_RULES,
                            .place = *place,
                            .what = words[touch->fate],
                            .rule = touch->rule->id,
                            .alert = told->alert,
                            .subject = touch->incident,
                            .has_incident = touch->fate >= TRACE_OPENED};

    if (told->kind == TOUCH_REPEAT && fold_touch(why, touch, note.what, why_alert_name(alert)))
        return;
    if (told->kind == TOUCH_RAISE || told->kind == TOUCH_CHANGE) {
        const struct event_view view = {.text = told->text,
                                        .severity = told->severity,
                                        .state = EVENT_PROBLEM,
                                        .et_ms = told->order.at_ms};
        rule_explain_where(touch->rule, &view, &why->explanation);
        note.tests = why_words_tests(&why->explanation);
    }
    note.text = why_words_touched(touch, why_alert_name(alert));
    add_note(why, note);
}

static void remember_place(struct why *why, const struct touch *touch,
                           const struct why_place *place)
{
    struct why_alert *alert = why_alert_of(why, touch->alert, touch->text);

    if (alert == NULL || touch->kind > TOUCH_REPEAT)
        return;
    if (!alert->is_member || alert->place.topic == NULL) {
        alert->place = *place;
        alert->at_ms = touch->order.at_ms;
    }
}

static void become_member(struct why *why, struct id128 id, const struct event_text *text,
                          bool cleared)
{
    struct why_alert *alert = why->member_count < MEMBERS_MAX ? why_alert_of(why, id, text) : NULL;

    if (alert == NULL) {
        why->members_untold++;
    } else if (!alert->is_member) {
        alert->is_member = true;
        alert->cleared = cleared;
        alert->order = why->member_count++;
    } else {
        alert->cleared = cleared; /* the newest touch decides */
    }
}

/* Touches of other alerts: those that count beside the event, and what opens with it. */
static bool matters_to_event(const struct why *why, const struct trace_touch *touch)
{
    int64_t at_ms = touch->touch->order.at_ms;

    if (at_ms > why->event_ms)
        return touch->fate == TRACE_OPENED;
    return touch->fate == TRACE_OPENED || touch->rule->window_ms <= 0 ||
           (touch->fate == TRACE_WATCHED && at_ms > why->event_ms - touch->rule->window_ms);
}

/* A problem with other values than before, which the rule does not match any more. */
static void note_end(struct why *why, const struct trace_touch *touch)
{
    const struct event_view view = {.text = touch->touch->text,
                                    .severity = touch->touch->severity,
                                    .state = EVENT_PROBLEM,
                                    .et_ms = touch->touch->order.at_ms};

    rule_explain_where(touch->rule, &view, &why->explanation);
    if (why->explanation.truth != TRUTH_TRUE)
        note_failure(why, touch->rule, view.et_ms);
}

static void watch_touched(void *self, const struct trace_touch *touch)
{
    struct why *why = self;
    const struct touch *told = touch->touch;
    const struct why_place place = place_of(why, touch->topic, touch->partition, &told->order);

    /* What closed it is told after the close. */
    bool is_over = why->is_done && !(touch->fate == TRACE_CLOSED && is_it(why, touch->incident));

    if (is_over || is_too_late(why, told->order.at_ms))
        return;
    if (why->question.subject == WHY_KEY) {
        struct text values[RULE_BY_MAX];
        if (touch->key == NULL || !why_asks_rule(why, touch->rule))
            return;
        for (uint32_t i = 0; i < touch->key->count; i++)
            values[i] = key_text_value(touch->key, i);
        if (!why_key_is(touch->rule, values, why->question.key))
            return;
        watch_key(why, told->key);
        note_progress(why, touch);
        note_touch(why, touch, &place);
        return;
    }
    if (!is_watched_key(why, told->key) || !why_asks_rule(why, touch->rule))
        return;
    remember_place(why, told, &place);
    if (why->question.subject == WHY_EVENT) {
        if (is_asked_event(why, &place)) {
            why->touched = true;
            if (told->kind == TOUCH_CLEAR && !why->asked_clear)
                note_end(why, touch);
        }
        if (id128_equal(told->alert, why->alert) && told->order.at_ms <= why->event_ms)
            note_progress(why, touch);
        if (id128_equal(told->alert, why->alert) || matters_to_event(why, touch))
            note_touch(why, touch, &place);
        return;
    }
    if (touch->fate >= TRACE_OPENED && !is_it(why, touch->incident))
        return; /* of another incident of the same key */
    if (touch->fate == TRACE_JOINED)
        become_member(why, told->alert, told->text, false);
    note_touch(why, touch, &place);
}

/* --- incidents -----------------------------------------------------------------------------------
 */

static void watch_member(void *self, const struct trace_member *member)
{
    struct why *why = self;

    vector_add(&why->opening) = *member;
}

/* The story begins with the first touch that the incident opened with. */
static void cut_before(struct why *why)
{
    struct why_notes *notes = &why->before;
    int64_t from_ms = INT64_MAX;

    why_notes_sort(notes);
    for (size_t i = notes->list.count; i-- > 0;) {
        const struct why_note *note = &notes->list.at[i];
        if (note->what == NULL || strcmp(note->what, "counted") != 0)
            continue;
        uint64_t left = note->count; /* touches that the line stands for */
        for (size_t m = 0; left > 0 && m < why->opening.count;) {
            if (!id128_equal(why->opening.at[m].alert, note->alert)) {
                m++;
                continue;
            }
            from_ms = note->at_ms < from_ms ? note->at_ms : from_ms;
            why->opening.at[m] = why->opening.at[--why->opening.count];
            left--;
        }
    }
    if (from_ms != INT64_MAX)
        why_notes_cut(notes, from_ms);
}

static void note_change(struct why *why, const struct trace_change *change)
{
    add_note(why, (struct why_note){
                      .at_ms = change->incident->at_ms,
                      .class = change->order->class,
                      .stage = STAGE_INCIDENT,
                      .place = place_of(why, change->topic, change->partition, change->order),
                      .what = incident_change_name(change->incident->change),
                      .rule = change->rule->id,
                      .subject = change->incident->id,
                      .has_incident = true,
                      .text = why_words_change(change->incident)});
}

static void change_of_it(struct why *why, const struct trace_change *change)
{
    if (!is_it(why, change->incident->id)) {
        if (change->incident->change == INCIDENT_OPENED && !why->is_after)
            why_notes_cut(&why->before, INT64_MAX); /* another one took what was held */
        return;
    }
    if (change->incident->change == INCIDENT_OPENED) {
        for (size_t i = 0; i < why->opening.count; i++)
            become_member(why, why->opening.at[i].alert, NULL, why->opening.at[i].cleared);
        cut_before(why);
        why->is_after = true;
    }
    note_change(why, change);
    why->is_done = change->incident->change == INCIDENT_CLOSED;
}

/* The incident is of the key that is asked for: its opening may be the first that is heard of
 * it. The tenant may be left out. */
static bool is_of_asked_key(const struct why *why, const struct trace_change *change)
{
    const char *asked = why->question.key, *key = change->incident->key;
    size_t len = strlen(key), end = asked != NULL ? strlen(asked) : 0;

    return why->question.subject == WHY_KEY && why_asks_rule(why, change->rule) && len >= end &&
           strcmp(key + len - end, asked) == 0 && (len == end || key[len - end - 1] == ' ');
}

static void watch_changed(void *self, const struct trace_change *change)
{
    struct why *why = self;
    const struct incident *incident = change->incident;

    if (is_of_asked_key(why, change))
        watch_key(why, change->key);
    if (!is_too_late(why, incident->at_ms) && is_watched_key(why, change->key) &&
        why_asks_rule(why, change->rule)) {
        if (!is_watched_incident(why, incident->id) &&
            (why->question.subject != WHY_INCIDENT || is_it(why, incident->id)))
            vector_add(&why->watched) = incident->id;
        if (why->question.subject == WHY_INCIDENT) {
            change_of_it(why, change);
        } else {
            struct why_rule *of = why_rule_of(why, change->rule);
            note_change(why, change);
            if (incident->change == INCIDENT_OPENED) {
                of->opened_id = incident->id;
                of->opened_ms = incident->at_ms;
                of->closed_ms = INT64_MIN;
                if (why->question.subject == WHY_KEY)
                    of->watched = false;
            } else if (incident->change == INCIDENT_CLOSED) {
                of->closed_ms = incident->at_ms;
            }
        }
    }
    if (incident->change == INCIDENT_OPENED)
        why->opening.count = 0;
}

static void watch_lost(void *self, const struct trace_key *key)
{
    struct why *why = self;

    if (!is_watched_key(why, key->key) || is_too_late(why, key->at_ms) || why->is_done ||
        !why_asks_rule(why, key->rule))
        return;
    why_rule_of(why, key->rule)->evicted = true;
    add_note(why,
             (struct why_note){.at_ms = key->at_ms,
                               .class = ORDER_ROUND_END,
                               .stage = STAGE_RULES,
                               .what = "key-evicted",
                               .rule = key->rule->id,
                               .text = why_format("rule %s has more keys than max_keys: this one "
                                                  "goes, with %u that it had counted",
                                                  key->rule->id, (unsigned)key->pending)});
}

const struct engine_trace why_watch_trace = {
    .received = watch_received,
    .decided = watch_decided,
    .ended = watch_ended,
    .touched = watch_touched,
    .member = watch_member,
    .changed = watch_changed,
    .lost = watch_lost,
};

/* --- what the listener hears -------------------------------------------------------------------
 */

static struct why_mute *mute_of(struct why *why, struct id128 id)
{
    for (size_t i = 0; i < why->mutes.count; i++)
        if (id128_equal(why->mutes.at[i].incident, id))
            return &why->mutes.at[i];
    return NULL;
}

/* What mutes a watched incident, when that is new, or that nothing does any more. */
static void note_mute(struct why *why, const struct incident *incident)
{
    struct why_mute *mute = mute_of(why, incident->id);
    bool is_muted = incident->muted_by[0] != '\0';
    struct why_note note = {.at_ms = incident->at_ms,
                            .class = ORDER_EVENT,
                            .stage = STAGE_SINKS,
                            .what = is_muted ? "muted" : "unmuted",
                            .rule = NULL,
                            .subject = incident->id,
                            .has_incident = true};

    if (is_muted && (mute == NULL || mute->until_ms != INT64_MIN)) {
        if (mute == NULL)
            mute = &vector_add(&why->mutes);
        *mute = (struct why_mute){.incident = incident->id, .until_ms = INT64_MIN};
        snprintf(mute->by, sizeof(mute->by), "%s", incident->muted_by);
        why_words_mend(mute->by);
        note.text = why_format("nobody is told: it is muted by %s", incident->muted_by);
        add_note(why, note);
    } else if (mute != NULL && mute->until_ms == INT64_MIN && incident->cause == CAUSE_UNMUTED) {
        mute->until_ms = incident->at_ms;
        note.text = why_format("nothing mutes it any more: it is told now");
        add_note(why, note);
    }
}

void why_watch_incident(void *self, struct incident *incident)
{
    struct why *why = self;

    if (is_watched_incident(why, incident->id) && !is_too_late(why, incident->at_ms))
        note_mute(why, incident);
    if (!is_it(why, incident->id))
        return;
    incident_unref(why->latest);
    why->latest = incident_ref(incident);
}

bool why_watch_op(void *self, const struct op *op)
{
    struct why *why = self;
    const struct incident *incident = op->incident;
    const char *sink = why->config->sink_names[op->sink];

    if (is_watched_incident(why, incident->id)) {
        struct why_notes *lists[] = {&why->after, &why->before};
        struct why_note *change = NULL, *told = NULL;
        for (size_t l = 0; l < 2; l++)
            for (size_t i = 0; i < lists[l]->list.count; i++) {
                struct why_note *note = &lists[l]->list.at[i];
                if (!note->has_incident || !id128_equal(note->subject, incident->id) ||
                    note->at_ms != incident->at_ms)
                    continue;
                if (note->stage == STAGE_INCIDENT)
                    change = note;
                else if (note->stage == STAGE_SINKS)
                    told = note;
            }
        if (told != NULL) {
            char *text = why_format("%s, %s", told->text, sink);
            free(told->text);
            told->text = text;
        } else {
            add_note(why, (struct why_note){
                              .at_ms = incident->at_ms,
                              .class = change != NULL ? change->class : ORDER_EVENT,
                              .stage = STAGE_SINKS,
                              .place = change != NULL ? change->place : (struct why_place){0},
                              .what = "op",
                              .subject = incident->id,
                              .has_incident = true,
                              .text = why_format("%s goes to %s",
                                                 op_kind_name((enum op_kind)op->kind), sink)});
        }
    }
    incident_unref(op->incident);
    return true;
}

/*
 * why_keys.c - what became of the keys that are watched: touches, incidents, bounds. See
 * why_parts.h.
 */
#include <stdlib.h>
#include <string.h>
#include "daemon/units.h"
#include "daemon/why_parts.h"

enum { MEMBERS_MAX = 4096 };

struct why_key *why_watched_key(const struct why *why, struct id128 key)
{
    for (size_t i = 0; i < why->keys.count; i++)
        if (id128_equal(why->keys.at[i].key, key))
            return &why->keys.at[i];
    return NULL;
}

static void watch_key(struct why *why, struct id128 key)
{
    if (why_watched_key(why, key) == NULL)
        vector_add(&why->keys) = (struct why_key){.key = key};
}

/* --- touches ----------------------------------------------------------------------------- */

bool why_comes_before(const struct touch *touch, int64_t due_ms)
{
    return touch->order.at_ms < due_ms ||
           (touch->order.at_ms == due_ms && touch->order.class != ORDER_EVENT);
}

/* A timer ends an alert when it expires, or when its flapping ends and it had cleared. */
static bool is_expiry(const struct why *why, const struct touch *touch)
{
    if (touch->kind != TOUCH_CLEAR || touch->order.class != ORDER_TIMER)
        return false;
    for (size_t i = 0; i < why->expired.count; i++)
        if (why->expired.at[i].at_ms == touch->order.at_ms &&
            id128_equal(why->expired.at[i].alert, touch->alert))
            return true;
    return false;
}

static void note_progress(struct why *why, const struct trace_touch *touch)
{
    /* What an alert of a former form still brings is nothing to a key of another. */
    struct why_rule *of = why_rule_of(why, touch->holder != NULL ? touch->holder : touch->rule);

    if (why->question.subject == WHY_EVENT)
        of->watched = of->opened = false; /* the newest touch of the alert says it */
    if (touch->touch->kind <= TOUCH_REPEAT &&
        (why->question.subject == WHY_EVENT || why_asks_how_it_stood(why)))
        why_forms_leave(why, of->rule, touch->touch->key);
    if (why_asks_how_it_stood(why))
        why_note_standing(of, touch);
    if (touch->then != NULL && touch->touch->kind == TOUCH_BEAT && why->question.subject == WHY_KEY)
        why_note_after(why, touch);
    if (touch->fate == TRACE_WATCHED && touch->state[0] != '\0' &&
        touch->touch->kind <= TOUCH_REPEAT) {
        if (!why_asks_how_it_stood(why))
            why_note_moment(why, of, touch);
    } else if (touch->fate == TRACE_JOINED || touch->fate == TRACE_OPENED ||
               (touch->fate == TRACE_CLOSED && touch->touch->kind > TOUCH_BEAT &&
                touch->touch->kind <= TOUCH_REPEAT)) {
        of->opened = true;
        of->as_member = false;
        of->by_joining = touch->fate != TRACE_OPENED;
        of->by_closing = touch->fate == TRACE_CLOSED;
        of->incident = touch->incident;
        of->since_ms = id128_equal(of->opened_id, touch->incident) ? of->opened_ms : INT64_MIN;
    }
    if (touch->touch->kind <= TOUCH_REPEAT && touch->touch->text != NULL) {
        of->newest_ms = touch->touch->text->ts_ms;
        if (touch->touch->kind != TOUCH_CHANGE)
            of->own_ms = of->newest_ms;
    }
}

/* An incident opened by another touch, and holds what the event that is asked for, or its alert,
 * was counted as. */
static void note_held(struct why *why, struct why_rule *of, const struct incident *incident)
{
    for (size_t i = 0; !of->opened && i < why->opening.count; i++) {
        const struct trace_member *member = &why->opening.at[i];
        if (!id128_equal(member->alert, why->alert) ||
            (member->ts_ms != of->own_ms && member->ts_ms != of->newest_ms))
            continue;
        of->opened = of->as_member = true;
        of->by_joining = of->by_closing = false;
        of->incident = incident->id;
        of->since_ms = incident->at_ms;
    }
}

/* A touch that ends what is told of the key: a step that must not come, a `when` that has to hold
 * and does no more, the event that was due. */
static bool ends_wait(const struct why_rule *of, const struct trace_touch *touch)
{
    if (touch->rule->form_kind == FORM_EXPECT)
        return true;
    if (touch->rule->form_kind == FORM_SEQUENCE)
        return touch->touch->kind <= TOUCH_REPEAT && touch->near < of->now.near;
    return touch->rule->hold_ms > 0 && touch->next_ms != of->now.next_ms;
}

/* The names of the steps that a touch is, of those that must come or must not. */
static void put_steps(const struct trace_touch *touch, bool negated, char *to, size_t bytes)
{
    size_t used = 0;

    to[0] = '\0';
    for (uint32_t i = 0; i < touch->rule->step_count && used < bytes; i++)
        if ((touch->touch->steps >> i & 1) != 0 && touch->rule->step[i].is_negated == negated)
            used += (size_t)snprintf(to + used, bytes - used, "%s%s", used > 0 ? " and " : "",
                                     touch->rule->step[i].name);
}

/* "when held no more, by h5 load," */
static void put_fall(const struct why *why, const struct trace_touch *touch, const char *alert,
                     char *to, size_t bytes)
{
    char span[UNIT_TEXT_BYTES];

    if (is_expiry(why, touch->touch))
        snprintf(
            to, bytes, "when held no more, as %s expired (nothing came for it for %s),", alert,
            unit_format_duration(why_terms_at(why, touch->touch->order.at_ms).expire_ms, span));
    else if (touch->touch->kind == TOUCH_EVICT)
        snprintf(to, bytes, "when held no more, as %s was evicted (engine.alerts.max is reached),",
                 alert);
    else
        snprintf(to, bytes, "when held no more, by %s,", alert);
}

/* "maint, which must not, came by r1 maint" */
static void put_end(struct why *why, const struct trace_touch *touch, char *to, size_t bytes)
{
    const struct why_alert *alert = why_alert_of(why, touch->touch->alert, touch->touch->text);
    char steps[160];

    put_steps(touch, true, steps, sizeof(steps));
    if (touch->rule->form_kind == FORM_EXPECT)
        snprintf(to, bytes, "the next came, %s,", why_alert_name(alert));
    else if (touch->rule->form_kind != FORM_SEQUENCE)
        put_fall(why, touch, why_alert_name(alert), to, bytes);
    else if (steps[0] != '\0')
        snprintf(to, bytes, "%s, which must not, came by %s", steps, why_alert_name(alert));
    else
        snprintf(to, bytes, "%s came between, which nothing may", why_alert_name(alert));
    why_words_mend(to);
}

static void note_ended(struct why *why, struct why_rule *of, const struct trace_touch *touch)
{
    of->now.ended_ms = touch->touch->order.at_ms;
    put_end(why, touch, of->now.ended, sizeof(of->now.ended));
}

/* The entry is of a former form of the rule, which waits for the key: the form in force hears of
 * it, and misses it. */
static bool is_former_wait(const struct why_rule *of, const struct rule *rule, struct id128 key)
{
    return of->rule != rule && of->watched && of->rule->form_kind == FORM_EXPECT &&
           rule->form_kind == FORM_EXPECT && strcmp(of->rule->id, rule->id) == 0 &&
           id128_equal(of->now.key, key) && of->now.ended_ms == INT64_MIN &&
           of->now.opened_ms == INT64_MIN;
}

/* A sign of life is one for whatever form of the rule waited for it. */
static void follow_former(struct why *why, const struct trace_touch *touch)
{
    for (size_t i = 0; touch->rule->form_kind == FORM_EXPECT && i < why->per_rule.count; i++)
        if (is_former_wait(&why->per_rule.at[i], touch->rule, touch->touch->key))
            note_ended(why, &why->per_rule.at[i], touch);
}

/* What comes after the touch that is told of: it ends what the key waited for, or the window that
 * is looked at when it ends has got other entries. False when it does neither. */
static bool follow(struct why *why, const struct trace_touch *touch)
{
    struct why_rule *of = why_rule_of(why, touch->rule);

    follow_former(why, touch);
    why_forms_touched(why, touch);
    if ((touch->holder != NULL && touch->holder != touch->rule) || !of->watched ||
        of->now.ended_ms != INT64_MIN || !id128_equal(of->now.key, touch->touch->key) ||
        touch->fate > TRACE_WATCHED || !why_comes_before(touch->touch, of->now.next_ms))
        return false;
    if (ends_wait(of, touch)) {
        note_ended(why, of, touch);
        return true;
    }
    if (touch->rule->looks_at_end && touch->fate == TRACE_WATCHED)
        why_take_state(of, touch);
    return false;
}

/* A sign of life of a key that the rule does not list. */
static bool is_unlisted(const struct trace_touch *touch)
{
    return touch->touch->kind == TOUCH_BEAT && touch->fate == TRACE_NO_KEY &&
           touch->rule->listed_count > 0;
}

/* The event that is asked for reached the rule, and no key holds anything by it. */
static void note_vain(struct why *why, const struct trace_touch *touch, const struct why_key *key)
{
    struct why_rule *of = why_rule_of(why, touch->rule);
    bool held = key->state[0] != '\0' && why_comes_before(touch->touch, key->next_ms);
    char steps[160];

    if (is_unlisted(touch)) {
        snprintf(of->vain, sizeof(of->vain),
                 "it is a sign of life of a key that expect.keys does not list, which counts for "
                 "nothing");
        return;
    }
    if (touch->rule->form_kind != FORM_SEQUENCE || touch->touch->kind > TOUCH_REPEAT)
        return;
    put_steps(touch, true, steps, sizeof(steps));
    if (steps[0] != '\0' && held && touch->near < key->near)
        snprintf(of->vain, sizeof(of->vain), "it is %s, which must not come, and ended: %s", steps,
                 key->state);
    else if (steps[0] != '\0' && touch->fate == TRACE_NO_KEY)
        snprintf(of->vain, sizeof(of->vain),
                 "it is %s, which must not come, and nothing waited "
                 "for it not to",
                 steps);
    else if (held && touch->near < key->near)
        snprintf(of->vain, sizeof(of->vain), "nothing may come between its steps; it ended: %s",
                 key->state);
    else if (touch->fate == TRACE_NO_KEY && key->was[0] != '\0' &&
             why_comes_before(touch->touch, key->was_next_ms)) {
        char time[WHY_TIME_BYTES];
        put_steps(touch, false, steps, sizeof(steps));
        snprintf(of->vain, sizeof(of->vain),
                 "it is %s, and what had come before was over: %s; %s at %s",
                 steps[0] != '\0' ? steps : "no step", key->was, key->ended,
                 why_time(why, key->ended_ms, time));
    } else if (touch->fate == TRACE_NO_KEY) {
        put_steps(touch, false, steps, sizeof(steps));
        snprintf(of->vain, sizeof(of->vain), "it is %s, and what has to come before had not come",
                 steps[0] != '\0' ? steps : "no step");
    }
    why_words_mend(of->vain);
}

/* Steps had come in a sequence, and the touch ends them before their time: what had come, NULL
 * where there is no such thing. */
static const char *end_chain(struct why *why, struct why_key *key, const struct trace_touch *touch)
{
    if (touch->rule->form_kind != FORM_SEQUENCE || touch->touch->kind > TOUCH_REPEAT ||
        touch->fate > TRACE_WATCHED || key->state[0] == '\0' ||
        !why_comes_before(touch->touch, key->next_ms) || touch->near >= key->near)
        return NULL;
    snprintf(key->was, sizeof(key->was), "%s", key->state);
    put_end(why, touch, key->ended, sizeof(key->ended));
    key->was_next_ms = key->next_ms;
    key->ended_ms = touch->touch->order.at_ms;
    return key->was;
}

/* How the key is after the touch. */
static void remember_state(struct why_key *key, const struct trace_touch *touch)
{
    bool watches = touch->fate == TRACE_WATCHED;

    key->next_ms = watches ? touch->next_ms : INT64_MAX;
    key->near = watches ? touch->near : 0;
    snprintf(key->state, sizeof(key->state), "%s", watches ? touch->state : "");
    why_words_mend(key->state);
}

/* Repeats that a rule counts, one after the other: the newest says how far the key is then. */
static bool fold_touch(struct why *why, const struct trace_touch *touch, const char *what)
{
    const struct touch *told = touch->touch;
    struct why_note *last = why_notes_last_of(why_list_for(why, told->order.at_ms), told->alert);

    if (last == NULL || last->rule == NULL || strcmp(last->rule, touch->rule->id) != 0 ||
        (touch->fate == TRACE_WATCHED && !last->is_repeat) ||
        !why_fold(why, what, told->alert, told->order.at_ms))
        return false;
    free(last->until_state);
    last->until_state = touch->state[0] != '\0' ? why_format("%s", touch->state) : NULL;
    int64_t own_ms = told->text != NULL ? told->text->ts_ms : told->order.at_ms;
    last->own_ms[0] = own_ms < last->own_ms[0] ? own_ms : last->own_ms[0];
    last->own_ms[1] = own_ms > last->own_ms[1] ? own_ms : last->own_ms[1];
    return true;
}

/* `over`: the steps of a sequence that the touch ends; NULL: it ends none. */
static void note_touch(struct why *why, const struct trace_touch *touch,
                       const struct why_place *place, const char *over)
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
                            .is_repeat = told->kind == TOUCH_REPEAT,
                            .is_beat = told->kind == TOUCH_BEAT,
                            .subject = touch->incident,
                            .has_incident = touch->fate >= TRACE_OPENED};

    if (touch->fate == TRACE_WATCHED && told->kind <= TOUCH_REPEAT && told->text != NULL) {
        note.is_held = true;
        note.own_ms[0] = note.own_ms[1] = told->text->ts_ms;
    }
    if (told->kind == TOUCH_REPEAT && fold_touch(why, touch, note.what))
        return;
    if (told->kind == TOUCH_RAISE || told->kind == TOUCH_MOVE || told->kind == TOUCH_CHANGE) {
        const struct event_view view = {.text = told->text,
                                        .severity = told->severity,
                                        .state = EVENT_PROBLEM,
                                        .et_ms = told->order.at_ms};
        rule_explain_where(touch->rule, &view, &why->explanation);
        note.tests = why_words_tests(&why->explanation);
    }
    bool expired = is_expiry(why, told);
    if (expired && touch->fate == TRACE_CLOSED)
        why_rule_of(why, touch->rule)->expired_incident = touch->incident;
    note.text = why_words_touched(touch, why_alert_name(alert),
                                  expired ? why_terms_at(why, told->order.at_ms).expire_ms : 0);
    /* An event that would have left the alert open ends it where its rule is no more. */
    int64_t gone_ms = why_gone_since(why, touch->rule->id, told->order.at_ms);
    if (gone_ms != INT64_MIN && told->kind == TOUCH_CLEAR && told->order.class == ORDER_EVENT) {
        char time[WHY_TIME_BYTES];
        char *text = why_format("%s; the switch of rules at %s took the rule out", note.text,
                                why_time(why, gone_ms, time));
        free(note.text);
        note.text = text;
    }
    if (over != NULL) {
        char *text = why_format("%s; that ends: %s", note.text, over);
        free(note.text);
        note.text = text;
    }
    if (note.is_beat)
        why_note_once(why, note);
    else
        why_note(why, note);
}

/* The touch that opens an incident is told after it, when its alert is a member already: what was
 * noted of the alert is then of before, and of a life that is over where this touch begins one. */
static void remember_place(struct why *why, const struct trace_touch *told,
                           const struct why_place *place)
{
    const struct touch *touch = told->touch;
    struct why_alert *alert = why_alert_of(why, touch->alert, touch->text);
    bool begins =
        (touch->kind == TOUCH_RAISE || touch->kind == TOUCH_MOVE) && told->fate == TRACE_OPENED;

    if (alert == NULL)
        return;
    if (!alert->is_member)
        alert->expired = is_expiry(why, touch);
    if (touch->kind > TOUCH_REPEAT)
        return;
    if (!alert->is_member || begins || alert->place.topic == NULL) {
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

/* What is told behind the event that is asked for; events of one time have their order as well. */
static bool is_behind_event(const struct why *why, const struct trace_touch *touch,
                            const struct why_place *place)
{
    const struct order *order = &touch->touch->order;
    int by_topic;

    if (order->at_ms != why->event_ms || order->class != ORDER_EVENT)
        return order->at_ms > why->event_ms; /* timers of its time come before it */
    by_topic = strcmp(place->topic, why->place.topic);
    if (by_topic != 0)
        return by_topic > 0;
    if (place->partition != why->place.partition)
        return place->partition > why->place.partition;
    return place->offset != why->place.offset ? place->offset > why->place.offset
                                              : place->sub > why->place.sub;
}

/* Touches of other alerts: those that count beside the event, and what opens with it. */
static bool matters_to_event(const struct why *why, const struct trace_touch *touch,
                             const struct why_place *place)
{
    int64_t at_ms = touch->touch->order.at_ms;

    if (is_behind_event(why, touch, place))
        return touch->fate == TRACE_OPENED;
    return touch->fate == TRACE_OPENED || touch->rule->window_ms <= 0 ||
           (touch->fate == TRACE_WATCHED && at_ms > why->event_ms - touch->rule->window_ms);
}

/* The event that is asked for closed an incident that it is not in. */
static void note_close(struct why *why, const struct trace_touch *touch)
{
    struct why_rule *of = why_rule_of(why, touch->rule);

    of->has_closed = true;
    of->left = touch->incident;
}

/* A problem with other values than before, which the rule does not match any more, or counts for
 * another key. */
static void note_end(struct why *why, const struct trace_touch *touch)
{
    const struct event_view view = {.text = touch->touch->text,
                                    .severity = touch->touch->severity,
                                    .state = EVENT_PROBLEM,
                                    .et_ms = touch->touch->order.at_ms};

    rule_explain_where(touch->rule, &view, &why->explanation);
    if (why->explanation.truth != TRUTH_TRUE) {
        why_note_failure(why, touch->rule, view.et_ms);
        why_rule_of(why, touch->rule)->has_ended = true;
    }
    if (touch->fate == TRACE_CLOSED)
        note_close(why, touch);
}

/* A sign of life that a rule does not take, as it lists its keys: of the key that is asked for? */
static bool is_asked_unlisted(const struct why *why, const struct trace_touch *touch)
{
    const struct event_view view = {.text = touch->touch->text,
                                    .severity = touch->touch->severity,
                                    .state = EVENT_PROBLEM,
                                    .et_ms = touch->touch->order.at_ms};
    struct text values[RULE_BY_MAX];

    if (!is_unlisted(touch))
        return false;
    rule_by_values(touch->rule, &view, values);
    return why_key_is(touch->rule, values, why->question.key);
}

/* A rule that is not asked, for its keys have more names, and counted what is asked for: under
 * which key is what the next question needs. */
static void remark_wider_key(struct why *why, const struct trace_touch *touch)
{
    char remark[512], key[300];
    struct text values[RULE_BY_MAX];
    size_t used = 0;

    if (why->question.rule != NULL || touch->key == NULL || touch->touch->kind > TOUCH_REPEAT ||
        why->wider_count == sizeof(why->wider) / sizeof(why->wider[0]))
        return;
    for (uint32_t i = 0; i < why->wider_count; i++)
        if (strcmp(why->wider[i]->id, touch->rule->id) == 0)
            return;
    for (uint32_t i = 0; i < touch->key->count; i++)
        values[i] = key_text_value(touch->key, i);
    if (!why_key_is_wider(touch->rule, values, why->question.key))
        return;
    key[0] = '\0';
    for (uint32_t i = 0; i < touch->key->count && used < sizeof(key); i++)
        used += (size_t)snprintf(key + used, sizeof(key) - used, "%s%s=%.*s", i > 0 ? " " : "",
                                 touch->rule->by_name[i], (int)values[i].len, values[i].at);
    snprintf(remark, sizeof(remark),
             "rule %.80s counted it under a key of more names: ask for \"%s\"", touch->rule->id,
             key);
    why_words_mend(remark);
    why->wider[why->wider_count++] = touch->rule;
    why_remark(why, remark);
}

/* A touch of the key that is asked for. One that finds no key there, and leaves none, is of it
 * where it had been there before. */
static void watch_asked_key(struct why *why, const struct trace_touch *touch,
                            const struct why_place *place)
{
    struct why_key *key = why_watched_key(why, touch->touch->key);
    struct text values[RULE_BY_MAX];

    if (!why_asks_rule(why, touch->rule)) {
        remark_wider_key(why, touch);
        return;
    }
    if (touch->key == NULL) {
        bool is_asked = is_asked_unlisted(why, touch);
        if (is_asked)
            why_rule_of(why, touch->rule)->unlisted++;
        if (is_asked || (key != NULL && touch->touch->kind <= TOUCH_REPEAT))
            note_touch(why, touch, place, NULL);
        return;
    }
    for (uint32_t i = 0; i < touch->key->count; i++)
        values[i] = key_text_value(touch->key, i);
    if (!why_key_is(touch->rule, values, why->question.key))
        return;
    watch_key(why, touch->touch->key);
    key = why_watched_key(why, touch->touch->key);
    follow(why, touch);
    note_progress(why, touch);
    note_touch(why, touch, place, end_chain(why, key, touch));
    remember_state(key, touch);
}

void why_watch_touched(void *self, const struct trace_touch *touch)
{
    struct why *why = self;
    const struct touch *told = touch->touch;
    const struct why_place place = why_place_of(why, touch->topic, touch->partition, &told->order);

    /* What closed it is told after the close. */
    bool is_over =
        why->is_done && !(touch->fate == TRACE_CLOSED && why_is_it(why, touch->incident));

    if (is_over || why_is_too_late(why, told->order.at_ms))
        return;
    if (why->question.subject == WHY_KEY) {
        watch_asked_key(why, touch, &place);
        return;
    }
    struct why_key *key = why_watched_key(why, told->key);
    if (key == NULL || !why_asks_rule(why, touch->rule))
        return;
    remember_place(why, touch, &place);
    if (why->question.subject == WHY_EVENT) {
        const char *over = end_chain(why, key, touch);
        if (why_is_asked_event(why, &place)) {
            why->touched = true;
            if (touch->fate == TRACE_OPENED)
                why_rule_of(why, touch->rule)->made = touch->incident;
            if (told->kind == TOUCH_CLEAR && !why->asked_clear)
                note_end(why, touch);
            if (told->kind == TOUCH_BEAT && touch->fate == TRACE_CLOSED)
                note_close(why, touch);
            note_vain(why, touch, key);
        }
        bool has_ended = follow(why, touch);
        if (id128_equal(told->alert, why->alert) && !is_behind_event(why, touch, &place))
            note_progress(why, touch);
        if (id128_equal(told->alert, why->alert) || has_ended ||
            matters_to_event(why, touch, &place))
            note_touch(why, touch, &place, over);
        remember_state(key, touch);
        return;
    }
    const char *over = end_chain(why, key, touch);
    remember_state(key, touch);
    if (touch->fate >= TRACE_OPENED && !why_is_it(why, touch->incident))
        return; /* of another incident of the same key */
    if (touch->fate == TRACE_JOINED)
        become_member(why, told->alert, told->text, false);
    note_touch(why, touch, &place, over);
}

/* --- incidents -----------------------------------------------------------------------------------
 */

void why_watch_member(void *self, const struct trace_member *member)
{
    struct why *why = self;

    vector_add(&why->opening) = *member;
}

/* The story begins with the first touch that the incident opened with. */
static void cut_before(struct why *why)
{
    struct why_notes *notes = &why->before;
    int64_t from_ms = INT64_MAX;

    for (size_t i = 0; i < notes->list.count; i++) {
        const struct why_note *note = &notes->list.at[i];
        for (size_t m = 0; note->is_held && m < why->opening.count; m++) {
            const struct trace_member *member = &why->opening.at[m];
            if (id128_equal(member->alert, note->alert) && member->ts_ms >= note->own_ms[0] &&
                member->ts_ms <= note->own_ms[1] && note->at_ms < from_ms)
                from_ms = note->at_ms;
        }
    }
    if (why->of_flapping) { /* the changes that made it flap come before */
        int64_t opened_ms = why->incidents.at[0]->opened_ms;
        from_ms = (from_ms < opened_ms ? from_ms : opened_ms) -
                  why_terms_at(why, opened_ms).flap_window_ms;
    }
    if (from_ms != INT64_MAX)
        why_notes_cut(notes, from_ms);
}

static void note_change(struct why *why, const struct trace_change *change)
{
    why_note(why, (struct why_note){
                      .at_ms = change->incident->at_ms,
                      .class = change->order->class,
                      .stage = STAGE_INCIDENT,
                      .place = why_place_of(why, change->topic, change->partition, change->order),
                      .what = incident_change_name(change->incident->change),
                      .rule = change->rule->id,
                      .subject = change->incident->id,
                      .has_incident = true,
                      .text = why_words_change(change->incident)});
}

static void change_of_it(struct why *why, const struct trace_change *change)
{
    if (!why_is_it(why, change->incident->id)) {
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
    if (change->incident->change == INCIDENT_OPENED)
        why_notes_move(&why->ahead, &why->after);
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

void why_watch_changed(void *self, const struct trace_change *change)
{
    struct why *why = self;
    const struct incident *incident = change->incident;

    if (is_of_asked_key(why, change))
        watch_key(why, change->key);
    if (!why_is_too_late(why, incident->at_ms) && why_watched_key(why, change->key) != NULL &&
        why_asks_rule(why, change->rule)) {
        if (!why_watches_incident(why, incident->id) &&
            (why->question.subject != WHY_INCIDENT || why_is_it(why, incident->id)))
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
                of->best_share = -1; /* it is of before */
                why_moment_opened(of, change->key, incident);
                why_forms_opened(why, change);
                for (size_t i = 0; i < why->per_rule.count; i++)
                    if (is_former_wait(&why->per_rule.at[i], change->rule, change->key))
                        why_moment_opened(&why->per_rule.at[i], change->key, incident);
                if (why->question.subject == WHY_KEY)
                    of->watched = false;
                else
                    note_held(why, of, incident);
            } else if (incident->change == INCIDENT_CLOSED) {
                of->closed_ms = incident->at_ms;
            }
        }
    }
    if (incident->change == INCIDENT_OPENED)
        why->opening.count = 0;
}

void why_watch_lost(void *self, const struct trace_key *key)
{
    struct why *why = self;

    if (why_watched_key(why, key->key) == NULL || why_is_too_late(why, key->at_ms) ||
        why->is_done || !why_asks_rule(why, key->rule))
        return;
    why_moment_evicted(why_rule_of(why, key->rule), key);
    why_note(why,
             (struct why_note){.at_ms = key->at_ms,
                               .class = ORDER_ROUND_END,
                               .stage = STAGE_RULES,
                               .what = "key-evicted",
                               .rule = key->rule->id,
                               .text = why_format("rule %s has more keys than max_keys: this one "
                                                  "goes, with %u that it had counted",
                                                  key->rule->id, (unsigned)key->pending)});
}

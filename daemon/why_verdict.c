/*
 * why_verdict.c - the sentence that an answer ends in: the first thing that stopped what is asked
 * for, or what came of it. See why_parts.h.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/plural.h"
#include "daemon/units.h"
#include "daemon/why_parts.h"
#include "ingest/intake_source.h"

enum { RULES_NAMED = 5 };
static const char cause_untold[] = "it has more tests than can be told";

static void say(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct why *why, const char *format, ...)
{
    size_t used = strlen(why->verdict);
    va_list args;

    va_start(args, format);
    vsnprintf(why->verdict + used, sizeof(why->verdict) - used, format, args);
    va_end(args);
}

static void say_time(struct why *why, const char *word, int64_t at_ms)
{
    char time[WHY_TIME_BYTES];

    say(why, "%s%s", word, why_time(why, at_ms, time));
}

static void say_incident(struct why *why, const char *word, struct id128 id)
{
    char digits[ID128_TEXT_BYTES];

    id128_format(id, digits);
    say(why, "%s%s", word, digits);
}

static void say_first_mute(struct why *why, const struct why_mute *mute)
{
    if (!mute->was_told) {
        say(why, "; it was muted by %s", mute->by);
    } else if (mute->at_close) {
        say(why, "; it was told, and so was its close, though it was muted by %s then", mute->by);
    } else {
        say_time(why, "; it was told, and muted when it changed at ", mute->from_ms);
        say(why, ", by %s", mute->by);
    }
}

/* "; it was muted by silence deploy until 12:00, then by silence night" */
static void say_mute(struct why *why, struct id128 incident)
{
    bool is_first = true;

    for (size_t i = 0; i < why->mutes.count; i++) {
        const struct why_mute *mute = &why->mutes.at[i];
        if (!id128_equal(mute->incident, incident))
            continue;
        if (is_first)
            say_first_mute(why, mute);
        else
            say(why, ", then by %s", mute->by);
        is_first = false;
        if (mute->until_ms != INT64_MIN)
            say_time(why, " until ", mute->until_ms);
    }
}

/* An incident opened while the key waited: by its timer at the latest, but for a window whose
 * timer lets the oldest go. */
static bool opened_meanwhile(const struct why_rule *of)
{
    bool by_timer = of->rule->form_kind != FORM_WINDOW || of->rule->window_kind != WINDOW_SLIDING;

    return of->now.opened_ms != INT64_MIN && (of->now.opened_ms < of->now.next_ms ||
                                              (by_timer && of->now.opened_ms == of->now.next_ms));
}

/* "; none came then, and incident # opened at 12:00:44" */
static void say_next_opened(struct why *why, const struct why_rule *of)
{
    say_incident(why,
                 of->rule->form_kind == FORM_EXPECT ? "; none came then, and incident "
                                                    : "; it counted on until incident ",
                 of->now.opened_id);
    say_time(why, " opened at ", of->now.opened_ms);
}

/* How the rule as it is lets the key of an absence go; NULL: it waits for it, as far as that is
 * known. */
static const char *let_go(const struct why *why, const struct rule *before)
{
    const struct rule *now = why_rule_at_end(why, before->id);

    if (before->form_kind != FORM_EXPECT)
        return NULL;
    if (now == NULL)
        return ", and let the key go";
    if (!id128_equal(now->key_kind, before->key_kind))
        return ", has its keys by other names since, and let this one go";
    return why->question.subject == WHY_KEY && now->listed_count > 0 &&
                   why_listed_by(why, NULL) != now
               ? ", lists other keys in expect.keys, and let this one go"
               : NULL;
}

/* A reload came before the next sign of life was due: the form in force, if there is one, waits for
 * it by its own time. False: there was no reload. */
static bool say_former(struct why *why, const struct why_rule *of)
{
    const char *how = let_go(why, of->rule);
    int64_t seen_ms = why->question.at_ms < why->passed_ms ? why->question.at_ms : why->passed_ms;
    int64_t end_ms = how != NULL ? seen_ms : of->now.next_ms;
    int64_t former_ms = why_former_since(why, of->rule, end_ms);
    bool is_gone = why_gone_since(why, of->rule->id, end_ms) != INT64_MIN;

    if (of->rule->form_kind != FORM_EXPECT || former_ms == INT64_MIN)
        return false;
    say(why, "; the rule was %s by the switch of rules", is_gone ? "taken out" : "changed");
    say_time(why, " at ", former_ms);
    if (how != NULL || is_gone)
        say(why, "%s", how != NULL ? how : ", and let the key go");
    else if (of->now.opened_ms != INT64_MIN)
        say_next_opened(why, of);
    return true;
}

/* What became of a key that waited. */
static void say_outcome(struct why *why, const struct why_rule *of)
{
    if (opened_meanwhile(of)) {
        say_next_opened(why, of);
    } else if (of->now.ended_ms != INT64_MIN) {
        say(why, "; %s", of->now.ended);
        say_time(why, " at ", of->now.ended_ms);
        if (of->now.heir_ms != INT64_MIN) {
            say_incident(why, "; its alert is in incident ", of->now.heir_id);
            say_time(why, ", which opened at ", of->now.heir_ms);
        }
    } else if (of->now.evicted_ms != INT64_MIN && of->now.evicted_ms <= of->now.next_ms) {
        say(why, "; then the key was evicted, the rule had more than max_keys");
    } else if (let_go(why, of->rule) != NULL && say_former(why, of)) {
        return;
    } else if (of->now.next_ms == INT64_MAX) {
        return;
    } else if (why->question.at_ms != INT64_MAX && of->now.next_ms > why->question.at_ms) {
        say_time(why, "; by itself it stays so until ", of->now.next_ms);
    } else if (of->now.next_ms >= why->passed_ms) {
        say_time(why, "; the input ends before ", of->now.next_ms);
    } else if (!say_former(why, of)) {
        say(why, "; %s", of->now.waits[0] != '\0' ? of->now.waits : "it waited");
        say_time(why, of->now.waits[0] != '\0' ? " at " : " until ", of->now.next_ms);
    }
}

/* "rule many: count() 4 of 5 at 12:00:03; the oldest left at 12:10:00" */
static void say_watched(struct why *why, const struct why_rule *of)
{
    if (of->emptied_ms != INT64_MIN) {
        say(why, "rule %s: nothing of this key counted any more", of->rule->id);
        say_time(why, " from ", of->emptied_ms);
        say(why, " on; before, %s", of->now.state);
        return;
    }
    say(why, "rule %s: %s", of->rule->id,
        of->now.state[0] != '\0' ? of->now.state : "it was counted");
    say_time(why, of->rule->form_kind == FORM_EXPECT ? ", one came at " : " at ", of->now.at_ms);
    say_outcome(why, of);
}

/* A rule that was told of the event, and holds nothing by it. */
static const struct why_rule *in_vain(const struct why *why)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (why->per_rule.at[i].vain[0] != '\0')
            return &why->per_rule.at[i];
    return NULL;
}

/* A rule that takes every event had the one that is asked for, whatever else became of it. */
static void say_sign_of_life(struct why *why)
{
    for (size_t i = 0; why->touched && i < why->per_rule.count; i++) {
        const struct why_rule *of = &why->per_rule.at[i];
        if (of->rule->form_kind != FORM_EXPECT || !of->watched || of->now.at_ms != why->event_ms)
            continue;
        say(why, "; ");
        say_watched(why, of);
        return;
    }
    const struct why_rule *vain = in_vain(why);
    if (vain != NULL && vain->rule->form_kind == FORM_EXPECT)
        say(why, "; rule %s: %s", vain->rule->id, vain->vain);
}

static bool is_closed_by_expiry(const struct why *why, struct id128 incident)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (id128_equal(why->per_rule.at[i].expired_incident, incident))
            return true;
    return false;
}

static void say_failed(struct why *why, const struct why_rule *of)
{
    say(why, "rule %s: where does not hold: %s", of->rule->id,
        of->cause.text[0] != '\0' ? of->cause.text : cause_untold);
}

/* --- an incident ------------------------------------------------------------------------- */

/* What holds an incident of a rule that is gone ends otherwise than that rule said. */
static void say_gone(struct why *why, const char *rule_id, int64_t at_ms)
{
    int64_t gone_ms = why_gone_since(why, rule_id, at_ms);

    if (gone_ms != INT64_MIN)
        say_time(why, "; its rule was taken out by the switch of rules at ", gone_ms);
}

static void judge_incident(struct why *why)
{
    const struct incident *first = why->incidents.count > 0 ? why->incidents.at[0] : NULL;
    const struct incident *latest = why->latest;

    if (first == NULL) {
        say(why, "no incident whose id begins with %s opens in this input", why->question.incident);
        return;
    }
    if (why->incident_count > 1) {
        say(why, "%zu incidents begin with %s:", why->incident_count, why->question.incident);
        for (size_t i = 0; i < why->incidents.count; i++)
            say_incident(why, i > 0 ? ", " : " ", why->incidents.at[i]->id);
        if (why->incident_count > why->incidents.count)
            say(why, ", ...");
        return;
    }
    say_time(why, "it opened at ", first->opened_ms);
    say(why, ": %s", first->why);
    if (latest != NULL && latest->change == INCIDENT_CLOSED) {
        say_time(why, "; it closed at ", latest->at_ms);
        say(why, ", %s", incident_cause_name(latest->cause));
        if (is_closed_by_expiry(why, first->id))
            say(why, ": its last open alert expired");
        say_gone(why, first->rule_id, latest->at_ms);
    } else {
        say(why, "; it is open at the end of the input");
        say_gone(why, first->rule_id, INT64_MAX);
    }
    say_mute(why, first->id);
}

/* --- an event ---------------------------------------------------------------------------- */

/* Positions of @intake are counted, and what stands there need not be events. */
static void judge_pushed(struct why *why)
{
    if (why->events > 0) {
        say(why, "the record has %u event%s, numbered from 0", why->events, plural(why->events));
        return;
    }
    say(why, "no event was pushed at @intake/%" PRId64 " of this input", why->question.offset);
    if (why->high >= why->low)
        say(why, "; the first that was is at @intake/%" PRId64 ", the last at @intake/%" PRId64,
            why->low, why->high);
}

static void judge_absence(struct why *why)
{
    const struct why_question *asked = &why->question;

    if (strcmp(asked->topic, INTAKE_TOPIC) == 0 && asked->partition < 0) {
        judge_pushed(why);
    } else if (asked->partition < 0) {
        say(why, "tocsin made no such event in this input");
        if (why->events > 0)
            say(why, "; it made %u of that time, with other numbers", why->events);
        else if (why->high >= why->low)
            say(why, "; the first that it made is of %" PRId64 ", the last of %" PRId64, why->low,
                why->high);
    } else if (why->events > 0 && asked->sub >= (int64_t)why->events)
        say(why, "the record has %u event%s, numbered from 0", why->events, plural(why->events));
    else if (why->events > 0)
        say(why, "it was read, and never worked off: its partition had left before");
    else if (why->high < why->low) {
        say(why, "nothing of %s/%" PRId32 " is in this input", asked->topic, asked->partition);
        for (size_t i = 0; i < why->part_count; i++)
            say(why, "%s%s/%" PRId32, i == 0 ? ", which has " : ", ", why->parts[i].topic,
                why->parts[i].partition);
        if (why->has_more_parts)
            say(why, ", ...");
    } else
        say(why,
            "there is no event at offset %" PRId64 " of %s/%" PRId32
            " in this input, which has %" PRId64 " to %" PRId64,
            asked->offset, asked->topic, asked->partition, why->low, why->high);
}

/* The rule that got farthest: an incident, then the nearest to one. */
static const struct why_rule *farthest(const struct why *why)
{
    const struct why_rule *best = NULL;

    for (size_t i = 0; i < why->per_rule.count; i++) {
        const struct why_rule *of = &why->per_rule.at[i];
        if (!of->opened && !of->watched)
            continue;
        if (best == NULL || of->opened > best->opened ||
            (of->opened == best->opened && of->now.near > best->now.near))
            best = of;
    }
    return best;
}

static const struct why_rule *failed(const struct why *why)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (why->per_rule.at[i].failed > 0)
            return &why->per_rule.at[i];
    return NULL;
}

/* A rule that had matched the alert, and does not with the values of this event. */
static const struct why_rule *ended(const struct why *why)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (why->per_rule.at[i].has_ended)
            return &why->per_rule.at[i];
    return NULL;
}

static void say_alert_state(struct why *why)
{
    const struct why_rule *best = farthest(why);

    if (best == NULL)
        return;
    if (best->opened) {
        bool is_over = best->closed_ms != INT64_MIN && best->closed_ms <= why->event_ms &&
                       id128_equal(best->incident, best->opened_id);
        say_incident(why, is_over ? "; its alert was in incident " : "; its alert is in incident ",
                     best->incident);
        say(why, " of rule %s", best->rule->id);
        if (best->opened_ms != INT64_MIN && id128_equal(best->incident, best->opened_id))
            say_time(why, ", which opened at ", best->opened_ms);
        if (is_over)
            say_time(why, " and closed at ", best->closed_ms);
        say_mute(why, best->incident);
    } else {
        say(why, "; of its alert, ");
        say_watched(why, best);
    }
}

/* The rules that would match, and are told of another kind of thing. */
static const struct why_rule *unheard(const struct why *why)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (why->per_rule.at[i].unheard > 0)
            return &why->per_rule.at[i];
    return NULL;
}

static void say_unheard(struct why *why, const struct why_rule *of, const char *alert)
{
    if (of->rule->input == RULE_INPUT_INCIDENTS)
        say(why, "rule %s is told of incidents, and of no event", of->rule->id);
    else if (why->asked_of_incident)
        say(why, "rule %s is told of events, and of no incident", of->rule->id);
    else if (of->opened_ms == INT64_MIN || of->opened_ms < why->event_ms)
        say(why, "rule %s is told of alerts that flap, and %s does not", of->rule->id, alert);
    else {
        say(why, "rule %s is told of alerts that flap, and %s did not then", of->rule->id, alert);
        say_incident(why, "; incident ", of->opened_id);
        say_time(why, " of its key opened at ", of->opened_ms);
    }
}

/* A rule that is about the event and does not match says more than one that is told of other things
 * and would match everything. */
static void judge_unmatched(struct why *why)
{
    const struct why_rule *of = failed(why), *deaf = unheard(why);
    const char *alert = why_alert_name(why_alert_of(why, why->alert, NULL));
    bool is_near = of != NULL && why->names_check && why->question.rule == NULL;

    if (is_near) {
        say(why, "no rule matches; the nearest is ");
        say_failed(why, of);
        if (deaf != NULL)
            say(why, "; ");
    }
    if (deaf != NULL)
        say_unheard(why, deaf, alert);
    else if (of == NULL)
        say(why, "there is no rule");
    else if (why->question.rule != NULL)
        say_failed(why, of);
    else if (!is_near)
        say(why, "no rule names this check, \"%s\"", why->check);
}

/* The default of `on` is no loss where a rule opened; where it lacks some it may be why. */
static void say_repeats_count(struct why *why)
{
    const struct why_rule *best = farthest(why);

    if (best != NULL && !best->opened && best->rule->input == RULE_INPUT_ALERTS &&
        best->rule->form_kind == FORM_WINDOW)
        say(why, "; repeats do not count for this rule, as they would with on: events");
}

static void judge_folded(struct why *why)
{
    const struct trace_decision *decision = &why->decision;
    const struct why_alert *alert = why_alert_of(why, why->alert, NULL);
    char place[WHY_PLACE_BYTES];

    if (decision->flapping) {
        say(why, "folded: %s is flapping, its rules are told nothing", why_alert_name(alert));
        say_time(why, " before ", decision->calm_ms);
        say_alert_state(why);
        return;
    }
    bool is_unmatched = decision->route_count == 0 && !why->touched && why->question.rule == NULL;
    if (is_unmatched)
        judge_unmatched(why);
    say(why, "%s repeat %" PRIu64 " of %s", is_unmatched ? "; besides, it is" : "folded as",
        why->asked_repeat, why_alert_name(alert));
    if (why->asked_opener.topic != NULL) {
        say(why, ", which %s opened", why_place_print(why, &why->asked_opener, place));
        say_time(why, " at ", why->asked_opener_ms);
    }
    if (is_unmatched) {
        return;
    } else if (failed(why) != NULL) {
        say(why, "; besides, ");
        say_failed(why, failed(why));
    } else {
        say_alert_state(why);
        say_repeats_count(why);
    }
}

static void judge_clear(struct why *why)
{
    const struct why_alert *alert = why_alert_of(why, why->alert, NULL);

    switch (why->decision.outcome) {
    case TRACE_CLEAR_OF_NONE:
        say(why, "it is a clear, and no alert is open that it could end: %s",
            why_alert_name(alert));
        return;
    case TRACE_CLEAR_OF_CLOSED:
        say(why, "it is a clear, and %s had cleared already", why_alert_name(alert));
        return;
    default:
        if (why->decision.flapping)
            judge_folded(why);
        else
            say(why, "it is a clear: it ended %s%s", why_alert_name(alert),
                why->touched ? "" : ", which no rule had matched");
    }
}

/* The incidents that closed because the event's values are others than its alert had, its rule no
 * longer matches or counts it for another key, or because it came at all. False: there is none. */
static bool say_closed(struct why *why, const char *before)
{
    bool has_said = false;

    for (size_t i = 0; i < why->per_rule.count; i++) {
        const struct why_rule *of = &why->per_rule.at[i];
        if (!of->has_closed)
            continue;
        say(why, "%s", has_said ? "; " : before);
        if (of->rule->form_kind == FORM_EXPECT)
            say(why, "it is the sign of life that rule %s waited for", of->rule->id);
        else if (of->failed > 0)
            say(why, "it ended its alert for rule %s, whose where no longer holds: %s",
                of->rule->id, of->cause.text);
        else
            say(why, "it ended its alert for rule %s, which counts it for another key now",
                of->rule->id);
        say_incident(why, "; that closed incident ", of->left);
        has_said = true;
    }
    return has_said;
}

/* The verdict tells of one incident: what the event opened beside it, and may be over since, was
 * its doing no less. */
static void say_made_beside(struct why *why, const struct why_rule *told)
{
    for (size_t i = 0; i < why->per_rule.count; i++) {
        const struct why_rule *of = &why->per_rule.at[i];
        if (id128_equal(of->made, (struct id128){0}) ||
            (told != NULL && id128_equal(of->made, told->incident)))
            continue;
        say_incident(why, "; it opened incident ", of->made);
        say(why, " of rule %s, too", of->rule->id);
        say_mute(why, of->made);
    }
}

static void judge_event(struct why *why)
{
    const struct why_rule *best = farthest(why);

    if (why->found && why->has_alert && why_is_too_late(why, why->event_ms)) {
        why->found = false;
        say_time(why, "it is later than the time that is asked about: it came at ", why->event_ms);
    } else if (!why->found) {
        judge_absence(why);
    } else if (why->rejected != NULL) {
        say(why, "%s", why->rejected);
    } else if (!why->decided) {
        say(why, "it was not met again: the input has changed meanwhile");
    } else if (why->decision.outcome == TRACE_DROPPED) {
        say(why, "dropped by %s, as if it had not been sent", why->dropped_by);
    } else if (why->asked_clear) {
        judge_clear(why);
        if (why->touched && why->decision.flap_begun && best != NULL && best->opened) {
            say_incident(why,
                         best->by_joining ? "; its alert flaps by it, and joined incident "
                                          : "; its alert flaps by it, which opened incident ",
                         best->incident);
            say(why, " of rule %s", best->rule->id);
            say_mute(why, best->incident);
        }
        say_sign_of_life(why);
        say_closed(why, "; ");
    } else if (why->decision.counted == TRACE_DUPLICATE) {
        judge_folded(why);
        say_made_beside(why, best);
        say_closed(why, "; ");
        if (best == NULL)
            say_sign_of_life(why);
    } else if (why->touched && best != NULL && best->opened) {
        say(why, "it %s", best->as_member ? "is in" : best->by_joining ? "joined" : "opened");
        say_incident(why, " incident ", best->incident);
        say(why, " of rule %s", best->rule->id);
        if (best->as_member)
            say_time(why, ", which opened at ", best->since_ms);
        else if (best->by_joining && best->since_ms != INT64_MIN)
            say_time(why, ", open since ", best->since_ms);
        if (best->by_closing)
            say(why, ", and closed it by its number");
        say_mute(why, best->incident);
        say_made_beside(why, best);
        say_closed(why, "; ");
    } else if (say_closed(why, "")) {
        if (best != NULL && best->now.near > 0) {
            say(why, "; ");
            say_watched(why, best);
        }
    } else if (why->touched && in_vain(why) != NULL &&
               (best == NULL || (best->now.near <= 0 && best->rule->form_kind != FORM_EXPECT))) {
        say(why, "rule %s: %s", in_vain(why)->rule->id, in_vain(why)->vain);
    } else if (why->touched && best != NULL) {
        say_watched(why, best);
    } else if (why->touched && ended(why) != NULL) {
        say(why, "it ended its alert for rule %s, whose where no longer holds: %s",
            ended(why)->rule->id, ended(why)->cause.text);
    } else if (why->touched) {
        say(why, "it was counted, and changed nothing");
    } else {
        judge_unmatched(why);
    }
}

/* --- a key ------------------------------------------------------------------------------- */

enum progress { NOTHING, FAILED, UNHEARD, UNLISTED, REACHED, FOLDED, WATCHED, OPENED };

static enum progress progress_of(const struct why_rule *of)
{
    return of->opened_ms != INT64_MIN            ? OPENED
           : of->watched                         ? WATCHED
           : of->repeats > 0 || of->flapping > 0 ? FOLDED
           : of->reached > 0                     ? REACHED
           : of->unlisted > 0                    ? UNLISTED
           : of->unheard > 0                     ? UNHEARD
           : of->failed > 0                      ? FAILED
                                                 : NOTHING;
}

static bool is_farther(const struct why *why, const struct why_rule *of,
                       const struct why_rule *than)
{
    enum progress progress = progress_of(of);

    if (progress != progress_of(than))
        return progress > progress_of(than);
    return progress == OPENED    ? of->opened_ms > than->opened_ms
           : progress == WATCHED ? why_share(why, of) > why_share(why, than)
           : progress == FAILED  ? of->share > than->share
                                 : false;
}

/* Where no rule has got far, the choice of the one that is named says little. */
static void say_looked_at(struct why *why)
{
    const char *named[RULES_NAMED];
    size_t count = 0;

    for (size_t i = 0; i < why->per_rule.count; i++) {
        const char *id = why->per_rule.at[i].rule->id;
        size_t k = 0;
        while (k < count && k < RULES_NAMED && strcmp(named[k], id) != 0)
            k++;
        if (k < count && k < RULES_NAMED)
            continue; /* it is of two sets */
        if (count < RULES_NAMED)
            named[count] = id;
        count++;
    }
    for (size_t i = 0; count > 1 && i < count && i < RULES_NAMED; i++)
        say(why, "%s%s", i == 0 ? "; looked at were rules " : ", ", named[i]);
    if (count > RULES_NAMED)
        say(why, " and %zu more", count - RULES_NAMED);
}

/* The form of the rule that waits for the key behind its incident, or did; NULL: none does. */
static const struct why_rule *waits_since(const struct why *why, const struct why_rule *of)
{
    for (size_t i = 0; i < why->per_rule.count; i++) {
        const struct why_rule *other = &why->per_rule.at[i];
        if (other->watched && (other == of || (strcmp(other->rule->id, of->rule->id) == 0 &&
                                               other->now.at_ms >= of->closed_ms)))
            return other;
    }
    return NULL;
}

/* Of an absence that has ended nothing is waited for. */
static void say_not_waited_for(struct why *why, const struct why_rule *of)
{
    int64_t gone_ms = why_gone_since(why, of->rule->id, INT64_MAX);

    say(why, "; since then it is not waited for");
    if (gone_ms != INT64_MIN)
        say_time(why, ": its rule was taken out by the switch of rules at ", gone_ms);
    else if (let_go(why, of->rule) == NULL)
        say(why, ", and will not be before its next sign of life");
}

static void say_opened(struct why *why, const struct why_rule *of)
{
    say_incident(why, "incident ", of->opened_id);
    say(why, " of rule %s", of->rule->id);
    say_time(why, of->closed_ms == INT64_MIN ? " has been open since " : " was open from ",
             of->opened_ms);
    if (of->closed_ms != INT64_MIN)
        say_time(why, " to ", of->closed_ms);
    if (of->closed_ms != INT64_MIN && is_closed_by_expiry(why, of->opened_id))
        say(why, ", when its last open alert expired");
    say_mute(why, of->opened_id);
    if (of->closed_ms == INT64_MIN)
        return;
    const struct why_rule *since = waits_since(why, of);
    if (since != NULL) {
        why->moment_of = since;
        say(why, "; since then, ");
        say_watched(why, since);
    } else if (of->rule->form_kind == FORM_EXPECT) {
        say_not_waited_for(why, of);
    }
}

/* A rule on incidents hears nothing of the key's events. */
static const struct rule *asked_of_incidents(const struct why *why)
{
    for (size_t s = why->set_count; s-- > 0;)
        for (uint32_t i = 0; i < rule_set_count(why->sets[s]); i++) {
            const struct rule *rule = rule_set_rule(why->sets[s], i);
            if (rule->input == RULE_INPUT_INCIDENTS && why_asks_rule(why, rule))
                return rule;
        }
    return NULL;
}

/* Of a rule with one name, other names in the key are part of that one's value. */
static void say_lone_name(struct why *why)
{
    const char *first = strchr(why->question.key, '=');

    if (why->question.rule == NULL || first == NULL || strchr(first + 1, '=') == NULL)
        return;
    for (uint32_t i = 0; i < rule_set_count(why->rules); i++) {
        const struct rule *rule = rule_set_rule(why->rules, i);
        if (strcmp(rule->id, why->question.rule) == 0 && rule->by_count == 1)
            say(why, "; rule %s counts by %s alone", rule->id, rule->by_name[0]);
    }
}

/* "events/0/3/0 at 12:00:03" */
static void say_place(struct why *why, const char *word, const struct why_place *place,
                      int64_t at_ms)
{
    char text[WHY_PLACE_BYTES];

    say(why, "%s%s", word, why_place_print(why, place, text));
    say_time(why, " at ", at_ms);
}

/* Other events of the key never came as far as the rules. */
static void say_dropped(struct why *why)
{
    if (why->key_dropped == 0)
        return;
    say(why, "; %" PRIu64 " more %s dropped by %s", why->key_dropped,
        why->key_dropped == 1 ? "was" : "were", why->dropped_by);
    say_place(why, why->key_dropped == 1 ? ", " : ", the last ", &why->key_dropped_at,
              why->key_dropped_ms);
}

/* No event of the key came, and a rule lists it: it is waited for. */
static void say_listed(struct why *why, const struct rule *rule)
{
    char every[UNIT_TEXT_BYTES];
    bool is_then = why->question.at_ms != INT64_MAX;

    say(why,
        "rule %s: its expect.keys lists this key, and an event of it is expected every %s; none "
        "%s, and no incident %s",
        rule->id, unit_format_duration(rule->every_ms, every), is_then ? "had come" : "came",
        is_then ? "had opened" : "opened");
}

static void say_next(struct why *why)
{
    if (why->key_next_at.topic != NULL)
        say_place(why, "; the next is ", &why->key_next_at, why->key_next_ms);
}

/* The events of the key are none that the rule takes. One that lists the key waits for such: that
 * they are others is what it opens by. */
static void say_none_matches(struct why *why, const struct why_rule *of)
{
    const struct rule *listing = why_lists_still(why, of->rule);
    /* A rule that takes every event also had the clears. */
    const char *kind = of->rule->input == RULE_INPUT_ALL ? "" : "problem ";

    if (listing != NULL) {
        say_listed(why, listing);
        say(why, "; ");
    } else {
        say(why, "rule %s: ", of->rule->id);
    }
    if (of->failed > 1)
        say(why, "where does not hold for any of %" PRIu64 " %sevents%s; the nearest, ", of->failed,
            kind, listing != NULL ? " that did" : "");
    else if (listing != NULL)
        say(why, "where does not hold for the only event that did, ");
    else
        say(why, "where does not hold for its only %sevent, ", kind);
    say_place(why, "", &of->cause.place, of->cause.at_ms);
    say(why, ": %s", of->cause.text[0] != '\0' ? of->cause.text : cause_untold);
    if (listing != NULL)
        say_next(why);
    else if (of->is_not_listed)
        say(why, "; nor does its expect.keys list the key");
}

static void judge_absent_key(struct why *why)
{
    const struct rule *other;

    why_listed_by(why, &other);
    say(why, "no event of this input has this key%s",
        why->question.at_ms != INT64_MAX ? " up to then" : "");
    say_next(why);
    if (other != NULL)
        say(why, "; rule %s: its expect.keys does not list this key", other->id);
    say_lone_name(why);
}

static void judge_key(struct why *why)
{
    const struct rule *above = asked_of_incidents(why);
    const struct why_rule *best = NULL;

    for (size_t i = 0; i < why->per_rule.count; i++)
        if (best == NULL || is_farther(why, &why->per_rule.at[i], best))
            best = &why->per_rule.at[i];
    if (!why->found) {
        judge_absent_key(why);
        return;
    }
    if (why->key_events == 0 && !why_key_opened(why)) {
        say_listed(why, why_listed_by(why, NULL));
        say_next(why);
        return;
    }
    if (why->key_events > 0 && why->key_dropped == why->key_events) {
        say(why, "dropped by %s, as if %s had not been sent", why->dropped_by,
            why->key_events == 1 ? "its event" : "its events");
        if (why->key_events > 1)
            say(why, ": %" PRIu64 " of them, the last ", why->key_events);
        say_place(why, why->key_events == 1 ? ": " : "", &why->key_dropped_at, why->key_dropped_ms);
        return;
    }
    switch (best != NULL ? progress_of(best) : NOTHING) {
    case OPENED:
        say_opened(why, best);
        return;
    case WATCHED:
        why->moment_of = best;
        say_watched(why, best);
        return;
    case FOLDED:
        say(why,
            "rule %s: its events were folded: %" PRIu64 " repeat%s, %" PRIu64 " while flapping",
            best->rule->id, best->repeats, plural(best->repeats), best->flapping);
        break;
    case REACHED:
        say(why, "rule %s: it was told of %" PRIu64 " event%s of this key, and holds none",
            best->rule->id, best->reached, plural(best->reached));
        if (best->rule->form_kind == FORM_SEQUENCE)
            say(why, ": none of them was its first step, %s", best->rule->step[0].name);
        break;
    case FAILED:
        say_none_matches(why, best);
        break;
    case UNLISTED:
        say(why,
            "rule %s: its expect.keys does not list this key: %" PRIu64
            " sign%s of life of it counted for nothing",
            best->rule->id, best->unlisted, plural(best->unlisted));
        break;
    case UNHEARD:
        say(why, "rule %s is told of alerts that flap: none of this key does", best->rule->id);
        break;
    case NOTHING:
        if (above != NULL)
            say(why, "rule %s is told of incidents: no rule that it names had one of this key",
                above->id);
        else
            say(why, "the events of this key are clears: nothing was open that they could end");
    }
    say_dropped(why);
    say_looked_at(why);
}

void why_judge(struct why *why)
{
    why->verdict[0] = '\0';
    switch (why->question.subject) {
    case WHY_INCIDENT:
        judge_incident(why);
        break;
    case WHY_EVENT:
        judge_event(why);
        break;
    case WHY_KEY:
        judge_key(why);
        break;
    }
    why_words_mend(why->verdict);
}

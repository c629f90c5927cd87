/*
 * why_verdict_event.c - the sentence that an answer about an event ends in. See why_say.h.
 */
#include <inttypes.h>
#include <string.h>
#include "base/plural.h"
#include "daemon/why_say.h"
#include "ingest/intake_source.h"

/* Positions of @intake are counted, and what stands there need not be events. */
static void judge_pushed(struct why *why)
{
    if (why->events > 0) {
        why_say(why, "the record has %u event%s, numbered from 0", why->events,
                plural(why->events));
        return;
    }
    why_say(why, "no event was pushed at @intake/%" PRId64 " of this input", why->question.offset);
    if (why->high >= why->low)
        why_say(why, "; the first that was is at @intake/%" PRId64 ", the last at @intake/%" PRId64,
                why->low, why->high);
}

static void judge_absence(struct why *why)
{
    const struct why_question *asked = &why->question;

    if (strcmp(asked->topic, INTAKE_TOPIC) == 0 && asked->partition < 0) {
        judge_pushed(why);
    } else if (asked->partition < 0) {
        why_say(why, "tocsin made no such event in this input");
        if (why->events > 0)
            why_say(why, "; it made %u of that time, with other numbers", why->events);
        else if (why->high >= why->low)
            why_say(why, "; the first that it made is of %" PRId64 ", the last of %" PRId64,
                    why->low, why->high);
    } else if (why->events > 0 && asked->sub >= (int64_t)why->events)
        why_say(why, "the record has %u event%s, numbered from 0", why->events,
                plural(why->events));
    else if (why->events > 0)
        why_say(why, "it was read, and never worked off: its partition had left before");
    else if (why->high < why->low) {
        why_say(why, "nothing of %s/%" PRId32 " is in this input", asked->topic, asked->partition);
        for (size_t i = 0; i < why->part_count; i++)
            why_say(why, "%s%s/%" PRId32, i == 0 ? ", which has " : ", ", why->parts[i].topic,
                    why->parts[i].partition);
        if (why->has_more_parts)
            why_say(why, ", ...");
    } else
        why_say(why,
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
        why_say_incident(why,
                         is_over ? "; its alert was in incident " : "; its alert is in incident ",
                         best->incident);
        why_say(why, " of rule %s", best->rule->id);
        if (best->opened_ms != INT64_MIN && id128_equal(best->incident, best->opened_id))
            why_say_time(why, ", which opened at ", best->opened_ms);
        if (is_over)
            why_say_time(why, " and closed at ", best->closed_ms);
        why_say_mute(why, best->incident);
    } else {
        why_say(why, "; of its alert, ");
        why_say_watched(why, best);
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
        why_say(why, "rule %s is told of incidents, and of no event", of->rule->id);
    else if (why->asked_of_incident)
        why_say(why, "rule %s is told of events, and of no incident", of->rule->id);
    else if (of->opened_ms == INT64_MIN || of->opened_ms < why->event_ms)
        why_say(why, "rule %s is told of alerts that flap, and %s does not", of->rule->id, alert);
    else {
        why_say(why, "rule %s is told of alerts that flap, and %s did not then", of->rule->id,
                alert);
        why_say_incident(why, "; incident ", of->opened_id);
        why_say_time(why, " of its key opened at ", of->opened_ms);
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
        why_say(why, "no rule matches; the nearest is ");
        why_say_failed(why, of);
        if (deaf != NULL)
            why_say(why, "; ");
    }
    if (deaf != NULL)
        say_unheard(why, deaf, alert);
    else if (of == NULL)
        why_say(why, "there is no rule");
    else if (why->question.rule != NULL)
        why_say_failed(why, of);
    else if (!is_near)
        why_say(why, "no rule names this check, \"%s\"", why->check);
}

/* The default of `on` is no loss where a rule opened; where it lacks some it may be why. */
static void say_repeats_count(struct why *why)
{
    const struct why_rule *best = farthest(why);

    if (best != NULL && !best->opened && best->rule->input == RULE_INPUT_ALERTS &&
        best->rule->form_kind == FORM_WINDOW)
        why_say(why, "; repeats do not count for this rule, as they would with on: events");
}

static void judge_folded(struct why *why)
{
    const struct trace_decision *decision = &why->decision;
    const struct why_alert *alert = why_alert_of(why, why->alert, NULL);
    char place[WHY_PLACE_BYTES];

    if (decision->flapping) {
        why_say(why, "folded: %s is flapping, its rules are told nothing", why_alert_name(alert));
        why_say_time(why, " before ", decision->calm_ms);
        say_alert_state(why);
        return;
    }
    bool is_unmatched = decision->route_count == 0 && !why->touched && why->question.rule == NULL;
    if (is_unmatched)
        judge_unmatched(why);
    why_say(why, "%s repeat %" PRIu64 " of %s", is_unmatched ? "; besides, it is" : "folded as",
            why->asked_repeat, why_alert_name(alert));
    if (why->asked_opener.topic != NULL) {
        why_say(why, ", which %s opened", why_place_print(why, &why->asked_opener, place));
        why_say_time(why, " at ", why->asked_opener_ms);
    }
    if (is_unmatched) {
        return;
    } else if (failed(why) != NULL) {
        why_say(why, "; besides, ");
        why_say_failed(why, failed(why));
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
        why_say(why, "it is a clear, and no alert is open that it could end: %s",
                why_alert_name(alert));
        return;
    case TRACE_CLEAR_OF_CLOSED:
        why_say(why, "it is a clear, and %s had cleared already", why_alert_name(alert));
        return;
    default:
        if (why->decision.flapping)
            judge_folded(why);
        else
            why_say(why, "it is a clear: it ended %s%s", why_alert_name(alert),
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
        why_say(why, "%s", has_said ? "; " : before);
        if (of->rule->form_kind == FORM_EXPECT)
            why_say(why, "it is the sign of life that rule %s waited for", of->rule->id);
        else if (of->failed > 0)
            why_say(why, "it ended its alert for rule %s, whose where no longer holds: %s",
                    of->rule->id, of->cause.text);
        else
            why_say(why, "it ended its alert for rule %s, which counts it for another key now",
                    of->rule->id);
        why_say_incident(why, "; that closed incident ", of->left);
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
        why_say_incident(why, "; it opened incident ", of->made);
        why_say(why, " of rule %s, too", of->rule->id);
        why_say_mute(why, of->made);
    }
}

void why_judge_event(struct why *why)
{
    const struct why_rule *best = farthest(why);

    if (why->found && why->has_alert && why_is_too_late(why, why->event_ms)) {
        why->found = false;
        why_say_time(why, "it is later than the time that is asked about: it came at ",
                     why->event_ms);
    } else if (!why->found) {
        judge_absence(why);
    } else if (why->rejected != NULL) {
        why_say(why, "%s", why->rejected);
    } else if (!why->decided) {
        why_say(why, "it was not met again: the input has changed meanwhile");
    } else if (why->decision.outcome == TRACE_DROPPED) {
        why_say(why, "dropped by %s, as if it had not been sent", why->dropped_by);
    } else if (why->asked_clear) {
        judge_clear(why);
        if (why->touched && why->decision.flap_begun && best != NULL && best->opened) {
            why_say_incident(why,
                             best->by_joining ? "; its alert flaps by it, and joined incident "
                                              : "; its alert flaps by it, which opened incident ",
                             best->incident);
            why_say(why, " of rule %s", best->rule->id);
            why_say_mute(why, best->incident);
        }
        why_say_sign_of_life(why);
        say_closed(why, "; ");
    } else if (why->decision.counted == TRACE_DUPLICATE) {
        judge_folded(why);
        say_made_beside(why, best);
        say_closed(why, "; ");
        if (best == NULL)
            why_say_sign_of_life(why);
    } else if (why->touched && best != NULL && best->opened) {
        why_say(why, "it %s", best->as_member ? "is in" : best->by_joining ? "joined" : "opened");
        why_say_incident(why, " incident ", best->incident);
        why_say(why, " of rule %s", best->rule->id);
        if (best->as_member)
            why_say_time(why, ", which opened at ", best->since_ms);
        else if (best->by_joining && best->since_ms != INT64_MIN)
            why_say_time(why, ", open since ", best->since_ms);
        if (best->by_closing)
            why_say(why, ", and closed it by its number");
        why_say_mute(why, best->incident);
        say_made_beside(why, best);
        say_closed(why, "; ");
    } else if (say_closed(why, "")) {
        if (best != NULL && best->now.near > 0) {
            why_say(why, "; ");
            why_say_watched(why, best);
        }
    } else if (why->touched && why_in_vain(why) != NULL &&
               (best == NULL || (best->now.near <= 0 && best->rule->form_kind != FORM_EXPECT))) {
        why_say(why, "rule %s: %s", why_in_vain(why)->rule->id, why_in_vain(why)->vain);
    } else if (why->touched && best != NULL) {
        why_say_watched(why, best);
    } else if (why->touched && ended(why) != NULL) {
        why_say(why, "it ended its alert for rule %s, whose where no longer holds: %s",
                ended(why)->rule->id, ended(why)->cause.text);
    } else if (why->touched) {
        why_say(why, "it was counted, and changed nothing");
    } else {
        judge_unmatched(why);
    }
}

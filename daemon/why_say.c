/* why_say.c - see why_say.h. */
#include "daemon/why_say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *why_cause(const struct why_rule *of)
{
    return of->cause.text[0] != '\0' ? of->cause.text : "it has more tests than can be told";
}

void why_say(struct why *why, const char *format, ...)
{
    size_t used = strlen(why->verdict);
    va_list args;

    va_start(args, format);
    vsnprintf(why->verdict + used, sizeof(why->verdict) - used, format, args);
    va_end(args);
}

void why_say_time(struct why *why, const char *word, int64_t at_ms)
{
    char time[WHY_TIME_BYTES];

    why_say(why, "%s%s", word, why_time(why, at_ms, time));
}

void why_say_incident(struct why *why, const char *word, struct id128 id)
{
    char digits[ID128_TEXT_BYTES];

    id128_format(id, digits);
    why_say(why, "%s%s", word, digits);
}

static void say_first_mute(struct why *why, const struct why_mute *mute)
{
    if (!mute->was_told) {
        why_say(why, "; it was muted by %s", mute->by);
    } else if (mute->at_close) {
        why_say(why, "; it was told, and so was its close, though it was muted by %s then",
                mute->by);
    } else {
        why_say_time(why, "; it was told, and muted when it changed at ", mute->from_ms);
        why_say(why, ", by %s", mute->by);
    }
}

void why_say_mute(struct why *why, struct id128 incident)
{
    bool is_first = true;

    for (size_t i = 0; i < why->mutes.count; i++) {
        const struct why_mute *mute = &why->mutes.at[i];
        if (!id128_equal(mute->incident, incident))
            continue;
        if (is_first)
            say_first_mute(why, mute);
        else
            why_say(why, ", then by %s", mute->by);
        is_first = false;
        if (mute->until_ms != INT64_MIN)
            why_say_time(why, " until ", mute->until_ms);
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
    why_say_incident(why,
                     of->rule->form_kind == FORM_EXPECT ? "; none came then, and incident "
                                                        : "; it counted on until incident ",
                     of->now.opened_id);
    why_say_time(why, " opened at ", of->now.opened_ms);
}

const char *why_let_go(const struct why *why, const struct rule *before)
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
    const char *how = why_let_go(why, of->rule);
    int64_t seen_ms = why->question.at_ms < why->passed_ms ? why->question.at_ms : why->passed_ms;
    int64_t end_ms = how != NULL ? seen_ms : of->now.next_ms;
    int64_t former_ms = why_former_since(why, of->rule, end_ms);
    bool is_gone = why_gone_since(why, of->rule->id, end_ms) != INT64_MIN;

    if (of->rule->form_kind != FORM_EXPECT || former_ms == INT64_MIN)
        return false;
    why_say(why, "; the rule was %s by the switch of rules", is_gone ? "taken out" : "changed");
    why_say_time(why, " at ", former_ms);
    if (how != NULL || is_gone)
        why_say(why, "%s", how != NULL ? how : ", and let the key go");
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
        why_say(why, "; %s", of->now.ended);
        why_say_time(why, " at ", of->now.ended_ms);
        if (of->now.heir_ms != INT64_MIN) {
            why_say_incident(why, "; its alert is in incident ", of->now.heir_id);
            why_say_time(why, ", which opened at ", of->now.heir_ms);
        }
    } else if (of->now.evicted_ms != INT64_MIN && of->now.evicted_ms <= of->now.next_ms) {
        why_say(why, "; then the key was evicted, the rule had more than max_keys");
    } else if (why_let_go(why, of->rule) != NULL && say_former(why, of)) {
        return;
    } else if (of->now.next_ms == INT64_MAX) {
        return;
    } else if (why->question.at_ms != INT64_MAX && of->now.next_ms > why->question.at_ms) {
        why_say_time(why, "; by itself it stays so until ", of->now.next_ms);
    } else if (of->now.next_ms >= why->passed_ms) {
        why_say_time(why, "; the input ends before ", of->now.next_ms);
    } else if (!say_former(why, of)) {
        why_say(why, "; %s", of->now.waits[0] != '\0' ? of->now.waits : "it waited");
        why_say_time(why, of->now.waits[0] != '\0' ? " at " : " until ", of->now.next_ms);
    }
}

void why_say_watched(struct why *why, const struct why_rule *of)
{
    if (of->emptied_ms != INT64_MIN) {
        why_say(why, "rule %s: nothing of this key counted any more", of->rule->id);
        why_say_time(why, " from ", of->emptied_ms);
        why_say(why, " on; before, %s", of->now.state);
        return;
    }
    why_say(why, "rule %s: %s", of->rule->id,
            of->now.state[0] != '\0' ? of->now.state : "it was counted");
    why_say_time(why, of->rule->form_kind == FORM_EXPECT ? ", one came at " : " at ",
                 of->now.at_ms);
    say_outcome(why, of);
}

const struct why_rule *why_in_vain(const struct why *why)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (why->per_rule.at[i].vain[0] != '\0')
            return &why->per_rule.at[i];
    return NULL;
}

void why_say_sign_of_life(struct why *why)
{
    for (size_t i = 0; why->touched && i < why->per_rule.count; i++) {
        const struct why_rule *of = &why->per_rule.at[i];
        if (of->rule->form_kind != FORM_EXPECT || !of->watched || of->now.at_ms != why->event_ms)
            continue;
        why_say(why, "; ");
        why_say_watched(why, of);
        return;
    }
    const struct why_rule *vain = why_in_vain(why);
    if (vain != NULL && vain->rule->form_kind == FORM_EXPECT)
        why_say(why, "; rule %s: %s", vain->rule->id, vain->vain);
}

bool why_is_closed_by_expiry(const struct why *why, struct id128 incident)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (id128_equal(why->per_rule.at[i].expired_incident, incident))
            return true;
    return false;
}

void why_say_failed(struct why *why, const struct why_rule *of)
{
    why_say(why, "rule %s: where does not hold: %s", of->rule->id, why_cause(of));
}

/*
 * why_forms.c - of a key: which form of a rule it stands in when switches made others. See
 * why_parts.h.
 *
 *   a window      stays in the form that it began in until the next event comes for it
 *   an absence    is waited for by the form in force, though no sooner than the former one did:
 *                 from the switch on where that form lists the key, else once its time is up
 */
#include <stdio.h>
#include <string.h>
#include "correlate/text_buffer.h"
#include "daemon/why_parts.h"

/* Another form of `rule` watches the key, as far as is known. */
static bool is_former_of(const struct why_rule *of, const struct rule *rule, struct id128 key)
{
    return of->watched && strcmp(of->rule->id, rule->id) == 0 &&
           !id128_equal(of->rule->form, rule->form) && id128_equal(of->now.key, key);
}

static void note_let_go(struct why *why, struct why_rule *of, const struct trace_touch *touch)
{
    const struct why_alert *alert = why_alert_of(why, touch->touch->alert, touch->touch->text);
    int64_t at_ms = touch->touch->order.at_ms;
    int64_t former_ms = why_former_since(why, of->rule, at_ms);
    char time[WHY_TIME_BYTES];

    if (of->rule->form_kind == FORM_EXPECT || former_ms == INT64_MIN ||
        of->now.ended_ms != INT64_MIN || of->now.opened_ms != INT64_MIN ||
        !why_comes_before(touch->touch, of->now.next_ms))
        return;
    of->now.ended_ms = at_ms;
    snprintf(
        of->now.ended, sizeof(of->now.ended),
        "the rule was changed by the switch of rules at %s, and the next event, %s, let go of it",
        why_time(why, former_ms, time), why_alert_name(alert));
    why_words_mend(of->now.ended);
}

void why_forms_touched(struct why *why, const struct trace_touch *touch)
{
    bool is_held = touch->holder == touch->rule || touch->fate == TRACE_OPENED;

    for (size_t i = 0; is_held && i < why->per_rule.count; i++)
        if (is_former_of(&why->per_rule.at[i], touch->rule, touch->touch->key))
            note_let_go(why, &why->per_rule.at[i], touch);
}

void why_forms_opened(struct why *why, const struct trace_change *change)
{
    bool is_member = false;

    for (size_t m = 0; why->question.subject == WHY_EVENT && m < why->opening.count; m++)
        is_member = is_member || id128_equal(why->opening.at[m].alert, why->alert);
    for (size_t i = 0; is_member && i < why->per_rule.count; i++) {
        struct why_rule *of = &why->per_rule.at[i];
        if (!is_former_of(of, change->rule, change->key) || of->rule->form_kind == FORM_EXPECT ||
            of->now.ended_ms == INT64_MIN || of->now.heir_ms != INT64_MIN)
            continue;
        of->now.heir_id = change->incident->id;
        of->now.heir_ms = change->incident->at_ms;
    }
}

void why_forms_leave(struct why *why, const struct rule *rule, struct id128 key)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (is_former_of(&why->per_rule.at[i], rule, key))
            why->per_rule.at[i].watched = why->per_rule.at[i].opened = false;
}

void why_forms_turned(struct why *why, const struct trace_turn *turn)
{
    for (size_t i = 0; turn->state[0] != '\0' && i < why->per_rule.count; i++) {
        struct why_rule *from = &why->per_rule.at[i];
        if (!is_former_of(from, turn->rule, turn->key))
            continue;
        const struct why_moment was = from->now;
        from->watched = from->opened = false;
        struct why_rule *of = why_rule_of(why, turn->rule); /* `from` may have moved */
        of->watched = true;
        of->now = was;
        of->emptied_ms = INT64_MIN;
        return;
    }
}

/* The absence is waited for by another form at the time that is asked about, to which its key goes
 * over when the former one's time is up. */
static void go_over(struct why_rule *of, const struct rule *heir)
{
    struct text_buffer every;
    int64_t due_ms = of->now.at_ms + heir->every_ms;

    text_begin(&every);
    text_put_duration(&every, heir->every_ms);
    snprintf(of->now.state, sizeof(of->now.state), "expects an event every %s", every.at);
    text_end(&every);
    of->now.next_ms = due_ms > of->now.next_ms ? due_ms : of->now.next_ms;
    of->rule = heir;
}

void why_settle_forms(struct why *why)
{
    for (size_t i = 0; why->question.at_ms != INT64_MAX && i < why->per_rule.count; i++) {
        struct why_rule *of = &why->per_rule.at[i];
        const struct rule *heir = why_rule_at_end(why, of->rule->id);
        bool waits = of->watched && of->rule->form_kind == FORM_EXPECT &&
                     of->now.ended_ms == INT64_MIN && of->now.opened_ms == INT64_MIN &&
                     of->now.evicted_ms == INT64_MIN;
        if (waits && heir != NULL && heir->form_kind == FORM_EXPECT && heir->listed_count == 0 &&
            !id128_equal(heir->form, of->rule->form) &&
            id128_equal(heir->key_kind, of->rule->key_kind))
            go_over(of, heir);
    }
}

/*
 * why_moment.c - of a key: the moment at which a rule came nearest to firing, or, with --at, how it
 * stood then. See why_parts.h.
 *
 * Most rules are as near as their newest touch says. Those that fire when a time is over (`for`,
 * look: end, expect) are judged when that time is: what came meanwhile may have ended it.
 */
#include <stdio.h>
#include "daemon/why_parts.h"

void why_take_state(struct why_rule *of, const struct trace_touch *touch)
{
    of->now.near = touch->near;
    of->now.at_ms = touch->touch->order.at_ms;
    of->now.next_ms = touch->next_ms;
    snprintf(of->now.state, sizeof(of->now.state), "%s", touch->state);
    snprintf(of->now.waits, sizeof(of->now.waits), "%s", touch->waits);
    why_words_mend(of->now.state);
    why_words_mend(of->now.waits);
}

/* What ended a former moment says nothing of this one. */
static void begin(struct why_rule *of, const struct trace_touch *touch)
{
    of->watched = true;
    of->now.key = touch->touch->key;
    of->now.ended_ms = of->now.opened_ms = of->now.evicted_ms = of->now.heir_ms = INT64_MIN;
    why_take_state(of, touch);
}

void why_moment_opened(struct why_rule *of, struct id128 key, const struct incident *incident)
{
    if (!of->watched || of->now.opened_ms != INT64_MIN || !id128_equal(of->now.key, key))
        return;
    of->now.opened_id = incident->id;
    of->now.opened_ms = incident->at_ms;
}

void why_moment_evicted(struct why_rule *of, const struct trace_key *key)
{
    if (of->watched && of->now.evicted_ms == INT64_MIN && id128_equal(of->now.key, key->key))
        of->now.evicted_ms = key->at_ms;
}

bool why_asks_how_it_stood(const struct why *why)
{
    return why->question.subject == WHY_KEY && why->question.at_ms != INT64_MAX;
}

/* Of a key that is asked for, over all that came. */
static bool is_told_at_end(const struct why *why, const struct rule *rule)
{
    return why->question.subject == WHY_KEY && why->question.at_ms == INT64_MAX &&
           (rule->looks_at_end || rule->hold_ms > 0 || rule->form_kind == FORM_EXPECT);
}

double why_share(const struct why *why, const struct why_rule *of)
{
    int64_t seen_ms = why->question.at_ms < why->passed_ms ? why->question.at_ms : why->passed_ms;
    int64_t end_ms = of->now.ended_ms != INT64_MIN ? of->now.ended_ms : seen_ms;
    int64_t whole_ms =
        of->rule->form_kind == FORM_EXPECT ? of->now.next_ms - of->now.at_ms : of->rule->hold_ms;
    double waited;

    if (of->emptied_ms != INT64_MIN)
        return 0;
    if (of->rule->looks_at_end || whole_ms <= 0 || of->now.next_ms == INT64_MAX)
        return of->rule->hold_ms > 0 ? of->now.near / 2 : of->now.near;
    end_ms = end_ms < of->now.next_ms ? end_ms : of->now.next_ms;
    waited = (double)(whole_ms - (of->now.next_ms - end_ms)) / (double)whole_ms;
    waited = waited < 0 ? 0 : waited;
    return of->rule->form_kind == FORM_EXPECT ? waited : (1 + waited) / 2;
}

/* Another moment follows: this one stays if it came nearer than those before. */
static void keep_moment(const struct why *why, struct why_rule *of)
{
    double share = of->watched ? why_share(why, of) : -1;

    if (share < 0 || share < of->best_share)
        return;
    of->best = of->now;
    of->best_share = share;
}

void why_settle_moments(struct why *why)
{
    for (size_t i = 0; i < why->per_rule.count; i++) {
        struct why_rule *of = &why->per_rule.at[i];
        if (of->best_share < 0 || !of->watched || why_share(why, of) >= of->best_share)
            continue;
        of->now = of->best;
    }
}

/* True while the touch is of what `now` tells of: the same window, or the same wait. */
static bool goes_on(const struct why_rule *of, const struct trace_touch *touch)
{
    return of->watched && of->now.ended_ms == INT64_MIN &&
           why_comes_before(touch->touch, of->now.next_ms) &&
           id128_equal(of->now.key, touch->touch->key) &&
           (of->rule->looks_at_end || touch->next_ms == of->now.next_ms);
}

void why_note_moment(struct why *why, struct why_rule *of, const struct trace_touch *touch)
{
    bool must_settle = is_told_at_end(why, touch->rule);

    if (must_settle && !goes_on(of, touch))
        keep_moment(why, of);
    else if (!must_settle && of->watched && touch->near < of->now.near)
        return;
    begin(of, touch);
}

void why_note_after(struct why *why, const struct trace_touch *touch)
{
    struct why_rule *of = why_rule_of(why, touch->then);

    begin(of, touch);
    of->best_share = -1; /* it is of before */
    of->emptied_ms = INT64_MIN;
}

void why_note_standing(struct why_rule *of, const struct trace_touch *touch)
{
    if (touch->fate == TRACE_WATCHED && touch->state[0] != '\0') {
        begin(of, touch);
        of->emptied_ms = INT64_MIN;
    } else if (touch->fate <= TRACE_WATCHED && of->watched && of->emptied_ms == INT64_MIN)
        of->emptied_ms = touch->touch->order.at_ms;
}

void why_watch_turned(void *self, const struct trace_turn *turn)
{
    struct why *why = self;
    struct why_rule *of;

    if (why->question.at_ms == INT64_MAX || why_is_too_late(why, turn->at_ms) ||
        why_watched_key(why, turn->key) == NULL || !why_asks_rule(why, turn->rule))
        return;
    why_forms_turned(why, turn);
    if (!why_asks_how_it_stood(why) && turn->rule->form_kind != FORM_EXPECT)
        return;
    of = why_rule_of(why, turn->rule);
    if (!of->watched || !id128_equal(of->now.key, turn->key))
        return;
    if (turn->state[0] == '\0') {
        of->emptied_ms = turn->at_ms;
        return;
    }
    if (turn->rule->form_kind != FORM_EXPECT) /* of that it is the last sign of life */
        of->now.at_ms = turn->at_ms;
    of->now.next_ms = turn->next_ms;
    of->now.near = turn->near;
    snprintf(of->now.state, sizeof(of->now.state), "%s", turn->state);
    why_words_mend(of->now.state);
}

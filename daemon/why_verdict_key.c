/*
 * why_verdict_key.c - the sentence that an answer about a key ends in. See why_say.h.
 */
#include <inttypes.h>
#include <string.h>
#include "base/plural.h"
#include "daemon/units.h"
#include "daemon/why_say.h"

enum { RULES_NAMED = 5 };

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
        why_say(why, "%s%s", i == 0 ? "; looked at were rules " : ", ", named[i]);
    if (count > RULES_NAMED)
        why_say(why, " and %zu more", count - RULES_NAMED);
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

    why_say(why, "; since then it is not waited for");
    if (gone_ms != INT64_MIN)
        why_say_time(why, ": its rule was taken out by the switch of rules at ", gone_ms);
    else if (why_let_go(why, of->rule) == NULL)
        why_say(why, ", and will not be before its next sign of life");
}

static void say_opened(struct why *why, const struct why_rule *of)
{
    why_say_incident(why, "incident ", of->opened_id);
    why_say(why, " of rule %s", of->rule->id);
    why_say_time(why, of->closed_ms == INT64_MIN ? " has been open since " : " was open from ",
                 of->opened_ms);
    if (of->closed_ms != INT64_MIN)
        why_say_time(why, " to ", of->closed_ms);
    if (of->closed_ms != INT64_MIN && why_is_closed_by_expiry(why, of->opened_id))
        why_say(why, ", when its last open alert expired");
    why_say_mute(why, of->opened_id);
    if (of->closed_ms == INT64_MIN)
        return;
    const struct why_rule *since = waits_since(why, of);
    if (since != NULL) {
        why->moment_of = since;
        why_say(why, "; since then, ");
        why_say_watched(why, since);
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
            why_say(why, "; rule %s counts by %s alone", rule->id, rule->by_name[0]);
    }
}

/* "events/0/3/0 at 12:00:03" */
static void say_place(struct why *why, const char *word, const struct why_place *place,
                      int64_t at_ms)
{
    char text[WHY_PLACE_BYTES];

    why_say(why, "%s%s", word, why_place_print(why, place, text));
    why_say_time(why, " at ", at_ms);
}

/* Other events of the key never came as far as the rules. */
static void say_dropped(struct why *why)
{
    if (why->key_dropped == 0)
        return;
    why_say(why, "; %" PRIu64 " more %s dropped by %s", why->key_dropped,
            why->key_dropped == 1 ? "was" : "were", why->dropped_by);
    say_place(why, why->key_dropped == 1 ? ", " : ", the last ", &why->key_dropped_at,
              why->key_dropped_ms);
}

/* No event of the key came, and a rule lists it: it is waited for. */
static void say_listed(struct why *why, const struct rule *rule)
{
    char every[UNIT_TEXT_BYTES];
    bool is_then = why->question.at_ms != INT64_MAX;

    why_say(
        why,
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
        why_say(why, "; ");
    } else {
        why_say(why, "rule %s: ", of->rule->id);
    }
    if (of->failed > 1)
        why_say(why, "where does not hold for any of %" PRIu64 " %sevents%s; the nearest, ",
                of->failed, kind, listing != NULL ? " that did" : "");
    else if (listing != NULL)
        why_say(why, "where does not hold for the only event that did, ");
    else
        why_say(why, "where does not hold for its only %sevent, ", kind);
    say_place(why, "", &of->cause.place, of->cause.at_ms);
    why_say(why, ": %s", why_cause(of));
    if (listing != NULL)
        say_next(why);
    else if (of->is_not_listed)
        why_say(why, "; nor does its expect.keys list the key");
}

static void judge_absent_key(struct why *why)
{
    const struct rule *other;

    why_listed_by(why, &other);
    why_say(why, "no event of this input has this key%s",
            why->question.at_ms != INT64_MAX ? " up to then" : "");
    say_next(why);
    if (other != NULL)
        why_say(why, "; rule %s: its expect.keys does not list this key", other->id);
    say_lone_name(why);
}

void why_judge_key(struct why *why)
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
        why_say(why, "dropped by %s, as if %s had not been sent", why->dropped_by,
                why->key_events == 1 ? "its event" : "its events");
        if (why->key_events > 1)
            why_say(why, ": %" PRIu64 " of them, the last ", why->key_events);
        say_place(why, why->key_events == 1 ? ": " : "", &why->key_dropped_at, why->key_dropped_ms);
        return;
    }
    switch (best != NULL ? progress_of(best) : NOTHING) {
    case OPENED:
        say_opened(why, best);
        return;
    case WATCHED:
        why->moment_of = best;
        why_say_watched(why, best);
        return;
    case FOLDED:
        why_say(why,
                "rule %s: its events were folded: %" PRIu64 " repeat%s, %" PRIu64 " while flapping",
                best->rule->id, best->repeats, plural(best->repeats), best->flapping);
        break;
    case REACHED:
        why_say(why, "rule %s: it was told of %" PRIu64 " event%s of this key, and holds none",
                best->rule->id, best->reached, plural(best->reached));
        if (best->rule->form_kind == FORM_SEQUENCE)
            why_say(why, ": none of them was its first step, %s", best->rule->step[0].name);
        break;
    case FAILED:
        say_none_matches(why, best);
        break;
    case UNLISTED:
        why_say(why,
                "rule %s: its expect.keys does not list this key: %" PRIu64
                " sign%s of life of it counted for nothing",
                best->rule->id, best->unlisted, plural(best->unlisted));
        break;
    case UNHEARD:
        why_say(why, "rule %s is told of alerts that flap: none of this key does", best->rule->id);
        break;
    case NOTHING:
        if (above != NULL)
            why_say(why, "rule %s is told of incidents: no rule that it names had one of this key",
                    above->id);
        else
            why_say(why, "the events of this key are clears: nothing was open that they could end");
    }
    say_dropped(why);
    say_looked_at(why);
}

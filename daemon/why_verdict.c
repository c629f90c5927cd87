/*
 * why_verdict.c - the sentence that an answer ends in: the first thing that stopped what is asked
 * for, or what came of it. Here that of an incident; see why_parts.h.
 */
#include "daemon/why_say.h"

/* What holds an incident of a rule that is gone ends otherwise than that rule said. */
static void say_gone(struct why *why, const char *rule_id, int64_t at_ms)
{
    int64_t gone_ms = why_gone_since(why, rule_id, at_ms);

    if (gone_ms != INT64_MIN)
        why_say_time(why, "; its rule was taken out by the switch of rules at ", gone_ms);
}

static void judge_incident(struct why *why)
{
    const struct incident *first = why->incidents.count > 0 ? why->incidents.at[0] : NULL;
    const struct incident *latest = why->latest;

    if (first == NULL) {
        why_say(why, "no incident whose id begins with %s opens in this input",
                why->question.incident);
        return;
    }
    if (why->incident_count > 1) {
        why_say(why, "%zu incidents begin with %s:", why->incident_count, why->question.incident);
        for (size_t i = 0; i < why->incidents.count; i++)
            why_say_incident(why, i > 0 ? ", " : " ", why->incidents.at[i]->id);
        if (why->incident_count > why->incidents.count)
            why_say(why, ", ...");
        return;
    }
    why_say_time(why, "it opened at ", first->opened_ms);
    why_say(why, ": %s", first->why);
    if (latest != NULL && latest->change == INCIDENT_CLOSED) {
        why_say_time(why, "; it closed at ", latest->at_ms);
        why_say(why, ", %s", incident_cause_name(latest->cause));
        if (why_is_closed_by_expiry(why, first->id))
            why_say(why, ": its last open alert expired");
        say_gone(why, first->rule_id, latest->at_ms);
    } else {
        why_say(why, "; it is open at the end of the input");
        say_gone(why, first->rule_id, INT64_MAX);
    }
    why_say_mute(why, first->id);
}

void why_judge(struct why *why)
{
    why->verdict[0] = '\0';
    switch (why->question.subject) {
    case WHY_INCIDENT:
        judge_incident(why);
        break;
    case WHY_EVENT:
        why_judge_event(why);
        break;
    case WHY_KEY:
        why_judge_key(why);
        break;
    }
    why_words_mend(why->verdict);
}

/*
 * why_listed.c - keys that a rule waits for because it lists them, whether or not an event of
 * theirs ever came. See why_parts.h.
 */
#include <string.h>
#include "base/text.h"
#include "daemon/why_parts.h"

bool why_lists(const struct rule *rule, const struct text *values)
{
    for (uint32_t k = 0; k < rule->listed_count; k++) {
        const struct text *row = &rule->listed[(size_t)k * rule->by_count];
        uint32_t same = 0;
        while (same < rule->by_count && texts_equal(row[same], values[same]))
            same++;
        if (same == rule->by_count)
            return true;
    }
    return false;
}

static bool lists_asked(const struct why *why, const struct rule *rule)
{
    for (uint32_t k = 0; k < rule->listed_count; k++)
        if (why_key_is(rule, &rule->listed[(size_t)k * rule->by_count], why->question.key))
            return true;
    return false;
}

/* In force at the end of what counts. */
static const struct rule_set *last_set(const struct why *why)
{
    int64_t at_ms = why->question.at_ms < why->passed_ms ? why->question.at_ms : why->passed_ms;
    size_t at = 0;

    while (at + 1 < why->set_count && why->config->recovery.switch_ms[at] <= at_ms)
        at++;
    return why->sets[at];
}

const struct rule *why_listed_by(const struct why *why, const struct rule **other)
{
    const struct rule_set *rules = last_set(why);
    const struct rule *not_by = NULL, *by = NULL;

    for (uint32_t i = 0; by == NULL && i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        if (rule->listed_count == 0 || !why_asks_rule(why, rule))
            continue;
        if (lists_asked(why, rule))
            by = rule;
        else if (not_by == NULL)
            not_by = rule;
    }
    if (other != NULL)
        *other = by == NULL ? not_by : NULL;
    /* Nothing is waited for before the run begins. */
    return why->first_ms <= why->question.at_ms && why->first_ms != INT64_MAX ? by : NULL;
}

const struct rule *why_lists_still(const struct why *why, const struct rule *rule)
{
    const struct rule *now = why_rule_at_end(why, rule->id);

    return now != NULL && now->listed_count > 0 && lists_asked(why, now) ? now : NULL;
}

const struct rule *why_rule_at_end(const struct why *why, const char *rule_id)
{
    const struct rule_set *rules = last_set(why);

    for (uint32_t i = 0; i < rule_set_count(rules); i++)
        if (strcmp(rule_set_rule(rules, i)->id, rule_id) == 0)
            return rule_set_rule(rules, i);
    return NULL;
}

bool why_key_opened(const struct why *why)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (why->per_rule.at[i].opened_ms != INT64_MIN)
            return true;
    return false;
}

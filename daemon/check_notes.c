/* check_notes.c - see check_notes.h. */
#include "daemon/check_notes.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "rules/mute.h"
#include "rules/mute_reach.h"
#include "rules/value.h"
#include "rules/wildcards.h"

/* A year, with some days to spare. Of all calendars so many ends are followed; those beyond are
 * taken on trust. */
#define ALWAYS_MS ((int64_t)400 * 86400000)
enum { ENDS_MAX = 3000, SENTENCE_BYTES = 600 };

struct notes {
    const struct rule_set *rules;
    int64_t now_ms;
    int ends_left;
    void (*each)(void *self, const char *sentence);
    void *self;
};

static void __attribute__((format(printf, 2, 3)))
note(const struct notes *notes, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    notes->each(notes->self, sentence);
}

/* ---- rules ---- */

/* What does not come is what an absence opens by. */
static void note_dropped(const struct notes *notes, const struct rule *rule)
{
    if (rule->dropped_by == NULL)
        return;
    if (rule->form_kind != FORM_EXPECT)
        note(notes,
             "rule %s never opens: enrich step %s drops all events that its `where` asks for",
             rule->id, rule->dropped_by);
    else if (rule->listed_count > 0)
        note(notes,
             "rule %s misses every key that it lists, whether it is silent or not: enrich step %s "
             "drops all signs of life that its `where` asks for",
             rule->id, rule->dropped_by);
    else
        note(notes,
             "rule %s learns no key, and misses all that it waits for already: enrich step %s "
             "drops all signs of life that its `where` asks for",
             rule->id, rule->dropped_by);
}

static void note_wildcard(const struct notes *notes, const struct rule *rule)
{
    char sentence[WILDCARD_BYTES];

    if (wildcard_find(rule, sentence))
        note(notes, "rule %s %s", rule->id, sentence);
}

/* Only these are true of `close`. */
static bool closes_with(const struct rule *rule, int64_t quiet_ms, bool is_cleared, uint32_t fewer)
{
    double last[RULE_LAST_MAX];
    struct rule_closing closing = {.quiet_ms = quiet_ms, .cleared = is_cleared, .last = last};

    for (size_t i = 0; i < RULE_LAST_MAX; i++)
        last[i] = NAN;
    for (uint32_t i = 0; i < rule->fewer_count; i++)
        closing.fewer[i] = (fewer >> i & 1) != 0;
    return rule_close_holds(rule, &closing);
}

/* The fewest entries at which a `when` of nothing but count() opens; 0: it is another. */
static int64_t fewest_of(const struct rule *rule)
{
    int64_t value[RULE_AGGREGATES_MAX] = {0};

    if (rule->form_kind != FORM_WINDOW || rule->looks_at_end || rule->aggregate_count != 1 ||
        rule->aggregate[0].kind != AGGREGATE_COUNT)
        return 0;
    for (value[0] = 1; value[0] < rule->fewer_touches_max; value[0]++)
        if (rule_when(rule, value))
            return value[0];
    return 0;
}

/* Of two thresholds the one that ends is to be the lower. */
static void note_thresholds(const struct notes *notes, const struct rule *rule)
{
    int64_t opens = rule->fewer_count > 0 ? fewest_of(rule) : 0;
    char time[DURATION_TEXT_BYTES];

    for (uint32_t i = 0; opens > 0 && i < rule->fewer_count; i++) {
        const struct rule_fewer *fewer = &rule->fewer[i];
        if (fewer->touches <= opens || !closes_with(rule, 0, false, 1u << i))
            continue;
        time[duration_print(fewer->ms, time)] = '\0';
        note(notes,
             "rule %s opens at %lld and closes at fewer than %u in %s: those that open it are too "
             "few "
             "to keep it open, so it closes %s later unless more come, and opens anew; the number "
             "in "
             "fewer() is meant to be the smaller",
             rule->id, (long long)opens, (unsigned)fewer->touches, time, time);
        return;
    }
}

/* Nothing joins an incident of what does not come, so quiet() and fewer() count from its opening.
 */
static void note_given_up(const struct notes *notes, const struct rule *rule)
{
    int64_t least = INT64_MAX;
    char time[DURATION_TEXT_BYTES], every[DURATION_TEXT_BYTES];

    if (rule->form_kind != FORM_EXPECT)
        return;
    for (uint32_t i = 0; i < rule->quiet_count; i++)
        if (rule->quiet_ms[i] < least && closes_with(rule, rule->quiet_ms[i], false, 0))
            least = rule->quiet_ms[i];
    for (uint32_t i = 0; i < rule->fewer_count; i++)
        if (rule->fewer[i].ms < least && closes_with(rule, 0, false, 1u << i))
            least = rule->fewer[i].ms;
    if (least == INT64_MAX)
        return;
    time[duration_print(least, time)] = '\0';
    every[duration_print(rule->every_ms, every)] = '\0';
    if (!closes_with(rule, 0, true, 0))
        note(
            notes,
            "rule %s closes by time alone: %s after it opened, whether a sign of life came or not; "
            "write cleared(), or cleared() || quiet(7d) to give a key up that stays silent",
            rule->id, time);
    else if (least < rule->every_ms)
        note(notes,
             "rule %s gives a silent key up %s after it missed it, sooner than it misses one "
             "(every %s): its incident closes while the key is still missing%s",
             rule->id, time, every,
             rule->listed_count > 0 ? ", and the next opens when it is due again"
                                    : ", and it is forgotten until it shows a sign of life");
}

/* ---- mutes ---- */

static void note_unequal(const struct notes *notes, uint32_t index)
{
    const struct mute *mute = rule_set_mute(notes->rules, index);
    const char *name = mute->kind == MUTE_INHIBIT && mute->equal_count <= 1
                           ? mute_reach_shared(notes->rules, index)
                           : NULL;

    if (name != NULL)
        note(
            notes,
            "%s: inhibit %s has no `equal`: while any incident of its source is open, whatever its "
            "%s, it mutes targets of every %s; equal: [%s] holds it to the same one",
            mute->place, mute->id, name, name, name);
}

/* Each opening reaches up to the next. */
static bool is_always_open(struct notes *notes, const struct calendar *calendar)
{
    struct calendar_state state = calendar_at(calendar, notes->now_ms);
    int64_t from = state.is_open ? notes->now_ms : state.until_ms, at = from;

    while (at - from < ALWAYS_MS) {
        if (from > INT64_MAX - ALWAYS_MS || notes->ends_left-- <= 0)
            return false;
        state = calendar_at(calendar, at);
        if (!state.is_open || state.until_ms <= at)
            return false;
        at = state.until_ms;
    }
    return true;
}

static void note_always_open(struct notes *notes, const struct mute *mute)
{
    const struct calendar *calendar = mute->calendar;
    char length[DURATION_TEXT_BYTES];

    /* Whoever writes intervals for all of the week means it. */
    if (mute->kind != MUTE_MAINTENANCE || calendar->intervals != NULL || !calendar->recurs ||
        !is_always_open(notes, calendar))
        return;
    length[duration_print(calendar->duration_ms, length)] = '\0';
    note(notes,
         "%s: maintenance %s is open without a break for more than a year: each opening, %s long, "
         "reaches up to the next, so nobody is told of what it matches",
         mute->place, mute->id, length);
}

void check_notes(const struct rule_set *rules, int64_t now_ms, bool looks_at_mutes,
                 void (*each)(void *self, const char *sentence), void *self)
{
    struct notes notes = {
        .rules = rules, .now_ms = now_ms, .ends_left = ENDS_MAX, .each = each, .self = self};

    if (rule_set_passed_over(rules) != NULL)
        note(&notes, "%s is not read: of a folder those files are that end with .yaml",
             rule_set_passed_over(rules));
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        note_dropped(&notes, rule);
        note_wildcard(&notes, rule);
        note_thresholds(&notes, rule);
        note_given_up(&notes, rule);
    }
    for (uint32_t i = 0; i < rule_set_mute_count(rules); i++) {
        if (looks_at_mutes)
            note_unequal(&notes, i);
        note_always_open(&notes, rule_set_mute(rules, i));
    }
}

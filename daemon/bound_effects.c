/* bound_effects.c - see bound_effects.h. */
#include "daemon/bound_effects.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/plural.h"
#include "daemon/rules_preview.h"
#include "daemon/units.h"

#define GONE                                                                                       \
    "watched no more: what closes it comes for it no longer, and it stays open where it was sent"

/* -1: it is none that is known. */
static int64_t bound_of(const struct running_rule *rule, unsigned setting)
{
    const char *text = rule->setting != NULL ? rule->setting[setting].text : NULL;
    struct error ignored;
    int64_t bound;

    return text != NULL && unit_parse_count(text, &bound, &ignored) == 0 ? bound : -1;
}

/* Those of steps and of absence hold nothing that max_members bounds. */
static bool has_windows(const struct running_rule *rule)
{
    for (uint32_t i = 0; i < rule->shape.count; i++)
        if (strcmp(rule->shape.at[i].key, "when") == 0)
            return true;
    return false;
}

static bool is_lower(const struct running_rule *now, const struct running_rule *next,
                     unsigned setting)
{
    const int64_t after = bound_of(next, setting);

    return after > 0 && bound_of(now, setting) > after;
}

void bound_effects_find(const struct running_rule *now, const struct running_rule *next,
                        struct preview_row *row)
{
    const int64_t after = bound_of(next, SETTING_MAX_KEYS);

    row->is_members_lower = has_windows(next) && is_lower(now, next, SETTING_MAX_MEMBERS);
    /* A list of keys has max_keys rows at most, and is there before the bound looks. */
    row->is_bound_lower = !list_is_of(next) && is_lower(now, next, SETTING_MAX_KEYS);
    if (!row->is_bound_lower || row->keys <= (uint64_t)after)
        return;
    row->keys_above = row->keys - (uint64_t)after;
    /* Those with an open incident go last (semantics of `max_keys`, docs/correlation.md). */
    row->open_above = row->open > (uint64_t)after ? row->open - (uint64_t)after : 0;
}

/* What the terms of the engine do to a rule is for its input to say. */
static void note_input(struct preview_row *row, enum rule_input input)
{
    switch (input) {
    case RULE_INPUT_ALERTS:
    case RULE_INPUT_EVENTS:
        row->is_of_alerts = row->open > 0;
        row->is_calmed = row->state == PREVIEW_CARRIES_ON;
        break;
    case RULE_INPUT_FLAPPING:
        row->is_of_alerts = row->is_of_flapping = row->open > 0;
        break;
    case RULE_INPUT_ALL: /* it waits for signs of life, which flap and expire for nobody */
    case RULE_INPUT_INCIDENTS:
        break;
    }
}

static void find_input(struct preview_row *row, const struct rule_set *set)
{
    for (uint32_t i = 0; i < rule_set_count(set); i++)
        if (strcmp(rule_set_rule(set, i)->id, row->rule_id) == 0)
            note_input(row, rule_set_rule(set, i)->input);
}

void bound_effects_count(const struct rules_running *running, const struct rule_set *set,
                         struct rules_preview *preview)
{
    preview->alerts = running->alerts;
    preview->flapping = running->flapping;
    for (size_t i = 0; i < preview->count; i++) {
        struct preview_row *row = &preview->rows[i];
        find_input(row, set);
        preview->open_of_alerts += row->is_of_alerts ? row->open : 0;
        preview->open_of_flapping += row->is_of_flapping ? row->open : 0;
    }
}

static bool keys_sentence(const struct rules_preview *preview, const struct preview_row *row,
                          char sentence[BOUND_SENTENCE_BYTES])
{
    static const char order[] = "first those without an open incident, then those that nothing "
                                "came for the longest";

    sentence[0] = '\0';
    if (!row->is_bound_lower || (preview->is_counted && row->keys_above == 0))
        return false;
    if (!preview->is_counted)
        snprintf(
            sentence, BOUND_SENTENCE_BYTES,
            "keys beyond the new max_keys are given up, %s; an open incident among them is " GONE,
            order);
    else if (row->open_above == 0)
        snprintf(sentence, BOUND_SENTENCE_BYTES,
                 "%" PRIu64 " of %" PRIu64 " key%s %s beyond the new max_keys and given up, %s: "
                 "none with an open incident",
                 row->keys_above, row->keys, plural(row->keys), row->keys_above == 1 ? "is" : "are",
                 order);
    else
        snprintf(sentence, BOUND_SENTENCE_BYTES,
                 "%" PRIu64 " of %" PRIu64 " key%s %s beyond the new max_keys and given up, %s: "
                 "%" PRIu64 " with an open incident, which is " GONE,
                 row->keys_above, row->keys, plural(row->keys), row->keys_above == 1 ? "is" : "are",
                 order, row->open_above);
    return true;
}

bool bound_sentence_of_row(const struct rules_preview *preview, const struct preview_row *row,
                           char sentence[BOUND_SENTENCE_BYTES])
{
    const bool is_of_keys = keys_sentence(preview, row, sentence);
    const size_t used = strlen(sentence);

    /* What watches may hold more; who has an open incident holds no window. */
    if (!row->is_members_lower || (preview->is_counted && row->keys <= row->open))
        return is_of_keys;
    snprintf(sentence + used, BOUND_SENTENCE_BYTES - used,
             "%sa window that holds more entries than the new max_members stays as full, and gives "
             "one up for each that comes; an open incident goes by the former bound",
             is_of_keys ? "; " : "");
    return true;
}

static bool is_key(const struct terms_change *change, const char *key)
{
    return strcmp(change->key, key) == 0;
}

/* Alerts beyond the new bound, -1 where they are not known; 0: none, or it is not smaller. */
static int64_t alerts_above(const struct rules_preview *preview, const struct terms_change *change)
{
    struct error ignored;
    int64_t from, to;

    if (!is_key(change, "engine.alerts.max") ||
        unit_parse_count(change->from, &from, &ignored) != 0 ||
        unit_parse_count(change->to, &to, &ignored) != 0 || to >= from)
        return 0;
    if (preview->alerts < 0)
        return -1;
    return preview->alerts > to ? preview->alerts - to : 0;
}

static bool is_shorter(const struct terms_change *change)
{
    struct error ignored;
    int64_t from, to;

    return is_key(change, "engine.expire") &&
           unit_parse_duration(change->from, &from, &ignored) == 0 &&
           unit_parse_duration(change->to, &to, &ignored) == 0 && to < from;
}

/* May an alert that flaps come to rest by it? Which changes begin flapping says nothing of one that
 * has begun (docs/correlation.md, Terms). */
static bool is_calmer(const struct terms_change *change)
{
    struct error ignored;
    int64_t from, to;

    if (is_key(change, "engine.flap.window"))
        return unit_parse_duration(change->from, &from, &ignored) == 0 &&
               unit_parse_duration(change->to, &to, &ignored) == 0 && to < from;
    return is_key(change, "engine.flap.stop") &&
           unit_parse_count(change->from, &from, &ignored) == 0 &&
           unit_parse_count(change->to, &to, &ignored) == 0 && to > from;
}

enum { OPEN_BYTES = 80 };

static void print_open(const struct rules_preview *preview, uint64_t open, const char *of,
                       char to[OPEN_BYTES])
{
    if (preview->is_counted)
        snprintf(to, OPEN_BYTES, "of %" PRIu64 " open incident%s%s", open, plural(open), of);
    else
        snprintf(to, OPEN_BYTES, "of open incidents%s", of);
}

/* What flaps is told to rules on flapping, and to no other until it is over. */
static bool print_calmer(const struct rules_preview *preview, char sentence[BOUND_SENTENCE_BYTES])
{
    char open[OPEN_BYTES], now[80] = "";

    if (preview->flapping == 0)
        return false;
    print_open(preview, preview->open_of_flapping, " on flapping", open);
    if (preview->flapping > 0)
        snprintf(now, sizeof(now), " (%" PRId64 " alert%s flap%s now)", preview->flapping,
                 plural((uint64_t)preview->flapping), preview->flapping == 1 ? "s" : "");
    snprintf(sentence, BOUND_SENTENCE_BYTES,
             "an alert that does not flap by this any more stops at once%s: %s those that only "
             "such alerts hold close; rules on alerts and on events, which heard nothing of it "
             "meanwhile, are told what it is by then: an incident of theirs may close, or open, "
             "and page",
             now, open);
    return true;
}

bool bound_sentence_of_terms(const struct rules_preview *preview, const struct terms_change *change,
                             char sentence[BOUND_SENTENCE_BYTES])
{
    const int64_t above = alerts_above(preview, change);
    char open[OPEN_BYTES], count[80] = "";

    if (is_calmer(change))
        return print_calmer(preview, sentence);
    if (preview->is_counted && preview->open_of_alerts == 0)
        return false;
    print_open(preview, preview->open_of_alerts, "", open);
    if (is_shorter(change)) {
        snprintf(sentence, BOUND_SENTENCE_BYTES,
                 "an alert of which nothing was heard for %s is over at once: %s those that only "
                 "such alerts hold close, and open, and page, anew with the next repeat",
                 change->to, open);
        return true;
    }
    if (above == 0)
        return false;
    if (above > 0)
        snprintf(count, sizeof(count), "%" PRId64 " of %" PRId64 " ", above, preview->alerts);
    snprintf(
        sentence, BOUND_SENTENCE_BYTES,
        "%salerts beyond the new bound are given up, those that were silent the longest first: "
        "%s one that such an alert was in may be " GONE,
        count, open);
    return true;
}

bool bound_effects_reopen(const struct rules_preview *preview, const struct preview_row *row)
{
    /* Which rules an alert that flaps is of is not known. */
    const bool may_be_told = row->is_of_flapping || (row->is_calmed && preview->flapping != 0);

    for (size_t i = 0; i < preview->term_count; i++)
        if ((row->is_of_alerts && is_shorter(&preview->terms[i])) ||
            (may_be_told && is_calmer(&preview->terms[i])))
            return true;
    return false;
}

bool bound_effects_give_up(const struct rules_preview *preview, const struct preview_row *row)
{
    if (row->open_above > 0)
        return true;
    for (size_t i = 0; i < preview->term_count; i++)
        if (row->is_of_alerts && alerts_above(preview, &preview->terms[i]) != 0)
            return true;
    return false;
}

/* why_words.c - decisions as a person would say them. See why_parts.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/units.h"
#include "daemon/why_parts.h"

enum { NAME_SHOWN = 120, TESTS_SHOWN = 8, TEST_BYTES = 1200 };

char *why_format(const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    va_end(args);
    return text;
}

const char *why_time(const struct why *why, int64_t ms, char to[WHY_TIME_BYTES])
{
    const struct why_names *names = why->question.names;

    if (names != NULL) {
        names->put_time(names->self, ms, to);
        return to;
    }
    _Static_assert((int)WHY_TIME_BYTES >= (int)UNIT_TEXT_BYTES, "a time fits");
    return unit_format_time(ms, to);
}

const char *why_place_print(const struct why *why, const struct why_place *place,
                            char to[WHY_PLACE_BYTES])
{
    const struct why_names *names = why->question.names;

    if (names != NULL && place->partition >= 0) {
        names->put_place(names->self, place->partition, place->offset, to);
        return to;
    }
    snprintf(to, WHY_PLACE_BYTES, "%s/%" PRId32 "/%" PRId64 "/%" PRIu32, place->topic,
             place->partition, place->offset, place->sub);
    return to;
}

void why_words_mend(char *text)
{
    size_t end = strlen(text), lead = end;

    while (lead > 0 && ((unsigned char)text[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead == 0)
        return;
    unsigned char first = (unsigned char)text[lead - 1];
    size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    if (end - lead + 1 < bytes)
        text[lead - 1] = '\0';
}

static int shown(struct text text)
{
    uint32_t len = text.len;

    if (len > NAME_SHOWN) {
        len = NAME_SHOWN;
        while (len > 0 && ((unsigned char)text.at[len] & 0xC0) == 0x80)
            len--;
    }
    return (int)len;
}

/* "db01/sda disk.full (prometheus)", behind its tenant where that is not the one of all. */
char *why_words_alert(const struct event_text *text)
{
    struct text key = event_text_field(text, FIELD_DEDUP_KEY);
    struct text resource = event_text_field(text, FIELD_RESOURCE);
    struct text check = event_text_field(text, FIELD_CHECK);
    struct text source = event_text_field(text, FIELD_SOURCE);
    struct text tenant = event_text_field(text, FIELD_TENANT);
    const char *colon = ": ";

    if (text_equals(tenant, "default")) {
        tenant.len = 0;
        colon = "";
    }
    if (text->of_incident)
        return why_format("%.*s%sincident %.*s of rule %.*s", shown(tenant), tenant.at, colon,
                          shown(key), key.at, shown(check), check.at);
    if (key.len > 0)
        return why_format("%.*s%skey \"%.*s\"", shown(tenant), tenant.at, colon, shown(key),
                          key.at);
    return why_format("%.*s%s%.*s%s%.*s%s%.*s%s", shown(tenant), tenant.at, colon, shown(resource),
                      resource.at, resource.len > 0 && check.len > 0 ? " " : "", shown(check),
                      check.at, source.len > 0 ? " (" : "", shown(source), source.at,
                      source.len > 0 ? ")" : "");
}

char *why_words_received(const struct why *why, const struct trace_receipt *receipt)
{
    const struct event *ev = receipt->event;
    char time[WHY_TIME_BYTES], span[UNIT_TEXT_BYTES], *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (to == NULL)
        return why_format("out of memory");
    fprintf(to, "received: log time %s", why_time(why, receipt->log_ms, time));
    if (ev->ts_ms != receipt->log_ms)
        fprintf(to, ", own time %s", why_time(why, ev->ts_ms, time));
    if ((ev->flags & EVENT_CLAMPED) != 0)
        fputs(", which is too far from the log time to be trusted: the log time counts", to);
    if (ev->et_ms > receipt->trusted_ms) {
        fprintf(to, ", counts %s later: ", unit_format_span(ev->et_ms - receipt->trusted_ms, span));
        if ((ev->flags & EVENT_LATE_BY_SEAL) != 0)
            fputs("the clock had closed its time", to);
        else
            fprintf(to, "newer ones came before it, by more than the disorder of %s",
                    unit_format_span(receipt->disorder_ms, span));
    }
    fclose(to);
    return text;
}

static const char *counted_words(const struct trace_decision *decision)
{
    if (decision->flapping && decision->counted == TRACE_DUPLICATE)
        return "; the alert is flapping, its rules are told nothing";
    if (decision->counted == TRACE_UNMATCHED)
        return decision->event->state == EVENT_CLEAR ? "; no rule had matched it"
                                                     : "; no rule matches it";
    if (decision->counted == TRACE_DUPLICATE)
        return "; its rules are told nothing";
    return "";
}

char *why_words_decided(const struct why *why, const struct trace_decision *decision,
                        const char *alert)
{
    static const char *const words[] = {
        [TRACE_CLEAR_OF_NONE] = "a clear without an alert: none is open of",
        [TRACE_NEW] = "a new alert of",
        [TRACE_REFIRED] = "the cleared alert is open again:",
        [TRACE_REPEATED] = "a repeat of",
        [TRACE_CHANGED] = "other severity or labels than before:",
        [TRACE_CLEARED] = "clears",
        [TRACE_CLEAR_OF_CLOSED] = "a clear again, it has cleared already:",
    };
    char calm[WHY_TIME_BYTES];
    if (decision->outcome == TRACE_DROPPED)
        return why_format("%s: enrich %s drops %s%s",
                          severity_name((enum severity)decision->event->severity),
                          decision->dropped_by,
                          decision->event->state == EVENT_CLEAR ? "the clear of " : "", alert);
    const char *counted = decision->outcome == TRACE_CLEAR_OF_NONE ? "" : counted_words(decision);

    return why_format(
        "%s: %s %s%s%s%s", severity_name((enum severity)decision->event->severity),
        words[decision->outcome], alert, counted,
        decision->flap_begun || decision->flapping
            ? decision->flap_begun ? "; it begins to flap, which ends at " : ", which ends at "
            : "",
        decision->flap_begun || decision->flapping ? why_time(why, decision->calm_ms, calm) : "");
}

char *why_words_made(const struct event *ev)
{
    struct text id = event_text_field(ev->text, FIELD_DEDUP_KEY);
    struct text rule = event_text_field(ev->text, FIELD_CHECK);
    struct text message = event_text_field(ev->text, FIELD_MESSAGE);

    if ((ev->flags & EVENT_OF_INCIDENT) == 0)
        return why_format("tocsin says of itself: %.*s", shown(message), message.at);
    return why_format("made of incident %.*s of rule %.*s, which had %s: %.*s", shown(id), id.at,
                      shown(rule), rule.at,
                      (ev->flags & EVENT_LAST_WORD) != 0 ? "lost its key to a bound"
                      : ev->state == EVENT_CLEAR         ? "closed"
                                                         : "opened or got worse",
                      shown(message), message.at);
}

static char *touched_words(const struct trace_touch *touch, const char *alert)
{
    static const char *const kinds[] = {
        [TOUCH_BEAT] = "takes as a sign of life",
        [TOUCH_RAISE] = "counts",
        [TOUCH_MOVE] = "counts",
        [TOUCH_CHANGE] = "counts as changed",
        [TOUCH_REPEAT] = "counts the repeat of",
        [TOUCH_CLEAR] = "hears the end of",
        [TOUCH_EVICT] = "loses",
    };
    const char *kind = kinds[touch->touch->kind];
    char id[ID128_TEXT_BYTES];

    id128_format(touch->incident, id);
    switch (touch->fate) {
    case TRACE_NO_KEY:
        if (touch->touch->kind == TOUCH_BEAT && touch->rule->listed_count > 0)
            return why_format("rule %s does not list the key of %s: the sign of life counts for "
                              "nothing",
                              touch->rule->id, alert);
        return why_format("rule %s %s %s, and holds nothing of it", touch->rule->id, kind, alert);
    case TRACE_WATCHED:
        return why_format("rule %s %s %s%s%s%s", touch->rule->id, kind, alert,
                          touch->state[0] != '\0' ? ": " : "", touch->state,
                          touch->evicted > 0 ? "; one of max_members had to go" : "");
    case TRACE_OPENED:
        return why_format("rule %s %s %s, and opens incident %s", touch->rule->id, kind, alert, id);
    case TRACE_JOINED:
        return why_format("%s joins incident %s of rule %s", alert, id, touch->rule->id);
    case TRACE_LEFT:
        return why_format(
            "%s is no longer open in incident %s of rule %s%s", alert, id, touch->rule->id,
            touch->touch->kind == TOUCH_EVICT ? ": it was evicted, engine.alerts.max is reached"
                                              : "");
    case TRACE_IGNORED:
        return why_format("%s is not open in incident %s of rule %s: nothing changes", alert, id,
                          touch->rule->id);
    case TRACE_CLOSED:
        if (touch->touch->kind == TOUCH_BEAT)
            return why_format("rule %s %s %s, and closes incident %s", touch->rule->id, kind, alert,
                              id);
        if (touch->touch->kind <= TOUCH_REPEAT)
            return why_format("%s joins incident %s of rule %s, and closes it by its number", alert,
                              id, touch->rule->id);
        break;
    }
    return why_format("%s is no longer open in incident %s of rule %s, which closes", alert, id,
                      touch->rule->id);
}

/* The incident is one of before a reload: why the rule as it is opens none. */
static char *former_words(char *words, int64_t until_ms)
{
    char time[UNIT_TEXT_BYTES];
    char *text = why_format(
        "%s; the rule as it was before the switch of rules at %s holds the key until that "
        "incident closes",
        words, unit_format_time(until_ms, time));

    free(words);
    return text;
}

char *why_words_touched(const struct trace_touch *touch, const char *alert, int64_t expire_ms)
{
    char span[UNIT_TEXT_BYTES];
    char *words = touched_words(touch, alert);

    if (touch->former_until_ms != INT64_MIN && touch->fate != TRACE_CLOSED)
        words = former_words(words, touch->former_until_ms);
    if (expire_ms == 0)
        return words;
    char *text = why_format("%s; the alert has expired: nothing came for it for %s", words,
                            unit_format_duration(expire_ms, span));
    free(words);
    return text;
}

char *why_words_tests(const struct explanation *explanation)
{
    char *text = NULL, one[TEST_BYTES];
    size_t bytes = 0;
    uint32_t said = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (to == NULL)
        return why_format("out of memory");
    for (uint32_t i = 0; i < explanation->count; i++) {
        if (!explanation->test[i].decides)
            continue;
        if (said++ == TESTS_SHOWN)
            break;
        explained_test_print(&explanation->test[i], one, sizeof(one));
        fprintf(to, "%s%s", said > 1 ? "; " : "", one);
    }
    if (said > TESTS_SHOWN || explanation->left_out > 0)
        fputs("; ...", to);
    fclose(to);
    return text;
}

char *why_words_change(const struct incident *incident)
{
    static const char *const causes[] = {
        [CAUSE_RULE] = "",
        [CAUSE_SEVERITY] = "a worse severity has joined",
        [CAUSE_GREW] = "its alerts have doubled",
        [CAUSE_QUIET] = "it has been quiet for as long as the rule asks",
        [CAUSE_CLEARED] = "the last of its open alerts has cleared or expired, and `close` holds",
        [CAUSE_FEWER] = "less has come for it than the rule asks for",
        [CAUSE_VALUE] = "a number came in with which its rule closes it",
        [CAUSE_UNLISTED] = "the rule lists its key no more",
        [CAUSE_EVICTED] = "it is no longer watched, a bound was reached",
        [CAUSE_UNMUTED] = "nothing mutes it any more",
        [CAUSE_ACKNOWLEDGED] = "somebody has taken it on",
        [CAUSE_BY_HAND] = "somebody said that it is over",
    };
    char id[ID128_TEXT_BYTES];
    const char *priority = priority_name((enum priority)incident->priority);

    id128_format(incident->id, id);
    if (incident->change == INCIDENT_OPENED)
        return why_format("incident %s of rule %s opens, %s%s%s: %s", id, incident->rule_id,
                          priority, priority[0] != '\0' ? " " : "",
                          severity_name((enum severity)incident->severity), incident->why);
    return why_format("incident %s of rule %s %s: %s; alerts that joined it: %u, still open: %u; "
                      "their beginnings, changes, repeats and ends: %" PRIu64,
                      id, incident->rule_id,
                      incident->change == INCIDENT_UPDATED ? "is updated" : "closes",
                      (size_t)incident->cause < sizeof(causes) / sizeof(causes[0]) &&
                              causes[incident->cause] != NULL
                          ? causes[incident->cause]
                          : incident_cause_name(incident->cause),
                      incident->alert_count, incident->open_count, incident->event_count);
}

/*
 * bounds_heard.c - see bounds_heard.h.
 *
 * The set is asked of such an event, of each of its rules in turn: a rule may take what is told of
 * one alone. A question may cost as much as any event does, so in a large set not all are asked of.
 */
#include "correlate/bounds_heard.h"

#include <assert.h>
#include <string.h>
#include "base/text.h"
#include "correlate/derived.h"
#include "correlate/text_buffer.h"

enum { ROOM_BYTES = 8192, MINUTE_MS = 60000 };

static bool is_heard(const struct rule_set *rules, enum derived_gone what, const char *rule_id)
{
    _Alignas(8) char room[ROOM_BYTES];
    struct event_draft draft = {
        .severity = SEVERITY_WARNING, .state = EVENT_PROBLEM, .has_time = true};
    struct event_view view = {.severity = SEVERITY_WARNING, .state = EVENT_PROBLEM};
    struct text_buffer message;
    uint32_t found;
    size_t bytes;

    text_begin(&message);
    derived_gone_message(&message, rule_id, what, 1, MINUTE_MS);
    derived_draft_fill(&draft, rule_id, derived_gone_check(what), message.at);
    bytes = event_text_bytes(&draft);
    assert(bytes <= sizeof(room));
    view.text = event_text_pack(room, bytes, &draft, 0);
    text_end(&message);
    return rule_set_match(rules, &view, &found, 1) > 0;
}

size_t bounds_unheard(const struct rule_set *rules, const char *unheard[BOUNDS_TOLD])
{
    static const enum derived_gone told[BOUNDS_TOLD] = {DERIVED_INCIDENTS, DERIVED_KEYS,
                                                        DERIVED_ENTRIES};
    size_t count = 0;

    for (size_t i = 0; i < BOUNDS_TOLD; i++) {
        bool any = false;
        for (uint32_t r = 0; r < rule_set_count(rules) && r < BOUNDS_ASKED_MAX && !any; r++)
            any = is_heard(rules, told[i], rule_set_rule(rules, r)->id);
        if (!any)
            unheard[count++] = derived_gone_check(told[i]);
    }
    return count;
}

/*
 * bounds_heard.c - see bounds_heard.h.
 *
 * The set is asked of such an event, of each of its rules in turn: a rule may take what is told of
 * one alone. A question may cost as much as any event does, so in a large set not all are asked of:
 * the first, and those whose ids stand in some condition, for a rule that takes what is told of one
 * alone has to name it.
 */
#include "correlate/bounds_heard.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "correlate/derived.h"
#include "correlate/quota_tell.h"
#include "correlate/shed.h"
#include "correlate/text_buffer.h"

enum {
    ROOM_BYTES = 8192,
    MINUTE_MS = 60000,
    TEXT_BYTES = 256,         /* of the message, or somewhat more */
    ASKING_NS_MAX = 30000000, /* of one kind that is told */
};

/* How many rules are asked of: two at least, the first and one that is named. */
static size_t most_asked(const struct rule_set *rules)
{
    uint64_t fitting = ASKING_NS_MAX / (rule_set_match_ns(rules, TEXT_BYTES) + 1) + 2;

    return fitting < 2 * BOUNDS_ASKED_MAX ? (size_t)fitting : 2 * BOUNDS_ASKED_MAX;
}

/* Of an event that comes once: none flaps for it, and a rule that waits for signs of life is
 * content with one. */
static bool opens_for_one(const struct rule *rule)
{
    return (rule->input == RULE_INPUT_ALERTS || rule->input == RULE_INPUT_EVENTS) &&
           rule->form_kind != FORM_EXPECT;
}

/* Room for `found` is as large as the set. */
static bool draft_is_heard(const struct rule_set *rules, const struct event_draft *draft,
                           uint32_t *found)
{
    _Alignas(8) char room[ROOM_BYTES];
    struct event_view view = {.severity = (uint8_t)draft->severity, .state = EVENT_PROBLEM};
    size_t bytes = event_text_bytes(draft), count;
    bool is_heard = false;

    assert(bytes <= sizeof(room));
    view.text = event_text_pack(room, bytes, draft, 0);
    count = rule_set_match(rules, &view, found, rule_set_count(rules));
    for (size_t i = 0; i < count && !is_heard; i++)
        is_heard = opens_for_one(rule_set_rule(rules, found[i]));
    return is_heard;
}

static bool is_heard(const struct rule_set *rules, enum derived_gone what, const char *rule_id,
                     uint32_t *found)
{
    struct event_draft draft = {
        .severity = SEVERITY_WARNING, .state = EVENT_PROBLEM, .has_time = true};
    struct text_buffer message;

    text_begin(&message);
    derived_gone_message(&message, rule_id, what, 1, MINUTE_MS);
    derived_draft_fill(&draft, rule_id, derived_gone_check(what), message.at);
    bool heard = draft_is_heard(rules, &draft, found);
    text_end(&message);
    return heard;
}

bool limit_is_heard(const struct rule_set *rules, const char *check, const char *const *resources,
                    size_t count)
{
    uint32_t *found = memory_alloc((rule_set_count(rules) + (size_t)1) * sizeof(*found));
    bool heard = false;

    for (size_t i = 0; i < count && !heard; i++) {
        struct event_label label = {text_of("partition"), text_of("events/0")};
        struct event_draft draft = {.labels = &label,
                                    .label_count = strcmp(check, QUOTA_CHECK) == 0,
                                    .severity = SEVERITY_MAJOR,
                                    .state = EVENT_PROBLEM,
                                    .has_time = true,
                                    .has_value = true,
                                    .value = 1};
        derived_draft_fill(&draft, resources[i], check, "");
        heard = draft_is_heard(rules, &draft, found);
    }
    free(found);
    return heard;
}

/* The rule of this id; the count of rules where there is none. They are in the order of ids. */
static uint32_t find(const struct rule_set *rules, const char *at, size_t bytes)
{
    uint32_t low = 0, high = rule_set_count(rules);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *id = rule_set_rule(rules, middle)->id;
        int order = strncmp(id, at, bytes);
        if (order == 0 && id[bytes] != '\0')
            order = 1;
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return rule_set_count(rules);
}

struct asked {
    uint32_t rule[2 * BOUNDS_ASKED_MAX];
    size_t count, most;
};

static void ask_of(struct asked *asked, uint32_t rule)
{
    for (size_t i = 0; i < asked->count; i++)
        if (asked->rule[i] == rule)
            return;
    asked->rule[asked->count++] = rule;
}

/* Those whose ids stand in quotes in a text. */
static void ask_of_named(const struct rule_set *rules, const char *text, struct asked *asked)
{
    for (const char *from = strpbrk(text, "\"'"), *to; from != NULL;
         from = strpbrk(to + 1, "\"'")) {
        to = strchr(from + 1, *from);
        if (to == NULL)
            return;
        uint32_t rule = find(rules, from + 1, (size_t)(to - from - 1));
        if (rule < rule_set_count(rules) && asked->count < asked->most)
            ask_of(asked, rule);
    }
}

static void choose(const struct rule_set *rules, struct asked *asked)
{
    uint32_t count = rule_set_count(rules);

    asked->count = 0;
    asked->most = most_asked(rules);
    for (uint32_t r = 0; r < count && r < asked->most / 2; r++)
        asked->rule[asked->count++] = r;
    for (uint32_t r = 0; asked->count < count && asked->count < asked->most && r < count; r++) {
        const struct rule *rule = rule_set_rule(rules, r);
        for (uint32_t i = 0; i < rule->shape_count; i++)
            ask_of_named(rules, rule->shape[i].text, asked);
    }
}

size_t bounds_unheard(const struct rule_set *rules, const char *unheard[BOUNDS_TOLD])
{
    static const enum derived_gone told[BOUNDS_TOLD] = {DERIVED_INCIDENTS, DERIVED_KEYS,
                                                        DERIVED_ENTRIES};
    uint32_t *found = memory_alloc((rule_set_count(rules) + (size_t)1) * sizeof(*found));
    struct asked asked;
    size_t count = 0;

    choose(rules, &asked);
    for (size_t i = 0; i < BOUNDS_TOLD; i++) {
        bool any = false;
        for (size_t r = 0; r < asked.count && !any; r++)
            any = is_heard(rules, told[i], rule_set_rule(rules, asked.rule[r])->id, found);
        if (!any)
            unheard[count++] = derived_gone_check(told[i]);
    }
    free(found);
    return count;
}

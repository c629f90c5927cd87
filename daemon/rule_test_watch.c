/*
 * rule_test_watch.c - see rule_test_watch.h.
 *
 * A test is small and a person reads what comes of it, so what is kept is short: of events that a
 * rule's `where` refused for one reason, the first and how many; of the keys that watched, the last
 * looks.
 */
#include "daemon/rule_test_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/plural.h"
#include "rules/explain.h"

enum { REASONS_MAX = 6, LOOKS_MAX = 6, LINE_BYTES = 700, NAME_BYTES = 200, KEYS_MAX = 256 };
#define ARENA_BYTES_MAX ((size_t)1 << 30)

/* Events that a `where` refused for the same reason. */
struct reason {
    char text[LINE_BYTES]; /* the reason alone */
    char first[NAME_BYTES + 64];
    uint64_t count;
};

struct asked_rule {
    struct reason reason[REASONS_MAX];
    uint32_t reason_count;
    uint64_t more; /* refused for yet other reasons */
    char look[LOOKS_MAX][LINE_BYTES];
    uint64_t look_count; /* the newest LOOKS_MAX of them are kept */
    struct near_key {
        const char *text;
        double near;
    } key[KEYS_MAX]; /* that it watched, the first of them */
    uint32_t key_count;
    const char *line[REASONS_MAX + LOOKS_MAX + 1];
    uint32_t line_count;
};

struct named_alert {
    struct id128 id;
    const char *name;
};

struct rule_test_watch {
    struct arena *arena;
    const struct rule_test *test;
    const struct rule_set *rules;
    const struct rule_test_source *source;
    struct asked_rule **asked; /* of each rule; NULL: not asked */
    struct named_alert *alert; /* open addressing; name NULL: free */
    uint32_t alert_count, alert_room;
    struct explanation explanation;
    struct engine_trace trace;
};

/* ---- names of alerts ---- */

static struct named_alert *alert_place(const struct rule_test_watch *watch, struct id128 id)
{
    uint32_t place = (uint32_t)id.hi & (watch->alert_room - 1);

    while (watch->alert[place].name != NULL && !id128_equal(watch->alert[place].id, id))
        place = (place + 1) & (watch->alert_room - 1);
    return &watch->alert[place];
}

static bool alerts_grow(struct rule_test_watch *watch)
{
    struct named_alert *old = watch->alert;
    uint32_t room = watch->alert_room;

    if (2 * (watch->alert_count + 1) <= room)
        return true;
    watch->alert = calloc(room == 0 ? 32 : 2 * (size_t)room, sizeof(*watch->alert));
    if (watch->alert == NULL) {
        watch->alert = old;
        return false;
    }
    watch->alert_room = room == 0 ? 32 : 2 * room;
    for (uint32_t i = 0; i < room; i++)
        if (old[i].name != NULL)
            *alert_place(watch, old[i].id) = old[i];
    free(old);
    return true;
}

static void name_print(const struct event_text *text, char *to, size_t bytes)
{
    struct text key = event_text_field(text, FIELD_DEDUP_KEY);
    struct text resource = event_text_field(text, FIELD_RESOURCE);
    struct text check = event_text_field(text, FIELD_CHECK);

    if (resource.len == 0 && check.len == 0)
        snprintf(to, bytes, "%.*s", (int)key.len, key.at);
    else
        snprintf(to, bytes, "%.*s%s%.*s", (int)resource.len, resource.at,
                 resource.len > 0 && check.len > 0 ? " " : "", (int)check.len, check.at);
}

static void name_keep(struct rule_test_watch *watch, const struct event *event)
{
    char name[NAME_BYTES];
    struct named_alert *place;

    if (!alerts_grow(watch))
        return; /* it stays without a name */
    place = alert_place(watch, event->fingerprint);
    if (place->name != NULL)
        return;
    name_print(event->text, name, sizeof(name));
    place->id = event->fingerprint;
    place->name = arena_copy(watch->arena, name, strlen(name));
    watch->alert_count += place->name != NULL;
}

const char *rule_test_watch_name(const struct rule_test_watch *watch, struct id128 alert)
{
    const char *name = watch->alert_room > 0 ? alert_place(watch, alert)->name : NULL;

    return name != NULL ? name : "";
}

/* ---- why a rule was not reached ---- */

static void reason_add(struct rule_test_watch *watch, struct asked_rule *asked,
                       const struct trace_decision *decision, const char *text)
{
    const struct rule_test_event *event =
        rule_test_source_event(watch->source, decision->partition, decision->event->offset);
    char name[NAME_BYTES], time[RULE_TEST_TIME_BYTES];
    struct reason *reason = asked->reason;

    while (reason < asked->reason + asked->reason_count && strcmp(reason->text, text) != 0)
        reason++;
    if (reason == asked->reason + REASONS_MAX) {
        asked->more++;
        return;
    }
    if (reason->count++ > 0)
        return;
    asked->reason_count++;
    snprintf(reason->text, sizeof(reason->text), "%s", text);
    name_print(decision->event->text, name, sizeof(name));
    rule_test_format_time(decision->event->et_ms - watch->test->settings.start_ms, time);
    if (event != NULL)
        snprintf(reason->first, sizeof(reason->first), "%s (line %" PRIu32 ", %s)", name,
                 rule_test_place(event->node->span).line, time);
    else
        snprintf(reason->first, sizeof(reason->first), "%s (%s)", name, time);
}

/* As rules see the event: after the steps of enrichment. */
static void on_decided(void *self, const struct trace_decision *decision)
{
    struct rule_test_watch *watch = self;
    const struct event *event = decision->event;
    struct event_view view = {event->text, event->severity, event->state, event->et_ms};
    bool is_incident = (event->flags & EVENT_OF_INCIDENT) != 0;
    char text[LINE_BYTES];

    name_keep(watch, event);
    for (uint32_t r = 0; watch->asked != NULL && r < rule_set_count(watch->rules); r++) {
        const struct rule *rule = rule_set_rule(watch->rules, r);
        const struct explained_test *test;
        if (watch->asked[r] == NULL || event->state != EVENT_PROBLEM ||
            is_incident != (rule->input == RULE_INPUT_INCIDENTS))
            continue;
        if (decision->outcome == TRACE_DROPPED) {
            snprintf(text, sizeof(text), "dropped by %s, as if it had not been sent",
                     decision->dropped_by);
            reason_add(watch, watch->asked[r], decision, text);
            continue;
        }
        rule_explain_where(rule, &view, &watch->explanation);
        test = explanation_cause(&watch->explanation);
        if (watch->explanation.truth == TRUTH_TRUE || test == NULL)
            continue;
        explained_test_print(test, text, sizeof(text));
        reason_add(watch, watch->asked[r], decision, text);
    }
}

/* ---- how far a rule was ---- */

/* "tenant=default host=db1" */
static void key_print(const struct trace_touch *touch, char *to, size_t bytes)
{
    size_t used = 0;

    to[0] = '\0';
    for (uint32_t i = 0; i < touch->rule->by_count && used < bytes; i++) {
        struct text value = key_text_value(touch->key, i);
        used += (size_t)snprintf(to + used, bytes - used, "%s%s=%.*s", i > 0 ? " " : "",
                                 touch->rule->by_name[i], (int)value.len, value.at);
    }
}

static void key_keep(struct rule_test_watch *watch, struct asked_rule *asked, const char *text,
                     double near)
{
    struct near_key *key = asked->key;

    while (key < asked->key + asked->key_count && strcmp(key->text, text) != 0)
        key++;
    if (key == asked->key + KEYS_MAX)
        return;
    if (key == asked->key + asked->key_count) {
        key->text = arena_copy(watch->arena, text, strlen(text));
        asked->key_count += key->text != NULL;
        key->near = near;
    }
    key->near = near > key->near ? near : key->near;
}

/* A step of a sequence that none of its keys waited for: what has to come first had not come. */
static void note_too_early(struct rule_test_watch *watch, struct asked_rule *asked,
                           const struct trace_touch *touch)
{
    const struct rule *rule = touch->rule;
    char time[RULE_TEST_TIME_BYTES];

    for (uint32_t i = 1; i < rule->step_count; i++) {
        if ((touch->touch->steps >> i & 1) == 0 || rule->step[i].is_negated)
            continue;
        rule_test_format_time(touch->touch->order.at_ms - watch->test->settings.start_ms, time);
        snprintf(asked->look[asked->look_count++ % LOOKS_MAX], LINE_BYTES,
                 "at %s came %s, and what comes first, %s, had not come", time, rule->step[i].name,
                 rule->step[0].name);
        return;
    }
}

static void on_touched(void *self, const struct trace_touch *touch)
{
    struct rule_test_watch *watch = self;
    struct asked_rule *asked = watch->asked != NULL ? watch->asked[touch->rule->index] : NULL;
    char time[RULE_TEST_TIME_BYTES], key[NAME_BYTES], *look;

    if (asked != NULL && touch->fate == TRACE_NO_KEY && touch->rule->form_kind == FORM_SEQUENCE &&
        touch->touch->kind <= TOUCH_REPEAT)
        note_too_early(watch, asked, touch);
    if (asked == NULL || touch->fate != TRACE_WATCHED || touch->key == NULL)
        return;
    look = asked->look[asked->look_count++ % LOOKS_MAX];
    rule_test_format_time(touch->touch->order.at_ms - watch->test->settings.start_ms, time);
    key_print(touch, key, sizeof(key));
    key_keep(watch, asked, key, touch->near);
    if (touch->state[0] != '\0')
        snprintf(look, LINE_BYTES, "at %s %s stood at %.400s", time, key, touch->state);
    else
        snprintf(look, LINE_BYTES, "at %s %s held nothing", time, key);
}

/* ---- telling ---- */

static void line_add(const struct rule_test_watch *watch, struct asked_rule *asked,
                     const char *text)
{
    asked->line[asked->line_count] = arena_copy(watch->arena, text, strlen(text));
    asked->line_count += asked->line[asked->line_count] != NULL;
}

static void lines_make(const struct rule_test_watch *watch, struct asked_rule *asked)
{
    uint64_t first = asked->look_count > LOOKS_MAX ? asked->look_count - LOOKS_MAX : 0;
    char line[LINE_BYTES + NAME_BYTES + 128];

    for (uint64_t l = first; l < asked->look_count; l++)
        line_add(watch, asked, asked->look[l % LOOKS_MAX]);
    for (uint32_t r = 0; r < asked->reason_count; r++) {
        const struct reason *reason = &asked->reason[r];
        char more[64] = "";
        if (reason->count > 1)
            snprintf(more, sizeof(more), " and %" PRIu64 " more like it", reason->count - 1);
        snprintf(line, sizeof(line), "%s%s: %s", reason->first, more, reason->text);
        line_add(watch, asked, line);
    }
    if (asked->more > 0) {
        snprintf(line, sizeof(line), "%" PRIu64 " more event%s for other reasons", asked->more,
                 plural(asked->more));
        line_add(watch, asked, line);
    }
}

const char *rule_test_watch_line(const struct rule_test_watch *watch, const char *rule_id,
                                 uint32_t i)
{
    for (uint32_t r = 0; watch->asked != NULL && r < rule_set_count(watch->rules); r++) {
        struct asked_rule *asked = watch->asked[r];
        if (asked == NULL || strcmp(rule_set_rule(watch->rules, r)->id, rule_id) != 0)
            continue;
        if (asked->line_count == 0)
            lines_make(watch, asked);
        return i < asked->line_count ? asked->line[i] : NULL;
    }
    return NULL;
}

const char *rule_test_watch_nearest(const struct rule_test_watch *watch, const char *rule_id,
                                    bool (*is_meant)(const void *self, const char *key),
                                    const void *self)
{
    const struct near_key *best = NULL;

    for (uint32_t r = 0; watch->asked != NULL && r < rule_set_count(watch->rules); r++) {
        const struct asked_rule *asked = watch->asked[r];
        if (asked == NULL || strcmp(rule_set_rule(watch->rules, r)->id, rule_id) != 0)
            continue;
        for (const struct near_key *key = asked->key; key < asked->key + asked->key_count; key++)
            if ((best == NULL || key->near > best->near) && is_meant(self, key->text))
                best = key;
    }
    return best != NULL ? best->text : NULL;
}

/* ---- life ---- */

struct rule_test_watch *rule_test_watch_create(const struct rule_test *test,
                                               const struct rule_set *rules, const bool *asked)
{
    struct arena *arena = arena_create(ARENA_BYTES_MAX);
    struct rule_test_watch *watch = arena != NULL ? arena_alloc(arena, sizeof(*watch)) : NULL;
    uint32_t count = rule_set_count(rules);
    bool is_good = watch != NULL;

    if (is_good) {
        watch->arena = arena;
        watch->test = test;
        watch->rules = rules;
        watch->trace =
            (struct engine_trace){.self = watch, .decided = on_decided, .touched = on_touched};
    }
    if (is_good && asked != NULL) {
        watch->asked = arena_alloc_many(arena, (size_t)count + 1, sizeof(struct asked_rule *));
        is_good = watch->asked != NULL;
    }
    for (uint32_t r = 0; is_good && asked != NULL && r < count; r++)
        if (asked[r])
            is_good = (watch->asked[r] = arena_alloc(arena, sizeof(struct asked_rule))) != NULL;
    if (is_good)
        return watch;
    arena_destroy(arena);
    return NULL;
}

void rule_test_watch_begin(struct rule_test_watch *watch, const struct rule_test_source *source)
{
    watch->source = source;
}

const struct engine_trace *rule_test_watch_trace(const struct rule_test_watch *watch)
{
    return &watch->trace;
}

void rule_test_watch_destroy(struct rule_test_watch *watch)
{
    if (watch == NULL)
        return;
    free(watch->alert);
    arena_destroy(watch->arena);
}

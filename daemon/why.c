/* why.c - passes, and what is found in the first. See why.h. */
#include "daemon/why.h"

#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "daemon/why_parts.h"

enum { INCIDENTS_KEPT = 8, ALERTS_MAX = 4096 };

/* --- small things ------------------------------------------------------------------------ */

const char *why_topic(struct why *why, const char *topic)
{
    for (size_t i = 0; i < why->words.count; i++)
        if (strcmp(why->words.at[i], topic) == 0)
            return why->words.at[i];
    char *copy = memory_alloc(strlen(topic) + 1);
    strcpy(copy, topic);
    vector_add(&why->words) = copy;
    return copy;
}

bool why_asks_rule(const struct why *why, const struct rule *rule)
{
    const struct why_question *question = &why->question;

    return (question->rule == NULL || strcmp(question->rule, rule->id) == 0) &&
           (question->subject != WHY_KEY || why_names_fit(rule, question->key));
}

/* Over a switch a rule is the same as long as what it counts is: its keys go on. */
struct why_rule *why_rule_of(struct why *why, const struct rule *rule)
{
    for (size_t i = 0; i < why->per_rule.count; i++)
        if (why->per_rule.at[i].rule == rule)
            return &why->per_rule.at[i];
    for (size_t i = 0; why->set_count > 1 && i < why->per_rule.count; i++) {
        struct why_rule *known = &why->per_rule.at[i];
        if (strcmp(known->rule->id, rule->id) != 0 || !id128_equal(known->rule->form, rule->form))
            continue;
        known->rule = rule;
        return known;
    }
    struct why_rule *of = &vector_add(&why->per_rule);
    memset(of, 0, sizeof(*of));
    of->rule = rule;
    of->opened_ms = of->closed_ms = of->since_ms = of->emptied_ms = INT64_MIN;
    of->now.ended_ms = of->now.opened_ms = of->now.evicted_ms = of->now.heir_ms = INT64_MIN;
    of->best_share = -1;
    return of;
}

struct why_alert *why_alert_of(struct why *why, struct id128 id, const struct event_text *text)
{
    for (size_t i = 0; i < why->alerts.count; i++)
        if (id128_equal(why->alerts.at[i].id, id)) {
            if (why->alerts.at[i].name == NULL && text != NULL)
                why->alerts.at[i].name = why_words_alert(text);
            return &why->alerts.at[i];
        }
    if (why->alerts.count == ALERTS_MAX)
        return NULL;
    struct why_alert *alert = &vector_add(&why->alerts);
    memset(alert, 0, sizeof(*alert));
    alert->id = id;
    alert->name = text != NULL ? why_words_alert(text) : NULL;
    return alert;
}

/* --- the first pass ---------------------------------------------------------------------- */

static void key_add_once(struct why *why, struct id128 key, bool of_event)
{
    for (size_t i = 0; i < why->keys.count; i++)
        if (id128_equal(why->keys.at[i].key, key))
            return;
    vector_add(&why->keys) = (struct why_key){.key = key, .of_event = of_event};
}

static bool is_place(const struct why *why, const char *topic, int32_t partition, int64_t offset)
{
    const struct why_question *question = &why->question;

    return question->partition == partition && question->offset == offset &&
           strcmp(question->topic, topic) == 0;
}

static bool is_event(const struct why *why, const char *topic, int32_t partition, int64_t offset,
                     uint32_t sub)
{
    return sub == (why->question.sub < 0 ? 0 : (uint32_t)why->question.sub) &&
           is_place(why, topic, partition, offset);
}

/* The first few by name, whichever order they come in. */
static void look_at_part(struct why *why, const char *topic, int32_t partition)
{
    size_t at = why->part_count;
    int order = -1;

    while (at > 0 && order < 0) {
        const struct why_part *part = &why->parts[at - 1];
        order = strcmp(part->topic, topic);
        order = order != 0                    ? -order
                : partition < part->partition ? -1
                                              : partition > part->partition;
        if (order == 0)
            return;
        at -= order < 0;
    }
    why->has_more_parts |= why->part_count == WHY_PARTS_MAX;
    if (at == WHY_PARTS_MAX)
        return;
    why->part_count += why->part_count < WHY_PARTS_MAX;
    memmove(&why->parts[at + 1], &why->parts[at],
            (why->part_count - at - 1) * sizeof(why->parts[0]));
    why->parts[at] = (struct why_part){why_topic(why, topic), partition};
}

static void look_at_offset(struct why *why, const char *topic, int32_t partition, int64_t offset)
{
    if (why->question.partition != partition || strcmp(why->question.topic, topic) != 0) {
        if (why->question.subject == WHY_EVENT && partition >= 0)
            look_at_part(why, topic, partition);
        return;
    }
    why->low = why->high < why->low || offset < why->low ? offset : why->low;
    why->high = offset > why->high ? offset : why->high;
}

static void find_received(void *self, const struct trace_receipt *receipt)
{
    struct why *why = self;
    const struct event *ev = receipt->event;

    look_at_offset(why, receipt->topic, receipt->partition, ev->offset);
    why->events += is_place(why, receipt->topic, receipt->partition, ev->offset);
}

static void find_decided(void *self, const struct trace_decision *decision)
{
    struct why *why = self;
    const struct event *ev = decision->event;

    if ((ev->flags & EVENT_DERIVED) != 0) { /* they are made, and not received */
        bool is_place_asked = is_place(why, decision->topic, decision->partition, ev->offset);
        look_at_offset(why, decision->topic, decision->partition, ev->offset);
        why->events += is_place_asked;
        if (is_place_asked && why->question.sub < 0)
            why->question.sub = ev->sub; /* the first of its time */
    }
    if (!is_event(why, decision->topic, decision->partition, ev->offset, ev->sub))
        return;
    why->found = why->has_alert = true;
    why->alert = ev->fingerprint;
    why->event_ms = ev->et_ms;
    why->place = (struct why_place){why_topic(why, decision->topic), decision->partition,
                                    ev->offset, ev->sub};
    for (uint32_t i = 0; i < decision->route_count; i++)
        key_add_once(why, decision->routes[i].key, false);
}

/* Which alert matters is not known yet, or it is this one. */
static void remember_flapping(struct why *why, const struct touch *touch)
{
    const struct why_flapped flapped = {touch->alert, touch->key};

    if (why->has_alert && !id128_equal(touch->alert, why->alert))
        return;
    if (why->flapped.count < ALERTS_MAX)
        vector_add(&why->flapped) = flapped;
    else
        why->flapped.at[why->flapped_next++ % ALERTS_MAX] = flapped;
}

static void find_touched(void *self, const struct trace_touch *touch)
{
    struct why *why = self;

    if (touch->rule->input == RULE_INPUT_FLAPPING && touch->touch->kind <= TOUCH_REPEAT)
        remember_flapping(why, touch->touch);
    if (touch->topic != NULL && is_event(why, touch->topic, touch->partition,
                                         touch->touch->order.offset, touch->touch->order.sub))
        key_add_once(why, touch->touch->key, true);
}

static void find_rejected(void *self, const char *topic, int32_t partition,
                          const struct record *record, enum reject_reason reason, uint32_t at,
                          const char *reject_why)
{
    struct why *why = self;

    look_at_offset(why, topic, partition, record->offset);
    if (!is_place(why, topic, partition, record->offset) || why->rejected != NULL)
        return;
    if (reason == REJECT_QUOTA && why->question.sub >= 0 && why->question.sub != (int64_t)at)
        return; /* another event of the record */
    why->found = true;
    why->place = (struct why_place){why_topic(why, topic), partition, record->offset,
                                    reason == REJECT_QUOTA ? (uint16_t)at : 0};
    if (reason == REJECT_QUOTA) {
        why->rejected = why_format("event %u of the record was rejected (%s): %s", (unsigned)at,
                                   reject_reason_name(reason), reject_why);
        return;
    }
    why->rejected = why_format("the record was rejected (%s): at byte %u: %s",
                               reject_reason_name(reason), (unsigned)at, reject_why);
}

static void find_changed(void *self, const struct trace_change *change)
{
    struct why *why = self;
    char id[ID128_TEXT_BYTES];

    if (change->incident->change == INCIDENT_CLOSED && why->incidents.count > 0 &&
        id128_equal(change->incident->id, why->incidents.at[0]->id))
        why->closed_ms = change->incident->at_ms;
    if (change->incident->change != INCIDENT_OPENED)
        return;
    id128_format(change->incident->id, id);
    if (strncmp(id, why->question.incident, strlen(why->question.incident)) != 0)
        return;
    if (why->incident_count++ == 0)
        key_add_once(why, change->key, true);
    if (why->incidents.count < INCIDENTS_KEPT)
        vector_add(&why->incidents) = incident_ref((struct incident *)change->incident);
}

/* Which alerts matter is known before deduplication speaks of them again. */
static void find_joined(void *self, const struct engine_joined *joined)
{
    struct why *why = self;

    if (why->incidents.count > 0 && id128_equal(joined->incident, why->incidents.at[0]->id) &&
        why->joined.count < ALERTS_MAX)
        vector_add(&why->joined) = joined->alert;
}

static const struct engine_trace find_incident = {.changed = find_changed};
static const struct engine_trace find_event = {
    .received = find_received, .decided = find_decided, .touched = find_touched};

/* --- passes ------------------------------------------------------------------------------ */

static bool let_op_go(void *self, const struct op *op)
{
    (void)self;
    incident_unref(op->incident);
    return true;
}

static void note_passed(void *self, int64_t to_ms)
{
    struct why *why = self;

    why->passed_ms = to_ms;
}

void why_go_by_terms(struct why *why, const struct engine_terms *terms)
{
    why->terms = terms;
}

struct engine_terms why_terms_at(const struct why *why, int64_t at_ms)
{
    size_t at = 0;

    if (why->terms == NULL)
        return engine_terms_of(why->config);
    while (at + 1 < why->set_count && why->config->recovery.switch_ms[at] <= at_ms)
        at++;
    return why->terms[at];
}

/* `form`: NULL: any. */
static bool has_rule(const struct rule_set *rules, const char *id, const struct id128 *form)
{
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        if (strcmp(rule->id, id) == 0)
            return form == NULL || id128_equal(rule->form, *form);
    }
    return false;
}

/* When the newest stretch of sets without the rule began, of those that end in the one at `at_ms`.
 */
static int64_t lacks_since(const struct why *why, const char *rule_id, const struct id128 *form,
                           int64_t at_ms)
{
    const int64_t *switch_ms = why->config->recovery.switch_ms;
    int64_t since_ms = INT64_MIN;
    size_t at = 0;

    while (at + 1 < why->set_count && switch_ms[at] <= at_ms)
        at++;
    for (; at > 0 && !has_rule(why->sets[at], rule_id, form); at--)
        since_ms = switch_ms[at - 1];
    return since_ms;
}

int64_t why_gone_since(const struct why *why, const char *rule_id, int64_t at_ms)
{
    return lacks_since(why, rule_id, NULL, at_ms);
}

int64_t why_former_since(const struct why *why, const struct rule *rule, int64_t at_ms)
{
    return lacks_since(why, rule->id, &rule->form, at_ms);
}

static struct rule_set *rules_before(void *self, size_t index, struct engine_terms *terms)
{
    struct why *why = self;

    if (why->terms != NULL)
        *terms = why->terms[index + 1];
    return why->sets[index + 1];
}

/* What was said of them is of their words. */
static void keep_rules(void *self, struct rule_set *rules)
{
    (void)self;
    (void)rules;
}

static void set_listener(struct why *why)
{
    bool finds = why->pass == 1 && why->question.subject != WHY_KEY;

    why->trace = !finds                                  ? why_watch_trace
                 : why->question.subject == WHY_INCIDENT ? find_incident
                                                         : find_event;
    why->trace.self = why;
    why->listener = (struct engine_listener){.self = why,
                                             .op = let_op_go,
                                             .rules_before = rules_before,
                                             .rules_done = keep_rules,
                                             .trace = &why->trace};
    if (finds && why->question.subject == WHY_EVENT)
        why->listener.rejected = find_rejected;
    if (finds && why->question.subject == WHY_INCIDENT)
        why->listener.joined = find_joined;
    if (!finds) {
        why->listener.incident = why_watch_incident;
        why->listener.op = why_watch_op;
        why->listener.passed = note_passed;
    }
}

struct why *why_create(const struct why_question *question, struct rule_set *rules,
                       const struct engine_config *config, struct error *err)
{
    return why_create_over(question, &rules, 1, config, err);
}

/* The rules of all sets, owned by the caller. */
static const struct rule **rules_of(struct rule_set *const *sets, size_t set_count, size_t *count)
{
    const struct rule **rules;
    size_t all = 0;

    for (size_t s = 0; s < set_count; s++)
        all += rule_set_count(sets[s]);
    rules = memory_alloc((all + 1) * sizeof(*rules));
    *count = 0;
    for (size_t s = set_count; s-- > 0;) /* the newest first */
        for (uint32_t i = 0; i < rule_set_count(sets[s]); i++)
            rules[(*count)++] = rule_set_rule(sets[s], i);
    return rules;
}

struct why *why_create_over(const struct why_question *question, struct rule_set *const *sets,
                            size_t set_count, const struct engine_config *config, struct error *err)
{
    size_t max = question->notes_max > 8 ? question->notes_max : 8, count;
    const struct rule_set *newest = sets[set_count - 1];
    const struct rule **rules = rules_of(sets, set_count, &count);
    struct why_question ordered = *question;
    char *key = NULL;
    bool is_good;

    if (question->subject == WHY_KEY)
        why_order_key(&ordered, rules, count, &key);
    is_good = why_check_rules(&ordered, rules, count, newest, err);
    free(rules);
    if (!is_good) {
        free(key);
        return NULL;
    }
    struct why *why = memory_alloc(sizeof(*why));
    memset(why, 0, sizeof(*why));
    why->question = ordered;
    why->key = key;
    why->sets = memory_alloc(set_count * sizeof(*why->sets));
    memcpy(why->sets, sets, set_count * sizeof(*why->sets));
    why->set_count = set_count;
    why->rules = newest;
    why->config = config;
    why->pass = 1;
    why->high = -1;
    why->closed_ms = why->first_ms = INT64_MAX;
    /* What led to it: the newest. What followed: the first of it, and how it ended. */
    why_notes_init(&why->before, 0, question->subject == WHY_KEY ? max : max / 2);
    why_notes_init(&why->after, max / 4, max / 4);
    why_notes_init(&why->ahead, max / 4, max / 4);
    set_listener(why);
    if (question->subject == WHY_KEY)
        why_remark_wider(why);
    return why;
}

void why_destroy(struct why *why)
{
    if (why == NULL)
        return;
    for (size_t i = 0; i < why->words.count; i++)
        free(why->words.at[i]);
    for (size_t i = 0; i < why->remarks.count; i++)
        free(why->remarks.at[i]);
    for (size_t i = 0; i < why->incidents.count; i++)
        incident_unref(why->incidents.at[i]);
    for (size_t i = 0; i < why->alerts.count; i++)
        free(why->alerts.at[i].name);
    incident_unref(why->latest);
    why_notes_release(&why->before);
    why_notes_release(&why->after);
    why_notes_release(&why->ahead);
    free(why->words.at);
    free(why->remarks.at);
    free(why->incidents.at);
    free(why->keys.at);
    free(why->alerts.at);
    free(why->watched.at);
    free(why->mutes.at);
    free(why->told.at);
    free(why->opening.at);
    free(why->expired.at);
    free(why->per_rule.at);
    why_deeds_clear(why);
    free(why->deeds.at);
    free(why->rejected);
    free(why->key);
    free(why->sets);
    free(why->joined.at);
    free(why->flapped.at);
    free(why);
}

const struct engine_listener *why_listener(struct why *why)
{
    return &why->listener;
}

/* What the first pass found that only its end can tell. */
static void settle_findings(struct why *why)
{
    for (size_t i = 0; i < why->flapped.count; i++)
        if (why->has_alert && id128_equal(why->flapped.at[i].alert, why->alert))
            key_add_once(why, why->flapped.at[i].key, false);
    for (size_t s = 0; why->incidents.count > 0 && s < why->set_count; s++)
        for (uint32_t i = 0; i < rule_set_count(why->sets[s]); i++) {
            const struct rule *rule = rule_set_rule(why->sets[s], i);
            if (strcmp(rule->id, why->incidents.at[0]->rule_id) == 0)
                why->of_flapping = why->of_flapping || rule->input == RULE_INPUT_FLAPPING;
        }
}

bool why_pass(struct why *why)
{
    bool again = why->pass == 1 && why->question.subject != WHY_KEY &&
                 (why->has_alert || why->incident_count == 1);

    if (why->question.subject == WHY_INCIDENT)
        why->found = why->incident_count == 1;
    if (again) {
        settle_findings(why);
        why->pass = 2;
        set_listener(why);
        return true;
    }
    why_notes_sort(&why->before);
    why_notes_sort(&why->after);
    why_notes_settle(&why->before, &why->after);
    if (why->question.subject == WHY_KEY) /* what is listed is waited for, though it never comes */
        why->found = why->found || why_key_opened(why) || why_listed_by(why, NULL) != NULL;
    why_settle_moments(why);
    why_settle_forms(why);
    why_judge(why);
    return false;
}

void why_remark(struct why *why, const char *remark)
{
    char *copy = memory_alloc(strlen(remark) + 1);

    strcpy(copy, remark);
    vector_add(&why->remarks) = copy;
}

size_t why_incidents(const struct why *why, struct id128 *out, size_t max)
{
    for (size_t i = 0; i < why->watched.count && i < max; i++)
        out[i] = why->watched.at[i];
    return why->watched.count;
}

bool why_found(const struct why *why)
{
    return why->found;
}

const char *why_verdict(struct why *why)
{
    return why->verdict;
}

const char *why_member(const struct why *why, size_t index)
{
    for (size_t i = 0; i < why->alerts.count; i++)
        if (why->alerts.at[i].is_member && why->alerts.at[i].order == index)
            return why_alert_name(&why->alerts.at[i]);
    return NULL;
}

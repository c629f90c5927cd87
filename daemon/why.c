/* why.c - questions, passes, and what is found in the first. See why.h. */
#include "daemon/why.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "daemon/units.h"
#include "daemon/why_parts.h"
#include "base/nearest.h"

enum { INCIDENTS_KEPT = 8, ALERTS_MAX = 4096, DIGITS = 32, NAMES_BYTES = 240, OTHERS_TOLD = 4 };

/* --- questions -----------------------------------------------------------------------------------
 */

int why_ask_incident(const char *text, struct why_question *out, struct error *err)
{
    size_t digits = strlen(text);
    bool is_hex = digits > 0 && digits <= DIGITS;

    *out = (struct why_question){
        .subject = WHY_INCIDENT, .at_ms = INT64_MAX, .notes_max = WHY_NOTES_MAX};
    for (size_t i = 0; is_hex && i < digits; i++)
        is_hex = isxdigit((unsigned char)text[i]) != 0;
    if (!is_hex) {
        error_set(err,
                  "\"%.80s\" is not an incident: it is the 32 digits of its id, or the first "
                  "of them",
                  text);
        return -EINVAL;
    }
    for (size_t i = 0; i <= digits; i++)
        out->incident[i] = (char)tolower((unsigned char)text[i]);
    return 0;
}

/* The number behind the last '/', which is cut off. */
static bool take_number(char *text, int64_t *number)
{
    char *slash = strrchr(text, '/');
    struct error ignored;

    if (slash == NULL || unit_parse_count(slash + 1, number, &ignored) != 0)
        return false;
    *slash = '\0';
    return true;
}

/* Behind `prefix` stand the offset and perhaps the number. */
static bool read_own_place(const char *text, const char *prefix, const char *topic,
                           struct why_question *out)
{
    char numbers[64];
    size_t bytes = strlen(prefix);

    if (strncmp(text, prefix, bytes) != 0 || strlen(text) - bytes >= sizeof(numbers) - 1)
        return false;
    snprintf(numbers, sizeof(numbers), "/%s", text + bytes);
    out->sub = -1;
    if (strrchr(numbers, '/') != numbers &&
        (!take_number(numbers, &out->sub) || out->sub > UINT16_MAX))
        return false;
    snprintf(out->topic, sizeof(out->topic), "%s", topic);
    out->partition = -1;
    return take_number(numbers, &out->offset) && numbers[0] == '\0';
}

/* What has no partition of a topic: events that tocsin makes ("@derived/-1/1769853601200/36864",
 * the time they are of for offset), and what was pushed, which is named as answers and the audit
 * do, too. */
static bool read_place_of_ours(const char *text, struct why_question *out)
{
    return read_own_place(text, "@derived/-1/", "@derived", out) ||
           read_own_place(text, "@intake/-1/", "@intake", out) ||
           read_own_place(text, "@intake/", "@intake", out);
}

/* True when the text is the place of an event; topics have no '/'. */
static bool read_place(const char *text, struct why_question *out)
{
    int64_t number[3];
    size_t count = 0;

    if (strlen(text) >= sizeof(out->topic))
        return false;
    strcpy(out->topic, text);
    while (count < 3 && strchr(out->topic, '/') != NULL)
        if (!take_number(out->topic, &number[count++]))
            return false;
    if (count < 2 || out->topic[0] == '\0' || strchr(out->topic, '/') != NULL ||
        number[count - 1] > INT32_MAX || (count == 3 && number[0] >= RECORD_EVENTS_MAX))
        return false;
    out->partition = (int32_t)number[count - 1];
    out->offset = number[count - 2];
    out->sub = count == 3 ? number[0] : -1;
    return true;
}

int why_ask_whynot(const char *text, struct why_question *out, struct error *err)
{
    *out = (struct why_question){
        .subject = WHY_KEY, .key = text, .at_ms = INT64_MAX, .notes_max = WHY_NOTES_MAX};
    if (strchr(text, '=') != NULL)
        return 0;
    out->subject = WHY_EVENT;
    if (read_place_of_ours(text, out) || read_place(text, out))
        return 0;
    error_set(err,
              "\"%.80s\" is neither an event (topic/partition/offset, or "
              "topic/partition/offset/number in its record) nor a key (name=value ..., as an "
              "incident shows it)",
              text);
    return -EINVAL;
}

/* --- keys -------------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *name)
{
    size_t len = strlen(name);

    return strncmp(text, name, len) == 0 && text[len] == '=';
}

/* The rule's first name that the key asked for may begin with: the tenant may be left out. */
static uint32_t first_name(const struct rule *rule, const char *asked)
{
    return starts_with(asked, "tenant") || rule->by_count < 2 ? 0 : 1;
}

static bool names_fit(const struct rule *rule, const char *asked)
{
    for (uint32_t i = first_name(rule, asked); i < rule->by_count; i++) {
        if (!starts_with(asked, rule->by_name[i]))
            return false;
        asked += strlen(rule->by_name[i]) + 1;
        if (i + 1 == rule->by_count)
            return true;
        /* The next name: values may hold blanks. */
        for (asked = strchr(asked, ' '); asked != NULL; asked = strchr(asked, ' '))
            if (starts_with(++asked, rule->by_name[i + 1]))
                break;
        if (asked == NULL)
            return false;
    }
    return false;
}

/* Where the value of `name` stands in the key, NULL: nowhere. */
static const char *find_name(const char *asked, const char *name)
{
    for (const char *at = asked; at != NULL; at = strchr(at, ' ')) {
        at += at != asked || *at == ' ';
        if (starts_with(at, name))
            return at + strlen(name) + 1;
    }
    return NULL;
}

/* The end of the value that begins at `at`: where the next of the rule's names begins. */
static const char *value_end(const struct rule *rule, const char *at)
{
    for (const char *end = strchr(at, ' '); end != NULL; end = strchr(end + 1, ' '))
        for (uint32_t i = 0; i < rule->by_count; i++)
            if (starts_with(end + 1, rule->by_name[i]))
                return end;
    return at + strlen(at);
}

/* The key with its names in the rule's order, owned by the caller; NULL: it has not just these. */
static char *in_order(const struct rule *rule, const char *asked)
{
    char *to = memory_alloc(strlen(asked) + 2);
    size_t used = 0;

    for (uint32_t i = 0; i < rule->by_count; i++) {
        const char *at = find_name(asked, rule->by_name[i]);
        if (at == NULL && i == 0 && rule->by_count > 1)
            continue; /* the tenant may be left out */
        const char *end = at != NULL ? value_end(rule, at) : NULL;
        size_t name = strlen(rule->by_name[i]) + 1;
        if (at == NULL || used + name + (size_t)(end - at) + 1 > strlen(asked) + 1) {
            free(to);
            return NULL;
        }
        memcpy(to + used, at - name, name + (size_t)(end - at));
        used += name + (size_t)(end - at);
        to[used++] = ' ';
    }
    if (used != strlen(asked) + 1) { /* something is left over */
        free(to);
        return NULL;
    }
    to[used - 1] = '\0';
    return to;
}

static bool is_asked(const struct why_question *question, const struct rule *rule)
{
    return question->rule == NULL || strcmp(question->rule, rule->id) == 0;
}

/* A key whose names the rules that are asked have in another order becomes that of the one with
 * most names, if that is more than those have that it fits as it is: the names that they lack
 * would be part of a value. */
static void order_key(struct why_question *question, const struct rule *const *rules, size_t count,
                      char **owned)
{
    uint32_t names = 0;

    for (size_t i = 0; i < count; i++)
        if (is_asked(question, rules[i]) && rules[i]->by_count > names &&
            names_fit(rules[i], question->key))
            names = rules[i]->by_count;
    for (size_t i = 0; i < count; i++) {
        char *ordered = is_asked(question, rules[i]) && rules[i]->by_count > names
                            ? in_order(rules[i], question->key)
                            : NULL;
        if (ordered == NULL)
            continue;
        free(*owned);
        *owned = ordered;
        names = rules[i]->by_count;
    }
    question->key = *owned != NULL ? *owned : question->key;
}

bool why_key_is(const struct rule *rule, const struct text *values, const char *asked)
{
    uint32_t first = first_name(rule, asked);

    for (uint32_t i = first; i < rule->by_count; i++) {
        if (i > first && *asked++ != ' ')
            return false;
        if (!starts_with(asked, rule->by_name[i]))
            return false;
        asked += strlen(rule->by_name[i]) + 1;
        if (strlen(asked) < values[i].len ||
            (values[i].len > 0 && memcmp(asked, values[i].at, values[i].len) != 0))
            return false;
        asked += values[i].len;
    }
    return *asked == '\0';
}

static void unknown_rule(const char *id, const struct rule_set *rules, struct error *err)
{
    uint32_t count = rule_set_count(rules);
    const char **ids = memory_alloc((count + 1) * sizeof(*ids));
    char hint[NEAREST_HINT_BYTES];

    for (uint32_t i = 0; i < count; i++)
        ids[i] = rule_set_rule(rules, i)->id;
    error_set(err, "there is no rule \"%.80s\"%s", id,
              nearest_hint((struct text){id, (uint32_t)strlen(id)}, ids, count, hint));
    free(ids);
}

/* rack, where labels.rack is a name of a rule. */
static const char *label_hint(struct text name, const char *const *names, size_t count,
                              char hint[NEAREST_HINT_BYTES])
{
    static const char prefix[] = "labels.";

    for (size_t i = 0; i < count && hint[0] == '\0'; i++)
        if (strncmp(names[i], prefix, sizeof(prefix) - 1) == 0 &&
            text_equals(name, names[i] + sizeof(prefix) - 1))
            snprintf(hint, NEAREST_HINT_BYTES, "; did you mean \"%.60s\"?", names[i]);
    return hint;
}

/* About the first name of the key that is near one of a rule and none. */
static const char *key_hint(const struct why_question *question, const struct rule_set *rules,
                            char hint[NEAREST_HINT_BYTES])
{
    const char **names =
        memory_alloc(((size_t)rule_set_count(rules) * RULE_BY_MAX + 1) * sizeof(*names));
    size_t count = 0;

    hint[0] = '\0';
    for (uint32_t r = 0; r < rule_set_count(rules); r++) {
        const struct rule *rule = rule_set_rule(rules, r);
        for (uint32_t i = 0; i < rule->by_count; i++)
            if (question->rule == NULL || strcmp(question->rule, rule->id) == 0)
                names[count++] = rule->by_name[i];
    }
    for (const char *at = question->key; at != NULL && hint[0] == '\0';
         at = strchr(at, ' ') != NULL ? strchr(at, ' ') + 1 : NULL) {
        struct text name = {at, (uint32_t)strcspn(at, "= ")};
        bool is_known = at[name.len] != '=';
        for (size_t i = 0; i < count; i++)
            is_known = is_known || text_equals(name, names[i]);
        if (!is_known && label_hint(name, names, count, hint)[0] == '\0')
            nearest_hint(name, names, count, hint);
    }
    free(names);
    return hint;
}

/* "tenant, host and labels.rack" */
static const char *names_of(const char *id, const struct rule_set *rules, char to[NAMES_BYTES])
{
    size_t used = 0;

    to[0] = '\0';
    for (uint32_t r = 0; r < rule_set_count(rules); r++) {
        const struct rule *rule = rule_set_rule(rules, r);
        for (uint32_t i = 0; strcmp(rule->id, id) == 0 && i < rule->by_count; i++)
            if (used < NAMES_BYTES)
                used += (size_t)snprintf(to + used, NAMES_BYTES - used, "%s%s",
                                         i == 0                    ? ""
                                         : i + 1 == rule->by_count ? " and "
                                                                   : ", ",
                                         rule->by_name[i]);
    }
    why_words_mend(to);
    return to;
}

/* The first rule that counts by one of the names, and how many more there are. */
static void unknown_names(const struct why_question *question, const struct rule_set *rules,
                          struct error *err)
{
    char hint[NEAREST_HINT_BYTES], names[NAMES_BYTES], more[48] = "";
    const struct rule *first = NULL;
    uint32_t others = 0;

    if (key_hint(question, rules, hint)[0] == '\0')
        for (uint32_t r = 0; r < rule_set_count(rules); r++) {
            const struct rule *rule = rule_set_rule(rules, r);
            bool has_one = false;
            for (uint32_t i = 0; i < rule->by_count; i++)
                has_one = has_one || find_name(question->key, rule->by_name[i]) != NULL;
            others += has_one && first != NULL;
            first = has_one && first == NULL ? rule : first;
        }
    if (others > 0)
        snprintf(more, sizeof(more), " (and %" PRIu32 " more by one of them)", others);
    error_set(err, "no rule counts by these names: \"%.200s\"%s%s%.80s%s%s%s", question->key, hint,
              first != NULL ? "; rule " : "", first != NULL ? first->id : "",
              first != NULL ? " counts by " : "",
              first != NULL ? names_of(first->id, rules, names) : "", more);
}

/* ", nor were b, c and 5 more": the one that was meant may be any of them. */
static void say_others(const struct rule *const *others, uint32_t count, char to[NAMES_BYTES])
{
    size_t used = (size_t)snprintf(to, NAMES_BYTES, "%s",
                                   count == 0   ? ""
                                   : count == 1 ? ", nor was "
                                                : ", nor were ");

    for (uint32_t i = 0; i < count && i < OTHERS_TOLD; i++)
        used += (size_t)snprintf(to + used, NAMES_BYTES - used, "%s%.40s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " and "
                                                  : ", ",
                                 others[i]->id);
    if (count > OTHERS_TOLD)
        snprintf(to + used, NAMES_BYTES - used, " and %" PRIu32 " more", count - OTHERS_TOLD);
}

/* Rules that have a name of the key among others are not asked: who asks of a host alone may not
 * know that. */
static void remark_wider(struct why *why)
{
    const struct why_question *question = &why->question;
    const struct rule *first = NULL, *other[OTHERS_TOLD];
    char names[NAMES_BYTES], more[NAMES_BYTES], remark[2 * NAMES_BYTES + 160];
    uint32_t others = 0;

    for (uint32_t r = 0; question->rule == NULL && r < rule_set_count(why->rules); r++) {
        const struct rule *rule = rule_set_rule(why->rules, r);
        bool has_one = false;
        for (uint32_t i = 0; i < rule->by_count; i++)
            has_one = has_one || (strcmp(rule->by_name[i], "tenant") != 0 &&
                                  find_name(question->key, rule->by_name[i]) != NULL);
        if (!has_one || names_fit(rule, question->key))
            continue;
        if (first != NULL && others++ < OTHERS_TOLD)
            other[others - 1] = rule;
        first = first != NULL ? first : rule;
    }
    if (first == NULL)
        return;
    say_others(other, others, more);
    snprintf(remark, sizeof(remark), "rule %.80s was not asked%s: its key needs %s", first->id,
             more, names_of(first->id, why->rules, names));
    why_remark(why, remark);
}

/* `newest` is the set that mistakes are told of. */
static bool check_rules(const struct why_question *question, const struct rule *const *rules,
                        size_t count, const struct rule_set *newest, struct error *err)
{
    char hint[NEAREST_HINT_BYTES], names[NAMES_BYTES];
    bool is_known = question->rule == NULL, fits = question->subject != WHY_KEY;

    for (size_t i = 0; i < count; i++) {
        bool asked = is_asked(question, rules[i]);
        is_known = is_known || asked;
        fits = fits || (asked && names_fit(rules[i], question->key));
    }
    if (!is_known)
        unknown_rule(question->rule, newest, err);
    else if (!fits && question->rule != NULL)
        error_set(err, "rule %.80s does not count by these names, but by %s: \"%.200s\"%s",
                  question->rule, names_of(question->rule, newest, names), question->key,
                  key_hint(question, newest, hint));
    else if (!fits)
        unknown_names(question, newest, err);
    return is_known && fits;
}

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
           (question->subject != WHY_KEY || names_fit(rule, question->key));
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
    of->opened_ms = of->closed_ms = of->now.ended_ms = of->since_ms = of->emptied_ms = INT64_MIN;
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
    why->found = true;
    why->place = (struct why_place){why_topic(why, topic), partition, record->offset, 0};
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
        order_key(&ordered, rules, count, &key);
    is_good = check_rules(&ordered, rules, count, newest, err);
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
    why->closed_ms = INT64_MAX;
    /* What led to it: the newest. What followed: the first of it, and how it ended. */
    why_notes_init(&why->before, 0, question->subject == WHY_KEY ? max : max / 2);
    why_notes_init(&why->after, max / 4, max / 4);
    why_notes_init(&why->ahead, max / 4, max / 4);
    set_listener(why);
    if (question->subject == WHY_KEY)
        remark_wider(why);
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
    why_settle_moments(why);
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

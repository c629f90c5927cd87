/*
 * why_question.c - what is asked for, as it was typed: an incident, an event by its place, or a key
 * by the names of a rule. See why.h and why_parts.h.
 */
#include "daemon/why_parts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "daemon/units.h"

enum { DIGITS = 32, NAMES_BYTES = 240, OTHERS_TOLD = 4 };

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

bool why_names_fit(const struct rule *rule, const char *asked)
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
void why_order_key(struct why_question *question, const struct rule *const *rules, size_t count,
                   char **owned)
{
    uint32_t names = 0;

    for (size_t i = 0; i < count; i++)
        if (is_asked(question, rules[i]) && rules[i]->by_count > names &&
            why_names_fit(rules[i], question->key))
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

bool why_key_is_wider(const struct rule *rule, const struct text *values, const char *asked)
{
    bool has_one = false;
    size_t named = 0; /* bytes, with a blank behind each value */

    for (uint32_t i = 0; i < rule->by_count; i++) {
        const char *at = find_name(asked, rule->by_name[i]);
        size_t bytes = at != NULL ? (size_t)(value_end(rule, at) - at) : 0;
        if (at == NULL)
            continue;
        if (bytes != values[i].len || (bytes > 0 && memcmp(at, values[i].at, bytes) != 0))
            return false;
        has_one = has_one || strcmp(rule->by_name[i], "tenant") != 0;
        named += strlen(rule->by_name[i]) + 1 + bytes + 1;
    }
    return has_one && named == strlen(asked) + 1;
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
static const char *key_hint(const struct why_question *question, const struct rule *const *rules,
                            size_t rule_count, char hint[NEAREST_HINT_BYTES])
{
    const char **names = memory_alloc((rule_count * RULE_BY_MAX + 1) * sizeof(*names));
    size_t count = 0;

    hint[0] = '\0';
    for (size_t r = 0; r < rule_count; r++)
        for (uint32_t i = 0; is_asked(question, rules[r]) && i < rules[r]->by_count; i++)
            names[count++] = rules[r]->by_name[i];
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
static const char *names_of(const struct rule *rule, char to[NAMES_BYTES])
{
    size_t used = 0;

    to[0] = '\0';
    for (uint32_t i = 0; i < rule->by_count && used < NAMES_BYTES; i++)
        used += (size_t)snprintf(to + used, NAMES_BYTES - used, "%s%s",
                                 i == 0                    ? ""
                                 : i + 1 == rule->by_count ? " and "
                                                           : ", ",
                                 rule->by_name[i]);
    why_words_mend(to);
    return to;
}

/* The first rule that counts by one of the names, and how many more there are. */
static void unknown_names(const struct why_question *question, const struct rule *const *all,
                          size_t all_count, const struct rule_set *rules, struct error *err)
{
    char hint[NEAREST_HINT_BYTES], names[NAMES_BYTES], more[48] = "";
    const struct rule *first = NULL;
    uint32_t others = 0;

    if (key_hint(question, all, all_count, hint)[0] == '\0')
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
              first != NULL ? " counts by " : "", first != NULL ? names_of(first, names) : "",
              more);
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
void why_remark_wider(struct why *why)
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
        if (!has_one || why_names_fit(rule, question->key))
            continue;
        if (first != NULL && others++ < OTHERS_TOLD)
            other[others - 1] = rule;
        first = first != NULL ? first : rule;
    }
    if (first == NULL)
        return;
    say_others(other, others, more);
    snprintf(remark, sizeof(remark), "rule %.80s was not asked%s: its key needs %s", first->id,
             more, names_of(first, names));
    why_remark(why, remark);
}

/* `newest` is the set that mistakes are told of. */
bool why_check_rules(const struct why_question *question, const struct rule *const *rules,
                     size_t count, const struct rule_set *newest, struct error *err)
{
    char hint[NEAREST_HINT_BYTES], names[NAMES_BYTES];
    const struct rule *named = NULL; /* its newest form: `rules` begin with it */
    bool fits = question->subject != WHY_KEY;

    for (size_t i = 0; i < count; i++) {
        bool asked = is_asked(question, rules[i]);
        named = named == NULL && question->rule != NULL && asked ? rules[i] : named;
        fits = fits || (asked && why_names_fit(rules[i], question->key));
    }
    bool is_known = question->rule == NULL || named != NULL;
    if (!is_known)
        unknown_rule(question->rule, newest, err);
    else if (!fits && question->rule != NULL)
        error_set(err, "rule %.80s does not count by these names, but by %s: \"%.200s\"%s",
                  named->id, names_of(named, names), question->key,
                  key_hint(question, rules, count, hint));
    else if (!fits)
        unknown_names(question, rules, count, newest, err);
    return is_known && fits;
}

/* fields.c - see fields.h. */
#include "rules/fields.h"

#include <assert.h>
#include <string.h>
#include "base/severity.h"
#include "base/text.h"
#include "base/nearest.h"

enum { EVERYWHERE = FIELD_IN_BY | FIELD_IN_DISTINCT | FIELD_IN_TITLE };

static const struct field fields[RULE_FIELD_COUNT] = {
    [RULE_FIELD_TENANT] = {"tenant", TYPE_TEXT, EVERYWHERE, "whose event it is"},
    [RULE_FIELD_SOURCE] = {"source", TYPE_TEXT, EVERYWHERE | FIELD_MAY_LACK,
                           "the system that reported it"},
    [RULE_FIELD_RESOURCE] = {"resource", TYPE_TEXT, EVERYWHERE | FIELD_MAY_LACK,
                             "what it is about, for example db01/sda"},
    [RULE_FIELD_CHECK] = {"check", TYPE_TEXT, EVERYWHERE | FIELD_MAY_LACK,
                          "which property of the resource, for example disk.full"},
    [RULE_FIELD_DEDUP_KEY] = {"dedup_key", TYPE_TEXT, EVERYWHERE | FIELD_MAY_LACK,
                              "the event's own deduplication key"},
    [RULE_FIELD_MESSAGE] = {"message", TYPE_TEXT,
                            FIELD_IN_DISTINCT | FIELD_IN_TITLE | FIELD_MAY_LACK | FIELD_UNSTABLE,
                            "the text for people"},
    [RULE_FIELD_SEVERITY] = {"severity", TYPE_SEVERITY, EVERYWHERE, "how bad it is"},
    [RULE_FIELD_STATE] = {"state", TYPE_TEXT, FIELD_IN_TITLE,
                          "\"problem\" or \"clear\"; where sees problems only"},
    [RULE_FIELD_VALUE] = {"value", TYPE_DOUBLE,
                          FIELD_IN_DISTINCT | FIELD_IN_TITLE | FIELD_MAY_LACK | FIELD_UNSTABLE,
                          "the measured number"},
    [RULE_FIELD_TS] = {"ts", TYPE_TIME, FIELD_UNSTABLE, "the event's own time"},
    [RULE_FIELD_AGE] = {"age", TYPE_DURATION, FIELD_UNSTABLE,
                        "how far its own time lies behind its effective time"},
    [RULE_FIELD_HOST] = {"host", TYPE_TEXT, EVERYWHERE | FIELD_MAY_LACK,
                         "the label host, else the resource up to the first /"},
};

static const struct {
    const char *name;
    enum severity severity;
} severities[] = {
    {"OK", SEVERITY_OK},           {"DEBUG", SEVERITY_DEBUG},       {"INFO", SEVERITY_INFO},
    {"WARNING", SEVERITY_WARNING}, {"MINOR", SEVERITY_MINOR},       {"MAJOR", SEVERITY_MAJOR},
    {"ERROR", SEVERITY_MAJOR},     {"CRITICAL", SEVERITY_CRITICAL},
};

enum { SEVERITIES = sizeof(severities) / sizeof(severities[0]) };

_Static_assert(RULE_FIELD_COUNT + SEVERITIES + 1 <= FIELD_NAMES_MAX, "all names fit");

bool text_equals(struct text text, const char *word)
{
    size_t length = strlen(word);

    return text.len == length && memcmp(text.at, word, length) == 0;
}

const struct field *field_row(enum rule_field field)
{
    assert(field < RULE_FIELD_COUNT);
    return &fields[field];
}

bool field_is_of_identity(enum rule_field field)
{
    switch (field) {
    case RULE_FIELD_TENANT:
    case RULE_FIELD_SOURCE:
    case RULE_FIELD_RESOURCE:
    case RULE_FIELD_CHECK:
    case RULE_FIELD_DEDUP_KEY:
    case RULE_FIELD_STATE:
        return true;
    default:
        return false;
    }
}

enum rule_field field_find(struct text name)
{
    for (unsigned i = 0; i < RULE_FIELD_COUNT; i++)
        if (text_equals(name, fields[i].name))
            return (enum rule_field)i;
    return RULE_FIELD_COUNT;
}

enum severity severity_constant_find(struct text name)
{
    for (unsigned i = 0; i < SEVERITIES; i++)
        if (text_equals(name, severities[i].name))
            return severities[i].severity;
    return SEVERITY_COUNT;
}

enum { EVENT_WORDS_MAX = 128 }; /* that events name severities by, with room for more */

static const char *severity_constant_name(int severity)
{
    size_t i = 0;

    while (i < SEVERITIES && (int)severities[i].severity != severity)
        i++;
    return i < SEVERITIES ? severities[i].name : NULL;
}

const char *severity_constant_meant(struct text word)
{
    const char *names[SEVERITIES + EVENT_WORDS_MAX], *nearest;
    enum severity severity;
    size_t count = 0;

    if (severity_from_word(word) != WORD_UNKNOWN)
        return severity_constant_name(severity_from_word(word));
    for (size_t i = 0; i < SEVERITIES; i++)
        names[count++] = severities[i].name;
    for (size_t n = 0; n < EVENT_WORDS_MAX && severity_table_word(n, &severity) != NULL; n++)
        names[count++] = severity_table_word(n, &severity);
    nearest = nearest_name(word, names, count);
    return nearest != NULL ? severity_constant_name(severity_from_word(text_of(nearest))) : NULL;
}

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {
        [TYPE_BOOL] = "true or false",       [TYPE_TEXT] = "text",
        [TYPE_INT] = "a whole number",       [TYPE_DOUBLE] = "a number",
        [TYPE_DURATION] = "a duration",      [TYPE_TIME] = "a time",
        [TYPE_SEVERITY] = "a severity",      [TYPE_LIST] = "a list",
        [TYPE_LABELS] = "the set of labels", [TYPE_TABLE] = "a table",
        [TYPE_ROW] = "a row of a table",
    };

    return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

size_t field_names(const char *names[FIELD_NAMES_MAX], bool with_constants)
{
    size_t count = 0;

    for (unsigned i = 0; i < RULE_FIELD_COUNT; i++)
        names[count++] = fields[i].name;
    names[count++] = "labels";
    for (unsigned i = 0; with_constants && i < SEVERITIES; i++)
        names[count++] = severities[i].name;
    return count;
}

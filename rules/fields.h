/*
 * fields.h - what rules can name: the fields of an event and the constants.
 *
 * One row per field; the checks at load, the hot path's loads, titles and
 * docs/rules.md all follow the row.
 */
#ifndef RULES_FIELDS_H
#define RULES_FIELDS_H

#include <stdbool.h>
#include "base/event.h"

/* The types of the language. Comparison needs two of the same, save that whole
 * and real numbers mix. */
enum value_type {
    TYPE_BOOL,
    TYPE_TEXT,
    TYPE_INT,
    TYPE_DOUBLE,
    TYPE_DURATION, /* whole milliseconds */
    TYPE_TIME,     /* milliseconds since 1970 */
    TYPE_SEVERITY, /* enum severity */
    TYPE_LIST,     /* on the right of `in` only; a named set too */
    TYPE_LABELS,   /* the word `labels` alone */
    TYPE_TABLE,    /* a named table */
    TYPE_ROW,      /* a row of one */
};

/* The first six are enum event_field. */
enum rule_field {
    RULE_FIELD_TENANT = FIELD_TENANT,
    RULE_FIELD_SOURCE = FIELD_SOURCE,
    RULE_FIELD_RESOURCE = FIELD_RESOURCE,
    RULE_FIELD_CHECK = FIELD_CHECK,
    RULE_FIELD_DEDUP_KEY = FIELD_DEDUP_KEY,
    RULE_FIELD_MESSAGE = FIELD_MESSAGE,
    RULE_FIELD_SEVERITY,
    RULE_FIELD_STATE,
    RULE_FIELD_VALUE,
    RULE_FIELD_TS,
    RULE_FIELD_AGE,
    RULE_FIELD_HOST,
    RULE_FIELD_COUNT,
    RULE_FIELD_LABEL = RULE_FIELD_COUNT, /* labels.x: not a row of the table */
};

enum {
    FIELD_MAY_LACK = 1, /* has(field) can be false */
    FIELD_UNSTABLE = 2, /* may differ in a repeat: message, value and times */
    FIELD_IN_BY = 4,
    FIELD_IN_DISTINCT = 8,
    FIELD_IN_TITLE = 16,
};

struct field {
    const char *name;
    enum value_type type;
    unsigned flags;
    const char *help;
};

/* The row of a field below RULE_FIELD_COUNT. */
const struct field *field_row(enum rule_field field);

/* Whether an event is known by it, so that no enrichment changes it. */
bool field_is_of_identity(enum rule_field field);

/* RULE_FIELD_COUNT when there is none. */
enum rule_field field_find(struct text name);

/* OK ... CRITICAL, ERROR being MAJOR; SEVERITY_COUNT when the word is none of them. */
enum severity severity_constant_find(struct text name);

/* The constant that was meant by a word that is none: `MAJOR` by majr, high and error. NULL when
 * none is near. */
const char *severity_constant_meant(struct text word);

/* "text", "a duration": for messages. */
const char *value_type_name(enum value_type type);

/* Names for "did you mean"; return how many. */
enum { FIELD_NAMES_MAX = RULE_FIELD_COUNT + SEVERITY_COUNT + 2 };
size_t field_names(const char *names[FIELD_NAMES_MAX], bool with_constants);

bool text_equals(struct text text, const char *word);

#endif

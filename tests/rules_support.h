/*
 * rules_support.h - what the tests of rules/ share beside rules_parsed.h: events from words, and
 * rule text around one expression.
 */
#ifndef TESTS_RULES_SUPPORT_H
#define TESTS_RULES_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/event.h"
#include "base/text.h"
#include "tests/rules_parsed.h"

/* Pieces of a rule, for texts in which one of them is another. */
#define HEAD "rules:\n  - id: r\n"
#define GOOD_WHERE "    where: 'true'\n"
#define GOOD_WINDOW "    window: 1m\n"
#define GOOD_WHEN "    when: count() >= 1\n"
#define TAIL "    incident: {title: t}\n    close: cleared()\n"

/* An event in the making; NULL words are absent. */
struct words {
    const char *tenant, *source, *resource, *check, *dedup_key, *message;
    enum severity severity;
    const char *label[8]; /* name, value, name, value ... */
    bool has_value;
    double value;
    int64_t ts_ms, et_ms;
};

struct sample {
    struct event_view view;
    _Alignas(8) char text[2048];
};

static inline void sample_make(struct sample *sample, const struct words *words)
{
    struct event_label labels[4];
    struct event_draft draft = {
        .field = {text_of(words->tenant), text_of(words->source), text_of(words->resource),
                  text_of(words->check), text_of(words->dedup_key), text_of(words->message)},
        .labels = labels,
        .has_value = words->has_value,
        .value = words->value,
    };

    for (int i = 0; i < 8 && words->label[i] != NULL; i += 2)
        labels[draft.label_count++] =
            (struct event_label){text_of(words->label[i]), text_of(words->label[i + 1])};
    assert_true(event_text_bytes(&draft) <= sizeof(sample->text));
    sample->view = (struct event_view){
        .text = event_text_pack(sample->text, event_text_bytes(&draft), &draft, words->ts_ms),
        .severity = (uint8_t)words->severity,
        .state = EVENT_PROBLEM,
        .et_ms = words->et_ms != 0 ? words->et_ms : words->ts_ms,
    };
}

/* Whether a message says that a condition, or a part of it, makes no sense: random ones do that now
 * and then. */
static inline bool is_said_impossible(const char *message)
{
    return strstr(message, "this can never be ") != NULL ||
           strstr(message, "this is always true") != NULL;
}

/* One rule around a `where`, which stands in a literal block, so that it may hold anything. It
 * begins at line 4, column 7. */
static inline const char *rule_with_where(const char *where, char *to, size_t bytes)
{
    snprintf(to, bytes,
             "rules:\n  - id: r\n    where: |\n      %s\n    window: 1m\n    when: count() >= 1\n"
             "    incident: {title: t}\n    close: cleared()\n",
             where);
    return to;
}

#endif

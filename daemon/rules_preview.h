/*
 * rules_preview.h - what a set of rules would do to the one in force, rule by rule (semantics X5).
 *
 *   carries on     the rule is there with the form that it has: it keeps its windows and incidents
 *   starts empty   its form is another one: no window, no incident
 *   drains         a form that is not (any more) in force, and what it still holds
 *   new            there was no such rule
 *   gone           there is no such rule any more: what it holds drains
 *
 * A rule whose form changes has two rows, `starts empty` and `drains`. What makes a form is decided
 * by rules/rule_set.h alone.
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_RULES_PREVIEW_H
#define DAEMON_RULES_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include "base/error.h"
#include "correlate/engine.h"
#include "rules/rule_set.h"

enum preview_state {
    PREVIEW_CARRIES_ON,
    PREVIEW_STARTS_EMPTY,
    PREVIEW_DRAINS,
    PREVIEW_NEW,
    PREVIEW_GONE,
    PREVIEW_STATES
};

const char *preview_state_name(enum preview_state state);

struct preview_row {
    char rule_id[ENGINE_RULE_ID_BYTES];
    enum preview_state state;
    uint64_t keys, open; /* held by this form now */
};

struct rules_preview {
    struct preview_row *rows; /* by (id, state) */
    size_t count;
    bool is_counted; /* keys and open incidents are known */
    bool is_changed; /* some rule does not carry on */
};

/* `running` are the forms that are there now. Errors: -ENOMEM. Release what it fills. */
int rules_preview_make(const struct engine_rule_counters *running, size_t count, bool is_counted,
                       const struct rule_set *next, struct rules_preview *out, struct error *err);
void rules_preview_release(struct rules_preview *preview);

void rules_preview_print(const struct rules_preview *preview, FILE *to);

/* {"changed":b,"rules":[{"rule":..,"state":..,"keys":n,"open":n}],"totals":{state:{rules,keys,open}}};
 * keys and open are null where they are not known. New reference; NULL when memory is short. */
json_t *rules_preview_json(const struct rules_preview *preview);

/* The forms in force as GET /rules gives them, and back. `out` is the caller's to free.
 * Errors of reading: -EINVAL, -ENOMEM with a sentence. */
json_t *rules_running_json(const struct engine_rule_counters *running, size_t count);
int rules_running_read(const char *text, struct engine_rule_counters **out, size_t *count,
                       struct error *err);

/* Those of a set that no daemon has loaded: without counts. `out` is the caller's to free. */
int rules_running_of_set(const struct rule_set *set, struct engine_rule_counters **out,
                         size_t *count, struct error *err);

#endif

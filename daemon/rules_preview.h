/*
 * rules_preview.h - what a set of rules would do to the one in force, rule by rule (semantics X5)
 * and mute by mute.
 *
 *   carries on     the rule is there with the form that it has: it keeps its windows and
 *                  incidents. Its settings may be others: they are listed
 *   starts empty   its form is another one: no window, no incident. Which keys made it so is
 *                  listed, and the settings that are others beside these
 *   drains         a form that is not (any more) in force, and what it still holds
 *   new            there was no such rule
 *   gone           there is no such rule any more: what it holds drains
 *
 * A rule whose form changes has two rows, `starts empty` and `drains`. What becomes of that which a
 * row of `drains` or `gone` holds is said in a sentence. Of a form that an earlier reload replaced
 * the keys are listed in which it differs from the one that would be in force, or, where there is
 * none, all that it had: so several of one rule are told apart. What makes a form is decided by
 * rules/rule_set.h alone. Mutes are unchanged, changed, new or gone; enrich steps, too, or
 * moved. Of what has changed the keys are listed, and of steps what they do to open incidents
 * (step_effects.h). Of the settings of the engine that a reload
 * follows each one that changes.
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
#include "base/arena.h"
#include "base/error.h"
#include "daemon/bound_effects.h"
#include "daemon/list_effects.h"
#include "daemon/rules_running.h"
#include "daemon/shape_change.h"
#include "daemon/terms_change.h"

enum preview_state {
    PREVIEW_CARRIES_ON,
    PREVIEW_STARTS_EMPTY,
    PREVIEW_DRAINS,
    PREVIEW_NEW,
    PREVIEW_GONE,
    PREVIEW_STATES
};

/* What becomes of what a form holds that is not in force (any more), semantics X5. */
enum preview_drain {
    DRAIN_NONE,  /* it is in force */
    DRAIN_KEEPS, /* its incidents keep their keys until they close, then these are the new form's */
    DRAIN_BESIDE, /* keys of the new form cannot be compared: both stand side by side */
    DRAIN_ALONE,  /* there is no new form */
    DRAIN_UNKNOWN /* the daemon is of a version that does not tell which keys can be compared */
};

enum { PREVIEW_SENTENCE_BYTES = 700 };

struct preview_row {
    char rule_id[ENGINE_RULE_ID_BYTES];
    enum preview_state state;
    enum preview_drain drain;
    bool expects;                    /* it is of absence, as far as that is known; of what drains */
    bool fires;                      /* what watches may open an incident when its time comes */
    bool lists;                      /* the form that it drains into lists keys */
    bool relists;                    /* and others than the form in force now */
    uint64_t keys, open;             /* held by this form now */
    bool is_bound_lower;             /* max_keys, of a rule that carries on */
    bool is_members_lower;           /* max_members, likewise, of a rule with windows */
    uint64_t keys_above, open_above; /* beyond it, and those of them with an open incident */
    bool is_of_alerts;               /* it hears of alerts that end, and has an open incident */
    bool is_of_flapping;             /* on flapping, likewise */
    struct list_effect list;         /* `keys`, of a rule that carries on */
    bool is_calmed;                  /* while an alert flaps it is told nothing of it */
    struct preview_changes changes;
};

struct preview_mute {
    const char *kind, *id;
    const char *state;  /* "unchanged", "changed", "new" or "gone" */
    uint64_t incidents; /* that it mutes now */
    struct preview_changes changes;
};

struct rules_preview {
    struct preview_row *rows; /* by (id, state) */
    size_t count;
    struct preview_mute *mutes; /* by (kind, id) */
    size_t mute_count;
    struct preview_steps steps;
    struct terms_change terms[TERMS_KEYS];
    size_t term_count;                   /* of these; 0: none changes, or it is not known */
    int64_t alerts;                      /* that are held; -1: not known */
    int64_t flapping;                    /* of these, likewise */
    uint64_t open_of_alerts;             /* incidents that alerts hold open */
    uint64_t open_of_flapping;           /* of these, those of rules on flapping */
    bool is_counted;                     /* keys, open and muted incidents are known */
    size_t rules_changed, mutes_changed; /* 0: a reload would change nothing */
    const char *restart; /* keys of the configuration that differ and wait for a restart, comma
                            separated; "": none, or not known */
    struct id128 set;    /* that would be, or is, in force then */
    struct arena *arena;
};

static inline bool rules_preview_is_changed(const struct rules_preview *preview)
{
    return preview->rules_changed > 0 || preview->mutes_changed > 0 || preview->steps.changed > 0 ||
           preview->term_count > 0;
}

/* `next` is what `set` says. Errors: -ENOMEM. Release what it fills. */
int rules_preview_make(const struct rules_running *running, const struct rules_running *next,
                       const struct rule_set *set, struct rules_preview *out, struct error *err);

/* What the set brings along in place of the terms that were asked for last. */
void rules_preview_terms(struct rules_preview *preview, const struct engine_terms *running,
                         const struct engine_terms *next);

/* Keeps the keys that a reload does not follow. False: memory is short. */
bool rules_preview_needs_restart(struct rules_preview *preview, const char *names);
void rules_preview_release(struct rules_preview *preview);

/* `what` would do so: "a reload". */
void rules_preview_print(const struct rules_preview *preview, const char *what, FILE *to);

/* {"changed":b,"rules":[{"rule":..,"state":..,"keys":n,"open":n,"beside":b,"meaning":..,
 * "changes":[{"key","from","to"}]}],
 * "mutes":[{"kind","id","state","incidents","changes"}],
 * "enrich":[{"step","state","applied","errors","changes",
 *            "effects":[{"name","through","in","rules","keys","open","meaning"}]}],
 * "engine":[{"key","from","to","meaning"}],"totals":{state:{rules,keys,open}},"restart":["engine.past"]};
 * numbers are null where they are not known; `beside` but for what drains, `meaning` but
 * for what drains, a bound that takes something (daemon/bound_effects.h) and another list of keys
 * (daemon/list_effects.h). New
 * reference; NULL when memory is short. */
json_t *rules_preview_json(const struct rules_preview *preview);

#endif

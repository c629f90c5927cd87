/*
 * enrich_steps.h - enrich steps as GET /rules shows them, and what a reload would do to them.
 *
 *   unchanged   the step is there, and says the same
 *   moved       it says the same, in another place among those that stay
 *   changed     it says something else
 *   new, gone
 *
 * Steps have no state but their counts, which begin anew when a set takes effect.
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_ENRICH_STEPS_H
#define DAEMON_ENRICH_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <jansson.h>
#include "base/arena.h"
#include "correlate/engine.h"
#include "daemon/shape_change.h"
#include "daemon/step_effects.h"
#include "rules/enrich.h"

/* What a step sets or removes: "labels.rack", "severity". */
struct step_names {
    const char **at;
    size_t count;
};

struct running_step {
    const char *id;
    struct id128 digest; /* of what it does */
    struct shape shape;
    struct step_names names;
    uint64_t applied, errors;
};

/* In the order in which they run. */
struct running_steps {
    struct running_step *at;
    size_t count;
};

/* All in `arena`. False: memory is short. */
bool enrich_steps_of_set(const struct rule_set *set, struct arena *arena,
                         struct running_steps *out);

/* Adds what the engine has counted. False: memory is short. */
bool enrich_steps_count(struct running_steps *steps, const struct engine *engine);

/* [{"step","digest","shape","means","sets","applied","errors"}]. New reference. */
json_t *enrich_steps_json(const struct running_steps *steps);

/* And back: 0, -EINVAL or -ENOMEM. `from` NULL: there are none. */
int enrich_steps_read(const json_t *from, struct arena *arena, struct running_steps *out);

struct preview_step {
    const char *id;
    const char *state;
    uint64_t applied, errors;
    struct preview_changes changes;
    struct step_names names; /* before and after, of a step that changes */
    struct step_effects effects;
};

struct preview_steps {
    struct preview_step *at; /* those that are in force or gone, then the new ones */
    size_t count, changed;
};

/* But for their effects. False: memory is short. */
bool enrich_steps_compare(const struct running_steps *running, const struct running_steps *next,
                          struct arena *arena, struct preview_steps *out);
void enrich_steps_print(const struct preview_steps *steps, bool is_counted, FILE *to);

/* [{"step","state","applied","errors","changes","effects"}], numbers null where they are not known.
 * New reference. */
json_t *enrich_steps_preview_json(const struct preview_steps *steps, bool is_counted);

#endif

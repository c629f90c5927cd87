/*
 * rules_past.h - the rule sets that a daemon had in force, one after the other: for who runs its
 * input again and wants each stretch decided by the rules of then.
 *
 *   data directory   the journal has the switches, blobs/ what each set was read from
 *   running daemon   without a directory: GET /rules/past (daemon/rules_shelf.h)
 *
 * Silences that people make are rules of their own file, and each makes a set: sets that differ in
 * these alone count as one, which has `silences` in their place (daemon/silences_past.h knows from
 * when to when each held). So there are as many sets as there were reloads.
 *
 * With each set go its terms (correlate/terms.h): a switch of these alone makes a set of its own.
 * Of a directory it is known how records were read, too.
 *
 * Bounds:  RULES_PAST_MAX sets, the newest; the first of them stands for what was before.
 * Thread:  any; everything belongs to the caller.
 */
#ifndef DAEMON_RULES_PAST_H
#define DAEMON_RULES_PAST_H

#include <stdint.h>
#include "base/error.h"
#include "base/vector.h"
#include "correlate/engine.h"
#include "daemon/settings_text.h"
#include "rules/rule_set.h"

enum { RULES_PAST_MAX = 64 };

struct rules_past {
    VECTOR_OF(struct rule_set *) set;         /* none: nothing is known */
    VECTOR_OF(int64_t) from_ms;               /* of each; the first is there from the beginning */
    VECTOR_OF(struct engine_terms) terms;     /* of each; also one where no set had to be read */
    VECTOR_OF(struct settings_inputs) inputs; /* the oldest first; none: not known */
    VECTOR_OF(struct engine_inputs) read_as;  /* the same, for engine_recovery */
    char lacks[1024];          /* a sentence: what has other rules than it had then; "": nothing */
    char lacks_settings[1024]; /* the same of settings */
};

/* `now` stands for what the settings of then do not say.
 *
 * Those that were in force from `from_ms` on (INT64_MIN: all that are known), also while a daemon
 * writes the directory. What cannot be had is no error: the set before stands for it, and `lacks`
 * says so. Errors: a negative errno with a sentence, for what the journal cannot tell. */
int rules_past_of_directory(const char *dir, int64_t from_ms, const char *silences,
                            const struct engine_config *now, struct rules_past *out,
                            struct error *err);

/* The same of the daemon whose admin server listens at "host:port". Where it had none but `known`,
 * which who asks has, there are none to be had: their files are for those who may command. */
int rules_past_of_daemon(const char *address, int64_t from_ms, struct id128 known,
                         const struct engine_config *now, struct rules_past *out,
                         struct error *err);

/* The settings alone of a directory: terms, and from when on, each time that these changed, and how
 * records were read. */
int rules_past_settings(const char *dir, const struct engine_config *now, struct rules_past *out,
                        struct error *err);

/* Lets the sets go, for who goes by others. */
void rules_past_drop_sets(struct rules_past *past);
void rules_past_release(struct rules_past *past);

#endif

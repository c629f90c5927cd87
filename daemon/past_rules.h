/*
 * past_rules.h - the rules that were in force last in a data directory, and those that are
 * configured now: what a start does to the former, which `tocsin check` says beforehand, and
 * whether they are the same.
 *
 * Thread: any.
 */
#ifndef DAEMON_PAST_RULES_H
#define DAEMON_PAST_RULES_H

#include <stdbool.h>
#include "base/error.h"
#include "base/hash.h"
#include "daemon/config.h"
#include "daemon/options.h"
#include "daemon/rules_kept.h"
#include "daemon/rules_preview.h"

/* `before` is the set that was in force last in the data directory `path`, which is only looked
 * into; `rules` would be read now, out of `read`. Silences made by hand stay as they were then.
 * What is held by each form is not known. *out is to be released whatever comes of it; it is not
 * changed where a start goes on with the rules that it finds. Errors: a negative errno with a
 * sentence, for a set of before that cannot be had; with *is_refused, for silences with which these
 * rules cannot be loaded, so that a start would be refused. */
int past_rules_preview(const char *path, struct id128 before, const struct rule_set *rules,
                       const struct rules_read *read, struct rules_preview *out, bool *is_refused,
                       struct error *err);

/* The configured rules, as packs_load_configured() has them, with what was read of them. Where this
 * version finds that they make no sense (diagnose_sense()), and they are what was in force last in
 * the configuration's data directory, they are gone by as they were, and *refused says what is
 * wrong; else that is "". An upgrade may not end what ran. The caller releases *read whatever comes
 * of it. Errors: as packs_load_configured(). */
int past_rules_load(const struct config *config, const struct option_list *named,
                    struct rules_read *read, struct rule_set **out, struct error *refused,
                    struct error *err);

#endif

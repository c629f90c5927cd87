/*
 * past_rules.h - what a start over a data directory does to the rules that were in force there
 * last: what `tocsin check` says beforehand.
 *
 * Thread: any.
 */
#ifndef DAEMON_PAST_RULES_H
#define DAEMON_PAST_RULES_H

#include <stdbool.h>
#include "base/error.h"
#include "base/hash.h"
#include "daemon/rules_kept.h"
#include "daemon/rules_preview.h"

/* `before` is the set that was in force last in the data directory `path`, which is only looked
 * into; `rules` would be read now, out of `read`. Silences made by hand stay as they were then.
 * What is held by each form is not known. *out is to be released whatever comes of it; it is not
 * changed where a start goes on with the rules that it finds. Errors: a negative errno with a
 * sentence, for a set of before that cannot be had, or with whose silences these rules cannot be
 * loaded. */
int past_rules_preview(const char *path, struct id128 before, const struct rule_set *rules,
                       const struct rules_read *read, struct rules_preview *out, struct error *err);

#endif

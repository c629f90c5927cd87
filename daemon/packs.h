/*
 * packs.h - finds the rule packs that ship with tocsin by their names.
 *
 * Looked for, in this order: the folder in the environment variable TOCSIN_PACKS,
 * share/tocsin/packs beside the folder of the binary, and the source tree that
 * the binary was built from. A pack is a folder NAME or a file NAME.yaml there.
 */
#ifndef DAEMON_PACKS_H
#define DAEMON_PACKS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"
#include "base/nearest.h"
#include "daemon/config.h"
#include "daemon/options.h"
#include "rules/rule_set.h"

/* True with the path in `to` when there is a pack of this name. */
bool pack_find(const char *name, char *to, size_t bytes);

/* The end of a sentence that says what is not there, with the pack whose name is nearest: `; did
 * you mean "demo"?`, or "" where none is near. Returns `hint`. */
const char *pack_hint(const char *name, char hint[NEAREST_HINT_BYTES]);

/* Loads files, folders and packs as one set: what rule_set_load() does, with bare
 * words replaced. Errors: as rule_set_load(); -ENOENT for an unknown pack. */
int packs_load_rules(const char *const *names, size_t count, struct rule_set **out,
                     struct error *err);

/* The same for the command line's --rules or, without any, the configuration's `rules`.
 * Errors: also -EINVAL when neither names a file, and for a name in the configuration that nobody
 * finds, with its place there. */
int packs_load_configured(const struct config *config, const struct option_list *rules,
                          struct rule_set **out, struct error *err);

/* The same by rule_set_load_past(). */
int packs_load_past(const struct config *config, const struct option_list *rules,
                    struct rule_set **out, struct error *err);

/* What a command ends with whose rules could not be loaded: it is not the rules' fault when memory
 * is short. */
int packs_exit_code(int rc);

#endif

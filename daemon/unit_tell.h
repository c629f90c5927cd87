/*
 * unit_tell.h - what the log says of a directory that was brought to where its unit stands
 * (store/unit_join.h), and of the shared store from then on (store/mirror.h).
 *
 * Thread: the unit's; the mirror's.
 */
#ifndef DAEMON_UNIT_TELL_H
#define DAEMON_UNIT_TELL_H

#include <stdbool.h>
#include <stdint.h>
#include "store/mirror.h"

/* Neither the store nor the directory knows anything. */
bool unit_is_begun_anew(const struct unit_joined *joined);

/* The unit called `name` is ours, with this fence, and this is who had it before. */
void unit_tell_joined(const struct unit_joined *joined, const char *name, uint64_t fence,
                      enum shared_former former);

/* It is another's and was followed; `is_first`: for the first time. */
void unit_tell_followed(const struct unit_joined *joined, const char *name, bool is_first);

/* What became of the store, and why; as mirror_config.changed. */
void unit_tell_store(enum mirror_change change, const char *why);

#endif

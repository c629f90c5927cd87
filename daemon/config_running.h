/*
 * config_running.h - whether a daemon that runs has the configuration of a file, for those keys
 * that a reload cannot follow: `tocsin check --against running` names them.
 *
 * The daemon shows a digest of each key, never a value. Paths count as they stand in the file, so
 * it makes no difference from where a configuration is named. A value that may be secret and is
 * written out in the file is shown by no digest either: only that it is there counts.
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_CONFIG_RUNNING_H
#define DAEMON_CONFIG_RUNNING_H

#include <jansson.h>
#include "daemon/config.h"

/* {"engine.expire":"<32 hex>", ...}. New reference; NULL when memory is short. */
json_t *config_running_json(const struct config *config);

/* The keys of `config` that differ from those of a daemon that answered so (GET /rules), comma
 * separated in `names`. Returns how many; 0 where the daemon shows none. */
size_t config_running_restart(const char *answer, const struct config *config, char *names,
                              size_t bytes);

#endif

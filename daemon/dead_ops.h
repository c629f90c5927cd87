/*
 * dead_ops.h - dead ops of the outbox as the admin server shows them, and sending them again.
 *
 *   GET  /outbox/dead?sink=NAME&incident=ID      {"dead":[{...},...],"count":2}
 *   POST /outbox/redrive?sink=NAME               {"redriven":2,"busy":0}
 *
 * Thread: any, while nobody destroys the outbox.
 */
#ifndef DAEMON_DEAD_OPS_H
#define DAEMON_DEAD_OPS_H

#include <stdio.h>
#include "base/error.h"
#include "daemon/admin.h"
#include "sinks/outbox.h"

enum { DEAD_OPS_LISTED_MAX = 1000 };

/* Writes the newest DEAD_OPS_LISTED_MAX that `pick` means, the newest first, and how many there
 * are. `outbox` may be NULL: no sinks.
 * Errors: -ENOENT there is no such sink, -EINVAL that is no incident id, -ENOMEM. */
int dead_ops_list(struct outbox *outbox, const struct admin_pick *pick, FILE *to,
                  struct error *err);

/* Sends them again. Nothing picked at all is refused, unless `pick` says all of them.
 * Errors: as above. */
int dead_ops_redrive(struct outbox *outbox, const struct admin_pick *pick, FILE *to,
                     struct error *err);

#endif

/*
 * waiting_ops.h - what of an incident the outbox has still to tell, as the admin server shows it.
 *
 *   GET /outbox/waiting?incident=ID     {"waiting":[{"sink":...,"reason":...},...],"count":1}
 *
 * Thread: any, while nobody destroys the outbox.
 */
#ifndef DAEMON_WAITING_OPS_H
#define DAEMON_WAITING_OPS_H

#include <stdio.h>
#include "base/error.h"
#include "daemon/admin.h"
#include "sinks/outbox.h"

enum { WAITING_OPS_LISTED_MAX = 1000 };

/* `outbox` may be NULL: no sinks.
 * Errors: -EINVAL no incident is named, or that is no id, -ENOMEM. */
int waiting_ops_list(struct outbox *outbox, const struct admin_pick *pick, FILE *to,
                     struct error *err);

#endif

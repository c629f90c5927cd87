/*
 * op_list.h - lists of the outbox's ops as the admin server gives them: which ops are meant, and
 * the JSON around the rows.
 *
 * Thread: admin.
 */
#ifndef DAEMON_OP_LIST_H
#define DAEMON_OP_LIST_H

#include <jansson.h>
#include <stdio.h>
#include "base/error.h"
#include "daemon/admin.h"
#include "sinks/outbox.h"

/* Errors: -ENOENT for an unknown sink, -EINVAL for what is no incident, with a sentence. */
int op_list_read_pick(const struct outbox *outbox, const struct admin_pick *pick,
                      struct outbox_pick *out, struct error *err);

/* Writes {"NAME":[...],"count":N} and a new line: the first `shown` of `count`. `row` gives a new
 * reference, NULL when memory is short.
 * Errors: -ENOMEM with a sentence. */
int op_list_write(const char *name, size_t count, size_t shown,
                  json_t *(*row)(const void *self, size_t index), const void *self, FILE *to,
                  struct error *err);

#endif

/*
 * admin_client.h - one question to the admin server of a running daemon.
 *
 * Thread: any; blocks until the answer is there.
 */
#ifndef DAEMON_ADMIN_CLIENT_H
#define DAEMON_ADMIN_CLIENT_H

#include <stdbool.h>
#include "base/error.h"

enum { ADMIN_CLIENT_SILENCE_S_MAX = 10 };

/* With the token of the environment variable TOCSIN_TOKEN, where there is one: sends GET or POST
 * for `path` (with its query) to "host:port". Fills *status, and *body, which the caller owns and
 * frees. Errors: -EINVAL (the address), -ENOMEM, -ETIMEDOUT (no answer), with a sentence. */
int admin_client_ask(const char *address, bool is_post, const char *path, int *status, char **body,
                     struct error *err);

#endif

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

/* Sends GET or POST for `path` (with its query) to "host:port", with `token`; where that is NULL,
 * with that of the environment variable TOCSIN_TOKEN, if there is one. Fills *status, and *body,
 * which the caller owns and frees. Errors: -EINVAL (the address or the token), -ENOMEM, -ETIMEDOUT
 * (no answer), with a sentence. */
int admin_client_ask(const char *address, const char *token, bool is_post, const char *path,
                     int *status, char **body, struct error *err);

struct admin_peer; /* daemon/admin_peer.h */

/* The same by POST with a body, for a command that does what a person wants: prints what was wrong
 * as its own sentence. `input` is the file that the body is, which the sentence names where that is
 * refused; NULL: it was made of options. EXIT_OK with the answer, which the caller frees, at 200
 * and 202; EXIT_CHANGED where what it is about is not there or not so any more (404, 409);
 * EXIT_DATA where an input is refused; EXIT_USAGE where another request is; EXIT_UNAVAILABLE where
 * nobody answers, or not now. */
int admin_client_command(const char *command, const struct admin_peer *peer, const char *path,
                         const char *input, const char *body, size_t bytes, char **answer);

#endif

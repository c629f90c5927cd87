/*
 * admin_peer.h - the daemon that a command asks to do something: where its admin server listens,
 * and whose token is sent.
 *
 * Options come first: --admin says where, --as whose. Then --config, the daemon's own
 * configuration, for its admin.listen and admin.tokens; the environment variable TOCSIN_TOKEN comes
 * before its tokens, for it is of who calls. Without either, the usual address and no token.
 *
 *   struct close_options { struct admin_peer peer; ... };
 *   static const struct option_row rows[] = {ADMIN_PEER_ROWS(struct close_options, peer), ...};
 *
 * Thread: main.
 */
#ifndef DAEMON_ADMIN_PEER_H
#define DAEMON_ADMIN_PEER_H

#include <stdbool.h>
#include "daemon/options.h"

struct config;

struct admin_peer {
    const char *admin, *config_path, *as; /* what the options say, borrowed; NULL: nothing */
    /* What was found. */
    const char *address;   /* borrowed from the options or from `config` */
    char *token;           /* owned; NULL: none of admin.tokens is sent */
    struct config *config; /* owned, or NULL */
};

#define ADMIN_PEER_ROWS(type, peer)                                                                \
    {"--config", OPTION_TEXT, offsetof(type, peer.config_path),                                    \
     "FILE",     NULL,        "The daemon's configuration: its admin.listen and admin.tokens.",    \
     .min = 0},                                                                                    \
        {"--admin",                                                                                \
         OPTION_TEXT,                                                                              \
         offsetof(type, peer.admin),                                                               \
         "HOST:PORT",                                                                              \
         NULL,                                                                                     \
         "Where the daemon's admin server listens, instead of admin.listen; without --config "     \
         "[127.0.0.1:9099].",                                                                      \
         .min = 0},                                                                                \
    {                                                                                              \
        "--as", OPTION_TEXT, offsetof(type, peer.as), "NAME", NULL,                                \
            "Whose token of admin.tokens is sent. Without it that of the environment variable "    \
            "TOCSIN_TOKEN, or the only one that can be read here.",                                \
            .min = 0                                                                               \
    }

/* Finds the address, and the token where one is wanted (who only looks needs none). Prints what is
 * wrong as `command`'s own sentence. An exit code: EXIT_CONFIG where the configuration is refused,
 * EXIT_USAGE where it has no such daemon or token, or more than one token and no --as. */
int admin_peer_find(struct admin_peer *peer, const char *command, bool wants_token);

/* Releases what was found. */
void admin_peer_release(struct admin_peer *peer);

#endif

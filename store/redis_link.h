/*
 * redis_link.h - the shared store's conversation with a Redis, by hiredis.
 *
 * Source: RESP2, https://redis.io/docs/reference/protocol-spec/
 * Bounds: `answer_ms` from the first byte of a command to the last one of its reply; replies of
 *         REDIS_REPLY_BYTES_MAX, REDIS_ITEMS_MAX items and REDIS_DEPTH_MAX lists within lists.
 * Thread: one at a time, in a process that ignores SIGPIPE.
 */
#ifndef STORE_REDIS_LINK_H
#define STORE_REDIS_LINK_H

#include "store/shared_link.h"

enum { REDIS_DEPTH_MAX = 4, REDIS_ITEMS_MAX = 1 << 20, REDIS_REPLY_BYTES_MAX = 128 << 20 };

struct redis_config {
    const char *address;  /* "host:port", or "unix:/path" */
    const char *user;     /* NULL: none, as before Redis 6 */
    const char *password; /* NULL: none */
    unsigned connect_ms;  /* [1000] */
    unsigned answer_ms;   /* [2000] */
};

/* 0, or -EINVAL with a sentence that says what is wrong with the address. */
int redis_address_check(const char *address, struct error *err);

/* Connects with the first command. The texts of the config are copied.
 * Owner:  the caller, until link->destroy().
 * Errors: -EINVAL with a sentence. */
int redis_link_create(const struct redis_config *config, struct shared_link **out,
                      struct error *err);

#endif

/*
 * shared_link.h - one conversation with the shared store: a command goes out, its reply comes in
 * (semantics H1). redis_link.c has the real one; a simulator puts itself in its place.
 *
 * Owner:  a reply and all it points at belong to the link, and live until its next command.
 * Thread: one at a time.
 */
#ifndef STORE_SHARED_LINK_H
#define STORE_SHARED_LINK_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/text.h"

enum shared_reply_kind {
    SHARED_REPLY_NIL,
    SHARED_REPLY_NUMBER,
    SHARED_REPLY_TEXT,  /* any bytes */
    SHARED_REPLY_ERROR, /* what the store says against the command */
    SHARED_REPLY_LIST,
};

struct shared_reply {
    enum shared_reply_kind kind;
    int64_t number;
    struct text text;
    const struct shared_reply *item;
    size_t count;
};

struct shared_link {
    /* 0 and the reply, which may be one of an error; or a negative errno with a sentence, after
     * which nobody knows whether the command was carried out. The next command connects anew. */
    int (*ask)(struct shared_link *link, const struct text *word, size_t count,
               const struct shared_reply **reply, struct error *err);
    void (*destroy)(struct shared_link *link);
};

#endif

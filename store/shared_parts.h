/*
 * shared_parts.h - what the files of the shared store share (store/shared_store.h is their door).
 *
 *   shared_store.c  who owns the unit, its logs and blobs
 *   shared_open.c   its open incidents
 *   shared_image.c  its image
 */
#ifndef STORE_SHARED_PARTS_H
#define STORE_SHARED_PARTS_H

#include "store/shared_store.h"

enum key {
    KEY_LEASE,
    KEY_FENCE,
    KEY_OWNER,
    KEY_END,
    KEY_JOURNAL,
    KEY_OPEN,
    KEY_INTAKE_END,
    KEY_INTAKE,
    KEY_IMAGE,
    KEY_COUNT
};

enum { SHARED_KEY_BYTES = SHARED_UNIT_BYTES + 64, SHARED_NUMBER_BYTES = 24 };

struct shared_store {
    struct shared_link *link;
    char unit[SHARED_UNIT_BYTES];
    char owner[SHARED_OWNER_BYTES];
    char key[KEY_COUNT][SHARED_KEY_BYTES];
    uint64_t fence;
    enum shared_former former;
    bool is_settled;   /* nothing is in doubt of what a former owner told */
    struct text *word; /* of the command under construction */
    size_t room;
};

/* First of all scripts that change what is under a fence. KEYS[1]: fence. ARGV[1]: ours. */
#define UNDER_FENCE                                                                                \
    "local fence = tonumber(redis.call('get', KEYS[1]) or '0')\n"                                  \
    "if not fence then return {5} end\n"                                                           \
    "if fence > tonumber(ARGV[1]) then return {1, 'number ' .. fence} end\n"                       \
    "if fence < tonumber(ARGV[1]) then return {2} end\n"

/* The chunks of the image that the key names, unless they are called `but`, stay for a minute more.
 */
#define SHARED_LET_GO(key, but)                                                                    \
    "local old = redis.call('get', " key ")\n"                                                     \
    "local name, count = string.match(old or '', '^(%S+) (%d+) ')\n"                               \
    "if name and name ~= " but " then\n"                                                           \
    "  for i = 0, tonumber(count) - 1 do\n"                                                        \
    "    redis.call('pexpire', " key " .. ':' .. name .. ':' .. i, 60000)\n"                       \
    "  end\n"                                                                                      \
    "end\n"

struct shared_script {
    const char *text;
    enum key key[KEY_COUNT];
    size_t keys;
    struct text more; /* one more key, behind these; NULL: none */
};

/* Asks. SHARED_AWAY and SHARED_DAMAGED with a sentence. */
enum shared_verdict shared_ask(struct shared_store *store, const struct text *word, size_t count,
                               const struct shared_reply **reply, struct error *err);

/* Runs it; `*said` is its list. */
enum shared_verdict shared_run(struct shared_store *store, const struct shared_script *script,
                               const struct text *argument, size_t count,
                               const struct shared_reply **said, struct error *err);

enum shared_verdict shared_damaged(struct shared_store *store, struct error *err, const char *what);

struct text shared_number_text(char to[SHARED_NUMBER_BYTES], uint64_t number);

/* A whole number at the start of `text`, up to `max`; `*left` is what is behind it. */
bool shared_number_read(struct text text, uint64_t max, uint64_t *out, struct text *left);

#endif

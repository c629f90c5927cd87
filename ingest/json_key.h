/*
 * json_key.h - which of a few known names is this? One multiplication, one compare.
 *
 * Names are told apart by their first eight bytes and their length. A set looks
 * for a multiplier that sends its names to different slots, once, when it is made.
 *
 * Thread: a set is read-only after json_keys_init().
 */
#ifndef INGEST_JSON_KEY_H
#define INGEST_JSON_KEY_H

#include "base/bytes.h"
#include "base/event.h"

enum { JSON_KEY_SLOTS = 32, JSON_KEY_SHIFT = 64 - 5 };

/* Longer than any name in a record, so that it equals none. */
#define JSON_KEY_FREE UINT32_MAX

struct json_keys {
    uint64_t multiplier;
    struct json_key {
        uint64_t head; /* first eight bytes, zeros behind a shorter name */
        uint32_t len;  /* JSON_KEY_FREE: an empty slot */
        uint32_t id;
        const char *name;
    } slot[JSON_KEY_SLOTS];
};

/* Fills the set; names[i] gets id i. At most JSON_KEY_SLOTS / 2 names. */
void json_keys_init(struct json_keys *keys, const char *const *names, uint32_t count);

static inline uint32_t json_keys_slot(uint64_t multiplier, uint64_t head, uint32_t len)
{
    return (uint32_t)(((head ^ len) * multiplier) >> JSON_KEY_SHIFT);
}

/* The id of `name`, or `other`. `head`: its first eight bytes, as bytes_load_short(). */
static inline uint32_t json_keys_find(const struct json_keys *keys, struct text name, uint64_t head,
                                      uint32_t other)
{
    const struct json_key *key = &keys->slot[json_keys_slot(keys->multiplier, head, name.len)];

    if (key->head != head || key->len != name.len)
        return other;
    if (name.len > 8 && memcmp(key->name, name.at, name.len) != 0)
        return other;
    return key->id;
}

#endif

/* json_key.c - see json_key.h. */
#include "ingest/json_key.h"

#include <assert.h>
#include "base/hash.h"

static bool fill(struct json_keys *keys, const char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < JSON_KEY_SLOTS; i++)
        keys->slot[i] = (struct json_key){.len = JSON_KEY_FREE};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len = (uint32_t)strlen(names[i]);
        uint64_t head = bytes_load_short(names[i], len);
        struct json_key *key = &keys->slot[json_keys_slot(keys->multiplier, head, len)];
        if (key->len != JSON_KEY_FREE)
            return false;
        *key = (struct json_key){head, len, i, names[i]};
    }
    return true;
}

void json_keys_init(struct json_keys *keys, const char *const *names, uint32_t count)
{
    assert(count <= JSON_KEY_SLOTS / 2);
    /* Half full at most: one multiplier in a few hundred fits. Always the same
     * sequence, so the set is the same in every run. */
    uint64_t try = 1;
    do {
        keys->multiplier = hash_mix(try++) | 1;
    } while (!fill(keys, names, count));
}

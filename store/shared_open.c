/*
 * shared_open.c - open incidents in the shared store, for everyone to read: see shared_store.h.
 * What a frame changes of them goes there with the frame (shared_store.c).
 */
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "store/shared_parts.h"

enum { SCAN_ITEMS = 500, SCANS_MAX = 1 << 20 };

/* KEYS[2]: open. ARGV: fence, and pairs of an incident's id and its record. */
static const char PUT_OPEN[] =
    UNDER_FENCE "for i = 2, #ARGV, 2 do redis.call('hset', KEYS[2], ARGV[i], ARGV[i + 1]) end\n"
                "return {0}\n";

enum shared_verdict shared_store_put_open(struct shared_store *store,
                                          const struct shared_open *open, size_t count,
                                          struct error *err)
{
    const struct shared_script script = {.text = PUT_OPEN, .key = {KEY_FENCE, KEY_OPEN}, .keys = 2};
    char fence[SHARED_NUMBER_BYTES];
    struct text *argument = memory_alloc((1 + 2 * count) * sizeof(*argument));
    char(*id)[ID128_TEXT_BYTES] = memory_alloc((count + 1) * sizeof(*id));
    const struct shared_reply *said;

    argument[0] = shared_number_text(fence, store->fence);
    for (size_t i = 0; i < count; i++) {
        id128_format(open[i].id, id[i]);
        argument[1 + 2 * i] = text_of(id[i]);
        argument[2 + 2 * i] = open[i].record;
    }
    enum shared_verdict verdict = shared_run(store, &script, argument, 1 + 2 * count, &said, err);
    free(argument);
    free(id);
    return verdict;
}

enum shared_verdict shared_store_open_list(struct shared_store *store,
                                           void (*take)(void *user, const struct shared_open *),
                                           void *user, struct error *err)
{
    char cursor[SHARED_NUMBER_BYTES] = "0", count[SHARED_NUMBER_BYTES];
    struct text word[] = {text_of("HSCAN"),
                          text_of(store->key[KEY_OPEN]),
                          {cursor, 1},
                          text_of("COUNT"),
                          shared_number_text(count, SCAN_ITEMS)};

    unsigned scans = 0;

    do {
        const struct shared_reply *reply;
        enum shared_verdict verdict = shared_ask(store, word, 5, &reply, err);
        if (verdict != SHARED_FINE)
            return verdict;
        if (scans++ == SCANS_MAX || reply->kind != SHARED_REPLY_LIST || reply->count != 2 ||
            reply->item[0].kind != SHARED_REPLY_TEXT || reply->item[0].text.len >= sizeof(cursor) ||
            reply->item[1].kind != SHARED_REPLY_LIST || reply->item[1].count % 2 != 0)
            return shared_damaged(store, err, "the list of open incidents");
        for (size_t i = 0; i < reply->item[1].count; i += 2) {
            const struct shared_reply *id = &reply->item[1].item[i], *record = id + 1;
            struct shared_open open;
            if (id->kind != SHARED_REPLY_TEXT || record->kind != SHARED_REPLY_TEXT ||
                id->text.len != ID128_TEXT_BYTES - 1 || !id128_parse(id->text.at, &open.id))
                return shared_damaged(store, err, "an open incident");
            open.record = record->text;
            take(user, &open);
        }
        word[2].len = reply->item[0].text.len;
        memcpy(cursor, reply->item[0].text.at, word[2].len);
    } while (!texts_equal(word[2], text_of("0")));
    return SHARED_FINE;
}

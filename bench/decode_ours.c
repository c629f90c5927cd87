/* decode_ours.c - see decode_ours.h. */
#include "bench/decode_ours.h"

#include <stdio.h>
#include "ingest/decoder.h"

enum { SEED = 7, PACKED_BYTES_MAX = 1 << 16 };

static bool pack(const struct event_draft *draft, uint64_t *hashes)
{
    static char packed[PACKED_BYTES_MAX] __attribute__((aligned(8)));
    size_t bytes = event_text_bytes(draft);

    if (bytes > sizeof(packed))
        return false;
    const struct event_text *text = event_text_pack(packed, bytes, draft, draft->time_ms);
    struct id128 id = event_fingerprint(text, SEED);
    *hashes += id.hi ^ id.lo ^ event_attr_hash(text, draft->severity, draft->state, SEED);
    return true;
}

static uint64_t answer_of(const struct event_draft *draft)
{
    static const enum event_field fields[] = {FIELD_SOURCE, FIELD_RESOURCE, FIELD_CHECK,
                                              FIELD_MESSAGE};
    uint64_t answer = (uint64_t)(draft->value * 1000 + 0.5);

    for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
        struct text text = draft->field[fields[f]];
        answer += (text.len > 0 ? (unsigned char)text.at[0] : 0u) + text.len;
    }
    return answer;
}

bool decode_ours(struct decoder *decoder, const char *all, const size_t *at, const size_t *bytes,
                 size_t count, bool with_pack, uint64_t *answer, uint64_t *hashes)
{
    for (size_t i = 0; i < count; i++) {
        const struct decode_result *result =
            decoder_decode(decoder, FORMAT_NATIVE, all + at[i], bytes[i], (struct text){"t0", 2});
        if (result->reason != REJECT_NONE) {
            fprintf(stderr, "refused: %s at %u\n", result->why, result->at);
            return false;
        }
        if (with_pack && !pack(&result->drafts[0], hashes)) {
            fprintf(stderr, "an event of %zu bytes is too large to be packed here\n", bytes[i]);
            return false;
        }
        *answer += answer_of(&result->drafts[0]);
    }
    return true;
}

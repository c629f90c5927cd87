/*
 * Aim: the decoder accepts what the reference accepts and finds the same values,
 * and what is found is packed into the same bytes, with every instruction set.
 * Method: libFuzzer over raw records; the record stands in an allocation of its own,
 * and so does what is packed, so that a byte touched outside of them is found.
 */
#include <stdlib.h>
#include "ingest/decode.h"
#include "tests/reference_decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The draft packed by the chosen set. The caller owns it. */
static struct event_text *pack(const struct event_draft *draft, size_t *bytes)
{
    *bytes = event_text_bytes(draft);
    return event_text_pack(calloc(1, *bytes), *bytes, draft, draft->time_ms);
}

static bool is_same(const struct event_text *a, const struct event_text *b, size_t bytes)
{
    const char *behind = event_text_data(a);

    behind += a->label_count > 0 ? a->label_end[2 * a->label_count - 1]
                                 : a->field_end[EVENT_FIELD_COUNT - 1];
    /* A copy may leave something in the few bytes behind the last word. */
    return a->bytes == bytes && b->bytes == bytes &&
           memcmp(a, b, (size_t)(behind - (const char *)a)) == 0;
}

static void expect_same_packing(const struct event_draft *draft)
{
    size_t bytes;

    isa_use(ISA_SCALAR);
    struct event_text *want = pack(draft, &bytes);
    for (unsigned isa = ISA_SCALAR + 1; isa < ISA_COUNT; isa++) {
        if (!isa_is_supported((enum isa)isa))
            continue;
        isa_use((enum isa)isa);
        struct event_text *got = pack(draft, &bytes);
        if (!is_same(want, got, bytes)) {
            fprintf(stderr, "%s packs an event of %u labels otherwise than scalar\n",
                    isa_name((enum isa)isa), draft->label_count);
            abort();
        }
        free(got);
    }
    free(want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct decoder *decoders[ISA_COUNT];
    static const enum event_format formats[] = {FORMAT_AUTO, FORMAT_NATIVE, FORMAT_ALERTMANAGER};
    char *record = malloc(bytes > 0 ? bytes : 1);

    memcpy(record, data, bytes);
    for (unsigned isa = 0; isa < ISA_COUNT; isa++) {
        if (decoders[isa] != NULL || !isa_is_supported((enum isa)isa))
            continue;
        /* Some sets share the kernel of the one below them. */
        if (isa > 0 && json_index_of((enum isa)isa) == json_index_of((enum isa)(isa - 1)))
            continue;
        isa_use((enum isa)isa);
        decoders[isa] = decoder_create();
    }
    for (int f = 0; f < 3; f++) {
        struct ref_result want = ref_decode(formats[f], record, bytes, "t0");
        const struct decode_result *got = NULL;
        for (unsigned isa = 0; isa < ISA_COUNT; isa++) {
            if (decoders[isa] == NULL)
                continue;
            got = decoder_decode(decoders[isa], formats[f], record, bytes, (struct text){"t0", 2});
            const char *what = ref_compare(&want, got);
            if (what != NULL) {
                fprintf(stderr, "%s, format %d: %s (%s at %u)\n", isa_name((enum isa)isa), f, what,
                        got->why, got->at);
                abort();
            }
        }
        for (uint32_t i = 0; i < got->draft_count; i++)
            expect_same_packing(&got->drafts[i]);
        ref_release(&want);
    }
    free(record);
    return 0;
}

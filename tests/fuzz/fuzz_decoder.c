/*
 * Aim: the decoder accepts what the reference accepts and finds the same values,
 * with every kernel. Method: libFuzzer over raw records; the record stands in an
 * allocation of its own, so that a byte read outside of it is found.
 */
#include <stdlib.h>
#include "ingest/decode.h"
#include "tests/reference_decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct decoder *decoders[8];
    static const enum event_format formats[] = {FORMAT_AUTO, FORMAT_NATIVE, FORMAT_ALERTMANAGER};
    size_t kernels;
    const struct json_index_kernel *kernel = json_index_kernels(&kernels);
    char *record = malloc(bytes > 0 ? bytes : 1);

    memcpy(record, data, bytes);
    for (size_t k = 0; k < kernels; k++)
        if (decoders[k] == NULL && kernel[k].is_supported())
            decoders[k] = decoder_create_with(kernel[k].run);
    for (int f = 0; f < 3; f++) {
        struct ref_result want = ref_decode(formats[f], record, bytes, "t0");
        for (size_t k = 0; k < kernels; k++) {
            if (decoders[k] == NULL)
                continue;
            const struct decode_result *got =
                decoder_decode(decoders[k], formats[f], record, bytes, (struct text){"t0", 2});
            const char *what = ref_compare(&want, got);
            if (what != NULL) {
                fprintf(stderr, "kernel %s, format %d: %s (%s at %u)\n", kernel[k].name, f, what,
                        got->why, got->at);
                abort();
            }
        }
        ref_release(&want);
    }
    free(record);
    return 0;
}

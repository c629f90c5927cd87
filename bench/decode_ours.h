/*
 * decode_ours.h - for bench_decode: events taken in as ingest does, compiled as the daemon is.
 *
 * The yardstick beside it is compiled for the processor of the machine; what is measured of ours
 * must not be, down to the loops of its headers.
 */
#ifndef BENCH_DECODE_OURS_H
#define BENCH_DECODE_OURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct decoder;

/* Decodes the `count` events of bytes[i] at all + at[i]; with `with_pack` packs and hashes each as
 * well. *answer grows by what was read of them: of the texts first byte and length, of the value
 * its thousandths; *hashes by what was hashed. False: one was refused, which is said. */
bool decode_ours(struct decoder *decoder, const char *all, const size_t *at, const size_t *bytes,
                 size_t count, bool with_pack, uint64_t *answer, uint64_t *hashes);

#ifdef __cplusplus
}
#endif

#endif

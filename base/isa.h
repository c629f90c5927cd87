/*
 * isa.h - which instruction set of the processor the hot path uses: one choice for the process.
 *
 * What is worth more than one form - the index of a record's quotes (ingest/json_index.c), packing
 * (base/event.c), checksums (store/crc32c.c) - takes the best one that it has up to the chosen set:
 *
 *   set        asks of the processor             index      packing    checksum
 *   avx512     avx512bw and AVX-512 VBMI2        own        as below   as below
 *   avx512bw   avx2 and AVX-512 F, BW, VL        as below   own        as below
 *   avx2       sse42 and AVX2, BMI1, BMI2        own        as below   as below
 *   sse42      SSE 4.2, POPCNT                   as below   as below   own
 *   sse2       any x86-64                        own        as below   as below
 *   neon       aarch64, CRC32                    own        as below   own
 *   scalar     any                               plain C    plain C    plain C
 *
 * All forms give the same answers, byte for byte, so what one wrote another reads. Plain C means
 * what the compiler makes of it for any processor of the architecture. The C library and the
 * library that looks for patterns choose for themselves, by what the processor has.
 *
 * The processor is asked before main(); isa_choose() may settle for less.
 */
#ifndef BASE_ISA_H
#define BASE_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

/* Of one architecture a larger one has what the smaller ones have. */
enum isa {
    ISA_SCALAR,
    ISA_SSE2,
    ISA_SSE42,
    ISA_AVX2,
    ISA_AVX512BW,
    ISA_AVX512,
    ISA_NEON,
    ISA_COUNT,
};

enum { ISA_LIST_BYTES = 80 };

/* As the table above has it. Never NULL. */
const char *isa_name(enum isa isa);

/* By this build and by the processor that it runs on. */
bool isa_is_supported(enum isa isa);

/* The largest set that is supported. */
enum isa isa_best(void);

/* The names of all that are supported, best first: "avx2, sse42, sse2, scalar". Returns `to`. */
const char *isa_list(char to[ISA_LIST_BYTES]);

/* From here on this set, which is supported, is the chosen one. What exists already, such as a
 * decoder, may go on with the form that it has.
 * Thread: any, while no other runs. */
void isa_use(enum isa isa);

/* The same by name.
 * Errors: -EINVAL for a name that there is not, -ENOTSUP for one that this processor lacks; then
 *         nothing is changed. */
int isa_choose(const char *name, struct error *err);

extern enum isa isa_now; /* written by isa_use() alone */

/* Thread: any. */
static inline enum isa isa_chosen(void)
{
    return isa_now;
}

#endif

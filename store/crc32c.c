/*
 * crc32c.c - see crc32c.h. The instruction works off eight bytes in three cycles, more than any
 * disk takes; the table eight bytes in eight look-ups ("slicing by 8", Kounavis and Berry, 2005).
 */
#include "store/crc32c.h"

#include <pthread.h>
#include "base/bytes.h"
#include "base/isa.h"

#define POLYNOMIAL_REVERSED 0x82f63b78u

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (POLYNOMIAL_REVERSED & -(crc & 1));
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int k = 1; k < 8; k++)
            tables[k][byte] = tables[k - 1][byte] >> 8 ^ tables[0][tables[k - 1][byte] & 0xff];
}

uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t bytes)
{
    const uint8_t *at = data;

    pthread_once(&tables_once, make_tables);
    crc = ~crc;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                              (uint32_t)at[3] << 24);
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
              tables[4][low >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    for (; bytes > 0; at++, bytes--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)

static const enum isa isa_of_instruction = ISA_SSE42;

static __attribute__((target("sse4.2"))) uint32_t by_instruction(uint32_t crc, const void *data,
                                                                 size_t bytes)
{
    const char *at = data;
    uint64_t wide = ~crc;

    for (; bytes >= 8; at += 8, bytes -= 8)
        wide = __builtin_ia32_crc32di(wide, bytes_load64(at));
    crc = (uint32_t)wide;
    for (; bytes > 0; at++, bytes--)
        crc = __builtin_ia32_crc32qi(crc, (uint8_t)*at);
    return ~crc;
}

#elif defined(__aarch64__)

static const enum isa isa_of_instruction = ISA_NEON;

/* By their names: compilers do not agree on those of the builtins. */
static uint32_t by_instruction(uint32_t crc, const void *data, size_t bytes)
{
    const char *at = data;

    crc = ~crc;
    for (; bytes >= 8; at += 8, bytes -= 8)
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(bytes_load64(at)));
    for (; bytes > 0; at++, bytes--)
        __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint8_t)*at));
    return ~crc;
}

#else

static const enum isa isa_of_instruction = ISA_COUNT;
#define by_instruction crc32c_by_table

#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
    return isa_chosen() >= isa_of_instruction ? by_instruction(crc, data, bytes)
                                              : crc32c_by_table(crc, data, bytes);
}

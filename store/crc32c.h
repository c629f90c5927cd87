/*
 * crc32c.h - the checksum of what is written to a data directory: CRC-32C (Castagnoli).
 *
 * Chosen over the hashes of base/hash.h for what it promises of short damage: every burst of
 * up to 32 bits and every odd number of flipped bits is noticed, not only nearly every.
 *
 * Source: RFC 3720, appendix B.4 (test vectors); the instruction is SSE 4.2's crc32, or
 *         aarch64's crc32c.
 * Thread: any.
 */
#ifndef STORE_CRC32C_H
#define STORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` stands for (0: nothing) and these bytes. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

/* The same without the instruction, for processors that have none (base/isa.h) and to check the
 * other by. */
uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t bytes);

#endif

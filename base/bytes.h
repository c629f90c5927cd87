/*
 * bytes.h - unaligned loads and short copies, bounded exactly.
 *
 * Words of events are mostly 4 to 32 bytes long; for these a call of memcpy costs
 * more than the copy. Nothing here touches a byte outside of what it is given.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Eight bytes, the first one lowest, on any machine. */
static inline uint64_t bytes_load64(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint32_t bytes_load32(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

/* The first min(len, 8) bytes, the rest zero; reads inside of [at, at + len) only. */
static inline uint64_t bytes_load_short(const char *at, size_t len)
{
    /* Most words: two loads that meet or overlap, no branch on the length. */
    if (len - 4 <= 4) {
        uint64_t tail = bytes_load32(at + len - 4);
        return bytes_load32(at) | tail << 8 * (len - 4);
    }
    if (len > 8)
        return bytes_load64(at);
    if (len == 0)
        return 0;
    /* 1 to 3 bytes: first, middle and last cover them all. */
    uint64_t middle = (uint8_t)at[len / 2], last = (uint8_t)at[len - 1];
    return (uint64_t)(uint8_t)at[0] | middle << 8 * (len / 2) | last << 8 * (len - 1);
}

/* Copies `len` bytes; short ones by two overlapping moves. Returns the end. */
static inline char *bytes_put(char *to, const char *from, size_t len)
{
    if (len > 64) {
        memcpy(to, from, len);
    } else if (len >= 16) {
        char block[32];
        /* The ends first into registers, then out: four overlapping moves at most. */
        memcpy(block, from, 16);
        memcpy(block + 16, from + len - 16, 16);
        if (len > 32) {
            char middle[32];
            memcpy(middle, from + 16, 16);
            memcpy(middle + 16, from + len - 32, 16);
            memcpy(to + 16, middle, 16);
            memcpy(to + len - 32, middle + 16, 16);
        }
        memcpy(to, block, 16);
        memcpy(to + len - 16, block + 16, 16);
    } else if (len >= 8) {
        uint64_t head, tail;
        memcpy(&head, from, 8);
        memcpy(&tail, from + len - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + len - 8, &tail, 8);
    } else if (len >= 4) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + len - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + len - 4, &tail, 4);
    } else if (len > 0) {
        char first = from[0], middle = from[len / 2], last = from[len - 1];
        to[0] = first;
        to[len / 2] = middle;
        to[len - 1] = last;
    }
    return to + len;
}

#endif

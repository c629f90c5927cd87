/* utf8.c - see utf8.h. ASCII goes by eight bytes at a time, the rest by grammar. */
#include "ingest/utf8.h"

#include "base/bytes.h"

static inline int is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the character at `at`, 0 when it is none. RFC 3629, section 4. */
static size_t char_bytes(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    if (first < 0xe0)
        return left >= 2 && is_tail(at[1]) ? 2 : 0;
    if (first < 0xf0) {
        if (left < 3 || !is_tail(at[1]) || !is_tail(at[2]))
            return 0;
        if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f))
            return 0; /* overlong; surrogate */
        return 3;
    }
    if (left < 4 || !is_tail(at[1]) || !is_tail(at[2]) || !is_tail(at[3]))
        return 0;
    if ((first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f))
        return 0; /* overlong; above U+10FFFF */
    return 4;
}

size_t utf8_valid_bytes(const char *text, size_t bytes)
{
    size_t at = 0;

    while (at < bytes) {
        if (bytes - at >= 8 && (bytes_load64(text + at) & 0x8080808080808080ULL) == 0) {
            at += 8;
            continue;
        }
        size_t step = char_bytes((const unsigned char *)text + at, bytes - at);
        if (step == 0)
            break;
        at += step;
    }
    return at;
}

char *utf8_put(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

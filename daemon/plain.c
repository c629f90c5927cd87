/* plain.c - see plain.h. */
#include "daemon/plain.h"

#include <stdarg.h>
#include <stdlib.h>
#include "base/text.h"

/* Of the sequence that this byte begins; 0: it begins none. */
static uint32_t sequence_bytes(unsigned char first)
{
    return first < 0x80                    ? 1
           : first >= 0xc2 && first < 0xe0 ? 2
           : first >= 0xe0 && first < 0xf0 ? 3
           : first >= 0xf0 && first < 0xf5 ? 4
                                           : 0;
}

static bool is_shown(uint32_t code)
{
    return code >= 0x20 && (code < 0x7f || code > 0x9f) && code != 0x2028 && code != 0x2029 &&
           (code < 0x202a || code > 0x202e) && (code < 0x2066 || code > 0x2069);
}

/* 0: what begins here is no character. */
static uint32_t character_bytes(struct text text, uint32_t *to)
{
    /* The smallest that needs so many bytes: less is another spelling, which is no UTF-8. */
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)text.at[0];
    uint32_t bytes = sequence_bytes(first), code = first;

    if (bytes == 0 || bytes > text.len)
        return 0;
    if (bytes > 1)
        code = first & (0x7fu >> bytes);
    for (uint32_t i = 1; i < bytes; i++) {
        unsigned char next = (unsigned char)text.at[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (next & 0x3fu);
    }
    if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    *to = code;
    return bytes;
}

uint32_t plain_character(struct text text, bool *is_plain)
{
    uint32_t code = 0, bytes = character_bytes(text, &code);

    *is_plain = bytes > 0 && is_shown(code);
    return bytes > 0 ? bytes : 1;
}

void plain_print_text(struct text text, FILE *to)
{
    uint32_t from = 0, at = 0; /* what lies between is plain and not printed yet */
    bool is_plain;

    while (at < text.len) {
        uint32_t bytes = plain_character((struct text){text.at + at, text.len - at}, &is_plain);
        if (!is_plain) {
            fwrite(text.at + from, 1, at - from, to);
            fputc('?', to);
            from = at + bytes;
        }
        at += bytes;
    }
    if (from < at)
        fwrite(text.at + from, 1, at - from, to);
}

void plain_print(const char *text, FILE *to)
{
    plain_print_text(text_of(text), to);
}

void plain_print_utf8(const char *text, FILE *to)
{
    struct text rest = text_of(text);
    uint32_t code;

    while (rest.len > 0) {
        uint32_t bytes = character_bytes(rest, &code), step = bytes > 0 ? bytes : 1;
        fwrite(bytes > 0 ? rest.at : "\xef\xbf\xbd", 1, bytes > 0 ? bytes : 3, to);
        rest.at += step;
        rest.len -= step;
    }
}

void plain_printf(FILE *to, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int bytes;

    va_start(args, format);
    bytes = vasprintf(&text, format, args);
    va_end(args);
    if (bytes < 0) {
        fputs("(out of memory)", to);
        return;
    }
    plain_print_text((struct text){text, (uint32_t)bytes}, to);
    free(text);
}

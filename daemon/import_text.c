/* import_text.c - see import_text.h. */
#include "daemon/import_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"

enum { CHUNK_BYTES = 64 << 10, ALIGN = 16 };

struct import_chunk {
    struct import_chunk *next;
    _Alignas(ALIGN) char bytes[];
};

void *import_pool_alloc(struct import_pool *pool, size_t bytes)
{
    size_t rounded = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    char *at;

    if (rounded > pool->left) {
        size_t room = rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES;
        struct import_chunk *chunk = memory_alloc(sizeof(*chunk) + room);
        chunk->next = pool->chunks;
        pool->chunks = chunk;
        pool->at = chunk->bytes;
        pool->left = room;
    }
    at = pool->at;
    pool->at += rounded;
    pool->left -= rounded;
    memset(at, 0, rounded);
    return at;
}

const char *import_pool_copy(struct import_pool *pool, const char *from, size_t bytes)
{
    char *to = import_pool_alloc(pool, bytes + 1);

    memcpy(to, from, bytes);
    return to;
}

const char *import_pool_format(struct import_pool *pool, const char *format, ...)
{
    va_list args;
    int bytes;
    char *to;

    va_start(args, format);
    bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (bytes < 0)
        return "";
    to = import_pool_alloc(pool, (size_t)bytes + 1);
    va_start(args, format);
    vsnprintf(to, (size_t)bytes + 1, format, args);
    va_end(args);
    return to;
}

void import_pool_release(struct import_pool *pool)
{
    while (pool->chunks != NULL) {
        struct import_chunk *next = pool->chunks->next;
        free(pool->chunks);
        pool->chunks = next;
    }
    *pool = (struct import_pool){NULL, NULL, 0};
}

void import_text_add(struct import_text *text, const char *from, size_t bytes)
{
    if (text->bytes + bytes + 1 > text->room) {
        size_t room = text->room > 0 ? text->room : 256;
        while (room < text->bytes + bytes + 1)
            room *= 2;
        text->at = memory_grow(text->at, room);
        text->room = room;
    }
    memcpy(text->at + text->bytes, from, bytes);
    text->bytes += bytes;
    text->at[text->bytes] = '\0';
}

void import_text_put(struct import_text *text, const char *word)
{
    import_text_add(text, word, strlen(word));
}

void import_text_format(struct import_text *text, const char *format, ...)
{
    char short_one[256];
    va_list args;
    int bytes;

    va_start(args, format);
    bytes = vsnprintf(short_one, sizeof(short_one), format, args);
    va_end(args);
    if (bytes < 0)
        return;
    if ((size_t)bytes < sizeof(short_one)) {
        import_text_add(text, short_one, (size_t)bytes);
        return;
    }
    char *long_one = memory_alloc((size_t)bytes + 1);
    va_start(args, format);
    vsnprintf(long_one, (size_t)bytes + 1, format, args);
    va_end(args);
    import_text_add(text, long_one, (size_t)bytes);
    free(long_one);
}

/* The UTF-8 character at `at`, and its length; what is no UTF-8 counts as one byte. */
static uint32_t character_at(const char *at, size_t left, size_t *bytes)
{
    unsigned char first = (unsigned char)at[0];
    size_t count = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t code = first < 0x80   ? first
                    : first < 0xe0 ? first & 0x1fu
                    : first < 0xf0 ? first & 0x0fu
                                   : first & 0x07u;

    if (count > left)
        count = 1;
    for (size_t i = 1; i < count; i++)
        code = code << 6 | ((unsigned char)at[i] & 0x3fu);
    *bytes = count;
    return code;
}

/* What YAML does not print, or takes for the end of a line. */
static bool is_hidden(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029 ||
           code == 0xfeff || code == 0xfffe || code == 0xffff;
}

/* Both YAML's double quotes and the rule language know these escapes. */
static void escaped(struct import_text *text, const char *from, size_t bytes)
{
    size_t count;

    for (size_t i = 0; i < bytes; i += count) {
        uint32_t code = character_at(from + i, bytes - i, &count);
        if (code == '"' || code == '\\')
            import_text_format(text, "\\%c", (char)code);
        else if (code == '\n' || code == '\t' || code == '\r')
            import_text_format(text, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
        else if (is_hidden(code))
            import_text_format(text, "\\u%04x", (unsigned)code);
        else
            import_text_add(text, from + i, count);
    }
}

void import_text_literal(struct import_text *text, const char *from, size_t bytes)
{
    import_text_add(text, "\"", 1);
    escaped(text, from, bytes);
    import_text_add(text, "\"", 1);
}

void import_text_quoted(struct import_text *text, const char *from, size_t bytes)
{
    import_text_literal(text, from, bytes);
}

void import_text_line(struct import_text *text, const char *from, size_t bytes)
{
    bool is_gap = false, is_begun = false;
    size_t count;

    for (size_t i = 0; i < bytes; i += count) {
        uint32_t code = character_at(from + i, bytes - i, &count);
        if (is_hidden(code) || code == ' ') {
            is_gap = true;
            continue;
        }
        if (is_gap && is_begun)
            import_text_add(text, " ", 1);
        is_gap = false;
        is_begun = true;
        import_text_add(text, from + i, count);
    }
}

struct text import_text_sentence(const char *said)
{
    const char *end = said + strcspn(said, "\n"), *at = said;

    for (int colons = 0; colons < 3; colons++) {
        const char *colon = strchr(at, ':');
        if (colon == NULL || colon > end)
            break;
        at = colon + 1;
    }
    at += *at == ' ';
    return (struct text){at, (uint32_t)(end - at)};
}

const char *import_text_take(struct import_text *text, struct import_pool *pool)
{
    const char *copy = import_pool_copy(pool, text->at != NULL ? text->at : "", text->bytes);

    import_text_release(text);
    return copy;
}

void import_text_release(struct import_text *text)
{
    free(text->at);
    *text = (struct import_text){NULL, 0, 0};
}

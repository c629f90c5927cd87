/* text_buffer.c - see text_buffer.h. */
#include "correlate/text_buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"

size_t text_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

void text_begin(struct text_buffer *buffer)
{
    buffer->at = buffer->first;
    buffer->used = 0;
    buffer->room = sizeof(buffer->first);
    buffer->first[0] = '\0';
}

void text_end(struct text_buffer *buffer)
{
    if (buffer->at != buffer->first)
        free(buffer->at);
}

void text_put(struct text_buffer *to, const char *text, size_t len)
{
    if (to->used + len + 1 > to->room) {
        bool is_first = to->at == to->first;
        to->room = (to->used + len + 1) * 2;
        to->at = memory_grow(is_first ? NULL : to->at, to->room);
        if (is_first)
            memcpy(to->at, to->first, to->used + 1);
    }
    if (len > 0)
        memcpy(to->at + to->used, text, len);
    to->used += len;
    to->at[to->used] = '\0';
}

void text_put_string(struct text_buffer *to, const char *text)
{
    text_put(to, text, strlen(text));
}

void text_put_number(struct text_buffer *to, int64_t number)
{
    char text[32];

    text_put(to, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, number));
}

void text_put_duration(struct text_buffer *to, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

    if (ms == 0)
        text_put_string(to, "0ms");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms / units[i].ms > 0) {
            text_put_number(to, ms / units[i].ms);
            text_put_string(to, units[i].unit);
            ms %= units[i].ms;
        }
    }
}

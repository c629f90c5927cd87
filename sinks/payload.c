/* payload.c - see payload.h. */
#include "sinks/payload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

size_t payload_prefix_bytes(const char *text, size_t chars_max)
{
    size_t bytes = 0;

    for (; text[bytes] != '\0'; bytes++) {
        bool is_start = ((unsigned char)text[bytes] & 0xc0) != 0x80;
        if (is_start && chars_max-- == 0)
            break;
    }
    return bytes;
}

/* Length of the UTF-8 sequence at `at`, 0 when it is none. Source: RFC 3629. */
static size_t sequence_bytes(const unsigned char *at, size_t left)
{
    size_t bytes = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (bytes > left || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0; /* overlong, a surrogate, or beyond U+10FFFF */
    return bytes;
}

/* A string in which every byte that is not UTF-8 is U+FFFD. New reference. */
static json_t *repaired_string(const char *text, size_t bytes)
{
    char *repaired = malloc(3 * bytes + 1);
    size_t used = 0;
    json_t *string;

    if (repaired == NULL)
        return NULL;
    for (size_t i = 0; i < bytes;) {
        size_t n = sequence_bytes((const unsigned char *)text + i, bytes - i);
        memcpy(repaired + used, n > 0 ? text + i : "\xef\xbf\xbd", n > 0 ? n : 3);
        used += n > 0 ? n : 3;
        i += n > 0 ? n : 1;
    }
    string = json_stringn(repaired, used);
    free(repaired);
    return string;
}

int payload_set_text(json_t *object, const char *key, const char *text, size_t chars_max)
{
    size_t bytes = payload_prefix_bytes(text, chars_max);
    json_t *string;

    if (bytes == 0)
        return 0;
    string = json_stringn(text, bytes);
    if (string == NULL)
        string = repaired_string(text, bytes);
    /* json_object_set_new() steals the string, also when it fails. */
    return json_object_set_new(object, key, string) == 0 ? 0 : -ENOMEM;
}

int payload_set_count(json_t *object, const char *key, uint64_t count)
{
    return json_object_set_new(object, key, json_integer((json_int_t)count)) == 0 ? 0 : -ENOMEM;
}

void payload_format_time(int64_t ms, char to[PAYLOAD_TIME_BYTES])
{
    int64_t rest = ((ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((ms - rest) / 1000);
    struct tm tm;
    char day[PAYLOAD_TIME_BYTES - 8];

    /* A count of milliseconds in 64 bits never leaves the years that tm can hold. */
    gmtime_r(&seconds, &tm);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(to, PAYLOAD_TIME_BYTES, "%s.%03dZ", day, (int)rest);
}

int payload_set_time(json_t *object, const char *key, int64_t ms)
{
    char text[PAYLOAD_TIME_BYTES];

    payload_format_time(ms, text);
    return json_object_set_new(object, key, json_string(text)) == 0 ? 0 : -ENOMEM;
}

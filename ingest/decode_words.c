/*
 * decode_words.c - what is said of a text that is refused: the text, and the nearest right one.
 *
 * The text comes from whoever may write to the topic, and is read in logs, answers and files: it
 * is shown as far as a slip of the finger goes, without what a terminal would obey.
 */
#include "ingest/decode.h"

#include <stdio.h>
#include "base/nearest.h"
#include "base/severity.h"

/* More than either table has. Of one or two letters nearly everything is near: "2" is no slip of
 * "1". */
enum { WORDS_MAX = 64, SLIP_BYTES_MIN = 3 };

/* Bytes of `text` that are shown: whole characters. */
static uint32_t shown_bytes(struct text text)
{
    uint32_t bytes = text.len;

    if (bytes <= DECODE_SHOWN_BYTES)
        return bytes;
    bytes = DECODE_SHOWN_BYTES;
    while (bytes > 0 && ((unsigned char)text.at[bytes] & 0xc0) == 0x80)
        bytes--;
    return bytes;
}

/* C0 and DEL in one byte, C1 in two (U+0080 to U+009F): each byte becomes '?'. */
static void show(struct text text, char shown[DECODE_SHOWN_BYTES + 1])
{
    uint32_t bytes = shown_bytes(text);

    for (uint32_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text.at[i];
        unsigned char next = i + 1 < bytes ? (unsigned char)text.at[i + 1] : 0;
        shown[i] = c < 0x20 || c == 0x7f ? '?' : text.at[i];
        if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
            shown[i] = '?';
            shown[++i] = '?';
        }
    }
    shown[bytes] = '\0';
}

static size_t list_words(enum decode_words words, const char *list[WORDS_MAX])
{
    enum severity severity;
    enum event_state state;
    size_t count = 0;

    if (words == DECODE_WORDS_SEVERITY)
        while (count < WORDS_MAX && (list[count] = severity_table_word(count, &severity)) != NULL)
            count++;
    if (words == DECODE_WORDS_STATE)
        while (count < WORDS_MAX && (list[count] = event_state_table_word(count, &state)) != NULL)
            count++;
    return count;
}

void decode_fault_of_text(struct decoder *decoder, const char *at, const char *field,
                          struct text text, const char *what, enum decode_words words)
{
    char shown[DECODE_SHOWN_BYTES + 1], hint[NEAREST_HINT_BYTES];
    const char *list[WORDS_MAX];
    size_t count = text.len >= SLIP_BYTES_MIN ? list_words(words, list) : 0;

    show(text, shown);
    snprintf(decoder->why, sizeof(decoder->why), "%s \"%s%s\" is %s%s", field, shown,
             shown_bytes(text) < text.len ? "..." : "", what,
             nearest_hint(text, list, count, hint));
    json_scan_fault(&decoder->scan, REJECT_SCHEMA, at, decoder->why);
}

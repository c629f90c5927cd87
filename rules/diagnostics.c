/* diagnostics.c - see diagnostics.h. */
#include "rules/diagnostics.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of a longer source line a part around the error is shown. */
enum { SHOWN_COLUMNS = 96, SHOWN_BEFORE = 48, INDENT = 4 };

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

void diagnostics_init(struct diagnostics *diag, struct error *err)
{
    memset(diag, 0, sizeof(*diag));
    diag->err = err;
}

bool diagnostics_clean(const struct diagnostics *diag)
{
    return diag->count == 0 && !diag->out_of_memory;
}

bool diagnostics_wants_hint(const struct diagnostics *diag)
{
    return diag->count < DIAGNOSTICS_MAX;
}

void *diagnose_memory(struct diagnostics *diag)
{
    diag->out_of_memory = true;
    return NULL;
}

static uint32_t line_start(const struct script *script, uint32_t at)
{
    while (at > 0 && script->text[at - 1] != '\n')
        at--;
    return at;
}

static uint32_t line_end(const struct script *script, uint32_t at)
{
    while (at < script->bytes && script->text[at] != '\n' && script->text[at] != '\r')
        at++;
    return at;
}

static uint32_t count_characters(const char *at, const char *end)
{
    uint32_t count = 0;

    for (; at < end; at++)
        count += !is_continuation(*at);
    return count;
}

struct place script_place(const struct script *script, uint32_t at)
{
    struct place place = {.line = 1};
    uint32_t start = line_start(script, at);

    for (uint32_t i = 0; i < start; i++)
        place.line += script->text[i] == '\n';
    place.column = 1 + count_characters(script->text + start, script->text + at);
    return place;
}

/* A small writer that never passes its end. */
struct out {
    char *at, *end;
};

static void out_char(struct out *out, char c)
{
    if (out->at < out->end)
        *out->at++ = c;
}

/* The source line and the caret line below it. Tabs stay tabs in both, so that
 * the caret stands right at any tab width. */
static void out_source(struct out *out, struct span span)
{
    const char *text = span.script->text;
    uint32_t start = line_start(span.script, span.from), end = line_end(span.script, span.from);
    uint32_t from = start, to = end, mark_to = span.to < end ? span.to : end;

    if (count_characters(text + start, text + end) > SHOWN_COLUMNS) {
        if (span.from - start > SHOWN_BEFORE)
            from = span.from - SHOWN_BEFORE;
        while (from > start && is_continuation(text[from]))
            from--;
        if (to - from > SHOWN_COLUMNS)
            to = from + SHOWN_COLUMNS;
        while (to < end && is_continuation(text[to]))
            to++;
    }
    for (int i = 0; i < INDENT; i++)
        out_char(out, ' ');
    for (uint32_t i = from; i < to; i++)
        out_char(out, text[i]);
    out_char(out, '\n');
    for (int i = 0; i < INDENT; i++)
        out_char(out, ' ');
    for (uint32_t i = from; i < span.from && i < to; i++)
        if (!is_continuation(text[i]))
            out_char(out, text[i] == '\t' ? '\t' : ' ');
    out_char(out, '^');
    for (uint32_t i = span.from + 1; i < mark_to && i < to; i++)
        if (!is_continuation(text[i]))
            out_char(out, '~');
    out_char(out, '\n');
}

static void add(struct diagnostics *diag, struct span span, const char *format, va_list args)
{
    /* Longer than any sentence with two names cut to their limits. */
    char text[1024], sentence[512];
    struct out out = {text, text + sizeof(text)};
    struct place place;
    size_t head;

    diag->count++;
    if (diag->listener == NULL && (diag->err == NULL || diag->full))
        return;
    vsnprintf(sentence, sizeof(sentence), format, args);
    if (diag->listener != NULL)
        diag->listener->told(diag->listener->self, span, sentence);
    if (diag->err == NULL || diag->full)
        return;
    place = script_place(span.script, span.from);
    snprintf(text, sizeof(text), "%.200s:%u:%u: %s\n", span.script->name, (unsigned)place.line,
             (unsigned)place.column, sentence);
    head = strlen(text);
    out.at += head;
    out_source(&out, span);
    /* Room stays for the closing line about the rest. */
    if (diag->used + (size_t)(out.at - text) + 40 > sizeof(diag->err->text)) {
        diag->full = true;
        return;
    }
    memcpy(diag->err->text + diag->used, text, (size_t)(out.at - text));
    diag->used += (size_t)(out.at - text);
    diag->err->text[diag->used] = '\0';
    diag->full = ++diag->shown == DIAGNOSTICS_MAX;
}

void diagnose(struct diagnostics *diag, struct span span, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(diag, span, format, args);
    va_end(args);
}

bool diagnose_sense(struct diagnostics *diag, struct span span, const char *format, ...)
{
    va_list args;

    if (diag->is_past)
        return true;
    va_start(args, format);
    add(diag, span, format, args);
    va_end(args);
    return false;
}

int diagnostics_finish(struct diagnostics *diag)
{
    if (diag->out_of_memory) {
        error_set(diag->err, "out of memory while reading rules");
        return -ENOMEM;
    }
    if (diag->count == 0)
        return 0;
    if (diag->err != NULL) {
        if (diag->count > diag->shown)
            snprintf(diag->err->text + diag->used, sizeof(diag->err->text) - diag->used,
                     "... and %u more\n", diag->count - diag->shown);
        /* The last line has no end: whoever prints the sentence adds it. */
        size_t bytes = strlen(diag->err->text);
        if (bytes > 0 && diag->err->text[bytes - 1] == '\n')
            diag->err->text[bytes - 1] = '\0';
    }
    return -EINVAL;
}

/* Bytes of the well-formed character at `at`, 0 when there is none.
 * Source: Unicode 15, table 3-7. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    unsigned char a = at[0], b = left > 1 ? at[1] : 0;

    if (a < 0x80)
        return 1;
    if (a >= 0xc2 && a <= 0xdf)
        return (b & 0xc0) == 0x80 ? 2 : 0;
    if (a >= 0xe0 && a <= 0xef) {
        unsigned char low = a == 0xe0 ? 0xa0 : 0x80, high = a == 0xed ? 0x9f : 0xbf;
        return left > 2 && b >= low && b <= high && (at[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (a >= 0xf0 && a <= 0xf4) {
        unsigned char low = a == 0xf0 ? 0x90 : 0x80, high = a == 0xf4 ? 0x8f : 0xbf;
        return left > 3 && b >= low && b <= high && (at[2] & 0xc0) == 0x80 && (at[3] & 0xc0) == 0x80
                   ? 4
                   : 0;
    }
    return 0;
}

static bool is_control(unsigned char c)
{
    return c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r');
}

static size_t find_bad_byte(const struct script *script)
{
    const unsigned char *text = (const unsigned char *)script->text;
    size_t at = 0;

    while (at < script->bytes) {
        size_t length = utf8_length(text + at, script->bytes - at);
        if (length == 0 || is_control(text[at]))
            return at;
        at += length;
    }
    return at;
}

bool script_is_text(const struct script *script, struct diagnostics *diag)
{
    size_t at = find_bad_byte(script);
    struct span span = {script, (uint32_t)at, (uint32_t)at};
    unsigned char bad = at < script->bytes ? (unsigned char)script->text[at] : 0;

    if (at >= script->bytes)
        return true;
    if (is_control(bad))
        diagnose(diag, span, "the control character 0x%02x cannot stand here", bad);
    else
        diagnose(diag, span, "the byte 0x%02x here is no UTF-8 text", bad);
    return false;
}

/*
 * log.c - see log.h. One mutex: the hot path counts instead of logging, so lines
 * are rare, and the holding back keeps them so.
 */
#include "daemon/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/host.h"
#include "daemon/units.h"

enum { EVENT_BYTES_MAX = 48 };

/* One kind of line that was seen lately. */
struct kind {
    uint64_t hash; /* 0: free */
    int64_t since_ms;
    uint32_t written;
    uint32_t held_back;
    enum log_level level;
    char event[EVENT_BYTES_MAX];
};

static struct {
    pthread_mutex_t lock; /* of everything below */
    enum log_level level;
    enum log_format format;
    int fd;
    struct kind kinds[LOG_KINDS_MAX];
    struct log_counters counters;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO, .fd = STDERR_FILENO};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

/* A line under construction that never passes its end. */
struct line {
    char text[LOG_LINE_BYTES_MAX];
    size_t used;
    bool cut;
};

/* Room is kept for the ending: the mark of a cut line, a quote, a brace, a line end. */
enum { ENDING_BYTES = 32 };

static void put(struct line *line, const char *text, size_t bytes)
{
    if (line->cut || line->used + bytes > sizeof(line->text) - ENDING_BYTES) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->used, text, bytes);
    line->used += bytes;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Escapes as JSON does; bytes that are no UTF-8 become U+FFFD. */
static void put_escaped(struct line *line, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    char code[8];

    while (*at != '\0') {
        size_t length = *at < 0x80             ? 1
                        : (*at & 0xe0) == 0xc0 ? 2
                        : (*at & 0xf0) == 0xe0 ? 3
                        : (*at & 0xf8) == 0xf0 ? 4
                                               : 0;
        for (size_t i = 1; i < length; i++)
            if ((at[i] & 0xc0) != 0x80)
                length = 0;
        if (length == 0) {
            put_text(line, "\xef\xbf\xbd");
            at++;
        } else if (*at == '"' || *at == '\\') {
            code[0] = '\\';
            code[1] = (char)*at++;
            put(line, code, 2);
        } else if (*at == '\n') {
            put_text(line, "\\n");
            at++;
        } else if (*at < 0x20 || *at == 0x7f) {
            snprintf(code, sizeof(code), "\\u%04x", *at++);
            put_text(line, code);
        } else {
            put(line, (const char *)at, length);
            at += length;
        }
    }
}

static bool needs_quotes(const char *text)
{
    if (*text == '\0')
        return true;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f || *text == '"' ||
            *text == '=' || *text == '\\')
            return true;
    return false;
}

static void put_field(struct line *line, enum log_format format, const struct log_field *field)
{
    char number[24];
    bool quotes = format == LOG_JSON || needs_quotes(field->text != NULL ? field->text : "0");

    if (format == LOG_JSON) {
        put_text(line, ",\"");
        put_text(line, field->name);
        put_text(line, "\":");
    } else {
        put_text(line, " ");
        put_text(line, field->name);
        put_text(line, "=");
    }
    if (field->text == NULL) {
        snprintf(number, sizeof(number), "%" PRId64, field->number);
        put_text(line, number);
        return;
    }
    if (quotes)
        put_text(line, "\"");
    put_escaped(line, field->text);
    /* Behind a cut the closing quote still has its place. */
    if (quotes)
        line->text[line->used++] = '"';
}

static void put_head(struct line *line, enum log_format format, enum log_level level,
                     const char *event)
{
    char when[UNIT_TEXT_BYTES], head[256];

    unit_format_time(host_wall_ms(), when);
    snprintf(head, sizeof(head),
             format == LOG_JSON ? "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\""
                                : "time=%s level=%s event=%s",
             when, level_names[level], event);
    put_text(line, head);
}

static void write_line(enum log_level level, const char *event, const struct log_field *fields,
                       size_t count, uint32_t held_back)
{
    struct line line = {.used = 0};
    struct log_field held = log_number("held_back", held_back);
    const char *ending = logger.format == LOG_JSON ? "}\n" : "\n";

    put_head(&line, logger.format, level, event);
    if (held_back > 0)
        put_field(&line, logger.format, &held);
    for (size_t i = 0; i < count && !line.cut; i++)
        put_field(&line, logger.format, &fields[i]);
    if (line.cut) {
        const char *mark = logger.format == LOG_JSON ? ",\"cut\":1" : " cut=1";
        memcpy(line.text + line.used, mark, strlen(mark));
        line.used += strlen(mark);
    }
    memcpy(line.text + line.used, ending, strlen(ending));
    line.used += strlen(ending);
    if (host_write_all(logger.fd, line.text, line.used) == 0)
        logger.counters.lines[level]++;
    else
        logger.counters.failed++;
}

static uint64_t kind_hash(const char *event, const struct log_field *fields, size_t count)
{
    uint64_t hash = hash64(event, strlen(event), 0);

    for (size_t i = 0; i < count; i++)
        if (fields[i].text != NULL)
            hash = hash64(fields[i].text, strlen(fields[i].text), hash);
    return hash != 0 ? hash : 1;
}

/* Says that lines of a kind were held back, and forgets the kind. */
static void kind_close(struct kind *kind)
{
    if (kind->held_back > 0)
        write_line(kind->level, kind->event, NULL, 0, kind->held_back);
    kind->hash = 0;
}

/* The entry of a kind: its own, else a free one, else the oldest is closed. */
static struct kind *kind_find(uint64_t hash)
{
    struct kind *oldest = &logger.kinds[0];

    for (size_t i = 0; i < LOG_KINDS_MAX; i++)
        if (logger.kinds[i].hash == hash)
            return &logger.kinds[i];
    for (size_t i = 0; i < LOG_KINDS_MAX; i++) {
        if (logger.kinds[i].hash == 0)
            return &logger.kinds[i];
        if (logger.kinds[i].since_ms < oldest->since_ms)
            oldest = &logger.kinds[i];
    }
    kind_close(oldest);
    return oldest;
}

void log_configure(enum log_level level, enum log_format format)
{
    pthread_mutex_lock(&logger.lock);
    logger.level = level;
    logger.format = format;
    pthread_mutex_unlock(&logger.lock);
}

void log_set_descriptor(int fd)
{
    pthread_mutex_lock(&logger.lock);
    logger.fd = fd;
    pthread_mutex_unlock(&logger.lock);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    int64_t now_ms = (int64_t)(host_mono_ns() / 1000000u);
    uint64_t hash = kind_hash(event, fields, count);

    pthread_mutex_lock(&logger.lock);
    if (level >= logger.level) {
        struct kind *kind = kind_find(hash);
        uint32_t told = 0;
        if (kind->hash != 0 && now_ms - kind->since_ms >= LOG_INTERVAL_MS) {
            told = kind->held_back;
            kind->hash = 0;
        }
        if (kind->hash == 0) {
            *kind = (struct kind){.hash = hash, .since_ms = now_ms, .level = level};
            snprintf(kind->event, sizeof(kind->event), "%s", event);
        }
        if (kind->written < LOG_BURST) {
            kind->written++;
            write_line(level, event, fields, count, told);
        } else {
            kind->held_back++;
            logger.counters.held_back++;
        }
    }
    pthread_mutex_unlock(&logger.lock);
}

void log_flush(bool all)
{
    int64_t now_ms = (int64_t)(host_mono_ns() / 1000000u);

    pthread_mutex_lock(&logger.lock);
    for (size_t i = 0; i < LOG_KINDS_MAX; i++)
        if (logger.kinds[i].hash != 0 &&
            (all || now_ms - logger.kinds[i].since_ms >= LOG_INTERVAL_MS))
            kind_close(&logger.kinds[i]);
    pthread_mutex_unlock(&logger.lock);
}

void log_counters(struct log_counters *out)
{
    pthread_mutex_lock(&logger.lock);
    *out = logger.counters;
    pthread_mutex_unlock(&logger.lock);
}

/* incident_log.c - writes the lines field by field; see incident_log.h. */
#include "daemon/incident_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"

/* Nearly all lines have some 400 bytes. */
enum { LINE_BYTES = 8 << 10 };

struct line {
    char *to;
    size_t bytes; /* of the buffer */
    size_t used;  /* of the line, also beyond the buffer's end */
};

static void put(struct line *line, const char *text, size_t bytes)
{
    if (line->used + 1 < line->bytes) {
        size_t room = line->bytes - 1 - line->used;
        memcpy(line->to + line->used, text, bytes < room ? bytes : room);
    }
    line->used += bytes;
}

static void put_name(struct line *line, const char *name)
{
    put(line, line->used == 1 ? "\"" : ",\"", line->used == 1 ? 1 : 2);
    put(line, name, strlen(name));
    put(line, "\":", 2);
}

static void put_number(struct line *line, const char *name, int64_t number)
{
    char digits[24];
    int bytes = snprintf(digits, sizeof(digits), "%" PRId64, number);

    put_name(line, name);
    put(line, digits, (size_t)bytes);
}

/* Escapes only what JSON demands, so that there is one way to write a text. */
static void put_escape(struct line *line, unsigned char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *known = strchr(plain, c);
    char escape[7];

    if (known != NULL && c != '\0') {
        put(line, (char[]){'\\', names[known - plain]}, 2);
        return;
    }
    snprintf(escape, sizeof(escape), "\\u%04x", c);
    put(line, escape, 6);
}

static void put_text(struct line *line, const char *name, const char *text)
{
    const char *from = text;

    put_name(line, name);
    put(line, "\"", 1);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put(line, from, (size_t)(text - from));
        put_escape(line, c);
        from = text + 1;
    }
    put(line, from, (size_t)(text - from));
    put(line, "\"", 1);
}

static void put_given(struct line *line, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        put_text(line, name, text);
}

static void put_id(struct line *line, const char *name, struct id128 id)
{
    char digits[ID128_TEXT_BYTES];

    id128_format(id, digits);
    put_text(line, name, digits);
}

static size_t finish(struct line *line)
{
    put(line, "}", 1);
    if (line->bytes > 0)
        line->to[line->used < line->bytes ? line->used : line->bytes - 1] = '\0';
    return line->used;
}

size_t incident_log_change(const struct incident *incident, char *to, size_t bytes)
{
    struct line line = {to, bytes, 0};

    put(&line, "{", 1);
    put_number(&line, "at", incident->at_ms);
    put_text(&line, "change", incident_change_name(incident->change));
    put_text(&line, "cause", incident_cause_name(incident->cause));
    put_id(&line, "incident", incident->id);
    put_number(&line, "n", incident->change_number);
    put_text(&line, "tenant", incident->tenant);
    put_text(&line, "rule", incident->rule_id);
    put_text(&line, "key", incident->key);
    put_text(&line, "priority", priority_name(incident->priority));
    put_text(&line, "severity", severity_name(incident->severity));
    put_number(&line, "events", (int64_t)incident->event_count);
    put_number(&line, "alerts", incident->alert_count);
    put_number(&line, "open", incident->open_count);
    put_number(&line, "opened", incident->opened_ms);
    put_number(&line, "first", incident->first_ts_ms);
    put_text(&line, "title", incident->title);
    put_text(&line, "why", incident->why);
    put_given(&line, "muted_by", incident->muted_by);
    put_given(&line, "acked_by", incident->acked_by);
    put_given(&line, "by", incident->by);
    put_given(&line, "comment", incident->comment);
    return finish(&line);
}

size_t incident_log_op(const struct op *op, const char *sink_name, char *to, size_t bytes)
{
    struct line line = {to, bytes, 0};

    put(&line, "{", 1);
    put_number(&line, "at", op->incident->at_ms);
    put_text(&line, "op", op_kind_name(op->kind));
    put_id(&line, "incident", op->incident->id);
    put_text(&line, "sink", sink_name);
    put_number(&line, "number", op->number);
    put_id(&line, "id", op->id);
    return finish(&line);
}

void incident_log_add_change(struct line_writer *writer, const struct incident *incident)
{
    char line[LINE_BYTES], *longer;
    size_t bytes = incident_log_change(incident, line, sizeof(line));

    if (bytes < sizeof(line)) {
        line_writer_add(writer, line, bytes);
        return;
    }
    longer = memory_alloc(bytes + 1);
    incident_log_change(incident, longer, bytes + 1);
    line_writer_add(writer, longer, bytes);
    free(longer);
}

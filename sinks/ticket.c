/* ticket.c - see ticket.h. */
#include "sinks/ticket.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/plural.h"
#include "sinks/payload.h"

/* With these a description has at most 30,000 characters. */
enum { LINE_CHARS_MAX = 2048, TEXT_CHARS_MAX = 32000 };

enum priority ticket_priority(const struct incident *inc)
{
    static const enum priority by_severity[SEVERITY_COUNT] = {
        [SEVERITY_OK] = PRIORITY_P5,       [SEVERITY_DEBUG] = PRIORITY_P5,
        [SEVERITY_INFO] = PRIORITY_P5,     [SEVERITY_WARNING] = PRIORITY_P4,
        [SEVERITY_MINOR] = PRIORITY_P4,    [SEVERITY_MAJOR] = PRIORITY_P3,
        [SEVERITY_CRITICAL] = PRIORITY_P2,
    };

    return inc->priority != PRIORITY_NONE ? (enum priority)inc->priority
                                          : by_severity[inc->severity];
}

const char *ticket_title(const struct incident *inc)
{
    if (inc->title[0] != '\0')
        return inc->title;
    if (inc->message[0] != '\0')
        return inc->message;
    return inc->rule_id[0] != '\0' ? inc->rule_id : "incident";
}

/* "host: db01"; nothing of an empty value. */
static void put_line(FILE *to, const char *name, const char *value)
{
    int bytes = (int)payload_prefix_bytes(value, LINE_CHARS_MAX);

    if (bytes > 0)
        fprintf(to, "%s%s%.*s\n", name, name[0] != '\0' ? ": " : "", bytes, value);
}

static void put_counts(FILE *to, const struct incident *inc)
{
    fprintf(to,
            "%u alert%s, %u of them open; their beginnings, changes, repeats and ends: %" PRIu64
            "\n",
            inc->alert_count, plural(inc->alert_count), inc->open_count, inc->event_count);
}

static void put_description(FILE *to, const struct incident *inc)
{
    char id[ID128_TEXT_BYTES], opened[PAYLOAD_TIME_BYTES];

    put_line(to, "", inc->why);
    put_line(to, "", inc->message);
    put_line(to, "runbook", inc->runbook);
    put_line(to, "tenant", inc->tenant);
    put_line(to, "rule", inc->rule_id);
    put_line(to, "key", inc->key);
    put_line(to, "priority", priority_name((enum priority)inc->priority));
    put_line(to, "severity", severity_name(inc->severity));
    put_line(to, "monitored by", inc->source);
    put_line(to, "host", inc->host);
    put_line(to, "resource", inc->resource);
    put_line(to, "check", inc->check);
    put_line(to, "team", inc->team);
    put_line(to, "tier", inc->tier);
    put_counts(to, inc);
    payload_format_time(inc->opened_ms, opened);
    id128_format(inc->id, id);
    put_line(to, "opened at", opened);
    put_line(to, "incident", id);
}

static void put_note(FILE *to, const struct op *op)
{
    static const char *const heads[] = {[OP_OPEN] = "Opened",
                                        [OP_UPDATE] = "Update",
                                        [OP_ACK] = "Acknowledged",
                                        [OP_RESOLVE] = "Resolved"};
    char at[PAYLOAD_TIME_BYTES];

    payload_format_time(op->incident->at_ms, at);
    fprintf(to, "%s at %s (%s): severity %s\n", heads[op->kind], at,
            incident_cause_name(op->incident->cause), severity_name(op->incident->severity));
    put_line(to, "by", op->incident->by);
    put_line(to, "comment", op->incident->comment);
    put_line(to, "", op->incident->why);
    put_counts(to, op->incident);
}

/* Sets object[key] to the text, which is released. */
static int set_text(json_t *object, const char *key, FILE *stream, char **text)
{
    bool is_whole = stream != NULL && fclose(stream) == 0;
    int rc = is_whole ? payload_set_text(object, key, *text, TEXT_CHARS_MAX) : -ENOMEM;

    free(*text);
    return rc;
}

int ticket_set_description(json_t *object, const char *key, const struct incident *inc)
{
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);

    if (stream != NULL)
        put_description(stream, inc);
    return set_text(object, key, stream, &text);
}

int ticket_set_note(json_t *object, const char *key, const struct op *op)
{
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);

    if (stream != NULL)
        put_note(stream, op);
    return set_text(object, key, stream, &text);
}

int ticket_set_url(struct sink_request *out, const char *base, const char *format, ...)
{
    int bytes = (int)strlen(base);
    va_list args;
    char *path;
    int rc;

    while (bytes > 0 && base[bytes - 1] == '/')
        bytes--;
    va_start(args, format);
    rc = vasprintf(&path, format, args);
    va_end(args);
    if (rc < 0)
        return -ENOMEM;
    rc = asprintf(&out->own_url, "%.*s%s", bytes, base, path);
    free(path);
    if (rc < 0) {
        out->own_url = NULL;
        return -ENOMEM;
    }
    out->url = out->own_url;
    return 0;
}

int ticket_set_body(struct sink_request *out, json_t *root)
{
    if (root != NULL)
        out->body = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (out->body == NULL)
        return -ENOMEM;
    out->body_bytes = strlen(out->body);
    return sink_request_add_header(out, "Content-Type: application/json");
}

/* RFC 4648, with padding. `to` has 4 bytes for each 3 that are begun, and one more. */
static void encode_base64(const char *from, size_t bytes, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes; i += 3) {
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < bytes ? (unsigned char)from[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            *to++ = i + j > bytes ? '=' : digits[bits >> (18 - 6 * j) & 63];
    }
    *to = '\0';
}

int ticket_add_basic(struct sink_request *out, const char *user, const char *mark,
                     const char *password)
{
    char *plain, *encoded;
    int bytes = asprintf(&plain, "%s%s:%s", user, mark, password);
    int rc = -ENOMEM;

    if (bytes < 0)
        return -ENOMEM;
    encoded = malloc(((size_t)bytes + 2) / 3 * 4 + 1);
    if (encoded != NULL) {
        encode_base64(plain, (size_t)bytes, encoded);
        rc = sink_request_add_header(out, "Authorization: Basic %s", encoded);
    }
    free(encoded);
    free(plain);
    return rc;
}

bool ticket_read_name(const json_t *value, char *to, size_t bytes)
{
    const char *text = json_string_value(value);
    int length;

    if (json_is_integer(value))
        length = snprintf(to, bytes, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        length = snprintf(to, bytes, "%s", text != NULL ? text : "");
    if (length > 0 && (size_t)length < bytes) {
        size_t plain = 0;
        /* It becomes part of an address. */
        while (isalnum((unsigned char)to[plain]) || to[plain] == '-' || to[plain] == '_')
            plain++;
        if (plain == (size_t)length)
            return true;
    }
    to[0] = '\0';
    return false;
}

static bool is_ours(const json_t *value, struct id128 incident)
{
    const char *text = json_string_value(value);
    char id[ID128_TEXT_BYTES];

    id128_format(incident, id);
    return text != NULL && strcmp(text, id) == 0;
}

static bool read_list(const struct ticket_form *form, const void *settings, const json_t *list,
                      struct id128 incident, struct sink_found *out)
{
    struct sink_ticket ticket;
    json_t *item; /* borrowed */
    size_t i;

    if (!json_is_array(list))
        return false;
    json_array_foreach (list, i, item) {
        if (!is_ours(json_object_get(item, form->key), incident))
            continue;
        if (!form->read(settings, item, &ticket))
            return false;
        sink_found_add(out, &ticket);
    }
    return true;
}

enum sink_verdict ticket_read_answer(const struct ticket_form *form, const struct sink *sink,
                                     enum sink_step step, struct id128 incident,
                                     const struct transport_answer *answer,
                                     enum sink_verdict by_status, struct sink_found *out,
                                     struct error *err)
{
    struct sink_ticket ticket;
    json_t *root; /* ours */
    bool is_good;

    if (by_status != SINK_DELIVERED)
        return by_status;
    root = json_loadb(answer->body, answer->body_bytes, 0, NULL);
    if (step == SINK_STEP_FIND) {
        is_good = read_list(form, sink->settings, json_object_get(root, form->list), incident, out);
    } else {
        is_good = form->read(sink->settings, json_object_get(root, form->one), &ticket);
        if (is_good && step == SINK_STEP_CREATE)
            sink_found_add(out, &ticket);
    }
    json_decref(root);
    if (is_good)
        return SINK_DELIVERED;
    error_set(err, "HTTP %d, but the body is not that of %s", answer->status, form->what);
    return SINK_RETRY;
}

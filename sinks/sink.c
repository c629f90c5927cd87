/*
 * sink.c - the table of types; sinks made, destroyed, and kept from showing secrets.
 */
#include "sinks/sink.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "base/nearest.h"
#include "sinks/sink_options.h"

const struct sink_type *const sink_types[] = {&sink_pagerduty, &sink_servicenow, &sink_webhook,
                                              &sink_zendesk};
const size_t sink_type_count = sizeof(sink_types) / sizeof(sink_types[0]);

/* It stands in each line of the incident log and in labels of metrics. */
enum { NAME_BYTES_MAX = 100 };

static const struct sink_type *find_type(const char *name)
{
    for (size_t i = 0; i < sink_type_count; i++)
        if (strcmp(sink_types[i]->name, name) == 0)
            return sink_types[i];
    return NULL;
}

static void list_types(char *to, size_t bytes)
{
    size_t used = 0;

    for (size_t i = 0; i < sink_type_count && used < bytes; i++)
        used += (size_t)snprintf(to + used, bytes - used, "%s%s", i > 0 ? ", " : "",
                                 sink_types[i]->name);
}

static const char *nearest_type(const char *type, char hint[NEAREST_HINT_BYTES])
{
    enum { TYPES_MAX = 16 };
    const char *names[TYPES_MAX];
    size_t count = 0;

    while (count < sink_type_count && count < TYPES_MAX) {
        names[count] = sink_types[count]->name;
        count++;
    }
    return nearest_hint(text_of(type), names, count, hint);
}

bool sink_type_exists(const char *type)
{
    return find_type(type) != NULL;
}

int sink_create(const struct sink_config *config, bool resolve, struct sink **out,
                struct error *err)
{
    const struct sink_type *type = find_type(config->type != NULL ? config->type : "");
    struct sink *sink;
    struct error why = {"out of memory"};
    char *name;
    int rc = -ENOMEM;

    if (config->name == NULL || config->name[0] == '\0') {
        error_set(err, "a sink needs a name");
        return -EINVAL;
    }
    if (strlen(config->name) > NAME_BYTES_MAX) {
        error_set(err, "sink %.40s...: the name of a sink has at most %d bytes", config->name,
                  NAME_BYTES_MAX);
        return -EINVAL;
    }
    if (type == NULL) {
        char names[256], hint[NEAREST_HINT_BYTES];
        list_types(names, sizeof(names));
        error_set(err, "sink %s: unknown type \"%s\"; there are: %s%s", config->name,
                  config->type != NULL ? config->type : "", names,
                  nearest_type(config->type != NULL ? config->type : "", hint));
        return -EINVAL;
    }
    sink = calloc(1, sizeof(*sink));
    if (sink == NULL)
        goto out;
    sink->type = type;
    sink->is_resolved = resolve;
    sink->settings = calloc(1, type->settings_bytes);
    name = strdup(config->name);
    if (sink->settings == NULL || name == NULL || sink_keep(sink, name, NULL) != 0) {
        free(name);
        goto out;
    }
    sink->name = name;
    rc = sink_options_read(sink, config, &why);
    if (rc == 0) {
        *out = sink;
        return 0;
    }
out:
    if (sink != NULL)
        sink_redact(sink, why.text);
    error_set(err, "sink %s: %s", config->name, why.text);
    sink_destroy(sink);
    return rc;
}

void sink_destroy(struct sink *sink)
{
    if (sink == NULL)
        return;
    for (size_t i = 0; i < sink->text_count; i++)
        free(sink->texts[i]);
    free(sink->texts);
    free(sink->secrets);
    free(sink->settings);
    free(sink);
}

int sink_config_check(const struct sink_config *config, struct error *err)
{
    struct sink *sink;
    int rc = sink_create(config, false, &sink, err);

    if (rc == 0)
        sink_destroy(sink);
    return rc;
}

/* Bytes at the end of `text` with which `secret` begins: a text that was cut. */
static size_t cut_secret_bytes(const char *text, const char *secret)
{
    size_t text_bytes = strlen(text), bytes = strlen(secret);

    if (bytes > text_bytes)
        bytes = text_bytes;
    while (bytes >= SECRET_BYTES_MIN && memcmp(text + text_bytes - bytes, secret, bytes) != 0)
        bytes--;
    return bytes >= SECRET_BYTES_MIN ? bytes : 0;
}

void sink_redact(const struct sink *sink, char *text)
{
    for (size_t i = 0; i < sink->secret_count; i++) {
        size_t bytes = strlen(sink->secrets[i]);
        char *at = text;
        while ((at = strstr(at, sink->secrets[i])) != NULL) {
            /* SECRET_BYTES_MIN >= 3: the stars always fit. */
            memcpy(at, "***", 3);
            memmove(at + 3, at + bytes, strlen(at + bytes) + 1);
            at += 3;
        }
        bytes = cut_secret_bytes(text, sink->secrets[i]);
        if (bytes > 0)
            memcpy(text + strlen(text) - bytes, "***", 4);
    }
}

static bool is_older(const struct sink_ticket *a, const struct sink_ticket *b)
{
    size_t a_bytes = strlen(a->remote.ref), b_bytes = strlen(b->remote.ref);
    int order = strcmp(a->created, b->created);

    if (order == 0) /* numbers sort by length first */
        order = a_bytes != b_bytes ? (a_bytes < b_bytes ? -1 : 1)
                                   : strcmp(a->remote.ref, b->remote.ref);
    return order < 0;
}

void sink_found_add(struct sink_found *found, const struct sink_ticket *ticket)
{
    size_t at = found->count;

    while (at > 0 && is_older(ticket, &found->ticket[at - 1]))
        at--;
    if (at == SINK_FOUND_MAX)
        return;
    if (found->count < SINK_FOUND_MAX)
        found->count++;
    memmove(&found->ticket[at + 1], &found->ticket[at],
            (found->count - at - 1) * sizeof(found->ticket[0]));
    found->ticket[at] = *ticket;
}

int sink_request_add_header(struct sink_request *request, const char *format, ...)
{
    va_list args;
    char *line;
    int rc;

    if (request->header_count == SINK_HEADERS_MAX)
        return -E2BIG;
    va_start(args, format);
    rc = vasprintf(&line, format, args);
    va_end(args);
    if (rc < 0)
        return -ENOMEM;
    request->headers[request->header_count++] = line;
    return 0;
}

void sink_request_release(struct sink_request *request)
{
    for (size_t i = 0; i < request->header_count; i++)
        free(request->headers[i]);
    free(request->body);
    free(request->own_url);
    memset(request, 0, sizeof(*request));
}

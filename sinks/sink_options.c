/*
 * sink_options.c - options of sinks: checked against their rows, read, kept.
 *
 * Every text of a sink lies in one list that the sink owns, so that destroying it
 * is one loop, and the ones that must not show are listed a second time.
 */
#include "sinks/sink_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/text.h"
#include "base/nearest.h"

enum {
    SECRET_FILE_BYTES_MAX = 16 << 10,
    PEM_FILE_BYTES_MAX = 4 << 20, /* the authorities of a whole system have 0.2 MB */
    TEXT_BYTES_MAX = 16 << 10,
};

#define OFFSET(field) offsetof(struct sink_settings, field)

const struct sink_option sink_common_options[] = {
    {"timeout_ms", OPT_MS, OFFSET(timeout_ms), "10000",
     "How long one attempt may take in all. An attempt that was cut off after its first byte "
     "counts as uncertain.",
     100, 300000},
    {"connect_timeout_ms", OPT_MS, OFFSET(connect_timeout_ms), "5000",
     "How long connecting may take, name look-up and TLS included.", 100, 300000},
    {"rate_per_minute", OPT_COUNT, OFFSET(rate_per_minute), "300",
     "Budget of attempts; the rest waits in the queue. 0 lifts the limit.", 0, 6000000},
    {"burst", OPT_COUNT, OFFSET(burst), "60", "Attempts that may leave at once after a quiet time.",
     1, 1000000},
    {"in_flight_max", OPT_COUNT, OFFSET(in_flight_max), "8",
     "Attempts that may be under way at the same time, each for another incident.", 1, 256},
    {"retry_hours", OPT_COUNT, OFFSET(retry_hours), "72",
     "How long an op is retried before it is given up as dead; ops of P1 incidents without an end. "
     "A refusal for good (4xx) makes any op dead at once.",
     1, 8760},
    {"proxy", OPT_PROXY, OFFSET(proxy), "",
     "URL of an HTTP proxy, http://[USER:PASSWORD@]HOST:PORT. Without it connections are direct.",
     0, 0},
    {"no_proxy", OPT_TEXT, OFFSET(no_proxy), "",
     "Hosts that are reached without the proxy: names (and what ends in them), addresses or "
     "networks, comma separated; * for all.",
     0, 0},
    {"ca_file", OPT_PEM, OFFSET(ca_file), "",
     "PEM file of the authorities to trust instead of the system's.", 0, 0},
    {"client_cert", OPT_PEM, OFFSET(client_cert), "",
     "PEM file of the certificate that tocsin shows to the sink.", 0, 0},
    {"client_key", OPT_PEM, OFFSET(client_key), "",
     "PEM file of its key, where that is not in client_cert.", 0, 0},
    {"client_key_password", OPT_SECRET, OFFSET(client_key_password), "", "Password of that key.", 0,
     0},
    {"fold_resolved", OPT_BOOL, OFFSET(fold_resolved), "false",
     "Whether an incident that is resolved before anything of it was sent is never sent at all.", 0,
     0},
    {"self_alerts", OPT_BOOL, OFFSET(self_alerts), "true",
     "Whether this sink is told when another one refuses our credentials, the outbox fills up or "
     "nothing can be read.",
     0, 0},
};
const size_t sink_common_option_count =
    sizeof(sink_common_options) / sizeof(sink_common_options[0]);

int sink_keep(struct sink *sink, char *text, const char *secret)
{
    char **texts = realloc(sink->texts, (sink->text_count + 1) * sizeof(*texts));
    const char **secrets;

    if (texts == NULL)
        return -ENOMEM;
    sink->texts = texts;
    if (secret != NULL && strlen(secret) >= SECRET_BYTES_MIN) {
        secrets = realloc(sink->secrets, (sink->secret_count + 1) * sizeof(*secrets));
        if (secrets == NULL)
            return -ENOMEM;
        sink->secrets = secrets;
        sink->secrets[sink->secret_count++] = secret;
    }
    sink->texts[sink->text_count++] = text;
    return 0;
}

static bool is_reference(const char *value)
{
    return strncmp(value, "env:", 4) == 0 || strncmp(value, "file:", 5) == 0;
}

int sink_secret_read(const char *value, char **out, struct error *err)
{
    size_t bytes;
    char *text;
    int rc;

    if (strncmp(value, "env:", 4) == 0) {
        const char *found = getenv(value + 4);
        if (found == NULL) {
            error_set(err, "the environment has no variable %s", value + 4);
            return -EINVAL;
        }
        *out = strdup(found);
        return *out != NULL ? 0 : -ENOMEM;
    }
    if (strncmp(value, "file:", 5) != 0) {
        error_set(err, "a secret is written env:NAME or file:PATH");
        return -EINVAL;
    }
    rc = host_read_file(value + 5, SECRET_FILE_BYTES_MAX, &text, &bytes);
    if (rc != 0) {
        error_set(err, "%s cannot be read: %s", value + 5, host_read_why(rc));
        return rc;
    }
    while (bytes > 0 && (text[bytes - 1] == '\n' || text[bytes - 1] == '\r'))
        text[--bytes] = '\0';
    if (strlen(text) != bytes) {
        error_set(err, "%s contains a zero byte", value + 5);
        free(text);
        return -EINVAL;
    }
    *out = text;
    return 0;
}

/* What follows the scheme, NULL when it is neither https nor http. */
static const char *url_host(const char *url)
{
    if (strncmp(url, "https://", 8) == 0)
        return url + 8;
    return strncmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

/* [user[:password]@]host[:port] behind the scheme, and nothing more. */
static int check_proxy(const char *text, struct error *err)
{
    const char *host = url_host(text), *at;

    if (*text == '\0')
        return 0;
    at = host != NULL ? strrchr(host, '@') : NULL;
    if (at != NULL)
        host = at + 1;
    /* A lone slash at the end is how many people write it. */
    if (host != NULL && strcspn(host, "/") > 0 && strpbrk(host, "?# ") == NULL &&
        strlen(host) - strcspn(host, "/") <= 1)
        return 0;
    error_set(err, "must be the URL of a proxy, http://[USER:PASSWORD@]HOST:PORT");
    return -EINVAL;
}

static int check_text(const struct sink_option *row, const char *text, struct error *err)
{
    const char *host;

    if (strlen(text) > TEXT_BYTES_MAX) {
        error_set(err, "longer than %d bytes", TEXT_BYTES_MAX);
        return -EINVAL;
    }
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            error_set(err, "contains a control character");
            return -EINVAL;
        }
    if (row->kind == OPT_URL) {
        host = url_host(text);
        if (host == NULL || host[strcspn(host, "/?# ")] == ' ' || strcspn(host, "/?#") == 0) {
            error_set(err, "must be a URL that begins with https:// or http://");
            return -EINVAL;
        }
        if (memchr(host, '@', strcspn(host, "/?#")) != NULL) {
            error_set(err, "must not hold a user name; give header.Authorization instead");
            return -EINVAL;
        }
    }
    if (row->default_value == NULL && *text == '\0') {
        error_set(err, "must not be empty");
        return -EINVAL;
    }
    return row->kind == OPT_PROXY ? check_proxy(text, err) : 0;
}

/* Read here only to be refused now rather than at the first page; the HTTP client reads
 * it at each connection, so that a renewed certificate needs no restart. */
static int check_pem(const char *path, struct error *err)
{
    size_t bytes;
    char *text;
    int rc = host_read_file(path, PEM_FILE_BYTES_MAX, &text, &bytes);
    bool is_pem;

    if (rc != 0) {
        error_set(err, "%s cannot be read: %s", path, host_read_why(rc));
        return rc;
    }
    is_pem = memmem(text, bytes, "-----BEGIN ", 11) != NULL;
    free(text);
    if (is_pem)
        return 0;
    error_set(err, "%s is no PEM file: it has no line that starts with -----BEGIN", path);
    return -EINVAL;
}

/* The part of a text that must not show. Of a URL, what follows the host: chat and
 * webhook services put their tokens there. */
static const char *secret_part(const struct sink_option *row, const char *value, const char *text)
{
    if (row->kind == OPT_SECRET || row->kind == OPT_HEADER || is_reference(value))
        return text;
    if (row->kind == OPT_URL)
        return url_host(text) + strcspn(url_host(text), "/?#");
    return NULL;
}

/* User and password of a proxy must not show; they stand before its last @. */
static int keep_proxy_user(struct sink *sink, const char *proxy)
{
    const char *at = strrchr(proxy, '@');
    char *user;
    int rc;

    if (at == NULL)
        return 0;
    user = strndup(url_host(proxy), (size_t)(at - url_host(proxy)));
    rc = user != NULL ? sink_keep(sink, user, user) : -ENOMEM;
    if (rc != 0)
        free(user);
    return rc; /* NOLINT(clang-analyzer-unix.Malloc): sink_keep() took it */
}

/* Reads a text option into memory of the sink. `out` stays "" when the value is a
 * reference that is not to be resolved. */
static int read_text(struct sink *sink, const struct sink_option *row, const char *value,
                     const char **out, struct error *err)
{
    char *text = NULL;
    int rc = 0;

    *out = "";
    if (is_reference(value)) {
        if (value[strcspn(value, ":") + 1] == '\0') {
            error_set(err, "names nothing after \"%s\"", value);
            return -EINVAL;
        }
        if (!sink->is_resolved)
            return 0;
        rc = sink_secret_read(value, &text, err);
    } else {
        text = strdup(value);
        rc = text != NULL ? 0 : -ENOMEM;
    }
    if (rc == 0)
        rc = check_text(row, text, err);
    if (rc == 0 && row->kind == OPT_PEM && text[0] != '\0' && sink->is_resolved)
        rc = check_pem(text, err);
    if (rc == 0 && row->kind == OPT_PROXY)
        rc = keep_proxy_user(sink, text);
    if (rc == 0)
        rc = sink_keep(sink, text, secret_part(row, value, text));
    if (rc == 0)
        *out = text;
    else
        free(text);
    return rc;
}

static int read_number(const struct sink_option *row, const char *value, uint32_t *out,
                       struct error *err)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || number < row->min ||
        number > row->max) {
        error_set(err, "must be a number from %u to %u", row->min, row->max);
        return -EINVAL;
    }
    *out = (uint32_t)number;
    return 0;
}

static int read_bool(const char *value, bool *out, struct error *err)
{
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        error_set(err, "must be true or false");
        return -EINVAL;
    }
    *out = strcmp(value, "true") == 0;
    return 0;
}

static int read_option(struct sink *sink, const struct sink_option *row, const char *value,
                       struct error *err)
{
    void *at = (char *)sink->settings + row->offset;

    switch (row->kind) {
    case OPT_TEXT:
    case OPT_SECRET:
    case OPT_URL:
    case OPT_PROXY:
    case OPT_PEM:
        return read_text(sink, row, value, at, err);
    case OPT_BOOL:
        return read_bool(value, at, err);
    case OPT_COUNT:
    case OPT_MS:
        return read_number(row, value, at, err);
    case OPT_HEADER:
        break; /* see read_header() */
    }
    return 0;
}

/* RFC 9110, token. */
static bool is_header_name(const char *name)
{
    static const char signs[] = "!#$%&'*+-.^_`|~";

    if (*name == '\0')
        return false;
    for (; *name != '\0'; name++)
        if (!((*name >= '0' && *name <= '9') || (*name >= 'a' && *name <= 'z') ||
              (*name >= 'A' && *name <= 'Z') || strchr(signs, *name) != NULL))
            return false;
    return true;
}

static int read_header(struct sink *sink, const struct sink_option *row, const char *name,
                       const char *value, struct error *err)
{
    struct sink_header *header = &sink->headers[sink->header_count];
    char *copy;
    int rc;

    if (!is_header_name(name)) {
        error_set(err, "\"%s\" is not the name of an HTTP header", name);
        return -EINVAL;
    }
    if (sink->header_count == SINK_CUSTOM_HEADERS_MAX) {
        error_set(err, "more than %d headers", SINK_CUSTOM_HEADERS_MAX);
        return -EINVAL;
    }
    copy = strdup(name);
    rc = copy != NULL ? sink_keep(sink, copy, NULL) : -ENOMEM;
    if (rc != 0) {
        free(copy);
        return rc;
    }
    header->name = copy;
    rc = read_text(sink, row, value, &header->value, err);
    if (rc == 0)
        sink->header_count++;
    return rc;
}

/* The row that `key` belongs to, NULL for none. */
static const struct sink_option *find_option(const struct sink_type *type, const char *key)
{
    for (size_t i = 0; i < type->option_count; i++) {
        const struct sink_option *row = &type->options[i];
        if (row->kind == OPT_HEADER ? strncmp(key, "header.", 7) == 0 : strcmp(key, row->name) == 0)
            return row;
    }
    for (size_t i = 0; i < sink_common_option_count; i++)
        if (strcmp(key, sink_common_options[i].name) == 0)
            return &sink_common_options[i];
    return NULL;
}

static void list_options(const struct sink_type *type, char *to, size_t bytes)
{
    size_t used = 0;

    to[0] = '\0';
    for (size_t i = 0; i < type->option_count + sink_common_option_count && used < bytes; i++) {
        const struct sink_option *row = i < type->option_count
                                            ? &type->options[i]
                                            : &sink_common_options[i - type->option_count];
        used += (size_t)snprintf(to + used, bytes - used, "%s%s", i > 0 ? ", " : "", row->name);
    }
}

static const char *nearest_option(const struct sink_type *type, const char *key,
                                  char hint[NEAREST_HINT_BYTES])
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < type->option_count && count < NAMES_MAX; i++)
        names[count++] = type->options[i].name;
    for (size_t i = 0; i < sink_common_option_count && count < NAMES_MAX; i++)
        names[count++] = sink_common_options[i].name;
    return nearest_hint(text_of(key), names, count, hint);
}

static bool is_given(const struct sink_config *config, const char *key)
{
    for (size_t i = 0; i < config->option_count; i++)
        if (strcmp(config->option[i].key, key) == 0)
            return true;
    return false;
}

/* Reads what was given, each key once. */
static int read_given(struct sink *sink, const struct sink_config *config, struct error *err)
{
    char names[1024], hint[NEAREST_HINT_BYTES];

    for (size_t i = 0; i < config->option_count; i++) {
        const char *key = config->option[i].key, *value = config->option[i].value;
        const struct sink_option *row = find_option(sink->type, key);
        int rc;
        if (row == NULL) {
            list_options(sink->type, names, sizeof(names));
            error_set(err, "unknown option \"%s\"; a %s sink has: %s%s", key, sink->type->name,
                      names, nearest_option(sink->type, key, hint));
            return -EINVAL;
        }
        for (size_t j = 0; j < i; j++)
            if (strcmp(config->option[j].key, key) == 0) {
                error_set(err, "option \"%s\" is given twice", key);
                return -EINVAL;
            }
        error_set(err, "out of memory");
        rc = row->kind == OPT_HEADER ? read_header(sink, row, key + 7, value, err)
                                     : read_option(sink, row, value, err);
        if (rc != 0) {
            error_prefix(err, "option \"%s\": ", key);
            return rc;
        }
    }
    return 0;
}

static int read_defaults(struct sink *sink, const struct sink_config *config,
                         const struct sink_option *rows, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int rc;
        if (rows[i].kind == OPT_HEADER || is_given(config, rows[i].name))
            continue;
        if (rows[i].default_value == NULL) {
            error_set(err, "option \"%s\" is missing: %s", rows[i].name, rows[i].help);
            return -EINVAL;
        }
        rc = read_option(sink, &rows[i], rows[i].default_value, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int sink_options_read(struct sink *sink, const struct sink_config *config, struct error *err)
{
    const struct sink_type *type = sink->type;
    int rc = read_given(sink, config, err);

    for (size_t i = 0; i < type->option_count && i < 64; i++)
        if (is_given(config, type->options[i].name))
            sink->given |= UINT64_C(1) << i;
    if (rc == 0)
        rc = read_defaults(sink, config, sink_common_options, sink_common_option_count, err);
    if (rc == 0)
        rc = read_defaults(sink, config, type->options, type->option_count, err);
    if (rc == 0 && sink_settings(sink)->client_key[0] != '\0' && !is_given(config, "client_cert")) {
        error_set(err, "option \"client_key\": a key needs its certificate, client_cert");
        rc = -EINVAL;
    }
    if (rc == 0 && type->check != NULL)
        rc = type->check(sink, err);
    return rc;
}

/*
 * webhook.c - a signed JSON document to any URL.
 *
 * The document (docs/sinks.md) is the op and the whole incident as it stands.
 * A receiver that remembers op ids can say so with `idempotent: true` (class A);
 * otherwise a repeat after a lost answer cannot be told from a first delivery, and
 * is marked (class D).
 *
 * Source: signature as Grafana makes it (grafana/alerting, http/hmac.go): lower-case
 *         hex HMAC-SHA256 of "<unix seconds>:<body>"; CloudEvents 1.0, HTTP binding,
 *         binary mode.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sinks/payload.h"
#include "sinks/sink.h"

enum { TEXT_CHARS_MAX = 65536, DIGEST_BYTES = 32, HEADER_VALUE_BYTES = 1024 };

struct webhook {
    struct sink_settings common;
    const char *url;
    const char *secret;
    const char *signature_header;
    const char *timestamp_header;
    const char *expect_body;
    const char *cloudevents_source;
    bool idempotent;
    bool cloudevents;
};

static const struct sink_option options[] = {
    {"url", OPT_URL, offsetof(struct webhook, url), NULL, "Where the document is posted.", 0, 0},
    {"secret", OPT_SECRET, offsetof(struct webhook, secret), "",
     "Key of the HMAC-SHA256 signature. Empty: not signed.", 0, 0},
    {"signature_header", OPT_TEXT, offsetof(struct webhook, signature_header), "Tocsin-Signature",
     "Header that carries the signature, lower-case hex.", 0, 0},
    {"timestamp_header", OPT_TEXT, offsetof(struct webhook, timestamp_header), "Tocsin-Timestamp",
     "Header that carries the seconds since 1970 that the signature covers.", 0, 0},
    {"idempotent", OPT_BOOL, offsetof(struct webhook, idempotent), "false",
     "Whether the receiver drops an op whose Idempotency-Key it has seen.", 0, 0},
    {"expect_body", OPT_TEXT, offsetof(struct webhook, expect_body), "",
     "Text that the body of a 2xx must contain to count as delivered.", 0, 0},
    {"cloudevents", OPT_BOOL, offsetof(struct webhook, cloudevents), "false",
     "Adds the CloudEvents 1.0 attributes as ce-* headers.", 0, 0},
    {"cloudevents_source", OPT_TEXT, offsetof(struct webhook, cloudevents_source), "/tocsin",
     "Value of ce-source, a URI reference.", 0, 0},
    {"header.*", OPT_HEADER, 0, "", "Further headers, one option each: header.NAME.", 0, 0},
};

static enum sink_class class_of(const void *settings)
{
    const struct webhook *hook = settings;

    return hook->idempotent ? SINK_CLASS_A : SINK_CLASS_D;
}

/* Whether tocsin or libcurl sends this header, whatever the options say. */
static bool is_own_header(const struct webhook *hook, const char *name)
{
    static const char *const taken[] = {"Content-Type",      "Content-Length",  "Host",
                                        "Transfer-Encoding", "Idempotency-Key", "Tocsin-Attempt",
                                        "Connection",        "Expect",          "User-Agent"};

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (strcasecmp(name, taken[i]) == 0)
            return true;
    return hook->cloudevents && strncasecmp(name, "ce-", 3) == 0;
}

/* The two headers of the signature: names, not those of other headers, and not one name. */
static int check_signature_headers(const struct sink *sink, struct error *err)
{
    const struct webhook *hook = sink->settings;
    const char *const names[] = {hook->signature_header, hook->timestamp_header};
    static const char *const keys[] = {"signature_header", "timestamp_header"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((names[i][0] == '\0' && sink->is_resolved) ||
            names[i][strcspn(names[i], " :\t")] != '\0') {
            error_set(err, "option \"%s\": \"%s\" is not the name of an HTTP header", keys[i],
                      names[i]);
            return -EINVAL;
        }
        if (is_own_header(hook, names[i])) {
            error_set(err, "option \"%s\": the header \"%s\" is set by tocsin itself", keys[i],
                      names[i]);
            return -EINVAL;
        }
    }
    /* Before env: and file: are read both are empty, and nothing is known yet. */
    if (names[0][0] != '\0' && strcasecmp(names[0], names[1]) == 0) {
        error_set(err, "option \"timestamp_header\": \"%s\" is the signature_header already",
                  names[1]);
        return -EINVAL;
    }
    return 0;
}

static int check(const struct sink *sink, struct error *err)
{
    const struct webhook *hook = sink->settings;
    int rc = check_signature_headers(sink, err);

    for (size_t i = 0; i < sink->header_count && rc == 0; i++) {
        const char *name = sink->headers[i].name;
        if (is_own_header(hook, name) || strcasecmp(name, hook->signature_header) == 0 ||
            strcasecmp(name, hook->timestamp_header) == 0) {
            error_set(err, "option \"header.%s\": this header is set by tocsin itself", name);
            rc = -EINVAL;
        }
    }
    return rc;
}

static int add_incident(json_t *root, const struct incident *inc)
{
    json_t *object = json_object(); /* stolen by root */
    char id[ID128_TEXT_BYTES];
    int rc = 0;

    if (json_object_set_new(root, "incident", object) != 0)
        return -ENOMEM;
    id128_format(inc->id, id);
    rc |= payload_set_text(object, "id", id, TEXT_CHARS_MAX);
    rc |= payload_set_count(object, "change_number", inc->change_number);
    rc |= payload_set_text(object, "change", incident_change_name(inc->change), TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "cause", incident_cause_name(inc->cause), TEXT_CHARS_MAX);
    rc |= payload_set_time(object, "changed_at", inc->at_ms);
    rc |= payload_set_time(object, "opened_at", inc->opened_ms);
    rc |= payload_set_time(object, "first_event_at", inc->first_ts_ms);
    rc |= payload_set_text(object, "severity", severity_name(inc->severity), TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "priority", priority_name(inc->priority), TEXT_CHARS_MAX);
    rc |= payload_set_count(object, "events", inc->event_count);
    rc |= payload_set_count(object, "alerts", inc->alert_count);
    rc |= payload_set_count(object, "open_alerts", inc->open_count);
    rc |= payload_set_text(object, "tenant", inc->tenant, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "rule", inc->rule_id, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "key", inc->key, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "title", inc->title, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "why", inc->why, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "tier", inc->tier, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "team", inc->team, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "runbook", inc->runbook, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "source", inc->source, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "resource", inc->resource, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "check", inc->check, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "host", inc->host, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "message", inc->message, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "acknowledged_by", inc->acked_by, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "by", inc->by, TEXT_CHARS_MAX);
    rc |= payload_set_text(object, "comment", inc->comment, TEXT_CHARS_MAX);
    return rc;
}

static char *make_body(const struct sink_attempt *attempt)
{
    json_t *root = json_object(), *object = json_object(); /* object is stolen by root */
    const struct op *op = attempt->op;
    char id[ID128_TEXT_BYTES];
    char *body = NULL;
    int rc = 0;

    id128_format(op->id, id);
    rc |= payload_set_count(root, "version", 1);
    rc |= json_object_set_new(root, "op", object);
    if (rc == 0) {
        rc |= payload_set_text(object, "id", id, TEXT_CHARS_MAX);
        rc |= payload_set_count(object, "number", op->number);
        rc |= payload_set_text(object, "kind", op_kind_name(op->kind), TEXT_CHARS_MAX);
        rc |=
            json_object_set_new(object, "possible_repeat", json_boolean(attempt->possible_repeat));
        rc |= add_incident(root, op->incident);
    }
    if (rc == 0)
        body = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return body;
}

/* Signs "<seconds>:<body>". */
static int add_signature(const struct webhook *hook, int64_t seconds, struct sink_request *out)
{
    unsigned char digest[DIGEST_BYTES];
    char stamp[32], hex[2 * DIGEST_BYTES + 1];
    unsigned digest_bytes = 0;
    size_t stamp_bytes = (size_t)snprintf(stamp, sizeof(stamp), "%lld:", (long long)seconds);
    unsigned char *input = malloc(stamp_bytes + out->body_bytes);
    int rc;

    if (input == NULL)
        return -ENOMEM;
    memcpy(input, stamp, stamp_bytes);
    memcpy(input + stamp_bytes, out->body, out->body_bytes);
    rc = HMAC(EVP_sha256(), hook->secret, (int)strlen(hook->secret), input,
              stamp_bytes + out->body_bytes, digest, &digest_bytes) != NULL
             ? 0
             : -ENOMEM;
    free(input);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    rc = sink_request_add_header(out, "%s: %lld", hook->timestamp_header, (long long)seconds);
    return rc != 0 ? rc : sink_request_add_header(out, "%s: %s", hook->signature_header, hex);
}

/* A ce-* header, percent-encoded as the HTTP binding asks. */
static int add_attribute(struct sink_request *out, const char *name, const char *value)
{
    char encoded[HEADER_VALUE_BYTES];
    size_t used = 0;

    for (; *value != '\0' && used + 4 < sizeof(encoded); value++) {
        unsigned char c = (unsigned char)*value;
        bool is_plain = c >= 0x21 && c <= 0x7e && c != '"' && c != '%';
        used +=
            (size_t)snprintf(encoded + used, sizeof(encoded) - used, is_plain ? "%c" : "%%%02X", c);
    }
    encoded[used] = '\0';
    return sink_request_add_header(out, "%s: %s", name, encoded);
}

static int add_cloudevent(const struct webhook *hook, const struct op *op, struct sink_request *out)
{
    static const char *const types[] = {
        [OP_OPEN] = "tocsin.incident.opened",
        [OP_UPDATE] = "tocsin.incident.updated",
        [OP_ACK] = "tocsin.incident.acknowledged",
        [OP_RESOLVE] = "tocsin.incident.resolved",
    };
    char op_id[ID128_TEXT_BYTES], incident_id[ID128_TEXT_BYTES], time[PAYLOAD_TIME_BYTES];
    int rc;

    id128_format(op->id, op_id);
    id128_format(op->incident->id, incident_id);
    payload_format_time(op->incident->at_ms, time);
    rc = add_attribute(out, "ce-specversion", "1.0");
    if (rc == 0)
        rc = add_attribute(out, "ce-id", op_id);
    if (rc == 0)
        rc = add_attribute(out, "ce-source", hook->cloudevents_source);
    if (rc == 0)
        rc = add_attribute(out, "ce-type", types[op->kind]);
    if (rc == 0)
        rc = add_attribute(out, "ce-time", time);
    return rc != 0 ? rc : add_attribute(out, "ce-subject", incident_id);
}

static int build(const struct sink *sink, const struct sink_attempt *attempt,
                 struct sink_request *out, struct error *err)
{
    const struct webhook *hook = sink->settings;
    char id[ID128_TEXT_BYTES];
    int rc;

    error_set(err, "out of memory");
    out->url = hook->url;
    out->body = make_body(attempt);
    if (out->body == NULL)
        return -ENOMEM;
    out->body_bytes = strlen(out->body);
    id128_format(attempt->op->id, id);
    rc = sink_request_add_header(out, "Content-Type: application/json");
    if (rc == 0)
        rc = sink_request_add_header(out, "Idempotency-Key: %s", id);
    if (rc == 0)
        rc = sink_request_add_header(out, "Tocsin-Attempt: %u", attempt->number);
    if (rc == 0 && hook->cloudevents)
        rc = add_cloudevent(hook, attempt->op, out);
    if (rc == 0 && hook->secret[0] != '\0')
        rc = add_signature(hook, attempt->wall_ms / 1000, out);
    for (size_t i = 0; i < sink->header_count && rc == 0; i++)
        rc = sink_request_add_header(out, "%s: %s", sink->headers[i].name, sink->headers[i].value);
    return rc;
}

static enum sink_verdict judge(const struct sink *sink, const struct transport_answer *answer,
                               enum sink_verdict by_status, struct error *err)
{
    const struct webhook *hook = sink->settings;

    if (by_status != SINK_DELIVERED || strstr(answer->body, hook->expect_body) != NULL)
        return by_status;
    error_set(err, "HTTP %d, but the body does not contain what expect_body asks for",
              answer->status);
    return SINK_RETRY;
}

const struct sink_type sink_webhook = {
    .name = "webhook",
    .help = "A signed JSON document. A repeat is marked (class D) unless the receiver is "
            "idempotent (class A).",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_bytes = sizeof(struct webhook),
    .class_of = class_of,
    .check = check,
    .build = build,
    .judge = judge,
};
